/* SPDX-License-Identifier: BSD-2-Clause */
/* From work requests to messages, and what the transport asks about them.
 *
 * A work request is copied out of the send queue once: the driver may write there at any time. What
 * it points to is looked up when it is sent, and again when it is sent again. */
#include <stdlib.h>
#include <string.h>

#include "twin/efa/efa.h"
#include "twin/wire/wire.h"

#define REQUESTS_A_TURN 64u
#define LOOPBACK_MOST   4096u

/* --- Completions of sends
 * ------------------------------------------------------------------------------- */

static struct efa_twin_qp *qp_of(struct efa_twin *twin, const struct efa_twin_send *send)
{
  return efa_twin_qp_by_number(twin, send->work.source_qpn);
}

static void complete(struct efa_twin *twin, struct efa_twin_qp *qp,
                     const struct efa_twin_send *send, uint8_t status)
{
  if (status == EFA_STATUS_OK && !send->wants_completion)
    return;
  uint32_t flags = HW_FIELD(EFA_CQE_QUEUE, EFA_QUEUE_SEND) | HW_FIELD(EFA_CQE_OP, send->op);
  const struct efa_twin_completion completion = {
      .low = send->req_id | (uint32_t)status << 16 | (uint64_t)flags << 24 |
             (uint64_t)qp->number << 32 | (uint64_t)send->req_id_ex[0] << 48,
      .high = send->req_id_ex[1] | (uint32_t)send->req_id_ex[2] << 16};
  efa_twin_complete(twin, qp->send_cq, qp->send_sub_cq, &completion);
}

static void count_ended(struct efa_twin *twin, const struct efa_twin_send *send, uint8_t status)
{
  struct efa_twin_statistics *count = &twin->statistics;
  bool good = status == EFA_STATUS_OK;
  if (send->op == EFA_OP_SEND && good) {
    count->messages.send_wrs++;
    count->messages.send_bytes += send->work.bytes;
  } else if (send->op == EFA_OP_RDMA_READ) {
    count->read.read_wrs += good;
    count->read.read_bytes += good ? send->work.bytes : 0;
    count->read.read_wr_err += !good;
  } else if (send->op == EFA_OP_RDMA_WRITE) {
    count->write.write_wrs += good;
    count->write.write_bytes += good ? send->work.bytes : 0;
    count->write.write_wr_err += !good;
  }
}

static void end_send(struct efa_twin *twin, struct efa_twin_qp *qp, struct efa_twin_send *send,
                     uint8_t status)
{
  count_ended(twin, send, status);
  complete(twin, qp, send, status);
  send->next_free = qp->free_sends;
  qp->free_sends = send;
}

static void srd_done(void *context, struct srd_work *work, enum srd_status status)
{
  struct efa_twin *twin = context;
  struct efa_twin_send *send = (struct efa_twin_send *)work;
  struct efa_twin_qp *qp = qp_of(twin, send);
  qp->sends_running--;
  end_send(twin, qp, send, (uint8_t)status);
}

/* --- Reading a work request
 * -------------------------------------------------------------------------------- */

/* The 32 bytes behind the meta data, or more where the queue is wide. */
static uint32_t inline_room(const struct efa_twin_qp *qp, uint8_t op)
{
  if (qp->wqe_bytes == EFA_SQ_ENTRY_BYTES)
    return op == EFA_OP_SEND ? EFA_INLINE_BYTES : 0;
  return EFA_INLINE_BYTES_WIDE;
}

static uint8_t read_send_data(const struct efa_twin_qp *qp, const struct efa_tx_wqe_wide *wqe,
                              struct efa_twin_send *send)
{
  uint64_t bytes = 0;
  if (send->is_inline) {
    if (wqe->meta.length > inline_room(qp, EFA_OP_SEND))
      return EFA_STATUS_LOCAL_BAD_LENGTH;
    memcpy(send->inline_data, wqe->data.inline_data, wqe->meta.length);
    bytes = wqe->meta.length;
  } else {
    if (wqe->meta.length > EFA_SEND_SGES)
      return EFA_STATUS_LOCAL_QP_INTERNAL;
    send->sges = (uint8_t)wqe->meta.length;
    for (unsigned i = 0; i < send->sges; i++) {
      send->sge[i] = wqe->data.sge[i];
      bytes += send->sge[i].length;
    }
  }
  if (bytes > EFA_TWIN_MTU)
    return EFA_STATUS_LOCAL_BAD_LENGTH;
  send->work.bytes = (uint32_t)bytes;
  return EFA_STATUS_OK;
}

static uint8_t read_rdma(const struct efa_twin *twin, const struct efa_twin_qp *qp,
                         const struct efa_tx_wqe_wide *wqe, struct efa_twin_send *send)
{
  bool reads = send->op == EFA_OP_RDMA_READ;
  if (qp->type != EFA_QP_SRD || !(reads ? efa_twin_has_read(twin) : efa_twin_has_write(twin)))
    return EFA_STATUS_LOCAL_UNSUPPORTED_OP;
  const struct efa_remote_address *remote = &wqe->data.rdma.remote;
  if (send->is_inline) {
    if (reads || wqe->meta.length > inline_room(qp, send->op))
      return EFA_STATUS_LOCAL_BAD_LENGTH;
    memcpy(send->inline_data, wqe->data.rdma_inline.inline_data, wqe->meta.length);
    send->work.bytes = wqe->meta.length;
  } else {
    if (wqe->meta.length > EFA_RDMA_SGES)
      return EFA_STATUS_LOCAL_QP_INTERNAL;
    send->sges = (uint8_t)wqe->meta.length;
    send->sge[0] = wqe->data.rdma.local[0];
    send->work.bytes = send->sges ? send->sge[0].length : 0;
  }
  if (send->work.bytes > EFA_TWIN_RDMA_BYTES || remote->length > EFA_TWIN_RDMA_BYTES ||
      remote->length != send->work.bytes)
    return EFA_STATUS_LOCAL_BAD_LENGTH;
  send->work.rkey = remote->rkey;
  send->work.remote_address = (uint64_t)remote->address_hi << 32 | remote->address_lo;
  return EFA_STATUS_OK;
}

/* All of a request's memory must be there before anything of it is sent. */
static bool local_memory_exists(struct efa_twin *twin, const struct efa_twin_qp *qp,
                                const struct efa_twin_send *send)
{
  uint8_t permission = send->op == EFA_OP_RDMA_READ ? EFA_MR_LOCAL_WRITE : 0;
  for (unsigned i = 0; i < send->sges; i++) {
    const struct efa_tx_sge *sge = &send->sge[i];
    uint64_t address = (uint64_t)sge->address_hi << 32 | sge->address_lo;
    if (!efa_twin_mr_of(twin, sge->lkey, qp->pd, permission, address, sge->length))
      return false;
  }
  return true;
}

static uint8_t read_request(struct efa_twin *twin, const struct efa_twin_qp *qp,
                            const struct efa_tx_wqe_wide *wqe, struct efa_twin_send *send)
{
  const struct efa_tx_meta *meta = &wqe->meta;
  const uint8_t needed = EFA_TX_CTRL2_FIRST | EFA_TX_CTRL2_LAST;
  if (!(meta->ctrl1 & EFA_TX_CTRL1_META) || meta->ctrl1 & EFA_TX_CTRL1_EXTENSION ||
      (meta->ctrl2 & needed) != needed) {
    twin->faults.bad_wqe++;
    return EFA_STATUS_LOCAL_QP_INTERNAL;
  }
  uint8_t status;
  if (send->op == EFA_OP_SEND)
    status = read_send_data(qp, wqe, send);
  else if (send->op == EFA_OP_RDMA_READ || send->op == EFA_OP_RDMA_WRITE)
    status = read_rdma(twin, qp, wqe, send);
  else
    status = EFA_STATUS_LOCAL_UNSUPPORTED_OP;
  if (status != EFA_STATUS_OK) {
    twin->faults.bad_wqe++;
    return status;
  }
  const struct efa_twin_ah *ah = meta->ah < EFA_TWIN_AHS ? &twin->ahs[meta->ah] : NULL;
  if (!ah || !ah->uses || ah->pd != qp->pd) {
    twin->faults.bad_ah++;
    return EFA_STATUS_LOCAL_INVALID_AH;
  }
  if (!local_memory_exists(twin, qp, send)) {
    twin->faults.bad_lkey++;
    return EFA_STATUS_LOCAL_INVALID_LKEY;
  }
  send->work.peer = ah->peer;
  return EFA_STATUS_OK;
}

static void fill(const struct efa_twin_qp *qp, const struct efa_tx_wqe_wide *wqe,
                 struct efa_twin_send *send)
{
  static const enum srd_op ops[] = {SRD_SEND, SRD_READ, SRD_WRITE};
  const struct efa_tx_meta *meta = &wqe->meta;
  uint8_t op = meta->ctrl1 & EFA_TX_CTRL1_OP;
  send->req_id = meta->req_id;
  memcpy(send->req_id_ex, meta->req_id_ex, sizeof(send->req_id_ex));
  send->ah = meta->ah;
  send->op = op;
  send->wants_completion = meta->ctrl2 & EFA_TX_CTRL2_COMPLETION;
  send->is_inline = meta->ctrl1 & EFA_TX_CTRL1_INLINE;
  send->sges = 0;
  send->work.op = op <= EFA_OP_RDMA_WRITE ? ops[op] : SRD_SEND;
  send->work.has_immediate = meta->ctrl1 & EFA_TX_CTRL1_IMMEDIATE && op != EFA_OP_RDMA_READ;
  send->work.immediate = meta->immediate_data;
  send->work.rnr_retries = qp->rnr_retry;
  send->work.source_qpn = qp->number;
  send->work.destination_qpn = meta->dest_qp_num;
  send->work.qkey = meta->qkey;
  send->work.bytes = 0;
  send->work.rkey = 0;
  send->work.remote_address = 0;
}

static void begin(struct efa_twin *twin, struct efa_twin_qp *qp, struct efa_twin_send *send)
{
  if (qp->type == EFA_QP_UD) {
    srd_datagram(twin->srd, srd_peer_gid(send->work.peer), &send->work);
    twin->statistics.ud_tx_pkts++;
    end_send(twin, qp, send, EFA_STATUS_OK);
    return;
  }
  qp->sends_running++;
  srd_post(&send->work, twin->now_ns);
}

/* --- The send queues
 * ---------------------------------------------------------------------------------------- */

static const uint8_t *wqe_at(const struct efa_twin *twin, const struct efa_twin_qp *qp,
                             uint16_t count)
{
  size_t llq = (size_t)(qp - twin->qps) * EFA_TWIN_LLQ_BYTES;
  return twin->llq + llq + (size_t)(count & (qp->sq_depth - 1u)) * qp->wqe_bytes;
}

/* How many work requests wait, by the doorbell; 0 where it says more than the ring has. */
static uint16_t waiting(struct efa_twin *twin, struct efa_twin_qp *qp)
{
  uint16_t produced = (uint16_t)efa_twin_sq_doorbell(twin, qp);
  uint16_t n = (uint16_t)(produced - qp->sq_count);
  if (n <= qp->sq_depth)
    return n;
  if (qp->sq_seen != produced) {
    qp->sq_seen = produced;
    twin->faults.bad_doorbell++;
  }
  return 0;
}

/* The next work request out of the ring. */
static struct efa_twin_send *fetch(struct efa_twin *twin, struct efa_twin_qp *qp,
                                   struct efa_tx_wqe_wide *wqe)
{
  struct efa_twin_send *send = qp->free_sends;
  const uint8_t *from = wqe_at(twin, qp, qp->sq_count);
  memcpy(wqe, from, EFA_SQ_ENTRY_BYTES);
  if (qp->wqe_bytes != EFA_SQ_ENTRY_BYTES)
    memcpy((uint8_t *)wqe + EFA_SQ_ENTRY_BYTES, from + EFA_SQ_ENTRY_BYTES,
           sizeof(*wqe) - EFA_SQ_ENTRY_BYTES);
  qp->free_sends = send->next_free;
  qp->sq_count++;
  fill(qp, wqe, send);
  return send;
}

static void take(struct efa_twin *twin, struct efa_twin_qp *qp)
{
  struct efa_tx_wqe_wide wqe;
  struct efa_twin_send *send = fetch(twin, qp, &wqe);
  uint8_t status = read_request(twin, qp, &wqe, send);
  if (status == EFA_STATUS_OK)
    begin(twin, qp, send);
  else
    end_send(twin, qp, send, status);
}

unsigned efa_twin_send_poll(struct efa_twin *twin)
{
  unsigned done = 0;
  for (unsigned i = 0; i < twin->qp_count; i++) {
    struct efa_twin_qp *qp = &twin->qps[twin->qps_live[i]];
    if (!qp->sq_depth || qp->state != EFA_QP_RTS)
      continue;
    for (unsigned n = waiting(twin, qp); n && qp->free_sends && done < REQUESTS_A_TURN; n--, done++)
      take(twin, qp);
  }
  return done;
}

static bool of_queue_pair(void *context, const struct srd_work *work)
{
  return work->source_qpn == ((const struct efa_twin_qp *)context)->number;
}

void efa_twin_send_flush(struct efa_twin *twin, struct efa_twin_qp *qp)
{
  srd_cancel(twin->srd, of_queue_pair, qp, SRD_FLUSHED);
  for (unsigned n = qp->sq_depth ? waiting(twin, qp) : 0; n && qp->free_sends; n--) {
    struct efa_tx_wqe_wide wqe;
    end_send(twin, qp, fetch(twin, qp, &wqe), EFA_STATUS_FLUSHED);
  }
  if (qp->state == EFA_QP_RESET)
    qp->sq_count = (uint16_t)efa_twin_sq_doorbell(twin, qp);
}

static bool by_handle(void *context, const struct srd_work *work)
{
  return ((const struct efa_twin_send *)work)->ah == *(const uint16_t *)context;
}

void efa_twin_ah_gone(struct efa_twin *twin, uint16_t ah)
{
  srd_cancel(twin->srd, by_handle, &ah, (enum srd_status)EFA_STATUS_LOCAL_INVALID_AH);
}

/* --- What the transport asks
 * ---------------------------------------------------------------------------------- */

/* Bytes [offset, +bytes) of a request's list of pieces. */
static enum srd_status pieces_of(struct efa_twin *twin, const struct efa_twin_send *send,
                                 uint8_t permission, uint32_t offset, uint32_t bytes,
                                 struct iovec pieces[], unsigned *n)
{
  const struct efa_twin_qp *qp = qp_of(twin, send);
  for (unsigned i = 0; i < send->sges && bytes; i++) {
    const struct efa_tx_sge *sge = &send->sge[i];
    if (offset >= sge->length) {
      offset -= sge->length;
      continue;
    }
    uint32_t part = sge->length - offset < bytes ? sge->length - offset : bytes;
    uint64_t address = ((uint64_t)sge->address_hi << 32 | sge->address_lo) + offset;
    if (!efa_twin_memory(twin, sge->lkey, qp->pd, permission, address, part, pieces, n)) {
      twin->faults.bad_lkey++;
      return SRD_INVALID_LKEY;
    }
    bytes -= part;
    offset = 0;
  }
  return SRD_OK;
}

static enum srd_status srd_source(void *context, const struct srd_work *work, uint32_t offset,
                                  uint32_t bytes, struct iovec pieces[], unsigned *n)
{
  const struct efa_twin_send *send = (const struct efa_twin_send *)work;
  *n = 0;
  if (!send->is_inline)
    return pieces_of(context, send, 0, offset, bytes, pieces, n);
  pieces[0] = (struct iovec){(void *)(send->inline_data + offset), bytes};
  *n = 1;
  return SRD_OK;
}

static enum srd_status srd_place(void *context, const struct srd_work *work, uint32_t offset,
                                 const void *data, uint32_t bytes)
{
  struct iovec pieces[SRD_PIECES_MOST];
  const uint8_t *from = data;
  unsigned n = 0;
  enum srd_status status = pieces_of(context, (const struct efa_twin_send *)work,
                                     EFA_MR_LOCAL_WRITE, offset, bytes, pieces, &n);
  for (unsigned i = 0; status == SRD_OK && i < n; i++) {
    memcpy(pieces[i].iov_base, from, pieces[i].iov_len);
    from += pieces[i].iov_len;
  }
  return status;
}

/* --- The wire
 * ---------------------------------------------------------------------------------------------------
 */

/* To oneself, a frame does not take the wire: a switch would not send it back. */
static void loop_back(struct efa_twin *twin, const struct iovec pieces[], unsigned n)
{
  uint32_t bytes = 0;
  for (unsigned i = 0; i < n; i++)
    bytes += (uint32_t)pieces[i].iov_len;
  struct efa_twin_frame *frame =
      twin->loopback_count < LOOPBACK_MOST ? malloc(sizeof(*frame) + bytes) : NULL;
  if (!frame) {
    twin->drops.loopback_full++;
    return;
  }
  frame->next = NULL;
  frame->bytes = 0;
  for (unsigned i = 0; i < n; i++) {
    memcpy(frame->data + frame->bytes, pieces[i].iov_base, pieces[i].iov_len);
    frame->bytes += (uint32_t)pieces[i].iov_len;
  }
  *twin->loopback_end = frame;
  twin->loopback_end = &frame->next;
  twin->loopback_count++;
}

unsigned efa_twin_loopback_poll(struct efa_twin *twin)
{
  unsigned done = 0;
  for (unsigned left = twin->loopback_count; left && twin->loopback; left--, done++) {
    struct efa_twin_frame *frame = twin->loopback;
    twin->loopback = frame->next;
    if (!twin->loopback)
      twin->loopback_end = &twin->loopback;
    twin->loopback_count--;
    srd_receive(twin->srd, frame->data, frame->bytes, twin->now_ns);
    free(frame);
  }
  return done;
}

static bool to_oneself(const struct efa_twin *twin, const struct iovec *head)
{
  return memcmp(head->iov_base, twin->options.mac.bytes, sizeof(twin->options.mac.bytes)) == 0;
}

static void srd_transmit(void *context, const struct iovec pieces[], unsigned n)
{
  struct efa_twin *twin = context;
  if (to_oneself(twin, &pieces[0]))
    loop_back(twin, pieces, n);
  else if (twin->end)
    shunt_wire_send(twin->end, pieces, n, twin->now_ns); /* no carrier: as if it were lost */
}

static bool srd_hand(void *context, const struct iovec *head, const struct iovec *data)
{
  struct efa_twin *twin = context;
  return twin->end && !to_oneself(twin, head) &&
         wire_hand_over(twin->end, head, data, twin->now_ns);
}

const struct srd_ops efa_twin_srd_ops = {.transmit = srd_transmit,
                                         .hand = srd_hand,
                                         .source = srd_source,
                                         .place = srd_place,
                                         .done = srd_done,
                                         .receive = efa_twin_receive,
                                         .write = efa_twin_write,
                                         .read = efa_twin_read,
                                         .datagram = efa_twin_datagram};

void efa_twin_loopback_forget(struct efa_twin *twin)
{
  while (twin->loopback) {
    struct efa_twin_frame *frame = twin->loopback;
    twin->loopback = frame->next;
    free(frame);
  }
  twin->loopback_end = &twin->loopback;
  twin->loopback_count = 0;
}
