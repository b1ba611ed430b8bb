/* SPDX-License-Identifier: BSD-2-Clause */
/* When a command gives its goal up: after so long without progress, by looks that a machine with
 * other work may put off for any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tools/shunt/goal.c" /* NOLINT(bugprone-suspicious-include) */

#define MS UINT64_C(1000000)

/* Of the devices, of which there are none here. */
uint32_t device_unsent(const struct device *device)
{
  (void)device;
  return 0;
}

static uint64_t moved; /* what the goal asks for */

static uint64_t reached(const void *context)
{
  (void)context;
  return moved;
}

static struct goal goal_of(double give_up_s)
{
  moved = 0;
  return (struct goal){.what = "frames moved",
                       .count = 10,
                       .reached = reached,
                       .remedy = "look on",
                       .give_up_s = give_up_s,
                       .usual_s = 10};
}

static uint64_t now_ns;

/* So much later. Returns whether the goal is given up. */
static bool gives_up_after(struct goal *goal, uint64_t passed_ns, struct shunt_error *error)
{
  struct devices devices = {0};
  now_ns += passed_ns;
  return goal_check(goal, &devices, now_ns, error) != 0;
}

static void test_quiet(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  struct goal goal = goal_of(2);
  unsigned looks = 0;
  moved = 3;
  assert_false(gives_up_after(&goal, 100 * MS, &error)); /* the first look, which sees progress */
  while (!gives_up_after(&goal, 100 * MS, &error))
    looks++;
  assert_int_equal(looks, 19); /* the twentieth ends it */
  assert_int_equal(error.code, -ETIMEDOUT);
  assert_string_equal(error.what,
                      "3 of 10 frames moved, then not one more for 2 s (see --give-up)");
  assert_string_equal(error.remedy, "look on");
}

static void test_progress(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  struct goal goal = goal_of(0.5);
  for (unsigned i = 0; i < 100; i++) {
    moved += i % 3 == 0;
    assert_false(gives_up_after(&goal, 150 * MS, &error));
  }
}

/* A process that was stopped for longer than its patience has seen nothing of that time. */
static void test_stopped(void **state)
{
  (void)state;
  static const double patience_s[] = {0.05, 0.1, 0.2, 0.5, 10};
  struct shunt_error error = {0};
  for (unsigned i = 0; i < sizeof(patience_s) / sizeof(patience_s[0]); i++) {
    struct goal goal = goal_of(patience_s[i]);
    assert_false(gives_up_after(&goal, 100 * MS, &error));
    for (unsigned stops = 0; stops < 3; stops++)
      assert_false(gives_up_after(&goal, 60000 * MS, &error));
    moved++;
    assert_false(gives_up_after(&goal, 60000 * MS, &error));
    for (unsigned stops = 0; stops < 3; stops++)
      assert_false(gives_up_after(&goal, 60000 * MS, &error));
    unsigned looks = 0;
    while (!gives_up_after(&goal, 100 * MS, &error))
      assert_in_range(++looks, 1, 100); /* but it does end */
  }
}

static void test_never(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  struct goal goal = goal_of(0);
  for (unsigned i = 0; i < 1000; i++)
    assert_false(gives_up_after(&goal, 1000 * MS, &error));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_quiet),
      cmocka_unit_test(test_progress),
      cmocka_unit_test(test_stopped),
      cmocka_unit_test(test_never),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
