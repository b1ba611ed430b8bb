/* SPDX-License-Identifier: BSD-2-Clause */
/* What ef_vi's headers have inline and as macros, on events that came and, of kinds that no device
 * here makes, on events that are made up; and filters of IPv6 and of other multicast, with frames.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>

#include "efvi_rig.h"

/* --- Rings --------------------------------------------------------------------------------------
 */

static void lengths(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 4);
  ef_vi *vi = &rig->vi;
  assert_int_equal(ef_vi_receive_buffer_len(vi), vi->rx_buffer_len);
  ef_vi_receive_set_buffer_len(vi, 1024);
  assert_int_equal(ef_vi_receive_buffer_len(vi), 1024);
  assert_int_equal(ef_vi_flags(vi), EF_VI_FLAGS_DEFAULT);
  /* No device here has a FIFO of bytes that could be full: what is sent leaves room as it was. */
  const int room = ef_vi_transmit_space_bytes(vi);
  assert_true(room >= 127 * 1514);
  assert_int_equal(ef_vi_transmit_init(vi, rig_addr(rig, 100), 1000, 1), 0);
  assert_int_equal(ef_vi_transmit_fill_level_bytes(vi), 0);
  assert_int_equal(ef_vi_transmit_space_bytes(vi), room);
  ef_vi_transmit_init_undo(vi);
}

static void interfaces_by_number(void **state)
{
  struct rig *rig = *state;
  ef_vi second = {0};
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(ef_vi_alloc_from_pd(&second, rig->handle, &rig->pd, rig->handle, -1, 0, 63,
                                       &rig->vi, rig->handle, EF_VI_FLAGS_DEFAULT),
                   1);
  assert_ptr_equal(__ef_vi_get_vi_from_q_id(&rig->vi, 0), &rig->vi);
  assert_ptr_equal(__ef_vi_get_vi_from_q_id(&rig->vi, 1), &second);
  assert_ptr_equal(ef_vi_get_vi_from_q_id(&rig->vi, 1), &second);
  assert_int_equal(ef_vi_transmit(&second, rig_addr(rig, 100), 100, 5), 0);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_TX);
  assert_int_equal(EF_EVENT_TX_Q_ID(rig->events[0]), 1);
  assert_int_equal(EF_EVENT_TX_CTPIO(rig->events[0]), 0);
  assert_int_equal(ef_vi_free(&second, rig->handle), 0);
}

/* --- Events -------------------------------------------------------------------------------------
 */

/* A datagram whose checksum is wrong. */
static void send_bad(struct rig *rig)
{
  uint8_t frame[100];
  rig_frame(rig, frame, sizeof(frame), 2000, 1);
  shunt_store_be16(frame + 40, 0x1234);
  rig_send(rig, frame, sizeof(frame));
}

static void discards(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 4);
  rig_filter_all(rig);
  send_bad(rig);
  assert_int_equal(rig_poll(rig), 1);
  const ef_event event = rig->events[0];
  assert_int_equal(EF_EVENT_TYPE(event), EF_EVENT_TYPE_RX_DISCARD);
  assert_int_equal(EF_EVENT_PRI_ARG(event), EF_EVENT_TYPE_RX_DISCARD);
  assert_int_equal(EF_EVENT_RX_DISCARD_TYPE(event), EF_EVENT_RX_DISCARD_CSUM_BAD);
  assert_int_equal(EF_EVENT_RX_DISCARD_Q_ID(event), 0);
  assert_int_equal(EF_EVENT_RX_DISCARD_RQ_ID(event), 0);
  assert_int_equal(EF_EVENT_RX_DISCARD_BYTES(event), 100);
  assert_true(EF_EVENT_RX_DISCARD_SOP(event));
  assert_false(EF_EVENT_RX_DISCARD_CONT(event));
}

static void discard_types(void **state)
{
  static const struct {
    unsigned flags, type;
  } cases[] = {
      {EF_VI_DISCARD_RX_L4_CSUM_ERR, EF_EVENT_RX_DISCARD_CSUM_BAD},
      {EF_VI_DISCARD_RX_L3_CSUM_ERR, EF_EVENT_RX_DISCARD_CSUM_BAD},
      {EF_VI_DISCARD_RX_ETH_FCS_ERR, EF_EVENT_RX_DISCARD_CRC_BAD},
      {EF_VI_DISCARD_RX_ETH_FCS_ERR | EF_VI_DISCARD_RX_L4_CSUM_ERR, EF_EVENT_RX_DISCARD_CRC_BAD},
      {EF_VI_DISCARD_RX_ETH_LEN_ERR | EF_VI_DISCARD_RX_L3_CSUM_ERR, EF_EVENT_RX_DISCARD_TRUNC},
      {EF_VI_DISCARD_RX_INNER_L4_CSUM_ERR, EF_EVENT_RX_DISCARD_INNER_CSUM_BAD},
      {EF_VI_DISCARD_RX_INNER_L3_CSUM_ERR, EF_EVENT_RX_DISCARD_INNER_CSUM_BAD},
      {EF_VI_DISCARD_RX_L2_CLASS_OTHER, EF_EVENT_RX_DISCARD_OTHER},
      {EF_VI_DISCARD_RX_L3_CLASS_OTHER, EF_EVENT_RX_DISCARD_OTHER},
      {EF_VI_DISCARD_RX_L4_CLASS_OTHER, EF_EVENT_RX_DISCARD_OTHER},
  };
  (void)state;
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_int_equal(ef_vi_get_rx_discard_subtype_from_flags(cases[i].flags), cases[i].type);
}

/* The names that looked at an event queue before ef_eventq_has_event did. */
static void older_names(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 4);
  rig_filter_all(rig);
  ef_vi *vi = &rig->vi;
  for (int waiting = 0; waiting < 2; waiting++) {
    assert_int_equal(ef_eventq_check_event(vi, 0), waiting);
    assert_int_equal(ef_eventq_check_event_phase_bit(vi, 0), waiting);
    assert_int_equal(efxdp_ef_eventq_check_event(vi, 0), waiting);
    assert_int_equal(efct_ef_eventq_check_event(vi), waiting);
    assert_int_equal(ef_eventq_check_event(vi, 1), 0);
    rig_send_udp(rig, 100, 2000, 1);
  }
}

static void merged(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_RX_EVENT_MERGE, 4);
  assert_int_equal(ef_vi_flags(&rig->vi), EF_VI_RX_EVENT_MERGE);
  rig_filter_all(rig);
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_RX_MULTI);
  assert_int_equal(EF_EVENT_RX_MULTI_Q_ID(rig->events[0]), 0);
}

static void alternatives(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_TX_ALT, 0);
  ef_vi *vi = &rig->vi;
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 2, 4096), 0);
  assert_int_equal(ef_vi_transmit_alt_select(vi, 1), 0);
  assert_int_equal(ef_vi_transmit(vi, rig_addr(rig, 100), 100, 1), 0);
  assert_int_equal(ef_vi_transmit_alt_go(vi, 1), 0);
  bool sent = false;
  for (int tries = 0; tries < 100 && !sent; tries++) {
    const int n = rig_poll(rig);
    for (int i = 0; i < n; i++) {
      if (EF_EVENT_TYPE(rig->events[i]) != EF_EVENT_TYPE_TX_ALT)
        continue;
      assert_int_equal(EF_EVENT_TX_ALT_Q_ID(rig->events[i]), 0);
      assert_int_equal(EF_EVENT_TX_ALT_ALT_ID(rig->events[i]), 1);
      sent = true;
    }
  }
  assert_true(sent);
}

/* Each macro reads the member that it is for. */
static void made_up(void **state)
{
  EF_VI_ALIGN(64) ef_event event = {.generic = {.type = 0}};
  (void)state;
  assert_int_equal((uintptr_t)&event % 64, 0);
  event.rx.flags = EF_EVENT_FLAG_ISCSI_OK;
  assert_true(EF_EVENT_RX_ISCSI_OKAY(event));
  event.rx.flags = (uint16_t)~EF_EVENT_FLAG_ISCSI_OK;
  assert_false(EF_EVENT_RX_ISCSI_OKAY(event));
  event.tx.flags = EF_EVENT_FLAG_CTPIO;
  assert_true(EF_EVENT_TX_CTPIO(event));
  memset(&event, 0, sizeof(event));
  event.tx_error.q_id = 3;
  event.tx_error.subtype = EF_EVENT_TX_ERROR_BUS;
  assert_int_equal(EF_EVENT_TX_ERROR_Q_ID(event), 3);
  assert_int_equal(EF_EVENT_TX_ERROR_TYPE(event), EF_EVENT_TX_ERROR_BUS);
  memset(&event, 0, sizeof(event));
  event.tx_timestamp.q_id = 5;
  event.tx_timestamp.ts_nsec_frac = 9; /* sixteenths of a nanosecond */
  assert_int_equal(EF_EVENT_TX_WITH_TIMESTAMP_Q_ID(event), 5);
  assert_int_equal(EF_EVENT_TX_WITH_TIMESTAMP_NSEC_FRAC16(event), 9 << 12);
  event.tx_timestamp.ts_nsec = 999999999;
  event.tx_timestamp.ts_flags = EF_VI_SYNC_FLAG_CLOCK_SET;
  assert_int_equal(EF_EVENT_TX_WITH_TIMESTAMP_NSEC(event), 999999999);
  assert_int_equal(EF_EVENT_TX_WITH_TIMESTAMP_SYNC_FLAGS(event), EF_VI_SYNC_FLAG_CLOCK_SET);
  assert_int_equal(sizeof(event), 16); /* programs keep logs of them */
}

/* --- The express path ---------------------------------------------------------------------------
 */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void express_times(void **state)
{
  struct rig *rig = *state;
  ef_timespec time = {1, 1};
  unsigned flags = 1;
  assert_int_equal(ef_memreg_free(&rig->memreg, rig->handle), 0);
  assert_int_equal(ef_pd_free(&rig->pd, rig->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&rig->pd, rig->handle, "eth0", EF_PD_EXPRESS), 0);
  assert_int_equal(ef_memreg_alloc(&rig->memreg, rig->handle, &rig->pd, rig->handle, rig->memory,
                                   (size_t)RIG_BUFS * RIG_BUF_BYTES),
                   0);
  rig_open(rig, EF_VI_RX_TIMESTAMPS, 0);
  rig_filter_all(rig);
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(
      efct_vi_rxpkt_get_timestamp(&rig->vi, rig->events[0].rx_ref.pkt_id, &time, &flags), 0);
  assert_true(time.tv_sec > 0);
  assert_in_range(time.tv_nsec, 0, 999999999);
  assert_int_equal(flags, EF_VI_SYNC_FLAG_CLOCK_SET);
  assert_int_equal(efct_vi_rxpkt_get_timestamp(&rig->vi, UINT32_MAX, &time, &flags), -EINVAL);
  efct_vi_rxpkt_release(&rig->vi, rig->events[0].rx_ref.pkt_id);
}
#pragma GCC diagnostic pop

/* --- Filters ------------------------------------------------------------------------------------
 */

static const struct in6_addr here6 = {{{0xFE, 0x80, [15] = 2}}}, from6 = {{{0xFE, 0x80, [15] = 1}}};

/* A datagram of IPv6 to the interface. */
static void send_ip6(struct rig *rig, const struct in6_addr *from, uint16_t from_port,
                     uint16_t port)
{
  static const uint8_t sender[6] = {0x02, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE};
  uint8_t frame[100] = {0};
  memcpy(frame, rig->mac, 6);
  memcpy(frame + 6, sender, sizeof(sender));
  shunt_store_be16(frame + 12, 0x86DD);
  frame[14] = 0x60;
  shunt_store_be16(frame + 18, sizeof(frame) - 54);
  frame[20] = IPPROTO_UDP;
  frame[21] = 64;
  memcpy(frame + 22, from, 16);
  memcpy(frame + 38, &here6, 16);
  shunt_store_be16(frame + 54, from_port);
  shunt_store_be16(frame + 56, port);
  shunt_store_be16(frame + 58, sizeof(frame) - 54);
  const struct iovec payload = {frame + 62, sizeof(frame) - 62};
  const uint16_t sum = (uint16_t)ef_udp_checksum_ip6((const void *)(frame + 14),
                                                     (const void *)(frame + 54), &payload, 1);
  memcpy(frame + 60, &sum, sizeof(sum));
  rig_send(rig, frame, sizeof(frame));
}

static void ip6(void **state)
{
  struct rig *rig = *state;
  ef_filter_spec spec;
  ef_filter_cookie cookie;
  struct in6_addr other = from6;
  other.s6_addr[15] = 9;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 32);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip6_local(&spec, IPPROTO_UDP, &here6, htons(2000)), 0);
  send_ip6(rig, &from6, 1000, 2000);
  assert_int_equal(rig_poll(rig), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie), 0);
  send_ip6(rig, &from6, 1000, 2000);
  send_ip6(rig, &other, 1001, 2000);
  send_ip6(rig, &from6, 1000, 2001);
  assert_int_equal(rig_poll(rig), 2);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_RX); /* the checksum is right */
  assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);

  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(
      ef_filter_spec_set_ip6_full(&spec, IPPROTO_UDP, &here6, htons(2000), &from6, htons(1000)), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie), 0);
  send_ip6(rig, &other, 1000, 2000);
  send_ip6(rig, &from6, 1001, 2000);
  send_ip6(rig, &from6, 1000, 2000);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);
}

/* All multicast that no other filter takes, and no unicast. */
static void other_multicast(void **state)
{
  struct rig *rig = *state;
  ef_filter_spec spec;
  ef_filter_cookie cookie;
  static const uint8_t group[6] = {0x01, 0x00, 0x5E, 0x01, 0x01, 0x01};
  uint8_t frame[100];
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_multicast_mismatch(&spec), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie), 0);
  rig_frame(rig, frame, sizeof(frame), 2000, 1);
  rig_send(rig, frame, sizeof(frame));
  assert_int_equal(rig_poll(rig), 0);
  memcpy(frame, group, sizeof(group));
  rig_send(rig, frame, sizeof(frame));
  assert_int_equal(rig_poll(rig), 1);
  assert_true(rig->events[0].rx.flags & EF_EVENT_FLAG_MULTICAST);
  assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);
  rig_send(rig, frame, sizeof(frame));
  assert_int_equal(rig_poll(rig), 0);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(lengths),      ON_RIG(interfaces_by_number),    ON_RIG(discards),
      ON_RIG(older_names),  cmocka_unit_test(discard_types), ON_RIG(merged),
      ON_RIG(alternatives), cmocka_unit_test(made_up),       ON_RIG(express_times),
      ON_RIG(ip6),          ON_RIG(other_multicast),
  };
  return cmocka_run_group_tests_name("efvi_inlines", tests, NULL, NULL);
}
