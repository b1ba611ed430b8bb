/* SPDX-License-Identifier: BSD-2-Clause */
/* Why the kernel refuses BPF, in words: cause, evidence, remedy. */
#ifndef SRC_BPF_EXPLAIN_H
#define SRC_BPF_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"
#include "src/bpf/bpf.h"

/* What a port of AF_XDP takes in all, so that who lacks one is not told of the others one by one:
 * its sockets CAP_NET_RAW, its program the rest (shunt/privileges.h). */
#define EXPLAIN_SETCAP                                                                             \
  "run as root, or give the program all that AF_XDP takes: "                                       \
  "setcap cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon=ep PROGRAM"

/* The remedy for whoever wrote the rules of a filter (program_table.c, and PROGRAM_CHAIN_MOST). */
#define EXPLAIN_SHARE_TABLES                                                                       \
  "put rules next to each other that differ only in VLAN id, addresses of one length and single "  \
  "ports, or only in ports, or only in an address: more than 16 of these share a table"

/* What decides over a permission; read from the machine, or a test's own. */
struct explain_rights {
  uint64_t capabilities;  /* effective, a bit each (linux/capability.h) */
  int unprivileged;       /* kernel.unprivileged_bpf_disabled: 0 allowed, 1, 2; -1: not known */
  uint64_t memlock_bytes; /* RLIMIT_MEMLOCK; UINT64_MAX: none */
  bool memlock_counts;    /* maps and programs are charged to it (before 5.11) */
};

void explain_rights_read(struct explain_rights *rights);

/* Say in why and remedy what a call that got EPERM lacks. rights: NULL: this thread's own. */
void explain_permission(const struct explain_rights *rights, struct shunt_error *error);

/* Where in a log the verifier says what it minds. */
struct explain_finding {
  const char *line; /* in the log, not ended; NULL: it says nothing */
  unsigned length;
  int64_t insn; /* the instruction that it is about, or -1 */
};

void explain_find(const char *log, struct explain_finding *finding);

/* Fill error for a program that could not be loaded.
 *
 * code     -errno of the load
 * log      the verifier's; may be "" */
void explain_load(const struct bpf_program_spec *spec, int code, const char *log,
                  struct shunt_error *error);

/* Fill error for a program that could not be attached: by a link or by netlink. Returns code, but
 * -EBUSY for every errno that means that a program is there, and -ENODEV where no interface is. */
int explain_attach(int program, int ifindex, uint32_t xdp_flags, int code,
                   struct shunt_error *error);

#endif
