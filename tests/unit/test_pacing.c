/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The command is no library to link with. */
#include "tools/shunt/pacing.c" /* NOLINT(bugprone-suspicious-include) */

static void init(struct pacing *pacing, double rate_pps)
{
  struct shunt_error error;
  assert_int_equal(pacing_init(pacing, 1000, rate_pps, &error), 0);
}

static void a_frame_is_due_at_its_time_and_not_before(void **state)
{
  (void)state;
  struct pacing pacing;
  init(&pacing, 1e6); /* one each microsecond */
  assert_int_equal(pacing_due(&pacing, 999, 32), 0);
  assert_int_equal(pacing_due(&pacing, 1000, 32), 1);
  assert_int_equal(pacing_due(&pacing, 1999, 32), 1);
  assert_int_equal(pacing_due(&pacing, 2000, 32), 2);
  pacing_sent(&pacing, 2000, 2);
  assert_int_equal(pacing_due(&pacing, 2999, 32), 0);
  assert_int_equal(pacing_due(&pacing, 3000, 32), 1);
  pacing_end(&pacing);
}

static void a_stall_makes_all_of_it_due_and_moves_nothing(void **state)
{
  (void)state;
  struct pacing pacing;
  init(&pacing, 1e6);
  assert_int_equal(pacing_due(&pacing, 1000 + 100 * 1000, 32), 32);
  pacing_sent(&pacing, 1000 + 100 * 1000, 32);
  assert_int_equal(pacing_due(&pacing, 1000 + 100 * 1000, 1000), 101 - 32);
  assert_int_equal(pacing_due_ns(&pacing, 200), 1000 + 200 * 1000);
  /* The first of the 32 was 100 us late, the last 69. */
  assert_int_equal(shunt_histogram_max(pacing.lateness), 100000);
  assert_int_equal(shunt_histogram_min(pacing.lateness), 69000);
  assert_int_equal(pacing.lateness->total, 32);
  pacing_end(&pacing);
}

static void without_a_rate_everything_is_due(void **state)
{
  (void)state;
  struct pacing pacing;
  init(&pacing, 0);
  assert_int_equal(pacing_due(&pacing, 0, 32), 32);
  pacing_sent(&pacing, 0, 32);
  assert_int_equal(pacing_due(&pacing, 0, 7), 7);
  assert_int_equal(pacing.sent, 32);
  assert_int_equal(pacing.lateness->total, 0);
  pacing_end(&pacing);
}

static void an_odd_rate_does_not_drift(void **state)
{
  (void)state;
  struct pacing pacing;
  init(&pacing, 3); /* a third of a second is no whole number of nanoseconds */
  assert_in_range(pacing_due_ns(&pacing, 3 * 86400) - 1000, UINT64_C(86400000000000) - 1,
                  UINT64_C(86400000000000) + 1);
  pacing_end(&pacing);
}

static void who_sleeps_now_would_be_late_for_what_is_near(void **state)
{
  (void)state;
  struct pacing pacing;
  init(&pacing, 100);
  pacing_sent(&pacing, 1000, 1); /* the next one is 10 ms later */
  assert_false(pacing_is_near(&pacing, 1000));
  assert_true(pacing_is_near(&pacing, 1000 + 9000000));
  assert_true(pacing_is_near(&pacing, 1000 + 11000000));
  pacing_end(&pacing);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_frame_is_due_at_its_time_and_not_before),
      cmocka_unit_test(a_stall_makes_all_of_it_due_and_moves_nothing),
      cmocka_unit_test(without_a_rate_everything_is_due),
      cmocka_unit_test(an_odd_rate_does_not_drift),
      cmocka_unit_test(who_sleeps_now_would_be_late_for_what_is_near),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
