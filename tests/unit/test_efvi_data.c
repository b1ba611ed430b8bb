/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi's fast path on a software 82599: receive, transmit, events, filters, statistics, checksums;
 * full rings, memory that was never registered, frames longer than a buffer. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/time.h>

#include "efvi_rig.h"

static void receive(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(rig_poll(rig), 0); /* no filter, no frame */
  assert_int_equal(rig_count(rig, "rx_unfiltered"), 1);
  rig_filter_all(rig);
  assert_int_equal(ef_vi_receive_fill_level(&rig->vi), 8);
  for (unsigned i = 0; i < 8; i++) {
    assert_int_equal(ef_vi_rxq_next_desc_id(&rig->vi), i);
    rig_send_udp(rig, 100 + i, 2000, (uint8_t)(0x40 + i));
    assert_int_equal(ef_eventq_has_event(&rig->vi), 1);
    assert_int_equal(ef_eventq_has_many_events(&rig->vi, 1), 0);
    const unsigned before = ef_eventq_current(&rig->vi);
    assert_int_equal(rig_poll(rig), 1);
    assert_int_equal(ef_eventq_current(&rig->vi), before + 1);
    const ef_event *event = rig->events;
    assert_int_equal(EF_EVENT_TYPE(*event), EF_EVENT_TYPE_RX);
    assert_int_equal(EF_EVENT_RX_RQ_ID(*event), i);
    assert_int_equal(EF_EVENT_RX_BYTES(*event), 100 + i);
    assert_true(EF_EVENT_RX_SOP(*event) && !EF_EVENT_RX_CONT(*event));
    assert_int_equal(rig_data(rig, i)[99 + i], 0x40 + i);
    assert_int_equal(rig_data(rig, i)[100 + i], 0xEE); /* and not a byte more */
    assert_int_equal(rig_data(rig, i)[-1], 0xEE);
  }
  assert_int_equal(ef_vi_receive_fill_level(&rig->vi), 0);
  assert_int_equal(rig_count(rig, "rx_packets"), 8);
  rig_send_udp(rig, 100, 2000, 9);
  assert_int_equal(rig_poll(rig), 0); /* no buffer */
  assert_int_equal(ef_vi_receive_post(&rig->vi, rig_addr(rig, 0), 70), 0);
  rig_run(rig, 50);
  assert_int_equal(ef_eventq_poll(&rig->vi, rig->events, 1), -EINVAL);
  assert_int_equal(ef_eventq_poll(&rig->vi, NULL, 16), -EINVAL);
}

static void receive_refuses(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, RIG_RING);
  assert_int_equal(ef_vi_receive_space(&rig->vi), 0);
  assert_int_equal(ef_vi_receive_init(&rig->vi, rig_addr(rig, RIG_RING), RIG_RING), -EAGAIN);
  assert_int_equal(ef_vi_flush(&rig->vi, rig->handle), 0);
  assert_int_equal(ef_vi_receive_space(&rig->vi), RIG_RING);
  assert_int_equal(ef_vi_receive_init(&rig->vi, 0, 0), -EFAULT);
  assert_int_equal(ef_vi_receive_init(&rig->vi, EF_INVALID_ADDR, 0), -EFAULT);
  assert_int_equal(ef_vi_receive_init(&rig->vi, rig_addr(rig, RIG_BUFS - 1) + 1000, 0), -EFAULT);
  assert_non_null(strstr(shunt_last_error()->what, "registered"));
  ef_vi_receive_set_buffer_len(&rig->vi, 10);
  assert_int_equal(ef_vi_receive_init(&rig->vi, rig_addr(rig, 0), 0), -EINVAL);
}

/* A frame goes into as many buffers as it needs; where there are too few, an event says so. */
static void receive_pieces(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  rig_filter_all(rig);
  ef_vi_receive_set_buffer_len(&rig->vi, 256);
  for (int i = 0; i < 5; i++)
    assert_int_equal(ef_vi_receive_post(&rig->vi, rig_addr(rig, (unsigned)i), i), 0);
  rig_send_udp(rig, 600, 2000, 0x77);
  rig_send_udp(rig, 600, 2000, 0x78);
  rig_send_udp(rig, 600, 2000, 0x79);
  assert_int_equal(rig_poll(rig), 6);
  const uint16_t bytes[] = {256, 512, 600, 256, 512};
  for (int i = 0; i < 5; i++) {
    assert_int_equal(EF_EVENT_TYPE(rig->events[i]), EF_EVENT_TYPE_RX);
    assert_int_equal(EF_EVENT_RX_BYTES(rig->events[i]), bytes[i]);
    assert_int_equal(!!EF_EVENT_RX_SOP(rig->events[i]), i % 3 == 0);
    assert_int_equal(!!EF_EVENT_RX_CONT(rig->events[i]), i % 3 != 2);
  }
  assert_int_equal(rig_data(rig, 2)[600 - 512 - 1], 0x77);
  assert_int_equal(EF_EVENT_TYPE(rig->events[5]), EF_EVENT_TYPE_RX_NO_DESC_TRUNC);
  assert_int_equal(rig_count(rig, "rx_truncated"), 1);
  assert_int_equal(rig_count(rig, "rx_no_buffer"), 1);
}

static void timestamps(void **state)
{
  struct rig *rig = *state;
  const ef_vi_layout_entry *layout;
  int entries;
  uint16_t bytes;
  ef_precisetime time;
  rig_open(rig, EF_VI_RX_TIMESTAMPS, 2);
  rig_filter_all(rig);
  assert_int_equal(ef_vi_receive_prefix_len(&rig->vi), EFVI_PREFIX_BYTES);
  assert_int_equal(ef_vi_receive_query_layout(&rig->vi, &layout, &entries), 0);
  assert_int_equal(layout[0].evle_type, EF_VI_LAYOUT_FRAME);
  assert_int_equal(layout[0].evle_offset, EFVI_PREFIX_BYTES);
  rig_send_udp(rig, 100, 2000, 5);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_RX_BYTES(rig->events[0]), 100 + EFVI_PREFIX_BYTES);
  assert_int_equal(rig_data(rig, 0)[EFVI_PREFIX_BYTES + 99], 5);
  assert_int_equal(ef_vi_receive_get_bytes(&rig->vi, rig_data(rig, 0), &bytes), 0);
  assert_int_equal(bytes, 100);
  /* An 82599 stamps nothing but PTP's own messages: so it is when the packet was polled, by UTC. */
  struct timespec now;
  assert_int_equal(ef_vi_receive_get_precise_timestamp(&rig->vi, rig_data(rig, 0), &time), 0);
  clock_gettime(CLOCK_REALTIME, &now);
  assert_in_range(time.tv_sec, now.tv_sec - 60, now.tv_sec + 1);
  assert_int_equal(time.tv_flags, EF_VI_SYNC_FLAG_CLOCK_SET);
  assert_int_equal(ef_vi_receive_get_precise_timestamp(&rig->vi, NULL, &time), -EINVAL);
}

static void discards(void **state)
{
  struct rig *rig = *state;
  uint8_t frame[100];
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 4);
  rig_filter_all(rig);
  rig_frame(rig, frame, 100, 2000, 1);
  frame[24] ^= 1; /* the IPv4 header's checksum */
  rig_send(rig, frame, 100);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_RX_DISCARD);
  assert_int_equal(EF_EVENT_RX_DISCARD_TYPE(rig->events[0]), EF_EVENT_RX_DISCARD_CSUM_BAD);
  assert_int_equal(EF_EVENT_RX_DISCARD_RQ_ID(rig->events[0]), 0);
  assert_int_equal(ef_vi_receive_set_discards(&rig->vi, 0), 0);
  assert_int_equal(ef_vi_receive_get_discards(&rig->vi), 0);
  rig_send(rig, frame, 100);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_RX);
  assert_int_equal(ef_vi_receive_set_discards(&rig->vi, EF_VI_DISCARD_RX_L2_CLASS_OTHER),
                   -EOPNOTSUPP);
}

/* --- Transmit ----------------------------------------------------------------------------------
 */

static int unbundle_all(struct rig *rig, ef_request_id ids[RIG_BUFS])
{
  int n = 0, events = rig_poll(rig);
  for (int i = 0; i < events; i++) {
    assert_int_equal(EF_EVENT_TYPE(rig->events[i]), EF_EVENT_TYPE_TX);
    n += ef_vi_transmit_unbundle(&rig->vi, &rig->events[i], ids + n);
  }
  return n;
}

static void transmit(void **state)
{
  struct rig *rig = *state;
  ef_request_id ids[RIG_BUFS];
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  rig_frame(rig, rig_data(rig, 0), 100, 2000, 0x33);
  assert_int_equal(ef_vi_transmit_init(&rig->vi, rig_addr(rig, 0), 100, 5), 0);
  rig_run(rig, 50);
  assert_int_equal(rig->sent, 0); /* not before the push */
  ef_vi_transmit_push(&rig->vi);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 0), 100, 6), 0);
  assert_int_equal(ef_vi_transmit_fill_level(&rig->vi), 2);
  rig_run(rig, 50);
  assert_int_equal(rig->sent, 2);
  assert_int_equal(rig->last_bytes, 100);
  assert_int_equal(rig->last[99], 0x33);
  assert_int_equal(unbundle_all(rig, ids), 2);
  assert_int_equal(ids[0], 5);
  assert_int_equal(ids[1], 6);
  assert_int_equal(ef_vi_transmit_fill_level(&rig->vi), 0);
  assert_int_equal(rig_count(rig, "tx_packets"), 2);
  assert_int_equal(rig_count(rig, "tx_bytes"), 200);
  /* The card fills in checksums, as ef_vi's cards do unless told otherwise. */
  const struct iphdr *ip = (const void *)(rig->last + 14);
  const struct udphdr *udp = (const void *)(rig->last + 34);
  const struct iovec payload = {rig->last + 42, 58};
  uint16_t sum;
  memcpy(&sum, rig->last + 24, 2);
  assert_int_equal(sum, ef_ip_checksum(ip));
  memcpy(&sum, rig->last + 40, 2);
  assert_int_not_equal(sum, 0);
  assert_true(ef_udp_checksum_is_correct(ip, udp, &payload, 1));

  assert_int_equal(ef_vi_transmit_init(&rig->vi, rig_addr(rig, 0), 100, 7), 0);
  ef_vi_transmit_init_undo(&rig->vi);
  ef_vi_transmit_push(&rig->vi);
  rig_run(rig, 50);
  assert_int_equal(rig->sent, 2);
}

static void transmit_refuses(void **state)
{
  struct rig *rig = *state;
  ef_request_id ids[RIG_BUFS];
  ef_iovec none = {.iov_base = 64, .iov_len = 100};
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(ef_vi_transmit(&rig->vi, 0, 100, 1), -EFAULT);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 0), -1, 1), -EINVAL);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 0), 0, 1), -EINVAL);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 0), 1519, 1), -EINVAL);
  assert_int_equal(ef_vi_transmitv(&rig->vi, NULL, 1, 1), -EINVAL);
  assert_int_equal(ef_vi_transmitv(&rig->vi, &none, 0, 1), -EINVAL);
  assert_int_equal(ef_vi_transmitv(&rig->vi, &none, 1, 1), -EFAULT);
  assert_int_equal(ef_vi_transmit_fill_level(&rig->vi), 0);
  for (int round = 0; round < 5; round++) { /* round the ring, a full one each time */
    for (int i = 0; i < RIG_RING; i++) {
      rig_frame(rig, rig_data(rig, 0), 64, 2000, (uint8_t)i);
      assert_int_equal(ef_vi_transmit_init(&rig->vi, rig_addr(rig, 0), 64, i), 0);
    }
    assert_int_equal(ef_vi_transmit_init(&rig->vi, rig_addr(rig, 0), 64, RIG_RING), -EAGAIN);
    ef_vi_transmit_push(&rig->vi);
    rig_run(rig, 200);
    assert_int_equal(unbundle_all(rig, ids), RIG_RING);
    for (int i = 0; i < RIG_RING; i++)
      assert_int_equal(ids[i], i);
    assert_int_equal(rig->last[63], (RIG_RING - 1) & 0xFF);
  }
  assert_int_equal(rig->sent, 5 * RIG_RING);
}

static void transmit_pieces(void **state)
{
  struct rig *rig = *state;
  ef_iovec pieces[] = {{rig_addr(rig, 0), 14}, {rig_addr(rig, 3), 0}, {rig_addr(rig, 1), 90}};
  ef_request_id ids[RIG_BUFS] = {0}, id = -1;
  rig_open(rig, EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS, 0);
  memset(rig_data(rig, 0), 0x11, 14);
  memset(rig_data(rig, 1), 0x22, 90);
  assert_int_equal(ef_vi_transmitv_init(&rig->vi, pieces, 3, 9), 0);
  ef_vi_transmit_push(&rig->vi);
  rig_run(rig, 50);
  assert_int_equal(rig->last_bytes, 104);
  assert_int_equal(rig->last[13], 0x11);
  assert_int_equal(rig->last[14], 0x22);
  assert_int_equal(unbundle_all(rig, ids), 1);
  assert_int_equal(ids[0], 9);
  /* CTPIO: its fallback sends. */
  ef_vi_transmit_ctpio(&rig->vi, rig_data(rig, 1), 80, EF_VI_CTPIO_CT_THRESHOLD_SNF);
  assert_int_equal(ef_vi_transmit_ctpio_fallback(&rig->vi, rig_addr(rig, 1), 80, 10), 0);
  assert_int_equal(ef_vi_transmitv_ctpio_fallback(&rig->vi, pieces, 3, 11), 0);
  rig_run(rig, 50);
  assert_int_equal(rig->sent, 3);
  assert_int_equal(unbundle_all(rig, ids), 2);
  /* Warm: the whole way, and nothing is sent. */
  ef_vi_tx_warm_state saved = {0};
  ef_vi_start_transmit_warm(&rig->vi, &saved, NULL);
  for (int i = 0; i < 300; i++)
    assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 1), 80, 12), 0);
  ef_vi_stop_transmit_warm(&rig->vi, &saved);
  rig_run(rig, 100);
  assert_int_equal(rig->sent, 3);
  assert_int_equal(unbundle_all(rig, ids), 0);
  ef_vi_for_each_tx_error_failed_transmit(&rig->vi, id) assert_int_equal(id, -1);
  assert_int_equal(ef_vi_reinit_txq_post_error(&rig->vi), 0);
}

/* Frames of several of the device's buffers, wherever on the ring they begin: whole, their sums
 * right, each with one id. */
static void transmit_jumbo(void **state)
{
  struct rig *rig = *state;
  ef_request_id ids[RIG_BUFS] = {0};
  setenv("SHUNT_EFVI_DEVICE", "eth0=" RIG_DEVICE "&mtu=9000", 1);
  assert_int_equal(ef_memreg_free(&rig->memreg, rig->handle), 0);
  assert_int_equal(ef_pd_free(&rig->pd, rig->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&rig->pd, rig->handle, "eth0", EF_PD_DEFAULT), 0);
  assert_int_equal(ef_memreg_alloc(&rig->memreg, rig->handle, &rig->pd, rig->handle, rig->memory,
                                   (size_t)RIG_BUFS * RIG_BUF_BYTES),
                   0);
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(ef_vi_mtu(&rig->vi, rig->handle), 9014);
  for (int i = 0; i < 60; i++) { /* of 5 slots each: round a ring of 128 twice and more */
    rig_frame(rig, rig_data(rig, 0), 9014, 2000, (uint8_t)i);
    assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 0), 9014, i), 0);
    assert_int_equal(ef_vi_transmit_fill_level(&rig->vi), 5);
    rig_run(rig, 100);
    assert_int_equal(rig->sent, i + 1);
    assert_int_equal(rig->last_bytes, 9014);
    assert_int_equal(rig->last[9013], (uint8_t)i);
    const struct iovec payload = {rig->last + 42, 9014 - 42};
    assert_true(rig->last[40] | rig->last[41]); /* there is a sum */
    assert_true(ef_udp_checksum_is_correct((const void *)(rig->last + 14),
                                           (const void *)(rig->last + 34), &payload, 1));
    assert_int_equal(unbundle_all(rig, ids), 1);
    assert_int_equal(ids[0], i);
  }
}

/* --- Filters -----------------------------------------------------------------------------------
 */

static unsigned arrives(struct rig *rig, uint16_t port)
{
  rig_send_udp(rig, 100, port, 1);
  int n = rig_poll(rig);
  for (int i = 0; i < n; i++)
    assert_int_equal(ef_vi_receive_post(&rig->vi, rig_addr(rig, EF_EVENT_RX_RQ_ID(rig->events[i])),
                                        (ef_request_id)EF_EVENT_RX_RQ_ID(rig->events[i])),
                     0);
  return (unsigned)n;
}

static void filters(void **state)
{
  struct rig *rig = *state;
  ef_filter_spec spec;
  ef_filter_cookie cookie, other;
  ef_filter_info info;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie), -EINVAL);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0a000002), htons(2000)),
                   0);
  assert_int_equal(ef_filter_spec_set_eth_local(&spec, EF_FILTER_VLAN_ID_ANY, rig->mac),
                   -EPROTONOSUPPORT);
  assert_int_equal(ef_filter_spec_set_unicast_all(&spec), -EPROTONOSUPPORT);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &other), -EEXIST);
  assert_int_equal(arrives(rig, 2000), 1);
  assert_int_equal(arrives(rig, 2001), 0);
  assert_int_equal(ef_vi_filter_query(&rig->vi, rig->handle, &cookie, &info, sizeof(info)), 0);
  assert_int_equal(info.q_id, 0);
  assert_int_equal(ef_vi_filter_query(&rig->vi, rig->handle, &cookie, &info, 1), -EINVAL);
  assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);
  assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), -ENOENT);
  assert_int_equal(ef_vi_filter_query(&rig->vi, rig->handle, &cookie, &info, sizeof(info)),
                   -ENOENT);
  assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, NULL), -EINVAL);
  assert_int_equal(arrives(rig, 2000), 0);

  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_full(&spec, IPPROTO_UDP, htonl(0x0a000002), htons(2002),
                                               htonl(0x0a000001), htons(1000)),
                   0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0);
  assert_int_equal(arrives(rig, 2002), 1);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_full(&spec, IPPROTO_UDP, htonl(0x0a000002), htons(2003),
                                               htonl(0x0a000009), htons(1000)),
                   0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0);
  assert_int_equal(arrives(rig, 2003), 0);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, 99, htonl(0x0a000002), htons(1)), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), -EINVAL);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_tx_port_sniff(&spec), 0);
  assert_int_equal(ef_filter_spec_set_dest(&spec, 0, 0), -EPROTONOSUPPORT);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->why, "loops back"));
}

/* Frames by address, tag, EtherType and IP protocol. */
static void filters_by_field(void **state)
{
  struct rig *rig = *state;
  static const struct {
    int vlan;         /* of the filter; -2: not asked for */
    bool mac;         /* the interface's own */
    uint16_t type;    /* 0: not asked for */
    uint8_t protocol; /* 0: not asked for */
    uint16_t tag;     /* of the frame; 0: none */
    bool arrives;
  } cases[] = {
      {-2, true, 0, 0, 0, true},       {-2, true, 0x0800, 0, 0, true},
      {-2, true, 0x0806, 0, 0, false}, {-2, false, 0x0800, 0, 0, true},
      {-2, false, 0, 17, 0, true},     {-2, false, 0, 6, 0, false},
      {7, true, 0, 0, 7, true},        {7, true, 0, 0, 8, false},
      {7, true, 0, 0, 0, false},       {EF_FILTER_VLAN_ID_ANY, true, 0, 0, 8, true},
      {7, false, 0, 17, 7, true},
  };
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 100);
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    ef_filter_spec spec;
    ef_filter_cookie cookie;
    uint8_t frame[104];
    uint32_t bytes = rig_frame(rig, frame, 100, 2000, 1);
    ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
    if (cases[i].type)
      assert_int_equal(ef_filter_spec_set_eth_type(&spec, htons(cases[i].type)), 0);
    if (cases[i].protocol)
      assert_int_equal(ef_filter_spec_set_ip_proto(&spec, cases[i].protocol), 0);
    if (cases[i].mac)
      assert_int_equal(
          ef_filter_spec_set_eth_local(
              &spec, cases[i].vlan == -2 ? EF_FILTER_VLAN_ID_ANY : cases[i].vlan, rig->mac),
          0);
    else if (cases[i].vlan != -2)
      assert_int_equal(ef_filter_spec_set_vlan(&spec, cases[i].vlan), 0);
    if (cases[i].tag) {
      memmove(frame + 16, frame + 12, bytes - 12);
      shunt_store_be16(frame + 12, 0x8100);
      shunt_store_be16(frame + 14, cases[i].tag);
      bytes += 4;
    }
    assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie), 0);
    rig_send(rig, frame, bytes);
    if (rig_poll(rig) != cases[i].arrives)
      fail_msg("case %u", i);
    assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);
  }
}

/* The device hands a frame to one queue: a filter is one interface's, a group's as well. */
static void one_has_it(struct rig *rig, ef_vi *second)
{
  static const uint32_t addresses[2] = {0x0a000003, 0xef010101};
  ef_filter_spec spec;
  ef_filter_cookie cookie, other;
  for (unsigned i = 0; i < 2; i++) {
    ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
    assert_int_equal(
        ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(addresses[i]), htons(4000)), 0);
    assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie), 0);
    assert_int_equal(ef_vi_filter_add(second, rig->handle, &spec, &other), -EEXIST);
    assert_non_null(strstr(shunt_last_error()->what, "another interface"));
    assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);
    assert_int_equal(ef_vi_filter_add(second, rig->handle, &spec, &other), 0);
    assert_int_equal(ef_vi_filter_del(second, rig->handle, &other), 0);
  }
}

/* A group's frames arrive while a filter asks for them, exactly; two interfaces of one device get
 * what their own filters say. */
static void filters_steer(void **state)
{
  struct rig *rig = *state;
  ef_filter_spec spec;
  ef_filter_cookie cookie;
  ef_vi second = {0};
  static const uint8_t group[6] = {0x01, 0x00, 0x5E, 0x01, 0x01, 0x01};
  uint8_t frame[100];
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0xEF010101), htons(2000)),
                   0);
  rig_frame(rig, frame, 100, 2000, 1);
  memcpy(frame, group, sizeof(group));
  shunt_store_be32(frame + 30, 0xEF010101);
  memset(frame + 24, 0, 2);
  uint16_t sum = (uint16_t)ef_ip_checksum((const void *)(frame + 14));
  memcpy(frame + 24, &sum, 2);
  for (int i = 0; i < 2; i++) {
    rig_send(rig, frame, 100);
    assert_int_equal(rig_poll(rig), 0);
    assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie), 0);
    rig_send(rig, frame, 100);
    assert_int_equal(rig_poll(rig), 1);
    assert_true(rig->events[0].rx.flags & EF_EVENT_FLAG_MULTICAST);
    assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);
  }
  assert_int_equal(ef_vi_alloc_from_pd(&second, rig->handle, &rig->pd, rig->handle, -1, 127, 127,
                                       &rig->vi, rig->handle, EF_VI_FLAGS_DEFAULT),
                   1);
  assert_int_equal(ef_vi_receive_post(&second, rig_addr(rig, 200), 200), 0);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0a000002), htons(3000)),
                   0);
  assert_int_equal(ef_vi_filter_add(&second, rig->handle, &spec, NULL), 0);
  rig_filter_all(rig);
  rig_send_udp(rig, 100, 3000, 1);
  rig_send_udp(rig, 100, 3001, 1);
  assert_int_equal(rig_poll(rig), 2); /* one event queue for both */
  for (int i = 0; i < 2; i++)
    assert_int_equal(EF_EVENT_RX_Q_ID(rig->events[i]), EF_EVENT_RX_RQ_ID(rig->events[i]) == 200);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_unicast_mismatch(&spec), 0);
  assert_int_equal(ef_vi_filter_add(&second, rig->handle, &spec, NULL), -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->why, "queue 0"));
  one_has_it(rig, &second);
  assert_int_equal(ef_vi_free(&second, rig->handle), 0);
}

/* --- Events ------------------------------------------------------------------------------------
 */

static void software_events(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 1);
  const unsigned id = ef_vi_resource_id(&rig->vi);
  assert_int_equal(ef_eventq_put(id, -1, 1), -EBADF);
  assert_int_equal(ef_eventq_put(id + 1, rig->handle, 1), -ENOENT);
  assert_int_equal(ef_eventq_put(id, rig->handle, 0x10000), -EINVAL);
  for (unsigned i = 0; i < EFVI_SW_EVENTS; i++)
    assert_int_equal(ef_eventq_put(id, rig->handle, 0x100 + i), 0);
  assert_int_equal(ef_eventq_put(id, rig->handle, 1), -EAGAIN);
  assert_int_equal(ef_eventq_has_event(&rig->vi), 1);
  assert_int_equal(ef_eventq_poll(&rig->vi, rig->events, 2), 2);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_SW);
  assert_int_equal(EF_EVENT_SW_DATA(rig->events[1]), 0x101);
  assert_int_equal(rig_poll(rig), EFVI_SW_EVENTS - 2);
  assert_int_equal(ef_eventq_has_event(&rig->vi), 0);
}

static void sleeping(void **state)
{
  struct rig *rig = *state;
  const struct timeval little = {0, 3000}, wrong = {0, 1000000};
  struct pollfd wait = {.fd = rig->handle, .events = POLLIN};
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 4);
  rig_filter_all(rig);
  assert_int_equal(ef_eventq_wait(&rig->vi, rig->handle, 0, &little), -ETIMEDOUT);
  assert_int_equal(ef_eventq_wait(&rig->vi, rig->handle, 0, &wrong), -EINVAL);
  assert_int_equal(ef_eventq_wait(&rig->vi, -1, 0, &little), -EBADF);
  assert_int_equal(ef_eventq_wait(NULL, rig->handle, 0, &little), -EINVAL);
  assert_int_equal(ef_vi_prime(&rig->vi, rig->handle, ef_eventq_current(&rig->vi)), 0);
  assert_int_equal(poll(&wait, 1, 0), 0);
  rig_send_udp(rig, 100, 2000, 1);
  rig_run(rig, 1000);
  assert_int_equal(poll(&wait, 1, 0), 1);
  assert_int_equal(ef_eventq_wait(&rig->vi, rig->handle, 0, NULL), 0);
  assert_int_equal(rig_poll(rig), 1);
  ef_eventq_prime(&rig->vi);
  assert_int_equal(poll(&wait, 1, 0), 0);
}

static void statistics(void **state)
{
  struct rig *rig = *state;
  struct efvi_statistics counters;
  const ef_vi_stats_layout *layout;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 4);
  rig_filter_all(rig);
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(ef_vi_stats_query_layout(&rig->vi, &layout), 0);
  assert_int_equal(layout->evsl_data_size, sizeof(counters));
  assert_int_equal(ef_vi_stats_query(&rig->vi, rig->handle, &counters, 1), 0);
  assert_int_equal(counters.rx_packets, 1);
  assert_int_equal(counters.rx_bytes, 100);
  assert_int_equal(ef_vi_stats_query(&rig->vi, rig->handle, &counters, 0), 0);
  assert_int_equal(counters.rx_packets, 0);
  for (int i = 0; i < layout->evsl_fields_num; i++)
    if (strstr(layout->evsl_fields[i].evsfl_name, "no_buffer"))
      assert_int_equal(layout->evsl_fields[i].evsfl_size, sizeof(uint32_t)); /* as of the cards */
  assert_int_equal(ef_vi_stats_query(&rig->vi, rig->handle, NULL, 0), -EINVAL);
  assert_int_equal(ef_vi_stats_query_layout(NULL, &layout), -EINVAL);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(receive),          ON_RIG(receive_refuses),  ON_RIG(receive_pieces),
      ON_RIG(timestamps),       ON_RIG(discards),         ON_RIG(transmit),
      ON_RIG(transmit_refuses), ON_RIG(transmit_pieces),  ON_RIG(transmit_jumbo),
      ON_RIG(filters),          ON_RIG(filters_by_field), ON_RIG(filters_steer),
      ON_RIG(software_events),  ON_RIG(sleeping),         ON_RIG(statistics),
  };
  return cmocka_run_group_tests_name("efvi_data", tests, NULL, NULL);
}
