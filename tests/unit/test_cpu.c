/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shunt/cpu.h"
#include "src/core/sysfs.h"

/* ---- A machine of our own ---- */

static char root[] = "/tmp/shunt-test-cpu-XXXXXX";

static void make_directory(const char *path)
{
  char whole[512];
  snprintf(whole, sizeof whole, "%s/%s", root, path);
  for (char *slash = strchr(whole + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    (void)mkdir(whole, 0755);
    *slash = '/';
  }
  assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
}

static void make_file(const char *path, const char *text)
{
  char whole[512];
  snprintf(whole, sizeof whole, "%s/%s", root, path);
  FILE *file = fopen(whole, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static int make_machine(void **state)
{
  (void)state;
  if (mkdtemp(root) == NULL)
    return -1;
  make_directory("devices/system/cpu/cpu0/node0");
  make_directory("devices/system/cpu/cpu5/node3");
  make_directory("devices/system/cpu/cpu5/nodes");
  make_directory("devices/system/cpu/cpu6");
  make_file("devices/system/cpu/online", "0-7\n");
  make_file("devices/system/cpu/isolated", "\n");
  make_directory("bus/pci/devices/0000:03:00.0");
  make_directory("bus/pci/devices/0000:04:00.1");
  make_file("bus/pci/devices/0000:03:00.0/numa_node", "1\n");
  make_file("bus/pci/devices/0000:04:00.1/numa_node", "-1\n");
  return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
  (void)status;
  (void)type;
  (void)walk;
  return remove(path);
}

static int remove_machine(void **state)
{
  (void)state;
  return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- Sets ---- */

static void assert_list(const char *text, const char *same)
{
  struct shunt_cpu_set set;
  char list[256];
  assert_int_equal(shunt_cpu_set_parse(text, &set), 0);
  size_t length = shunt_cpu_set_format(&set, list, sizeof list);
  assert_string_equal(list, same);
  assert_int_equal(length, strlen(same));
}

static void lists_are_read_and_written(void **state)
{
  (void)state;
  assert_list("", "");
  assert_list("\n", "");
  assert_list("0", "0");
  assert_list("0-3,8", "0-3,8");
  assert_list("8,0-3\n", "0-3,8");
  assert_list("1,2,3,62-65", "1-3,62-65");
  assert_list("1023", "1023");
  assert_list("0-1023", "0-1023");

  struct shunt_cpu_set set;
  assert_int_equal(shunt_cpu_set_parse("0-3,8", &set), 0);
  assert_int_equal(shunt_cpu_set_count(&set), 5);
  assert_true(shunt_cpu_set_has(&set, 3));
  assert_false(shunt_cpu_set_has(&set, 4));
  assert_false(shunt_cpu_set_has(&set, 1024));
  assert_false(shunt_cpu_set_has(&set, UINT32_MAX));
}

static void what_is_no_list_is_refused(void **state)
{
  (void)state;
  static const char *const wrong[] = {",", "0,", "a", "3-1", "1-", "-1", "1 2", "0-3;", "1,,2"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct shunt_cpu_set set;
    assert_int_equal(shunt_cpu_set_parse(wrong[i], &set), -EINVAL);
    assert_int_equal(shunt_cpu_set_count(&set), 0);
  }
  struct shunt_cpu_set set;
  assert_int_equal(shunt_cpu_set_parse("0-1,1024", &set), -ERANGE);
  assert_int_equal(shunt_cpu_set_count(&set), 2);
  assert_int_equal(shunt_cpu_set_parse("1020-99999999999999999999999", &set), -ERANGE);
  assert_int_equal(shunt_cpu_set_count(&set), 4);
}

static void a_list_that_does_not_fit_is_cut(void **state)
{
  (void)state;
  struct shunt_cpu_set set;
  assert_int_equal(shunt_cpu_set_parse("0-3,8,100", &set), 0);
  char list[7];
  assert_int_equal(shunt_cpu_set_format(&set, list, sizeof list), 9);
  assert_string_equal(list, "0-3,8,");
  assert_int_equal(shunt_cpu_set_format(&set, NULL, 0), 9);
}

/* ---- What there is ---- */

static void cpus_are_read_from_sysfs(void **state)
{
  (void)state;
  struct shunt_cpu_set set;
  struct shunt_error error = {0};
  assert_int_equal(shunt_cpu_online(root, &set, &error), 0);
  assert_int_equal(shunt_cpu_set_count(&set), 8);
  assert_int_equal(shunt_cpu_isolated(root, &set, &error), 0);
  assert_int_equal(shunt_cpu_set_count(&set), 0);
  make_file("devices/system/cpu/isolated", "4-5\n");
  assert_int_equal(shunt_cpu_isolated(root, &set, &error), 0);
  assert_true(shunt_cpu_set_has(&set, 4) && shunt_cpu_set_has(&set, 5));

  make_file("devices/system/cpu/isolated", "rubbish\n");
  assert_int_equal(shunt_cpu_isolated(root, &set, &error), -EINVAL);
  assert_non_null(strstr(error.why, "rubbish"));
  assert_int_equal(shunt_cpu_online("/nowhere", &set, &error), -ENOENT);
  assert_non_null(strstr(error.what, "/nowhere/devices/system/cpu/online"));
  assert_int_equal(shunt_cpu_set_count(&set), 0);

  assert_int_equal(shunt_cpu_online(NULL, &set, &error), 0);
  assert_true(shunt_cpu_set_count(&set) > 0);
}

static void a_cpu_has_a_node(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  int node = 77;
  assert_int_equal(shunt_cpu_numa_node(root, 0, &node, &error), 0);
  assert_int_equal(node, 0);
  assert_int_equal(shunt_cpu_numa_node(root, 5, &node, &error), 0);
  assert_int_equal(node, 3);
  assert_int_equal(shunt_cpu_numa_node(root, 6, &node, &error), 0);
  assert_int_equal(node, -1);
  assert_int_equal(shunt_cpu_numa_node(root, 7, &node, &error), -ENODEV);
  assert_int_equal(error.code, -ENODEV);
}

static void a_card_has_a_node(void **state)
{
  (void)state;
  static const char *const wrong[] = {"", "03:00.0", "0000:03:00.0/..", "../../../../etc",
                                      "0000:03:00,0"};
  struct shunt_error error = {0};
  int node = 77;
  assert_int_equal(shunt_pci_numa_node(root, "0000:03:00.0", &node, &error), 0);
  assert_int_equal(node, 1);
  assert_int_equal(shunt_pci_numa_node(root, "0000:04:00.1", &node, &error), 0);
  assert_int_equal(node, -1);
  assert_int_equal(shunt_pci_numa_node(root, "0000:05:00.0", &node, &error), -ENODEV);
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_int_equal(shunt_pci_numa_node(root, wrong[i], &node, &error), -EINVAL);
  make_file("bus/pci/devices/0000:04:00.1/numa_node", "one\n");
  assert_int_equal(shunt_pci_numa_node(root, "0000:04:00.1", &node, &error), -EINVAL);
}

static void small_files_are_read_whole_or_not_at_all(void **state)
{
  (void)state;
  char path[512];
  char text[8];
  int number;
  snprintf(path, sizeof path, "%s/file", root);
  make_file("file", "1234567");
  assert_int_equal(sysfs_read(path, text, sizeof text), 0);
  assert_string_equal(text, "1234567");
  make_file("file", "12345678");
  assert_int_equal(sysfs_read(path, text, sizeof text), -E2BIG);
  assert_string_equal(text, "");
  assert_int_equal(sysfs_read(path, text, 0), -E2BIG);
  make_file("file", " \n");
  assert_int_equal(sysfs_read(path, text, sizeof text), 0);
  assert_string_equal(text, "");
  assert_int_equal(sysfs_read_int(path, &number), -EINVAL);
  make_file("file", "99999999999\n");
  assert_int_equal(sysfs_read_int(path, &number), -EINVAL);
  assert_int_equal(sysfs_read(root, text, sizeof text), -EISDIR);
}

/* ---- Pinning ---- */

static void a_thread_is_pinned_to_a_cpu_it_may_run_on(void **state)
{
  (void)state;
  cpu_set_t before;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  unsigned last = 0;
  for (unsigned cpu = 0; cpu < SHUNT_CPU_MAX; cpu++) {
    if (CPU_ISSET(cpu, &before))
      last = cpu;
  }
  struct shunt_error error = {0};
  assert_int_equal(shunt_cpu_pin(last, &error), 0);
  assert_int_equal(sched_getcpu(), last);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

static void a_cpu_that_is_not_there_is_named(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  static const unsigned wrong[] = {SHUNT_CPU_MAX - 1, SHUNT_CPU_MAX, UINT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_int_equal(shunt_cpu_pin(wrong[i], &error), -EINVAL);
    assert_non_null(strstr(error.why, "no such CPU"));
    assert_non_null(strstr(error.remedy, "choose"));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lists_are_read_and_written),
      cmocka_unit_test(what_is_no_list_is_refused),
      cmocka_unit_test(a_list_that_does_not_fit_is_cut),
      cmocka_unit_test(cpus_are_read_from_sysfs),
      cmocka_unit_test(a_cpu_has_a_node),
      cmocka_unit_test(a_card_has_a_node),
      cmocka_unit_test(small_files_are_read_whole_or_not_at_all),
      cmocka_unit_test(a_thread_is_pinned_to_a_cpu_it_may_run_on),
      cmocka_unit_test(a_cpu_that_is_not_there_is_named),
  };
  return cmocka_run_group_tests(tests, make_machine, remove_machine);
}
