/* SPDX-License-Identifier: BSD-2-Clause */
/* An 82599 that does everything at once and nothing else: each descriptor that it was told of is
 * complete at the next step. What is left to count is the driver's own code. */
#ifndef BENCH_INSTANT_H
#define BENCH_INSTANT_H

#include "shunt/ixgbe.h"

struct instant {
  struct shunt_ixgbe_queue queue;
  uint32_t rdt, tdt;         /* the registers */
  uint32_t rx_head, tx_head; /* how far the device is, free-running */
  uint32_t rx_seen, tx_seen; /* tails at the last step */
  uint64_t doorbells;        /* steps that found a new tail, each direction for itself */
  const uint8_t *frame;      /* what it receives, over and over */
  uint32_t frame_bytes;
};

/* A queue of ring descriptors each way on the region, its Rx ring full of buffers of the pool.
 * Returns 0 or -ENOMEM. */
int instant_create(struct instant *device, struct shunt_region *region, struct shunt_pool *pool,
                   uint32_t ring, const uint8_t *frame, uint32_t frame_bytes);
void instant_destroy(struct instant *device);

void instant_step(struct instant *device);

#endif
