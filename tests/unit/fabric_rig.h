/* SPDX-License-Identifier: BSD-2-Clause */
/* Two endpoints on two software EFAs that a wire joins, in virtual time. */
#ifndef TESTS_UNIT_FABRIC_RIG_H
#define TESTS_UNIT_FABRIC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/efa.h"
#include "shunt/testbed.h"
#include "src/nic/efa/efa.h"
#include "src/pci/backend.h"
#include "twin/efa/efa.h"

#define RIG_QKEY        0x1234u
#define RIG_BYTES       (UINT64_C(6) << 20)
#define RIG_COMPLETIONS 512u

/* One end: all that it takes to send and to receive. */
struct end {
  struct shunt_fabric *fabric;
  struct shunt_fabric_pd *pd;
  struct shunt_region *region;
  struct shunt_fabric_mr *mr;
  struct shunt_fabric_cq *cq;
  struct shunt_fabric_qp *qp;
  struct shunt_fabric_ah *ah; /* of the other end */
  struct shunt_gid gid;
  uint8_t *memory;
  struct shunt_fabric_completion completions[RIG_COMPLETIONS];
  unsigned count; /* of the latest rig_poll */
};

struct rig {
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  struct shunt_testbed *testbed;
  struct shunt_wire *wire;
  struct shunt_error error;
  struct end left, right;
};

static inline void rig_turn(void *context, uint64_t now_ns)
{
  struct rig *rig = context;
  (void)now_ns;
  if (rig->testbed)
    shunt_testbed_poll(rig->testbed);
}

/* All that a set-up call says goes into a failed test's message. */
#define rig_ok(rig, call)                                                                          \
  do {                                                                                             \
    int rig_result = (call);                                                                       \
    if (rig_result)                                                                                \
      fail_msg("%s: %d: %s; %s", #call, rig_result, (rig)->error.what, (rig)->error.why);          \
  } while (0)

static inline struct rig *rig_create(void)
{
  struct rig *rig = calloc(1, sizeof(*rig));
  assert_non_null(rig);
  shunt_virtual_clock_init(&rig->time, 1000000);
  shunt_virtual_clock_hook(&rig->time, rig_turn, rig, 1000);
  rig->clock = shunt_virtual_clock_view(&rig->time);
  struct shunt_testbed_options testbed = {.size = sizeof(testbed), .clock = &rig->clock};
  rig_ok(rig, shunt_testbed_create(&testbed, &rig->testbed, &rig->error));
  rig->wire = shunt_testbed_wire(rig->testbed, "w", &rig->error);
  assert_non_null(rig->wire);
  return rig;
}

/* Let time pass, the devices getting their turns. */
static inline void rig_run(struct rig *rig, uint64_t us)
{
  shunt_virtual_clock_advance(&rig->time, us * 1000);
}

static inline struct shunt_model *rig_model(const struct end *end)
{
  return inproc_model(efa_of(end->fabric)->pci);
}

static inline struct efa_twin *rig_twin(const struct end *end)
{
  return (struct efa_twin *)rig_model(end);
}

/* Where its device hangs on the wire: what is cut and joined. */
static inline struct shunt_wire_end *rig_end(const struct end *end)
{
  return rig_twin(end)->end;
}

/* Open "efa:twin?wire=w<keys>". */
static inline void rig_open(struct rig *rig, struct end *end, const char *keys, uint32_t sleepers)
{
  char name[160];
  struct shunt_fabric_options options = {
      .size = sizeof(options), .clock = &rig->clock, .testbed = rig->testbed, .sleepers = sleepers};
  struct shunt_fabric_info info = {.size = sizeof(info)};
  snprintf(name, sizeof(name), "efa:twin?wire=w%s", keys);
  rig_ok(rig, shunt_fabric_open(name, &options, &end->fabric, &rig->error));
  shunt_fabric_info(end->fabric, &info);
  end->gid = info.gid;
}

/* A domain, memory that everybody may do everything with that the device can, a queue. */
static inline void rig_furnish(struct rig *rig, struct end *end)
{
  struct shunt_region_options region = {.size = sizeof(region),
                                        .bytes = RIG_BYTES,
                                        .pages = SHUNT_PAGES_4K,
                                        .numa_node = SHUNT_NUMA_ANY};
  struct shunt_fabric_info info = {.size = sizeof(info)};
  shunt_fabric_info(end->fabric, &info);
  unsigned access = SHUNT_FABRIC_LOCAL_WRITE;
  access |= info.caps & SHUNT_FABRIC_RDMA_READ ? (unsigned)SHUNT_FABRIC_REMOTE_READ : 0;
  access |= info.caps & SHUNT_FABRIC_RDMA_WRITE ? (unsigned)SHUNT_FABRIC_REMOTE_WRITE : 0;
  rig_ok(rig, shunt_fabric_pd_create(end->fabric, &end->pd, &rig->error));
  rig_ok(rig, shunt_region_create(&region, &end->region, &rig->error));
  end->memory = shunt_region_base(end->region);
  rig_ok(rig, shunt_fabric_mr_register(end->pd, end->region, 0, RIG_BYTES, access, NULL, &end->mr,
                                       &rig->error));
  rig_ok(rig, shunt_fabric_cq_create(end->fabric, NULL, &end->cq, &rig->error));
}

static inline struct shunt_fabric_qp *rig_qp(struct rig *rig, struct end *end,
                                             struct shunt_fabric_qp_options options)
{
  struct shunt_fabric_qp *qp = NULL;
  options.size = sizeof(options);
  options.send_cq = options.send_cq ? options.send_cq : end->cq;
  options.recv_cq = options.recv_cq ? options.recv_cq : end->cq;
  options.qkey = RIG_QKEY;
  rig_ok(rig, shunt_fabric_qp_create(end->pd, &options, &qp, &rig->error));
  return qp;
}

static inline void rig_meet(struct rig *rig)
{
  rig_ok(rig, shunt_fabric_ah_create(rig->left.pd, &rig->right.gid, &rig->left.ah, &rig->error));
  rig_ok(rig, shunt_fabric_ah_create(rig->right.pd, &rig->left.gid, &rig->right.ah, &rig->error));
}

/* Two ends that know each other, with a queue pair each. */
static inline struct rig *rig_pair(const char *keys, struct shunt_fabric_qp_options options)
{
  struct rig *rig = rig_create();
  rig_open(rig, &rig->left, keys, 0);
  rig_open(rig, &rig->right, keys, 0);
  rig_furnish(rig, &rig->left);
  rig_furnish(rig, &rig->right);
  rig->left.qp = rig_qp(rig, &rig->left, options);
  rig->right.qp = rig_qp(rig, &rig->right, options);
  rig_meet(rig);
  return rig;
}

static inline void rig_end_destroy(struct end *end)
{
  shunt_fabric_close(end->fabric);
  shunt_region_destroy(end->region);
}

static inline void rig_destroy(struct rig *rig)
{
  rig_end_destroy(&rig->left);
  rig_end_destroy(&rig->right);
  shunt_testbed_destroy(rig->testbed);
  free(rig);
}

static inline struct shunt_fabric_destination rig_to(const struct end *from, const struct end *to)
{
  return (struct shunt_fabric_destination){shunt_fabric_ah_number(from->ah),
                                           shunt_fabric_qp_number(to->qp), RIG_QKEY};
}

static inline struct shunt_fabric_piece rig_piece(const struct end *end, uint64_t offset,
                                                  uint32_t bytes)
{
  return (struct shunt_fabric_piece){(uintptr_t)end->memory + offset, bytes,
                                     shunt_fabric_mr_lkey(end->mr)};
}

/* Bytes of this end's memory, to be sent to the other. */
static inline struct shunt_fabric_work rig_send(const struct end *from, const struct end *to,
                                                uint64_t id, uint64_t offset, uint32_t bytes)
{
  return (struct shunt_fabric_work){.id = id,
                                    .to = rig_to(from, to),
                                    .op = SHUNT_FABRIC_SEND,
                                    .pieces = 1,
                                    .piece[0] = rig_piece(from, offset, bytes)};
}

static inline struct shunt_fabric_work rig_rdma(const struct end *from, const struct end *to,
                                                enum shunt_fabric_op op, uint64_t id, uint64_t here,
                                                uint64_t there, uint32_t bytes)
{
  struct shunt_fabric_work work = rig_send(from, to, id, here, bytes);
  work.op = (uint8_t)op;
  work.rkey = shunt_fabric_mr_rkey(to->mr);
  work.remote_address = (uintptr_t)to->memory + there;
  return work;
}

static inline void rig_post(struct end *end, const struct shunt_fabric_work *work)
{
  assert_int_equal(shunt_fabric_send_post(end->qp, work), 0);
  shunt_fabric_send_push(end->qp);
}

static inline void rig_receive(struct end *end, uint64_t id, uint64_t offset, uint32_t bytes)
{
  struct shunt_fabric_receive receive = {
      .id = id, .pieces = 1, .piece[0] = rig_piece(end, offset, bytes)};
  assert_int_equal(shunt_fabric_recv_post(end->qp, &receive, 1), 1);
}

/* Run until there are n completions at this end, for at most so long. */
static inline void rig_poll(struct rig *rig, struct end *end, unsigned n, uint64_t most_us)
{
  end->count = 0;
  for (uint64_t us = 0; end->count < n && us < most_us; us += 10) {
    rig_run(rig, 10);
    end->count += shunt_fabric_poll(end->cq, end->completions + end->count, n - end->count);
  }
  assert_int_equal(end->count, n);
}

/* The next completion at this end. */
static inline const struct shunt_fabric_completion *rig_next(struct rig *rig, struct end *end)
{
  rig_poll(rig, end, 1, 20000000);
  return &end->completions[0];
}

static inline void rig_fill(uint8_t *memory, uint32_t bytes, uint32_t seed)
{
  for (uint32_t i = 0; i < bytes; i++)
    memory[i] = (uint8_t)((i + seed) * 167 + (i >> 8));
}

static inline uint64_t rig_statistic(struct rig *rig, struct end *end, const char *name)
{
  struct shunt_statistic statistics[64];
  unsigned count;
  rig_ok(rig, shunt_fabric_statistics(end->fabric, statistics, 64, &count, &rig->error));
  for (unsigned i = 0; i < count && i < 64; i++)
    if (!strcmp(statistics[i].name, name))
      return statistics[i].value;
  fail_msg("no statistic %s", name);
  return 0;
}

#endif
