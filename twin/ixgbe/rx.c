/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive: frames to descriptors (datasheet 7.1).
 *
 * A frame goes from the wire straight into the driver's buffers. Only where no descriptor is free,
 * and the queue may not drop, does it wait in the packet buffer; what follows then waits behind it,
 * whichever its queue, as in the chip (7.1.4).
 *
 * Receive-side coalescing (7.1.3.3) is granted and never used: every frame is delivered by itself,
 * with RSCCNT 0. Drivers take that for a frame that nothing was appended to: Linux follows NEXTP
 * only where RSCCNT is not 0. Header splitting (7.1.8) likewise: SPH stays 0 and the frame lies in
 * the packet buffer from its start, as it does for a frame whose headers the chip doesn't know. */
#include "twin/ixgbe/rx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "shunt/bytes.h"
#include "shunt/ethernet.h"
#include "twin/ixgbe/crc.h"
#include "twin/ixgbe/rx_buffer.h"
#include "twin/ixgbe/statistics.h"
#include "twin/ixgbe/tx.h"

#define NO_BAD_TAIL UINT32_MAX
#define OUT_PIECES  3 /* before the tag, behind it, CRC */

/* A queue's registers, from its first (8.2.3.8). */
#define RX_SPLIT (IXGBE_SRRCTL(0u) - IXGBE_RX_QUEUE(0u))
#define RX_HEAD  (IXGBE_RDH(0u) - IXGBE_RX_QUEUE(0u))
#define RX_TAIL  (IXGBE_RDT(0u) - IXGBE_RX_QUEUE(0u))

struct rx_queue {
  uint64_t ring_iova;
  uint32_t count, head;          /* in descriptors; count is 0 while the queue can't run */
  uint32_t bad_tail;             /* already counted */
  unsigned ring_hint, data_hint; /* of shunt_model_dma_near */
};

/* What the last descriptor of a frame says (7.1.6.2). */
struct rx_report {
  uint32_t bytes; /* that reach memory */
  uint16_t queue;
  uint16_t vlan;
  uint32_t info, hash, status;
};

/* A frame on its way into a ring. */
struct rx_out {
  struct rx_report report;
  struct iovec pieces[OUT_PIECES];
  unsigned piece_count;
};

struct twin_ixgbe_rx {
  struct twin_ixgbe_rx_config config;
  struct rx_queue queues[TWIN_IXGBE_QUEUES];
  struct twin_ixgbe_rx_buffer buffer;     /* a report and its frame, one after the other */
  uint8_t waiting[IXGBE_FRAME_MAX_BYTES]; /* the first frame of it, in one piece */
};

/* ---- Into the ring ---- */

struct rx_ring {
  uint32_t free;         /* between head and tail */
  uint32_t buffer_bytes; /* SRRCTL.BSIZEPACKET */
  bool is_legacy;
};

/* Look at the ring as it is now. false: the driver has made it unusable. */
static bool rx_ring_look(struct twin_ixgbe *twin, unsigned index, struct rx_ring *ring)
{
  struct rx_queue *queue = &twin->rx->queues[index];
  uint32_t srrctl = twin_ixgbe_get(twin, IXGBE_SRRCTL(index));
  uint32_t tail = twin_ixgbe_get_acquire(twin, IXGBE_RDT(index));
  uint32_t head = queue->head;

  ring->buffer_bytes = HW_GET(IXGBE_SRRCTL_BSIZEPACKET, srrctl) * 1024;
  ring->is_legacy = HW_GET(IXGBE_SRRCTL_DESCTYPE, srrctl) == IXGBE_DESCTYPE_LEGACY;
  ring->free = tail >= head ? tail - head : tail + queue->count - head;
  if (SHUNT_UNLIKELY(tail >= queue->count)) { /* waits for a tail inside the ring */
    twin->faults.bad_tail += tail != queue->bad_tail;
    queue->bad_tail = tail;
    ring->free = 0;
  }
  if (SHUNT_UNLIKELY(ring->buffer_bytes == 0)) { /* 8.2.3.8.7: 1 KiB or more */
    twin->faults.bad_descriptor++;
    return false;
  }
  return true;
}

/* A descriptor, NULL where the ring has gone: by itself, for behind an IOMMU the pages of a ring
 * lie here and there. */
static union ixgbe_rx_desc *rx_fetch(struct twin_ixgbe *twin, unsigned index, uint32_t at)
{
  struct rx_queue *queue = &twin->rx->queues[index];
  uint64_t iova = queue->ring_iova + (uint64_t)at * IXGBE_DESC_BYTES;
  return shunt_model_dma_near(&twin->model, &queue->ring_hint, iova, IXGBE_DESC_BYTES, 1);
}

/* Copy the next bytes of a frame. to NULL: nowhere. */
static void rx_copy(struct rx_out *out, uint8_t *to, uint32_t bytes)
{
  uint32_t done = 0;
  for (struct iovec *piece = out->pieces; done < bytes; piece++) {
    uint32_t part = (uint32_t)piece->iov_len;
    if (part > bytes - done)
      part = bytes - done;
    if (SHUNT_LIKELY(to))
      memcpy(to + done, piece->iov_base, part);
    piece->iov_base = (uint8_t *)piece->iov_base + part;
    piece->iov_len -= part;
    done += part;
  }
  out->report.bytes -= bytes;
}

/* Copy up to capacity bytes of what is left of a frame into one buffer. A write to memory that is
 * not the device's vanishes on the bus, and the chip does not know: the descriptor is written back
 * all the same. */
static uint32_t rx_fill(struct twin_ixgbe *twin, struct rx_out *out, uint64_t iova,
                        uint32_t capacity)
{
  const uint32_t bytes = out->report.bytes < capacity ? out->report.bytes : capacity;
  unsigned *hint = &twin->rx->queues[out->report.queue].data_hint;
  for (uint64_t done = 0, piece; done < bytes; done += piece) {
    piece = bytes - done;
    uint8_t *to = shunt_model_dma_piece(&twin->model, hint, iova + done, &piece, 1);
    if (SHUNT_UNLIKELY(!to))
      twin->faults.dma_refused++;
    rx_copy(out, to, (uint32_t)piece);
  }
  return bytes;
}

/* The driver may poll the length or DD: both appear with one store, behind all else (7.1.6.2). */
static void rx_write_back(union ixgbe_rx_desc *descriptor, uint64_t low, uint64_t high)
{
  __atomic_store_n(&descriptor->quad[0], low, __ATOMIC_RELAXED);
  __atomic_store_n(&descriptor->quad[1], high, __ATOMIC_RELEASE);
}

/* 7.1.6.2, the two quadwords of the advanced format. */
static inline uint64_t rx_low(const struct rx_report *report)
{
  return (uint64_t)report->hash << 32 | report->info;
}

static inline uint64_t rx_high(const struct rx_report *report, uint32_t bytes)
{
  return (uint64_t)report->vlan << 48 | (uint64_t)bytes << 32 | report->status;
}

/* 7.1.5: the address stays; status and errors are the low ones of the advanced format. */
static uint64_t rx_legacy_high(const struct rx_report *report, uint32_t bytes, uint32_t status)
{
  const uint32_t known = IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP | IXGBE_RXD_STAT_VP |
                         IXGBE_RXD_STAT_UDPCS | IXGBE_RXD_STAT_L4CS | IXGBE_RXD_STAT_IPCS |
                         IXGBE_RXD_STAT_PIF;
  uint32_t errors = (status & IXGBE_RXD_ERR_L4E ? IXGBE_RXD_LEGACY_ERR_L4E : 0) |
                    (status & IXGBE_RXD_ERR_IPE ? IXGBE_RXD_LEGACY_ERR_IPE : 0);
  return (uint64_t)report->vlan << 48 | (uint64_t)errors << 40 | (uint64_t)(status & known) << 32 |
         (report->hash & 0xFFFF0000u) | bytes;
}

static void rx_descriptor(struct twin_ixgbe *twin, const struct rx_ring *ring,
                          union ixgbe_rx_desc *descriptor, struct rx_out *out)
{
  uint64_t iova = __atomic_load_n(&descriptor->quad[0], __ATOMIC_RELAXED);
  struct rx_report report = {.status = IXGBE_RXD_STAT_DD};
  uint32_t bytes = rx_fill(twin, out, iova, ring->buffer_bytes);
  if (out->report.bytes == 0) {
    report = out->report;
    report.status |= IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP;
  }
  if (ring->is_legacy)
    rx_write_back(descriptor, iova, rx_legacy_high(&report, bytes, report.status));
  else
    rx_write_back(descriptor, rx_low(&report), rx_high(&report, bytes));
}

/* The frame is in its descriptors. */
SHUNT_INLINE void rx_placed(struct twin_ixgbe *twin, unsigned index, uint32_t head, uint32_t bytes)
{
  twin->rx->queues[index].head = head;
  twin_ixgbe_set(twin, IXGBE_RX_QUEUE(index) + RX_HEAD, head);
  twin_ixgbe_count_rx_queue(twin, index, bytes);
  twin_ixgbe_interrupt_rx(twin, index);
}

/* Where the next frame of a queue goes, if that is plain to see. */
struct rx_slot {
  union ixgbe_rx_desc *descriptor;
  uint8_t *to;
  uint32_t next; /* the head behind it */
};

/* A frame in one piece, for one buffer, which is free and lies where the one before did: what most
 * frames find. false: nothing has been done or counted, and it is a case for rx_place. */
SHUNT_INLINE bool rx_slot_find(const struct twin_ixgbe *twin, unsigned index, uint32_t bytes,
                               struct rx_slot *slot)
{
  const struct rx_queue *queue = &twin->rx->queues[index];
  const uint32_t registers = IXGBE_RX_QUEUE(index);
  uint32_t srrctl = twin_ixgbe_get(twin, registers + RX_SPLIT);
  uint32_t tail = twin_ixgbe_get_acquire(twin, registers + RX_TAIL);
  uint32_t head = queue->head;
  if (SHUNT_UNLIKELY(tail == head || tail >= queue->count ||
                     bytes > HW_GET(IXGBE_SRRCTL_BSIZEPACKET, srrctl) * 1024 ||
                     HW_GET(IXGBE_SRRCTL_DESCTYPE, srrctl) == IXGBE_DESCTYPE_LEGACY))
    return false;
  union ixgbe_rx_desc *ring = shunt_model_dma_at(&twin->model, queue->ring_hint, queue->ring_iova,
                                                 (uint64_t)queue->count * IXGBE_DESC_BYTES, 1);
  if (SHUNT_UNLIKELY(!ring))
    return false;
  slot->descriptor = &ring[head];
  slot->next = head + 1 == queue->count ? 0 : head + 1;
  uint64_t iova = __atomic_load_n(&ring[head].quad[0], __ATOMIC_RELAXED);
  slot->to = shunt_model_dma_at(&twin->model, queue->data_hint, iova, bytes, 1);
  return slot->to;
}

SHUNT_INLINE void rx_slot_fill(struct twin_ixgbe *twin, const struct rx_slot *slot,
                               const uint8_t *frame, const struct rx_report *report)
{
  memcpy(slot->to, frame, report->bytes);
  rx_write_back(slot->descriptor, rx_low(report),
                rx_high(report, report->bytes) | IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP);
  rx_placed(twin, report->queue, slot->next, report->bytes);
}

enum rx_outcome { RX_PLACED, RX_NO_DESCRIPTOR, RX_GONE };

/* Put a frame into its queue's ring: into as many buffers as it takes, or none. */
static __attribute__((__noinline__)) enum rx_outcome rx_place(struct twin_ixgbe *twin,
                                                              struct rx_out *out)
{
  unsigned index = out->report.queue;
  struct rx_queue *queue = &twin->rx->queues[index];
  uint32_t bytes = out->report.bytes;
  struct rx_ring ring;
  if (SHUNT_UNLIKELY(!queue->count)) {
    twin->drops.queue_disabled++;
    return RX_GONE;
  }
  if (SHUNT_UNLIKELY(!rx_ring_look(twin, index, &ring))) {
    twin->drops.no_descriptor++;
    return RX_GONE;
  }
  uint32_t need = (bytes + ring.buffer_bytes - 1) / ring.buffer_bytes;
  if (need >= queue->count) { /* the ring will never be long enough for it */
    twin->drops.no_descriptor++;
    return RX_GONE;
  }
  if (need > ring.free)
    return RX_NO_DESCRIPTOR;
  uint32_t head = queue->head;
  for (; need; need--) {
    union ixgbe_rx_desc *descriptor = rx_fetch(twin, index, head);
    if (SHUNT_UNLIKELY(!descriptor)) { /* the chip could fetch nothing more: it hangs */
      queue->count = 0;
      twin->faults.dma_refused++;
      twin->drops.no_descriptor++;
      return RX_GONE;
    }
    rx_descriptor(twin, &ring, descriptor, out);
    head = head + 1 == queue->count ? 0 : head + 1;
  }
  rx_placed(twin, index, head, bytes);
  return RX_PLACED;
}

/* ---- Packet buffer ---- */

/* 8.2.3.8.9: buffer 0's size. Other traffic classes' frames go through it too. */
static uint32_t rx_buffer_bytes(const struct twin_ixgbe *twin)
{
  uint32_t bytes = twin_ixgbe_get(twin, IXGBE_RXPBSIZE(0)) & IXGBE_RXPBSIZE_BYTES;
  return bytes < TWIN_IXGBE_PACKET_BUFFER_BYTES ? bytes : TWIN_IXGBE_PACKET_BUFFER_BYTES;
}

/* Keep a frame until its queue has descriptors; a full buffer misses it (RXMPC). */
static void rx_keep(struct twin_ixgbe *twin, const struct rx_out *out)
{
  struct twin_ixgbe_rx_buffer *buffer = &twin->rx->buffer;
  uint32_t bytes = (uint32_t)sizeof(out->report) + out->report.bytes;
  if (buffer->used + bytes > rx_buffer_bytes(twin)) {
    twin->drops.no_descriptor++;
    twin_ixgbe_count(twin, IXGBE_RXMPC(0), 1);
    twin_ixgbe_interrupt_cause(twin, IXGBE_EICR_RX_MISS);
    return;
  }
  twin_ixgbe_rx_buffer_add(buffer, &out->report, sizeof(out->report));
  for (unsigned i = 0; i < out->piece_count; i++)
    twin_ixgbe_rx_buffer_add(buffer, out->pieces[i].iov_base, (uint32_t)out->pieces[i].iov_len);
}

static void rx_drop_or_keep(struct twin_ixgbe *twin, const struct rx_out *out)
{
  unsigned queue = out->report.queue;
  if (!(twin_ixgbe_get(twin, IXGBE_SRRCTL(queue)) & IXGBE_SRRCTL_DROP_EN)) {
    rx_keep(twin, out);
    return;
  }
  twin->drops.no_descriptor++;
  twin_ixgbe_count_rx_queue_drop(twin, queue);
}

/* Nothing has changed for the frame that waits: worth knowing before it is copied. */
static bool rx_must_wait(const struct twin_ixgbe *twin, unsigned index)
{
  const struct rx_queue *queue = &twin->rx->queues[index];
  return queue->count && twin_ixgbe_get(twin, IXGBE_RDT(index)) == queue->head &&
         !(twin_ixgbe_get(twin, IXGBE_SRRCTL(index)) & IXGBE_SRRCTL_DROP_EN);
}

/* Give out frames that wait, in their order, until one has to go on waiting. */
static __attribute__((__noinline__)) unsigned rx_give_out(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_rx *rx = twin->rx;
  unsigned done = 0;
  while (rx->buffer.used && done < TWIN_IXGBE_POLL_BUDGET) {
    const struct twin_ixgbe_rx_buffer before = rx->buffer;
    struct rx_out out = {.piece_count = 1};
    twin_ixgbe_rx_buffer_look(&rx->buffer, 0, &out.report, sizeof(out.report));
    if (rx_must_wait(twin, out.report.queue))
      break;
    uint32_t bytes = out.report.bytes;
    twin_ixgbe_rx_buffer_look(&rx->buffer, sizeof(out.report), rx->waiting, bytes);
    out.pieces[0] = (struct iovec){rx->waiting, bytes};
    /* Out of the buffer first: its interrupt may lead to another frame, which looks here too. */
    twin_ixgbe_rx_buffer_remove(&rx->buffer, (uint32_t)sizeof(out.report) + bytes);
    if (rx_place(twin, &out) == RX_NO_DESCRIPTOR) {
      if (!(twin_ixgbe_get(twin, IXGBE_SRRCTL(out.report.queue)) & IXGBE_SRRCTL_DROP_EN)) {
        rx->buffer = before; /* no interrupt, so nothing has been added */
        break;
      }
      rx_drop_or_keep(twin, &out); /* DROP_EN may have been set since */
    }
    done++;
  }
  return done;
}

unsigned twin_ixgbe_rx_poll(struct twin_ixgbe *twin)
{
  return SHUNT_LIKELY(!twin->rx->buffer.used) ? 0 : rx_give_out(twin);
}

/* ---- From the wire ---- */

/* In shared mode the queue may have been enabled a moment ago. */
static bool rx_queue_is_on(struct twin_ixgbe *twin, unsigned queue)
{
  uint64_t bit = UINT64_C(1) << queue % 64;
  if (SHUNT_LIKELY(twin->rx_enabled[queue / 64] & bit))
    return true;
  if (!twin->options.trap)
    twin_ixgbe_rings_scan(twin);
  return twin->rx_enabled[queue / 64] & bit;
}

/* The frame as it will lie in the driver's buffers: without its tag where the queue strips it
 * (RXDCTL.VME, 7.4.3), with its CRC where that is kept. */
static void rx_shape(const struct twin_ixgbe *twin, const struct twin_ixgbe_packet *packet,
                     struct rx_out *out, uint32_t *crc)
{
  const uint8_t *frame = packet->frame;
  uint32_t bytes = packet->bytes;
  unsigned n = 0;
  out->report.bytes = 0;
  if (packet->is_tagged &&
      twin_ixgbe_get(twin, IXGBE_RXDCTL(out->report.queue)) & IXGBE_RXDCTL_VME) {
    uint32_t behind = packet->tag_at + SHUNT_VLAN_TAG_BYTES;
    out->pieces[n++] = (struct iovec){(void *)(uintptr_t)frame, packet->tag_at};
    frame += behind;
    bytes -= behind;
    out->report.status |= IXGBE_RXD_STAT_VP;
    out->report.vlan = packet->vlan;
    out->report.bytes = packet->tag_at;
  }
  out->pieces[n++] = (struct iovec){(void *)(uintptr_t)frame, bytes};
  out->report.bytes += bytes;
  if (SHUNT_UNLIKELY(twin->rx->config.is_crc_kept)) {
    *crc = twin_ixgbe_crc32(packet->frame, packet->bytes);
    out->pieces[n++] = (struct iovec){crc, TWIN_IXGBE_FCS_BYTES};
    out->report.bytes += TWIN_IXGBE_FCS_BYTES;
  }
  if (packet->is_outer_tagged)
    out->report.status |= IXGBE_RXD_STAT_VEXT;
  out->piece_count = n;
}

static void rx_report_fill(struct twin_ixgbe *twin, struct twin_ixgbe_packet *packet,
                           const struct twin_ixgbe_steering *steering, struct rx_report *report)
{
  uint32_t rxcsum = twin->rx->config.rxcsum;
  *report = (struct rx_report){.bytes = packet->bytes, .queue = (uint16_t)steering->queue};
  if (packet->type_bits & IXGBE_RXD_TYPE_L2)
    packet->status &= IXGBE_RXD_STAT_PIF;
  else
    twin_ixgbe_packet_check(packet);
  if (SHUNT_UNLIKELY(packet->status & (IXGBE_RXD_ERR_IPE | IXGBE_RXD_ERR_L4E)))
    twin_ixgbe_count(twin, IXGBE_XEC, 1);
  /* 8.2.3.7.5: PCSD chooses between hash and checksum; the flow director's report is a hash. */
  report->info = packet->type_bits;
  if (rxcsum & IXGBE_RXCSUM_PCSD) {
    report->info |= steering->rss_type;
    report->hash = steering->hash;
  } else {
    report->hash = twin_ixgbe_packet_fragment_sum(packet, rxcsum & IXGBE_RXCSUM_IPPCSE);
  }
  report->status = packet->status | steering->status;
}

/* Any frame: into its ring, or into the packet buffer, or dropped. */
static __attribute__((__noinline__)) void rx_finish(struct twin_ixgbe *twin,
                                                    const struct twin_ixgbe_packet *packet,
                                                    const struct rx_report *report)
{
  struct rx_out out = {.report = *report};
  uint32_t crc;
  rx_shape(twin, packet, &out, &crc);
  if (twin->rx->buffer.used) { /* behind those that wait; all of them may go now */
    rx_keep(twin, &out);
    twin_ixgbe_rx_poll(twin);
  } else if (rx_place(twin, &out) == RX_NO_DESCRIPTOR) {
    rx_drop_or_keep(twin, &out);
  }
}

/* The long way, for every frame that has passed the address filter. address: the entry by which. */
static __attribute__((__noinline__)) void rx_frame_any(struct twin_ixgbe *twin,
                                                       const uint8_t *frame, uint32_t bytes,
                                                       uint32_t address, uint32_t status)
{
  struct twin_ixgbe_rx *rx = twin->rx;
  struct twin_ixgbe_packet packet;
  struct twin_ixgbe_steering steering = {.queue = 0};

  twin_ixgbe_packet_read(&packet, &rx->config, frame, bytes);
  packet.status |= status;
  if (packet.is_tagged && !twin_ixgbe_filter_vlan(twin, &rx->config, packet.vlan)) {
    twin->drops.vlan_filtered++;
    return;
  }
  twin_ixgbe_count_rx(twin, frame, bytes);
  if (rx->config.is_steered)
    twin_ixgbe_steer(twin, &rx->config, &packet, address, &steering);
  if (SHUNT_UNLIKELY(steering.is_dropped)) {
    twin->drops.filter_dropped++;
    return;
  }
  if (SHUNT_UNLIKELY(!rx_queue_is_on(twin, steering.queue))) {
    twin->drops.queue_disabled++;
    return;
  }
  struct rx_report report;
  rx_report_fill(twin, &packet, &steering, &report);
  if (SHUNT_UNLIKELY(twin_ixgbe_get(twin, IXGBE_TSYNCRXCTL) & IXGBE_TSYNCRXCTL_EN) &&
      twin_ixgbe_ptp_rx(twin, frame, bytes))
    report.status |= IXGBE_RXD_STAT_TS;

  struct rx_slot slot;
  bool is_whole = !packet.is_tagged && !packet.is_outer_tagged && !rx->config.is_crc_kept;
  if (is_whole && !rx->buffer.used && rx_slot_find(twin, report.queue, report.bytes, &slot))
    rx_slot_fill(twin, &slot, frame, &report);
  else
    rx_finish(twin, &packet, &report);
}

/* The short way to queue 0. false: nothing has been done or counted. */
static inline bool rx_frame_plain(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes,
                                  uint32_t status)
{
  struct rx_slot slot;
  struct twin_ixgbe_glance seen;
  if (SHUNT_UNLIKELY(twin->rx->buffer.used ||
                     twin_ixgbe_get(twin, IXGBE_TSYNCRXCTL) & IXGBE_TSYNCRXCTL_EN) ||
      !rx_slot_find(twin, 0, bytes, &slot) || !twin_ixgbe_packet_glance(frame, bytes, &seen) ||
      SHUNT_UNLIKELY(seen.status & (IXGBE_RXD_ERR_IPE | IXGBE_RXD_ERR_L4E)))
    return false;
  const struct rx_report report = {
      .bytes = bytes,
      .info = seen.type_bits,
      .hash = twin->rx->config.rxcsum & IXGBE_RXCSUM_PCSD ? 0 : seen.id,
      .status = seen.status | status,
  };
  twin_ixgbe_count_rx(twin, frame, bytes);
  rx_slot_fill(twin, &slot, frame, &report);
  return true;
}

static void rx_frame(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes)
{
  struct twin_ixgbe_rx_config *config = &twin->rx->config;
  uint32_t address;
  twin_ixgbe_filter_refresh(twin, config);
  if (!twin_ixgbe_filter_length(twin, config, frame, bytes))
    return;
  enum twin_ixgbe_verdict verdict = twin_ixgbe_filter_address(twin, config, frame, &address);
  if (SHUNT_UNLIKELY(verdict == TWIN_IXGBE_NOT_ADDRESSED)) {
    twin->drops.not_addressed++;
    return;
  }
  uint32_t status = verdict == TWIN_IXGBE_PASS_INEXACT ? IXGBE_RXD_STAT_PIF : 0;
  if (!config->is_plain || !rx_frame_plain(twin, frame, bytes, status))
    rx_frame_any(twin, frame, bytes, address, status);
}

void twin_ixgbe_rx_deliver(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes)
{
  rx_frame(twin, frame, bytes);
}

void twin_ixgbe_rx_loopback(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes)
{
  if (!(twin_ixgbe_get(twin, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN)) {
    twin->drops.rx_disabled++;
    return;
  }
  twin_ixgbe_count_rx_all(twin, bytes);
  rx_frame(twin, frame, bytes);
}

/* ---- Queues ---- */

/* 7.1.9: the base lies on 128 bytes, the length is a multiple of 128,
 * not 0. A queue without such a ring reads as enabled and does nothing. */
void twin_ixgbe_rx_enable(struct twin_ixgbe *twin, unsigned index, bool on)
{
  struct rx_queue *queue = &twin->rx->queues[index];
  uint64_t bit = UINT64_C(1) << index % 64;
  memset(queue, 0, sizeof(*queue));
  queue->bad_tail = NO_BAD_TAIL;
  twin->rx_enabled[index / 64] &= ~bit;
  if (!on)
    return;
  twin->rx_enabled[index / 64] |= bit;

  uint64_t base = (uint64_t)twin_ixgbe_get(twin, IXGBE_RDBAH(index)) << 32 |
                  twin_ixgbe_get(twin, IXGBE_RDBAL(index));
  uint32_t bytes = twin_ixgbe_get(twin, IXGBE_RDLEN(index));
  if (!twin_ixgbe_ring_is_valid(base, bytes)) {
    twin->faults.bad_ring++;
    return;
  }
  queue->ring_iova = base;
  queue->count = bytes / IXGBE_DESC_BYTES;
  queue->head = twin_ixgbe_get(twin, IXGBE_RDH(index));
  if (queue->head >= queue->count)
    queue->head = 0;
}

int twin_ixgbe_rx_create(struct twin_ixgbe *twin)
{
  twin->rx = calloc(1, sizeof(*twin->rx));
  if (!twin->rx)
    return -ENOMEM;
  twin->rx->buffer.data = malloc(TWIN_IXGBE_PACKET_BUFFER_BYTES);
  if (!twin->rx->buffer.data) {
    twin_ixgbe_rx_destroy(twin);
    return -ENOMEM;
  }
  twin_ixgbe_rx_reset(twin);
  return 0;
}

void twin_ixgbe_rx_destroy(struct twin_ixgbe *twin)
{
  if (twin->rx)
    free(twin->rx->buffer.data);
  free(twin->rx);
  twin->rx = NULL;
}

void twin_ixgbe_rx_reset(struct twin_ixgbe *twin)
{
  for (unsigned i = 0; i < TWIN_IXGBE_QUEUES; i++)
    twin_ixgbe_rx_enable(twin, i, false);
  twin->rx->buffer.first = twin->rx->buffer.used = 0;
  twin->rx->config.seen_writes = UINT64_MAX;
}
