/* SPDX-License-Identifier: BSD-2-Clause */
/* What of AF_XDP needs privilege, behind operations, so that the driver does not care who does it:
 * this process itself (access_direct.c), or a helper that was started with the capabilities and
 * hands over file descriptors (access_helper.c).
 *
 * What is not here needs none: registering memory, making rings, binding, and all that is done with
 * a socket afterwards (XSKMAP updates excepted, which are here).
 *
 * Order of calls: open; setup (at most once); attach, which may be tried with one mode after
 * another until one is granted; socket for each queue, and socket_set once it is bound; rules at
 * any time while a program is attached; close. All calls on one access are made by one thread at a
 * time. */
#ifndef SRC_NIC_XDP_ACCESS_H
#define SRC_NIC_XDP_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt/xdp_rule.h"

struct setup_wanted;
struct shunt_log;
struct xdp_access;
struct xdp_socket_wanted;

/* A program to be attached. */
struct xdp_attach {
  uint32_t mode;        /* XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE or XDP_FLAGS_HW_MODE */
  uint32_t queues;      /* entries of the XSKMAP: the interface's queue ids in use are below it */
  uint32_t queues_used; /* those that sockets are set for are below it: see filter.h */
  bool fragments;       /* frames of several buffers: BPF_F_XDP_HAS_FRAGS */
  uint8_t receive_time; /* enum filter_time: put it in front of the frame; DEVICE: if it can */
  uint8_t vlan;         /* enum filter_vlan: how tags reach the program */
  bool join; /* use the XSKMAP of a program that is there already; rules are its affair */
  const struct shunt_xdp_rule *rules; /* first match wins; what matches none is the kernel's */
  unsigned rule_count;                /* 0: everything is ours */
};

/* What came of it. */
struct xdp_attached {
  uint8_t time; /* enum filter_time: where the time in front of frames comes from */
};

struct xdp_access_ops {
  /* A new AF_XDP socket with these options, the caller's to close. Returns 0; -EPERM (CAP_NET_RAW;
   * CAP_NET_ADMIN for busy polling), -EAFNOSUPPORT (a kernel without AF_XDP), -EMFILE, ... */
  int (*socket)(struct xdp_access *access, const struct xdp_socket_wanted *wanted, int *fd,
                struct shunt_error *error);

  /* Load a filter and attach it. Where it fails nothing is attached, and it can be called again.
   * attached is filled on success. Returns 0; -EOPNOTSUPP (no such mode here), -EBUSY (another
   * program: the error names it), -EPERM, -EINVAL (a rule), ... */
  int (*attach)(struct xdp_access *access, const struct xdp_attach *attach,
                struct xdp_attached *attached, struct shunt_error *error);
  /* Take the program off again. Nothing happens where there is none. */
  void (*detach)(struct xdp_access *access);

  /* Whether what was attached is still there: others can end it, of which no socket tells. Costs at
   * most a few system calls. NULL: nobody can say. Returns 0, or what has ended it, for good:
   * -ENOLINK (the program was taken off, or the owner of a joined one has ended), -ECONNRESET (the
   * helper is gone) */
  int (*check)(struct xdp_access *access, struct shunt_error *error);

  /* Have the program deliver what arrives on this queue of the interface to the socket, which is
   * bound to it; and no longer. */
  int (*socket_set)(struct xdp_access *access, uint32_t queue, int fd, struct shunt_error *error);
  int (*socket_clear)(struct xdp_access *access, uint32_t queue, struct shunt_error *error);

  /* As in src/bpf/filter.h: all of them with one change of the program, or none. The rules of
   * attach have the ids 0, 1, ... */
  int (*rules_add)(struct xdp_access *access, const struct shunt_xdp_rule rules[], unsigned n,
                   uint32_t ids[], struct shunt_error *error);
  int (*rules_remove)(struct xdp_access *access, const uint32_t ids[], unsigned n,
                      struct shunt_error *error);
  int (*rule_hits)(struct xdp_access *access, uint32_t id, uint64_t *packets, uint64_t *bytes,
                   struct shunt_error *error);

  /* Change the interface (channels, MTU, promiscuity, offloads); close puts it back. */
  int (*setup)(struct xdp_access *access, const struct setup_wanted *wanted,
               struct shunt_error *error);

  /* Detach, put the interface back, free. Takes an access in any state. */
  void (*close)(struct xdp_access *access);
};

/* Head of every access. */
struct xdp_access {
  const struct xdp_access_ops *ops;
};

/* This process does it itself, with its own capabilities.
 *
 * interface, ifindex  whose: copied
 * log                 told of what could not be set up and spoils frames; NULL: silent
 * access              where it goes; untouched on failure
 * Returns 0 or -ENOMEM */
int xdp_access_direct_open(const char *interface, int ifindex, const struct shunt_log *log,
                           struct xdp_access **access, struct shunt_error *error);

/* A helper does it. When it ends, or does not answer for 15 s, the connection is over: what it did
 * is undone, check says so, and every call fails with -ECONNRESET. For a reply that comes late
 * would be taken for the next request's.
 *
 * path  the helper's UNIX socket
 * Returns 0; -ENOENT or -ECONNREFUSED (no helper there), -EACCES (it does not serve this user or
 * this interface), -EUSERS (it has no place for one more), -EXDEV (it is in another network
 * namespace), -ECONNRESET, -EPROTO, -ETIMEDOUT */
int xdp_access_helper_open(const char *path, const char *interface, int ifindex,
                           struct xdp_access **access, struct shunt_error *error);

#endif
