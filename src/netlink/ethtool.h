/* SPDX-License-Identifier: BSD-2-Clause */
/* What interface.c asks of the families "ethtool" and "netdev". */
#ifndef SRC_NETLINK_ETHTOOL_H
#define SRC_NETLINK_ETHTOOL_H

#include "src/netlink/interface.h"

/* Fill in channels, rings, offloads and speed; and the driver's name where it is not known yet.
 * What this kernel or driver does not tell stays unknown. */
void ethtool_read(struct interface_state *state);

/* Fill in the driver's name, where rtnetlink gave no kind, by the one ioctl that tells it. */
void ethtool_read_driver(struct interface_state *state);

/* Fill in xdp_features and what belongs to them, where the family "netdev" is there. */
void netdev_read(struct interface_state *state);

#endif
