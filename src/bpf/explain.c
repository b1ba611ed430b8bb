/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/explain.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/bpf/assembler.h"
#include "src/bpf/features.h"
#include "src/bpf/listing.h"
#include "src/core/error_internal.h"
#include "src/core/sysfs.h"

/* Newer than some linux/capability.h. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define EXPLAIN_LINE_BYTES 84 /* of the verifier's sentence, so that all has room in a why */

/* ---- permissions ---- */

/* The thread's effective capabilities, a bit each, or 0. */
static uint64_t explain_capabilities(void)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  memset(data, 0, sizeof(data));
  if (syscall(SYS_capget, &header, data) != 0)
    return 0;
  return data[0].effective | ((uint64_t)data[1].effective << 32);
}

void explain_rights_read(struct explain_rights *rights)
{
  struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
  struct features features;
  memset(&features, 0, sizeof(features));
  rights->capabilities = explain_capabilities();
  if (sysfs_read_int("/proc/sys/kernel/unprivileged_bpf_disabled", &rights->unprivileged) < 0)
    rights->unprivileged = -1;
  rights->memlock_bytes = UINT64_MAX;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    rights->memlock_bytes = limit.rlim_cur;
  rights->memlock_counts = features_state(&features, FEATURE_NO_MEMLOCK) == FEATURE_ABSENT;
}

static bool explain_has(const struct explain_rights *rights, unsigned capability)
{
  return (rights->capabilities >> capability & 1) != 0;
}

void explain_permission(const struct explain_rights *rights, struct shunt_error *error)
{
  struct explain_rights own;
  if (error == NULL)
    return;
  if (rights == NULL) {
    explain_rights_read(&own);
    rights = &own;
  }
  bool all = explain_has(rights, CAP_SYS_ADMIN); /* it holds the others, too */
  bool bpf = all || explain_has(rights, CAP_BPF);
  bool net = all || explain_has(rights, CAP_NET_ADMIN);
  if (!bpf || !net) {
    shunt_error_why(error,
                    "Operation not permitted (EPERM): this thread has no %s%s%s; "
                    "kernel.unprivileged_bpf_disabled is %d",
                    bpf ? "" : "CAP_BPF", bpf || net ? "" : " and no ", net ? "" : "CAP_NET_ADMIN",
                    rights->unprivileged);
    shunt_error_remedy(error, EXPLAIN_SETCAP);
    return;
  }
  if (rights->memlock_counts && rights->memlock_bytes != UINT64_MAX) {
    shunt_error_why(error,
                    "Operation not permitted (EPERM): before Linux 5.11 maps and programs count "
                    "as locked memory, and RLIMIT_MEMLOCK is %llu bytes",
                    (unsigned long long)rights->memlock_bytes);
    shunt_error_remedy(error,
                       "raise it: ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit");
    return;
  }
  shunt_error_why(error, "Operation not permitted (EPERM), though CAP_BPF and CAP_NET_ADMIN are "
                         "there: in this user namespace they don't count, or a security module "
                         "or kernel lockdown forbids it");
  shunt_error_remedy(error, "run outside the container's user namespace, or see what the kernel's "
                            "log says (dmesg, audit)");
}

/* ---- the verifier's words ---- */

/* Which words of the verifier mean what (kernel/bpf/verifier.c; several wordings where they changed
 * between Linux 5.4 and 6.18). The first that is found in the decisive line counts. */
struct explain_case {
  const char *says;
  const char *cause;
  const char *remedy;
};

static const struct explain_case explain_cases[] = {
    {"expected=map_ptr", "a helper got a number where it takes a map",
     "load the map with bpf_load_map, which sets BPF_PSEUDO_MAP_FD, not with bpf_move_imm64"},
    {"is not pointing to valid bpf_map", "the program names a map that is not open",
     "make the map first, and keep its file descriptor open until the program is loaded"},
    {"invalid access to packet", "packet bytes are used that nothing proved to be there",
     "compare the pointer + offset + size with data_end first, and jump away where it is above"},
    {"offset is outside of the packet", "packet bytes are used that nothing proved to be there",
     "compare the pointer + offset + size with data_end first, and jump away where it is above"},
    {"map_value_or_null", "a looked-up value is used that may be none",
     "compare R0 with 0 after bpf_map_lookup_elem, and jump away where it is equal"},
    {"invalid access to map value", "a map's value is used beyond its end",
     "check the offset against the map's value_bytes"},
    {"cannot use helper", "programs of this type can't call that helper",
     "use another helper, or a newer kernel that has it for XDP"},
    {"unknown func", "this kernel has no such helper, or not for XDP",
     "use another helper, or the kernel that brings it (bpf-helpers(7))"},
    {"invalid func", "this kernel has no such helper",
     "use another helper, or the kernel that brings it (bpf-helpers(7))"},
    {"infinite loop detected", "the program goes round with nothing changed",
     "count in a register up to a constant, or unroll the loop"},
    {"back-edge", "the program jumps back, where this kernel allows no loops",
     "unroll the loop (bounded loops came with Linux 5.3, and need CAP_BPF)"},
    {"program is too large", "walking all paths took more than a million steps",
     "bound loops by smaller constants; of a filter " EXPLAIN_SHARE_TABLES},
    {"jumps is too complex", "too many branches wait to be walked at once", EXPLAIN_SHARE_TABLES},
    {"Unreleased reference", "something that was taken is not given back on this path",
     "call the releasing function on every path before exit"},
    {"unreachable insn", "no path leads to this instruction",
     "remove the instruction, or place a label before it that is jumped to"},
    {"R0 !read_ok", "the program ends without a verdict in R0, or uses R0 before it is set",
     "set R0 (XDP_PASS, XDP_DROP, ...) on every path to exit"},
    {"!read_ok", "a register is read before it was set (a call leaves R1 to R5 empty)",
     "set it, or keep what is to outlive a call in R6 to R9"},
    {"metadata kfuncs require device-bound", "what reads NIC metadata must be bound to the NIC",
     "load with BPF_XDP_DEV_BOUND_ONLY and the interface's index, and attach in drv mode"},
    {"metadata kfuncs can't be offloaded", "what reads NIC metadata can't run on the NIC itself",
     "load with BPF_XDP_DEV_BOUND_ONLY, not for hw mode"},
    {"calling kernel function", "the kernel keeps this function from programs of this type",
     "call only functions that are meant for XDP (kfuncs of net/core/xdp.c)"},
    {"is not a function", "there is no kernel function of that BTF id",
     "look the id up with btf_find_function on the running kernel"},
    {"without CONFIG_DEBUG_INFO_BTF", "this kernel was built without type information",
     "use a kernel with CONFIG_DEBUG_INFO_BTF, or leave out receive times"},
    {"frame pointer is read only", "R10, the frame, is written",
     "copy R10 to another register and change that"},
    {"invalid mem access", "a number is used as an address",
     "follow the register back to where it stopped being a pointer"},
    {"invalid indirect read from stack", "a helper reads stack that was never written",
     "write the whole key or value before passing its address"},
    {"invalid read from stack", "stack is read that was never written, or that is none",
     "write it first, at offsets from -512 to -1"},
    {"invalid write to stack", "the stack ends 512 bytes below R10",
     "use offsets from -512 to -1, aligned to their size"},
    {"invalid stack", "the stack ends 512 bytes below R10",
     "use offsets from -512 to -1, aligned to their size"},
    {"invalid bpf_context access", "struct xdp_md has no such member, or not of this size",
     "load members of struct xdp_md as BPF_W, at their offsets"},
    {"pkt pointer", "a packet pointer is moved by a number without a bound",
     "mask or compare the number before adding it to the pointer"},
    {"math between", "a pointer is moved by a number without a bound",
     "mask or compare the number before adding it to the pointer"},
    {"prohibited", "without CAP_PERFMON this arithmetic on pointers is refused", EXPLAIN_SETCAP},
    {"leaks addr", "without CAP_PERFMON no kernel address may be stored where others can read it",
     EXPLAIN_SETCAP},
    {"last insn is not an exit or jmp", "the program runs past its end",
     "end with bpf_exit or bpf_go"},
    {"jump out of range", "a jump leaves the program", "place the label inside the program"},
    {"misaligned", "memory is read at an address that is not a multiple of the size",
     "load smaller pieces"},
    {"reserved fields", "an instruction has bits set that it does not use",
     "emit instructions by the assembler's calls"},
    {"unknown opcode", "this kernel does not know this instruction",
     "use older instructions (sign extension, bswap and long jumps need Linux 6.6)"},
    {"invalid BPF_", "this kernel does not know this instruction",
     "use older instructions (sign extension, bswap and long jumps need Linux 6.6)"},
};

/* The number at the start of text, or -1; *end behind its digits. */
static int64_t explain_number(const char *text, const char **end)
{
  int64_t number = 0;
  const char *at = text;
  while (*at >= '0' && *at <= '9' && number < INT32_MAX)
    number = number * 10 + (*at++ - '0');
  *end = at;
  return at == text ? -1 : number;
}

/* What the verifier writes as it walks, and its statistics at the end: no complaint. */
static bool explain_is_trace(const char *line, unsigned length)
{
  static const char *const starts[] = {
      "processed ", "verification time", "stack depth", "from ", "; ",     "func#", "max_states",
      "peak_",      "mark_precise",      "last_idx",    "regs=", "parent "};
  const char *end;
  if (length == 0)
    return true;
  if (explain_number(line, &end) >= 0 && *end == ':')
    return true;
  for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
    if (strncmp(line, starts[i], strlen(starts[i])) == 0)
      return true;
  }
  return false;
}

/* "insn 7" or "insn #7" in the line itself, as "unreachable insn 7" has it. */
static int64_t explain_insn_in(const char *line, unsigned length)
{
  const char *end;
  const char *found = memmem(line, length, "insn ", 5);
  if (found == NULL)
    return -1;
  found += 5;
  return explain_number(*found == '#' ? found + 1 : found, &end);
}

static const struct explain_case *explain_look_up(const struct explain_finding *finding)
{
  for (size_t i = 0; i < sizeof(explain_cases) / sizeof(explain_cases[0]); i++) {
    const struct explain_case *one = &explain_cases[i];
    if (memmem(finding->line, finding->length, one->says, strlen(one->says)) != NULL)
      return one;
  }
  return NULL;
}

/* Take a line of complaint. Of several in a row the first that is known says most ("invalid access
 * to packet" before "offset is outside of the packet"); of unknown ones the last. */
static void explain_take(struct explain_finding *finding, const char *line, unsigned length,
                         int64_t walked)
{
  if (finding->line != NULL && explain_look_up(finding) != NULL)
    return;
  int64_t named = explain_insn_in(line, length);
  finding->line = line;
  finding->length = length;
  finding->insn = named >= 0 ? named : walked;
}

void explain_find(const char *log, struct explain_finding *finding)
{
  *finding = (struct explain_finding){.insn = -1};
  int64_t walked = -1; /* the instruction that the walk came to last: "7: (61) r2 = ..." */
  for (const char *line = log; *line != '\0';) {
    unsigned length = (unsigned)strcspn(line, "\n");
    const char *end;
    int64_t number = explain_number(line, &end);
    if (number >= 0 && strncmp(end, ": (", 3) == 0) {
      walked = number;
      *finding = (struct explain_finding){.insn = -1}; /* it walked on: that was no complaint */
    }
    if (!explain_is_trace(line, length))
      explain_take(finding, line, length, walked);
    line += length + (line[length] == '\n');
  }
}

/* Write the instruction as our listing has it, and behind which label. */
static void explain_place(const struct bpf_program_spec *spec, int64_t insn, char *text,
                          size_t bytes)
{
  char line[LISTING_LINE_BYTES];
  uint32_t distance = 0;
  const char *label = NULL;
  text[0] = '\0';
  if (insn < 0 || insn >= spec->count)
    return;
  listing_instruction(&spec->insns[insn], spec->count - (uint32_t)insn, line, sizeof(line));
  if (spec->source != NULL)
    label = bpf_label_near(spec->source, (uint32_t)insn, &distance);
  snprintf(text, bytes, " at %lld: %.60s%s%s%s", (long long)insn, line,
           label != NULL ? " (in " : "", label != NULL ? label : "", label != NULL ? ")" : "");
}

static void explain_words(const struct bpf_program_spec *spec,
                          const struct explain_finding *finding, struct shunt_error *error)
{
  char place[LISTING_LINE_BYTES];
  explain_place(spec, finding->insn, place, sizeof(place));
  int length = (int)(finding->length < EXPLAIN_LINE_BYTES ? finding->length : EXPLAIN_LINE_BYTES);
  const struct explain_case *known = explain_look_up(finding);
  if (known == NULL) {
    shunt_error_why(error, "the verifier says \"%.*s\"%s", length, finding->line, place);
    return;
  }
  shunt_error_why(error, "%s: the verifier says \"%.*s\"%s", known->cause, length, finding->line,
                  place);
  shunt_error_remedy(error, "%s", known->remedy);
}

/* ---- refusals before the verifier ---- */

static void explain_too_big(const struct bpf_program_spec *spec, struct shunt_error *error)
{
  if (spec->count == 0) {
    shunt_error_why(error, "it has no instruction");
    return;
  }
  if (spec->count > BPF_ASSEMBLER_MOST) {
    shunt_error_why(error, "it has %u instructions, and the kernel takes %u", spec->count,
                    BPF_ASSEMBLER_MOST);
    shunt_error_remedy(error, EXPLAIN_SHARE_TABLES);
    return;
  }
  if (spec->count > BPF_MAXINSNS) {
    shunt_error_why(error,
                    "it has %u instructions, and without CAP_BPF, or before Linux 5.2, %u "
                    "are taken",
                    spec->count, BPF_MAXINSNS);
    shunt_error_remedy(error, "run with CAP_BPF; or " EXPLAIN_SHARE_TABLES);
    return;
  }
  error_why_errno(error, -E2BIG);
  shunt_error_remedy(error, "this kernel knows a shorter bpf_attr than the call fills (a newer "
                            "feature is asked for), or the program takes too many steps to verify");
}

static void explain_invalid(const struct bpf_program_spec *spec, struct shunt_error *error)
{
  struct features features;
  memset(&features, 0, sizeof(features));
  const char *wanted = "the program";
  error_why_errno(error, -EINVAL);
  if ((spec->flags & BPF_F_XDP_HAS_FRAGS) != 0 &&
      features_need(&features, FEATURE_FRAGMENTS, wanted, error) < 0)
    return;
  if ((spec->flags & BPF_XDP_DEV_BOUND_ONLY) != 0 &&
      features_need(&features, FEATURE_DEVICE_BOUND, wanted, error) < 0)
    return;
  if (features_need(&features, FEATURE_XDP, wanted, error) < 0)
    return;
  if (spec->ifindex != 0) {
    shunt_error_why(error, "Invalid argument (EINVAL): the program is to be bound to interface %u",
                    spec->ifindex);
    shunt_error_remedy(error, "bind to an interface of this network namespace, with "
                              "BPF_XDP_DEV_BOUND_ONLY, whose driver has XDP in drv mode");
    return;
  }
  shunt_error_remedy(error,
                     "compare flags 0x%x, the name and the type with linux/bpf.h of the "
                     "running kernel",
                     spec->flags);
}

/* kernel/bpf/offload.c, bpf_prog_dev_bound_init: the interface has no xdp_metadata_ops. */
static void explain_no_metadata(const struct bpf_program_spec *spec, struct shunt_error *error)
{
  shunt_error_why(error,
                  "Operation not supported (EOPNOTSUPP): the driver of interface %u gives XDP "
                  "programs no metadata",
                  spec->ifindex);
  shunt_error_remedy(error, "leave out receive times, or use a driver that has them (mlx5, ice, "
                            "igc, stmmac, veth and others)");
}

void explain_load(const struct bpf_program_spec *spec, int code, const char *log,
                  struct shunt_error *error)
{
  if (error == NULL)
    return;
  struct explain_finding finding;
  explain_find(log, &finding);
  error_set_errno(error, code, "can't load BPF program \"%s\" of %u instructions",
                  spec->name != NULL ? spec->name : "", spec->count);
  if (finding.line != NULL)
    explain_words(spec, &finding, error);
  else if (code == -EPERM)
    explain_permission(NULL, error);
  else if (code == -E2BIG)
    explain_too_big(spec, error);
  else if (code == -EINVAL)
    explain_invalid(spec, error);
  else if (code == -EOPNOTSUPP && spec->ifindex != 0)
    explain_no_metadata(spec, error);
  else if (code == -ENOMEM)
    shunt_error_remedy(error, "give the cgroup more memory");
  if (finding.line != NULL || code != -EBADF)
    return;
  shunt_error_why(error, "Bad file descriptor (EBADF): the program names a map or BTF that is not "
                         "open");
  shunt_error_remedy(error, "keep the file descriptors of its maps open until it is loaded");
}
