/* SPDX-License-Identifier: BSD-2-Clause */
/* The semaphores: taken and given back, left over from the dead, kept by the firmware. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ixgbe_fake.h"

struct bench {
  struct fake fake;
  struct ixgbe ixgbe;
  struct shunt_error error;
};

static int set_up(void **state)
{
  struct bench *bench = calloc(1, sizeof(*bench));
  *state = bench;
  if (!bench)
    return -1;
  fake_init(&bench->fake, 0x10FB);
  bench->ixgbe.pci = &bench->fake.pci;
  return 0;
}

static int tear_down(void **state)
{
  free(*state);
  return 0;
}

static uint32_t sync_of(struct bench *bench)
{
  return *fake_register(&bench->fake, IXGBE_SW_FW_SYNC);
}

static void is_taken_and_given_back(void **state)
{
  struct bench *bench = *state;
  *fake_register(&bench->fake, IXGBE_SW_FW_SYNC) = IXGBE_SYNC_PHY1; /* the other port's */
  assert_int_equal(ixgbe_acquire(&bench->ixgbe, IXGBE_SYNC_EEPROM, &bench->error), 0);
  assert_int_equal(sync_of(bench), IXGBE_SYNC_EEPROM | IXGBE_SYNC_PHY1);
  assert_int_equal(*fake_register(&bench->fake, IXGBE_SWSM), 0); /* only held in between */
  ixgbe_release(&bench->ixgbe, IXGBE_SYNC_EEPROM);
  assert_int_equal(sync_of(bench), IXGBE_SYNC_PHY1);
  assert_int_equal(*fake_register(&bench->fake, IXGBE_SWSM), 0);
}

static void a_dead_programs_semaphore_is_taken_over(void **state)
{
  struct bench *bench = *state;
  *fake_register(&bench->fake, IXGBE_SWSM) = IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI;
  assert_int_equal(ixgbe_acquire(&bench->ixgbe, IXGBE_SYNC_EEPROM, &bench->error), 0);
  ixgbe_release(&bench->ixgbe, IXGBE_SYNC_EEPROM);
  *fake_register(&bench->fake, IXGBE_SW_FW_SYNC) = IXGBE_SYNC_EEPROM;
  assert_int_equal(ixgbe_acquire(&bench->ixgbe, IXGBE_SYNC_EEPROM, &bench->error), 0);
  ixgbe_release(&bench->ixgbe, IXGBE_SYNC_EEPROM);
  assert_int_equal(sync_of(bench), 0);
  assert_true(bench->fake.time.now_ns < UINT64_C(2000000000));
}

static void the_firmwares_is_not(void **state)
{
  struct bench *bench = *state;
  uint32_t firmware = IXGBE_SYNC_EEPROM << IXGBE_SYNC_FW_SHIFT;
  *fake_register(&bench->fake, IXGBE_SW_FW_SYNC) = firmware;
  assert_int_equal(ixgbe_acquire(&bench->ixgbe, IXGBE_SYNC_EEPROM, &bench->error), -EBUSY);
  assert_non_null(strstr(bench->error.what, "firmware"));
  assert_non_null(strstr(bench->error.why, "SW_FW_SYNC"));
  assert_int_equal(sync_of(bench), firmware);
  assert_int_equal(*fake_register(&bench->fake, IXGBE_SWSM), 0);

  fake_init(&bench->fake, 0x10FB);
  bench->fake.stuck_offset = IXGBE_SWSM;
  bench->fake.stuck_mask = IXGBE_SWSM_SWESMBI;
  assert_int_equal(ixgbe_acquire(&bench->ixgbe, IXGBE_SYNC_EEPROM, &bench->error), -ETIMEDOUT);
  assert_non_null(strstr(bench->error.why, "SWESMBI"));
  assert_int_equal(*fake_register(&bench->fake, IXGBE_SWSM) & IXGBE_SWSM_SMBI, 0);
}

static void is_given_back_also_where_a_read_fails(void **state)
{
  struct bench *bench = *state;
  uint16_t words[2];
  bench->fake.stuck_offset = IXGBE_EERD;
  bench->fake.stuck_mask = IXGBE_EERD_DONE;
  assert_int_equal(ixgbe_eeprom_read(&bench->ixgbe, 5, words, 2, &bench->error), -ETIMEDOUT);
  assert_non_null(strstr(bench->error.what, "EERD.DONE"));
  assert_int_equal(sync_of(bench), 0);
}

static void reads_the_words_asked_for(void **state)
{
  struct bench *bench = *state;
  uint16_t words[3] = {0};
  bench->fake.eeprom[0x2C] = 0x1234;
  assert_int_equal(ixgbe_eeprom_read(&bench->ixgbe, 0x2B, words, 3, &bench->error), 0);
  for (unsigned i = 0; i < 3; i++) {
    uint32_t command = HW_FIELD(IXGBE_EERD_ADDR, 0x2Bu + i) | IXGBE_EERD_START;
    assert_true(fake_find(&bench->fake, 0, IXGBE_EERD, UINT32_MAX, command) < FAKE_TRACE);
    assert_int_equal(words[i], i == 1 ? 0x1234 : 0xFFFF);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(is_taken_and_given_back),   TEST(a_dead_programs_semaphore_is_taken_over),
      TEST(the_firmwares_is_not),      TEST(is_given_back_also_where_a_read_fails),
      TEST(reads_the_words_asked_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
