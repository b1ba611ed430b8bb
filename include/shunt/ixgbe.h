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

#include <string.h>

#include "hw/ixgbe_desc.h"
#include "shunt/port.h"

SHUNT_BEGIN_DECLS

/* What the driver remembers of a descriptor, in a ring beside the descriptors' own and of the same
 * stride, so that one index serves both. */
struct shunt_ixgbe_slot {
  shunt_buf addr;      /* Rx: the buffer; Tx: the piece, or SHUNT_IXGBE_CONTEXT */
  uint32_t report_end; /* Tx, in the first slot of a report: the index behind its last descriptor */
  uint32_t reserved;
};

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
  struct shunt_ixgbe_slot *rx_slots;
  volatile uint32_t *rdt;
  uint64_t rx_keep;    /* what of a descriptor's status, length and tag is passed on */
  uint32_t rx_mask;
  uint32_t rx_head;    /* next descriptor that the NIC fills */
  uint32_t rx_tail;    /* next slot that rx_post fills */
  uint32_t rx_told;    /* rx_tail as the NIC knows it */
  uint32_t rx_batch;   /* descriptors that may be kept from the NIC for a while ... */
  uint32_t rx_low;     /* ... unless it has fewer than these */
  uint8_t rx_metadata; /* fill in the second half of struct shunt_frame */

  /* Send: tx_head <= tx_done <= tx_unreported <= tx_pushed <= tx_tail <= tx_head + tx_mask */
  uint8_t tx_contexts; /* the ring has held context descriptors: poll skips them */
  union ixgbe_tx_desc *tx_ring;
  struct shunt_ixgbe_slot *tx_slots;
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
  uint32_t tail = q->rx_tail, mask = q->rx_mask, room = mask - (tail - q->rx_head);
  const uint64_t buf_mask = q->buf_mask, *const delta = q->delta;
  union ixgbe_rx_desc *const ring = q->rx_ring;
  struct shunt_ixgbe_slot *const slots = q->rx_slots;
  n = n < room ? n : room;
  size_t slot = tail & mask;
  SHUNT_UNROLL
  for (unsigned i = 0; i < n; i++) {
    uint64_t offset = bufs[i] & buf_mask;
    slots[slot].addr = offset;
    ring[slot].quad[0] = offset + delta[offset >> SHUNT_REGION_ALIGN_SHIFT];
    ring[slot].quad[1] = 0; /* bit 0 is DD from now on */
    slot = (slot + 1) & mask;
  }
  q->rx_tail = tail += n;
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
  const uint32_t mask = q->rx_mask;
  const uint64_t keep = q->rx_keep;
  const union ixgbe_rx_desc *const ring = q->rx_ring;
  const struct shunt_ixgbe_slot *const slots = q->rx_slots;
  size_t slot = q->rx_head & mask;
  unsigned got;
  SHUNT_UNROLL
  for (got = 0; got < n; got++) {
    uint64_t status = __atomic_load_n(&ring[slot].quad[1], __ATOMIC_ACQUIRE);
    /* A slot that was never posted holds no DD: rings start zeroed, and rx_post clears it. */
    if (!(status & IXGBE_RXD_STAT_DD))
      break;
    frames[got].addr = slots[slot].addr;
    status = (status & keep) ^ IXGBE_RXD_STAT_EOP; /* SHUNT_FRAME_MORE is its opposite */
    memcpy((char *)&frames[got] + offsetof(struct shunt_frame, flags), &status, sizeof(status));
    slot = (slot + 1) & mask;
  }
  q->rx_head += got;
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
  uint32_t tail = q->tx_tail, mask = q->tx_mask, room = mask - (tail - q->tx_head);
  const uint64_t *const delta = q->delta;
  union ixgbe_tx_desc *const ring = q->tx_ring;
  struct shunt_ixgbe_slot *const slots = q->tx_slots;
  unsigned taken = n < room ? n : room;
  size_t slot = tail & mask;
  SHUNT_UNROLL
  for (unsigned i = 0; i < taken; i++) {
    if (SHUNT_UNLIKELY(frames[i].flags & SHUNT_FRAME_SEND_FLAGS)) {
      q->tx_tail = tail + i;
      return i + shunt_ixgbe_tx_post_offload(q, frames + i, n - i);
    }
    uint64_t addr = frames[i].addr;
    slots[slot].addr = addr;
    ring[slot].quad[0] = addr + delta[addr >> SHUNT_REGION_ALIGN_SHIFT];
    ring[slot].quad[1] = frames[i].len * SHUNT_IXGBE_TX_LENGTHS | SHUNT_IXGBE_TX_WHOLE;
    slot = (slot + 1) & mask;
  }
  q->tx_tail = tail + taken;
  return taken;
}

/* As shunt_tx_push. The last descriptor of the push asks for a report (RS), unless the port's
 * tx_report_interval says that it is too early. */
static inline void shunt_ixgbe_tx_push(struct shunt_ixgbe_queue *q)
{
  uint32_t tail = q->tx_tail, mask = q->tx_mask;
  if (tail == q->tx_pushed)
    return;
  if (tail - q->tx_unreported >= q->tx_interval) {
    q->tx_ring[(tail - 1) & mask].read.cmd_type_len |= IXGBE_TXD_RS;
    q->tx_slots[q->tx_unreported & mask].report_end = tail;
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
  const uint32_t mask = q->tx_mask;
  const struct shunt_ixgbe_slot *const slots = q->tx_slots;
  uint32_t head = q->tx_head, done = q->tx_done;
  unsigned got = 0;
  for (;;) {
    uint32_t ready = done - head, wanted = n - got, run = ready < wanted ? ready : wanted;
    size_t slot = head & mask;
    SHUNT_UNROLL
    for (uint32_t i = 0; i < run; i++) {
      bufs[got + i] = slots[slot].addr;
      slot = (slot + 1) & mask;
    }
    head += run;
    got += run;
    if (got == n || done == q->tx_unreported)
      break;
    uint32_t end = slots[done & mask].report_end;
    uint32_t status = __atomic_load_n(&q->tx_ring[(end - 1) & mask].wb.status, __ATOMIC_ACQUIRE);
    if (!(status & IXGBE_TXD_STAT_DD))
      break;
    done = end;
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
