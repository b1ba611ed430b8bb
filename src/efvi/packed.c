/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed stream: packets one behind the other in large buffers, each with its description in front,
 * so that a buffer holds as many as fit and an event stands for several. */
#include <errno.h>
#include <string.h>

#include "src/efvi/checked.h"

#define PACKED_BYTES       (UINT32_C(1) << 20)
#define PACKED_BYTES_SMALL (UINT32_C(1) << 16) /* EF_VI_RX_PS_BUF_SIZE_64K */
#define PACKED_START       64u /* of a buffer; programs keep their own notes in front */
#define PACKED_ALIGN       64u /* of descriptions */
#define PACKED_HEADER      ((uint32_t)sizeof(ef_packed_stream_packet))

_Static_assert(PACKED_HEADER == 16, "as programs were compiled");

uint32_t efvi_packed_bytes(const struct efvi_vi *vi)
{
  return vi->flags & EF_VI_RX_PS_BUF_SIZE_64K ? PACKED_BYTES_SMALL : PACKED_BYTES;
}

int ef_vi_packed_stream_get_params(ef_vi *vi, ef_packed_stream_params *psp_out)
{
  const struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_packed_stream_get_params", -EBUSY);
  if (!own || !psp_out || own->rx_mode != EFVI_RX_PACKED)
    return efvi_refuse(-EINVAL, "the interface does not receive a packed stream");
  *psp_out = (ef_packed_stream_params){.psp_buffer_size = (int)efvi_packed_bytes(own),
                                       .psp_buffer_align = EF_VI_NIC_PAGE_SIZE,
                                       .psp_start_offset = (int)PACKED_START,
                                       .psp_max_usable_buffers = (int)vi->vi_rxq.mask};
  return 0;
}

/* Room that a packet takes, its description included. */
static uint32_t span_of(uint32_t bytes)
{
  return (PACKED_HEADER + bytes + PACKED_ALIGN - 1) & ~(PACKED_ALIGN - 1);
}

/* Most that the frame at hand can become: of one with more pieces only the first is known. */
static uint32_t room_for(const struct efvi_vi *vi, const struct shunt_frame *frame)
{
  return span_of(frame->flags & SHUNT_FRAME_MORE ? vi->device->info.mtu + EFVI_HEADER_MOST
                                                 : frame->len);
}

/* Begin the next buffer. The one before is the program's when it sees the event. */
static bool buffer_next(struct efvi_vi *vi)
{
  if (vi->rx_filled == vi->state.rxq.posted)
    return false;
  const uint32_t slot = vi->rx_filled++ & vi->user->vi_rxq.mask;
  vi->packed = vi->rx_targets[slot];
  vi->packed_used = PACKED_START;
  vi->user->vi_rxq.ids[slot] = EF_REQUEST_ID_MASK;
  vi->state.rxq.removed = vi->rx_filled;
  return true;
}

static uint8_t packed_flags(unsigned discards)
{
  return (uint8_t)((discards & EF_VI_DISCARD_RX_ETH_FCS_ERR ? EF_VI_PS_FLAG_BAD_FCS : 0) |
                   (discards & EF_VI_DISCARD_RX_L4_CSUM_ERR ? EF_VI_PS_FLAG_BAD_L4_CSUM : 0) |
                   (discards & EF_VI_DISCARD_RX_L3_CSUM_ERR ? EF_VI_PS_FLAG_BAD_L3_CSUM : 0));
}

/* Describe a packet whose pieces are all there. */
static void packet_finish(struct efvi_vi *vi, const struct shunt_frame *last, uint32_t bytes)
{
  const unsigned discards = efvi_discard_flags(last->flags) & (unsigned)vi->user->rx_discard_mask;
  const uint32_t span = span_of(bytes);
  const uint64_t time_ns = efvi_stamp_ns(vi->device, last);
  ef_precisetime time = {0};
  if (time_ns)
    (void)efvi_time_of(&vi->device->rx_clock, time_ns, &time);
  const ef_packed_stream_packet packet = {.ps_next_offset = (uint16_t)span,
                                          .ps_pkt_start_offset = PACKED_HEADER,
                                          .ps_flags =
                                              (uint8_t)(packed_flags(discards) | time.tv_flags),
                                          .ps_cap_len = (uint16_t)bytes,
                                          .ps_orig_len = (uint16_t)bytes,
                                          .ps_ts_sec = (uint32_t)time.tv_sec,
                                          .ps_ts_nsec = time.tv_nsec};
  memcpy(vi->packed + vi->packed_used, &packet, sizeof(packet));
  vi->packed_used += span;
  vi->state.rxq.bytes_acc = 0;
  vi->state.rxq.in_jumbo = 0;
  vi->counters.rx_packets++;
  vi->counters.rx_bytes += bytes;
  vi->counters.rx_discards += discards != 0;
}

/* A packet that is longer than the MTU allows, and than its room: it is lost. */
static bool packet_too_long(struct efvi_vi *vi)
{
  vi->counters.rx_truncated++;
  vi->state.rxq.bytes_acc = 0;
  vi->state.rxq.in_jumbo = 0;
  vi->rx_skipping = !efvi_piece_done(vi);
  return false;
}

/* Append the piece at hand. Returns whether a packet ended with it. */
static bool piece_append(struct efvi_vi *vi)
{
  ef_vi_rxq_state *rxq = &vi->state.rxq;
  const struct shunt_frame frame = vi->frames[vi->frame_next];
  if (vi->packed_used + PACKED_HEADER + rxq->bytes_acc + frame.len > efvi_packed_bytes(vi))
    return packet_too_long(vi);
  memcpy(vi->packed + vi->packed_used + PACKED_HEADER + rxq->bytes_acc,
         shunt_frame_data(vi->queue, &frame), frame.len);
  rxq->bytes_acc += frame.len;
  rxq->in_jumbo = 1;
  if (!efvi_piece_done(vi))
    return false;
  packet_finish(vi, &frame, rxq->bytes_acc);
  return true;
}

static bool fits(const struct efvi_vi *vi)
{
  return vi->packed &&
         vi->packed_used + room_for(vi, &vi->frames[vi->frame_next]) <= efvi_packed_bytes(vi);
}

int efvi_packed_event(struct efvi_vi *vi, uint8_t q_id, ef_event *event)
{
  uint16_t packets = 0;
  unsigned flags = vi->state.rxq.last_desc_i; /* of a buffer that was begun without a packet */
  if (!vi->state.rxq.in_jumbo && !fits(vi)) {
    if (!buffer_next(vi)) {
      vi->counters.rx_no_buffer++;
      vi->rx_skipping = !efvi_piece_done(vi);
      return 0;
    }
    flags = EF_EVENT_FLAG_PS_NEXT_BUFFER;
  }
  while (packets < EF_VI_RECEIVE_BATCH && !vi->rx_skipping && vi->frame_next < vi->frame_count &&
         (vi->state.rxq.in_jumbo || fits(vi)))
    packets = (uint16_t)(packets + piece_append(vi));
  vi->state.rxq.last_desc_i = packets ? 0 : (uint16_t)flags;
  if (!packets)
    return 0; /* the packet's rest is still to come */
  event->rx_packed_stream.type = EF_EVENT_TYPE_RX_PACKED_STREAM;
  event->rx_packed_stream.q_id = q_id;
  event->rx_packed_stream.flags = (uint16_t)flags;
  event->rx_packed_stream.n_pkts = packets;
  event->rx_packed_stream.ps_flags = 0; /* each packet has its own */
  return 1;
}

int ef_vi_packed_stream_unbundle(ef_vi *vi, const ef_event *ev, ef_packed_stream_packet **pkt_iter,
                                 int *n_pkts_out, int *n_bytes_out)
{
  const struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_packed_stream_unbundle", -EBUSY);
  if (!own || own->rx_mode != EFVI_RX_PACKED)
    return efvi_refuse(-EINVAL, "the interface does not receive a packed stream");
  if (!ev || EF_EVENT_TYPE(*ev) != EF_EVENT_TYPE_RX_PACKED_STREAM || !pkt_iter || !*pkt_iter ||
      !n_pkts_out || !n_bytes_out)
    return efvi_refuse(-EINVAL, "no event of a packed stream, or no place for what is in it");
  ef_packed_stream_packet *packet = *pkt_iter;
  int bytes = 0, untimed = 0;
  for (int i = 0; i < ev->rx_packed_stream.n_pkts; i++) {
    bytes += packet->ps_cap_len;
    untimed += packet->ps_ts_sec == 0 && packet->ps_ts_nsec == 0;
    packet = ef_packed_stream_packet_next(packet);
  }
  *pkt_iter = packet;
  *n_pkts_out = ev->rx_packed_stream.n_pkts;
  *n_bytes_out = bytes;
  if (untimed && own->flags & EF_VI_RX_TIMESTAMPS)
    return efvi_refuse(-ENODATA, "the device stamped no time on %d of the packets", untimed);
  return 0;
}
