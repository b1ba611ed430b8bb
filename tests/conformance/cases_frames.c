/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames through the five verbs: lengths, order, rings, pieces. */
#include "conformance/cases.h"

static void every_size_arrives_as_sent(const struct device *device)
{
  struct pair pair;
  case_open(&pair, device, NULL, 0);
  for (uint32_t bytes = 60; bytes <= 1514; bytes++) {
    struct shunt_frame sent, got[2];
    pair_build(&pair, bytes & 1, bytes, (uint8_t)bytes, &sent);
    pair_send(&pair, bytes & 1, &sent, 1);
    assert_int_equal(pair_receive(&pair, !(bytes & 1), got, 1, 1), 1);
    assert_int_equal(got[0].len, bytes);
    assert_int_equal(got[0].flags & (SHUNT_FRAME_MORE | SHUNT_FRAME_DAMAGED), 0);
    assert_memory_equal(pair_data(&pair, &got[0]), pair_data(&pair, &sent), bytes);
    pair_give(&pair, got, 1);
    assert_int_equal(pair_reclaim(&pair, bytes & 1, 1), 1);
    shunt_rx_fill(pair.queue[!(bytes & 1)], pair.pool);
  }
  pair_destroy(&pair);
}

static void short_frames_are_padded(const struct device *device)
{
  struct pair pair;
  struct shunt_frame sent, got;
  case_open(&pair, device, NULL, 0);
  pair_build(&pair, 0, 20, 7, &sent);
  pair_send(&pair, 0, &sent, 1);
  assert_int_equal(pair_receive(&pair, 1, &got, 1, 1), 1);
  /* Between two virtual interfaces there is no wire that would want it. */
  assert_int_equal(got.len, device->kernel ? 20 : 60);
  assert_memory_equal(pair_data(&pair, &got), pair_data(&pair, &sent), 20);
  pair_destroy(&pair);
}

/* Bursts of every length up to what the ring holds: order kept, each buffer back exactly once. */
static void bursts_keep_order_and_buffers(const struct device *device)
{
  enum { RING = 64 };
  struct pair pair;
  const struct shunt_port_options options = {.rx_ring = RING, .tx_ring = RING};
  static struct shunt_frame sent[RING], got[RING];
  case_open(&pair, device, &options, 0);
  uint32_t at_rest = shunt_pool_free(pair.pool);
  for (unsigned burst = 1; burst < RING; burst++) {
    for (unsigned i = 0; i < burst; i++)
      pair_build(&pair, 0, 60 + i, (uint8_t)i, &sent[i]);
    pair_send(&pair, 0, sent, burst);
    assert_int_equal(pair_receive(&pair, 1, got, RING, burst), burst);
    for (unsigned i = 0; i < burst; i++)
      assert_int_equal(got[i].len, 60 + i);
    pair_give(&pair, got, burst);
    assert_int_equal(pair_reclaim(&pair, 0, burst), burst);
    assert_int_equal(shunt_rx_fill(pair.queue[1], pair.pool), burst);
    assert_int_equal(shunt_pool_free(pair.pool), at_rest);
  }
  assert_int_equal(shunt_pool_refused(pair.pool), 0);
  pair_destroy(&pair);
}

static void full_rings_take_no_more(const struct device *device)
{
  enum { RING = 512 }; /* what ef_vi gives at least */
  struct pair pair;
  const struct shunt_port_options options = {.rx_ring = RING, .tx_ring = RING};
  static struct shunt_frame frames[RING + 8];
  shunt_buf buf;
  case_open(&pair, device, &options, 0);
  assert_int_equal(shunt_pool_take(pair.pool, &buf, 1), 1);
  assert_int_equal(shunt_rx_post(pair.queue[0], &buf, 1), 0);
  shunt_pool_give(pair.pool, &buf, 1);

  for (unsigned i = 0; i < RING + 8; i++)
    pair_build(&pair, 0, 60, (uint8_t)i, &frames[i]);
  unsigned taken = shunt_tx_post(pair.queue[0], frames, RING + 8);
  assert_in_range(taken, RING - 1, RING); /* the 82599 keeps a slot free */
  assert_int_equal(shunt_tx_post(pair.queue[0], frames + taken, 1), 0);
  shunt_tx_push(pair.queue[0]);
  assert_int_equal(pair_reclaim(&pair, 0, taken), taken);
  assert_int_equal(shunt_tx_post(pair.queue[0], frames + taken, 1), 1);
  pair_destroy(&pair);
}

static void nothing_posted_is_nothing_received(const struct device *device)
{
  struct pair pair;
  struct shunt_frame frame;
  shunt_buf buf;
  case_open(&pair, device, NULL, 0);
  assert_int_equal(shunt_rx_poll(pair.queue[0], &frame, 1), 0);
  assert_int_equal(shunt_tx_poll(pair.queue[0], &buf, 1), 0);
  assert_int_equal(shunt_rx_post(pair.queue[0], &buf, 0), 0);
  assert_int_equal(shunt_tx_post(pair.queue[0], &frame, 0), 0);
  shunt_tx_push(pair.queue[0]);
  pair_settle(&pair);
  assert_int_equal(shunt_tx_poll(pair.queue[0], &buf, 1), 0);
  pair_destroy(&pair);
}

/* The tail of what an interval leaves unreported comes back with the next push behind it. */
static void reports_follow_their_interval(const struct device *device)
{
  struct pair pair;
  const struct shunt_port_options options = {.tx_report_interval = 8};
  struct shunt_frame frame;
  unsigned back = 0;
  case_open(&pair, device, &options, 0);
  for (unsigned i = 1; i <= 24; i++) {
    pair_build(&pair, 0, 60, 0, &frame);
    pair_send(&pair, 0, &frame, 1);
    back += pair_reclaim(&pair, 0, device->kernel ? 1 : 0);
    assert_int_equal(back, device->kernel ? i : i - i % 8); /* the kernel reports each */
  }
  pair_destroy(&pair);
}

static void jumbo_frames_come_in_pieces(const struct device *device)
{
  struct pair pair;
  const struct shunt_port_options options = {.mtu = 9000};
  struct shunt_frame sent[8], got[8];
  struct shunt_port_info info = {.size = sizeof(info)};
  case_open(&pair, device, &options, 2048);
  shunt_port_info(pair.port[1], &info);
  for (uint32_t bytes = 2040; bytes <= 9014; bytes += 581) {
    unsigned pieces = 0;
    for (uint32_t left = bytes; left; pieces++) {
      uint32_t len = left < 1500 ? left : 1500;
      pair_build(&pair, 0, len, (uint8_t)pieces, &sent[pieces]);
      left -= len;
      sent[pieces].flags = left ? SHUNT_FRAME_MORE : 0;
    }
    pair_send(&pair, 0, sent, pieces);
    const unsigned wanted = (bytes + info.rx_buf_bytes - 1) / info.rx_buf_bytes;
    const unsigned n = pair_receive(&pair, 1, got, 8, wanted);
    uint32_t at = 0;
    assert_int_equal(n, wanted);
    for (unsigned i = 0; i < n; i++) {
      assert_int_equal(got[i].flags & SHUNT_FRAME_MORE, i + 1 < n ? SHUNT_FRAME_MORE : 0);
      for (uint32_t k = 0; k < got[i].len; k++, at++)
        assert_int_equal(pair_data(&pair, &got[i])[k],
                         pair_data(&pair, &sent[at / 1500])[at % 1500]);
    }
    assert_int_equal(at, bytes);
    pair_give(&pair, got, n);
    assert_int_equal(pair_reclaim(&pair, 0, pieces), pieces);
    shunt_rx_fill(pair.queue[1], pair.pool);
  }
  pair_destroy(&pair);
}

static void whole_frames_only(const struct device *device)
{
  struct pair pair;
  const struct shunt_port_options options = {.mtu = 9000};
  struct shunt_frame sent[3], got[3];
  case_open(&pair, device, &options, 2048);
  for (unsigned i = 0; i < 3; i++)
    pair_build(&pair, 0, 500, (uint8_t)i, &sent[i]);
  sent[1].flags = sent[2].flags = SHUNT_FRAME_MORE; /* the second frame has no end */
  assert_int_equal(shunt_tx_post(pair.queue[0], sent, 3), 1);
  shunt_tx_push(pair.queue[0]);
  assert_int_equal(pair_receive(&pair, 1, got, 3, 1), 1);
  pair_destroy(&pair);
}

const struct conformance_case frames_cases[] = {
    CASE(every_size_arrives_as_sent),
    CASE(short_frames_are_padded),
    CASE(bursts_keep_order_and_buffers),
    CASE(full_rings_take_no_more),
    CASE(nothing_posted_is_nothing_received),
    CASE(reports_follow_their_interval),
    CASE(jumbo_frames_come_in_pieces),
    CASE(whole_frames_only),
    {0},
};
