/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said to the kernel while frames move: that there are frames to send, or buffers to fill.
 * Nothing here fails: what the kernel answers is counted, and what it left on a ring is offered
 * again by the next push, or by tx_poll while it waits for buffers. */
#include <errno.h>

#include "src/nic/xdp/xdp.h"

static uint32_t taken(const struct shunt_xdp_queue *q)
{
  return __atomic_load_n(q->tx_consumer, __ATOMIC_ACQUIRE);
}

/* Count what sendto answered (xsk_sendmsg and __xsk_generic_xmit, net/xdp/xsk.c). Returns whether
 * another call could do more. */
static bool count_answer(struct xdp_queue *queue, int code, bool went_on)
{
  struct xdp_counts *counts = &queue->counts;
  switch (code) {
  case EAGAIN: /* the budget is used up, or the socket's buffer is full of frames under way */
    counts->tx_again++;
    return went_on;
  case EBUSY: /* a frame was dropped by the driver or its queue; its buffer comes back */
    counts->tx_busy++;
    return true;
  case ENOBUFS:
  case ENOMEM:
    counts->tx_no_memory++;
    return went_on;
  case ENETDOWN:
    counts->tx_down++;
    return false;
  case ENXIO: /* no longer bound: the interface was removed */
  case ENODEV:
    counts->tx_gone++;
    queue->gone = true;
    return false;
  case EINTR:
    return true;
  default:
    counts->tx_wake_other++;
    return false;
  }
}

/* In copy mode a call sends up to the budget; so again while that gets on. Each turn but those that
 * are told "busy" takes a frame off the ring, and a busy one drops one. */
static __attribute__((noinline)) void wake_again(struct xdp_queue *queue, int code)
{
  const struct shunt_xdp_queue *q = &queue->inlined;
  bool went_on = true;
  for (uint32_t turn = 0; turn <= q->tx_mask; turn++) {
    const uint32_t before = taken(q);
    if (!count_answer(queue, code, went_on) || before == q->tx_told)
      return;
    queue->counts.tx_wakes++;
    if (queue->xdp->system->send(queue->fd) >= 0)
      return;
    code = errno;
    went_on = taken(q) != before;
  }
}

void shunt_xdp_tx_wake(struct shunt_xdp_queue *q)
{
  struct xdp_queue *queue = xdp_queue_of(q);
  queue->counts.tx_wakes++;
  if (SHUNT_UNLIKELY(queue->xdp->system->send(queue->fd) < 0))
    wake_again(queue, errno);
}

/* Busy polling runs the NAPI whose id is on the socket: in zero-copy mode from the first call on,
 * in copy mode from the first frame on, and on a driver without one (a veth in skb mode) never
 * (sk_mark_napi_id_once, include/net/busy_poll.h). Until then a call does nothing; so it is made
 * now and then, to see whether there is an id. */
#define NAPI_LOOK_EVERY 256u

static bool polls_nobody(struct xdp_queue *queue)
{
  const bool asked = __atomic_load_n(queue->inlined.fill_flags, __ATOMIC_RELAXED) &
                     XDP_RING_NEED_WAKEUP; /* by the driver */
  if (!queue->napi_unknown || asked)
    return false;
  if (queue->napi_looks++ % NAPI_LOOK_EVERY)
    return true;
  queue->napi_unknown = !xdp_settings_busy_poll(queue);
  return false;
}

void shunt_xdp_rx_wake(struct shunt_xdp_queue *q)
{
  struct xdp_queue *queue = xdp_queue_of(q);
  if (polls_nobody(queue))
    return;
  queue->counts.rx_wakes++;
  if (queue->xdp->system->receive(queue->fd) < 0 && (errno == ENXIO || errno == ENODEV))
    queue->gone = true;
}

/* Frames are under way and none is back. Some may lie on the ring still, because the kernel stopped
 * before them; with busy polling their buffers come back only when somebody asks. */
void xdp_tx_stalled(struct xdp_queue *queue)
{
  struct shunt_xdp_queue *q = &queue->inlined;
  const bool wanted = __atomic_load_n(q->tx_flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP;
  const bool polled = q->rx_flags == &q->always;
  if (wanted && (polled || taken(q) != q->tx_told))
    shunt_xdp_tx_wake(q);
}

/* A descriptor that the kernel finds invalid may never complete (that depends on the kernel), and
 * would take its place with it: a caller's mistake must not end in a dead queue. So where the ring
 * seems full, look now and then what was invalid. The count may say too much; what the kernel has
 * not taken yet is never written over, whatever it says. */
#define LOOK_EVERY 256u

static void look_for_lost(struct xdp_queue *queue)
{
  struct xdp_statistics now;
  if (queue->stalls++ % LOOK_EVERY || taken(&queue->inlined) != queue->inlined.tx_told)
    return;
  xdp_statistics_kernel(queue, &now);
  queue->tx_lost = (uint32_t)now.tx_invalid_descs;
}

uint32_t xdp_tx_room(struct xdp_queue *queue)
{
  const struct shunt_xdp_queue *q = &queue->inlined;
  const uint32_t entries = q->tx_mask + 1, tail = (uint32_t)q->tx_tail;
  const uint32_t under_way = tail - (uint32_t)q->tx_head;
  if (under_way < entries && !queue->tx_lost)
    return entries - under_way;
  if (under_way >= entries + queue->tx_lost)
    look_for_lost(queue);
  if (under_way >= entries + queue->tx_lost)
    return 0;
  const uint32_t to_lend = entries + queue->tx_lost - under_way, free = entries - (tail - taken(q));
  return to_lend < free ? to_lend : free;
}
