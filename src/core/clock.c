/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/clock.h"
#include "shunt/cpu.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "src/core/error_internal.h"
#include "src/core/sysfs.h"

#define NS_PER_S        UINT64_C(1000000000)
#define TSC_SPAN_NS     UINT64_C(5000000) /* each of the two halves of a calibration */
#define TSC_ATTEMPTS    8
#define TSC_SAMPLES     16
#define TSC_TOLERANCE   10000 /* the halves must agree to one part in this many */
#define TSC_MIN_HZ      UINT64_C(1000000)
#define TSC_SOURCE_FILE "/sys/devices/system/clocksource/clocksource0/available_clocksource"

extern inline uint64_t shunt_clock_now_ns(const struct shunt_clock *clock);
extern inline void shunt_clock_sleep_ns(const struct shunt_clock *clock, uint64_t duration_ns);
extern inline uint64_t shunt_tsc_ticks(void);
extern inline uint64_t shunt_tsc_ticks_ordered(void);
extern inline uint64_t shunt_tsc_to_ns(const struct shunt_tsc *tsc, uint64_t ticks);
extern inline uint64_t shunt_tsc_now_ns(const struct shunt_tsc *tsc);
extern inline uint64_t shunt_tsc_now_ordered_ns(const struct shunt_tsc *tsc);

static uint64_t clock_add(uint64_t time_ns, uint64_t duration_ns)
{
  return duration_ns > UINT64_MAX - time_ns ? UINT64_MAX : time_ns + duration_ns;
}

/* ---- The real clock ---- */

uint64_t shunt_monotonic_ns(void)
{
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t real_now_ns(void *context)
{
  (void)context;
  return shunt_monotonic_ns();
}

/* The kernel wakes a sleeper up to its timer slack, 50 us, late (prctl(2), PR_SET_TIMERSLACK), and
 * a bit-banged bus has thousands of pauses of a few microseconds: shorter ones are waited out
 * awake. */
#define SPIN_MOST_NS 30000u

static void real_sleep_ns(void *context, uint64_t duration_ns)
{
  (void)context;
  uint64_t until_ns = clock_add(shunt_monotonic_ns(), duration_ns);
  if (duration_ns && duration_ns <= SPIN_MOST_NS) {
    while (shunt_monotonic_ns() < until_ns)
      shunt_cpu_relax();
    return;
  }
  struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                           .tv_nsec = (long)(until_ns % NS_PER_S)};
  /* An absolute time, so that a sleep that signals interrupt again and again does not grow. */
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
    ;
}

const struct shunt_clock *shunt_clock_real(void)
{
  static const struct shunt_clock real = {.now_ns = real_now_ns, .sleep_ns = real_sleep_ns};
  return &real;
}

int shunt_wait_until(const struct shunt_clock *clock, uint64_t deadline_ns, uint64_t poll_ns,
                     bool (*done)(void *context), void *context)
{
  for (;;) {
    uint64_t now_ns = shunt_clock_now_ns(clock);
    if (done(context))
      return 0;
    if (now_ns >= deadline_ns)
      return -ETIMEDOUT;
    uint64_t left_ns = deadline_ns - now_ns;
    shunt_clock_sleep_ns(clock, poll_ns < left_ns ? poll_ns : left_ns);
  }
}

/* ---- The CPU's counter ---- */

struct tsc_sample {
  uint64_t ticks;
  uint64_t ns;
};

/* Whether the counter runs at one rate through all sleep and frequency states, and what says so. */
static enum shunt_tsc_source tsc_find(const char **reason)
{
#if defined(__x86_64__)
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) || !(edx & 1u << 8)) {
    *reason = "the CPU has no invariant TSC (CPUID 0x80000007 EDX bit 8)";
    return SHUNT_TSC_MONOTONIC;
  }
  if (!__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) || !(edx & 1u << 27)) {
    *reason = "the CPU has no RDTSCP (CPUID 0x80000001 EDX bit 27)";
    return SHUNT_TSC_MONOTONIC;
  }
  char sources[128];
  if (sysfs_read(TSC_SOURCE_FILE, sources, sizeof sources) == 0 && !strstr(sources, "tsc")) {
    *reason = "the kernel has found the TSC unstable (it is not an available clock source)";
    return SHUNT_TSC_MONOTONIC;
  }
  *reason = "the CPU has an invariant TSC";
  return SHUNT_TSC_X86;
#elif defined(__aarch64__)
  *reason = "the CPU has the architected counter";
  return SHUNT_TSC_ARM64;
#else
  *reason = "no counter is known for this CPU";
  return SHUNT_TSC_MONOTONIC;
#endif
}

/* Read both clocks at one moment: the tightest of some tries, so that an interrupt between the
 * readings does no harm. */
static struct tsc_sample tsc_sample(void)
{
  struct tsc_sample best = {0};
  uint64_t best_width = UINT64_MAX;
  for (int i = 0; i < TSC_SAMPLES; i++) {
    uint64_t before = shunt_tsc_ticks_ordered();
    uint64_t ns = shunt_monotonic_ns();
    uint64_t width = shunt_tsc_ticks_ordered() - before;
    if (width >= best_width)
      continue;
    best_width = width;
    best = (struct tsc_sample){.ticks = before + width / 2, .ns = ns};
  }
  return best;
}

/* Ticks per second between two samples; 0 where a clock stood still or ran backwards. */
static uint64_t tsc_rate_hz(struct tsc_sample from, struct tsc_sample to)
{
  if (to.ns <= from.ns || to.ticks <= from.ticks)
    return 0;
  return (uint64_t)((double)(to.ticks - from.ticks) * (double)NS_PER_S / (double)(to.ns - from.ns));
}

static bool tsc_rates_agree(uint64_t a_hz, uint64_t b_hz)
{
  uint64_t difference = a_hz > b_hz ? a_hz - b_hz : b_hz - a_hz;
  return a_hz >= TSC_MIN_HZ && b_hz >= TSC_MIN_HZ && difference <= a_hz / TSC_TOLERANCE;
}

void shunt_tsc_use_monotonic(struct shunt_tsc *tsc)
{
  *tsc = (struct shunt_tsc){.source = SHUNT_TSC_MONOTONIC, .reason = "the caller asked for it"};
}

int shunt_tsc_calibrate(struct shunt_tsc *tsc, struct shunt_error *error)
{
  shunt_tsc_use_monotonic(tsc);
  struct timespec resolution;
  if (clock_getres(CLOCK_MONOTONIC, &resolution) != 0)
    return error_set_errno(error, -errno, "can't read CLOCK_MONOTONIC");
  enum shunt_tsc_source source = tsc_find(&tsc->reason);
  if (source == SHUNT_TSC_MONOTONIC)
    return 0;

  for (int attempt = 0; attempt < TSC_ATTEMPTS; attempt++) {
    struct tsc_sample first = tsc_sample();
    real_sleep_ns(NULL, TSC_SPAN_NS);
    struct tsc_sample middle = tsc_sample();
    real_sleep_ns(NULL, TSC_SPAN_NS);
    struct tsc_sample last = tsc_sample();
    /* Halves that disagree: a virtual machine was moved or stopped, or the counter is no clock. */
    if (!tsc_rates_agree(tsc_rate_hz(first, middle), tsc_rate_hz(middle, last)))
      continue;
    tsc->source = source;
    tsc->base_ticks = first.ticks;
    tsc->base_ns = first.ns;
    tsc->frequency_hz = tsc_rate_hz(first, last);
    tsc->mult = (uint64_t)((double)(last.ns - first.ns) / (double)(last.ticks - first.ticks) *
                           (double)(UINT64_C(1) << SHUNT_TSC_SHIFT));
    return 0;
  }
  tsc->reason = "the counter's rate against CLOCK_MONOTONIC was never twice the same";
  return 0;
}

const char *shunt_tsc_source_name(const struct shunt_tsc *tsc)
{
  switch (tsc->source) {
  case SHUNT_TSC_X86:
    return "tsc";
  case SHUNT_TSC_ARM64:
    return "cntvct";
  case SHUNT_TSC_MONOTONIC:
    break;
  }
  return "monotonic";
}

static uint64_t tsc_now_ns(void *context)
{
  return shunt_tsc_now_ns((const struct shunt_tsc *)context);
}

struct shunt_clock shunt_tsc_clock(const struct shunt_tsc *tsc)
{
  /* The context loses its const only on the way through the callback. */
  return (struct shunt_clock){
      .now_ns = tsc_now_ns, .sleep_ns = real_sleep_ns, .context = (void *)(uintptr_t)tsc};
}

/* ---- Virtual time ---- */

void shunt_virtual_clock_init(struct shunt_virtual_clock *virtual_clock, uint64_t start_ns)
{
  *virtual_clock = (struct shunt_virtual_clock){.now_ns = start_ns};
}

void shunt_virtual_clock_hook(struct shunt_virtual_clock *virtual_clock,
                              void (*hook)(void *context, uint64_t now_ns), void *context,
                              uint64_t step_ns)
{
  virtual_clock->hook = hook;
  virtual_clock->hook_context = context;
  virtual_clock->step_ns = step_ns;
}

void shunt_virtual_clock_advance(struct shunt_virtual_clock *virtual_clock, uint64_t duration_ns)
{
  uint64_t until_ns = clock_add(virtual_clock->now_ns, duration_ns);
  if (virtual_clock->hook == NULL || virtual_clock->in_hook) {
    virtual_clock->now_ns = until_ns;
    return;
  }
  do {
    /* The hook may itself have moved the time, even past the end. */
    uint64_t now_ns = virtual_clock->now_ns;
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    bool whole = virtual_clock->step_ns == 0 || virtual_clock->step_ns > left_ns;
    virtual_clock->now_ns += whole ? left_ns : virtual_clock->step_ns;
    virtual_clock->in_hook = true;
    virtual_clock->hook(virtual_clock->hook_context, virtual_clock->now_ns);
    virtual_clock->in_hook = false;
  } while (virtual_clock->hook != NULL && virtual_clock->now_ns < until_ns);
  if (virtual_clock->now_ns < until_ns)
    virtual_clock->now_ns = until_ns;
}

static uint64_t virtual_now_ns(void *context)
{
  struct shunt_virtual_clock *virtual_clock = context;
  uint64_t now_ns = virtual_clock->now_ns;
  virtual_clock->now_ns = clock_add(now_ns, virtual_clock->read_ns);
  return now_ns;
}

static void virtual_sleep_ns(void *context, uint64_t duration_ns)
{
  shunt_virtual_clock_advance(context, duration_ns > 0 ? duration_ns : 1);
}

struct shunt_clock shunt_virtual_clock_view(struct shunt_virtual_clock *virtual_clock)
{
  return (struct shunt_clock){
      .now_ns = virtual_now_ns, .sleep_ns = virtual_sleep_ns, .context = virtual_clock};
}
