/* SPDX-License-Identifier: BSD-2-Clause */
/* An exchange's day, made up: orders that are added, executed, cancelled, deleted and replaced, the
 * same for the same seed, whatever becomes of the packets.
 *
 * Each stock is worth something; buy orders rest below that and sell orders above, so no book is
 * ever crossed, and near ones are likelier than far ones. Between them stand messages that no book
 * needs, for a receiver to skip. The exchange itself knows every order, so no message is ever
 * wrong. */
#ifndef MARKET_DATA_TRAFFIC_H
#define MARKET_DATA_TRAFFIC_H

#include <stdbool.h>

#include "itch.h"

#define TRAFFIC_STOCKS_MOST 1000

/* What happened, before it is written as a message. What a type does not have is 0. */
struct event {
  uint8_t type; /* ITCH_*, 'P' or 'H' */
  uint8_t code; /* system event, or the trading state of H */
  uint16_t locate;
  uint64_t reference, new_reference, match;
  enum book_side side;
  uint32_t shares, price;
  char stock[ITCH_STOCK_BYTES];
};

struct traffic_order {
  uint64_t reference;
  uint32_t shares, price;
  uint16_t locate;
  uint8_t side;
};

struct traffic {
  uint64_t random;
  unsigned stocks;
  uint64_t made, count; /* events so far, and of the whole day */
  uint64_t last_reference, last_match;
  uint32_t prices[TRAFFIC_STOCKS_MOST]; /* what each stock is worth */
  struct traffic_order *orders;         /* those that rest, in no order */
  uint32_t resting, most;
};

/* Open the day.
 *
 * count     events that it has, from the start of messages to their end; at least stocks + 6, which
 *           open and close it
 * stocks    1..TRAFFIC_STOCKS_MOST, of locate codes 1 and on
 * resting   orders that rest at a time, at most
 * Returns   0, -EINVAL, -ENOMEM */
int traffic_open(struct traffic *traffic, uint64_t seed, uint64_t count, unsigned stocks,
                 uint32_t resting, struct shunt_error *error);
void traffic_close(struct traffic *traffic);

/* The next event. Returns false, with event untouched, when the day is over. */
bool traffic_next(struct traffic *traffic, struct event *event);

/* Write an event as an ITCH message.
 *
 * time_ns   since midnight
 * message   room for ITCH_MESSAGE_BYTES
 * Returns   its length */
uint32_t event_encode(const struct event *event, uint64_t time_ns, uint8_t *message);

#endif
