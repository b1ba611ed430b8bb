/* SPDX-License-Identifier: BSD-2-Clause */
/* Time: a clock that a test can replace, the CPU's own counter, and waits that end.
 *
 * struct shunt_clock      what code that waits is given: real in production, virtual in a test.
 * struct shunt_tsc        time stamps in a few nanoseconds, for the fast path; the owner holds it.
 * struct shunt_virtual_clock  time that passes only when somebody sleeps or advances it.
 *
 * All times are nanoseconds on a clock that never steps back; its zero has no meaning (the real
 * clock's is that of CLOCK_MONOTONIC). */
#ifndef SHUNT_CLOCK_H
#define SHUNT_CLOCK_H

#include <stdbool.h>

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

struct shunt_clock {
  uint64_t (*now_ns)(void *context);
  void (*sleep_ns)(void *context, uint64_t duration_ns);
  void *context;
};

/* The time now.
 *
 * Thread any with the real clock; the owner's with a virtual one. Never fails. */
inline uint64_t shunt_clock_now_ns(const struct shunt_clock *clock)
{
  return clock->now_ns(clock->context);
}

/* Let at least duration_ns pass. Signals do not cut it short; 0 gives others a turn. The real clock
 * waits out what is at most 30 us awake, for the kernel's sleep would be several times as long.
 *
 * Thread as shunt_clock_now_ns. Never fails. */
inline void shunt_clock_sleep_ns(const struct shunt_clock *clock, uint64_t duration_ns)
{
  clock->sleep_ns(clock->context, duration_ns);
}

/* The kernel's CLOCK_MONOTONIC, and sleep on it.
 *
 * Owner  nobody: it is constant, and lives as long as the program
 * Thread any */
const struct shunt_clock *shunt_clock_real(void);

/* Poll until done(context) says true or the deadline has passed.
 *
 * deadline_ns  on this clock; a deadline in the past means: look once
 * poll_ns      how long to sleep between two looks; cut to what is left of the time
 * Thread       as shunt_clock_now_ns
 * Returns      0, or -ETIMEDOUT. done is called at least once, and once more after the deadline
 *              has passed: a thread that lost the CPU meanwhile does not report a time-out that
 *              was not one. */
int shunt_wait_until(const struct shunt_clock *clock, uint64_t deadline_ns, uint64_t poll_ns,
                     bool (*done)(void *context), void *context);

/* ---- The CPU's counter ---- */

/* The counters: Intel SDM vol. 3B, "Time-Stamp Counter"; AMD APM vol. 2, "Time-Stamp Counter"; Arm
 * ARM, "CNTVCT_EL0, Counter-timer Virtual Count register". */
enum shunt_tsc_source {
  SHUNT_TSC_MONOTONIC, /* no counter to rely on: every reading is a clock_gettime */
  SHUNT_TSC_X86,       /* the time stamp counter */
  SHUNT_TSC_ARM64,     /* the virtual count register */
};

/* How to turn ticks into nanoseconds of CLOCK_MONOTONIC. A value: may be copied, and shared between
 * threads once it has been calibrated. */
struct shunt_tsc {
  uint64_t base_ticks; /* the counter when the time was base_ns */
  uint64_t base_ns;
  uint64_t mult;         /* nanoseconds per tick, times 2^SHUNT_TSC_SHIFT; 0 = use the kernel */
  uint64_t frequency_hz; /* ticks per second; 0 = use the kernel */
  enum shunt_tsc_source source;
  const char *reason; /* why this source, as a phrase; constant text */
};

#define SHUNT_TSC_SHIFT 32

/* Measure the counter against CLOCK_MONOTONIC.
 *
 * tsc      filled, whatever it held before
 * Thread   any; sleeps for 10 ms, and at most for 80 ms where readings disagree
 * Returns  0, also where the counter can't be relied on and the kernel's clock is used (tsc->source
 *          and tsc->reason say so); -errno of clock_gettime where there is no such clock.
 *
 * The counter is relied on where it is invariant (x86: CPUID 0x80000007 EDX bit 8; arm64: always)
 * and the kernel lists it as a clock source, which it does not once its watchdog has found it
 * unstable. The rate is that of the moment: CLOCK_MONOTONIC, being steered by NTP, drifts away from
 * it by some parts in a million, so calibrate anew each minute where both are compared. */
int shunt_tsc_calibrate(struct shunt_tsc *tsc, struct shunt_error *error);

/* Use the kernel's clock for every reading, for one who does not trust the counter. Never fails. */
void shunt_tsc_use_monotonic(struct shunt_tsc *tsc);

/* "tsc", "cntvct" or "monotonic": the word for a report. */
const char *shunt_tsc_source_name(const struct shunt_tsc *tsc);

/* The clock that reads tsc and sleeps in the kernel.
 *
 * Owner  the caller keeps tsc alive for as long as the clock is used */
struct shunt_clock shunt_tsc_clock(const struct shunt_tsc *tsc);

/* CLOCK_MONOTONIC, about 20 ns where the vDSO serves it. Any thread; never fails. */
uint64_t shunt_monotonic_ns(void);

/* The counter as it stands; the CPU may read it earlier or later than its neighbours in the
 * program. 0 on a CPU that is neither x86-64 nor arm64. */
inline uint64_t shunt_tsc_ticks(void)
{
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t ticks;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return 0;
#endif
}

/* The counter, read after all that stands before in the program is done and before anything that
 * stands behind begins: RDTSCP waits for what precedes it, LFENCE holds back what follows (Intel
 * SDM vol. 2B, RDTSCP); ISB does both on arm64. Costs some 10 ns more. */
inline uint64_t shunt_tsc_ticks_ordered(void)
{
#if defined(__x86_64__)
  unsigned cpu;
  uint64_t ticks = __builtin_ia32_rdtscp(&cpu);
  __builtin_ia32_lfence();
  return ticks;
#elif defined(__aarch64__)
  uint64_t ticks;
  __asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(ticks) : : "memory");
  return ticks;
#else
  return 0;
#endif
}

/* The time at which the counter stood at ticks. ticks must not lie before tsc->base_ticks, which is
 * true of every reading after the calibration: that took longer than cores differ. */
inline uint64_t shunt_tsc_to_ns(const struct shunt_tsc *tsc, uint64_t ticks)
{
#ifdef __SIZEOF_INT128__
  __extension__ typedef unsigned __int128 wide;
  return tsc->base_ns +
         (uint64_t)(((wide)(ticks - tsc->base_ticks) * tsc->mult) >> SHUNT_TSC_SHIFT);
#else
  (void)ticks;
  return tsc->base_ns;
#endif
}

/* The time now: on the scale of CLOCK_MONOTONIC, from the counter where that can be relied on.
 *
 * Thread any. Never fails. */
inline uint64_t shunt_tsc_now_ns(const struct shunt_tsc *tsc)
{
  if (SHUNT_UNLIKELY(tsc->mult == 0))
    return shunt_monotonic_ns();
  return shunt_tsc_to_ns(tsc, shunt_tsc_ticks());
}

/* shunt_tsc_now_ns, in order with the instructions around it: to time a short piece of code. */
inline uint64_t shunt_tsc_now_ordered_ns(const struct shunt_tsc *tsc)
{
  if (SHUNT_UNLIKELY(tsc->mult == 0))
    return shunt_monotonic_ns();
  return shunt_tsc_to_ns(tsc, shunt_tsc_ticks_ordered());
}

/* ---- Virtual time ---- */

/* Time for deterministic tests: it passes only by sleeping, by advancing, and by read_ns.
 *
 * Thread one. The fields may be set at any time between two calls. */
struct shunt_virtual_clock {
  uint64_t now_ns;
  uint64_t step_ns; /* the hook's turns are at most this far apart; 0 = one turn per sleep */
  uint64_t read_ns; /* how far each reading moves the time: ends loops that read and never sleep */
  void (*hook)(void *context, uint64_t now_ns); /* may be NULL */
  void *hook_context;
  bool in_hook;
};

/* Start a virtual clock at start_ns, with no hook, step 0 and readings that take no time. */
void shunt_virtual_clock_init(struct shunt_virtual_clock *virtual_clock, uint64_t start_ns);

/* Give a device its turn while others wait.
 *
 * hook     called after each step of the time; it may advance the clock itself, which then moves
 *          the time and does not call the hook again. NULL: none.
 * step_ns  the longest time that passes between two turns; 0 = one turn at the end of each sleep */
void shunt_virtual_clock_hook(struct shunt_virtual_clock *virtual_clock,
                              void (*hook)(void *context, uint64_t now_ns), void *context,
                              uint64_t step_ns);

/* Let duration_ns pass, giving the hook its turns; 0 gives it one turn and lets no time pass. Time
 * stops at UINT64_MAX. */
void shunt_virtual_clock_advance(struct shunt_virtual_clock *virtual_clock, uint64_t duration_ns);

/* The clock to hand to code that waits. Its sleep advances the time, by 1 ns at least, so that a
 * wait ends also where it polls without a pause.
 *
 * Owner  the caller keeps virtual_clock alive for as long as the clock is used */
struct shunt_clock shunt_virtual_clock_view(struct shunt_virtual_clock *virtual_clock);

SHUNT_END_DECLS

#endif
