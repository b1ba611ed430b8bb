/* SPDX-License-Identifier: BSD-2-Clause */
#include "hw/pci.h"
#include "tests/unit/twin_ixgbe_bench.h"

#define MULTIPLE IXGBE_GPIE_MULTIPLE_MSIX
#define US       UINT64_C(1000)

static struct bench bench;

static int set_up(void **state)
{
  (void)state;
  bench_open(&bench, (struct shunt_twin_ixgbe_options){.trap = 1});
  bench_write(&bench, IXGBE_EICR, UINT32_MAX); /* the link's coming up */
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  bench_close(&bench);
  return 0;
}

/* Rx of queue q to vector v, unmasked. */
static void route_rx(unsigned queue, unsigned vector)
{
  uint32_t ivar = bench_read(&bench, IXGBE_IVAR_OF_QUEUE(queue));
  ivar |= (vector | IXGBE_IVAR_VALID) << IXGBE_IVAR_RX_SHIFT(queue);
  bench_write(&bench, IXGBE_IVAR_OF_QUEUE(queue), ivar);
  bench_write(&bench, IXGBE_EIMS_EX(vector / 32), 1u << vector % 32);
}

static void route_other(unsigned vector)
{
  bench_write(&bench, IXGBE_IVAR_MISC, (vector | IXGBE_IVAR_VALID) << IXGBE_IVAR_OTHER_SHIFT);
}

/* ---- MSI-X, several vectors ---- */

static void a_queue_raises_its_vector_once(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  route_rx(5, 3);
  twin_ixgbe_interrupt_rx(bench.twin, 5);
  assert_int_equal(bench.sent[3], 1);
  twin_ixgbe_interrupt_rx(bench.twin, 5); /* pending already */
  assert_int_equal(bench.sent[3], 1);
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 1u << 3);
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 0);
  twin_ixgbe_interrupt_rx(bench.twin, 5);
  assert_int_equal(bench.sent[3], 2);
}

static void tx_and_rx_have_vectors_of_their_own(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  bench_write(&bench, IXGBE_IVAR(3), 0x81828384u); /* queues 6 and 7: Rx 4, Tx 3, Rx 2, Tx 1 */
  bench_write(&bench, IXGBE_EIMS, 0x1E);
  twin_ixgbe_interrupt_rx(bench.twin, 6);
  twin_ixgbe_interrupt_tx(bench.twin, 6);
  twin_ixgbe_interrupt_rx(bench.twin, 7);
  twin_ixgbe_interrupt_tx(bench.twin, 7);
  for (unsigned vector = 1; vector <= 4; vector++)
    assert_int_equal(bench.sent[vector], 1);
  twin_ixgbe_interrupt_rx(bench.twin, 8); /* its entry is not valid */
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 0x1E);
}

static void the_highest_vector_works_and_clears_by_itself(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  route_rx(127, 63);
  twin_ixgbe_interrupt_rx(bench.twin, 127);
  twin_ixgbe_interrupt_rx(bench.twin, 127);
  assert_int_equal(bench.sent[63], 2);
  assert_int_equal(bench_read(&bench, IXGBE_EIMS_EX(1)), 1u << 31);
}

static void what_comes_while_masked_is_sent_on_unmask(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  route_rx(0, 0);
  bench_write(&bench, IXGBE_EIMC, 1);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  assert_int_equal(bench.sent[0], 0);
  assert_int_equal(bench_read(&bench, IXGBE_EICS), 1);
  bench_write(&bench, IXGBE_EIMS, 1);
  assert_int_equal(bench.sent[0], 1);
  bench_write(&bench, IXGBE_EIMS, 1); /* not yet handled: fires again */
  assert_int_equal(bench.sent[0], 2);
}

/* What Linux sets up: EIAC clears the cause, EIAM masks it, NAPI unmasks it when it is done. */
static void auto_clear_and_auto_mask(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE | IXGBE_GPIE_EIAME | IXGBE_GPIE_PBA_SUPPORT);
  bench_write(&bench, IXGBE_EIAC, 0xFFFF);
  bench_write(&bench, IXGBE_EIAM_EX(0), UINT32_MAX);
  bench_write(&bench, IXGBE_EIAM_EX(1), UINT32_MAX);
  route_rx(0, 2);
  route_rx(1, 40);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  twin_ixgbe_interrupt_rx(bench.twin, 1);
  assert_int_equal(bench.sent[2], 1);
  assert_int_equal(bench.sent[40], 1);
  assert_int_equal(bench_read(&bench, IXGBE_EICS), 0);
  assert_int_equal(bench_read(&bench, IXGBE_EIMS), 0);
  assert_int_equal(bench_read(&bench, IXGBE_EIMS_EX(1)), 0);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  assert_int_equal(bench.sent[2], 1); /* masked */
  bench_write(&bench, IXGBE_EIMS_EX(0), 1u << 2);
  assert_int_equal(bench.sent[2], 2);
  bench_write(&bench, IXGBE_EIMS_EX(1), 1u << 8);
  assert_int_equal(bench.sent[40], 1); /* nothing came meanwhile */
}

static void link_change_goes_to_the_vector_of_other_causes(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  route_other(7);
  bench_write(&bench, IXGBE_EIMS, IXGBE_EICR_LSC);
  shunt_wire_cut(bench.far);
  assert_int_equal(bench.sent[7], 1);
  assert_int_equal(bench_read(&bench, IXGBE_EICS), IXGBE_EICR_LSC | IXGBE_EICR_OTHER);
  bench_write(&bench, IXGBE_EICR, IXGBE_EICR_LSC); /* as Linux does */
  assert_int_equal(bench_read(&bench, IXGBE_EICS), 0);
  shunt_wire_join(bench.far);
  assert_int_equal(bench.sent[7], 2);
}

static void eics_raises_a_vector_even_where_set_already(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  route_rx(0, 1);
  bench_write(&bench, IXGBE_EIMS_EX(1), 1);
  bench_write(&bench, IXGBE_EICS, 1u << 1);
  bench_write(&bench, IXGBE_EICS_EX(0), 1u << 1);
  assert_int_equal(bench.sent[1], 2);
  bench_write(&bench, IXGBE_EICS_EX(1), 1);
  assert_int_equal(bench.sent[32], 1);
  bench_write(&bench, IXGBE_EICS_EX(1), 2); /* masked */
  assert_int_equal(bench.sent[33], 0);
}

static void reading_eicr_with_ocd_keeps_queue_causes(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE | IXGBE_GPIE_OCD);
  bench_write(&bench, IXGBE_EICS, 1u | IXGBE_EICR_LSC);
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 1u | IXGBE_EICR_LSC | IXGBE_EICR_OTHER);
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 1u);
}

/* ---- Moderation ---- */

static void eitr_spaces_interrupts(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  bench_write(&bench, IXGBE_EIAC, 0xFFFF);
  route_rx(0, 0);
  bench_write(&bench, IXGBE_EITR(0), HW_FIELD(IXGBE_EITR_INTERVAL, 10u) | IXGBE_EITR_CNT_WDIS);
  const uint64_t interval = 10 * IXGBE_EITR_UNIT_NS;
  shunt_model_poll(bench.model, 1000 * US);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  assert_int_equal(bench.sent[0], 1); /* the first is not held */
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  assert_int_equal(bench.sent[0], 1);
  assert_int_equal(twin_ixgbe_interrupts_next_ns(bench.twin), 1000 * US + interval);
  assert_int_equal(shunt_model_poll(bench.model, 1000 * US + interval - 1), 0);
  assert_int_equal(bench.sent[0], 1);
  assert_int_equal(shunt_model_poll(bench.model, 1000 * US + interval), 1);
  assert_int_equal(bench.sent[0], 2);
  assert_int_equal(shunt_model_poll(bench.model, 1000 * US + 9 * interval), 0);
  assert_int_equal(twin_ixgbe_interrupts_next_ns(bench.twin), UINT64_MAX);
}

static void eitr_write_without_wdis_ends_the_interval(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  bench_write(&bench, IXGBE_EIAC, 0xFFFF);
  route_rx(0, 0);
  const uint32_t interval = HW_FIELD(IXGBE_EITR_INTERVAL, 100u);
  bench_write(&bench, IXGBE_EITR(0), interval | IXGBE_EITR_CNT_WDIS);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  bench_write(&bench, IXGBE_EITR(0), interval | IXGBE_EITR_CNT_WDIS);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  assert_int_equal(bench.sent[0], 1);
  bench_write(&bench, IXGBE_EITR(0), interval);
  shunt_model_poll(bench.model, 0);
  assert_int_equal(bench.sent[0], 2);
  assert_int_equal(bench_read(&bench, IXGBE_EITR(0)), interval); /* CNT_WDIS is write only */
  bench_write(&bench, IXGBE_EITR(128), interval | IXGBE_EITR_CNT_WDIS);
  assert_int_equal(bench_read(&bench, 0x12300 + 4 * 104), interval);
}

static void a_masked_vector_is_not_sent_when_its_interval_ends(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  bench_write(&bench, IXGBE_EIAC, 0xFFFF);
  route_rx(0, 0);
  bench_write(&bench, IXGBE_EITR(0), HW_FIELD(IXGBE_EITR_INTERVAL, 1u) | IXGBE_EITR_CNT_WDIS);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  bench_write(&bench, IXGBE_EIMC, 1);
  assert_int_equal(shunt_model_poll(bench.model, 1000 * US), 0);
  assert_int_equal(bench.sent[0], 1);
}

static void eimen_lets_software_interrupt_at_once(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, MULTIPLE);
  bench_write(&bench, IXGBE_EIMS, 1);
  bench_write(&bench, IXGBE_EITR(0), HW_FIELD(IXGBE_EITR_INTERVAL, 50u) | IXGBE_EITR_CNT_WDIS);
  bench_write(&bench, IXGBE_EICS, 1);
  bench_write(&bench, IXGBE_EICS, 1);
  assert_int_equal(bench.sent[0], 1);
  bench_write(&bench, IXGBE_GPIE, MULTIPLE | IXGBE_GPIE_EIMEN);
  bench_write(&bench, IXGBE_EICS, 1);
  assert_int_equal(bench.sent[0], 2);
}

/* ---- One vector, or the INTx line ---- */

static void without_messages_the_line_follows_the_causes(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_EIMS, IXGBE_EICR_LSC | 0xFFFF);
  route_rx(0, 0);
  twin_ixgbe_interrupt_rx(bench.twin, 0);
  assert_int_equal(bench.line, 1);
  assert_int_equal(shunt_model_config_read(bench.model, PCI_CFG_STATUS, 2) & PCI_STATUS_INTX,
                   PCI_STATUS_INTX);
  bench_write(&bench, IXGBE_EICS, IXGBE_EICR_LSC);
  assert_int_equal(bench.line_changes, 1);
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 1u | IXGBE_EICR_LSC | IXGBE_EICR_OTHER);
  assert_int_equal(bench.line, 0);
  assert_int_equal(bench.sent[0], 0);
}

static void intx_can_be_disabled_in_the_command_register(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_EIMS, 1);
  bench_write(&bench, IXGBE_EICS, 1);
  assert_int_equal(bench.line, 1);
  shunt_model_config_write(bench.model, PCI_CFG_COMMAND, 2, PCI_CMD_INTX_DISABLE);
  assert_int_equal(bench.line, 0);
  shunt_model_config_write(bench.model, PCI_CFG_COMMAND, 2, 0);
  assert_int_equal(bench.line, 1);
}

static void reading_eicr_masks_what_eiam_names(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_EIMS, 0x3);
  bench_write(&bench, IXGBE_EIAM, 0x1);
  bench_write(&bench, IXGBE_EICS, 0x3);
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 0x3);
  assert_int_equal(bench_read(&bench, IXGBE_EIMS), 0x2);
}

static void with_msi_everything_is_vector_0(void **state)
{
  (void)state;
  shunt_model_config_write(bench.model, PCI_82599_MSI + PCI_MSI_CONTROL, 2, PCI_MSI_CONTROL_ENABLE);
  bench_write(&bench, IXGBE_EIMS, 0x7FFFFFFF);
  route_rx(9, 5);
  twin_ixgbe_interrupt_rx(bench.twin, 9);
  assert_int_equal(bench.sent[0], 1);
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 1u << 5);
  bench_write(&bench, IXGBE_EICS, IXGBE_EICR_LSC);
  assert_int_equal(bench.sent[0], 2);
  assert_int_equal(bench.line_changes, 0);
}

static void reset_masks_and_forgets(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_EIMS, 1);
  bench_write(&bench, IXGBE_EICS, 1);
  assert_int_equal(bench.line, 1);
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_RST);
  assert_int_equal(bench.line, 0);
  assert_int_equal(bench_read(&bench, IXGBE_EIMS), 0);
  assert_int_equal(bench_read(&bench, IXGBE_EICR), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(a_queue_raises_its_vector_once),
      TEST(tx_and_rx_have_vectors_of_their_own),
      TEST(the_highest_vector_works_and_clears_by_itself),
      TEST(what_comes_while_masked_is_sent_on_unmask),
      TEST(auto_clear_and_auto_mask),
      TEST(link_change_goes_to_the_vector_of_other_causes),
      TEST(eics_raises_a_vector_even_where_set_already),
      TEST(reading_eicr_with_ocd_keeps_queue_causes),
      TEST(eitr_spaces_interrupts),
      TEST(eitr_write_without_wdis_ends_the_interval),
      TEST(a_masked_vector_is_not_sent_when_its_interval_ends),
      TEST(eimen_lets_software_interrupt_at_once),
      TEST(without_messages_the_line_follows_the_causes),
      TEST(intx_can_be_disabled_in_the_command_register),
      TEST(reading_eicr_masks_what_eiam_names),
      TEST(with_msi_everything_is_vector_0),
      TEST(reset_masks_and_forgets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
