/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/efvi/checked.h"

#ifdef SHUNT_CHECKED

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- Places -------------------------------------------------------------------------------------
 */

/* The call that this thread is in, as the program made it. */
static _Thread_local struct {
  unsigned depth;
  const char *call;
  const void *site;
} current;

/* What addr2line wants: an address in the file, which of an executable at a fixed place is the one
 * in memory. */
static size_t file_offset(const Dl_info *info, const void *site)
{
  const Elf64_Ehdr *header = info->dli_fbase;
  const size_t address = (size_t)(uintptr_t)site;
  return header->e_type == ET_EXEC ? address : address - (size_t)(uintptr_t)info->dli_fbase;
}

void efvi_check_site(struct shunt_error *error)
{
  char reason[SHUNT_ERROR_TEXT_BYTES];
  Dl_info info;
  if (!current.depth)
    return;
  memcpy(reason, error->why, sizeof(reason));
  const char *between = *reason ? "; " : "";
  const void *call = (const char *)current.site - 1; /* the return address lies behind it */
  if (!dladdr(call, &info) || !info.dli_fname) {
    shunt_error_why(error, "%s%s%s was called at %p", reason, between, current.call, call);
    return;
  }
  const char *slash = strrchr(info.dli_fname, '/');
  const size_t offset = file_offset(&info, call);
  shunt_error_why(error, "%.120s%s%s was called at %.60s+0x%zx%s%.40s", reason, between,
                  current.call, slash ? slash + 1 : info.dli_fname, offset,
                  info.dli_sname ? " in " : "", info.dli_sname ? info.dli_sname : "");
  if (!error->remedy[0])
    shunt_error_remedy(error, "addr2line -f -e %s 0x%zx names the line", info.dli_fname, offset);
}

/* --- One thread at a time -----------------------------------------------------------------------
 */

struct efvi_inside efvi_check_enter(struct efvi_vi *vi, const char *call, const void *site)
{
  struct efvi_inside inside = {.vi = vi ? efvi_own(vi->user->evq_vi) : NULL};
  const int self = gettid();
  int other = 0;
  if (current.depth++ == 0) {
    current.call = call;
    current.site = site;
  }
  if (!vi)
    return inside;
  vi = inside.vi;
  if (__atomic_compare_exchange_n(&vi->check.thread, &other, self, false, __ATOMIC_ACQUIRE,
                                  __ATOMIC_RELAXED)) {
    vi->check.depth = 1;
    __atomic_store_n(&vi->check.call, call, __ATOMIC_RELAXED);
  } else if (other == self) {
    vi->check.depth++;
  } else {
    const char *theirs = __atomic_load_n(&vi->check.call, __ATOMIC_RELAXED);
    efvi_keep(-EBUSY, "two threads call one interface: thread %d is in %s, thread %d came", other,
              theirs ? theirs : "a call", self);
    inside = (struct efvi_inside){.refused = true};
  }
  return inside;
}

void efvi_check_leave(struct efvi_inside *inside)
{
  current.depth--;
  if (inside->vi && --inside->vi->check.depth == 0)
    __atomic_store_n(&inside->vi->check.thread, 0, __ATOMIC_RELEASE);
}

void efvi_check_end(struct efvi_inside *inside, const struct efvi_vi *vi)
{
  if (inside->vi == vi)
    inside->vi = NULL;
}

/* --- Rules --------------------------------------------------------------------------------------
 */

static bool overlap(const uint8_t *one, uint64_t bytes, const uint8_t *other, uint64_t other_bytes)
{
  return one && one < other + other_bytes && other < one + bytes;
}

/* Whether a receive buffer that the interface has shares bytes with these. *id: the buffer's;
 * EF_REQUEST_ID_MASK of one that a packed stream is filling, and that has none any more. */
static bool has_posted(const struct efvi_vi *vi, const uint8_t *first, uint64_t bytes, uint32_t *id)
{
  const bool packed = vi->rx_mode == EFVI_RX_PACKED;
  for (uint32_t i = vi->state.rxq.removed; i != vi->state.rxq.added; i++) {
    const uint32_t slot = i & vi->user->vi_rxq.mask;
    const uint32_t room = packed ? efvi_packed_bytes(vi) : vi->rx_rooms[slot];
    *id = vi->user->vi_rxq.ids[slot];
    if (overlap(vi->rx_targets[slot], room, first, bytes))
      return true;
  }
  *id = EF_REQUEST_ID_MASK;
  return packed && overlap(vi->packed, efvi_packed_bytes(vi), first, bytes);
}

static int buffer_in_use(int code, const struct efvi_vi *vi, uint32_t id)
{
  if (id == EF_REQUEST_ID_MASK)
    return efvi_refuse(code, "a packed stream fills a receive buffer there, of queue %u",
                       vi->queue->index);
  return efvi_refuse(code, "request id %u is a receive buffer there, posted on queue %u", id,
                     vi->queue->index);
}

/* Posting memory that lies on a ring, whichever, has two packets written over each other. */
static int check_buffer(const struct efvi_vi *vi, ef_addr addr)
{
  const uint32_t bytes =
      vi->rx_mode == EFVI_RX_PACKED ? efvi_packed_bytes(vi) : vi->user->rx_buffer_len;
  const uint8_t *target = efvi_address(vi->pd, addr, bytes);
  const struct efvi_vi *owner = NULL;
  uint32_t id = 0;
  if (!target)
    return 0; /* the call itself says so */
  efvi_lock();
  for (const struct efvi_device *device = efvi_state()->devices; device; device = device->next)
    for (unsigned q = 0; q < EFVI_QUEUES && !owner; q++)
      if (device->queues[q].owner && has_posted(device->queues[q].owner, target, bytes, &id))
        owner = device->queues[q].owner;
  const int result = owner ? buffer_in_use(-EEXIST, owner, id) : 0;
  efvi_unlock();
  return result;
}

bool efvi_check_event(struct efvi_vi *vi, const ef_event *event)
{
  const uint32_t waiting = vi->tx_told - vi->state.txq.removed;
  const uint16_t wanted = (uint16_t)(event->tx.desc_id - (uint16_t)vi->state.txq.removed);
  if (EF_EVENT_TYPE(*event) != EF_EVENT_TYPE_TX && EF_EVENT_TYPE(*event) != EF_EVENT_TYPE_TX_ERROR)
    efvi_keep(-EINVAL, "an event of type %u has no request ids of sent packets",
              EF_EVENT_TYPE(*event));
  else if (wanted == 0 || wanted > waiting)
    efvi_keep(-EINVAL, "request ids out of date: the event was unbundled already, or is of "
                       "before a flush");
  else
    return true;
  return false;
}

int efvi_check_memory(const struct efvi_pd *pd, uint64_t first_page, uint64_t pages)
{
  uint32_t id;
  for (unsigned q = 0; q < EFVI_QUEUES; q++) {
    const struct efvi_vi *vi = pd->device->queues[q].owner;
    if (vi && vi->pd == pd &&
        has_posted(vi, pd->pages[first_page], pages << EF_VI_NIC_PAGE_SHIFT, &id))
      return buffer_in_use(-EBUSY, vi, id);
  }
  return 0;
}

/* --- The operations, entered --------------------------------------------------------------------
 */

#define CHECKED(name, call, type, refusal, parameters, ...)                                        \
  static type checked_##name parameters                                                            \
  {                                                                                                \
    EFVI_ENTER(efvi_own(user), call, refusal);                                                     \
    return efvi_ops.name(user, ##__VA_ARGS__);                                                     \
  }
#define CHECKED_VOID(name, call, parameters, ...)                                                  \
  static void checked_##name parameters                                                            \
  {                                                                                                \
    EFVI_ENTER(efvi_own(user), call, );                                                            \
    efvi_ops.name(user, ##__VA_ARGS__);                                                            \
  }

static int checked_receive_init(ef_vi *user, ef_addr addr, ef_request_id id)
{
  struct efvi_vi *vi = efvi_own(user);
  EFVI_ENTER(vi, "ef_vi_receive_init", -EBUSY);
  int result = check_buffer(vi, addr);
  return result ? result : efvi_ops.receive_init(user, addr, id);
}

CHECKED(transmit, "ef_vi_transmit", int, -EBUSY,
        (ef_vi * user, ef_addr base, int len, ef_request_id id), base, len, id)
CHECKED(transmitv, "ef_vi_transmitv", int, -EBUSY,
        (ef_vi * user, const ef_iovec *iov, int n, ef_request_id id), iov, n, id)
CHECKED(transmitv_init, "ef_vi_transmitv_init", int, -EBUSY,
        (ef_vi * user, const ef_iovec *iov, int n, ef_request_id id), iov, n, id)
CHECKED_VOID(transmit_push, "ef_vi_transmit_push", (ef_vi * user))
CHECKED(transmit_pio, "ef_vi_transmit_pio", int, -EBUSY,
        (ef_vi * user, int offset, int len, ef_request_id id), offset, len, id)
CHECKED(transmit_copy_pio, "ef_vi_transmit_copy_pio", int, -EBUSY,
        (ef_vi * user, int offset, const void *data, int len, ef_request_id id), offset, data, len,
        id)
CHECKED_VOID(start_transmit_warm, "ef_vi_start_transmit_warm",
             (ef_vi * user, ef_vi_tx_warm_state *saved, char *ctpio), saved, ctpio)
CHECKED_VOID(stop_transmit_warm, "ef_vi_stop_transmit_warm",
             (ef_vi * user, ef_vi_tx_warm_state *saved), saved)
CHECKED_VOID(transmit_pio_warm, "ef_vi_transmit_pio_warm", (ef_vi * user))
CHECKED_VOID(transmit_copy_pio_warm, "ef_vi_transmit_copy_pio_warm",
             (ef_vi * user, int offset, const void *data, int len), offset, data, len)
CHECKED_VOID(transmitv_ctpio, "ef_vi_transmitv_ctpio",
             (ef_vi * user, size_t bytes, const struct iovec *iov, int n, unsigned threshold),
             bytes, iov, n, threshold)
CHECKED_VOID(transmitv_ctpio_copy, "ef_vi_transmitv_ctpio_copy",
             (ef_vi * user, size_t bytes, const struct iovec *iov, int n, unsigned threshold,
              void *fallback),
             bytes, iov, n, threshold, fallback)
CHECKED(transmit_ctpio_fallback, "ef_vi_transmit_ctpio_fallback", int, -EBUSY,
        (ef_vi * user, ef_addr addr, size_t len, ef_request_id id), addr, len, id)
CHECKED(transmitv_ctpio_fallback, "ef_vi_transmitv_ctpio_fallback", int, -EBUSY,
        (ef_vi * user, const ef_iovec *iov, int n, ef_request_id id), iov, n, id)
CHECKED(transmit_alt_select, "ef_vi_transmit_alt_select", int, -EBUSY, (ef_vi * user, unsigned id),
        id)
CHECKED(transmit_alt_select_default, "ef_vi_transmit_alt_select_normal", int, -EBUSY,
        (ef_vi * user))
CHECKED(transmit_alt_stop, "ef_vi_transmit_alt_stop", int, -EBUSY, (ef_vi * user, unsigned id), id)
CHECKED(transmit_alt_go, "ef_vi_transmit_alt_go", int, -EBUSY, (ef_vi * user, unsigned id), id)
CHECKED(transmit_alt_discard, "ef_vi_transmit_alt_discard", int, -EBUSY,
        (ef_vi * user, unsigned id), id)
CHECKED(receive_set_discards, "ef_vi_receive_set_discards", int, -EBUSY,
        (ef_vi * user, unsigned flags), flags)
CHECKED(receive_get_discards, "ef_vi_receive_get_discards", uint64_t, 0, (ef_vi * user))
CHECKED_VOID(receive_push, "ef_vi_receive_push", (ef_vi * user))
CHECKED(receive_get_timestamp, "ef_vi_receive_get_precise_timestamp", int, -EBUSY,
        (ef_vi * user, const void *pkt, ef_precisetime *time), pkt, time)
CHECKED(receive_poll, "ef_receive_poll", int, -EBUSY, (ef_vi * user, ef_event *events, int n),
        events, n)
CHECKED(receive_get_filter_id, "ef_vi_receive_get_filter_id", int32_t, -EBUSY,
        (ef_vi * user, const ef_event *event, const void *pkt), event, pkt)
CHECKED(set_client_buffer_count, "ef_vi_set_shrub_client_buffer_count", int, -EBUSY,
        (ef_vi * user, size_t count), count)
CHECKED(eventq_poll, "ef_eventq_poll", int, -EBUSY, (ef_vi * user, ef_event *events, int n), events,
        n)
CHECKED_VOID(eventq_prime, "ef_eventq_prime", (ef_vi * user))
CHECKED_VOID(eventq_timer_prime, "ef_eventq_timer_prime", (ef_vi * user, unsigned us), us)
CHECKED_VOID(eventq_timer_run, "ef_eventq_timer_run", (ef_vi * user, unsigned us), us)
CHECKED_VOID(eventq_timer_clear, "ef_eventq_timer_clear", (ef_vi * user))
CHECKED_VOID(eventq_timer_zero, "ef_eventq_timer_zero", (ef_vi * user))
CHECKED(eventq_has_event, "ef_eventq_has_event", int, 0, (const ef_vi *user))
CHECKED(eventq_has_many_events, "ef_eventq_has_many_events", int, 0, (const ef_vi *user, int n), n)

const struct ops efvi_ops_checked = {
    .transmit = checked_transmit,
    .transmitv = checked_transmitv,
    .transmitv_init = checked_transmitv_init,
    .transmit_push = checked_transmit_push,
    .transmit_pio = checked_transmit_pio,
    .transmit_copy_pio = checked_transmit_copy_pio,
    .start_transmit_warm = checked_start_transmit_warm,
    .stop_transmit_warm = checked_stop_transmit_warm,
    .transmit_pio_warm = checked_transmit_pio_warm,
    .transmit_copy_pio_warm = checked_transmit_copy_pio_warm,
    .transmitv_ctpio = checked_transmitv_ctpio,
    .transmitv_ctpio_copy = checked_transmitv_ctpio_copy,
    .transmit_ctpio_fallback = checked_transmit_ctpio_fallback,
    .transmitv_ctpio_fallback = checked_transmitv_ctpio_fallback,
    .transmit_alt_select = checked_transmit_alt_select,
    .transmit_alt_select_default = checked_transmit_alt_select_default,
    .transmit_alt_stop = checked_transmit_alt_stop,
    .transmit_alt_go = checked_transmit_alt_go,
    .transmit_alt_discard = checked_transmit_alt_discard,
    .receive_set_discards = checked_receive_set_discards,
    .receive_get_discards = checked_receive_get_discards,
    .receive_init = checked_receive_init,
    .receive_push = checked_receive_push,
    .receive_get_timestamp = checked_receive_get_timestamp,
    .receive_poll = checked_receive_poll,
    .receive_get_filter_id = checked_receive_get_filter_id,
    .set_client_buffer_count = checked_set_client_buffer_count,
    .eventq_poll = checked_eventq_poll,
    .eventq_prime = checked_eventq_prime,
    .eventq_timer_prime = checked_eventq_timer_prime,
    .eventq_timer_run = checked_eventq_timer_run,
    .eventq_timer_clear = checked_eventq_timer_clear,
    .eventq_timer_zero = checked_eventq_timer_zero,
    .eventq_has_event = checked_eventq_has_event,
    .eventq_has_many_events = checked_eventq_has_many_events,
};

#endif
