/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/region.h"

#define BUFS (UINT32_C(1024)) /* 2 MiB of 2048 bytes */

static int set_up(void **state)
{
  struct shunt_region_options options = {
      .size = sizeof options, .bytes = 1, .pages = SHUNT_PAGES_4K, .numa_node = SHUNT_NUMA_ANY};
  struct shunt_region *region;
  if (shunt_region_create(&options, &region, NULL) < 0)
    return -1;
  *state = region;
  return 0;
}

static int tear_down(void **state)
{
  shunt_region_destroy(*state);
  return 0;
}

static void takes_the_lowest_first_and_the_last_given_again(void **state)
{
  struct shunt_pool *pool;
  shunt_buf bufs[4];
  assert_int_equal(shunt_pool_create(*state, 3, &pool, NULL), 0);
  assert_int_equal(shunt_pool_free(pool), 3);
  assert_int_equal(shunt_pool_take(pool, bufs, 2), 2);
  assert_int_equal(bufs[0], 0);
  assert_int_equal(bufs[1], 2048);
  shunt_pool_give(pool, bufs, 1);
  assert_int_equal(shunt_pool_take(pool, bufs, 1), 1);
  assert_int_equal(bufs[0], 0);
  shunt_pool_destroy(pool);
}

static void gives_what_there_is_and_no_more(void **state)
{
  struct shunt_pool *pool;
  shunt_buf bufs[8];
  assert_int_equal(shunt_pool_create(*state, 5, &pool, NULL), 0);
  assert_int_equal(shunt_pool_take(pool, bufs, 0), 0);
  assert_int_equal(shunt_pool_take(pool, bufs, 8), 5);
  assert_int_equal(shunt_pool_take(pool, bufs, 8), 0);
  assert_int_equal(shunt_pool_free(pool), 0);
  assert_int_equal(shunt_pool_count(pool), 5);
  shunt_pool_destroy(pool);
}

static void any_byte_names_its_buffer(void **state)
{
  struct shunt_pool *pool;
  shunt_buf buf;
  assert_int_equal(shunt_pool_create(*state, 1, &pool, NULL), 0);
  assert_int_equal(shunt_pool_take(pool, &buf, 1), 1);
  buf += 2047;
  shunt_pool_give(pool, &buf, 1);
  assert_int_equal(shunt_pool_take(pool, &buf, 1), 1);
  assert_int_equal(buf, 0);
  shunt_pool_destroy(pool);
}

static void too_much_is_refused_and_counted(void **state)
{
  struct shunt_pool *pool;
  assert_int_equal(shunt_pool_create(*state, 2, &pool, NULL), 0);
  shunt_buf bufs[3];
  assert_int_equal(shunt_pool_take(pool, bufs, 1), 1);
  bufs[1] = bufs[0];
  bufs[2] = bufs[0];
  shunt_pool_give(pool, bufs, 3);
  assert_int_equal(shunt_pool_free(pool), 2);
  assert_int_equal(shunt_pool_refused(pool), 2);
  shunt_pool_destroy(pool);
}

static void a_buffer_outside_the_region_is_refused_and_counted(void **state)
{
  struct shunt_pool *pool;
  assert_int_equal(shunt_pool_create(*state, 2, &pool, NULL), 0);
  shunt_buf bufs[2], wrong[2] = {shunt_region_bytes(*state), UINT64_MAX};
  assert_int_equal(shunt_pool_take(pool, bufs, 2), 2);
  shunt_pool_give(pool, wrong, 2);
  assert_int_equal(shunt_pool_free(pool), 0);
  assert_int_equal(shunt_pool_refused(pool), 2);
  shunt_pool_give(pool, bufs, 2);
  assert_int_equal(shunt_pool_free(pool), 2);
  shunt_pool_destroy(pool);
}

static void pools_share_no_buffer(void **state)
{
  struct shunt_pool *left, *right;
  static shunt_buf bufs[BUFS];
  bool seen[BUFS] = {false};
  assert_int_equal(shunt_pool_create(*state, 1000, &left, NULL), 0);
  assert_int_equal(shunt_pool_create(*state, 24, &right, NULL), 0);
  assert_int_equal(shunt_pool_take(left, bufs, BUFS), 1000);
  assert_int_equal(shunt_pool_take(right, bufs + 1000, BUFS), 24);
  for (unsigned i = 0; i < BUFS; i++) {
    assert_int_equal(bufs[i] % 2048, 0);
    assert_in_range(bufs[i] / 2048, 0, BUFS - 1);
    assert_false(seen[bufs[i] / 2048]);
    seen[bufs[i] / 2048] = true;
  }
  shunt_pool_destroy(left);
  shunt_pool_destroy(right);
}

static void a_region_that_is_used_up_says_how_much_is_left(void **state)
{
  struct shunt_pool *pool, *untouched = (struct shunt_pool *)&pool, *second = untouched;
  struct shunt_error error;
  assert_int_equal(shunt_pool_create(*state, 1000, &pool, NULL), 0);
  assert_int_equal(shunt_pool_create(*state, 25, &second, &error), -ENOSPC);
  assert_ptr_equal(second, untouched);
  assert_non_null(strstr(error.why, "24 of its 1024"));
  assert_int_equal(shunt_pool_create(*state, UINT32_MAX, &second, NULL), -ENOSPC);
  assert_int_equal(shunt_pool_create(*state, 0, &second, &error), -EINVAL);
  assert_non_null(strstr(error.what, "at least 1"));
  /* The failures took nothing, and what is destroyed comes back, held or not. */
  shunt_buf bufs[1000];
  assert_int_equal(shunt_pool_take(pool, bufs, 1000), 1000);
  shunt_pool_destroy(pool);
  assert_int_equal(shunt_pool_create(*state, BUFS, &second, NULL), 0);
  shunt_pool_destroy(second);
}

static void a_hole_between_pools_is_used_again(void **state)
{
  struct shunt_pool *first, *second, *third;
  shunt_buf bufs[BUFS];
  assert_int_equal(shunt_pool_create(*state, 100, &first, NULL), 0);
  assert_int_equal(shunt_pool_create(*state, 100, &second, NULL), 0);
  shunt_pool_destroy(first);
  assert_int_equal(shunt_pool_create(*state, 101, &third, NULL), 0);
  assert_int_equal(shunt_pool_take(third, bufs, BUFS), 101);
  assert_int_equal(bufs[0], 0);
  assert_int_equal(bufs[99], 99 * 2048);
  assert_int_equal(bufs[100], 200 * 2048);
  shunt_pool_destroy(third);
  shunt_pool_destroy(second);
}

static void nothing_is_no_error_to_destroy(void **state)
{
  (void)state;
  shunt_pool_destroy(NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(takes_the_lowest_first_and_the_last_given_again, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(gives_what_there_is_and_no_more, set_up, tear_down),
      cmocka_unit_test_setup_teardown(any_byte_names_its_buffer, set_up, tear_down),
      cmocka_unit_test_setup_teardown(too_much_is_refused_and_counted, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_buffer_outside_the_region_is_refused_and_counted, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(pools_share_no_buffer, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_region_that_is_used_up_says_how_much_is_left, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(a_hole_between_pools_is_used_again, set_up, tear_down),
      cmocka_unit_test(nothing_is_no_error_to_destroy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
