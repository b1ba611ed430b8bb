/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices: a port each, and who has which of its queues. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shunt/xdp.h"
#include "src/efvi/path.h"

/* Every opening of a twin in this process makes one, so there its name is none: two interfaces that
 * are called the same are two twins, which may hang on one wire. */
static bool is_twin(const char *name)
{
  const char *location = strchr(name, ':');
  return location && !strncmp(location, ":twin", 5) && (!location[5] || location[5] == '?');
}

struct efvi_device *efvi_device_hold(const char *name, const char *interface)
{
  struct efvi_state *state = efvi_state();
  struct efvi_device *device = state->devices;
  const char *owner = is_twin(name) ? interface : "";
  while (device && (strcmp(device->name, name) != 0 || strcmp(device->interface, owner) != 0))
    device = device->next;
  if (!device) {
    device = calloc(1, sizeof(*device));
    if (!device)
      return NULL;
    snprintf(device->name, sizeof(device->name), "%s", name);
    snprintf(device->interface, sizeof(device->interface), "%s", owner);
    device->is_xdp = strncmp(name, "xdp:", 4) == 0;
    device->next = state->devices;
    state->devices = device;
  }
  device->domains++;
  return device;
}

void efvi_device_release(struct efvi_device *device)
{
  if (--device->domains > 0)
    return;
  struct efvi_device **at = &efvi_state()->devices;
  while (*at != device)
    at = &(*at)->next;
  *at = device->next;
  free(device);
}

/* AF_XDP takes from the kernel what its rules name, and without rules all there is. Ours come with
 * the filters, so the device starts with a rule that nothing matches: an ethertype that is reserved
 * (IANA, IEEE 802 numbers: 0xffff). */
static void name_with_rules(const struct efvi_device *device, char name[2 * EFVI_NAME_BYTES])
{
  const char *rules = "";
  if (device->is_xdp && !strstr(device->name, "rules=") && !strstr(device->name, "join=1"))
    rules = strchr(device->name, '?') ? "&rules=ether 0xffff" : "?rules=ether 0xffff";
  snprintf(name, 2 * EFVI_NAME_BYTES, "%s%s", device->name, rules);
}

static void name_add(char name[2 * EFVI_NAME_BYTES], const char *setting)
{
  const size_t used = strlen(name);
  snprintf(name + used, 2 * EFVI_NAME_BYTES - used, "%c%s", strchr(name, '?') ? '&' : '?', setting);
}

/* What the interface's flags ask of AF_XDP. An 82599 writes to memory itself anyway. */
static void name_with_flags(const struct efvi_device *device, uint64_t flags,
                            char name[2 * EFVI_NAME_BYTES])
{
  if (!device->is_xdp)
    return;
  if (flags & EF_VI_RX_ZEROCOPY && !strstr(device->name, "zero_copy="))
    name_add(name, "zero_copy=require");
  if (flags & EF_VI_TX_TIMESTAMPS && !strstr(device->name, "tx_time="))
    name_add(name, "tx_time=1");
}

/* A number that the device's name gives; 0: it doesn't. */
static unsigned number_of(const struct efvi_device *device, const char *key)
{
  const char *value = strstr(device->name, key);
  return value ? (unsigned)strtoul(value + strlen(key), NULL, 10) : 0;
}

/* Receive queues that an interface of the kernel has; 0: it doesn't say. */
static unsigned channels_of(const char *interface)
{
  struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
  struct ifreq request = {.ifr_data = (void *)&channels};
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return 0;
  snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
  const bool known = ioctl(fd, SIOCETHTOOL, &request) == 0;
  close(fd);
  return known ? channels.combined_count + channels.rx_count : 0;
}

/* How many queues the interface spreads frames over, where all of them are for us to open; 0: not
 * known, or the name says which. */
static unsigned interface_queues(const struct efvi_device *device)
{
  char interface[IF_NAMESIZE];
  if (!device->is_xdp || strstr(device->name, "queue=") || strstr(device->name, "join=1"))
    return 0;
  snprintf(interface, sizeof(interface), "%.*s", (int)strcspn(device->name + 4, "?"),
           device->name + 4);
  return channels_of(interface);
}

/* Frames by queues that are not opened would never come: the interface gets no more than are. */
static void name_with_channels(const struct efvi_device *device, unsigned queues,
                               char name[2 * EFVI_NAME_BYTES])
{
  char setting[24];
  if (strstr(device->name, "channels=") || interface_queues(device) <= queues)
    return;
  snprintf(setting, sizeof(setting), "channels=%u", queues);
  name_add(name, setting);
}

/* A queue's buffers: one for each descriptor of both rings, the spare ones, the alternatives',
 * those that short packets share, and those of frames that others hand over. */
static uint32_t bufs_a_queue(const struct efvi_device *device, unsigned queues, uint32_t rx_ring,
                             uint32_t tx_ring)
{
  return rx_ring + tx_ring + EFVI_TX_SPARE + EFVI_ALT_BUFS +
         tx_ring * EFVI_SHORT_STRIDE / EFVI_BUF_BYTES +
         (device->is_xdp && queues > 1 ? rx_ring : 0);
}

static int make_region(struct efvi_device *device, const struct shunt_port_options *options,
                       unsigned queues, struct shunt_error *error)
{
  uint64_t bufs =
      (uint64_t)queues * bufs_a_queue(device, queues, options->rx_ring, options->tx_ring);
  struct shunt_region_options wanted = {.size = sizeof(wanted),
                                        .bytes = bufs * EFVI_BUF_BYTES,
                                        .buf_bytes = EFVI_BUF_BYTES,
                                        .numa_node = SHUNT_NUMA_ANY};
  return shunt_region_create(&wanted, &device->region, error);
}

/* How many queues the name asks for; else all that an interface of the kernel has, of an 82599 some
 * for programs with several interfaces, and as many as sets ask for. */
unsigned efvi_device_queues(const struct efvi_device *device)
{
  unsigned queues = number_of(device, "queues=");
  if (!queues)
    queues = number_of(device, "channels=");
  if (!queues) {
    queues = device->is_xdp ? interface_queues(device) : EFVI_QUEUES_USUAL;
    queues = queues < device->set_queues ? device->set_queues : queues;
  }
  return queues < 1 ? 1 : queues > EFVI_QUEUES ? EFVI_QUEUES : queues;
}

/* --- The route of what nothing steers -----------------------------------------------------------
 */

/* To the queue, or to those of the set. AF_XDP spreads as the interface does, and a device with one
 * queue not at all. */
static int route_write(struct efvi_device *device, unsigned queue, const struct efvi_set *set,
                       struct shunt_error *error)
{
  struct shunt_rss rss = {.size = sizeof(rss)};
  unsigned queues[EFVI_QUEUES] = {queue}, count = set ? 0 : 1;
  if (device->info.queues == 1 || device->is_xdp)
    return 0;
  for (unsigned i = 0; set && i < set->size; i++)
    if (set->members[i])
      queues[count++] = set->members[i]->queue->index;
  int result = shunt_port_rss_get(device->port, &rss, error);
  if (result || !count)
    return result;
  for (unsigned i = 0; i < sizeof(rss.table); i++)
    rss.table[i] = (uint8_t)queues[i % count];
  return shunt_port_rss_set(device->port, &rss, error);
}

int efvi_route_take(struct efvi_device *device, struct efvi_vi *vi, struct efvi_set *set,
                    struct shunt_error *error)
{
  const unsigned queue = set ? 0 : vi->queue->index;
  const bool ours =
      set ? device->route_set == set : !device->route_set && device->route_queue == queue;
  if (!ours && device->route_filters) {
    shunt_error_set(error, -EOPNOTSUPP, "no such filter here on %s", device->name);
    if (device->route_set)
      shunt_error_why(error,
                      "what it can't steer by IPv4 address and port goes to one place, which "
                      "filters of a set have now");
    else
      shunt_error_why(error,
                      "what it can't steer by IPv4 address and port goes to one place, which "
                      "filters of the interface of queue %u have now",
                      device->route_queue);
    shunt_error_remedy(error, "add it there, or open another device for this one");
    return -EOPNOTSUPP;
  }
  int result = ours ? 0 : route_write(device, queue, set, error);
  if (result)
    return result;
  device->route_set = set;
  device->route_queue = queue;
  device->route_filters++;
  return 0;
}

void efvi_route_leave(struct efvi_device *device)
{
  device->route_filters--;
}

int efvi_route_refresh(struct efvi_device *device, struct efvi_set *set, struct shunt_error *error)
{
  if (device->route_set != set)
    return 0;
  if (set->count)
    return route_write(device, 0, set, error);
  device->route_set = NULL;
  device->route_queue = EFVI_QUEUES; /* no queue's: who asks next has it written */
  return 0;
}

/* --- Opening ------------------------------------------------------------------------------------
 */

/* Whose clock stamps frames of AF_XDP; what an 82599 has received is stamped here. */
static void learn_clocks(struct efvi_device *device)
{
  struct shunt_xdp_info info = {.size = sizeof(info)};
  int received = CLOCK_MONOTONIC, sent = EFVI_CLOCK_DEVICE;
  device->copies = false;
  if (device->is_xdp && !shunt_xdp_info(device->port, &info, NULL)) {
    device->copies = !info.zero_copy;
    if (info.rx_time == SHUNT_XDP_TIME_DEVICE)
      received = EFVI_CLOCK_DEVICE;
    sent = device->copies ? CLOCK_TAI : EFVI_CLOCK_DEVICE;
  }
  efvi_clock_start(&device->rx_clock, received, NULL);
  efvi_clock_start(&device->tx_clock, sent, NULL);
}

static int learn(struct efvi_device *device, const struct shunt_port_options *options,
                 uint64_t flags, struct shunt_error *error)
{
  device->sleeps = options->interrupts;
  device->stamps_received = options->rx_time;
  device->stamps_sent = device->is_xdp && flags & EF_VI_TX_TIMESTAMPS;
  device->info.size = sizeof(device->info);
  shunt_port_info(device->port, &device->info);
  learn_clocks(device);
  device->route_set = NULL;
  device->route_queue = device->route_filters = 0;
  device->spread = device->is_xdp && device->info.queues > 1;
  device->inbox = device->spread ? device->info.rx_ring : 0;
  return route_write(device, 0, NULL, error);
}

/* The first of a queue's buffers. */
static shunt_buf first_of(const struct efvi_device *device, unsigned index)
{
  const uint32_t bufs =
      bufs_a_queue(device, device->info.queues, device->info.rx_ring, device->info.tx_ring);
  return (uint64_t)index * bufs * EFVI_BUF_BYTES;
}

/* Have the queue's receive buffers, where it has none yet. */
static int queue_fill(struct efvi_device *device, unsigned index, struct shunt_error *error)
{
  struct efvi_queue *queue = &device->queues[index];
  const uint32_t ring = device->info.rx_ring;
  if (queue->rx_free)
    return 0;
  queue->rx_free = malloc(ring * sizeof(queue->rx_free[0]));
  if (!queue->rx_free)
    return shunt_error_set(error, -ENOMEM, "no memory for a queue's buffers");
  for (; queue->rx_free_count < ring; queue->rx_free_count++)
    queue->rx_free[queue->rx_free_count] =
        first_of(device, index) + (uint64_t)queue->rx_free_count * EFVI_BUF_BYTES;
  return 0;
}

/* All queues of an interface receive from the start, whoever looks into them. */
static int spread_start(struct efvi_device *device, struct shunt_error *error)
{
  int result = 0;
  for (unsigned i = 0; i < device->info.queues && device->spread && !result; i++) {
    result = queue_fill(device, i, error);
    if (!result && efvi_spread_start(device, &device->queues[i]))
      result = shunt_error_set(error, -ENOMEM, "no memory to hand frames over");
  }
  return result;
}

static void device_close(struct efvi_device *device)
{
  for (unsigned i = 0; i < EFVI_QUEUES; i++) {
    efvi_spread_end(&device->queues[i]);
    free(device->queues[i].rx_free);
    device->queues[i] = (struct efvi_queue){0};
  }
  shunt_port_close(device->port);
  device->port = NULL;
  device->promiscuous = 0;
  shunt_region_destroy(device->region);
  device->region = NULL;
}

static int device_open(struct efvi_device *device, uint64_t flags, uint32_t rx_ring,
                       uint32_t tx_ring, struct shunt_error *error)
{
  const unsigned queues = efvi_device_queues(device);
  const bool stamps = flags & (EF_VI_RX_TIMESTAMPS | EF_VI_RX_PACKED_STREAM);
  struct efvi_state *state = efvi_state();
  char name[2 * EFVI_NAME_BYTES];
  if (!state->testbed && is_twin(device->name)) {
    int result = shunt_testbed_create(NULL, &state->testbed, error);
    if (result)
      return result;
  }
  if (queues > 1) { /* the next interface may ask for more */
    rx_ring = rx_ring < EFVI_RING_SHARED ? EFVI_RING_SHARED : rx_ring;
    tx_ring = tx_ring < EFVI_RING_SHARED ? EFVI_RING_SHARED : tx_ring;
  }
  struct shunt_port_options options = {.size = sizeof(options),
                                       .queues = (uint16_t)queues,
                                       .rx_ring = rx_ring,
                                       .tx_ring = tx_ring,
                                       .rx_time = stamps,
                                       .interrupts = 1,
                                       .clock = state->clock,
                                       .testbed = state->testbed};
  int result = make_region(device, &options, queues, error);
  if (result)
    return result;
  options.region = device->region;
  name_with_rules(device, name);
  name_with_flags(device, flags, name);
  name_with_channels(device, queues, name);
  result = shunt_port_open(name, &options, &device->port, error);
  if (result == -EOPNOTSUPP) { /* a device that can't wake anybody can be polled */
    options.interrupts = 0;
    result = shunt_port_open(name, &options, &device->port, error);
  }
  result = result ? result : learn(device, &options, flags, error);
  result = result ? result : spread_start(device, error);
  if (result)
    device_close(device);
  return result;
}

/* What was settled when the port was opened. */
static int device_fits(const struct efvi_device *device, uint64_t flags, uint32_t rx_ring,
                       uint32_t tx_ring, struct shunt_error *error)
{
  const bool stamps = !(flags & EF_VI_RX_TIMESTAMPS && !device->stamps_received) &&
                      !(flags & EF_VI_TX_TIMESTAMPS && !device->stamps_sent);
  if (!stamps || (flags & EF_VI_RX_ZEROCOPY && device->copies)) {
    shunt_error_set(error, -EOPNOTSUPP, "no %s on %s", stamps ? "zero copy" : "time stamps",
                    device->name);
    shunt_error_why(error, "it was opened without, by the first of its interfaces");
    shunt_error_remedy(error, "make the interface with %s first",
                       stamps ? "EF_VI_RX_ZEROCOPY" : "time stamps");
    return -EOPNOTSUPP;
  }
  if (rx_ring <= device->info.rx_ring && tx_ring <= device->info.tx_ring)
    return 0;
  shunt_error_set(error, -EINVAL, "rings of %u and %u on %s", rx_ring, tx_ring, device->name);
  shunt_error_why(error, "its first interface made them %u and %u", device->info.rx_ring,
                  device->info.tx_ring);
  shunt_error_remedy(error, "make the interface with the largest rings first");
  return -EINVAL;
}

/* An interface of the kernel has the queues that it was made with, a device that we drive those
 * that its name asks for. */
static void queue_remedy(const struct efvi_device *device, struct shunt_error *error)
{
  const char *name = device->name + 4; /* behind "xdp:" */
  const int bytes = (int)strcspn(name, "?");
  if (!device->is_xdp)
    shunt_error_remedy(error, "add queues=N to the device's name (SHUNT_EFVI_DEVICE)");
  else if (strstr(name + bytes, "queue") || strstr(name + bytes, "channels="))
    shunt_error_remedy(error,
                       "ask for more in the device's name (SHUNT_EFVI_DEVICE), or add a "
                       "macvlan for the interface: ip link add link %.*s name mv0 type "
                       "macvlan mode bridge",
                       bytes, name);
  else
    shunt_error_remedy(error,
                       "add channels (ethtool -L %.*s combined N), or a macvlan for the "
                       "interface: ip link add link %.*s name mv0 type macvlan mode bridge",
                       bytes, name, bytes, name);
}

/* A queue that nobody has, with its receive buffers. Returns its index or a negative errno. */
static int queue_take(struct efvi_device *device, struct efvi_vi *vi, struct shunt_error *error)
{
  unsigned index = 0;
  while (index < device->info.queues &&
         (device->queues[index].owner || device->queues[index].retired))
    index++;
  if (index == device->info.queues) {
    shunt_error_set(error, -EBUSY, "%s has no queue left", device->name);
    shunt_error_why(error, "it was opened with %u", device->info.queues);
    queue_remedy(device, error);
    return -EBUSY;
  }
  struct efvi_queue *queue = &device->queues[index];
  const shunt_buf first = first_of(device, index);
  vi->tx_first = first + (uint64_t)device->info.rx_ring * EFVI_BUF_BYTES;
  vi->alt_first = vi->tx_first + (uint64_t)(device->info.tx_ring + EFVI_TX_SPARE) * EFVI_BUF_BYTES;
  vi->tx_short = vi->alt_first + (uint64_t)EFVI_ALT_BUFS * EFVI_BUF_BYTES;
  vi->inbox_first = vi->tx_short + (uint64_t)device->info.tx_ring * EFVI_SHORT_STRIDE;
  const int result = queue_fill(device, index, error);
  if (result)
    return result;
  queue->owner = vi;
  vi->rx = queue;
  return (int)index;
}

int efvi_device_attach(struct efvi_device *device, struct efvi_vi *vi, uint32_t rx_ring,
                       uint32_t tx_ring, struct shunt_error *error)
{
  int result = device->port ? device_fits(device, vi->flags, rx_ring, tx_ring, error)
                            : device_open(device, vi->flags, rx_ring, tx_ring, error);
  if (result)
    return result;
  result = queue_take(device, vi, error);
  if (result < 0) {
    if (device->vi_count == 0)
      device_close(device);
    return result;
  }
  vi->queue = shunt_port_queue(device->port, (unsigned)result);
  device->vi_count++;
  if (device->spread)
    efvi_spread_join(vi);
  return result;
}

void efvi_device_detach(struct efvi_device *device, struct efvi_vi *vi)
{
  if (device->spread) {
    efvi_spread_give(vi);
    efvi_spread_left(vi->rx);
  }
  vi->rx->owner = NULL;
  vi->rx->retired = vi->tx_sent != vi->tx_done || (vi->alternatives && vi->alternatives->flying);
  if (--device->vi_count == 0)
    device_close(device);
}
