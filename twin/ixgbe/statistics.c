/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics (datasheet 8.2.3.23): cleared by reading, stuck at their maximum. Those of the port
 * lie in their registers, those of queues in queue_statistics.
 *
 * Bytes: the MAC counts the CRC, of received frames only where it is not stripped; the queues count
 * what crosses the bus. The datasheet does not say so, drivers correct for it (DPDK's
 * ixgbe_read_stats_registers). */
#include "twin/ixgbe/statistics.h"

#include <string.h>

#define LOW_32 UINT64_C(0xFFFFFFFF)

/* Low offsets of the counters that the datapath's sums go to, from the one list of them. */
#define OFFSET_OF(name, low, high, width, what) STATISTIC_##name = (low),
enum { IXGBE_STATISTICS(OFFSET_OF) };
#undef OFFSET_OF

/* ---- The port's ---- */

static uint64_t maximum(unsigned width)
{
  return width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

static uint64_t add_stuck(uint64_t value, uint64_t n, uint64_t most)
{
  return n > most - value ? most : value + n;
}

static void count_32(struct twin_ixgbe *twin, uint32_t offset, uint64_t n)
{
  twin_ixgbe_set(twin, offset, (uint32_t)add_stuck(twin_ixgbe_get(twin, offset), n, UINT32_MAX));
}

/* 36 bits: the four highest in the register behind. */
static void count_36(struct twin_ixgbe *twin, uint32_t low, uint64_t n)
{
  uint64_t value = twin_ixgbe_get(twin, low) | (uint64_t)twin_ixgbe_get(twin, low + 4) << 32;
  value = add_stuck(value, n, maximum(36));
  twin_ixgbe_set(twin, low, (uint32_t)value);
  twin_ixgbe_set(twin, low + 4, (uint32_t)(value >> 32));
}

void twin_ixgbe_count(struct twin_ixgbe *twin, uint32_t low_offset, uint64_t n)
{
  const struct twin_ixgbe_register *what = twin_ixgbe_register_at(twin, low_offset);
  if (!what || what->effect != TWIN_IXGBE_STATISTIC)
    return;
  if (what->width > 32) {
    count_36(twin, low_offset, n);
    return;
  }
  uint64_t value = twin_ixgbe_get(twin, low_offset);
  twin_ixgbe_set(twin, low_offset, (uint32_t)add_stuck(value, n, maximum(what->width)));
}

/* ---- What the datapath has counted ---- */

static uint64_t take(uint64_t *sum)
{
  uint64_t value = *sum;
  *sum = 0;
  return value;
}

/* Size classes and addresses of one direction. Returns how many frames there were. */
static uint64_t settle_mac(struct twin_ixgbe *twin, struct twin_ixgbe_mac_statistics *mac,
                           uint32_t sizes, uint32_t multicast, uint32_t broadcast)
{
  uint64_t frames = 0;
  for (unsigned i = 0; i < TWIN_IXGBE_SIZE_CLASSES; i++) { /* the six follow each other */
    uint64_t n = take(&mac->frames[i]);
    count_32(twin, sizes + 4 * i, n);
    frames += n;
  }
  count_32(twin, multicast, take(&mac->multicast));
  count_32(twin, broadcast, take(&mac->broadcast));
  return frames;
}

static void settle(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_counted *counted = &twin->counted;
  uint64_t frames = take(&counted->rx_all.frames);
  uint64_t bytes = take(&counted->rx_all.bytes) + frames * TWIN_IXGBE_FCS_BYTES;
  count_32(twin, STATISTIC_TPR, frames);
  count_36(twin, STATISTIC_TOR, bytes);
  count_32(twin, STATISTIC_RXNFGPC, frames);
  count_36(twin, STATISTIC_RXNFGBC, bytes);

  frames = settle_mac(twin, &counted->rx, STATISTIC_PRC64, STATISTIC_MPRC, STATISTIC_BPRC);
  count_32(twin, STATISTIC_GPRC, frames);
  count_36(twin, STATISTIC_GORC, take(&counted->rx.bytes));
  count_32(twin, STATISTIC_RXDGPC, take(&counted->rx_dma.frames));
  count_36(twin, STATISTIC_RXDGBC, take(&counted->rx_dma.bytes));

  frames = settle_mac(twin, &counted->tx, STATISTIC_PTC64, STATISTIC_MPTC, STATISTIC_BPTC);
  count_32(twin, STATISTIC_GPTC, frames);
  count_32(twin, STATISTIC_TPT, frames);
  count_36(twin, STATISTIC_GOTC, take(&counted->tx.bytes));
  count_32(twin, STATISTIC_TXDGPC, take(&counted->tx_dma.frames));
  count_36(twin, STATISTIC_TXDGBC, take(&counted->tx_dma.bytes));
}

bool twin_ixgbe_statistics_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value)
{
  settle(twin);
  *value = twin_ixgbe_get(twin, offset);
  twin_ixgbe_set(twin, offset, 0);
  return true;
}

void twin_ixgbe_statistics_reset(struct twin_ixgbe *twin)
{
  memset(twin->queue_statistics, 0, sizeof(twin->queue_statistics));
  memset(&twin->counted, 0, sizeof(twin->counted));
}

/* ---- The queues' ---- */

/* 32 bits, stuck at their maximum. */
static uint32_t take_32(uint64_t *counter)
{
  uint64_t value = take(counter);
  return (uint32_t)(value < maximum(32) ? value : maximum(32));
}

/* A half of 36 bits. Each is cleared by its own read, so a count between the two is not lost. */
static uint32_t take_half(uint64_t *counter, unsigned shift)
{
  uint64_t value = *counter < maximum(36) ? *counter : maximum(36);
  *counter = value & ~(LOW_32 << shift);
  return (uint32_t)(value >> shift);
}

bool twin_ixgbe_queue_statistics_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value)
{
  for (unsigned i = 0; i < IXGBE_STATISTICS_QUEUES; i++) {
    struct twin_ixgbe_queue_statistics *set = &twin->queue_statistics[i];
    if (offset == IXGBE_QPRC(i))
      *value = take_32(&set->rx_frames);
    else if (offset == IXGBE_QPRDC(i))
      *value = take_32(&set->rx_drops);
    else if (offset == IXGBE_QBRC_L(i))
      *value = take_half(&set->rx_bytes, 0);
    else if (offset == IXGBE_QBRC_H(i))
      *value = take_half(&set->rx_bytes, 32);
    else if (offset == IXGBE_QPTC(i))
      *value = take_32(&set->tx_frames);
    else if (offset == IXGBE_QBTC_L(i))
      *value = take_half(&set->tx_bytes, 0);
    else if (offset == IXGBE_QBTC_H(i))
      *value = take_half(&set->tx_bytes, 32);
    else
      continue;
    return true;
  }
  return false;
}
