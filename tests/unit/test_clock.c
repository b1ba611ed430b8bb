/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/clock.h"

#define MS UINT64_C(1000000)

/* ---- Virtual time ---- */

struct turns {
  struct shunt_virtual_clock *clock;
  unsigned count;
  uint64_t last_ns;
  uint64_t advance_ns;
  unsigned done_at; /* the condition holds after this many turns; 0 = never */
  unsigned looks;
};

static void take_turn(void *context, uint64_t now_ns)
{
  struct turns *turns = context;
  turns->count++;
  turns->last_ns = now_ns;
  if (turns->advance_ns > 0)
    shunt_virtual_clock_advance(turns->clock, turns->advance_ns);
}

static bool enough_turns(void *context)
{
  struct turns *turns = context;
  turns->looks++;
  return turns->done_at > 0 && turns->count >= turns->done_at;
}

static bool never(void *context)
{
  (*(unsigned *)context)++;
  return false;
}

static bool always(void *context)
{
  (*(unsigned *)context)++;
  return true;
}

static void virtual_time_passes_only_by_sleeping(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 1000);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  assert_int_equal(shunt_clock_now_ns(&clock), 1000);
  assert_int_equal(shunt_clock_now_ns(&clock), 1000);
  shunt_clock_sleep_ns(&clock, 5);
  assert_int_equal(shunt_clock_now_ns(&clock), 1005);
  shunt_virtual_clock_advance(&virtual_clock, 0);
  assert_int_equal(shunt_clock_now_ns(&clock), 1005);
  shunt_clock_sleep_ns(&clock, 0);
  assert_int_equal(shunt_clock_now_ns(&clock), 1006);
}

static void reading_can_move_virtual_time(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  virtual_clock.read_ns = 10;
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  unsigned rounds = 0;
  while (shunt_clock_now_ns(&clock) < 100)
    rounds++;
  assert_int_equal(rounds, 10);
}

static void virtual_time_saturates(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, UINT64_MAX - 5);
  shunt_virtual_clock_advance(&virtual_clock, 100);
  assert_true(virtual_clock.now_ns == UINT64_MAX);
  struct turns turns = {.clock = &virtual_clock};
  shunt_virtual_clock_hook(&virtual_clock, take_turn, &turns, 7);
  shunt_virtual_clock_advance(&virtual_clock, 100);
  assert_true(virtual_clock.now_ns == UINT64_MAX);
  assert_int_equal(turns.count, 1);
}

static void the_hook_gets_a_turn_per_sleep_or_per_step(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  struct turns turns = {.clock = &virtual_clock};
  shunt_virtual_clock_hook(&virtual_clock, take_turn, &turns, 0);
  shunt_virtual_clock_advance(&virtual_clock, 1000);
  assert_int_equal(turns.count, 1);
  assert_int_equal(turns.last_ns, 1000);

  shunt_virtual_clock_hook(&virtual_clock, take_turn, &turns, 300);
  turns.count = 0;
  shunt_virtual_clock_advance(&virtual_clock, 1000);
  assert_int_equal(turns.count, 4);
  assert_int_equal(turns.last_ns, 2000);

  turns.count = 0;
  shunt_virtual_clock_advance(&virtual_clock, 0);
  assert_int_equal(turns.count, 1);
  assert_int_equal(virtual_clock.now_ns, 2000);

  shunt_virtual_clock_hook(&virtual_clock, NULL, NULL, 0);
  shunt_virtual_clock_advance(&virtual_clock, 10);
  assert_int_equal(turns.count, 1);
}

static void a_hook_may_move_the_time_itself(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  struct turns turns = {.clock = &virtual_clock, .advance_ns = 50};
  shunt_virtual_clock_hook(&virtual_clock, take_turn, &turns, 100);
  shunt_virtual_clock_advance(&virtual_clock, 290);
  /* 100 + 50, 250 + 50: past the end of the sleep, after two turns. */
  assert_int_equal(turns.count, 2);
  assert_int_equal(virtual_clock.now_ns, 300);
}

/* ---- Waits ---- */

static void a_wait_ends_when_the_condition_holds(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  struct turns turns = {.clock = &virtual_clock, .done_at = 3};
  shunt_virtual_clock_hook(&virtual_clock, take_turn, &turns, 0);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  assert_int_equal(shunt_wait_until(&clock, 1000, 100, enough_turns, &turns), 0);
  assert_int_equal(virtual_clock.now_ns, 300);
  assert_int_equal(turns.looks, 4);
}

static void a_wait_times_out_exactly_at_the_deadline(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  unsigned looks = 0;
  assert_int_equal(shunt_wait_until(&clock, 1050, 100, never, &looks), -ETIMEDOUT);
  assert_int_equal(virtual_clock.now_ns, 1050);
  assert_int_equal(looks, 12);
}

static void a_wait_without_pause_ends_too(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  unsigned looks = 0;
  assert_int_equal(shunt_wait_until(&clock, 20, 0, never, &looks), -ETIMEDOUT);
  assert_int_equal(looks, 21);
}

static void a_deadline_in_the_past_looks_once(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 100);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  unsigned looks = 0;
  assert_int_equal(shunt_wait_until(&clock, 5, 10, never, &looks), -ETIMEDOUT);
  assert_int_equal(looks, 1);
  assert_int_equal(shunt_wait_until(&clock, 5, 10, always, &looks), 0);
  assert_int_equal(virtual_clock.now_ns, 100);
}

/* The condition comes true while the thread sleeps past the deadline: that is no time-out. */
static void what_comes_true_at_the_deadline_counts(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  struct turns turns = {.clock = &virtual_clock, .done_at = 1};
  shunt_virtual_clock_hook(&virtual_clock, take_turn, &turns, 0);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  assert_int_equal(shunt_wait_until(&clock, 100, 5000, enough_turns, &turns), 0);
  assert_int_equal(virtual_clock.now_ns, 100);
}

/* ---- Real time ---- */

static void the_real_clock_sleeps_at_least_as_long_as_asked(void **state)
{
  (void)state;
  const struct shunt_clock *clock = shunt_clock_real();
  assert_ptr_equal(clock, shunt_clock_real());
  uint64_t start_ns = shunt_clock_now_ns(clock);
  shunt_clock_sleep_ns(clock, 2 * MS);
  assert_true(shunt_clock_now_ns(clock) - start_ns >= 2 * MS);
  shunt_clock_sleep_ns(clock, 0);
}

static void the_counter_follows_the_kernel(void **state)
{
  (void)state;
  struct shunt_tsc tsc;
  struct shunt_error error = {0};
  assert_int_equal(shunt_tsc_calibrate(&tsc, &error), 0);
  assert_non_null(tsc.reason);
  if (tsc.source == SHUNT_TSC_MONOTONIC) {
    print_message("no counter here: %s\n", tsc.reason);
    skip();
  }
  assert_in_range(tsc.frequency_hz, 1000000, UINT64_C(10000000000));
  struct shunt_clock clock = shunt_tsc_clock(&tsc);
  for (int round = 0; round < 5; round++) {
    uint64_t before_ns = shunt_monotonic_ns();
    uint64_t counter_ns = shunt_clock_now_ns(&clock);
    uint64_t ordered_ns = shunt_tsc_now_ordered_ns(&tsc);
    uint64_t after_ns = shunt_monotonic_ns();
    /* The slack is for the error of the rate, at 100 parts in a million of some 30 ms. */
    assert_true(counter_ns + 5000 >= before_ns && counter_ns <= after_ns + 5000);
    assert_true(ordered_ns >= counter_ns && ordered_ns <= after_ns + 5000);
    shunt_clock_sleep_ns(&clock, MS);
  }
}

static void ticks_become_nanoseconds_without_overflow(void **state)
{
  (void)state;
  /* 2.5 GHz: 0.4 ns per tick, exactly 2^32 * 2 / 5 rounded down. */
  struct shunt_tsc tsc = {.base_ticks = 1000, .base_ns = 7, .mult = UINT64_C(1717986918)};
  assert_int_equal(shunt_tsc_to_ns(&tsc, 1000), 7);
  assert_int_equal(shunt_tsc_to_ns(&tsc, 1000 + 2500), 7 + 999);
  /* Ten years of ticks: their product with mult needs more than 64 bits. */
  uint64_t seconds = UINT64_C(10) * 365 * 86400;
  uint64_t ns = shunt_tsc_to_ns(&tsc, 1000 + seconds * UINT64_C(2500000000));
  uint64_t exact_ns = seconds * UINT64_C(1000000000);
  assert_true(ns <= exact_ns + 7 && exact_ns - ns < exact_ns / 1000000000);
}

static void without_a_counter_readings_come_from_the_kernel(void **state)
{
  (void)state;
  struct shunt_tsc tsc;
  shunt_tsc_use_monotonic(&tsc);
  assert_string_equal(shunt_tsc_source_name(&tsc), "monotonic");
  uint64_t before_ns = shunt_monotonic_ns();
  uint64_t now_ns = shunt_tsc_now_ns(&tsc);
  uint64_t ordered_ns = shunt_tsc_now_ordered_ns(&tsc);
  assert_true(before_ns <= now_ns && now_ns <= ordered_ns && ordered_ns <= shunt_monotonic_ns());
  tsc.source = SHUNT_TSC_X86;
  assert_string_equal(shunt_tsc_source_name(&tsc), "tsc");
  tsc.source = SHUNT_TSC_ARM64;
  assert_string_equal(shunt_tsc_source_name(&tsc), "cntvct");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(virtual_time_passes_only_by_sleeping),
      cmocka_unit_test(reading_can_move_virtual_time),
      cmocka_unit_test(virtual_time_saturates),
      cmocka_unit_test(the_hook_gets_a_turn_per_sleep_or_per_step),
      cmocka_unit_test(a_hook_may_move_the_time_itself),
      cmocka_unit_test(a_wait_ends_when_the_condition_holds),
      cmocka_unit_test(a_wait_times_out_exactly_at_the_deadline),
      cmocka_unit_test(a_wait_without_pause_ends_too),
      cmocka_unit_test(a_deadline_in_the_past_looks_once),
      cmocka_unit_test(what_comes_true_at_the_deadline_counts),
      cmocka_unit_test(the_real_clock_sleeps_at_least_as_long_as_asked),
      cmocka_unit_test(the_counter_follows_the_kernel),
      cmocka_unit_test(ticks_become_nanoseconds_without_overflow),
      cmocka_unit_test(without_a_counter_readings_come_from_the_kernel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
