/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi on an interface of the kernel with four queues: whichever queue a frame comes by, it gets
 * to the interface whose filter asks for it. Takes root, and makes a network namespace for this
 * process; all is gone with it. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spread_rig.h"

#define ROUNDS 50u

/* --- Tests --------------------------------------------------------------------------------------
 */

static void one_gets_all(enum ef_pd_flags flags)
{
  struct got got = {0};
  ef_filter_cookie cookie;
  domain_open(&theirs, VETH_THEIRS, flags);
  add(&theirs, 127);
  filter(&theirs, 0, 2000, &cookie);
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  for (unsigned i = 0; i < ROUNDS * QUEUES; i++) {
    sends(i % QUEUES, 2000, (uint16_t)i);
    while (got.count <= i) {
      polls(0, 2000, &got);
      if (shunt_monotonic_ns() > end_ns)
        fail_msg("%u frames of %u, the last one sent by queue %u", got.count, i + 1, i % QUEUES);
    }
  }
  assert_each_once(&got, 0, ROUNDS * QUEUES);
  /* In bursts, and in the order of each queue. */
  for (unsigned i = 0; i < 100; i++)
    sends(i / 25, 2000, (uint16_t)(ROUNDS * QUEUES + i));
  while (got.count < ROUNDS * QUEUES + 100 && shunt_monotonic_ns() < end_ns)
    polls(0, 2000, &got);
  assert_each_once(&got, 0, ROUNDS * QUEUES + 100);
  end_close(&theirs);
}

static void one_interface_gets_all(void **state)
{
  (void)state;
  if (!there)
    skip();
  one_gets_all(EF_PD_DEFAULT);
}

static void the_express_path_gets_all(void **state)
{
  (void)state;
  if (!there)
    skip();
  one_gets_all(EF_PD_EXPRESS);
}

/* Send each of two what it asks for by every queue, and take it in turns. */
static void both_get_theirs(unsigned one, unsigned other)
{
  struct got got[2] = {{0}, {0}};
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  for (unsigned i = 0; i < ROUNDS; i++) {
    for (unsigned queue = 0; queue < QUEUES; queue++) {
      sends(queue, 2000, (uint16_t)(i * QUEUES + queue));
      sends(queue, 2001, (uint16_t)(i * QUEUES + queue));
    }
    while (got[0].count < (i + 1) * QUEUES || got[1].count < (i + 1) * QUEUES) {
      polls(one, 2000, &got[0]);
      polls(other, 2001, &got[1]);
      if (shunt_monotonic_ns() > end_ns)
        fail_msg("%u and %u frames of %u", got[0].count, got[1].count, (i + 1) * QUEUES);
    }
  }
  assert_each_once(&got[0], 0, ROUNDS * QUEUES);
  assert_each_once(&got[1], 0, ROUNDS * QUEUES);
}

static void each_gets_its_own(void **state)
{
  ef_filter_cookie cookie;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  for (unsigned i = 0; i < 2; i++)
    filter(&theirs, add(&theirs, 127), (uint16_t)(2000 + i), &cookie);
  both_get_theirs(0, 1);
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(counted(i, "rx_unfiltered"), 0);
    assert_int_equal(counted(i, "rx_no_buffer"), 0);
    assert_int_equal(counted(i, "rx_packets"), ROUNDS * QUEUES);
  }
  add(&theirs, 127); /* with all queues taken it is the same */
  add(&theirs, 0);
  both_get_theirs(0, 1);
  end_close(&theirs);
}

/* Whoever has a queue and never looks into it keeps nothing from others. */
static void nobody_is_in_the_way(void **state)
{
  struct got got = {0};
  ef_filter_cookie cookie, unused;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  add(&theirs, 0);   /* sends only */
  add(&theirs, 127); /* has buffers, but no filter */
  add(&theirs, 127); /* has both */
  filter(&theirs, 2, 2001, &unused);
  filter(&theirs, add(&theirs, 127), 2000, &cookie);
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  for (unsigned i = 0; i < ROUNDS * QUEUES; i++) {
    sends(i % QUEUES, 2000, (uint16_t)i);
    while (got.count <= i) {
      polls(3, 2000, &got);
      if (shunt_monotonic_ns() > end_ns)
        fail_msg("%u frames of %u, the last one sent by queue %u", got.count, i + 1, i % QUEUES);
    }
  }
  assert_each_once(&got, 0, ROUNDS * QUEUES);
  /* Of a queue more, the interface would have to have one. */
  ef_vi fifth;
  assert_int_equal(ef_vi_alloc_from_pd(&fifth, theirs.handle, &theirs.pd, theirs.handle, -1, 127,
                                       127, NULL, -1, EF_VI_FLAGS_DEFAULT),
                   -EBUSY);
  assert_non_null(strstr(shunt_last_error()->remedy, "ethtool -L " VETH_THEIRS));
  assert_non_null(strstr(shunt_last_error()->remedy, "link " VETH_THEIRS " name mv0 type macvlan"));
  end_close(&theirs);
}

/* While an interface does not poll, others keep for it as much as its own ring holds. */
static void a_burst_finds_room(void **state)
{
  struct got got = {0}, none = {0};
  ef_filter_cookie cookie;
  const unsigned sent = EFVI_RING_SHARED - 24;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  filter(&theirs, add(&theirs, 127), 2000, &cookie);
  filter(&theirs, add(&theirs, 127), 2001, &cookie);
  for (unsigned i = 0; i < sent; i++) {
    sends(2, 2000, (uint16_t)i);
    polls(1, 2001, &none);
  }
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  while (got.count < sent && shunt_monotonic_ns() < end_ns) {
    polls(1, 2001, &none);
    polls(0, 2000, &got);
  }
  assert_each_once(&got, 0, sent);
  assert_int_equal(counted(0, "rx_no_buffer"), 0);
  end_close(&theirs);
}

/* What finds no room is counted: nothing is lost in silence. */
static void losses_are_counted(void **state)
{
  struct got none = {0};
  ef_event events[16];
  ef_filter_cookie cookie;
  const unsigned sent = EFVI_RING_SHARED + 200;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  filter(&theirs, add(&theirs, 127), 2000, &cookie);
  filter(&theirs, add(&theirs, 127), 2001, &cookie);
  for (unsigned i = 0; i < sent; i++) {
    sends(2, 2000, (uint16_t)i);
    polls(1, 2001, &none);
  }
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  while (counted(0, "rx_packets") + counted(0, "rx_no_buffer") < sent) {
    polls(1, 2001, &none);
    (void)ef_eventq_poll(&theirs.vi[0], events, 16);
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("of %u frames %llu came, %llu found no room", sent,
               (unsigned long long)counted(0, "rx_packets"),
               (unsigned long long)counted(0, "rx_no_buffer"));
  }
  assert_int_equal(counted(0, "rx_packets") + counted(0, "rx_no_buffer"), sent);
  assert_true(counted(0, "rx_no_buffer") >= 200);
  assert_int_equal(none.count, 0);
  end_close(&theirs);
}

/* --- Filters and interfaces that come and go ----------------------------------------------------
 */

static void interfaces_come_and_go(void **state)
{
  ef_filter_cookie cookies[2];
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  filter(&theirs, add(&theirs, 127), 2000, &cookies[0]);
  for (unsigned round = 0; round < 10; round++) {
    filter(&theirs, add(&theirs, 127), 2001, &cookies[1]);
    both_get_theirs(0, 1);
    for (unsigned queue = 0; queue < QUEUES; queue++) /* left lying where they come */
      sends(queue, 2001, 0);
    assert_int_equal(ef_vi_free(&theirs.vi[--theirs.count], theirs.handle), 0);
  }
  end_close(&theirs);
}

/* --- Frames in pieces ---------------------------------------------------------------------------
 */

#define LONG_BYTES 2500u

/* Take one long frame, which fills two buffers. Returns whether it was there. */
static bool takes_long(unsigned vi, uint16_t number)
{
  ef_event events[16];
  const int n = ef_eventq_poll(&theirs.vi[vi], events, 16);
  if (n <= 0)
    return false;
  assert_int_equal(n, 2);
  const unsigned first = EF_EVENT_RX_RQ_ID(events[0]), last = EF_EVENT_RX_RQ_ID(events[1]);
  const uint32_t room = (uint32_t)ef_vi_receive_buffer_len(&theirs.vi[vi]);
  assert_true(EF_EVENT_RX_SOP(events[0]) && EF_EVENT_RX_CONT(events[0]));
  assert_false(EF_EVENT_RX_SOP(events[1]) || EF_EVENT_RX_CONT(events[1]));
  assert_int_equal(EF_EVENT_RX_BYTES(events[1]), LONG_BYTES);
  assert_int_equal(shunt_load_be16(data_of(&theirs, vi, first) + 36), 2000 + vi);
  assert_int_equal(shunt_load_be16(data_of(&theirs, vi, last) + LONG_BYTES - room - 2), number);
  for (int i = 0; i < 2; i++)
    assert_int_equal(ef_vi_receive_post(&theirs.vi[vi],
                                        addr_of(&theirs, vi, EF_EVENT_RX_RQ_ID(events[i])),
                                        (ef_request_id)EF_EVENT_RX_RQ_ID(events[i])),
                     0);
  return true;
}

static void sends_long(unsigned queue, uint16_t port, uint16_t number)
{
  struct rig like = {0};
  ef_event events[16];
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  uint8_t *frame = data_of(&ours, queue, 0);
  memcpy(like.mac, theirs.mac, 6);
  rig_frame(&like, frame, LONG_BYTES, port, 0);
  shunt_store_be16(frame + LONG_BYTES - 2, number);
  assert_int_equal(ef_vi_transmit(&ours.vi[queue], addr_of(&ours, queue, 0), LONG_BYTES, number),
                   0);
  for (int sent = 0; !sent;) {
    const int n = ef_eventq_poll(&ours.vi[queue], events, 16);
    for (int i = 0; i < n; i++)
      sent += ef_vi_transmit_unbundle(&ours.vi[queue], &events[i], ids);
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("queue %u can't send", queue);
  }
}

static void long_frames_stay_whole(void **state)
{
  ef_filter_cookie cookie;
  if (!there)
    skip();
  if (!long_frames_begin(state)) {
    print_message("skipped: %s; %s\n", shunt_last_error()->what, shunt_last_error()->why);
    skip();
  }
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  for (unsigned i = 0; i < 2; i++)
    filter(&theirs, add(&theirs, 127), (uint16_t)(2000 + i), &cookie);
  for (unsigned i = 0; i < 16 * QUEUES; i++) {
    const unsigned vi = i / QUEUES % 2;
    const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
    sends_long(i % QUEUES, (uint16_t)(2000 + vi), (uint16_t)i);
    while (!takes_long(vi, (uint16_t)i)) {
      assert_false(takes_long(!vi, (uint16_t)i));
      if (shunt_monotonic_ns() > end_ns)
        fail_msg("frame %u by queue %u has not come", i, i % QUEUES);
    }
  }
  end_close(&theirs);
  long_frames_end(state);
}

/* --- Sleeping -----------------------------------------------------------------------------------
 */

struct poller {
  unsigned vi;
  bool stop;
  struct got got;
};

static void *poll_on(void *context)
{
  struct poller *poller = context;
  while (!__atomic_load_n(&poller->stop, __ATOMIC_RELAXED))
    polls(poller->vi, 2001, &poller->got);
  return NULL;
}

/* Asleep until a frame comes by each queue, which is handed over, or which nobody looks into. */
static void waits(unsigned vi)
{
  const struct timeval patience = {10, 0};
  struct got got = {0};
  for (unsigned i = 0; i < 20 * QUEUES; i++) {
    const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
    sends(i % QUEUES, 2000, (uint16_t)i);
    while (got.count <= i) {
      const int result = ef_eventq_wait(&theirs.vi[vi], theirs.handle,
                                        ef_eventq_current(&theirs.vi[vi]), &patience);
      if (result || shunt_monotonic_ns() > end_ns)
        fail_msg("frame %u by queue %u: %d", i, i % QUEUES, result);
      polls(vi, 2000, &got);
    }
  }
}

/* The same with poll(2) on the handle, which nothing but a wake-up ends: prime, then a frame by
 * each queue. */
static void wakes_for_each(unsigned vi)
{
  struct got got = {0};
  for (unsigned i = 0; i < 10 * QUEUES; i++) {
    struct pollfd wait = {.fd = theirs.handle, .events = POLLIN};
    bool is_sent = false;
    while (got.count <= i) {
      assert_int_equal(
          ef_vi_prime(&theirs.vi[vi], theirs.handle, ef_eventq_current(&theirs.vi[vi])), 0);
      if (!is_sent)
        sends(i % QUEUES, 2000, (uint16_t)i);
      is_sent = true;
      if (poll(&wait, 1, (int)(DEADLINE_NS / 1000000)) != 1)
        fail_msg("frame %u by queue %u wakes nobody", i, i % QUEUES);
      polls(vi, 2000, &got);
    }
  }
}

/* Another interface has a queue and filters, and never polls; and then it is gone, while the first
 * one sleeps. */
static void an_idle_interface_keeps_nobody_asleep(void **state)
{
  ef_filter_cookie cookie;
  struct pollfd waits[2] = {{.events = POLLIN}, {.events = POLLIN}};
  ef_vi other;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  filter(&theirs, add(&theirs, 127), 2000, &cookie);
  filter(&theirs, add(&theirs, 127), 2001, &cookie);
  wakes_for_each(0);

  waits[0].fd = theirs.handle;
  assert_int_equal(ef_driver_open(&waits[1].fd), 0);
  assert_int_equal(ef_vi_alloc_from_pd(&other, waits[1].fd, &theirs.pd, theirs.handle, -1, 127, 127,
                                       NULL, -1, EF_VI_FLAGS_DEFAULT),
                   2);
  assert_int_equal(ef_vi_prime(&other, waits[1].fd, 0), 0);
  assert_int_equal(ef_vi_prime(&theirs.vi[1], theirs.handle, 0), 0);
  assert_int_equal(ef_vi_prime(&theirs.vi[0], theirs.handle, 0), 0);
  assert_int_equal(ef_vi_free(&other, waits[1].fd), 0);
  assert_int_equal(ef_vi_free(&theirs.vi[--theirs.count], theirs.handle), 0);
  for (unsigned queue = 1; queue < 3; queue++) { /* of those that are gone */
    struct got got = {0};
    const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
    sends(queue, 2000, 0);
    assert_int_equal(poll(waits, 1, (int)(DEADLINE_NS / 1000000)), 1);
    assert_int_equal(poll(waits + 1, 1, 0), 0); /* a handle that nobody sleeps on any more */
    while (!got.count && shunt_monotonic_ns() < end_ns)
      polls(0, 2000, &got);
    assert_int_equal(got.count, 1);
    assert_int_equal(ef_vi_prime(&theirs.vi[0], theirs.handle, 0), 0);
  }
  assert_int_equal(ef_driver_close(waits[1].fd), 0);
  end_close(&theirs);
}

static void a_sleeper_wakes(void **state)
{
  ef_filter_cookie cookie;
  pthread_t thread;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  filter(&theirs, add(&theirs, 127), 2000, &cookie);
  waits(0);
  struct poller poller = {.vi = add(&theirs, 127)};
  filter(&theirs, poller.vi, 2001, &cookie);
  assert_int_equal(pthread_create(&thread, NULL, poll_on, &poller), 0);
  waits(0);
  __atomic_store_n(&poller.stop, true, __ATOMIC_RELAXED);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(poller.got.count, 0);
  end_close(&theirs);
}

/* --- Names --------------------------------------------------------------------------------------
 */

static unsigned channels(void)
{
  unsigned n = 0;
  FILE *pipe = popen("ethtool -l " VETH_THEIRS " | awk '/^RX:/ { n = $2 } END { print n }'", "r");
  assert_non_null(pipe);
  assert_int_equal(fscanf(pipe, "%u", &n), 1);
  pclose(pipe);
  return n;
}

/* The kernel ends what closed sockets had a little later, and until then takes no queue away. */
static void await_queues(void)
{
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  while (system("ethtool -L " VETH_THEIRS " rx 2 2>/dev/null") != 0) {
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("%s keeps its queues", VETH_THEIRS);
    usleep(10000);
  }
  assert_int_equal(system("ethtool -L " VETH_THEIRS " rx 4"), 0);
}

/* Fewer queues by name: the interface has no more while they are open, so no frame goes astray. */
static void a_name_may_say_fewer(void **state)
{
  ef_filter_cookie cookie;
  struct got got = {0};
  if (!there)
    skip();
  assert_int_equal(channels(), QUEUES);
  end_close(&ours); /* whose queues may not be more than its peer's */
  await_queues();
  assert_int_equal(set_up(state), 0);
  setenv("SHUNT_EFVI_DEVICE", VETH_THEIRS "=xdp:" VETH_THEIRS "?queues=2", 1);
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  filter(&theirs, add(&theirs, 127), 2000, &cookie);
  assert_int_equal(channels(), 2);
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  for (unsigned i = 0; i < 20 * QUEUES; i++) {
    sends(i % QUEUES, 2000, (uint16_t)i);
    while (got.count <= i) {
      polls(0, 2000, &got);
      if (shunt_monotonic_ns() > end_ns)
        fail_msg("%u frames of %u, the last one sent by queue %u", got.count, i + 1, i % QUEUES);
    }
  }
  assert_each_once(&got, 0, 20 * QUEUES);
  end_close(&theirs);
  end_close(&ours); /* it holds settings of its peer, too: all are put back together */
  assert_int_equal(channels(), QUEUES);
  assert_int_equal(set_up(state), 0);
}

int main(void)
{
  there = veth_rig_enter();
  const struct CMUnitTest tests[] = {
      ON_VETH(one_interface_gets_all), ON_VETH(the_express_path_gets_all),
      ON_VETH(each_gets_its_own),      ON_VETH(nobody_is_in_the_way),
      ON_VETH(a_burst_finds_room),     ON_VETH(losses_are_counted),
      ON_VETH(interfaces_come_and_go), ON_VETH(long_frames_stay_whole),
      ON_VETH(a_sleeper_wakes),        ON_VETH(an_idle_interface_keeps_nobody_asleep),
      ON_VETH(a_name_may_say_fewer),
  };
  return cmocka_run_group_tests_name("efvi_spread", tests, NULL, NULL);
}
