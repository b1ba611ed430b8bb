/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "market_data/order_book.h"

#define STOCK 7

static int set_up(void **state)
{
  struct books *books = NULL;
  int code = books_create(8, &books, NULL);
  *state = books;
  return code;
}

static int tear_down(void **state)
{
  books_destroy(*state);
  return 0;
}

static void assert_best(const struct books *books, enum book_side side, uint32_t price,
                        uint64_t shares, uint32_t orders)
{
  const struct book_level *best = book_best(books, STOCK, side);
  assert_non_null(best);
  assert_int_equal(best->price, price);
  assert_int_equal(best->shares, shares);
  assert_int_equal(best->orders, orders);
}

/* What books_write says; the caller frees it. */
static char *written(const struct books *books)
{
  char *text = NULL;
  size_t bytes = 0;
  FILE *file = open_memstream(&text, &bytes);
  assert_non_null(file);
  books_write(books, file);
  fclose(file);
  return text;
}

static void assert_written(const struct books *books, const char *wanted)
{
  char *text = written(books);
  assert_string_equal(text, wanted);
  free(text);
}

static void levels_stand_from_best_to_worst(void **state)
{
  struct books *books = *state;
  static const uint32_t prices[] = {1000000, 1010000, 990000, 1005000};
  for (unsigned i = 0; i < 4; i++) {
    assert_int_equal(book_add(books, STOCK, 10 + i, BOOK_BUY, 100, prices[i]), BOOK_DONE);
    assert_int_equal(book_add(books, STOCK, 20 + i, BOOK_SELL, 200, prices[i]), BOOK_DONE);
  }
  assert_best(books, BOOK_BUY, 1010000, 100, 1);
  assert_best(books, BOOK_SELL, 990000, 200, 1);
  book_name(books, STOCK, "SHNT    ");
  book_name(books, STOCK, "OTHER   "); /* the first one stays */
  assert_written(books, "book 7 SHNT\n"
                        "  buy 101.0000 100 shares in 1 orders\n"
                        "  buy 100.5000 100 shares in 1 orders\n"
                        "  buy 100.0000 100 shares in 1 orders\n"
                        "  buy 99.0000 100 shares in 1 orders\n"
                        "  sell 99.0000 200 shares in 1 orders\n"
                        "  sell 100.0000 200 shares in 1 orders\n"
                        "  sell 100.5000 200 shares in 1 orders\n"
                        "  sell 101.0000 200 shares in 1 orders\n");
  /* From the middle, the end and the beginning. */
  assert_int_equal(book_delete(books, STOCK, 13), BOOK_DONE);
  assert_int_equal(book_delete(books, STOCK, 12), BOOK_DONE);
  assert_int_equal(book_delete(books, STOCK, 11), BOOK_DONE);
  assert_best(books, BOOK_BUY, 1000000, 100, 1);
  assert_null(book_worse(books, book_best(books, STOCK, BOOK_BUY)));
  assert_int_equal(book_delete(books, STOCK, 10), BOOK_DONE);
  assert_null(book_best(books, STOCK, BOOK_BUY));
}

static void orders_of_a_price_share_a_level(void **state)
{
  struct books *books = *state;
  assert_int_equal(book_add(books, STOCK, 1, BOOK_BUY, 100, 50), BOOK_DONE);
  assert_int_equal(book_add(books, STOCK, 2, BOOK_BUY, UINT32_MAX, 50), BOOK_DONE);
  assert_best(books, BOOK_BUY, 50, UINT64_C(100) + UINT32_MAX, 2);
  assert_int_equal(book_reduce(books, STOCK, 1, 30), BOOK_DONE);
  assert_best(books, BOOK_BUY, 50, UINT64_C(70) + UINT32_MAX, 2);
  assert_int_equal(book_reduce(books, STOCK, 1, 70), BOOK_DONE);
  assert_best(books, BOOK_BUY, 50, UINT32_MAX, 1);
  assert_int_equal(book_reduce(books, STOCK, 1, 1), BOOK_UNKNOWN_ORDER);
}

static void what_disagrees_is_said_and_changes_nothing(void **state)
{
  struct books *books = *state;
  assert_int_equal(book_add(books, STOCK, 1, BOOK_SELL, 100, 50), BOOK_DONE);
  assert_int_equal(book_add(books, STOCK, 1, BOOK_SELL, 900, 60), BOOK_KNOWN_ORDER);
  assert_int_equal(book_add(books, STOCK, 2, BOOK_SELL, 0, 60), BOOK_NO_SHARES);
  assert_int_equal(book_delete(books, STOCK, 2), BOOK_UNKNOWN_ORDER);
  assert_int_equal(book_replace(books, STOCK, 2, 3, 1, 1), BOOK_UNKNOWN_ORDER);
  assert_int_equal(book_delete(books, STOCK + 1, 1), BOOK_OTHER_LOCATE);
  assert_int_equal(book_reduce(books, STOCK + 1, 1, 1), BOOK_OTHER_LOCATE);
  assert_int_equal(book_replace(books, STOCK + 1, 1, 3, 1, 1), BOOK_OTHER_LOCATE);
  assert_best(books, BOOK_SELL, 50, 100, 1);
  assert_int_equal(book_reduce(books, STOCK, 1, 101), BOOK_TOO_MANY_SHARES);
  assert_null(book_best(books, STOCK, BOOK_SELL));
  assert_int_equal(books_orders(books), 0);
}

static void a_replaced_order_keeps_its_side(void **state)
{
  struct books *books = *state;
  assert_int_equal(book_add(books, STOCK, 1, BOOK_SELL, 100, 50), BOOK_DONE);
  assert_int_equal(book_add(books, STOCK, 2, BOOK_SELL, 100, 55), BOOK_DONE);
  assert_int_equal(book_replace(books, STOCK, 1, 3, 40, 60), BOOK_DONE);
  assert_best(books, BOOK_SELL, 55, 100, 1);
  assert_null(book_best(books, STOCK, BOOK_BUY));
  assert_int_equal(book_replace(books, STOCK, 3, 3, 10, 45), BOOK_DONE); /* by its own number */
  assert_best(books, BOOK_SELL, 45, 10, 1);
  assert_int_equal(book_replace(books, STOCK, 3, 2, 10, 45), BOOK_KNOWN_ORDER);
  assert_best(books, BOOK_SELL, 55, 100, 1); /* the old one is gone nonetheless */
  assert_int_equal(books_orders(books), 1);
}

static void a_full_book_refuses_and_goes_on(void **state)
{
  struct books *books = *state;
  for (uint64_t i = 0; i < 8; i++)
    assert_int_equal(book_add(books, (uint16_t)i, i, BOOK_BUY, 1, (uint32_t)i), BOOK_DONE);
  assert_int_equal(book_add(books, STOCK, 8, BOOK_BUY, 1, 99), BOOK_FULL);
  assert_int_equal(book_replace(books, STOCK, 7, 9, 2, 5), BOOK_DONE); /* one for one */
  assert_int_equal(book_delete(books, 0, 0), BOOK_DONE); /* 0 is a reference like any other */
  assert_int_equal(book_add(books, STOCK, 8, BOOK_BUY, 1, 99), BOOK_DONE);
  assert_best(books, BOOK_BUY, 99, 1, 1);
  assert_int_equal(books_orders(books), 8);
  assert_int_equal(books_orders_most(books), 8);
}

static void symbols_of_any_bytes_are_written_safely(void **state)
{
  struct books *books = *state;
  book_name(books, STOCK, "AB\n\x80\x01xyz");
  book_name(books, STOCK + 1, "ABCDEFGH");
  book_add(books, STOCK, 1, BOOK_BUY, 1, UINT32_MAX);
  book_add(books, STOCK + 1, 2, BOOK_SELL, 1, 0);
  book_add(books, UINT16_MAX, 3, BOOK_SELL, 1, 1);
  assert_written(books, "book 7 AB\n  buy 429496.7295 1 shares in 1 orders\n"
                        "book 8 ABCDEFGH\n  sell 0.0000 1 shares in 1 orders\n"
                        "book 65535 \n  sell 0.0001 1 shares in 1 orders\n");
}

/* Against a table that can't be wrong: of 64 references each either rests with a number of shares
 * or doesn't. The hash table is as full as it may be, and its chains wrap around its end. */
static void a_long_day_ends_as_a_plain_table_says(void **state)
{
  enum { REFERENCES = 64, CAPACITY = 32 };
  struct books *books;
  uint32_t shares[REFERENCES] = {0}, prices[REFERENCES] = {0}, resting = 0;
  uint64_t random = 1;
  (void)state;
  assert_int_equal(books_create(CAPACITY, &books, NULL), 0);
  for (unsigned step = 0; step < 200000; step++) {
    random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    unsigned reference = random >> 58, price = 1 + (random >> 50) % 8, n = 1 + (random >> 40) % 9;
    unsigned adds = random >> 33 & 1;
    if (adds) {
      enum book_result wanted = shares[reference]     ? BOOK_KNOWN_ORDER
                                : resting == CAPACITY ? BOOK_FULL
                                                      : BOOK_DONE;
      assert_int_equal(book_add(books, STOCK, reference, BOOK_BUY, n, price), wanted);
      if (wanted == BOOK_DONE) {
        shares[reference] = n;
        prices[reference] = price;
        resting++;
      }
      continue;
    }
    enum book_result wanted = shares[reference] == 0  ? BOOK_UNKNOWN_ORDER
                              : n > shares[reference] ? BOOK_TOO_MANY_SHARES
                                                      : BOOK_DONE;
    assert_int_equal(book_reduce(books, STOCK, reference, n), wanted);
    resting -= shares[reference] && n >= shares[reference];
    shares[reference] -= n < shares[reference] ? n : shares[reference];
  }
  assert_int_equal(books_orders(books), resting);
  uint32_t last = UINT32_MAX;
  for (const struct book_level *level = book_best(books, STOCK, BOOK_BUY); level;
       level = book_worse(books, level)) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < REFERENCES; i++)
      sum += prices[i] == level->price ? shares[i] : 0;
    assert_int_equal(level->shares, sum);
    assert_true(level->price < last);
    last = level->price;
  }
  for (unsigned i = 0; i < REFERENCES; i++)
    assert_int_equal(book_delete(books, STOCK, i), shares[i] ? BOOK_DONE : BOOK_UNKNOWN_ORDER);
  assert_null(book_best(books, STOCK, BOOK_BUY));
  books_destroy(books);
}

static void a_book_has_a_size(void **state)
{
  struct shunt_error error;
  struct books *books = NULL;
  (void)state;
  assert_int_equal(books_create(0, &books, &error), -EINVAL);
  assert_int_equal(books_create(BOOK_ORDERS_MOST + 1, &books, &error), -EINVAL);
  assert_null(books);
  books_destroy(NULL);
  for (unsigned i = 0; i < BOOK_RESULTS; i++)
    assert_string_not_equal(book_result_name(i), "unknown");
  assert_string_equal(book_result_name(BOOK_RESULTS), "unknown");
}

#define WITH_BOOKS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_BOOKS(levels_stand_from_best_to_worst),
      WITH_BOOKS(orders_of_a_price_share_a_level),
      WITH_BOOKS(what_disagrees_is_said_and_changes_nothing),
      WITH_BOOKS(a_replaced_order_keeps_its_side),
      WITH_BOOKS(a_full_book_refuses_and_goes_on),
      WITH_BOOKS(symbols_of_any_bytes_are_written_safely),
      cmocka_unit_test(a_long_day_ends_as_a_plain_table_says),
      cmocka_unit_test(a_book_has_a_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
