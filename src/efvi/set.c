/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets: interfaces that share what the set's filters match. An 82599 spreads it by the hash of
 * addresses and ports over the set's queues (RSS); under AF_XDP the interface has spread it over
 * its queues already, each member has one of these, and what comes by others is handed over. */
#include <errno.h>
#include <stdlib.h>

#include "src/efvi/checked.h"

/* --- Life ---------------------------------------------------------------------------------------
 */

struct efvi_set *efvi_set_of(const ef_vi_set *set)
{
  struct efvi_set *own = set ? efvi_state()->sets : NULL;
  while (own && (own->id != set->vis_res_id || own->dropped))
    own = own->next;
  return own;
}

static void set_unmake(struct efvi_set *set)
{
  struct efvi_set **at = &efvi_state()->sets;
  while (*at != set)
    at = &(*at)->next;
  *at = set->next;
  set->pd->device->set_queues -= set->size;
  free(set);
}

/* It is the program's no more. */
static void set_drop(struct efvi_set *set)
{
  set->dropped = true;
  if (!set->count)
    set_unmake(set);
}

/* A port that is not open yet is opened with a queue for each interface of a set, unless its name
 * says how many. */
static struct efvi_set *set_alloc(struct efvi_pd *pd, ef_driver_handle handle, unsigned size,
                                  struct shunt_error *error)
{
  struct efvi_device *device = pd->device;
  struct efvi_set *set = calloc(1, sizeof(*set));
  if (!set) {
    shunt_error_set(error, -ENOMEM, "no memory for a set of interfaces");
    return NULL;
  }
  device->set_queues += size;
  const unsigned queues = device->port ? device->info.queues : efvi_device_queues(device);
  if (size > queues) {
    device->set_queues -= size;
    free(set);
    shunt_error_set(error, -EBUSY, "a set of %u interfaces on %s", size, device->name);
    shunt_error_why(error, "it has %u queues", queues);
    shunt_error_remedy(error, "add queues=N to the device's name (SHUNT_EFVI_DEVICE), or make the "
                              "set before the first interface");
    return NULL;
  }
  set->id = ++efvi_state()->next_id;
  set->handle = handle;
  set->pd = pd;
  set->size = size;
  set->next = efvi_state()->sets;
  efvi_state()->sets = set;
  return set;
}

int ef_vi_set_alloc_from_pd(ef_vi_set *vi_set, ef_driver_handle vi_set_dh, struct ef_pd *pd,
                            ef_driver_handle pd_dh, int n_vis)
{
  struct shunt_error error = {0};
  struct efvi_set *set = NULL;
  efvi_lock();
  struct efvi_pd *own = efvi_pd_of(pd);
  if (!vi_set || !own)
    shunt_error_set(&error, -EINVAL, "no place for a set, or no protection domain");
  else if (n_vis < 1 || n_vis > (int)EFVI_QUEUES)
    shunt_error_set(&error, -EINVAL, "a set of %d interfaces: 1 to %u", n_vis, EFVI_QUEUES);
  else if (!efvi_handle_known(vi_set_dh) || !efvi_handle_known(pd_dh))
    shunt_error_set(&error, -EBADF, "%d or %d is no driver handle", vi_set_dh, pd_dh);
  else
    set = set_alloc(own, vi_set_dh, (unsigned)n_vis, &error);
  if (set)
    *vi_set = (ef_vi_set){.vis_res_id = set->id, .vis_pd = pd};
  efvi_unlock();
  return set ? 0 : efvi_fail(&error);
}

int ef_vi_set_free(ef_vi_set *vi_set, ef_driver_handle vi_set_dh)
{
  (void)vi_set_dh;
  efvi_lock();
  struct efvi_set *set = efvi_set_of(vi_set);
  const bool was = set || (vi_set && efvi_id_was(vi_set->vis_res_id));
  if (set)
    set_drop(set);
  efvi_unlock();
  if (!was)
    return efvi_refuse(-EINVAL, "this is no set of interfaces");
  *vi_set = (ef_vi_set){0};
  return 0;
}

void efvi_sets_drop(ef_driver_handle handle)
{
  for (struct efvi_set *set = efvi_state()->sets, *next; set; set = next) {
    next = set->next;
    if (set->handle == handle && !set->dropped)
      set_drop(set);
  }
}

void efvi_sets_end(const struct efvi_pd *pd)
{
  for (struct efvi_set *set = efvi_state()->sets, *next; set; set = next) {
    next = set->next;
    if (set->pd == pd)
      set_unmake(set);
  }
}

/* --- Members ------------------------------------------------------------------------------------
 */

/* The place of that index, or any; -EINVAL, -EBUSY. */
static int place_find(const struct efvi_set *set, int index, struct shunt_error *error)
{
  if (index < -1 || index >= (int)set->size)
    return shunt_error_set(error, -EINVAL, "place %d of a set of %u", index, set->size);
  if (index >= 0 && !set->members[index])
    return index;
  for (unsigned i = 0; index < 0 && i < set->size; i++)
    if (!set->members[i])
      return (int)i;
  return shunt_error_set(error, -EBUSY, "the set's place is taken");
}

static int set_join(struct efvi_set *set, struct efvi_vi *vi, unsigned index,
                    struct shunt_error *error)
{
  set->members[index] = vi;
  set->count++;
  vi->set_index = index;
  vi->set = set;
  return efvi_route_refresh(vi->device, set, error);
}

void efvi_set_leave(struct efvi_vi *vi)
{
  struct efvi_set *set = vi->set;
  if (!set)
    return;
  set->members[vi->set_index] = NULL;
  set->count--;
  vi->set = NULL;
  if (!set->count)
    efvi_set_filters_clear(set); /* nobody is left to receive */
  (void)efvi_route_refresh(vi->device, set, NULL);
  if (set->dropped && !set->count)
    set_unmake(set);
}

static int alloc_from_set(const struct efvi_request *request, struct efvi_set *set, int index,
                          ef_driver_handle evq_dh, struct shunt_error *error)
{
  const int place = place_find(set, index, error);
  if (place < 0)
    return place;
  const int queue = efvi_vi_alloc(request, request->handle, evq_dh, error);
  if (queue < 0)
    return queue;
  const int result = set_join(set, efvi_own(request->vi), (unsigned)place, error);
  if (!result)
    return queue;
  efvi_vi_end(efvi_own(request->vi));
  return result;
}

int ef_vi_alloc_from_set(ef_vi *vi, ef_driver_handle vi_dh, ef_vi_set *vi_set,
                         ef_driver_handle vi_set_dh, int index_in_vi_set, int evq_capacity,
                         int rxq_capacity, int txq_capacity, ef_vi *evq_opt,
                         ef_driver_handle evq_dh, enum ef_vi_flags flags)
{
  struct shunt_error error = {0};
  int result;
  EFVI_ENTER(efvi_vi_of(evq_opt), "ef_vi_alloc_from_set", -EBUSY);
  efvi_lock();
  struct efvi_set *set = efvi_set_of(vi_set);
  if (!set)
    result = shunt_error_set(&error, -EINVAL, "this is no set of interfaces");
  else if (!efvi_handle_known(vi_set_dh))
    result = shunt_error_set(&error, -EBADF, "%d is no driver handle", vi_set_dh);
  else {
    const struct efvi_request request = {vi,           vi_dh,        set->pd, evq_capacity,
                                         rxq_capacity, txq_capacity, evq_opt, flags};
    result = alloc_from_set(&request, set, index_in_vi_set, evq_dh, &error);
  }
  efvi_unlock();
  return result < 0 ? efvi_fail(&error) : result;
}

/* --- Filters ------------------------------------------------------------------------------------
 */

static struct efvi_target target_of(struct efvi_set *set)
{
  return (struct efvi_target){.device = set->pd->device, .set = set, .filters = &set->filters};
}

int ef_vi_set_filter_add(ef_vi_set *vi_set, ef_driver_handle vi_set_dh,
                         const ef_filter_spec *filter_spec, ef_filter_cookie *filter_cookie_out)
{
  struct shunt_error error = {0};
  int index = -EINVAL;
  (void)vi_set_dh;
  efvi_lock();
  struct efvi_set *set = efvi_set_of(vi_set);
  if (!set || !filter_spec)
    shunt_error_set(&error, -EINVAL, "no set of interfaces, or no filter");
  else if (!set->count)
    shunt_error_set(&error, -EINVAL, "the set has no interfaces yet: make them first");
  else {
    const struct efvi_target target = target_of(set);
    index = efvi_filter_add(&target, filter_spec, &error);
  }
  efvi_unlock();
  if (index < 0)
    return efvi_fail(&error);
  if (filter_cookie_out)
    *filter_cookie_out =
        (ef_filter_cookie){.filter_id = index, .filter_type = (int)filter_spec->type};
  return 0;
}

int ef_vi_set_filter_del(ef_vi_set *vi_set, ef_driver_handle vi_set_dh,
                         ef_filter_cookie *filter_cookie)
{
  int result;
  (void)vi_set_dh;
  efvi_lock();
  struct efvi_set *set = efvi_set_of(vi_set);
  if (!set || !filter_cookie)
    result = efvi_refuse(-EINVAL, "no set of interfaces, or no filter");
  else {
    const struct efvi_target target = target_of(set);
    result = efvi_filter_remove(&target, filter_cookie);
  }
  efvi_unlock();
  return result;
}
