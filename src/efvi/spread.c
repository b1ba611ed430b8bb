/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_XDP on an interface with several receive queues. The interface spreads frames over them by a
 * hash of its own, and a socket gets those of one queue alone (xsk_rcv_check, net/xdp/xsk.c): a
 * filter's frames come to any of the queues, whoever's that is. So all queues of the interface are
 * open, and frames are handed over: who polls looks into the queues that nobody else looks into,
 * and copies what another's filter takes into that interface's inbox.
 *
 * Each queue has two locks: of its receive side, and of its inbox; who has one of the first may
 * take one of the second, nobody two of a kind. Programs with one interface a thread meet at them
 * rarely: a queue whose interface polls is left to it. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/efvi/path.h"

struct efvi_hand {
  pthread_mutex_t rx;
  bool polled; /* atomic: its interface was here since another looked */
  /* Its interface has taken frames from it and not handed over yet what is another's, or has begun
   * one whose rest is to come: what is behind those has to wait. Set under rx; atomic. */
  bool midway;
  /* Pieces of a frame that is handed over once it is whole; apart: by another than the interface */
  struct shunt_frame pending[EFVI_BURST];
  unsigned pending_count;
  bool apart;

  pthread_mutex_t inbox;
  struct efvi_vi *vi;          /* that receives from it, NULL: none */
  struct shunt_frame *waiting; /* room for a ring, as in the next one */
  uint32_t mask;
  uint32_t head, tail; /* free-running; tail atomic */
  shunt_buf *free;
  uint32_t free_count;
  uint64_t lost;   /* frames that found no room */
  bool has_primed; /* atomic: it may sleep */
};

/* --- Life ---------------------------------------------------------------------------------------
 */

int efvi_spread_start(struct efvi_device *device, struct efvi_queue *queue)
{
  struct efvi_hand *hand = calloc(1, sizeof(*hand));
  if (!hand)
    return -ENOMEM;
  queue->hand = hand;
  hand->mask = device->inbox - 1;
  hand->waiting = calloc(device->inbox, sizeof(hand->waiting[0]));
  hand->free = calloc(device->inbox, sizeof(hand->free[0]));
  pthread_mutex_init(&hand->rx, NULL);
  pthread_mutex_init(&hand->inbox, NULL);
  if (!hand->waiting || !hand->free)
    return -ENOMEM;
  const unsigned index = (unsigned)(queue - device->queues);
  struct shunt_queue *const q = shunt_port_queue(device->port, index);
  queue->rx_given = shunt_rx_post(q, queue->rx_free, queue->rx_free_count);
  queue->rx_free_count -= queue->rx_given;
  memmove(queue->rx_free, queue->rx_free + queue->rx_given,
          queue->rx_free_count * sizeof(queue->rx_free[0]));
  return 0;
}

void efvi_spread_end(struct efvi_queue *queue)
{
  if (!queue->hand)
    return;
  pthread_mutex_destroy(&queue->hand->rx);
  pthread_mutex_destroy(&queue->hand->inbox);
  free(queue->hand->waiting);
  free(queue->hand->free);
  free(queue->hand);
  queue->hand = NULL;
}

void efvi_spread_join(struct efvi_vi *vi)
{
  struct efvi_hand *hand = vi->rx->hand;
  pthread_mutex_lock(&hand->inbox);
  hand->head = hand->tail = 0;
  hand->lost = 0;
  for (hand->free_count = 0; hand->free_count <= hand->mask; hand->free_count++)
    hand->free[hand->free_count] = vi->inbox_first + (shunt_buf)hand->free_count * EFVI_BUF_BYTES;
  hand->vi = vi;
  pthread_mutex_unlock(&hand->inbox);
}

void efvi_spread_leave(struct efvi_vi *vi)
{
  struct efvi_hand *hand = vi->rx->hand;
  pthread_mutex_lock(&hand->inbox);
  hand->vi = NULL;
  pthread_mutex_unlock(&hand->inbox);
}

void efvi_spread_left(struct efvi_queue *queue)
{
  struct efvi_hand *hand = queue->hand;
  pthread_mutex_lock(&hand->rx);
  __atomic_store_n(&hand->polled, false, __ATOMIC_RELAXED);
  __atomic_store_n(&hand->midway, false, __ATOMIC_RELAXED);
  pthread_mutex_unlock(&hand->rx);
}

/* --- Inboxes ------------------------------------------------------------------------------------
 */

/* Copy the frame of those pieces into it, all or nothing. Its lock held. */
static void inbox_put(struct efvi_hand *hand, const uint8_t *from_base,
                      const struct shunt_frame pieces[], unsigned n)
{
  uint8_t *const base = hand->vi->queue->base;
  if (hand->free_count < n) {
    hand->lost++;
    return;
  }
  for (unsigned i = 0; i < n; i++) {
    struct shunt_frame *frame = &hand->waiting[(hand->tail + i) & hand->mask];
    *frame = pieces[i];
    frame->addr = hand->free[--hand->free_count];
    memcpy(base + frame->addr, from_base + pieces[i].addr, pieces[i].len);
  }
  __atomic_store_n(&hand->tail, hand->tail + n, __ATOMIC_RELEASE);
  if (__atomic_exchange_n(&hand->has_primed, false, __ATOMIC_SEQ_CST))
    efvi_wake(efvi_own(hand->vi->user->evq_vi));
}

static unsigned inbox_take(struct efvi_vi *vi, struct shunt_frame frames[], unsigned n)
{
  struct efvi_hand *hand = vi->rx->hand;
  unsigned taken = 0;
  if (hand->head == __atomic_load_n(&hand->tail, __ATOMIC_ACQUIRE) &&
      !__atomic_load_n(&hand->lost, __ATOMIC_RELAXED))
    return 0;
  pthread_mutex_lock(&hand->inbox);
  while (taken < n && hand->head != hand->tail)
    frames[taken++] = hand->waiting[hand->head++ & hand->mask];
  vi->counters.rx_no_buffer += hand->lost;
  hand->lost = 0;
  pthread_mutex_unlock(&hand->inbox);
  return taken;
}

/* --- Sleeping -----------------------------------------------------------------------------------
 */

/* All queues wake: whether another interface looks into its own in time, nobody can know. */
int efvi_spread_watch(struct efvi_vi *vi, ef_driver_handle handle, struct shunt_error *error)
{
  int result = 0;
  efvi_lock();
  for (unsigned i = 0; i < vi->device->info.queues && !result; i++)
    result = efvi_watch(shunt_port_queue(vi->device->port, i), handle, error);
  if (!result)
    vi->wake_handle = handle;
  efvi_unlock();
  return result;
}

void efvi_spread_unwatch(struct efvi_vi *vi)
{
  struct efvi_device *device = vi->device;
  for (unsigned i = 0; i < device->info.queues; i++)
    if (device->queues[i].owner && device->queues[i].owner != vi &&
        device->queues[i].owner->wake_handle == vi->wake_handle)
      return; /* who may sleep on them */
  for (unsigned i = 0; i < device->info.queues; i++)
    efvi_unwatch(shunt_port_queue(device->port, i), vi->wake_handle);
}

void efvi_spread_arm(struct efvi_vi *vi)
{
  __atomic_store_n(&vi->rx->hand->has_primed, true, __ATOMIC_SEQ_CST);
  for (unsigned i = 0; i < vi->device->info.queues; i++) {
    struct efvi_hand *hand = vi->device->queues[i].hand;
    pthread_mutex_lock(&hand->rx);
    shunt_queue_arm(shunt_port_queue(vi->device->port, i));
    pthread_mutex_unlock(&hand->rx);
  }
}

/* --- Handing over -------------------------------------------------------------------------------
 */

static bool overlaps(const struct efvi_device *device)
{
  return __atomic_load_n(&device->overlaps, __ATOMIC_RELAXED) != 0;
}

/* How specific the filter is by which the interface takes a frame, and the set that it is of; -1:
 * it does not. The inbox's lock held. */
static int rank_at(const struct efvi_hand *hand, const uint8_t *data, uint32_t bytes,
                   const struct efvi_set **set)
{
  unsigned rank;
  const int filter = hand->vi ? efvi_match_best(hand->vi, data, bytes, &rank) : EFVI_NO_FILTER;
  *set = filter >= (int)EFVI_FILTERS ? hand->vi->set : NULL;
  return filter == EFVI_NO_FILTER ? -1 : (int)rank;
}

static int best_rank(const struct efvi_device *device, const uint8_t *data, uint32_t bytes)
{
  const struct efvi_set *set;
  int best = -1;
  for (unsigned i = 0; i < device->info.queues; i++) {
    struct efvi_hand *hand = device->queues[i].hand;
    pthread_mutex_lock(&hand->inbox);
    const int rank = rank_at(hand, data, bytes, &set);
    pthread_mutex_unlock(&hand->inbox);
    best = rank > best ? rank : best;
  }
  return best;
}

/* Interfaces that share a set's filter share its frames. */
static bool set_has(const struct efvi_set *set, const struct efvi_set *const given[], unsigned n)
{
  for (unsigned i = 0; set && i < n; i++)
    if (given[i] == set)
      return true;
  return false;
}

/* Where filters overlap: to the interface with the most specific one, and of a group's frames a
 * copy to each that has it. */
static bool deliver_best(struct efvi_device *device, unsigned index,
                         const struct shunt_frame pieces[], unsigned n)
{
  const uint8_t *const base = shunt_port_queue(device->port, index)->base;
  const uint8_t *const data = base + pieces->addr;
  const unsigned queues = device->info.queues;
  const struct efvi_set *set, *given[EFVI_QUEUES];
  const int best = best_rank(device, data, pieces->len);
  unsigned copies = 0;
  for (unsigned i = 0; i < queues && best >= 0 && (!copies || data[0] & 1); i++) {
    struct efvi_hand *hand = device->queues[(index + i) % queues].hand;
    pthread_mutex_lock(&hand->inbox);
    if (rank_at(hand, data, pieces->len, &set) == best && !set_has(set, given, copies)) {
      inbox_put(hand, base, pieces, n);
      given[copies++] = set;
    }
    pthread_mutex_unlock(&hand->inbox);
  }
  return copies > 0;
}

/* Give a whole frame to the interface whose filter takes it; the search begins behind the queue, so
 * that a flow always finds the same one. own: the queue's own interface may be that. */
static bool deliver(struct efvi_device *device, unsigned index, bool own,
                    const struct shunt_frame pieces[], unsigned n)
{
  const uint8_t *const base = shunt_port_queue(device->port, index)->base;
  const unsigned queues = device->info.queues;
  bool taken = false;
  if (SHUNT_UNLIKELY(overlaps(device)))
    return deliver_best(device, index, pieces, n);
  for (unsigned i = own ? 0 : 1; i < queues && !taken; i++) {
    struct efvi_hand *hand = device->queues[(index + i) % queues].hand;
    pthread_mutex_lock(&hand->inbox);
    taken =
        hand->vi && efvi_match_any(hand->vi, base + pieces->addr, pieces->len) != EFVI_NO_FILTER;
    if (taken)
      inbox_put(hand, base, pieces, n);
    pthread_mutex_unlock(&hand->inbox);
  }
  return taken;
}

/* Take a piece that came by the queue, whose lock is held, and at a frame's end hand that over; its
 * buffers are the queue's again. poller: who counts what nobody takes. */
static void pass(struct efvi_vi *poller, unsigned index, bool own, const struct shunt_frame *piece)
{
  struct efvi_device *device = poller->device;
  struct efvi_hand *hand = device->queues[index].hand;
  shunt_buf bufs[EFVI_BURST];
  hand->apart = own;
  hand->pending[hand->pending_count++] = *piece;
  const bool more = (piece->flags & SHUNT_FRAME_MORE) != 0;
  if (more && hand->pending_count < EFVI_BURST)
    return;
  if (more) /* longer than any: nobody's, and what is left of it neither */
    poller->counters.rx_truncated++;
  else if (!deliver(device, index, own, hand->pending, hand->pending_count))
    poller->counters.rx_unfiltered++;
  for (unsigned i = 0; i < hand->pending_count; i++)
    bufs[i] = hand->pending[i].addr & ~(shunt_buf)(EFVI_BUF_BYTES - 1);
  (void)shunt_rx_post(shunt_port_queue(device->port, index), bufs, hand->pending_count);
  hand->pending_count = 0;
}

void efvi_spread_pass(struct efvi_vi *vi, const struct shunt_frame *frame)
{
  const unsigned index = vi->queue->index;
  pthread_mutex_lock(&vi->rx->hand->rx);
  pass(vi, index, false, frame);
  pthread_mutex_unlock(&vi->rx->hand->rx);
}

/* Hand over what came by a queue, to its own interface as well. Its lock held. */
static void pump(struct efvi_vi *poller, unsigned index)
{
  struct shunt_frame frames[EFVI_BURST];
  struct shunt_queue *const q = shunt_port_queue(poller->device->port, index);
  const unsigned n = shunt_rx_poll(q, frames, EFVI_BURST);
  for (unsigned i = 0; i < n; i++)
    pass(poller, index, true, &frames[i]);
}

/* --- Polling ------------------------------------------------------------------------------------
 */

/* Look into the queues whose interfaces don't: those of nobody, and of who sends only, or sleeps.
 */
static void others_pump(struct efvi_vi *vi)
{
  struct efvi_device *device = vi->device;
  const unsigned queues = device->info.queues;
  for (unsigned i = 1; i < queues; i++) {
    const unsigned index = (vi->queue->index + i) % queues;
    struct efvi_hand *hand = device->queues[index].hand;
    if (__atomic_exchange_n(&hand->polled, false, __ATOMIC_RELAXED) ||
        pthread_mutex_trylock(&hand->rx))
      continue;
    if (!__atomic_load_n(&hand->midway, __ATOMIC_ACQUIRE) && (!hand->pending_count || hand->apart))
      pump(vi, index);
    pthread_mutex_unlock(&hand->rx);
  }
}

/* From its own queue, unless another has begun a frame of that, or its frames may be others' that
 * it has filters for. */
static unsigned own_take(struct efvi_vi *vi, struct shunt_frame frames[], unsigned n)
{
  struct efvi_hand *hand = vi->rx->hand;
  unsigned taken = 0;
  pthread_mutex_lock(&hand->rx);
  __atomic_store_n(&hand->polled, true, __ATOMIC_RELAXED);
  /* What another took from here before comes first. */
  if ((hand->pending_count && hand->apart) || (overlaps(vi->device) && !vi->rx_inside))
    pump(vi, vi->queue->index);
  else if (hand->head == __atomic_load_n(&hand->tail, __ATOMIC_ACQUIRE) || vi->rx_inside)
    taken = shunt_rx_poll(vi->queue, frames, n);
  if (taken)
    __atomic_store_n(&hand->midway, true, __ATOMIC_RELAXED);
  pthread_mutex_unlock(&hand->rx);
  return taken;
}

void efvi_spread_sorted(struct efvi_vi *vi)
{
  if (!vi->rx_inboxed)
    __atomic_store_n(&vi->rx->hand->midway, vi->rx_inside, __ATOMIC_RELEASE);
}

/* A frame's pieces all come from the same place. */
unsigned efvi_spread_poll(struct efvi_vi *vi, struct shunt_frame frames[], unsigned n)
{
  unsigned taken = 0;
  if (vi->rx_inside && !vi->rx_inboxed)
    return own_take(vi, frames, n);
  taken = inbox_take(vi, frames, n);
  vi->rx_inboxed = taken > 0 || vi->rx_inside;
  if (vi->rx_inboxed)
    return taken;
  taken = own_take(vi, frames, n);
  if (taken)
    return taken;
  others_pump(vi);
  taken = inbox_take(vi, frames, n);
  vi->rx_inboxed = taken > 0;
  return taken;
}

/* --- Buffers ------------------------------------------------------------------------------------
 */

bool efvi_spread_keeps(const struct efvi_vi *vi, shunt_buf buf)
{
  return buf - vi->inbox_first < (shunt_buf)vi->device->inbox * EFVI_BUF_BYTES;
}

void efvi_spread_release(struct efvi_vi *vi, shunt_buf buf)
{
  struct efvi_hand *hand = vi->rx->hand;
  if (efvi_spread_keeps(vi, buf)) {
    pthread_mutex_lock(&hand->inbox);
    hand->free[hand->free_count++] = buf & ~(shunt_buf)(EFVI_BUF_BYTES - 1);
    pthread_mutex_unlock(&hand->inbox);
    return;
  }
  pthread_mutex_lock(&hand->rx);
  (void)shunt_rx_post(vi->queue, &buf, 1); /* has room: it came from there */
  pthread_mutex_unlock(&hand->rx);
}

void efvi_spread_give(struct efvi_vi *vi)
{
  struct efvi_queue *rx = vi->rx;
  if (!rx->rx_free_count)
    return;
  pthread_mutex_lock(&rx->hand->rx);
  const uint32_t given = shunt_rx_post(vi->queue, rx->rx_free, rx->rx_free_count);
  pthread_mutex_unlock(&rx->hand->rx);
  rx->rx_free_count -= given;
  rx->rx_given += given;
  memmove(rx->rx_free, rx->rx_free + given, rx->rx_free_count * sizeof(rx->rx_free[0]));
}
