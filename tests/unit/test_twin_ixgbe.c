/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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

/* ---- Construction ---- */

static void options_are_checked(void **state)
{
  (void)state;
  static const struct shunt_twin_ixgbe_options bad[] = {
      {.size = sizeof(bad[0]), .device_id = 0x1528},
      {.size = sizeof(bad[0]), .module = (enum shunt_twin_module)9},
      {.size = sizeof(bad[0]), .mac = {{0x01, 0, 0, 0, 0, 1}}},
      {.size = sizeof(bad[0]) + 8},
      {.size = 0},
  };
  for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct shunt_model *model = NULL;
    struct shunt_error error = {0};
    assert_int_equal(shunt_twin_ixgbe_create(&bad[i], bench.wire, "bad", &model, &error), -EINVAL);
    assert_int_equal(error.code, -EINVAL);
    assert_true(error.what[0]);
    assert_null(model);
    assert_int_equal(shunt_twin_ixgbe_create(&bad[i], bench.wire, "bad", &model, NULL), -EINVAL);
  }
}

static void defaults_are_an_sfp_port_with_a_cable(void **state)
{
  (void)state;
  struct shunt_model *model = NULL;
  struct shunt_error error = {0};
  assert_int_equal(shunt_twin_ixgbe_create(NULL, bench.wire, "plain", &model, &error), 0);
  assert_string_equal(model->kind, "ixgbe");
  assert_string_equal(model->path, "twin, shared tails");
  assert_int_equal(model->vectors, 64);
  assert_int_equal(shunt_model_config_read(model, 2, 2), 0x10FB);
  assert_non_null(shunt_twin_ixgbe_end(model));
  assert_true(twin_ixgbe_link_up((struct twin_ixgbe *)model));
  shunt_model_destroy(model);
}

/* Another process that has the file can neither cut it nor see more than the queues' registers. */
static void what_is_shared_is_the_shared_pages_alone(void **state)
{
  (void)state;
  struct shunt_model *model = NULL;
  assert_int_equal(shunt_twin_ixgbe_create(NULL, bench.wire, "plain", &model, NULL), 0);
  const struct shunt_model_bar *bar = &model->bars[IXGBE_BAR_REGISTERS];
  uint32_t value = 0x5A5A5A5A;
  assert_int_equal(fcntl(bar->fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  assert_int_equal(pwrite(bar->fd, &value, 4, IXGBE_CTRL_EXT), 4);
  assert_int_not_equal(shunt_model_bar_read(model, IXGBE_BAR_REGISTERS, IXGBE_CTRL_EXT, 4), value);
  assert_int_equal(pwrite(bar->fd, &value, 4, IXGBE_TDBAH(3u)), 4);
  assert_int_equal(shunt_model_bar_read(model, IXGBE_BAR_REGISTERS, IXGBE_TDBAH(3u), 4), value);
  shunt_model_destroy(model);
}

static void the_wire_may_go_first(void **state)
{
  (void)state;
  const struct shunt_wire_options options = {.size = sizeof(options)};
  struct shunt_wire *wire;
  struct shunt_model *model;
  assert_int_equal(shunt_wire_create(&options, &wire, NULL), 0);
  assert_int_equal(shunt_twin_ixgbe_create(NULL, wire, "left", &model, NULL), 0);
  shunt_wire_destroy(wire);
  assert_null(shunt_twin_ixgbe_end(model));
  shunt_model_poll(model, 1000);
  assert_int_equal(shunt_model_counter(model, "wire_frames_in"), 0);
  shunt_model_destroy(model);
}

/* An end that destroys a twin from inside the wire's own call. */
struct assassin {
  struct shunt_model *victim;
};

static void assassin_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct assassin *assassin = context;
  (void)frame;
  (void)bytes;
  (void)now_ns;
  shunt_model_destroy(assassin->victim);
  assassin->victim = NULL;
}

static void a_twin_can_be_destroyed_from_inside_the_wire(void **state)
{
  (void)state;
  static const struct shunt_wire_end_ops ops = {.deliver = assassin_deliver};
  struct assassin assassin = {NULL};
  struct shunt_wire_end *end;
  assert_int_equal(shunt_wire_attach(bench.wire, "assassin", &ops, &assassin, &end, NULL), 0);
  assert_int_equal(shunt_twin_ixgbe_create(NULL, bench.wire, "victim", &assassin.victim, NULL), 0);
  bench_receive(&bench, 60, 1000);
  assert_null(assassin.victim);
  bench_receive(&bench, 60, 2000);
  shunt_wire_detach(end);
}

/* ---- Counters ---- */

static void every_counter_has_a_name(void **state)
{
  (void)state;
  const char *names[64];
  uint64_t values[64];
  unsigned n = shunt_model_counters(bench.model, names, values, 64);
  assert_in_range(n, 20, 64); /* all fit, so that shunt_model_counter finds all */
  assert_int_equal(shunt_model_counters(bench.model, NULL, NULL, 0), n);
  for (unsigned i = 0; i < n; i++)
    for (unsigned j = 0; j < i; j++)
      assert_string_not_equal(names[i], names[j]);
  const char *first[1];
  assert_int_equal(shunt_model_counters(bench.model, first, values, 1), n);
  assert_ptr_equal(first[0], names[0]);
}

static void accesses_are_counted(void **state)
{
  (void)state;
  uint64_t reads = bench_counter(&bench, "mmio_reads");
  uint64_t writes = bench_counter(&bench, "mmio_writes");
  bench_read(&bench, IXGBE_STATUS);
  bench_write(&bench, IXGBE_EIMC, UINT32_MAX);
  bench_write(&bench, 2, 0); /* never reaches the twin */
  assert_int_equal(bench_counter(&bench, "mmio_reads"), reads + 1);
  assert_int_equal(bench_counter(&bench, "mmio_writes"), writes + 1);
  assert_int_equal(bench_counter(&bench, "bad_access"), 1);
}

static void dma_faults_are_counted(void **state)
{
  (void)state;
  shunt_model_dma(bench.model, 0x1234, 4, 0);
  assert_int_equal(bench_counter(&bench, "dma_faults"), 1);
  assert_int_equal(bench.model->dma_fault_iova, 0x1234);
}

/* ---- Turns ---- */

static void an_idle_twin_does_nothing(void **state)
{
  (void)state;
  for (uint64_t now = 0; now < 100000; now += 100)
    assert_int_equal(shunt_model_poll(bench.model, now), 0);
  assert_int_equal(shunt_wire_poll(bench.wire, 200000), 0);
}

static void the_wire_knows_when_moderation_ends(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX);
  bench_write(&bench, IXGBE_EIAC, 0xFFFF);
  bench_write(&bench, IXGBE_EITR(0), HW_FIELD(IXGBE_EITR_INTERVAL, 10u) | IXGBE_EITR_CNT_WDIS);
  bench_write(&bench, IXGBE_EIMS, 1);
  shunt_wire_poll(bench.wire, 1000);
  assert_int_equal(shunt_wire_next_ns(bench.wire), UINT64_MAX);
  bench_write(&bench, IXGBE_EICS, 1);
  bench_write(&bench, IXGBE_EICS, 1);
  assert_int_equal(bench.sent[0], 1);
  uint64_t due = shunt_wire_next_ns(bench.wire);
  assert_int_equal(due, 1000 + 10 * IXGBE_EITR_UNIT_NS);
  shunt_wire_poll(bench.wire, due);
  assert_int_equal(bench.sent[0], 2);
}

static void no_frame_is_taken_without_link(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
  bench_write(&bench, IXGBE_AUTOC2, bench_read(&bench, IXGBE_AUTOC2) | IXGBE_AUTOC2_LINK_DISABLE);
  bench_receive(&bench, 60, 1000);
  assert_int_equal(bench_counter(&bench, "rx_disabled"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(options_are_checked),
      TEST(defaults_are_an_sfp_port_with_a_cable),
      TEST(what_is_shared_is_the_shared_pages_alone),
      TEST(the_wire_may_go_first),
      TEST(a_twin_can_be_destroyed_from_inside_the_wire),
      TEST(every_counter_has_a_name),
      TEST(accesses_are_counted),
      TEST(dma_faults_are_counted),
      TEST(an_idle_twin_does_nothing),
      TEST(the_wire_knows_when_moderation_ends),
      TEST(no_frame_is_taken_without_link),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
