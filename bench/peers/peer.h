/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process that is measured on an interface shares with the one that measures it: a page, in
 * a file whose descriptor it was given. */
#ifndef BENCH_PEERS_PEER_H
#define BENCH_PEERS_PEER_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

enum peer_what {
  PEER_RECEIVE, /* and drop */
  PEER_SEND,    /* frames of 60 bytes, for nobody */
  PEER_FORWARD, /* send back what comes, its addresses swapped */
  PEER_ANSWER,  /* the same, one frame after the other, as soon as can be */
};

#define PEER_BATCH       64u
#define PEER_FRAME_BYTES 60u

enum peer_state { PEER_STARTING, PEER_WORKING, PEER_FAILED };

struct peer_page {
  atomic_uint state;                       /* enum peer_state; the peer's */
  atomic_uint ended;                       /* whoever measures says so */
  char why[256];                           /* PEER_FAILED */
  alignas(64) atomic_uint_fast64_t frames; /* that were received; the peer's */
};

/* One burst more. */
static inline void peer_count(struct peer_page *page, unsigned n)
{
  uint64_t now = atomic_load_explicit(&page->frames, memory_order_relaxed);
  atomic_store_explicit(&page->frames, now + n, memory_order_relaxed);
}

static inline int peer_goes_on(struct peer_page *page)
{
  return !atomic_load_explicit(&page->ended, memory_order_relaxed);
}

#endif
