/* SPDX-License-Identifier: BSD-2-Clause */
/* Regions from the inside: what the kernel is asked, so that a test can answer instead, and what
 * pools and PCI back ends need to know. */
#ifndef SRC_CORE_REGION_INTERNAL_H
#define SRC_CORE_REGION_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "shunt/region.h"

/* System calls answer as libc's do: -1 and errno. */
struct region_system {
  const char *huge_pages;                          /* "/sys/kernel/mm/hugepages" */
  const char *nodes;                               /* "/sys/devices/system/node" */
  int (*create)(const char *name, unsigned flags); /* memfd_create */
  int (*truncate)(int fd, off_t bytes);
  void *(*map)(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
  int (*populate)(void *address, size_t bytes); /* fault every page in, or fail; never SIGBUS */
  int (*lock)(const void *address, size_t bytes);
  int (*bind)(void *address, size_t bytes, int node, bool strictly);
  int (*node_of)(void *address, int *node);
};

extern const struct region_system region_real_system;

/* shunt_region_create on a system of the caller's, which is used during the call only. */
int region_create(const struct region_system *system, const struct shunt_region_options *options,
                  struct shunt_region **region, struct shunt_error *error);

/* Whether the pages stay where they are: huge, or locked. */
bool region_is_locked(const struct shunt_region *region);

/* Buffers that belong to no pool. */
uint64_t region_uncarved(const struct shunt_region *region);

/* Carve count buffers, no more than region_uncarved, lowest offsets first; and put them back. */
void region_carve(struct shunt_region *region, uint32_t count, shunt_buf bufs[]);
void region_uncarve(struct shunt_region *region, const shunt_buf bufs[], uint32_t count);

/* Who owns each buffer, for checked ports: a word a buffer, written with relaxed atomics; made at
 * the first call, the region's own, shared by all ports on it. NULL: no memory. */
uint32_t *region_owners(struct shunt_region *region);
/* Who else is on the region: a list of a driver's, which the region only keeps. Ports are opened
 * and closed by any thread, so what is in it is looked at under the lock. */
struct region_users {
  pthread_mutex_t lock;
  void *first;
};
struct region_users *region_users(struct shunt_region *region);
/* A number that no other port on the region was given, from 1 on. */
uint32_t region_port_number(struct shunt_region *region);

#endif
