/* SPDX-License-Identifier: BSD-2-Clause */
/* The five verbs on AF_XDP rings, with the kernel's side played by the test. */
#include "shunt/checksum.h"
#include "unit/xdp_rig.h"

static struct shunt_port *port;
static struct shunt_queue *q;
static struct rig_ring *receive, *sending, *filling, *done;

static void open_port(const struct shunt_port_options *options, const char *keys)
{
  struct shunt_error error = {0};
  rig_reset();
  if (rig_open_with(options, keys, &port, &error))
    fail_msg("%s: %s", error.what, error.why);
  q = port->ops->queue(port, 0);
  q->inner = q->verbs;
  receive = &rig.rings[0][0];
  sending = &rig.rings[0][1];
  filling = &rig.rings[0][2];
  done = &rig.rings[0][3];
}

static struct xdp_counts *counts(void)
{
  return &xdp_queue_of((struct shunt_xdp_queue *)q)->counts;
}

static const struct xdp_desc *sent(uint32_t index)
{
  return (const struct xdp_desc *)sending->entries + index % RIG_RING;
}

/* A frame comes into the next buffer that was posted. */
static bool arrive(uint32_t bytes, uint32_t options)
{
  if (filling->consumer == filling->producer)
    return false;
  struct xdp_desc *desc = (struct xdp_desc *)receive->entries + receive->producer % RIG_RING;
  *desc = (struct xdp_desc){
      .addr = (filling->entries[filling->consumer++ % RIG_RING] & ~UINT64_C(2047)) + 256,
      .len = bytes,
      .options = options};
  receive->producer++;
  return true;
}

static shunt_buf buf_of(unsigned i)
{
  return (shunt_buf)i * 2048;
}

static uint8_t *data(const struct shunt_frame *frame)
{
  return q->base + frame->addr;
}

/* Bursts of every length, at every place of the rings. */
static void buffers_go_round_in_order(void **state)
{
  (void)state;
  shunt_buf bufs[RIG_RING];
  struct shunt_frame frames[RIG_RING];
  open_port(NULL, "");
  unsigned next = 0;
  for (unsigned burst = 1; burst <= RIG_RING; burst++) {
    for (unsigned i = 0; i < burst; i++)
      bufs[i] = buf_of((next + i) % 256) + i; /* any byte names a buffer */
    assert_int_equal(shunt_rx_post(q, bufs, burst), burst);
    assert_int_equal(filling->producer, next + burst);
    for (unsigned i = 0; i < burst; i++)
      assert_true(arrive(60 + i, 0));
    unsigned got = 0;
    while (got < burst) {
      unsigned n = shunt_rx_poll(q, frames + got, RIG_RING - got);
      assert_true(n > 0);
      got += n;
    }
    assert_int_equal(got, burst);
    for (unsigned i = 0; i < burst; i++) {
      assert_int_equal(frames[i].addr, buf_of((next + i) % 256) + 256);
      assert_int_equal(frames[i].len, 60 + i);
      assert_int_equal(frames[i].flags, 0);
      assert_int_equal(frames[i].vlan, 0);
    }
    assert_int_equal(shunt_rx_poll(q, frames, 1), 0);
    next += burst;
    assert_int_equal(receive->consumer, next);
  }
  rig_end(port);
}

static void what_is_sent_comes_back_in_order(void **state)
{
  (void)state;
  struct shunt_frame frames[RIG_RING];
  shunt_buf bufs[RIG_RING];
  open_port(NULL, "");
  uint32_t next = 0;
  for (unsigned burst = 1; burst <= RIG_RING; burst++) {
    for (unsigned i = 0; i < burst; i++)
      frames[i] = (struct shunt_frame){.addr = buf_of(i) + 64 + i,
                                       .len = (uint16_t)(60 + i),
                                       .vlan = 0xBEEF, /* of no meaning without its flag */
                                       .flags = SHUNT_FRAME_L4_CHECKED};
    assert_int_equal(shunt_tx_post(q, frames, burst), burst);
    assert_int_equal(sending->producer, next);
    sending->flags = XDP_RING_NEED_WAKEUP;
    shunt_tx_push(q);
    assert_int_equal(sending->producer, next + burst);
    for (unsigned i = 0; i < burst; i++) {
      assert_int_equal(sent(next + i)->addr, frames[i].addr);
      assert_int_equal(sent(next + i)->len, 60 + i);
      assert_int_equal(sent(next + i)->options, 0);
    }
    unsigned back = 0;
    while (back < burst)
      back += shunt_tx_poll(q, bufs + back, 7);
    for (unsigned i = 0; i < burst; i++)
      assert_int_equal(bufs[i], frames[i].addr);
    next += burst;
  }
  assert_int_equal(counts()->tx_wakes, RIG_RING);
  rig_end(port);
}

static void full_rings_take_no_more(void **state)
{
  (void)state;
  shunt_buf bufs[RIG_RING + 8];
  struct shunt_frame frames[RIG_RING + 8], frame;
  open_port(NULL, "");
  for (unsigned i = 0; i < RIG_RING + 8; i++) {
    bufs[i] = buf_of(i);
    frames[i] = (struct shunt_frame){.addr = buf_of(i), .len = 60};
  }
  assert_int_equal(shunt_rx_post(q, bufs, RIG_RING + 8), RIG_RING);
  assert_int_equal(shunt_rx_post(q, bufs, 1), 0);
  /* A buffer counts until it is polled, wherever it is. */
  assert_true(arrive(60, 0));
  assert_int_equal(shunt_rx_post(q, bufs, 1), 0);
  assert_int_equal(shunt_rx_poll(q, &frame, 1), 1);
  assert_int_equal(shunt_rx_post(q, bufs, 2), 1);

  assert_int_equal(shunt_tx_post(q, frames, RIG_RING + 8), RIG_RING);
  assert_int_equal(shunt_tx_post(q, frames, 1), 0);
  shunt_tx_push(q);
  rig_take(0, 1);
  assert_int_equal(shunt_tx_post(q, frames, 1), 0); /* sent, but not taken back */
  assert_int_equal(shunt_tx_poll(q, bufs, 8), 1);
  assert_int_equal(shunt_tx_post(q, frames, 2), 1);
  rig_end(port);
}

/* A buffer that the kernel refuses to send is lost, its place on the ring is not. */
static void invalid_descriptors_give_their_room_back(void **state)
{
  (void)state;
  struct shunt_frame frames[RIG_RING];
  shunt_buf bufs[RIG_RING];
  open_port(NULL, "");
  for (unsigned i = 0; i < RIG_RING; i++)
    frames[i] = (struct shunt_frame){.addr = buf_of(i), .len = 60};
  assert_int_equal(shunt_tx_post(q, frames, RIG_RING), RIG_RING);
  shunt_tx_push(q);
  sending->consumer += 3; /* found invalid: taken, and never completed */
  rig.statistics.tx_invalid_descs = 3;
  rig_take(0, UINT32_MAX);
  assert_int_equal(shunt_tx_poll(q, bufs, RIG_RING), RIG_RING - 3);
  unsigned posted = shunt_tx_post(q, frames, RIG_RING - 3);
  assert_int_equal(posted, RIG_RING - 3);
  shunt_tx_push(q);
  rig_take(0, UINT32_MAX);
  assert_int_equal(shunt_tx_post(q, frames, 8), 3);
  rig_end(port);
}

static void the_kernel_is_woken_where_it_asks(void **state)
{
  (void)state;
  shunt_buf buf = buf_of(1);
  struct shunt_frame frame = {.addr = buf_of(2), .len = 60}, got;
  open_port(NULL, "");
  shunt_rx_post(q, &buf, 1);
  shunt_rx_poll(q, &got, 1);
  assert_int_equal(rig.receives, 0);
  filling->flags = XDP_RING_NEED_WAKEUP;
  shunt_rx_post(q, &buf, 1);
  assert_int_equal(rig.receives, 1);
  shunt_rx_poll(q, &got, 1);
  assert_int_equal(rig.receives, 2);
  shunt_tx_push(q); /* nothing to push */
  shunt_tx_post(q, &frame, 1);
  shunt_tx_push(q);
  assert_int_equal(rig.sends, 0);
  assert_int_equal(sending->producer, 1);
  sending->flags = XDP_RING_NEED_WAKEUP;
  shunt_tx_post(q, &frame, 1);
  shunt_tx_push(q);
  shunt_tx_push(q);
  assert_int_equal(rig.sends, 1);
  rig_end(port);

  /* Without need-wakeup a push always is a call. */
  open_port(NULL, "wakeup=0");
  assert_false(rig.bound[0].sxdp_flags & XDP_USE_NEED_WAKEUP);
  shunt_tx_post(q, &frame, 1);
  shunt_tx_push(q);
  assert_int_equal(rig.sends, 1);
  rig_end(port);
}

static void answers(const int codes[], unsigned n, unsigned takes)
{
  open_port(NULL, "zero_copy=never");
  sending->flags = XDP_RING_NEED_WAKEUP;
  memcpy(rig.send_codes, codes, n * sizeof(codes[0]));
  rig.send_codes_count = n;
  rig.send_takes = takes;
  for (unsigned i = 0; i < 40; i++) {
    struct shunt_frame frame = {.addr = buf_of(i), .len = 60};
    assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
  }
  shunt_tx_push(q);
}

static void each_answer_of_sendto_is_met(void **state)
{
  (void)state;
  shunt_buf bufs[64];
  /* The budget: again until all are gone. */
  answers((const int[]){EAGAIN, EAGAIN}, 2, 16);
  assert_int_equal(sending->consumer, 40);
  assert_int_equal(rig.sends, 3);
  assert_int_equal(counts()->tx_again, 2);
  rig_end(port);
  /* No room in the socket's buffer: no use to ask again now; tx_poll does later. */
  answers((const int[]){EAGAIN, EAGAIN, EAGAIN}, 0, 16);
  rig_end(port);
  answers((const int[]){ENOBUFS, ENOBUFS}, 2, 0);
  assert_int_equal(counts()->tx_no_memory, 2); /* one more try, which took nothing */
  assert_int_equal(sending->consumer, 0);
  assert_int_equal(shunt_tx_poll(q, bufs, 64), 0);
  assert_int_equal(shunt_tx_poll(q, bufs, 64), 40);
  rig_end(port);
  answers((const int[]){EBUSY}, 1, 10);
  assert_int_equal(counts()->tx_busy, 1);
  rig_end(port);
  answers((const int[]){ENETDOWN}, 1, 0);
  assert_int_equal(counts()->tx_down, 1);
  assert_int_equal(rig.sends, 1);
  rig_end(port);
  answers((const int[]){ENXIO}, 1, 0);
  assert_int_equal(counts()->tx_gone, 1);
  rig_end(port);
  answers((const int[]){EPERM}, 1, 0);
  assert_int_equal(counts()->tx_wake_other, 1);
  rig_end(port);
}

static void pieces_make_frames(void **state)
{
  (void)state;
  struct shunt_frame frames[32] = {{0}};
  shunt_buf bufs[3] = {buf_of(0), buf_of(1), buf_of(2)};
  open_port(NULL, "multi_buffer=1");
  assert_true(rig.attach_fragments);
  assert_true(rig.bound[0].sxdp_flags & XDP_USE_SG);
  shunt_rx_post(q, bufs, 3);
  arrive(1792, XDP_PKT_CONTD);
  arrive(500, 0);
  arrive(60, 0);
  assert_int_equal(shunt_rx_poll(q, frames, 32), 3);
  assert_int_equal(frames[0].flags, SHUNT_FRAME_MORE);
  assert_int_equal(frames[1].flags | frames[2].flags, 0);
  assert_int_equal(counts()->rx_extra_pieces, 1);

  assert_int_equal(shunt_tx_post(q, frames, 3), 3); /* as they came */
  assert_int_equal(sent(0)->options, XDP_PKT_CONTD);
  assert_int_equal(sent(1)->options | sent(2)->options, 0);
  /* Whole frames only: the last has no end. */
  frames[2].flags = SHUNT_FRAME_MORE;
  assert_int_equal(shunt_tx_post(q, frames, 3), 2);
  for (unsigned i = 0; i < 32; i++)
    frames[i] = (struct shunt_frame){.addr = buf_of(i), .len = 100, .flags = SHUNT_FRAME_MORE};
  frames[18].flags = 0; /* 19 pieces */
  assert_int_equal(shunt_tx_post(q, frames, 19), 0);
  assert_int_equal(shunt_tx_post(q, frames + 1, 18), 18);
  assert_int_equal(counts()->tx_refused, 2);
  rig_end(port);

  open_port(NULL, "");
  frames[0] = (struct shunt_frame){.addr = 0, .len = 60, .flags = SHUNT_FRAME_MORE};
  frames[1] = (struct shunt_frame){.addr = 2048, .len = 60};
  assert_int_equal(shunt_tx_post(q, frames, 2), 0); /* the port has no several buffers */
  rig_end(port);
}

/* IPv4 and UDP, the UDP sum as the pseudo header's. */
static void build_udp(struct shunt_frame *frame, unsigned payload)
{
  const uint32_t udp_bytes = 8 + payload;
  uint8_t *bytes = data(frame);
  memset(bytes, 0, 42);
  bytes[12] = 8;
  bytes[14] = 0x45;
  bytes[17] = (uint8_t)(20 + udp_bytes);
  bytes[23] = 17;
  bytes[26] = bytes[30] = 10;
  bytes[39] = (uint8_t)udp_bytes;
  for (unsigned i = 0; i < payload; i++)
    bytes[42 + i] = (uint8_t)(i * 7);
  uint32_t sum = shunt_checksum_pseudo(0x0A000000, 0x0A000000, 17, udp_bytes);
  uint16_t folded = (uint16_t)~shunt_checksum_finish(sum);
  bytes[40] = (uint8_t)(folded >> 8);
  bytes[41] = (uint8_t)folded;
  frame->len = (uint16_t)(42 + payload);
  frame->l2_bytes = 14;
  frame->l3_bytes = 20;
  frame->flags = SHUNT_FRAME_IP_SUM | SHUNT_FRAME_UDP_SUM;
}

static void sums_are_filled_in(void **state)
{
  (void)state;
  open_port(NULL, "");
  for (unsigned payload = 0; payload < 40; payload++) {
    struct shunt_frame frame = {.addr = buf_of(payload) + 256};
    build_udp(&frame, payload);
    assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
    uint32_t sum = shunt_checksum_pseudo(0x0A000000, 0x0A000000, 17, 8 + payload);
    assert_int_equal(shunt_checksum(data(&frame) + 14, 20), 0);
    assert_int_equal(shunt_checksum_finish(shunt_checksum_add(sum, data(&frame) + 34, 8 + payload)),
                     0);
  }
  assert_int_equal(counts()->tx_sums, 80);
  struct shunt_frame cut = {.addr = buf_of(50)};
  build_udp(&cut, 0);
  cut.len = 41; /* no room for the sum itself */
  assert_int_equal(shunt_tx_post(q, &cut, 1), 0);
  cut.l3_bytes = 16;
  assert_int_equal(shunt_tx_post(q, &cut, 1), 0);
  assert_int_equal(counts()->tx_refused, 2);
  rig_end(port);
}

/* Pieces that end at odd bytes are summed as one frame. */
static void sums_go_over_pieces(void **state)
{
  (void)state;
  open_port(NULL, "multi_buffer=1");
  struct shunt_frame whole = {.addr = buf_of(0)}, pieces[3];
  build_udp(&whole, 37);
  for (unsigned first = 42; first < 50; first++) {
    build_udp(&whole, 37);
    const unsigned lengths[3] = {first, 11, 79 - 11 - first};
    for (unsigned i = 0, at = 0; i < 3; at += lengths[i++]) {
      pieces[i] = whole;
      pieces[i].addr = buf_of(1 + i) + 64;
      pieces[i].len = (uint16_t)lengths[i];
      pieces[i].flags = (i ? 0 : whole.flags) | (i < 2 ? SHUNT_FRAME_MORE : 0);
      memcpy(data(&pieces[i]), data(&whole) + at, lengths[i]);
    }
    assert_int_equal(shunt_tx_post(q, pieces, 3), 3);
    assert_int_equal(shunt_tx_post(q, &whole, 1), 1);
    assert_memory_equal(data(&pieces[0]), data(&whole), 42);
    shunt_buf bufs[4];
    shunt_tx_push(q);
    rig_take(0, 4);
    assert_int_equal(shunt_tx_poll(q, bufs, 4), 4);
  }
  rig_end(port);
}

static void tags_are_put_on(void **state)
{
  (void)state;
  struct shunt_frame frame = {.addr = buf_of(3) + 256};
  open_port(NULL, "");
  build_udp(&frame, 10);
  frame.flags |= SHUNT_FRAME_VLAN;
  frame.vlan = 0x2123;
  assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
  assert_int_equal(sent(0)->addr, frame.addr);
  assert_int_equal(sent(0)->len, 56);
  static const uint8_t tag[6] = {0x81, 0, 0x21, 0x23, 8, 0};
  assert_memory_equal(data(&frame) + 12, tag, 6);
  assert_int_equal(shunt_checksum(data(&frame) + 18, 20), 0);
  /* No room behind it: not taken, and left as it was. */
  struct shunt_frame long_frame = {.addr = buf_of(5) + 256, .len = 1790};
  long_frame.flags = SHUNT_FRAME_VLAN;
  memset(data(&long_frame), 0x5A, 1790);
  assert_int_equal(shunt_tx_post(q, &long_frame, 1), 0);
  assert_int_equal(data(&long_frame)[12], 0x5A);
  rig_end(port);
}

/* Metadata in front of a frame asks the kernel, and brings the time back. */
static void metadata_asks_the_kernel(void **state)
{
  (void)state;
  shunt_buf buf;
  struct xdp_tx_metadata metadata;
  struct shunt_frame frame = {.addr = buf_of(3) + 256};
  open_port(NULL, "checksum=kernel&tx_time=1");
  assert_int_equal(rig.memory.flags, XDP_UMEM_TX_METADATA_LEN | XDP_UMEM_TX_SW_CSUM);
  assert_int_equal(rig.memory.tx_metadata_len, sizeof(metadata));
  struct shunt_xdp_queue *inlined = shunt_xdp_queue_of(q);
  assert_non_null(inlined);
  build_udp(&frame, 10);
  assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
  assert_int_equal(sent(0)->options, XDP_TX_METADATA);
  memcpy(&metadata, data(&frame) - sizeof(metadata), sizeof(metadata));
  assert_int_equal(metadata.flags, XDP_TX_META_CHECKSUM | XDP_TX_META_TIMESTAMP);
  assert_int_equal(metadata.request.checksum_start, 34);
  assert_int_equal(metadata.request.checksum_offset, 6);
  metadata.completion.tx_time_ns = UINT64_C(12345678901);
  memcpy(data(&frame) - sizeof(metadata), &metadata, sizeof(metadata));
  shunt_tx_push(q);
  rig_take(0, 1);
  assert_int_equal(shunt_tx_poll(q, &buf, 1), 1);
  assert_int_equal(shunt_xdp_tx_time(inlined, buf), UINT64_C(12345678901));
  /* Inline, by ones and by more, each gets its metadata, with flags or without. */
  struct shunt_frame plain[2] = {{.addr = buf_of(4) + 256, .len = 60},
                                 {.addr = buf_of(5) + 256, .len = 60}};
  assert_int_equal(shunt_xdp_tx_post(inlined, &plain[0], 1), 1);
  assert_int_equal(shunt_xdp_tx_post(inlined, plain, 2), 2);
  for (unsigned i = 1; i < 4; i++)
    assert_int_equal(sent(i)->options, XDP_TX_METADATA);
  frame.addr = buf_of(6) + 16; /* too near its buffer's start */
  assert_int_equal(shunt_tx_post(q, &frame, 1), 0);
  assert_int_equal(shunt_xdp_tx_post(inlined, &frame, 1), 0);
  assert_int_equal(counts()->tx_refused, 2);
  rig_end(port);
}

static void received_frames_are_stamped(void **state)
{
  (void)state;
  const struct shunt_port_options options = {.rx_metadata = 1, .rx_time = 1};
  shunt_buf bufs[2] = {buf_of(0), buf_of(1)};
  struct shunt_frame frames[2];
  const uint64_t stamp = 99, none = 0;
  open_port(&options, "");
  assert_int_equal(rig.attach_time, FILTER_TIME_DEVICE);
  shunt_rx_post(q, bufs, 2);
  arrive(60, 0);
  arrive(60, 0);
  memcpy(q->base + 256 - 8, &stamp, 8);
  memcpy(q->base + 2048 + 256 - 8, &none, 8);
  memset(frames, 0xFF, sizeof(frames));
  assert_int_equal(shunt_rx_poll(q, frames, 2), 2);
  assert_int_equal(frames[0].flags, SHUNT_FRAME_TIME);
  assert_int_equal(frames[0].time_ns, 99);
  assert_int_equal(frames[1].flags, 0); /* the device had no stamp for it */
  assert_int_equal(frames[1].hash, 0);
  rig_end(port);

  rig_reset();
  struct shunt_error error;
  assert_int_equal(rig_open_with(&options, "join=1", &port, &error), 0); /* another's program */
  q = port->ops->queue(port, 0);
  assert_int_equal(rig.attach_time, FILTER_TIME_NONE);
  shunt_rx_post(q, bufs, 2);
  receive = &rig.rings[0][0];
  filling = &rig.rings[0][2];
  arrive(60, 0);
  assert_int_equal(shunt_rx_poll(q, frames, 2), 1);
  assert_int_equal(frames[0].flags, SHUNT_FRAME_TIME);
  assert_true(xdp_time_now_ns() - frames[0].time_ns < UINT64_C(10000000000));
  rig_end(port);
}

/* The kernel tells of a driver whether it knows a receive time (Linux 6.7): where it doesn't, the
 * program's own is asked for at once. */
static void drivers_without_a_clock_are_not_asked(void **state)
{
  (void)state;
  const struct shunt_port_options options = {.rx_metadata = 1, .rx_time = 1};
  struct shunt_error error;
  rig_reset();
  rig_state.xdp_rx_metadata_known = true;
  assert_int_equal(rig_open_with(&options, "", &port, &error), 0);
  assert_int_equal(rig.attach_time, FILTER_TIME_SOFTWARE);
  rig_end(port);

  rig_reset();
  rig_state.xdp_rx_metadata_known = true;
  rig_state.xdp_rx_metadata = INTERFACE_XDP_RX_TIME;
  assert_int_equal(rig_open_with(&options, "", &port, &error), 0);
  assert_int_equal(rig.attach_time, FILTER_TIME_DEVICE);
  rig_end(port);

  rig_reset();
  rig_state.xdp_rx_metadata_known = true;
  rig_state.xdp_rx_metadata = INTERFACE_XDP_RX_TIME;
  rig_state.peer = 8; /* a veth: no clock behind it */
  assert_int_equal(rig_open_with(&options, "", &port, &error), 0);
  assert_int_equal(rig.attach_time, FILTER_TIME_SOFTWARE);
  rig_end(port);
}

static uint64_t statistic(const char *name)
{
  struct shunt_statistic all[128];
  unsigned n = port->ops->statistics(port, NULL, 0);
  assert_true(n <= 128);
  assert_int_equal(port->ops->statistics(port, all, n), n);
  for (unsigned i = 0; i < n; i++)
    if (!strcmp(all[i].name, name))
      return all[i].value;
  fail_msg("no statistic %s", name);
  return 0;
}

static void statistics_are_the_kernels_and_ours(void **state)
{
  (void)state;
  shunt_buf buf = buf_of(0);
  struct shunt_frame frame;
  open_port(NULL, "");
  rig.statistics = (struct xdp_statistics){1, 2, 0, 4, 5, 6};
  shunt_rx_post(q, &buf, 1);
  arrive(60, 0);
  shunt_rx_poll(q, &frame, 1);
  shunt_tx_post(q, &frame, 1);
  assert_int_equal(statistic("tx_packets"), 0); /* posted, not taken */
  shunt_tx_push(q);
  rig_take(0, 1);
  assert_int_equal(statistic("rx_packets"), 1);
  assert_int_equal(statistic("rx_q0_packets"), 1);
  assert_int_equal(statistic("tx_packets"), 1);
  assert_int_equal(statistic("rx_dropped"), 1);
  assert_int_equal(statistic("rx_invalid_descs"), 2);
  assert_int_equal(statistic("rx_ring_full"), 4);
  assert_int_equal(statistic("rx_q0_fill_ring_empty_descs"), 5);
  assert_int_equal(statistic("tx_ring_empty_descs"), 6);
  rig_end(port);
}

static void what_the_driver_dropped_was_not_sent(void **state)
{
  (void)state;
  answers((const int[]){EBUSY, EBUSY}, 2, 20);
  assert_int_equal(sending->consumer, 40);
  assert_int_equal(statistic("tx_dropped_by_driver"), 2);
  assert_int_equal(statistic("tx_packets"), 38);
  sending->consumer = 1; /* dropped, and not yet told to be taken */
  assert_int_equal(statistic("tx_packets"), 0);
  rig_end(port);
}

static void what_the_nic_missed_counts_from_the_opening_on(void **state)
{
  (void)state;
  struct shunt_error error;
  rig_reset();
  rig_state.rx_missed = rig.missed = 1000;
  assert_int_equal(rig_open_with(NULL, "", &port, &error), 0);
  assert_int_equal(statistic("rx_missed"), 0);
  rig.missed = 1017;
  assert_int_equal(statistic("rx_missed"), 17);
  rig.missed = 5; /* the driver began anew */
  assert_int_equal(statistic("rx_missed"), 0);
  rig.missed_code = -ENODEV;
  assert_int_equal(statistic("rx_missed"), 0);
  rig_end(port);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(buffers_go_round_in_order),
      cmocka_unit_test(what_is_sent_comes_back_in_order),
      cmocka_unit_test(full_rings_take_no_more),
      cmocka_unit_test(invalid_descriptors_give_their_room_back),
      cmocka_unit_test(the_kernel_is_woken_where_it_asks),
      cmocka_unit_test(each_answer_of_sendto_is_met),
      cmocka_unit_test(pieces_make_frames),
      cmocka_unit_test(sums_are_filled_in),
      cmocka_unit_test(sums_go_over_pieces),
      cmocka_unit_test(tags_are_put_on),
      cmocka_unit_test(metadata_asks_the_kernel),
      cmocka_unit_test(received_frames_are_stamped),
      cmocka_unit_test(drivers_without_a_clock_are_not_asked),
      cmocka_unit_test(statistics_are_the_kernels_and_ours),
      cmocka_unit_test(what_the_driver_dropped_was_not_sent),
      cmocka_unit_test(what_the_nic_missed_counts_from_the_opening_on),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  shunt_region_destroy(rig_region);
  return failed;
}
