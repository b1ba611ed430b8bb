/* SPDX-License-Identifier: BSD-2-Clause */
/* Time stamps as UTC: one stamp is one time, later ones are later, and who sets the clock is
 * followed. The clocks are the test's; each reading of them takes some time. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "src/efvi/path.h"

#define SECOND_NS UINT64_C(1000000000)
#define START_NS  (5000 * SECOND_NS)
#define AHEAD_NS  (UINT64_C(1700000000) * SECOND_NS)

static struct {
  uint64_t monotonic_ns, ahead_ns, readings;
  uint64_t takes_ns; /* each reading, and now and then much longer */
} world;

static uint64_t read_ns(int id)
{
  world.readings++;
  world.monotonic_ns +=
      world.takes_ns + (world.readings % 7 == 0 ? 90000 : world.readings % 3 * 10);
  return world.monotonic_ns + (id == CLOCK_REALTIME ? world.ahead_ns : 0);
}

static int set_up(void **state)
{
  (void)state;
  world.monotonic_ns = START_NS;
  world.ahead_ns = AHEAD_NS;
  world.takes_ns = 25;
  world.readings = 0;
  return 0;
}

static uint64_t utc_of(struct efvi_clock *clock, uint64_t stamp_ns)
{
  ef_precisetime time;
  assert_int_equal(efvi_time_of(clock, stamp_ns, &time), 0);
  assert_int_equal(time.tv_flags, clock->id == EFVI_CLOCK_DEVICE ? 0 : EF_VI_SYNC_FLAG_CLOCK_SET);
  assert_true(time.tv_nsec < SECOND_NS);
  return (uint64_t)time.tv_sec * SECOND_NS + time.tv_nsec;
}

/* How far a result is from what is right. */
static uint64_t wrong_ns(struct efvi_clock *clock, uint64_t stamp_ns)
{
  const int64_t wrong = (int64_t)(utc_of(clock, stamp_ns) - (stamp_ns + world.ahead_ns));
  return (uint64_t)(wrong < 0 ? -wrong : wrong);
}

static void a_stamp_is_one_time(void **state)
{
  struct efvi_clock clock;
  (void)state;
  efvi_clock_start(&clock, CLOCK_MONOTONIC, read_ns);
  const uint64_t stamp_ns = world.monotonic_ns, first = utc_of(&clock, stamp_ns);
  assert_true(wrong_ns(&clock, stamp_ns) <= 50);
  const uint64_t readings = world.readings;
  for (int i = 0; i < 10000; i++)
    assert_int_equal(utc_of(&clock, stamp_ns), first);
  assert_int_equal(world.readings, readings); /* and costs no reading of a clock */
}

/* Also over the comparisons that come each second, of which some are held up. */
static void later_is_later_by_as_much(void **state)
{
  struct efvi_clock clock;
  (void)state;
  efvi_clock_start(&clock, CLOCK_MONOTONIC, read_ns);
  const uint64_t readings = world.readings, distance = utc_of(&clock, START_NS) - START_NS;
  for (int i = 0; i < 3000; i++) {
    const uint64_t stamp_ns = world.monotonic_ns += 10000000;
    assert_int_equal(utc_of(&clock, stamp_ns) - stamp_ns, distance);
  }
  assert_true(world.readings > readings);
}

static void a_clock_that_is_set_is_followed(void **state)
{
  struct efvi_clock clock;
  (void)state;
  efvi_clock_start(&clock, CLOCK_MONOTONIC, read_ns);
  for (int step = -1; step <= 1; step += 2) {
    world.ahead_ns += (uint64_t)(step * 5000000); /* of 5 ms */
    world.monotonic_ns += 2 * SECOND_NS;
    assert_true(wrong_ns(&clock, world.monotonic_ns) <= 50);
  }
}

/* A comparison that was held up each time is replaced by the next good one. */
static void a_bad_beginning_is_mended(void **state)
{
  struct efvi_clock clock;
  (void)state;
  world.takes_ns = 700000;
  efvi_clock_start(&clock, CLOCK_MONOTONIC, read_ns);
  world.takes_ns = 25;
  world.monotonic_ns += 2 * SECOND_NS;
  assert_true(wrong_ns(&clock, world.monotonic_ns) <= 50);
}

static void clocks_behind_utc(void **state)
{
  struct efvi_clock clock;
  (void)state;
  world.ahead_ns = (uint64_t)-37 * SECOND_NS; /* as CLOCK_TAI's */
  efvi_clock_start(&clock, CLOCK_TAI, read_ns);
  assert_true(wrong_ns(&clock, world.monotonic_ns) <= 50);
}

static void a_devices_clock_is_nobodys(void **state)
{
  struct efvi_clock clock;
  ef_precisetime time;
  (void)state;
  efvi_clock_start(&clock, EFVI_CLOCK_DEVICE, read_ns);
  assert_int_equal(utc_of(&clock, 12 * SECOND_NS + 34), 12 * SECOND_NS + 34);
  assert_int_equal(world.readings, 0);
  assert_int_equal(efvi_time_of(&clock, 0, &time), -ENODATA);
  assert_int_equal(time.tv_sec, 0);
  efvi_clock_start(&clock, CLOCK_MONOTONIC, NULL); /* the kernel's */
  assert_int_equal(efvi_time_of(&clock, 0, &time), -ENODATA);
  assert_int_equal(efvi_time_of(&clock, 1, &time), 0);
  assert_true(time.tv_sec > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
  const struct CMUnitTest tests[] = {
      TEST(a_stamp_is_one_time),
      TEST(later_is_later_by_as_much),
      TEST(a_clock_that_is_set_is_followed),
      TEST(a_bad_beginning_is_mended),
      TEST(clocks_behind_utc),
      TEST(a_devices_clock_is_nobodys),
  };
  return cmocka_run_group_tests_name("efvi_clock", tests, NULL, NULL);
}
