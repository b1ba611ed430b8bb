/* SPDX-License-Identifier: BSD-2-Clause */
#include "receiver.h"

#include <errno.h>
#include <string.h>

#include "report.h"

static int join_by_kernel(struct receiver *receiver, const struct endpoints endpoints[],
                          unsigned count, struct shunt_error *error)
{
  igmp_host_answer_only(&receiver->market.igmp);
  int code = shunt_multicast_open(receiver->station.info.name, &receiver->multicast, error);
  for (unsigned i = 0; !code && i < count; i++)
    for (unsigned j = 0; !code && j < FEED_LINES; j++) {
      char group[SHUNT_IPV4_TEXT_BYTES];
      shunt_ipv4_format(endpoints[i].lines[j].group, group);
      code = shunt_multicast_join(receiver->multicast, group, NULL, error);
      code = code == -EADDRINUSE ? 0 : code; /* another line has the same group */
    }
  return code;
}

static int join_groups(struct receiver *receiver, const struct endpoints endpoints[],
                       unsigned count, struct shunt_error *error)
{
  if (strcmp(receiver->station.info.driver, "xdp") == 0)
    return join_by_kernel(receiver, endpoints, count, error);
  for (unsigned i = 0; i < count; i++)
    for (unsigned j = 0; j < FEED_LINES; j++) {
      struct shunt_mac mac = shunt_ipv4_multicast_mac(endpoints[i].lines[j].group);
      int code = shunt_port_multicast_add(receiver->station.port, &mac, error);
      if (code)
        return code;
    }
  struct shunt_mac all_systems = shunt_ipv4_multicast_mac(SHUNT_IGMP_ALL_SYSTEMS);
  return shunt_port_multicast_add(receiver->station.port, &all_systems, error); /* for queries */
}

int receiver_open(struct receiver *receiver, const char *name, struct shunt_testbed *testbed,
                  const struct endpoints endpoints[], unsigned count, struct market_options options,
                  struct shunt_error *error)
{
  *receiver = (struct receiver){.market = {.feed_count = 0}};
  int code = station_open(&receiver->station, name, testbed, error);
  if (code)
    return code;
  options.mac = receiver->station.info.mac;
  code = market_open(&receiver->market, endpoints, count, &options, error);
  return code ? code : join_groups(receiver, endpoints, count, error);
}

void receiver_close(struct receiver *receiver)
{
  shunt_multicast_close(receiver->multicast);
  receiver->multicast = NULL;
  market_close(&receiver->market);
  station_close(&receiver->station);
}

/* Reports that are due go out; whether there are any costs one comparison. */
static unsigned send_reports(struct receiver *receiver, uint64_t now_ns)
{
  uint8_t frame[IGMP_HOST_FRAME_BYTES];
  unsigned sent = 0;
  if (SHUNT_LIKELY(now_ns < receiver->market.igmp.due_ns))
    return 0;
  for (uint32_t bytes; (bytes = igmp_host_frame(&receiver->market.igmp, frame, now_ns)) != 0;
       sent++)
    station_send(&receiver->station, frame, bytes);
  station_push(&receiver->station);
  station_reclaim(&receiver->station);
  return sent;
}

unsigned receiver_round(struct receiver *receiver)
{
  struct shunt_queue *q = receiver->station.q;
  struct shunt_frame frames[STATION_BURST];
  shunt_buf bufs[STATION_BURST];
  unsigned n = shunt_rx_poll(q, frames, STATION_BURST);
  uint64_t now_ns = shunt_clock_now_ns(receiver->market.clock);
  for (unsigned i = 0; i < n; i++) {
    market_frame(&receiver->market, shunt_frame_data(q, &frames[i]), frames[i].len, frames[i].flags,
                 now_ns);
    bufs[i] = frames[i].addr;
  }
  if (n)
    shunt_rx_post(q, bufs, n);
  market_poll(&receiver->market, now_ns);
  return n + send_reports(receiver, now_ns);
}

void receiver_leave(struct receiver *receiver)
{
  uint64_t now_ns = shunt_clock_now_ns(receiver->market.clock);
  if (receiver->multicast)
    return; /* the kernel does, once it is closed */
  igmp_host_leave(&receiver->market.igmp, now_ns);
  send_reports(receiver, now_ns);
}

/* ---- The report ---- */

static void report_line(const struct feed_line *l, const char *of, FILE *file)
{
  report_count(file, of, "packets", l->packets);
  report_count(file, of, "messages first", l->first);
  report_count(file, of, "messages twice", l->duplicates);
  report_count(file, of, "gaps", l->gaps);
  for (unsigned cause = MOLDUDP64_SOUND + 1; cause < MOLDUDP64_CAUSES; cause++)
    report_finding(file, of, moldudp64_cause_name(cause), l->malformed[cause]);
  report_finding(file, of, "of another session", l->other_session);
}

static void report_feed(const struct market_feed *market_feed, FILE *file)
{
  const struct feed *feed = &market_feed->feed;
  const struct itch *itch = &market_feed->itch;
  const char *name = market_feed->endpoints.name;
  char of[sizeof(market_feed->endpoints.name) + 2];
  report_count(file, name, "delivered", feed->delivered);
  report_count(file, name, "filled", feed->filled);
  report_count(file, name, "lost", feed->lost);
  report_count(file, name, "gaps lost", feed->losses);
  report_finding(file, name, "too long to wait", feed->too_long);
  report_finding(file, name, "not believed", feed->disbelieved);
  for (unsigned i = 0; i < FEED_LINES; i++) {
    snprintf(of, sizeof(of), "%s %c", name, 'A' + i);
    report_line(&feed->lines[i], of, file);
  }
  report_count(file, name, "book changes", itch->results[BOOK_DONE]);
  for (unsigned i = BOOK_DONE + 1; i < BOOK_RESULTS; i++)
    report_finding(file, name, book_result_name(i), itch->results[i]);
  report_finding(file, name, "unknown type", itch->unknown_type);
  report_finding(file, name, "wrong length", itch->bad_length);
  report_finding(file, name, "neither buy nor sell", itch->bad_side);
  report_count(file, name, "orders resting", books_orders(itch->books));
  report_count(file, name, "orders resting at most", books_orders_most(itch->books));
  if (feed->lost)
    fprintf(file, "  feed %s: its books are not to be relied on since message %" PRIu64 "\n", name,
            market_feed->losses[0].first);
}

static void report_latency(const struct shunt_histogram *histogram, const char *what, FILE *file)
{
  static const double percentiles[] = {50, 90, 99, 99.9, 99.99};
  if (!histogram->total)
    return;
  fprintf(file, "%s, ns: %" PRIu64 " messages\n ", what, histogram->total);
  for (unsigned i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
    fprintf(file, " p%g %" PRIu64, percentiles[i],
            shunt_histogram_percentile(histogram, percentiles[i]));
  fprintf(file, " max %" PRIu64 "\n", shunt_histogram_max(histogram));
}

void receiver_report(const struct receiver *receiver, FILE *file)
{
  const struct market *market = &receiver->market;
  fputs("received\n", file);
  for (unsigned i = 0; i < market->feed_count; i++)
    report_feed(&market->feeds[i], file);
  report_count(file, "frames", "of the feeds", market->ours);
  report_count(file, "frames", "of IGMP queries", market->queries);
  report_count(file, "frames", "of others", market->other);
  report_finding(file, "frames", "damaged", market->damaged);
  for (unsigned cause = SHUNT_CAUSE_NONE + 1; cause < SHUNT_CAUSE_COUNT; cause++)
    report_finding(file, "frames", shunt_parse_cause_name(cause), market->dropped[cause]);
  report_count(file, "IGMP", "reports", market->igmp.reports);
  report_latency(market->in_turn, "from poll to book, messages in turn", file);
  report_latency(market->waited, "from poll to book, messages that waited behind a gap", file);
  if (receiver->station.info.model)
    fputs("model, not a hardware figure\n", file);
}
