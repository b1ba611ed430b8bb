/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive: frames are polled from the device's buffers into the program's. */
#include <errno.h>
#include <string.h>

#include "src/efvi/efvi.h"

/* The prefix of an interface with time stamps. */
#define PREFIX_TIME   0 /* nanoseconds, 8 bytes; 0: none */
#define PREFIX_LENGTH 8 /* 2 bytes, at the place where Solarflare's cards have it */
#define PREFIX_TICKS  10

#define BUFFER_LEAST 64u /* of the program's: a prefix and a little */

int efvi_receive_init(ef_vi *user, ef_addr addr, ef_request_id id)
{
  struct efvi_vi *vi = efvi_own(user);
  ef_vi_rxq_state *rxq = &vi->state.rxq;
  if (SHUNT_UNLIKELY(rxq->added - rxq->removed >= user->vi_rxq.mask))
    return -EAGAIN;
  if (SHUNT_UNLIKELY(user->rx_buffer_len < BUFFER_LEAST))
    return efvi_refuse(-EINVAL, "receive buffers of %u bytes: at least %u", user->rx_buffer_len,
                       BUFFER_LEAST);
  uint8_t *target = efvi_address(vi->pd, addr, user->rx_buffer_len);
  if (SHUNT_UNLIKELY(!target))
    return efvi_refuse(-EFAULT, "a receive buffer at 0x%llx is not registered memory",
                       (unsigned long long)addr);
  const uint32_t slot = rxq->added++ & user->vi_rxq.mask;
  vi->rx_targets[slot] = target;
  user->vi_rxq.ids[slot] = (uint32_t)id;
  return 0;
}

/* The device has as many buffers as the program has posted. */
void efvi_receive_push(ef_vi *user)
{
  struct efvi_vi *vi = efvi_own(user);
  struct efvi_queue *rx = vi->rx;
  const uint32_t posted = vi->state.rxq.added - vi->state.rxq.removed;
  vi->state.rxq.posted = vi->state.rxq.added;
  if (posted <= rx->rx_given)
    return;
  uint32_t n = posted - rx->rx_given;
  n = n < rx->rx_free_count ? n : rx->rx_free_count;
  const uint32_t taken = shunt_rx_post(vi->queue, rx->rx_free + (rx->rx_free_count - n), n);
  /* What was not taken lies behind what was: it moves down. */
  memmove(rx->rx_free + (rx->rx_free_count - n), rx->rx_free + (rx->rx_free_count - n) + taken,
          (n - taken) * sizeof(rx->rx_free[0]));
  rx->rx_free_count -= taken;
  rx->rx_given += taken;
}

int ef_vi_receive_post(ef_vi *vi, ef_addr addr, ef_request_id dma_id)
{
  if (!efvi_vi_of(vi))
    return efvi_refuse(-EINVAL, "this is no interface");
  int result = ef_vi_receive_init(vi, addr, dma_id);
  if (!result)
    ef_vi_receive_push(vi);
  return result;
}

ef_request_id ef_vi_rxq_next_desc_id(ef_vi *vi)
{
  return (ef_request_id)vi->vi_rxq.ids[vi->ep_state->rxq.removed & vi->vi_rxq.mask];
}

/* --- Frames that wait --------------------------------------------------------------------------
 */

/* A frame's buffer is free again. Given straight back where the program's own is still posted. */
static void frame_release(struct efvi_vi *vi, const struct shunt_frame *frame, bool again)
{
  struct efvi_queue *rx = vi->rx;
  shunt_buf buf = frame->addr & ~(shunt_buf)(EFVI_BUF_BYTES - 1);
  if (again && shunt_rx_post(vi->queue, &buf, 1) == 1)
    return;
  rx->rx_free[rx->rx_free_count++] = buf;
  rx->rx_given--;
}

/* Leave out what no filter takes; the pieces behind a frame's first go where that went. */
static void frames_filter(struct efvi_vi *vi)
{
  unsigned kept = 0;
  for (unsigned i = 0; i < vi->frame_count; i++) {
    struct shunt_frame *frame = &vi->frames[i];
    if (!vi->rx_inside)
      vi->rx_dropping = !efvi_match_any(vi, shunt_frame_data(vi->queue, frame), frame->len);
    vi->rx_inside = (frame->flags & SHUNT_FRAME_MORE) != 0;
    if (!vi->rx_dropping) {
      vi->frames[kept++] = *frame;
      continue;
    }
    vi->counters.rx_unfiltered += !vi->rx_inside;
    frame_release(vi, frame, true);
  }
  vi->frame_count = kept;
}

bool efvi_receive_waits(struct efvi_vi *vi)
{
  if (vi->frame_next < vi->frame_count)
    return true;
  vi->frame_next = 0;
  vi->frame_count = shunt_rx_poll(vi->queue, vi->frames, EFVI_BURST);
  if (vi->frame_count)
    frames_filter(vi);
  return vi->frame_count > 0;
}

/* --- Events -------------------------------------------------------------------------------------
 */

static unsigned discard_flags(uint32_t flags)
{
  return (flags & SHUNT_FRAME_L4_BAD ? EF_VI_DISCARD_RX_L4_CSUM_ERR : 0u) |
         (flags & SHUNT_FRAME_IP_BAD ? EF_VI_DISCARD_RX_L3_CSUM_ERR : 0u) |
         (flags & SHUNT_FRAME_DAMAGED ? EF_VI_DISCARD_RX_ETH_FCS_ERR : 0u);
}

static void prefix_write(uint8_t *target, const struct shunt_frame *frame, uint32_t bytes)
{
  const uint64_t time_ns = frame->flags & SHUNT_FRAME_TIME ? frame->time_ns : 0;
  const uint16_t length = (uint16_t)bytes;
  const uint32_t ticks = (uint32_t)(time_ns % 1000000000u);
  memcpy(target + PREFIX_TIME, &time_ns, sizeof(time_ns));
  memcpy(target + PREFIX_LENGTH, &length, sizeof(length));
  memcpy(target + PREFIX_TICKS, &ticks, sizeof(ticks));
}

/* The event of one filled buffer. */
static void event_fill(struct efvi_vi *vi, uint8_t q_id, ef_event *event, uint32_t slot,
                       unsigned flags, unsigned bad)
{
  const ef_vi *user = vi->user;
  ef_vi_rxq_state *rxq = &vi->state.rxq;
  event->rx.type = EF_EVENT_TYPE_RX;
  event->rx.q_id = q_id;
  event->rx.rq_id = user->vi_rxq.ids[slot];
  event->rx.len = (uint16_t)rxq->bytes_acc;
  event->rx.flags = (uint16_t)flags;
  event->rx.ofs = 0;
  if (SHUNT_UNLIKELY(bad)) {
    event->rx_discard.type = EF_EVENT_TYPE_RX_DISCARD;
    event->rx_discard.subtype = (uint16_t)ef_vi_get_rx_discard_subtype_from_flags(bad);
    vi->counters.rx_discards++;
  }
}

/* The device's piece is used up, or its rest is given up. Returns whether the frame ends with it.
 */
static bool piece_done(struct efvi_vi *vi)
{
  const struct shunt_frame *frame = &vi->frames[vi->frame_next++];
  const bool last = !(frame->flags & SHUNT_FRAME_MORE);
  vi->frame_taken = 0;
  frame_release(vi, frame, false);
  return last;
}

/* A frame finds no buffer: it is lost. Where a part of it was told of, an event says so. */
static int event_truncated(struct efvi_vi *vi, uint8_t q_id, ef_event *event)
{
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

/* Fill the next posted buffer from the waiting pieces. Returns how many events that made: 0 where
 * the piece is of a frame that is lost. */
static int fill_one(struct efvi_vi *vi, uint8_t q_id, ef_event *event)
{
  ef_vi *user = vi->user;
  ef_vi_rxq_state *rxq = &vi->state.rxq;
  const struct shunt_frame *frame = &vi->frames[vi->frame_next];
  if (SHUNT_UNLIKELY(vi->rx_skipping)) {
    vi->rx_skipping = !piece_done(vi);
    return 0;
  }
  if (SHUNT_UNLIKELY(rxq->removed == rxq->posted)) {
    vi->rx_skipping = !piece_done(vi);
    return event_truncated(vi, q_id, event);
  }
  const uint32_t slot = rxq->removed & user->vi_rxq.mask;
  uint8_t *target = vi->rx_targets[slot];
  const bool first = !rxq->in_jumbo;
  const uint32_t prefix = first ? user->rx_prefix_len : 0;
  const uint32_t room = user->rx_buffer_len - prefix, left = frame->len - vi->frame_taken;
  const uint32_t bytes = left < room ? left : room;
  memcpy(target + prefix, (uint8_t *)shunt_frame_data(vi->queue, frame) + vi->frame_taken, bytes);
  if (prefix)
    prefix_write(target, frame, frame->len);
  vi->frame_taken += bytes;
  rxq->bytes_acc += prefix + bytes;

  const unsigned bad = discard_flags(frame->flags) & (unsigned)user->rx_discard_mask;
  const uint8_t to = *(uint8_t *)shunt_frame_data(vi->queue, frame);
  const bool last = bytes == left && piece_done(vi);
  const unsigned flags = (first ? EF_EVENT_FLAG_SOP : 0u) | (last ? 0u : EF_EVENT_FLAG_CONT) |
                         (first && (to & 1) ? EF_EVENT_FLAG_MULTICAST : 0u);
  event_fill(vi, q_id, event, slot, flags, last ? bad : 0);
  rxq->removed++;
  rxq->in_jumbo = !last;
  if (last) {
    vi->counters.rx_packets++;
    vi->counters.rx_bytes += rxq->bytes_acc - user->rx_prefix_len;
    rxq->bytes_acc = 0;
  }
  return 1;
}

int efvi_receive_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n)
{
  int made = 0;
  while (made < n && efvi_receive_waits(vi))
    made += fill_one(vi, q_id, &events[made]);
  return made;
}

void efvi_receive_flush(struct efvi_vi *vi)
{
  do {
    while (vi->frame_next < vi->frame_count)
      piece_done(vi);
    vi->frame_next = vi->frame_count = 0;
  } while (vi->rx->rx_given && efvi_receive_waits(vi));
  vi->state.rxq = (ef_vi_rxq_state){
      .added = vi->state.rxq.added, .posted = vi->state.rxq.added, .removed = vi->state.rxq.added};
}

/* --- What the prefix says -----------------------------------------------------------------------
 */

int efvi_receive_get_timestamp(ef_vi *user, const void *pkt, ef_precisetime *time)
{
  uint64_t time_ns;
  if (!user->rx_prefix_len)
    return efvi_refuse(-EOPNOTSUPP, "the interface was made without EF_VI_RX_TIMESTAMPS");
  if (!pkt || !time)
    return efvi_refuse(-EINVAL, "no packet, or no place for its time");
  memcpy(&time_ns, (const uint8_t *)pkt + PREFIX_TIME, sizeof(time_ns));
  if (!time_ns)
    return efvi_refuse(-ENODATA, "the device stamped no time on this packet");
  *time = (ef_precisetime){.tv_sec = (int64_t)(time_ns / 1000000000u),
                           .tv_nsec = (uint32_t)(time_ns % 1000000000u),
                           .tv_flags = EF_VI_SYNC_FLAG_CLOCK_SET};
  return 0;
}

int ef_vi_receive_get_timestamp_with_sync_flags(ef_vi *vi, const void *pkt, ef_timespec *ts_out,
                                                unsigned *flags_out)
{
  ef_precisetime time = {0};
  if (!efvi_vi_of(vi) || !ts_out || !flags_out)
    return efvi_refuse(-EINVAL, "no interface, or no place for the time");
  int result = efvi_receive_get_timestamp(vi, pkt, &time);
  if (result)
    return result;
  *ts_out = (ef_timespec){.tv_sec = (time_t)time.tv_sec, .tv_nsec = (long)time.tv_nsec};
  *flags_out = time.tv_flags;
  return 0;
}

int ef_vi_receive_get_timestamp(ef_vi *vi, const void *pkt, ef_timespec *ts_out)
{
  ef_precisetime time = {0};
  if (!efvi_vi_of(vi) || !ts_out)
    return efvi_refuse(-EINVAL, "no interface, or no place for the time");
  int result = efvi_receive_get_timestamp(vi, pkt, &time);
  if (!result)
    *ts_out = (ef_timespec){.tv_sec = (time_t)time.tv_sec, .tv_nsec = (long)time.tv_nsec};
  return result;
}

int ef_vi_receive_get_bytes(ef_vi *vi, const void *pkt, uint16_t *bytes_out)
{
  if (!efvi_vi_of(vi) || !pkt || !bytes_out)
    return efvi_refuse(-EINVAL, "no interface, no packet, or no place for its length");
  if (!vi->rx_prefix_len)
    return efvi_refuse(-EOPNOTSUPP, "without a prefix only the event has the packet's length");
  memcpy(bytes_out, (const uint8_t *)pkt + PREFIX_LENGTH, sizeof(*bytes_out));
  return 0;
}

int ef_vi_receive_query_layout(ef_vi *vi, const ef_vi_layout_entry **const layout_out,
                               int *layout_len_out)
{
  static const ef_vi_layout_entry plain[] = {{EF_VI_LAYOUT_FRAME, 0, "Ethernet frame"}};
  static const ef_vi_layout_entry stamped[] = {
      {EF_VI_LAYOUT_FRAME, (int)EFVI_PREFIX_BYTES, "Ethernet frame"},
      {EF_VI_LAYOUT_PACKET_LENGTH, PREFIX_LENGTH, "packet length, 2 bytes"},
      {EF_VI_LAYOUT_MINOR_TICKS, PREFIX_TICKS, "nanoseconds of the second, 4 bytes"},
  };
  if (!efvi_vi_of(vi) || !layout_out || !layout_len_out)
    return efvi_refuse(-EINVAL, "no interface, or no place for its layout");
  *layout_out = vi->rx_prefix_len ? stamped : plain;
  *layout_len_out = vi->rx_prefix_len ? (int)(sizeof(stamped) / sizeof(stamped[0])) : 1;
  return 0;
}

int efvi_receive_set_discards(ef_vi *user, unsigned flags)
{
  const unsigned known = EF_VI_DISCARD_RX_L4_CSUM_ERR | EF_VI_DISCARD_RX_L3_CSUM_ERR |
                         EF_VI_DISCARD_RX_ETH_FCS_ERR | EF_VI_DISCARD_RX_ETH_LEN_ERR |
                         EF_VI_DISCARD_RX_TOBE_DISC;
  if (flags & ~known)
    return efvi_refuse(-EOPNOTSUPP, "nothing is told of discards 0x%x", flags & ~known);
  user->rx_discard_mask = flags;
  return 0;
}

uint64_t efvi_receive_get_discards(ef_vi *user)
{
  return user->rx_discard_mask;
}
