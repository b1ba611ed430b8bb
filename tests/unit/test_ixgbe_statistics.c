/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters equal what the test sent and the wire delivered, and add up beyond the chip's width.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

static void send_from_port(struct rig *rig, unsigned queue, uint32_t bytes)
{
  struct shunt_queue *q = shunt_port_queue(rig->port, queue);
  struct shunt_frame frame = {.len = (uint16_t)bytes};
  assert_int_equal(shunt_pool_take(rig->pool, &frame.addr, 1), 1);
  memset(shunt_frame_data(q, &frame), 2, bytes);
  assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
  shunt_tx_push(q);
  rig_run(rig, 10);
  assert_int_equal(shunt_tx_poll(q, &frame.addr, 1), 1);
  shunt_pool_give(rig->pool, &frame.addr, 1);
}

static void equal_the_wires_own(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  struct rig_flow flow = rig_flow_to_port(rig);
  uint64_t bytes = 0;
  for (unsigned i = 0; i < 50; i++) {
    flow.bytes = 60 + i * 29;
    bytes += flow.bytes;
    rig_send_flow(rig, &flow, 0);
    assert_int_equal(rig_receive(rig, 0), 1);
    rig_fill(rig);
    send_from_port(rig, 0, 60 + i * 17);
  }
  struct shunt_wire_statistics wire = {.size = sizeof(wire)};
  shunt_wire_statistics(rig->peer, &wire);
  assert_int_equal(rig_statistic(rig, "rx_packets"), 50);
  assert_int_equal(rig_statistic(rig, "rx_packets"), wire.sent);
  assert_int_equal(rig_statistic(rig, "rx_bytes"), bytes);
  assert_int_equal(rig_statistic(rig, "rx_bytes"), wire.sent_bytes);
  assert_int_equal(rig_statistic(rig, "tx_packets"), wire.delivered);
  assert_int_equal(rig_statistic(rig, "tx_bytes"), wire.delivered_bytes);
  assert_int_equal(rig_statistic(rig, "rx_q0_packets"), 50);
  assert_int_equal(rig_statistic(rig, "rx_q0_bytes"), bytes);
  assert_int_equal(rig_statistic(rig, "tx_q0_packets"), 50);
  assert_int_equal(rig_statistic(rig, "tx_q0_bytes"), wire.delivered_bytes);
  assert_int_equal(rig_statistic(rig, "rx_crc_errors"), 0);
  assert_int_equal(rig_statistic(rig, "rx_missed"), 0);
  rig_assert_no_faults(rig);
}

static void sizes_and_kinds_are_told_apart(void **state)
{
  struct rig *rig = *state;
  static const struct {
    uint32_t bytes; /* without the FCS, which counts here */
    const char *name;
  } sizes[] = {{60, "rx_size_64"},
               {61, "rx_size_65_to_127"},
               {123, "rx_size_65_to_127"},
               {124, "rx_size_128_to_255"},
               {400, "rx_size_256_to_511"},
               {1000, "rx_size_512_to_1023"},
               {1020, "rx_size_1024_to_max"},
               {1514, "rx_size_1024_to_max"}};
  rig_open(rig, "");
  struct rig_flow flow = rig_flow_to_port(rig);
  for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    uint64_t before = rig_statistic(rig, sizes[i].name);
    flow.bytes = sizes[i].bytes;
    rig_send_flow(rig, &flow, 0);
    assert_int_equal(rig_statistic(rig, sizes[i].name), before + 1);
  }
  memset(&flow.to, 0xFF, 6);
  rig_send_flow(rig, &flow, 0);
  assert_int_equal(rig_statistic(rig, "rx_broadcast"), 1);
  assert_int_equal(rig_statistic(rig, "rx_multicast"), 0);
  send_from_port(rig, 0, 60);
  assert_int_equal(rig_statistic(rig, "tx_size_64"), 1);
}

static void each_queue_has_its_own(void **state)
{
  struct rig *rig = *state;
  rig->options.queues = 16;
  rig->options.rx_ring = rig->options.tx_ring = 64;
  rig_open(rig, "");
  for (unsigned i = 0; i < 16; i++)
    for (unsigned n = 0; n <= i; n++)
      send_from_port(rig, i, 100);
  for (unsigned i = 0; i < 16; i++) {
    char name[32];
    snprintf(name, sizeof(name), "tx_q%u_packets", i);
    assert_int_equal(rig_statistic(rig, name), i + 1);
  }
}

/* Sixteen sets for up to 64 queues: the last one is shared, and says so. */
static void queues_above_share_the_last_set(void **state)
{
  struct rig *rig = *state;
  rig->options.queues = 20;
  rig->options.rx_ring = rig->options.tx_ring = 64;
  rig_open(rig, "");
  send_from_port(rig, 14, 60);
  send_from_port(rig, 15, 60);
  send_from_port(rig, 19, 60);
  assert_int_equal(rig_statistic(rig, "tx_q14_packets"), 1);
  assert_int_equal(rig_statistic(rig, "tx_q15_and_above_packets"), 2);
  assert_int_equal(rig_statistic(rig, "tx_packets"), 3);
}

static void what_finds_no_descriptor_is_counted(void **state)
{
  struct rig *rig = *state;
  rig->options.queues = 2; /* so frames without a descriptor are dropped at once */
  rig->options.rx_ring = 64;
  rig_open(rig, "");
  struct shunt_rss rss = {.size = sizeof(rss)};
  assert_int_equal(shunt_port_rss_get(rig->port, &rss, &rig->error), 0);
  memset(rss.table, 1, sizeof(rss.table));
  assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), 0);
  struct rig_flow flow = rig_flow_to_port(rig);
  for (unsigned i = 0; i < 100; i++)
    rig_send_flow(rig, &flow, 0);
  rig_run(rig, 10);
  unsigned got = rig_receive(rig, 1);
  assert_true(got > 0 && got < 100);
  assert_int_equal(rig_statistic(rig, "rx_q1_dropped"), 100 - got);
  assert_int_equal(rig_statistic(rig, "rx_dropped"), 100 - got);
  assert_int_equal(rig_statistic(rig, "rx_packets"), got);
}

/* The chip's counters clear on read: what was read must not be lost, nor come twice, and the 36-bit
 * pairs must be put together. */
static void accumulate_beyond_the_chips_width(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  struct twin_ixgbe *twin = rig_twin(rig);
  rig_statistic(rig, "rx_packets");
  uint64_t frames = 0;
  for (unsigned i = 1; i <= 3; i++) {
    twin->queue_statistics[0].rx_frames = 0xFFFFFFF0u;
    twin->queue_statistics[0].rx_bytes = UINT64_C(0xF12345678);
    frames += 0xFFFFFFF0u;
    assert_int_equal(rig_statistic(rig, "rx_packets"), frames);
    assert_int_equal(rig_statistic(rig, "rx_bytes"), i * UINT64_C(0xF12345678));
  }
  assert_int_equal(rig_statistic(rig, "rx_packets"), frames);
}

static void begin_at_zero_each_time(void **state)
{
  struct rig *rig = *state;
  for (unsigned i = 0; i < 2; i++) {
    rig_open(rig, "");
    assert_int_equal(rig_statistic(rig, "tx_packets"), 0);
    send_from_port(rig, 0, 60);
    assert_int_equal(rig_statistic(rig, "tx_packets"), 1);
    rig_close(rig);
  }
}

static void the_list_is_complete_and_names_are_single(void **state)
{
  struct rig *rig = *state;
  static struct shunt_statistic all[512];
  rig->options.queues = 16;
  rig->options.rx_ring = rig->options.tx_ring = 64;
  rig_open(rig, "");
  unsigned n = shunt_port_statistics(rig->port, NULL, 0);
  assert_true(n > 100 && n < 512);
  assert_int_equal(shunt_port_statistics(rig->port, all, n), n);
  for (unsigned i = 0; i < n; i++) {
    assert_true(all[i].name[0] != '\0' && strlen(all[i].name) < sizeof(all[i].name) - 1);
    for (unsigned k = 0; k < i; k++)
      assert_string_not_equal(all[i].name, all[k].name);
  }
  struct shunt_statistic few[3];
  assert_int_equal(shunt_port_statistics(rig->port, few, 3), n);
  assert_string_equal(few[2].name, all[2].name);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(equal_the_wires_own),
      TEST(sizes_and_kinds_are_told_apart),
      TEST(each_queue_has_its_own),
      TEST(queues_above_share_the_last_set),
      TEST(what_finds_no_descriptor_is_counted),
      TEST(accumulate_beyond_the_chips_width),
      TEST(begin_at_zero_each_time),
      TEST(the_list_is_complete_and_names_are_single),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
