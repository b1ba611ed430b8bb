/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP for IPv4 over Ethernet (RFC 826; probes and announcements RFC 5227).
 *
 * Numbers are in host order (shunt/bytes.h). Functions are pure, and may be called from any thread.
 * Received packets are read by shunt_parse (shunt/parse.h) and answered by shunt_arp_reply_in_place
 * (shunt/respond.h). */
#ifndef SHUNT_ARP_H
#define SHUNT_ARP_H

#include "shunt/ethernet.h"

SHUNT_BEGIN_DECLS

#define SHUNT_ARP_PACKET_BYTES 28
#define SHUNT_ARP_FRAME_BYTES  (SHUNT_ETHERNET_HEADER_BYTES + SHUNT_ARP_PACKET_BYTES)

#define SHUNT_ARP_HARDWARE_ETHERNET 1
#define SHUNT_ARP_REQUEST           1
#define SHUNT_ARP_REPLY             2

struct shunt_arp_packet {
  uint8_t hardware_type[2];
  uint8_t protocol_type[2];
  uint8_t hardware_bytes;
  uint8_t protocol_bytes;
  uint8_t operation[2];
  struct shunt_mac sender_mac;
  uint8_t sender_ipv4[4];
  struct shunt_mac target_mac;
  uint8_t target_ipv4[4];
};

static_assert(sizeof(struct shunt_arp_packet) == SHUNT_ARP_PACKET_BYTES, "RFC 826");
static_assert(offsetof(struct shunt_arp_packet, operation) == 6, "RFC 826");
static_assert(offsetof(struct shunt_arp_packet, sender_ipv4) == 14, "RFC 826");
static_assert(offsetof(struct shunt_arp_packet, target_mac) == 18, "RFC 826");

/* Write a frame that asks everyone for the MAC address of target_ipv4.
 *
 * With sender_ipv4 0 it is a probe: is the address taken? With sender_ipv4 equal to target_ipv4 it
 * is an announcement (RFC 5227 2.1.1, 2.3).
 * capacity  bytes that frame has room for; the frame is not padded (see shunt_ethernet_pad)
 * Returns SHUNT_ARP_FRAME_BYTES, or 0 where it doesn't fit. */
uint32_t shunt_arp_request_build(void *frame, uint32_t capacity, struct shunt_mac sender_mac,
                                 uint32_t sender_ipv4, uint32_t target_ipv4);

/* Write a frame that tells the target that sender_ipv4 is at sender_mac. Parameters and return as
 * above; the frame goes to target_mac alone. */
uint32_t shunt_arp_reply_build(void *frame, uint32_t capacity, struct shunt_mac sender_mac,
                               uint32_t sender_ipv4, struct shunt_mac target_mac,
                               uint32_t target_ipv4);

SHUNT_END_DECLS

#endif
