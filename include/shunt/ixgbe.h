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

enum shunt_ixgbe_tail { SHUNT_IXGBE_RDT, SHUNT_IXGBE_TDT };

/* A queue pair. Read what you like; write nothing. */
struct shunt_ixgbe_queue {
  struct shunt_queue head;

  /* Both directions. Device address of region offset o: o + delta[o >> SHUNT_REGION_ALIGN_SHIFT] */
  const uint64_t *delta;
  uint64_t buf_mask; /* clears the offset inside a buffer */

  /* Receive: rx_head <= rx_told <= rx_tail <= rx_head + rx_mask */
  union ixgbe_rx_desc *rx_ring;
  struct shunt_ixgbe_slot *rx_slots;
  volatile uint32_t *rdt;
  uint64_t rx_keep; /* what of a descriptor's status, length and tag is passed on */
  uint32_t rx_mask;
  uint32_t rx_head;  /* next descriptor that the NIC fills */
  uint32_t rx_tail;  /* next slot that rx_post fills */
  uint32_t rx_told;  /* rx_tail as the NIC knows it */
  uint32_t rx_batch; /* descriptors that may be kept from the NIC for a while ... */
  uint32_t rx_low;   /* ... unless it has fewer than these */

  /* Send: tx_head <= tx_done <= tx_unreported <= tx_tail <= tx_head + tx_mask */
  uint8_t tx_contexts; /* the ring has held context descriptors: poll skips them */
  union ixgbe_tx_desc *tx_ring;
  struct shunt_ixgbe_slot *tx_slots;
  volatile uint32_t *tdt;
  uint32_t tx_mask;
  uint32_t tx_head;       /* next buffer that tx_poll returns */
  uint32_t tx_done;       /* sent, as far as we know */
  uint32_t tx_unreported; /* first descriptor behind the last one that carries RS */
  uint32_t tx_tail;       /* next slot that tx_post fills */
  uint32_t tx_interval;   /* descriptors from one report to the next, at least */

  /* Where the tails can't be reached as memory, rdt and tdt point to trapped_tails, and the
   * portable calls, which know it, pass on what the inline ones left there. */
  uint32_t trapped_tails[2]; /* by enum shunt_ixgbe_tail */
  void (*doorbell)(struct shunt_ixgbe_queue *q, enum shunt_ixgbe_tail tail, uint32_t value);
  void *driver; /* the driver's own */
};

#define SHUNT_IXGBE_CONTEXT UINT64_MAX

/* The inline view of a queue, or NULL where only the portable calls will do: q is not an 82599's,
 * or a checked or attachable (capture) port's, or its doorbells can't be reached as memory. */
struct shunt_ixgbe_queue *shunt_ixgbe_queue(struct shunt_queue *q);

/* shunt_rx_poll with hash and time stamp, for a port opened with rx_metadata: its portable calls
 * are this one. */
unsigned shunt_ixgbe_rx_poll_metadata(struct shunt_ixgbe_queue *q, struct shunt_frame frames[],
                                      unsigned n);

/* What the inline calls leave to a call: the part of a burst behind the ring's end, frames of
 * several pieces or with offloads or tags, rings that hold context descriptors. Not for direct
 * use. */
unsigned shunt_ixgbe_rx_post_rest(struct shunt_ixgbe_queue *q, const shunt_buf bufs[], unsigned n);
unsigned shunt_ixgbe_tx_post_rest(struct shunt_ixgbe_queue *q, const struct shunt_frame frames[],
                                  unsigned n);
unsigned shunt_ixgbe_tx_poll_contexts(struct shunt_ixgbe_queue *q, shunt_buf bufs[], unsigned n);

/* Order descriptor stores before the doorbell. x86-64 keeps stores in order, device memory
 * included (Intel SDM vol. 3A, 9.2.3), so the compiler alone is held; arm64 needs a barrier that
 * devices see. Between threads the doorbell's release does it. */
static inline void shunt_ixgbe_store_barrier(void)
{
#if defined(__aarch64__)
  __asm__ __volatile__("dmb oshst" ::: "memory");
#else
  __asm__ __volatile__("" ::: "memory");
#endif
}

static inline void shunt_ixgbe_ring_doorbell(volatile uint32_t *tail, uint32_t value)
{
  shunt_ixgbe_store_barrier();
  __atomic_store_n(tail, value, __ATOMIC_RELEASE);
}

static inline uint64_t shunt_ixgbe_address(const struct shunt_ixgbe_queue *q, uint64_t offset)
{
  return offset + q->delta[offset >> SHUNT_REGION_ALIGN_SHIFT];
}

/* How many slots of a burst can be worked off before the ring's end, so that inside the run an
 * index needs no mask. What is left of the burst is a second burst. */
static inline uint32_t shunt_ixgbe_run(uint32_t slot, uint32_t mask, uint32_t wanted)
{
  uint32_t straight = mask + 1 - slot;
  return wanted < straight ? wanted : straight;
}

/* A burst of one that the compiler knows of has code of its own: no loop, and no frame whose
 * address is taken, so that it stays in registers. */
#define SHUNT_IXGBE_SINGLE(n) (__builtin_constant_p(n) && (n) == 1)

static inline void shunt_ixgbe_rx_put(uint64_t buf_mask, const uint64_t *delta,
                                      union ixgbe_rx_desc *desc, struct shunt_ixgbe_slot *slot,
                                      shunt_buf buf)
{
  uint64_t offset = buf & buf_mask;
  slot->addr = offset;
  desc->quad[0] = offset + delta[offset >> SHUNT_REGION_ALIGN_SHIFT];
  desc->quad[1] = 0; /* bit 0 is DD from now on */
}

/* As shunt_rx_post. The NIC is told of new descriptors in batches of an eighth of the ring, and at
 * once while it has fewer than half a ring: a doorbell costs more than the descriptors. */
SHUNT_INLINE unsigned shunt_ixgbe_rx_post(struct shunt_ixgbe_queue *q, const shunt_buf bufs[],
                                          unsigned n)
{
  const uint32_t tail = q->rx_tail, mask = q->rx_mask, slot = tail & mask;
  const uint32_t room = mask - (tail - q->rx_head), most = n < room ? n : room;
  const uint32_t run = shunt_ixgbe_run(slot, mask, most);
  const uint64_t *const delta = q->delta, buf_mask = q->buf_mask;
  union ixgbe_rx_desc *const desc = q->rx_ring + slot;
  struct shunt_ixgbe_slot *const slots = q->rx_slots + slot;
  size_t i = 0;
  for (; i + SHUNT_FOUR <= run; i += SHUNT_FOUR)
    SHUNT_EACH_OF_FOUR (k)
      shunt_ixgbe_rx_put(buf_mask, delta, desc + i + k, slots + i + k, bufs[i + k]);
  for (; i < run; i++)
    shunt_ixgbe_rx_put(buf_mask, delta, desc + i, slots + i, bufs[i]);
  const uint32_t now = tail + run, told = q->rx_told;
  q->rx_tail = now;
  /* The slot behind the last is ours, and may hold a DD of the ring's last turn: rx_poll stops at
   * it, so it need not look where the ring ends. */
  q->rx_ring[now & mask].quad[1] = 0;
  if (SHUNT_UNLIKELY(run < most))
    return run + shunt_ixgbe_rx_post_rest(q, bufs + run, n - run);
  if (now - told >= q->rx_batch || (told - q->rx_head < q->rx_low && now != told)) {
    q->rx_told = now;
    shunt_ixgbe_ring_doorbell(q->rdt, now & mask);
  }
  return run;
}

static inline uint64_t shunt_ixgbe_rx_status(const union ixgbe_rx_desc *desc)
{
  return __atomic_load_n(&desc->quad[1], __ATOMIC_ACQUIRE);
}

/* The frame of a descriptor that is done. */
static inline void shunt_ixgbe_rx_take(uint64_t status, uint64_t keep,
                                       const struct shunt_ixgbe_slot *slot,
                                       struct shunt_frame *frame)
{
  frame->addr = slot->addr;
  status = (status & keep) ^ IXGBE_RXD_STAT_EOP; /* SHUNT_FRAME_MORE is its opposite */
  memcpy((char *)frame + offsetof(struct shunt_frame, flags), &status, sizeof(status));
}

SHUNT_INLINE unsigned shunt_ixgbe_rx_poll_one(struct shunt_ixgbe_queue *q,
                                              struct shunt_frame *frame)
{
  const uint32_t slot = q->rx_head & q->rx_mask;
  uint64_t status = shunt_ixgbe_rx_status(q->rx_ring + slot);
  if (!(status & IXGBE_RXD_STAT_DD))
    return 0;
  status = (status & q->rx_keep) ^ IXGBE_RXD_STAT_EOP;
  frame->addr = q->rx_slots[slot].addr;
  frame->flags = (uint32_t)status;
  frame->len = (uint16_t)(status >> 32);
  frame->vlan = (uint16_t)(status >> 48);
  q->rx_head++;
  return 1;
}

/* As shunt_rx_poll, without the second half of struct shunt_frame. A burst ends at the ring's end,
 * so only 0 means that nothing is there. */
SHUNT_INLINE unsigned shunt_ixgbe_rx_poll(struct shunt_ixgbe_queue *q, struct shunt_frame frames[],
                                          unsigned n)
{
  if (SHUNT_IXGBE_SINGLE(n))
    return shunt_ixgbe_rx_poll_one(q, frames);
  const uint32_t slot = q->rx_head & q->rx_mask;
  const uint64_t keep = q->rx_keep;
  const union ixgbe_rx_desc *desc = q->rx_ring + slot;
  const struct shunt_ixgbe_slot *slots = q->rx_slots + slot;
  const uint32_t run = shunt_ixgbe_run(slot, q->rx_mask, n);
  size_t got = 0;
  for (; got + SHUNT_FOUR <= run; got += SHUNT_FOUR) {
    uint64_t status[SHUNT_FOUR], all = IXGBE_RXD_STAT_DD;
    SHUNT_EACH_OF_FOUR (k)
      all &= status[k] = shunt_ixgbe_rx_status(desc + got + k);
    if (!all)
      break;
    SHUNT_EACH_OF_FOUR (k)
      shunt_ixgbe_rx_take(status[k], keep, slots + got + k, frames + got + k);
  }
  for (uint64_t status; got < run; got++) {
    status = shunt_ixgbe_rx_status(desc + got);
    if (!(status & IXGBE_RXD_STAT_DD))
      break;
    shunt_ixgbe_rx_take(status, keep, slots + got, frames + got);
  }
  q->rx_head += (uint32_t)got;
  return (unsigned)got;
}

/* Command bits of every data descriptor (datasheet 7.2.3.2.4). */
#define SHUNT_IXGBE_TX_PIECE ((uint64_t)(IXGBE_TXD_DTYP_DATA | IXGBE_TXD_DEXT | IXGBE_TXD_IFCS))
#define SHUNT_IXGBE_TX_WHOLE (SHUNT_IXGBE_TX_PIECE | IXGBE_TXD_EOP)
/* A length times this stands in DTALEN and in PAYLEN. */
#define SHUNT_IXGBE_TX_LENGTHS ((UINT64_C(1) << (32 + IXGBE_TXD_PAYLEN_SHIFT)) | 1)

static inline void shunt_ixgbe_tx_put(const uint64_t *delta, union ixgbe_tx_desc *desc,
                                      struct shunt_ixgbe_slot *slot,
                                      const struct shunt_frame *frame)
{
  uint64_t addr = frame->addr;
  slot->addr = addr;
  desc->quad[0] = addr + delta[addr >> SHUNT_REGION_ALIGN_SHIFT];
  desc->quad[1] = frame->len * SHUNT_IXGBE_TX_LENGTHS + SHUNT_IXGBE_TX_WHOLE;
}

SHUNT_INLINE unsigned shunt_ixgbe_tx_post_one(struct shunt_ixgbe_queue *q,
                                              const struct shunt_frame *frame)
{
  const uint32_t tail = q->tx_tail, mask = q->tx_mask, slot = tail & mask;
  if (SHUNT_UNLIKELY(tail - q->tx_head == mask))
    return 0;
  if (SHUNT_UNLIKELY(frame->flags & SHUNT_FRAME_SEND_FLAGS)) {
    struct shunt_frame copy = *frame;
    return shunt_ixgbe_tx_post_rest(q, &copy, 1);
  }
  shunt_ixgbe_tx_put(q->delta, q->tx_ring + slot, q->tx_slots + slot, frame);
  q->tx_tail = tail + 1;
  return 1;
}

/* As shunt_tx_post. */
SHUNT_INLINE unsigned shunt_ixgbe_tx_post(struct shunt_ixgbe_queue *q,
                                          const struct shunt_frame frames[], unsigned n)
{
  if (SHUNT_IXGBE_SINGLE(n))
    return shunt_ixgbe_tx_post_one(q, frames);
  const uint32_t tail = q->tx_tail, mask = q->tx_mask, slot = tail & mask;
  const uint32_t room = mask - (tail - q->tx_head), most = n < room ? n : room;
  const uint32_t run = shunt_ixgbe_run(slot, mask, most);
  const uint64_t *const delta = q->delta;
  union ixgbe_tx_desc *const desc = q->tx_ring + slot;
  struct shunt_ixgbe_slot *const slots = q->tx_slots + slot;
  size_t i = 0;
  for (; i + SHUNT_FOUR <= run; i += SHUNT_FOUR) {
    uint32_t flags = 0;
    SHUNT_EACH_OF_FOUR (k)
      flags |= frames[i + k].flags;
    if (SHUNT_UNLIKELY(flags & SHUNT_FRAME_SEND_FLAGS))
      break;
    SHUNT_EACH_OF_FOUR (k)
      shunt_ixgbe_tx_put(delta, desc + i + k, slots + i + k, frames + i + k);
  }
  for (; i < run && SHUNT_LIKELY(!(frames[i].flags & SHUNT_FRAME_SEND_FLAGS)); i++)
    shunt_ixgbe_tx_put(delta, desc + i, slots + i, frames + i);
  q->tx_tail = tail + (uint32_t)i;
  if (SHUNT_UNLIKELY(i < most))
    return (unsigned)i + shunt_ixgbe_tx_post_rest(q, frames + i, n - (unsigned)i);
  return (unsigned)i;
}

/* As shunt_tx_push. The last descriptor of the push asks for a report (RS), unless the port's
 * tx_report_interval says that it is too early. */
SHUNT_INLINE void shunt_ixgbe_tx_push(struct shunt_ixgbe_queue *q)
{
  const uint32_t tail = q->tx_tail, mask = q->tx_mask;
  if (tail - q->tx_unreported >= q->tx_interval) {
    q->tx_ring[(tail - 1) & mask].read.cmd_type_len |= IXGBE_TXD_RS;
    q->tx_slots[q->tx_unreported & mask].report_end = tail;
    q->tx_unreported = tail;
  }
  shunt_ixgbe_ring_doorbell(q->tdt, tail & mask);
}

/* As shunt_tx_poll. Looks at the descriptors that carry RS, not at each. A burst ends at the ring's
 * end, so only 0 means that nothing is there. */
SHUNT_INLINE unsigned shunt_ixgbe_tx_poll(struct shunt_ixgbe_queue *q, shunt_buf bufs[], unsigned n)
{
  if (SHUNT_UNLIKELY(q->tx_contexts))
    return shunt_ixgbe_tx_poll_contexts(q, bufs, n);
  const uint32_t head = q->tx_head, mask = q->tx_mask, slot = head & mask;
  const struct shunt_ixgbe_slot *const slots = q->tx_slots + slot;
  uint32_t done = q->tx_done;
  while (done - head < n && done != q->tx_unreported) {
    const uint32_t end = q->tx_slots[done & mask].report_end;
    const union ixgbe_tx_desc *last = &q->tx_ring[(end - 1) & mask];
    if (!(__atomic_load_n(&last->wb.status, __ATOMIC_ACQUIRE) & IXGBE_TXD_STAT_DD))
      break;
    q->tx_done = done = end;
  }
  const uint32_t ready = done - head, run = shunt_ixgbe_run(slot, mask, ready < n ? ready : n);
  size_t i = 0;
  for (; i + SHUNT_FOUR <= run; i += SHUNT_FOUR)
    SHUNT_EACH_OF_FOUR (k)
      bufs[i + k] = slots[i + k].addr;
  for (; i < run; i++)
    bufs[i] = slots[i].addr;
  q->tx_head = head + run;
  return run;
}

/* The verbs above as a table, for code that takes one: called through a constant table that the
 * compiler sees, they are inlined (shunt/echo.h is built so). */
SHUNT_INLINE unsigned shunt_ixgbe_verb_rx_post(struct shunt_queue *q, const shunt_buf bufs[],
                                               unsigned n)
{
  return shunt_ixgbe_rx_post((struct shunt_ixgbe_queue *)q, bufs, n);
}
SHUNT_INLINE unsigned shunt_ixgbe_verb_rx_poll(struct shunt_queue *q, struct shunt_frame frames[],
                                               unsigned n)
{
  return shunt_ixgbe_rx_poll((struct shunt_ixgbe_queue *)q, frames, n);
}
SHUNT_INLINE unsigned shunt_ixgbe_verb_tx_post(struct shunt_queue *q,
                                               const struct shunt_frame frames[], unsigned n)
{
  return shunt_ixgbe_tx_post((struct shunt_ixgbe_queue *)q, frames, n);
}
SHUNT_INLINE void shunt_ixgbe_verb_tx_push(struct shunt_queue *q)
{
  shunt_ixgbe_tx_push((struct shunt_ixgbe_queue *)q);
}
SHUNT_INLINE unsigned shunt_ixgbe_verb_tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n)
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
