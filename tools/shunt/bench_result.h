/* SPDX-License-Identifier: BSD-2-Clause */
/* What measurements leave behind: series, comparisons, and the facts of the machine. `shunt bench`
 * makes it, and writes it into two kinds of files:
 *
 *   a result file  all of it, with histograms; `shunt report` reads it. See shunt-bench(1).
 *   bench.json     a list of comparisons, which several programs add to by name */
#ifndef TOOLS_SHUNT_BENCH_RESULT_H
#define TOOLS_SHUNT_BENCH_RESULT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"
#include "shunt/histogram.h"

#define RESULT_SERIES      48
#define RESULT_COMPARISONS 32
#define RESULT_ROUNDS      99
#define RESULT_FACTS       24
#define RESULT_TITLE_BYTES 96

enum result_kind {
  RESULT_ROUND_TRIP, /* values are p50 in microseconds */
  RESULT_RATE,       /* values are Mpps */
  RESULT_TIME,       /* of a piece of work, as round trips are */
};

struct result_series {
  enum result_kind kind;
  char name[48];                  /* for programs */
  char title[RESULT_TITLE_BYTES]; /* for people */
  bool peer;                      /* what our own are compared with */
  bool kernel;                    /* over an interface of the kernel's: no model */
  unsigned threads;               /* 0: not known */
  unsigned batch;
  uint64_t lost;
  unsigned rounds;
  double values[RESULT_ROUNDS];      /* of each round */
  struct shunt_histogram *histogram; /* of times in ns, all rounds together; of rates NULL */
};

struct result_comparison {
  char name[48];
  char unit[16];
  double value;
  char peer[32];
  double peer_value;
  char words[48]; /* for people; not in files */
};

/* What else a reader needs to know: "CPU", "AMD EPYC". */
struct result_fact {
  char key[32];
  char value[256];
};

struct result {
  char title[RESULT_TITLE_BYTES];
  bool model; /* a twin was measured: these are no figures of hardware */
  unsigned series_count, comparison_count, fact_count;
  struct result_series series[RESULT_SERIES];
  struct result_comparison comparisons[RESULT_COMPARISONS];
  struct result_fact facts[RESULT_FACTS];
};

/* Free the histograms. */
void result_free(struct result *result);

/* The next free series with an empty histogram, unless it is one of rates; NULL with error filled
 * where there is no memory or room. */
struct result_series *result_add_series(struct result *result, enum result_kind kind,
                                        struct shunt_error *error);
/* Add a comparison of two series' medians; nothing where one of them has no rounds. */
void result_compare(struct result *result, const char *name, const char *words, const char *unit,
                    const struct result_series *ours, const char *peer,
                    const struct result_series *theirs);
/* bench_compare.c: add all comparisons that shunt bench knows, of the series that were measured. */
void bench_compare(struct result *result);
void result_fact(struct result *result, const char *key, const char *format, ...)
    SHUNT_PRINTF(3, 4);
/* The facts of this machine, this moment and this program. */
void result_machine_facts(struct result *result);

/* The median of a series' rounds; 0 where it has none. */
double result_median(const struct result_series *series);
/* A percentile in ns: as the histogram's, but never above the greatest value, which is known better
 * than its bucket. */
uint64_t result_percentile_ns(const struct shunt_histogram *histogram, double percentile);
/* value / peer_value. */
double result_ratio(const struct result_comparison *comparison);

/* All of it on standard output, as tables. */
void result_print(const struct result *result);

/* The whole as JSON; with or without histograms. Owner: the caller (json_object_put). */
struct json_object *result_to_json(const struct result *result, bool histograms);
int result_write(const struct result *result, const char *path, struct shunt_error *error);
/* Add the comparisons to bench.json, in place of those of the same names. */
int result_merge_comparisons(const struct result *result, const char *path,
                             struct shunt_error *error);
/* Whether the two above could write there now, or whoever else writes a file: 0, or what they would
 * fail with. */
int result_try_write(const char *path, struct shunt_error *error);
int result_try_merge(const char *path, struct shunt_error *error);

/* Read a result file, or percentiles in HdrHistogram's .hgrm text whose values are in units of
 * unit_ns nanoseconds. Returns 0, or what reading returned, or -EBADMSG: the error says where and
 * why. result needs no result_free then. */
int result_read(struct result *result, const char *path, struct shunt_error *error);
int result_read_hgrm(struct result *result, const char *path, double unit_ns,
                     struct shunt_error *error);

#endif
