/* SPDX-License-Identifier: BSD-2-Clause */
/* MoldUDP64: numbered messages over UDP multicast (Nasdaq, "MoldUDP64 Protocol Specification",
 * version 1.00).
 *
 * A datagram is a header and count message blocks, each a length and as many bytes:
 *
 *   session 10 | sequence 8 | count 2 | length 2, message | length 2, message | ...
 *
 * All numbers are big-endian. sequence is that of the first message; the first of a session is 1.
 * A count of 0 is a heartbeat and one of 65,535 ends the session; then sequence is that of the
 * message to come next.
 *
 * Functions are pure, and may be called from any thread. */
#ifndef MARKET_DATA_MOLDUDP64_H
#define MARKET_DATA_MOLDUDP64_H

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include <shunt/bytes.h>

#define MOLDUDP64_HEADER_BYTES   20
#define MOLDUDP64_SESSION_BYTES  10
#define MOLDUDP64_LENGTH_BYTES   2 /* in front of each message */
#define MOLDUDP64_END_OF_SESSION 0xFFFF
/* Far more messages than any session has; a packet that claims to be beyond can't be right. */
#define MOLDUDP64_SEQUENCE_MAX (UINT64_MAX >> 1)

struct moldudp64_header {
  char session[MOLDUDP64_SESSION_BYTES]; /* letters and digits, padded with blanks */
  uint8_t sequence[8];
  uint8_t count[2];
};

static_assert(sizeof(struct moldudp64_header) == MOLDUDP64_HEADER_BYTES, "Downstream Packet");
static_assert(offsetof(struct moldudp64_header, sequence) == 10, "Downstream Packet");

enum moldudp64_kind { MOLDUDP64_MESSAGES, MOLDUDP64_HEARTBEAT, MOLDUDP64_END };

/* Why a datagram is no packet. Nothing of such a one is used: its copy on the other line may be
 * whole. */
enum moldudp64_cause {
  MOLDUDP64_SOUND,
  MOLDUDP64_TRUNCATED,    /* shorter than a header */
  MOLDUDP64_BAD_SEQUENCE, /* 0, or beyond MOLDUDP64_SEQUENCE_MAX */
  MOLDUDP64_BAD_COUNT,    /* the blocks are fewer, or longer, than the datagram, or don't fill it */
  MOLDUDP64_CAUSES
};

struct moldudp64_packet {
  enum moldudp64_kind kind;
  const char *session; /* in the datagram */
  uint64_t sequence;
  uint32_t count;        /* messages here; 0 in a heartbeat and at the end */
  const uint8_t *blocks; /* in the datagram */
};

/* Take a datagram's payload apart.
 *
 * payload, bytes  any bytes whatever
 * packet          filled where MOLDUDP64_SOUND is returned; points into payload. Its count messages
 *                 then are known to lie inside
 * Returns         MOLDUDP64_SOUND or the cause */
enum moldudp64_cause moldudp64_read(const void *payload, uint32_t bytes,
                                    struct moldudp64_packet *packet);

/* Step to the next message of a sound packet: at most count times.
 *
 * block    the packet's blocks at first; moved behind the message
 * message  where the message's address goes
 * Returns  its length, 0..65,535 */
static inline uint32_t moldudp64_next(const uint8_t **block, const uint8_t **message)
{
  uint32_t bytes = shunt_load_be16(*block);
  *message = *block + MOLDUDP64_LENGTH_BYTES;
  *block = *message + bytes;
  return bytes;
}

/* The constant name of a cause, for a report. */
const char *moldudp64_cause_name(enum moldudp64_cause cause);

/* ---- Writing ---- */

/* Begin a packet without messages, which is a heartbeat.
 *
 * packet   room for capacity bytes
 * session  MOLDUDP64_SESSION_BYTES
 * Returns  its length, or 0 where it doesn't fit */
uint32_t moldudp64_begin(void *packet, uint32_t capacity,
                         const char session[MOLDUDP64_SESSION_BYTES], uint64_t sequence);

/* Append a message to a packet of bytes bytes. Returns the new length, or 0 with nothing changed
 * where it doesn't fit capacity or the packet has 65,534 messages already. */
uint32_t moldudp64_append(void *packet, uint32_t bytes, uint32_t capacity, const void *message,
                          uint32_t message_bytes);

/* Turn a heartbeat into the end of the session. */
void moldudp64_end(void *packet);

/* Fill session from text: cut, or padded with blanks. */
void moldudp64_session(char session[MOLDUDP64_SESSION_BYTES], const char *text);

static inline bool moldudp64_session_is(const char a[MOLDUDP64_SESSION_BYTES],
                                        const char b[MOLDUDP64_SESSION_BYTES])
{
  return memcmp(a, b, MOLDUDP64_SESSION_BYTES) == 0;
}

#endif
