/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of a report for a person, which a script can read too: two blanks, words, a number. */
#ifndef MARKET_DATA_REPORT_H
#define MARKET_DATA_REPORT_H

#include <inttypes.h>
#include <stdio.h>

static inline void report_count(FILE *file, const char *of, const char *what, uint64_t count)
{
  char name[64];
  snprintf(name, sizeof(name), "%s %s", of, what);
  fprintf(file, "  %-34s %12" PRIu64 "\n", name, count);
}

/* What ought to be 0 is not worth a line unless it isn't. */
static inline void report_finding(FILE *file, const char *of, const char *what, uint64_t count)
{
  if (count)
    report_count(file, of, what, count);
}

#endif
