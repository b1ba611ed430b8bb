/* SPDX-License-Identifier: BSD-2-Clause */
/* What the device has to say by itself: that it lives, that it has failed (AENQ); and what wakes
 * who sleeps: an event queue and an MSI-X vector for each completion queue that sleeps. */
#include <errno.h>
#include <unistd.h>

#include "src/nic/efa/efa.h"

#define WAKER_DEPTH 64u /* events; a completion queue has at most one under way */

/* --- Events of the device ------------------------------------------------------------------------
 */

void efa_events_start(struct efa *efa)
{
  efa->alive_ns = efa_now_ns(efa);
  efa->has_failed = false;
}

static void take_event(struct efa *efa, const struct efa_aenq_entry *event)
{
  switch (event->group) {
  case EFA_AENQ_KEEP_ALIVE:
    efa->keep_alives++;
    efa->alive_ns = efa_now_ns(efa);
    break;
  case EFA_AENQ_FATAL_ERROR:
    efa->has_failed = true;
    efa->failure = event->syndrome;
    break;
  default:
    efa->warnings += event->group == EFA_AENQ_WARNING;
    efa->notifications += event->group != EFA_AENQ_WARNING;
    shunt_log_write(efa->pci->log, SHUNT_LOG_WARNING, "%s reports an event: group %u, syndrome %u",
                    efa->pci->address, event->group, event->syndrome);
    break;
  }
}

/* At most one round: a device that never stops is a device that keeps us from our work. */
static void take_events(struct efa *efa)
{
  const struct efa_aenq_entry *ring = efa_events_ring(efa);
  uint32_t first = efa->events;
  while (efa->events - first < EFA_AENQ_DEPTH) {
    const struct efa_aenq_entry *event = &ring[efa->events % EFA_AENQ_DEPTH];
    uint8_t phase = !(efa->events / EFA_AENQ_DEPTH & 1);
    if ((__atomic_load_n(&event->flags, __ATOMIC_ACQUIRE) & EFA_AENQ_PHASE) != phase)
      break;
    take_event(efa, event);
    efa->events++;
  }
  if (efa->events != first)
    efa_write(efa, EFA_AENQ_CONS_DB, efa->events);
}

static int has_failed(struct efa *efa, struct shunt_error *error)
{
  shunt_error_set(error, -EIO, "%s has failed", efa->pci->address);
  shunt_error_why(error, "it has reported a fatal error, syndrome %u", efa->failure);
  shunt_error_remedy(error, "reset it (shunt_fabric_reset); if that does not help, the instance or "
                            "the machine has to be restarted");
  return -EIO;
}

/* No sign of life. What a register says of it tells a dead device from one that only stopped to
 * send events. */
static int is_silent(struct efa *efa, uint64_t silent_ns, struct shunt_error *error)
{
  uint32_t status;
  int result = efa_read(efa, EFA_DEV_STS, "DEV_STS", &status, error);
  if (result)
    return shunt_error_within(error, result, "%s: no keep-alive for %llu ms", efa->pci->address,
                              (unsigned long long)(silent_ns / EFA_NS_PER_MS));
  shunt_error_set(error, -ETIMEDOUT, "%s: no keep-alive for %llu ms", efa->pci->address,
                  (unsigned long long)(silent_ns / EFA_NS_PER_MS));
  shunt_error_why(
      error,
      "%llu came before; it should come each second or so, and %llu ms were waited for; "
      "DEV_STS reads 0x%08x%s",
      (unsigned long long)efa->keep_alives, (unsigned long long)(efa->watchdog_ns / EFA_NS_PER_MS),
      status, status & EFA_DEV_STS_FATAL_ERROR ? " (fatal error)" : "");
  shunt_error_remedy(error, "%s",
                     efa->fabric.steps
                         ? "see that somebody gives the twin its turns (shunt_testbed_poll), and "
                           "that keep_alive_ms is not 0"
                         : "reset the device (shunt_fabric_reset)");
  return -ETIMEDOUT;
}

int efa_check(struct shunt_fabric *fabric, struct shunt_error *error)
{
  struct efa *efa = efa_of(fabric);
  if (fabric->steps && !fabric->options.testbed)
    pci_step(efa->pci);
  take_events(efa);
  if (efa->has_failed)
    return has_failed(efa, error);
  uint64_t silent_ns = efa_now_ns(efa) - efa->alive_ns;
  if (efa->keeps_alive && silent_ns > efa->watchdog_ns)
    return is_silent(efa, silent_ns, error);
  return 0;
}

/* --- Wakers --------------------------------------------------------------------------------------
 */

static unsigned vector_of(const struct efa *efa, const struct efa_waker *waker)
{
  return EFA_VECTOR_EQ + (unsigned)(waker - efa->wakers);
}

int efa_waker_fd(const struct efa *efa, const struct efa_waker *waker)
{
  return efa->fds[vector_of(efa, waker)];
}

static int create_eq(struct efa *efa, struct efa_waker *waker, struct shunt_error *error)
{
  int result = efa_block_take(efa, WAKER_DEPTH * sizeof(struct efa_eqe), &waker->ring, error);
  if (result)
    return result;
  struct efa_create_eq command = {
      .head.opcode = EFA_ADMIN_CREATE_EQ,
      .depth = WAKER_DEPTH,
      .vector = (uint8_t)vector_of(efa, waker),
      .caps = (uint8_t)HW_FIELD(EFA_CREATE_EQ_ENTRY_WORDS, sizeof(struct efa_eqe) / 4u),
      .base = efa_address(waker->ring.address),
      .events = EFA_CREATE_EQ_COMPLETIONS};
  struct efa_acq_entry answer;
  result = efa_command(efa, &command, sizeof(command), &answer, error);
  if (result) {
    efa_block_give(&waker->ring);
    return result;
  }
  waker->eqn = ((const struct efa_number_response *)(const void *)&answer)->number;
  return 0;
}

int efa_waker_take(struct efa *efa, struct efa_waker **waker, struct shunt_error *error)
{
  unsigned sleepers = efa->fabric.options.sleepers;
  for (unsigned i = 0; i < sleepers; i++) {
    if (efa->wakers[i].taken)
      continue;
    efa->wakers[i] = (struct efa_waker){0};
    int result = create_eq(efa, &efa->wakers[i], error);
    efa->wakers[i].taken = !result;
    *waker = &efa->wakers[i];
    return result;
  }
  shunt_error_set(error, -ENOSPC, "no more completion queues of %s can sleep", efa->fabric.name);
  shunt_error_why(error, "it was opened for %u, and there are as many", sleepers);
  shunt_error_remedy(error, "open it with more sleepers");
  return -ENOSPC;
}

void efa_waker_give(struct efa *efa, struct efa_waker *waker, bool dead)
{
  struct efa_number command = {.head.opcode = EFA_ADMIN_DESTROY_EQ, .number = waker->eqn};
  struct shunt_error error;
  if (!dead && efa_command(efa, &command, sizeof(command), NULL, &error))
    shunt_log_error(efa->pci->log, SHUNT_LOG_WARNING, &error);
  efa_block_give(&waker->ring);
  waker->taken = false;
}

bool efa_waker_fired(struct efa *efa, struct efa_waker *waker)
{
  const struct efa_eqe *ring = waker->ring.memory;
  uint32_t first = waker->count;
  uint64_t wakes;
  while (waker->count - first < WAKER_DEPTH) {
    uint32_t common = __atomic_load_n(&ring[waker->count % WAKER_DEPTH].common, __ATOMIC_ACQUIRE);
    if (!(common & EFA_EQE_PHASE) == !(waker->count / WAKER_DEPTH & 1))
      break;
    waker->count++;
  }
  /* Back ends make them non-blocking; one that is empty is as good. */
  ssize_t drained = read(efa_waker_fd(efa, waker), &wakes, sizeof(wakes));
  (void)drained;
  return waker->count != first;
}

void efa_waker_arm(struct efa *efa, const struct efa_waker *waker)
{
  efa_write(efa, EFA_EQ_DB, HW_FIELD(EFA_EQ_DB_EQN, waker->eqn) | EFA_EQ_DB_ARM);
}
