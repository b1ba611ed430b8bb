/* SPDX-License-Identifier: BSD-2-Clause */
/* Completion queues and queue pairs: their commands. */
#include <stdlib.h>
#include <string.h>

#include "twin/efa/efa.h"

static bool power_of_two(uint32_t n, uint32_t most)
{
  return n && n <= most && !(n & (n - 1));
}

uint32_t *efa_twin_doorbell(struct efa_twin *twin, uint32_t offset)
{
  return (uint32_t *)(void *)(twin->doorbells + offset);
}

/* --- Completion queues
 * -------------------------------------------------------------------------------- */

static uint32_t cq_doorbell_offset(const struct efa_twin *twin, const struct efa_twin_cq *cq)
{
  return cq->uar * EFA_TWIN_PAGE_BYTES + EFA_TWIN_CQ_DOORBELLS + 4u * (uint32_t)(cq - twin->cqs);
}

uint32_t efa_twin_cq_doorbell(const struct efa_twin *twin, const struct efa_twin_cq *cq)
{
  const void *at = twin->doorbells + cq_doorbell_offset(twin, cq);
  return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
}

static bool cq_is_sound(struct efa_twin *twin, const struct efa_create_cq *asked)
{
  uint32_t words = HW_GET(EFA_CREATE_CQ_ENTRY_WORDS, asked->caps2);
  uint64_t base = (uint64_t)asked->base.hi << 32 | asked->base.lo;
  uint64_t bytes = (uint64_t)asked->sub_cq_depth * asked->num_sub_cqs * words * 4;
  if ((words != 4 && words != 8) || !power_of_two(asked->sub_cq_depth, EFA_TWIN_CQ_DEPTH) ||
      asked->num_sub_cqs != efa_twin_sub_cqs(twin) || asked->caps1 & EFA_CREATE_CQ_VIRTUAL ||
      asked->uar >= EFA_TWIN_UARS || !twin->uars[asked->uar])
    return false;
  if (asked->caps2 & EFA_CREATE_CQ_SRC_ADDR && words != 8)
    return false;
  if (asked->caps1 & EFA_CREATE_CQ_INTERRUPT &&
      (asked->eqn >= EFA_TWIN_EQS || !twin->eqs[asked->eqn].live))
    return false;
  return shunt_model_dma(&twin->model, base, bytes, 1) != NULL;
}

uint8_t efa_twin_create_cq(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_create_cq *asked = command;
  struct efa_create_cq_response *answer = response;
  if (!cq_is_sound(twin, asked))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  struct efa_twin_cq *cq = twin->cqs;
  while (cq < twin->cqs + EFA_TWIN_CQS && cq->live)
    cq++;
  if (cq == twin->cqs + EFA_TWIN_CQS)
    return EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE;
  *cq = (struct efa_twin_cq){.live = true,
                             .has_events = asked->caps1 & EFA_CREATE_CQ_INTERRUPT,
                             .wants_source = asked->caps2 & EFA_CREATE_CQ_SRC_ADDR,
                             .sub_cqs = (uint8_t)asked->num_sub_cqs,
                             .depth = asked->sub_cq_depth,
                             .uar = asked->uar,
                             .eqn = asked->eqn,
                             .entry_bytes = HW_GET(EFA_CREATE_CQ_ENTRY_WORDS, asked->caps2) * 4,
                             .base = (uint64_t)asked->base.hi << 32 | asked->base.lo};
  twin->event_cqs += cq->has_events;
  *efa_twin_doorbell(twin, cq_doorbell_offset(twin, cq)) = 0;
  answer->cq = (uint16_t)(cq - twin->cqs);
  answer->sub_cq_depth = cq->depth;
  answer->doorbell = cq_doorbell_offset(twin, cq);
  answer->flags = EFA_CREATE_CQ_DOORBELL_VALID;
  return EFA_ADMIN_SUCCESS;
}

uint8_t efa_twin_destroy_cq(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_destroy_cq *asked = command;
  (void)response;
  if (asked->cq >= EFA_TWIN_CQS || !twin->cqs[asked->cq].live)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  struct efa_twin_cq *cq = &twin->cqs[asked->cq];
  if (cq->users)
    return EFA_ADMIN_RESOURCE_BUSY;
  twin->event_cqs -= cq->has_events;
  cq->live = false;
  return EFA_ADMIN_SUCCESS;
}

/* --- Queue pairs
 * --------------------------------------------------------------------------------------- */

static unsigned index_of(const struct efa_twin *twin, const struct efa_twin_qp *qp)
{
  return (unsigned)(qp - twin->qps);
}

static uint32_t sq_doorbell_offset(const struct efa_twin *twin, const struct efa_twin_qp *qp)
{
  return qp->uar * EFA_TWIN_PAGE_BYTES + 4u * index_of(twin, qp);
}

static uint32_t rq_doorbell_offset(const struct efa_twin *twin, const struct efa_twin_qp *qp)
{
  return sq_doorbell_offset(twin, qp) + EFA_TWIN_RQ_DOORBELLS;
}

uint32_t efa_twin_sq_doorbell(const struct efa_twin *twin, const struct efa_twin_qp *qp)
{
  const void *at = twin->doorbells + sq_doorbell_offset(twin, qp);
  return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
}

uint32_t efa_twin_rq_doorbell(const struct efa_twin *twin, const struct efa_twin_qp *qp)
{
  const void *at = twin->doorbells + rq_doorbell_offset(twin, qp);
  return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
}

/* A number is a place (8 bits) and how often it was used. With reuse_qpn the same place gives the
 * same number at once, for who wants to see what stale packets do. */
static uint16_t number_of(struct efa_twin *twin, unsigned index)
{
  unsigned uses = twin->options.reuse_qpn ? 0 : twin->qp_uses[index]++;
  return (uint16_t)(uses * EFA_TWIN_QPS + index);
}

struct efa_twin_qp *efa_twin_qp_by_number(struct efa_twin *twin, uint16_t number)
{
  struct efa_twin_qp *qp = &twin->qps[number % EFA_TWIN_QPS];
  return qp->live && qp->number == number ? qp : NULL;
}

static struct efa_twin_qp *free_qp(struct efa_twin *twin)
{
  unsigned first = twin->options.reuse_qpn ? 0 : twin->next_qp;
  for (unsigned i = 0; i < EFA_TWIN_QPS; i++) {
    struct efa_twin_qp *qp = &twin->qps[(first + i) % EFA_TWIN_QPS];
    if (qp->live)
      continue;
    twin->next_qp = (uint16_t)((first + i + 1) % EFA_TWIN_QPS);
    return qp;
  }
  return NULL;
}

static bool cq_live(const struct efa_twin *twin, uint32_t cq)
{
  return cq < EFA_TWIN_CQS && twin->cqs[cq].live;
}

/* What a work request has room for: the ring's bytes over its depth. */
static uint32_t wqe_bytes_of(const struct efa_twin *twin, const struct efa_create_qp *asked)
{
  if (!asked->sq_depth)
    return EFA_SQ_ENTRY_BYTES; /* a queue pair that only receives */
  uint32_t bytes = asked->sq_ring_bytes / asked->sq_depth;
  bool is_known =
      bytes == EFA_SQ_ENTRY_BYTES || (bytes == EFA_SQ_ENTRY_BYTES_WIDE && efa_twin_has_wide(twin));
  return is_known && bytes * asked->sq_depth == asked->sq_ring_bytes ? bytes : 0;
}

static bool qp_is_sound(struct efa_twin *twin, const struct efa_create_qp *asked)
{
  const uint8_t not_known = EFA_CREATE_QP_SQ_VIRTUAL | EFA_CREATE_QP_RQ_VIRTUAL;
  if (!efa_twin_pd_live(twin, asked->pd) || asked->uar >= EFA_TWIN_UARS ||
      !twin->uars[asked->uar] || !cq_live(twin, asked->send_cq) || !cq_live(twin, asked->recv_cq))
    return false;
  if ((asked->type != EFA_QP_UD && asked->type != EFA_QP_SRD) || asked->flags & not_known ||
      (asked->flags & EFA_CREATE_QP_UNSOLICITED_WRITE_RECV && !efa_twin_has_write(twin)))
    return false;
  if (asked->sq_depth && (!power_of_two(asked->sq_depth, EFA_TWIN_SQ_DEPTH) ||
                          !wqe_bytes_of(twin, asked) || asked->sq_ring_bytes > EFA_TWIN_LLQ_BYTES))
    return false;
  if (!asked->rq_depth)
    return true;
  uint32_t descriptors = asked->rq_ring_bytes / sizeof(struct efa_rx_desc);
  return power_of_two(descriptors, EFA_TWIN_RQ_DEPTH) && asked->rq_depth <= descriptors &&
         descriptors * sizeof(struct efa_rx_desc) == asked->rq_ring_bytes &&
         shunt_model_dma(&twin->model, asked->rq_base, asked->rq_ring_bytes, 0);
}

static uint16_t rq_descriptors(const struct efa_create_qp *asked)
{
  return (uint16_t)(asked->rq_depth ? asked->rq_ring_bytes / sizeof(struct efa_rx_desc) : 0);
}

static bool qp_make_sends(struct efa_twin_qp *qp)
{
  if (!qp->sq_depth)
    return true;
  qp->sends = calloc(qp->sq_depth, sizeof(*qp->sends));
  for (unsigned i = 0; qp->sends && i < qp->sq_depth; i++) {
    qp->sends[i].next_free = qp->free_sends;
    qp->free_sends = &qp->sends[i];
  }
  return qp->sends != NULL;
}

uint8_t efa_twin_create_qp(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_create_qp *asked = command;
  struct efa_create_qp_response *answer = response;
  if (!qp_is_sound(twin, asked))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  struct efa_twin_qp *qp = free_qp(twin);
  if (!qp)
    return EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE;
  unsigned index = index_of(twin, qp);
  *qp = (struct efa_twin_qp){.type = asked->type,
                             .state = EFA_QP_RESET,
                             .rnr_retry = EFA_RNR_RETRY_INFINITE,
                             .unsolicited = asked->flags & EFA_CREATE_QP_UNSOLICITED_WRITE_RECV,
                             .pd = asked->pd,
                             .uar = asked->uar,
                             .send_cq = (uint16_t)asked->send_cq,
                             .recv_cq = (uint16_t)asked->recv_cq,
                             .sq_depth = (uint16_t)asked->sq_depth,
                             .rq_depth = rq_descriptors(asked),
                             .wqe_bytes = wqe_bytes_of(twin, asked),
                             .rq_base = asked->rq_base};
  /* Senders and receivers of the queue pairs are spread over a completion queue's sub-queues. */
  qp->send_sub_cq = (uint16_t)(index % twin->cqs[qp->send_cq].sub_cqs);
  qp->recv_sub_cq = (uint16_t)((index + 1) % twin->cqs[qp->recv_cq].sub_cqs);
  if (!qp_make_sends(qp))
    return EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE;
  qp->live = true;
  qp->number = number_of(twin, index);
  twin->qps_live[twin->qp_count++] = (uint16_t)index;
  twin->cqs[qp->send_cq].users++;
  twin->cqs[qp->recv_cq].users++;
  *efa_twin_doorbell(twin, sq_doorbell_offset(twin, qp)) = 0;
  *efa_twin_doorbell(twin, rq_doorbell_offset(twin, qp)) = 0;
  answer->handle = index;
  answer->qp_num = qp->number;
  answer->send_sub_cq = qp->send_sub_cq;
  answer->recv_sub_cq = qp->recv_sub_cq;
  answer->sq_doorbell = sq_doorbell_offset(twin, qp);
  answer->rq_doorbell = rq_doorbell_offset(twin, qp);
  answer->llq = index * EFA_TWIN_LLQ_BYTES;
  return EFA_ADMIN_SUCCESS;
}

static struct efa_twin_qp *qp_of_handle(struct efa_twin *twin, uint32_t handle)
{
  return handle < EFA_TWIN_QPS && twin->qps[handle].live ? &twin->qps[handle] : NULL;
}

/* The way to where a queue pair works, and away from there (InfiniBand specification 10.3.1). */
static bool may_become(uint8_t from, uint8_t to)
{
  if (to == EFA_QP_ERR || to == EFA_QP_RESET || from == to)
    return true;
  switch (to) {
  case EFA_QP_INIT:
    return from == EFA_QP_RESET;
  case EFA_QP_RTR:
    return from == EFA_QP_INIT;
  case EFA_QP_RTS:
    return from == EFA_QP_RTR || from == EFA_QP_SQD || from == EFA_QP_SQE;
  case EFA_QP_SQD:
    return from == EFA_QP_RTS;
  default:
    return false;
  }
}

static void become(struct efa_twin *twin, struct efa_twin_qp *qp, uint8_t state)
{
  qp->state = state;
  if (state != EFA_QP_ERR && state != EFA_QP_RESET)
    return;
  efa_twin_send_flush(twin, qp);
  efa_twin_receive_flush(twin, qp);
}

uint8_t efa_twin_modify_qp(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_modify_qp *asked = command;
  struct efa_twin_qp *qp = qp_of_handle(twin, asked->handle);
  (void)response;
  if (!qp)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  if (asked->mask & EFA_MODIFY_QP_CURRENT_STATE && asked->current_state != qp->state)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  if (asked->mask & EFA_MODIFY_QP_STATE &&
      (asked->state > EFA_QP_ERR || !may_become(qp->state, (uint8_t)asked->state)))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  if (asked->mask & EFA_MODIFY_QP_RNR_RETRY &&
      (asked->rnr_retry > EFA_RNR_RETRY_INFINITE || qp->type != EFA_QP_SRD))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  if (asked->mask & EFA_MODIFY_QP_QKEY)
    qp->qkey = asked->qkey;
  if (asked->mask & EFA_MODIFY_QP_SQ_PSN)
    qp->sq_psn = asked->sq_psn;
  if (asked->mask & EFA_MODIFY_QP_RNR_RETRY)
    qp->rnr_retry = asked->rnr_retry;
  if (asked->mask & EFA_MODIFY_QP_STATE)
    become(twin, qp, (uint8_t)asked->state);
  return EFA_ADMIN_SUCCESS;
}

uint8_t efa_twin_query_qp(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_qp_handle *asked = command;
  struct efa_query_qp_response *answer = response;
  const struct efa_twin_qp *qp = qp_of_handle(twin, asked->handle);
  if (!qp)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  answer->state = qp->state;
  answer->qkey = qp->qkey;
  answer->sq_psn = qp->sq_psn;
  answer->sq_draining = qp->state == EFA_QP_SQD && qp->sends_running;
  answer->rnr_retry = qp->rnr_retry;
  return EFA_ADMIN_SUCCESS;
}

void efa_twin_qp_forget(struct efa_twin *twin, struct efa_twin_qp *qp)
{
  (void)twin;
  free(qp->sends);
  qp->sends = qp->free_sends = NULL;
  qp->live = false;
}

uint8_t efa_twin_destroy_qp(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_qp_handle *asked = command;
  struct efa_twin_qp *qp = qp_of_handle(twin, asked->handle);
  (void)response;
  if (!qp)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  become(twin, qp, EFA_QP_RESET);
  twin->cqs[qp->send_cq].users--;
  twin->cqs[qp->recv_cq].users--;
  efa_twin_qp_forget(twin, qp);
  unsigned i = 0;
  while (twin->qps_live[i] != asked->handle)
    i++;
  twin->qps_live[i] = twin->qps_live[--twin->qp_count];
  return EFA_ADMIN_SUCCESS;
}
