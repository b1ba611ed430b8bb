/* SPDX-License-Identifier: BSD-2-Clause */
/* Transmit: a packet is copied into the slot's buffer when it is put on the ring, so the program's
 * memory is its own again at once; that it is told so only when the packet has left keeps the order
 * that programs count on. */
#include <errno.h>
#include <string.h>

#include "shunt/xdp.h"
#include "src/efvi/checked.h"

#define FLUSH_NS UINT64_C(1000000000)

/* --- Room ---------------------------------------------------------------------------------------
 */

/* How many slots a packet of so many bytes takes; 0: no packet has that length. */
static inline uint32_t slots_of(const struct efvi_vi *vi, uint64_t bytes)
{
  if (bytes < EFVI_FRAME_LEAST || bytes > vi->device->info.mtu + EFVI_HEADER_MOST)
    return 0;
  if (SHUNT_UNLIKELY(vi->tx_offset))
    return bytes <= EFVI_BUF_BYTES - vi->tx_offset;
  return (uint32_t)(bytes + EFVI_BUF_BYTES - 1) / EFVI_BUF_BYTES;
}

/* Where a packet goes that has its place. */
struct room {
  uint8_t *data;
  uint32_t slots;
  uint32_t buffer; /* the first */
  uint8_t alt;     /* 1 + the alternative, 0: none */
};

/* Packets for an alternative take one slot, for their ids, and buffers elsewhere. */
static int room_take_alternative(struct efvi_vi *vi, struct room *room)
{
  const int first = efvi_alt_take(vi, room->slots);
  if (first < 0)
    return first;
  room->buffer = (uint32_t)first;
  room->alt = (uint8_t)(vi->alternatives->selected + 1);
  room->slots = 1;
  room->data = vi->queue->base + vi->alt_first + (uint64_t)room->buffer * EFVI_BUF_BYTES;
  return 0;
}

/* Room for a packet: 0, -EINVAL, -EAGAIN, or -ENOSPC (of alternatives). */
static inline int room_take(struct efvi_vi *vi, uint64_t bytes, bool straight, struct room *room)
{
  const ef_vi_txq_state *txq = &vi->state.txq;
  const uint32_t mask = vi->user->vi_txq.mask, used = txq->added - txq->removed;
  *room = (struct room){.slots = slots_of(vi, bytes)};
  if (SHUNT_UNLIKELY(!room->slots))
    return efvi_refuse(-EINVAL, "a packet of %llu bytes: %u to %u", (unsigned long long)bytes,
                       EFVI_FRAME_LEAST, vi->device->info.mtu + EFVI_HEADER_MOST);
  if (SHUNT_UNLIKELY(vi->alternatives) && vi->alternatives->selected >= 0 && !straight)
    return used < mask ? room_take_alternative(vi, room) : -EAGAIN;
  if (SHUNT_UNLIKELY(used + room->slots > mask))
    return -EAGAIN;
  room->buffer = txq->added & mask;
  room->data =
      vi->queue->base + vi->tx_first + (uint64_t)room->buffer * EFVI_BUF_BYTES + vi->tx_offset;
  return 0;
}

/* The packet is in its place: describe it. Only its last slot has the id. */
static inline void room_fill(struct efvi_vi *vi, const struct room *room, uint32_t bytes,
                             ef_request_id id, bool sums)
{
  ef_vi_txq_state *txq = &vi->state.txq;
  const uint32_t mask = vi->user->vi_txq.mask;
  const bool ip = sums && !(vi->flags & EF_VI_TX_IP_CSUM_DIS),
             l4 = sums && !(vi->flags & EF_VI_TX_TCPUDP_CSUM_DIS);
  if (ip || l4)
    efvi_sums_fill(room->data, bytes, ip, l4);
  for (uint32_t i = 0; i < room->slots; i++) {
    const uint32_t slot = (txq->added + i) & mask, left = bytes - i * EFVI_BUF_BYTES;
    const bool last = i + 1 == room->slots;
    vi->tx_slots[slot] = (struct efvi_tx_slot){.buffer = room->buffer + i,
                                               .len = (uint16_t)(last ? left : EFVI_BUF_BYTES),
                                               .more = !last,
                                               .alt = room->alt};
    vi->user->vi_txq.ids[slot] = last ? (uint32_t)id : EF_REQUEST_ID_MASK;
  }
  txq->added += room->slots;
}

static int not_registered(ef_addr addr)
{
  return efvi_refuse(-EFAULT, "a packet at 0x%llx is not in registered memory",
                     (unsigned long long)addr);
}

/* --- Onto the ring ------------------------------------------------------------------------------
 */

static inline int transmit_init(struct efvi_vi *vi, ef_addr addr, int bytes, ef_request_id id)
{
  struct room room;
  if (SHUNT_UNLIKELY(bytes < 0))
    return efvi_refuse(-EINVAL, "a packet of %d bytes", bytes);
  const uint8_t *data = efvi_address(vi->pd, addr, bytes ? (uint32_t)bytes : 1);
  if (SHUNT_UNLIKELY(!data))
    return not_registered(addr);
  const int result = room_take(vi, (uint32_t)bytes, false, &room);
  if (SHUNT_UNLIKELY(result))
    return result;
  memcpy(room.data, data, (uint32_t)bytes);
  room_fill(vi, &room, (uint32_t)bytes, id, true);
  return 0;
}

int ef_vi_transmit_init(ef_vi *vi, ef_addr addr, int bytes, ef_request_id dma_id)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  if (SHUNT_UNLIKELY(!own))
    return efvi_refuse(-EINVAL, "this is no interface");
  EFVI_ENTER(own, "ef_vi_transmit_init", -EBUSY);
  return transmit_init(own, addr, bytes, dma_id);
}

int efvi_transmitv_init(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id)
{
  struct efvi_vi *vi = efvi_own(user);
  uint64_t bytes = 0;
  struct room room;
  if (!iov || iov_len < 1)
    return efvi_refuse(-EINVAL, "a packet of %d pieces", iov_len);
  for (int i = 0; i < iov_len; i++) {
    bytes += iov[i].iov_len;
    if (iov[i].iov_len && !efvi_address(vi->pd, iov[i].iov_base, iov[i].iov_len))
      return not_registered(iov[i].iov_base);
  }
  int result = room_take(vi, bytes, false, &room);
  if (result)
    return result;
  uint8_t *to = room.data;
  for (int i = 0; i < iov_len; i++) {
    if (iov[i].iov_len == 0)
      continue;
    memcpy(to, efvi_address(vi->pd, iov[i].iov_base, iov[i].iov_len), iov[i].iov_len);
    to += iov[i].iov_len;
  }
  room_fill(vi, &room, (uint32_t)bytes, id, true);
  return 0;
}

/* Nothing further can be asked for: where nothing is, it is a packet as any. */
int ef_vi_transmitv_init_extra(struct ef_vi *vi, const struct ef_vi_tx_extra *extra,
                               const ef_remote_iovec *iov, int iov_len, ef_request_id id)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  ef_iovec pieces[EFVI_BURST];
  EFVI_ENTER(own, "ef_vi_transmitv_init_extra", -EBUSY);
  if (!own || !iov || iov_len < 1 || iov_len > (int)EFVI_BURST)
    return efvi_refuse(-EINVAL, "no interface, or a packet of %d pieces: 1 to %u", iov_len,
                       EFVI_BURST);
  if (extra && extra->flags)
    return efvi_refuse(-EOPNOTSUPP,
                       "marks, ports and capsules (flags 0x%x) are of cards that are "
                       "no longer made",
                       (unsigned)extra->flags);
  for (int i = 0; i < iov_len; i++) {
    if (iov[i].addrspace != EF_ADDRSPACE_LOCAL)
      return efvi_refuse(-EOPNOTSUPP, "memory is this process's own: no address space 0x%llx",
                         (unsigned long long)iov[i].addrspace);
    pieces[i] = (ef_iovec){.iov_base = iov[i].iov_base, .iov_len = iov[i].iov_len};
  }
  return efvi_transmitv_init(vi, pieces, iov_len, id);
}

/* --- To the device ------------------------------------------------------------------------------
 */

static inline struct shunt_frame frame_of(const struct efvi_vi *vi, const struct efvi_tx_slot *slot)
{
  return (struct shunt_frame){.addr = vi->tx_first + (uint64_t)slot->buffer * EFVI_BUF_BYTES +
                                      vi->tx_offset,
                              .len = slot->len,
                              .flags = slot->more ? SHUNT_FRAME_MORE : 0};
}

/* Post whole packets from tx_sent on, up to one for an alternative. Returns false where the ring
 * is full. */
static bool post_some(struct efvi_vi *vi)
{
  const uint32_t mask = vi->user->vi_txq.mask;
  struct shunt_frame frames[EFVI_BURST];
  uint32_t n = vi->state.txq.previous - vi->tx_sent, whole = 0;
  n = n < EFVI_BURST ? n : EFVI_BURST;
  for (uint32_t i = 0; i < n; i++) {
    const struct efvi_tx_slot *slot = &vi->tx_slots[(vi->tx_sent + i) & mask];
    if (SHUNT_UNLIKELY(slot->alt))
      break;
    frames[i] = frame_of(vi, slot);
    whole = slot->more ? whole : i + 1;
  }
  if (SHUNT_UNLIKELY(!whole)) {
    efvi_alt_put(vi, &vi->tx_slots[vi->tx_sent & mask]);
    vi->tx_sent++;
    return true;
  }
  const uint32_t posted = shunt_tx_post(vi->queue, frames, whole);
  vi->tx_sent += posted;
  return posted == whole;
}

/* What the device's ring does not take now, a poll of completions hands over later. */
static void transmit_hand_over(struct efvi_vi *vi)
{
  const uint32_t sent = vi->tx_sent;
  while (vi->tx_sent != vi->state.txq.previous && post_some(vi))
    ;
  if (vi->tx_sent != sent)
    shunt_tx_push(vi->queue);
}

/* One packet of one buffer, and nothing before it waits. */
static inline bool hand_over_one(struct efvi_vi *vi)
{
  const struct efvi_tx_slot *slot = &vi->tx_slots[vi->tx_sent & vi->user->vi_txq.mask];
  if (vi->state.txq.previous - vi->tx_sent != 1 || slot->alt)
    return false;
  const struct shunt_frame frame = frame_of(vi, slot);
  if (shunt_tx_post(vi->queue, &frame, 1) != 1)
    return false;
  vi->tx_sent++;
  shunt_tx_push(vi->queue);
  return true;
}

/* Take back what was put on the ring since the last push. */
static void transmit_undo(struct efvi_vi *vi)
{
  ef_vi_txq_state *txq = &vi->state.txq;
  for (uint32_t i = txq->previous; vi->alternatives && i != txq->added; i++)
    efvi_alt_undo(vi, &vi->tx_slots[i & vi->user->vi_txq.mask]);
  txq->added = txq->previous;
}

static inline void transmit_push(struct efvi_vi *vi)
{
  if (SHUNT_UNLIKELY(vi->tx_warm)) {
    transmit_undo(vi);
    return;
  }
  vi->state.txq.previous = vi->state.txq.added;
  if (SHUNT_UNLIKELY(!hand_over_one(vi)))
    transmit_hand_over(vi);
  if (SHUNT_UNLIKELY(vi->primed))
    efvi_wake_sent(vi);
}

void efvi_transmit_push(ef_vi *user)
{
  transmit_push(efvi_own(user));
}

void ef_vi_transmit_init_undo(ef_vi *vi)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  if (!own)
    return;
  EFVI_ENTER(own, "ef_vi_transmit_init_undo", );
  transmit_undo(own);
}

int efvi_transmit(ef_vi *user, ef_addr base, int len, ef_request_id id)
{
  const int result = transmit_init(efvi_own(user), base, len, id);
  if (SHUNT_LIKELY(!result))
    transmit_push(efvi_own(user));
  return result;
}

int efvi_transmitv(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id)
{
  const int result = efvi_transmitv_init(user, iov, iov_len, id);
  if (!result)
    transmit_push(efvi_own(user));
  return result;
}

int efvi_transmit_copy(struct efvi_vi *vi, const struct iovec *iov, int iov_len, uint64_t bytes,
                       bool straight, ef_request_id id)
{
  struct room room;
  const int result = room_take(vi, bytes, straight, &room);
  if (result)
    return result;
  uint8_t *to = room.data;
  uint64_t left = bytes;
  for (int i = 0; i < iov_len && left; i++) {
    const size_t part = iov[i].iov_len < left ? iov[i].iov_len : (size_t)left;
    if (part)
      memcpy(to, iov[i].iov_base, part);
    to += part;
    left -= part;
  }
  memset(to, 0, (size_t)left); /* pieces that are shorter than the packet was said to be */
  room_fill(vi, &room, (uint32_t)bytes, id, !straight);
  transmit_push(vi);
  return 0;
}

/* Between these two packets take the whole way to the ring, and none reaches it. */
void efvi_start_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved, char *ctpio)
{
  struct efvi_vi *vi = efvi_own(user);
  efvi_transmit_push(user);
  if (saved)
    *saved = (ef_vi_tx_warm_state){.removed = vi->state.txq.removed, .vi_ctpio_mmap_ptr = ctpio};
  vi->tx_warm = vi->tx_aside = true;
}

void efvi_stop_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved)
{
  struct efvi_vi *vi = efvi_own(user);
  (void)saved;
  transmit_undo(vi);
  vi->tx_warm = false;
  vi->tx_aside = vi->primed;
}

/* --- Back again ---------------------------------------------------------------------------------
 */

/* Only AF_XDP's queues get here; a checked port's have no inline view, but the view's layout. */
static void times_keep(struct efvi_vi *vi, const shunt_buf bufs[], unsigned n)
{
  const struct shunt_xdp_queue *queue = (const struct shunt_xdp_queue *)vi->queue;
  for (unsigned i = 0; i < n; i++)
    vi->tx_times[(vi->tx_done + i) & vi->user->vi_txq.mask] = shunt_xdp_tx_time(queue, bufs[i]);
}

/* Queues complete in the order in which they were posted to; a burst may end early, at the ring's
 * end. */
static void completions_poll(struct efvi_vi *vi)
{
  shunt_buf bufs[EFVI_BURST];
  while (vi->tx_done != vi->tx_sent) {
    const unsigned n = shunt_tx_poll(vi->queue, bufs, EFVI_BURST);
    if (n == 0)
      return;
    if (SHUNT_UNLIKELY(vi->tx_times != NULL))
      times_keep(vi, bufs, n);
    vi->tx_done += n;
  }
}

/* Descriptors that are done and not told of. A packet sent by CTPIO has its id from the fallback:
 * until then nobody can be told that it has left. */
uint32_t efvi_transmit_waits(struct efvi_vi *vi)
{
  if (SHUNT_UNLIKELY(vi->alternatives != NULL))
    efvi_alt_poll(vi);
  else
    completions_poll(vi);
  if (SHUNT_UNLIKELY(vi->tx_sent != vi->state.txq.previous))
    transmit_hand_over(vi);
  const uint32_t done = vi->tx_done - vi->tx_told, open = vi->ctpio_slot - vi->tx_told;
  return SHUNT_UNLIKELY(vi->ctpio_open) && open < done ? open : done;
}

/* Each packet's time is an event, which stands for the packet's end, too. */
static int timed_events(struct efvi_vi *vi, uint8_t q_id, uint32_t left, ef_event events[], int n)
{
  const uint32_t mask = vi->user->vi_txq.mask;
  int made = 0;
  for (; made < n && left; made++, left--) {
    const uint32_t slot = vi->tx_told++ & mask;
    ef_precisetime time = {0};
    (void)efvi_time_of(&vi->device->tx_clock, vi->tx_times[slot], &time);
    events[made].tx_timestamp.type = EF_EVENT_TYPE_TX_WITH_TIMESTAMP;
    events[made].tx_timestamp.q_id = q_id;
    events[made].tx_timestamp.flags = 0;
    events[made].tx_timestamp.rq_id = vi->user->vi_txq.ids[slot];
    events[made].tx_timestamp.ts_sec = (uint32_t)time.tv_sec;
    events[made].tx_timestamp.ts_nsec = time.tv_nsec & 0x3FFFFFFF;
    events[made].tx_timestamp.ts_nsec_frac = 0;
    events[made].tx_timestamp.ts_flags = time.tv_flags & EF_EVENT_TX_WITH_TIMESTAMP_SYNC_MASK;
    vi->counters.tx_packets++;
    vi->counters.tx_bytes += vi->tx_slots[slot].len;
    vi->state.txq.removed = vi->tx_told;
  }
  return made;
}

int efvi_transmit_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n)
{
  uint32_t left = efvi_transmit_waits(vi);
  int made = 0;
  if (SHUNT_UNLIKELY(vi->tx_times != NULL))
    return timed_events(vi, q_id, left, events, n);
  for (; made < n && left; made++) {
    const uint32_t now = left < EF_VI_TRANSMIT_BATCH ? left : EF_VI_TRANSMIT_BATCH;
    vi->tx_told += now;
    left -= now;
    events[made].tx.type = EF_EVENT_TYPE_TX;
    events[made].tx.q_id = q_id;
    events[made].tx.flags = 0;
    events[made].tx.desc_id = (uint16_t)vi->tx_told;
    events[made].tx.deferred_evs = 0;
  }
  if (SHUNT_UNLIKELY(vi->alternatives != NULL))
    made += efvi_alt_events(vi, q_id, events + made, n - made);
  return made;
}

int ef_vi_transmit_unbundle(ef_vi *ep, const ef_event *event, ef_request_id *ids)
{
  struct efvi_vi *vi = efvi_vi_of(ep);
  if (!vi || !event || !ids)
    return 0;
  EFVI_ENTER(vi, "ef_vi_transmit_unbundle", 0);
  if (!efvi_check_event(vi, event))
    return 0;
  ef_vi_txq_state *txq = &vi->state.txq;
  const uint32_t mask = ep->vi_txq.mask;
  int n = 0;
  while ((uint16_t)txq->removed != event->tx.desc_id && txq->removed != vi->tx_told &&
         n < EF_VI_TRANSMIT_BATCH) {
    const uint32_t slot = txq->removed++ & mask;
    vi->counters.tx_bytes += vi->tx_slots[slot].len;
    if (ep->vi_txq.ids[slot] == EF_REQUEST_ID_MASK)
      continue;
    ids[n++] = (ef_request_id)ep->vi_txq.ids[slot];
    vi->counters.tx_packets++;
  }
  return n;
}

int __ef_vi_reinit_txq_post_error(ef_vi *vi)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "__ef_vi_reinit_txq_post_error", -EBUSY);
  if (!own)
    return efvi_refuse(-EINVAL, "this is no interface");
  efvi_transmit_flush(own);
  return 0;
}

/* Every packet puts its doorbell behind it: there is nothing that a threshold could change. */
void ef_vi_set_tx_push_threshold(ef_vi *vi, unsigned threshold)
{
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_set_tx_push_threshold", );
  if (efvi_vi_of(vi))
    vi->tx_push_thresh = threshold;
}

static bool is_done(const struct efvi_vi *vi)
{
  return vi->tx_done == vi->state.txq.previous && !(vi->alternatives && vi->alternatives->flying);
}

/* Packets that are on the ring have a second to leave. What does not stays on it, without ids: its
 * buffers are the device's. */
void efvi_transmit_flush(struct efvi_vi *vi)
{
  const struct shunt_clock *given = efvi_state()->clock;
  const struct shunt_clock *clock = given ? given : shunt_clock_real();
  const uint64_t end_ns = shunt_clock_now_ns(clock) + FLUSH_NS;
  const uint32_t mask = vi->user->vi_txq.mask;
  transmit_undo(vi);
  transmit_hand_over(vi);
  while (!is_done(vi) && shunt_clock_now_ns(clock) < end_ns) {
    shunt_port_step(vi->device->port);
    efvi_transmit_waits(vi);
    if (!is_done(vi))
      shunt_clock_sleep_ns(clock, 1000);
  }
  efvi_alt_flush(vi);
  vi->ctpio_open = false;
  vi->state.txq.added = vi->state.txq.previous = vi->tx_sent;
  vi->tx_told = vi->state.txq.removed = vi->tx_done;
  for (uint32_t i = vi->tx_done; i != vi->tx_sent; i++)
    vi->user->vi_txq.ids[i & mask] = EF_REQUEST_ID_MASK;
}
