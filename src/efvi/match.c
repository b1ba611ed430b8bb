/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a filter takes a frame. The device's own filters say which queue a frame goes to, and may
 * let more through (a hash of multicast addresses, a promiscuous port): this is what decides. */
#include <arpa/inet.h>
#include <string.h>

#include "shunt/xdp_rule.h"
#include "src/efvi/efvi.h"

/* What filters look at, as far as the frame has it; in network order but for the VLAN. */
struct key {
  const uint8_t *mac;
  int vlan; /* -1: no tag */
  uint16_t ethertype;
  int protocol; /* -1: no IP */
  uint8_t ip_bytes;
  const uint8_t *source, *destination;
  const uint8_t *ports; /* NULL: none, or of a fragment */
};

static uint16_t load(const uint8_t *at)
{
  uint16_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

static uint16_t be16(const uint8_t *at)
{
  return (uint16_t)(at[0] << 8 | at[1]);
}

/* Headers are read as the rules of AF_XDP read them (shunt/xdp_rule.h), which take the frames from
 * the kernel: what those let through is judged by the same. */
#define PORTS_BYTES                                                                                \
  8u /* of UDP's or TCP's header: as much has to be there for its ports to count */

static void read_ip4(struct key *key, const uint8_t *ip, uint32_t bytes)
{
  const uint32_t header = bytes < 20 ? 0 : (ip[0] & 15u) * 4;
  if (header < 20 || ip[0] >> 4 != 4 || header > bytes)
    return;
  key->protocol = ip[9];
  key->ip_bytes = 4;
  key->source = ip + 12;
  key->destination = ip + 16;
  if (!(be16(ip + 6) & 0x3FFF) && bytes >= header + PORTS_BYTES &&
      be16(ip + 2) >= header + PORTS_BYTES)
    key->ports = ip + header;
}

/* Whether an extension header is walked: hop-by-hop options, routing, destination options. */
static bool is_walked(uint8_t next)
{
  return next == 0 || next == 43 || next == 60;
}

#define IP6_FRAGMENT 44

static void read_ip6(struct key *key, const uint8_t *ip, uint32_t bytes)
{
  if (bytes < 40 || ip[0] >> 4 != 6)
    return;
  const uint32_t said = 40u + be16(ip + 4), end = said < bytes ? said : bytes;
  uint32_t at = 40;
  uint8_t next = ip[6];
  key->ip_bytes = 16;
  key->source = ip + 8;
  key->destination = ip + 24;
  for (unsigned walked = 0; is_walked(next); walked++) {
    if (walked == SHUNT_XDP_RULE_EXTENSIONS || at + 8 > end || at + (ip[at + 1] + 1u) * 8 > end)
      return;
    next = ip[at];
    at += (ip[at + 1] + 1u) * 8;
  }
  if (next == IP6_FRAGMENT) {
    key->protocol = at + 8 <= end ? ip[at] : -1;
    return;
  }
  key->protocol = next;
  if (at + PORTS_BYTES <= end)
    key->ports = ip + at;
}

static bool is_tag(uint16_t type)
{
  return type == 0x8100 || type == 0x88A8;
}

/* with_ip: what is behind the EtherType, too. */
static inline bool key_read(struct key *key, const uint8_t *frame, uint32_t bytes, bool with_ip)
{
  uint32_t l2 = 14;
  if (bytes < l2)
    return false;
  *key = (struct key){.mac = frame, .vlan = -1, .protocol = -1};
  for (; SHUNT_UNLIKELY(is_tag(be16(frame + l2 - 2))) && l2 < 22; l2 += 4) {
    if (bytes < l2 + 4)
      return false;
    if (l2 == 14)
      key->vlan = be16(frame + 14) & 0xFFF;
  }
  key->ethertype = load(frame + l2 - 2);
  if (!with_ip)
    return true;
  if (be16(frame + l2 - 2) == 0x0800)
    read_ip4(key, frame + l2, bytes - l2);
  else if (be16(frame + l2 - 2) == 0x86DD)
    read_ip6(key, frame + l2, bytes - l2);
  return true;
}

static bool match_ip(const struct efvi_match *match, const struct key *key)
{
  const size_t bytes = match->fields & EFVI_MATCH_IP6 ? 16 : 4;
  if (key->ip_bytes != bytes || !key->ports ||
      memcmp(key->destination, match->destination, bytes) != 0 ||
      load(key->ports + 2) != match->destination_port)
    return false;
  return !(match->fields & EFVI_MATCH_SOURCE) ||
         (memcmp(key->source, match->source, bytes) == 0 && load(key->ports) == match->source_port);
}

static inline bool match_one(const struct efvi_match *match, const struct key *key)
{
  const uint32_t fields = match->fields;
  if (SHUNT_UNLIKELY(fields & EFVI_MATCH_NOTHING))
    return false;
  if (fields & EFVI_MATCH_PROTOCOL && key->protocol != match->protocol)
    return false;
  if (fields & (EFVI_MATCH_IP4 | EFVI_MATCH_IP6) && !match_ip(match, key))
    return false;
  if (fields & EFVI_MATCH_MAC && memcmp(key->mac, match->mac, 6) != 0)
    return false;
  if (fields & EFVI_MATCH_VLAN && key->vlan != match->vlan)
    return false;
  if (fields & EFVI_MATCH_ETHERTYPE && key->ethertype != match->ethertype)
    return false;
  if (fields & EFVI_MATCH_UNICAST && key->mac[0] & 1)
    return false;
  return !(fields & EFVI_MATCH_MULTICAST) || key->mac[0] & 1;
}

#define WITH_IP (EFVI_MATCH_IP4 | EFVI_MATCH_IP6 | EFVI_MATCH_PROTOCOL)

static int match_filters(const struct efvi_filters *filters, const struct key *key, unsigned *rank)
{
  int best = EFVI_NO_FILTER;
  const unsigned count = __atomic_load_n(&filters->count, __ATOMIC_ACQUIRE);
  for (unsigned i = 0, seen = 0; seen < count && i < EFVI_FILTERS; i++) {
    const struct efvi_filter *filter = &filters->list[i];
    if (!__atomic_load_n(&filter->used, __ATOMIC_ACQUIRE))
      continue;
    seen++;
    if ((best != EFVI_NO_FILTER && filter->rank <= *rank) || !match_one(&filter->match, key))
      continue;
    best = (int)i;
    *rank = filter->rank;
    if (SHUNT_LIKELY(*rank >= __atomic_load_n(&filters->rank, __ATOMIC_RELAXED)))
      break;
  }
  return best;
}

int efvi_match_best(const struct efvi_vi *vi, const uint8_t *frame, uint32_t bytes, unsigned *rank)
{
  const struct efvi_filters *shared = vi->set ? &vi->set->filters : NULL;
  const uint32_t fields =
      vi->filters.fields | (shared ? __atomic_load_n(&shared->fields, __ATOMIC_RELAXED) : 0);
  struct key key;
  unsigned rank_of_set = 0;
  if (!fields || !key_read(&key, frame, bytes, fields & WITH_IP))
    return EFVI_NO_FILTER;
  const int found = match_filters(&vi->filters, &key, rank);
  const int of_set = shared ? match_filters(shared, &key, &rank_of_set) : EFVI_NO_FILTER;
  if (of_set == EFVI_NO_FILTER || (found != EFVI_NO_FILTER && *rank >= rank_of_set))
    return found;
  *rank = rank_of_set;
  return of_set + (int)EFVI_FILTERS;
}

int efvi_match_any(const struct efvi_vi *vi, const uint8_t *frame, uint32_t bytes)
{
  unsigned rank;
  return efvi_match_best(vi, frame, bytes, &rank);
}

/* --- Among each other ---------------------------------------------------------------------------
 */

/* By what is asked for, the first that one of them asks for alone. Two of one rank that match the
 * same frame are the same. */
uint8_t efvi_match_rank(const struct efvi_match *match)
{
  const uint32_t fields = match->fields;
  const bool is_all =
      fields & (EFVI_MATCH_UNICAST | EFVI_MATCH_MULTICAST) && !(fields & EFVI_MATCH_NONE_OTHER);
  return (uint8_t)((fields & EFVI_MATCH_SOURCE ? 64 : 0) |
                   (fields & (EFVI_MATCH_IP4 | EFVI_MATCH_IP6) ? 32 : 0) |
                   (fields & EFVI_MATCH_MAC ? 16 : 0) | (fields & EFVI_MATCH_PROTOCOL ? 8 : 0) |
                   (fields & EFVI_MATCH_ETHERTYPE ? 4 : 0) | (is_all ? 2 : 0) |
                   (fields & EFVI_MATCH_VLAN ? 1 : 0));
}

/* Which Ethernet addresses it can match, as the fields of all unicast and all multicast. */
static uint32_t kinds(const struct efvi_match *match)
{
  const uint32_t both = EFVI_MATCH_UNICAST | EFVI_MATCH_MULTICAST;
  if (match->fields & EFVI_MATCH_MAC)
    return match->mac[0] & 1 ? EFVI_MATCH_MULTICAST : EFVI_MATCH_UNICAST;
  return match->fields & both ? match->fields & both : both;
}

/* What is behind the Ethernet header; 0: not asked for. */
static uint16_t ethertype_of(const struct efvi_match *match)
{
  return match->fields & EFVI_MATCH_IP4   ? htons(0x0800)
         : match->fields & EFVI_MATCH_IP6 ? htons(0x86DD)
                                          : match->ethertype;
}

bool efvi_match_overlaps(const struct efvi_match *one, const struct efvi_match *other)
{
  const uint32_t both = one->fields & other->fields;
  const uint16_t types[2] = {ethertype_of(one), ethertype_of(other)};
  if ((one->fields | other->fields) & EFVI_MATCH_NOTHING || !(kinds(one) & kinds(other)) ||
      (types[0] && types[1] && types[0] != types[1]))
    return false;
  if ((both & EFVI_MATCH_MAC && memcmp(one->mac, other->mac, sizeof(one->mac)) != 0) ||
      (both & EFVI_MATCH_VLAN && one->vlan != other->vlan) ||
      (both & EFVI_MATCH_PROTOCOL && one->protocol != other->protocol))
    return false;
  if (both & (EFVI_MATCH_IP4 | EFVI_MATCH_IP6) &&
      (memcmp(one->destination, other->destination, sizeof(one->destination)) != 0 ||
       one->destination_port != other->destination_port))
    return false;
  return !(both & EFVI_MATCH_SOURCE) ||
         (memcmp(one->source, other->source, sizeof(one->source)) == 0 &&
          one->source_port == other->source_port);
}
