/* SPDX-License-Identifier: BSD-2-Clause */
/* Results as one HTML page that needs nothing else: tables, and plots drawn by gnuplot. */
#ifndef TOOLS_SHUNT_REPORT_H
#define TOOLS_SHUNT_REPORT_H

#include <stdio.h>

#include "tools/shunt/bench_result.h"

/* Write the page. Without gnuplot it has tables only, and says so.
 *
 * plotted  set to whether there are plots; why_not is filled where there are none
 * Returns  0, or the errno of writing */
int report_write(const char *path, const struct result results[], unsigned n, bool *plotted,
                 struct shunt_error *why_not, struct shunt_error *error);

/* The page's parts, for report_write. Each returns 0 or -errno. */

/* The plots' places, in this order. */
enum report_plot { REPORT_PERCENTILES, REPORT_HISTOGRAM, REPORT_RATES, REPORT_PLOTS };

/* Draw a plot of all results. svg is NULL where there is nothing of its kind.
 *
 * Owner   the caller (free)
 * Returns 0; -ENOENT (there is no gnuplot); -EIO (it failed: the error says how); -ENOMEM */
int report_draw(enum report_plot plot, const struct result results[], unsigned n, char **svg,
                struct shunt_error *error);

/* The colour of the index-th series of a kind, as in "#2563eb". */
const char *report_colour(unsigned index);

/* The number of the line that a rate is a point of: what moves frames alike, in bursts of several
 * lengths, is one line. */
unsigned report_rate_line(const struct result results[], unsigned result, unsigned series);

#define REPORT_TITLE_BYTES (2 * RESULT_TITLE_BYTES + 2)
/* The title of a series, with its result's in front where there are several. */
void report_title(const struct result results[], unsigned n, unsigned result,
                  const struct result_series *series, char title[REPORT_TITLE_BYTES]);

#endif
