/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/pci_root.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void pci_root_set(struct pci_root *tree, const char *root)
{
  snprintf(tree->sys, sizeof(tree->sys), "%s/sys", root);
  snprintf(tree->proc, sizeof(tree->proc), "%s/proc", root);
  snprintf(tree->dev, sizeof(tree->dev), "%s/dev", root);
  snprintf(tree->run, sizeof(tree->run), "%s/run/shunt/bind", root);
  tree->options = (struct shunt_pci_options){.size = sizeof(tree->options),
                                             .sys = tree->sys,
                                             .proc = tree->proc,
                                             .dev = tree->dev,
                                             .run = tree->run};
}

struct wanted {
  unsigned address[4]; /* domain, bus, device, function */
  struct shunt_pci_device *device;
};

static bool read_address(const char *text, unsigned address[4])
{
  if (sscanf(text, "%x:%x:%x.%x", &address[0], &address[1], &address[2], &address[3]) == 4)
    return true;
  address[0] = 0;
  return sscanf(text, "%x:%x.%x", &address[1], &address[2], &address[3]) == 3;
}

static int is_wanted(void *context, const struct shunt_pci_device *device)
{
  const struct wanted *wanted = context;
  unsigned address[4];
  if (!read_address(device->address, address) ||
      memcmp(address, wanted->address, sizeof(address)) != 0)
    return 0;
  *wanted->device = *device;
  return 1;
}

int pci_root_find(const struct pci_root *tree, const char *address, struct shunt_pci_device *device,
                  struct shunt_error *error)
{
  struct wanted wanted = {.device = device};
  if (!read_address(address, wanted.address))
    return shunt_error_set(error, -EINVAL, "\"%s\" is no PCI address", address);
  int found = shunt_pci_list(&tree->options, is_wanted, &wanted, error);
  if (found < 0)
    return found;
  return found ? 0 : shunt_error_set(error, -ENODEV, "there is no PCI device %s", address);
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
  json_object_object_add(object, key, *text ? json_object_new_string(text) : NULL);
}

struct json_object *pci_root_json(const struct shunt_pci_device *device)
{
  char id[16];
  struct json_object *object = json_object_new_object();
  snprintf(id, sizeof(id), "%04x:%04x", device->vendor, device->device);
  add_text(object, "address", device->address);
  add_text(object, "id", id);
  add_text(object, "driver", device->driver);
  add_text(object, "taken_from", device->remembered);
  add_text(object, "interfaces", device->interfaces);
  add_text(object, "default_route", device->default_route);
  json_object_object_add(object, "link", json_object_new_boolean(device->link));
  json_object_object_add(object, "speed_mbps", json_object_new_int64(device->speed_mbps));
  json_object_object_add(object, "numa_node", json_object_new_int(device->numa_node));
  json_object_object_add(object, "iommu_group", json_object_new_int(device->iommu_group));
  return object;
}
