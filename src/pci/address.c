/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/pci/address.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/core/error_internal.h"
#include "src/core/sysfs.h"

#define ADDRESS_NEAR 4 /* how many existing addresses an error lists */

struct address {
  uint32_t domain, bus, device, function;
};

/* Read 1..digits hexadecimal digits up to the character end. Returns what follows it, or NULL. */
static const char *address_field(const char *text, size_t digits, char end, uint32_t most,
                                 uint32_t *value)
{
  size_t used = strspn(text, "0123456789abcdefABCDEF");
  if (used == 0 || used > digits || text[used] != end)
    return NULL;
  unsigned long number = strtoul(text, NULL, 16);
  if (number > most)
    return NULL;
  *value = (uint32_t)number;
  return text + used + 1;
}

static bool address_scan(const char *text, struct address *address)
{
  const char *colon = strchr(text, ':');
  *address = (struct address){0};
  if (colon != NULL && strchr(colon + 1, ':') != NULL)
    text = address_field(text, 8, ':', UINT32_MAX, &address->domain);
  if (text != NULL)
    text = address_field(text, 2, ':', 0xFF, &address->bus);
  if (text != NULL)
    text = address_field(text, 2, '.', 0x1F, &address->device);
  return text != NULL && address_field(text, 1, '\0', 7, &address->function) != NULL;
}

int address_parse(const char *text, char address[PCI_ADDRESS_BYTES], struct shunt_error *error)
{
  struct address parts;
  if (!address_scan(text, &parts)) {
    shunt_error_set(error, -EINVAL, "\"%s\" is no PCI address", text);
    shunt_error_why(error, "an address is [domain:]bus:device.function in hexadecimal, device at "
                           "most 1f, function at most 7");
    shunt_error_remedy(error, "write it as lspci -D does: 0000:03:00.0");
    return -EINVAL;
  }
  snprintf(address, PCI_ADDRESS_BYTES, "%04x:%02x:%02x.%x", parts.domain, parts.bus & 0xFF,
           parts.device & 0x1F, parts.function & 7);
  return 0;
}

void address_path(const char *sysfs, const char *address, const char *file,
                  char path[PCI_PATH_BYTES])
{
  snprintf(path, PCI_PATH_BYTES, "%s/bus/pci/devices/%s/%s", sysfs != NULL ? sysfs : "/sys",
           address, file);
}

/* How far apart two addresses are, for a person who mistyped one. */
static uint64_t address_distance(const struct address *a, const struct address *b)
{
  uint64_t left = (uint64_t)a->domain << 16 | a->bus << 8 | a->device << 3 | a->function;
  uint64_t right = (uint64_t)b->domain << 16 | b->bus << 8 | b->device << 3 | b->function;
  return left > right ? left - right : right - left;
}

/* Keep name among the nearest if it is. */
static void address_keep(char names[ADDRESS_NEAR][PCI_ADDRESS_BYTES],
                         uint64_t distances[ADDRESS_NEAR], const char *name, uint64_t distance)
{
  unsigned place = ADDRESS_NEAR;
  while (place > 0 && distance < distances[place - 1])
    place--;
  if (place == ADDRESS_NEAR)
    return;
  for (unsigned i = ADDRESS_NEAR - 1; i > place; i--) {
    distances[i] = distances[i - 1];
    memcpy(names[i], names[i - 1], PCI_ADDRESS_BYTES);
  }
  distances[place] = distance;
  snprintf(names[place], PCI_ADDRESS_BYTES, "%.*s", PCI_ADDRESS_BYTES - 1, name);
}

static void address_explain_missing(const char *sysfs, const char *address,
                                    struct shunt_error *error)
{
  char path[PCI_PATH_BYTES];
  address_path(sysfs, "", "", path);
  DIR *directory = opendir(path);
  if (directory == NULL) {
    error_why_errno(error, -errno);
    shunt_error_remedy(error, "this machine or container shows no PCI bus (%s)", path);
    return;
  }
  struct address wanted, other;
  char names[ADDRESS_NEAR][PCI_ADDRESS_BYTES] = {0};
  uint64_t distances[ADDRESS_NEAR];
  memset(distances, 0xFF, sizeof distances);
  address_scan(address, &wanted);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
    if (address_scan(entry->d_name, &other))
      address_keep(names, distances, entry->d_name, address_distance(&wanted, &other));
  closedir(directory);
  if (names[0][0] == '\0')
    shunt_error_why(error, "%s is empty", path);
  else
    shunt_error_why(error, "the nearest that there are: %s %s %s %s", names[0], names[1], names[2],
                    names[3]);
  shunt_error_remedy(error, "list them with shunt info, or lspci -D");
}

int address_find(const char *sysfs, const char *text, char address[PCI_ADDRESS_BYTES],
                 struct shunt_error *error)
{
  int code = address_parse(text, address, error);
  if (code < 0)
    return code;
  char path[PCI_PATH_BYTES];
  address_path(sysfs, address, "", path);
  if (access(path, F_OK) == 0)
    return 0;
  shunt_error_set(error, -ENODEV, "there is no PCI device %s", address);
  address_explain_missing(sysfs, address, error);
  return -ENODEV;
}

int address_link(const char *sysfs, const char *address, const char *file,
                 char name[PCI_NAME_BYTES])
{
  char path[PCI_PATH_BYTES], target[PCI_PATH_BYTES];
  name[0] = '\0';
  address_path(sysfs, address, file, path);
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length < 0)
    return -errno;
  target[length] = '\0';
  const char *slash = strrchr(target, '/');
  snprintf(name, PCI_NAME_BYTES, "%.*s", PCI_NAME_BYTES - 1, slash != NULL ? slash + 1 : target);
  return 0;
}

int address_number(const char *sysfs, const char *address, const char *file, long *value)
{
  char path[PCI_PATH_BYTES], text[32], *end;
  address_path(sysfs, address, file, path);
  int code = sysfs_read(path, text, sizeof text);
  if (code < 0)
    return code;
  errno = 0;
  long number = strtol(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
  if (end == text || *end != '\0' || errno != 0)
    return -EINVAL;
  *value = number;
  return 0;
}
