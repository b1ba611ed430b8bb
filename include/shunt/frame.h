/* SPDX-License-Identifier: BSD-2-Clause */
/* A frame, as the five verbs move it: where its bytes are, how many, and what the NIC says of it.
 *
 * A frame longer than a buffer is a run of pieces, each a struct shunt_frame of its own; all but
 * the last carry SHUNT_FRAME_MORE. */
#ifndef SHUNT_FRAME_H
#define SHUNT_FRAME_H

#include <assert.h>

#include "shunt/base.h"
#include "shunt/region.h"

SHUNT_BEGIN_DECLS

struct shunt_frame {
  shunt_buf addr;   /* first byte, as an offset into the queue's region */
  uint32_t flags;   /* SHUNT_FRAME_* */
  uint16_t len;     /* bytes in this piece, without the FCS */
  uint16_t vlan;    /* SHUNT_FRAME_VLAN: the tag control information, host order */
  uint32_t hash;    /* received, SHUNT_FRAME_HASH: the RSS hash */
  uint8_t l2_bytes; /* send, checksum offload: bytes before the IP header, 14..127 */
  uint8_t l3_bytes; /* send, checksum offload: IP header bytes, 20..60 */
  uint16_t reserved;
  uint64_t time_ns; /* received, SHUNT_FRAME_TIME: the NIC's clock when the frame arrived */
};

/* flags, len and vlan stand as in the upper half of the 82599's receive descriptor (datasheet
 * 7.1.6.2), so that its driver moves them with one load and one store. */
static_assert(sizeof(struct shunt_frame) == 32, "two to a cache line");
static_assert(offsetof(struct shunt_frame, flags) == 8, "status and error");
static_assert(offsetof(struct shunt_frame, len) == 12, "length");
static_assert(offsetof(struct shunt_frame, vlan) == 14, "VLAN tag");

/* Flags. Those that are met on receive have the values of the 82599's status and error word where
 * it has them; those of a send have values that it never sets. Unless the port was opened with
 * rx_metadata, received frames never have VLAN, HASH or TIME. */
#define SHUNT_FRAME_MORE (UINT32_C(1) << 1) /* both ways: the next piece belongs to it too */
#define SHUNT_FRAME_VLAN                                                                           \
  (UINT32_C(1) << 3)                               /* received: its tag was taken off, see vlan;   \
                                                      send: put the tag in vlan on */
#define SHUNT_FRAME_L4_CHECKED (UINT32_C(1) << 5)  /* received: TCP/UDP checksum was looked at */
#define SHUNT_FRAME_IP_CHECKED (UINT32_C(1) << 6)  /* received: IPv4 checksum was looked at */
#define SHUNT_FRAME_HASH       (UINT32_C(1) << 12) /* received: hash is valid */
#define SHUNT_FRAME_IP_SUM     (UINT32_C(1) << 13) /* send: fill in the IPv4 header checksum */
#define SHUNT_FRAME_UDP_SUM                                                                        \
  (UINT32_C(1) << 14)                           /* send: fill in the UDP checksum; the field       \
                                                   holds the pseudo header's sum */
#define SHUNT_FRAME_TCP_SUM (UINT32_C(1) << 15) /* send: likewise for TCP */
#define SHUNT_FRAME_TIME    (UINT32_C(1) << 16) /* received: time_ns is valid */
#define SHUNT_FRAME_DAMAGED                                                                        \
  (UINT32_C(1) << 29)                          /* received: bad FCS, length or symbol; only        \
                                                  where the port was asked to keep such frames */
#define SHUNT_FRAME_L4_BAD (UINT32_C(1) << 30) /* received: checked, and wrong */
#define SHUNT_FRAME_IP_BAD (UINT32_C(1) << 31) /* received: checked, and wrong */

/* What a send looks at; everything else in flags is ignored there, so a received frame can be
 * forwarded as it came. */
#define SHUNT_FRAME_SEND_FLAGS                                                                     \
  (SHUNT_FRAME_MORE | SHUNT_FRAME_VLAN | SHUNT_FRAME_IP_SUM | SHUNT_FRAME_UDP_SUM |                \
   SHUNT_FRAME_TCP_SUM)

SHUNT_END_DECLS

#endif
