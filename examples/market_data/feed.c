/* SPDX-License-Identifier: BSD-2-Clause */
#include "feed.h"

#include <errno.h>
#include <stdlib.h>

/* A message that waits. The slot of a number is given by its low bits. */
struct feed_slot {
  uint64_t sequence; /* of the message that is in it; another number: empty */
  uint64_t arrived_ns;
  uint16_t bytes;
  uint8_t message[FEED_KEPT_BYTES];
};

static_assert(sizeof(struct feed_slot) == 80, "sixteen-byte steps");

int feed_open(struct feed *feed, const struct feed_options *options,
              const struct feed_callbacks *callbacks, struct shunt_error *error)
{
  uint32_t window = options->window ? options->window : FEED_WINDOW_USUAL;
  if (window > FEED_WINDOW_MOST || (window & (window - 1)) != 0)
    return shunt_error_set(error, -EINVAL, "a window of %u messages: a power of two up to %u",
                           window, FEED_WINDOW_MOST);
  if (options->arbitration_ns > FEED_ARBITRATION_MOST_NS)
    return shunt_error_set(error, -EINVAL, "an arbitration time of more than an hour");
  *feed = (struct feed){.callbacks = *callbacks,
                        .next = FEED_FIRST_MESSAGE,
                        .known = FEED_FIRST_MESSAGE,
                        .deadline_ns = FEED_NEVER_NS,
                        .arbitration_ns = options->arbitration_ns,
                        .mask = window - 1};
  for (unsigned i = 0; i < FEED_LINES; i++)
    feed->lines[i].next = FEED_FIRST_MESSAGE;
  if (options->session) {
    moldudp64_session(feed->session, options->session);
    feed->session_known = true;
  }
  feed->slots = calloc(window, sizeof(feed->slots[0])); /* number 0 is no message's */
  if (!feed->slots)
    return shunt_error_set(error, -ENOMEM, "no memory for a window of %u messages", window);
  return 0;
}

void feed_close(struct feed *feed)
{
  free(feed->slots);
  feed->slots = NULL;
}

/* ---- The window ---- */

static struct feed_slot *slot_of(const struct feed *feed, uint64_t sequence)
{
  return &feed->slots[sequence & feed->mask];
}

static bool is_waiting(const struct feed *feed, uint64_t sequence)
{
  return slot_of(feed, sequence)->sequence == sequence;
}

/* The first number from next on that waits, or 0 where none does. */
static uint64_t first_waiting(const struct feed *feed)
{
  uint64_t end = feed->known < feed->next + feed->mask ? feed->known : feed->next + feed->mask + 1;
  for (uint64_t sequence = feed->next; sequence < end; sequence++)
    if (is_waiting(feed, sequence))
      return sequence;
  return 0;
}

static void deliver(struct feed *feed, const uint8_t *message, uint32_t bytes, uint64_t arrived_ns,
                    bool waited)
{
  feed->next++;
  if (feed->known < feed->next)
    feed->known = feed->next;
  feed->delivered++;
  feed->callbacks.message(feed->callbacks.context, message, bytes, arrived_ns, waited);
}

/* Deliver what has been waiting for its turn. */
static void drain(struct feed *feed)
{
  while (feed->next < feed->known && is_waiting(feed, feed->next)) {
    const struct feed_slot *slot = slot_of(feed, feed->next);
    deliver(feed, slot->message, slot->bytes, slot->arrived_ns, true);
  }
}

/* ---- Gaps ---- */

/* Start the time of the gap at next. It runs from when its far side was seen. */
static void watch(struct feed *feed)
{
  uint64_t end = first_waiting(feed);
  uint64_t seen_ns = end ? slot_of(feed, end)->arrived_ns : feed->announced_ns;
  feed->deadline_ns = feed->next < feed->known ? seen_ns + feed->arbitration_ns : FEED_NEVER_NS;
}

/* Give up what is missing at next, before number end. */
static void lose(struct feed *feed, uint64_t end, enum feed_loss why)
{
  uint64_t first = feed->next;
  feed->lost += end - first;
  feed->losses++;
  feed->next = end;
  if (feed->known < end)
    feed->known = end;
  feed->callbacks.lost(feed->callbacks.context, first, end - 1, why);
  drain(feed);
}

void feed_expire(struct feed *feed, uint64_t now_ns)
{
  while (now_ns >= feed->deadline_ns) {
    uint64_t end = first_waiting(feed);
    lose(feed, end ? end : feed->known, FEED_TIME_OVER);
    watch(feed);
  }
}

/* Pass over what is missing until number sequence has room in the window; where nothing waits, pass
 * over all before it: more than a window is gone, and a late copy won't bring it back. */
static void make_room(struct feed *feed, uint64_t sequence)
{
  while (SHUNT_UNLIKELY(sequence > feed->next + feed->mask)) {
    uint64_t end = first_waiting(feed), least = end ? sequence - feed->mask : sequence;
    lose(feed, end && end < least ? end : least, FEED_WINDOW_FULL);
  }
}

/* ---- Packets ---- */

/* Is it ours? */
static bool check_session(struct feed *feed, const char session[MOLDUDP64_SESSION_BYTES])
{
  if (SHUNT_LIKELY(feed->session_known))
    return moldudp64_session_is(feed->session, session);
  memcpy(feed->session, session, MOLDUDP64_SESSION_BYTES);
  feed->session_known = true;
  return true;
}

/* A packet that is more than a window ahead of all others is believed where another one, of either
 * line, bears it out. */
static bool believe(struct feed *feed, uint64_t sequence)
{
  if (SHUNT_LIKELY(sequence <= feed->known + feed->mask))
    return true;
  uint64_t far = feed->far_sequence;
  uint64_t apart = sequence > far ? sequence - far : far - sequence;
  feed->far_sequence = sequence;
  if (far != 0 && apart <= feed->mask)
    return true;
  feed->disbelieved++;
  return false;
}

static void count_packet(struct feed *feed, struct feed_line *line,
                         const struct moldudp64_packet *packet)
{
  uint64_t end = packet->sequence + packet->count;
  line->packets++;
  line->heartbeats += packet->kind == MOLDUDP64_HEARTBEAT;
  line->ends += packet->kind == MOLDUDP64_END;
  line->gaps += packet->sequence > line->next;
  line->next = end > line->next ? end : line->next;
  feed->ended |= packet->kind == MOLDUDP64_END;
}

/* A message that lies behind a gap: into the window. */
static void keep(struct feed *feed, struct feed_line *line, uint64_t sequence,
                 const uint8_t *message, uint32_t bytes, uint64_t now_ns)
{
  bool was_missing = sequence < feed->known;
  if (!was_missing)
    feed->known = sequence + 1;
  struct feed_slot *slot = slot_of(feed, sequence);
  if (slot->sequence == sequence) {
    line->duplicates++;
    return;
  }
  if (bytes > FEED_KEPT_BYTES) {
    feed->too_long++;
    return;
  }
  line->first++;
  feed->filled += was_missing;
  slot->sequence = sequence;
  slot->arrived_ns = now_ns;
  slot->bytes = (uint16_t)bytes;
  memcpy(slot->message, message, bytes);
}

static void take_messages(struct feed *feed, struct feed_line *line,
                          const struct moldudp64_packet *packet, uint64_t now_ns)
{
  const uint8_t *block = packet->blocks, *message;
  uint64_t sequence = packet->sequence, end = sequence + packet->count;
  if (end <= feed->next) { /* what every second packet is */
    line->duplicates += packet->count;
    return;
  }
  for (; sequence < end; sequence++) {
    uint32_t bytes = moldudp64_next(&block, &message);
    make_room(feed, sequence);
    if (SHUNT_UNLIKELY(sequence > feed->next)) {
      keep(feed, line, sequence, message, bytes, now_ns);
    } else if (SHUNT_UNLIKELY(sequence < feed->next)) {
      line->duplicates++;
    } else {
      line->first++;
      feed->filled += sequence < feed->known;
      deliver(feed, message, bytes, now_ns, false);
      drain(feed);
    }
  }
}

void feed_receive(struct feed *feed, unsigned line_index, const void *payload, uint32_t bytes,
                  uint64_t now_ns)
{
  struct feed_line *line = &feed->lines[line_index];
  struct moldudp64_packet packet;
  enum moldudp64_cause cause = moldudp64_read(payload, bytes, &packet);
  if (SHUNT_UNLIKELY(cause != MOLDUDP64_SOUND)) {
    line->malformed[cause]++;
    return;
  }
  if (SHUNT_UNLIKELY(!check_session(feed, packet.session))) {
    line->other_session++;
    return;
  }
  if (SHUNT_UNLIKELY(!believe(feed, packet.sequence)))
    return;
  count_packet(feed, line, &packet);

  uint64_t before = feed->next, end = packet.sequence + packet.count;
  if (end > feed->known)
    feed->announced_ns = now_ns;
  take_messages(feed, line, &packet, now_ns);
  if (end > feed->known)
    feed->known = end;
  if (SHUNT_LIKELY(feed->next == feed->known))
    feed->deadline_ns = FEED_NEVER_NS;
  else if (feed->next != before || feed->deadline_ns == FEED_NEVER_NS)
    watch(feed);
}
