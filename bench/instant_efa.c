/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/instant_efa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER 7u /* of the queue pair */

static int numbers_create(struct shunt_efa_numbers *numbers, uint32_t depth)
{
  numbers->ids = calloc(depth, sizeof(*numbers->ids));
  for (uint32_t i = 0; numbers->ids && i < depth; i++)
    numbers->ids[i] = i + 1;
  numbers->mask = depth - 1;
  numbers->room = (int32_t)depth;
  return numbers->ids ? 0 : -ENOMEM;
}

int instant_efa_create(struct instant_efa *device, uint32_t depth)
{
  struct shunt_efa_qp *qp = &device->qp.fast;
  struct shunt_efa_cq *cq = &device->cq.fast;
  memset(device, 0, sizeof(*device));
  device->by_number = calloc(EFA_QUEUE_NUMBERS, sizeof(*device->by_number));
  qp->sq_first = aligned_alloc(EFA_SQ_ENTRY_BYTES, (size_t)depth * EFA_SQ_ENTRY_BYTES);
  qp->rq = calloc(depth, sizeof(*qp->rq));
  struct efa_cqe_wide *ring = calloc(2 * (size_t)depth, sizeof(*ring));
  cq->first = cq->next = ring;
  if (!device->by_number || !qp->sq_first || !qp->rq || !ring || numbers_create(&qp->send, depth) ||
      numbers_create(&qp->receive, depth)) {
    instant_efa_destroy(device);
    return -ENOMEM;
  }
  qp->head.verbs = &efa_verbs;
  qp->sq_next = qp->sq_first;
  qp->sq_end = qp->sq_first + (size_t)depth * EFA_SQ_ENTRY_BYTES;
  qp->sq_control = (uint64_t)EFA_TX_CTRL1_META << 16 |
                   (uint64_t)(EFA_TX_CTRL2_FIRST | EFA_TX_CTRL2_LAST | EFA_TX_CTRL2_COMPLETION)
                       << 24;
  qp->sq_entry_bytes = EFA_SQ_ENTRY_BYTES;
  qp->sq_batch = qp->sq_due = UINT32_C(1) << 31;
  qp->sq_doorbell = &device->sq_doorbell;
  qp->rq_doorbell = &device->rq_doorbell;
  qp->inline_bytes = EFA_INLINE_BYTES;
  qp->rq_mask = depth - 1;
  qp->rq_pieces = 1;
  qp->head.number = NUMBER;
  device->by_number[NUMBER] = qp;
  cq->head.poll = efa_poll;
  cq->end = cq->first + 2 * (size_t)depth;
  cq->expect = SHUNT_EFA_CQE_PHASE | SHUNT_EFA_CQE_SEND;
  cq->queues = device->by_number;
  cq->sub_queues = 1;
  return 0;
}

void instant_efa_destroy(struct instant_efa *device)
{
  struct shunt_efa_qp *qp = &device->qp.fast;
  free(qp->sq_first);
  free(qp->rq);
  free((void *)(uintptr_t)device->cq.fast.first);
  free(qp->send.ids);
  free(qp->receive.ids);
  free(device->by_number);
  memset(device, 0, sizeof(*device));
}

static void complete(struct instant_efa *device, uint16_t req_id, enum efa_queue_type type)
{
  const struct shunt_efa_cq *cq = &device->cq.fast;
  uint32_t depth = (uint32_t)(cq->end - cq->first), count = device->completions++;
  uint8_t phase = count / depth & 1 ? 0 : EFA_CQE_PHASE;
  struct efa_cqe_wide *cqe = (struct efa_cqe_wide *)(uintptr_t)cq->first + count % depth;
  cqe->base = (struct efa_cqe){.req_id = req_id,
                               .flags = (uint8_t)(HW_FIELD(EFA_CQE_QUEUE, (uint32_t)type) | phase),
                               .qp_num = NUMBER,
                               .length = 32,
                               .ah = 1,
                               .src_qp_num = 9};
}

void instant_efa_step(struct instant_efa *device)
{
  const struct shunt_efa_qp *qp = &device->qp.fast;
  device->doorbells +=
      (device->sq_doorbell != device->sq_seen) + (device->rq_doorbell != device->rq_seen);
  for (; device->sq_seen != device->sq_doorbell; device->sq_seen = (device->sq_seen + 1) & 0xFFFF) {
    const struct efa_tx_wqe *wqe = (const void *)qp->sq_first;
    complete(device, wqe[device->sq_seen & qp->send.mask].meta.req_id, EFA_QUEUE_SEND);
  }
  for (; device->rq_seen != device->rq_doorbell; device->rq_seen = (device->rq_seen + 1) & 0xFFFF)
    complete(device, qp->rq[device->rq_seen & qp->rq_mask].req_id, EFA_QUEUE_RECEIVE);
}
