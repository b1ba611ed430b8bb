/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of event queues. A timer that runs out is no event that a poll returns: it makes the
 * driver handle readable, and ends ef_eventq_wait. Polling makes it be forgotten. Where a timer
 * can't be had, shunt_last_error() says why. */
#ifndef SHUNT_ETHERFABRIC_TIMER_H
#define SHUNT_ETHERFABRIC_TIMER_H

#include <etherfabric/ef_vi.h>

/* prime: run v microseconds from the next event that is polled; zero: 0 of them; run: from now.
 * Each stops what was before; clear does nothing else. */
#define ef_eventq_timer_prime(q, v) (q)->ops.eventq_timer_prime((q), (v))
#define ef_eventq_timer_run(q, v)   (q)->ops.eventq_timer_run((q), (v))
#define ef_eventq_timer_clear(q)    (q)->ops.eventq_timer_clear((q))
#define ef_eventq_timer_zero(q)     (q)->ops.eventq_timer_zero((q))

#endif
