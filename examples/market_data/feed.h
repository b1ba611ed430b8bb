/* SPDX-License-Identifier: BSD-2-Clause */
/* A feed: one numbered stream of messages out of two lines that carry the same.
 *
 * An exchange sends each packet twice, to two groups on two networks: line A and line B. The first
 * copy of a message wins, whichever line it came on. What comes before its turn waits in a window,
 * by number, until
 *
 *   - the message that is missing comes, on either line; or
 *   - the arbitration time is over, counted from when the message behind the gap came; or
 *   - the window is full.
 *
 * In the last two cases the missing numbers are lost: they are reported, counted, and passed over.
 * So messages are handed on in the order of their numbers, each at most once, and every number up
 * to feed->next is either delivered or lost.
 *
 * A heartbeat and the end of the session say which number comes next, so that a loss is also seen
 * where nothing follows. A number that leaps ahead by more than a window is not believed until a
 * second packet says likewise: one forged or damaged packet does not throw the stream away.
 *
 * MoldUDP64's re-request of lost messages from a server is not here: its answers would be handed to
 * feed_receive like a third line.
 *
 * No time is read here: each call carries now_ns. Thread: a feed belongs to one. */
#ifndef MARKET_DATA_FEED_H
#define MARKET_DATA_FEED_H

#include <shunt/base.h>
#include <shunt/error.h>

#include "moldudp64.h"

#define FEED_LINES         2
#define FEED_KEPT_BYTES    62 /* the longest message that can wait; ITCH's longest has 50 */
#define FEED_WINDOW_MOST   (1u << 20)
#define FEED_WINDOW_USUAL  8192u
#define FEED_NEVER_NS      UINT64_MAX
#define FEED_FIRST_MESSAGE 1

#define FEED_ARBITRATION_USUAL_NS UINT64_C(1000000)
#define FEED_ARBITRATION_MOST_NS  UINT64_C(3600000000000)

struct feed_line {
  uint64_t packets;    /* sound ones, of all kinds, of our session */
  uint64_t heartbeats; /* of which */
  uint64_t ends;       /* of which */
  uint64_t first;      /* messages that this line brought first */
  uint64_t duplicates; /* messages that were there already, from either line */
  uint64_t gaps;       /* times that this line, by itself, skipped numbers */
  uint64_t malformed[MOLDUDP64_CAUSES];
  uint64_t other_session;
  uint64_t next; /* the number that it is expected to go on with */
};

enum feed_loss {
  FEED_TIME_OVER,   /* neither line brought them within the arbitration time */
  FEED_WINDOW_FULL, /* what came behind them had no more room to wait */
};

struct feed_callbacks {
  /* The next message of the stream. arrived_ns is when the copy that won came; waited says whether
   * it came before its turn. */
  void (*message)(void *context, const uint8_t *message, uint32_t bytes, uint64_t arrived_ns,
                  bool waited);
  /* Messages first to last are lost. */
  void (*lost)(void *context, uint64_t first, uint64_t last, enum feed_loss why);
  void *context;
};

struct feed_options {
  const char *session;     /* NULL: that of the first packet */
  uint64_t arbitration_ns; /* how long a gap may stay open, 0..FEED_ARBITRATION_MOST_NS */
  uint32_t window;         /* messages that may wait, a power of two up to FEED_WINDOW_MOST; 0:
                              FEED_WINDOW_USUAL */
};

struct feed_slot;

/* All of it may be read at any time; only the functions below write. */
struct feed {
  struct feed_callbacks callbacks;
  char session[MOLDUDP64_SESSION_BYTES];
  bool session_known, ended; /* ended: an end of session came */
  uint64_t next;             /* every message before is delivered or lost */
  uint64_t known;            /* every message before exists: next, or more while a gap is open */
  uint64_t deadline_ns;      /* when the gap at next is given up; FEED_NEVER_NS: there is none */
  uint64_t delivered;
  uint64_t filled;      /* messages that were missing already, and came in time */
  uint64_t lost;        /* messages */
  uint64_t losses;      /* ranges of them */
  uint64_t too_long;    /* came before their turn and can't wait: taken as not received */
  uint64_t disbelieved; /* packets that leapt ahead, and no other had borne it out */
  struct feed_line lines[FEED_LINES];

  uint64_t arbitration_ns;
  uint64_t announced_ns; /* when known was last raised */
  uint64_t far_sequence; /* of the packet that leapt ahead last; 0: none did */
  uint64_t mask;         /* window - 1 */
  struct feed_slot *slots;
};

/* Set up a feed that expects message FEED_FIRST_MESSAGE: who joins later sees what went before as
 * lost, once, and is told which numbers those are.
 *
 * callbacks  copied; both functions must be there
 * Owner      the caller, until feed_close
 * Returns    0, -EINVAL (window, time), -ENOMEM */
int feed_open(struct feed *feed, const struct feed_options *options,
              const struct feed_callbacks *callbacks, struct shunt_error *error);
void feed_close(struct feed *feed);

/* A datagram's payload has arrived on a line.
 *
 * line_index      0..FEED_LINES - 1
 * payload, bytes  any bytes whatever; not needed afterwards
 * now_ns          when it came; never less than at an earlier call
 * Calls back for each message that is now in turn, and for each range that is given up. */
void feed_receive(struct feed *feed, unsigned line_index, const void *payload, uint32_t bytes,
                  uint64_t now_ns);

/* Give up the gap at next where its time is over. To be called often; costs one comparison. */
void feed_expire(struct feed *feed, uint64_t now_ns);

static inline void feed_poll(struct feed *feed, uint64_t now_ns)
{
  if (SHUNT_UNLIKELY(now_ns >= feed->deadline_ns))
    feed_expire(feed, now_ns);
}

/* The session has ended, and everything before its end is delivered or lost. */
static inline bool feed_is_done(const struct feed *feed)
{
  return feed->ended && feed->next == feed->known;
}

#endif
