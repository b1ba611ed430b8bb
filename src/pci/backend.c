/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/pci/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hw/pci.h"
#include "src/core/error_internal.h"

/* Documentation/admin-guide/mm/pagemap.rst: 64 bits for each page. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_FRAME   ((UINT64_C(1) << 55) - 1)

int backend_bus_master(struct pci *pci, bool on)
{
  uint32_t command;
  int code = pci->ops->config_read(pci, PCI_CFG_COMMAND, 2, &command);
  if (code < 0)
    return code;
  if (on)
    command |= PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER;
  else
    command &= ~PCI_CMD_BUS_MASTER;
  return pci->ops->config_write(pci, PCI_CFG_COMMAND, 2, command);
}

int backend_eventfds(unsigned n, int fds[])
{
  for (unsigned i = 0; i < n; i++) {
    fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fds[i] >= 0)
      continue;
    int code = -errno;
    while (i > 0)
      close(fds[--i]);
    return code;
  }
  return 0;
}

static int backend_refuse_ordinary(const struct shunt_region *region, struct shunt_error *error)
{
  shunt_error_set(error, -EOPNOTSUPP, "can't give a device physical addresses of this memory");
  shunt_error_why(error, "the kernel may move ordinary pages, even locked ones; the region is %s",
                  shunt_region_describe(region));
  shunt_error_remedy(error, "reserve huge pages (echo 64 > /proc/sys/vm/nr_hugepages), or use "
                            "vfio-pci with an IOMMU: it takes any memory");
  return -EOPNOTSUPP;
}

/* The physical address of the page at address. */
static int backend_frame(int fd, const uint8_t *address, uint64_t *physical,
                         struct shunt_error *error)
{
  uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), entry;
  off_t offset = (off_t)((uintptr_t)address / page_bytes * sizeof entry);
  ssize_t got = pread(fd, &entry, sizeof entry, offset);
  if (got != (ssize_t)sizeof entry)
    return error_set_errno(error, got < 0 ? -errno : -EIO, "can't read pagemap");
  if (!(entry & PAGEMAP_PRESENT)) {
    shunt_error_set(error, -EIO, "a page of the region is not in memory");
    shunt_error_why(error, "pagemap says 0x%016llx", (unsigned long long)entry);
    return -EIO;
  }
  if ((entry & PAGEMAP_FRAME) == 0) {
    shunt_error_set(error, -EPERM, "can't learn physical addresses");
    shunt_error_why(error, "pagemap shows page frame 0: the kernel hides them from this process");
    shunt_error_remedy(error, "run as root, or give the program CAP_SYS_ADMIN; or use vfio-pci");
    return -EPERM;
  }
  *physical = (entry & PAGEMAP_FRAME) * page_bytes;
  return 0;
}

int backend_physical(const char *pagemap, const struct shunt_region *region, uint64_t delta[],
                     struct shunt_error *error)
{
  if (shunt_region_page_bytes(region) < SHUNT_REGION_ALIGN_BYTES)
    return backend_refuse_ordinary(region, error);
  int fd = open(pagemap, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return error_set_errno(error, -errno, "can't open %s", pagemap);
  const uint8_t *base = shunt_region_base(region);
  int code = 0;
  for (uint64_t offset = 0; code == 0 && offset < shunt_region_bytes(region);
       offset += SHUNT_REGION_ALIGN_BYTES) {
    uint64_t physical = 0;
    code = backend_frame(fd, base + offset, &physical, error);
    delta[offset >> SHUNT_REGION_ALIGN_SHIFT] = physical - offset;
  }
  close(fd);
  return code;
}

void backend_vectors_close(struct pci *pci, struct backend_vectors *vectors,
                           backend_connect *connect)
{
  if (vectors->count > 0)
    connect(pci, 0, NULL);
  for (unsigned i = 0; i < vectors->count; i++)
    close(vectors->fds[i]);
  free(vectors->fds);
  *vectors = (struct backend_vectors){0};
}

int backend_vectors_open(struct pci *pci, struct backend_vectors *vectors, backend_connect *connect,
                         unsigned n, int fds[], struct shunt_error *error)
{
  if (n > pci->vectors)
    return shunt_error_set(error, -EINVAL, "%u interrupt vectors: %s has %u", n, pci->address,
                           pci->vectors);
  backend_vectors_close(pci, vectors, connect);
  if (n == 0)
    return 0;
  vectors->fds = calloc(n, sizeof vectors->fds[0]);
  int code = vectors->fds == NULL ? -ENOMEM : backend_eventfds(n, vectors->fds);
  if (code < 0)
    return error_set_errno(error, code, "can't make eventfds for %u interrupts", n);
  vectors->count = n;
  code = connect(pci, n, vectors->fds);
  if (code < 0) {
    backend_vectors_close(pci, vectors, connect);
    return error_set_errno(error, code, "can't switch on %u MSI-X vectors of %s", n, pci->address);
  }
  memcpy(fds, vectors->fds, n * sizeof fds[0]);
  return 0;
}
