/* SPDX-License-Identifier: BSD-2-Clause */
/* What the back ends of pci.h share, and the doors by which tests reach them. */
#ifndef SRC_PCI_BACKEND_H
#define SRC_PCI_BACKEND_H

#include <sys/types.h>

#include "src/pci/pci.h"

struct shunt_model;

/* Let the device do DMA (and answer memory accesses), or stop it. Returns 0 or config_write's. */
int backend_bus_master(struct pci *pci, bool on);

/* A descriptor per vector that n interrupts can be signalled on. On failure all are closed again.
 * Returns 0 or -errno. */
int backend_eventfds(unsigned n, int fds[]);

/* MSI-X vectors as eventfds, as VFIO and vfio-user both have them. */
struct backend_vectors {
  int *fds;
  unsigned count;
};

/* Connects vectors 0..n-1 to eventfds; n = 0 switches MSI-X off. Returns 0 or a negative errno. */
typedef int backend_connect(struct pci *pci, unsigned n, const int fds[]);

/* struct pci_ops.interrupts: in place of the vectors held, n new ones. */
int backend_vectors_open(struct pci *pci, struct backend_vectors *vectors, backend_connect *connect,
                         unsigned n, int fds[], struct shunt_error *error);
void backend_vectors_close(struct pci *pci, struct backend_vectors *vectors,
                           backend_connect *connect);

/* Fill delta[] (see pci_ops.dma_map) with physical addresses.
 *
 * pagemap  "/proc/self/pagemap", or a test's own file
 * Returns  0, -EOPNOTSUPP (ordinary pages: they can move), -EPERM (CAP_SYS_ADMIN is missing) or the
 *          errno of reading pagemap */
int backend_physical(const char *pagemap, const struct shunt_region *region, uint64_t delta[],
                     struct shunt_error *error);

/* pci_open_sysfs with another file for pagemap. */
int sysfs_open(const char *address, const struct pci_open_options *options, const char *pagemap,
               struct pci **pci, struct shunt_error *error);

/* The model behind a function that pci_open_inproc opened: its counters are a test's evidence. */
struct shunt_model *inproc_model(struct pci *pci);

/* What VFIO is asked through; the calls answer as libc's do. */
struct vfio_system {
  const char *dev;     /* "/dev/vfio" */
  const char *pagemap; /* for the mode without IOMMU */
  int (*open)(const char *path, int flags);
  int (*close)(int fd);
  int (*ioctl)(int fd, unsigned long request, void *argument);
  void *(*mmap)(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
  int (*munmap)(void *address, size_t bytes);
  ssize_t (*pread)(int fd, void *data, size_t bytes, off_t offset);
  ssize_t (*pwrite)(int fd, const void *data, size_t bytes, off_t offset);
};

/* pci_open_vfio on a system of the caller's, which outlives the function. */
int vfio_open(const char *address, const struct pci_open_options *options,
              const struct vfio_system *system, struct pci **pci, struct shunt_error *error);

/* pci_open_vfio_user that waits for a reply for wait_ns; 0: as long as that does, 5 s. */
int vfio_user_open(const char *path, const struct pci_open_options *options, uint64_t wait_ns,
                   struct pci **pci, struct shunt_error *error);
/* The same on a socket that is connected already and does not block; it is taken in any case. */
int vfio_user_adopt(int fd, const struct pci_open_options *options, uint64_t wait_ns,
                    struct pci **pci, struct shunt_error *error);

#endif
