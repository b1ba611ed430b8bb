/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/histogram.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTOGRAM_MAX_DIGITS 5
#define HISTOGRAM_MAX_TICKS  1000
#define HISTOGRAM_LINE_BYTES 160

extern inline uint64_t *shunt_histogram_counts(const struct shunt_histogram *histogram);
extern inline size_t shunt_histogram_index(const struct shunt_histogram *histogram, uint64_t value);
extern inline void shunt_histogram_record_n(struct shunt_histogram *histogram, uint64_t value,
                                            uint64_t n);
extern inline void shunt_histogram_record(struct shunt_histogram *histogram, uint64_t value);

/* ---- Shape ---- */

static unsigned log2_floor(uint64_t value)
{
  return 63 - (unsigned)__builtin_clzll(value);
}

/* Half the number of equal parts that a bucket is cut into, as a power of two: the least that tells
 * 2 * 10^digits values apart, so that the upper half, the only one in use above the first bucket,
 * has a resolution of 10^digits. */
static unsigned histogram_half_magnitude(unsigned digits)
{
  uint64_t values = 2;
  while (digits-- > 0)
    values *= 10;
  return log2_floor(values - 1);
}

static uint32_t histogram_buckets(const struct shunt_histogram_range *range, unsigned unit,
                                  unsigned half)
{
  uint64_t beyond = UINT64_C(1) << (unit + half + 1);
  uint32_t buckets = 1;
  while (beyond <= range->highest) { /* at most 2^62 here, so that the shift can't overflow */
    beyond <<= 1;
    buckets++;
  }
  return buckets;
}

/* Fill in everything but the counts. */
static int histogram_shape(struct shunt_histogram *shape, const struct shunt_histogram_range *range,
                           struct shunt_error *error)
{
  const char *rule = NULL;
  if (range->digits < 1 || range->digits > HISTOGRAM_MAX_DIGITS)
    rule = "digits must be 1 to 5";
  else if (range->lowest < 1)
    rule = "lowest must be 1 or more";
  else if (range->highest > INT64_MAX)
    rule = "highest must be less than 2^63";
  else if (range->highest / 2 < range->lowest)
    rule = "highest must be twice lowest or more";
  else if (log2_floor(range->lowest) + histogram_half_magnitude(range->digits) > 61)
    rule = "lowest is so great that the digits need more than 64 bits";
  if (rule != NULL) {
    shunt_error_set(error, -EINVAL, "can't make a histogram");
    shunt_error_why(error, "lowest %" PRIu64 ", highest %" PRIu64 ", digits %u: %s", range->lowest,
                    range->highest, range->digits, rule);
    return -EINVAL;
  }
  unsigned unit = log2_floor(range->lowest);
  unsigned half = histogram_half_magnitude(range->digits);
  *shape = (struct shunt_histogram){
      .range = *range,
      .min = UINT64_MAX,
      .sub_bucket_mask = ((UINT64_C(2) << half) - 1) << unit,
      .unit_magnitude = unit,
      .sub_bucket_half_magnitude = half,
      .zeros_at_bucket_0 = 64 - unit - half - 1,
      .counts_length = (histogram_buckets(range, unit, half) + 1) << half,
  };
  return 0;
}

size_t shunt_histogram_bytes(const struct shunt_histogram_range *range)
{
  struct shunt_histogram shape;
  if (histogram_shape(&shape, range, NULL) < 0)
    return 0;
  return sizeof shape + shape.counts_length * sizeof(uint64_t);
}

int shunt_histogram_init(void *memory, size_t bytes, const struct shunt_histogram_range *range,
                         struct shunt_histogram **histogram, struct shunt_error *error)
{
  struct shunt_histogram shape;
  int result = histogram_shape(&shape, range, error);
  if (result < 0)
    return result;
  if ((uintptr_t)memory % sizeof(uint64_t) != 0) {
    shunt_error_set(error, -EINVAL, "can't make a histogram");
    shunt_error_why(error, "its memory at %p is not aligned to 8 bytes", memory);
    return -EINVAL;
  }
  size_t wanted = sizeof shape + shape.counts_length * sizeof(uint64_t);
  if (bytes < wanted) {
    shunt_error_set(error, -ENOSPC, "can't make a histogram");
    shunt_error_why(error, "it takes %zu bytes, and there are %zu", wanted, bytes);
    return -ENOSPC;
  }
  memcpy(memory, &shape, sizeof shape);
  memset((char *)memory + sizeof shape, 0, wanted - sizeof shape);
  *histogram = memory;
  return 0;
}

int shunt_histogram_create(const struct shunt_histogram_range *range,
                           struct shunt_histogram **histogram, struct shunt_error *error)
{
  static const struct shunt_histogram_range nanoseconds = SHUNT_HISTOGRAM_RANGE_NS;
  if (range == NULL)
    range = &nanoseconds;
  struct shunt_histogram shape;
  int result = histogram_shape(&shape, range, error);
  if (result < 0)
    return result;
  size_t bytes = sizeof shape + shape.counts_length * sizeof(uint64_t);
  void *memory = malloc(bytes);
  if (memory == NULL) {
    shunt_error_set(error, -ENOMEM, "can't make a histogram");
    shunt_error_why(error, "no %zu bytes of memory", bytes);
    shunt_error_remedy(error, "ask for fewer digits or a smaller range");
    return -ENOMEM;
  }
  result = shunt_histogram_init(memory, bytes, range, histogram, error);
  if (result < 0)
    free(memory);
  return result;
}

void shunt_histogram_destroy(struct shunt_histogram *histogram)
{
  free(histogram);
}

void shunt_histogram_reset(struct shunt_histogram *histogram)
{
  histogram->total = 0;
  histogram->saturated = 0;
  histogram->min = UINT64_MAX;
  histogram->max = 0;
  memset(shunt_histogram_counts(histogram), 0, histogram->counts_length * sizeof(uint64_t));
}

/* ---- Buckets ---- */

/* The least value that bucket index counts, and how many values it counts as one, as a shift. */
static uint64_t histogram_value(const struct shunt_histogram *histogram, size_t index,
                                unsigned *width_shift)
{
  unsigned half = histogram->sub_bucket_half_magnitude;
  size_t row = index >> half;
  /* The first bucket has both halves, all later ones only their upper half. */
  size_t bucket = row > 0 ? row - 1 : 0;
  uint64_t part = index - (bucket << half);
  *width_shift = (unsigned)bucket + histogram->unit_magnitude;
  return part << *width_shift;
}

/* The bucket of any value: those above the range count as its highest. */
static size_t histogram_index(const struct shunt_histogram *histogram, uint64_t value)
{
  uint64_t highest = histogram->range.highest;
  return shunt_histogram_index(histogram, value < highest ? value : highest);
}

static uint64_t index_lowest(const struct shunt_histogram *histogram, size_t index)
{
  unsigned shift;
  return histogram_value(histogram, index, &shift);
}

static uint64_t index_highest(const struct shunt_histogram *histogram, size_t index)
{
  unsigned shift;
  uint64_t lowest = histogram_value(histogram, index, &shift);
  return lowest + ((UINT64_C(1) << shift) - 1);
}

static uint64_t index_middle(const struct shunt_histogram *histogram, size_t index)
{
  unsigned shift;
  uint64_t lowest = histogram_value(histogram, index, &shift);
  return lowest + ((UINT64_C(1) << shift) >> 1);
}

uint64_t shunt_histogram_lowest_equivalent(const struct shunt_histogram *histogram, uint64_t value)
{
  return index_lowest(histogram, histogram_index(histogram, value));
}

uint64_t shunt_histogram_highest_equivalent(const struct shunt_histogram *histogram, uint64_t value)
{
  return index_highest(histogram, histogram_index(histogram, value));
}

/* ---- Recording ---- */

void shunt_histogram_record_corrected(struct shunt_histogram *histogram, uint64_t value,
                                      uint64_t expected_interval)
{
  shunt_histogram_record(histogram, value);
  if (expected_interval == 0 || value < expected_interval)
    return;
  uint64_t missing = value - expected_interval;
  /* All that fall in one bucket at once: a pause of hours may hide billions of them. */
  while (missing >= expected_interval) {
    uint64_t highest = histogram->range.highest;
    uint64_t lowest =
        missing > highest ? highest + 1 : shunt_histogram_lowest_equivalent(histogram, missing);
    if (lowest < expected_interval)
      lowest = expected_interval;
    uint64_t steps = (missing - lowest) / expected_interval;
    uint64_t last = missing - steps * expected_interval;
    shunt_histogram_record_n(histogram, missing, steps);
    shunt_histogram_record(histogram, last);
    missing = last - expected_interval;
  }
}

static bool histogram_same_shape(const struct shunt_histogram *a, const struct shunt_histogram *b)
{
  return a->unit_magnitude == b->unit_magnitude && a->counts_length == b->counts_length &&
         a->sub_bucket_half_magnitude == b->sub_bucket_half_magnitude &&
         a->range.highest == b->range.highest;
}

void shunt_histogram_merge(struct shunt_histogram *into, const struct shunt_histogram *from)
{
  if (from->total == 0)
    return;
  uint64_t min = from->min < into->min ? from->min : into->min;
  uint64_t max = from->max > into->max ? from->max : into->max;
  uint64_t *to = shunt_histogram_counts(into);
  const uint64_t *counts = shunt_histogram_counts(from);
  if (histogram_same_shape(into, from)) {
    for (size_t i = 0; i < from->counts_length; i++)
      to[i] += counts[i];
    into->total += from->total;
    into->saturated += from->saturated;
  } else {
    uint64_t saturated = into->saturated;
    for (size_t i = 0; i < from->counts_length; i++)
      shunt_histogram_record_n(into, index_lowest(from, i), counts[i]);
    /* What was saturated there is so here too, and is not counted twice. */
    uint64_t fresh = into->saturated - saturated;
    into->saturated = saturated + (fresh > from->saturated ? fresh : from->saturated);
  }
  into->min = min;
  into->max = max;
}

/* ---- Reading ---- */

uint64_t shunt_histogram_min(const struct shunt_histogram *histogram)
{
  return histogram->total > 0 ? histogram->min : 0;
}

uint64_t shunt_histogram_max(const struct shunt_histogram *histogram)
{
  return histogram->max;
}

double shunt_histogram_mean(const struct shunt_histogram *histogram)
{
  if (histogram->total == 0)
    return 0;
  const uint64_t *counts = shunt_histogram_counts(histogram);
  double sum = 0;
  for (size_t i = 0; i < histogram->counts_length; i++) {
    if (counts[i] > 0)
      sum += (double)index_middle(histogram, i) * (double)counts[i];
  }
  return sum / (double)histogram->total;
}

double shunt_histogram_deviation(const struct shunt_histogram *histogram)
{
  if (histogram->total == 0)
    return 0;
  const uint64_t *counts = shunt_histogram_counts(histogram);
  double mean = shunt_histogram_mean(histogram);
  double sum = 0;
  for (size_t i = 0; i < histogram->counts_length; i++) {
    if (counts[i] == 0)
      continue;
    double distance = (double)index_middle(histogram, i) - mean;
    sum += distance * distance * (double)counts[i];
  }
  return sqrt(sum / (double)histogram->total);
}

/* The rank, 1..total, of the value at a percentile. */
static uint64_t histogram_rank(const struct shunt_histogram *histogram, double percentile)
{
  /* One step down, as HdrHistogram does: the product must not be rounded up across a whole number,
   * or the 99.9th percentile of 1000 values would be the last of them. */
  double rank = ceil(nextafter(percentile, -INFINITY) * (double)histogram->total / 100.0);
  if (!(rank >= 1))
    return 1;
  if (rank >= (double)histogram->total)
    return histogram->total;
  return (uint64_t)rank;
}

uint64_t shunt_histogram_percentile(const struct shunt_histogram *histogram, double percentile)
{
  if (histogram->total == 0)
    return 0;
  const uint64_t *counts = shunt_histogram_counts(histogram);
  uint64_t rank = histogram_rank(histogram, percentile);
  uint64_t seen = 0;
  size_t index = 0;
  while (index < histogram->counts_length) {
    seen += counts[index];
    if (seen >= rank)
      break;
    index++;
  }
  return percentile > 0 ? index_highest(histogram, index) : index_lowest(histogram, index);
}

uint64_t shunt_histogram_count_between(const struct shunt_histogram *histogram, uint64_t low,
                                       uint64_t high)
{
  const uint64_t *counts = shunt_histogram_counts(histogram);
  uint64_t count = 0;
  if (low > high)
    return 0;
  size_t last = histogram_index(histogram, high);
  for (size_t i = histogram_index(histogram, low); i <= last; i++)
    count += counts[i];
  return count;
}

void shunt_histogram_walk_start(struct shunt_histogram_walk *walk,
                                const struct shunt_histogram *histogram, unsigned ticks)
{
  if (ticks < 1)
    ticks = 1;
  if (ticks > HISTOGRAM_MAX_TICKS)
    ticks = HISTOGRAM_MAX_TICKS;
  *walk = (struct shunt_histogram_walk){.histogram = histogram, .ticks = ticks};
}

/* Whether the buckets so far do not reach the next step. At 100 %, which steps come to where there
 * are more values than a double can count, only all of them do. */
static bool walk_is_short(const struct shunt_histogram_walk *walk)
{
  uint64_t total = walk->histogram->total;
  if (walk->count == 0 || walk->count == total)
    return walk->count == 0;
  double reached = 100.0 * (double)walk->count / (double)total;
  return walk->next_percentile >= 100 || reached < walk->next_percentile;
}

bool shunt_histogram_walk_next(struct shunt_histogram_walk *walk)
{
  const struct shunt_histogram *histogram = walk->histogram;
  const uint64_t *counts = shunt_histogram_counts(histogram);
  if (walk->ended || histogram->total == 0)
    return false;
  /* All values are behind us: one more step names the last one's bucket 100 %. */
  if (walk->count == histogram->total) {
    walk->percentile = 100;
    walk->ended = true;
    return true;
  }
  /* On to the bucket that reaches the next step; one that spans several steps takes them all. */
  while (walk_is_short(walk)) {
    while (counts[walk->index] == 0)
      walk->index++;
    walk->count += counts[walk->index];
    walk->value = index_highest(histogram, walk->index);
    walk->index++;
  }
  walk->percentile = walk->next_percentile;
  double halvings = floor(log(100.0 / (100.0 - walk->percentile)) / log(2));
  walk->next_percentile += 100.0 / (walk->ticks * exp2(halvings + 1));
  return true;
}

/* ---- Text ---- */

struct hgrm_writer {
  int (*write)(void *context, const char *text, size_t bytes);
  void *context;
  int result;
};

static void SHUNT_PRINTF(2, 3) hgrm_line(struct hgrm_writer *writer, const char *format, ...)
{
  if (writer->result < 0)
    return;
  char text[HISTOGRAM_LINE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= sizeof text) {
    writer->result = -EOVERFLOW;
    return;
  }
  writer->result = writer->write(writer->context, text, (size_t)length);
}

static void hgrm_rows(const struct shunt_histogram *histogram, unsigned ticks, double unit,
                      struct hgrm_writer *writer)
{
  int digits = (int)histogram->range.digits;
  struct shunt_histogram_walk walk;
  shunt_histogram_walk_start(&walk, histogram, ticks);
  while (writer->result == 0 && shunt_histogram_walk_next(&walk)) {
    double value = (double)walk.value / unit;
    double share = walk.percentile / 100.0;
    if (walk.percentile < 100.0)
      hgrm_line(writer, "%12.*f %2.12f %10" PRIu64 " %14.2f\n", digits, value, share, walk.count,
                1 / (1 - share));
    else
      hgrm_line(writer, "%12.*f %2.12f %10" PRIu64 "\n", digits, value, share, walk.count);
  }
}

static void hgrm_footer(const struct shunt_histogram *histogram, double unit,
                        struct hgrm_writer *writer)
{
  int digits = (int)histogram->range.digits;
  uint64_t max = histogram->max;
  if (max > 0)
    max = shunt_histogram_highest_equivalent(histogram, max);
  unsigned half = histogram->sub_bucket_half_magnitude;
  hgrm_line(writer, "#[Mean    = %12.*f, StdDeviation   = %12.*f]\n", digits,
            shunt_histogram_mean(histogram) / unit, digits,
            shunt_histogram_deviation(histogram) / unit);
  hgrm_line(writer, "#[Max     = %12.*f, Total count    = %12" PRIu64 "]\n", digits,
            (double)max / unit, histogram->total);
  hgrm_line(writer, "#[Buckets = %12u, SubBuckets     = %12u]\n",
            (histogram->counts_length >> half) - 1, 2u << half);
}

int shunt_histogram_hgrm(const struct shunt_histogram *histogram, unsigned ticks, double unit,
                         int (*write)(void *context, const char *text, size_t bytes), void *context)
{
  if (!(unit > 0))
    return -EINVAL;
  struct hgrm_writer writer = {.write = write, .context = context};
  /* The plotters want a decimal point whatever language the program speaks. */
  locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
  locale_t before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
  hgrm_line(&writer, "%12s %14s %10s %14s\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
  hgrm_line(&writer, "\n");
  hgrm_rows(histogram, ticks, unit, &writer);
  hgrm_footer(histogram, unit, &writer);
  if (plain != (locale_t)0) {
    uselocale(before);
    freelocale(plain);
  }
  return writer.result;
}
