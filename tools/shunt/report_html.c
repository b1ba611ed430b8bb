/* SPDX-License-Identifier: BSD-2-Clause */
/* The page: what stands first is what was asked first, how much faster; then the curves; then every
 * number; then what it ran on. No script, no font, no picture from elsewhere. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/report.h"

static const char style[] =
    ":root{color-scheme:light}"
    "body{margin:0;background:#f5f7fa;color:#1d2630;"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}"
    "main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 3rem}"
    "h1{font-size:1.7rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:0 0 .8rem}"
    ".lead{color:#5b6b7f;margin:0 0 1.2rem}"
    ".stamp{display:inline-block;background:#fff4e0;color:#8a4b00;border:1px solid #f3d19c;"
    "border-radius:6px;padding:.1rem .6rem;font-weight:600;margin:0 0 1.2rem}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1rem;"
    "margin:0 0 1.25rem}"
    ".card,section{background:#fff;border:1px solid #e2e7ee;border-radius:10px}"
    ".card{padding:1rem 1.1rem}.card "
    "b{display:block;font-size:1.9rem;line-height:1.2;color:#2563eb}"
    ".card span{color:#5b6b7f}"
    "section{padding:1.1rem 1.25rem 1.2rem;margin:0 0 1.25rem;overflow-x:auto}"
    "svg{display:block;width:100%;height:auto}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid "
    "#eaeef3;white-space:nowrap}"
    "tr:last-child td{border-bottom:0}th{color:#5b6b7f;font-weight:600}"
    "th:first-child,td:first-child{text-align:left;padding-left:0}"
    ".facts td{text-align:left;white-space:normal;vertical-align:top}"
    ".facts td:first-child{color:#5b6b7f;white-space:nowrap;width:6rem}"
    ".lost{color:#b91c1c;font-weight:600}.note{color:#5b6b7f;margin:.6rem 0 0}"
    ".dot{display:inline-block;width:.65rem;height:.65rem;border-radius:50%;margin-right:.5rem}";

/* Text from a file, as text. */
static void put(FILE *out, const char *text)
{
  for (; *text; text++) {
    switch (*text) {
    case '&':
      fputs("&amp;", out);
      break;
    case '<':
      fputs("&lt;", out);
      break;
    case '>':
      fputs("&gt;", out);
      break;
    case '"':
      fputs("&quot;", out);
      break;
    default:
      fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
  }
}

/* ---- How much faster ---- */

static void put_card(FILE *out, const struct result_comparison *comparison)
{
  double ratio = result_ratio(comparison);
  bool lower_is_better = !strcmp(comparison->unit, "us") || !strcmp(comparison->unit, "ns");
  double times = lower_is_better && ratio > 0 ? 1 / ratio : ratio;
  fprintf(out, "<div class=\"card\"><b>%.1f&times;</b>%.3g ", times, comparison->value);
  put(out, comparison->unit);
  fprintf(out, " against %.3g of ", comparison->peer_value);
  put(out, comparison->peer);
  fputs("<br><span>", out);
  put(out, comparison->name);
  fputs("</span></div>\n", out);
}

static void put_cards(FILE *out, const struct result results[], unsigned n)
{
  unsigned count = 0;
  for (unsigned i = 0; i < n; i++)
    count += results[i].comparison_count;
  if (!count)
    return;
  fputs("<div class=\"cards\">\n", out);
  for (unsigned i = 0; i < n; i++)
    for (unsigned c = 0; c < results[i].comparison_count; c++)
      put_card(out, &results[i].comparisons[c]);
  fputs("</div>\n", out);
}

/* ---- Tables ---- */

static void put_name(FILE *out, const struct result results[], unsigned n, unsigned result,
                     const struct result_series *series, const char *colour)
{
  char title[REPORT_TITLE_BYTES];
  report_title(results, n, result, series, title);
  fputs("<tr><td>", out);
  if (colour)
    fprintf(out, "<span class=\"dot\" style=\"background:%s\"></span>", colour);
  put(out, title);
  fputs("</td>", out);
}

static void put_lost(FILE *out, uint64_t lost)
{
  fprintf(out, "<td%s>%llu</td></tr>\n", lost ? " class=\"lost\"" : "", (unsigned long long)lost);
}

static void put_time(FILE *out, const struct shunt_histogram *histogram)
{
  static const double percentiles[] = {50, 90, 99, 99.9, 99.99};
  for (unsigned p = 0; p < sizeof(percentiles) / sizeof(percentiles[0]); p++)
    fprintf(out, "<td>%.2f</td>", (double)result_percentile_ns(histogram, percentiles[p]) / 1e3);
  fprintf(out, "<td>%.1f</td><td>%llu</td>", (double)shunt_histogram_max(histogram) / 1e3,
          (unsigned long long)histogram->total);
}

static unsigned count_kind(const struct result results[], unsigned n, enum result_kind kind)
{
  unsigned count = 0;
  for (unsigned i = 0; i < n; i++)
    for (unsigned s = 0; s < results[i].series_count; s++)
      count += results[i].series[s].kind == kind;
  return count;
}

/* Round trips have plots as well, in the colours of the dots. */
static void put_times(FILE *out, const struct result results[], unsigned n, enum result_kind kind,
                      const char *heading)
{
  unsigned index = 0;
  if (!count_kind(results, n, kind))
    return;
  fprintf(out,
          "<section><h2>%s, microseconds</h2><table><tr><th>series</th><th>p50</th><th>p90</th>"
          "<th>p99</th><th>p99.9</th><th>p99.99</th><th>max</th><th>count</th><th>lost</th></tr>\n",
          heading);
  for (unsigned i = 0; i < n; i++)
    for (unsigned s = 0; s < results[i].series_count; s++) {
      const struct result_series *series = &results[i].series[s];
      if (series->kind != kind)
        continue;
      bool drawn = kind == RESULT_ROUND_TRIP && series->rounds && series->histogram->total;
      put_name(out, results, n, i, series, drawn ? report_colour(index++) : NULL);
      put_time(out, series->histogram);
      put_lost(out, series->lost);
    }
  fputs("</table></section>\n", out);
}

static void put_rate(FILE *out, const struct result_series *series)
{
  double least = series->rounds ? series->values[0] : 0, most = least;
  for (unsigned r = 1; r < series->rounds; r++) {
    least = series->values[r] < least ? series->values[r] : least;
    most = series->values[r] > most ? series->values[r] : most;
  }
  fprintf(out, "<td>%u</td><td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%u</td>", series->batch,
          result_median(series), least, most, series->rounds);
}

static void put_rates(FILE *out, const struct result results[], unsigned n)
{
  if (!count_kind(results, n, RESULT_RATE))
    return;
  fputs(
      "<section><h2>Frames and messages, millions a second</h2><table><tr><th>series</th>"
      "<th>batch</th><th>median</th><th>least</th><th>most</th><th>rounds</th><th>lost</th></tr>\n",
      out);
  for (unsigned i = 0; i < n; i++)
    for (unsigned s = 0; s < results[i].series_count; s++) {
      const struct result_series *series = &results[i].series[s];
      if (series->kind != RESULT_RATE)
        continue;
      put_name(out, results, n, i, series, report_colour(report_rate_line(results, i, s)));
      put_rate(out, series);
      put_lost(out, series->lost);
    }
  fputs("</table></section>\n", out);
}

static void put_facts(FILE *out, const struct result *result)
{
  if (!result->fact_count)
    return;
  fputs("<section><h2>What it ran on: ", out);
  put(out, result->title);
  fputs("</h2><table class=\"facts\">\n", out);
  for (unsigned i = 0; i < result->fact_count; i++) {
    fputs("<tr><td>", out);
    put(out, result->facts[i].key);
    fputs("</td><td>", out);
    put(out, result->facts[i].value);
    fputs("</td></tr>\n", out);
  }
  fputs("</table></section>\n", out);
}

/* ---- The page ---- */

static void put_head(FILE *out, const struct result results[], unsigned n)
{
  bool model = false;
  for (unsigned i = 0; i < n; i++)
    model |= results[i].model;
  fprintf(out,
          "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<title>shunt report</title>\n<style>%s</style>\n</head>\n<body><main>\n",
          style);
  fputs("<h1>shunt report</h1>\n<p class=\"lead\">", out);
  for (unsigned i = 0; i < n; i++) {
    fputs(i ? ", " : "", out);
    put(out, results[i].title);
  }
  fputs("</p>\n", out);
  if (model)
    fputs("<p class=\"stamp\">model, not a hardware figure</p>\n", out);
}

static void put_plots(FILE *out, char *const svgs[REPORT_PLOTS], const struct shunt_error *why_not)
{
  static const char *const titles[REPORT_PLOTS] = {
      "Round trips by percentile", "Round trips by duration", "Forwarding by batch"};
  for (unsigned i = 0; i < REPORT_PLOTS; i++)
    if (svgs[i])
      fprintf(out, "<section><h2>%s</h2>\n%s</section>\n", titles[i], svgs[i]);
  if (!why_not->code)
    return;
  fputs("<section><h2>Plots</h2><p class=\"note\">There are none: ", out);
  put(out, why_not->what);
  fputs(*why_not->why ? "; " : "", out);
  put(out, why_not->why);
  fputs(*why_not->remedy ? ". Try: " : "", out);
  put(out, why_not->remedy);
  fputs("</p></section>\n", out);
}

static void put_page(FILE *out, const struct result results[], unsigned n,
                     char *const svgs[REPORT_PLOTS], const struct shunt_error *why_not)
{
  put_head(out, results, n);
  put_cards(out, results, n);
  put_plots(out, svgs, why_not);
  put_times(out, results, n, RESULT_ROUND_TRIP, "Round trips");
  put_times(out, results, n, RESULT_TIME, "Pieces of work");
  put_rates(out, results, n);
  for (unsigned i = 0; i < n; i++)
    put_facts(out, &results[i]);
  fputs(
      "<p class=\"note\">A round trip is a whole one, there and back, one at a time. The ratio is "
      "against the peer in the same run, from medians of rounds taken in turn.</p>\n"
      "</main></body>\n</html>\n",
      out);
}

int report_write(const char *path, const struct result results[], unsigned n, bool *plotted,
                 struct shunt_error *why_not, struct shunt_error *error)
{
  char *svgs[REPORT_PLOTS] = {NULL};
  int code = 0;
  memset(why_not, 0, sizeof(*why_not));
  for (unsigned i = 0; i < REPORT_PLOTS && !why_not->code; i++)
    report_draw((enum report_plot)i, results, n, &svgs[i], why_not);
  *plotted = !why_not->code;
  errno = 0;
  FILE *out = fopen(path, "w");
  if (out)
    put_page(out, results, n, svgs, why_not);
  if (!out || ferror(out))
    code = errno ? -errno : -EIO;
  if (out && fclose(out) && !code)
    code = -errno;
  for (unsigned i = 0; i < REPORT_PLOTS; i++)
    free(svgs[i]);
  if (!code)
    return 0;
  shunt_error_set(error, code, "can't write %s", path);
  shunt_error_why(error, "%s", strerror(-code));
  return code;
}
