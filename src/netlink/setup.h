/* SPDX-License-Identifier: BSD-2-Clause */
/* Change an interface for as long as a port is open, and put it back: at close, and where the
 * process did not live to close, at the next set-up on the interface or by setup_recover.
 *
 * A journal is written before anything is changed: one file per interface in SETUP_DIRECTORY, with
 * what each setting was and will be, and whose it is (process id and start time). Several set-ups
 * may hold one interface, of one process or of many. They share what was changed; it is put back
 * when the last living one is gone. Two that want different values of one setting can't be served
 * both: the second is refused, and told by whom it is held.
 *
 * A setting that someone else changed meanwhile (it no longer has the value that was set) is left
 * as it is.
 *
 * Promiscuity is not in the journal: a packet socket of the set-up holds it (packet(7)), and the
 * kernel takes it back whatever way the process ends. */
#ifndef SRC_NETLINK_SETUP_H
#define SRC_NETLINK_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"
#include "shunt/log.h"

#define SETUP_DIRECTORY "/run/shunt"

/* What makes frames other on their way to an AF_XDP socket than they are on the wire. */
enum setup_trap {
  /* A veth's peer leaves the checksums of what its kernel sends to hardware that is not there: the
   * frames arrive with half a checksum. Its tx-checksum features have to be off. */
  SETUP_PARTIAL_CHECKSUMS = 1 << 0,
  /* Several segments joined to one frame, up to 64 KiB, before the program sees them: TSO and GSO
   * of a veth's peer; LRO and hardware GRO, and in skb mode GRO, of a card. */
  SETUP_AGGREGATES = 1 << 1,
  /* VLAN tags that are taken off and kept beside the frame: by a card, or by a veth's peer that
   * never put them in. */
  SETUP_STRIPPED_TAGS = 1 << 2,
};

struct setup_wanted {
  uint32_t channels; /* queue pairs: combined, or rx and tx each; 0: as they are */
  uint32_t mtu;      /* 0: as it is */
  bool up;           /* set it up where it is down */
  bool promiscuous;
  uint8_t traps;     /* SETUP_*: must be off; setup_open fails where one can't be switched off */
  uint8_t traps_try; /* SETUP_*: switched off where that can be done from here */
};

struct setup;

/* Change an interface.
 *
 * directory  where journals are; NULL: SETUP_DIRECTORY. Made (0700) where it is not there
 * log        told of the traps of traps_try that stay, of settings recovered; NULL: silent
 * setup      where it goes; untouched on failure, when everything is as before
 * Owner      the caller, until setup_close
 * Thread     any, one at a time per setup; in the interface's network namespace
 * Returns    0; -ENODEV; -EINVAL, -EOPNOTSUPP (it can't be had: why, and what would help); -EBUSY
 *            (another process holds a setting otherwise); -EPERM; -ETIMEDOUT (the journals are
 *            locked by another for longer than 5 s); -errno of the journal's files */
int setup_open(const char *directory, const char *interface, const struct setup_wanted *wanted,
               const struct shunt_log *log, struct setup **setup, struct shunt_error *error);

/* Traps (SETUP_*) that were asked for by traps_try and stay on, and why, for a person. why may be
 * NULL, and is empty where nothing stays. */
uint8_t setup_remaining(const struct setup *setup, const char **why);

/* Put the interface back, unless others still hold it. NULL is fine.
 *
 * error    may be NULL
 * Returns  0, or what went wrong first; the journal then stays for setup_recover */
int setup_close(struct setup *setup, struct shunt_error *error);

struct setup_recovered {
  unsigned journals; /* that were left by processes which are gone */
  unsigned settings; /* put back */
  unsigned held;     /* journals whose owners live: left alone */
  unsigned others;   /* journals of other network namespaces: left alone, too; those of namespaces
                        that are gone are removed */
};

/* Put back what processes that are gone have left changed, in this network namespace.
 *
 * interface  NULL: all
 * dry        count only, change nothing
 * Returns    0, also where there was nothing; -errno: what could not be put back first */
int setup_recover(const char *directory, const char *interface, bool dry,
                  const struct shunt_log *log, struct setup_recovered *recovered,
                  struct shunt_error *error);

#endif
