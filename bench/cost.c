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
#include "bench/instant.h"
#include "shunt/echo.h"

#define RING 2048u
/* The responder lets the NIC report every 32nd answer (shunt echo opens its port so): nobody waits
 * for the buffers of the others. */
#define REPORT_INTERVAL 32u
#define PACKETS         8192u /* a series; enough that what happens once per ring is averaged */

static const struct shunt_queue_verbs inline_verbs = SHUNT_IXGBE_VERBS;

/* What a round works on. in and out are two ports of the same driver, as in a forwarder. */
struct cost_bench {
  struct instant in, out;
  struct shunt_echo echo;
  shunt_buf free[SHUNT_ECHO_BATCH];
};

#define ROUND static inline __attribute__((always_inline)) void

ROUND rx_drop(const struct shunt_queue_verbs *verbs, struct cost_bench *bench, unsigned batch)
{
  struct shunt_frame frames[SHUNT_ECHO_BATCH];
  shunt_buf bufs[SHUNT_ECHO_BATCH];
  struct shunt_queue *q = &bench->in.queue.head;
  unsigned n = verbs->rx_poll(q, frames, batch);
  for (unsigned i = 0; i < n; i++)
    bufs[i] = frames[i].addr;
  verbs->rx_post(q, bufs, n);
}

/* Sent buffers come back at the start of the next round, when the device has had its step. */
ROUND tx_only(const struct shunt_queue_verbs *verbs, struct cost_bench *bench, unsigned batch)
{
  struct shunt_frame frames[SHUNT_ECHO_BATCH];
  struct shunt_queue *q = &bench->out.queue.head;
  verbs->tx_poll(q, bench->free, batch);
  for (unsigned i = 0; i < batch; i++) {
    frames[i].addr = bench->free[i];
    frames[i].len = 60;
    frames[i].flags = 0;
  }
  verbs->tx_post(q, frames, batch);
  verbs->tx_push(q);
}

ROUND forward(const struct shunt_queue_verbs *verbs, struct cost_bench *bench, unsigned batch)
{
  struct shunt_frame frames[SHUNT_ECHO_BATCH];
  struct shunt_queue *in = &bench->in.queue.head, *out = &bench->out.queue.head;
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
  shunt_echo_round_with(verbs, &bench->in.queue.head, &bench->echo, batch);
}

/* The functions that are counted: one for each batch, since a program knows its batch when it is
 * compiled. The portable ones can't see which verbs they call. */
#define COUNTED(name, batch)                                                                       \
  __attribute__((noinline)) static void cost_round_##name##_portable_##batch(                      \
      struct cost_bench *bench)                                                                    \
  {                                                                                                \
    name(bench->in.queue.head.verbs, bench, batch);                                                \
  }                                                                                                \
  __attribute__((noinline)) static void cost_round_##name##_inline_##batch(                        \
      struct cost_bench *bench)                                                                    \
  {                                                                                                \
    name(&inline_verbs, bench, batch);                                                             \
  }
#define EACH_BATCH(X, name) X(name, 1) X(name, 8) X(name, 32) X(name, 64)
EACH_BATCH(COUNTED, rx_drop)
EACH_BATCH(COUNTED, tx_only)
EACH_BATCH(COUNTED, forward)
EACH_BATCH(COUNTED, icmp_echo)

typedef void cost_round(struct cost_bench *bench);
#define ROUNDS_OF(name, api)                                                                       \
  {                                                                                                \
    cost_round_##name##_##api##_1, cost_round_##name##_##api##_8, cost_round_##name##_##api##_32,  \
        cost_round_##name##_##api##_64                                                             \
  }
static const struct workload {
  const char *name;
  cost_round *round[2][4]; /* by api and batch */
} workloads[] = {
    {"rx-drop", {ROUNDS_OF(rx_drop, portable), ROUNDS_OF(rx_drop, inline)}},
    {"tx-only", {ROUNDS_OF(tx_only, portable), ROUNDS_OF(tx_only, inline)}},
    {"forward", {ROUNDS_OF(forward, portable), ROUNDS_OF(forward, inline)}},
    {"icmp-echo", {ROUNDS_OF(icmp_echo, portable), ROUNDS_OF(icmp_echo, inline)}},
};
static const char *const apis[] = {"portable", "inline"};
static const unsigned batches[] = {1, 8, 32, 64};
#define SERIES (sizeof(workloads) / sizeof(workloads[0]) * 2 * 4)

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

static void series(struct cost_bench *bench, const struct workload *workload, unsigned api,
                   unsigned which)
{
  char description[128];
  cost_round *const round = workload->round[api][which];
  const unsigned batch = batches[which], rounds = PACKETS / batch;
  for (unsigned i = 0; i < rounds; i++) { /* not counted: fills caches of indices and rings */
    instant_step(&bench->in);
    instant_step(&bench->out);
    round(bench);
  }
  CALLGRIND_ZERO_STATS;
  bench->in.doorbells = bench->out.doorbells = 0;
  for (unsigned i = 0; i < rounds; i++) {
    instant_step(&bench->in);
    instant_step(&bench->out);
    round(bench);
  }
  instant_step(&bench->in);
  instant_step(&bench->out);
  snprintf(description, sizeof(description), "%s %s %u %u %llu", apis[api], workload->name, batch,
           rounds * batch, (unsigned long long)(bench->in.doorbells + bench->out.doorbells));
  CALLGRIND_DUMP_STATS_AT(description);
}

static int work(void)
{
  static struct cost_bench bench;
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_error error;
  uint8_t frame[60];
  struct shunt_host host = {.mac = {{2, 0, 0, 0, 0, 1}}, .ipv4 = 0x0a000001, .prefix_bits = 24};
  uint32_t bytes = build_request(frame);

  for (unsigned w = 0; w < sizeof(workloads) / sizeof(workloads[0]); w++)
    for (unsigned api = 0; api < 2; api++)
      for (unsigned b = 0; b < sizeof(batches) / sizeof(batches[0]); b++) {
        struct shunt_region_options options = {.size = sizeof(options),
                                               .bytes = 8 << 20,
                                               .pages = SHUNT_PAGES_4K,
                                               .numa_node = SHUNT_NUMA_ANY};
        if (shunt_region_create(&options, &region, &error) ||
            shunt_pool_create(region, RING - 1 + SHUNT_ECHO_BATCH, &pool, &error) ||
            instant_create(&bench.in, region, pool, RING, frame, bytes)) {
          fprintf(stderr, "shunt-cost: no memory\n");
          return 1;
        }
        shunt_pool_take(pool, bench.free, SHUNT_ECHO_BATCH);
        if (instant_create(&bench.out, region, pool, RING, frame, bytes))
          return 1;
        shunt_echo_init(&bench.echo, &host, 0);
        bench.in.queue.tx_interval = REPORT_INTERVAL;
        series(&bench, &workloads[w], api, b);
        instant_destroy(&bench.in);
        instant_destroy(&bench.out);
        shunt_pool_destroy(pool);
        shunt_region_destroy(region);
      }
  return 0;
}

/* --- The parent --------------------------------------------------------------------------------
 */

struct result {
  char api[16], workload[16];
  unsigned batch;
  double instructions, doorbells;
};

/* The words are those of series(). Returns whether they are. */
static unsigned read_count(const struct callgrind_count *count, struct result *result)
{
  unsigned packets = 0;
  unsigned long long doorbells;
  if (sscanf(count->words, "%15s %15s %u %u %llu", result->api, result->workload, &result->batch,
             &packets, &doorbells) != 5 ||
      !packets)
    return 0;
  result->instructions = (double)count->instructions / packets;
  result->doorbells = (double)doorbells / packets;
  return 1;
}

static int compare(const void *left, const void *right)
{
  const struct result *a = left, *b = right;
  int order = strcmp(a->workload, b->workload);
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
    printf("%-8s %-10s %-10s %6u %14.1f %11.3f\n", "ixgbe", results[i].workload, results[i].api,
           results[i].batch, results[i].instructions, results[i].doorbells);
    struct json_object *entry = json_object_new_object();
    json_object_object_add(entry, "driver", json_object_new_string("ixgbe"));
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
