/* SPDX-License-Identifier: BSD-2-Clause */
/* Two software EFAs on a wire, driven by their registers and rings, as the interface documents tell
 * it and without our driver. Memory is one block for each device, whose DMA addresses begin at
 * RIG_IOVA. */
#ifndef TESTS_UNIT_TWIN_EFA_RIG_H
#define TESTS_UNIT_TWIN_EFA_RIG_H

#include <stdlib.h>
#include <string.h>

#include "hw/efa.h"
#include "shunt/twin.h"
#include "src/srd/srd.h"

#define RIG_IOVA  UINT64_C(0x100000000)
#define RIG_BYTES (2u << 20)
#define RIG_DEPTH 32u
#define RIG_AENQ  16u
#define RIG_RING  64u /* of queue pairs */
#define RIG_CQ    256u
#define RIG_PAGE  4096u
/* Where things lie in a device's memory. */
#define RIG_AQ      0x0000u
#define RIG_ACQ     0x1000u
#define RIG_AENQ_AT 0x2000u
#define RIG_MMIO    0x3000u
#define RIG_RQ      0x4000u
#define RIG_SCQ     0x10000u
#define RIG_RCQ     0x20000u
#define RIG_EQ      0x30000u
#define RIG_LISTS   0x40000u
#define RIG_DATA    0x100000u /* the registered region, to the end of memory */

struct rig_device {
  struct shunt_model *model;
  uint8_t *memory;
  uint32_t commands, completions, events;
  uint16_t command_id;
  unsigned interrupts[32];
  struct srd_gid gid;
  uint16_t pd, uar, ah, send_cq, recv_cq;
  uint32_t lkey;
  uint32_t handle;
  uint16_t qpn;
  uint32_t sq_doorbell, rq_doorbell, llq;
  uint16_t sq_count, rq_count;
  uint32_t sent, received; /* completions taken */
};

struct rig {
  struct shunt_wire *wire;
  struct rig_device devices[2];
  uint64_t now_ns;
};

static inline void rig_interrupt(void *context, unsigned vector, int level)
{
  struct rig_device *device = context;
  (void)level;
  device->interrupts[vector]++;
}

static inline void rig_run(struct rig *rig, uint64_t for_ns)
{
  uint64_t until_ns = rig->now_ns + for_ns;
  for (;;) {
    if (shunt_wire_poll(rig->wire, rig->now_ns))
      continue;
    uint64_t next_ns = shunt_wire_next_ns(rig->wire);
    if (next_ns > until_ns)
      break;
    rig->now_ns = next_ns > rig->now_ns ? next_ns : rig->now_ns + 1;
  }
  rig->now_ns = until_ns;
}

static inline void rig_write32(struct rig_device *device, uint32_t offset, uint32_t value)
{
  shunt_model_bar_write(device->model, EFA_BAR_REGISTERS, offset, 4, value);
}

/* Read a register as a driver must: asking, and looking into memory. */
static inline uint32_t rig_read32(struct rig_device *device, uint32_t offset)
{
  struct efa_mmio_response *answer = (void *)(device->memory + RIG_MMIO);
  static uint16_t req_id;
  req_id++;
  answer->req_id = (uint16_t)~req_id;
  rig_write32(device, EFA_MMIO_REG_READ, req_id | offset << 16);
  if (answer->req_id != req_id || answer->reg_off != offset)
    return UINT32_MAX;
  return answer->value;
}

static inline void rig_reset(struct rig_device *device)
{
  rig_write32(device, EFA_DEV_CTL, EFA_DEV_CTL_RESET);
  rig_write32(device, EFA_DEV_CTL, 0);
  rig_write32(device, EFA_MMIO_RESP_HI, (uint32_t)((RIG_IOVA + RIG_MMIO) >> 32));
  rig_write32(device, EFA_MMIO_RESP_LO, (uint32_t)(RIG_IOVA + RIG_MMIO));
  device->commands = device->completions = device->events = 0;
}

static inline void rig_admin_begin(struct rig_device *device)
{
  memset(device->memory, 0, RIG_RQ);
  rig_write32(device, EFA_AQ_BASE_LO, (uint32_t)(RIG_IOVA + RIG_AQ));
  rig_write32(device, EFA_AQ_BASE_HI, (uint32_t)((RIG_IOVA + RIG_AQ) >> 32));
  rig_write32(device, EFA_AQ_CAPS, RIG_DEPTH | 64u << 16);
  rig_write32(device, EFA_ACQ_BASE_LO, (uint32_t)(RIG_IOVA + RIG_ACQ));
  rig_write32(device, EFA_ACQ_BASE_HI, (uint32_t)((RIG_IOVA + RIG_ACQ) >> 32));
  rig_write32(device, EFA_ACQ_CAPS, RIG_DEPTH | 64u << 16);
  rig_write32(device, EFA_AENQ_BASE_LO, (uint32_t)(RIG_IOVA + RIG_AENQ_AT));
  rig_write32(device, EFA_AENQ_BASE_HI, (uint32_t)((RIG_IOVA + RIG_AENQ_AT) >> 32));
  rig_write32(device, EFA_AENQ_CAPS, RIG_AENQ | 64u << 16);
  rig_write32(device, EFA_AENQ_CONS_DB, 0);
  rig_write32(device, EFA_INTR_MASK, 0);
}

/* Do one command; its status, or -1 where no completion came. command's head is filled in here. */
static inline int rig_command(struct rig_device *device, uint8_t opcode, void *command,
                              size_t bytes, void *response)
{
  struct efa_aq_head *head = command;
  uint32_t place = device->commands % RIG_DEPTH;
  uint8_t keep = head->flags & (EFA_AQ_CONTROL | EFA_AQ_CONTROL_INDIRECT);
  head->command_id = ++device->command_id & EFA_AQ_COMMAND_ID;
  head->opcode = opcode;
  head->flags = (uint8_t)(keep | (device->commands / RIG_DEPTH & 1 ? 0 : EFA_AQ_PHASE));
  uint8_t *entry = device->memory + RIG_AQ + place * 64;
  memset(entry, 0, 64);
  memcpy(entry, command, bytes);
  rig_write32(device, EFA_AQ_PROD_DB, ++device->commands);

  struct efa_acq_entry *done =
      (void *)(device->memory + RIG_ACQ + device->completions % RIG_DEPTH * 64);
  uint8_t phase = device->completions / RIG_DEPTH & 1 ? 0 : EFA_ACQ_PHASE;
  if ((done->head.flags & EFA_ACQ_PHASE) != phase || done->head.command != head->command_id)
    return -1;
  device->completions++;
  if (response)
    memcpy(response, done, 64);
  return done->head.status;
}

#define RIG_COMMAND(device, opcode, command, response)                                             \
  rig_command(device, opcode, &(command), sizeof(command), response)

static inline void rig_must(int status)
{
  if (status != EFA_ADMIN_SUCCESS)
    abort();
}

static inline uint16_t rig_take(struct rig_device *device, uint8_t opcode)
{
  struct efa_aq_head none = {0};
  struct efa_acq_entry entry = {0};
  struct efa_number_response answer;
  rig_must(RIG_COMMAND(device, opcode, none, &entry));
  memcpy(&answer, &entry, sizeof(answer));
  return answer.number;
}

static inline uint16_t rig_cq(struct rig_device *device, uint64_t base, uint8_t caps1)
{
  struct efa_create_cq asked = {.caps1 = caps1,
                                .caps2 = 8 | EFA_CREATE_CQ_SRC_ADDR,
                                .sub_cq_depth = RIG_CQ,
                                .base = {(uint32_t)base, (uint32_t)(base >> 32)},
                                .num_sub_cqs =
                                    device->model->config[2] == 0xA0 ? 2 : 1, /* efa0 has two */
                                .uar = device->uar};
  struct efa_acq_entry entry = {0};
  struct efa_create_cq_response answer;
  rig_must(RIG_COMMAND(device, EFA_ADMIN_CREATE_CQ, asked, &entry));
  memcpy(&answer, &entry, sizeof(answer));
  return answer.cq;
}

/* A region of pages that follow each other, by a direct list. */
static inline int rig_reg_mr(struct rig_device *device, uint64_t at, uint64_t bytes,
                             uint8_t permissions, uint32_t *key)
{
  uint32_t n = (uint32_t)((bytes + RIG_PAGE - 1) / RIG_PAGE);
  uint64_t *list = (void *)(device->memory + RIG_LISTS);
  for (uint32_t i = 0; i < n; i++)
    list[i] = RIG_IOVA + at + i * RIG_PAGE;
  struct efa_reg_mr asked = {.head.flags = EFA_AQ_CONTROL,
                             .pd = device->pd,
                             .length = bytes,
                             .flags = 12,
                             .permissions = permissions,
                             .iova = at};
  asked.pbl.list = (struct efa_control_buffer){
      n * 8, {(uint32_t)(RIG_IOVA + RIG_LISTS), (uint32_t)((RIG_IOVA + RIG_LISTS) >> 32)}};
  struct efa_acq_entry entry = {0};
  struct efa_reg_mr_response answer;
  int status = RIG_COMMAND(device, EFA_ADMIN_REG_MR, asked, &entry);
  memcpy(&answer, &entry, sizeof(answer));
  *key = answer.lkey;
  return status;
}

static inline void rig_modify(struct rig_device *device, uint32_t mask, uint32_t state,
                              uint32_t qkey, uint8_t rnr_retry)
{
  struct efa_modify_qp asked = {
      .mask = mask, .handle = device->handle, .state = state, .qkey = qkey, .rnr_retry = rnr_retry};
  rig_must(RIG_COMMAND(device, EFA_ADMIN_MODIFY_QP, asked, NULL));
}

static inline int rig_create_qp(struct rig_device *device, uint8_t type, uint32_t wqe_bytes,
                                uint8_t flags)
{
  struct efa_create_qp asked = {.pd = device->pd,
                                .type = type,
                                .flags = flags,
                                .rq_base = RIG_IOVA + RIG_RQ,
                                .send_cq = device->send_cq,
                                .recv_cq = device->recv_cq,
                                .sq_ring_bytes = RIG_RING * wqe_bytes,
                                .sq_depth = RIG_RING,
                                .rq_ring_bytes = RIG_RING * 16,
                                .rq_depth = RIG_RING,
                                .uar = device->uar};
  struct efa_acq_entry entry = {0};
  struct efa_create_qp_response answer;
  int status = RIG_COMMAND(device, EFA_ADMIN_CREATE_QP, asked, &entry);
  memcpy(&answer, &entry, sizeof(answer));
  device->handle = answer.handle;
  device->qpn = answer.qp_num;
  device->sq_doorbell = answer.sq_doorbell;
  device->rq_doorbell = answer.rq_doorbell;
  device->llq = answer.llq;
  device->sq_count = device->rq_count = 0;
  return status;
}

static inline void rig_qp_up(struct rig_device *device)
{
  rig_modify(device, EFA_MODIFY_QP_STATE | EFA_MODIFY_QP_QKEY, EFA_QP_INIT, 0x1111, 0);
  rig_modify(device, EFA_MODIFY_QP_STATE, EFA_QP_RTR, 0, 0);
  rig_modify(device, EFA_MODIFY_QP_STATE, EFA_QP_RTS, 0, 0);
}

static inline uint16_t rig_create_ah(struct rig_device *device, const struct srd_gid *gid)
{
  struct efa_create_ah asked = {.pd = device->pd};
  struct efa_acq_entry entry = {0};
  struct efa_create_ah_response answer;
  memcpy(asked.gid, gid, 16);
  rig_must(RIG_COMMAND(device, EFA_ADMIN_CREATE_AH, asked, &entry));
  memcpy(&answer, &entry, sizeof(answer));
  return answer.ah;
}

/* A device with everything that a queue pair needs, but the queue pair. */
static inline void rig_set_up(struct rig_device *device)
{
  rig_reset(device);
  rig_admin_begin(device);
  device->pd = rig_take(device, EFA_ADMIN_ALLOC_PD);
  device->uar = rig_take(device, EFA_ADMIN_ALLOC_UAR);
  device->send_cq = rig_cq(device, RIG_IOVA + RIG_SCQ, 0);
  device->recv_cq = rig_cq(device, RIG_IOVA + RIG_RCQ, 0);
  memset(device->memory + RIG_SCQ, 0, RIG_EQ - RIG_SCQ);
  device->sent = device->received = 0;
  uint8_t permissions = EFA_MR_LOCAL_WRITE;
  if (device->model->config[2] != 0xA0)
    permissions |= EFA_MR_REMOTE_READ;
  if (device->model->config[2] == 0xA2)
    permissions |= EFA_MR_REMOTE_WRITE;
  rig_must(rig_reg_mr(device, RIG_DATA, RIG_BYTES - RIG_DATA, permissions, &device->lkey));
}

static inline void rig_make(struct rig *rig, uint16_t id)
{
  struct shunt_wire_options wire = {.size = sizeof(wire)};
  memset(rig, 0, sizeof(*rig));
  rig->now_ns = 1000;
  if (shunt_wire_create(&wire, &rig->wire, NULL))
    abort();
  for (unsigned i = 0; i < 2; i++) {
    struct rig_device *device = &rig->devices[i];
    struct shunt_twin_efa_options options = {.size = sizeof(options),
                                             .device_id = id,
                                             .mac = {{2, 0, 0, 0xEF, 0xA0, (uint8_t)i}},
                                             .incarnation = 100,
                                             .give_up_ms = 500,
                                             .keep_alive_ms = 1000};
    if (shunt_twin_efa_create(&options, rig->wire, i ? "right" : "left", &device->model, NULL))
      abort();
    device->gid = srd_gid_of_mac(options.mac);
    device->memory = aligned_alloc(RIG_PAGE, RIG_BYTES);
    if (!device->memory ||
        shunt_model_dma_map(device->model, RIG_IOVA, device->memory, RIG_BYTES, 1))
      abort();
    memset(device->memory, 0, RIG_BYTES);
    shunt_model_attach(device->model, &(struct shunt_model_host){device, rig_interrupt});
  }
}

static inline void rig_free(struct rig *rig)
{
  for (unsigned i = 0; i < 2; i++) {
    shunt_model_destroy(rig->devices[i].model);
    free(rig->devices[i].memory);
  }
  shunt_wire_destroy(rig->wire);
}

/* Both devices, each with a queue pair of that type and a handle of the other. */
static inline void rig_pair(struct rig *rig, uint16_t id, uint8_t type, uint32_t wqe_bytes)
{
  rig_make(rig, id);
  for (unsigned i = 0; i < 2; i++)
    rig_set_up(&rig->devices[i]);
  for (unsigned i = 0; i < 2; i++) {
    struct rig_device *device = &rig->devices[i];
    device->ah = rig_create_ah(device, &rig->devices[!i].gid);
    rig_must(rig_create_qp(device, type, wqe_bytes, 0));
    rig_qp_up(device);
  }
}

/* --- Work --------------------------------------------------------------------------------------
 */

static inline uint32_t *rig_doorbell(struct rig_device *device, uint32_t offset)
{
  return (void *)((uint8_t *)device->model->bars[4].memory + offset);
}

static inline void rig_post_send(struct rig_device *device, const void *wqe, uint32_t wqe_bytes)
{
  uint8_t *llq = device->model->bars[EFA_BAR_LLQ].memory;
  memcpy(llq + device->llq + device->sq_count % RIG_RING * wqe_bytes, wqe, wqe_bytes);
  *rig_doorbell(device, device->sq_doorbell) = ++device->sq_count;
}

static inline void rig_post_recv(struct rig_device *device, uint16_t req_id, uint64_t at,
                                 uint16_t bytes)
{
  struct efa_rx_desc desc = {.address_lo = (uint32_t)at,
                             .req_id = req_id,
                             .length = bytes,
                             .lkey_ctrl = device->lkey | EFA_RX_FIRST | EFA_RX_LAST};
  memcpy(device->memory + RIG_RQ + device->rq_count % RIG_RING * 16, &desc, sizeof(desc));
  *rig_doorbell(device, device->rq_doorbell) = ++device->rq_count;
}

static inline struct efa_tx_wqe rig_wqe(const struct rig_device *device,
                                        const struct rig_device *to, uint16_t req_id, uint64_t at,
                                        uint32_t bytes)
{
  return (struct efa_tx_wqe){
      .meta = {.req_id = req_id,
               .ctrl1 = EFA_TX_CTRL1_META | EFA_OP_SEND,
               .ctrl2 = EFA_TX_CTRL2_FIRST | EFA_TX_CTRL2_LAST | EFA_TX_CTRL2_COMPLETION,
               .dest_qp_num = to->qpn,
               .length = 1,
               .ah = device->ah,
               .qkey = 0x1111},
      .data.sge = {{bytes, device->lkey, (uint32_t)at, 0}}};
}

static inline struct efa_tx_wqe rig_rdma(const struct rig_device *device,
                                         const struct rig_device *to, uint8_t op, uint64_t local,
                                         uint64_t remote, uint32_t bytes)
{
  struct efa_tx_wqe wqe = rig_wqe(device, to, 1, 0, 0);
  wqe.meta.ctrl1 = (uint8_t)(EFA_TX_CTRL1_META | op);
  wqe.data.rdma.remote = (struct efa_remote_address){bytes, to->lkey, (uint32_t)remote, 0};
  wqe.data.rdma.local[0] = (struct efa_tx_sge){bytes, device->lkey, (uint32_t)local, 0};
  return wqe;
}

/* The next completion of a queue; false where there is none. */
static inline bool rig_next(struct rig_device *device, uint32_t base, uint32_t *count,
                            struct efa_cqe_wide *cqe)
{
  const uint8_t *at = device->memory + base + *count % RIG_CQ * sizeof(*cqe);
  uint8_t phase = *count / RIG_CQ & 1 ? 0 : EFA_CQE_PHASE;
  memcpy(cqe, at, sizeof(*cqe));
  if ((cqe->base.flags & EFA_CQE_PHASE) != phase)
    return false;
  ++*count;
  return true;
}

/* How the next send ended; -1 where none has. */
static inline int rig_sent(struct rig_device *device)
{
  struct efa_cqe_wide cqe;
  return rig_next(device, RIG_SCQ, &device->sent, &cqe) ? cqe.base.status : -1;
}

#endif
