/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of event queues. No device that shunt drives has any: the calls do nothing, and
 * shunt_last_error() says so. */
#ifndef SHUNT_ETHERFABRIC_TIMER_H
#define SHUNT_ETHERFABRIC_TIMER_H

#include <etherfabric/ef_vi.h>

#define ef_eventq_timer_prime(q, v) (q)->ops.eventq_timer_prime((q), (v))
#define ef_eventq_timer_run(q, v)   (q)->ops.eventq_timer_run((q), (v))
#define ef_eventq_timer_clear(q)    (q)->ops.eventq_timer_clear((q))
#define ef_eventq_timer_zero(q)     (q)->ops.eventq_timer_zero((q))

#endif
