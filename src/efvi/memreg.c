/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory registered with protection domains. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "src/efvi/checked.h"

#define PAGE_MASK ((uintptr_t)EF_VI_NIC_PAGE_SIZE - 1)

/* A registration: what stands in front of its addresses, which are the program's until it frees
 * them. */
struct efvi_memreg {
  struct efvi_memreg *next;
  struct efvi_pd *pd; /* NULL: it has ended with its handle */
  ef_driver_handle handle;
  uint8_t *memory;
  uint64_t first, pages;
  ef_addr addresses[];
};

/* --- Registering --------------------------------------------------------------------------------
 */

/* So many pages in a row that are nobody's, from a page on; 0: there are none. */
static uint64_t pages_find(const struct efvi_pd *pd, uint64_t from, uint64_t pages)
{
  uint64_t row = 0;
  for (uint64_t page = from; page < EFVI_PAGES && row < pages; page++) {
    row = pd->pages[page] ? 0 : row + 1;
    from = page + 1;
  }
  return row == pages ? from - pages : 0;
}

/* Addresses go round: one that is out of date must not lead into another's memory soon. */
static int memreg_alloc(ef_memreg *mr, ef_driver_handle handle, struct efvi_pd *pd, uint8_t *memory,
                        uint64_t pages)
{
  uint64_t first = pages_find(pd, pd->next_page, pages);
  first = first ? first : pages_find(pd, 1, pages);
  if (!first)
    return efvi_refuse(-ENOSPC, "the domain has no %llu pages of addresses in a row left",
                       (unsigned long long)pages);
  struct efvi_memreg *own = malloc(sizeof(*own) + pages * sizeof(own->addresses[0]));
  if (!own)
    return efvi_refuse(-ENOMEM, "no memory for %llu addresses", (unsigned long long)pages);
  own->next = pd->memregs;
  own->pd = pd;
  own->handle = handle;
  own->memory = memory;
  own->first = first;
  own->pages = pages;
  for (uint64_t i = 0; i < pages; i++) {
    pd->pages[first + i] = memory + (i << EF_VI_NIC_PAGE_SHIFT);
    own->addresses[i] = (first + i) << EF_VI_NIC_PAGE_SHIFT;
  }
  pd->next_page = first + pages;
  pd->memregs = own;
  mr->mr_dma_addrs = mr->mr_dma_addrs_base = own->addresses;
  return 0;
}

/* Kernels before 5.14 don't know how, and say so of no memory at all, too. */
int efvi_memory_fetch(const void *memory, size_t bytes)
{
  const uintptr_t first = (uintptr_t)memory & ~PAGE_MASK;
  void *const pages = (void *)first;
  if (madvise(pages, (uintptr_t)memory + bytes - first, MADV_POPULATE_WRITE) == 0)
    return 0;
  const int code = -errno;
  return madvise(pages, 0, MADV_POPULATE_WRITE) == 0 ? code : 0;
}

/* Memory for a card is pinned when it is registered, which fails where there is none, or none to
 * write to. Here it is brought in: whoever copies to it later finds it there. */
static int memory_bring_in(const void *memory, size_t bytes)
{
  const int code = efvi_memory_fetch(memory, bytes);
  return code
             ? efvi_refuse(-EFAULT, "not all of %zu bytes at %p are memory that can be written: %s",
                           bytes, memory, strerrordesc_np(-code))
             : 0;
}

int ef_memreg_alloc(ef_memreg *mr, ef_driver_handle mr_dh, struct ef_pd *pd, ef_driver_handle pd_dh,
                    void *p_mem, size_t len_bytes)
{
  if (!mr || !p_mem || len_bytes == 0 || len_bytes > SIZE_MAX - (uintptr_t)p_mem - PAGE_MASK)
    return efvi_refuse(-EINVAL, "no memory to register, or no place for its addresses");
  if ((uintptr_t)p_mem & PAGE_MASK)
    return efvi_refuse(-EINVAL,
                       "memory at %p can't be registered: it has to begin at a multiple "
                       "of 4096",
                       p_mem);
  if (len_bytes > (EFVI_PAGES - 1) << EF_VI_NIC_PAGE_SHIFT)
    return efvi_refuse(-ENOSPC, "%zu bytes are more than a domain has addresses for", len_bytes);
  int result = memory_bring_in(p_mem, len_bytes);
  if (result)
    return result;
  efvi_lock();
  struct efvi_pd *own = efvi_pd_of(pd);
  if (!own)
    result = efvi_refuse(-EINVAL, "this is no protection domain");
  else if (!efvi_handle_known(mr_dh) || !efvi_handle_known(pd_dh))
    result = efvi_refuse(-EBADF, "%d or %d is no driver handle", mr_dh, pd_dh);
  else
    result = memreg_alloc(mr, mr_dh, own, p_mem, (len_bytes + PAGE_MASK) >> EF_VI_NIC_PAGE_SHIFT);
  efvi_unlock();
  return result;
}

/* --- Giving back --------------------------------------------------------------------------------
 */

static const uint8_t *end_of(const struct efvi_memreg *own)
{
  return own->memory + (own->pages << EF_VI_NIC_PAGE_SHIFT);
}

/* Where what is received into a buffer goes: nowhere, where it lay in memory that was given back,
 * and no other registration of the domain's has all of it. */
static uint8_t *target_left(const struct efvi_pd *pd, const struct efvi_memreg *gone,
                            uint8_t *target, uint64_t bytes)
{
  if (target >= end_of(gone) || target + bytes <= gone->memory)
    return target;
  for (const struct efvi_memreg *other = pd->memregs; other; other = other->next)
    if (target >= other->memory && target + bytes <= end_of(other))
      return target;
  return pd->nowhere;
}

/* A card goes on writing to memory that is pinned, though the program has given it back; here it
 * may be gone. Buffers there stay on their rings, and what comes into them is lost. */
static void targets_withdraw(struct efvi_vi *vi, const struct efvi_memreg *gone)
{
  const bool packed = vi->rx_mode == EFVI_RX_PACKED;
  const uint64_t packed_bytes = packed ? efvi_packed_bytes(vi) : 0;
  for (uint32_t i = vi->state.rxq.removed; i != vi->state.rxq.added; i++) {
    const uint32_t slot = i & vi->user->vi_rxq.mask;
    vi->rx_targets[slot] =
        target_left(vi->pd, gone, vi->rx_targets[slot], packed ? packed_bytes : vi->rx_rooms[slot]);
  }
  if (vi->packed)
    vi->packed = target_left(vi->pd, gone, vi->packed, packed_bytes);
}

/* The addresses stay. Lock held. */
static void memreg_end(struct efvi_memreg *own)
{
  struct efvi_pd *pd = own->pd;
  struct efvi_memreg **at = &pd->memregs;
  while (*at != own)
    at = &(*at)->next;
  *at = own->next;
  memset(pd->pages + own->first, 0, own->pages * sizeof(pd->pages[0]));
  for (unsigned q = 0; q < EFVI_QUEUES; q++) {
    struct efvi_vi *vi = pd->device->queues[q].owner;
    if (vi && vi->pd == pd && vi->rx_mode != EFVI_RX_EXPRESS)
      targets_withdraw(vi, own);
  }
  own->pd = NULL;
}

/* The first of a domain's that was made with the handle. */
static struct efvi_memreg *memreg_find(const struct efvi_pd *pd, ef_driver_handle handle)
{
  struct efvi_memreg *own = pd->memregs;
  while (own && own->handle != handle)
    own = own->next;
  return own;
}

void efvi_memregs_end(ef_driver_handle handle)
{
  for (struct efvi_pd *pd = efvi_state()->pds, *next; pd; pd = next) {
    next = pd->next;
    for (struct efvi_memreg *own; (own = memreg_find(pd, handle));)
      memreg_end(own);
    efvi_pd_settle(pd);
  }
}

int ef_memreg_free(ef_memreg *mr, ef_driver_handle mr_dh)
{
  int result = 0;
  (void)mr_dh;
  if (!mr || !mr->mr_dma_addrs_base)
    return efvi_refuse(-EINVAL, "this is no registered memory");
  struct efvi_memreg *own =
      (void *)((char *)mr->mr_dma_addrs_base - offsetof(struct efvi_memreg, addresses));
  EFVI_ENTER(NULL, "ef_memreg_free", -EBUSY);
  efvi_lock();
  struct efvi_pd *pd = own->pd;
  if (pd)
    result = efvi_check_memory(pd, own->first, own->pages);
  if (pd && !result) {
    memreg_end(own);
    efvi_pd_settle(pd);
  }
  efvi_unlock();
  if (result)
    return result;
  free(own);
  mr->mr_dma_addrs = mr->mr_dma_addrs_base = NULL;
  return 0;
}
