/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow director (datasheet 7.1.2.7): filters in a hash table, each found through one command
 * register.
 *
 * What is hashed and compared is a stream of 11 dwords, in the layout that drivers use to compute
 * the same hash: pool, flow type and VLAN; destination and source address (IPv4 in the first of
 * four dwords each); ports; flexible word. It is kept in host order here.
 *
 * A perfect filter matches where the masked streams are equal, but is looked for only in the bucket
 * of the frame's hash: a driver that computes another hash than the chip has a filter that never
 * matches. A signature filter matches where both hashes are equal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/ethernet.h"
#include "twin/ixgbe/rx.h"

#define STREAM_DWORDS 11u
#define STREAM_TO     1u
#define STREAM_FROM   5u
#define STREAM_PORTS  9u
#define STREAM_FLEX   10u

#define FILTERS_MAX   32768u
#define BUCKETS_MAX   32768u
#define FLOW_IPV6     4u
#define NONE          0u /* of links: they count from 1 */
#define IDENTITY      (IXGBE_FDIRHASH_HASH | IXGBE_FDIRHASH_SIG_SW_INDEX)
#define VLAN_PRIORITY 0xE000u

struct filter {
  uint32_t identity; /* bucket hash, and software index or signature, as in FDIRHASH */
  uint32_t command;
  uint32_t stream[STREAM_DWORDS]; /* perfect filters only */
  uint16_t next;
};

struct twin_ixgbe_steer {
  struct twin_ixgbe_rss rss;
  bool is_perfect;
  uint32_t bucket_mask;
  uint32_t capacity, used;
  uint16_t free; /* first of the list of filters not in use */
  struct filter *filters;
  uint16_t buckets[BUCKETS_MAX];
};

struct twin_ixgbe_rss *twin_ixgbe_steer_rss(struct twin_ixgbe *twin)
{
  return &twin->steer->rss;
}

/* ---- The stream and its hash ---- */

static uint32_t reverse16(uint32_t value)
{
  uint32_t reversed = 0;
  for (unsigned bit = 0; bit < 16; bit++)
    reversed |= (value >> bit & 1) << (15 - bit);
  return reversed;
}

/* The bits of source and destination port that are compared. The masks' bits run the other way. */
static uint32_t port_mask(const struct twin_ixgbe *twin, uint32_t l4_type)
{
  uint32_t masked;
  if (l4_type == IXGBE_FDIR_L4TYPE_TCP)
    masked = twin_ixgbe_get(twin, IXGBE_FDIRTCPM);
  else if (l4_type == IXGBE_FDIR_L4TYPE_UDP)
    masked = twin_ixgbe_get(twin, IXGBE_FDIRUDPM);
  else
    return 0; /* the 82599 compares no ports of SCTP */
  return ~(reverse16(masked & 0xFFFF) << 16 | reverse16(masked >> 16));
}

/* Clear what the mask registers exclude (8.2.3.21.11 - .17). */
static void stream_mask(const struct twin_ixgbe *twin, uint32_t stream[STREAM_DWORDS])
{
  uint32_t masked = twin_ixgbe_get(twin, IXGBE_FDIRM);
  uint32_t l4_type = stream[0] >> 16 & 3;
  bool is_ipv6 = stream[0] >> 16 & FLOW_IPV6;
  uint32_t kept = FLOW_IPV6 << 16;
  kept |= masked & IXGBE_FDIRM_VLANID ? 0 : SHUNT_VLAN_ID_MASK;
  kept |= masked & IXGBE_FDIRM_VLANP ? 0 : VLAN_PRIORITY;
  kept |= masked & IXGBE_FDIRM_POOL ? 0 : 0xFF000000u;
  kept |= masked & IXGBE_FDIRM_L4P ? 0 : 3u << 16;
  stream[0] &= kept;
  stream[STREAM_PORTS] &= masked & IXGBE_FDIRM_L4P ? 0 : port_mask(twin, l4_type);
  if (masked & IXGBE_FDIRM_FLEX)
    stream[STREAM_FLEX] = 0;
  if (!is_ipv6) {
    stream[STREAM_TO] &= ~__builtin_bswap32(twin_ixgbe_get(twin, IXGBE_FDIRDIP4M));
    stream[STREAM_FROM] &= ~__builtin_bswap32(twin_ixgbe_get(twin, IXGBE_FDIRSIP4M));
    return;
  }
  /* One bit for a byte: source in bits 15:0, destination in 31:16 (8.2.3.21.17). */
  uint32_t bytes = twin_ixgbe_get(twin, IXGBE_FDIRIP6M);
  for (unsigned i = 0; i < 16; i++) {
    uint32_t byte = 0xFF000000u >> 8 * (i % 4);
    if (bytes >> i & 1)
      stream[STREAM_FROM + i / 4] &= ~byte;
    if (bytes >> (16 + i) & 1 || masked & IXGBE_FDIRM_DIPV6)
      stream[STREAM_TO + i / 4] &= ~byte;
  }
}

static uint32_t flow_type(const struct twin_ixgbe_packet *packet)
{
  uint32_t type = packet->type_bits & IXGBE_RXD_TYPE_IPV6 ? FLOW_IPV6 : 0;
  if (packet->type_bits & IXGBE_RXD_TYPE_TCP)
    return type | IXGBE_FDIR_L4TYPE_TCP;
  if (packet->type_bits & IXGBE_RXD_TYPE_UDP)
    return type | IXGBE_FDIR_L4TYPE_UDP;
  if (packet->type_bits & IXGBE_RXD_TYPE_SCTP)
    return type | IXGBE_FDIR_L4TYPE_SCTP;
  return type;
}

static void stream_of_packet(const struct twin_ixgbe *twin, const struct twin_ixgbe_packet *packet,
                             unsigned pool, uint32_t stream[STREAM_DWORDS])
{
  const uint8_t *ip = packet->frame + packet->ip_at;
  uint32_t type = flow_type(packet);
  unsigned words = 1;
  unsigned from = 12;
  if (type & FLOW_IPV6) {
    words = 4;
    from = 8;
  }
  memset(stream, 0, STREAM_DWORDS * sizeof(*stream));
  stream[0] = pool << 24 | type << 16 | (packet->is_tagged ? packet->vlan : 0);
  for (unsigned i = 0; i < words; i++) {
    stream[STREAM_FROM + i] = shunt_load_be32(ip + from + 4 * i);
    stream[STREAM_TO + i] = shunt_load_be32(ip + from + 4 * (words + i));
  }
  if (type & 3)
    stream[STREAM_PORTS] = shunt_load_be32(packet->frame + packet->l4_at);
  uint32_t flex = 2 * HW_GET(IXGBE_FDIRCTRL_FLEX_OFFSET, twin_ixgbe_get(twin, IXGBE_FDIRCTRL));
  if (flex + 2 <= packet->bytes)
    stream[STREAM_FLEX] = (uint32_t)shunt_load_be16(packet->frame + flex) << 16;
  stream_mask(twin, stream);
}

/* The same from the registers of a filter being added (8.2.3.21.4 - .9): addresses and flexible
 * word as they lie in a frame, ports and VLAN as numbers. */
static void stream_of_registers(const struct twin_ixgbe *twin, uint32_t command,
                                uint32_t stream[STREAM_DWORDS])
{
  uint32_t ports = twin_ixgbe_get(twin, IXGBE_FDIRPORT);
  uint32_t vlan = twin_ixgbe_get(twin, IXGBE_FDIRVLAN);
  uint32_t type = HW_GET(IXGBE_FDIRCMD_L4TYPE, command);
  memset(stream, 0, STREAM_DWORDS * sizeof(*stream));
  if (command & IXGBE_FDIRCMD_IPV6) {
    type |= FLOW_IPV6;
    for (unsigned i = 0; i < 3; i++)
      stream[STREAM_FROM + i] = __builtin_bswap32(twin_ixgbe_get(twin, IXGBE_FDIRSIPV6(i)));
    stream[STREAM_FROM + 3] = __builtin_bswap32(twin_ixgbe_get(twin, IXGBE_FDIRIPSA));
  } else {
    stream[STREAM_FROM] = __builtin_bswap32(twin_ixgbe_get(twin, IXGBE_FDIRIPSA));
    stream[STREAM_TO] = __builtin_bswap32(twin_ixgbe_get(twin, IXGBE_FDIRIPDA));
  }
  stream[0] =
      HW_GET(IXGBE_FDIRCMD_VT_POOL, command) << 24 | type << 16 | HW_GET(IXGBE_FDIRVLAN_VLAN, vlan);
  stream[STREAM_PORTS] =
      HW_GET(IXGBE_FDIRPORT_SOURCE, ports) << 16 | HW_GET(IXGBE_FDIRPORT_DESTINATION, ports);
  uint16_t flex = __builtin_bswap16((uint16_t)HW_GET(IXGBE_FDIRVLAN_FLEX, vlan));
  stream[STREAM_FLEX] = (uint32_t)flex << 16;
  stream_mask(twin, stream);
}

/* 7.1.2.7.2: the stream folded to two dwords, and of each the shifts that the key's bits choose.
 * Pool, type and VLAN come in twice, but not under the lowest bit of the low dword. */
static uint32_t stream_hash(const uint32_t stream[STREAM_DWORDS], uint32_t key)
{
  uint32_t first = stream[0];
  uint32_t high = 0;
  for (unsigned i = 1; i < STREAM_DWORDS; i++)
    high ^= stream[i];
  uint32_t low = high >> 16 | high << 16;
  high ^= first ^ first >> 16;
  uint32_t hash = 0;
  for (unsigned bit = 0; bit < 16; bit++) {
    if (key >> bit & 1)
      hash ^= low >> bit;
    if (key >> (16 + bit) & 1)
      hash ^= high >> bit;
    if (bit == 0)
      low ^= first ^ first << 16;
  }
  return hash & IXGBE_FDIRHASH_HASH;
}

/* ---- The table ---- */

static void table_clear(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_steer *steer = twin->steer;
  memset(steer->buckets, 0, sizeof(steer->buckets));
  steer->used = 0;
  steer->free = steer->capacity ? 1 : NONE;
  for (uint32_t i = 0; i < steer->capacity; i++)
    steer->filters[i].next = (uint16_t)(i + 1 < steer->capacity ? i + 2 : NONE);
  twin_ixgbe_set(twin, IXGBE_FDIRFREE, HW_FIELD(IXGBE_FDIRFREE_FREE, steer->capacity));
}

/* Tables 7-6, 7-7: of the 64, 128 or 256 KiB that PBALLOC takes from the packet buffer, a quarter
 * as many filters are perfect as are signatures; two are kept by the chip. */
static bool table_create(struct twin_ixgbe *twin, uint32_t fdirctrl)
{
  struct twin_ixgbe_steer *steer = twin->steer;
  uint32_t size = HW_GET(IXGBE_FDIRCTRL_PBALLOC, fdirctrl);
  steer->is_perfect = fdirctrl & IXGBE_FDIRCTRL_PERFECT_MATCH;
  steer->capacity = 0;
  if (size) {
    uint32_t filters = (steer->is_perfect ? 1024u : 4096u) << size;
    if (!steer->filters)
      steer->filters = calloc(FILTERS_MAX, sizeof(*steer->filters));
    if (!steer->filters)
      return false;
    steer->bucket_mask = filters - 1;
    steer->capacity = filters - 2;
  }
  table_clear(twin);
  return size != 0;
}

/* The link that leads to the filter of that identity, or to the end of its bucket. */
static uint16_t *table_find(struct twin_ixgbe_steer *steer, uint32_t identity)
{
  uint16_t *link = &steer->buckets[identity & IXGBE_FDIRHASH_HASH & steer->bucket_mask];
  while (*link != NONE && steer->filters[*link - 1].identity != identity)
    link = &steer->filters[*link - 1].next;
  return link;
}

/* Add to a counter of the flow director's own, which stays at its maximum. */
static void count_in(struct twin_ixgbe *twin, uint32_t offset, uint32_t mask)
{
  uint32_t value = twin_ixgbe_get(twin, offset);
  if ((value & mask) != mask)
    twin_ixgbe_set(twin, offset, value + HW_LOWEST(mask));
}

static void table_add(struct twin_ixgbe *twin, uint32_t identity, uint32_t command)
{
  struct twin_ixgbe_steer *steer = twin->steer;
  uint16_t *link = table_find(steer, identity);
  bool is_new = *link == NONE;
  if ((is_new && steer->free == NONE) || (!is_new && !(command & IXGBE_FDIRCMD_FILTER_UPDATE))) {
    count_in(twin, IXGBE_FDIRFSTAT, IXGBE_FDIRFSTAT_FADD);
    return;
  }
  if (is_new) {
    *link = steer->free;
    steer->free = steer->filters[*link - 1].next;
    steer->filters[*link - 1].next = NONE;
    steer->used++;
  }
  struct filter *filter = &steer->filters[*link - 1];
  filter->identity = identity;
  filter->command = command;
  if (steer->is_perfect)
    stream_of_registers(twin, command, filter->stream);
  count_in(twin, IXGBE_FDIRUSTAT, IXGBE_FDIRUSTAT_ADD);
  uint32_t left = steer->capacity - steer->used;
  uint32_t control = twin_ixgbe_get(twin, IXGBE_FDIRCTRL);
  if (is_new && left == 16 * HW_GET(IXGBE_FDIRCTRL_FULL_THRESH, control))
    twin_ixgbe_interrupt_cause(twin, IXGBE_EICR_FLOW_DIR);
}

static void table_remove(struct twin_ixgbe *twin, uint32_t identity)
{
  struct twin_ixgbe_steer *steer = twin->steer;
  uint16_t *link = table_find(steer, identity);
  if (*link == NONE) {
    count_in(twin, IXGBE_FDIRFSTAT, IXGBE_FDIRFSTAT_FREMOVE);
    return;
  }
  uint16_t gone = *link;
  *link = steer->filters[gone - 1].next;
  steer->filters[gone - 1].next = steer->free;
  steer->free = gone;
  steer->used--;
  count_in(twin, IXGBE_FDIRUSTAT, IXGBE_FDIRUSTAT_REMOVE);
}

/* ---- Registers ---- */

static uint32_t query(struct twin_ixgbe *twin, uint32_t identity, uint32_t command)
{
  uint16_t *link = table_find(twin->steer, identity);
  if (*link == NONE)
    return command & ~IXGBE_FDIRCMD_FILTER_VALID;
  return twin->steer->filters[*link - 1].command | IXGBE_FDIRCMD_FILTER_VALID;
}

/* Run a command at once: CMD reads 0 when the driver looks. Returns FDIRCMD as it reads then. */
static uint32_t run_command(struct twin_ixgbe *twin, uint32_t command)
{
  uint32_t identity = twin_ixgbe_get(twin, IXGBE_FDIRHASH) & IDENTITY;
  if (command & IXGBE_FDIRCMD_CLEARHT)
    table_clear(twin);
  if (!twin->steer->capacity)
    return command & ~IXGBE_FDIRCMD_CMD;
  switch (HW_GET(IXGBE_FDIRCMD_CMD, command)) {
  case IXGBE_FDIRCMD_ADD_FLOW:
    table_add(twin, identity, command);
    break;
  case IXGBE_FDIRCMD_REMOVE_FLOW:
    table_remove(twin, identity);
    break;
  case IXGBE_FDIRCMD_QUERY_FILTER:
    command = query(twin, identity, command);
    break;
  default:
    break;
  }
  twin_ixgbe_set(twin, IXGBE_FDIRFREE,
                 HW_FIELD(IXGBE_FDIRFREE_FREE, twin->steer->capacity - twin->steer->used));
  return command & ~IXGBE_FDIRCMD_CMD;
}

bool twin_ixgbe_flow_director_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  if (offset == IXGBE_FDIRCTRL) {
    bool is_done = table_create(twin, value);
    value &= ~IXGBE_FDIRCTRL_INIT_DONE;
    value |= is_done ? IXGBE_FDIRCTRL_INIT_DONE : 0;
  } else if (offset == IXGBE_FDIRCMD) {
    value = run_command(twin, value);
  } else if (offset == IXGBE_FDIRFREE || offset == IXGBE_FDIRLEN || offset == IXGBE_FDIRUSTAT ||
             offset == IXGBE_FDIRFSTAT) {
    return true; /* drivers write 0 to FDIRFREE; the chip counts for itself */
  }
  twin_ixgbe_set(twin, offset, value);
  return true;
}

bool twin_ixgbe_flow_director_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value)
{
  *value = twin_ixgbe_get(twin, offset);
  if (offset == IXGBE_FDIRUSTAT || offset == IXGBE_FDIRFSTAT || offset == IXGBE_FDIRLEN)
    twin_ixgbe_set(twin, offset, 0);
  return true;
}

/* ---- Frames ---- */

static const struct filter *match_perfect(struct twin_ixgbe_steer *steer,
                                          const uint32_t stream[STREAM_DWORDS], uint32_t hash)
{
  for (uint16_t link = steer->buckets[hash & steer->bucket_mask]; link != NONE;
       link = steer->filters[link - 1].next) {
    const struct filter *filter = &steer->filters[link - 1];
    if (memcmp(filter->stream, stream, sizeof(filter->stream)) == 0)
      return filter;
  }
  return NULL;
}

static const struct filter *match_signature(struct twin_ixgbe_steer *steer, uint32_t hash,
                                            uint32_t signature)
{
  uint32_t identity = hash | HW_FIELD(IXGBE_FDIRHASH_SIG_SW_INDEX, signature);
  uint16_t link = *table_find(steer, identity);
  return link == NONE ? NULL : &steer->filters[link - 1];
}

/* 7.1.6.2: the software index or signature in the low half, the bucket hash in the high one. */
static void report(struct twin_ixgbe_steering *steering, uint32_t low, uint32_t hash)
{
  steering->rss_type = IXGBE_RSS_TYPE_FDIR;
  steering->hash = hash << 16 | low;
}

bool twin_ixgbe_flow_director_match(struct twin_ixgbe *twin, const struct twin_ixgbe_packet *packet,
                                    unsigned pool, struct twin_ixgbe_steering *steering)
{
  struct twin_ixgbe_steer *steer = twin->steer;
  if (!packet->ip_bytes || !steer->capacity)
    return false;
  uint32_t stream[STREAM_DWORDS];
  stream_of_packet(twin, packet, pool, stream);
  uint32_t control = twin_ixgbe_get(twin, IXGBE_FDIRCTRL);
  uint32_t hash = stream_hash(stream, twin_ixgbe_get(twin, IXGBE_FDIRHKEY));
  uint32_t signature = 0;
  const struct filter *filter;
  if (steer->is_perfect) {
    filter = match_perfect(steer, stream, hash);
  } else {
    signature = stream_hash(stream, twin_ixgbe_get(twin, IXGBE_FDIRSKEY));
    filter = match_signature(steer, hash, signature);
  }
  twin_ixgbe_count(twin, filter ? IXGBE_FDIRMATCH : IXGBE_FDIRMISS, 1);
  if (!filter) {
    if (control & IXGBE_FDIRCTRL_REPORT_ALWAYS)
      report(steering, signature, hash);
    return false;
  }
  steering->status |= IXGBE_RXD_STAT_FLM;
  if (control & (IXGBE_FDIRCTRL_REPORT_STATUS | IXGBE_FDIRCTRL_REPORT_ALWAYS))
    report(steering, HW_GET(IXGBE_FDIRHASH_SIG_SW_INDEX, filter->identity), hash);
  steering->is_dropped = filter->command & IXGBE_FDIRCMD_DROP;
  if (filter->command & IXGBE_FDIRCMD_QUEUE_EN)
    steering->queue = HW_GET(IXGBE_FDIRCMD_RX_QUEUE, filter->command);
  return true;
}

int twin_ixgbe_steer_create(struct twin_ixgbe *twin)
{
  twin->steer = calloc(1, sizeof(*twin->steer));
  return twin->steer ? 0 : -ENOMEM;
}

void twin_ixgbe_steer_destroy(struct twin_ixgbe *twin)
{
  if (twin->steer)
    free(twin->steer->filters);
  free(twin->steer);
  twin->steer = NULL;
}

void twin_ixgbe_steer_reset(struct twin_ixgbe *twin)
{
  twin->steer->capacity = twin->steer->used = 0;
  memset(&twin->steer->rss, 0, sizeof(twin->steer->rss)); /* a zero key, and its table */
}
