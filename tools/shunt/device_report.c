/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling what was granted, and what was found below the command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/device.h"
#include "tools/shunt/rules.h"

/* ---- What was granted ---- */

static void print_device(const struct devices *devices, const struct device *device)
{
  const struct shunt_port_info *info = &device->info;
  char mac[SHUNT_MAC_TEXT_BYTES];
  printf("%s\n", info->name);
  printf("  device     %s, %s%s\n", info->device, info->path,
         info->model ? " (" DEVICE_MODEL_STAMP ")" : "");
  printf("  address    %s\n", shunt_mac_format(info->mac, mac));
  printf("  queues     %u, rings of %u and %u, MTU %u bytes\n", info->queues, info->rx_ring,
         info->tx_ring, info->mtu);
  printf("  memory     %s\n", shunt_region_describe(shunt_port_region(device->port)));
  if (device->link.up)
    printf("  link       up, %u Mb/s, %s\n", device->link.speed_mbps, device->link.media);
  else
    printf("  link       down: %s\n", device->link.diagnosis);
  if (info->model)
    printf("  twin       %s\n", !info->steps          ? "in another process"
                                : devices->has_thread ? "in a thread of its own"
                                                      : "in the thread that uses it");
}

void devices_print(const struct devices *devices)
{
  if (devices->cli->json)
    return;
  for (unsigned i = 0; i < devices->count; i++)
    print_device(devices, &devices->device[i]);
}

void devices_ready(const struct devices *devices)
{
  FILE *out = devices->cli->json ? stderr : stdout;
  if (devices->cli->json && devices->cli->quiet)
    return;
  fputs("ready\n", out);
  fflush(out);
}

static struct json_object *link_json(const struct shunt_link *link)
{
  struct json_object *object = json_object_new_object();
  cli_add_bool(object, "up", link->up);
  cli_add_u64(object, "speed_mbps", link->speed_mbps);
  cli_add_text(object, "media", link->media);
  cli_add_text(object, "module", link->module);
  cli_add_text(object, "diagnosis", link->diagnosis);
  return object;
}

static struct json_object *device_json(const struct devices *devices, const struct device *device)
{
  const struct shunt_port_info *info = &device->info;
  const struct shunt_region *region = shunt_port_region(device->port);
  struct json_object *object = json_object_new_object();
  char mac[SHUNT_MAC_TEXT_BYTES];
  cli_add_text(object, "name", info->name);
  cli_add_text(object, "driver", info->driver);
  cli_add_text(object, "device", info->device);
  cli_add_text(object, "path", info->path);
  cli_add_bool(object, "model", info->model);
  cli_add_bool(object, "twin_thread", info->model && devices->has_thread);
  cli_add_text(object, "mac", shunt_mac_format(info->mac, mac));
  cli_add_u64(object, "queues", info->queues);
  cli_add_u64(object, "rx_ring", info->rx_ring);
  cli_add_u64(object, "tx_ring", info->tx_ring);
  cli_add_u64(object, "mtu_bytes", info->mtu);
  cli_add_text(object, "memory", shunt_region_describe(region));
  cli_add_u64(object, "page_bytes", shunt_region_page_bytes(region));
  json_object_object_add(object, "link", link_json(&device->link));
  struct json_object *rules = rules_json(device->port);
  if (rules)
    json_object_object_add(object, "rules", rules);
  return object;
}

struct json_object *devices_json(const struct devices *devices)
{
  struct json_object *array = json_object_new_array();
  for (unsigned i = 0; i < devices->count; i++)
    json_object_array_add(array, device_json(devices, &devices->device[i]));
  return array;
}

/* ---- What was found ---- */

/* Counters of a twin (twin/ixgbe/ixgbe.h says what each means). */
static const char *const fault_names[DEVICES_FAULTS] = {
    "bad_access",    "unknown_register", "bad_ring",    "bad_tail",        "bad_descriptor",
    "endless_frame", "bad_offload",      "dma_refused", "oversized_frame", "dma_faults"};
static const char *const drop_names[DEVICES_DROPS] = {
    "rx_disabled", "not_addressed", "vlan_filtered",  "too_long",
    "too_short",   "no_descriptor", "queue_disabled", "filter_dropped"};

/* The sum of the port's statistics of these names (b may be NULL). */
static uint64_t count_of(struct shunt_port *port, const char *a, const char *b)
{
  unsigned n = shunt_port_statistics(port, NULL, 0);
  struct shunt_statistic *statistics = calloc(n ? n : 1, sizeof(*statistics));
  uint64_t frames = 0;
  n = statistics ? shunt_port_statistics(port, statistics, n) : 0;
  for (unsigned i = 0; i < n; i++)
    if (!strcmp(statistics[i].name, a) || (b && !strcmp(statistics[i].name, b)))
      frames += statistics[i].value;
  free(statistics);
  return frames;
}

void device_dropped_from_now(struct device *device)
{
  device->dropped_before = count_of(device->port, "tx_dropped_by_driver", NULL);
}

uint64_t device_dropped(const struct device *device)
{
  return count_of(device->port, "tx_dropped_by_driver", NULL) - device->dropped_before;
}

uint64_t device_sent(const struct device *device, uint64_t taken)
{
  const uint64_t dropped = device_dropped(device);
  return taken > dropped ? taken - dropped : 0;
}

static void find_in_twin(struct devices *devices, const struct shunt_model *model,
                         struct devices_findings *findings)
{
  struct shunt_wire_statistics wire = {.size = sizeof(wire)};
  const struct shunt_wire_end *end = shunt_testbed_end(devices->testbed, model);
  shunt_testbed_lock(devices->testbed);
  for (unsigned i = 0; i < DEVICES_FAULTS; i++)
    findings->faults[i] += shunt_model_counter(model, fault_names[i]);
  for (unsigned i = 0; i < DEVICES_DROPS; i++)
    findings->drops[i] += shunt_model_counter(model, drop_names[i]);
  shunt_wire_statistics(end, &wire);
  shunt_testbed_unlock(devices->testbed);
  findings->wire_lost += wire.lost;
  findings->wire_duplicated += wire.duplicated;
  findings->wire_reordered += wire.reordered;
  findings->wire_corrupted += wire.corrupted;
}

void devices_find(struct devices *devices, struct devices_findings *findings)
{
  const struct shunt_model *model;
  memset(findings, 0, sizeof(*findings));
  for (unsigned i = 0; i < devices->count; i++) {
    findings->missed += count_of(devices->device[i].port, "rx_missed", "rx_dropped");
    findings->dropped += device_dropped(&devices->device[i]);
  }
  for (unsigned i = 0; (model = shunt_testbed_model(devices->testbed, i)) != NULL; i++)
    find_in_twin(devices, model, findings);
}

uint64_t devices_faults(const struct devices_findings *findings)
{
  uint64_t all = 0;
  for (unsigned i = 0; i < DEVICES_FAULTS; i++)
    all += findings->faults[i];
  return all;
}

static void print_some(const char *what, const char *const names[], const uint64_t values[],
                       unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    if (values[i])
      printf("  %-22s %12llu  %s\n", what, (unsigned long long)values[i], names[i]);
}

/* With several devices each line begins with what of its name comes before the keys. */
static void print_rules(const struct devices *devices, const struct device *device)
{
  const char *name = device->info.name;
  char location[48] = "";
  struct json_object *rules = rules_json(device->port);
  if (devices->count > 1)
    snprintf(location, sizeof(location), "%.*s", (int)strcspn(name, "?"), name);
  rules_print(rules, location);
  json_object_put(rules);
}

void devices_findings_print(const struct devices *devices, const struct devices_findings *findings)
{
  cli_print_count("missed by the NIC", findings->missed);
  if (findings->dropped)
    cli_print_count("dropped by the driver", findings->dropped);
  for (unsigned i = 0; i < devices->count; i++)
    print_rules(devices, &devices->device[i]);
  if (!devices->model)
    return;
  print_some("dropped by the twin", drop_names, findings->drops, DEVICES_DROPS);
  const uint64_t wire[] = {findings->wire_lost, findings->wire_duplicated, findings->wire_reordered,
                           findings->wire_corrupted};
  static const char *const wire_names[] = {"lost", "duplicated", "reordered", "corrupted"};
  print_some("done by the wire", wire_names, wire, 4);
  cli_print_count("driver faults", devices_faults(findings));
  print_some("  driver fault", fault_names, findings->faults, DEVICES_FAULTS);
}

static struct json_object *counts(const char *const names[], const uint64_t values[], unsigned n)
{
  struct json_object *object = json_object_new_object();
  for (unsigned i = 0; i < n; i++)
    cli_add_u64(object, names[i], values[i]);
  return object;
}

void devices_findings_json(const struct devices *devices, const struct devices_findings *findings,
                           struct json_object *document)
{
  struct json_object *nic = json_object_new_object(), *wire;
  cli_add_u64(nic, "missed_frames", findings->missed);
  cli_add_u64(nic, "tx_dropped_frames", findings->dropped);
  json_object_object_add(document, "nic", nic);
  if (devices->ended.code)
    cli_add_error(document, &devices->ended);
  if (!devices->model)
    return;
  wire = json_object_new_object();
  cli_add_u64(wire, "lost_frames", findings->wire_lost);
  cli_add_u64(wire, "duplicated_frames", findings->wire_duplicated);
  cli_add_u64(wire, "reordered_frames", findings->wire_reordered);
  cli_add_u64(wire, "corrupted_frames", findings->wire_corrupted);
  json_object_object_add(document, "wire", wire);
  json_object_object_add(document, "driver_faults",
                         counts(fault_names, findings->faults, DEVICES_FAULTS));
  json_object_object_add(document, "device_drops",
                         counts(drop_names, findings->drops, DEVICES_DROPS));
}
