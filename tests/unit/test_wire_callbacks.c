/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends whose callbacks call the wire again: it stays shallow, and they may come and go. */
#include "wire_node.h"

/* ---- Callbacks that call back ---- */

static void echo(struct node *node, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  assert_int_equal(send_bytes(node, frame, bytes, now_ns), 0);
}

static void an_echo_of_an_echo_stays_shallow(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  a.then = echo;
  b.then = echo;
  assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  for (unsigned i = 0; i < 1000; i++)
    assert_true(shunt_wire_poll(wire, i) > 0);
  assert_int_equal(a.inside_most, 1);
  assert_int_equal(b.inside_most, 1);
  assert_true(a.delivered >= 1000 && b.delivered >= 1000);
  assert_int_equal(statistics_of(&a).in_flight + statistics_of(&b).in_flight, 1);
  shunt_wire_destroy(wire);
}

#define CHAIN 20

/* Each end passes on only what names it, and names the next one. */
static void pass_on(struct node *node, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  const uint8_t *to = frame;
  uint8_t next = (uint8_t)(to[0] + 1);
  (void)bytes;
  if (node->next_ns == to[0])
    assert_int_equal(send_bytes(node, &next, 1, now_ns), 0);
}

static void a_long_chain_is_broken_off_and_continued(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  static struct node nodes[CHAIN];
  for (unsigned i = 0; i < CHAIN; i++) {
    plug(wire, &nodes[i]);
    nodes[i].then = pass_on;
    nodes[i].next_ns = i; /* its number, here */
  }
  uint8_t to = 1;
  assert_int_equal(send_bytes(&nodes[0], &to, 1, 0), 0);
  assert_true(nodes[CHAIN - 1].delivered < CHAIN - 1);
  for (unsigned i = 0; i < CHAIN; i++)
    shunt_wire_poll(wire, 0);
  /* Frames 1..CHAIN: an end hears all but the one that it sent itself. */
  for (unsigned i = 1; i < CHAIN; i++)
    assert_int_equal(nodes[i].delivered, CHAIN - 1);
  shunt_wire_destroy(wire);
}

static void detach_self(struct node *node, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)frame;
  (void)bytes;
  (void)now_ns;
  shunt_wire_detach(node->end);
  shunt_wire_detach(node->end);
  assert_int_equal(node->detached, 0);
}

static void detach_other(struct node *node, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)frame;
  (void)bytes;
  (void)now_ns;
  shunt_wire_detach(node->other->end);
}

static void ends_may_leave_from_a_callback(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b, c, d;
  plug(wire, &a);
  plug(wire, &b);
  plug(wire, &c);
  plug(wire, &d);
  b.then = detach_self;
  c.then = detach_other;
  c.other = &d;
  assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  assert_int_equal(b.delivered, 1);
  assert_int_equal(b.detached, 1);
  assert_int_equal(d.delivered, 0);
  assert_int_equal(d.detached, 1);
  c.then = NULL;
  assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  assert_int_equal(c.delivered, 2);

  /* The sender itself, while it is sending. */
  c.then = detach_other;
  c.other = &a;
  assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  assert_int_equal(a.detached, 1);
  assert_int_equal(c.carrier, 0);
  shunt_wire_destroy(wire);
  assert_int_equal(c.detached, 1);
}

static void detach_from_a_due_delivery(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b, c;
  plug(wire, &a);
  plug(wire, &b);
  plug(wire, &c);
  struct shunt_impairments late = {.size = sizeof(late), .delay_ns = 10};
  assert_int_equal(shunt_wire_impair_all(wire, &late, NULL), 0);
  for (unsigned i = 0; i < 5; i++)
    send_bytes(&a, "x", 1, 0);
  b.then = detach_self;
  assert_int_equal(shunt_wire_poll(wire, 10), 6);
  assert_int_equal(b.delivered, 1);
  assert_int_equal(b.detached, 1);
  assert_int_equal(c.delivered, 5);
  shunt_wire_destroy(wire);
}

static void attach_another(struct node *node, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)frame;
  (void)bytes;
  (void)now_ns;
  if (node->other->wire == NULL)
    plug(node->wire, node->other);
}

static void ends_may_come_from_a_callback(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b, c = {.wire = NULL};
  plug(wire, &a);
  plug(wire, &b);
  b.then = attach_another;
  b.other = &c;
  assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  assert_int_equal(c.carrier, 1);
  assert_int_equal(c.delivered, 0);
  assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
  assert_int_equal(c.delivered, 1);
  shunt_wire_destroy(wire);
}

static void destroy_wire(struct node *node, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)frame;
  (void)bytes;
  (void)now_ns;
  shunt_wire_destroy(node->wire);
}

static void a_wire_may_be_destroyed_from_a_callback(void **state)
{
  (void)state;
  for (unsigned by_poll = 0; by_poll < 2; by_poll++) {
    struct shunt_wire *wire = make_wire(0);
    struct node a, b, c;
    plug(wire, &a);
    plug(wire, &b);
    plug(wire, &c);
    struct shunt_impairments late = {.size = sizeof(late), .delay_ns = by_poll};
    shunt_wire_impair_all(wire, &late, NULL);
    b.then = destroy_wire;
    assert_int_equal(send_bytes(&a, "x", 1, 0), 0);
    if (by_poll)
      shunt_wire_poll(wire, 1);
    assert_int_equal(a.detached + b.detached + c.detached, 3);
    assert_int_equal(b.delivered, 1);
    assert_int_equal(c.delivered, 0);
  }
}

/* ---- Frames that are handed over ---- */

static void take_handed(void *context, const struct iovec *head, const struct iovec *body,
                        uint64_t now_ns)
{
  struct node *node = context;
  node_deliver(node, head->iov_base, (uint32_t)head->iov_len, now_ns);
  node->last_bytes += body ? (uint32_t)body->iov_len : 0;
}

static void take_otherwise(void *context, const struct iovec *head, const struct iovec *body,
                           uint64_t now_ns)
{
  (void)context, (void)head, (void)body, (void)now_ns;
  fail();
}

static bool hand(struct node *node, size_t body_bytes)
{
  static uint8_t data[SHUNT_WIRE_FRAME_BYTES];
  const struct iovec head = {"head", 4}, body = {data, body_bytes};
  return wire_hand_over(node->end, &head, body_bytes ? &body : NULL, 5);
}

static void a_frame_is_handed_over_where_one_end_hears_it(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b;
  plug(wire, &a);
  plug(wire, &b);
  assert_false(hand(&a, 0)); /* neither takes such */
  wire_take_handed(a.end, take_handed);
  assert_false(hand(&a, 0));
  wire_take_handed(b.end, take_otherwise);
  assert_false(hand(&a, 0)); /* they mean different things by it */
  wire_take_handed(b.end, take_handed);
  assert_true(hand(&a, 0));
  assert_true(hand(&a, 100));
  assert_true(hand(&b, SHUNT_WIRE_FRAME_BYTES - 4));
  assert_false(hand(&b, SHUNT_WIRE_FRAME_BYTES - 3));
  assert_int_equal(b.delivered, 2);
  assert_int_equal(b.last_bytes, 104);
  assert_int_equal(b.last_ns, 5);
  assert_memory_equal(b.last, "head", 4);
  assert_int_equal(statistics_of(&a).sent, 2);
  assert_int_equal(statistics_of(&a).sent_bytes, 108);
  assert_int_equal(statistics_of(&b).delivered_bytes, 108);
  assert_int_equal(statistics_of(&a).delivered, 1);
  shunt_wire_destroy(wire);
}

static void hand_back(struct node *node, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)frame, (void)bytes, (void)now_ns;
  node->next_ns = hand(node, 0); /* whether it was taken, here */
}

static void a_frame_is_not_handed_over_where_more_may_happen_to_it(void **state)
{
  (void)state;
  struct shunt_wire *wire = make_wire(0);
  struct node a, b, c;
  struct shunt_impairments late = {.size = sizeof(late), .delay_ns = 1};
  plug(wire, &a);
  plug(wire, &b);
  wire_take_handed(a.end, take_handed);
  wire_take_handed(b.end, take_handed);
  shunt_wire_impair(b.end, &late, NULL);
  assert_false(hand(&a, 0));
  assert_true(hand(&b, 0));
  shunt_wire_impair(b.end, NULL, NULL);
  shunt_wire_cut(b.end);
  assert_false(hand(&a, 0));
  shunt_wire_join(b.end);
  assert_true(hand(&a, 0));
  b.then =
      hand_back; /* in answer, to one that is not at work; and its answer to that one that is */
  a.then = hand_back;
  assert_true(hand(&a, 0));
  assert_int_equal(b.next_ns, 1);
  assert_int_equal(a.next_ns, 0);
  a.then = b.then = NULL;
  plug(wire, &c);
  assert_false(hand(&a, 0));
  shunt_wire_detach(c.end);
  assert_true(hand(&a, 0));
  b.then = detach_self;
  assert_true(hand(&a, 0));
  assert_int_equal(b.detached, 1);
  assert_false(hand(&a, 0));
  shunt_wire_destroy(wire);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_echo_of_an_echo_stays_shallow),
      cmocka_unit_test(a_long_chain_is_broken_off_and_continued),
      cmocka_unit_test(ends_may_leave_from_a_callback),
      cmocka_unit_test(detach_from_a_due_delivery),
      cmocka_unit_test(ends_may_come_from_a_callback),
      cmocka_unit_test(a_wire_may_be_destroyed_from_a_callback),
      cmocka_unit_test(a_frame_is_handed_over_where_one_end_hears_it),
      cmocka_unit_test(a_frame_is_not_handed_over_where_more_may_happen_to_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
