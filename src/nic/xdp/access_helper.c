/* SPDX-License-Identifier: BSD-2-Clause */
/* What of AF_XDP needs privilege, done by a helper (src/xdp_helper/protocol.h): this process needs
 * no capability at all. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "shunt/clock.h"
#include "src/core/error_internal.h"
#include "src/netlink/setup.h"
#include "src/nic/xdp/access.h"
#include "src/xdp_helper/protocol.h"
#include "src/xdp_helper/socket_options.h"

/* The helper changes channels at its slowest request, and a driver takes seconds for that. */
#define REPLY_DEADLINE_NS (UINT64_C(15) * 1000000000)

struct helped {
  struct xdp_access access;
  int socket;
  bool over; /* the connection is; for calls that ask */
};

static struct helped *of(struct xdp_access *access)
{
  return (struct helped *)access;
}

/* ---- Asking ---- */

static void remedy(struct shunt_error *error)
{
  shunt_error_remedy(error, "look at its log (journalctl -u shunt-xdp-helper), start it again, and "
                            "open the port anew");
}

/* What comes now is no longer known to be the reply to what was asked, nor is it known what the
 * helper did: so the connection ends, and it undoes everything. The socket stays, for a thread that
 * checks may look at it. */
static int lost(struct helped *helped, int code, struct shunt_error *error)
{
  shutdown(helped->socket, SHUT_RDWR);
  helped->over = true;
  shunt_error_set(error, code, "the helper does not answer");
  if (code == -ETIMEDOUT)
    shunt_error_why(error, "nothing came for 15 s");
  else if (code == -EPROTO)
    shunt_error_why(error, "what came is no reply of this version's helper");
  else
    shunt_error_why(error, "it has closed the connection: %s", strerrordesc_np(-code));
  remedy(error);
  return code;
}

static int is_over(struct shunt_error *error)
{
  shunt_error_set(error, -ECONNRESET, "the connection to the helper is over");
  shunt_error_why(error, "the helper has ended, or did not answer in time; the program that it "
                         "attached for this port, and the port's rules, are gone");
  remedy(error);
  return -ECONNRESET;
}

static int wait_for_reply(int socket)
{
  const struct shunt_clock *clock = shunt_clock_real();
  uint64_t end_ns = shunt_clock_now_ns(clock) + REPLY_DEADLINE_NS;
  struct pollfd wait = {.fd = socket, .events = POLLIN};
  for (;;) {
    uint64_t now_ns = shunt_clock_now_ns(clock);
    int ready = now_ns < end_ns ? poll(&wait, 1, (int)((end_ns - now_ns) / 1000000) + 1) : 0;
    if (ready > 0)
      return 0;
    if (ready == 0)
      return -ETIMEDOUT;
    if (errno != EINTR)
      return -errno;
  }
}

static int take_reply(const struct helped *helped, uint16_t type, struct xdp_helper_reply *reply,
                      int *fd)
{
  int code = wait_for_reply(helped->socket);
  if (code < 0)
    return code;
  ssize_t bytes = xdp_helper_receive(helped->socket, reply, sizeof(*reply), fd);
  if (bytes < 0)
    return (int)bytes;
  return bytes == 0 ? -ECONNRESET : xdp_helper_reply_check(reply, (size_t)bytes, type);
}

/* Send a request and take its reply. reply_fd NULL: none is expected. Returns the reply's code. Who
 * can't send any more may have been turned away, with a reply that says why. */
static int ask(struct xdp_access *access, union xdp_helper_request *request, uint16_t type, int fd,
               struct xdp_helper_reply *reply, int *reply_fd, struct shunt_error *error)
{
  struct helped *helped = of(access);
  memset(reply, 0, sizeof(*reply));
  if (helped->over)
    return is_over(error);
  request->head = (struct xdp_helper_head){XDP_HELPER_MAGIC, XDP_HELPER_VERSION, type};
  int code = xdp_helper_send(helped->socket, request, xdp_helper_request_bytes(type), fd);
  if (code == 0 || code == -EPIPE)
    code = take_reply(helped, type, reply, reply_fd);
  if (code < 0)
    return lost(helped, code, error);
  if (reply->code == 0)
    return 0;
  shunt_error_set(error, reply->code, "%s", reply->what);
  shunt_error_why(error, "%s", reply->why);
  shunt_error_remedy(error, "%s", reply->remedy);
  return reply->code;
}

static int ask_number(struct xdp_access *access, uint16_t type, uint32_t number, int fd,
                      struct xdp_helper_reply *reply, struct shunt_error *error)
{
  union xdp_helper_request request = {0};
  request.number.number = number;
  return ask(access, &request, type, fd, reply, NULL, error);
}

/* ---- The operations ---- */

static int helped_socket(struct xdp_access *access, const struct xdp_socket_wanted *wanted, int *fd,
                         struct shunt_error *error)
{
  union xdp_helper_request request = {.socket = {.send_bytes = wanted->send_bytes,
                                                 .busy_poll_us = wanted->busy_poll_us,
                                                 .busy_budget = wanted->busy_budget}};
  struct xdp_helper_reply reply;
  int received = -1;
  int code = ask(access, &request, XDP_HELPER_SOCKET_NEW, -1, &reply, &received, error);
  if (code == 0 && received < 0)
    return lost(of(access), -EPROTO, error);
  if (code < 0 && received >= 0)
    close(received);
  if (code == 0)
    *fd = received;
  return code;
}

/* Have the helper put rules aside for the request that is to come. */
static int stage_rules(struct xdp_access *access, const struct shunt_xdp_rule rules[], unsigned n,
                       struct shunt_error *error)
{
  struct xdp_helper_reply reply;
  int code = 0;
  for (unsigned i = 0; code == 0 && i < n; i++)
    code = shunt_xdp_rule_check(&rules[i], error);
  for (unsigned i = 0; code == 0 && i < n; i++) {
    union xdp_helper_request request = {0};
    shunt_xdp_rule_format(&rules[i], request.rule.text, sizeof(request.rule.text));
    code = ask(access, &request, XDP_HELPER_RULE_STAGE, -1, &reply, NULL, error);
  }
  return code;
}

static int helped_attach(struct xdp_access *access, const struct xdp_attach *attach,
                         struct xdp_attached *attached, struct shunt_error *error)
{
  union xdp_helper_request request = {.attach = {.mode = attach->mode,
                                                 .queues = attach->queues,
                                                 .fragments = attach->fragments,
                                                 .receive_time = attach->receive_time,
                                                 .vlan = attach->vlan,
                                                 .join = attach->join}};
  struct xdp_helper_reply reply;
  int code = stage_rules(access, attach->rules, attach->rule_count, error);
  if (code == 0)
    code = ask(access, &request, XDP_HELPER_ATTACH, -1, &reply, NULL, error);
  if (code == 0)
    attached->time = (uint8_t)reply.value;
  return code;
}

static void helped_detach(struct xdp_access *access)
{
  union xdp_helper_request request = {0};
  struct xdp_helper_reply reply;
  ask(access, &request, XDP_HELPER_DETACH, -1, &reply, NULL, NULL);
}

static int helped_socket_set(struct xdp_access *access, uint32_t queue, int fd,
                             struct shunt_error *error)
{
  struct xdp_helper_reply reply;
  return ask_number(access, XDP_HELPER_SOCKET_SET, queue, fd, &reply, error);
}

static int helped_socket_clear(struct xdp_access *access, uint32_t queue, struct shunt_error *error)
{
  struct xdp_helper_reply reply;
  return ask_number(access, XDP_HELPER_SOCKET_CLEAR, queue, -1, &reply, error);
}

static int helped_rules_add(struct xdp_access *access, const struct shunt_xdp_rule rules[],
                            unsigned n, uint32_t ids[], struct shunt_error *error)
{
  union xdp_helper_request request = {0};
  struct xdp_helper_reply reply;
  int code = stage_rules(access, rules, n, error);
  if (code == 0)
    code = ask(access, &request, XDP_HELPER_RULES_ADD, -1, &reply, NULL, error);
  for (unsigned i = 0; code == 0 && i < n; i++)
    ids[i] = reply.value + i;
  return code;
}

static int helped_rules_remove(struct xdp_access *access, const uint32_t ids[], unsigned n,
                               struct shunt_error *error)
{
  union xdp_helper_request request = {0};
  struct xdp_helper_reply reply;
  int code = 0;
  for (unsigned i = 0; code == 0 && i < n; i++)
    code = ask_number(access, XDP_HELPER_ID_STAGE, ids[i], -1, &reply, error);
  return code ? code : ask(access, &request, XDP_HELPER_RULES_REMOVE, -1, &reply, NULL, error);
}

static int helped_rule_hits(struct xdp_access *access, uint32_t id, uint64_t *packets,
                            uint64_t *bytes, struct shunt_error *error)
{
  struct xdp_helper_reply reply;
  int code = ask_number(access, XDP_HELPER_RULE_HITS, id, -1, &reply, error);
  if (code == 0) {
    *packets = reply.packets;
    *bytes = reply.bytes;
  }
  return code;
}

static int helped_setup(struct xdp_access *access, const struct setup_wanted *wanted,
                        struct shunt_error *error)
{
  union xdp_helper_request request = {.setup = {.channels = wanted->channels,
                                                .mtu = wanted->mtu,
                                                .up = wanted->up,
                                                .promiscuous = wanted->promiscuous,
                                                .traps = wanted->traps,
                                                .traps_try = wanted->traps_try}};
  struct xdp_helper_reply reply;
  return ask(access, &request, XDP_HELPER_SETUP, -1, &reply, NULL, error);
}

/* Both ends of the connection can end it (unix_poll, net/unix/af_unix.c). A reply to what another
 * thread asks is not looked at. */
static int helped_check(struct xdp_access *access, struct shunt_error *error)
{
  struct pollfd now = {.fd = of(access)->socket};
  return poll(&now, 1, 0) > 0 && (now.revents & POLLHUP) ? is_over(error) : 0;
}

/* The helper undoes everything when the connection ends. */
static void helped_close(struct xdp_access *access)
{
  struct helped *helped = of(access);
  if (helped->socket >= 0)
    close(helped->socket);
  free(helped);
}

static const struct xdp_access_ops helped_ops = {
    .socket = helped_socket,
    .attach = helped_attach,
    .detach = helped_detach,
    .socket_set = helped_socket_set,
    .socket_clear = helped_socket_clear,
    .rules_add = helped_rules_add,
    .rules_remove = helped_rules_remove,
    .rule_hits = helped_rule_hits,
    .check = helped_check,
    .setup = helped_setup,
    .close = helped_close,
};

/* ---- Connecting ---- */

static int no_helper(int code, const char *path, struct shunt_error *error)
{
  error_set_errno(error, code, "can't reach the helper at %.100s", path);
  if (code == -ENOENT || code == -ECONNREFUSED)
    shunt_error_remedy(error,
                       "start it: systemctl start shunt-xdp-helper, or as root: shunt "
                       "xdp-helper --socket %.100s",
                       path);
  else if (code == -EACCES)
    shunt_error_remedy(error, "its socket's directory has to be open to this user (mode 0755)");
  else if (code == -ETIMEDOUT)
    remedy(error);
  return code;
}

static int connect_to(const char *path, struct helped *helped)
{
  const struct timeval patience = {.tv_sec = REPLY_DEADLINE_NS / 1000000000};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof(address.sun_path))
    return -ENAMETOOLONG;
  memcpy(address.sun_path, path, strlen(path) + 1);
  helped->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  /* Where many come at once, who waits gets in as it came (unix_stream_connect). */
  if (helped->socket < 0 ||
      setsockopt(helped->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
      connect(helped->socket, (const struct sockaddr *)&address, sizeof(address)))
    return errno == EAGAIN ? -ETIMEDOUT : -errno;
  return 0;
}

int xdp_access_helper_open(const char *path, const char *interface, int ifindex,
                           struct xdp_access **access, struct shunt_error *error)
{
  union xdp_helper_request request = {
      .hello = {.space = xdp_helper_namespace(), .ifindex = (uint32_t)ifindex}};
  struct xdp_helper_reply reply;
  struct helped *helped = calloc(1, sizeof(*helped));
  if (!helped)
    return error_set_errno(error, -ENOMEM, "no memory for a port");
  helped->access.ops = &helped_ops;
  helped->socket = -1;
  int code = connect_to(path, helped);
  if (code < 0)
    no_helper(code, path, error);
  if (code == 0) {
    strncpy(request.hello.interface, interface, sizeof(request.hello.interface) - 1);
    code = ask(&helped->access, &request, XDP_HELPER_HELLO, -1, &reply, NULL, error);
  }
  if (code < 0) {
    helped_close(&helped->access);
    return code;
  }
  *access = &helped->access;
  return 0;
}
