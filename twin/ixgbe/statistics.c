/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics (datasheet 8.2.3.23): cleared by reading, stuck at their maximum. Those of the port
 * lie in their registers, those of queues in queue_statistics.
 *
 * Bytes: the MAC counts the CRC, of received frames only where it is not stripped; the queues count
 * what crosses the bus. The datasheet does not say so, drivers correct for it (DPDK's
 * ixgbe_read_stats_registers). */
#include <string.h>

#include "twin/ixgbe/ixgbe.h"

#define CRC_BYTES 4u
#define LOW_32    UINT64_C(0xFFFFFFFF)

/* Low offsets of the counters that the functions below add to, from the one list of them. */
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

bool twin_ixgbe_statistics_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value)
{
  *value = twin_ixgbe_get(twin, offset);
  twin_ixgbe_set(twin, offset, 0);
  return true;
}

/* The counter of a frame's size class; the six follow each other (8.2.3.23.5 - .10). */
static uint32_t size_class(uint32_t first, uint32_t bytes)
{
  static const uint16_t last[] = {64, 127, 255, 511, 1023};
  unsigned class = 0;
  while (class < sizeof(last) / sizeof(last[0]) && bytes > last[class])
    class ++;
  return first + 4 * class;
}

static void count_casts(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t multicast,
                        uint32_t broadcast)
{
  static const uint8_t all_ones[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
  if (SHUNT_LIKELY(!(frame[0] & 1)))
    return;
  count_32(twin, memcmp(frame, all_ones, sizeof(all_ones)) ? multicast : broadcast, 1);
}

/* CRC bytes that a received frame counts with behind the stripper. */
static uint32_t rx_crc_bytes(const struct twin_ixgbe *twin)
{
  return twin_ixgbe_get(twin, IXGBE_HLREG0) & IXGBE_HLREG0_RXCRCSTRP ? 0 : CRC_BYTES;
}

void twin_ixgbe_count_rx_all(struct twin_ixgbe *twin, uint32_t bytes)
{
  count_32(twin, STATISTIC_TPR, 1);
  count_36(twin, STATISTIC_TOR, bytes + CRC_BYTES);
  count_32(twin, STATISTIC_RXNFGPC, 1);
  count_36(twin, STATISTIC_RXNFGBC, bytes + CRC_BYTES);
}

void twin_ixgbe_count_rx(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes)
{
  count_32(twin, STATISTIC_GPRC, 1);
  count_36(twin, STATISTIC_GORC, bytes + rx_crc_bytes(twin));
  count_32(twin, size_class(STATISTIC_PRC64, bytes + CRC_BYTES), 1);
  count_casts(twin, frame, STATISTIC_MPRC, STATISTIC_BPRC);
}

void twin_ixgbe_count_tx(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes)
{
  bytes += CRC_BYTES;
  count_32(twin, STATISTIC_GPTC, 1);
  count_36(twin, STATISTIC_GOTC, bytes);
  count_32(twin, STATISTIC_TPT, 1);
  count_32(twin, size_class(STATISTIC_PTC64, bytes), 1);
  count_casts(twin, frame, STATISTIC_MPTC, STATISTIC_BPTC);
}

/* ---- The queues' ---- */

/* The set that a queue counts in: four queues to a register. */
static struct twin_ixgbe_queue_statistics *set_of(struct twin_ixgbe *twin, uint32_t map,
                                                  unsigned queue)
{
  uint32_t sets = twin_ixgbe_get(twin, map + 4 * (queue / 4));
  return &twin->queue_statistics[HW_GET(IXGBE_QSM_SET(queue), sets)];
}

void twin_ixgbe_count_rx_queue(struct twin_ixgbe *twin, unsigned queue, uint32_t bytes)
{
  struct twin_ixgbe_queue_statistics *set = set_of(twin, IXGBE_RQSMR(0), queue);
  set->rx_frames = add_stuck(set->rx_frames, 1, UINT32_MAX);
  bytes += rx_crc_bytes(twin);
  set->rx_bytes = add_stuck(set->rx_bytes, bytes, maximum(36));
  count_32(twin, STATISTIC_RXDGPC, 1);
  count_36(twin, STATISTIC_RXDGBC, bytes);
}

void twin_ixgbe_count_rx_queue_drop(struct twin_ixgbe *twin, unsigned queue)
{
  struct twin_ixgbe_queue_statistics *set = set_of(twin, IXGBE_RQSMR(0), queue);
  set->rx_drops = add_stuck(set->rx_drops, 1, UINT32_MAX);
}

void twin_ixgbe_count_tx_queue(struct twin_ixgbe *twin, unsigned queue, uint32_t bytes)
{
  struct twin_ixgbe_queue_statistics *set = set_of(twin, IXGBE_TQSM(0), queue);
  set->tx_frames = add_stuck(set->tx_frames, 1, UINT32_MAX);
  set->tx_bytes = add_stuck(set->tx_bytes, bytes, maximum(36));
  count_32(twin, STATISTIC_TXDGPC, 1);
  count_36(twin, STATISTIC_TXDGBC, bytes);
}

/* Each half is cleared by its own read, so a count between the two is not lost. */
static uint32_t take_low(uint64_t *counter)
{
  uint32_t value = (uint32_t)*counter;
  *counter &= ~LOW_32;
  return value;
}

static uint32_t take_high(uint64_t *counter)
{
  uint32_t value = (uint32_t)(*counter >> 32);
  *counter &= LOW_32;
  return value;
}

bool twin_ixgbe_queue_statistics_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value)
{
  for (unsigned i = 0; i < IXGBE_STATISTICS_QUEUES; i++) {
    struct twin_ixgbe_queue_statistics *set = &twin->queue_statistics[i];
    if (offset == IXGBE_QPRC(i))
      *value = take_low(&set->rx_frames);
    else if (offset == IXGBE_QPRDC(i))
      *value = take_low(&set->rx_drops);
    else if (offset == IXGBE_QBRC_L(i))
      *value = take_low(&set->rx_bytes);
    else if (offset == IXGBE_QBRC_H(i))
      *value = take_high(&set->rx_bytes);
    else if (offset == IXGBE_QPTC(i))
      *value = take_low(&set->tx_frames);
    else if (offset == IXGBE_QBTC_L(i))
      *value = take_low(&set->tx_bytes);
    else if (offset == IXGBE_QBTC_H(i))
      *value = take_high(&set->tx_bytes);
    else
      continue;
    return true;
  }
  return false;
}
