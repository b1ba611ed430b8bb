/* SPDX-License-Identifier: BSD-2-Clause */
/* Look at one frame: what it is, where its parts begin, and, if it is to be dropped, why.
 *
 * The causes of the parser and of the responders (shunt/respond.h) are one list, so that one array
 * of SHUNT_CAUSE_COUNT counters, indexed by cause, accounts for every frame. Their short names are
 * stable: they are the names of counters in reports and metrics.
 *
 * Numbers are in host order (shunt/bytes.h). Functions are pure, and may be called from any thread.
 */
#ifndef SHUNT_PARSE_H
#define SHUNT_PARSE_H

#include <stdbool.h>

#include "shunt/base.h"

SHUNT_BEGIN_DECLS

enum shunt_parse_cause {
  SHUNT_CAUSE_NONE, /* nothing wrong: the frame is accepted, or was answered */

  /* What the parser finds. */
  SHUNT_CAUSE_ETHERNET_TRUNCATED,
  SHUNT_CAUSE_ETHERNET_BAD_LENGTH,
  SHUNT_CAUSE_VLAN_TRUNCATED,
  SHUNT_CAUSE_VLAN_TOO_MANY,
  SHUNT_CAUSE_ARP_TRUNCATED,
  SHUNT_CAUSE_ARP_BAD_HARDWARE,
  SHUNT_CAUSE_ARP_BAD_PROTOCOL,
  SHUNT_CAUSE_ARP_BAD_SIZES,
  SHUNT_CAUSE_IPV4_TRUNCATED,
  SHUNT_CAUSE_IPV4_BAD_VERSION,
  SHUNT_CAUSE_IPV4_BAD_HEADER_LENGTH,
  SHUNT_CAUSE_IPV4_BAD_TOTAL_LENGTH,
  SHUNT_CAUSE_IPV4_BEYOND_FRAME,
  SHUNT_CAUSE_IPV4_BAD_CHECKSUM,
  SHUNT_CAUSE_IPV4_BAD_OPTION,
  SHUNT_CAUSE_IPV4_BAD_FRAGMENT,
  SHUNT_CAUSE_UDP_TRUNCATED,
  SHUNT_CAUSE_UDP_BAD_LENGTH,
  SHUNT_CAUSE_UDP_BAD_CHECKSUM,
  SHUNT_CAUSE_ICMP_TRUNCATED,
  SHUNT_CAUSE_ICMP_BAD_CHECKSUM,
  SHUNT_CAUSE_IGMP_TRUNCATED,
  SHUNT_CAUSE_IGMP_BAD_LENGTH,
  SHUNT_CAUSE_IGMP_BAD_CHECKSUM,
  SHUNT_CAUSE_IGMP_NOT_A_QUERY, /* shunt_igmp_query_read alone */

  /* Why a responder leaves a sound frame unanswered. */
  SHUNT_CAUSE_ETHERNET_NOT_FOR_US,
  SHUNT_CAUSE_ETHERNET_BAD_SOURCE,
  SHUNT_CAUSE_ETHERNET_TYPE_NOT_SERVED,
  SHUNT_CAUSE_ARP_NOT_A_REQUEST,
  SHUNT_CAUSE_ARP_NOT_FOR_US,
  SHUNT_CAUSE_ARP_BAD_SENDER,
  SHUNT_CAUSE_ARP_CONFLICT,
  SHUNT_CAUSE_IPV4_NOT_FOR_US,
  SHUNT_CAUSE_IPV4_IN_LINK_BROADCAST,
  SHUNT_CAUSE_IPV4_TO_BROADCAST,
  SHUNT_CAUSE_IPV4_TO_MULTICAST,
  SHUNT_CAUSE_IPV4_SOURCE_ZERO,
  SHUNT_CAUSE_IPV4_SOURCE_LOOPBACK,
  SHUNT_CAUSE_IPV4_SOURCE_MULTICAST,
  SHUNT_CAUSE_IPV4_SOURCE_BROADCAST,
  SHUNT_CAUSE_IPV4_SOURCE_IS_US,
  SHUNT_CAUSE_IPV4_FRAGMENT,
  SHUNT_CAUSE_IPV4_SOURCE_ROUTE,
  SHUNT_CAUSE_IPV4_OPTION_NOT_SERVED,
  SHUNT_CAUSE_IPV4_PROTOCOL_NOT_SERVED,
  SHUNT_CAUSE_ICMP_NOT_ECHO_REQUEST,
  SHUNT_CAUSE_UDP_PORT_NOT_SERVED,
  SHUNT_CAUSE_UDP_NO_SOURCE_PORT,
  SHUNT_CAUSE_UDP_WOULD_LOOP,

  SHUNT_CAUSE_COUNT
};

/* What to verify beyond lengths, e.g. where no NIC has done it. */
#define SHUNT_PARSE_VERIFY_IPV4 0x1u /* the IPv4 header's checksum */
#define SHUNT_PARSE_VERIFY_L4   0x2u /* the checksum of UDP, ICMP and IGMP, unless a fragment */
#define SHUNT_PARSE_VERIFY_ALL  (SHUNT_PARSE_VERIFY_IPV4 | SHUNT_PARSE_VERIFY_L4)

/* Flags of a parsed frame. */
#define SHUNT_PARSED_BROADCAST       0x0001u /* to the Ethernet broadcast address */
#define SHUNT_PARSED_MULTICAST       0x0002u /* to another Ethernet group address */
#define SHUNT_PARSED_VLAN            0x0004u /* at least one tag */
#define SHUNT_PARSED_8023            0x0008u /* the type field is a length, as in spanning tree */
#define SHUNT_PARSED_ARP             0x0010u
#define SHUNT_PARSED_IPV4            0x0020u
#define SHUNT_PARSED_IPV4_OPTIONS    0x0040u
#define SHUNT_PARSED_FRAGMENT        0x0080u /* a part of a datagram: one of the next three too */
#define SHUNT_PARSED_FRAGMENT_FIRST  0x0100u
#define SHUNT_PARSED_FRAGMENT_MIDDLE 0x0200u
#define SHUNT_PARSED_FRAGMENT_LAST   0x0400u
#define SHUNT_PARSED_MORE_FRAGMENTS  0x0800u
#define SHUNT_PARSED_L4              0x1000u /* UDP, ICMP or IGMP, its header there and looked at */
#define SHUNT_PARSED_PADDED          0x2000u /* bytes follow the datagram: Ethernet padding */

#define SHUNT_PARSE_VLAN_TAGS 2

/* A frame taken apart. Offsets count from the frame's first byte. A field that the frame doesn't
 * have, or that lies behind the point where a cause was found, is 0. */
struct shunt_parsed {
  enum shunt_parse_cause cause;
  uint32_t flags;       /* SHUNT_PARSED_* */
  uint32_t frame_bytes; /* as given */
  uint32_t l3_bytes; /* IPv4: the total length; ARP: 28; 802.3: by its length; else all there is */
  uint32_t l4_bytes; /* IPv4: its payload, without Ethernet padding; UDP: by its own length */
  uint32_t payload_bytes;
  uint32_t source;      /* IPv4 address, or an ARP packet's sender */
  uint32_t destination; /* IPv4 address, or an ARP packet's target */
  uint16_t ethertype;   /* behind the tags; below SHUNT_ETHERNET_TYPE_MIN it is a length */
  uint16_t vlan_control[SHUNT_PARSE_VLAN_TAGS]; /* outermost first */
  uint16_t l3_offset;
  uint16_t l4_offset;
  uint16_t payload_offset;   /* behind the last header that was understood */
  uint16_t fragment_offset;  /* in bytes, 0..65,528 */
  uint16_t source_port;      /* UDP */
  uint16_t destination_port; /* UDP */
  uint8_t vlan_tags;         /* 0..SHUNT_PARSE_VLAN_TAGS */
  uint8_t protocol;          /* IPv4 */
  uint8_t l4_type;           /* ICMP, IGMP */
  uint8_t l4_code;           /* ICMP */
};

/* Take a frame apart.
 *
 * Accepted are frames of every type and protocol; what is not known here ends the way down, without
 * being wrong. Ethernet padding behind a datagram is no error. The transport header is looked at in
 * a whole datagram and in a first fragment; lengths and checksum of UDP, ICMP and IGMP only in a
 * whole one.
 *
 * frame, bytes  from the destination address on, without frame check sequence; any bytes whatever
 * verify        SHUNT_PARSE_VERIFY_* or 0
 * parsed        filled always
 * Returns parsed->cause. */
enum shunt_parse_cause shunt_parse(const void *frame, uint32_t bytes, uint32_t verify,
                                   struct shunt_parsed *parsed);

/* The short name of a cause, e.g. "ipv4-bad-checksum"; "none" for SHUNT_CAUSE_NONE. Never changes
 * from release to release, and is never NULL: what is no cause is "unknown". */
const char *shunt_parse_cause_name(enum shunt_parse_cause cause);

/* A cause in a sentence for a person, with the rule it comes from. Never NULL. */
const char *shunt_parse_cause_text(enum shunt_parse_cause cause);

SHUNT_END_DECLS

#endif
