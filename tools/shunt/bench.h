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

/* After this an answer counts as lost. Long, since a shared machine stops a thread for seconds. */
#define BENCH_PATIENCE_NS UINT64_C(10000000000)

struct shunt_histogram;

struct bench {
  const struct cli *cli;
  struct shunt_tsc tsc;
  struct shunt_clock clock; /* reads tsc */
  unsigned cpus[2];         /* of the driving and the device thread */
  bool pinned;              /* they could be pinned there */
  bool shares_cpu;          /* there is one CPU for both */
  bool is_realtime;         /* no other program takes these CPUs from them */
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

/* Let no other program have the CPUs while we spin: SCHED_FIFO for this thread, and so for those
 * and for the process that it makes. Others keep the 5 % that the kernel leaves them
 * (sched_rt_runtime_us). May be refused: needs CAP_SYS_NICE, or RLIMIT_RTPRIO. */
void bench_take_cpus(struct bench *bench);

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

/* ---- Times ---- */

/* Call once, which returns how long something took, or 0 where it was lost: a tenth of a slice to
 * warm up, then what is measured. */
void bench_repeat(const struct bench *bench, uint64_t (*once)(void *context), void *context,
                  struct bench_sample *sample);

/* Spin for as long as a peer that sleeps when there is nothing to do needs to fall asleep. */
void bench_pause(const struct bench *bench);

/* ---- Twins ---- */

/* Open a port with a queue whose verbs can be called inline. Where that fails a port may be there
 * all the same, for the caller to close. */
int bench_open_port(const struct bench *bench, const char *name,
                    const struct shunt_port_options *wanted, struct shunt_port **port,
                    struct shunt_queue **queue, struct shunt_error *error);

/* Who gives the devices their turns. */
enum bench_turns {
  BENCH_TURNS_OWN,       /* the drivers' thread */
  BENCH_TURNS_THREAD,    /* a thread beside it */
  BENCH_TURNS_ELSEWHERE, /* they are another process's, or silicon */
};

/* Round trips of an ICMP echo between two ports on a wire: devices[0] asks, devices[1] answers. */
struct bench_rtt;
int bench_rtt_open(struct bench *bench, const char *const devices[2], struct bench_rtt **made,
                   struct shunt_error *error);
void bench_rtt_close(struct bench_rtt *rtt);
int bench_rtt_slice(struct bench_rtt *rtt, enum bench_turns turns, struct bench_sample *sample,
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

/* ---- Twins in another process, over vfio-user ---- */

enum bench_vfio_user_what {
  BENCH_VFIO_USER_READ,        /* a register, by message; the server spins */
  BENCH_VFIO_USER_READ_ASLEEP, /* the same where the server sleeps */
  BENCH_VFIO_USER_POST,        /* a write, by message without a reply */
  BENCH_VFIO_USER_DOORBELL,    /* from a tail to the write-back of a frame, in shared pages */
  BENCH_VFIO_USER_ROUND_TRIP,  /* as struct bench_rtt has it */
  BENCH_VFIO_USER_FORWARD,     /* a rate: driver, twin, wire, twin, driver, and round again */
};

struct bench_vfio_user;
int bench_vfio_user_open(struct bench *bench, struct bench_vfio_user **made,
                         struct shunt_error *error);
void bench_vfio_user_close(struct bench_vfio_user *vfio);
int bench_vfio_user_slice(struct bench_vfio_user *vfio, enum bench_vfio_user_what what,
                          struct bench_sample *sample, struct shunt_error *error);
struct shunt_port *bench_vfio_user_port(struct bench_vfio_user *vfio);

/* The process at the other end. It has four groups of twins, and gives turns to one of them at a
 * time, so that no other spins beside what is measured. */
enum bench_server_group {
  BENCH_SERVER_ACCESS,
  BENCH_SERVER_POSTED, /* without areas, so that writes need no replies */
  BENCH_SERVER_ROUND_TRIP,
  BENCH_SERVER_FORWARD,
  BENCH_SERVER_GROUPS, /* as an order: all of them, while ports are opened */
  BENCH_SERVER_NONE,
};
/* The twins: one a group, and two on a wire for those that move frames. */
enum bench_server_twin {
  BENCH_SERVER_ACCESS_TWIN,
  BENCH_SERVER_POSTED_TWIN,
  BENCH_SERVER_ASKING_TWIN,
  BENCH_SERVER_ANSWERING_TWIN,
  BENCH_SERVER_FROM_TWIN,
  BENCH_SERVER_TO_TWIN,
  BENCH_SERVER_TWINS,
};

struct bench_server;
/* Start it. It ends with this process, however that ends. */
int bench_server_start(struct bench *bench, struct bench_server **made, struct shunt_error *error);
void bench_server_stop(struct bench_server *server);
/* Where a twin's socket is: "vfio-user:PATH". */
const char *bench_server_location(const struct bench_server *server, enum bench_server_twin twin);
/* Remove the sockets, which who is connected needs no more. */
void bench_server_hide(struct bench_server *server);
/* Have it serve one group, spinning or sleeping where nothing is to do. Returns when it does. */
int bench_server_serve(struct bench_server *server, enum bench_server_group group, bool sleeps,
                       struct shunt_error *error);

/* ---- Messages of a trapped access's size over a UNIX socket, between two threads ---- */

enum bench_unix_what {
  BENCH_UNIX_EXCHANGE,        /* there and back; the other thread spins */
  BENCH_UNIX_EXCHANGE_ASLEEP, /* the same where it sleeps */
  BENCH_UNIX_POST,            /* there only */
};

struct bench_unix;
int bench_unix_open(struct bench *bench, struct bench_unix **made, struct shunt_error *error);
void bench_unix_close(struct bench_unix *sockets);
int bench_unix_slice(struct bench_unix *sockets, enum bench_unix_what what,
                     struct bench_sample *sample, struct shunt_error *error);

/* Writes, and messages, that are timed together, with what shows that the last of them has come. */
#define BENCH_POSTS 256u

/* ---- SRD between two software EFAs, and libfabric beside it ---- */

struct bench_fabric;
int bench_fabric_open(struct bench *bench, struct bench_fabric **made, struct shunt_error *error);
void bench_fabric_close(struct bench_fabric *fabric);
/* Messages of so many bytes: with a histogram, half of each round trip; else how many arrive. */
int bench_fabric_slice(struct bench_fabric *fabric, uint32_t bytes, struct bench_sample *sample,
                       struct shunt_error *error);

/* fi_pingpong over a provider of libfabric: the same, but of one message at a time also where rates
 * are measured, which is all that it does. */
int bench_fi_slice(const struct bench *bench, const char *provider, uint32_t bytes,
                   struct bench_sample *sample, struct shunt_error *error);
/* Why it can't be had, or NULL. */
const char *bench_fi_missing(void);

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
