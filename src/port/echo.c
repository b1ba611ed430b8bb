/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/echo.h"

void shunt_echo_init(struct shunt_echo *echo, const struct shunt_host *host, int validate)
{
  memset(echo, 0, sizeof(*echo));
  echo->host = *host;
  echo->validate = validate != 0;
  echo->until_refill = SHUNT_ECHO_BATCH;
  echo->least_len = validate ? UINT32_MAX : SHUNT_ECHO_LEAST_LEN;
}

unsigned shunt_echo_round(struct shunt_queue *q, struct shunt_echo *echo, unsigned batch)
{
  if (!batch || batch > SHUNT_ECHO_BATCH)
    batch = SHUNT_ECHO_BATCH;
  return shunt_echo_round_with(q->verbs, q, echo, batch);
}

uint64_t shunt_echo_unanswered(const struct shunt_echo *echo)
{
  uint64_t all = echo->too_many_pieces;
  for (unsigned i = 0; i < SHUNT_CAUSE_COUNT; i++)
    all += echo->unanswered[i];
  return all;
}

/* A frame in several pieces, answered as if it were in one: it is put together, answered, and as
 * much of the answer put back as an answer can differ, which is all in front of the payload. */
static enum shunt_parse_cause answer_pieces(struct shunt_queue *q, struct shunt_echo *echo,
                                            uint32_t verify)
{
  uint8_t whole[16384];
  uint32_t bytes = 0;
  for (unsigned i = 0; i < echo->held; i++) {
    const struct shunt_frame *piece = &echo->pieces[i];
    if (piece->len > sizeof(whole) - bytes)
      return SHUNT_CAUSE_ETHERNET_BAD_LENGTH;
    memcpy(whole + bytes, shunt_frame_data(q, piece), piece->len);
    bytes += piece->len;
  }
  enum shunt_parse_cause cause = shunt_respond_in_place(whole, bytes, verify, &echo->host);
  if (cause != SHUNT_CAUSE_NONE)
    return cause;
  bytes = 0;
  for (unsigned i = 0; i < echo->held; i++) {
    memcpy(shunt_frame_data(q, &echo->pieces[i]), whole + bytes, echo->pieces[i].len);
    bytes += echo->pieces[i].len;
  }
  return SHUNT_CAUSE_NONE;
}

#define SKIPPING (SHUNT_ECHO_PIECES + 1u) /* in held: the rest of a frame that was given up */

/* A frame of more pieces than an answer may have: drop what is held, and what still comes of it. */
static void drop_long_frame(struct shunt_echo *echo, const struct shunt_frame *piece,
                            shunt_buf drops[], unsigned *dropped)
{
  if (echo->held != SKIPPING) {
    for (unsigned i = 0; i < echo->held; i++)
      drops[(*dropped)++] = echo->pieces[i].addr;
    echo->too_many_pieces++;
  }
  drops[(*dropped)++] = piece->addr;
  echo->held = piece->flags & SHUNT_FRAME_MORE ? SKIPPING : 0;
}

void shunt_echo_slow(struct shunt_queue *q, struct shunt_echo *echo,
                     const struct shunt_frame *piece, struct shunt_frame out[], unsigned *answers,
                     shunt_buf drops[], unsigned *dropped)
{
  uint32_t verify = echo->validate ? SHUNT_PARSE_VERIFY_ALL : 0;
  bool more = piece->flags & SHUNT_FRAME_MORE;
  echo->least_len = more || echo->validate ? UINT32_MAX : SHUNT_ECHO_LEAST_LEN;
  if (echo->held >= SHUNT_ECHO_PIECES) {
    drop_long_frame(echo, piece, drops, dropped);
    return;
  }
  echo->pieces[echo->held++] = *piece;
  if (more)
    return;

  enum shunt_parse_cause cause =
      echo->held == 1
          ? shunt_respond_in_place(shunt_frame_data(q, piece), piece->len, verify, &echo->host)
          : answer_pieces(q, echo, verify);
  if (cause == SHUNT_CAUSE_NONE) {
    memcpy(out + *answers, echo->pieces, echo->held * sizeof(out[0]));
    *answers += echo->held;
    echo->extra_pieces += echo->held - 1;
  } else {
    for (unsigned i = 0; i < echo->held; i++)
      drops[(*dropped)++] = echo->pieces[i].addr;
    echo->unanswered[cause]++;
  }
  echo->held = 0;
}

void shunt_echo_drop_unsent(struct shunt_queue *q, struct shunt_echo *echo,
                            const struct shunt_frame out[], unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    shunt_rx_post(q, &out[i].addr, 1);
    echo->no_room += !(out[i].flags & SHUNT_FRAME_MORE);
  }
}

unsigned shunt_echo_no_room(struct shunt_queue *q, struct shunt_echo *echo, shunt_buf addr)
{
  struct shunt_frame unsent = {.addr = addr};
  shunt_echo_drop_unsent(q, echo, &unsent, 1);
  return 1;
}

unsigned shunt_echo_one(struct shunt_queue *q, struct shunt_echo *echo, shunt_buf addr,
                        uint32_t flags, uint16_t len, uint16_t vlan)
{
  const struct shunt_frame piece = {.addr = addr, .flags = flags, .len = len, .vlan = vlan};
  struct shunt_frame out[SHUNT_ECHO_PIECES];
  shunt_buf drops[SHUNT_ECHO_PIECES + 1];
  unsigned answers = 0, dropped = 0;
  shunt_echo_slow(q, echo, &piece, out, &answers, drops, &dropped);
  if (answers) {
    unsigned sent = shunt_tx_post(q, out, answers);
    shunt_tx_push(q);
    echo->sent += sent;
    shunt_echo_drop_unsent(q, echo, out + sent, answers - sent);
  }
  shunt_rx_post(q, drops, dropped);
  return 1;
}

unsigned shunt_echo_refill(struct shunt_queue *q, struct shunt_echo *echo, unsigned received)
{
  shunt_buf bufs[SHUNT_ECHO_BATCH];
  unsigned free = SHUNT_ECHO_BATCH;
  /* Again where the burst ended at the ring's end, or a backlog could grow. */
  for (bool more = echo->sent != echo->returned; more;
       more = free && echo->sent - echo->returned >= free) {
    free = shunt_tx_poll(q, bufs, SHUNT_ECHO_BATCH);
    echo->returned += free;
    shunt_rx_post(q, bufs, free);
  }
  echo->until_refill = SHUNT_ECHO_BATCH;
  return received;
}
