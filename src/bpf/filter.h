/* SPDX-License-Identifier: BSD-2-Clause */
/* A live filter on one interface: an XDP program made from rules (shunt/xdp_rule.h), the map from
 * queue to AF_XDP socket, the counters of the rules, and the link that holds it all.
 *
 * Files
 *   filter.c         maps, attachment, changes while traffic flows
 *   filter_join.c    the XSKMAP of a program that is there already
 *   filter_check.c   whether the program is still there
 *   program.h        rules to a program; lists its files
 *   rule.c, rule_parse.c   rules and their text
 *
 * A change of the rules makes a new program, which shares the XSKMAP and the counters with the one
 * before, and is put in its place between two packets (BPF_LINK_UPDATE). Each packet sees all of
 * the old rules or all of the new ones. Where a change fails, the old rules stay.
 *
 * A change waits for a grace period of the kernel (about 14 ms measured on Linux 6.18), and the
 * rules are the new ones when the call returns.
 *
 * Nothing is left behind: the link, and with it the program, goes when the process ends. Kernels
 * before 5.9 have no links for XDP: there the program is attached by netlink, and one whose process
 * was killed stays, until somebody takes it off as the next filter's error says.
 *
 * Thread: a filter belongs to one thread at a time. */
#ifndef SRC_BPF_FILTER_H
#define SRC_BPF_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt/xdp_rule.h"

struct filter;

/* How VLAN tags reach the program. The interface's rx-vlan-offload and netdev-genl's
 * xdp-rx-metadata-features tell. */
enum filter_vlan {
  FILTER_VLAN_IN_FRAME, /* as they came */
  FILTER_VLAN_STRIPPED, /* the NIC takes the outermost off: rules with "vlan" are refused */
  FILTER_VLAN_METADATA, /* taken off, but the driver tells it (bpf_xdp_metadata_rx_vlan_tag, 6.8) */
};

/* Where the receive time in front of a frame comes from. */
enum filter_time {
  FILTER_TIME_NONE,
  FILTER_TIME_DEVICE,   /* the NIC's clock; 0 where it has none for a frame */
  FILTER_TIME_SOFTWARE, /* CLOCK_MONOTONIC when the XDP program ran */
};

/* Layout of what lies directly before the first byte of a frame when there is a receive time: 8
 * bytes, a uint64_t in host order, nanoseconds. */
#define FILTER_TIME_BYTES 8

struct filter_options {
  int ifindex;
  const char *interface; /* its name, for errors; copied */
  uint32_t queues;       /* entries of the XSKMAP: queue ids are below it */
  uint32_t queues_used;  /* with join: those that sockets are set for are below it, so a map that
                            is there needs no more entries; 0: queues */
  uint32_t mode;         /* XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE or XDP_FLAGS_HW_MODE */
  bool fragments;        /* take frames of several buffers (BPF_F_XDP_HAS_FRAGS) */
  bool receive_time;     /* put the time in front of frames that go to the program */
  bool software_time;    /* ... which is the software's: the driver is known to have none */
  bool no_link;          /* go the way of kernels without links for XDP: a test's wish */
  bool join;             /* where a program is attached already, use its XSKMAP */
  enum filter_vlan vlan;
};

/* Make a filter and attach it.
 *
 * rules, n  first match wins; n = 0 stands for one rule "all" whose hits are not
 *           counted. Their ids are 0 .. n-1
 * Owner     *filter is the caller's, until filter_close; untouched on failure
 * Returns   0; -EINVAL: a rule or option; -E2BIG: more rules than fit a program; -EOPNOTSUPP: the
 *           driver has no such mode, or a rule with "vlan" on tags that the NIC takes off; -EBUSY:
 *           a program is attached: the error says which, and, with join, why it can't be joined;
 *           -EPERM: CAP_BPF and CAP_NET_ADMIN are needed; -EACCES: CAP_PERFMON is, for rules that
 *           look behind the Ethernet header (program.h); errors of bpf.h */
int filter_open(const struct filter_options *options, const struct shunt_xdp_rule rules[],
                unsigned n, struct filter **filter, struct shunt_error *error);

/* Detach and free. Takes sockets out of a map that was joined, and nothing else. NULL is fine. */
void filter_close(struct filter *filter);

/* Deliver what arrives on a queue to a socket that is bound to it.
 *
 * queue    below options.queues
 * socket   AF_XDP; stays the caller's
 * Returns  0; -EINVAL: queue; -EBUSY: in a map that was joined the queue has another socket;
 *          -ENOTSOCK, -EOPNOTSUPP: socket is none of AF_XDP */
int filter_socket_set(struct filter *filter, uint32_t queue, int socket, struct shunt_error *error);

/* Find out whether frames can still come: somebody may have taken the program off (bpftool link
 * detach), or the owner of a program that was joined ended. One system call for a link of our own;
 * what the kernel does not tell is taken for well.
 *
 * Returns  0; -ENOLINK: it is gone, error says how */
int filter_check(struct filter *filter, struct shunt_error *error);

/* Let what arrives on a queue go to the kernel again. 0 also where there was none, as after the
 * socket was closed. */
int filter_socket_clear(struct filter *filter, uint32_t queue, struct shunt_error *error);

/* Put a rule behind those that are there.
 *
 * id       of the rule; not used again as long as the filter lives
 * Returns  0; -EINVAL: the rule; -E2BIG: too many; -EOPNOTSUPP: a program that was joined has rules
 *          of its own; errors of bpf.h */
int filter_rule_add(struct filter *filter, const struct shunt_xdp_rule *rule, uint32_t *id,
                    struct shunt_error *error);

/* The same for several, in their order, with one change of the program: all of them, or none.
 *
 * ids  room for n. n = 0 changes nothing */
int filter_rules_add(struct filter *filter, const struct shunt_xdp_rule rules[], unsigned n,
                     uint32_t ids[], struct shunt_error *error);

/* As filter_rule_add, but in front of the rule `before`. -ENOENT: there is no such rule. */
int filter_rule_insert(struct filter *filter, const struct shunt_xdp_rule *rule, uint32_t before,
                       uint32_t *id, struct shunt_error *error);

/* Take a rule away; what only it matched passes to the kernel. -ENOENT: there is no such rule. */
int filter_rule_remove(struct filter *filter, uint32_t id, struct shunt_error *error);
/* The same for several, with one change of the program: all of them, or none. */
int filter_rules_remove(struct filter *filter, const uint32_t ids[], unsigned n,
                        struct shunt_error *error);

/* How many packets and bytes took the rule's action since it was added; USER counts also where no
 * socket was there. -ENOENT: there is no such rule, or it stands for none. */
int filter_rule_hits(struct filter *filter, uint32_t id, uint64_t *packets, uint64_t *bytes,
                     struct shunt_error *error);

/* The id and the rule at a place of the list, from 0. false: the list is shorter. */
bool filter_rule_at(const struct filter *filter, unsigned place, uint32_t *id,
                    struct shunt_xdp_rule *rule);

/* What was granted of receive_time. *why (the filter's) is "", or says what stood against
 * FILTER_TIME_DEVICE where it was asked for. */
enum filter_time filter_receive_time(const struct filter *filter, const char **why);
bool filter_joined(const struct filter *filter);

/* The descriptor of its link, which stays the filter's; -1: the program was joined, it is not ours.
 */
int filter_link_fd(const struct filter *filter);

#endif
