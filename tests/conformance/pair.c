/* SPDX-License-Identifier: BSD-2-Clause */
#include "conformance/pair.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/clock.h"
#include "shunt/vfio_user.h"
#include "src/port/driver.h"

/* For what the kernel, or a twin's thread, does by itself, at most. Loops take the time before they
 * look, so that one that had to wait for a CPU still looks. */
#define WAIT_NS UINT64_C(10000000000)

/* ---- Twins behind sockets ---- */

struct served {
  struct shunt_testbed *testbed;
  struct shunt_vfio_user *server[2];
  char name[2][80];
  pthread_t thread;
  bool has_thread;
  atomic_bool ends;
};

/* The servers' turn; they touch the models, as the testbed's polls do. */
static unsigned served_poll(struct served *served)
{
  unsigned done = 0;
  shunt_testbed_lock(served->testbed);
  for (unsigned i = 0; i < 2; i++)
    done += shunt_vfio_user_poll(served->server[i]);
  shunt_testbed_unlock(served->testbed);
  return done + shunt_testbed_poll(served->testbed);
}

static void *served_run(void *context)
{
  struct served *served = context;
  struct pollfd ready[2];
  for (unsigned i = 0; i < 2; i++)
    ready[i] = (struct pollfd){.fd = shunt_vfio_user_fd(served->server[i]), .events = POLLIN};
  for (unsigned idle = 0; !atomic_load(&served->ends);) {
    idle = served_poll(served) ? 0 : idle + 1;
    if (idle > 100)
      poll(ready, 2, 1);
    else if (idle)
      sched_yield();
  }
  return NULL;
}

static int served_make(struct served *served, unsigned i, const struct device *device,
                       struct shunt_error *error)
{
  struct shunt_model *model;
  char path[48];
  snprintf(path, sizeof(path), "/tmp/shunt-pair-%d-%u", (int)getpid(), i);
  snprintf(served->name[i], sizeof(served->name[i]), "%sixgbe:vfio-user:%s",
           device->prefix ? device->prefix : "", path);
  int result = shunt_testbed_twin(served->testbed, "ixgbe", device->keys, &model, error);
  return result ? result : shunt_vfio_user_create(model, path, NULL, &served->server[i], error);
}

struct served *served_start(struct device *device, struct shunt_error *error)
{
  struct served *served = calloc(1, sizeof(*served));
  assert_non_null(served);
  int result = shunt_testbed_create(NULL, &served->testbed, error);
  for (unsigned i = 0; i < 2 && !result; i++)
    result = served_make(served, i, device, error);
  if (!result) {
    assert_int_equal(pthread_create(&served->thread, NULL, served_run, served), 0);
    served->has_thread = true;
    device->name = served->name[0];
    device->peer_name = served->name[1];
    return served;
  }
  served_stop(served);
  return NULL;
}

void served_stop(struct served *served)
{
  atomic_store(&served->ends, true);
  if (served->has_thread)
    pthread_join(served->thread, NULL);
  for (unsigned i = 0; i < 2; i++)
    shunt_vfio_user_destroy(served->server[i]);
  shunt_testbed_destroy(served->testbed);
  free(served);
}

/* ---- Interfaces of the kernel ---- */

/* IPv6 would send frames of its own accord. */
static int quiet_namespace(void)
{
  int failed = unshare(CLONE_NEWNET);
  FILE *file = failed ? NULL : fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w");
  if (file) {
    fputs("1", file);
    fclose(file);
  }
  return failed;
}

const char *kernel_pair_make(void)
{
  if (geteuid() != 0)
    return "it takes root to make a network namespace";
  if (quiet_namespace())
    return "network namespaces can't be made here";
  if (system("ip link add xa numrxqueues 4 numtxqueues 4 type veth peer name xb numrxqueues 4 "
             "numtxqueues 4 && ip link set xa up && ip link set xb up"))
    return "ip can't make a pair of veth interfaces here";
  return NULL;
}

/* ---- Pairs ---- */

int device_open(const struct device *device, const char *name,
                const struct shunt_port_options *options, struct shunt_port **port,
                struct shunt_error *error)
{
  return port_open_with(device->driver, name, options, port, error);
}

int pair_create(struct pair *pair, const struct device *device, struct served *served,
                const struct shunt_port_options *given, uint32_t buf_bytes,
                struct shunt_error *error)
{
  struct shunt_region_options region = {.size = sizeof(region),
                                        .buf_bytes = buf_bytes,
                                        .bytes = (uint64_t)PAIR_BUFS * 2 *
                                                 (buf_bytes ? buf_bytes : 2048),
                                        .numa_node = SHUNT_NUMA_ANY};
  struct shunt_port_options options = given ? *given : (struct shunt_port_options){0};
  memset(pair, 0, sizeof(*pair));
  pair->served = served;
  pair->kernel = device->kernel;
  int result = 0;
  if (served)
    pair->testbed = served->testbed;
  else
    result = shunt_testbed_create(NULL, &pair->testbed, error);
  if (!result)
    result = shunt_region_create(&region, &pair->region, error);
  if (!result)
    result = shunt_pool_create(pair->region, PAIR_BUFS, &pair->pool, error);
  options.size = sizeof(options);
  options.region = pair->region;
  options.testbed = pair->testbed;
  for (unsigned i = 0; i < 2 && !result; i++) {
    struct shunt_port_info info = {.size = sizeof(info)};
    const char *name = i && device->peer_name ? device->peer_name : device->name;
    result = device_open(device, name, &options, &pair->port[i], error);
    if (result)
      break;
    pair->queue[i] = shunt_port_queue(pair->port[i], 0);
    shunt_port_info(pair->port[i], &info);
    pair->mac[i] = info.mac;
    for (unsigned q = 0; q < info.queues; q++)
      shunt_rx_fill(shunt_port_queue(pair->port[i], q), pair->pool);
  }
  if (result)
    pair_destroy(pair);
  else
    pair_settle(pair);
  return result;
}

void pair_destroy(struct pair *pair)
{
  for (unsigned i = 0; i < 2; i++)
    shunt_port_close(pair->port[i]);
  shunt_pool_destroy(pair->pool);
  shunt_region_destroy(pair->region);
  if (!pair->served)
    shunt_testbed_destroy(pair->testbed);
  memset(pair, 0, sizeof(*pair));
}

static unsigned pair_turn(struct pair *pair)
{
  return pair->served ? served_poll(pair->served) : shunt_testbed_poll(pair->testbed);
}

void pair_settle(struct pair *pair)
{
  unsigned idle = 0;
  for (unsigned i = 0; i < 100000 && idle < 4; i++)
    idle = pair_turn(pair) ? 0 : idle + 1;
  assert_true(idle >= 4); /* else the devices never come to rest */
}

uint8_t *pair_data(struct pair *pair, const struct shunt_frame *frame)
{
  return (uint8_t *)shunt_region_base(pair->region) + frame->addr;
}

void pair_build(struct pair *pair, unsigned from, uint32_t bytes, uint8_t seed,
                struct shunt_frame *frame)
{
  shunt_buf buf;
  assert_int_equal(shunt_pool_take(pair->pool, &buf, 1), 1);
  *frame = (struct shunt_frame){.addr = buf, .len = (uint16_t)bytes};
  uint8_t *data = pair_data(pair, frame);
  memcpy(data, pair->mac[!from].bytes, 6);
  memcpy(data + 6, pair->mac[from].bytes, 6);
  data[12] = 0x88; /* local experimental ethertype (IEEE 802) */
  data[13] = 0xB5;
  for (uint32_t i = 14; i < bytes; i++)
    data[i] = (uint8_t)(seed + i);
}

void pair_send(struct pair *pair, unsigned from, const struct shunt_frame frames[], unsigned n)
{
  assert_int_equal(shunt_tx_post(pair->queue[from], frames, n), n);
  shunt_tx_push(pair->queue[from]);
  pair_settle(pair);
}

static unsigned take(struct pair *pair, unsigned at, struct shunt_frame frames[], unsigned n)
{
  unsigned got = shunt_rx_poll(pair->queue[at], frames, n);
  if (!got && pair->kernel)
    usleep(500);
  pair_settle(pair);
  return got;
}

unsigned pair_receive(struct pair *pair, unsigned at, struct shunt_frame frames[], unsigned n,
                      unsigned least)
{
  unsigned got = 0;
  uint64_t now_ns = shunt_monotonic_ns();
  for (const uint64_t end_ns = now_ns + WAIT_NS; got < least && now_ns < end_ns;) {
    now_ns = shunt_monotonic_ns();
    got += take(pair, at, frames + got, n - got);
  }
  for (unsigned round = 0; round < 64 && got < n; round++)
    got += take(pair, at, frames + got, n - got);
  return got;
}

static unsigned reclaim(struct pair *pair, unsigned from)
{
  shunt_buf bufs[64];
  unsigned all = 0, got;
  while ((got = shunt_tx_poll(pair->queue[from], bufs, 64))) {
    shunt_pool_give(pair->pool, bufs, got);
    all += got;
  }
  if (pair->kernel)
    usleep(20);
  return all;
}

unsigned pair_reclaim(struct pair *pair, unsigned from, unsigned least)
{
  unsigned all = 0;
  uint64_t now_ns = shunt_monotonic_ns();
  pair_settle(pair);
  for (const uint64_t end_ns = now_ns + WAIT_NS; all < least && now_ns < end_ns;) {
    now_ns = shunt_monotonic_ns();
    all += reclaim(pair, from);
  }
  for (unsigned quiet = 0; quiet < (pair->kernel ? 8 : 1); quiet++)
    all += reclaim(pair, from);
  return all;
}

void pair_give(struct pair *pair, const struct shunt_frame frames[], unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    shunt_pool_give(pair->pool, &frames[i].addr, 1);
}

uint64_t pair_statistic(struct pair *pair, unsigned at, const char *name)
{
  unsigned n = shunt_port_statistics(pair->port[at], NULL, 0);
  struct shunt_statistic *statistics = calloc(n, sizeof(*statistics));
  uint64_t value = UINT64_MAX;
  assert_non_null(statistics);
  shunt_port_statistics(pair->port[at], statistics, n);
  for (unsigned i = 0; i < n; i++)
    if (!strcmp(statistics[i].name, name))
      value = statistics[i].value;
  free(statistics);
  assert_true(value != UINT64_MAX); /* else there is no such counter */
  return value;
}

uint32_t pair_udp(struct pair *pair, unsigned from, struct shunt_frame *frame, uint16_t source_port,
                  uint32_t payload_bytes, int partial)
{
  uint32_t bytes = 14 + 20 + 8 + payload_bytes, udp_bytes = 8 + payload_bytes;
  pair_build(pair, from, bytes, (uint8_t)source_port, frame);
  uint8_t *data = pair_data(pair, frame);
  const uint8_t head[28] = {0x45,
                            0,
                            (uint8_t)((bytes - 14) >> 8),
                            (uint8_t)(bytes - 14),
                            0,
                            1,
                            0,
                            0,
                            64,
                            17,
                            0,
                            0,
                            10,
                            1,
                            0,
                            (uint8_t)(1 + from),
                            10,
                            1,
                            0,
                            (uint8_t)(2 - from),
                            (uint8_t)(source_port >> 8),
                            (uint8_t)source_port,
                            0x10,
                            0x92,
                            (uint8_t)(udp_bytes >> 8),
                            (uint8_t)udp_bytes,
                            0,
                            0};
  data[12] = 0x08;
  data[13] = 0x00;
  memcpy(data + 14, head, sizeof(head));
  if (partial) {
    uint32_t sum = shunt_checksum_pseudo(0x0A010001u + from, 0x0A010002u - from, 17, udp_bytes);
    uint16_t folded = (uint16_t)~shunt_checksum_finish(sum);
    data[40] = (uint8_t)(folded >> 8);
    data[41] = (uint8_t)folded;
  }
  return bytes;
}
