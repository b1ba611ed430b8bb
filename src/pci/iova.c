/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/pci/iova.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

void iova_allow(struct iova_space *space, uint64_t first, uint64_t last)
{
  if (space->range_count < IOVA_MOST_RANGES && first <= last)
    space->ranges[space->range_count++] = (struct iova_range){first, last};
}

static bool iova_allowed(const struct iova_space *space, uint64_t first, uint64_t last)
{
  for (unsigned i = 0; i < space->range_count; i++)
    if (first >= space->ranges[i].first && last <= space->ranges[i].last)
      return true;
  return false;
}

/* A mapping that shares an address with first..last, or NULL. */
static const struct iova_range *iova_conflict(const struct iova_space *space, uint64_t first,
                                              uint64_t last)
{
  for (unsigned i = 0; i < space->mapping_count; i++)
    if (first <= space->mappings[i].last && last >= space->mappings[i].first)
      return &space->mappings[i];
  return NULL;
}

/* The lowest multiple of align that is at least address; 0 where there is none. */
static uint64_t iova_align(uint64_t address, uint64_t align)
{
  return (address + align - 1) & ~(align - 1);
}

/* First fit inside one range, jumping over each mapping that is in the way. */
static bool iova_fit(const struct iova_space *space, const struct iova_range *range, uint64_t bytes,
                     uint64_t align, uint64_t *iova)
{
  uint64_t first = iova_align(range->first > 0 ? range->first : 1, align);
  while (first != 0 && first >= range->first && first <= range->last &&
         bytes - 1 <= range->last - first) {
    const struct iova_range *conflict = iova_conflict(space, first, first + bytes - 1);
    if (conflict == NULL) {
      *iova = first;
      return true;
    }
    if (conflict->last == UINT64_MAX)
      return false;
    first = iova_align(conflict->last + 1, align);
  }
  return false;
}

int iova_take(struct iova_space *space, uint64_t wanted, uint64_t bytes, uint64_t align,
              uint64_t *iova)
{
  if (space->mapping_count == IOVA_MOST_MAPPINGS)
    return -ENOSPC;
  uint64_t last = wanted + bytes - 1;
  bool found = wanted != 0 && last >= wanted && iova_allowed(space, wanted, last) &&
               iova_conflict(space, wanted, last) == NULL;
  if (found)
    *iova = wanted;
  for (unsigned i = 0; !found && i < space->range_count; i++)
    found = iova_fit(space, &space->ranges[i], bytes, align, iova);
  if (!found)
    return -ENOSPC;
  space->mappings[space->mapping_count++] = (struct iova_range){*iova, *iova + bytes - 1};
  return 0;
}

void iova_release(struct iova_space *space, uint64_t iova)
{
  for (unsigned i = 0; i < space->mapping_count; i++) {
    if (space->mappings[i].first != iova)
      continue;
    space->mappings[i] = space->mappings[--space->mapping_count];
    return;
  }
}
