/* SPDX-License-Identifier: BSD-2-Clause */
#include "hw/ixgbe_eeprom.h"
#include "tests/unit/twin_ixgbe_bench.h"

static struct bench bench;

static int set_up(void **state)
{
  (void)state;
  bench_open(&bench, (struct shunt_twin_ixgbe_options){
                         .trap = 1, .mac = {{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}}});
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  bench_close(&bench);
  return 0;
}

static uint16_t eerd(uint32_t word)
{
  bench_write(&bench, IXGBE_EERD, HW_FIELD(IXGBE_EERD_ADDR, word) | IXGBE_EERD_START);
  uint32_t value = bench_read(&bench, IXGBE_EERD);
  assert_true(value & IXGBE_EERD_DONE);
  return (uint16_t)HW_GET(IXGBE_EERD_DATA, value);
}

/* The sum as a driver forms it. */
static uint16_t driver_sum(void)
{
  uint16_t sum = 0;
  for (unsigned i = 0; i < IXGBE_EEPROM_CHECKSUM; i++)
    sum = (uint16_t)(sum + eerd(i));
  for (unsigned i = IXGBE_EEPROM_SECTION_FIRST; i <= IXGBE_EEPROM_SECTION_LAST; i++) {
    uint16_t pointer = eerd(i);
    if (pointer == 0xFFFF || pointer == 0)
      continue;
    uint16_t length = eerd(pointer);
    if (length == 0xFFFF || length == 0)
      continue;
    for (unsigned j = pointer + 1u; j <= pointer + (unsigned)length; j++)
      sum = (uint16_t)(sum + eerd(j));
  }
  return (uint16_t)(IXGBE_EEPROM_SUM - sum);
}

static void the_checksum_is_right(void **state)
{
  (void)state;
  static const uint16_t ids[] = {0x10FB, 0x10F9, 0x10FC};
  for (unsigned i = 0; i < 3; i++) {
    bench_close(&bench);
    bench_open(&bench, (struct shunt_twin_ixgbe_options){.device_id = ids[i]});
    assert_int_equal(driver_sum(), eerd(IXGBE_EEPROM_CHECKSUM));
    assert_int_equal(HW_GET(IXGBE_EEPROM_SIGNATURE, eerd(0)), IXGBE_EEPROM_SIGNATURE_VALID);
  }
}

static void the_address_is_in_the_core_section(void **state)
{
  (void)state;
  uint16_t core = eerd(IXGBE_EEPROM_CORE0);
  assert_int_equal(eerd(core + IXGBE_EEPROM_CORE_MAC), 0x1102);
  assert_int_equal(eerd(core + IXGBE_EEPROM_CORE_MAC + 1), 0x3322);
  assert_int_equal(eerd(core + IXGBE_EEPROM_CORE_MAC + 2), 0x5544);
}

static void the_part_number_is_text(void **state)
{
  (void)state;
  char text[64] = "";
  assert_int_equal(eerd(IXGBE_EEPROM_PBA0), IXGBE_EEPROM_PBA_GUARD);
  uint16_t block = eerd(IXGBE_EEPROM_PBA1);
  uint16_t length = eerd(block);
  assert_in_range(length, 2, 16);
  for (unsigned i = 0; i + 1 < length; i++) {
    uint16_t word = eerd(block + 1 + i);
    text[2 * i] = (char)(word >> 8);
    text[2 * i + 1] = (char)word;
  }
  assert_string_equal(text, "SHUNT-8259900");
}

static void the_sfp_list_leads_to_values_for_the_analog_block(void **state)
{
  (void)state;
  unsigned at = eerd(IXGBE_EEPROM_SFP_INIT) + 1u, types = 0;
  while (eerd(at) != IXGBE_EEPROM_SFP_END) {
    unsigned sequence = eerd(at + 1) + 1u, values = 0;
    while (eerd(sequence + values) != IXGBE_EEPROM_SFP_END)
      assert_true(++values < 16);
    assert_true(values > 0);
    at += 2;
    assert_true(++types < 16);
  }
  assert_int_equal(types, 4); /* cable and optics, on either port */
}

static void the_firmware_is_new_enough(void **state)
{
  (void)state;
  uint16_t block = eerd(IXGBE_EEPROM_FIRMWARE);
  uint16_t patch = eerd(block + IXGBE_EEPROM_FW_PATCH_POINTER);
  assert_true(eerd(patch + IXGBE_EEPROM_FW_PATCH_VERSION) >= IXGBE_EEPROM_FW_VERSION_MIN);
  assert_int_equal(eerd(block + IXGBE_EEPROM_FW_LESM_POINTER), 0xFFFF);
  assert_int_equal(eerd(IXGBE_EEPROM_DEVICE_CAPS) & 0x81, 0x81);
  assert_int_equal(eerd(IXGBE_EEPROM_SAN_MAC), 0xFFFF);
  assert_int_equal(eerd(IXGBE_EEPROM_ALT_SAN_MAC), 0xFFFF);
}

static void every_word_can_be_read_and_written(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_EEWR,
              HW_FIELD(IXGBE_EERD_ADDR, 16383u) | HW_FIELD(IXGBE_EERD_DATA, 0x1234u) |
                  IXGBE_EERD_START);
  assert_true(bench_read(&bench, IXGBE_EEWR) & IXGBE_EERD_DONE);
  assert_int_equal(eerd(16383), 0x1234);
  bench_write(&bench, IXGBE_EEWR, HW_FIELD(IXGBE_EERD_ADDR, 16383u)); /* not started */
  assert_false(bench_read(&bench, IXGBE_EEWR) & IXGBE_EERD_DONE);
  assert_int_equal(eerd(16383), 0x1234);
}

/* The address that the EEPROM holds is loaded, wherever its pointer leads. */
static void a_reset_loads_the_address_again(void **state)
{
  (void)state;
  uint16_t core = eerd(IXGBE_EEPROM_CORE0);
  bench.twin->eeprom[core + IXGBE_EEPROM_CORE_MAC] = 0x7702;
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_RST);
  assert_int_equal(bench_read(&bench, IXGBE_RAL(0)), 0x33227702);
  bench.twin->eeprom[IXGBE_EEPROM_CORE0] = 0xFFFF;
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_RST);
  assert_true(bench_read(&bench, IXGBE_RAH(0)) & IXGBE_RAH_AV);
}

/* ---- SPI, as drivers do it: data set up, clock up, clock down ---- */

static uint32_t spi_base; /* what stays set between clocks */

static void spi_out(uint32_t value, unsigned bits)
{
  while (bits--) {
    uint32_t data = value >> bits & 1 ? IXGBE_EEC_DI : 0;
    bench_write(&bench, IXGBE_EEC, spi_base | data);
    bench_write(&bench, IXGBE_EEC, spi_base | data | IXGBE_EEC_SK);
    bench_write(&bench, IXGBE_EEC, spi_base | data);
  }
}

static uint32_t spi_in(unsigned bits)
{
  uint32_t value = 0;
  while (bits--) {
    bench_write(&bench, IXGBE_EEC, spi_base | IXGBE_EEC_SK);
    value = value << 1 | !!(bench_read(&bench, IXGBE_EEC) & IXGBE_EEC_DO);
    bench_write(&bench, IXGBE_EEC, spi_base);
  }
  return value;
}

static void spi_select(void)
{
  bench_write(&bench, IXGBE_EEC, spi_base | IXGBE_EEC_CS);
  bench_write(&bench, IXGBE_EEC, spi_base);
}

static void spi_is_granted_on_request(void **state)
{
  (void)state;
  assert_false(bench_read(&bench, IXGBE_EEC) & IXGBE_EEC_GNT);
  bench_write(&bench, IXGBE_EEC, IXGBE_EEC_REQ);
  assert_true(bench_read(&bench, IXGBE_EEC) & IXGBE_EEC_GNT);
  assert_false(bench_read(&bench, IXGBE_EEC) & IXGBE_EEC_DO);
  bench_write(&bench, IXGBE_EEC, 0);
  assert_false(bench_read(&bench, IXGBE_EEC) & IXGBE_EEC_GNT);
  assert_true(bench_read(&bench, IXGBE_EEC) & IXGBE_EEC_PRES);
}

static void spi_reads_words(void **state)
{
  (void)state;
  spi_base = IXGBE_EEC_REQ;
  spi_select();
  spi_out(IXGBE_SPI_RDSR, 8);
  assert_int_equal(spi_in(8) & IXGBE_SPI_STATUS_BUSY, 0);
  static const uint32_t words[] = {0, IXGBE_EEPROM_CHECKSUM, IXGBE_EEPROM_DEVICE_CAPS, 100, 16383};
  for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    spi_select();
    spi_out(IXGBE_SPI_READ, 8);
    spi_out(2 * words[i], 16);
    uint32_t got = spi_in(16);
    assert_int_equal((got >> 8 | got << 8) & 0xFFFF, bench.twin->eeprom[words[i]]);
  }
}

static void spi_reads_on_and_wraps(void **state)
{
  (void)state;
  spi_base = IXGBE_EEC_REQ;
  bench.twin->eeprom[16383] = 0x3412;
  spi_select();
  spi_out(IXGBE_SPI_READ, 8);
  spi_out(2 * 16383, 16);
  assert_int_equal(spi_in(16), 0x1234);
  assert_int_equal(spi_in(8), bench.twin->eeprom[0] & 0xFF);
}

static void spi_without_a_grant_does_nothing(void **state)
{
  (void)state;
  spi_base = 0;
  bench.twin->eeprom[0] = 0xFFFF;
  spi_select();
  spi_out(IXGBE_SPI_READ, 8);
  spi_out(0, 16);
  assert_int_equal(spi_in(16), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(the_checksum_is_right),
      TEST(the_address_is_in_the_core_section),
      TEST(the_part_number_is_text),
      TEST(the_sfp_list_leads_to_values_for_the_analog_block),
      TEST(the_firmware_is_new_enough),
      TEST(every_word_can_be_read_and_written),
      TEST(a_reset_loads_the_address_again),
      TEST(spi_is_granted_on_request),
      TEST(spi_reads_words),
      TEST(spi_reads_on_and_wraps),
      TEST(spi_without_a_grant_does_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
