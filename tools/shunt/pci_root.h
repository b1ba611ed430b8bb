/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI devices below a root directory, for the commands that have --root; and as JSON. */
#ifndef TOOLS_SHUNT_PCI_ROOT_H
#define TOOLS_SHUNT_PCI_ROOT_H

#include <json-c/json.h>

#include "shunt/pci.h"

struct pci_root {
  struct shunt_pci_options options; /* points into the texts below: not to be copied */
  char sys[512], proc[512], dev[512], run[512];
};

/* root "" is this machine. */
void pci_root_set(struct pci_root *tree, const char *root);

/* The device at an address, with or without its domain. Returns 0, -EINVAL, -ENODEV, or an
 * errno of shunt_pci_list. */
int pci_root_find(const struct pci_root *tree, const char *address, struct shunt_pci_device *device,
                  struct shunt_error *error);

struct json_object *pci_root_json(const struct shunt_pci_device *device);

#endif
