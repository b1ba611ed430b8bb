/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin_ixgbe_rig.h"

#include "twin/ixgbe/crc.h"

static uint8_t *data_at(struct rig *rig, uint32_t at)
{
  return rig->memory + RIG_TX_DATA + at;
}

static void fill(uint8_t *frame, uint32_t bytes, uint8_t seed)
{
  for (uint32_t i = 0; i < bytes; i++)
    frame[i] = (uint8_t)(i + seed);
  rig_ethernet(frame, rig_mac, 0x88B5);
}

static void one_descriptor_is_one_frame(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 100, 1);
  uint32_t i = rig_tx_frame(rig, 0, 100, 0, 0);
  assert_int_equal(rig_poll(rig), 0); /* nothing before the tail says so */
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_int_equal(rig->frames[0].bytes, 100);
  assert_memory_equal(rig->frames[0].data, data_at(rig, 0), 100);
  assert_true(rig_tx_is_done(rig, i));
  assert_int_equal(rig_read(rig, IXGBE_TDH(0)), 1);
  assert_int_equal(rig_read(rig, IXGBE_GPTC), 1);
  assert_int_equal(rig_read(rig, IXGBE_GOTCL), 104);
  assert_int_equal(rig_read(rig, IXGBE_QPTC(0)), 1);
  assert_int_equal(rig_read(rig, IXGBE_QBTC_L(0)), 100);
}

static void done_is_written_where_it_was_asked_for(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 3);
  fill(data_at(rig, 0), 60, 1);
  const uint32_t size = 60;
  const uint64_t at = RIG_IOVA + RIG_TX_DATA;
  rig_tx_put(rig, at, RIG_DATA | IXGBE_TXD_EOP | size, size << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_put(rig, at, RIG_DATA | RIG_LAST | size, size << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 2);
  assert_false(rig_tx_is_done(rig, 0));
  assert_true(rig_tx_is_done(rig, 1));
}

static void a_frame_may_take_many_buffers(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 300, 5);
  const uint64_t at = RIG_IOVA + RIG_TX_DATA;
  /* The first pieces are shorter than an address; the end comes with a later tail. */
  rig_tx_put(rig, at, RIG_DATA | 3, 300u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_put(rig, at + 3, RIG_DATA | 97, 300u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 0);
  assert_int_equal(rig_read(rig, IXGBE_TDH(0)), 2);
  rig_tx_put(rig, at + 100, RIG_DATA | RIG_LAST | 200, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_int_equal(rig->frames[0].bytes, 300);
  assert_memory_equal(rig->frames[0].data, data_at(rig, 0), 300);
  assert_true(rig_tx_is_done(rig, 2));
}

static void legacy_descriptors_are_sent(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 64, 9);
  const uint64_t at = RIG_IOVA + RIG_TX_DATA;
  uint32_t i = rig_tx_put(rig, at, IXGBE_TXD_EOP | IXGBE_TXD_IFCS | IXGBE_TXD_RS | 64, 0x00070000);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_memory_equal(rig->frames[0].data, data_at(rig, 0), 64);
  /* DD beside the VLAN field, which is left alone. */
  assert_int_equal(rig_tx(rig, i)->wb.status, 0x00070000 | IXGBE_TXD_LEGACY_DD);
}

static void short_frames_are_padded_where_asked(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 60, 1);
  rig_write(rig, IXGBE_HLREG0, rig_read(rig, IXGBE_HLREG0) | IXGBE_HLREG0_TXPADEN);
  rig_tx_frame(rig, 0, 20, 0, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig->frames[0].bytes, 60);
  static const uint8_t zeros[40];
  assert_memory_equal(rig->frames[0].data + 20, zeros, 40);
  rig_write(rig, IXGBE_HLREG0, rig_read(rig, IXGBE_HLREG0) & ~IXGBE_HLREG0_TXPADEN);
  rig_tx_frame(rig, 0, 20, 0, 0);
  rig_tx_frame(rig, 0, 16, 0, 0); /* shorter than the chip takes */
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 2);
  assert_int_equal(rig->frames[1].bytes, 20);
  assert_int_equal(rig_count(rig, "bad_descriptor"), 1);
}

static void nothing_moves_unless_enabled(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 60, 1);
  rig_tx_frame(rig, 0, 60, 0, 0);
  rig_write(rig, IXGBE_DMATXCTL, rig_read(rig, IXGBE_DMATXCTL) & ~IXGBE_DMATXCTL_TE);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 0);
  rig_write(rig, IXGBE_DMATXCTL, rig_read(rig, IXGBE_DMATXCTL) | IXGBE_DMATXCTL_TE);
  shunt_wire_cut(rig->far);
  rig_poll(rig);
  assert_int_equal(rig->received, 0);
  assert_int_equal(rig_read(rig, IXGBE_TDH(0)), 0);
  shunt_wire_join(rig->far);
  rig_poll(rig);
  assert_int_equal(rig->received, 1);
  rig_write(rig, IXGBE_TXDCTL(0), 0);
  rig_tx_frame(rig, 0, 60, 0, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
}

static void the_head_is_written_back(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 60, 1);
  uint32_t *head = (uint32_t *)(void *)(rig->memory + RIG_HEAD);
  rig_write(rig, IXGBE_TDWBAL(0), (uint32_t)(RIG_IOVA + RIG_HEAD) | IXGBE_TDWBAL_HEAD_WB_EN);
  rig_tx_frame(rig, 0, 60, 0, 0);
  rig_tx_frame(rig, 0, 60, 0, 0);
  rig_tx_kick(rig);
  assert_int_equal(*head, 2);
  assert_false(rig_tx_is_done(rig, 1));
  rig_write(rig, IXGBE_TDWBAL(0), 0x1000 | IXGBE_TDWBAL_HEAD_WB_EN);
  rig_tx_frame(rig, 0, 60, 0, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig_count(rig, "dma_refused"), 1);
  assert_int_equal(rig->received, 3);
}

static void a_driver_may_bring_its_own_crc(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint8_t *frame = data_at(rig, 0);
  fill(frame, 80, 1);
  uint32_t crc = twin_ixgbe_crc32(frame, 80);
  memcpy(frame + 80, &crc, sizeof(crc));
  const uint32_t command = (RIG_DATA & ~IXGBE_TXD_IFCS) | RIG_LAST | 84;
  rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA, command, 84u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_int_equal(rig->frames[0].bytes, 80);
  frame[30] ^= 1;
  uint32_t i = rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA, command, 84u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_int_equal(rig_count(rig, "bad_descriptor"), 1);
  assert_true(rig_tx_is_done(rig, i));
}

static void loopback_returns_frames(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_HLREG0, rig_read(rig, IXGBE_HLREG0) | IXGBE_HLREG0_LPBK);
  shunt_wire_cut(rig->far); /* needs no link */
  fill(data_at(rig, 0), 90, 3);
  const uint64_t at = RIG_IOVA + RIG_TX_DATA;
  rig_tx_put(rig, at, RIG_DATA | 40, 90u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_put(rig, at + 40, RIG_DATA | RIG_LAST | 50, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 0);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_non_null(rx);
  assert_int_equal(rx->bytes, 90);
  assert_memory_equal(rx->data, data_at(rig, 0), 90);
}

static void queues_take_turns(void **state)
{
  struct rig *rig = *state;
  /* Two queues over one ring of the same frames: both are polled, each from its own head. */
  rig_tx_start(rig, 127);
  rig_tx_start(rig, 64);
  fill(data_at(rig, 0), 60, 1);
  for (unsigned i = 0; i < 4; i++)
    rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA, RIG_DATA | IXGBE_TXD_EOP | 60,
               60u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_write(rig, IXGBE_TDT(64), 4);
  rig_write(rig, IXGBE_TDT(127), 2);
  assert_int_equal(rig_poll(rig), 6);
  assert_int_equal(rig_read(rig, IXGBE_TDH(64)), 4);
  assert_int_equal(rig_read(rig, IXGBE_TDH(127)), 2);
  assert_int_equal(rig->received, 6);
}

static void a_poll_is_bounded(void **state)
{
  struct rig *rig = *state;
  static uint8_t ring[512 * 16] __attribute__((aligned(128)));
  const uint64_t ring_iova = 0x90000000;
  assert_int_equal(shunt_model_dma_map(rig->model, ring_iova, ring, sizeof(ring), 1), 0);
  fill(data_at(rig, 0), 60, 1);
  for (unsigned i = 0; i < 512; i++) {
    uint64_t quads[2] = {RIG_IOVA + RIG_TX_DATA, (uint64_t)(60u << IXGBE_TXD_PAYLEN_SHIFT) << 32 |
                                                     RIG_DATA | IXGBE_TXD_EOP | 60};
    memcpy(ring + 16 * i, quads, sizeof(quads));
  }
  rig_tx_start(rig, 0);
  rig_write(rig, IXGBE_TXDCTL(0), 0);
  rig_write(rig, IXGBE_TDBAL(0), (uint32_t)ring_iova);
  rig_write(rig, IXGBE_TDLEN(0), sizeof(ring));
  rig_write(rig, IXGBE_TXDCTL(0), IXGBE_TXDCTL_ENABLE);
  rig_write(rig, IXGBE_TDT(0), 511);
  assert_int_equal(rig_poll(rig), TWIN_IXGBE_POLL_BUDGET);
  assert_int_equal(rig_poll(rig), 511 - TWIN_IXGBE_POLL_BUDGET);
  assert_int_equal(rig->received, 511);
}

/* ---- Rubbish ---- */

/* Length and base as the datapath finds them: in shared pages nothing has masked them before. */
static void bad_rings_do_nothing(void **state)
{
  struct rig *rig = *state;
  const struct {
    uint64_t base;
    uint32_t bytes;
  } rings[] = {
      {RIG_IOVA, 0}, {RIG_IOVA, 16}, {RIG_IOVA, 129}, {RIG_IOVA + 64, 128}, {RIG_IOVA, 0x100000}};
  const unsigned count = sizeof(rings) / sizeof(rings[0]);
  for (unsigned i = 0; i < count; i++) {
    twin_ixgbe_set(rig->twin, IXGBE_TDBAL(5), (uint32_t)rings[i].base);
    twin_ixgbe_set(rig->twin, IXGBE_TDLEN(5), rings[i].bytes);
    twin_ixgbe_set(rig->twin, IXGBE_TDT(5), 3);
    rig_write(rig, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
    rig_write(rig, IXGBE_TXDCTL(5), IXGBE_TXDCTL_ENABLE);
    assert_int_equal(rig_poll(rig), 0);
    rig_write(rig, IXGBE_TXDCTL(5), 0);
  }
  assert_int_equal(rig_count(rig, "bad_ring"), count);
  assert_int_equal(rig_count(rig, "dma_faults"), 0);
}

static void a_ring_outside_memory_hangs_its_queue(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  rig_write(rig, IXGBE_TXDCTL(0), 0);
  rig_write(rig, IXGBE_TDBAL(0), (uint32_t)(RIG_IOVA + RIG_MEMORY_BYTES));
  rig_write(rig, IXGBE_TXDCTL(0), IXGBE_TXDCTL_ENABLE);
  rig_write(rig, IXGBE_TDT(0), 4);
  for (unsigned i = 0; i < 3; i++)
    assert_int_equal(rig_poll(rig), 0);
  assert_int_equal(rig_count(rig, "dma_refused"), 1); /* said once */
  rig_write(rig, IXGBE_TXDCTL(0), 0);
  rig_tx_start(rig, 0); /* and good again after a proper start */
  fill(data_at(rig, 0), 60, 1);
  rig_tx_frame(rig, 0, 60, 0, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
}

/* Behind an IOMMU: frames in every descriptor of the ring, over its end, from buffers in two pages;
 * plain ones, and of several buffers. */
static void rings_and_buffers_may_be_scattered(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  for (unsigned i = 0; i < 2 * RIG_RING; i++) {
    uint32_t at = (i % 8 + 1) * RIG_PAGE - 700;
    fill(data_at(rig, at), 1500, (uint8_t)i);
    if (i % 3) {
      rig_tx_frame(rig, at, 1500, 0, 0);
    } else {
      rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA + at, RIG_DATA | 800, 1500u << IXGBE_TXD_PAYLEN_SHIFT);
      rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA + at + 800, RIG_DATA | RIG_LAST | 700, 0);
    }
    uint32_t last = (rig->tx_tail + RIG_RING - 1) % RIG_RING;
    if (i % 8 < 7)
      continue;
    unsigned before = rig->received;
    rig_tx_kick(rig);
    assert_int_equal(rig->received - before, 8);
    assert_true(rig_tx_is_done(rig, last));
    for (unsigned n = before; n < rig->received; n++) {
      assert_int_equal(rig->frames[n % RIG_KEPT].bytes, 1500);
      assert_memory_equal(rig->frames[n % RIG_KEPT].data,
                          data_at(rig, (n % 8 + 1) * RIG_PAGE - 700), 1500);
    }
  }
  assert_int_equal(rig_count(rig, "dma_refused"), 0);
  assert_int_equal(rig_count(rig, "dma_faults"), 0);
}

static void a_ring_ends_where_its_memory_does(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  for (unsigned i = 0; i < 20; i++)
    rig_tx_frame(rig, 0, 60, 0, 0);
  fill(data_at(rig, 0), 60, 1);
  shunt_model_dma_unmap(rig->model, RIG_IOVA + RIG_PAGE, RIG_PAGE); /* from the 17th on */
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 16);
  rig_poll(rig);
  assert_int_equal(rig_count(rig, "dma_refused"), 1);
}

static void a_tail_outside_the_ring_waits(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 60, 1);
  rig_tx_frame(rig, 0, 60, 0, 0);
  rig_write(rig, IXGBE_TDT(0), RIG_RING);
  for (unsigned i = 0; i < 3; i++)
    assert_int_equal(rig_poll(rig), 0);
  assert_int_equal(rig_count(rig, "bad_tail"), 1);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
}

/* Each frame is lost alone: what follows it leaves. */
static void bad_frames_cost_themselves(void **state)
{
  struct rig *rig = *state;
  const uint64_t at = RIG_IOVA + RIG_TX_DATA;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 64, 1);
  rig_tx_put(rig, 0x1000, RIG_DATA | RIG_LAST | 60, 60u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_put(rig, RIG_IOVA + RIG_MEMORY_BYTES - 59, RIG_DATA | RIG_LAST | 60,
             60u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_put(rig, UINT64_MAX - 10, RIG_DATA | RIG_LAST | 60, 60u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_kick(rig);
  assert_int_equal(rig_count(rig, "dma_refused"), 3);
  rig_tx_put(rig, at, RIG_DATA | RIG_LAST, 0);                                  /* no bytes */
  rig_tx_put(rig, at, RIG_DATA | RIG_LAST | 60, 61u << IXGBE_TXD_PAYLEN_SHIFT); /* PAYLEN */
  rig_tx_put(rig, at, IXGBE_TXD_DEXT | 0x00700000 | RIG_LAST | 60, 0);          /* DTYP */
  rig_tx_kick(rig);
  assert_int_equal(rig_count(rig, "bad_descriptor"), 3);
  rig_tx_put(rig, at, RIG_DATA | RIG_LAST | 15870, 15870u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_kick(rig);
  assert_int_equal(rig_count(rig, "oversized_frame"), 1);
  assert_int_equal(rig->received, 0);
  for (uint32_t i = 0; i < rig->tx_tail; i++)
    assert_true(rig_tx_is_done(rig, i));
  rig_tx_put(rig, at, RIG_DATA | RIG_LAST | 15868, 15868u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_frame(rig, 0, 64, 0, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 2);
}

static void a_frame_without_end_is_given_up(void **state)
{
  struct rig *rig = *state;
  const uint64_t at = RIG_IOVA + RIG_TX_DATA;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 64, 1);
  for (unsigned turn = 0; turn < 8; turn++) {
    for (unsigned i = 0; i < 8; i++)
      rig_tx_put(rig, at, RIG_DATA | 60, 60u << IXGBE_TXD_PAYLEN_SHIFT);
    rig_tx_kick(rig);
  }
  assert_int_equal(rig_count(rig, "endless_frame"), 1);
  uint32_t i = rig_tx_put(rig, at, RIG_DATA | RIG_LAST | 60, 0); /* its end at last */
  rig_tx_frame(rig, 0, 64, 0, 0);
  rig_tx_kick(rig);
  assert_true(rig_tx_is_done(rig, i));
  assert_int_equal(rig->received, 1);
  assert_int_equal(rig->frames[0].bytes, 64);
}

static void context_descriptors_have_their_place(void **state)
{
  struct rig *rig = *state;
  const uint64_t at = RIG_IOVA + RIG_TX_DATA;
  rig_tx_start(rig, 0);
  fill(data_at(rig, 0), 64, 1);
  rig_tx_context(rig, 2, 0, 14, 20, 8, 0, 0); /* there are two, 0 and 1 */
  rig_tx_put(rig, at, RIG_DATA | 30, 60u << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_context(rig, 0, 0, 14, 20, 8, 0, 0); /* in the middle of a frame */
  rig_tx_put(rig, at + 30, RIG_DATA | RIG_LAST | 30, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig_count(rig, "bad_descriptor"), 2);
  assert_int_equal(rig->received, 1);
}

static void stop_at_the_second(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct rig *rig = context;
  (void)frame;
  (void)bytes;
  (void)now_ns;
  if (++rig->received == 2)
    rig_write(rig, IXGBE_TXDCTL(0), 0);
}

/* The far end, on getting the second of five frames, has the driver stop the queue. */
static void a_queue_may_be_stopped_by_its_own_frame(void **state)
{
  struct rig *rig = *state;
  static const struct shunt_wire_end_ops ops = {.deliver = stop_at_the_second};
  shunt_wire_detach(rig->far);
  assert_int_equal(shunt_wire_attach(rig->wire, "far", &ops, rig, &rig->far, NULL), 0);
  rig_tx_start(rig, 0);
  rig_write(rig, IXGBE_TXDCTL(0), 0);
  rig_write(rig, IXGBE_TDH(0), RIG_RING - 3); /* so that they wrap around */
  rig_write(rig, IXGBE_TXDCTL(0), IXGBE_TXDCTL_ENABLE);
  rig->tx_tail = RIG_RING - 3;
  fill(data_at(rig, 0), 60, 1);
  for (unsigned i = 0; i < 5; i++)
    rig_tx_frame(rig, 0, 60, 0, 0);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 2);
  assert_true(rig_tx_is_done(rig, RIG_RING - 3));
  assert_false(rig_tx_is_done(rig, RIG_RING - 2));
  assert_false(rig_tx_is_done(rig, RIG_RING - 1));
}

/* Without traps: the driver writes tails and ENABLE to shared memory, the twin finds them. */
static void shared_tails_are_found(void **state)
{
  struct rig *rig = *state;
  const struct shunt_model_bar *bar = &rig->model->bars[0];
  assert_non_null(bar->memory);
  volatile uint32_t *registers = bar->memory;
  rig_write(rig, IXGBE_DMATXCTL, rig_read(rig, IXGBE_DMATXCTL) | IXGBE_DMATXCTL_TE);
  registers[IXGBE_TDBAL(9) / 4] = (uint32_t)(RIG_IOVA + RIG_TX_RING);
  registers[IXGBE_TDLEN(9) / 4] = RIG_RING * IXGBE_DESC_BYTES;
  registers[IXGBE_TXDCTL(9) / 4] = IXGBE_TXDCTL_ENABLE;
  fill(data_at(rig, 0), 60, 1);
  rig_tx_frame(rig, 0, 60, 0, 0);
  registers[IXGBE_TDT(9) / 4] = rig->tx_tail;
  rig_poll(rig);
  assert_int_equal(rig->received, 1);
  assert_true(rig_tx_is_done(rig, 0));
  assert_int_equal(registers[IXGBE_TDH(9) / 4], 1);
}

static int create_shared(void **state)
{
  return rig_create_as(state, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(one_descriptor_is_one_frame),
      RIG_TEST(done_is_written_where_it_was_asked_for),
      RIG_TEST(a_frame_may_take_many_buffers),
      RIG_TEST(legacy_descriptors_are_sent),
      RIG_TEST(short_frames_are_padded_where_asked),
      RIG_TEST(nothing_moves_unless_enabled),
      RIG_TEST(the_head_is_written_back),
      RIG_TEST(a_driver_may_bring_its_own_crc),
      RIG_TEST(loopback_returns_frames),
      RIG_TEST(queues_take_turns),
      RIG_TEST(a_poll_is_bounded),
      RIG_TEST(bad_rings_do_nothing),
      RIG_TEST(a_ring_outside_memory_hangs_its_queue),
      cmocka_unit_test_setup_teardown(rings_and_buffers_may_be_scattered, rig_create_scattered,
                                      rig_destroy),
      cmocka_unit_test_setup_teardown(a_ring_ends_where_its_memory_does, rig_create_scattered,
                                      rig_destroy),
      RIG_TEST(a_tail_outside_the_ring_waits),
      RIG_TEST(bad_frames_cost_themselves),
      RIG_TEST(a_frame_without_end_is_given_up),
      RIG_TEST(context_descriptors_have_their_place),
      RIG_TEST(a_queue_may_be_stopped_by_its_own_frame),
      cmocka_unit_test_setup_teardown(shared_tails_are_found, create_shared, rig_destroy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
