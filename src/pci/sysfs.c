/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI function through the files that Linux has of it: resourceN is its BARs' memory,
 * resourceN_wc the same of prefetchable ones, write-combining, where the CPU can do that; config is
 * its configuration space (Documentation/PCI/sysfs-pci.rst). No interrupts, no IOMMU: the device is
 * told physical addresses, so the memory must be of huge pages, which stay where they are. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/pci.h"
#include "src/core/error_internal.h"
#include "src/core/sysfs.h"
#include "src/pci/address.h"
#include "src/pci/backend.h"

struct sysfs_bar {
  volatile uint8_t *memory; /* NULL: no memory BAR there */
  uint64_t bytes;
};

struct sysfs {
  struct pci pci;
  int config_fd;
  struct sysfs_bar bars[PCI_BARS];
  char root[PCI_PATH_BYTES];
  char pagemap[PCI_PATH_BYTES];
  bool enabled; /* we wrote 1 to "enable" */
};

static struct sysfs *sysfs_of(struct pci *pci)
{
  return (struct sysfs *)pci;
}

/* ---- Accesses ---- */

static volatile uint32_t *sysfs_direct(struct pci *pci, unsigned bar, uint64_t offset)
{
  if (bar >= PCI_BARS || offset % 4 != 0)
    return NULL;
  const struct sysfs_bar *b = &sysfs_of(pci)->bars[bar];
  if (b->memory == NULL || b->bytes < 4 || offset > b->bytes - 4)
    return NULL;
  return (volatile uint32_t *)(b->memory + offset);
}

static uint32_t sysfs_read32(struct pci *pci, unsigned bar, uint64_t offset)
{
  volatile uint32_t *reg = sysfs_direct(pci, bar, offset);
  return reg != NULL ? le32toh(*reg) : UINT32_MAX;
}

static void sysfs_write32(struct pci *pci, unsigned bar, uint64_t offset, uint32_t value)
{
  volatile uint32_t *reg = sysfs_direct(pci, bar, offset);
  if (reg != NULL)
    __atomic_store_n(reg, htole32(value), __ATOMIC_RELEASE);
}

static int sysfs_config_read(struct pci *pci, unsigned offset, unsigned bytes, uint32_t *value)
{
  uint32_t raw = 0;
  if ((bytes != 1 && bytes != 2 && bytes != 4) || offset % bytes != 0)
    return -EINVAL;
  ssize_t got = pread(sysfs_of(pci)->config_fd, &raw, bytes, (off_t)offset);
  if (got != (ssize_t)bytes)
    return got < 0 ? -errno : -EIO;
  *value = le32toh(raw);
  return 0;
}

static int sysfs_config_write(struct pci *pci, unsigned offset, unsigned bytes, uint32_t value)
{
  uint32_t raw = htole32(value);
  if ((bytes != 1 && bytes != 2 && bytes != 4) || offset % bytes != 0)
    return -EINVAL;
  ssize_t put = pwrite(sysfs_of(pci)->config_fd, &raw, bytes, (off_t)offset);
  if (put != (ssize_t)bytes)
    return put < 0 ? -errno : -EIO;
  return 0;
}

static int sysfs_dma_map(struct pci *pci, struct shunt_region *region, uint64_t delta[],
                         struct shunt_error *error)
{
  return backend_physical(sysfs_of(pci)->pagemap, region, delta, error);
}

static void sysfs_dma_unmap(struct pci *pci, struct shunt_region *region, const uint64_t delta[])
{
  /* The device was told addresses; nothing of the machine's was changed. */
  (void)pci;
  (void)region;
  (void)delta;
}

static int sysfs_interrupts(struct pci *pci, unsigned n, int fds[], struct shunt_error *error)
{
  (void)fds;
  if (n == 0)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "%s can't interrupt", pci->address);
  shunt_error_why(error, "it is reached through sysfs, which delivers no interrupts");
  shunt_error_remedy(error, "poll, or bind it to vfio-pci: shunt bind %s", pci->address);
  return -EOPNOTSUPP;
}

/* ---- BARs ---- */

/* Map one BAR through a file, "resource%u" or so. Returns 0, or -errno of what failed. */
static int sysfs_map_bar(struct sysfs *sysfs, unsigned bar, const char *file,
                         char path[PCI_PATH_BYTES])
{
  address_path(sysfs->root, sysfs->pci.address, file, path);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  struct stat status;
  void *memory = MAP_FAILED;
  if (fstat(fd, &status) == 0 && status.st_size > 0)
    memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  else
    errno = ENXIO;
  int code = memory == MAP_FAILED ? -errno : 0;
  close(fd);
  if (code < 0)
    return code;
  sysfs->bars[bar] = (struct sysfs_bar){memory, (uint64_t)status.st_size};
  return 0;
}

static int sysfs_map_plain(struct sysfs *sysfs, unsigned bar, char path[PCI_PATH_BYTES])
{
  char file[16];
  snprintf(file, sizeof file, "resource%u", bar);
  return sysfs_map_bar(sysfs, bar, file, path);
}

/* The other mapping goes first: while pages are mapped uncached, x86 gives them out as nothing else
 * (arch/x86/mm/pat/memtype.c, reserve_pfn_range). */
static bool sysfs_combine(struct pci *pci, unsigned bar)
{
  struct sysfs *sysfs = sysfs_of(pci);
  char file[16], path[PCI_PATH_BYTES];
  if (bar >= PCI_BARS || sysfs->bars[bar].memory == NULL)
    return false;
  const struct sysfs_bar before = sysfs->bars[bar];
  snprintf(file, sizeof file, "resource%u_wc", bar);
  address_path(sysfs->root, pci->address, file, path);
  if (access(path, R_OK | W_OK) != 0)
    return false;
  munmap((void *)before.memory, before.bytes);
  sysfs->bars[bar] = (struct sysfs_bar){0};
  if (sysfs_map_bar(sysfs, bar, file, path) < 0) {
    sysfs_map_plain(sysfs, bar, path);
    return false;
  }
  snprintf(pci->path, sizeof pci->path, "sysfs, physical addresses, BAR %u write-combining", bar);
  return true;
}

/* ---- Open and close ---- */

/* Write a line to one of the function's files. */
static int sysfs_put(const struct sysfs *sysfs, const char *file, const char *line)
{
  char path[PCI_PATH_BYTES];
  address_path(sysfs->root, sysfs->pci.address, file, path);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  int code = write(fd, line, strlen(line)) < 0 ? -errno : 0;
  close(fd);
  return code;
}

static void sysfs_close(struct pci *pci)
{
  struct sysfs *sysfs = sysfs_of(pci);
  if (sysfs->config_fd >= 0)
    backend_bus_master(pci, false);
  for (unsigned i = 0; i < PCI_BARS; i++)
    if (sysfs->bars[i].memory != NULL)
      munmap((void *)sysfs->bars[i].memory, sysfs->bars[i].bytes);
  if (sysfs->enabled)
    sysfs_put(sysfs, "enable", "0");
  if (sysfs->config_fd >= 0)
    close(sysfs->config_fd);
  free(sysfs);
}

static const struct pci_ops sysfs_ops = {
    .close = sysfs_close,
    .read32 = sysfs_read32,
    .write32 = sysfs_write32,
    .direct = sysfs_direct,
    .config_read = sysfs_config_read,
    .config_write = sysfs_config_write,
    .dma_map = sysfs_dma_map,
    .dma_unmap = sysfs_dma_unmap,
    .interrupts = sysfs_interrupts,
    .combine = sysfs_combine,
};

static int sysfs_check_driver(const struct sysfs *sysfs, struct shunt_error *error)
{
  char driver[PCI_NAME_BYTES];
  const char *address = sysfs->pci.address;
  if (address_link(sysfs->root, address, "driver", driver) < 0)
    return 0;
  /* These two only hold a device, they do not touch it. */
  if (strcmp(driver, "pci-stub") == 0 || strcmp(driver, "uio_pci_generic") == 0)
    return 0;
  shunt_error_set(error, -EBUSY, "%s belongs to the kernel", address);
  shunt_error_why(error, "it is bound to the driver %s", driver);
  shunt_error_remedy(error, "take it: shunt bind %s (through vfio), or shunt bind %s --driver none",
                     address, address);
  return -EBUSY;
}

/* Refuse where an IOMMU would stop physical addresses. Its group's type says whether it passes
 * them: Documentation/ABI/testing/sysfs-kernel-iommu_groups. */
static int sysfs_check_iommu(const struct sysfs *sysfs, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES], type[32];
  address_path(sysfs->root, sysfs->pci.address, "iommu_group/type", path);
  if (sysfs_read(path, type, sizeof type) < 0 || strcmp(type, "identity") == 0 ||
      strcmp(type, "unknown") == 0)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "can't give %s physical addresses", sysfs->pci.address);
  shunt_error_why(error, "it is behind an IOMMU that translates (type %s): its DMA would fault",
                  type);
  shunt_error_remedy(error, "use the IOMMU: shunt bind %s; or boot with iommu=pt",
                     sysfs->pci.address);
  return -EOPNOTSUPP;
}

static int sysfs_explain_open(const char *path, int code, struct shunt_error *error)
{
  bool denied = code == -EACCES || code == -EPERM;
  error_set_errno(error, denied ? -EPERM : code, "can't open %s", path);
  if (denied)
    shunt_error_remedy(error, "run as root, or give the program CAP_DAC_OVERRIDE and "
                              "CAP_SYS_ADMIN; where the kernel is locked down, use vfio-pci");
  return denied ? -EPERM : code;
}

/* Open config, and lock it: two programs on one device would end badly. */
static int sysfs_open_config(struct sysfs *sysfs, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES];
  address_path(sysfs->root, sysfs->pci.address, "config", path);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return sysfs_explain_open(path, -errno, error);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    int code = errno == EWOULDBLOCK ? -EBUSY : -errno;
    close(fd);
    shunt_error_set(error, code, "%s is in use", sysfs->pci.address);
    shunt_error_why(error, "another program has locked %s", path);
    shunt_error_remedy(error, "see which: fuser -v %s", path);
    return code;
  }
  sysfs->config_fd = fd;
  return 0;
}

static int sysfs_map_bars(struct sysfs *sysfs, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES];
  int code = sysfs_map_plain(sysfs, 0, path);
  if (code < 0)
    return sysfs_explain_open(path, code, error);
  /* The others need not exist, and I/O ports can't be mapped. */
  for (unsigned bar = 1; bar < PCI_BARS; bar++)
    sysfs_map_plain(sysfs, bar, path);
  return 0;
}

static int sysfs_start(struct sysfs *sysfs, struct shunt_error *error)
{
  struct pci *pci = &sysfs->pci;
  int code = sysfs_check_driver(sysfs, error);
  if (code == 0)
    code = sysfs_check_iommu(sysfs, error);
  if (code == 0)
    code = sysfs_open_config(sysfs, error);
  if (code < 0)
    return code;
  /* Full power and decoding: a driver that left has switched them off. */
  code = sysfs_put(sysfs, "enable", "1");
  if (code < 0)
    return error_set_errno(error, code, "can't enable %s", pci->address);
  sysfs->enabled = true;
  code = sysfs_map_bars(sysfs, error);
  if (code < 0)
    return code;
  code = backend_bus_master(pci, true);
  if (code < 0)
    return error_set_errno(error, code, "can't let %s do DMA", pci->address);
  return 0;
}

int sysfs_open(const char *address, const struct pci_open_options *options, const char *pagemap,
               struct pci **pci, struct shunt_error *error)
{
  struct sysfs *sysfs = calloc(1, sizeof *sysfs);
  if (sysfs == NULL)
    return error_set_errno(error, -ENOMEM, "can't allocate a PCI function");
  long vendor = 0, device = 0, node = SHUNT_NUMA_ANY;
  address_number(options->sysfs, address, "vendor", &vendor);
  address_number(options->sysfs, address, "device", &device);
  address_number(options->sysfs, address, "numa_node", &node);
  sysfs->pci = (struct pci){
      .ops = &sysfs_ops,
      .clock = options->clock != NULL ? options->clock : shunt_clock_real(),
      .log = options->log,
      .path = "sysfs, physical addresses",
      .vendor = (uint16_t)vendor,
      .device = (uint16_t)device,
      .numa_node = (int)node,
  };
  sysfs->config_fd = -1;
  snprintf(sysfs->pci.address, sizeof sysfs->pci.address, "%s", address);
  snprintf(sysfs->root, sizeof sysfs->root, "%s", options->sysfs != NULL ? options->sysfs : "/sys");
  snprintf(sysfs->pagemap, sizeof sysfs->pagemap, "%s", pagemap);
  int code = sysfs_start(sysfs, error);
  if (code < 0) {
    sysfs_close(&sysfs->pci);
    return code;
  }
  *pci = &sysfs->pci;
  return 0;
}

int pci_open_sysfs(const char *address, const struct pci_open_options *options, struct pci **pci,
                   struct shunt_error *error)
{
  return sysfs_open(address, options, "/proc/self/pagemap", pci, error);
}
