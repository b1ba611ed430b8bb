/* SPDX-License-Identifier: BSD-2-Clause */
/* The network interfaces of this machine with their addresses, as one list. */
#ifndef TOOLS_SHUNT_INTERFACES_H
#define TOOLS_SHUNT_INTERFACES_H

#include "shunt/error.h"
#include "src/netlink/interface.h"

struct interface {
  struct interface_state state; /* what rtnetlink tells: see interface_list */
  char addresses[512];          /* "192.0.2.2/24 fd00::2/64"; cut at a whole address */
};

/* Ask for all of them.
 *
 * interfaces  where the list goes; free() releases it
 * Returns     how many there are, or -errno */
int interfaces_list(struct interface **interfaces, struct shunt_error *error);

#endif
