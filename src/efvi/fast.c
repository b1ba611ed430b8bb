/* SPDX-License-Identifier: BSD-2-Clause */
/* From a received frame to the packet sent in answer, without a detour: polling and transmitting,
 * compiled into the driver's loop, for what nearly every packet is. It lies in one buffer, is
 * undamaged, and a filter takes it that asks for fixed bytes in its first forty; the interface has
 * an event queue of its own and neither prefix nor time stamps. All else goes the general way
 * (event.c, receive.c, transmit.c), which these fall back to at any point. */
#include <errno.h>
#include <string.h>

#include "shunt/ixgbe.h"
#include "shunt/xdp.h"
#include "src/efvi/path.h"
#include "src/efvi/quick.h"

static const struct shunt_queue_verbs ixgbe_verbs = SHUNT_IXGBE_VERBS;
static const struct shunt_queue_verbs xdp_verbs = SHUNT_XDP_VERBS;

#define NOINLINE static __attribute__((noinline))

/* What keeps a received frame from being told of at once. */
#define NOT_PLAIN (SHUNT_FRAME_MORE | SHUNT_FRAME_DAMAGED | SHUNT_FRAME_L4_BAD | SHUNT_FRAME_IP_BAD)

INLINE void copy_short(uint8_t *to, const uint8_t *from)
{
  memcpy(to, from, SHORT_BYTES);
}

/* The same for a program that reads the copy at once. A load that lies in one store is served from
 * there, one across two waits until both are in the cache: so no field of an untagged frame's
 * headers of Ethernet, IPv4, UDP and TCP lies across two of these, nor the first 16 bytes of a
 * datagram. */
INLINE void copy_short_to_read(uint8_t *to, const uint8_t *from)
{
  memcpy(to + 48, from + 48, 16);
  memcpy(to, from, 16);
  memcpy(to + 14, from + 14, 16);
  memcpy(to + 26, from + 26, 16);
  memcpy(to + 42, from + 42, 16);
}

/* Have a line here to write it. The compiler's own prefetch is one for reading, where it must do
 * for every x86-64; those that don't know this one skip it. */
INLINE void fetch_to_write(const uint8_t *line)
{
#if defined(__x86_64__)
  __asm__ volatile("prefetchw %0" : : "m"(*line));
#else
  __builtin_prefetch(line, 1);
#endif
}

/* --- Polling ------------------------------------------------------------------------------------
 */

/* Short packets lie side by side, not a buffer apart: few sets of the caches and few pages would
 * hold those. The stride is the two lines that are fetched together. */
INLINE shunt_buf short_place(const struct efvi_vi *vi, uint32_t slot)
{
  return vi->tx_short + (shunt_buf)slot * EFVI_SHORT_STRIDE;
}

/* What of the packets on their way is sent. */
NOINLINE int poll_sent(ef_vi *user, ef_event *events, int n)
{
  struct efvi_vi *vi = efvi_own(user);
  const int made = efvi_transmit_events(vi, 0, events, n);
  vi->state.evq.evq_ptr += (uint32_t)made;
  return made;
}

/* The general way, and back to this one unless something is left that only that tells of. Whoever
 * puts a software event sets the flag after it: either it is seen here, or the flag stays. */
NOINLINE int poll_detour(ef_vi *user, ef_event *events, int n)
{
  struct efvi_vi *vi = efvi_own(user);
  const int made = efvi_eventq_poll(user, events, n);
  (void)__atomic_exchange_n(&vi->detour, false, __ATOMIC_SEQ_CST);
  if (vi->frame_next < vi->frame_count || vi->rx_inside || vi->rx_used || vi->rx_skipping ||
      vi->state.rxq.in_jumbo || vi->timer_fd >= 0 || vi->primed ||
      __atomic_load_n(&vi->sw_count, __ATOMIC_ACQUIRE))
    __atomic_store_n(&vi->detour, true, __ATOMIC_RELEASE);
  return made;
}

/* While the device works: have here what the next packet is copied to, received or sent. */
INLINE void fetch_next(const struct efvi_vi *vi, const ef_vi *user)
{
  fetch_to_write(vi->rx_targets[vi->rx_filled & user->vi_rxq.mask]);
  fetch_to_write(vi->queue->base + short_place(vi, vi->tx_sent & user->vi_txq.mask));
}

/* The same, of few and plain ones: most often of the one that was sent last. */
INLINE int sent_with(const struct shunt_queue_verbs *verbs, ef_vi *user, ef_event *events, int n)
{
  struct efvi_vi *vi = efvi_own(user);
  shunt_buf bufs[EFVI_BURST];
  if (SHUNT_UNLIKELY(vi->ctpio_open || vi->tx_sent != vi->state.txq.previous))
    return poll_sent(user, events, n);
  for (unsigned back = 1; back && vi->tx_done != vi->tx_sent; vi->tx_done += back)
    back = verbs->tx_poll(vi->queue, bufs, EFVI_BURST);
  const uint32_t done = vi->tx_done - vi->tx_told;
  if (done == 0)
    return 0;
  if (SHUNT_UNLIKELY(done > EF_VI_TRANSMIT_BATCH))
    return poll_sent(user, events, n);
  fetch_next(vi, user);
  vi->tx_told = vi->tx_done;
  vi->state.evq.evq_ptr++;
  events->tx.type = EF_EVENT_TYPE_TX;
  events->tx.q_id = 0;
  events->tx.flags = 0;
  events->tx.desc_id = (uint16_t)vi->tx_told;
  events->tx.deferred_evs = 0;
  return 1;
}

NOINLINE int sent_ixgbe(ef_vi *user, ef_event *events, int n)
{
  return sent_with(&ixgbe_verbs, user, events, n);
}

NOINLINE int sent_xdp(ef_vi *user, ef_event *events, int n)
{
  return sent_with(&xdp_verbs, user, events, n);
}

/* The next posted buffer has got the frame, whose own is free again. */
INLINE void event_received(struct efvi_vi *vi, const ef_vi *user, shunt_buf addr,
                           const uint8_t *data, uint64_t bytes, ef_event *event)
{
  struct efvi_queue *rx = vi->rx;
  const uint32_t filled = vi->rx_filled;
  const size_t slot = filled & user->vi_rxq.mask;
  vi->rx_filled = vi->state.rxq.removed = filled + 1;
  const uint64_t flags =
      (EF_EVENT_FLAG_SOP << 16) + (data[0] & 1u) * (EF_EVENT_FLAG_MULTICAST << 16);
  const uint64_t words[2] = {EF_EVENT_TYPE_RX | (uint64_t)user->vi_rxq.ids[slot] << 32,
                             bytes + flags};
  memcpy(event, words, sizeof(words));
  vi->counters.rx_packets++;
  vi->counters.rx_bytes += bytes;
  rx->rx_free[rx->rx_free_count++] = addr & ~(shunt_buf)(EFVI_BUF_BYTES - 1);
  rx->rx_given--;
}

/* A frame that is not short, or that another filter takes than the first. What none of them takes,
 * is damaged or finds no room goes the general way, as if that had polled it. */
NOINLINE int poll_other(ef_vi *user, ef_event *events, int n, shunt_buf addr, uint32_t flags,
                        uint32_t bytes)
{
  struct efvi_vi *vi = efvi_own(user);
  const uint8_t *data = vi->queue->base + addr;
  const uint32_t slot = vi->rx_filled & user->vi_rxq.mask;
  if (!(flags & NOT_PLAIN) && vi->rx_filled != vi->state.rxq.posted &&
      bytes <= vi->rx_rooms[slot] &&
      (quick_match_long(&vi->filters.quick, data, bytes) ||
       local_match(&vi->filters, data, bytes))) {
    memcpy(vi->rx_targets[slot], data, bytes);
    event_received(vi, user, addr, data, bytes, events);
    vi->state.evq.evq_ptr++;
    return vi->tx_told == vi->state.txq.previous ? 1 : 1 + poll_sent(user, events + 1, n - 1);
  }
  vi->frames[0] = (struct shunt_frame){.addr = addr, .flags = flags, .len = (uint16_t)bytes};
  vi->frame_next = 0;
  vi->frame_count = 1;
  efvi_frames_filter(vi);
  return poll_detour(user, events, n);
}

typedef int poll_function(ef_vi *user, ef_event *events, int n);

INLINE int poll_with(const struct shunt_queue_verbs *verbs, poll_function *sent, ef_vi *user,
                     ef_event *events, int n)
{
  struct efvi_vi *vi = efvi_own(user);
  struct shunt_queue *q = vi->queue;
  struct shunt_frame frame;
  if (SHUNT_UNLIKELY(!events || n < EF_VI_EVENT_POLL_MIN_EVS ||
                     __atomic_load_n(&vi->detour, __ATOMIC_RELAXED)))
    return poll_detour(user, events, n);
  if (!verbs->rx_poll(q, &frame, 1))
    return vi->tx_told == vi->state.txq.previous ? 0 : sent(user, events, n);
  const uint8_t *data = q->base + frame.addr;
  const uint64_t bytes = frame.len;
  if (SHUNT_UNLIKELY(frame.flags & NOT_PLAIN || vi->rx_filled == vi->state.rxq.posted ||
                     !quick_match(&vi->filters.quick, data, bytes)))
    return poll_other(user, events, n, frame.addr, frame.flags, frame.len);
  copy_short_to_read(vi->rx_targets[vi->rx_filled & user->vi_rxq.mask], data);
  event_received(vi, user, frame.addr, data, bytes, events);
  vi->state.evq.evq_ptr++;
  if (SHUNT_UNLIKELY(vi->tx_told != vi->state.txq.previous))
    return 1 + sent(user, events + 1, n - 1);
  return 1;
}

/* --- Sending ------------------------------------------------------------------------------------
 */

/* A packet in registered memory, if it can take the short way: no other waits, and there are `room`
 * bytes from where it begins to its page's end; else NULL. */
INLINE const uint8_t *packet_at(const struct efvi_vi *vi, const ef_vi *user, ef_addr addr,
                                uint32_t room)
{
  const ef_vi_txq_state *txq = &vi->state.txq;
  const uint64_t page = addr >> EF_VI_NIC_PAGE_SHIFT, at = addr & (EF_VI_NIC_PAGE_SIZE - 1);
  if (SHUNT_UNLIKELY(txq->added != vi->tx_sent || txq->added - txq->removed >= user->vi_txq.mask ||
                     vi->tx_aside || page >= EFVI_PAGES || at > EF_VI_NIC_PAGE_SIZE - room))
    return NULL;
  const uint8_t *first = vi->pages[page];
  return SHUNT_LIKELY(first) ? first + at : NULL;
}

/* What a later poll tells of a packet. */
INLINE void note_packet(struct efvi_vi *vi, ef_vi *user, uint32_t slot, uint32_t bytes,
                        ef_request_id id)
{
  vi->tx_slots[slot] = (struct efvi_tx_slot){.len = (uint16_t)bytes};
  user->vi_txq.ids[slot] = (uint32_t)id;
}

/* The packet is in its place, that of index `added` of the ring. */
INLINE int transmit_placed(const struct shunt_queue_verbs *verbs, bool sums, struct efvi_vi *vi,
                           const struct shunt_frame *frame, uint32_t added)
{
  ef_vi_txq_state *txq = &vi->state.txq;
  struct shunt_queue *q = vi->queue;
  if (sums)
    efvi_sums_fill(q->base + frame->addr, frame->len, !(vi->flags & EF_VI_TX_IP_CSUM_DIS),
                   !(vi->flags & EF_VI_TX_TCPUDP_CSUM_DIS));
  if (SHUNT_UNLIKELY(!verbs->tx_post(q, frame, 1)))
    return -EAGAIN;
  txq->added = txq->previous = vi->tx_sent = added + 1;
  verbs->tx_push(q);
  return 0;
}

INLINE int transmit_long_with(const struct shunt_queue_verbs *verbs, bool sums, ef_vi *user,
                              ef_addr addr, int len, ef_request_id id)
{
  struct efvi_vi *vi = efvi_own(user);
  const uint32_t bytes = (uint32_t)len, added = vi->state.txq.added;
  const uint8_t *from = packet_at(vi, user, addr, bytes);
  if (SHUNT_UNLIKELY(bytes <= SHORT_BYTES || bytes > EFVI_BUF_BYTES ||
                     bytes > vi->device->info.mtu || !from))
    return efvi_transmit(user, addr, len, id);
  const uint32_t slot = added & user->vi_txq.mask;
  const struct shunt_frame frame = {.addr = vi->tx_first + (shunt_buf)slot * EFVI_BUF_BYTES,
                                    .len = (uint16_t)bytes};
  note_packet(vi, user, slot, bytes, id);
  memcpy(vi->queue->base + frame.addr, from, bytes);
  return transmit_placed(verbs, sums, vi, &frame, added);
}

NOINLINE int transmit_long_ixgbe(ef_vi *user, ef_addr addr, int len, ef_request_id id, bool sums)
{
  return transmit_long_with(&ixgbe_verbs, sums, user, addr, len, id);
}

NOINLINE int transmit_long_xdp(ef_vi *user, ef_addr addr, int len, ef_request_id id, bool sums)
{
  return transmit_long_with(&xdp_verbs, sums, user, addr, len, id);
}

typedef int transmit_function(ef_vi *user, ef_addr addr, int len, ef_request_id id, bool sums);

INLINE int transmit_with(const struct shunt_queue_verbs *verbs, transmit_function *other, bool sums,
                         ef_vi *user, ef_addr addr, int len, ef_request_id id)
{
  struct efvi_vi *vi = efvi_own(user);
  const uint32_t bytes = (uint32_t)len, added = vi->state.txq.added;
  const uint8_t *from = is_short(bytes) ? packet_at(vi, user, addr, SHORT_BYTES) : NULL;
  if (SHUNT_UNLIKELY(!from))
    return other(user, addr, len, id, sums);
  const uint32_t slot = added & user->vi_txq.mask;
  const struct shunt_frame frame = {.addr = short_place(vi, slot), .len = (uint16_t)bytes};
  note_packet(vi, user, slot, bytes, id);
  copy_short(vi->queue->base + frame.addr, from);
  return transmit_placed(verbs, sums, vi, &frame, added);
}

/* --- By device ----------------------------------------------------------------------------------
 */

/* A twin of this process gets its turn first. */
INLINE int poll_after_step(poll_function *poll, ef_vi *user, ef_event *events, int n)
{
  shunt_port_step(efvi_own(user)->device->port);
  return poll(user, events, n);
}

static int poll_ixgbe(ef_vi *user, ef_event *events, int n)
{
  return poll_with(&ixgbe_verbs, sent_ixgbe, user, events, n);
}

static int poll_twin(ef_vi *user, ef_event *events, int n)
{
  return poll_after_step(poll_ixgbe, user, events, n);
}

static int transmit_ixgbe(ef_vi *user, ef_addr addr, int len, ef_request_id id)
{
  return transmit_with(&ixgbe_verbs, transmit_long_ixgbe, false, user, addr, len, id);
}

static int transmit_ixgbe_sums(ef_vi *user, ef_addr addr, int len, ef_request_id id)
{
  return transmit_with(&ixgbe_verbs, transmit_long_ixgbe, true, user, addr, len, id);
}

static int poll_xdp(ef_vi *user, ef_event *events, int n)
{
  return poll_with(&xdp_verbs, sent_xdp, user, events, n);
}

static int transmit_xdp(ef_vi *user, ef_addr addr, int len, ef_request_id id)
{
  return transmit_with(&xdp_verbs, transmit_long_xdp, false, user, addr, len, id);
}

static int transmit_xdp_sums(ef_vi *user, ef_addr addr, int len, ef_request_id id)
{
  return transmit_with(&xdp_verbs, transmit_long_xdp, true, user, addr, len, id);
}

#define NO_SUMS (EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS)
/* Flags that change nothing here. */
#define PLAIN_FLAGS                                                                                \
  (NO_SUMS | EF_VI_TX_PUSH_DISABLE | EF_VI_TX_PUSH_ALWAYS | EF_VI_TX_CTPIO |                       \
   EF_VI_TX_CTPIO_NO_POISON | EF_VI_ALLOW_MEMCPY)

#ifdef SHUNT_CHECKED
static const bool is_checked = true; /* whose operations look at each call first */
#else
static const bool is_checked = false;
#endif

void efvi_fast_install(struct efvi_vi *vi)
{
  ef_vi *user = vi->user;
  const bool is_ixgbe = shunt_ixgbe_queue(vi->queue) != NULL;
  efvi_quick_update(&vi->filters);
  vi->pages = vi->pd->pages;
  if (is_checked)
    return;
  if (user->evq_vi != user) { /* of several interfaces */
    user->evq_vi->ops.eventq_poll = efvi_eventq_poll;
    return;
  }
  if (vi->flags & ~(uint64_t)PLAIN_FLAGS || vi->rx_mode != EFVI_RX_PLAIN ||
      !(is_ixgbe || shunt_xdp_queue_of(vi->queue)))
    return;
  user->ops.eventq_poll = !is_ixgbe ? poll_xdp : vi->device->info.steps ? poll_twin : poll_ixgbe;
  if ((vi->flags & NO_SUMS) == NO_SUMS)
    user->ops.transmit = is_ixgbe ? transmit_ixgbe : transmit_xdp;
  else
    user->ops.transmit = is_ixgbe ? transmit_ixgbe_sums : transmit_xdp_sums;
}
