/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the program of a filter is still on its interface. */
#include <errno.h>
#include <unistd.h>

#include "src/bpf/bpf.h"
#include "src/bpf/filter_internal.h"
#include "src/netlink/interface.h"

static int gone(const struct filter *f, const char *why, struct shunt_error *error)
{
  shunt_error_set(error, -ENOLINK, "frames of %s go to the kernel, and no longer to this port",
                  f->interface);
  shunt_error_why(error, "%s", why);
  shunt_error_remedy(error,
                     "close the port and open it again; what is there now: bpftool net show dev %s",
                     f->interface);
  return -ENOLINK;
}

/* A link that was detached stays open, and has no interface any more (bpf_xdp_link_detach,
 * net/core/dev.c). */
static int check_link(const struct filter *f, struct shunt_error *error)
{
  struct bpf_link_state state;
  if (bpf_link_info(f->link, &state, NULL) || state.ifindex)
    return 0;
  return gone(f, "somebody took its XDP program off: the link was detached", error);
}

/* Whether a program has our map; 1 also where that can't be seen. */
static bool has_map(const struct filter *f, uint32_t program)
{
  struct bpf_program_state state;
  struct bpf_map_info map;
  int fd;
  if (bpf_program_open(program, &fd, NULL))
    return true;
  bool known = !bpf_program_info(fd, &state, NULL) && !bpf_map_info(f->xskmap, &map, NULL) &&
               state.map_count <= BPF_PROGRAM_MAPS;
  bool has = !known;
  close(fd);
  for (uint32_t i = 0; known && i < state.map_count; i++)
    has |= state.maps[i] == map.id;
  return has;
}

/* Its owner may have put another program in its place that has the same map: a filter of this
 * library does so where its rules change. */
static int check_joined(struct filter *f, uint32_t program, struct shunt_error *error)
{
  if (program == f->joined_program)
    return 0;
  if (!has_map(f, program))
    return gone(f, "the program that was joined is gone, and another is there", error);
  f->joined_program = program;
  return 0;
}

int filter_check(struct filter *f, struct shunt_error *error)
{
  uint32_t program;
  if (f->link >= 0)
    return check_link(f, error);
  if (interface_read_program(f->options.ifindex, &program))
    return 0;
  if (!program)
    return gone(f,
                f->joined ? "the program that was joined is gone: its owner has ended, "
                            "or somebody took it off"
                          : "somebody took its XDP program off",
                error);
  return f->joined ? check_joined(f, program, error) : 0;
}
