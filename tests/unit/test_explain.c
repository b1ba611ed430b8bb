/* SPDX-License-Identifier: BSD-2-Clause */
/* Each way in which the kernel refuses a program, provoked from the running kernel, and what we say
 * about it. */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "bpf_rig.h"
#include "src/bpf/btf.h"
#include "src/bpf/call.h"
#include "src/bpf/explain.h"
#include "src/bpf/features.h"

#define HELPER_SKB_LOAD_BYTES 26 /* of socket filters: not for XDP */
#define HELPER_NONE           100000
#define MAP_VALUE_BYTES       16

static const struct bpf_map_spec map_spec = {.type = BPF_MAP_TYPE_ARRAY,
                                             .key_bytes = 4,
                                             .value_bytes = MAP_VALUE_BYTES,
                                             .entries = 4,
                                             .name = "explain"};

static void write_pass(struct bpf_assembler *a)
{
  bpf_move_imm(a, R0, XDP_PASS);
  bpf_exit(a);
}

/* r0 = lookup(map in R1, some key on the stack: of a known one the verifier knows the answer) */
static void write_lookup(struct bpf_assembler *a)
{
  bpf_move(a, R6, R1);
  bpf_call(a, BPF_FUNC_get_prandom_u32);
  bpf_store(a, BPF_W, R10, -4, R0);
  bpf_move(a, R1, R6);
  bpf_move(a, R2, R10);
  bpf_add_imm(a, R2, -4);
  bpf_call(a, BPF_FUNC_map_lookup_elem);
}

static void write_number_for_map(struct bpf_assembler *a, int map)
{
  bpf_move_imm64(a, R1, (uint64_t)map);
  write_lookup(a);
  write_pass(a);
}

static void write_closed_map(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_load_map(a, R1, 1000000);
  write_lookup(a);
  write_pass(a);
}

static void write_unchecked_packet(struct bpf_assembler *a, int map)
{
  (void)map;
  struct bpf_label read = bpf_label(a, "read");
  bpf_load(a, BPF_W, R2, R1, offsetof(struct xdp_md, data));
  bpf_place(a, read);
  bpf_load(a, BPF_H, R3, R2, 12);
  write_pass(a);
}

static void write_unchecked_value(struct bpf_assembler *a, int map)
{
  bpf_load_map(a, R1, map);
  write_lookup(a);
  bpf_load(a, BPF_DW, R3, R0, 0);
  write_pass(a);
}

static void write_beyond_value(struct bpf_assembler *a, int map)
{
  struct bpf_label none = bpf_label(a, "none");
  bpf_load_map(a, R1, map);
  write_lookup(a);
  bpf_jump_imm(a, BPF_JEQ, R0, 0, none);
  bpf_load(a, BPF_DW, R3, R0, MAP_VALUE_BYTES);
  bpf_place(a, none);
  write_pass(a);
}

static void write_unknown_helper(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_call(a, HELPER_NONE);
  write_pass(a);
}

static void write_foreign_helper(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_call(a, HELPER_SKB_LOAD_BYTES);
  write_pass(a);
}

static void write_endless_loop(struct bpf_assembler *a, int map)
{
  (void)map;
  struct bpf_label again = bpf_label(a, "again");
  bpf_move_imm(a, R0, XDP_PASS);
  bpf_place(a, again);
  bpf_move_imm(a, R3, 1);
  bpf_jump_imm(a, BPF_JEQ, R3, 1, again);
  bpf_exit(a);
}

static void write_long_loop(struct bpf_assembler *a, int map)
{
  (void)map;
  struct bpf_label again = bpf_label(a, "again");
  bpf_move_imm(a, R0, 0);
  bpf_place(a, again);
  bpf_add_imm(a, R0, 1);
  bpf_jump_imm(a, BPF_JLT, R0, 1000000, again);
  bpf_exit(a);
}

/* A socket is looked up and not released. */
static void write_unreleased(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_store_imm(a, BPF_DW, R10, -16, 0);
  bpf_store_imm(a, BPF_DW, R10, -8, 0);
  bpf_move(a, R2, R10);
  bpf_add_imm(a, R2, -16);
  bpf_move_imm(a, R3, 12);
  bpf_move_imm(a, R4, -1);
  bpf_move_imm(a, R5, 0);
  bpf_call(a, BPF_FUNC_sk_lookup_udp);
  write_pass(a);
}

static void write_dead_code(struct bpf_assembler *a, int map)
{
  (void)map;
  write_pass(a);
  write_pass(a);
}

static void write_no_verdict(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_exit(a);
}

static void write_lost_register(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_call(a, BPF_FUNC_ktime_get_ns);
  bpf_move(a, R0, R3);
  bpf_exit(a);
}

static void write_frame(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_emit(a, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = R10});
  write_pass(a);
}

static void write_below_stack(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_store_imm(a, BPF_DW, R10, -520, 0);
  write_pass(a);
}

static void write_read_below_stack(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_load(a, BPF_DW, R3, R10, -520);
  write_pass(a);
}

static void write_context(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_load(a, BPF_W, R3, R1, 100);
  write_pass(a);
}

static void write_unbounded(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_load(a, BPF_W, R6, R1, offsetof(struct xdp_md, data));
  bpf_call(a, BPF_FUNC_ktime_get_ns);
  bpf_add(a, R6, R0);
  write_pass(a);
}

static void write_number_as_address(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_move_imm(a, R3, 4096);
  bpf_load(a, BPF_W, R3, R3, 0);
  write_pass(a);
}

static void write_no_end(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_move_imm(a, R0, XDP_PASS);
}

static void write_unknown_opcode(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_emit(a, (struct bpf_insn){.code = BPF_ALU64 | 0xe0});
  write_pass(a);
}

static void write_kernel_function(struct bpf_assembler *a, const char *name)
{
  int32_t id = 0;
  bpf_store_imm(a, BPF_DW, R10, -8, 0);
  bpf_move(a, R2, R10);
  bpf_add_imm(a, R2, -8);
  assert_int_equal(btf_find_function(name, &id, NULL), 0);
  bpf_call_kernel(a, id, 0);
  write_pass(a);
}

static void write_unbound_metadata(struct bpf_assembler *a, int map)
{
  (void)map;
  write_kernel_function(a, "bpf_xdp_metadata_rx_timestamp");
}

static void write_forbidden_function(struct bpf_assembler *a, int map)
{
  (void)map;
  write_kernel_function(a, "tcp_slow_start");
}

static void write_no_function(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_call_kernel(a, 1, 0); /* type 1 is a number or a pointer, no function */
  write_pass(a);
}

static const struct {
  const char *name;
  bpf_rig_writer *write;
  int code;
  const char *says, *place, *remedy; /* in why, in why, in remedy */
  bool types;                        /* needs the kernel's BTF */
} refusals[] = {
    {"a number for a map", write_number_for_map, -EACCES, "expected=map_ptr",
     "(85) call bpf_map_lookup_elem#1", "BPF_PSEUDO_MAP_FD"},
    {"a map that is closed", write_closed_map, -EBADF, "is not pointing to valid bpf_map", "",
     "keep its file descriptor open"},
    {"packet bytes without a check", write_unchecked_packet, -EACCES, "invalid access to packet",
     "at 1: (69) r3 = *(u16 *)(r2 +12) (in read)", "data_end"},
    {"a looked-up value without a check", write_unchecked_value, -EACCES, "map_value_or_null",
     "r3 = *(u64 *)(r0 +0)", "compare R0 with 0"},
    {"beyond a map's value", write_beyond_value, -EACCES, "invalid access to map value",
     "r3 = *(u64 *)(r0 +16)", "value_bytes"},
    {"no such helper", write_unknown_helper, -EINVAL, "#100000", "call helper#100000",
     "bpf-helpers(7)"},
    {"another type's helper", write_foreign_helper, -EINVAL, "bpf_skb_load_bytes#26", "",
     "use another helper"},
    {"an endless loop", write_endless_loop, -EINVAL, "infinite loop detected", "(in again)",
     "up to a constant"},
    {"a loop of a million rounds", write_long_loop, -E2BIG, "program is too large", "",
     "smaller constants"},
    {"a reference kept", write_unreleased, -EINVAL, "Unreleased reference", "", "on every path"},
    {"code that no path reaches", write_dead_code, -EINVAL, "unreachable insn 2",
     "at 2: (b7) r0 = 2", "remove the instruction"},
    {"no verdict", write_no_verdict, -EACCES, "R0 !read_ok", "at 0: (95) exit", "XDP_PASS"},
    {"a register lost in a call", write_lost_register, -EACCES, "R3 !read_ok", "(bf) r0 = r3",
     "R6 to R9"},
    {"the frame pointer written", write_frame, -EACCES, "frame pointer is read only", "r10 = 0",
     "copy R10"},
    {"a write below the stack", write_below_stack, -EACCES, "invalid write to stack", "-520",
     "-512 to -1"},
    {"a read below the stack", write_read_below_stack, -EACCES, "invalid read from stack", "-520",
     "-512 to -1"},
    {"no such member of xdp_md", write_context, -EACCES, "invalid bpf_context access", "(r1 +100)",
     "struct xdp_md"},
    {"an unbounded packet pointer", write_unbounded, -EINVAL, "pkt pointer", "r6 += r0",
     "mask or compare"},
    {"a number as an address", write_number_as_address, -EACCES, "invalid mem access",
     "r3 = *(u32 *)(r3 +0)", "pointer"},
    {"no end", write_no_end, -EINVAL, "last insn is not an exit or jmp", "", "bpf_exit"},
    {"an unknown instruction", write_unknown_opcode, -EINVAL, "e7", "", "6.6"},
    {"NIC metadata without a NIC", write_unbound_metadata, -EINVAL,
     "metadata kfuncs require device-bound", "", "BPF_XDP_DEV_BOUND_ONLY", true},
    {"a kernel function for others", write_forbidden_function, -EACCES, "is not allowed", "",
     "meant for XDP", true},
    {"a kernel type that is no function", write_no_function, -EINVAL, "is not a function", "",
     "btf_find_function", true},
};

static int refusal_check(size_t i, int map)
{
  struct shunt_error error;
  int fd;
  int code = bpf_rig_load(refusals[i].write, map, &fd, &error);
  bool right = code == refusals[i].code && error.code == code &&
               strstr(error.what, "\"shunt_test\"") != NULL &&
               strstr(error.why, refusals[i].says) != NULL &&
               strstr(error.why, refusals[i].place) != NULL &&
               strstr(error.remedy, refusals[i].remedy) != NULL;
  if (fd >= 0)
    close(fd);
  if (right)
    return 0;
  char text[1024] = "";
  if (code < 0)
    shunt_error_format(&error, text, sizeof(text));
  print_error("%s: %d instead of %d; \"%s\", \"%s\", \"%s\" not all in\n%s\n", refusals[i].name,
              code, refusals[i].code, refusals[i].says, refusals[i].place, refusals[i].remedy,
              text);
  return 1;
}

static void test_refusals(void **state)
{
  (void)state;
  int map = -1;
  int wrong = 0;
  struct features features = {0};
  if (!bpf_rig_usable())
    skip();
  bool types = features_state(&features, FEATURE_RX_TIME) == FEATURE_PRESENT;
  assert_int_equal(bpf_map_new(&map_spec, &map, NULL), 0);
  for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
    if (refusals[i].types && !types)
      print_message("skipped %s: this kernel has no BTF with receive times\n", refusals[i].name);
    else
      wrong += refusal_check(i, map);
  }
  close(map);
  assert_int_equal(wrong, 0);
}

/* The caller gets all that the verifier said, and nothing where it said nothing. */
static void test_log(void **state)
{
  (void)state;
  char *log = NULL;
  int fd;
  struct shunt_error error;
  struct bpf_program_spec spec = {.name = "shunt_test", .log = &log};
  if (!bpf_rig_usable())
    skip();
  assert_int_equal(bpf_rig_load_as(write_unchecked_packet, -1, spec, &fd, &error), -EACCES);
  assert_non_null(log);
  assert_non_null(strstr(log, "processed 2 insns"));
  free(log);
  assert_int_equal(bpf_rig_load_as(bpf_rig_pass, -1, spec, &fd, &error), 0);
  assert_null(log);
  close(fd);
}

/* The trap that loading without a log avoids: a good program fails for a log that is too short. */
static void test_short_log(void **state)
{
  (void)state;
  struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS},
                             {.code = BPF_JMP | BPF_EXIT}};
  char log[128];
  union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP,
                         .insn_cnt = 2,
                         .insns = call_address(insns),
                         .license = call_address("Dual BSD/GPL"),
                         .log_level = 2,
                         .log_size = sizeof(log),
                         .log_buf = call_address(log)};
  struct bpf_program_spec spec = {.insns = insns, .count = 2};
  int fd;
  if (!bpf_rig_usable())
    skip();
  assert_int_equal(call_bpf(BPF_PROG_LOAD, &attr, sizeof(attr)), -ENOSPC);
  assert_int_equal(bpf_program_load(&spec, &fd, NULL), 0);
  close(fd);
}

static void load_count(uint32_t count, const char *why)
{
  struct bpf_insn insns[] = {{.code = BPF_JMP | BPF_EXIT}};
  struct bpf_program_spec spec = {.insns = insns, .count = count, .name = "counted"};
  struct shunt_error error;
  int fd;
  assert_int_equal(bpf_program_load(&spec, &fd, &error), -E2BIG);
  assert_non_null(strstr(error.why, why));
}

static void test_too_big(void **state)
{
  (void)state;
  if (!bpf_rig_usable())
    skip();
  load_count(0, "no instruction");
  load_count(BPF_ASSEMBLER_MOST + 1, "1000001 instructions");

  /* A field behind the bpf_attr that this kernel knows. */
  struct {
    union bpf_attr attr;
    char behind[512];
  } longer;
  memset(&longer, 0, sizeof(longer));
  longer.behind[sizeof(longer.behind) - 1] = 1;
  struct bpf_program_spec spec = {.count = 2, .name = "newer"};
  struct shunt_error error;
  int code = call_bpf(BPF_PROG_LOAD, &longer.attr, sizeof(longer));
  assert_int_equal(code, -E2BIG);
  explain_load(&spec, code, "", &error);
  assert_non_null(strstr(error.remedy, "bpf_attr"));
}

static void test_invalid(void **state)
{
  (void)state;
  struct shunt_error error;
  struct bpf_program_spec spec = {
      .name = "bound", .flags = BPF_XDP_DEV_BOUND_ONLY, .ifindex = 0x7fffffff};
  struct features features = {0};
  int fd;
  if (!bpf_rig_usable())
    skip();
  if (features_state(&features, FEATURE_DEVICE_BOUND) == FEATURE_PRESENT) {
    assert_int_equal(bpf_rig_load_as(bpf_rig_pass, -1, spec, &fd, &error), -EINVAL);
    assert_non_null(strstr(error.why, "interface 2147483647"));
    assert_non_null(strstr(error.remedy, "this network namespace"));
    spec.ifindex = 1; /* the loopback interface */
    assert_int_equal(bpf_rig_load_as(bpf_rig_pass, -1, spec, &fd, &error), -EOPNOTSUPP);
    assert_non_null(strstr(error.why, "interface 1 gives XDP programs no metadata"));
  }
  spec = (struct bpf_program_spec){.name = "flags", .flags = 1u << 31};
  assert_int_equal(bpf_rig_load_as(bpf_rig_pass, -1, spec, &fd, &error), -EINVAL);
  assert_non_null(strstr(error.remedy, "0x80000000"));
}

/* ---- permissions ---- */

static void write_subtraction(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_load(a, BPF_W, R2, R1, offsetof(struct xdp_md, data));
  bpf_load(a, BPF_W, R0, R1, offsetof(struct xdp_md, data_end));
  bpf_sub(a, R0, R2);
  bpf_exit(a);
}

/* In a child that keeps these capabilities alone: load, and see what is said. Returns 0, or what
 * was wrong. */
static int refused_child(uint64_t kept, bpf_rig_writer *write, int code, const char *why)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const uint32_t low = (uint32_t)kept, high = (uint32_t)(kept >> 32);
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
      {.effective = low, .permitted = low}, {.effective = high, .permitted = high}};
  struct shunt_error error;
  int fd;
  if (syscall(SYS_capset, &header, data) != 0)
    return 2;
  if (bpf_rig_load(write, -1, &fd, &error) != code)
    return 3;
  if (strstr(error.why, why) == NULL ||
      strstr(error.remedy, "setcap cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon=ep") == NULL)
    return 4;
  return 0;
}

static void in_child(uint64_t kept, bpf_rig_writer *write, int code, const char *why)
{
  int status = 0;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(refused_child(kept, write, code, why));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

#define LOADING (UINT64_C(1) << 39 | UINT64_C(1) << CAP_NET_ADMIN) /* 39: CAP_BPF */

static void test_no_capability(void **state)
{
  (void)state;
  if (!bpf_rig_usable())
    skip();
  in_child(0, bpf_rig_pass, -EPERM, "no CAP_BPF and no CAP_NET_ADMIN");
  in_child(LOADING, write_subtraction, -EACCES, "without CAP_PERFMON");
}

/* Machines that this one is not. */
static void test_rights(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  struct explain_rights rights = {
      .capabilities = UINT64_C(1) << CAP_NET_ADMIN, .unprivileged = 2, .memlock_bytes = UINT64_MAX};
  explain_permission(&rights, &error);
  assert_non_null(strstr(error.why, "no CAP_BPF;"));
  assert_non_null(strstr(error.why, "unprivileged_bpf_disabled is 2"));

  rights.capabilities = UINT64_C(1) << 39;
  explain_permission(&rights, &error);
  assert_non_null(strstr(error.why, "no CAP_NET_ADMIN;"));

  rights = (struct explain_rights){
      .capabilities = LOADING, .memlock_bytes = 65536, .memlock_counts = true};
  explain_permission(&rights, &error);
  assert_non_null(strstr(error.why, "RLIMIT_MEMLOCK is 65536 bytes"));
  assert_non_null(strstr(error.remedy, "LimitMEMLOCK"));

  rights.memlock_counts = false;
  explain_permission(&rights, &error);
  assert_non_null(strstr(error.why, "user namespace"));

  rights.capabilities = UINT64_C(1) << CAP_SYS_ADMIN;
  explain_permission(&rights, &error);
  assert_non_null(strstr(error.why, "user namespace"));
}

/* ---- the finding alone ---- */

static void find(const char *log, const char *line, int64_t insn)
{
  struct explain_finding finding;
  explain_find(log, &finding);
  assert_int_equal(finding.insn, insn);
  if (line == NULL) {
    assert_null(finding.line);
    return;
  }
  assert_non_null(finding.line);
  assert_int_equal(finding.length, strlen(line));
  assert_memory_equal(finding.line, line, strlen(line));
}

static void test_find(void **state)
{
  (void)state;
  find("", NULL, -1);
  find("\n\n", NULL, -1);
  find("processed 4 insns (limit 1000000)\n", NULL, -1);
  find("something new", "something new", -1);
  find("0: R1=ctx() R10=fp0\n0: (95) exit\nR0 !read_ok\nprocessed 1 insns", "R0 !read_ok", 0);
  find("unreachable insn 12\n", "unreachable insn 12", 12);
  find("infinite loop detected at insn #3\n", "infinite loop detected at insn #3", 3);
  /* the first known one of several; of strangers the last */
  find("7: (69) x\ninvalid access to packet, off=12\nR2 offset is outside of the packet\n",
       "invalid access to packet, off=12", 7);
  find("7: (69) x\none\ntwo\n", "two", 7);
  /* what it grumbled before it walked on was nothing */
  find("1: (69) x\nR0 !read_ok\n2: (95) exit\n", NULL, -1);
  find("99999999999999999999: (95) exit\n", "99999999999999999999: (95) exit", -1);
}

/* An instruction that the log names and the program has not; a verifier of the future. */
static void test_foreign_log(void **state)
{
  (void)state;
  struct bpf_insn insns[] = {{.code = BPF_JMP | BPF_EXIT}};
  struct bpf_program_spec spec = {.insns = insns, .count = 1};
  struct shunt_error error;
  explain_load(&spec, -EINVAL, "unreachable insn 99\n", &error);
  assert_null(strstr(error.why, "at 99"));
  explain_load(&spec, -EINVAL, "the moon is full\n", &error);
  assert_non_null(strstr(error.why, "says \"the moon is full\""));
  assert_string_equal(error.remedy, "");
  explain_load(&spec, -ENOMEM, "", &error);
  assert_non_null(strstr(error.why, "ENOMEM"));
  explain_load(&spec, -EINVAL, "", NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refusals),    cmocka_unit_test(test_log),
      cmocka_unit_test(test_short_log),   cmocka_unit_test(test_too_big),
      cmocka_unit_test(test_invalid),     cmocka_unit_test(test_no_capability),
      cmocka_unit_test(test_rights),      cmocka_unit_test(test_find),
      cmocka_unit_test(test_foreign_log),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
