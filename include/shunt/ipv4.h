/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 (RFC 791): addresses, header, options, and its multicast on Ethernet (RFC 1112 6.4).
 *
 * An IPv4 address is a uint32_t in host order: 192.0.2.1 is 0xc0000201 (shunt/bytes.h). Functions
 * are pure, and may be called from any thread. */
#ifndef SHUNT_IPV4_H
#define SHUNT_IPV4_H

#include "shunt/ethernet.h"

SHUNT_BEGIN_DECLS

#define SHUNT_IPV4_HEADER_BYTES     20 /* without options */
#define SHUNT_IPV4_HEADER_BYTES_MAX 60
#define SHUNT_IPV4_OPTIONS_BYTES    40 /* most that a header can hold */
#define SHUNT_IPV4_TOTAL_BYTES_MAX  65535

#define SHUNT_IPV4_PROTOCOL_ICMP 1
#define SHUNT_IPV4_PROTOCOL_IGMP 2
#define SHUNT_IPV4_PROTOCOL_TCP  6
#define SHUNT_IPV4_PROTOCOL_UDP  17

/* The fragment field: two flags and an offset in units of 8 bytes. */
#define SHUNT_IPV4_DONT_FRAGMENT        0x4000
#define SHUNT_IPV4_MORE_FRAGMENTS       0x2000
#define SHUNT_IPV4_FRAGMENT_OFFSET_MASK 0x1fff

/* Options, by their first byte (RFC 791 3.1; router alert RFC 2113). */
#define SHUNT_IPV4_OPTION_END                 0
#define SHUNT_IPV4_OPTION_NOP                 1
#define SHUNT_IPV4_OPTION_RECORD_ROUTE        7
#define SHUNT_IPV4_OPTION_TIMESTAMP           68
#define SHUNT_IPV4_OPTION_LOOSE_SOURCE_ROUTE  131
#define SHUNT_IPV4_OPTION_STRICT_SOURCE_ROUTE 137
#define SHUNT_IPV4_OPTION_ROUTER_ALERT        148

#define SHUNT_IPV4_BROADCAST 0xffffffffu /* limited broadcast, 255.255.255.255 */

/* "255.255.255.255" and its NUL. */
#define SHUNT_IPV4_TEXT_BYTES 16

struct shunt_ipv4_header {
  uint8_t version_and_length; /* version in the high half, length in 4-byte words in the low */
  uint8_t type_of_service;
  uint8_t total_bytes[2];
  uint8_t id[2];
  uint8_t fragment[2];
  uint8_t time_to_live;
  uint8_t protocol;
  uint8_t checksum[2];
  uint8_t source[4];
  uint8_t destination[4];
};

static_assert(sizeof(struct shunt_ipv4_header) == SHUNT_IPV4_HEADER_BYTES, "RFC 791 3.1");
static_assert(offsetof(struct shunt_ipv4_header, fragment) == 6, "RFC 791 3.1");
static_assert(offsetof(struct shunt_ipv4_header, checksum) == 10, "RFC 791 3.1");
static_assert(offsetof(struct shunt_ipv4_header, source) == 12, "RFC 791 3.1");

/* Between whom a frame travels: what a builder of whole frames needs to know. */
struct shunt_ipv4_ends {
  struct shunt_mac source_mac;
  struct shunt_mac destination_mac;
  uint32_t source;
  uint32_t destination;
};

/* What shunt_ipv4_build writes. Zero means zero in every field: set time_to_live. */
struct shunt_ipv4_fields {
  uint32_t source;
  uint32_t destination;
  uint32_t payload_bytes; /* what follows the header: 0..65,515 less the options */
  uint16_t id;
  uint16_t fragment; /* flags and offset */
  uint8_t type_of_service;
  uint8_t time_to_live;
  uint8_t protocol;
  uint8_t option_bytes;   /* 0..40; padded with SHUNT_IPV4_OPTION_END to a multiple of 4 */
  const uint8_t *options; /* may be NULL when option_bytes is 0 */
};

/* One option, as shunt_ipv4_option_next finds it. */
struct shunt_ipv4_option {
  uint8_t type;
  uint8_t bytes;  /* type and length included; 1 for SHUNT_IPV4_OPTION_NOP */
  uint32_t start; /* where it begins, counted from the first option */
};

/* 224.0.0.0/4, RFC 1112 4. */
inline bool shunt_ipv4_is_multicast(uint32_t address)
{
  return address >> 28 == 0xe;
}

/* 127.0.0.0/8, never to be seen on a wire (RFC 1122 3.2.1.3 (g)). */
inline bool shunt_ipv4_is_loopback(uint32_t address)
{
  return address >> 24 == 127;
}

/* 0.0.0.0/8, "this host on this network", only good as a source while it has no address (RFC 1122
 * 3.2.1.3 (a), (b)). */
inline bool shunt_ipv4_is_this_network(uint32_t address)
{
  return address >> 24 == 0;
}

/* Is it the limited broadcast, or the one directed to the network of local?
 *
 * local        an address in the network
 * prefix_bits  length of the network's prefix; with 0 (not known), 31 (RFC 3021) or 32 there is no
 *              directed broadcast */
bool shunt_ipv4_is_broadcast(uint32_t address, uint32_t local, uint8_t prefix_bits);

/* The MAC address that a multicast group is sent to: 01:00:5e and the low 23 bits of the group
 * (RFC 1112 6.4), so that 32 groups share each. */
struct shunt_mac shunt_ipv4_multicast_mac(uint32_t group);

/* Read an address from text: four decimal numbers 0..255 with dots between, without leading zeros,
 * blanks or anything behind.
 *
 * address  filled on success, else untouched
 * Returns 0, or -EINVAL. */
int shunt_ipv4_parse(const char *text, uint32_t *address);

/* Read "192.0.2.1/24": an address as above and the length of its network's prefix, 0..32. Without
 * a slash the prefix is 32. Both are filled on success, else neither.
 * Returns 0, or -EINVAL. */
int shunt_ipv4_prefix_parse(const char *text, uint32_t *address, uint8_t *prefix_bits);

/* Write an address. Returns text, so that it can stand among printf's arguments. */
char *shunt_ipv4_format(uint32_t address, char text[SHUNT_IPV4_TEXT_BYTES]);

/* Write an IPv4 header, with its options and its checksum.
 *
 * header    where to; the payload belongs behind it
 * capacity  bytes that header has room for
 * Returns the header's length, 20..60 in steps of 4; or 0 with nothing written where that doesn't
 * fit, there are more than 40 bytes of options, or the whole would exceed 65,535 bytes. */
uint32_t shunt_ipv4_build(void *header, uint32_t capacity, const struct shunt_ipv4_fields *fields);

/* Step through the options of a header.
 *
 * options, bytes  the header behind its first 20 bytes
 * at              0 at first; kept by the call from step to step
 * option          filled where 1 is returned
 * Returns 1 for an option, 0 at the end (of the bytes, or SHUNT_IPV4_OPTION_END), -EINVAL where an
 * option's length is below 2 or reaches beyond the header. */
int shunt_ipv4_option_next(const void *options, uint32_t bytes, uint32_t *at,
                           struct shunt_ipv4_option *option);

SHUNT_END_DECLS

#endif
