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

static uint32_t cycle(uint32_t operation, uint32_t phy, uint32_t reg)
{
  uint32_t command = HW_FIELD(IXGBE_MSCA_OP_CODE, operation) | HW_FIELD(IXGBE_MSCA_PHY_ADDR, phy) |
                     HW_FIELD(IXGBE_MSCA_DEV_TYPE, IXGBE_MDIO_MMD_PMA_PMD) |
                     HW_FIELD(IXGBE_MSCA_NP_ADDR, reg);
  bench_write(&bench, IXGBE_MSCA, command | IXGBE_MSCA_MDI_COMMAND);
  assert_int_equal(bench_read(&bench, IXGBE_MSCA), command); /* done at once */
  return bench_read(&bench, IXGBE_MSRWD);
}

/* The scan of a driver's probe: every address, two cycles each. */
static void no_phy_answers(void **state)
{
  (void)state;
  for (uint32_t phy = 0; phy < IXGBE_MDIO_PHY_ADDRESSES; phy++) {
    bench_write(&bench, IXGBE_MSRWD, 0);
    cycle(IXGBE_MSCA_OP_ADDRESS, phy, IXGBE_MDIO_PHY_ID_HIGH);
    uint32_t data = cycle(IXGBE_MSCA_OP_READ, phy, IXGBE_MDIO_PHY_ID_HIGH);
    assert_int_equal(HW_GET(IXGBE_MSRWD_READ_DATA, data), 0xFFFF);
  }
}

static void writes_keep_their_data(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_MSRWD, 0x1234);
  assert_int_equal(cycle(IXGBE_MSCA_OP_WRITE, 1, 0), 0x1234);
  assert_int_equal(cycle(IXGBE_MSCA_OP_READ_INC, 1, 0), 0xFFFF1234);
}

static void without_the_command_bit_nothing_happens(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_MSCA, HW_FIELD(IXGBE_MSCA_OP_CODE, IXGBE_MSCA_OP_READ));
  assert_int_equal(bench_read(&bench, IXGBE_MSRWD), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(no_phy_answers),
      TEST(writes_keep_their_data),
      TEST(without_the_command_bit_nothing_happens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
