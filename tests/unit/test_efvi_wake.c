/* SPDX-License-Identifier: BSD-2-Clause */
/* What wakes an ef_vi program that sleeps on its driver handle, or in ef_eventq_wait: events of
 * every kind, whether they came before the event queue was primed or after. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "efvi_rig.h"

#define DEADLINE_MS 10000 /* the machine's, not the test's */

static bool readable(const struct rig *rig, int ms)
{
  struct pollfd wait = {.fd = rig->handle, .events = POLLIN};
  return poll(&wait, 1, ms) == 1;
}

static void prime(struct rig *rig)
{
  assert_int_equal(ef_vi_prime(&rig->vi, rig->handle, ef_eventq_current(&rig->vi)), 0);
}

/* --- Received frames ----------------------------------------------------------------------------
 */

/* A frame that came after the last poll, and before the queue was primed, has raised its interrupt
 * for nobody. */
static void before(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  rig_filter_all(rig);
  assert_int_equal(rig_poll(rig), 0);
  rig_send_udp(rig, 100, 2000, 1);
  prime(rig);
  assert_true(readable(rig, DEADLINE_MS));
  assert_int_equal(rig_poll(rig), 1);
  prime(rig);
  assert_false(readable(rig, 0));
  /* One that no filter takes is no event. */
  uint8_t frame[100];
  rig_frame(rig, frame, sizeof(frame), 2000, 1);
  frame[0] = 0xFF;
  rig_send(rig, frame, sizeof(frame));
  prime(rig);
  assert_false(readable(rig, 0));
}

/* Frames that were polled from the device, but not told of: there was no room for more events. */
static void left_over(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  rig_filter_all(rig);
  for (uint8_t i = 0; i < 5; i++)
    rig_send_udp(rig, 100, 2000, i);
  prime(rig); /* the next poll takes all that there is, as has_event does */
  assert_int_equal(ef_eventq_poll(&rig->vi, rig->events, 2), 2);
  prime(rig);
  assert_true(readable(rig, DEADLINE_MS));
  assert_int_equal(ef_eventq_poll(&rig->vi, rig->events, RIG_EVENTS), 3);
  prime(rig);
  assert_false(readable(rig, 0));
}

static void after(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  rig_filter_all(rig);
  for (uint8_t i = 0; i < 5; i++) {
    prime(rig);
    assert_false(readable(rig, 0));
    rig_send_udp(rig, 100, 2000, i);
    rig_run(rig, 1000);
    assert_true(readable(rig, DEADLINE_MS));
    assert_int_equal(rig_poll(rig), 1);
  }
}

/* --- Sent packets -------------------------------------------------------------------------------
 */

/* That a packet has left is an event as well, which wakes: the device is asked again and again. */
static void sent(void **state)
{
  struct rig *rig = *state;
  const struct timeval long_time = {DEADLINE_MS / 1000, 0}, none = {0, 0};
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  memset(rig_data(rig, 100), 0xFF, 100);
  assert_int_equal(ef_eventq_wait(&rig->vi, rig->handle, 0, &none), -ETIMEDOUT);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 100), 100, 7), 0);
  prime(rig);
  rig_run(rig, 50); /* it leaves now */
  assert_true(readable(rig, DEADLINE_MS));
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_TX);
  prime(rig);
  assert_false(readable(rig, 0));
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 100), 100, 8), 0);
  rig_run(rig, 50);
  prime(rig); /* it had left */
  assert_true(readable(rig, DEADLINE_MS));
  assert_int_equal(ef_eventq_wait(&rig->vi, rig->handle, 0, &long_time), 0);
}

/* What is sent after the queue was primed is waited for, too: by each way to send, and also where
 * the queue was polled in between and had nothing. */
static void sent_after(void **state)
{
  struct rig *rig = *state;
  const ef_iovec piece = {.iov_base = rig_addr(rig, 100), .iov_len = 100};
  rig_open(rig, EF_VI_FLAGS_DEFAULT | EF_VI_TX_TCPUDP_CSUM_DIS | EF_VI_TX_IP_CSUM_DIS, 8);
  memset(rig_data(rig, 100), 0xFF, 100);
  for (int i = 0; i < 4; i++) {
    prime(rig);
    assert_false(readable(rig, 0));
    if (i & 1)
      assert_int_equal(rig_poll(rig), 0);
    if (i & 2)
      assert_int_equal(ef_vi_transmitv(&rig->vi, &piece, 1, i), 0);
    else
      assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 100), i & 1 ? 100 : 60, i), 0);
    rig_run(rig, 50);
    assert_true(readable(rig, DEADLINE_MS));
    assert_int_equal(rig_poll(rig), 1);
    assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_TX);
  }
  assert_false(efvi_own(&rig->vi)->tx_aside); /* the short way again */
}

/* An alternative that goes when the queue is primed. */
static void alternative_sent(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT | EF_VI_TX_ALT, 8);
  memset(rig_data(rig, 100), 0xFF, 100);
  assert_int_equal(ef_vi_transmit_alt_alloc(&rig->vi, rig->handle, 1, 2048), 0);
  assert_int_equal(ef_vi_transmit_alt_select(&rig->vi, 0), 0);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 100), 100, 1), 0);
  assert_int_equal(rig_poll(rig), 1);
  prime(rig);
  assert_false(readable(rig, 0));
  assert_int_equal(ef_vi_transmit_alt_go(&rig->vi, 0), 0);
  rig_run(rig, 50);
  assert_true(readable(rig, DEADLINE_MS));
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_TX_ALT);
}

/* --- Software events ----------------------------------------------------------------------------
 */

struct putter {
  ef_driver_handle handle;
  unsigned resource;
  int result;
};

static void *put_later(void *context)
{
  struct putter *putter = context;
  usleep(20000);
  putter->result = ef_eventq_put(putter->resource, putter->handle, 0x77);
  return NULL;
}

/* Have another thread put an event while this one sleeps. Returns nanoseconds until it was polled.
 */
static uint64_t sleep_until_put(struct rig *rig, bool on_handle)
{
  struct putter putter = {rig->handle, ef_vi_resource_id(&rig->vi), -1};
  pthread_t thread;
  const uint64_t start_ns = shunt_monotonic_ns();
  if (on_handle)
    prime(rig);
  assert_int_equal(pthread_create(&thread, NULL, put_later, &putter), 0);
  if (on_handle)
    assert_true(readable(rig, DEADLINE_MS));
  else
    assert_int_equal(ef_eventq_wait(&rig->vi, rig->handle, 0, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(putter.result, 0);
  assert_int_equal(ef_eventq_poll(&rig->vi, rig->events, 2), 1);
  assert_int_equal(EF_EVENT_SW_DATA(rig->events[0]), 0x77);
  return shunt_monotonic_ns() - start_ns;
}

/* ef_eventq_wait looks once a second by itself: whoever is woken needs much less, unless the
 * machine is held up each time. */
static void software(void **state)
{
  struct rig *rig = *state;
  bool woken = false;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  (void)sleep_until_put(rig, true);
  for (int i = 0; i < 20 && !woken; i++)
    woken = sleep_until_put(rig, false) < UINT64_C(800000000);
  assert_true(woken);
}

/* An interface that uses another's event queue has its events there. */
static void software_of_a_member(void **state)
{
  struct rig *rig = *state;
  ef_vi member = {0};
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  assert_int_equal(ef_vi_alloc_from_pd(&member, rig->handle, &rig->pd, rig->handle, 0, 63, 63,
                                       &rig->vi, rig->handle, EF_VI_FLAGS_DEFAULT),
                   1);
  prime(rig);
  assert_false(readable(rig, 0));
  assert_int_equal(ef_eventq_put(ef_vi_resource_id(&member), rig->handle, 0x55), 0);
  assert_true(readable(rig, DEADLINE_MS));
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_SW);
  assert_int_equal(EF_EVENT_SW_DATA(rig->events[0]), 0x55);
  assert_int_equal(ef_vi_free(&member, rig->handle), 0);
}

/* --- The end ------------------------------------------------------------------------------------
 */

/* What comes for the queue of an interface that was freed wakes nobody, though the handle stays
 * open and the queue belongs to the device still. */
static void freed(void **state)
{
  struct rig *rig = *state;
  ef_vi other = {0};
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 8);
  rig_filter_all(rig);
  assert_int_equal(ef_vi_alloc_from_pd(&other, rig->handle, &rig->pd, rig->handle, -1, 63, 63, NULL,
                                       -1, EF_VI_FLAGS_DEFAULT),
                   1);
  prime(rig);
  rig_send_udp(rig, 100, 2000, 1);
  rig_run(rig, 1000);
  assert_true(readable(rig, DEADLINE_MS));
  assert_int_equal(ef_vi_free(&rig->vi, rig->handle), 0);
  assert_false(readable(rig, 0));
  assert_int_equal(ef_vi_prime(&other, rig->handle, 0), 0);
  assert_false(readable(rig, 0));
  assert_int_equal(ef_vi_free(&other, rig->handle), 0);
}

/* --- The short way ------------------------------------------------------------------------------
 */

/* The checked build has none. */
static void expect_short_way(struct rig *rig, int events)
{
  assert_int_equal(rig_poll(rig), events);
#ifndef SHUNT_CHECKED
  assert_false(efvi_own(&rig->vi)->detour);
#endif
}

/* Whatever takes the general way once, what comes after it takes the short one again. */
static void short_way_again(void **state)
{
  struct rig *rig = *state;
  uint8_t frame[100];
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 16);
  rig_filter_all(rig);
  expect_short_way(rig, 0);
  rig_send_udp(rig, 200, 2000, 1); /* a long frame */
  expect_short_way(rig, 1);
  rig_frame(rig, frame, sizeof(frame), 2000, 1); /* one that no filter takes */
  frame[0] = 0xFF;
  rig_send(rig, frame, sizeof(frame));
  expect_short_way(rig, 0);
  rig_send_udp(rig, 60, 2000, 2);
  assert_int_equal(ef_eventq_has_event(&rig->vi), 1);
  expect_short_way(rig, 1);
  assert_int_equal(ef_eventq_has_event(&rig->vi), 0);
  expect_short_way(rig, 0);
  prime(rig);
  rig_send_udp(rig, 60, 2000, 3);
  expect_short_way(rig, 1);
  assert_int_equal(ef_eventq_put(rig->vi.vi_resource_id, rig->handle, 7), 0);
  expect_short_way(rig, 1);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(before),     ON_RIG(left_over),        ON_RIG(after),    ON_RIG(sent),
      ON_RIG(sent_after), ON_RIG(alternative_sent), ON_RIG(software), ON_RIG(software_of_a_member),
      ON_RIG(freed),      ON_RIG(short_way_again),
  };
  return cmocka_run_group_tests_name("efvi_wake", tests, NULL, NULL);
}
