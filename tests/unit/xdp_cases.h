/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules and packets made from any bytes, of few enough values that they meet: for random tests and
 * for the fuzzer. And the judgement: a generated program in the machine against the reference. */
#ifndef TESTS_UNIT_XDP_CASES_H
#define TESTS_UNIT_XDP_CASES_H

#include <stdlib.h>

#include "shunt/bytes.h"
#include "tests/unit/bpf_machine.h"
#include "tests/unit/xdp_reference.h"

#define CASES_FRAME_BYTES 1024
#define CASES_RULES       256

/* Where choices come from: given bytes, then, unless seed is 0, pseudo-random ones (splitmix64). */
struct cases {
  const uint8_t *at, *end;
  uint64_t seed;
};

static inline uint32_t cases_byte(struct cases *c)
{
  if (c->at < c->end)
    return *c->at++;
  if (c->seed == 0)
    return 0;
  uint64_t z = c->seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(z >> 56);
}

static inline uint32_t cases_below(struct cases *c, uint32_t limit)
{
  return (cases_byte(c) << 8 | cases_byte(c)) % limit;
}

static inline bool cases_one_in(struct cases *c, uint32_t n)
{
  return cases_below(c, n) == 0;
}

static inline uint32_t cases_of(struct cases *c, const uint32_t values[], uint32_t count)
{
  return values[cases_below(c, count)];
}
#define CASES_OF(c, ...)                                                                           \
  cases_of(c, (const uint32_t[]){__VA_ARGS__},                                                     \
           sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* 02:00:00:00:00:0a, 03:00:00:00:00:0a or 02:00:00:00:0a:00: they differ in each part of the test.
 */
static inline void cases_mac(struct cases *c, uint8_t mac[6])
{
  memset(mac, 0, 6);
  mac[0] = 2;
  mac[cases_below(c, 4) ? 5 : 4] = (uint8_t)cases_below(c, 4);
  mac[0] |= cases_one_in(c, 4);
}

/* 10.a.0.b, or 2001:db8:a::b. */
static inline void cases_address(struct cases *c, uint8_t *address, uint8_t version)
{
  uint8_t a = (uint8_t)cases_below(c, 2), b = (uint8_t)cases_below(c, 20);

  memset(address, 0, version == 4 ? 4 : 16);
  memcpy(address, version == 4 ? "\x0a" : "\x20\x01\x0d\xb8", version == 4 ? 1 : 4);
  address[version == 4 ? 1 : 5] = a;
  address[version == 4 ? 3 : 15] = b;
}

static inline void cases_prefix(struct cases *c, struct shunt_xdp_prefix *prefix, uint8_t version)
{
  uint32_t most = version == 4 ? 32 : 128;

  cases_address(c, prefix->address, version);
  prefix->bits = (uint8_t)CASES_OF(c, most, most, most, 8, 13, 29, 31, most - 3, most - 1, 1);
  for (uint32_t bit = prefix->bits; bit < 128; bit++)
    prefix->address[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

static inline void cases_ports(struct cases *c, struct shunt_xdp_ports *ports)
{
  *ports = (struct shunt_xdp_ports){0};
  ports->count = (uint8_t)CASES_OF(c, 1, 1, 1, 2, 3, SHUNT_XDP_PORT_RANGES);
  for (unsigned i = 0; i < ports->count; i++) {
    uint32_t first = cases_one_in(c, 12) ? CASES_OF(c, 0, 65535, 65500) : cases_below(c, 48);
    uint32_t last = first + (cases_one_in(c, 3) ? cases_below(c, 9) : 0);
    ports->range[i].first = (uint16_t)first;
    ports->range[i].last = (uint16_t)(last > 65535 ? 65535 : last);
  }
}

/* A rule that shunt_xdp_rule_check passes. */
static inline void cases_rule(struct cases *c, struct shunt_xdp_rule *rule)
{
  *rule = (struct shunt_xdp_rule){.size = sizeof(*rule)};
  rule->action = (uint8_t)cases_below(c, 3);
  if (cases_one_in(c, 5)) {
    rule->mac = (uint8_t)CASES_OF(c, SHUNT_XDP_MAC_UNICAST, SHUNT_XDP_MAC_MULTICAST,
                                  SHUNT_XDP_MAC_ADDRESS, SHUNT_XDP_MAC_ADDRESS);
    if (rule->mac == SHUNT_XDP_MAC_ADDRESS)
      cases_mac(c, rule->mac_address.bytes);
  }
  if (cases_one_in(c, 5)) {
    rule->vlan = (uint8_t)(1 + cases_below(c, 3));
    rule->vlan_id = rule->vlan == SHUNT_XDP_VLAN_ID ? (uint16_t)CASES_OF(c, 0, 5, 6, 4095) : 0;
  }
  if (cases_one_in(c, 6)) {
    rule->ethertype = (uint16_t)CASES_OF(c, 0x0806, 0x0800, 0x86dd, 0x88f7);
    return;
  }
  rule->ip_version = (uint8_t)CASES_OF(c, 0, 4, 4, 6, 6);
  rule->protocol = (uint8_t)CASES_OF(c, 0, 17, 17, 17, 6, 6, 1, 58, 44, 43, 60, 51, 132);
  if (rule->ip_version && cases_one_in(c, 2))
    cases_prefix(c, &rule->source, rule->ip_version);
  if (rule->ip_version && cases_one_in(c, 2))
    cases_prefix(c, &rule->destination, rule->ip_version);
  if (rule->protocol != 0 && rule->protocol != 6 && rule->protocol != 17)
    return;
  if (cases_one_in(c, 3))
    cases_ports(c, &rule->source_ports);
  if (!cases_one_in(c, 3))
    cases_ports(c, &rule->destination_ports);
  if (rule->source_ports.count || rule->destination_ports.count)
    rule->fragments = rule->protocol && cases_one_in(c, 4);
}

/* Rules, some of them in long runs that differ in one thing or two. Returns how many: up to
 * CASES_RULES, perhaps 0. */
static inline unsigned cases_rules(struct cases *c, struct shunt_xdp_rule rules[])
{
  unsigned n = 0;

  for (unsigned groups = cases_below(c, 9); groups; groups--) {
    struct shunt_xdp_rule base;
    unsigned count = CASES_OF(c, 1, 1, 2, 5, 16, 17, 30, 40);
    uint32_t vary = cases_below(c, 128);
    cases_rule(c, &base);
    for (unsigned i = 0; i < count && n < CASES_RULES; i++) {
      struct shunt_xdp_rule rule = base;
      if (vary & 1 && rule.destination_ports.count)
        cases_ports(c, &rule.destination_ports);
      if (vary & 2 && rule.source_ports.count)
        cases_ports(c, &rule.source_ports);
      if (vary & 4 && rule.source.bits)
        cases_prefix(c, &rule.source, rule.ip_version);
      if (vary & 8 && rule.destination.bits)
        cases_prefix(c, &rule.destination, rule.ip_version);
      if (vary & 32 && rule.mac == SHUNT_XDP_MAC_ADDRESS)
        cases_mac(c, rule.mac_address.bytes);
      if (vary & 64 && rule.vlan == SHUNT_XDP_VLAN_ID)
        rule.vlan_id = (uint16_t)CASES_OF(c, 0, 5, 6, 7, 8, 4095);
      if (vary & 16)
        rule.action = (uint8_t)cases_below(c, 3);
      if (vary & 3 && base.destination_ports.count == 1) {
        /* As the keys of a hash are: one port each. */
        uint16_t port = rule.destination_ports.range[0].first;
        rule.destination_ports =
            (struct shunt_xdp_ports){.count = 1, .range = {{.first = port, .last = port}}};
      }
      rules[n++] = rule;
    }
  }
  return n;
}

/* Rules for ports of one protocol of IPv4, which make the shortest programs: 5 to 20 that differ in
 * one port; at times also in the address, or with ports of the other end. Returns how many. */
static inline unsigned cases_port_rules(struct cases *c, struct shunt_xdp_rule rules[])
{
  const unsigned n = 5 + cases_below(c, 16);
  struct shunt_xdp_rule base = {.size = sizeof(base), .ip_version = 4};
  const bool by_source = cases_one_in(c, 4), apart = cases_one_in(c, 4);

  base.protocol = (uint8_t)CASES_OF(c, 17, 17, 6);
  if (cases_one_in(c, 3))
    cases_prefix(c, &base.destination, 4);
  if (cases_one_in(c, 5))
    cases_prefix(c, &base.source, 4);
  if (cases_one_in(c, 6))
    cases_ports(c, by_source ? &base.destination_ports : &base.source_ports);
  for (unsigned i = 0; i < n; i++) {
    const uint16_t port = (uint16_t)(cases_one_in(c, 12) ? 65535 : cases_below(c, 48));
    rules[i] = base;
    *(by_source ? &rules[i].source_ports : &rules[i].destination_ports) =
        (struct shunt_xdp_ports){.count = 1, .range = {{.first = port, .last = port}}};
    if (apart && base.destination.bits)
      cases_prefix(c, &rules[i].destination, 4);
    rules[i].action = (uint8_t)(cases_one_in(c, 8) ? cases_below(c, 3) : 0);
  }
  return n;
}

/* ---- packets ---- */

/* Words that mean something where an ethertype, or a protocol and what is beside it, is looked for:
 * tags (0x9100 is none here), both versions of IP, UDP and TCP. Where they mean nothing of the kind
 * (0x8100 as a length, or in a flow label) they may change nothing. */
#define CASES_WORDS                                                                                \
  0x8100, 0x88a8, 0x9100, 0x0800, 0x86dd, 0x4500, 0x6000, 0x1111, 0x0611, 0x1106, 0, 0xffff

static inline uint32_t cases_l4(struct cases *c, uint8_t *at)
{
  shunt_store_be16(at, (uint16_t)(cases_one_in(c, 20) ? 65535 : cases_below(c, 50)));
  shunt_store_be16(at + 2, (uint16_t)(cases_one_in(c, 20) ? 65535 : cases_below(c, 50)));
  memset(at + 4, 0x5a, 16);
  return 4 + (cases_one_in(c, 12) ? cases_below(c, 5) : 16);
}

static inline uint32_t cases_ipv4(struct cases *c, uint8_t *at)
{
  uint32_t words = cases_one_in(c, 4) ? cases_below(c, 16) : 5;
  uint32_t header = words < 5 ? 20 : words * 4;

  memset(at, 1, header);
  at[0] = (uint8_t)((cases_one_in(c, 20) ? 6u : 4u) << 4 | words);
  shunt_store_be16(at + 6,
                   (uint16_t)CASES_OF(c, 0, 0, 0, 0x4000, 0x2000, 0x2001, 0x0001, 0x1fff, 0x8000));
  at[9] = (uint8_t)CASES_OF(c, 17, 17, 17, 6, 6, 1, 132, 51);
  cases_address(c, at + 12, 4);
  cases_address(c, at + 16, 4);
  uint32_t bytes = header + cases_l4(c, at + header), bytes_said = bytes;
  if (cases_one_in(c, 6)) /* the total length */
    bytes_said = cases_one_in(c, 2) ? cases_below(c, 80) : CASES_OF(c, CASES_WORDS);
  shunt_store_be16(at + 2, (uint16_t)bytes_said);
  return bytes;
}

static inline uint32_t cases_ipv6(struct cases *c, uint8_t *at)
{
  uint32_t bytes = 40;
  uint8_t *next = at + 6;

  memset(at, 1, 40);
  at[0] = (uint8_t)((cases_one_in(c, 20) ? 4u : 6u) << 4 | 3);
  if (cases_one_in(c, 6)) /* the end of the flow label */
    shunt_store_be16(at + 2, (uint16_t)CASES_OF(c, CASES_WORDS));
  cases_address(c, at + 8, 6);
  cases_address(c, at + 24, 6);
  for (uint32_t i = cases_one_in(c, 2) ? cases_below(c, 8) : 0; i; i--) {
    uint32_t length = cases_one_in(c, 3) ? cases_below(c, 4) : 0;
    *next = (uint8_t)CASES_OF(c, 0, 43, 60, 60, 0, 43, 44, 51, 64);
    next = at + bytes;
    memset(at + bytes, 0, 8 * (length + 1));
    at[bytes + 1] = (uint8_t)(cases_one_in(c, 30) ? 255 : length);
    bytes += 8 * (length + 1);
  }
  *next = (uint8_t)CASES_OF(c, 17, 17, 17, 6, 6, 58, 44, 59, 81);
  bytes += cases_l4(c, at + bytes);
  shunt_store_be16(at + 4, (uint16_t)(cases_one_in(c, 8) ? cases_below(c, 120) : bytes - 40));
  return bytes;
}

/* A frame of up to CASES_FRAME_BYTES; returns its length. */
static inline uint32_t cases_frame(struct cases *c, uint8_t frame[])
{
  uint32_t at = 12;

  cases_mac(c, frame);
  memset(frame + 6, 2, 6);
  for (uint32_t tags = cases_one_in(c, 3) ? cases_below(c, 4) : 0; tags; tags--, at += 4) {
    shunt_store_be16(frame + at, (uint16_t)CASES_OF(c, 0x8100, 0x8100, 0x88a8));
    shunt_store_be16(frame + at + 2,
                     (uint16_t)(cases_below(c, 2) << 13 | CASES_OF(c, 5, 6, 0, 7, 4095)));
  }
  uint32_t type = CASES_OF(c, 0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x86dd, 0x0806, 0x88f7, 60);
  shunt_store_be16(frame + at, (uint16_t)type);
  at += 2;
  bool swapped = cases_one_in(c, 30);
  if (type == (swapped ? 0x86ddu : 0x0800u))
    at += cases_ipv4(c, frame + at);
  else if (type == (swapped ? 0x0800u : 0x86ddu))
    at += cases_ipv6(c, frame + at);
  else
    at += cases_l4(c, frame + at);
  if (cases_one_in(c, 6))
    at = cases_below(c, at + 1);
  else if (cases_one_in(c, 6))
    frame[cases_below(c, at)] = (uint8_t)cases_byte(c);
  else if (cases_one_in(c, 4) && at > 12)
    shunt_store_be16(frame + 12 + 2 * cases_below(c, (at - 12) / 2),
                     (uint16_t)CASES_OF(c, CASES_WORDS));
  else if (cases_one_in(c, 6))
    for (uint32_t padding = cases_below(c, 20); padding; padding--)
      frame[at++] = 17;
  return at;
}

/* ---- judgement ---- */

/* Kinds of programs: first what most filters' are. */
#define CASES_KINDS 2u
static const struct program_options cases_kinds[CASES_KINDS] = {
    {.lanes = 1, .subtracts = true},
    {.lanes = MACHINE_LANES},
};

/* The program of rules, whose slots are their places + 1.
 *
 * kind  below CASES_KINDS */
static inline int cases_program(struct program *program, unsigned kind,
                                const struct shunt_xdp_rule rules[], unsigned n,
                                struct shunt_error *error)
{
  struct program_rule *list = calloc(n + 1, sizeof(*list));

  for (unsigned i = 0; i < n; i++)
    list[i] = (struct program_rule){.rule = &rules[i], .slot = (uint16_t)(i + 1)};
  int result = program_make(program, &cases_kinds[kind], list, n, error);
  free(list);
  return result;
}

/* NULL where the machine does with a frame what the reference says; else what is wrong. The frame
 * has MACHINE_HEADROOM bytes before it. */
static inline const char *cases_judge(struct machine *m, const struct shunt_xdp_rule rules[],
                                      unsigned n, uint8_t *frame, uint32_t bytes)
{
  int place = reference_match(rules, n, frame, bytes);
  uint32_t wanted = XDP_PASS;
  struct program_hits before = {0};

  if (place >= 0) {
    before = program_hits_sum(m->hits, MACHINE_LANES, (uint16_t)(place + 1));
    wanted = rules[place].action == SHUNT_XDP_USER   ? XDP_REDIRECT
             : rules[place].action == SHUNT_XDP_DROP ? XDP_DROP
                                                     : XDP_PASS;
  }
  m->frame = frame;
  m->bytes = bytes;
  uint32_t verdict = machine_run(m);
  if (m->fault[0])
    return m->fault;
  if (verdict != wanted)
    return "another verdict than the reference's";
  if (place >= 0) {
    struct program_hits after = program_hits_sum(m->hits, MACHINE_LANES, (uint16_t)(place + 1));
    if (after.packets != before.packets + 1 || after.bytes != before.bytes + bytes)
      return "another rule than the reference's";
  }
  if (wanted == XDP_REDIRECT && m->redirected != 1 + (uint64_t)m->queue)
    return "redirected to another queue";
  return NULL;
}

#endif
