/* SPDX-License-Identifier: BSD-2-Clause */
/* make cost: what it costs a port that it can be captured, in instructions per packet of the
 * portable verbs on an 82599: without the option, with it while nobody is attached, and attached.
 *
 * Counted as in bench/cost.c. The port's clock stands, so its reading is not among what is counted:
 * attached, it comes to it once a burst. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "bench/callgrind.h"
#include "bench/instant.h"
#include "src/port/capture.h"
#include "src/port/tap.h"

#define RING        2048u
#define BATCH_MOST  64u
#define PACKETS     8192u
#define FRAME_BYTES 60u

enum { PLAIN, NOBODY, ATTACHED, KINDS };
static const char *const kinds[KINDS] = {"without", "nobody", "attached"};
static const unsigned batches[] = {1, 8, 32, 64};
#define BATCHES   (sizeof(batches) / sizeof(batches[0]))
#define WORKLOADS 2u
#define SERIES    (KINDS * WORKLOADS * BATCHES)

struct capture_bench {
  struct shunt_port port; /* first: the operations find the rest by a cast */
  struct instant device;
  struct shunt_capture *capture;
  void *shared; /* the port's memory, as whoever captures has it */
  size_t shared_bytes;
  int lock; /* file descriptor or -1 */
  shunt_buf free[BATCH_MOST];
};

/* ---- What is counted ---- */

__attribute__((noinline)) static void cost_round_rx(struct capture_bench *bench, unsigned batch)
{
  struct shunt_frame frames[BATCH_MOST];
  shunt_buf bufs[BATCH_MOST];
  struct shunt_queue *q = &bench->device.queue.head;
  unsigned n = shunt_rx_poll(q, frames, batch);
  for (unsigned i = 0; i < n; i++)
    bufs[i] = frames[i].addr;
  shunt_rx_post(q, bufs, n);
}

__attribute__((noinline)) static void cost_round_tx(struct capture_bench *bench, unsigned batch)
{
  struct shunt_frame frames[BATCH_MOST];
  struct shunt_queue *q = &bench->device.queue.head;
  shunt_tx_poll(q, bench->free, batch);
  for (unsigned i = 0; i < batch; i++)
    frames[i] = (struct shunt_frame){.addr = bench->free[i], .len = FRAME_BYTES};
  shunt_tx_post(q, frames, batch);
  shunt_tx_push(q);
}

static const struct {
  const char *name;
  void (*round)(struct capture_bench *bench, unsigned batch);
} workloads[WORKLOADS] = {{"rx-drop", cost_round_rx}, {"tx-only", cost_round_tx}};

/* ---- The port ---- */

static struct shunt_queue *bench_queue(struct shunt_port *port, unsigned index)
{
  (void)index;
  return &((struct capture_bench *)port)->device.queue.head;
}

static void bench_info(const struct shunt_port *port, struct shunt_port_info *info)
{
  info->rx_buf_bytes = ((const struct capture_bench *)port)->device.queue.head.buf_bytes;
}

static uint64_t standing_ns(void *context)
{
  (void)context;
  return 1;
}

static const struct port_ops bench_ops = {.queue = bench_queue, .info = bench_info};
static const struct shunt_clock standing_clock = {.now_ns = standing_ns};

/* A reader's lock, on a description of its own: without one, who lists ports that can be captured
 * takes the session for one that a killed reader has left, and ends it. */
static int take_lock(int fd, struct shunt_error *error)
{
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  const int locked = open(path, O_RDWR | O_CLOEXEC);
  if (locked >= 0 && !flock(locked, LOCK_EX | LOCK_NB))
    return locked;
  const int code = -errno;
  if (locked >= 0)
    close(locked);
  return shunt_error_set(error, code, "can't lock the port's memory");
}

/* Without a hold on the process, which is this one: valgrind knows no pidfd_open. */
static int attach(struct capture_bench *bench, int fd, struct shunt_error *error)
{
  bench->lock = take_lock(fd, error);
  if (bench->lock < 0)
    return bench->lock;
  bench->shared_bytes = (size_t)lseek(fd, 0, SEEK_END);
  bench->shared = mmap(NULL, bench->shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bench->shared == MAP_FAILED)
    return shunt_error_set(error, -ENOMEM, "can't map the port's memory");
  return capture_begin(bench->shared, bench->shared_bytes, false, NULL, &bench->capture, error);
}

static int open_port(struct capture_bench *bench, unsigned kind, struct shunt_region *region,
                     struct shunt_pool *pool, const uint8_t frame[FRAME_BYTES],
                     struct shunt_error *error)
{
  struct shunt_capture_port found;
  memset(bench, 0, sizeof(*bench));
  bench->lock = -1;
  int code = instant_create(&bench->device, region, pool, RING, frame, FRAME_BYTES);
  if (code)
    return shunt_error_set(error, code, "no memory for the rings");
  shunt_pool_take(pool, bench->free, BATCH_MOST);
  bench->port.ops = &bench_ops;
  bench->port.region = region;
  bench->port.options = (struct shunt_port_options){
      .queues = 1, .mtu = 1500, .capture = kind != PLAIN, .clock = &standing_clock};
  bench->device.queue.head.port = &bench->port;
  code = port_tap_install(&bench->port, error);
  if (code || kind != ATTACHED)
    return code;
  code = shunt_capture_list((uint32_t)getpid(), &found, 1, error);
  return code < 0 ? code : attach(bench, (int)found.fd, error);
}

static void close_port(struct capture_bench *bench)
{
  shunt_capture_detach(bench->capture);
  if (bench->shared_bytes)
    munmap(bench->shared, bench->shared_bytes);
  if (bench->lock >= 0)
    close(bench->lock);
  port_tap_remove(&bench->port);
  instant_destroy(&bench->device);
}

/* ---- The worker, under callgrind ---- */

static uint64_t rounds(struct capture_bench *bench, unsigned workload, unsigned batch)
{
  struct shunt_capture_record record;
  uint64_t recorded = 0;
  for (unsigned i = 0; i < PACKETS / batch; i++) {
    instant_step(&bench->device);
    workloads[workload].round(bench, batch);
    while (bench->capture && shunt_capture_next(bench->capture, &record, NULL) == 1)
      recorded++;
  }
  instant_step(&bench->device);
  return recorded;
}

static int series(unsigned kind, unsigned workload, unsigned batch)
{
  static struct capture_bench bench;
  static const uint8_t frame[FRAME_BYTES];
  struct shunt_region *region = NULL;
  struct shunt_pool *pool = NULL;
  struct shunt_error error;
  char words[64];
  const struct shunt_region_options options = {.size = sizeof(options),
                                               .bytes = 8 << 20,
                                               .pages = SHUNT_PAGES_4K,
                                               .numa_node = SHUNT_NUMA_ANY};
  int code = shunt_region_create(&options, &region, &error);
  code = code ? code : shunt_pool_create(region, RING + BATCH_MOST, &pool, &error);
  code = code ? code : open_port(&bench, kind, region, pool, frame, &error);
  if (!code) {
    rounds(&bench, workload, batch); /* not counted: fills caches of indices and rings */
    CALLGRIND_ZERO_STATS;
    uint64_t recorded = rounds(&bench, workload, batch);
    snprintf(words, sizeof(words), "%s %s %u", kinds[kind], workloads[workload].name, batch);
    CALLGRIND_DUMP_STATS_AT(words);
    if (kind == ATTACHED && recorded != PACKETS)
      code = shunt_error_set(&error, -1, "%llu of %u frames were recorded",
                             (unsigned long long)recorded, PACKETS);
  }
  if (code)
    fprintf(stderr, "shunt-capture-cost: %s\n", error.what);
  close_port(&bench);
  shunt_pool_destroy(pool);
  shunt_region_destroy(region);
  return code;
}

static int work(void)
{
  int failed = 0;
  for (unsigned workload = 0; workload < WORKLOADS; workload++)
    for (unsigned kind = 0; kind < KINDS; kind++)
      for (unsigned i = 0; i < BATCHES; i++)
        failed |= series(kind, workload, batches[i]);
  return failed ? 1 : 0;
}

/* ---- The parent ---- */

static double find(const struct callgrind_count counts[], unsigned n, const char *kind,
                   const char *workload, unsigned batch)
{
  char words[64];
  snprintf(words, sizeof(words), "%s %s %u", kind, workload, batch);
  for (unsigned i = 0; i < n; i++)
    if (!strncmp(counts[i].words, words, strlen(words)) &&
        strchr("\n", counts[i].words[strlen(words)]))
      return (double)counts[i].instructions / PACKETS;
  return -1;
}

static int report(const struct callgrind_count counts[], unsigned n, const char *path)
{
  struct json_object *list = json_object_new_array();
  int failed = 0;
  printf("%-8s %-10s %6s %14s\n", "capture", "workload", "batch", "instr/packet");
  for (unsigned workload = 0; workload < WORKLOADS; workload++)
    for (unsigned i = 0; i < BATCHES; i++)
      for (unsigned kind = 0; kind < KINDS; kind++) {
        double instructions = find(counts, n, kinds[kind], workloads[workload].name, batches[i]);
        struct json_object *entry = json_object_new_object();
        failed |= instructions < 0;
        printf("%-8s %-10s %6u %14.2f\n", kinds[kind], workloads[workload].name, batches[i],
               instructions);
        json_object_object_add(entry, "capture", json_object_new_string(kinds[kind]));
        json_object_object_add(entry, "workload", json_object_new_string(workloads[workload].name));
        json_object_object_add(entry, "batch", json_object_new_int((int)batches[i]));
        json_object_object_add(entry, "instructions_per_packet",
                               json_object_new_double(instructions));
        json_object_array_add(list, entry);
      }
  failed |= json_object_to_file_ext(path, list, JSON_C_TO_STRING_PRETTY) != 0;
  json_object_put(list);
  if (failed)
    fprintf(stderr, "shunt-capture-cost: a count is missing, or %s can't be written\n", path);
  return failed;
}

int main(int argc, char **argv)
{
  static struct callgrind_count counts[SERIES + 1]; /* and what the worker's end dumps */
  static const char *const none[] = {NULL};
  if (argc == 2 && !strcmp(argv[1], "--worker"))
    return work();
  if (argc != 2) {
    fprintf(stderr, "usage: shunt-capture-cost FILE.json\n");
    return 2;
  }
  int n = callgrind_run(argv[0], "cost_round_*", none, counts, SERIES + 1);
  return n < 0 ? 1 : report(counts, (unsigned)n, argv[1]);
}
