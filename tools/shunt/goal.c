/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/goal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/device.h"

/* What the time between two looks counts for: so much, and never more than a part of the patience,
 * so that one gap does not end it. */
#define LOOK_MOST_NS (2 * DEVICES_CHECK_NS)
#define LOOKS_LEAST  4

/* Seconds without progress after which it is given up; 0: never. */
static double patience_s(const struct goal *goal, const struct devices *devices)
{
  if (goal->give_up_s >= 0)
    return goal->give_up_s;
  return goal->count && devices->seconds == 0 ? goal->usual_s : 0;
}

/* ---- How things stand ---- */

/* One more clause of a sentence that has room for bytes. */
static void SHUNT_PRINTF(3, 4) add(char *text, size_t bytes, const char *format, ...)
{
  const size_t length = strlen(text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + length, bytes - length, format, arguments);
  va_end(arguments);
}

/* What went either way, and what was lost on the way. */
static void add_counters(struct shunt_port *port, char *text, size_t bytes)
{
  const unsigned n = shunt_port_statistics(port, NULL, 0);
  struct shunt_statistic *statistics = calloc(n ? n : 1, sizeof(*statistics));
  const unsigned got = statistics ? shunt_port_statistics(port, statistics, n) : 0;
  for (unsigned i = 0; i < got && i < n; i++) {
    const char *name = statistics[i].name;
    const bool moved = !strcmp(name, "tx_packets") || !strcmp(name, "rx_packets"),
               lost = !strcmp(name, "rx_missed") || !strcmp(name, "rx_dropped") ||
                      !strcmp(name, "tx_dropped_by_driver");
    if (moved || (lost && statistics[i].value))
      add(text, bytes, ", %s %llu", name, (unsigned long long)statistics[i].value);
  }
  free(statistics);
}

/* Returns whether its link is up. */
static bool add_device(const struct device *device, char *text, size_t bytes)
{
  struct shunt_link link = {.size = sizeof(link)};
  const uint32_t unsent = device_unsent(device);
  const bool up = shunt_port_link(device->port, &link, NULL) || link.up;
  add(text, bytes, "%s%s: link %s%s", text[0] ? "; " : "", device->info.name,
      up ? "up" : "down: ", up ? "" : link.diagnosis);
  if (unsent)
    add(text, bytes, ", buffers not back from its send ring %u", unsent);
  add_counters(device->port, text, bytes);
  return up;
}

void goal_explain(const struct goal *goal, const struct devices *devices, struct shunt_error *error)
{
  char stand[SHUNT_ERROR_TEXT_BYTES] = "";
  bool up = true;
  for (unsigned i = 0; i < devices->count; i++)
    up &= add_device(&devices->device[i], stand, sizeof(stand));
  shunt_error_why(error, "%s", stand);
  shunt_error_remedy(error, "%s",
                     up ? goal->remedy : "get the link up: shunt doctor and shunt info tell more");
}

static int give_up(const struct goal *goal, const struct devices *devices,
                   struct shunt_error *error)
{
  char of[32] = "";
  if (goal->count)
    snprintf(of, sizeof(of), " of %llu", (unsigned long long)goal->count);
  shunt_error_set(error, -ETIMEDOUT, "%llu%s %s, then not one more for %g s (see --give-up)",
                  (unsigned long long)goal->seen, of, goal->what, patience_s(goal, devices));
  goal_explain(goal, devices, error);
  return error->code;
}

static double least(double a, double b)
{
  return a < b ? a : b;
}

int goal_check(struct goal *goal, struct devices *devices, uint64_t now_ns,
               struct shunt_error *error)
{
  const double most_ns = patience_s(goal, devices) * 1e9;
  if (most_ns <= 0)
    return 0;
  const uint64_t reached = goal->reached(goal->context);
  const double passed_ns = goal->looked_ns ? (double)(now_ns - goal->looked_ns) : 0;
  const bool moves = reached != goal->seen || (goal->waits && goal->waits(goal->context));
  goal->seen = reached;
  goal->looked_ns = now_ns;
  goal->quiet_ns += least(passed_ns, least(LOOK_MOST_NS, most_ns / LOOKS_LEAST));
  if (moves)
    goal->quiet_ns = 0;
  return goal->quiet_ns < most_ns ? 0 : give_up(goal, devices, error);
}
