/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/pci/vfio_group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/pci/address.h"

/* Room for what VFIO_IOMMU_GET_INFO says, far more than any IOMMU's list of ranges. */
#define VFIO_INFO_BYTES 4096

/* ---- The group's file ---- */

static int vfio_group_find(struct vfio_group *group, const char *sysfs, const char *address,
                           struct shunt_error *error)
{
  char name[PCI_NAME_BYTES];
  if (address_link(sysfs, address, "iommu_group", name) == 0 &&
      name[strspn(name, "0123456789")] == '\0') {
    group->number = (unsigned)strtoul(name, NULL, 10);
    return 0;
  }
  shunt_error_set(error, -EOPNOTSUPP, "%s has no IOMMU group, so VFIO can't drive it", address);
  shunt_error_why(error, "the machine has no IOMMU, or it is switched off");
  shunt_error_remedy(error,
                     "switch VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on "
                     "iommu=pt; or go without: shunt bind %s --driver none",
                     address);
  return -EOPNOTSUPP;
}

static int vfio_explain_open(const char *path, const char *address, int code,
                             struct shunt_error *error)
{
  if (code == -EACCES)
    code = -EPERM;
  error_set_errno(error, code, "can't open %s for %s", path, address);
  switch (code) {
  case -ENOENT:
  case -ENODEV:
    shunt_error_remedy(error,
                       "load VFIO (modprobe vfio-pci) and bind the device: shunt bind %s; "
                       "in a container, pass /dev/vfio in",
                       address);
    return shunt_error_within(error, -ENODEV, "VFIO is not there");
  case -EPERM:
    shunt_error_remedy(error,
                       "run as root, or chown %s to the user; without an IOMMU the program "
                       "needs CAP_SYS_RAWIO",
                       path);
    break;
  case -EBUSY:
    shunt_error_why(error, "another program has the group, or this one has another device of it");
    shunt_error_remedy(error, "see which: fuser -v %s", path);
    break;
  default:
    break;
  }
  return code;
}

static int vfio_group_open_file(struct vfio_group *group, const struct vfio_system *system,
                                const char *address, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES];
  snprintf(path, sizeof path, "%s/%u", system->dev, group->number);
  group->fd = system->open(path, O_RDWR | O_CLOEXEC);
  if (group->fd < 0 && errno == ENOENT) {
    /* The kernel gives a device without IOMMU a group of its own under this name, where it has
     * been told to: enable_unsafe_noiommu_mode. */
    snprintf(path, sizeof path, "%s/noiommu-%u", system->dev, group->number);
    group->fd = system->open(path, O_RDWR | O_CLOEXEC);
    group->no_iommu = group->fd >= 0;
  }
  return group->fd < 0 ? vfio_explain_open(path, address, -errno, error) : 0;
}

/* ---- A group that is not viable ---- */

/* The group's other devices that a driver other than VFIO's has, as "0000:03:00.1 (ixgbe)". */
static void vfio_list_others(const char *sysfs, const char *address, char *text, size_t bytes)
{
  char path[PCI_PATH_BYTES], driver[PCI_NAME_BYTES];
  address_path(sysfs, address, "iommu_group/devices", path);
  text[0] = '\0';
  DIR *directory = opendir(path);
  if (directory == NULL)
    return;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    size_t used = strlen(text);
    if (entry->d_name[0] == '.' || address_link(sysfs, entry->d_name, "driver", driver) < 0 ||
        strncmp(driver, "vfio", 4) == 0)
      continue;
    snprintf(text + used, bytes - used, "%s%.20s (%.40s)", used > 0 ? ", " : "", entry->d_name,
             driver);
  }
  closedir(directory);
}

static int vfio_group_check(const struct vfio_group *group, const struct vfio_system *system,
                            const char *sysfs, const char *address, struct shunt_error *error)
{
  struct vfio_group_status status = {.argsz = sizeof status};
  if (system->ioctl(group->fd, VFIO_GROUP_GET_STATUS, &status) < 0)
    return error_set_errno(error, -errno, "can't learn about group %u", group->number);
  if (status.flags & VFIO_GROUP_FLAGS_VIABLE)
    return 0;
  char others[160];
  vfio_list_others(sysfs, address, others, sizeof others);
  shunt_error_set(error, -EBUSY, "can't use %s: its IOMMU group %u is not all VFIO's", address,
                  group->number);
  shunt_error_why(error, "the kernel drives other devices of the group: %s",
                  others[0] != '\0' ? others : "it does not say which");
  shunt_error_remedy(error, "shunt bind each of them too, or put the card into a slot with a group "
                            "of its own (PCIe ACS)");
  return -EBUSY;
}

/* ---- The container ---- */

static int vfio_open_container(struct vfio_group *group, const struct vfio_system *system,
                               const char *address, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES];
  snprintf(path, sizeof path, "%s/vfio", system->dev);
  group->container = system->open(path, O_RDWR | O_CLOEXEC);
  if (group->container < 0)
    return vfio_explain_open(path, address, -errno, error);
  int version = system->ioctl(group->container, VFIO_GET_API_VERSION, NULL);
  if (version != VFIO_API_VERSION)
    return shunt_error_set(error, -EOPNOTSUPP, "VFIO speaks version %d, not %d", version,
                           VFIO_API_VERSION);
  int kind = group->no_iommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU;
  if (system->ioctl(group->container, VFIO_CHECK_EXTENSION, (void *)(uintptr_t)kind) > 0)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "VFIO can't drive this machine's IOMMU");
  shunt_error_why(error, "VFIO_CHECK_EXTENSION(%d) says no", kind);
  shunt_error_remedy(error, group->no_iommu ? "echo 1 > /sys/module/vfio/parameters/"
                                              "enable_unsafe_noiommu_mode"
                                            : "modprobe vfio_iommu_type1");
  return -EOPNOTSUPP;
}

static int vfio_join(const struct vfio_group *group, const struct vfio_system *system,
                     struct shunt_error *error)
{
  int container = group->container;
  if (system->ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, &container) < 0)
    return error_set_errno(error, -errno, "can't put group %u into a container", group->number);
  int kind = group->no_iommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU;
  if (system->ioctl(container, VFIO_SET_IOMMU, (void *)(uintptr_t)kind) == 0)
    return 0;
  int code = -errno;
  error_set_errno(error, code, "can't set up the IOMMU for group %u", group->number);
  if (code == -EPERM)
    shunt_error_remedy(error, "interrupts can't be isolated here; to accept that: echo 1 > "
                              "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
  return code;
}

/* Allow the ranges that a capability lists, as far as it lies within info. */
static void vfio_allow_ranges(const uint8_t *info, uint32_t offset, struct iova_space *space)
{
  struct vfio_iommu_type1_info_cap_iova_range head;
  if (offset > VFIO_INFO_BYTES - sizeof head)
    return;
  memcpy(&head, info + offset, sizeof head);
  size_t at = offset + sizeof head;
  for (uint32_t i = 0; i < head.nr_iovas; i++) {
    struct vfio_iova_range range;
    if (at > VFIO_INFO_BYTES - sizeof range)
      return;
    memcpy(&range, info + at, sizeof range);
    iova_allow(space, range.start, range.end);
    at += sizeof range;
  }
}

/* Ask which device addresses the IOMMU allows. Kernels before 5.4 don't tell: then none are. */
static void vfio_find_ranges(const struct vfio_group *group, const struct vfio_system *system,
                             struct iova_space *space)
{
  union {
    struct vfio_iommu_type1_info head;
    uint8_t bytes[VFIO_INFO_BYTES];
  } info = {.head = {.argsz = sizeof info}};
  if (system->ioctl(group->container, VFIO_IOMMU_GET_INFO, &info) < 0 ||
      !(info.head.flags & VFIO_IOMMU_INFO_CAPS))
    return;
  struct vfio_info_cap_header cap;
  uint32_t offset = info.head.cap_offset;
  /* Offsets only grow, so a list that loops ends. */
  while (offset >= sizeof info.head && offset <= sizeof info - sizeof cap) {
    memcpy(&cap, info.bytes + offset, sizeof cap);
    if (cap.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
      vfio_allow_ranges(info.bytes, offset, space);
    if (cap.next <= offset)
      return;
    offset = cap.next;
  }
}

int vfio_group_open(struct vfio_group *group, const struct vfio_system *system, const char *sysfs,
                    const char *address, struct iova_space *space, struct shunt_error *error)
{
  *group = (struct vfio_group){.container = -1, .fd = -1};
  int code = vfio_group_find(group, sysfs, address, error);
  if (code == 0)
    code = vfio_group_open_file(group, system, address, error);
  if (code == 0)
    code = vfio_group_check(group, system, sysfs, address, error);
  if (code == 0)
    code = vfio_open_container(group, system, address, error);
  if (code == 0)
    code = vfio_join(group, system, error);
  if (code == 0 && !group->no_iommu)
    vfio_find_ranges(group, system, space);
  return code;
}

void vfio_group_close(struct vfio_group *group, const struct vfio_system *system)
{
  /* The kernel takes the group out of its container, and unmaps all, with the last descriptor. */
  if (group->fd >= 0)
    system->close(group->fd);
  if (group->container >= 0)
    system->close(group->container);
  *group = (struct vfio_group){.container = -1, .fd = -1};
}

int vfio_group_device(const struct vfio_group *group, const struct vfio_system *system,
                      const char *address, struct shunt_error *error)
{
  char name[PCI_ADDRESS_BYTES];
  snprintf(name, sizeof name, "%s", address);
  int fd = system->ioctl(group->fd, VFIO_GROUP_GET_DEVICE_FD, name);
  if (fd >= 0)
    return fd;
  int code = -errno;
  error_set_errno(error, code, "can't take %s out of its VFIO group %u", address, group->number);
  shunt_error_remedy(error, "bind it to vfio-pci: shunt bind %s", address);
  return code;
}
