/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hw/pci.h"
#include "pci_tree.h"
#include "src/core/region_internal.h"
#include "src/pci/backend.h"

#define DEVICE  "bus/pci/devices/0000:03:00.0/"
#define ADDRESS "0000:03:00.0"
#define MIB     UINT64_C(0x100000)
#define PRESENT (UINT64_C(1) << 63)

/* ---- The tree, and memory that passes for huge pages ---- */

static int set_up(void **state)
{
  (void)state;
  static const uint8_t config[256] = {0x86, 0x80, 0xFB, 0x10, 0x00, 0x04};
  static const uint8_t memory[8192];
  if (tree_make() != 0)
    return -1;
  tree_put(DEVICE "vendor", "0x8086\n");
  tree_put(DEVICE "device", "0x10fb\n");
  tree_put(DEVICE "numa_node", "1\n");
  tree_put(DEVICE "enable", "0\n");
  tree_put_bytes(DEVICE "config", config, sizeof config);
  tree_put_bytes(DEVICE "resource0", memory, sizeof memory);
  tree_put_bytes(DEVICE "resource2", memory, 4096);
  tree_put(DEVICE "resource4", "");
  tree_put("pagemap", "");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  return tree_remove();
}

static int open_tree(struct pci **pci, struct shunt_error *error)
{
  struct pci_open_options options = {.sysfs = tree};
  return sysfs_open(ADDRESS, &options, tree_path("pagemap"), pci, error);
}

static struct pci *open_well(void)
{
  struct pci *pci = NULL;
  struct shunt_error error;
  if (open_tree(&pci, &error) != 0)
    fail_msg("%s: %s", error.what, error.why);
  return pci;
}

static int without_huge(const char *name, unsigned flags)
{
  return region_real_system.create(name, flags & 3);
}

/* Ordinary memory that the region takes for 2 MiB pages. */
static struct shunt_region *make_region(void)
{
  struct region_system system = region_real_system;
  struct shunt_region_options options = {.size = sizeof options,
                                         .bytes = 6 * MIB,
                                         .pages = SHUNT_PAGES_2M,
                                         .numa_node = SHUNT_NUMA_ANY};
  struct shunt_region *region;
  system.create = without_huge;
  assert_int_equal(region_create(&system, &options, &region, NULL), 0);
  return region;
}

/* Let pagemap say which frame the page at that offset of the region is in. */
static void put_frame(const struct shunt_region *region, uint64_t offset, uint64_t entry)
{
  uint64_t page = ((uintptr_t)shunt_region_base(region) + offset) / (uint64_t)getpagesize();
  int fd = open(tree_path("pagemap"), O_WRONLY);
  assert_int_equal(pwrite(fd, &entry, sizeof entry, (off_t)(page * sizeof entry)), sizeof entry);
  close(fd);
}

/* ---- Tests ---- */

static void it_opens_enabled_and_mastering_the_bus(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  uint32_t command;
  assert_int_equal(pci->vendor, 0x8086);
  assert_int_equal(pci->device, 0x10FB);
  assert_int_equal(pci->numa_node, 1);
  assert_int_equal(pci->vectors, 0);
  assert_false(pci->is_model);
  assert_string_equal(pci->address, ADDRESS);
  assert_string_equal(pci->path, "sysfs, physical addresses");
  assert_string_equal(tree_get(DEVICE "enable"), "1\n");
  assert_int_equal(pci->ops->config_read(pci, PCI_CFG_COMMAND, 2, &command), 0);
  assert_int_equal(command, PCI_CMD_INTX_DISABLE | PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);
  pci_close(pci);
  assert_int_equal((uint8_t)tree_get(DEVICE "config")[PCI_CFG_COMMAND], PCI_CMD_MEMORY);
  assert_string_equal(tree_get(DEVICE "enable"), "0\n");
}

static void pci_open_finds_it(void **state)
{
  (void)state;
  struct pci *pci;
  struct pci_open_options options = {.sysfs = tree};
  assert_int_equal(pci_open("03:00.0", &options, &pci, NULL), 0);
  assert_string_equal(pci->address, ADDRESS);
  pci_close(pci);
}

static void registers_are_the_files_memory(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  pci_write32(pci, 0x1FFC, 0x12345678);
  assert_int_equal(pci_read32(pci, 0x1FFC), 0x12345678);
  *pci_direct(pci, 0x10) = 5;
  pci->ops->write32(pci, 2, 0xFFC, 7);
  assert_int_equal(pci->ops->read32(pci, 2, 0xFFC), 7);
  int fd = open(tree_path(DEVICE "resource0"), O_RDONLY);
  uint8_t byte;
  assert_int_equal(pread(fd, &byte, 1, 0x1FFC), 1);
  assert_int_equal(byte, 0x78);
  assert_int_equal(pread(fd, &byte, 1, 0x10), 1);
  assert_int_equal(byte, 5);
  close(fd);
  pci_close(pci);
}

static void what_is_outside_reads_all_ones(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  assert_int_equal(pci_read32(pci, 0x2000), UINT32_MAX);
  assert_int_equal(pci_read32(pci, UINT64_MAX - 3), UINT32_MAX);
  assert_int_equal(pci_read32(pci, 2), UINT32_MAX);
  assert_int_equal(pci->ops->read32(pci, 1, 0), UINT32_MAX);
  assert_int_equal(pci->ops->read32(pci, 4, 0), UINT32_MAX);
  assert_int_equal(pci->ops->read32(pci, 6, 0), UINT32_MAX);
  pci_write32(pci, 0x2000, 1);
  uint32_t value;
  assert_int_equal(pci->ops->config_read(pci, 256, 4, &value), -EIO);
  assert_int_equal(pci->ops->config_read(pci, 1, 2, &value), -EINVAL);
  assert_int_equal(pci->ops->config_write(pci, 0, 8, 0), -EINVAL);
  pci_close(pci);
}

static void a_bar_is_combined_where_the_kernel_has_that(void **state)
{
  (void)state;
  static const uint8_t memory[4096] = {0x5C};
  struct pci *pci = open_well();
  pci->ops->write32(pci, 2, 0, 1);
  assert_false(pci_combine(pci, 2)); /* no file of that name */
  assert_false(pci_combine(pci, 1)); /* no such BAR */
  assert_false(pci_combine(pci, 6));
  assert_int_equal(pci->ops->read32(pci, 2, 0), 1);
  assert_string_equal(pci->path, "sysfs, physical addresses");
  tree_put(DEVICE "resource2_wc", "");
  assert_false(pci_combine(pci, 2)); /* one that can't be mapped: as before */
  assert_int_equal(pci->ops->read32(pci, 2, 0), 1);
  tree_put_bytes(DEVICE "resource2_wc", memory, sizeof memory);
  assert_true(pci_combine(pci, 2));
  assert_int_equal(pci->ops->read32(pci, 2, 0), 0x5C);
  *pci->ops->direct(pci, 2, 8) = 7;
  assert_int_equal(tree_get(DEVICE "resource2_wc")[8], 7);
  assert_string_equal(pci->path, "sysfs, physical addresses, BAR 2 write-combining");
  pci_write32(pci, 0, 3); /* the others stay what they are */
  assert_int_equal(pci_read32(pci, 0), 3);
  pci_close(pci);
}

static void a_kernel_driver_is_named(void **state)
{
  (void)state;
  struct pci *pci = NULL;
  struct shunt_error error;
  tree_link(DEVICE "driver", "bus/pci/drivers/ixgbe");
  assert_int_equal(open_tree(&pci, &error), -EBUSY);
  assert_non_null(strstr(error.why, "the driver ixgbe"));
  assert_non_null(strstr(error.remedy, "shunt bind 0000:03:00.0"));
  assert_string_equal(tree_get(DEVICE "enable"), "0\n");
  tree_link(DEVICE "driver", "bus/pci/drivers/uio_pci_generic");
  assert_int_equal(open_tree(&pci, &error), 0);
  pci_close(pci);
}

static void an_iommu_that_translates_is_refused(void **state)
{
  (void)state;
  struct pci *pci = NULL;
  struct shunt_error error;
  tree_put(DEVICE "iommu_group/type", "DMA-FQ\n");
  assert_int_equal(open_tree(&pci, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.why, "DMA-FQ"));
  assert_non_null(strstr(error.remedy, "iommu=pt"));
  tree_put(DEVICE "iommu_group/type", "identity\n");
  assert_int_equal(open_tree(&pci, &error), 0);
  pci_close(pci);
}

static void a_second_program_is_refused(void **state)
{
  (void)state;
  struct pci *pci = open_well(), *again = NULL;
  struct shunt_error error;
  assert_int_equal(open_tree(&again, &error), -EBUSY);
  assert_non_null(strstr(error.remedy, "fuser"));
  uint32_t command;
  assert_int_equal(pci->ops->config_read(pci, PCI_CFG_COMMAND, 2, &command), 0);
  assert_true(command & PCI_CMD_BUS_MASTER);
  pci_close(pci);
  pci_close(open_well());
}

static void missing_files_are_named(void **state)
{
  (void)state;
  struct pci *pci = NULL;
  struct shunt_error error;
  unlink(tree_path(DEVICE "resource0"));
  assert_int_equal(open_tree(&pci, &error), -ENOENT);
  assert_non_null(strstr(error.what, "resource0"));
  assert_string_equal(tree_get(DEVICE "enable"), "0\n");
  tree_put(DEVICE "resource0", "");
  assert_int_equal(open_tree(&pci, &error), -ENXIO);
  unlink(tree_path(DEVICE "enable"));
  assert_int_equal(open_tree(&pci, &error), -ENOENT);
  assert_non_null(strstr(error.what, "can't enable"));
  unlink(tree_path(DEVICE "config"));
  assert_int_equal(open_tree(&pci, &error), -ENOENT);
  assert_non_null(strstr(error.what, "config"));
  assert_null(pci);
}

static void physical_addresses_come_from_pagemap(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  struct shunt_region *region = make_region();
  uint64_t delta[3], page = (uint64_t)getpagesize();
  put_frame(region, 0 * MIB, PRESENT | 0x40000);
  put_frame(region, 2 * MIB, PRESENT | 0x10000);
  put_frame(region, 4 * MIB, PRESENT | (UINT64_C(1) << 61) | 0x7FFFFFFFF0000);
  assert_int_equal(pci->ops->dma_map(pci, region, delta, NULL), 0);
  assert_int_equal(0 * MIB + delta[0], 0x40000 * page);
  assert_int_equal(2 * MIB + delta[1], 0x10000 * page);
  assert_int_equal(4 * MIB + delta[2], 0x7FFFFFFFF0000 * page);
  pci->ops->dma_unmap(pci, region, delta);
  shunt_region_destroy(region);
  pci_close(pci);
}

static void hidden_frames_need_a_capability(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  struct shunt_region *region = make_region();
  struct shunt_error error;
  uint64_t delta[3];
  put_frame(region, 0, PRESENT | 0x40000);
  put_frame(region, 2 * MIB, PRESENT);
  put_frame(region, 4 * MIB, PRESENT | 0x40000);
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -EPERM);
  assert_non_null(strstr(error.remedy, "CAP_SYS_ADMIN"));
  put_frame(region, 2 * MIB, 0x10000);
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -EIO);
  assert_non_null(strstr(error.what, "not in memory"));
  tree_put("pagemap", "");
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -EIO);
  unlink(tree_path("pagemap"));
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -ENOENT);
  shunt_region_destroy(region);
  pci_close(pci);
}

static void ordinary_pages_are_refused_as_they_can_move(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  struct shunt_region *region;
  struct shunt_region_options options = {
      .size = sizeof options, .pages = SHUNT_PAGES_4K, .numa_node = SHUNT_NUMA_ANY};
  struct shunt_error error;
  uint64_t delta[8];
  assert_int_equal(shunt_region_create(&options, &region, NULL), 0);
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.why, "16 MiB in 4 KiB pages"));
  assert_non_null(strstr(error.remedy, "nr_hugepages"));
  shunt_region_destroy(region);
  pci_close(pci);
}

static void there_are_no_interrupts(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  struct shunt_error error;
  int fds[1];
  assert_int_equal(pci->ops->interrupts(pci, 0, NULL, &error), 0);
  assert_int_equal(pci->ops->interrupts(pci, 1, fds, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.remedy, "vfio-pci"));
  pci_close(pci);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(it_opens_enabled_and_mastering_the_bus),
      TEST(pci_open_finds_it),
      TEST(registers_are_the_files_memory),
      TEST(what_is_outside_reads_all_ones),
      TEST(a_bar_is_combined_where_the_kernel_has_that),
      TEST(a_kernel_driver_is_named),
      TEST(an_iommu_that_translates_is_refused),
      TEST(a_second_program_is_refused),
      TEST(missing_files_are_named),
      TEST(physical_addresses_come_from_pagemap),
      TEST(hidden_frames_need_a_capability),
      TEST(ordinary_pages_are_refused_as_they_can_move),
      TEST(there_are_no_interrupts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
