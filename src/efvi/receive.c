/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive: frames are polled from the device's buffers into the program's. */
#include <errno.h>
#include <string.h>

#include "src/efvi/checked.h"

#define BUFFER_LEAST 64u /* of the program's: a prefix and a little */

/* --- Buffers of the program's -------------------------------------------------------------------
 */

/* Room for what one buffer takes, where it has to be. */
static uint8_t *target_of(const struct efvi_vi *vi, ef_addr addr)
{
  if (SHUNT_UNLIKELY(vi->rx_mode == EFVI_RX_PACKED))
    return addr & (EF_VI_NIC_PAGE_SIZE - 1) ? NULL
                                            : efvi_address(vi->pd, addr, efvi_packed_bytes(vi));
  return efvi_address(vi->pd, addr, vi->user->rx_buffer_len);
}

int efvi_receive_init(ef_vi *user, ef_addr addr, ef_request_id id)
{
  struct efvi_vi *vi = efvi_own(user);
  ef_vi_rxq_state *rxq = &vi->state.rxq;
  if (SHUNT_UNLIKELY(vi->rx_mode == EFVI_RX_EXPRESS))
    return efvi_refuse(-EOPNOTSUPP, "with EF_PD_EXPRESS packets are in the device's own buffers");
  if (SHUNT_UNLIKELY(rxq->added - rxq->removed >= user->vi_rxq.mask))
    return -EAGAIN;
  if (SHUNT_UNLIKELY(user->rx_buffer_len < BUFFER_LEAST))
    return efvi_refuse(-EINVAL, "receive buffers of %u bytes: at least %u", user->rx_buffer_len,
                       BUFFER_LEAST);
  uint8_t *target = target_of(vi, addr);
  if (SHUNT_UNLIKELY(!target))
    return efvi_refuse(-EFAULT, "a receive buffer at 0x%llx is not registered memory, whole",
                       (unsigned long long)addr);
  const uint32_t slot = rxq->added++ & user->vi_rxq.mask;
  vi->rx_targets[slot] = target;
  vi->rx_rooms[slot] =
      (uint16_t)(user->rx_buffer_len < UINT16_MAX ? user->rx_buffer_len : UINT16_MAX);
  user->vi_rxq.ids[slot] = (uint32_t)id;
  return 0;
}

void efvi_receive_give(struct efvi_vi *vi, uint32_t count)
{
  struct efvi_queue *rx = vi->rx;
  if (SHUNT_UNLIKELY(vi->device->spread)) {
    efvi_spread_give(vi);
    return;
  }
  if (count <= rx->rx_given)
    return;
  uint32_t n = count - rx->rx_given;
  n = n < rx->rx_free_count ? n : rx->rx_free_count;
  shunt_buf *const first = rx->rx_free + (rx->rx_free_count - n);
  const uint32_t taken = shunt_rx_post(vi->queue, first, n);
  if (SHUNT_UNLIKELY(taken < n)) /* what was not taken lies behind what was: it moves down */
    memmove(first, first + taken, (n - taken) * sizeof(first[0]));
  rx->rx_free_count -= taken;
  rx->rx_given += taken;
}

/* Buffers that the device should have: as many as the program has posted. Where frames may be
 * longer than they are, as many as hold the same, and what a frame takes that the program's hold in
 * part: a device without lets it wait, or drops it. Where the program's don't answer for them, all.
 */
static uint32_t count_due(const struct efvi_vi *vi)
{
  const uint32_t posted = vi->state.rxq.posted - vi->rx_filled;
  const struct shunt_port_info *info = &vi->device->info;
  const uint32_t piece = info->rx_buf_bytes, longest = info->mtu + EFVI_HEADER_MOST;
  if (SHUNT_UNLIKELY(vi->rx_mode >= EFVI_RX_PACKED))
    return UINT32_MAX;
  if (SHUNT_LIKELY(longest <= piece) || !posted)
    return posted;
  const uint32_t room = vi->user->rx_buffer_len < longest ? vi->user->rx_buffer_len : longest;
  return posted * ((room + piece - 1) / piece) + (longest - 1) / piece;
}

void efvi_receive_push(ef_vi *user)
{
  struct efvi_vi *vi = efvi_own(user);
  vi->state.rxq.posted = vi->state.rxq.added;
  efvi_receive_give(vi, count_due(vi));
}

int ef_vi_receive_post(ef_vi *vi, ef_addr addr, ef_request_id dma_id)
{
  if (!efvi_vi_of(vi))
    return efvi_refuse(-EINVAL, "this is no interface");
  EFVI_ENTER(efvi_own(vi), "ef_vi_receive_post", -EBUSY);
  int result = ef_vi_receive_init(vi, addr, dma_id);
  if (!result)
    ef_vi_receive_push(vi);
  return result;
}

ef_request_id ef_vi_rxq_next_desc_id(ef_vi *vi)
{
  const struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_rxq_next_desc_id", -EBUSY);
  if (!own)
    return efvi_refuse(-EINVAL, "this is no interface");
  return (ef_request_id)vi->vi_rxq.ids[own->rx_filled & vi->vi_rxq.mask];
}

/* --- Frames that wait --------------------------------------------------------------------------
 */

/* A frame's buffer is free again. It goes straight back to a device that has too few. */
static inline void frame_release(struct efvi_vi *vi, const struct shunt_frame *frame)
{
  struct efvi_queue *rx = vi->rx;
  shunt_buf buf = frame->addr & ~(shunt_buf)(EFVI_BUF_BYTES - 1);
  if (SHUNT_UNLIKELY(vi->device->spread)) {
    efvi_spread_release(vi, buf);
    return;
  }
  if (SHUNT_UNLIKELY(rx->rx_given <= count_due(vi)) && shunt_rx_post(vi->queue, &buf, 1) == 1)
    return;
  rx->rx_free[rx->rx_free_count++] = buf;
  rx->rx_given--;
}

/* Leave out what no filter takes, from a frame on; the pieces behind a frame's first go where that
 * went. */
static void filter_from(struct efvi_vi *vi, unsigned first)
{
  unsigned kept = first;
  for (unsigned i = first; i < vi->frame_count; i++) {
    struct shunt_frame *frame = &vi->frames[i];
    if (!vi->rx_inside) {
      const int filter = efvi_match_any(vi, shunt_frame_data(vi->queue, frame), frame->len);
      vi->rx_dropping = filter == EFVI_NO_FILTER;
      vi->rx_filter = (uint16_t)filter;
    }
    vi->rx_inside = (frame->flags & SHUNT_FRAME_MORE) != 0;
    if (SHUNT_LIKELY(!vi->rx_dropping)) {
      if (SHUNT_UNLIKELY(kept != i))
        vi->frames[kept] = *frame;
      vi->frame_filters[kept++] = (int16_t)vi->rx_filter;
      continue;
    }
    if (SHUNT_UNLIKELY(vi->device->spread && !vi->rx_inboxed)) {
      efvi_spread_pass(vi, frame);
      continue;
    }
    vi->counters.rx_unfiltered += !vi->rx_inside;
    frame_release(vi, frame);
  }
  vi->frame_count = kept;
  if (SHUNT_UNLIKELY(vi->device->spread))
    efvi_spread_sorted(vi);
}

void efvi_frames_filter(struct efvi_vi *vi)
{
  filter_from(vi, 0);
}

static inline unsigned frames_poll(struct efvi_vi *vi, struct shunt_frame frames[], unsigned n)
{
  return SHUNT_UNLIKELY(vi->device->spread) ? efvi_spread_poll(vi, frames, n)
                                            : shunt_rx_poll(vi->queue, frames, n);
}

bool efvi_receive_waits(struct efvi_vi *vi)
{
  if (vi->frame_next < vi->frame_count)
    return true;
  vi->frame_next = 0;
  vi->frame_count = frames_poll(vi, vi->frames, EFVI_BURST);
  if (!vi->frame_count)
    return false;
  __atomic_store_n(&vi->detour, true, __ATOMIC_RELAXED); /* what waits here is told of first */
  efvi_frames_filter(vi);
  return vi->frame_count > 0;
}

bool efvi_piece_keep(struct efvi_vi *vi)
{
  const struct shunt_frame *frame = &vi->frames[vi->frame_next++];
  vi->frame_taken = 0;
  return !(frame->flags & SHUNT_FRAME_MORE);
}

bool efvi_piece_done(struct efvi_vi *vi)
{
  frame_release(vi, &vi->frames[vi->frame_next]);
  return efvi_piece_keep(vi);
}

/* The piece at hand, and those behind it, are of a packet that is lost. */
static void packet_lose(struct efvi_vi *vi)
{
  vi->rx_skipping = !efvi_piece_done(vi);
}

unsigned efvi_discard_flags(uint32_t flags)
{
  return (flags & SHUNT_FRAME_L4_BAD ? EF_VI_DISCARD_RX_L4_CSUM_ERR : 0u) |
         (flags & SHUNT_FRAME_IP_BAD ? EF_VI_DISCARD_RX_L3_CSUM_ERR : 0u) |
         (flags & SHUNT_FRAME_DAMAGED ? EF_VI_DISCARD_RX_ETH_FCS_ERR : 0u);
}

/* --- Filling buffers ----------------------------------------------------------------------------
 */

/* What was put into one. */
struct filled {
  uint32_t slot;
  unsigned flags;    /* EF_EVENT_FLAG_* */
  unsigned discards; /* enum ef_vi_rx_discard_err_flags, in the packet's last one */
  uint16_t bytes;    /* of the packet so far */
};

/* Pieces of the packet at hand, from its first one on; 0: not all have come. */
static unsigned pieces_of(const struct efvi_vi *vi)
{
  for (unsigned i = vi->frame_next; i < vi->frame_count; i++)
    if (!(vi->frames[i].flags & SHUNT_FRAME_MORE))
      return i + 1 - vi->frame_next;
  return 0;
}

/* Look for the rest of the packet at hand, whose pieces move to the front to make room. Returns
 * whether it is there, or the packet lost. */
static bool pieces_gather(struct efvi_vi *vi)
{
  const unsigned waiting = vi->frame_count - vi->frame_next;
  memmove(vi->frames, vi->frames + vi->frame_next, waiting * sizeof(vi->frames[0]));
  memmove(vi->frame_filters, vi->frame_filters + vi->frame_next,
          waiting * sizeof(vi->frame_filters[0]));
  vi->frame_next = 0;
  vi->frame_count = waiting + frames_poll(vi, vi->frames + waiting, EFVI_BURST - waiting);
  filter_from(vi, waiting);
  if (vi->frame_count == EFVI_BURST && !pieces_of(vi)) {
    packet_lose(vi);
    vi->counters.rx_truncated++;
  }
  return vi->rx_skipping || pieces_of(vi);
}

/* Whether there can be an event of the piece at hand. What stands in front of a packet says how
 * long it is and what is wrong with it, so there it has to be whole. */
static inline bool is_ready(struct efvi_vi *vi)
{
  if (SHUNT_LIKELY(!(vi->frames[vi->frame_next].flags & SHUNT_FRAME_MORE)) ||
      !vi->user->rx_prefix_len || vi->rx_used || vi->state.rxq.in_jumbo || vi->rx_skipping)
    return true;
  return pieces_of(vi) || pieces_gather(vi);
}

/* Begin a packet in its first buffer. Returns bytes of that which what stands in front takes. */
static inline uint32_t packet_begin(struct efvi_vi *vi, uint8_t *target)
{
  const struct shunt_frame *frame = &vi->frames[vi->frame_next];
  const uint8_t *data = shunt_frame_data(vi->queue, frame);
  vi->rx_group = data[0] & 1;
  if (SHUNT_UNLIKELY(vi->user->rx_prefix_len))
    efvi_prefix_write(vi, target, frame, pieces_of(vi), vi->frame_filters[vi->frame_next]);
  return vi->user->rx_prefix_len;
}

/* Fill the next posted buffer from the pieces that wait. Returns whether that is full, or its
 * packet at an end; if not, the rest of that is still to come. */
static inline bool fill_one(struct efvi_vi *vi, struct filled *filled)
{
  ef_vi *user = vi->user;
  ef_vi_rxq_state *rxq = &vi->state.rxq;
  const uint32_t slot = vi->rx_filled & user->vi_rxq.mask, room = vi->rx_rooms[slot];
  uint8_t *target = vi->rx_targets[slot];
  const bool first = !rxq->in_jumbo;
  uint32_t used = first && !vi->rx_used ? packet_begin(vi, target) : vi->rx_used;
  bool last, full;
  do {
    const struct shunt_frame *frame = &vi->frames[vi->frame_next];
    const uint32_t left = frame->len - vi->frame_taken;
    const uint32_t bytes = left < room - used ? left : room - used;
    const uint8_t *data = shunt_frame_data(vi->queue, frame);
    memcpy(target + used, data + vi->frame_taken, bytes);
    used += bytes;
    vi->frame_taken += bytes;
    last = bytes == left && !(frame->flags & SHUNT_FRAME_MORE);
    full = last || used == room;
    filled->discards = last ? efvi_discard_flags(frame->flags) & user->rx_discard_mask : 0;
    vi->rx_filled += full;
    if (bytes == left)
      efvi_piece_done(vi);
  } while (!full && vi->frame_next < vi->frame_count);
  vi->rx_used = full ? 0 : used;
  if (!full)
    return false;
  rxq->bytes_acc += used;
  rxq->in_jumbo = !last;
  filled->slot = slot;
  filled->flags = (first ? EF_EVENT_FLAG_SOP : 0u) | (last ? 0u : EF_EVENT_FLAG_CONT) |
                  (vi->rx_group ? EF_EVENT_FLAG_MULTICAST : 0u);
  filled->bytes = (uint16_t)rxq->bytes_acc;
  if (!last)
    return true;
  vi->counters.rx_packets++;
  vi->counters.rx_bytes += rxq->bytes_acc - user->rx_prefix_len;
  vi->counters.rx_discards += filled->discards != 0;
  rxq->bytes_acc = 0;
  return true;
}

/* A frame finds no buffer: it is lost. Where a part of it was told of, an event says so. */
static int event_truncated(struct efvi_vi *vi, uint8_t q_id, ef_event *event)
{
  packet_lose(vi);
  if (!vi->state.rxq.in_jumbo) {
    vi->counters.rx_no_buffer++;
    return 0;
  }
  event->rx_no_desc_trunc.type = EF_EVENT_TYPE_RX_NO_DESC_TRUNC;
  event->rx_no_desc_trunc.q_id = q_id;
  vi->counters.rx_truncated++;
  vi->state.rxq.in_jumbo = 0;
  vi->state.rxq.bytes_acc = 0;
  return 1;
}

/* --- Events -------------------------------------------------------------------------------------
 */

static inline int event_plain(struct efvi_vi *vi, uint8_t q_id, ef_event *event)
{
  struct filled filled;
  if (!fill_one(vi, &filled))
    return 0;
  vi->state.rxq.removed = vi->rx_filled;
  event->rx.type = EF_EVENT_TYPE_RX;
  event->rx.q_id = q_id;
  event->rx.rq_id = vi->user->vi_rxq.ids[filled.slot];
  event->rx.len = filled.bytes;
  event->rx.flags = (uint16_t)filled.flags;
  event->rx.ofs = 0;
  if (SHUNT_UNLIKELY(filled.discards)) {
    event->rx_discard.type = EF_EVENT_TYPE_RX_DISCARD;
    event->rx_discard.subtype = (uint16_t)ef_vi_get_rx_discard_subtype_from_flags(filled.discards);
  }
  return 1;
}

/* Whether the frame is a packet of one buffer, with nothing wrong. */
static bool is_single(const struct efvi_vi *vi)
{
  const struct shunt_frame *frame = &vi->frames[vi->frame_next];
  return !vi->state.rxq.in_jumbo && !vi->rx_used && !(frame->flags & SHUNT_FRAME_MORE) &&
         frame->len + vi->user->rx_prefix_len <=
             vi->rx_rooms[vi->rx_filled & vi->user->vi_rxq.mask] &&
         !(efvi_discard_flags(frame->flags) & (unsigned)vi->user->rx_discard_mask);
}

/* Whether it may share an event with the one before: both are a group's, or neither is. */
static bool is_alike(const struct efvi_vi *vi, const struct filled *before)
{
  const uint8_t *data = shunt_frame_data(vi->queue, &vi->frames[vi->frame_next]);
  return is_single(vi) && (data[0] & 1) == !!(before->flags & EF_EVENT_FLAG_MULTICAST);
}

/* Packets of one buffer share an event; any other buffer has one of its own. The program takes ids
 * from it by ef_vi_receive_unbundle, and lengths from the packets' prefixes. */
static int event_merged(struct efvi_vi *vi, uint8_t q_id, ef_event *event)
{
  struct filled filled;
  uint16_t count = 1;
  const bool single = is_single(vi);
  if (!fill_one(vi, &filled))
    return 0;
  while (single && count < EF_VI_RECEIVE_BATCH && vi->rx_filled != vi->state.rxq.posted &&
         vi->frame_next < vi->frame_count && is_alike(vi, &filled)) {
    (void)fill_one(vi, &filled);
    count++;
  }
  event->rx_multi.type = EF_EVENT_TYPE_RX_MULTI;
  event->rx_multi.q_id = q_id;
  event->rx_multi.n_descs = count;
  event->rx_multi.flags = (uint16_t)filled.flags;
  if (!filled.discards)
    return 1;
  event->rx_multi_discard.type = EF_EVENT_TYPE_RX_MULTI_DISCARD;
  event->rx_multi_discard.subtype =
      (uint16_t)ef_vi_get_rx_discard_subtype_from_flags(filled.discards);
  return 1;
}

int ef_vi_receive_unbundle(ef_vi *ep, const ef_event *event, ef_request_id *ids)
{
  struct efvi_vi *vi = efvi_vi_of(ep);
  EFVI_ENTER(vi, "ef_vi_receive_unbundle", 0);
  if (!vi || !event || !ids || vi->rx_mode != EFVI_RX_MERGED)
    return 0;
  ef_vi_rxq_state *rxq = &vi->state.rxq;
  int n = 0;
  while (n < event->rx_multi.n_descs && n < EF_VI_RECEIVE_BATCH && rxq->removed != vi->rx_filled)
    ids[n++] = (ef_request_id)ep->vi_rxq.ids[rxq->removed++ & ep->vi_rxq.mask];
  return n;
}

/* Of a piece that waits: no event where it is of a frame that is lost. */
static int event_special(struct efvi_vi *vi, uint8_t q_id, ef_event *event)
{
  if (vi->rx_skipping) {
    packet_lose(vi);
    return 0;
  }
  if (vi->rx_mode == EFVI_RX_EXPRESS)
    return efvi_express_event(vi, q_id, event);
  if (vi->rx_mode == EFVI_RX_PACKED)
    return efvi_packed_event(vi, q_id, event);
  if (vi->rx_filled == vi->state.rxq.posted)
    return event_truncated(vi, q_id, event);
  return event_merged(vi, q_id, event);
}

int efvi_receive_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n)
{
  int made = 0;
  while (made < n && efvi_receive_waits(vi) && is_ready(vi)) {
    if (SHUNT_LIKELY(vi->rx_mode == EFVI_RX_PLAIN && !vi->rx_skipping &&
                     vi->rx_filled != vi->state.rxq.posted))
      made += event_plain(vi, q_id, &events[made]);
    else
      made += event_special(vi, q_id, &events[made]);
  }
  return made;
}

/* Buffers that go straight back could be filled again for ever: no more than two rings of them.
 * Where the program has nothing to post the ring is full, as with the cards: it may wait until it
 * is. */
void efvi_receive_flush(struct efvi_vi *vi)
{
  const uint32_t level = vi->rx_mode == EFVI_RX_EXPRESS ? vi->user->vi_rxq.mask + 1 : 0;
  uint32_t left = 2 * vi->device->info.rx_ring;
  vi->rx_filled = vi->state.rxq.posted = vi->state.rxq.added;
  do {
    for (; vi->frame_next < vi->frame_count; left = left ? left - 1 : 0)
      efvi_piece_done(vi);
    vi->frame_next = vi->frame_count = 0;
  } while (left && vi->rx->rx_given && efvi_receive_waits(vi));
  vi->rx_used = vi->frame_taken = 0;
  vi->rx_skipping = vi->rx_inside && !vi->rx_dropping;
  vi->packed = NULL;
  const uint32_t added = vi->state.rxq.added;
  vi->state.rxq = (ef_vi_rxq_state){.added = added, .posted = added, .removed = added - level};
}

/* --- Discards -----------------------------------------------------------------------------------
 */

int efvi_receive_set_discards(ef_vi *user, unsigned flags)
{
  const unsigned known = EF_VI_DISCARD_RX_L4_CSUM_ERR | EF_VI_DISCARD_RX_L3_CSUM_ERR |
                         EF_VI_DISCARD_RX_ETH_FCS_ERR | EF_VI_DISCARD_RX_ETH_LEN_ERR |
                         EF_VI_DISCARD_RX_TOBE_DISC;
  if (flags & ~known)
    return efvi_refuse(-EOPNOTSUPP,
                       "devices here look at no inner headers and no packet classes: "
                       "discards 0x%x",
                       flags & ~known);
  user->rx_discard_mask = flags;
  return 0;
}

uint64_t efvi_receive_get_discards(ef_vi *user)
{
  return user->rx_discard_mask;
}
