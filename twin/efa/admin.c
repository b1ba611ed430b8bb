/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin queues: commands come in through AQ_PROD_DB and are done at once, in order; events of
 * the device go out, of which a driver takes the keep-alive. */
#include <string.h>

#include "hw/pci.h"
#include "twin/efa/efa.h"

#define NS_PER_MS UINT64_C(1000000)

void efa_twin_interrupt(struct efa_twin *twin, unsigned vector)
{
  twin->interrupts++;
  if (twin->model.host.interrupt)
    twin->model.host.interrupt(twin->model.host.context, vector, 1);
}

void efa_twin_admin_interrupt(struct efa_twin *twin)
{
  twin->admin_interrupt_held = twin->interrupt_mask & EFA_INTR_MASK_ADMIN;
  if (!twin->admin_interrupt_held)
    efa_twin_interrupt(twin, twin->acq.depth ? twin->acq.vector : EFA_VECTOR_ADMIN);
}

/* The phase of the n-th entry: 1 in the first round. */
static uint8_t phase_of(const struct efa_twin_ring *ring, uint32_t count)
{
  return !(count / ring->depth & 1);
}

/* --- Commands
 * --------------------------------------------------------------------------------------- */

static efa_twin_command *const commands[] = {
    [EFA_ADMIN_CREATE_QP] = efa_twin_create_qp,     [EFA_ADMIN_MODIFY_QP] = efa_twin_modify_qp,
    [EFA_ADMIN_QUERY_QP] = efa_twin_query_qp,       [EFA_ADMIN_DESTROY_QP] = efa_twin_destroy_qp,
    [EFA_ADMIN_CREATE_AH] = efa_twin_create_ah,     [EFA_ADMIN_DESTROY_AH] = efa_twin_destroy_ah,
    [EFA_ADMIN_REG_MR] = efa_twin_reg_mr,           [EFA_ADMIN_DEREG_MR] = efa_twin_dereg_mr,
    [EFA_ADMIN_CREATE_CQ] = efa_twin_create_cq,     [EFA_ADMIN_DESTROY_CQ] = efa_twin_destroy_cq,
    [EFA_ADMIN_GET_FEATURE] = efa_twin_get_feature, [EFA_ADMIN_SET_FEATURE] = efa_twin_set_feature,
    [EFA_ADMIN_GET_STATS] = efa_twin_get_stats,     [EFA_ADMIN_ALLOC_PD] = efa_twin_alloc_pd,
    [EFA_ADMIN_DEALLOC_PD] = efa_twin_dealloc_pd,   [EFA_ADMIN_ALLOC_UAR] = efa_twin_alloc_uar,
    [EFA_ADMIN_DEALLOC_UAR] = efa_twin_dealloc_uar, [EFA_ADMIN_CREATE_EQ] = efa_twin_create_eq,
    [EFA_ADMIN_DESTROY_EQ] = efa_twin_destroy_eq,
};

static uint8_t execute(struct efa_twin *twin, const struct efa_aq_entry *entry,
                       struct efa_acq_entry *response)
{
  uint8_t opcode = entry->head.opcode;
  if ((entry->head.flags & EFA_AQ_PHASE) != phase_of(&twin->aq, twin->aq.count)) {
    twin->faults.bad_phase++;
    return EFA_ADMIN_MALFORMED_REQUEST;
  }
  if (opcode == EFA_ADMIN_ALLOC_MR)
    return EFA_ADMIN_UNSUPPORTED_OPCODE;
  if (opcode >= sizeof(commands) / sizeof(commands[0]) || !commands[opcode])
    return EFA_ADMIN_BAD_OPCODE;
  return commands[opcode](twin, entry, response);
}

static void complete(struct efa_twin *twin, struct efa_acq_entry *response)
{
  struct efa_twin_ring *acq = &twin->acq;
  struct efa_acq_entry *memory = shunt_model_dma(
      &twin->model, acq->base + (uint64_t)(acq->count % acq->depth) * EFA_ACQ_ENTRY_BYTES,
      EFA_ACQ_ENTRY_BYTES, 1);
  if (memory) {
    response->head.sq_head = (uint16_t)twin->aq.count;
    memcpy(memory->body, response->body, sizeof(memory->body));
    memory->head.command = response->head.command;
    memory->head.status = response->head.status;
    memory->head.extended_status = 0;
    memory->head.sq_head = response->head.sq_head;
    __atomic_store_n(&memory->head.flags, phase_of(acq, acq->count), __ATOMIC_RELEASE);
  }
  acq->count++;
  efa_twin_admin_interrupt(twin);
}

static bool next_command(struct efa_twin *twin)
{
  struct efa_twin_ring *aq = &twin->aq;
  struct efa_aq_entry entry;
  const void *memory = shunt_model_dma(
      &twin->model, aq->base + (uint64_t)(aq->count % aq->depth) * EFA_AQ_ENTRY_BYTES,
      EFA_AQ_ENTRY_BYTES, 0);
  if (!memory) {
    twin->faults.bad_queue++;
    return false;
  }
  memcpy(&entry, memory, sizeof(entry)); /* once: the driver may change it meanwhile */
  struct efa_acq_entry response = {.head.command = entry.head.command_id & EFA_AQ_COMMAND_ID};
  response.head.status = execute(twin, &entry, &response);
  twin->commands++;
  twin->faults.bad_command += response.head.status != EFA_ADMIN_SUCCESS;
  aq->count++;
  complete(twin, &response);
  return true;
}

void efa_twin_admin_poll(struct efa_twin *twin, uint32_t produced)
{
  if (!twin->aq.depth || !twin->acq.depth) {
    twin->faults.bad_queue++;
    return;
  }
  if (produced - twin->aq.count > twin->aq.depth) {
    twin->faults.bad_doorbell++;
    return;
  }
  while (twin->aq.depth && twin->aq.count != produced && next_command(twin)) {
  }
}

/* --- Events
 * ------------------------------------------------------------------------------------------- */

bool efa_twin_event(struct efa_twin *twin, uint16_t group, uint16_t syndrome)
{
  struct efa_twin_ring *aenq = &twin->aenq;
  if (!aenq->depth || !(twin->aenq_groups & 1u << group))
    return false;
  uint32_t unread = aenq->count - twin->aenq_consumed;
  struct efa_aenq_entry *memory = NULL;
  if (unread < aenq->depth)
    memory = shunt_model_dma(&twin->model,
                             aenq->base + (uint64_t)(aenq->count % aenq->depth) * sizeof(*memory),
                             sizeof(*memory), 1);
  if (!memory) {
    twin->faults.aenq_full++;
    return false;
  }
  memory->group = group;
  memory->syndrome = syndrome;
  memory->timestamp_lo = (uint32_t)twin->now_ns;
  memory->timestamp_hi = (uint32_t)(twin->now_ns >> 32);
  __atomic_store_n(&memory->flags, phase_of(aenq, aenq->count), __ATOMIC_RELEASE);
  aenq->count++;
  efa_twin_admin_interrupt(twin);
  return true;
}

unsigned efa_twin_keep_alive(struct efa_twin *twin)
{
  if (!twin->keep_alive_ns || twin->now_ns < twin->keep_alive_ns)
    return 0;
  twin->keep_alive_ns = twin->now_ns + twin->options.keep_alive_ms * NS_PER_MS;
  bool told = efa_twin_event(twin, EFA_AENQ_KEEP_ALIVE, 0);
  twin->keep_alives += told;
  return told;
}
