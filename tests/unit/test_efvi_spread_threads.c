/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces of one device with several queues, polled by a thread each: whoever looks into a queue
 * leaves its frames whole and in order. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spread_rig.h"

#define RUN_NS     UINT64_C(2500000000) /* in which threads meet often, on few CPUs, too */
#define LONG_BYTES 8900u                /* of several buffers */
#define BURST      64u                  /* frames by one queue */

/* Behind a frame's headers, and once more at its end. */
struct note {
  uint16_t queue;  /* that it was sent by: the flow */
  uint16_t bytes;  /* of the frame */
  uint16_t number; /* in the flow */
};
#define NOTE_AT 42u

/* --- Receiving ----------------------------------------------------------------------------------
 */

struct poller {
  unsigned vi;
  bool stop;            /* atomic */
  unsigned first, used; /* the buffer that a frame began in, and bytes of it so far */
  unsigned whole, spoilt, swapped;
  uint16_t next[QUEUES];
};

/* A frame came whole: first and last piece are of the same one, and behind what came before. */
static void judge(struct poller *poller, unsigned last, uint32_t bytes)
{
  struct note begin, end;
  memcpy(&begin, data_of(&theirs, poller->vi, poller->first) + NOTE_AT, sizeof(begin));
  memcpy(&end, data_of(&theirs, poller->vi, last) + (bytes - poller->used) - sizeof(end),
         sizeof(end));
  if (begin.bytes != bytes || memcmp(&begin, &end, sizeof(begin)) != 0 || begin.queue >= QUEUES) {
    poller->spoilt++;
    return;
  }
  poller->whole++;
  poller->swapped += (int16_t)(begin.number - poller->next[begin.queue]) < 0;
  poller->next[begin.queue] = (uint16_t)(begin.number + 1);
}

static void take(struct poller *poller, const ef_event *event)
{
  if (EF_EVENT_TYPE(*event) != EF_EVENT_TYPE_RX)
    return;
  const unsigned buffer = EF_EVENT_RX_RQ_ID(*event);
  if (EF_EVENT_RX_SOP(*event)) {
    poller->first = buffer;
    poller->used = 0;
  }
  if (!EF_EVENT_RX_CONT(*event))
    judge(poller, buffer, EF_EVENT_RX_BYTES(*event));
  poller->used = EF_EVENT_RX_BYTES(*event);
  (void)ef_vi_receive_post(&theirs.vi[poller->vi], addr_of(&theirs, poller->vi, buffer),
                           (ef_request_id)buffer);
}

static void *poll_on(void *context)
{
  struct poller *poller = context;
  ef_event events[16];
  while (!__atomic_load_n(&poller->stop, __ATOMIC_RELAXED)) {
    const int n = ef_eventq_poll(&theirs.vi[poller->vi], events, 16);
    for (int i = 0; i < n; i++)
      take(poller, &events[i]);
  }
  return NULL;
}

/* --- Sending ------------------------------------------------------------------------------------
 */

/* Send a frame by the queue; where that is full, none. Returns whether it went. */
static bool tries(unsigned queue, uint16_t port, uint32_t bytes, uint16_t number)
{
  const struct note note = {(uint16_t)queue, (uint16_t)bytes, number};
  struct rig like = {0};
  ef_event events[16];
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  ef_addr addr = addr_of(&ours, queue, 0);
  uint8_t *frame = data_of(&ours, queue, 0);
  memcpy(like.mac, theirs.mac, 6);
  rig_frame(&like, frame, bytes, port, 0);
  memcpy(frame + NOTE_AT, &note, sizeof(note));
  memcpy(frame + bytes - sizeof(note), &note, sizeof(note));
  const int result = ef_vi_transmit(&ours.vi[queue], addr, (int)bytes, number);
  const int n = ef_eventq_poll(&ours.vi[queue], events, 16);
  for (int i = 0; i < n; i++)
    ef_vi_transmit_unbundle(&ours.vi[queue], &events[i], ids);
  return result == 0;
}

/* An interface a queue, each with a thread, and frames to all by every queue; every second one is
 * of that length. */
static void all_threads_get_theirs(uint32_t bytes)
{
  struct poller pollers[QUEUES] = {0};
  pthread_t threads[QUEUES];
  ef_filter_cookie cookie;
  uint16_t numbers[QUEUES][QUEUES] = {{0}};
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  for (unsigned i = 0; i < QUEUES; i++) {
    pollers[i].vi = add(&theirs, 127);
    filter(&theirs, pollers[i].vi, (uint16_t)(2000 + i), &cookie);
  }
  for (unsigned i = 0; i < QUEUES; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, poll_on, &pollers[i]), 0);
  const uint64_t end_ns = shunt_monotonic_ns() + RUN_NS;
  for (unsigned i = 0; shunt_monotonic_ns() < end_ns; i++) {
    const unsigned to = i % QUEUES, queue = i / BURST % QUEUES;
    const uint32_t length = i / QUEUES % 2 ? bytes : FRAME_BYTES;
    numbers[to][queue] = (uint16_t)(numbers[to][queue] + tries(queue, (uint16_t)(2000 + to), length,
                                                               numbers[to][queue]));
  }
  for (unsigned i = 0; i < QUEUES; i++) {
    __atomic_store_n(&pollers[i].stop, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  }
  for (unsigned i = 0; i < QUEUES; i++) {
    assert_true(pollers[i].whole > 0);
    if (pollers[i].spoilt || pollers[i].swapped)
      fail_msg(
          "of %u frames to port %u, %u were of pieces of several, %u came before an earlier one",
          pollers[i].whole + pollers[i].spoilt, 2000 + i, pollers[i].spoilt, pollers[i].swapped);
  }
  end_close(&theirs);
}

/* --- Tests --------------------------------------------------------------------------------------
 */

static void flows_stay_in_order(void **state)
{
  (void)state;
  if (!there)
    skip();
  all_threads_get_theirs(FRAME_BYTES);
}

static void frames_stay_whole(void **state)
{
  if (!there)
    skip();
  if (!long_frames_begin(state)) {
    print_message("skipped: %s; %s\n", shunt_last_error()->what, shunt_last_error()->why);
    skip();
  }
  all_threads_get_theirs(LONG_BYTES);
  long_frames_end(state);
}

int main(void)
{
  there = veth_rig_enter();
  const struct CMUnitTest tests[] = {
      ON_VETH(flows_stay_in_order),
      ON_VETH(frames_stay_whole),
  };
  return cmocka_run_group_tests_name("efvi_spread_threads", tests, NULL, NULL);
}
