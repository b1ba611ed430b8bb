/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/latency.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Steps per halving of the distance to 100 %, as HdrHistogram's tools take. */
#define HGRM_TICKS 5

/* RFC 8219 calls the median typical, and the 99.9th the worst case. */
static const struct {
  const char *name, *key;
  double percentile;
} percentiles[] = {
    {"p50", "p50_ns", 50},       {"p90", "p90_ns", 90},          {"p99", "p99_ns", 99},
    {"p99.9", "p99_9_ns", 99.9}, {"p99.99", "p99_99_ns", 99.99},
};
#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static void print_line(const char *name, double value_ns)
{
  printf("  %-22s %12.3f us\n", name, value_ns / 1e3);
}

void latency_print(const char *title, const struct shunt_histogram *histogram)
{
  if (!histogram->total)
    return;
  printf("%s\n", title);
  for (unsigned i = 0; i < PERCENTILES; i++)
    print_line(percentiles[i].name,
               (double)shunt_histogram_percentile(histogram, percentiles[i].percentile));
  print_line("max", (double)shunt_histogram_max(histogram));
  print_line("mean", shunt_histogram_mean(histogram));
}

struct json_object *latency_json(const struct shunt_histogram *histogram)
{
  struct json_object *object = json_object_new_object();
  cli_add_u64(object, "count", histogram->total);
  cli_add_u64(object, "min_ns", shunt_histogram_min(histogram));
  for (unsigned i = 0; i < PERCENTILES; i++)
    cli_add_u64(object, percentiles[i].key,
                shunt_histogram_percentile(histogram, percentiles[i].percentile));
  cli_add_u64(object, "max_ns", shunt_histogram_max(histogram));
  cli_add_double(object, "mean_ns", shunt_histogram_mean(histogram));
  return object;
}

static int write_text(void *context, const char *text, size_t bytes)
{
  return fwrite(text, 1, bytes, context) == bytes ? 0 : -EIO;
}

int latency_write_hgrm(const char *path, const struct shunt_histogram *histogram,
                       struct shunt_error *error)
{
  FILE *file = fopen(path, "w");
  int code = file ? shunt_histogram_hgrm(histogram, HGRM_TICKS, 1000, write_text, file) : -errno;
  if (file && fclose(file) && !code)
    code = -errno;
  if (!code)
    return 0;
  shunt_error_set(error, code, "can't write %s", path);
  shunt_error_why(error, "%s", strerror(-code));
  return code;
}
