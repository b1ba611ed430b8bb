/* SPDX-License-Identifier: BSD-2-Clause */
/* An 82599 port on a twin, and the test itself at the other end of the wire, in virtual time. */
#ifndef TESTS_UNIT_IXGBE_RIG_H
#define TESTS_UNIT_IXGBE_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/testbed.h"
#include "src/nic/ixgbe/ixgbe.h"
#include "src/pci/backend.h"
#include "twin/ixgbe/ixgbe.h"

#define RIG_FRAMES      512u
#define RIG_FRAME_BYTES 16384u
#define RIG_BUFS        256u

struct rig {
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  struct shunt_testbed *testbed;
  struct shunt_wire *wire;
  struct shunt_wire_end *peer; /* the test's end */
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_port_options options;
  struct shunt_port *port;
  struct shunt_error error;
  unsigned sent_by_port; /* frames that reached the test's end */
  uint64_t sent_bytes;
  uint8_t last[RIG_FRAME_BYTES]; /* the latest of them */
  uint32_t last_bytes;
  struct shunt_frame frames[RIG_FRAMES]; /* received by rig_receive */
};

static inline void rig_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct rig *rig = context;
  (void)now_ns;
  rig->sent_by_port++;
  rig->sent_bytes += bytes;
  memcpy(rig->last, frame, bytes);
  rig->last_bytes = bytes;
}

static inline void rig_turn(void *context, uint64_t now_ns)
{
  struct rig *rig = context;
  (void)now_ns;
  if (rig->testbed)
    shunt_testbed_poll(rig->testbed);
}

static inline void rig_fail(const struct rig *rig, const char *what)
{
  fail_msg("%s: %s; %s", what, rig->error.what, rig->error.why);
}

/* A testbed, a wire with the test on it, a region; no port yet. */
static inline int rig_set_up(void **state)
{
  static const struct shunt_wire_end_ops ops = {.deliver = rig_deliver};
  struct rig *rig = calloc(1, sizeof(*rig));
  *state = rig;
  if (!rig)
    return -1;
  shunt_virtual_clock_init(&rig->time, 1000000);
  shunt_virtual_clock_hook(&rig->time, rig_turn, rig, 1000);
  rig->clock = shunt_virtual_clock_view(&rig->time);
  struct shunt_testbed_options testbed = {.size = sizeof(testbed), .clock = &rig->clock};
  struct shunt_region_options region = {.size = sizeof(region),
                                        .bytes = 6 << 20,
                                        .pages = SHUNT_PAGES_4K,
                                        .numa_node = SHUNT_NUMA_ANY};
  if (shunt_testbed_create(&testbed, &rig->testbed, &rig->error) ||
      !(rig->wire = shunt_testbed_wire(rig->testbed, "w", &rig->error)) ||
      shunt_wire_attach(rig->wire, "test", &ops, rig, &rig->peer, &rig->error) ||
      shunt_region_create(&region, &rig->region, &rig->error) ||
      shunt_pool_create(rig->region, 2048, &rig->pool, &rig->error))
    return -1;
  rig->options = (struct shunt_port_options){.size = sizeof(rig->options),
                                             .region = rig->region,
                                             .rx_ring = 128,
                                             .tx_ring = 128,
                                             .clock = &rig->clock,
                                             .testbed = rig->testbed};
  return 0;
}

/* Close the port; what it held is in the pool again. */
static inline void rig_close(struct rig *rig)
{
  uint32_t count = shunt_pool_count(rig->pool);
  shunt_port_close(rig->port);
  rig->port = NULL;
  shunt_pool_destroy(rig->pool);
  if (shunt_pool_create(rig->options.region, count, &rig->pool, &rig->error))
    rig_fail(rig, "pool");
}

static inline int rig_tear_down(void **state)
{
  struct rig *rig = *state;
  rig_close(rig);
  shunt_pool_destroy(rig->pool);
  shunt_testbed_destroy(rig->testbed);
  shunt_region_destroy(rig->region);
  free(rig);
  return 0;
}

/* Let time pass, the devices getting their turns. */
static inline void rig_run(struct rig *rig, uint64_t us)
{
  shunt_virtual_clock_advance(&rig->time, us * 1000);
}

static inline struct ixgbe *rig_ixgbe(const struct rig *rig)
{
  return ixgbe_of(rig->port);
}

/* A register of the chip, past the driver; one that clears on read is cleared. */
static inline uint32_t rig_register(const struct rig *rig, uint32_t offset)
{
  return ixgbe_read(rig_ixgbe(rig), offset);
}

/* Post to each ring what it takes of its share of the free buffers. */
static inline void rig_fill(struct rig *rig)
{
  unsigned queues = rig_ixgbe(rig)->options.queues;
  unsigned share = shunt_pool_free(rig->pool) / queues;
  for (unsigned i = 0; i < queues; i++) {
    shunt_buf bufs[128];
    unsigned n = shunt_pool_take(rig->pool, bufs, share < 128 ? share : 128);
    unsigned posted = shunt_rx_post(shunt_port_queue(rig->port, i), bufs, n);
    shunt_pool_give(rig->pool, bufs + posted, n - posted);
  }
}

/* Open "ixgbe:twin?wire=w<keys>", bring the link up and fill the Rx rings. */
static inline void rig_open(struct rig *rig, const char *keys)
{
  char name[160];
  snprintf(name, sizeof(name), "ixgbe:twin?wire=w%s", keys);
  if (shunt_port_open(name, &rig->options, &rig->port, &rig->error))
    rig_fail(rig, name);
  rig_run(rig, 1000);
  rig_fill(rig);
  rig_run(rig, 100);
}

/* Send a frame from the test to the port. */
static inline void rig_send(struct rig *rig, const void *frame, uint32_t bytes)
{
  struct iovec piece = {.iov_base = (void *)(uintptr_t)frame, .iov_len = bytes};
  int result = shunt_wire_send(rig->peer, &piece, 1, rig->time.now_ns);
  assert_int_equal(result, 0);
}

/* Take what queue q has received, up to RIG_FRAMES pieces, into rig->frames; the buffers go back to
 * the pool, and what is in them stays as it is until the pool hands them out again. */
static inline unsigned rig_receive(struct rig *rig, unsigned queue)
{
  struct shunt_queue *q = shunt_port_queue(rig->port, queue);
  unsigned n = 0, got;
  rig_run(rig, 20);
  while ((got = shunt_rx_poll(q, rig->frames + n, RIG_FRAMES - n)) != 0)
    n += got;
  for (unsigned i = 0; i < n; i++)
    shunt_pool_give(rig->pool, &rig->frames[i].addr, 1);
  return n;
}

/* The value of a statistic; fails the test where there is none of that name. */
static inline uint64_t rig_statistic(struct rig *rig, const char *name)
{
  static struct shunt_statistic statistics[512];
  unsigned n = shunt_port_statistics(rig->port, statistics, 512);
  for (unsigned i = 0; i < n; i++)
    if (!strcmp(statistics[i].name, name))
      return statistics[i].value;
  fail_msg("no statistic is called %s", name);
  return 0;
}

static inline struct twin_ixgbe *rig_twin(const struct rig *rig)
{
  return (struct twin_ixgbe *)inproc_model(rig_ixgbe(rig)->pci);
}

/* The twin has nothing to complain of. */
static inline void rig_assert_no_faults(const struct rig *rig)
{
  const struct twin_ixgbe *twin = rig_twin(rig);
#define X(name)                                                                                    \
  if (twin->faults.name)                                                                           \
    fail_msg("the twin counts %llu times " #name, (unsigned long long)twin->faults.name);
  TWIN_IXGBE_FAULTS(X)
#undef X
  assert_int_equal(twin->model.dma_faults, 0);
}

/* --- Frames ------------------------------------------------------------------------------------
 */

struct rig_flow {
  struct shunt_mac to;
  uint16_t vlan; /* 0: no tag */
  uint32_t source_ip, destination_ip;
  uint16_t source_port, destination_port;
  uint8_t protocol;
  uint32_t bytes; /* of the whole frame; at least 60 */
};

/* A UDP, TCP or other IPv4 frame with right checksums; its last byte is mark. Returns its length.
 */
static inline uint32_t rig_frame(uint8_t frame[], const struct rig_flow *flow, uint8_t mark)
{
  uint32_t bytes = flow->bytes ? flow->bytes : 64, l2 = flow->vlan ? 18 : 14;
  memset(frame, 0, bytes);
  memcpy(frame, &flow->to, 6);
  memcpy(frame + 6, "\x02\xaa\xbb\xcc\xdd\xee", 6);
  if (flow->vlan) {
    shunt_store_be16(frame + 12, 0x8100);
    shunt_store_be16(frame + 14, flow->vlan);
  }
  shunt_store_be16(frame + l2 - 2, 0x0800);
  uint8_t *ip = frame + l2, *l4 = ip + 20;
  ip[0] = 0x45;
  shunt_store_be16(ip + 2, (uint16_t)(bytes - l2));
  ip[8] = 64;
  ip[9] = flow->protocol ? flow->protocol : 17;
  shunt_store_be32(ip + 12, flow->source_ip ? flow->source_ip : 0x0a000001);
  shunt_store_be32(ip + 16, flow->destination_ip ? flow->destination_ip : 0x0a000002);
  uint32_t sum = 0;
  for (unsigned i = 0; i < 20; i += 2)
    sum += shunt_load_be16(ip + i);
  shunt_store_be16(ip + 10, (uint16_t) ~((sum & 0xFFFF) + (sum >> 16)));
  shunt_store_be16(l4, flow->source_port ? flow->source_port : 1000);
  shunt_store_be16(l4 + 2, flow->destination_port ? flow->destination_port : 2000);
  if (ip[9] == 17)
    shunt_store_be16(l4 + 4, (uint16_t)(bytes - l2 - 20)); /* UDP without a checksum */
  else if (ip[9] == 6)
    l4[12] = 0x50;
  frame[bytes - 1] = mark;
  return bytes;
}

static inline void rig_send_flow(struct rig *rig, const struct rig_flow *flow, uint8_t mark)
{
  uint8_t frame[RIG_FRAME_BYTES];
  rig_send(rig, frame, rig_frame(frame, flow, mark));
}

/* The queue that a frame of the flow comes out of, or -1 where it comes out of none. */
static inline int rig_queue_of(struct rig *rig, const struct rig_flow *flow)
{
  struct shunt_port_info info = {.size = sizeof(info)};
  int found = -1;
  rig_send_flow(rig, flow, 0x5A);
  shunt_port_info(rig->port, &info);
  for (unsigned q = 0; q < info.queues; q++) {
    unsigned n = rig_receive(rig, q);
    assert_true(n <= 1 && (n == 0 || found == -1));
    if (n)
      found = (int)q;
  }
  rig_fill(rig);
  return found;
}

/* A frame to the port's own address. */
static inline struct rig_flow rig_flow_to_port(const struct rig *rig)
{
  return (struct rig_flow){.to = rig_ixgbe(rig)->mac};
}

#endif
