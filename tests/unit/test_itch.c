/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "market_data/itch.h"
#include "market_data/traffic.h"

/* Written by hand from the specification's tables: stock SHNT of locate 0x0102, tracking number 0,
 * 09:30 (34,200 s, 0x1f1aced9f000 ns). */
#define HEAD(type) type, 1, 2, 0, 0, 0x1f, 0x1a, 0xce, 0xd9, 0xf0, 0x00
#define LOCATE     0x0102
#define NUMBER(n)  0, 0, 0, 0, 0, 0, 0x10, n
#define SHARES(n)  0, 0, (n) >> 8, (n)&0xff
#define PRICE(n)   0, (n) >> 16, (n) >> 8 & 0xff, (n)&0xff

static const uint8_t add[] = {HEAD('A'), NUMBER(1), 'B', SHARES(500), 'S', 'H',           'N',
                              'T',       ' ',       ' ', ' ',         ' ', PRICE(1005000)};
static const uint8_t add_mpid[] = {
    HEAD('F'), NUMBER(2), 'S', SHARES(300),    'S', 'H', 'N', 'T', ' ',
    ' ',       ' ',       ' ', PRICE(1006000), 'M', 'P', 'I', 'D'};
static const uint8_t executed[] = {HEAD('E'), NUMBER(1), SHARES(100), NUMBER(9)};
static const uint8_t at_price[] = {HEAD('C'), NUMBER(1), SHARES(50),
                                   NUMBER(9), 'Y',       PRICE(1004900)};
static const uint8_t cancel[] = {HEAD('X'), NUMBER(2), SHARES(100)};
static const uint8_t delete[] = {HEAD('D'), NUMBER(2)};
static const uint8_t replace[] = {HEAD('U'), NUMBER(1), NUMBER(3), SHARES(900), PRICE(1004000)};

static int set_up(void **state)
{
  struct itch *itch = calloc(1, sizeof(*itch));
  *state = itch;
  return itch ? books_create(16, &itch->books, NULL) : -1;
}

static int tear_down(void **state)
{
  struct itch *itch = *state;
  books_destroy(itch->books);
  free(itch);
  return 0;
}

/* From memory of its own length, so that the sanitizer sees a byte too many. */
static void apply(struct itch *itch, const uint8_t *message, uint32_t bytes)
{
  uint8_t *exact = malloc(bytes ? bytes : 1);
  assert_non_null(exact);
  memcpy(exact, message, bytes);
  itch_apply(itch, exact, bytes);
  free(exact);
}

static void assert_best(const struct itch *itch, enum book_side side, uint32_t price,
                        uint64_t shares)
{
  const struct book_level *best = book_best(itch->books, LOCATE, side);
  assert_non_null(best);
  assert_int_equal(best->price, price);
  assert_int_equal(best->shares, shares);
}

static void messages_by_hand_make_a_book(void **state)
{
  struct itch *itch = *state;
  assert_int_equal(itch_time_ns(add), UINT64_C(34200000000000));
  apply(itch, add, sizeof(add));
  assert_best(itch, BOOK_BUY, 1005000, 500);
  apply(itch, add_mpid, sizeof(add_mpid));
  assert_best(itch, BOOK_SELL, 1006000, 300);
  apply(itch, executed, sizeof(executed));
  assert_best(itch, BOOK_BUY, 1005000, 400);
  apply(itch, at_price, sizeof(at_price)); /* the rest stays at its own price */
  assert_best(itch, BOOK_BUY, 1005000, 350);
  apply(itch, cancel, sizeof(cancel));
  assert_best(itch, BOOK_SELL, 1006000, 200);
  apply(itch, replace, sizeof(replace));
  assert_best(itch, BOOK_BUY, 1004000, 900);
  apply(itch, delete, sizeof(delete));
  assert_null(book_best(itch->books, LOCATE, BOOK_SELL));
  assert_int_equal(itch->results[BOOK_DONE], 7);
  for (const char *type = "AFECXDU"; *type; type++)
    assert_int_equal(itch->types[(uint8_t)*type], 1);
}

static void messages_that_disagree_are_counted(void **state)
{
  struct itch *itch = *state;
  apply(itch, executed, sizeof(executed));
  apply(itch, delete, sizeof(delete));
  apply(itch, replace, sizeof(replace));
  assert_int_equal(itch->results[BOOK_UNKNOWN_ORDER], 3);
  apply(itch, add, sizeof(add));
  apply(itch, add, sizeof(add));
  assert_int_equal(itch->results[BOOK_KNOWN_ORDER], 1);
  uint8_t other[sizeof(executed)];
  memcpy(other, executed, sizeof(executed));
  other[2] = 3;
  apply(itch, other, sizeof(other));
  assert_int_equal(itch->results[BOOK_OTHER_LOCATE], 1);
  uint8_t odd[sizeof(add)];
  memcpy(odd, add, sizeof(add));
  odd[19] = 'b';
  apply(itch, odd, sizeof(odd));
  assert_int_equal(itch->bad_side, 1);
  assert_best(itch, BOOK_BUY, 1005000, 500);
}

/* The lengths of the specification, written a second time. */
static const struct {
  char type;
  uint32_t bytes;
} lengths[] = {{'S', 12}, {'R', 39}, {'H', 25}, {'Y', 20}, {'L', 26}, {'V', 35},
               {'W', 12}, {'K', 28}, {'J', 35}, {'h', 21}, {'A', 36}, {'F', 40},
               {'E', 31}, {'C', 36}, {'X', 23}, {'D', 19}, {'U', 35}, {'P', 44},
               {'Q', 40}, {'B', 19}, {'I', 50}, {'N', 20}, {'O', 48}};

static uint32_t length_of(unsigned type)
{
  for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
    if ((unsigned)lengths[i].type == type)
      return lengths[i].bytes;
  return 0;
}

static void each_type_has_its_length_and_no_other(void **state)
{
  struct itch *itch = *state;
  uint8_t message[64] = {0};
  uint64_t skipped = 0, wrong = 0, unknown = 0;
  apply(itch, message, 0);
  assert_int_equal(itch->bad_length, ++wrong);
  for (unsigned type = 0; type < 256; type++) {
    assert_int_equal(itch_bytes((uint8_t)type), length_of(type));
    message[0] = (uint8_t)type;
    for (uint32_t bytes = 1; bytes <= sizeof(message); bytes++) {
      apply(itch, message, bytes);
      unknown += length_of(type) == 0;
      wrong += length_of(type) != 0 && bytes != length_of(type);
      skipped += bytes == length_of(type);
    }
  }
  assert_int_equal(itch->unknown_type, unknown);
  assert_int_equal(itch->bad_length, wrong);
  uint64_t types = 0;
  for (unsigned type = 0; type < 256; type++)
    types += itch->types[type];
  assert_int_equal(types, skipped);
  assert_int_equal(books_orders(itch->books), 0);
}

static void what_the_generator_writes_is_what_was_written_by_hand(void **state)
{
  static const struct {
    struct event event;
    const uint8_t *message;
    uint32_t bytes;
  } cases[] = {
      {{.type = 'A', .reference = 0x1001, .side = BOOK_BUY, .shares = 500, .price = 1005000},
       add,
       sizeof(add)},
      {{.type = 'E', .reference = 0x1001, .match = 0x1009, .shares = 100},
       executed,
       sizeof(executed)},
      {{.type = 'C', .reference = 0x1001, .match = 0x1009, .shares = 50, .price = 1004900},
       at_price,
       sizeof(at_price)},
      {{.type = 'X', .reference = 0x1002, .shares = 100}, cancel, sizeof(cancel)},
      {{.type = 'D', .reference = 0x1002}, delete, sizeof(delete)},
      {{.type = 'U', .reference = 0x1001, .new_reference = 0x1003, .shares = 900, .price = 1004000},
       replace,
       sizeof(replace)},
  };
  (void)state;
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct event event = cases[i].event;
    uint8_t message[ITCH_MESSAGE_BYTES];
    event.locate = LOCATE;
    memcpy(event.stock, "SHNT    ", ITCH_STOCK_BYTES);
    assert_int_equal(event_encode(&event, UINT64_C(34200000000000), message), cases[i].bytes);
    assert_memory_equal(message, cases[i].message, cases[i].bytes);
  }
}

#define WITH_ITCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_ITCH(messages_by_hand_make_a_book),
      WITH_ITCH(messages_that_disagree_are_counted),
      WITH_ITCH(each_type_has_its_length_and_no_other),
      cmocka_unit_test(what_the_generator_writes_is_what_was_written_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
