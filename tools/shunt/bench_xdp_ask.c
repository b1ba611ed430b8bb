/* SPDX-License-Identifier: BSD-2-Clause */
/* Round trips, as who asks at the far end sees them: the same for whoever answers at the near end.
 * A frame carries a number behind its UDP header, which the answer brings back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/histogram.h"
#include "shunt/udp.h"
#include "shunt/xdp.h"
#include "tools/shunt/bench_xdp.h"

#define RING    64u
#define BUFFERS (2 * RING)

struct bench_asker {
  struct bench *bench;
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_port *port;
  struct shunt_xdp_queue *q;
  uint8_t frame[BENCH_FRAME_BYTES];
  uint64_t sequence;
};

static int set_up(struct bench_asker *asker, struct shunt_error *error)
{
  const struct shunt_region_options region = {
      .size = sizeof(region), .bytes = SHUNT_REGION_ALIGN_BYTES, .numa_node = SHUNT_NUMA_ANY};
  struct shunt_port_options options = {
      .size = sizeof(options), .rx_ring = RING, .tx_ring = RING, .log = &asker->bench->cli->log};
  int code = shunt_region_create(&region, &asker->region, error);
  options.region = asker->region;
  if (!code)
    code = shunt_pool_create(asker->region, BUFFERS, &asker->pool, error);
  if (!code)
    code = shunt_port_open("xdp:" BENCH_VETH "?mode=skb&setup=0", &options, &asker->port, error);
  if (code)
    return code;
  asker->q = shunt_xdp_queue_of(shunt_port_queue(asker->port, 0));
  if (!asker->q) {
    shunt_error_set(error, -EOPNOTSUPP, "no verbs that could be compiled in");
    return -EOPNOTSUPP;
  }
  shunt_rx_fill(&asker->q->head, asker->pool);
  return 0;
}

int bench_asker_open(struct bench *bench, struct bench_veth *veth, struct bench_asker **made,
                     struct shunt_error *error)
{
  struct bench_asker *asker = calloc(1, sizeof(*asker));
  if (!asker)
    return shunt_error_set(error, -ENOMEM, "no memory to measure round trips");
  asker->bench = bench;
  bench_veth_frame(veth, asker->frame);
  int code = set_up(asker, error);
  if (code)
    bench_asker_close(asker);
  else
    *made = asker;
  return code;
}

void bench_asker_close(struct bench_asker *asker)
{
  if (!asker)
    return;
  shunt_port_close(asker->port);
  shunt_pool_destroy(asker->pool);
  shunt_region_destroy(asker->region);
  free(asker);
}

/* ---- One round trip ---- */

static bool next_request(struct bench_asker *asker, struct shunt_frame *request)
{
  shunt_buf back;
  while (shunt_xdp_tx_poll(asker->q, &back, 1))
    shunt_pool_give(asker->pool, &back, 1);
  *request = (struct shunt_frame){.len = BENCH_FRAME_BYTES};
  if (!shunt_pool_take(asker->pool, &request->addr, 1))
    return false;
  uint8_t *bytes = asker->q->head.base + request->addr;
  asker->sequence++;
  memcpy(bytes, asker->frame, BENCH_FRAME_BYTES);
  memcpy(bytes + SHUNT_UDP_PAYLOAD_START, &asker->sequence, sizeof(asker->sequence));
  return true;
}

SHUNT_INLINE bool take_answer(struct bench_asker *asker)
{
  struct shunt_frame frame = {0};
  if (!shunt_xdp_rx_poll(asker->q, &frame, 1))
    return false;
  const uint8_t *bytes = asker->q->head.base + frame.addr;
  const bool expected =
      frame.len >= SHUNT_UDP_PAYLOAD_START + sizeof(asker->sequence) &&
      !memcmp(bytes + SHUNT_UDP_PAYLOAD_START, &asker->sequence, sizeof(asker->sequence));
  shunt_xdp_rx_post(asker->q, &frame.addr, 1);
  return expected;
}

/* Returns the time that it took, or 0 where no answer came. */
static uint64_t exchange(void *context)
{
  struct bench_asker *asker = context;
  const struct shunt_tsc *tsc = &asker->bench->tsc;
  struct shunt_frame request;
  if (!next_request(asker, &request))
    return 0;
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  shunt_xdp_tx_post(asker->q, &request, 1);
  shunt_xdp_tx_push(asker->q);
  for (unsigned rounds = 1; !take_answer(asker); rounds++) {
    bench_spin(asker->bench);
    if (rounds % 1024 == 0 && shunt_tsc_now_ns(tsc) - start_ns > BENCH_PATIENCE_NS)
      return 0;
  }
  return shunt_tsc_now_ordered_ns(tsc) - start_ns;
}

void bench_asker_run(struct bench_asker *asker, struct bench_sample *sample)
{
  bench_repeat(asker->bench, exchange, asker, sample);
}
