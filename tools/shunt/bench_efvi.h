/* SPDX-License-Identifier: BSD-2-Clause */
/* The ef_vi part of `shunt bench`: a ping-pong of datagrams by ef_vi, beside the same one by the
 * verbs that ef_vi stands on; and an answerer for the near end of the veth pair. */
#ifndef TOOLS_SHUNT_BENCH_EFVI_H
#define TOOLS_SHUNT_BENCH_EFVI_H

#include "bench/peers/peer.h"
#include "tools/shunt/bench.h"

/* Two pairs of 82599 twins, of either kind of program. */
struct bench_efvi;
int bench_efvi_open(struct bench *bench, struct bench_efvi **made, struct shunt_error *error);
void bench_efvi_close(struct bench_efvi *efvi);
/* Round trips between two interfaces of ef_vi, or between two ports. */
int bench_efvi_slice(struct bench_efvi *efvi, bool by_verbs, struct bench_sample *sample,
                     struct shunt_error *error);
struct shunt_port *bench_efvi_port(struct bench_efvi *efvi);

/* Answer at the near end of the veth pair until the page says that it is over. Returns 0 or what
 * failed. */
int bench_work_efvi(struct peer_page *page, struct shunt_error *error);

#endif
