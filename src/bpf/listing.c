/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/listing.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "src/bpf/assembler.h"

/* Newer than Debian 12's linux/bpf.h (6.1). */
#define LISTING_MEMSX         0x80  /* BPF_MEMSX, 6.6: loads that extend the sign */
#define LISTING_LOAD_ACQUIRE  0x100 /* BPF_LOAD_ACQ, 6.15 */
#define LISTING_STORE_RELEASE 0x110 /* BPF_STORE_REL, 6.15 */
#define LISTING_JCOND         0xe0  /* BPF_JCOND, 6.9: may_goto */

/* A text that is appended to as much as fits; length counts all. */
struct listing_text {
  char *text;
  size_t bytes, length;
};

__attribute__((format(printf, 2, 3))) static void listing_add(struct listing_text *to,
                                                              const char *form, ...)
{
  size_t room = to->length < to->bytes ? to->bytes - to->length : 0;
  va_list arguments;
  va_start(arguments, form);
  int length = vsnprintf(room > 0 ? to->text + to->length : NULL, room, form, arguments);
  va_end(arguments);
  if (length > 0)
    to->length += (size_t)length;
}

static bool listing_in_register(const struct bpf_insn *insn)
{
  return BPF_SRC(insn->code) == BPF_X;
}

static const char *listing_size(uint8_t code)
{
  static const char *const sizes[] = {"u32", "u16", "u8", "u64"};
  return sizes[BPF_SIZE(code) >> 3];
}

static void listing_unknown(struct listing_text *to, const struct bpf_insn *insn)
{
  listing_add(to, "unknown code 0x%02x", insn->code);
}

/* be16, le64; and of the 64-bit class bswap32 (6.6) */
static void listing_swap(struct listing_text *to, const struct bpf_insn *insn, char letter)
{
  const char *order = BPF_SRC(insn->code) == BPF_TO_BE ? "be" : "le";
  if (BPF_CLASS(insn->code) == BPF_ALU64)
    order = "bswap";
  listing_add(to, "%c%u = %s%d %c%u", letter, insn->dst_reg, order, insn->imm, letter,
              insn->dst_reg);
}

/* With an offset a division is signed, and a move extends the sign of so many bits (6.6). */
static void listing_alu(struct listing_text *to, const struct bpf_insn *insn)
{
  static const char *const operations[] = {
      "+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>="};
  unsigned operation = BPF_OP(insn->code) >> 4;
  char letter = BPF_CLASS(insn->code) == BPF_ALU64 ? 'r' : 'w';
  if (BPF_OP(insn->code) == BPF_END) {
    listing_swap(to, insn, 'r');
    return;
  }
  if (operation >= sizeof(operations) / sizeof(operations[0])) {
    listing_unknown(to, insn);
    return;
  }
  if (BPF_OP(insn->code) == BPF_NEG) {
    listing_add(to, "%c%u = -%c%u", letter, insn->dst_reg, letter, insn->dst_reg);
    return;
  }
  bool divides = BPF_OP(insn->code) == BPF_DIV || BPF_OP(insn->code) == BPF_MOD;
  listing_add(to, "%c%u %s%s ", letter, insn->dst_reg, divides && insn->off == 1 ? "s" : "",
              operations[operation]);
  if (!listing_in_register(insn))
    listing_add(to, "%d", insn->imm);
  else if (BPF_OP(insn->code) == BPF_MOV && insn->off != 0)
    listing_add(to, "(s%d)%c%u", insn->off, letter, insn->src_reg);
  else
    listing_add(to, "%c%u", letter, insn->src_reg);
}

/* What an atomic operation does is in its immediate; with BPF_FETCH the old value comes back. */
static void listing_atomic(struct listing_text *to, const struct bpf_insn *insn)
{
  static const char *const operators[] = {
      "+=", NULL, NULL, NULL, "|=", "&=", NULL, NULL, NULL, NULL, "^="};
  static const char *const names[] = {"add", NULL, NULL, NULL, "or", "and",
                                      NULL,  NULL, NULL, NULL, "xor"};
  const char *wide = BPF_SIZE(insn->code) == BPF_DW ? "64" : "";
  const char *size = listing_size(insn->code);
  unsigned operation = (unsigned)(insn->imm & ~BPF_FETCH) >> 4;
  bool named = (insn->imm & 0x0e) == 0 && operation < sizeof(names) / sizeof(names[0]) &&
               names[operation] != NULL && (insn->imm & ~0xff) == 0;
  if (named && (insn->imm & BPF_FETCH) == 0)
    listing_add(to, "lock *(%s *)(r%u %+d) %s r%u", size, insn->dst_reg, insn->off,
                operators[operation], insn->src_reg);
  else if (named)
    listing_add(to, "r%u = atomic%s_fetch_%s((%s *)(r%u %+d), r%u)", insn->src_reg, wide,
                names[operation], size, insn->dst_reg, insn->off, insn->src_reg);
  else if (insn->imm == BPF_XCHG)
    listing_add(to, "r%u = atomic%s_xchg((%s *)(r%u %+d), r%u)", insn->src_reg, wide, size,
                insn->dst_reg, insn->off, insn->src_reg);
  else if (insn->imm == BPF_CMPXCHG)
    listing_add(to, "r0 = atomic%s_cmpxchg((%s *)(r%u %+d), r0, r%u)", wide, size, insn->dst_reg,
                insn->off, insn->src_reg);
  else if (insn->imm == LISTING_LOAD_ACQUIRE)
    listing_add(to, "r%u = load_acquire((%s *)(r%u %+d))", insn->dst_reg, size, insn->src_reg,
                insn->off);
  else if (insn->imm == LISTING_STORE_RELEASE)
    listing_add(to, "store_release((%s *)(r%u %+d), r%u)", size, insn->dst_reg, insn->off,
                insn->src_reg);
  else
    listing_unknown(to, insn);
}

static void listing_memory(struct listing_text *to, const struct bpf_insn *insn)
{
  const char *size = listing_size(insn->code);
  switch (BPF_CLASS(insn->code) | BPF_MODE(insn->code)) {
  case BPF_LDX | BPF_MEM:
    listing_add(to, "r%u = *(%s *)(r%u %+d)", insn->dst_reg, size, insn->src_reg, insn->off);
    return;
  case BPF_LDX | LISTING_MEMSX:
    listing_add(to, "r%u = *(s%s *)(r%u %+d)", insn->dst_reg, size + 1, insn->src_reg, insn->off);
    return;
  case BPF_STX | BPF_MEM:
    listing_add(to, "*(%s *)(r%u %+d) = r%u", size, insn->dst_reg, insn->off, insn->src_reg);
    return;
  case BPF_ST | BPF_MEM:
    listing_add(to, "*(%s *)(r%u %+d) = %d", size, insn->dst_reg, insn->off, insn->imm);
    return;
  case BPF_STX | BPF_ATOMIC:
    listing_atomic(to, insn);
    return;
  case BPF_LD | BPF_ABS: /* of socket filters */
    listing_add(to, "r0 = *(%s *)skb[%d]", size, insn->imm);
    return;
  case BPF_LD | BPF_IND:
    listing_add(to, "r0 = *(%s *)skb[r%u + %d]", size, insn->src_reg, insn->imm);
    return;
  default:
    listing_unknown(to, insn);
  }
}

/* The 64-bit immediate. Its source register says what it is: a number, a map, a function. */
static void listing_wide(struct listing_text *to, const struct bpf_insn *insn, uint32_t left)
{
  uint32_t low = (uint32_t)insn->imm;
  if (left < 2) {
    listing_add(to, "r%u = 0x????????%08x", insn->dst_reg, low);
    return;
  }
  uint32_t high = (uint32_t)insn[1].imm;
  switch (insn->src_reg) {
  case BPF_PSEUDO_MAP_FD:
    listing_add(to, "r%u = map[id:%u]", insn->dst_reg, low);
    return;
  case BPF_PSEUDO_MAP_VALUE:
    listing_add(to, "r%u = map[id:%u][0]+%u", insn->dst_reg, low, high);
    return;
  case BPF_PSEUDO_FUNC:
    listing_add(to, "r%u = subprog[%+d]", insn->dst_reg, insn->imm);
    return;
  default:
    listing_add(to, "r%u = 0x%llx", insn->dst_reg, ((unsigned long long)high << 32) | low);
  }
}

/* The helpers that our programs use; what has no name here is shown by its number alone. */
static const char *listing_helper(int32_t helper)
{
  switch (helper) {
  case BPF_FUNC_map_lookup_elem:
    return "bpf_map_lookup_elem";
  case BPF_FUNC_map_update_elem:
    return "bpf_map_update_elem";
  case BPF_FUNC_map_delete_elem:
    return "bpf_map_delete_elem";
  case BPF_FUNC_ktime_get_ns:
    return "bpf_ktime_get_ns";
  case BPF_FUNC_get_prandom_u32:
    return "bpf_get_prandom_u32";
  case BPF_FUNC_get_smp_processor_id:
    return "bpf_get_smp_processor_id";
  case BPF_FUNC_csum_diff:
    return "bpf_csum_diff";
  case BPF_FUNC_redirect:
    return "bpf_redirect";
  case BPF_FUNC_redirect_map:
    return "bpf_redirect_map";
  case BPF_FUNC_xdp_adjust_head:
    return "bpf_xdp_adjust_head";
  case BPF_FUNC_xdp_adjust_meta:
    return "bpf_xdp_adjust_meta";
  case BPF_FUNC_xdp_adjust_tail:
    return "bpf_xdp_adjust_tail";
  case BPF_FUNC_xdp_get_buff_len:
    return "bpf_xdp_get_buff_len";
  case BPF_FUNC_xdp_load_bytes:
    return "bpf_xdp_load_bytes";
  case BPF_FUNC_xdp_store_bytes:
    return "bpf_xdp_store_bytes";
  default:
    return "helper";
  }
}

static void listing_call(struct listing_text *to, const struct bpf_insn *insn)
{
  if (insn->src_reg == BPF_PSEUDO_CALL)
    listing_add(to, "call pc%+d", insn->imm);
  else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
    listing_add(to, "call kernel-function#%d", insn->imm);
  else
    listing_add(to, "call %s#%d", listing_helper(insn->imm), insn->imm);
}

static void listing_jump(struct listing_text *to, const struct bpf_insn *insn)
{
  static const char *const operations[] = {"goto", "==", ">",  ">=", "&",  "!=", "s>",
                                           "s>=",  NULL, NULL, "<",  "<=", "s<", "s<="};
  bool wide = BPF_CLASS(insn->code) == BPF_JMP;
  unsigned operation = BPF_OP(insn->code) >> 4;
  char letter = wide ? 'r' : 'w';
  switch (BPF_OP(insn->code)) {
  case BPF_CALL:
  case BPF_EXIT:
    if (!wide)
      listing_unknown(to, insn);
    else if (BPF_OP(insn->code) == BPF_EXIT)
      listing_add(to, "exit");
    else
      listing_call(to, insn);
    return;
  case BPF_JA:
    if (wide)
      listing_add(to, "goto pc%+d", insn->off);
    else
      listing_add(to, "gotol pc%+d", insn->imm);
    return;
  case LISTING_JCOND:
    listing_add(to, "may_goto pc%+d", insn->off);
    return;
  default:
    break;
  }
  if (operation >= sizeof(operations) / sizeof(operations[0])) {
    listing_unknown(to, insn);
    return;
  }
  listing_add(to, "if %c%u %s ", letter, insn->dst_reg, operations[operation]);
  if (listing_in_register(insn))
    listing_add(to, "%c%u", letter, insn->src_reg);
  else
    listing_add(to, "0x%x", (unsigned)insn->imm);
  listing_add(to, " goto pc%+d", insn->off);
}

/* Returns how many instructions this is. */
static unsigned listing_put(struct listing_text *to, const struct bpf_insn *insn, uint32_t left)
{
  listing_add(to, "(%02x) ", insn->code);
  if (insn->code == (BPF_LD | BPF_DW | BPF_IMM)) {
    listing_wide(to, insn, left);
    return left < 2 ? 1 : 2;
  }
  switch (BPF_CLASS(insn->code)) {
  case BPF_ALU:
  case BPF_ALU64:
    listing_alu(to, insn);
    return 1;
  case BPF_JMP:
  case BPF_JMP32:
    listing_jump(to, insn);
    return 1;
  default:
    listing_memory(to, insn);
    return 1;
  }
}

unsigned listing_instruction(const struct bpf_insn *insn, uint32_t left, char *text, size_t bytes)
{
  struct listing_text to = {.text = text, .bytes = bytes};
  return listing_put(&to, insn, left);
}

/* Where a jump or a call of the program's own goes, or -1. */
static int64_t listing_target(const struct bpf_insn *insn, uint32_t index)
{
  if (BPF_CLASS(insn->code) != BPF_JMP && BPF_CLASS(insn->code) != BPF_JMP32)
    return -1;
  if (BPF_OP(insn->code) == BPF_EXIT)
    return -1;
  if (BPF_OP(insn->code) == BPF_CALL)
    return insn->src_reg == BPF_PSEUDO_CALL ? (int64_t)index + 1 + insn->imm : -1;
  if (insn->code == (BPF_JMP32 | BPF_JA))
    return (int64_t)index + 1 + insn->imm;
  return (int64_t)index + 1 + insn->off;
}

size_t bpf_listing(const struct bpf_insn *insns, uint32_t count, const struct bpf_assembler *source,
                   char *text, size_t bytes)
{
  struct listing_text to = {.text = text, .bytes = bytes};
  if (bytes > 0)
    text[0] = '\0';
  for (uint32_t i = 0; i < count;) {
    const char *here = source != NULL ? bpf_label_at(source, i) : NULL;
    if (here != NULL)
      listing_add(&to, "%s:\n", here);
    listing_add(&to, "%4u: ", i);
    unsigned taken = listing_put(&to, &insns[i], count - i);
    int64_t target = listing_target(&insns[i], i);
    const char *there = NULL;
    if (source != NULL && target >= 0 && target < count)
      there = bpf_label_at(source, (uint32_t)target);
    if (there != NULL)
      listing_add(&to, " <%s>", there);
    listing_add(&to, "\n");
    i += taken;
  }
  return to.length;
}
