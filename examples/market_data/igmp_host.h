/* SPDX-License-Identifier: BSD-2-Clause */
/* Membership of multicast groups: a host's side of IGMP version 3 (RFC 3376), and of version 2
 * while a router of that version asks (RFC 3376 7.2).
 *
 * A switch that snoops forwards a group to those ports only from which reports come. No kernel
 * sends them for a NIC that was taken from it, so this does: a report at the join, which is
 * repeated as RFC 3376 5.1 says, and answers to queries after a random delay (5.2). All sources of
 * a group are wanted.
 *
 * Frames are built when they are due, and sent by the caller. No time is read here: each call
 * carries now_ns. Thread: a struct igmp_host belongs to one. */
#ifndef MARKET_DATA_IGMP_HOST_H
#define MARKET_DATA_IGMP_HOST_H

#include <shunt/igmp.h>

#define IGMP_HOST_GROUPS      64
#define IGMP_HOST_FRAME_BYTES 640 /* holds a report of all groups: 38 + 8 + 8 * 64 */
#define IGMP_HOST_NEVER_NS    UINT64_MAX

struct igmp_host_group {
  uint32_t address;
  uint8_t repeats; /* state changes still to be told, beside the one that is due */
  bool changed;    /* the report that is due tells of a change */
  uint64_t due_ns; /* IGMP_HOST_NEVER_NS: none is */
};

struct igmp_host {
  struct shunt_mac mac;
  uint32_t address; /* ours, 0: none */
  struct igmp_host_group groups[IGMP_HOST_GROUPS];
  unsigned count;
  bool leaving;         /* changes are leaves */
  uint64_t due_ns;      /* the earliest */
  uint64_t v2_until_ns; /* a version 2 querier is there; 0: none */
  uint64_t random;
  uint64_t queries, reports; /* read, and built */
};

void igmp_host_init(struct igmp_host *host, struct shunt_mac mac, uint32_t address, uint64_t seed);

/* Join a group: its report is due at once. Joined twice is joined once.
 * Returns 0, -EINVAL (not multicast, or 224.0.0.1), -ENOSPC */
int igmp_host_join(struct igmp_host *host, uint32_t group, uint64_t now_ns);

/* The kernel tells the switch of joins and leaves: no reports are due but answers to queries that
 * come here rather than to the kernel. */
void igmp_host_answer_only(struct igmp_host *host);

/* Leave all groups: the reports are due at once, and no query is answered any more. */
void igmp_host_leave(struct igmp_host *host, uint64_t now_ns);

/* A router asks. */
void igmp_host_query(struct igmp_host *host, const struct shunt_igmp_query *query, uint64_t now_ns);

/* Build the next frame that is due; to be called until there is none.
 *
 * frame    room for IGMP_HOST_FRAME_BYTES; not padded
 * Returns  its length, or 0 where none is due */
uint32_t igmp_host_frame(struct igmp_host *host, void *frame, uint64_t now_ns);

#endif
