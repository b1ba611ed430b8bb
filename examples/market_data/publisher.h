/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator without its port: feeds, each sent on two bad lines, at a rate.
 *
 * Sending is open loop: packet number i of a feed is meant to go at start + i / rate, whatever
 * became of those before it, and carries that time in its messages. When the day is over the
 * session ends: a heartbeat, then the end of the session, repeated for a while (MoldUDP64, "End of
 * Session"), on the same bad lines. */
#ifndef MARKET_DATA_PUBLISHER_H
#define MARKET_DATA_PUBLISHER_H

#include <shunt/ethernet.h>

#include "bad_line.h"
#include "endpoints.h"
#include "reference.h"

#define PUBLISHER_ENDS        20
#define PUBLISHER_ENDS_GAP_NS UINT64_C(5000000)
/* The most frames that publisher_round sends before it asks for room again. */
#define PUBLISHER_FRAMES (FEED_LINES * BAD_LINE_FRAMES)

struct publisher_options {
  struct impairments lines[FEED_LINES];
  bool complete;     /* what line A loses, line B carries */
  uint64_t seed;     /* of traffic and lines */
  uint64_t messages; /* of each feed */
  unsigned stocks;   /* of each feed */
  uint32_t resting;  /* orders of each feed, at most */
  unsigned batch;    /* messages in a packet, 1 to batch of them */
  double rate_pps;   /* packets a second of each feed; 0: as fast as it goes */
  uint64_t day_ns;   /* time of day at the start, since midnight */
  struct shunt_mac mac;
  uint32_t address; /* ours */
};

struct publisher_port {
  /* Can that many frames be sent now? */
  bool (*room)(void *context, unsigned frames);
  void (*send)(void *context, const void *frame, uint32_t bytes);
  void *context;
};

struct publisher_feed {
  struct publisher *publisher;
  struct endpoints endpoints;
  char session[MOLDUDP64_SESSION_BYTES];
  struct traffic traffic;
  struct reference reference;
  struct bad_line lines[FEED_LINES];
  uint64_t random;
  uint64_t sequence; /* of the next message */
  uint64_t packets;  /* with messages, counted once for both lines */
  uint64_t lost_on_both;
  bool day_is_over;
  unsigned ends; /* packets after that */
  uint64_t due_ns;
};

struct publisher {
  struct publisher_options options;
  struct publisher_port port;
  struct publisher_feed *feeds;
  unsigned feed_count;
  uint64_t start_ns, late_ns; /* late_ns: the longest that a packet went after it was meant to */
};

/* Returns 0, -EINVAL (options) or -ENOMEM. publisher_close also takes what this left half done. */
int publisher_open(struct publisher *publisher, const struct endpoints endpoints[], unsigned count,
                   const struct publisher_options *options, const struct publisher_port *port,
                   struct shunt_error *error);
void publisher_close(struct publisher *publisher);

/* The first packets are due. */
void publisher_start(struct publisher *publisher, uint64_t now_ns);

/* Send what is due and has room: of each feed up to 16 packets.
 * Returns how many packets, or -ENOMEM where the reference can't grow. */
int publisher_round(struct publisher *publisher, uint64_t now_ns);

/* All sessions have ended. */
bool publisher_is_done(const struct publisher *publisher);

/* Write what a perfect receiver knows at the end, as market_write does. Returns 0 or -ENOMEM. */
int publisher_write(const struct publisher *publisher, FILE *file);

#endif
