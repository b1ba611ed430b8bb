/* SPDX-License-Identifier: BSD-2-Clause */
/* Percentiles as HdrHistogram's tools write them: a line each of value, percentile (0..1), how many
 * values are at most that, and 1 / (1 - percentile); then a footer that begins with '#'. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/bench_result.h"

static int bad_file(struct shunt_error *error, const char *path, unsigned lines, const char *why)
{
  shunt_error_set(error, -EBADMSG, "%s is no .hgrm file", path);
  shunt_error_why(error, "line %u: %s", lines, why);
  shunt_error_remedy(error, "HdrHistogram's outputPercentileDistribution, or shunt ping, writes "
                            "one");
  return -EBADMSG;
}

/* One line's values go to where its percentile is, as one count. Returns NULL, or what is wrong. */
static const char *take_line(const char *text, double unit_ns, uint64_t *before,
                             struct shunt_histogram *histogram)
{
  double value, percentile;
  unsigned long long count;
  if (sscanf(text, "%lf %lf %llu", &value, &percentile, &count) != 3)
    return "no value, percentile and count";
  double ns = value * unit_ns;
  if (!isfinite(ns) || ns < 0 || ns > (double)histogram->range.highest)
    return "a value below 0 or above an hour";
  if (!(percentile >= 0 && percentile <= 1))
    return "a percentile outside 0..1";
  if (count < *before || count > INT64_MAX)
    return "a count that falls";
  shunt_histogram_record_n(histogram, (uint64_t)(ns + 0.5), count - *before);
  *before = count;
  return NULL;
}

static int read_lines(FILE *file, const char *path, double unit_ns,
                      struct shunt_histogram *histogram, struct shunt_error *error)
{
  char text[512];
  uint64_t before = 0;
  unsigned lines = 0;
  while (fgets(text, sizeof(text), file)) {
    lines++;
    const char *start = text + strspn(text, " \t\r\n");
    if (!*start || *start == '#' || !strncmp(start, "Value", 5))
      continue;
    const char *why = take_line(start, unit_ns, &before, histogram);
    if (why)
      return bad_file(error, path, lines, why);
  }
  if (ferror(file))
    return shunt_error_set(error, -EIO, "can't read %s", path);
  return before ? 0 : bad_file(error, path, lines, "the end, and no values before");
}

int result_read_hgrm(struct result *result, const char *path, double unit_ns,
                     struct shunt_error *error)
{
  memset(result, 0, sizeof(*result));
  FILE *file = fopen(path, "r");
  if (!file) {
    int code = -errno;
    shunt_error_set(error, code, "can't read %s", path);
    shunt_error_why(error, "%s", strerror(-code));
    return code;
  }
  struct result_series *series = result_add_series(result, RESULT_ROUND_TRIP, error);
  int code = series ? read_lines(file, path, unit_ns, series->histogram, error) : -ENOMEM;
  fclose(file);
  if (code) {
    result_free(result);
    return code;
  }
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  snprintf(series->name, sizeof(series->name), "%s", name);
  snprintf(series->title, sizeof(series->title), "%s", name);
  snprintf(result->title, sizeof(result->title), "%s", name);
  series->rounds = 1;
  series->values[0] = (double)result_percentile_ns(series->histogram, 50) / 1000;
  return 0;
}
