/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "shunt/privileges.h"
#include "shunt/xdp.h"
#include "tools/shunt/keeper.h"

#define NS_PER_S      UINT64_C(1000000000)
#define SLICE_NS      UINT64_C(50000)    /* longest sleep between two turns of the twins */
#define LINK_LOOK_NS  UINT64_C(10000000) /* how often a link that is down is looked at */
#define DRAIN_NS      UINT64_C(2000000)
#define DRAIN_MOST_NS UINT64_C(1000000000)

/* ---- Time ---- */

/* The ports wait on this clock, and while they do the twins go on. */
static uint64_t clock_now_ns(void *context)
{
  return devices_now_ns(context);
}

static void clock_sleep_ns(void *context, uint64_t duration_ns)
{
  struct devices *devices = context;
  uint64_t end_ns = devices_now_ns(devices) + duration_ns, now_ns;
  if (devices->has_thread) {
    shunt_clock_sleep_ns(shunt_clock_real(), duration_ns);
    return;
  }
  do {
    unsigned done = shunt_testbed_poll(devices->testbed);
    now_ns = devices_now_ns(devices);
    if (!done && now_ns < end_ns)
      shunt_clock_sleep_ns(shunt_clock_real(),
                           end_ns - now_ns < SLICE_NS ? end_ns - now_ns : SLICE_NS);
  } while (now_ns < end_ns);
}

/* Unix time when the clock of devices was zero: captures carry the time of day. */
static int64_t epoch_ns(const struct devices *devices)
{
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  return (int64_t)real.tv_sec * (int64_t)NS_PER_S + real.tv_nsec - (int64_t)devices_now_ns(devices);
}

/* ---- The twins' thread ---- */

static void *twins_thread(void *context)
{
  struct devices *devices = context;
  struct shunt_idle idle;
  struct shunt_error error;
  const struct shunt_idle_options yield = {.mode = SHUNT_IDLE_YIELD};
  /* Where the CPU can't be had the twins run anywhere: a model's speed proves nothing. */
  if (shunt_cpu_pin((unsigned)devices->device_cpu, &error))
    shunt_log_error(&devices->cli->log, SHUNT_LOG_WARNING, &error);
  shunt_idle_init(&idle, &yield, NULL);
  while (!atomic_load_explicit(&devices->thread_ends, memory_order_relaxed)) {
    if (shunt_testbed_poll(devices->testbed))
      shunt_idle_work(&idle);
    else
      shunt_idle_none(&idle);
  }
  return NULL;
}

static void end_thread(struct devices *devices)
{
  if (!devices->has_thread)
    return;
  atomic_store(&devices->thread_ends, true);
  pthread_join(devices->thread, NULL);
  devices->has_thread = false;
}

/* ---- Start ---- */

void devices_init(struct devices *devices)
{
  memset(devices, 0, sizeof(*devices));
  devices->cpu = DEVICE_NO_CPU;
  devices->device_cpu = DEVICE_NO_CPU;
  devices->wait_name = "yield";
  devices->link_wait_s = -1;
  devices->wait_fd = -1;
  devices->deadline_ns = UINT64_MAX;
  devices->goal.give_up_s = -1;
}

static int choose_wait(struct devices *devices)
{
  if (!strcmp(devices->wait_name, "spin"))
    devices->wait = SHUNT_IDLE_SPIN;
  else if (!strcmp(devices->wait_name, "yield"))
    devices->wait = SHUNT_IDLE_YIELD;
  else if (!strcmp(devices->wait_name, "wait"))
    devices->wait = SHUNT_IDLE_FD;
  else
    return cli_usage(devices->cli, "--queue-wait: \"%s\" is none of spin, yield, wait",
                     devices->wait_name);
  return 0;
}

int devices_start(struct devices *devices, const struct cli *cli)
{
  struct shunt_error error;
  devices->cli = cli;
  int exit = choose_wait(devices);
  if (exit)
    return exit;
  if (shunt_tsc_calibrate(&devices->tsc, &error) ||
      (devices->cpu != DEVICE_NO_CPU && shunt_cpu_pin((unsigned)devices->cpu, &error)))
    return cli_fail(cli, &error);
  devices->tsc_clock = shunt_tsc_clock(&devices->tsc);
  devices->clock = (struct shunt_clock){clock_now_ns, clock_sleep_ns, devices};
  devices->epoch_ns = epoch_ns(devices);
  struct shunt_testbed_options options = {
      .size = sizeof(options), .clock = &devices->tsc_clock, .epoch_ns = devices->epoch_ns};
  if (shunt_testbed_create(&options, &devices->testbed, &error))
    return cli_fail(cli, &error);
  if (devices->device_cpu == DEVICE_NO_CPU)
    return 0;
  int code = pthread_create(&devices->thread, NULL, twins_thread, devices);
  if (code) {
    shunt_error_set(&error, -code, "can't start the twins' thread");
    shunt_error_why(&error, "%s", strerror(code));
    return cli_fail(cli, &error);
  }
  devices->has_thread = true;
  return 0;
}

/* ---- Opening ---- */

/* What one thread here can serve. */
static int check_queues(const struct devices *devices, const struct device *device,
                        struct shunt_error *error)
{
  const struct shunt_port_info *info = &device->info, *first = &devices->device[0].info;
  if (info->queues > DEVICE_QUEUES_MOST) {
    shunt_error_set(error, -EINVAL, "%s has %u queues", info->name, info->queues);
    shunt_error_why(error, "one thread serves at most %d here", DEVICE_QUEUES_MOST);
    return -EINVAL;
  }
  if (info->queues != first->queues &&
      shunt_port_region(device->port) == shunt_port_region(devices->device[0].port)) {
    shunt_error_set(error, -EINVAL, "%s has %u queues, and %s %u", info->name, info->queues,
                    first->name, first->queues);
    shunt_error_why(error, "queue 0 is joined to queue 0, and so on");
    shunt_error_remedy(error, "give both the same number with the key queues");
    return -EINVAL;
  }
  return 0;
}

/* Bytes that frames to send leave free in front of them, in their buffers. */
static uint32_t headroom(const struct shunt_port *port)
{
  struct shunt_xdp_info xdp = {.size = sizeof(xdp)};
  return shunt_xdp_info(port, &xdp, NULL) ? 0 : xdp.tx_headroom;
}

static int furnish(struct devices *devices, struct device *device, struct shunt_error *error)
{
  struct shunt_port_info *info = &device->info;
  info->size = sizeof(*info);
  shunt_port_info(device->port, info);
  device->headroom = headroom(device->port);
  devices->model |= info->model != 0;
  devices->steps |= info->steps && !devices->has_thread;
  int code = check_queues(devices, device, error);
  if (!code)
    code = shunt_pool_create(shunt_port_region(device->port),
                             info->queues * (info->rx_ring + info->tx_ring), &device->pool, error);
  for (unsigned i = 0; !code && i < info->queues; i++) {
    device->queues[i] = shunt_port_queue(device->port, i);
    shunt_rx_fill(device->queues[i], device->pool);
  }
  device->at_rest = code ? 0 : shunt_pool_free(device->pool);
  return code;
}

int devices_open(struct devices *devices, const char *argument,
                 const struct shunt_port_options *wanted)
{
  struct device *device = &devices->device[devices->count];
  struct shunt_port_options options = *wanted;
  struct shunt_error error;
  options.clock = &devices->clock;
  options.log = &devices->cli->log;
  options.testbed = devices->testbed;
  options.interrupts = devices->wait == SHUNT_IDLE_FD;
  int code = shunt_port_open(cli_device(devices->cli, argument), &options, &device->port, &error);
  if (!code) {
    devices->count++;
    code = furnish(devices, device, &error);
  }
  if (code == -EBUSY && devices->busy_remedy) {
    const struct shunt_error first = error;
    shunt_error_remedy(&error, "%s; else %s", devices->busy_remedy, first.remedy);
  }
  return code ? cli_fail(devices->cli, &error) : 0;
}

/* ---- Links ---- */

struct link_wait {
  struct device *device;
  int code;
  struct shunt_error *error;
};

static bool link_is_up(void *context)
{
  struct link_wait *wait = context;
  struct device *device = wait->device;
  device->link.size = sizeof(device->link);
  wait->code = shunt_port_link(device->port, &device->link, wait->error);
  return wait->code || device->link.up || cli_stopped();
}

/* A link that was up until its program made the driver begin anew comes back in the NIC's time. */
static double link_wait_s(const struct devices *devices, const struct device *device)
{
  struct shunt_xdp_info xdp = {.size = sizeof(xdp)};
  if (devices->link_wait_s >= 0)
    return devices->link_wait_s;
  return !shunt_xdp_info(device->port, &xdp, NULL) && xdp.link_before ? 30 : 5;
}

int devices_wait_for_links(struct devices *devices, bool required)
{
  const uint64_t start_ns = devices_now_ns(devices);
  struct shunt_error error;
  for (unsigned i = 0; i < devices->count; i++) {
    struct device *device = &devices->device[i];
    struct link_wait wait = {device, 0, &error};
    const double wait_s = link_wait_s(devices, device);
    shunt_wait_until(&devices->clock, start_ns + (uint64_t)(wait_s * 1e9), LINK_LOOK_NS, link_is_up,
                     &wait);
    if (wait.code)
      return cli_fail(devices->cli, &error);
    if (device->link.up)
      continue;
    shunt_error_set(&error, -ENETDOWN, "the link of %s is down", device->info.name);
    shunt_error_why(&error, "after %g s: %s", wait_s, device->link.diagnosis);
    if (required)
      return cli_fail(devices->cli, &error);
    shunt_log_error(&devices->cli->log, SHUNT_LOG_WARNING, &error);
  }
  return 0;
}

/* ---- Waiting for frames ---- */

/* Armed, a queue that has received meanwhile makes its descriptor readable no more: so the loop
 * takes one more round before it waits again, which is what an empty poll here stands for. */
static bool arm(void *context)
{
  const struct devices *devices = context;
  struct epoll_event ready;
  for (unsigned i = 0; i < devices->count; i++)
    for (unsigned q = 0; q < devices->device[i].info.queues; q++)
      shunt_queue_arm(devices->device[i].queues[q]);
  return epoll_wait(devices->wait_fd, &ready, 1, 0) > 0;
}

static int collect_fds(struct devices *devices, struct shunt_error *error)
{
  devices->wait_fd = epoll_create1(EPOLL_CLOEXEC);
  int code = devices->wait_fd < 0 ? -errno : 0;
  for (unsigned i = 0; !code && i < devices->count; i++)
    for (unsigned q = 0; !code && q < devices->device[i].info.queues; q++) {
      struct epoll_event event = {.events = EPOLLIN};
      int fd = shunt_queue_fd(devices->device[i].queues[q], error);
      if (fd < 0)
        return fd;
      code = epoll_ctl(devices->wait_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
    }
  if (!code)
    return 0;
  shunt_error_set(error, code, "can't wait for interrupts");
  shunt_error_why(error, "epoll: %s", strerror(-code));
  return code;
}

/* What was changed at the interfaces is put back by a process that keeps the right to. */
static int give_up(const struct devices *devices, struct shunt_error *error)
{
  if (!devices->drop_privileges && !devices->user)
    return 0;
  int code = keeper_start(error);
  return code ? code : shunt_privileges_drop(devices->user, error);
}

int devices_begin(struct devices *devices)
{
  struct shunt_error error;
  struct shunt_idle_options options = {.mode = devices->wait, .context = devices};
  int code = 0;
  if (options.mode == SHUNT_IDLE_FD && devices->steps) {
    options.mode = SHUNT_IDLE_SLEEP; /* nobody else would raise the interrupt */
  } else if (options.mode == SHUNT_IDLE_FD) {
    code = collect_fds(devices, &error);
    options.fd = devices->wait_fd;
    options.arm = arm;
  }
  code = code ? code : shunt_idle_init(&devices->idle, &options, &error);
  code = code ? code : give_up(devices, &error);
  if (code)
    return cli_fail(devices->cli, &error);
  for (unsigned i = 0; i < devices->count; i++)
    device_dropped_from_now(&devices->device[i]);
  devices->start_ns = devices_now_ns(devices);
  if (devices->seconds > 0)
    devices->deadline_ns = devices->start_ns + (uint64_t)(devices->seconds * 1e9);
  return 0;
}

double devices_elapsed_s(const struct devices *devices)
{
  return (double)(devices_now_ns(devices) - devices->start_ns) / 1e9;
}

double devices_elapsed(const struct devices *devices)
{
  return devices->seconds > 0 ? devices_elapsed_s(devices) / devices->seconds : 0;
}

/* ---- The end ---- */

bool devices_check(struct devices *devices, uint64_t now_ns)
{
  devices->check_ns = now_ns + DEVICES_CHECK_NS;
  for (unsigned i = 0; i < devices->count; i++)
    if (shunt_port_check(devices->device[i].port, &devices->ended))
      return false;
  return goal_check(&devices->goal, devices, now_ns, &devices->ended) == 0;
}

int devices_exit(const struct devices *devices, int exit)
{
  if (!devices->ended.code)
    return exit;
  if (!devices->cli->json)
    cli_fail(devices->cli, &devices->ended);
  return devices->ended.code == -ETIMEDOUT ? CLI_FINDINGS : CLI_FAILED;
}

void devices_drain(struct devices *devices)
{
  const uint64_t end_ns = devices_now_ns(devices) + DRAIN_MOST_NS;
  do
    shunt_clock_sleep_ns(&devices->clock, DRAIN_NS);
  while (shunt_testbed_next_ns(devices->testbed) != UINT64_MAX &&
         devices_now_ns(devices) < end_ns && !cli_stopped());
}

void devices_close(struct devices *devices)
{
  struct device *device;
  for (; devices->count > 0; devices->count--) {
    device = &devices->device[devices->count - 1];
    shunt_pool_destroy(device->pool);
    shunt_port_close(device->port);
  }
  end_thread(devices);
  shunt_testbed_destroy(devices->testbed);
  devices->testbed = NULL;
  if (devices->wait_fd >= 0)
    close(devices->wait_fd);
  devices->wait_fd = -1;
}

/* ---- Frames ---- */

unsigned device_frame_put(struct device *device, const void *bytes, uint32_t length,
                          struct shunt_frame frames[])
{
  const uint8_t *from = bytes;
  const uint32_t room = device->queues[0]->buf_bytes - device->headroom;
  unsigned n = (length + room - 1) / room;
  shunt_buf bufs[DEVICE_PIECES_MOST];
  if (!length || n > DEVICE_PIECES_MOST || shunt_pool_free(device->pool) < n)
    return 0;
  shunt_pool_take(device->pool, bufs, n);
  for (unsigned i = 0; i < n; i++) {
    uint32_t part = length < room ? length : room;
    frames[i] = (struct shunt_frame){.addr = bufs[i] + device->headroom,
                                     .len = (uint16_t)part,
                                     .flags = i + 1 < n ? SHUNT_FRAME_MORE : 0};
    memcpy(shunt_frame_data(device->queues[0], &frames[i]), from, part);
    from += part;
    length -= part;
  }
  return n;
}

void device_reclaim(struct device *device, unsigned queue)
{
  shunt_buf bufs[DEVICE_BURST];
  unsigned n;
  while ((n = shunt_tx_poll(device->queues[queue], bufs, DEVICE_BURST)) != 0)
    shunt_pool_give(device->pool, bufs, n);
}

uint32_t device_unsent(const struct device *device)
{
  const uint32_t free = shunt_pool_free(device->pool);
  return free < device->at_rest ? device->at_rest - free : 0;
}

void device_repost(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n)
{
  shunt_buf bufs[DEVICE_BURST];
  for (unsigned i = 0; i < n; i++)
    bufs[i] = frames[i].addr;
  shunt_rx_post(q, bufs, n);
}

const uint8_t *device_gather(struct device_gather *gather, const struct shunt_queue *q,
                             const struct shunt_frame *piece, uint32_t *length)
{
  const bool last = !(piece->flags & SHUNT_FRAME_MORE);
  const uint8_t *data = shunt_frame_data(q, piece);
  if (SHUNT_LIKELY(last && !gather->length && !gather->oversized)) {
    *length = piece->len;
    return data;
  }
  gather->oversized |= piece->len > sizeof(gather->bytes) - gather->length;
  if (!gather->oversized) {
    memcpy(gather->bytes + gather->length, data, piece->len);
    gather->length += piece->len;
  }
  if (!last)
    return NULL;
  const bool fits = !gather->oversized;
  *length = gather->length;
  gather->length = 0;
  gather->oversized = false;
  return fits ? gather->bytes : NULL;
}
