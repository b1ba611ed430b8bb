/* SPDX-License-Identifier: BSD-2-Clause */
/* The network interfaces of this machine, asked of the kernel by rtnetlink (rtnetlink(7)). */
#ifndef TOOLS_SHUNT_INTERFACES_H
#define TOOLS_SHUNT_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"

struct interface {
  int index;
  char name[IF_NAMESIZE];
  char driver[64]; /* "virtio_net", or the kind of a virtual one: "veth", "tun" */
  char mac[18];    /* empty where it has none of six bytes */
  uint32_t mtu;
  bool up, carrier;
  char addresses[512]; /* "192.0.2.2/24 fd00::2/64"; cut at a whole address */
};

/* Ask for all of them.
 *
 * interfaces  where the list goes; free() releases it
 * Returns     how many there are, or -errno */
int interfaces_list(struct interface **interfaces, struct shunt_error *error);

#endif
