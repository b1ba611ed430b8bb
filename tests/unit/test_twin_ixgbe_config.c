/* SPDX-License-Identifier: BSD-2-Clause */
#include "hw/pci.h"
#include "tests/unit/twin_ixgbe_bench.h"

static struct bench bench;

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

static uint32_t config(unsigned offset, unsigned bytes)
{
  return shunt_model_config_read(bench.model, offset, bytes);
}

static void config_write(unsigned offset, unsigned bytes, uint32_t value)
{
  shunt_model_config_write(bench.model, offset, bytes, value);
}

static void it_says_what_it_is(void **state)
{
  (void)state;
  static const uint16_t ids[] = {0x10FB, 0x10F9, 0x10FC};
  for (unsigned i = 0; i < 3; i++) {
    bench_close(&bench);
    bench_open(&bench, (struct shunt_twin_ixgbe_options){.device_id = ids[i]});
    assert_int_equal(config(PCI_CFG_VENDOR_ID, 2), 0x8086);
    assert_int_equal(config(PCI_CFG_DEVICE_ID, 2), ids[i]);
    assert_int_equal(config(PCI_CFG_CLASS, 2) | config(PCI_CFG_CLASS + 2, 1) << 16, 0x020000);
    assert_int_equal(config(PCI_CFG_SUBSYSTEM_VENDOR, 2), 0x8086);
    assert_int_equal(config(PCI_CFG_INTERRUPT_PIN, 1), 1);
  }
}

/* The way a host finds them, and where drivers expect them. */
static void the_capabilities_are_linked(void **state)
{
  (void)state;
  static const uint8_t expected[][2] = {{0x40, PCI_CAPABILITY_PM},
                                        {0x50, PCI_CAPABILITY_MSI},
                                        {0x70, PCI_CAPABILITY_MSIX},
                                        {0xA0, PCI_CAPABILITY_PCIE}};
  assert_true(config(PCI_CFG_STATUS, 2) & PCI_STATUS_CAPABILITIES);
  uint32_t at = config(PCI_CFG_CAPABILITIES, 1);
  for (unsigned i = 0; i < 4; i++) {
    assert_int_equal(at, expected[i][0]);
    assert_int_equal(config(at, 1), expected[i][1]);
    at = config(at + 1, 1);
  }
  assert_int_equal(at, 0);
  assert_int_equal(config(0x72, 2), 63);         /* MSI-X: 64 vectors */
  assert_int_equal(config(0x74, 4), 4);          /* table in BAR 4 */
  assert_int_equal(config(0x78, 4), 0x2000 | 4); /* and pending bits */
  assert_true(config(0xA4, 4) & PCI_PCIE_DEVICE_CAPABILITIES_FLR);
  assert_int_equal(config(0xB2, 2) & 0x3FF, 0x82); /* 8 lanes of 5 GT/s */
}

static void extended_capabilities_hold_the_serial_number(void **state)
{
  (void)state;
  assert_int_equal(config(0x100, 2), 1); /* AER */
  uint32_t at = config(0x100, 4) >> 20;
  assert_int_equal(config(at, 2), 3);
  assert_int_equal(config(at, 4) >> 20, 0);
  assert_int_equal(config(at + 4, 4), 0xFF825990);
  assert_int_equal(config(at + 8, 4), 0x020000FF);
}

static void bars_can_be_sized(void **state)
{
  (void)state;
  for (unsigned bar = 0; bar < PCI_BARS; bar++)
    config_write(PCI_CFG_BAR(bar), 4, UINT32_MAX);
  assert_int_equal(config(PCI_CFG_BAR(0), 4),
                   0xFFF80000u | PCI_BAR_TYPE_64 | PCI_BAR_PREFETCH); /* 512 KiB */
  assert_int_equal(config(PCI_CFG_BAR(1), 4), UINT32_MAX);
  assert_int_equal(config(PCI_CFG_BAR(2), 4), 0);
  assert_int_equal(config(PCI_CFG_BAR(3), 4), 0);
  assert_int_equal(config(PCI_CFG_BAR(4), 4),
                   0xFFFFC000u | PCI_BAR_TYPE_64 | PCI_BAR_PREFETCH); /* 16 KiB */
  assert_int_equal(config(PCI_CFG_BAR(5), 4), UINT32_MAX);
}

static void what_identifies_it_can_not_be_written(void **state)
{
  (void)state;
  for (unsigned offset = 0; offset < 16; offset += 4)
    if (offset != 4 && offset != 12)
      config_write(offset, 4, 0x5A5A5A5A);
  assert_int_equal(config(0, 4), 0x10FB8086);
  config_write(PCI_CFG_COMMAND, 2, 0xFFFF);
  assert_int_equal(config(PCI_CFG_COMMAND, 2), 0x0546);
  assert_int_equal(config(PCI_CFG_REVISION, 1), 1);
}

static void function_level_reset_resets(void **state)
{
  (void)state;
  config_write(PCI_CFG_COMMAND, 2, PCI_CMD_BUS_MASTER);
  config_write(0x72, 2, PCI_MSIX_CONTROL_ENABLE);
  bench_write(&bench, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
  bench_write(&bench, IXGBE_SW_FW_SYNC, 1);
  bench_write(&bench, IXGBE_TXDCTL(0), IXGBE_TXDCTL_ENABLE);
  config_write(0xA8, 2, config(0xA8, 2) | PCI_PCIE_DEVICE_CONTROL_FLR);
  assert_false(config(0xA8, 2) & PCI_PCIE_DEVICE_CONTROL_FLR);
  assert_int_equal(config(PCI_CFG_COMMAND, 2), 0);
  assert_int_equal(config(0x72, 2), 63);
  assert_int_equal(bench_read(&bench, IXGBE_RXCTRL), 0);
  assert_int_equal(bench_read(&bench, IXGBE_SW_FW_SYNC), 0);
  assert_int_equal(bench.twin->tx_enabled[0], 0);
}

static void waking_from_d3_resets(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
  config_write(0x44, 2, 3);
  assert_int_equal(bench_read(&bench, IXGBE_RXCTRL), IXGBE_RXCTRL_RXEN);
  config_write(0x44, 2, 0);
  assert_int_equal(bench_read(&bench, IXGBE_RXCTRL), 0);
}

static void the_msix_table_is_kept_and_begins_masked(void **state)
{
  (void)state;
  for (unsigned vector = 0; vector < TWIN_IXGBE_VECTORS; vector++) {
    uint64_t entry = vector * PCI_MSIX_ENTRY_BYTES;
    assert_int_equal(
        shunt_model_bar_read(bench.model, IXGBE_BAR_MSIX, entry + PCI_MSIX_ENTRY_CONTROL, 4), 1);
  }
  shunt_model_bar_write(bench.model, IXGBE_BAR_MSIX, 16, 8, UINT64_C(0x1122334455667788));
  assert_int_equal(shunt_model_bar_read(bench.model, IXGBE_BAR_MSIX, 20, 4), 0x11223344);
  shunt_model_bar_write(bench.model, IXGBE_BAR_MSIX, IXGBE_MSIX_PBA, 8, UINT64_MAX);
  assert_int_equal(shunt_model_bar_read(bench.model, IXGBE_BAR_MSIX, IXGBE_MSIX_PBA, 8), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(it_says_what_it_is),
      TEST(the_capabilities_are_linked),
      TEST(extended_capabilities_hold_the_serial_number),
      TEST(bars_can_be_sized),
      TEST(what_identifies_it_can_not_be_written),
      TEST(function_level_reset_resets),
      TEST(waking_from_d3_resets),
      TEST(the_msix_table_is_kept_and_begins_masked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
