/* SPDX-License-Identifier: BSD-2-Clause */
/* Completion queues. On the first EFA a completion queue has several rings, which the device fills
 * by itself; later ones have one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/nic/efa/efa.h"

#define ENTRY_BYTES sizeof(struct efa_cqe_wide)

/* --- Up and down ---------------------------------------------------------------------------------
 */

/* What the inline calls see of one of the rings. */
static void show(struct efa_cq *cq, unsigned sub)
{
  struct efa_cqe_wide *ring = cq->ring.memory;
  cq->current = sub;
  cq->fast.first = ring + (size_t)sub * cq->depth;
  cq->fast.end = cq->fast.first + cq->depth;
  cq->fast.next = cq->sub[sub].next;
  cq->fast.expect = cq->sub[sub].expect;
}

static void start(struct efa *efa, struct efa_cq *cq)
{
  const struct efa_cqe_wide *ring = cq->ring.memory;
  bool turns = efa->fabric.steps && !efa->fabric.options.testbed;
  cq->fast.head.poll = turns ? efa_poll_and_step : efa_poll;
  cq->fast.head.object = &cq->object;
  cq->fast.queues = efa->by_number;
  cq->fast.sub_queues = efa->queues.sub_cqs_per_cq;
  for (unsigned i = 0; i < cq->fast.sub_queues; i++) {
    cq->sub[i].next = ring + (size_t)i * cq->depth;
    cq->sub[i].expect = SHUNT_EFA_CQE_PHASE | SHUNT_EFA_CQE_SEND;
  }
  show(cq, 0);
}

static int create(struct efa *efa, struct efa_cq *cq, struct shunt_error *error)
{
  struct efa_create_cq command = {.head.opcode = EFA_ADMIN_CREATE_CQ,
                                  .caps1 = cq->waker ? EFA_CREATE_CQ_INTERRUPT : 0,
                                  .caps2 = HW_FIELD(EFA_CREATE_CQ_ENTRY_WORDS, ENTRY_BYTES / 4u) |
                                           EFA_CREATE_CQ_SRC_ADDR,
                                  .sub_cq_depth = (uint16_t)cq->depth,
                                  .eqn = cq->waker ? cq->waker->eqn : 0,
                                  .base = efa_address(cq->ring.address),
                                  .num_sub_cqs = efa->queues.sub_cqs_per_cq,
                                  .uar = efa->uar};
  struct efa_acq_entry answer;
  int result = efa_command(efa, &command, sizeof(command), &answer, error);
  if (result)
    return result;
  const struct efa_create_cq_response *response = (const void *)&answer;
  cq->number = response->cq;
  if (!cq->waker)
    return 0;
  if (response->flags & EFA_CREATE_CQ_DOORBELL_VALID)
    cq->doorbell = efa_bar_memory(efa, efa->device.doorbell_bar, response->doorbell, 4, error);
  else
    shunt_error_set(error, -EOPNOTSUPP, "the device gave the completion queue no doorbell");
  return cq->doorbell ? 0 : -EOPNOTSUPP;
}

static int tell_destroy(struct efa *efa, const struct efa_cq *cq, struct shunt_error *error)
{
  struct efa_destroy_cq command = {.head.opcode = EFA_ADMIN_DESTROY_CQ, .cq = cq->number};
  return efa_command(efa, &command, sizeof(command), NULL, error);
}

static int check_depth(const struct efa *efa, uint32_t depth, struct shunt_error *error)
{
  if (depth && depth <= efa->queues.max_cq_depth && depth <= UINT16_MAX)
    return 0;
  shunt_error_set(error, -EINVAL, "no completion queue of %u entries", depth);
  shunt_error_why(error, "the device's have up to %u, a power of two", efa->queues.max_cq_depth);
  return -EINVAL;
}

static int build(struct efa *efa, struct efa_cq *cq, bool sleeps, struct shunt_error *error)
{
  uint64_t bytes = (uint64_t)cq->depth * efa->queues.sub_cqs_per_cq * ENTRY_BYTES;
  int result = check_depth(efa, cq->depth, error);
  if (!result)
    result = efa_block_take(efa, bytes, &cq->ring, error);
  if (!result && sleeps)
    result = efa_waker_take(efa, &cq->waker, error);
  if (!result) {
    start(efa, cq);
    result = create(efa, cq, error);
  }
  return result;
}

static void release(struct efa *efa, struct efa_cq *cq, bool dead)
{
  if (cq->waker && cq->waker->taken)
    efa_waker_give(efa, cq->waker, dead);
  efa_block_give(&cq->ring);
  free(cq);
}

int efa_cq_create(struct shunt_fabric *fabric, const struct shunt_fabric_cq_options *options,
                  struct shunt_fabric_cq **cq, struct shunt_error *error)
{
  struct efa *efa = efa_of(fabric);
  struct efa_cq *made =
      aligned_alloc(SHUNT_CACHE_LINE_BYTES, (sizeof(*made) + SHUNT_CACHE_LINE_BYTES - 1) &
                                                ~(size_t)(SHUNT_CACHE_LINE_BYTES - 1));
  if (!made)
    return error_set_errno(error, -ENOMEM, "no memory for a completion queue");
  memset(made, 0, sizeof(*made));
  made->depth = options->depth;
  int result = build(efa, made, options->sleeps, error);
  if (result) {
    release(efa, made, false);
    return shunt_error_within(error, result, "no completion queue");
  }
  fabric_object_add(fabric, &made->object, FABRIC_CQ, NULL, 0);
  *cq = &made->fast.head;
  return 0;
}

int efa_cq_destroy(struct fabric_object *object, struct shunt_error *error)
{
  struct efa *efa = efa_of(object->fabric);
  struct efa_cq *cq = efa_cq_of(object);
  int result = object->dead ? 0 : tell_destroy(efa, cq, error);
  release(efa, cq, object->dead);
  return result;
}

/* --- Sleeping ------------------------------------------------------------------------------------
 */

int efa_cq_fd(const struct shunt_fabric_cq *head)
{
  const struct efa_cq *cq = efa_cq_of(head->object);
  return cq->waker ? efa_waker_fd(efa_of(cq->object.fabric), cq->waker) : -1;
}

/* The doorbell says how many completions were taken, so that what came meanwhile is told of at
 * once; its command number changes with each event, so that arming anew can be told from a
 * repetition (rdma-core: efa_update_cq_doorbell). */
void efa_cq_arm(struct shunt_fabric_cq *head)
{
  struct efa_cq *cq = efa_cq_of(head->object);
  struct efa *efa = efa_of(cq->object.fabric);
  if (!cq->waker || cq->object.dead)
    return;
  cq->command_number += efa_waker_fired(efa, cq->waker);
  __atomic_store_n(cq->doorbell,
                   HW_FIELD(EFA_CQ_DB_CONSUMER_INDEX, cq->fast.count & 0xFFFFu) |
                       HW_FIELD(EFA_CQ_DB_COMMAND_SN, cq->command_number & 3u) | EFA_CQ_DB_ARM,
                   __ATOMIC_RELEASE);
  efa_waker_arm(efa, cq->waker);
}

/* --- What is in a ring ---------------------------------------------------------------------------
 */

/* Ours to write: the device looks at no entry that it has written. */
struct cursor {
  struct efa_cqe_wide *at, *first, *end;
  uint32_t phase; /* of entries that are there */
};

static struct cursor cursor_begin(const struct efa_cq *cq, unsigned sub)
{
  struct efa_cqe_wide *ring = cq->ring.memory;
  struct efa_cqe_wide *first = ring + (size_t)sub * cq->depth;
  bool shown = sub == cq->current;
  const struct efa_cqe_wide *next = shown ? cq->fast.next : cq->sub[sub].next;
  uint32_t expect = shown ? cq->fast.expect : cq->sub[sub].expect;
  return (struct cursor){first + (next - first), first, first + cq->depth,
                         expect & SHUNT_EFA_CQE_PHASE};
}

static bool cursor_there(const struct cursor *cursor)
{
  uint32_t word = __atomic_load_n((const uint32_t *)(const void *)cursor->at, __ATOMIC_ACQUIRE);
  return (word & SHUNT_EFA_CQE_PHASE) == cursor->phase;
}

static void cursor_next(struct cursor *cursor)
{
  if (++cursor->at != cursor->end)
    return;
  cursor->at = cursor->first;
  cursor->phase ^= SHUNT_EFA_CQE_PHASE;
}

/* An entry of no queue is what poll passes over. */
void efa_cq_forget(struct efa_cq *cq, uint16_t qp_number)
{
  for (unsigned sub = 0; sub < cq->fast.sub_queues; sub++) {
    struct cursor cursor = cursor_begin(cq, sub);
    for (uint32_t n = 0; n < cq->depth && cursor_there(&cursor); n++, cursor_next(&cursor))
      if (cursor.at->base.qp_num == qp_number)
        cursor.at->base.flags &= (uint8_t)~EFA_CQE_QUEUE;
  }
}

void efa_cq_mark(const struct efa_cq *cq, uint16_t qp_number, enum efa_queue_type type,
                 bool there[], uint32_t mask)
{
  for (unsigned sub = 0; sub < cq->fast.sub_queues; sub++) {
    struct cursor cursor = cursor_begin(cq, sub);
    for (uint32_t n = 0; n < cq->depth && cursor_there(&cursor); n++, cursor_next(&cursor)) {
      const struct efa_cqe *cqe = &cursor.at->base;
      if (cqe->qp_num == qp_number && HW_GET(EFA_CQE_QUEUE, cqe->flags) == (uint32_t)type &&
          !(cqe->flags & EFA_CQE_UNSOLICITED))
        there[cqe->req_id & mask] = true;
    }
  }
}

void efa_cq_flush(struct efa_cq *cq, uint16_t qp_number, enum efa_queue_type type, uint16_t number)
{
  struct cursor cursor = cursor_begin(cq, cq->current);
  uint32_t n = 0;
  for (; n < cq->depth && cursor_there(&cursor); n++)
    cursor_next(&cursor);
  if (n == cq->depth)
    return; /* full: lost, as the device's own would be */
  cursor.at->base = (struct efa_cqe){
      .req_id = number,
      .status = EFA_STATUS_FLUSHED,
      .flags = (uint8_t)(HW_FIELD(EFA_CQE_QUEUE, (uint32_t)type) | cursor.phase >> 24),
      .qp_num = qp_number,
      .ah = EFA_AH_UNKNOWN};
}

/* --- Several rings -------------------------------------------------------------------------------
 */

unsigned shunt_efa_poll_next(struct shunt_efa_cq *queue,
                             struct shunt_fabric_completion completions[], unsigned n)
{
  struct efa_cq *cq = (struct efa_cq *)queue;
  struct shunt_efa_cq *fast = &cq->fast;
  unsigned got = 0;
  for (unsigned i = 1; i < fast->sub_queues && !got; i++) {
    cq->sub[cq->current].next = fast->next;
    cq->sub[cq->current].expect = fast->expect;
    show(cq, (cq->current + 1) % fast->sub_queues);
    got = shunt_efa_poll_ring(fast, completions, n);
  }
  return got;
}
