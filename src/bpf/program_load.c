/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that was made into one that the kernel has: its tables become maps, and the numbers of
 * maps in its instructions become file descriptors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/bpf/program.h"

uint32_t program_lanes(uint32_t queues)
{
  uint32_t lanes = 1;

  while (lanes < queues && lanes < PROGRAM_LANES_MOST)
    lanes *= 2;
  return lanes;
}

struct bpf_map_spec program_hits_map(uint32_t lanes)
{
  return (struct bpf_map_spec){
      .type = BPF_MAP_TYPE_ARRAY,
      .key_bytes = 4,
      .value_bytes = (uint32_t)(lanes * SHUNT_XDP_RULES_MOST * sizeof(struct program_hits)),
      .entries = 1,
      .flags = BPF_F_MMAPABLE,
      .name = "shunt_hits",
  };
}

struct program_hits program_hits_sum(const struct program_hits *hits, uint32_t lanes, uint16_t slot)
{
  struct program_hits sum = {0};

  for (uint32_t lane = 0; lane < lanes; lane++) {
    const struct program_hits *of =
        &hits[(size_t)lane * SHUNT_XDP_RULES_MOST + slot % SHUNT_XDP_RULES_MOST];
    sum.packets += __atomic_load_n(&of->packets, __ATOMIC_RELAXED);
    sum.bytes += __atomic_load_n(&of->bytes, __ATOMIC_RELAXED);
  }
  return sum;
}

static struct bpf_map_spec table_spec(const struct program_table *table)
{
  struct bpf_map_spec spec = {
      .type = BPF_MAP_TYPE_HASH,
      .key_bytes = table->key_bytes,
      .value_bytes = sizeof(*table->values),
      .entries = table->count,
      .flags = BPF_F_RDONLY_PROG,
      .name = "shunt_rules",
  };

  if (table->type == PROGRAM_PREFIXES) {
    spec.type = BPF_MAP_TYPE_LPM_TRIE;
    spec.flags |= BPF_F_NO_PREALLOC;
  }
  if (table->type == PROGRAM_PORTS) {
    spec.type = BPF_MAP_TYPE_ARRAY;
    spec.value_bytes = (uint32_t)(PROGRAM_PORT_COUNT * sizeof(*table->values));
    spec.entries = 1;
  }
  if (table->type == PROGRAM_FEW) {
    spec.type = BPF_MAP_TYPE_ARRAY;
    spec.value_bytes = (uint32_t)(2 * table->count * sizeof(*table->values));
    spec.entries = 1;
  }
  return spec;
}

static int table_load(const struct program_table *table, int *map, struct shunt_error *error)
{
  struct bpf_map_spec spec = table_spec(table);
  uint32_t zero = 0, count = table->count;
  int fd;
  int result = bpf_map_new(&spec, &fd, error);
  if (result)
    return result;

  if (!table->keys)
    result = bpf_map_set(fd, &zero, table->values, BPF_ANY, error);
  else
    result = bpf_map_set_many(fd, &spec, table->keys, table->values, &count, error);
  if (result) {
    close(fd);
    return result;
  }
  *map = fd;
  return 0;
}

static bool is_map(const struct bpf_insn *insn)
{
  return insn->code == (BPF_LD | BPF_IMM | BPF_DW) &&
         (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE);
}

static int load(const struct program *program, const int maps[], struct bpf_program_spec *spec,
                int *fd, struct shunt_error *error)
{
  struct bpf_insn *insns = malloc(program->count * sizeof(*insns));

  if (!insns)
    return shunt_error_set(error, -ENOMEM, "no memory for %u instructions", program->count);
  memcpy(insns, program->insns, program->count * sizeof(*insns));
  for (uint32_t i = 0; i < program->count; i++) {
    if (is_map(&insns[i]))
      insns[i].imm = maps[insns[i].imm];
    if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
      i++;
  }
  spec->insns = insns;
  spec->count = program->count;
  spec->source = program->assembler;
  int result = bpf_program_load(spec, fd, error);
  free(insns);
  /* So the verifier says that too many branches wait (push_stack of kernel/bpf/verifier.c). */
  if (result == -EFAULT)
    return shunt_error_within(error, -E2BIG, "the rules make too complex a program");
  return result;
}

int program_load(const struct program *program, int xskmap, int hits, struct bpf_program_spec *spec,
                 int *fd, struct shunt_error *error)
{
  uint32_t count = PROGRAM_TABLES, most = PROGRAM_TABLES + program->table_count;
  int *maps = calloc(most, sizeof(*maps));
  int result = 0;

  if (!maps)
    return shunt_error_set(error, -ENOMEM, "no memory for the tables of a filter");
  maps[PROGRAM_XSKMAP] = xskmap;
  maps[PROGRAM_HITS] = hits;
  while (count < most && !result) {
    result = table_load(&program->tables[count - PROGRAM_TABLES], &maps[count], error);
    count += !result;
  }
  if (!result)
    result = load(program, maps, spec, fd, error);
  /* The program holds its maps. */
  while (count > PROGRAM_TABLES)
    close(maps[--count]);
  free(maps);
  return result;
}
