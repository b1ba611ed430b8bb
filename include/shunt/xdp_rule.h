/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules that say which frames of an interface come to a program, and which stay with the kernel.
 *
 *   struct shunt_xdp_rule rule;
 *   shunt_xdp_rule_parse("udp dst 239.1.1.1 port 31001", &rule, &error);
 *
 * A filter is a list of rules. A frame takes the action of the first rule that it matches; what
 * matches none passes to the kernel. A rule is a list of conditions, and matches a frame in which
 * each thing that they ask for is there, whole, and as asked. A rule without conditions matches
 * every frame.
 *
 * The text of a rule is a line of words, in any order but for the action, which comes first:
 *
 *   user, pass, drop        the action: to the program (also where no action is written), to the
 *                           kernel, to nobody
 *   all                     no condition
 *   mac 02:00:00:00:00:01   the destination's MAC address
 *   mac unicast, mac multicast
 *                           it is one station's; a group's, of which broadcast is one
 *   arp, ether 0x88f7       the ethertype, 0x0600..0xffff
 *   vlan 5                  the outermost VLAN tag has this id, 0..4095
 *   vlan none, vlan any     there is no tag; there is one
 *   ip4 (or ip), ip6        a sound IPv4 or IPv6 header
 *   udp, tcp, icmp, icmp6, igmp, proto 132
 *                           the IP protocol, 1..255
 *   src ADDRESS[/BITS], dst ADDRESS[/BITS]
 *                           the IP addresses
 *   dst multicast           after ip4 224.0.0.0/4 (RFC 5771), after ip6 ff00::/8 (RFC 4291 2.7)
 *   group ADDRESS           as dst, and has to be a multicast group
 *   src port LIST, dst port LIST, port LIST
 *                           UDP's and TCP's ports; port alone means the destination's. A list is
 *                           53 or 5000-5010 or 53,80,5000-5010
 *   fragments               fragments, too: see below
 *
 * No '&', '=' or ';' occurs in a rule, so rules fit in a device name (shunt/port.h):
 * "xdp:eth0?rules=arp;udp dst 239.1.1.1 port 31001;pass icmp".
 *
 * What was decided of frames that are not plain:
 *
 * MAC addresses are looked at in every frame that has a whole Ethernet header, whatever is in it. A
 * NIC drops what is addressed to others before any rule sees it: to match that, have it receive
 * such frames, too (shunt_port_promiscuous, shunt_port_multicast_add).
 *
 * VLAN. Up to two tags (0x8100, 0x88a8) are walked; the type behind them is the ethertype. A rule
 * without "vlan" matches with and without tags: so it does the same whether or not the NIC takes
 * tags off. A tag that the NIC took off counts as the outermost where the driver tells it; where it
 * doesn't, a rule with "vlan" is refused. Id 0 (a priority tag) is a tag. A frame that ends within
 * its Ethernet header or a tag matches no rule at all, not even "all".
 *
 * IPv4 is sound where the version is 4, the header length at least 20 bytes, and the header within
 * the frame. Options are skipped. Checksums are not verified.
 *
 * Fragments. Rules with ports match no fragment, not even the first one, which has them: all parts
 * of a datagram go to the same place, where they can be put together. With "fragments" a rule with
 * ports, which then has to say udp or tcp, matches every fragment that fits its other conditions,
 * as though it asked for no ports. Rules without ports match fragments anyway, and can't say it.
 *
 * IPv6 is sound where the version is 6 and the 40 bytes are within the frame. Extension headers
 * (hop-by-hop, routing, destination options) are walked, up to SHUNT_XDP_RULE_EXTENSIONS of them;
 * the header behind them is the protocol. Behind more, or where one is cut short, there is no
 * protocol and no port. A packet with a fragment header is a fragment, also where it is the only
 * one (RFC 6946); its protocol is what this header says, in each fragment of a datagram the same.
 *
 * IPsec. Authentication and encryption headers (51, 50) are protocols, in both versions of IP; what
 * is behind them is not looked at.
 *
 * Ports are there where the first 8 bytes of the UDP or TCP header are within the frame and within
 * the length that the IP header says. (A jumbogram, RFC 2675, says 0 there, and has no ports.)
 *
 * 802.3. A length where the ethertype would be (below 0x0600) matches rules that ask for no
 * ethertype and no IP.
 *
 * Numbers are in host order. Functions are pure, and may be called from any thread. */
#ifndef SHUNT_XDP_RULE_H
#define SHUNT_XDP_RULE_H

#include "shunt/error.h"
#include "shunt/ethernet.h"

SHUNT_BEGIN_DECLS

#define SHUNT_XDP_RULES_MOST      4096 /* rules that a filter holds */
#define SHUNT_XDP_PORT_RANGES     16   /* ranges of ports that a rule holds, for each direction */
#define SHUNT_XDP_RULE_EXTENSIONS 4    /* IPv6 extension headers that are walked */

/* Room for the text of any rule, with its NUL. */
#define SHUNT_XDP_RULE_TEXT_BYTES 640

enum shunt_xdp_action {
  SHUNT_XDP_USER, /* to the AF_XDP socket of the queue; to the kernel where there is none */
  SHUNT_XDP_PASS, /* to the kernel */
  SHUNT_XDP_DROP,
};

/* Of the destination's MAC address. The first bit on the wire says which kind it is (IEEE 802.3
 * 3.2.3). */
enum shunt_xdp_mac {
  SHUNT_XDP_MAC_WHATEVER,  /* the address doesn't matter */
  SHUNT_XDP_MAC_UNICAST,   /* one station's */
  SHUNT_XDP_MAC_MULTICAST, /* a group's; broadcast is one, too */
  SHUNT_XDP_MAC_ADDRESS,   /* this one */
};

enum shunt_xdp_vlan {
  SHUNT_XDP_VLAN_WHATEVER, /* tags don't matter */
  SHUNT_XDP_VLAN_NONE,     /* no tag */
  SHUNT_XDP_VLAN_ANY,      /* at least one tag */
  SHUNT_XDP_VLAN_ID,       /* the outermost tag has the id */
};

struct shunt_xdp_prefix {
  uint8_t address[16]; /* as in a packet; of IPv4 the first 4 bytes. 0 beyond the prefix */
  uint8_t bits;        /* 0: no condition; up to 32 (IPv4) or 128 (IPv6) */
};

struct shunt_xdp_ports {
  uint8_t count; /* 0: no condition; up to SHUNT_XDP_PORT_RANGES */
  struct {
    uint16_t first, last; /* both belong to the range */
  } range[SHUNT_XDP_PORT_RANGES];
};

/* A rule: all zero but for its size is "all". */
struct shunt_xdp_rule {
  size_t size;        /* set by the caller to sizeof(struct shunt_xdp_rule) */
  uint8_t action;     /* enum shunt_xdp_action */
  uint8_t vlan;       /* enum shunt_xdp_vlan */
  uint16_t vlan_id;   /* 0..4095; 0 unless vlan is SHUNT_XDP_VLAN_ID */
  uint16_t ethertype; /* behind the tags; 0: no condition */
  uint8_t ip_version; /* 4 or 6; 0: no condition */
  uint8_t protocol;   /* 0: no condition; with ports: UDP (17), TCP (6), or 0 for either */
  uint8_t fragments;  /* 1: match fragments by the other conditions; needs protocol and ports */
  uint8_t mac;        /* enum shunt_xdp_mac: of the destination */
  struct shunt_mac mac_address;                /* 0 unless mac is SHUNT_XDP_MAC_ADDRESS */
  struct shunt_xdp_prefix source, destination; /* need ip_version */
  struct shunt_xdp_ports source_ports, destination_ports; /* need protocol */
};

/* Say whether a rule can be expressed.
 *
 * Returns 0, or -EINVAL with the field, what it says and what would be right:
 *   size; an action, tag or number out of range; a MAC address or a VLAN id where none is asked
 *   for; an ethertype beside a condition on IP, below 0x0600 or of a VLAN tag; a prefix without IP
 *   version, longer than an address or with bits behind its length; ports of a protocol that has
 *   none; a range that is reversed; fragments without ports, or without a protocol */
int shunt_xdp_rule_check(const struct shunt_xdp_rule *rule, struct shunt_error *error);

/* Read one rule.
 *
 * rule     filled on success, else untouched
 * Returns  0, or -EINVAL; the error has the word, its place (the first character is 1), and what
 *          would be right */
int shunt_xdp_rule_parse(const char *text, struct shunt_xdp_rule *rule, struct shunt_error *error);

/* Read a list of rules with ';' between them. Empty rules are skipped, so "" is an empty list.
 *
 * rules, most  where to, and how many fit; the list's order is the filter's
 * count        how many there are
 * Returns      0; -EINVAL as above; -E2BIG: more than most. Of rules and count nothing counts then
 */
int shunt_xdp_rules_parse(const char *text, struct shunt_xdp_rule rules[], unsigned most,
                          unsigned *count, struct shunt_error *error);

/* Read a list of rules from a file. A line is a rule, or several with ';' between them; what is
 * behind a '#' is a comment, and empty lines are skipped.
 *
 *   # the exchange's lines
 *   udp dst 239.1.1.1 port 31001
 *   udp dst 239.1.1.2 port 31002
 *   pass igmp; pass icmp
 *
 * path         of a regular file, of 8 MiB at most
 * rules, most  where to, and how many fit; the file's order is the filter's
 * count        how many there are
 * Returns      0; -EINVAL: a rule, whose line the error names ("rules.txt:17: ..."), or no regular
 *              file; -E2BIG: more than most; -EFBIG; -ENOMEM; errors of open(2) and read(2). Of
 *              rules and count nothing counts then */
int shunt_xdp_rules_read(const char *path, struct shunt_xdp_rule rules[], unsigned most,
                         unsigned *count, struct shunt_error *error);

/* Write a rule as text that is read as the same rule.
 *
 * rule         one that shunt_xdp_rule_check passes
 * text, bytes  where to, and how much fits; always ends in a NUL when bytes > 0
 * Returns      the length without the NUL that the whole text has, as snprintf does; below
 *              SHUNT_XDP_RULE_TEXT_BYTES */
size_t shunt_xdp_rule_format(const struct shunt_xdp_rule *rule, char *text, size_t bytes);

SHUNT_END_DECLS

#endif
