/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel can do for XDP programs and AF_XDP sockets: tried out, not concluded from its
 * version, for distributions carry features back and configurations leave them out. */
#ifndef SRC_BPF_FEATURES_H
#define SRC_BPF_FEATURES_H

#include <stdbool.h>

#include "shunt/error.h"

enum feature {
  FEATURE_XDP,                /* XDP programs at all */
  FEATURE_XDP_SOCKET,         /* AF_XDP sockets */
  FEATURE_XSKMAP,             /* the map from queue to socket */
  FEATURE_BATCH,              /* many map elements per system call */
  FEATURE_XDP_LINK,           /* programs that go when their process ends */
  FEATURE_NO_MEMLOCK,         /* maps are charged to the cgroup, not to RLIMIT_MEMLOCK */
  FEATURE_BUSY_POLL,          /* SO_PREFER_BUSY_POLL */
  FEATURE_FRAGMENTS,          /* BPF_F_XDP_HAS_FRAGS */
  FEATURE_LIVE_FRAMES,        /* BPF_PROG_TEST_RUN that acts on the verdict */
  FEATURE_DEVICE_BOUND,       /* BPF_F_XDP_DEV_BOUND_ONLY */
  FEATURE_RX_TIME,            /* bpf_xdp_metadata_rx_timestamp */
  FEATURE_SOCKET_FRAGMENTS,   /* XDP_USE_SG */
  FEATURE_TX_METADATA,        /* checksum and timestamp requests per frame */
  FEATURE_TX_METADATA_LENGTH, /* XDP_UMEM_TX_METADATA_LEN, without which later kernels ignore it */
  FEATURE_TX_BUDGET,          /* XDP_MAX_TX_SKB_BUDGET */
  FEATURE_COUNT
};

enum feature_state { FEATURE_UNTRIED, FEATURE_PRESENT, FEATURE_ABSENT, FEATURE_UNKNOWN };

/* What was found out so far; {0} to begin with. Belongs to whoever asks, one thread at a time. */
struct features {
  struct {
    enum feature_state state;
    int code; /* what the probe's system call returned: 0 or -errno */
  } of[FEATURE_COUNT];
};

/* "XDP programs held by a link" and "5.9": what it is for and which Linux brought it. */
const char *feature_name(enum feature feature);
const char *feature_since(enum feature feature);

/* Whether the kernel has a feature, tried at the first call and remembered in features.
 * FEATURE_UNKNOWN: we may not try (CAP_BPF or CAP_NET_RAW is missing); code says why. */
enum feature_state features_state(struct features *features, enum feature feature);

/* 0 where the kernel has a feature, or where we may not try it; else -EOPNOTSUPP, and an error that
 * names the feature, the version that brings it and the running one.
 *
 * wanted  for whom: "rules with a receive time" */
int features_need(struct features *features, enum feature feature, const char *wanted,
                  struct shunt_error *error);

#endif
