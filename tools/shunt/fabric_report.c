/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt fabric: what is told, to a person and to a program. */
#include <stdio.h>
#include <string.h>

#include "tools/shunt/device.h"
#include "tools/shunt/fabric.h"
#include "tools/shunt/latency.h"

/* ---- What a device is ---- */

static const struct {
  enum shunt_fabric_caps cap;
  const char *name;
} caps[] = {{SHUNT_FABRIC_RDMA_READ, "rdma-read"},
            {SHUNT_FABRIC_RDMA_WRITE, "rdma-write"},
            {SHUNT_FABRIC_RNR_RETRY, "rnr-retry"},
            {SHUNT_FABRIC_UNSOLICITED, "unsolicited-write-recv"}};
#define CAPS (sizeof(caps) / sizeof(caps[0]))

struct limit {
  const char *key, *name;
  uint64_t value;
};

static unsigned list_limits(const struct shunt_fabric_info *info, struct limit limits[24])
{
  const struct limit all[] = {
      {"mtu", "bytes of a message", info->mtu},
      {"max_rdma_bytes", "bytes of RDMA", info->max_rdma_bytes},
      {"inline_bytes", "bytes inline", info->inline_bytes},
      {"inline_bytes_wide", "bytes inline, wide", info->inline_bytes_wide},
      {"max_qp", "queue pairs", info->max_qp},
      {"max_cq", "completion queues", info->max_cq},
      {"max_mr", "memory registrations", info->max_mr},
      {"max_pd", "protection domains", info->max_pd},
      {"max_ah", "address handles", info->max_ah},
      {"max_send_depth", "send queue entries", info->max_send_depth},
      {"max_recv_depth", "receive queue entries", info->max_recv_depth},
      {"max_cq_depth", "completion entries", info->max_cq_depth},
      {"max_tx_batch", "lines a doorbell", info->max_tx_batch},
      {"link_gbps", "Gb/s", info->link_gbps},
  };
  memcpy(limits, all, sizeof(all));
  return sizeof(all) / sizeof(all[0]);
}

static struct json_object *info_json(const struct shunt_fabric_info *info)
{
  struct json_object *object = json_object_new_object(), *list = json_object_new_array();
  struct limit limits[24];
  char text[SHUNT_GID_TEXT_BYTES];
  cli_add_text(object, "name", info->name);
  cli_add_text(object, "driver", info->driver);
  cli_add_text(object, "device", info->device);
  cli_add_text(object, "path", info->path);
  cli_add_text(object, "gid", shunt_gid_format(&info->gid, text));
  cli_add_u64(object, "firmware_version", info->firmware_version);
  cli_add_bool(object, "model", info->model);
  for (unsigned i = 0; i < CAPS; i++)
    if (info->caps & caps[i].cap)
      json_object_array_add(list, json_object_new_string(caps[i].name));
  json_object_object_add(object, "capabilities", list);
  unsigned n = list_limits(info, limits);
  for (unsigned i = 0; i < n; i++)
    cli_add_u64(object, limits[i].key, limits[i].value);
  return object;
}

int fabric_info(const struct cli *cli, const struct shunt_fabric *fabric)
{
  struct shunt_fabric_info info = {.size = sizeof(info)};
  struct limit limits[24];
  char text[SHUNT_GID_TEXT_BYTES];
  shunt_fabric_info(fabric, &info);
  if (cli->json)
    return cli_json(info_json(&info), CLI_OK);
  printf("%s: %s, %s\n", info.name, info.device, info.path);
  printf("  gid                    %s\n", shunt_gid_format(&info.gid, text));
  printf("  capabilities          ");
  for (unsigned i = 0; i < CAPS; i++)
    if (info.caps & caps[i].cap)
      printf(" %s", caps[i].name);
  puts("");
  unsigned n = list_limits(&info, limits);
  for (unsigned i = 0; i < n; i++)
    cli_print_count(limits[i].name, limits[i].value);
  if (info.model)
    puts(DEVICE_MODEL_STAMP);
  return CLI_OK;
}

/* ---- What a device has counted ---- */

static int read_statistics(struct shunt_fabric *fabric, struct shunt_statistic statistics[],
                           unsigned *n, struct shunt_error *error)
{
  int code = shunt_fabric_statistics(fabric, statistics, FABRIC_STATISTICS, n, error);
  if (!code && *n > FABRIC_STATISTICS)
    *n = FABRIC_STATISTICS;
  return code;
}

static struct json_object *statistics_json(struct shunt_fabric *fabric)
{
  struct shunt_statistic statistics[FABRIC_STATISTICS];
  struct json_object *object = json_object_new_object();
  struct shunt_error error;
  unsigned n = 0;
  if (read_statistics(fabric, statistics, &n, &error)) {
    cli_add_text(object, "error", error.what);
    return object;
  }
  for (unsigned i = 0; i < n; i++)
    cli_add_u64(object, statistics[i].name, statistics[i].value);
  return object;
}

/* all: also what is 0. */
static int print_statistics(const struct cli *cli, struct shunt_fabric *fabric, bool all)
{
  struct shunt_statistic statistics[FABRIC_STATISTICS];
  struct shunt_error error;
  unsigned n = 0;
  if (read_statistics(fabric, statistics, &n, &error))
    return cli_fail(cli, &error);
  for (unsigned i = 0; i < n; i++)
    if (all || statistics[i].value)
      cli_print_count(statistics[i].name, statistics[i].value);
  return CLI_OK;
}

int fabric_stats(const struct cli *cli, struct shunt_fabric *fabric)
{
  struct shunt_error error;
  if (shunt_fabric_check(fabric, &error))
    return cli_fail(cli, &error);
  if (cli->json)
    return cli_json(statistics_json(fabric), CLI_OK);
  return print_statistics(cli, fabric, true);
}

/* ---- What was measured ---- */

static const char *mode_name(const struct fabric_run *run)
{
  return run->mode == FABRIC_PING ? "ping" : "bw";
}

static bool found_something(const struct fabric_run *run)
{
  return run->failed || run->lost || run->corrupted ||
         (run->type == SHUNT_FABRIC_SRD && run->asker && run->completed < run->posted);
}

static struct json_object *statuses_json(const struct fabric_run *run)
{
  struct json_object *object = json_object_new_object();
  for (unsigned i = 0; i < FABRIC_STATUSES; i++)
    if (run->statuses[i])
      cli_add_u64(object, shunt_fabric_status_name(i), run->statuses[i]);
  return object;
}

static int report_json(const struct fabric_run *run, int exit)
{
  struct json_object *document = json_object_new_object(), *devices = json_object_new_array();
  cli_add_text(document, "command", "fabric");
  cli_add_text(document, "mode", mode_name(run));
  cli_add_text(document, "type", run->type_name);
  cli_add_text(document, "op", run->op_name);
  cli_add_bool(document, "model", run->ends[0].info.model);
  cli_add_u64(document, "size", run->size);
  cli_add_u64(document, "depth", run->depth);
  cli_add_u64(document, "posted", run->posted);
  cli_add_u64(document, "completed", run->completed);
  cli_add_u64(document, "received", run->received);
  cli_add_u64(document, "received_bytes", run->received_bytes);
  cli_add_u64(document, "lost", run->lost);
  cli_add_u64(document, "failed", run->failed);
  cli_add_u64(document, "corrupted", run->corrupted);
  json_object_object_add(document, "statuses", statuses_json(run));
  cli_add_double(document, "seconds", run->seconds);
  if (run->asker && run->mode == FABRIC_PING)
    json_object_object_add(document, "rtt", latency_json(run->rtt));
  if (run->asker && run->mode == FABRIC_BW && run->seconds > 0) {
    cli_add_double(document, "messages_per_second", (double)run->completed / run->seconds);
    cli_add_double(document, "bytes_per_second",
                   (double)run->completed * (double)run->size / run->seconds);
  }
  for (unsigned i = 0; i < 2; i++) {
    if (!run->ends[i].fabric)
      continue;
    struct json_object *device = info_json(&run->ends[i].info);
    json_object_object_add(device, "statistics", statistics_json(run->ends[i].fabric));
    json_object_array_add(devices, device);
  }
  json_object_object_add(document, "devices", devices);
  return cli_json(document, exit);
}

static void print_failures(const struct fabric_run *run)
{
  for (unsigned i = 0; i < FABRIC_STATUSES; i++)
    if (run->statuses[i])
      printf("  %llu ended as %s: %s\n    try: %s\n", (unsigned long long)run->statuses[i],
             shunt_fabric_status_name(i), shunt_fabric_status_text(i),
             shunt_fabric_status_advice(i));
}

int fabric_report(struct fabric_run *run)
{
  const int exit = found_something(run) ? CLI_FINDINGS : CLI_OK;
  if (run->cli->json)
    return report_json(run, exit);
  printf("\n%s, %s, %s of %llu bytes\n", mode_name(run), run->type_name, run->op_name,
         (unsigned long long)run->size);
  cli_print_count("posted", run->posted);
  cli_print_count("completed", run->completed);
  if (run->op == SHUNT_FABRIC_SEND)
    cli_print_count("received", run->received);
  cli_print_count("lost", run->lost);
  cli_print_count("failed", run->failed);
  cli_print_count("corrupted", run->corrupted);
  print_failures(run);
  if (run->asker && run->mode == FABRIC_PING)
    latency_print(run->op == SHUNT_FABRIC_SEND ? "RTT" : "from posting to completion", run->rtt);
  if (run->asker && run->mode == FABRIC_BW && run->seconds > 0)
    printf("  %.3f million messages and %.3f GB a second\n",
           (double)run->completed / run->seconds / 1e6,
           (double)run->completed * (double)run->size / run->seconds / 1e9);
  for (unsigned i = 0; i < 2; i++) {
    if (!run->ends[i].fabric)
      continue;
    printf("%s\n", run->ends[i].info.name);
    print_statistics(run->cli, run->ends[i].fabric, false);
  }
  if (run->ends[0].info.model)
    puts(DEVICE_MODEL_STAMP);
  return exit;
}
