/* SPDX-License-Identifier: BSD-2-Clause */
/* SRD between two software EFAs of this process: our driver at both ends on one core, the devices
 * on the other. Beside it, libfabric's fi_pingpong, two processes, over its other providers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/efa.h"
#include "shunt/histogram.h"
#include "shunt/testbed.h"
#include "tools/shunt/bench.h"

#define DEPTH      256u
#define BATCH      32u
#define SLOT_BYTES 8192u
#define QKEY       0x5244u

struct end {
  struct shunt_fabric *fabric;
  struct shunt_fabric_pd *pd;
  struct shunt_region *region;
  struct shunt_fabric_mr *mr;
  struct shunt_fabric_cq *cq_head;
  struct shunt_fabric_qp *qp_head;
  struct shunt_fabric_ah *ah;
  struct shunt_efa_cq *cq;
  struct shunt_efa_qp *qp;
  struct shunt_gid gid;
  struct shunt_fabric_destination to; /* the other end */
  uint64_t memory;
  uint32_t lkey;
};

struct bench_fabric {
  struct bench *bench;
  struct shunt_testbed *testbed;
  struct end asker, answerer;
  struct bench_sample *sample;
  uint32_t bytes; /* of a message */
  uint32_t under_way;
  atomic_bool ended;
};

/* ---- Set-up ---- */

SHUNT_INLINE struct shunt_fabric_receive receive_into(const struct end *end, uint64_t slot)
{
  const struct shunt_fabric_receive receive = {
      .id = slot,
      .pieces = 1,
      .piece[0] = {end->memory + slot * SLOT_BYTES, SLOT_BYTES, end->lkey}};
  return receive;
}

static int open_end(struct bench_fabric *fabric, struct end *end, struct shunt_error *error)
{
  const struct shunt_fabric_options options = {
      .size = sizeof(options), .log = &fabric->bench->cli->log, .testbed = fabric->testbed};
  const struct shunt_region_options memory = {
      .size = sizeof(memory), .bytes = 2 * DEPTH * SLOT_BYTES, .numa_node = SHUNT_NUMA_ANY};
  const struct shunt_fabric_cq_options queue = {.size = sizeof(queue), .depth = 4 * DEPTH};
  struct shunt_fabric_info info = {.size = sizeof(info)};
  int code = shunt_fabric_open("efa:twin?wire=bench", &options, &end->fabric, error);
  code = code ? code : shunt_fabric_pd_create(end->fabric, &end->pd, error);
  code = code ? code : shunt_region_create(&memory, &end->region, error);
  code = code ? code
              : shunt_fabric_mr_register(end->pd, end->region, 0, memory.bytes,
                                         SHUNT_FABRIC_LOCAL_WRITE, NULL, &end->mr, error);
  code = code ? code : shunt_fabric_cq_create(end->fabric, &queue, &end->cq_head, error);
  if (code)
    return code;
  const struct shunt_fabric_qp_options pair = {.size = sizeof(pair),
                                               .send_cq = end->cq_head,
                                               .recv_cq = end->cq_head,
                                               .send_depth = DEPTH,
                                               .recv_depth = 2 * DEPTH,
                                               .qkey = QKEY};
  code = shunt_fabric_qp_create(end->pd, &pair, &end->qp_head, error);
  if (code)
    return code;
  shunt_fabric_info(end->fabric, &info);
  end->gid = info.gid;
  end->cq = shunt_efa_cq(end->cq_head);
  end->qp = shunt_efa_qp(end->qp_head);
  end->memory = (uintptr_t)shunt_region_base(end->region);
  end->lkey = shunt_fabric_mr_lkey(end->mr);
  for (uint64_t slot = 0; slot < DEPTH; slot++) {
    const struct shunt_fabric_receive receive = receive_into(end, slot);
    shunt_efa_recv_post(end->qp, &receive, 1);
  }
  return 0;
}

static int meet(struct end *end, const struct end *other, struct shunt_error *error)
{
  int code = shunt_fabric_ah_create(end->pd, &other->gid, &end->ah, error);
  if (!code)
    end->to = (struct shunt_fabric_destination){shunt_fabric_ah_number(end->ah),
                                                shunt_fabric_qp_number(other->qp_head), QKEY};
  return code;
}

int bench_fabric_open(struct bench *bench, struct bench_fabric **made, struct shunt_error *error)
{
  struct bench_fabric *fabric = calloc(1, sizeof(*fabric));
  if (!fabric)
    return shunt_error_set(error, -ENOMEM, "no memory to measure SRD");
  *made = fabric;
  fabric->bench = bench;
  int code = shunt_testbed_create(NULL, &fabric->testbed, error);
  code = code ? code : open_end(fabric, &fabric->asker, error);
  code = code ? code : open_end(fabric, &fabric->answerer, error);
  code = code ? code : meet(&fabric->asker, &fabric->answerer, error);
  return code ? code : meet(&fabric->answerer, &fabric->asker, error);
}

void bench_fabric_close(struct bench_fabric *fabric)
{
  if (!fabric)
    return;
  shunt_fabric_close(fabric->asker.fabric);
  shunt_fabric_close(fabric->answerer.fabric);
  shunt_region_destroy(fabric->asker.region);
  shunt_region_destroy(fabric->answerer.region);
  shunt_testbed_destroy(fabric->testbed);
  free(fabric);
}

/* ---- Messages ---- */

SHUNT_INLINE int post(const struct bench_fabric *fabric, const struct end *end, uint64_t slot)
{
  const struct shunt_fabric_work work = {
      .id = slot,
      .to = end->to,
      .op = SHUNT_FABRIC_SEND,
      .pieces = 1,
      .piece[0] = {end->memory + (DEPTH + slot % DEPTH) * SLOT_BYTES, fabric->bytes, end->lkey}};
  return shunt_efa_send_post(end->qp, &work);
}

/* What an end has: messages are counted, and their buffers posted again, all at once. */
SHUNT_INLINE unsigned take(struct bench_fabric *fabric, const struct end *end)
{
  struct shunt_fabric_completion completions[BATCH];
  struct shunt_fabric_receive receives[BATCH];
  unsigned received = 0, n = shunt_efa_poll(end->cq, completions, BATCH);
  for (unsigned i = 0; i < n; i++) {
    fabric->sample->lost += completions[i].status != SHUNT_FABRIC_OK;
    if (completions[i].flags & SHUNT_FABRIC_RECEIVED) {
      receives[received++] = receive_into(end, completions[i].id);
    } else if (end == &fabric->asker) {
      fabric->under_way--;
    }
  }
  if (received)
    shunt_efa_recv_post(end->qp, receives, received);
  return received;
}

static bool await(struct bench_fabric *fabric, const struct end *end)
{
  const struct shunt_tsc *tsc = &fabric->bench->tsc;
  const uint64_t end_ns = shunt_tsc_now_ns(tsc) + BENCH_PATIENCE_NS;
  for (unsigned rounds = 0; !take(fabric, end); rounds++) {
    bench_spin(fabric->bench);
    if (rounds % 1024 == 1023 && shunt_tsc_now_ns(tsc) > end_ns)
      return false;
  }
  return true;
}

/* There and back, halved. */
static uint64_t once(void *context)
{
  struct bench_fabric *fabric = context;
  const struct shunt_tsc *tsc = &fabric->bench->tsc;
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  fabric->under_way++;
  if (post(fabric, &fabric->asker, 0))
    return 0;
  shunt_efa_send_push(fabric->asker.qp);
  if (!await(fabric, &fabric->answerer) || post(fabric, &fabric->answerer, 0))
    return 0;
  shunt_efa_send_push(fabric->answerer.qp);
  if (!await(fabric, &fabric->asker))
    return 0;
  return (shunt_tsc_now_ordered_ns(tsc) - start_ns) / 2;
}

static unsigned move(struct bench_fabric *fabric)
{
  struct end *asker = &fabric->asker;
  unsigned posted = 0;
  take(fabric, asker);
  for (; posted < BATCH && fabric->under_way < DEPTH / 2; posted++, fabric->under_way++)
    if (post(fabric, asker, posted))
      break;
  if (posted)
    shunt_efa_send_push(asker->qp);
  return take(fabric, &fabric->answerer);
}

static void stream(struct bench_fabric *fabric)
{
  const struct bench *bench = fabric->bench;
  struct bench_sample *sample = fabric->sample;
  uint64_t end_ns = shunt_tsc_now_ns(&bench->tsc) + bench->slice_ns / 10;
  while (shunt_tsc_now_ns(&bench->tsc) < end_ns && !cli_stopped())
    move(fabric);
  const uint64_t start_ns = shunt_tsc_now_ns(&bench->tsc);
  end_ns = start_ns + bench->slice_ns;
  while (shunt_tsc_now_ns(&bench->tsc) < end_ns && sample->frames < bench->most && !cli_stopped())
    sample->frames += move(fabric);
  sample->ns = shunt_tsc_now_ns(&bench->tsc) - start_ns;
  end_ns = shunt_tsc_now_ns(&bench->tsc) + BENCH_PATIENCE_NS;
  while (fabric->under_way && shunt_tsc_now_ns(&bench->tsc) < end_ns) {
    take(fabric, &fabric->asker);
    take(fabric, &fabric->answerer);
  }
  sample->lost += fabric->under_way;
  while (take(fabric, &fabric->answerer)) { /* what came last */
  }
}

/* ---- Slices ---- */

static void drive(void *context)
{
  struct bench_fabric *fabric = context;
  if (fabric->sample->histogram)
    bench_repeat(fabric->bench, once, fabric, fabric->sample);
  else
    stream(fabric);
  atomic_store(&fabric->ended, true);
}

static void turns(void *context)
{
  struct bench_fabric *fabric = context;
  while (!atomic_load_explicit(&fabric->ended, memory_order_relaxed))
    if (!shunt_testbed_poll(fabric->testbed))
      bench_spin(fabric->bench);
}

int bench_fabric_slice(struct bench_fabric *fabric, uint32_t bytes, struct bench_sample *sample,
                       struct shunt_error *error)
{
  fabric->bytes = bytes;
  fabric->sample = sample;
  atomic_store(&fabric->ended, false);
  return bench_run(fabric->bench, drive, turns, fabric, error);
}

/* ---- fi_pingpong ---- */

const char *bench_fi_missing(void)
{
  return system("command -v fi_pingpong >/dev/null 2>&1") == 0
             ? NULL
             : "there is no fi_pingpong (Debian: libfabric-bin)";
}

/* One of its processes, on one of the bench's CPUs. Where ours have real-time priority, it gets the
 * highest of the others: who spins with the former keeps the kernel's own threads off, which tcp
 * waits for. */
#define FI_SIDE     "%s timeout -k 1 8 taskset -c %u fi_pingpong -p '%s' -e rdm -I %u -S %u "
#define FI_PRIORITY "chrt --other 0 nice -n -20"
#define FI_TURNS    2000u

/* What both print of a run: a line of columns, of which the seventh is us a transfer, half a round
 * trip. On a busy machine the server may begin late: a client that is refused asks again. */
static double fi_run(const struct bench *bench, const char *provider, uint32_t bytes,
                     char said[256], struct shunt_error *error)
{
  char command[768], line[256];
  unsigned port = 20000 + (unsigned)getpid() % 20000;
  const char *priority = bench->is_realtime ? FI_PRIORITY : "";
  double us = 0;
  snprintf(command, sizeof(command),
           "{ " FI_SIDE "-B %u >/dev/null & n=0; while sleep 0.1; " FI_SIDE
           "-P %u 127.0.0.1; code=$?; [ $code -ne 0 ] && [ $code -lt 124 ] && [ $n -lt 20 ]; "
           "do n=$((n + 1)); done; wait; } 2>&1",
           priority, bench->cpus[1], provider, FI_TURNS, bytes, port, priority, bench->cpus[0],
           provider, FI_TURNS, bytes, port);
  FILE *output = popen(command, "r");
  if (!output)
    return shunt_error_set(error, -errno, "can't run fi_pingpong");
  while (fgets(line, sizeof(line), output))
    if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lf", &us) != 1)
      snprintf(said, 256, "%.*s", (int)strcspn(line, "\n"), line);
  pclose(output);
  return us;
}

int bench_fi_slice(const struct bench *bench, const char *provider, uint32_t bytes,
                   struct bench_sample *sample, struct shunt_error *error)
{
  char said[256] = "nothing";
  const double us = fi_run(bench, provider, bytes, said, error);
  if (us < 0)
    return (int)us;
  if (us == 0) { /* no round */
    shunt_log_write(&bench->cli->log, SHUNT_LOG_WARNING,
                    "fi_pingpong over %s gave no figure; it said: %s", provider, said);
    return 0;
  }
  if (sample->histogram) {
    shunt_histogram_record(sample->histogram, (uint64_t)(us * 1e3));
  } else {
    sample->frames = 1000000;
    sample->ns = (uint64_t)(us * 1e9);
  }
  return 0;
}
