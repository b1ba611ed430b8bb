/* SPDX-License-Identifier: BSD-2-Clause */
/* What builders of whole frames over IPv4 share. */
#ifndef SHUNT_PROTO_IPV4_FRAME_H
#define SHUNT_PROTO_IPV4_FRAME_H

#include <stdbool.h>
#include <string.h>

#include "shunt/ethernet.h"
#include "shunt/ipv4.h"

/* A frame's payload: where it stands in the frame, what it is (NULL: there already), how long it is
 * and may be. */
struct ipv4_frame_payload {
  uint32_t start;
  const void *data;
  uint32_t bytes, most_bytes;
};

/* Put the payload in its place, then the Ethernet and IPv4 headers of a datagram that must not be
 * cut up. Returns where the header of protocol goes, or 0 with nothing written where the frame
 * doesn't fit. */
static inline uint32_t ipv4_frame_begin(uint8_t *frame, uint32_t capacity,
                                        const struct shunt_ipv4_ends *ends, uint8_t protocol,
                                        const struct ipv4_frame_payload *payload)
{
  if (payload->bytes > payload->most_bytes || capacity < payload->start ||
      payload->bytes > capacity - payload->start)
    return 0;

  const uint32_t headers = SHUNT_ETHERNET_HEADER_BYTES + SHUNT_IPV4_HEADER_BYTES;
  const struct shunt_ipv4_fields fields = {
      .source = ends->source,
      .destination = ends->destination,
      .payload_bytes = payload->start - headers + payload->bytes,
      .fragment = SHUNT_IPV4_DONT_FRAGMENT,
      .time_to_live = 64,
      .protocol = protocol,
  };
  if (payload->data && payload->bytes)
    memmove(frame + payload->start, payload->data, payload->bytes);
  uint32_t at = shunt_ethernet_build(frame, ends->destination_mac, ends->source_mac,
                                     SHUNT_ETHERNET_TYPE_IPV4);
  return at + shunt_ipv4_build(frame + at, capacity - at, &fields);
}

#endif
