/* SPDX-License-Identifier: BSD-2-Clause */
/* VFIO's container and group: the way from an address to the file of its device.
 *
 * A group is what the IOMMU can't tell apart; all of its devices must be VFIO's before any is
 * usable. A container is an IOMMU's address space; each function here has one of its own. */
#ifndef SRC_PCI_VFIO_GROUP_H
#define SRC_PCI_VFIO_GROUP_H

#include "src/pci/backend.h"
#include "src/pci/iova.h"

struct vfio_group {
  int container, fd; /* file descriptors; -1: not open */
  unsigned number;
  bool no_iommu;
};

/* Open the group of the function at address in a new container, and allow in space what the IOMMU
 * does (nothing where it does not tell). group may be closed also where this fails.
 *
 * Returns 0, -EOPNOTSUPP (no IOMMU, or none of a known type), -EBUSY (the group is open elsewhere,
 * or a kernel driver has a device of it), -EPERM, -ENODEV (VFIO is not there) */
int vfio_group_open(struct vfio_group *group, const struct vfio_system *system, const char *sysfs,
                    const char *address, struct iova_space *space, struct shunt_error *error);
void vfio_group_close(struct vfio_group *group, const struct vfio_system *system);

/* The file descriptor of a device of the group, the caller's to close, or -errno. */
int vfio_group_device(const struct vfio_group *group, const struct vfio_system *system,
                      const char *address, struct shunt_error *error);

#endif
