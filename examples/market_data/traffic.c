/* SPDX-License-Identifier: BSD-2-Clause */
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

#define TICK      100 /* a cent */
#define FAR_TICKS 20
#define ROUND_LOT 100
#define OPENING   3 /* system events O, S, Q, around the directory */
#define CLOSING   3 /* M, E, C */
#define PRICE_LOW (10 * BOOK_PRICE_UNIT)

int traffic_open(struct traffic *traffic, uint64_t seed, uint64_t count, unsigned stocks,
                 uint32_t resting, struct shunt_error *error)
{
  *traffic = (struct traffic){.random = seed, .stocks = stocks, .count = count, .most = resting};
  if (stocks == 0 || stocks > TRAFFIC_STOCKS_MOST || resting == 0)
    return shunt_error_set(error, -EINVAL, "1 to %u stocks, and 1 order or more",
                           TRAFFIC_STOCKS_MOST);
  if (count < stocks + OPENING + CLOSING)
    return shunt_error_set(error, -EINVAL, "%u stocks need %u messages or more", stocks,
                           stocks + OPENING + CLOSING);
  traffic->orders = calloc(resting, sizeof(traffic->orders[0]));
  if (!traffic->orders)
    return shunt_error_set(error, -ENOMEM, "no memory for %u orders", resting);
  for (unsigned i = 0; i < stocks; i++)
    traffic->prices[i] = (uint32_t)(PRICE_LOW + random_below(&traffic->random, 2000) * TICK);
  return 0;
}

void traffic_close(struct traffic *traffic)
{
  free(traffic->orders);
  traffic->orders = NULL;
}

/* Symbols AAAA, BAAA, CAAA ... */
static void stock_symbol(unsigned locate, char stock[ITCH_STOCK_BYTES])
{
  memset(stock, ' ', ITCH_STOCK_BYTES);
  for (unsigned i = 0; i < 4; i++, locate /= 26)
    stock[i] = (char)('A' + locate % 26);
}

static uint32_t draw_shares(struct traffic *traffic)
{
  return (uint32_t)(random_below(&traffic->random, 8) + 1) * ROUND_LOT;
}

/* On its side of what the stock is worth; the lesser of two draws, so that near ones are likelier.
 */
static uint32_t draw_price(struct traffic *traffic, uint16_t locate, unsigned side)
{
  uint32_t worth = traffic->prices[locate - 1];
  uint64_t one = random_below(&traffic->random, FAR_TICKS);
  uint64_t other = random_below(&traffic->random, FAR_TICKS);
  uint32_t away = (uint32_t)((one < other ? one : other) + 1) * TICK;
  return side == BOOK_BUY ? worth - away : worth + away;
}

static void add(struct traffic *traffic, struct event *event)
{
  uint16_t locate = (uint16_t)(1 + random_below(&traffic->random, traffic->stocks));
  unsigned side = (unsigned)random_below(&traffic->random, BOOK_SIDES);
  traffic->last_reference += 1 + random_below(&traffic->random, 3);
  struct traffic_order *order = &traffic->orders[traffic->resting++];
  *order = (struct traffic_order){.reference = traffic->last_reference,
                                  .shares = draw_shares(traffic),
                                  .price = draw_price(traffic, locate, side),
                                  .locate = locate,
                                  .side = (uint8_t)side};
  event->type = random_below(&traffic->random, 8) ? ITCH_ADD : ITCH_ADD_MPID;
  event->locate = locate;
  event->reference = order->reference;
  event->side = side;
  event->shares = order->shares;
  event->price = order->price;
  stock_symbol(locate, event->stock);
}

static void take_out(struct traffic *traffic, struct traffic_order *order)
{
  *order = traffic->orders[--traffic->resting];
}

/* Executed or cancelled, in part or, if executed, also as a whole. */
static void reduce(struct traffic *traffic, struct traffic_order *order, struct event *event)
{
  bool is_cancel = event->type == ITCH_CANCEL;
  if (is_cancel && order->shares == 1) {
    event->type = ITCH_DELETE;
    take_out(traffic, order);
    return;
  }
  event->shares = 1 + (uint32_t)random_below(&traffic->random, order->shares - is_cancel);
  event->match = is_cancel ? 0 : ++traffic->last_match;
  event->price = order->price + (event->type == ITCH_EXECUTED_WITH_PRICE ? TICK : 0);
  order->shares -= event->shares;
  if (order->shares == 0)
    take_out(traffic, order);
}

static void replace(struct traffic *traffic, struct traffic_order *order, struct event *event)
{
  traffic->last_reference += 1 + random_below(&traffic->random, 3);
  order->reference = traffic->last_reference;
  order->shares = draw_shares(traffic);
  order->price = draw_price(traffic, order->locate, order->side);
  event->new_reference = order->reference;
  event->shares = order->shares;
  event->price = order->price;
}

/* Something that happens to an order that rests. */
static void change(struct traffic *traffic, struct event *event)
{
  static const char kinds[] = "EEEECXXXDDDDDUUU";
  struct traffic_order *order = &traffic->orders[random_below(&traffic->random, traffic->resting)];
  event->type = (uint8_t)kinds[random_below(&traffic->random, sizeof(kinds) - 1)];
  event->locate = order->locate;
  event->reference = order->reference;
  event->side = order->side;
  if (event->type == ITCH_DELETE)
    take_out(traffic, order);
  else if (event->type == ITCH_REPLACE)
    replace(traffic, order, event);
  else
    reduce(traffic, order, event);
}

/* What no book changes by: a trade of an order that was not displayed, or a stock's trading state.
 */
static void aside(struct traffic *traffic, struct event *event)
{
  event->type = random_below(&traffic->random, 4) ? 'P' : 'H';
  event->locate = (uint16_t)(1 + random_below(&traffic->random, traffic->stocks));
  event->code = 'T';
  event->shares = draw_shares(traffic);
  event->price = traffic->prices[event->locate - 1];
  event->match = event->type == 'P' ? ++traffic->last_match : 0;
  stock_symbol(event->locate, event->stock);
}

static void system_event(struct event *event, char code)
{
  event->type = ITCH_SYSTEM_EVENT;
  event->code = (uint8_t)code;
}

bool traffic_next(struct traffic *traffic, struct event *event)
{
  uint64_t at = traffic->made, left = traffic->count - at;
  if (left == 0)
    return false;
  traffic->made++;
  *event = (struct event){.type = 0};
  if (at == 0) {
    system_event(event, 'O');
  } else if (at <= traffic->stocks) {
    event->type = ITCH_STOCK_DIRECTORY;
    event->locate = (uint16_t)at;
    stock_symbol(event->locate, event->stock);
  } else if (at < traffic->stocks + OPENING) {
    system_event(event, at == traffic->stocks + 1 ? 'S' : 'Q');
  } else if (left <= CLOSING) {
    system_event(event, "CEM"[left - 1]);
  } else {
    uint64_t draw = random_below(&traffic->random, 32);
    bool full = traffic->resting == traffic->most;
    if (draw == 0)
      aside(traffic, event);
    else if (traffic->resting == 0 || (draw < 17 && !full))
      add(traffic, event);
    else
      change(traffic, event);
  }
  return true;
}

/* ---- Messages ---- */

static void encode_directory(const struct event *event, struct itch_stock_directory *m)
{
  memcpy(m->stock, event->stock, ITCH_STOCK_BYTES);
  m->market_category = 'Q';
  m->financial_status = 'N';
  shunt_store_be32(m->round_lot, ROUND_LOT);
  m->round_lots_only = 'N';
  m->issue_classification = 'C';
  memcpy(m->issue_sub_type, "Z ", 2);
  m->authenticity = 'T';
  m->short_sale_threshold = 'N';
  m->ipo = 'N';
  m->luld_tier = '1';
  m->etp = 'N';
  m->inverse = 'N';
}

static void encode_add(const struct event *event, struct itch_add *m)
{
  store_be64(m->reference, event->reference);
  m->side = event->side == BOOK_BUY ? 'B' : 'S';
  shunt_store_be32(m->shares, event->shares);
  memcpy(m->stock, event->stock, ITCH_STOCK_BYTES);
  shunt_store_be32(m->price, event->price);
}

static void encode_change(const struct event *event, uint8_t *message)
{
  struct itch_replace *replaced = (struct itch_replace *)message;
  struct itch_executed_with_price *executed = (struct itch_executed_with_price *)message;
  store_be64(replaced->reference, event->reference); /* at the same place in all of them */
  if (event->type == ITCH_REPLACE) {
    store_be64(replaced->new_reference, event->new_reference);
    shunt_store_be32(replaced->shares, event->shares);
    shunt_store_be32(replaced->price, event->price);
  } else if (event->type != ITCH_DELETE) {
    shunt_store_be32(executed->executed.shares, event->shares);
  }
  if (event->type == ITCH_EXECUTED || event->type == ITCH_EXECUTED_WITH_PRICE)
    store_be64(executed->executed.match, event->match);
  if (event->type == ITCH_EXECUTED_WITH_PRICE) {
    executed->printable = 'Y';
    shunt_store_be32(executed->price, event->price);
  }
}

/* Sections 1.5.1 and 1.2.2. */
static void encode_aside(const struct event *event, uint8_t *message)
{
  if (event->type == 'P') {
    encode_add(event, (struct itch_add *)message);
    store_be64(message + sizeof(struct itch_add), event->match);
    return;
  }
  memcpy(message + 11, event->stock, ITCH_STOCK_BYTES);
  message[19] = event->code;
  memset(message + 20, ' ', 5);
}

uint32_t event_encode(const struct event *event, uint64_t time_ns, uint8_t *message)
{
  static const char mpid[4] = {'S', 'H', 'N', 'T'};
  struct itch_head *head = (struct itch_head *)message;
  memset(message, 0, ITCH_MESSAGE_BYTES);
  head->type = event->type;
  shunt_store_be16(head->locate, event->locate);
  store_be48(head->time_ns, time_ns);
  switch (event->type) {
  case ITCH_SYSTEM_EVENT:
    ((struct itch_system_event *)message)->event = event->code;
    break;
  case ITCH_STOCK_DIRECTORY:
    encode_directory(event, (struct itch_stock_directory *)message);
    break;
  case ITCH_ADD_MPID:
    memcpy(((struct itch_add_mpid *)message)->attribution, mpid, sizeof(mpid));
    encode_add(event, (struct itch_add *)message);
    break;
  case ITCH_ADD:
    encode_add(event, (struct itch_add *)message);
    break;
  case 'P':
  case 'H':
    encode_aside(event, message);
    break;
  default:
    encode_change(event, message);
  }
  return itch_bytes(event->type);
}
