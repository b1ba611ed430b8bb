/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi while frames come and go, on every kind of device: filters and groups that are added and
 * removed under traffic, rings that run full, rings that are flushed, sinks that sleep while
 * nothing comes. Nothing waits for a time: a frame that always arrives, sent behind others, says
 * that those have had their turn. */
#include "conformance/pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "conformance/efvi_run.h"
#include "shunt/bytes.h"
#include "shunt/clock.h"

#define BURST       8
#define ROUNDS      12
#define HERE        0x0A520001u /* 10.82.0.1 */
#define GROUP       0xEF520101u /* 239.82.1.1 */
#define PORT        5000
#define DEADLINE_NS UINT64_C(10000000000)

static struct matrix_column columns[] = {
    {.label = "82599, twin in this process",
     .near_name = "ixgbe:twin?wire=t",
     .far_name = "ixgbe:twin?wire=t"},
    {.label = "82599 over vfio-user"},
    {.label = "AF_XDP on veth", .near_name = "xdp:xa?mode=skb", .far_name = "xdp:xb?mode=skb"},
};
enum { VFIO_USER = 1, KERNEL = 2, KINDS = sizeof(columns) / sizeof(columns[0]) };

static struct served *served;
static const char *no_kernel;
static bool kernel_tried;

/* --- Both ends ----------------------------------------------------------------------------------
 */

static int end_make(struct run *run, struct end *end, int index, uint64_t flags)
{
  assert_int_equal(ef_driver_open(&end->handle), 0);
  assert_int_equal(ef_pd_alloc(&end->pd, end->handle, index, EF_PD_DEFAULT), 0);
  assert_int_equal(ef_memreg_alloc(&end->memreg, end->handle, &end->pd, end->handle, run->memory,
                                   BUFS * BUF_BYTES),
                   0);
  return open_interface(end, &end->vi, &end->pd, flags);
}

static void end_unmake(struct end *end)
{
  if (end->vi.inited)
    assert_int_equal(ef_vi_free(&end->vi, end->handle), 0);
  assert_int_equal(ef_memreg_free(&end->memreg, end->handle), 0);
  assert_int_equal(ef_pd_free(&end->pd, end->handle), 0);
  assert_int_equal(ef_driver_close(end->handle), 0);
}

static void post(struct run *run, unsigned buffer)
{
  assert_int_equal(
      ef_vi_receive_post(&run->near.vi, address(&run->near, buffer), (ef_request_id)buffer), 0);
}

static int set_up(void **state)
{
  struct matrix_column *column = *state;
  struct shunt_error error = {0};
  char map[512];
  if (column == &columns[KERNEL] && !kernel_tried) {
    no_kernel = kernel_pair_make();
    kernel_tried = true;
  }
  if (column == &columns[VFIO_USER]) {
    static struct device device = {.keys = "wire=t&id=10f9"};
    served = served_start(&device, &error);
    if (!served)
      return -1;
    column->near_name = device.name;
    column->far_name = device.peer_name;
  }
  snprintf(map, sizeof(map), "%d=%s,%d=%s", NEAR, column->near_name, FAR, column->far_name);
  return setenv("SHUNT_EFVI_DEVICE", map, 1);
}

static int tear_down(void **state)
{
  (void)state;
  if (served)
    served_stop(served);
  served = NULL;
  return 0;
}

static void end(struct run *run)
{
  end_unmake(&run->near);
  end_unmake(&run->far);
  munmap(run->memory, BUFS * BUF_BYTES);
}

/* The ends, the near one with these flags, 48 buffers and a filter of what always arrives; the link
 * is up. */
static void begin_with(struct run *run, struct matrix_column *column, uint64_t flags)
{
  if (column == &columns[KERNEL] && no_kernel) {
    print_message("%s\n", no_kernel);
    skip();
  }
  *run = (struct run){.column = column};
  run->memory =
      mmap(NULL, BUFS * BUF_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(run->memory, MAP_FAILED);
  int result = end_make(run, &run->near, NEAR, flags);
  if (result == -EOPNOTSUPP && flags) {
    print_message("%s; %s\n", shunt_last_error()->what, shunt_last_error()->why);
    end_unmake(&run->near);
    munmap(run->memory, BUFS * BUF_BYTES);
    skip();
  }
  if (!result)
    result = end_make(run, &run->far, FAR, 0);
  if (result)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
  listen_to(&run->near, &run->near.vi);
  for (unsigned i = 0; i < 48; i++)
    post(run, i);
  column->n = 1;
  snprintf(column->calls[0].name, sizeof(column->calls[0].name), "the first frame");
  far_sends_until(run, &run->near.vi, EF_EVENT_TYPE_RX);
  post(run, EF_EVENT_RX_RQ_ID(run->events[0]));
}

static void begin(struct run *run, struct matrix_column *column)
{
  begin_with(run, column, 0);
}

/* --- Traffic ------------------------------------------------------------------------------------
 */

/* A UDP frame in a buffer of the far end's, to the near end or to the group. */
static void udp_build(struct run *run, unsigned buffer, uint32_t to, uint16_t port)
{
  uint8_t *frame = data(run, buffer);
  build(run, buffer, &run->far, &run->near);
  if (to == GROUP)
    memcpy(frame, (const uint8_t[]){0x01, 0x00, 0x5E, 0x52, 0x01, 0x01}, 6);
  memset(frame + 14, 0, 28);
  shunt_store_be16(frame + 12, 0x0800);
  frame[14] = 0x45;
  shunt_store_be16(frame + 16, FRAME_BYTES - 14);
  frame[22] = 64;
  frame[23] = IPPROTO_UDP;
  shunt_store_be32(frame + 26, 0x0A520002);
  shunt_store_be32(frame + 30, to);
  shunt_store_be16(frame + 34, 1000);
  shunt_store_be16(frame + 36, port);
  shunt_store_be16(frame + 38, FRAME_BYTES - 34);
}

/* Send one, without waiting until it has left: its memory is free at once, as nobody changes it. */
static void far_puts(struct run *run, unsigned buffer)
{
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  ef_event events[EVENTS];
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  while (ef_vi_transmit(&run->far.vi, address(&run->far, buffer), FRAME_BYTES,
                        (ef_request_id)buffer) == -EAGAIN) {
    const int n = ef_eventq_poll(&run->far.vi, events, EVENTS);
    for (int i = 0; i < n; i++)
      ef_vi_transmit_unbundle(&run->far.vi, &events[i], ids);
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("%s: the far end can't send", run->column->label);
  }
}

/* Datagrams to the port that is asked for, and as many to the next one. */
static void far_puts_burst(struct run *run, uint32_t to)
{
  udp_build(run, 50, to, PORT);
  udp_build(run, 51, to, PORT + 1);
  for (int i = 0; i < BURST; i++) {
    far_puts(run, 50);
    far_puts(run, 51);
  }
}

/* Take what has come, up to the frame that always arrives, sent now. Returns how many datagrams;
 * none may be one that no filter asked for. */
static unsigned near_takes(struct run *run)
{
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  ef_event events[EVENTS];
  unsigned taken = 0;
  bool last = false;
  build(run, 52, &run->far, &run->near);
  far_puts(run, 52);
  while (!last) {
    const int n = ef_eventq_poll(&run->near.vi, events, EVENTS);
    for (int i = 0; i < n; i++) {
      assert_int_equal(EF_EVENT_TYPE(events[i]), EF_EVENT_TYPE_RX);
      const unsigned buffer = EF_EVENT_RX_RQ_ID(events[i]);
      last |= shunt_load_be16(data(run, buffer) + 12) == ETHERTYPE;
      if (shunt_load_be16(data(run, buffer) + 12) == 0x0800) {
        assert_int_equal(shunt_load_be16(data(run, buffer) + 36), PORT);
        taken++;
      }
      post(run, buffer);
    }
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("%s: the last frame has not come", run->column->label);
  }
  return taken;
}

static void add_and_remove(struct run *run, uint32_t to)
{
  ef_filter_spec spec;
  ef_filter_cookie cookie;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(to), htons(PORT)), 0);
  for (int round = 0; round < ROUNDS; round++) {
    far_puts_burst(run, to);
    assert_int_equal(near_takes(run), 0); /* nobody asks for them */

    far_puts_burst(run, to); /* under way while the filter comes */
    assert_int_equal(ef_vi_filter_add(&run->near.vi, run->near.handle, &spec, &cookie), 0);
    far_puts_burst(run, to);
    assert_in_range(near_takes(run), BURST, 2 * BURST);
    far_puts_burst(run, to);
    assert_int_equal(near_takes(run), BURST);

    far_puts_burst(run, to); /* ... and while it goes */
    assert_int_equal(ef_vi_filter_del(&run->near.vi, run->near.handle, &cookie), 0);
    far_puts_burst(run, to);
    assert_in_range(near_takes(run), 0, BURST);
  }
}

static void filters_come_and_go(void **state)
{
  struct run run;
  begin(&run, *state);
  add_and_remove(&run, HERE);
  end(&run);
}

static void groups_come_and_go(void **state)
{
  struct run run;
  begin(&run, *state);
  add_and_remove(&run, GROUP);
  end(&run);
}

/* --- Full and empty rings -----------------------------------------------------------------------
 */

/* The interface is alive: a frame each way. */
static void both_ways(struct run *run)
{
  far_sends(run);
  await(run, &run->near.vi, EF_EVENT_TYPE_RX);
  post(run, EF_EVENT_RX_RQ_ID(run->events[0]));
  build(run, 53, &run->near, &run->far);
  assert_int_equal(ef_vi_transmit(&run->near.vi, address(&run->near, 53), FRAME_BYTES, 53), 0);
  near_has_sent(run, &run->near.vi, 1);
}

static void a_full_send_ring_says_so(void **state)
{
  struct run run;
  ef_vi *vi = &run.near.vi;
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  begin(&run, *state);
  build(&run, 53, &run.near, &run.far);
  const int ring = ef_vi_transmit_capacity(vi);
  for (int round = 0; round < 4; round++) {
    int next = 0;
    for (int i = 0; i < ring; i++)
      assert_int_equal(ef_vi_transmit_init(vi, address(&run.near, 53), FRAME_BYTES, i), 0);
    assert_int_equal(ef_vi_transmit_space(vi), 0);
    assert_int_equal(ef_vi_transmit_init(vi, address(&run.near, 53), FRAME_BYTES, ring), -EAGAIN);
    if (round & 1) { /* taken back, all of them */
      ef_vi_transmit_init_undo(vi);
      assert_int_equal(ef_vi_transmit_space(vi), ring);
      continue;
    }
    ef_vi_transmit_push(vi);
    while (next < ring) {
      await_some(&run, vi);
      const int events = ef_eventq_poll(vi, run.events, EVENTS);
      for (int k = 0; k < events; k++) {
        const int n = ef_vi_transmit_unbundle(vi, &run.events[k], ids);
        for (int i = 0; i < n; i++)
          assert_int_equal(ids[i], next++);
      }
    }
    assert_int_equal(ef_vi_transmit_space(vi), ring);
  }
  both_ways(&run);
  end(&run);
}

/* More frames than buffers: as many arrive as there are buffers, in order, and the rest is lost;
 * with new buffers the next ones come. */
static void a_full_receive_ring_loses_the_rest(void **state)
{
  struct run run;
  ef_vi *vi = &run.near.vi;
  begin(&run, *state);
  for (int i = 48; ef_vi_receive_space(vi) > 0; i++)
    assert_int_equal(ef_vi_receive_post(vi, address(&run.near, (unsigned)i), (ef_request_id)i), 0);
  assert_int_equal(ef_vi_receive_init(vi, address(&run.near, BUFS - 1), 99), -EAGAIN);
  assert_int_equal(ef_vi_flush(vi, run.near.handle), 0);
  for (unsigned i = 0; i < 16; i++)
    post(&run, i);
  for (int i = 0; i < 48; i++)
    far_sends(&run);
  for (unsigned i = 0; i < 16; i++) {
    await_some(&run, vi);
    ef_event event[EF_VI_EVENT_POLL_MIN_EVS];
    const int n = ef_receive_poll(vi, event, 1);
    assert_int_equal(n, 1);
    assert_int_equal(EF_EVENT_RX_RQ_ID(event[0]), i);
  }
  assert_int_equal(ef_vi_receive_fill_level(vi), 0);
  ef_event event[EVENTS];
  assert_int_equal(ef_eventq_poll(vi, event, EVENTS), 0); /* what no buffer was there for is gone */
  for (unsigned i = 0; i < 16; i++)
    post(&run, i);
  both_ways(&run);
  end(&run);
}

/* After a flush nothing of before is told of: neither frames nor ids. */
static void a_flush_forgets_what_was(void **state)
{
  struct run run;
  ef_vi *vi = &run.near.vi;
  ef_event events[EVENTS];
  begin(&run, *state);
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 8; i++)
      far_sends(&run);
    build(&run, 53, &run.near, &run.far);
    for (int i = 0; i < 8; i++)
      assert_int_equal(ef_vi_transmit(vi, address(&run.near, 53), FRAME_BYTES, 500 + i), 0);
    if (round & 1)
      await_some(&run, vi);
    assert_int_equal(ef_vi_flush(vi, run.near.handle), 0);
    assert_int_equal(ef_vi_receive_fill_level(vi), 0);
    assert_int_equal(ef_vi_transmit_fill_level(vi), 0);
    assert_int_equal(ef_eventq_poll(vi, events, EVENTS), 0);
    for (unsigned i = 0; i < 48; i++)
      post(&run, i);
    both_ways(&run);
  }
  end(&run);
}

/* --- A sink that sleeps -------------------------------------------------------------------------
 */

#define SINK_FRAMES  1500u
#define SINK_WINDOW  24u
#define SINK_MAGIC   0x53494E4Bu
#define SINK_SLEEP_S 20

struct feeder {
  struct run *run;
  unsigned sent;   /* by whoever feeds; the next one's number */
  unsigned taken;  /* atomic: by the sink */
  unsigned sleeps; /* atomic: how often it has found nothing */
  unsigned slept;  /* of them, before the latest burst */
  bool stop;       /* atomic: the sink has given up */
  int64_t last_ns; /* when the frame before came */
};

/* A few frames, each with its number, where the sink has room for them. Every second time only when
 * it has run dry since the time before, so that it has to be woken. */
static void feed_some(struct feeder *feeder)
{
  struct end *far = &feeder->run->far;
  const unsigned burst = 1 + feeder->sent % 7;
  const unsigned sleeps = __atomic_load_n(&feeder->sleeps, __ATOMIC_ACQUIRE);
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  ef_event events[EVENTS];
  const int n = ef_eventq_poll(&far->vi, events, EVENTS);
  for (int i = 0; i < n; i++)
    ef_vi_transmit_unbundle(&far->vi, &events[i], ids);
  if (feeder->sent + burst - __atomic_load_n(&feeder->taken, __ATOMIC_ACQUIRE) > SINK_WINDOW ||
      (feeder->sent & 1 && sleeps == feeder->slept))
    return;
  feeder->slept = sleeps;
  build(feeder->run, 50, far, &feeder->run->near);
  shunt_store_be32(data(feeder->run, 50) + 14, SINK_MAGIC);
  for (unsigned i = 0; i < burst && feeder->sent < SINK_FRAMES; i++) {
    shunt_store_be32(data(feeder->run, 50) + 18, feeder->sent);
    if (ef_vi_transmit(&far->vi, address(far, 50), FRAME_BYTES, 50) == 0)
      feeder->sent++;
  }
}

static void *feed(void *context)
{
  struct feeder *feeder = context;
  while (feeder->sent < SINK_FRAMES && !__atomic_load_n(&feeder->stop, __ATOMIC_RELAXED))
    feed_some(feeder);
  return NULL;
}

/* How a sink sleeps. Returns what is wrong, or NULL. */
typedef const char *sleeper(struct run *run, struct feeder *alone);

static const char *sleep_in_wait(struct run *run, struct feeder *alone)
{
  const struct timeval long_time = {SINK_SLEEP_S, 0};
  ef_vi *vi = &run->near.vi;
  if (alone)
    feed_some(alone);
  return ef_eventq_wait(vi, run->near.handle, ef_eventq_current(vi), &long_time)
             ? "nothing ended ef_eventq_wait"
             : NULL;
}

static const char *sleep_on_handle(struct run *run, struct feeder *alone)
{
  struct pollfd readable = {.fd = run->near.handle, .events = POLLIN};
  ef_vi *vi = &run->near.vi;
  if (ef_vi_prime(vi, run->near.handle, ef_eventq_current(vi)))
    return "the event queue can't be primed";
  if (alone)
    feed_some(alone);
  return poll(&readable, 1, SINK_SLEEP_S * 1000) == 1 ? NULL : "nobody woke the handle";
}

/* What a received frame is like, its time and length in front of it. Returns what is wrong. */
static const char *look_at(struct feeder *feeder, const ef_event *event, unsigned number)
{
  struct run *run = feeder->run;
  ef_vi *vi = &run->near.vi;
  const uint8_t *packet = data(run, EF_EVENT_RX_RQ_ID(*event));
  const uint8_t *frame = packet + ef_vi_receive_prefix_len(vi);
  const bool stamped = ef_vi_receive_prefix_len(vi) > 0;
  ef_precisetime time;
  uint16_t bytes = 0;
  if (shunt_load_be32(frame + 18) != number)
    return "a frame was lost, or came twice";
  if (EF_EVENT_RX_BYTES(*event) != FRAME_BYTES + ef_vi_receive_prefix_len(vi))
    return "an event has another length";
  if (!stamped)
    return NULL;
  if (ef_vi_receive_get_bytes(vi, packet, &bytes) || bytes != FRAME_BYTES)
    return "a prefix has another length";
  if (ef_vi_receive_get_precise_timestamp(vi, packet, &time))
    return "a time stamp is missing";
  const int64_t time_ns = time.tv_sec * 1000000000 + time.tv_nsec;
  const bool earlier = time_ns < feeder->last_ns;
  feeder->last_ns = time_ns;
  return earlier ? "a time stamp lies before the one before" : NULL;
}

/* Take all frames of the feeder's, asleep while there is none. */
static const char *sink(struct feeder *feeder, sleeper *asleep, struct feeder *alone)
{
  struct run *run = feeder->run;
  ef_vi *vi = &run->near.vi;
  ef_event events[EVENTS];
  const char *problem = NULL;
  unsigned taken = 0;
  while (taken < SINK_FRAMES && !problem) {
    const int n = ef_eventq_poll(vi, events, EVENTS);
    if (n == 0) {
      __atomic_store_n(&feeder->sleeps, feeder->sleeps + 1, __ATOMIC_RELEASE);
      problem = asleep(run, alone);
    }
    for (int i = 0; i < n && !problem; i++) {
      const unsigned buffer = EF_EVENT_RX_RQ_ID(events[i]);
      if (EF_EVENT_TYPE(events[i]) != EF_EVENT_TYPE_RX)
        return "an event that is none of a frame";
      if (shunt_load_be32(data(run, buffer) + ef_vi_receive_prefix_len(vi) + 14) == SINK_MAGIC)
        problem = look_at(feeder, &events[i], taken++);
      if (ef_vi_receive_post(vi, address(&run->near, buffer), (ef_request_id)buffer))
        problem = "a buffer can't be posted again";
    }
    __atomic_store_n(&feeder->taken, taken, __ATOMIC_RELEASE);
  }
  return problem;
}

/* The feeder has a thread of its own, but for twins of this process, which are one thread's. */
static void sinks(struct matrix_column *column, uint64_t flags, sleeper *asleep)
{
  struct run run;
  begin_with(&run, column, flags);
  struct feeder feeder = {.run = &run};
  const bool alone = column != &columns[VFIO_USER] && column != &columns[KERNEL];
  pthread_t thread;
  if (!alone)
    assert_int_equal(pthread_create(&thread, NULL, feed, &feeder), 0);
  const char *problem = sink(&feeder, asleep, alone ? &feeder : NULL);
  __atomic_store_n(&feeder.stop, true, __ATOMIC_RELAXED);
  if (!alone)
    pthread_join(thread, NULL);
  if (problem)
    fail_msg("%s: %s, with %u frames sent, %u taken, after %u sleeps", column->label, problem,
             feeder.sent, feeder.taken, feeder.sleeps);
  assert_true(feeder.sleeps > 0);
  end(&run);
}

static void a_sink_sleeps_in_wait(void **state)
{
  sinks(*state, 0, sleep_in_wait);
}

static void a_sink_sleeps_on_the_handle(void **state)
{
  sinks(*state, 0, sleep_on_handle);
}

static void a_sink_has_time_stamps(void **state)
{
  sinks(*state, EF_VI_RX_TIMESTAMPS, sleep_on_handle);
}

#define CASES 8

int main(void)
{
  static struct CMUnitTest tests[CASES * KINDS];
  static char names[CASES * KINDS][128];
  static const struct {
    const char *name;
    void (*run)(void **state);
  } cases[] = {{"filters come and go", filters_come_and_go},
               {"groups come and go", groups_come_and_go},
               {"a full send ring says so", a_full_send_ring_says_so},
               {"a full receive ring loses the rest", a_full_receive_ring_loses_the_rest},
               {"a flush forgets what was", a_flush_forgets_what_was},
               {"a sink sleeps in ef_eventq_wait", a_sink_sleeps_in_wait},
               {"a sink sleeps on the handle", a_sink_sleeps_on_the_handle},
               {"a sink has time stamps", a_sink_has_time_stamps}};
  _Static_assert(sizeof(cases) / sizeof(cases[0]) == CASES, "all are run");
  for (unsigned i = 0; i < CASES * KINDS; i++) {
    snprintf(names[i], sizeof(names[i]), "%s: %s", columns[i / CASES].label, cases[i % CASES].name);
    tests[i] = (struct CMUnitTest){.name = names[i],
                                   .test_func = cases[i % CASES].run,
                                   .setup_func = set_up,
                                   .teardown_func = tear_down,
                                   .initial_state = &columns[i / CASES]};
  }
  return cmocka_run_group_tests_name("efvi_traffic", tests, NULL, NULL);
}
