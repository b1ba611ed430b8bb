/* SPDX-License-Identifier: BSD-2-Clause */
/* A histogram of durations that keeps its precision from nanoseconds to hours.
 *
 * Log-linear: each power of two is cut into as many equal buckets as the wanted number of
 * significant digits needs, so a value is known to 1 part in 10^digits wherever it lies. Buckets,
 * percentiles and the .hgrm text are those of HdrHistogram (hdrhistogram.org; AbstractHistogram of
 * its Java version 2.1), so its plotters and other tools read our files.
 *
 * A histogram is one block of memory without pointers: it can be copied with memcpy and lie in
 * memory that processes share. It is written and read by one thread at a time; many threads keep
 * one each, and merge them afterwards. The struct is public only for the inline functions. */
#ifndef SHUNT_HISTOGRAM_H
#define SHUNT_HISTOGRAM_H

#include <stdbool.h>

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

/* What a histogram should tell apart. */
struct shunt_histogram_range {
  uint64_t lowest;  /* 1..: values below this difference need not be told apart */
  uint64_t highest; /* 2 * lowest..INT64_MAX: greater values are counted as saturated */
  unsigned digits;  /* 1..5 significant decimal digits */
};

/* 1 ns to 1 hour at 3 digits: 270 KiB. */
#define SHUNT_HISTOGRAM_RANGE_NS                                                                   \
  {                                                                                                \
    1, UINT64_C(3600000000000), 3                                                                  \
  }

struct shunt_histogram {
  struct shunt_histogram_range range;
  uint64_t total;     /* values recorded, the saturated ones included */
  uint64_t saturated; /* of which were above range.highest */
  uint64_t min;       /* exact; UINT64_MAX while empty */
  uint64_t max;       /* exact, also where saturated */
  uint64_t sub_bucket_mask;
  uint32_t unit_magnitude;
  uint32_t sub_bucket_half_magnitude;
  uint32_t zeros_at_bucket_0; /* leading zeros of the greatest value of the first bucket */
  uint32_t counts_length;
  /* uint64_t counts[counts_length] follows. */
};

/* How many bytes a histogram of this range takes; 0 where the range is not a valid one. */
size_t shunt_histogram_bytes(const struct shunt_histogram_range *range);

/* Make an empty histogram in memory of the caller's.
 *
 * memory, bytes  aligned to 8 bytes, and at least shunt_histogram_bytes(range)
 * histogram      where its address goes, which is memory's; untouched on failure
 * Owner          the caller; nothing is to be freed but the memory
 * Returns        0; -EINVAL (range, alignment; the error names the rule); -ENOSPC (bytes) */
int shunt_histogram_init(void *memory, size_t bytes, const struct shunt_histogram_range *range,
                         struct shunt_histogram **histogram, struct shunt_error *error);

/* Make an empty histogram in memory from the heap.
 *
 * range    NULL: SHUNT_HISTOGRAM_RANGE_NS
 * Owner    the caller, until shunt_histogram_destroy
 * Returns  0; -EINVAL (range); -ENOMEM */
int shunt_histogram_create(const struct shunt_histogram_range *range,
                           struct shunt_histogram **histogram, struct shunt_error *error);

/* Free what shunt_histogram_create made. histogram may be NULL. */
void shunt_histogram_destroy(struct shunt_histogram *histogram);

/* Forget all values. */
void shunt_histogram_reset(struct shunt_histogram *histogram);

/* ---- Recording ---- */

/* The counts of the buckets, counts_length of them. */
inline uint64_t *shunt_histogram_counts(const struct shunt_histogram *histogram)
{
  return (uint64_t *)(uintptr_t)(histogram + 1);
}

/* Which bucket counts a value of at most range.highest. */
inline size_t shunt_histogram_index(const struct shunt_histogram *histogram, uint64_t value)
{
  unsigned zeros = (unsigned)__builtin_clzll(value | histogram->sub_bucket_mask);
  unsigned bucket = histogram->zeros_at_bucket_0 - zeros;
  return ((size_t)bucket << histogram->sub_bucket_half_magnitude) +
         (size_t)(value >> (bucket + histogram->unit_magnitude));
}

/* Record a value n times; n may be 0. A value above range.highest counts as saturated, and as
 * range.highest in percentiles and mean: a tail is never left out, and never longer than known. */
inline void shunt_histogram_record_n(struct shunt_histogram *histogram, uint64_t value, uint64_t n)
{
  if (n == 0)
    return;
  if (value < histogram->min)
    histogram->min = value;
  if (value > histogram->max)
    histogram->max = value;
  if (SHUNT_UNLIKELY(value > histogram->range.highest)) {
    histogram->saturated += n;
    value = histogram->range.highest;
  }
  histogram->total += n;
  shunt_histogram_counts(histogram)[shunt_histogram_index(histogram, value)] += n;
}

/* Record a value: some 15 instructions, no call. Never fails. */
inline void shunt_histogram_record(struct shunt_histogram *histogram, uint64_t value)
{
  shunt_histogram_record_n(histogram, value, 1);
}

/* Record a value of a closed loop, and with it those that the wait for it has kept from being
 * measured: value - expected_interval, value - 2 * expected_interval, ... down to the interval
 * (coordinated omission). An expected_interval of 0 corrects nothing. Takes time in proportion to
 * the number of buckets at most. */
void shunt_histogram_record_corrected(struct shunt_histogram *histogram, uint64_t value,
                                      uint64_t expected_interval);

/* Add all of from's values to into. The ranges may differ: values then keep into's precision, and
 * saturate at into's highest. from may not be into. */
void shunt_histogram_merge(struct shunt_histogram *into, const struct shunt_histogram *from);

/* ---- Reading ---- */

/* The least and the greatest value, exactly as recorded; 0 while empty. */
uint64_t shunt_histogram_min(const struct shunt_histogram *histogram);
uint64_t shunt_histogram_max(const struct shunt_histogram *histogram);

/* Mean and standard deviation (of the population), each value standing in the middle of its
 * bucket; 0 while empty. */
double shunt_histogram_mean(const struct shunt_histogram *histogram);
double shunt_histogram_deviation(const struct shunt_histogram *histogram);

/* The value that a share of all values does not exceed.
 *
 * percentile  0..100; what lies outside is taken as the nearer end, NaN as 0
 * Returns     the greatest value of the bucket in which the ceil(percentile / 100 * total)-th of
 *             the sorted values lies (the least of its bucket for percentile 0); 0 while empty */
uint64_t shunt_histogram_percentile(const struct shunt_histogram *histogram, double percentile);

/* How many values are in the buckets from low's to high's, both included. */
uint64_t shunt_histogram_count_between(const struct shunt_histogram *histogram, uint64_t low,
                                       uint64_t high);

/* The least and the greatest value that share value's bucket: what it can't be told apart from. */
uint64_t shunt_histogram_lowest_equivalent(const struct shunt_histogram *histogram, uint64_t value);
uint64_t shunt_histogram_highest_equivalent(const struct shunt_histogram *histogram,
                                            uint64_t value);

/* A walk along the percentile curve, in steps that halve as 100 % comes nearer. */
struct shunt_histogram_walk {
  uint64_t value;         /* the greatest value of the bucket that was reached */
  double percentile;      /* 0..100; the last step is exactly 100 */
  uint64_t count;         /* how many values are at most value */
  double next_percentile; /* the rest is the walk's own */
  size_t index;
  unsigned ticks;
  bool ended;
  const struct shunt_histogram *histogram;
};

/* Begin a walk.
 *
 * ticks  steps per halving of the distance to 100 %, 1..1000; HdrHistogram's tools use 5
 * Owner  the caller keeps histogram alive and unchanged during the walk */
void shunt_histogram_walk_start(struct shunt_histogram_walk *walk,
                                const struct shunt_histogram *histogram, unsigned ticks);

/* Take a step. Returns false, and leaves walk's values as they are, when there is none left. */
bool shunt_histogram_walk_next(struct shunt_histogram_walk *walk);

/* Write the percentile curve as HdrHistogram's .hgrm text: "Value Percentile TotalCount
 * 1/(1-Percentile)", and a footer with mean, deviation, max, count and buckets.
 *
 * ticks    as for a walk
 * unit     what values are divided by, e.g. 1000 for microseconds out of nanoseconds; > 0
 * write    called once per line, which ends in a line feed; returns 0, or -errno to stop
 * Returns  0; -EINVAL (unit); what write returned */
int shunt_histogram_hgrm(const struct shunt_histogram *histogram, unsigned ticks, double unit,
                         int (*write)(void *context, const char *text, size_t bytes),
                         void *context);

SHUNT_END_DECLS

#endif
