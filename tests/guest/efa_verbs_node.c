/* SPDX-License-Identifier: BSD-2-Clause */
/* An EFA by libibverbs and efadv. */
#define _GNU_SOURCE
#include "efa_verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 30 /* for a completion */

/* ---- Errors end the process; the other one notices ---- */

void die(const char *what)
{
  printf("not ok efa_verbs: %s: %s\n", what, strerror(errno));
  fflush(stdout);
  exit(1);
}

void *must(void *what, const char *name)
{
  if (!what)
    die(name);
  return what;
}

void must_do(int status, const char *name)
{
  if (status) {
    errno = status > 0 ? status : errno;
    die(name);
  }
}

/* ---- A device ---- */

static struct ibv_context *open_device(const char *name)
{
  int n;
  struct ibv_device **list = must(ibv_get_device_list(&n), "ibv_get_device_list");
  for (int i = 0; i < n; i++)
    if (!strcmp(ibv_get_device_name(list[i]), name))
      return must(ibv_open_device(list[i]), "ibv_open_device");
  errno = ENODEV;
  die(name);
}

void node_open(struct node *node, const char *name)
{
  struct efadv_device_attr attr;
  node->context = open_device(name);
  must_do(efadv_query_device(node->context, &attr, sizeof(attr)), "efadv_query_device");
  node->caps = attr.device_caps;
  node->pd = must(ibv_alloc_pd(node->context), "ibv_alloc_pd");
  node->channel = must(ibv_create_comp_channel(node->context), "ibv_create_comp_channel");
  struct ibv_cq_init_attr_ex cq = {
      .cqe = 512, .channel = node->channel, .wc_flags = IBV_WC_STANDARD_FLAGS};
  struct efadv_cq_init_attr efa_cq = {.wc_flags = EFADV_WC_EX_WITH_SGID};
  if (node->caps & EFADV_DEVICE_ATTR_CAPS_UNSOLICITED_WRITE_RECV)
    efa_cq.wc_flags |= EFADV_WC_EX_WITH_IS_UNSOLICITED;
  node->cq = must(efadv_create_cq(node->context, &cq, &efa_cq, sizeof(efa_cq)), "efadv_create_cq");
  node->memory = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  int access = IBV_ACCESS_LOCAL_WRITE;
  if (node->caps & EFADV_DEVICE_ATTR_CAPS_RDMA_READ)
    access |= IBV_ACCESS_REMOTE_READ;
  if (node->caps & EFADV_DEVICE_ATTR_CAPS_RDMA_WRITE)
    access |= IBV_ACCESS_REMOTE_WRITE;
  node->mr = node_register(node, node->memory, REGION_BYTES, access);
  must_do(ibv_query_gid(node->context, 1, 0, &node->gid), "ibv_query_gid");
}

struct ibv_mr *node_register(struct node *node, void *memory, size_t bytes, int access)
{
  return must(ibv_reg_mr(node->pd, memory, bytes, access), "ibv_reg_mr");
}

uint8_t *make_loop(size_t bytes)
{
  int file = memfd_create("loop", 0);
  must_do(ftruncate(file, LOOP_BYTES), "ftruncate");
  uint8_t *memory =
      mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  for (size_t at = 0; at < bytes; at += LOOP_BYTES) {
    size_t part = bytes - at < LOOP_BYTES ? bytes - at : LOOP_BYTES;
    if (mmap(memory + at, part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) ==
        MAP_FAILED)
      die("mmap");
  }
  close(file);
  fill(memory, LOOP_BYTES, 0);
  madvise(memory, bytes, MADV_POPULATE_READ); /* sooner than by the pages of a region */
  return memory;
}

struct ibv_ah *node_make_ah(struct ibv_pd *pd, const union ibv_gid *gid)
{
  struct ibv_ah_attr attr = {.is_global = 1, .port_num = 1, .grh = {.dgid = *gid}};
  return must(ibv_create_ah(pd, &attr), "ibv_create_ah");
}

static void qp_up(struct node *node, uint32_t rnr_retry)
{
  struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = 1, .qkey = QKEY};
  must_do(
      ibv_modify_qp(node->qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY),
      "to INIT");
  attr.qp_state = IBV_QPS_RTR;
  must_do(ibv_modify_qp(node->qp, &attr, IBV_QP_STATE), "to RTR");
  attr.qp_state = IBV_QPS_RTS;
  attr.rnr_retry = (uint8_t)rnr_retry;
  must_do(ibv_modify_qp(node->qp, &attr,
                        IBV_QP_STATE | IBV_QP_SQ_PSN | (node->kind == SRD ? IBV_QP_RNR_RETRY : 0)),
          "to RTS");
}

void node_fail_qp(struct node *node)
{
  struct ibv_qp_attr attr = {.qp_state = IBV_QPS_ERR};
  must_do(ibv_modify_qp(node->qp, &attr, IBV_QP_STATE), "to ERR");
}

/* A completion of a queue pair that is gone is an error to libibverbs (providers/efa/verbs.c:
 * efa_poll_sub_cq), so they have to be taken before. */
void node_close_qp(struct node *node)
{
  struct ibv_poll_cq_attr attr = {0};
  if (!node->qp)
    return;
  node_fail_qp(node);
  while (!ibv_start_poll(node->cq, &attr))
    ibv_end_poll(node->cq);
  must_do(ibv_destroy_qp(node->qp), "ibv_destroy_qp");
  node->qp = NULL;
}

void node_make_qp(struct node *node, enum kind kind, uint32_t efa_flags, uint32_t rnr_retry)
{
  struct ibv_qp_init_attr_ex attr = {
      .send_cq = ibv_cq_ex_to_cq(node->cq),
      .recv_cq = ibv_cq_ex_to_cq(node->cq),
      .cap = {128, 128, 2, 2, 32},
      .qp_type = kind == SRD ? IBV_QPT_DRIVER : IBV_QPT_UD,
      .comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
      .pd = node->pd,
      .send_ops_flags = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM};
  struct efadv_qp_init_attr efa = {.driver_qp_type = EFADV_QP_DRIVER_TYPE_SRD,
                                   .flags = (uint16_t)efa_flags};
  node_close_qp(node);
  node->kind = kind;
  if (kind == SRD) {
    if (node->caps & EFADV_DEVICE_ATTR_CAPS_RDMA_READ)
      attr.send_ops_flags |= IBV_QP_EX_WITH_RDMA_READ;
    if (node->caps & EFADV_DEVICE_ATTR_CAPS_RDMA_WRITE)
      attr.send_ops_flags |= IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM;
    node->qp = efadv_create_qp_ex(node->context, &attr, &efa, sizeof(efa));
  } else {
    node->qp = ibv_create_qp_ex(node->context, &attr);
  }
  must(node->qp, "can't make a queue pair");
  qp_up(node, rnr_retry);
}

/* ---- Memory: what is sent can be told from everything else, and has a sum ---- */

void fill(uint8_t *memory, uint32_t bytes, uint32_t seed)
{
  for (uint32_t i = 0; i < bytes; i++)
    memory[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 13);
}

uint32_t sum(const uint8_t *memory, uint32_t bytes)
{
  uint32_t hash = 2166136261u;
  for (uint32_t i = 0; i < bytes; i++)
    hash = (hash ^ memory[i]) * 16777619u;
  return hash;
}

/* ---- Completions and receives ---- */

static void read_completion(struct node *node, struct completion *to)
{
  struct ibv_cq_ex *cq = node->cq;
  struct efadv_cq *efa = efadv_cq_from_ibv_cq_ex(cq);
  *to = (struct completion){.status = ibv_wc_read_vendor_err(cq), .id = cq->wr_id};
  if (!cq->status != !to->status)
    die("a status that libibverbs takes for another");
  to->opcode = ibv_wc_read_opcode(cq);
  if (to->status || !(to->opcode & IBV_WC_RECV))
    return;
  to->bytes = ibv_wc_read_byte_len(cq);
  to->has_immediate = ibv_wc_read_wc_flags(cq) & IBV_WC_WITH_IMM;
  to->immediate = to->has_immediate ? ibv_wc_read_imm_data(cq) : 0;
  to->source_qpn = ibv_wc_read_src_qp(cq);
  to->ah = ibv_wc_read_slid(cq);
  if (node->caps & EFADV_DEVICE_ATTR_CAPS_UNSOLICITED_WRITE_RECV)
    to->unsolicited = efadv_wc_is_unsolicited(efa);
  to->has_sgid = !efadv_wc_read_sgid(efa, &to->sgid);
}

void node_take(struct node *node, struct completion *to)
{
  struct ibv_poll_cq_attr attr = {0};
  time_t end = time(NULL) + WAIT_S;
  int status;
  while ((status = ibv_start_poll(node->cq, &attr)) == ENOENT) {
    if (time(NULL) > end) {
      errno = ETIMEDOUT;
      die("a completion");
    }
  }
  must_do(status, "ibv_start_poll");
  read_completion(node, to);
  ibv_end_poll(node->cq);
}

void node_post_with(struct node *node, uint32_t bytes, uint32_t sges, uint64_t id, uint32_t lkey)
{
  struct ibv_sge list[2];
  uint32_t first = sges == 2 ? bytes / 3 : bytes;
  uint64_t at = (uint64_t)(uintptr_t)node->memory + RECEIVED_AT;
  list[0] = (struct ibv_sge){at, first, lkey};
  list[1] = (struct ibv_sge){at + first, bytes - first, lkey};
  struct ibv_recv_wr wr = {.wr_id = id, .sg_list = list, .num_sge = (int)sges}, *bad;
  must_do(ibv_post_recv(node->qp, &wr, &bad), "ibv_post_recv");
}

void node_post(struct node *node, uint32_t bytes, uint32_t sges, uint64_t id)
{
  node_post_with(node, bytes, sges, id, node->mr->lkey);
}

/* ---- Sends ---- */

static void put(struct node *node, const struct request *request)
{
  struct ibv_qp_ex *qp = ibv_qp_to_qp_ex(node->qp);
  uint32_t lkey = request->lkey ? request->lkey : node->mr->lkey;
  uint8_t *memory = (request->memory ? request->memory : node->memory) + request->offset;
  uint32_t first = request->sges == 2 ? request->bytes / 2 : request->bytes;
  struct ibv_sge list[] = {{(uintptr_t)memory, first, lkey},
                           {(uintptr_t)memory + first, request->bytes - first, lkey}};
  qp->wr_id = 7;
  qp->wr_flags = IBV_SEND_SIGNALED;
  switch (request->op) {
  case SEND_IMMEDIATE:
    ibv_wr_send_imm(qp, request->immediate);
    break;
  case READ:
    ibv_wr_rdma_read(qp, request->rkey, request->remote);
    break;
  case WRITE:
    ibv_wr_rdma_write(qp, request->rkey, request->remote);
    break;
  case WRITE_IMMEDIATE:
    ibv_wr_rdma_write_imm(qp, request->rkey, request->remote, request->immediate);
    break;
  default:
    ibv_wr_send(qp);
  }
  ibv_wr_set_ud_addr(qp, request->ah ? request->ah : node->ah, request->qpn,
                     request->qkey ? request->qkey : QKEY);
  if (request->is_inline)
    ibv_wr_set_inline_data(qp, memory, request->bytes);
  else
    ibv_wr_set_sge_list(qp, request->sges ? request->sges : 1, list);
}

int node_send_all(struct node *node, const struct request requests[], unsigned n)
{
  struct ibv_qp_ex *qp = ibv_qp_to_qp_ex(node->qp);
  ibv_wr_start(qp);
  for (unsigned i = 0; i < n; i++)
    put(node, &requests[i]);
  return ibv_wr_complete(qp);
}

int node_send(struct node *node, const struct request *request)
{
  return node_send_all(node, request, 1);
}
