/* SPDX-License-Identifier: BSD-2-Clause */
/* By which queue a frame is received (datasheet 7.1.2): EtherType filters, then SYN and five-tuple
 * filters, then the flow director, then RSS inside the frame's pool or traffic class. */
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/ethernet.h"
#include "twin/ixgbe/rx.h"

#define L4_TYPES (IXGBE_RXD_TYPE_TCP | IXGBE_RXD_TYPE_UDP | IXGBE_RXD_TYPE_SCTP)
#define TCP_SYN  0x02u

/* ---- RSS ---- */

/* The Toeplitz hash (7.1.2.8.1) exclusive-ors, for every bit set in the input, the 32 bits of the
 * key that begin at that bit's place. Being linear, it can be looked up by half bytes. */
static void rss_build(struct twin_ixgbe_rss *rss)
{
  uint8_t key[IXGBE_RSS_KEY_BYTES + 4] = {0};
  for (unsigned i = 0; i < IXGBE_RSS_KEY_BYTES; i++)
    key[i] = (uint8_t)(rss->key[i / 4] >> 8 * (i % 4));
  for (unsigned place = 0; place < 2 * TWIN_IXGBE_RSS_INPUT_BYTES; place++) {
    const uint8_t *at = &key[place / 2];
    uint64_t window = (uint64_t)shunt_load_be32(at) << 8 | at[4];
    for (unsigned value = 0; value < 16; value++) {
      uint32_t sum = 0;
      for (unsigned bit = 0; bit < 4; bit++)
        if (value & 8u >> bit)
          sum ^= (uint32_t)(window >> (8 - (place % 2 * 4 + bit)));
      rss->table[place][value] = sum;
    }
  }
}

static uint32_t rss_add(const struct twin_ixgbe_rss *rss, unsigned *place, const uint8_t *data,
                        unsigned bytes)
{
  uint32_t hash = 0;
  for (unsigned i = 0; i < bytes; i++, *place += 2)
    hash ^= rss->table[*place][data[i] >> 4] ^ rss->table[*place + 1][data[i] & 15];
  return hash;
}

/* 7.1.2.8.1: the finest of the types that MRQC enables and the frame is. */
static uint32_t rss_type(uint32_t mrqc, const struct twin_ixgbe_packet *packet)
{
  bool is_tcp = packet->type_bits & IXGBE_RXD_TYPE_TCP;
  bool is_udp = packet->type_bits & IXGBE_RXD_TYPE_UDP;
  if (!packet->ip_bytes)
    return IXGBE_RSS_TYPE_NONE;
  if (packet->type_bits & IXGBE_RXD_TYPE_IPV4) {
    if (is_tcp && mrqc & IXGBE_MRQC_RSS_IPV4_TCP)
      return IXGBE_RSS_TYPE_IPV4_TCP;
    if (is_udp && mrqc & IXGBE_MRQC_RSS_IPV4_UDP)
      return IXGBE_RSS_TYPE_IPV4_UDP;
    return mrqc & IXGBE_MRQC_RSS_IPV4 ? IXGBE_RSS_TYPE_IPV4 : IXGBE_RSS_TYPE_NONE;
  }
  if (is_tcp && mrqc & IXGBE_MRQC_RSS_IPV6_TCP)
    return IXGBE_RSS_TYPE_IPV6_TCP;
  if (is_udp && mrqc & IXGBE_MRQC_RSS_IPV6_UDP)
    return IXGBE_RSS_TYPE_IPV6_UDP;
  return mrqc & IXGBE_MRQC_RSS_IPV6 ? IXGBE_RSS_TYPE_IPV6 : IXGBE_RSS_TYPE_NONE;
}

static uint32_t rss_hash(const struct twin_ixgbe_rss *rss, const struct twin_ixgbe_packet *packet,
                         uint32_t type)
{
  const uint8_t *ip = packet->frame + packet->ip_at;
  bool is_ipv4 = packet->type_bits & IXGBE_RXD_TYPE_IPV4;
  unsigned place = 0;
  uint32_t hash = is_ipv4 ? rss_add(rss, &place, ip + 12, 8) : rss_add(rss, &place, ip + 8, 32);
  if (type != IXGBE_RSS_TYPE_IPV4 && type != IXGBE_RSS_TYPE_IPV6)
    hash ^= rss_add(rss, &place, packet->frame + packet->l4_at, 4);
  return hash;
}

static bool rss_is_on(uint32_t mrqc)
{
  switch (HW_GET(IXGBE_MRQC_MRQE, mrqc)) {
  case IXGBE_MRQE_RSS:
  case IXGBE_MRQE_DCB_8TC_RSS:
  case IXGBE_MRQE_DCB_4TC_RSS:
  case IXGBE_MRQE_VMDQ_32_RSS:
  case IXGBE_MRQE_VMDQ_64_RSS:
    return true;
  default:
    return false;
  }
}

/* ---- Registers ---- */

static void steer_read_tuples(struct twin_ixgbe *twin, struct twin_ixgbe_rx_config *config)
{
  uint32_t priorities[TWIN_IXGBE_FILTERS] = {0};
  unsigned n = 0;
  for (unsigned i = 0; i < TWIN_IXGBE_FILTERS; i++) {
    uint32_t ftqf = twin_ixgbe_get(twin, IXGBE_FTQF(i));
    if (!(ftqf & IXGBE_FTQF_QUEUE_ENABLE))
      continue;
    uint32_t priority = HW_GET(IXGBE_FTQF_PRIORITY, ftqf);
    unsigned at = n++;
    for (; at > 0 && priorities[at - 1] < priority; at--) { /* equal ones by their index */
      priorities[at] = priorities[at - 1];
      config->tuples[at] = config->tuples[at - 1];
    }
    priorities[at] = priority;
    config->tuples[at] = (uint8_t)i;
  }
  config->tuple_count = n;
}

void twin_ixgbe_steer_refresh(struct twin_ixgbe *twin, struct twin_ixgbe_rx_config *config)
{
  config->mrqc = twin_ixgbe_get(twin, IXGBE_MRQC);
  config->vtctl = twin_ixgbe_get(twin, IXGBE_PFVTCTL);
  config->fdirctrl = twin_ixgbe_get(twin, IXGBE_FDIRCTRL);
  config->synqf = twin_ixgbe_get(twin, IXGBE_SYNQF);
  config->ethertypes = 0;
  for (unsigned i = 0; i < IXGBE_ETQF_FILTERS; i++)
    if (twin_ixgbe_get(twin, IXGBE_ETQF(i)) & IXGBE_ETQF_FILTER_EN)
      config->ethertypes |= (uint8_t)(1u << i);
  steer_read_tuples(twin, config);
  config->is_steered =
      HW_GET(IXGBE_MRQC_MRQE, config->mrqc) != IXGBE_MRQE_NONE ||
      config->vtctl & IXGBE_PFVTCTL_VT_ENA || config->fdirctrl & IXGBE_FDIRCTRL_PBALLOC ||
      config->synqf & IXGBE_SYNQF_QUEUE_ENABLE || config->ethertypes || config->tuple_count;
  if (!rss_is_on(config->mrqc))
    return;
  uint32_t key[IXGBE_RSS_KEY_BYTES / 4];
  for (unsigned i = 0; i < IXGBE_RSS_KEY_BYTES / 4; i++)
    key[i] = twin_ixgbe_get(twin, IXGBE_RSSRK(i));
  struct twin_ixgbe_rss *rss = twin_ixgbe_steer_rss(twin);
  if (memcmp(key, rss->key, sizeof(key)) != 0) {
    memcpy(rss->key, key, sizeof(key));
    rss_build(rss);
  }
}

/* ---- Filters ---- */

static unsigned steer_priority(const struct twin_ixgbe_packet *packet)
{
  return packet->is_tagged ? packet->vlan >> SHUNT_VLAN_PRIORITY_SHIFT : 0;
}

/* 7.1.2.3: the lowest filter of that EtherType. The descriptor then says which, and nothing about
 * what is in the frame. */
static bool steer_ethertype(const struct twin_ixgbe *twin,
                            const struct twin_ixgbe_rx_config *config,
                            struct twin_ixgbe_packet *packet, unsigned *queue)
{
  for (uint32_t left = config->ethertypes; left; left &= left - 1) {
    unsigned i = (unsigned)__builtin_ctz(left);
    uint32_t etqf = twin_ixgbe_get(twin, IXGBE_ETQF(i));
    if (HW_GET(IXGBE_ETQF_ETYPE, etqf) != packet->type ||
        (etqf & IXGBE_ETQF_UP_EN && HW_GET(IXGBE_ETQF_UP, etqf) != steer_priority(packet)))
      continue;
    packet->type_bits = IXGBE_RXD_TYPE_L2 | HW_FIELD(IXGBE_RXD_TYPE_L2_ETQF, i);
    uint32_t etqs = twin_ixgbe_get(twin, IXGBE_ETQS(i));
    *queue = HW_GET(IXGBE_ETQS_RX_QUEUE, etqs);
    return etqs & IXGBE_ETQS_QUEUE_EN;
  }
  return false;
}

static bool steer_syn(const struct twin_ixgbe_rx_config *config,
                      const struct twin_ixgbe_packet *packet, unsigned *queue)
{
  if (!(config->synqf & IXGBE_SYNQF_QUEUE_ENABLE) || !(packet->type_bits & IXGBE_RXD_TYPE_TCP) ||
      !(packet->frame[packet->l4_at + 13] & TCP_SYN))
    return false;
  *queue = HW_GET(IXGBE_SYNQF_RX_QUEUE, config->synqf);
  return true;
}

static uint32_t tuple_protocol(const struct twin_ixgbe_packet *packet)
{
  if (packet->type_bits & IXGBE_RXD_TYPE_TCP)
    return IXGBE_FTQF_PROTOCOL_TCP;
  if (packet->type_bits & IXGBE_RXD_TYPE_UDP)
    return IXGBE_FTQF_PROTOCOL_UDP;
  if (packet->type_bits & IXGBE_RXD_TYPE_SCTP)
    return IXGBE_FTQF_PROTOCOL_SCTP;
  return IXGBE_FTQF_PROTOCOL_OTHER;
}

static uint32_t load_raw(const uint8_t *at)
{
  uint32_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

/* 7.1.2.5: IPv4 only; each of the five is compared unless its mask bit is set. A frame without the
 * ports that a filter compares does not match it. */
static bool tuple_matches(const struct twin_ixgbe *twin, unsigned i,
                          const struct twin_ixgbe_packet *packet, unsigned pool)
{
  const uint8_t *ip = packet->frame + packet->ip_at;
  uint32_t ftqf = twin_ixgbe_get(twin, IXGBE_FTQF(i));
  if (!(ftqf & IXGBE_FTQF_MASK_PROTOCOL) &&
      HW_GET(IXGBE_FTQF_PROTOCOL, ftqf) != tuple_protocol(packet))
    return false;
  if (!(ftqf & IXGBE_FTQF_POOL_MASK) && HW_GET(IXGBE_FTQF_POOL, ftqf) != pool)
    return false;
  if (!(ftqf & IXGBE_FTQF_MASK_SOURCE_ADDRESS) &&
      twin_ixgbe_get(twin, IXGBE_SAQF(i)) != load_raw(ip + 12))
    return false;
  if (!(ftqf & IXGBE_FTQF_MASK_DESTINATION_ADDRESS) &&
      twin_ixgbe_get(twin, IXGBE_DAQF(i)) != load_raw(ip + 16))
    return false;
  uint32_t compared = (ftqf & IXGBE_FTQF_MASK_SOURCE_PORT ? 0 : 0x0000FFFFu) |
                      (ftqf & IXGBE_FTQF_MASK_DESTINATION_PORT ? 0 : 0xFFFF0000u);
  if (!compared)
    return true;
  return packet->type_bits & L4_TYPES &&
         ((twin_ixgbe_get(twin, IXGBE_SDPQF(i)) ^ load_raw(packet->frame + packet->l4_at)) &
          compared) == 0;
}

static bool steer_tuple(const struct twin_ixgbe *twin, const struct twin_ixgbe_rx_config *config,
                        const struct twin_ixgbe_packet *packet, unsigned pool, unsigned *queue)
{
  if (!(packet->type_bits & IXGBE_RXD_TYPE_IPV4) || !packet->ip_bytes)
    return false;
  for (unsigned n = 0; n < config->tuple_count; n++)
    if (tuple_matches(twin, config->tuples[n], packet, pool)) {
      *queue =
          HW_GET(IXGBE_L34TIMIR_RX_QUEUE, twin_ixgbe_get(twin, IXGBE_L34TIMIR(config->tuples[n])));
      return true;
    }
  return false;
}

/* 7.1.2.4: SYNQFP says which of the two goes first. */
static bool steer_l4(const struct twin_ixgbe *twin, const struct twin_ixgbe_rx_config *config,
                     const struct twin_ixgbe_packet *packet, unsigned pool, unsigned *queue)
{
  if (config->synqf & IXGBE_SYNQF_SYNQFP)
    return steer_syn(config, packet, queue) || steer_tuple(twin, config, packet, pool, queue);
  return steer_tuple(twin, config, packet, pool, queue) || steer_syn(config, packet, queue);
}

/* ---- Pools and traffic classes ---- */

/* 7.10.3.3: the lowest pool that the address belongs to, else the default one. The twin delivers to
 * one pool; it does not replicate. */
static unsigned steer_pool(const struct twin_ixgbe *twin, const struct twin_ixgbe_rx_config *config,
                           uint32_t address)
{
  if (!(config->vtctl & IXGBE_PFVTCTL_VT_ENA))
    return 0;
  if (address != TWIN_IXGBE_NO_ADDRESS) {
    uint64_t pools = (uint64_t)twin_ixgbe_get(twin, IXGBE_MPSAR_HI(address)) << 32 |
                     twin_ixgbe_get(twin, IXGBE_MPSAR_LO(address));
    if (pools)
      return (unsigned)__builtin_ctzll(pools);
  }
  return HW_GET(IXGBE_PFVTCTL_DEF_PL, config->vtctl);
}

static unsigned steer_class(const struct twin_ixgbe *twin, const struct twin_ixgbe_packet *packet)
{
  return twin_ixgbe_get(twin, IXGBE_RTRUP2TC) >> 3 * steer_priority(packet) & 7;
}

/* 7.1.2.2, tables of queues by pool, class and RSS index. */
static unsigned steer_queue(const struct twin_ixgbe *twin,
                            const struct twin_ixgbe_rx_config *config,
                            const struct twin_ixgbe_packet *packet, unsigned pool, unsigned index)
{
  unsigned pool_bits = HW_GET(IXGBE_PSRTYPE_RQPL, twin_ixgbe_get(twin, IXGBE_PSRTYPE(pool)));
  unsigned in_pool = index & ((1u << pool_bits) - 1);
  switch (HW_GET(IXGBE_MRQC_MRQE, config->mrqc)) {
  case IXGBE_MRQE_RSS:
    return index;
  case IXGBE_MRQE_DCB_8TC:
  case IXGBE_MRQE_DCB_8TC_RSS:
    return steer_class(twin, packet) * 16 + index;
  case IXGBE_MRQE_DCB_4TC:
  case IXGBE_MRQE_DCB_4TC_RSS:
    return (steer_class(twin, packet) & 3) * 32 + index;
  case IXGBE_MRQE_VMDQ:
    return pool * 2;
  case IXGBE_MRQE_VMDQ_32_RSS:
    return (pool & 31) * 4 + (in_pool & 3);
  case IXGBE_MRQE_VMDQ_64_RSS:
    return pool * 2 + (in_pool & 1);
  case IXGBE_MRQE_VMDQ_16_8TC:
    return (pool & 15) * 8 + steer_class(twin, packet);
  case IXGBE_MRQE_VMDQ_32_4TC:
    return (pool & 31) * 4 + (steer_class(twin, packet) & 3);
  default:
    return 0;
  }
}

void twin_ixgbe_steer(struct twin_ixgbe *twin, const struct twin_ixgbe_rx_config *config,
                      struct twin_ixgbe_packet *packet, uint32_t address,
                      struct twin_ixgbe_steering *steering)
{
  if (config->ethertypes && steer_ethertype(twin, config, packet, &steering->queue))
    return;
  /* The hash is reported whichever filter decides, but for the flow director (7.1.6.2). */
  unsigned pool = steer_pool(twin, config, address);
  unsigned index = 0;
  if (rss_is_on(config->mrqc)) {
    steering->rss_type = rss_type(config->mrqc, packet);
    if (steering->rss_type != IXGBE_RSS_TYPE_NONE) {
      steering->hash = rss_hash(twin_ixgbe_steer_rss(twin), packet, steering->rss_type);
      unsigned entry = steering->hash % IXGBE_RETA_ENTRIES;
      index = HW_GET(IXGBE_RETA_ENTRY(entry), twin_ixgbe_get(twin, IXGBE_RETA(entry / 4)));
    }
  }
  if (steer_l4(twin, config, packet, pool, &steering->queue))
    return;
  steering->queue = steer_queue(twin, config, packet, pool, index);
  if (config->fdirctrl & IXGBE_FDIRCTRL_PBALLOC)
    twin_ixgbe_flow_director_match(twin, packet, pool, steering);
}
