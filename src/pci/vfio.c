/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI function through VFIO (Documentation/driver-api/vfio.rst, linux/vfio.h): the kernel's
 * vfio-pci holds the device, and the IOMMU lets it reach nothing but the memory mapped here. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/pci.h"
#include "src/core/error_internal.h"
#include "src/pci/address.h"
#include "src/pci/backend.h"
#include "src/pci/iova.h"
#include "src/pci/vfio_group.h"

#define VFIO_MOST_VECTORS 2048 /* PCI 3.0, 6.8.2.3: the table's size field has 11 bits */

/* Where the kernel (before 5.4) does not tell which addresses are allowed: above the window of
 * message interrupts below 4 GiB, within the 39 bits of the smallest IOMMUs. */
#define VFIO_GUESS_FIRST (UINT64_C(1) << 32)
#define VFIO_GUESS_LAST  ((UINT64_C(1) << 39) - 1)

struct vfio_bar {
  uint64_t bytes;  /* 0: no such BAR */
  uint64_t offset; /* in the device's file */
  volatile uint8_t *memory;
};

struct vfio {
  struct pci pci;
  const struct vfio_system *system;
  struct vfio_group group;
  int device;
  struct vfio_bar bars[PCI_BARS];
  uint64_t config_offset, config_bytes;
  struct iova_space space;
  struct backend_vectors interrupts;
};

static struct vfio *vfio_of(struct pci *pci)
{
  return (struct vfio *)pci;
}

static int vfio_ask(const struct vfio *vfio, unsigned long request, void *argument)
{
  return vfio->system->ioctl(vfio->device, request, argument) < 0 ? -errno : 0;
}

/* ---- Accesses ---- */

static bool vfio_bar_has(const struct vfio *vfio, unsigned bar, uint64_t offset)
{
  return bar < PCI_BARS && offset % 4 == 0 && vfio->bars[bar].bytes >= 4 &&
         offset <= vfio->bars[bar].bytes - 4;
}

static volatile uint32_t *vfio_direct(struct pci *pci, unsigned bar, uint64_t offset)
{
  const struct vfio *vfio = vfio_of(pci);
  if (!vfio_bar_has(vfio, bar, offset) || vfio->bars[bar].memory == NULL)
    return NULL;
  return (volatile uint32_t *)(vfio->bars[bar].memory + offset);
}

static uint32_t vfio_read32(struct pci *pci, unsigned bar, uint64_t offset)
{
  const struct vfio *vfio = vfio_of(pci);
  volatile uint32_t *reg = vfio_direct(pci, bar, offset);
  if (reg != NULL)
    return le32toh(*reg);
  uint32_t value = UINT32_MAX;
  if (vfio_bar_has(vfio, bar, offset) &&
      vfio->system->pread(vfio->device, &value, sizeof value,
                          (off_t)(vfio->bars[bar].offset + offset)) != (ssize_t)sizeof value)
    value = UINT32_MAX;
  return le32toh(value);
}

static void vfio_write32(struct pci *pci, unsigned bar, uint64_t offset, uint32_t value)
{
  const struct vfio *vfio = vfio_of(pci);
  volatile uint32_t *reg = vfio_direct(pci, bar, offset);
  uint32_t raw = htole32(value);
  if (reg != NULL) {
    __atomic_store_n(reg, raw, __ATOMIC_RELEASE);
    return;
  }
  if (!vfio_bar_has(vfio, bar, offset))
    return;
  /* A device that does not take it is found by what it reads as, as on the bus. */
  ssize_t put = vfio->system->pwrite(vfio->device, &raw, sizeof raw,
                                     (off_t)(vfio->bars[bar].offset + offset));
  (void)put;
}

static int vfio_config_check(const struct vfio *vfio, unsigned offset, unsigned bytes)
{
  if ((bytes != 1 && bytes != 2 && bytes != 4) || offset % bytes != 0 ||
      offset + (uint64_t)bytes > vfio->config_bytes)
    return -EINVAL;
  return 0;
}

static int vfio_config_read(struct pci *pci, unsigned offset, unsigned bytes, uint32_t *value)
{
  const struct vfio *vfio = vfio_of(pci);
  uint32_t raw = 0;
  int code = vfio_config_check(vfio, offset, bytes);
  if (code < 0)
    return code;
  ssize_t got =
      vfio->system->pread(vfio->device, &raw, bytes, (off_t)(vfio->config_offset + offset));
  if (got != (ssize_t)bytes)
    return got < 0 ? -errno : -EIO;
  *value = le32toh(raw);
  return 0;
}

static int vfio_config_write(struct pci *pci, unsigned offset, unsigned bytes, uint32_t value)
{
  const struct vfio *vfio = vfio_of(pci);
  uint32_t raw = htole32(value);
  int code = vfio_config_check(vfio, offset, bytes);
  if (code < 0)
    return code;
  ssize_t put =
      vfio->system->pwrite(vfio->device, &raw, bytes, (off_t)(vfio->config_offset + offset));
  if (put != (ssize_t)bytes)
    return put < 0 ? -errno : -EIO;
  return 0;
}

/* ---- DMA ---- */

static int vfio_explain_map(const struct vfio *vfio, const struct shunt_region *region, int code,
                            struct shunt_error *error)
{
  unsigned long long bytes = shunt_region_bytes(region);
  error_set_errno(error, code, "can't map %llu bytes for %s", bytes, vfio->pci.address);
  /* VFIO pins what it maps, and counts that against the limit: drivers/vfio/vfio_iommu_type1.c. */
  if (code == -ENOMEM)
    shunt_error_remedy(error,
                       "raise RLIMIT_MEMLOCK to more than %llu KiB (ulimit -l), or give the "
                       "program CAP_IPC_LOCK",
                       bytes / 1024);
  if (code == -ENOSPC)
    shunt_error_remedy(error, "use fewer regions, or raise vfio_iommu_type1's dma_entry_limit");
  return code;
}

/* Ordinary pages are welcome, locked or not: the kernel pins what it maps. */
static int vfio_dma_map(struct pci *pci, struct shunt_region *region, uint64_t delta[],
                        struct shunt_error *error)
{
  struct vfio *vfio = vfio_of(pci);
  if (vfio->group.no_iommu)
    return backend_physical(vfio->system->pagemap, region, delta, error);
  uint64_t address = (uintptr_t)shunt_region_base(region), bytes = shunt_region_bytes(region), iova;
  int code = iova_take(&vfio->space, address, bytes, SHUNT_REGION_ALIGN_BYTES, &iova);
  if (code < 0)
    return vfio_explain_map(vfio, region, code, error);
  struct vfio_iommu_type1_dma_map map = {
      .argsz = sizeof map,
      .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
      .vaddr = address,
      .iova = iova,
      .size = bytes,
  };
  if (vfio->system->ioctl(vfio->group.container, VFIO_IOMMU_MAP_DMA, &map) < 0) {
    code = -errno;
    iova_release(&vfio->space, iova);
    return vfio_explain_map(vfio, region, code, error);
  }
  for (uint64_t offset = 0; offset < bytes; offset += SHUNT_REGION_ALIGN_BYTES)
    delta[offset >> SHUNT_REGION_ALIGN_SHIFT] = iova;
  return 0;
}

static void vfio_dma_unmap(struct pci *pci, struct shunt_region *region, const uint64_t delta[])
{
  struct vfio *vfio = vfio_of(pci);
  if (vfio->group.no_iommu)
    return;
  struct vfio_iommu_type1_dma_unmap unmap = {
      .argsz = sizeof unmap,
      .iova = delta[0],
      .size = shunt_region_bytes(region),
  };
  /* What does not come off here goes with the container. */
  if (vfio->system->ioctl(vfio->group.container, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0)
    shunt_log_write(pci->log, SHUNT_LOG_WARNING, "%s: can't unmap memory: %s", pci->address,
                    strerrordesc_np(errno));
  else
    iova_release(&vfio->space, delta[0]);
}

/* ---- Interrupts ---- */

static int vfio_connect(struct pci *pci, unsigned n, const int fds[])
{
  struct vfio_irq_set *set = calloc(1, sizeof *set + n * sizeof(int32_t));
  if (set == NULL)
    return -ENOMEM;
  set->argsz = (uint32_t)(sizeof *set + n * sizeof(int32_t));
  set->flags =
      VFIO_IRQ_SET_ACTION_TRIGGER | (n > 0 ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
  set->index = VFIO_PCI_MSIX_IRQ_INDEX;
  set->count = n;
  for (unsigned i = 0; i < n; i++)
    memcpy(set->data + i * sizeof(int32_t), &fds[i], sizeof(int32_t));
  int code = vfio_ask(vfio_of(pci), VFIO_DEVICE_SET_IRQS, set);
  free(set);
  return code;
}

static int vfio_interrupts(struct pci *pci, unsigned n, int fds[], struct shunt_error *error)
{
  return backend_vectors_open(pci, &vfio_of(pci)->interrupts, vfio_connect, n, fds, error);
}

/* ---- Open and close ---- */

static void vfio_close(struct pci *pci)
{
  struct vfio *vfio = vfio_of(pci);
  if (vfio->device >= 0)
    backend_bus_master(pci, false);
  backend_vectors_close(&vfio->pci, &vfio->interrupts, vfio_connect);
  for (unsigned i = 0; i < PCI_BARS; i++)
    if (vfio->bars[i].memory != NULL)
      vfio->system->munmap((void *)vfio->bars[i].memory, vfio->bars[i].bytes);
  if (vfio->device >= 0)
    vfio->system->close(vfio->device);
  vfio_group_close(&vfio->group, vfio->system);
  free(vfio);
}

static const struct pci_ops vfio_ops = {
    .close = vfio_close,
    .read32 = vfio_read32,
    .write32 = vfio_write32,
    .direct = vfio_direct,
    .config_read = vfio_config_read,
    .config_write = vfio_config_write,
    .dma_map = vfio_dma_map,
    .dma_unmap = vfio_dma_unmap,
    .interrupts = vfio_interrupts,
};

/* Learn where a BAR or configuration space lies in the device's file. */
static int vfio_find_area(struct vfio *vfio, unsigned index, struct vfio_region_info *info)
{
  *info = (struct vfio_region_info){.argsz = sizeof *info, .index = index};
  return vfio_ask(vfio, VFIO_DEVICE_GET_REGION_INFO, info);
}

static int vfio_map_bars(struct vfio *vfio, struct shunt_error *error)
{
  for (unsigned i = 0; i < PCI_BARS; i++) {
    struct vfio_region_info info;
    int code = vfio_find_area(vfio, VFIO_PCI_BAR0_REGION_INDEX + i, &info);
    if (code < 0)
      return error_set_errno(error, code, "can't learn about BAR %u of %s", i, vfio->pci.address);
    vfio->bars[i] = (struct vfio_bar){.bytes = info.size, .offset = info.offset};
    if (info.size == 0 || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
      continue;
    void *memory = vfio->system->mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
                                      vfio->device, (off_t)info.offset);
    /* Not a failure: then each access is a system call, and direct() says so. */
    if (memory != MAP_FAILED)
      vfio->bars[i].memory = memory;
  }
  if (vfio->bars[0].bytes > 0)
    return 0;
  return shunt_error_set(error, -ENODEV, "%s has no BAR 0", vfio->pci.address);
}

static int vfio_find_config(struct vfio *vfio, struct shunt_error *error)
{
  struct vfio_region_info info;
  int code = vfio_find_area(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &info);
  if (code < 0)
    return error_set_errno(error, code, "can't find %s's configuration space", vfio->pci.address);
  vfio->config_offset = info.offset;
  vfio->config_bytes = info.size;
  return 0;
}

static void vfio_count_vectors(struct vfio *vfio)
{
  struct vfio_irq_info info = {.argsz = sizeof info, .index = VFIO_PCI_MSIX_IRQ_INDEX};
  if (vfio_ask(vfio, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0 && (info.flags & VFIO_IRQ_INFO_EVENTFD))
    vfio->pci.vectors = info.count < VFIO_MOST_VECTORS ? info.count : VFIO_MOST_VECTORS;
}

/* Take the device out of its group, put it into a known state and find its parts. */
static int vfio_start(struct vfio *vfio, struct shunt_error *error)
{
  struct pci *pci = &vfio->pci;
  vfio->device = vfio_group_device(&vfio->group, vfio->system, pci->address, error);
  if (vfio->device < 0)
    return vfio->device;
  struct vfio_device_info info = {.argsz = sizeof info};
  int code = vfio_ask(vfio, VFIO_DEVICE_GET_INFO, &info);
  if (code < 0)
    return error_set_errno(error, code, "can't learn about %s", pci->address);
  if (!(info.flags & VFIO_DEVICE_FLAGS_PCI))
    return shunt_error_set(error, -ENODEV, "VFIO says that %s is no PCI device", pci->address);
  /* Without a function reset the driver's own reset has to do. */
  if ((info.flags & VFIO_DEVICE_FLAGS_RESET) && vfio_ask(vfio, VFIO_DEVICE_RESET, NULL) < 0)
    shunt_log_write(pci->log, SHUNT_LOG_WARNING, "%s: function reset failed: %s", pci->address,
                    strerrordesc_np(errno));
  code = vfio_find_config(vfio, error);
  if (code < 0)
    return code;
  code = vfio_map_bars(vfio, error);
  if (code < 0)
    return code;
  vfio_count_vectors(vfio);
  code = backend_bus_master(pci, true);
  if (code < 0)
    return error_set_errno(error, code, "can't let %s do DMA", pci->address);
  uint32_t vendor = 0, device = 0;
  vfio_config_read(pci, PCI_CFG_VENDOR_ID, 2, &vendor);
  vfio_config_read(pci, PCI_CFG_DEVICE_ID, 2, &device);
  pci->vendor = (uint16_t)vendor;
  pci->device = (uint16_t)device;
  return 0;
}

int vfio_open(const char *address, const struct pci_open_options *options,
              const struct vfio_system *system, struct pci **pci, struct shunt_error *error)
{
  struct vfio *vfio = calloc(1, sizeof *vfio);
  if (vfio == NULL)
    return error_set_errno(error, -ENOMEM, "can't allocate a PCI function");
  long node = SHUNT_NUMA_ANY;
  address_number(options->sysfs, address, "numa_node", &node);
  vfio->pci = (struct pci){
      .ops = &vfio_ops,
      .clock = options->clock != NULL ? options->clock : shunt_clock_real(),
      .log = options->log,
      .numa_node = (int)node,
  };
  vfio->system = system;
  vfio->device = -1;
  snprintf(vfio->pci.address, sizeof vfio->pci.address, "%s", address);
  int code = vfio_group_open(&vfio->group, system, options->sysfs, address, &vfio->space, error);
  if (code == 0 && vfio->space.range_count == 0)
    iova_allow(&vfio->space, VFIO_GUESS_FIRST, VFIO_GUESS_LAST);
  if (code == 0)
    code = vfio_start(vfio, error);
  if (code < 0) {
    vfio_close(&vfio->pci);
    return code;
  }
  snprintf(vfio->pci.path, sizeof vfio->pci.path, "vfio group %u%s", vfio->group.number,
           vfio->group.no_iommu ? ", NO IOMMU: the device can write anywhere" : "");
  *pci = &vfio->pci;
  return 0;
}

/* ---- The real system ---- */

static int vfio_real_open(const char *path, int flags)
{
  return open(path, flags);
}

static int vfio_real_ioctl(int fd, unsigned long request, void *argument)
{
  return ioctl(fd, request, argument);
}

int pci_open_vfio(const char *address, const struct pci_open_options *options, struct pci **pci,
                  struct shunt_error *error)
{
  static const struct vfio_system real = {
      .dev = "/dev/vfio",
      .pagemap = "/proc/self/pagemap",
      .open = vfio_real_open,
      .close = close,
      .ioctl = vfio_real_ioctl,
      .mmap = mmap,
      .munmap = munmap,
      .pread = pread,
      .pwrite = pwrite,
  };
  return vfio_open(address, options, &real, pci, error);
}
