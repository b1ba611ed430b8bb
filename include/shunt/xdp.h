/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_XDP: any interface of the kernel as a port, and its five verbs inline.
 *
 *   shunt_port_open("xdp:eth0?queues=2&rules=udp port 4789", &options, &port, &error);
 *
 * opens two queues of eth0 with one region behind them, makes and attaches the program that hands
 * them the frames that the rules name, and leaves everything else to the kernel. Frames reach the
 * region by one of several ways, from the NIC's own DMA to a copy behind the kernel's receive path.
 * Which were allowed stands in the keys; which one it became, and why none better, shunt_xdp_info
 * says. When the port is closed, or the process dies in whatever way, the program is gone.
 *
 * Keys, besides those of every device (shunt/port.h):
 *   queue=N           first queue of the interface; queues=n takes n from there (0)
 *   mode=M            where the program runs: auto (the default: drv, else skb), hw, drv, skb
 *   hw= drv= skb=     one by one: require, prefer or never (never, prefer, prefer)
 *   zero_copy= copy=  likewise (prefer, prefer)
 *   rules=R;R;...     what is ours (shunt/xdp_rule.h); without: every frame
 *   rules_file=PATH   the same from a file, a rule a line (shunt_xdp_rules_read), behind those of
 *                     rules=; up to SHUNT_XDP_RULES_MOST in all
 *   join=1            use the XSKMAP of the program that is on the interface already, in the mode
 *                     in which that runs
 *   wakeup=0          have the kernel poll rather than be woken (XDP_USE_NEED_WAKEUP off)
 *   multi_buffer=0|1  frames of several buffers (as the interface's MTU needs it)
 *   tx_budget=N       frames that the kernel sends in one call in copy mode (tx_ring)
 *   checksum=C        who fills in the sums that a frame asks for: software (this library; the
 *                     default), kernel, device
 *   tx_time=1         time stamp sent frames: shunt_xdp_tx_time. A frame then begins at an even
 *                     address, or is not taken
 *   busy_poll_us=N, busy_budget=N   let the queue's thread run the NIC's driver (off)
 *   channels=N        set the interface's channels while the port is open
 *   mtu=N             likewise its MTU, up or down (shunt/port.h has no other use for it here)
 *   setup=0           leave offloads that spoil frames as they are (switched off where they can be,
 *                     and put back at the end)
 *   helper=PATH       have `shunt xdp-helper` do what takes privilege (1: its usual socket); not
 *                     with join, which takes a capability that the helper has not
 *
 * The inline calls are those of shunt/port.h: the same rings, rules, owners and results, and inline
 * and portable calls on one queue may be mixed. They leave out the checks of a checked port and
 * hash, VLAN tag and time of received frames. With checksum=kernel, checksum=device or tx_time,
 * which put metadata in front of sent frames, tx_post is a call, inline or not.
 *
 *   struct shunt_xdp_queue *q = shunt_xdp_queue_of(shunt_port_queue(port, 0));
 *   n = shunt_xdp_rx_poll(q, frames, 32);
 *
 * Buffers. A region's are of 2048 or 4096 bytes here (with pages of 4 KiB: the kernel takes no
 * chunk longer than a page), and are AF_XDP's aligned chunks. For zero copy on Linux's ixgbe make a
 * region of your own with buf_bytes of 4096: an 82599 fills whole KiB of what a buffer of 2048 has
 * left behind the headroom, 1024 bytes, and an MTU of 1500 doesn't fit. (Regions that the port
 * makes are made so.) Where frames are 2048 bytes apart, zero copy is refused and frames are
 * copied.
 *
 * Ports on one region, of whatever interfaces, share what the kernel has of it (XDP_SHARED_UMEM,
 * Linux 5.10): it counts once against the memlock limit. That takes the same way (both zero copy,
 * or both copy), and the same wakeup, multi_buffer, checksum and tx_time; else each registers it
 * anew. It makes no difference to frames: they go from one port to another uncopied either way.
 *
 * XDP_UMEM_UNALIGNED_CHUNK_FLAG is not used. What it brings, no region has: chunks of any length,
 * in any place. What would be of use is there without: a frame to send begins at any byte of its
 * buffer, a buffer is posted by any byte of it, and what is longer than a buffer goes in pieces.
 * And it isn't free: each received address is in two parts that have to be added up (the offset is
 * in the upper 16 bits), and each frame's pages are looked at for being one piece of memory
 * (xp_desc_crosses_non_contig_pg, include/net/xsk_buff_pool.h). Memory that is not the region's, as
 * programs for ef_vi register it, can't be used by either: it has to be there before the bind.
 *
 * In copy mode Linux 6.18 gives back what was sent from an odd address by the even one below, which
 * is in the same buffer: the lowest bit of its note is a mark (xsk_skb_destructor_get_addr,
 * net/xdp/xsk.c).
 *
 * A queue is bound while its fill ring is empty, for the buffers are the caller's. In zero-copy
 * mode a driver that finds nothing to fill its own ring with would wait for ever for an interrupt;
 * it says so by XDP_RING_NEED_WAKEUP, which rx_post looks at when it has posted, and rx_poll when
 * nothing has come, and so it is woken whichever was first. With wakeup=0 such a driver polls by
 * itself.
 *
 * Indices of rings run free (modulo 2^32), as the kernel's do; a slot is the index masked. A ring
 * of 2^k entries holds 2^k buffers: what was posted counts until it is polled, wherever in between
 * (fill ring, NIC, Rx ring) it is. So the fast path never reads how far the kernel has taken from a
 * ring, and a ring can't overflow. */
#ifndef SHUNT_XDP_H
#define SHUNT_XDP_H

#include <linux/if_xdp.h>
#include <string.h>

#include "shunt/port.h"
#include "shunt/xdp_rule.h"

SHUNT_BEGIN_DECLS

/* --- What was granted --------------------------------------------------------------------------
 */

enum shunt_xdp_mode {
  SHUNT_XDP_SKB = 0, /* behind the kernel's own receive path: any interface */
  SHUNT_XDP_DRV,     /* in the NIC's driver */
  SHUNT_XDP_HW,      /* in the NIC */
};

enum shunt_xdp_time {
  SHUNT_XDP_TIME_NONE = 0,
  SHUNT_XDP_TIME_POLLED, /* CLOCK_MONOTONIC when rx_poll found the frame, however long it lay */
  SHUNT_XDP_TIME_KERNEL, /* CLOCK_MONOTONIC when the program handed it over */
  SHUNT_XDP_TIME_DEVICE, /* the NIC's clock; frames that it did not stamp have none */
};

/* A rung of the ladder that was tried before the one that holds. */
struct shunt_xdp_refusal {
  uint8_t mode; /* enum shunt_xdp_mode */
  uint8_t zero_copy;
  int code;                            /* negative errno */
  char why[SHUNT_ERROR_TEXT_BYTES];    /* the kernel's words */
  char remedy[SHUNT_ERROR_TEXT_BYTES]; /* what would help; may be empty */
};
#define SHUNT_XDP_REFUSALS_MOST 6

struct shunt_xdp_info {
  size_t size; /* set by the caller to sizeof(struct shunt_xdp_info) */
  char interface[16];
  int ifindex;
  uint16_t first_queue;
  uint16_t interface_queues; /* how many the interface has now; 0: not known */
  uint8_t mode;              /* enum shunt_xdp_mode */
  uint8_t zero_copy;         /* as XDP_OPTIONS says */
  uint8_t need_wakeup;       /* 1: the kernel says when it wants to be woken */
  uint8_t multi_buffer;      /* 1: frames may have several pieces, both ways */
  uint8_t busy_poll;         /* 1: asked for, and the queue's NAPI is known, so it works */
  uint8_t rx_time;           /* enum shunt_xdp_time */
  uint8_t tx_metadata;       /* 1: frames that ask for a sum or a time need tx_headroom */
  uint8_t gone;              /* 1: the interface was removed, or the queue taken away */
  uint32_t chunk_bytes;      /* a buffer, as the kernel was told */
  uint32_t tx_budget;        /* frames a call sends in copy mode */
  uint32_t tx_headroom;      /* bytes in front of a frame, inside its buffer; 0: none needed */
  uint32_t tx_pieces;        /* most pieces of a frame to send */
  char busy_poll_why[128];   /* where it was asked for and does nothing: why, and what would help */
  uint32_t refusal_count;
  struct shunt_xdp_refusal refusals[SHUNT_XDP_REFUSALS_MOST];
  uint8_t link_before; /* 1: the link was up before the program was attached, which makes some
                          drivers begin anew: Linux's ixgbe needs 10 to 30 s until it is up again */
};

/* Say what was granted, as it is now.
 *
 * Thread   any, one at a time on a port
 * Returns  0, or -EINVAL (port is none of AF_XDP) */
int shunt_xdp_info(const struct shunt_port *port, struct shunt_xdp_info *info,
                   struct shunt_error *error);

/* "drv, zero copy". Constant text. */
const char *shunt_xdp_mode_text(enum shunt_xdp_mode mode, int zero_copy);

/* --- Rules, while traffic flows ----------------------------------------------------------------
 */

/* Follow a flow that becomes known while others are received, and let go of it again:
 *
 *   struct shunt_xdp_rule rule;
 *   uint32_t id;
 *   int code = shunt_xdp_rule_parse("udp dst 239.1.1.2 port 31002", &rule, &error);
 *   code = code ? code : shunt_xdp_rule_add(port, &rule, &id, &error);
 *   ...
 *   shunt_xdp_rule_hits(port, id, &packets, &bytes, &error);
 *   shunt_xdp_rule_remove(port, id, &error);
 *
 * A change waits for a grace period of the kernel, some 10 ms: make one of many rules, or from a
 * thread that receives nothing. Calls on one port: one at a time; queues may be polled meanwhile. A
 * port that was opened without rules has all frames: what is added there matches nothing.
 *
 * By a helper (helper=) each call is one or several requests to it, and can also return -EACCES
 * (its policy does not allow the rule), -ETIMEDOUT (it has not answered for 15 s), -EPROTO (what
 * came is no reply of this version's helper) and -ECONNRESET (it has ended). After any of the last
 * three the connection is over: the port's frames go to the kernel, each further call returns
 * -ECONNRESET, and so does shunt_port_check; all that is left is to close the port. */

/* Put rules behind those that are there, in their order and with one change of the program: all of
 * them, or none. No frame is lost or goes astray meanwhile: each sees the rules as they were, or as
 * they are afterwards.
 *
 * rules, n  up to SHUNT_XDP_RULES_MOST with those that are there
 * ids       what names each from now on; room for n
 * Thread    any, one at a time on a port, also while others poll its queues
 * Returns   0; -EINVAL (port is none of AF_XDP, or a rule can't be expressed), -E2BIG, -ENOMEM,
 *           -EPERM (privileges were given up), -EOPNOTSUPP (the program was joined: its rules are
 *           its owner's); by a helper also -EACCES, -ETIMEDOUT, -EPROTO and -ECONNRESET, see above
 */
int shunt_xdp_rules_add(struct shunt_port *port, const struct shunt_xdp_rule rules[], unsigned n,
                        uint32_t ids[], struct shunt_error *error);
/* Take rules away, likewise; what only they matched passes to the kernel. Returns 0; -ENOENT (there
 * is no such rule, as on a port that was opened without, or an id stands there twice), -EINVAL,
 * -ENOMEM or -EPERM; by a helper also -ETIMEDOUT, -EPROTO and -ECONNRESET. */
int shunt_xdp_rules_remove(struct shunt_port *port, const uint32_t ids[], unsigned n,
                           struct shunt_error *error);
/* The same for one. */
int shunt_xdp_rule_add(struct shunt_port *port, const struct shunt_xdp_rule *rule, uint32_t *id,
                       struct shunt_error *error);
int shunt_xdp_rule_remove(struct shunt_port *port, uint32_t id, struct shunt_error *error);

/* The rule at a place of the list, from 0, and its id. Those of the name have the ids 0, 1, ... in
 * their order. Returns 0; -ENOENT (the list is shorter; without rules it is empty); -EINVAL. */
int shunt_xdp_rule_at(struct shunt_port *port, unsigned place, uint32_t *id,
                      struct shunt_xdp_rule *rule, struct shunt_error *error);
/* How often the rule has matched since it was added; where no rules were given nothing is counted.
 * The port's statistics have the same, as rule_0_packets and rule_0_bytes for the rule of id 0.
 * Returns 0, -ENOENT, -EINVAL or -EOPNOTSUPP; by a helper also -ETIMEDOUT, -EPROTO and
 * -ECONNRESET. */
int shunt_xdp_rule_hits(struct shunt_port *port, uint32_t id, uint64_t *packets, uint64_t *bytes,
                        struct shunt_error *error);

/* --- The queue ---------------------------------------------------------------------------------
 */

/* A queue pair. Read what you like; write nothing. */
struct shunt_xdp_queue {
  struct shunt_queue head;

  /* Receive: rx_head <= rx_there <= fill_tail <= rx_head + rx_mask + 1 */
  const struct xdp_desc *rx_ring;
  uint64_t *fill_ring;
  const uint32_t *rx_producer; /* the kernel's: frames that have come */
  uint32_t *rx_consumer;       /* ours: frames that were polled */
  uint32_t *fill_producer;     /* ours: buffers that were posted */
  const uint32_t *fill_flags;  /* XDP_RING_NEED_WAKEUP: the kernel wants to be told of buffers */
  const uint32_t *rx_flags;    /* the same, to be looked at when nothing has come */
  uint64_t rx_head;            /* next descriptor to poll */
  uint32_t rx_there;           /* rx_producer, as last read */
  uint32_t fill_tail;          /* next slot that rx_post fills */
  uint32_t rx_mask;
  uint32_t rx_pieces; /* descriptors may carry XDP_PKT_CONTD: poll looks */

  /* Send: tx_head <= tx_done <= tx_told <= tx_tail <= tx_head + tx_mask + 1, and what was lost */
  struct xdp_desc *tx_ring;
  const uint64_t *done_ring;     /* the completion ring */
  uint32_t *tx_producer;         /* ours */
  const uint32_t *tx_consumer;   /* the kernel's; read on slow paths alone */
  const uint32_t *tx_flags;      /* XDP_RING_NEED_WAKEUP: the kernel wants to be told of frames */
  const uint32_t *done_producer; /* the kernel's: buffers that are back */
  uint32_t *done_consumer;       /* ours */
  uint64_t tx_head;              /* next buffer that tx_poll returns */
  uint64_t tx_tail;              /* next slot that tx_post fills */
  uint32_t tx_done;              /* done_producer, as last read */
  uint32_t tx_told;              /* tx_tail as the kernel knows it */
  uint32_t tx_mask;
  uint32_t tx_inline_slots; /* tx_mask + 1; 0: frames have metadata, and each is left to a call */
  uint32_t always;          /* XDP_RING_NEED_WAKEUP, and 0: for flags that no ring has */
  uint32_t never;
  void *driver; /* the driver's own */
};

/* The inline view of a queue, or NULL where only the portable calls will do: q is not AF_XDP's, or
 * a checked port's. */
struct shunt_xdp_queue *shunt_xdp_queue_of(struct shunt_queue *q);

/* When the frame was sent, in nanoseconds; 0: not known. The port must have been opened with
 * tx_time.
 *
 * q        of shunt_xdp_queue_of; on a checked port, which has none, no time can be asked for
 * buf      as tx_poll returned it, before the buffer is used again
 * Thread   the one that owns q
 * Returns  by the NIC's clock, or in copy mode by CLOCK_TAI when the kernel sent it; 0 also where a
 *          NIC's clock that checksum=device is used beside began less than 4.3 s ago */
uint64_t shunt_xdp_tx_time(const struct shunt_xdp_queue *q, shunt_buf buf);

/* shunt_rx_poll with time stamp, for a port opened with rx_metadata: its portable calls are this
 * one. */
unsigned shunt_xdp_rx_poll_metadata(struct shunt_xdp_queue *q, struct shunt_frame frames[],
                                    unsigned n);

/* What the inline calls leave to a call: the part of a burst behind the ring's end, frames of
 * several pieces or that ask for sums or a tag, and all that is said to the kernel. Not for direct
 * use. */
unsigned shunt_xdp_rx_poll_pieces(struct shunt_xdp_queue *q, struct shunt_frame frames[],
                                  unsigned n);
unsigned shunt_xdp_rx_post_rest(struct shunt_xdp_queue *q, const shunt_buf bufs[], unsigned n);
unsigned shunt_xdp_tx_post_rest(struct shunt_xdp_queue *q, const struct shunt_frame frames[],
                                unsigned n);
unsigned shunt_xdp_tx_poll_rest(struct shunt_xdp_queue *q, shunt_buf bufs[], unsigned n);
void shunt_xdp_rx_wake(struct shunt_xdp_queue *q);
void shunt_xdp_tx_wake(struct shunt_xdp_queue *q);

/* --- The five verbs, inline --------------------------------------------------------------------
 */

/* How many slots of a burst can be worked off before the ring's end, so that inside the run an
 * index needs no mask. */
static inline uint32_t shunt_xdp_run(uint32_t slot, uint32_t mask, uint32_t wanted)
{
  uint32_t straight = mask + 1 - slot;
  return wanted < straight ? wanted : straight;
}

/* A descriptor is {addr, len, options} and the first half of a frame {addr, flags, len, vlan}: on a
 * little-endian machine the one is the other with two words changed over. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
typedef uint32_t shunt_xdp_words __attribute__((vector_size(16), aligned(8), may_alias));
#define SHUNT_XDP_SWAP(words) __builtin_shufflevector(words, words, 0, 1, 3, 2)

SHUNT_INLINE void shunt_xdp_rx_take(const struct xdp_desc *desc, struct shunt_frame *frame)
{
  shunt_xdp_words words = *(const shunt_xdp_words *)desc;
  *(shunt_xdp_words *)frame = SHUNT_XDP_SWAP(words);
}

SHUNT_INLINE void shunt_xdp_copy_pair(uint64_t *to, const uint64_t *from)
{
  *(shunt_xdp_words *)to = *(const shunt_xdp_words *)from;
}
#else
SHUNT_INLINE void shunt_xdp_rx_take(const struct xdp_desc *desc, struct shunt_frame *frame)
{
  frame->addr = desc->addr;
  frame->flags = desc->options;
  frame->len = (uint16_t)desc->len;
  frame->vlan = 0;
}

SHUNT_INLINE void shunt_xdp_copy_pair(uint64_t *to, const uint64_t *from)
{
  to[0] = from[0];
  to[1] = from[1];
}
#endif

SHUNT_INLINE void shunt_xdp_tx_put(struct xdp_desc *desc, const struct shunt_frame *frame)
{
  const uint64_t length = frame->len; /* and options 0, in one store */
  desc->addr = frame->addr;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  memcpy(&desc->len, &length, sizeof(length));
#else
  desc->len = (uint32_t)length;
  desc->options = 0;
#endif
}

SHUNT_INLINE void shunt_xdp_copy(uint64_t *to, const uint64_t *from, uint32_t n)
{
  const uint64_t *const end = from + n, *const sixteens = from + (n & ~(2 * SHUNT_EIGHT - 1));
  for (; from != sixteens; from += 2 * SHUNT_EIGHT, to += 2 * SHUNT_EIGHT)
    SHUNT_EACH_OF_EIGHT (k)
      shunt_xdp_copy_pair(to + 2 * k, from + 2 * k);
  for (; from != end; from++, to++)
    *to = *from;
}

/* A burst of one that the compiler knows of has code of its own: no loop, and no frame whose
 * address is taken, so that it stays in registers. */
#define SHUNT_XDP_SINGLE(n) (__builtin_constant_p(n) && (n) == 1)

/* Nothing has come: the kernel may wait for a wake-up. */
SHUNT_INLINE unsigned shunt_xdp_rx_none(struct shunt_xdp_queue *q)
{
  if (SHUNT_UNLIKELY(__atomic_load_n(q->rx_flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP))
    shunt_xdp_rx_wake(q);
  return 0;
}

/* As shunt_rx_post. The kernel takes any byte of a buffer for its name (xp_check_aligned,
 * net/xdp/xsk_buff_pool.c), so addresses go as they are. */
SHUNT_INLINE unsigned shunt_xdp_rx_post(struct shunt_xdp_queue *q, const shunt_buf bufs[],
                                        unsigned n)
{
  const uint32_t tail = q->fill_tail, mask = q->rx_mask, slot = tail & mask;
  if (SHUNT_UNLIKELY(n > mask + 1 - (tail - (uint32_t)q->rx_head) || n > mask + 1 - slot))
    return shunt_xdp_rx_post_rest(q, bufs, n);
  shunt_xdp_copy(q->fill_ring + slot, bufs, n);
  q->fill_tail = tail + n;
  __atomic_store_n(q->fill_producer, tail + n, __ATOMIC_RELEASE);
  if (SHUNT_UNLIKELY(__atomic_load_n(q->fill_flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP))
    shunt_xdp_rx_wake(q);
  return n;
}

SHUNT_INLINE unsigned shunt_xdp_rx_poll_one(struct shunt_xdp_queue *q, struct shunt_frame *frame)
{
  const uint64_t head = q->rx_head;
  if (q->rx_there == (uint32_t)head) {
    q->rx_there = __atomic_load_n(q->rx_producer, __ATOMIC_ACQUIRE);
    if (q->rx_there == (uint32_t)head)
      return shunt_xdp_rx_none(q);
  }
  if (SHUNT_UNLIKELY(q->rx_pieces)) {
    struct shunt_frame piece;
    const unsigned got = shunt_xdp_rx_poll_pieces(q, &piece, 1);
    *frame = piece;
    return got;
  }
  const struct xdp_desc *const desc = q->rx_ring + ((uint32_t)head & q->rx_mask);
  frame->addr = desc->addr;
  frame->flags = 0;
  frame->len = (uint16_t)desc->len;
  frame->vlan = 0;
  q->rx_head = head + 1;
  __atomic_store_n(q->rx_consumer, (uint32_t)head + 1, __ATOMIC_RELEASE);
  return 1;
}

/* As shunt_rx_poll, without the second half of struct shunt_frame. A burst ends at the ring's end,
 * so only 0 means that nothing is there. */
SHUNT_INLINE unsigned shunt_xdp_rx_poll(struct shunt_xdp_queue *q, struct shunt_frame frames[],
                                        unsigned n)
{
  if (SHUNT_XDP_SINGLE(n))
    return shunt_xdp_rx_poll_one(q, frames);
  const uint32_t head = (uint32_t)q->rx_head, mask = q->rx_mask, slot = head & mask;
  uint32_t there = q->rx_there - head;
  if (there < n) {
    q->rx_there = __atomic_load_n(q->rx_producer, __ATOMIC_ACQUIRE);
    there = q->rx_there - head;
    if (!there)
      return shunt_xdp_rx_none(q);
  }
  if (SHUNT_UNLIKELY(q->rx_pieces))
    return shunt_xdp_rx_poll_pieces(q, frames, n);
  const struct xdp_desc *desc = q->rx_ring + slot;
  const uint32_t run = shunt_xdp_run(slot, mask, there < n ? there : n);
  const struct shunt_frame *const end = frames + run, *const eights =
                                                          frames + (run & ~(SHUNT_EIGHT - 1));
  for (; frames != eights; frames += SHUNT_EIGHT, desc += SHUNT_EIGHT)
    SHUNT_EACH_OF_EIGHT (k)
      shunt_xdp_rx_take(desc + k, frames + k);
  for (; frames != end; frames++, desc++)
    shunt_xdp_rx_take(desc, frames);
  q->rx_head += run;
  __atomic_store_n(q->rx_consumer, head + run, __ATOMIC_RELEASE);
  return run;
}

SHUNT_INLINE unsigned shunt_xdp_tx_post_one(struct shunt_xdp_queue *q,
                                            const struct shunt_frame *frame)
{
  const uint64_t tail = q->tx_tail;
  if (SHUNT_UNLIKELY(tail - q->tx_head >= q->tx_inline_slots) ||
      SHUNT_UNLIKELY(frame->flags & SHUNT_FRAME_SEND_FLAGS)) {
    const struct shunt_frame copy = *frame;
    return shunt_xdp_tx_post_rest(q, &copy, 1);
  }
  shunt_xdp_tx_put(q->tx_ring + ((uint32_t)tail & q->tx_mask), frame);
  q->tx_tail = tail + 1;
  return 1;
}

/* As shunt_tx_post. */
SHUNT_INLINE unsigned shunt_xdp_tx_post(struct shunt_xdp_queue *q,
                                        const struct shunt_frame frames[], unsigned n)
{
  if (SHUNT_XDP_SINGLE(n))
    return shunt_xdp_tx_post_one(q, frames);
  const uint32_t tail = (uint32_t)q->tx_tail, mask = q->tx_mask, slot = tail & mask;
  if (SHUNT_UNLIKELY(tail - (uint32_t)q->tx_head + n > q->tx_inline_slots || n > mask + 1 - slot))
    return shunt_xdp_tx_post_rest(q, frames, n);
  struct xdp_desc *desc = q->tx_ring + slot;
  const struct shunt_frame *frame = frames, *const end = frames + n,
                           *const eights = frames + (n & ~(SHUNT_EIGHT - 1));
  for (; frame != eights; frame += SHUNT_EIGHT, desc += SHUNT_EIGHT) {
    uint32_t flags = 0;
    SHUNT_EACH_OF_EIGHT (k)
      flags |= frame[k].flags;
    if (SHUNT_UNLIKELY(flags & SHUNT_FRAME_SEND_FLAGS))
      break;
    SHUNT_EACH_OF_EIGHT (k)
      shunt_xdp_tx_put(desc + k, frame + k);
  }
  for (; frame != end && SHUNT_LIKELY(!(frame->flags & SHUNT_FRAME_SEND_FLAGS)); frame++, desc++)
    shunt_xdp_tx_put(desc, frame);
  const unsigned posted = (unsigned)(frame - frames);
  q->tx_tail += posted;
  if (SHUNT_UNLIKELY(frame != end))
    return posted + shunt_xdp_tx_post_rest(q, frame, n - posted);
  return n;
}

/* As shunt_tx_push. A system call where the kernel asks to be woken: in copy mode always. */
SHUNT_INLINE void shunt_xdp_tx_push(struct shunt_xdp_queue *q)
{
  const uint32_t tail = (uint32_t)q->tx_tail;
  if (tail == q->tx_told)
    return;
  q->tx_told = tail;
  __atomic_store_n(q->tx_producer, tail, __ATOMIC_RELEASE);
  if (__atomic_load_n(q->tx_flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP)
    shunt_xdp_tx_wake(q);
}

/* As shunt_tx_poll; but in copy mode Linux 6.18 was seen to clear the lowest bit of an odd addr,
 * which names the same buffer still. */
SHUNT_INLINE unsigned shunt_xdp_tx_poll(struct shunt_xdp_queue *q, shunt_buf bufs[], unsigned n)
{
  const uint32_t head = (uint32_t)q->tx_head, mask = q->tx_mask, slot = head & mask;
  if (q->tx_done - head < n)
    q->tx_done = __atomic_load_n(q->done_producer, __ATOMIC_ACQUIRE);
  if (SHUNT_UNLIKELY(q->tx_done - head < n || n > mask + 1 - slot))
    return shunt_xdp_tx_poll_rest(q, bufs, n);
  shunt_xdp_copy(bufs, q->done_ring + slot, n);
  q->tx_head += n;
  __atomic_store_n(q->done_consumer, head + n, __ATOMIC_RELEASE);
  return n;
}

/* The verbs above as a table, for code that takes one: called through a constant table that the
 * compiler sees, they are inlined (shunt/echo.h is built so). */
SHUNT_INLINE unsigned shunt_xdp_verb_rx_post(struct shunt_queue *q, const shunt_buf bufs[],
                                             unsigned n)
{
  return shunt_xdp_rx_post((struct shunt_xdp_queue *)q, bufs, n);
}
SHUNT_INLINE unsigned shunt_xdp_verb_rx_poll(struct shunt_queue *q, struct shunt_frame frames[],
                                             unsigned n)
{
  return shunt_xdp_rx_poll((struct shunt_xdp_queue *)q, frames, n);
}
SHUNT_INLINE unsigned shunt_xdp_verb_tx_post(struct shunt_queue *q,
                                             const struct shunt_frame frames[], unsigned n)
{
  return shunt_xdp_tx_post((struct shunt_xdp_queue *)q, frames, n);
}
SHUNT_INLINE void shunt_xdp_verb_tx_push(struct shunt_queue *q)
{
  shunt_xdp_tx_push((struct shunt_xdp_queue *)q);
}
SHUNT_INLINE unsigned shunt_xdp_verb_tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n)
{
  return shunt_xdp_tx_poll((struct shunt_xdp_queue *)q, bufs, n);
}

#define SHUNT_XDP_VERBS                                                                            \
  {                                                                                                \
    shunt_xdp_verb_rx_post, shunt_xdp_verb_rx_poll, shunt_xdp_verb_tx_post,                        \
        shunt_xdp_verb_tx_push, shunt_xdp_verb_tx_poll                                             \
  }

SHUNT_END_DECLS

#endif
