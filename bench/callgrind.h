/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that counts its own instructions: it runs itself under callgrind as a worker, which
 * ends each series with CALLGRIND_DUMP_STATS_AT(words); the words come back with the counts. */
#ifndef BENCH_CALLGRIND_H
#define BENCH_CALLGRIND_H

#include <stdint.h>

struct callgrind_count {
  char words[128]; /* what the worker said of the series */
  uint64_t instructions;
  uint64_t apart; /* of them, in functions that are told apart */
};

/* Run self with the argument --worker, counting only inside functions.
 *
 * self       this program
 * functions  a pattern of names, e.g. "cost_round_*": what they call counts too
 * apart      beginnings of names, the last one NULL: functions whose own instructions are also
 *            counted for themselves
 * counts, n  filled, in no order
 * Returns    how many series there were, at most n; or a negative errno, said on stderr */
int callgrind_run(const char *self, const char *functions, const char *const apart[],
                  struct callgrind_count counts[], unsigned n);

#endif
