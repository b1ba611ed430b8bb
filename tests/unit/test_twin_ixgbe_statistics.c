/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/twin_ixgbe_bench.h"
#include "twin/ixgbe/statistics.h"

/* Low offsets by name, from the list of all counters. */
#define OFFSET_OF(name, low, high, width, what) AT_##name = (low),
enum { IXGBE_STATISTICS(OFFSET_OF) };

static struct bench bench;
static const uint8_t unicast[12] = {2, 0, 0, 0, 0, 1}, multicast[12] = {1, 0, 0x5E},
                     broadcast[12] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static void count_tx_queue(unsigned queue, uint32_t bytes)
{
  struct twin_ixgbe *twin = bench.twin;
  twin_ixgbe_count_tx_set(twin, twin_ixgbe_set_of(twin, IXGBE_TQSM(0), queue), bytes);
}

static int set_up(void **state)
{
  (void)state;
  bench_open(&bench, (struct shunt_twin_ixgbe_options){0});
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  bench_close(&bench);
  return 0;
}

static uint64_t read_pair(uint32_t low, uint32_t high)
{
  uint64_t value = bench_read(&bench, low);
  return value | (uint64_t)bench_read(&bench, high) << 32;
}

static void counters_clear_on_read(void **state)
{
  (void)state;
  twin_ixgbe_count(bench.twin, IXGBE_RXMPC(3), 5);
  twin_ixgbe_count(bench.twin, AT_ROC, 2);
  assert_int_equal(bench_read(&bench, IXGBE_RXMPC(3)), 5);
  assert_int_equal(bench_read(&bench, IXGBE_RXMPC(3)), 0);
  assert_int_equal(bench_read(&bench, AT_ROC), 2);
  bench_write(&bench, AT_RUC, 9); /* read only */
  assert_int_equal(bench_read(&bench, AT_RUC), 0);
}

static void counters_stick_at_their_maximum(void **state)
{
  (void)state;
  twin_ixgbe_count(bench.twin, AT_RUC, UINT32_MAX - 1);
  twin_ixgbe_count(bench.twin, AT_RUC, 5);
  assert_int_equal(bench_read(&bench, AT_RUC), UINT32_MAX);
  twin_ixgbe_count(bench.twin, AT_LXONTXC, 0x1FFFF);
  assert_int_equal(bench_read(&bench, AT_LXONTXC), 0xFFFF);
  twin_ixgbe_count(bench.twin, AT_GORC, UINT64_C(0xFFFFFFFFF) - 1);
  twin_ixgbe_count(bench.twin, AT_GORC, 60);
  assert_int_equal(read_pair(IXGBE_GORCL, IXGBE_GORCH), UINT64_C(0xFFFFFFFFF));
}

/* What is summed between two reads obeys the same maximum, and is counted once. */
static void sums_reach_the_registers_when_one_is_read(void **state)
{
  (void)state;
  bench.twin->counted.rx_all.frames = UINT32_MAX;
  bench.twin->counted.rx_all.bytes = UINT64_C(0xFFFFFFFFF);
  twin_ixgbe_count_rx_all(bench.twin, 60);
  assert_int_equal(bench_read(&bench, AT_GPRC), 0); /* any of them */
  twin_ixgbe_count_rx_all(bench.twin, 60);
  assert_int_equal(bench_read(&bench, AT_TPR), UINT32_MAX);
  assert_int_equal(bench_read(&bench, AT_TPR), 0);
  assert_int_equal(read_pair(AT_TOR, AT_TOR + 4), UINT64_C(0xFFFFFFFFF));
  assert_int_equal(bench_read(&bench, AT_RXNFGPC), UINT32_MAX);
  twin_ixgbe_count_rx_all(bench.twin, 60);
  assert_int_equal(bench_read(&bench, AT_TPR), 1);
  assert_int_equal(read_pair(AT_TOR, AT_TOR + 4), 64);
  bench.twin->queue_statistics[1].rx_frames = (uint64_t)UINT32_MAX + 5;
  bench.twin->queue_statistics[1].rx_bytes = UINT64_C(0x1000000005);
  assert_int_equal(bench_read(&bench, IXGBE_QPRC(1)), UINT32_MAX);
  assert_int_equal(read_pair(IXGBE_QBRC_L(1), IXGBE_QBRC_H(1)), UINT64_C(0xFFFFFFFFF));
}

static void pairs_carry_and_clear_by_halves(void **state)
{
  (void)state;
  twin_ixgbe_count(bench.twin, AT_TOR, UINT32_MAX);
  twin_ixgbe_count(bench.twin, AT_TOR, 3);
  assert_int_equal(bench_read(&bench, AT_TOR), 2);
  twin_ixgbe_count(bench.twin, AT_TOR, 7); /* between the halves: not lost */
  assert_int_equal(bench_read(&bench, AT_TOR + 4), 1);
  assert_int_equal(read_pair(AT_TOR, AT_TOR + 4), 7);
}

static void a_counter_that_is_none_is_left_alone(void **state)
{
  (void)state;
  uint32_t rctl = bench_read(&bench, IXGBE_RXCTRL);
  twin_ixgbe_count(bench.twin, IXGBE_RXCTRL, 1);
  twin_ixgbe_count(bench.twin, 0x7FFFC, 1);
  assert_int_equal(bench_read(&bench, IXGBE_RXCTRL), rctl);
}

/* Lengths with CRC decide the class, at both edges of each; the bytes of received frames count
 * without it where it is stripped. */
static void sizes_fall_in_their_class(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_HLREG0, bench_read(&bench, IXGBE_HLREG0) & ~IXGBE_HLREG0_RXCRCSTRP);
  static const struct {
    uint32_t bytes, rx, tx; /* bytes with CRC */
  } classes[] = {
      {64, AT_PRC64, AT_PTC64},       {65, AT_PRC127, AT_PTC127},
      {127, AT_PRC127, AT_PTC127},    {128, AT_PRC255, AT_PTC255},
      {255, AT_PRC255, AT_PTC255},    {256, AT_PRC511, AT_PTC511},
      {511, AT_PRC511, AT_PTC511},    {512, AT_PRC1023, AT_PTC1023},
      {1023, AT_PRC1023, AT_PTC1023}, {1024, AT_PRC1522, AT_PTC1522},
      {1522, AT_PRC1522, AT_PTC1522}, {9018, AT_PRC1522, AT_PTC1522},
  };
  for (unsigned i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
    twin_ixgbe_count_rx(bench.twin, unicast, classes[i].bytes - 4);
    assert_int_equal(bench_read(&bench, classes[i].rx), 1);
    assert_int_equal(read_pair(IXGBE_GORCL, IXGBE_GORCH), classes[i].bytes);
    twin_ixgbe_count_tx(bench.twin, unicast, classes[i].bytes - 4);
    assert_int_equal(bench_read(&bench, classes[i].tx), 1);
    assert_int_equal(read_pair(IXGBE_GOTCL, IXGBE_GOTCH), classes[i].bytes);
  }
  assert_int_equal(bench_read(&bench, IXGBE_GPRC), 12);
  assert_int_equal(bench_read(&bench, IXGBE_GPTC), 12);
  assert_int_equal(bench_read(&bench, AT_TPT), 12);
  bench_write(&bench, IXGBE_HLREG0, bench_read(&bench, IXGBE_HLREG0) | IXGBE_HLREG0_RXCRCSTRP);
  twin_ixgbe_count_rx(bench.twin, unicast, 60);
  assert_int_equal(bench_read(&bench, AT_PRC64), 1);
  assert_int_equal(read_pair(IXGBE_GORCL, IXGBE_GORCH), 60);
}

static void group_addresses_are_counted_apart(void **state)
{
  (void)state;
  twin_ixgbe_count_rx(bench.twin, unicast, 60);
  twin_ixgbe_count_rx(bench.twin, multicast, 60);
  twin_ixgbe_count_rx(bench.twin, broadcast, 60);
  twin_ixgbe_count_tx(bench.twin, multicast, 60);
  twin_ixgbe_count_tx(bench.twin, broadcast, 60);
  assert_int_equal(bench_read(&bench, AT_MPRC), 1);
  assert_int_equal(bench_read(&bench, AT_BPRC), 1);
  assert_int_equal(bench_read(&bench, AT_MPTC), 1);
  assert_int_equal(bench_read(&bench, AT_BPTC), 1);
}

static void queues_count_in_the_set_that_they_map_to(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_RQSMR(31), 0x0F000000); /* queue 127: set 15 */
  bench_write(&bench, IXGBE_TQSM(0), 0x00000300);   /* queue 1: set 3 */
  twin_ixgbe_count_rx_queue(bench.twin, 127, 60);
  twin_ixgbe_count_rx_queue(bench.twin, 127, 100);
  twin_ixgbe_count_rx_queue_drop(bench.twin, 127);
  twin_ixgbe_count_rx_queue(bench.twin, 5, 60);
  count_tx_queue(1, 60);
  assert_int_equal(bench_read(&bench, IXGBE_QPRC(15)), 2);
  assert_int_equal(bench_read(&bench, IXGBE_QPRC(15)), 0);
  assert_int_equal(read_pair(IXGBE_QBRC_L(15), IXGBE_QBRC_H(15)), 160);
  assert_int_equal(bench_read(&bench, IXGBE_QPRDC(15)), 1);
  assert_int_equal(bench_read(&bench, IXGBE_QPRC(0)), 1);
  assert_int_equal(bench_read(&bench, IXGBE_QPTC_ALIAS(3)), 1);
  assert_int_equal(bench_read(&bench, IXGBE_QPTC(3)), 0);
  assert_int_equal(read_pair(IXGBE_QBTC_L(3), IXGBE_QBTC_H(3)), 60);
  assert_int_equal(bench_read(&bench, AT_RXDGPC), 3);
  assert_int_equal(bench_read(&bench, AT_TXDGPC), 1);
}

static void queue_bytes_carry_into_the_high_half(void **state)
{
  (void)state;
  bench.twin->queue_statistics[2].rx_bytes = UINT64_C(0x3FFFFFFFF);
  bench.twin->queue_statistics[2].tx_frames = UINT32_MAX;
  bench_write(&bench, IXGBE_RQSMR(0), 2);
  bench_write(&bench, IXGBE_TQSM(0), 2);
  twin_ixgbe_count_rx_queue(bench.twin, 0, 60);
  count_tx_queue(0, 60);
  assert_int_equal(bench_read(&bench, IXGBE_QBRC_L(2)), 59);
  assert_int_equal(bench_read(&bench, IXGBE_QBRC_H(2)), 4);
  assert_int_equal(bench_read(&bench, IXGBE_QBRC_H(2)), 0);
  assert_int_equal(bench_read(&bench, IXGBE_QPTC(2)), UINT32_MAX);
}

/* Frames are counted from the wire on, wanted or not, while the receiver is on. */
static void all_frames_from_the_wire_are_counted(void **state)
{
  (void)state;
  bench_receive(&bench, 60, 1000);
  assert_int_equal(bench_read(&bench, AT_TPR), 0);
  assert_int_equal(bench_counter(&bench, "rx_disabled"), 1);
  bench_write(&bench, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
  bench_receive(&bench, 60, 2000);
  bench_receive(&bench, 1000, 3000);
  assert_int_equal(bench_read(&bench, AT_TPR), 2);
  assert_int_equal(read_pair(AT_TOR, AT_TOR + 4), 64 + 1004);
  assert_int_equal(bench_counter(&bench, "not_addressed"), 2); /* FCTRL.BAM is clear */
  assert_int_equal(bench_counter(&bench, "wire_frames_in"), 3);
  bench_write(&bench, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
  bench_receive(&bench, 60, 4000);
  bench_write(&bench, IXGBE_SECRXCTRL, 0);
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_GIO_DIS);
  bench_receive(&bench, 60, 5000);
  assert_int_equal(bench_counter(&bench, "rx_disabled"), 3);
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_RST);
  assert_int_equal(bench_read(&bench, AT_TPR), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(counters_clear_on_read),
      TEST(counters_stick_at_their_maximum),
      TEST(sums_reach_the_registers_when_one_is_read),
      TEST(pairs_carry_and_clear_by_halves),
      TEST(a_counter_that_is_none_is_left_alone),
      TEST(sizes_fall_in_their_class),
      TEST(group_addresses_are_counted_apart),
      TEST(queues_count_in_the_set_that_they_map_to),
      TEST(queue_bytes_carry_into_the_high_half),
      TEST(all_frames_from_the_wire_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
