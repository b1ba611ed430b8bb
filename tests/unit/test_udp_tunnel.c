/* SPDX-License-Identifier: BSD-2-Clause */
/* Two wires on loopback, joined by datagrams. Time is virtual but for the kernel's. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/clock.h"
#include "twin/wire/wire.h"

#define SECOND_NS        UINT64_C(1000000000)
#define STOCK_RMEM_BYTES 212992 /* net.core.rmem_max, where nobody has raised it */

/* The kernel's, with that limit: SO_RCVBUF is cut to it, SO_RCVBUFFORCE is not (socket(7)). */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
  static const int stock = STOCK_RMEM_BYTES;
  bool cut = level == SOL_SOCKET && name == SO_RCVBUF && *(const int *)value > stock;
  return (int)syscall(SYS_setsockopt, fd, level, name, cut ? &stock : value, bytes);
}

struct side {
  struct shunt_wire *wire;
  struct shunt_wire_end *end, *tunnel;
  unsigned count;
  uint32_t bytes;
  uint8_t frame[SHUNT_WIRE_FRAME_BYTES];
};

static void side_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct side *side = context;
  (void)now_ns;
  side->count++;
  side->bytes = bytes;
  memcpy(side->frame, frame, bytes);
}

static const struct shunt_wire_end_ops side_ops = {.deliver = side_deliver};

/* A port of loopback that nobody has: the kernel chooses it, and it is free again. */
static uint16_t free_port(int family)
{
  struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
  socklen_t bytes = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  int fd = socket(family, SOCK_DGRAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&any, bytes) < 0) {
    if (fd >= 0)
      close(fd);
    return 0;
  }
  assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &bytes), 0);
  close(fd);
  struct sockaddr_in in; /* the port stands at the same place in both families */
  memcpy(&in, &any, sizeof(in));
  return ntohs(in.sin_port);
}

static void side_open(struct side *side, const char *local, const char *remote)
{
  memset(side, 0, sizeof(*side));
  assert_int_equal(shunt_wire_create(NULL, &side->wire, NULL), 0);
  assert_int_equal(shunt_wire_attach(side->wire, "side", &side_ops, side, &side->end, NULL), 0);
  struct shunt_error error = {0};
  if (shunt_wire_udp(side->wire, local, remote, &side->tunnel, &error) < 0)
    fail_msg("%s: %s", error.what, error.why);
}

static struct shunt_wire_statistics tunnel_statistics(const struct side *side)
{
  struct shunt_wire_statistics statistics = {.size = sizeof(statistics)};
  shunt_wire_statistics(side->tunnel, &statistics);
  return statistics;
}

static void send_frame(struct side *side, const void *frame, uint32_t bytes)
{
  struct iovec piece = {.iov_base = (void *)(uintptr_t)frame, .iov_len = bytes};
  assert_int_equal(shunt_wire_send(side->end, &piece, 1, 0), 0);
}

/* Poll until count has come, or for two seconds nothing: the time is taken before a poll, so that
 * one that had to wait for a CPU still looks. */
static void await(struct side *side, unsigned count)
{
  uint64_t now_ns = shunt_monotonic_ns(), deadline_ns = now_ns + 2 * SECOND_NS;
  while (side->count < count) {
    const unsigned before = side->count;
    now_ns = shunt_monotonic_ns();
    shunt_wire_poll(side->wire, now_ns);
    if (side->count != before)
      deadline_ns = now_ns + 2 * SECOND_NS;
    else if (now_ns >= deadline_ns)
      break;
  }
  assert_int_equal(side->count, count);
}

static void check_both_ways(const char *left_address, const char *right_address)
{
  static struct side left, right;
  static uint8_t frame[SHUNT_WIRE_FRAME_BYTES];
  static const uint32_t sizes[] = {1, 60, 1514, 9014, SHUNT_WIRE_FRAME_BYTES};
  side_open(&left, left_address, right_address);
  side_open(&right, right_address, left_address);
  assert_int_equal(shunt_wire_carrier(left.end), 1);
  for (unsigned i = 0; i < 5; i++) {
    for (uint32_t byte = 0; byte < sizes[i]; byte++)
      frame[byte] = (uint8_t)(byte * 7 + i);
    send_frame(&left, frame, sizes[i]);
    await(&right, i + 1);
    assert_int_equal(right.bytes, sizes[i]);
    assert_memory_equal(right.frame, frame, sizes[i]);
    send_frame(&right, frame, sizes[i]);
    await(&left, i + 1);
    assert_memory_equal(left.frame, frame, sizes[i]);
  }
  assert_int_equal(tunnel_statistics(&left).outside_refused, 0);
  assert_int_equal(tunnel_statistics(&left).sent, 5);
  assert_int_equal(tunnel_statistics(&left).delivered, 5);
  shunt_wire_destroy(left.wire);
  shunt_wire_destroy(right.wire);
}

static void frames_cross_over_ipv4(void **state)
{
  (void)state;
  char left[64], right[64];
  snprintf(left, sizeof(left), "127.0.0.1:%u", free_port(AF_INET));
  snprintf(right, sizeof(right), "127.0.0.1:%u", free_port(AF_INET));
  check_both_ways(left, right);
}

static void frames_cross_over_ipv6(void **state)
{
  (void)state;
  uint16_t port = free_port(AF_INET6);
  if (port == 0) {
    print_message("no IPv6 on this machine\n");
    skip();
  }
  char left[64], right[64];
  snprintf(left, sizeof(left), "[::1]:%u", port);
  snprintf(right, sizeof(right), "[::1]:%u", free_port(AF_INET6));
  check_both_ways(left, right);
}

static void an_absent_peer_is_no_end(void **state)
{
  (void)state;
  static struct side left, right;
  char here[64], there[64];
  snprintf(here, sizeof(here), "127.0.0.1:%u", free_port(AF_INET));
  snprintf(there, sizeof(there), "127.0.0.1:%u", free_port(AF_INET));
  side_open(&left, here, there);
  for (unsigned i = 0; i < 10; i++) {
    send_frame(&left, "nobody there", 12);
    for (unsigned poll = 0; poll < 2 * WIRE_LOOK_POLLS; poll++)
      shunt_wire_poll(left.wire, shunt_monotonic_ns());
  }
  assert_int_equal(shunt_wire_carrier(left.end), 1);
  assert_int_equal(tunnel_statistics(&left).outside_errors, 0);
  side_open(&right, there, here);
  send_frame(&left, "now somebody", 12);
  await(&right, 1);
  shunt_wire_destroy(left.wire);
  shunt_wire_destroy(right.wire);
}

static void strangers_are_counted_and_dropped(void **state)
{
  (void)state;
  static struct side left;
  static uint8_t big[SHUNT_WIRE_FRAME_BYTES + 100];
  char here[64], there[64];
  uint16_t port = free_port(AF_INET), peer_port = free_port(AF_INET);
  snprintf(here, sizeof(here), "127.0.0.1:%u", port);
  snprintf(there, sizeof(there), "127.0.0.1:%u", peer_port);
  side_open(&left, here, there);
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in from = to;
  from.sin_port = htons(peer_port);
  int stranger = socket(AF_INET, SOCK_DGRAM, 0), peer = socket(AF_INET, SOCK_DGRAM, 0);
  assert_int_equal(bind(peer, (struct sockaddr *)&from, sizeof(from)), 0);
  for (unsigned i = 0; i < 3; i++)
    assert_int_equal(sendto(stranger, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
  assert_int_equal(sendto(peer, big, sizeof(big), 0, (struct sockaddr *)&to, sizeof(to)),
                   sizeof(big));
  assert_int_equal(sendto(peer, big, 0, 0, (struct sockaddr *)&to, sizeof(to)), 0);
  assert_int_equal(sendto(peer, "peer", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
  await(&left, 1);
  assert_memory_equal(left.frame, "peer", 4);
  assert_int_equal(tunnel_statistics(&left).outside_foreign, 3);
  assert_int_equal(tunnel_statistics(&left).outside_oversized, 2);
  assert_int_equal(tunnel_statistics(&left).sent, 1);
  close(stranger);
  close(peer);
  shunt_wire_destroy(left.wire);
}

/* Whether this process may have more than net.core allows. */
static bool may_force_buffers(void)
{
  static const int bytes = STOCK_RMEM_BYTES;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  bool may = setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0;
  close(fd);
  return may;
}

/* What comes while the receiver has no CPU waits for it, whatever net.core.rmem_max says. */
static void a_receiver_that_stands_still_loses_nothing(void **state)
{
  (void)state;
  static const struct {
    uint32_t frames, bytes;
  } bursts[] = {{100, 9014}, {1000, 800}};
  static struct side left, right;
  static uint8_t frame[9014];
  char here[64], there[64];
  if (!may_force_buffers()) {
    print_message("it takes CAP_NET_ADMIN to have more than net.core.rmem_max\n");
    skip();
  }
  snprintf(here, sizeof(here), "127.0.0.1:%u", free_port(AF_INET));
  snprintf(there, sizeof(there), "127.0.0.1:%u", free_port(AF_INET));
  for (unsigned i = 0; i < 2; i++) {
    side_open(&left, here, there);
    side_open(&right, there, here);
    for (uint32_t sent = 0; sent < bursts[i].frames; sent++)
      send_frame(&left, frame, bursts[i].bytes);
    await(&right, bursts[i].frames);
    shunt_wire_destroy(left.wire);
    shunt_wire_destroy(right.wire);
  }
}

static void bad_addresses_are_explained(void **state)
{
  (void)state;
  static const char *const addresses[] = {
      "",         "127.0.0.1", ":4000",   "127.0.0.1:", "127.0.0.1:70000", "localhost:4000",
      "::1:4000", "[::1:4000", "[]:4000", "1.2.3.4:x",  "256.0.0.1:1",     "[::g]:1",
      "a b:1"};
  struct shunt_wire *wire = NULL;
  struct shunt_wire_end *end = NULL;
  struct shunt_error error;
  assert_int_equal(shunt_wire_create(NULL, &wire, NULL), 0);
  for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
    error = (struct shunt_error){0};
    assert_int_equal(shunt_wire_udp(wire, addresses[i], "127.0.0.1:1", &end, &error), -EINVAL);
    assert_true(error.why[0] != '\0');
    assert_int_equal(shunt_wire_udp(wire, "127.0.0.1:0", addresses[i], &end, &error), -EINVAL);
  }
  assert_int_equal(shunt_wire_udp(wire, "127.0.0.1:0", "[::1]:1", &end, &error), -EINVAL);
  assert_non_null(strstr(error.why, "IPv6"));
  assert_int_equal(shunt_wire_udp(wire, "192.0.2.1:4000", "127.0.0.1:1", &end, &error),
                   -EADDRNOTAVAIL);
  assert_non_null(strstr(error.remedy, "no such address"));
  char here[64];
  snprintf(here, sizeof(here), "127.0.0.1:%u", free_port(AF_INET));
  assert_int_equal(shunt_wire_udp(wire, here, "127.0.0.1:1", &end, NULL), 0);
  assert_int_equal(shunt_wire_udp(wire, here, "127.0.0.1:1", &end, &error), -EADDRINUSE);
  shunt_wire_destroy(wire);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_cross_over_ipv4),
      cmocka_unit_test(frames_cross_over_ipv6),
      cmocka_unit_test(an_absent_peer_is_no_end),
      cmocka_unit_test(strangers_are_counted_and_dropped),
      cmocka_unit_test(a_receiver_that_stands_still_loses_nothing),
      cmocka_unit_test(bad_addresses_are_explained),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
