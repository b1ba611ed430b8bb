/* SPDX-License-Identifier: BSD-2-Clause */
/* The five verbs as functions, and what the inline ones leave to a call. */
#include <string.h>

#include "src/bpf/filter.h"
#include "src/nic/xdp/xdp.h"

static struct shunt_xdp_queue *of(struct shunt_queue *q)
{
  return (struct shunt_xdp_queue *)q;
}

/* --- Receive -------------------------------------------------------------------------------------
 */

static uint32_t arrived(struct shunt_xdp_queue *q, uint32_t n)
{
  uint32_t there = q->rx_there - (uint32_t)q->rx_head;
  if (there < n) {
    q->rx_there = __atomic_load_n(q->rx_producer, __ATOMIC_ACQUIRE);
    there = q->rx_there - (uint32_t)q->rx_head;
  }
  return there < n ? there : n;
}

unsigned shunt_xdp_rx_poll_pieces(struct shunt_xdp_queue *q, struct shunt_frame frames[],
                                  unsigned n)
{
  const uint32_t head = (uint32_t)q->rx_head, there = arrived(q, n);
  uint32_t more = 0;
  for (uint32_t i = 0; i < there; i++) {
    const struct xdp_desc *desc = &q->rx_ring[(head + i) & q->rx_mask];
    const bool goes_on = desc->options & XDP_PKT_CONTD;
    frames[i].addr = desc->addr;
    frames[i].flags = goes_on ? SHUNT_FRAME_MORE : 0;
    frames[i].len = (uint16_t)desc->len;
    frames[i].vlan = 0;
    more += goes_on;
  }
  xdp_queue_of(q)->counts.rx_extra_pieces += more;
  q->rx_head += there;
  __atomic_store_n(q->rx_consumer, head + there, __ATOMIC_RELEASE);
  return there;
}

/* The time that the program put in front of a frame (src/bpf/filter.h), or that of the poll. */
static uint64_t received_ns(const struct shunt_xdp_queue *q, const struct shunt_frame *frame,
                            uint8_t from, uint64_t polled_ns)
{
  uint64_t time_ns;
  if (from == FILTER_TIME_NONE)
    return polled_ns;
  memcpy(&time_ns, q->head.base + frame->addr - FILTER_TIME_BYTES, sizeof(time_ns));
  return time_ns;
}

unsigned shunt_xdp_rx_poll_metadata(struct shunt_xdp_queue *q, struct shunt_frame frames[],
                                    unsigned n)
{
  struct xdp_queue *queue = xdp_queue_of(q);
  if (!arrived(q, n))
    return n ? shunt_xdp_rx_none(q) : 0;
  const unsigned got = shunt_xdp_rx_poll_pieces(q, frames, n);
  const bool timed = queue->xdp->options.rx_time;
  const uint64_t polled_ns = timed ? xdp_time_now_ns() : 0;
  for (unsigned i = 0; i < got; i++) {
    struct shunt_frame *frame = &frames[i];
    memset(&frame->hash, 0, sizeof(*frame) - offsetof(struct shunt_frame, hash));
    if (timed && !queue->inside_frame)
      frame->time_ns = received_ns(q, frame, queue->xdp->frame_time, polled_ns);
    if (frame->time_ns)
      frame->flags |= SHUNT_FRAME_TIME;
    queue->inside_frame = frame->flags & SHUNT_FRAME_MORE;
  }
  return got;
}

unsigned shunt_xdp_rx_post_rest(struct shunt_xdp_queue *q, const shunt_buf bufs[], unsigned n)
{
  const uint32_t tail = q->fill_tail, room = q->rx_mask + 1 - (tail - (uint32_t)q->rx_head);
  const uint32_t most = n < room ? n : room;
  for (uint32_t i = 0; i < most; i++)
    q->fill_ring[(tail + i) & q->rx_mask] = bufs[i];
  q->fill_tail = tail + most;
  __atomic_store_n(q->fill_producer, tail + most, __ATOMIC_RELEASE);
  if (__atomic_load_n(q->fill_flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP)
    shunt_xdp_rx_wake(q);
  return most;
}

/* --- Send ----------------------------------------------------------------------------------------
 */

#define NEEDS_WORK                                                                                 \
  (SHUNT_FRAME_VLAN | SHUNT_FRAME_IP_SUM | SHUNT_FRAME_UDP_SUM | SHUNT_FRAME_TCP_SUM)

/* Pieces of the frame at frames[0], or 0 where its last one is not among them or there are more
 * than the kernel takes. */
static unsigned count_pieces(const struct xdp *xdp, const struct shunt_frame frames[], unsigned n)
{
  const unsigned most = xdp->multi_buffer ? XDP_TX_PIECES_MOST : 1;
  for (unsigned i = 0; i < n && i < most; i++)
    if (!(frames[i].flags & SHUNT_FRAME_MORE))
      return i + 1;
  return 0;
}

/* One frame of one or several pieces. Returns how many were put on the ring: all or none. */
static unsigned post_frame(struct xdp_queue *queue, const struct shunt_frame frames[], unsigned n,
                           uint32_t room)
{
  struct shunt_xdp_queue *q = &queue->inlined;
  const struct xdp *xdp = queue->xdp;
  struct shunt_frame pieces[XDP_TX_PIECES_MOST];
  const unsigned count = count_pieces(xdp, frames, n);
  uint32_t options = 0;
  if (!count) {
    queue->counts.tx_refused++;
    return 0;
  }
  if (count > room)
    return 0;
  memcpy(pieces, frames, count * sizeof(pieces[0]));
  if (((pieces[0].flags & NEEDS_WORK) || xdp->metadata_bytes) &&
      !xdp_sums_fill(queue, pieces, count, &options)) {
    queue->counts.tx_refused++;
    return 0;
  }
  for (unsigned i = 0; i < count; i++) {
    struct xdp_desc *desc = &q->tx_ring[(uint32_t)(q->tx_tail + i) & q->tx_mask];
    desc->addr = pieces[i].addr;
    desc->len = pieces[i].len;
    desc->options = (i ? 0 : options) | (i + 1 < count ? XDP_PKT_CONTD : 0);
  }
  q->tx_tail += count;
  queue->counts.tx_extra_pieces += count - 1;
  return count;
}

/* As many as there is room for, over the ring's end and with whatever flags. Frames with metadata
 * in front all come here: it is looked whether there is room for it. */
unsigned shunt_xdp_tx_post_rest(struct shunt_xdp_queue *q, const struct shunt_frame frames[],
                                unsigned n)
{
  struct xdp_queue *queue = xdp_queue_of(q);
  const bool plain = !queue->xdp->metadata_bytes;
  uint32_t room = n ? xdp_tx_room(queue) : 0;
  unsigned done = 0;
  while (done < n && room) {
    unsigned posted = 1;
    if (plain && !(frames[done].flags & SHUNT_FRAME_SEND_FLAGS))
      shunt_xdp_tx_put(&q->tx_ring[(uint32_t)q->tx_tail++ & q->tx_mask], &frames[done]);
    else
      posted = post_frame(queue, frames + done, n - done, room);
    if (!posted)
      break;
    done += posted;
    room -= posted;
  }
  return done;
}

/* What is back, which is fewer than were asked for, or lies over the ring's end. */
unsigned shunt_xdp_tx_poll_rest(struct shunt_xdp_queue *q, shunt_buf bufs[], unsigned n)
{
  const uint32_t head = (uint32_t)q->tx_head, back = q->tx_done - head;
  const uint32_t most = back < n ? back : n,
                 run = shunt_xdp_run(head & q->tx_mask, q->tx_mask, most);
  if (!most) {
    if (n && q->tx_told != head)
      xdp_tx_stalled(xdp_queue_of(q));
    return 0;
  }
  shunt_xdp_copy(bufs, q->done_ring + (head & q->tx_mask), run);
  shunt_xdp_copy(bufs + run, q->done_ring, most - run);
  q->tx_head += most;
  __atomic_store_n(q->done_consumer, head + most, __ATOMIC_RELEASE);
  return most;
}

static unsigned rx_poll_metadata(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  return shunt_xdp_rx_poll_metadata(of(q), frames, n);
}

/* --- Tables --------------------------------------------------------------------------------------
 */

/* By whether received frames are to carry metadata. */
static const struct shunt_queue_verbs tables[2] = {
    SHUNT_XDP_VERBS,
    {shunt_xdp_verb_rx_post, rx_poll_metadata, shunt_xdp_verb_tx_post, shunt_xdp_verb_tx_push,
     shunt_xdp_verb_tx_poll},
};

void xdp_verbs_install(struct shunt_xdp_queue *q, bool rx_metadata)
{
  q->head.verbs = q->head.inner = &tables[rx_metadata];
}

struct shunt_xdp_queue *shunt_xdp_queue_of(struct shunt_queue *q)
{
  const bool ours = q->inner == &tables[0] || q->inner == &tables[1];
  return ours && q->verbs == q->inner ? of(q) : NULL;
}
