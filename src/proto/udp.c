/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/udp.h"

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "src/proto/ipv4_frame.h"

uint16_t shunt_udp_checksum(uint32_t source, uint32_t destination, const void *datagram,
                            uint32_t bytes)
{
  uint32_t sum = shunt_checksum_pseudo(source, destination, SHUNT_IPV4_PROTOCOL_UDP, bytes);
  uint16_t checksum = shunt_checksum_finish(shunt_checksum_add(sum, datagram, bytes));
  /* On the wire 0 means that there is none; its ones' complement twin says the same (RFC 768). */
  return checksum ? checksum : 0xffff;
}

uint32_t shunt_udp_build(void *header, uint32_t capacity, uint32_t source, uint32_t destination,
                         uint16_t source_port, uint16_t destination_port, uint32_t payload_bytes)
{
  if (payload_bytes > SHUNT_UDP_PAYLOAD_BYTES_MAX || capacity < SHUNT_UDP_HEADER_BYTES ||
      payload_bytes > capacity - SHUNT_UDP_HEADER_BYTES)
    return 0;

  struct shunt_udp_header *udp = header;
  uint32_t bytes = SHUNT_UDP_HEADER_BYTES + payload_bytes;
  shunt_store_be16(udp->source_port, source_port);
  shunt_store_be16(udp->destination_port, destination_port);
  shunt_store_be16(udp->bytes, (uint16_t)bytes);
  shunt_store_be16(udp->checksum, 0);
  shunt_store_be16(udp->checksum, shunt_udp_checksum(source, destination, udp, bytes));
  return bytes;
}

uint32_t shunt_udp_frame_build(void *frame, uint32_t capacity, const struct shunt_ipv4_ends *ends,
                               uint16_t source_port, uint16_t destination_port, const void *payload,
                               uint32_t payload_bytes)
{
  uint8_t *start = frame;
  const struct ipv4_frame_payload piece = {SHUNT_UDP_PAYLOAD_START, payload, payload_bytes,
                                           SHUNT_UDP_PAYLOAD_BYTES_MAX};
  uint32_t at = ipv4_frame_begin(start, capacity, ends, SHUNT_IPV4_PROTOCOL_UDP, &piece);
  if (!at)
    return 0;
  return at + shunt_udp_build(start + at, capacity - at, ends->source, ends->destination,
                              source_port, destination_port, payload_bytes);
}
