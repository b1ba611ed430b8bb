/* SPDX-License-Identifier: BSD-2-Clause */
/* What a received frame is, and whether its checksums are right (datasheet 7.1.2.1, 7.1.10,
 * 7.1.11). A header that is cut short or contradicts itself ends the search: the frame is then as
 * far as it was understood, and nothing behind is claimed. */
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/ethernet.h"
#include "twin/ixgbe/crc.h"
#include "twin/ixgbe/rx.h"

#define PROTOCOL_HOP_BY_HOP  0
#define PROTOCOL_TCP         6
#define PROTOCOL_UDP         17
#define PROTOCOL_ROUTING     43
#define PROTOCOL_FRAGMENT    44
#define PROTOCOL_AH          51
#define PROTOCOL_DESTINATION 60
#define PROTOCOL_SCTP        132

#define IPV4_PLAIN 0x45u /* version 4, header of 20 bytes */
#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define TCP_BYTES  20u
#define UDP_BYTES  8u
#define SCTP_BYTES 12u

#define IPV4_MORE_FRAGMENTS 0x2000u
#define FRAGMENT_OFFSET     0x1FFFu
#define IPV6_FRAGMENT_MASK  0xFFF8u
#define IPV6_MORE_FRAGMENTS 0x0001u

/* The Internet checksum needs no folding to be verified: adding 16-bit words with their carries is
 * adding modulo 2^16 - 1, which divides 2^32 - 1, so any sum of words or dwords will do; and words
 * with their bytes swapped are as good, swapping being a multiplication by 2^8 (RFC 1071 2). What
 * covers its own right checksum is a multiple of 2^16 - 1. Nothing summed here is zero throughout.
 */
static inline bool sum_is_right(uint64_t sum)
{
  return sum % 0xFFFF == 0;
}

static inline uint64_t sum_dwords(const uint8_t *at, uint32_t n)
{
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t dword;
    memcpy(&dword, at + 4 * i, sizeof(dword));
    sum += dword;
  }
  return sum;
}

static inline void packet_l4(struct twin_ixgbe_packet *packet)
{
  uint32_t bytes = packet->ip_at + packet->ip_bytes - packet->l4_at;
  if (packet->protocol == PROTOCOL_TCP && bytes >= TCP_BYTES)
    packet->type_bits |= IXGBE_RXD_TYPE_TCP;
  else if (packet->protocol == PROTOCOL_UDP && bytes >= UDP_BYTES)
    packet->type_bits |= IXGBE_RXD_TYPE_UDP;
  else if (packet->protocol == PROTOCOL_SCTP && bytes >= SCTP_BYTES)
    packet->type_bits |= IXGBE_RXD_TYPE_SCTP;
}

static void packet_ipv4(struct twin_ixgbe_packet *packet)
{
  const uint8_t *ip = packet->frame + packet->ip_at;
  uint32_t left = packet->bytes - packet->ip_at;
  if (left < IPV4_BYTES || ip[0] >> 4 != 4)
    return;
  uint32_t header = (ip[0] & 0xFu) * 4;
  uint32_t total = shunt_load_be16(ip + 2);
  if (header < IPV4_BYTES || header > left)
    return;
  packet->type_bits = IXGBE_RXD_TYPE_IPV4 | (header > IPV4_BYTES ? IXGBE_RXD_TYPE_IPV4_EXT : 0);
  packet->status = IXGBE_RXD_STAT_IPCS;
  if (!sum_is_right(header == IPV4_BYTES ? sum_dwords(ip, 5) : sum_dwords(ip, header / 4)))
    packet->status |= IXGBE_RXD_ERR_IPE;
  if (total < header || total > left)
    return;
  uint32_t fragment = shunt_load_be16(ip + 6);
  packet->ip_bytes = total;
  packet->l4_at = (uint16_t)(packet->ip_at + header);
  packet->protocol = ip[9];
  packet->is_fragment = fragment & (IPV4_MORE_FRAGMENTS | FRAGMENT_OFFSET);
  packet->is_first = !(fragment & FRAGMENT_OFFSET);
  if (!packet->is_fragment)
    packet_l4(packet);
}

/* Step over extension headers to the L4 header. false: there is none to be seen. */
static bool packet_ipv6_extensions(struct twin_ixgbe_packet *packet, uint32_t end)
{
  uint32_t at = packet->ip_at + IPV6_BYTES;
  packet->is_first = true;
  while (true) {
    const uint8_t *header = packet->frame + at;
    uint32_t bytes;
    switch (packet->protocol) {
    case PROTOCOL_HOP_BY_HOP:
    case PROTOCOL_ROUTING:
    case PROTOCOL_DESTINATION:
      bytes = end - at < 8 ? 0 : (header[1] + 1u) * 8;
      break;
    case PROTOCOL_AH:
      bytes = end - at < 8 ? 0 : (header[1] + 2u) * 4;
      break;
    case PROTOCOL_FRAGMENT:
      bytes = end - at < 8 ? 0 : 8;
      break;
    default:
      packet->l4_at = (uint16_t)at;
      return true;
    }
    packet->type_bits |= IXGBE_RXD_TYPE_IPV6_EXT;
    if (bytes == 0 || bytes > end - at)
      return false;
    if (packet->protocol == PROTOCOL_FRAGMENT) {
      uint32_t fragment = shunt_load_be16(header + 2);
      packet->is_fragment |= (fragment & (IPV6_FRAGMENT_MASK | IPV6_MORE_FRAGMENTS)) != 0;
      packet->is_first = !(fragment & IPV6_FRAGMENT_MASK);
    }
    /* With segments left the destination of the pseudo header is not the one that is there. */
    if (packet->protocol == PROTOCOL_ROUTING && header[3] != 0)
      packet->is_source_routed = true;
    packet->protocol = header[0];
    at += bytes;
    if (!packet->is_first)
      return false;
  }
}

static void packet_ipv6(struct twin_ixgbe_packet *packet)
{
  const uint8_t *ip = packet->frame + packet->ip_at;
  uint32_t left = packet->bytes - packet->ip_at;
  if (left < IPV6_BYTES || ip[0] >> 4 != 6)
    return;
  packet->type_bits = IXGBE_RXD_TYPE_IPV6;
  uint32_t total = IPV6_BYTES + shunt_load_be16(ip + 4);
  if (total > left)
    return;
  packet->ip_bytes = total;
  packet->protocol = ip[6];
  if (packet_ipv6_extensions(packet, packet->ip_at + total) && !packet->is_fragment)
    packet_l4(packet);
}

void twin_ixgbe_packet_read(struct twin_ixgbe_packet *packet,
                            const struct twin_ixgbe_rx_config *config, const uint8_t *frame,
                            uint32_t bytes)
{
  uint32_t at = 2 * sizeof(struct shunt_mac);
  *packet = (struct twin_ixgbe_packet){.frame = frame, .bytes = bytes};
  uint16_t type = shunt_load_be16(frame + at);
  if (SHUNT_UNLIKELY(config->is_double_vlan) && type == config->outer_vlan_type) {
    packet->is_outer_tagged = true;
    at += SHUNT_VLAN_TAG_BYTES;
    type = shunt_load_be16(frame + at);
  }
  if (type == config->vlan_type) {
    packet->is_tagged = true;
    packet->tag_at = (uint16_t)at;
    packet->vlan = shunt_load_be16(frame + at + 2);
    at += SHUNT_VLAN_TAG_BYTES;
    type = shunt_load_be16(frame + at);
  }
  packet->type = type;
  packet->ip_at = (uint16_t)(at + 2);
  if (type == SHUNT_ETHERNET_TYPE_IPV4)
    packet_ipv4(packet);
  else if (type == SHUNT_ETHERNET_TYPE_IPV6)
    packet_ipv6(packet);
}

/* ---- Checksums ---- */

/* RFC 9293 3.1, RFC 8200 8.1: addresses, length and protocol count as well. */
static bool packet_l4_is_right(const struct twin_ixgbe_packet *packet, const uint8_t *l4,
                               uint32_t bytes)
{
  const uint8_t *ip = packet->frame + packet->ip_at;
  uint64_t swapped =
      packet->type_bits & IXGBE_RXD_TYPE_IPV4 ? sum_dwords(ip + 12, 2) : sum_dwords(ip + 8, 8);
  uint64_t sum = shunt_checksum_add(bytes + packet->protocol, l4, bytes);
  return sum_is_right(swapped + (sum << 8));
}

static bool packet_sctp_is_right(const uint8_t *l4, uint32_t bytes)
{
  static const uint8_t zero[4];
  uint32_t crc = twin_ixgbe_crc32c_add(UINT32_MAX, l4, 8);
  crc = twin_ixgbe_crc32c_add(crc, zero, sizeof(zero));
  crc = ~twin_ixgbe_crc32c_add(crc, l4 + SCTP_BYTES, bytes - SCTP_BYTES);
  uint32_t given = l4[8] | (uint32_t)l4[9] << 8 | (uint32_t)l4[10] << 16 | (uint32_t)l4[11] << 24;
  return crc == given;
}

/* 7.1.11: TCP, UDP and SCTP are summed where the whole segment is in the frame. UDP over IPv4 may
 * come without a sum (RFC 768), which is then not said to be checked. (The chip has an erratum
 * there: it may call such a frame wrong. Drivers work around it, none needs it.) */
void twin_ixgbe_packet_check(struct twin_ixgbe_packet *packet)
{
  const uint32_t l4_types = IXGBE_RXD_TYPE_TCP | IXGBE_RXD_TYPE_UDP | IXGBE_RXD_TYPE_SCTP;
  uint32_t type = packet->type_bits & l4_types;
  if (!type || packet->is_source_routed)
    return;
  const uint8_t *l4 = packet->frame + packet->l4_at;
  uint32_t bytes = packet->ip_at + packet->ip_bytes - packet->l4_at;
  bool is_right;
  if (type == IXGBE_RXD_TYPE_SCTP) {
    is_right = packet_sctp_is_right(l4, bytes);
  } else {
    if (type == IXGBE_RXD_TYPE_UDP) {
      if (packet->type_bits & IXGBE_RXD_TYPE_IPV4 && shunt_load_be16(l4 + 6) == 0)
        return;
      packet->status |= IXGBE_RXD_STAT_UDPCS;
    }
    is_right = packet_l4_is_right(packet, l4, bytes);
  }
  packet->status |= IXGBE_RXD_STAT_L4CS | (is_right ? 0 : IXGBE_RXD_ERR_L4E);
}

bool twin_ixgbe_packet_glance(const uint8_t *frame, uint32_t bytes, struct twin_ixgbe_glance *seen)
{
  const uint8_t *ip = frame + SHUNT_ETHERNET_HEADER_BYTES;
  const uint8_t *l4 = ip + IPV4_BYTES;
  uint32_t total = shunt_load_be16(ip + 2);
  if (shunt_load_be16(frame + 12) != SHUNT_ETHERNET_TYPE_IPV4 || ip[0] != IPV4_PLAIN ||
      shunt_load_be16(ip + 6) & (IPV4_MORE_FRAGMENTS | FRAGMENT_OFFSET) ||
      total > bytes - SHUNT_ETHERNET_HEADER_BYTES)
    return false;
  uint32_t type = IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP;
  uint32_t status = IXGBE_RXD_STAT_IPCS | IXGBE_RXD_STAT_L4CS;
  uint32_t least = IPV4_BYTES + TCP_BYTES;
  if (ip[9] == PROTOCOL_UDP) {
    type = IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_UDP;
    status |= IXGBE_RXD_STAT_UDPCS;
    least = IPV4_BYTES + UDP_BYTES;
    if (shunt_load_be16(l4 + 6) == 0)
      return false;
  } else if (ip[9] != PROTOCOL_TCP) {
    return false;
  }
  if (total < least)
    return false;
  uint64_t addresses = sum_dwords(ip + 12, 2);
  uint32_t l4_bytes = total - IPV4_BYTES;
  uint64_t l4_sum = shunt_checksum_add(l4_bytes + ip[9], l4, l4_bytes);
  if (!sum_is_right(addresses + sum_dwords(ip, 3)))
    status |= IXGBE_RXD_ERR_IPE;
  if (!sum_is_right(addresses + (l4_sum << 8)))
    status |= IXGBE_RXD_ERR_L4E;
  *seen = (struct twin_ixgbe_glance){type, status, shunt_load_be16(ip + 4)};
  return true;
}

/* 7.1.13: the unadjusted sum of what follows the IP header of a fragment, in the frame's own byte
 * order, and the IPv4 identification. UDPV: a first fragment that has a UDP checksum. */
uint32_t twin_ixgbe_packet_fragment_sum(struct twin_ixgbe_packet *packet, bool with_sum)
{
  if (!(packet->type_bits & IXGBE_RXD_TYPE_IPV4) || !packet->ip_bytes)
    return 0;
  uint32_t id = shunt_load_be16(packet->frame + packet->ip_at + 4);
  if (!with_sum || !packet->is_fragment || packet->protocol != PROTOCOL_UDP)
    return id;
  const uint8_t *l4 = packet->frame + packet->l4_at;
  uint32_t bytes = packet->ip_at + packet->ip_bytes - packet->l4_at;
  if (packet->is_first && bytes >= UDP_BYTES && shunt_load_be16(l4 + 6) != 0)
    packet->status |= IXGBE_RXD_STAT_UDPV;
  uint32_t sum = (uint16_t)~shunt_checksum(l4, bytes);
  return sum << 16 | id;
}
