/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of `shunt bench` share.
 *
 * A measurement is opened once and then measured in slices, in turn with the others, so that what
 * disturbs the machine disturbs all of them alike. */
#ifndef TOOLS_SHUNT_BENCH_H
#define TOOLS_SHUNT_BENCH_H

#include <sched.h>
#include <stdatomic.h>

#include "shunt/clock.h"
#include "shunt/cpu.h"
#include "shunt/port.h"
#include "tools/shunt/cli.h"

/* An echo request or a datagram of so much payload is a frame of 60 bytes, 64 with its FCS: the
 * shortest that Ethernet has, under an IPv4 header and the 8 bytes of ICMP or UDP. */
#define BENCH_PAYLOAD_BYTES 18
#define BENCH_FRAME_BYTES   60

/* Most frames that are on their way at a time where rates are measured. */
#define BENCH_WINDOW 256

/* After this an answer counts as lost. Long, since a shared machine may stop us for a while. */
#define BENCH_PATIENCE_NS UINT64_C(1000000000)

struct shunt_histogram;

struct bench {
  const struct cli *cli;
  struct shunt_tsc tsc;
  struct shunt_clock clock; /* reads tsc */
  unsigned cpus[2];         /* of the driving and the device thread */
  bool pinned;              /* they could be pinned there */
  bool shares_cpu;          /* there is one CPU for both */
  uint64_t slice_ns;        /* how long a slice takes ... */
  uint64_t most;            /* ... and how many round trips or frames it has at most */
};

/* What a slice gave. */
struct bench_sample {
  struct shunt_histogram *histogram; /* round trips, ns; NULL where rates are measured */
  uint64_t lost;
  uint64_t frames; /* of rates: forwarded ... */
  uint64_t ns;     /* ... in this time */
};

/* ---- Threads ---- */

/* Which CPUs to use: isolated ones before others. */
void bench_choose_cpus(struct bench *bench);

/* Run drive on this thread, on the first CPU, until it returns; and beside it, unless NULL, assist
 * on another thread, which must return soon after drive has. Returns 0, or -errno of making a
 * thread: then neither has run. */
int bench_run(struct bench *bench, void (*drive)(void *context), void (*assist)(void *context),
              void *context, struct shunt_error *error);

/* A round that found nothing to do: spin, or let the other thread have the CPU that both share. */
SHUNT_INLINE void bench_spin(const struct bench *bench)
{
  if (SHUNT_UNLIKELY(bench->shares_cpu))
    sched_yield();
}

/* ---- Rates ---- */

/* Frames that one thread generates and, at the end of their way, sinks; and that the other thread
 * forwards, which measures. Each member has one thread that writes it. */
struct bench_flow {
  atomic_uint_fast64_t generated, sunk; /* by the assisting thread ... */
  atomic_bool quiet;                    /* ... which has seen that no more are wanted */
  atomic_bool generates, ended;         /* by the driving thread, at the end */
};

void bench_flow_start(struct bench_flow *flow);
/* Call forward, which returns how many frames it has moved: a tenth of a slice to warm up, then
 * what is measured, then until all have arrived. Frames that don't are lost. */
void bench_flow_drive(const struct bench *bench, struct bench_flow *flow,
                      unsigned (*forward)(void *context), void *context,
                      struct bench_sample *sample);

/* How many frames are on their way: the assisting thread's view. */
static inline uint64_t bench_flow_pending(const struct bench_flow *flow)
{
  return atomic_load_explicit(&flow->generated, memory_order_relaxed) -
         atomic_load_explicit(&flow->sunk, memory_order_relaxed);
}

/* Add to one's own counter, which others read. */
static inline void bench_flow_add(atomic_uint_fast64_t *counter, unsigned n)
{
  uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
  atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

/* For the assisting thread: whether more is wanted. Between two bursts, never inside one. */
static inline bool bench_flow_goes_on(struct bench_flow *flow)
{
  if (SHUNT_UNLIKELY(!atomic_load_explicit(&flow->generates, memory_order_acquire)))
    atomic_store_explicit(&flow->quiet, true, memory_order_release);
  return !atomic_load_explicit(&flow->ended, memory_order_relaxed);
}

/* ---- Twins ---- */

/* Open a port with a queue whose verbs can be called inline. Where that fails a port may be there
 * all the same, for the caller to close. */
int bench_open_port(const struct bench *bench, const char *name,
                    const struct shunt_port_options *wanted, struct shunt_port **port,
                    struct shunt_queue **queue, struct shunt_error *error);

/* Round trips of an ICMP echo between two twins on a wire. */
struct bench_rtt;
int bench_rtt_open(struct bench *bench, struct bench_rtt **made, struct shunt_error *error);
void bench_rtt_close(struct bench_rtt *rtt);
/* A slice with one thread for the drivers and the devices, or one for each. */
int bench_rtt_slice(struct bench_rtt *rtt, unsigned threads, struct bench_sample *sample,
                    struct shunt_error *error);
struct shunt_port *bench_rtt_port(struct bench_rtt *rtt);

/* A forwarder between two twins, with a generator on the one's wire and a sink on the other's. */
struct bench_rate;
int bench_rate_open(struct bench *bench, struct bench_rate **made, struct shunt_error *error);
void bench_rate_close(struct bench_rate *rate);
/* A slice in bursts of 1, 8, 32 or 64 frames. */
int bench_rate_slice(struct bench_rate *rate, unsigned batch, struct bench_sample *sample,
                     struct shunt_error *error);
struct shunt_port *bench_rate_port(struct bench_rate *rate);

/* ---- The kernel's UDP on the loopback interface ---- */

struct bench_udp;
int bench_udp_open(struct bench *bench, struct bench_udp **made, struct shunt_error *error);
void bench_udp_close(struct bench_udp *udp);
/* Ping-pong of datagrams: both sockets on one thread, or each on its own. */
int bench_udp_rtt_slice(struct bench_udp *udp, unsigned threads, struct bench_sample *sample,
                        struct shunt_error *error);
/* A forwarder between two sockets in bursts of batch, 1..64; its thread beside one that generates
 * and sinks. */
int bench_udp_rate_slice(struct bench_udp *udp, unsigned batch, struct bench_sample *sample,
                         struct shunt_error *error);

#endif
