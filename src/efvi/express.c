/* SPDX-License-Identifier: BSD-2-Clause */
/* The express path, as X3 and X4 cards have it: packets stay in memory of the device's own, and the
 * program is told where. Nothing is posted and nothing copied: a packet is named by its place in
 * the region, and its buffer is the device's again when the program releases it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <etherfabric/efct_vi.h>

#include "src/efvi/checked.h"

#define CLIENT_BUFFERS_LEAST 2u

/* The queue's receive buffers lie in a row. */
static uint64_t first_of(const struct efvi_vi *vi)
{
  return vi->tx_first - (uint64_t)vi->device->info.rx_ring * EFVI_BUF_BYTES;
}

/* ... and behind their numbers come those of the inbox, where the interface has one. */
static uint32_t buffers(const struct efvi_vi *vi)
{
  return vi->device->info.rx_ring + vi->device->inbox;
}

/* The buffer that a place lies in; -1: none of the interface's. */
static int64_t buffer_of(const struct efvi_vi *vi, uint64_t place)
{
  const uint64_t first = first_of(vi);
  if (efvi_spread_keeps(vi, place))
    return vi->device->info.rx_ring + (int64_t)((place - vi->inbox_first) / EFVI_BUF_BYTES);
  return place >= first && place < vi->tx_first ? (int64_t)((place - first) / EFVI_BUF_BYTES) : -1;
}

int efvi_express_start(struct efvi_vi *vi)
{
  vi->held = calloc(buffers(vi), sizeof(vi->held[0]));
  vi->held_flags = calloc(buffers(vi), sizeof(vi->held_flags[0]));
  if (!vi->held || !vi->held_flags)
    return -ENOMEM;
  efvi_receive_give(vi, UINT32_MAX);
  return 0;
}

/* How many buffers nobody else may leave the interface without. Its queue is its own, so all of
 * them are that, whatever count it asks for; as with the cards a program can't do with one. */
int efvi_express_set_count(ef_vi *user, size_t count)
{
  const struct efvi_vi *vi = efvi_own(user);
  if (vi->rx_mode != EFVI_RX_EXPRESS)
    return efvi_refuse(-EOPNOTSUPP, "without EF_PD_EXPRESS buffers are the program's own, as many "
                                    "as it posts");
  if (count < CLIENT_BUFFERS_LEAST || count > vi->device->info.rx_ring)
    return efvi_refuse(-EINVAL, "%zu buffers: the interface's queue has %u, and %u is the least",
                       count, vi->device->info.rx_ring, CLIENT_BUFFERS_LEAST);
  return 0;
}

/* A frame of several buffers is no packet here, as with the cards. */
static int packet_too_long(struct efvi_vi *vi)
{
  vi->counters.rx_truncated++;
  vi->rx_skipping = !efvi_piece_done(vi);
  return 0;
}

int efvi_express_event(struct efvi_vi *vi, uint8_t q_id, ef_event *event)
{
  const struct shunt_frame *frame = &vi->frames[vi->frame_next];
  const int64_t buffer = buffer_of(vi, frame->addr);
  const unsigned discards = efvi_discard_flags(frame->flags) & (unsigned)vi->user->rx_discard_mask;
  if (SHUNT_UNLIKELY(frame->flags & SHUNT_FRAME_MORE || buffer < 0))
    return packet_too_long(vi);
  vi->held[buffer] = efvi_stamp_ns(vi->device, frame);
  vi->held_flags[buffer] = 1;
  event->rx_ref.type = EF_EVENT_TYPE_RX_REF;
  event->rx_ref.len = frame->len;
  event->rx_ref.pkt_id = (uint32_t)frame->addr;
  event->rx_ref.q_id = q_id;
  event->rx_ref.user = 0;
  event->rx_ref.filter_id = (uint16_t)vi->frame_filters[vi->frame_next];
  if (SHUNT_UNLIKELY(discards)) {
    event->rx_ref_discard.type = EF_EVENT_TYPE_RX_REF_DISCARD;
    event->rx_ref_discard.flags = (uint16_t)discards;
    vi->counters.rx_discards++;
  }
  vi->counters.rx_packets++;
  vi->counters.rx_bytes += frame->len;
  vi->rx->rx_given -= buffer < vi->device->info.rx_ring;
  (void)efvi_piece_keep(vi);
  return 1;
}

/* The interface that receives so, and the buffer of a packet that the program has; -1: neither. */
static int64_t held_of(const struct efvi_vi *vi, uint64_t place)
{
  const int64_t buffer = vi && vi->rx_mode == EFVI_RX_EXPRESS ? buffer_of(vi, place) : -1;
  return buffer >= 0 && vi->held_flags[buffer] ? buffer : -1;
}

const void *efct_vi_rxpkt_get(struct ef_vi *vi, uint32_t pkt_id)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "efct_vi_rxpkt_get", NULL);
  if (SHUNT_UNLIKELY(held_of(own, pkt_id) < 0)) {
    efvi_keep(-EINVAL, "the program has no packet %u of the interface's", pkt_id);
    return NULL;
  }
  return own->queue->base + pkt_id;
}

bool efvi_express_time(const struct efvi_vi *vi, const void *pkt, uint64_t *time_ns)
{
  const uintptr_t base = (uintptr_t)vi->queue->base, at = (uintptr_t)pkt;
  const int64_t buffer = at < base ? -1 : held_of(vi, at - base);
  if (buffer < 0)
    return false;
  *time_ns = vi->held[buffer];
  return true;
}

static void buffer_release(struct efvi_vi *vi, int64_t buffer)
{
  const uint32_t ring = vi->device->info.rx_ring;
  vi->held_flags[buffer] = 0;
  if (buffer >= ring) {
    efvi_spread_release(vi, vi->inbox_first + (uint64_t)(buffer - ring) * EFVI_BUF_BYTES);
    return;
  }
  vi->rx->rx_free[vi->rx->rx_free_count++] = first_of(vi) + (uint64_t)buffer * EFVI_BUF_BYTES;
}

void efct_vi_rxpkt_release(struct ef_vi *vi, uint32_t pkt_id)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "efct_vi_rxpkt_release", );
  const int64_t buffer = held_of(own, pkt_id);
  if (SHUNT_UNLIKELY(buffer < 0)) {
    efvi_keep(-EINVAL, "the program has no packet %u of the interface's", pkt_id);
    return;
  }
  buffer_release(own, buffer);
  efvi_receive_give(own, UINT32_MAX);
}

void efvi_express_flush(struct efvi_vi *vi)
{
  for (uint32_t i = 0; vi->held_flags && i < buffers(vi); i++)
    if (vi->held_flags[i])
      buffer_release(vi, i);
}

/* --- Before the event ---------------------------------------------------------------------------
 */

/* Devices here show a packet when it has come whole: it is there before its event was polled. */
const void *efct_vi_rx_future_peek(struct ef_vi *vi)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "efct_vi_rx_future_peek", NULL);
  if (!own || own->rx_mode != EFVI_RX_EXPRESS)
    return NULL;
  if (own->device->info.steps)
    shunt_port_step(own->device->port);
  while (efvi_receive_waits(own)) {
    const struct shunt_frame *frame = &own->frames[own->frame_next];
    if (own->rx_skipping)
      own->rx_skipping = !efvi_piece_done(own);
    else if (frame->flags & SHUNT_FRAME_MORE)
      (void)packet_too_long(own);
    else
      return shunt_frame_data(own->queue, frame);
  }
  return NULL;
}

int efct_vi_rx_future_poll(ef_vi *vi, ef_event *evs, int evs_len)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "efct_vi_rx_future_poll", -EBUSY);
  if (!own || own->rx_mode != EFVI_RX_EXPRESS || !evs || evs_len < 1)
    return 0;
  return efvi_receive_poll(vi, evs, evs_len);
}

/* --- Transmit -----------------------------------------------------------------------------------
 */

void efct_vi_start_transmit_warm(ef_vi *vi)
{
  EFVI_ENTER(efvi_vi_of(vi), "efct_vi_start_transmit_warm", );
  if (efvi_vi_of(vi))
    efvi_start_transmit_warm(vi, NULL, NULL);
}

void efct_vi_stop_transmit_warm(ef_vi *vi)
{
  EFVI_ENTER(efvi_vi_of(vi), "efct_vi_stop_transmit_warm", );
  if (efvi_vi_of(vi))
    efvi_stop_transmit_warm(vi, NULL);
}
