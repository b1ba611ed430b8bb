/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeping until an event queue has events: on a driver handle, an epoll instance that devices'
 * queues are put into when they are primed, or in ef_eventq_wait.
 *
 * A card looks at what came before it was primed, and wakes for events of every kind; queues of
 * devices here wake for frames that come later. So each event queue has a timer in the handle, too,
 * which runs out at once where there are events already. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "src/efvi/checked.h"

/* How long we sleep at a time where nothing wakes us: a twin of this process needs a turn, and no
 * device here tells that packets were sent. */
#define TURN_NS UINT64_C(1000000)

/* --- The timer ----------------------------------------------------------------------------------
 */

int efvi_timer_open(ef_driver_handle handle)
{
  struct epoll_event event = {.events = EPOLLIN};
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd >= 0 && epoll_ctl(handle, EPOLL_CTL_ADD, fd, &event) == 0)
    return fd;
  const int code = -errno;
  if (fd >= 0)
    close(fd);
  return efvi_refuse(code, "no timer of the driver handle %d", handle);
}

/* Wake after so long; 0: not by time, and not because of what was. */
static void wake_after(const struct efvi_vi *vi, uint64_t ns)
{
  const struct itimerspec value = {.it_value = {.tv_nsec = (long)ns}};
  (void)timerfd_settime(vi->wake_fd, 0, &value, NULL);
}

void efvi_wake(const struct efvi_vi *vi)
{
  if (vi->wake_fd >= 0)
    wake_after(vi, 1);
}

/* The event queue's timer, in the handle. Who puts software events asks for it under the lock. */
static int wake_make(struct efvi_vi *vi, ef_driver_handle handle)
{
  struct epoll_event event = {.events = EPOLLIN};
  if (vi->wake_fd >= 0)
    return epoll_ctl(handle, EPOLL_CTL_ADD, vi->wake_fd, &event) == 0 || errno == EEXIST
               ? 0
               : efvi_refuse(-errno, "can't wait with the handle %d", handle);
  efvi_lock();
  const int fd = efvi_timer_open(handle);
  if (fd >= 0)
    vi->wake_fd = fd;
  efvi_unlock();
  return fd < 0 ? fd : 0;
}

int efvi_watch(struct shunt_queue *queue, ef_driver_handle handle, struct shunt_error *error)
{
  struct epoll_event event = {.events = EPOLLIN};
  const int fd = shunt_queue_fd(queue, error);
  if (fd < 0)
    return fd;
  if (epoll_ctl(handle, EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST)
    return shunt_error_set(error, -errno, "can't wait with the handle %d", handle);
  return 0;
}

void efvi_unwatch(struct shunt_queue *queue, ef_driver_handle handle)
{
  struct shunt_error error;
  (void)epoll_ctl(handle, EPOLL_CTL_DEL, shunt_queue_fd(queue, &error), NULL);
}

/* The handle stays, and so may the queue: what comes for it later wakes nobody. */
void efvi_wake_end(struct efvi_vi *vi)
{
  if (vi->wake_handle >= 0 && vi->device->spread)
    efvi_spread_unwatch(vi);
  else if (vi->wake_handle >= 0)
    efvi_unwatch(vi->queue, vi->wake_handle);
  if (vi->wake_fd >= 0)
    close(vi->wake_fd);
}

/* Whether packets are on their way, or twins are not moved by anybody else. A caller that brings a
 * clock of its own moves them, too. */
static bool needs_turns(const struct efvi_vi *vi)
{
  return vi->tx_told != vi->state.txq.previous || (vi->alternatives && vi->alternatives->flying) ||
         (vi->device->info.steps && !efvi_state()->clock);
}

static uint64_t turn_ns(const ef_vi *user)
{
  for (int q = 0; q < user->vi_qs_n; q++)
    if (user->vi_qs[q] && needs_turns(efvi_own(user->vi_qs[q])))
      return TURN_NS;
  return 0;
}

/* --- Priming ------------------------------------------------------------------------------------
 */

static int prime_one(struct efvi_vi *vi, ef_driver_handle handle, struct shunt_error *error)
{
  const bool spread = vi->device->spread;
  if (!vi->device->sleeps) {
    shunt_error_set(error, -EOPNOTSUPP, "%s can't wake anybody", vi->device->name);
    shunt_error_why(error, "the device has no interrupts that reach this process");
    shunt_error_remedy(error, "poll it");
    return -EOPNOTSUPP;
  }
  const int result =
      spread ? efvi_spread_watch(vi, handle, error) : efvi_watch(vi->queue, handle, error);
  if (result)
    return result;
  if (!spread)
    vi->wake_handle = handle;
  vi->primed = vi->tx_aside = true;
  __atomic_store_n(&vi->detour, true, __ATOMIC_RELAXED); /* the next poll sees that it was */
  if (spread)
    efvi_spread_arm(vi);
  else
    shunt_queue_arm(vi->queue);
  return 0;
}

/* What is sent from now on is told of as well: once is enough, as who wakes and finds nothing
 * primes again. */
void efvi_wake_sent(struct efvi_vi *vi)
{
  const struct efvi_vi *queue = efvi_own(vi->user->evq_vi);
  vi->primed = false;
  vi->tx_aside = vi->tx_warm;
  if (queue->wake_fd >= 0)
    wake_after(queue, TURN_NS);
}

void efvi_wake_over(const ef_vi *user)
{
  for (int q = 0; q < user->vi_qs_n; q++) {
    struct efvi_vi *vi = user->vi_qs[q] ? efvi_own(user->vi_qs[q]) : NULL;
    if (!vi)
      continue;
    vi->primed = false;
    vi->tx_aside = vi->tx_warm;
  }
}

static int prime_queues(ef_vi *user, ef_driver_handle handle)
{
  struct shunt_error error = {0};
  int result = 0;
  for (int q = 0; q < user->vi_qs_n && !result; q++)
    if (user->vi_qs[q])
      result = prime_one(efvi_own(user->vi_qs[q]), handle, &error);
  if (result)
    return efvi_fail(&error);
  result = wake_make(efvi_own(user), handle);
  if (!result)
    wake_after(efvi_own(user), turn_ns(user));
  return result;
}

/* What came before the queues were armed wakes, too. */
static int prime(ef_vi *user, ef_driver_handle handle)
{
  const int result = prime_queues(user, handle);
  if (!result && efvi_eventq_has_event(user))
    efvi_wake(efvi_own(user));
  return result;
}

void efvi_eventq_prime(ef_vi *user)
{
  (void)prime(user, user->dh);
}

static int check(const ef_vi *vi, ef_driver_handle dh)
{
  if (!efvi_vi_of(vi))
    return efvi_refuse(-EINVAL, "this is no interface");
  efvi_lock();
  const bool known = efvi_handle_known(dh);
  efvi_unlock();
  return known ? 0 : efvi_refuse(-EBADF, "%d is no driver handle", dh);
}

/* current_ptr has no say: events behind it are seen by looking at the rings. */
int ef_vi_prime(ef_vi *vi, ef_driver_handle dh, unsigned current_ptr)
{
  (void)current_ptr;
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_prime", -EBUSY);
  const int result = check(vi, dh);
  return result ? result : prime(vi, dh);
}

/* --- Waiting ------------------------------------------------------------------------------------
 */

static bool is_over(ef_vi *vi)
{
  return efvi_eventq_has_event(vi) || efvi_timer_expired(efvi_own(vi));
}

/* Milliseconds to wait at a time, of what is left. */
static int wait_ms(bool forever, uint64_t now_ns, uint64_t end_ns)
{
  const uint64_t left_ms = forever ? 1000 : (end_ns - now_ns + 999999) / 1000000;
  return left_ms < 1000 ? (int)left_ms : 1000;
}

int ef_eventq_wait(ef_vi *vi, ef_driver_handle vi_dh, unsigned current_ptr,
                   const struct timeval *timeout)
{
  (void)current_ptr;
  int result = check(vi, vi_dh);
  EFVI_ENTER(efvi_vi_of(vi), "ef_eventq_wait", -EBUSY);
  if (result)
    return result;
  if (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0 || timeout->tv_usec >= 1000000))
    return efvi_refuse(-EINVAL, "a time of %lld s and %ld us", (long long)timeout->tv_sec,
                       (long)timeout->tv_usec);
  uint64_t now_ns = shunt_monotonic_ns(), end_ns = now_ns;
  if (timeout)
    end_ns += (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_usec * 1000u;
  while (!(result = prime_queues(vi, vi_dh)) && !is_over(vi)) {
    if (timeout && now_ns >= end_ns)
      return -ETIMEDOUT;
    struct pollfd wait = {.fd = vi_dh, .events = POLLIN};
    (void)poll(&wait, 1, wait_ms(!timeout, now_ns, end_ns));
    now_ns = shunt_monotonic_ns();
  }
  efvi_wake_over(vi);
  return result;
}
