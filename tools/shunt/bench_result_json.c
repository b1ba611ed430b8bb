/* SPDX-License-Identifier: BSD-2-Clause */
/* Result files and bench.json: written, and read with no trust in what stands there. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/shunt/bench_result.h"

#define FORMAT_VERSION 1

static const double percentiles[] = {50, 90, 99, 99.9, 99.99};
static const char *const percentile_names[] = {"p50", "p90", "p99", "p99.9", "p99.99"};
static const char *const kind_names[] = {"round-trip", "rate", "time"};
#define KINDS (sizeof(kind_names) / sizeof(kind_names[0]))

/* ---- Writing ---- */

static void put_text(struct json_object *to, const char *key, const char *text)
{
  json_object_object_add(to, key, json_object_new_string(text));
}

static void put_u64(struct json_object *to, const char *key, uint64_t number)
{
  json_object_object_add(to, key, json_object_new_uint64(number));
}

/* Six digits: more would be noise, and what json-c prints unasked has 17. */
static struct json_object *number(double value)
{
  char text[32];
  snprintf(text, sizeof(text), "%.6g", value);
  return json_object_new_double_s(strtod(text, NULL), text);
}

static struct json_object *counts_to_json(const struct shunt_histogram *histogram)
{
  struct json_object *list = json_object_new_array();
  const uint64_t *counts = shunt_histogram_counts(histogram);
  uint64_t most = histogram->max < histogram->range.highest ? histogram->max //
                                                            : histogram->range.highest;
  for (uint64_t value = histogram->total ? histogram->min : 1; histogram->total && value <= most;) {
    uint64_t count = counts[shunt_histogram_index(histogram, value)];
    if (count) {
      struct json_object *pair = json_object_new_array_ext(2);
      json_object_array_add(
          pair, json_object_new_uint64(shunt_histogram_lowest_equivalent(histogram, value)));
      json_object_array_add(pair, json_object_new_uint64(count));
      json_object_array_add(list, pair);
    }
    value = shunt_histogram_highest_equivalent(histogram, value) + 1;
  }
  return list;
}

static void times_to_json(struct json_object *to, const struct result_series *series,
                          bool histograms)
{
  const struct shunt_histogram *histogram = series->histogram;
  struct json_object *of = json_object_new_object();
  for (unsigned i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
    put_u64(of, percentile_names[i], result_percentile_ns(histogram, percentiles[i]));
  json_object_object_add(to, "percentiles_ns", of);
  put_u64(to, "min_ns", shunt_histogram_min(histogram));
  put_u64(to, "max_ns", shunt_histogram_max(histogram));
  put_u64(to, "count", histogram->total);
  if (histograms)
    json_object_object_add(to, "counts", counts_to_json(histogram));
}

static struct json_object *series_to_json(const struct result_series *series, bool histograms)
{
  struct json_object *to = json_object_new_object();
  put_text(to, "name", series->name);
  put_text(to, "title", series->title);
  put_text(to, "kind", kind_names[series->kind]);
  json_object_object_add(to, "peer", json_object_new_boolean(series->peer));
  put_u64(to, "threads", series->threads);
  put_u64(to, "batch", series->batch);
  put_u64(to, "lost", series->lost);
  json_object_object_add(to, series->kind == RESULT_RATE ? "mpps" : "p50_us",
                         number(result_median(series)));
  struct json_object *rounds = json_object_new_array();
  for (unsigned i = 0; i < series->rounds; i++)
    json_object_array_add(rounds, number(series->values[i]));
  json_object_object_add(to, "rounds", rounds);
  if (series->kind != RESULT_RATE)
    times_to_json(to, series, histograms);
  return to;
}

static struct json_object *comparison_to_json(const struct result_comparison *comparison)
{
  struct json_object *to = json_object_new_object();
  put_text(to, "name", comparison->name);
  put_text(to, "unit", comparison->unit);
  json_object_object_add(to, "value", number(comparison->value));
  put_text(to, "peer", comparison->peer);
  json_object_object_add(to, "peer_value", number(comparison->peer_value));
  json_object_object_add(to, "ratio", number(result_ratio(comparison)));
  return to;
}

struct json_object *result_to_json(const struct result *result, bool histograms)
{
  struct json_object *to = json_object_new_object(), *manifest = json_object_new_object();
  struct json_object *series = json_object_new_array(), *comparisons = json_object_new_array();
  put_u64(to, "shunt_result", FORMAT_VERSION);
  put_text(to, "title", result->title);
  json_object_object_add(to, "model", json_object_new_boolean(result->model));
  for (unsigned i = 0; i < result->fact_count; i++)
    put_text(manifest, result->facts[i].key, result->facts[i].value);
  for (unsigned i = 0; i < result->series_count; i++)
    json_object_array_add(series, series_to_json(&result->series[i], histograms));
  for (unsigned i = 0; i < result->comparison_count; i++)
    json_object_array_add(comparisons, comparison_to_json(&result->comparisons[i]));
  json_object_object_add(to, "manifest", manifest);
  json_object_object_add(to, "comparisons", comparisons);
  json_object_object_add(to, "series", series);
  return to;
}

/* Under another name first, so that a reader never meets half a file. */
static int write_json(struct json_object *document, int flags, const char *path,
                      struct shunt_error *error)
{
  char part[4096];
  int code = 0;
  if ((size_t)snprintf(part, sizeof(part), "%s.part", path) >= sizeof(part))
    return shunt_error_set(error, -ENAMETOOLONG, "can't write %s", path);
  FILE *file = fopen(part, "w");
  if (!file)
    code = -errno;
  if (file &&
      (fputs(json_object_to_json_string_ext(document, flags), file) < 0 || fputc('\n', file) < 0))
    code = -errno;
  if (file && fclose(file) && !code)
    code = -errno;
  if (!code && rename(part, path))
    code = -errno;
  if (!code)
    return 0;
  if (file)
    unlink(part);
  shunt_error_set(error, code, "can't write %s", path);
  shunt_error_why(error, "%s", strerror(-code));
  return code;
}

/* A file that was not there is not left behind. */
int result_try_write(const char *path, struct shunt_error *error)
{
  const bool is_new = access(path, F_OK) != 0;
  FILE *file = fopen(path, "a");
  int code = file ? 0 : -errno;
  if (file)
    fclose(file);
  if (file && is_new)
    unlink(path);
  if (!code)
    return 0;
  shunt_error_set(error, code, "can't write %s", path);
  shunt_error_why(error, "%s", strerror(-code));
  return code;
}

int result_write(const struct result *result, const char *path, struct shunt_error *error)
{
  struct json_object *document = result_to_json(result, true);
  int code =
      write_json(document, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, path, error);
  json_object_put(document);
  return code;
}

/* ---- Reading ---- */

static int bad(struct shunt_error *error, const char *path, const char *what)
{
  shunt_error_set(error, -EBADMSG, "%s is no result file", path);
  shunt_error_why(error, "%s", what);
  shunt_error_remedy(error, "shunt bench --results FILE writes one");
  return -EBADMSG;
}

static int load(const char *path, struct json_object **document, struct shunt_error *error)
{
  errno = 0;
  FILE *file = fopen(path, "r");
  if (!file) {
    int code = -errno;
    shunt_error_set(error, code, "can't read %s", path);
    shunt_error_why(error, "%s", strerror(-code));
    return code;
  }
  *document = json_object_from_fd_ex(fileno(file), 16);
  fclose(file);
  if (*document)
    return 0;
  const char *why = json_util_get_last_err();
  char text[SHUNT_ERROR_TEXT_BYTES];
  if (why && strstr(why, json_tokener_error_desc(json_tokener_continue)))
    why = "it ends in the middle";
  snprintf(text, sizeof(text), "it is not JSON: %.200s", why ? why : "it is empty");
  text[strcspn(text, "\n")] = 0;
  return bad(error, path, text);
}

static struct json_object *member(struct json_object *of, const char *key, enum json_type type)
{
  struct json_object *found = NULL;
  if (!json_object_is_type(of, json_type_object) || !json_object_object_get_ex(of, key, &found))
    return NULL;
  bool is_number = json_object_is_type(found, json_type_int);
  return json_object_is_type(found, type) || (type == json_type_double && is_number) ? found : NULL;
}

static bool get_text(struct json_object *of, const char *key, char *text, size_t bytes)
{
  struct json_object *found = member(of, key, json_type_string);
  if (found)
    snprintf(text, bytes, "%s", json_object_get_string(found));
  return found != NULL;
}

static bool to_u64(struct json_object *from, uint64_t *value)
{
  if (!json_object_is_type(from, json_type_int) ||
      (json_object_get_int64(from) < 0 && json_object_get_uint64(from) == 0))
    return false;
  *value = json_object_get_uint64(from);
  return true;
}

static bool get_u64(struct json_object *of, const char *key, uint64_t most, uint64_t *value)
{
  struct json_object *found = member(of, key, json_type_int);
  return found && to_u64(found, value) && *value <= most;
}

static bool to_number(struct json_object *from, double *value)
{
  if (!json_object_is_type(from, json_type_double) && !json_object_is_type(from, json_type_int))
    return false;
  *value = json_object_get_double(from);
  return isfinite(*value) && *value >= 0;
}

static bool get_number(struct json_object *of, const char *key, double *value)
{
  struct json_object *found = member(of, key, json_type_double);
  return found && to_number(found, value);
}

static bool get_bool(struct json_object *of, const char *key, bool *value)
{
  struct json_object *found = member(of, key, json_type_boolean);
  if (found)
    *value = json_object_get_boolean(found);
  return found != NULL;
}

static bool read_counts(struct json_object *list, struct shunt_histogram *histogram)
{
  for (size_t i = 0; list && i < json_object_array_length(list); i++) {
    struct json_object *pair = json_object_array_get_idx(list, i);
    uint64_t value, count;
    if (!json_object_is_type(pair, json_type_array) || json_object_array_length(pair) != 2 ||
        !to_u64(json_object_array_get_idx(pair, 0), &value) ||
        !to_u64(json_object_array_get_idx(pair, 1), &count) || value > histogram->range.highest ||
        count > INT64_MAX - histogram->total)
      return false;
    shunt_histogram_record_n(histogram, value, count);
  }
  return list;
}

/* Buckets know least and most only to three digits; the file knows them exactly. */
static bool read_extremes(struct json_object *from, struct shunt_histogram *histogram)
{
  uint64_t min, max;
  if (!histogram->total)
    return true;
  if (!get_u64(from, "min_ns", histogram->range.highest, &min) ||
      !get_u64(from, "max_ns", histogram->range.highest, &max) ||
      shunt_histogram_lowest_equivalent(histogram, min) != histogram->min ||
      shunt_histogram_lowest_equivalent(histogram, max) != histogram->max)
    return false;
  histogram->min = min;
  histogram->max = max;
  return true;
}

static const char *read_series(struct result *result, struct json_object *from)
{
  char kind[16] = "";
  uint64_t threads = 0, batch = 0;
  get_text(from, "kind", kind, sizeof(kind));
  unsigned known = 0;
  while (known < KINDS && strcmp(kind, kind_names[known]) != 0)
    known++;
  if (known == KINDS)
    return "a series is of none of the kinds round-trip, rate and time";
  struct result_series *series = result_add_series(result, (enum result_kind)known, NULL);
  if (!series)
    return "it has too many series";
  if (!get_text(from, "name", series->name, sizeof(series->name)) ||
      !get_text(from, "title", series->title, sizeof(series->title)) ||
      !get_bool(from, "peer", &series->peer) || !get_u64(from, "threads", 1024, &threads) ||
      !get_u64(from, "batch", 65536, &batch) || !get_u64(from, "lost", INT64_MAX, &series->lost))
    return "a series lacks one of name, title, peer, threads, batch and lost, or it is no such "
           "thing";
  series->threads = (unsigned)threads;
  series->batch = (unsigned)batch;
  struct json_object *rounds = member(from, "rounds", json_type_array);
  for (size_t i = 0; rounds && i < json_object_array_length(rounds); i++)
    if (i == RESULT_ROUNDS ||
        !to_number(json_object_array_get_idx(rounds, i), &series->values[series->rounds++]))
      return "a series' rounds are no list of at most 99 numbers";
  if (!rounds)
    return "a series has no list of rounds";
  if (known == RESULT_RATE)
    return NULL;
  if (!read_counts(member(from, "counts", json_type_array), series->histogram))
    return "a series of times has no counts of the form [[nanoseconds, count], ...]";
  return read_extremes(from, series->histogram) ? NULL : "min_ns or max_ns is not in the counts";
}

static bool read_comparison(struct result *result, struct json_object *from)
{
  if (result->comparison_count == RESULT_COMPARISONS)
    return false;
  struct result_comparison *to = &result->comparisons[result->comparison_count++];
  return get_text(from, "name", to->name, sizeof(to->name)) &&
         get_text(from, "unit", to->unit, sizeof(to->unit)) &&
         get_text(from, "peer", to->peer, sizeof(to->peer)) &&
         get_number(from, "value", &to->value) && get_number(from, "peer_value", &to->peer_value);
}

static bool read_manifest(struct result *result, struct json_object *from)
{
  struct json_object_iterator at = json_object_iter_begin(from);
  const struct json_object_iterator end = json_object_iter_end(from);
  for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
    struct json_object *value = json_object_iter_peek_value(&at);
    if (!json_object_is_type(value, json_type_string))
      return false;
    result_fact(result, json_object_iter_peek_name(&at), "%s", json_object_get_string(value));
  }
  return true;
}

static const char *read_document(struct result *result, struct json_object *document)
{
  uint64_t version;
  if (!get_u64(document, "shunt_result", UINT64_MAX, &version))
    return "it has no number \"shunt_result\"";
  if (version != FORMAT_VERSION)
    return "it is of another version than this program's, 1";
  struct json_object *manifest = member(document, "manifest", json_type_object);
  struct json_object *comparisons = member(document, "comparisons", json_type_array);
  struct json_object *series = member(document, "series", json_type_array);
  if (!manifest || !comparisons || !series || !get_bool(document, "model", &result->model) ||
      !get_text(document, "title", result->title, sizeof(result->title)))
    return "it lacks one of title, model, manifest, comparisons and series";
  if (!read_manifest(result, manifest))
    return "an entry of the manifest is no text";
  for (size_t i = 0; i < json_object_array_length(comparisons); i++)
    if (!read_comparison(result, json_object_array_get_idx(comparisons, i)))
      return "a comparison lacks one of name, unit, value, peer and peer_value";
  const char *why = NULL;
  for (size_t i = 0; !why && i < json_object_array_length(series); i++)
    why = read_series(result, json_object_array_get_idx(series, i));
  return why;
}

int result_read(struct result *result, const char *path, struct shunt_error *error)
{
  struct json_object *document = NULL;
  memset(result, 0, sizeof(*result));
  int code = load(path, &document, error);
  if (code)
    return code;
  const char *why = read_document(result, document);
  json_object_put(document);
  if (!why)
    return 0;
  result_free(result);
  return bad(error, path, why);
}

/* ---- bench.json ---- */

static int load_list(const char *path, struct json_object **list, struct shunt_error *error)
{
  *list = NULL;
  if (access(path, F_OK) == 0) {
    int code = load(path, list, error);
    if (code == -EBADMSG || (!code && !json_object_is_type(*list, json_type_array))) {
      json_object_put(*list);
      shunt_error_set(error, -EBADMSG, "can't add to %s", path);
      shunt_error_why(error, "it is there, and no JSON list");
      shunt_error_remedy(error, "remove it, or write to another file");
      return -EBADMSG;
    }
    if (code)
      return code;
  }
  if (!*list)
    *list = json_object_new_array();
  return 0;
}

static bool is_ours(const struct result *result, struct json_object *entry)
{
  char name[48] = "";
  get_text(entry, "name", name, sizeof(name));
  for (unsigned i = 0; i < result->comparison_count; i++)
    if (!strcmp(result->comparisons[i].name, name))
      return true;
  return false;
}

int result_merge_comparisons(const struct result *result, const char *path,
                             struct shunt_error *error)
{
  struct json_object *list;
  int code = load_list(path, &list, error);
  if (code)
    return code;
  for (size_t i = json_object_array_length(list); i-- > 0;)
    if (is_ours(result, json_object_array_get_idx(list, i)))
      json_object_array_del_idx(list, i, 1);
  for (unsigned i = 0; i < result->comparison_count; i++)
    json_object_array_add(list, comparison_to_json(&result->comparisons[i]));
  code = write_json(list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE, path, error);
  json_object_put(list);
  return code;
}

int result_try_merge(const char *path, struct shunt_error *error)
{
  struct json_object *list;
  int code = load_list(path, &list, error);
  if (code)
    return code;
  json_object_put(list);
  return result_try_write(path, error);
}
