/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/core/sysfs.h"
#include "src/pci/bind.h"
#include "src/pci/route.h"

static long list_number(const struct shunt_pci_options *options, const char *address,
                        const char *file, long otherwise)
{
  long value = otherwise;
  address_number(options->sys, address, file, &value);
  return value;
}

/* Whether an interface has carrier, and at what speed. Both files can't be read while it is down.
 */
static void list_link(const struct shunt_pci_options *options, const char *interface,
                      struct shunt_pci_device *device)
{
  char path[PCI_PATH_BYTES];
  int carrier = 0, speed = 0;
  snprintf(path, sizeof path, "%s/class/net/%s/carrier", options->sys, interface);
  if (sysfs_read_int(path, &carrier) < 0 || carrier != 1)
    return;
  device->link = 1;
  snprintf(path, sizeof path, "%s/class/net/%s/speed", options->sys, interface);
  if (sysfs_read_int(path, &speed) == 0 && speed > 0 && (uint32_t)speed > device->speed_mbps)
    device->speed_mbps = (uint32_t)speed;
}

static void list_network(const struct shunt_pci_options *options, struct shunt_pci_device *device)
{
  struct route_interfaces interfaces;
  route_find_interfaces(options->sys, device->address, &interfaces);
  for (unsigned i = 0; i < interfaces.count; i++) {
    size_t used = strlen(device->interfaces);
    snprintf(device->interfaces + used, sizeof device->interfaces - used, "%s%s", i > 0 ? " " : "",
             interfaces.names[i]);
    list_link(options, interfaces.names[i], device);
  }
  route_find_default(options->sys, options->proc, &interfaces, device->default_route);
}

static void list_fill(const struct shunt_pci_options *options, const char *address,
                      struct shunt_pci_device *device)
{
  char group[PCI_NAME_BYTES];
  *device = (struct shunt_pci_device){
      .vendor = (uint16_t)list_number(options, address, "vendor", 0),
      .device = (uint16_t)list_number(options, address, "device", 0),
      .subsystem_vendor = (uint16_t)list_number(options, address, "subsystem_vendor", 0),
      .subsystem_device = (uint16_t)list_number(options, address, "subsystem_device", 0),
      .class_code = (uint32_t)list_number(options, address, "class", 0),
      .numa_node = (int)list_number(options, address, "numa_node", -1),
      .iommu_group = -1,
  };
  snprintf(device->address, sizeof device->address, "%.23s", address);
  if (address_link(options->sys, address, "iommu_group", group) == 0)
    device->iommu_group = (int)strtol(group, NULL, 10);
  address_link(options->sys, address, "driver", device->driver);
  bind_recall(options, address, device->remembered);
  list_network(options, device);
}

static int list_is_device(const struct dirent *entry)
{
  char address[PCI_ADDRESS_BYTES];
  return address_parse(entry->d_name, address, NULL) == 0;
}

int shunt_pci_list(const struct shunt_pci_options *options,
                   int (*visit)(void *context, const struct shunt_pci_device *device),
                   void *context, struct shunt_error *error)
{
  struct shunt_pci_options complete;
  int code = bind_options(options, &complete, error);
  if (code < 0)
    return code;
  char path[PCI_PATH_BYTES];
  struct dirent **entries;
  address_path(complete.sys, "", "", path);
  int count = scandir(path, &entries, list_is_device, alphasort);
  if (count < 0) {
    code = error_set_errno(error, -errno, "can't look for PCI devices in %s", path);
    shunt_error_remedy(error, "this machine or container shows no PCI bus; mount sysfs, or use a "
                              "twin");
    return code;
  }
  for (int i = 0; i < count; i++) {
    struct shunt_pci_device device;
    list_fill(&complete, entries[i]->d_name, &device);
    free(entries[i]);
    if (code == 0)
      code = visit(context, &device);
  }
  free(entries);
  return code;
}
