/* SPDX-License-Identifier: BSD-2-Clause */
/* VFIO is played by the test: its files are memory, and its ioctls keep the kernel's rules on what
 * must come before what. */
#ifndef TESTS_UNIT_VFIO_FAKE_H
#define TESTS_UNIT_VFIO_FAKE_H

#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "hw/pci.h"
#include "pci_tree.h"
#include "src/core/region_internal.h"
#include "src/pci/backend.h"

#define CARD       "0000:03:00.0"
#define DEVICE     "bus/pci/devices/" CARD "/"
#define MIB        UINT64_C(0x100000)
#define GIB        (MIB * 1024)
#define BAR0_BYTES 8192
#define BAR2_AT    0x8000
#define CONFIG_AT  0x10000
#define MOST_MAPS  8

/* ---- VFIO ---- */

struct step {
  const char *name; /* "MAP_DMA": fails so, where errno is not 0 */
  int code;
};

static struct vfio {
  int container, group, device; /* file descriptors; 0: not open */
  bool no_iommu;                /* only /dev/vfio/noiommu-12 exists */
  bool not_viable, has_container, has_iommu, no_reset, can_not_map, tells_no_ranges;
  int open_errno; /* of the group's file */
  struct step fails;
  struct vfio_iova_range ranges[4];
  unsigned range_count;
  uint32_t cap_next; /* what the last capability says comes next */
  struct vfio_iommu_type1_dma_map maps[MOST_MAPS];
  unsigned map_count, resets, closes;
  uint32_t irq_flags, irq_count;
  int irq_fds[64];
  char log[512];
} vfio;

static int fails(int code)
{
  errno = code;
  return -1;
}

static int fake_open(const char *path, int flags)
{
  int *fd = NULL;
  assert_true(flags & O_CLOEXEC);
  if (strcmp(path, "/fake/vfio") == 0)
    fd = &vfio.container;
  else if (strcmp(path, vfio.no_iommu ? "/fake/noiommu-12" : "/fake/12") == 0)
    fd = &vfio.group;
  if (fd == NULL)
    return fails(ENOENT);
  if (fd == &vfio.group && vfio.open_errno != 0)
    return fails(vfio.open_errno);
  assert_int_equal(*fd, 0);
  *fd = memfd_create("vfio", MFD_CLOEXEC);
  return *fd;
}

static int fake_close(int fd)
{
  vfio.closes++;
  if (fd == vfio.container)
    vfio.container = 0;
  else if (fd == vfio.group)
    vfio.group = 0;
  else if (fd == vfio.device)
    vfio.device = 0;
  else
    fail_msg("%d is closed and was not open", fd);
  return close(fd);
}

static int get_device(const char *name)
{
  static const uint8_t config[256] = {0x86, 0x80, 0xFB, 0x10, 0x00, 0x04};
  if (strcmp(name, CARD) != 0 || !vfio.has_iommu)
    return fails(ENODEV);
  vfio.device = memfd_create("device", MFD_CLOEXEC);
  assert_int_equal(ftruncate(vfio.device, CONFIG_AT), 0);
  assert_int_equal(pwrite(vfio.device, config, sizeof config, CONFIG_AT), sizeof config);
  return vfio.device;
}

/* The list of ranges is the second capability, behind one that means nothing here. */
static int get_iommu_info(struct vfio_iommu_type1_info *info)
{
  struct vfio_iommu_type1_info_cap_iova_range cap = {
      .header = {.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1, .next = vfio.cap_next},
      .nr_iovas = vfio.range_count};
  struct vfio_info_cap_header other = {.id = 99, .next = 96};
  assert_true(info->argsz >= 512);
  info->flags = VFIO_IOMMU_INFO_PGSIZES;
  if (vfio.tells_no_ranges)
    return 0;
  info->flags |= VFIO_IOMMU_INFO_CAPS;
  info->cap_offset = 64;
  memcpy((uint8_t *)info + 64, &other, sizeof other);
  memcpy((uint8_t *)info + 96, &cap, sizeof cap);
  memcpy((uint8_t *)info + 96 + sizeof cap, vfio.ranges, sizeof vfio.ranges);
  return 0;
}

/* Only inside the ranges, and over nothing that is mapped. */
static int map_dma(const struct vfio_iommu_type1_dma_map *map)
{
  assert_int_equal(map->argsz, sizeof *map);
  assert_int_equal(map->flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
  bool inside = vfio.tells_no_ranges;
  for (unsigned i = 0; i < vfio.range_count; i++)
    inside = inside ||
             (map->iova >= vfio.ranges[i].start && map->iova + map->size - 1 <= vfio.ranges[i].end);
  if (!inside)
    return fails(EINVAL);
  for (unsigned i = 0; i < vfio.map_count; i++)
    if (map->iova < vfio.maps[i].iova + vfio.maps[i].size &&
        vfio.maps[i].iova < map->iova + map->size)
      return fails(EEXIST);
  vfio.maps[vfio.map_count++] = *map;
  return 0;
}

static int unmap_dma(const struct vfio_iommu_type1_dma_unmap *unmap)
{
  for (unsigned i = 0; i < vfio.map_count; i++) {
    if (vfio.maps[i].iova != unmap->iova || vfio.maps[i].size != unmap->size)
      continue;
    vfio.maps[i] = vfio.maps[--vfio.map_count];
    return 0;
  }
  return fails(EINVAL);
}

static int get_region_info(struct vfio_region_info *info)
{
  uint32_t map = vfio.can_not_map ? 0 : VFIO_REGION_INFO_FLAG_MMAP;
  info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
  info->size = info->offset = 0;
  if (info->index == VFIO_PCI_BAR0_REGION_INDEX) {
    info->size = BAR0_BYTES;
    info->flags |= map;
  } else if (info->index == VFIO_PCI_BAR2_REGION_INDEX) {
    info->size = 4096;
    info->offset = BAR2_AT;
  } else if (info->index == VFIO_PCI_CONFIG_REGION_INDEX) {
    info->size = 256;
    info->offset = CONFIG_AT;
  }
  return 0;
}

static int set_irqs(const struct vfio_irq_set *set)
{
  assert_int_equal(set->index, VFIO_PCI_MSIX_IRQ_INDEX);
  assert_int_equal(set->start, 0);
  assert_int_equal(set->argsz,
                   sizeof *set +
                       (set->flags & VFIO_IRQ_SET_DATA_EVENTFD ? set->count * sizeof(int32_t) : 0));
  vfio.irq_flags = set->flags;
  vfio.irq_count = set->count;
  memcpy(vfio.irq_fds, set->data, set->argsz - sizeof *set);
  return 0;
}

static int container_ioctl(unsigned long request, void *argument, const char **name)
{
  uintptr_t kind = vfio.no_iommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU;
  switch (request) {
  case VFIO_GET_API_VERSION:
    *name = "GET_API_VERSION";
    return VFIO_API_VERSION;
  case VFIO_CHECK_EXTENSION:
    *name = "CHECK_EXTENSION";
    return (uintptr_t)argument == kind;
  case VFIO_SET_IOMMU:
    *name = "SET_IOMMU";
    vfio.has_iommu = vfio.has_container && (uintptr_t)argument == kind;
    return vfio.has_iommu ? 0 : fails(EINVAL);
  case VFIO_IOMMU_GET_INFO:
    *name = "IOMMU_GET_INFO";
    return get_iommu_info(argument);
  case VFIO_IOMMU_MAP_DMA:
    *name = "MAP_DMA";
    return map_dma(argument);
  case VFIO_IOMMU_UNMAP_DMA:
    *name = "UNMAP_DMA";
    return unmap_dma(argument);
  default:
    return fails(ENOTTY);
  }
}

static int group_ioctl(unsigned long request, void *argument, const char **name)
{
  switch (request) {
  case VFIO_GROUP_GET_STATUS:
    *name = "GET_STATUS";
    ((struct vfio_group_status *)argument)->flags = vfio.not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
    return 0;
  case VFIO_GROUP_SET_CONTAINER:
    *name = "SET_CONTAINER";
    assert_int_equal(*(int *)argument, vfio.container);
    vfio.has_container = !vfio.not_viable;
    return vfio.has_container ? 0 : fails(EPERM);
  case VFIO_GROUP_GET_DEVICE_FD:
    *name = "GET_DEVICE_FD";
    return 0; /* made in fake_ioctl, when it is known not to fail */
  default:
    return fails(ENOTTY);
  }
}

static int device_ioctl(unsigned long request, void *argument, const char **name)
{
  switch (request) {
  case VFIO_DEVICE_GET_INFO:
    *name = "GET_INFO";
    ((struct vfio_device_info *)argument)->flags =
        VFIO_DEVICE_FLAGS_PCI | (vfio.no_reset ? 0 : VFIO_DEVICE_FLAGS_RESET);
    return 0;
  case VFIO_DEVICE_RESET:
    *name = "RESET";
    vfio.resets++;
    return 0;
  case VFIO_DEVICE_GET_REGION_INFO:
    *name = "GET_REGION_INFO";
    return get_region_info(argument);
  case VFIO_DEVICE_GET_IRQ_INFO:
    *name = "GET_IRQ_INFO";
    ((struct vfio_irq_info *)argument)->flags = VFIO_IRQ_INFO_EVENTFD;
    ((struct vfio_irq_info *)argument)->count = 64;
    return 0;
  case VFIO_DEVICE_SET_IRQS:
    *name = "SET_IRQS";
    return set_irqs(argument);
  default:
    return fails(ENOTTY);
  }
}

static int fake_ioctl(int fd, unsigned long request, void *argument)
{
  const char *name = "unknown";
  int result = fails(EBADF);
  if (fd == vfio.container)
    result = container_ioctl(request, argument, &name);
  else if (fd == vfio.group)
    result = group_ioctl(request, argument, &name);
  else if (fd == vfio.device)
    result = device_ioctl(request, argument, &name);
  size_t used = strlen(vfio.log);
  snprintf(vfio.log + used, sizeof vfio.log - used, "%s ", name);
  if (vfio.fails.name != NULL && strcmp(vfio.fails.name, name) == 0)
    return fails(vfio.fails.code);
  return strcmp(name, "GET_DEVICE_FD") == 0 ? get_device(argument) : result;
}

static const char *fake_pagemap(void)
{
  static char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/pagemap", tree);
  return path;
}

static struct vfio_system fake_system;

static int set_up(void **state)
{
  (void)state;
  if (tree_make() != 0)
    return -1;
  tree_put(DEVICE "numa_node", "1\n");
  tree_put("pagemap", "");
  tree_link(DEVICE "driver", "bus/pci/drivers/vfio-pci");
  tree_link(DEVICE "iommu_group", "kernel/iommu_groups/12");
  tree_link("kernel/iommu_groups/12/devices/" CARD, "bus/pci/devices/" CARD);
  vfio = (struct vfio){.range_count = 2,
                       .ranges = {{0, 0xFEDFFFFF}, {0xFEF00000, (UINT64_C(1) << 48) - 1}}};
  fake_system = (struct vfio_system){.dev = "/fake",
                                     .pagemap = fake_pagemap(),
                                     .open = fake_open,
                                     .close = fake_close,
                                     .ioctl = fake_ioctl,
                                     .mmap = mmap,
                                     .munmap = munmap,
                                     .pread = pread,
                                     .pwrite = pwrite};
  return 0;
}

/* Whatever happened, every file is closed again. */
static int tear_down(void **state)
{
  (void)state;
  return tree_remove() == 0 && vfio.container == 0 && vfio.group == 0 && vfio.device == 0 ? 0 : -1;
}

static int open_card(struct pci **pci, struct shunt_error *error)
{
  struct pci_open_options options = {.sysfs = tree};
  return vfio_open(CARD, &options, &fake_system, pci, error);
}

static struct pci *open_well(void)
{
  struct pci *pci = NULL;
  struct shunt_error error;
  if (open_card(&pci, &error) != 0)
    fail_msg("%s: %s", error.what, error.why);
  return pci;
}

static void assert_refused(int code, const char *text)
{
  struct pci *pci = NULL;
  struct shunt_error error = {0};
  char whole[1024];
  assert_int_equal(open_card(&pci, &error), code);
  assert_int_equal(error.code, code);
  assert_null(pci);
  shunt_error_format(&error, whole, sizeof whole);
  if (strstr(whole, text) == NULL)
    fail_msg("\"%s\" is not in:\n%s", text, whole);
  assert_int_equal(vfio.container + vfio.group + vfio.device, 0);
}

static struct shunt_region *make_region(uint64_t bytes)
{
  struct shunt_region *region;
  struct shunt_region_options options = {
      .size = sizeof options, .bytes = bytes, .pages = SHUNT_PAGES_4K, .numa_node = SHUNT_NUMA_ANY};
  assert_int_equal(shunt_region_create(&options, &region, NULL), 0);
  return region;
}

#endif
