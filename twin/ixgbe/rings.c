/* SPDX-License-Identifier: BSD-2-Clause */
/* Which rings are in use. In pages that are shared memory a driver's write of RXDCTL.ENABLE or
 * TXDCTL.ENABLE is not seen, so it is looked for:
 *
 * - Every poll looks at the queues in use: ENABLE gone, or the ring elsewhere, takes effect at
 *   once. A queue's registers share a cache line with the tail that the poll reads anyway.
 * - Queues not in use are 256 lines. They are scanned after a trapped access (a driver that brings
 *   a queue up makes some), and else every SCAN_POLLS polls or SCAN_NS, whichever is first. */
#include "twin/ixgbe/ixgbe.h"

#define SCAN_POLLS 128u
#define SCAN_NS    UINT64_C(20000)
#define BIT(queue) (UINT64_C(1) << ((queue) % 64))

typedef void enable_call(struct twin_ixgbe *twin, unsigned queue, bool on);

/* One direction: where the registers of a queue are, and what the model knows of it. */
struct ring_side {
  const uint64_t *enabled;
  struct twin_ixgbe_ring *rings;
  uint32_t enable_bit;
  bool is_rx;
  enable_call *enable;
};

static struct ring_side side_rx(struct twin_ixgbe *twin)
{
  return (struct ring_side){twin->rx_enabled, twin->rx_rings, IXGBE_RXDCTL_ENABLE, true,
                            twin_ixgbe_rx_enable};
}

static struct ring_side side_tx(struct twin_ixgbe *twin)
{
  return (struct ring_side){twin->tx_enabled, twin->tx_rings, IXGBE_TXDCTL_ENABLE, false,
                            twin_ixgbe_tx_enable};
}

static uint32_t block_of(const struct ring_side *side, unsigned queue)
{
  return side->is_rx ? IXGBE_RX_QUEUE(queue) : IXGBE_TX_QUEUE(queue);
}

/* Offsets inside a block are the same on both sides (8.2.3.8, 8.2.3.9). */
#define BASE_LOW  (IXGBE_RDBAL(0) - IXGBE_RX_QUEUE(0))
#define BASE_HIGH (IXGBE_RDBAH(0) - IXGBE_RX_QUEUE(0))
#define BYTES     (IXGBE_RDLEN(0) - IXGBE_RX_QUEUE(0))
#define CONTROL   (IXGBE_RXDCTL(0) - IXGBE_RX_QUEUE(0))
_Static_assert(IXGBE_TDBAL(0) - IXGBE_TX_QUEUE(0) == BASE_LOW, "one layout for both sides");
_Static_assert(IXGBE_TDBAH(0) - IXGBE_TX_QUEUE(0) == BASE_HIGH, "one layout for both sides");
_Static_assert(IXGBE_TDLEN(0) - IXGBE_TX_QUEUE(0) == BYTES, "one layout for both sides");
_Static_assert(IXGBE_TXDCTL(0) - IXGBE_TX_QUEUE(0) == CONTROL, "one layout for both sides");

static bool is_enabled(const struct ring_side *side, unsigned queue)
{
  return side->enabled[queue / 64] & BIT(queue);
}

static bool ring_moved(const struct twin_ixgbe *twin, uint32_t block,
                       const struct twin_ixgbe_ring *ring)
{
  return twin_ixgbe_get(twin, block + BASE_LOW) != ring->base_low ||
         twin_ixgbe_get(twin, block + BASE_HIGH) != ring->base_high ||
         twin_ixgbe_get(twin, block + BYTES) != ring->bytes;
}

static void queue_enable(struct twin_ixgbe *twin, const struct ring_side *side, unsigned queue)
{
  uint32_t block = block_of(side, queue);
  side->rings[queue] = (struct twin_ixgbe_ring){twin_ixgbe_get(twin, block + BASE_LOW),
                                                twin_ixgbe_get(twin, block + BASE_HIGH),
                                                twin_ixgbe_get(twin, block + BYTES)};
  side->enable(twin, queue, true);
}

static void queues_look(struct twin_ixgbe *twin, const struct ring_side *side)
{
  for (unsigned word = 0; word < 2; word++)
    for (uint64_t left = side->enabled[word]; left; left &= left - 1) {
      unsigned queue = word * 64 + (unsigned)__builtin_ctzll(left);
      uint32_t block = block_of(side, queue);
      bool is_wanted = twin_ixgbe_get_acquire(twin, block + CONTROL) & side->enable_bit;
      if (SHUNT_LIKELY(is_wanted && !ring_moved(twin, block, &side->rings[queue])))
        continue;
      side->enable(twin, queue, false);
      if (is_wanted)
        queue_enable(twin, side, queue);
    }
}

static void queues_scan(struct twin_ixgbe *twin, const struct ring_side *side)
{
  for (unsigned queue = 0; queue < TWIN_IXGBE_QUEUES; queue++)
    if ((twin_ixgbe_get_acquire(twin, block_of(side, queue) + CONTROL) & side->enable_bit) &&
        !is_enabled(side, queue))
      queue_enable(twin, side, queue);
}

void twin_ixgbe_rings_scan(struct twin_ixgbe *twin)
{
  struct ring_side rx = side_rx(twin), tx = side_tx(twin);
  queues_scan(twin, &rx);
  queues_scan(twin, &tx);
  twin->scan_due_ns = twin->now_ns + SCAN_NS;
  twin->scan_due_polls = SCAN_POLLS;
}

void twin_ixgbe_rings_look(struct twin_ixgbe *twin)
{
  if (twin->options.trap)
    return; /* every change came through twin_ixgbe_?x_control_write */
  struct ring_side rx = side_rx(twin), tx = side_tx(twin);
  queues_look(twin, &rx);
  queues_look(twin, &tx);
  if (twin->scan_due_polls && twin->now_ns < twin->scan_due_ns) {
    twin->scan_due_polls--;
    return;
  }
  twin_ixgbe_rings_scan(twin);
}

static void control_write(struct twin_ixgbe *twin, const struct ring_side *side, unsigned queue,
                          uint32_t value)
{
  bool is_wanted = value & side->enable_bit;
  bool was_enabled = is_enabled(side, queue);
  /* SWFLSH is done as soon as it is asked: write-backs are never held. */
  twin_ixgbe_set(twin, block_of(side, queue) + CONTROL, value & ~IXGBE_TXDCTL_SWFLSH);
  if (was_enabled && !is_wanted)
    side->enable(twin, queue, false);
  if (!was_enabled && is_wanted)
    queue_enable(twin, side, queue);
}

void twin_ixgbe_rx_control_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  struct ring_side side = side_rx(twin);
  unsigned queue = offset < IXGBE_RX_QUEUE(64u)
                       ? (offset - IXGBE_RX_QUEUE(0u)) / IXGBE_RX_QUEUE_STRIDE
                       : 64 + (offset - IXGBE_RX_QUEUE(64u)) / IXGBE_RX_QUEUE_STRIDE;
  control_write(twin, &side, queue, value);
}

void twin_ixgbe_tx_control_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  struct ring_side side = side_tx(twin);
  control_write(twin, &side, (offset - IXGBE_TX_QUEUE(0)) / IXGBE_TX_QUEUE_STRIDE, value);
}

static void side_reset(struct twin_ixgbe *twin, const struct ring_side *side)
{
  for (unsigned queue = 0; queue < TWIN_IXGBE_QUEUES; queue++)
    if (is_enabled(side, queue))
      side->enable(twin, queue, false);
}

/* The registers follow: twin_ixgbe_registers_reset clears ENABLE of all queues. */
void twin_ixgbe_rings_reset(struct twin_ixgbe *twin)
{
  struct ring_side rx = side_rx(twin), tx = side_tx(twin);
  side_reset(twin, &rx);
  side_reset(twin, &tx);
}
