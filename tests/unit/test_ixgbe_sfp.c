/* SPDX-License-Identifier: BSD-2-Clause */
/* The module's bus when nobody plays along, and the settings that the EEPROM keeps for modules. The
 * bus at work is tested with the link, on the twin. */
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

static void nobody_answers(void **state)
{
  struct bench *bench = *state;
  assert_int_equal(ixgbe_sfp_identify(&bench->ixgbe, &bench->error), 0);
  assert_int_equal(bench->ixgbe.module.kind, IXGBE_MODULE_NONE);
  *fake_register(&bench->fake, IXGBE_ESDP) = IXGBE_ESDP_SFP_PRESENT;
  assert_int_equal(ixgbe_sfp_identify(&bench->ixgbe, &bench->error), 0);
  assert_int_equal(bench->ixgbe.module.kind, IXGBE_MODULE_UNREADABLE);
  assert_int_equal(*fake_register(&bench->fake, IXGBE_SW_FW_SYNC), 0);
}

/* A clock line held low, a data line held low: the bus is given up in time, and the semaphore. */
static void a_line_is_stuck(void **state)
{
  struct bench *bench = *state;
  static const uint32_t lines[] = {IXGBE_I2CCTL_CLK_IN, IXGBE_I2CCTL_DATA_IN};
  for (unsigned i = 0; i < 2; i++) {
    fake_init(&bench->fake, 0x10FB);
    bench->fake.stuck_offset = IXGBE_I2CCTL;
    bench->fake.stuck_mask = lines[i];
    assert_int_equal(ixgbe_sfp_identify(&bench->ixgbe, &bench->error), 0);
    /* Data held low looks like acknowledges and zeros: an identifier that nobody knows. */
    assert_int_equal(bench->ixgbe.module.kind, i == 0 ? IXGBE_MODULE_NONE : IXGBE_MODULE_UNKNOWN);
    assert_true(bench->fake.time.now_ns < UINT64_C(1000000000));
    assert_int_equal(*fake_register(&bench->fake, IXGBE_SW_FW_SYNC), 0);
  }
}

/* The list at word 0x300, for both ports' cables and optics; the settings behind it. */
static void write_list(struct fake *fake)
{
  static const uint16_t list[] = {0xABCD, 3, 0x400, 4, 0x410, 5, 0x420, 6, 0x430, 0xFFFF};
  fake->eeprom[0x2B] = 0x300;
  memcpy(fake->eeprom + 0x300, list, sizeof(list));
  for (unsigned i = 0; i < 4; i++) {
    uint16_t *settings = fake->eeprom + 0x400 + 16 * i;
    settings[0] = 0x7777; /* a word to skip */
    settings[1] = (uint16_t)(0x1100 + i);
    settings[2] = (uint16_t)(0x2200 + i);
    settings[3] = 0xFFFF;
  }
}

static unsigned count_settings(const struct fake *fake)
{
  unsigned count = 0;
  for (unsigned i = 0; i < fake->writes; i++)
    count += fake->trace[i].offset == IXGBE_CORECTL;
  return count;
}

static void each_module_gets_its_settings(void **state)
{
  struct bench *bench = *state;
  static const struct {
    enum ixgbe_module_kind kind;
    unsigned lan, index;
  } cases[] = {{IXGBE_MODULE_DA_PASSIVE, 0, 0}, {IXGBE_MODULE_DA_PASSIVE, 1, 1},
               {IXGBE_MODULE_SR, 0, 2},         {IXGBE_MODULE_LR, 1, 3},
               {IXGBE_MODULE_DA_ACTIVE, 0, 2},  {IXGBE_MODULE_1G, 1, 3}};
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct fake *fake = &bench->fake;
    fake_init(fake, 0x10FB);
    write_list(fake);
    bench->ixgbe.module.kind = cases[i].kind;
    bench->ixgbe.lan = cases[i].lan;
    assert_int_equal(ixgbe_sfp_tune(&bench->ixgbe, &bench->error), 0);
    assert_int_equal(count_settings(fake), 2);
    unsigned first = fake_find(fake, 0, IXGBE_CORECTL, UINT32_MAX, 0x1100 + cases[i].index);
    assert_true(fake_find(fake, first, IXGBE_CORECTL, UINT32_MAX, 0x2200 + cases[i].index) <
                FAKE_TRACE);
    assert_int_equal(*fake_register(fake, IXGBE_SW_FW_SYNC), 0);
  }
}

static void a_list_of_rubbish_ends(void **state)
{
  struct bench *bench = *state;
  struct fake *fake = &bench->fake;
  bench->ixgbe.module.kind = IXGBE_MODULE_SR;
  assert_int_equal(ixgbe_sfp_tune(&bench->ixgbe, &bench->error), 0); /* no list */
  assert_int_equal(count_settings(fake), 0);
  write_list(fake);
  fake->eeprom[0x300 + 5] = 9; /* not in the list */
  assert_int_equal(ixgbe_sfp_tune(&bench->ixgbe, &bench->error), 0);
  assert_int_equal(count_settings(fake), 0);
  for (unsigned i = 0; i < 4096; i++)
    fake->eeprom[i] = 7; /* a list and settings without an end */
  assert_int_equal(ixgbe_sfp_tune(&bench->ixgbe, &bench->error), 0);
  for (unsigned i = 0; i < 4096; i++)
    fake->eeprom[i] = 5;
  assert_int_equal(ixgbe_sfp_tune(&bench->ixgbe, &bench->error), 0);
  assert_int_equal(count_settings(fake), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(nobody_answers),
      TEST(a_line_is_stuck),
      TEST(each_module_gets_its_settings),
      TEST(a_list_of_rubbish_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
