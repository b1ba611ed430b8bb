/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt bench: the main job. Twins against the kernel's UDP, over vfio-user against a UNIX socket,
 * and AF_XDP against libxdp, DPDK and UDP, in the same run. */
#include "tools/shunt/bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shunt/histogram.h"
#include "tools/shunt/bench_efvi.h"
#include "tools/shunt/bench_result.h"
#include "tools/shunt/bench_xdp.h"
#include "tools/shunt/report.h"

/* What --only names, or'ed where several want a measurement. */
enum mode { RTT = 1, MPPS = 2, VFIO_USER = 4, XDP = 8, FABRIC = 16, EFVI = 32 };
static const char *const mode_names[] = {"rtt", "mpps", "vfio-user", "xdp", "fabric", "efvi"};
#define MODES     (sizeof(mode_names) / sizeof(mode_names[0]))
#define ALL_MODES ((1u << MODES) - 1)

struct plan;
struct run;
typedef int slice_function(struct run *run, const struct plan *plan, struct bench_sample *sample,
                           struct shunt_error *error);
static slice_function twin_rtt, udp_rtt, twin_rate, udp_rate, vfio_user, unix_socket, af_xdp,
    efa_srd, fi_pingpong, ef_vi_rtt;

/* Of AF_XDP: who does what. */
#define AF_XDP_WHAT(who, what) ((unsigned)(who) << 4 | (unsigned)(what))

/* Of fi_pingpong: which provider, and the bytes of a message. */
enum fi { FI_TCP, FI_UDP, FI_SHM };
static const char *const fi_providers[] = {"tcp", "udp;ofi_rxd", "shm"};
#define FI(provider, bytes) ((unsigned)FI_##provider << 16 | (bytes))

/* What is measured, in the order of a round. */
static const struct plan {
  const char *name, *title;
  enum result_kind kind;
  unsigned modes; /* that want it */
  bool peer;
  unsigned threads, batch;
  slice_function *slice;
  unsigned what; /* an enum bench_vfio_user_what or bench_unix_what; AF_XDP_WHAT; bytes; FI */
} plans[] = {
#define PLAN(name, title, kind, modes, peer, threads, batch, slice, what)                          \
  {                                                                                                \
    name, title, RESULT_##kind, modes, peer, threads, batch, slice, what                           \
  }
    PLAN("ixgbe-rtt", "82599 twins, 1 thread", ROUND_TRIP, RTT, false, 1, 1, twin_rtt, 0),
    PLAN("udp-rtt", "kernel UDP, 1 thread", ROUND_TRIP, RTT, true, 1, 1, udp_rtt, 0),
    PLAN("ixgbe-rtt-2-threads", "82599 twins, 2 threads", ROUND_TRIP, RTT, false, 2, 1, twin_rtt,
         0),
    PLAN("udp-rtt-2-threads", "kernel UDP, 2 threads", ROUND_TRIP, RTT | VFIO_USER, true, 2, 1,
         udp_rtt, 0),
    PLAN("vfuser-rtt", "vfio-user, 2 processes", ROUND_TRIP, VFIO_USER, false, 2, 1, vfio_user,
         BENCH_VFIO_USER_ROUND_TRIP),
    PLAN("vfuser-trap-spin", "trapped read, spinning", TIME, VFIO_USER, false, 2, 1, vfio_user,
         BENCH_VFIO_USER_READ),
    PLAN("unix-spin", "UNIX socket, spinning", TIME, VFIO_USER, true, 2, 1, unix_socket,
         BENCH_UNIX_EXCHANGE),
    PLAN("vfuser-trap-sleep", "trapped read, sleeping", TIME, VFIO_USER, false, 2, 1, vfio_user,
         BENCH_VFIO_USER_READ_ASLEEP),
    PLAN("unix-sleep", "UNIX socket, sleeping", TIME, VFIO_USER, true, 2, 1, unix_socket,
         BENCH_UNIX_EXCHANGE_ASLEEP),
    PLAN("vfuser-posted", "posted write", TIME, VFIO_USER, false, 2, BENCH_POSTS, vfio_user,
         BENCH_VFIO_USER_POST),
    PLAN("unix-posted", "UNIX socket, one way", TIME, VFIO_USER, true, 2, BENCH_POSTS, unix_socket,
         BENCH_UNIX_POST),
    PLAN("vfuser-doorbell", "doorbell to completion", TIME, VFIO_USER, false, 2, 1, vfio_user,
         BENCH_VFIO_USER_DOORBELL),
    PLAN("ixgbe-forward-1", "82599 twins, batch 1", RATE, MPPS, false, 2, 1, twin_rate, 0),
    PLAN("ixgbe-forward-8", "82599 twins, batch 8", RATE, MPPS, false, 2, 8, twin_rate, 0),
    PLAN("ixgbe-forward-32", "82599 twins, batch 32", RATE, MPPS, false, 2, 32, twin_rate, 0),
    PLAN("udp-forward-32", "kernel UDP, batch 32", RATE, MPPS | VFIO_USER, true, 2, 32, udp_rate,
         0),
    PLAN("vfuser-forward-32", "vfio-user, batch 32", RATE, VFIO_USER, false, 2, 32, vfio_user,
         BENCH_VFIO_USER_FORWARD),
    PLAN("ixgbe-forward-64", "82599 twins, batch 64", RATE, MPPS, false, 2, 64, twin_rate, 0),
#define XDP_PLAN(name, title, kind, peer, batch, who, what)                                        \
  PLAN(name, title, kind, XDP, peer, 2, batch, af_xdp, AF_XDP_WHAT(BENCH_##who, PEER_##what))
    XDP_PLAN("xdp-rtt", "AF_XDP", ROUND_TRIP, false, 1, SHUNT, ANSWER),
    XDP_PLAN("libxdp-rtt", "libxdp loop", ROUND_TRIP, true, 1, LIBXDP, ANSWER),
    XDP_PLAN("dpdk-rtt", "DPDK testpmd", ROUND_TRIP, true, 1, DPDK, ANSWER),
    PLAN("udp-veth-rtt", "UDP sockets, veth", ROUND_TRIP, XDP | EFVI, true, 2, 1, af_xdp,
         AF_XDP_WHAT(BENCH_SOCKETS, PEER_ANSWER)),
    PLAN("efvi-veth-rtt", "ef_vi, veth", ROUND_TRIP, EFVI, false, 2, 1, af_xdp,
         AF_XDP_WHAT(BENCH_EFVI, PEER_ANSWER)),
    PLAN("efvi-rtt", "ef_vi, 82599 twins", ROUND_TRIP, EFVI, false, 2, 1, ef_vi_rtt, 0),
    PLAN("verbs-rtt", "the same by shunt's verbs", ROUND_TRIP, EFVI, true, 2, 1, ef_vi_rtt, 1),
    XDP_PLAN("xdp-rx-drop", "receive: AF_XDP", RATE, false, 64, SHUNT, RECEIVE),
    XDP_PLAN("libxdp-rx-drop", "receive: libxdp loop", RATE, true, 64, LIBXDP, RECEIVE),
    XDP_PLAN("dpdk-rx-drop", "receive: DPDK testpmd", RATE, true, 64, DPDK, RECEIVE),
    XDP_PLAN("udp-veth-rx-drop", "receive: UDP sockets", RATE, true, 64, SOCKETS, RECEIVE),
    XDP_PLAN("xdp-tx", "send: AF_XDP", RATE, false, 64, SHUNT, SEND),
    XDP_PLAN("libxdp-tx", "send: libxdp loop", RATE, true, 64, LIBXDP, SEND),
    XDP_PLAN("dpdk-tx", "send: DPDK testpmd", RATE, true, 64, DPDK, SEND),
    XDP_PLAN("udp-veth-tx", "send: UDP sockets", RATE, true, 64, SOCKETS, SEND),
    XDP_PLAN("xdp-l2fwd", "forward: AF_XDP", RATE, false, 64, SHUNT, FORWARD),
    XDP_PLAN("libxdp-l2fwd", "forward: libxdp loop", RATE, true, 64, LIBXDP, FORWARD),
    XDP_PLAN("dpdk-l2fwd", "forward: DPDK testpmd", RATE, true, 64, DPDK, FORWARD),
    XDP_PLAN("udp-veth-l2fwd", "forward: UDP sockets", RATE, true, 64, SOCKETS, FORWARD),
#undef XDP_PLAN
    PLAN("srd-half-rtt", "SRD, half a round trip", ROUND_TRIP, FABRIC, false, 2, 1, efa_srd, 64),
    PLAN("fi-tcp-half-rtt", "fi_pingpong tcp", ROUND_TRIP, FABRIC, true, 2, 1, fi_pingpong,
         FI(TCP, 64)),
    PLAN("fi-udp-half-rtt", "fi_pingpong udp;ofi_rxd", ROUND_TRIP, FABRIC, true, 2, 1, fi_pingpong,
         FI(UDP, 64)),
    PLAN("fi-shm-half-rtt", "fi_pingpong shm", ROUND_TRIP, FABRIC, true, 2, 1, fi_pingpong,
         FI(SHM, 64)),
    PLAN("srd-64b", "SRD, 64 bytes", RATE, FABRIC, false, 2, 32, efa_srd, 64),
    PLAN("fi-tcp-64b", "fi_pingpong tcp, 64 bytes", RATE, FABRIC, true, 2, 1, fi_pingpong,
         FI(TCP, 64)),
    PLAN("srd-8k", "SRD, 8 KiB", RATE, FABRIC, false, 2, 32, efa_srd, 8192),
    PLAN("fi-tcp-8k", "fi_pingpong tcp, 8 KiB", RATE, FABRIC, true, 2, 1, fi_pingpong,
         FI(TCP, 8192)),
#undef PLAN
};
#define PLANS (sizeof(plans) / sizeof(plans[0]))

struct options {
  const char *only, *out, *results, *report;
  double seconds;
  uint64_t rounds, count;
  bool quick, realtime;
  unsigned modes; /* enum mode, or'ed */
};

struct run {
  struct bench bench;
  struct options options;
  struct bench_rtt *rtt;
  struct bench_rate *rate;
  struct bench_udp *udp;
  struct bench_vfio_user *vfio_user;
  struct bench_unix *unix_socket;
  struct bench_xdp *xdp;
  struct bench_fabric *fabric;
  struct bench_efvi *efvi;
  struct shunt_error no_xdp; /* why not, unless code is 0 */
  struct result result;
  struct result_series *series[PLANS]; /* NULL: not wanted */
};

/* ---- Options ---- */

static int choose_modes(const struct cli *cli, struct options *options)
{
  const char *at = options->only;
  options->modes = at ? 0 : ALL_MODES;
  while (at) {
    size_t length = strcspn(at, ",");
    unsigned i = 0;
    while (i < MODES &&
           (strlen(mode_names[i]) != length || strncmp(at, mode_names[i], length) != 0))
      i++;
    if (i == MODES)
      return cli_usage(cli,
                       "--only: \"%.*s\" is none of rtt, mpps, vfio-user, xdp, fabric and efvi",
                       (int)length, at);
    options->modes |= 1u << i;
    at = at[length] ? at + length + 1 : NULL;
  }
  return -1;
}

/* ---- Set-up ---- */

static const char *const twins[] = {"ixgbe:twin?wire=bench", "ixgbe:twin?wire=bench"};

/* Where nothing else is asked for, that it can't be had is an error; else it is a fact. */
static int open_xdp(struct run *run, struct shunt_error *error)
{
  int code = bench_xdp_open(&run->bench, &run->xdp, &run->no_xdp);
  if (!code || run->options.modes != XDP)
    return 0;
  *error = run->no_xdp;
  return code;
}

/* The process of vfio-user's twins first: it is to be a copy of as little as may be. */
static int open_all(struct run *run, struct shunt_error *error)
{
  struct bench *bench = &run->bench;
  const unsigned modes = run->options.modes;
  int code = 0;
  cli_progress(bench->cli, 0, "bringing twins up");
  if (modes & VFIO_USER)
    code = bench_vfio_user_open(bench, &run->vfio_user, error);
  if (!code && (modes & VFIO_USER))
    code = bench_unix_open(bench, &run->unix_socket, error);
  if (!code && (modes & RTT))
    code = bench_rtt_open(bench, twins, &run->rtt, error);
  if (!code && (modes & MPPS))
    code = bench_rate_open(bench, &run->rate, error);
  if (!code && (modes & EFVI))
    code = bench_efvi_open(bench, &run->efvi, error);
  if (!code && (modes & (XDP | EFVI)))
    code = open_xdp(run, error);
  if (!code && (modes & FABRIC))
    code = bench_fabric_open(bench, &run->fabric, error);
  if (!code && (modes & ~(unsigned)(XDP | FABRIC | EFVI)))
    code = bench_udp_open(bench, &run->udp, error);
  return code;
}

static void close_all(struct run *run)
{
  bench_rtt_close(run->rtt);
  bench_rate_close(run->rate);
  bench_udp_close(run->udp);
  bench_unix_close(run->unix_socket);
  bench_vfio_user_close(run->vfio_user);
  bench_efvi_close(run->efvi);
  bench_xdp_close(run->xdp);
  bench_fabric_close(run->fabric);
}

static struct shunt_port *any_port(const struct run *run)
{
  if (run->rtt)
    return bench_rtt_port(run->rtt);
  if (run->rate)
    return bench_rate_port(run->rate);
  if (run->vfio_user)
    return bench_vfio_user_port(run->vfio_user);
  return run->efvi ? bench_efvi_port(run->efvi) : NULL;
}

static bool is_missing(const struct run *run, const struct plan *plan)
{
  if (plan->slice == fi_pingpong)
    return bench_fi_missing() != NULL;
  return plan->slice == af_xdp &&
         (!run->xdp || bench_xdp_missing(run->xdp, (enum bench_who)(plan->what >> 4)));
}

static int make_series(struct run *run, struct shunt_error *error)
{
  for (unsigned i = 0; i < PLANS; i++) {
    if (!(run->options.modes & plans[i].modes) || is_missing(run, &plans[i]))
      continue;
    struct result_series *series = result_add_series(&run->result, plans[i].kind, error);
    if (!series)
      return -ENOMEM;
    snprintf(series->name, sizeof(series->name), "%s", plans[i].name);
    snprintf(series->title, sizeof(series->title), "%s", plans[i].title);
    series->peer = plans[i].peer;
    series->kernel = plans[i].slice == af_xdp;
    series->threads = plans[i].threads;
    series->batch = plans[i].batch;
    run->series[i] = series;
  }
  return 0;
}

static void state_port(struct run *run)
{
  struct result *result = &run->result;
  struct shunt_port_info info = {.size = sizeof(info)};
  struct shunt_port *port = any_port(run);
  snprintf(result->title, sizeof(result->title), "%s",
           run->options.modes == EFVI ? "ef_vi beside shunt's verbs and the kernel's UDP"
           : port                     ? "82599 twins beside the kernel's UDP"
           : run->fabric              ? "SRD between software EFAs beside libfabric's other ways"
                                      : "AF_XDP beside libxdp, DPDK and UDP sockets");
  if (!port)
    return;
  shunt_port_info(port, &info);
  result->model = info.model;
  result_fact(result, "device", "%s; %s", info.device, info.path);
  result_fact(result, "memory", "%s", shunt_region_describe(shunt_port_region(port)));
  if (run->udp)
    result_fact(result, "peer",
                "kernel UDP over loopback, sockets that never block, same frame size");
  if (run->vfio_user)
    result_fact(result, "vfio-user",
                "twins in a process on CPU %u; beside it messages of the same length over a UNIX "
                "socket to a thread there",
                run->bench.cpus[1]);
}

static void state_xdp(struct run *run)
{
  struct result *result = &run->result;
  if (!run->xdp) {
    result_fact(result, "AF_XDP", "skipped: %s", run->no_xdp.why);
    return;
  }
  result_fact(result, "AF_XDP",
              "on a veth pair, copy; who is measured on CPU %u, who makes frames or asks on CPU %u",
              run->bench.cpus[0], run->bench.cpus[1]);
  for (enum bench_who who = 0; who < BENCH_CONTENDERS; who++)
    if (bench_xdp_missing(run->xdp, who))
      result_fact(result, bench_contender_name(who), "skipped: %s",
                  bench_xdp_missing(run->xdp, who));
}

static void state_facts(struct run *run)
{
  struct result *result = &run->result;
  const struct bench *bench = &run->bench;
  result_machine_facts(result);
  state_port(run);
  if (run->options.modes & (XDP | EFVI))
    state_xdp(run);
  if (run->fabric)
    result->model = true;
  if (run->fabric && bench_fi_missing())
    result_fact(result, "libfabric", "skipped: %s", bench_fi_missing());
  else if (run->fabric && bench->is_realtime)
    result_fact(result, "libfabric",
                "fi_pingpong has no real-time priority: beside other work its times say little");
  result_fact(result, "clock", "%s (%s)", shunt_tsc_source_name(&bench->tsc), bench->tsc.reason);
  if (!bench->pinned)
    result_fact(result, "threads", "not pinned");
  else if (bench->shares_cpu)
    result_fact(result, "threads",
                "both on CPU %u, the only one that may be used: figures of two "
                "threads say nothing",
                bench->cpus[0]);
  else
    result_fact(result, "threads", "drivers on CPU %u, devices on CPU %u%s", bench->cpus[0],
                bench->cpus[1], bench->is_realtime ? ", with real-time priority" : "");
  if (run->options.realtime && !bench->is_realtime)
    result_fact(result, "priority", "none of real time: that takes CAP_SYS_NICE");
  result_fact(result, "rounds", "%llu, of %.2f s for each figure, all figures in turn",
              (unsigned long long)run->options.rounds, (double)bench->slice_ns / 1e9);
}

/* ---- Measuring ---- */

static int twin_rtt(struct run *run, const struct plan *plan, struct bench_sample *sample,
                    struct shunt_error *error)
{
  return bench_rtt_slice(run->rtt, plan->threads == 1 ? BENCH_TURNS_OWN : BENCH_TURNS_THREAD,
                         sample, error);
}

static int udp_rtt(struct run *run, const struct plan *plan, struct bench_sample *sample,
                   struct shunt_error *error)
{
  return bench_udp_rtt_slice(run->udp, plan->threads, sample, error);
}

static int twin_rate(struct run *run, const struct plan *plan, struct bench_sample *sample,
                     struct shunt_error *error)
{
  return bench_rate_slice(run->rate, plan->batch, sample, error);
}

static int udp_rate(struct run *run, const struct plan *plan, struct bench_sample *sample,
                    struct shunt_error *error)
{
  return bench_udp_rate_slice(run->udp, plan->batch, sample, error);
}

static int vfio_user(struct run *run, const struct plan *plan, struct bench_sample *sample,
                     struct shunt_error *error)
{
  return bench_vfio_user_slice(run->vfio_user, plan->what, sample, error);
}

static int unix_socket(struct run *run, const struct plan *plan, struct bench_sample *sample,
                       struct shunt_error *error)
{
  return bench_unix_slice(run->unix_socket, plan->what, sample, error);
}

static int af_xdp(struct run *run, const struct plan *plan, struct bench_sample *sample,
                  struct shunt_error *error)
{
  return bench_xdp_slice(run->xdp, (enum bench_who)(plan->what >> 4),
                         (enum peer_what)(plan->what & 15), sample, error);
}

static int efa_srd(struct run *run, const struct plan *plan, struct bench_sample *sample,
                   struct shunt_error *error)
{
  return bench_fabric_slice(run->fabric, plan->what, sample, error);
}

static int ef_vi_rtt(struct run *run, const struct plan *plan, struct bench_sample *sample,
                     struct shunt_error *error)
{
  return bench_efvi_slice(run->efvi, plan->what != 0, sample, error);
}

static int fi_pingpong(struct run *run, const struct plan *plan, struct bench_sample *sample,
                       struct shunt_error *error)
{
  return bench_fi_slice(&run->bench, fi_providers[plan->what >> 16], plan->what & 0xFFFF, sample,
                        error);
}

/* One slice becomes one round of its series. histogram is empty. */
static int measure(struct run *run, unsigned which, struct shunt_histogram *histogram,
                   struct shunt_error *error)
{
  struct result_series *series = run->series[which];
  const bool is_rate = plans[which].kind == RESULT_RATE;
  struct bench_sample sample = {.histogram = is_rate ? NULL : histogram};
  int code = plans[which].slice(run, &plans[which], &sample, error);
  if (code)
    return code;
  series->lost += sample.lost;
  if (cli_stopped())
    return 0;
  if (is_rate && !sample.ns)
    return 0; /* a peer that said nothing */
  if (is_rate) {
    series->values[series->rounds++] = (double)sample.frames * 1e3 / (double)sample.ns;
    return 0;
  }
  shunt_histogram_merge(series->histogram, histogram);
  if (histogram->total)
    series->values[series->rounds++] = (double)result_percentile_ns(histogram, 50) / 1e3;
  return 0;
}

static int measure_all(struct run *run, struct shunt_error *error)
{
  struct shunt_histogram *histogram;
  int code = shunt_histogram_create(NULL, &histogram, error);
  if (code)
    return code;
  const double slices = (double)(run->options.rounds * run->result.series_count);
  double done = 0;
  for (unsigned round = 0; !code && round < run->options.rounds; round++) {
    for (unsigned i = 0; !code && i < PLANS && !cli_stopped(); i++) {
      if (!run->series[i])
        continue;
      cli_progress(run->bench.cli, done++ / slices, plans[i].title);
      shunt_histogram_reset(histogram);
      code = measure(run, i, histogram, error);
    }
  }
  cli_progress_end(run->bench.cli);
  shunt_histogram_destroy(histogram);
  return code;
}

/* ---- Files ---- */

/* Whether files can be written is found out before anything is measured. */
static int try_files(const struct options *options, struct shunt_error *error)
{
  int code = options->out ? result_try_merge(options->out, error) : 0;
  if (!code && options->results)
    code = result_try_write(options->results, error);
  if (!code && options->report)
    code = result_try_write(options->report, error);
  return code;
}

static int write_files(struct run *run, struct shunt_error *error)
{
  const struct options *options = &run->options;
  struct shunt_error why_not;
  bool plotted;
  int code = 0;
  if (options->out)
    code = result_merge_comparisons(&run->result, options->out, error);
  if (!code && options->results)
    code = result_write(&run->result, options->results, error);
  if (code || !options->report)
    return code;
  code = report_write(options->report, &run->result, 1, &plotted, &why_not, error);
  if (!code && !run->bench.cli->json) {
    printf("\nThe report is in %s%s\n", options->report, plotted ? "" : ", without plots:");
    if (!plotted)
      printf("%s; %s\n", why_not.what, why_not.remedy);
  }
  return code;
}

/* ---- The command ---- */

static int show(struct run *run)
{
  struct shunt_error error;
  uint64_t lost = 0;
  for (unsigned i = 0; i < run->result.series_count; i++)
    lost += run->result.series[i].lost;
  if (!run->bench.cli->json)
    result_print(&run->result);
  if (write_files(run, &error))
    return cli_fail(run->bench.cli, &error);
  int exit = lost ? CLI_FINDINGS : CLI_OK;
  return run->bench.cli->json ? cli_json(result_to_json(&run->result, false), exit) : exit;
}

static int bench(struct run *run)
{
  struct shunt_error error;
  int code = try_files(&run->options, &error);
  if (!code)
    code = shunt_tsc_calibrate(&run->bench.tsc, &error);
  if (!code) {
    run->bench.clock = shunt_tsc_clock(&run->bench.tsc);
    bench_choose_cpus(&run->bench);
    if (run->options.realtime)
      bench_take_cpus(&run->bench);
    code = open_all(run, &error);
  }
  if (!code)
    code = make_series(run, &error);
  if (!code) {
    double slices = (double)(run->options.rounds * run->result.series_count);
    run->bench.slice_ns = (uint64_t)(run->options.seconds / slices * 1e9);
    code = measure_all(run, &error);
  }
  if (!code && cli_stopped()) {
    code = shunt_error_set(&error, -EINTR, "stopped before the end");
    shunt_error_why(&error, "a signal came; what was measured until then is no result");
  }
  if (!code) {
    bench_compare(&run->result);
    state_facts(run);
  }
  close_all(run);
  int exit = code ? cli_fail(run->bench.cli, &error) : show(run);
  result_free(&run->result);
  return exit;
}

static int run_bench(struct cli *cli, int argc, char **argv)
{
  struct run run = {.bench.cli = cli, .options = {.seconds = 20, .rounds = 5}};
  struct options *options = &run.options;
  const struct cli_option table[] = {
      {"only", 0, "NAME[,NAME]",
       "Measure only these: rtt, mpps, vfio-user, xdp, fabric, efvi (all).", CLI_TEXT,
       &options->only},
      {"seconds", 's', "N", "How long all measurements take together (20).", CLI_DOUBLE,
       &options->seconds, 0.1, 86400},
      {"rounds", 'r', "N", "In how many rounds; figures are their medians (5).", CLI_U64,
       &options->rounds, 1, RESULT_ROUNDS},
      {"count", 'n', "N", "Most round trips or frames of a figure in a round (no limit).", CLI_U64,
       &options->count, 1, 1e15},
      {"quick", 0, NULL, "Take 1 second: figures are rough, everything is run.", CLI_FLAG,
       &options->quick},
      {"realtime", 0, NULL, "Keep other programs off the CPUs while measuring, if permitted.",
       CLI_FLAG, &options->realtime},
      {"out", 'o', "FILE", "Add the comparisons to this JSON list, by name.", CLI_TEXT,
       &options->out},
      {"results", 0, "FILE", "Write all results, with histograms, for shunt report.", CLI_TEXT,
       &options->results},
      {"report", 0, "FILE", "Write them as an HTML page with plots.", CLI_TEXT, &options->report},
      {NULL},
  };
  int at = cli_parse(cli, table, argc, argv, 0, 0);
  if (at < 0)
    return -1 - at;
  int exit = choose_modes(cli, options);
  if (exit >= 0)
    return exit;
  if (options->quick)
    options->seconds = options->seconds < 1 ? options->seconds : 1;
  run.bench.most = options->count ? options->count : UINT64_MAX;
  cli_catch_signals();
  return bench(&run);
}

const struct cli_command bench_command = {
    .name = "bench",
    .arguments = "",
    .summary = "Measure twins beside the kernel, AF_XDP, EFA and ef_vi beside their peers.",
    .run = run_bench,
};
