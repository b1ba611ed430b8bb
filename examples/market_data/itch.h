/* SPDX-License-Identifier: BSD-2-Clause */
/* TotalView-ITCH 5.0: what an exchange says of its orders, and books made from it.
 *
 * Source: Nasdaq, "Nasdaq TotalView-ITCH 5.0" (NQTVITCHspecification.pdf). Section numbers are of
 * its edition of 2020 and later; in earlier ones chapter 1 is chapter 4.
 *
 * A message is as long as its type says. Numbers are big-endian; prices are in units of 1/10,000
 * ("Price (4)"); time is in nanoseconds since midnight where the exchange is; symbols are padded
 * with blanks. The structs lie on messages: they have alignment 1.
 *
 * Thread: a struct itch and its books belong to one. */
#ifndef MARKET_DATA_ITCH_H
#define MARKET_DATA_ITCH_H

#include <assert.h>

#include "bytes64.h"
#include "order_book.h"

#define ITCH_STOCK_BYTES   8
#define ITCH_MESSAGE_BYTES 50 /* the longest type, I */

/* The types that this program looks into. */
#define ITCH_SYSTEM_EVENT        'S'
#define ITCH_STOCK_DIRECTORY     'R'
#define ITCH_ADD                 'A'
#define ITCH_ADD_MPID            'F'
#define ITCH_EXECUTED            'E'
#define ITCH_EXECUTED_WITH_PRICE 'C'
#define ITCH_CANCEL              'X'
#define ITCH_DELETE              'D'
#define ITCH_REPLACE             'U'

/* What every message begins with. */
struct itch_head {
  uint8_t type;
  uint8_t locate[2];   /* the instrument's number today; 0: of none */
  uint8_t tracking[2]; /* the exchange's own */
  uint8_t time_ns[6];
};

/* 1.1 */
struct itch_system_event {
  struct itch_head head;
  uint8_t event; /* O, S, Q, M, E, C: from the start of messages to their end */
};

/* 1.2.1; what stands behind the symbol is about the security, not its book. */
struct itch_stock_directory {
  struct itch_head head;
  char stock[ITCH_STOCK_BYTES];
  uint8_t market_category;
  uint8_t financial_status;
  uint8_t round_lot[4];
  uint8_t round_lots_only;
  uint8_t issue_classification;
  uint8_t issue_sub_type[2];
  uint8_t authenticity; /* P: live, T: test */
  uint8_t short_sale_threshold;
  uint8_t ipo;
  uint8_t luld_tier;
  uint8_t etp;
  uint8_t etp_leverage[4];
  uint8_t inverse;
};

/* 1.3.1 */
struct itch_add {
  struct itch_head head;
  uint8_t reference[8];
  uint8_t side; /* B or S */
  uint8_t shares[4];
  char stock[ITCH_STOCK_BYTES];
  uint8_t price[4];
};

/* 1.3.2 */
struct itch_add_mpid {
  struct itch_add add;
  char attribution[4]; /* who placed the order */
};

/* 1.4.1: executed at its own price */
struct itch_executed {
  struct itch_head head;
  uint8_t reference[8];
  uint8_t shares[4];
  uint8_t match[8];
};

/* 1.4.2: executed at another one */
struct itch_executed_with_price {
  struct itch_executed executed;
  uint8_t printable; /* N: will be told again in bulk */
  uint8_t price[4];
};

/* 1.4.3: a part of it */
struct itch_cancel {
  struct itch_head head;
  uint8_t reference[8];
  uint8_t shares[4];
};

/* 1.4.4 */
struct itch_delete {
  struct itch_head head;
  uint8_t reference[8];
};

/* 1.4.5: side and stock stay */
struct itch_replace {
  struct itch_head head;
  uint8_t reference[8];
  uint8_t new_reference[8];
  uint8_t shares[4];
  uint8_t price[4];
};

static_assert(sizeof(struct itch_head) == 11, "the common head");
static_assert(sizeof(struct itch_system_event) == 12, "1.1");
static_assert(sizeof(struct itch_stock_directory) == 39, "1.2.1");
static_assert(offsetof(struct itch_add, side) == 19, "1.3.1");
static_assert(offsetof(struct itch_add, price) == 32, "1.3.1");
static_assert(sizeof(struct itch_add) == 36, "1.3.1");
static_assert(sizeof(struct itch_add_mpid) == 40, "1.3.2");
static_assert(sizeof(struct itch_executed) == 31, "1.4.1");
static_assert(sizeof(struct itch_executed_with_price) == 36, "1.4.2");
static_assert(sizeof(struct itch_cancel) == 23, "1.4.3");
static_assert(sizeof(struct itch_delete) == 19, "1.4.4");
static_assert(sizeof(struct itch_replace) == 35, "1.4.5");

/* How long messages of a type are; 0: there is no such type. */
uint32_t itch_bytes(uint8_t type);

/* ---- Books from messages ---- */

struct itch {
  struct books *books;
  uint64_t types[256];            /* messages applied or, of other known types, skipped */
  uint64_t results[BOOK_RESULTS]; /* of those that change a book */
  uint64_t unknown_type;
  uint64_t bad_length; /* empty, or not as long as the type says */
  uint64_t bad_side;   /* added on a side that is neither B nor S */
};

/* Apply one message. Whatever it says, it is counted once.
 *
 * message, bytes  any bytes whatever
 * Never fails: what can't be applied is counted under its cause. */
void itch_apply(struct itch *itch, const uint8_t *message, uint32_t bytes);

/* Time of day in a message that itch_bytes knows, in nanoseconds. */
static inline uint64_t itch_time_ns(const uint8_t *message)
{
  return load_be48(((const struct itch_head *)message)->time_ns);
}

#endif
