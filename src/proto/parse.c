/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/parse.h"

#include "shunt/arp.h"
#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/icmp.h"
#include "shunt/igmp.h"
#include "shunt/ipv4.h"
#include "shunt/udp.h"

static bool parse_is_vlan(uint16_t type)
{
  return type == SHUNT_ETHERNET_TYPE_VLAN || type == SHUNT_ETHERNET_TYPE_VLAN_S;
}

/* IGMP: RFC 3376 7.1 tells queries of the three versions apart by their length. */
static enum shunt_parse_cause parse_igmp(const uint8_t *frame, uint32_t verify,
                                         struct shunt_parsed *parsed)
{
  const uint8_t *igmp = frame + parsed->l4_offset;
  struct shunt_igmp_query query;

  if (parsed->l4_bytes < SHUNT_IGMP_MESSAGE_BYTES)
    return SHUNT_CAUSE_IGMP_TRUNCATED;
  parsed->flags |= SHUNT_PARSED_L4;
  parsed->l4_type = igmp[0];
  parsed->payload_offset = (uint16_t)(parsed->l4_offset + SHUNT_IGMP_MESSAGE_BYTES);
  parsed->payload_bytes = parsed->l4_bytes - SHUNT_IGMP_MESSAGE_BYTES;
  if (parsed->flags & SHUNT_PARSED_FRAGMENT)
    return SHUNT_CAUSE_NONE;
  if (parsed->l4_type == SHUNT_IGMP_QUERY) {
    enum shunt_parse_cause cause = shunt_igmp_query_read(igmp, parsed->l4_bytes, &query);
    if (cause)
      return cause;
  }
  if (verify & SHUNT_PARSE_VERIFY_L4 && shunt_checksum(igmp, parsed->l4_bytes))
    return SHUNT_CAUSE_IGMP_BAD_CHECKSUM;
  return SHUNT_CAUSE_NONE;
}

static enum shunt_parse_cause parse_icmp(const uint8_t *frame, uint32_t verify,
                                         struct shunt_parsed *parsed)
{
  const struct shunt_icmp_header *icmp =
      (const struct shunt_icmp_header *)(frame + parsed->l4_offset);

  if (parsed->l4_bytes < sizeof(*icmp))
    return SHUNT_CAUSE_ICMP_TRUNCATED;
  parsed->flags |= SHUNT_PARSED_L4;
  parsed->l4_type = icmp->type;
  parsed->l4_code = icmp->code;
  parsed->payload_offset = (uint16_t)(parsed->l4_offset + sizeof(*icmp));
  parsed->payload_bytes = parsed->l4_bytes - (uint32_t)sizeof(*icmp);
  if (parsed->flags & SHUNT_PARSED_FRAGMENT)
    return SHUNT_CAUSE_NONE;
  if (verify & SHUNT_PARSE_VERIFY_L4 && shunt_checksum(icmp, parsed->l4_bytes))
    return SHUNT_CAUSE_ICMP_BAD_CHECKSUM;
  return SHUNT_CAUSE_NONE;
}

static enum shunt_parse_cause parse_udp(const uint8_t *frame, uint32_t verify,
                                        struct shunt_parsed *parsed)
{
  const struct shunt_udp_header *udp = (const struct shunt_udp_header *)(frame + parsed->l4_offset);

  if (parsed->l4_bytes < sizeof(*udp))
    return SHUNT_CAUSE_UDP_TRUNCATED;
  parsed->flags |= SHUNT_PARSED_L4;
  parsed->source_port = shunt_load_be16(udp->source_port);
  parsed->destination_port = shunt_load_be16(udp->destination_port);
  if (!(parsed->flags & SHUNT_PARSED_FRAGMENT)) {
    uint32_t bytes = shunt_load_be16(udp->bytes);
    if (bytes < sizeof(*udp) || bytes > parsed->l4_bytes)
      return SHUNT_CAUSE_UDP_BAD_LENGTH;
    parsed->l4_bytes = bytes;
  }
  parsed->payload_offset = (uint16_t)(parsed->l4_offset + sizeof(*udp));
  parsed->payload_bytes = parsed->l4_bytes - (uint32_t)sizeof(*udp);
  if (parsed->flags & SHUNT_PARSED_FRAGMENT || !(verify & SHUNT_PARSE_VERIFY_L4) ||
      shunt_load_be16(udp->checksum) == 0)
    return SHUNT_CAUSE_NONE;

  uint32_t sum = shunt_checksum_pseudo(parsed->source, parsed->destination, SHUNT_IPV4_PROTOCOL_UDP,
                                       parsed->l4_bytes);
  if (shunt_checksum_finish(shunt_checksum_add(sum, udp, parsed->l4_bytes)))
    return SHUNT_CAUSE_UDP_BAD_CHECKSUM;
  return SHUNT_CAUSE_NONE;
}

static enum shunt_parse_cause parse_l4(const uint8_t *frame, uint32_t verify,
                                       struct shunt_parsed *parsed)
{
  parsed->payload_offset = parsed->l4_offset;
  parsed->payload_bytes = parsed->l4_bytes;
  if (parsed->fragment_offset)
    return SHUNT_CAUSE_NONE;
  switch (parsed->protocol) {
  case SHUNT_IPV4_PROTOCOL_ICMP:
    return parse_icmp(frame, verify, parsed);
  case SHUNT_IPV4_PROTOCOL_IGMP:
    return parse_igmp(frame, verify, parsed);
  case SHUNT_IPV4_PROTOCOL_UDP:
    return parse_udp(frame, verify, parsed);
  default:
    return SHUNT_CAUSE_NONE;
  }
}

/* RFC 791 3.2: all but the last fragment carry multiples of 8 bytes, and the whole has to fit a
 * datagram: a last fragment that reaches beyond it is the "ping of death". */
static enum shunt_parse_cause parse_fragment(uint16_t field, uint32_t header_bytes,
                                             struct shunt_parsed *parsed)
{
  bool more = (field & SHUNT_IPV4_MORE_FRAGMENTS) != 0;
  parsed->fragment_offset = (uint16_t)((field & SHUNT_IPV4_FRAGMENT_OFFSET_MASK) * 8);

  if (more)
    parsed->flags |= SHUNT_PARSED_MORE_FRAGMENTS;
  if (!more && !parsed->fragment_offset)
    return SHUNT_CAUSE_NONE;
  parsed->flags |= SHUNT_PARSED_FRAGMENT;
  if (!parsed->fragment_offset)
    parsed->flags |= SHUNT_PARSED_FRAGMENT_FIRST;
  else
    parsed->flags |= more ? SHUNT_PARSED_FRAGMENT_MIDDLE : SHUNT_PARSED_FRAGMENT_LAST;
  if (parsed->l4_bytes == 0 || (more && parsed->l4_bytes % 8) ||
      header_bytes + parsed->fragment_offset + parsed->l4_bytes > SHUNT_IPV4_TOTAL_BYTES_MAX)
    return SHUNT_CAUSE_IPV4_BAD_FRAGMENT;
  return SHUNT_CAUSE_NONE;
}

static enum shunt_parse_cause parse_ipv4_options(const uint8_t *options, uint32_t bytes,
                                                 struct shunt_parsed *parsed)
{
  struct shunt_ipv4_option option;
  uint32_t at = 0;
  int found = 0;

  if (!bytes)
    return SHUNT_CAUSE_NONE;
  parsed->flags |= SHUNT_PARSED_IPV4_OPTIONS;
  do
    found = shunt_ipv4_option_next(options, bytes, &at, &option);
  while (found > 0);
  return found < 0 ? SHUNT_CAUSE_IPV4_BAD_OPTION : SHUNT_CAUSE_NONE;
}

static enum shunt_parse_cause parse_ipv4(const uint8_t *frame, uint32_t verify,
                                         struct shunt_parsed *parsed)
{
  const struct shunt_ipv4_header *ipv4 =
      (const struct shunt_ipv4_header *)(frame + parsed->l3_offset);
  uint32_t left = parsed->frame_bytes - parsed->l3_offset;

  if (left < sizeof(*ipv4))
    return SHUNT_CAUSE_IPV4_TRUNCATED;
  if (ipv4->version_and_length >> 4 != 4)
    return SHUNT_CAUSE_IPV4_BAD_VERSION;
  uint32_t header_bytes = (ipv4->version_and_length & 0xfu) * 4;
  if (header_bytes < sizeof(*ipv4))
    return SHUNT_CAUSE_IPV4_BAD_HEADER_LENGTH;
  if (header_bytes > left)
    return SHUNT_CAUSE_IPV4_TRUNCATED;
  uint32_t total_bytes = shunt_load_be16(ipv4->total_bytes);
  if (total_bytes < header_bytes)
    return SHUNT_CAUSE_IPV4_BAD_TOTAL_LENGTH;
  if (total_bytes > left)
    return SHUNT_CAUSE_IPV4_BEYOND_FRAME;

  parsed->flags |= SHUNT_PARSED_IPV4 | (total_bytes < left ? SHUNT_PARSED_PADDED : 0);
  parsed->l3_bytes = total_bytes;
  parsed->protocol = ipv4->protocol;
  parsed->source = shunt_load_be32(ipv4->source);
  parsed->destination = shunt_load_be32(ipv4->destination);
  if (verify & SHUNT_PARSE_VERIFY_IPV4 && shunt_checksum(ipv4, header_bytes))
    return SHUNT_CAUSE_IPV4_BAD_CHECKSUM;

  parsed->l4_offset = (uint16_t)(parsed->l3_offset + header_bytes);
  parsed->l4_bytes = total_bytes - header_bytes;
  enum shunt_parse_cause cause = parse_ipv4_options((const uint8_t *)(ipv4 + 1),
                                                    header_bytes - (uint32_t)sizeof(*ipv4), parsed);
  if (!cause)
    cause = parse_fragment(shunt_load_be16(ipv4->fragment), header_bytes, parsed);
  return cause ? cause : parse_l4(frame, verify, parsed);
}

static enum shunt_parse_cause parse_arp(const uint8_t *frame, struct shunt_parsed *parsed)
{
  const struct shunt_arp_packet *arp = (const struct shunt_arp_packet *)(frame + parsed->l3_offset);
  uint32_t left = parsed->frame_bytes - parsed->l3_offset;

  /* The sizes come before the addresses: only they say how long the packet is. */
  if (left < offsetof(struct shunt_arp_packet, sender_mac))
    return SHUNT_CAUSE_ARP_TRUNCATED;
  if (shunt_load_be16(arp->hardware_type) != SHUNT_ARP_HARDWARE_ETHERNET)
    return SHUNT_CAUSE_ARP_BAD_HARDWARE;
  if (shunt_load_be16(arp->protocol_type) != SHUNT_ETHERNET_TYPE_IPV4)
    return SHUNT_CAUSE_ARP_BAD_PROTOCOL;
  if (arp->hardware_bytes != sizeof(arp->sender_mac) ||
      arp->protocol_bytes != sizeof(arp->sender_ipv4))
    return SHUNT_CAUSE_ARP_BAD_SIZES;
  if (left < sizeof(*arp))
    return SHUNT_CAUSE_ARP_TRUNCATED;

  parsed->flags |= SHUNT_PARSED_ARP | (sizeof(*arp) < left ? SHUNT_PARSED_PADDED : 0);
  parsed->l3_bytes = sizeof(*arp);
  parsed->source = shunt_load_be32(arp->sender_ipv4);
  parsed->destination = shunt_load_be32(arp->target_ipv4);
  parsed->payload_offset = (uint16_t)(parsed->l3_offset + sizeof(*arp));
  return SHUNT_CAUSE_NONE;
}

/* IEEE 802.3 3.2.6: a type field up to 1500 is the length of what follows, up to 1535 it is
 * undefined. */
static enum shunt_parse_cause parse_8023(struct shunt_parsed *parsed)
{
  uint32_t left = parsed->frame_bytes - parsed->l3_offset;

  if (parsed->ethertype > SHUNT_ETHERNET_LENGTH_MAX || parsed->ethertype > left)
    return SHUNT_CAUSE_ETHERNET_BAD_LENGTH;
  parsed->flags |= SHUNT_PARSED_8023 | (parsed->ethertype < left ? SHUNT_PARSED_PADDED : 0);
  parsed->l3_bytes = parsed->ethertype;
  parsed->payload_bytes = parsed->ethertype;
  parsed->payload_offset = parsed->l3_offset;
  return SHUNT_CAUSE_NONE;
}

/* The Ethernet header and its tags: finds ethertype and l3_offset. */
static enum shunt_parse_cause parse_l2(const uint8_t *frame, struct shunt_parsed *parsed)
{
  const struct shunt_ethernet_header *header = (const struct shunt_ethernet_header *)frame;
  uint16_t at = sizeof(*header);

  if (parsed->frame_bytes < sizeof(*header))
    return SHUNT_CAUSE_ETHERNET_TRUNCATED;
  if (shunt_mac_is_broadcast(header->destination))
    parsed->flags |= SHUNT_PARSED_BROADCAST;
  else if (shunt_mac_is_group(header->destination))
    parsed->flags |= SHUNT_PARSED_MULTICAST;

  uint16_t type = shunt_load_be16(header->type);
  for (; parse_is_vlan(type); at += SHUNT_VLAN_TAG_BYTES) {
    if (parsed->vlan_tags == SHUNT_PARSE_VLAN_TAGS)
      return SHUNT_CAUSE_VLAN_TOO_MANY;
    if (parsed->frame_bytes - at < SHUNT_VLAN_TAG_BYTES)
      return SHUNT_CAUSE_VLAN_TRUNCATED;
    parsed->flags |= SHUNT_PARSED_VLAN;
    parsed->vlan_control[parsed->vlan_tags++] = shunt_load_be16(frame + at);
    type = shunt_load_be16(frame + at + 2);
  }
  parsed->ethertype = type;
  parsed->l3_offset = at;
  return SHUNT_CAUSE_NONE;
}

static enum shunt_parse_cause parse_frame(const uint8_t *frame, uint32_t verify,
                                          struct shunt_parsed *parsed)
{
  enum shunt_parse_cause cause = parse_l2(frame, parsed);

  if (cause)
    return cause;
  if (parsed->ethertype == SHUNT_ETHERNET_TYPE_IPV4)
    return parse_ipv4(frame, verify, parsed);
  if (parsed->ethertype == SHUNT_ETHERNET_TYPE_ARP)
    return parse_arp(frame, parsed);
  if (parsed->ethertype < SHUNT_ETHERNET_TYPE_MIN)
    return parse_8023(parsed);
  parsed->l3_bytes = parsed->frame_bytes - parsed->l3_offset;
  parsed->payload_bytes = parsed->l3_bytes;
  parsed->payload_offset = parsed->l3_offset;
  return SHUNT_CAUSE_NONE;
}

enum shunt_parse_cause shunt_parse(const void *frame, uint32_t bytes, uint32_t verify,
                                   struct shunt_parsed *parsed)
{
  *parsed = (struct shunt_parsed){.frame_bytes = bytes};
  parsed->cause = parse_frame(frame, verify, parsed);
  return parsed->cause;
}
