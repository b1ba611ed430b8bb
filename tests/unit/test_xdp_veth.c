/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_XDP ports on the kernel's own veth pairs: what only a real kernel can show. Takes root, and
 * makes a network namespace for this process; all is gone with it. */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/checksum.h"
#include "shunt/clock.h"
#include "shunt/xdp.h"
#include "src/bpf/filter.h"

#define BUFS 512u
/* For what the kernel does by itself, at most. Loops take the time before they look, so that one
 * that had to wait for a CPU still looks. */
#define WAIT_NS UINT64_C(10000000000)

static const char *missing; /* why nothing can be tested here */

/* a0 = a1, b0 = b1, and c0 = c1, which have 4 queues. */
static int make_interfaces(void **state)
{
  (void)state;
  if (geteuid() != 0)
    missing = "it takes root to make a network namespace";
  else if (unshare(CLONE_NEWNET))
    missing = "network namespaces can't be made here";
  else if (system("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; for i in a b; do "
                  "ip link add ${i}0 type veth peer name ${i}1 && ip link set ${i}0 up && "
                  "ip link set ${i}1 up || exit 1; done; "
                  "ip link add c0 numrxqueues 4 numtxqueues 4 type veth peer name c1 "
                  "numrxqueues 4 numtxqueues 4 && ip link set c0 up && ip link set c1 up"))
    missing = "ip can't make veth interfaces here";
  if (missing)
    print_message("%s\n", missing);
  return 0;
}

struct bench {
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_port *port[4];
  struct shunt_queue *q[4];
};

static void start(struct bench *bench, unsigned n, const char *const names[])
{
  const struct shunt_region_options wanted = {
      .size = sizeof(wanted), .bytes = 4 << 20, .numa_node = SHUNT_NUMA_ANY};
  struct shunt_error error = {0};
  if (missing)
    skip();
  memset(bench, 0, sizeof(*bench));
  assert_int_equal(shunt_region_create(&wanted, &bench->region, &error), 0);
  assert_int_equal(shunt_pool_create(bench->region, BUFS, &bench->pool, &error), 0);
  for (unsigned i = 0; i < n; i++) {
    const struct shunt_port_options options = {
        .size = sizeof(options), .region = bench->region, .rx_ring = 64, .tx_ring = 64};
    int result = shunt_port_open(names[i], &options, &bench->port[i], &error);
    if (result == -EOPNOTSUPP) {
      print_message("%s: %s\n", error.what, error.why);
      skip();
    }
    if (result)
      fail_msg("%s: %s", error.what, error.why);
    bench->q[i] = shunt_port_queue(bench->port[i], 0);
    shunt_rx_fill(bench->q[i], bench->pool);
  }
}

static void end(struct bench *bench)
{
  for (unsigned i = 0; i < 4; i++)
    shunt_port_close(bench->port[i]);
  shunt_pool_destroy(bench->pool);
  shunt_region_destroy(bench->region);
}

/* A UDP datagram with its sums to be filled in, behind headroom. */
static void build(struct bench *bench, uint16_t port, struct shunt_frame *frame)
{
  static const uint8_t head[34] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2,  0, 0, 0, 0,  1,
                                   8,    0,    0x45, 0,    0,    46,   0,  1, 0, 0, 64, 17,
                                   0,    0,    10,   0,    0,    1,    10, 0, 0, 2};
  shunt_buf buf;
  assert_int_equal(shunt_pool_take(bench->pool, &buf, 1), 1);
  *frame = (struct shunt_frame){.addr = buf + 64,
                                .len = 60,
                                .l2_bytes = 14,
                                .l3_bytes = 20,
                                .flags = SHUNT_FRAME_IP_SUM | SHUNT_FRAME_UDP_SUM};
  uint8_t *bytes = shunt_frame_data(bench->q[0], frame);
  memset(bytes, 0x5A, 60);
  memcpy(bytes, head, sizeof(head));
  bytes[34] = bytes[35] = 9;
  bytes[36] = (uint8_t)(port >> 8);
  bytes[37] = (uint8_t)port;
  bytes[38] = 0;
  bytes[39] = 26;
  uint32_t sum = shunt_checksum_pseudo(0x0A000001, 0x0A000002, 17, 26);
  uint16_t folded = (uint16_t)~shunt_checksum_finish(sum);
  bytes[40] = (uint8_t)(folded >> 8);
  bytes[41] = (uint8_t)folded;
}

static void send_one(struct bench *bench, unsigned from, const struct shunt_frame *frame)
{
  assert_int_equal(shunt_tx_post(bench->q[from], frame, 1), 1);
  shunt_tx_push(bench->q[from]);
}

static unsigned wait_frames(struct bench *bench, unsigned at, struct shunt_frame frames[],
                            unsigned n)
{
  unsigned got = 0;
  uint64_t now_ns = shunt_monotonic_ns();
  for (const uint64_t end_ns = now_ns + WAIT_NS; got < n && now_ns < end_ns;) {
    now_ns = shunt_monotonic_ns();
    unsigned more = shunt_rx_poll(bench->q[at], frames + got, n - got);
    got += more;
    if (!more)
      usleep(500);
  }
  return got;
}

/* Buffers of sent frames: least of n surely come back, the others soon if at all. */
static unsigned wait_sent(struct bench *bench, unsigned at, shunt_buf bufs[], unsigned n,
                          unsigned least)
{
  unsigned got = 0, quiet = 0;
  uint64_t now_ns = shunt_monotonic_ns();
  const uint64_t end_ns = now_ns + WAIT_NS;
  while (got < n && (got < least ? now_ns < end_ns : quiet < 200)) {
    now_ns = shunt_monotonic_ns();
    unsigned more = shunt_tx_poll(bench->q[at], bufs + got, n - got);
    got += more;
    quiet = more ? 0 : quiet + 1;
    if (!more)
      usleep(500);
  }
  return got;
}

static void sums_hold(const struct bench *bench, const struct shunt_frame *frame)
{
  const uint8_t *bytes = shunt_frame_data(bench->q[0], frame);
  uint32_t sum = shunt_checksum_pseudo(0x0A000001, 0x0A000002, 17, 26);
  assert_int_equal(shunt_checksum(bytes + 14, 20), 0);
  assert_int_equal(shunt_checksum_finish(shunt_checksum_add(sum, bytes + 34, 26)), 0);
}

/* Metadata of sent frames (Linux 6.11): the kernel fills in the sum, and says when. */
static void the_kernel_sums_and_stamps(void **state)
{
  (void)state;
  static const char *const modes[] = {"skb", "drv"};
  for (unsigned m = 0; m < 2; m++) {
    char name[2][64];
    const char *const names[] = {name[0], name[1]};
    struct bench bench;
    struct shunt_frame frame, got;
    shunt_buf back;
    snprintf(name[0], sizeof(name[0]), "xdp:a0?mode=%s&checksum=kernel&tx_time=1", modes[m]);
    snprintf(name[1], sizeof(name[1]), "xdp:a1?mode=%s", modes[m]);
    start(&bench, 2, names);
    const struct shunt_xdp_queue *inlined = shunt_xdp_queue_of(bench.q[0]);
    assert_non_null(inlined);
    build(&bench, 9, &frame);
    send_one(&bench, 0, &frame);
    assert_int_equal(wait_frames(&bench, 1, &got, 1), 1);
    sums_hold(&bench, &got);
    assert_int_equal(wait_sent(&bench, 0, &back, 1, 1), 1);
    assert_int_equal(back, frame.addr);
    assert_true(shunt_xdp_tx_time(inlined, back) != 0);
    end(&bench);
  }
}

/* In at one port and out at another, by reference: both know the region. */
static void frames_go_on_by_reference(void **state)
{
  (void)state;
  static const char *const names[] = {"xdp:a0", "xdp:a1", "xdp:b0", "xdp:b1"};
  struct bench bench;
  struct shunt_frame frame, got, out;
  shunt_buf back;
  start(&bench, 4, names);
  for (unsigned i = 0; i < 300; i++) { /* more than the rings hold */
    build(&bench, 9, &frame);
    send_one(&bench, 0, &frame);
    assert_int_equal(wait_frames(&bench, 1, &got, 1), 1);
    send_one(&bench, 2, &got);
    assert_int_equal(wait_frames(&bench, 3, &out, 1), 1);
    sums_hold(&bench, &out);
    assert_int_equal(wait_sent(&bench, 2, &back, 1, 1), 1);
    assert_int_equal(back, got.addr);
    assert_int_equal(shunt_rx_post(bench.q[1], &back, 1), 1);
    assert_int_equal(shunt_rx_post(bench.q[3], &out.addr, 1), 1);
    assert_int_equal(wait_sent(&bench, 0, &back, 1, 1), 1);
    shunt_pool_give(bench.pool, &back, 1);
  }
  end(&bench);
}

static uint64_t statistic(struct shunt_port *port, const char *name)
{
  struct shunt_statistic all[128];
  unsigned n = shunt_port_statistics(port, all, 128);
  for (unsigned i = 0; i < n && i < 128; i++)
    if (!strcmp(all[i].name, name))
      return all[i].value;
  return UINT64_MAX;
}

static void rules_change_while_traffic_flows(void **state)
{
  (void)state;
  static const char *const names[] = {"xdp:a0", "xdp:a1?rules=udp port 7"};
  struct bench bench;
  struct shunt_frame frame, got;
  struct shunt_xdp_rule rule;
  struct shunt_error error;
  uint64_t packets, bytes;
  uint32_t id;
  start(&bench, 2, names);
  build(&bench, 9, &frame);
  send_one(&bench, 0, &frame);
  build(&bench, 7, &frame);
  send_one(&bench, 0, &frame);
  assert_int_equal(wait_frames(&bench, 1, &got, 1), 1); /* port 7's alone */
  assert_int_equal(((uint8_t *)shunt_frame_data(bench.q[1], &got))[37], 7);
  assert_int_equal(shunt_xdp_rule_parse("udp port 9", &rule, &error), 0);
  assert_int_equal(shunt_xdp_rule_add(bench.port[1], &rule, &id, &error), 0);
  for (unsigned i = 0; i < 5; i++) {
    build(&bench, 9, &frame);
    send_one(&bench, 0, &frame);
    assert_int_equal(wait_frames(&bench, 1, &got, 1), 1);
  }
  assert_int_equal(shunt_xdp_rule_hits(bench.port[1], id, &packets, &bytes, &error), 0);
  assert_int_equal(packets, 5);
  assert_int_equal(bytes, 300);
  assert_int_equal(shunt_xdp_rule_hits(bench.port[1], 0, &packets, &bytes, &error), 0);
  assert_int_equal(packets, 1);
  assert_int_equal(statistic(bench.port[1], "rule_0_packets"), 1);
  assert_int_equal(statistic(bench.port[1], "rule_1_packets"), 5);
  assert_int_equal(statistic(bench.port[1], "rule_1_bytes"), 300);
  assert_int_equal(shunt_xdp_rule_remove(bench.port[1], id, &error), 0);
  assert_int_equal(shunt_xdp_rule_remove(bench.port[1], id, &error), -ENOENT);
  assert_int_equal(statistic(bench.port[1], "rule_1_packets"), UINT64_MAX);
  build(&bench, 9, &frame);
  send_one(&bench, 0, &frame);
  usleep(2000);
  assert_int_equal(shunt_rx_poll(bench.q[1], &got, 1), 0);
  end(&bench);
}

static void many_rules_come_and_go_at_once(void **state)
{
  (void)state;
  static const char *const names[] = {"xdp:a0", "xdp:a1?rules=udp port 7"};
  static struct shunt_xdp_rule rules[SHUNT_XDP_RULES_MOST];
  static uint32_t ids[SHUNT_XDP_RULES_MOST];
  const unsigned n = SHUNT_XDP_RULES_MOST - 1;
  struct bench bench;
  struct shunt_frame frame, got;
  struct shunt_xdp_rule rule;
  struct shunt_error error;
  uint32_t id;
  start(&bench, 2, names);
  for (unsigned i = 0; i <= n; i++) {
    assert_int_equal(shunt_xdp_rule_parse("udp port 9", &rules[i], &error), 0);
    rules[i].destination_ports.range[0].first += (uint16_t)i;
    rules[i].destination_ports.range[0].last += (uint16_t)i;
  }
  assert_int_equal(shunt_xdp_rules_add(bench.port[1], rules, n + 1, ids, &error), -E2BIG);
  assert_int_equal(shunt_xdp_rules_add(bench.port[1], rules, UINT32_MAX, ids, &error), -E2BIG);
  assert_int_equal(shunt_xdp_rule_at(bench.port[1], 1, &id, &rule, &error), -ENOENT);
  assert_int_equal(shunt_xdp_rules_add(bench.port[1], rules, n, ids, &error), 0);
  assert_int_equal(ids[n - 1], n);
  assert_int_equal(shunt_xdp_rule_at(bench.port[1], n, &id, &rule, &error), 0);
  assert_int_equal(id, n);
  assert_int_equal(rule.destination_ports.range[0].first, 9 + n - 1);
  build(&bench, 9, &frame);
  send_one(&bench, 0, &frame);
  assert_int_equal(wait_frames(&bench, 1, &got, 1), 1);

  const uint32_t wrong[] = {ids[0], ids[1], ids[0]};
  assert_int_equal(shunt_xdp_rules_remove(bench.port[1], wrong, 3, &error), -ENOENT);
  assert_int_equal(shunt_xdp_rules_remove(bench.port[1], ids, n - 1, &error), 0);
  assert_int_equal(shunt_xdp_rule_at(bench.port[1], 1, &id, &rule, &error), 0);
  assert_int_equal(id, n);
  assert_int_equal(shunt_xdp_rule_at(bench.port[1], 2, &id, &rule, &error), -ENOENT);
  struct shunt_statistic few[4];
  const unsigned all = shunt_port_statistics(bench.port[1], NULL, 0);
  assert_int_equal(shunt_port_statistics(bench.port[1], few, 4), all);
  assert_true(all < 128); /* two rules, no more */
  end(&bench);
}

/* The ring is full: the kernel says what it dropped; and what it was handed wrongly. */
static void what_is_dropped_is_counted(void **state)
{
  (void)state;
  static const char *const names[] = {"xdp:a0", "xdp:a1"};
  struct bench bench;
  struct shunt_frame frame, frames[64];
  shunt_buf back[64];
  start(&bench, 2, names);
  for (unsigned i = 0; i < 100; i++) {
    build(&bench, 9, &frame);
    send_one(&bench, 0, &frame);
    assert_int_equal(wait_sent(&bench, 0, back, 1, 1), 1);
    shunt_pool_give(bench.pool, back, 1);
  }
  assert_int_equal(wait_frames(&bench, 1, frames, 64), 64);
  assert_int_equal(statistic(bench.port[1], "rx_packets"), 64);
  assert_int_equal(statistic(bench.port[1], "rx_dropped"), 36);
  assert_true(statistic(bench.port[1], "rx_fill_ring_empty_descs") >= 36);
  /* A frame over its buffer's end: the kernel drops it, and its place on the ring comes back. */
  for (unsigned i = 0; i < 64; i++) {
    build(&bench, 9, &frames[i]);
    frames[i].flags = 0;
    frames[i].addr += i < 8 ? 1970 : 0;
  }
  assert_int_equal(shunt_tx_post(bench.q[0], frames, 64), 64);
  shunt_tx_push(bench.q[0]);
  /* Whether those come back depends on the kernel; the queue goes on either way. */
  assert_true(wait_sent(&bench, 0, back, 64, 56) >= 56);
  assert_true(statistic(bench.port[0], "tx_invalid_descs") > 0);
  for (unsigned round = 0; round < 5; round++) {
    assert_int_equal(shunt_tx_post(bench.q[0], frames + 8, 56), 56);
    shunt_tx_push(bench.q[0]);
    assert_true(wait_sent(&bench, 0, back, 56, 48) >= 48);
  }
  end(&bench);
}

/* A port opened without rules has none to take away, neither the filter's own that says "all". */
static void what_is_no_rule_stays(void **state)
{
  (void)state;
  static const char *const names[] = {"xdp:a0", "xdp:a1"};
  struct bench bench;
  struct shunt_frame frame, got;
  struct shunt_xdp_rule rule;
  struct shunt_error error;
  uint32_t id;
  start(&bench, 2, names);
  assert_int_equal(shunt_xdp_rule_remove(bench.port[1], 0, &error), -ENOENT);
  assert_non_null(strstr(error.what, "no rule 0"));
  assert_int_equal(shunt_xdp_rule_parse("udp port 9", &rule, &error), 0);
  assert_int_equal(shunt_xdp_rule_add(bench.port[1], &rule, &id, &error), 0);
  const uint32_t both[] = {id, 0};
  assert_int_equal(shunt_xdp_rules_remove(bench.port[1], both, 2, &error), -ENOENT);
  assert_int_equal(shunt_xdp_rule_remove(bench.port[1], UINT32_MAX, &error), -ENOENT);
  assert_int_equal(shunt_xdp_rule_remove(bench.port[1], id, &error), 0);
  build(&bench, 7, &frame);
  send_one(&bench, 0, &frame);
  assert_int_equal(wait_frames(&bench, 1, &got, 1), 1);
  end(&bench);
}

/* A stranger's map may have fewer entries than the interface has queues: what counts is where ours
 * are. */
static void a_map_of_few_queues_is_joined(void **state)
{
  (void)state;
  static const char *const names[] = {"xdp:c0?queue=0", "xdp:c1?queue=0&join=1&skb=prefer"};
  struct shunt_error error = {0};
  struct filter *stranger = NULL;
  struct shunt_port *port = NULL;
  struct shunt_frame frame, got;
  struct bench bench;
  if (missing)
    skip();
  const struct filter_options options = {.ifindex = (int)if_nametoindex("c1"),
                                         .interface = "c1",
                                         .queues = 2,
                                         .mode = XDP_FLAGS_SKB_MODE};
  if (filter_open(&options, NULL, 0, &stranger, &error))
    fail_msg("%s: %s", error.what, error.why);
  start(&bench, 2, names);
  assert_int_equal(shunt_port_open("xdp:c1?queue=2&join=1", NULL, &port, &error), -EBUSY);
  assert_non_null(strstr(error.why, "its XSKMAP has 2 entries"));
  build(&bench, 9, &frame);
  send_one(&bench, 0, &frame);
  assert_int_equal(wait_frames(&bench, 1, &got, 1), 1);
  end(&bench);
  filter_close(stranger);
}

/* Down: what is sent waits. Removed: said by the link, and nothing crashes. */
static void an_interface_goes(void **state)
{
  (void)state;
  static const char *const names[] = {"xdp:b0", "xdp:b1"};
  struct bench bench;
  struct shunt_frame frame, got;
  struct shunt_error error;
  struct shunt_link link = {.size = sizeof(link)};
  struct shunt_xdp_info info = {.size = sizeof(info)};
  start(&bench, 2, names);
  assert_int_equal(system("ip link set b0 down"), 0);
  assert_int_equal(shunt_port_link(bench.port[0], &link, &error), 0);
  assert_int_equal(link.up, 0);
  assert_non_null(strstr(link.diagnosis, "ip link set b0 up"));
  build(&bench, 9, &frame);
  send_one(&bench, 0, &frame);
  assert_true(statistic(bench.port[0], "tx_interface_down") > 0);
  assert_int_equal(statistic(bench.port[0], "tx_packets"), 0);
  assert_int_equal(system("ip link set b0 up"), 0);
  shunt_buf back;
  assert_int_equal(wait_sent(&bench, 0, &back, 1, 1), 1); /* asks again by itself */
  assert_int_equal(wait_frames(&bench, 1, &got, 1), 1);

  assert_int_equal(system("ip link del b0"), 0);
  build(&bench, 9, &frame);
  send_one(&bench, 0, &frame);
  assert_int_equal(shunt_port_link(bench.port[0], &link, &error), 0);
  assert_int_equal(link.up, 0);
  assert_non_null(strstr(link.diagnosis, "removed"));
  assert_int_equal(shunt_xdp_info(bench.port[0], &info, &error), 0);
  assert_int_equal(info.gone, 1);
  assert_int_equal(shunt_rx_poll(bench.q[1], &got, 1), 0);
  end(&bench);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_kernel_sums_and_stamps),
      cmocka_unit_test(frames_go_on_by_reference),
      cmocka_unit_test(rules_change_while_traffic_flows),
      cmocka_unit_test(many_rules_come_and_go_at_once),
      cmocka_unit_test(what_is_no_rule_stays),
      cmocka_unit_test(a_map_of_few_queues_is_joined),
      cmocka_unit_test(what_is_dropped_is_counted),
      cmocka_unit_test(an_interface_goes),
  };
  return cmocka_run_group_tests(tests, make_interfaces, NULL);
}
