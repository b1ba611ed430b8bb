/* SPDX-License-Identifier: BSD-2-Clause */
/* A slice over AF_XDP: who is measured works at the near end, on the first CPU; what comes to it is
 * made at the far end, on the second. */
#include "tools/shunt/bench_xdp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP_NS UINT64_C(5000000)
#define REST_NS 100000000l
#define TRIES   4u

struct bench_xdp {
  struct bench *bench;
  struct bench_veth *veth;
  struct shunt_error missing[BENCH_CONTENDERS]; /* code 0: it is there */
};

/* A slice. */
struct slice {
  struct bench_xdp *xdp;
  enum peer_what what;
  struct bench_contender *contender;
  struct bench_asker *asker;
  struct bench_sample *sample;
  int code, flood_code; /* of either thread */
  struct shunt_error error, flood_error;
  atomic_bool ended;
};

/* ---- Set-up ---- */

static void rest(void)
{
  nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
}

/* A queue that was just given back is busy for a while: only our port waits for it by itself. And
 * who was killed may have left a program. */
static int start(struct bench_xdp *xdp, enum bench_who who, enum peer_what what,
                 struct bench_contender **contender, struct shunt_error *error)
{
  int code = -EBUSY;
  for (unsigned tries = 0; code && tries < TRIES && !cli_stopped(); tries++) {
    if (tries) {
      rest();
      bench_veth_clear(xdp->veth);
    }
    code = bench_contender_start(xdp->bench, xdp->veth, who, what, contender, error);
  }
  return code;
}

/* Start everyone once: who can't be measured here is known before anything is. */
static int try_all(struct bench_xdp *xdp, struct shunt_error *error)
{
  int code = 0;
  for (enum bench_who who = 0; !code && who < BENCH_CONTENDERS && !cli_stopped(); who++) {
    struct bench_contender *contender = NULL;
    struct shunt_error *missing = &xdp->missing[who];
    if (bench_contender_check(who, missing) || start(xdp, who, PEER_RECEIVE, &contender, missing)) {
      code = who == BENCH_SHUNT ? missing->code : 0;
      continue;
    }
    missing->code = 0; /* of an earlier try */
    bench_contender_stop(contender);
    rest();
  }
  if (code)
    *error = xdp->missing[BENCH_SHUNT];
  return code;
}

int bench_xdp_open(struct bench *bench, struct bench_xdp **made, struct shunt_error *error)
{
  struct bench_xdp *xdp = calloc(1, sizeof(*xdp));
  if (!xdp)
    return shunt_error_set(error, -ENOMEM, "no memory to measure AF_XDP");
  xdp->bench = bench;
  int code = bench_veth_open(bench, &xdp->veth, error);
  if (!code)
    code = try_all(xdp, error);
  if (code)
    bench_xdp_close(xdp);
  else
    *made = xdp;
  return code;
}

void bench_xdp_close(struct bench_xdp *xdp)
{
  if (!xdp)
    return;
  bench_veth_close(xdp->veth);
  free(xdp);
}

const char *bench_xdp_missing(const struct bench_xdp *xdp, enum bench_who who)
{
  return xdp->missing[who].code ? xdp->missing[who].why : NULL;
}

void bench_xdp_rank(const struct bench *bench, enum bench_rank rank)
{
  const struct sched_param param = {.sched_priority =
                                        sched_get_priority_min(SCHED_FIFO) + (int)rank};
  if (bench->is_realtime)
    sched_setscheduler(0, SCHED_FIFO, &param);
}

/* ---- Rates ---- */

static void wait_until(uint64_t end_ns)
{
  for (;;) {
    const uint64_t now_ns = shunt_monotonic_ns();
    if (now_ns >= end_ns || cli_stopped())
      return;
    const uint64_t left_ns = end_ns - now_ns;
    nanosleep(&(struct timespec){.tv_nsec = (long)(left_ns < STEP_NS ? left_ns : STEP_NS)}, NULL);
  }
}

/* What is received its own count says; what is sent, the far end's. */
static int count(struct slice *slice, uint64_t *frames, uint64_t *ns)
{
  if (slice->what == PEER_RECEIVE)
    return bench_contender_received(slice->contender, frames, ns, &slice->error);
  int code = bench_veth_arrived(slice->xdp->veth, frames, &slice->error);
  *ns = shunt_monotonic_ns();
  return code;
}

static void measure_rate(void *context)
{
  struct slice *slice = context;
  const uint64_t slice_ns = slice->xdp->bench->slice_ns;
  uint64_t frames[2] = {0}, ns[2] = {0};
  wait_until(shunt_monotonic_ns() + slice_ns / 10);
  int code = count(slice, &frames[0], &ns[0]);
  wait_until(shunt_monotonic_ns() + slice_ns);
  if (!code)
    code = count(slice, &frames[1], &ns[1]);
  slice->code = code;
  slice->sample->frames = frames[1] - frames[0];
  slice->sample->ns = ns[1] - ns[0];
  atomic_store(&slice->ended, true);
}

static void flood(void *context)
{
  struct slice *slice = context;
  bench_xdp_rank(slice->xdp->bench, BENCH_WORKS);
  int code = bench_veth_enter(slice->xdp->veth, BENCH_NEAR, &slice->flood_error);
  while (!code && !atomic_load(&slice->ended))
    code = bench_veth_flood(slice->xdp->veth, &slice->flood_error);
  slice->flood_code = code;
}

/* ---- Round trips ---- */

static void ask(void *context)
{
  struct slice *slice = context;
  bench_xdp_rank(slice->xdp->bench, BENCH_WORKS);
  bench_asker_run(slice->asker, slice->sample);
  atomic_store(&slice->ended, true);
}

static void wait_for_asker(void *context)
{
  struct slice *slice = context;
  while (!atomic_load(&slice->ended))
    nanosleep(&(struct timespec){.tv_nsec = (long)STEP_NS}, NULL);
}

static int measure_round_trips(struct slice *slice, struct shunt_error *error)
{
  struct bench_xdp *xdp = slice->xdp;
  int code = bench_veth_enter(xdp->veth, BENCH_FAR, error);
  if (!code)
    code = bench_asker_open(xdp->bench, xdp->veth, &slice->asker, error);
  bench_veth_leave(xdp->veth);
  if (code)
    return code;
  code = bench_run(xdp->bench, wait_for_asker, ask, slice, error);
  struct shunt_error unused;
  bench_veth_enter(xdp->veth, BENCH_FAR, &unused);
  bench_asker_close(slice->asker);
  bench_veth_leave(xdp->veth);
  return code;
}

/* ---- A slice ---- */

static int measure(struct slice *slice, struct shunt_error *error)
{
  struct bench *bench = slice->xdp->bench;
  if (slice->what == PEER_ANSWER)
    return measure_round_trips(slice, error);
  int code = slice->what == PEER_SEND ? 0 : bench_veth_aim(slice->xdp->veth, error);
  if (!code)
    code = bench_run(bench, measure_rate, slice->what == PEER_SEND ? NULL : flood, slice, error);
  if (code)
    return code;
  if (slice->code || slice->flood_code)
    *error = slice->code ? slice->error : slice->flood_error;
  return slice->code ? slice->code : slice->flood_code;
}

/* Frames that come to who has no program take the way through a driver with one all the same: only
 * that takes what others hand it (veth_xdp_xmit, drivers/net/veth.c). */
int bench_xdp_slice(struct bench_xdp *xdp, enum bench_who who, enum peer_what what,
                    struct bench_sample *sample, struct shunt_error *error)
{
  struct slice slice = {.xdp = xdp, .what = what, .sample = sample};
  bench_xdp_rank(xdp->bench, BENCH_WATCHES);
  const bool passes = who == BENCH_SOCKETS && (what == PEER_RECEIVE || what == PEER_FORWARD);
  int code = bench_veth_verdict(xdp->veth, BENCH_NEAR, passes ? XDP_PASS : 0, error);
  if (!code)
    code = start(xdp, who, what, &slice.contender, error);
  if (!code)
    code = measure(&slice, error);
  bench_contender_stop(slice.contender);
  bench_xdp_rank(xdp->bench, BENCH_WORKS);
  rest(); /* the kernel gives the queue back some 20 ms later (xp_release_deferred) */
  return code;
}
