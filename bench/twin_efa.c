/* SPDX-License-Identifier: BSD-2-Clause */
/* make cost: instructions that two software EFAs, SRD and the wire spend on a message: from a
 * doorbell to the completions at both ends, acknowledgement and all. Our driver posts and polls,
 * counted or not (see bench/cost_efa.c for its own count). */
#include <stdio.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "bench/twin_efa.h"
#include "shunt/efa.h"
#include "shunt/testbed.h"

#define DEPTH    256u
#define MOST     32u /* messages a round */
#define SLOT     8192u
#define QKEY     0x5244u
#define ROUND_NS 10000u
#define TURNS    2u /* of the wire until both ends have their completions */

struct end {
  struct shunt_fabric *fabric;
  struct shunt_fabric_pd *pd;
  struct shunt_region *region;
  struct shunt_efa_cq *cq;
  struct shunt_efa_qp *qp;
  struct shunt_fabric_destination to;
  struct shunt_gid gid;
  uint64_t memory;
  uint32_t lkey;
};

struct rig {
  struct shunt_testbed *testbed;
  struct shunt_clock clock;
  uint64_t now_ns;
  struct end from, to;
  uint32_t bytes;
  unsigned batch;
  unsigned ended; /* messages, at both ends: counts to twice as many */
};

/* ---- Two ends ---- */

static uint64_t rig_now_ns(void *context)
{
  return ((struct rig *)context)->now_ns;
}

static int end_open(struct rig *rig, struct end *end, struct shunt_error *error)
{
  const struct shunt_fabric_options options = {.size = sizeof(options), .testbed = rig->testbed};
  const struct shunt_region_options memory = {
      .size = sizeof(memory), .bytes = 2 * MOST * SLOT, .numa_node = SHUNT_NUMA_ANY};
  const struct shunt_fabric_cq_options queue = {.size = sizeof(queue), .depth = 4 * DEPTH};
  struct shunt_fabric_info info = {.size = sizeof(info)};
  struct shunt_fabric_mr *mr;
  struct shunt_fabric_cq *cq;
  struct shunt_fabric_qp *qp;
  memset(end, 0, sizeof(*end));
  int code = shunt_fabric_open("efa:twin?wire=cost&keep_alive_ms=0", &options, &end->fabric, error);
  code = code ? code : shunt_fabric_pd_create(end->fabric, &end->pd, error);
  code = code ? code : shunt_region_create(&memory, &end->region, error);
  code = code ? code
              : shunt_fabric_mr_register(end->pd, end->region, 0, memory.bytes,
                                         SHUNT_FABRIC_LOCAL_WRITE, NULL, &mr, error);
  code = code ? code : shunt_fabric_cq_create(end->fabric, &queue, &cq, error);
  if (code)
    return code;
  const struct shunt_fabric_qp_options pair = {.size = sizeof(pair),
                                               .send_cq = cq,
                                               .recv_cq = cq,
                                               .send_depth = DEPTH,
                                               .recv_depth = DEPTH,
                                               .qkey = QKEY};
  code = shunt_fabric_qp_create(end->pd, &pair, &qp, error);
  if (code)
    return code;
  shunt_fabric_info(end->fabric, &info);
  end->gid = info.gid;
  end->cq = shunt_efa_cq(cq);
  end->qp = shunt_efa_qp(qp);
  end->memory = (uintptr_t)shunt_region_base(end->region);
  end->lkey = shunt_fabric_mr_lkey(mr);
  return 0;
}

/* Both know each other, as with MPI. */
static int end_meet(struct end *end, const struct end *other, struct shunt_error *error)
{
  struct shunt_fabric_ah *ah;
  int code = shunt_fabric_ah_create(end->pd, &other->gid, &ah, error);
  if (!code)
    end->to =
        (struct shunt_fabric_destination){shunt_fabric_ah_number(ah), other->qp->head.number, QKEY};
  return code;
}

static int rig_open(struct rig *rig, struct shunt_error *error)
{
  memset(rig, 0, sizeof(*rig));
  rig->clock = *shunt_clock_real();
  rig->clock.now_ns = rig_now_ns;
  rig->clock.context = rig;
  const struct shunt_testbed_options options = {.size = sizeof(options), .clock = &rig->clock};
  int code = shunt_testbed_create(&options, &rig->testbed, error);
  code = code ? code : end_open(rig, &rig->from, error);
  code = code ? code : end_open(rig, &rig->to, error);
  code = code ? code : end_meet(&rig->from, &rig->to, error);
  return code ? code : end_meet(&rig->to, &rig->from, error);
}

static void rig_close(struct rig *rig)
{
  shunt_fabric_close(rig->from.fabric);
  shunt_fabric_close(rig->to.fabric);
  shunt_region_destroy(rig->from.region);
  shunt_region_destroy(rig->to.region);
  shunt_testbed_destroy(rig->testbed);
}

/* ---- What is counted ---- */

static inline void post(struct rig *rig)
{
  struct shunt_fabric_receive receives[MOST];
  for (unsigned i = 0; i < rig->batch; i++)
    receives[i] = (struct shunt_fabric_receive){
        .id = i, .pieces = 1, .piece[0] = {rig->to.memory + i * SLOT, SLOT, rig->to.lkey}};
  shunt_efa_recv_post(rig->to.qp, receives, rig->batch);
  for (unsigned i = 0; i < rig->batch; i++) {
    const struct shunt_fabric_work work = {
        .id = i,
        .to = rig->from.to,
        .op = SHUNT_FABRIC_SEND,
        .pieces = 1,
        .piece[0] = {rig->from.memory + i * SLOT, rig->bytes, rig->from.lkey}};
    shunt_efa_send_post(rig->from.qp, &work);
  }
  shunt_efa_send_push(rig->from.qp);
}

static inline void take(struct rig *rig, const struct end *end)
{
  struct shunt_fabric_completion completions[MOST];
  unsigned n = shunt_efa_poll(end->cq, completions, MOST);
  for (unsigned i = 0; i < n; i++)
    rig->ended += completions[i].status == SHUNT_FABRIC_OK;
}

static inline void turn(struct rig *rig)
{
  for (unsigned i = 0; i < TURNS; i++)
    shunt_testbed_poll(rig->testbed);
}

#define COUNTED __attribute__((noinline)) static void

COUNTED twin_round_efa_devices(struct rig *rig)
{
  turn(rig);
}

COUNTED twin_round_efa_all(struct rig *rig)
{
  post(rig);
  turn(rig);
  take(rig, &rig->from);
  take(rig, &rig->to);
}

static void round_devices(struct rig *rig)
{
  post(rig);
  twin_round_efa_devices(rig);
  take(rig, &rig->from);
  take(rig, &rig->to);
}

static void round_idle(struct rig *rig)
{
  twin_round_efa_devices(rig);
  rig->ended += 2 * rig->batch;
}

static const struct workload {
  const char *name, *what;
  void (*round)(struct rig *rig);
  unsigned batch;
  uint32_t bytes;
} workloads[] = {
    {"send-32", "32 sends", round_devices, 32, 64},
    {"send-32", "32 sends", round_devices, 32, 8192},
    {"send-1", "1 send", round_devices, 1, 64},
    {"send-1", "1 send", round_devices, 1, 8192},
    {"whole-32", "drivers too", twin_round_efa_all, 32, 64},
    {"whole-32", "drivers too", twin_round_efa_all, 32, 8192},
    {"turns", "2 turns, idle", round_idle, 1, 0},
};
_Static_assert(sizeof(workloads) / sizeof(workloads[0]) == TWIN_EFA_SERIES, "all of them");

const char *twin_efa_what(const char *workload)
{
  for (unsigned i = 0; i < TWIN_EFA_SERIES; i++)
    if (!strcmp(workloads[i].name, workload))
      return workloads[i].what;
  return NULL;
}

/* ---- The worker, under callgrind ---- */

static bool messages(struct rig *rig, const struct workload *workload)
{
  rig->ended = 0;
  for (unsigned i = 0; i < TWIN_EFA_MESSAGES / workload->batch; i++) {
    rig->now_ns += ROUND_NS;
    workload->round(rig);
  }
  return rig->ended == 2 * TWIN_EFA_MESSAGES;
}

static int series(struct rig *rig, const struct workload *workload)
{
  char words[64];
  rig->batch = workload->batch;
  rig->bytes = workload->bytes;
  bool good = messages(rig, workload); /* not counted: the twins settle */
  CALLGRIND_ZERO_STATS;
  good = messages(rig, workload) && good;
  snprintf(words, sizeof(words), "efa-twin shared %s %u", workload->name, workload->bytes);
  CALLGRIND_DUMP_STATS_AT(words);
  if (!good)
    fprintf(stderr, "shunt-twin-cost: %s: messages were lost\n", words);
  return !good;
}

int twin_efa_work(void)
{
  static struct rig rig;
  struct shunt_error error;
  int failed = rig_open(&rig, &error);
  if (failed)
    fprintf(stderr, "shunt-twin-cost: %s: %s\n", error.what, error.why);
  for (unsigned i = 0; i < TWIN_EFA_SERIES && !failed; i++)
    failed = series(&rig, &workloads[i]);
  rig_close(&rig);
  return failed != 0;
}
