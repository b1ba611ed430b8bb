/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI addresses, and the small files that sysfs has of the function there.
 *
 * sysfs is the root of the tree, "/sys" or a test's own; NULL means "/sys". */
#ifndef SRC_PCI_ADDRESS_H
#define SRC_PCI_ADDRESS_H

#include "shunt/error.h"

/* Room for the longest address, ffffffff:ff:1f.7 (the domain of a virtual bridge is wide). */
#define PCI_ADDRESS_BYTES 24
#define PCI_PATH_BYTES    256
#define PCI_NAME_BYTES    64

/* Write text as sysfs does: the domain 0000 where none is given, lower case. Returns 0, or -EINVAL
 * where text is not [domain:]bus:device.function in hexadecimal. */
int address_parse(const char *text, char address[PCI_ADDRESS_BYTES], struct shunt_error *error);

/* Parse, and look whether there is such a function. Returns 0, -EINVAL, or -ENODEV with the nearest
 * addresses that there are. */
int address_find(const char *sysfs, const char *text, char address[PCI_ADDRESS_BYTES],
                 struct shunt_error *error);

/* The path of a file of the function: <sysfs>/bus/pci/devices/<address>/<file>. */
void address_path(const char *sysfs, const char *address, const char *file,
                  char path[PCI_PATH_BYTES]);

/* The last part of what a link of the function points to: "driver" gives the driver's name,
 * "iommu_group" the group's number. Returns 0, or -errno (-ENOENT: no driver, no group) and "". */
int address_link(const char *sysfs, const char *address, const char *file,
                 char name[PCI_NAME_BYTES]);

/* A number from a file of the function, decimal or with 0x. Returns 0 or -errno. */
int address_number(const char *sysfs, const char *address, const char *file, long *value);

#endif
