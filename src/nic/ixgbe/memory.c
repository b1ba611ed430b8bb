/* SPDX-License-Identifier: BSD-2-Clause */
/* The rings' memory, and the structs of the queues.
 *
 * Descriptor rings lie in a region of the port's own, which the device sees through the same
 * mapping as the frames. A ring must not lie across a place where device addresses jump (every
 * SHUNT_REGION_ALIGN_BYTES): rings are powers of two no longer than that, given out on multiples of
 * their length, so they never do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/nic/ixgbe/ixgbe.h"

#define RING_MS 10 /* the datasheet says that ENABLE follows "in a few microseconds" */
_Static_assert(IXGBE_RXDCTL_ENABLE == IXGBE_TXDCTL_ENABLE, "one bit for both");

static int map_region(struct ixgbe *ixgbe, struct shunt_region *region, uint64_t **delta,
                      bool *mapped, const char *what, struct shunt_error *error)
{
  uint64_t steps =
      (shunt_region_bytes(region) + SHUNT_REGION_ALIGN_BYTES - 1) >> SHUNT_REGION_ALIGN_SHIFT;
  *delta = calloc(steps, sizeof(**delta));
  if (!*delta)
    return error_set_errno(error, -ENOMEM, "no memory for the addresses of the %s", what);
  int result = ixgbe->pci->ops->dma_map(ixgbe->pci, region, *delta, error);
  if (result)
    return shunt_error_within(error, result, "can't make the %s reachable for the NIC", what);
  *mapped = true;
  return 0;
}

static void ring_doorbell(struct shunt_ixgbe_queue *q, enum shunt_ixgbe_tail tail, uint32_t value)
{
  unsigned i = q->head.index;
  ixgbe_write(q->driver, tail == SHUNT_IXGBE_RDT ? IXGBE_RDT(i) : IXGBE_TDT(i), value);
}

static int create_rings(struct ixgbe *ixgbe, struct shunt_error *error)
{
  uint64_t descriptors = ixgbe->options.rx_ring + ixgbe->options.tx_ring;
  uint64_t to_align = ixgbe->options.tx_ring; /* the first Tx ring comes behind the last Rx ring */
  struct shunt_region_options wanted = {.size = sizeof(wanted),
                                        .bytes = (ixgbe->options.queues * descriptors + to_align) *
                                                 IXGBE_DESC_BYTES,
                                        .pages = SHUNT_PAGES_ANY,
                                        .numa_node = ixgbe->pci->numa_node};
  if (wanted.bytes < SHUNT_REGION_ALIGN_BYTES)
    wanted.bytes = SHUNT_REGION_ALIGN_BYTES;
  int result = shunt_region_create(&wanted, &ixgbe->ring_region, error);
  if (result)
    return shunt_error_within(error, result, "no memory for the descriptor rings");
  return map_region(ixgbe, ixgbe->ring_region, &ixgbe->ring_delta, &ixgbe->ring_mapped,
                    "descriptor rings", error);
}

static int create_queue(struct ixgbe *ixgbe, unsigned index)
{
  const struct shunt_port_options *options = &ixgbe->options;
  size_t bytes = (sizeof(struct shunt_ixgbe_queue) + SHUNT_CACHE_LINE_BYTES - 1) &
                 ~(size_t)(SHUNT_CACHE_LINE_BYTES - 1);
  struct shunt_ixgbe_queue *q = aligned_alloc(SHUNT_CACHE_LINE_BYTES, bytes);
  if (!q)
    return -ENOMEM;
  memset(q, 0, bytes);
  ixgbe->queues[index] = q;
  ixgbe->queue_count = index + 1;
  q->rx_slots = calloc(options->rx_ring, sizeof(*q->rx_slots));
  q->tx_slots = calloc(options->tx_ring, sizeof(*q->tx_slots));
  if (!q->rx_slots || !q->tx_slots)
    return -ENOMEM;

  uint32_t buf_bytes = shunt_region_buf_bytes(options->region);
  q->head.base = shunt_region_base(options->region);
  q->head.port = &ixgbe->port;
  q->head.index = index;
  q->head.buf_bytes = buf_bytes;
  q->delta = ixgbe->frame_delta;
  q->buf_mask = ~(uint64_t)(buf_bytes - 1);
  q->driver = ixgbe;
  q->doorbell = ring_doorbell;
  ixgbe_verbs_install(q, pci_direct(ixgbe->pci, IXGBE_RDT(index)),
                      pci_direct(ixgbe->pci, IXGBE_TDT(index)), options->rx_metadata);
  return 0;
}

int ixgbe_memory_create(struct ixgbe *ixgbe, struct shunt_error *error)
{
  int result = map_region(ixgbe, ixgbe->options.region, &ixgbe->frame_delta, &ixgbe->frame_mapped,
                          "frames", error);
  if (!result)
    result = create_rings(ixgbe, error);
  if (result)
    return result;
  for (unsigned i = 0; i < ixgbe->options.queues; i++)
    if (create_queue(ixgbe, i))
      return error_set_errno(error, -ENOMEM, "no memory for queue %u", i);
  return 0;
}

void ixgbe_memory_destroy(struct ixgbe *ixgbe)
{
  struct pci *pci = ixgbe->pci;
  for (unsigned i = 0; i < ixgbe->queue_count; i++) {
    free(ixgbe->queues[i]->rx_slots);
    free(ixgbe->queues[i]->tx_slots);
    free(ixgbe->queues[i]);
  }
  ixgbe->queue_count = 0;
  if (ixgbe->ring_mapped)
    pci->ops->dma_unmap(pci, ixgbe->ring_region, ixgbe->ring_delta);
  if (ixgbe->frame_mapped)
    pci->ops->dma_unmap(pci, ixgbe->options.region, ixgbe->frame_delta);
  ixgbe->ring_mapped = ixgbe->frame_mapped = false;
  shunt_region_destroy(ixgbe->ring_region);
  free(ixgbe->ring_delta);
  free(ixgbe->frame_delta);
}

void *ixgbe_ring_take(struct ixgbe *ixgbe, uint32_t descriptors, uint64_t *device_address)
{
  uint64_t bytes = (uint64_t)descriptors * IXGBE_DESC_BYTES;
  uint64_t offset = (ixgbe->ring_used + bytes - 1) & ~(bytes - 1);
  uint8_t *ring = (uint8_t *)shunt_region_base(ixgbe->ring_region) + offset;
  ixgbe->ring_used = offset + bytes;
  memset(ring, 0, bytes);
  *device_address = offset + ixgbe->ring_delta[offset >> SHUNT_REGION_ALIGN_SHIFT];
  return ring;
}

int ixgbe_ring_wait(struct ixgbe *ixgbe, const char *control, unsigned i, uint32_t offset,
                    bool enabled, struct shunt_error *error)
{
  char name[48];
  snprintf(name, sizeof(name), "%s.ENABLE of queue %u", control, i);
  return ixgbe_wait_ms(ixgbe, offset, IXGBE_RXDCTL_ENABLE, enabled ? IXGBE_RXDCTL_ENABLE : 0,
                       RING_MS, name, error);
}
