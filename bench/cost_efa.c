/* SPDX-License-Identifier: BSD-2-Clause */
/* make cost, of the EFA driver: instructions of a send of 32 bytes inline, of a posted receive, and
 * of a polled completion of either (see bench/cost.c). */
#include <stdio.h>
#include <valgrind/callgrind.h>

#include "bench/instant_efa.h"

#define DEPTH 256u
#define WORKS 8192u /* a series */
#define MOST  64u   /* a round */

struct bench {
  struct instant_efa device;
  struct shunt_fabric_completion completions[2 * MOST];
  uint8_t data[EFA_INLINE_BYTES];
  uint64_t id;
};

#define ROUND static inline __attribute__((always_inline)) void

/* Posted, and the doorbell rung once. */
ROUND send_32(int (*post)(struct shunt_fabric_qp *, const struct shunt_fabric_work *),
              void (*push)(struct shunt_fabric_qp *), struct bench *bench, unsigned batch)
{
  struct shunt_fabric_qp *qp = &bench->device.qp.fast.head;
  const struct shunt_fabric_destination to = {3, 4, 5};
  for (unsigned i = 0; i < batch; i++) {
    const struct shunt_fabric_work work = {.id = bench->id++,
                                           .to = to,
                                           .op = SHUNT_FABRIC_SEND,
                                           .is_inline = 1,
                                           .inline_data = bench->data,
                                           .inline_bytes = EFA_INLINE_BYTES};
    post(qp, &work);
  }
  push(qp);
}

ROUND poll_n(unsigned (*poll)(struct shunt_fabric_cq *, struct shunt_fabric_completion[], unsigned),
             struct bench *bench, unsigned batch)
{
  poll(&bench->device.cq.fast.head, bench->completions, batch);
}

SHUNT_INLINE int inline_post(struct shunt_fabric_qp *qp, const struct shunt_fabric_work *work)
{
  return shunt_efa_send_post((struct shunt_efa_qp *)qp, work);
}
SHUNT_INLINE void inline_push(struct shunt_fabric_qp *qp)
{
  shunt_efa_send_push((struct shunt_efa_qp *)qp);
}
SHUNT_INLINE unsigned inline_poll(struct shunt_fabric_cq *cq,
                                  struct shunt_fabric_completion completions[], unsigned n)
{
  return shunt_efa_poll((struct shunt_efa_cq *)cq, completions, n);
}

#define COUNTED(name, body)                                                                        \
  __attribute__((noinline)) static void cost_round_##name(struct bench *bench)                     \
  {                                                                                                \
    body;                                                                                          \
  }
#define EACH_BATCH(batch)                                                                          \
  COUNTED(efa_send_inline_##batch, send_32(inline_post, inline_push, bench, batch))                \
  COUNTED(efa_send_portable_##batch,                                                               \
          send_32(shunt_fabric_send_post, shunt_fabric_send_push, bench, batch))                   \
  COUNTED(efa_poll_inline_##batch, poll_n(inline_poll, bench, batch))                              \
  COUNTED(efa_poll_portable_##batch, poll_n(shunt_fabric_poll, bench, batch))
EACH_BATCH(1)
EACH_BATCH(8)
EACH_BATCH(32)
EACH_BATCH(64)

typedef void cost_round(struct bench *bench);
#define ROUNDS_OF(name)                                                                            \
  {                                                                                                \
    cost_round_efa_##name##_1, cost_round_efa_##name##_8, cost_round_efa_##name##_32,              \
        cost_round_efa_##name##_64                                                                 \
  }
static cost_round *const sends[2][4] = {ROUNDS_OF(send_portable), ROUNDS_OF(send_inline)};
static cost_round *const polls[2][4] = {ROUNDS_OF(poll_portable), ROUNDS_OF(poll_inline)};
static const char *const apis[] = {"portable", "inline"};
static const unsigned batches[] = {1, 8, 32, 64};

/* What is to be counted, of a round; the rest goes on without. */
enum workload { SEND, POLL_SENT, POLL_RECEIVED, WORKLOADS };
static const char *const names[] = {"send-32", "poll-sent", "poll-rcvd"};
_Static_assert(COST_EFA_SERIES == WORKLOADS * 2 * 4, "all of them");

static void post_receives(struct bench *bench, unsigned batch)
{
  const struct shunt_fabric_receive receive = {.id = 1, .pieces = 1, .piece[0] = {4096, 64, 1}};
  for (unsigned i = 0; i < batch; i++)
    shunt_fabric_recv_post(&bench->device.qp.fast.head, &receive, 1);
}

static void drain(struct bench *bench)
{
  while (efa_poll(&bench->device.cq.fast.head, bench->completions, MOST)) {
  }
}

static void rounds(struct bench *bench, enum workload workload, unsigned api, unsigned which)
{
  const unsigned batch = batches[which];
  for (unsigned i = 0; i < WORKS / batch; i++) {
    if (workload == POLL_RECEIVED)
      post_receives(bench, batch);
    else if (workload == SEND)
      sends[api][which](bench);
    else
      send_32(shunt_fabric_send_post, shunt_fabric_send_push, bench, batch);
    instant_efa_step(&bench->device);
    if (workload == SEND)
      drain(bench);
    else
      polls[api][which](bench);
  }
}

static void series(struct bench *bench, enum workload workload, unsigned api, unsigned which)
{
  char description[128];
  rounds(bench, workload, api, which); /* not counted */
  CALLGRIND_ZERO_STATS;
  bench->device.doorbells = 0;
  rounds(bench, workload, api, which);
  snprintf(description, sizeof(description), "efa %s %s %u %u %llu", apis[api], names[workload],
           batches[which], WORKS / batches[which] * batches[which],
           workload == SEND ? (unsigned long long)bench->device.doorbells : 0);
  CALLGRIND_DUMP_STATS_AT(description);
}

int cost_efa_work(void)
{
  static struct bench bench;
  for (unsigned workload = 0; workload < WORKLOADS; workload++)
    for (unsigned api = 0; api < 2; api++)
      for (unsigned which = 0; which < 4; which++) {
        if (instant_efa_create(&bench.device, DEPTH)) {
          fprintf(stderr, "shunt-cost: no memory\n");
          return 1;
        }
        series(&bench, (enum workload)workload, api, which);
        instant_efa_destroy(&bench.device);
      }
  return 0;
}
