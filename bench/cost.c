/* SPDX-License-Identifier: BSD-2-Clause */
/* make cost: instructions per packet of the driver's own code, counted by callgrind.
 *
 * The program runs itself under callgrind, which collects only inside the functions named
 * cost_round_*: one burst of a workload. The device (bench/instant.c) works between the rounds. At
 * the end of each series the worker has callgrind write a dump whose description says what it was;
 * the parent reads the totals from these, prints a table and writes cost.json. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "bench/callgrind.h"
#include "bench/cost_efvi.h"
#include "bench/instant.h"
#include "bench/instant_efa.h"
#include "bench/instant_xdp.h"
#include "shunt/echo.h"

#define RING 2048u
/* The responder lets the NIC report every 32nd answer (shunt echo opens its port so): nobody waits
 * for the buffers of the others. */
#define REPORT_INTERVAL 32u
#define PACKETS         8192u /* a series; enough that what happens once per ring is averaged */

static const struct shunt_queue_verbs ixgbe_verbs = SHUNT_IXGBE_VERBS;
static const struct shunt_queue_verbs xdp_verbs = SHUNT_XDP_VERBS;

/* What a round works on. in and out are two ports of the same driver, as in a forwarder. */
union device {
  struct shunt_queue head; /* what each begins with */
  struct instant ixgbe;
  struct instant_xdp xdp;
};

struct cost_bench {
  union device in, out;
  struct shunt_echo echo;
  shunt_buf free[SHUNT_ECHO_BATCH];
};

/* The workloads' own loops are written out as the drivers' are, so that it is these that count. */
#if defined(__clang__)
#define FOUR_A_TURN _Pragma("clang loop unroll_count(4)")
#else
#define FOUR_A_TURN _Pragma("GCC unroll 4")
#endif

#define ROUND static inline __attribute__((always_inline)) void

ROUND rx_drop(const struct shunt_queue_verbs *verbs, struct cost_bench *bench, unsigned batch)
{
  struct shunt_frame frames[SHUNT_ECHO_BATCH];
  shunt_buf bufs[SHUNT_ECHO_BATCH];
  struct shunt_queue *q = &bench->in.head;
  unsigned n = verbs->rx_poll(q, frames, batch);
  FOUR_A_TURN
  for (unsigned i = 0; i < n; i++)
    bufs[i] = frames[i].addr;
  verbs->rx_post(q, bufs, n);
}

SHUNT_INLINE void small_frame(struct shunt_frame *frame, shunt_buf buf)
{
  frame->addr = buf;
  frame->flags = 0;
  frame->len = 60;
  frame->vlan = 0;
}

/* Sent buffers come back at the start of the next round, when the device has had its step. */
ROUND tx_only(const struct shunt_queue_verbs *verbs, struct cost_bench *bench, unsigned batch)
{
  struct shunt_frame frames[SHUNT_ECHO_BATCH];
  struct shunt_queue *q = &bench->out.head;
  verbs->tx_poll(q, bench->free, batch);
  FOUR_A_TURN
  for (unsigned i = 0; i < batch; i++)
    small_frame(&frames[i], bench->free[i]);
  verbs->tx_post(q, frames, batch);
  verbs->tx_push(q);
}

ROUND forward(const struct shunt_queue_verbs *verbs, struct cost_bench *bench, unsigned batch)
{
  struct shunt_frame frames[SHUNT_ECHO_BATCH];
  struct shunt_queue *in = &bench->in.head, *out = &bench->out.head;
  unsigned n = verbs->rx_poll(in, frames, batch);
  uint8_t *const base = in->base;
  for (unsigned i = 0; i < n; i++)
    base[frames[i].addr + 1]++;
  verbs->tx_post(out, frames, n);
  verbs->tx_push(out);
  n = verbs->tx_poll(out, bench->free, batch);
  verbs->rx_post(in, bench->free, n);
}

ROUND icmp_echo(const struct shunt_queue_verbs *verbs, struct cost_bench *bench, unsigned batch)
{
  shunt_echo_round_with(verbs, &bench->in.head, &bench->echo, batch);
}

/* The functions that are counted: one for each batch, since a program knows its batch when it is
 * compiled. The portable ones can't see which verbs they call, and serve every driver. */
#define COUNTED(name, api, verbs, batch)                                                           \
  __attribute__((noinline)) static void cost_round_##name##_##api##_##batch(                       \
      struct cost_bench *bench)                                                                    \
  {                                                                                                \
    name(verbs, bench, batch);                                                                     \
  }
#define EACH_BATCH(name, api, verbs)                                                               \
  COUNTED(name, api, verbs, 1)                                                                     \
  COUNTED(name, api, verbs, 8) COUNTED(name, api, verbs, 32) COUNTED(name, api, verbs, 64)
#define EACH_API(name)                                                                             \
  EACH_BATCH(name, portable, bench->in.head.verbs)                                                 \
  EACH_BATCH(name, ixgbe, &ixgbe_verbs) EACH_BATCH(name, xdp, &xdp_verbs)
EACH_API(rx_drop)
EACH_API(tx_only)
EACH_API(forward)
EACH_API(icmp_echo)

typedef void cost_round(struct cost_bench *bench);
#define ROUNDS_OF(name, api)                                                                       \
  {                                                                                                \
    cost_round_##name##_##api##_1, cost_round_##name##_##api##_8, cost_round_##name##_##api##_32,  \
        cost_round_##name##_##api##_64                                                             \
  }
static const struct workload {
  const char *name;
  cost_round *portable[4], *inlined[2][4]; /* by driver and batch */
} workloads[] = {
    {"rx-drop", ROUNDS_OF(rx_drop, portable), {ROUNDS_OF(rx_drop, ixgbe), ROUNDS_OF(rx_drop, xdp)}},
    {"tx-only", ROUNDS_OF(tx_only, portable), {ROUNDS_OF(tx_only, ixgbe), ROUNDS_OF(tx_only, xdp)}},
    {"forward", ROUNDS_OF(forward, portable), {ROUNDS_OF(forward, ixgbe), ROUNDS_OF(forward, xdp)}},
    {"icmp-echo",
     ROUNDS_OF(icmp_echo, portable),
     {ROUNDS_OF(icmp_echo, ixgbe), ROUNDS_OF(icmp_echo, xdp)}},
};
enum { IXGBE, XDP, DRIVERS };
static const char *const drivers[DRIVERS] = {"ixgbe", "xdp"};
static const char *const apis[] = {"portable", "inline"};
static const unsigned batches[] = {1, 8, 32, 64};
#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))
#define BATCHES   (sizeof(batches) / sizeof(batches[0]))
#define SERIES    (DRIVERS * WORKLOADS * 2 * BATCHES + COST_EFA_SERIES + COST_EFVI_SERIES)

/* --- Devices that do everything at once ----------------------------------------------------------
 */

static int device_create(unsigned driver, union device *device, struct shunt_region *region,
                         struct shunt_pool *pool, const uint8_t *frame, uint32_t bytes)
{
  return driver == IXGBE ? instant_create(&device->ixgbe, region, pool, RING, frame, bytes)
                         : instant_xdp_create(&device->xdp, region, pool, RING, frame, bytes);
}

static void device_destroy(unsigned driver, union device *device)
{
  if (driver == IXGBE)
    instant_destroy(&device->ixgbe);
  else
    instant_xdp_destroy(&device->xdp);
}

static uint64_t *device_doorbells(unsigned driver, union device *device)
{
  return driver == IXGBE ? &device->ixgbe.doorbells : &device->xdp.doorbells;
}

static void step(unsigned driver, struct cost_bench *bench)
{
  if (driver == IXGBE) {
    instant_step(&bench->in.ixgbe);
    instant_step(&bench->out.ixgbe);
  } else {
    instant_xdp_step(&bench->in.xdp);
    instant_xdp_step(&bench->out.xdp);
  }
}

/* --- The worker, under callgrind ------------------------------------------------------------- */

static uint32_t build_request(uint8_t frame[60])
{
  memset(frame, 0, 60);
  static const uint8_t head[] = {2,    0, 0,  0,  0, 1, 2,    0, 0,  0, 0, 2, 8,  0,
                                 0x45, 0, 0,  46, 0, 1, 0x40, 0, 64, 1, 0, 0, 10, 0,
                                 0,    2, 10, 0,  0, 1, 8,    0, 0,  0, 1, 2};
  memcpy(frame, head, sizeof(head));
  uint16_t sum = shunt_checksum(frame + 14, 20);
  frame[24] = (uint8_t)(sum >> 8);
  frame[25] = (uint8_t)sum;
  sum = shunt_checksum(frame + 34, 26);
  frame[36] = (uint8_t)(sum >> 8);
  frame[37] = (uint8_t)sum;
  return 60;
}

static void series(unsigned driver, struct cost_bench *bench, const struct workload *workload,
                   unsigned api, unsigned which)
{
  char description[128];
  cost_round *const round = api ? workload->inlined[driver][which] : workload->portable[which];
  uint64_t *const doorbells[2] = {device_doorbells(driver, &bench->in),
                                  device_doorbells(driver, &bench->out)};
  const unsigned batch = batches[which], rounds = PACKETS / batch;
  for (unsigned i = 0; i < rounds; i++) { /* not counted: fills caches of indices and rings */
    step(driver, bench);
    round(bench);
  }
  CALLGRIND_ZERO_STATS;
  *doorbells[0] = *doorbells[1] = 0;
  for (unsigned i = 0; i < rounds; i++) {
    step(driver, bench);
    round(bench);
  }
  step(driver, bench);
  snprintf(description, sizeof(description), "%s %s %s %u %u %llu", drivers[driver], apis[api],
           workload->name, batch, rounds * batch,
           (unsigned long long)*doorbells[0] + *doorbells[1]);
  CALLGRIND_DUMP_STATS_AT(description);
}

/* One series, on devices of its own. */
static int measure(unsigned driver, const struct workload *workload, unsigned api, unsigned which)
{
  static struct cost_bench bench;
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_error error;
  uint8_t frame[60];
  const uint32_t bytes = build_request(frame);
  const struct shunt_host host = {
      .mac = {{2, 0, 0, 0, 0, 1}}, .ipv4 = 0x0a000001, .prefix_bits = 24};
  const struct shunt_region_options options = {.size = sizeof(options),
                                               .bytes = 8 << 20,
                                               .pages = SHUNT_PAGES_4K,
                                               .numa_node = SHUNT_NUMA_ANY};
  if (shunt_region_create(&options, &region, &error) ||
      shunt_pool_create(region, RING + SHUNT_ECHO_BATCH, &pool, &error) ||
      device_create(driver, &bench.in, region, pool, frame, bytes))
    goto no_memory;
  shunt_pool_take(pool, bench.free, SHUNT_ECHO_BATCH);
  if (device_create(driver, &bench.out, region, pool, frame, bytes))
    goto no_memory;
  shunt_echo_init(&bench.echo, &host, 0);
  if (driver == IXGBE)
    bench.in.ixgbe.queue.tx_interval = REPORT_INTERVAL;
  series(driver, &bench, workload, api, which);
  device_destroy(driver, &bench.in);
  device_destroy(driver, &bench.out);
  shunt_pool_destroy(pool);
  shunt_region_destroy(region);
  return 0;

no_memory:
  fprintf(stderr, "shunt-cost: no memory\n");
  return 1;
}

static int work(void)
{
  int failed = 0;
  for (unsigned driver = 0; driver < DRIVERS; driver++)
    for (unsigned w = 0; w < WORKLOADS; w++)
      for (unsigned api = 0; api < 2; api++)
        for (unsigned which = 0; which < BATCHES; which++)
          failed |= measure(driver, &workloads[w], api, which);
  return failed | cost_efa_work() | cost_efvi_work();
}

/* --- The parent --------------------------------------------------------------------------------
 */

struct result {
  char driver[16], api[16], workload[16];
  unsigned batch;
  double instructions, doorbells;
};

/* The words are those of series(). Returns whether they are. */
static unsigned read_count(const struct callgrind_count *count, struct result *result)
{
  unsigned packets = 0;
  unsigned long long doorbells;
  if (sscanf(count->words, "%15s %15s %15s %u %u %llu", result->driver, result->api,
             result->workload, &result->batch, &packets, &doorbells) != 6 ||
      !packets)
    return 0;
  result->instructions = (double)count->instructions / packets;
  result->doorbells = (double)doorbells / packets;
  return 1;
}

static int compare(const void *left, const void *right)
{
  const struct result *a = left, *b = right;
  int order = strcmp(a->driver, b->driver);
  order = order ? order : strcmp(a->workload, b->workload);
  order = order ? order : -strcmp(a->api, b->api);
  return order ? order : (a->batch > b->batch) - (a->batch < b->batch);
}

static int report(struct result results[], unsigned n, const char *path)
{
  qsort(results, n, sizeof(results[0]), compare);
  printf("%-8s %-10s %-10s %6s %14s %11s\n", "driver", "workload", "api", "batch", "instr/packet",
         "doorbells");
  struct json_object *list = json_object_new_array();
  for (unsigned i = 0; i < n; i++) {
    printf("%-8s %-10s %-10s %6u %14.1f %11.3f\n", results[i].driver, results[i].workload,
           results[i].api, results[i].batch, results[i].instructions, results[i].doorbells);
    struct json_object *entry = json_object_new_object();
    json_object_object_add(entry, "driver", json_object_new_string(results[i].driver));
    json_object_object_add(entry, "api", json_object_new_string(results[i].api));
    json_object_object_add(entry, "workload", json_object_new_string(results[i].workload));
    json_object_object_add(entry, "batch", json_object_new_int((int)results[i].batch));
    json_object_object_add(entry, "instructions_per_packet",
                           json_object_new_double(results[i].instructions));
    json_object_object_add(entry, "doorbells_per_packet",
                           json_object_new_double(results[i].doorbells));
    json_object_array_add(list, entry);
  }
  int failed = json_object_to_file_ext(path, list, JSON_C_TO_STRING_PRETTY);
  json_object_put(list);
  if (failed)
    fprintf(stderr, "shunt-cost: can't write %s\n", path);
  return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
  if (argc == 2 && !strcmp(argv[1], "--worker"))
    return work();
  if (argc != 2) {
    fprintf(stderr, "usage: shunt-cost FILE.json\n");
    return 2;
  }
  static const char *const none[] = {NULL};
  static struct callgrind_count counts[SERIES + 1]; /* and what is left at the worker's end */
  static struct result results[SERIES];
  int series = callgrind_run(argv[0], "cost_round_*", none, counts, SERIES + 1);
  unsigned n = 0;
  for (int i = 0; i < series && n < SERIES; i++)
    n += read_count(&counts[i], &results[n]);
  if (n != SERIES) {
    fprintf(stderr, "shunt-cost: callgrind gave %u of %zu counts\n", n, SERIES);
    return 1;
  }
  return report(results, n, argv[1]);
}
