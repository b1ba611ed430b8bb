/* SPDX-License-Identifier: BSD-2-Clause */
/* What of an interface's filters can be decided by a few words of a frame (quick.h). */
#include "src/efvi/quick.h"

#include "src/efvi/path.h"

static void want(struct efvi_quick *quick, unsigned at, const void *value, const void *mask,
                 uint32_t bytes)
{
  for (unsigned word = 0; word < EFVI_QUICK_WORDS; word++) {
    const unsigned first = word_at[word];
    if (at < first || at + bytes > first + sizeof(uint64_t))
      continue;
    memcpy((uint8_t *)&quick->value[word] + (at - first), value, bytes);
    memcpy((uint8_t *)&quick->mask[word] + (at - first), mask, bytes);
    quick->more = quick->more || word >= USUAL_WORDS;
    return;
  }
}

static void want_all(struct efvi_quick *quick, unsigned at, const void *value, uint32_t bytes)
{
  static const uint8_t all[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
  want(quick, at, value, all, bytes);
}

/* The bytes that a filter asks for in an untagged frame, of IPv4 without options or fragments where
 * it asks for anything of IP (match.c has the general form). Returns whether there are such. */
static bool quick_read(struct efvi_quick *quick, const struct efvi_match *match)
{
  static const uint8_t ipv4[3] = {0x08, 0x00, 0x45}, none[2] = {0}, fragment[2] = {0x3F, 0xFF};
  static const uint8_t tag[2] = {0x81, 0x00}, service_tag[2] = {0x88, 0xA8}, group_bit = 1;
  const uint32_t fields = match->fields;
  const uint8_t is_group = fields & EFVI_MATCH_MULTICAST ? 1 : 0;
  *quick = (struct efvi_quick){.least = EFVI_FRAME_LEAST, .span = SHORT_BYTES - EFVI_FRAME_LEAST};
  if (fields & (EFVI_MATCH_VLAN | EFVI_MATCH_IP6 | EFVI_MATCH_NONE_OTHER | EFVI_MATCH_ALL |
                EFVI_MATCH_NOTHING) ||
      (fields & EFVI_MATCH_ETHERTYPE &&
       (!memcmp(&match->ethertype, tag, 2) || !memcmp(&match->ethertype, service_tag, 2))))
    return false;
  if (fields & (EFVI_MATCH_IP4 | EFVI_MATCH_PROTOCOL)) {
    quick->least = HEADERS_BYTES;
    quick->span = SHORT_BYTES - HEADERS_BYTES;
    want_all(quick, 12, ipv4, sizeof(ipv4));
  }
  if (fields & EFVI_MATCH_ETHERTYPE) {
    if (quick->least == HEADERS_BYTES &&
        memcmp(&match->ethertype, ipv4, sizeof(match->ethertype)) != 0)
      return false;
    want_all(quick, 12, &match->ethertype, sizeof(match->ethertype));
  }
  if (fields & EFVI_MATCH_PROTOCOL)
    want_all(quick, 23, &match->protocol, 1);
  if (fields & EFVI_MATCH_IP4) {
    want(quick, 20, none, fragment, sizeof(none));
    want_all(quick, 30, match->destination, 4);
    want_all(quick, 36, &match->destination_port, 2);
  }
  if (fields & EFVI_MATCH_SOURCE) {
    want_all(quick, 26, match->source, 4);
    want_all(quick, 34, &match->source_port, 2);
  }
  if (fields & EFVI_MATCH_MAC)
    want_all(quick, 0, match->mac, sizeof(match->mac));
  else if (fields & (EFVI_MATCH_UNICAST | EFVI_MATCH_MULTICAST))
    want(quick, 0, &is_group, &group_bit, 1);
  return true;
}

/* IPv4 with an address and a port of ours, and nothing else. */
static bool is_local(const struct efvi_match *match)
{
  return match->fields == (EFVI_MATCH_IP4 | EFVI_MATCH_PROTOCOL);
}

static void local_add(struct efvi_filters *filters, const struct efvi_match *match)
{
  const uint64_t key =
      local_key(match->destination, match->protocol, (const uint8_t *)&match->destination_port);
  size_t at = local_at(key);
  while (filters->locals[at])
    at = local_next(at);
  __atomic_store_n(&filters->locals[at], key, __ATOMIC_RELAXED);
  filters->local_count++;
}

/* Who polls meanwhile, and does not find what is there, asks the general way. */
static void locals_update(struct efvi_filters *filters)
{
  for (size_t at = 0; at < EFVI_LOCALS && filters->local_count; at++)
    __atomic_store_n(&filters->locals[at], 0, __ATOMIC_RELAXED);
  filters->local_count = 0;
  for (unsigned i = 0; i < EFVI_FILTERS; i++)
    if (filters->list[i].used && is_local(&filters->list[i].match))
      local_add(filters, &filters->list[i].match);
}

void efvi_quick_update(struct efvi_filters *filters)
{
  locals_update(filters);
  for (unsigned i = 0; i < EFVI_FILTERS; i++)
    if (filters->list[i].used && quick_read(&filters->quick, &filters->list[i].match))
      return;
  filters->quick = (struct efvi_quick){.least = UINT64_MAX}; /* takes none */
}
