/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/cpu.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/core/error_internal.h"
#include "src/core/sysfs.h"

#define CPU_LIST_BYTES 4096 /* sysfs never shows more than a page */

static_assert(SHUNT_CPU_MAX == CPU_SETSIZE, "every CPU that we can name can be pinned to");

extern inline bool shunt_cpu_set_has(const struct shunt_cpu_set *set, unsigned cpu);
extern inline void shunt_cpu_relax(void);

static const char *sysfs_root(const char *sysfs)
{
  return sysfs != NULL ? sysfs : "/sys";
}

/* ---- Sets ---- */

unsigned shunt_cpu_set_count(const struct shunt_cpu_set *set)
{
  unsigned count = 0;
  for (size_t i = 0; i < SHUNT_CPU_MAX / 64; i++)
    count += (unsigned)__builtin_popcountll(set->bits[i]);
  return count;
}

/* Read a decimal number at *text and move behind it. Returns false where none is there. */
static bool list_number(const char **text, unsigned *number)
{
  if (!isdigit((unsigned char)**text))
    return false;
  char *end;
  unsigned long value = strtoul(*text, &end, 10);
  *number = value < UINT_MAX ? (unsigned)value : UINT_MAX;
  *text = end;
  return true;
}

/* Read "first" or "first-last" at *text and move behind it. */
static bool list_range(const char **text, unsigned *first, unsigned *last)
{
  if (!list_number(text, first))
    return false;
  *last = *first;
  if (**text != '-')
    return true;
  (*text)++;
  return list_number(text, last) && *last >= *first;
}

int shunt_cpu_set_parse(const char *text, struct shunt_cpu_set *set)
{
  struct shunt_cpu_set parsed = {0};
  int result = 0;
  *set = parsed;
  while (*text != '\0' && *text != '\n') {
    unsigned first, last;
    if (!list_range(&text, &first, &last))
      return -EINVAL;
    if (last >= SHUNT_CPU_MAX)
      result = -ERANGE;
    for (unsigned cpu = first; cpu <= last && cpu < SHUNT_CPU_MAX; cpu++)
      parsed.bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
    if (*text == ',' && isdigit((unsigned char)text[1]))
      text++;
    else if (*text != '\0' && *text != '\n')
      return -EINVAL;
  }
  *set = parsed;
  return result;
}

size_t shunt_cpu_set_format(const struct shunt_cpu_set *set, char *text, size_t bytes)
{
  size_t used = 0;
  if (bytes > 0)
    text[0] = '\0';
  for (unsigned first = 0; first < SHUNT_CPU_MAX; first++) {
    if (!shunt_cpu_set_has(set, first))
      continue;
    unsigned last = first;
    while (shunt_cpu_set_has(set, last + 1))
      last++;
    char range[32];
    const char *comma = used > 0 ? "," : "";
    if (last > first)
      snprintf(range, sizeof range, "%s%u-%u", comma, first, last);
    else
      snprintf(range, sizeof range, "%s%u", comma, first);
    if (used < bytes)
      snprintf(text + used, bytes - used, "%s", range);
    used += strlen(range);
    first = last;
  }
  return used;
}

/* ---- What there is ---- */

static int cpu_list(const char *sysfs, const char *name, struct shunt_cpu_set *set,
                    struct shunt_error *error)
{
  *set = (struct shunt_cpu_set){0};
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/devices/system/cpu/%s", sysfs_root(sysfs), name);
  char text[CPU_LIST_BYTES + 1];
  int result = sysfs_read(path, text, sizeof text);
  if (result < 0)
    return error_set_errno(error, result, "can't read %s", path);
  result = shunt_cpu_set_parse(text, set);
  if (result < 0) {
    shunt_error_set(error, result, "can't make out the CPUs in %s", path);
    shunt_error_why(error, "it says \"%.100s\"; CPUs 0 to %d are known here", text,
                    SHUNT_CPU_MAX - 1);
  }
  return result;
}

int shunt_cpu_online(const char *sysfs, struct shunt_cpu_set *set, struct shunt_error *error)
{
  return cpu_list(sysfs, "online", set, error);
}

int shunt_cpu_isolated(const char *sysfs, struct shunt_cpu_set *set, struct shunt_error *error)
{
  return cpu_list(sysfs, "isolated", set, error);
}

/* The N of the link nodeN in a CPU's directory; -1 where there is none. */
static int node_of_directory(DIR *directory)
{
  for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    const char *number = entry->d_name + 4;
    unsigned node;
    if (strncmp(entry->d_name, "node", 4) == 0 && list_number(&number, &node) && *number == '\0' &&
        node <= INT_MAX)
      return (int)node;
  }
  return -1;
}

int shunt_cpu_numa_node(const char *sysfs, unsigned cpu, int *node, struct shunt_error *error)
{
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/devices/system/cpu/cpu%u", sysfs_root(sysfs), cpu);
  DIR *directory = opendir(path);
  if (directory == NULL) {
    int code = errno == ENOENT ? -ENODEV : -errno;
    shunt_error_set(error, code, "can't find the NUMA node of CPU %u", cpu);
    shunt_error_why(error, "can't open %s: %s", path, strerrordesc_np(errno));
    return code;
  }
  *node = node_of_directory(directory);
  closedir(directory);
  return 0;
}

/* Whether text is domain:bus:device.function, in hexadecimal; nothing else may become a path. */
static bool is_pci_address(const char *text)
{
  static const char form[] = "xxxx:xx:xx.x";
  for (size_t i = 0; i < sizeof form - 1; i++) {
    if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != form[i])
      return false;
  }
  return text[sizeof form - 1] == '\0';
}

int shunt_pci_numa_node(const char *sysfs, const char *address, int *node,
                        struct shunt_error *error)
{
  if (!is_pci_address(address)) {
    shunt_error_set(error, -EINVAL, "can't find the NUMA node of a PCI device");
    shunt_error_why(error, "\"%.64s\" is no PCI address", address);
    shunt_error_remedy(error, "write it as lspci -D does: 0000:03:00.0");
    return -EINVAL;
  }
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/bus/pci/devices/%s/numa_node", sysfs_root(sysfs), address);
  int result = sysfs_read_int(path, node);
  if (result == 0)
    return 0;
  error_set_errno(error, result, "can't find the NUMA node of %s", address);
  if (result != -ENOENT)
    return result;
  shunt_error_set(error, -ENODEV, "can't find the NUMA node of %s", address);
  shunt_error_why(error, "there is no %s", path);
  shunt_error_remedy(error, "lspci -D lists the devices that there are");
  return -ENODEV;
}

/* ---- Pinning ---- */

/* Why the kernel refused: it says EINVAL for all of these (sched_setaffinity(2)). */
static int pin_refused(unsigned cpu, struct shunt_error *error)
{
  struct shunt_cpu_set present = {0};
  struct shunt_cpu_set online = {0};
  char list[128];
  (void)cpu_list(NULL, "present", &present, NULL);
  (void)cpu_list(NULL, "online", &online, NULL);
  shunt_cpu_set_format(&online, list, sizeof list);
  shunt_error_set(error, -EINVAL, "can't pin this thread to CPU %u", cpu);
  if (!shunt_cpu_set_has(&present, cpu)) {
    shunt_error_why(error, "there is no such CPU; online are %s", list);
    shunt_error_remedy(error, "choose one of %s", list);
  } else if (!shunt_cpu_set_has(&online, cpu)) {
    shunt_error_why(error, "it is offline; online are %s", list);
    shunt_error_remedy(error, "echo 1 > /sys/devices/system/cpu/cpu%u/online, or choose another",
                       cpu);
  } else {
    shunt_error_why(error, "it is online, but outside this process's cpuset");
    shunt_error_remedy(error,
                       "add it to cpuset.cpus of the control group in /proc/%d/cgroup, or "
                       "to the container's CPUs (docker run --cpuset-cpus)",
                       (int)getpid());
  }
  return -EINVAL;
}

int shunt_cpu_pin(unsigned cpu, struct shunt_error *error)
{
  if (cpu >= SHUNT_CPU_MAX)
    return pin_refused(cpu, error);
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  int code = sched_setaffinity(0, sizeof mask, &mask) == 0 ? 0 : -errno;
  if (code == -EINVAL)
    return pin_refused(cpu, error);
  if (code < 0)
    return error_set_errno(error, code, "can't pin this thread to CPU %u", cpu);
  return 0;
}
