/* SPDX-License-Identifier: BSD-2-Clause */
/* A port with one queue and its buffers, whatever the device: what sends and what receives needs
 * the same of it.
 *
 * Received frames are looked at where they lie, and their buffers go back to the NIC at once.
 * Frames to be sent are copied into buffers of the pool. Thread: a station belongs to one. */
#ifndef MARKET_DATA_STATION_H
#define MARKET_DATA_STATION_H

#include <shunt/port.h>

#define STATION_BURST 32

struct station {
  struct shunt_port *port;
  struct shunt_port_info info;
  struct shunt_queue *q;
  struct shunt_pool *pool;
  unsigned under_way; /* frames that were posted and are not known to be sent */
  uint64_t sent, refused;
};

/* Open a device by name and fill its receive ring.
 *
 * testbed  of twins that the caller polls; NULL: the port gives its twin its turns
 * Owner    the caller, until station_close, which also takes what this left half done
 * Returns  0 or what shunt_port_open and shunt_pool_create return */
int station_open(struct station *station, const char *name, struct shunt_testbed *testbed,
                 struct shunt_error *error);
void station_close(struct station *station);

/* Is the link up? Returns 1, 0 (error says why it is down) or the error of shunt_port_link. */
int station_is_up(struct station *station, struct shunt_error *error);

/* Is there room for n more frames? */
bool station_room(struct station *station, unsigned n);

/* Copy a frame to a buffer and post it; lengthened to what a wire takes at least. What does not
 * fit is counted as refused. The NIC may not see it before station_push. */
void station_send(struct station *station, const void *frame, uint32_t bytes);

static inline void station_push(struct station *station)
{
  shunt_tx_push(station->q);
}

/* Take buffers back whose frames were sent. Returns how many are still under way. */
unsigned station_reclaim(struct station *station);

#endif
