/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI devices of this machine: what there is, and who drives it.
 *
 * A card is driven by the kernel or by a program, never by both. shunt_pci_bind takes it from its
 * kernel driver, and keeps it taken: sysfs's driver_override stops any other driver from getting
 * it, for as long as the machine runs. shunt_pci_unbind gives it back. Which driver it had is
 * remembered in a file, so that any later process can give it back. */
#ifndef SHUNT_PCI_H
#define SHUNT_PCI_H

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

/* Where the files are. A program leaves all of it alone; a test has a tree of its own. */
struct shunt_pci_options {
  size_t size;      /* sizeof(struct shunt_pci_options) */
  const char *sys;  /* NULL: "/sys" */
  const char *proc; /* NULL: "/proc" */
  const char *dev;  /* NULL: "/dev" */
  const char *run;  /* NULL: "/run/shunt/bind", where drivers are remembered */
};

struct shunt_pci_device {
  char address[24]; /* "0000:03:00.0" */
  uint16_t vendor, device;
  uint16_t subsystem_vendor, subsystem_device; /* 0: not known */
  uint32_t class_code;                         /* 0x020000: Ethernet */
  int iommu_group;                             /* -1: none */
  int numa_node;                               /* -1: not known */
  char driver[64];                             /* "ixgbe", "vfio-pci"; "" where nobody drives it */
  char remembered[64];    /* the driver that shunt_pci_bind took it from; else "" */
  char interfaces[64];    /* its network interfaces, "eth0 eth1"; "" where there are none */
  char default_route[16]; /* the interface of it, or above it (bond, bridge, VLAN), that a default
                             route leaves by; "" where none does */
  uint8_t link;           /* 1: an interface of it has carrier */
  uint32_t speed_mbps;    /* of the fastest interface with carrier; 0: not known */
};

/* Visit every PCI function, in the order of addresses.
 *
 * options  NULL for this machine
 * visit    called for each; device lives only during the call. Not 0 ends the visits
 * Thread   any
 * Returns  0, or -errno where there is no PCI bus to look at (the error says where it looked), or
 *          what visit returned */
int shunt_pci_list(const struct shunt_pci_options *options,
                   int (*visit)(void *context, const struct shunt_pci_device *device),
                   void *context, struct shunt_error *error);

/* Take it even where a default route leaves by it (the machine may become unreachable), or where it
 * is no network device at all. */
#define SHUNT_PCI_FORCE UINT32_C(1)

/* Take a device from its kernel driver and keep it taken.
 *
 * address  "0000:03:00.0", or without the domain where that is 0
 * driver   who gets it; NULL: "vfio-pci". "none": nobody, for use through sysfs
 * flags    SHUNT_PCI_FORCE or 0
 * options  NULL for this machine
 * Thread   any, one at a time per device
 * Returns  0, or, with the device back where it was,
 *   -EINVAL      the address or the driver's name is malformed, or it is no network device
 *   -ENODEV      no such device (the error names the nearest), or no such driver is loaded
 *   -EALREADY    the driver has it already
 *   -EBUSY       a default route leaves by it, or a program uses it
 *   -EOPNOTSUPP  vfio-pci is wanted and there is no IOMMU group
 *   -EPERM       only root may
 *   -EIO         the driver did not take it; the kernel's log says why */
int shunt_pci_bind(const char *address, const char *driver, uint32_t flags,
                   const struct shunt_pci_options *options, struct shunt_error *error);

/* Give a device back to the kernel driver that it was taken from, or, where that is forgotten, to
 * the one that the kernel chooses.
 *
 * Returns 0, -EINVAL, -ENODEV (no such device, or its driver is not loaded: the remedy says which
 *         module), -EALREADY (it is not taken), -EBUSY (a program uses it), -EPERM, -EIO */
int shunt_pci_unbind(const char *address, const struct shunt_pci_options *options,
                     struct shunt_error *error);

SHUNT_END_DECLS

#endif
