/* SPDX-License-Identifier: BSD-2-Clause */
/* Which rings are in use. In pages that are shared memory a driver's write of RXDCTL.ENABLE or
 * TXDCTL.ENABLE is not seen, so it is looked for:
 *
 * - Every poll looks at the queues in use: ENABLE gone, or the ring elsewhere, takes effect at
 *   once. A queue's registers share a cache line with the tail that the poll reads anyway.
 * - Queues not in use are 256 lines. They are scanned after a trapped access (a driver that brings
 *   a queue up makes some), and else every SCAN_POLLS polls or SCAN_NS, whichever is first. */
#include "twin/ixgbe/ixgbe.h"

#define SCAN_POLLS 256u
#define SCAN_NS    UINT64_C(20000)

/* 64 queues, whose registers fill one page: Rx 0-63, Rx 64-127, Tx 0-63, Tx 64-127. */
#define BANKS        4u
#define BANK_QUEUES  64u
#define BANK_IS_TX   2u
#define BLOCK_STRIDE 0x40u
static const uint32_t bank_pages[BANKS] = {IXGBE_RX_QUEUE(0u), IXGBE_RX_QUEUE(64u),
                                           IXGBE_TX_QUEUE(0u), IXGBE_TX_QUEUE(64u)};

/* Inside a block all that is looked at lies the same for both directions (8.2.3.8, 8.2.3.9). */
#define BASE    (IXGBE_RDBAL(0u) - IXGBE_RX_QUEUE(0u))
#define LENGTH  (IXGBE_RDLEN(0u) - IXGBE_RX_QUEUE(0u))
#define CONTROL (IXGBE_RXDCTL(0u) - IXGBE_RX_QUEUE(0u))
#define ENABLE  IXGBE_RXDCTL_ENABLE
_Static_assert(IXGBE_TDBAL(0u) - IXGBE_TX_QUEUE(0u) == BASE, "one layout");
_Static_assert(IXGBE_RDBAH(0u) - IXGBE_RDBAL(0u) == 4, "read as one quadword");
_Static_assert(IXGBE_TDLEN(0u) - IXGBE_TX_QUEUE(0u) == LENGTH, "one layout");
_Static_assert(IXGBE_TXDCTL(0u) - IXGBE_TX_QUEUE(0u) == CONTROL, "one layout");
_Static_assert(IXGBE_TXDCTL_ENABLE == ENABLE && IXGBE_TXDCTL_SWFLSH == IXGBE_RXDCTL_SWFLSH,
               "one bit for both directions");
_Static_assert(IXGBE_RX_QUEUE_STRIDE == BLOCK_STRIDE && IXGBE_TX_QUEUE_STRIDE == BLOCK_STRIDE,
               "blocks of one size");

static inline uint64_t bank_enabled(const struct twin_ixgbe *twin, unsigned bank)
{
  return bank & BANK_IS_TX ? twin->tx_enabled[bank & 1] : twin->rx_enabled[bank & 1];
}

static inline uint32_t load_32(const uint8_t *at, int order)
{
  return __atomic_load_n((const uint32_t *)(const void *)at, order);
}

static inline uint64_t load_64(const uint8_t *at)
{
  return __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_RELAXED);
}

static void in_use_add(struct twin_ixgbe *twin, unsigned bank, unsigned index)
{
  const uint8_t *block = twin->registers + bank_pages[bank] + index * BLOCK_STRIDE;
  twin->in_use[twin->in_use_count++] =
      (struct twin_ixgbe_in_use){.block = block,
                                 .base = load_64(block + BASE),
                                 .bytes = load_32(block + LENGTH, __ATOMIC_RELAXED),
                                 .bank = (uint8_t)bank,
                                 .index = (uint8_t)index};
}

/* The last one takes its place. */
static void in_use_remove(struct twin_ixgbe *twin, unsigned bank, unsigned index)
{
  unsigned i = 0;
  while (twin->in_use[i].bank != bank || twin->in_use[i].index != index)
    i++;
  twin->in_use[i] = twin->in_use[--twin->in_use_count];
}

/* Only where it is not so already. */
static void queue_set(struct twin_ixgbe *twin, unsigned bank, unsigned index, bool on)
{
  unsigned queue = (bank & 1) * BANK_QUEUES + index;
  if (on)
    in_use_add(twin, bank, index);
  else
    in_use_remove(twin, bank, index);
  if (bank & BANK_IS_TX)
    twin_ixgbe_tx_enable(twin, queue, on);
  else
    twin_ixgbe_rx_enable(twin, queue, on);
}

static inline bool in_use_changed(const struct twin_ixgbe_in_use *known)
{
  const uint8_t *block = known->block;
  uint32_t control = load_32(block + CONTROL, __ATOMIC_ACQUIRE);
  return (~control & ENABLE) | (load_64(block + BASE) ^ known->base) |
         (load_32(block + LENGTH, __ATOMIC_RELAXED) ^ known->bytes);
}

/* Take anew what has changed. From the last one on: a place that becomes free is filled by one that
 * has been looked at. */
static __attribute__((__noinline__)) void in_use_retake(struct twin_ixgbe *twin)
{
  for (unsigned i = twin->in_use_count; i-- > 0;) {
    const struct twin_ixgbe_in_use known = twin->in_use[i];
    if (!in_use_changed(&known))
      continue;
    queue_set(twin, known.bank, known.index, false);
    if (load_32(known.block + CONTROL, __ATOMIC_ACQUIRE) & ENABLE)
      queue_set(twin, known.bank, known.index, true);
  }
}

/* Every poll does this for every queue in use. */
static inline void in_use_look(struct twin_ixgbe *twin)
{
  for (unsigned i = 0; i < twin->in_use_count; i++)
    if (SHUNT_UNLIKELY(in_use_changed(&twin->in_use[i]))) {
      in_use_retake(twin);
      return;
    }
}

static void bank_scan(struct twin_ixgbe *twin, unsigned bank)
{
  uint64_t enabled = bank_enabled(twin, bank);
  uint32_t block = bank_pages[bank];
  for (unsigned index = 0; index < BANK_QUEUES; index++, block += BLOCK_STRIDE)
    if (SHUNT_UNLIKELY(twin_ixgbe_get_acquire(twin, block + CONTROL) & ENABLE) &&
        !(enabled >> index & 1))
      queue_set(twin, bank, index, true);
}

void twin_ixgbe_rings_scan(struct twin_ixgbe *twin)
{
  for (unsigned bank = 0; bank < BANKS; bank++)
    bank_scan(twin, bank);
  twin->scan_due_ns = twin->now_ns + SCAN_NS;
  twin->scan_due_polls = SCAN_POLLS;
}

void twin_ixgbe_rings_look(struct twin_ixgbe *twin)
{
  if (twin->options.trap)
    return; /* every change came through twin_ixgbe_?x_control_write */
  in_use_look(twin);
  if (SHUNT_LIKELY(twin->scan_due_polls && twin->now_ns < twin->scan_due_ns)) {
    twin->scan_due_polls--;
    return;
  }
  twin_ixgbe_rings_scan(twin);
}

static void control_write(struct twin_ixgbe *twin, unsigned bank, uint32_t offset, uint32_t value)
{
  unsigned index = (offset - bank_pages[bank]) / BLOCK_STRIDE;
  bool is_wanted = value & ENABLE;
  bool was_enabled = bank_enabled(twin, bank) >> index & 1;
  /* SWFLSH is done as soon as it is asked: write-backs are never held. */
  twin_ixgbe_set(twin, offset, value & ~IXGBE_TXDCTL_SWFLSH);
  if (was_enabled != is_wanted)
    queue_set(twin, bank, index, is_wanted);
}

void twin_ixgbe_rx_control_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  control_write(twin, offset >= IXGBE_RX_QUEUE(64u), offset, value);
}

void twin_ixgbe_tx_control_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  control_write(twin, BANK_IS_TX | (offset >= IXGBE_TX_QUEUE(64u)), offset, value);
}

/* The registers follow: twin_ixgbe_registers_reset clears ENABLE of all queues. */
void twin_ixgbe_rings_reset(struct twin_ixgbe *twin)
{
  for (unsigned bank = 0; bank < BANKS; bank++)
    for (uint64_t left = bank_enabled(twin, bank); left; left &= left - 1)
      queue_set(twin, bank, (unsigned)__builtin_ctzll(left), false);
}
