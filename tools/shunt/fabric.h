/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt fabric: what its parts share. fabric.c is the command, fabric_end.c an endpoint and its
 * memory, fabric_exchange.c two processes that tell each other their addresses, fabric_move.c what
 * is measured, fabric_report.c what is told. */
#ifndef TOOLS_SHUNT_FABRIC_H
#define TOOLS_SHUNT_FABRIC_H

#include <pthread.h>
#include <stdatomic.h>

#include "shunt/cpu.h"
#include "shunt/fabric.h"
#include "shunt/histogram.h"
#include "shunt/testbed.h"
#include "tools/shunt/cli.h"

#define FABRIC_NO_CPU     UINT64_MAX
#define FABRIC_STATUSES   32u
#define FABRIC_STATISTICS 64u
#define FABRIC_BURST      32u

/* Where an endpoint is: what its peer has to know. */
struct fabric_address {
  struct shunt_gid gid;
  uint16_t qpn;
  uint32_t qkey, rkey;
  uint64_t memory; /* of its first slot */
};

/* An endpoint: one queue pair, and memory cut into slots, depth to receive into (or to be written
 * by the peer) and depth to send (or be read) from. */
struct fabric_end {
  struct shunt_fabric *fabric;
  struct shunt_fabric_info info;
  struct shunt_fabric_pd *pd;
  struct shunt_region *region;
  struct shunt_fabric_mr *mr;
  struct shunt_fabric_cq *cq;
  struct shunt_fabric_qp *qp;
  struct shunt_fabric_ah *ah; /* of the peer */
  struct fabric_address own, peer;
  uint8_t *memory;
  uint32_t waiting; /* receives posted */
};

enum fabric_mode { FABRIC_PING, FABRIC_BW };

struct fabric_run {
  struct cli *cli;
  /* Options. */
  enum fabric_mode mode;
  const char *op_name, *type_name, *listen, *connect, *hgrm;
  uint64_t size, count, depth, cpu, device_cpu, qkey;
  double timeout_s;
  bool wide, check;

  enum shunt_fabric_op op;
  enum shunt_fabric_qp_type type;
  uint32_t slot_bytes;
  uint32_t prefix_bytes; /* in front of what a datagram brings */
  struct shunt_testbed *testbed;
  struct shunt_tsc tsc;
  pthread_t thread;
  bool has_thread;
  atomic_bool thread_ends;
  int socket; /* to the other process; -1: there is none */

  /* Who asks and who answers; NULL where that is the other process. */
  struct fabric_end ends[2], *asker, *answerer;

  uint64_t posted, completed, received, corrupted, lost, failed;
  uint64_t statuses[FABRIC_STATUSES]; /* completions that were not well, by status */
  uint64_t received_bytes;
  double seconds;
  struct shunt_histogram *rtt;
};

static inline uint64_t fabric_now_ns(const struct fabric_run *run)
{
  return shunt_tsc_now_ordered_ns(&run->tsc);
}

/* Give the twins of this process a turn, unless they have a thread. */
static inline void fabric_turn(struct fabric_run *run)
{
  if (!run->has_thread)
    shunt_testbed_poll(run->testbed);
}

/* fabric_end.c */
int fabric_end_open(struct fabric_run *run, const char *device, struct fabric_end *end,
                    struct shunt_error *error);
int fabric_end_furnish(struct fabric_run *run, struct fabric_end *end, struct shunt_error *error);
int fabric_end_meet(struct fabric_end *end, const struct fabric_address *peer,
                    struct shunt_error *error);
void fabric_end_close(struct fabric_end *end);
static inline uint8_t *fabric_recv_slot(const struct fabric_run *run, const struct fabric_end *end,
                                        uint64_t index)
{
  return end->memory + (index & (run->depth - 1)) * run->slot_bytes;
}
static inline uint8_t *fabric_send_slot(const struct fabric_run *run, const struct fabric_end *end,
                                        uint64_t index)
{
  return end->memory + (run->depth + (index & (run->depth - 1))) * run->slot_bytes;
}
/* The bytes of the index-th message, and whether these are they. */
void fabric_pattern(uint8_t *bytes, uint64_t n, uint64_t index);
bool fabric_pattern_is(const uint8_t *bytes, uint64_t n, uint64_t *index);

/* fabric_exchange.c: both sides call these in the same order. */
int fabric_exchange_open(struct fabric_run *run, struct shunt_error *error);
int fabric_exchange(struct fabric_run *run, struct fabric_end *end, struct shunt_error *error);
/* Both are ready. */
int fabric_exchange_meet(struct fabric_run *run, struct shunt_error *error);
/* The asker is done; the answerer tells what it has got. */
int fabric_exchange_end(struct fabric_run *run, struct shunt_error *error);
/* Whether the asker has said so. */
bool fabric_exchange_ended(const struct fabric_run *run);

/* fabric_move.c */
int fabric_move(struct fabric_run *run, struct shunt_error *error);

/* fabric_report.c */
int fabric_info(const struct cli *cli, const struct shunt_fabric *fabric);
int fabric_stats(const struct cli *cli, struct shunt_fabric *fabric);
int fabric_report(struct fabric_run *run);

#endif
