/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/counter.h"

enum { RX_FRAMES, RX_BYTES, RX_DROPPED, COUNTERS };

static const struct shunt_counter_description descriptions[COUNTERS] = {
    [RX_FRAMES] = {"rx_frames", "frames", "Frames received."},
    [RX_BYTES] = {"rx_bytes", "bytes", "Bytes received."},
    [RX_DROPPED] = {"rx_dropped_full", "frames", "Frames dropped because the ring was full."},
};

static void a_set_is_read_by_name_and_as_a_whole(void **state)
{
  (void)state;
  uint64_t values[COUNTERS] = {0};
  struct shunt_counter_set set = {"queue", descriptions, values, COUNTERS};
  shunt_counter_add(&values[RX_FRAMES], 2);
  shunt_counter_add(&values[RX_FRAMES], 0);
  shunt_counter_add(&values[RX_BYTES], 120);
  assert_ptr_equal(shunt_counter_find(&set, "rx_bytes"), &values[RX_BYTES]);
  assert_int_equal(shunt_counter_read(shunt_counter_find(&set, "rx_frames")), 2);
  assert_null(shunt_counter_find(&set, "rx_byte"));
  assert_null(shunt_counter_find(&set, ""));

  uint64_t copy[COUNTERS + 1] = {9, 9, 9, 9};
  assert_int_equal(shunt_counter_snapshot(&set, copy, 0), COUNTERS);
  assert_int_equal(copy[0], 9);
  assert_int_equal(shunt_counter_snapshot(&set, copy, 2), COUNTERS);
  assert_int_equal(copy[1], 120);
  assert_int_equal(copy[2], 9);
  assert_int_equal(shunt_counter_snapshot(&set, copy, COUNTERS + 1), COUNTERS);
  assert_int_equal(copy[2], 0);
  assert_int_equal(copy[3], 9);
}

static void differences_survive_a_wrap(void **state)
{
  (void)state;
  uint64_t before[2] = {10, UINT64_MAX - 1};
  uint64_t now[2] = {15, 3};
  uint64_t difference[2];
  shunt_counter_difference(now, before, difference, 2);
  assert_int_equal(difference[0], 5);
  assert_int_equal(difference[1], 5);
  shunt_counter_difference(now, before, now, 2);
  assert_int_equal(now[1], 5);
}

static void a_wrapping_counter_is_accumulated(void **state)
{
  (void)state;
  struct shunt_counter_wide wide;
  shunt_counter_wide_init(&wide, SHUNT_COUNTER_WRAPS, 32, 0xfffffff0u);
  assert_int_equal(shunt_counter_wide_update(&wide, 0xfffffff0u), 0);
  assert_int_equal(shunt_counter_wide_update(&wide, 0xffffffffu), 15);
  assert_int_equal(shunt_counter_wide_update(&wide, 0x10), 17);
  assert_int_equal(wide.total, 32);
  for (int turn = 0; turn < 10; turn++) {
    shunt_counter_wide_update(&wide, 0x80000000u);
    shunt_counter_wide_update(&wide, 0x10);
  }
  assert_true(shunt_counter_read(&wide.total) == 32 + (UINT64_C(10) << 32));
  assert_int_equal(wide.stuck, 0);
}

static void thirty_six_bits_wrap_at_thirty_six(void **state)
{
  (void)state;
  struct shunt_counter_wide wide;
  shunt_counter_wide_init(&wide, SHUNT_COUNTER_WRAPS, 36, 0);
  shunt_counter_wide_update(&wide, UINT64_C(0xfffffffff));
  /* What a register reads as above its width is none of the counter's. */
  shunt_counter_wide_update(&wide, UINT64_C(0xabc000000001));
  assert_true(wide.total == (UINT64_C(1) << 36) + 1);
}

static void a_counter_that_reading_clears_is_summed(void **state)
{
  (void)state;
  struct shunt_counter_wide wide;
  shunt_counter_wide_init(&wide, SHUNT_COUNTER_CLEARS_ON_READ, 32, 1234);
  assert_int_equal(shunt_counter_wide_update(&wide, 5), 5);
  assert_int_equal(shunt_counter_wide_update(&wide, 0), 0);
  assert_int_equal(shunt_counter_wide_update(&wide, 3), 3);
  assert_int_equal(wide.total, 8);
  assert_int_equal(wide.stuck, 0);
  shunt_counter_wide_update(&wide, 0xffffffffu);
  assert_int_equal(wide.stuck, 1);
  assert_true(wide.total == 8 + UINT64_C(0xffffffff));
}

static void any_width_is_possible(void **state)
{
  (void)state;
  struct shunt_counter_wide wide;
  shunt_counter_wide_init(&wide, SHUNT_COUNTER_WRAPS, 64, 0);
  shunt_counter_wide_update(&wide, UINT64_MAX);
  assert_true(wide.total == UINT64_MAX);
  shunt_counter_wide_init(&wide, SHUNT_COUNTER_WRAPS, 100, 7);
  assert_int_equal(shunt_counter_wide_update(&wide, 6), UINT64_MAX);
  shunt_counter_wide_init(&wide, SHUNT_COUNTER_WRAPS, 0, 1);
  assert_int_equal(shunt_counter_wide_update(&wide, 2), 1);
}

static void *count_up(void *counter)
{
  for (int i = 0; i < 100000; i++)
    shunt_counter_add(counter, 1);
  return NULL;
}

static void another_thread_sees_it_grow(void **state)
{
  (void)state;
  uint64_t counter = 0;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, count_up, &counter), 0);
  uint64_t last = 0;
  unsigned backwards = 0;
  for (int i = 0; i < 10000; i++) {
    uint64_t now = shunt_counter_read(&counter);
    backwards += now < last;
    last = now;
  }
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(backwards, 0);
  assert_int_equal(shunt_counter_read(&counter), 100000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_set_is_read_by_name_and_as_a_whole),
      cmocka_unit_test(differences_survive_a_wrap),
      cmocka_unit_test(a_wrapping_counter_is_accumulated),
      cmocka_unit_test(thirty_six_bits_wrap_at_thirty_six),
      cmocka_unit_test(a_counter_that_reading_clears_is_summed),
      cmocka_unit_test(any_width_is_possible),
      cmocka_unit_test(another_thread_sees_it_grow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
