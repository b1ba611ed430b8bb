/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet II frames (IEEE 802.3 3.1), MAC addresses, and VLAN tags (IEEE 802.1Q 9).
 *
 * Lengths of frames never count the frame check sequence: the NIC adds and removes it. Numbers are
 * in host order (shunt/bytes.h). Functions are pure, and may be called from any thread. */
#ifndef SHUNT_ETHERNET_H
#define SHUNT_ETHERNET_H

#include <assert.h>
#include <stdbool.h>

#include "shunt/base.h"

SHUNT_BEGIN_DECLS

#define SHUNT_ETHERNET_HEADER_BYTES 14
#define SHUNT_VLAN_TAG_BYTES        4
/* The shortest frame that may go on a wire: 64 bytes less the frame check sequence. */
#define SHUNT_ETHERNET_MIN_BYTES 60
/* Up to here the type field is a length (IEEE 802.3 3.2.6); types begin at 0x0600. */
#define SHUNT_ETHERNET_LENGTH_MAX 1500
#define SHUNT_ETHERNET_TYPE_MIN   0x0600

#define SHUNT_ETHERNET_TYPE_IPV4   0x0800
#define SHUNT_ETHERNET_TYPE_ARP    0x0806
#define SHUNT_ETHERNET_TYPE_VLAN   0x8100 /* 802.1Q customer tag */
#define SHUNT_ETHERNET_TYPE_IPV6   0x86dd
#define SHUNT_ETHERNET_TYPE_VLAN_S 0x88a8 /* 802.1ad service tag, the outer of two */

/* The parts of a tag's control information. */
#define SHUNT_VLAN_ID_MASK        0x0fff
#define SHUNT_VLAN_DROP_ELIGIBLE  0x1000
#define SHUNT_VLAN_PRIORITY_SHIFT 13

/* "02:00:5e:10:00:01" and its NUL. */
#define SHUNT_MAC_TEXT_BYTES 18

struct shunt_mac {
  uint8_t bytes[6];
};

struct shunt_ethernet_header {
  struct shunt_mac destination;
  struct shunt_mac source;
  uint8_t type[2];
};

/* Stands between the source address and the type field that was there before. */
struct shunt_vlan_tag {
  uint8_t type[2];
  uint8_t control[2];
};

static_assert(sizeof(struct shunt_mac) == 6, "IEEE 802.3 3.2.3");
static_assert(sizeof(struct shunt_ethernet_header) == SHUNT_ETHERNET_HEADER_BYTES, "802.3 3.1.1");
static_assert(offsetof(struct shunt_ethernet_header, type) == 12, "IEEE 802.3 3.1.1");
static_assert(sizeof(struct shunt_vlan_tag) == SHUNT_VLAN_TAG_BYTES, "IEEE 802.1Q 9.3");

/* A group address: multicast or broadcast (IEEE 802.3 3.2.3, the first bit on the wire). */
inline bool shunt_mac_is_group(struct shunt_mac mac)
{
  return (mac.bytes[0] & 1) != 0;
}

bool shunt_mac_is_broadcast(struct shunt_mac mac);
bool shunt_mac_equal(struct shunt_mac a, struct shunt_mac b);

/* Read a MAC address from text: six pairs of hexadecimal digits with colons between, nothing else.
 *
 * mac  filled on success, else untouched
 * Returns 0, or -EINVAL. */
int shunt_mac_parse(const char *text, struct shunt_mac *mac);

/* Write a MAC address in lower case. Returns text, so that it can stand among printf's arguments.
 */
char *shunt_mac_format(struct shunt_mac mac, char text[SHUNT_MAC_TEXT_BYTES]);

/* Write an Ethernet header at frame, which has room for SHUNT_ETHERNET_HEADER_BYTES.
 * Returns SHUNT_ETHERNET_HEADER_BYTES. */
uint32_t shunt_ethernet_build(void *frame, struct shunt_mac destination, struct shunt_mac source,
                              uint16_t type);

/* Lengthen a frame with zeros to the shortest that may go on a wire.
 *
 * A NIC may do this by itself (82599: HLREG0.TXPADEN); a TAP or veth interface doesn't.
 * capacity  bytes of the buffer that frame begins
 * Returns the new length: bytes where it was long enough, 0 where the buffer is too short. */
uint32_t shunt_ethernet_pad(void *frame, uint32_t bytes, uint32_t capacity);

/* Insert a tag in front of a frame's type field; what follows moves back by 4 bytes.
 *
 * capacity       bytes of the buffer that frame begins
 * type, control  of the tag, e.g. SHUNT_ETHERNET_TYPE_VLAN and a VLAN id
 * Returns the new length, or 0 with nothing changed where the buffer or the frame is too short. */
uint32_t shunt_vlan_insert(void *frame, uint32_t bytes, uint32_t capacity, uint16_t type,
                           uint16_t control);

/* Insert a tag by moving only the two addresses, forward into headroom: 12 bytes whatever the
 * frame's length.
 *
 * frame  at least 14 bytes, with at least 4 bytes of the same buffer free before it
 * Returns where the frame now begins: 4 bytes before. Its length has grown by 4. */
void *shunt_vlan_insert_headroom(void *frame, uint16_t type, uint16_t control);

/* Remove the outermost tag; what follows it moves forward by 4 bytes.
 *
 * type, control  where to put what the tag said; either may be NULL
 * Returns the new length, or 0 with nothing changed where the frame begins with no whole tag. */
uint32_t shunt_vlan_remove(void *frame, uint32_t bytes, uint16_t *type, uint16_t *control);

/* Remove the outermost tag by moving only the two addresses back.
 *
 * Returns where the frame now begins: 4 bytes behind, its length being 4 less; or NULL with nothing
 * changed where the frame begins with no whole tag. */
void *shunt_vlan_remove_headroom(void *frame, uint32_t bytes, uint16_t *type, uint16_t *control);

SHUNT_END_DECLS

#endif
