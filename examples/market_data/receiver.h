/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiver on a port: joins the groups, takes the frames, makes the books, tells what it has
 * found.
 *
 * On an interface of the kernel (xdp:) the kernel joins, reports and answers the switch's queries;
 * those that the port's rules bring here, as it is without rules, igmp_host.h answers. A card that
 * the kernel does not have has igmp_host.h alone. */
#ifndef MARKET_DATA_RECEIVER_H
#define MARKET_DATA_RECEIVER_H

#include <shunt/multicast.h>

#include "market.h"
#include "station.h"

struct receiver {
  struct station station;
  struct shunt_multicast *multicast; /* the kernel's memberships; NULL: it has none */
  struct market market;
};

/* Open the device and let it receive the feeds' groups.
 *
 * options  mac is filled in here
 * Returns  0, or what station_open, market_open, shunt_multicast_join and shunt_port_multicast_add
 * return */
int receiver_open(struct receiver *receiver, const char *name, struct shunt_testbed *testbed,
                  const struct endpoints endpoints[], unsigned count, struct market_options options,
                  struct shunt_error *error);
void receiver_close(struct receiver *receiver);

/* One turn of the polling loop: a burst of frames, gaps whose time is over, IGMP reports that are
 * due. Returns how many frames came and went. */
unsigned receiver_round(struct receiver *receiver);

/* Leave the groups, and tell the switch. */
void receiver_leave(struct receiver *receiver);

void receiver_report(const struct receiver *receiver, FILE *file);

#endif
