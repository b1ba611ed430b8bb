/* SPDX-License-Identifier: BSD-2-Clause */
/* Device addresses behind an IOMMU: which ones it allows, and which are taken. */
#ifndef SRC_PCI_IOVA_H
#define SRC_PCI_IOVA_H

#include <stdint.h>

#define IOVA_MOST_RANGES   64
#define IOVA_MOST_MAPPINGS 64

struct iova_range {
  uint64_t first, last; /* both inside */
};

struct iova_space {
  unsigned range_count, mapping_count;
  struct iova_range ranges[IOVA_MOST_RANGES];
  struct iova_range mappings[IOVA_MOST_MAPPINGS];
};

/* Allow addresses. Ranges beyond IOVA_MOST_RANGES are not used. */
void iova_allow(struct iova_space *space, uint64_t first, uint64_t last);

/* Take bytes (more than 0) of addresses: those from wanted on where they are allowed and free, else
 * the lowest that are, a multiple of align (a power of two) and never 0. Returns 0, or -ENOSPC. */
int iova_take(struct iova_space *space, uint64_t wanted, uint64_t bytes, uint64_t align,
              uint64_t *iova);

/* Give back what was taken at iova; does nothing where nothing was. */
void iova_release(struct iova_space *space, uint64_t iova);

#endif
