/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP (RFC 792, RFC 1122 3.2.2): echo is written and read, every other message is read.
 *
 * Numbers are in host order (shunt/bytes.h). Functions are pure, and may be called from any thread.
 * Echo requests are answered by shunt_icmp_echo_reply_in_place (shunt/respond.h). */
#ifndef SHUNT_ICMP_H
#define SHUNT_ICMP_H

#include "shunt/ipv4.h"

SHUNT_BEGIN_DECLS

#define SHUNT_ICMP_HEADER_BYTES 8
#define SHUNT_ICMP_PAYLOAD_START                                                                   \
  (SHUNT_ETHERNET_HEADER_BYTES + SHUNT_IPV4_HEADER_BYTES + SHUNT_ICMP_HEADER_BYTES)
/* The longest payload of an echo, in an IPv4 header without options. */
#define SHUNT_ICMP_PAYLOAD_BYTES_MAX 65507

#define SHUNT_ICMP_ECHO_REPLY              0
#define SHUNT_ICMP_DESTINATION_UNREACHABLE 3
#define SHUNT_ICMP_SOURCE_QUENCH           4
#define SHUNT_ICMP_REDIRECT                5
#define SHUNT_ICMP_ECHO_REQUEST            8
#define SHUNT_ICMP_TIME_EXCEEDED           11
#define SHUNT_ICMP_PARAMETER_PROBLEM       12
#define SHUNT_ICMP_CODE_TOO_BIG            4 /* of destination unreachable: may not be fragmented */

struct shunt_icmp_header {
  uint8_t type;
  uint8_t code;
  uint8_t checksum[2];
  uint8_t id[2];       /* id and sequence: of echo; other messages use */
  uint8_t sequence[2]; /* these four bytes as their type says */
};

static_assert(sizeof(struct shunt_icmp_header) == SHUNT_ICMP_HEADER_BYTES, "RFC 792");
static_assert(offsetof(struct shunt_icmp_header, id) == 4, "RFC 792");

/* What a message says. A field that its type doesn't have is 0. */
struct shunt_icmp {
  uint8_t type;
  uint8_t code;
  uint8_t parameter_pointer; /* parameter problem: which byte of the quoted header */
  bool quotes;               /* an error that quotes a whole IPv4 header: the fields below hold */
  uint8_t quoted_protocol;
  uint16_t id;            /* echo */
  uint16_t sequence;      /* echo */
  uint16_t next_hop_mtu;  /* too big (RFC 1191 4); 0 from routers before that RFC */
  uint16_t quoted_id;     /* of a quoted echo request, where its 8 bytes are there; a quoted UDP */
  uint16_t quoted_number; /* or TCP has its source and destination port here, echo its sequence */
  uint32_t gateway;       /* redirect: where to send instead */
  uint32_t quoted_source;
  uint32_t quoted_destination;
};

/* Read a message. Its checksum is not looked at: shunt_parse does that.
 *
 * message, bytes  the IPv4 payload (shunt_parsed: l4_offset, l4_bytes)
 * icmp            filled on success, else untouched
 * Returns 0, or -EINVAL where bytes is below SHUNT_ICMP_HEADER_BYTES. A quotation that is cut or
 * no IPv4 is not an error: then icmp->quotes is false. */
int shunt_icmp_read(const void *message, uint32_t bytes, struct shunt_icmp *icmp);

/* What a type and code mean, in words: "port unreachable", "echo reply". Never NULL: an unassigned
 * type is "unknown". */
const char *shunt_icmp_name(uint8_t type, uint8_t code);

/* Write an echo message's header in front of a payload that is already in place, with the checksum
 * of both.
 *
 * header         where to; the payload begins SHUNT_ICMP_HEADER_BYTES behind
 * capacity       bytes that header and payload have room for
 * type           SHUNT_ICMP_ECHO_REQUEST or SHUNT_ICMP_ECHO_REPLY
 * payload_bytes  0..SHUNT_ICMP_PAYLOAD_BYTES_MAX
 * Returns the message's length, or 0 with nothing written where it doesn't fit. */
uint32_t shunt_icmp_echo_build(void *header, uint32_t capacity, uint8_t type, uint16_t id,
                               uint16_t sequence, uint32_t payload_bytes);

/* Write a whole frame with an echo message: Ethernet, IPv4 without options (time to live 64, not to
 * be fragmented), ICMP.
 *
 * capacity                bytes that frame has room for; the frame is not padded
 * payload, payload_bytes  copied; a payload that already stands at SHUNT_ICMP_PAYLOAD_START of the
 *                         frame may be given as NULL
 * Returns the frame's length, or 0 with nothing written where it doesn't fit. */
uint32_t shunt_icmp_echo_frame_build(void *frame, uint32_t capacity,
                                     const struct shunt_ipv4_ends *ends, uint8_t type, uint16_t id,
                                     uint16_t sequence, const void *payload,
                                     uint32_t payload_bytes);

SHUNT_END_DECLS

#endif
