/* SPDX-License-Identifier: BSD-2-Clause */
/* An interface of another network namespace: a veth's other end. It can be read from here by who
 * may go there (CAP_SYS_ADMIN); it is changed by nobody from here. */
#ifndef SRC_NETLINK_ELSEWHERE_H
#define SRC_NETLINK_ELSEWHERE_H

#include "src/netlink/interface.h"

/* Read its state as it is there.
 *
 * space    the number that this namespace has for that one (IFLA_LINK_NETNSID, ip-netns(8))
 * ifindex  its index there
 * Returns  0; -EPERM; -ESRCH: no process that is seen here is in that namespace, and no name
 *          (/run/netns) is its; -errno */
int elsewhere_read(int space, int ifindex, struct interface_state *state);

#endif
