/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of event queues. As with the cards, a timer's end is no event that a poll returns: it
 * wakes who sleeps on the driver handle, or in ef_eventq_wait. */
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "src/efvi/path.h"

/* The timer, in the handle that the interface was made with. */
static bool timer_make(struct efvi_vi *vi)
{
  if (vi->timer_fd >= 0)
    return true;
  const int fd = efvi_timer_open(vi->user->dh);
  if (fd < 0)
    return false;
  vi->timer_fd = fd;
  __atomic_store_n(&vi->detour, true, __ATOMIC_RELAXED);
  return true;
}

/* Run out after so long; 0: never. */
static void timer_set(struct efvi_vi *vi, uint64_t ns)
{
  const struct itimerspec value = {
      .it_value = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)}};
  (void)timerfd_settime(vi->timer_fd, 0, &value, NULL); /* forgets an end that nobody has seen */
  vi->timer_runs = ns != 0;
}

/* 0 would stop it. */
static uint64_t at_least_1(uint64_t ns)
{
  return ns ? ns : 1;
}

void efvi_timer_clear(ef_vi *user)
{
  struct efvi_vi *vi = efvi_own(user);
  vi->timer_primed = 0;
  if (vi->timer_fd >= 0)
    timer_set(vi, 0);
}

void efvi_timer_prime(ef_vi *user, unsigned us)
{
  struct efvi_vi *vi = efvi_own(user);
  if (!timer_make(vi))
    return;
  timer_set(vi, 0);
  vi->timer_primed = at_least_1(us * UINT64_C(1000));
}

void efvi_timer_zero(ef_vi *user)
{
  efvi_timer_prime(user, 0);
}

void efvi_timer_run(ef_vi *user, unsigned us)
{
  struct efvi_vi *vi = efvi_own(user);
  if (!timer_make(vi))
    return;
  vi->timer_primed = 0;
  timer_set(vi, at_least_1(us * UINT64_C(1000)));
}

bool efvi_timer_expired(struct efvi_vi *vi)
{
  uint64_t times;
  if (!vi->timer_runs || read(vi->timer_fd, &times, sizeof(times)) != (ssize_t)sizeof(times))
    return false;
  vi->timer_runs = false;
  return true;
}

void efvi_timer_polled(struct efvi_vi *vi, bool events)
{
  (void)efvi_timer_expired(vi);
  if (!events || !vi->timer_primed)
    return;
  timer_set(vi, vi->timer_primed);
  vi->timer_primed = 0;
}
