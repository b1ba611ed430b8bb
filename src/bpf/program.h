/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules to a program: pure, without the kernel. What the program needs of maps comes out beside it,
 * so that it can be loaded, listed, or run by a test.
 *
 * How the program looks at a frame
 *   1. the Ethernet header and up to two tags (program.c)
 *   2. IPv4 or IPv6, as far as some rule needs it, down to the ports
 *   3. a section for this kind of packet: the rules that can match it, in their order, with only
 * the tests that are left to do there (program_match.c)
 *   4. count the hit, and give the verdict
 * Sections that would be the same are one; steps that lead to the same section are left out. So
 * sixteen UDP ports cost an unmatched UDP packet one look into a table, and a TCP segment none.
 *
 * Most of the time that a program takes to load is the verifier's: about three microseconds for a
 * jump that it follows both ways, and half of one for other instructions, each time it comes by.
 *
 * Without CAP_PERFMON the verifier takes no pointer into a packet that was moved by a number from
 * the packet (sanitize_ptr_alu of kernel/bpf/verifier.c: it guards what is added against
 * speculation, and has no limit to guard a packet's pointer with). So does each program that looks
 * behind an IP header or tags of several lengths; one whose rules are all "all", or none, does
 * without.
 *
 * Registers in a section
 *   r6  context            r8  destination port; outside UDP and TCP: the protocol (256: none);
 *   r7  L3 header - 14         outside IP: the ethertype
 *   r10 stack, below       r9  source port
 * r0 to r5 are free. A rule's tests leave r6 to r9 as they are. */
#ifndef SRC_BPF_PROGRAM_H
#define SRC_BPF_PROGRAM_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "src/bpf/assembler.h"
#include "src/bpf/bpf.h"
#include "src/bpf/filter.h"

/* Runs of rules that are longer than this go into a table. A chain of so many compares takes about
 * as long as a look into a table that the cache doesn't hold. */
#define PROGRAM_CHAIN_MOST 16
/* Rules for one port each go into a table from so few on: each compare is a fork for the verifier,
 * which takes it longer than a small table takes to make. Up to so many they share a small one. */
#define PROGRAM_FEW_LEAST 5
#define PROGRAM_FEW_MOST  64

/* A rule, and its place among the counters: 1 .. SHUNT_XDP_RULES_MOST; 0 for a first rule that
 * takes every frame and is not counted. */
struct program_rule {
  const struct shunt_xdp_rule *rule;
  uint16_t slot;
};

/* What a rule's counters count. They are the one value of an array map, which the program adds to
 * without a call and its owner reads where it is mapped: of rule `slot` they are at slot %
 * SHUNT_XDP_RULES_MOST of a lane. What comes from queue q is counted in lane q % lanes, so that
 * CPUs that work for different queues don't take each other's cache lines. Additions are atomic,
 * for in skb mode several CPUs may work for a queue. */
struct program_hits {
  uint64_t packets, bytes;
};

#define PROGRAM_LANES_MOST 64u /* a map of 4 MiB */

struct program_options {
  enum filter_time time; /* where the receive time comes from */
  int32_t time_kfunc;    /* FILTER_TIME_DEVICE: BTF id of bpf_xdp_metadata_rx_timestamp */
  enum filter_vlan vlan;
  int32_t vlan_kfunc; /* FILTER_VLAN_METADATA: BTF id of bpf_xdp_metadata_rx_vlan_tag */
  bool subtracts;     /* frames have one piece, and the verifier lets us subtract pointers to it
                         (CAP_PERFMON): so their length costs no call */
  uint32_t lanes;     /* of the counters: a power of two up to PROGRAM_LANES_MOST */
};

/* In place of file descriptors the instructions hold these numbers of maps; tables follow. */
enum program_map {
  PROGRAM_XSKMAP, /* queue to socket */
  PROGRAM_HITS,   /* array of one value: struct program_hits[lanes][SHUNT_XDP_RULES_MOST] */
  PROGRAM_TABLES, /* the first table */
};

enum program_table_type {
  PROGRAM_FEW,      /* array of one value: ports and values, at places that a product tells */
  PROGRAM_PORTS,    /* array of one value: for each port two bytes */
  PROGRAM_EXACT,    /* hash: key to two bytes */
  PROGRAM_PREFIXES, /* LPM trie: struct bpf_lpm_trie_key and address to two bytes */
};

#define PROGRAM_PORT_COUNT 65536u

/* A table of the program. A value is the slot, and the action in the bits from PROGRAM_ACTION_SHIFT
 * on; 0 in a table of all ports: no rule.
 *
 * A table of few ports has at place (port * factor >> PROGRAM_FEW_SHIFT) % count the port that may
 * be there, and its value. No two ports share a place, and at a place that none has there is one
 * that belongs elsewhere, so that it is never met. */
struct program_table {
  enum program_table_type type;
  uint32_t key_bytes;
  uint32_t count;   /* PROGRAM_PORTS: PROGRAM_PORT_COUNT; PROGRAM_FEW: a power of two */
  uint32_t factor;  /* PROGRAM_FEW */
  uint8_t *keys;    /* NULL for tables of ports; no two are the same */
  uint16_t *values; /* PROGRAM_FEW: two each, the port and its value */
};

#define PROGRAM_FEW_SHIFT 16

#define PROGRAM_ACTION_SHIFT 14
#define PROGRAM_SLOT_MASK    0x3fff

struct program {
  struct bpf_assembler *assembler;
  const struct bpf_insn *insns; /* the assembler's */
  uint32_t count;
  struct program_table *tables;
  uint32_t table_count;
};

/* Make the program of a list of rules.
 *
 * program  {0}, or one made before, which is replaced; the caller's until program_free, also after
 *          a failure
 * rules    checked by shunt_xdp_rule_check; first match wins
 * Returns  0; -E2BIG: the program would be too long; -EOPNOTSUPP: a rule asks for tags that can't
 *          be seen; -ENOMEM */
int program_make(struct program *program, const struct program_options *options,
                 const struct program_rule rules[], unsigned n, struct shunt_error *error);
void program_free(struct program *program);

/* The map of counters: how many lanes suit a number of queues, what map it is, and a rule's sum
 * (program_load.c). */
uint32_t program_lanes(uint32_t queues);
struct bpf_map_spec program_hits_map(uint32_t lanes);
struct program_hits program_hits_sum(const struct program_hits *hits, uint32_t lanes,
                                     uint16_t slot);

/* Load it, with maps made of its tables (program_load.c).
 *
 * xskmap, hits  file descriptors, the caller's
 * spec          flags, ifindex and name are the caller's to fill; the rest is filled here
 * fd            the caller's; it keeps all maps alive
 * Returns       0; -E2BIG: more rules that share no table than the verifier takes; errors of
 *               bpf_map_new, bpf_map_set and bpf_program_load */
int program_load(const struct program *program, int xskmap, int hits, struct bpf_program_spec *spec,
                 int *fd, struct shunt_error *error);

/* ---- between the files of the generator ---- */

/* Kinds of packets. */
enum program_kind {
  KIND_ETHERNET, /* all but the following */
  KIND_IPV4_OTHER,
  KIND_IPV4_UDP, /* with ports */
  KIND_IPV4_TCP,
  KIND_IPV4_FRAGMENT,
  KIND_IPV6_OTHER,
  KIND_IPV6_UDP,
  KIND_IPV6_TCP,
  KIND_IPV6_FRAGMENT,
  KIND_COUNT
};

/* A test of a rule, in the order in which they are made. */
enum program_test {
  TEST_MAC,
  TEST_VLAN,
  TEST_TYPE, /* ethertype or protocol */
  TEST_SOURCE,
  TEST_DESTINATION,
  TEST_SOURCE_PORT,
  TEST_DESTINATION_PORT,
  TEST_COUNT
};

/* A rule in a section, and the tests (1 << enum program_test) that are left to do. */
struct program_match {
  const struct shunt_xdp_rule *rule;
  uint16_t value; /* as in a table */
  uint16_t type;  /* for TEST_TYPE */
  uint8_t tests;
};

struct program_labels {
  struct bpf_label verdict[3]; /* by action, where r1 is the slot */
  struct bpf_label pass;       /* no rule matched */
  uint8_t used;                /* 1 << action of every verdict that is jumped to */
  bool known;                  /* the verifier knows some slot as it comes to a verdict */
  bool gathers;                /* r3 is 0 where sections begin, unless it has to be pass */
};

struct program_section {
  struct program_match *matches;
  unsigned count;
  enum program_kind same; /* the first kind that has the same matches: itself, perhaps */
  struct bpf_label label;
};

/* A program in the making. */
struct program_maker {
  struct program *program;
  struct bpf_assembler *a; /* the program's */
  const struct program_options *options;
  struct program_section sections[KIND_COUNT];
  struct program_labels labels;
  struct bpf_label ipv4, ipv6; /* where the IP header begins, 14 behind r7 */
  struct bpf_label ports;      /* where both versions go for UDP and TCP, if joined */
  uint8_t tests;               /* all that some rule makes */
  bool uncounted;              /* the only rule that counts is not counted */
  bool only_ports;             /* packets without ports match no rule: how they miss is all one */
  bool joined;                 /* and no rule tells the versions of IP apart */
  bool gathers;                /* and only one protocol's of IPv4 do: program_ip.c */
};

/* Offsets from r10. A store to an offset that is no multiple of 8 has an effect besides: the
 * verifier forgets what was stored, for it tracks aligned spills alone (check_stack_write_fixed_off
 * of kernel/bpf/verifier.c). So it goes through what follows once, and not once for each rule. */
#define STACK_SLOT (-4)
#define STACK_VLAN (-12) /* u32: id of the outermost tag, or PROGRAM_VLAN_NONE */
#define STACK_TIME (-24) /* u64 */
#define STACK_TAG  (-32) /* two u32, for the kernel to write into */
#define STACK_KEY  (-72) /* of a table: up to 40 bytes */
#define STACK_MAC  (-78) /* u16 and u32: the destination's MAC address, as the frame has it */

#define PROGRAM_VLAN_NONE     0x1000
#define PROGRAM_PROTOCOL_NONE 256

/* program_sections.c: the rules by kind of packet.
 *
 * matches  room for KIND_COUNT * n */
void program_sections_make(struct program_maker *m, struct program_match *matches,
                           const struct program_rule rules[], unsigned n);
/* Whether packets of a kind match no rule. */
bool program_passes(const struct program_maker *m, enum program_kind kind);
/* Whether packets of two kinds meet different rules. */
bool program_differ(const struct program_maker *m, enum program_kind a, enum program_kind b);
/* Where packets of a kind go: a section, or pass. */
struct bpf_label program_section_of(const struct program_maker *m, enum program_kind kind);
/* Whether the rules for a kind look at r8 for an ethertype or protocol. */
bool program_wants_type(const struct program_maker *m, enum program_kind kind);

/* program.c: to miss unless r7 + bytes is within the frame; r2 is r7 + bytes then. */
void program_need(struct program_maker *m, int32_t bytes, struct bpf_label miss);
/* A number of the packet as it is when loaded without a swap. */
int32_t program_as_loaded(uint16_t number);

/* program_ip.c: from an IP header on, to the sections for its version. */
void program_ipv4(struct program_maker *m);
void program_ipv6(struct program_maker *m);

/* program_match.c: keep the destination's MAC address, for r7 will be moved over tags; to pass
 * where the frame is too short for an Ethernet header. */
void program_mac(struct program_maker *m);
/* The code of a section. Ends in a jump. Only the last match may have no test. */
int program_section_code(struct program *program, const struct program_match matches[], unsigned n,
                         struct program_labels *labels, struct shunt_error *error);
/* The code of one test, which goes to miss where it fails. */
void program_test(struct bpf_assembler *a, const struct program_match *match,
                  enum program_test test, struct bpf_label miss);
/* Whether two rules have the same test to make, or both have none. */
bool program_test_same(const struct program_match *a, const struct program_match *b,
                       enum program_test test);

/* program_table.c: how many rules, from the first on, can share a table, and which; a count of 0
 * where none is worth one. */
struct program_run {
  enum program_table_type type;
  unsigned count;
  uint8_t by; /* the tests (1 << enum program_test) that the table makes */
};
struct program_run program_run_find(const struct program_match matches[], unsigned n);
/* The id of a rule's tag as STACK_VLAN has it; PROGRAM_VLAN_NONE where it asks for none, or any. */
uint32_t program_vlan_id(const struct shunt_xdp_rule *rule);
/* Add a run's table. *index is its number for instructions. Returns 0 or -ENOMEM. */
int program_table_add(struct program *program, const struct program_match matches[],
                      const struct program_run *run, int *index, struct shunt_error *error);
void program_tables_free(struct program *program);

#endif
