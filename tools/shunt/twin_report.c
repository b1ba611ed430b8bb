/* SPDX-License-Identifier: BSD-2-Clause */
/* What shunt twin has to tell: while it runs, and at the end. */
#include <stdio.h>

#include "shunt/wire.h"
#include "tools/shunt/twin.h"

#define COUNTERS_MOST 96

struct counters {
  const char *names[COUNTERS_MOST];
  uint64_t values[COUNTERS_MOST];
  unsigned count;
};

static void server_counters(const struct twin *twin, struct counters *counters)
{
  counters->count =
      shunt_vfio_user_counters(twin->server, counters->names, counters->values, COUNTERS_MOST);
}

static void model_counters(const struct twin *twin, struct counters *counters)
{
  counters->count =
      shunt_model_counters(twin->model, counters->names, counters->values, COUNTERS_MOST);
}

static double elapsed_s(const struct twins *twins)
{
  return (double)(twins_now_ns(twins) - twins->start_ns) / 1e9;
}

/* ---- JSON ---- */

static struct json_object *counters_json(const struct counters *counters)
{
  struct json_object *object = json_object_new_object();
  for (unsigned i = 0; i < counters->count && i < COUNTERS_MOST; i++)
    cli_add_u64(object, counters->names[i], counters->values[i]);
  return object;
}

static struct json_object *wire_json(const struct shunt_wire_end *end)
{
  struct json_object *object = json_object_new_object();
  struct shunt_wire_statistics wire = {.size = sizeof(wire)};
  shunt_wire_statistics(end, &wire);
  cli_add_u64(object, "sent", wire.sent);
  cli_add_u64(object, "sent_bytes", wire.sent_bytes);
  cli_add_u64(object, "offered", wire.offered);
  cli_add_u64(object, "delivered", wire.delivered);
  cli_add_u64(object, "delivered_bytes", wire.delivered_bytes);
  cli_add_u64(object, "lost", wire.lost);
  cli_add_u64(object, "duplicated", wire.duplicated);
  cli_add_u64(object, "reordered", wire.reordered);
  cli_add_u64(object, "corrupted", wire.corrupted);
  cli_add_u64(object, "delayed", wire.delayed);
  cli_add_u64(object, "overflowed", wire.overflowed);
  cli_add_u64(object, "no_carrier", wire.no_carrier);
  cli_add_u64(object, "in_flight", wire.in_flight);
  return object;
}

static struct json_object *twin_json(const struct twins *twins, const struct twin *twin)
{
  struct json_object *object = json_object_new_object();
  struct counters counters;
  cli_add_text(object, "socket", twin->socket);
  cli_add_u64(object, "card", twin->card);
  cli_add_text(object, "kind", twin->kind);
  cli_add_text(object, "device", twin->model->path);
  cli_add_bool(object, "connected", shunt_vfio_user_connected(twin->server) != 0);
  server_counters(twin, &counters);
  json_object_object_add(object, "server", counters_json(&counters));
  model_counters(twin, &counters);
  json_object_object_add(object, "model", counters_json(&counters));
  json_object_object_add(object, "wire", wire_json(shunt_testbed_end(twins->testbed, twin->model)));
  cli_add_text(object, "last_fault", shunt_vfio_user_last_fault(twin->server));
  return object;
}

static struct json_object *document(const struct twins *twins)
{
  struct json_object *object = json_object_new_object(), *list = json_object_new_array();
  cli_add_text(object, "command", "twin");
  cli_add_double(object, "seconds", elapsed_s(twins));
  for (unsigned i = 0; i < twins->count; i++)
    json_object_array_add(list, twin_json(twins, &twins->twin[i]));
  json_object_object_add(object, "twins", list);
  return object;
}

/* ---- Text ---- */

static uint64_t faults(const struct twin *twin)
{
  struct counters counters;
  uint64_t sum = 0;
  server_counters(twin, &counters);
  for (unsigned i = shunt_vfio_user_counters_done(); i < counters.count; i++)
    sum += counters.values[i];
  return sum;
}

static unsigned long long served(const struct twin *twin, const char *name)
{
  return shunt_vfio_user_counter(twin->server, name);
}

static unsigned long long modelled(const struct twin *twin, const char *name)
{
  return shunt_model_counter(twin->model, name);
}

void twins_status(const struct twins *twins)
{
  if (twins->cli->json) { /* one line a document, so that a reader knows where it ends */
    struct json_object *object = document(twins);
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    fflush(stdout);
    json_object_put(object);
    return;
  }
  for (unsigned i = 0; i < twins->count; i++) {
    const struct twin *twin = &twins->twin[i];
    fprintf(stderr,
            "%.1f s %s: %s, frames %llu in %llu out, messages %llu, interrupts %llu, dma faults "
            "%llu, client faults %llu\n",
            elapsed_s(twins), twin->socket,
            shunt_vfio_user_connected(twin->server) ? "connected" : "waiting",
            modelled(twin, "wire_frames_in"), modelled(twin, "wire_frames_out"),
            served(twin, "messages"), served(twin, "interrupts"), modelled(twin, "dma_faults"),
            (unsigned long long)faults(twin));
  }
}

static void print_counters(const struct counters *counters)
{
  for (unsigned i = 0; i < counters->count && i < COUNTERS_MOST; i++)
    if (counters->values[i])
      cli_print_count(counters->names[i], counters->values[i]);
}

int twins_report(const struct twins *twins)
{
  struct counters counters;
  if (twins->cli->json && twins->status_s > 0) {
    twins_status(twins);
    return CLI_OK;
  }
  if (twins->cli->json)
    return cli_json(document(twins), CLI_OK);
  for (unsigned i = 0; i < twins->count; i++) {
    const struct twin *twin = &twins->twin[i];
    printf("%s\n", twin->socket);
    server_counters(twin, &counters);
    print_counters(&counters);
    model_counters(twin, &counters);
    print_counters(&counters);
    if (*shunt_vfio_user_last_fault(twin->server))
      printf("  last fault of a client: %s\n", shunt_vfio_user_last_fault(twin->server));
  }
  return CLI_OK;
}
