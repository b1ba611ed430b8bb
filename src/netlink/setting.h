/* SPDX-License-Identifier: BSD-2-Clause */
/* One setting of an interface as the journal names it: "mtu", "up", "channels-rx", "channels-tx",
 * "channels-combined", or an offload's name ("rx-gro"). */
#ifndef SRC_NETLINK_SETTING_H
#define SRC_NETLINK_SETTING_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"

struct interface_state;

/* What it is now. False: there is no such setting, or it is not known of this interface. */
bool setting_read(const struct interface_state *state, const char *key, uint32_t *value);

/* Change it. -EBUSY and -EINVAL are tried again for half a second: a queue whose AF_XDP socket was
 * just closed stays in use for some 20 ms (net/xdp/xsk.c gives its pool back asynchronously), and
 * so do channels after that.
 * Returns 0 or -errno. */
int setting_write(int ifindex, const char *key, uint32_t value, struct shunt_error *error);

#endif
