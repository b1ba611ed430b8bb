/* SPDX-License-Identifier: BSD-2-Clause */
/* Queue pairs: made, brought to where they send and receive, stopped, destroyed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/nic/efa/efa.h"

/* --- Numbers -------------------------------------------------------------------------------------
 */

static int numbers_create(struct shunt_efa_numbers *numbers, uint32_t depth)
{
  numbers->ids = calloc(depth, sizeof(*numbers->ids));
  if (!numbers->ids)
    return -ENOMEM;
  for (uint32_t i = 0; i < depth; i++)
    numbers->ids[i] = i + 1; /* the last one's is masked, and never looked at before it is free */
  numbers->mask = depth - 1;
  numbers->room = (int32_t)depth;
  return 0;
}

static uint32_t under_way(const struct shunt_efa_numbers *numbers)
{
  return numbers->room < 0 ? 0 : (uint32_t)numbers->mask + 1 - (uint32_t)numbers->room;
}

/* --- What can be asked for -----------------------------------------------------------------------
 */

static int check(const struct efa *efa, const struct shunt_fabric_qp_options *options,
                 struct shunt_error *error)
{
  const struct efa_feature_queues *queues = &efa->queues;
  uint32_t entry_bytes = options->wide ? EFA_SQ_ENTRY_BYTES_WIDE : EFA_SQ_ENTRY_BYTES;
  uint32_t most = queues->max_sq_depth;
  while (most && (uint64_t)most * entry_bytes > queues->max_llq_bytes)
    most >>= 1;
  if (options->wide && !efa->inline_bytes_wide) {
    shunt_error_set(error, -EOPNOTSUPP, "no work requests of 128 bytes");
    shunt_error_why(error, "%s has none", efa->device_name);
    return -EOPNOTSUPP;
  }
  if (options->unsolicited && !(efa_caps(efa) & SHUNT_FABRIC_UNSOLICITED)) {
    shunt_error_set(error, -EOPNOTSUPP, "no writes whose immediates take no receive");
    shunt_error_why(error, "%s has none", efa->device_name);
    return -EOPNOTSUPP;
  }
  if (!options->send_depth || options->send_depth > most)
    return shunt_error_set(error, -EINVAL, "send_depth is %u; the device has 1 to %u",
                           options->send_depth, most);
  if (options->recv_pieces > queues->max_recv_sges || options->recv_pieces > SHUNT_FABRIC_PIECES)
    return shunt_error_set(error, -EINVAL, "recv_pieces is %u; the device has 1 to %u",
                           options->recv_pieces, queues->max_recv_sges);
  if (!options->recv_depth || options->recv_depth > queues->max_rq_depth / options->recv_pieces)
    return shunt_error_set(error, -EINVAL, "recv_depth is %u; the device has 1 to %u",
                           options->recv_depth, queues->max_rq_depth / options->recv_pieces);
  return 0;
}

/* --- Commands ------------------------------------------------------------------------------------
 */

static int create(struct efa *efa, const struct shunt_fabric_pd *pd, struct efa_qp *qp,
                  const struct shunt_fabric_qp_options *options,
                  struct efa_create_qp_response *response, struct shunt_error *error)
{
  uint32_t descriptors = options->recv_depth * options->recv_pieces;
  struct efa_create_qp command = {
      .head.opcode = EFA_ADMIN_CREATE_QP,
      .pd = pd->number,
      .type = options->type == SHUNT_FABRIC_UD ? EFA_QP_UD : EFA_QP_SRD,
      .flags = options->unsolicited ? EFA_CREATE_QP_UNSOLICITED_WRITE_RECV : 0,
      .rq_base = qp->rq.address,
      .send_cq = qp->send_cq->number,
      .recv_cq = qp->recv_cq->number,
      .sq_ring_bytes = options->send_depth * qp->fast.sq_entry_bytes,
      .sq_depth = options->send_depth,
      .rq_ring_bytes = descriptors * (uint32_t)sizeof(struct efa_rx_desc),
      .rq_depth = descriptors,
      .uar = efa->uar};
  struct efa_acq_entry answer;
  int result = efa_command(efa, &command, sizeof(command), &answer, error);
  if (!result)
    memcpy(response, &answer, sizeof(*response));
  return result;
}

static int become(struct efa *efa, const struct efa_qp *qp, enum efa_qp_state state,
                  struct efa_modify_qp command, struct shunt_error *error)
{
  static const char *const names[] = {
      [EFA_QP_INIT] = "INIT", [EFA_QP_RTR] = "RTR", [EFA_QP_RTS] = "RTS", [EFA_QP_ERR] = "ERR"};
  command.head.opcode = EFA_ADMIN_MODIFY_QP;
  command.mask |= EFA_MODIFY_QP_STATE;
  command.handle = qp->handle;
  command.state = state;
  int result = efa_command(efa, &command, sizeof(command), NULL, error);
  return result ? shunt_error_within(error, result, "the queue pair can't become %s", names[state])
                : 0;
}

/* From RESET to where it works (InfiniBand 10.3.1). Retries are told to devices that know them. */
static int become_ready(struct efa *efa, const struct efa_qp *qp,
                        const struct shunt_fabric_qp_options *options, struct shunt_error *error)
{
  struct efa_modify_qp init = {.mask = EFA_MODIFY_QP_QKEY, .qkey = options->qkey};
  struct efa_modify_qp rtr = {0}, rts = {.mask = EFA_MODIFY_QP_SQ_PSN};
  if (options->type == SHUNT_FABRIC_SRD && efa_caps(efa) & SHUNT_FABRIC_RNR_RETRY) {
    rts.mask |= EFA_MODIFY_QP_RNR_RETRY;
    rts.rnr_retry = options->rnr_retries == SHUNT_FABRIC_RNR_FOR_EVER ? EFA_RNR_RETRY_INFINITE
                    : options->rnr_retries == SHUNT_FABRIC_RNR_NEVER  ? 0
                                                                      : options->rnr_retries;
  }
  int result = become(efa, qp, EFA_QP_INIT, init, error);
  result = result ? result : become(efa, qp, EFA_QP_RTR, rtr, error);
  return result ? result : become(efa, qp, EFA_QP_RTS, rts, error);
}

static int tell_destroy(struct efa *efa, const struct efa_qp *qp, struct shunt_error *error)
{
  struct efa_qp_handle command = {.head.opcode = EFA_ADMIN_DESTROY_QP, .handle = qp->handle};
  return efa_command(efa, &command, sizeof(command), NULL, error);
}

/* --- Up ------------------------------------------------------------------------------------------
 */

static int reach(struct efa *efa, struct efa_qp *qp, const struct efa_create_qp_response *response,
                 struct shunt_error *error)
{
  struct shunt_efa_qp *fast = &qp->fast;
  uint64_t bytes = (fast->send.mask + 1) * fast->sq_entry_bytes;
  unsigned bar = efa->device.doorbell_bar;
  fast->sq_first = efa_bar_memory(efa, EFA_BAR_LLQ, response->llq, bytes, error);
  fast->sq_doorbell = efa_bar_memory(efa, bar, response->sq_doorbell, 4, error);
  fast->rq_doorbell = efa_bar_memory(efa, bar, response->rq_doorbell, 4, error);
  if (!fast->sq_first || !fast->sq_doorbell || !fast->rq_doorbell)
    return -EOPNOTSUPP;
  if ((uintptr_t)fast->sq_first % EFA_SQ_ENTRY_BYTES)
    return shunt_error_set(error, -EIO, "the device's send queue begins within a line");
  fast->sq_next = fast->sq_first;
  fast->sq_end = fast->sq_first + bytes;
  return 0;
}

static void prepare(struct efa *efa, struct efa_qp *qp,
                    const struct shunt_fabric_qp_options *options)
{
  struct shunt_efa_qp *fast = &qp->fast;
  fast->head.verbs = &efa_verbs;
  fast->head.object = &qp->object;
  fast->sq_control = (uint64_t)EFA_TX_CTRL1_META << 16 |
                     (uint64_t)(EFA_TX_CTRL2_FIRST | EFA_TX_CTRL2_LAST | EFA_TX_CTRL2_COMPLETION)
                         << 24;
  fast->sq_entry_bytes = options->wide ? EFA_SQ_ENTRY_BYTES_WIDE : EFA_SQ_ENTRY_BYTES;
  uint32_t batch = efa->queues.max_tx_batch / (fast->sq_entry_bytes / EFA_SQ_ENTRY_BYTES);
  fast->sq_batch = !efa->queues.max_tx_batch ? UINT32_C(1) << 31 : batch ? batch : 1;
  fast->sq_due = fast->sq_batch;
  fast->inline_bytes = options->wide ? efa->inline_bytes_wide : EFA_INLINE_BYTES;
  fast->inline_write_bytes = options->wide ? efa->inline_bytes_wide : 0;
  fast->rq_mask = options->recv_depth * options->recv_pieces - 1;
  fast->rq_pieces = options->recv_pieces;
  qp->send_cq = efa_cq_of(options->send_cq->object);
  qp->recv_cq = efa_cq_of(options->recv_cq->object);
}

static int build(struct shunt_fabric_pd *pd, struct efa_qp *qp,
                 const struct shunt_fabric_qp_options *options, struct shunt_error *error)
{
  struct efa *efa = efa_of(pd->object.fabric);
  struct efa_create_qp_response response;
  prepare(efa, qp, options);
  int result = efa_block_take(efa, (uint64_t)(qp->fast.rq_mask + 1) * sizeof(struct efa_rx_desc),
                              &qp->rq, error);
  if (result)
    return result;
  qp->fast.rq = qp->rq.memory;
  if (numbers_create(&qp->fast.send, options->send_depth) ||
      numbers_create(&qp->fast.receive, options->recv_depth))
    return error_set_errno(error, -ENOMEM, "no memory for the numbers of work requests");
  result = create(efa, pd, qp, options, &response, error);
  if (result)
    return result;
  qp->handle = response.handle;
  qp->fast.head.number = response.qp_num;
  result = reach(efa, qp, &response, error);
  if (!result)
    result = become_ready(efa, qp, options, error);
  if (result) {
    struct shunt_error ignored;
    tell_destroy(efa, qp, &ignored);
    return result;
  }
  efa->by_number[response.qp_num] = &qp->fast;
  return 0;
}

static void release(struct efa_qp *qp)
{
  efa_block_give(&qp->rq);
  free(qp->fast.send.ids);
  free(qp->fast.receive.ids);
  free(qp);
}

/* The device wants rings of a power of two, and no shorter ones than it says. */
static struct shunt_fabric_qp_options fit(const struct efa *efa,
                                          const struct shunt_fabric_qp_options *options)
{
  struct shunt_fabric_qp_options fitted = *options;
  while (fitted.send_depth && fitted.send_depth < efa->queues.min_sq_depth)
    fitted.send_depth <<= 1;
  return fitted;
}

int efa_qp_create(struct shunt_fabric_pd *pd, const struct shunt_fabric_qp_options *options,
                  struct shunt_fabric_qp **qp, struct shunt_error *error)
{
  struct efa *efa = efa_of(pd->object.fabric);
  struct shunt_fabric_qp_options fitted = fit(efa, options);
  int result = check(efa, &fitted, error);
  if (result)
    return shunt_error_within(error, result, "no queue pair");
  size_t bytes =
      (sizeof(struct efa_qp) + SHUNT_CACHE_LINE_BYTES - 1) & ~(size_t)(SHUNT_CACHE_LINE_BYTES - 1);
  struct efa_qp *made = aligned_alloc(SHUNT_CACHE_LINE_BYTES, bytes);
  if (!made)
    return error_set_errno(error, -ENOMEM, "no memory for a queue pair");
  memset(made, 0, bytes);
  result = build(pd, made, &fitted, error);
  if (result) {
    release(made);
    return shunt_error_within(error, result, "no queue pair");
  }
  struct fabric_object *stands_on[] = {&pd->object, &made->send_cq->object, &made->recv_cq->object};
  fabric_object_add(pd->object.fabric, &made->object, FABRIC_QP, stands_on, 3);
  *qp = &made->fast.head;
  return 0;
}

/* --- Down ----------------------------------------------------------------------------------------
 */

static void close_queues(struct efa_qp *qp)
{
  qp->fast.send.room = qp->fast.receive.room = SHUNT_EFA_STOPPED;
}

int efa_qp_stop(struct shunt_fabric_qp *head, struct shunt_error *error)
{
  struct efa_qp *qp = efa_qp_of(head->object);
  const struct efa_modify_qp command = {0};
  shunt_efa_send_push(&qp->fast); /* what was posted and not pushed is flushed too */
  close_queues(qp);
  return become(efa_of(qp->object.fabric), qp, EFA_QP_ERR, command, error);
}

int efa_qp_destroy(struct fabric_object *object, struct shunt_error *error)
{
  struct efa *efa = efa_of(object->fabric);
  struct efa_qp *qp = efa_qp_of(object);
  uint16_t number = qp->fast.head.number;
  int result = object->dead ? 0 : tell_destroy(efa, qp, error);
  if (efa->by_number[number] == &qp->fast) {
    efa_cq_forget(qp->send_cq, number);
    efa_cq_forget(qp->recv_cq, number);
    efa->by_number[number] = &efa->nobody;
  }
  release(qp);
  return result;
}

static void flush_numbers(struct efa_cq *cq, uint16_t qp_number, enum efa_queue_type type,
                          const struct shunt_efa_numbers *numbers)
{
  uint32_t depth = (uint32_t)numbers->mask + 1, left = under_way(numbers);
  bool *has_ended = left ? calloc(depth, sizeof(*has_ended)) : NULL;
  if (!has_ended)
    return;
  uint64_t at = numbers->free;
  for (uint32_t i = left; i < depth; i++) {
    has_ended[at] = true;
    at = numbers->ids[at] & numbers->mask;
  }
  efa_cq_mark(cq, qp_number, type, has_ended, depth - 1);
  for (uint32_t i = 0; i < depth; i++)
    if (!has_ended[i])
      efa_cq_flush(cq, qp_number, type, (uint16_t)i);
  free(has_ended);
}

void efa_qp_flush(struct efa_qp *qp)
{
  struct efa *efa = efa_of(qp->object.fabric);
  uint16_t number = qp->fast.head.number;
  flush_numbers(qp->send_cq, number, EFA_QUEUE_SEND, &qp->fast.send);
  flush_numbers(qp->recv_cq, number, EFA_QUEUE_RECEIVE, &qp->fast.receive);
  close_queues(qp);
  qp->fast.sq_doorbell = qp->fast.rq_doorbell = &efa->no_doorbell;
}
