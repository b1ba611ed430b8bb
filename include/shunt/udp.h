/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP over IPv4 (RFC 768).
 *
 * Numbers are in host order (shunt/bytes.h). Functions are pure, and may be called from any thread.
 * Received datagrams are read by shunt_parse (shunt/parse.h). */
#ifndef SHUNT_UDP_H
#define SHUNT_UDP_H

#include "shunt/ipv4.h"

SHUNT_BEGIN_DECLS

#define SHUNT_UDP_HEADER_BYTES 8
#define SHUNT_UDP_PAYLOAD_START                                                                    \
  (SHUNT_ETHERNET_HEADER_BYTES + SHUNT_IPV4_HEADER_BYTES + SHUNT_UDP_HEADER_BYTES)
/* The longest payload of a datagram, in an IPv4 header without options. */
#define SHUNT_UDP_PAYLOAD_BYTES_MAX 65507

struct shunt_udp_header {
  uint8_t source_port[2];
  uint8_t destination_port[2];
  uint8_t bytes[2];    /* header and payload */
  uint8_t checksum[2]; /* 0: none was computed */
};

static_assert(sizeof(struct shunt_udp_header) == SHUNT_UDP_HEADER_BYTES, "RFC 768");
static_assert(offsetof(struct shunt_udp_header, checksum) == 6, "RFC 768");

/* The checksum that a datagram should carry.
 *
 * source, destination  IPv4 addresses
 * datagram, bytes      header and payload, 8..65,535 bytes; the checksum field counts as it stands,
 *                      so set it to 0 before
 * Returns the checksum, 0xffff in place of 0. */
uint16_t shunt_udp_checksum(uint32_t source, uint32_t destination, const void *datagram,
                            uint32_t bytes);

/* Write a UDP header in front of a payload that is already in place, with the checksum of both.
 *
 * header                where to; the payload begins SHUNT_UDP_HEADER_BYTES behind
 * capacity              bytes that header and payload have room for
 * source, destination   IPv4 addresses, for the pseudo header
 * payload_bytes         0..SHUNT_UDP_PAYLOAD_BYTES_MAX
 * Returns the datagram's length, or 0 with nothing written where it doesn't fit. */
uint32_t shunt_udp_build(void *header, uint32_t capacity, uint32_t source, uint32_t destination,
                         uint16_t source_port, uint16_t destination_port, uint32_t payload_bytes);

/* Write a whole frame: Ethernet, IPv4 without options (time to live 64, not to be fragmented), UDP
 * with checksum.
 *
 * capacity                bytes that frame has room for; the frame is not padded
 * payload, payload_bytes  copied; a payload that already stands at SHUNT_UDP_PAYLOAD_START of the
 *                         frame may be given as NULL
 * Returns the frame's length, or 0 with nothing written where it doesn't fit. */
uint32_t shunt_udp_frame_build(void *frame, uint32_t capacity, const struct shunt_ipv4_ends *ends,
                               uint16_t source_port, uint16_t destination_port, const void *payload,
                               uint32_t payload_bytes);

SHUNT_END_DECLS

#endif
