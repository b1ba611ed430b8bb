/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that NICs read and write: regions, and the buffers carved from them.
 *
 * A region is one contiguous range of this process's memory, backed by huge pages where it can be,
 * that never moves and is never swapped. It is cut into buffers of one power-of-two size. A buffer
 * is named by its offset from the region's start (shunt_buf), so the same name holds for every
 * device and process that the region is registered with; the device's own address of it (physical,
 * IOVA) is the driver's affair.
 *
 * Life: create the region, open ports on it, close the ports, destroy the region. */
#ifndef SHUNT_REGION_H
#define SHUNT_REGION_H

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

/* A buffer, or a byte inside one: its offset in bytes from the region's start. */
typedef uint64_t shunt_buf;

/* What the region's start is aligned to, its length a multiple of, and the granularity at which
 * its device addresses may jump: the x86-64 and arm64 huge page. */
#define SHUNT_REGION_ALIGN_BYTES (UINT64_C(1) << 21)
#define SHUNT_REGION_ALIGN_SHIFT 21

enum shunt_pages {
  SHUNT_PAGES_ANY = 0, /* the largest that are free: 1G (for 1 GiB and more), 2M, then 4K */
  SHUNT_PAGES_4K,      /* ordinary pages, locked */
  SHUNT_PAGES_2M,      /* hugetlbfs, 2 MiB */
  SHUNT_PAGES_1G,      /* hugetlbfs, 1 GiB */
};

struct shunt_region_options {
  size_t size;            /* sizeof(struct shunt_region_options); lets the struct grow */
  uint64_t bytes;         /* wanted length; rounded up to the page size; 0: 16 MiB */
  uint32_t buf_bytes;     /* buffer length, a power of two, 256..65536; 0: 2048 */
  enum shunt_pages pages; /* wanted page size */
  int pages_required;     /* non-zero: fail rather than fall back to smaller pages */
  int numa_node;          /* NUMA node; SHUNT_NUMA_ANY where it doesn't matter */
  int numa_required;      /* non-zero: fail rather than take another node's memory */
};

#define SHUNT_NUMA_ANY (-1)

struct shunt_region;

/* Allocate a region.
 *
 * options  NULL for the defaults (16 MiB of 2048-byte buffers, any page size, any node)
 * region   where the new region goes; untouched on failure
 * Owner    the caller, until shunt_region_destroy
 * Thread   any
 * Returns  0, or
 *   -EINVAL  a size out of range or not a power of two; the error names the rule
 *   -ENOMEM  no such pages free; the remedy says how to reserve them (nr_hugepages, node)
 *   -EPERM   memory can't be locked (RLIMIT_MEMLOCK); the remedy says what to raise */
int shunt_region_create(const struct shunt_region_options *options, struct shunt_region **region,
                        struct shunt_error *error);

/* Give the memory back. No port may be open on the region and no pool exist. NULL is fine. */
void shunt_region_destroy(struct shunt_region *region);

/* What was granted. */
void *shunt_region_base(const struct shunt_region *region);
uint64_t shunt_region_bytes(const struct shunt_region *region);
uint32_t shunt_region_buf_bytes(const struct shunt_region *region);
uint64_t shunt_region_page_bytes(const struct shunt_region *region); /* 4096, 2 MiB or 1 GiB */
int shunt_region_numa_node(const struct shunt_region *region);       /* SHUNT_NUMA_ANY: not known */

/* The memory's file descriptor (memfd), for handing the region to another process; the region's
 * own, not to be closed by the caller. */
int shunt_region_fd(const struct shunt_region *region);

/* One line on what was granted and what was done without, such as
 * "16 MiB in 4 KiB pages (no 2 MiB pages free: ...)". Valid as long as the region. */
const char *shunt_region_describe(const struct shunt_region *region);

/* Pools: free buffers of a region, a stack owned by one thread. */
struct shunt_pool;

/* Carve count buffers out of the region into a new pool.
 *
 * Returns 0, -EINVAL (count 0), -ENOSPC (fewer than count buffers are uncarved: the error says how
 * many are left), -ENOMEM. Thread: any, one at a time per region. */
int shunt_pool_create(struct shunt_region *region, uint32_t count, struct shunt_pool **pool,
                      struct shunt_error *error);

/* Give the pool's buffers back to the region. Buffers still held by anyone must not be used
 * afterwards. NULL is fine. */
void shunt_pool_destroy(struct shunt_pool *pool);

/* Take up to n free buffers. Thread: the pool's. Returns how many were taken, 0..n. */
unsigned shunt_pool_take(struct shunt_pool *pool, shunt_buf bufs[], unsigned n);

/* Put n buffers back. Thread: the pool's.
 *
 * bufs  any byte inside a buffer names it, so a received frame's addr may be given as it is
 * Buffers beyond the number that the pool was made with are a caller's error: they are not taken
 * and counted by shunt_pool_refused. */
void shunt_pool_give(struct shunt_pool *pool, const shunt_buf bufs[], unsigned n);

uint32_t shunt_pool_free(const struct shunt_pool *pool);    /* free buffers now */
uint32_t shunt_pool_count(const struct shunt_pool *pool);   /* buffers that it was made with */
uint64_t shunt_pool_refused(const struct shunt_pool *pool); /* gives that were refused */

SHUNT_END_DECLS

#endif
