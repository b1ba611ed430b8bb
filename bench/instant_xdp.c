/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/instant_xdp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum word {
  RX_PRODUCER,
  RX_CONSUMER,
  FILL_PRODUCER,
  FILL_FLAGS,
  TX_PRODUCER,
  TX_CONSUMER,
  TX_FLAGS,
  DONE_PRODUCER,
  DONE_CONSUMER,
};

/* The kernel has taken all by the time that the call returns. */
static ssize_t instant_send(int fd)
{
  (void)fd;
  return 0;
}

static const struct xdp_system instant_system = {.send = instant_send};

int instant_xdp_create(struct instant_xdp *device, struct shunt_region *region,
                       struct shunt_pool *pool, uint32_t ring, const uint8_t *frame,
                       uint32_t frame_bytes)
{
  struct shunt_xdp_queue *q = &device->queue.inlined;
  uint32_t *words = device->words;
  memset(device, 0, sizeof(*device));
  device->frame = frame;
  device->frame_bytes = frame_bytes;
  device->xdp.system = &instant_system;
  device->queue.xdp = &device->xdp;
  xdp_verbs_install(q, false);
  q->head.base = shunt_region_base(region);
  q->head.buf_bytes = shunt_region_buf_bytes(region);
  words[TX_FLAGS] = XDP_RING_NEED_WAKEUP;
  q->rx_producer = &words[RX_PRODUCER];
  q->rx_consumer = &words[RX_CONSUMER];
  q->fill_producer = &words[FILL_PRODUCER];
  q->fill_flags = q->rx_flags = &words[FILL_FLAGS];
  q->tx_producer = &words[TX_PRODUCER];
  q->tx_consumer = &words[TX_CONSUMER];
  q->tx_flags = &words[TX_FLAGS];
  q->done_producer = &words[DONE_PRODUCER];
  q->done_consumer = &words[DONE_CONSUMER];
  q->rx_mask = q->tx_mask = ring - 1;
  q->tx_inline_slots = ring;
  q->rx_ring = calloc(ring, sizeof(*q->rx_ring));
  q->tx_ring = calloc(ring, sizeof(*q->tx_ring));
  q->fill_ring = calloc(ring, sizeof(*q->fill_ring));
  q->done_ring = calloc(ring, sizeof(*q->done_ring));
  if (!q->rx_ring || !q->tx_ring || !q->fill_ring || !q->done_ring) {
    instant_xdp_destroy(device);
    return -ENOMEM;
  }
  shunt_rx_fill(&q->head, pool);
  return 0;
}

void instant_xdp_destroy(struct instant_xdp *device)
{
  struct shunt_xdp_queue *q = &device->queue.inlined;
  free((void *)(uintptr_t)q->rx_ring);
  free(q->tx_ring);
  free(q->fill_ring);
  free((void *)(uintptr_t)q->done_ring);
  memset(device, 0, sizeof(*device));
}

/* Frames lie behind the kernel's headroom, as received ones do. */
void instant_xdp_step(struct instant_xdp *device)
{
  struct shunt_xdp_queue *q = &device->queue.inlined;
  struct xdp_desc *rx_ring = (struct xdp_desc *)(uintptr_t)q->rx_ring;
  uint64_t *done_ring = (uint64_t *)(uintptr_t)q->done_ring;
  uint32_t *words = device->words;
  device->doorbells += device->queue.counts.tx_wakes != device->wakes_seen;
  device->wakes_seen = device->queue.counts.tx_wakes;
  for (; words[RX_PRODUCER] != words[FILL_PRODUCER]; words[RX_PRODUCER]++) {
    const uint32_t slot = words[RX_PRODUCER] & q->rx_mask;
    const uint64_t buf = q->fill_ring[slot] & ~(uint64_t)(q->head.buf_bytes - 1);
    rx_ring[slot] =
        (struct xdp_desc){.addr = buf + XDP_RX_HEADROOM_BYTES, .len = device->frame_bytes};
    memcpy(q->head.base + rx_ring[slot].addr, device->frame, device->frame_bytes);
  }
  for (; words[TX_CONSUMER] != words[TX_PRODUCER]; words[TX_CONSUMER]++) {
    done_ring[words[DONE_PRODUCER] & q->tx_mask] = q->tx_ring[words[TX_CONSUMER] & q->tx_mask].addr;
    words[DONE_PRODUCER]++;
  }
}
