/* SPDX-License-Identifier: BSD-2-Clause */
#include "market.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <shunt/igmp.h>

/* ---- Messages and losses, as the feeds tell of them ---- */

static void on_message(void *context, const uint8_t *message, uint32_t bytes, uint64_t arrived_ns,
                       bool waited)
{
  struct market_feed *feed = context;
  struct market *market = feed->market;
  itch_apply(&feed->itch, message, bytes);
  uint64_t now_ns = shunt_clock_now_ns(market->clock);
  shunt_histogram_record(waited ? market->waited : market->in_turn,
                         now_ns > arrived_ns ? now_ns - arrived_ns : 0);
}

static void on_lost(void *context, uint64_t first, uint64_t last, enum feed_loss why)
{
  struct market_feed *feed = context;
  unsigned n = feed->loss_count;
  (void)why;
  if (n && feed->losses[n - 1].last + 1 == first)
    feed->losses[n - 1].last = last;
  else if (n < MARKET_LOSSES)
    feed->losses[feed->loss_count++] = (struct market_loss){first, last};
}

/* ---- Setting up ---- */

static uint64_t line_key(uint32_t group, uint16_t port)
{
  return (uint64_t)group << 16 | port;
}

/* The slot of a line, or the free one where it belongs: at most half of them are taken. */
static struct market_line *line_slot(struct market *market, uint64_t key)
{
  unsigned slot = (unsigned)(key ^ key >> 16) & (MARKET_LINE_SLOTS - 1);
  while (market->lines[slot].key && market->lines[slot].key != key)
    slot = (slot + 1) & (MARKET_LINE_SLOTS - 1);
  return &market->lines[slot];
}

static int open_feed(struct market *market, struct market_feed *feed,
                     const struct endpoints *endpoints, const struct market_options *options,
                     struct shunt_error *error)
{
  const struct feed_callbacks callbacks = {on_message, on_lost, feed};
  feed->market = market;
  feed->endpoints = *endpoints;
  int code = feed_open(&feed->feed, &options->feed, &callbacks, error);
  if (!code)
    code = books_create(options->orders, &feed->itch.books, error);
  for (unsigned i = 0; i < FEED_LINES && !code; i++) {
    const struct endpoint *line = &endpoints->lines[i];
    uint64_t key = line_key(line->group, line->port);
    struct market_line *slot = line_slot(market, key);
    if (slot->key)
      return shunt_error_set(error, -EINVAL, "feed %s: another feed has one of its lines",
                             endpoints->name);
    *slot = (struct market_line){key, &feed->feed, i};
    if (igmp_host_join(&market->igmp, line->group, shunt_clock_now_ns(market->clock)))
      return shunt_error_set(error, -EINVAL, "feed %s: a group that can't be joined",
                             endpoints->name);
  }
  return code;
}

int market_open(struct market *market, const struct endpoints endpoints[], unsigned count,
                const struct market_options *options, struct shunt_error *error)
{
  *market = (struct market){.clock = options->clock};
  igmp_host_init(&market->igmp, options->mac, options->address, options->seed);
  if (count == 0 || count > ENDPOINTS_FEEDS)
    return shunt_error_set(error, -EINVAL, "%u feeds: 1..%u", count, ENDPOINTS_FEEDS);
  market->feeds = calloc(count, sizeof(market->feeds[0]));
  if (!market->feeds)
    return shunt_error_set(error, -ENOMEM, "no memory for %u feeds", count);
  market->feed_count = count;
  int code = shunt_histogram_create(NULL, &market->in_turn, error);
  if (!code)
    code = shunt_histogram_create(NULL, &market->waited, error);
  for (unsigned i = 0; i < count && !code; i++)
    code = open_feed(market, &market->feeds[i], &endpoints[i], options, error);
  return code;
}

void market_close(struct market *market)
{
  for (unsigned i = 0; i < market->feed_count; i++) {
    feed_close(&market->feeds[i].feed);
    books_destroy(market->feeds[i].itch.books);
  }
  free(market->feeds);
  shunt_histogram_destroy(market->in_turn);
  shunt_histogram_destroy(market->waited);
  *market = (struct market){.feed_count = 0};
}

/* ---- Frames ---- */

static void take_datagram(struct market *market, const uint8_t *frame,
                          const struct shunt_parsed *parsed, uint64_t now_ns)
{
  const struct market_line *line =
      line_slot(market, line_key(parsed->destination, parsed->destination_port));
  if (!line->key) {
    market->other++;
    return;
  }
  market->ours++;
  feed_receive(line->feed, line->line, frame + parsed->payload_offset, parsed->payload_bytes,
               now_ns);
}

static void take_igmp(struct market *market, const uint8_t *frame,
                      const struct shunt_parsed *parsed, uint64_t now_ns)
{
  struct shunt_igmp_query query;
  enum shunt_parse_cause cause =
      shunt_igmp_query_read(frame + parsed->l4_offset, parsed->l4_bytes, &query);
  if (cause == SHUNT_CAUSE_IGMP_NOT_A_QUERY) { /* another host's report */
    market->other++;
  } else if (cause) {
    market->dropped[cause]++;
  } else {
    market->queries++;
    igmp_host_query(&market->igmp, &query, now_ns);
  }
}

void market_frame(struct market *market, const void *frame, uint32_t bytes, uint32_t flags,
                  uint64_t now_ns)
{
  const uint32_t bad =
      SHUNT_FRAME_MORE | SHUNT_FRAME_DAMAGED | SHUNT_FRAME_IP_BAD | SHUNT_FRAME_L4_BAD;
  uint32_t verify = (flags & SHUNT_FRAME_IP_CHECKED ? 0 : SHUNT_PARSE_VERIFY_IPV4) |
                    (flags & SHUNT_FRAME_L4_CHECKED ? 0 : SHUNT_PARSE_VERIFY_L4);
  struct shunt_parsed parsed;
  if (SHUNT_UNLIKELY(flags & bad)) {
    market->damaged++;
    return;
  }
  enum shunt_parse_cause cause = shunt_parse(frame, bytes, verify, &parsed);
  if (!cause && parsed.flags & SHUNT_PARSED_FRAGMENT)
    cause = SHUNT_CAUSE_IPV4_FRAGMENT;
  if (SHUNT_UNLIKELY(cause))
    market->dropped[cause]++;
  else if (SHUNT_LIKELY(parsed.protocol == SHUNT_IPV4_PROTOCOL_UDP))
    take_datagram(market, frame, &parsed, now_ns);
  else if (parsed.protocol == SHUNT_IPV4_PROTOCOL_IGMP)
    take_igmp(market, frame, &parsed, now_ns);
  else
    market->other++;
}

void market_poll(struct market *market, uint64_t now_ns)
{
  for (unsigned i = 0; i < market->feed_count; i++)
    feed_poll(&market->feeds[i].feed, now_ns);
}

/* ---- Results ---- */

bool market_is_done(const struct market *market)
{
  for (unsigned i = 0; i < market->feed_count; i++)
    if (!feed_is_done(&market->feeds[i].feed))
      return false;
  return true;
}

uint64_t market_lost(const struct market *market)
{
  uint64_t lost = 0;
  for (unsigned i = 0; i < market->feed_count; i++)
    lost += market->feeds[i].feed.lost;
  return lost;
}

void market_write(const struct market *market, FILE *file)
{
  for (unsigned i = 0; i < market->feed_count; i++) {
    const struct market_feed *feed = &market->feeds[i];
    fprintf(file, "feed %s %" PRIu64 " messages %" PRIu64 " lost\n", feed->endpoints.name,
            feed->feed.next - FEED_FIRST_MESSAGE, feed->feed.lost);
    for (unsigned j = 0; j < feed->loss_count; j++)
      fprintf(file, "lost %" PRIu64 "-%" PRIu64 "\n", feed->losses[j].first, feed->losses[j].last);
    books_write(feed->itch.books, file);
  }
}
