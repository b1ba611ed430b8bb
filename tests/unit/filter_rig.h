/* SPDX-License-Identifier: BSD-2-Clause */
/* Live filters on a veth pair: what their tests share. */
#ifndef TESTS_UNIT_FILTER_RIG_H
#define TESTS_UNIT_FILTER_RIG_H

#include <errno.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "src/bpf/bpf.h"
#include "src/bpf/filter.h"
#include "tests/unit/xdp_packets.h"
#include "tests/unit/xdp_socket.h"

#define FRAME_BYTES 60u

static unsigned interface, peer; /* 0 where there is no veth pair */

static int set_up(void **state)
{
  struct shunt_error error;
  const struct bpf_map_spec map = {
      .type = BPF_MAP_TYPE_XSKMAP, .key_bytes = 4, .value_bytes = 4, .entries = 1};
  int fd;

  (void)state;
  if (bpf_map_new(&map, &fd, &error)) {
    print_message("no XDP here: %s: %s\n", error.what, error.why);
    return 0;
  }
  close(fd);
  if (!veth_pair()) {
    print_message("no network namespace with a veth pair here\n");
    return 0;
  }
  interface = if_nametoindex("shunta");
  peer = if_nametoindex("shuntb");
  return 0;
}

static inline void need_veth(void)
{
  if (!peer)
    skip();
}

static inline struct filter_options options_of(uint32_t mode)
{
  return (struct filter_options){
      .ifindex = (int)interface, .interface = "shunta", .queues = 4, .mode = mode};
}

static inline struct filter *open_rules(const struct filter_options *options, const char *text)
{
  struct shunt_xdp_rule rules[16];
  struct filter *filter = NULL;
  struct shunt_error error = {0};
  unsigned n;

  assert_int_equal(shunt_xdp_rules_parse(text, rules, 16, &n, &error), 0);
  if (filter_open(options, rules, n, &filter, &error))
    fail_msg("%s: %s", error.what, error.why);
  return filter;
}

/* The UDP packet of the hand-made ones, to a port and with a number in its payload. */
static inline void frame_make(uint8_t frame[FRAME_BYTES], uint16_t port, uint32_t number)
{
  memset(frame, 0, FRAME_BYTES);
  packet_read(MACS IPV4 UDP4(A_TO_B) PORTS_7_9, frame);
  frame[36] = (uint8_t)(port >> 8);
  frame[37] = (uint8_t)port;
  memcpy(frame + 42, &number, sizeof(number));
}

static inline void send_port(int sender, uint16_t port, uint32_t number)
{
  uint8_t frame[FRAME_BYTES];

  frame_make(frame, port, number);
  assert_int_equal(send(sender, frame, sizeof(frame), 0), FRAME_BYTES);
}

static inline uint64_t now_ns(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t hits(struct filter *filter, uint32_t id)
{
  uint64_t packets = 0, bytes = 0;
  struct shunt_error error = {0};

  assert_int_equal(filter_rule_hits(filter, id, &packets, &bytes, &error), 0);
  assert_int_equal(bytes, packets * FRAME_BYTES);
  return packets;
}

#define WAIT_NS UINT64_C(10000000000) /* for what the kernel does by itself, at most */

/* Wait until a rule has so many hits. */
static inline void wait_hits(struct filter *filter, uint32_t id, uint64_t wanted)
{
  for (uint64_t end = now_ns() + WAIT_NS; hits(filter, id) < wanted && now_ns() < end;)
    usleep(100);
  assert_int_equal(hits(filter, id), wanted);
}

#endif
