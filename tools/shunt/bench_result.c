/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/bench_result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>

#include "shunt/cpu.h"

/* The build may say which commit it was made from. */
#ifndef SHUNT_COMMIT
#define SHUNT_COMMIT ""
#endif

void result_free(struct result *result)
{
  for (unsigned i = 0; i < result->series_count; i++)
    shunt_histogram_destroy(result->series[i].histogram);
  result->series_count = 0;
}

struct result_series *result_add_series(struct result *result, enum result_kind kind,
                                        struct shunt_error *error)
{
  if (result->series_count == RESULT_SERIES) {
    shunt_error_set(error, -ENOSPC, "too many series");
    shunt_error_why(error, "a result has room for %d", RESULT_SERIES);
    return NULL;
  }
  struct result_series *series = &result->series[result->series_count];
  memset(series, 0, sizeof(*series));
  series->kind = kind;
  if (kind != RESULT_RATE && shunt_histogram_create(NULL, &series->histogram, error))
    return NULL;
  result->series_count++;
  return series;
}

static int by_value(const void *left, const void *right)
{
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

double result_median(const struct result_series *series)
{
  double sorted[RESULT_ROUNDS];
  const unsigned n = series->rounds;
  if (n == 0)
    return 0;
  memcpy(sorted, series->values, n * sizeof(sorted[0]));
  qsort(sorted, n, sizeof(sorted[0]), by_value);
  return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

uint64_t result_percentile_ns(const struct shunt_histogram *histogram, double percentile)
{
  uint64_t value = shunt_histogram_percentile(histogram, percentile);
  uint64_t max = shunt_histogram_max(histogram);
  return value < max ? value : max;
}

double result_ratio(const struct result_comparison *comparison)
{
  return comparison->peer_value > 0 ? comparison->value / comparison->peer_value : 0;
}

void result_compare(struct result *result, const char *name, const char *words, const char *unit,
                    const struct result_series *ours, const char *peer,
                    const struct result_series *theirs)
{
  if (!ours || !theirs || !ours->rounds || !theirs->rounds ||
      result->comparison_count == RESULT_COMPARISONS)
    return;
  struct result_comparison *comparison = &result->comparisons[result->comparison_count++];
  snprintf(comparison->name, sizeof(comparison->name), "%s", name);
  snprintf(comparison->words, sizeof(comparison->words), "%s", words);
  snprintf(comparison->unit, sizeof(comparison->unit), "%s", unit);
  snprintf(comparison->peer, sizeof(comparison->peer), "%s", peer);
  comparison->value = result_median(ours);
  comparison->peer_value = result_median(theirs);
}

void result_fact(struct result *result, const char *key, const char *format, ...)
{
  if (result->fact_count == RESULT_FACTS)
    return;
  struct result_fact *fact = &result->facts[result->fact_count++];
  snprintf(fact->key, sizeof(fact->key), "%s", key);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(fact->value, sizeof(fact->value), format, arguments);
  va_end(arguments);
}

/* ---- This machine ---- */

/* x86 says "model name"; arm64 says "CPU implementer" and "CPU part" in numbers, which is better
 * than nothing. */
static void cpu_name(char *name, size_t bytes)
{
  static const char *const keys[] = {"model name", "CPU part"};
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "r");
  snprintf(name, bytes, "unknown");
  while (file && fgets(line, sizeof(line), file)) {
    const char *colon = strchr(line, ':');
    for (unsigned i = 0; i < 2; i++) {
      if (!colon || strncmp(line, keys[i], strlen(keys[i])) != 0)
        continue;
      snprintf(name, bytes, "%s%s", i ? "arm64, part" : "", colon + (i ? 1 : 2));
      name[strcspn(name, "\n")] = 0;
      fclose(file);
      return;
    }
  }
  if (file)
    fclose(file);
}

static bool runs_on_hypervisor(void)
{
  char line[4096];
  bool found = false;
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && !found && fgets(line, sizeof(line), file))
    found = !strncmp(line, "flags", 5) && strstr(line, " hypervisor");
  if (file)
    fclose(file);
  return found;
}

static void memory_lock_fact(struct result *result)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit))
    return;
  if (limit.rlim_cur == RLIM_INFINITY)
    result_fact(result, "memlock", "unlimited");
  else
    result_fact(result, "memlock", "%llu KiB", (unsigned long long)limit.rlim_cur / 1024);
}

void result_machine_facts(struct result *result)
{
  char text[192];
  struct utsname kernel;
  struct shunt_cpu_set online, isolated;
  double load[1];

  time_t now = time(NULL);
  struct tm utc;
  strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&now, &utc));
  result_fact(result, "date", "%s", text);
  result_fact(result, "shunt", "%s%s%s", SHUNT_VERSION, *SHUNT_COMMIT ? ", commit " : "",
              SHUNT_COMMIT);
  cpu_name(text, sizeof(text));
  unsigned cpus = shunt_cpu_online(NULL, &online, NULL) ? 0 : shunt_cpu_set_count(&online);
  unsigned alone = shunt_cpu_isolated(NULL, &isolated, NULL) ? 0 : shunt_cpu_set_count(&isolated);
  result_fact(result, "CPU", "%s, %u online, %u isolated%s", text, cpus, alone,
              runs_on_hypervisor() ? ", in a virtual machine" : "");
  if (!uname(&kernel))
    result_fact(result, "kernel", "%s %s %s", kernel.sysname, kernel.release, kernel.machine);
  if (getloadavg(load, 1) == 1)
    result_fact(result, "load", "%.2f in the minute before the end", load[0]);
  memory_lock_fact(result);
}
