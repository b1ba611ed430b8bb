/* SPDX-License-Identifier: BSD-2-Clause */
/* What a twin in another process costs: a register by message, a doorbell through shared pages, and
 * frames. The devices' process (bench_server.c) has one core, the drivers here the other. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/ixgbe.h"
#include "shunt/ixgbe.h"
#include "src/pci/pci.h" /* what a driver stands on: single accesses can't be had above it */
#include "tools/shunt/bench.h"

#define RING       1024u
#define BATCH      32u
#define NAME_BYTES 160
#define REPORT     32u /* let the NIC report every 32nd frame that it has sent */

static const struct shunt_queue_verbs verbs = SHUNT_IXGBE_VERBS;

/* One end of the wire that frames go round on: out by one port, in by the other. Every buffer is
 * posted to receive, on its way, or in free. */
struct round {
  struct shunt_pool *pool;
  struct shunt_port *from_port, *to_port;
  struct shunt_queue *from, *to;
  shunt_buf free[BENCH_WINDOW];
  unsigned free_count;
  unsigned flying;
  bool doorbell_lost; /* one that was given up; its buffer is free[0] */
};

struct bench_vfio_user {
  struct bench *bench;
  struct bench_server *server;
  struct pci *access, *posted;
  struct bench_rtt *rtt;
  struct shunt_region *region;
  struct round round;
  uint32_t value; /* to write */
  struct bench_sample *sample;
};

/* ---- Set-up ---- */

static int open_function(struct bench_vfio_user *vfio, enum bench_server_twin twin,
                         struct pci **function, struct shunt_error *error)
{
  const struct pci_open_options options = {.log = &vfio->bench->cli->log};
  return pci_open(bench_server_location(vfio->server, twin), &options, function, error);
}

static void device_name(const struct bench_vfio_user *vfio, enum bench_server_twin twin,
                        char name[NAME_BYTES])
{
  snprintf(name, NAME_BYTES, "ixgbe:%s", bench_server_location(vfio->server, twin));
}

static int open_port(struct bench_vfio_user *vfio, enum bench_server_twin twin, uint32_t report,
                     struct shunt_port **port, struct shunt_queue **queue,
                     struct shunt_error *error)
{
  const struct shunt_port_options options = {.size = sizeof(options),
                                             .region = vfio->region,
                                             .rx_ring = RING,
                                             .tx_ring = RING,
                                             .tx_report_interval = report};
  char name[NAME_BYTES];
  device_name(vfio, twin, name);
  return bench_open_port(vfio->bench, name, &options, port, queue, error);
}

/* Each of the window's buffers holds a frame that the other port takes, from a station of the
 * bench's own, of the type for experiments (IEEE 802). */
static void fill_round(struct round *round)
{
  static const uint8_t from_and_type[] = {2, 0, 0, 0, 0, 1, 0x88, 0xB5};
  struct shunt_port_info info = {.size = sizeof(info)};
  shunt_port_info(round->to_port, &info);
  round->free_count = shunt_pool_take(round->pool, round->free, BENCH_WINDOW);
  for (unsigned i = 0; i < round->free_count; i++) {
    uint8_t *frame = round->from->base + round->free[i];
    memset(frame, 0, BENCH_FRAME_BYTES);
    memcpy(frame, info.mac.bytes, 6);
    memcpy(frame + 6, from_and_type, sizeof(from_and_type));
  }
  shunt_rx_fill(round->to, round->pool);
}

static int open_round(struct bench_vfio_user *vfio, struct shunt_error *error)
{
  const struct shunt_region_options region = {
      .size = sizeof(region), .bytes = 2 * SHUNT_REGION_ALIGN_BYTES, .numa_node = SHUNT_NUMA_ANY};
  struct round *round = &vfio->round;
  int code = shunt_region_create(&region, &vfio->region, error);
  if (!code)
    code = shunt_pool_create(vfio->region, RING - 1, &round->pool, error);
  if (!code)
    code = open_port(vfio, BENCH_SERVER_FROM_TWIN, REPORT, &round->from_port, &round->from, error);
  if (!code)
    code = open_port(vfio, BENCH_SERVER_TO_TWIN, 1, &round->to_port, &round->to, error);
  if (!code)
    fill_round(round);
  return code;
}

static int open_rtt(struct bench_vfio_user *vfio, struct shunt_error *error)
{
  char asking[NAME_BYTES], answering[NAME_BYTES];
  device_name(vfio, BENCH_SERVER_ASKING_TWIN, asking);
  device_name(vfio, BENCH_SERVER_ANSWERING_TWIN, answering);
  return bench_rtt_open(vfio->bench, (const char *const[]){asking, answering}, &vfio->rtt, error);
}

int bench_vfio_user_open(struct bench *bench, struct bench_vfio_user **made,
                         struct shunt_error *error)
{
  struct bench_vfio_user *vfio = calloc(1, sizeof(*vfio));
  if (!vfio)
    return shunt_error_set(error, -ENOMEM, "no memory to measure over vfio-user");
  vfio->bench = bench;
  int code = bench_server_start(bench, &vfio->server, error);
  if (!code)
    code = open_function(vfio, BENCH_SERVER_ACCESS_TWIN, &vfio->access, error);
  if (!code)
    code = open_function(vfio, BENCH_SERVER_POSTED_TWIN, &vfio->posted, error);
  if (!code)
    code = open_rtt(vfio, error);
  if (!code)
    code = open_round(vfio, error);
  if (!code)
    code = bench_server_serve(vfio->server, BENCH_SERVER_NONE, false, error);
  if (code) {
    bench_vfio_user_close(vfio);
    return shunt_error_within(error, code, "can't measure over vfio-user");
  }
  bench_server_hide(vfio->server);
  *made = vfio;
  return 0;
}

/* Ports are closed while their server listens. */
void bench_vfio_user_close(struct bench_vfio_user *vfio)
{
  struct shunt_error error;
  if (!vfio)
    return;
  if (vfio->server)
    bench_server_serve(vfio->server, BENCH_SERVER_GROUPS, false, &error);
  bench_rtt_close(vfio->rtt);
  shunt_port_close(vfio->round.from_port);
  shunt_port_close(vfio->round.to_port);
  shunt_pool_destroy(vfio->round.pool);
  shunt_region_destroy(vfio->region);
  if (vfio->access)
    pci_close(vfio->access);
  if (vfio->posted)
    pci_close(vfio->posted);
  bench_server_stop(vfio->server);
  free(vfio);
}

struct shunt_port *bench_vfio_user_port(struct bench_vfio_user *vfio)
{
  return vfio->round.to_port;
}

/* ---- One access ---- */

static uint64_t read_register(void *context)
{
  struct bench_vfio_user *vfio = context;
  const struct shunt_tsc *tsc = &vfio->bench->tsc;
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  uint32_t value = pci_read32(vfio->access, IXGBE_STATUS);
  const uint64_t took_ns = shunt_tsc_now_ordered_ns(tsc) - start_ns;
  return value != UINT32_MAX ? took_ns : 0;
}

static uint64_t read_register_asleep(void *context)
{
  struct bench_vfio_user *vfio = context;
  bench_pause(vfio->bench);
  return read_register(vfio);
}

/* Of so many writes together: the time of each, until the server has done all of them. */
static uint64_t write_registers(void *context)
{
  struct bench_vfio_user *vfio = context;
  const struct shunt_tsc *tsc = &vfio->bench->tsc;
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  for (unsigned i = 0; i < BENCH_POSTS; i++)
    pci_write32(vfio->posted, IXGBE_FCTTV(0), ++vfio->value);
  uint32_t value = pci_read32(vfio->posted, IXGBE_FCTTV(0));
  const uint64_t took_ns = shunt_tsc_now_ordered_ns(tsc) - start_ns;
  return value == vfio->value ? took_ns / BENCH_POSTS : 0;
}

/* ---- One doorbell ---- */

/* The port that else only receives sends a frame that the other does not take: the time from the
 * doorbell until the NIC is seen to have sent it. */
static uint64_t ring_doorbell(void *context)
{
  struct bench_vfio_user *vfio = context;
  const struct shunt_tsc *tsc = &vfio->bench->tsc;
  struct round *round = &vfio->round;
  const struct shunt_frame frame = {.addr = round->free[0], .len = BENCH_FRAME_BYTES};
  shunt_buf back;
  /* What was given up is late, and in the way. */
  if (round->doorbell_lost && !verbs.tx_poll(round->to, &back, 1))
    return 0;
  round->doorbell_lost = false;
  verbs.tx_post(round->to, &frame, 1);
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  verbs.tx_push(round->to);
  for (unsigned rounds = 1; !verbs.tx_poll(round->to, &back, 1); rounds++) {
    bench_spin(vfio->bench);
    round->doorbell_lost =
        rounds % 1024 == 0 && shunt_tsc_now_ns(tsc) - start_ns > BENCH_PATIENCE_NS;
    if (round->doorbell_lost)
      return 0;
  }
  return shunt_tsc_now_ordered_ns(tsc) - start_ns;
}

/* ---- Round and round ---- */

/* Take what has come, and send it again or keep it. Returns how many frames there were. */
SHUNT_INLINE unsigned turn(struct bench_vfio_user *vfio, bool sends)
{
  struct round *round = &vfio->round;
  struct shunt_frame frames[BATCH];
  shunt_buf bufs[BATCH];
  const unsigned n = verbs.rx_poll(round->to, frames, BATCH);
  uint8_t *const base = round->to->base;
  unsigned sent = 0;
  for (unsigned i = 0; i < n; i++)
    base[frames[i].addr + BENCH_FRAME_BYTES - 1]++;
  if (sends)
    sent = verbs.tx_post(round->from, frames, n);
  if (sent)
    verbs.tx_push(round->from);
  for (unsigned i = sent; SHUNT_UNLIKELY(i < n) && round->free_count < BENCH_WINDOW; i++)
    round->free[round->free_count++] = frames[i].addr;
  round->flying -= n - sent;
  verbs.rx_post(round->to, bufs, verbs.tx_poll(round->from, bufs, BATCH));
  if (!n)
    bench_spin(vfio->bench);
  return n;
}

/* Bring the window's frames on their way. */
static void launch(struct round *round)
{
  while (round->free_count > 0) {
    const struct shunt_frame frame = {.addr = round->free[round->free_count - 1],
                                      .len = BENCH_FRAME_BYTES};
    if (verbs.tx_post(round->from, &frame, 1) == 0)
      break;
    round->free_count--;
    round->flying++;
  }
  verbs.tx_push(round->from);
}

/* Until so much time has passed; returns how many frames have come. The clock is seldom asked. */
static uint64_t go_round(struct bench_vfio_user *vfio, uint64_t ns, uint64_t most)
{
  const struct shunt_tsc *tsc = &vfio->bench->tsc;
  const uint64_t end_ns = shunt_tsc_now_ns(tsc) + ns;
  uint64_t frames = 0;
  while (shunt_tsc_now_ns(tsc) < end_ns && frames < most && !cli_stopped())
    for (unsigned i = 0; i < 8; i++)
      frames += turn(vfio, true);
  return frames;
}

static void drive_forward(void *context)
{
  struct bench_vfio_user *vfio = context;
  struct bench_sample *sample = vfio->sample;
  const struct bench *bench = vfio->bench;
  launch(&vfio->round);
  go_round(vfio, bench->slice_ns / 10, UINT64_MAX);
  const uint64_t start_ns = shunt_tsc_now_ns(&bench->tsc);
  sample->frames = go_round(vfio, bench->slice_ns, bench->most);
  sample->ns = shunt_tsc_now_ns(&bench->tsc) - start_ns;
  const uint64_t end_ns = shunt_tsc_now_ns(&bench->tsc) + BENCH_PATIENCE_NS;
  while (vfio->round.flying > 0 && shunt_tsc_now_ns(&bench->tsc) < end_ns)
    turn(vfio, false);
  sample->lost += vfio->round.flying;
  vfio->round.flying = 0;
}

/* ---- A slice ---- */

static void drive_read(void *context)
{
  struct bench_vfio_user *vfio = context;
  bench_repeat(vfio->bench, read_register, vfio, vfio->sample);
}

static void drive_read_asleep(void *context)
{
  struct bench_vfio_user *vfio = context;
  bench_repeat(vfio->bench, read_register_asleep, vfio, vfio->sample);
}

static void drive_post(void *context)
{
  struct bench_vfio_user *vfio = context;
  bench_repeat(vfio->bench, write_registers, vfio, vfio->sample);
}

static void drive_doorbell(void *context)
{
  struct bench_vfio_user *vfio = context;
  bench_repeat(vfio->bench, ring_doorbell, vfio, vfio->sample);
}

static const struct {
  enum bench_server_group group;
  bool sleeps;
  void (*drive)(void *context);
} measurements[] = {
    [BENCH_VFIO_USER_READ] = {BENCH_SERVER_ACCESS, false, drive_read},
    [BENCH_VFIO_USER_READ_ASLEEP] = {BENCH_SERVER_ACCESS, true, drive_read_asleep},
    [BENCH_VFIO_USER_POST] = {BENCH_SERVER_POSTED, false, drive_post},
    [BENCH_VFIO_USER_DOORBELL] = {BENCH_SERVER_FORWARD, false, drive_doorbell},
    [BENCH_VFIO_USER_ROUND_TRIP] = {BENCH_SERVER_ROUND_TRIP, false, NULL},
    [BENCH_VFIO_USER_FORWARD] = {BENCH_SERVER_FORWARD, false, drive_forward},
};

int bench_vfio_user_slice(struct bench_vfio_user *vfio, enum bench_vfio_user_what what,
                          struct bench_sample *sample, struct shunt_error *error)
{
  vfio->sample = sample;
  int code =
      bench_server_serve(vfio->server, measurements[what].group, measurements[what].sleeps, error);
  if (!code)
    code = measurements[what].drive
               ? bench_run(vfio->bench, measurements[what].drive, NULL, vfio, error)
               : bench_rtt_slice(vfio->rtt, BENCH_TURNS_ELSEWHERE, sample, error);
  return code ? code : bench_server_serve(vfio->server, BENCH_SERVER_NONE, false, error);
}
