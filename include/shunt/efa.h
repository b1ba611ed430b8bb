/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs of an EFA's queue pairs, inline: for a workload that is compiled into the driver's
 * loop.
 *
 * The same queues, rules and results as in shunt/fabric.h; inline and portable calls may be mixed.
 * What the inline calls leave out is the turn that a twin without a testbed gets from the portable
 * ones (call shunt_fabric_step instead).
 *
 *   struct shunt_efa_qp *q = shunt_efa_qp(qp);
 *   shunt_efa_send_post(q, &work);
 *   shunt_efa_send_push(q);
 *
 * Send queues lie in the device's own memory, which is mapped write-combining: a work request is
 * stored in whole lines of 64 bytes by the widest stores that this file is compiled for (16 bytes
 * with SSE2 or NEON, 32 with AVX, 64 with AVX-512), and nothing there is ever read. A store fence
 * stands between work requests and doorbell, and one behind the doorbell, before lines are written
 * again. Completion entries have 32 bytes and carry the caller's numbers; a number is a place in a
 * table of the callers' ids. */
#ifndef SHUNT_EFA_H
#define SHUNT_EFA_H

#include <errno.h>
#include <string.h>

#include "hw/efa_desc.h"
#include "shunt/fabric.h"

SHUNT_BEGIN_DECLS

/* The work requests of one direction that are under way, by their number. A free number's entry
 * holds the free number behind it. */
struct shunt_efa_numbers {
  uint64_t *ids;
  uint64_t free; /* the first free one */
  uint64_t mask; /* numbers are 0..mask */
  int32_t room;  /* how many more may be under way; far below 0: the queue has stopped */
};
#define SHUNT_EFA_STOPPED (INT32_MIN / 2)

/* A queue pair. Read what you like; write nothing. */
struct shunt_efa_qp {
  struct shunt_fabric_qp head;

  struct shunt_efa_numbers send;
  uint8_t *sq_next;        /* where the next work request goes */
  uint8_t *sq_first;       /* the ring, in the device's memory */
  uint8_t *sq_end;         /* ... and where it ends */
  uint64_t sq_control;     /* of struct efa_tx_meta: what all have in common, and the phase */
  uint32_t sq_entry_bytes; /* 64 or 128 */
  uint32_t sq_posted;      /* as the doorbell counts */
  uint32_t sq_due;         /* when the doorbell must be rung */
  uint32_t sq_batch;       /* work requests that may wait for it */
  volatile uint32_t *sq_doorbell;
  uint32_t inline_bytes; /* at least EFA_INLINE_BYTES */
  uint32_t inline_write_bytes;

  struct shunt_efa_numbers receive;
  struct efa_rx_desc *rq;
  volatile uint32_t *rq_doorbell;
  uint32_t rq_mask;   /* of descriptors */
  uint32_t rq_tail;   /* as the doorbell counts */
  uint32_t rq_pieces; /* of a receive, at most */
};

/* A completion queue, or the sub-queue of it that is looked at. */
struct shunt_efa_cq {
  struct shunt_fabric_cq head;
  const struct efa_cqe_wide *next;  /* the entry that the device fills next, as far as we know */
  const struct efa_cqe_wide *first; /* the ring */
  const struct efa_cqe_wide *end;
  uint32_t expect;                    /* the first dword's phase, and that of a send */
  uint32_t count;                     /* completions ever taken, of all sub-queues */
  struct shunt_efa_qp *const *queues; /* by number, 65536 of them */
  uint32_t sub_queues;
};

/* The inline view, or NULL where the queue is not an EFA's. */
struct shunt_efa_qp *shunt_efa_qp(struct shunt_fabric_qp *qp);
struct shunt_efa_cq *shunt_efa_cq(struct shunt_fabric_cq *cq);

/* What the inline calls leave to a call: work requests that fill both lines of a wide queue, and
 * completion queues that consist of several. Not for direct use. */
int shunt_efa_send_post_wide(struct shunt_efa_qp *qp, const struct shunt_fabric_work *work);
unsigned shunt_efa_poll_next(struct shunt_efa_cq *queue,
                             struct shunt_fabric_completion completions[], unsigned n);

/* --- Lines --------------------------------------------------------------------------------------
 */

/* A line of 64 bytes on its way to the device is 8 words, stored so many at a time. */
#if defined(__AVX512F__)
#define SHUNT_EFA_STORE_BYTES 64
#elif defined(__AVX__)
#define SHUNT_EFA_STORE_BYTES 32
#else
#define SHUNT_EFA_STORE_BYTES 16
#endif
typedef uint64_t shunt_efa_store __attribute__((vector_size(SHUNT_EFA_STORE_BYTES), may_alias));

/* A quarter of a line. */
struct shunt_efa_words {
  uint64_t a, b;
};

SHUNT_INLINE void shunt_efa_line(uint8_t *line, struct shunt_efa_words who,
                                 struct shunt_efa_words key, struct shunt_efa_words data,
                                 struct shunt_efa_words rest)
{
  shunt_efa_store *to = (shunt_efa_store *)(void *)line;
#if SHUNT_EFA_STORE_BYTES == 64
  const shunt_efa_store all = {who.a, who.b, key.a, key.b, data.a, data.b, rest.a, rest.b};
  to[0] = all;
#elif SHUNT_EFA_STORE_BYTES == 32
  const shunt_efa_store meta = {who.a, who.b, key.a, key.b};
  const shunt_efa_store body = {data.a, data.b, rest.a, rest.b};
  to[0] = meta;
  to[1] = body;
#else
  const shunt_efa_store first = {who.a, who.b}, second = {key.a, key.b};
  const shunt_efa_store third = {data.a, data.b}, fourth = {rest.a, rest.b};
  to[0] = first;
  to[1] = second;
  to[2] = third;
  to[3] = fourth;
#endif
}

/* Stores to write-combining memory are in no order with others, but for this (Intel SDM vol. 3A,
 * 12.3.1; Arm ARM B2.3.12, DSB). */
static inline void shunt_efa_fence(void)
{
#if defined(__x86_64__)
  __asm__ __volatile__("sfence" ::: "memory");
#elif defined(__aarch64__)
  __asm__ __volatile__("dsb st" ::: "memory");
#else
  __sync_synchronize();
#endif
}

/* --- Sending ------------------------------------------------------------------------------------
 */

/* A number for the work request of that id. One must be free. */
SHUNT_INLINE uint32_t shunt_efa_number_take(struct shunt_efa_numbers *numbers, uint64_t id)
{
  const uint64_t number = numbers->free;
  numbers->room--;
  numbers->free = numbers->ids[number] & numbers->mask;
  numbers->ids[number] = id;
  return (uint32_t)number;
}

/* Who sends completions is not trusted: a number that was not taken costs order, never memory. */
SHUNT_INLINE uint64_t shunt_efa_number_give(struct shunt_efa_numbers *numbers, uint32_t told)
{
  const uint64_t number = told & numbers->mask;
  const uint64_t id = numbers->ids[number];
  numbers->ids[number] = numbers->free;
  numbers->free = number;
  numbers->room++;
  return id;
}

/* As shunt_fabric_send_push. */
SHUNT_INLINE void shunt_efa_send_push(struct shunt_efa_qp *qp)
{
  const uint32_t posted = qp->sq_posted;
  qp->sq_due = posted + qp->sq_batch;
  shunt_efa_fence();
  __atomic_store_n(qp->sq_doorbell, posted & 0xFFFFu, __ATOMIC_RELEASE);
  shunt_efa_fence();
}

/* The first quarter of struct efa_tx_meta. length: bytes inline, or pieces. */
SHUNT_INLINE struct shunt_efa_words
shunt_efa_who(struct shunt_efa_qp *qp, const struct shunt_fabric_work *work, uint32_t length)
{
  const uint32_t control = (work->op & EFA_TX_CTRL1_OP) |
                           (work->has_immediate ? EFA_TX_CTRL1_IMMEDIATE : 0) |
                           (work->is_inline ? EFA_TX_CTRL1_INLINE : 0);
  const struct shunt_efa_words who = {
      shunt_efa_number_take(&qp->send, work->id) | qp->sq_control | (uint64_t)control << 16 |
          (uint64_t)work->to.qpn << 32 | (uint64_t)length << 48,
      (work->has_immediate ? work->immediate : 0) | (uint64_t)work->to.ah << 32};
  return who;
}

/* Bytes of memory, here or there: length and key, and address. */
SHUNT_INLINE struct shunt_efa_words shunt_efa_memory(uint32_t bytes, uint32_t key, uint64_t address)
{
  const struct shunt_efa_words words = {bytes | (uint64_t)key << 32, address};
  return words;
}
SHUNT_INLINE struct shunt_efa_words shunt_efa_piece(const struct shunt_fabric_work *work,
                                                    unsigned index)
{
  const struct shunt_fabric_piece *piece = &work->piece[index];
  const struct shunt_efa_words none = {0, 0};
  return work->pieces > index ? shunt_efa_memory(piece->bytes, piece->lkey, piece->address) : none;
}

/* What stands behind the meta data, where it fits into the first line. */
SHUNT_INLINE void shunt_efa_body(const struct shunt_fabric_work *work, struct shunt_efa_words *data,
                                 struct shunt_efa_words *rest)
{
  if (work->op != SHUNT_FABRIC_SEND) {
    *data =
        shunt_efa_memory(work->pieces ? work->piece[0].bytes : 0, work->rkey, work->remote_address);
    *rest = shunt_efa_piece(work, 0);
  } else if (!work->is_inline) {
    *data = shunt_efa_piece(work, 0);
    *rest = shunt_efa_piece(work, 1);
  } else if (work->inline_bytes == EFA_INLINE_BYTES) {
    memcpy(data, work->inline_data, sizeof(*data));
    memcpy(rest, (const uint8_t *)work->inline_data + sizeof(*data), sizeof(*rest));
  } else {
    struct shunt_efa_words both[2] = {{0, 0}, {0, 0}};
    if (work->inline_bytes)
      memcpy(both, work->inline_data, work->inline_bytes);
    *data = both[0];
    *rest = both[1];
  }
}

/* Behind a work request in the ring. The phase tells one round from the next. */
SHUNT_INLINE void shunt_efa_sq_advance(struct shunt_efa_qp *qp)
{
  uint8_t *next = qp->sq_next + qp->sq_entry_bytes;
  const uint32_t posted = qp->sq_posted + 1;
  if (SHUNT_UNLIKELY(next == qp->sq_end)) {
    next = qp->sq_first;
    qp->sq_control ^= (uint64_t)EFA_TX_CTRL2_PHASE << 24;
  }
  qp->sq_next = next;
  qp->sq_posted = posted;
  if (SHUNT_UNLIKELY(posted == qp->sq_due))
    shunt_efa_send_push(qp);
}

/* As shunt_fabric_send_post. */
SHUNT_INLINE int shunt_efa_send_post(struct shunt_efa_qp *qp, const struct shunt_fabric_work *work)
{
  struct shunt_efa_words data, rest;
  if (SHUNT_UNLIKELY(qp->send.room <= 0))
    return -EAGAIN;
  if (work->is_inline &&
      SHUNT_UNLIKELY(work->inline_bytes > EFA_INLINE_BYTES || work->op != SHUNT_FABRIC_SEND))
    return shunt_efa_send_post_wide(qp, work);
  if (!work->is_inline &&
      SHUNT_UNLIKELY(work->pieces >
                     (work->op == SHUNT_FABRIC_SEND ? SHUNT_FABRIC_PIECES : EFA_RDMA_SGES)))
    return -EINVAL;
  const struct shunt_efa_words key = {work->to.qkey, 0};
  shunt_efa_body(work, &data, &rest);
  shunt_efa_line(qp->sq_next,
                 shunt_efa_who(qp, work, work->is_inline ? work->inline_bytes : work->pieces), key,
                 data, rest);
  shunt_efa_sq_advance(qp);
  return 0;
}

/* --- Receiving ----------------------------------------------------------------------------------
 */

/* As shunt_fabric_recv_post. The doorbell counts descriptors. */
SHUNT_INLINE unsigned shunt_efa_recv_post(struct shunt_efa_qp *qp,
                                          const struct shunt_fabric_receive receives[], unsigned n)
{
  unsigned i = 0;
  for (; i < n && qp->receive.room > 0; i++) {
    const struct shunt_fabric_receive *receive = &receives[i];
    const uint32_t last = receive->pieces - 1;
    if (SHUNT_UNLIKELY(last >= qp->rq_pieces || receive->piece[0].bytes > UINT16_MAX ||
                       receive->piece[last].bytes > UINT16_MAX))
      break;
    const uint32_t number = shunt_efa_number_take(&qp->receive, receive->id);
    for (uint32_t k = 0; k <= last; k++) {
      const struct shunt_fabric_piece *piece = &receive->piece[k];
      const uint32_t lkey =
          (piece->lkey & EFA_LKEY) | (k == 0 ? EFA_RX_FIRST : 0) | (k == last ? EFA_RX_LAST : 0);
      const struct shunt_efa_words words = {piece->address, number | (uint64_t)piece->bytes << 16 |
                                                                (uint64_t)lkey << 32};
      memcpy(&qp->rq[qp->rq_tail++ & qp->rq_mask], &words, sizeof(words));
    }
  }
  if (SHUNT_LIKELY(i))
    __atomic_store_n(qp->rq_doorbell, qp->rq_tail & 0xFFFFu, __ATOMIC_RELEASE);
  return i;
}

/* --- Completions ------------------------------------------------------------------------------ */

/* The bits of an entry's first dword that say whether it is there, and of which queue. */
#define SHUNT_EFA_CQE_PHASE   ((uint32_t)EFA_CQE_PHASE << 24)
#define SHUNT_EFA_CQE_SEND    ((uint32_t)EFA_QUEUE_SEND << 25)
#define SHUNT_EFA_CQE_RECEIVE ((uint32_t)EFA_QUEUE_RECEIVE << 25)
#define SHUNT_EFA_CQE_QUEUE   ((uint32_t)EFA_CQE_QUEUE << 24)
#define SHUNT_EFA_CQE_WHAT    (SHUNT_EFA_CQE_PHASE | SHUNT_EFA_CQE_QUEUE)

/* What both kinds have in common: number, status and flags come as they are. */
SHUNT_INLINE void shunt_efa_take(struct shunt_fabric_completion *completion, uint32_t first,
                                 struct shunt_efa_qp *qp, uint64_t id)
{
  completion->id = id;
  completion->qp = &qp->head;
  memcpy(&completion->reserved, &first, sizeof(first));
}

SHUNT_INLINE void shunt_efa_take_received(const struct efa_cqe_wide *cqe, uint32_t first,
                                          struct shunt_efa_qp *qp,
                                          struct shunt_fabric_completion *completion)
{
  const uint32_t flags = first >> 24;
  uint64_t id = 0;
  if (SHUNT_LIKELY(!(flags & EFA_CQE_UNSOLICITED)))
    id = shunt_efa_number_give(&qp->receive, first);
  shunt_efa_take(completion, first, qp, id);
  completion->bytes = cqe->base.length;
  completion->immediate = cqe->base.immediate;
  completion->source_ah = cqe->base.ah;
  completion->source_qpn = cqe->base.src_qp_num;
  if (SHUNT_UNLIKELY((flags & EFA_CQE_OP) != EFA_OP_SEND << 4))
    completion->bytes |= (uint32_t)cqe->u.length_hi << 16;
  else if (SHUNT_UNLIKELY(cqe->base.ah == EFA_AH_UNKNOWN))
    memcpy(&completion->source, cqe->u.src_gid, sizeof(completion->source));
}

/* Of one ring of completions. What is loaded once before the loop would else be loaded again behind
 * each store. */
SHUNT_INLINE unsigned shunt_efa_poll_ring(struct shunt_efa_cq *cq,
                                          struct shunt_fabric_completion completions[], unsigned n)
{
  struct shunt_fabric_completion *to = completions, *const last = completions + n;
  struct shunt_efa_qp *const *const queues = cq->queues;
  const struct efa_cqe_wide *next = cq->next;
  uint32_t expect = cq->expect;
  while (to != last) {
    const uint32_t first = __atomic_load_n((const uint32_t *)(const void *)next, __ATOMIC_ACQUIRE);
    const uint32_t other = first ^ expect; /* its lower half is the number */
    struct shunt_efa_qp *const qp = queues[next->base.qp_num];
    if (SHUNT_LIKELY((other & SHUNT_EFA_CQE_WHAT) == 0))
      shunt_efa_take(to++, first, qp, shunt_efa_number_give(&qp->send, other));
    else if (other & SHUNT_EFA_CQE_PHASE)
      break;
    else if ((first & SHUNT_EFA_CQE_QUEUE) == SHUNT_EFA_CQE_RECEIVE)
      shunt_efa_take_received(next, first, qp, to++);
    else /* of a queue pair that was destroyed */
      cq->count++;
    if (SHUNT_UNLIKELY(++next == cq->end)) {
      next = cq->first;
      cq->expect = expect ^= SHUNT_EFA_CQE_PHASE;
    }
  }
  cq->next = next;
  cq->count += (uint32_t)(to - completions);
  return (unsigned)(to - completions);
}

/* As shunt_fabric_poll. */
SHUNT_INLINE unsigned shunt_efa_poll(struct shunt_efa_cq *cq,
                                     struct shunt_fabric_completion completions[], unsigned n)
{
  const unsigned got = shunt_efa_poll_ring(cq, completions, n);
  if (SHUNT_UNLIKELY(cq->sub_queues > 1 && !got))
    return shunt_efa_poll_next(cq, completions, n);
  return got;
}

SHUNT_END_DECLS

#endif
