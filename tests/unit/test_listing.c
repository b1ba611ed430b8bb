/* SPDX-License-Identifier: BSD-2-Clause */
/* Every kind of instruction as text: as we expect it, and as bpftool writes the same program when
 * it is in the kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bpf_rig.h"
#include "src/bpf/listing.h"

#define TEXT_BYTES 16384

static void lists(struct bpf_insn insn, const char *wanted)
{
  struct bpf_insn insns[2] = {insn, {.imm = 0x12345678}};
  char text[LISTING_LINE_BYTES];
  listing_instruction(insns, 2, text, sizeof(text));
  assert_string_equal(text, wanted);
}

#define INSN(...) ((struct bpf_insn){__VA_ARGS__})

/* What no kernel of today is sure to take: new, or of other program types. */
static void test_lines(void **state)
{
  (void)state;
  lists(INSN(.code = 0xd7, .dst_reg = 3, .imm = 32), "(d7) r3 = bswap32 r3");
  lists(INSN(.code = 0xd4, .dst_reg = 3, .imm = 64), "(d4) r3 = le64 r3");
  lists(INSN(.code = 0x3f, .dst_reg = 1, .src_reg = 2, .off = 1), "(3f) r1 s/= r2");
  lists(INSN(.code = 0x9f, .dst_reg = 1, .src_reg = 2), "(9f) r1 %= r2");
  lists(INSN(.code = 0x97, .dst_reg = 1, .off = 1, .imm = -5), "(97) r1 s%= -5");
  lists(INSN(.code = 0xbf, .dst_reg = 1, .src_reg = 2, .off = 8), "(bf) r1 = (s8)r2");
  lists(INSN(.code = 0xbc, .dst_reg = 1, .src_reg = 2, .off = 16), "(bc) w1 = (s16)w2");
  lists(INSN(.code = 0x81, .dst_reg = 1, .src_reg = 2, .off = -4), "(81) r1 = *(s32 *)(r2 -4)");
  lists(INSN(.code = 0x06, .imm = 70000), "(06) gotol pc+70000");
  lists(INSN(.code = 0xe5, .off = 3), "(e5) may_goto pc+3");
  lists(INSN(.code = 0x30, .imm = 12), "(30) r0 = *(u8 *)skb[12]");
  lists(INSN(.code = 0x48, .src_reg = 6, .imm = 2), "(48) r0 = *(u16 *)skb[r6 + 2]");
  lists(INSN(.code = 0xdb, .dst_reg = 1, .src_reg = 2, .off = 8, .imm = 0x100),
        "(db) r1 = load_acquire((u64 *)(r2 +8))");
  lists(INSN(.code = 0xc3, .dst_reg = 1, .src_reg = 2, .imm = 0x110),
        "(c3) store_release((u32 *)(r1 +0), r2)");
  lists(INSN(.code = 0x18, .dst_reg = 1, .src_reg = BPF_PSEUDO_FUNC, .imm = 7),
        "(18) r1 = subprog[+7]");
  lists(INSN(.code = 0x18, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = 7),
        "(18) r1 = map[id:7]");
  lists(INSN(.code = 0x18, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = 7),
        "(18) r1 = map[id:7][0]+305419896");
  lists(INSN(.code = 0x85, .src_reg = BPF_PSEUDO_KFUNC_CALL, .imm = 99),
        "(85) call kernel-function#99");
  lists(INSN(.code = 0x85, .imm = BPF_FUNC_redirect_map), "(85) call bpf_redirect_map#51");
  lists(INSN(.code = 0x85, .imm = 4711), "(85) call helper#4711");
}

/* Garbage is no instruction, and is said to be none. */
static void test_unknown(void **state)
{
  (void)state;
  lists(INSN(.code = 0xe7), "(e7) unknown code 0xe7");
  lists(INSN(.code = 0x86), "(86) unknown code 0x86");
  lists(INSN(.code = 0x96), "(96) unknown code 0x96");
  lists(INSN(.code = 0xf5), "(f5) unknown code 0xf5");
  lists(INSN(.code = 0xc3, .imm = 0x77), "(c3) unknown code 0xc3");
  lists(INSN(.code = 0xc3, .imm = 0x10), "(c3) unknown code 0xc3");
  lists(INSN(.code = 0x01), "(01) unknown code 0x01");
  char text[8];
  for (unsigned code = 0; code < 256; code++) {
    for (int imm = -1; imm < 256; imm++) {
      struct bpf_insn insn = {.code = (uint8_t)code, .imm = imm};
      memset(text, 'x', sizeof(text));
      assert_int_equal(listing_instruction(&insn, 1, text, sizeof(text)), 1);
      assert_non_null(memchr(text, '\0', sizeof(text)));
    }
  }
}

/* ---- a whole program ---- */

static void write_arithmetic(struct bpf_assembler *a)
{
  bpf_move_imm(a, R2, 7);
  bpf_move_imm64(a, R3, UINT64_C(0x123456789abcdef0));
  bpf_add(a, R2, R3);
  bpf_sub_imm(a, R2, -9);
  bpf_mul(a, R2, R3);
  bpf_div_imm(a, R2, 3);
  bpf_mod_imm(a, R2, 10); /* of a register's the kernel makes several */
  bpf_and_imm(a, R2, 0xff);
  bpf_or(a, R2, R3);
  bpf_xor_imm(a, R2, 1);
  bpf_shift_left_imm(a, R2, 3);
  bpf_shift_right_imm(a, R2, 2);
  bpf_shift_right_signed_imm(a, R2, 1);
  bpf_negate(a, R2);
  bpf_move32(a, R4, R2);
  bpf_move32_imm(a, R5, -1);
  bpf_add32(a, R4, R5);
  bpf_shift_right_signed32_imm(a, R4, 1);
  bpf_negate32(a, R4);
  bpf_be(a, R2, 16);
  bpf_be(a, R2, 32);
  bpf_be(a, R2, 64);
  bpf_le(a, R3, 32);
}

static void write_memory(struct bpf_assembler *a)
{
  bpf_store_imm(a, BPF_DW, R10, -8, 5);
  bpf_store_imm(a, BPF_B, R10, -9, 1);
  bpf_store(a, BPF_H, R10, -12, R2);
  bpf_store(a, BPF_DW, R10, -24, R3);
  bpf_load(a, BPF_DW, R4, R10, -8);
  bpf_load(a, BPF_B, R5, R10, -9);
  bpf_move_imm(a, R0, 1);
  bpf_atomic(a, BPF_DW, BPF_ADD, R10, -8, R2);
  bpf_atomic(a, BPF_DW, BPF_OR, R10, -8, R2);
  bpf_atomic(a, BPF_DW, BPF_AND | BPF_FETCH, R10, -8, R2);
  bpf_atomic(a, BPF_DW, BPF_XOR | BPF_FETCH, R10, -8, R2);
  bpf_atomic(a, BPF_DW, BPF_ADD | BPF_FETCH, R10, -8, R2);
  bpf_atomic(a, BPF_DW, BPF_XCHG, R10, -8, R3);
  bpf_atomic(a, BPF_DW, BPF_CMPXCHG, R10, -8, R3);
}

/* Each comparison, of values that the verifier does not know. */
static void write_jumps(struct bpf_assembler *a, struct bpf_label out)
{
  static const uint8_t operations[] = {BPF_JEQ, BPF_JNE,  BPF_JSET, BPF_JGT,  BPF_JGE, BPF_JLT,
                                       BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};
  bpf_call(a, BPF_FUNC_get_prandom_u32);
  bpf_move(a, R7, R0);
  bpf_call(a, BPF_FUNC_get_prandom_u32);
  for (size_t i = 0; i < sizeof(operations); i++) {
    bpf_jump(a, operations[i], R7, R0, out);
    bpf_call(a, BPF_FUNC_get_prandom_u32);
    bpf_jump32_imm(a, operations[i], R0, -2, out);
  }
  bpf_jump_imm(a, BPF_JEQ, R7, 6, out);
  bpf_jump32(a, BPF_JGT, R7, R0, out);
}

static void write_all(struct bpf_assembler *a, int map)
{
  struct bpf_label out = bpf_label(a, "out"), local = bpf_label(a, "local"),
                   end = bpf_label(a, "end");
  bpf_move(a, R6, R1);
  write_arithmetic(a);
  write_memory(a);
  write_jumps(a, out);
  bpf_load_map(a, R1, map);
  bpf_move_imm64(a, R3, 1);
  bpf_load_map_value(a, R1, map, 8);
  bpf_load(a, BPF_W, R1, R1, 4);
  bpf_call_local(a, local);
  bpf_jump_imm(a, BPF_JEQ, R0, 0, end);
  bpf_add_imm(a, R7, 1);
  bpf_go(a, out); /* over something, or the kernel removes it */
  bpf_place(a, end);
  bpf_add_imm(a, R7, 2);
  bpf_place(a, out);
  bpf_move_imm(a, R0, XDP_PASS);
  bpf_exit(a);
  bpf_place(a, local);
  bpf_call(a, BPF_FUNC_get_prandom_u32);
  bpf_exit(a);
}

/* What bpftool prints of a program, or NULL where there is none; to be freed. */
static char *dump(uint32_t id)
{
  char command[128];
  snprintf(command, sizeof(command),
           "PATH=$PATH:/usr/sbin:/sbin bpftool prog dump xlated id %u 2>/dev/null", id);
  FILE *from = popen(command, "r"); /* NOLINT(cert-env33-c): the peer that we compare with */
  char *text = calloc(1, TEXT_BYTES);
  size_t bytes = from != NULL ? fread(text, 1, TEXT_BYTES - 1, from) : 0;
  if (from != NULL)
    pclose(from);
  if (bytes > 0)
    return text;
  free(text);
  return NULL;
}

/* Take the next line off a text, as "number: (code) words"; what follows a helper's or function's
 * number, which the kernel replaces by addresses, is cut. Returns false at the end. */
static bool next_line(char **text, char **line)
{
  do {
    *line = strsep(text, "\n");
  } while (*line != NULL && strchr(*line, '(') == NULL);
  if (*line == NULL)
    return false;
  char *call = strstr(*line, "call ");
  if (call != NULL && strncmp(call, "call pc", 7) != 0)
    call[5] = '\0';
  char *name = strchr(*line, '#');
  if (name != NULL)
    *name = '\0';
  return true;
}

static uint32_t map_id(int map)
{
  struct bpf_map_info info;
  assert_int_equal(bpf_map_info(map, &info, NULL), 0);
  return info.id;
}

/* As the kernel does for who asks: ids in place of file descriptors. */
static void fds_to_ids(struct bpf_insn insns[], uint32_t count, int map)
{
  for (uint32_t i = 0; i < count; i++) {
    if (insns[i].code == (BPF_LD | BPF_DW | BPF_IMM) && insns[i].src_reg != 0)
      insns[i].imm = (int32_t)map_id(map);
  }
}

static int compare(char *ours, char *theirs)
{
  char *left, *right;
  int lines = 0;
  while (next_line(&ours, &left) && next_line(&theirs, &right)) {
    if (strcmp(left, right) != 0) {
      print_error("ours:    \"%s\"\nbpftool: \"%s\"\n", left, right);
      return -1;
    }
    lines++;
  }
  return ours == NULL ? lines : -1;
}

static void test_bpftool(void **state)
{
  (void)state;
  struct bpf_map_spec map_spec = {
      .type = BPF_MAP_TYPE_ARRAY, .key_bytes = 4, .value_bytes = 16, .entries = 1};
  struct bpf_assembler *a;
  struct bpf_program_spec spec = {.name = "listed"};
  struct bpf_program_state about;
  struct shunt_error error;
  char ours[TEXT_BYTES];
  int map, fd;
  if (!bpf_rig_usable())
    skip();
  assert_int_equal(bpf_map_new(&map_spec, &map, NULL), 0);
  assert_int_equal(bpf_assembler_new(&a, NULL), 0);
  write_all(a, map);
  assert_int_equal(bpf_assemble(a, &spec.insns, &spec.count, NULL), 0);
  if (bpf_program_load(&spec, &fd, &error) < 0)
    print_error("%s\n%s\n", error.what, error.why);
  assert_true(fd >= 0);
  assert_int_equal(bpf_program_info(fd, &about, NULL), 0);
  char *theirs = dump(about.id);
  if (theirs == NULL) {
    print_message("skipped the comparison: there is no bpftool\n");
  } else {
    struct bpf_insn *copy = calloc(spec.count, sizeof(*copy));
    memcpy(copy, spec.insns, spec.count * sizeof(*copy));
    fds_to_ids(copy, spec.count, map);
    bpf_listing(copy, spec.count, NULL, ours, sizeof(ours));
    assert_true(compare(ours, theirs) > 70);
    free(copy);
  }
  free(theirs);
  bpf_assembler_free(a);
  close(fd);
  close(map);
}

static void test_labels(void **state)
{
  (void)state;
  struct bpf_assembler *a;
  const struct bpf_insn *insns;
  uint32_t count;
  char text[512], cut[16];
  const char *wanted = "   0: (05) goto pc+2 <done>\n"
                       "back:\n"
                       "   1: (18) r1 = 0x100000002\n"
                       "done:\n"
                       "   3: (1d) if r1 == r2 goto pc-3 <back>\n"
                       "   4: (95) exit\n";
  assert_int_equal(bpf_assembler_new(&a, NULL), 0);
  struct bpf_label back = bpf_label(a, "back"), done = bpf_label(a, "done");
  bpf_go(a, done);
  bpf_place(a, back);
  bpf_move_imm64(a, R1, UINT64_C(0x100000002));
  bpf_place(a, done);
  bpf_jump(a, BPF_JEQ, R1, R2, back);
  bpf_exit(a);
  assert_int_equal(bpf_assemble(a, &insns, &count, NULL), 0);
  assert_int_equal(bpf_listing(insns, count, a, text, sizeof(text)), strlen(wanted));
  assert_string_equal(text, wanted);
  assert_int_equal(bpf_listing(insns, count, a, cut, sizeof(cut)), strlen(wanted));
  assert_memory_equal(cut, wanted, sizeof(cut) - 1);
  assert_int_equal(cut[15], '\0');
  assert_int_equal(bpf_listing(insns, count, a, NULL, 0), strlen(wanted));
  bpf_listing(insns, 2, NULL, text, sizeof(text)); /* cut in the middle of two */
  assert_string_equal(text, "   0: (05) goto pc+2\n   1: (18) r1 = 0x????????00000002\n");
  bpf_assembler_free(a);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_bpftool),
      cmocka_unit_test(test_labels),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
