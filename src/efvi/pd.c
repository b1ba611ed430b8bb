/* SPDX-License-Identifier: BSD-2-Clause */
/* Protection domains. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "src/efvi/efvi.h"

#define PAGES_BYTES (EFVI_PAGES * sizeof(uint8_t *))

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

static void pd_unmake(struct efvi_pd *own)
{
  if (own->pages)
    munmap(own->pages, PAGES_BYTES + EFVI_NOWHERE);
  free(own->name);
  free(own);
}

/* The page table is as large as may be, and takes memory only where it is used. */
static struct efvi_pd *pd_make(const char *device, const char *interface)
{
  struct efvi_pd *own = calloc(1, sizeof(*own));
  if (!own)
    return NULL;
  void *pages = mmap(NULL, PAGES_BYTES + EFVI_NOWHERE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  own->pages = pages != MAP_FAILED ? pages : NULL;
  own->name = strdup(interface);
  own->device = own->pages && own->name ? efvi_device_hold(device, interface) : NULL;
  if (!own->device) {
    pd_unmake(own);
    return NULL;
  }
  own->nowhere = (uint8_t *)pages + PAGES_BYTES;
  own->next_page = 1;
  return own;
}

static int pd_alloc(ef_pd *pd, ef_driver_handle handle, const char *name, const char *device,
                    enum ef_pd_flags flags)
{
  struct efvi_state *state = efvi_state();
  if (!efvi_handle_known(handle))
    return efvi_refuse(-EBADF, "%d is no driver handle", handle);
  struct efvi_pd *own = pd_make(device, name);
  if (!own)
    return efvi_refuse(-ENOMEM, "no memory for a protection domain");
  own->id = ++state->next_id;
  *pd = (ef_pd){.pd_flags = flags,
                .pd_resource_id = own->id,
                .pd_intf_name = own->name,
                .pd_cluster_sock = -1,
                .pd_cluster_dh = -1};
  own->handle = handle;
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

void efvi_pd_settle(struct efvi_pd *own)
{
  if (!own->dropped || own->vi_count || own->memregs)
    return;
  struct efvi_pd **at = &efvi_state()->pds;
  while (*at != own)
    at = &(*at)->next;
  *at = own->next;
  efvi_sets_end(own);
  efvi_device_release(own->device);
  pd_unmake(own);
}

static void pd_drop(struct efvi_pd *own)
{
  own->dropped = true;
  efvi_pd_settle(own);
}

void efvi_pds_drop(ef_driver_handle handle)
{
  for (struct efvi_pd *own = efvi_state()->pds, *next; own; own = next) {
    next = own->next;
    if (own->handle == handle && !own->dropped)
      pd_drop(own);
  }
}

int ef_pd_free(ef_pd *pd, ef_driver_handle pd_dh)
{
  (void)pd_dh; /* may have been closed by now, as with the original */
  efvi_lock();
  struct efvi_pd *own = efvi_pd_of(pd);
  const bool was = own || (pd && efvi_id_was(pd->pd_resource_id));
  if (own)
    pd_drop(own);
  efvi_unlock();
  if (!was)
    return efvi_refuse(-EINVAL, "this is no protection domain");
  *pd = (ef_pd){.pd_cluster_sock = -1, .pd_cluster_dh = -1};
  return 0;
}
