/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of a section as code: chains of tests, and tables where a run of rules is long. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/bpf/program.h"

#include "shunt/bytes.h"
#include "shunt/ethernet.h"
#include "shunt/ipv4.h"

#define BIT(test) (1u << (test))

/* Where an address stands, from r7: 14 less than the header (RFC 791 3.1, RFC 8200 3). */
#define IPV4_SOURCE      (14 + 12)
#define IPV4_DESTINATION (14 + 16)
#define IPV6_SOURCE      (14 + 8)
#define IPV6_DESTINATION (14 + 24)

static bool same_ports(const struct shunt_xdp_ports *a, const struct shunt_xdp_ports *b)
{
  return a->count == b->count && memcmp(a->range, b->range, a->count * sizeof(a->range[0])) == 0;
}

static bool same_prefix(const struct shunt_xdp_prefix *a, const struct shunt_xdp_prefix *b)
{
  return a->bits == b->bits && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

bool program_test_same(const struct program_match *a, const struct program_match *b,
                       enum program_test test)
{
  if ((a->tests ^ b->tests) & BIT(test))
    return false;
  if (!(a->tests & BIT(test)))
    return true;
  switch (test) {
  case TEST_MAC:
    return a->rule->mac == b->rule->mac &&
           shunt_mac_equal(a->rule->mac_address, b->rule->mac_address);
  case TEST_VLAN:
    return a->rule->vlan == b->rule->vlan && a->rule->vlan_id == b->rule->vlan_id;
  case TEST_TYPE:
    return a->type == b->type;
  case TEST_SOURCE:
    return same_prefix(&a->rule->source, &b->rule->source);
  case TEST_DESTINATION:
    return same_prefix(&a->rule->destination, &b->rule->destination);
  case TEST_SOURCE_PORT:
    return same_ports(&a->rule->source_ports, &b->rule->source_ports);
  default:
    return same_ports(&a->rule->destination_ports, &b->rule->destination_ports);
  }
}

/* ---- one test ---- */

/* Bytes of a packet as an instruction's immediate: in the order of memory, whatever the host's. */
static int32_t as_loaded(const uint8_t bytes[4])
{
  int32_t word;

  memcpy(&word, bytes, sizeof(word));
  return word;
}

/* In two parts, so that neither store is to a multiple of 8 (program.h). In a frame that begins
 * where the kernel has them begin, 2 bytes behind a multiple of 4 (NET_IP_ALIGN), both are aligned.
 */
void program_mac(struct program_maker *m)
{
  static_assert(STACK_MAC % 8 != 0 && (STACK_MAC + 2) % 8 != 0, "the verifier forgets them");

  program_need(m, SHUNT_ETHERNET_HEADER_BYTES, m->labels.pass);
  bpf_load(m->a, BPF_H, R1, R7, 0);
  bpf_store(m->a, BPF_H, R10, STACK_MAC, R1);
  bpf_load(m->a, BPF_W, R1, R7, 2);
  bpf_store(m->a, BPF_W, R10, STACK_MAC + 2, R1);
}

/* The end of an address tells more than its beginning, which is the maker's. */
static void test_mac(struct bpf_assembler *a, const struct shunt_xdp_rule *rule,
                     struct bpf_label miss)
{
  const uint8_t *bytes = rule->mac_address.bytes;

  if (rule->mac == SHUNT_XDP_MAC_ADDRESS) {
    bpf_load(a, BPF_W, R1, R10, STACK_MAC + 2);
    bpf_jump32_imm(a, BPF_JNE, R1, as_loaded(bytes + 2), miss);
    bpf_load(a, BPF_H, R1, R10, STACK_MAC);
    bpf_jump_imm(a, BPF_JNE, R1, program_as_loaded(shunt_load_be16(bytes)), miss);
    return;
  }
  bpf_load(a, BPF_B, R1, R10, STACK_MAC);
  bpf_and_imm(a, R1, 1);
  bpf_jump_imm(a, BPF_JNE, R1, rule->mac == SHUNT_XDP_MAC_MULTICAST, miss);
}

static void test_vlan(struct bpf_assembler *a, const struct shunt_xdp_rule *rule,
                      struct bpf_label miss)
{
  bpf_load(a, BPF_W, R1, R10, STACK_VLAN);
  bpf_jump_imm(a, rule->vlan == SHUNT_XDP_VLAN_ANY ? BPF_JEQ : BPF_JNE, R1,
               (int32_t)program_vlan_id(rule), miss);
}

/* The mask of the word `word` of a prefix, as it is loaded. */
static int32_t mask_of(unsigned bits, unsigned word)
{
  uint8_t bytes[4];

  for (unsigned i = 0; i < 4; i++) {
    unsigned before = 32 * word + 8 * i;
    unsigned set = bits <= before ? 0 : bits - before >= 8 ? 8 : bits - before;
    bytes[i] = (uint8_t)(0xff00u >> set);
  }
  return as_loaded(bytes);
}

static int16_t address_at(const struct shunt_xdp_rule *rule, enum program_test test)
{
  if (rule->ip_version == 4)
    return test == TEST_SOURCE ? IPV4_SOURCE : IPV4_DESTINATION;
  return test == TEST_SOURCE ? IPV6_SOURCE : IPV6_DESTINATION;
}

static void test_prefix(struct bpf_assembler *a, const struct shunt_xdp_rule *rule,
                        enum program_test test, struct bpf_label miss)
{
  const struct shunt_xdp_prefix *prefix = test == TEST_SOURCE ? &rule->source : &rule->destination;

  for (unsigned word = 0; 32 * word < prefix->bits; word++) {
    bpf_load(a, BPF_W, R1, R7, address_at(rule, test) + 4 * (int)word);
    if (prefix->bits < 32 * (word + 1))
      bpf_and32_imm(a, R1, mask_of(prefix->bits, word));
    bpf_jump32_imm(a, BPF_JNE, R1, as_loaded(prefix->address + 4 * word), miss);
  }
}

/* The last range is left to one that goes on; the ones before it jump ahead when they are hit. */
static void test_ports(struct bpf_assembler *a, const struct shunt_xdp_ports *ports,
                       enum bpf_register port, struct bpf_label miss)
{
  struct bpf_label hit = bpf_label(a, NULL);

  for (unsigned i = 0; i < ports->count; i++) {
    bool last = i + 1 == ports->count;
    uint16_t from = ports->range[i].first, to = ports->range[i].last;
    struct bpf_label next = last ? miss : bpf_label(a, NULL);

    if (from == to) {
      bpf_jump_imm(a, last ? BPF_JNE : BPF_JEQ, port, from, last ? miss : hit);
    } else {
      bpf_jump_imm(a, BPF_JLT, port, from, next);
      bpf_jump_imm(a, last ? BPF_JGT : BPF_JLE, port, to, last ? miss : hit);
    }
    if (!last)
      bpf_place(a, next);
  }
  bpf_place(a, hit);
}

void program_test(struct bpf_assembler *a, const struct program_match *match,
                  enum program_test test, struct bpf_label miss)
{
  if (!(match->tests & BIT(test)))
    return;
  switch (test) {
  case TEST_MAC:
    test_mac(a, match->rule, miss);
    break;
  case TEST_VLAN:
    test_vlan(a, match->rule, miss);
    break;
  case TEST_TYPE:
    bpf_jump_imm(a, BPF_JNE, R8, match->type, miss);
    break;
  case TEST_SOURCE:
  case TEST_DESTINATION:
    test_prefix(a, match->rule, test, miss);
    break;
  case TEST_SOURCE_PORT:
    test_ports(a, &match->rule->source_ports, R9, miss);
    break;
  default:
    test_ports(a, &match->rule->destination_ports, R8, miss);
    break;
  }
}

/* ---- chains ---- */

static void go_verdict(struct bpf_assembler *a, uint16_t value, struct program_labels *labels)
{
  unsigned action = value >> PROGRAM_ACTION_SHIFT;

  bpf_move_imm(a, R1, value & PROGRAM_SLOT_MASK);
  bpf_go(a, labels->verdict[action]);
  labels->used |= (uint8_t)BIT(action);
  labels->known = true;
}

/* A rule whose only test left is for one port: two instructions, and on to the next. Such rules are
 * what long chains are made of, and the verifier takes its time for each instruction. */
static bool single_port(const struct program_match *match, enum program_test test)
{
  const struct shunt_xdp_ports *ports = &match->rule->destination_ports;

  return match->tests >> test << test == BIT(TEST_DESTINATION_PORT) && ports->count == 1 &&
         ports->range[0].first == ports->range[0].last;
}

static void go_verdict_port(struct bpf_assembler *a, const struct program_match *match,
                            struct program_labels *labels)
{
  unsigned action = match->value >> PROGRAM_ACTION_SHIFT;

  bpf_move_imm(a, R1, match->value & PROGRAM_SLOT_MASK);
  bpf_jump_imm(a, BPF_JEQ, R8, match->rule->destination_ports.range[0].first,
               labels->verdict[action]);
  labels->used |= (uint8_t)BIT(action);
  labels->known = true;
}

/* Tests from `test` on, of rules that have passed all tests before it. What neighbours have in
 * common is tested once. Goes on behind where none matches, and returns true where that can't be: a
 * rule with no test left ends the chain, for what comes after is never reached, and the verifier
 * refuses such code. */
static bool chain(struct bpf_assembler *a, const struct program_match matches[], unsigned n,
                  enum program_test test, struct program_labels *labels)
{
  for (unsigned i = 0, count; i < n; i += count) {
    if (matches[i].tests >> test == 0) {
      go_verdict(a, matches[i].value, labels);
      return true;
    }
    if (single_port(&matches[i], test)) {
      go_verdict_port(a, &matches[i], labels);
      count = 1;
      continue;
    }
    for (count = 1; i + count < n && program_test_same(&matches[i], &matches[i + count], test);)
      count++;
    struct bpf_label miss = bpf_label(a, NULL);
    program_test(a, &matches[i], test, miss);
    bool ended = chain(a, &matches[i], count, test + 1, labels);
    if (ended && !(matches[i].tests & BIT(test)))
      return true;
    bpf_place(a, miss);
  }
  return false;
}

/* ---- tables ---- */

/* The address that a test asks for goes to the key, with what is behind the prefix 0. */
static int key_address(struct bpf_assembler *a, const struct shunt_xdp_rule *rule,
                       enum program_test test, unsigned bits, int at)
{
  for (unsigned word = 0; word < (rule->ip_version == 4 ? 1 : 4); word++, at += 4) {
    if (32 * word >= bits) {
      bpf_store_imm(a, BPF_W, R10, at, 0);
      continue;
    }
    bpf_load(a, BPF_W, R1, R7, address_at(rule, test) + 4 * (int)word);
    if (bits < 32 * (word + 1))
      bpf_and32_imm(a, R1, mask_of(bits, word));
    bpf_store(a, BPF_W, R10, at, R1);
  }
  return at;
}

static void key_port(struct bpf_assembler *a, bool asked, int at, enum bpf_register port)
{
  if (asked)
    bpf_store(a, BPF_H, R10, at, port);
  else
    bpf_store_imm(a, BPF_H, R10, at, 0);
}

static void key_exact(struct bpf_assembler *a, const struct program_match *match, uint8_t by)
{
  const struct shunt_xdp_rule *rule = match->rule;
  int at = STACK_KEY;

  if (by & BIT(TEST_VLAN)) {
    bpf_load(a, BPF_W, R1, R10, STACK_VLAN);
    bpf_store(a, BPF_W, R10, at, R1);
    at += 4;
  }
  if (match->tests & BIT(TEST_SOURCE))
    at = key_address(a, rule, TEST_SOURCE, rule->source.bits, at);
  if (match->tests & BIT(TEST_DESTINATION))
    at = key_address(a, rule, TEST_DESTINATION, rule->destination.bits, at);
  key_port(a, (match->tests & BIT(TEST_SOURCE_PORT)) != 0, at, R9);
  key_port(a, (match->tests & BIT(TEST_DESTINATION_PORT)) != 0, at + 2, R8);
}

static void key_prefix(struct bpf_assembler *a, const struct program_match *match, uint8_t by)
{
  unsigned bits = match->rule->ip_version == 4 ? 32 : 128;

  bpf_store_imm(a, BPF_W, R10, STACK_KEY, (int32_t)bits);
  key_address(a, match->rule, by & BIT(TEST_SOURCE) ? TEST_SOURCE : TEST_DESTINATION, bits,
              STACK_KEY + 4);
}

/* The port at the packet's place of the table has to be the packet's; gathered in r3 what speaks
 * against the rules besides. */
static void look_up_few(struct bpf_assembler *a, const struct program_table *table, int index,
                        enum bpf_register port, bool gathered, struct bpf_label miss)
{
  bpf_load_map_value(a, R1, index, 0);
  bpf_move(a, R2, port);
  bpf_mul_imm(a, R2, (int32_t)table->factor);
  bpf_shift_right_imm(a, R2, PROGRAM_FEW_SHIFT - 2); /* 4 bytes each */
  bpf_and_imm(a, R2, (int32_t)(4 * (table->count - 1)));
  bpf_add(a, R1, R2);
  bpf_load(a, BPF_H, R2, R1, 0);
  if (gathered) {
    bpf_xor(a, R2, port);
    bpf_or(a, R3, R2);
    bpf_jump_imm(a, BPF_JNE, R3, 0, miss);
  } else {
    bpf_jump(a, BPF_JNE, R2, port, miss);
  }
  bpf_load(a, BPF_H, R1, R1, 2);
}

/* r1 = the value that the table has for the packet; to miss where it has none. */
static void look_up(struct program *program, const struct program_match *match,
                    const struct program_run *run, int table, bool gathered, struct bpf_label miss)
{
  struct bpf_assembler *a = program->assembler;
  enum bpf_register port = run->by & BIT(TEST_SOURCE_PORT) ? R9 : R8;

  if (run->type == PROGRAM_FEW) {
    look_up_few(a, &program->tables[table - PROGRAM_TABLES], table, port, gathered, miss);
    return;
  }
  if (run->type == PROGRAM_PORTS) {
    bpf_load_map_value(a, R1, table, 0);
    bpf_move(a, R2, port);
    bpf_and_imm(a, R2, 0xffff); /* it is: this tells the verifier */
    bpf_shift_left_imm(a, R2, 1);
    bpf_add(a, R1, R2);
    bpf_load(a, BPF_H, R1, R1, 0);
    bpf_jump_imm(a, BPF_JEQ, R1, 0, miss);
    return;
  }
  if (run->type == PROGRAM_EXACT)
    key_exact(a, match, run->by);
  else
    key_prefix(a, match, run->by);
  bpf_load_map(a, R1, table);
  bpf_move(a, R2, R10);
  bpf_add_imm(a, R2, STACK_KEY);
  bpf_call(a, BPF_FUNC_map_lookup_elem);
  bpf_jump_imm(a, BPF_JEQ, R0, 0, miss);
  bpf_load(a, BPF_H, R1, R0, 0);
}

static void go_looked_up(struct bpf_assembler *a, const struct program_match matches[],
                         unsigned count, struct program_labels *labels)
{
  unsigned action = matches[0].value >> PROGRAM_ACTION_SHIFT;
  bool mixed = false;

  for (unsigned i = 1; i < count; i++)
    mixed |= matches[i].value >> PROGRAM_ACTION_SHIFT != action;
  if (mixed) {
    bpf_move(a, R2, R1);
    bpf_shift_right_imm(a, R2, PROGRAM_ACTION_SHIFT);
  }
  if (mixed || action != SHUNT_XDP_USER) /* which is 0 */
    bpf_and_imm(a, R1, PROGRAM_SLOT_MASK);
  if (mixed) {
    bpf_jump_imm(a, BPF_JEQ, R2, SHUNT_XDP_USER, labels->verdict[SHUNT_XDP_USER]);
    bpf_jump_imm(a, BPF_JEQ, R2, SHUNT_XDP_PASS, labels->verdict[SHUNT_XDP_PASS]);
    action = SHUNT_XDP_DROP;
    labels->used |= (uint8_t)(BIT(SHUNT_XDP_USER) | BIT(SHUNT_XDP_PASS));
  }
  bpf_go(a, labels->verdict[action]);
  labels->used |= (uint8_t)BIT(action);
}

/* Whether what a run's table does not look at can be gathered in r3: addresses of IPv4. */
static bool can_gather(const struct program_match matches[], const struct program_run *run)
{
  return run->type == PROGRAM_FEW && matches[0].rule->ip_version == 4 &&
         !(matches[0].tests & ~run->by & (uint8_t) ~(BIT(TEST_SOURCE) | BIT(TEST_DESTINATION)));
}

/* r3 |= what is wrong with an address, if a rule asks for it. */
static void gather_prefix(struct bpf_assembler *a, const struct program_match *match,
                          enum program_test test)
{
  const struct shunt_xdp_rule *rule = match->rule;
  const struct shunt_xdp_prefix *prefix = test == TEST_SOURCE ? &rule->source : &rule->destination;

  if (!(match->tests & BIT(test)))
    return;
  bpf_load(a, BPF_W, R1, R7, address_at(rule, test));
  if (prefix->bits < 32)
    bpf_and32_imm(a, R1, mask_of(prefix->bits, 0));
  bpf_xor32_imm(a, R1, as_loaded(prefix->address));
  bpf_or(a, R3, R1);
}

static int table(struct program *program, const struct program_match matches[],
                 const struct program_run *run, bool gathered, struct bpf_label miss,
                 struct program_labels *labels, struct shunt_error *error)
{
  struct bpf_assembler *a = program->assembler;
  int index = 0;
  int result = program_table_add(program, matches, run, &index, error);
  if (result)
    return result;

  if (gathered) {
    gather_prefix(a, &matches[0], TEST_SOURCE);
    gather_prefix(a, &matches[0], TEST_DESTINATION);
  }
  for (enum program_test test = 0; !gathered && test < TEST_COUNT; test++) {
    if (!(run->by & BIT(test)))
      program_test(a, &matches[0], test, miss);
  }
  look_up(program, &matches[0], run, index, gathered, miss);
  go_looked_up(a, matches, run->count, labels);
  return 0;
}

/* Where r3 gathers, it is looked at before the rules are, unless one table has them all: then with
 * the table's answer. */
int program_section_code(struct program *program, const struct program_match matches[], unsigned n,
                         struct program_labels *labels, struct shunt_error *error)
{
  struct program_run run = program_run_find(matches, n);
  const bool gathered = labels->gathers && run.count == n && can_gather(matches, &run);
  unsigned chained = 0; /* from here on no code was made */

  if (labels->gathers && !gathered)
    bpf_jump_imm(program->assembler, BPF_JNE, R3, 0, labels->pass);
  for (unsigned i = 0; i < n;) {
    if (i)
      run = program_run_find(&matches[i], n - i);
    if (!run.count) {
      i++;
      continue;
    }
    chain(program->assembler, &matches[chained], i - chained, 0, labels);
    bool last = i + run.count == n;
    struct bpf_label miss = last ? labels->pass : bpf_label(program->assembler, NULL);
    int result = table(program, &matches[i], &run, gathered, miss, labels, error);
    if (result || last)
      return result;
    bpf_place(program->assembler, miss);
    i += run.count;
    chained = i;
  }
  if (!chain(program->assembler, &matches[chained], n - chained, 0, labels))
    bpf_go(program->assembler, labels->pass);
  return 0;
}
