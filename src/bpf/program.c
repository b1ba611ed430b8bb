/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a frame through the program, from the Ethernet header to a section's rules, and from a
 * rule to the verdict. Offsets count from r7, which is 14 less than the L3 header's address: with
 * tags in front as without. */
#include "src/bpf/program.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shunt/ethernet.h"
#include "shunt/ipv4.h"
#include "src/bpf/explain.h"

#define BIT(test) (1u << (test))

/* A frame with ports has at least an Ethernet and an IPv4 header and 8 bytes. */
#define SHORTEST_WITH_PORTS (SHUNT_ETHERNET_HEADER_BYTES + SHUNT_IPV4_HEADER_BYTES + 8)

/* The context of XDP programs. */
#define CONTEXT(member) offsetof(struct xdp_md, member)

/* ---- Ethernet and tags ---- */

void program_need(struct program_maker *m, int32_t bytes, struct bpf_label miss)
{
  bpf_move(m->a, R2, R7);
  bpf_add_imm(m->a, R2, bytes);
  bpf_jump(m->a, BPF_JGT, R2, R8, miss);
}

int32_t program_as_loaded(uint16_t number)
{
  const union {
    uint8_t bytes[2];
    uint16_t word;
  } packet = {.bytes = {(uint8_t)(number >> 8), (uint8_t)number}};

  return packet.word;
}

/* A tag that the NIC took off, where the driver tells it; else there is none so far. */
static void stripped_tag(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct bpf_label none = bpf_label(a, "no_tag");

  bpf_store_imm(a, BPF_W, R10, STACK_VLAN, PROGRAM_VLAN_NONE);
  if (m->options->vlan != FILTER_VLAN_METADATA)
    return;
  bpf_store_imm(a, BPF_DW, R10, STACK_TAG, 0);
  bpf_move(a, R1, R6);
  bpf_move(a, R2, R10);
  bpf_add_imm(a, R2, STACK_TAG); /* __be16 *protocol */
  bpf_move(a, R3, R10);
  bpf_add_imm(a, R3, STACK_TAG + 4); /* u16 *tci */
  bpf_call_kernel(a, m->options->vlan_kfunc, 0);
  bpf_jump32_imm(a, BPF_JNE, R0, 0, none);
  bpf_load(a, BPF_H, R1, R10, STACK_TAG + 4);
  bpf_and_imm(a, R1, SHUNT_VLAN_ID_MASK);
  bpf_store(a, BPF_W, R10, STACK_VLAN, R1);
  bpf_place(a, none);
}

/* The id of the outermost tag: the one at r7 + 14, unless the NIC took one off. */
static void tag_id(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct bpf_label known = bpf_label(a, "tag_known");

  if (!(m->tests & BIT(TEST_VLAN)))
    return;
  if (m->options->vlan == FILTER_VLAN_METADATA) {
    bpf_load(a, BPF_W, R2, R10, STACK_VLAN);
    bpf_jump_imm(a, BPF_JNE, R2, PROGRAM_VLAN_NONE, known);
  }
  bpf_load(a, BPF_H, R2, R7, 14);
  bpf_be(a, R2, 16);
  bpf_and_imm(a, R2, SHUNT_VLAN_ID_MASK);
  bpf_store(a, BPF_W, R10, STACK_VLAN, R2);
  bpf_place(a, known);
}

static void jump_tagged(struct program_maker *m, struct bpf_label tag)
{
  bpf_jump_imm(m->a, BPF_JEQ, R3, program_as_loaded(SHUNT_ETHERNET_TYPE_VLAN), tag);
  bpf_jump_imm(m->a, BPF_JEQ, R3, program_as_loaded(SHUNT_ETHERNET_TYPE_VLAN_S), tag);
}

static bool looks_into(const struct program_maker *m, enum program_kind first)
{
  for (enum program_kind kind = first; kind < first + 4; kind++) {
    if (program_differ(m, kind, KIND_ETHERNET))
      return true;
  }
  return false;
}

/* One or two tags. */
static void tags(struct program_maker *m, struct bpf_label walked)
{
  struct bpf_assembler *a = m->a;
  struct bpf_label second = bpf_label(a, "second_tag");

  program_need(m, 18, m->labels.pass);
  tag_id(m);
  bpf_load(a, BPF_H, R3, R7, 16);
  bpf_add_imm(a, R4, 4);
  jump_tagged(m, second);
  bpf_go(a, walked);
  bpf_place(a, second);
  program_need(m, 22, m->labels.pass);
  bpf_load(a, BPF_H, R3, R7, 20);
  bpf_add_imm(a, R4, 4);
  bpf_go(a, walked);
}

/* What is at r7 + 12, by the ethertype in r3. */
static void go_ethertype(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;

  if (looks_into(m, KIND_IPV4_OTHER))
    bpf_jump_imm(a, BPF_JEQ, R3, program_as_loaded(SHUNT_ETHERNET_TYPE_IPV4), m->ipv4);
  if (looks_into(m, KIND_IPV6_OTHER))
    bpf_jump_imm(a, BPF_JEQ, R3, program_as_loaded(SHUNT_ETHERNET_TYPE_IPV6), m->ipv6);
  if (program_wants_type(m, KIND_ETHERNET)) {
    bpf_move(a, R8, R3);
    bpf_be(a, R8, 16);
  }
  bpf_go(a, program_section_of(m, KIND_ETHERNET));
}

/* r4 = 0, made so that the verifier takes it for 0, 4, 8 or 12. Frames without tags go the way of
 * those with, which moves r7 by r4: so what follows is verified once. */
static void no_tags(struct program_maker *m)
{
  bpf_move(m->a, R4, R3);
  bpf_xor(m->a, R4, R3);
  bpf_and_imm(m->a, R4, 12);
}

/* Rules that look at nothing behind the tags, "all" alone, or of VLANs. */
static void tags_alone(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct bpf_label tagged = bpf_label(a, "tagged");
  struct bpf_label section = program_section_of(m, KIND_ETHERNET);

  bpf_move_imm(a, R4, 0);
  jump_tagged(m, tagged);
  bpf_go(a, section);
  bpf_place(a, tagged);
  tags(m, section);
}

static void ethernet(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct bpf_label tagged = bpf_label(a, "tagged");
  struct bpf_label walked = bpf_label(a, "tags_walked");

  program_need(m, SHUNT_ETHERNET_HEADER_BYTES, m->labels.pass);
  bpf_load(a, BPF_H, R3, R7, 12);
  if (!looks_into(m, KIND_IPV4_OTHER) && !looks_into(m, KIND_IPV6_OTHER) &&
      !program_wants_type(m, KIND_ETHERNET)) {
    tags_alone(m);
    return;
  }
  no_tags(m);
  jump_tagged(m, tagged);
  bpf_place(a, walked);
  bpf_and_imm(a, R4, 12);
  bpf_add(a, R7, R4);
  go_ethertype(m);
  bpf_place(a, tagged);
  tags(m, walked);
}

/* to = 1 where the ethertype at r7 + at is a tag's; else 0. r3 is lost. */
static void count_tag(struct program_maker *m, enum bpf_register to, int at)
{
  struct bpf_assembler *a = m->a;

  bpf_load(a, BPF_H, R3, R7, at);
  bpf_move(a, to, R3);
  bpf_xor_imm(a, to, program_as_loaded(SHUNT_ETHERNET_TYPE_VLAN));
  bpf_xor_imm(a, R3, program_as_loaded(SHUNT_ETHERNET_TYPE_VLAN_S));
  bpf_mul(a, to, R3);
  bpf_sub_imm(a, to, 1); /* has its top bit only where the product was 0 */
  bpf_shift_right_imm(a, to, 63);
}

/* The same where only packets with ports count: the shortest frame that has some is long enough for
 * two tags, and tags are counted without a jump. To jump over that where there are none would save
 * a packet one nanosecond, and cost the verifier fourteen microseconds: it would come by twice.
 * Goes on behind with IPv6, if rules need that, else IPv4. */
static void ethernet_with_ports(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  bool ipv4 = looks_into(m, KIND_IPV4_OTHER), ipv6 = looks_into(m, KIND_IPV6_OTHER);

  program_need(m, SHORTEST_WITH_PORTS, m->labels.pass);
  count_tag(m, R4, 12);
  count_tag(m, R2, 16);
  bpf_and(a, R2, R4); /* behind no tag it is a length, or part of a flow label */
  bpf_add(a, R4, R2);
  bpf_shift_left_imm(a, R4, 2);
  bpf_add(a, R7, R4);
  program_need(m, SHUNT_ETHERNET_HEADER_BYTES + SHUNT_IPV4_HEADER_BYTES, m->labels.pass);
  if (m->gathers)
    return;
  bpf_load(a, BPF_H, R3, R7, 12);
  if (ipv4 && ipv6)
    bpf_jump_imm(a, BPF_JEQ, R3, program_as_loaded(SHUNT_ETHERNET_TYPE_IPV4), m->ipv4);
  bpf_jump_imm(a, BPF_JNE, R3,
               program_as_loaded(ipv6 ? SHUNT_ETHERNET_TYPE_IPV6 : SHUNT_ETHERNET_TYPE_IPV4),
               m->labels.pass);
}

static void frame(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;

  bpf_move(a, R6, R1);
  if (m->tests & BIT(TEST_VLAN))
    stripped_tag(m);
  bpf_load(a, BPF_W, R7, R6, CONTEXT(data));
  bpf_load(a, BPF_W, R8, R6, CONTEXT(data_end));
  if (m->tests & BIT(TEST_MAC))
    program_mac(m);
  if (m->only_ports)
    ethernet_with_ports(m);
  else
    ethernet(m);
}

/* ---- verdicts ---- */

static_assert(SHUNT_XDP_RULES_MOST == 1 << 12 && sizeof(struct program_hits) == 1 << 4,
              "the shifts of count_hit");

/* r7 = the frame's length; keeps r1. A call costs five nanoseconds where returns are guarded
 * against speculation, more than all else that is done for a hit. */
static void frame_length(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;

  if (m->options->subtracts) {
    bpf_load(a, BPF_W, R7, R6, CONTEXT(data_end));
    bpf_load(a, BPF_W, R2, R6, CONTEXT(data));
    bpf_sub(a, R7, R2);
    return;
  }
  bpf_store(a, BPF_W, R10, STACK_SLOT, R1);
  bpf_move(a, R1, R6);
  bpf_call(a, BPF_FUNC_xdp_get_buff_len); /* all its pieces, where it has several */
  bpf_move(a, R7, R0);
  bpf_load(a, BPF_W, R1, R10, STACK_SLOT);
}

/* For the verifier r1 is any number from here on. */
static void forget_slot(struct program_maker *m)
{
  bpf_store(m->a, BPF_W, R10, STACK_SLOT, R1);
  bpf_load(m->a, BPF_W, R1, R10, STACK_SLOT);
}

/* Add the packet to the counters of the rule whose slot is r1. Of several lanes r8, the queue, says
 * which. */
static void count_hit(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;

  if (m->labels.known && m->options->subtracts)
    forget_slot(m);
  frame_length(m);
  bpf_and_imm(a, R1, SHUNT_XDP_RULES_MOST - 1);
  if (m->options->lanes > 1) {
    bpf_move(a, R2, R8);
    bpf_and_imm(a, R2, (int32_t)m->options->lanes - 1);
    bpf_shift_left_imm(a, R2, 12);
    bpf_add(a, R1, R2);
  }
  bpf_shift_left_imm(a, R1, 4);
  bpf_load_map_value(a, R2, PROGRAM_HITS, 0);
  bpf_add(a, R2, R1);
  bpf_move_imm(a, R1, 1);
  bpf_atomic(a, BPF_DW, BPF_ADD, R2, offsetof(struct program_hits, packets), R1);
  bpf_atomic(a, BPF_DW, BPF_ADD, R2, offsetof(struct program_hits, bytes), R7);
}

/* Write the receive time in front of the frame. Where there is no room the frame passes to the
 * kernel: to the program it would bring some earlier frame's time. */
static void receive_time(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct bpf_label known = bpf_label(a, "time_known");

  if (m->options->time == FILTER_TIME_DEVICE) {
    bpf_store_imm(a, BPF_DW, R10, STACK_TIME, 0);
    bpf_move(a, R1, R6);
    bpf_move(a, R2, R10);
    bpf_add_imm(a, R2, STACK_TIME);
    bpf_call_kernel(a, m->options->time_kfunc, 0);
    bpf_jump32_imm(a, BPF_JEQ, R0, 0, known);
    bpf_store_imm(a, BPF_DW, R10, STACK_TIME, 0);
    bpf_place(a, known);
  } else {
    bpf_call(a, BPF_FUNC_ktime_get_ns);
    bpf_store(a, BPF_DW, R10, STACK_TIME, R0);
  }
  bpf_move(a, R1, R6);
  bpf_move_imm(a, R2, -FILTER_TIME_BYTES);
  bpf_call(a, BPF_FUNC_xdp_adjust_meta);
  bpf_jump32_imm(a, BPF_JNE, R0, 0, m->labels.pass);
  bpf_load(a, BPF_W, R1, R6, CONTEXT(data_meta));
  bpf_load(a, BPF_W, R2, R6, CONTEXT(data));
  bpf_move(a, R3, R1);
  bpf_add_imm(a, R3, FILTER_TIME_BYTES);
  bpf_jump(a, BPF_JGT, R3, R2, m->labels.pass);
  bpf_load(a, BPF_DW, R3, R10, STACK_TIME);
  bpf_store(a, BPF_DW, R1, 0, R3);
}

static void verdict(struct program_maker *m, enum shunt_xdp_action action)
{
  struct bpf_assembler *a = m->a;
  const bool by_queue = !m->uncounted && m->options->lanes > 1;

  bpf_place(a, m->labels.verdict[action]);
  if (by_queue)
    bpf_load(a, BPF_W, R8, R6, CONTEXT(rx_queue_index));
  if (!m->uncounted)
    count_hit(m);
  if (action != SHUNT_XDP_USER) {
    bpf_move_imm(a, R0, action == SHUNT_XDP_PASS ? XDP_PASS : XDP_DROP);
    bpf_exit(a);
    return;
  }
  if (m->options->time != FILTER_TIME_NONE)
    receive_time(m);
  bpf_load_map(a, R1, PROGRAM_XSKMAP);
  if (by_queue)
    bpf_move(a, R2, R8);
  else
    bpf_load(a, BPF_W, R2, R6, CONTEXT(rx_queue_index));
  bpf_move_imm(a, R3, XDP_PASS); /* the verdict where the queue has no socket (5.3) */
  bpf_call(a, BPF_FUNC_redirect_map);
  bpf_exit(a);
}

/* ---- all of it ---- */

static int make(struct program_maker *m, struct shunt_error *error)
{
  static const char *const names[] = {"user", "pass_counted", "drop"};

  for (enum shunt_xdp_action action = SHUNT_XDP_USER; action <= SHUNT_XDP_DROP; action++)
    m->labels.verdict[action] = bpf_label(m->a, "%s", names[action]);
  m->ipv4 = bpf_label(m->a, "ipv4_header");
  m->ipv6 = bpf_label(m->a, "ipv6_header");
  m->ports = bpf_label(m->a, "ip_ports");
  frame(m);
  if (looks_into(m, KIND_IPV6_OTHER)) /* first: its states cover those of IPv4 */
    program_ipv6(m);
  if (looks_into(m, KIND_IPV4_OTHER))
    program_ipv4(m);
  for (enum program_kind kind = 0; kind < KIND_COUNT; kind++) {
    const struct program_section *section = &m->sections[kind];
    if (section->same != kind || !section->count)
      continue;
    bpf_place(m->a, section->label);
    int result =
        program_section_code(m->program, section->matches, section->count, &m->labels, error);
    if (result)
      return result;
  }
  for (enum shunt_xdp_action action = SHUNT_XDP_USER; action <= SHUNT_XDP_DROP; action++) {
    if (m->labels.used & BIT(action))
      verdict(m, action);
  }
  bpf_place(m->a, m->labels.pass);
  bpf_move_imm(m->a, R0, XDP_PASS);
  bpf_exit(m->a);
  return 0;
}

static_assert(PROGRAM_CHAIN_MOST == 16, "EXPLAIN_SHARE_TABLES says so");

static int finish(struct program *program, struct shunt_error *error)
{
  int result = bpf_assemble(program->assembler, &program->insns, &program->count, error);

  if (result != -ERANGE && result != -E2BIG)
    return result;
  shunt_error_set(error, -E2BIG, "the rules make too long a program");
  shunt_error_why(error, "%u instructions, and a jump reaches over 32767",
                  bpf_assembler_count(program->assembler));
  shunt_error_remedy(error, EXPLAIN_SHARE_TABLES);
  return -E2BIG;
}

static int check_vlan(const struct program_options *options, const struct program_rule rules[],
                      unsigned n, struct shunt_error *error)
{
  char text[SHUNT_XDP_RULE_TEXT_BYTES];

  if (options->vlan != FILTER_VLAN_STRIPPED)
    return 0;
  for (unsigned i = 0; i < n; i++) {
    if (rules[i].rule->vlan == SHUNT_XDP_VLAN_WHATEVER)
      continue;
    shunt_xdp_rule_format(rules[i].rule, text, sizeof(text));
    shunt_error_set(error, -EOPNOTSUPP, "the rule \"%s\" can't be matched", text);
    shunt_error_why(error, "the NIC takes VLAN tags off (rx-vlan-offload is on), and its driver "
                           "does not tell XDP programs of them");
    shunt_error_remedy(error, "turn it off: ethtool -K INTERFACE rxvlan off; or use drv mode, "
                              "Linux 6.8 and a driver with bpf_xdp_metadata_rx_vlan_tag");
    return -EOPNOTSUPP;
  }
  return 0;
}

int program_make(struct program *program, const struct program_options *options,
                 const struct program_rule rules[], unsigned n, struct shunt_error *error)
{
  program_tables_free(program);
  int result = check_vlan(options, rules, n, error);
  if (!result && program->assembler)
    bpf_assembler_clear(program->assembler);
  else if (!result)
    result = bpf_assembler_new(&program->assembler, error);
  if (result)
    return result;

  struct program_match *matches = calloc((size_t)KIND_COUNT * n + 1, sizeof(*matches));
  if (!matches)
    return shunt_error_set(error, -ENOMEM, "no memory for a filter of %u rules", n);
  struct program_maker m = {.program = program, .a = program->assembler, .options = options};
  m.uncounted = n && !rules[0].slot;
  m.labels.pass = bpf_label(m.a, "pass");
  program_sections_make(&m, matches, rules, n);
  result = make(&m, error);
  free(matches);
  return result ? result : finish(program, error);
}

void program_free(struct program *program)
{
  program_tables_free(program);
  bpf_assembler_free(program->assembler);
  *program = (struct program){0};
}
