/* SPDX-License-Identifier: BSD-2-Clause */
#include "generator.h"

#include "report.h"

static bool room(void *context, unsigned frames)
{
  return station_room(context, frames);
}

static void send(void *context, const void *frame, uint32_t bytes)
{
  station_send(context, frame, bytes);
}

int generator_open(struct generator *generator, const char *name, struct shunt_testbed *testbed,
                   const struct endpoints endpoints[], unsigned count,
                   struct publisher_options options, struct shunt_error *error)
{
  const struct publisher_port port = {room, send, &generator->station};
  *generator = (struct generator){.publisher = {.feed_count = 0}};
  int code = station_open(&generator->station, name, testbed, error);
  if (code)
    return code;
  options.mac = generator->station.info.mac;
  return publisher_open(&generator->publisher, endpoints, count, &options, &port, error);
}

void generator_close(struct generator *generator)
{
  publisher_close(&generator->publisher);
  station_close(&generator->station);
}

int generator_round(struct generator *generator, uint64_t now_ns)
{
  struct station *station = &generator->station;
  struct shunt_frame frames[STATION_BURST];
  unsigned n = shunt_rx_poll(station->q, frames, STATION_BURST);
  for (unsigned i = 0; i < n; i++)
    shunt_rx_post(station->q, &frames[i].addr, 1);
  int packets = publisher_round(&generator->publisher, now_ns);
  if (packets > 0)
    station_push(station);
  return packets < 0 ? packets : packets + (int)n;
}

bool generator_is_done(struct generator *generator)
{
  return publisher_is_done(&generator->publisher) && station_reclaim(&generator->station) == 0;
}

void generator_report(const struct generator *generator, FILE *file)
{
  const struct publisher *publisher = &generator->publisher;
  fputs("sent\n", file);
  for (unsigned i = 0; i < publisher->feed_count; i++) {
    const struct publisher_feed *feed = &publisher->feeds[i];
    const char *name = feed->endpoints.name;
    char of[sizeof(feed->endpoints.name) + 2];
    report_count(file, name, "messages sent", feed->reference.messages);
    report_count(file, name, "packets made", feed->packets);
    report_count(file, name, "packets on no line", feed->lost_on_both);
    report_count(file, name, "messages on no line", feed->reference.lost);
    report_count(file, name, "gaps on no line", feed->reference.loss_count);
    for (unsigned j = 0; j < FEED_LINES; j++) {
      const struct bad_line *line = &feed->lines[j];
      snprintf(of, sizeof(of), "%s %c", name, 'A' + j);
      report_count(file, of, "frames sent", line->sent);
      report_count(file, of, "frames lost", line->lost);
      report_count(file, of, "frames sent twice", line->duplicated);
      report_count(file, of, "frames held back", line->reordered);
    }
  }
  report_count(file, "frames", "refused by the port", generator->station.refused);
  report_count(file, "packet", "latest by ns", publisher->late_ns);
}
