/* SPDX-License-Identifier: BSD-2-Clause */
/* Memberships of an interface that live as long as sockets of ours: multicast groups, for which the
 * kernel sends the IGMP and MLD reports and answers the queries, link-layer addresses, and
 * promiscuity. The kernel ends them when the sockets are gone, however the process ends.
 *
 * Groups need no privilege; addresses and promiscuity need CAP_NET_RAW. The public form of the
 * groups is shunt/multicast.h. */
#ifndef SRC_NETLINK_MEMBERSHIP_H
#define SRC_NETLINK_MEMBERSHIP_H

#include <stdbool.h>
#include <sys/socket.h>

#include "shunt/error.h"
#include "shunt/ethernet.h"

struct membership;

/* Prepare memberships on an interface of this network namespace.
 *
 * Owner   the caller, until membership_close. One thread at a time
 * Returns 0; -ENODEV; -ENOMEM */
int membership_open(int ifindex, struct membership **membership, struct shunt_error *error);

/* Join a group, from any source or from one (source-specific, RFC 4607). A group can be joined from
 * several sources, or once from any; not both.
 *
 * group   AF_INET or AF_INET6; the port is not looked at
 * source  NULL: any; else of the same family
 * Returns 0; -EINVAL (no multicast address; families differ); -EADDRINUSE (joined already);
 *         -ENODEV; -ENOBUFS (net.core.optmem_max) */
int membership_join(struct membership *membership, const struct sockaddr *group,
                    const struct sockaddr *source, struct shunt_error *error);
/* Returns 0 or -ENOENT (was not joined so). */
int membership_leave(struct membership *membership, const struct sockaddr *group,
                     const struct sockaddr *source, struct shunt_error *error);

/* Receive frames sent to a link-layer address (PACKET_MR_UNICAST or _MULTICAST, packet(7)); and no
 * longer. The kernel counts: an address added twice has to be removed twice.
 * Returns 0; -EPERM (CAP_NET_RAW); remove: -ENOENT (was not added here) */
int membership_mac_add(struct membership *membership, struct shunt_mac mac,
                       struct shunt_error *error);
int membership_mac_remove(struct membership *membership, struct shunt_mac mac,
                          struct shunt_error *error);

/* Receive everything, or no longer for our sake. Returns 0 or -EPERM. */
int membership_promiscuous(struct membership *membership, bool on, struct shunt_error *error);

/* End them all. The switch sees the leaves. NULL is fine. */
void membership_close(struct membership *membership);

#endif
