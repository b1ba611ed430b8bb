/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/twin_ixgbe_bench.h"

static struct bench bench;

static void reopen(struct shunt_twin_ixgbe_options options)
{
  bench_close(&bench);
  options.trap = 1;
  bench_open(&bench, options);
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

/* The present state: LINK_UP latches low, so the second read counts. */
static uint32_t links(void)
{
  bench_read(&bench, IXGBE_LINKS);
  return bench_read(&bench, IXGBE_LINKS);
}

static bool is_up(void)
{
  bool up = links() & IXGBE_LINKS_UP;
  assert_int_equal(!!(bench_read(&bench, IXGBE_STATUS) & IXGBE_STATUS_LINKUP), up);
  assert_int_equal(twin_ixgbe_link_up(bench.twin), up);
  return up;
}

static void every_board_comes_up_at_10g(void **state)
{
  (void)state;
  static const struct {
    uint16_t device_id;
    uint32_t mode;
  } boards[] = {{0x10FB, IXGBE_LMS_10G_SERIAL_NO_AN},
                {0x10F9, IXGBE_LMS_10G_PARALLEL_NO_AN},
                {0x10FC, IXGBE_LMS_KX4_KX_KR}};
  for (unsigned i = 0; i < 3; i++) {
    reopen((struct shunt_twin_ixgbe_options){.device_id = boards[i].device_id});
    assert_int_equal(HW_GET(IXGBE_AUTOC_LMS, bench_read(&bench, IXGBE_AUTOC)), boards[i].mode);
    assert_true(is_up());
    assert_int_equal(HW_GET(IXGBE_LINKS_SPEED, links()), IXGBE_LINKS_SPEED_10G);
    bool negotiates = boards[i].device_id == 0x10FC;
    assert_int_equal(!!(links() & IXGBE_LINKS_AN_COMPLETE), negotiates);
    assert_true(bench_read(&bench, IXGBE_ANLP1) & IXGBE_ANLP1_AN_STATE);
  }
}

static void the_link_follows_the_cable(void **state)
{
  (void)state;
  assert_true(is_up());
  bench_read(&bench, IXGBE_EICR);
  shunt_wire_cut(shunt_twin_ixgbe_end(bench.model));
  assert_false(is_up());
  assert_true(bench_read(&bench, IXGBE_EICR) & IXGBE_EICR_LSC);
  assert_false(bench_read(&bench, IXGBE_EICR) & IXGBE_EICR_LSC);
  shunt_wire_join(shunt_twin_ixgbe_end(bench.model));
  assert_true(bench_read(&bench, IXGBE_EICR) & IXGBE_EICR_LSC);
  assert_true(is_up());
  shunt_wire_detach(bench.far);
  assert_false(is_up());
}

static void a_loss_is_seen_once_afterwards(void **state)
{
  (void)state;
  links();
  shunt_wire_cut(bench.far);
  shunt_wire_join(bench.far);
  assert_false(bench_read(&bench, IXGBE_LINKS) & IXGBE_LINKS_UP);
  assert_true(bench_read(&bench, IXGBE_LINKS) & IXGBE_LINKS_UP);
}

static void a_twin_can_begin_without_its_cable(void **state)
{
  (void)state;
  reopen((struct shunt_twin_ixgbe_options){.cable_out = 1});
  assert_false(is_up());
  shunt_wire_join(shunt_twin_ixgbe_end(bench.model));
  assert_true(is_up());
}

static void an_empty_cage_has_no_link(void **state)
{
  (void)state;
  reopen((struct shunt_twin_ixgbe_options){.module = SHUNT_TWIN_MODULE_NONE});
  assert_false(is_up());
}

static void lasers_off_is_dark(void **state)
{
  (void)state;
  reopen((struct shunt_twin_ixgbe_options){.module = SHUNT_TWIN_MODULE_SR});
  assert_true(is_up());
  bench_write(&bench, IXGBE_ESDP, IXGBE_ESDP_DIR(3) | IXGBE_ESDP_LASER_OFF);
  assert_false(is_up());
  bench_write(&bench, IXGBE_ESDP, IXGBE_ESDP_DIR(3));
  assert_true(is_up());
}

static void restarting_negotiation_takes_the_link_down_and_up(void **state)
{
  (void)state;
  uint32_t autoc = bench_read(&bench, IXGBE_AUTOC);
  bench_read(&bench, IXGBE_EICR);
  bench_write(&bench, IXGBE_AUTOC, autoc | IXGBE_AUTOC_AN_RESTART);
  assert_int_equal(bench_read(&bench, IXGBE_AUTOC), autoc); /* self-clearing */
  assert_true(bench_read(&bench, IXGBE_EICR) & IXGBE_EICR_LSC);
  assert_false(bench_read(&bench, IXGBE_LINKS) & IXGBE_LINKS_UP);
  assert_true(is_up());
}

static void autoc2_can_disable_the_link(void **state)
{
  (void)state;
  uint32_t autoc2 = bench_read(&bench, IXGBE_AUTOC2);
  bench_write(&bench, IXGBE_AUTOC2, autoc2 | IXGBE_AUTOC2_LINK_DISABLE);
  assert_false(is_up());
  bench_write(&bench, IXGBE_AUTOC2, autoc2);
  assert_true(is_up());
}

static void the_speed_is_the_modes(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_AUTOC, HW_FIELD(IXGBE_AUTOC_LMS, IXGBE_LMS_1G_AN));
  assert_int_equal(HW_GET(IXGBE_LINKS_SPEED, links()), IXGBE_LINKS_SPEED_1G);
  assert_true(links() & IXGBE_LINKS_AN_COMPLETE);
}

static void loopback_needs_no_cable(void **state)
{
  (void)state;
  shunt_wire_cut(bench.far);
  assert_false(is_up());
  uint32_t hlreg0 = bench_read(&bench, IXGBE_HLREG0);
  bench_write(&bench, IXGBE_HLREG0, hlreg0 | IXGBE_HLREG0_LPBK);
  assert_true(is_up());
  bench_write(&bench, IXGBE_HLREG0, hlreg0);
  assert_false(is_up());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(every_board_comes_up_at_10g),
      TEST(the_link_follows_the_cable),
      TEST(a_loss_is_seen_once_afterwards),
      TEST(a_twin_can_begin_without_its_cable),
      TEST(an_empty_cage_has_no_link),
      TEST(lasers_off_is_dark),
      TEST(restarting_negotiation_takes_the_link_down_and_up),
      TEST(autoc2_can_disable_the_link),
      TEST(the_speed_is_the_modes),
      TEST(loopback_needs_no_cable),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
