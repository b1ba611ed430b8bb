/* SPDX-License-Identifier: BSD-2-Clause */
/* make cost, of ef_vi (see bench/cost.c): what it costs above the verbs that it stands on. */
#ifndef BENCH_COST_EFVI_H
#define BENCH_COST_EFVI_H

#define COST_EFVI_SERIES 10u
/* Count them. Returns 0, or 1 with a word on stderr. */
int cost_efvi_work(void);

#endif
