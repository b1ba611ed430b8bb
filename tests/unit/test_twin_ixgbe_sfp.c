/* SPDX-License-Identifier: BSD-2-Clause */
#include "hw/sfp.h"
#include "tests/unit/twin_ixgbe_bench.h"

static struct bench bench;

static void reopen(enum shunt_twin_module module, uint16_t device_id)
{
  bench_close(&bench);
  bench_open(&bench, (struct shunt_twin_ixgbe_options){
                         .trap = 1, .module = module, .device_id = device_id});
}

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

/* ---- A bus master, in the steps of a driver ---- */

static bool lines(bool clock, bool data)
{
  bench_write(&bench, IXGBE_I2CCTL,
              (clock ? IXGBE_I2CCTL_CLK_OUT : 0) | (data ? IXGBE_I2CCTL_DATA_OUT : 0));
  uint32_t wires = bench_read(&bench, IXGBE_I2CCTL);
  assert_int_equal(!!(wires & IXGBE_I2CCTL_CLK_IN), clock); /* never stretched */
  return wires & IXGBE_I2CCTL_DATA_IN;
}

static void start(void)
{
  lines(false, true);
  lines(true, true);
  lines(true, false);
  lines(false, false);
}

static void stop(void)
{
  lines(false, false);
  lines(true, false);
  lines(true, true);
}

static bool clock_bit(bool data)
{
  lines(false, data);
  bool seen = lines(true, data);
  lines(false, data);
  return seen;
}

/* True: acknowledged. */
static bool send(uint8_t byte)
{
  for (int bit = 7; bit >= 0; bit--)
    clock_bit(byte >> bit & 1);
  return !clock_bit(true);
}

static uint8_t receive(bool is_last)
{
  uint8_t byte = 0;
  for (unsigned i = 0; i < 8; i++)
    byte = (uint8_t)(byte << 1 | clock_bit(true));
  clock_bit(is_last);
  return byte;
}

static uint8_t read_byte(uint8_t device, uint8_t offset)
{
  start();
  assert_true(send(device));
  assert_true(send(offset));
  start();
  assert_true(send(device | 1));
  uint8_t byte = receive(true);
  stop();
  return byte;
}

static uint8_t page_sum(uint8_t device, unsigned first, unsigned last)
{
  unsigned sum = 0;
  for (unsigned i = first; i <= last; i++)
    sum += read_byte(device, (uint8_t)i);
  return (uint8_t)sum;
}

/* ---- Tests ---- */

static void an_idle_bus_is_high(void **state)
{
  (void)state;
  assert_int_equal(bench_read(&bench, IXGBE_I2CCTL), IXGBE_I2CCTL_CLK_OUT | IXGBE_I2CCTL_DATA_OUT |
                                                         IXGBE_I2CCTL_CLK_IN |
                                                         IXGBE_I2CCTL_DATA_IN);
}

static void a_copper_cable_says_so(void **state)
{
  (void)state;
  assert_int_equal(read_byte(0xA0, SFP_IDENTIFIER), SFP_IDENTIFIER_SFP);
  assert_int_equal(read_byte(0xA0, SFP_CONNECTOR), SFP_CONNECTOR_COPPER_PIGTAIL);
  assert_int_equal(read_byte(0xA0, SFP_10G_CODES), 0);
  assert_int_equal(read_byte(0xA0, SFP_FC_TECHNOLOGY), SFP_PASSIVE_CABLE);
  assert_int_equal(read_byte(0xA0, SFP_LENGTH_COPPER_M), 1);
  assert_int_equal(read_byte(0xA0, SFP_DIAGNOSTICS_TYPE), 0);
  assert_int_equal(page_sum(0xA0, 0, 62), read_byte(0xA0, SFP_CC_BASE));
  assert_int_equal(page_sum(0xA0, 64, 94), read_byte(0xA0, SFP_CC_EXT));
  start();
  assert_false(send(0xA2)); /* it has no diagnostics */
  stop();
}

static void optics_say_so_and_are_healthy(void **state)
{
  (void)state;
  reopen(SHUNT_TWIN_MODULE_SR, 0);
  assert_int_equal(read_byte(0xA0, SFP_10G_CODES), SFP_10G_SR);
  assert_int_equal(read_byte(0xA0, SFP_FC_TECHNOLOGY), 0);
  assert_int_equal(read_byte(0xA0, SFP_WAVELENGTH_NM) << 8 | read_byte(0xA0, 61), 850);
  assert_true(read_byte(0xA0, SFP_DIAGNOSTICS_TYPE) & SFP_DIAGNOSTICS_IMPLEMENTED);
  assert_int_equal(page_sum(0xA0, 0, 62), read_byte(0xA0, SFP_CC_BASE));
  assert_int_equal(page_sum(0xA2, 0, 94), read_byte(0xA2, 95));
  for (unsigned value = 0; value < 5; value++) { /* each live value inside its warning limits */
    unsigned live = 96 + 2 * value, limits = 8 * value;
    unsigned now = read_byte(0xA2, (uint8_t)live) << 8 | read_byte(0xA2, (uint8_t)(live + 1));
    unsigned high =
        read_byte(0xA2, (uint8_t)(limits + 4)) << 8 | read_byte(0xA2, (uint8_t)(limits + 5));
    unsigned low =
        read_byte(0xA2, (uint8_t)(limits + 6)) << 8 | read_byte(0xA2, (uint8_t)(limits + 7));
    assert_in_range(now, low, high);
  }
}

static void a_sequential_read_goes_on_and_wraps(void **state)
{
  (void)state;
  start();
  assert_true(send(0xA0));
  assert_true(send(254));
  start();
  assert_true(send(0xA1));
  for (unsigned i = 0; i < 5; i++)
    assert_int_equal(receive(i == 4), bench.twin->sfp_a0[(254 + i) % 256]);
  stop();
  start(); /* a current-address read: where the last one ended */
  assert_true(send(0xA1));
  assert_int_equal(receive(true), bench.twin->sfp_a0[3]);
  stop();
}

static void data_lines_stay_free_after_the_last_byte(void **state)
{
  (void)state;
  read_byte(0xA0, 0);
  for (unsigned i = 0; i < 9; i++)
    assert_true(clock_bit(true));
}

static void others_addresses_are_not_acknowledged(void **state)
{
  (void)state;
  for (unsigned address = 0; address < 256; address += 2) {
    start();
    assert_int_equal(send((uint8_t)address), address == 0xA0);
    stop();
  }
  assert_int_equal(read_byte(0xA0, 0), SFP_IDENTIFIER_SFP); /* and nothing is upset */
}

static void writes_are_taken_and_forgotten(void **state)
{
  (void)state;
  start();
  assert_true(send(0xA0));
  assert_true(send(0));
  assert_true(send(0xFF));
  stop();
  assert_int_equal(read_byte(0xA0, 0), SFP_IDENTIFIER_SFP);
}

static void a_stop_in_the_middle_of_a_byte_ends_the_transfer(void **state)
{
  (void)state;
  start();
  for (unsigned i = 0; i < 5; i++)
    clock_bit(true);
  stop();
  assert_int_equal(read_byte(0xA0, 0), SFP_IDENTIFIER_SFP);
}

static void without_a_module_nobody_answers(void **state)
{
  (void)state;
  static const struct {
    enum shunt_twin_module module;
    uint16_t device_id;
  } empty[] = {{SHUNT_TWIN_MODULE_NONE, 0x10FB}, {SHUNT_TWIN_MODULE_CU, 0x10F9}};
  for (unsigned i = 0; i < 2; i++) {
    reopen(empty[i].module, empty[i].device_id);
    start();
    assert_false(send(0xA0));
    stop();
    assert_false(bench_read(&bench, IXGBE_ESDP) & IXGBE_ESDP_SFP_PRESENT);
  }
  reopen(SHUNT_TWIN_MODULE_SR, 0);
  assert_true(bench_read(&bench, IXGBE_ESDP) & IXGBE_ESDP_SFP_PRESENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(an_idle_bus_is_high),
      TEST(a_copper_cable_says_so),
      TEST(optics_say_so_and_are_healthy),
      TEST(a_sequential_read_goes_on_and_wraps),
      TEST(data_lines_stay_free_after_the_last_byte),
      TEST(others_addresses_are_not_acknowledged),
      TEST(writes_are_taken_and_forgotten),
      TEST(a_stop_in_the_middle_of_a_byte_ends_the_transfer),
      TEST(without_a_module_nobody_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
