/* SPDX-License-Identifier: BSD-2-Clause */
/* The checked build (SHUNT_CHECKED): what a program may not do with an interface, and what an
 * ordinary build doesn't look for, is refused, and what is refused names the place in the program
 * that asked for it: shunt_last_error()->why has module and offset, ->remedy the command that makes
 * a line of it. In the ordinary build nothing of this is there.
 *
 * Rules, each with the error of the call that breaks it:
 *   -EBUSY   one thread calls an interface while another is in a call of it
 *   -EEXIST  a receive buffer is posted that overlaps one that a device has
 *   -EINVAL  an event is unbundled twice, or after a flush: its request ids are out of date
 *   -EBUSY   memory is freed in which posted receive buffers lie
 * and, as in every build, -EFAULT for memory that is not registered. Calls that return nothing do
 * nothing then. */
#ifndef SRC_EFVI_CHECKED_H
#define SRC_EFVI_CHECKED_H

#include "src/efvi/path.h"

#ifdef SHUNT_CHECKED

extern const struct ops efvi_ops_checked;
#define EFVI_OPS efvi_ops_checked

/* A call's stay in an interface. */
struct efvi_inside {
  struct efvi_vi *vi; /* NULL: of none, or refused */
  bool refused;
};

/* Interfaces that share an event queue are one here, as a poll of that touches the rings of all.
 *
 * vi    NULL: only the place is kept
 * call  the function as the program knows it
 * site  where it returns to */
struct efvi_inside efvi_check_enter(struct efvi_vi *vi, const char *call, const void *site);
void efvi_check_leave(struct efvi_inside *inside);
/* The call frees the interface: there is nothing to leave any more. */
void efvi_check_end(struct efvi_inside *inside, const struct efvi_vi *vi);

/* Begin a call that a program makes, until the function returns; behind the name: what it returns
 * where it is refused. */
#define EFVI_ENTER(vi, call, ...)                                                                  \
  struct efvi_inside inside_ __attribute__((cleanup(efvi_check_leave))) =                          \
      efvi_check_enter(vi, call, __builtin_return_address(0));                                     \
  if (inside_.refused)                                                                             \
  return __VA_ARGS__
/* In such a call: it frees the interface. */
#define EFVI_END(vi) efvi_check_end(&inside_, vi)

/* Add the place to an error that says no reason yet, or behind the reason. */
void efvi_check_site(struct shunt_error *error);

/* Whether an event's packets were not unbundled yet. */
bool efvi_check_event(struct efvi_vi *vi, const ef_event *event);
/* Whether no receive buffer that the device has lies in pages of a registration. Lock held. Returns
 * 0 or -EBUSY. */
int efvi_check_memory(const struct efvi_pd *pd, uint64_t first_page, uint64_t pages);

#else

#define EFVI_OPS                  efvi_ops
#define EFVI_ENTER(vi, call, ...) (void)0
#define EFVI_END(vi)              (void)0

static inline void efvi_check_site(struct shunt_error *error)
{
  (void)error;
}

static inline bool efvi_check_event(struct efvi_vi *vi, const ef_event *event)
{
  (void)vi, (void)event;
  return true;
}

static inline int efvi_check_memory(const struct efvi_pd *pd, uint64_t first_page, uint64_t pages)
{
  (void)pd, (void)first_page, (void)pages;
  return 0;
}

#endif
#endif
