/* SPDX-License-Identifier: BSD-2-Clause */
/* Which ways of AF_XDP an interface would likely give, from what its driver and the kernel say of
 * it. A hint: only trying tells (shunt doctor xdp:IFACE). */
#ifndef TOOLS_SHUNT_XDP_HINT_H
#define TOOLS_SHUNT_XDP_HINT_H

#include <stdbool.h>

#include "src/netlink/interface.h"

struct xdp_hint {
  bool taken;        /* a program is attached */
  char modes[96];    /* "skb and drv, copy" */
  char trouble[320]; /* what stands against it or would surprise; may be empty */
  char remedy[256];  /* what to do about it; may be empty */
};

/* state: as interface_read gives it. */
void xdp_hint_make(const struct interface_state *state, struct xdp_hint *hint);

#endif
