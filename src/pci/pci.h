/* SPDX-License-Identifier: BSD-2-Clause */
/* One PCI function, however it is reached: what every driver stands on.
 *
 * Back ends: sysfs (sysfs.c), VFIO (vfio.c), a model in this process (inproc.c) or behind a socket
 * (vfio_user.c). A driver never knows which one it has; it asks for a direct pointer where speed
 * matters and uses the calls below everywhere else. */
#ifndef SRC_PCI_PCI_H
#define SRC_PCI_PCI_H

#include <stdbool.h>

#include "shunt/clock.h"
#include "shunt/error.h"
#include "shunt/log.h"
#include "shunt/region.h"

struct pci;
struct shunt_testbed;

struct pci_ops {
  void (*close)(struct pci *pci);
  uint32_t (*read32)(struct pci *pci, unsigned bar, uint64_t offset);
  /* The device sees it after whatever was stored in memory before it. */
  void (*write32)(struct pci *pci, unsigned bar, uint64_t offset, uint32_t value);
  /* Plain memory at that offset of the BAR, good for an aligned 32-bit access, or NULL: trapped. */
  volatile uint32_t *(*direct)(struct pci *pci, unsigned bar, uint64_t offset);
  int (*config_read)(struct pci *pci, unsigned offset, unsigned bytes, uint32_t *value);
  int (*config_write)(struct pci *pci, unsigned offset, unsigned bytes, uint32_t value);
  /* Make memory reachable for the device; fills delta[i], one for each SHUNT_REGION_ALIGN_BYTES:
   * device address of region offset o = o + delta[o >> SHUNT_REGION_ALIGN_SHIFT]. */
  int (*dma_map)(struct pci *pci, struct shunt_region *region, uint64_t delta[],
                 struct shunt_error *error);
  void (*dma_unmap)(struct pci *pci, struct shunt_region *region, const uint64_t delta[]);
  /* Deliver vectors 0..n-1 as eventfds (fds[i], owned by the back end). */
  int (*interrupts)(struct pci *pci, unsigned n, int fds[], struct shunt_error *error);
  /* A model's turn; NULL on hardware. */
  unsigned (*step)(struct pci *pci);
  /* Map a BAR anew, so that stores to it are combined into whole lines. No pointer into it may be
   * in use. Returns whether it is so now; else it is as it was. NULL: no BAR can be. */
  bool (*combine)(struct pci *pci, unsigned bar);
};

/* Head of every back end's object. */
struct pci {
  const struct pci_ops *ops;
  const struct shunt_clock *clock;
  const struct shunt_log *log;
  char address[64]; /* "0000:03:00.0", "twin" */
  char path[96];    /* "vfio group 12", "sysfs, physical addresses", "twin, shared tails" */
  uint16_t vendor, device;
  int numa_node;    /* SHUNT_NUMA_ANY */
  unsigned vectors; /* MSI-X vectors that can be had; 0: no interrupts on this path */
  bool is_model;
};

struct params; /* src/core/params.h */

struct pci_open_options {
  const struct shunt_clock *clock; /* NULL: the real one */
  const struct shunt_log *log;
  struct shunt_testbed *testbed; /* "twin" only; NULL: the back end makes one of its own and
                                    steps it in every slow call and delay */
  const char *kind;              /* "twin" only: "ixgbe" */
  const char *keys;              /* "twin" only: keys for the testbed */
  const char *sysfs;             /* NULL: "/sys"; tests pass a tree of their own */
};

/* Open the function at location: a PCI address (with or without domain), "twin", or
 * "vfio-user:PATH", the path being that of a vfio-user server's socket. Picks VFIO
 * where the function is bound to vfio-pci, else sysfs. Errors as shunt_port_open lists them. */
int pci_open(const char *location, const struct pci_open_options *options, struct pci **pci,
             struct shunt_error *error);
/* The same for a driver that a name has chosen: of the name's keys, those that nobody has taken are
 * a twin's. options->keys is not looked at. */
int pci_open_named(const char *location, const struct pci_open_options *options,
                   struct params *params, struct pci **pci, struct shunt_error *error);
void pci_close(struct pci *pci); /* NULL is fine; unmaps what is still mapped */

static inline uint32_t pci_read32(struct pci *pci, uint64_t offset)
{
  return pci->ops->read32(pci, 0, offset);
}
static inline void pci_write32(struct pci *pci, uint64_t offset, uint32_t value)
{
  pci->ops->write32(pci, 0, offset, value);
}
static inline volatile uint32_t *pci_direct(struct pci *pci, uint64_t offset)
{
  return pci->ops->direct(pci, 0, offset);
}
static inline unsigned pci_step(struct pci *pci)
{
  return pci->ops->step ? pci->ops->step(pci) : 0;
}

static inline bool pci_combine(struct pci *pci, unsigned bar)
{
  return pci->ops->combine && pci->ops->combine(pci, bar);
}

/* Let time pass; a model behind the function gets its turns meanwhile. */
void pci_delay_ns(struct pci *pci, uint64_t ns);

/* Wait until (register & mask) == value, for at most timeout_ns.
 *
 * name    of the register, for the error: "RXDCTL.ENABLE of queue 3"
 * Returns 0, or -ETIMEDOUT with what was awaited and what was read, or -EIO where the register
 * reads all ones (the device is gone) */
int pci_wait32(struct pci *pci, uint64_t offset, uint32_t mask, uint32_t value, uint64_t timeout_ns,
               const char *name, struct shunt_error *error);

/* The back ends, for pci_open. */
int pci_open_sysfs(const char *address, const struct pci_open_options *options, struct pci **pci,
                   struct shunt_error *error);
int pci_open_vfio(const char *address, const struct pci_open_options *options, struct pci **pci,
                  struct shunt_error *error);
int pci_open_inproc(const struct pci_open_options *options, struct pci **pci,
                    struct shunt_error *error);
int pci_open_vfio_user(const char *path, const struct pci_open_options *options, struct pci **pci,
                       struct shunt_error *error);

#endif
