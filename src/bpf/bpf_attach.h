/* SPDX-License-Identifier: BSD-2-Clause */
/* What is attached to an interface, by rtnetlink (IFLA_XDP), and attachment by rtnetlink for
 * kernels before 5.9, which have no links for XDP. What is attached so stays when the process ends:
 * use bpf_link_xdp wherever there are links. */
#ifndef SRC_BPF_BPF_ATTACH_H
#define SRC_BPF_BPF_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"
#include "src/bpf/bpf.h"

/* The program on an interface. An interface can have one in each mode; the one that packets meet
 * first is told of: hardware's, the driver's, then SKB mode's. */
struct bpf_attached {
  uint32_t program; /* id; 0: none */
  uint32_t mode;    /* XDP_FLAGS_{SKB,DRV,HW}_MODE */
  bool by_link;     /* held by a bpf_link; else attached through netlink */
  uint32_t link;    /* its id */
  bool known;       /* state is filled: we may look at programs */
  struct bpf_program_state state;
};

int bpf_attach_query(int ifindex, struct bpf_attached *attached, struct shunt_error *error);

/* "drv mode, program \"filter\" id 17 tag 0123456789abcdef, loaded by root (uid 0) 3 min ago, held
 * by link 5"; always ends in a NUL. */
void bpf_attach_describe(const struct bpf_attached *attached, char *text, size_t bytes);

/* Attach, only where no program is there. -EBUSY as bpf_link_xdp. */
int bpf_attach_set(int program, int ifindex, uint32_t xdp_flags, struct shunt_error *error);

/* Put program in the place of expected (5.7); program -1: take it off. -EEXIST: another program is
 * there. */
int bpf_attach_replace(int program, int expected, int ifindex, uint32_t xdp_flags,
                       struct shunt_error *error);

/* Ask the kernel why a link can't be made: netlink's refusal has words where bpf(2) has an errno.
 * The program is put on the interface for as long as that takes should it be taken this time.
 *
 * words  ends up "" where the kernel has none */
#define BPF_ATTACH_WORDS_BYTES 128
void bpf_attach_ask(int program, int ifindex, uint32_t xdp_flags,
                    char words[BPF_ATTACH_WORDS_BYTES]);

#endif
