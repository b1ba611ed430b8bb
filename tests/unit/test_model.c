/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/model.h"

/* A model that remembers the last access to its one BAR of 4 KiB. */
struct probe {
  struct shunt_model model; /* first */
  unsigned reads, writes, resets, polls, config_writes;
  uint64_t offset, value;
  unsigned bytes;
};

static uint64_t probe_read(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes)
{
  struct probe *probe = (struct probe *)model;
  assert_int_equal(bar, 0);
  probe->reads++;
  probe->offset = offset;
  probe->bytes = bytes;
  return 0x1122334455667788;
}

static void probe_write(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes,
                        uint64_t value)
{
  struct probe *probe = (struct probe *)model;
  assert_int_equal(bar, 0);
  probe->writes++;
  probe->offset = offset;
  probe->bytes = bytes;
  probe->value = value;
}

static void probe_reset(struct shunt_model *model)
{
  ((struct probe *)model)->resets++;
}

static unsigned probe_poll(struct shunt_model *model, uint64_t now_ns)
{
  ((struct probe *)model)->polls++;
  return (unsigned)now_ns;
}

static void probe_config_written(struct shunt_model *model, unsigned offset, unsigned bytes)
{
  (void)offset;
  (void)bytes;
  ((struct probe *)model)->config_writes++;
}

static unsigned probe_counters(const struct shunt_model *model, const char *names[],
                               uint64_t values[], unsigned n)
{
  (void)model;
  if (n > 0) {
    names[0] = "apples";
    values[0] = 7;
  }
  if (n > 1) {
    names[1] = "pears";
    values[1] = 9;
  }
  return 2;
}

static void probe_destroy(struct shunt_model *model)
{
  free(model);
}

static const struct shunt_model_ops probe_ops = {.reset = probe_reset,
                                                 .bar_read = probe_read,
                                                 .bar_write = probe_write,
                                                 .config_written = probe_config_written,
                                                 .poll = probe_poll,
                                                 .counters = probe_counters,
                                                 .destroy = probe_destroy};

static int set_up(void **state)
{
  struct probe *probe = calloc(1, sizeof(*probe));
  if (!probe)
    return -1;
  probe->model.ops = &probe_ops;
  probe->model.bars[0].bytes = 4096;
  *state = probe;
  return 0;
}

static int tear_down(void **state)
{
  shunt_model_destroy(*state);
  return 0;
}

/* ---- Memory ---- */

static uint8_t memory[8192];

static void memory_is_found_where_it_was_mapped(void **state)
{
  struct shunt_model *model = *state;
  assert_null(shunt_model_dma(model, 0x1000, 1, 0));
  assert_int_equal(model->dma_faults, 1);
  assert_int_equal(shunt_model_dma_map(model, 0x10000, memory, 4096, 1), 0);
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory + 4096, 4096, 0), 0);
  assert_ptr_equal(shunt_model_dma(model, 0x10000, 4096, 1), memory);
  assert_ptr_equal(shunt_model_dma(model, 0x10FFF, 1, 1), memory + 4095);
  assert_ptr_equal(shunt_model_dma(model, 0x1004, 8, 0), memory + 4100);
  assert_int_equal(model->dma_faults, 1);
}

static void memory_is_refused_at_every_edge(void **state)
{
  struct shunt_model *model = *state;
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory, 4096, 0), 0);
  assert_null(shunt_model_dma(model, 0xFFF, 1, 0));
  assert_null(shunt_model_dma(model, 0xFFF, 2, 0));
  assert_null(shunt_model_dma(model, 0x2000, 1, 0));
  assert_null(shunt_model_dma(model, 0x1FFF, 2, 0));
  assert_null(shunt_model_dma(model, 0x1000, 4097, 0));
  assert_null(shunt_model_dma(model, 0x1000, UINT64_MAX, 0));
  assert_null(shunt_model_dma(model, UINT64_MAX, 2, 0));
  assert_null(shunt_model_dma(model, 0x1000, 0, 0));
  assert_null(shunt_model_dma(model, 0x1000, 1, 1)); /* read only */
  assert_int_equal(model->dma_faults, 9);
  assert_int_equal(model->dma_fault_iova, 0x1000);
}

static void neighbours_are_not_joined(void **state)
{
  struct shunt_model *model = *state;
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory, 4096, 1), 0);
  assert_int_equal(shunt_model_dma_map(model, 0x2000, memory + 4096, 4096, 1), 0);
  assert_null(shunt_model_dma(model, 0x1FFF, 2, 0));
  assert_ptr_equal(shunt_model_dma(model, 0x2000, 4096, 0), memory + 4096);
}

static void what_lies_here_and_there_comes_in_pieces(void **state)
{
  struct shunt_model *model = *state;
  unsigned hint = 0;
  uint64_t bytes = 100;
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory + 4096, 4096, 1), 0);
  assert_int_equal(shunt_model_dma_map(model, 0x2000, memory, 4096, 0), 0);
  assert_ptr_equal(shunt_model_dma_piece(model, &hint, 0x1FF0, &bytes, 1), memory + 8192 - 16);
  assert_int_equal(bytes, 16);
  bytes = 84;
  assert_ptr_equal(shunt_model_dma_piece(model, &hint, 0x2000, &bytes, 0), memory);
  assert_int_equal(bytes, 84);
  bytes = UINT64_MAX;
  assert_ptr_equal(shunt_model_dma_piece(model, &hint, 0x2FFF, &bytes, 0), memory + 4095);
  assert_int_equal(bytes, 1);
  assert_int_equal(model->dma_faults, 0);
  bytes = 1;
  assert_null(shunt_model_dma_piece(model, &hint, 0x2000, &bytes, 1)); /* may not be written */
  assert_null(shunt_model_dma_piece(model, &hint, 0xFFF, &bytes, 0));
  assert_null(shunt_model_dma_piece(model, &hint, 0x3000, &bytes, 0));
  bytes = 0;
  assert_null(shunt_model_dma_piece(model, &hint, 0x1000, &bytes, 0));
  assert_int_equal(model->dma_faults, 4);
}

static void bad_mappings_are_refused(void **state)
{
  struct shunt_model *model = *state;
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory, 0, 1), -EINVAL);
  assert_int_equal(shunt_model_dma_map(model, 0x1000, NULL, 64, 1), -EINVAL);
  assert_int_equal(shunt_model_dma_map(model, UINT64_MAX - 62, memory, 64, 1), -EINVAL);
  assert_int_equal(shunt_model_dma_map(model, UINT64_MAX - 63, memory, 64, 1), 0);
  assert_ptr_equal(shunt_model_dma(model, UINT64_MAX, 1, 1), memory + 63);
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory, 0x100, 1), 0);
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory, 0x100, 1), -EEXIST);
  assert_int_equal(shunt_model_dma_map(model, 0x10FF, memory, 1, 1), -EEXIST);
  assert_int_equal(shunt_model_dma_map(model, 0xFFF, memory, 2, 1), -EEXIST);
  assert_int_equal(shunt_model_dma_map(model, 0x800, memory, 0x1000, 1), -EEXIST);
  assert_int_equal(shunt_model_dma_map(model, 0x1100, memory, 1, 1), 0);
  assert_int_equal(shunt_model_dma_map(model, 0xFFF, memory, 1, 1), 0);
  assert_int_equal(model->range_count, 4);
}

static void the_table_fills_in_any_order_and_ends(void **state)
{
  struct shunt_model *model = *state;
  for (unsigned i = 0; i < SHUNT_MODEL_DMA_RANGES; i++) {
    uint64_t slot = i * 389 % SHUNT_MODEL_DMA_RANGES; /* 389 is prime: each slot once */
    assert_int_equal(shunt_model_dma_map(model, slot * 0x100, memory + slot, 1, 1), 0);
  }
  assert_int_equal(shunt_model_dma_map(model, 0x80, memory, 1, 1), -ENOSPC);
  for (unsigned i = 0; i < SHUNT_MODEL_DMA_RANGES; i++)
    assert_ptr_equal(shunt_model_dma(model, (uint64_t)i * 0x100, 1, 0), memory + i);
}

static void unmapping_cuts(void **state)
{
  struct shunt_model *model = *state;
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory, 0x1000, 1), 0);
  assert_int_equal(shunt_model_dma_unmap(model, 0x1400, 0x100), 0x100);
  assert_int_equal(model->range_count, 2);
  assert_ptr_equal(shunt_model_dma(model, 0x1000, 0x400, 1), memory);
  assert_ptr_equal(shunt_model_dma(model, 0x1500, 0xB00, 1), memory + 0x500);
  assert_null(shunt_model_dma(model, 0x13FF, 2, 1));
  assert_null(shunt_model_dma(model, 0x1400, 1, 1));
  assert_null(shunt_model_dma(model, 0x14FF, 1, 1));

  /* Over the end of one, all of a second, the beginning of a third. */
  assert_int_equal(shunt_model_dma_map(model, 0x1400, memory, 0x100, 1), 0);
  assert_int_equal(shunt_model_dma_unmap(model, 0x13F0, 0x120), 0x120);
  assert_int_equal(model->range_count, 2);
  assert_ptr_equal(shunt_model_dma(model, 0x1510, 1, 1), memory + 0x510);
  assert_null(shunt_model_dma(model, 0x13F0, 1, 1));
  assert_null(shunt_model_dma(model, 0x150F, 1, 1));
  assert_int_equal(shunt_model_dma_unmap(model, 0, UINT64_MAX), 0x3F0 + 0xAF0);
  assert_int_equal(model->range_count, 0);
  assert_null(shunt_model_dma(model, 0x1000, 1, 1));
}

static void unmapping_the_unknown_is_no_error(void **state)
{
  struct shunt_model *model = *state;
  assert_int_equal(shunt_model_dma_unmap(model, 0x1000, 0x1000), 0);
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory, 0x1000, 1), 0);
  assert_int_equal(shunt_model_dma_unmap(model, 0x1000, 0), 0);
  assert_int_equal(shunt_model_dma_unmap(model, 0x2000, 0x1000), 0);
  assert_int_equal(shunt_model_dma_unmap(model, 0, 0x1000), 0);
  assert_ptr_equal(shunt_model_dma(model, 0x1000, 0x1000, 1), memory);
}

/* The fast path remembers the last range: what is taken away must not be reachable through it. */
static void what_was_just_used_is_gone_after_unmap(void **state)
{
  struct shunt_model *model = *state;
  assert_int_equal(shunt_model_dma_map(model, 0x1000, memory, 0x1000, 1), 0);
  assert_int_equal(shunt_model_dma_map(model, 0x3000, memory + 4096, 0x1000, 1), 0);
  assert_non_null(shunt_model_dma(model, 0x3000, 1, 1));
  assert_int_equal(shunt_model_dma_unmap(model, 0x3000, 0x1000), 0x1000);
  assert_null(shunt_model_dma(model, 0x3000, 1, 1));
  assert_non_null(shunt_model_dma(model, 0x1FFF, 1, 1));
  assert_int_equal(shunt_model_dma_unmap(model, 0x1800, 0x1000), 0x800);
  assert_null(shunt_model_dma(model, 0x1FFF, 1, 1));
}

/* A cut in the middle needs a second place; without one less stays mapped, never more. */
static void a_full_table_loses_the_rest_of_a_cut_range(void **state)
{
  struct shunt_model *model = *state;
  for (unsigned i = 0; i < SHUNT_MODEL_DMA_RANGES; i++)
    assert_int_equal(shunt_model_dma_map(model, (uint64_t)i * 0x1000, memory, 0x300, 1), 0);
  assert_int_equal(shunt_model_dma_unmap(model, 0x5100, 0x100), 0x200);
  assert_non_null(shunt_model_dma(model, 0x5000, 0x100, 1));
  assert_null(shunt_model_dma(model, 0x5100, 1, 1));
  assert_null(shunt_model_dma(model, 0x5200, 1, 1));
}

/* ---- Configuration space ---- */

static void config_keeps_only_what_is_writable(void **state)
{
  struct probe *probe = *state;
  struct shunt_model *model = &probe->model;
  memcpy(model->config + 0x10, "\x11\x22\x33\x44", 4);
  memcpy(model->config_writable + 0x10, "\x00\xF0\xFF\x0F", 4);
  shunt_model_config_write(model, 0x10, 4, 0xAABBCCDD);
  assert_int_equal(shunt_model_config_read(model, 0x10, 4), 0x4ABBC211);
  shunt_model_config_write(model, 0x11, 1, 0xFFFFFF15);
  assert_int_equal(shunt_model_config_read(model, 0x10, 2), 0x1211);
  assert_int_equal(shunt_model_config_read(model, 0x12, 1), 0xBB);
  assert_int_equal(probe->config_writes, 2);
}

static void config_outside_reads_ones(void **state)
{
  struct probe *probe = *state;
  struct shunt_model *model = &probe->model;
  memset(model->config_writable, 0xFF, sizeof(model->config_writable));
  assert_int_equal(shunt_model_config_read(model, 4096, 4), UINT32_MAX);
  assert_int_equal(shunt_model_config_read(model, UINT32_MAX, 1), UINT32_MAX);
  assert_int_equal(shunt_model_config_read(model, 0, 3), UINT32_MAX);
  assert_int_equal(shunt_model_config_read(model, 4094, 4), 0xFFFF0000);
  shunt_model_config_write(model, 4094, 4, 0x12345678);
  assert_int_equal(shunt_model_config_read(model, 4094, 2), 0x5678);
  shunt_model_config_write(model, 4096, 4, 0);
  shunt_model_config_write(model, 0, 8, 0);
  assert_int_equal(probe->config_writes, 1);
}

/* ---- BARs ---- */

static void bar_accesses_are_checked(void **state)
{
  struct probe *probe = *state;
  struct shunt_model *model = &probe->model;
  static const struct {
    unsigned bar;
    uint64_t offset;
    unsigned bytes;
  } bad[] = {
      {1, 0, 4},    {6, 0, 4},          {UINT32_MAX, 0, 4}, {0, 4096, 4}, {0, UINT64_MAX, 1},
      {0, 2, 4},    {0, 4, 8},          {0, 1, 2},          {0, 0, 3},    {0, 0, 0},
      {0, 4096, 1}, {0, UINT64_MAX, 8}, {0, 0, 16},
  };
  const unsigned count = sizeof(bad) / sizeof(bad[0]);
  for (unsigned i = 0; i < count; i++) {
    assert_int_equal(shunt_model_bar_read(model, bad[i].bar, bad[i].offset, bad[i].bytes),
                     UINT64_MAX);
    shunt_model_bar_write(model, bad[i].bar, bad[i].offset, bad[i].bytes, 1);
  }
  assert_int_equal(probe->reads + probe->writes, 0);
  assert_int_equal(model->bad_accesses, 2 * count);
}

static void bar_accesses_arrive(void **state)
{
  struct probe *probe = *state;
  struct shunt_model *model = &probe->model;
  assert_int_equal(shunt_model_bar_read(model, 0, 4088, 8), 0x1122334455667788);
  assert_int_equal(probe->offset, 4088);
  assert_int_equal(probe->bytes, 8);
  shunt_model_bar_write(model, 0, 4095, 1, 0x5A);
  assert_int_equal(probe->offset, 4095);
  assert_int_equal(probe->bytes, 1);
  assert_int_equal(probe->value, 0x5A);
  assert_int_equal(model->bad_accesses, 0);
}

/* ---- The rest ---- */

static void calls_pass_through(void **state)
{
  struct probe *probe = *state;
  struct shunt_model *model = &probe->model;
  assert_int_equal(shunt_model_poll(model, 42), 42);
  shunt_model_reset(model);
  assert_int_equal(probe->polls, 1);
  assert_int_equal(probe->resets, 1);
  assert_int_equal(shunt_model_counters(model, NULL, NULL, 0), 2);
  assert_int_equal(shunt_model_counter(model, "apples"), 7);
  assert_int_equal(shunt_model_counter(model, "pears"), 9);
  assert_int_equal(shunt_model_counter(model, "plums"), 0);
  shunt_model_destroy(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(memory_is_found_where_it_was_mapped),
      TEST(memory_is_refused_at_every_edge),
      TEST(neighbours_are_not_joined),
      TEST(what_lies_here_and_there_comes_in_pieces),
      TEST(bad_mappings_are_refused),
      TEST(the_table_fills_in_any_order_and_ends),
      TEST(unmapping_cuts),
      TEST(unmapping_the_unknown_is_no_error),
      TEST(what_was_just_used_is_gone_after_unmap),
      TEST(a_full_table_loses_the_rest_of_a_cut_range),
      TEST(config_keeps_only_what_is_writable),
      TEST(config_outside_reads_ones),
      TEST(bar_accesses_are_checked),
      TEST(bar_accesses_arrive),
      TEST(calls_pass_through),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
