/* SPDX-License-Identifier: BSD-2-Clause */
#include "order_book.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LOCATES         65536u
#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define NONE            0u /* no level: the table's first one is not used */

struct order {
  uint64_t reference;
  uint32_t shares;
  uint32_t level; /* NONE: the slot is free */
};

static_assert(sizeof(struct order) == 16, "four to a cache line");
static_assert(sizeof(struct book_level) == 32, "two to a cache line");

struct instrument {
  char stock[BOOK_STOCK_BYTES];
  uint32_t best[BOOK_SIDES];
};

struct books {
  struct order *orders; /* mask + 1 slots */
  struct book_level *levels;
  struct instrument *instruments;
  uint64_t mask;
  unsigned shift;       /* from a hash's 64 bits to a slot */
  uint32_t capacity;    /* orders, and so levels, that there may be */
  uint32_t count, most; /* orders */
  uint32_t free_level;  /* a list by worse */
  uint32_t fresh_level; /* never used yet, from here on */
};

/* Zeroed memory that is there already: what is touched for the first time in the middle of trading
 * costs a page fault, so everything is touched now, on huge pages where that fits and the kernel
 * has some. */
static void *table(size_t count, size_t entry_bytes)
{
  size_t align = count * entry_bytes < HUGE_PAGE_BYTES ? SHUNT_CACHE_LINE_BYTES : HUGE_PAGE_BYTES;
  size_t bytes = (count * entry_bytes + align - 1) & ~(align - 1);
  void *memory = aligned_alloc(align, bytes);
  if (!memory)
    return NULL;
  if (align == HUGE_PAGE_BYTES)
    (void)madvise(memory, bytes, MADV_HUGEPAGE);
  return memset(memory, 0, bytes);
}

int books_create(uint32_t orders, struct books **books, struct shunt_error *error)
{
  if (orders == 0 || orders > BOOK_ORDERS_MOST)
    return shunt_error_set(error, -EINVAL, "a book of %u orders: 1..%u", orders, BOOK_ORDERS_MOST);
  struct books *made = calloc(1, sizeof(*made));
  if (!made)
    return shunt_error_set(error, -ENOMEM, "no memory for books");
  unsigned bits = 2;
  while (UINT64_C(1) << bits < (uint64_t)orders * 2)
    bits++;
  made->mask = (UINT64_C(1) << bits) - 1;
  made->shift = 64 - bits;
  made->capacity = orders;
  made->fresh_level = NONE + 1;
  made->orders = table(made->mask + 1, sizeof(made->orders[0]));
  made->levels = table((size_t)orders + 1, sizeof(made->levels[0]));
  made->instruments = table(LOCATES, sizeof(made->instruments[0]));
  if (!made->orders || !made->levels || !made->instruments) {
    books_destroy(made);
    return shunt_error_set(error, -ENOMEM, "no memory for books of %u orders", orders);
  }
  *books = made;
  return 0;
}

void books_destroy(struct books *books)
{
  if (!books)
    return;
  free(books->orders);
  free(books->levels);
  free(books->instruments);
  free(books);
}

/* ---- Orders: a hash table with linear probing ---- */

/* Multiply by 2^64 / the golden ratio and take the upper bits: numbers that follow each other, as
 * reference numbers do, land far apart (Knuth, The Art of Computer Programming 3, 6.4). */
static uint64_t home(const struct books *books, uint64_t reference)
{
  return reference * UINT64_C(0x9E3779B97F4A7C15) >> books->shift;
}

/* The order's slot, or the free one where it belongs. There is always a free one: at most half of
 * them are taken. */
static uint64_t find(const struct books *books, uint64_t reference)
{
  uint64_t slot = home(books, reference);
  while (books->orders[slot].level != NONE && books->orders[slot].reference != reference)
    slot = (slot + 1) & books->mask;
  return slot;
}

/* Empty a slot, and move back what was put behind it for want of room: no tombstones, so a look-up
 * takes as long at the end of the day as at its beginning. */
static void vacate(struct books *books, uint64_t slot)
{
  struct order *orders = books->orders;
  uint64_t next = slot;
  for (;;) {
    next = (next + 1) & books->mask;
    if (orders[next].level == NONE)
      break;
    uint64_t wanted = home(books, orders[next].reference);
    if (((next - wanted) & books->mask) < ((next - slot) & books->mask))
      continue; /* its home lies behind the hole */
    orders[slot] = orders[next];
    slot = next;
  }
  orders[slot].level = NONE;
}

/* ---- Levels ---- */

static bool is_better(unsigned side, uint32_t price, uint32_t than)
{
  return side == BOOK_BUY ? price > than : price < than;
}

static uint32_t new_level(struct books *books)
{
  uint32_t index = books->free_level;
  if (index == NONE)
    return books->fresh_level++; /* as many as orders, each of which needs one at most */
  books->free_level = books->levels[index].worse;
  return index;
}

/* The level of that price, made where there is none. */
static uint32_t level_at(struct books *books, uint16_t locate, unsigned side, uint32_t price)
{
  struct book_level *levels = books->levels;
  uint32_t *link = &books->instruments[locate].best[side], better = NONE;
  while (*link != NONE && is_better(side, levels[*link].price, price)) {
    better = *link;
    link = &levels[better].worse;
  }
  uint32_t worse = *link;
  if (worse != NONE && levels[worse].price == price)
    return worse;
  uint32_t index = new_level(books);
  levels[index] = (struct book_level){
      .price = price, .better = better, .worse = worse, .locate = locate, .side = (uint8_t)side};
  *link = index;
  if (worse != NONE)
    levels[worse].better = index;
  return index;
}

static void drop_level(struct books *books, uint32_t index)
{
  struct book_level *level = &books->levels[index];
  if (level->better != NONE)
    books->levels[level->better].worse = level->worse;
  else
    books->instruments[level->locate].best[level->side] = level->worse;
  if (level->worse != NONE)
    books->levels[level->worse].better = level->better;
  level->worse = books->free_level;
  books->free_level = index;
}

/* ---- Changes ---- */

void book_name(struct books *books, uint16_t locate, const char stock[BOOK_STOCK_BYTES])
{
  struct instrument *instrument = &books->instruments[locate];
  if (!instrument->stock[0])
    memcpy(instrument->stock, stock, BOOK_STOCK_BYTES);
}

enum book_result book_add(struct books *books, uint16_t locate, uint64_t reference,
                          enum book_side side, uint32_t shares, uint32_t price)
{
  if (shares == 0)
    return BOOK_NO_SHARES;
  struct order *order = &books->orders[find(books, reference)];
  if (order->level != NONE)
    return BOOK_KNOWN_ORDER;
  if (books->count == books->capacity)
    return BOOK_FULL;
  uint32_t index = level_at(books, locate, side, price);
  books->levels[index].shares += shares;
  books->levels[index].orders++;
  *order = (struct order){reference, shares, index};
  if (++books->count > books->most)
    books->most = books->count;
  return BOOK_DONE;
}

static void remove_order(struct books *books, uint64_t slot)
{
  const struct order *order = &books->orders[slot];
  struct book_level *level = &books->levels[order->level];
  level->shares -= order->shares;
  if (--level->orders == 0)
    drop_level(books, order->level);
  vacate(books, slot);
  books->count--;
}

/* The slot of an order that a message is about. */
static enum book_result look_up(const struct books *books, uint16_t locate, uint64_t reference,
                                uint64_t *slot)
{
  *slot = find(books, reference);
  uint32_t level = books->orders[*slot].level;
  if (level == NONE)
    return BOOK_UNKNOWN_ORDER;
  return books->levels[level].locate == locate ? BOOK_DONE : BOOK_OTHER_LOCATE;
}

enum book_result book_reduce(struct books *books, uint16_t locate, uint64_t reference,
                             uint32_t shares)
{
  uint64_t slot;
  enum book_result result = look_up(books, locate, reference, &slot);
  if (result)
    return result;
  struct order *order = &books->orders[slot];
  if (shares >= order->shares) {
    result = shares > order->shares ? BOOK_TOO_MANY_SHARES : BOOK_DONE;
    remove_order(books, slot);
    return result;
  }
  order->shares -= shares;
  books->levels[order->level].shares -= shares;
  return BOOK_DONE;
}

enum book_result book_delete(struct books *books, uint16_t locate, uint64_t reference)
{
  uint64_t slot;
  enum book_result result = look_up(books, locate, reference, &slot);
  if (!result)
    remove_order(books, slot);
  return result;
}

enum book_result book_replace(struct books *books, uint16_t locate, uint64_t reference,
                              uint64_t new_reference, uint32_t shares, uint32_t price)
{
  uint64_t slot;
  enum book_result result = look_up(books, locate, reference, &slot);
  if (result)
    return result;
  enum book_side side = books->levels[books->orders[slot].level].side;
  remove_order(books, slot);
  return book_add(books, locate, new_reference, side, shares, price);
}

/* ---- Reading ---- */

static const struct book_level *level_or_null(const struct books *books, uint32_t index)
{
  return index == NONE ? NULL : &books->levels[index];
}

const struct book_level *book_best(const struct books *books, uint16_t locate, enum book_side side)
{
  return level_or_null(books, books->instruments[locate].best[side]);
}

const struct book_level *book_worse(const struct books *books, const struct book_level *level)
{
  return level_or_null(books, level->worse);
}

uint32_t books_orders(const struct books *books)
{
  return books->count;
}

uint32_t books_orders_most(const struct books *books)
{
  return books->most;
}

/* A symbol as text: without its padding, and without what no symbol has. */
static void stock_text(const char stock[BOOK_STOCK_BYTES], char text[BOOK_STOCK_BYTES + 1])
{
  unsigned n = 0;
  for (; n < BOOK_STOCK_BYTES && stock[n] > ' ' && stock[n] < 0x7f; n++)
    text[n] = stock[n];
  text[n] = 0;
}

static void write_side(const struct books *books, const struct book_level *level, FILE *file)
{
  for (; level; level = book_worse(books, level))
    fprintf(file, "  %s %u.%04u %llu shares in %u orders\n",
            level->side == BOOK_BUY ? "buy" : "sell", level->price / BOOK_PRICE_UNIT,
            level->price % BOOK_PRICE_UNIT, (unsigned long long)level->shares, level->orders);
}

void books_write(const struct books *books, FILE *file)
{
  for (unsigned locate = 0; locate < LOCATES; locate++) {
    const struct book_level *buy = book_best(books, (uint16_t)locate, BOOK_BUY);
    const struct book_level *sell = book_best(books, (uint16_t)locate, BOOK_SELL);
    char stock[BOOK_STOCK_BYTES + 1];
    if (!buy && !sell)
      continue;
    stock_text(books->instruments[locate].stock, stock);
    fprintf(file, "book %u %s\n", locate, stock);
    write_side(books, buy, file);
    write_side(books, sell, file);
  }
}

const char *book_result_name(enum book_result result)
{
  static const char *const names[BOOK_RESULTS] = {
      [BOOK_DONE] = "done",
      [BOOK_UNKNOWN_ORDER] = "unknown order",
      [BOOK_KNOWN_ORDER] = "order known already",
      [BOOK_FULL] = "no room",
      [BOOK_NO_SHARES] = "added without shares",
      [BOOK_TOO_MANY_SHARES] = "more shares than left",
      [BOOK_OTHER_LOCATE] = "order of another stock",
  };
  return (unsigned)result < BOOK_RESULTS ? names[result] : "unknown";
}
