/* SPDX-License-Identifier: BSD-2-Clause */
/* The market-data example on any bytes: frames, packets, messages.
 *
 * The first byte of an input says how the rest is to be read: bit 0, each record is a whole frame;
 * else it is a packet of feed alpha, which is given its session, and by bit 1 line B. A record is a
 * length of two bytes, big-endian, and as many bytes as there are of it. Time passes between them:
 * as many microseconds as the record's first byte says.
 *
 * Whatever arrives, the books must balance: every number is delivered or lost, every message is
 * counted once, every order is on a level. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "market_data/market.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
  if (!condition)
    abort();
}

static void check_side(const struct books *books, uint16_t locate, enum book_side side,
                       uint64_t *orders)
{
  const struct book_level *level = book_best(books, locate, side), *worse;
  for (; level; level = worse) {
    require(level->orders > 0 && level->shares >= level->orders);
    *orders += level->orders;
    worse = book_worse(books, level);
    require(!worse || (side == BOOK_BUY ? worse->price < level->price : //
                           worse->price > level->price));
  }
}

static void check_feed(const struct market_feed *market_feed)
{
  const struct feed *feed = &market_feed->feed;
  const struct itch *itch = &market_feed->itch;
  uint64_t applied = itch->unknown_type + itch->bad_length, results = itch->bad_side, orders = 0;
  for (unsigned i = 0; i < 256; i++)
    applied += itch->types[i];
  for (unsigned i = 0; i < BOOK_RESULTS; i++)
    results += itch->results[i];
  for (const char *type = "AFECXDU"; *type; type++)
    results -= itch->types[(uint8_t)*type];
  require(results == 0);
  require(applied == feed->delivered);
  require(feed->delivered + feed->lost == feed->next - FEED_FIRST_MESSAGE);
  require(feed->next <= feed->known);
  require((feed->next == feed->known) == (feed->deadline_ns == FEED_NEVER_NS));
  for (unsigned locate = 0; locate < 65536; locate++)
    for (unsigned side = 0; side < BOOK_SIDES; side++)
      check_side(itch->books, (uint16_t)locate, side, &orders);
  require(orders == books_orders(itch->books));
}

/* One record, in memory of its own length. */
static void take(struct market *market, uint8_t how, const uint8_t *bytes, uint32_t length,
                 uint64_t now_ns)
{
  uint8_t *exact = malloc(length ? length : 1);
  require(exact != NULL);
  memcpy(exact, bytes, length);
  if (how & 1) {
    market_frame(market, exact, length,
                 how & 4 ? SHUNT_FRAME_IP_CHECKED | SHUNT_FRAME_L4_CHECKED : 0, now_ns);
  } else {
    if (length >= MOLDUDP64_SESSION_BYTES)
      moldudp64_session((char *)exact, "alpha");
    feed_receive(&market->feeds[0].feed, how >> 1 & 1, exact, length, now_ns);
  }
  market_poll(market, now_ns);
  free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const usual[] = ENDPOINTS_USUAL;
  struct shunt_virtual_clock time;
  struct endpoints feed;
  struct market market;
  if (size < 1)
    return 0;
  shunt_virtual_clock_init(&time, 1);
  const struct shunt_clock clock = shunt_virtual_clock_view(&time);
  const struct market_options options = {
      .feed = {.arbitration_ns = 100000, .window = 64}, .orders = 64, .clock = &clock};
  require(endpoints_parse(usual[0], &feed, NULL) == 0);
  require(market_open(&market, &feed, 1, &options, NULL) == 0);
  uint8_t how = data[0];
  for (size_t at = 1; at + 2 <= size;) {
    size_t length = shunt_load_be16(data + at), left = size - at - 2;
    length = length < left ? length : left;
    at += 2;
    shunt_virtual_clock_advance(&time, length ? data[at] * 1000u : 0);
    take(&market, how, data + at, (uint32_t)length, time.now_ns);
    at += length;
    how ^= 2; /* the lines in turn */
  }
  shunt_virtual_clock_advance(&time, 1000000000);
  market_poll(&market, time.now_ns);
  check_feed(&market.feeds[0]);
  require(market.feeds[0].feed.next == market.feeds[0].feed.known);
  market_close(&market);
  return 0;
}
