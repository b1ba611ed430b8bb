/* SPDX-License-Identifier: BSD-2-Clause */
/* Latencies for a person, a program and a plotter. Histograms are in nanoseconds. */
#ifndef TOOLS_SHUNT_LATENCY_H
#define TOOLS_SHUNT_LATENCY_H

#include "shunt/histogram.h"
#include "tools/shunt/cli.h"

/* A table of p50 to p99.99, max and mean in microseconds, under a title. Nothing of an empty one.
 */
void latency_print(const char *title, const struct shunt_histogram *histogram);

/* {"count", "min_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns", "mean_ns"}
 */
struct json_object *latency_json(const struct shunt_histogram *histogram);

/* Write HdrHistogram's percentile text, in microseconds. Returns 0 or the errno of writing. */
int latency_write_hgrm(const char *path, const struct shunt_histogram *histogram,
                       struct shunt_error *error);

#endif
