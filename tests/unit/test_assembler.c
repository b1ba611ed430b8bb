/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/assembler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct rig {
  struct bpf_assembler *a;
  const struct bpf_insn *insns;
  uint32_t count;
  struct shunt_error error;
};

static int rig_open(void **state)
{
  static struct rig rig;
  memset(&rig, 0, sizeof(rig));
  *state = &rig;
  return bpf_assembler_new(&rig.a, &rig.error);
}

static int rig_close(void **state)
{
  struct rig *rig = *state;
  bpf_assembler_free(rig->a);
  return 0;
}

static int assemble(struct rig *rig)
{
  return bpf_assemble(rig->a, &rig->insns, &rig->count, &rig->error);
}

/* The last instruction that was emitted, member by member. */
static void last_is(struct rig *rig, uint8_t code, unsigned to, unsigned from, int16_t off,
                    int32_t imm)
{
  assert_int_equal(assemble(rig), 0);
  const struct bpf_insn *insn = &rig->insns[rig->count - 1];
  assert_int_equal(insn->code, code);
  assert_int_equal(insn->dst_reg, to);
  assert_int_equal(insn->src_reg, from);
  assert_int_equal(insn->off, off);
  assert_int_equal(insn->imm, imm);
}

/* The codes are those of RFC 9669, as numbers, so that a wrong macro shows. */
static void test_codes(void **state)
{
  struct rig *rig = *state;
  struct bpf_assembler *a = rig->a;
  bpf_move(a, R1, R2);
  last_is(rig, 0xbf, 1, 2, 0, 0);
  bpf_move_imm(a, R1, -2);
  last_is(rig, 0xb7, 1, 0, 0, -2);
  bpf_move32(a, R1, R2);
  last_is(rig, 0xbc, 1, 2, 0, 0);
  bpf_add32_imm(a, R9, 7);
  last_is(rig, 0x04, 9, 0, 0, 7);
  bpf_sub(a, R1, R10);
  last_is(rig, 0x1f, 1, 10, 0, 0);
  bpf_mul_imm(a, R1, 3);
  last_is(rig, 0x27, 1, 0, 0, 3);
  bpf_div(a, R1, R3);
  last_is(rig, 0x3f, 1, 3, 0, 0);
  bpf_or32(a, R1, R3);
  last_is(rig, 0x4c, 1, 3, 0, 0);
  bpf_and_imm(a, R1, 15);
  last_is(rig, 0x57, 1, 0, 0, 15);
  bpf_shift_left_imm(a, R1, 2);
  last_is(rig, 0x67, 1, 0, 0, 2);
  bpf_shift_right(a, R1, R2);
  last_is(rig, 0x7f, 1, 2, 0, 0);
  bpf_negate(a, R4);
  last_is(rig, 0x87, 4, 0, 0, 0);
  bpf_mod32_imm(a, R1, 10);
  last_is(rig, 0x94, 1, 0, 0, 10);
  bpf_xor(a, R1, R1);
  last_is(rig, 0xaf, 1, 1, 0, 0);
  bpf_shift_right_signed32_imm(a, R1, 31);
  last_is(rig, 0xc4, 1, 0, 0, 31);
  bpf_be(a, R5, 16);
  last_is(rig, 0xdc, 5, 0, 0, 16);
  bpf_le(a, R5, 64);
  last_is(rig, 0xd4, 5, 0, 0, 64);
  bpf_load(a, BPF_H, R2, R1, -32768);
  last_is(rig, 0x69, 2, 1, -32768, 0);
  bpf_store(a, BPF_B, R2, 32767, R1);
  last_is(rig, 0x73, 2, 1, 32767, 0);
  bpf_store_imm(a, BPF_DW, R10, -8, -1);
  last_is(rig, 0x7a, 10, 0, -8, -1);
  bpf_atomic(a, BPF_W, BPF_CMPXCHG, R1, 4, R2);
  last_is(rig, 0xc3, 1, 2, 4, 0xf1);
  bpf_atomic(a, BPF_DW, BPF_ADD, R1, 4, R2);
  last_is(rig, 0xdb, 1, 2, 4, 0);
  bpf_call(a, BPF_FUNC_redirect_map);
  last_is(rig, 0x85, 0, 0, 0, 51);
  bpf_call_kernel(a, 77, 3);
  last_is(rig, 0x85, 0, 2, 3, 77);
  bpf_exit(a);
  last_is(rig, 0x95, 0, 0, 0, 0);
}

static void wide_is(struct rig *rig, unsigned kind, uint32_t low, uint32_t high)
{
  assert_int_equal(assemble(rig), 0);
  const struct bpf_insn *insn = &rig->insns[rig->count - 2];
  assert_int_equal(insn[0].code, 0x18);
  assert_int_equal(insn[0].dst_reg, 7);
  assert_int_equal(insn[0].src_reg, kind);
  assert_int_equal((uint32_t)insn[0].imm, low);
  assert_int_equal(insn[1].code, 0);
  assert_int_equal((uint32_t)insn[1].imm, high);
}

static void test_wide(void **state)
{
  struct rig *rig = *state;
  bpf_move_imm64(rig->a, R7, UINT64_C(0xfedcba9876543210));
  wide_is(rig, 0, 0x76543210, 0xfedcba98);
  bpf_load_map(rig->a, R7, 12);
  wide_is(rig, BPF_PSEUDO_MAP_FD, 12, 0);
  bpf_load_map_value(rig->a, R7, 12, 40);
  wide_is(rig, BPF_PSEUDO_MAP_VALUE, 12, 40);
  assert_int_equal(bpf_assembler_count(rig->a), 6);
}

/* Two registers share a byte: the destination in the lower half on little-endian hosts, in the
 * upper one on big-endian hosts (RFC 9669, 3.1), whose kernels read it so. */
static void test_register_order(void **state)
{
  struct rig *rig = *state;
  uint8_t bytes[sizeof(struct bpf_insn)];
  bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  bpf_load(rig->a, BPF_W, R3, R9, 0x0102);
  assert_int_equal(assemble(rig), 0);
  memcpy(bytes, rig->insns, sizeof(bytes));
  assert_int_equal(bytes[0], 0x61);
  assert_int_equal(bytes[1], little ? 0x93 : 0x39);
  assert_int_equal(bytes[2], little ? 0x02 : 0x01);
}

static void test_jumps(void **state)
{
  struct rig *rig = *state;
  struct bpf_assembler *a = rig->a;
  struct bpf_label back = bpf_label(a, "back"), on = bpf_label(a, "on %d", 5);
  struct bpf_label unused = bpf_label(a, NULL);
  bpf_place(a, back);
  bpf_jump(a, BPF_JGT, R1, R2, on);        /* 0 */
  bpf_jump_imm(a, BPF_JSLE, R1, -1, back); /* 1 */
  bpf_jump32(a, BPF_JSET, R1, R2, on);     /* 2 */
  bpf_jump32_imm(a, BPF_JNE, R1, 9, back); /* 3 */
  bpf_move_imm64(a, R0, 1);                /* 4, 5: a jump counts both */
  bpf_go(a, on);                           /* 6 */
  bpf_call_local(a, back);                 /* 7 */
  bpf_place(a, on);
  bpf_exit(a); /* 8 */
  assert_int_equal(assemble(rig), 0);
  assert_int_equal(rig->count, 9);
  const struct {
    uint8_t code;
    int16_t off;
    int32_t imm;
  } wanted[] = {{0x2d, 7, 0}, {0xd5, -2, -1}, {0x4e, 5, 0},  {0x56, -4, 9}, {0x18, 0, 1},
                {0x00, 0, 0}, {0x05, 1, 0},   {0x85, 0, -8}, {0x95, 0, 0}};
  for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
    assert_int_equal(rig->insns[i].code, wanted[i].code);
    assert_int_equal(rig->insns[i].off, wanted[i].off);
    assert_int_equal(rig->insns[i].imm, wanted[i].imm);
  }
  assert_string_equal(bpf_label_at(a, 8), "on 5");
  assert_null(bpf_label_at(a, 7));
  uint32_t distance = 0;
  assert_string_equal(bpf_label_near(a, 7, &distance), "back");
  assert_int_equal(distance, 7);

  bpf_place(a, unused); /* a label that nothing jumps to may stand at the end */
  assert_int_equal(assemble(rig), 0);
  bpf_exit(a);
  assert_string_equal(bpf_label_at(a, 9), "L2");
}

static void fails(struct rig *rig, int code, const char *what, const char *why)
{
  int result = assemble(rig);
  if (result != code || strstr(rig->error.what, what) == NULL ||
      strstr(rig->error.why, why) == NULL)
    print_error("%d: %s: %s\n", result, rig->error.what, rig->error.why);
  assert_int_equal(result, code);
  assert_null(rig->insns);
  assert_int_equal(rig->count, 0);
  assert_non_null(strstr(rig->error.what, what));
  assert_non_null(strstr(rig->error.why, why));
  assert_int_equal(bpf_assemble(rig->a, &rig->insns, &rig->count, NULL), code);
  bpf_assembler_clear(rig->a);
}

/* A goto is left out where its label comes next, unless another label stands between. */
static void test_goto_next(void **state)
{
  struct rig *rig = *state;
  struct bpf_assembler *a = rig->a;
  struct bpf_label next = bpf_label(a, "next"), between = bpf_label(a, "between"),
                   behind = bpf_label(a, "behind");
  bpf_jump_imm(a, BPF_JEQ, R1, 0, next); /* 0: a jump that may not be taken stays */
  bpf_go(a, next);
  bpf_place(a, next);
  bpf_jump_imm(a, BPF_JEQ, R1, 1, between); /* 1 */
  bpf_go(a, behind);                        /* 2 */
  bpf_place(a, between);
  bpf_place(a, behind);
  bpf_jump_imm(a, BPF_JNE, R1, 2, next); /* 3 */
  bpf_exit(a);                           /* 4 */
  assert_int_equal(assemble(rig), 0);
  assert_int_equal(rig->count, 5);
  static const int16_t wanted[] = {0, 1, 0, -3};
  for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
    assert_int_equal(rig->insns[i].off, wanted[i]);
  assert_string_equal(bpf_label_at(a, 1), "next");
}

static void test_labels_wrong(void **state)
{
  struct rig *rig = *state;
  struct bpf_assembler *a = rig->a;
  assert_int_equal(assemble(rig), -EINVAL);
  assert_non_null(strstr(rig->error.what, "no instruction"));

  bpf_go(a, bpf_label(a, "nowhere"));
  fails(rig, -EINVAL, "instruction 0 jumps to \"nowhere\"", "placed nowhere");

  struct bpf_label end = bpf_label(a, "end");
  bpf_jump_imm(a, BPF_JEQ, R1, 0, end);
  bpf_place(a, end);
  fails(rig, -EINVAL, "jumps to \"end\"", "behind the last");

  end = bpf_label(a, "end");
  bpf_place(a, end);
  bpf_exit(a);
  bpf_place(a, end);
  fails(rig, -EINVAL, "instruction 1 (after end)", "\"end\" stands at instruction 0");

  bpf_go(a, (struct bpf_label){.index = 3});
  fails(rig, -EINVAL, "instruction 0", "no label 3");
  bpf_place(a, (struct bpf_label){.index = UINT32_MAX});
  fails(rig, -EINVAL, "instruction 0", "no label 4294967295");
}

static void test_operands_wrong(void **state)
{
  struct rig *rig = *state;
  struct bpf_assembler *a = rig->a;
  bpf_move(a, (enum bpf_register)11, R1);
  fails(rig, -EINVAL, "instruction 0", "no register r11");
  bpf_move(a, R1, (enum bpf_register)17); /* not r1 */
  fails(rig, -EINVAL, "", "no register r17");
  bpf_move_imm64(a, (enum bpf_register)16, 1);
  fails(rig, -EINVAL, "", "no register r16");
  bpf_add_imm(a, R10, -8);
  fails(rig, -EINVAL, "", "r10");
  bpf_load(a, BPF_W, R10, R1, 0);
  fails(rig, -EINVAL, "", "r10");
  bpf_be(a, R10, 16);
  fails(rig, -EINVAL, "", "r10");
  bpf_negate32(a, R10);
  fails(rig, -EINVAL, "", "r10");
  bpf_load_map(a, R10, 3);
  fails(rig, -EINVAL, "", "r10");
  bpf_alu(a, BPF_NEG, R1, R2);
  fails(rig, -EINVAL, "", "0x80 is no operation");
  bpf_alu32_imm(a, 0x07, R1, 2);
  fails(rig, -EINVAL, "", "0x7 is no operation");
  bpf_be(a, R1, 24);
  fails(rig, -EINVAL, "", "not 24");
  bpf_load(a, 4, R1, R2, 0);
  fails(rig, -EINVAL, "", "0x4 is no size");
  bpf_load(a, BPF_W, R1, R2, 32768);
  fails(rig, -EINVAL, "", "offset 32768");
  bpf_store_imm(a, BPF_W, R10, -32769, 0);
  fails(rig, -EINVAL, "", "offset -32769");
  bpf_atomic(a, BPF_H, BPF_ADD, R1, 0, R2);
  fails(rig, -EINVAL, "", "atomic");
  bpf_atomic(a, BPF_W, BPF_SUB, R1, 0, R2);
  fails(rig, -EINVAL, "", "0x10 is no atomic");
  bpf_jump(a, BPF_CALL, R1, R2, bpf_label(a, "x"));
  fails(rig, -EINVAL, "", "compares nothing");
  bpf_jump_imm(a, BPF_JA, R1, 0, bpf_label(a, "x"));
  fails(rig, -EINVAL, "", "compares nothing");
  bpf_call_kernel(a, 1, 0x8000);
  fails(rig, -EINVAL, "", "module 32768");
  bpf_emit(a, (struct bpf_insn){.dst_reg = 12});
  fails(rig, -EINVAL, "", "no register r12");
}

/* Only the first mistake is told, with where it was. */
static void test_first_mistake(void **state)
{
  struct rig *rig = *state;
  bpf_exit(rig->a);
  bpf_be(rig->a, R1, 8);
  bpf_load(rig->a, 4, R1, R2, 0);
  bpf_exit(rig->a);
  assert_int_equal(bpf_assembler_count(rig->a), 1);
  fails(rig, -EINVAL, "instruction 1", "not 8");
  bpf_exit(rig->a); /* cleared: all is well again */
  assert_int_equal(assemble(rig), 0);
}

static void fill(struct bpf_assembler *a, uint32_t count)
{
  for (uint32_t i = 0; i < count; i++)
    bpf_move_imm(a, R0, 0);
}

static void test_far(void **state)
{
  struct rig *rig = *state;
  struct bpf_assembler *a = rig->a;
  struct bpf_label far = bpf_label(a, "far");
  bpf_go(a, far);
  fill(a, INT16_MAX);
  bpf_place(a, far);
  bpf_exit(a);
  assert_int_equal(assemble(rig), 0);
  assert_int_equal(rig->insns[0].off, INT16_MAX);

  bpf_assembler_clear(a);
  far = bpf_label(a, "far");
  bpf_go(a, far);
  fill(a, INT16_MAX + 1);
  bpf_place(a, far);
  bpf_exit(a);
  fails(rig, -ERANGE, "\"far\"", "32768 instructions away");
  assert_non_null(strstr(rig->error.remedy, "goto"));

  struct bpf_label back = bpf_label(a, "back");
  bpf_place(a, back);
  fill(a, INT16_MAX);
  bpf_go(a, back);
  assert_int_equal(assemble(rig), 0);
  assert_int_equal(rig->insns[INT16_MAX].off, INT16_MIN);
  bpf_go(a, back);
  fails(rig, -ERANGE, "\"back\"", "-32769 instructions away");

  back = bpf_label(a, "function"); /* calls reach everything */
  bpf_place(a, back);
  fill(a, 40000);
  bpf_call_local(a, back);
  assert_int_equal(assemble(rig), 0);
  assert_int_equal(rig->insns[40000].imm, -40001);
}

static void test_too_many(void **state)
{
  struct rig *rig = *state;
  fill(rig->a, BPF_ASSEMBLER_MOST);
  assert_int_equal(assemble(rig), 0);
  assert_int_equal(rig->count, BPF_ASSEMBLER_MOST);
  bpf_exit(rig->a);
  fails(rig, -E2BIG, "instruction 1000000", "at most 1000000");
  fill(rig->a, BPF_ASSEMBLER_MOST - 1);
  bpf_move_imm64(rig->a, R1, 1);
  fails(rig, -E2BIG, "instruction 999999", "at most 1000000");
}

static void test_many_labels(void **state)
{
  struct rig *rig = *state;
  struct bpf_label labels[300];
  for (unsigned i = 0; i < 300; i++)
    labels[i] = bpf_label(rig->a, "a name that is much longer than its room %u", i);
  for (unsigned i = 0; i < 300; i++)
    bpf_jump_imm(rig->a, BPF_JEQ, R1, 0, labels[299 - i]);
  for (unsigned i = 0; i < 300; i++) {
    bpf_place(rig->a, labels[i]);
    bpf_exit(rig->a);
  }
  assert_int_equal(assemble(rig), 0);
  for (unsigned i = 0; i < 300; i++)
    assert_int_equal(rig->insns[i].off, 300 + (299 - (int)i) - (int)i - 1);
  assert_int_equal(strlen(bpf_label_at(rig->a, 300)), BPF_LABEL_NAME_BYTES - 1);
}

int main(void)
{
  bpf_assembler_free(NULL);
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)
  const struct CMUnitTest tests[] = {
      TEST(test_codes),         TEST(test_wide),         TEST(test_register_order),
      TEST(test_jumps),         TEST(test_labels_wrong), TEST(test_operands_wrong),
      TEST(test_first_mistake), TEST(test_far),          TEST(test_too_many),
      TEST(test_many_labels),   TEST(test_goto_next),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
