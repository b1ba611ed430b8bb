/* SPDX-License-Identifier: BSD-2-Clause */
#include "publisher.h"

#include <errno.h>
#include <stdlib.h>

#include <shunt/udp.h>

#define ROUND_PACKETS 16
#define BATCH_MOST    20 /* 20 * (2 + 50) bytes and the headers fit an MTU of 1500 */
#define DAY_NS        UINT64_C(86400000000000)

static_assert(SHUNT_UDP_PAYLOAD_START + MOLDUDP64_HEADER_BYTES +
                      BATCH_MOST * (MOLDUDP64_LENGTH_BYTES + ITCH_MESSAGE_BYTES) <=
                  BAD_LINE_FRAME_BYTES,
              "a packet fits a frame");

static void send_on(void *context, const void *frame, uint32_t bytes)
{
  const struct publisher *publisher = ((struct publisher_feed *)context)->publisher;
  publisher->port.send(publisher->port.context, frame, bytes);
}

static int open_feed(struct publisher *publisher, unsigned index, const struct endpoints *endpoints,
                     struct shunt_error *error)
{
  const struct publisher_options *options = &publisher->options;
  struct publisher_feed *feed = &publisher->feeds[index];
  uint64_t seed = random_stream(options->seed, index);
  feed->publisher = publisher;
  feed->endpoints = *endpoints;
  feed->sequence = FEED_FIRST_MESSAGE;
  feed->random = random_stream(seed, 1);
  moldudp64_session(feed->session, endpoints->name);
  for (unsigned i = 0; i < FEED_LINES; i++)
    bad_line_init(&feed->lines[i], &options->lines[i], random_stream(seed, 10 + i), send_on, feed);
  int code = reference_open(&feed->reference, error);
  return code ? code
              : traffic_open(&feed->traffic, random_stream(seed, 2), options->messages,
                             options->stocks, options->resting, error);
}

int publisher_open(struct publisher *publisher, const struct endpoints endpoints[], unsigned count,
                   const struct publisher_options *options, const struct publisher_port *port,
                   struct shunt_error *error)
{
  *publisher = (struct publisher){.options = *options, .port = *port};
  if (count == 0 || count > ENDPOINTS_FEEDS)
    return shunt_error_set(error, -EINVAL, "%u feeds: 1..%u", count, ENDPOINTS_FEEDS);
  if (options->batch == 0 || options->batch > BATCH_MOST)
    return shunt_error_set(error, -EINVAL, "%u messages in a packet: 1..%u", options->batch,
                           BATCH_MOST);
  publisher->feeds = calloc(count, sizeof(publisher->feeds[0]));
  if (!publisher->feeds)
    return shunt_error_set(error, -ENOMEM, "no memory for %u feeds", count);
  publisher->feed_count = count;
  int code = 0;
  for (unsigned i = 0; i < count && !code; i++)
    code = open_feed(publisher, i, &endpoints[i], error);
  return code;
}

void publisher_close(struct publisher *publisher)
{
  for (unsigned i = 0; i < publisher->feed_count; i++) {
    traffic_close(&publisher->feeds[i].traffic);
    reference_close(&publisher->feeds[i].reference);
  }
  free(publisher->feeds);
  *publisher = (struct publisher){.feed_count = 0};
}

void publisher_start(struct publisher *publisher, uint64_t now_ns)
{
  publisher->start_ns = now_ns;
  for (unsigned i = 0; i < publisher->feed_count; i++)
    publisher->feeds[i].due_ns = now_ns;
}

/* ---- Packets ---- */

/* Build the headers in front of a packet, which stands at its place in frame, and send it on a
 * line. */
static void send_packet(struct publisher_feed *feed, unsigned line, uint8_t *frame, uint32_t bytes)
{
  const struct publisher_options *options = &feed->publisher->options;
  const struct endpoint *to = &feed->endpoints.lines[line];
  const struct shunt_ipv4_ends ends = {.source_mac = options->mac,
                                       .destination_mac = shunt_ipv4_multicast_mac(to->group),
                                       .source = options->address,
                                       .destination = to->group};
  bad_line_send(
      &feed->lines[line], frame,
      shunt_udp_frame_build(frame, BAD_LINE_FRAME_BYTES, &ends, to->port, to->port, NULL, bytes));
}

/* Send a packet on the lines that don't lose it. Returns false where both did. */
static bool send_on_both(struct publisher_feed *feed, uint8_t *frame, uint32_t bytes, bool complete)
{
  bool sent = false;
  for (unsigned i = 0; i < FEED_LINES; i++) {
    bool loses = bad_line_loses(&feed->lines[i]);
    if (loses && !(complete && i + 1 == FEED_LINES && !sent)) {
      bad_line_lose(&feed->lines[i]);
      continue;
    }
    send_packet(feed, i, frame, bytes);
    sent = true;
  }
  return sent;
}

/* A packet of the day's next events. */
static int send_messages(struct publisher_feed *feed)
{
  const struct publisher_options *options = &feed->publisher->options;
  struct event events[BATCH_MOST];
  uint8_t frame[BAD_LINE_FRAME_BYTES], *packet = frame + SHUNT_UDP_PAYLOAD_START;
  const uint32_t capacity = sizeof(frame) - SHUNT_UDP_PAYLOAD_START;
  uint64_t time_ns = (options->day_ns + feed->due_ns - feed->publisher->start_ns) % DAY_NS;
  unsigned wanted = 1 + (unsigned)random_below(&feed->random, options->batch), n = 0;
  uint32_t bytes = moldudp64_begin(packet, capacity, feed->session, feed->sequence);
  for (; n < wanted && traffic_next(&feed->traffic, &events[n]); n++) {
    uint8_t message[ITCH_MESSAGE_BYTES];
    uint32_t message_bytes = event_encode(&events[n], time_ns, message);
    bytes = moldudp64_append(packet, bytes, capacity, message, message_bytes);
  }
  if (n == 0) {
    feed->day_is_over = true;
    for (unsigned i = 0; i < FEED_LINES; i++)
      bad_line_flush(&feed->lines[i]);
    return 0;
  }
  bool sent = send_on_both(feed, frame, bytes, options->complete);
  feed->sequence += n;
  feed->packets++;
  feed->lost_on_both += !sent;
  for (unsigned i = 0; i < n; i++)
    if (reference_apply(&feed->reference, &events[i], !sent))
      return -ENOMEM;
  return 0;
}

/* A heartbeat, and then the end of the session again and again. */
static void send_end(struct publisher_feed *feed)
{
  uint8_t frame[BAD_LINE_FRAME_BYTES], *packet = frame + SHUNT_UDP_PAYLOAD_START;
  uint32_t bytes = moldudp64_begin(packet, MOLDUDP64_HEADER_BYTES, feed->session, feed->sequence);
  if (feed->ends++)
    moldudp64_end(packet);
  send_on_both(feed, frame, bytes, false);
  for (unsigned i = 0; i < FEED_LINES && feed->ends == PUBLISHER_ENDS; i++)
    bad_line_flush(&feed->lines[i]);
}

/* ---- Rounds ---- */

static bool feed_has_ended(const struct publisher_feed *feed)
{
  return feed->ends == PUBLISHER_ENDS;
}

static int send_next(struct publisher_feed *feed, uint64_t now_ns)
{
  struct publisher *publisher = feed->publisher;
  double rate = publisher->options.rate_pps;
  if (feed->day_is_over) {
    send_end(feed);
    feed->due_ns = now_ns + PUBLISHER_ENDS_GAP_NS;
    return 0;
  }
  if (rate > 0 && now_ns - feed->due_ns > publisher->late_ns)
    publisher->late_ns = now_ns - feed->due_ns;
  int code = send_messages(feed);
  feed->due_ns =
      rate > 0 ? publisher->start_ns + (uint64_t)((double)feed->packets * 1e9 / rate) : now_ns;
  return code;
}

int publisher_round(struct publisher *publisher, uint64_t now_ns)
{
  int packets = 0;
  for (unsigned i = 0; i < publisher->feed_count; i++) {
    struct publisher_feed *feed = &publisher->feeds[i];
    for (unsigned n = 0; n < ROUND_PACKETS; n++, packets++) {
      if (feed_has_ended(feed) || feed->due_ns > now_ns ||
          !publisher->port.room(publisher->port.context, PUBLISHER_FRAMES))
        break;
      if (send_next(feed, now_ns))
        return -ENOMEM;
    }
  }
  return packets;
}

bool publisher_is_done(const struct publisher *publisher)
{
  for (unsigned i = 0; i < publisher->feed_count; i++)
    if (!feed_has_ended(&publisher->feeds[i]))
      return false;
  return true;
}

int publisher_write(const struct publisher *publisher, FILE *file)
{
  int code = 0;
  for (unsigned i = 0; i < publisher->feed_count && !code; i++)
    code =
        reference_write(&publisher->feeds[i].reference, publisher->feeds[i].endpoints.name, file);
  return code;
}
