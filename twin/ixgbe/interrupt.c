/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts (datasheet 7.3, 8.2.3.5).
 *
 * With GPIE.MULTIPLE_MSIX a queue's cause is the vector that its IVAR byte names, 0-63, of which
 * EICR shows 0-15; the causes in EICR bits 16-30 share the vectors of IVAR_MISC. Without it a
 * queue's cause is one of EICR bits 0-15, and all causes share vector 0 or the INTx line.
 *
 * A message is sent when something that is set and not masked was not so before; EITR may hold it
 * back. Sending clears the causes that EIAC names and masks those that EIAM names (GPIE.EIAME).
 * What was set while masked is sent when EIMS unmasks it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ixgbe/ixgbe.h"

#define OTHER_CAUSES 0x7FFF0000u /* EICR bits that are no queue's */
#define SHARED       0u          /* the vector of all causes without MULTIPLE_MSIX */
#define BIT(n)       (UINT64_C(1) << (n))

/* ITR_COUNTER counts down in the same unit as INTERVAL. */
#define EITR_KEPT (IXGBE_EITR_INTERVAL | IXGBE_EITR_LLI_MOD | IXGBE_EITR_LLI_CREDIT)

struct twin_ixgbe_interrupts {
  uint64_t causes; /* of queues, one bit for each vector; 0-15 are EICR bits 0-15 */
  uint64_t mask;   /* set: may interrupt; 0-15 are EIMS bits 0-15 */
  uint64_t automask;
  uint32_t other;      /* causes in EICR bits 16-30 */
  uint32_t other_mask; /* EIMS bits 16-31 */
  uint32_t other_automask;
  uint32_t autoclear; /* EIAC */
  uint64_t waiting;   /* vectors held back by EITR */
  uint64_t quiet_until_ns[TWIN_IXGBE_VECTORS];
  bool line; /* INTx */
};

/* ---- Which vector ---- */

static bool is_multiple(const struct twin_ixgbe *twin)
{
  return twin_ixgbe_get(twin, IXGBE_GPIE) & IXGBE_GPIE_MULTIPLE_MSIX;
}

/* The vector of an IVAR entry, or -1. */
static int ivar_vector(uint32_t ivar, unsigned shift)
{
  uint32_t entry = ivar >> shift;
  return entry & IXGBE_IVAR_VALID ? (int)(entry & IXGBE_IVAR_ALLOC) : -1;
}

static uint64_t ivar_bit(const struct twin_ixgbe *twin, uint32_t offset, unsigned shift)
{
  int vector = ivar_vector(twin_ixgbe_get(twin, offset), shift);
  return vector < 0 ? 0 : BIT(vector);
}

/* Vectors for which an unmasked cause of those given is set. */
static uint64_t vectors_of(const struct twin_ixgbe *twin, uint64_t causes, uint32_t other)
{
  const struct twin_ixgbe_interrupts *irq = twin->interrupts;
  causes &= irq->mask;
  other &= irq->other_mask;
  if (!is_multiple(twin))
    return causes || other ? BIT(SHARED) : 0;
  if (other & IXGBE_EICR_TCP_TIMER)
    causes |= ivar_bit(twin, IXGBE_IVAR_MISC, IXGBE_IVAR_TIMER_SHIFT);
  if (other & ~IXGBE_EICR_TCP_TIMER)
    causes |= ivar_bit(twin, IXGBE_IVAR_MISC, IXGBE_IVAR_OTHER_SHIFT);
  return causes;
}

static uint64_t vectors_pending(const struct twin_ixgbe *twin)
{
  return vectors_of(twin, twin->interrupts->causes, twin->interrupts->other);
}

/* ---- Sending ---- */

static void host_interrupt(struct twin_ixgbe *twin, unsigned vector, int level)
{
  if (twin->model.host.interrupt)
    twin->model.host.interrupt(twin->model.host.context, vector, level);
}

/* What EIAM masks and EIAC clears when vector is sent: the causes that it stands for. */
static void after_send(struct twin_ixgbe *twin, unsigned vector)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  bool is_shared = !is_multiple(twin);
  uint64_t causes = is_shared ? irq->causes : irq->causes & BIT(vector);
  bool carries_other = is_shared ||
                       ivar_bit(twin, IXGBE_IVAR_MISC, IXGBE_IVAR_OTHER_SHIFT) == BIT(vector) ||
                       ivar_bit(twin, IXGBE_IVAR_MISC, IXGBE_IVAR_TIMER_SHIFT) == BIT(vector);
  uint32_t other = carries_other ? irq->other & irq->other_mask : 0;
  if (twin_ixgbe_get(twin, IXGBE_GPIE) & IXGBE_GPIE_EIAME) {
    irq->mask &= ~(causes & irq->automask);
    irq->other_mask &= ~(other & irq->other_automask);
  }
  /* Vectors 16-63 have no place in EICR and always clear (8.2.3.5.5). */
  irq->causes &= ~(causes & (irq->autoclear | ~(uint64_t)IXGBE_EICR_RTX_QUEUE));
  irq->other &= ~(other & irq->autoclear);
}

static uint64_t eitr_interval_ns(const struct twin_ixgbe *twin, unsigned vector)
{
  uint32_t units = HW_GET(IXGBE_EITR_INTERVAL, twin_ixgbe_get(twin, IXGBE_EITR(vector)));
  return (uint64_t)units * IXGBE_EITR_UNIT_NS;
}

static void vector_send(struct twin_ixgbe *twin, unsigned vector)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  irq->waiting &= ~BIT(vector);
  irq->quiet_until_ns[vector] = twin->now_ns + eitr_interval_ns(twin, vector);
  after_send(twin, vector);
  host_interrupt(twin, vector, 1);
}

/* Send each of these vectors, or keep it for when its EITR lets it go. */
static void vectors_raise(struct twin_ixgbe *twin, uint64_t vectors, bool is_immediate)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  if (!is_multiple(twin) && !twin_ixgbe_config_sends_messages(twin))
    return; /* the INTx line follows the causes by itself */
  for (uint64_t left = vectors; left; left &= left - 1) {
    unsigned vector = (unsigned)__builtin_ctzll(left);
    if (is_immediate || twin->now_ns >= irq->quiet_until_ns[vector])
      vector_send(twin, vector);
    else
      irq->waiting |= BIT(vector);
  }
}

void twin_ixgbe_interrupts_update(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  bool line = !is_multiple(twin) && twin_ixgbe_config_intx_allowed(twin) && vectors_pending(twin);
  if (line == irq->line)
    return;
  irq->line = line;
  twin_ixgbe_config_intx_status(twin, line);
  host_interrupt(twin, SHUNT_MODEL_INTX, line);
}

/* Set causes; send what that newly makes pending. */
static void causes_set(struct twin_ixgbe *twin, uint64_t causes, uint32_t other)
{
  uint64_t before = vectors_pending(twin);
  twin->interrupts->causes |= causes;
  twin->interrupts->other |= other & OTHER_CAUSES;
  vectors_raise(twin, vectors_pending(twin) & ~before, false);
  twin_ixgbe_interrupts_update(twin);
}

/* ---- Causes from the rest of the twin ---- */

void twin_ixgbe_interrupt_queue(struct twin_ixgbe *twin, uint8_t ivar)
{
  unsigned vector = ivar & IXGBE_IVAR_ALLOC;
  if (!is_multiple(twin))
    vector &= 0xF; /* EICR has 16 bits for queues */
  if (twin->interrupts->causes & twin->interrupts->mask & BIT(vector))
    return; /* pending already: the usual case under load */
  causes_set(twin, BIT(vector), 0);
}

void twin_ixgbe_interrupt_cause(struct twin_ixgbe *twin, uint32_t eicr_bits)
{
  causes_set(twin, 0, eicr_bits);
}

/* ---- Registers ---- */

static uint32_t eicr_value(const struct twin_ixgbe *twin)
{
  const struct twin_ixgbe_interrupts *irq = twin->interrupts;
  uint32_t value = ((uint32_t)irq->causes & IXGBE_EICR_RTX_QUEUE) | irq->other;
  return (irq->other & ~IXGBE_EICR_TCP_TIMER) ? value | IXGBE_EICR_OTHER : value;
}

static void causes_clear(struct twin_ixgbe *twin, uint32_t bits)
{
  twin->interrupts->causes &= ~(uint64_t)(bits & IXGBE_EICR_RTX_QUEUE);
  twin->interrupts->other &= ~bits;
  twin_ixgbe_interrupts_update(twin);
}

/* Reading clears all, or with GPIE.OCD the other causes only; it masks what EIAM names, where
 * delivery has not done so (8.2.3.5.1, 8.2.3.5.6). */
static uint32_t eicr_read(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  uint32_t gpie = twin_ixgbe_get(twin, IXGBE_GPIE);
  uint32_t value = eicr_value(twin);
  if (!(gpie & IXGBE_GPIE_EIAME)) {
    irq->mask &= ~(irq->automask & value & IXGBE_EICR_RTX_QUEUE);
    irq->other_mask &= ~(irq->other_automask & value);
  }
  causes_clear(twin, gpie & IXGBE_GPIE_OCD ? value & ~IXGBE_EICR_RTX_QUEUE : value);
  return value;
}

/* Unmask: what is pending behind these bits interrupts again (7.3.1.3). */
static void mask_set(struct twin_ixgbe *twin, uint64_t queues, uint32_t other)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  irq->mask |= queues;
  irq->other_mask |= other & ~IXGBE_EICR_RTX_QUEUE;
  vectors_raise(twin, vectors_of(twin, irq->causes & queues, irq->other & other), false);
  twin_ixgbe_interrupts_update(twin);
}

static void mask_clear(struct twin_ixgbe *twin, uint64_t queues, uint32_t other)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  irq->mask &= ~queues;
  irq->other_mask &= ~(other & ~IXGBE_EICR_RTX_QUEUE);
  irq->waiting &= vectors_pending(twin);
  twin_ixgbe_interrupts_update(twin);
}

/* Software's own causes raise their vectors also where the cause was set already. */
static void eics_write(struct twin_ixgbe *twin, uint64_t queues, uint32_t other)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  bool is_immediate = twin_ixgbe_get(twin, IXGBE_GPIE) & IXGBE_GPIE_EIMEN;
  irq->causes |= queues;
  irq->other |= other & OTHER_CAUSES;
  vectors_raise(twin, vectors_of(twin, queues, other & OTHER_CAUSES), is_immediate);
  twin_ixgbe_interrupts_update(twin);
}

static uint64_t extended_bits(unsigned word, uint32_t value)
{
  return (uint64_t)value << (32 * word);
}

/* Bits 0-15 of a register that speaks of all causes, as those of queues. */
static uint64_t queue_bits(uint32_t value)
{
  return value & IXGBE_EICR_RTX_QUEUE;
}

static uint32_t joined(uint64_t queues, uint32_t other)
{
  return ((uint32_t)queues & IXGBE_EICR_RTX_QUEUE) | (other & ~IXGBE_EICR_RTX_QUEUE);
}

bool twin_ixgbe_interrupt_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value)
{
  const struct twin_ixgbe_interrupts *irq = twin->interrupts;
  switch (offset) {
  case IXGBE_EICR:
    *value = eicr_read(twin);
    return true;
  case IXGBE_EICS: /* Linux looks here without clearing */
    *value = eicr_value(twin);
    return true;
  case IXGBE_EIMS:
    *value = joined(irq->mask, irq->other_mask);
    return true;
  case IXGBE_EIAC:
    *value = irq->autoclear;
    return true;
  case IXGBE_EIAM:
    *value = joined(irq->automask, irq->other_automask);
    return true;
  case IXGBE_EIMS_EX(0):
  case IXGBE_EIMS_EX(1):
    *value = (uint32_t)(irq->mask >> (offset == IXGBE_EIMS_EX(1) ? 32 : 0));
    return true;
  case IXGBE_EIAM_EX(0):
  case IXGBE_EIAM_EX(1):
    *value = (uint32_t)(irq->automask >> (offset == IXGBE_EIAM_EX(1) ? 32 : 0));
    return true;
  case IXGBE_EIMC:
  case IXGBE_EICS_EX(0):
  case IXGBE_EICS_EX(1):
  case IXGBE_EIMC_EX(0):
  case IXGBE_EIMC_EX(1):
    *value = 0;
    return true;
  default: /* EITR, GPIE */
    return false;
  }
}

/* Not CNT_WDIS: the counter is set too, which ends or begins the present interval (8.2.3.5.12). */
static void eitr_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  unsigned vector = offset < IXGBE_EITR(24u) ? (offset - IXGBE_EITR(0u)) / 4
                                             : 24 + (offset - IXGBE_EITR(24u)) / 4;
  twin_ixgbe_set(twin, offset, value & EITR_KEPT);
  if (vector >= TWIN_IXGBE_VECTORS || (value & IXGBE_EITR_CNT_WDIS))
    return;
  uint64_t units = HW_GET(IXGBE_EITR_ITR_COUNTER, value);
  irq->quiet_until_ns[vector] = twin->now_ns + units * IXGBE_EITR_UNIT_NS;
}

/* A change of mode moves causes to other vectors: what is pending is sent there. */
static void gpie_write(struct twin_ixgbe *twin, uint32_t value)
{
  uint32_t changed = twin_ixgbe_get(twin, IXGBE_GPIE) ^ value;
  twin_ixgbe_set(twin, IXGBE_GPIE, value);
  if (!(changed & IXGBE_GPIE_MULTIPLE_MSIX))
    return;
  twin->interrupts->waiting = 0;
  vectors_raise(twin, vectors_pending(twin), false);
  twin_ixgbe_interrupts_update(twin);
}

bool twin_ixgbe_interrupt_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  switch (offset) {
  case IXGBE_EICR:
    causes_clear(twin, value);
    return true;
  case IXGBE_EICS:
    eics_write(twin, queue_bits(value), value);
    return true;
  case IXGBE_EIMS:
    mask_set(twin, queue_bits(value), value);
    return true;
  case IXGBE_EIMC:
    mask_clear(twin, queue_bits(value), value);
    return true;
  case IXGBE_EIAC:
    irq->autoclear = value & ~IXGBE_EICR_OTHER;
    return true;
  case IXGBE_EIAM:
    irq->automask = (irq->automask & ~(uint64_t)IXGBE_EICR_RTX_QUEUE) | queue_bits(value);
    irq->other_automask = value & ~IXGBE_EICR_RTX_QUEUE;
    return true;
  case IXGBE_EICS_EX(0):
  case IXGBE_EICS_EX(1):
    eics_write(twin, extended_bits(offset == IXGBE_EICS_EX(1), value), 0);
    return true;
  case IXGBE_EIMS_EX(0):
  case IXGBE_EIMS_EX(1):
    mask_set(twin, extended_bits(offset == IXGBE_EIMS_EX(1), value), 0);
    return true;
  case IXGBE_EIMC_EX(0):
  case IXGBE_EIMC_EX(1):
    mask_clear(twin, extended_bits(offset == IXGBE_EIMC_EX(1), value), 0);
    return true;
  case IXGBE_EIAM_EX(0):
    irq->automask = (irq->automask & ~(uint64_t)UINT32_MAX) | value;
    return true;
  case IXGBE_EIAM_EX(1):
    irq->automask = (irq->automask & UINT32_MAX) | extended_bits(1, value);
    return true;
  case IXGBE_GPIE:
    gpie_write(twin, value);
    return true;
  default:
    eitr_write(twin, offset, value);
    return true;
  }
}

/* ---- Time ---- */

/* Of the vectors that wait, send those whose interval has ended. */
static __attribute__((__noinline__)) unsigned waiting_send(struct twin_ixgbe *twin, uint64_t now_ns)
{
  struct twin_ixgbe_interrupts *irq = twin->interrupts;
  irq->waiting &= vectors_pending(twin);
  unsigned sent = 0;
  for (uint64_t left = irq->waiting; left; left &= left - 1) {
    unsigned vector = (unsigned)__builtin_ctzll(left);
    if (now_ns < irq->quiet_until_ns[vector])
      continue;
    vector_send(twin, vector);
    sent++;
  }
  return sent;
}

unsigned twin_ixgbe_interrupts_poll(struct twin_ixgbe *twin, uint64_t now_ns)
{
  return SHUNT_LIKELY(!twin->interrupts->waiting) ? 0 : waiting_send(twin, now_ns);
}

uint64_t twin_ixgbe_interrupts_next_ns(const struct twin_ixgbe *twin)
{
  const struct twin_ixgbe_interrupts *irq = twin->interrupts;
  uint64_t next = UINT64_MAX;
  for (uint64_t left = irq->waiting; left; left &= left - 1) {
    uint64_t due = irq->quiet_until_ns[__builtin_ctzll(left)];
    next = due < next ? due : next;
  }
  return next;
}

/* ---- Life ---- */

int twin_ixgbe_interrupts_create(struct twin_ixgbe *twin)
{
  twin->interrupts = calloc(1, sizeof(*twin->interrupts));
  return twin->interrupts ? 0 : -ENOMEM;
}

void twin_ixgbe_interrupts_destroy(struct twin_ixgbe *twin)
{
  free(twin->interrupts);
  twin->interrupts = NULL;
}

void twin_ixgbe_interrupts_reset(struct twin_ixgbe *twin)
{
  bool line = twin->interrupts->line;
  memset(twin->interrupts, 0, sizeof(*twin->interrupts));
  twin->interrupts->line = line;
  twin_ixgbe_interrupts_update(twin);
}
