/* SPDX-License-Identifier: BSD-2-Clause */
/* Answer a frame in the buffer it came in: ARP requests, ICMP echo and UDP echo.
 *
 * A responder gets a frame and what shunt_parse said about it. Either it turns the frame into the
 * answer and returns SHUNT_CAUSE_NONE; or it leaves every byte as it was and returns why. The
 * answer is as long as the question, so VLAN tags and Ethernet padding stay.
 *
 * What is not answered, beyond what the parser drops:
 * - what is not addressed to the host: its MAC address or an Ethernet group, its IPv4 address;
 * - IPv4 to a broadcast or multicast address, unless SHUNT_HOST_ANSWER_GROUPS asks for it: RFC 1122
 *   3.2.2.6 lets a host discard it, and an amplifier is what it would be. Where it is answered, the
 *   answer's source is the host's own address;
 * - a datagram for one host in a frame for many (RFC 1122 3.3.6);
 * - a source that no answer may be sent to: 0.0.0.0/8, loopback, multicast, broadcast, or the
 *   host's own address ("land"); a frame from an Ethernet group address;
 * - fragments, which would have to be reassembled first;
 * - source routes: RFC 1122 3.2.2.6 wants them reversed, RFC 7126 4.3 and 4.4 want them dropped,
 * and dropped they are. A record route is filled in and returned as RFC 1122 3.2.2.6 says (ping
 * -R); padding options stay; a datagram with any other option, timestamps among them, is dropped.
 *
 * The time to live is left as it came. A host would start again from its own default (RFC 1122
 * 3.2.1.7); so where the way back is longer than what was left over on the way here, the answer is
 * lost. On the one hop that a responder is made for it isn't.
 *
 * Functions are pure, and may be called from any thread. */
#ifndef SHUNT_RESPOND_H
#define SHUNT_RESPOND_H

#include "shunt/ethernet.h"
#include "shunt/parse.h"

SHUNT_BEGIN_DECLS

#define SHUNT_HOST_ANSWER_GROUPS 0x1u /* answer echoes to broadcast and multicast addresses too */

/* The port of the UDP echo service (RFC 862). */
#define SHUNT_UDP_ECHO_PORT 7

/* Who answers. */
struct shunt_host {
  struct shunt_mac mac;
  uint8_t prefix_bits;    /* of the network, 1..32, to know its directed broadcast; 0: not known */
  uint32_t ipv4;          /* host order */
  uint32_t flags;         /* SHUNT_HOST_* */
  uint16_t udp_echo_port; /* which port echoes; 0: every one */
};

/* Answer an ARP request for the host's address (RFC 826; a probe, with sender 0, is answered too:
 * RFC 5227 2.1.1). The answer goes to the sender's MAC address as the packet states it.
 *
 * frame   edited only where SHUNT_CAUSE_NONE is returned
 * parsed  what shunt_parse filled for this very frame
 * Returns SHUNT_CAUSE_NONE, or why there is no answer; parsed->cause where that is set. */
enum shunt_parse_cause shunt_arp_reply_in_place(void *frame, const struct shunt_parsed *parsed,
                                                const struct shunt_host *host);

/* Answer an ICMP echo request (RFC 792, RFC 1122 3.2.2.6): MAC and IPv4 addresses swapped, type 8
 * made 0, and the ICMP checksum stepped by RFC 1624 equation 3, never computed anew: a payload that
 * was damaged on the way arrives back with a checksum that says so. The IPv4 checksum is the same
 * after the swap (RFC 1071 2(A)), and is touched only for a group address or a record route.
 * Parameters and return as above. */
enum shunt_parse_cause shunt_icmp_echo_reply_in_place(void *frame,
                                                      const struct shunt_parsed *parsed,
                                                      const struct shunt_host *host);

/* Answer a UDP datagram with itself (RFC 862): MAC and IPv4 addresses and ports swapped; neither
 * checksum changes by that. A checksum that holds the pseudo header's sum alone (the kernel leaves
 * it so on virtual interfaces, CHECKSUM_PARTIAL) is made whole in the answer. Not answered are a
 * source port of 0 (nowhere to answer to, RFC 768) and one of a service that answers everything:
 * two such would never stop (echo 7, daytime 13, quote 17, chargen 19). Parameters and return as
 * above. */
enum shunt_parse_cause shunt_udp_echo_reply_in_place(void *frame, const struct shunt_parsed *parsed,
                                                     const struct shunt_host *host);

/* Parse a frame and answer it by whichever of the three is meant.
 *
 * verify  as for shunt_parse
 * Returns SHUNT_CAUSE_NONE when frame now holds the answer, of the same length; or why not. */
enum shunt_parse_cause shunt_respond_in_place(void *frame, uint32_t bytes, uint32_t verify,
                                              const struct shunt_host *host);

SHUNT_END_DECLS

#endif
