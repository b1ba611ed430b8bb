/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending at a rate, open loop: each frame has a time at which it is meant to go, whatever became
 * of those before it. One that goes late is sent late and counted late, and does not move the
 * others: so a stall shows, and in full. */
#ifndef TOOLS_SHUNT_PACING_H
#define TOOLS_SHUNT_PACING_H

#include <stdbool.h>

#include "shunt/histogram.h"

#define PACING_NEAR_NS UINT64_C(2000000) /* twice the longest sleep of an idle thread */

/* Rounds at the end in which what was due and not sent yet can still go. */
#define PACING_LAST_ROUNDS 16

struct pacing {
  uint64_t start_ns;
  double interval_ns; /* 0: as fast as it goes */
  uint64_t sent;
  struct shunt_histogram *lateness; /* of each frame, in nanoseconds */
};

/* rate_pps  frames per second; 0: as fast as it goes, when every frame is due at once
 * Returns   0 or -ENOMEM */
int pacing_init(struct pacing *pacing, uint64_t start_ns, double rate_pps,
                struct shunt_error *error);
void pacing_end(struct pacing *pacing);

/* When frame number index, from 0 on, is meant to go. */
static inline uint64_t pacing_due_ns(const struct pacing *pacing, uint64_t index)
{
  return pacing->start_ns + (uint64_t)((double)index * pacing->interval_ns);
}

/* How many frames should be sent by now and are not, at most most. */
unsigned pacing_due(const struct pacing *pacing, uint64_t now_ns, unsigned most);

/* Is the next frame due so soon that a thread which sleeps now would send it late? */
static inline bool pacing_is_near(const struct pacing *pacing, uint64_t now_ns)
{
  return pacing_due_ns(pacing, pacing->sent) < now_ns + PACING_NEAR_NS;
}

/* The next n frames have been sent. */
void pacing_sent(struct pacing *pacing, uint64_t now_ns, unsigned n);

#endif
