/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that the device reaches: the driver's own, for rings and page lists, and the caller's
 * regions.
 *
 * Device addresses jump at multiples of 2 MiB (SHUNT_REGION_ALIGN_BYTES). The driver's own memory
 * comes in chunks of that length, cut into powers of two at multiples of their length, so that no
 * ring lies across a jump. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/nic/efa/efa.h"

/* --- The driver's own ----------------------------------------------------------------------------
 */

static struct efa_chunk *chunk_create(struct efa *efa, struct shunt_error *error)
{
  struct shunt_region_options wanted = {
      .size = sizeof(wanted), .bytes = SHUNT_REGION_ALIGN_BYTES, .numa_node = efa->pci->numa_node};
  struct efa_chunk *chunk = calloc(1, sizeof(*chunk));
  if (!chunk) {
    error_set_errno(error, -ENOMEM, "no memory for rings");
    return NULL;
  }
  int result = shunt_region_create(&wanted, &chunk->region, error);
  if (!result) {
    uint64_t *delta =
        calloc(shunt_region_bytes(chunk->region) >> SHUNT_REGION_ALIGN_SHIFT, sizeof(*delta));
    result = delta ? efa->pci->ops->dma_map(efa->pci, chunk->region, delta, error)
                   : error_set_errno(error, -ENOMEM, "no memory for addresses");
    chunk->delta = delta && !result ? delta[0] : 0;
    free(delta);
  }
  if (result) {
    shunt_error_within(error, result, "no memory for the rings");
    shunt_region_destroy(chunk->region);
    free(chunk);
    return NULL;
  }
  chunk->next = efa->chunks;
  efa->chunks = chunk;
  return chunk;
}

static bool all_free(const struct efa_chunk *chunk, unsigned first, unsigned n)
{
  for (unsigned i = first; i < first + n; i++)
    if (chunk->taken[i])
      return false;
  return true;
}

/* The first place of n pages, a power of two, in the chunk. */
static bool cut(struct efa_chunk *chunk, unsigned n, struct efa_block *block)
{
  unsigned first = 0;
  while (first < EFA_CHUNK_PAGES && !all_free(chunk, first, n))
    first += n;
  if (first >= EFA_CHUNK_PAGES)
    return false;
  uint64_t offset = (uint64_t)first * EFA_PAGE_BYTES;
  memset(chunk->taken + first, 1, n * sizeof(chunk->taken[0]));
  *block = (struct efa_block){.chunk = chunk,
                              .memory = (uint8_t *)shunt_region_base(chunk->region) + offset,
                              .address = offset + chunk->delta,
                              .bytes = (uint64_t)n * EFA_PAGE_BYTES};
  memset(block->memory, 0, block->bytes);
  return true;
}

int efa_block_take(struct efa *efa, uint64_t bytes, struct efa_block *block,
                   struct shunt_error *error)
{
  unsigned pages = 1;
  if (bytes > SHUNT_REGION_ALIGN_BYTES) {
    shunt_error_set(error, -EINVAL, "no ring of %llu bytes", (unsigned long long)bytes);
    shunt_error_why(error, "device addresses may jump every 2 MiB, and a ring must not");
    return -EINVAL;
  }
  while ((uint64_t)pages * EFA_PAGE_BYTES < bytes)
    pages *= 2;
  for (struct efa_chunk *chunk = efa->chunks; chunk; chunk = chunk->next)
    if (cut(chunk, pages, block))
      return 0;
  struct efa_chunk *chunk = chunk_create(efa, error);
  if (!chunk)
    return -ENOMEM;
  cut(chunk, pages, block);
  return 0;
}

void efa_block_give(struct efa_block *block)
{
  if (!block->chunk)
    return;
  size_t offset =
      (size_t)((uint8_t *)block->memory - (uint8_t *)shunt_region_base(block->chunk->region));
  memset(block->chunk->taken + offset / EFA_PAGE_BYTES, 0, block->bytes / EFA_PAGE_BYTES);
  *block = (struct efa_block){0};
}

/* --- The caller's regions ------------------------------------------------------------------------
 */

int efa_region_map(struct efa *efa, struct shunt_region *region, struct efa_mapping **mapping,
                   struct shunt_error *error)
{
  for (struct efa_mapping *have = efa->mappings; have; have = have->next) {
    if (have->region != region)
      continue;
    have->users++;
    *mapping = have;
    return 0;
  }
  struct efa_mapping *made = calloc(1, sizeof(*made));
  uint64_t jumps =
      (shunt_region_bytes(region) + SHUNT_REGION_ALIGN_BYTES - 1) >> SHUNT_REGION_ALIGN_SHIFT;
  uint64_t *delta = calloc(jumps, sizeof(*delta));
  if (!made || !delta) {
    free(made);
    free(delta);
    return error_set_errno(error, -ENOMEM, "no memory for addresses");
  }
  int result = efa->pci->ops->dma_map(efa->pci, region, delta, error);
  if (result) {
    free(made);
    free(delta);
    return shunt_error_within(error, result, "can't make the region reachable for the device");
  }
  *made = (struct efa_mapping){.next = efa->mappings, .region = region, .delta = delta, .users = 1};
  efa->mappings = *mapping = made;
  return 0;
}

void efa_region_unmap(struct efa *efa, struct efa_mapping *mapping)
{
  struct efa_mapping **link = &efa->mappings;
  if (--mapping->users)
    return;
  while (*link != mapping)
    link = &(*link)->next;
  *link = mapping->next;
  efa->pci->ops->dma_unmap(efa->pci, mapping->region, mapping->delta);
  free(mapping->delta);
  free(mapping);
}

void efa_memory_destroy(struct efa *efa)
{
  while (efa->chunks) {
    struct efa_chunk *chunk = efa->chunks;
    efa->chunks = chunk->next;
    efa->pci->ops->dma_unmap(efa->pci, chunk->region, &chunk->delta);
    shunt_region_destroy(chunk->region);
    free(chunk);
  }
}

/* --- The device's memory -------------------------------------------------------------------------
 */

void *efa_bar_memory(struct efa *efa, unsigned bar, uint64_t offset, uint64_t bytes,
                     struct shunt_error *error)
{
  const struct pci_ops *ops = efa->pci->ops;
  volatile uint32_t *first = ops->direct(efa->pci, bar, offset);
  volatile uint32_t *last = ops->direct(efa->pci, bar, offset + bytes - 4);
  if (first && last && (uintptr_t)last - (uintptr_t)first == bytes - 4)
    return (void *)(uintptr_t)first;
  shunt_error_set(error, -EOPNOTSUPP, "BAR %u of %s can't be reached as memory", bar,
                  efa->pci->address);
  shunt_error_why(error,
                  "send queues and doorbells stand there, and each access would be a message "
                  "or a system call (%s)",
                  efa->pci->path);
  shunt_error_remedy(error, "serve the device with areas=on, or reach it another way");
  return NULL;
}
