/* SPDX-License-Identifier: BSD-2-Clause */
/* What a captured port records, and what it costs whom. The other side's malice is
 * test_capture_hostile.c's. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "src/port/tap_layout.h"
#include "unit/capture_rig.h"

#define NS_PER_S UINT64_C(1000000000)

static struct shunt_capture_counts rig_counts(const struct rig *rig)
{
  struct shunt_capture_counts counts = {.size = sizeof(counts)};
  shunt_capture_counts(rig->capture, &counts);
  return counts;
}

static void both_directions_are_recorded(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "null:loop?capture=1", NULL);
  rig_exchange(rig, 1); /* before anybody is there */
  rig_attach(rig, NULL);
  rig_expect_none(rig);
  for (uint8_t i = 10; i < 13; i++) {
    rig_exchange(rig, i);
    rig_expect(rig, SHUNT_CAPTURE_TX, i, FRAME);
    rig_expect(rig, SHUNT_CAPTURE_RX, i, FRAME);
  }
  rig_expect_none(rig);
  struct shunt_capture_counts counts = rig_counts(rig);
  assert_int_equal(counts.rx_frames, 3);
  assert_int_equal(counts.tx_frames, 3);
  assert_int_equal(counts.rx_bytes, 3 * FRAME);
  assert_int_equal(counts.tx_bytes, 3 * FRAME);
  assert_int_equal(counts.rx_dropped_full + counts.tx_dropped_full, 0);

  /* Stopped, what there is can still be taken, and no more comes. */
  rig_exchange(rig, 20);
  shunt_capture_stop(rig->capture);
  rig_exchange(rig, 21);
  rig_expect(rig, SHUNT_CAPTURE_TX, 20, FRAME);
  rig_expect(rig, SHUNT_CAPTURE_RX, 20, FRAME);
  rig_expect_none(rig);
}

static void a_port_is_found_by_its_process(void **state)
{
  struct rig *rig = *state;
  struct shunt_capture_port found[2];
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), found, 2, &rig->error), 0);
  rig_open(rig, "null:loop?capture=1&checked=1", NULL);
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), NULL, 0, &rig->error), 1);
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), found, 2, &rig->error), 1);
  assert_int_equal(found[0].pid, getpid());
  assert_string_equal(found[0].name, "null:loop?capture=1&checked=1");
  assert_string_equal(found[0].driver, "null");
  assert_string_equal(found[0].device, "loopback");
  assert_non_null(strstr(found[0].process, "test_capture"));
  assert_int_equal(found[0].queues, 1);
  assert_int_equal(found[0].reader, 0);
  assert_int_equal(found[0].model, 1);
  int all = shunt_capture_list(0, NULL, 0, &rig->error);
  assert_true(all >= 1);

  rig_attach(rig, NULL);
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), found, 2, &rig->error), 1);
  assert_int_equal(found[0].reader, getpid());
  struct shunt_capture *second = NULL;
  assert_int_equal(shunt_capture_attach(&found[0], NULL, &second, &rig->error), -EBUSY);
  char mine[32];
  snprintf(mine, sizeof(mine), "process %d", (int)getpid());
  assert_non_null(strstr(rig->error.why, mine));
  rig_detach(rig);
  rig_attach(rig, NULL);
}

/* Without the option the queue has the verbs that it has always had. */
static void a_port_without_has_no_tap(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "null:loop", NULL);
  assert_null(rig->port->tap);
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), NULL, 0, &rig->error), 0);
  const struct shunt_queue_verbs plain = *rig->q->verbs;
  rig_tear_down(state);
  assert_int_equal(rig_set_up(state), 0);
  rig = *state;
  rig_open(rig, "null:loop?capture=1", NULL);
  assert_true(rig->q->verbs->rx_post == plain.rx_post);
  assert_true(rig->q->verbs->tx_push == plain.tx_push);
  assert_true(rig->q->verbs->tx_poll == plain.tx_poll);
  assert_true(rig->q->verbs->rx_poll != plain.rx_poll);
  assert_true(rig->q->verbs->tx_post != plain.tx_post);
}

static uint64_t unix_now_ns(void)
{
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  return (uint64_t)real.tv_sec * NS_PER_S + (uint64_t)real.tv_nsec;
}

static void times_are_the_ports_in_unix_time(void **state)
{
  struct rig *rig = *state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 5 * NS_PER_S);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  rig_open(rig, "null:loop?capture=1", &clock);
  rig_attach(rig, NULL);
  uint64_t before_ns = unix_now_ns();
  rig_exchange(rig, 1);
  uint64_t after_ns = unix_now_ns();
  struct shunt_capture_record sent = rig_next(rig), received = rig_next(rig);
  assert_in_range(sent.time_ns, before_ns, after_ns);
  assert_true(received.time_ns == sent.time_ns); /* this clock stands */
  assert_true(received.nic_time_ns == 0);

  shunt_virtual_clock_advance(&virtual_clock, 1234567);
  rig_post(rig, 1, FRAME, FRAME, 0, 0);
  rig_push(rig);
  shunt_virtual_clock_advance(&virtual_clock, 1);
  struct null_queue *null = (struct null_queue *)rig->q;
  struct shunt_frame *slot = null_slot(&null->rx, null->rx.head);
  slot->flags |= SHUNT_FRAME_TIME;
  slot->time_ns = 77;
  rig_receive(rig, RING);
  struct shunt_capture_record later = rig_next(rig);
  assert_true(later.time_ns == sent.time_ns + 1234567);
  later = rig_next(rig);
  assert_true(later.time_ns == sent.time_ns + 1234568);
  assert_true(later.nic_time_ns == 77);
}

static void pieces_are_joined(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "null:loop?capture=1&mtu=9000", NULL);
  rig_attach(rig, NULL);
  assert_int_equal(rig_post(rig, 1, 5000, 1999, 0, 0), 3);
  assert_int_equal(rig_post(rig, 2, 100, 7, 0, 0), 15);
  assert_int_equal(rig_post(rig, 3, 60, 60, 0, 0), 1);
  rig_push(rig);
  rig_expect(rig, SHUNT_CAPTURE_TX, 1, 5000);
  rig_expect(rig, SHUNT_CAPTURE_TX, 2, 100);
  rig_expect(rig, SHUNT_CAPTURE_TX, 3, 60);
  /* Polled so that each burst ends in the middle of a frame; sending goes on meanwhile. */
  assert_int_equal(rig_receive(rig, 2), 2);
  rig_expect_none(rig);
  assert_int_equal(rig_post(rig, 9, 60, 60, 0, 0), 1);
  rig_expect(rig, SHUNT_CAPTURE_TX, 9, 60);
  assert_int_equal(rig_receive(rig, 4), 4);
  rig_expect(rig, SHUNT_CAPTURE_RX, 1, 5000);
  rig_expect_none(rig);
  assert_int_equal(rig_receive(rig, 5), 5);
  rig_expect_none(rig);
  assert_int_equal(rig_receive(rig, RING), 8);
  rig_expect(rig, SHUNT_CAPTURE_RX, 2, 100);
  rig_expect(rig, SHUNT_CAPTURE_RX, 3, 60);
  rig_expect_none(rig);
}

static void the_rest_of_a_frame_is_no_frame(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "null:loop?capture=1&mtu=9000", NULL);
  assert_int_equal(rig_post(rig, 1, 300, 100, 0, 0), 3);
  assert_int_equal(rig_post(rig, 2, 300, 100, 0, 0), 3);
  rig_push(rig);
  assert_int_equal(rig_receive(rig, 1), 1);
  rig_attach(rig, NULL); /* in the middle of the first one */
  assert_int_equal(rig_receive(rig, 1), 1);
  assert_int_equal(rig_receive(rig, 3), 3);
  rig_detach(rig); /* in the middle of the second one */
  rig_attach(rig, NULL);
  assert_int_equal(rig_receive(rig, 3), 1);
  assert_int_equal(rig_post(rig, 3, 60, 60, 0, 0), 1);
  rig_push(rig);
  assert_int_equal(rig_receive(rig, RING), 1);
  rig_expect(rig, SHUNT_CAPTURE_TX, 3, 60);
  rig_expect(rig, SHUNT_CAPTURE_RX, 3, 60);
  rig_expect_none(rig);
}

static void expect_tagged(struct rig *rig, uint32_t direction, uint32_t bytes)
{
  static const uint8_t tag[] = {0x81, 0x00, 0xA1, 0x23};
  struct shunt_capture_record record = rig_next(rig);
  assert_int_equal(record.direction, direction);
  assert_int_equal(record.original_bytes, bytes + 4);
  assert_int_equal(record.captured_bytes, bytes + 4);
  assert_memory_equal(record.data + 12, tag, 4);
  for (uint32_t i = 0; i < bytes; i++)
    assert_int_equal(record.data[i < 12 ? i : i + 4], (uint8_t)(7 + i));
}

/* In one piece; in pieces that end in front of, in and behind the place of the tag. The 82599 tells
 * of the tag with the last piece received, and is told with the first one sent. */
static void tags_are_put_back(void **state)
{
  static const uint32_t piece_bytes[] = {FRAME, 12, 5, 50};
  struct rig *rig = *state;
  struct null_queue *null;
  rig_open(rig, "null:loop?capture=1&mtu=9000", NULL);
  null = (struct null_queue *)rig->q;
  rig_attach(rig, NULL);
  for (unsigned i = 0; i < 4; i++) {
    unsigned n = rig_post(rig, 7, FRAME, piece_bytes[i], SHUNT_FRAME_VLAN, 0xA123);
    assert_int_equal(n, (FRAME + piece_bytes[i] - 1) / piece_bytes[i]);
    expect_tagged(rig, SHUNT_CAPTURE_TX, FRAME);
    rig_push(rig);
    struct shunt_frame *last = null_slot(&null->rx, null->rx.head + n - 1);
    last->flags |= SHUNT_FRAME_VLAN;
    last->vlan = 0xA123;
    assert_int_equal(rig_receive(rig, n > 1 ? n - 1 : 1), n > 1 ? n - 1 : 1);
    rig_receive(rig, RING);
    expect_tagged(rig, SHUNT_CAPTURE_RX, FRAME);
    rig_expect_none(rig);
  }
}

static void frames_are_cut_and_chosen(void **state)
{
  struct rig *rig = *state;
  struct shunt_capture_options options = {
      .size = sizeof(options), .snaplen = 14, .directions = SHUNT_CAPTURE_RX};
  rig_open(rig, "null:loop?capture=1", NULL);
  rig_attach(rig, &options);
  rig_exchange(rig, 5);
  struct shunt_capture_record record = rig_next(rig);
  assert_int_equal(record.direction, SHUNT_CAPTURE_RX);
  assert_int_equal(record.original_bytes, FRAME);
  assert_int_equal(record.captured_bytes, 14);
  assert_int_equal(record.data[13], 5 + 13);
  rig_expect_none(rig);
  rig_detach(rig);

  const struct shunt_capture_options wrong[] = {
      {.size = 1},
      {.size = sizeof(options) + 1},
      {.size = sizeof(options), .snaplen = SHUNT_CAPTURE_SNAPLEN_MOST + 1},
      {.size = sizeof(options), .directions = 4},
      {.size = sizeof(options), .first_queue = 1},
      {.size = sizeof(options), .queues = 2},
      {.size = sizeof(options), .first_queue = UINT32_MAX, .queues = 2},
  };
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    assert_int_equal(shunt_capture_attach(&rig->found, &wrong[i], &rig->capture, &rig->error),
                     -EINVAL);
    assert_string_not_equal(rig->error.why, "");
  }
}

static void what_is_refused_was_not_sent(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "null:loop?capture=1&checked=1", NULL);
  rig_attach(rig, NULL);
  assert_int_equal(rig_post(rig, 1, 16, 16, 0, 0), 0); /* too short */
  rig_expect_none(rig);
  assert_int_equal(rig_post(rig, 2, 17, 17, 0, 0), 1);
  rig_expect(rig, SHUNT_CAPTURE_TX, 2, 17);
  rig_expect_none(rig);
}

/* Frames of 1500 bytes until a good many were dropped, then all that is there; several times, so
 * that the ring's end is met at another place each time. */
static void a_full_ring_counts_what_it_drops(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "null:loop?capture=1", NULL);
  rig_attach(rig, NULL);
  uint64_t moved = 0, taken = 0;
  for (unsigned round = 0; round < 3; round++) {
    struct shunt_capture_counts before = rig_counts(rig), after;
    for (unsigned i = 0; i < 3000 + 100 * round; i++, moved++) {
      assert_int_equal(rig_post(rig, (uint8_t)i, 1500 + round, 1600, 0, 0), 1);
      rig_push(rig);
      assert_int_equal(rig_receive(rig, RING), 1);
    }
    after = rig_counts(rig);
    assert_true(after.rx_dropped_full > before.rx_dropped_full);
    assert_true(after.tx_dropped_full > before.tx_dropped_full);
    struct shunt_capture_record record;
    unsigned here = 0;
    for (; shunt_capture_next(rig->capture, &record, &rig->error) == 1; here++) {
      assert_int_equal(record.direction, here % 2 ? SHUNT_CAPTURE_RX : SHUNT_CAPTURE_TX);
      assert_int_equal(record.data[0], (uint8_t)(here / 2));
      assert_int_equal(record.data[1499], (uint8_t)(here / 2 + 1499));
    }
    taken += here;
    assert_true((uint64_t)here * 1536 <= TAP_RING_BYTES);
    assert_true((uint64_t)(here + 2) * 1536 > TAP_RING_BYTES);
  }
  struct shunt_capture_counts counts = rig_counts(rig);
  assert_int_equal(counts.rx_frames + counts.tx_frames, taken);
  assert_int_equal(counts.rx_frames + counts.rx_dropped_full, moved);
  assert_int_equal(counts.tx_frames + counts.tx_dropped_full, moved);
}

/* A reader that is there no more costs the port nothing in the end. */
static void nobody_reads_for_a_minute(void **state)
{
  struct rig *rig = *state;
  struct shunt_virtual_clock virtual_clock;
  shunt_virtual_clock_init(&virtual_clock, 0);
  struct shunt_clock clock = shunt_virtual_clock_view(&virtual_clock);
  rig_open(rig, "null:loop?capture=1", &clock);
  rig_attach(rig, NULL);
  while (!rig_counts(rig).rx_dropped_full)
    for (unsigned i = 0; i < 100; i++) {
      rig_post(rig, 0, 1500, 1500, 0, 0);
      rig_push(rig);
      rig_receive(rig, RING);
    }
  shunt_virtual_clock_advance(&virtual_clock, 59 * NS_PER_S);
  rig_exchange(rig, 1);
  uint64_t dropped = rig_counts(rig).rx_dropped_full;
  shunt_virtual_clock_advance(&virtual_clock, NS_PER_S);
  rig_exchange(rig, 1); /* gives up here */
  rig_exchange(rig, 1);
  assert_in_range(rig_counts(rig).rx_dropped_full, dropped, dropped + 1);

  struct shunt_capture_record record;
  int code;
  while ((code = shunt_capture_next(rig->capture, &record, &rig->error)) == 1)
    ;
  assert_int_equal(code, -ETIMEDOUT);
  assert_non_null(strstr(rig->error.why, "full"));
  rig_exchange(rig, 2);
  assert_int_equal(shunt_capture_next(rig->capture, &record, &rig->error), -ETIMEDOUT);
  rig_detach(rig);
  rig_exchange(rig, 3);
  rig_attach(rig, NULL);
  rig_exchange(rig, 4);
  rig_expect(rig, SHUNT_CAPTURE_TX, 4, FRAME);
  rig_expect(rig, SHUNT_CAPTURE_RX, 4, FRAME);
}

static void a_closed_port_says_so(void **state)
{
  struct rig *rig = *state;
  struct shunt_capture_record record;
  rig_open(rig, "null:loop?capture=1", NULL);
  rig_attach(rig, NULL);
  rig_exchange(rig, 1);
  shunt_port_close(rig->port);
  rig->port = NULL;
  rig_expect(rig, SHUNT_CAPTURE_TX, 1, FRAME);
  rig_expect(rig, SHUNT_CAPTURE_RX, 1, FRAME);
  assert_int_equal(shunt_capture_next(rig->capture, &record, &rig->error), -ENODEV);
  assert_non_null(strstr(rig->error.what, "closed"));
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), NULL, 0, &rig->error), 0);
}

/* ---- With a thread that moves frames all the time ---- */

struct traffic {
  struct rig *rig;
  atomic_bool ends;
  uint64_t exchanged;
};

/* Each frame carries its number. */
static void *move_frames(void *context)
{
  struct traffic *traffic = context;
  struct rig *rig = traffic->rig;
  struct shunt_frame frame, frames[RING];
  shunt_buf bufs[RING];
  while (!atomic_load_explicit(&traffic->ends, memory_order_relaxed)) {
    frame = (struct shunt_frame){.len = FRAME};
    if (!shunt_pool_take(rig->pool, &frame.addr, 1))
      continue;
    memcpy(shunt_frame_data(rig->q, &frame), &traffic->exchanged, sizeof(traffic->exchanged));
    traffic->exchanged += shunt_tx_post(rig->q, &frame, 1);
    shunt_tx_push(rig->q);
    unsigned n = shunt_rx_poll(rig->q, frames, RING);
    for (unsigned i = 0; i < n; i++)
      shunt_pool_give(rig->pool, &frames[i].addr, 1);
    shunt_pool_give(rig->pool, bufs, shunt_tx_poll(rig->q, bufs, RING));
    shunt_rx_fill(rig->q, rig->pool);
  }
  return NULL;
}

/* One session: numbers go up by one in each direction, but for as many as were dropped. */
static void follow(struct rig *rig, unsigned records)
{
  uint64_t first[3] = {0}, last[3] = {0}, seen[3] = {0}, last_ns = 0, number;
  struct shunt_capture_record record;
  rig_attach(rig, NULL);
  for (unsigned i = 0; i < records;) {
    int code = shunt_capture_next(rig->capture, &record, &rig->error);
    assert_true(code >= 0);
    if (!code) {
      nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
      continue;
    }
    memcpy(&number, record.data, sizeof(number));
    assert_true(record.time_ns >= last_ns);
    assert_true(!seen[record.direction] || number > last[record.direction]);
    first[record.direction] = seen[record.direction]++ ? first[record.direction] : number;
    last[record.direction] = number;
    last_ns = record.time_ns;
    i++;
  }
  struct shunt_capture_counts counts = rig_counts(rig);
  const uint64_t dropped[] = {0, counts.rx_dropped_full, counts.tx_dropped_full};
  for (unsigned way = TAP_RX; way <= TAP_TX; way++)
    if (seen[way])
      assert_in_range(last[way] - first[way] + 1, seen[way], seen[way] + dropped[way]);
  rig_detach(rig);
}

static void readers_come_and_go_under_traffic(void **state)
{
  struct rig *rig = *state;
  pthread_t thread;
  rig_open(rig, "null:loop?capture=1", NULL);
  struct traffic traffic = {.rig = rig};
  assert_int_equal(pthread_create(&thread, NULL, move_frames, &traffic), 0);
  for (unsigned i = 0; i < 50; i++)
    follow(rig, 1 + 97 * i);
  atomic_store(&traffic.ends, true);
  pthread_join(thread, NULL);
  assert_true(traffic.exchanged > 50 * 50);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_set_up, rig_tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(both_directions_are_recorded),
      TEST(a_port_is_found_by_its_process),
      TEST(a_port_without_has_no_tap),
      TEST(times_are_the_ports_in_unix_time),
      TEST(pieces_are_joined),
      TEST(the_rest_of_a_frame_is_no_frame),
      TEST(tags_are_put_back),
      TEST(frames_are_cut_and_chosen),
      TEST(what_is_refused_was_not_sent),
      TEST(a_full_ring_counts_what_it_drops),
      TEST(nobody_reads_for_a_minute),
      TEST(a_closed_port_says_so),
      TEST(readers_come_and_go_under_traffic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
