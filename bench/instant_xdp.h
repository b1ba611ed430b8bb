/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's side of an AF_XDP socket, in memory: buffers of the fill ring are frames at the next
 * step, and what was sent is complete. What is left to count is the user-space half. As in copy
 * mode, the send ring always asks for a wake-up: each push makes a (pretended) system call. */
#ifndef BENCH_INSTANT_XDP_H
#define BENCH_INSTANT_XDP_H

#include "src/nic/xdp/xdp.h"

struct instant_xdp {
  struct xdp_queue queue;
  struct xdp xdp;
  uint32_t words[10];  /* producers, consumers and flags of the rings */
  uint64_t wakes_seen; /* pretended system calls at the last step */
  uint64_t doorbells;  /* steps that found a new one */
  uint32_t frame_bytes;
  const uint8_t *frame; /* what it receives, over and over */
};

/* A queue of ring entries each way on the region, its fill ring full of buffers of the pool.
 * Returns 0 or -ENOMEM. */
int instant_xdp_create(struct instant_xdp *device, struct shunt_region *region,
                       struct shunt_pool *pool, uint32_t ring, const uint8_t *frame,
                       uint32_t frame_bytes);
void instant_xdp_destroy(struct instant_xdp *device);

void instant_xdp_step(struct instant_xdp *device);

#endif
