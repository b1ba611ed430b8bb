/* SPDX-License-Identifier: BSD-2-Clause */
/* What the datapath counts, for every frame: sums that statistics.c moves to the registers as soon
 * as one of these is read. Nobody sees the registers in between, for they lie in pages that are
 * never shared. bytes is without FCS; statistics.c knows which registers count it. */
#ifndef TWIN_IXGBE_STATISTICS_H
#define TWIN_IXGBE_STATISTICS_H

#include <string.h>

#include "twin/ixgbe/ixgbe.h"

#define TWIN_IXGBE_FCS_BYTES 4u

/* 8.2.3.23.5 - .10: up to 64 bytes, and then a class to each power of two, the last without end. */
static inline unsigned twin_ixgbe_size_class(uint32_t bytes_with_fcs)
{
  unsigned power = 31u - (unsigned)__builtin_clz(bytes_with_fcs);
  if (bytes_with_fcs <= 64)
    return 0;
  return power < 10 ? power - 5 : 5;
}

/* FCS bytes that a received frame counts with behind the stripper. */
static inline uint32_t twin_ixgbe_rx_fcs_bytes(const struct twin_ixgbe *twin)
{
  return twin_ixgbe_get(twin, IXGBE_HLREG0) & IXGBE_HLREG0_RXCRCSTRP ? 0 : TWIN_IXGBE_FCS_BYTES;
}

static inline void twin_ixgbe_count_mac(struct twin_ixgbe_mac_statistics *mac, const uint8_t *frame,
                                        uint32_t bytes)
{
  mac->frames[twin_ixgbe_size_class(bytes + TWIN_IXGBE_FCS_BYTES)]++;
  if (SHUNT_LIKELY(!(frame[0] & 1)))
    return;
  static const uint8_t all_ones[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
  if (memcmp(frame, all_ones, sizeof(all_ones)) == 0)
    mac->broadcast++;
  else
    mac->multicast++;
}

/* The set that a queue counts in: RQSMR and TQSM hold four queues to a register. */
static inline struct twin_ixgbe_queue_statistics *twin_ixgbe_set_of(struct twin_ixgbe *twin,
                                                                    uint32_t map, unsigned queue)
{
  uint32_t sets = twin_ixgbe_get(twin, map + queue / 4 * 4);
  return &twin->queue_statistics[HW_GET(IXGBE_QSM_SET(queue), sets)];
}

/* A frame came from the wire, */
static inline void twin_ixgbe_count_rx_all(struct twin_ixgbe *twin, uint32_t bytes)
{
  twin->counted.rx_all.frames++;
  twin->counted.rx_all.bytes += bytes;
}

/* passed the L2 filters, */
static inline void twin_ixgbe_count_rx(struct twin_ixgbe *twin, const uint8_t *frame,
                                       uint32_t bytes)
{
  twin->counted.rx.bytes += bytes + twin_ixgbe_rx_fcs_bytes(twin);
  twin_ixgbe_count_mac(&twin->counted.rx, frame, bytes);
}

/* and reached a queue, */
static inline void twin_ixgbe_count_rx_queue(struct twin_ixgbe *twin, unsigned queue,
                                             uint32_t bytes)
{
  struct twin_ixgbe_queue_statistics *set = twin_ixgbe_set_of(twin, IXGBE_RQSMR(0), queue);
  bytes += twin_ixgbe_rx_fcs_bytes(twin);
  set->rx_frames++;
  set->rx_bytes += bytes;
  twin->counted.rx_dma.frames++;
  twin->counted.rx_dma.bytes += bytes;
}

/* or found no descriptor there with DROP_EN set. */
static inline void twin_ixgbe_count_rx_queue_drop(struct twin_ixgbe *twin, unsigned queue)
{
  twin_ixgbe_set_of(twin, IXGBE_RQSMR(0), queue)->rx_drops++;
}

/* A frame was sent, */
static inline void twin_ixgbe_count_tx(struct twin_ixgbe *twin, const uint8_t *frame,
                                       uint32_t bytes)
{
  twin->counted.tx.bytes += bytes + TWIN_IXGBE_FCS_BYTES;
  twin_ixgbe_count_mac(&twin->counted.tx, frame, bytes);
}

/* by a queue that counts in this set. */
static inline void twin_ixgbe_count_tx_set(struct twin_ixgbe *twin,
                                           struct twin_ixgbe_queue_statistics *set, uint32_t bytes)
{
  set->tx_frames++;
  set->tx_bytes += bytes;
  twin->counted.tx_dma.frames++;
  twin->counted.tx_dma.bytes += bytes;
}

#endif
