/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/pci/address.h"

static char tree[64];

static void run(const char *form, const char *argument)
{
  char command[256];
  snprintf(command, sizeof command, "cd %s && ", tree);
  size_t used = strlen(command);
  snprintf(command + used, sizeof command - used, "%s %s", form, argument);
  assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
  (void)state;
  strcpy(tree, "/tmp/shunt-address-XXXXXX");
  if (mkdtemp(tree) == NULL)
    return -1;
  run("mkdir -p", "bus/pci/devices/0000:03:00.0 bus/pci/devices/0000:03:00.1");
  run("mkdir -p", "bus/pci/devices/0000:05:00.0 bus/pci/devices/10000:e1:00.0");
  run("mkdir -p", "bus/pci/devices/0000:00:1f.6 bus/pci/devices/0000:ff:1f.7 drivers/ixgbe");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  char command[96];
  snprintf(command, sizeof command, "rm -rf %s", tree);
  return system(command);
}

static void addresses_are_written_as_sysfs_does(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {
      {"0000:03:00.0", "0000:03:00.0"},   {"03:00.0", "0000:03:00.0"},
      {"3:0.0", "0000:03:00.0"},          {"AB:1F.7", "0000:ab:1f.7"},
      {"10000:e1:00.0", "10000:e1:00.0"}, {"ffffffff:ff:1f.7", "ffffffff:ff:1f.7"},
      {"0:0:0.0", "0000:00:00.0"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    char address[PCI_ADDRESS_BYTES];
    assert_int_equal(address_parse(pairs[i][0], address, NULL), 0);
    assert_string_equal(address, pairs[i][1]);
  }
}

static void what_is_no_address_is_refused(void **state)
{
  (void)state;
  static const char *const wrong[] = {
      "",
      "03",
      "03:00",
      "03:00.",
      "03:00.8",
      "03:20.0",
      "103:00.0",
      "03:00.00",
      "0000:03:00.0 ",
      " 03:00.0",
      "03:00.0:",
      ":03:00.0",
      "g3:00.0",
      "-3:00.0",
      "0x3:00.0",
      "+3:00.0",
      "1:2:3:4.0",
      "eth0",
      "123456789:03:00.0",
      "0000:03:00.0/../x",
      "03:00.0\n",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char address[PCI_ADDRESS_BYTES];
    struct shunt_error error = {0};
    if (address_parse(wrong[i], address, &error) != -EINVAL)
      fail_msg("\"%s\" was taken as %s", wrong[i], address);
    assert_non_null(strstr(error.remedy, "0000:03:00.0"));
  }
}

static void a_missing_device_names_its_neighbours(void **state)
{
  (void)state;
  char address[PCI_ADDRESS_BYTES];
  struct shunt_error error;
  assert_int_equal(address_find(tree, "03:00.1", address, &error), 0);
  assert_string_equal(address, "0000:03:00.1");
  assert_int_equal(address_find(tree, "04:00.0", address, &error), -ENODEV);
  assert_non_null(strstr(error.what, "0000:04:00.0"));
  assert_non_null(strstr(error.why, ": 0000:03:00.1 "));
  assert_non_null(strstr(error.why, "0000:03:00.0"));
  assert_non_null(strstr(error.why, "0000:05:00.0"));
  assert_null(strstr(error.why, "10000:e1:00.0"));
  assert_int_equal(address_find(tree, "nonsense", address, &error), -EINVAL);
}

static void a_machine_without_pci_says_so(void **state)
{
  (void)state;
  char address[PCI_ADDRESS_BYTES];
  struct shunt_error error;
  assert_int_equal(address_find("/nowhere", "04:00.0", address, &error), -ENODEV);
  assert_non_null(strstr(error.remedy, "no PCI bus"));
  run("rm -rf", "bus/pci/devices/*");
  assert_int_equal(address_find(tree, "04:00.0", address, &error), -ENODEV);
  assert_non_null(strstr(error.why, "is empty"));
}

static void links_give_their_last_part(void **state)
{
  (void)state;
  char name[PCI_NAME_BYTES];
  run("ln -s", "../../../../drivers/ixgbe bus/pci/devices/0000:03:00.0/driver");
  assert_int_equal(address_link(tree, "0000:03:00.0", "driver", name), 0);
  assert_string_equal(name, "ixgbe");
  assert_int_equal(address_link(tree, "0000:03:00.1", "driver", name), -ENOENT);
  assert_string_equal(name, "");
}

static void numbers_are_decimal_or_hexadecimal(void **state)
{
  (void)state;
  long value = 77;
  run("echo 0x8086 >", "bus/pci/devices/0000:03:00.0/vendor");
  run("echo -1 >", "bus/pci/devices/0000:03:00.0/numa_node");
  run("echo rubbish >", "bus/pci/devices/0000:03:00.0/device");
  assert_int_equal(address_number(tree, "0000:03:00.0", "vendor", &value), 0);
  assert_int_equal(value, 0x8086);
  assert_int_equal(address_number(tree, "0000:03:00.0", "numa_node", &value), 0);
  assert_int_equal(value, -1);
  assert_int_equal(address_number(tree, "0000:03:00.0", "device", &value), -EINVAL);
  assert_int_equal(address_number(tree, "0000:03:00.0", "class", &value), -ENOENT);
  assert_int_equal(value, -1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses_are_written_as_sysfs_does),
      cmocka_unit_test(what_is_no_address_is_refused),
      cmocka_unit_test_setup_teardown(a_missing_device_names_its_neighbours, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_machine_without_pci_says_so, set_up, tear_down),
      cmocka_unit_test_setup_teardown(links_give_their_last_part, set_up, tear_down),
      cmocka_unit_test_setup_teardown(numbers_are_decimal_or_hexadecimal, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
