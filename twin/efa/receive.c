/* SPDX-License-Identifier: BSD-2-Clause */
/* From messages to buffers: receive queues, and memory that peers read and write. */
#include <string.h>

#include "shunt/bytes.h"
#include "twin/efa/efa.h"

/* A datagram's buffer begins with room for a global routing header (InfiniBand 11.4.1.2). */
#define GRH_BYTES     40u
#define GRH_NEXT      0x1Bu /* IBA transport (8.3) */
#define GRH_HOP_LIMIT 64u

/* Descriptors that wait, as the doorbell says now; 0 where that is more than the ring has. */
static uint16_t posted(struct efa_twin *twin, struct efa_twin_qp *qp)
{
  uint16_t produced = (uint16_t)efa_twin_rq_doorbell(twin, qp);
  uint16_t n = (uint16_t)(produced - qp->rq_count);
  if (n <= qp->rq_depth) {
    qp->rq_produced = produced;
    return n;
  }
  if (qp->rq_seen != produced) {
    qp->rq_seen = produced;
    twin->faults.bad_doorbell++;
  }
  return 0;
}

/* A receive work request: one or two descriptors. */
struct buffer {
  uint16_t req_id;
  uint8_t descriptors;
  uint8_t status; /* EFA_STATUS_OK: the pieces are good */
  uint32_t bytes;
  unsigned pieces;
  struct iovec piece[SRD_PIECES_MOST];
};

/* The descriptor that is ahead of the first one waiting, or false. */
static bool descriptor(struct efa_twin *twin, struct efa_twin_qp *qp, unsigned ahead,
                       struct efa_rx_desc *desc)
{
  uint16_t place = (uint16_t)(qp->rq_count + ahead) & (qp->rq_depth - 1u);
  const void *memory = shunt_model_dma_near(&twin->model, &qp->rq_hint,
                                            qp->rq_base + place * sizeof(*desc), sizeof(*desc), 0);
  if (memory)
    memcpy(desc, memory, sizeof(*desc));
  return memory != NULL;
}

/* Look at the next work request, without taking it. False where none is posted whole. The doorbell
 * is on a line that its driver writes: it is read once for all that it told of. */
static bool look(struct efa_twin *twin, struct efa_twin_qp *qp, struct buffer *buffer)
{
  uint16_t left = (uint16_t)(qp->rq_produced - qp->rq_count);
  if (left < EFA_TWIN_RQ_SGES && qp->rq_depth)
    left = posted(twin, qp);
  buffer->status = EFA_STATUS_OK;
  buffer->descriptors = 0;
  buffer->bytes = 0;
  buffer->pieces = 0;
  while (buffer->descriptors < left) {
    struct efa_rx_desc desc;
    if (!descriptor(twin, qp, buffer->descriptors, &desc))
      return false;
    if (!buffer->descriptors)
      buffer->req_id = desc.req_id;
    uint64_t address = (uint64_t)desc.address_hi << 32 | desc.address_lo;
    bool first = desc.lkey_ctrl & EFA_RX_FIRST;
    if (first != !buffer->descriptors)
      buffer->status = EFA_STATUS_LOCAL_QP_INTERNAL;
    else if (!efa_twin_memory(twin, desc.lkey_ctrl & EFA_LKEY, qp->pd, EFA_MR_LOCAL_WRITE, address,
                              desc.length, buffer->piece, &buffer->pieces))
      buffer->status = EFA_STATUS_LOCAL_INVALID_LKEY;
    buffer->bytes += desc.length;
    buffer->descriptors++;
    if (desc.lkey_ctrl & EFA_RX_LAST)
      return true;
    if (buffer->descriptors == EFA_TWIN_RQ_SGES) {
      buffer->status = EFA_STATUS_LOCAL_QP_INTERNAL;
      return true;
    }
  }
  return false;
}

static void scatter(const struct buffer *buffer, uint32_t offset, const void *data, uint32_t bytes)
{
  const uint8_t *from = data;
  for (unsigned i = 0; i < buffer->pieces && bytes; i++) {
    const struct iovec *piece = &buffer->piece[i];
    if (offset >= piece->iov_len) {
      offset -= (uint32_t)piece->iov_len;
      continue;
    }
    uint32_t part = (uint32_t)piece->iov_len - offset;
    part = part < bytes ? part : bytes;
    memcpy((uint8_t *)piece->iov_base + offset, from, part);
    from += part;
    bytes -= part;
    offset = 0;
  }
}

/* --- Completions
 * ---------------------------------------------------------------------------------------- */

static void complete(struct efa_twin *twin, struct efa_twin_qp *qp, uint16_t req_id, uint8_t status,
                     uint8_t flags, uint32_t bytes, const struct srd_arrival *arrival)
{
  uint16_t ah = EFA_AH_UNKNOWN;
  struct efa_twin_completion completion = {
      .low = req_id | (uint32_t)status << 16 |
             (uint64_t)(flags | HW_FIELD(EFA_CQE_QUEUE, EFA_QUEUE_RECEIVE)) << 24 |
             (uint64_t)qp->number << 32 | (uint64_t)bytes << 48,
      .length_hi = (uint16_t)(bytes >> 16)};
  if (arrival) {
    ah = efa_twin_ah_of(twin, arrival->source, qp->pd);
    completion.high = (uint32_t)arrival->source_qpn << 16 | (uint64_t)arrival->immediate << 32;
    if (ah == EFA_AH_UNKNOWN && arrival->op == SRD_SEND)
      completion.source = arrival->source;
  }
  completion.high |= ah;
  efa_twin_complete(twin, qp->recv_cq, qp->recv_sub_cq, &completion);
}

void efa_twin_receive_flush(struct efa_twin *twin, struct efa_twin_qp *qp)
{
  for (uint16_t n = qp->rq_depth ? posted(twin, qp) : 0; n; n--) {
    struct efa_rx_desc desc;
    bool is_there = descriptor(twin, qp, 0, &desc);
    qp->rq_count++;
    if (is_there && desc.lkey_ctrl & EFA_RX_FIRST)
      complete(twin, qp, desc.req_id, EFA_STATUS_FLUSHED, 0, 0, NULL);
  }
}

/* --- Messages
 * --------------------------------------------------------------------------------------------- */

static bool receives(const struct efa_twin_qp *qp)
{
  return qp && (qp->state == EFA_QP_RTR || qp->state == EFA_QP_RTS || qp->state == EFA_QP_SQD ||
                qp->state == EFA_QP_SQE);
}

/* The queue pair that a packet is for, or what its sender is told. */
static enum srd_status find(struct efa_twin *twin, const struct srd_arrival *arrival, uint8_t type,
                            struct efa_twin_qp **qp)
{
  *qp = efa_twin_qp_by_number(twin, arrival->qpn);
  if (!receives(*qp) || (*qp)->type != type) {
    twin->drops.no_qp++;
    return SRD_REMOTE_BAD_DEST_QPN;
  }
  if ((*qp)->qkey != arrival->qkey) {
    twin->drops.qkey_violation++;
    return SRD_REMOTE_BAD_DEST_QPN;
  }
  return SRD_OK;
}

static uint8_t flags_of(const struct srd_arrival *arrival)
{
  uint8_t op = arrival->op == SRD_WRITE ? EFA_OP_RDMA_WRITE : EFA_OP_SEND;
  return (uint8_t)(HW_FIELD(EFA_CQE_OP, op) | (arrival->has_immediate ? EFA_CQE_IMMEDIATE : 0));
}

/* A buffer that can't be written to ends its own work request; the sender is told that this one
 * message was not taken. */
static enum srd_status buffer_is_bad(struct efa_twin *twin, struct efa_twin_qp *qp,
                                     const struct buffer *buffer)
{
  twin->faults.bad_lkey += buffer->status == EFA_STATUS_LOCAL_INVALID_LKEY;
  twin->faults.bad_wqe += buffer->status == EFA_STATUS_LOCAL_QP_INTERNAL;
  qp->rq_count = (uint16_t)(qp->rq_count + buffer->descriptors);
  complete(twin, qp, buffer->req_id, buffer->status, 0, 0, NULL);
  return SRD_REMOTE_ABORT;
}

enum srd_status efa_twin_receive(void *context, const struct srd_arrival *arrival, const void *data)
{
  struct efa_twin *twin = context;
  struct efa_twin_qp *qp;
  struct buffer buffer;
  enum srd_status status = find(twin, arrival, EFA_QP_SRD, &qp);
  if (status != SRD_OK)
    return status;
  if (!data && qp->unsolicited) { /* an immediate that takes no buffer */
    complete(twin, qp, 0, EFA_STATUS_OK, flags_of(arrival) | EFA_CQE_UNSOLICITED, arrival->bytes,
             arrival);
    return SRD_OK;
  }
  if (!look(twin, qp, &buffer)) {
    twin->drops.not_ready++;
    return SRD_REMOTE_RNR;
  }
  if (buffer.status != EFA_STATUS_OK)
    return buffer_is_bad(twin, qp, &buffer);
  if (data && arrival->bytes > buffer.bytes) {
    twin->drops.too_long++;
    return SRD_REMOTE_BAD_LENGTH;
  }
  if (data) {
    scatter(&buffer, 0, data, arrival->bytes);
    twin->statistics.messages.recv_wrs++;
    twin->statistics.messages.recv_bytes += arrival->bytes;
  }
  qp->rq_count = (uint16_t)(qp->rq_count + buffer.descriptors);
  complete(twin, qp, buffer.req_id, EFA_STATUS_OK, flags_of(arrival), arrival->bytes, arrival);
  return SRD_OK;
}

static void put_grh(const struct efa_twin *twin, const struct srd_arrival *arrival, uint8_t *grh)
{
  memset(grh, 0, GRH_BYTES);
  grh[0] = 0x60;
  shunt_store_be16(grh + 4, (uint16_t)arrival->bytes);
  grh[6] = GRH_NEXT;
  grh[7] = GRH_HOP_LIMIT;
  memcpy(grh + 8, arrival->source, 16);
  memcpy(grh + 24, &twin->gid, 16);
}

void efa_twin_datagram(void *context, const struct srd_arrival *arrival, const void *data)
{
  struct efa_twin *twin = context;
  struct efa_twin_qp *qp;
  struct buffer buffer;
  uint8_t grh[GRH_BYTES];
  if (find(twin, arrival, EFA_QP_UD, &qp) != SRD_OK)
    return;
  if (!look(twin, qp, &buffer)) {
    twin->drops.not_ready++;
    return;
  }
  if (buffer.status != EFA_STATUS_OK) {
    buffer_is_bad(twin, qp, &buffer);
    return;
  }
  if (GRH_BYTES + arrival->bytes > buffer.bytes) {
    twin->drops.too_long++;
    return;
  }
  put_grh(twin, arrival, grh);
  scatter(&buffer, 0, grh, GRH_BYTES);
  scatter(&buffer, GRH_BYTES, data, arrival->bytes);
  twin->statistics.messages.recv_wrs++;
  twin->statistics.messages.recv_bytes += arrival->bytes;
  qp->rq_count = (uint16_t)(qp->rq_count + buffer.descriptors);
  complete(twin, qp, buffer.req_id, EFA_STATUS_OK, flags_of(arrival), GRH_BYTES + arrival->bytes,
           arrival);
}

/* --- Memory that peers read and write
 * ------------------------------------------------------------------------ */

/* A peer may, where a queue pair receives, its protection domain has the memory, and it knows the
 * peer: there is nobody to answer to else. */
static enum srd_status remote(struct efa_twin *twin, const struct srd_arrival *arrival,
                              uint32_t rkey, uint8_t permission, uint64_t address, uint32_t bytes,
                              struct iovec pieces[], unsigned *n)
{
  struct efa_twin_qp *qp;
  enum srd_status status = find(twin, arrival, EFA_QP_SRD, &qp);
  if (status != SRD_OK)
    return status;
  if (!(permission == EFA_MR_REMOTE_READ ? efa_twin_has_read(twin) : efa_twin_has_write(twin)))
    return SRD_REMOTE_FEATURE_MISMATCH;
  if (efa_twin_ah_of(twin, arrival->source, qp->pd) == EFA_AH_UNKNOWN)
    return SRD_REMOTE_UNKNOWN_PEER;
  *n = 0;
  if (efa_twin_memory(twin, rkey, qp->pd, permission, address, bytes, pieces, n))
    return SRD_OK;
  twin->faults.bad_rkey++;
  return SRD_REMOTE_BAD_ADDRESS;
}

enum srd_status efa_twin_write(void *context, const struct srd_arrival *arrival, uint32_t rkey,
                               uint64_t address, const void *data, uint32_t bytes)
{
  struct efa_twin *twin = context;
  struct iovec pieces[SRD_PIECES_MOST];
  const uint8_t *from = data;
  unsigned n = 0;
  enum srd_status status =
      remote(twin, arrival, rkey, EFA_MR_REMOTE_WRITE, address, bytes, pieces, &n);
  for (unsigned i = 0; status == SRD_OK && i < n; i++) {
    memcpy(pieces[i].iov_base, from, pieces[i].iov_len);
    from += pieces[i].iov_len;
  }
  if (status == SRD_OK)
    twin->statistics.write.write_recv_bytes += bytes;
  return status;
}

enum srd_status efa_twin_read(void *context, const struct srd_arrival *arrival, uint32_t rkey,
                              uint64_t address, uint32_t bytes, struct iovec pieces[], unsigned *n)
{
  struct efa_twin *twin = context;
  enum srd_status status =
      remote(twin, arrival, rkey, EFA_MR_REMOTE_READ, address, bytes, pieces, n);
  if (status == SRD_OK)
    twin->statistics.read.read_resp_bytes += bytes;
  return status;
}
