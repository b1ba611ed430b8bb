/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of several interfaces of one device: one and the same, or such that match the same
 * frames, which the more specific one takes (match.c says which that is). An 82599 steers them so.
 * Where frames are handed over (spread.c) all interfaces are asked then, and only then. */
#include <errno.h>
#include <string.h>

#include "src/efvi/filter.h"

struct found {
  unsigned overlaps;
  bool same;
};

static void compare(struct found *found, const struct efvi_filters *filters,
                    const struct efvi_match *match)
{
  for (unsigned i = 0, seen = 0; seen < filters->count && i < EFVI_FILTERS; i++) {
    const struct efvi_filter *filter = &filters->list[i];
    if (!filter->used)
      continue;
    seen++;
    found->overlaps += efvi_match_overlaps(&filter->match, match);
    found->same = found->same || memcmp(&filter->match, match, sizeof(*match)) == 0;
  }
}

/* Among the filters of others than whose list this is. */
static struct found compare_all(const struct efvi_device *device,
                                const struct efvi_filters *filters, const struct efvi_match *match)
{
  struct found found = {0};
  for (unsigned i = 0; i < EFVI_QUEUES; i++)
    if (device->queues[i].owner && &device->queues[i].owner->filters != filters)
      compare(&found, &device->queues[i].owner->filters, match);
  for (const struct efvi_set *set = efvi_state()->sets; set; set = set->next)
    if (set->pd->device == device && &set->filters != filters)
      compare(&found, &set->filters, match);
  return found;
}

int efvi_overlap_check(const struct efvi_target *target, const struct efvi_match *match,
                       bool is_group, struct shunt_error *error)
{
  const bool copied = target->device->spread && is_group;
  if (copied || match->fields & (EFVI_MATCH_NOTHING | EFVI_MATCH_ALL) ||
      !compare_all(target->device, target->filters, match).same)
    return 0;
  shunt_error_set(error, -EEXIST, "another interface of %s has that filter", target->device->name);
  shunt_error_why(error, is_group ? "the device hands a frame to one queue, and copies none"
                                  : "a frame goes to one interface");
  shunt_error_remedy(error, "add it to one, or to a set that both are of (ef_vi_set_filter_add)");
  return -EEXIST;
}

void efvi_overlap_add(struct efvi_device *device, const struct efvi_filters *filters,
                      const struct efvi_match *match)
{
  if (device->spread)
    __atomic_add_fetch(&device->overlaps, compare_all(device, filters, match).overlaps,
                       __ATOMIC_RELAXED);
}

void efvi_overlap_remove(struct efvi_device *device, const struct efvi_filters *filters,
                         const struct efvi_match *match)
{
  if (device->spread)
    __atomic_sub_fetch(&device->overlaps, compare_all(device, filters, match).overlaps,
                       __ATOMIC_RELAXED);
}
