/* SPDX-License-Identifier: BSD-2-Clause */
/* Completions, and the events that tell of them: an armed completion queue writes one event and is
 * not armed any more; an armed event queue then interrupts, and is not armed any more either. */
#include <stddef.h>
#include <string.h>

#include "twin/efa/efa.h"

/* --- Events
 * -------------------------------------------------------------------------------------------- */

static void interrupt_eq(struct efa_twin *twin, struct efa_twin_eq *eq)
{
  if (!eq->armed || !eq->waiting)
    return;
  eq->armed = false;
  eq->waiting = 0;
  efa_twin_interrupt(twin, eq->vector);
}

void efa_twin_eq_arm(struct efa_twin *twin, uint16_t eqn)
{
  if (eqn >= EFA_TWIN_EQS || !twin->eqs[eqn].live) {
    twin->faults.bad_doorbell++;
    return;
  }
  twin->eqs[eqn].armed = true;
  interrupt_eq(twin, &twin->eqs[eqn]);
}

static void tell(struct efa_twin *twin, struct efa_twin_cq *cq)
{
  struct efa_twin_eq *eq = &twin->eqs[cq->eqn];
  cq->armed = false;
  struct efa_eqe *memory =
      shunt_model_dma(&twin->model, eq->base + (uint64_t)(eq->count % eq->depth) * sizeof(*memory),
                      sizeof(*memory), 1);
  if (!memory)
    return;
  memory->cqn = (uint16_t)(cq - twin->cqs);
  uint32_t phase = eq->count / eq->depth & 1 ? 0 : EFA_EQE_PHASE;
  __atomic_store_n(&memory->common, HW_FIELD(EFA_EQE_TYPE, EFA_EQE_TYPE_COMPLETION) | phase,
                   __ATOMIC_RELEASE);
  eq->count++;
  eq->waiting++;
  interrupt_eq(twin, eq);
}

/* Armed by the doorbell, which also says how many completions the driver has seen: if there are
 * more, they are told of at once. */
unsigned efa_twin_events_poll(struct efa_twin *twin)
{
  unsigned done = 0;
  for (unsigned i = 0, left = twin->event_cqs; left; i++) {
    struct efa_twin_cq *cq = &twin->cqs[i];
    if (!cq->live || !cq->has_events)
      continue;
    left--;
    uint32_t doorbell = efa_twin_cq_doorbell(twin, cq);
    if (doorbell == cq->doorbell_seen)
      continue;
    cq->doorbell_seen = doorbell;
    done++;
    if (!(doorbell & EFA_CQ_DB_ARM))
      continue;
    cq->armed = true;
    if (HW_GET(EFA_CQ_DB_CONSUMER_INDEX, doorbell) != (cq->count & EFA_CQ_DB_CONSUMER_INDEX))
      tell(twin, cq);
  }
  return done;
}

/* --- Completions
 * ------------------------------------------------------------------------------------------ */

void efa_twin_complete(struct efa_twin *twin, uint16_t number, uint16_t sub_cq,
                       const struct efa_twin_completion *completion)
{
  struct efa_twin_cq *cq = &twin->cqs[number];
  uint32_t count = cq->counts[sub_cq]++;
  uint32_t entry = sub_cq * cq->depth + (count & (cq->depth - 1u));
  uint8_t *memory = shunt_model_dma_near(
      &twin->model, &cq->hint, cq->base + (uint64_t)entry * cq->entry_bytes, cq->entry_bytes, 1);
  cq->count++;
  if (!memory)
    return;
  if (cq->entry_bytes == sizeof(struct efa_cqe_wide)) {
    uint64_t behind[2] = {completion->length_hi};
    if (completion->source && cq->wants_source)
      memcpy(behind, completion->source, sizeof(behind));
    memcpy(memory + offsetof(struct efa_cqe_wide, u), behind, sizeof(behind));
  }
  memcpy(memory + sizeof(completion->low), &completion->high, sizeof(completion->high));
  /* The first eight bytes hold the phase: one store, when all else is there. */
  uint64_t phase = count & cq->depth ? 0 : (uint64_t)EFA_CQE_PHASE << 24;
  __atomic_store_n((uint64_t *)(void *)memory, completion->low | phase, __ATOMIC_RELEASE);
  if (cq->armed)
    tell(twin, cq);
}
