/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/core/region_internal.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* ---- A machine whose memory can be told to run out ---- */

static struct machine {
  int huge_errno;     /* of creating a file of huge pages; 0: ordinary ones take their place */
  int map_errno;      /* of mapping a file */
  int populate_errno; /* of populating */
  unsigned populate_failures; /* how many calls fail so */
  int lock_errno;
  int bind_errno;
  int node; /* where pages are said to be; -1: the kernel does not tell */
  int node_of_last_page;
  unsigned creates, locks, binds, populates, pages_asked;
  int bound_node;
  bool bound_strictly, bound_first;
  char tree[64];
} machine;

static int fails(int code)
{
  errno = code;
  return -1;
}

static int machine_create(const char *name, unsigned flags)
{
  machine.creates++;
  if ((flags & MFD_HUGETLB) && machine.huge_errno != 0)
    return fails(machine.huge_errno);
  return region_real_system.create(name, flags & (MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

static void *machine_map(void *address, size_t bytes, int protection, int flags, int fd,
                         off_t offset)
{
  if (fd >= 0 && machine.map_errno != 0) {
    errno = machine.map_errno;
    return MAP_FAILED;
  }
  return mmap(address, bytes, protection, flags, fd, offset);
}

static int machine_populate(void *address, size_t bytes)
{
  (void)address;
  (void)bytes;
  machine.bound_first = machine.binds > 0;
  if (machine.populates++ < machine.populate_failures)
    return fails(machine.populate_errno);
  return 0;
}

static int machine_lock(const void *address, size_t bytes)
{
  (void)address;
  (void)bytes;
  machine.locks++;
  return machine.lock_errno != 0 ? fails(machine.lock_errno) : 0;
}

static int machine_bind(void *address, size_t bytes, int node, bool strictly)
{
  (void)address;
  (void)bytes;
  machine.binds++;
  machine.bound_node = node;
  machine.bound_strictly = strictly;
  return machine.bind_errno != 0 ? fails(machine.bind_errno) : 0;
}

static int machine_node_of(void *address, int *node)
{
  machine.pages_asked++;
  if (machine.node < 0)
    return fails(ENOSYS);
  /* The last 4 KiB before a 2 MiB boundary are the last page of a small region. */
  *node = ((uintptr_t)address & (2 * MIB - 1)) == 2 * MIB - 4096 ? machine.node_of_last_page
                                                                 : machine.node;
  return 0;
}

static struct region_system machine_system(void)
{
  static char huge_pages[96], nodes[96];
  snprintf(huge_pages, sizeof huge_pages, "%s/hugepages", machine.tree);
  snprintf(nodes, sizeof nodes, "%s/node", machine.tree);
  return (struct region_system){
      .huge_pages = huge_pages,
      .nodes = nodes,
      .create = machine_create,
      .truncate = ftruncate,
      .map = machine_map,
      .populate = machine_populate,
      .lock = machine_lock,
      .bind = machine_bind,
      .node_of = machine_node_of,
  };
}

static void put(const char *directory, const char *file, const char *text)
{
  char path[256];
  snprintf(path, sizeof path, "mkdir -p %s/%s", machine.tree, directory);
  assert_int_equal(system(path), 0);
  snprintf(path, sizeof path, "%s/%s/%s", machine.tree, directory, file);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static int set_up(void **state)
{
  (void)state;
  machine = (struct machine){.node = 0, .tree = "/tmp/shunt-region-XXXXXX"};
  if (mkdtemp(machine.tree) == NULL)
    return -1;
  put("hugepages/hugepages-2048kB", "nr_hugepages", "4\n");
  put("hugepages/hugepages-2048kB", "free_hugepages", "1\n");
  put("hugepages/hugepages-1048576kB", "nr_hugepages", "0\n");
  put("hugepages/hugepages-1048576kB", "free_hugepages", "0\n");
  put("node/node1/hugepages/hugepages-2048kB", "nr_hugepages", "2\n");
  put("node/node1/hugepages/hugepages-2048kB", "free_hugepages", "2\n");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  char command[96];
  snprintf(command, sizeof command, "rm -rf %s", machine.tree);
  return system(command);
}

static unsigned open_files(void)
{
  DIR *directory = opendir("/proc/self/fd");
  unsigned count = 0;
  while (readdir(directory) != NULL)
    count++;
  closedir(directory);
  return count;
}

static int create(const struct shunt_region_options *options, struct shunt_region **region,
                  struct shunt_error *error)
{
  struct region_system system = machine_system();
  return region_create(&system, options, region, error);
}

/* Expect failure, with nothing left behind and a text in the error. */
static void assert_refused(const struct shunt_region_options *options, int code, const char *text)
{
  struct shunt_region *region = (struct shunt_region *)&machine;
  struct shunt_error error = {0};
  unsigned files = open_files();
  assert_int_equal(create(options, &region, &error), code);
  assert_int_equal(error.code, code);
  assert_ptr_equal(region, &machine);
  assert_int_equal(open_files(), files);
  char whole[1024];
  shunt_error_format(&error, whole, sizeof whole);
  if (strstr(whole, text) == NULL)
    fail_msg("\"%s\" is not in:\n%s", text, whole);
  assert_int_equal(create(options, &region, NULL), code);
}

#define OPTIONS_ON(node, ...)                                                                      \
  (&(struct shunt_region_options){                                                                 \
      .size = sizeof(struct shunt_region_options), .numa_node = (node), __VA_ARGS__})
#define OPTIONS(...) OPTIONS_ON(SHUNT_NUMA_ANY, __VA_ARGS__)

/* ---- On this machine ---- */

static void this_machine_grants_the_defaults(void **state)
{
  (void)state;
  struct shunt_region *region;
  struct shunt_error error;
  assert_int_equal(shunt_region_create(NULL, &region, &error), 0);
  assert_int_equal(shunt_region_bytes(region), 16 * MIB);
  assert_int_equal(shunt_region_buf_bytes(region), 2048);
  assert_int_equal((uintptr_t)shunt_region_base(region) % SHUNT_REGION_ALIGN_BYTES, 0);
  assert_int_equal(strncmp(shunt_region_describe(region), "16 MiB in ", 10), 0);
  memset(shunt_region_base(region), 0xA5, shunt_region_bytes(region));
  shunt_region_destroy(region);
}

static void this_machine_knows_its_first_node(void **state)
{
  (void)state;
  struct shunt_region *region;
  struct shunt_error error;
  assert_int_equal(shunt_region_create(OPTIONS_ON(0, .bytes = 1), &region, &error), 0);
  if (access("/sys/devices/system/node/node0", F_OK) == 0)
    assert_int_equal(shunt_region_numa_node(region), 0);
  else
    assert_int_equal(shunt_region_numa_node(region), SHUNT_NUMA_ANY);
  shunt_region_destroy(region);
  assert_int_equal(
      shunt_region_create(OPTIONS_ON(1023, .bytes = 1, .numa_required = 1), &region, &error) < 0,
      1);
  assert_non_null(strstr(error.what, "NUMA node 1023"));
}

static void another_process_can_map_but_not_cut_it(void **state)
{
  (void)state;
  struct shunt_region *region;
  assert_int_equal(shunt_region_create(OPTIONS(.bytes = 1), &region, NULL), 0);
  assert_int_equal(shunt_region_bytes(region), 2 * MIB);
  int fd = shunt_region_fd(region);
  uint8_t *again = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert_ptr_not_equal(again, MAP_FAILED);
  ((uint8_t *)shunt_region_base(region))[12345] = 42;
  assert_int_equal(again[12345], 42);
  munmap(again, 2 * MIB);
  assert_int_equal(ftruncate(fd, 4096), -1);
  assert_int_equal(errno, EPERM);
  shunt_region_destroy(region);
}

static void nothing_is_no_error_to_destroy(void **state)
{
  (void)state;
  shunt_region_destroy(NULL);
}

/* ---- Options ---- */

static void wrong_options_are_refused_with_the_rule(void **state)
{
  (void)state;
  assert_refused(OPTIONS(.buf_bytes = 128), -EINVAL, "256..65536");
  assert_refused(OPTIONS(.buf_bytes = 3000), -EINVAL, "a power of two");
  assert_refused(OPTIONS(.buf_bytes = 131072), -EINVAL, "256..65536");
  assert_refused(OPTIONS(.bytes = 256 * GIB + 1), -EINVAL, "at most 256 GiB");
  assert_refused(OPTIONS(.bytes = UINT64_MAX), -EINVAL, "at most 256 GiB");
  assert_refused(OPTIONS(.pages = (enum shunt_pages)4), -EINVAL, "SHUNT_PAGES_");
  assert_refused(OPTIONS_ON(-2, .bytes = 0), -EINVAL, "SHUNT_NUMA_ANY");
  assert_refused(OPTIONS_ON(1024, .bytes = 0), -EINVAL, "0..1023");
  assert_refused(&(struct shunt_region_options){0}, -EINVAL, "size");
  assert_int_equal(machine.creates, 0);
}

static void options_of_an_older_caller_are_completed(void **state)
{
  (void)state;
  struct shunt_region_options older = {.size = offsetof(struct shunt_region_options, buf_bytes),
                                       .bytes = 3 * MIB,
                                       .buf_bytes = 77,
                                       .numa_node = 99};
  struct shunt_region *region;
  machine.huge_errno = ENOENT;
  assert_int_equal(create(&older, &region, NULL), 0);
  assert_int_equal(shunt_region_bytes(region), 4 * MIB);
  assert_int_equal(shunt_region_buf_bytes(region), 2048);
  assert_int_equal(machine.binds, 0);
  shunt_region_destroy(region);
}

/* ---- Page sizes ---- */

static void huge_pages_are_taken_where_they_are_free(void **state)
{
  (void)state;
  struct shunt_region *region;
  assert_int_equal(create(OPTIONS(.bytes = 3 * MIB), &region, NULL), 0);
  assert_int_equal(shunt_region_page_bytes(region), 2 * MIB);
  assert_int_equal(shunt_region_bytes(region), 4 * MIB);
  assert_true(region_is_locked(region));
  assert_int_equal(machine.locks, 0);
  assert_int_equal(machine.creates, 1);
  assert_string_equal(shunt_region_describe(region), "4 MiB in 2 MiB pages on NUMA node 0");
  shunt_region_destroy(region);
}

static void a_gigantic_page_is_not_spent_on_a_small_region(void **state)
{
  (void)state;
  struct shunt_region *region;
  assert_int_equal(create(OPTIONS(.bytes = GIB), &region, NULL), 0);
  assert_int_equal(shunt_region_page_bytes(region), GIB);
  assert_int_equal((uintptr_t)shunt_region_base(region) % GIB, 0);
  shunt_region_destroy(region);
  assert_int_equal(create(OPTIONS(.bytes = GIB - 1), &region, NULL), 0);
  assert_int_equal(shunt_region_page_bytes(region), 2 * MIB);
  shunt_region_destroy(region);
}

static void what_was_done_without_is_described(void **state)
{
  (void)state;
  struct shunt_region *region;
  machine.huge_errno = ENOMEM;
  assert_int_equal(create(OPTIONS(.pages = SHUNT_PAGES_1G), &region, NULL), 0);
  assert_int_equal(shunt_region_page_bytes(region), 4096);
  assert_int_equal(machine.creates, 3);
  char expected[512];
  snprintf(expected, sizeof expected,
           "16 MiB in 4 KiB pages on NUMA node 0 (no 1 GiB pages: 0 of 0 are free, 1 more are "
           "needed: echo 1 > %s/hugepages/hugepages-1048576kB/nr_hugepages, best at boot "
           "(hugepagesz=1G); no 2 MiB pages: 1 of 4 are free, 7 more are needed: echo 11 > "
           "/proc/sys/vm/nr_hugepages)",
           machine.tree);
  assert_string_equal(shunt_region_describe(region), expected);
  shunt_region_destroy(region);
}

static void required_pages_that_are_missing_fail_with_the_remedy(void **state)
{
  (void)state;
  machine.map_errno = ENOMEM;
  assert_refused(OPTIONS(.pages = SHUNT_PAGES_2M, .pages_required = 1), -ENOMEM,
                 "echo 11 > /proc/sys/vm/nr_hugepages");
  assert_refused(OPTIONS_ON(1, .pages = SHUNT_PAGES_2M, .pages_required = 1, .numa_required = 1),
                 -ENOMEM, "node/node1/hugepages/hugepages-2048kB/nr_hugepages");
  assert_refused(OPTIONS(.pages = SHUNT_PAGES_2M, .pages_required = 1, .bytes = 2 * MIB), -ENOMEM,
                 "1 of 4 are free, yet the kernel refused");
}

static void a_kernel_without_huge_pages_says_so(void **state)
{
  (void)state;
  assert_int_equal(tear_down(NULL), 0);
  machine.huge_errno = EINVAL;
  assert_refused(OPTIONS(.pages = SHUNT_PAGES_2M, .pages_required = 1), -ENOMEM,
                 "CONFIG_HUGETLBFS");
  assert_refused(OPTIONS(.pages = SHUNT_PAGES_1G, .pages_required = 1), -ENOMEM, "hugepagesz=1G");
}

static void pages_that_vanish_before_they_are_touched_are_an_error(void **state)
{
  (void)state;
  struct shunt_region *region;
  machine.populate_errno = EFAULT;
  machine.populate_failures = 1;
  assert_int_equal(create(OPTIONS(.bytes = 4 * MIB), &region, NULL), 0);
  assert_int_equal(shunt_region_page_bytes(region), 4096);
  assert_non_null(
      strstr(shunt_region_describe(region), "(no 2 MiB pages: 1 of 4 are free, 1 more"));
  shunt_region_destroy(region);

  machine.populate_failures = UINT32_MAX;
  assert_refused(OPTIONS(.pages = SHUNT_PAGES_4K), -ENOMEM, "free memory");
  machine.populate_errno = EINVAL;
  assert_refused(OPTIONS(.pages = SHUNT_PAGES_4K), -ENOMEM, "Linux 5.14");
}

/* ---- Locking ---- */

static void ordinary_pages_are_locked(void **state)
{
  (void)state;
  struct shunt_region *region;
  assert_int_equal(create(OPTIONS(.pages = SHUNT_PAGES_4K), &region, NULL), 0);
  assert_int_equal(machine.locks, 1);
  assert_true(region_is_locked(region));
  assert_string_equal(shunt_region_describe(region), "16 MiB in 4 KiB pages on NUMA node 0");
  shunt_region_destroy(region);
}

static void without_the_right_to_lock_it_goes_on_and_says_so(void **state)
{
  (void)state;
  struct shunt_region *region;
  machine.lock_errno = ENOMEM;
  assert_int_equal(create(OPTIONS(.pages = SHUNT_PAGES_4K), &region, NULL), 0);
  assert_false(region_is_locked(region));
  assert_non_null(strstr(shunt_region_describe(region), "not locked (RLIMIT_MEMLOCK is"));
  shunt_region_destroy(region);
  assert_refused(OPTIONS(.pages = SHUNT_PAGES_4K, .pages_required = 1), -EPERM, "CAP_IPC_LOCK");
}

/* ---- NUMA ---- */

static void the_node_is_asked_for_before_pages_are_there(void **state)
{
  (void)state;
  struct shunt_region *region;
  machine.node = machine.node_of_last_page = 1;
  assert_int_equal(create(OPTIONS_ON(1, .bytes = 2 * MIB), &region, NULL), 0);
  assert_true(machine.bound_first);
  assert_int_equal(machine.bound_node, 1);
  assert_false(machine.bound_strictly);
  assert_int_equal(shunt_region_numa_node(region), 1);
  assert_string_equal(shunt_region_describe(region), "2 MiB in 2 MiB pages on NUMA node 1");
  shunt_region_destroy(region);
}

static void memory_of_another_node_is_described_or_refused(void **state)
{
  (void)state;
  struct shunt_region *region;
  assert_int_equal(create(OPTIONS_ON(1, .bytes = 0), &region, NULL), 0);
  assert_int_equal(shunt_region_numa_node(region), 0);
  assert_non_null(
      strstr(shunt_region_describe(region), "on NUMA node 0, not all on node 1 as asked for"));
  shunt_region_destroy(region);
  assert_refused(OPTIONS_ON(1, .numa_required = 1), -ENOMEM, "it is on node 0");
  assert_true(machine.bound_strictly);
}

static void every_page_counts(void **state)
{
  (void)state;
  struct shunt_region *region;
  const struct shunt_region_options *options =
      OPTIONS_ON(0, .pages = SHUNT_PAGES_4K, .bytes = 2 * MIB);
  machine.node_of_last_page = 1;
  assert_int_equal(create(options, &region, NULL), 0);
  assert_int_equal(machine.pages_asked, 512);
  assert_int_equal(shunt_region_numa_node(region), SHUNT_NUMA_ANY);
  shunt_region_destroy(region);
  struct shunt_region_options strict = *options;
  strict.numa_required = 1;
  assert_refused(&strict, -ENOMEM, "several nodes");
}

static void a_kernel_without_numa_is_fine_unless_a_node_is_required(void **state)
{
  (void)state;
  struct shunt_region *region;
  machine.node = -1;
  machine.bind_errno = ENOSYS;
  assert_int_equal(create(OPTIONS_ON(0, .bytes = 0), &region, NULL), 0);
  assert_int_equal(shunt_region_numa_node(region), SHUNT_NUMA_ANY);
  shunt_region_destroy(region);
  assert_refused(OPTIONS_ON(0, .numa_required = 1), -ENOMEM, "has_memory");
  machine.bind_errno = EINVAL;
  assert_refused(OPTIONS_ON(7, .numa_required = 1), -EINVAL, "NUMA node 7");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(this_machine_grants_the_defaults),
      cmocka_unit_test(this_machine_knows_its_first_node),
      cmocka_unit_test(another_process_can_map_but_not_cut_it),
      cmocka_unit_test(nothing_is_no_error_to_destroy),
      cmocka_unit_test_setup_teardown(wrong_options_are_refused_with_the_rule, set_up, tear_down),
      cmocka_unit_test_setup_teardown(options_of_an_older_caller_are_completed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(huge_pages_are_taken_where_they_are_free, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_gigantic_page_is_not_spent_on_a_small_region, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(what_was_done_without_is_described, set_up, tear_down),
      cmocka_unit_test_setup_teardown(required_pages_that_are_missing_fail_with_the_remedy, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(a_kernel_without_huge_pages_says_so, set_up, tear_down),
      cmocka_unit_test_setup_teardown(pages_that_vanish_before_they_are_touched_are_an_error,
                                      set_up, tear_down),
      cmocka_unit_test_setup_teardown(ordinary_pages_are_locked, set_up, tear_down),
      cmocka_unit_test_setup_teardown(without_the_right_to_lock_it_goes_on_and_says_so, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(the_node_is_asked_for_before_pages_are_there, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(memory_of_another_node_is_described_or_refused, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(every_page_counts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_kernel_without_numa_is_fine_unless_a_node_is_required,
                                      set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
