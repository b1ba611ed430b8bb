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
  uint32_t validate;        /* non-zero: no frame is answered before it was checked in full */
  uint32_t least_len;       /* shorter pieces don't take the fast path; UINT32_MAX where none does:
                               validate is set, or a frame is held */
  uint32_t until_refill;    /* rounds of one until buffers are taken back */
  uint64_t sent;            /* pieces posted for send; see shunt_echo_answered */
  uint64_t returned;        /* of sent, those whose buffers were taken back */
  uint64_t extra_pieces;    /* of sent, beyond the first of each frame */
  uint64_t no_room;         /* answers dropped because the send ring was full */
  uint64_t too_many_pieces; /* frames */
  uint64_t unanswered[SHUNT_CAUSE_COUNT]; /* frames, by cause */
  uint32_t held; /* pieces of a frame whose end has not arrived; above SHUNT_ECHO_PIECES: the
                    rest of a frame that has too many is being dropped */
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

/* Frames that were answered. */
static inline uint64_t shunt_echo_answered(const struct shunt_echo *echo)
{
  return echo->sent - echo->extra_pieces;
}

/* Unanswered frames of all causes together. */
uint64_t shunt_echo_unanswered(const struct shunt_echo *echo);

/* What the inline rounds leave to a call. Not for direct use.
 *
 * _refill       take back what was sent and give it to the receive ring; returns received
 * _slow         a piece that can't take the fast path: pieces of answers are appended to out at
 *               *answers, buffers to repost to drops at *dropped
 * _drop_unsent  answers that the send ring has no room for: count them and repost their buffers
 * _no_room      the same for one, in a round of one; returns 1
 * _one          a round of one from behind rx_poll on; returns 1 */
unsigned shunt_echo_refill(struct shunt_queue *q, struct shunt_echo *echo, unsigned received);
void shunt_echo_slow(struct shunt_queue *q, struct shunt_echo *echo,
                     const struct shunt_frame *piece, struct shunt_frame out[], unsigned *answers,
                     shunt_buf drops[], unsigned *dropped);
void shunt_echo_drop_unsent(struct shunt_queue *q, struct shunt_echo *echo,
                            const struct shunt_frame out[], unsigned n);
unsigned shunt_echo_no_room(struct shunt_queue *q, struct shunt_echo *echo, shunt_buf addr);
unsigned shunt_echo_one(struct shunt_queue *q, struct shunt_echo *echo, shunt_buf addr,
                        uint32_t flags, uint16_t len, uint16_t vlan);

static inline int shunt_echo_matches(const uint8_t *bytes, const uint8_t wanted[4],
                                     const uint8_t mask[4])
{
  uint32_t here, there, bits;
  memcpy(&here, bytes, 4);
  memcpy(&there, wanted, 4);
  memcpy(&bits, mask, 4);
  return (here & bits) == there;
}

/* Whether the frame is an ICMP echo request in a plain datagram to one station: Ethernet II, IPv4
 * without options, no fragment, protocol 1, type 8. One checksum is left out, that of a request
 * which is zero but for its type: there the step of RFC 1624 can't tell the two zeros apart (see
 * shunt_checksum_of_zero). */
static inline int shunt_echo_is_plain(const uint8_t *frame)
{
  static const uint8_t ethernet_ip[4] = {0x08, 0x00, 0x45, 0},
                       ethernet_ip_mask[4] = {255, 255, 255};
  /* Flags and offset, of which DF may be set; time to live; protocol. */
  static const uint8_t whole_icmp[4] = {0, 0, 0, 1}, whole_icmp_mask[4] = {0xBF, 0xFF, 0, 0xFF};
  static const uint8_t two_zeros[2] = {0xF7, 0xFF};
  return SHUNT_LIKELY(shunt_echo_matches(frame + 12, ethernet_ip, ethernet_ip_mask)) &&
         SHUNT_LIKELY(shunt_echo_matches(frame + 20, whole_icmp, whole_icmp_mask)) &&
         SHUNT_LIKELY(frame[34] == 8) && SHUNT_LIKELY(!(frame[0] & 1)) &&
         SHUNT_LIKELY(memcmp(frame + 36, two_zeros, 2) != 0);
}

/* Turn such a request into its answer. */
static inline void shunt_echo_crop(uint8_t *frame)
{
  static const uint8_t ipv4_type[2] = {0x08, 0x00};
  static const uint8_t request[2] = {8, 0}, reply[2] = {0, 0};
  uint64_t destination, source, addresses;
  uint16_t checksum, old_word, new_word;
  /* Eight bytes at a time: the two beyond each address are put right by what is stored next. */
  memcpy(&destination, frame, 8);
  memcpy(&source, frame + 6, 8);
  memcpy(frame, &source, 8);
  memcpy(frame + 6, &destination, 8);
  memcpy(frame + 12, ipv4_type, 2);
  memcpy(&addresses, frame + 26, 8);
  addresses = addresses << 32 | addresses >> 32;
  memcpy(frame + 26, &addresses, 8);
  /* Type and code are one word; the step is the same whatever the code, which stays. */
  memcpy(&old_word, request, 2);
  memcpy(&new_word, reply, 2);
  memcpy(&checksum, frame + 36, 2);
  const uint32_t step = (uint16_t)~old_word + (uint32_t)new_word; /* ~m + m' of RFC 1624, eq. 3 */
  const uint32_t sum = 0xFFFFu - checksum + step;
  /* At most 0x1FFFF - 8, so folding once is enough. */
  checksum = (uint16_t) ~((sum & 0xFFFF) + (sum >> 16));
  memcpy(frame + 36, &checksum, 2);
  frame[34] = 0;
}

/* An Ethernet, an IPv4 and an ICMP header. */
#define SHUNT_ECHO_LEAST_LEN 42

/* Whether a received piece can take the fast path, as far as its bytes don't matter: it is a whole
 * frame that needs nothing of the NIC when it is sent. */
static inline int shunt_echo_is_simple(const struct shunt_echo *echo,
                                       const struct shunt_frame *piece)
{
  return SHUNT_LIKELY(!(piece->flags & SHUNT_FRAME_SEND_FLAGS)) &&
         SHUNT_LIKELY(piece->len >= echo->least_len);
}

/* A round of one frame: no array, no loop, and every call the last thing that is done, so that
 * nothing has to be kept over it. */
SHUNT_INLINE unsigned shunt_echo_single_with(const struct shunt_queue_verbs *verbs,
                                             struct shunt_queue *q, struct shunt_echo *echo)
{
  struct shunt_frame frame;
  if (!verbs->rx_poll(q, &frame, 1))
    return shunt_echo_refill(q, echo, 0);
  uint8_t *bytes = q->base + frame.addr;
  if (SHUNT_UNLIKELY(!shunt_echo_is_simple(echo, &frame)) ||
      SHUNT_UNLIKELY(!shunt_echo_is_plain(bytes)))
    return shunt_echo_one(q, echo, frame.addr, frame.flags, frame.len, frame.vlan);
  shunt_echo_crop(bytes);
  if (SHUNT_UNLIKELY(!verbs->tx_post(q, &frame, 1)))
    return shunt_echo_no_room(q, echo, frame.addr);
  verbs->tx_push(q);
  echo->sent++;
  if (SHUNT_UNLIKELY(!--echo->until_refill))
    return shunt_echo_refill(q, echo, 1);
  return 1;
}

/* shunt_echo_round, with the verbs of a table that the compiler can see. */
SHUNT_INLINE unsigned shunt_echo_round_with(const struct shunt_queue_verbs *verbs,
                                            struct shunt_queue *q, struct shunt_echo *echo,
                                            unsigned batch)
{
  if (__builtin_constant_p(batch) && batch == 1)
    return shunt_echo_single_with(verbs, q, echo);
  struct shunt_frame in[SHUNT_ECHO_BATCH], out[SHUNT_ECHO_BATCH + SHUNT_ECHO_PIECES];
  shunt_buf drops[SHUNT_ECHO_BATCH + SHUNT_ECHO_PIECES];
  unsigned answers = 0, dropped = 0, received = verbs->rx_poll(q, in, batch);

  for (unsigned i = 0; i < received; i++) {
    uint8_t *bytes = q->base + in[i].addr;
    if (SHUNT_UNLIKELY(!shunt_echo_is_simple(echo, &in[i])) ||
        SHUNT_UNLIKELY(!shunt_echo_is_plain(bytes))) {
      shunt_echo_slow(q, echo, &in[i], out, &answers, drops, &dropped);
      continue;
    }
    shunt_echo_crop(bytes);
    memcpy(&out[answers++], &in[i], offsetof(struct shunt_frame, hash));
  }
  if (answers) {
    unsigned sent = verbs->tx_post(q, out, answers);
    verbs->tx_push(q);
    echo->sent += sent;
    if (SHUNT_UNLIKELY(sent < answers))
      shunt_echo_drop_unsent(q, echo, out + sent, answers - sent);
  }
  if (dropped)
    verbs->rx_post(q, drops, dropped);
  if (echo->sent - echo->returned >= SHUNT_ECHO_BATCH || !received)
    shunt_echo_refill(q, echo, received);
  return received;
}

SHUNT_END_DECLS

#endif
