/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/idle.h"

static void policies_that_make_no_sense_are_refused(void **state)
{
  (void)state;
  struct shunt_idle idle = {.rounds = 77};
  struct shunt_error error = {0};
  struct shunt_idle_options options = {.mode = (enum shunt_idle_mode)9};
  assert_int_equal(shunt_idle_init(&idle, &options, &error), -EINVAL);
  options = (struct shunt_idle_options){.mode = SHUNT_IDLE_FD, .fd = -1};
  assert_int_equal(shunt_idle_init(&idle, &options, &error), -EINVAL);
  assert_string_not_equal(error.remedy, "");
  assert_int_equal(idle.rounds, 77);
}

static void spinning_never_gives_the_cpu_away(void **state)
{
  (void)state;
  struct shunt_idle idle;
  assert_int_equal(shunt_idle_init(&idle, NULL, NULL), 0);
  for (int i = 0; i < 5000; i++)
    shunt_idle_none(&idle);
  assert_int_equal(idle.rounds, 1000);
  assert_int_equal(idle.yields + idle.sleeps + idle.waits, 0);
}

static void yielding_begins_after_the_spins(void **state)
{
  (void)state;
  struct shunt_idle idle;
  struct shunt_idle_options options = {
      .mode = SHUNT_IDLE_YIELD, .spin_rounds = 3, .yield_rounds = 2};
  assert_int_equal(shunt_idle_init(&idle, &options, NULL), 0);
  for (int i = 0; i < 3; i++)
    shunt_idle_none(&idle);
  assert_int_equal(idle.yields, 0);
  for (int i = 0; i < 10; i++)
    shunt_idle_none(&idle);
  assert_int_equal(idle.yields, 10);
  assert_int_equal(idle.sleeps, 0);
  shunt_idle_work(&idle);
  shunt_idle_none(&idle);
  assert_int_equal(idle.yields, 10);
}

static void sleeps_double_up_to_the_longest(void **state)
{
  (void)state;
  static const uint64_t lengths_ns[] = {100, 200, 400, 700, 700};
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  struct shunt_idle_options options = {.mode = SHUNT_IDLE_SLEEP,
                                       .spin_rounds = 2,
                                       .yield_rounds = 3,
                                       .sleep_min_ns = 100,
                                       .sleep_max_ns = 700,
                                       .clock = &clock};
  struct shunt_idle idle;
  assert_int_equal(shunt_idle_init(&idle, &options, NULL), 0);
  for (int turn = 0; turn < 2; turn++) {
    for (int i = 0; i < 5; i++)
      shunt_idle_none(&idle);
    assert_int_equal(idle.yields, 3 * (turn + 1));
    for (size_t i = 0; i < sizeof lengths_ns / sizeof lengths_ns[0]; i++) {
      uint64_t before_ns = virtual_clock.now_ns;
      shunt_idle_none(&idle);
      assert_int_equal(virtual_clock.now_ns - before_ns, lengths_ns[i]);
    }
    assert_int_equal(idle.sleeps, 5 * (turn + 1));
    shunt_idle_work(&idle);
  }
}

static void a_first_sleep_is_no_longer_than_the_longest(void **state)
{
  (void)state;
  struct shunt_idle idle;
  struct shunt_idle_options options = {
      .mode = SHUNT_IDLE_SLEEP, .sleep_min_ns = 500, .sleep_max_ns = 100};
  assert_int_equal(shunt_idle_init(&idle, &options, NULL), 0);
  assert_int_equal(idle.options.sleep_min_ns, 100);
}

struct interrupt {
  int fd;
  bool work;
  bool fire;
  unsigned armed;
  unsigned disarmed;
};

static bool arm(void *context)
{
  struct interrupt *interrupt = context;
  interrupt->armed++;
  if (interrupt->fire)
    assert_int_equal(eventfd_write(interrupt->fd, 1), 0);
  return interrupt->work;
}

static void disarm(void *context)
{
  struct interrupt *interrupt = context;
  interrupt->disarmed++;
  eventfd_t count;
  (void)eventfd_read(interrupt->fd, &count);
}

static void a_wait_ends_by_descriptor_or_by_time(void **state)
{
  (void)state;
  struct interrupt interrupt = {.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  assert_true(interrupt.fd >= 0);
  struct shunt_idle_options options = {.mode = SHUNT_IDLE_FD,
                                       .spin_rounds = 1,
                                       .yield_rounds = 1,
                                       .sleep_max_ns = 2000000,
                                       .fd = interrupt.fd,
                                       .arm = arm,
                                       .disarm = disarm,
                                       .context = &interrupt};
  struct shunt_idle idle;
  assert_int_equal(shunt_idle_init(&idle, &options, NULL), 0);
  shunt_idle_none(&idle);
  shunt_idle_none(&idle);
  assert_int_equal(interrupt.armed, 0);

  uint64_t before_ns = shunt_monotonic_ns();
  shunt_idle_none(&idle);
  assert_true(shunt_monotonic_ns() - before_ns >= 2000000);
  assert_int_equal(idle.waits, 1);
  assert_int_equal(idle.wakeups, 0);

  interrupt.fire = true;
  shunt_idle_none(&idle);
  assert_int_equal(idle.waits, 2);
  assert_int_equal(idle.wakeups, 1);

  /* What came before the arming is found by looking once more: nobody waits. */
  interrupt.fire = false;
  interrupt.work = true;
  shunt_idle_none(&idle);
  assert_int_equal(idle.waits, 2);
  assert_int_equal(interrupt.armed, 3);
  assert_int_equal(interrupt.disarmed, 3);
  close(interrupt.fd);
}

static void a_closed_descriptor_does_no_harm(void **state)
{
  (void)state;
  int fd = eventfd(0, EFD_CLOEXEC);
  assert_true(fd >= 0);
  close(fd);
  struct shunt_idle_options options = {
      .mode = SHUNT_IDLE_FD, .spin_rounds = 1, .yield_rounds = 1, .sleep_max_ns = 1000, .fd = fd};
  struct shunt_idle idle;
  assert_int_equal(shunt_idle_init(&idle, &options, NULL), 0);
  for (int i = 0; i < 5; i++)
    shunt_idle_none(&idle);
  assert_int_equal(idle.waits, 3);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(policies_that_make_no_sense_are_refused),
      cmocka_unit_test(spinning_never_gives_the_cpu_away),
      cmocka_unit_test(yielding_begins_after_the_spins),
      cmocka_unit_test(sleeps_double_up_to_the_longest),
      cmocka_unit_test(a_first_sleep_is_no_longer_than_the_longest),
      cmocka_unit_test(a_wait_ends_by_descriptor_or_by_time),
      cmocka_unit_test(a_closed_descriptor_does_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
