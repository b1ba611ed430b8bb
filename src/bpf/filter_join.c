/* SPDX-License-Identifier: BSD-2-Clause */
/* The XSKMAP of a program that is there already. Only its map is touched, and only at our queues:
 * whether a frame gets there is up to that program. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "src/bpf/bpf_attach.h"
#include "src/bpf/filter_internal.h"

static int refuse(const struct filter *f, const struct bpf_attached *attached, const char *why,
                  struct shunt_error *error)
{
  char who[SHUNT_ERROR_TEXT_BYTES];

  bpf_attach_describe(attached, who, sizeof(who));
  shunt_error_set(error, -EBUSY, "can't join the XDP program on %s", f->interface);
  shunt_error_why(error, "%s: %s", who, why);
  shunt_error_remedy(error, "end the program that holds it, or take another interface");
  return -EBUSY;
}

/* It runs where it was put, whatever place was asked for: to say otherwise would be a lie. */
static int refuse_mode(const struct filter *f, const struct bpf_attached *attached,
                       struct shunt_error *error)
{
  char who[SHUNT_ERROR_TEXT_BYTES];

  bpf_attach_describe(attached, who, sizeof(who));
  shunt_error_set(error, -EOPNOTSUPP, "can't join the XDP program on %s", f->interface);
  shunt_error_why(error, "it runs in another mode than was asked for: %.180s", who);
  shunt_error_remedy(error, "allow its mode, too: mode=auto, or hw=prefer where it is in the NIC");
  return -EOPNOTSUPP;
}

/* The only XSKMAP among the program's maps: 1 and *fd; 0 where there is none; 2: there are more. */
static int find_xskmap(const struct bpf_attached *attached, int *fd, struct bpf_map_info *found,
                       struct shunt_error *error)
{
  uint32_t most = attached->state.map_count;
  int count = 0;

  for (uint32_t i = 0; i < most && i < BPF_PROGRAM_MAPS && count < 2; i++) {
    struct bpf_map_info info = {0};
    int map;
    int result = bpf_map_open(attached->state.maps[i], &map, error);
    if (!result) {
      result = bpf_map_info(map, &info, error);
      if (result || info.type != BPF_MAP_TYPE_XSKMAP || count++) {
        close(map);
      } else {
        *fd = map;
        *found = info;
      }
    }
    if (result) {
      if (count)
        close(*fd);
      return result;
    }
  }
  if (count == 2)
    close(*fd);
  return count;
}

static int check_entries(const struct filter *f, const struct bpf_attached *attached,
                         uint32_t entries, struct shunt_error *error)
{
  const uint32_t used = f->options.queues_used ? f->options.queues_used : f->options.queues;
  char why[80];

  if (entries >= used)
    return 0;
  snprintf(why, sizeof(why), "its XSKMAP has %u entries, none for queue %u", entries, used - 1);
  return refuse(f, attached, why, error);
}

int filter_join(struct filter *f, struct shunt_error *error)
{
  struct bpf_attached attached;
  struct bpf_map_info info = {0};
  int map = -1;
  int result = bpf_attach_query(f->options.ifindex, &attached, error);

  if (result)
    return result;
  if (!attached.program)
    return 1;
  if (attached.mode != f->options.mode)
    return refuse_mode(f, &attached, error);
  if (!attached.known)
    return refuse(f, &attached, "its maps can't be seen without CAP_SYS_ADMIN", error);
  result = find_xskmap(&attached, &map, &info, error);
  if (result < 0)
    return result;
  if (result == 0)
    return refuse(f, &attached, "it has no XSKMAP", error);
  if (result > 1)
    return refuse(f, &attached, "it has several XSKMAPs, and which is for us can't be known",
                  error);
  result = check_entries(f, &attached, info.max_entries, error);
  if (result) {
    close(map);
    return result;
  }
  f->xskmap = map;
  f->joined = true;
  f->joined_program = attached.program;
  return 0;
}
