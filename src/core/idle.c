/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/idle.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <time.h>

#include "shunt/counter.h"

#define IDLE_SPIN_ROUNDS  1000
#define IDLE_YIELD_ROUNDS 100
#define IDLE_SLEEP_MIN_NS UINT64_C(10000)
#define IDLE_SLEEP_MAX_NS UINT64_C(1000000)
#define NS_PER_S          UINT64_C(1000000000)

extern inline void shunt_idle_work(struct shunt_idle *idle);
extern inline void shunt_idle_none(struct shunt_idle *idle);

int shunt_idle_init(struct shunt_idle *idle, const struct shunt_idle_options *options,
                    struct shunt_error *error)
{
  static const struct shunt_idle_options spin = {.mode = SHUNT_IDLE_SPIN};
  struct shunt_idle made = {.options = options != NULL ? *options : spin};
  struct shunt_idle_options *chosen = &made.options;
  if ((unsigned)chosen->mode > SHUNT_IDLE_FD) {
    shunt_error_set(error, -EINVAL, "can't set up how to wait");
    shunt_error_why(error, "there is no mode %d", (int)chosen->mode);
    return -EINVAL;
  }
  if (chosen->mode == SHUNT_IDLE_FD && chosen->fd < 0) {
    shunt_error_set(error, -EINVAL, "can't set up how to wait");
    shunt_error_why(error, "the mode is to wait for a descriptor, and there is none (%d)",
                    chosen->fd);
    shunt_error_remedy(error, "open the queue with interrupts, or choose to sleep");
    return -EINVAL;
  }
  if (chosen->spin_rounds == 0)
    chosen->spin_rounds = IDLE_SPIN_ROUNDS;
  if (chosen->yield_rounds == 0)
    chosen->yield_rounds = IDLE_YIELD_ROUNDS;
  if (chosen->sleep_min_ns == 0)
    chosen->sleep_min_ns = IDLE_SLEEP_MIN_NS;
  if (chosen->sleep_max_ns == 0)
    chosen->sleep_max_ns = IDLE_SLEEP_MAX_NS;
  if (chosen->sleep_min_ns > chosen->sleep_max_ns)
    chosen->sleep_min_ns = chosen->sleep_max_ns;
  if (chosen->clock == NULL)
    chosen->clock = shunt_clock_real();
  *idle = made;
  return 0;
}

static void idle_sleep(struct shunt_idle *idle, bool first)
{
  const struct shunt_idle_options *options = &idle->options;
  if (first)
    idle->sleep_ns = options->sleep_min_ns;
  else if (idle->sleep_ns > options->sleep_max_ns / 2)
    idle->sleep_ns = options->sleep_max_ns;
  else
    idle->sleep_ns *= 2;
  shunt_counter_add(&idle->sleeps, 1);
  shunt_clock_sleep_ns(options->clock, idle->sleep_ns);
}

static void idle_wait(struct shunt_idle *idle)
{
  const struct shunt_idle_options *options = &idle->options;
  bool work = options->arm != NULL && options->arm(options->context);
  if (!work) {
    struct pollfd fd = {.fd = options->fd, .events = POLLIN};
    struct timespec longest = {.tv_sec = (time_t)(options->sleep_max_ns / NS_PER_S),
                               .tv_nsec = (long)(options->sleep_max_ns % NS_PER_S)};
    shunt_counter_add(&idle->waits, 1);
    /* A signal, and a descriptor that can't be waited for, end the wait: the caller polls again,
     * and loses nothing but the sleep. */
    if (ppoll(&fd, 1, &longest, NULL) > 0)
      shunt_counter_add(&idle->wakeups, 1);
  }
  if (options->disarm != NULL)
    options->disarm(options->context);
}

void shunt_idle_pause(struct shunt_idle *idle)
{
  const struct shunt_idle_options *options = &idle->options;
  if (options->mode == SHUNT_IDLE_SPIN) {
    shunt_cpu_relax();
    return;
  }
  uint64_t yields_end = (uint64_t)options->spin_rounds + options->yield_rounds;
  bool yield = options->mode == SHUNT_IDLE_YIELD || idle->rounds < yields_end;
  bool first_sleep = idle->rounds == yields_end;
  if (idle->rounds <= yields_end && idle->rounds < UINT32_MAX)
    idle->rounds++;
  if (yield) {
    shunt_counter_add(&idle->yields, 1);
    sched_yield();
    return;
  }
  if (options->mode == SHUNT_IDLE_SLEEP)
    idle_sleep(idle, first_sleep);
  else
    idle_wait(idle);
}
