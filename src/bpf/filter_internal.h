/* SPDX-License-Identifier: BSD-2-Clause */
/* What filter.c and filter_join.c share. */
#ifndef SRC_BPF_FILTER_INTERNAL_H
#define SRC_BPF_FILTER_INTERNAL_H

#include <net/if.h>

#include "src/bpf/program.h"

struct filter_rule {
  struct shunt_xdp_rule rule;
  uint32_t id;
  uint16_t slot;
  struct program_hits before; /* what the slot had counted when the rule came */
};

struct filter {
  struct filter_options options;
  char interface[IF_NAMESIZE];
  struct filter_rule *rules; /* in the order in which they are tried */
  unsigned count;
  uint32_t next_id;
  uint16_t last_slot; /* slots are given in a circle, so that one that was freed rests a while */
  struct program_options making;
  bool no_subtraction; /* the verifier refused it */
  struct program made;
  int xskmap, hits, program, link; /* file descriptors or -1 */
  bool by_netlink;                 /* attached, but by no link: a kernel before 5.9 */
  bool joined;
  uint32_t joined_program;           /* id of the program in whose map our sockets are */
  uint8_t *sockets;                  /* by queue: 1 where there is one of ours */
  const struct program_hits *counts; /* the value of the map of hits; NULL where joined */
  char why_software[SHUNT_ERROR_TEXT_BYTES];
};

/* Take over the XSKMAP of the program that is attached.
 *
 * Returns 0: filter->xskmap is its map; 1: no program is attached; -EBUSY: one that can't be
 * joined, and why; -EOPNOTSUPP: one in another mode than was asked for; errors of bpf.h */
int filter_join(struct filter *filter, struct shunt_error *error);

#endif
