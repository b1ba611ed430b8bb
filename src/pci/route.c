/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/pci/route.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/pci/address.h"

/* linux/route.h, linux/ipv6_route.h */
#define ROUTE_UP     0x0001u
#define ROUTE_REJECT 0x0200u

static void route_add(struct route_interfaces *interfaces, const char *name)
{
  for (unsigned i = 0; i < interfaces->count; i++)
    if (strcmp(interfaces->names[i], name) == 0)
      return;
  if (interfaces->count == ROUTE_MOST_INTERFACES || strlen(name) >= IF_NAMESIZE)
    return;
  memcpy(interfaces->names[interfaces->count++], name, strlen(name) + 1);
}

void route_find_interfaces(const char *sys, const char *address,
                           struct route_interfaces *interfaces)
{
  char path[PATH_MAX], function[PATH_MAX], interface[PATH_MAX];
  interfaces->count = 0;
  address_path(sys, address, "", path);
  if (realpath(path, function) == NULL)
    return;
  snprintf(path, sizeof path, "%s/class/net", sys);
  DIR *directory = opendir(path);
  if (directory == NULL)
    return;
  /* An interface's real path runs through its function's, also where a bus lies between them, as
   * virtio's does. */
  size_t length = strlen(function);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    snprintf(path, sizeof path, "%s/class/net/%s", sys, entry->d_name);
    if (entry->d_name[0] != '.' && realpath(path, interface) != NULL &&
        strncmp(interface, function, length) == 0 && interface[length] == '/')
      route_add(interfaces, entry->d_name);
  }
  closedir(directory);
}

/* Add what stands on the interfaces, and on that. The list grows while it is walked; as no name is
 * added twice, it ends. */
static void route_add_upper(const char *sys, struct route_interfaces *interfaces)
{
  for (unsigned i = 0; i < interfaces->count; i++) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/class/net/%s", sys, interfaces->names[i]);
    DIR *directory = opendir(path);
    if (directory == NULL)
      continue;
    /* net/core/dev.c: netdev_adjacent_sysfs_add */
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
      if (strncmp(entry->d_name, "upper_", 6) == 0)
        route_add(interfaces, entry->d_name + 6);
    closedir(directory);
  }
}

/* The interface of a default route in a line of /proc/net/route, else "". */
static void route_read_ipv4(const char *line, char name[IF_NAMESIZE])
{
  unsigned destination, mask, flags;
  if (sscanf(line, "%15s %x %*x %x %*d %*d %*d %x", name, &destination, &flags, &mask) != 4 ||
      destination != 0 || mask != 0 || !(flags & ROUTE_UP) || (flags & ROUTE_REJECT))
    name[0] = '\0';
}

/* Likewise of /proc/net/ipv6_route. */
static void route_read_ipv6(const char *line, char name[IF_NAMESIZE])
{
  char destination[33];
  unsigned prefix, flags;
  if (sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %x %15s", destination, &prefix, &flags, name) !=
          4 ||
      strspn(destination, "0") != 32 || prefix != 0 || !(flags & ROUTE_UP) ||
      (flags & ROUTE_REJECT))
    name[0] = '\0';
}

/* Look for a default route by one of the interfaces in a file of routes. */
static bool route_search(const char *proc, const char *file,
                         void (*read)(const char *line, char name[IF_NAMESIZE]),
                         const struct route_interfaces *interfaces, char carrier[IF_NAMESIZE])
{
  char path[PATH_MAX], line[512];
  snprintf(path, sizeof path, "%s/net/%s", proc, file);
  FILE *routes = fopen(path, "re");
  if (routes == NULL)
    return false;
  bool found = false;
  while (!found && fgets(line, sizeof line, routes) != NULL) {
    read(line, carrier);
    for (unsigned i = 0; i < interfaces->count && carrier[0] != '\0' && !found; i++)
      found = strcmp(carrier, interfaces->names[i]) == 0;
  }
  fclose(routes);
  if (!found)
    carrier[0] = '\0';
  return found;
}

void route_find_default(const char *sys, const char *proc,
                        const struct route_interfaces *interfaces, char carrier[IF_NAMESIZE])
{
  struct route_interfaces all = *interfaces;
  route_add_upper(sys, &all);
  if (!route_search(proc, "route", route_read_ipv4, &all, carrier))
    route_search(proc, "ipv6_route", route_read_ipv6, &all, carrier);
}
