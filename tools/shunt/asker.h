/* SPDX-License-Identifier: BSD-2-Clause */
/* A host that asks: finds out a neighbour's MAC address by ARP, and answers ARP for its own. */
#ifndef TOOLS_SHUNT_ASKER_H
#define TOOLS_SHUNT_ASKER_H

#include "shunt/ipv4.h"
#include "shunt/respond.h"
#include "tools/shunt/device.h"

struct asker {
  struct devices *devices;
  struct device *device;
  struct shunt_host host;           /* ipv4 and prefix are the caller's to set, mac is the port's */
  void (*meanwhile)(void *context); /* called while waiting, e.g. to run a responder; may be NULL */
  void *context;
  uint64_t requests; /* ARP requests sent */
  uint64_t answers;  /* ARP requests of others that were answered */
};

/* Find the MAC address of a neighbour: asks every 100 ms for 3 s. A multicast group or the limited
 * broadcast needs no asking.
 *
 * Returns 0, -EHOSTUNREACH (nobody answered), -EINTR (a signal) */
int asker_resolve(struct asker *asker, uint32_t target, struct shunt_mac *mac,
                  struct shunt_error *error);

/* If the frame is an ARP request for our address, answer it. It may be in one of q's buffers or
 * elsewhere; it stays as it is. */
void asker_answer_arp(struct asker *asker, const void *frame, uint32_t bytes,
                      const struct shunt_parsed *parsed);

/* Copy a frame into the pool's buffers, post and push it on queue 0. Returns false where there was
 * no room. */
bool asker_send(struct asker *asker, const void *frame, uint32_t bytes);

#endif
