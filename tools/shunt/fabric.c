/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt fabric: endpoints that send messages and reach each other's memory, tried and timed. */
#include "tools/shunt/fabric.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/idle.h"
#include "tools/shunt/latency.h"

#define MEMORY_MOST (UINT64_C(64) << 20) /* of an endpoint's slots */
#define SLOT_ALIGN  64u
#define DEPTH_MOST  1024

/* ---- The twins' thread ---- */

static void *twins_thread(void *context)
{
  struct fabric_run *run = context;
  struct shunt_idle idle;
  struct shunt_error error;
  const struct shunt_idle_options yield = {.mode = SHUNT_IDLE_YIELD};
  if (shunt_cpu_pin((unsigned)run->device_cpu, &error))
    shunt_log_error(&run->cli->log, SHUNT_LOG_WARNING, &error);
  shunt_idle_init(&idle, &yield, NULL);
  while (!atomic_load_explicit(&run->thread_ends, memory_order_relaxed)) {
    if (shunt_testbed_poll(run->testbed))
      shunt_idle_work(&idle);
    else
      shunt_idle_none(&idle);
  }
  return NULL;
}

/* ---- Up and down ---- */

static int start(struct fabric_run *run, struct shunt_error *error)
{
  int code = shunt_tsc_calibrate(&run->tsc, error);
  code = code ? code : shunt_testbed_create(NULL, &run->testbed, error);
  if (!code && run->cpu != FABRIC_NO_CPU)
    code = shunt_cpu_pin((unsigned)run->cpu, error);
  code = code ? code : shunt_histogram_create(NULL, &run->rtt, error);
  if (code || run->device_cpu == FABRIC_NO_CPU)
    return code;
  run->has_thread = pthread_create(&run->thread, NULL, twins_thread, run) == 0;
  return run->has_thread ? 0 : shunt_error_set(error, -EAGAIN, "can't start the twins' thread");
}

static void stop(struct fabric_run *run)
{
  if (run->has_thread) {
    atomic_store(&run->thread_ends, true);
    pthread_join(run->thread, NULL);
  }
  fabric_end_close(&run->ends[0]);
  fabric_end_close(&run->ends[1]);
  shunt_testbed_destroy(run->testbed);
  shunt_histogram_destroy(run->rtt);
  if (run->socket >= 0)
    close(run->socket);
}

/* The size that a message may have, by all devices that are here. */
static int check_size(const struct fabric_run *run)
{
  const struct shunt_fabric_info *info = &run->ends[0].info;
  uint64_t most = run->op == SHUNT_FABRIC_SEND ? info->mtu : info->max_rdma_bytes;
  if (run->size > most)
    return cli_usage(run->cli, "--size: %s takes up to %llu bytes of %s, not %llu", info->device,
                     (unsigned long long)most, run->op_name, (unsigned long long)run->size);
  return CLI_OK;
}

static int open_ends(struct fabric_run *run, char **devices, int n, struct shunt_error *error)
{
  int code = 0;
  for (int i = 0; i < n && !code; i++)
    code = fabric_end_open(run, devices[i], &run->ends[i], error);
  return code;
}

static int furnish(struct fabric_run *run, struct shunt_error *error)
{
  struct fabric_end *first = &run->ends[0], *second = &run->ends[1];
  int code = fabric_end_furnish(run, first, error);
  if (!code && run->socket >= 0)
    return fabric_exchange(run, first, error);
  code = code ? code : fabric_end_furnish(run, second, error);
  code = code ? code : fabric_end_meet(first, &second->own, error);
  return code ? code : fabric_end_meet(second, &first->own, error);
}

static int measure(struct fabric_run *run, char **devices, int n)
{
  struct shunt_error error;
  int exit = CLI_OK;
  int code = start(run, &error);
  code = code ? code : open_ends(run, devices, n, &error);
  if (!code)
    exit = check_size(run);
  if (exit)
    return exit;
  if (!code && (run->listen || run->connect))
    code = fabric_exchange_open(run, &error);
  run->asker = run->listen ? NULL : &run->ends[0];
  run->answerer = run->listen ? &run->ends[0] : run->connect ? NULL : &run->ends[1];
  code = code ? code : furnish(run, &error);
  code = code ? code : fabric_move(run, &error);
  if (!code && run->hgrm)
    code = latency_write_hgrm(run->hgrm, run->rtt, &error);
  return code ? cli_fail(run->cli, &error) : fabric_report(run);
}

/* info and stats: of a device by itself. */
static int look(struct fabric_run *run, char *device, bool stats)
{
  struct shunt_error error;
  if (start(run, &error) || fabric_end_open(run, device, &run->ends[0], &error))
    return cli_fail(run->cli, &error);
  return stats ? fabric_stats(run->cli, run->ends[0].fabric)
               : fabric_info(run->cli, run->ends[0].fabric);
}

/* ---- The command line ---- */

static int choose(const struct cli *cli, const char *option, const char *value,
                  const char *const names[], unsigned *index)
{
  for (*index = 0; names[*index]; (*index)++)
    if (!strcmp(names[*index], value))
      return CLI_OK;
  return cli_usage(cli, "--%s: there is no \"%s\"", option, value);
}

static int check(struct fabric_run *run, int devices)
{
  static const char *const ops[] = {"send", "read", "write", NULL};
  static const char *const types[] = {"srd", "ud", NULL};
  unsigned op, type;
  int exit = choose(run->cli, "op", run->op_name, ops, &op);
  exit = exit ? exit : choose(run->cli, "type", run->type_name, types, &type);
  if (exit)
    return exit;
  run->op = (enum shunt_fabric_op)op;
  run->type = type ? SHUNT_FABRIC_UD : SHUNT_FABRIC_SRD;
  if (run->type == SHUNT_FABRIC_UD && run->op != SHUNT_FABRIC_SEND)
    return cli_usage(run->cli, "--op: UD queue pairs only send");
  if (run->listen && run->connect)
    return cli_usage(run->cli, "--listen and --connect exclude each other");
  if (devices != (run->listen || run->connect ? 1 : 2))
    return cli_usage(run->cli, "two devices are wanted; or one, and --listen or --connect");
  run->prefix_bytes = run->type == SHUNT_FABRIC_UD ? SHUNT_FABRIC_UD_PREFIX_BYTES : 0;
  run->slot_bytes =
      (uint32_t)(run->size + run->prefix_bytes + SLOT_ALIGN) & ~(uint32_t)(SLOT_ALIGN - 1);
  while (run->depth & (run->depth - 1)) /* a power of two, and no more memory than is decent */
    run->depth &= run->depth - 1;
  while (run->depth > 2 && 2 * run->depth * run->slot_bytes > MEMORY_MOST)
    run->depth /= 2;
  if (!run->count)
    run->count = run->mode == FABRIC_PING ? 10000 : 100000;
  return CLI_OK;
}

static int run_mode(struct fabric_run *run, char **arguments, int n)
{
  const char *mode = arguments[0];
  bool stats = !strcmp(mode, "stats");
  if (stats || !strcmp(mode, "info"))
    return n == 2 ? look(run, arguments[1], stats)
                  : cli_usage(run->cli, "%s wants one device", mode);
  if (strcmp(mode, "ping") != 0 && strcmp(mode, "bw") != 0)
    return cli_usage(run->cli, "\"%s\" is none of ping, bw, info, stats", mode);
  run->mode = !strcmp(mode, "ping") ? FABRIC_PING : FABRIC_BW;
  int exit = check(run, n - 1);
  if (exit)
    return exit;
  cli_catch_signals();
  return measure(run, arguments + 1, n - 1);
}

static int fabric_run(struct cli *cli, int argc, char **argv)
{
  struct fabric_run *run = calloc(1, sizeof(*run));
  if (!run)
    return CLI_FAILED;
  run->cli = cli;
  run->op_name = "send";
  run->type_name = "srd";
  run->size = 64;
  run->depth = 64;
  run->qkey = 0x11111111;
  run->timeout_s = 5;
  run->cpu = run->device_cpu = FABRIC_NO_CPU;
  run->socket = -1;
  const struct cli_option options[] = {
      {"op", 0, "OP", "send, read or write (send).", CLI_TEXT, &run->op_name, 0, 0},
      {"type", 0, "TYPE", "Queue pairs of type srd or ud (srd).", CLI_TEXT, &run->type_name, 0, 0},
      {"size", 0, "BYTES", "Of a message, or of the memory that is moved (64).", CLI_U64,
       &run->size, 0, 1 << 24},
      {"count", 'n', "N", "Messages (ping 10000, bw 100000).", CLI_U64, &run->count, 1, 1e12},
      {"depth", 0, "N", "Work requests under way, at most (64).", CLI_U64, &run->depth, 2,
       DEPTH_MOST},
      {"wide", 0, NULL, "Work requests of 128 bytes: 80 bytes fit inline.", CLI_FLAG, &run->wide, 0,
       0},
      {"check", 0, NULL, "Compare each message of bw; ping always does.", CLI_FLAG, &run->check, 0,
       0},
      {"qkey", 0, "N", "The queue pairs' key.", CLI_U64, &run->qkey, 0, UINT32_MAX},
      {"timeout", 0, "SECONDS", "Give up when nothing has come for so long (5).", CLI_DOUBLE,
       &run->timeout_s, 0.001, 600},
      {"listen", 0, "[HOST:]PORT", "Answer another process, which tells its address here.",
       CLI_TEXT, &run->listen, 0, 0},
      {"connect", 0, "HOST:PORT", "Ask the process that listens there.", CLI_TEXT, &run->connect, 0,
       0},
      {"hgrm", 0, "FILE", "Write the percentile curve in us, for HdrHistogram's plotters.",
       CLI_TEXT, &run->hgrm, 0, 0},
      {"cpu", 0, "N", "Pin the thread to a CPU.", CLI_U64, &run->cpu, 0, SHUNT_CPU_MAX - 1},
      {"device-cpu", 0, "N", "Give the twins a thread of their own, pinned to a CPU.", CLI_U64,
       &run->device_cpu, 0, SHUNT_CPU_MAX - 1},
      {0},
  };
  int at = cli_parse(cli, options, argc, argv, 2, 3);
  int exit = at < 0 ? -1 - at : run_mode(run, argv + at, argc - at);
  if (at >= 0)
    stop(run);
  free(run);
  return exit;
}

const struct cli_command fabric_command = {
    .name = "fabric",
    .arguments = "ping|bw|info|stats DEVICE [DEVICE]",
    .summary = "Try and time endpoints: messages and remote memory over EFA.",
    .run = fabric_run,
};
