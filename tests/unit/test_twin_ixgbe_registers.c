/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/twin_ixgbe_bench.h"

static struct bench bench;

static int set_up(void **state)
{
  (void)state;
  bench_open(&bench, (struct shunt_twin_ixgbe_options){.trap = 1});
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  bench_close(&bench);
  return 0;
}

/* ---- Values after reset ---- */

static void reset_values_are_the_datasheets(void **state)
{
  (void)state;
  static const struct {
    uint32_t offset, value;
  } known[] = {
      {IXGBE_CTRL, 0},
      {IXGBE_SRRCTL(0u), 0x402},
      {IXGBE_SRRCTL(127u), 0x402},
      {IXGBE_RXPBSIZE(0), 0x80000},
      {IXGBE_RXPBSIZE(1), 0},
      {IXGBE_TXPBSIZE(0), 0x28000},
      {IXGBE_MAXFRS, 0x05EE0000},
      {IXGBE_VLNCTRL, 0x8100},
      {IXGBE_DTXTCPFLGL, 0x0F760FF6},
      {IXGBE_DTXTCPFLGH, 0xF7F},
      {IXGBE_DTXMXSZRQ, 0x10},
      {IXGBE_RXMTRL, 319u << 16},
      {IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_RDY | IXGBE_SECRXSTAT_OFF_DIS},
      {IXGBE_SECTXSTAT, IXGBE_SECTXSTAT_RDY | IXGBE_SECTXSTAT_OFF_DIS},
      {IXGBE_FWSM, IXGBE_FWSM_FW_VALID},
      {IXGBE_HICR, 0},
      {IXGBE_FACTPS, 0},
      {IXGBE_MANC, 0},
      {IXGBE_WUS, 0},
  };
  for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    assert_int_equal(bench_read(&bench, known[i].offset), known[i].value);
  assert_true(bench_read(&bench, IXGBE_RDRXCTL) & IXGBE_RDRXCTL_DMAIDONE);
  assert_true(bench_read(&bench, IXGBE_DCA_RXCTRL(0u)) & IXGBE_DCA_RXCTRL_RESERVED_12);
  uint32_t eec = bench_read(&bench, IXGBE_EEC);
  assert_true(eec & IXGBE_EEC_PRES);
  assert_true(eec & IXGBE_EEC_ARD);
  assert_int_equal(HW_GET(IXGBE_EEC_SIZE, eec), 8);
}

static void the_mac_address_is_loaded(void **state)
{
  (void)state;
  assert_int_equal(bench_read(&bench, IXGBE_RAL(0)), 0x82000002);
  assert_int_equal(bench_read(&bench, IXGBE_RAH(0)), IXGBE_RAH_AV | 0x9059);
  assert_int_equal(bench_read(&bench, IXGBE_RAH(1)), 0);
}

/* A row whose stride or count is wrong would put one register over another. */
static void every_register_answers_with_its_own_reset_value(void **state)
{
  (void)state;
  unsigned registers = 0;
  for (uint32_t offset = 0; offset < IXGBE_BAR_REGISTERS_BYTES; offset += 4) {
    const struct twin_ixgbe_register *what = twin_ixgbe_register_at(bench.twin, offset);
    if (!what)
      continue;
    registers++;
    uint32_t index = (offset - what->first) / what->stride;
    assert_true(offset >= what->first && index < what->count);
    assert_int_equal(what->first + index * what->stride, offset);
    bool is_own = what->effect == TWIN_IXGBE_PLAIN && (offset < IXGBE_RAL(0) || offset >= 0xA800);
    if (is_own && offset != IXGBE_AUTOC && offset != IXGBE_LINKS2)
      assert_int_equal(bench_read(&bench, offset), what->reset);
  }
  assert_true(registers > 4000);
  assert_int_equal(bench_counter(&bench, "unknown_register"), 0);
}

/* As DPDK's statistics do, although nothing is ever encrypted. */
static void linksec_counters_are_there_and_0(void **state)
{
  (void)state;
  for (unsigned i = 0; i < IXGBE_LSECTX_COUNTERS; i++)
    assert_int_equal(bench_read(&bench, IXGBE_LSECTX_COUNTER(i)), 0);
  for (unsigned i = 0; i < IXGBE_LSECRX_COUNTERS; i++)
    assert_int_equal(bench_read(&bench, IXGBE_LSECRX_COUNTER(i)), 0);
  assert_int_equal(bench_counter(&bench, "unknown_register"), 0);
}

static void an_unknown_register_reads_0_and_is_counted(void **state)
{
  (void)state;
  static const uint32_t unknown[] = {0x0000C, 0x0FFFC, 0x1FFFC, 0x20000, 0x7FFFC};
  for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
    bench_write(&bench, unknown[i], UINT32_MAX);
    assert_int_equal(bench_read(&bench, unknown[i]), 0);
  }
  assert_int_equal(bench_counter(&bench, "unknown_register"), 10);
}

/* ---- Writes ---- */

static void plain_registers_keep_what_is_written(void **state)
{
  (void)state;
  static const uint32_t plain[] = {
      IXGBE_VFTA(0),       IXGBE_VFTA(127), IXGBE_MTA(127), IXGBE_PFUTA(127), IXGBE_MPSAR_HI(127),
      IXGBE_RAH(127),      IXGBE_RETA(31),  IXGBE_RSSRK(9), IXGBE_FCRTH(7),   IXGBE_FCCFG,
      IXGBE_MFLCN,         IXGBE_FTQF(127), IXGBE_IVAR(63), IXGBE_RDBAL(64u), IXGBE_TDBAH(127),
      IXGBE_FLEX_MNG(447), IXGBE_RDT(127u), IXGBE_RTTBCNRC, IXGBE_FLA};
  for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
    bench_write(&bench, plain[i], 0xA5A50000u + i);
  for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
    assert_int_equal(bench_read(&bench, plain[i]), 0xA5A50000u + i);
}

static void read_only_bits_stay(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_STATUS, UINT32_MAX);
  assert_int_not_equal(bench_read(&bench, IXGBE_STATUS), UINT32_MAX);
  bench_write(&bench, IXGBE_RDRXCTL, 0);
  assert_int_equal(bench_read(&bench, IXGBE_RDRXCTL), IXGBE_RDRXCTL_DMAIDONE);
  bench_write(&bench, IXGBE_FWSM, 0);
  assert_int_equal(bench_read(&bench, IXGBE_FWSM), IXGBE_FWSM_FW_VALID);
  bench_write(&bench, IXGBE_HICR, IXGBE_HICR_C);
  assert_int_equal(bench_read(&bench, IXGBE_HICR), 0);
  bench_write(&bench, IXGBE_GCR, 0);
  assert_int_equal(bench_read(&bench, IXGBE_GCR), IXGBE_GCR_CAP_VER2);
}

static void aliases_are_the_same_registers(void **state)
{
  (void)state;
  static const uint32_t pairs[][2] = {
      {IXGBE_RAL_ALIAS(0), IXGBE_RAL(0)},
      {IXGBE_RAH_ALIAS(15), IXGBE_RAH(15)},
      {IXGBE_SRRCTL_ALIAS(0), IXGBE_SRRCTL(0u)},
      {IXGBE_SRRCTL_ALIAS(15), IXGBE_SRRCTL(15u)},
      {IXGBE_DCA_RXCTRL_ALIAS(3), IXGBE_DCA_RXCTRL(3u)},
      {IXGBE_PSRTYPE_ALIAS(15), IXGBE_PSRTYPE(15)},
      {IXGBE_TQSM_ALIAS(7), IXGBE_TQSM(7)},
  };
  for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    bench_write(&bench, pairs[i][0], 0x1000 + i);
    assert_int_equal(bench_read(&bench, pairs[i][1]), 0x1000 + i);
    bench_write(&bench, pairs[i][1], 0x2000 + i);
    assert_int_equal(bench_read(&bench, pairs[i][0]), 0x2000 + i);
  }
}

static void wake_up_status_is_cleared_by_ones(void **state)
{
  (void)state;
  twin_ixgbe_set(bench.twin, IXGBE_WUS, 0xFF);
  bench_write(&bench, IXGBE_WUS, 0x0F);
  assert_int_equal(bench_read(&bench, IXGBE_WUS), 0xF0);
}

static void widths(void **state)
{
  (void)state;
  shunt_model_bar_write(bench.model, 0, IXGBE_RAL(5), 8, UINT64_C(0x1111222233334444));
  assert_int_equal(bench_read(&bench, IXGBE_RAL(5)), 0x33334444);
  assert_int_equal(bench_read(&bench, IXGBE_RAH(5)), 0x11112222);
  assert_int_equal(shunt_model_bar_read(bench.model, 0, IXGBE_RAL(5), 8),
                   UINT64_C(0x1111222233334444));
  assert_int_equal(shunt_model_bar_read(bench.model, 0, IXGBE_RAL(5), 2), UINT64_MAX);
  shunt_model_bar_write(bench.model, 0, IXGBE_RAL(5), 1, 0);
  assert_int_equal(bench_read(&bench, IXGBE_RAL(5)), 0x33334444);
  shunt_model_bar_read(bench.model, 0, TWIN_IXGBE_BAR0_BYTES, 4);
  shunt_model_bar_read(bench.model, 2, 0, 4); /* no I/O BAR */
  assert_int_equal(bench_counter(&bench, "bad_access"), 4);
}

/* ---- Control ---- */

static void reset_clears_itself_and_what_was_set_up(void **state)
{
  (void)state;
  static const uint32_t bits[] = {IXGBE_CTRL_RST, IXGBE_CTRL_LNK_RST,
                                  IXGBE_CTRL_RST | IXGBE_CTRL_LNK_RST};
  for (unsigned i = 0; i < 3; i++) {
    bench_write(&bench, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
    bench_write(&bench, IXGBE_RAL(0), 0);
    bench_write(&bench, IXGBE_VFTA(5), 1);
    bench_write(&bench, IXGBE_SRRCTL(7u), 0);
    bench_write(&bench, IXGBE_RXDCTL(7u), IXGBE_RXDCTL_ENABLE);
    bench_write(&bench, IXGBE_TXDCTL(9), IXGBE_TXDCTL_ENABLE);
    bench_write(&bench, IXGBE_CTRL, bits[i]);
    assert_int_equal(bench_read(&bench, IXGBE_CTRL), 0);
    assert_int_equal(bench_read(&bench, IXGBE_RXCTRL), 0);
    assert_int_equal(bench_read(&bench, IXGBE_RAL(0)), 0x82000002);
    assert_int_equal(bench_read(&bench, IXGBE_VFTA(5)), 0);
    assert_int_equal(bench_read(&bench, IXGBE_SRRCTL(7u)), 0x402);
    assert_int_equal(bench_read(&bench, IXGBE_RXDCTL(7u)), 0);
    assert_int_equal(bench_read(&bench, IXGBE_TXDCTL(9)), 0);
    assert_int_equal(bench.twin->rx_enabled[0] | bench.twin->tx_enabled[0], 0);
  }
}

static void a_mac_reset_leaves_link_set_up_and_semaphores(void **state)
{
  (void)state;
  uint32_t autoc = bench_read(&bench, IXGBE_AUTOC) ^ IXGBE_AUTOC_1G_PMA_PMD;
  bench_write(&bench, IXGBE_AUTOC, autoc);
  bench_write(&bench, IXGBE_SW_FW_SYNC, IXGBE_SYNC_PHY0);
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_RST);
  assert_int_equal(bench_read(&bench, IXGBE_AUTOC), autoc);
  assert_int_equal(bench_read(&bench, IXGBE_SW_FW_SYNC), IXGBE_SYNC_PHY0);
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_LNK_RST);
  assert_int_equal(bench_read(&bench, IXGBE_AUTOC), autoc ^ IXGBE_AUTOC_1G_PMA_PMD);
  assert_int_equal(bench_read(&bench, IXGBE_SW_FW_SYNC), IXGBE_SYNC_PHY0);
  shunt_model_reset(bench.model);
  assert_int_equal(bench_read(&bench, IXGBE_SW_FW_SYNC), 0);
}

static void gio_disable_drops_status_gio(void **state)
{
  (void)state;
  assert_true(bench_read(&bench, IXGBE_STATUS) & IXGBE_STATUS_GIO);
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_GIO_DIS);
  assert_true(bench_read(&bench, IXGBE_CTRL) & IXGBE_CTRL_GIO_DIS);
  assert_false(bench_read(&bench, IXGBE_STATUS) & IXGBE_STATUS_GIO);
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_RST);
  assert_true(bench_read(&bench, IXGBE_STATUS) & IXGBE_STATUS_GIO);
}

static void the_software_semaphore_is_read_to_set(void **state)
{
  (void)state;
  assert_int_equal(bench_read(&bench, IXGBE_SWSM), 0);
  assert_int_equal(bench_read(&bench, IXGBE_SWSM), IXGBE_SWSM_SMBI);
  bench_write(&bench, IXGBE_SWSM, IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI);
  assert_int_equal(bench_read(&bench, IXGBE_SWSM), IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI);
  bench_write(&bench, IXGBE_SWSM, 0);
  assert_int_equal(bench_read(&bench, IXGBE_SWSM), 0);
}

static void the_free_running_timer_runs(void **state)
{
  (void)state;
  shunt_model_poll(bench.model, 5000000);
  assert_int_equal(bench_read(&bench, IXGBE_FRTIMER), 5000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(reset_values_are_the_datasheets),
      TEST(the_mac_address_is_loaded),
      TEST(every_register_answers_with_its_own_reset_value),
      TEST(linksec_counters_are_there_and_0),
      TEST(an_unknown_register_reads_0_and_is_counted),
      TEST(plain_registers_keep_what_is_written),
      TEST(read_only_bits_stay),
      TEST(aliases_are_the_same_registers),
      TEST(wake_up_status_is_cleared_by_ones),
      TEST(widths),
      TEST(reset_clears_itself_and_what_was_set_up),
      TEST(a_mac_reset_leaves_link_set_up_and_semaphores),
      TEST(gio_disable_drops_status_gio),
      TEST(the_software_semaphore_is_read_to_set),
      TEST(the_free_running_timer_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
