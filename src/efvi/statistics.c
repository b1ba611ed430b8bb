/* SPDX-License-Identifier: BSD-2-Clause */
/* What an interface has counted. */
#include <errno.h>
#include <string.h>

#include "src/efvi/checked.h"

#define FIELDS (sizeof(struct efvi_counters) / sizeof(uint64_t))

/* The public structure, with as many fields as there are. */
struct layout {
  int data_size, fields_num;
  ef_vi_stats_field_layout fields[FIELDS];
};
_Static_assert(offsetof(struct layout, data_size) == offsetof(ef_vi_stats_layout, evsl_data_size) &&
                   offsetof(struct layout, fields_num) ==
                       offsetof(ef_vi_stats_layout, evsl_fields_num) &&
                   offsetof(struct layout, fields) == offsetof(ef_vi_stats_layout, evsl_fields),
               "the one is read as the other");

static const struct layout layout = {
    .data_size = sizeof(struct efvi_statistics),
    .fields_num = FIELDS,
    .fields =
        {
#define X(type, name)                                                                              \
  {(char *)(uintptr_t) #name, offsetof(struct efvi_statistics, name), sizeof(type)},
            EFVI_COUNTERS(X)
#undef X
        },
};

int ef_vi_stats_query_layout(ef_vi *vi, const ef_vi_stats_layout **const layout_out)
{
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_stats_query_layout", -EBUSY);
  if (!efvi_vi_of(vi) || !layout_out)
    return efvi_refuse(-EINVAL, "no interface, or no place for its layout");
  *layout_out = (const ef_vi_stats_layout *)(const void *)&layout;
  return 0;
}

int ef_vi_stats_query(ef_vi *vi, ef_driver_handle vi_dh, void *data, int do_reset)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  EFVI_ENTER(own, "ef_vi_stats_query", -EBUSY);
  if (!own || !data)
    return efvi_refuse(-EINVAL, "no interface, or no place for its statistics");
  struct efvi_statistics since = {0};
#define X(type, name) since.name = (type)(own->counters.name - own->zero.name);
  EFVI_COUNTERS(X)
#undef X
  memcpy(data, &since, sizeof(since));
  if (do_reset)
    own->zero = own->counters;
  return 0;
}
