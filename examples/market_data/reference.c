/* SPDX-License-Identifier: BSD-2-Clause */
#include "reference.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOCATES 65536u

int reference_open(struct reference *reference, struct shunt_error *error)
{
  *reference = (struct reference){.stocks = calloc(LOCATES, sizeof(reference->stocks[0]))};
  return reference->stocks ? 0 : shunt_error_set(error, -ENOMEM, "no memory for the reference");
}

void reference_close(struct reference *reference)
{
  free(reference->orders);
  free(reference->stocks);
  free(reference->losses);
  *reference = (struct reference){.orders = NULL};
}

/* The table with room for entry index, by doubling; what is new is zero. NULL, and the table as it
 * was, where there is no memory. */
static void *grow(void *table, uint64_t *count, uint64_t index, size_t entry_bytes)
{
  uint64_t wanted = *count ? *count : 1024;
  while (wanted <= index)
    wanted *= 2;
  if (wanted == *count)
    return table;
  char *grown = realloc(table, wanted * entry_bytes);
  if (!grown)
    return NULL;
  memset(grown + *count * entry_bytes, 0, (wanted - *count) * entry_bytes);
  *count = wanted;
  return grown;
}

static int note_loss(struct reference *reference)
{
  uint64_t number = reference->messages, n = reference->loss_count;
  reference->lost++;
  if (n && reference->losses[n - 1].last + 1 == number) {
    reference->losses[n - 1].last = number;
    return 0;
  }
  struct reference_loss *losses =
      grow(reference->losses, &reference->losses_most, n, sizeof(losses[0]));
  if (!losses)
    return -ENOMEM;
  losses[n] = (struct reference_loss){number, number};
  reference->losses = losses;
  reference->loss_count = n + 1;
  return 0;
}

static int add(struct reference *reference, uint64_t number, struct reference_order order)
{
  struct reference_order *orders =
      grow(reference->orders, &reference->order_count, number, sizeof(orders[0]));
  if (!orders)
    return -ENOMEM;
  orders[number] = order;
  reference->orders = orders;
  return 0;
}

int reference_apply(struct reference *reference, const struct event *event, bool lost)
{
  reference->messages++;
  if (lost)
    return note_loss(reference);
  bool is_add = event->type == ITCH_ADD || event->type == ITCH_ADD_MPID;
  if (is_add || event->type == ITCH_STOCK_DIRECTORY)
    memcpy(reference->stocks[event->locate], event->stock, ITCH_STOCK_BYTES);
  if (is_add)
    return add(
        reference, event->reference,
        (struct reference_order){event->shares, event->price, event->locate, (uint8_t)event->side});
  /* An order whose own message was lost is not there to be changed. */
  if (event->reference == 0 || event->reference >= reference->order_count ||
      reference->orders[event->reference].shares == 0)
    return 0;
  struct reference_order *order = &reference->orders[event->reference];
  struct reference_order old = *order;
  if (event->type == ITCH_DELETE || event->type == ITCH_REPLACE || event->shares >= order->shares)
    order->shares = 0;
  else
    order->shares -= event->shares;
  if (event->type != ITCH_REPLACE)
    return 0;
  return add(reference, event->new_reference,
             (struct reference_order){event->shares, event->price, old.locate, old.side});
}

static int by_place(const void *left, const void *right)
{
  const struct reference_order *a = left, *b = right;
  if (a->locate != b->locate)
    return a->locate < b->locate ? -1 : 1;
  if (a->side != b->side)
    return a->side < b->side ? -1 : 1;
  if (a->price == b->price)
    return 0;
  return (a->price < b->price) == (a->side == BOOK_SELL) ? -1 : 1;
}

static void write_levels(const struct reference *reference, const struct reference_order *orders,
                         uint64_t count, FILE *file)
{
  for (uint64_t i = 0, end; i < count; i = end) {
    uint64_t shares = 0;
    for (end = i; end < count && by_place(&orders[i], &orders[end]) == 0; end++)
      shares += orders[end].shares;
    if (i == 0 || orders[i - 1].locate != orders[i].locate) {
      const char *stock = reference->stocks[orders[i].locate];
      const char *blank = memchr(stock, ' ', ITCH_STOCK_BYTES);
      fprintf(file, "book %u %.*s\n", orders[i].locate,
              (int)(blank ? blank - stock : ITCH_STOCK_BYTES), stock);
    }
    fprintf(file, "  %s %.4f %" PRIu64 " shares in %" PRIu64 " orders\n",
            orders[i].side == BOOK_BUY ? "buy" : "sell", orders[i].price / 1e4, shares, end - i);
  }
}

int reference_write(const struct reference *reference, const char *name, FILE *file)
{
  struct reference_order *resting = calloc(reference->order_count + 1, sizeof(*resting));
  uint64_t count = 0;
  if (!resting)
    return -ENOMEM;
  for (uint64_t i = 0; i < reference->order_count; i++)
    if (reference->orders[i].shares)
      resting[count++] = reference->orders[i];
  qsort(resting, count, sizeof(resting[0]), by_place);
  fprintf(file, "feed %s %" PRIu64 " messages %" PRIu64 " lost\n", name, reference->messages,
          reference->lost);
  for (uint64_t i = 0; i < reference->loss_count; i++)
    fprintf(file, "lost %" PRIu64 "-%" PRIu64 "\n", reference->losses[i].first,
            reference->losses[i].last);
  write_levels(reference, resting, count, file);
  free(resting);
  return 0;
}
