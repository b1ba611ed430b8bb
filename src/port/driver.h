/* SPDX-License-Identifier: BSD-2-Clause */
/* What a NIC driver implements: an object that begins with struct shunt_port, one operation for
 * each set-up call of shunt/port.h, and queues that begin with struct shunt_queue.
 *
 * port.c checks arguments that are wrong for every device, resolves names and defaults, steps
 * software devices and runs the checks of checked ports; a driver sees only what is left. */
#ifndef SRC_PORT_DRIVER_H
#define SRC_PORT_DRIVER_H

#include "shunt/port.h"
#include "src/core/params.h"

struct port_ops {
  void (*close)(struct shunt_port *port);
  void (*info)(const struct shunt_port *port, struct shunt_port_info *info);
  struct shunt_queue *(*queue)(struct shunt_port *port, unsigned index);
  unsigned (*step)(struct shunt_port *port); /* NULL: never anything to step */
  int (*queue_fd)(struct shunt_queue *q, struct shunt_error *error);
  void (*queue_arm)(struct shunt_queue *q);
  int (*link)(struct shunt_port *port, struct shunt_link *link, struct shunt_error *error);
  int (*check)(struct shunt_port *port, struct shunt_error *error); /* NULL: always there */
  unsigned (*statistics)(struct shunt_port *port, struct shunt_statistic statistics[], unsigned n);
  int (*promiscuous)(struct shunt_port *port, int on, struct shunt_error *error);
  int (*multicast)(struct shunt_port *port, const struct shunt_mac *group, bool add,
                   struct shunt_error *error);
  int (*vlan)(struct shunt_port *port, uint16_t vlan, bool add, struct shunt_error *error);
  int (*rss_set)(struct shunt_port *port, const struct shunt_rss *rss, struct shunt_error *error);
  int (*rss_get)(struct shunt_port *port, struct shunt_rss *rss, struct shunt_error *error);
  int (*filter_add)(struct shunt_port *port, const struct shunt_filter *filter, uint32_t *id,
                    struct shunt_error *error);
  int (*filter_remove)(struct shunt_port *port, uint32_t id, struct shunt_error *error);
  int (*time)(struct shunt_port *port, uint64_t *time_ns, struct shunt_error *error);
};

/* Head of every driver's port. ops and steps are the driver's; the rest belongs to port.c. */
struct shunt_port {
  const struct port_ops *ops;
  bool steps; /* behind this very port is software of this process, which lives by ops->step */
  struct shunt_region *region;
  struct shunt_port_options options; /* with every default filled in */
  char name[192];
  bool owns_region;
  struct port_guard *guard; /* checks and steps around the verbs; NULL: none needed */
  struct port_tap *tap;     /* records around those; NULL: not asked for */
};

/* What open gets: the location ("0000:03:00.0", "twin", "vfio-user:/run/x.sock"), complete options
 * (no zeros left where 0 means a default; region set), and the keys that are not port.c's own, for
 * a testbed or the driver. A driver takes (params_take) the keys that it knows; a key that nobody
 * took is an error that port.c reports, or the driver (port_keys_finish) before it changes anything
 * that others can see. */
struct port_driver {
  const char *name;
  const char *keys; /* those that it takes, "a, b", for who wrote another; NULL: none of its own */
  /* Whether it drives PCI devices of these ids: 0, or -ENODEV with the reason where these are a
   * relative of its devices; the reason stays untouched for what is none. */
  int (*knows)(uint16_t vendor, uint16_t device, struct shunt_error *error);
  /* Length of the buffers of a region that is made for this location; NULL: 2048. */
  uint32_t (*buf_bytes)(const char *location);
  int (*open)(const char *location, const struct shunt_port_options *options, struct params *params,
              struct shunt_port **port, struct shunt_error *error);
};

extern const struct port_driver ixgbe_driver;
extern const struct port_driver xdp_driver;

/* 0 where every key was taken by somebody; else -EINVAL, and the error names the key. */
int port_keys_finish(const struct port_driver *driver, const struct params *params,
                     struct shunt_error *error);

/* shunt_port_open with this driver, whatever the name says; NULL: the one that it names. A test
 * opens a driver of its own by it. */
int port_open_with(const struct port_driver *driver, const char *name,
                   const struct shunt_port_options *options, struct shunt_port **port,
                   struct shunt_error *error);

#endif
