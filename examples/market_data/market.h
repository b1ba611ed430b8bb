/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiver without its port: frames in, books, losses and latencies out.
 *
 * Each feed has two lines, which are known by multicast group and UDP port. A frame is taken apart,
 * its payload goes to the feed of its line, and the feed's messages to that feed's books, all
 * inside market_frame, on one thread, without an allocation or a system call. Every frame is
 * counted once, under what became of it.
 *
 * Latency is the time from a message's arrival, as the caller states it (when its frame was polled
 * from the NIC), until its book has been updated. Messages that had to wait for a gap in front of
 * them are measured apart from those that came in turn: their time is the network's, not ours. */
#ifndef MARKET_DATA_MARKET_H
#define MARKET_DATA_MARKET_H

#include <shunt/clock.h>
#include <shunt/frame.h>
#include <shunt/histogram.h>
#include <shunt/parse.h>

#include "endpoints.h"
#include "feed.h"
#include "igmp_host.h"
#include "itch.h"

#define MARKET_LOSSES     4096 /* ranges that are kept of each feed; what is lost beyond is counted */
#define MARKET_LINE_SLOTS 64   /* a power of two, twice ENDPOINTS_FEEDS * FEED_LINES */

struct market_loss {
  uint64_t first, last;
};

struct market_feed {
  struct market *market;
  struct endpoints endpoints;
  struct feed feed;
  struct itch itch;
  struct market_loss losses[MARKET_LOSSES]; /* neighbours made one */
  unsigned loss_count;
};

/* Where the frames of a group and port go. */
struct market_line {
  uint64_t key; /* group and port; 0: the slot is free */
  struct feed *feed;
  unsigned line;
};

struct market {
  const struct shunt_clock *clock;
  struct igmp_host igmp;
  struct market_feed *feeds;
  unsigned feed_count;
  struct market_line lines[MARKET_LINE_SLOTS];

  struct shunt_histogram *in_turn, *waited; /* nanoseconds from arrival to book */

  /* Frames: each is one of these. */
  uint64_t ours;                       /* of a line: see struct feed_line */
  uint64_t queries;                    /* of IGMP */
  uint64_t other;                      /* sound, and of no line */
  uint64_t damaged;                    /* the NIC says so, or longer than a buffer */
  uint64_t dropped[SHUNT_CAUSE_COUNT]; /* the parser says so; fragments are here, too */
};

struct market_options {
  struct feed_options feed;        /* of each; session NULL: each follows its first packet's */
  uint32_t orders;                 /* that each feed's books have room for */
  struct shunt_mac mac;            /* ours, for IGMP */
  uint32_t address;                /* likewise */
  uint64_t seed;                   /* of IGMP's delays */
  const struct shunt_clock *clock; /* that arrivals are stated on; the caller's */
};

/* Set up the feeds and join their groups, the first reports of which are then due.
 *
 * endpoints, count  1..ENDPOINTS_FEEDS feeds, without lines in common
 * Owner             the caller, until market_close, which also takes what this left half done
 * Returns           0, -EINVAL, -ENOMEM */
int market_open(struct market *market, const struct endpoints endpoints[], unsigned count,
                const struct market_options *options, struct shunt_error *error);
void market_close(struct market *market);

/* A frame has arrived.
 *
 * frame, bytes  from the destination address on; any bytes whatever; not needed afterwards
 * flags         SHUNT_FRAME_*, as received. A checksum that no NIC has looked at is verified here
 * now_ns        when it came, on the market's clock */
void market_frame(struct market *market, const void *frame, uint32_t bytes, uint32_t flags,
                  uint64_t now_ns);

/* Give up gaps whose time is over. To be called in each round of the polling loop. */
void market_poll(struct market *market, uint64_t now_ns);

/* All sessions have ended, and what was sent before is delivered or lost. */
bool market_is_done(const struct market *market);

/* Messages that are lost for good, of all feeds. */
uint64_t market_lost(const struct market *market);

/* Write what is known at the end, for comparison with what was sent: of each feed how many messages
 * there were and which are lost, then its books. */
void market_write(const struct market *market, FILE *file);

#endif
