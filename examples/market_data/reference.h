/* SPDX-License-Identifier: BSD-2-Clause */
/* What a receiver can know at the end, computed another way: from events, not from messages, and
 * with a plain list of orders that is sorted when it is written. It shares no code with
 * order_book.c and itch.c, whose judge it is. */
#ifndef MARKET_DATA_REFERENCE_H
#define MARKET_DATA_REFERENCE_H

#include <stdbool.h>

#include "traffic.h"

struct reference_order {
  uint32_t shares; /* 0: gone, or never there */
  uint32_t price;
  uint16_t locate;
  uint8_t side;
};

struct reference_loss {
  uint64_t first, last;
};

struct reference {
  struct reference_order *orders; /* by reference number */
  uint64_t order_count;           /* how many fit */
  char (*stocks)[ITCH_STOCK_BYTES];
  struct reference_loss *losses; /* by number, neighbours made one */
  uint64_t loss_count, losses_most;
  uint64_t messages, lost;
};

/* Returns 0 or -ENOMEM. */
int reference_open(struct reference *reference, struct shunt_error *error);
void reference_close(struct reference *reference);

/* The next event, of a packet that goes out on at least one line, or on none: then the receiver
 * will never know of it. Returns 0 or -ENOMEM. */
int reference_apply(struct reference *reference, const struct event *event, bool lost);

/* Write it, as market_write writes a feed. Returns 0 or -ENOMEM. */
int reference_write(const struct reference *reference, const char *name, FILE *file);

#endif
