/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast groups on an interface that the kernel keeps: so for ports of AF_XDP.
 *
 * A switch with IGMP or MLD snooping sends a group's frames only to where it saw a report. The
 * kernel sends the reports, repeats them, answers the queries in the version that the querier
 * speaks, and sends the leaves, as long as sockets hold the memberships. These calls hold them. The
 * frames themselves don't come by these sockets: they go where the port's rules say.
 *
 * So do the queries, and the kernel answers those alone that reach it: a port that takes them lets
 * the groups dry up, some minutes after a join that looked well. What a port needs beside a join:
 *
 *   rules that name flows     nothing: what matches none is the kernel's
 *     "udp dst 239.1.1.1 port 31001"
 *   rules that take IGMP or   a rule in front that leaves queries to the kernel: pass igmp for
 *   ICMPv6 with all else      groups of IPv4, pass icmp6 for those of IPv6 (MLD, RFC 3810 5.1)
 *     "pass igmp;pass icmp6;all"
 *   no rules                  as all: give it those three
 *   join=1                    that the rules of the program's owner do so
 *
 * Or the program answers itself, by shunt/igmp.h (IPv4).
 *
 * A port whose card the kernel does not have (ixgbe:) takes two steps instead:
 * shunt_port_multicast_add for the card's filter, and reports and answers as frames, by
 * shunt/igmp.h. */
#ifndef SHUNT_MULTICAST_H
#define SHUNT_MULTICAST_H

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

struct shunt_multicast;

/* Prepare to join groups on an interface.
 *
 * name       an interface ("eth0"), or a port's name that has one ("xdp:eth0?queue=2")
 * multicast  where it goes; untouched on failure
 * Owner      the caller, until shunt_multicast_close
 * Thread     any, one at a time; in the interface's network namespace
 * Returns    0; -ENODEV (no such interface); -EOPNOTSUPP (a port of a device that the kernel does
 *            not have); -ENOMEM */
int shunt_multicast_open(const char *name, struct shunt_multicast **multicast,
                         struct shunt_error *error);

/* Join a group, from any source, or from one (RFC 4607). Needs no privilege. The first report is
 * sent before the call returns where the interface is up, else when it comes up.
 *
 * group    "239.1.1.1", "ff3e::8000:1"
 * source   NULL: any; else "192.0.2.7": of the group's family. A group can be joined from several
 *          sources, or once from any, not both
 * Returns  0; -EINVAL (no address, no group, of different families); -EADDRINUSE (joined already,
 *          or the other way); -ENODEV (the interface is gone); -ENOBUFS (net.core.optmem_max, or
 *          more than net.ipv4.igmp_max_msf sources of one group). There is no limit of groups */
int shunt_multicast_join(struct shunt_multicast *multicast, const char *group, const char *source,
                         struct shunt_error *error);

/* Leave a group as it was joined. Returns 0; -EINVAL; -ENOENT (was not joined so). */
int shunt_multicast_leave(struct shunt_multicast *multicast, const char *group, const char *source,
                          struct shunt_error *error);

/* Leave all groups. The kernel does so, too, where the process ends otherwise. NULL is fine. */
void shunt_multicast_close(struct shunt_multicast *multicast);

SHUNT_END_DECLS

#endif
