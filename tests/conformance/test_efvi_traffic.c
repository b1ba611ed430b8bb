/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi while frames come and go, on every kind of device: filters and groups that are added and
 * removed under traffic, rings that run full, rings that are flushed. Nothing waits for a time: a
 * frame that always arrives, sent behind others, says that those have had their turn. */
#include "conformance/pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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

static void end_make(struct run *run, struct end *end, int index)
{
  assert_int_equal(ef_driver_open(&end->handle), 0);
  assert_int_equal(ef_pd_alloc(&end->pd, end->handle, index, EF_PD_DEFAULT), 0);
  assert_int_equal(ef_memreg_alloc(&end->memreg, end->handle, &end->pd, end->handle, run->memory,
                                   BUFS * BUF_BYTES),
                   0);
  const int result = open_interface(end, &end->vi, &end->pd, 0);
  if (result)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
}

static void end_unmake(struct end *end)
{
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

/* The ends, the near one with 48 buffers and a filter of what always arrives; the link is up. */
static void begin(struct run *run, struct matrix_column *column)
{
  if (column == &columns[KERNEL] && no_kernel) {
    print_message("%s\n", no_kernel);
    skip();
  }
  *run = (struct run){.column = column};
  run->memory =
      mmap(NULL, BUFS * BUF_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(run->memory, MAP_FAILED);
  end_make(run, &run->near, NEAR);
  end_make(run, &run->far, FAR);
  listen_to(&run->near, &run->near.vi);
  for (unsigned i = 0; i < 48; i++)
    post(run, i);
  column->n = 1;
  snprintf(column->calls[0].name, sizeof(column->calls[0].name), "the first frame");
  far_sends_until(run, &run->near.vi, EF_EVENT_TYPE_RX);
  post(run, EF_EVENT_RX_RQ_ID(run->events[0]));
}

static void end(struct run *run)
{
  end_unmake(&run->near);
  end_unmake(&run->far);
  munmap(run->memory, BUFS * BUF_BYTES);
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
  for (int round = 0; round < 4; round++) {
    int next = 0;
    for (int i = 0; i < 63; i++)
      assert_int_equal(ef_vi_transmit_init(vi, address(&run.near, 53), FRAME_BYTES, i), 0);
    assert_int_equal(ef_vi_transmit_space(vi), 0);
    assert_int_equal(ef_vi_transmit_init(vi, address(&run.near, 53), FRAME_BYTES, 63), -EAGAIN);
    if (round & 1) { /* taken back, all of them */
      ef_vi_transmit_init_undo(vi);
      assert_int_equal(ef_vi_transmit_space(vi), 63);
      continue;
    }
    ef_vi_transmit_push(vi);
    while (next < 63) {
      await(&run, vi, EF_EVENT_TYPE_TX);
      const int n = ef_vi_transmit_unbundle(vi, &run.events[0], ids);
      for (int i = 0; i < n; i++)
        assert_int_equal(ids[i], next++);
    }
    assert_int_equal(ef_vi_transmit_space(vi), 63);
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
    assert_int_equal(
        ef_vi_receive_post(vi, address(&run.near, (unsigned)i % BUFS), (ef_request_id)i), 0);
  assert_int_equal(ef_vi_receive_init(vi, address(&run.near, 63), 99), -EAGAIN);
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

int main(void)
{
  static struct CMUnitTest tests[5 * KINDS];
  static char names[5 * KINDS][128];
  static const struct {
    const char *name;
    void (*run)(void **state);
  } cases[] = {{"filters come and go", filters_come_and_go},
               {"groups come and go", groups_come_and_go},
               {"a full send ring says so", a_full_send_ring_says_so},
               {"a full receive ring loses the rest", a_full_receive_ring_loses_the_rest},
               {"a flush forgets what was", a_flush_forgets_what_was}};
  for (unsigned i = 0; i < 5 * KINDS; i++) {
    snprintf(names[i], sizeof(names[i]), "%s: %s", columns[i / 5].label, cases[i % 5].name);
    tests[i] = (struct CMUnitTest){.name = names[i],
                                   .test_func = cases[i % 5].run,
                                   .setup_func = set_up,
                                   .teardown_func = tear_down,
                                   .initial_state = &columns[i / 5]};
  }
  return cmocka_run_group_tests_name("efvi_traffic", tests, NULL, NULL);
}
