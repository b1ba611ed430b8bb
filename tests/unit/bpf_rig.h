/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs for tests: assembled by a function, loaded into the running kernel. */
#ifndef TESTS_UNIT_BPF_RIG_H
#define TESTS_UNIT_BPF_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/bpf/assembler.h"
#include "src/bpf/bpf.h"

/* Writes a program; map is a file descriptor that it may use. */
typedef void bpf_rig_writer(struct bpf_assembler *a, int map);

/* r0 = XDP_PASS; exit */
static inline void bpf_rig_pass(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_move_imm(a, R0, XDP_PASS);
  bpf_exit(a);
}

/* Assemble and load. Returns 0 with *fd, or -errno with error filled. */
static inline int bpf_rig_load_as(bpf_rig_writer *write, int map, struct bpf_program_spec spec,
                                  int *fd, struct shunt_error *error)
{
  struct bpf_assembler *a;
  *fd = -1;
  int result = bpf_assembler_new(&a, error);
  if (result < 0)
    return result;
  write(a, map);
  result = bpf_assemble(a, &spec.insns, &spec.count, error);
  spec.source = a;
  if (result == 0)
    result = bpf_program_load(&spec, fd, error);
  bpf_assembler_free(a);
  return result;
}

static inline int bpf_rig_load(bpf_rig_writer *write, int map, int *fd, struct shunt_error *error)
{
  return bpf_rig_load_as(write, map, (struct bpf_program_spec){.name = "shunt_test"}, fd, error);
}

/* Whether this process may load programs; says why not. */
static inline bool bpf_rig_usable(void)
{
  struct shunt_error error;
  int fd;
  if (bpf_rig_load(bpf_rig_pass, -1, &fd, &error) == 0) {
    close(fd);
    return true;
  }
  printf("skipped: no BPF here: %s\n", error.why);
  return false;
}

#endif
