/* SPDX-License-Identifier: BSD-2-Clause */
/* A small eBPF machine (RFC 9669) for the programs that src/bpf/program.c makes, so that they can
 * be run without the kernel, and a fuzzer can run millions. test_program.c has the kernel judge it.
 *
 * Each address is a number that stands for a piece of memory: the high half says which, the low
 * half where in it. So every load and store is checked against what the piece holds, and one byte
 * beside a frame is seen. A register that nothing was written to can't be read, nor can the stack:
 * what the verifier would refuse, the machine refuses when it happens. */
#ifndef TESTS_UNIT_BPF_MACHINE_H
#define TESTS_UNIT_BPF_MACHINE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "src/bpf/program.h"

enum machine_memory {
  MACHINE_NONE,
  MACHINE_CONTEXT,
  MACHINE_FRAME, /* with MACHINE_HEADROOM bytes in front */
  MACHINE_STACK,
  MACHINE_VALUE, /* + number of the map */
};

#define MACHINE_STACK_BYTES 512
#define MACHINE_HEADROOM    256
#define MACHINE_STEPS       200000
#define MACHINE_MAP         UINT64_C(0x4d41500000000000) /* what a map's "address" is */
#define MACHINE_MAP_COUNT   64
#define MACHINE_LANES       2u
#define MACHINE_TIME        UINT64_C(0x1122334455667788) /* the time it always is */

struct machine {
  const struct program *program;
  uint8_t *frame; /* the first byte of the packet, MACHINE_HEADROOM bytes behind its memory's */
  uint32_t bytes;
  uint32_t queue;
  uint32_t metadata; /* bytes in front of the packet */
  int stripped_vlan; /* id of the tag that the NIC took off, or -1 */
  bool no_socket;

  /* Results. */
  char fault[96];      /* "" if there was none */
  uint32_t steps;      /* instructions; 64-bit immediates are one */
  uint64_t redirected; /* 1 + queue, where the packet was redirected */
  struct program_hits hits[MACHINE_LANES * SHUNT_XDP_RULES_MOST];

  uint64_t r[11];
  uint16_t known; /* registers that were written to */
  uint8_t stack[MACHINE_STACK_BYTES];
  uint8_t stack_known[MACHINE_STACK_BYTES];
  const uint16_t *value[MACHINE_MAP_COUNT]; /* the element of a table that was looked up */
};

static inline uint64_t machine_fault(struct machine *m, const char *what)
{
  if (!m->fault[0])
    snprintf(m->fault, sizeof(m->fault), "%s", what);
  return 0;
}

static inline uint64_t machine_address(uint32_t memory, uint64_t at)
{
  return (uint64_t)memory << 32 | (uint32_t)(at + 0x10000);
}

/* The bytes at an address, or NULL with a fault. */
static inline uint8_t *machine_bytes(struct machine *m, uint64_t address, uint32_t size, bool write)
{
  uint32_t memory = (uint32_t)(address >> 32);
  int64_t at = (int64_t)(uint32_t)address - 0x10000;

  if (memory == MACHINE_FRAME) {
    if (at >= -(int64_t)m->metadata && at + size <= m->bytes && (!write || at + size <= 0))
      return m->frame + at;
  } else if (memory == MACHINE_STACK) {
    if (at >= 0 && at + size <= MACHINE_STACK_BYTES && at % size == 0) {
      for (uint32_t i = 0; i < size; i++) {
        if (!write && !m->stack_known[at + i])
          machine_fault(m, "read of the stack before it was written");
        m->stack_known[at + i] = 1;
      }
      return m->stack + at;
    }
  } else if (memory == MACHINE_VALUE + PROGRAM_HITS) {
    if (at >= 0 && at + size <= (int64_t)sizeof(m->hits))
      return (uint8_t *)m->hits + at;
  } else if (memory >= MACHINE_VALUE + PROGRAM_TABLES &&
             memory < MACHINE_VALUE + MACHINE_MAP_COUNT) {
    const struct program_table *table =
        &m->program->tables[memory - MACHINE_VALUE - PROGRAM_TABLES];
    int64_t in = table->keys ? 2 : (table->type == PROGRAM_FEW ? 4 : 2) * (int64_t)table->count;
    if (!write && at >= 0 && at + size <= in)
      return (uint8_t *)(uintptr_t)m->value[memory - MACHINE_VALUE] + at;
  }
  machine_fault(m, memory == MACHINE_FRAME ? "access beside the frame" : "access beside memory");
  return NULL;
}

static inline uint64_t machine_load(struct machine *m, uint64_t address, uint32_t size)
{
  uint64_t value = 0;

  if (address >> 32 == MACHINE_CONTEXT) {
    switch ((uint32_t)address - 0x10000) {
    case offsetof(struct xdp_md, data):
      return machine_address(MACHINE_FRAME, 0);
    case offsetof(struct xdp_md, data_end):
      return machine_address(MACHINE_FRAME, m->bytes);
    case offsetof(struct xdp_md, data_meta):
      return machine_address(MACHINE_FRAME, 0) - m->metadata;
    case offsetof(struct xdp_md, rx_queue_index):
      return m->queue;
    default:
      return machine_fault(m, "no such field of the context");
    }
  }
  const uint8_t *bytes = machine_bytes(m, address, size, false);
  if (!bytes)
    return 0;
  uint8_t b1;
  uint16_t b2;
  uint32_t b4;
  switch (size) {
  case 1:
    memcpy(&b1, bytes, 1);
    return b1;
  case 2:
    memcpy(&b2, bytes, 2);
    return b2;
  case 4:
    memcpy(&b4, bytes, 4);
    return b4;
  default:
    memcpy(&value, bytes, 8);
    return value;
  }
}

static inline void machine_store(struct machine *m, uint64_t address, uint32_t size, uint64_t value)
{
  uint8_t *bytes = machine_bytes(m, address, size, true);
  uint8_t b1 = (uint8_t)value;
  uint16_t b2 = (uint16_t)value;
  uint32_t b4 = (uint32_t)value;

  if (bytes)
    memcpy(bytes,
           size == 1   ? (void *)&b1
           : size == 2 ? (void *)&b2
           : size == 4 ? (void *)&b4
                       : (void *)&value,
           size);
}

/* ---- maps ---- */

static inline bool machine_key_fits(const struct program_table *table, const uint8_t *key,
                                    const uint8_t *wanted)
{
  uint32_t bits;

  if (table->type == PROGRAM_EXACT)
    return memcmp(key, wanted, table->key_bytes) == 0;
  memcpy(&bits, key, sizeof(bits));
  for (uint32_t i = 0; i < bits; i++) {
    if ((key[4 + i / 8] ^ wanted[4 + i / 8]) >> (7 - i % 8) & 1)
      return false;
  }
  return true;
}

/* bpf_map_lookup_elem: of a trie the longest prefix. */
static inline uint64_t machine_look_up(struct machine *m, uint64_t map, uint64_t key_address)
{
  uint64_t index = map - MACHINE_MAP;
  const uint16_t *found = NULL;
  uint32_t longest = 0;
  uint8_t key[64] = {0};

  if (index < PROGRAM_TABLES || index >= PROGRAM_TABLES + m->program->table_count)
    return machine_fault(m, "look-up in no map");
  const struct program_table *table = &m->program->tables[index - PROGRAM_TABLES];
  for (uint32_t i = 0; i < table->key_bytes; i++)
    key[i] = (uint8_t)machine_load(m, key_address + i, 1);
  for (uint32_t i = 0; i < table->count; i++) {
    const uint8_t *have = table->keys + (size_t)i * table->key_bytes;
    uint32_t bits = 0;
    if (!machine_key_fits(table, have, key))
      continue;
    if (table->type == PROGRAM_PREFIXES)
      memcpy(&bits, have, sizeof(bits));
    if (!found || bits > longest)
      found = &table->values[i];
    longest = bits > longest ? bits : longest;
  }
  m->value[index] = found;
  return found ? machine_address((uint32_t)(MACHINE_VALUE + index), 0) : 0;
}

/* ---- instructions ---- */

/* Functions of the kernel, by the numbers that the tests give them. */
#define MACHINE_KFUNC_TIME 1001
#define MACHINE_KFUNC_VLAN 1002

static inline uint64_t machine_call(struct machine *m, const struct bpf_insn *insn)
{
  if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL && insn->imm == MACHINE_KFUNC_TIME) {
    machine_store(m, m->r[2], 8, MACHINE_TIME);
    return 0;
  }
  if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL && insn->imm == MACHINE_KFUNC_VLAN) {
    if (m->stripped_vlan < 0)
      return (uint64_t)-61; /* ENODATA */
    machine_store(m, m->r[2], 2, 0x0081);
    machine_store(m, m->r[3], 2, 0xa000u | (uint32_t)m->stripped_vlan);
    return 0;
  }
  if (insn->src_reg)
    return machine_fault(m, "call of an unknown function of the kernel");
  switch (insn->imm) {
  case BPF_FUNC_map_lookup_elem:
    return machine_look_up(m, m->r[1], m->r[2]);
  case BPF_FUNC_redirect_map:
    if (m->r[1] != MACHINE_MAP + PROGRAM_XSKMAP)
      machine_fault(m, "redirect to no XSKMAP");
    if (m->no_socket)
      return m->r[3];
    m->redirected = 1 + m->r[2];
    return XDP_REDIRECT;
  case BPF_FUNC_xdp_get_buff_len:
    return m->bytes;
  case BPF_FUNC_ktime_get_ns:
    return MACHINE_TIME;
  case BPF_FUNC_xdp_adjust_meta:
    m->metadata -= (uint32_t)m->r[2];
    return 0;
  default:
    return machine_fault(m, "call of an unknown helper");
  }
}

static inline uint64_t machine_alu(struct machine *m, const struct bpf_insn *insn, uint64_t to,
                                   uint64_t from, bool wide)
{
  unsigned mask = wide ? 63 : 31;

  switch (BPF_OP(insn->code)) {
  case BPF_ADD:
    return to + from;
  case BPF_SUB:
    return to - from;
  case BPF_MUL:
    return to * from;
  case BPF_OR:
    return to | from;
  case BPF_AND:
    return to & from;
  case BPF_XOR:
    return to ^ from;
  case BPF_MOV:
    return from;
  case BPF_LSH:
    return to << (from & mask);
  case BPF_RSH:
    return (wide ? to : (uint32_t)to) >> (from & mask);
  default:
    return machine_fault(m, "unknown operation");
  }
}

static inline uint64_t machine_swap(const struct bpf_insn *insn, uint64_t value)
{
  uint8_t bytes[8];
  uint64_t swapped = 0;

  if (insn->imm == 16)
    value = (uint16_t)value;
  if (insn->imm == 32)
    value = (uint32_t)value;
  memcpy(bytes, &value, sizeof(bytes)); /* of a little-endian host: the lowest comes first */
  for (int i = 0; i < insn->imm / 8; i++)
    swapped = swapped << 8 | bytes[i];
  return swapped;
}

static inline bool machine_compare(struct machine *m, const struct bpf_insn *insn, uint64_t left,
                                   uint64_t right)
{
  bool wide = BPF_CLASS(insn->code) == BPF_JMP;
  int64_t sl = wide ? (int64_t)left : (int32_t)left, sr = wide ? (int64_t)right : (int32_t)right;
  uint64_t ul = wide ? left : (uint32_t)left, ur = wide ? right : (uint32_t)right;

  switch (BPF_OP(insn->code)) {
  case BPF_JEQ:
    return ul == ur;
  case BPF_JNE:
    return ul != ur;
  case BPF_JGT:
    return ul > ur;
  case BPF_JGE:
    return ul >= ur;
  case BPF_JLT:
    return ul < ur;
  case BPF_JLE:
    return ul <= ur;
  case BPF_JSET:
    return (ul & ur) != 0;
  case BPF_JSLT:
    return sl < sr;
  case BPF_JSGT:
    return sl > sr;
  default:
    return machine_fault(m, "unknown comparison") != 0;
  }
}

static inline void machine_set(struct machine *m, unsigned to, uint64_t value)
{
  m->r[to] = value;
  m->known |= (uint16_t)(1u << to);
}

static inline uint64_t machine_get(struct machine *m, unsigned from)
{
  if (from > 10 || !(m->known >> from & 1))
    return machine_fault(m, "read of a register before it was written");
  return m->r[from];
}

static inline uint64_t machine_wide(struct machine *m, const struct bpf_insn *insn)
{
  uint32_t map = (uint32_t)insn->imm;

  if (insn->src_reg == 0)
    return (uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32;
  if (map >= PROGRAM_TABLES + m->program->table_count || map >= MACHINE_MAP_COUNT)
    return machine_fault(m, "no such map");
  if (insn->src_reg == BPF_PSEUDO_MAP_FD)
    return MACHINE_MAP + map;
  if (map >= PROGRAM_TABLES)
    m->value[map] = m->program->tables[map - PROGRAM_TABLES].values;
  else if (map != PROGRAM_HITS)
    return machine_fault(m, "value of no map that has one");
  return machine_address(MACHINE_VALUE + map, 0) + (uint32_t)insn[1].imm;
}

static inline void machine_store_register(struct machine *m, const struct bpf_insn *insn,
                                          uint32_t size)
{
  const uint64_t address = machine_get(m, insn->dst_reg) + (uint64_t)insn->off;
  uint64_t value = machine_get(m, insn->src_reg);

  if (BPF_MODE(insn->code) == BPF_ATOMIC) {
    if (insn->imm != BPF_ADD)
      machine_fault(m, "unknown atomic operation");
    value += machine_load(m, address, size);
  }
  machine_store(m, address, size, value);
}

/* Run one instruction. Returns how far to go on: 1, or more where it jumps; 0 at the end. */
static inline int machine_step(struct machine *m, const struct bpf_insn *insn)
{
  static const uint32_t sizes[] = {4, 2, 1, 8}; /* BPF_W, BPF_H, BPF_B, BPF_DW */
  uint32_t size = sizes[BPF_SIZE(insn->code) >> 3];
  bool from_register = BPF_SRC(insn->code) == BPF_X;

  switch (BPF_CLASS(insn->code)) {
  case BPF_LD:
    machine_set(m, insn->dst_reg, machine_wide(m, insn));
    return 2;
  case BPF_LDX:
    machine_set(m, insn->dst_reg,
                machine_load(m, machine_get(m, insn->src_reg) + (uint64_t)insn->off, size));
    return 1;
  case BPF_ST:
    machine_store(m, machine_get(m, insn->dst_reg) + (uint64_t)insn->off, size,
                  (uint64_t)(int64_t)insn->imm);
    return 1;
  case BPF_STX:
    machine_store_register(m, insn, size);
    return 1;
  case BPF_ALU:
  case BPF_ALU64: {
    bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
    if (BPF_OP(insn->code) == BPF_END) {
      machine_set(m, insn->dst_reg, machine_swap(insn, machine_get(m, insn->dst_reg)));
      return 1;
    }
    uint64_t to = BPF_OP(insn->code) == BPF_MOV ? 0 : machine_get(m, insn->dst_reg);
    uint64_t from = from_register ? machine_get(m, insn->src_reg) : (uint64_t)(int64_t)insn->imm;
    uint64_t value = machine_alu(m, insn, to, from, wide);
    machine_set(m, insn->dst_reg, wide ? value : (uint32_t)value);
    return 1;
  }
  default:
    break;
  }
  switch (BPF_OP(insn->code)) {
  case BPF_EXIT:
    return 0;
  case BPF_JA:
    return 1 + insn->off;
  case BPF_CALL:
    machine_set(m, 0, machine_call(m, insn));
    m->known &= (uint16_t)~0x3eu; /* r1 to r5 */
    return 1;
  default:
    return machine_compare(m, insn, machine_get(m, insn->dst_reg),
                           from_register ? machine_get(m, insn->src_reg)
                                         : (uint64_t)(int64_t)insn->imm)
               ? 1 + insn->off
               : 1;
  }
}

/* Run the program on the frame. Returns the verdict. Counters go on from run to run. */
static inline uint32_t machine_run(struct machine *m)
{
  m->fault[0] = '\0';
  m->steps = 0;
  m->redirected = 0;
  m->metadata = 0;
  m->known = 1u << 1 | 1u << 10;
  m->r[1] = machine_address(MACHINE_CONTEXT, 0);
  m->r[10] = machine_address(MACHINE_STACK, MACHINE_STACK_BYTES);
  memset(m->stack_known, 0, sizeof(m->stack_known));
  for (int64_t at = 0, by = 1; by; at += by) {
    if (at < 0 || at >= m->program->count)
      return (uint32_t)machine_fault(m, "jump out of the program");
    if (m->steps++ == MACHINE_STEPS)
      return (uint32_t)machine_fault(m, "no end");
    by = machine_step(m, &m->program->insns[at]);
    if (m->fault[0])
      return 0;
  }
  return (uint32_t)machine_get(m, 0);
}

#endif
