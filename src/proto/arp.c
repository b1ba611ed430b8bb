/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/arp.h"

#include "shunt/bytes.h"

static void arp_write(uint8_t *frame, uint16_t operation, struct shunt_mac sender_mac,
                      uint32_t sender_ipv4, struct shunt_mac target_mac, uint32_t target_ipv4)
{
  struct shunt_arp_packet *arp = (struct shunt_arp_packet *)(frame + SHUNT_ETHERNET_HEADER_BYTES);
  shunt_store_be16(arp->hardware_type, SHUNT_ARP_HARDWARE_ETHERNET);
  shunt_store_be16(arp->protocol_type, SHUNT_ETHERNET_TYPE_IPV4);
  arp->hardware_bytes = sizeof(arp->sender_mac);
  arp->protocol_bytes = sizeof(arp->sender_ipv4);
  shunt_store_be16(arp->operation, operation);
  arp->sender_mac = sender_mac;
  shunt_store_be32(arp->sender_ipv4, sender_ipv4);
  arp->target_mac = target_mac;
  shunt_store_be32(arp->target_ipv4, target_ipv4);
}

uint32_t shunt_arp_request_build(void *frame, uint32_t capacity, struct shunt_mac sender_mac,
                                 uint32_t sender_ipv4, uint32_t target_ipv4)
{
  static const struct shunt_mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  static const struct shunt_mac unknown = {{0}};

  if (capacity < SHUNT_ARP_FRAME_BYTES)
    return 0;
  shunt_ethernet_build(frame, broadcast, sender_mac, SHUNT_ETHERNET_TYPE_ARP);
  arp_write(frame, SHUNT_ARP_REQUEST, sender_mac, sender_ipv4, unknown, target_ipv4);
  return SHUNT_ARP_FRAME_BYTES;
}

uint32_t shunt_arp_reply_build(void *frame, uint32_t capacity, struct shunt_mac sender_mac,
                               uint32_t sender_ipv4, struct shunt_mac target_mac,
                               uint32_t target_ipv4)
{
  if (capacity < SHUNT_ARP_FRAME_BYTES)
    return 0;
  shunt_ethernet_build(frame, target_mac, sender_mac, SHUNT_ETHERNET_TYPE_ARP);
  arp_write(frame, SHUNT_ARP_REPLY, sender_mac, sender_ipv4, target_mac, target_ipv4);
  return SHUNT_ARP_FRAME_BYTES;
}
