/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/icmp.h"

#include <errno.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "src/proto/ipv4_frame.h"

#define ICMP_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool icmp_is_error(uint8_t type)
{
  return type == SHUNT_ICMP_DESTINATION_UNREACHABLE || type == SHUNT_ICMP_SOURCE_QUENCH ||
         type == SHUNT_ICMP_REDIRECT || type == SHUNT_ICMP_TIME_EXCEEDED ||
         type == SHUNT_ICMP_PARAMETER_PROBLEM;
}

/* An error quotes the header of the datagram that it is about, and 8 bytes of what follows at
 * least (RFC 1122 3.2.2). */
static void icmp_read_quotation(const uint8_t *quotation, uint32_t bytes, struct shunt_icmp *icmp)
{
  const struct shunt_ipv4_header *ipv4 = (const struct shunt_ipv4_header *)quotation;
  if (bytes < sizeof(*ipv4) || ipv4->version_and_length >> 4 != 4)
    return;
  uint32_t header_bytes = (ipv4->version_and_length & 0xfu) * 4;
  if (header_bytes < sizeof(*ipv4) || header_bytes > bytes)
    return;
  icmp->quotes = true;
  icmp->quoted_protocol = ipv4->protocol;
  icmp->quoted_source = shunt_load_be32(ipv4->source);
  icmp->quoted_destination = shunt_load_be32(ipv4->destination);

  const uint8_t *l4 = quotation + header_bytes;
  bool first = (shunt_load_be16(ipv4->fragment) & SHUNT_IPV4_FRAGMENT_OFFSET_MASK) == 0;
  if (!first || bytes - header_bytes < 8)
    return;
  if (ipv4->protocol == SHUNT_IPV4_PROTOCOL_ICMP) {
    const struct shunt_icmp_header *echo = (const struct shunt_icmp_header *)l4;
    if (echo->type != SHUNT_ICMP_ECHO_REQUEST)
      return;
    icmp->quoted_id = shunt_load_be16(echo->id);
    icmp->quoted_number = shunt_load_be16(echo->sequence);
  } else if (ipv4->protocol == SHUNT_IPV4_PROTOCOL_UDP ||
             ipv4->protocol == SHUNT_IPV4_PROTOCOL_TCP) {
    icmp->quoted_id = shunt_load_be16(l4);
    icmp->quoted_number = shunt_load_be16(l4 + 2);
  }
}

int shunt_icmp_read(const void *message, uint32_t bytes, struct shunt_icmp *icmp)
{
  const struct shunt_icmp_header *header = message;
  if (bytes < sizeof(*header))
    return -EINVAL;

  *icmp = (struct shunt_icmp){.type = header->type, .code = header->code};
  if (header->type == SHUNT_ICMP_ECHO_REQUEST || header->type == SHUNT_ICMP_ECHO_REPLY) {
    icmp->id = shunt_load_be16(header->id);
    icmp->sequence = shunt_load_be16(header->sequence);
  } else if (header->type == SHUNT_ICMP_DESTINATION_UNREACHABLE &&
             header->code == SHUNT_ICMP_CODE_TOO_BIG) {
    icmp->next_hop_mtu = shunt_load_be16(header->sequence);
  } else if (header->type == SHUNT_ICMP_REDIRECT) {
    icmp->gateway = shunt_load_be32(header->id);
  } else if (header->type == SHUNT_ICMP_PARAMETER_PROBLEM) {
    icmp->parameter_pointer = header->id[0];
  }
  if (icmp_is_error(header->type))
    icmp_read_quotation((const uint8_t *)message + sizeof(*header),
                        bytes - (uint32_t)sizeof(*header), icmp);
  return 0;
}

/* RFC 792, with the codes that RFC 1122 3.2.2.1 and RFC 1812 5.2.7.1 added. */
const char *shunt_icmp_name(uint8_t type, uint8_t code)
{
  static const char *const unreachable[] = {
      "network unreachable",
      "host unreachable",
      "protocol unreachable",
      "port unreachable",
      "too big to go on unfragmented",
      "source route failed",
      "network unknown",
      "host unknown",
      "source host isolated",
      "network prohibited",
      "host prohibited",
      "network unreachable for this type of service",
      "host unreachable for this type of service",
      "prohibited by a filter",
      "host precedence violation",
      "precedence below the minimum",
  };
  static const char *const types[] = {
      [SHUNT_ICMP_ECHO_REPLY] = "echo reply",
      [SHUNT_ICMP_DESTINATION_UNREACHABLE] = "destination unreachable",
      [SHUNT_ICMP_SOURCE_QUENCH] = "source quench",
      [SHUNT_ICMP_REDIRECT] = "redirect",
      [SHUNT_ICMP_ECHO_REQUEST] = "echo request",
      [9] = "router advertisement",
      [10] = "router solicitation",
      [SHUNT_ICMP_TIME_EXCEEDED] = "time exceeded",
      [SHUNT_ICMP_PARAMETER_PROBLEM] = "parameter problem",
      [13] = "timestamp request",
      [14] = "timestamp reply",
      [15] = "information request",
      [16] = "information reply",
      [17] = "address mask request",
      [18] = "address mask reply",
  };

  if (type == SHUNT_ICMP_DESTINATION_UNREACHABLE && code < ICMP_COUNT_OF(unreachable))
    return unreachable[code];
  if (type == SHUNT_ICMP_TIME_EXCEEDED && code == 0)
    return "time to live exceeded";
  if (type == SHUNT_ICMP_TIME_EXCEEDED && code == 1)
    return "reassembly time exceeded";
  if (type < ICMP_COUNT_OF(types) && types[type])
    return types[type];
  return "unknown";
}

uint32_t shunt_icmp_echo_build(void *header, uint32_t capacity, uint8_t type, uint16_t id,
                               uint16_t sequence, uint32_t payload_bytes)
{
  if (payload_bytes > SHUNT_ICMP_PAYLOAD_BYTES_MAX || capacity < SHUNT_ICMP_HEADER_BYTES ||
      payload_bytes > capacity - SHUNT_ICMP_HEADER_BYTES)
    return 0;

  struct shunt_icmp_header *icmp = header;
  uint32_t bytes = SHUNT_ICMP_HEADER_BYTES + payload_bytes;
  icmp->type = type;
  icmp->code = 0;
  shunt_store_be16(icmp->id, id);
  shunt_store_be16(icmp->sequence, sequence);
  shunt_store_be16(icmp->checksum, 0);
  shunt_store_be16(icmp->checksum, shunt_checksum(icmp, bytes));
  return bytes;
}

uint32_t shunt_icmp_echo_frame_build(void *frame, uint32_t capacity,
                                     const struct shunt_ipv4_ends *ends, uint8_t type, uint16_t id,
                                     uint16_t sequence, const void *payload, uint32_t payload_bytes)
{
  uint8_t *start = frame;
  const struct ipv4_frame_payload piece = {SHUNT_ICMP_PAYLOAD_START, payload, payload_bytes,
                                           SHUNT_ICMP_PAYLOAD_BYTES_MAX};
  uint32_t at = ipv4_frame_begin(start, capacity, ends, SHUNT_IPV4_PROTOCOL_ICMP, &piece);
  if (!at)
    return 0;
  return at + shunt_icmp_echo_build(start + at, capacity - at, type, id, sequence, payload_bytes);
}
