/* SPDX-License-Identifier: BSD-2-Clause */
/* The echo responder: ARP, ICMP echo and UDP echo, answered in the buffer that the question came
 * in.
 *
 * One round polls, edits, sends, and only then refills the receive ring. A round can be compiled
 * into a driver's loop: call shunt_echo_round_with and a constant table of inline verbs
 * (SHUNT_IXGBE_VERBS), or call shunt_echo_round for any port.
 *
 * Radical cropping. On the fast path, an ICMP echo request in a plain IPv4 datagram, what the
 * answer does not need is not looked at: the destination MAC address beyond its group bit, the
 * destination IPv4 address, both checksums, total length, time to live, source addresses. The
 * answer is made by swapping addresses and stepping the ICMP checksum (RFC 1624), so damage comes
 * back as damage and is found by whoever asked. Everything else that arrives (ARP, UDP, options,
 * VLAN tags, fragments) takes the way of shunt/respond.h, with all its rules. With validate set,
 * every frame takes that way, with every checksum verified. */
#ifndef SHUNT_ECHO_H
#define SHUNT_ECHO_H

#include <string.h>

#include "shunt/checksum.h"
#include "shunt/port.h"
#include "shunt/respond.h"

SHUNT_BEGIN_DECLS

#define SHUNT_ECHO_BATCH  64 /* most frames a round */
#define SHUNT_ECHO_PIECES 40 /* most pieces of a frame: a jumbo frame in buffers of 256 bytes */

struct shunt_echo {
  struct shunt_host host;
  uint32_t validate;  /* non-zero: no frame is answered before it was checked in full */
  uint32_t in_flight; /* pieces posted for send and not taken back yet */
  uint32_t held;      /* pieces of a frame whose end has not arrived */
  uint64_t answered;  /* frames */
  uint64_t no_room;   /* answers dropped because the send ring was full */
  uint64_t too_many_pieces;
  uint64_t unanswered[SHUNT_CAUSE_COUNT]; /* frames, by cause */
  struct shunt_frame pieces[SHUNT_ECHO_PIECES];
};

/* Set up a responder that answers as host. Thread: whoever owns echo. */
void shunt_echo_init(struct shunt_echo *echo, const struct shunt_host *host, int validate);

/* One round on any port: up to batch (1..SHUNT_ECHO_BATCH) frames.
 *
 * The queue's buffers are those that were posted to its receive ring (shunt_rx_fill): a round adds
 * none and loses none.
 * Thread   the one that owns q and echo
 * Returns  how many pieces were received; 0: idle */
unsigned shunt_echo_round(struct shunt_queue *q, struct shunt_echo *echo, unsigned batch);

/* Unanswered frames of all causes together. */
uint64_t shunt_echo_unanswered(const struct shunt_echo *echo);

/* What the inline round leaves to a call. A frame (or a piece of one): pieces of answers are
 * appended to out at *answers, buffers to repost to drops at *dropped. Not for direct use. */
void shunt_echo_slow(struct shunt_queue *q, struct shunt_echo *echo,
                     const struct shunt_frame *piece, struct shunt_frame out[], unsigned *answers,
                     shunt_buf drops[], unsigned *dropped);

/* Whether the frame is an ICMP echo request in a plain datagram to one station: Ethernet II, IPv4
 * without options, no fragment, protocol 1, type 8. */
static inline int shunt_echo_is_plain(const uint8_t *frame)
{
  uint32_t type_version; /* 08 00 45 xx */
  uint64_t fragment_protocol;
  memcpy(&type_version, frame + 12, 4);
  memcpy(&fragment_protocol, frame + 16, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint64_t wrong = (type_version ^ 0x00450008u) & 0x00FFFFFFu;
  /* Bytes 20 and 21 are flags and offset, of which DF may be set; byte 23 is the protocol. */
  wrong |= (fragment_protocol ^ UINT64_C(0x0100000000000000)) & UINT64_C(0xFF00FFBF00000000);
#else
  uint64_t wrong = (type_version ^ 0x08004500u) & 0xFFFFFF00u;
  wrong |= (fragment_protocol ^ 1u) & UINT64_C(0x00000000BFFF00FF);
#endif
  return !(wrong | (frame[0] & 1u) | (frame[34] ^ 8u));
}

/* Turn such a request into its answer. */
static inline void shunt_echo_crop(uint8_t *frame)
{
  uint8_t source[6], destination[6];
  uint32_t asked, asking;
  uint16_t checksum, request, reply;
  memcpy(destination, frame, 6);
  memcpy(source, frame + 6, 6);
  memcpy(frame, source, 6);
  memcpy(frame + 6, destination, 6);
  memcpy(&asking, frame + 26, 4);
  memcpy(&asked, frame + 30, 4);
  memcpy(frame + 26, &asked, 4);
  memcpy(frame + 30, &asking, 4);
  memcpy(&request, frame + 34, 2);
  memcpy(&checksum, frame + 36, 2);
  frame[34] = 0;
  memcpy(&reply, frame + 34, 2);
  checksum = shunt_checksum_update(checksum, request, reply);
  memcpy(frame + 36, &checksum, 2);
}

/* Take back what was sent and give it to the receive ring. */
static inline __attribute__((always_inline)) void
shunt_echo_refill_with(const struct shunt_queue_verbs *verbs, struct shunt_queue *q,
                       struct shunt_echo *echo)
{
  shunt_buf bufs[SHUNT_ECHO_BATCH];
  unsigned free;
  do {
    free = verbs->tx_poll(q, bufs, SHUNT_ECHO_BATCH);
    echo->in_flight -= free;
    verbs->rx_post(q, bufs, free);
  } while (free == SHUNT_ECHO_BATCH);
}

/* shunt_echo_round, with the verbs of a table that the compiler can see. */
static inline __attribute__((always_inline)) unsigned
shunt_echo_round_with(const struct shunt_queue_verbs *verbs, struct shunt_queue *q,
                      struct shunt_echo *echo, unsigned batch)
{
  struct shunt_frame in[SHUNT_ECHO_BATCH], out[SHUNT_ECHO_BATCH + SHUNT_ECHO_PIECES];
  shunt_buf drops[SHUNT_ECHO_BATCH + SHUNT_ECHO_PIECES];
  unsigned answers = 0, dropped = 0, received = verbs->rx_poll(q, in, batch);

  for (unsigned i = 0; i < received; i++) {
    uint8_t *frame = q->base + in[i].addr;
    if (SHUNT_UNLIKELY((in[i].flags & SHUNT_FRAME_MORE) | echo->held | echo->validate |
                       (in[i].len < 42)) ||
        SHUNT_UNLIKELY(!shunt_echo_is_plain(frame))) {
      shunt_echo_slow(q, echo, &in[i], out, &answers, drops, &dropped);
      continue;
    }
    shunt_echo_crop(frame);
    out[answers].addr = in[i].addr;
    out[answers].len = in[i].len;
    out[answers].flags = in[i].flags;
    out[answers].vlan = in[i].vlan;
    answers++;
    echo->answered++;
  }
  if (answers) {
    unsigned sent = verbs->tx_post(q, out, answers);
    verbs->tx_push(q);
    echo->in_flight += sent;
    for (; SHUNT_UNLIKELY(sent < answers); sent++) {
      drops[dropped++] = out[sent].addr;
      if (!(out[sent].flags & SHUNT_FRAME_MORE)) {
        echo->no_room++;
        echo->answered--;
      }
    }
  }
  if (dropped)
    verbs->rx_post(q, drops, dropped);
  if (echo->in_flight >= SHUNT_ECHO_BATCH || (!received && echo->in_flight))
    shunt_echo_refill_with(verbs, q, echo);
  return received;
}

SHUNT_END_DECLS

#endif
