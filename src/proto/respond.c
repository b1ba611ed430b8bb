/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/respond.h"

#include "shunt/arp.h"
#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/icmp.h"
#include "shunt/ipv4.h"
#include "shunt/udp.h"

static struct shunt_ipv4_header *respond_ipv4(void *frame, const struct shunt_parsed *parsed)
{
  return (struct shunt_ipv4_header *)((uint8_t *)frame + parsed->l3_offset);
}

static enum shunt_parse_cause respond_check_ethernet(const struct shunt_ethernet_header *header,
                                                     const struct shunt_parsed *parsed,
                                                     const struct shunt_host *host)
{
  if (shunt_mac_is_group(header->source))
    return SHUNT_CAUSE_ETHERNET_BAD_SOURCE;
  if (!(parsed->flags & (SHUNT_PARSED_BROADCAST | SHUNT_PARSED_MULTICAST)) &&
      !shunt_mac_equal(header->destination, host->mac))
    return SHUNT_CAUSE_ETHERNET_NOT_FOR_US;
  return SHUNT_CAUSE_NONE;
}

static enum shunt_parse_cause respond_check_destination(const struct shunt_parsed *parsed,
                                                        const struct shunt_host *host)
{
  if (parsed->destination == host->ipv4)
    return parsed->flags & (SHUNT_PARSED_BROADCAST | SHUNT_PARSED_MULTICAST)
               ? SHUNT_CAUSE_IPV4_IN_LINK_BROADCAST
               : SHUNT_CAUSE_NONE;
  if (shunt_ipv4_is_broadcast(parsed->destination, host->ipv4, host->prefix_bits))
    return host->flags & SHUNT_HOST_ANSWER_GROUPS ? SHUNT_CAUSE_NONE
                                                  : SHUNT_CAUSE_IPV4_TO_BROADCAST;
  if (shunt_ipv4_is_multicast(parsed->destination))
    return host->flags & SHUNT_HOST_ANSWER_GROUPS ? SHUNT_CAUSE_NONE
                                                  : SHUNT_CAUSE_IPV4_TO_MULTICAST;
  return SHUNT_CAUSE_IPV4_NOT_FOR_US;
}

static enum shunt_parse_cause respond_check_source(const struct shunt_parsed *parsed,
                                                   const struct shunt_host *host)
{
  if (parsed->source == host->ipv4)
    return SHUNT_CAUSE_IPV4_SOURCE_IS_US;
  if (shunt_ipv4_is_this_network(parsed->source))
    return SHUNT_CAUSE_IPV4_SOURCE_ZERO;
  if (shunt_ipv4_is_loopback(parsed->source))
    return SHUNT_CAUSE_IPV4_SOURCE_LOOPBACK;
  if (shunt_ipv4_is_multicast(parsed->source))
    return SHUNT_CAUSE_IPV4_SOURCE_MULTICAST;
  if (shunt_ipv4_is_broadcast(parsed->source, host->ipv4, host->prefix_bits))
    return SHUNT_CAUSE_IPV4_SOURCE_BROADCAST;
  return SHUNT_CAUSE_NONE;
}

/* RFC 791 3.1, record route: type, length, a pointer to the first free byte (1 is the option's
 * first byte, so 4 is the first it can be), addresses. A full one is passed on as it is; one with
 * room for a part of an address is in error. */
static enum shunt_parse_cause respond_check_record_route(const uint8_t *options,
                                                         const struct shunt_ipv4_option *option,
                                                         uint32_t *record_route)
{
  if (option->bytes < 3 || *record_route)
    return SHUNT_CAUSE_IPV4_BAD_OPTION;
  uint8_t pointer = options[option->start + 2];
  if (pointer < 4)
    return SHUNT_CAUSE_IPV4_BAD_OPTION;
  if (pointer > option->bytes)
    return SHUNT_CAUSE_NONE;
  if (pointer + 3 > option->bytes)
    return SHUNT_CAUSE_IPV4_BAD_OPTION;
  *record_route = SHUNT_IPV4_HEADER_BYTES + option->start;
  return SHUNT_CAUSE_NONE;
}

static enum shunt_parse_cause respond_check_options(const struct shunt_ipv4_header *ipv4,
                                                    const struct shunt_parsed *parsed,
                                                    uint32_t *record_route)
{
  const uint8_t *options = (const uint8_t *)(ipv4 + 1);
  uint32_t bytes = parsed->l4_offset - parsed->l3_offset - (uint32_t)sizeof(*ipv4);
  struct shunt_ipv4_option option;
  enum shunt_parse_cause cause = SHUNT_CAUSE_NONE;

  *record_route = 0;
  for (uint32_t at = 0; shunt_ipv4_option_next(options, bytes, &at, &option) > 0 && !cause;) {
    switch (option.type) {
    case SHUNT_IPV4_OPTION_NOP:
      break;
    case SHUNT_IPV4_OPTION_RECORD_ROUTE:
      cause = respond_check_record_route(options, &option, record_route);
      break;
    case SHUNT_IPV4_OPTION_LOOSE_SOURCE_ROUTE:
    case SHUNT_IPV4_OPTION_STRICT_SOURCE_ROUTE:
      cause = SHUNT_CAUSE_IPV4_SOURCE_ROUTE;
      break;
    default:
      cause = SHUNT_CAUSE_IPV4_OPTION_NOT_SERVED;
    }
  }
  return cause;
}

/* Everything about an IPv4 datagram that comes before its protocol.
 *
 * record_route  where in the header the record route to fill in begins; 0 where there is none */
static enum shunt_parse_cause respond_check_ipv4(void *frame, const struct shunt_parsed *parsed,
                                                 const struct shunt_host *host,
                                                 uint32_t *record_route)
{
  if (parsed->cause)
    return parsed->cause;
  enum shunt_parse_cause cause = respond_check_ethernet(frame, parsed, host);
  if (cause)
    return cause;
  if (!(parsed->flags & SHUNT_PARSED_IPV4))
    return SHUNT_CAUSE_ETHERNET_TYPE_NOT_SERVED;
  cause = respond_check_destination(parsed, host);
  if (cause)
    return cause;
  cause = respond_check_source(parsed, host);
  if (cause)
    return cause;
  if (parsed->flags & SHUNT_PARSED_FRAGMENT)
    return SHUNT_CAUSE_IPV4_FRAGMENT;
  return respond_check_options(respond_ipv4(frame, parsed), parsed, record_route);
}

/* Change a byte of an IPv4 header and step the checksum over the 16-bit word it lies in. */
static void respond_set_byte(struct shunt_ipv4_header *ipv4, uint32_t offset, uint8_t value)
{
  uint8_t *header = (uint8_t *)ipv4;
  uint8_t *word = header + (offset & ~1u);
  uint16_t before = shunt_load_be16(word);

  header[offset] = value;
  shunt_store_be16(ipv4->checksum, shunt_checksum_update(shunt_load_be16(ipv4->checksum), before,
                                                         shunt_load_be16(word)));
}

static void respond_record_route(struct shunt_ipv4_header *ipv4, uint32_t option, uint32_t address)
{
  uint8_t pointer = ((uint8_t *)ipv4)[option + 2];

  for (uint32_t i = 0; i < 4; i++)
    respond_set_byte(ipv4, option + pointer - 1 + i, (uint8_t)(address >> (24 - 8 * i)));
  respond_set_byte(ipv4, option + 2, (uint8_t)(pointer + 4));
}

/* Send the datagram back where it came from. */
static void respond_turn_ipv4(void *frame, const struct shunt_parsed *parsed,
                              const struct shunt_host *host, uint32_t record_route)
{
  struct shunt_ethernet_header *ethernet = frame;
  struct shunt_ipv4_header *ipv4 = respond_ipv4(frame, parsed);

  ethernet->destination = ethernet->source;
  ethernet->source = host->mac;
  shunt_store_be32(ipv4->source, host->ipv4);
  shunt_store_be32(ipv4->destination, parsed->source);
  if (parsed->destination != host->ipv4)
    shunt_store_be16(ipv4->checksum, shunt_checksum_update32(shunt_load_be16(ipv4->checksum),
                                                             parsed->destination, host->ipv4));
  if (record_route)
    respond_record_route(ipv4, record_route, host->ipv4);
}

enum shunt_parse_cause shunt_arp_reply_in_place(void *frame, const struct shunt_parsed *parsed,
                                                const struct shunt_host *host)
{
  if (parsed->cause)
    return parsed->cause;
  struct shunt_ethernet_header *ethernet = frame;
  enum shunt_parse_cause cause = respond_check_ethernet(ethernet, parsed, host);
  if (cause)
    return cause;
  if (!(parsed->flags & SHUNT_PARSED_ARP))
    return SHUNT_CAUSE_ETHERNET_TYPE_NOT_SERVED;

  struct shunt_arp_packet *arp = (struct shunt_arp_packet *)((uint8_t *)frame + parsed->l3_offset);
  if (parsed->source == host->ipv4)
    return SHUNT_CAUSE_ARP_CONFLICT;
  if (shunt_load_be16(arp->operation) != SHUNT_ARP_REQUEST)
    return SHUNT_CAUSE_ARP_NOT_A_REQUEST;
  if (parsed->destination != host->ipv4)
    return SHUNT_CAUSE_ARP_NOT_FOR_US;
  if (shunt_mac_is_group(arp->sender_mac) || shunt_ipv4_is_multicast(parsed->source) ||
      shunt_ipv4_is_loopback(parsed->source) ||
      shunt_ipv4_is_broadcast(parsed->source, host->ipv4, host->prefix_bits))
    return SHUNT_CAUSE_ARP_BAD_SENDER;

  ethernet->destination = arp->sender_mac;
  ethernet->source = host->mac;
  shunt_store_be16(arp->operation, SHUNT_ARP_REPLY);
  arp->target_mac = arp->sender_mac;
  shunt_store_be32(arp->target_ipv4, parsed->source);
  arp->sender_mac = host->mac;
  shunt_store_be32(arp->sender_ipv4, host->ipv4);
  return SHUNT_CAUSE_NONE;
}

enum shunt_parse_cause shunt_icmp_echo_reply_in_place(void *frame,
                                                      const struct shunt_parsed *parsed,
                                                      const struct shunt_host *host)
{
  uint32_t record_route = 0;
  enum shunt_parse_cause cause = respond_check_ipv4(frame, parsed, host, &record_route);
  if (cause)
    return cause;
  if (parsed->protocol != SHUNT_IPV4_PROTOCOL_ICMP)
    return SHUNT_CAUSE_IPV4_PROTOCOL_NOT_SERVED;
  if (parsed->l4_type != SHUNT_ICMP_ECHO_REQUEST)
    return SHUNT_CAUSE_ICMP_NOT_ECHO_REQUEST;

  respond_turn_ipv4(frame, parsed, host, record_route);
  struct shunt_icmp_header *icmp =
      (struct shunt_icmp_header *)((uint8_t *)frame + parsed->l4_offset);
  uint16_t before = shunt_load_be16(icmp);
  icmp->type = SHUNT_ICMP_ECHO_REPLY;
  uint16_t after = shunt_load_be16(icmp);
  uint16_t checksum = shunt_checksum_update(shunt_load_be16(icmp->checksum), before, after);
  if (SHUNT_UNLIKELY(checksum == 0 && after == 0))
    checksum = shunt_checksum_of_zero(icmp->id, parsed->l4_bytes - 4);
  shunt_store_be16(icmp->checksum, checksum);
  return SHUNT_CAUSE_NONE;
}

/* Services that answer whatever comes: echo, daytime, quote of the day, character generator. */
static bool respond_would_loop(uint16_t source_port)
{
  return source_port == 7 || source_port == 13 || source_port == 17 || source_port == 19;
}

/* On a virtual interface the kernel leaves the checksum to a NIC that is not there: the field holds
 * the pseudo header's sum (CHECKSUM_PARTIAL, linux/skbuff.h). If a whole checksum happens to be
 * that number, making it anew does no harm. */
static bool respond_is_partial(const struct shunt_parsed *parsed, uint16_t checksum)
{
  uint32_t sum = shunt_checksum_pseudo(parsed->source, parsed->destination, SHUNT_IPV4_PROTOCOL_UDP,
                                       parsed->l4_bytes);
  return shunt_checksum_finish(sum) + checksum == UINT16_MAX; /* one is the other's complement */
}

enum shunt_parse_cause shunt_udp_echo_reply_in_place(void *frame, const struct shunt_parsed *parsed,
                                                     const struct shunt_host *host)
{
  uint32_t record_route = 0;
  enum shunt_parse_cause cause = respond_check_ipv4(frame, parsed, host, &record_route);
  if (cause)
    return cause;
  if (parsed->protocol != SHUNT_IPV4_PROTOCOL_UDP)
    return SHUNT_CAUSE_IPV4_PROTOCOL_NOT_SERVED;
  if (host->udp_echo_port && parsed->destination_port != host->udp_echo_port)
    return SHUNT_CAUSE_UDP_PORT_NOT_SERVED;
  if (parsed->source_port == 0)
    return SHUNT_CAUSE_UDP_NO_SOURCE_PORT;
  if (respond_would_loop(parsed->source_port))
    return SHUNT_CAUSE_UDP_WOULD_LOOP;

  respond_turn_ipv4(frame, parsed, host, record_route);
  struct shunt_udp_header *udp = (struct shunt_udp_header *)((uint8_t *)frame + parsed->l4_offset);
  shunt_store_be16(udp->source_port, parsed->destination_port);
  shunt_store_be16(udp->destination_port, parsed->source_port);
  uint16_t checksum = shunt_load_be16(udp->checksum);
  if (checksum == 0)
    return SHUNT_CAUSE_NONE;
  if (respond_is_partial(parsed, checksum)) {
    shunt_store_be16(udp->checksum, 0);
    checksum = shunt_udp_checksum(host->ipv4, parsed->source, udp, parsed->l4_bytes);
    shunt_store_be16(udp->checksum, checksum);
    return SHUNT_CAUSE_NONE;
  }
  if (parsed->destination == host->ipv4)
    return SHUNT_CAUSE_NONE;
  /* The pseudo header held the group's address, and now holds the host's. */
  checksum = shunt_checksum_update32(checksum, parsed->destination, host->ipv4);
  shunt_store_be16(udp->checksum, checksum ? checksum : 0xffff);
  return SHUNT_CAUSE_NONE;
}

enum shunt_parse_cause shunt_respond_in_place(void *frame, uint32_t bytes, uint32_t verify,
                                              const struct shunt_host *host)
{
  struct shunt_parsed parsed;

  shunt_parse(frame, bytes, verify, &parsed);
  if (parsed.flags & SHUNT_PARSED_ARP)
    return shunt_arp_reply_in_place(frame, &parsed, host);
  if (parsed.protocol == SHUNT_IPV4_PROTOCOL_UDP)
    return shunt_udp_echo_reply_in_place(frame, &parsed, host);
  /* What is not ICMP either is sorted by cause there. */
  return shunt_icmp_echo_reply_in_place(frame, &parsed, host);
}
