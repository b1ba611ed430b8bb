/* SPDX-License-Identifier: BSD-2-Clause */
/* The least driver there is, of a NIC that receives what it sends: docs/adding-a-nic.md walks
 * through it, test_driver.c drives it. null_work is the device; where there is a card, registers
 * tell it of rings and tails, and descriptors how far it is. */
#ifndef TESTS_UNIT_NULL_DRIVER_H
#define TESTS_UNIT_NULL_DRIVER_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/port/driver.h"

/* Indices run free, modulo 2^32; a slot is the index masked. head <= done <= told <= tail. */
struct null_ring {
  struct shunt_frame *slots;
  uint32_t mask;
  uint32_t head; /* the next that goes back to the caller */
  uint32_t done; /* the next that the device works on */
  uint32_t told; /* the first that the device does not know of */
  uint32_t tail; /* the next that the caller fills */
};

struct null_queue {
  struct shunt_queue head; /* first: the two are converted by a cast */
  struct null_ring rx, tx;
};

struct null_port {
  struct shunt_port port; /* first, likewise */
  struct null_queue queue;
  uint64_t lose; /* the device misses each so many-th frame; 0: none */
  uint64_t frames, missed;
};

/* ---- The five verbs ---- */
static uint32_t null_room(const struct null_ring *ring)
{
  return ring->mask + 1 - (ring->tail - ring->head);
}
static struct shunt_frame *null_slot(const struct null_ring *ring, uint32_t index)
{
  return &ring->slots[index & ring->mask];
}

static unsigned null_rx_post(struct shunt_queue *q, const shunt_buf bufs[], unsigned n)
{
  struct null_ring *rx = &((struct null_queue *)q)->rx;
  unsigned posted = 0;
  for (; posted < n && null_room(rx); posted++)
    null_slot(rx, rx->tail++)->addr = bufs[posted] & ~(uint64_t)(q->buf_bytes - 1);
  rx->told = rx->tail;
  return posted;
}

static unsigned null_rx_poll(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  struct null_ring *rx = &((struct null_queue *)q)->rx;
  unsigned got = 0;
  while (got < n && rx->head != rx->done)
    frames[got++] = *null_slot(rx, rx->head++);
  return got;
}

/* Pieces of the frame at frames[0], or 0 where its last one is not among n. */
static unsigned null_pieces(const struct shunt_frame frames[], unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    if (!(frames[i].flags & SHUNT_FRAME_MORE))
      return i + 1;
  return 0;
}

static unsigned null_tx_post(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n)
{
  struct null_ring *tx = &((struct null_queue *)q)->tx;
  unsigned posted = 0, pieces;
  while ((pieces = null_pieces(frames + posted, n - posted)) != 0 && pieces <= null_room(tx))
    for (; pieces; pieces--)
      *null_slot(tx, tx->tail++) = frames[posted++];
  return posted;
}

static void null_tx_push(struct shunt_queue *q)
{
  struct null_ring *tx = &((struct null_queue *)q)->tx;
  tx->told = tx->tail;
}

static unsigned null_tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n)
{
  struct null_ring *tx = &((struct null_queue *)q)->tx;
  unsigned got = 0;
  while (got < n && tx->head != tx->done)
    bufs[got++] = null_slot(tx, tx->head++)->addr;
  return got;
}

static const struct shunt_queue_verbs null_verbs = {null_rx_post, null_rx_poll, null_tx_post,
                                                    null_tx_push, null_tx_poll};

/* ---- The device ---- */
static void null_receive(struct null_queue *q, const struct shunt_frame *sent)
{
  struct shunt_frame *slot = null_slot(&q->rx, q->rx.done++);
  memcpy(q->head.base + slot->addr, q->head.base + sent->addr, sent->len);
  *slot = (struct shunt_frame){slot->addr, sent->flags & SHUNT_FRAME_MORE, sent->len};
}

/* Its turn. tx_post takes whole frames only, so the last piece is always there. */
static unsigned null_work(struct shunt_port *port)
{
  struct null_port *null = (struct null_port *)port;
  struct null_queue *q = &null->queue;
  unsigned work = 0;
  for (; q->tx.done != q->tx.told; work++) {
    uint32_t pieces = 1;
    while (null_slot(&q->tx, q->tx.done + pieces - 1)->flags & SHUNT_FRAME_MORE)
      pieces++;
    bool missed = q->rx.told - q->rx.done < pieces;
    missed |= null->lose && ++null->frames % null->lose == 0;
    null->missed += missed;
    for (; pieces; pieces--, q->tx.done++)
      if (!missed)
        null_receive(q, null_slot(&q->tx, q->tx.done));
  }
  return work;
}

/* ---- The port ---- */
/* Takes what open can leave behind half-built. */
static void null_close(struct shunt_port *port)
{
  free(((struct null_port *)port)->queue.rx.slots); /* the send ring's are behind them */
  free(port);
}

static void null_info(const struct shunt_port *port, struct shunt_port_info *info)
{
  info->driver = "null";
  info->device = "loopback";
  info->path = "memory";
  info->max_queues = 1;
  info->rx_buf_bytes = ((const struct null_port *)port)->queue.head.buf_bytes;
  info->model = 1;
}

static struct shunt_queue *null_queue(struct shunt_port *port, unsigned index)
{
  (void)index; /* port.c has checked it */
  return &((struct null_port *)port)->queue.head;
}

static unsigned null_statistics(struct shunt_port *port, struct shunt_statistic all[], unsigned n)
{
  if (n)
    all[0] = (struct shunt_statistic){"rx_missed", ((struct null_port *)port)->missed};
  return 1;
}

/* What is NULL here port.c refuses with -EOPNOTSUPP. */
static const struct port_ops null_ops = {.close = null_close,
                                         .info = null_info,
                                         .queue = null_queue,
                                         .step = null_work,
                                         .statistics = null_statistics};

static int null_open(const char *location, const struct shunt_port_options *options,
                     struct params *params, struct shunt_port **port, struct shunt_error *error)
{
  uint64_t lose = 0;
  if (params_take_u64(params, "lose", 0, UINT32_MAX, &lose, error))
    return -EINVAL;
  if (strcmp(location, "loop") != 0)
    return shunt_error_set(error, -ENODEV, "there is no null NIC %s", location);
  if (options->queues > 1)
    return shunt_error_set(error, -EINVAL, "a null NIC has one queue pair");
  struct null_port *null = calloc(1, sizeof(*null));
  if (!null)
    return shunt_error_set(error, -ENOMEM, "no memory for a port");
  null->port.ops = &null_ops;
  null->port.steps = true;
  null->lose = lose;
  null->queue.head.verbs = &null_verbs;
  null->queue.head.base = shunt_region_base(options->region);
  null->queue.head.buf_bytes = shunt_region_buf_bytes(options->region);
  null->queue.rx.mask = options->rx_ring - 1;
  null->queue.tx.mask = options->tx_ring - 1;
  null->queue.rx.slots = calloc(options->rx_ring + options->tx_ring, sizeof(struct shunt_frame));
  if (!null->queue.rx.slots) {
    null_close(&null->port);
    return shunt_error_set(error, -ENOMEM, "no memory for the rings");
  }
  null->queue.tx.slots = null->queue.rx.slots + options->rx_ring;
  *port = &null->port;
  return 0;
}

static int null_knows(uint16_t vendor, uint16_t device, struct shunt_error *error)
{
  (void)vendor, (void)device, (void)error; /* it is no PCI device */
  return -ENODEV;
}

static const struct port_driver null_driver = {
    .name = "null", .knows = null_knows, .open = null_open};

#endif
