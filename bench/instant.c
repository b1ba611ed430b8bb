/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/instant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/nic/ixgbe/verbs.h"

int instant_create(struct instant *device, struct shunt_region *region, struct shunt_pool *pool,
                   uint32_t ring, const uint8_t *frame, uint32_t frame_bytes)
{
  struct shunt_ixgbe_queue *q = &device->queue;
  memset(device, 0, sizeof(*device));
  device->frame = frame;
  device->frame_bytes = frame_bytes;
  uint64_t jumps = shunt_region_bytes(region) >> SHUNT_REGION_ALIGN_SHIFT;
  uint64_t *delta = calloc(jumps, sizeof(*delta));
  ixgbe_verbs_install(q, &device->rdt, &device->tdt, false);
  q->head.base = shunt_region_base(region);
  q->head.buf_bytes = shunt_region_buf_bytes(region);
  q->delta = delta;
  q->buf_mask = ~(uint64_t)(q->head.buf_bytes - 1);
  q->rx_mask = q->tx_mask = ring - 1;
  q->rx_batch = ring / 8;
  q->rx_low = ring / 2;
  q->rx_keep = UINT64_C(0xFFFF00000000) | IXGBE_RXD_STAT_EOP | SHUNT_FRAME_L4_CHECKED |
               SHUNT_FRAME_IP_CHECKED | SHUNT_FRAME_L4_BAD | SHUNT_FRAME_IP_BAD |
               SHUNT_FRAME_DAMAGED;
  q->tx_interval = 1;
  q->rx_ring = calloc(ring, sizeof(*q->rx_ring));
  q->tx_ring = calloc(ring, sizeof(*q->tx_ring));
  q->rx_slots = calloc(ring, sizeof(*q->rx_slots));
  q->tx_slots = calloc(ring, sizeof(*q->tx_slots));
  if (!delta || !q->rx_ring || !q->tx_ring || !q->rx_slots || !q->tx_slots) {
    instant_destroy(device);
    return -ENOMEM;
  }
  shunt_rx_fill(&q->head, pool);
  return 0;
}

void instant_destroy(struct instant *device)
{
  struct shunt_ixgbe_queue *q = &device->queue;
  free((void *)(uintptr_t)q->delta);
  free(q->rx_ring);
  free(q->tx_ring);
  free(q->rx_slots);
  free(q->tx_slots);
  memset(q, 0, sizeof(*q));
}

void instant_step(struct instant *device)
{
  struct shunt_ixgbe_queue *q = &device->queue;
  device->doorbells += (device->rdt != device->rx_seen) + (device->tdt != device->tx_seen);
  device->rx_seen = device->rdt;
  device->tx_seen = device->tdt;
  for (; (device->rx_head & q->rx_mask) != device->rdt; device->rx_head++) {
    union ixgbe_rx_desc *desc = &q->rx_ring[device->rx_head & q->rx_mask];
    memcpy(q->head.base + desc->read.packet_address, device->frame, device->frame_bytes);
    desc->wb.info = 0;
    desc->wb.hash = 0;
    desc->quad[1] = (uint64_t)device->frame_bytes << 32 | IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP;
  }
  for (; (device->tx_head & q->tx_mask) != device->tdt; device->tx_head++) {
    union ixgbe_tx_desc *desc = &q->tx_ring[device->tx_head & q->tx_mask];
    if (desc->read.cmd_type_len & IXGBE_TXD_RS)
      desc->wb.status = IXGBE_TXD_STAT_DD;
  }
}
