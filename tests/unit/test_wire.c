/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire_node.h"

/* ---- Sending ---- */

static void a_frame_reaches_every_other_end_uncopied(void **state)
{
  (void)state;
  static const uint8_t frame[100] = {1, 2, 3};
  struct shunt_wire *wire = make_wire(0);
  struct node nodes[3];
  for (unsigned i = 0; i < 3; i++)
    plug(wire, &nodes[i]);
  assert_int_equal(send_bytes(&nodes[1], frame, sizeof(frame), 42), 0);
  assert_int_equal(nodes[1].delivered, 0);
  for (unsigned i = 0; i < 3; i += 2) {
    assert_int_equal(nodes[i].delivered, 1);
    assert_ptr_equal(nodes[i].last_at, frame);
    assert_int_equal(nodes[i].last_bytes, 100);
    assert_int_equal(nodes[i].last_ns, 42);
    struct shunt_wire_statistics statistics = statistics_of(&nodes[i]);
    assert_int_equal(statistics.offered, 1);
    assert_int_equal(statistics.delivered_bytes, 100);
    assert_int_equal(statistics.sent, 0);
  }
  assert_int_equal(statistics_of(&nodes[1]).sent, 1);
  assert_int_equal(statistics_of(&nodes[1]).sent_bytes, 100);
  assert_int_equal(statistics_of(&nodes[1]).offered, 0);
  shunt_wire_destroy(wire);
}

/* Two ends with nothing between them are joined by a short cut: whatever comes between them later
 * must have its effect on the very next frame. */
static void what_comes_between_two_ends_takes_effect_at_once(void **state)
{
  (void)state;
  static const uint8_t frame[60] = {1};
  static const struct shunt_impairments losing = {.size = sizeof(losing), .loss = 1};
  char path[] = "/tmp/shunt-test-wire-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  struct shunt_wire *wire = make_wire(0);
  struct node a, b, c;
  plug(wire, &a);
  plug(wire, &b);
  assert_int_equal(send_bytes(&a, frame, 60, 1), 0);
  assert_int_equal(b.delivered, 1);

  assert_int_equal(shunt_wire_impair(b.end, &losing, NULL), 0);
  assert_int_equal(send_bytes(&a, frame, 60, 2), 0);
  assert_int_equal(statistics_of(&b).lost, 1);
  assert_int_equal(send_bytes(&b, frame, 60, 2), 0); /* the other way is clear */
  assert_int_equal(a.delivered, 1);
  assert_int_equal(shunt_wire_impair(b.end, NULL, NULL), 0);
  assert_int_equal(shunt_wire_impair_all(wire, &losing, NULL), 0);
  assert_int_equal(send_bytes(&a, frame, 60, 3), 0);
  assert_int_equal(statistics_of(&b).lost, 2);
  assert_int_equal(
      shunt_wire_impair_all(wire, &(struct shunt_impairments){.size = sizeof(losing)}, NULL), 0);

  plug(wire, &c);
  assert_int_equal(send_bytes(&a, frame, 60, 4), 0);
  assert_int_equal(b.delivered, 2);
  assert_int_equal(c.delivered, 1);
  shunt_wire_detach(c.end);
  assert_int_equal(send_bytes(&a, frame, 60, 5), 0);
  assert_int_equal(b.delivered, 3);

  shunt_wire_cut(b.end);
  assert_int_equal(send_bytes(&a, frame, 60, 6), 0);
  assert_int_equal(statistics_of(&b).no_carrier, 1);
  shunt_wire_join(b.end);

  assert_int_equal(shunt_wire_record(wire, path, NULL), 0);
  assert_int_equal(send_bytes(&a, frame, 60, 7), 0);
  assert_int_equal(shunt_wire_record_end(wire, NULL), 0);
  assert_int_equal(send_bytes(&a, frame, 60, 8), 0);
  struct pcapng_reader *reader;
  struct pcapng_frame recorded;
  assert_int_equal(pcapng_reader_open(path, &reader, NULL), 0);
  assert_int_equal(pcapng_reader_next(reader, &recorded, NULL), 1);
  assert_int_equal(recorded.time_ns, 7);
  assert_int_equal(pcapng_reader_next(reader, &recorded, NULL), 0);
  pcapng_reader_close(reader);

  assert_int_equal(b.delivered, 5);
  assert_int_equal(statistics_of(&a).sent, 8);
  assert_int_equal(statistics_of(&b).offered, 8);
  assert_int_equal(statistics_of(&b).delivered_bytes, 300);
  shunt_wire_destroy(wire);
  close(fd);
  unlink(path);
}

static void pieces_are_put_together(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  struct iovec pieces[] = {{"head", 4}, {"", 0}, {"er+", 3}, {"payload", 7}};
  assert_int_equal(shunt_wire_send(a.end, pieces, 4, 0), 0);
  assert_int_equal(b.last_bytes, 14);
  assert_memory_equal(b.last, "header+payload", 14);
  shunt_wire_destroy(wire);
}

static void lengths_are_bounded(void **state)
{
  (void)state;
  static uint8_t frame[SHUNT_WIRE_FRAME_BYTES + 1];
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  assert_int_equal(send_bytes(&a, frame, SHUNT_WIRE_FRAME_BYTES, 0), 0);
  assert_int_equal(b.last_bytes, SHUNT_WIRE_FRAME_BYTES);
  assert_int_equal(send_bytes(&a, frame, SHUNT_WIRE_FRAME_BYTES + 1, 0), -EMSGSIZE);
  assert_int_equal(send_bytes(&a, frame, 0, 0), -EMSGSIZE);
  assert_int_equal(shunt_wire_send(a.end, NULL, 0, 0), -EMSGSIZE);
  /* Lengths whose sum wraps to something small. */
  struct iovec wraps[] = {{frame, 100}, {frame, SIZE_MAX - 50}};
  assert_int_equal(shunt_wire_send(a.end, wraps, 2, 0), -EMSGSIZE);
  struct iovec halves[] = {{frame, SHUNT_WIRE_FRAME_BYTES / 2},
                           {frame, SHUNT_WIRE_FRAME_BYTES / 2}};
  assert_int_equal(shunt_wire_send(a.end, halves, 2, 0), 0);
  assert_int_equal(b.delivered, 2);
  assert_int_equal(statistics_of(&a).sent, 2);
  shunt_wire_destroy(wire);
}

/* ---- Carrier ---- */

static void carrier_needs_two(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b, c;
  plug(wire, &a);
  assert_int_equal(shunt_wire_carrier(a.end), 0);
  assert_int_equal(a.carriers, 0);
  plug(wire, &b);
  assert_int_equal(a.carrier, 1);
  assert_int_equal(b.carrier, 1);
  assert_int_equal(shunt_wire_carrier(b.end), 1);
  plug(wire, &c);
  assert_int_equal(a.carriers, 1);

  shunt_wire_cut(a.end);
  shunt_wire_cut(a.end);
  assert_int_equal(a.carrier, 0);
  assert_int_equal(b.carrier, 1);
  shunt_wire_cut(b.end);
  assert_int_equal(c.carrier, 0);
  shunt_wire_join(a.end);
  shunt_wire_join(a.end);
  assert_int_equal(a.carrier, 1);
  assert_int_equal(b.carrier, 0);
  assert_int_equal(c.carrier, 1);
  shunt_wire_detach(c.end);
  assert_int_equal(a.carrier, 0);
  assert_int_equal(c.detached, 1);
  shunt_wire_destroy(wire);
  assert_int_equal(a.detached, 1);
  assert_int_equal(b.detached, 1);
  assert_int_equal(c.detached, 1);
}

static void a_cut_end_neither_sends_nor_receives(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  shunt_wire_cut(b.end);
  assert_int_equal(send_bytes(&b, "x", 1, 0), -ENETDOWN);
  assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  assert_int_equal(b.delivered, 0);
  assert_int_equal(statistics_of(&b).no_carrier, 1);
  assert_int_equal(statistics_of(&b).sent, 0);
  shunt_wire_join(b.end);
  assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  assert_int_equal(b.delivered, 1);
  shunt_wire_destroy(wire);
}

static void a_cut_takes_what_is_in_flight(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  struct shunt_impairments late = {.size = sizeof(late), .delay_ns = 1000};
  assert_int_equal(shunt_wire_impair(b.end, &late, NULL), 0);
  for (unsigned i = 0; i < 3; i++)
    send_bytes(&a, "x", 1, 0);
  assert_int_equal(statistics_of(&b).in_flight, 3);
  assert_int_equal(statistics_of(&b).delayed, 3);
  shunt_wire_cut(b.end);
  shunt_wire_join(b.end);
  assert_int_equal(statistics_of(&b).no_carrier, 3);
  assert_int_equal(shunt_wire_poll(wire, 5000), 0);
  assert_int_equal(b.delivered, 0);
  assert_true(shunt_wire_next_ns(wire) == UINT64_MAX);
  shunt_wire_destroy(wire);
}

/* ---- Time and queues ---- */

static void order_is_kept_behind_what_waits(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  struct shunt_impairments late = {.size = sizeof(late), .delay_ns = 100};
  shunt_wire_impair(b.end, &late, NULL);
  send_bytes(&a, "1", 1, 0);
  shunt_wire_impair(b.end, NULL, NULL);
  assert_int_equal(shunt_wire_next_ns(wire), 100);
  a.next_ns = 70;
  assert_int_equal(shunt_wire_next_ns(wire), 70);
  assert_int_equal(shunt_wire_poll(wire, 99), 0);
  assert_int_equal(shunt_wire_poll(wire, 100), 1);
  assert_int_equal(b.last[0], '1');
  assert_int_equal(b.last_ns, 100);
  send_bytes(&a, "2", 1, 101);
  assert_int_equal(b.last[0], '2');
  assert_int_equal(b.delivered, 2);
  shunt_wire_destroy(wire);
}

static void the_queue_is_bounded(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(10);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  struct shunt_impairments late = {.size = sizeof(late), .delay_ns = 100};
  shunt_wire_impair(b.end, &late, NULL);
  for (unsigned i = 0; i < 25; i++)
    assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  assert_int_equal(statistics_of(&b).in_flight, 10);
  assert_int_equal(statistics_of(&b).overflowed, 15);
  assert_int_equal(shunt_wire_poll(wire, 100), 10);
  assert_int_equal(b.delivered, 10);
  shunt_wire_destroy(wire);
}

static void the_heap_sorts_by_time_and_then_by_sequence(void **state)
{
  (void)state;
  struct wire_pool pool = {.free = {NULL}};
  struct wire_queue queue = {.most = 5000};
  struct random_stream random;
  random_seed(&random, 1, 0);
  for (uint64_t i = 0; i < 5000; i++) {
    struct wire_frame *frame = wire_pool_take(&pool, sizeof(uint64_t) * 2);
    uint64_t key[2] = {random_below_or_equal(&random, 99), i};
    memcpy(frame->data, key, sizeof(key));
    assert_int_equal(wire_queue_put(&queue, key[0], i, frame), 0);
  }
  struct wire_frame *extra = wire_pool_take(&pool, 1);
  assert_int_equal(wire_queue_put(&queue, 0, 0, extra), -ENOBUFS);
  wire_pool_give(&pool, extra);
  uint64_t before[2] = {0, 0};
  for (unsigned i = 0; i < 4000; i++) {
    struct wire_frame *frame = wire_queue_pop(&queue);
    uint64_t key[2];
    memcpy(key, frame->data, sizeof(key));
    if (i > 0)
      assert_true(before[0] < key[0] || (before[0] == key[0] && before[1] < key[1]));
    memcpy(before, key, sizeof(key));
    wire_pool_give(&pool, frame);
  }
  assert_int_equal(wire_queue_clear(&queue, &pool), 1000);
  assert_null(wire_pool_take(&pool, SHUNT_WIRE_FRAME_BYTES + 1));
  wire_pool_clear(&pool);
}

static void copies_come_from_memory_that_is_there(void **state)
{
  (void)state;
  static uint8_t frame[SHUNT_WIRE_FRAME_BYTES];
  static const size_t sizes[] = {60, 256, 257, 1514, 9014, SHUNT_WIRE_FRAME_BYTES};
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  struct shunt_impairments late = {.size = sizeof(late), .delay_ns = 1};
  shunt_wire_impair(b.end, &late, NULL);
  size_t used = 0;
  for (unsigned round = 0; round < 50; round++) {
    for (unsigned i = 0; i < 6; i++)
      assert_int_equal(send_bytes(&a, frame, sizes[i], round), 0);
    assert_int_equal(shunt_wire_poll(wire, round + 1), 6);
    if (round == 0)
      used = mallinfo2().uordblks;
  }
  assert_int_equal(mallinfo2().uordblks, used);
  shunt_wire_destroy(wire);
}

static void outside_looks_are_rare_when_idle(void **state)
{
  (void)state;
  struct wire_look look = {.next_ns = 0};
  assert_true(wire_look_due(&look, 1000));
  wire_look_done(&look, 1000, 0);
  assert_false(wire_look_due(&look, 1000 + WIRE_LOOK_NS - 1));
  assert_true(wire_look_due(&look, 1000 + WIRE_LOOK_NS));
  /* Busy: every poll looks, until nothing has come for a while. */
  wire_look_done(&look, 3000, 5);
  assert_true(wire_look_due(&look, 3000));
  wire_look_done(&look, 3000 + WIRE_LOOK_BUSY_NS - 1, 0);
  assert_true(wire_look_due(&look, 3000 + WIRE_LOOK_BUSY_NS - 1));
  uint64_t idle_ns = 3000 + WIRE_LOOK_BUSY_NS;
  wire_look_done(&look, idle_ns, 0);
  assert_false(wire_look_due(&look, idle_ns + 1));
  /* Time may stand still. */
  unsigned polls = 2;
  while (!wire_look_due(&look, idle_ns))
    polls++;
  assert_int_equal(polls, WIRE_LOOK_POLLS);
}

/* ---- Bad options ---- */

static void bad_options_are_refused(void **state)
{
  (void)state;
  struct shunt_wire *wire = NULL;
  struct shunt_error error = {0};
  struct shunt_wire_options options = {.size = 0};
  assert_int_equal(shunt_wire_create(&options, &wire, &error), -EINVAL);
  options.size = sizeof(options) + 8;
  assert_int_equal(shunt_wire_create(&options, &wire, &error), -EINVAL);
  options.size = sizeof(options);
  options.queue_frames = UINT32_MAX;
  assert_int_equal(shunt_wire_create(&options, &wire, &error), -EINVAL);
  assert_non_null(strstr(error.why, "queue_frames"));
  assert_int_equal(shunt_wire_create(NULL, &wire, NULL), 0);
  struct shunt_wire_end_ops none = {.deliver = NULL};
  struct shunt_wire_end *end = NULL;
  assert_int_equal(shunt_wire_attach(wire, "deaf", &none, NULL, &end, &error), -EINVAL);
  shunt_wire_detach(NULL);
  shunt_wire_destroy(wire);
  shunt_wire_destroy(NULL);
}

static void older_callers_get_the_statistics_they_know(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  send_bytes(&a, "x", 1, 0);
  struct shunt_wire_statistics statistics;
  memset(&statistics, 0xAA, sizeof(statistics));
  statistics.size = offsetof(struct shunt_wire_statistics, offered);
  shunt_wire_statistics(a.end, &statistics);
  assert_int_equal(statistics.sent, 1);
  assert_true(statistics.offered == UINT64_C(0xAAAAAAAAAAAAAAAA));
  assert_int_equal(statistics.size, offsetof(struct shunt_wire_statistics, offered));
  assert_string_equal(shunt_wire_end_name(a.end), "node");
  shunt_wire_destroy(wire);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_frame_reaches_every_other_end_uncopied),
      cmocka_unit_test(what_comes_between_two_ends_takes_effect_at_once),
      cmocka_unit_test(pieces_are_put_together),
      cmocka_unit_test(lengths_are_bounded),
      cmocka_unit_test(carrier_needs_two),
      cmocka_unit_test(a_cut_end_neither_sends_nor_receives),
      cmocka_unit_test(a_cut_takes_what_is_in_flight),
      cmocka_unit_test(order_is_kept_behind_what_waits),
      cmocka_unit_test(the_queue_is_bounded),
      cmocka_unit_test(the_heap_sorts_by_time_and_then_by_sequence),
      cmocka_unit_test(copies_come_from_memory_that_is_there),
      cmocka_unit_test(outside_looks_are_rare_when_idle),
      cmocka_unit_test(bad_options_are_refused),
      cmocka_unit_test(older_callers_get_the_statistics_they_know),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
