/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "src/core/error_internal.h"
#include "src/core/region_internal.h"

struct shunt_pool {
  struct shunt_region *region;
  uint64_t region_bytes;
  uint64_t buf_mask; /* of a buffer's start */
  uint32_t count;
  uint32_t free;
  uint64_t refused;
  shunt_buf *own;    /* what was carved, for giving it back to the region */
  shunt_buf stack[]; /* the free ones, last given on top: likeliest to be in the cache */
};

int shunt_pool_create(struct shunt_region *region, uint32_t count, struct shunt_pool **pool,
                      struct shunt_error *error)
{
  if (count == 0)
    return shunt_error_set(error, -EINVAL, "a pool of 0 buffers: at least 1");
  uint64_t left = region_uncarved(region);
  if (count > left) {
    shunt_error_set(error, -ENOSPC, "can't carve %u buffers out of the region", count);
    shunt_error_why(
        error, "%llu of its %llu are left", (unsigned long long)left,
        (unsigned long long)(shunt_region_bytes(region) / shunt_region_buf_bytes(region)));
    shunt_error_remedy(error, "make a larger region, or destroy pools that are not used");
    return -ENOSPC;
  }
  struct shunt_pool *made = malloc(sizeof *made + (size_t)count * sizeof made->stack[0]);
  shunt_buf *own = malloc((size_t)count * sizeof own[0]);
  if (made == NULL || own == NULL) {
    free(made);
    free(own);
    return error_set_errno(error, -ENOMEM, "can't allocate a pool of %u buffers", count);
  }
  region_carve(region, count, own);
  *made = (struct shunt_pool){
      .region = region,
      .region_bytes = shunt_region_bytes(region),
      .buf_mask = ~((uint64_t)shunt_region_buf_bytes(region) - 1),
      .count = count,
      .free = count,
      .own = own,
  };
  /* The lowest is taken first. */
  for (uint32_t i = 0; i < count; i++)
    made->stack[i] = own[count - 1 - i];
  *pool = made;
  return 0;
}

void shunt_pool_destroy(struct shunt_pool *pool)
{
  if (pool == NULL)
    return;
  region_uncarve(pool->region, pool->own, pool->count);
  free(pool->own);
  free(pool);
}

unsigned shunt_pool_take(struct shunt_pool *pool, shunt_buf bufs[], unsigned n)
{
  if (n > pool->free)
    n = pool->free;
  for (unsigned i = 0; i < n; i++)
    bufs[i] = pool->stack[--pool->free];
  return n;
}

void shunt_pool_give(struct shunt_pool *pool, const shunt_buf bufs[], unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    if (SHUNT_UNLIKELY(pool->free == pool->count || bufs[i] >= pool->region_bytes)) {
      pool->refused++;
      continue;
    }
    pool->stack[pool->free++] = bufs[i] & pool->buf_mask;
  }
}

uint32_t shunt_pool_free(const struct shunt_pool *pool)
{
  return pool->free;
}

uint32_t shunt_pool_count(const struct shunt_pool *pool)
{
  return pool->count;
}

uint64_t shunt_pool_refused(const struct shunt_pool *pool)
{
  return pool->refused;
}
