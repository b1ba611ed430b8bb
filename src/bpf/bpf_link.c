/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "src/bpf/bpf.h"
#include "src/bpf/call.h"
#include "src/bpf/explain.h"
#include "src/core/error_internal.h"

int bpf_link_xdp(int program, int ifindex, uint32_t xdp_flags, int *link, struct shunt_error *error)
{
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.link_create.prog_fd = (uint32_t)program;
  attr.link_create.target_ifindex = (uint32_t)ifindex;
  attr.link_create.attach_type = BPF_XDP;
  attr.link_create.flags = xdp_flags;
  *link = -1;
  int result = call_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
  if (result < 0)
    return explain_attach(program, ifindex, xdp_flags, result, error);
  *link = result;
  return 0;
}

int bpf_link_replace(int link, int program, int expected, struct shunt_error *error)
{
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.link_update.link_fd = (uint32_t)link;
  attr.link_update.new_prog_fd = (uint32_t)program;
  if (expected >= 0) {
    attr.link_update.flags = BPF_F_REPLACE;
    attr.link_update.old_prog_fd = (uint32_t)expected;
  }
  int result = call_bpf(BPF_LINK_UPDATE, &attr, sizeof(attr));
  if (result == 0)
    return 0;
  error_set_errno(error, result, "can't put BPF program fd %d in the place of link fd %d's",
                  program, link);
  if (result == -EPERM && expected >= 0) {
    shunt_error_why(error,
                    "Operation not permitted (EPERM): the link holds another program than "
                    "fd %d",
                    expected);
    shunt_error_remedy(error, "somebody else has replaced it; detach and open the port again");
  }
  if (result == -ENOLINK)
    shunt_error_remedy(error, "the link was detached, or its interface is gone: open the port "
                              "again");
  return result;
}

int bpf_link_detach(int link, struct shunt_error *error)
{
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.link_detach.link_fd = (uint32_t)link;
  int result = call_bpf(BPF_LINK_DETACH, &attr, sizeof(attr));
  if (result < 0)
    error_set_errno(error, result, "can't detach BPF link fd %d", link);
  return result;
}

int bpf_link_info(int link, struct bpf_link_state *state, struct shunt_error *error)
{
  struct bpf_link_info info;
  memset(&info, 0, sizeof(info));
  memset(state, 0, sizeof(*state));
  union bpf_attr attr = {
      .info = {.bpf_fd = (uint32_t)link, .info_len = sizeof(info), .info = call_address(&info)}};
  int result = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
  if (result < 0)
    return error_set_errno(error, result, "can't ask the kernel about BPF link fd %d", link);
  state->id = info.id;
  state->type = info.type;
  state->program = info.prog_id;
  if (info.type == BPF_LINK_TYPE_XDP)
    state->ifindex = (int)info.xdp.ifindex;
  return 0;
}

int bpf_link_open(uint32_t id, int *fd, struct shunt_error *error)
{
  union bpf_attr attr = {.link_id = id};
  *fd = -1;
  int result = call_bpf(BPF_LINK_GET_FD_BY_ID, &attr, sizeof(attr));
  if (result >= 0) {
    *fd = result;
    return 0;
  }
  error_set_errno(error, result, "can't open BPF link id %u", id);
  if (result == -EPERM)
    shunt_error_remedy(error, "opening links of others needs CAP_SYS_ADMIN");
  return result;
}

int bpf_link_next(uint32_t id, uint32_t *next, struct shunt_error *error)
{
  union bpf_attr attr = {.start_id = id};
  int result = call_bpf(BPF_LINK_GET_NEXT_ID, &attr, sizeof(attr));
  if (result == 0)
    *next = attr.next_id;
  else if (result != -ENOENT)
    error_set_errno(error, result, "can't list BPF links");
  return result;
}
