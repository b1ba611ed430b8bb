/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening by name, and the set-up calls: what is wrong for every device is refused here, the rest
 * is the driver's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/port/driver.h"
#include "src/port/guard.h"
#include "src/port/name.h"
#include "src/port/tap.h"

static const struct port_driver *const drivers[] = {&ixgbe_driver, &xdp_driver};

extern inline unsigned shunt_rx_post(struct shunt_queue *q, const shunt_buf bufs[], unsigned n);
extern inline unsigned shunt_rx_poll(struct shunt_queue *q, struct shunt_frame frames[],
                                     unsigned n);
extern inline unsigned shunt_tx_post(struct shunt_queue *q, const struct shunt_frame frames[],
                                     unsigned n);
extern inline void shunt_tx_push(struct shunt_queue *q);
extern inline unsigned shunt_tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n);
extern inline void *shunt_frame_data(const struct shunt_queue *q, const struct shunt_frame *frame);

static const struct port_driver *find_driver(const char *name, struct shunt_error *error)
{
  char known[128] = "";
  for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
    if (!strcmp(drivers[i]->name, name))
      return drivers[i];
    size_t used = strlen(known);
    snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", drivers[i]->name);
  }
  shunt_error_set(error, -EINVAL, "there is no driver \"%s\"", name);
  shunt_error_why(error, "the drivers here are: %s", known);
  shunt_error_remedy(error, PORT_NAME_REMEDY);
  return NULL;
}

const char *shunt_port_driver(uint16_t vendor, uint16_t device, struct shunt_error *error)
{
  shunt_error_set(error, -ENODEV, "no driver opens a PCI device %04x:%04x", vendor, device);
  shunt_error_why(error, "the drivers here are for other devices");
  for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
    if (drivers[i]->knows(vendor, device, error) == 0)
      return drivers[i]->name;
  return NULL;
}

/* Room for every descriptor of every ring, and as much again in the caller's hands. */
static int make_region(const struct port_driver *driver, const char *location,
                       const struct shunt_port_options *options, struct shunt_region **region,
                       struct shunt_error *error)
{
  const uint32_t buf_bytes = driver->buf_bytes ? driver->buf_bytes(location) : 2048;
  uint64_t bufs = (uint64_t)options->queues * (options->rx_ring + options->tx_ring) * 2;
  struct shunt_region_options wanted = {.size = sizeof(wanted),
                                        .bytes = bufs * buf_bytes,
                                        .buf_bytes = buf_bytes,
                                        .numa_node = SHUNT_NUMA_ANY};
  return shunt_region_create(&wanted, region, error);
}

/* An error has room for one list of the keys that are known. */
int port_keys_finish(const struct port_driver *driver, const struct params *params,
                     struct shunt_error *error)
{
  if (!driver->keys)
    return params_finish(params, port_option_keys, error);
  int result = params_finish(params, driver->keys, error);
  if (result)
    shunt_error_remedy(error, "those of every device (queues, rx_ring, mtu ...) are in shunt(1)");
  return result;
}

static int open_on(const struct port_driver *driver, const struct port_name *name,
                   struct shunt_port_options *options, struct params *params,
                   struct shunt_port **port, struct shunt_error *error)
{
  if (!driver)
    driver = find_driver(name->driver, error);
  if (!driver)
    return -EINVAL;
  struct shunt_region *own = NULL;
  if (!options->region) {
    int result = make_region(driver, name->location, options, &own, error);
    if (result)
      return result;
    options->region = own;
  }
  int result = driver->open(name->location, options, params, port, error);
  if (!result) {
    result = port_keys_finish(driver, params, error);
    if (result)
      (*port)->ops->close(*port);
  }
  if (result) {
    shunt_region_destroy(own);
    return result;
  }
  (*port)->region = options->region;
  (*port)->options = *options;
  (*port)->owns_region = own != NULL;
  return 0;
}

int port_open_with(const struct port_driver *driver, const char *name,
                   const struct shunt_port_options *options, struct shunt_port **port,
                   struct shunt_error *error)
{
  struct port_name parsed;
  struct shunt_port_options complete;
  struct shunt_port *opened = NULL;
  int result = port_name_parse(&parsed, name, error);
  if (result)
    return result;
  result = port_options_complete(&complete, options, &parsed.params, error);
  if (!result)
    result = open_on(driver, &parsed, &complete, &parsed.params, &opened, error);
  if (result)
    return shunt_error_within(error, result, "can't open %s", name);
  snprintf(opened->name, sizeof(opened->name), "%s", name);

  for (unsigned i = 0; i < complete.queues; i++) {
    struct shunt_queue *q = opened->ops->queue(opened, i);
    q->port = opened;
    q->index = i;
    q->inner = q->verbs;
  }
  result = port_guard_install(opened, error);
  result = result ? result : port_tap_install(opened, error);
  if (result) {
    shunt_port_close(opened);
    return shunt_error_within(error, result, "can't open %s", name);
  }
  *port = opened;
  return 0;
}

int shunt_port_open(const char *name, const struct shunt_port_options *options,
                    struct shunt_port **port, struct shunt_error *error)
{
  return port_open_with(NULL, name, options, port, error);
}

void shunt_port_close(struct shunt_port *port)
{
  if (!port)
    return;
  struct shunt_region *own = port->owns_region ? port->region : NULL;
  port_tap_remove(port);
  port_guard_remove(port);
  port->ops->close(port);
  shunt_region_destroy(own);
}

void shunt_port_info(const struct shunt_port *port, struct shunt_port_info *info)
{
  struct shunt_port_info full = {.size = sizeof(full),
                                 .name = port->name,
                                 .queues = port->options.queues,
                                 .rx_ring = port->options.rx_ring,
                                 .tx_ring = port->options.tx_ring,
                                 .mtu = port->options.mtu,
                                 .numa_node = SHUNT_NUMA_ANY,
                                 .steps = port->steps};
  port->ops->info(port, &full);
  size_t size = info->size < sizeof(full) ? info->size : sizeof(full);
  memcpy(info, &full, size);
  info->size = size;
}

struct shunt_region *shunt_port_region(const struct shunt_port *port)
{
  return port->region;
}

struct shunt_queue *shunt_port_queue(struct shunt_port *port, unsigned index)
{
  return index < port->options.queues ? port->ops->queue(port, index) : NULL;
}

unsigned shunt_port_step(struct shunt_port *port)
{
  return port->steps ? port->ops->step(port) : 0;
}

unsigned shunt_rx_fill(struct shunt_queue *q, struct shunt_pool *pool)
{
  shunt_buf bufs[64];
  unsigned filled = 0;
  for (;;) {
    unsigned taken = shunt_pool_take(pool, bufs, 64);
    unsigned posted = shunt_rx_post(q, bufs, taken);
    filled += posted;
    if (posted < taken)
      shunt_pool_give(pool, bufs + posted, taken - posted);
    if (posted < taken || taken < 64)
      return filled;
  }
}

static int unsupported(const struct shunt_port *port, const char *what, struct shunt_error *error)
{
  shunt_error_set(error, -EOPNOTSUPP, "%s: no %s", port->name, what);
  shunt_error_why(error, "this device, opened this way, has none");
  return -EOPNOTSUPP;
}

int shunt_queue_fd(struct shunt_queue *q, struct shunt_error *error)
{
  struct shunt_port *port = q->port;
  if (!port->options.interrupts) {
    shunt_error_set(error, -EINVAL, "queue %u of %s can't sleep", q->index, port->name);
    shunt_error_why(error, "the port was opened without interrupts");
    shunt_error_remedy(error, "open it with interrupts=1");
    return -EINVAL;
  }
  return port->ops->queue_fd ? port->ops->queue_fd(q, error)
                             : unsupported(port, "interrupts", error);
}

void shunt_queue_arm(struct shunt_queue *q)
{
  if (q->port->options.interrupts && q->port->ops->queue_arm)
    q->port->ops->queue_arm(q);
}

int shunt_port_link(struct shunt_port *port, struct shunt_link *link, struct shunt_error *error)
{
  struct shunt_link full = {.size = sizeof(full)};
  int result = port->ops->link ? port->ops->link(port, &full, error)
                               : unsupported(port, "link state", error);
  size_t size = link->size < sizeof(full) ? link->size : sizeof(full);
  memcpy(link, &full, size);
  link->size = size;
  return result;
}

int shunt_port_check(struct shunt_port *port, struct shunt_error *error)
{
  return port->ops->check ? port->ops->check(port, error) : 0;
}

unsigned shunt_port_statistics(struct shunt_port *port, struct shunt_statistic statistics[],
                               unsigned n)
{
  return port->ops->statistics ? port->ops->statistics(port, statistics, n) : 0;
}

int shunt_port_promiscuous(struct shunt_port *port, int on, struct shunt_error *error)
{
  return port->ops->promiscuous ? port->ops->promiscuous(port, on, error)
                                : unsupported(port, "promiscuous mode", error);
}

static int multicast(struct shunt_port *port, const struct shunt_mac *group, bool add,
                     struct shunt_error *error)
{
  if (!(group->bytes[0] & 1)) {
    shunt_error_set(error, -EINVAL, "no multicast group");
    shunt_error_why(error, "the first byte of the address, %02x, is even: one station's address",
                    group->bytes[0]);
    return -EINVAL;
  }
  return port->ops->multicast ? port->ops->multicast(port, group, add, error)
                              : unsupported(port, "multicast filter", error);
}

int shunt_port_multicast_add(struct shunt_port *port, const struct shunt_mac *group,
                             struct shunt_error *error)
{
  return multicast(port, group, true, error);
}

int shunt_port_multicast_remove(struct shunt_port *port, const struct shunt_mac *group,
                                struct shunt_error *error)
{
  return multicast(port, group, false, error);
}

static int vlan_change(struct shunt_port *port, uint16_t vlan, bool add, struct shunt_error *error)
{
  if (vlan > 4094) {
    shunt_error_set(error, -EINVAL, "no VLAN %u", vlan);
    shunt_error_why(error, "IEEE 802.1Q has 0 to 4094");
    return -EINVAL;
  }
  return port->ops->vlan ? port->ops->vlan(port, vlan, add, error)
                         : unsupported(port, "VLAN filter", error);
}

int shunt_port_vlan_add(struct shunt_port *port, uint16_t vlan, struct shunt_error *error)
{
  return vlan_change(port, vlan, true, error);
}

int shunt_port_vlan_remove(struct shunt_port *port, uint16_t vlan, struct shunt_error *error)
{
  return vlan_change(port, vlan, false, error);
}

int shunt_port_rss_set(struct shunt_port *port, const struct shunt_rss *rss,
                       struct shunt_error *error)
{
  for (unsigned i = 0; i < sizeof(rss->table); i++) {
    if (rss->table[i] >= port->options.queues) {
      shunt_error_set(error, -EINVAL, "RSS table entry %u names queue %u", i, rss->table[i]);
      shunt_error_why(error, "the port has queues 0 to %u", port->options.queues - 1u);
      return -EINVAL;
    }
  }
  return port->ops->rss_set ? port->ops->rss_set(port, rss, error)
                            : unsupported(port, "receive-side scaling", error);
}

int shunt_port_rss_get(struct shunt_port *port, struct shunt_rss *rss, struct shunt_error *error)
{
  return port->ops->rss_get ? port->ops->rss_get(port, rss, error)
                            : unsupported(port, "receive-side scaling", error);
}

int shunt_port_filter_add(struct shunt_port *port, const struct shunt_filter *filter, uint32_t *id,
                          struct shunt_error *error)
{
  if (filter->queue >= port->options.queues && filter->queue != SHUNT_FILTER_DROP) {
    shunt_error_set(error, -EINVAL, "a filter can't steer to queue %u", filter->queue);
    shunt_error_why(error, "the port has queues 0 to %u", port->options.queues - 1u);
    return -EINVAL;
  }
  return port->ops->filter_add ? port->ops->filter_add(port, filter, id, error)
                               : unsupported(port, "filters", error);
}

int shunt_port_filter_remove(struct shunt_port *port, uint32_t id, struct shunt_error *error)
{
  return port->ops->filter_remove ? port->ops->filter_remove(port, id, error)
                                  : unsupported(port, "filters", error);
}

int shunt_port_time(struct shunt_port *port, uint64_t *time_ns, struct shunt_error *error)
{
  return port->ops->time ? port->ops->time(port, time_ns, error)
                         : unsupported(port, "clock", error);
}
