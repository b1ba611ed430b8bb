/* SPDX-License-Identifier: BSD-2-Clause */
/* An EFA that does everything at once and nothing else: each work request that its doorbell tells
 * of is complete at the next step, each receive has got a message. What is left to count is the
 * driver's own code. */
#ifndef BENCH_INSTANT_EFA_H
#define BENCH_INSTANT_EFA_H

#include "shunt/efa.h"
#include "src/nic/efa/efa.h"

struct instant_efa {
  struct efa_qp qp;
  struct efa_cq cq;
  struct shunt_efa_qp **by_number;
  uint32_t sq_doorbell, rq_doorbell; /* the registers */
  uint32_t sq_seen, rq_seen;         /* doorbells at the last step */
  uint32_t completions;
  uint64_t doorbells; /* steps that found a new one, each direction for itself */
};

/* Queues of depth entries each. Returns 0 or -ENOMEM. */
int instant_efa_create(struct instant_efa *device, uint32_t depth);
void instant_efa_destroy(struct instant_efa *device);

void instant_efa_step(struct instant_efa *device);

/* cost_efa.c: count the series of this driver; how many there are. */
#define COST_EFA_SERIES 24u
int cost_efa_work(void);

#endif
