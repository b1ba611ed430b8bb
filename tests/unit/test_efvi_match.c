/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames a filter takes, against the plain matcher of AF_XDP's rules: a frame that the rule
 * of a filter takes from the kernel is the filter's, and no other. Tags, options, extension headers
 * and fragments of all kinds, each in memory that ends with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <etherfabric/vi.h>

#include "src/efvi/path.h"
#include "src/efvi/quick.h"
#include "tests/unit/xdp_cases.h"

enum kind { IP4_LOCAL, IP4_FULL, IP6_LOCAL, IP6_FULL, ETHER_TYPE, IP_PROTO, MAC, MAC_VLAN, KINDS };

/* A filter, and the rule that says the same. */
struct asked {
  ef_filter_spec spec;
  struct shunt_xdp_rule rule;
};

static void prefix_set(struct shunt_xdp_prefix *prefix, const void *address, uint8_t bytes)
{
  memcpy(prefix->address, address, bytes);
  prefix->bits = (uint8_t)(bytes * 8);
}

static void port_set(struct shunt_xdp_ports *ports, int port)
{
  ports->count = 1;
  ports->range[0].first = ports->range[0].last = (uint16_t)port;
}

static void rule_ip(struct shunt_xdp_rule *rule, const struct reference_packet *like, bool full)
{
  const uint8_t bytes = like->ip_version == 4 ? 4 : 16;
  rule->ip_version = (uint8_t)like->ip_version;
  rule->protocol = (uint8_t)like->protocol;
  prefix_set(&rule->destination, like->destination, bytes);
  port_set(&rule->destination_ports, like->destination_port);
  if (!full)
    return;
  prefix_set(&rule->source, like->source, bytes);
  port_set(&rule->source_ports, like->source_port);
}

/* What asks for a packet with that IP header, address and ports. Returns whether there can be. */
static bool ask_ip(struct asked *asked, enum kind kind, const struct reference_packet *like)
{
  const int to_port = htons((uint16_t)like->destination_port);
  const int from_port = htons((uint16_t)like->source_port);
  struct in6_addr to6, from6;
  unsigned to4, from4;
  if (like->ip_version != (kind < IP6_LOCAL ? 4 : 6) || !like->has_ports)
    return false;
  rule_ip(&asked->rule, like, kind == IP4_FULL || kind == IP6_FULL);
  if (kind < IP6_LOCAL) {
    memcpy(&to4, like->destination, 4);
    memcpy(&from4, like->source, 4);
    return !(kind == IP4_LOCAL
                 ? ef_filter_spec_set_ip4_local(&asked->spec, like->protocol, to4, to_port)
                 : ef_filter_spec_set_ip4_full(&asked->spec, like->protocol, to4, to_port, from4,
                                               from_port));
  }
  memcpy(&to6, like->destination, 16);
  memcpy(&from6, like->source, 16);
  return !(kind == IP6_LOCAL
               ? ef_filter_spec_set_ip6_local(&asked->spec, like->protocol, &to6, to_port)
               : ef_filter_spec_set_ip6_full(&asked->spec, like->protocol, &to6, to_port, &from6,
                                             from_port));
}

static bool ask_mac(struct asked *asked, enum kind kind, const struct reference_packet *like)
{
  const bool tagged = kind == MAC_VLAN;
  if (tagged && like->vlan < 0)
    return false;
  asked->rule.mac = SHUNT_XDP_MAC_ADDRESS;
  memcpy(asked->rule.mac_address.bytes, like->mac, 6);
  asked->rule.vlan = tagged ? SHUNT_XDP_VLAN_ID : SHUNT_XDP_VLAN_WHATEVER;
  asked->rule.vlan_id = (uint16_t)(tagged ? like->vlan : 0);
  return !ef_filter_spec_set_eth_local(&asked->spec, tagged ? like->vlan : EF_FILTER_VLAN_ID_ANY,
                                       like->mac);
}

/* A filter of that kind that takes such a packet; in its VLAN, too, where in_vlan. */
static bool ask(struct asked *asked, enum kind kind, const struct reference_packet *like,
                bool in_vlan)
{
  *asked = (struct asked){.rule = {.size = sizeof(asked->rule)}};
  ef_filter_spec_init(&asked->spec, EF_FILTER_FLAG_NONE);
  if (!like->whole || (like->ip_version && like->protocol < 0))
    return false;
  if (kind >= MAC)
    return ask_mac(asked, kind, like);
  if (kind == ETHER_TYPE) {
    asked->rule.ethertype = (uint16_t)like->ethertype;
    if (like->ethertype < 0x600 ||
        ef_filter_spec_set_eth_type(&asked->spec, htons((uint16_t)like->ethertype)))
      return false;
  } else if (kind == IP_PROTO) {
    asked->rule.ip_version = 4;
    asked->rule.protocol = (uint8_t)like->protocol;
    if (like->protocol < 1 || ef_filter_spec_set_ip_proto(&asked->spec, (uint8_t)like->protocol))
      return false;
  } else if (!ask_ip(asked, kind, like))
    return false;
  if (!in_vlan || like->vlan < 0)
    return true;
  asked->rule.vlan = SHUNT_XDP_VLAN_ID;
  asked->rule.vlan_id = (uint16_t)like->vlan;
  return !ef_filter_spec_set_vlan(&asked->spec, like->vlan);
}

static void filter_is(struct efvi_vi *vi, const struct asked *asked)
{
  struct shunt_error error = {0};
  struct efvi_filter *filter = &vi->filters.list[0];
  assert_int_equal(efvi_match_read(&asked->spec, true, &filter->match, &error), 0);
  vi->filters.fields = filter->match.fields;
  efvi_quick_update(&vi->filters);
}

/* What polls in line look at. */
static bool quick(const struct efvi_vi *vi, const uint8_t *frame, uint32_t bytes)
{
  const struct efvi_quick *words = &vi->filters.quick;
  const bool first = quick_match(words, frame, bytes) || quick_match_long(words, frame, bytes);
  const bool found = local_match(&vi->filters, frame, bytes);
  assert_true(!found || first); /* there is but one */
  return first;
}

/* Returns whether it is taken. */
static bool judge(const struct efvi_vi *vi, const struct asked *asked, const uint8_t *made,
                  uint32_t bytes)
{
  uint8_t *frame = malloc(bytes ? bytes : 1);
  assert_non_null(frame);
  memcpy(frame, made, bytes);
  const int taken = efvi_match_any(vi, frame, bytes);
  const int right = reference_match(&asked->rule, 1, frame, bytes);
  if (taken != right) {
    char text[SHUNT_XDP_RULE_TEXT_BYTES];
    shunt_xdp_rule_format(&asked->rule, text, sizeof(text));
    for (uint32_t i = 0; i < bytes; i++)
      print_error("%02x", frame[i]);
    fail_msg(": \"%s\" says %d, and the filter %d", text, right, taken);
  }
  /* Nobody sends what is cut off behind a tag, or says to be shorter than its headers: to look
   * would cost each frame something. */
  const struct reference_packet packet = reference_read(made, bytes);
  if (quick(vi, made, bytes) && taken && packet.whole && packet.has_ports) {
    for (uint32_t i = 0; i < bytes; i++)
      print_error("%02x", frame[i]);
    fail_msg(" is taken by its words alone");
  }
  free(frame);
  return taken == 0;
}

static void as_the_rules_say(void **state)
{
  struct cases c = {.seed = 20261121};
  struct efvi_vi *vi = calloc(1, sizeof(*vi));
  unsigned asked_for[KINDS] = {0}, taken[KINDS] = {0}, quickly[KINDS] = {0};
  (void)state;
  assert_non_null(vi);
  vi->filters.count = 1;
  vi->filters.list[0].used = true;
  for (unsigned round = 0; round < 60000; round++) {
    uint8_t like[CASES_FRAME_BYTES], frame[CASES_FRAME_BYTES];
    struct asked asked;
    const enum kind kind = round % KINDS;
    const uint32_t like_bytes = cases_frame(&c, like);
    const struct reference_packet packet = reference_read(like, like_bytes);
    if (!ask(&asked, kind, &packet, cases_one_in(&c, 2)))
      continue;
    asked_for[kind]++;
    filter_is(vi, &asked);
    judge(vi, &asked, like, like_bytes);
    quickly[kind] += quick(vi, like, like_bytes);
    judge(vi, &asked, like, cases_below(&c, like_bytes + 1)); /* cut off */
    for (unsigned i = 0; i < 4; i++) {
      const uint32_t bytes = cases_frame(&c, frame);
      taken[kind] += judge(vi, &asked, frame, bytes);
    }
  }
  /* It is worth something only if there were many of each, and frames that were not its own. */
  for (unsigned kind = 0; kind < KINDS; kind++)
    if (asked_for[kind] < 300 || (kind >= ETHER_TYPE && kind < MAC && taken[kind] < 100))
      fail_msg("kind %u: %u filters, %u others' frames", kind, asked_for[kind], taken[kind]);
  assert_true(quickly[IP4_LOCAL] >= 100 && quickly[IP4_FULL] >= 100 && quickly[MAC] >= 100);
  free(vi);
}

/* --- Two ----------------------------------------------------------------------------------------
 */

/* Which of the first n filters of the list takes it, those not in `mask` left out. */
static int taken_by(struct efvi_vi *vi, unsigned mask, const uint8_t *frame, uint32_t bytes)
{
  struct efvi_filters *filters = &vi->filters;
  filters->count = filters->fields = filters->rank = 0;
  for (unsigned i = 0; i < 2; i++) {
    struct efvi_filter *filter = &filters->list[i];
    filter->used = mask >> i & 1;
    filter->rank = efvi_match_rank(&filter->match);
    if (!filter->used)
      continue;
    filters->count++;
    filters->fields |= filter->match.fields;
    filters->rank = filter->rank > filters->rank ? filter->rank : filters->rank;
  }
  return efvi_match_any(vi, frame, bytes);
}

/* Of two that match a frame the higher takes it, and two of one rank are the same. Such overlap. */
static void the_more_specific_one_takes_it(void **state)
{
  struct cases c = {.seed = 20261123};
  struct efvi_vi *vi = calloc(1, sizeof(*vi));
  struct shunt_error error;
  unsigned both = 0, higher = 0, apart = 0;
  (void)state;
  assert_non_null(vi);
  struct efvi_filter *const list = vi->filters.list;
  for (unsigned round = 0; round < 100000; round++) {
    uint8_t frame[CASES_FRAME_BYTES], other[CASES_FRAME_BYTES];
    const uint32_t bytes = cases_frame(&c, frame), other_bytes = cases_frame(&c, other);
    const struct reference_packet packet = reference_read(frame, bytes);
    const struct reference_packet second =
        cases_one_in(&c, 3) ? reference_read(other, other_bytes) : packet;
    struct asked asked[2];
    if (!ask(&asked[0], cases_below(&c, KINDS), &packet, cases_one_in(&c, 2)) ||
        !ask(&asked[1], cases_below(&c, KINDS), &second, cases_one_in(&c, 2)))
      continue;
    for (unsigned i = 0; i < 2; i++)
      assert_int_equal(efvi_match_read(&asked[i].spec, true, &list[i].match, &error), 0);
    const bool overlap = efvi_match_overlaps(&list[0].match, &list[1].match);
    assert_int_equal(efvi_match_overlaps(&list[1].match, &list[0].match), overlap);
    apart += !overlap;
    if (taken_by(vi, 1, frame, bytes) != 0 || taken_by(vi, 2, frame, bytes) != 1)
      continue;
    both++;
    assert_true(overlap);
    const int taken = taken_by(vi, 3, frame, bytes);
    if (list[0].rank == list[1].rank)
      assert_memory_equal(&list[0].match, &list[1].match, sizeof(list[0].match));
    else
      assert_int_equal(taken, list[1].rank > list[0].rank);
    higher += taken == 1;
  }
  assert_true(both > 5000 && higher > 1000 && apart > 1000);
  free(vi);
}

/* --- Many ---------------------------------------------------------------------------------------
 */

static void frame_of(const struct efvi_match *match, uint8_t frame[60])
{
  memset(frame, 0x5A, 60);
  frame[12] = 0x08;
  frame[13] = 0x00;
  frame[14] = 0x45;
  frame[20] = 0x40; /* not to be fragmented */
  frame[21] = 0;
  frame[23] = match->protocol;
  memcpy(frame + 30, match->destination, 4);
  memcpy(frame + 36, &match->destination_port, 2);
}

/* Of 1024 filters for addresses and ports, some go and others come: those that are there are found,
 * whatever else lies in their places. */
static void many_come_and_go(void **state)
{
  struct cases c = {.seed = 20261122};
  struct efvi_filters *filters = calloc(1, sizeof(*filters));
  unsigned found = 0;
  (void)state;
  assert_non_null(filters);
  for (unsigned i = 0; i < EFVI_FILTERS; i++) {
    struct efvi_match *match = &filters->list[i].match;
    match->fields = EFVI_MATCH_IP4 | EFVI_MATCH_PROTOCOL;
    match->protocol = i & 1 ? IPPROTO_TCP : IPPROTO_UDP;
    match->destination[0] = 239;
    match->destination[3] = (uint8_t)(i >> 4);
    match->destination_port = htons((uint16_t)(5000 + i % 16 / 2));
  }
  for (unsigned round = 0; round < 50; round++) {
    for (unsigned i = 0; i < EFVI_FILTERS; i++)
      filters->list[i].used = round == 1 || (round > 1 && cases_one_in(&c, 1 + round % 4));
    efvi_quick_update(filters);
    for (unsigned i = 0; i < EFVI_FILTERS; i++) {
      uint8_t frame[60];
      frame_of(&filters->list[i].match, frame);
      assert_int_equal(local_match(filters, frame, 60), filters->list[i].used);
      found += filters->list[i].used;
      frame[i & 1 ? 14 : 20] ^= 1; /* options, or a fragment */
      assert_false(local_match(filters, frame, 60));
      assert_false(local_match(filters, frame, 37));
    }
  }
  assert_true(found > 20000);
  free(filters);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_rules_say),
                                     cmocka_unit_test(the_more_specific_one_takes_it),
                                     cmocka_unit_test(many_come_and_go)};
  return cmocka_run_group_tests_name("efvi_match", tests, NULL, NULL);
}
