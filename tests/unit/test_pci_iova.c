/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/pci/iova.h"

#define MIB   (UINT64_C(1) << 20)
#define GIB   (UINT64_C(1) << 30)
#define ALIGN (2 * MIB)

static uint64_t take(struct iova_space *space, uint64_t wanted, uint64_t bytes)
{
  uint64_t iova = 1;
  return iova_take(space, wanted, bytes, ALIGN, &iova) == 0 ? iova : UINT64_MAX;
}

static void what_is_wanted_is_taken_where_it_is_allowed(void **state)
{
  (void)state;
  struct iova_space space = {0};
  iova_allow(&space, 0, GIB - 1);
  iova_allow(&space, 4 * GIB, UINT64_MAX);
  assert_int_equal(take(&space, 5 * GIB, 4 * MIB), 5 * GIB);
  assert_int_equal(take(&space, GIB - 2 * MIB, 2 * MIB), GIB - 2 * MIB);
  assert_int_equal(take(&space, UINT64_MAX - 2 * MIB + 1, 2 * MIB), UINT64_MAX - 2 * MIB + 1);
}

static void else_the_lowest_that_fits(void **state)
{
  (void)state;
  struct iova_space space = {0};
  iova_allow(&space, 0, 6 * MIB - 1);
  iova_allow(&space, GIB + 1, 2 * GIB - 1);
  /* Never 0, in order, round a mapping, and over to the next range. */
  assert_int_equal(take(&space, 3 * GIB, 2 * MIB), 2 * MIB);
  assert_int_equal(take(&space, 3 * GIB, 4 * MIB), GIB + 2 * MIB);
  assert_int_equal(take(&space, 3 * GIB, 2 * MIB), 4 * MIB);
  assert_int_equal(take(&space, 3 * GIB, 2 * MIB), GIB + 6 * MIB);
}

static void what_is_taken_is_not_given_twice(void **state)
{
  (void)state;
  struct iova_space space = {0};
  iova_allow(&space, 0, 16 * MIB - 1);
  assert_int_equal(take(&space, 4 * MIB, 4 * MIB), 4 * MIB);
  assert_int_equal(take(&space, 4 * MIB, 4 * MIB), 8 * MIB);
  assert_int_equal(take(&space, 6 * MIB, 2 * MIB), 2 * MIB);
  assert_int_equal(take(&space, 2 * MIB, 4 * MIB), 12 * MIB);
  assert_int_equal(take(&space, 0, 2 * MIB), UINT64_MAX);
  iova_release(&space, 8 * MIB);
  iova_release(&space, 777);
  assert_int_equal(take(&space, 0, 4 * MIB), 8 * MIB);
}

static void a_mapping_across_a_hole_is_refused(void **state)
{
  (void)state;
  struct iova_space space = {0};
  iova_allow(&space, 0, 8 * MIB - 1);
  iova_allow(&space, 10 * MIB, 14 * MIB - 1);
  assert_int_equal(take(&space, 6 * MIB, 6 * MIB), 2 * MIB);
  assert_int_equal(take(&space, 0, 6 * MIB), UINT64_MAX);
  assert_int_equal(space.mapping_count, 1);
}

static void an_empty_or_small_space_refuses(void **state)
{
  (void)state;
  struct iova_space space = {0};
  assert_int_equal(take(&space, 4 * MIB, 2 * MIB), UINT64_MAX);
  iova_allow(&space, 9, 5);
  assert_int_equal(space.range_count, 0);
  iova_allow(&space, 2 * MIB, 4 * MIB - 2);
  iova_allow(&space, UINT64_MAX - 5, UINT64_MAX);
  assert_int_equal(take(&space, 0, 2 * MIB), UINT64_MAX);
}

static void the_end_of_addresses_is_no_trap(void **state)
{
  (void)state;
  struct iova_space space = {0};
  uint64_t last = UINT64_MAX - 2 * MIB + 1;
  iova_allow(&space, last, UINT64_MAX);
  assert_int_equal(take(&space, 0, 2 * MIB), last);
  assert_int_equal(take(&space, 0, 2 * MIB), UINT64_MAX);
}

static void mappings_and_ranges_have_a_most(void **state)
{
  (void)state;
  struct iova_space space = {0};
  for (unsigned i = 0; i < IOVA_MOST_RANGES + 3; i++)
    iova_allow(&space, i * GIB, i * GIB + GIB / 2);
  assert_int_equal(space.range_count, IOVA_MOST_RANGES);
  for (unsigned i = 0; i < IOVA_MOST_MAPPINGS; i++)
    assert_int_equal(take(&space, 0, ALIGN), (i + 1) * ALIGN);
  assert_int_equal(take(&space, 0, ALIGN), UINT64_MAX);
  iova_release(&space, 7 * ALIGN);
  assert_int_equal(take(&space, 0, ALIGN), 7 * ALIGN);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_wanted_is_taken_where_it_is_allowed),
      cmocka_unit_test(else_the_lowest_that_fits),
      cmocka_unit_test(what_is_taken_is_not_given_twice),
      cmocka_unit_test(a_mapping_across_a_hole_is_refused),
      cmocka_unit_test(an_empty_or_small_space_refuses),
      cmocka_unit_test(the_end_of_addresses_is_no_trap),
      cmocka_unit_test(mappings_and_ranges_have_a_most),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
