/* SPDX-License-Identifier: BSD-2-Clause */
/* A port of the null driver that can be captured, and the capture of it. */
#ifndef TESTS_UNIT_CAPTURE_RIG_H
#define TESTS_UNIT_CAPTURE_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <unistd.h>

#include "shunt/capture.h"
#include "unit/null_driver.h"

#define RING  64u
#define BUFS  192u
#define FRAME 100u

struct rig {
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_port *port;
  struct shunt_queue *q;
  struct shunt_capture_port found;
  struct shunt_capture *capture;
  struct shunt_error error;
};

static int rig_set_up(void **state)
{
  struct rig *rig = calloc(1, sizeof(*rig));
  struct shunt_region_options region = {.size = sizeof(region),
                                        .bytes = 2 << 20,
                                        .pages = SHUNT_PAGES_4K,
                                        .numa_node = SHUNT_NUMA_ANY};
  *state = rig;
  return !rig || shunt_region_create(&region, &rig->region, &rig->error) ||
         shunt_pool_create(rig->region, BUFS, &rig->pool, &rig->error);
}

static int rig_tear_down(void **state)
{
  struct rig *rig = *state;
  shunt_capture_detach(rig->capture);
  shunt_port_close(rig->port);
  shunt_pool_destroy(rig->pool);
  shunt_region_destroy(rig->region);
  free(rig);
  return 0;
}

static void rig_open(struct rig *rig, const char *name, const struct shunt_clock *clock)
{
  struct shunt_port_options options = {.size = sizeof(options),
                                       .region = rig->region,
                                       .rx_ring = RING,
                                       .tx_ring = RING,
                                       .clock = clock};
  assert_int_equal(port_open_with(&null_driver, name, &options, &rig->port, &rig->error), 0);
  rig->q = shunt_port_queue(rig->port, 0);
  shunt_rx_fill(rig->q, rig->pool);
}

static void rig_attach(struct rig *rig, const struct shunt_capture_options *options)
{
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), &rig->found, 1, &rig->error), 1);
  assert_int_equal(shunt_capture_attach(&rig->found, options, &rig->capture, &rig->error), 0);
}

/* Post one frame of bytes that count up from first, in pieces of so many bytes. */
static unsigned rig_post(struct rig *rig, uint8_t first, uint32_t bytes, uint32_t piece_bytes,
                         uint32_t flags, uint16_t vlan)
{
  struct shunt_frame frames[RING];
  unsigned n = 0;
  for (uint32_t at = 0; at < bytes; at += piece_bytes, n++) {
    uint32_t len = bytes - at < piece_bytes ? bytes - at : piece_bytes;
    frames[n] = (struct shunt_frame){.len = (uint16_t)len, .flags = flags, .vlan = vlan};
    frames[n].flags |= at + len < bytes ? SHUNT_FRAME_MORE : 0;
    assert_int_equal(shunt_pool_take(rig->pool, &frames[n].addr, 1), 1);
    uint8_t *data = shunt_frame_data(rig->q, &frames[n]);
    for (uint32_t i = 0; i < len; i++)
      data[i] = (uint8_t)(first + at + i);
  }
  unsigned posted = shunt_tx_post(rig->q, frames, n);
  for (unsigned i = posted; i < n; i++)
    shunt_pool_give(rig->pool, &frames[i].addr, 1);
  return posted;
}

/* Let the device send, and take the sent buffers back. */
static void rig_push(struct rig *rig)
{
  shunt_buf bufs[RING];
  shunt_tx_push(rig->q);
  shunt_pool_give(rig->pool, bufs, shunt_tx_poll(rig->q, bufs, RING));
}

/* Receive up to n pieces, and give the buffers to the NIC again. */
static unsigned rig_receive(struct rig *rig, unsigned n)
{
  struct shunt_frame frames[RING];
  unsigned got = shunt_rx_poll(rig->q, frames, n);
  for (unsigned i = 0; i < got; i++)
    shunt_pool_give(rig->pool, &frames[i].addr, 1);
  shunt_rx_fill(rig->q, rig->pool);
  return got;
}

static void rig_exchange(struct rig *rig, uint8_t first)
{
  assert_int_equal(rig_post(rig, first, FRAME, FRAME, 0, 0), 1);
  rig_push(rig);
  assert_int_equal(rig_receive(rig, RING), 1);
}

static struct shunt_capture_record rig_next(struct rig *rig)
{
  struct shunt_capture_record record = {.queue = 99};
  assert_int_equal(shunt_capture_next(rig->capture, &record, &rig->error), 1);
  assert_int_equal(record.queue, 0);
  return record;
}

static void rig_expect(struct rig *rig, uint32_t direction, uint8_t first, uint32_t bytes)
{
  struct shunt_capture_record record = rig_next(rig);
  assert_int_equal(record.direction, direction);
  assert_int_equal(record.original_bytes, bytes);
  assert_int_equal(record.captured_bytes, bytes);
  for (uint32_t i = 0; i < bytes; i++)
    assert_int_equal(record.data[i], (uint8_t)(first + i));
}

static void rig_expect_none(struct rig *rig)
{
  struct shunt_capture_record record;
  assert_int_equal(shunt_capture_next(rig->capture, &record, &rig->error), 0);
}

static void rig_detach(struct rig *rig)
{
  shunt_capture_detach(rig->capture);
  rig->capture = NULL;
}

#endif
