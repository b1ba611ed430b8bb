/* SPDX-License-Identifier: BSD-2-Clause */
/* Protection domains, and the memory registered with them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "src/efvi/checked.h"

#define PAGE_MASK ((uintptr_t)EF_VI_NIC_PAGE_SIZE - 1)

/* --- Domains ------------------------------------------------------------------------------------
 */

static int pd_flags_check(enum ef_pd_flags flags, struct shunt_error *error)
{
  const unsigned not_here = EF_PD_VF | EF_PD_PHYS_MODE | EF_PD_VPORT;
  if (!((unsigned)flags & not_here))
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "a domain with flags 0x%x", (unsigned)flags & not_here);
  shunt_error_why(error, "virtual functions, physical addresses and virtual ports are Solarflare "
                         "hardware's");
  return -EOPNOTSUPP;
}

/* The page table is as large as may be, and takes memory only where it is used. */
static struct efvi_pd *pd_make(const char *device, const char *interface)
{
  struct efvi_pd *own = calloc(1, sizeof(*own));
  if (!own)
    return NULL;
  void *pages = mmap(NULL, EFVI_PAGES * sizeof(own->pages[0]), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  own->device = pages != MAP_FAILED ? efvi_device_hold(device, interface) : NULL;
  if (!own->device) {
    if (pages != MAP_FAILED)
      munmap(pages, EFVI_PAGES * sizeof(own->pages[0]));
    free(own);
    return NULL;
  }
  own->pages = pages;
  own->next_page = 1;
  return own;
}

static int pd_alloc(ef_pd *pd, ef_driver_handle handle, const char *name, const char *device,
                    enum ef_pd_flags flags)
{
  struct efvi_state *state = efvi_state();
  if (!efvi_handle_known(handle))
    return efvi_refuse(-EBADF, "%d is no driver handle", handle);
  if (efvi_pd_of(pd))
    return efvi_refuse(-EINVAL, "the protection domain was made already");
  char *copy = strdup(name);
  struct efvi_pd *own = copy ? pd_make(device, name) : NULL;
  if (!own) {
    free(copy);
    return efvi_refuse(-ENOMEM, "no memory for a protection domain");
  }
  *pd = (ef_pd){.pd_flags = flags,
                .pd_resource_id = ++state->next_id,
                .pd_intf_name = copy,
                .pd_cluster_sock = -1,
                .pd_cluster_dh = -1};
  own->user = pd;
  own->express = (flags & EF_PD_EXPRESS) != 0;
  own->next = state->pds;
  state->pds = own;
  return 0;
}

int ef_pd_alloc_by_name(ef_pd *pd, ef_driver_handle pd_dh, const char *cluster_or_intf_name,
                        enum ef_pd_flags flags)
{
  struct shunt_error error = {0};
  char device[EFVI_NAME_BYTES], interface[EFVI_NAME_BYTES];
  if (!pd)
    return efvi_refuse(-EINVAL, "no place for the protection domain");
  int result = pd_flags_check(flags, &error);
  if (!result)
    result = efvi_name_resolve(cluster_or_intf_name, getenv("SHUNT_EFVI_DEVICE"), device, &error);
  if (result)
    return efvi_fail(&error);
  efvi_name_of(cluster_or_intf_name, interface);
  efvi_lock();
  result = pd_alloc(pd, pd_dh, interface, device, flags);
  efvi_unlock();
  return result;
}

int ef_pd_alloc(ef_pd *pd, ef_driver_handle pd_dh, int ifindex, enum ef_pd_flags flags)
{
  char name[12];
  if (ifindex <= 0)
    return efvi_refuse(-EINVAL, "%d is no interface's index", ifindex);
  snprintf(name, sizeof(name), "%d", ifindex);
  return ef_pd_alloc_by_name(pd, pd_dh, name, flags);
}

int ef_pd_alloc_with_vport(ef_pd *pd, ef_driver_handle pd_dh, const char *intf_name,
                           enum ef_pd_flags flags, int vlan_id)
{
  if (vlan_id != EF_PD_VLAN_NONE)
    return efvi_refuse(-EOPNOTSUPP, "virtual ports are Solarflare hardware's");
  return ef_pd_alloc_by_name(pd, pd_dh, intf_name, flags);
}

const char *ef_pd_interface_name(ef_pd *pd)
{
  efvi_lock();
  const char *name = efvi_pd_of(pd) ? pd->pd_intf_name : NULL;
  efvi_unlock();
  return name;
}

static int pd_free(ef_pd *pd)
{
  struct efvi_pd *own = efvi_pd_of(pd);
  if (!own)
    return efvi_refuse(-EINVAL, "this is no protection domain");
  if (own->vi_count || own->memreg_count)
    return efvi_refuse(-EBUSY, "%u interfaces and %u pieces of memory are left of the domain",
                       own->vi_count, own->memreg_count);
  struct efvi_pd **at = &efvi_state()->pds;
  while (*at != own)
    at = &(*at)->next;
  *at = own->next;
  efvi_sets_end(own);
  efvi_device_release(own->device);
  munmap(own->pages, EFVI_PAGES * sizeof(own->pages[0]));
  free(own);
  free(pd->pd_intf_name);
  *pd = (ef_pd){.pd_cluster_sock = -1, .pd_cluster_dh = -1};
  return 0;
}

int ef_pd_free(ef_pd *pd, ef_driver_handle pd_dh)
{
  (void)pd_dh; /* may have been closed by now, as with the original */
  efvi_lock();
  int result = pd_free(pd);
  efvi_unlock();
  return result;
}

/* --- Memory -------------------------------------------------------------------------------------
 */

/* What stands in front of a registration's addresses: whose it is. */
struct memreg {
  struct efvi_pd *pd;
  uint64_t pages;
  ef_addr addresses[];
};

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
static int memreg_alloc(ef_memreg *mr, struct efvi_pd *pd, uint8_t *memory, uint64_t pages)
{
  uint64_t first = pages_find(pd, pd->next_page, pages);
  first = first ? first : pages_find(pd, 1, pages);
  if (!first)
    return efvi_refuse(-ENOSPC, "the domain has no %llu pages of addresses in a row left",
                       (unsigned long long)pages);
  struct memreg *own = malloc(sizeof(*own) + pages * sizeof(own->addresses[0]));
  if (!own)
    return efvi_refuse(-ENOMEM, "no memory for %llu addresses", (unsigned long long)pages);
  own->pd = pd;
  own->pages = pages;
  for (uint64_t i = 0; i < pages; i++) {
    pd->pages[first + i] = memory + (i << EF_VI_NIC_PAGE_SHIFT);
    own->addresses[i] = (first + i) << EF_VI_NIC_PAGE_SHIFT;
  }
  pd->next_page = first + pages;
  pd->memreg_count++;
  mr->mr_dma_addrs = mr->mr_dma_addrs_base = own->addresses;
  return 0;
}

/* Memory for a card is pinned when it is registered, which fails where there is none, or none to
 * write to. Here it is brought in: whoever copies to it later finds it there. Kernels before 5.14
 * don't know how, and say so of no memory at all, too. */
static int memory_bring_in(void *memory, size_t bytes)
{
  if (madvise(memory, bytes, MADV_POPULATE_WRITE) == 0)
    return 0;
  const int code = errno;
  if (madvise(memory, 0, MADV_POPULATE_WRITE) != 0)
    return 0;
  return efvi_refuse(-EFAULT, "not all of %zu bytes at %p are memory that can be written: %s",
                     bytes, memory, strerrordesc_np(code));
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
    result = memreg_alloc(mr, own, p_mem, (len_bytes + PAGE_MASK) >> EF_VI_NIC_PAGE_SHIFT);
  efvi_unlock();
  return result;
}

int ef_memreg_free(ef_memreg *mr, ef_driver_handle mr_dh)
{
  (void)mr_dh;
  if (!mr || !mr->mr_dma_addrs_base)
    return efvi_refuse(-EINVAL, "this is no registered memory");
  struct memreg *own = (void *)((char *)mr->mr_dma_addrs_base - offsetof(struct memreg, addresses));
  EFVI_ENTER(NULL, "ef_memreg_free", -EBUSY);
  efvi_lock();
  const uint64_t first = own->addresses[0] >> EF_VI_NIC_PAGE_SHIFT;
  int result = efvi_check_memory(own->pd, first, own->pages);
  if (result) {
    efvi_unlock();
    return result;
  }
  memset(own->pd->pages + first, 0, own->pages * sizeof(own->pd->pages[0]));
  own->pd->memreg_count--;
  efvi_unlock();
  free(own);
  mr->mr_dma_addrs = mr->mr_dma_addrs_base = NULL;
  return 0;
}
