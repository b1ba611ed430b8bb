/* SPDX-License-Identifier: BSD-2-Clause */
/* ENABLE bits, trapped and in shared pages. Writes to shared pages go through a second mapping of
 * the twin's file, as another process would have it. */
#include <sys/mman.h>

#include "tests/unit/twin_ixgbe_bench.h"
#include "twin/ixgbe/statistics.h"

#define RING_IOVA  0x10000u
#define RING_BYTES 4096u
#define POLLS_MAX  512u

static struct bench bench;
static volatile uint32_t *shared;
static uint8_t memory[65536];

static int set_up(void **state)
{
  (void)state;
  bench_open(&bench, (struct shunt_twin_ixgbe_options){0});
  const struct shunt_model_bar *bar = &bench.model->bars[IXGBE_BAR_REGISTERS];
  shared = mmap(NULL, bar->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bar->fd, 0);
  assert_ptr_not_equal(shared, MAP_FAILED);
  assert_int_equal(shunt_model_dma_map(bench.model, RING_IOVA, memory, sizeof(memory), 1), 0);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  munmap((void *)shared, TWIN_IXGBE_BAR0_BYTES);
  bench_close(&bench);
  return 0;
}

static void share(uint32_t offset, uint32_t value)
{
  shared[offset / 4] = value;
}

static void ring_place(uint32_t block, uint32_t iova)
{
  share(block + 0x00, iova);
  share(block + 0x04, 0);
  share(block + 0x08, RING_BYTES);
}

static bool rx_is_on(unsigned queue)
{
  return bench.twin->rx_enabled[queue / 64] >> queue % 64 & 1;
}

static bool tx_is_on(unsigned queue)
{
  return bench.twin->tx_enabled[queue / 64] >> queue % 64 & 1;
}

static void the_queues_pages_are_offered(void **state)
{
  (void)state;
  const struct shunt_model_bar *bar = &bench.model->bars[IXGBE_BAR_REGISTERS];
  static const uint64_t expected[][2] = {{0x1000, 0x1000}, {0x6000, 0x2000}, {0xD000, 0x1000}};
  assert_int_equal(bar->area_count, 3);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(bar->areas[i].offset, expected[i][0]);
    assert_int_equal(bar->areas[i].bytes, expected[i][1]);
  }
  struct bench trapped;
  bench_open(&trapped, (struct shunt_twin_ixgbe_options){.trap = 1});
  assert_null(trapped.model->bars[0].memory);
  assert_int_equal(trapped.model->bars[0].fd, -1);
  assert_int_equal(trapped.model->bars[0].area_count, 0);
  bench_close(&trapped);
}

static void trapped_and_shared_access_meet(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_RDT(70u), 5);
  assert_int_equal(shared[IXGBE_RDT(70u) / 4], 5);
  share(IXGBE_TDT(127), 9);
  assert_int_equal(bench_read(&bench, IXGBE_TDT(127)), 9);
}

static void a_trapped_enable_takes_effect_at_once(void **state)
{
  (void)state;
  static const unsigned queues[] = {0, 63, 64, 127};
  for (unsigned i = 0; i < 4; i++) {
    unsigned queue = queues[i];
    ring_place(IXGBE_RX_QUEUE(queue), RING_IOVA);
    ring_place(IXGBE_TX_QUEUE(queue), RING_IOVA);
    bench_write(&bench, IXGBE_RXDCTL(queue), IXGBE_RXDCTL_ENABLE | IXGBE_RXDCTL_VME);
    bench_write(&bench, IXGBE_TXDCTL(queue), IXGBE_TXDCTL_ENABLE | IXGBE_TXDCTL_SWFLSH);
    assert_true(rx_is_on(queue) && tx_is_on(queue));
    assert_int_equal(bench_read(&bench, IXGBE_RXDCTL(queue)),
                     IXGBE_RXDCTL_ENABLE | IXGBE_RXDCTL_VME);
    assert_int_equal(bench_read(&bench, IXGBE_TXDCTL(queue)), IXGBE_TXDCTL_ENABLE);
    bench_write(&bench, IXGBE_RXDCTL(queue), IXGBE_RXDCTL_VME);
    bench_write(&bench, IXGBE_TXDCTL(queue), 0);
    assert_false(rx_is_on(queue) || tx_is_on(queue));
  }
  assert_int_equal(bench_counter(&bench, "bad_ring"), 0);
}

static void a_shared_enable_is_seen_by_the_next_poll_after_a_trapped_access(void **state)
{
  (void)state;
  ring_place(IXGBE_RX_QUEUE(100u), RING_IOVA);
  shunt_model_poll(bench.model, 1);
  share(IXGBE_RXDCTL(100u), IXGBE_RXDCTL_ENABLE);
  bench_read(&bench, IXGBE_STATUS);
  shunt_model_poll(bench.model, 1);
  assert_true(rx_is_on(100));
}

static void a_shared_enable_is_seen_in_time_or_after_some_polls(void **state)
{
  (void)state;
  ring_place(IXGBE_TX_QUEUE(40), RING_IOVA);
  shunt_model_poll(bench.model, 1);
  share(IXGBE_TXDCTL(40), IXGBE_TXDCTL_ENABLE);
  unsigned polls = 0;
  while (!tx_is_on(40) && polls++ < POLLS_MAX)
    shunt_model_poll(bench.model, 1); /* time stands still */
  assert_in_range(polls, 1, POLLS_MAX - 1);
  share(IXGBE_TXDCTL(41), IXGBE_TXDCTL_ENABLE);
  shunt_model_poll(bench.model, 1000000);
  assert_true(tx_is_on(41));
}

static void a_shared_disable_is_seen_by_the_next_poll(void **state)
{
  (void)state;
  ring_place(IXGBE_TX_QUEUE(3), RING_IOVA);
  bench_write(&bench, IXGBE_TXDCTL(3), IXGBE_TXDCTL_ENABLE);
  shunt_model_poll(bench.model, 1);
  share(IXGBE_TXDCTL(3), 0);
  shunt_model_poll(bench.model, 1);
  assert_false(tx_is_on(3));
}

/* Disabled, moved and enabled again between two polls: only the place gives it away. */
static void a_ring_that_moved_is_taken_anew(void **state)
{
  (void)state;
  ring_place(IXGBE_RX_QUEUE(2u), RING_IOVA);
  bench_write(&bench, IXGBE_RXDCTL(2u), IXGBE_RXDCTL_ENABLE);
  shunt_model_poll(bench.model, 1);
  share(IXGBE_RDLEN(2u), 100); /* no multiple of 128 */
  shunt_model_poll(bench.model, 1);
  assert_int_equal(bench_counter(&bench, "bad_ring"), 1);
  shunt_model_poll(bench.model, 1);
  assert_int_equal(bench_counter(&bench, "bad_ring"), 1); /* counted once */
  ring_place(IXGBE_RX_QUEUE(2u), RING_IOVA + RING_BYTES);
  shunt_model_poll(bench.model, 1);
  assert_true(rx_is_on(2));
  assert_int_equal(bench.twin->in_use[0].base, RING_IOVA + RING_BYTES);
}

static void reset_takes_every_queue_out_of_use(void **state)
{
  (void)state;
  for (unsigned queue = 0; queue < TWIN_IXGBE_QUEUES; queue++) {
    ring_place(IXGBE_RX_QUEUE(queue), RING_IOVA);
    share(IXGBE_RXDCTL(queue), IXGBE_RXDCTL_ENABLE);
    share(IXGBE_TXDCTL(queue), IXGBE_TXDCTL_ENABLE);
  }
  twin_ixgbe_rings_scan(bench.twin);
  assert_int_equal(bench.twin->rx_enabled[0] & bench.twin->rx_enabled[1], UINT64_MAX);
  assert_int_equal(bench.twin->tx_enabled[0] & bench.twin->tx_enabled[1], UINT64_MAX);
  bench_write(&bench, IXGBE_CTRL, IXGBE_CTRL_RST);
  assert_int_equal(bench.twin->rx_enabled[0] | bench.twin->rx_enabled[1], 0);
  assert_int_equal(bench.twin->tx_enabled[0] | bench.twin->tx_enabled[1], 0);
  assert_int_equal(shared[IXGBE_RXDCTL(77u) / 4], 0);
  shunt_model_poll(bench.model, 1000000);
  assert_int_equal(bench.twin->rx_enabled[0] | bench.twin->rx_enabled[1], 0);
}

/* What clears on read can't do so in plain memory: it isn't there, but behind a trapped read. */
static void per_queue_counters_are_not_in_shared_memory(void **state)
{
  (void)state;
  twin_ixgbe_count_rx_queue(bench.twin, 0, 60);
  assert_int_equal(shared[IXGBE_QPRC(0) / 4], 0);
  assert_int_equal(bench_read(&bench, IXGBE_QPRC(0)), 1);
}

static void frames_wait_for_no_scan(void **state)
{
  (void)state;
  ring_place(IXGBE_RX_QUEUE(0u), RING_IOVA);
  for (unsigned i = 0; i < RING_BYTES / 16; i++) {
    uint64_t buffer = RING_IOVA + 2 * RING_BYTES;
    memcpy(memory + 16 * i, &buffer, sizeof(buffer));
    memset(memory + 16 * i + 8, 0, 8);
  }
  bench_write(&bench, IXGBE_FCTRL, IXGBE_FCTRL_BAM);
  bench_write(&bench, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
  shunt_model_poll(bench.model, 1);
  share(IXGBE_RXDCTL(0u), IXGBE_RXDCTL_ENABLE);
  share(IXGBE_RDT(0u), 64);
  bench_receive(&bench, 60, 1);
  assert_int_equal(bench_counter(&bench, "queue_disabled"), 0);
  assert_int_equal(shared[IXGBE_RDH(0u) / 4], 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(the_queues_pages_are_offered),
      TEST(trapped_and_shared_access_meet),
      TEST(a_trapped_enable_takes_effect_at_once),
      TEST(a_shared_enable_is_seen_by_the_next_poll_after_a_trapped_access),
      TEST(a_shared_enable_is_seen_in_time_or_after_some_polls),
      TEST(a_shared_disable_is_seen_by_the_next_poll),
      TEST(a_ring_that_moved_is_taken_anew),
      TEST(reset_takes_every_queue_out_of_use),
      TEST(per_queue_counters_are_not_in_shared_memory),
      TEST(frames_wait_for_no_scan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
