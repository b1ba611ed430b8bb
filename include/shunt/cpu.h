/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs: which there are, which are kept free for us, where they and the cards are, and pinning.
 *
 * What is read from /sys takes its root as a parameter, so that a test can lay out a machine of its
 * own: sysfs is a directory, NULL = "/sys". All calls may be made from any thread. */
#ifndef SHUNT_CPU_H
#define SHUNT_CPU_H

#include <stdbool.h>

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

#define SHUNT_CPU_MAX 1024

/* A set of CPUs by number. A value: may be copied and compared; all zero = none. */
struct shunt_cpu_set {
  uint64_t bits[SHUNT_CPU_MAX / 64];
};

/* Whether cpu is in the set; false where cpu is SHUNT_CPU_MAX or more. */
inline bool shunt_cpu_set_has(const struct shunt_cpu_set *set, unsigned cpu)
{
  return cpu < SHUNT_CPU_MAX && (set->bits[cpu / 64] >> (cpu % 64) & 1) != 0;
}

/* How many CPUs are in the set. */
unsigned shunt_cpu_set_count(const struct shunt_cpu_set *set);

/* Read a list as the kernel writes it (Documentation/admin-guide/cputopology.rst): "0-3,8", or
 * nothing.
 *
 * Returns 0; -EINVAL where text is no such list, *set then being empty; -ERANGE where a CPU is
 *         SHUNT_CPU_MAX or more, *set then holding those below */
int shunt_cpu_set_parse(const char *text, struct shunt_cpu_set *set);

/* Write a set as such a list.
 *
 * Returns the length without the NUL that the whole text has, as snprintf does */
size_t shunt_cpu_set_format(const struct shunt_cpu_set *set, char *text, size_t bytes);

/* The CPUs that run, <sysfs>/devices/system/cpu/online.
 *
 * Returns 0; -errno of reading the file; -EINVAL, -ERANGE as shunt_cpu_set_parse */
int shunt_cpu_online(const char *sysfs, struct shunt_cpu_set *set, struct shunt_error *error);

/* The CPUs that the kernel's scheduler keeps away from (isolcpus=), .../cpu/isolated: where a
 * polling thread belongs. Empty where none are. Returns as shunt_cpu_online. */
int shunt_cpu_isolated(const char *sysfs, struct shunt_cpu_set *set, struct shunt_error *error);

/* Make the calling thread run on one CPU only, from now on.
 *
 * Returns  0; -EINVAL where the CPU does not exist, is offline, or lies outside the thread's
 *          cpuset: the error says which of these, and what to do; -EPERM as the kernel says */
int shunt_cpu_pin(unsigned cpu, struct shunt_error *error);

/* The NUMA node of a CPU.
 *
 * node     where it goes; -1 on a kernel without NUMA
 * Returns  0; -ENODEV where there is no such CPU; -errno of reading its directory */
int shunt_cpu_numa_node(const char *sysfs, unsigned cpu, int *node, struct shunt_error *error);

/* The NUMA node of a PCI device.
 *
 * address  "0000:03:00.0"
 * node     where it goes; -1 where the firmware does not say
 * Returns  0; -EINVAL where address is not of that form; -ENODEV where there is no such device;
 *          -errno of reading its file */
int shunt_pci_numa_node(const char *sysfs, const char *address, int *node,
                        struct shunt_error *error);

/* Tell the CPU that this is a loop that waits: PAUSE on x86, YIELD on arm64. Saves power, gives a
 * sibling hyper-thread the core, and avoids the penalty for leaving the loop. */
inline void shunt_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield" : : : "memory");
#else
  __asm__ volatile("" : : : "memory");
#endif
}

SHUNT_END_DECLS

#endif
