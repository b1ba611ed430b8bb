/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "shunt/histogram.h"
#include "shunt/ixgbe.h"
#include "tools/shunt/bench.h"

#define PAUSE_NS UINT64_C(100000)

/* ---- CPUs ---- */

static unsigned take_cpus(struct bench *bench, unsigned found, const cpu_set_t *allowed,
                          const struct shunt_cpu_set *isolated, bool is_isolated)
{
  for (unsigned cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
    if (CPU_ISSET(cpu, allowed) && shunt_cpu_set_has(isolated, cpu) == is_isolated)
      bench->cpus[found++] = cpu;
  return found;
}

void bench_choose_cpus(struct bench *bench)
{
  struct shunt_cpu_set isolated = {0};
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed))
    CPU_ZERO(&allowed);
  shunt_cpu_isolated(NULL, &isolated, NULL);
  unsigned found = take_cpus(bench, 0, &allowed, &isolated, true);
  found = take_cpus(bench, found, &allowed, &isolated, false);
  bench->pinned = found > 0;
  bench->shares_cpu = found == 1;
  if (found == 1)
    bench->cpus[1] = bench->cpus[0];
}

void bench_take_cpus(struct bench *bench)
{
  const struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
  bench->is_realtime = sched_setscheduler(0, SCHED_FIFO, &lowest) == 0;
}

/* ---- Threads ---- */

struct job {
  const struct bench *bench;
  void (*work)(void *context);
  void *context;
};

/* A thread that can't be pinned works all the same. */
static void *run_job(void *argument)
{
  const struct job *job = argument;
  if (job->bench->pinned)
    shunt_cpu_pin(job->bench->cpus[1], NULL);
  job->work(job->context);
  return NULL;
}

int bench_run(struct bench *bench, void (*drive)(void *context), void (*assist)(void *context),
              void *context, struct shunt_error *error)
{
  struct job job = {bench, assist, context};
  pthread_t assistant;
  int code = assist ? -pthread_create(&assistant, NULL, run_job, &job) : 0;
  if (code) {
    shunt_error_set(error, code, "can't start a thread");
    shunt_error_why(error, "%s", strerror(-code));
    return code;
  }
  cpu_set_t before;
  bool moved = bench->pinned && !sched_getaffinity(0, sizeof(before), &before) &&
               !shunt_cpu_pin(bench->cpus[0], NULL);
  drive(context);
  if (moved)
    sched_setaffinity(0, sizeof(before), &before);
  if (assist)
    pthread_join(assistant, NULL);
  return 0;
}

/* ---- Rates ---- */

void bench_flow_start(struct bench_flow *flow)
{
  atomic_store(&flow->generated, 0);
  atomic_store(&flow->sunk, 0);
  atomic_store(&flow->quiet, false);
  atomic_store(&flow->ended, false);
  atomic_store(&flow->generates, true);
}

void bench_flow_drive(const struct bench *bench, struct bench_flow *flow,
                      unsigned (*forward)(void *context), void *context,
                      struct bench_sample *sample)
{
  const struct shunt_tsc *tsc = &bench->tsc;
  uint64_t end_ns = shunt_tsc_now_ns(tsc) + bench->slice_ns / 10;
  while (shunt_tsc_now_ns(tsc) < end_ns && !cli_stopped())
    forward(context);

  const uint64_t start_ns = shunt_tsc_now_ns(tsc);
  uint64_t frames = 0;
  end_ns = start_ns + bench->slice_ns;
  while (shunt_tsc_now_ns(tsc) < end_ns && frames < bench->most && !cli_stopped())
    frames += forward(context);
  sample->ns = shunt_tsc_now_ns(tsc) - start_ns;
  sample->frames = frames;

  atomic_store(&flow->generates, false);
  end_ns = shunt_tsc_now_ns(tsc) + BENCH_PATIENCE_NS;
  while ((!atomic_load(&flow->quiet) || bench_flow_pending(flow)) && shunt_tsc_now_ns(tsc) < end_ns)
    forward(context);
  sample->lost += bench_flow_pending(flow);
  atomic_store(&flow->ended, true);
}

/* ---- Times ---- */

void bench_repeat(const struct bench *bench, uint64_t (*once)(void *context), void *context,
                  struct bench_sample *sample)
{
  uint64_t end_ns = shunt_tsc_now_ns(&bench->tsc) + bench->slice_ns / 10;
  while (shunt_tsc_now_ns(&bench->tsc) < end_ns && !cli_stopped())
    sample->lost += !once(context);
  end_ns = shunt_tsc_now_ns(&bench->tsc) + bench->slice_ns;
  for (uint64_t i = 0; i < bench->most && !cli_stopped(); i++) {
    uint64_t took_ns = once(context);
    if (took_ns)
      shunt_histogram_record(sample->histogram, took_ns);
    sample->lost += !took_ns;
    if (shunt_tsc_now_ns(&bench->tsc) >= end_ns)
      return;
  }
}

void bench_pause(const struct bench *bench)
{
  uint64_t end_ns = shunt_tsc_now_ns(&bench->tsc) + PAUSE_NS;
  while (shunt_tsc_now_ns(&bench->tsc) < end_ns)
    bench_spin(bench);
}

/* ---- Ports ---- */

int bench_open_port(const struct bench *bench, const char *name,
                    const struct shunt_port_options *wanted, struct shunt_port **port,
                    struct shunt_queue **queue, struct shunt_error *error)
{
  struct shunt_port_options options = *wanted;
  options.log = &bench->cli->log;
  int code = shunt_port_open(name, &options, port, error);
  if (code)
    return code;
  *queue = shunt_port_queue(*port, 0);
  if (shunt_ixgbe_queue(*queue))
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "%s has no verbs that could be compiled in", name);
  shunt_error_why(error, "its portable ones do more, such as the checks of a checked build");
  shunt_error_remedy(error, "build without SHUNT_CHECKED");
  return -EOPNOTSUPP;
}
