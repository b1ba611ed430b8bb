/* SPDX-License-Identifier: BSD-2-Clause */
/* Transmit: descriptors to frames (datasheet 7.2.1 - 7.2.3).
 *
 * Descriptors lie in memory that the driver may change at any time: each is copied once, and only
 * the copy is looked at. What the driver did wrong costs it the frame (it is counted, not sent, and
 * its descriptors are completed, so that the ring goes on) or, where the ring itself can't be
 * read, the queue, until it is enabled anew. */
#include "twin/ixgbe/tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ixgbe/crc.h"
#include "twin/ixgbe/rx.h"
#include "twin/ixgbe/statistics.h"

/* Shorter frames confuse the MAC's padding: Linux and the datasheet (7.2.3.2.4) keep to it. */
#define TX_MIN_BYTES  17u
#define TX_PAD_BYTES  60u
#define TX_MOST_BYTES (IXGBE_FRAME_MAX_BYTES - TWIN_IXGBE_FCS_BYTES)
#define NO_BAD_TAIL   UINT32_MAX
#define TX_DATA_PLAIN (IXGBE_TXD_DEXT | IXGBE_TXD_DTYP_DATA | IXGBE_TXD_EOP | IXGBE_TXD_IFCS)
#define TX_DATA_MASK                                                                               \
  (IXGBE_TXD_DEXT | IXGBE_TXD_DTYP | IXGBE_TXD_EOP | IXGBE_TXD_IFCS | IXGBE_TXD_VLE |              \
   IXGBE_TXD_TSE | IXGBE_TXD_MAC_1588)
#define TX_NEEDS_CONTEXT                                                                           \
  (IXGBE_TXD_POPTS_IXSM | IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IPSEC | IXGBE_TXD_CC)

#define TX_MOST_PIECES (TWIN_IXGBE_TX_PIECES - 4u) /* offloads and padding add theirs */

struct tx_buffer {
  uint64_t iova;
  uint32_t bytes;
};

struct tx_queue {
  uint64_t ring_iova;
  uint32_t count, head;          /* in descriptors; count is 0 while the queue can't run */
  uint32_t bad_tail;             /* already counted */
  unsigned ring_hint, data_hint; /* of shunt_model_dma_near */
  struct twin_ixgbe_tx_context contexts[IXGBE_TX_CONTEXTS];

  /* The frame whose end has not been fetched yet. */
  bool is_skipping; /* to its end: it is dropped */
  bool is_legacy;
  uint32_t command, options;
  unsigned buffer_count;
  struct tx_buffer buffers[IXGBE_TX_DESCRIPTORS_PER_FRAME];
};

struct twin_ixgbe_tx {
  unsigned turn; /* of the queues in use, the one that the next poll begins with */
  unsigned in_use_count;
  uint8_t in_use[TWIN_IXGBE_QUEUES];
  struct twin_ixgbe_queue_statistics *set; /* of the queue that is having its turn */
  struct tx_queue queues[TWIN_IXGBE_QUEUES];
  uint8_t loop[SHUNT_WIRE_FRAME_BYTES];  /* a frame on its way through HLREG0.LPBK */
  uint8_t whole[SHUNT_WIRE_FRAME_BYTES]; /* a frame that carries its own CRC */
};

/* ---- Frames out ---- */

static uint32_t tx_gather(uint8_t *to, uint32_t capacity, const struct iovec pieces[], unsigned n)
{
  uint32_t bytes = 0;
  for (unsigned i = 0; i < n && bytes < capacity; i++) {
    size_t part = pieces[i].iov_len < capacity - bytes ? pieces[i].iov_len : capacity - bytes;
    memcpy(to + bytes, pieces[i].iov_base, part);
    bytes += (uint32_t)part;
  }
  return bytes;
}

static void tx_count(struct twin_ixgbe *twin, const struct iovec pieces[], unsigned n,
                     uint32_t bytes)
{
  uint8_t address[6] = {0};
  const uint8_t *frame = pieces[0].iov_base;
  if (SHUNT_UNLIKELY(pieces[0].iov_len < sizeof(address))) {
    tx_gather(address, sizeof(address), pieces, n);
    frame = address;
  }
  twin_ixgbe_count_tx(twin, frame, bytes);
  twin_ixgbe_count_tx_set(twin, twin->tx->set, bytes);
}

void twin_ixgbe_tx_send(struct twin_ixgbe *twin, struct iovec pieces[], unsigned n, uint32_t bytes)
{
  static const uint8_t zeros[TX_PAD_BYTES];

  if (SHUNT_UNLIKELY(bytes > TX_MOST_BYTES)) {
    twin->faults.oversized_frame++;
    return;
  }
  if (SHUNT_UNLIKELY(bytes < TX_MIN_BYTES)) {
    twin->faults.bad_descriptor++;
    return;
  }
  uint32_t hlreg0 = twin_ixgbe_get(twin, IXGBE_HLREG0);
  if (bytes < TX_PAD_BYTES && hlreg0 & IXGBE_HLREG0_TXPADEN) {
    pieces[n++] = (struct iovec){(void *)(uintptr_t)zeros, TX_PAD_BYTES - bytes};
    bytes = TX_PAD_BYTES;
  }
  tx_count(twin, pieces, n, bytes);
  if (SHUNT_UNLIKELY(hlreg0 & IXGBE_HLREG0_LPBK)) {
    tx_gather(twin->tx->loop, sizeof(twin->tx->loop), pieces, n);
    twin_ixgbe_rx_loopback(twin, twin->tx->loop, bytes);
    return;
  }
  shunt_wire_send(twin->end, pieces, n, twin->now_ns);
}

/* ---- One frame ---- */

/* Without IFCS the last four bytes are the driver's own CRC. The wire carries none: a right one is
 * taken off; with a wrong one no receiver would take the frame. */
static bool tx_take_crc(struct twin_ixgbe *twin, struct twin_ixgbe_tx_frame *frame)
{
  uint8_t *whole = twin->tx->whole;
  if (frame->bytes < TWIN_IXGBE_FCS_BYTES || frame->bytes > IXGBE_FRAME_MAX_BYTES)
    return false;
  tx_gather(whole, sizeof(twin->tx->whole), frame->pieces, frame->piece_count);
  frame->bytes -= TWIN_IXGBE_FCS_BYTES;
  frame->pieces[0] = (struct iovec){whole, frame->bytes};
  frame->piece_count = 1;
  uint32_t crc = twin_ixgbe_crc32(whole, frame->bytes);
  return memcmp(&crc, whole + frame->bytes, TWIN_IXGBE_FCS_BYTES) == 0;
}

/* Add a buffer's pieces. false: some of it is nowhere, or it takes too many. */
static bool tx_add(struct twin_ixgbe *twin, struct tx_queue *queue, const struct tx_buffer *buffer,
                   struct twin_ixgbe_tx_frame *frame)
{
  uint64_t done = 0;
  do {
    uint64_t piece = buffer->bytes - done;
    if (frame->piece_count == TX_MOST_PIECES)
      return false;
    void *data =
        shunt_model_dma_piece(&twin->model, &queue->data_hint, buffer->iova + done, &piece, 0);
    if (!data)
      return false;
    frame->pieces[frame->piece_count++] = (struct iovec){data, piece};
    done += piece;
  } while (done < buffer->bytes);
  return true;
}

/* Find the frame's buffers in registered memory. */
static bool tx_collect(struct twin_ixgbe *twin, struct tx_queue *queue,
                       struct twin_ixgbe_tx_frame *frame)
{
  frame->bytes = frame->piece_count = 0;
  for (unsigned i = 0; i < queue->buffer_count; i++) {
    const struct tx_buffer *buffer = &queue->buffers[i];
    if (buffer->bytes == 0) {
      twin->faults.bad_descriptor++;
      return false;
    }
    if (!tx_add(twin, queue, buffer, frame)) {
      twin->faults.dma_refused++;
      return false;
    }
    frame->bytes += buffer->bytes;
  }
  return true;
}

static void tx_advanced(struct twin_ixgbe *twin, const struct tx_queue *queue,
                        struct twin_ixgbe_tx_frame *frame)
{
  if (!(frame->command & (IXGBE_TXD_TSE | IXGBE_TXD_VLE)) && !(frame->options & TX_NEEDS_CONTEXT)) {
    twin_ixgbe_tx_send(twin, frame->pieces, frame->piece_count, frame->bytes);
    return;
  }
  unsigned index = HW_GET(IXGBE_TXD_IDX, frame->options);
  if (index < IXGBE_TX_CONTEXTS && queue->contexts[index].is_valid)
    frame->context = &queue->contexts[index];
  twin_ixgbe_offload(twin, frame);
}

/* The end of a frame has been fetched. */
static void tx_complete(struct twin_ixgbe *twin, struct tx_queue *queue)
{
  struct twin_ixgbe_tx_frame frame; /* its pieces are many: none is set before it is used */
  frame.is_legacy = queue->is_legacy;
  frame.command = queue->command;
  frame.options = queue->options;
  frame.context = NULL;
  if (!tx_collect(twin, queue, &frame))
    return;
  /* 7.2.3.2.4: PAYLEN is the length of the whole frame, or of what TSO cuts up. */
  bool is_whole = !frame.is_legacy && !(frame.command & IXGBE_TXD_TSE);
  if ((is_whole && HW_GET(IXGBE_TXD_PAYLEN, frame.options) != frame.bytes) ||
      (!(frame.command & IXGBE_TXD_IFCS) && !tx_take_crc(twin, &frame))) {
    twin->faults.bad_descriptor++;
    return;
  }
  /* 8.2.3.26: the MAC stamps when the frame leaves. */
  if (!frame.is_legacy && frame.command & IXGBE_TXD_MAC_1588)
    twin_ixgbe_ptp_tx(twin);
  if (!frame.is_legacy)
    tx_advanced(twin, queue, &frame);
  else if (frame.command & (IXGBE_TXD_VLE | IXGBE_TXD_LEGACY_IC))
    twin_ixgbe_offload(twin, &frame);
  else
    twin_ixgbe_tx_send(twin, frame.pieces, frame.piece_count, frame.bytes);
}

/* ---- Descriptors ---- */

static void tx_take_context(struct twin_ixgbe *twin, struct tx_queue *queue, uint64_t low,
                            uint64_t high)
{
  uint32_t lengths = (uint32_t)low;
  uint32_t sizes = (uint32_t)(high >> 32);
  unsigned index = HW_GET(IXGBE_TXC_IDX, sizes);
  if (index >= IXGBE_TX_CONTEXTS || queue->buffer_count) { /* or in the middle of a frame */
    twin->faults.bad_descriptor++;
    return;
  }
  queue->contexts[index] = (struct twin_ixgbe_tx_context){
      .is_valid = true,
      .vlan = (uint16_t)HW_GET(IXGBE_TXC_VLAN, lengths),
      .mac_bytes = (uint16_t)HW_GET(IXGBE_TXC_MACLEN, lengths),
      .ip_bytes = (uint16_t)HW_GET(IXGBE_TXC_IPLEN, lengths),
      .l4_bytes = (uint16_t)HW_GET(IXGBE_TXC_L4LEN, sizes),
      .mss_bytes = (uint16_t)HW_GET(IXGBE_TXC_MSS, sizes),
      .tucmd = (uint32_t)high,
  };
}

/* A frame may take 40 descriptors (7.2.1.1), and what fills the whole ring can't end any more. */
static unsigned tx_most_buffers(const struct tx_queue *queue)
{
  unsigned ring = queue->count - 1;
  return ring < IXGBE_TX_DESCRIPTORS_PER_FRAME ? ring : IXGBE_TX_DESCRIPTORS_PER_FRAME;
}

/* Take one data descriptor, or any that is none. */
static void tx_take_data(struct twin_ixgbe *twin, struct tx_queue *queue, uint64_t low,
                         uint64_t high)
{
  uint32_t command = (uint32_t)high;
  bool is_legacy = !(command & IXGBE_TXD_DEXT);
  bool is_end = command & IXGBE_TXD_EOP;

  if (!is_legacy && (command & IXGBE_TXD_DTYP) != IXGBE_TXD_DTYP_DATA) {
    twin->faults.bad_descriptor++;
    queue->is_skipping = true;
  }
  if (!queue->is_skipping) {
    if (queue->buffer_count == 0) {
      queue->is_legacy = is_legacy;
      queue->command = command;
      queue->options = (uint32_t)(high >> 32);
    }
    queue->buffers[queue->buffer_count++] = (struct tx_buffer){low, command & IXGBE_TXD_DTALEN};
    if (!is_end && queue->buffer_count == tx_most_buffers(queue)) {
      twin->faults.endless_frame++;
      queue->is_skipping = true;
    }
  }
  if (!is_end)
    return;
  if (!queue->is_skipping)
    tx_complete(twin, queue);
  queue->is_skipping = false;
  queue->buffer_count = 0;
}

/* One buffer, no offload, nothing gathered: most frames of most drivers. */
static inline bool tx_is_plain(const struct tx_queue *queue, uint64_t high)
{
  return ((uint32_t)high & TX_DATA_MASK) == TX_DATA_PLAIN &&
         !((uint32_t)(high >> 32) & TX_NEEDS_CONTEXT) && !queue->buffer_count &&
         !queue->is_skipping;
}

static inline void tx_take_plain(struct twin_ixgbe *twin, struct tx_queue *queue, uint64_t iova,
                                 uint64_t high)
{
  uint32_t bytes = (uint32_t)high & IXGBE_TXD_DTALEN;
  if (SHUNT_UNLIKELY(bytes == 0 || HW_GET(IXGBE_TXD_PAYLEN, (uint32_t)(high >> 32)) != bytes)) {
    twin->faults.bad_descriptor++;
    return;
  }
  void *data = shunt_model_dma_at(&twin->model, queue->data_hint, iova, bytes, 0);
  if (SHUNT_UNLIKELY(!data)) { /* elsewhere, in several pieces, or nowhere */
    tx_take_data(twin, queue, iova, high);
    return;
  }
  struct iovec pieces[2] = {{data, bytes}};
  if (SHUNT_UNLIKELY(bytes < TX_PAD_BYTES || bytes > TX_MOST_BYTES ||
                     twin_ixgbe_get(twin, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK)) {
    twin_ixgbe_tx_send(twin, pieces, 1, bytes);
    return;
  }
  twin_ixgbe_count_tx(twin, data, bytes);
  twin_ixgbe_count_tx_set(twin, twin->tx->set, bytes);
  shunt_wire_send(twin->end, pieces, 1, twin->now_ns);
}

/* ---- Queues ---- */

/* 7.2.3.5: DD goes into the last descriptor of a frame that has RS set, or, where TDWBAL asks for
 * it, the head's index to one place for all (7.2.3.5.2). */
static void tx_write_back(struct twin_ixgbe *twin, union ixgbe_tx_desc *descriptor, uint64_t high,
                          uint32_t head, uint64_t head_iova)
{
  if (SHUNT_LIKELY(!head_iova)) {
    uint32_t kept = high & IXGBE_TXD_DEXT ? 0 : (uint32_t)(high >> 32); /* legacy: CSS, VLAN */
    __atomic_store_n(&descriptor->wb.status, kept | IXGBE_TXD_STAT_DD, __ATOMIC_RELEASE);
    return;
  }
  uint32_t *at = shunt_model_dma(&twin->model, head_iova, sizeof(*at), 1);
  if (at)
    __atomic_store_n(at, head, __ATOMIC_RELEASE);
  else
    twin->faults.dma_refused++;
}

/* Where the head is to be written (7.2.3.5.2), or 0. */
static uint64_t tx_head_iova(const struct twin_ixgbe *twin, unsigned index)
{
  uint32_t low = twin_ixgbe_get(twin, IXGBE_TDWBAL(index));
  if (!(low & IXGBE_TDWBAL_HEAD_WB_EN))
    return 0;
  return (uint64_t)twin_ixgbe_get(twin, IXGBE_TDWBAH(index)) << 32 | (low & ~UINT32_C(3));
}

/* Take descriptors from head up to tail, which lie in ring, the first of them that of that index.
 * Returns how many. What a frame sets off on its way may come back and take the queue from under
 * us: then nothing of it is touched any more. */
static unsigned tx_run(struct twin_ixgbe *twin, struct tx_queue *queue, unsigned index,
                       union ixgbe_tx_desc *ring, uint32_t first, uint32_t tail)
{
  uint64_t head_iova = tx_head_iova(twin, index);
  const uint32_t count = queue->count;
  uint32_t head = queue->head;
  unsigned done = 0;
  bool is_reported = false;

  while (head != tail && done < TWIN_IXGBE_POLL_BUDGET) {
    union ixgbe_tx_desc *descriptor = &ring[head - first];
    uint64_t low = __atomic_load_n(&descriptor->quad[0], __ATOMIC_RELAXED);
    uint64_t high = __atomic_load_n(&descriptor->quad[1], __ATOMIC_RELAXED);
    head = head + 1 == count ? 0 : head + 1;
    done++;
    if (SHUNT_LIKELY(tx_is_plain(queue, high)))
      tx_take_plain(twin, queue, low, high);
    else if ((high & (IXGBE_TXD_DEXT | IXGBE_TXD_DTYP)) ==
             (IXGBE_TXD_DEXT | IXGBE_TXD_DTYP_CONTEXT)) {
      tx_take_context(twin, queue, low, high);
      continue; /* nothing is reported for a context, 7.2.3.2.3 */
    } else
      tx_take_data(twin, queue, low, high);
    if (SHUNT_UNLIKELY(queue->count != count))
      return done;
    if ((high & (IXGBE_TXD_RS | IXGBE_TXD_EOP)) == (IXGBE_TXD_RS | IXGBE_TXD_EOP)) {
      tx_write_back(twin, descriptor, high, head, head_iova);
      is_reported = true;
    }
  }
  queue->head = head;
  twin_ixgbe_set(twin, IXGBE_TDH(index), head);
  if (is_reported)
    twin_ixgbe_interrupt_tx(twin, index);
  return done;
}

/* Behind an IOMMU the pages of a ring lie here and there: one piece after the other. */
static unsigned tx_run_pieces(struct twin_ixgbe *twin, struct tx_queue *queue, unsigned index,
                              uint32_t tail)
{
  const uint32_t count = queue->count;
  unsigned done = 0;
  while (queue->head != tail && done < TWIN_IXGBE_POLL_BUDGET) {
    uint32_t head = queue->head;
    uint64_t bytes = (uint64_t)((tail > head ? tail : count) - head) * IXGBE_DESC_BYTES;
    union ixgbe_tx_desc *ring =
        shunt_model_dma_piece(&twin->model, &queue->ring_hint,
                              queue->ring_iova + (uint64_t)head * IXGBE_DESC_BYTES, &bytes, 1);
    if (!ring || bytes < IXGBE_DESC_BYTES) { /* a chip's reads would come back as unsupported
                                                requests: the queue hangs */
      twin->faults.dma_refused++;
      queue->count = 0;
      return done;
    }
    uint32_t end = head + (uint32_t)(bytes / IXGBE_DESC_BYTES);
    done += tx_run(twin, queue, index, ring, head, end == count ? 0 : end);
    if (queue->count != count)
      return done;
  }
  return done;
}

static unsigned tx_poll_queue(struct twin_ixgbe *twin, unsigned index)
{
  struct tx_queue *queue = &twin->tx->queues[index];
  uint32_t tail = twin_ixgbe_get_acquire(twin, IXGBE_TDT(index));
  if (!queue->count)
    return 0;
  if (tail >= queue->count) { /* 7.2.3.3: waits for a tail inside the ring */
    twin->faults.bad_tail += tail != queue->bad_tail;
    queue->bad_tail = tail;
    return 0;
  }
  queue->bad_tail = NO_BAD_TAIL;
  union ixgbe_tx_desc *ring = shunt_model_dma_at(&twin->model, queue->ring_hint, queue->ring_iova,
                                                 (uint64_t)queue->count * IXGBE_DESC_BYTES, 1);
  twin->tx->set = twin_ixgbe_set_of(twin, IXGBE_TQSM(0), index);
  if (SHUNT_UNLIKELY(!ring))
    return tx_run_pieces(twin, queue, index, tail);
  return tx_run(twin, queue, index, ring, 0, tail);
}

/* 4.6.8: nothing is fetched without DMATXCTL.TE; nothing leaves without a link, which the MAC has
 * in loopback. */
static inline bool tx_may_run(const struct twin_ixgbe *twin)
{
  return twin_ixgbe_get(twin, IXGBE_DMATXCTL) & IXGBE_DMATXCTL_TE && twin->link_up;
}

static inline bool tx_has_work(const struct twin_ixgbe *twin, unsigned index)
{
  return twin_ixgbe_get_acquire(twin, IXGBE_TDT(index)) != twin->tx->queues[index].head;
}

/* Round robin: the queue after the first of this poll begins the next one. What frames set off may
 * take queues out of use meanwhile. */
static __attribute__((__noinline__)) unsigned tx_poll_queues(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_tx *tx = twin->tx;
  unsigned done = 0;
  unsigned at = tx->turn < tx->in_use_count ? tx->turn : 0;
  tx->turn = at + 1;
  for (unsigned i = 0; i < tx->in_use_count; i++, at++) {
    at = at < tx->in_use_count ? at : 0;
    if (tx_has_work(twin, tx->in_use[at]))
      done += tx_poll_queue(twin, tx->in_use[at]);
  }
  return done;
}

unsigned twin_ixgbe_tx_poll(struct twin_ixgbe *twin)
{
  const struct twin_ixgbe_tx *tx = twin->tx;
  for (unsigned i = 0; i < tx->in_use_count; i++)
    if (tx_has_work(twin, tx->in_use[i]))
      return tx_may_run(twin) ? tx_poll_queues(twin) : 0;
  return 0;
}

static void tx_list_in_use(struct twin_ixgbe *twin)
{
  unsigned n = 0;
  for (unsigned word = 0; word < 2; word++)
    for (uint64_t left = twin->tx_enabled[word]; left; left &= left - 1)
      twin->tx->in_use[n++] = (uint8_t)(64 * word + (unsigned)__builtin_ctzll(left));
  twin->tx->in_use_count = n;
}

/* 7.2.3.3, 8.2.3.9.5 - .7: the base lies on 128 bytes, the length is a multiple of 128,
 * not 0. A queue without such a ring reads as enabled and does nothing. */
void twin_ixgbe_tx_enable(struct twin_ixgbe *twin, unsigned index, bool on)
{
  struct tx_queue *queue = &twin->tx->queues[index];
  uint64_t bit = UINT64_C(1) << index % 64;
  memset(queue, 0, sizeof(*queue));
  queue->bad_tail = NO_BAD_TAIL;
  twin->tx_enabled[index / 64] = (twin->tx_enabled[index / 64] & ~bit) | (on ? bit : 0);
  tx_list_in_use(twin);
  if (!on)
    return;

  uint64_t base = (uint64_t)twin_ixgbe_get(twin, IXGBE_TDBAH(index)) << 32 |
                  twin_ixgbe_get(twin, IXGBE_TDBAL(index));
  uint32_t bytes = twin_ixgbe_get(twin, IXGBE_TDLEN(index));
  if (!twin_ixgbe_ring_is_valid(base, bytes)) {
    twin->faults.bad_ring++;
    return;
  }
  queue->ring_iova = base;
  queue->count = bytes / IXGBE_DESC_BYTES;
  queue->head = twin_ixgbe_get(twin, IXGBE_TDH(index));
  if (queue->head >= queue->count)
    queue->head = 0;
}

int twin_ixgbe_tx_create(struct twin_ixgbe *twin)
{
  twin->tx = calloc(1, sizeof(*twin->tx));
  if (!twin->tx)
    return -ENOMEM;
  twin_ixgbe_tx_reset(twin);
  return 0;
}

void twin_ixgbe_tx_destroy(struct twin_ixgbe *twin)
{
  free(twin->tx);
  twin->tx = NULL;
}

void twin_ixgbe_tx_reset(struct twin_ixgbe *twin)
{
  for (unsigned i = 0; i < TWIN_IXGBE_QUEUES; i++)
    twin_ixgbe_tx_enable(twin, i, false);
  twin->tx->turn = 0;
}
