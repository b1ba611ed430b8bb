/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree reacts to what is written to it as the kernel would: binding can be followed to its end,
 * and made to fail on its way. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/file.h>

#include <cmocka.h>

#include "pci_tree.h"
#include "src/pci/bind.h"

#define CARD    "0000:03:00.0"
#define DEVICES "bus/pci/devices/"
#define DRIVERS "bus/pci/drivers/"

/* ---- A kernel ---- */

static struct kernel {
  const char *refuses;    /* a driver that takes nothing */
  const char *fails_file; /* writing to this file fails so */
  int fails_code;
  const char *natural; /* the driver that takes the card when there is no override */
  char log[1024];      /* every write, as "file=text;" */
} kernel;

static void take_card(const char *driver)
{
  char target[128];
  if (kernel.refuses != NULL && strcmp(kernel.refuses, driver) == 0)
    return;
  snprintf(target, sizeof target, DRIVERS "%s", driver);
  if (access(tree_path(target), F_OK) == 0)
    tree_link(DEVICES CARD "/driver", target);
}

static int kernel_write(void *context, const char *path, const char *text)
{
  assert_ptr_equal(context, &kernel);
  const char *file = path + strlen(tree) + 1;
  size_t used = strlen(kernel.log);
  snprintf(kernel.log + used, sizeof kernel.log - used, "%s=%s;", file,
           strcmp(text, "\n") == 0 ? "" : text);
  if (kernel.fails_file != NULL && strcmp(kernel.fails_file, file) == 0)
    return kernel.fails_code;
  if (strcmp(file, DEVICES CARD "/driver_override") == 0) {
    tree_put(file, text);
    return 0;
  }
  assert_string_equal(text, CARD);
  char override[PCI_NAME_BYTES];
  snprintf(override, sizeof override, "%s", tree_get(DEVICES CARD "/driver_override"));
  bool is_free = access(tree_path(DEVICES CARD "/driver"), F_OK) != 0;
  if (strcmp(file, DEVICES CARD "/driver/unbind") == 0)
    return unlink(tree_path(DEVICES CARD "/driver")) == 0 ? 0 : -ENODEV;
  if (strcmp(file, "bus/pci/drivers_probe") == 0) {
    if (is_free && (override[0] != '\n' || kernel.natural != NULL))
      take_card(override[0] == '\n' ? kernel.natural : override);
    return 0;
  }
  if (strcmp(file, DRIVERS "ixgbe/bind") == 0) {
    if (!is_free || override[0] != '\n')
      return -ENODEV;
    take_card("ixgbe");
    return 0;
  }
  fail_msg("nobody writes to %s", file);
  return 0;
}

static const struct bind_system bind_system = {.context = &kernel, .write = kernel_write};
static struct shunt_pci_options options;

static int take(const char *driver, uint32_t flags, struct shunt_error *error)
{
  kernel.log[0] = '\0';
  return bind_take(CARD, driver, flags, &options, &bind_system, error);
}

static int give_back(struct shunt_error *error)
{
  kernel.log[0] = '\0';
  return bind_give_back(CARD, &options, &bind_system, error);
}

static const char *driver_now(void)
{
  static char name[PCI_NAME_BYTES];
  address_link(tree, CARD, "driver", name);
  return name;
}

/* An interface on the card, or (with no card) a virtual one. */
static void add_interface(const char *name, bool on_card)
{
  char path[256], target[128];
  snprintf(target, sizeof target, on_card ? DEVICES CARD "/net/%s" : "virtual/net/%s", name);
  snprintf(path, sizeof path, "%s/carrier", target);
  tree_put(path, "1\n");
  snprintf(path, sizeof path, "class/net/%s", name);
  tree_link(path, target);
}

static int set_up(void **state)
{
  (void)state;
  static char proc[PATH_MAX], dev[PATH_MAX], run[PATH_MAX];
  if (tree_make() != 0)
    return -1;
  kernel = (struct kernel){.natural = "ixgbe"};
  snprintf(proc, sizeof proc, "%s/proc", tree);
  snprintf(dev, sizeof dev, "%s/dev", tree);
  snprintf(run, sizeof run, "%s/run/shunt/bind", tree);
  options = (struct shunt_pci_options){
      .size = sizeof options, .sys = tree, .proc = proc, .dev = dev, .run = run};
  tree_put(DEVICES CARD "/class", "0x020000\n");
  tree_put(DEVICES CARD "/vendor", "0x8086\n");
  tree_put(DEVICES CARD "/device", "0x10fb\n");
  tree_put(DEVICES CARD "/config", "\x86\x80");
  tree_put(DEVICES CARD "/driver_override", "(null)\n");
  tree_put(DRIVERS "ixgbe/uevent", "");
  tree_put(DRIVERS "vfio-pci/uevent", "");
  tree_link(DEVICES CARD "/driver", DRIVERS "ixgbe");
  tree_link(DEVICES CARD "/iommu_group", "kernel/iommu_groups/12");
  add_interface("eth4", true);
  add_interface("eth0", false);
  tree_put("proc/net/route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
                             "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
                             "eth4\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  return tree_remove();
}

/* ---- There and back ---- */

static void taken_by_vfio_and_given_back(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  assert_int_equal(take(NULL, 0, &error), 0);
  /* The override comes first, so that nobody else can take it in between. */
  assert_string_equal(kernel.log,
                      DEVICES CARD "/driver_override=vfio-pci;" DEVICES CARD "/driver/unbind=" CARD
                                   ";bus/pci/drivers_probe=" CARD ";");
  assert_string_equal(driver_now(), "vfio-pci");
  assert_string_equal(tree_get("run/shunt/bind/" CARD), "ixgbe");
  assert_int_equal(give_back(&error), 0);
  assert_string_equal(kernel.log,
                      DEVICES CARD "/driver_override=;" DEVICES CARD "/driver/unbind=" CARD
                                   ";" DRIVERS "ixgbe/bind=" CARD ";");
  assert_string_equal(driver_now(), "ixgbe");
  assert_int_not_equal(access(tree_path("run/shunt/bind/" CARD), F_OK), 0);
}

static void taken_by_nobody_and_given_back(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  assert_int_equal(take("none", 0, &error), 0);
  assert_string_equal(kernel.log, DEVICES CARD "/driver_override=none;" DEVICES CARD
                                               "/driver/unbind=" CARD ";");
  assert_string_equal(driver_now(), "");
  assert_int_equal(take("none", 0, &error), -EALREADY);
  assert_string_equal(kernel.log, "");
  assert_int_equal(give_back(&error), 0);
  assert_string_equal(driver_now(), "ixgbe");
}

static void the_first_driver_is_remembered_over_several_binds(void **state)
{
  (void)state;
  assert_int_equal(take("none", 0, NULL), 0);
  assert_int_equal(take("vfio-pci", 0, NULL), 0);
  assert_string_equal(driver_now(), "vfio-pci");
  assert_int_equal(take("none", 0, NULL), 0);
  assert_string_equal(tree_get("run/shunt/bind/" CARD), "ixgbe");
  assert_int_equal(give_back(NULL), 0);
  assert_string_equal(driver_now(), "ixgbe");
}

static void a_device_without_driver_is_given_back_to_nobody(void **state)
{
  (void)state;
  unlink(tree_path(DEVICES CARD "/driver"));
  assert_int_equal(take(NULL, 0, NULL), 0);
  assert_string_equal(tree_get("run/shunt/bind/" CARD), "none");
  assert_int_equal(give_back(NULL), 0);
  assert_string_equal(driver_now(), "");
}

static void a_forgotten_driver_is_left_to_the_kernel(void **state)
{
  (void)state;
  struct shunt_error error;
  assert_int_equal(take(NULL, 0, NULL), 0);
  unlink(tree_path("run/shunt/bind/" CARD));
  assert_int_equal(give_back(&error), 0);
  assert_non_null(strstr(kernel.log, "bus/pci/drivers_probe=" CARD));
  assert_string_equal(driver_now(), "ixgbe");

  assert_int_equal(take(NULL, 0, NULL), 0);
  unlink(tree_path("run/shunt/bind/" CARD));
  kernel.natural = NULL;
  assert_int_equal(give_back(&error), -ENODEV);
  assert_non_null(strstr(error.why, "forgotten"));
  assert_non_null(strstr(error.remedy, "modprobe"));
}

static void a_record_with_rubbish_is_not_followed(void **state)
{
  (void)state;
  assert_int_equal(take(NULL, 0, NULL), 0);
  tree_put("run/shunt/bind/" CARD, "../../../../tmp/x");
  assert_int_equal(give_back(NULL), 0);
  assert_non_null(strstr(kernel.log, "drivers_probe"));
  assert_string_equal(driver_now(), "ixgbe");
}

static void what_is_not_taken_is_not_given_back(void **state)
{
  (void)state;
  struct shunt_error error;
  assert_int_equal(give_back(&error), -EALREADY);
  assert_non_null(strstr(error.why, "ixgbe"));
  assert_string_equal(kernel.log, "");
}

static void a_driver_that_is_gone_is_named(void **state)
{
  (void)state;
  struct shunt_error error;
  assert_int_equal(take(NULL, 0, NULL), 0);
  unlink(tree_path(DRIVERS "ixgbe/uevent"));
  rmdir(tree_path(DRIVERS "ixgbe"));
  assert_int_equal(give_back(&error), -ENODEV);
  assert_string_equal(error.remedy, "load it: modprobe ixgbe");
  /* Nothing is lost: with the module loaded it works. */
  tree_put(DRIVERS "ixgbe/uevent", "");
  assert_int_equal(give_back(&error), 0);
  assert_string_equal(driver_now(), "ixgbe");
}

/* Through the public calls, on files that do not react: the writes land, and are found not to have
 * helped. */
static void the_public_calls_write_to_the_files(void **state)
{
  (void)state;
  struct shunt_error error;
  tree_put("bus/pci/drivers_probe", "");
  tree_put(DRIVERS "ixgbe/unbind", "");
  assert_int_equal(shunt_pci_bind("03:00.0", NULL, 0, &options, &error), -EIO);
  assert_non_null(strstr(error.why, "its driver is ixgbe now"));
  assert_string_equal(tree_get(DRIVERS "ixgbe/unbind"), CARD);
  assert_string_equal(tree_get("bus/pci/drivers_probe"), CARD);
  assert_int_equal(shunt_pci_unbind("03:00.0", &options, &error), -EALREADY);
  unlink(tree_path(DEVICES CARD "/driver_override"));
  assert_int_equal(shunt_pci_bind("03:00.0", NULL, 0, &options, &error), -ENOENT);
  assert_non_null(strstr(error.what, "driver_override"));
}

/* ---- Refusals ---- */

static void assert_refused(const char *driver, int code, const char *text)
{
  struct shunt_error error = {0};
  char whole[1024], before[PCI_NAME_BYTES];
  snprintf(before, sizeof before, "%s", driver_now());
  assert_int_equal(take(driver, 0, &error), code);
  assert_int_equal(error.code, code);
  shunt_error_format(&error, whole, sizeof whole);
  if (strstr(whole, text) == NULL)
    fail_msg("\"%s\" is not in:\n%s", text, whole);
  assert_string_equal(kernel.log, "");
  assert_string_equal(driver_now(), before);
}

static void wrong_words_are_refused(void **state)
{
  (void)state;
  struct shunt_error error;
  assert_refused("", -EINVAL, "no driver's name");
  assert_refused("../evil", -EINVAL, "no driver's name");
  assert_refused("..", -EINVAL, "no driver's name");
  assert_refused("a\nb", -EINVAL, "no driver's name");
  assert_refused("igb_uio", -ENODEV, "modprobe igb_uio");
  assert_refused("ixgbe", -EALREADY, "bound to ixgbe already");
  assert_int_equal(bind_take("03:00", NULL, 0, &options, &bind_system, &error), -EINVAL);
  assert_int_equal(bind_take("03:00.7", NULL, 0, &options, &bind_system, &error), -ENODEV);
  assert_non_null(strstr(error.why, CARD));
  assert_int_equal(bind_give_back("03:00.7", &options, &bind_system, &error), -ENODEV);
  struct shunt_pci_options no_size = {0};
  assert_int_equal(bind_take(CARD, NULL, 0, &no_size, &bind_system, &error), -EINVAL);
}

static void a_default_route_is_refused_unless_forced(void **state)
{
  (void)state;
  tree_put("proc/net/route", "Iface\tDestination\n"
                             "eth4\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
  assert_refused(NULL, -EBUSY, "leaves by eth4\n");
  assert_refused("none", -EBUSY, "--force");
  assert_int_equal(take(NULL, SHUNT_PCI_FORCE, NULL), 0);
  assert_string_equal(driver_now(), "vfio-pci");
}

static void a_route_that_is_not_the_default_does_no_harm(void **state)
{
  (void)state;
  /* Down, rejecting, to a network only, and a half of all addresses. */
  tree_put("proc/net/route", "eth4\t00000000\t00000000\t0000\t0\t0\t0\t00000000\t0\t0\t0\n"
                             "eth4\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n"
                             "eth4\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
                             "eth4\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"
                             "rubbish\n");
  assert_int_equal(take(NULL, 0, NULL), 0);
}

static void an_ipv6_default_route_counts_too(void **state)
{
  (void)state;
  static const char form[] = "fe800000000000000000000000000000 40 %s 00 %s 00000100 00000001 "
                             "00000000 00000001     eth4\n"
                             "%s 00 %s 00 %s 00000400 00000002 00000000 %s     %s\n";
  static const char zeros[] = "00000000000000000000000000000000";
  char text[512];
  snprintf(text, sizeof text, form, zeros, zeros, zeros, zeros, zeros, "00000003", "eth4");
  tree_put("proc/net/ipv6_route", text);
  assert_refused(NULL, -EBUSY, "leaves by eth4");
  /* The kernel's own "unreachable" is no route. */
  snprintf(text, sizeof text, form, zeros, zeros, zeros, zeros, zeros, "00200200", "eth4");
  tree_put("proc/net/ipv6_route", text);
  assert_int_equal(take(NULL, 0, NULL), 0);
}

static void a_route_above_a_bond_and_a_vlan_counts(void **state)
{
  (void)state;
  tree_put("proc/net/route", "bond0.7\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
  add_interface("bond0", false);
  add_interface("bond0.7", false);
  tree_link(DEVICES CARD "/net/eth4/upper_bond0", "virtual/net/bond0");
  tree_link("virtual/net/bond0/upper_bond0.7", "virtual/net/bond0.7");
  /* A circle, which no kernel makes, must not hang it. */
  tree_link("virtual/net/bond0.7/upper_bond0", "virtual/net/bond0");
  assert_refused(NULL, -EBUSY, "leaves by bond0.7, which stands on eth4");
}

static void a_disk_is_refused_unless_forced(void **state)
{
  (void)state;
  tree_put(DEVICES CARD "/class", "0x010802\n");
  assert_refused(NULL, -EINVAL, "0x010802");
  unlink(tree_path(DEVICES CARD "/class"));
  assert_refused(NULL, -EINVAL, "no network device");
  assert_int_equal(take(NULL, SHUNT_PCI_FORCE, NULL), 0);
}

static void no_iommu_group_is_refused_unless_the_unsafe_mode_is_on(void **state)
{
  (void)state;
  unlink(tree_path(DEVICES CARD "/iommu_group"));
  assert_refused(NULL, -EOPNOTSUPP, "shunt bind 0000:03:00.0 --driver none");
  tree_put("module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n");
  assert_refused(NULL, -EOPNOTSUPP, "intel_iommu=on");
  tree_put("module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
  assert_int_equal(take(NULL, 0, NULL), 0);
}

static void a_device_that_a_program_uses_is_left_alone(void **state)
{
  (void)state;
  struct shunt_error error;
  assert_int_equal(take("none", 0, NULL), 0);
  int fd = open(tree_path(DEVICES CARD "/config"), O_RDWR);
  assert_int_equal(flock(fd, LOCK_EX), 0);
  assert_refused("vfio-pci", -EBUSY, "fuser");
  assert_int_equal(give_back(&error), -EBUSY);
  assert_string_equal(kernel.log, "");
  close(fd);
  assert_int_equal(give_back(&error), 0);
}

/* ---- Failures on the way ---- */

static void a_driver_that_refuses_leaves_the_card_where_it_was(void **state)
{
  (void)state;
  struct shunt_error error;
  kernel.refuses = "vfio-pci";
  assert_int_equal(take(NULL, 0, &error), -EIO);
  assert_non_null(strstr(error.what, "can't bind 0000:03:00.0 to vfio-pci"));
  assert_non_null(strstr(error.why, "its driver is none now"));
  assert_non_null(strstr(error.remedy, "dmesg"));
  assert_string_equal(driver_now(), "ixgbe");
  assert_string_equal(tree_get(DEVICES CARD "/driver_override"), "\n");
  assert_int_not_equal(access(tree_path("run/shunt/bind/" CARD), F_OK), 0);
  /* From "none" it goes back to "none". */
  assert_int_equal(take("none", 0, NULL), 0);
  assert_int_equal(take(NULL, 0, NULL), -EIO);
  assert_string_equal(driver_now(), "");
  assert_string_equal(tree_get(DEVICES CARD "/driver_override"), "none");
  assert_int_equal(give_back(NULL), 0);
  assert_string_equal(driver_now(), "ixgbe");
}

static void writes_that_fail_are_reported_and_undone(void **state)
{
  (void)state;
  static const char *const files[] = {DEVICES CARD "/driver_override",
                                      DEVICES CARD "/driver/unbind", "bus/pci/drivers_probe"};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    struct shunt_error error = {0};
    kernel.fails_file = files[i];
    kernel.fails_code = -EACCES;
    assert_int_equal(take(NULL, 0, &error), -EPERM);
    assert_non_null(strstr(error.what, files[i]));
    assert_non_null(strstr(error.remedy, "root"));
    kernel.fails_code = -EBUSY;
    assert_int_equal(take(NULL, 0, &error), -EBUSY);
    kernel.fails_file = NULL;
    if (driver_now()[0] == '\0')
      take_card("ixgbe"); /* where the way back was blocked as well */
    assert_string_equal(driver_now(), "ixgbe");
  }
}

static void what_can_not_be_remembered_is_not_taken(void **state)
{
  (void)state;
  tree_put("run/shunt", "a file where the directory should be");
  assert_refused(NULL, -ENOTDIR, "can't remember the driver");
}

/* ---- Listing ---- */

struct seen {
  unsigned count, stop_after;
  struct shunt_pci_device devices[4];
};

static int see(void *context, const struct shunt_pci_device *device)
{
  struct seen *seen = context;
  assert_in_range(seen->count, 0, 3);
  seen->devices[seen->count++] = *device;
  return seen->count == seen->stop_after ? 42 : 0;
}

static void the_list_tells_what_is_known(void **state)
{
  (void)state;
  struct seen seen = {0};
  tree_put(DEVICES "0000:00:1f.0/class", "0x060100\n");
  tree_put(DEVICES "0000:00:1f.0/numa_node", "-1\n");
  tree_put(DEVICES "not-an-address/class", "0x020000\n");
  tree_put(DEVICES CARD "/numa_node", "1\n");
  tree_put(DEVICES CARD "/subsystem_vendor", "0x8086\n");
  tree_put(DEVICES CARD "/subsystem_device", "0x0003\n");
  tree_put(DEVICES CARD "/net/eth4/speed", "10000\n");
  tree_put("proc/net/route", "eth4\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
  tree_put("run/shunt/bind/" CARD, "mlx5_core");
  assert_int_equal(shunt_pci_list(&options, see, &seen, NULL), 0);
  assert_int_equal(seen.count, 2);
  const struct shunt_pci_device *bridge = &seen.devices[0], *card = &seen.devices[1];
  assert_string_equal(bridge->address, "0000:00:1f.0");
  assert_int_equal(bridge->class_code, 0x060100);
  assert_int_equal(bridge->iommu_group, -1);
  assert_string_equal(bridge->driver, "");
  assert_string_equal(bridge->interfaces, "");
  assert_string_equal(bridge->default_route, "");
  assert_string_equal(card->address, CARD);
  assert_int_equal(card->vendor, 0x8086);
  assert_int_equal(card->device, 0x10FB);
  assert_int_equal(card->subsystem_device, 3);
  assert_int_equal(card->iommu_group, 12);
  assert_int_equal(card->numa_node, 1);
  assert_string_equal(card->driver, "ixgbe");
  assert_string_equal(card->remembered, "mlx5_core");
  assert_string_equal(card->interfaces, "eth4");
  assert_string_equal(card->default_route, "eth4");
  assert_int_equal(card->link, 1);
  assert_int_equal(card->speed_mbps, 10000);

  seen = (struct seen){.stop_after = 1};
  assert_int_equal(shunt_pci_list(&options, see, &seen, NULL), 42);
  assert_int_equal(seen.count, 1);
}

static void a_machine_without_pci_is_an_error(void **state)
{
  (void)state;
  struct seen seen = {0};
  struct shunt_error error;
  struct shunt_pci_options nowhere = {.size = sizeof nowhere, .sys = "/nowhere"};
  assert_int_equal(shunt_pci_list(&nowhere, see, &seen, &error), -ENOENT);
  assert_non_null(strstr(error.what, "/nowhere/bus/pci/devices"));
  assert_int_equal(seen.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(taken_by_vfio_and_given_back),
      TEST(taken_by_nobody_and_given_back),
      TEST(the_first_driver_is_remembered_over_several_binds),
      TEST(a_device_without_driver_is_given_back_to_nobody),
      TEST(a_forgotten_driver_is_left_to_the_kernel),
      TEST(a_record_with_rubbish_is_not_followed),
      TEST(what_is_not_taken_is_not_given_back),
      TEST(a_driver_that_is_gone_is_named),
      TEST(the_public_calls_write_to_the_files),
      TEST(wrong_words_are_refused),
      TEST(a_default_route_is_refused_unless_forced),
      TEST(a_route_that_is_not_the_default_does_no_harm),
      TEST(an_ipv6_default_route_counts_too),
      TEST(a_route_above_a_bond_and_a_vlan_counts),
      TEST(a_disk_is_refused_unless_forced),
      TEST(no_iommu_group_is_refused_unless_the_unsafe_mode_is_on),
      TEST(a_device_that_a_program_uses_is_left_alone),
      TEST(a_driver_that_refuses_leaves_the_card_where_it_was),
      TEST(writes_that_fail_are_reported_and_undone),
      TEST(what_can_not_be_remembered_is_not_taken),
      TEST(the_list_tells_what_is_known),
      TEST(a_machine_without_pci_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
