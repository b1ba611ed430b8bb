/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/assembler.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASSEMBLER_UNPLACED UINT32_MAX

/* Newer than Debian 12's linux/bpf.h, or of the kernel's other headers. */
#ifndef BPF_JMP32
#define BPF_JMP32 0x06
#endif

struct assembler_label {
  uint32_t place; /* before this instruction, or ASSEMBLER_UNPLACED */
  char name[BPF_LABEL_NAME_BYTES];
};

/* An instruction whose target is filled in at the end. */
struct assembler_jump {
  uint32_t insn, label;
};

/* What grows: each starts empty and doubles. */
struct assembler_list {
  void *items;
  uint32_t count, room;
};

struct bpf_assembler {
  struct assembler_list insns;  /* struct bpf_insn */
  struct assembler_list labels; /* struct assembler_label */
  struct assembler_list jumps;  /* struct assembler_jump */
  struct shunt_error mistake;   /* the first one; code 0: none */
};

/* Remember the first mistake; what comes after it may only follow from it. */
__attribute__((format(printf, 3, 4))) static void assembler_fail(struct bpf_assembler *a, int code,
                                                                 const char *why, ...)
{
  if (a->mistake.code != 0)
    return;
  char text[SHUNT_ERROR_TEXT_BYTES];
  va_list arguments;
  va_start(arguments, why);
  vsnprintf(text, sizeof(text), why, arguments);
  va_end(arguments);
  uint32_t distance = 0;
  const char *label = bpf_label_near(a, a->insns.count, &distance);
  shunt_error_set(&a->mistake, code, "can't assemble the program: instruction %u%s%s%s",
                  a->insns.count, label != NULL ? " (after " : "", label != NULL ? label : "",
                  label != NULL ? ")" : "");
  shunt_error_why(&a->mistake, "%s", text);
}

/* Room for one more item; NULL where there is no memory, which is remembered. */
static void *assembler_append(struct bpf_assembler *a, struct assembler_list *list, size_t bytes)
{
  if (list->count == list->room) {
    uint32_t room = list->room == 0 ? 64 : 2 * list->room;
    void *items = realloc(list->items, room * bytes);
    if (items == NULL) {
      assembler_fail(a, -ENOMEM, "no memory for %u items of %zu bytes", room, bytes);
      return NULL;
    }
    list->items = items;
    list->room = room;
  }
  return (char *)list->items + bytes * list->count++;
}

static struct bpf_insn *assembler_insn(const struct bpf_assembler *a, uint32_t index)
{
  return (struct bpf_insn *)a->insns.items + index;
}

static struct assembler_label *assembler_label(const struct bpf_assembler *a, uint32_t index)
{
  return (struct assembler_label *)a->labels.items + index;
}

int bpf_assembler_new(struct bpf_assembler **a, struct shunt_error *error)
{
  *a = calloc(1, sizeof(**a));
  if (*a == NULL)
    return shunt_error_set(error, -ENOMEM, "no memory for an assembler");
  return 0;
}

void bpf_assembler_free(struct bpf_assembler *a)
{
  if (a == NULL)
    return;
  free(a->insns.items);
  free(a->labels.items);
  free(a->jumps.items);
  free(a);
}

void bpf_assembler_clear(struct bpf_assembler *a)
{
  a->insns.count = 0;
  a->labels.count = 0;
  a->jumps.count = 0;
  a->mistake.code = 0;
}

uint32_t bpf_assembler_count(const struct bpf_assembler *a)
{
  return a->insns.count;
}

/* ---- labels ---- */

struct bpf_label bpf_label(struct bpf_assembler *a, const char *name, ...)
{
  struct bpf_label label = {.index = a->labels.count};
  struct assembler_label *made = assembler_append(a, &a->labels, sizeof(*made));
  if (made == NULL)
    return label;
  made->place = ASSEMBLER_UNPLACED;
  if (name == NULL) {
    snprintf(made->name, sizeof(made->name), "L%u", label.index);
    return label;
  }
  va_list arguments;
  va_start(arguments, name);
  vsnprintf(made->name, sizeof(made->name), name, arguments);
  va_end(arguments);
  return label;
}

/* A label of this assembler, or NULL: then the mistake is remembered. */
static struct assembler_label *assembler_known(struct bpf_assembler *a, struct bpf_label label)
{
  if (label.index < a->labels.count)
    return assembler_label(a, label.index);
  assembler_fail(a, -EINVAL, "there is no label %u; bpf_label made %u", label.index,
                 a->labels.count);
  return NULL;
}

/* Leave out a goto that would go to the next instruction. Not where another label stands behind it:
 * that would have to move with it. */
static void assembler_arrive(struct bpf_assembler *a, struct bpf_label label)
{
  if (a->jumps.count == 0)
    return;
  const struct assembler_jump *last =
      (const struct assembler_jump *)a->jumps.items + a->jumps.count - 1;
  if (last->label != label.index || last->insn + 1 != a->insns.count ||
      assembler_insn(a, last->insn)->code != (BPF_JMP | BPF_JA) ||
      bpf_label_at(a, a->insns.count) != NULL)
    return;
  a->insns.count--;
  a->jumps.count--;
}

void bpf_place(struct bpf_assembler *a, struct bpf_label label)
{
  struct assembler_label *known = assembler_known(a, label);
  if (known == NULL)
    return;
  if (known->place != ASSEMBLER_UNPLACED) {
    assembler_fail(a, -EINVAL, "label \"%s\" stands at instruction %u already", known->name,
                   known->place);
    return;
  }
  assembler_arrive(a, label);
  known->place = a->insns.count;
}

const char *bpf_label_at(const struct bpf_assembler *a, uint32_t index)
{
  uint32_t distance;
  const char *name = bpf_label_near(a, index, &distance);
  return name != NULL && distance == 0 ? name : NULL;
}

const char *bpf_label_near(const struct bpf_assembler *a, uint32_t index, uint32_t *distance)
{
  const struct assembler_label *near = NULL;
  for (uint32_t i = 0; i < a->labels.count; i++) {
    const struct assembler_label *label = assembler_label(a, i);
    if (label->place == ASSEMBLER_UNPLACED || label->place > index)
      continue;
    if (near == NULL || label->place > near->place)
      near = label;
  }
  if (near == NULL)
    return NULL;
  *distance = index - near->place;
  return near->name;
}

/* ---- emitting ---- */

static bool assembler_register_ok(struct bpf_assembler *a, unsigned number)
{
  if (number <= R10)
    return true;
  assembler_fail(a, -EINVAL, "there is no register r%u; r0 to r10 are", number);
  return false;
}

/* A register that an instruction writes: any but the frame. */
static bool assembler_target_ok(struct bpf_assembler *a, unsigned number)
{
  if (number != R10)
    return assembler_register_ok(a, number);
  assembler_fail(a, -EINVAL, "r10, the frame, can't be written");
  return false;
}

static void assembler_put(struct bpf_assembler *a, struct bpf_insn insn)
{
  if (a->mistake.code != 0)
    return;
  if (a->insns.count == BPF_ASSEMBLER_MOST) {
    assembler_fail(a, -E2BIG, "a program has at most %u instructions", BPF_ASSEMBLER_MOST);
    shunt_error_remedy(&a->mistake, "look rules up in a map instead of comparing one by one");
    return;
  }
  struct bpf_insn *place = assembler_append(a, &a->insns, sizeof(*place));
  if (place != NULL)
    *place = insn;
}

/* The registers come apart from the instruction: whole numbers, before they are cut to 4 bits. */
static void assembler_registers(struct bpf_assembler *a, unsigned to, unsigned from,
                                struct bpf_insn insn)
{
  if (!assembler_register_ok(a, to) || !assembler_register_ok(a, from))
    return;
  insn.dst_reg = (uint8_t)(to & 0xf);
  insn.src_reg = (uint8_t)(from & 0xf);
  assembler_put(a, insn);
}

void bpf_emit(struct bpf_assembler *a, struct bpf_insn insn)
{
  assembler_registers(a, insn.dst_reg, BPF_CLASS(insn.code) == BPF_LD ? 0 : insn.src_reg, insn);
}

static void assembler_alu(struct bpf_assembler *a, uint8_t class, uint8_t operation, unsigned to,
                          unsigned from, bool immediate, int32_t imm)
{
  if ((operation & 0x0f) != 0 || operation > BPF_ARSH || operation == BPF_NEG) {
    assembler_fail(a, -EINVAL, "0x%x is no operation on two values", operation);
    return;
  }
  if (!assembler_target_ok(a, to))
    return;
  uint8_t source = immediate ? BPF_K : BPF_X;
  assembler_registers(a, to, from,
                      (struct bpf_insn){.code = class | operation | source, .imm = imm});
}

void bpf_alu(struct bpf_assembler *a, uint8_t operation, enum bpf_register to,
             enum bpf_register from)
{
  assembler_alu(a, BPF_ALU64, operation, to, from, false, 0);
}

void bpf_alu_imm(struct bpf_assembler *a, uint8_t operation, enum bpf_register to, int32_t imm)
{
  assembler_alu(a, BPF_ALU64, operation, to, 0, true, imm);
}

void bpf_alu32(struct bpf_assembler *a, uint8_t operation, enum bpf_register to,
               enum bpf_register from)
{
  assembler_alu(a, BPF_ALU, operation, to, from, false, 0);
}

void bpf_alu32_imm(struct bpf_assembler *a, uint8_t operation, enum bpf_register to, int32_t imm)
{
  assembler_alu(a, BPF_ALU, operation, to, 0, true, imm);
}

void bpf_negate(struct bpf_assembler *a, enum bpf_register to)
{
  if (assembler_target_ok(a, to))
    assembler_registers(a, to, 0, (struct bpf_insn){.code = BPF_ALU64 | BPF_NEG});
}

void bpf_negate32(struct bpf_assembler *a, enum bpf_register to)
{
  if (assembler_target_ok(a, to))
    assembler_registers(a, to, 0, (struct bpf_insn){.code = BPF_ALU | BPF_NEG});
}

static void assembler_swap(struct bpf_assembler *a, unsigned to, uint8_t order, unsigned bits)
{
  if (bits != 16 && bits != 32 && bits != 64) {
    assembler_fail(a, -EINVAL, "a byte order has 16, 32 or 64 bits, not %u", bits);
    return;
  }
  if (!assembler_target_ok(a, to))
    return;
  assembler_registers(a, to, 0,
                      (struct bpf_insn){.code = BPF_ALU | BPF_END | order, .imm = (int32_t)bits});
}

void bpf_be(struct bpf_assembler *a, enum bpf_register to, unsigned bits)
{
  assembler_swap(a, to, BPF_TO_BE, bits);
}

void bpf_le(struct bpf_assembler *a, enum bpf_register to, unsigned bits)
{
  assembler_swap(a, to, BPF_TO_LE, bits);
}

/* The 64-bit immediate in its two instructions. The kernel tells its kinds by the source register,
 * which is why it is no register here (BPF_PSEUDO_...). */
static void assembler_wide(struct bpf_assembler *a, unsigned to, uint8_t kind, uint32_t low,
                           uint32_t high)
{
  if (!assembler_target_ok(a, to))
    return;
  if (a->insns.count + 2 > BPF_ASSEMBLER_MOST) {
    assembler_fail(a, -E2BIG, "a program has at most %u instructions", BPF_ASSEMBLER_MOST);
    return;
  }
  assembler_put(a, (struct bpf_insn){.code = BPF_LD | BPF_DW | BPF_IMM,
                                     .dst_reg = (uint8_t)(to & 0xf),
                                     .src_reg = (uint8_t)(kind & 0xf),
                                     .imm = (int32_t)low});
  assembler_put(a, (struct bpf_insn){.imm = (int32_t)high});
}

void bpf_move_imm64(struct bpf_assembler *a, enum bpf_register to, uint64_t imm)
{
  assembler_wide(a, to, 0, (uint32_t)imm, (uint32_t)(imm >> 32));
}

void bpf_load_map(struct bpf_assembler *a, enum bpf_register to, int map)
{
  assembler_wide(a, to, BPF_PSEUDO_MAP_FD, (uint32_t)map, 0);
}

void bpf_load_map_value(struct bpf_assembler *a, enum bpf_register to, int map, uint32_t offset)
{
  assembler_wide(a, to, BPF_PSEUDO_MAP_VALUE, (uint32_t)map, offset);
}

/* ---- memory ---- */

static void assembler_memory(struct bpf_assembler *a, uint8_t code, uint8_t size, unsigned to,
                             unsigned from, int64_t offset, int32_t imm)
{
  if ((size & ~0x18) != 0) {
    assembler_fail(a, -EINVAL, "0x%x is no size; BPF_B, BPF_H, BPF_W and BPF_DW are", size);
    return;
  }
  if (offset < INT16_MIN || offset > INT16_MAX) {
    assembler_fail(a, -EINVAL, "offset %lld has more than 16 bits", (long long)offset);
    return;
  }
  assembler_registers(a, to, from,
                      (struct bpf_insn){.code = code | size, .off = (int16_t)offset, .imm = imm});
}

void bpf_load(struct bpf_assembler *a, uint8_t size, enum bpf_register to, enum bpf_register from,
              int64_t offset)
{
  if (assembler_target_ok(a, to))
    assembler_memory(a, BPF_LDX | BPF_MEM, size, to, from, offset, 0);
}

void bpf_store(struct bpf_assembler *a, uint8_t size, enum bpf_register to, int64_t offset,
               enum bpf_register from)
{
  assembler_memory(a, BPF_STX | BPF_MEM, size, to, from, offset, 0);
}

void bpf_store_imm(struct bpf_assembler *a, uint8_t size, enum bpf_register to, int64_t offset,
                   int32_t imm)
{
  assembler_memory(a, BPF_ST | BPF_MEM, size, to, 0, offset, imm);
}

void bpf_atomic(struct bpf_assembler *a, uint8_t size, int32_t operation, enum bpf_register to,
                int64_t offset, enum bpf_register from)
{
  if (size != BPF_W && size != BPF_DW) {
    assembler_fail(a, -EINVAL, "0x%x is no size of an atomic operation; BPF_W and BPF_DW are",
                   size);
    return;
  }
  switch (operation & ~BPF_FETCH) {
  case BPF_ADD:
  case BPF_AND:
  case BPF_OR:
  case BPF_XOR:
  case BPF_XCHG & ~BPF_FETCH:
  case BPF_CMPXCHG & ~BPF_FETCH:
    break;
  default:
    assembler_fail(a, -EINVAL, "0x%x is no atomic operation", (unsigned)operation);
    return;
  }
  assembler_memory(a, BPF_STX | BPF_ATOMIC, size, to, from, offset, operation);
}

/* ---- jumps ---- */

static void assembler_jump(struct bpf_assembler *a, struct bpf_insn insn, unsigned left,
                           unsigned right, struct bpf_label label)
{
  if (assembler_known(a, label) == NULL)
    return;
  uint32_t before = a->insns.count;
  assembler_registers(a, left, right, insn);
  if (a->insns.count == before)
    return;
  struct assembler_jump *jump = assembler_append(a, &a->jumps, sizeof(*jump));
  if (jump != NULL)
    *jump = (struct assembler_jump){.insn = before, .label = label.index};
}

static void assembler_compare(struct bpf_assembler *a, uint8_t class, uint8_t operation,
                              struct bpf_insn insn, unsigned left, unsigned right,
                              struct bpf_label label)
{
  bool compares = operation >= BPF_JEQ && operation <= BPF_JSLE && (operation & 0x0f) == 0 &&
                  operation != BPF_CALL && operation != BPF_EXIT;
  if (!compares) {
    assembler_fail(a, -EINVAL, "0x%x compares nothing", operation);
    return;
  }
  insn.code |= class | operation;
  assembler_jump(a, insn, left, right, label);
}

void bpf_jump(struct bpf_assembler *a, uint8_t operation, enum bpf_register left,
              enum bpf_register right, struct bpf_label label)
{
  assembler_compare(a, BPF_JMP, operation, (struct bpf_insn){.code = BPF_X}, left, right, label);
}

void bpf_jump_imm(struct bpf_assembler *a, uint8_t operation, enum bpf_register left, int32_t imm,
                  struct bpf_label label)
{
  assembler_compare(a, BPF_JMP, operation, (struct bpf_insn){.code = BPF_K, .imm = imm}, left, 0,
                    label);
}

void bpf_jump32(struct bpf_assembler *a, uint8_t operation, enum bpf_register left,
                enum bpf_register right, struct bpf_label label)
{
  assembler_compare(a, BPF_JMP32, operation, (struct bpf_insn){.code = BPF_X}, left, right, label);
}

void bpf_jump32_imm(struct bpf_assembler *a, uint8_t operation, enum bpf_register left, int32_t imm,
                    struct bpf_label label)
{
  assembler_compare(a, BPF_JMP32, operation, (struct bpf_insn){.code = BPF_K, .imm = imm}, left, 0,
                    label);
}

void bpf_go(struct bpf_assembler *a, struct bpf_label label)
{
  assembler_jump(a, (struct bpf_insn){.code = BPF_JMP | BPF_JA}, 0, 0, label);
}

void bpf_call(struct bpf_assembler *a, int32_t helper)
{
  assembler_put(a, (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = helper});
}

void bpf_call_kernel(struct bpf_assembler *a, int32_t btf_id, uint16_t module)
{
  if (module > INT16_MAX) {
    assembler_fail(a, -EINVAL, "module %u is beyond the 15 bits of a call", module);
    return;
  }
  assembler_put(a, (struct bpf_insn){.code = BPF_JMP | BPF_CALL,
                                     .src_reg = BPF_PSEUDO_KFUNC_CALL,
                                     .off = (int16_t)module,
                                     .imm = btf_id});
}

void bpf_call_local(struct bpf_assembler *a, struct bpf_label label)
{
  assembler_jump(a, (struct bpf_insn){.code = BPF_JMP | BPF_CALL}, 0, BPF_PSEUDO_CALL, label);
}

void bpf_exit(struct bpf_assembler *a)
{
  assembler_put(a, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

/* ---- the end ---- */

static int assembler_link(struct bpf_assembler *a, const struct assembler_jump *jump,
                          struct shunt_error *error)
{
  const struct assembler_label *label = assembler_label(a, jump->label);
  if (label->place >= a->insns.count) {
    shunt_error_set(error, -EINVAL, "can't assemble the program: instruction %u jumps to \"%s\"",
                    jump->insn, label->name);
    shunt_error_why(error, label->place == ASSEMBLER_UNPLACED
                               ? "that label was placed nowhere"
                               : "that label stands behind the last instruction");
    return -EINVAL;
  }
  /* Counted from the instruction behind the jump (RFC 9669, 4.3). */
  int64_t distance = (int64_t)label->place - jump->insn - 1;
  struct bpf_insn *insn = assembler_insn(a, jump->insn);
  if (insn->code == (BPF_JMP | BPF_CALL)) {
    insn->imm = (int32_t)distance;
    return 0;
  }
  if (distance >= INT16_MIN && distance <= INT16_MAX) {
    insn->off = (int16_t)distance;
    return 0;
  }
  shunt_error_set(error, -ERANGE, "can't assemble the program: instruction %u jumps to \"%s\"",
                  jump->insn, label->name);
  shunt_error_why(error, "it is %lld instructions away; a jump reaches %d back and %d on",
                  (long long)distance, INT16_MIN, INT16_MAX);
  shunt_error_remedy(error, "jump to a goto that stands between the two");
  return -ERANGE;
}

int bpf_assemble(struct bpf_assembler *a, const struct bpf_insn **insns, uint32_t *count,
                 struct shunt_error *error)
{
  *insns = NULL;
  *count = 0;
  if (a->mistake.code != 0) {
    if (error != NULL)
      *error = a->mistake;
    return a->mistake.code;
  }
  if (a->insns.count == 0)
    return shunt_error_set(error, -EINVAL, "can't assemble the program: it has no instruction");
  const struct assembler_jump *jumps = a->jumps.items;
  for (uint32_t i = 0; i < a->jumps.count; i++) {
    int result = assembler_link(a, &jumps[i], error);
    if (result < 0)
      return result;
  }
  *insns = a->insns.items;
  *count = a->insns.count;
  return 0;
}
