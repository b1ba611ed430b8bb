/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/bpf/bpf.h"
#include "src/bpf/call.h"
#include "src/bpf/explain.h"
#include "src/core/error_internal.h"

/* The log grows from the first to the last; what the verifier says fits into the first nearly
 * always, and a walk of a million instructions into none. */
#define PROGRAM_LOG_BYTES      (64u << 10)
#define PROGRAM_LOG_BYTES_MOST (16u << 20)
#define PROGRAM_LOG_GROWTH     16u

/* How much is said (linux/bpf_verifier.h, BPF_LOG_LEVEL1 and BPF_LOG_STATS). */
#define PROGRAM_LOG_PATH    1u /* the path that fails, step by step, and the complaint */
#define PROGRAM_LOG_SUMMARY 4u /* the complaint: all that a million steps need to leave behind */

static union bpf_attr program_attr(const struct bpf_program_spec *spec)
{
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_type = spec->type != 0 ? spec->type : BPF_PROG_TYPE_XDP;
  attr.insns = call_address(spec->insns);
  attr.insn_cnt = spec->count;
  attr.license = call_address(spec->license != NULL ? spec->license : "Dual BSD/GPL");
  attr.prog_flags = spec->flags;
  attr.prog_ifindex = spec->ifindex;
  attr.expected_attach_type = spec->expected_attach;
  if (spec->expected_attach == 0 && attr.prog_type == BPF_PROG_TYPE_XDP)
    attr.expected_attach_type = BPF_XDP;
  attr.fd_array = call_address(spec->module_btf);
  call_name(attr.prog_name, spec->name);
  return attr;
}

/* Load again, for the words. Returns an fd where it works now, else -errno of a load whose log was
 * long enough or could not be longer; *log is to be freed, and NULL where there is no memory. */
static int program_load_logged(union bpf_attr *attr, uint32_t level, char **log)
{
  int result = -ENOMEM;
  struct explain_finding finding;
  *log = NULL;
  for (uint32_t bytes = PROGRAM_LOG_BYTES; bytes <= PROGRAM_LOG_BYTES_MOST;
       bytes *= PROGRAM_LOG_GROWTH) {
    char *room = realloc(*log, bytes);
    if (room == NULL)
      return result;
    *log = room;
    room[0] = '\0';
    attr->log_level = level;
    attr->log_size = bytes;
    attr->log_buf = call_address(room);
    result = call_bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
    room[bytes - 1] = '\0';
    if (result != -ENOSPC) /* ENOSPC: the log, not the program, was too long */
      return result;
    /* Since Linux 6.4 the end of the log is kept: enough, where the complaint is in it. */
    explain_find(room, &finding);
    if (finding.line != NULL)
      return result;
  }
  return result;
}

int bpf_program_load(const struct bpf_program_spec *spec, int *fd, struct shunt_error *error)
{
  *fd = -1;
  if (spec->log != NULL)
    *spec->log = NULL;
  union bpf_attr attr = program_attr(spec);
  int code = call_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
  if (code >= 0) {
    *fd = code;
    return 0;
  }
  char *log;
  uint32_t level = code == -E2BIG ? PROGRAM_LOG_SUMMARY : PROGRAM_LOG_PATH;
  int again = program_load_logged(&attr, level, &log);
  if (again >= 0) {
    free(log);
    *fd = again;
    return 0;
  }
  explain_load(spec, code, log != NULL ? log : "", error);
  if (spec->log != NULL && log != NULL && log[0] != '\0')
    *spec->log = log;
  else
    free(log);
  return code;
}

int bpf_program_test(int program, struct bpf_test *test, struct shunt_error *error)
{
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.test.prog_fd = (uint32_t)program;
  attr.test.data_in = call_address(test->in);
  attr.test.data_size_in = test->in_bytes;
  attr.test.repeat = test->repeat;
  if (test->context != NULL) {
    attr.test.ctx_in = call_address(test->context);
    attr.test.ctx_size_in = sizeof(*test->context);
  }
  if (test->live) {
    attr.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    attr.test.batch_size = test->batch;
  } else {
    attr.test.data_out = call_address(test->out);
    attr.test.data_size_out = test->out != NULL ? test->out_bytes : 0;
  }
  int result = call_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
  if (result < 0 && result != -ENOSPC) {
    error_set_errno(error, result, "can't run BPF program fd %d on a packet of %u bytes", program,
                    test->in_bytes);
    if (result == -EINVAL)
      shunt_error_remedy(error,
                         "give at least 14 bytes, and a context whose data_end is their "
                         "number%s",
                         test->live ? "; live frames need Linux 5.18" : "");
    return result;
  }
  test->verdict = attr.test.retval;
  test->duration_ns = attr.test.duration;
  uint32_t room = test->out_bytes;
  test->out_bytes = attr.test.data_size_out;
  if (result == -ENOSPC)
    return error_set_errno(error, result, "the packet after BPF program fd %d has %u bytes, not %u",
                           program, test->out_bytes, room);
  return 0;
}

int bpf_program_info(int program, struct bpf_program_state *state, struct shunt_error *error)
{
  memset(state, 0, sizeof(*state));
  struct bpf_prog_info info = {.nr_map_ids = BPF_PROGRAM_MAPS,
                               .map_ids = call_address(state->maps)};
  union bpf_attr attr = {
      .info = {.bpf_fd = (uint32_t)program, .info_len = sizeof(info), .info = call_address(&info)}};
  int result = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
  if (result < 0)
    return error_set_errno(error, result, "can't ask the kernel about BPF program fd %d", program);
  state->id = info.id;
  state->type = info.type;
  memcpy(state->name, info.name, sizeof(state->name) - 1);
  for (unsigned i = 0; i < BPF_TAG_SIZE; i++)
    snprintf(state->tag + 2 * (size_t)i, 3, "%02x", info.tag[i]);
  state->uid = info.created_by_uid;
  state->loaded_ns = info.load_time;
  state->ifindex = info.ifindex;
  state->insns = info.xlated_prog_len / (uint32_t)sizeof(struct bpf_insn);
  state->map_count = info.nr_map_ids;
  return 0;
}

int bpf_program_open(uint32_t id, int *fd, struct shunt_error *error)
{
  union bpf_attr attr = {.prog_id = id};
  *fd = -1;
  int result = call_bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
  if (result >= 0) {
    *fd = result;
    return 0;
  }
  error_set_errno(error, result, "can't open BPF program id %u", id);
  if (result == -EPERM)
    shunt_error_remedy(error, "opening programs of others needs CAP_SYS_ADMIN");
  return result;
}
