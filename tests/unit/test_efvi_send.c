/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi's further ways to send, on a software 82599: alternatives, PIO, CTPIO, warming, which
 * provably sends nothing, and descriptors with extras. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>

#include "efvi_rig.h"

/* What came of it: events of each kind, and the ids. */
struct outcome {
  int ids, alts;
  ef_request_id id[256];
  uint16_t alt[256];
};

static struct outcome poll_all(struct rig *rig)
{
  struct outcome outcome = {0};
  for (int n; (n = rig_poll(rig)) > 0;)
    for (int i = 0; i < n; i++) {
      if (EF_EVENT_TYPE(rig->events[i]) == EF_EVENT_TYPE_TX_ALT)
        outcome.alt[outcome.alts++] = EF_EVENT_TX_ALT_ALT_ID(rig->events[i]);
      else
        outcome.ids += ef_vi_transmit_unbundle(&rig->vi, &rig->events[i], outcome.id + outcome.ids);
    }
  return outcome;
}

static void open_plain(struct rig *rig, uint64_t flags)
{
  rig_open(rig,
           (enum ef_vi_flags)(flags | EF_VI_TX_IP_CSUM_DIS | (uint64_t)EF_VI_TX_TCPUDP_CSUM_DIS),
           0);
}

static void send_marked(struct rig *rig, unsigned bytes, uint8_t mark, ef_request_id id)
{
  rig_frame(rig, rig_data(rig, 0), bytes, 2000, mark);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 0), (int)bytes, id), 0);
}

/* --- Alternatives ------------------------------------------------------------------------------
 */

static void alternatives_refuse(void **state)
{
  struct rig *rig = *state;
  struct ef_vi_transmit_alt_overhead overhead;
  open_plain(rig, EF_VI_TX_ALT);
  ef_vi *vi = &rig->vi;
  assert_int_equal(ef_vi_transmit_alt_select(vi, 0), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_select_normal(vi), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_go(vi, 0), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_free(vi, rig->handle), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 0, 4096), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 2, 0), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, EFVI_ALTS + 1, 4096), -EBUSY);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 2, 1 << 20), -EBUSY);
  assert_int_equal(ef_vi_transmit_alt_alloc(NULL, rig->handle, 2, 4096), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_num_ids(vi), 0);
  const int room = ef_vi_transmit_alt_query_buffering(vi, 77, rig->handle, 2);
  assert_int_equal(room, EFVI_ALT_BUFS * EFVI_BUF_BYTES);
  assert_int_equal(ef_vi_transmit_alt_query_buffering(vi, 77, rig->handle, 0), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_query_overhead(vi, NULL), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_query_overhead(vi, &overhead), 0);
  assert_int_equal(ef_vi_transmit_alt_usage(&overhead, 100), EFVI_BUF_BYTES);
  assert_int_equal(ef_vi_transmit_alt_usage(&overhead, EFVI_BUF_BYTES + 1), 2 * EFVI_BUF_BYTES);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 2, (size_t)room), 0);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 2, 4096), -EALREADY);
  assert_int_equal(ef_vi_transmit_alt_num_ids(vi), 2);
  assert_int_equal(ef_vi_transmit_alt_select(vi, 2), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_stop(vi, 2), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_discard(vi, 2), -EINVAL);
  /* As many packets as there are buffers, and not one more. */
  assert_int_equal(ef_vi_transmit_alt_select(vi, 0), 0);
  for (unsigned i = 0; i < EFVI_ALT_BUFS; i++)
    send_marked(rig, 100, 1, (ef_request_id)i);
  assert_int_equal(poll_all(rig).ids, EFVI_ALT_BUFS);
  assert_int_equal(ef_vi_transmit(vi, rig_addr(rig, 0), 100, 1), -ENOSPC);
  assert_int_equal(ef_vi_transmit_alt_free(vi, rig->handle), 0);
  assert_int_equal(ef_vi_transmit_alt_num_ids(vi), 0);
  assert_int_equal(rig->sent, 0);
  send_marked(rig, 100, 2, 7); /* and the ring is as it was */
  assert_int_equal(poll_all(rig).ids, 1);
  assert_int_equal(rig->sent, 1);
}

/* Packets lie ready, their buffers free at once, until one call sends them; the others never leave.
 */
static void alternatives_go(void **state)
{
  struct rig *rig = *state;
  open_plain(rig, EF_VI_TX_ALT);
  ef_vi *vi = &rig->vi;
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 3, 65536), 0);
  for (unsigned round = 0; round < 50; round++) { /* round the ring and the buffers */
    const unsigned before = rig->sent;
    for (unsigned alt = 0; alt < 3; alt++) {
      assert_int_equal(ef_vi_transmit_alt_stop(vi, alt), 0);
      assert_int_equal(ef_vi_transmit_alt_select(vi, alt), 0);
      for (unsigned i = 0; i < 2; i++)
        send_marked(rig, 100 + alt, (uint8_t)(10 * alt + i), (ef_request_id)(10 * alt + i));
    }
    assert_int_equal(ef_vi_transmit_alt_select_normal(vi), 0);
    struct outcome outcome = poll_all(rig);
    assert_int_equal(outcome.ids, 6);
    assert_int_equal(outcome.alts, 0);
    for (int i = 0; i < 6; i++)
      assert_int_equal(outcome.id[i], 10 * (i / 2) + i % 2);
    assert_int_equal(ef_vi_transmit_fill_level(vi), 0);
    assert_int_equal(rig->sent, before);

    assert_int_equal(ef_vi_transmit_alt_go(vi, 1), 0);
    rig_run(rig, 50);
    assert_int_equal(rig->sent, before + 2);
    assert_int_equal(rig->last_bytes, 101);
    assert_int_equal(rig->last[100], 11);
    assert_int_equal(ef_eventq_has_event(vi), 1);
    outcome = poll_all(rig);
    assert_int_equal(outcome.alts, 2);
    assert_int_equal(outcome.alt[0], 1);
    assert_int_equal(outcome.ids, 0);
    /* What comes while it goes leaves at once. */
    assert_int_equal(ef_vi_transmit_alt_select(vi, 1), 0);
    send_marked(rig, 90, 0x55, 5);
    assert_int_equal(ef_vi_transmit_alt_select_normal(vi), 0);
    send_marked(rig, 80, 0x66, 6); /* in order, and counted apart */
    outcome = poll_all(rig);
    assert_int_equal(rig->sent, before + 4);
    assert_int_equal(rig->last[79], 0x66);
    assert_int_equal(outcome.ids, 2);
    assert_int_equal(outcome.id[0], 5);
    assert_int_equal(outcome.id[1], 6);
    assert_int_equal(outcome.alts, 1);

    assert_int_equal(ef_vi_transmit_alt_discard(vi, 0), 0);
    assert_int_equal(ef_vi_transmit_alt_discard(vi, 2), 0);
    outcome = poll_all(rig);
    assert_int_equal(outcome.alts, 4);
    assert_int_equal(outcome.alt[0], 0);
    assert_int_equal(outcome.alt[3], 2);
    assert_int_equal(rig->sent, before + 4);
  }
  assert_int_equal(rig_count(rig, "tx_alternatives"), 150);
  assert_int_equal(rig_count(rig, "tx_alternatives_discarded"), 200);
  /* To one that throws away; taken back before the push; lost in a flush. */
  assert_int_equal(ef_vi_transmit_alt_select(vi, 0), 0);
  send_marked(rig, 100, 1, 1);
  struct outcome outcome = poll_all(rig);
  assert_int_equal(outcome.ids, 1);
  assert_int_equal(outcome.alts, 1);
  assert_int_equal(ef_vi_transmit_alt_stop(vi, 0), 0);
  assert_int_equal(ef_vi_transmit_init(vi, rig_addr(rig, 0), 100, 1), 0);
  ef_vi_transmit_init_undo(vi);
  assert_int_equal(efvi_own(vi)->alternatives->used, 0);
  send_marked(rig, 100, 1, 1);
  assert_int_equal(ef_vi_flush(vi, rig->handle), 0);
  assert_int_equal(efvi_own(vi)->alternatives->used, 0);
  assert_int_equal(poll_all(rig).alts, 0);
  assert_int_equal(rig->sent, 200);
}

/* A frame that came in the meantime may be the answer: the packet was sent before. */
static void alternatives_are_told_before_answers(void **state)
{
  struct rig *rig = *state;
  ef_vi *vi = &rig->vi;
  open_plain(rig, EF_VI_TX_ALT);
  rig_filter_all(rig);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 1, 4096), 0);
  assert_int_equal(ef_vi_receive_post(vi, rig_addr(rig, 1), 1), 0);
  assert_int_equal(ef_vi_transmit_alt_select(vi, 0), 0);
  send_marked(rig, 100, 1, 7);
  assert_int_equal(poll_all(rig).ids, 1);
  assert_int_equal(ef_vi_transmit_alt_go(vi, 0), 0);
  rig_run(rig, 50);
  assert_int_equal(rig->sent, 1);
  rig_send_udp(rig, 64, 2000, 2);
  rig_run(rig, 50);
  assert_int_equal(rig_poll(rig), 2);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_TX_ALT);
  assert_int_equal(EF_EVENT_TYPE(rig->events[1]), EF_EVENT_TYPE_RX);
}

/* Frames of several buffers lie ready whole, their sums filled in. */
static void alternatives_jumbo(void **state)
{
  struct rig *rig = *state;
  setenv("SHUNT_EFVI_DEVICE", "eth0=" RIG_DEVICE "&mtu=9000", 1);
  assert_int_equal(ef_memreg_free(&rig->memreg, rig->handle), 0);
  assert_int_equal(ef_pd_free(&rig->pd, rig->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&rig->pd, rig->handle, "eth0", EF_PD_DEFAULT), 0);
  assert_int_equal(ef_memreg_alloc(&rig->memreg, rig->handle, &rig->pd, rig->handle, rig->memory,
                                   (size_t)RIG_BUFS * RIG_BUF_BYTES),
                   0);
  rig_open(rig, EF_VI_TX_ALT, 0);
  assert_int_equal(ef_vi_transmit_alt_alloc(&rig->vi, rig->handle, 1, 65536), 0);
  assert_int_equal(ef_vi_transmit_alt_select(&rig->vi, 0), 0);
  for (int i = 0; i < 12; i++)
    send_marked(rig, 9014, (uint8_t)i, i);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 0), 9014, 1), -ENOSPC);
  assert_int_equal(poll_all(rig).ids, 12);
  assert_int_equal(ef_vi_transmit_alt_go(&rig->vi, 0), 0);
  assert_int_equal(poll_all(rig).alts, 12);
  assert_int_equal(rig->sent, 12);
  assert_int_equal(rig->last_bytes, 9014);
  assert_int_equal(rig->last[9013], 11);
  const struct iovec payload = {rig->last + 42, 9014 - 42};
  assert_true(ef_udp_checksum_is_correct((const void *)(rig->last + 14),
                                         (const void *)(rig->last + 34), &payload, 1));
}

/* --- PIO ----------------------------------------------------------------------------------------
 */

static void pio_regions(void **state)
{
  struct rig *rig = *state;
  const ef_driver_handle handle = rig->handle;
  ef_pio pio = {0}, other = {0};
  open_plain(rig, 0);
  ef_vi *vi = &rig->vi;
  assert_int_equal(ef_pio_alloc(NULL, handle, &rig->pd, 2048, handle), -EINVAL);
  assert_int_equal(ef_pio_alloc(&pio, handle, &rig->pd, 0, handle), -EINVAL);
  assert_int_equal(ef_pio_alloc(&pio, -1, &rig->pd, 2048, handle), -EBADF);
  assert_int_equal(ef_pio_alloc(&pio, handle, NULL, 2048, handle), -EINVAL);
  assert_int_equal(ef_pio_free(&pio, handle), -EINVAL);
  assert_int_equal(ef_pio_alloc(&pio, handle, &rig->pd, 2048, handle), 0);
  assert_int_equal(ef_pio_alloc(&pio, handle, &rig->pd, 2048, handle), -EINVAL);
  assert_int_equal(ef_pio_alloc(&other, handle, &rig->pd, 1 << 20, handle), 0);
  assert_int_equal(other.pio_len, EFVI_PIO_BYTES);
  assert_int_equal(ef_vi_get_pio_size(vi), -EINVAL);
  assert_int_equal(ef_vi_transmit_pio(vi, 0, 64, 1), -EINVAL); /* none is linked */
  assert_int_equal(ef_pio_memcpy(vi, rig->memory, 0, 64), -EINVAL);
  assert_int_equal(ef_pio_unlink_vi(&pio, handle, vi, handle), -EINVAL);
  assert_int_equal(ef_pio_link_vi(&pio, handle, vi, handle), 0);
  assert_int_equal(ef_pio_link_vi(&other, handle, vi, handle), -EBUSY);
  assert_int_equal(ef_pio_free(&pio, handle), -EBUSY);
  assert_int_equal(ef_vi_get_pio_size(vi), 2048);
  assert_int_equal(ef_pio_memcpy(vi, rig->memory, 2000, 49), -EINVAL);
  assert_int_equal(ef_pio_memcpy(vi, rig->memory, -1, 4), -EINVAL);
  assert_int_equal(ef_pio_memcpy(vi, NULL, 0, 4), -EINVAL);
  assert_int_equal(ef_vi_transmit_pio(vi, 32, 64, 1), -EINVAL);
  assert_int_equal(ef_vi_transmit_pio(vi, 1984, 65, 1), -EINVAL);
  assert_int_equal(ef_vi_transmit_pio(vi, 0, 10, 1), -EINVAL); /* no packet */
  assert_int_equal(ef_vi_transmit_copy_pio(vi, 0, NULL, 64, 1), -EINVAL);

  rig_frame(rig, rig_data(rig, 0), 100, 2000, 0x21);
  assert_int_equal(ef_pio_memcpy(vi, rig_data(rig, 0), 64, 100), 0);
  rig_frame(rig, rig_data(rig, 0), 100, 2000, 0x22);
  assert_int_equal(ef_vi_transmit_pio(vi, 64, 100, 3), 0);
  rig_run(rig, 50);
  assert_int_equal(rig->sent, 1);
  assert_int_equal(rig->last[99], 0x21);
  assert_int_equal(ef_vi_transmit_copy_pio(vi, 256, rig_data(rig, 0), 100, 4), 0);
  struct outcome outcome = poll_all(rig);
  assert_int_equal(rig->sent, 2);
  assert_int_equal(rig->last[99], 0x22);
  assert_int_equal(outcome.ids, 2);
  assert_int_equal(outcome.id[1], 4);
  for (int i = 0; i < RIG_RING; i++)
    assert_int_equal(ef_vi_transmit_pio(vi, 64, 100, i), 0);
  assert_int_equal(ef_vi_transmit_pio(vi, 64, 100, RIG_RING), -EAGAIN);

  assert_int_equal(ef_pio_unlink_vi(&pio, handle, vi, handle), 0);
  assert_int_equal(ef_pio_free(&pio, handle), 0);
  assert_int_equal(ef_pio_free(&pio, handle), -EINVAL);
  assert_int_equal(ef_pio_link_vi(&other, handle, vi, handle), 0);
  assert_int_equal(ef_vi_free(vi, handle), 0); /* unlinks */
  assert_int_equal(ef_pio_free(&other, handle), 0);
}

/* --- CTPIO --------------------------------------------------------------------------------------
 */

static void ctpio(void **state)
{
  struct rig *rig = *state;
  uint8_t frame[100], copy[100] = {0};
  struct iovec pieces[] = {{frame, 14}, {frame + 14, 86}};
  ef_iovec fallback = {rig_addr(rig, 0), 100};
  rig_open(rig, EF_VI_TX_CTPIO, 0);
  ef_vi *vi = &rig->vi;
  rig_frame(rig, frame, 100, 2000, 0x31);
  rig_frame(rig, rig_data(rig, 0), 100, 2000, 0x32);
  /* The packet goes at once, as it is; its id comes with the fallback, and no event before. */
  ef_vi_transmitv_ctpio(vi, 100, pieces, 2, 64);
  assert_int_equal(vi->last_ctpio_failed, 0);
  rig_run(rig, 50);
  assert_int_equal(rig->sent, 1);
  assert_memory_equal(rig->last, frame, 100);
  assert_int_equal(poll_all(rig).ids, 0);
  ef_vi_transmitv_ctpio(vi, 100, pieces, 2, 64); /* not before the fallback */
  assert_int_equal(vi->last_ctpio_failed, 1);
  assert_int_equal(ef_vi_transmit_ctpio_fallback(vi, rig_addr(rig, 0), 100, 41), 0);
  struct outcome outcome = poll_all(rig);
  assert_int_equal(rig->sent, 1);
  assert_int_equal(outcome.ids, 1);
  assert_int_equal(outcome.id[0], 41);
  /* With a copy for the fallback. */
  ef_vi_transmitv_ctpio_copy(vi, 100, pieces, 2, EF_VI_CTPIO_CT_THRESHOLD_SNF, copy);
  assert_memory_equal(copy, frame, 100);
  assert_int_equal(ef_vi_transmitv_ctpio_fallback(vi, &fallback, 1, 42), 0);
  outcome = poll_all(rig);
  assert_int_equal(outcome.ids, 1);
  assert_int_equal(outcome.id[0], 42);
  assert_int_equal(rig->sent, 2);
  /* Where there is no room, or no packet, the fallback is the packet. */
  ef_vi_transmit_ctpio(vi, frame, 5, 64);
  assert_int_equal(vi->last_ctpio_failed, 1);
  ef_vi_transmitv_ctpio(vi, 100, NULL, 0, 64);
  assert_int_equal(vi->last_ctpio_failed, 1);
  assert_int_equal(ef_vi_transmit_ctpio_fallback(vi, rig_addr(rig, 0), 100, 43), 0);
  assert_int_equal(poll_all(rig).ids, 1);
  assert_int_equal(rig->sent, 3);
  assert_int_equal(rig->last[99], 0x32);
  for (int i = 0; i < RIG_RING; i++)
    assert_int_equal(ef_vi_transmit(vi, rig_addr(rig, 0), 100, i), 0);
  ef_vi_transmit_ctpio(vi, frame, 100, 64);
  assert_int_equal(vi->last_ctpio_failed, 1);
  assert_int_equal(ef_vi_transmit_ctpio_fallback(vi, rig_addr(rig, 0), 100, 44), -EAGAIN);
  assert_int_equal(ef_vi_transmit_ctpio_fallback(vi, rig_addr(rig, 0), SIZE_MAX, 44), -EINVAL);
}

/* --- Warming ------------------------------------------------------------------------------------
 */

static uint64_t port_counter(struct rig *rig, const char *name)
{
  struct shunt_port *port = efvi_own(&rig->vi)->device->port;
  struct shunt_statistic all[256];
  const unsigned n = shunt_port_statistics(port, all, 256);
  for (unsigned i = 0; i < n && i < 256; i++)
    if (strcmp(all[i].name, name) == 0)
      return all[i].value;
  fail_msg("no counter %s", name);
  return 0;
}

/* Every way to send is walked, and neither the wire nor the device's counters see any of it; the
 * next packets are themselves, and no id of a warm one ever comes. */
static void warming(void **state)
{
  struct rig *rig = *state;
  uint8_t frame[100];
  ef_iovec piece = {rig_addr(rig, 0), 100};
  ef_vi_tx_warm_state saved;
  ef_pio pio = {0};
  open_plain(rig, EF_VI_TX_ALT | EF_VI_TX_CTPIO);
  ef_vi *vi = &rig->vi;
  assert_int_equal(ef_pio_alloc(&pio, rig->handle, &rig->pd, 2048, rig->handle), 0);
  assert_int_equal(ef_pio_link_vi(&pio, rig->handle, vi, rig->handle), 0);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, rig->handle, 2, 65536), 0);
  rig_frame(rig, frame, 100, 2000, 0x44);
  send_marked(rig, 100, 1, 1);
  assert_int_equal(poll_all(rig).ids, 1);
  const uint64_t packets = port_counter(rig, "tx_packets"), bytes = port_counter(rig, "tx_bytes");
  assert_int_equal(packets, 1);
  for (int i = 0; i < 300; i++) {
    ef_vi_start_transmit_warm(vi, &saved, NULL);
    ef_vi_transmit_pio_warm(vi); /* which end without ending it */
    ef_vi_transmit_copy_pio_warm(vi, 64, frame, 100);
    assert_int_equal(ef_vi_transmit(vi, rig_addr(rig, 0), 100, 666), 0);
    assert_int_equal(ef_vi_transmitv(vi, &piece, 1, 666), 0);
    ef_vi_transmit_ctpio(vi, frame, 100, 64);
    assert_int_equal(ef_vi_transmit_ctpio_fallback(vi, rig_addr(rig, 0), 100, 666), 0);
    assert_int_equal(ef_vi_transmit_copy_pio(vi, 0, frame, 100, 666), 0);
    assert_int_equal(ef_vi_transmit_alt_select(vi, 1), 0);
    assert_int_equal(ef_vi_transmit(vi, rig_addr(rig, 0), 100, 666), 0);
    assert_int_equal(ef_vi_transmit_alt_go(vi, 1), 0);
    assert_int_equal(ef_vi_transmit_alt_select_normal(vi), 0);
    assert_int_equal(ef_vi_transmit_init(vi, rig_addr(rig, 0), 100, 666), 0);
    ef_vi_stop_transmit_warm(vi, &saved);
    ef_vi_transmit_pio_warm(vi);
    ef_vi_transmit_copy_pio_warm(vi, 64, frame, 100);
    efct_vi_start_transmit_warm(vi);
    assert_int_equal(ef_vi_transmit(vi, rig_addr(rig, 0), 100, 666), 0);
    efct_vi_stop_transmit_warm(vi);
  }
  assert_int_equal(poll_all(rig).ids, 0);
  rig_run(rig, 1000);
  assert_int_equal(rig->sent, 1);
  assert_int_equal(port_counter(rig, "tx_packets"), packets);
  assert_int_equal(port_counter(rig, "tx_bytes"), bytes);
  assert_int_equal(ef_vi_transmit_fill_level(vi), 0);
  assert_int_equal(efvi_own(vi)->alternatives->used, 0);
  send_marked(rig, 100, 0x77, 2);
  struct outcome outcome = poll_all(rig);
  assert_int_equal(outcome.ids, 1);
  assert_int_equal(outcome.id[0], 2);
  assert_int_equal(rig->sent, 2);
  assert_int_equal(rig->last[99], 0x77);
  assert_int_equal(ef_pio_unlink_vi(&pio, rig->handle, vi, rig->handle), 0);
  assert_int_equal(ef_pio_free(&pio, rig->handle), 0);
}

/* --- Extras -------------------------------------------------------------------------------------
 */

static void extras(void **state)
{
  struct rig *rig = *state;
  struct ef_vi_tx_extra extra = {.flags = EF_VI_TX_EXTRA_MARK};
  ef_remote_iovec piece = {
      .iov_base = rig_addr(rig, 0), .iov_len = 100, .addrspace = EF_ADDRSPACE_LOCAL};
  open_plain(rig, 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  assert_int_equal(ef_vi_transmitv_init_extra(&rig->vi, &extra, &piece, 1, 1), -EOPNOTSUPP);
  extra.flags = (enum ef_vi_tx_extra_flags)0;
  rig_frame(rig, rig_data(rig, 0), 100, 2000, 0x61);
  assert_int_equal(ef_vi_transmitv_init_extra(&rig->vi, &extra, &piece, 1, 1), 0);
  assert_int_equal(ef_vi_transmitv_init_extra(&rig->vi, NULL, &piece, 1, 2), 0);
  assert_int_equal(ef_vi_transmitv_init_extra(&rig->vi, NULL, &piece, 0, 2), -EINVAL);
  piece.addrspace = 5;
  assert_int_equal(ef_vi_transmitv_init_extra(&rig->vi, NULL, &piece, 1, 2), -EOPNOTSUPP);
#pragma GCC diagnostic pop
  ef_vi_transmit_push(&rig->vi);
  assert_int_equal(poll_all(rig).ids, 2);
  assert_int_equal(rig->sent, 2);
  assert_int_equal(rig->last[99], 0x61);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(alternatives_refuse),
      ON_RIG(alternatives_go),
      ON_RIG(alternatives_are_told_before_answers),
      ON_RIG(alternatives_jumbo),
      ON_RIG(pio_regions),
      ON_RIG(ctpio),
      ON_RIG(warming),
      ON_RIG(extras),
  };
  return cmocka_run_group_tests_name("efvi_send", tests, NULL, NULL);
}
