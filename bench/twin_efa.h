/* SPDX-License-Identifier: BSD-2-Clause */
/* make cost, of the software EFA: SRD between two of them. */
#ifndef BENCH_TWIN_EFA_H
#define BENCH_TWIN_EFA_H

/* Count the series, each dumped as "efa-twin shared WORKLOAD BYTES" and TWIN_EFA_MESSAGES messages
 * long. Returns 0 or 1, said on stderr. */
int twin_efa_work(void);
#define TWIN_EFA_SERIES   7u
#define TWIN_EFA_MESSAGES 8192u

/* What the workloads are, for people. NULL where there is none of that name. */
const char *twin_efa_what(const char *workload);

#endif
