/* SPDX-License-Identifier: BSD-2-Clause */
/* What --count asks for, and an end where it does not come: after --give-up seconds without one
 * more a command ends, and says what it was waiting for and how things stand. */
#ifndef TOOLS_SHUNT_GOAL_H
#define TOOLS_SHUNT_GOAL_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"

struct devices;

struct goal {
  const char *what; /* "frames sent" */
  uint64_t count;   /* 0: as many as come */
  uint64_t (*reached)(const void *context);
  bool (*waits)(const void *context); /* for its own time, as for the next frame's; NULL: never */
  const void *context;                /* of both */
  const char *remedy;                 /* where the links are up */
  double give_up_s; /* --give-up; below 0: usual_s where count and no --seconds are */
  double usual_s;

  uint64_t seen, looked_ns; /* at the last look: how much, and when */
  double quiet_ns;          /* for how long */
};

/* For the table of options; goal->give_up_s is below 0 before. */
#define GOAL_OPTION(goal, usual)                                                                   \
  {                                                                                                \
    "give-up", 0, "SECONDS",                                                                       \
        "End after so long without one more; 0: never (with --count " usual ").", CLI_DOUBLE,      \
        &(goal)->give_up_s, 0, 1e7                                                                 \
  }

/* Look at it, a few times a second. Time in which nobody looks, as of a process that was stopped,
 * does not count: whatever the patience, it takes four looks without progress.
 *
 * Returns 0, or -ETIMEDOUT with error filled: nothing has moved for too long */
int goal_check(struct goal *goal, struct devices *devices, uint64_t now_ns,
               struct shunt_error *error);

/* Say in an error how the devices stand, and what to do about it. */
void goal_explain(const struct goal *goal, const struct devices *devices,
                  struct shunt_error *error);

#endif
