/* SPDX-License-Identifier: BSD-2-Clause */
/* Which rules can match which kind of packet, and what is left to test there. */
#include "src/bpf/program.h"

#include <assert.h>

#include "shunt/ethernet.h"
#include "shunt/ipv4.h"

#define BIT(test) (1u << (test))

static_assert(TEST_COUNT <= 8, "the bits of program_match.tests");

static const struct {
  const char *name;
  uint16_t ethertype;
  uint8_t ip_version; /* 0: none */
  uint8_t protocol;   /* with ports; else 0 */
  bool fragment;
} kinds[KIND_COUNT] = {
    [KIND_ETHERNET] = {"ethernet", 0, 0, 0, false},
    [KIND_IPV4_OTHER] = {"ipv4", SHUNT_ETHERNET_TYPE_IPV4, 4, 0, false},
    [KIND_IPV4_UDP] = {"ipv4_udp", SHUNT_ETHERNET_TYPE_IPV4, 4, SHUNT_IPV4_PROTOCOL_UDP, false},
    [KIND_IPV4_TCP] = {"ipv4_tcp", SHUNT_ETHERNET_TYPE_IPV4, 4, SHUNT_IPV4_PROTOCOL_TCP, false},
    [KIND_IPV4_FRAGMENT] = {"ipv4_fragment", SHUNT_ETHERNET_TYPE_IPV4, 4, 0, true},
    [KIND_IPV6_OTHER] = {"ipv6", SHUNT_ETHERNET_TYPE_IPV6, 6, 0, false},
    [KIND_IPV6_UDP] = {"ipv6_udp", SHUNT_ETHERNET_TYPE_IPV6, 6, SHUNT_IPV4_PROTOCOL_UDP, false},
    [KIND_IPV6_TCP] = {"ipv6_tcp", SHUNT_ETHERNET_TYPE_IPV6, 6, SHUNT_IPV4_PROTOCOL_TCP, false},
    [KIND_IPV6_FRAGMENT] = {"ipv6_fragment", SHUNT_ETHERNET_TYPE_IPV6, 6, 0, true},
};

static bool has_ports(const struct shunt_xdp_rule *rule)
{
  return rule->source_ports.count || rule->destination_ports.count;
}

/* Whether a rule can match packets of a kind, and which tests are left when it is known that the
 * packet is one. */
static bool match_ip(struct program_match *match, enum program_kind kind)
{
  const struct shunt_xdp_rule *rule = match->rule;

  if ((rule->ethertype && rule->ethertype != kinds[kind].ethertype) ||
      (rule->ip_version && rule->ip_version != kinds[kind].ip_version))
    return false;
  if (kinds[kind].protocol) {
    if (rule->protocol && rule->protocol != kinds[kind].protocol)
      return false;
    match->tests |= rule->source_ports.count ? BIT(TEST_SOURCE_PORT) : 0;
    match->tests |= rule->destination_ports.count ? BIT(TEST_DESTINATION_PORT) : 0;
  } else {
    if (has_ports(rule) && !(kinds[kind].fragment && rule->fragments))
      return false;
    match->type = rule->protocol;
    match->tests |= rule->protocol ? BIT(TEST_TYPE) : 0;
  }
  match->tests |= rule->source.bits ? BIT(TEST_SOURCE) : 0;
  match->tests |= rule->destination.bits ? BIT(TEST_DESTINATION) : 0;
  return true;
}

static bool match_ethernet(struct program_match *match)
{
  const struct shunt_xdp_rule *rule = match->rule;

  if (rule->ip_version || rule->protocol || has_ports(rule))
    return false;
  match->type = rule->ethertype;
  match->tests |= rule->ethertype ? BIT(TEST_TYPE) : 0;
  return true;
}

static void section_fill(struct program_maker *m, enum program_kind kind,
                         const struct program_rule rules[], unsigned n)
{
  struct program_section *section = &m->sections[kind];

  for (unsigned i = 0; i < n; i++) {
    struct program_match match = {.rule = rules[i].rule};
    match.value = (uint16_t)(rules[i].rule->action << PROGRAM_ACTION_SHIFT | rules[i].slot);
    match.tests = rules[i].rule->mac ? BIT(TEST_MAC) : 0;
    match.tests |= rules[i].rule->vlan ? BIT(TEST_VLAN) : 0;
    if (!(kinds[kind].ip_version ? match_ip(&match, kind) : match_ethernet(&match)))
      continue;
    section->matches[section->count++] = match;
    m->tests |= match.tests;
    if (!match.tests) /* what comes behind is never reached */
      return;
  }
}

static bool section_same(const struct program_section *a, const struct program_section *b)
{
  if (a->count != b->count)
    return false;
  for (unsigned i = 0; i < a->count; i++) {
    if (a->matches[i].rule != b->matches[i].rule || a->matches[i].tests != b->matches[i].tests ||
        (a->matches[i].tests & BIT(TEST_TYPE) && a->matches[i].type != b->matches[i].type))
      return false;
  }
  return true;
}

void program_sections_make(struct program_maker *m, struct program_match *matches,
                           const struct program_rule rules[], unsigned n)
{
  for (enum program_kind kind = 0; kind < KIND_COUNT; kind++) {
    struct program_section *section = &m->sections[kind];
    section->matches = matches + (size_t)kind * n;
    section_fill(m, kind, rules, n);
    section->same = 0;
    while (section->same < kind && !section_same(section, &m->sections[section->same]))
      section->same++;
    section->label = section->count ? bpf_label(m->a, "%s", kinds[kind].name) : m->labels.pass;
  }
  m->only_ports = n && !(m->tests & BIT(TEST_VLAN));
  for (enum program_kind kind = 0; kind < KIND_COUNT; kind++)
    m->only_ports &= kinds[kind].protocol != 0 || program_passes(m, kind);
  m->joined = m->only_ports && !program_differ(m, KIND_IPV4_UDP, KIND_IPV6_UDP) &&
              !program_differ(m, KIND_IPV4_TCP, KIND_IPV6_TCP);
  m->gathers = m->only_ports && program_passes(m, KIND_IPV6_UDP) &&
               program_passes(m, KIND_IPV6_TCP) &&
               program_passes(m, KIND_IPV4_UDP) != program_passes(m, KIND_IPV4_TCP);
  m->labels.gathers = m->gathers;
}

bool program_passes(const struct program_maker *m, enum program_kind kind)
{
  return m->sections[kind].count == 0;
}

bool program_differ(const struct program_maker *m, enum program_kind a, enum program_kind b)
{
  return m->sections[a].same != m->sections[b].same;
}

struct bpf_label program_section_of(const struct program_maker *m, enum program_kind kind)
{
  return m->sections[m->sections[kind].same].label;
}

bool program_wants_type(const struct program_maker *m, enum program_kind kind)
{
  const struct program_section *section = &m->sections[kind];

  for (unsigned i = 0; i < section->count; i++) {
    if (section->matches[i].tests & BIT(TEST_TYPE))
      return true;
  }
  return false;
}
