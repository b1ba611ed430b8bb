/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/histogram.h"

#define VALUES 20000

static struct shunt_histogram *make(uint64_t lowest, uint64_t highest, unsigned digits)
{
  struct shunt_histogram_range range = {lowest, highest, digits};
  struct shunt_histogram *histogram = NULL;
  struct shunt_error error = {0};
  if (shunt_histogram_create(&range, &histogram, &error) != 0)
    fail_msg("%s: %s", error.what, error.why);
  return histogram;
}

/* xorshift64*: the same values on every machine. */
static uint64_t random_next(uint64_t *state)
{
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(2685821657736338717);
}

static int compare(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a;
  uint64_t y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void assert_same(const struct shunt_histogram *a, const struct shunt_histogram *b)
{
  assert_true(a->total == b->total);
  assert_true(a->saturated == b->saturated);
  assert_true(a->min == b->min);
  assert_true(a->max == b->max);
  assert_int_equal(a->counts_length, b->counts_length);
  assert_memory_equal(shunt_histogram_counts(a), shunt_histogram_counts(b),
                      a->counts_length * sizeof(uint64_t));
}

/* ---- Set-up ---- */

static void ranges_that_make_no_sense_are_refused(void **state)
{
  (void)state;
  static const struct shunt_histogram_range wrong[] = {
      {0, 1000, 3},
      {1, 1000, 0},
      {1, 1000, 6},
      {1, 1, 3},
      {1000, 1999, 3},
      {1, UINT64_MAX, 3},
      {1, (uint64_t)INT64_MAX + 1, 3},
      {UINT64_C(1) << 60, INT64_MAX, 5},
      {UINT64_MAX, UINT64_MAX, 3},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct shunt_histogram *histogram = NULL;
    struct shunt_error error = {0};
    assert_int_equal(shunt_histogram_bytes(&wrong[i]), 0);
    assert_int_equal(shunt_histogram_create(&wrong[i], &histogram, &error), -EINVAL);
    assert_null(histogram);
    assert_string_not_equal(error.why, "");
  }
}

static void extreme_ranges_hold_their_highest_value(void **state)
{
  (void)state;
  static const struct shunt_histogram_range extreme[] = {
      {1, 2, 1},  {1, INT64_MAX, 1}, {1, INT64_MAX, 5}, {UINT64_C(1) << 57, INT64_MAX, 1},
      {7, 14, 3},
  };
  for (size_t i = 0; i < sizeof extreme / sizeof extreme[0]; i++) {
    struct shunt_histogram *histogram =
        make(extreme[i].lowest, extreme[i].highest, extreme[i].digits);
    shunt_histogram_record(histogram, extreme[i].highest);
    shunt_histogram_record(histogram, 0);
    assert_int_equal(histogram->saturated, 0);
    assert_true(shunt_histogram_percentile(histogram, 100) >= extreme[i].highest);
    assert_true(shunt_histogram_index(histogram, extreme[i].highest) < histogram->counts_length);
    shunt_histogram_destroy(histogram);
  }
  shunt_histogram_destroy(NULL);
}

static void memory_of_the_caller_is_checked(void **state)
{
  (void)state;
  struct shunt_histogram_range range = {1, 1000000, 2};
  size_t bytes = shunt_histogram_bytes(&range);
  assert_true(bytes > sizeof(struct shunt_histogram));
  char *memory = malloc(bytes + 8);
  assert_non_null(memory);
  memset(memory, 0x5a, bytes + 8);
  struct shunt_histogram *histogram = NULL;
  struct shunt_error error = {0};
  assert_int_equal(shunt_histogram_init(memory, bytes - 1, &range, &histogram, &error), -ENOSPC);
  assert_int_equal(shunt_histogram_init(memory + 1, bytes, &range, &histogram, &error), -EINVAL);
  assert_null(histogram);
  assert_int_equal(shunt_histogram_init(memory, bytes, &range, &histogram, &error), 0);
  for (uint64_t value = 0; value <= range.highest; value++)
    shunt_histogram_record(histogram, value);
  assert_int_equal(shunt_histogram_count_between(histogram, 0, UINT64_MAX), 1000001);
  assert_int_equal(memory[bytes], 0x5a);
  free(memory);
}

/* ---- Precision ---- */

/* Every percentile is within 10^-digits of the sorted values' own. */
static void percentiles_agree_with_sorted_values(void **state)
{
  (void)state;
  static const double percentiles[] = {0, 0.01, 1, 25, 50, 90, 99, 99.9, 99.99, 99.999, 100};
  uint64_t *values = malloc(VALUES * sizeof *values);
  assert_non_null(values);
  for (unsigned digits = 1; digits <= 5; digits++) {
    struct shunt_histogram *histogram = make(1, UINT64_C(10000000000), digits);
    uint64_t seed = digits;
    for (size_t i = 0; i < VALUES; i++) {
      values[i] = (random_next(&seed) >> 31) >> (random_next(&seed) % 32);
      shunt_histogram_record(histogram, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
      double rank = ceil(percentiles[i] / 100 * VALUES - 1e-6);
      uint64_t exact = values[rank < 1 ? 0 : (size_t)rank - 1];
      uint64_t got = shunt_histogram_percentile(histogram, percentiles[i]);
      double off = fabs((double)got - (double)exact);
      assert_true(off <= (double)exact * pow(10, -(double)digits));
      assert_true(percentiles[i] == 0 ? got <= exact : got >= exact);
    }
    assert_int_equal(shunt_histogram_min(histogram), values[0]);
    assert_int_equal(shunt_histogram_max(histogram), values[VALUES - 1]);
    shunt_histogram_destroy(histogram);
  }
  free(values);
}

static void mean_and_deviation_agree_with_the_values(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, UINT64_C(10000000000), 3);
  double sum = 0;
  double squares = 0;
  uint64_t seed = 99;
  for (size_t i = 0; i < VALUES; i++) {
    uint64_t value = 1000 + random_next(&seed) % 1000000;
    sum += (double)value;
    squares += (double)value * (double)value;
    shunt_histogram_record(histogram, value);
  }
  double mean = sum / VALUES;
  double deviation = sqrt(squares / VALUES - mean * mean);
  assert_true(fabs(shunt_histogram_mean(histogram) - mean) < mean / 1000);
  assert_true(fabs(shunt_histogram_deviation(histogram) - deviation) < deviation / 1000);
  shunt_histogram_destroy(histogram);
}

/* Values next to each other fall into the same bucket or into neighbouring ones, and a bucket
 * is no wider than the digits allow. */
static void buckets_cover_the_range_without_a_gap(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(4, 1000000, 2);
  size_t last = shunt_histogram_index(histogram, 0);
  assert_int_equal(last, 0);
  for (uint64_t value = 1; value <= 1000000; value++) {
    size_t index = shunt_histogram_index(histogram, value);
    assert_true(index == last || index == last + 1);
    uint64_t low = shunt_histogram_lowest_equivalent(histogram, value);
    uint64_t high = shunt_histogram_highest_equivalent(histogram, value);
    assert_true(low <= value && value <= high);
    assert_true(index == last ? low < value : low == value);
    assert_true(high - low < 4 || (high - low) * 100 <= value);
    last = index;
  }
  shunt_histogram_destroy(histogram);
}

/* ---- Edges ---- */

static void an_empty_histogram_says_nothing(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = NULL;
  assert_int_equal(shunt_histogram_create(NULL, &histogram, NULL), 0);
  for (int round = 0; round < 2; round++) {
    struct shunt_histogram_walk walk;
    shunt_histogram_walk_start(&walk, histogram, 5);
    assert_false(shunt_histogram_walk_next(&walk));
    assert_int_equal(shunt_histogram_percentile(histogram, 50), 0);
    assert_int_equal(shunt_histogram_min(histogram), 0);
    assert_int_equal(shunt_histogram_max(histogram), 0);
    assert_true(shunt_histogram_mean(histogram) == 0);
    assert_true(shunt_histogram_deviation(histogram) == 0);
    assert_int_equal(shunt_histogram_count_between(histogram, 0, UINT64_MAX), 0);
    shunt_histogram_record_n(histogram, 5, 0);
    assert_int_equal(histogram->total, 0);
    shunt_histogram_record_n(histogram, 5, 3);
    shunt_histogram_record(histogram, UINT64_MAX);
    assert_int_equal(histogram->total, 4);
    shunt_histogram_reset(histogram);
  }
  shunt_histogram_destroy(histogram);
}

static void percentiles_out_of_range_are_the_nearer_end(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, 100000, 3);
  shunt_histogram_record(histogram, 10);
  shunt_histogram_record(histogram, 20);
  assert_int_equal(shunt_histogram_percentile(histogram, -5), 10);
  assert_int_equal(shunt_histogram_percentile(histogram, NAN), 10);
  assert_int_equal(shunt_histogram_percentile(histogram, 500), 20);
  assert_int_equal(shunt_histogram_percentile(histogram, INFINITY), 20);
  shunt_histogram_destroy(histogram);
}

static void a_percentile_is_not_rounded_up_to_the_next_value(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, 100000, 3);
  for (uint64_t value = 1; value <= 1000; value++)
    shunt_histogram_record(histogram, value);
  assert_int_equal(shunt_histogram_percentile(histogram, 99.9), 999);
  assert_int_equal(shunt_histogram_percentile(histogram, 50), 500);
  assert_int_equal(shunt_histogram_percentile(histogram, 50.01), 501);
  shunt_histogram_destroy(histogram);
}

static void values_above_the_range_are_counted_as_saturated(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, 1000, 3);
  shunt_histogram_record(histogram, 1000);
  assert_int_equal(histogram->saturated, 0);
  shunt_histogram_record_n(histogram, 1001, 2);
  shunt_histogram_record(histogram, UINT64_MAX);
  assert_int_equal(histogram->saturated, 3);
  assert_int_equal(histogram->total, 4);
  assert_true(shunt_histogram_max(histogram) == UINT64_MAX);
  assert_int_equal(shunt_histogram_percentile(histogram, 100), 1000);
  assert_int_equal(shunt_histogram_count_between(histogram, 1000, 1000), 4);
  assert_int_equal(shunt_histogram_count_between(histogram, 5, 4), 0);
  shunt_histogram_destroy(histogram);
}

/* ---- Coordinated omission ---- */

static void a_pause_is_seen_by_all_that_would_have_been_sent(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, 100000, 3);
  shunt_histogram_record_corrected(histogram, 1000, 100);
  assert_int_equal(histogram->total, 10);
  for (uint64_t value = 100; value <= 1000; value += 100)
    assert_int_equal(shunt_histogram_count_between(histogram, value, value), 1);
  assert_int_equal(shunt_histogram_min(histogram), 100);
  shunt_histogram_record_corrected(histogram, 99, 100);
  shunt_histogram_record_corrected(histogram, 199, 100);
  shunt_histogram_record_corrected(histogram, 5000, 0);
  assert_int_equal(histogram->total, 13);
  shunt_histogram_destroy(histogram);
}

/* The corrected values, many to a bucket, are the same as when recorded one by one. */
static void correction_by_buckets_equals_correction_by_values(void **state)
{
  (void)state;
  static const uint64_t cases[][2] = {
      {123456, 1}, {123456, 7}, {99999, 333}, {50000, 50000}, {50000, 25000}, {300000, 11},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct shunt_histogram *fast = make(1, 200000, 2);
    struct shunt_histogram *slow = make(1, 200000, 2);
    shunt_histogram_record_corrected(fast, cases[i][0], cases[i][1]);
    for (uint64_t value = cases[i][0]; value >= cases[i][1]; value -= cases[i][1])
      shunt_histogram_record(slow, value);
    assert_same(fast, slow);
    shunt_histogram_destroy(fast);
    shunt_histogram_destroy(slow);
  }
}

static void the_longest_pause_takes_no_time_to_correct(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, INT64_MAX, 3);
  shunt_histogram_record_corrected(histogram, UINT64_MAX, 1);
  assert_true(histogram->total == UINT64_MAX);
  assert_true(histogram->saturated == UINT64_C(1) << 63);
  shunt_histogram_destroy(histogram);
}

/* ---- Merging ---- */

static void merged_histograms_equal_one(void **state)
{
  (void)state;
  struct shunt_histogram *one = make(1, 1000000, 3);
  struct shunt_histogram *two = make(1, 1000000, 3);
  struct shunt_histogram *both = make(1, 1000000, 3);
  uint64_t seed = 5;
  for (int i = 0; i < 1000; i++) {
    uint64_t value = random_next(&seed) % 1100000;
    shunt_histogram_record(i % 2 ? one : two, value);
    shunt_histogram_record(both, value);
  }
  assert_true(both->saturated > 0);
  shunt_histogram_merge(one, two);
  assert_same(one, both);

  struct shunt_histogram *empty = make(1, 1000000, 3);
  shunt_histogram_merge(one, empty);
  assert_same(one, both);
  shunt_histogram_merge(empty, one);
  assert_same(empty, both);
  shunt_histogram_destroy(one);
  shunt_histogram_destroy(two);
  shunt_histogram_destroy(both);
  shunt_histogram_destroy(empty);
}

static void histograms_of_other_ranges_can_be_merged(void **state)
{
  (void)state;
  struct shunt_histogram *fine = make(1, 1000000, 4);
  struct shunt_histogram *coarse = make(1, 1000, 1);
  shunt_histogram_record_n(fine, 500, 10);
  shunt_histogram_record_n(fine, 123456, 2);
  shunt_histogram_record(fine, 2000000);
  shunt_histogram_merge(coarse, fine);
  assert_int_equal(coarse->total, 13);
  assert_int_equal(coarse->saturated, 3);
  assert_int_equal(shunt_histogram_min(coarse), 500);
  assert_int_equal(shunt_histogram_max(coarse), 2000000);
  assert_int_equal(shunt_histogram_count_between(coarse, 500, 500), 10);

  struct shunt_histogram *wide = make(1, 10000000, 3);
  shunt_histogram_merge(wide, fine);
  assert_int_equal(wide->total, 13);
  assert_int_equal(wide->saturated, 1);
  shunt_histogram_destroy(fine);
  shunt_histogram_destroy(coarse);
  shunt_histogram_destroy(wide);
}

/* ---- Text ---- */

struct paper {
  size_t used;
  unsigned lines;
  unsigned fail_at;
  char text[8192];
};

static int write_line(void *context, const char *text, size_t bytes)
{
  struct paper *paper = context;
  if (paper->fail_at > 0 && ++paper->lines == paper->fail_at)
    return -ENOSPC;
  assert_true(paper->used + bytes < sizeof paper->text);
  assert_int_equal(text[bytes - 1], '\n');
  memcpy(paper->text + paper->used, text, bytes);
  paper->used += bytes;
  paper->text[paper->used] = '\0';
  return 0;
}

/* Written by HdrHistogram 2.1.11 (Java) for the values 1..3000, Histogram(1, 3600000000000, 2) and
 * outputPercentileDistribution(System.out, 2, 10.0). */
static const char reference[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n"
                                "\n"
                                "        0.10 0.000000000000          1           1.00\n"
                                "       75.10 0.250000000000        751           1.33\n"
                                "      150.30 0.500000000000       1503           2.00\n"
                                "      187.90 0.625000000000       1879           2.67\n"
                                "      225.50 0.750000000000       2255           4.00\n"
                                "      244.70 0.812500000000       2447           5.33\n"
                                "      263.90 0.875000000000       2639           8.00\n"
                                "      271.90 0.906250000000       2719          10.67\n"
                                "      281.50 0.937500000000       2815          16.00\n"
                                "      286.30 0.953125000000       2863          21.33\n"
                                "      291.10 0.968750000000       2911          32.00\n"
                                "      294.30 0.976562500000       2943          42.67\n"
                                "      295.90 0.984375000000       2959          64.00\n"
                                "      297.50 0.988281250000       2975          85.33\n"
                                "      299.10 0.992187500000       2991         128.00\n"
                                "      299.10 0.994140625000       2991         170.67\n"
                                "      299.10 0.996093750000       2991         256.00\n"
                                "      300.70 0.997070312500       3000         341.33\n"
                                "      300.70 1.000000000000       3000\n"
                                "#[Mean    =       150.10, StdDeviation   =        86.61]\n"
                                "#[Max     =       300.70, Total count    =         3000]\n"
                                "#[Buckets =           35, SubBuckets     =          256]\n";

static void hgrm_text_is_that_of_hdrhistogram(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, UINT64_C(3600000000000), 2);
  for (uint64_t value = 1; value <= 3000; value++)
    shunt_histogram_record(histogram, value);
  struct paper paper = {0};
  assert_int_equal(shunt_histogram_hgrm(histogram, 2, 10, write_line, &paper), 0);
  assert_string_equal(paper.text, reference);
  static const uint64_t known[][2] = {{0, 1},    {1, 30},    {10, 301},
                                      {25, 751}, {95, 2863}, {100, 3007}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    assert_int_equal(shunt_histogram_percentile(histogram, (double)known[i][0]), known[i][1]);
  shunt_histogram_destroy(histogram);
}

static void hgrm_stops_where_it_cannot_write(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, 1000, 2);
  shunt_histogram_record(histogram, 1);
  struct paper paper = {0};
  assert_int_equal(shunt_histogram_hgrm(histogram, 5, 0, write_line, &paper), -EINVAL);
  assert_int_equal(shunt_histogram_hgrm(histogram, 5, NAN, write_line, &paper), -EINVAL);
  assert_int_equal(paper.used, 0);
  for (unsigned line = 1; line <= 7; line++) {
    struct paper full = {.fail_at = line};
    assert_int_equal(shunt_histogram_hgrm(histogram, 5, 1, write_line, &full), -ENOSPC);
    assert_int_equal(full.lines, line);
  }
  shunt_histogram_destroy(histogram);
}

static void a_walk_ends_however_many_values_there_are(void **state)
{
  (void)state;
  struct shunt_histogram *histogram = make(1, 1000000, 2);
  shunt_histogram_record_n(histogram, 10, UINT64_C(1) << 60);
  shunt_histogram_record(histogram, 1000);
  struct shunt_histogram_walk walk;
  shunt_histogram_walk_start(&walk, histogram, 0);
  unsigned steps = 0;
  while (shunt_histogram_walk_next(&walk))
    assert_true(++steps < 1000);
  assert_true(walk.percentile == 100);
  assert_true(walk.count == histogram->total);
  assert_int_equal(walk.value, shunt_histogram_highest_equivalent(histogram, 1000));
  assert_false(shunt_histogram_walk_next(&walk));
  shunt_histogram_destroy(histogram);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranges_that_make_no_sense_are_refused),
      cmocka_unit_test(extreme_ranges_hold_their_highest_value),
      cmocka_unit_test(memory_of_the_caller_is_checked),
      cmocka_unit_test(percentiles_agree_with_sorted_values),
      cmocka_unit_test(mean_and_deviation_agree_with_the_values),
      cmocka_unit_test(buckets_cover_the_range_without_a_gap),
      cmocka_unit_test(an_empty_histogram_says_nothing),
      cmocka_unit_test(percentiles_out_of_range_are_the_nearer_end),
      cmocka_unit_test(a_percentile_is_not_rounded_up_to_the_next_value),
      cmocka_unit_test(values_above_the_range_are_counted_as_saturated),
      cmocka_unit_test(a_pause_is_seen_by_all_that_would_have_been_sent),
      cmocka_unit_test(correction_by_buckets_equals_correction_by_values),
      cmocka_unit_test(the_longest_pause_takes_no_time_to_correct),
      cmocka_unit_test(merged_histograms_equal_one),
      cmocka_unit_test(histograms_of_other_ranges_can_be_merged),
      cmocka_unit_test(hgrm_text_is_that_of_hdrhistogram),
      cmocka_unit_test(hgrm_stops_where_it_cannot_write),
      cmocka_unit_test(a_walk_ends_however_many_values_there_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
