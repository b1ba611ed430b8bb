/* SPDX-License-Identifier: BSD-2-Clause */
/* Which network interfaces a PCI function has, and whether the machine is reached by one. */
#ifndef SRC_PCI_ROUTE_H
#define SRC_PCI_ROUTE_H

#include <net/if.h>

#define ROUTE_MOST_INTERFACES 32

struct route_interfaces {
  unsigned count;
  char names[ROUTE_MOST_INTERFACES][IF_NAMESIZE];
};

/* The interfaces that stand on the function at address. None is no error. */
void route_find_interfaces(const char *sys, const char *address,
                           struct route_interfaces *interfaces);

/* Whether a default route (IPv4 or IPv6, main table) leaves by one of the interfaces, or by one
 * that stands on them: a bond, bridge or VLAN. carrier is that interface's name, or "". */
void route_find_default(const char *sys, const char *proc,
                        const struct route_interfaces *interfaces, char carrier[IF_NAMESIZE]);

#endif
