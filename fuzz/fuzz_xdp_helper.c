/* SPDX-License-Identifier: BSD-2-Clause */
/* Two hostile clients of the helper. The input is a list of messages: two bytes of length (the
 * highest bit: from the second client; the next: with a descriptor beside it), then the bytes, of
 * which the head is made right where the first byte is 'h'. When both are gone nothing is left. */
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/xdp_helper/server.h"
#include "tests/unit/xdp_helper_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int connect_to(struct server *server)
{
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || server_add(server, pair[1]))
    abort();
  return pair[0];
}

/* Take the replies. Who was cut off comes again. */
static void drain(struct server *server, int *client)
{
  struct xdp_helper_reply reply;
  ssize_t bytes;
  int fd;
  while ((bytes = xdp_helper_receive(*client, &reply, sizeof(reply), &fd)) > 0)
    if (fd >= 0)
      close(fd);
  if (bytes == -EAGAIN)
    return;
  close(*client);
  *client = connect_to(server);
}

static void send_one(int client, const uint8_t *data, size_t bytes, int fd)
{
  uint8_t message[2 * sizeof(union xdp_helper_request)] = {0};
  size_t length = bytes;
  if (bytes >= sizeof(struct xdp_helper_head) && data[0] == 'h') {
    uint16_t type = data[6] % 13;
    const struct xdp_helper_head head = {XDP_HELPER_MAGIC, XDP_HELPER_VERSION, type};
    memcpy(message + sizeof(head), data + sizeof(head), bytes - sizeof(head));
    memcpy(message, &head, sizeof(head));
    length = xdp_helper_request_bytes(type) ? xdp_helper_request_bytes(type) : bytes;
  } else {
    memcpy(message, data, bytes);
  }
  if (length)
    xdp_helper_send(client, message, length, fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
  struct policy policy = {0};
  struct server *server;
  struct shunt_error error;
  memset(&fake, 0, sizeof(fake));
  if (policy_parse(&policy, "a test", "user=* interface=eth0 queues=0-2 setup=all rules=udp;arp",
                   &error) ||
      server_open(&policy, &fake_system, NULL, NULL, &server, &error))
    abort();
  int clients[2] = {connect_to(server), connect_to(server)};
  int passed = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  while (bytes >= 2) {
    size_t length = data[0] | (data[1] & 0x03u) << 8;
    int *client = &clients[data[1] >> 7], fd = data[1] & 0x40 ? passed : -1;
    length = length < bytes - 2 ? length : bytes - 2;
    send_one(*client, data + 2, length, fd);
    server_turn(server, -1, 0);
    drain(server, client);
    data += 2 + length;
    bytes -= 2 + length;
  }
  close(passed);
  close(clients[0]);
  close(clients[1]);
  server_turn(server, -1, 0);
  if (server_clients(server) || fake.filters || fake.setups)
    abort();
  server_close(server);
  return 0;
}
