/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of the software 82599 share: a twin on a wire, a far end to give it carrier, its
 * registers at hand, and a host that counts interrupts. Time is what the test says. */
#ifndef TESTS_UNIT_TWIN_IXGBE_BENCH_H
#define TESTS_UNIT_TWIN_IXGBE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "twin/ixgbe/ixgbe.h"

struct bench {
  struct shunt_wire *wire;
  struct shunt_wire_end *far;
  struct shunt_model *model;
  struct twin_ixgbe *twin;
  unsigned sent[TWIN_IXGBE_VECTORS]; /* interrupts, by vector */
  unsigned line_changes;
  int line; /* INTx */
  unsigned far_frames;
};

static inline void bench_interrupt(void *context, unsigned vector, int level)
{
  struct bench *bench = context;
  if (vector == SHUNT_MODEL_INTX) {
    bench->line = level;
    bench->line_changes++;
    return;
  }
  assert_true(vector < TWIN_IXGBE_VECTORS);
  bench->sent[vector]++;
}

static inline void bench_far_deliver(void *context, const void *frame, uint32_t bytes,
                                     uint64_t now_ns)
{
  (void)frame;
  (void)bytes;
  (void)now_ns;
  ((struct bench *)context)->far_frames++;
}

static inline void bench_open(struct bench *bench, struct shunt_twin_ixgbe_options options)
{
  static const struct shunt_wire_end_ops far = {.deliver = bench_far_deliver};
  const struct shunt_wire_options wire_options = {.size = sizeof(wire_options)};
  struct shunt_error error = {0};
  memset(bench, 0, sizeof(*bench));
  options.size = sizeof(options);
  assert_int_equal(shunt_wire_create(&wire_options, &bench->wire, &error), 0);
  assert_int_equal(shunt_wire_attach(bench->wire, "far", &far, bench, &bench->far, &error), 0);
  assert_int_equal(shunt_twin_ixgbe_create(&options, bench->wire, "twin", &bench->model, &error),
                   0);
  bench->twin = (struct twin_ixgbe *)bench->model;
  const struct shunt_model_host host = {bench, bench_interrupt};
  shunt_model_attach(bench->model, &host);
}

static inline void bench_close(struct bench *bench)
{
  shunt_model_destroy(bench->model);
  shunt_wire_destroy(bench->wire);
}

static inline uint32_t bench_read(struct bench *bench, uint32_t offset)
{
  return (uint32_t)shunt_model_bar_read(bench->model, IXGBE_BAR_REGISTERS, offset, 4);
}

static inline void bench_write(struct bench *bench, uint32_t offset, uint32_t value)
{
  shunt_model_bar_write(bench->model, IXGBE_BAR_REGISTERS, offset, 4, value);
}

static inline uint64_t bench_counter(const struct bench *bench, const char *name)
{
  return shunt_model_counter(bench->model, name);
}

/* The far end sends a frame of that many bytes to everybody. */
static inline void bench_receive(struct bench *bench, uint32_t bytes, uint64_t now_ns)
{
  uint8_t frame[SHUNT_WIRE_FRAME_BYTES] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 0, 0, 0, 1};
  struct iovec piece = {frame, bytes};
  assert_int_equal(shunt_wire_send(bench->far, &piece, 1, now_ns), 0);
}

#endif
