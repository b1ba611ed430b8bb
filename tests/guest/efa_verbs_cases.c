/* SPDX-License-Identifier: BSD-2-Clause */
/* What is tried between two EFAs, and the status that each end has to have (hw/efa_desc.h has their
 * numbers and meanings). */
#include "efa_verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void is(const char *name, uint64_t wanted, uint64_t got)
{
  if (wanted == got)
    printf("ok %s\n", name);
  else
    printf("not ok %s: wanted %llu, got %llu\n", name, (unsigned long long)wanted,
           (unsigned long long)got);
  fflush(stdout);
}

static uint32_t sum_of_filled(uint32_t bytes, uint32_t seed)
{
  uint8_t *memory = must(malloc(bytes), "malloc");
  fill(memory, bytes, seed);
  uint32_t value = sum(memory, bytes);
  free(memory);
  return value;
}

/* Queue pairs of that kind at both ends; what the other end is. */
static struct answer pair(struct node *node, enum kind kind, uint32_t rnr_retry)
{
  node_make_qp(node, kind, 0, rnr_retry);
  return ask((struct order){.what = MAKE, .kind = kind, .rnr_retry = rnr_retry});
}

static uint32_t status_of(struct node *node, const struct request *request)
{
  struct completion completion;
  must_do(node_send(node, request), "ibv_wr_complete");
  node_take(node, &completion);
  return completion.status;
}

static struct completion taken_there(uint32_t offset)
{
  return ask((struct order){.what = TAKE, .offset = offset}).completion;
}

/* ---- What goes well ---- */

static void what_it_is(struct node *node)
{
  struct efadv_device_attr attr;
  must_do(efadv_query_device(node->context, &attr, sizeof(attr)), "efadv_query_device");
  is("efadv: send queue's depth", 4096, attr.max_sq_wr);
  is("efadv: receive queue's depth", 16384, attr.max_rq_wr);
  is("efadv: inline bytes", 32, attr.inline_buf_size);
  is("efadv: RDMA's bytes", 1u << 30, attr.max_rdma_size);
  is("efadv: RDMA read and write, RNR retry, GIDs, unsolicited", 31, attr.device_caps);
  struct efadv_ah_attr ah;
  must_do(efadv_query_ah(node->ah, &ah, sizeof(ah)), "efadv_query_ah");
  struct answer peer = ask((struct order){.what = SUM});
  struct ibv_ah *again = node_make_ah(node->pd, &peer.gid);
  struct efadv_ah_attr same;
  must_do(efadv_query_ah(again, &same, sizeof(same)), "efadv_query_ah");
  is("a second address handle has the number of the first", ah.ahn, same.ahn);
  must_do(ibv_destroy_ah(again), "ibv_destroy_ah");
}

static void ping_pong(struct node *node, enum kind kind, uint32_t bytes, const char *name)
{
  struct answer peer = pair(node, kind, 7);
  uint32_t prefix = kind == UD ? GRH : 0, good = 0;
  ask((struct order){.what = POST, .bytes = bytes + prefix, .sges = 1});
  ask((struct order){.what = ECHO, .bytes = bytes});
  for (uint32_t i = 0; i < ROUNDS; i++) {
    struct completion ends[2];
    fill(node->memory, bytes, i);
    node_post(node, bytes + prefix, 1, 2);
    must_do(node_send(node, &(struct request){.bytes = bytes, .qpn = peer.qpn}), "a send");
    node_take(node, &ends[0]);
    node_take(node, &ends[1]);
    good += !ends[0].status && !ends[1].status && ends[0].bytes + ends[1].bytes == bytes + prefix &&
            !memcmp(node->memory, node->memory + RECEIVED_AT + prefix, bytes);
  }
  is(name, ROUNDS, good);
}

static void sends(struct node *node)
{
  struct answer peer = pair(node, SRD, 7);
  struct completion there;
  fill(node->memory, 8192, 3);

  ask((struct order){.what = POST, .bytes = 64, .sges = 1, .seed = 11});
  is("inline: status", 0,
     status_of(node, &(struct request){.bytes = 32, .is_inline = true, .qpn = peer.qpn}));
  there = taken_there(0);
  is("inline: its receive", 11, there.id);
  is("inline: 32 bytes", 32, there.bytes);
  is("inline: data", sum_of_filled(32, 3), there.sum);
  is("33 bytes inline are refused", EINVAL,
     (uint64_t)node_send(node, &(struct request){.bytes = 33, .is_inline = true, .qpn = peer.qpn}));

  ask((struct order){.what = POST, .bytes = 64, .sges = 1});
  is("immediate: status", 0,
     status_of(node,
               &(struct request){
                   .op = SEND_IMMEDIATE, .immediate = 0xABCD1234, .bytes = 10, .qpn = peer.qpn}));
  there = taken_there(0);
  is("immediate: is said to be there", 1, !!there.has_immediate);
  is("immediate", 0xABCD1234, there.immediate);
  is("its sender's queue pair", node->qp->qp_num, there.source_qpn);

  ask((struct order){.what = POST, .bytes = 8000, .sges = 2});
  is("two pieces: status", 0,
     status_of(node, &(struct request){.bytes = 7001, .sges = 2, .qpn = peer.qpn}));
  there = taken_there(0);
  is("two pieces: bytes", 7001, there.bytes);
  is("two pieces: data", sum_of_filled(7001, 3), there.sum);

  ask((struct order){.what = POST, .bytes = 64, .sges = 1});
  is("nothing: status", 0, status_of(node, &(struct request){.qpn = peer.qpn}));
  is("nothing: bytes", 0, taken_there(0).bytes);
}

#define BATCH 64u

/* Unordered: each message finds a receive, and which one is not said. */
static void batch(struct node *node)
{
  struct answer peer = pair(node, SRD, 7);
  struct request requests[BATCH];
  uint32_t sent = 0, bytes = 0, ids = 0;
  for (uint32_t i = 0; i < BATCH; i++) {
    requests[i] = (struct request){.bytes = i + 1, .qpn = peer.qpn};
    ask((struct order){.what = POST, .bytes = 100, .sges = 1, .seed = i});
  }
  must_do(node_send_all(node, requests, BATCH), "a batch");
  for (uint32_t i = 0; i < BATCH; i++) {
    struct completion here, there = taken_there(0);
    node_take(node, &here);
    sent += !here.status;
    bytes += there.bytes;
    ids += (uint32_t)there.id;
  }
  is("64 requests and one doorbell: 64 were sent", BATCH, sent);
  is("each length came once", BATCH * (BATCH + 1) / 2, bytes);
  is("each into a receive of its own", BATCH * (BATCH - 1) / 2, ids);
}

static void datagrams(struct node *node)
{
  struct answer peer = pair(node, UD, 0);
  struct completion there;
  fill(node->memory, 8000, 4);

  ask((struct order){.what = POST, .bytes = 100, .sges = 1});
  is("UD, inline: status", 0,
     status_of(node, &(struct request){.bytes = 20, .is_inline = true, .qpn = peer.qpn}));
  there = taken_there(GRH);
  is("UD, inline: 20 bytes behind a routing header", 60, there.bytes);
  is("UD, inline: data", sum_of_filled(20, 4), there.sum);

  ask((struct order){.what = POST, .bytes = 8000 + GRH, .sges = 2});
  is("UD, immediate and two pieces: status", 0,
     status_of(
         node,
         &(struct request){
             .op = SEND_IMMEDIATE, .immediate = 99, .bytes = 8000, .sges = 2, .qpn = peer.qpn}));
  there = taken_there(GRH);
  is("UD, immediate", 99, there.immediate);
  is("UD, two pieces: data", sum_of_filled(8000, 4), there.sum);

  struct request send = {.bytes = 100, .qpn = peer.qpn};
  is("UD, nobody takes it: the sender does not know", 0, status_of(node, &send));
  send.lkey = node->mr->lkey + 1;
  is("UD, an unknown lkey", 5, status_of(node, &send));
  send = (struct request){.bytes = MTU + 1, .qpn = peer.qpn};
  is("UD, more than the MTU", 6, status_of(node, &send));
}

static void stranger(struct node *node)
{
  struct answer peer = pair(node, SRD, 7);
  ask((struct order){.what = FORGET});
  ask((struct order){.what = POST, .bytes = 64, .sges = 1});
  is("from a stranger: status", 0,
     status_of(node, &(struct request){.bytes = 10, .qpn = peer.qpn}));
  struct completion there = taken_there(0);
  is("from a stranger: no address handle", 0xFFFF, there.ah);
  is("from a stranger: its GID is told", 0, (uint64_t)memcmp(&there.sgid, &node->gid, 16));
  is("a write by a stranger", 14,
     status_of(
         node,
         &(struct request){
             .op = WRITE, .bytes = 8, .qpn = peer.qpn, .rkey = peer.rkey, .remote = peer.address}));
  ask((struct order){.what = KNOW, .gid = node->gid});
}

static void memory(struct node *node)
{
  const uint32_t bytes = 3u << 20;
  struct answer peer = pair(node, SRD, 7);
  struct request write = {
      .op = WRITE, .bytes = bytes, .qpn = peer.qpn, .rkey = peer.rkey, .remote = peer.address + 5};
  struct request read = write;
  fill(node->memory, bytes, 21);
  is("write: status", 0, status_of(node, &write));
  is("write: data", sum_of_filled(bytes, 21),
     ask((struct order){.what = SUM, .offset = 5, .bytes = bytes}).completion.sum);

  ask((struct order){.what = FILL, .bytes = bytes, .offset = 5, .seed = 22});
  read.op = READ;
  read.offset = RECEIVED_AT;
  is("read: status", 0, status_of(node, &read));
  is("read: data", sum_of_filled(bytes, 22), sum(node->memory + RECEIVED_AT, bytes));

  write.op = WRITE_IMMEDIATE;
  write.immediate = 77;
  ask((struct order){.what = POST, .bytes = 1, .sges = 1, .seed = 12});
  is("write with immediate: status", 0, status_of(node, &write));
  struct completion there = ask((struct order){.what = TAKE, .offset = bytes}).completion;
  is("write with immediate: takes a receive", 12, there.id);
  is("write with immediate: opcode", IBV_WC_RECV_RDMA_WITH_IMM, there.opcode);
  is("write with immediate: immediate", 77, there.immediate);
  is("write with immediate: bytes", bytes, there.bytes);

  write.rkey += 1;
  is("write to an unknown rkey", 7, status_of(node, &write));
  read.rkey += 1;
  is("read from an unknown rkey", 7, status_of(node, &read));
  write.rkey = read.rkey = peer.rkey;
  write.remote = read.remote = peer.address + REGION_BYTES - bytes + 1;
  is("write beyond the region", 7, status_of(node, &write));
  is("read beyond the region", 7, status_of(node, &read));

  node_make_qp(node, SRD, 0, 7);
  write.qpn = ask((struct order){.what = MAKE,
                                 .kind = SRD,
                                 .rnr_retry = 7,
                                 .flags = EFADV_QP_FLAGS_UNSOLICITED_WRITE_RECV})
                  .qpn;
  write.remote = peer.address;
  write.bytes = 100;
  is("unsolicited: status", 0, status_of(node, &write));
  there = ask((struct order){.what = TAKE, .offset = 100}).completion;
  is("unsolicited: is said to be so", 1, there.unsolicited);
  is("unsolicited: immediate", 77, there.immediate);
}

/* A device is its own peer, too. What a region allows is all that is done to it. */
static void oneself(struct node *node)
{
  const uint32_t pages = 3 << 12;
  pair(node, SRD, 7);
  struct ibv_ah *self = node_make_ah(node->pd, &node->gid);
  struct ibv_mr *mr = node_register(node, node->memory, pages, 0);
  struct request request = {.bytes = pages, .ah = self, .qpn = node->qp->qp_num};
  request.op = WRITE;
  request.rkey = node->mr->rkey;
  request.remote = (uintptr_t)node->memory + RECEIVED_AT;
  request.lkey = mr->lkey;
  fill(node->memory, pages, 31);
  is("to oneself, from a region of three pages: status", 0, status_of(node, &request));
  is("to oneself: data", sum_of_filled(pages, 31), sum(node->memory + RECEIVED_AT, pages));

  request.rkey = mr->rkey;
  request.remote = (uintptr_t)node->memory;
  is("write to a region that must not be written", 7, status_of(node, &request));
  request.op = READ;
  request.lkey = 0;
  is("read from a region that must not be read", 7, status_of(node, &request));
  request.rkey = node->mr->rkey;
  request.lkey = mr->lkey;
  is("read into a region that must not be written", 5, status_of(node, &request));
  must_do(ibv_dereg_mr(mr), "ibv_dereg_mr");
  request.op = WRITE;
  is("from a region that is gone", 5, status_of(node, &request));
  must_do(ibv_destroy_ah(self), "ibv_destroy_ah");
}

#define LIST_PIECE                                                                                 \
  ((size_t)510 * 512 << 12) /* of a region: as much as a piece of its page list says */
#define LOOP (2 * LIST_PIECE + (16u << 20))

/* A page list of 4 MB is more than Linux gets in one piece, so it is chained. What is sent and
 * received lies where the first and second piece meet. */
static void large(struct node *node)
{
  const uint32_t bytes = 20000;
  struct answer peer = pair(node, SRD, 7);
  uint8_t *memory = make_loop(LOOP), *there = memory + LIST_PIECE - 3000;
  struct ibv_mr *mr = node_register(node, memory, LOOP, IBV_ACCESS_LOCAL_WRITE);
  struct request request = {.op = WRITE,
                            .memory = there,
                            .bytes = bytes,
                            .lkey = mr->lkey,
                            .qpn = peer.qpn,
                            .rkey = peer.rkey,
                            .remote = peer.address};
  fill(there, bytes, 41);
  is("from a region of 2 GB: status", 0, status_of(node, &request));
  is("from a region of 2 GB: data", sum_of_filled(bytes, 41),
     ask((struct order){.what = SUM, .bytes = bytes}).completion.sum);

  ask((struct order){.what = FILL, .bytes = bytes, .seed = 42});
  request.op = READ;
  request.memory = there = memory + LOOP - bytes;
  is("into its end: status", 0, status_of(node, &request));
  is("into its end: data", sum_of_filled(bytes, 42), sum(there, bytes));
  request.memory = there + 1;
  is("beyond its end", 5, status_of(node, &request));
  request.memory = memory;
  request.bytes = (1u << 30) + 1;
  is("more than 1 GB", 6, status_of(node, &request));
  must_do(ibv_dereg_mr(mr), "ibv_dereg_mr");
  munmap(memory, LOOP);
}

/* ---- What does not ---- */

static void not_ready(struct node *node)
{
  struct answer peer = pair(node, SRD, 3);
  struct request send = {.bytes = 100, .qpn = peer.qpn};
  is("nothing posted, three retries", 10, status_of(node, &send));
  peer = pair(node, SRD, 7);
  send.qpn = peer.qpn;
  must_do(node_send(node, &send), "a send");
  ask((struct order){.what = SUM}); /* time goes by */
  ask((struct order){.what = POST, .bytes = 100, .sges = 1});
  struct completion completion;
  node_take(node, &completion);
  is("posted late, retries without end: status", 0, completion.status);
  is("posted late: bytes", 100, taken_there(0).bytes);
}

static void locally_wrong(struct node *node)
{
  struct answer peer = pair(node, SRD, 7);
  struct request send = {.bytes = 100, .qpn = peer.qpn, .lkey = node->mr->lkey + 1};
  is("an unknown lkey", 5, status_of(node, &send));
  send = (struct request){.bytes = 4096, .offset = REGION_BYTES - 100, .qpn = peer.qpn};
  is("memory beyond the region", 5, status_of(node, &send));
  send = (struct request){.bytes = MTU + 1, .qpn = peer.qpn};
  is("more than the MTU", 6, status_of(node, &send));

  struct ibv_pd *pd = must(ibv_alloc_pd(node->context), "ibv_alloc_pd");
  send = (struct request){.bytes = 8, .qpn = peer.qpn, .ah = node_make_ah(pd, &peer.gid)};
  is("an address handle of another protection domain", 4, status_of(node, &send));
  must_do(ibv_destroy_ah(send.ah), "ibv_destroy_ah");
  must_do(ibv_dealloc_pd(pd), "ibv_dealloc_pd");

  send = (struct request){.bytes = 8, .qpn = peer.qpn};
  must_do(node_send(node, &send), "a send"); /* for which nothing is posted */
  must_do(ibv_destroy_ah(node->ah), "ibv_destroy_ah");
  struct completion completion;
  node_take(node, &completion);
  is("an address handle that goes meanwhile", 4, completion.status);
  node->ah = node_make_ah(node->pd, &peer.gid);
}

static void remotely_wrong(struct node *node)
{
  struct answer peer = pair(node, SRD, 7);
  struct request send = {.bytes = 100, .qpn = peer.qpn};
  ask((struct order){.what = POST, .bytes = 50, .sges = 1});
  is("longer than what is posted", 11, status_of(node, &send));
  ask((struct order){.what = CLOSE});
  send.qpn = peer.qpn = ask((struct order){.what = MAKE, .kind = SRD, .rnr_retry = 7}).qpn;
  ask((struct order){.what = POST, .bytes = 100, .sges = 1, .flags = 1});
  is("what is posted there has an unknown lkey", 8, status_of(node, &send));
  is("and is told so", 5, taken_there(0).status);
  ask((struct order){.what = POST, .bytes = 100, .sges = 1});
  send.qkey = QKEY + 1;
  is("another qkey", 9, status_of(node, &send));
  send.qkey = 0;
  send.qpn = peer.qpn ^ 0x100;
  is("no such queue pair there", 9, status_of(node, &send));
  send.qpn = peer.qpn;
  ask((struct order){.what = FAIL});
  is("a queue pair in error there: the posted receive is flushed", 1, taken_there(0).status);
  is("a queue pair in error there", 9, status_of(node, &send));
  ask((struct order){.what = CLOSE});
  is("a destroyed queue pair there", 9, status_of(node, &send));

  union ibv_gid nobody = peer.gid;
  nobody.raw[15] ^= 0x55;
  send.ah = node_make_ah(node->pd, &nobody);
  is("nobody there", 15, status_of(node, &send));
  must_do(ibv_destroy_ah(send.ah), "ibv_destroy_ah");
}

static void flushed(struct node *node)
{
  struct completion completion;
  struct answer peer = pair(node, SRD, 7);
  node_post(node, 100, 1, 31);
  must_do(node_send(node, &(struct request){.bytes = 8, .qpn = peer.qpn}), "a send");
  node_fail_qp(node); /* while the other side has nothing posted */
  uint64_t ids = 0;
  for (int i = 0; i < 2; i++) {
    node_take(node, &completion);
    is("a queue pair in error flushes what it has", 1, completion.status);
    ids += completion.id;
  }
  is("both a send and a receive", 31 + 7, ids);
}

/* An armed completion queue wakes who waits for it, through an event queue's interrupt. */
static void woken(struct node *node)
{
  struct answer peer = pair(node, SRD, 7);
  struct ibv_cq *cq = ibv_cq_ex_to_cq(node->cq), *from;
  struct completion completion;
  void *context;
  ask((struct order){.what = POST, .bytes = 100, .sges = 1});
  must_do(ibv_req_notify_cq(cq, 0), "ibv_req_notify_cq");
  must_do(node_send(node, &(struct request){.bytes = 8, .qpn = peer.qpn}), "a send");
  must_do(ibv_get_cq_event(node->channel, &from, &context), "ibv_get_cq_event");
  ibv_ack_cq_events(cq, 1);
  is("an event of the right queue", 1, from == cq);
  node_take(node, &completion);
  is("and its completion", 0, completion.status);
}

static void pings(struct node *node)
{
  ping_pong(node, SRD, 64, "SRD: 50 times there and back");
  ping_pong(node, SRD, MTU, "SRD: 50 times there and back, 8928 bytes");
  ping_pong(node, UD, 64, "UD: 50 times there and back");
  ping_pong(node, UD, MTU, "UD: 50 times there and back, 8928 bytes");
}

/* What one device has and the other has not. */
static void unlike(struct node *node)
{
  struct answer peer = pair(node, SRD, 7);
  struct request request = {.bytes = 8, .qpn = peer.qpn, .rkey = peer.rkey, .remote = peer.address};
  request.op = WRITE;
  if (node->caps & ~peer.caps & EFADV_DEVICE_ATTR_CAPS_RDMA_WRITE)
    is("write to a device that has no RDMA", 18, status_of(node, &request));
  request.op = READ;
  if (node->caps & ~peer.caps & EFADV_DEVICE_ATTR_CAPS_RDMA_READ)
    is("read from a device that has no RDMA", 18, status_of(node, &request));
}

static void all_others(struct node *node)
{
  what_it_is(node);
  sends(node);
  batch(node);
  datagrams(node);
  stranger(node);
  memory(node);
  oneself(node);
  large(node);
  woken(node);
  not_ready(node);
  locally_wrong(node);
  remotely_wrong(node);
  flushed(node);
}

void run_cases(struct node *node, bool all)
{
  struct answer peer = ask((struct order){.what = SUM});
  node->ah = node_make_ah(node->pd, &peer.gid);
  ask((struct order){.what = KNOW, .gid = node->gid});
  pings(node);
  unlike(node);
  if (all)
    all_others(node);
  ask((struct order){.what = CLOSE});
  node_close_qp(node);
}
