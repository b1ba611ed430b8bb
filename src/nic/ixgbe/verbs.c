/* SPDX-License-Identifier: BSD-2-Clause */
/* The five verbs as functions, and what the inline ones leave to a call: metadata of received
 * frames (datasheet 7.1.6.2), frames of several pieces and offloads (7.2.3.2.3, 7.2.4, 7.2.5). */
#include "src/nic/ixgbe/verbs.h"

#include <string.h>

static struct shunt_ixgbe_queue *of(struct shunt_queue *q)
{
  return (struct shunt_ixgbe_queue *)q;
}

static unsigned rx_poll_metadata(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  return shunt_ixgbe_rx_poll_metadata(of(q), frames, n);
}

static unsigned trapped_rx_post(struct shunt_queue *q, const shunt_buf bufs[], unsigned n)
{
  uint32_t told = of(q)->rx_told;
  unsigned posted = shunt_ixgbe_rx_post(of(q), bufs, n);
  if (of(q)->rx_told != told)
    of(q)->doorbell(of(q), SHUNT_IXGBE_RDT, *of(q)->rdt);
  return posted;
}

static void trapped_tx_push(struct shunt_queue *q)
{
  shunt_ixgbe_tx_push(of(q));
  of(q)->doorbell(of(q), SHUNT_IXGBE_TDT, *of(q)->tdt);
}

/* By whether metadata is wanted, and whether doorbells are trapped. */
static const struct shunt_queue_verbs tables[2][2] = {
    {SHUNT_IXGBE_VERBS,
     {trapped_rx_post, shunt_ixgbe_verb_rx_poll, shunt_ixgbe_verb_tx_post, trapped_tx_push,
      shunt_ixgbe_verb_tx_poll}},
    {{shunt_ixgbe_verb_rx_post, rx_poll_metadata, shunt_ixgbe_verb_tx_post,
      shunt_ixgbe_verb_tx_push, shunt_ixgbe_verb_tx_poll},
     {trapped_rx_post, rx_poll_metadata, shunt_ixgbe_verb_tx_post, trapped_tx_push,
      shunt_ixgbe_verb_tx_poll}},
};

void ixgbe_verbs_install(struct shunt_ixgbe_queue *q, volatile uint32_t *rdt,
                         volatile uint32_t *tdt, bool metadata)
{
  bool trapped = !rdt || !tdt;
  q->rdt = trapped ? &q->trapped_tails[SHUNT_IXGBE_RDT] : rdt;
  q->tdt = trapped ? &q->trapped_tails[SHUNT_IXGBE_TDT] : tdt;
  q->head.verbs = q->head.inner = &tables[metadata][trapped];
}

/* The RSS type in the lower quadword; flow director puts its own report where the hash is. */
static bool has_hash(uint32_t info)
{
  uint32_t type = info & IXGBE_RXD_RSS_TYPE;
  return type != IXGBE_RSS_TYPE_NONE && type != IXGBE_RSS_TYPE_FDIR;
}

unsigned shunt_ixgbe_rx_poll_metadata(struct shunt_ixgbe_queue *q, struct shunt_frame frames[],
                                      unsigned n)
{
  uint32_t head = q->rx_head;
  unsigned got;
  for (got = 0; got < n; got++, head++) {
    const union ixgbe_rx_desc *desc = &q->rx_ring[head & q->rx_mask];
    uint64_t status = __atomic_load_n(&desc->quad[1], __ATOMIC_ACQUIRE);
    if (!(status & IXGBE_RXD_STAT_DD))
      break;
    struct shunt_frame *frame = &frames[got];
    uint64_t info = desc->quad[0];
    memset(frame, 0, sizeof(*frame));
    frame->addr = q->rx_slots[head & q->rx_mask].addr;
    frame->flags = (uint32_t)(status & q->rx_keep) ^ SHUNT_FRAME_MORE;
    frame->len = (uint16_t)(status >> 32);
    frame->vlan = (uint16_t)(status >> 48);
    if (has_hash((uint32_t)info)) {
      frame->flags |= SHUNT_FRAME_HASH;
      frame->hash = (uint32_t)(info >> 32);
    }
    if (frame->flags & SHUNT_FRAME_TIME)
      frame->time_ns = ixgbe_rx_time(q);
  }
  q->rx_head = head;
  return got;
}

/* Pieces of the frame at frames[0], and its length; 0 where its last piece is not among them. */
static unsigned count_pieces(const struct shunt_frame frames[], unsigned n, uint64_t *bytes)
{
  *bytes = 0;
  for (unsigned i = 0; i < n; i++) {
    *bytes += frames[i].len;
    if (!(frames[i].flags & SHUNT_FRAME_MORE))
      return i + 1;
  }
  return 0;
}

#define NEEDS_CONTEXT                                                                              \
  (SHUNT_FRAME_VLAN | SHUNT_FRAME_IP_SUM | SHUNT_FRAME_UDP_SUM | SHUNT_FRAME_TCP_SUM)
#define NEEDS_LAYERS (SHUNT_FRAME_IP_SUM | SHUNT_FRAME_UDP_SUM | SHUNT_FRAME_TCP_SUM)

/* A context descriptor that says what the data descriptors behind it ask for (7.2.3.2.3). */
static void put_context(struct shunt_ixgbe_queue *q, uint32_t slot, const struct shunt_frame *frame)
{
  bool sums = frame->flags & NEEDS_LAYERS;
  uint32_t layers = (sums ? (uint32_t)frame->l2_bytes : 14u) << IXGBE_TXC_MACLEN_SHIFT;
  if (sums)
    layers |= frame->l3_bytes;
  if (frame->flags & SHUNT_FRAME_VLAN)
    layers |= (uint32_t)frame->vlan << IXGBE_TXC_VLAN_SHIFT;
  uint32_t type = IXGBE_TXD_DTYP_CONTEXT | IXGBE_TXD_DEXT;
  if (frame->flags & SHUNT_FRAME_IP_SUM)
    type |= IXGBE_TXC_TUCMD_IPV4;
  if (frame->flags & SHUNT_FRAME_TCP_SUM)
    type |= IXGBE_TXC_L4T_TCP;
  q->tx_slots[slot].addr = SHUNT_IXGBE_CONTEXT;
  q->tx_ring[slot].quad[0] = layers;
  q->tx_ring[slot].quad[1] = type;
}

static uint64_t options_of(uint32_t flags)
{
  uint32_t options = 0;
  if (flags & SHUNT_FRAME_IP_SUM)
    options |= IXGBE_TXD_POPTS_IXSM;
  if (flags & (SHUNT_FRAME_UDP_SUM | SHUNT_FRAME_TCP_SUM))
    options |= IXGBE_TXD_POPTS_TXSM;
  uint64_t command = flags & SHUNT_FRAME_VLAN ? IXGBE_TXD_VLE : 0;
  /* Every frame with an option brings its own context, in IDX 0; CC says that it counts. */
  if (flags & NEEDS_CONTEXT)
    options |= IXGBE_TXD_CC;
  return (uint64_t)options << 32 | command;
}

static void put_pieces(struct shunt_ixgbe_queue *q, uint32_t tail,
                       const struct shunt_frame frames[], unsigned pieces, uint64_t bytes)
{
  uint64_t common =
      options_of(frames[0].flags) | SHUNT_IXGBE_TX_PIECE | bytes << (32 + IXGBE_TXD_PAYLEN_SHIFT);
  for (unsigned i = 0; i < pieces; i++) {
    uint32_t slot = (tail + i) & q->tx_mask;
    uint64_t end = i + 1 == pieces ? IXGBE_TXD_EOP : 0;
    q->tx_slots[slot].addr = frames[i].addr;
    q->tx_ring[slot].quad[0] = shunt_ixgbe_address(q, frames[i].addr);
    q->tx_ring[slot].quad[1] = common | end | frames[i].len;
  }
}

/* Frames from wherever the inline call stopped: at the ring's end, or at a frame that asks for
 * something. */
unsigned shunt_ixgbe_tx_post_rest(struct shunt_ixgbe_queue *q, const struct shunt_frame frames[],
                                  unsigned n)
{
  uint32_t tail = q->tx_tail;
  unsigned done = 0;
  while (done < n) {
    uint64_t bytes;
    unsigned pieces = count_pieces(frames + done, n - done, &bytes);
    unsigned contexts = frames[done].flags & NEEDS_CONTEXT ? 1 : 0;
    uint32_t room = q->tx_mask - (tail - q->tx_head);
    if (!pieces || pieces + contexts > room)
      break;
    if (contexts) {
      put_context(q, tail & q->tx_mask, &frames[done]);
      q->tx_contexts = 1;
    }
    put_pieces(q, tail + contexts, frames + done, pieces, bytes);
    tail += pieces + contexts;
    done += pieces;
  }
  q->tx_tail = tail;
  return done;
}

unsigned shunt_ixgbe_rx_post_rest(struct shunt_ixgbe_queue *q, const shunt_buf bufs[], unsigned n)
{
  return shunt_ixgbe_rx_post(q, bufs, n);
}

unsigned shunt_ixgbe_tx_poll_contexts(struct shunt_ixgbe_queue *q, shunt_buf bufs[], unsigned n)
{
  unsigned got = 0;
  while (got < n) {
    if (q->tx_head == q->tx_done) {
      if (q->tx_done == q->tx_unreported)
        break;
      uint32_t end = q->tx_slots[q->tx_done & q->tx_mask].report_end;
      const union ixgbe_tx_desc *desc = &q->tx_ring[(end - 1) & q->tx_mask];
      if (!(__atomic_load_n(&desc->wb.status, __ATOMIC_ACQUIRE) & IXGBE_TXD_STAT_DD))
        break;
      q->tx_done = end;
    }
    shunt_buf buf = q->tx_slots[q->tx_head++ & q->tx_mask].addr;
    if (buf != SHUNT_IXGBE_CONTEXT)
      bufs[got++] = buf;
  }
  return got;
}

struct shunt_ixgbe_queue *shunt_ixgbe_queue(struct shunt_queue *q)
{
  if (!q || q->port->options.checked || q->port->options.capture)
    return NULL;
  return q->inner == &tables[0][0] || q->inner == &tables[1][0] ? of(q) : NULL;
}
