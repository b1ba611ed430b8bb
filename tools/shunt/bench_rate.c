/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates: a forwarder takes frames from one twin, touches a byte of each, and sends them on another.
 * The thread that is the devices' core also generates, on the one's wire, and sinks, on the
 * other's. No more than BENCH_WINDOW frames are on their way, so none has to be dropped. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/ixgbe.h"
#include "shunt/testbed.h"
#include "tools/shunt/bench.h"

#define RING       512u
#define MOST_BATCH 64u
#define BURST      32u /* most that the generator sends at one of its turns */
#define REPORT     32u /* let the NIC report every 32nd frame that it has sent */

static const struct shunt_queue_verbs verbs = SHUNT_IXGBE_VERBS;

struct bench_rate {
  struct bench *bench;
  struct shunt_testbed *testbed;
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_port *in_port, *out_port;
  struct shunt_queue *in, *out;
  struct bench_sample *sample;
  unsigned (*forward)(void *rate);
  struct shunt_wire_end *generator;
  uint8_t frame[BENCH_FRAME_BYTES]; /* what is generated */
  /* What the device thread writes lies on no line that the drivers read. */
  uint8_t apart[SHUNT_CACHE_LINE_BYTES];
  struct bench_flow flow;
};

/* ---- The ends of the wires ---- */

static unsigned generate(void *context, uint64_t now_ns)
{
  struct bench_rate *rate = context;
  const struct iovec piece = {rate->frame, sizeof(rate->frame)};
  unsigned sent = 0;
  if (!atomic_load_explicit(&rate->flow.generates, memory_order_relaxed))
    return 0;
  for (; sent < BURST && bench_flow_pending(&rate->flow) < BENCH_WINDOW; sent++) {
    bench_flow_add(&rate->flow.generated, 1);
    shunt_wire_send(rate->generator, &piece, 1, now_ns);
  }
  return sent;
}

static void sink(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct bench_rate *rate = context;
  (void)frame, (void)bytes, (void)now_ns;
  bench_flow_add(&rate->flow.sunk, 1);
}

/* What the forwarder's receiving side would send; it sends nothing. */
static void ignore(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)context, (void)frame, (void)bytes, (void)now_ns;
}

static int attach_ends(struct bench_rate *rate, struct shunt_error *error)
{
  static const struct shunt_wire_end_ops generator = {.deliver = ignore, .poll = generate};
  static const struct shunt_wire_end_ops drain = {.deliver = sink};
  struct shunt_wire_end *end;
  struct shunt_wire *in = shunt_testbed_wire(rate->testbed, "in", error);
  struct shunt_wire *out = in ? shunt_testbed_wire(rate->testbed, "out", error) : NULL;
  if (!out)
    return -ENOMEM;
  int code = shunt_wire_attach(in, "generator", &generator, rate, &rate->generator, error);
  return code ? code : shunt_wire_attach(out, "sink", &drain, rate, &end, error);
}

/* ---- Set-up ---- */

static int open_ports(struct bench_rate *rate, struct shunt_error *error)
{
  struct shunt_port_options options = {.size = sizeof(options),
                                       .region = rate->region,
                                       .rx_ring = RING,
                                       .tx_ring = RING,
                                       .tx_report_interval = REPORT,
                                       .testbed = rate->testbed};
  int code = bench_open_port(rate->bench, "ixgbe:twin?wire=in", &options, &rate->in_port, &rate->in,
                             error);
  if (!code)
    code = bench_open_port(rate->bench, "ixgbe:twin?wire=out", &options, &rate->out_port,
                           &rate->out, error);
  if (code)
    return code;
  shunt_rx_fill(rate->in, rate->pool);
  struct shunt_port_info info = {.size = sizeof(info)};
  shunt_port_info(rate->in_port, &info);
  /* To the forwarder, from a station of the bench's own, of the type for experiments (IEEE 802). */
  memcpy(rate->frame, info.mac.bytes, 6);
  memcpy(rate->frame + 6, "\x02\0\0\0\0\x01\x88\xb5", 8);
  return 0;
}

int bench_rate_open(struct bench *bench, struct bench_rate **made, struct shunt_error *error)
{
  struct shunt_testbed_options testbed = {.size = sizeof(testbed), .clock = &bench->clock};
  struct shunt_region_options region = {
      .size = sizeof(region), .bytes = SHUNT_REGION_ALIGN_BYTES, .numa_node = SHUNT_NUMA_ANY};
  struct bench_rate *rate = calloc(1, sizeof(*rate));
  if (!rate)
    return shunt_error_set(error, -ENOMEM, "no memory to measure rates");
  rate->bench = bench;
  int code = shunt_testbed_create(&testbed, &rate->testbed, error);
  if (!code)
    code = shunt_region_create(&region, &rate->region, error);
  if (!code)
    code = shunt_pool_create(rate->region, RING - 1, &rate->pool, error);
  if (!code)
    code = attach_ends(rate, error);
  if (!code)
    code = open_ports(rate, error);
  if (code) {
    bench_rate_close(rate);
    return shunt_error_within(error, code, "can't measure rates");
  }
  *made = rate;
  return 0;
}

void bench_rate_close(struct bench_rate *rate)
{
  if (!rate)
    return;
  shunt_port_close(rate->in_port);
  shunt_port_close(rate->out_port);
  shunt_pool_destroy(rate->pool);
  shunt_region_destroy(rate->region);
  shunt_testbed_destroy(rate->testbed);
  free(rate);
}

struct shunt_port *bench_rate_port(struct bench_rate *rate)
{
  return rate->in_port;
}

/* ---- Forwarding ---- */

SHUNT_INLINE unsigned forward(struct bench_rate *rate, unsigned batch)
{
  struct shunt_frame frames[MOST_BATCH];
  shunt_buf bufs[MOST_BATCH];
  unsigned n = verbs.rx_poll(rate->in, frames, batch);
  uint8_t *const base = rate->in->base;
  for (unsigned i = 0; i < n; i++)
    base[frames[i].addr + 1]++;
  unsigned sent = verbs.tx_post(rate->out, frames, n);
  if (sent)
    verbs.tx_push(rate->out);
  /* Without room on the send ring a frame is dropped, and shows as lost. */
  for (unsigned i = sent; SHUNT_UNLIKELY(i < n); i++)
    verbs.rx_post(rate->in, &frames[i].addr, 1);
  unsigned back = verbs.tx_poll(rate->out, bufs, batch);
  verbs.rx_post(rate->in, bufs, back);
  if (!n)
    bench_spin(rate->bench);
  return sent;
}

/* A program knows its batch when it is compiled. A call moves up to 256 frames, so that looking at
 * the time between two calls costs nothing. */
#define FORWARD(batch)                                                                             \
  static unsigned forward_##batch(void *rate)                                                      \
  {                                                                                                \
    unsigned moved = 0;                                                                            \
    for (unsigned i = 0; i < 256 / (batch); i++)                                                   \
      moved += forward(rate, batch);                                                               \
    return moved;                                                                                  \
  }
FORWARD(1)
FORWARD(8)
FORWARD(32)
FORWARD(64)

/* ---- A slice ---- */

static void drive(void *context)
{
  struct bench_rate *rate = context;
  bench_flow_drive(rate->bench, &rate->flow, rate->forward, rate, rate->sample);
}

static void poll_devices(void *context)
{
  struct bench_rate *rate = context;
  while (bench_flow_goes_on(&rate->flow))
    if (!shunt_testbed_poll(rate->testbed))
      bench_spin(rate->bench);
}

int bench_rate_slice(struct bench_rate *rate, unsigned batch, struct bench_sample *sample,
                     struct shunt_error *error)
{
  rate->forward = batch == 1    ? forward_1
                  : batch == 8  ? forward_8
                  : batch == 32 ? forward_32
                                : forward_64;
  rate->sample = sample;
  bench_flow_start(&rate->flow);
  return bench_run(rate->bench, drive, poll_devices, rate, error);
}
