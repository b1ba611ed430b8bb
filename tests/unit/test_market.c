/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole of the market-data example but its ports: a generator's frames go straight to a
 * receiver, in virtual time, and their books are compared. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "market_data/market.h"
#include "market_data/publisher.h"
#include "shunt/checksum.h"
#include "shunt/udp.h"

#define MESSAGES 20000
#define STEP_NS  UINT64_C(100000)
#define WAIT_NS  UINT64_C(20000000) /* longer than a frame is held back at the rate below */
#define MINUTE   UINT64_C(60000000000)

static const struct shunt_mac mac = {{2, 0, 0, 0, 0, 1}};

struct rig {
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  struct endpoints feeds[2];
  struct market market;
  struct publisher publisher;
  uint64_t frames;
};

static bool room(void *context, unsigned frames)
{
  (void)context;
  (void)frames;
  return true;
}

static void send(void *context, const void *frame, uint32_t bytes)
{
  struct rig *rig = context;
  rig->frames++;
  market_frame(&rig->market, frame, bytes, 0, shunt_clock_now_ns(&rig->clock));
}

static void open_receiver(struct rig *rig)
{
  static const char *const usual[] = ENDPOINTS_USUAL;
  struct market_options options = {
      .feed = {.arbitration_ns = WAIT_NS}, .orders = 50000, .mac = mac, .address = 0x0a523b01};
  unsigned count = 0;
  shunt_virtual_clock_init(&rig->time, 1);
  rig->clock = shunt_virtual_clock_view(&rig->time);
  options.clock = &rig->clock;
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal(endpoints_append(rig->feeds, &count, usual[i], NULL), 0);
  assert_int_equal(market_open(&rig->market, rig->feeds, 2, &options, NULL), 0);
}

static void open_generator(struct rig *rig, struct publisher_options options)
{
  const struct publisher_port port = {room, send, rig};
  options.messages = MESSAGES;
  options.stocks = 20;
  options.resting = 5000;
  options.batch = 8;
  options.rate_pps = 5000;
  options.mac = mac;
  options.address = 0x0a523b02;
  assert_int_equal(publisher_open(&rig->publisher, rig->feeds, 2, &options, &port, NULL), 0);
}

static int set_up(void **state)
{
  struct rig *rig = calloc(1, sizeof(*rig));
  *state = rig;
  if (rig)
    open_receiver(rig);
  return rig ? 0 : -1;
}

static int tear_down(void **state)
{
  struct rig *rig = *state;
  publisher_close(&rig->publisher);
  market_close(&rig->market);
  free(rig);
  return 0;
}

static void run(struct rig *rig)
{
  publisher_start(&rig->publisher, rig->time.now_ns);
  while (!(publisher_is_done(&rig->publisher) && market_is_done(&rig->market))) {
    assert_true(rig->time.now_ns < MINUTE);
    shunt_virtual_clock_advance(&rig->time, STEP_NS);
    assert_true(publisher_round(&rig->publisher, rig->time.now_ns) >= 0);
    market_poll(&rig->market, rig->time.now_ns);
  }
}

/* Both say the same of what there was, what was lost, and what rests. Returns it; to be freed. */
static char *assert_equal_books(const struct rig *rig)
{
  char *books = NULL, *truth = NULL;
  size_t books_bytes, truth_bytes;
  FILE *file = open_memstream(&books, &books_bytes);
  assert_non_null(file);
  market_write(&rig->market, file);
  fclose(file);
  file = open_memstream(&truth, &truth_bytes);
  assert_non_null(file);
  assert_int_equal(publisher_write(&rig->publisher, file), 0);
  fclose(file);
  assert_string_equal(books, truth);
  free(truth);
  return books;
}

static void two_perfect_lines_give_equal_books(void **state)
{
  struct rig *rig = *state;
  open_generator(rig, (struct publisher_options){.seed = 1});
  run(rig);
  char *books = assert_equal_books(rig);
  assert_true(strstr(books, "feed alpha 20000 messages 0 lost\nbook 1 BAAA\n  buy ") == books);
  free(books);
  assert_int_equal(rig->market.ours, rig->frames);
  for (unsigned i = 0; i < 2; i++) {
    const struct market_feed *feed = &rig->market.feeds[i];
    assert_int_equal(feed->feed.lines[0].first, MESSAGES);
    assert_int_equal(feed->feed.lines[1].duplicates, MESSAGES);
    assert_int_equal(feed->feed.filled, 0);
    assert_int_equal(feed->itch.results[BOOK_UNKNOWN_ORDER], 0);
    assert_int_equal(feed->itch.types['R'], 20);
    assert_int_equal(feed->itch.types['S'], 6);
    assert_true(feed->itch.types['P'] > 0 && feed->itch.types['H'] > 0);
  }
  assert_int_equal(rig->market.in_turn->total, 2 * MESSAGES);
}

static void what_one_line_loses_the_other_brings(void **state)
{
  struct rig *rig = *state;
  const struct impairments bad = {.loss = 0.05, .duplicate = 0.05, .reorder = 0.05};
  open_generator(rig, (struct publisher_options){.lines = {bad, bad}, .complete = true, .seed = 2});
  run(rig);
  free(assert_equal_books(rig));
  assert_int_equal(market_lost(&rig->market), 0);
  assert_int_equal(rig->market.waited->total + rig->market.in_turn->total, 2 * MESSAGES);
  assert_true(rig->market.waited->total > 0);
  for (unsigned i = 0; i < 2; i++) {
    const struct feed *feed = &rig->market.feeds[i].feed;
    const struct publisher_feed *sent = &rig->publisher.feeds[i];
    assert_int_equal(feed->delivered, MESSAGES);
    assert_true(feed->filled > 0);
    assert_int_equal(feed->lines[0].first + feed->lines[1].first, MESSAGES);
    for (unsigned j = 0; j < FEED_LINES; j++) {
      assert_int_equal(feed->lines[j].packets, sent->lines[j].sent);
      assert_true(sent->lines[j].lost > 0 && sent->lines[j].duplicated > 0 &&
                  sent->lines[j].reordered > 0);
    }
  }
}

static void what_both_lose_is_told_to_the_message(void **state)
{
  struct rig *rig = *state;
  const struct impairments bad = {.loss = 0.1, .duplicate = 0.02, .reorder = 0.05};
  open_generator(rig, (struct publisher_options){.lines = {bad, bad}, .seed = 3});
  run(rig);
  free(assert_equal_books(rig));
  for (unsigned i = 0; i < 2; i++) {
    const struct market_feed *feed = &rig->market.feeds[i];
    const struct reference *truth = &rig->publisher.feeds[i].reference;
    assert_true(feed->feed.lost > 20);
    assert_int_equal(feed->feed.lost, truth->lost);
    assert_int_equal(feed->loss_count, truth->loss_count);
    assert_int_equal(feed->feed.delivered + feed->feed.lost, MESSAGES);
    assert_true(feed->itch.results[BOOK_UNKNOWN_ORDER] > 0);
    assert_int_equal(feed->itch.results[BOOK_TOO_MANY_SHARES], 0);
  }
}

static void one_line_may_be_dead(void **state)
{
  struct rig *rig = *state;
  open_generator(rig, (struct publisher_options){.lines = {{.loss = 1}, {.loss = 0}}, .seed = 4});
  run(rig);
  free(assert_equal_books(rig));
  assert_int_equal(market_lost(&rig->market), 0);
  assert_int_equal(rig->market.feeds[0].feed.lines[0].packets, 0);
}

static void a_seed_is_a_day(void **state)
{
  struct rig *rig = *state;
  char *books[2];
  const struct impairments bad = {.loss = 0.1, .duplicate = 0.1, .reorder = 0.1};
  for (unsigned i = 0; i < 2; i++) {
    open_generator(rig, (struct publisher_options){.lines = {bad, bad}, .seed = 5});
    run(rig);
    books[i] = assert_equal_books(rig);
    market_close(&rig->market);
    publisher_close(&rig->publisher);
    open_receiver(rig);
  }
  assert_string_equal(books[0], books[1]);
  free(books[0]);
  free(books[1]);
}

/* ---- Frames that are no market data ---- */

/* A datagram to line A of feed alpha, with a heartbeat. Returns its length. */
static uint32_t heartbeat(uint8_t frame[128], uint32_t group, uint16_t port)
{
  const struct shunt_ipv4_ends ends = {mac, shunt_ipv4_multicast_mac(group), 0x0a523b02, group};
  uint8_t packet[MOLDUDP64_HEADER_BYTES];
  moldudp64_begin(packet, sizeof(packet), "alpha     ", 1);
  return shunt_udp_frame_build(frame, 128, &ends, port, port, packet, sizeof(packet));
}

static void every_frame_is_counted_once(void **state)
{
  struct rig *rig = *state;
  struct market *market = &rig->market;
  const struct endpoint *line = &rig->feeds[0].lines[0];
  uint8_t frame[128];
  uint32_t bytes = heartbeat(frame, line->group, line->port);
  for (uint32_t cut = 0; cut < bytes; cut++)
    market_frame(market, frame, cut, 0, 1);
  uint64_t dropped = 0;
  for (unsigned i = 0; i < SHUNT_CAUSE_COUNT; i++)
    dropped += market->dropped[i];
  assert_int_equal(dropped, bytes);

  market_frame(market, frame, bytes, 0, 1);
  assert_int_equal(market->ours, 1);
  assert_int_equal(market->feeds[0].feed.lines[0].heartbeats, 1);
  market_frame(market, frame, bytes, SHUNT_FRAME_L4_CHECKED | SHUNT_FRAME_L4_BAD, 1);
  assert_int_equal(market->damaged, 1);
  frame[bytes - 1] ^= 1;
  market_frame(market, frame, bytes, 0, 1);
  assert_int_equal(market->dropped[SHUNT_CAUSE_UDP_BAD_CHECKSUM], 1);
  market_frame(market, frame, bytes, SHUNT_FRAME_L4_CHECKED, 1); /* the NIC says that it is right */
  assert_int_equal(market->ours, 2);

  bytes = heartbeat(frame, line->group, line->port + 1);
  market_frame(market, frame, bytes, 0, 1);
  bytes = heartbeat(frame, line->group + 7, line->port);
  market_frame(market, frame, bytes, 0, 1);
  assert_int_equal(market->other, 2);
}

static void a_query_is_passed_on(void **state)
{
  struct rig *rig = *state;
  uint8_t frame[128], report[IGMP_HOST_FRAME_BYTES];
  while (rig->market.igmp.due_ns != IGMP_HOST_NEVER_NS)
    igmp_host_frame(&rig->market.igmp, report, rig->market.igmp.due_ns);
  /* Version 2 has the form of a report, with another type and no group. */
  uint32_t bytes = shunt_igmp_v2_join_build(frame, sizeof(frame), mac, 1, SHUNT_IGMP_ALL_ROUTERS);
  market_frame(&rig->market, frame, bytes, 0, 1);
  assert_int_equal(rig->market.other, 1); /* someone else's report */
  struct shunt_igmp_message *message = (struct shunt_igmp_message *)(frame + 38);
  memset(message, 0, sizeof(*message));
  message->type = SHUNT_IGMP_QUERY;
  message->max_response = 10;
  shunt_store_be16(message->checksum, shunt_checksum(message, sizeof(*message)));
  market_frame(&rig->market, frame, bytes, 0, 1);
  assert_int_equal(rig->market.queries, 1);
  assert_int_not_equal(rig->market.igmp.due_ns, IGMP_HOST_NEVER_NS);
}

static void endpoints_have_a_form(void **state)
{
  static const char *const wrong[] = {
      "",
      "a",
      "a=",
      "a=239.1.1.1:1",
      "=239.1.1.1:1,239.1.1.2:1",
      "toolongname=239.1.1.1:1,239.1.1.2:1",
      "a-b=239.1.1.1:1,239.1.1.2:1",
      "a=239.1.1.1:0,239.1.1.2:1",
      "a=239.1.1.1:65536,239.1.1.2:1",
      "a=239.1.1.1: 1,239.1.1.2:1",
      "a=239.1.1.1:1,10.1.1.2:1",
      "a=239.1.1.1:1,239.1.1.2:1x",
      "a=239.1.1.1:1,239.1.1.2:1,239.1.1.3:1",
      "a=239.1.1.1:1,239.1.1.1:1",
      "alpha=239.1.1.1:1,239.1.1.2:1",
      "a=239.1.1.1:1,239.192.1.1:26400",
  };
  struct rig *rig = *state;
  struct endpoints list[ENDPOINTS_FEEDS] = {rig->feeds[0]};
  unsigned count = 1;
  struct shunt_error error;
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
    assert_true(endpoints_append(list, &count, wrong[i], &error) < 0);
  assert_int_equal(count, 1);
  while (count < ENDPOINTS_FEEDS) {
    char text[64];
    snprintf(text, sizeof(text), "f%u=239.1.1.%u:1,239.1.2.%u:1", count, count, count);
    assert_int_equal(endpoints_append(list, &count, text, &error), 0);
  }
  assert_int_equal(endpoints_append(list, &count, "z=239.9.1.1:1,239.9.2.1:1", &error), -ENOSPC);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_RIG(two_perfect_lines_give_equal_books),
      WITH_RIG(what_one_line_loses_the_other_brings),
      WITH_RIG(what_both_lose_is_told_to_the_message),
      WITH_RIG(one_line_may_be_dead),
      WITH_RIG(a_seed_is_a_day),
      WITH_RIG(every_frame_is_counted_once),
      WITH_RIG(a_query_is_passed_on),
      WITH_RIG(endpoints_have_a_form),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
