/* SPDX-License-Identifier: BSD-2-Clause */
/* Round trips: a driver asks, the echo responder, compiled into another driver's loop, answers.
 * Between them are two devices and a wire. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/echo.h"
#include "shunt/histogram.h"
#include "shunt/icmp.h"
#include "shunt/ixgbe.h"
#include "shunt/testbed.h"
#include "tools/shunt/bench.h"

#define RING     256u
#define REQUESTS 64u
#define ECHO_ID  0x7368

/* The checksum and the sequence number of an echo message. */
#define AT_CHECKSUM (SHUNT_ICMP_PAYLOAD_START - 6)
#define AT_SEQUENCE (SHUNT_ICMP_PAYLOAD_START - 2)
#define AT_TYPE     (SHUNT_ICMP_PAYLOAD_START - 8)

static const struct shunt_queue_verbs verbs = SHUNT_IXGBE_VERBS;

struct bench_rtt {
  struct bench *bench;
  struct shunt_testbed *testbed;
  struct shunt_region *region;
  struct shunt_pool *asking_pool, *answering_pool;
  struct shunt_pool *requests; /* each buffer holds a whole request already */
  struct shunt_port *asking_port, *answering_port;
  struct shunt_queue *asking, *answering;
  struct shunt_echo echo;
  uint16_t sequence;
  struct bench_sample *sample;
  atomic_bool ended;
};

/* ---- Set-up ---- */

/* What differs from request to request is stepped where it stands, never written anew. */
static int write_requests(struct bench_rtt *rtt, struct shunt_error *error)
{
  struct shunt_port_info from = {.size = sizeof(from)}, to = {.size = sizeof(to)};
  static const uint8_t payload[BENCH_PAYLOAD_BYTES] = "shunt bench";
  shunt_buf bufs[REQUESTS];
  int code = shunt_pool_create(rtt->region, REQUESTS, &rtt->requests, error);
  if (code)
    return code;
  shunt_port_info(rtt->asking_port, &from);
  shunt_port_info(rtt->answering_port, &to);
  struct shunt_ipv4_ends ends = {.source_mac = from.mac,
                                 .destination_mac = to.mac,
                                 .source = 0x0a000002,
                                 .destination = 0x0a000001};
  shunt_pool_take(rtt->requests, bufs, REQUESTS);
  for (unsigned i = 0; i < REQUESTS; i++)
    shunt_icmp_echo_frame_build(rtt->asking->base + bufs[i], BENCH_FRAME_BYTES, &ends,
                                SHUNT_ICMP_ECHO_REQUEST, ECHO_ID, 0, payload, sizeof(payload));
  shunt_pool_give(rtt->requests, bufs, REQUESTS);
  struct shunt_host host = {.mac = to.mac, .ipv4 = ends.destination, .prefix_bits = 24};
  shunt_echo_init(&rtt->echo, &host, 0);
  return 0;
}

static int open_port(struct bench_rtt *rtt, const char *device, struct shunt_port **port,
                     struct shunt_queue **queue, struct shunt_pool **pool,
                     struct shunt_error *error)
{
  struct shunt_port_options options = {.size = sizeof(options),
                                       .region = rtt->region,
                                       .rx_ring = RING,
                                       .tx_ring = RING,
                                       .testbed = rtt->testbed};
  int code = shunt_pool_create(rtt->region, RING - 1, pool, error);
  if (!code)
    code = bench_open_port(rtt->bench, device, &options, port, queue, error);
  if (!code)
    shunt_rx_fill(*queue, *pool);
  return code;
}

int bench_rtt_open(struct bench *bench, const char *const devices[2], struct bench_rtt **made,
                   struct shunt_error *error)
{
  struct shunt_testbed_options testbed = {.size = sizeof(testbed), .clock = &bench->clock};
  struct shunt_region_options region = {
      .size = sizeof(region), .bytes = SHUNT_REGION_ALIGN_BYTES, .numa_node = SHUNT_NUMA_ANY};
  struct bench_rtt *rtt = calloc(1, sizeof(*rtt));
  if (!rtt)
    return shunt_error_set(error, -ENOMEM, "no memory to measure round trips");
  rtt->bench = bench;
  int code = shunt_testbed_create(&testbed, &rtt->testbed, error);
  if (!code)
    code = shunt_region_create(&region, &rtt->region, error);
  if (!code)
    code = open_port(rtt, devices[0], &rtt->asking_port, &rtt->asking, &rtt->asking_pool, error);
  if (!code)
    code = open_port(rtt, devices[1], &rtt->answering_port, &rtt->answering, &rtt->answering_pool,
                     error);
  if (!code)
    code = write_requests(rtt, error);
  if (code) {
    bench_rtt_close(rtt);
    return shunt_error_within(error, code, "can't measure round trips");
  }
  *made = rtt;
  return 0;
}

void bench_rtt_close(struct bench_rtt *rtt)
{
  if (!rtt)
    return;
  shunt_port_close(rtt->asking_port);
  shunt_port_close(rtt->answering_port);
  shunt_pool_destroy(rtt->requests);
  shunt_pool_destroy(rtt->asking_pool);
  shunt_pool_destroy(rtt->answering_pool);
  shunt_region_destroy(rtt->region);
  shunt_testbed_destroy(rtt->testbed);
  free(rtt);
}

struct shunt_port *bench_rtt_port(struct bench_rtt *rtt)
{
  return rtt->asking_port;
}

/* ---- One round trip ---- */

static struct shunt_frame next_request(struct bench_rtt *rtt)
{
  struct shunt_frame frame = {.len = BENCH_FRAME_BYTES};
  shunt_buf back;
  while (verbs.tx_poll(rtt->asking, &back, 1))
    shunt_pool_give(rtt->requests, &back, 1);
  /* More requests than answers can be late: there is always one. */
  shunt_pool_take(rtt->requests, &frame.addr, 1);
  uint8_t *bytes = rtt->asking->base + frame.addr;
  uint16_t before = shunt_load_be16(bytes + AT_SEQUENCE), now = ++rtt->sequence;
  uint16_t checksum = shunt_load_be16(bytes + AT_CHECKSUM);
  shunt_store_be16(bytes + AT_SEQUENCE, now);
  shunt_store_be16(bytes + AT_CHECKSUM, shunt_checksum_update(checksum, before, now));
  return frame;
}

/* An answer that comes after it was given up carries an older number. */
SHUNT_INLINE bool take_answer(struct bench_rtt *rtt)
{
  struct shunt_frame frame;
  if (!verbs.rx_poll(rtt->asking, &frame, 1))
    return false;
  const uint8_t *bytes = rtt->asking->base + frame.addr;
  bool expected = bytes[AT_TYPE] == SHUNT_ICMP_ECHO_REPLY &&
                  shunt_load_be16(bytes + AT_SEQUENCE) == rtt->sequence;
  verbs.rx_post(rtt->asking, &frame.addr, 1);
  return expected;
}

/* Returns the time that it took, or 0 where no answer came. */
SHUNT_INLINE uint64_t exchange(struct bench_rtt *rtt, bool steps)
{
  const struct shunt_tsc *tsc = &rtt->bench->tsc;
  const struct shunt_frame request = next_request(rtt);
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  verbs.tx_post(rtt->asking, &request, 1);
  verbs.tx_push(rtt->asking);
  for (unsigned rounds = 1;; rounds++) {
    if (steps)
      shunt_testbed_poll(rtt->testbed);
    shunt_echo_single_with(&verbs, rtt->answering, &rtt->echo);
    if (take_answer(rtt))
      return shunt_tsc_now_ordered_ns(tsc) - start_ns;
    if (!steps)
      bench_spin(rtt->bench);
    if (rounds % 1024 == 0 && shunt_tsc_now_ns(tsc) - start_ns > BENCH_PATIENCE_NS)
      return 0;
  }
}

/* ---- A slice ---- */

SHUNT_INLINE void drive(struct bench_rtt *rtt, bool steps)
{
  const struct bench *bench = rtt->bench;
  struct bench_sample *sample = rtt->sample;
  uint64_t end_ns = shunt_tsc_now_ns(&bench->tsc) + bench->slice_ns / 10;
  while (shunt_tsc_now_ns(&bench->tsc) < end_ns && !cli_stopped())
    sample->lost += !exchange(rtt, steps);
  end_ns = shunt_tsc_now_ns(&bench->tsc) + bench->slice_ns;
  for (uint64_t i = 0; i < bench->most && !cli_stopped(); i++) {
    uint64_t took_ns = exchange(rtt, steps);
    if (took_ns)
      shunt_histogram_record(sample->histogram, took_ns);
    sample->lost += !took_ns;
    if (shunt_tsc_now_ns(&bench->tsc) >= end_ns)
      break;
  }
  atomic_store(&rtt->ended, true);
}

static void drive_both(void *context)
{
  drive(context, true);
}

static void drive_alone(void *context)
{
  drive(context, false);
}

static void poll_devices(void *context)
{
  struct bench_rtt *rtt = context;
  while (!atomic_load_explicit(&rtt->ended, memory_order_relaxed))
    if (!shunt_testbed_poll(rtt->testbed))
      bench_spin(rtt->bench);
}

int bench_rtt_slice(struct bench_rtt *rtt, enum bench_turns turns, struct bench_sample *sample,
                    struct shunt_error *error)
{
  rtt->sample = sample;
  atomic_store(&rtt->ended, false);
  return bench_run(rtt->bench, turns == BENCH_TURNS_OWN ? drive_both : drive_alone,
                   turns == BENCH_TURNS_THREAD ? poll_devices : NULL, rtt, error);
}
