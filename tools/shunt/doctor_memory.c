/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on memory: huge pages, locked memory, and what moves pages about. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/doctor.h"
#include "tools/shunt/tree.h"

/* ---- Huge pages ---- */

struct huge {
  const struct doctor *doctor;
  unsigned kib;
  uint64_t total, free;
  bool known;
  char nodes[160]; /* "node0 32 of 64 free, node1 0 of 0 free" */
};

static bool add_node(void *context, const char *name)
{
  struct huge *huge = context;
  uint64_t total, available;
  if (strncmp(name, "node", 4) != 0 || !isdigit((unsigned char)name[4]))
    return true;
  const char *root = huge->doctor->root;
  if (tree_number(root, &total, "/sys/devices/system/node/%s/hugepages/hugepages-%ukB/nr_hugepages",
                  name, huge->kib) ||
      tree_number(root, &available,
                  "/sys/devices/system/node/%s/hugepages/hugepages-%ukB/free_hugepages", name,
                  huge->kib))
    return true;
  huge->known = true;
  huge->total += total;
  huge->free += available;
  size_t used = strlen(huge->nodes);
  snprintf(huge->nodes + used, sizeof(huge->nodes) - used, "%s%s %llu of %llu free",
           used ? ", " : "", name, (unsigned long long)available, (unsigned long long)total);
  return true;
}

/* A kernel without NUMA has them in one place. */
static void count_huge(struct huge *huge)
{
  const char *root = huge->doctor->root;
  tree_each(root, "/sys/devices/system/node", add_node, huge);
  if (huge->known)
    return;
  huge->known =
      tree_number(root, &huge->total, "/sys/kernel/mm/hugepages/hugepages-%ukB/nr_hugepages",
                  huge->kib) == 0 &&
      tree_number(root, &huge->free, "/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages",
                  huge->kib) == 0;
  snprintf(huge->nodes, sizeof(huge->nodes), "%llu of %llu free", (unsigned long long)huge->free,
           (unsigned long long)huge->total);
}

/* Through sysfs a card is given physical addresses, which only huge pages keep (vfio takes any
 * memory): then they are no matter of speed alone. */
static void look_huge_2m(const struct doctor *doctor, struct doctor_line *line)
{
  struct huge huge = {.doctor = doctor, .kib = 2048};
  count_huge(&huge);
  bool needed = doctor->cards > doctor->cards_vfio;
  if (huge.free >= 8) {
    doctor_pass(line, "2 MiB: %s", huge.nodes);
    return;
  }
  const char *why =
      needed ? "; without an IOMMU a card here needs them" : "; ordinary pages are used instead";
  uint64_t wanted = huge.total - huge.free + 64; /* what is in use stays in use */
  const char *seen = huge.known ? huge.nodes : "none on this kernel";
  if (needed)
    doctor_fail(line, "2 MiB: %s%s", seen, why);
  else
    doctor_warn(line, "2 MiB: %s%s", seen, why);
  doctor_remedy(line, "echo %llu > /proc/sys/vm/nr_hugepages; to have them at boot: hugepages=64",
                (unsigned long long)wanted);
}

/* Of use to regions of a gigabyte and more alone, so none is no fault. */
static void look_huge_1g(const struct doctor *doctor, struct doctor_line *line)
{
  struct huge huge = {.doctor = doctor, .kib = 1048576};
  count_huge(&huge);
  if (huge.total && !huge.free) {
    doctor_warn(line, "1 GiB: %s", huge.nodes);
    doctor_remedy(line, "reserve more at boot: default_hugepagesz=1G hugepages=N");
    return;
  }
  doctor_pass(line, "1 GiB: %s; of use to regions of 1 GiB and more",
              huge.known ? huge.nodes : "none on this kernel");
}

/* ---- Locked memory ---- */

#define LEAST_LOCKED_KIB                                                                           \
  UINT64_C(16384) /* the region that shunt_region_create makes by default                          \
                   */
#define GOOD_LOCKED_KIB UINT64_C(65536)

static void look_memlock(const struct doctor *doctor, struct doctor_line *line)
{
  char text[4096], limit[64];
  tree_read(doctor->root, text, sizeof(text), "/proc/self/limits");
  if (!tree_line_value(text, "Max locked memory", limit, sizeof(limit))) {
    doctor_warn(line, "/proc/self/limits names no limit of locked memory");
    doctor_remedy(line, "mount /proc");
    return;
  }
  limit[strcspn(limit, " \t")] = '\0';
  if (!strcmp(limit, "unlimited")) {
    doctor_pass(line, "RLIMIT_MEMLOCK is unlimited");
    return;
  }
  uint64_t kib = strtoull(limit, NULL, 10) / 1024;
  if (doctor_can(doctor, "ipc_lock")) {
    doctor_pass(line, "RLIMIT_MEMLOCK is %llu KiB, which CAP_IPC_LOCK lifts",
                (unsigned long long)kib);
    return;
  }
  if (kib >= GOOD_LOCKED_KIB) {
    doctor_pass(line, "RLIMIT_MEMLOCK is %llu KiB", (unsigned long long)kib);
    return;
  }
  if (kib >= LEAST_LOCKED_KIB)
    doctor_warn(line, "RLIMIT_MEMLOCK is %llu KiB: room for a few ports", (unsigned long long)kib);
  else
    doctor_fail(line, "RLIMIT_MEMLOCK is %llu KiB, and a region takes %llu KiB by default",
                (unsigned long long)kib, (unsigned long long)LEAST_LOCKED_KIB);
  doctor_remedy(line, "raise it: \"* - memlock unlimited\" in /etc/security/limits.conf, "
                      "LimitMEMLOCK=infinity in a systemd unit, --ulimit memlock=-1 for a "
                      "container");
}

/* ---- EFA ---- */

/* Applications over EFA register what they send from and receive into, gigabytes at times, and all
 * of it is locked: by ibv_reg_mr as by shunt_fabric_mr_register. Huge pages make the page lists
 * short; without an IOMMU nothing else keeps its address. */
static void look_efa(const struct doctor *doctor, struct doctor_line *line)
{
  struct huge huge = {.doctor = doctor, .kib = 2048};
  char text[4096], limit[64] = "";
  if (!doctor->pci) {
    doctor_warn(line, "no PCI bus to look for an EFA at");
    doctor_remedy(line, "mount /sys");
    return;
  }
  if (!doctor->efas) {
    doctor_pass(line, "no EFA here; efa:twin takes what memlock and huge-pages-2m say");
    return;
  }
  tree_read(doctor->root, text, sizeof(text), "/proc/self/limits");
  tree_line_value(text, "Max locked memory", limit, sizeof(limit));
  limit[strcspn(limit, " \t")] = '\0';
  count_huge(&huge);
  if (strcmp(limit, "unlimited") != 0 && !doctor_can(doctor, "ipc_lock")) {
    doctor_fail(line, "%u here, and RLIMIT_MEMLOCK is %s: registering memory will fail with ENOMEM",
                doctor->efas, *limit ? limit : "not known");
    doctor_remedy(line, "\"* - memlock unlimited\" in /etc/security/limits.conf and a new login, "
                        "LimitMEMLOCK=infinity in a systemd unit");
  } else if (!huge.free) {
    doctor_warn(line, "%u here, and no 2 MiB page is free: memory is registered in pages of 4 KiB",
                doctor->efas);
    doctor_remedy(line, "echo 1024 > /proc/sys/vm/nr_hugepages (libfabric takes them for its "
                        "buffers, too)");
  } else {
    doctor_pass(line, "%u here, locked memory is not limited, huge pages are free", doctor->efas);
  }
}

/* ---- What moves pages about ---- */

static void look_transparent(const struct doctor *doctor, struct doctor_line *line)
{
  char mode[64];
  int code =
      tree_read(doctor->root, mode, sizeof(mode), "/sys/kernel/mm/transparent_hugepage/enabled");
  if (code == -ENOENT) {
    doctor_pass(line, "this kernel has none");
  } else if (code < 0) {
    doctor_warn(line, "/sys/kernel/mm/transparent_hugepage/enabled: %s", strerror(-code));
    doctor_remedy(line, "mount /sys");
  } else if (strstr(mode, "[always]")) {
    doctor_warn(line, "%s: khugepaged stops programs to copy their pages together", mode);
    doctor_remedy(line, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
  } else {
    doctor_pass(line, "%s", mode);
  }
}

static void look_balancing(const struct doctor *doctor, struct doctor_line *line)
{
  uint64_t mode = 0;
  int code = tree_number(doctor->root, &mode, "/proc/sys/kernel/numa_balancing");
  if (code == -ENOENT) {
    doctor_pass(line, "this kernel has none");
  } else if (code < 0) {
    doctor_warn(line, "/proc/sys/kernel/numa_balancing: %s", strerror(-code));
    doctor_remedy(line, "mount /proc");
  } else if (mode) {
    doctor_warn(line, "numa_balancing is %llu: the kernel takes page faults to move memory",
                (unsigned long long)mode);
    doctor_remedy(line, "sysctl kernel.numa_balancing=0");
  } else {
    doctor_pass(line, "numa_balancing is 0");
  }
}

const struct doctor_check doctor_memory_checks[] = {
    {"huge-pages-2m", look_huge_2m},
    {"huge-pages-1g", look_huge_1g},
    {"memlock", look_memlock},
    {"efa-memory", look_efa},
    {"transparent-huge-pages", look_transparent},
    {"numa-balancing", look_balancing},
    {NULL, NULL},
};
