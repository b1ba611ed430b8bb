/* SPDX-License-Identifier: BSD-2-Clause */
/* What a polling thread does while there is nothing to do.
 *
 * A polling loop tells its struct shunt_idle after each round whether it found work. The longer it
 * finds none, the less CPU the thread takes and the later it notices the next frame:
 *
 *   rounds without work      what the policy does          notices after    takes
 *   1..spin_rounds           PAUSE                         ~40 ns           the whole CPU
 *   then yield_rounds more   sched_yield                   ~1 us            what others leave
 *   after that, by mode      sleep, doubled each round     sleep_max_ns     almost nothing
 *                            or wait for a descriptor      ~5-50 us         nothing
 *
 * One round with work starts it all over. How long a PAUSE is depends on the CPU (10 to 140
 * cycles). */
#ifndef SHUNT_IDLE_H
#define SHUNT_IDLE_H

#include <stdbool.h>

#include "shunt/base.h"
#include "shunt/clock.h"
#include "shunt/cpu.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

enum shunt_idle_mode {
  SHUNT_IDLE_SPIN,  /* never give the CPU away: for a CPU that is isolated */
  SHUNT_IDLE_YIELD, /* spin, then yield: for a CPU that is shared with a thread we wait for */
  SHUNT_IDLE_SLEEP, /* spin, yield, then sleep */
  SHUNT_IDLE_FD,    /* spin, yield, then wait until a descriptor is readable (an interrupt) */
};

struct shunt_idle_options {
  enum shunt_idle_mode mode;
  uint32_t spin_rounds;  /* 0: 1000, some 40 us */
  uint32_t yield_rounds; /* 0: 100 */
  uint64_t sleep_min_ns; /* the first sleep; 0: 10 us */
  uint64_t sleep_max_ns; /* the longest sleep, and the longest wait for fd; 0: 1 ms */
  int fd;                /* SHUNT_IDLE_FD: what becomes readable, e.g. an eventfd of MSI-X */
  /* SHUNT_IDLE_FD, both may be NULL. arm asks for an interrupt and then looks for work once more;
   * where it says true there is some, and nobody waits: what arrived between the last poll and the
   * arming is not missed. disarm is called after each arm, to mask the interrupt and empty fd. */
  bool (*arm)(void *context);
  void (*disarm)(void *context);
  void *context;
  const struct shunt_clock *clock; /* to sleep on; NULL: the real one. Not for waits on fd. */
};

/* Thread: the polling one. The counters may be read by any thread (shunt_counter_read). */
struct shunt_idle {
  struct shunt_idle_options options;
  uint32_t rounds; /* without work, since the last one with */
  uint64_t sleep_ns;
  uint64_t yields; /* how often it was done since init */
  uint64_t sleeps;
  uint64_t waits;   /* on fd */
  uint64_t wakeups; /* of which ended before their time, by fd */
};

/* Set up a policy.
 *
 * options  NULL: spin. The clock stays the caller's, and must outlive idle
 * Returns  0; -EINVAL where mode is none of the four, or SHUNT_IDLE_FD comes without fd */
int shunt_idle_init(struct shunt_idle *idle, const struct shunt_idle_options *options,
                    struct shunt_error *error);

/* The part of shunt_idle_none that is beyond spinning; not to be called by itself. */
void shunt_idle_pause(struct shunt_idle *idle);

/* This round found work. */
inline void shunt_idle_work(struct shunt_idle *idle)
{
  idle->rounds = 0;
}

/* This round found none: spin, yield, sleep or wait, as the policy says. Never fails; comes back
 * after sleep_max_ns at the latest, by the clock that it sleeps on. */
inline void shunt_idle_none(struct shunt_idle *idle)
{
  if (SHUNT_LIKELY(idle->rounds < idle->options.spin_rounds)) {
    idle->rounds++;
    shunt_cpu_relax();
    return;
  }
  shunt_idle_pause(idle);
}

SHUNT_END_DECLS

#endif
