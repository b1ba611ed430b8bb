/* SPDX-License-Identifier: BSD-2-Clause */
/* The causes of shunt/parse.h in words. A name is the name of a counter: add some, change none. */
#include "shunt/parse.h"

struct parse_cause_words {
  const char *name;
  const char *text;
};

#define CAUSE(cause, name, text) [SHUNT_CAUSE_##cause] = {name, text}

static const struct parse_cause_words parse_causes[SHUNT_CAUSE_COUNT] = {
    CAUSE(NONE, "none", "Nothing is wrong with the frame."),

    CAUSE(ETHERNET_TRUNCATED, "ethernet-truncated",
          "The frame is shorter than an Ethernet header, 14 bytes."),
    CAUSE(ETHERNET_BAD_LENGTH, "ethernet-bad-length",
          "The type field is a length that the frame does not have, or one that IEEE 802.3 leaves "
          "undefined (1501 to 1535)."),
    CAUSE(VLAN_TRUNCATED, "vlan-truncated", "The frame ends inside a VLAN tag."),
    CAUSE(VLAN_TOO_MANY, "vlan-too-many", "The frame has more than two VLAN tags."),
    CAUSE(ARP_TRUNCATED, "arp-truncated", "The frame ends inside its ARP packet."),
    CAUSE(ARP_BAD_HARDWARE, "arp-bad-hardware",
          "The ARP packet is for hardware other than Ethernet."),
    CAUSE(ARP_BAD_PROTOCOL, "arp-bad-protocol",
          "The ARP packet is for a protocol other than IPv4."),
    CAUSE(ARP_BAD_SIZES, "arp-bad-sizes",
          "The ARP packet's address sizes are not 6 and 4, those of Ethernet and IPv4."),
    CAUSE(IPV4_TRUNCATED, "ipv4-truncated", "The frame ends inside its IPv4 header."),
    CAUSE(IPV4_BAD_VERSION, "ipv4-bad-version",
          "The frame's type is IPv4, but the header's version isn't 4."),
    CAUSE(IPV4_BAD_HEADER_LENGTH, "ipv4-bad-header-length",
          "The IPv4 header says that it is shorter than 20 bytes."),
    CAUSE(IPV4_BAD_TOTAL_LENGTH, "ipv4-bad-total-length",
          "The IPv4 total length is less than its header's."),
    CAUSE(IPV4_BEYOND_FRAME, "ipv4-beyond-frame",
          "The IPv4 total length reaches beyond the frame's end."),
    CAUSE(IPV4_BAD_CHECKSUM, "ipv4-bad-checksum",
          "The IPv4 header's checksum is wrong (RFC 1122 3.2.1.2)."),
    CAUSE(IPV4_BAD_OPTION, "ipv4-bad-option",
          "An IPv4 option is malformed: its length is below 2, reaches beyond the header, or "
          "leaves no room for what it holds."),
    CAUSE(IPV4_BAD_FRAGMENT, "ipv4-bad-fragment",
          "An IPv4 fragment is empty, is no multiple of 8 bytes though more follow, or reaches "
          "beyond 65,535 bytes."),
    CAUSE(UDP_TRUNCATED, "udp-truncated", "The datagram ends inside its UDP header."),
    CAUSE(UDP_BAD_LENGTH, "udp-bad-length",
          "The UDP length is less than its header's or reaches beyond the datagram."),
    CAUSE(UDP_BAD_CHECKSUM, "udp-bad-checksum", "The UDP checksum is wrong (RFC 1122 4.1.3.4)."),
    CAUSE(ICMP_TRUNCATED, "icmp-truncated", "The datagram ends inside its ICMP header."),
    CAUSE(ICMP_BAD_CHECKSUM, "icmp-bad-checksum", "The ICMP checksum is wrong (RFC 792)."),
    CAUSE(IGMP_TRUNCATED, "igmp-truncated",
          "The IGMP message is shorter than 8 bytes (RFC 2236 2)."),
    CAUSE(IGMP_BAD_LENGTH, "igmp-bad-length",
          "The IGMP query's length belongs to no version, or does not hold its sources (RFC 3376 "
          "7.1)."),
    CAUSE(IGMP_BAD_CHECKSUM, "igmp-bad-checksum", "The IGMP checksum is wrong (RFC 3376 4.1.2)."),
    CAUSE(IGMP_NOT_A_QUERY, "igmp-not-a-query", "The IGMP message is not a membership query."),

    CAUSE(ETHERNET_NOT_FOR_US, "ethernet-not-for-us",
          "The frame is for another station's MAC address."),
    CAUSE(ETHERNET_BAD_SOURCE, "ethernet-bad-source",
          "The frame comes from a group address, which no station has (IEEE 802.3 3.2.3)."),
    CAUSE(ETHERNET_TYPE_NOT_SERVED, "ethernet-type-not-served",
          "The frame is neither ARP nor IPv4."),
    CAUSE(ARP_NOT_A_REQUEST, "arp-not-a-request", "The ARP packet asks for nothing."),
    CAUSE(ARP_NOT_FOR_US, "arp-not-for-us", "The ARP request is for another host's address."),
    CAUSE(ARP_BAD_SENDER, "arp-bad-sender",
          "The ARP request's sender is a group or loopback address."),
    CAUSE(ARP_CONFLICT, "arp-conflict",
          "Another station claims this host's IPv4 address (RFC 5227 2.4)."),
    CAUSE(IPV4_NOT_FOR_US, "ipv4-not-for-us", "The datagram is for another host's address."),
    CAUSE(IPV4_IN_LINK_BROADCAST, "ipv4-in-link-broadcast",
          "A datagram for one host came in a frame for many (RFC 1122 3.3.6)."),
    CAUSE(IPV4_TO_BROADCAST, "ipv4-to-broadcast",
          "The datagram is for a broadcast address, and the host was not asked to answer such (RFC "
          "1122 3.2.2.6)."),
    CAUSE(IPV4_TO_MULTICAST, "ipv4-to-multicast",
          "The datagram is for a multicast group, and the host was not asked to answer such (RFC "
          "1122 3.2.2.6)."),
    CAUSE(IPV4_SOURCE_ZERO, "ipv4-source-zero",
          "The source is in 0.0.0.0/8: there is nowhere to answer to."),
    CAUSE(IPV4_SOURCE_LOOPBACK, "ipv4-source-loopback",
          "The source is a loopback address, which must not be on a wire (RFC 1122 3.2.1.3)."),
    CAUSE(IPV4_SOURCE_MULTICAST, "ipv4-source-multicast",
          "The source is a multicast group (RFC 1112 7.2)."),
    CAUSE(IPV4_SOURCE_BROADCAST, "ipv4-source-broadcast",
          "The source is a broadcast address (RFC 1122 3.2.1.3)."),
    CAUSE(IPV4_SOURCE_IS_US, "ipv4-source-is-us",
          "The source is the host's own address: an answer would answer itself (\"land\")."),
    CAUSE(IPV4_FRAGMENT, "ipv4-fragment",
          "The datagram is a fragment, and nothing is reassembled here."),
    CAUSE(IPV4_SOURCE_ROUTE, "ipv4-source-route",
          "The datagram is source routed, which is dropped as RFC 7126 4.3 and 4.4 advise."),
    CAUSE(IPV4_OPTION_NOT_SERVED, "ipv4-option-not-served",
          "The datagram has an IPv4 option that an answer would have to treat and this one can't."),
    CAUSE(IPV4_PROTOCOL_NOT_SERVED, "ipv4-protocol-not-served",
          "The datagram's protocol is answered by no one here."),
    CAUSE(ICMP_NOT_ECHO_REQUEST, "icmp-not-echo-request",
          "The ICMP message is not an echo request."),
    CAUSE(UDP_PORT_NOT_SERVED, "udp-port-not-served",
          "The datagram is not for the port that echoes."),
    CAUSE(UDP_NO_SOURCE_PORT, "udp-no-source-port",
          "The datagram's source port is 0: it wants no answer (RFC 768)."),
    CAUSE(UDP_WOULD_LOOP, "udp-would-loop",
          "The datagram comes from the port of a service that answers everything: the two would "
          "never stop."),
};

const char *shunt_parse_cause_name(enum shunt_parse_cause cause)
{
  return (unsigned)cause < SHUNT_CAUSE_COUNT ? parse_causes[cause].name : "unknown";
}

const char *shunt_parse_cause_text(enum shunt_parse_cause cause)
{
  return (unsigned)cause < SHUNT_CAUSE_COUNT
             ? parse_causes[cause].text
             : "This number is no cause that a frame is dropped for.";
}
