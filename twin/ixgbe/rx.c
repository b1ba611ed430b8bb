/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive: frames to descriptors (datasheet 7.1). */
#include "twin/ixgbe/rx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ixgbe/tx.h"

struct rx_queue {
  uint64_t ring_iova;
  uint32_t count, head;
  uint32_t bad_tail;
};

struct twin_ixgbe_rx {
  struct rx_queue queues[TWIN_IXGBE_QUEUES];
};

static void rx_place(struct twin_ixgbe *twin, unsigned index, const uint8_t *frame, uint32_t bytes)
{
  struct rx_queue *queue = &twin->rx->queues[index];
  uint32_t tail = twin_ixgbe_get_acquire(twin, IXGBE_RDT(index));
  if (!queue->count || tail == queue->head || tail >= queue->count) {
    twin->drops.no_descriptor++;
    return;
  }
  union ixgbe_rx_desc *ring =
      shunt_model_dma(&twin->model, queue->ring_iova, (uint64_t)queue->count * IXGBE_DESC_BYTES, 1);
  if (!ring) {
    twin->faults.dma_refused++;
    return;
  }
  union ixgbe_rx_desc *descriptor = &ring[queue->head];
  uint64_t iova = __atomic_load_n(&descriptor->quad[0], __ATOMIC_RELAXED);
  uint8_t *to = shunt_model_dma(&twin->model, iova, bytes, 1);
  if (to)
    memcpy(to, frame, bytes);
  else
    twin->faults.dma_refused++;
  union ixgbe_rx_desc out = {
      .wb = {.status_error = IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP, .length = (uint16_t)bytes}};
  queue->head = queue->head + 1 == queue->count ? 0 : queue->head + 1;
  __atomic_store_n(&descriptor->quad[0], out.quad[0], __ATOMIC_RELAXED);
  __atomic_store_n(&descriptor->quad[1], out.quad[1], __ATOMIC_RELEASE);
  twin_ixgbe_set(twin, IXGBE_RDH(index), queue->head);
  twin_ixgbe_interrupt_rx(twin, index);
}

void twin_ixgbe_rx_deliver(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes)
{
  if (!(twin_ixgbe_get(twin, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN)) {
    twin->drops.rx_disabled++;
    return;
  }
  twin_ixgbe_count_rx(twin, frame, bytes);
  rx_place(twin, 0, frame, bytes);
}

void twin_ixgbe_rx_loopback(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes)
{
  twin_ixgbe_rx_deliver(twin, frame, bytes);
}

unsigned twin_ixgbe_rx_poll(struct twin_ixgbe *twin)
{
  (void)twin;
  return 0;
}

void twin_ixgbe_rx_enable(struct twin_ixgbe *twin, unsigned index, bool on)
{
  struct rx_queue *queue = &twin->rx->queues[index];
  uint64_t bit = UINT64_C(1) << index % 64;
  memset(queue, 0, sizeof(*queue));
  queue->bad_tail = UINT32_MAX;
  twin->rx_enabled[index / 64] &= ~bit;
  if (!on)
    return;
  twin->rx_enabled[index / 64] |= bit;

  uint64_t base = (uint64_t)twin_ixgbe_get(twin, IXGBE_RDBAH(index)) << 32 |
                  twin_ixgbe_get(twin, IXGBE_RDBAL(index));
  uint32_t bytes = twin_ixgbe_get(twin, IXGBE_RDLEN(index));
  if (!twin_ixgbe_ring_is_valid(base, bytes)) {
    twin->faults.bad_ring++;
    return;
  }
  queue->ring_iova = base;
  queue->count = bytes / IXGBE_DESC_BYTES;
  queue->head = twin_ixgbe_get(twin, IXGBE_RDH(index));
  if (queue->head >= queue->count)
    queue->head = 0;
}

int twin_ixgbe_rx_create(struct twin_ixgbe *twin)
{
  twin->rx = calloc(1, sizeof(*twin->rx));
  if (!twin->rx)
    return -ENOMEM;
  return 0;
}

void twin_ixgbe_rx_destroy(struct twin_ixgbe *twin)
{
  free(twin->rx);
  twin->rx = NULL;
}

void twin_ixgbe_rx_reset(struct twin_ixgbe *twin)
{
  for (unsigned i = 0; i < TWIN_IXGBE_QUEUES; i++)
    twin_ixgbe_rx_enable(twin, i, false);
}
