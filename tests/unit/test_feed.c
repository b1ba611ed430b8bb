/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "market_data/feed.h"
#include "market_data/random.h"

#define A      0
#define B      1
#define WAIT   1000 /* arbitration time */
#define WINDOW 16

/* What the feed said, as text: "1 2" delivered, "3w" after a wait, "[4-6 time]" lost. Message n has
 * the text of n. */
struct rig {
  struct feed feed;
  char said[4096];
  size_t length;
  uint64_t arrived_ns; /* of the last message */
};

static void say(struct rig *rig, const char *text)
{
  rig->length += (size_t)snprintf(rig->said + rig->length, sizeof(rig->said) - rig->length, "%s%s",
                                  rig->length ? " " : "", text);
  assert_true(rig->length < sizeof(rig->said));
}

static void on_message(void *context, const uint8_t *message, uint32_t bytes, uint64_t arrived_ns,
                       bool waited)
{
  struct rig *rig = context;
  char text[128];
  snprintf(text, sizeof(text), "%.*s%s", (int)bytes, (const char *)message, waited ? "w" : "");
  rig->arrived_ns = arrived_ns;
  say(rig, text);
}

static void on_lost(void *context, uint64_t first, uint64_t last, enum feed_loss why)
{
  char text[64];
  snprintf(text, sizeof(text), "[%llu-%llu %s]", (unsigned long long)first,
           (unsigned long long)last, why == FEED_TIME_OVER ? "time" : "full");
  say(context, text);
}

static int set_up_window(void **state, uint32_t window)
{
  struct rig *rig = calloc(1, sizeof(*rig));
  const struct feed_options options = {.arbitration_ns = WAIT, .window = window};
  const struct feed_callbacks callbacks = {on_message, on_lost, rig};
  *state = rig;
  return rig ? feed_open(&rig->feed, &options, &callbacks, NULL) : -1;
}

static int set_up(void **state)
{
  return set_up_window(state, WINDOW);
}

static int tear_down(void **state)
{
  struct rig *rig = *state;
  feed_close(&rig->feed);
  free(rig);
  return 0;
}

static uint32_t begin(uint8_t *packet, uint64_t sequence)
{
  return moldudp64_begin(packet, MOLDUDP64_HEADER_BYTES, "session   ", sequence);
}

/* A packet of messages first to last; none where last is less. */
static void receive(struct rig *rig, unsigned line, uint64_t first, uint64_t last, uint64_t now_ns)
{
  uint8_t packet[1500];
  uint32_t bytes = begin(packet, first);
  for (uint64_t i = first; i <= last; i++) {
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)i);
    bytes = moldudp64_append(packet, bytes, sizeof(packet), text, (uint32_t)n);
    assert_true(bytes > 0);
  }
  feed_receive(&rig->feed, line, packet, bytes, now_ns);
}

static void receive_end(struct rig *rig, unsigned line, uint64_t next, uint64_t now_ns)
{
  uint8_t packet[1500];
  uint32_t bytes = begin(packet, next);
  moldudp64_end(packet);
  feed_receive(&rig->feed, line, packet, bytes, now_ns);
}

/* What was said since the last time. */
static void expect(struct rig *rig, const char *wanted)
{
  assert_string_equal(rig->said, wanted);
  rig->said[0] = 0;
  rig->length = 0;
}

static void the_first_copy_wins(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 1, 3, 10);
  expect(rig, "1 2 3");
  assert_int_equal(rig->arrived_ns, 10);
  receive(rig, B, 1, 3, 20);
  expect(rig, "");
  receive(rig, B, 4, 4, 30);
  receive(rig, A, 4, 4, 40);
  expect(rig, "4");
  assert_int_equal(rig->feed.lines[A].first, 3);
  assert_int_equal(rig->feed.lines[A].duplicates, 1);
  assert_int_equal(rig->feed.lines[B].first, 1);
  assert_int_equal(rig->feed.lines[B].duplicates, 3);
  assert_int_equal(rig->feed.deadline_ns, FEED_NEVER_NS);
}

static void one_line_fills_the_others_gap(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 1, 1, 0);
  receive(rig, A, 4, 5, 100); /* 2 and 3 are missing */
  expect(rig, "1");
  assert_int_equal(rig->feed.deadline_ns, 100 + WAIT);
  receive(rig, B, 1, 3, 200);
  expect(rig, "2 3 4w 5w");
  assert_int_equal(rig->arrived_ns, 100);
  assert_int_equal(rig->feed.filled, 2);
  assert_int_equal(rig->feed.lines[A].gaps, 1);
  assert_int_equal(rig->feed.lines[B].gaps, 0);
  assert_int_equal(rig->feed.deadline_ns, FEED_NEVER_NS);
  feed_poll(&rig->feed, 1u << 30);
  expect(rig, "");
}

static void a_gap_that_stays_is_lost_when_its_time_is_over(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 1, 1, 0);
  receive(rig, A, 4, 5, 100);
  receive(rig, B, 7, 7, 500); /* a second gap, with a time of its own */
  feed_poll(&rig->feed, 100 + WAIT - 1);
  expect(rig, "1");
  feed_poll(&rig->feed, 100 + WAIT);
  expect(rig, "[2-3 time] 4w 5w");
  assert_int_equal(rig->feed.deadline_ns, 500 + WAIT);
  receive(rig, B, 2, 5, 1200); /* too late */
  expect(rig, "");
  assert_int_equal(rig->feed.lines[B].duplicates, 4);
  feed_poll(&rig->feed, 500 + WAIT);
  expect(rig, "[6-6 time] 7w");
  assert_int_equal(rig->feed.lost, 3);
  assert_int_equal(rig->feed.losses, 2);
  assert_int_equal(rig->feed.delivered, 4);
  assert_int_equal(rig->feed.next, 8);
}

static void a_gap_can_be_filled_from_its_middle(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 6, 6, 100);
  receive(rig, B, 3, 3, 900);
  assert_int_equal(rig->feed.deadline_ns, 100 + WAIT); /* the gap is no younger for that */
  feed_poll(&rig->feed, 100 + WAIT);
  expect(rig, "[1-2 time] 3w [4-5 time] 6w");
}

static void packets_may_be_cut_differently(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 1, 2, 0);
  receive(rig, B, 1, 4, 0);
  receive(rig, A, 3, 3, 0);
  receive(rig, A, 6, 7, 0);
  receive(rig, B, 5, 9, 0);
  expect(rig, "1 2 3 4 5 6w 7w 8 9");
  assert_int_equal(rig->feed.lines[A].first + rig->feed.lines[B].first, 9);
  assert_int_equal(rig->feed.lines[A].duplicates + rig->feed.lines[B].duplicates, 5);
}

static void a_heartbeat_tells_of_a_loss_at_the_end(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 1, 2, 0);
  receive(rig, A, 3, 2, 10); /* heartbeat: 3 comes next */
  assert_int_equal(rig->feed.deadline_ns, FEED_NEVER_NS);
  receive(rig, B, 5, 4, 20); /* heartbeat: 5 comes next */
  assert_int_equal(rig->feed.deadline_ns, 20 + WAIT);
  receive(rig, A, 5, 4, 900);
  assert_int_equal(rig->feed.deadline_ns, 20 + WAIT);
  receive(rig, A, 3, 3, 950);
  expect(rig, "1 2 3");
  feed_poll(&rig->feed, 20 + WAIT);
  expect(rig, "[4-4 time]");
  assert_int_equal(rig->feed.lines[A].heartbeats, 2);
  assert_int_equal(rig->feed.lines[B].heartbeats, 1);
}

static void a_session_ends_when_all_before_is_known(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 1, 2, 0);
  receive_end(rig, B, 4, 100);
  assert_false(feed_is_done(&rig->feed));
  receive(rig, A, 3, 3, 200);
  assert_true(feed_is_done(&rig->feed));
  receive_end(rig, A, 4, 300);
  assert_true(feed_is_done(&rig->feed));
  expect(rig, "1 2 3");
  assert_int_equal(rig->feed.lines[A].ends + rig->feed.lines[B].ends, 2);
}

static void a_full_window_gives_up_what_is_oldest(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 2, 2, 0);
  receive(rig, A, 4, WINDOW, 0);
  expect(rig, ""); /* 2 and 4 to 16 wait behind 1: number 16 is the last that has room */
  receive(rig, A, WINDOW + 1, WINDOW + 1, 10);
  expect(rig, "[1-1 full] 2w");
  receive(rig, A, WINDOW + 4, WINDOW + 4, 20);
  expect(rig, "[3-3 full] 4w 5w 6w 7w 8w 9w 10w 11w 12w 13w 14w 15w 16w 17w");
  receive(rig, B, WINDOW + 2, WINDOW + 3, 30);
  expect(rig, "18 19 20w");
}

static void only_as_much_is_given_up_as_is_needed(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, WINDOW, WINDOW, 0); /* 1 to 15 are missing */
  receive(rig, A, WINDOW + 3, WINDOW + 3, 10);
  expect(rig, "[1-3 full]");
  receive(rig, B, 4, WINDOW - 1, 20);
  expect(rig, "4 5 6 7 8 9 10 11 12 13 14 15 16w");
  assert_int_equal(rig->feed.lost, 3);
  feed_poll(&rig->feed, 10 + WAIT);
  expect(rig, "[17-18 time] 19w");
}

static void a_packet_longer_than_the_window_is_taken(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 2, 2 + 3 * WINDOW, 0);
  feed_poll(&rig->feed, WAIT);
  assert_int_equal(rig->feed.lost, 1);
  assert_int_equal(rig->feed.delivered, 3 * WINDOW + 1);
  assert_int_equal(rig->feed.next, 3 * WINDOW + 3);
}

static void a_leap_needs_a_second_witness(void **state)
{
  struct rig *rig = *state;
  const uint64_t far = UINT64_C(1) << 40;
  receive(rig, A, 1, 1, 0);
  receive(rig, A, far, far, 10);
  receive(rig, A, 2, 2, 20);
  receive(rig, B, 2 * far, 2 * far - 1, 30); /* a heartbeat that says something else */
  receive(rig, B, 3, 3, 40);
  expect(rig, "1 2 3");
  assert_int_equal(rig->feed.disbelieved, 2);
  receive(rig, A, 2 * far + 1, 2 * far + 1, 50); /* two that agree: the stream went on without us */
  assert_int_equal(rig->feed.disbelieved, 2);
  feed_poll(&rig->feed, 50 + WAIT);
  assert_int_equal(rig->feed.next, 2 * far + 2);
  assert_int_equal(rig->feed.delivered, 4);
  assert_int_equal(rig->feed.delivered + rig->feed.lost, rig->feed.next - FEED_FIRST_MESSAGE);
}

static void who_joins_late_is_told_what_is_missing(void **state)
{
  struct rig *rig = *state;
  receive(rig, A, 5000, 5000, 0);
  receive(rig, B, 5000, 5000, 0);
  expect(rig, "[1-4999 full] 5000"); /* at once: no window could hold what was before */
  receive(rig, A, 5001, 5001, 0);
  expect(rig, "5001");
}

static void other_sessions_and_nonsense_are_counted(void **state)
{
  struct rig *rig = *state;
  uint8_t packet[64];
  receive(rig, A, 1, 1, 0);
  uint32_t bytes = moldudp64_begin(packet, sizeof(packet), "SESSION   ", 2);
  bytes = moldudp64_append(packet, bytes, sizeof(packet), "x", 1);
  feed_receive(&rig->feed, B, packet, bytes, 0);
  assert_int_equal(rig->feed.lines[B].other_session, 1);
  for (uint32_t cut = 0; cut < bytes; cut++)
    feed_receive(&rig->feed, B, packet, cut, 0);
  assert_int_equal(rig->feed.lines[B].malformed[MOLDUDP64_TRUNCATED], MOLDUDP64_HEADER_BYTES);
  assert_int_equal(rig->feed.lines[B].malformed[MOLDUDP64_BAD_COUNT],
                   bytes - MOLDUDP64_HEADER_BYTES);
  memset(packet + 10, 0, 8);
  feed_receive(&rig->feed, B, packet, bytes, 0);
  assert_int_equal(rig->feed.lines[B].malformed[MOLDUDP64_BAD_SEQUENCE], 1);
  assert_int_equal(rig->feed.lines[B].packets, 0);
  expect(rig, "1");
}

static void what_can_not_wait_is_not_taken(void **state)
{
  struct rig *rig = *state;
  uint8_t packet[200], message[FEED_KEPT_BYTES + 1];
  memset(message, 'x', sizeof(message));
  uint32_t bytes = begin(packet, 2);
  bytes = moldudp64_append(packet, bytes, sizeof(packet), message, sizeof(message));
  bytes = moldudp64_append(packet, bytes, sizeof(packet), "3", 1);
  feed_receive(&rig->feed, A, packet, bytes, 0);
  assert_int_equal(rig->feed.too_long, 1);
  receive(rig, B, 1, 1, 10);
  expect(rig, "1");
  feed_receive(&rig->feed, B, packet, bytes, 20); /* in turn, its length does not matter */
  assert_int_equal(rig->feed.delivered, 3);
  assert_int_equal(rig->feed.lost, 0);
}

static void options_have_ranges(void **state)
{
  const struct feed_callbacks callbacks = {on_message, on_lost, NULL};
  struct feed_options options = {.window = 3};
  struct shunt_error error;
  struct feed feed;
  (void)state;
  assert_int_equal(feed_open(&feed, &options, &callbacks, &error), -EINVAL);
  options.window = 2 * FEED_WINDOW_MOST;
  assert_int_equal(feed_open(&feed, &options, &callbacks, &error), -EINVAL);
  options = (struct feed_options){.arbitration_ns = FEED_ARBITRATION_MOST_NS + 1};
  assert_int_equal(feed_open(&feed, &options, &callbacks, &error), -EINVAL);
}

/* Whatever arrives in whatever order: every number is delivered or lost, once and in order; and
 * where each came on either line while there was time, none is lost. */
static void every_number_is_delivered_or_lost(void **state)
{
  struct rig *rig = *state;
  uint64_t random = 42, now_ns = 0;
  for (unsigned round = 0; round < 2000; round++) {
    uint64_t base = rig->feed.next, first = base + random_below(&random, 12);
    first = first > 4 ? first - random_below(&random, 4) : 1;
    receive(rig, (unsigned)random_below(&random, 2), first, first + random_below(&random, 4),
            now_ns);
    now_ns += random_below(&random, 400);
    feed_poll(&rig->feed, now_ns);
    assert_int_equal(rig->feed.delivered + rig->feed.lost, rig->feed.next - FEED_FIRST_MESSAGE);
    assert_true(rig->feed.next <= rig->feed.known);
    assert_true((rig->feed.next == rig->feed.known) == (rig->feed.deadline_ns == FEED_NEVER_NS));
    unsigned long long number = base;
    for (const char *at = rig->said; *at; at += strcspn(at, " "), at += *at == ' ') {
      unsigned long long said = 0, last = 0;
      if (sscanf(at, "[%llu-%llu", &said, &last) == 2) {
        assert_int_equal(said, number);
        number = last + 1;
        at += strcspn(at, " ") + 1; /* the reason */
      } else {
        assert_int_equal(sscanf(at, "%llu", &said), 1);
        assert_int_equal(said, number++);
      }
    }
    assert_int_equal(number, rig->feed.next);
    rig->said[0] = 0;
    rig->length = 0;
  }
  assert_true(rig->feed.lost > 0 && rig->feed.filled > 0 && rig->feed.delivered > 1000);
}

#define WITH_FEED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_FEED(the_first_copy_wins),
      WITH_FEED(one_line_fills_the_others_gap),
      WITH_FEED(a_gap_that_stays_is_lost_when_its_time_is_over),
      WITH_FEED(a_gap_can_be_filled_from_its_middle),
      WITH_FEED(packets_may_be_cut_differently),
      WITH_FEED(a_heartbeat_tells_of_a_loss_at_the_end),
      WITH_FEED(a_session_ends_when_all_before_is_known),
      WITH_FEED(a_full_window_gives_up_what_is_oldest),
      WITH_FEED(only_as_much_is_given_up_as_is_needed),
      WITH_FEED(a_packet_longer_than_the_window_is_taken),
      WITH_FEED(a_leap_needs_a_second_witness),
      WITH_FEED(who_joins_late_is_told_what_is_missing),
      WITH_FEED(other_sessions_and_nonsense_are_counted),
      WITH_FEED(what_can_not_wait_is_not_taken),
      cmocka_unit_test(options_have_ranges),
      WITH_FEED(every_number_is_delivered_or_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
