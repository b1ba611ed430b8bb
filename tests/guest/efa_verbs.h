/* SPDX-License-Identifier: BSD-2-Clause */
/* efa_verbs, inside: a device by libibverbs and efadv (efa_verbs_node.c), what is tried between two
 * of them (efa_verbs_cases.c), and how the processes that own them talk (efa_verbs.c). */
#ifndef TESTS_GUEST_EFA_VERBS_H
#define TESTS_GUEST_EFA_VERBS_H

#include <infiniband/efadv.h>
#include <stdbool.h>
#include <stdint.h>

#define REGION_BYTES (8u << 20)
#define RECEIVED_AT  (4u << 20) /* in a region: what is sent below, what is received from here */
#define MTU          8928u
#define GRH          40u /* before what a UD queue pair receives */
#define QKEY         0x1234u
#define ROUNDS       50u
#define LOOP_BYTES   (511u << 12)

enum kind { UD, SRD };

struct node {
  struct ibv_context *context;
  uint32_t caps; /* EFADV_DEVICE_ATTR_CAPS_* */
  struct ibv_pd *pd;
  struct ibv_comp_channel *channel;
  struct ibv_cq_ex *cq; /* of sends and receives, with the sender's GID */
  struct ibv_mr *mr;
  uint8_t *memory; /* REGION_BYTES */
  union ibv_gid gid;
  struct ibv_ah *ah; /* of the other one */
  struct ibv_qp *qp;
  enum kind kind;
};

struct completion {
  uint32_t status; /* EFA's own, which libibverbs hands on as vendor_err */
  uint32_t opcode, bytes, immediate, source_qpn, ah;
  uint32_t has_immediate, unsolicited, has_sgid;
  uint32_t sum; /* of what was received, where the other one tells */
  uint64_t id;
  union ibv_gid sgid;
};

enum op { SEND, SEND_IMMEDIATE, READ, WRITE, WRITE_IMMEDIATE };

struct request {
  enum op op;
  bool is_inline;
  uint32_t immediate;
  uint32_t bytes, sges, offset; /* in node's memory; sges 0: one */
  void *memory;                 /* NULL: node's */
  uint32_t lkey;                /* 0: that of node's memory */
  struct ibv_ah *ah;            /* NULL: the other one's */
  uint32_t qpn, qkey;           /* qkey 0: the right one */
  uint32_t rkey;
  uint64_t remote;
};

/* All of these end the process where a call fails that should not. */
void node_open(struct node *node, const char *device);
void node_make_qp(struct node *node, enum kind kind, uint32_t efa_flags, uint32_t rnr_retry);
void node_close_qp(struct node *node);
void node_fail_qp(struct node *node);
struct ibv_ah *node_make_ah(struct ibv_pd *pd, const union ibv_gid *gid);
void node_post(struct node *node, uint32_t bytes, uint32_t sges, uint64_t id);
void node_post_with(struct node *node, uint32_t bytes, uint32_t sges, uint64_t id, uint32_t lkey);
void node_take(struct node *node, struct completion *to);
/* Put n requests into the ring and ring once. Returns what ibv_wr_complete does. */
int node_send_all(struct node *node, const struct request requests[], unsigned n);
int node_send(struct node *node, const struct request *request);

/* Register bytes at memory, which are IBV_ACCESS_*. */
struct ibv_mr *node_register(struct node *node, void *memory, size_t bytes, int access);
/* bytes of addresses, LOOP_BYTES of memory again and again, so that no two pages of the region lie
 * side by side: however much it is, its page list says each. */
uint8_t *make_loop(size_t bytes);

void fill(uint8_t *memory, uint32_t bytes, uint32_t seed);
uint32_t sum(const uint8_t *memory, uint32_t bytes);

_Noreturn void die(const char *what);
void *must(void *what, const char *name);
void must_do(int status, const char *name);

/* What the one that runs asks of the other, which answers always: with what it is and, of TAKE and
 * SUM, what it found. */
enum order_what {
  MAKE,   /* a queue pair: kind, flags, rnr_retry */
  KNOW,   /* gid */
  FORGET, /* what it knows */
  POST,   /* a receive: bytes, sges, seed as its id; flags: so far from the right lkey */
  TAKE,   /* a completion; offset: not to be summed up */
  ECHO,   /* ROUNDS messages of so many bytes, for which one receive is posted */
  FILL,   /* memory: offset, bytes, seed */
  SUM,    /* memory: offset, bytes */
  FAIL,   /* the queue pair */
  CLOSE,  /* the queue pair */
  END,
};
struct order {
  enum order_what what;
  enum kind kind;
  uint32_t bytes, sges, flags, seed, offset, rnr_retry;
  union ibv_gid gid;
};
struct answer {
  uint32_t qpn, rkey, caps;
  uint64_t address;
  union ibv_gid gid;
  struct completion completion;
};
struct answer ask(struct order order);

/* All cases, or those that any EFA passes, between node and who answers. */
void run_cases(struct node *node, bool all);

/* Ping-pong with shunt fabric at control's other end: count messages of size bytes, 8 at least. */
void talk_to_fabric(struct node *node, int control, enum kind kind, uint32_t size, uint32_t count,
                    bool asks);

#endif
