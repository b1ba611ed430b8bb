/* SPDX-License-Identifier: BSD-2-Clause */
/* Transmit: a packet is copied into the slot's buffer when it is put on the ring, so the program's
 * memory is its own again at once; that it is told so only when the packet has left keeps the order
 * that programs count on. */
#include <errno.h>
#include <string.h>

#include "src/efvi/efvi.h"

#define FLUSH_NS UINT64_C(1000000000)

/* How many slots a packet of so many bytes takes; 0: no packet has that length. */
static uint32_t slots_of(const struct efvi_vi *vi, uint64_t bytes)
{
  if (bytes < EFVI_FRAME_LEAST || bytes > vi->device->info.mtu + EFVI_HEADER_MOST)
    return 0;
  return (uint32_t)(bytes + EFVI_BUF_BYTES - 1) / EFVI_BUF_BYTES;
}

/* Where the next packet goes, whole. */
static uint8_t *next_data(const struct efvi_vi *vi)
{
  const uint32_t slot = vi->state.txq.added & vi->user->vi_txq.mask;
  return vi->queue->base + vi->tx_first + (uint64_t)slot * EFVI_BUF_BYTES;
}

/* The packet is in its slots: describe them. Only the last one has the id. */
static void slots_close(struct efvi_vi *vi, uint32_t slots, uint32_t bytes, ef_request_id id)
{
  ef_vi_txq_state *txq = &vi->state.txq;
  const uint32_t mask = vi->user->vi_txq.mask, first = txq->added & mask;
  const bool ip = !((uint64_t)vi->user->vi_flags & EF_VI_TX_IP_CSUM_DIS),
             l4 = !((uint64_t)vi->user->vi_flags & EF_VI_TX_TCPUDP_CSUM_DIS);
  if (ip || l4)
    efvi_sums_fill(next_data(vi), bytes, ip, l4);
  for (uint32_t i = 0; i < slots; i++) {
    const uint32_t slot = (txq->added + i) & mask, left = bytes - i * EFVI_BUF_BYTES;
    vi->tx_slots[slot].buffer = first + i;
    vi->tx_slots[slot].len = (uint16_t)(left < EFVI_BUF_BYTES ? left : EFVI_BUF_BYTES);
    vi->tx_slots[slot].more = i + 1 < slots;
    vi->user->vi_txq.ids[slot] = i + 1 < slots ? EF_REQUEST_ID_MASK : (uint32_t)id;
  }
  txq->added += slots;
}

/* Room for a packet: 0, -EINVAL or -EAGAIN. */
static int slots_check(const struct efvi_vi *vi, uint64_t bytes, uint32_t *slots)
{
  const ef_vi_txq_state *txq = &vi->state.txq;
  *slots = slots_of(vi, bytes);
  if (SHUNT_UNLIKELY(!*slots))
    return efvi_refuse(-EINVAL, "a packet of %llu bytes: %u to %u", (unsigned long long)bytes,
                       EFVI_FRAME_LEAST, vi->device->info.mtu + EFVI_HEADER_MOST);
  return txq->added - txq->removed + *slots > vi->user->vi_txq.mask ? -EAGAIN : 0;
}

static int not_registered(ef_addr addr)
{
  return efvi_refuse(-EFAULT, "a packet at 0x%llx is not in registered memory",
                     (unsigned long long)addr);
}

int ef_vi_transmit_init(ef_vi *vi, ef_addr addr, int bytes, ef_request_id dma_id)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  uint32_t slots;
  if (SHUNT_UNLIKELY(!own || bytes < 0))
    return efvi_refuse(-EINVAL, "no interface, or a packet of %d bytes", bytes);
  int result = slots_check(own, (uint32_t)bytes, &slots);
  if (SHUNT_UNLIKELY(result))
    return result;
  const uint8_t *data = efvi_address(own->pd, addr, (uint32_t)bytes);
  if (SHUNT_UNLIKELY(!data))
    return not_registered(addr);
  memcpy(next_data(own), data, (uint32_t)bytes);
  slots_close(own, slots, (uint32_t)bytes, dma_id);
  return 0;
}

int efvi_transmitv_init(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id)
{
  struct efvi_vi *vi = efvi_own(user);
  uint64_t bytes = 0;
  uint32_t slots;
  if (!iov || iov_len < 1)
    return efvi_refuse(-EINVAL, "a packet of %d pieces", iov_len);
  for (int i = 0; i < iov_len; i++)
    bytes += iov[i].iov_len;
  int result = slots_check(vi, bytes, &slots);
  if (result)
    return result;
  uint8_t *to = next_data(vi);
  for (int i = 0; i < iov_len; i++) {
    if (iov[i].iov_len == 0)
      continue;
    const uint8_t *data = efvi_address(vi->pd, iov[i].iov_base, iov[i].iov_len);
    if (!data)
      return not_registered(iov[i].iov_base);
    memcpy(to, data, iov[i].iov_len);
    to += iov[i].iov_len;
  }
  slots_close(vi, slots, (uint32_t)bytes, id);
  return 0;
}

/* --- To the device ------------------------------------------------------------------------------
 */

/* What the device's ring does not take now, a poll of completions hands over later. */
static void transmit_hand_over(struct efvi_vi *vi)
{
  const uint32_t mask = vi->user->vi_txq.mask;
  bool any = false;
  while (vi->tx_sent != vi->state.txq.previous) {
    struct shunt_frame frames[EFVI_BURST];
    uint32_t n = vi->state.txq.previous - vi->tx_sent, whole = 0;
    n = n < EFVI_BURST ? n : EFVI_BURST;
    for (uint32_t i = 0; i < n; i++) {
      const uint32_t slot = (vi->tx_sent + i) & mask;
      frames[i] = (struct shunt_frame){.addr = vi->tx_first +
                                               (uint64_t)vi->tx_slots[slot].buffer * EFVI_BUF_BYTES,
                                       .len = vi->tx_slots[slot].len,
                                       .flags = vi->tx_slots[slot].more ? SHUNT_FRAME_MORE : 0};
      whole = vi->tx_slots[slot].more ? whole : i + 1;
    }
    const uint32_t posted = shunt_tx_post(vi->queue, frames, whole);
    vi->tx_sent += posted;
    any |= posted > 0;
    if (posted < whole)
      break;
  }
  if (any)
    shunt_tx_push(vi->queue);
}

void efvi_transmit_push(ef_vi *user)
{
  struct efvi_vi *vi = efvi_own(user);
  ef_vi_txq_state *txq = &vi->state.txq;
  if (SHUNT_UNLIKELY(vi->tx_warm)) {
    txq->added = txq->previous;
    return;
  }
  txq->previous = txq->added;
  transmit_hand_over(vi);
}

void ef_vi_transmit_init_undo(ef_vi *vi)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  if (own)
    own->state.txq.added = own->state.txq.previous;
}

int efvi_transmit(ef_vi *user, ef_addr base, int len, ef_request_id id)
{
  int result = ef_vi_transmit_init(user, base, len, id);
  if (!result)
    efvi_transmit_push(user);
  return result;
}

int efvi_transmitv(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id)
{
  int result = efvi_transmitv_init(user, iov, iov_len, id);
  if (!result)
    efvi_transmit_push(user);
  return result;
}

/* Without CTPIO, what was written "to the device" before the fallback was sent nowhere: the
 * fallback is the packet. */
int efvi_transmit_ctpio_fallback(ef_vi *user, ef_addr addr, size_t len, ef_request_id id)
{
  if (len > INT32_MAX)
    return efvi_refuse(-EINVAL, "a packet of %zu bytes", len);
  return efvi_transmit(user, addr, (int)len, id);
}

int efvi_transmitv_ctpio_fallback(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id)
{
  return efvi_transmitv(user, iov, iov_len, id);
}

/* Between these two packets take the whole way to the ring, and none reaches it. */
void efvi_start_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved, char *ctpio)
{
  struct efvi_vi *vi = efvi_own(user);
  efvi_transmit_push(user);
  if (saved)
    *saved = (ef_vi_tx_warm_state){.removed = vi->state.txq.removed, .vi_ctpio_mmap_ptr = ctpio};
  vi->tx_warm = true;
}

void efvi_stop_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved)
{
  struct efvi_vi *vi = efvi_own(user);
  (void)saved;
  vi->state.txq.added = vi->state.txq.previous;
  vi->tx_warm = false;
}

/* --- Back again ---------------------------------------------------------------------------------
 */

/* Queues complete in the order in which they were posted to. */
uint32_t efvi_transmit_waits(struct efvi_vi *vi)
{
  while (vi->tx_done != vi->tx_sent) { /* a burst may end early, at the ring's end */
    shunt_buf bufs[EFVI_BURST];
    const unsigned n = shunt_tx_poll(vi->queue, bufs, EFVI_BURST);
    if (n == 0)
      break;
    vi->tx_done += n;
  }
  if (SHUNT_UNLIKELY(vi->tx_sent != vi->state.txq.previous))
    transmit_hand_over(vi);
  return vi->tx_done - vi->tx_told;
}

int efvi_transmit_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n)
{
  uint32_t left = efvi_transmit_waits(vi);
  int made = 0;
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
  return made;
}

int ef_vi_transmit_unbundle(ef_vi *ep, const ef_event *event, ef_request_id *ids)
{
  struct efvi_vi *vi = efvi_vi_of(ep);
  if (!vi || !event || !ids)
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
  if (!own)
    return efvi_refuse(-EINVAL, "this is no interface");
  efvi_transmit_flush(own);
  return 0;
}

/* Packets that are on the ring have a second to leave. What does not stays on it, without ids: its
 * buffers are the device's. */
void efvi_transmit_flush(struct efvi_vi *vi)
{
  const struct shunt_clock *given = efvi_state()->clock;
  const struct shunt_clock *clock = given ? given : shunt_clock_real();
  const uint64_t end_ns = shunt_clock_now_ns(clock) + FLUSH_NS;
  const uint32_t mask = vi->user->vi_txq.mask;
  vi->state.txq.added = vi->state.txq.previous;
  transmit_hand_over(vi);
  while (vi->tx_done != vi->state.txq.previous && shunt_clock_now_ns(clock) < end_ns) {
    shunt_port_step(vi->device->port);
    efvi_transmit_waits(vi);
    if (vi->tx_done != vi->state.txq.previous)
      shunt_clock_sleep_ns(clock, 1000);
  }
  vi->state.txq.added = vi->state.txq.previous = vi->tx_sent;
  vi->tx_told = vi->state.txq.removed = vi->tx_done;
  for (uint32_t i = vi->tx_done; i != vi->tx_sent; i++)
    vi->user->vi_txq.ids[i & mask] = EF_REQUEST_ID_MASK;
}
