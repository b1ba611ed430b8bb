/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on what this process may do: capabilities, TAP interfaces, limits of its container. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/doctor.h"
#include "tools/shunt/tree.h"

/* What shunt may need, and what for (capabilities(7)). */
static const struct {
  const char *capability, *use;
} wanted[] = {
    {"net_admin", "TAP interfaces, XDP"},
    {"net_raw", "AF_XDP sockets"},
    {"ipc_lock", "locked memory beyond the limit"},
    {"sys_admin", "cards through sysfs, bind"},
    {"sys_rawio", "cards through sysfs"},
    {"sys_nice", "memory on a node of choice"},
    {"bpf", "XDP programs"},
    {"perfmon", "XDP programs"},
};

static void look_capabilities(const struct doctor *doctor, struct doctor_line *line)
{
  char missing[256] = "";
  if (!doctor->capabilities_known) {
    doctor_warn(line, "/proc/self/status does not tell");
    doctor_remedy(line, "mount /proc");
    return;
  }
  for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
    size_t used = strlen(missing);
    if (!doctor_can(doctor, wanted[i].capability))
      snprintf(missing + used, sizeof(missing) - used, "%s%s (%s)", used ? ", " : "",
               wanted[i].capability, wanted[i].use);
  }
  if (!*missing) {
    doctor_pass(line, "all that shunt may need");
    return;
  }
  doctor_warn(line, "missing: %s", missing);
  doctor_remedy(line, "run as root, or give the program what it needs: setcap "
                      "cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon,cap_ipc_lock=ep; cards "
                      "through vfio need none, "
                      "only access to /dev/vfio/GROUP");
}

static void look_tun(const struct doctor *doctor, struct doctor_line *line)
{
  if (!tree_exists(doctor->root, "/dev/net/tun")) {
    doctor_warn(line, "/dev/net/tun is not there: no twin can join a TAP interface");
    doctor_remedy(line, "modprobe tun; for a container: --device /dev/net/tun --cap-add NET_ADMIN");
  } else if (!doctor_can(doctor, "net_admin")) {
    doctor_warn(line, "/dev/net/tun is there, but CAP_NET_ADMIN is missing to make an interface");
    doctor_remedy(line, "have one made for you: ip tuntap add mode tap user $USER name tap0");
  } else {
    doctor_pass(line, "/dev/net/tun is there");
  }
}

/* ---- Control groups ---- */

struct limits {
  char cpu[64];    /* "max 100000", "150000 100000" */
  char memory[32]; /* "max", bytes */
  char huge[32];
};

/* Version 2 names the group after "0::"; seen from inside a namespace, and so in most containers,
 * that is "/" and its files are the mount's own. */
static bool read_limits(const struct doctor *doctor, struct limits *limits)
{
  char text[4096], group[256];
  tree_read(doctor->root, text, sizeof(text), "/proc/self/cgroup");
  if (!tree_line_value(text, "0::", group, sizeof(group)) ||
      !tree_exists(doctor->root, "/sys/fs/cgroup/cgroup.controllers"))
    return false;
  const char *path = !strcmp(group, "/") ? "" : group;
  tree_read(doctor->root, limits->cpu, sizeof(limits->cpu), "/sys/fs/cgroup%s/cpu.max", path);
  tree_read(doctor->root, limits->memory, sizeof(limits->memory), "/sys/fs/cgroup%s/memory.max",
            path);
  tree_read(doctor->root, limits->huge, sizeof(limits->huge), "/sys/fs/cgroup%s/hugetlb.2MB.max",
            path);
  return true;
}

#define LEAST_MEMORY_BYTES (UINT64_C(64) << 20)

static void look_limits(const struct doctor *doctor, struct doctor_line *line)
{
  struct limits limits = {0};
  unsigned long long quota, period;
  if (!read_limits(doctor, &limits)) {
    doctor_warn(line, "no unified hierarchy (version 2): limits were not looked at");
    doctor_remedy(line,
                  "see cpu.cfs_quota_us, memory.limit_in_bytes and hugetlb.2MB.limit_in_bytes "
                  "below /sys/fs/cgroup");
  } else if (*limits.memory && strcmp(limits.memory, "max") != 0 &&
             strtoull(limits.memory, NULL, 10) < LEAST_MEMORY_BYTES) {
    doctor_fail(line, "memory.max is %s bytes", limits.memory);
    doctor_remedy(line, "raise it to 64 MiB and more: MemoryMax= of the systemd unit, --memory of "
                        "the container");
  } else if (sscanf(limits.cpu, "%llu %llu", &quota, &period) == 2) {
    doctor_warn(line, "cpu.max is %s: a polling thread is stopped when its %.1f CPUs are used up",
                limits.cpu, (double)quota / (double)(period ? period : 1));
    doctor_remedy(line, "give it whole CPUs: cpuset instead of a quota (--cpuset-cpus, not "
                        "--cpus)");
  } else if (*limits.huge && !strcmp(limits.huge, "0")) {
    doctor_warn(line, "hugetlb.2MB.max is 0: no huge pages in this group");
    doctor_remedy(line, "raise it: hugepages-2Mi of the Kubernetes pod, hugetlb limits of the "
                        "container");
  } else {
    doctor_pass(line, "no limit in the way (cpu.max %s, memory.max %s)",
                *limits.cpu ? limits.cpu : "not set", *limits.memory ? limits.memory : "not set");
  }
}

static void look_container(const struct doctor *doctor, struct doctor_line *line)
{
  char mark[64] = "";
  static const char *const marks[] = {"/.dockerenv", "/run/.containerenv", "/run/systemd/container",
                                      "/var/run/secrets/kubernetes.io"};
  for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
    if (!*mark && tree_exists(doctor->root, "%s", marks[i]))
      snprintf(mark, sizeof(mark), "%s", marks[i]);
  if (!*mark) {
    doctor_pass(line, "no sign of one");
    return;
  }
  doctor_warn(line, "%s is there: what the host has may not be visible here", mark);
  doctor_remedy(line, "run the doctor on the host, too");
}

const struct doctor_check doctor_access_checks[] = {
    {"capabilities", look_capabilities}, {"tun", look_tun}, {"cgroup", look_limits},
    {"container", look_container},       {NULL, NULL},
};
