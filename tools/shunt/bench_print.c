/* SPDX-License-Identifier: BSD-2-Clause */
/* Results as tables for people. */
#include <stdio.h>
#include <string.h>

#include "tools/shunt/bench_result.h"

#define MODEL "model, not a hardware figure"

/* ---- Times ---- */

static void print_time(const struct result_series *series)
{
  static const double percentiles[] = {50, 90, 99, 99.9, 99.99};
  printf("%-24s", series->title);
  for (unsigned p = 0; p < 5; p++)
    printf("%8.2f ", (double)result_percentile_ns(series->histogram, percentiles[p]) / 1e3);
  printf("%9.1f %10llu %6llu\n", (double)shunt_histogram_max(series->histogram) / 1e3,
         (unsigned long long)series->histogram->total, (unsigned long long)series->lost);
}

static void print_times(const struct result *result, enum result_kind kind, bool kernel,
                        const char *heading)
{
  bool is_first = true;
  for (unsigned i = 0; i < result->series_count; i++) {
    const struct result_series *series = &result->series[i];
    if (series->kind != kind || series->kernel != kernel)
      continue;
    if (is_first) {
      printf("%s\n\n%-24s", heading, "");
      printf("%8s %8s %8s %8s %8s %9s %10s %6s\n", "p50", "p90", "p99", "p99.9", "p99.99", "max",
             "count", "lost");
    }
    is_first = false;
    print_time(series);
  }
  if (!is_first)
    putchar('\n');
}

/* ---- Rates ---- */

static void print_rate(const struct result_series *series)
{
  double least = series->values[0], most = least;
  for (unsigned r = 1; r < series->rounds; r++) {
    least = series->values[r] < least ? series->values[r] : least;
    most = series->values[r] > most ? series->values[r] : most;
  }
  printf("%-24s%8.3f %8.3f %8.3f %6llu\n", series->title, result_median(series), least, most,
         (unsigned long long)series->lost);
}

static void print_rates(const struct result *result, bool kernel, const char *heading)
{
  bool is_first = true;
  for (unsigned i = 0; i < result->series_count; i++) {
    const struct result_series *series = &result->series[i];
    if (series->kind != RESULT_RATE || !series->rounds || series->kernel != kernel)
      continue;
    if (is_first)
      printf("%s\n\n%-24s%8s %8s %8s %6s\n", heading, "", "median", "least", "most", "lost");
    is_first = false;
    print_rate(series);
  }
  if (!is_first)
    putchar('\n');
}

/* ---- All ---- */

static void print_comparisons(const struct result *result)
{
  if (result->comparison_count)
    printf("Beside the peer in the same run, medians of %u rounds\n\n", result->series[0].rounds);
  for (unsigned i = 0; i < result->comparison_count; i++) {
    const struct result_comparison *comparison = &result->comparisons[i];
    const double ratio = result_ratio(comparison);
    const bool lower_is_better = !strcmp(comparison->unit, "us");
    printf("  %-33s %8.3f %-4s against %8.3f (%s): %.2f times as fast\n", comparison->words,
           comparison->value, comparison->unit, comparison->peer_value, comparison->peer,
           lower_is_better && ratio > 0 ? 1 / ratio : ratio);
  }
  if (result->comparison_count)
    putchar('\n');
}

void result_print(const struct result *result)
{
  print_times(result, RESULT_ROUND_TRIP, false,
              "Round trips in us, echo of a 64-byte frame (" MODEL ")");
  print_times(result, RESULT_TIME, false, "Pieces of vfio-user in us (" MODEL ")");
  print_rates(result, false,
              "64-byte frames forwarded, and SRD's messages, in millions a second, 2 CPUs (" MODEL
              ")");
  print_times(result, RESULT_ROUND_TRIP, true,
              "Round trips in us, UDP in 64-byte frames over a veth pair, asked over AF_XDP");
  print_rates(result, true, "64-byte frames over a veth pair in Mpps, 2 CPUs");
  print_comparisons(result);
  for (unsigned i = 0; i < result->fact_count; i++)
    printf("%-9s %s\n", result->facts[i].key, result->facts[i].value);
}
