/* SPDX-License-Identifier: BSD-2-Clause */
/* The 82599 driver on the twin: up, frames both ways, down, and up again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

/* One frame each way, through whichever queue RSS chooses. */
static void exchange(struct rig *rig)
{
  struct rig_flow flow = rig_flow_to_port(rig);
  unsigned before = rig->sent_by_port;
  struct shunt_queue *q = NULL;
  rig_send_flow(rig, &flow, 0x77);
  for (unsigned i = 0; i < rig_ixgbe(rig)->options.queues && !q; i++)
    q = rig_receive(rig, i) == 1 ? shunt_port_queue(rig->port, i) : NULL;
  if (!q) {
    fail_msg("the frame came out of no queue");
    return;
  }
  assert_int_equal(rig->frames[0].len, 64);
  assert_int_equal(((uint8_t *)shunt_frame_data(q, &rig->frames[0]))[63], 0x77);

  shunt_buf buf;
  assert_int_equal(shunt_pool_take(rig->pool, &buf, 1), 1);
  struct shunt_frame frame = {.addr = buf, .len = 100};
  memset(shunt_frame_data(q, &frame), 0x42, 100);
  assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
  shunt_tx_push(q);
  rig_run(rig, 20);
  assert_int_equal(rig->sent_by_port, before + 1);
  assert_int_equal(rig->last_bytes, 100);
  assert_int_equal(rig->last[99], 0x42);
  assert_int_equal(shunt_tx_poll(q, &buf, 1), 1);
  assert_int_equal(buf, frame.addr);
  shunt_pool_give(rig->pool, &buf, 1);
}

static void comes_up_and_moves_frames(void **state)
{
  struct rig *rig = *state;
  struct shunt_port_info info = {.size = sizeof(info)};
  rig_open(rig, "&mac=02:11:22:33:44:55");
  shunt_port_info(rig->port, &info);
  assert_string_equal(info.driver, "ixgbe");
  assert_string_equal(info.device, "Intel 82599 (10FB, SFP+)");
  assert_memory_equal(info.mac.bytes, "\x02\x11\x22\x33\x44\x55", 6);
  assert_int_equal(info.queues, 1);
  assert_int_equal(info.max_queues, 64);
  assert_int_equal(info.rx_buf_bytes, 2048);
  assert_true(info.model);
  assert_false(info.interrupts);
  exchange(rig);
  rig_assert_no_faults(rig);
}

static void every_device_id_works(void **state)
{
  static const char *const keys[] = {"&id=10fb", "&id=10f9", "&id=10fc"};
  static const char *const modes[] = {"&mode=shared", "&mode=trap"};
  struct rig *rig = *state;
  for (unsigned i = 0; i < 6; i++) {
    char text[64];
    snprintf(text, sizeof(text), "%s%s", keys[i / 2], modes[i % 2]);
    rig_open(rig, text);
    exchange(rig);
    rig_assert_no_faults(rig);
    rig_close(rig);
  }
}

static void opens_again_after_close(void **state)
{
  struct rig *rig = *state;
  for (unsigned i = 0; i < 10; i++) {
    rig->options.queues = (uint16_t)(1 + i % 4);
    rig_open(rig, i & 1 ? "&mode=trap" : "");
    exchange(rig);
    rig_assert_no_faults(rig);
    rig_close(rig);
  }
}

/* Memory is given back only when the device can't reach it any more: frames that keep coming until
 * the end find no ring, and none is written after close. */
static void closes_under_load_without_a_stray_access(void **state)
{
  struct rig *rig = *state;
  struct rig_flow flow;
  for (unsigned i = 0; i < 5; i++) {
    rig_open(rig, "");
    flow = rig_flow_to_port(rig);
    for (unsigned n = 0; n < 40; n++)
      rig_send_flow(rig, &flow, (uint8_t)n);
    struct ixgbe *ixgbe = rig_ixgbe(rig);
    ixgbe_quiesce(ixgbe); /* as close begins; what comes now must find nothing */
    for (unsigned n = 0; n < 40; n++)
      rig_send_flow(rig, &flow, (uint8_t)n);
    rig_run(rig, 100);
    rig_assert_no_faults(rig);
    rig_close(rig);
    rig_send_flow(rig, &flow, 1);
  }
}

static void close_lets_queued_frames_out(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  struct shunt_queue *q = shunt_port_queue(rig->port, 0);
  struct shunt_frame frames[100] = {0};
  for (unsigned i = 0; i < 100; i++) {
    assert_int_equal(shunt_pool_take(rig->pool, &frames[i].addr, 1), 1);
    frames[i].len = 60;
  }
  assert_int_equal(shunt_tx_post(q, frames, 100), 100);
  shunt_tx_push(q);
  rig_close(rig);
  assert_int_equal(rig->sent_by_port, 100);
}

static void many_queues_each_move_frames(void **state)
{
  struct rig *rig = *state;
  rig->options.queues = 16;
  rig->options.rx_ring = rig->options.tx_ring = 64;
  rig_open(rig, "");
  for (unsigned i = 0; i < 16; i++) {
    struct shunt_queue *q = shunt_port_queue(rig->port, i);
    struct shunt_frame frame = {.len = 64};
    assert_int_equal(shunt_pool_take(rig->pool, &frame.addr, 1), 1);
    memset(shunt_frame_data(q, &frame), (int)i, 64);
    assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
    shunt_tx_push(q);
    rig_run(rig, 10);
    assert_int_equal(rig->sent_by_port, i + 1);
    assert_int_equal(rig->last[20], i);
  }
  rig_assert_no_faults(rig);
}

/* Buffers that lie in different 2 MiB steps have different device addresses behind them. */
static void frames_land_in_every_part_of_the_region(void **state)
{
  struct rig *rig = *state;
  struct shunt_frame sent = {.len = 200};
  char name[] = "ixgbe:twin?wire=w";
  if (shunt_port_open(name, &rig->options, &rig->port, &rig->error))
    rig_fail(rig, name);
  rig_run(rig, 1000);
  struct shunt_queue *q = shunt_port_queue(rig->port, 0);
  struct rig_flow flow = rig_flow_to_port(rig);
  for (unsigned i = 0; i < 3; i++) {
    shunt_buf buf = i * SHUNT_REGION_ALIGN_BYTES + 4096;
    assert_int_equal(shunt_rx_post(q, &buf, 1), 1);
    rig_run(rig, 10);
    rig_send_flow(rig, &flow, (uint8_t)i);
    rig_run(rig, 10);
    struct shunt_frame frame;
    assert_int_equal(shunt_rx_poll(q, &frame, 1), 1);
    assert_int_equal(frame.addr, buf);
    assert_int_equal(((uint8_t *)shunt_frame_data(q, &frame))[63], i);
    sent.addr = buf + 100;
    memset(shunt_frame_data(q, &sent), (int)i + 1, sent.len);
    assert_int_equal(shunt_tx_post(q, &sent, 1), 1);
    shunt_tx_push(q);
    rig_run(rig, 10);
    assert_int_equal(rig->last[150], i + 1);
    assert_int_equal(shunt_tx_poll(q, &buf, 1), 1);
  }
  rig_assert_no_faults(rig);
}

/* ---- Long frames ---- */

static void jumbo_frames_come_in_pieces(void **state)
{
  struct rig *rig = *state;
  static const uint32_t lengths[] = {1514, 1519, 2048, 2049, 4096, 9000, 9724};
  rig->options.mtu = 9710;
  rig_open(rig, "");
  struct shunt_queue *q = shunt_port_queue(rig->port, 0);
  struct rig_flow flow = rig_flow_to_port(rig);
  for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    flow.bytes = lengths[i];
    rig_send_flow(rig, &flow, 0x99);
    unsigned n = rig_receive(rig, 0), total = 0;
    assert_int_equal(n, (lengths[i] + 2047) / 2048);
    for (unsigned k = 0; k < n; k++) {
      total += rig->frames[k].len;
      assert_int_equal((rig->frames[k].flags & SHUNT_FRAME_MORE) != 0, k < n - 1);
    }
    assert_int_equal(total, lengths[i]);
    const struct shunt_frame *last = &rig->frames[n - 1];
    assert_int_equal(((uint8_t *)shunt_frame_data(q, last))[last->len - 1], 0x99);
    rig_fill(rig);
  }
  flow.bytes = 9725; /* 9710 and the header, and one more */
  rig_send_flow(rig, &flow, 0);
  assert_int_equal(rig_receive(rig, 0), 0);
  rig_assert_no_faults(rig);
}

static void long_frames_are_dropped_without_jumbo(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  struct rig_flow flow = rig_flow_to_port(rig);
  flow.bytes = 1514;
  rig_send_flow(rig, &flow, 0);
  assert_int_equal(rig_receive(rig, 0), 1);
  flow.bytes = 1515;
  rig_send_flow(rig, &flow, 0);
  assert_int_equal(rig_receive(rig, 0), 0);
}

static void large_buffers_hold_a_jumbo_frame_whole(void **state)
{
  struct rig *rig = *state;
  struct shunt_region_options large = {.size = sizeof(large),
                                       .bytes = 4 << 20,
                                       .buf_bytes = 16384,
                                       .pages = SHUNT_PAGES_4K,
                                       .numa_node = SHUNT_NUMA_ANY};
  struct shunt_region *region = NULL;
  struct shunt_pool *pool = NULL, *small = rig->pool;
  assert_int_equal(shunt_region_create(&large, &region, &rig->error), 0);
  assert_int_equal(shunt_pool_create(region, 128, &pool, &rig->error), 0);
  rig->options.region = region;
  rig->options.mtu = 9000;
  rig->pool = pool;
  rig_open(rig, "");
  struct rig_flow flow = rig_flow_to_port(rig);
  flow.bytes = 9014;
  rig_send_flow(rig, &flow, 0);
  assert_int_equal(rig_receive(rig, 0), 1);
  assert_int_equal(rig->frames[0].len, 9014);
  assert_int_equal(rig->frames[0].flags & SHUNT_FRAME_MORE, 0);
  rig_close(rig);
  shunt_pool_destroy(rig->pool);
  shunt_region_destroy(region);
  rig->pool = small;
  rig->options.region = rig->region;
}

/* ---- Checksums ---- */

static void received_checksums_are_looked_at(void **state)
{
  struct rig *rig = *state;
  uint8_t frame[64];
  rig_open(rig, "");
  struct rig_flow flow = rig_flow_to_port(rig);
  uint32_t bytes = rig_frame(frame, &flow, 0);
  rig_send(rig, frame, bytes);
  frame[14 + 10] ^= 1; /* the IP header's checksum */
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_receive(rig, 0), 2);
  assert_true(rig->frames[0].flags & SHUNT_FRAME_IP_CHECKED);
  assert_false(rig->frames[0].flags & SHUNT_FRAME_IP_BAD);
  assert_true(rig->frames[1].flags & SHUNT_FRAME_IP_BAD);
}

/* ---- Names and options ---- */

static void a_wrong_name_is_refused_and_leaves_nothing(void **state)
{
  struct rig *rig = *state;
  static const char *const names[] = {"ixgbe:twin?wire=w&id=1234", "ixgbe:twin?wire=w&nonsense=1",
                                      "ixgbe:twin?wire=w&queues=65"};
  for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    assert_int_equal(shunt_port_open(names[i], &rig->options, &rig->port, &rig->error), -EINVAL);
    assert_null(rig->port);
    assert_true(rig->error.why[0] != '\0');
  }
  rig_open(rig, "");
  exchange(rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(comes_up_and_moves_frames),
      TEST(every_device_id_works),
      TEST(opens_again_after_close),
      TEST(closes_under_load_without_a_stray_access),
      TEST(close_lets_queued_frames_out),
      TEST(many_queues_each_move_frames),
      TEST(frames_land_in_every_part_of_the_region),
      TEST(jumbo_frames_come_in_pieces),
      TEST(long_frames_are_dropped_without_jumbo),
      TEST(large_buffers_hold_a_jumbo_frame_whole),
      TEST(received_checksums_are_looked_at),
      TEST(a_wrong_name_is_refused_and_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
