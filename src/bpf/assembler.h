/* SPDX-License-Identifier: BSD-2-Clause */
/* An assembler for eBPF: the source reads like the listing that it makes.
 *
 *   struct bpf_label pass = bpf_label(a, "pass");
 *   bpf_load(a, BPF_W, R2, R1, offsetof(struct xdp_md, data));     // r2 = *(u32 *)(r1 +0)
 *   bpf_load(a, BPF_W, R3, R1, offsetof(struct xdp_md, data_end)); // r3 = *(u32 *)(r1 +4)
 *   bpf_move(a, R4, R2);                                           // r4 = r2
 *   bpf_add_imm(a, R4, 14);                                        // r4 += 14
 *   bpf_jump(a, BPF_JGT, R4, R3, pass);                            // if r4 > r3 goto pass
 *   bpf_load(a, BPF_H, R5, R2, 12);                                // r5 = *(u16 *)(r2 +12)
 *   bpf_be(a, R5, 16);                                             // r5 = be16 r5
 *   ...
 *   bpf_place(a, pass);                                            // pass:
 *   bpf_move_imm(a, R0, XDP_PASS);                                 // r0 = 2
 *   bpf_exit(a);                                                   // exit
 *   result = bpf_assemble(a, &insns, &count, error);
 *
 * No call that emits can fail: what is wrong (a register that does not exist, an offset of more
 * than 16 bits, no memory) is remembered with the place of the first mistake, the rest is ignored,
 * and bpf_assemble reports it. Instructions, operations and sizes are the constants of linux/bpf.h
 * (RFC 9669).
 *
 * Byte order: struct bpf_insn is filled through its members, so that the two registers that share a
 * byte lie as this host's kernel expects. Loads read in the host's order; bpf_be turns what was
 * loaded from a packet into a number, on either kind of host.
 *
 * Sign: an immediate has 32 bits and the 64-bit forms extend its sign. To compare a loaded u32 with
 * a number that has its top bit set use bpf_jump32_imm; the 64-bit form would never be equal.
 *
 * Thread: an assembler belongs to one thread at a time. */
#ifndef SRC_BPF_ASSEMBLER_H
#define SRC_BPF_ASSEMBLER_H

#include <linux/bpf.h>
#include <stdint.h>

#include "shunt/error.h"

struct bpf_assembler;

/* R0 result, R1..R5 arguments (lost in a call), R6..R9 kept over calls, R10 the frame, which can't
 * be written: 512 bytes of stack lie below it. */
enum bpf_register { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

/* A place in the program, before or after it is known where that is. */
struct bpf_label {
  uint32_t index;
};

/* As many instructions as the kernel takes from the privileged (BPF_COMPLEXITY_LIMIT_INSNS, since
 * Linux 5.2). */
#define BPF_ASSEMBLER_MOST   1000000u
#define BPF_LABEL_NAME_BYTES 32

/* Make an empty program. *a is the caller's, until bpf_assembler_free. Returns 0 or -ENOMEM. */
int bpf_assembler_new(struct bpf_assembler **a, struct shunt_error *error);
void bpf_assembler_free(struct bpf_assembler *a); /* NULL is allowed */

/* Throw away all instructions, labels and mistakes, and keep the memory. */
void bpf_assembler_clear(struct bpf_assembler *a);

/* How many instructions there are so far; a 64-bit immediate counts two. */
uint32_t bpf_assembler_count(const struct bpf_assembler *a);

/* Make a label.
 *
 * name  printf format of what listings and errors call it, cut at BPF_LABEL_NAME_BYTES - 1; NULL
 *       for "L<n>" */
struct bpf_label bpf_label(struct bpf_assembler *a, const char *name, ...) SHUNT_PRINTF(2, 3);

/* Say that the label stands before the next instruction. Once per label. */
void bpf_place(struct bpf_assembler *a, struct bpf_label label);

/* ---- move, arithmetic, logic: r += r, r += imm, and with 32 on the name w += w, w += imm, which
 * set the upper half of the destination to 0 ---- */

/* operation  BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_MOD,
 *            BPF_XOR, BPF_MOV, BPF_ARSH. Division is unsigned; by 0 it gives 0, and the remainder
 *            is what was divided. */
void bpf_alu(struct bpf_assembler *a, uint8_t operation, enum bpf_register to,
             enum bpf_register from);
void bpf_alu_imm(struct bpf_assembler *a, uint8_t operation, enum bpf_register to, int32_t imm);
void bpf_alu32(struct bpf_assembler *a, uint8_t operation, enum bpf_register to,
               enum bpf_register from);
void bpf_alu32_imm(struct bpf_assembler *a, uint8_t operation, enum bpf_register to, int32_t imm);

/* The same by the name of the operation: bpf_add(a, R1, R2), bpf_add_imm(a, R1, 14),
 * bpf_add32(a, R1, R2), bpf_add32_imm(a, R1, 14). */
#define BPF_ALU_VERB(verb, operation)                                                              \
  static inline void bpf_##verb(struct bpf_assembler *a, enum bpf_register to,                     \
                                enum bpf_register from)                                            \
  {                                                                                                \
    bpf_alu(a, operation, to, from);                                                               \
  }                                                                                                \
  static inline void bpf_##verb##_imm(struct bpf_assembler *a, enum bpf_register to, int32_t imm)  \
  {                                                                                                \
    bpf_alu_imm(a, operation, to, imm);                                                            \
  }                                                                                                \
  static inline void bpf_##verb##32(struct bpf_assembler * a, enum bpf_register to,                \
                                    enum bpf_register from)                                        \
  {                                                                                                \
    bpf_alu32(a, operation, to, from);                                                             \
  }                                                                                                \
  static inline void bpf_##verb##32_imm(struct bpf_assembler * a, enum bpf_register to,            \
                                        int32_t imm)                                               \
  {                                                                                                \
    bpf_alu32_imm(a, operation, to, imm);                                                          \
  }
BPF_ALU_VERB(move, BPF_MOV)
BPF_ALU_VERB(add, BPF_ADD)
BPF_ALU_VERB(sub, BPF_SUB)
BPF_ALU_VERB(mul, BPF_MUL)
BPF_ALU_VERB(div, BPF_DIV)
BPF_ALU_VERB(mod, BPF_MOD)
BPF_ALU_VERB(and, BPF_AND)
BPF_ALU_VERB(or, BPF_OR)
BPF_ALU_VERB(xor, BPF_XOR)
BPF_ALU_VERB(shift_left, BPF_LSH)
BPF_ALU_VERB(shift_right, BPF_RSH)
BPF_ALU_VERB(shift_right_signed, BPF_ARSH)
#undef BPF_ALU_VERB

/* r = -r, w = -w */
void bpf_negate(struct bpf_assembler *a, enum bpf_register to);
void bpf_negate32(struct bpf_assembler *a, enum bpf_register to);

/* Between the host's byte order and big-endian (a packet's) or little-endian; the lowest bits (16,
 * 32 or 64) count, what is above them becomes 0. */
void bpf_be(struct bpf_assembler *a, enum bpf_register to, unsigned bits);
void bpf_le(struct bpf_assembler *a, enum bpf_register to, unsigned bits);

/* r = imm, all 64 bits: two instructions. */
void bpf_move_imm64(struct bpf_assembler *a, enum bpf_register to, uint64_t imm);

/* r = the map of a file descriptor; what a helper takes as its map. */
void bpf_load_map(struct bpf_assembler *a, enum bpf_register to, int map);

/* r = the address of byte `offset` of the only value of an array map (5.2). */
void bpf_load_map_value(struct bpf_assembler *a, enum bpf_register to, int map, uint32_t offset);

/* ---- memory; size is BPF_B, BPF_H, BPF_W or BPF_DW, offset -32768..32767 ---- */

/* to = *(size *)(from + offset); what is above the size becomes 0 */
void bpf_load(struct bpf_assembler *a, uint8_t size, enum bpf_register to, enum bpf_register from,
              int64_t offset);
/* *(size *)(to + offset) = from */
void bpf_store(struct bpf_assembler *a, uint8_t size, enum bpf_register to, int64_t offset,
               enum bpf_register from);
/* *(size *)(to + offset) = imm */
void bpf_store_imm(struct bpf_assembler *a, uint8_t size, enum bpf_register to, int64_t offset,
                   int32_t imm);
/* *(size *)(to + offset) op= from, in one piece
 *
 * size       BPF_W or BPF_DW
 * operation  BPF_ADD, BPF_AND, BPF_OR or BPF_XOR (all but BPF_ADD: 5.12); with BPF_FETCH the old
 *            value goes into from; BPF_XCHG; BPF_CMPXCHG, which compares with and fetches into R0
 */
void bpf_atomic(struct bpf_assembler *a, uint8_t size, int32_t operation, enum bpf_register to,
                int64_t offset, enum bpf_register from);

/* ---- jumps ---- */

/* if left op right goto label
 *
 * operation  BPF_JEQ, BPF_JNE, BPF_JSET, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSGT, BPF_JSGE,
 *            BPF_JSLT or BPF_JSLE. With 32 on the name (5.1) the lower halves are compared. */
void bpf_jump(struct bpf_assembler *a, uint8_t operation, enum bpf_register left,
              enum bpf_register right, struct bpf_label label);
void bpf_jump_imm(struct bpf_assembler *a, uint8_t operation, enum bpf_register left, int32_t imm,
                  struct bpf_label label);
void bpf_jump32(struct bpf_assembler *a, uint8_t operation, enum bpf_register left,
                enum bpf_register right, struct bpf_label label);
void bpf_jump32_imm(struct bpf_assembler *a, uint8_t operation, enum bpf_register left, int32_t imm,
                    struct bpf_label label);

/* goto label; nothing where the label is placed next */
void bpf_go(struct bpf_assembler *a, struct bpf_label label);

/* r0 = helper(r1..r5)
 *
 * helper  BPF_FUNC_...; r1..r5 hold nothing afterwards */
void bpf_call(struct bpf_assembler *a, int32_t helper);

/* r0 = a function of the kernel that it offers to programs (5.13 for vmlinux, XDP 5.18)
 *
 * btf_id  btf_find_function's
 * module  0: the kernel itself; else the place of the module's BTF file in the fd_array that the
 *         program is loaded with, 1..32767 (5.16) */
void bpf_call_kernel(struct bpf_assembler *a, int32_t btf_id, uint16_t module);

/* Call a function of the same program; it has r1..r5 and a stack of its own. The kernel wants BTF
 * for such programs only where they use certain features; ours use none. */
void bpf_call_local(struct bpf_assembler *a, struct bpf_label label);

void bpf_exit(struct bpf_assembler *a);

/* Any other instruction as it is (bpf_insn of RFC 9669); 64-bit immediates take two. */
void bpf_emit(struct bpf_assembler *a, struct bpf_insn insn);

/* Fill in the jumps.
 *
 * insns, count  the program; the assembler's, until the next call for it
 * Returns       0; -ENOMEM; -EINVAL: a label that is jumped to stands nowhere, behind the last
 *               instruction or in two places, a wrong operand, no instruction at all;
 *               -ERANGE: a jump over more than 32767 instructions; -E2BIG: more than
 *               BPF_ASSEMBLER_MOST instructions. May be called again after more was emitted. */
int bpf_assemble(struct bpf_assembler *a, const struct bpf_insn **insns, uint32_t *count,
                 struct shunt_error *error);

/* The name of a label that stands before instruction `index`, or NULL. */
const char *bpf_label_at(const struct bpf_assembler *a, uint32_t index);

/* The last label at or before instruction `index`, or NULL; *distance in instructions. */
const char *bpf_label_near(const struct bpf_assembler *a, uint32_t index, uint32_t *distance);

#endif
