/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking a device from its driver and giving it back, by sysfs:
 * Documentation/ABI/testing/sysfs-bus-pci (driver_override, bind, unbind, drivers_probe). */
#include "src/pci/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/pci.h"
#include "src/core/error_internal.h"
#include "src/core/sysfs.h"
#include "src/pci/route.h"

/* No driver has this name, so driver_override with it keeps every driver away. It is also what is
 * remembered of a device that had no driver. */
#define BIND_NOBODY "none"

/* One device on its way to another driver. */
struct bind {
  const struct bind_system *system;
  struct shunt_pci_options options;
  char address[PCI_ADDRESS_BYTES];
  char driver[PCI_NAME_BYTES];     /* who has it now; "" for nobody */
  char remembered[PCI_NAME_BYTES]; /* who had it before the first bind; "" where forgotten */
};

int bind_options(const struct shunt_pci_options *given, struct shunt_pci_options *options,
                 struct shunt_error *error)
{
  *options = (struct shunt_pci_options){0};
  if (given != NULL && given->size < sizeof given->size)
    return shunt_error_set(error, -EINVAL, "the options have no size");
  if (given != NULL)
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
  if (options->sys == NULL)
    options->sys = "/sys";
  if (options->proc == NULL)
    options->proc = "/proc";
  if (options->dev == NULL)
    options->dev = "/dev";
  if (options->run == NULL)
    options->run = "/run/shunt/bind";
  return 0;
}

/* ---- What is remembered ---- */

static void bind_record_path(const struct shunt_pci_options *options, const char *address,
                             char path[PCI_PATH_BYTES])
{
  snprintf(path, PCI_PATH_BYTES, "%s/%s", options->run, address);
}

void bind_recall(const struct shunt_pci_options *options, const char *address,
                 char driver[PCI_NAME_BYTES])
{
  char path[PCI_PATH_BYTES];
  bind_record_path(options, address, path);
  if (sysfs_read(path, driver, PCI_NAME_BYTES) < 0 || strchr(driver, '/') != NULL)
    driver[0] = '\0';
}

/* Make a directory and those above it. Whether that worked, the first file in it tells. */
static void bind_make_directory(const char *path)
{
  char part[PCI_PATH_BYTES];
  snprintf(part, sizeof part, "%s", path);
  for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(part, 0755);
    *slash = '/';
  }
  mkdir(part, 0755);
}

/* Remember the driver that the device had before the first of several binds. */
static int bind_remember(struct bind *bind, struct shunt_error *error)
{
  if (bind->remembered[0] != '\0')
    return 0;
  char path[PCI_PATH_BYTES];
  bind_make_directory(bind->options.run);
  bind_record_path(&bind->options, bind->address, path);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const char *name = bind->driver[0] != '\0' ? bind->driver : BIND_NOBODY;
  int code = fd < 0 || write(fd, name, strlen(name)) < 0 ? -errno : 0;
  if (fd >= 0)
    close(fd);
  if (code == 0)
    return 0;
  code = code == -EACCES ? -EPERM : code;
  error_set_errno(error, code, "can't remember the driver of %s in %s", bind->address, path);
  shunt_error_remedy(error, "run as root: sudo shunt bind %s", bind->address);
  return code;
}

static void bind_forget(const struct bind *bind)
{
  char path[PCI_PATH_BYTES];
  bind_record_path(&bind->options, bind->address, path);
  unlink(path);
}

/* ---- Writes to sysfs ---- */

static int bind_write(const struct bind *bind, const char *path, const char *text,
                      struct shunt_error *error)
{
  int code = bind->system->write(bind->system->context, path, text);
  if (code == 0)
    return 0;
  bool denied = code == -EACCES || code == -EPERM || code == -EROFS;
  error_set_errno(error, denied ? -EPERM : code, "can't write to %s", path);
  if (denied)
    shunt_error_remedy(error, "run as root, where /sys is mounted writable");
  return denied ? -EPERM : code;
}

static int bind_override(const struct bind *bind, const char *driver, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES];
  address_path(bind->options.sys, bind->address, "driver_override", path);
  return bind_write(bind, path, driver, error);
}

/* Take the device off the driver that has it now, if any does. */
static int bind_release(const struct bind *bind, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES], driver[PCI_NAME_BYTES];
  if (address_link(bind->options.sys, bind->address, "driver", driver) < 0)
    return 0;
  address_path(bind->options.sys, bind->address, "driver/unbind", path);
  return bind_write(bind, path, bind->address, error);
}

static int bind_probe(const struct bind *bind, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES];
  snprintf(path, sizeof path, "%s/bus/pci/drivers_probe", bind->options.sys);
  return bind_write(bind, path, bind->address, error);
}

static void bind_driver_path(const struct bind *bind, const char *driver, const char *file,
                             char path[PCI_PATH_BYTES])
{
  snprintf(path, PCI_PATH_BYTES, "%s/bus/pci/drivers/%s%s", bind->options.sys, driver, file);
}

/* Look whether the device is where it should be ("": with nobody). */
static int bind_verify(const struct bind *bind, const char *wanted, struct shunt_error *error)
{
  char driver[PCI_NAME_BYTES];
  address_link(bind->options.sys, bind->address, "driver", driver);
  if (strcmp(driver, wanted) == 0)
    return 0;
  shunt_error_set(error, -EIO, "%s was not taken by %s", bind->address,
                  wanted[0] != '\0' ? wanted : "nobody");
  shunt_error_why(error, "its driver is %s now", driver[0] != '\0' ? driver : "none");
  shunt_error_remedy(error, "the kernel's log says why: dmesg | grep %s", bind->address);
  return -EIO;
}

/* ---- Checks ---- */

static int bind_start(struct bind *bind, const char *address,
                      const struct shunt_pci_options *options, const struct bind_system *system,
                      struct shunt_error *error)
{
  *bind = (struct bind){.system = system};
  int code = bind_options(options, &bind->options, error);
  if (code < 0)
    return code;
  code = address_find(bind->options.sys, address, bind->address, error);
  if (code < 0)
    return code;
  address_link(bind->options.sys, bind->address, "driver", bind->driver);
  bind_recall(&bind->options, bind->address, bind->remembered);
  return 0;
}

/* Whether a program drives the device. Taking it away from a VFIO user would wait, without an end,
 * until that program closes it (drivers/vfio/vfio_main.c, vfio_unregister_group_dev). */
static int bind_check_use(const struct bind *bind, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES], group[PCI_NAME_BYTES];
  bool busy = false;
  if (strcmp(bind->driver, "vfio-pci") == 0 &&
      address_link(bind->options.sys, bind->address, "iommu_group", group) == 0) {
    snprintf(path, sizeof path, "%s/vfio/%s", bind->options.dev, group);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
      snprintf(path, sizeof path, "%s/vfio/noiommu-%s", bind->options.dev, group);
      fd = open(path, O_RDWR | O_CLOEXEC);
    }
    busy = fd < 0 && errno == EBUSY;
    if (fd >= 0)
      close(fd);
  } else {
    /* Our own sysfs back end locks what it uses. */
    address_path(bind->options.sys, bind->address, "config", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
      close(fd);
  }
  if (!busy)
    return 0;
  shunt_error_set(error, -EBUSY, "a program uses %s", bind->address);
  shunt_error_why(error, "%s is open elsewhere", path);
  shunt_error_remedy(error, "end it first; fuser -v %s says which", path);
  return -EBUSY;
}

static int bind_check_route(const struct bind *bind, struct shunt_error *error)
{
  struct route_interfaces interfaces;
  char carrier[IF_NAMESIZE];
  route_find_interfaces(bind->options.sys, bind->address, &interfaces);
  route_find_default(bind->options.sys, bind->options.proc, &interfaces, carrier);
  if (carrier[0] == '\0')
    return 0;
  shunt_error_set(error, -EBUSY, "%s carries this machine's default route", bind->address);
  if (!strcmp(carrier, interfaces.names[0]))
    shunt_error_why(error, "the default route leaves by %s", carrier);
  else
    shunt_error_why(error, "the default route leaves by %s, which stands on %s", carrier,
                    interfaces.names[0]);
  shunt_error_remedy(error,
                     "move the route to another interface (ip route), or force it and lose "
                     "the connection: shunt bind --force %s",
                     bind->address);
  return -EBUSY;
}

static bool bind_is_name(const char *driver)
{
  return driver[0] != '\0' && driver[0] != '.' && strlen(driver) < PCI_NAME_BYTES &&
         strpbrk(driver, "/\n") == NULL;
}

static int bind_check_driver(const struct bind *bind, const char *driver, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES];
  bind_driver_path(bind, driver, "", path);
  if (strcmp(driver, BIND_NOBODY) == 0 || access(path, F_OK) == 0)
    return 0;
  shunt_error_set(error, -ENODEV, "there is no driver %s to take %s", driver, bind->address);
  shunt_error_why(error, "%s does not exist", path);
  shunt_error_remedy(error, "load it: modprobe %s", driver);
  return -ENODEV;
}

/* vfio-pci takes a device without an IOMMU group only where the unsafe mode is on. */
static int bind_check_group(const struct bind *bind, const char *driver, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES], text[PCI_NAME_BYTES];
  if (strcmp(driver, "vfio-pci") != 0 ||
      address_link(bind->options.sys, bind->address, "iommu_group", text) == 0)
    return 0;
  snprintf(path, sizeof path, "%s/module/vfio/parameters/enable_unsafe_noiommu_mode",
           bind->options.sys);
  if (sysfs_read(path, text, sizeof text) == 0 && text[0] == 'Y')
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "%s has no IOMMU group, so vfio-pci can't take it",
                  bind->address);
  shunt_error_why(error, "the machine has no IOMMU, or it is switched off");
  shunt_error_remedy(error,
                     "switch VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on "
                     "iommu=pt; or go without: shunt bind %s --driver none",
                     bind->address);
  return -EOPNOTSUPP;
}

/* "none" has the device where its override says so, too. */
static bool bind_has(const struct bind *bind, const char *driver)
{
  if (bind->driver[0] != '\0' || strcmp(driver, BIND_NOBODY) != 0)
    return strcmp(bind->driver, driver) == 0;
  char path[PCI_PATH_BYTES], override[PCI_NAME_BYTES];
  address_path(bind->options.sys, bind->address, "driver_override", path);
  return sysfs_read(path, override, sizeof override) == 0 && strcmp(override, BIND_NOBODY) == 0;
}

/* A mistyped address must not take the disk away that the machine runs from. */
static int bind_check_class(const struct bind *bind, struct shunt_error *error)
{
  long class_code = 0;
  address_number(bind->options.sys, bind->address, "class", &class_code);
  if (class_code >> 16 == PCI_CLASS_ETHERNET >> 16)
    return 0;
  shunt_error_set(error, -EINVAL, "%s is no network device", bind->address);
  shunt_error_why(error, "its class is 0x%06lx; a network device's is 0x02....", class_code);
  shunt_error_remedy(error, "check the address: shunt info; if it is right: shunt bind --force %s",
                     bind->address);
  return -EINVAL;
}

static int bind_check(const struct bind *bind, const char *driver, uint32_t flags,
                      struct shunt_error *error)
{
  if (!bind_is_name(driver))
    return shunt_error_set(error, -EINVAL, "\"%s\" is no driver's name", driver);
  if (bind_has(bind, driver))
    return shunt_error_set(error, -EALREADY, "%s is bound to %s already", bind->address, driver);
  int code = 0;
  if (!(flags & SHUNT_PCI_FORCE)) {
    code = bind_check_class(bind, error);
    if (code == 0)
      code = bind_check_route(bind, error);
  }
  if (code == 0)
    code = bind_check_driver(bind, driver, error);
  if (code == 0)
    code = bind_check_group(bind, driver, error);
  return code < 0 ? code : bind_check_use(bind, error);
}

/* ---- There and back ---- */

/* The override comes first: between the two drivers nobody else gets the device. */
static int bind_move(const struct bind *bind, const char *driver, struct shunt_error *error)
{
  int code = bind_override(bind, driver, error);
  if (code < 0)
    return code;
  code = bind_release(bind, error);
  if (code < 0)
    return code;
  if (strcmp(driver, BIND_NOBODY) == 0)
    return bind_verify(bind, "", error);
  code = bind_probe(bind, error);
  return code < 0 ? code : bind_verify(bind, driver, error);
}

/* Put a device that could not be bound back where it was: to a kernel driver, or to whom it was
 * bound before. The first error is the one that counts. */
static void bind_undo(const struct bind *bind)
{
  bool taken = bind->remembered[0] != '\0';
  const char *before = bind->driver[0] != '\0' ? bind->driver : BIND_NOBODY;
  bind_override(bind, taken ? before : "\n", NULL);
  bind_release(bind, NULL);
  if (bind->driver[0] != '\0')
    bind_probe(bind, NULL);
  if (!taken)
    bind_forget(bind);
}

int bind_take(const char *address, const char *driver, uint32_t flags,
              const struct shunt_pci_options *options, const struct bind_system *system,
              struct shunt_error *error)
{
  struct bind bind;
  if (driver == NULL)
    driver = "vfio-pci";
  int code = bind_start(&bind, address, options, system, error);
  if (code == 0)
    code = bind_check(&bind, driver, flags, error);
  if (code == 0)
    code = bind_remember(&bind, error);
  if (code < 0)
    return code;
  code = bind_move(&bind, driver, error);
  if (code < 0) {
    bind_undo(&bind);
    return shunt_error_within(error, code, "can't bind %s to %s", bind.address, driver);
  }
  return 0;
}

/* Hand the device to the kernel driver that is remembered, or to whichever wants it. */
static int bind_return(const struct bind *bind, struct shunt_error *error)
{
  char path[PCI_PATH_BYTES], driver[PCI_NAME_BYTES];
  if (strcmp(bind->remembered, BIND_NOBODY) == 0)
    return 0;
  if (bind->remembered[0] == '\0') {
    int code = bind_probe(bind, error);
    if (code < 0 || address_link(bind->options.sys, bind->address, "driver", driver) == 0)
      return code;
    shunt_error_set(error, -ENODEV, "no kernel driver wants %s", bind->address);
    shunt_error_why(error, "which one it had is forgotten, and none that is loaded took it");
    shunt_error_remedy(error, "load its driver: modprobe (lspci -k -s %s names it)", bind->address);
    return -ENODEV;
  }
  int code = bind_check_driver(bind, bind->remembered, error);
  if (code < 0)
    return code;
  bind_driver_path(bind, bind->remembered, "/bind", path);
  code = bind_write(bind, path, bind->address, error);
  return code < 0 ? code : bind_verify(bind, bind->remembered, error);
}

int bind_give_back(const char *address, const struct shunt_pci_options *options,
                   const struct bind_system *system, struct shunt_error *error)
{
  struct bind bind;
  int code = bind_start(&bind, address, options, system, error);
  if (code < 0)
    return code;
  bool is_kernels = bind.driver[0] != '\0' && strncmp(bind.driver, "vfio", 4) != 0;
  if (is_kernels && bind.remembered[0] == '\0') {
    shunt_error_set(error, -EALREADY, "%s is not taken", bind.address);
    shunt_error_why(error, "its driver is %s", bind.driver);
    return -EALREADY;
  }
  code = bind_check_use(&bind, error);
  if (code == 0)
    code = bind_override(&bind, "\n", error);
  if (code == 0 && (bind.remembered[0] == '\0' || strcmp(bind.driver, bind.remembered) != 0)) {
    code = bind_release(&bind, error);
    if (code == 0)
      code = bind_return(&bind, error);
  }
  if (code < 0)
    return shunt_error_within(error, code, "can't give %s back", bind.address);
  bind_forget(&bind);
  return 0;
}

/* ---- The real system ---- */

static int bind_real_write(void *context, const char *path, const char *text)
{
  (void)context;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  int code = write(fd, text, strlen(text)) < 0 ? -errno : 0;
  close(fd);
  return code;
}

static const struct bind_system bind_real = {.write = bind_real_write};

int shunt_pci_bind(const char *address, const char *driver, uint32_t flags,
                   const struct shunt_pci_options *options, struct shunt_error *error)
{
  return bind_take(address, driver, flags, options, &bind_real, error);
}

int shunt_pci_unbind(const char *address, const struct shunt_pci_options *options,
                     struct shunt_error *error)
{
  return bind_give_back(address, options, &bind_real, error);
}
