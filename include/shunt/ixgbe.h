/* SPDX-License-Identifier: BSD-2-Clause */
/* The five verbs of the 82599, inline: for a workload that is compiled into the driver's loop.
 *
 * The same rings, rules, owners and results as in shunt/port.h; inline and portable calls on one
 * queue may be mixed. What the inline calls leave out: the checks of a checked port, and the turn
 * that a twin without a testbed gets from the portable calls (call shunt_port_step instead).
 *
 *   struct shunt_ixgbe_queue *q = shunt_ixgbe_queue(shunt_port_queue(port, 0));
 *   n = shunt_ixgbe_rx_poll(q, frames, 32);
 *
 * Indices of rings run free (modulo 2^32); a slot is the index masked. A ring of 2^k descriptors
 * holds 2^k - 1, because head == tail means empty to the chip (datasheet 7.1.9, 7.2.3.3). */
#ifndef SHUNT_IXGBE_H
#define SHUNT_IXGBE_H

#include "hw/ixgbe_desc.h"
#include "shunt/port.h"

SHUNT_BEGIN_DECLS

/* A queue pair. Read what you like; write nothing. */
struct shunt_ixgbe_queue {
  struct shunt_queue head;

  /* Both directions. Device address of region offset o: o + delta[o >> SHUNT_REGION_ALIGN_SHIFT] */
  const uint64_t *delta;
  uint64_t buf_mask; /* clears the offset inside a buffer */
  /* Rings a doorbell that can't be reached as memory; only where rdt or tdt is NULL. */
  void (*doorbell)(struct shunt_ixgbe_queue *q, uint32_t register_offset, uint32_t value);
  uint32_t rdt_offset, tdt_offset; /* in BAR 0 */

  /* Receive: rx_head <= rx_told <= rx_tail <= rx_head + rx_mask */
  union ixgbe_rx_desc *rx_ring;
  shunt_buf *rx_bufs; /* the buffer in each slot */
  volatile uint32_t *rdt;
  uint32_t rx_mask;
  uint32_t rx_head;       /* next descriptor that the NIC fills */
  uint32_t rx_tail;       /* next slot that rx_post fills */
  uint32_t rx_told;       /* rx_tail as the NIC knows it */
  uint32_t rx_batch;      /* descriptors that may be kept from the NIC for a while ... */
  uint32_t rx_low;        /* ... unless it has fewer than these */
  uint32_t rx_flags_mask; /* status bits that become flags */
  uint8_t rx_metadata;    /* fill in the second half of struct shunt_frame */

  /* Send: tx_head <= tx_done <= tx_unreported <= tx_pushed <= tx_tail <= tx_head + tx_mask */
  uint8_t tx_contexts; /* the ring has held context descriptors: poll skips them */
  union ixgbe_tx_desc *tx_ring;
  shunt_buf *tx_bufs;  /* the piece in each slot; SHUNT_IXGBE_CONTEXT for a context */
  uint32_t *tx_report; /* at the first slot of a report: its last index */
  volatile uint32_t *tdt;
  uint32_t tx_mask;
  uint32_t tx_head;       /* next buffer that tx_poll returns */
  uint32_t tx_done;       /* sent, as far as we know */
  uint32_t tx_unreported; /* first descriptor behind the last one that carries RS */
  uint32_t tx_pushed;     /* tx_tail as the NIC knows it */
  uint32_t tx_tail;       /* next slot that tx_post fills */
  uint32_t tx_interval;   /* descriptors from one report to the next, at least */

  void *driver; /* the driver's own */
};

#define SHUNT_IXGBE_CONTEXT UINT64_MAX

/* The inline view of a queue, or NULL where q is not an 82599's, or is a checked port's: there the
 * portable calls must be used. */
struct shunt_ixgbe_queue *shunt_ixgbe_queue(struct shunt_queue *q);

/* What the inline calls need out of line: frames with metadata; frames of several pieces, with
 * offloads or tags; rings that hold context descriptors. Not for direct use. */
unsigned shunt_ixgbe_rx_poll_metadata(struct shunt_ixgbe_queue *q, struct shunt_frame frames[],
                                      unsigned n);
unsigned shunt_ixgbe_tx_post_offload(struct shunt_ixgbe_queue *q, const struct shunt_frame frames[],
                                     unsigned n);
unsigned shunt_ixgbe_tx_poll_contexts(struct shunt_ixgbe_queue *q, shunt_buf bufs[], unsigned n);

/* Order descriptor stores before the doorbell. x86-64 keeps stores in order, device memory
 * included (Intel SDM vol. 3A, 9.2.3); arm64 needs a barrier that devices see. */
static inline void shunt_ixgbe_store_barrier(void)
{
#if defined(__aarch64__)
  __asm__ __volatile__("dmb oshst" ::: "memory");
#else
  __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

static inline void shunt_ixgbe_ring_doorbell(struct shunt_ixgbe_queue *q, volatile uint32_t *tail,
                                             uint32_t register_offset, uint32_t value)
{
  shunt_ixgbe_store_barrier();
  if (SHUNT_LIKELY(tail != NULL))
    __atomic_store_n(tail, value, __ATOMIC_RELEASE);
  else
    q->doorbell(q, register_offset, value);
}

static inline uint64_t shunt_ixgbe_address(const struct shunt_ixgbe_queue *q, uint64_t offset)
{
  return offset + q->delta[offset >> SHUNT_REGION_ALIGN_SHIFT];
}

/* As shunt_rx_post. The NIC is told of new descriptors in batches of a quarter of the ring, and at
 * once while it has fewer than half a ring: a doorbell costs more than the descriptors. */
static inline unsigned shunt_ixgbe_rx_post(struct shunt_ixgbe_queue *q, const shunt_buf bufs[],
                                           unsigned n)
{
  uint32_t tail = q->rx_tail, mask = q->rx_mask;
  uint32_t room = mask - (tail - q->rx_head);
  uint64_t buf_mask = q->buf_mask;
  const uint64_t *delta = q->delta;
  n = n < room ? n : room;
  for (const shunt_buf *buf = bufs, *end = bufs + n; buf != end; buf++, tail++) {
    uint32_t slot = tail & mask;
    uint64_t offset = *buf & buf_mask;
    q->rx_bufs[slot] = offset;
    q->rx_ring[slot].quad[0] = offset + delta[offset >> SHUNT_REGION_ALIGN_SHIFT];
    q->rx_ring[slot].quad[1] = 0; /* bit 0 is DD from now on */
  }
  q->rx_tail = tail;
  uint32_t told = q->rx_told;
  if (tail - told >= q->rx_batch || (told - q->rx_head < q->rx_low && tail != told)) {
    q->rx_told = tail;
    shunt_ixgbe_ring_doorbell(q, q->rdt, q->rdt_offset, tail & mask);
  }
  return n;
}

/* As shunt_rx_poll. */
static inline unsigned shunt_ixgbe_rx_poll(struct shunt_ixgbe_queue *q, struct shunt_frame frames[],
                                           unsigned n)
{
  if (SHUNT_UNLIKELY(q->rx_metadata))
    return shunt_ixgbe_rx_poll_metadata(q, frames, n);
  uint32_t head = q->rx_head, mask = q->rx_mask, flags_mask = q->rx_flags_mask;
  unsigned got;
  for (got = 0; got < n; got++) {
    uint32_t slot = head & mask;
    uint64_t status = __atomic_load_n(&q->rx_ring[slot].quad[1], __ATOMIC_ACQUIRE);
    if (!(status & IXGBE_RXD_STAT_DD))
      break;
    /* A slot that was never posted holds no DD: rings start zeroed, and rx_post clears it. */
    frames[got].addr = q->rx_bufs[slot];
    frames[got].len = (uint16_t)(status >> 32);
    frames[got].flags = ((uint32_t)status & flags_mask) ^ SHUNT_FRAME_MORE;
    head++;
  }
  q->rx_head = head;
  return got;
}

/* Command bits of every data descriptor (datasheet 7.2.3.2.4). */
#define SHUNT_IXGBE_TX_PIECE ((uint64_t)(IXGBE_TXD_DTYP_DATA | IXGBE_TXD_DEXT | IXGBE_TXD_IFCS))
#define SHUNT_IXGBE_TX_WHOLE (SHUNT_IXGBE_TX_PIECE | IXGBE_TXD_EOP)
/* A length times this stands in DTALEN and in PAYLEN. */
#define SHUNT_IXGBE_TX_LENGTHS ((UINT64_C(1) << (32 + IXGBE_TXD_PAYLEN_SHIFT)) | 1)

/* As shunt_tx_post. */
static inline unsigned shunt_ixgbe_tx_post(struct shunt_ixgbe_queue *q,
                                           const struct shunt_frame frames[], unsigned n)
{
  uint32_t tail = q->tx_tail, mask = q->tx_mask;
  uint32_t room = mask - (tail - q->tx_head);
  const uint64_t *delta = q->delta;
  const struct shunt_frame *frame = frames, *end = frames + (n < room ? n : room);
  for (; frame != end; frame++, tail++) {
    if (SHUNT_UNLIKELY(frame->flags & SHUNT_FRAME_SEND_FLAGS)) {
      unsigned done = (unsigned)(frame - frames);
      q->tx_tail = tail;
      return done + shunt_ixgbe_tx_post_offload(q, frame, n - done);
    }
    uint32_t slot = tail & mask;
    uint64_t addr = frame->addr;
    q->tx_bufs[slot] = addr;
    q->tx_ring[slot].quad[0] = addr + delta[addr >> SHUNT_REGION_ALIGN_SHIFT];
    q->tx_ring[slot].quad[1] = frame->len * SHUNT_IXGBE_TX_LENGTHS | SHUNT_IXGBE_TX_WHOLE;
  }
  q->tx_tail = tail;
  return (unsigned)(frame - frames);
}

/* As shunt_tx_push. The last descriptor of the push asks for a report (RS), unless the port's
 * tx_report_interval says that it is too early. */
static inline void shunt_ixgbe_tx_push(struct shunt_ixgbe_queue *q)
{
  uint32_t tail = q->tx_tail, mask = q->tx_mask;
  if (tail == q->tx_pushed)
    return;
  if (tail - q->tx_unreported >= q->tx_interval) {
    uint32_t last = tail - 1;
    q->tx_ring[last & mask].read.cmd_type_len |= IXGBE_TXD_RS;
    q->tx_report[q->tx_unreported & mask] = last;
    q->tx_unreported = tail;
  }
  q->tx_pushed = tail;
  shunt_ixgbe_ring_doorbell(q, q->tdt, q->tdt_offset, tail & mask);
}

/* As shunt_tx_poll. Looks at the one descriptor that carries RS, not at each. */
static inline unsigned shunt_ixgbe_tx_poll(struct shunt_ixgbe_queue *q, shunt_buf bufs[],
                                           unsigned n)
{
  if (SHUNT_UNLIKELY(q->tx_contexts))
    return shunt_ixgbe_tx_poll_contexts(q, bufs, n);
  uint32_t head = q->tx_head, done = q->tx_done, mask = q->tx_mask;
  unsigned got = 0;
  for (;;) {
    uint32_t ready = done - head, wanted = n - got;
    for (uint32_t end = head + (ready < wanted ? ready : wanted); head != end; head++)
      bufs[got++] = q->tx_bufs[head & mask];
    if (got == n || done == q->tx_unreported)
      break;
    uint32_t last = q->tx_report[done & mask];
    uint32_t status = __atomic_load_n(&q->tx_ring[last & mask].wb.status, __ATOMIC_ACQUIRE);
    if (!(status & IXGBE_TXD_STAT_DD))
      break;
    done = last + 1;
  }
  q->tx_head = head;
  q->tx_done = done;
  return got;
}

/* The verbs above as a table, for code that takes one: called through a constant table that the
 * compiler sees, they are inlined (shunt/echo.h is built so). */
static inline unsigned shunt_ixgbe_verb_rx_post(struct shunt_queue *q, const shunt_buf bufs[],
                                                unsigned n)
{
  return shunt_ixgbe_rx_post((struct shunt_ixgbe_queue *)q, bufs, n);
}
static inline unsigned shunt_ixgbe_verb_rx_poll(struct shunt_queue *q, struct shunt_frame frames[],
                                                unsigned n)
{
  return shunt_ixgbe_rx_poll((struct shunt_ixgbe_queue *)q, frames, n);
}
static inline unsigned shunt_ixgbe_verb_tx_post(struct shunt_queue *q,
                                                const struct shunt_frame frames[], unsigned n)
{
  return shunt_ixgbe_tx_post((struct shunt_ixgbe_queue *)q, frames, n);
}
static inline void shunt_ixgbe_verb_tx_push(struct shunt_queue *q)
{
  shunt_ixgbe_tx_push((struct shunt_ixgbe_queue *)q);
}
static inline unsigned shunt_ixgbe_verb_tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n)
{
  return shunt_ixgbe_tx_poll((struct shunt_ixgbe_queue *)q, bufs, n);
}

#define SHUNT_IXGBE_VERBS                                                                          \
  {                                                                                                \
    shunt_ixgbe_verb_rx_post, shunt_ixgbe_verb_rx_poll, shunt_ixgbe_verb_tx_post,                  \
        shunt_ixgbe_verb_tx_push, shunt_ixgbe_verb_tx_poll                                         \
  }

SHUNT_END_DECLS

#endif
