/* SPDX-License-Identifier: BSD-2-Clause */
/* An end of a wire that tests look into. */
#ifndef TESTS_UNIT_WIRE_NODE_H
#define TESTS_UNIT_WIRE_NODE_H

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/core/pcapng.h"
#include "twin/wire/wire.h"

/* An end that remembers what it saw, and may do one thing with it. */
struct node {
  struct shunt_wire *wire;
  struct shunt_wire_end *end;
  unsigned delivered, detached, carriers, polls, inside, inside_most;
  int carrier;
  uint32_t last_bytes;
  const void *last_at;
  uint64_t last_ns;
  uint8_t last[64];
  void (*then)(struct node *node, const void *frame, uint32_t bytes, uint64_t now_ns);
  struct node *other;
  uint64_t next_ns;
};

static void node_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct node *node = context;
  assert_int_equal(node->detached, 0);
  node->delivered++;
  node->last_at = frame;
  node->last_bytes = bytes;
  node->last_ns = now_ns;
  memcpy(node->last, frame, bytes < sizeof(node->last) ? bytes : sizeof(node->last));
  node->inside++;
  if (node->inside > node->inside_most)
    node->inside_most = node->inside;
  if (node->then != NULL)
    node->then(node, frame, bytes, now_ns);
  node->inside--;
}

static void node_carrier(void *context, int up)
{
  struct node *node = context;
  assert_int_not_equal(up, node->carrier);
  node->carrier = up;
  node->carriers++;
}

static unsigned node_poll(void *context, uint64_t now_ns)
{
  struct node *node = context;
  assert_int_equal(node->detached, 0);
  (void)now_ns;
  node->polls++;
  return 0;
}

static uint64_t node_next_ns(void *context)
{
  return ((struct node *)context)->next_ns;
}

static void node_detached(void *context)
{
  struct node *node = context;
  assert_int_equal(node->inside, 0);
  node->detached++;
}

static const struct shunt_wire_end_ops node_ops = {
    .deliver = node_deliver,
    .carrier = node_carrier,
    .poll = node_poll,
    .next_ns = node_next_ns,
    .detached = node_detached,
};

static struct shunt_wire *make_wire(uint32_t queue_frames)
{
  struct shunt_wire_options options = {.size = sizeof(options), .queue_frames = queue_frames};
  struct shunt_wire *wire = NULL;
  assert_int_equal(shunt_wire_create(&options, &wire, NULL), 0);
  return wire;
}

static void plug(struct shunt_wire *wire, struct node *node)
{
  memset(node, 0, sizeof(*node));
  node->wire = wire;
  node->next_ns = UINT64_MAX;
  assert_int_equal(shunt_wire_attach(wire, "node", &node_ops, node, &node->end, NULL), 0);
}

static int send_bytes(struct node *node, const void *frame, size_t bytes, uint64_t now_ns)
{
  struct iovec piece = {.iov_base = (void *)(uintptr_t)frame, .iov_len = bytes};
  return shunt_wire_send(node->end, &piece, 1, now_ns);
}

static struct shunt_wire_statistics statistics_of(const struct node *node)
{
  struct shunt_wire_statistics statistics = {.size = sizeof(statistics)};
  shunt_wire_statistics(node->end, &statistics);
  assert_int_equal(statistics.offered + statistics.duplicated,
                   statistics.delivered + statistics.lost + statistics.overflowed +
                       statistics.no_carrier + statistics.in_flight);
  return statistics;
}

#endif
