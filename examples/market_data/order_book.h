/* SPDX-License-Identifier: BSD-2-Clause */
/* Order books, by order: which orders rest at which price, and what is best on each side.
 *
 * One struct books holds all instruments of a feed. Instruments are named by their locate code, a
 * 16-bit number of the day. Three tables are allocated and touched at the start, and nothing
 * afterwards:
 *
 *   instruments   65,536 of them, so that a locate code needs no check: the best level of each side
 *   orders        a hash table by reference number, open addressing, at most half full; 16 bytes an
 *                 order, four to a cache line. An order names its level
 *   levels        one for each price that has an order: a list from the best price to the worst
 *
 * So executing, cancelling and deleting take one look-up, whatever the price; adding also walks
 * from the best price to its own, which is short where trading happens. An order that does not fit
 * is refused and counted, never put in another's place.
 *
 * Prices are integers in units of 1/10,000, as ITCH has them. Thread: a books belongs to one. */
#ifndef MARKET_DATA_ORDER_BOOK_H
#define MARKET_DATA_ORDER_BOOK_H

#include <stdio.h>

#include <shunt/base.h>
#include <shunt/error.h>

#define BOOK_STOCK_BYTES 8
#define BOOK_PRICE_UNIT  10000
#define BOOK_ORDERS_MOST (UINT32_C(1) << 26) /* 67 million, in 4 GiB: beyond any day's */

enum book_side { BOOK_BUY, BOOK_SELL, BOOK_SIDES };

/* What became of a change. All but BOOK_DONE say that feed and book don't agree, as after lost
 * messages. */
enum book_result {
  BOOK_DONE,
  BOOK_UNKNOWN_ORDER,   /* no order has that reference: nothing changed */
  BOOK_KNOWN_ORDER,     /* added, but there is one of that reference: the old one stays */
  BOOK_FULL,            /* added, but there is no room: refused */
  BOOK_NO_SHARES,       /* added with 0 shares: refused */
  BOOK_TOO_MANY_SHARES, /* reduced by more than is left: the order is gone */
  BOOK_OTHER_LOCATE,    /* the order is of another instrument: nothing changed */
  BOOK_RESULTS
};

struct book_level {
  uint64_t shares; /* of all its orders */
  uint32_t price;
  uint32_t orders;
  uint32_t better, worse; /* neighbours, by index; 0: none */
  uint16_t locate;
  uint8_t side;
};

struct books;

/* Allocate empty books.
 *
 * orders   how many may rest at a time, 1..BOOK_ORDERS_MOST
 * Owner    the caller, until books_destroy
 * Returns  0, -EINVAL, -ENOMEM */
int books_create(uint32_t orders, struct books **books, struct shunt_error *error);
void books_destroy(struct books *books); /* NULL is fine */

/* Give an instrument its symbol, of 8 characters padded with blanks. The first one stays. */
void book_name(struct books *books, uint16_t locate, const char stock[BOOK_STOCK_BYTES]);

/* A new order. Returns BOOK_DONE, _KNOWN_ORDER, _FULL or _NO_SHARES. */
enum book_result book_add(struct books *books, uint16_t locate, uint64_t reference,
                          enum book_side side, uint32_t shares, uint32_t price);

/* Take shares off an order, executed or cancelled; with the last of them it is gone.
 * Returns BOOK_DONE, _UNKNOWN_ORDER, _TOO_MANY_SHARES or _OTHER_LOCATE. */
enum book_result book_reduce(struct books *books, uint16_t locate, uint64_t reference,
                             uint32_t shares);

/* Returns BOOK_DONE, _UNKNOWN_ORDER or _OTHER_LOCATE. */
enum book_result book_delete(struct books *books, uint16_t locate, uint64_t reference);

/* Put an order in another's place, on the same side. The old one is gone even where the new one is
 * refused. Returns as book_delete and book_add. */
enum book_result book_replace(struct books *books, uint16_t locate, uint64_t reference,
                              uint64_t new_reference, uint32_t shares, uint32_t price);

/* The best level of a side, or NULL; and the one behind a level. Valid until the next change. */
const struct book_level *book_best(const struct books *books, uint16_t locate, enum book_side side);
const struct book_level *book_worse(const struct books *books, const struct book_level *level);

uint32_t books_orders(const struct books *books);      /* that rest now */
uint32_t books_orders_most(const struct books *books); /* the most that ever did */

/* Write every book that has an order, by locate: each side from the best level on.
 *
 *   book 7 SHNT
 *     buy 100.0500 300 shares in 2 orders
 *     sell 100.1000 200 shares in 1 orders */
void books_write(const struct books *books, FILE *file);

const char *book_result_name(enum book_result result);

#endif
