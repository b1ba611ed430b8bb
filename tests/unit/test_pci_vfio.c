/* SPDX-License-Identifier: BSD-2-Clause */
#include "vfio_fake.h"

/* ---- Opening ---- */

static void it_opens_in_the_kernels_order(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  assert_int_equal(strncmp(vfio.log,
                           "GET_STATUS GET_API_VERSION CHECK_EXTENSION SET_CONTAINER SET_IOMMU "
                           "IOMMU_GET_INFO GET_DEVICE_FD GET_INFO RESET GET_REGION_INFO ",
                           127),
                   0);
  assert_int_equal(pci->vendor, 0x8086);
  assert_int_equal(pci->device, 0x10FB);
  assert_int_equal(pci->vectors, 64);
  assert_int_equal(pci->numa_node, 1);
  assert_false(pci->is_model);
  assert_string_equal(pci->address, CARD);
  assert_string_equal(pci->path, "vfio group 12");
  assert_int_equal(vfio.resets, 1);
  uint32_t command;
  assert_int_equal(pci->ops->config_read(pci, PCI_CFG_COMMAND, 2, &command), 0);
  assert_int_equal(command, PCI_CMD_INTX_DISABLE | PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);
  int device = dup(vfio.device);
  pci_close(pci);
  uint8_t byte;
  assert_int_equal(pread(device, &byte, 1, CONFIG_AT + PCI_CFG_COMMAND), 1);
  assert_int_equal(byte, PCI_CMD_MEMORY);
  close(device);
  assert_int_equal(vfio.closes, 3);
}

static void every_step_that_fails_is_reported_and_undone(void **state)
{
  (void)state;
  static const struct {
    const char *step, *text;
    int code;
  } steps[] = {
      {"GET_STATUS", "can't learn about group 12", EIO},
      {"SET_CONTAINER", "can't put group 12", EINVAL},
      {"SET_IOMMU", "can't set up the IOMMU", ENODEV},
      {"SET_IOMMU", "allow_unsafe_interrupts", EPERM},
      {"GET_DEVICE_FD", "shunt bind 0000:03:00.0", ENODEV},
      {"GET_INFO", "can't learn about 0000:03:00.0", EIO},
      {"GET_REGION_INFO", "configuration space", EINVAL},
  };
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    vfio.fails = (struct step){steps[i].step, steps[i].code};
    assert_refused(-steps[i].code, steps[i].text);
  }
  vfio.fails = (struct step){"GET_API_VERSION", EINVAL};
  assert_refused(-EOPNOTSUPP, "version -1");
  vfio.fails = (struct step){"CHECK_EXTENSION", EINVAL};
  assert_refused(-EOPNOTSUPP, "modprobe vfio_iommu_type1");
  vfio.fails = (struct step){NULL, 0};
  pci_close(open_well());
}

static void a_failed_reset_or_missing_vectors_are_no_failure(void **state)
{
  (void)state;
  vfio.fails = (struct step){"RESET", EIO};
  pci_close(open_well());
  vfio.fails = (struct step){"GET_IRQ_INFO", EINVAL};
  vfio.no_reset = true;
  vfio.resets = 0;
  struct pci *pci = open_well();
  assert_int_equal(pci->vectors, 0);
  assert_int_equal(vfio.resets, 0);
  pci_close(pci);
}

static void the_groups_file_says_what_is_wrong(void **state)
{
  (void)state;
  vfio.open_errno = EACCES;
  assert_refused(-EPERM, "chown /fake/12");
  vfio.open_errno = EBUSY;
  assert_refused(-EBUSY, "fuser -v /fake/12");
  vfio.open_errno = ENOENT;
  assert_refused(-ENODEV, "modprobe vfio-pci");
  vfio.open_errno = 0;
  vfio.no_iommu = true;
  vfio.open_errno = EPERM;
  assert_refused(-EPERM, "CAP_SYS_RAWIO");
}

static void a_group_that_is_shared_with_the_kernel_names_who(void **state)
{
  (void)state;
  vfio.not_viable = true;
  assert_refused(-EBUSY, "it does not say which");
  tree_link("kernel/iommu_groups/12/devices/0000:03:00.1", "bus/pci/devices/0000:03:00.1");
  tree_link("bus/pci/devices/0000:03:00.1/driver", "bus/pci/drivers/ixgbe");
  assert_refused(-EBUSY, "0000:03:00.1 (ixgbe)");
  assert_refused(-EBUSY, "group 12 is not all VFIO's");
}

static void no_group_says_that_the_iommu_is_off(void **state)
{
  (void)state;
  unlink(tree_path(DEVICE "iommu_group"));
  assert_refused(-EOPNOTSUPP, "intel_iommu=on");
  assert_refused(-EOPNOTSUPP, "shunt bind 0000:03:00.0 --driver none");
}

/* With the real system; no machine has a group of that number. */
static void pci_open_goes_to_vfio_where_vfio_has_it(void **state)
{
  (void)state;
  struct pci *pci = NULL;
  struct shunt_error error;
  struct pci_open_options options = {.sysfs = tree};
  tree_link(DEVICE "iommu_group", "kernel/iommu_groups/4294967294");
  assert_int_equal(pci_open("03:00.0", &options, &pci, &error), -ENODEV);
  assert_non_null(strstr(error.what, "/dev/vfio/noiommu-4294967294"));
  assert_null(pci);
}

/* ---- Registers ---- */

static void registers_are_mapped_or_asked_for(void **state)
{
  (void)state;
  for (unsigned round = 0; round < 2; round++) {
    vfio.can_not_map = round == 1;
    struct pci *pci = open_well();
    pci_write32(pci, 0x1FFC, 0x11223344);
    assert_int_equal(pci_read32(pci, 0x1FFC), 0x11223344);
    assert_int_equal(pci_direct(pci, 0x1FFC) != NULL, round == 0);
    uint32_t raw;
    assert_int_equal(pread(vfio.device, &raw, 4, 0x1FFC), 4);
    assert_int_equal(raw, 0x11223344);
    pci->ops->write32(pci, 2, 8, 77);
    assert_int_equal(pci->ops->read32(pci, 2, 8), 77);
    assert_int_equal(pread(vfio.device, &raw, 4, BAR2_AT + 8), 4);
    assert_int_equal(raw, 77);
    assert_null(pci->ops->direct(pci, 2, 8));
    pci_close(pci);
  }
}

static void what_is_outside_reads_all_ones(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  assert_int_equal(pci_read32(pci, BAR0_BYTES), UINT32_MAX);
  assert_int_equal(pci_read32(pci, UINT64_MAX - 3), UINT32_MAX);
  assert_int_equal(pci_read32(pci, 1), UINT32_MAX);
  assert_int_equal(pci->ops->read32(pci, 1, 0), UINT32_MAX);
  assert_int_equal(pci->ops->read32(pci, 6, 0), UINT32_MAX);
  pci_write32(pci, BAR0_BYTES, 1);
  pci->ops->write32(pci, 9, 0, 1);
  assert_null(pci_direct(pci, BAR0_BYTES));
  uint32_t value;
  assert_int_equal(pci->ops->config_read(pci, 252, 4, &value), 0);
  assert_int_equal(pci->ops->config_read(pci, 256, 1, &value), -EINVAL);
  assert_int_equal(pci->ops->config_read(pci, 2, 4, &value), -EINVAL);
  assert_int_equal(pci->ops->config_write(pci, 255, 2, 0), -EINVAL);
  pci_close(pci);
}

/* ---- DMA ---- */

static void memory_is_mapped_at_its_own_address_where_that_is_allowed(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  struct shunt_region *region = make_region(4 * MIB);
  uint64_t base = (uintptr_t)shunt_region_base(region), delta[2];
  assert_int_equal(pci->ops->dma_map(pci, region, delta, NULL), 0);
  assert_int_equal(vfio.map_count, 1);
  assert_int_equal(vfio.maps[0].vaddr, base);
  assert_int_equal(vfio.maps[0].iova, base);
  assert_int_equal(vfio.maps[0].size, 4 * MIB);
  assert_int_equal(delta[0], base);
  assert_int_equal(delta[1], base);
  pci->ops->dma_unmap(pci, region, delta);
  assert_int_equal(vfio.map_count, 0);
  /* The address is free again. */
  assert_int_equal(pci->ops->dma_map(pci, region, delta, NULL), 0);
  assert_int_equal(delta[0], base);
  shunt_region_destroy(region);
  pci_close(pci);
}

static void a_narrow_iommu_gets_low_addresses(void **state)
{
  (void)state;
  vfio.ranges[1] = (struct vfio_iova_range){0xFEF00000, (UINT64_C(1) << 39) - 1};
  struct pci *pci = open_well();
  struct shunt_region *left = make_region(4 * MIB), *right = make_region(2 * MIB);
  uint64_t left_delta[2], right_delta[1];
  assert_int_equal(pci->ops->dma_map(pci, left, left_delta, NULL), 0);
  assert_int_equal(pci->ops->dma_map(pci, right, right_delta, NULL), 0);
  assert_int_equal(left_delta[0], 2 * MIB);
  assert_int_equal(left_delta[1], 2 * MIB);
  assert_int_equal(right_delta[0], 6 * MIB);
  pci->ops->dma_unmap(pci, left, left_delta);
  assert_int_equal(vfio.map_count, 1);
  assert_int_equal(vfio.maps[0].iova, 6 * MIB);
  shunt_region_destroy(left);
  shunt_region_destroy(right);
  pci_close(pci);
}

static void a_kernel_that_tells_no_ranges_gets_a_careful_guess(void **state)
{
  (void)state;
  vfio.tells_no_ranges = true;
  struct pci *pci = open_well();
  struct shunt_region *region = make_region(2 * MIB);
  uint64_t delta[1];
  assert_int_equal(pci->ops->dma_map(pci, region, delta, NULL), 0);
  assert_int_equal(delta[0], 4 * GIB);
  shunt_region_destroy(region);
  pci_close(pci);
}

static void odd_lists_of_ranges_do_no_harm(void **state)
{
  (void)state;
  static const uint32_t nexts[] = {64, 96, 1, 4090, UINT32_MAX};
  for (size_t i = 0; i < sizeof nexts / sizeof nexts[0]; i++) {
    vfio.cap_next = nexts[i];
    pci_close(open_well());
  }
  vfio.cap_next = 0;
  vfio.range_count = UINT32_MAX;
  pci_close(open_well());
}

static void a_mapping_that_fails_says_what_to_raise(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  struct shunt_region *region = make_region(2 * MIB);
  struct shunt_error error;
  uint64_t delta[1];
  vfio.fails = (struct step){"MAP_DMA", ENOMEM};
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -ENOMEM);
  assert_non_null(strstr(error.remedy, "RLIMIT_MEMLOCK to more than 2048 KiB"));
  vfio.fails.code = ENOSPC;
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -ENOSPC);
  assert_non_null(strstr(error.remedy, "dma_entry_limit"));
  /* A failure takes no address: the region's own is still free. */
  vfio.fails.name = NULL;
  vfio.map_count = 0;
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), 0);
  assert_int_equal(delta[0], (uintptr_t)shunt_region_base(region));
  shunt_region_destroy(region);
  pci_close(pci);
}

/* ---- Without an IOMMU ---- */

static void without_an_iommu_the_path_says_what_that_means(void **state)
{
  (void)state;
  vfio.no_iommu = true;
  struct pci *pci = open_well();
  struct shunt_region *region = make_region(2 * MIB);
  struct shunt_error error;
  uint64_t delta[1];
  assert_string_equal(pci->path, "vfio group 12, NO IOMMU: the device can write anywhere");
  assert_null(strstr(vfio.log, "IOMMU_GET_INFO"));
  /* Physical addresses, so the rules are those of sysfs. */
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.remedy, "nr_hugepages"));
  assert_int_equal(vfio.map_count, 0);
  pci->ops->dma_unmap(pci, region, delta);
  shunt_region_destroy(region);
  pci_close(pci);
  vfio.fails = (struct step){"CHECK_EXTENSION", EINVAL};
  assert_refused(-EOPNOTSUPP, "enable_unsafe_noiommu_mode");
}

static int without_huge(const char *name, unsigned flags)
{
  return region_real_system.create(name, flags & 3);
}

static void without_an_iommu_addresses_are_physical(void **state)
{
  (void)state;
  struct region_system system = region_real_system;
  struct shunt_region_options options = {
      .size = sizeof options, .bytes = 1, .pages = SHUNT_PAGES_2M, .numa_node = SHUNT_NUMA_ANY};
  struct shunt_region *region;
  uint64_t delta[1], entry = UINT64_C(1) << 63 | 0x12345, page = (uint64_t)getpagesize();
  system.create = without_huge;
  assert_int_equal(region_create(&system, &options, &region, NULL), 0);
  int fd = open(fake_pagemap(), O_WRONLY);
  assert_int_equal(pwrite(fd, &entry, sizeof entry,
                          (off_t)((uintptr_t)shunt_region_base(region) / page * sizeof entry)),
                   sizeof entry);
  close(fd);
  vfio.no_iommu = true;
  struct pci *pci = open_well();
  assert_int_equal(pci->ops->dma_map(pci, region, delta, NULL), 0);
  assert_int_equal(delta[0], 0x12345 * page);
  pci->ops->dma_unmap(pci, region, delta);
  pci_close(pci);
  shunt_region_destroy(region);
}

/* ---- Interrupts ---- */

static void vectors_are_given_eventfds(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  int fds[64];
  uint64_t one = 1;
  assert_int_equal(pci->ops->interrupts(pci, 3, fds, NULL), 0);
  assert_int_equal(vfio.irq_flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
  assert_int_equal(vfio.irq_count, 3);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(vfio.irq_fds[i], fds[i]);
    assert_int_equal(write(vfio.irq_fds[i], &one, sizeof one), sizeof one);
    struct pollfd wait = {.fd = fds[i], .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 0), 1);
  }
  assert_int_equal(pci->ops->interrupts(pci, 64, fds, NULL), 0);
  assert_int_equal(vfio.irq_count, 64);
  assert_int_equal(pci->ops->interrupts(pci, 0, NULL, NULL), 0);
  assert_int_equal(vfio.irq_flags, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER);
  assert_int_equal(vfio.irq_count, 0);
  assert_int_equal(close(fds[0]), -1);
  assert_int_equal(pci->ops->interrupts(pci, 1, fds, NULL), 0);
  pci_close(pci);
  assert_int_equal(vfio.irq_count, 0);
  assert_int_equal(close(fds[0]), -1);
}

static void vectors_that_can_not_be_had_are_refused(void **state)
{
  (void)state;
  struct pci *pci = open_well();
  struct shunt_error error;
  int fds[65];
  assert_int_equal(pci->ops->interrupts(pci, 65, fds, &error), -EINVAL);
  assert_non_null(strstr(error.what, "0000:03:00.0 has 64"));
  vfio.fails = (struct step){"SET_IRQS", ENOSPC};
  assert_int_equal(pci->ops->interrupts(pci, 2, fds, &error), -ENOSPC);
  assert_non_null(strstr(error.what, "2 MSI-X vectors"));
  pci_close(pci);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(it_opens_in_the_kernels_order),
      TEST(every_step_that_fails_is_reported_and_undone),
      TEST(a_failed_reset_or_missing_vectors_are_no_failure),
      TEST(the_groups_file_says_what_is_wrong),
      TEST(a_group_that_is_shared_with_the_kernel_names_who),
      TEST(no_group_says_that_the_iommu_is_off),
      TEST(pci_open_goes_to_vfio_where_vfio_has_it),
      TEST(registers_are_mapped_or_asked_for),
      TEST(what_is_outside_reads_all_ones),
      TEST(memory_is_mapped_at_its_own_address_where_that_is_allowed),
      TEST(a_narrow_iommu_gets_low_addresses),
      TEST(a_kernel_that_tells_no_ranges_gets_a_careful_guess),
      TEST(odd_lists_of_ranges_do_no_harm),
      TEST(a_mapping_that_fails_says_what_to_raise),
      TEST(without_an_iommu_the_path_says_what_that_means),
      TEST(without_an_iommu_addresses_are_physical),
      TEST(vectors_are_given_eventfds),
      TEST(vectors_that_can_not_be_had_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
