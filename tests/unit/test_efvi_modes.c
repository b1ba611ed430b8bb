/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi's further ways to receive, on a software 82599: merged events, packed streams, packets that
 * stay in the device's memory, the prefix with all that is in it, time stamps; and timers. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/time.h>

#include "efvi_rig.h"

/* The rig's domain and memory again, on a device of that name. */
static void remake_domain(struct rig *rig, const char *device, enum ef_pd_flags flags)
{
  char map[128];
  snprintf(map, sizeof(map), "eth0=%s", device);
  setenv("SHUNT_EFVI_DEVICE", map, 1);
  assert_int_equal(ef_memreg_free(&rig->memreg, rig->handle), 0);
  assert_int_equal(ef_pd_free(&rig->pd, rig->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&rig->pd, rig->handle, "eth0", flags), 0);
  assert_int_equal(ef_memreg_alloc(&rig->memreg, rig->handle, &rig->pd, rig->handle, rig->memory,
                                   (size_t)RIG_BUFS * RIG_BUF_BYTES),
                   0);
}

static void send_bad(struct rig *rig, uint32_t bytes)
{
  uint8_t frame[2048];
  rig_frame(rig, frame, bytes, 2000, 1);
  frame[24] ^= 1; /* the IPv4 header's checksum */
  rig_send(rig, frame, bytes);
}

/* --- Merged events -----------------------------------------------------------------------------
 */

/* Packets to a group and to the interface itself share no event, which says what its packets are.
 */
static void merged_groups(struct rig *rig)
{
  ef_filter_spec spec;
  uint8_t frame[100];
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_multicast_all(&spec), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0);
  for (unsigned i = 0; i < 6; i++) {
    rig_frame(rig, frame, sizeof(frame), 2000, (uint8_t)i);
    frame[0] = i / 2 == 1 ? 0x01 : frame[0];
    rig_send(rig, frame, sizeof(frame));
  }
  assert_int_equal(rig_poll(rig), 3);
  for (int i = 0; i < 3; i++) {
    ef_request_id ids[EF_VI_RECEIVE_BATCH];
    assert_int_equal(!!(rig->events[i].rx_multi.flags & EF_EVENT_FLAG_MULTICAST), i == 1);
    assert_int_equal(ef_vi_receive_unbundle(&rig->vi, &rig->events[i], ids), 2);
  }
}

static void merged(void **state)
{
  struct rig *rig = *state;
  ef_request_id ids[EF_VI_RECEIVE_BATCH];
  uint16_t bytes;
  unsigned flags;
  rig_open(rig, EF_VI_RX_EVENT_MERGE, 40);
  ef_vi *vi = &rig->vi;
  rig_filter_all(rig);
  assert_int_equal(ef_vi_receive_prefix_len(vi), EFVI_PREFIX_LONG);
  for (unsigned i = 0; i < 20; i++)
    rig_send_udp(rig, 100 + i, 2000, (uint8_t)i);
  send_bad(rig, 80);
  int n = rig_poll(rig);
  int got = 0, discards = 0;
  for (int e = 0; e < n; e++) {
    const ef_event *event = &rig->events[e];
    if (EF_EVENT_TYPE(*event) == EF_EVENT_TYPE_RX_MULTI_DISCARD) {
      assert_int_equal(EF_EVENT_RX_MULTI_DISCARD_TYPE(*event), EF_EVENT_RX_DISCARD_CSUM_BAD);
      discards++;
    } else
      assert_int_equal(EF_EVENT_TYPE(*event), EF_EVENT_TYPE_RX_MULTI);
    assert_true(EF_EVENT_RX_MULTI_SOP(*event) && !EF_EVENT_RX_MULTI_CONT(*event));
    const int level = ef_vi_receive_fill_level(vi);
    const int taken = ef_vi_receive_unbundle(vi, event, ids);
    assert_int_equal(ef_vi_receive_fill_level(vi), level - taken);
    assert_true(taken >= 1 && taken <= EF_VI_RECEIVE_BATCH);
    for (int i = 0; i < taken; i++, got++) {
      assert_int_equal(ids[i], got);
      assert_int_equal(ef_vi_receive_get_bytes(vi, rig_data(rig, (unsigned)got), &bytes), 0);
      assert_int_equal(bytes, got < 20 ? 100 + got : 80);
    }
  }
  assert_int_equal(got, 21);
  assert_int_equal(discards, 1);
  assert_true(n < 10); /* merged they are */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  assert_int_equal(ef_vi_receive_get_discard_flags(vi, rig_data(rig, 20), &flags), 0);
  assert_int_equal(flags, EF_VI_DISCARD_RX_L3_CSUM_ERR);
  assert_int_equal(ef_vi_receive_get_discard_flags(vi, rig_data(rig, 3), &flags), 0);
  assert_int_equal(flags, 0);
#pragma GCC diagnostic pop
  assert_int_equal(rig_count(rig, "rx_packets"), 21);
  merged_groups(rig);
  /* A packet of three buffers: an event each, its whole length in the first. */
  assert_int_equal(ef_vi_flush(vi, rig->handle), 0);
  ef_vi_receive_set_buffer_len(vi, 256);
  for (unsigned i = 100; i < 103; i++)
    assert_int_equal(ef_vi_receive_post(vi, rig_addr(rig, i), (ef_request_id)i), 0);
  rig_send_udp(rig, 600, 2000, 0x77);
  assert_int_equal(rig_poll(rig), 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(rig->events[i].rx_multi.n_descs, 1);
    assert_int_equal(!!EF_EVENT_RX_MULTI_SOP(rig->events[i]), i == 0);
    assert_int_equal(!!EF_EVENT_RX_MULTI_CONT(rig->events[i]), i < 2);
  }
  assert_int_equal(ef_vi_receive_get_bytes(vi, rig_data(rig, 100), &bytes), 0);
  assert_int_equal(bytes, 600);
}

/* --- Packed stream -----------------------------------------------------------------------------
 */

#define PACKED_BUFS  3u
#define PACKED_BYTES 65536u

/* What comes is in order, whole, and behind each other; a buffer that is full is followed by the
 * next, and with none left packets are lost and counted. */
static void packed(void **state)
{
  struct rig *rig = *state;
  ef_packed_stream_params params;
  ef_packed_stream_packet *at = NULL;
  remake_domain(rig, RIG_DEVICE, EF_PD_RX_PACKED_STREAM);
  rig_open(rig, EF_VI_RX_PACKED_STREAM | EF_VI_RX_PS_BUF_SIZE_64K, 0);
  ef_vi *vi = &rig->vi;
  rig_filter_all(rig);
  assert_int_equal(ef_vi_receive_prefix_len(vi), 0);
  assert_int_equal(ef_vi_packed_stream_get_params(vi, NULL), -EINVAL);
  assert_int_equal(ef_vi_packed_stream_get_params(vi, &params), 0);
  assert_int_equal(params.psp_buffer_size, PACKED_BYTES);
  assert_true(params.psp_start_offset >= 16 && params.psp_max_usable_buffers > 0);
  at = ef_packed_stream_packet_first(rig->memory, params.psp_start_offset);
  const ef_addr base = ef_memreg_dma_addr(&rig->memreg, 0);
  assert_int_equal(ef_vi_receive_post(vi, base + 64, 0), -EFAULT); /* not aligned */
  assert_int_equal(ef_vi_receive_post(vi, base + RIG_BUFS * RIG_BUF_BYTES - 4096, 0), -EFAULT);
  for (unsigned i = 0; i < PACKED_BUFS; i++)
    assert_int_equal(ef_vi_receive_post(vi, base + i * PACKED_BYTES, (ef_request_id)i), 0);

  unsigned buffer = 0, packets = 0, next = 0;
  uint64_t bytes = 0;
  for (unsigned sent = 0; sent < 300; sent++) {
    rig_send_udp(rig, 60 + sent * 4, 2000, (uint8_t)sent);
    const int n = rig_poll(rig);
    for (int e = 0; e < n; e++) {
      const ef_event *event = &rig->events[e];
      int count, total;
      assert_int_equal(EF_EVENT_TYPE(*event), EF_EVENT_TYPE_RX_PACKED_STREAM);
      if (EF_EVENT_RX_PS_NEXT_BUFFER(*event))
        at = ef_packed_stream_packet_first(rig->memory + buffer++ * PACKED_BYTES,
                                           params.psp_start_offset);
      ef_packed_stream_packet *packet = at;
      assert_int_equal(ef_vi_packed_stream_unbundle(vi, event, &at, &count, &total), 0);
      for (int i = 0; i < count; i++, next++) {
        const uint8_t *data = ef_packed_stream_packet_payload(packet);
        assert_int_equal(packet->ps_cap_len, 60 + next * 4);
        assert_int_equal(packet->ps_orig_len, packet->ps_cap_len);
        assert_int_equal(packet->ps_flags, EF_VI_PS_FLAG_CLOCK_SET);
        assert_memory_equal(data, rig->mac, 6);
        assert_int_equal(data[packet->ps_cap_len - 1], (uint8_t)next);
        assert_true(data + packet->ps_cap_len <= rig->memory + buffer * PACKED_BYTES);
        packet = ef_packed_stream_packet_next(packet);
      }
      assert_ptr_equal(packet, at);
      packets += (unsigned)count;
      bytes += (uint64_t)total;
    }
  }
  assert_int_equal(buffer, PACKED_BUFS);
  assert_int_equal(packets, rig_count(rig, "rx_packets"));
  assert_int_equal(bytes, rig_count(rig, "rx_bytes"));
  assert_true(packets > 200 && packets < 300);
  assert_int_equal(rig_count(rig, "rx_no_buffer"), 300 - packets);
  /* A buffer again: it goes on, with a bad packet said to be one. */
  assert_int_equal(ef_vi_receive_post(vi, base, 9), 0);
  send_bad(rig, 1400); /* more than is left of the last one */
  int count, total;
  assert_int_equal(rig_poll(rig), 1);
  assert_true(EF_EVENT_RX_PS_NEXT_BUFFER(rig->events[0]));
  ef_packed_stream_packet *packet = at =
      ef_packed_stream_packet_first(rig->memory, params.psp_start_offset);
  assert_int_equal(ef_vi_packed_stream_unbundle(vi, rig->events, &at, &count, &total), 0);
  assert_int_equal(count, 1);
  assert_int_equal(packet->ps_flags, EF_VI_PS_FLAG_BAD_L3_CSUM | EF_VI_PS_FLAG_CLOCK_SET);
  assert_int_equal(ef_vi_packed_stream_unbundle(vi, NULL, &at, &count, &total), -EINVAL);
  rig->events[0].rx.type = EF_EVENT_TYPE_RX;
  assert_int_equal(ef_vi_packed_stream_unbundle(vi, rig->events, &at, &count, &total), -EINVAL);
}

/* Packets of several of the device's buffers lie in one piece. */
static void packed_jumbo(void **state)
{
  struct rig *rig = *state;
  ef_packed_stream_params params;
  remake_domain(rig, RIG_DEVICE "&mtu=9000", EF_PD_DEFAULT);
  rig_open(rig, EF_VI_RX_PACKED_STREAM | EF_VI_RX_PS_BUF_SIZE_64K | EF_VI_RX_TIMESTAMPS, 0);
  ef_vi *vi = &rig->vi;
  rig_filter_all(rig);
  assert_int_equal(ef_vi_packed_stream_get_params(vi, &params), 0);
  assert_int_equal(ef_vi_receive_post(vi, ef_memreg_dma_addr(&rig->memreg, 0), 0), 0);
  rig_send_udp(rig, 9014, 2000, 0x5A);
  rig_send_udp(rig, 100, 2000, 0x5B);
  int n = rig_poll(rig), packets = 0;
  ef_packed_stream_packet *first =
      ef_packed_stream_packet_first(rig->memory, params.psp_start_offset);
  ef_packed_stream_packet *at = first;
  for (int e = 0; e < n; e++) {
    int count, total;
    assert_int_equal(!!EF_EVENT_RX_PS_NEXT_BUFFER(rig->events[e]), e == 0);
    assert_int_equal(ef_vi_packed_stream_unbundle(vi, &rig->events[e], &at, &count, &total), 0);
    packets += count;
  }
  assert_int_equal(packets, 2);
  assert_int_equal(first->ps_cap_len, 9014);
  assert_int_equal(((uint8_t *)ef_packed_stream_packet_payload(first))[9013], 0x5A);
  at = ef_packed_stream_packet_next(first);
  assert_int_equal(((uint8_t *)ef_packed_stream_packet_payload(at))[99], 0x5B);
}

/* --- The express path --------------------------------------------------------------------------
 */

static void express(void **state)
{
  struct rig *rig = *state;
  unsigned long value;
  ef_precisetime time;
  remake_domain(rig, "ixgbe:twin?wire=w&queues=1", EF_PD_EXPRESS); /* no larger rings for others */
  assert_int_equal(
      ef_pd_capabilities_get(rig->handle, &rig->pd, rig->handle, EF_VI_CAP_RX_REF, &value), 0);
  assert_int_equal(value, 1);
  assert_int_equal(
      ef_pd_capabilities_get(rig->handle, &rig->pd, rig->handle, EF_VI_CAP_TX_ALTERNATIVES, &value),
      -EOPNOTSUPP); /* which are told of by the other way of polling */
  rig_open(rig, EF_VI_RX_TIMESTAMPS, 0);
  ef_vi *vi = &rig->vi;
  rig_filter_all(rig);
  assert_int_equal(vi->nic_type.arch, EF_VI_ARCH_EF10CT);
  assert_int_equal(ef_vi_receive_prefix_len(vi), 0);
  assert_int_equal(ef_vi_receive_init(vi, rig_addr(rig, 0), 0), -EOPNOTSUPP);
  ef_vi_receive_push(vi);
  for (int i = 0; i < 2; i++) { /* the ring is full: programs fill it until it is */
    assert_int_equal(ef_vi_receive_fill_level(vi), ef_vi_receive_capacity(vi) + 1);
    assert_true(ef_vi_receive_space(vi) < 0);
    assert_int_equal(ef_vi_flush(vi, rig->handle), 0);
  }
  assert_int_equal(ef_vi_set_shrub_client_buffer_count(vi, 0), -EINVAL);
  assert_int_equal(ef_vi_set_shrub_client_buffer_count(vi, 1), -EINVAL);
  assert_int_equal(ef_vi_set_shrub_client_buffer_count(vi, 2), 0);
  assert_int_equal(ef_vi_set_shrub_client_buffer_count(vi, 512), 0);
  assert_int_equal(ef_vi_set_shrub_client_buffer_count(vi, 513), -EINVAL); /* the queue has fewer */
  assert_int_equal(ef_vi_set_shrub_client_buffer_count(vi, SIZE_MAX), -EINVAL);
  for (unsigned round = 0; round < 300; round++) { /* more than there are buffers */
    rig_send_udp(rig, 100 + round, 2000, (uint8_t)round);
    const uint8_t *coming = efct_vi_rx_future_peek(vi);
    assert_non_null(coming);
    assert_int_equal(coming[99 + round], (uint8_t)round);
    assert_int_equal(efct_vi_rx_future_poll(vi, rig->events, 4), 1);
    const ef_event *event = rig->events;
    assert_int_equal(EF_EVENT_TYPE(*event), EF_EVENT_TYPE_RX_REF);
    assert_int_equal(event->rx_ref.len, 100 + round);
    const uint32_t id = event->rx_ref.pkt_id;
    assert_ptr_equal(efct_vi_rxpkt_get(vi, id), coming); /* where the device put it */
    assert_int_equal(ef_vi_receive_get_precise_timestamp(vi, coming, &time), 0);
    assert_int_equal(ef_vi_receive_get_precise_timestamp(vi, rig->memory, &time), -EINVAL);
    efct_vi_rxpkt_release(vi, id);
    assert_null(efct_vi_rxpkt_get(vi, id)); /* not any more */
    efct_vi_rxpkt_release(vi, id);          /* and not twice */
    assert_int_equal(shunt_last_error()->code, -EINVAL);
  }
  assert_null(efct_vi_rxpkt_get(vi, 0));
  assert_null(efct_vi_rxpkt_get(vi, UINT32_MAX));
  send_bad(rig, 90);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_RX_REF_DISCARD);
  assert_int_equal(rig->events[0].rx_ref_discard.flags, EF_VI_DISCARD_RX_L3_CSUM_ERR);
  assert_non_null(efct_vi_rxpkt_get(vi, rig->events[0].rx_ref_discard.pkt_id));
  assert_int_equal(rig_count(rig, "rx_packets"), 301);
  /* It is kept, and taken back with the interface; another one has the queue whole. */
  assert_int_equal(ef_vi_free(vi, rig->handle), 0);
  rig_open(rig, EF_VI_RX_TIMESTAMPS, 0);
  rig_filter_all(rig);
  unsigned got = 0;
  for (unsigned i = 0; i < 700; i++) { /* and keeps all: those beyond are lost, none goes astray */
    rig_send_udp(rig, 100, 2000, (uint8_t)i);
    got += (unsigned)rig_poll(rig);
  }
  assert_true(got >= 500 && got <= 512);
}

static void express_too_long(void **state)
{
  struct rig *rig = *state;
  remake_domain(rig, RIG_DEVICE "&mtu=9000", EF_PD_EXPRESS);
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  rig_filter_all(rig);
  rig_send_udp(rig, 9014, 2000, 1);
  rig_send_udp(rig, 9014, 2000, 1);
  assert_null(efct_vi_rx_future_peek(&rig->vi));
  rig_send_udp(rig, 9014, 2000, 1);
  rig_send_udp(rig, 100, 2000, 2);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(rig->events[0].rx_ref.len, 100);
  assert_int_equal(rig_count(rig, "rx_truncated"), 3);
}

/* --- The prefix --------------------------------------------------------------------------------
 */

/* Which filter took a packet: one that takes what others leave comes last. */
static void filter_ids(void **state)
{
  struct rig *rig = *state;
  const ef_vi_layout_entry *layout;
  ef_filter_spec spec;
  ef_filter_cookie rest, exact;
  int entries;
  rig_open(rig, EF_VI_RX_FILTER_ID, 8);
  ef_vi *vi = &rig->vi;
  assert_int_equal(ef_vi_receive_query_layout(vi, &layout, &entries), 0);
  assert_int_equal(layout[entries - 1].evle_type, EF_VI_LAYOUT_FILTER_ID);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_unicast_mismatch(&spec), 0);
  assert_int_equal(ef_vi_filter_add(vi, rig->handle, &spec, &rest), 0);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0a000002), htons(2001)),
                   0);
  assert_int_equal(ef_vi_filter_add(vi, rig->handle, &spec, &exact), 0);
  assert_int_not_equal(rest.filter_id, exact.filter_id);
  rig_send_udp(rig, 100, 2000, 1);
  rig_send_udp(rig, 100, 2001, 1);
  assert_int_equal(rig_poll(rig), 2);
  assert_int_equal(ef_vi_receive_get_filter_id(vi, &rig->events[0], rig_data(rig, 0)),
                   rest.filter_id);
  assert_int_equal(ef_vi_receive_get_filter_id(vi, &rig->events[1], rig_data(rig, 1)),
                   exact.filter_id);
  assert_int_equal(ef_vi_receive_get_filter_id(vi, &rig->events[1], NULL), -EINVAL);
  assert_int_equal(rig_data(rig, 1)[EFVI_PREFIX_LONG + 99], 1);
}

/* The device's clock: the one that the 82599 stamps PTP's event messages by. */
static void time_stamps(void **state)
{
  struct rig *rig = *state;
  uint8_t frame[64] = {0};
  ef_filter_spec spec;
  ef_precisetime first, second;
  ef_vi late = {0};
  rig_open(rig, EF_VI_RX_TIMESTAMPS, 8);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_eth_type(&spec, htons(0x88F7)), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0);
  rig_frame(rig, frame, 60, 1, 1);
  shunt_store_be16(frame + 12, 0x88F7);
  frame[14] = 0; /* Sync */
  frame[15] = 2; /* IEEE 1588-2008 */
  rig_send(rig, frame, 60);
  rig_run(rig, 1000);
  assert_int_equal(rig_poll(rig), 1);
  rig_send(rig, frame, 60);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(ef_vi_receive_get_precise_timestamp(&rig->vi, rig_data(rig, 0), &first), 0);
  assert_int_equal(ef_vi_receive_get_precise_timestamp(&rig->vi, rig_data(rig, 1), &second), 0);
  const int64_t apart_ns = (second.tv_sec - first.tv_sec) * 1000000000 + (int64_t)second.tv_nsec -
                           (int64_t)first.tv_nsec;
  assert_true(apart_ns > 1000000 && apart_ns < 1200000);
  assert_int_equal(first.tv_flags, 0); /* nobody has set that clock */
  assert_int_equal(ef_vi_free(&rig->vi, rig->handle), 0);
  /* A port that was opened without stamps none for who comes later. */
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(ef_vi_alloc_from_pd(&late, rig->handle, &rig->pd, rig->handle, -1, 63, 63, NULL,
                                       -1, EF_VI_RX_TIMESTAMPS),
                   -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->remedy, "first"));
}

/* --- Timers -------------------------------------------------------------------------------------
 */

static bool readable(struct rig *rig, int ms)
{
  struct pollfd wait = {.fd = rig->handle, .events = POLLIN};
  return poll(&wait, 1, ms) == 1;
}

static void timers(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_ENABLE_EV_TIMER, 4);
  ef_vi *vi = &rig->vi;
  rig_filter_all(rig);
  assert_false(readable(rig, 0));
  ef_eventq_timer_run(vi, 100);
  assert_true(readable(rig, 10000));
  assert_int_equal(rig_poll(rig), 0); /* a poll forgets it */
  assert_false(readable(rig, 0));
  ef_eventq_timer_run(vi, 100);
  assert_true(readable(rig, 10000));
  ef_eventq_timer_clear(vi);
  assert_false(readable(rig, 0));

  ef_eventq_timer_prime(vi, 100); /* from the next event on */
  assert_int_equal(rig_poll(rig), 0);
  assert_false(readable(rig, 5));
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(rig_poll(rig), 1);
  assert_true(readable(rig, 10000));
  assert_int_equal(rig_poll(rig), 0);
  ef_eventq_timer_zero(vi);
  assert_false(readable(rig, 5));
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(rig_poll(rig), 1);
  assert_true(readable(rig, 10000));
  ef_eventq_timer_run(vi, 1000000000);
  ef_eventq_timer_prime(vi, 1000000000); /* stops what runs */
  assert_false(readable(rig, 0));
  ef_eventq_timer_run(vi, 100);
  assert_int_equal(ef_eventq_wait(vi, rig->handle, 0, NULL), 0); /* woken by the timer */
  assert_int_equal(ef_eventq_has_event(vi), 0);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(merged),           ON_RIG(packed),     ON_RIG(packed_jumbo), ON_RIG(express),
      ON_RIG(express_too_long), ON_RIG(filter_ids), ON_RIG(time_stamps),  ON_RIG(timers),
  };
  return cmocka_run_group_tests_name("efvi_modes", tests, NULL, NULL);
}
