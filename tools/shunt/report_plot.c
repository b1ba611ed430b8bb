/* SPDX-License-Identifier: BSD-2-Clause */
/* The plots, as SVG by gnuplot. A plot is a script with its data in it; gnuplot reads it from one
 * file without a name and writes the picture to another, so neither can wait for the other. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/shunt/report.h"

#define PATIENCE_MS     20000
#define MOST_SVG        (8 << 20)
#define BINS_PER_DECADE 40
#define MOST_BINS       (BINS_PER_DECADE * 14)
#define INSTALL_GNUPLOT "apt-get install gnuplot-nox"

/* ---- Running gnuplot ---- */

static int await(pid_t child, struct shunt_error *error)
{
  int status = 0;
  for (unsigned ms = 0; ms < PATIENCE_MS; ms += 5) {
    pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0)
      return 0;
    if (ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 127) {
      shunt_error_set(error, -ENOENT, "there is no gnuplot to draw with");
      shunt_error_remedy(error, INSTALL_GNUPLOT);
      return -ENOENT;
    }
    if (ended)
      return shunt_error_set(error, -EIO, "gnuplot failed");
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return shunt_error_set(error, -EIO, "gnuplot did not end within %d s", PATIENCE_MS / 1000);
}

static int run_gnuplot(FILE *script, FILE *svg, FILE *messages, struct shunt_error *error)
{
  fflush(script);
  lseek(fileno(script), 0, SEEK_SET);
  pid_t child = fork();
  if (child < 0)
    return shunt_error_set(error, -errno, "can't start gnuplot");
  if (child == 0) {
    dup2(fileno(script), STDIN_FILENO);
    dup2(fileno(svg), STDOUT_FILENO);
    dup2(fileno(messages), STDERR_FILENO);
    execlp("gnuplot", "gnuplot", "-", (char *)NULL);
    _exit(127);
  }
  int code = await(child, error);
  char text[160] = "";
  rewind(messages);
  size_t bytes = fread(text, 1, sizeof(text) - 1, messages);
  text[bytes] = 0;
  if (code == -EIO && bytes)
    shunt_error_why(error, "it said: %s", text);
  return code;
}

/* The picture without the XML prologue, which has no place inside HTML. */
static int take_svg(FILE *file, char **svg, struct shunt_error *error)
{
  long bytes = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
  if (bytes <= 0 || bytes > MOST_SVG)
    return shunt_error_set(error, -EIO, "gnuplot drew nothing");
  char *text = malloc((size_t)bytes + 1);
  if (!text)
    return shunt_error_set(error, -ENOMEM, "no memory for a plot");
  rewind(file);
  text[fread(text, 1, (size_t)bytes, file)] = 0;
  const char *start = strstr(text, "<svg");
  if (!start || !strstr(start, "</svg>")) {
    free(text);
    return shunt_error_set(error, -EIO, "what gnuplot drew is no SVG");
  }
  memmove(text, start, strlen(start) + 1);
  *svg = text;
  return 0;
}

/* ---- What all plots have ---- */

const char *report_colour(unsigned index)
{
  static const char *const colours[] = {"#2563eb", "#e07b00", "#0e9f6e", "#b4318f",
                                        "#5b6b7f", "#0891b2", "#8a6d00", "#dc2626"};
  return colours[index % (sizeof(colours) / sizeof(colours[0]))];
}

void report_title(const struct result results[], unsigned n, unsigned result,
                  const struct result_series *series, char title[REPORT_TITLE_BYTES])
{
  bool alone = n == 1 || !strcmp(results[result].title, series->title);
  snprintf(title, REPORT_TITLE_BYTES, "%s%s%s", alone ? "" : results[result].title,
           alone ? "" : ": ", series->title);
}

/* Titles come from files: nothing in them may end a string of gnuplot's, which in single quotes has
 * no other escape than a doubled quote. */
static void put_title(FILE *out, const struct result results[], unsigned n, unsigned result,
                      const struct result_series *series)
{
  char title[REPORT_TITLE_BYTES];
  report_title(results, n, result, series, title);
  fputs("title '", out);
  for (const char *at = title; *at; at++) {
    if (*at == '\'')
      fputc('\'', out);
    fputc((unsigned char)*at < ' ' ? ' ' : *at, out);
  }
  fputc('\'', out);
}

static void put_preamble(FILE *out, const char *name, unsigned height)
{
  fprintf(out,
          "set terminal svg size 920,%u dynamic noenhanced name '%s' "
          "font 'system-ui,Helvetica,Arial,sans-serif,14' background '#ffffff'\n"
          "set encoding utf8\n"
          "set border 3 lc rgb '#9aa5b4' lw 1\n"
          "set tics nomirror textcolor rgb '#3b4654' scale 0.6\n"
          "set grid back lc rgb '#e6eaf0' lw 1 lt 1\n"
          "set xlabel textcolor rgb '#3b4654'\nset ylabel textcolor rgb '#3b4654'\n"
          "set key textcolor rgb '#1d2630' samplen 2 spacing 1.15\n"
          "set lmargin 11\nset rmargin 6\n",
          height, name);
}

/* The series of a kind, in all results, with a number each that also chooses the colour. */
struct each {
  const struct result *results;
  unsigned n, result, next, index;
  enum result_kind kind;
};

static const struct result_series *each_next(struct each *each)
{
  for (; each->result < each->n; each->result++, each->next = 0) {
    const struct result *result = &each->results[each->result];
    while (each->next < result->series_count) {
      const struct result_series *series = &result->series[each->next++];
      if (series->kind == each->kind && series->rounds &&
          (series->kind == RESULT_RATE || series->histogram->total)) {
        each->index++;
        return series;
      }
    }
  }
  return NULL;
}

/* ---- Percentiles ---- */

/* The axis has a "nine" more at each step: 1 / (1 - percentile), on a logarithmic scale. */
static unsigned script_percentiles(FILE *out, const struct result results[], unsigned n)
{
  struct each each = {results, n, .kind = RESULT_ROUND_TRIP};
  put_preamble(out, "percentiles", 430);
  fputs("set logscale xy\nset xrange [1:1000000]\nset format y '%g'\n"
        "set xtics ('0' 1, '90 %%' 10, '99 %%' 100, '99.9 %%' 1000, '99.99 %%' 10000, "
        "'99.999 %%' 100000, '99.9999 %%' 1000000)\nset mxtics 1\n"
        "set xlabel 'percentile'\nset ylabel 'round trip, us'\nset key above left horizontal "
        "reverse Left\n",
        out);
  for (const struct result_series *series; (series = each_next(&each));) {
    struct shunt_histogram_walk walk;
    fprintf(out, "$data%u << END\n", each.index);
    shunt_histogram_walk_start(&walk, series->histogram, 10);
    while (shunt_histogram_walk_next(&walk)) {
      /* Nothing is known beyond the last of so many. */
      const double rest = 1 - walk.percentile / 100, most = (double)series->histogram->total;
      const double x = rest * most > 1 ? 1 / rest : most;
      fprintf(out, "%.9g %.9g\n", x, (double)walk.value / 1e3);
    }
    fputs("END\n", out);
  }
  unsigned drawn = each.index;
  each = (struct each){results, n, .kind = RESULT_ROUND_TRIP};
  for (const struct result_series *series; (series = each_next(&each));) {
    fprintf(out, "%s$data%u with lines lw 2.2 dt %s lc rgb '%s' ", each.index == 1 ? "plot " : ", ",
            each.index, series->peer ? "(8,4)" : "1", report_colour(each.index - 1));
    put_title(out, results, n, each.result, series);
  }
  fputc('\n', out);
  return drawn;
}

/* ---- Histogram ---- */

/* Bins of equal width on the logarithmic axis, each with its share of all round trips. */
static void put_bins(FILE *out, const struct shunt_histogram *histogram)
{
  static const double step = 1.0 / BINS_PER_DECADE;
  const uint64_t last = shunt_histogram_percentile(histogram, 99.9);
  uint64_t low = shunt_histogram_min(histogram);
  low = low ? low : 1;
  int bin = (int)floor(log10((double)low) * BINS_PER_DECADE);
  fprintf(out, "%.6g 0\n", pow(10, bin * step) / 1e3);
  for (unsigned i = 0; i < MOST_BINS && low <= last; i++, bin++) {
    uint64_t next = (uint64_t)ceil(pow(10, (bin + 1) * step));
    /* Buckets are narrower than bins, but at a few nanoseconds bins are empty. */
    uint64_t count = next > low ? shunt_histogram_count_between(histogram, low, next - 1) : 0;
    if (next > low && shunt_histogram_highest_equivalent(histogram, next - 1) >= next)
      next = shunt_histogram_highest_equivalent(histogram, next - 1) + 1;
    fprintf(out, "%.6g %.6g\n", pow(10, bin * step) / 1e3,
            100 * (double)count / (double)histogram->total);
    low = next > low ? next : low;
  }
  fprintf(out, "%.6g 0\n", pow(10, bin * step) / 1e3);
}

static unsigned script_histogram(FILE *out, const struct result results[], unsigned n)
{
  struct each each = {results, n, .kind = RESULT_ROUND_TRIP};
  put_preamble(out, "histogram", 380);
  fputs(
      "set logscale x\nset format x '%g'\nset yrange [0:*]\nset style fill transparent solid 0.30\n"
      "set xlabel 'round trip, us (up to each 99.9th percentile)'\n"
      "set ylabel 'share of round trips, %'\nset key above left horizontal reverse Left\n",
      out);
  for (const struct result_series *series; (series = each_next(&each));) {
    fprintf(out, "$data%u << END\n", each.index);
    put_bins(out, series->histogram);
    fputs("END\n", out);
  }
  unsigned drawn = each.index;
  each = (struct each){results, n, .kind = RESULT_ROUND_TRIP};
  for (const struct result_series *series; (series = each_next(&each));) {
    const char *colour = report_colour(each.index - 1);
    fprintf(out,
            "%s$data%u with fillsteps lc rgb '%s' notitle, $data%u with steps lw 1.6 lc rgb '%s' ",
            each.index == 1 ? "plot " : ", ", each.index, colour, each.index, colour);
    put_title(out, results, n, each.result, series);
  }
  fputc('\n', out);
  return drawn;
}

/* ---- Rates ---- */

static bool is_drawn(const struct result_series *series)
{
  return series->kind == RESULT_RATE && series->rounds;
}

/* Titles say what moves the frames, and then, where several do it alike, in what bursts. */
static size_t line_bytes(const struct result_series *series)
{
  const char *batch = strstr(series->title, ", batch ");
  return batch ? (size_t)(batch - series->title) : strlen(series->title);
}

static bool on_one_line(const struct result_series *a, const struct result_series *b)
{
  return line_bytes(a) == line_bytes(b) && !strncmp(a->title, b->title, line_bytes(a));
}

/* The first point of the line that a series is on. */
static unsigned first_on_line(const struct result *result, unsigned series)
{
  for (unsigned i = 0; i < series; i++)
    if (is_drawn(&result->series[i]) && on_one_line(&result->series[i], &result->series[series]))
      return i;
  return series;
}

unsigned report_rate_line(const struct result results[], unsigned result, unsigned series)
{
  unsigned lines = 0;
  series = first_on_line(&results[result], series);
  for (unsigned i = 0; i <= result; i++) {
    const unsigned end = i < result ? results[i].series_count : series;
    for (unsigned s = 0; s < end; s++)
      lines += is_drawn(&results[i].series[s]) && first_on_line(&results[i], s) == s;
  }
  return lines;
}

static void put_line(FILE *out, const struct result *result, unsigned line)
{
  for (unsigned i = 0; i < result->series_count; i++) {
    const struct result_series *series = &result->series[i];
    if (!is_drawn(series) || first_on_line(result, i) != line)
      continue;
    double least = series->values[0], most = least;
    for (unsigned r = 1; r < series->rounds; r++) {
      least = fmin(least, series->values[r]);
      most = fmax(most, series->values[r]);
    }
    fprintf(out, "%u %.6g %.6g %.6g\n", series->batch ? series->batch : 1, result_median(series),
            least, most);
  }
}

/* Call with each line's first point, in their order. Returns how many lines there are. */
static unsigned each_line(FILE *out, const struct result results[], unsigned n,
                          void (*call)(FILE *out, const struct result results[], unsigned n,
                                       unsigned result, unsigned series, unsigned line))
{
  unsigned lines = 0;
  for (unsigned i = 0; i < n; i++)
    for (unsigned s = 0; s < results[i].series_count; s++)
      if (is_drawn(&results[i].series[s]) && first_on_line(&results[i], s) == s)
        call(out, results, n, i, s, lines++);
  return lines;
}

static void put_points(FILE *out, const struct result results[], unsigned n, unsigned result,
                       unsigned series, unsigned line)
{
  (void)n;
  fprintf(out, "$data%u << END\n", line);
  put_line(out, &results[result], series);
  fputs("END\n", out);
}

static void put_plot(FILE *out, const struct result results[], unsigned n, unsigned result,
                     unsigned series, unsigned line)
{
  struct result_series named = results[result].series[series];
  const char *colour = report_colour(line);
  named.title[line_bytes(&named)] = '\0';
  fprintf(out,
          "%s$data%u using 1:2:3:4 with yerrorbars pt 7 ps 0.9 lw 1.4 lc rgb '%s' notitle, "
          "$data%u using 1:2 with linespoints pt 7 ps 0.9 lw 2.2 lc rgb '%s' ",
          line ? ", " : "plot ", line, colour, line, colour);
  put_title(out, results, n, result, &named);
}

/* Medians, with bars from least to most. */
static unsigned script_rates(FILE *out, const struct result results[], unsigned n)
{
  put_preamble(out, "rates", 380);
  fputs("set logscale x 2\nset xrange [0.7:90]\nset xtics (1,2,4,8,16,32,64)\nset yrange [0:*]\n"
        "set xlabel 'frames in a burst'\nset ylabel 'Mpps (median; bars: least to most)'\n"
        "set key above left horizontal reverse Left\nset bars 0.6\n",
        out);
  each_line(out, results, n, put_points);
  unsigned drawn = each_line(out, results, n, put_plot);
  fputc('\n', out);
  return drawn;
}

int report_draw(enum report_plot plot, const struct result results[], unsigned n, char **svg,
                struct shunt_error *error)
{
  static unsigned (*const write_script[REPORT_PLOTS])(FILE *, const struct result[], unsigned) = {
      script_percentiles, script_histogram, script_rates};
  FILE *script = tmpfile(), *picture = tmpfile(), *messages = tmpfile();
  int code = 0;
  *svg = NULL;
  if (!script || !picture || !messages)
    code = shunt_error_set(error, -errno, "no room for temporary files");
  else if (write_script[plot](script, results, n))
    code = run_gnuplot(script, picture, messages, error);
  if (!code && ftell(script) > 0 && picture && !fseek(picture, 0, SEEK_END) && ftell(picture) > 0)
    code = take_svg(picture, svg, error);
  if (script)
    fclose(script);
  if (picture)
    fclose(picture);
  if (messages)
    fclose(messages);
  return code;
}
