/* SPDX-License-Identifier: BSD-2-Clause */
#include "itch.h"

static const uint8_t lengths[256] = {
    [ITCH_SYSTEM_EVENT] = sizeof(struct itch_system_event),
    [ITCH_STOCK_DIRECTORY] = sizeof(struct itch_stock_directory),
    ['H'] = 25, /* 1.2.2 trading action */
    ['Y'] = 20, /* 1.2.3 Reg SHO restriction */
    ['L'] = 26, /* 1.2.4 market participant position */
    ['V'] = 35, /* 1.2.5.1 market-wide circuit breaker: levels */
    ['W'] = 12, /* 1.2.5.2 market-wide circuit breaker: status */
    ['K'] = 28, /* 1.2.6 IPO quoting period */
    ['J'] = 35, /* 1.2.7 LULD auction collar */
    ['h'] = 21, /* 1.2.8 operational halt */
    [ITCH_ADD] = sizeof(struct itch_add),
    [ITCH_ADD_MPID] = sizeof(struct itch_add_mpid),
    [ITCH_EXECUTED] = sizeof(struct itch_executed),
    [ITCH_EXECUTED_WITH_PRICE] = sizeof(struct itch_executed_with_price),
    [ITCH_CANCEL] = sizeof(struct itch_cancel),
    [ITCH_DELETE] = sizeof(struct itch_delete),
    [ITCH_REPLACE] = sizeof(struct itch_replace),
    ['P'] = 44, /* 1.5.1 trade of an order that was not displayed */
    ['Q'] = 40, /* 1.5.2 cross trade */
    ['B'] = 19, /* 1.5.3 broken trade */
    ['I'] = 50, /* 1.6 net order imbalance */
    ['N'] = 20, /* 1.7 retail price improvement */
    ['O'] = 48, /* 1.8 direct listing with capital raise */
};

uint32_t itch_bytes(uint8_t type)
{
  return lengths[type];
}

static void add(struct itch *itch, const uint8_t *message, uint16_t locate)
{
  const struct itch_add *m = (const struct itch_add *)message;
  if (m->side != 'B' && m->side != 'S') {
    itch->bad_side++;
    return;
  }
  book_name(itch->books, locate, m->stock);
  itch->results[book_add(itch->books, locate, load_be64(m->reference),
                         m->side == 'B' ? BOOK_BUY : BOOK_SELL, shunt_load_be32(m->shares),
                         shunt_load_be32(m->price))]++;
}

/* Executed at whatever price: what is left of the order stays where it is. */
static void executed(struct itch *itch, const uint8_t *message, uint16_t locate)
{
  const struct itch_executed *m = (const struct itch_executed *)message;
  itch->results[book_reduce(itch->books, locate, load_be64(m->reference),
                            shunt_load_be32(m->shares))]++;
}

static void cancel(struct itch *itch, const uint8_t *message, uint16_t locate)
{
  const struct itch_cancel *m = (const struct itch_cancel *)message;
  itch->results[book_reduce(itch->books, locate, load_be64(m->reference),
                            shunt_load_be32(m->shares))]++;
}

static void replace(struct itch *itch, const uint8_t *message, uint16_t locate)
{
  const struct itch_replace *m = (const struct itch_replace *)message;
  itch->results[book_replace(itch->books, locate, load_be64(m->reference),
                             load_be64(m->new_reference), shunt_load_be32(m->shares),
                             shunt_load_be32(m->price))]++;
}

void itch_apply(struct itch *itch, const uint8_t *message, uint32_t bytes)
{
  if (bytes == 0 || bytes != lengths[message[0]]) {
    if (bytes && lengths[message[0]] == 0)
      itch->unknown_type++;
    else
      itch->bad_length++;
    return;
  }
  uint16_t locate = shunt_load_be16(((const struct itch_head *)message)->locate);
  itch->types[message[0]]++;
  switch (message[0]) {
  case ITCH_ADD:
  case ITCH_ADD_MPID:
    add(itch, message, locate);
    return;
  case ITCH_EXECUTED:
  case ITCH_EXECUTED_WITH_PRICE:
    executed(itch, message, locate);
    return;
  case ITCH_CANCEL:
    cancel(itch, message, locate);
    return;
  case ITCH_DELETE:
    itch->results[book_delete(itch->books, locate,
                              load_be64(((const struct itch_delete *)message)->reference))]++;
    return;
  case ITCH_REPLACE:
    replace(itch, message, locate);
    return;
  case ITCH_STOCK_DIRECTORY:
    book_name(itch->books, locate, ((const struct itch_stock_directory *)message)->stock);
    return;
  default: /* about something else than resting orders: skipped */
    return;
  }
}
