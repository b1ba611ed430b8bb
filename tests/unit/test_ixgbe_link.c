/* SPDX-License-Identifier: BSD-2-Clause */
/* The link: what it says while up, why it is down, and the module in the cage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

static struct shunt_link look(struct rig *rig)
{
  struct shunt_link link = {.size = sizeof(link)};
  if (shunt_port_link(rig->port, &link, &rig->error))
    rig_fail(rig, "link");
  return link;
}

static void says_speed_media_and_module(void **state)
{
  struct rig *rig = *state;
  static const struct {
    const char *keys, *media;
    int has_module;
  } boards[] = {{"&id=10fb", "10GBASE-CR", 1},
                {"&id=10fb&module=sr", "10GBASE-SR", 1},
                {"&id=10f9", "10GBASE-CX4", 0},
                {"&id=10fc", "KX4", 0}};
  for (unsigned i = 0; i < sizeof(boards) / sizeof(boards[0]); i++) {
    rig_open(rig, boards[i].keys);
    struct shunt_link link = look(rig);
    assert_int_equal(link.up, 1);
    assert_int_equal(link.speed_mbps, 10000);
    assert_non_null(strstr(link.media, boards[i].media));
    assert_int_equal(link.module[0] != '\0', boards[i].has_module);
    assert_string_equal(link.diagnosis, "");
    rig_assert_no_faults(rig);
    rig_close(rig);
  }
}

static void the_module_is_read_as_it_is(void **state)
{
  struct rig *rig = *state;
  char vendor[17], expected[32];
  rig_open(rig, "");
  struct twin_ixgbe *twin = rig_twin(rig);
  memcpy(vendor, twin->sfp_a0 + 20, 16);
  vendor[16] = '\0';
  for (unsigned end = 16; end && vendor[end - 1] == ' '; end--)
    vendor[end - 1] = '\0';
  snprintf(expected, sizeof(expected), "%s ", vendor);
  struct shunt_link link = look(rig);
  assert_int_equal(strncmp(link.module, expected, strlen(expected)), 0);
  assert_non_null(strstr(link.module, "serial "));
}

static void follows_the_cable(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  assert_true(look(rig).up);
  shunt_wire_cut(rig->peer);
  rig_run(rig, 100);
  struct shunt_link link = look(rig);
  assert_false(link.up);
  assert_int_equal(link.speed_mbps, 0);
  assert_non_null(strstr(link.diagnosis, "no signal: check the cable and the other end"));
  assert_true(link.module[0] != '\0');
  shunt_wire_join(rig->peer);
  rig_run(rig, 100);
  assert_true(look(rig).up);
  assert_string_equal(look(rig).diagnosis, "");
}

static void says_that_the_cage_is_empty(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "&module=none");
  struct shunt_link link = look(rig);
  assert_false(link.up);
  assert_string_equal(link.diagnosis, "no module in the cage (ESDP.SDP2 reads 0)");
  assert_string_equal(link.module, "");
  assert_int_equal(rig_register(rig, IXGBE_SW_FW_SYNC), 0); /* the bus was given back */
}

/* The twin's module EEPROM, changed under the driver's eyes while the link is down. */
static void knows_modules_by_their_codes(void **state)
{
  struct rig *rig = *state;
  static const struct {
    uint8_t identifier, codes_10g, codes_1g, cable;
    enum ixgbe_module_kind kind;
    const char *diagnosis;
  } modules[] = {
      {3, 0, 0, 0x04, IXGBE_MODULE_DA_PASSIVE, "no signal"},
      {3, 0, 0, 0x08, IXGBE_MODULE_DA_ACTIVE, "no signal"},
      {3, 0x10, 0x01, 0, IXGBE_MODULE_SR, "no signal"},
      {3, 0x20, 0, 0, IXGBE_MODULE_LR, "no signal"},
      {3, 0, 0x08, 0, IXGBE_MODULE_1G, "for 1 Gb/s"},
      {3, 0x80, 0, 0, IXGBE_MODULE_UNKNOWN, "module is not an SFP+ type we know"},
      {0x0D, 0x10, 0, 0, IXGBE_MODULE_UNKNOWN, "identifier 0d"},
  };
  rig_open(rig, "");
  struct twin_ixgbe *twin = rig_twin(rig);
  shunt_wire_cut(rig->peer);
  rig_run(rig, 100);
  for (unsigned i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
    twin->sfp_a0[0] = modules[i].identifier;
    twin->sfp_a0[3] = modules[i].codes_10g;
    twin->sfp_a0[6] = modules[i].codes_1g;
    twin->sfp_a0[8] = modules[i].cable;
    rig_run(rig, 1000000); /* it is read once a second */
    struct shunt_link link = look(rig);
    assert_int_equal(rig_ixgbe(rig)->module.kind, modules[i].kind);
    assert_non_null(strstr(link.diagnosis, modules[i].diagnosis));
    /* Whoever waits for the link looks often, and the module is left alone. */
    const uint64_t reads = twin->mmio_reads;
    for (unsigned looks = 0; looks < 10; looks++)
      look(rig);
    assert_in_range(twin->mmio_reads - reads, 1, 200);
  }
}

/* The cage tells of what was pulled and plugged in: that is seen at once. */
static void sees_the_cage_change(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  struct twin_ixgbe *twin = rig_twin(rig);
  shunt_wire_cut(rig->peer);
  rig_run(rig, 100);
  assert_true(look(rig).module[0] != '\0');
  rig_ixgbe(rig)->module.pin = false; /* as it was before the module came */
  memcpy(twin->sfp_a0 + 20, "SOMEBODY ELSE   ", 16);
  assert_int_equal(strncmp(look(rig).module, "SOMEBODY ELSE ", 14), 0);
}

static void says_that_the_laser_is_off(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "&module=sr");
  uint32_t esdp = rig_register(rig, IXGBE_ESDP);
  assert_int_equal(esdp & IXGBE_ESDP_LASER_OFF, 0);
  ixgbe_write(rig_ixgbe(rig), IXGBE_ESDP, esdp | IXGBE_ESDP_LASER_OFF | IXGBE_ESDP_DIR(3));
  rig_run(rig, 100);
  struct shunt_link link = look(rig);
  assert_false(link.up);
  assert_non_null(strstr(link.diagnosis, "laser"));
}

/* A board whose firmware left link disable set must come up all the same, AUTOC untouched. */
static void the_boards_settings_stay(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "&id=10fc");
  uint32_t autoc = rig_register(rig, IXGBE_AUTOC);
  assert_int_equal(HW_GET(IXGBE_AUTOC_LMS, autoc), IXGBE_LMS_KX4_KX_KR);
  ixgbe_set(rig_ixgbe(rig), IXGBE_AUTOC2, IXGBE_AUTOC2_LINK_DISABLE);
  rig_run(rig, 100);
  assert_false(look(rig).up);
  assert_int_equal(ixgbe_link_start(rig_ixgbe(rig), &rig->error), 0);
  rig_run(rig, 100);
  assert_true(look(rig).up);
  assert_int_equal(rig_register(rig, IXGBE_AUTOC), autoc);
}

static void link_changes_are_counted(void **state)
{
  struct rig *rig = *state;
  rig->options.interrupts = 1;
  rig_open(rig, "");
  rig_run(rig, 2000);
  uint64_t before = rig_statistic(rig, "link_changes");
  for (unsigned i = 1; i <= 3; i++) {
    shunt_wire_cut(rig->peer);
    rig_run(rig, 2000);
    assert_int_equal(rig_statistic(rig, "link_changes"), before + 2 * i - 1);
    shunt_wire_join(rig->peer);
    rig_run(rig, 2000);
    assert_int_equal(rig_statistic(rig, "link_changes"), before + 2 * i);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(says_speed_media_and_module),
      TEST(the_module_is_read_as_it_is),
      TEST(follows_the_cable),
      TEST(says_that_the_cage_is_empty),
      TEST(knows_modules_by_their_codes),
      TEST(sees_the_cage_change),
      TEST(says_that_the_laser_is_off),
      TEST(the_boards_settings_stay),
      TEST(link_changes_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
