/* SPDX-License-Identifier: BSD-2-Clause */
/* The transmit unit and its queues (datasheet 4.6.8). */
#include "src/nic/ixgbe/ixgbe.h"

/* What is queued may still go out before a queue is stopped, if the link lets it: 4096 frames of
 * 9.7 KB take 32 ms at 10 Gb/s. */
#define DRAIN_MS 40

/* 7.2.3.4.1: fetch when fewer than 36 descriptors are on the chip and at least 8 are ready; with
 * none on the chip it fetches whatever there is. No grouped write-back, because RS chooses. */
#define THRESHOLDS                                                                                 \
  (HW_FIELD(IXGBE_TXDCTL_PTHRESH, 36u) | HW_FIELD(IXGBE_TXDCTL_HTHRESH, 8u) |                      \
   HW_FIELD(IXGBE_TXDCTL_WTHRESH, 0u))

/* 4.6.11.3.4, neither DCB nor virtual machines: one packet buffer of 160 KiB, of which the largest
 * frame must stay free; reads without limit. MTQC only under a stopped arbiter (8.2.3.9). */
static void start_packet_buffer(struct ixgbe *ixgbe)
{
  ixgbe_set(ixgbe, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS);
  ixgbe_write(ixgbe, IXGBE_MTQC, 0);
  ixgbe_write(ixgbe, IXGBE_TXPBSIZE(0), IXGBE_TX_PACKET_BUFFER_BYTES);
  ixgbe_write(ixgbe, IXGBE_TXPBTHRESH(0), IXGBE_TX_PACKET_BUFFER_BYTES / 1024 - 10);
  for (unsigned i = 1; i < IXGBE_TRAFFIC_CLASSES; i++) {
    ixgbe_write(ixgbe, IXGBE_TXPBSIZE(i), 0);
    ixgbe_write(ixgbe, IXGBE_TXPBTHRESH(i), 0);
  }
  ixgbe_write(ixgbe, IXGBE_DTXMXSZRQ, IXGBE_DTXMXSZRQ_MAX_BYTES_NUM_REQ);
  ixgbe_clear(ixgbe, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS);
}

/* 4.6.8.1 */
static void set_up_queue(struct ixgbe *ixgbe, struct shunt_ixgbe_queue *q)
{
  unsigned i = q->head.index;
  uint32_t descriptors = ixgbe->options.tx_ring;
  uint64_t address;
  q->tx_ring = ixgbe_ring_take(ixgbe, descriptors, &address);
  q->tx_mask = descriptors - 1;
  q->tx_interval = ixgbe->options.tx_report_interval;

  ixgbe_write(ixgbe, IXGBE_TDBAL(i), (uint32_t)address);
  ixgbe_write(ixgbe, IXGBE_TDBAH(i), (uint32_t)(address >> 32));
  ixgbe_write(ixgbe, IXGBE_TDLEN(i), descriptors * IXGBE_DESC_BYTES);
  ixgbe_write(ixgbe, IXGBE_TDWBAL(i), 0); /* DD in the descriptor, not a written-back head */
  ixgbe_write(ixgbe, IXGBE_TDWBAH(i), 0);
  /* Write-backs in the order of their frames, which relaxed ordering would not promise: tx_poll
   * looks at the last of a group and believes the others. */
  ixgbe_clear(ixgbe, IXGBE_DCA_TXCTRL(i), IXGBE_DCA_TXCTRL_DESC_WRO_EN);
  ixgbe_write(ixgbe, IXGBE_RTTDQSEL, i); /* no rate limit left over from an earlier owner */
  ixgbe_write(ixgbe, IXGBE_RTTBCNRC, 0);
  ixgbe_write(ixgbe, IXGBE_TDH(i), 0);
  ixgbe_write(ixgbe, IXGBE_TDT(i), 0);
}

static int enable_queue(struct ixgbe *ixgbe, unsigned i, struct shunt_error *error)
{
  ixgbe_write(ixgbe, IXGBE_TXDCTL(i), THRESHOLDS | IXGBE_TXDCTL_ENABLE);
  return ixgbe_ring_wait(ixgbe, "TXDCTL", i, IXGBE_TXDCTL(i), true, error);
}

/* 4.6.8: the unit goes on before its queues. */
int ixgbe_tx_start(struct ixgbe *ixgbe, struct shunt_error *error)
{
  start_packet_buffer(ixgbe);
  ixgbe_set(ixgbe, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
  for (unsigned i = 0; i < ixgbe->queue_count; i++) {
    set_up_queue(ixgbe, ixgbe->queues[i]);
    int result = enable_queue(ixgbe, i, error);
    if (result)
      return result;
  }
  return 0;
}

/* Give what was pushed its chance; a link that is down keeps it for ever, which is no error. */
static void drain(struct ixgbe *ixgbe)
{
  for (unsigned us = 0; us < DRAIN_MS * 1000; us += 100) {
    bool empty = true;
    for (unsigned i = 0; i < ixgbe->queue_count && empty; i++)
      empty = ixgbe_read(ixgbe, IXGBE_TDH(i)) == ixgbe_read(ixgbe, IXGBE_TDT(i));
    if (empty)
      return;
    ixgbe_delay_us(ixgbe, 100);
  }
}

/* 4.6.8.1.2: a queue is disabled when it is empty or its frames are given up; TE goes last. */
int ixgbe_tx_stop(struct ixgbe *ixgbe, struct shunt_error *error)
{
  if (ixgbe_link_speed_mbps(ixgbe))
    drain(ixgbe);
  for (unsigned i = 0; i < ixgbe->queue_count; i++)
    ixgbe_write(ixgbe, IXGBE_TXDCTL(i), IXGBE_TXDCTL_SWFLSH);
  for (unsigned i = 0; i < ixgbe->queue_count; i++) {
    int result = ixgbe_ring_wait(ixgbe, "TXDCTL", i, IXGBE_TXDCTL(i), false, error);
    if (result)
      return result;
  }
  ixgbe_clear(ixgbe, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
  return 0;
}
