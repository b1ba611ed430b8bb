/* SPDX-License-Identifier: BSD-2-Clause */
/* Queues that sleep: one interrupt for each arming, not more often than asked, and none lost. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

static int fd_of(struct rig *rig, unsigned queue)
{
  int fd = shunt_queue_fd(shunt_port_queue(rig->port, queue), &rig->error);
  assert_true(fd >= 0);
  return fd;
}

static bool is_readable(int fd)
{
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1;
}

static void arm(struct rig *rig, unsigned queue)
{
  shunt_queue_arm(shunt_port_queue(rig->port, queue));
}

/* All that is not steered by RSS goes to that queue. */
static void steer_to(struct rig *rig, unsigned queue)
{
  struct shunt_rss rss = {.size = sizeof(rss)};
  assert_int_equal(shunt_port_rss_get(rig->port, &rss, &rig->error), 0);
  memset(rss.table, (int)queue, sizeof(rss.table));
  assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), 0);
}

static void send_one(struct rig *rig)
{
  struct rig_flow flow = rig_flow_to_port(rig);
  rig_send_flow(rig, &flow, 0);
}

static void open_sleeping(struct rig *rig, unsigned queues, unsigned interval_us)
{
  rig->options.queues = (uint16_t)queues;
  rig->options.rx_ring = rig->options.tx_ring = 64;
  rig->options.interrupts = 1;
  rig->options.interrupt_interval_us = interval_us;
  rig_open(rig, "");
}

static void one_arming_one_interrupt(void **state)
{
  struct rig *rig = *state;
  struct shunt_port_info info = {.size = sizeof(info)};
  open_sleeping(rig, 1, 20);
  shunt_port_info(rig->port, &info);
  assert_true(info.interrupts);
  assert_int_equal(info.max_queues, 63);
  int fd = fd_of(rig, 0);
  send_one(rig);
  rig_run(rig, 100);
  assert_false(is_readable(fd)); /* not armed */
  assert_int_equal(rig_receive(rig, 0), 1);

  arm(rig, 0);
  rig_run(rig, 100);
  assert_false(is_readable(fd)); /* what came before arming raises nothing */
  send_one(rig);
  rig_run(rig, 100);
  assert_true(is_readable(fd));
  uint64_t events = 0;
  assert_int_equal(read(fd, &events, sizeof(events)), sizeof(events));
  assert_int_equal(events, 1);
  for (unsigned i = 0; i < 5; i++)
    send_one(rig);
  rig_run(rig, 1000);
  assert_false(is_readable(fd)); /* masked by the delivery */
  assert_int_equal(rig_receive(rig, 0), 6);

  send_one(rig);
  rig_run(rig, 100);
  arm(rig, 0); /* empties the descriptor too */
  assert_false(is_readable(fd));
  rig_assert_no_faults(rig);
}

static void each_queue_wakes_its_own_descriptor(void **state)
{
  struct rig *rig = *state;
  open_sleeping(rig, 16, 2);
  for (unsigned q = 0; q < 16; q++)
    arm(rig, q);
  for (unsigned q = 0; q < 16; q++) {
    steer_to(rig, q);
    send_one(rig);
    rig_run(rig, 50);
    for (unsigned k = 0; k < 16; k++)
      assert_int_equal(is_readable(fd_of(rig, k)), k <= q);
  }
}

/* Vectors above 15 have other registers. */
static void queues_above_fifteen_wake_too(void **state)
{
  struct rig *rig = *state;
  static const uint16_t queues[] = {15, 16, 31, 32, 62};
  open_sleeping(rig, 63, 2);
  for (unsigned i = 0; i < 5; i++) {
    uint32_t id;
    struct shunt_filter filter = {.size = sizeof(filter), .protocol = 17, .queue = queues[i]};
    assert_int_equal(shunt_port_filter_add(rig->port, &filter, &id, &rig->error), 0);
    int fd = fd_of(rig, queues[i]);
    arm(rig, queues[i]);
    rig_run(rig, 50);
    assert_false(is_readable(fd));
    send_one(rig);
    rig_run(rig, 50);
    assert_true(is_readable(fd));
    assert_int_equal(rig_receive(rig, queues[i]), 1);
    arm(rig, queues[i]);
    send_one(rig);
    rig_run(rig, 50);
    assert_true(is_readable(fd));
    assert_int_equal(rig_receive(rig, queues[i]), 1);
    assert_int_equal(shunt_port_filter_remove(rig->port, id, &rig->error), 0);
  }
  rig_assert_no_faults(rig);
}

/* A sleeper who does as port.h says: arm, poll once more, sleep. Interrupts come no closer together
 * than asked, and every frame is received. */
static void interrupts_keep_their_distance(void **state)
{
  struct rig *rig = *state;
  open_sleeping(rig, 1, 200);
  int fd = fd_of(rig, 0);
  uint64_t last_ns = 0, shortest_ns = UINT64_MAX;
  unsigned wakeups = 0, received = 0;
  arm(rig, 0);
  for (unsigned i = 0; i < 1000; i++) {
    send_one(rig);
    rig_run(rig, 5);
    if (!is_readable(fd))
      continue;
    uint64_t now_ns = rig->time.now_ns;
    if (wakeups++ && now_ns - last_ns < shortest_ns)
      shortest_ns = now_ns - last_ns;
    last_ns = now_ns;
    received += rig_receive(rig, 0);
    rig_fill(rig);
    arm(rig, 0);
  }
  rig_run(rig, 1000);
  received += rig_receive(rig, 0);
  assert_int_equal(received, 1000);
  assert_true(wakeups >= 10 && wakeups <= 30); /* 5 to 25 ms, one in 200 us */
  assert_true(shortest_ns >= 190000);
}

static void a_port_that_polls_has_no_descriptor(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  assert_int_equal(shunt_queue_fd(shunt_port_queue(rig->port, 0), &rig->error), -EINVAL);
  shunt_queue_arm(shunt_port_queue(rig->port, 0)); /* does nothing */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(one_arming_one_interrupt),
      TEST(each_queue_wakes_its_own_descriptor),
      TEST(queues_above_fifteen_wake_too),
      TEST(interrupts_keep_their_distance),
      TEST(a_port_that_polls_has_no_descriptor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
