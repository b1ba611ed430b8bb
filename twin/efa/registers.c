/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers, and reset. A driver reads by writing which register it wants to know, and finds the
 * answer in its memory; a plain read is answered too, for who looks from outside. */
#include <string.h>

#include "twin/efa/efa.h"

#define RESET_TIMEOUT 30u /* x 100 ms: what a driver waits at most */
#define ADMIN_TIMEOUT 15u
#define DMA_BITS      52u
#define VERSION       HW_FIELD(EFA_VERSION_MINOR, 1u)
#define CONTROLLER                                                                                 \
  (HW_FIELD(EFA_CONTROLLER_VERSION_SUBMINOR, 1u) | HW_FIELD(EFA_CONTROLLER_VERSION_IMPL_ID, 1u))

/* The least depth of an admin queue that a driver can work with; indices are 16 bits. */
#define DEPTH_MOST 4096u

void efa_twin_forget(struct efa_twin *twin)
{
  for (unsigned i = 0; i < EFA_TWIN_QPS; i++)
    efa_twin_qp_forget(twin, &twin->qps[i]);
  efa_twin_memory_forget(twin);
  efa_twin_objects_forget(twin);
  memset(twin->cqs, 0, sizeof(twin->cqs));
  memset(&twin->aq, 0, sizeof(twin->aq));
  memset(&twin->acq, 0, sizeof(twin->acq));
  memset(&twin->aenq, 0, sizeof(twin->aenq));
  memset(&twin->statistics, 0, sizeof(twin->statistics));
  twin->qp_count = twin->event_cqs = 0;
  twin->aq_base = twin->acq_base = twin->aenq_base = twin->mmio_response = 0;
  twin->aenq_consumed = twin->aenq_groups = 0;
  twin->keep_alive_ns = 0;
  twin->interrupt_mask = EFA_INTR_MASK_ADMIN;
  twin->admin_interrupt_held = false;
  twin->in_reset = false;
  efa_twin_loopback_forget(twin);
  srd_restart(twin->srd, ++twin->incarnation);
}

static void control_written(struct efa_twin *twin, uint32_t value)
{
  if (value & EFA_DEV_CTL_RESET) {
    efa_twin_forget(twin);
    twin->in_reset = true;
    twin->resets++;
  } else {
    twin->in_reset = false;
  }
}

uint32_t efa_twin_register_read(struct efa_twin *twin, uint32_t offset)
{
  switch (offset) {
  case EFA_VERSION:
    return VERSION;
  case EFA_CONTROLLER_VERSION:
    return CONTROLLER;
  case EFA_CAPS:
    return EFA_CAPS_CONTIGUOUS_QUEUES | HW_FIELD(EFA_CAPS_RESET_TIMEOUT, RESET_TIMEOUT) |
           HW_FIELD(EFA_CAPS_DMA_ADDRESS_BITS, DMA_BITS) |
           HW_FIELD(EFA_CAPS_ADMIN_TIMEOUT, ADMIN_TIMEOUT);
  case EFA_DEV_STS:
    return EFA_DEV_STS_READY | (twin->in_reset ? EFA_DEV_STS_RESET_IN_PROGRESS : 0);
  case EFA_INTR_MASK:
    return twin->interrupt_mask;
  case EFA_AQ_BASE_LO:
    return (uint32_t)twin->aq_base;
  case EFA_AQ_BASE_HI:
    return (uint32_t)(twin->aq_base >> 32);
  case EFA_ACQ_BASE_LO:
    return (uint32_t)twin->acq_base;
  case EFA_ACQ_BASE_HI:
    return (uint32_t)(twin->acq_base >> 32);
  case EFA_AENQ_BASE_LO:
    return (uint32_t)twin->aenq_base;
  case EFA_AENQ_BASE_HI:
    return (uint32_t)(twin->aenq_base >> 32);
  default:
    return 0;
  }
}

/* The answer is 8 bytes, of which the driver waits for the first two: they are written last. */
static void answer_read(struct efa_twin *twin, uint32_t request)
{
  struct efa_mmio_response answer = {.req_id = (uint16_t)HW_GET(EFA_MMIO_REG_READ_REQ_ID, request),
                                     .reg_off =
                                         (uint16_t)HW_GET(EFA_MMIO_REG_READ_REG_OFF, request)};
  struct efa_mmio_response *memory =
      shunt_model_dma(&twin->model, twin->mmio_response, sizeof(answer), 1);
  if (!memory)
    return;
  answer.value = efa_twin_register_read(twin, answer.reg_off);
  memory->reg_off = answer.reg_off;
  memory->value = answer.value;
  __atomic_store_n(&memory->req_id, answer.req_id, __ATOMIC_RELEASE);
}

static void put_half(uint64_t *address, bool high, uint32_t value)
{
  unsigned shift = high ? 32 : 0;
  *address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* Writing a queue's CAPS sets it up, from what its base was set to before. */
static void ring_begin(struct efa_twin *twin, struct efa_twin_ring *ring, uint64_t base,
                       uint32_t depth, uint32_t entry_bytes, uint32_t vector)
{
  *ring = (struct efa_twin_ring){0};
  bool is_sound = depth && depth <= DEPTH_MOST && !(depth & (depth - 1)) && entry_bytes == 64 &&
                  vector < EFA_TWIN_VECTORS;
  if (is_sound && !shunt_model_dma(&twin->model, base, (uint64_t)depth * entry_bytes, 1))
    is_sound = false;
  if (!is_sound) {
    twin->faults.bad_queue++;
    return;
  }
  *ring = (struct efa_twin_ring){.base = base, .depth = depth, .vector = (uint8_t)vector};
}

static void completion_ring_begin(struct efa_twin *twin, struct efa_twin_ring *ring, uint64_t base,
                                  uint32_t caps)
{
  ring_begin(twin, ring, base, HW_GET(EFA_CQ_CAPS_DEPTH, caps),
             HW_GET(EFA_CQ_CAPS_ENTRY_BYTES, caps), HW_GET(EFA_CQ_CAPS_MSIX_VECTOR, caps));
}

static void mask_written(struct efa_twin *twin, uint32_t value)
{
  twin->interrupt_mask = value & EFA_INTR_MASK_ADMIN;
  if (!twin->interrupt_mask && twin->admin_interrupt_held)
    efa_twin_admin_interrupt(twin);
}

void efa_twin_register_write(struct efa_twin *twin, uint32_t offset, uint32_t value)
{
  if (twin->in_reset && offset != EFA_DEV_CTL && offset != EFA_MMIO_RESP_LO &&
      offset != EFA_MMIO_RESP_HI && offset != EFA_MMIO_REG_READ)
    return;
  switch (offset) {
  case EFA_AQ_BASE_LO:
    put_half(&twin->aq_base, false, value);
    break;
  case EFA_AQ_BASE_HI:
    put_half(&twin->aq_base, true, value);
    break;
  case EFA_ACQ_BASE_LO:
    put_half(&twin->acq_base, false, value);
    break;
  case EFA_ACQ_BASE_HI:
    put_half(&twin->acq_base, true, value);
    break;
  case EFA_AENQ_BASE_LO:
    put_half(&twin->aenq_base, false, value);
    break;
  case EFA_AENQ_BASE_HI:
    put_half(&twin->aenq_base, true, value);
    break;
  case EFA_MMIO_RESP_LO:
    put_half(&twin->mmio_response, false, value);
    break;
  case EFA_MMIO_RESP_HI:
    put_half(&twin->mmio_response, true, value);
    break;
  case EFA_AQ_CAPS:
    ring_begin(twin, &twin->aq, twin->aq_base, HW_GET(EFA_AQ_CAPS_DEPTH, value),
               HW_GET(EFA_AQ_CAPS_ENTRY_BYTES, value), 0);
    break;
  case EFA_ACQ_CAPS:
    completion_ring_begin(twin, &twin->acq, twin->acq_base, value);
    break;
  case EFA_AENQ_CAPS:
    completion_ring_begin(twin, &twin->aenq, twin->aenq_base, value);
    break;
  case EFA_AENQ_CONS_DB:
    twin->aenq_consumed = value;
    break;
  case EFA_AQ_PROD_DB:
    efa_twin_admin_poll(twin, value);
    break;
  case EFA_INTR_MASK:
    mask_written(twin, value);
    break;
  case EFA_DEV_CTL:
    control_written(twin, value);
    break;
  case EFA_MMIO_REG_READ:
    answer_read(twin, value);
    break;
  case EFA_EQ_DB:
    if (value & EFA_EQ_DB_ARM)
      efa_twin_eq_arm(twin, (uint16_t)HW_GET(EFA_EQ_DB_EQN, value));
    break;
  default:
    twin->faults.bad_access++;
    break;
  }
}
