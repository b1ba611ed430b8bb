/* SPDX-License-Identifier: BSD-2-Clause */
/* Event queues: there is none in memory. A poll asks the rings of each interface that uses the
 * queue. */
#include <errno.h>
#include <stdlib.h>

#include "src/efvi/checked.h"

/* --- Polling ------------------------------------------------------------------------------------
 */

static int software_events(struct efvi_vi *vi, ef_event events[], int n)
{
  int made = 0;
  efvi_lock();
  for (; made < n && vi->sw_count > 0; made++) {
    events[made].sw.type = EF_EVENT_TYPE_SW;
    events[made].sw.data = vi->sw_events[0];
    for (unsigned i = 1; i < vi->sw_count; i++)
      vi->sw_events[i - 1] = vi->sw_events[i];
    __atomic_store_n(&vi->sw_count, vi->sw_count - 1, __ATOMIC_RELEASE);
  }
  efvi_unlock();
  return made;
}

static unsigned software_waits(const struct efvi_vi *vi)
{
  return __atomic_load_n(&vi->sw_count, __ATOMIC_ACQUIRE);
}

static void device_step(const struct efvi_vi *vi)
{
  if (SHUNT_UNLIKELY(vi->device->info.steps))
    shunt_port_step(vi->device->port);
}

/* Cards tell that a packet of an alternative was sent before they tell of its answer, and programs
 * build on that. So what came is taken first, and told of last. */
static int answers_last(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n)
{
  (void)efvi_receive_waits(vi);
  int made = efvi_transmit_events(vi, q_id, events, n);
  for (int got = 1; got && made < n && vi->frame_next < vi->frame_count; made += got)
    got = efvi_receive_events(vi, q_id, events + made, 1); /* and no frame that came since */
  return made;
}

int efvi_eventq_poll(ef_vi *user, ef_event *events, int n)
{
  struct efvi_vi *vi = efvi_own(user);
  int made = 0;
  if (SHUNT_UNLIKELY(!events || n < EF_VI_EVENT_POLL_MIN_EVS))
    return efvi_refuse(-EINVAL, "room for %d events: at least %d", n, EF_VI_EVENT_POLL_MIN_EVS);
  device_step(vi);
  for (int q = 0; q < user->vi_qs_n && made < n; q++) {
    if (!user->vi_qs[q])
      continue;
    struct efvi_vi *one = efvi_own(user->vi_qs[q]);
    if (SHUNT_UNLIKELY(one->alternatives != NULL)) {
      made += answers_last(one, (uint8_t)q, events + made, n - made);
      continue;
    }
    made += efvi_receive_events(one, (uint8_t)q, events + made, n - made);
    made += efvi_transmit_events(one, (uint8_t)q, events + made, n - made);
  }
  if (SHUNT_UNLIKELY(software_waits(vi)))
    made += software_events(vi, events + made, n - made);
  if (SHUNT_UNLIKELY(vi->timer_fd >= 0))
    efvi_timer_polled(vi, made > 0);
  if (SHUNT_UNLIKELY(vi->primed && made > 0))
    efvi_wake_over(user);
  vi->state.evq.evq_ptr += (uint32_t)made;
  return made;
}

int efvi_receive_poll(ef_vi *user, ef_event *events, int n)
{
  struct efvi_vi *vi = efvi_own(user);
  if (!events || n < 1)
    return efvi_refuse(-EINVAL, "room for %d events", n);
  device_step(vi);
  int made = efvi_receive_events(vi, 0, events, n);
  vi->state.evq.evq_ptr += (uint32_t)made;
  return made;
}

/* At least so many events of one interface wait. */
static unsigned events_wait(struct efvi_vi *vi)
{
  unsigned frames = efvi_receive_waits(vi) ? vi->frame_count - vi->frame_next : 0;
  const unsigned sent = efvi_transmit_waits(vi);
  if (vi->rx_mode == EFVI_RX_MERGED || vi->rx_mode == EFVI_RX_PACKED)
    frames = (frames + EF_VI_RECEIVE_BATCH - 1) / EF_VI_RECEIVE_BATCH;
  if (vi->tx_times)
    return frames + sent;
  return frames + (sent + EF_VI_TRANSMIT_BATCH - 1) / EF_VI_TRANSMIT_BATCH +
         (vi->alternatives ? vi->alternatives->due : 0);
}

int efvi_eventq_has_many_events(const ef_vi *user, int n)
{
  struct efvi_vi *vi = efvi_own(user);
  unsigned waiting = software_waits(vi);
  device_step(vi);
  for (int q = 0; q < user->vi_qs_n; q++)
    if (user->vi_qs[q])
      waiting += events_wait(efvi_own(user->vi_qs[q]));
  return n < 0 || waiting > (unsigned)n;
}

int efvi_eventq_has_event(const ef_vi *user)
{
  return efvi_eventq_has_many_events(user, 0);
}

int ef_eventq_capacity(ef_vi *vi)
{
  EFVI_ENTER(efvi_vi_of(vi), "ef_eventq_capacity", -EBUSY);
  return efvi_vi_of(vi) ? (int)vi->evq_mask : efvi_refuse(-EINVAL, "this is no interface");
}

/* Lock held. */
static int software_put(struct efvi_vi *vi, uint16_t data)
{
  if (vi->sw_count == EFVI_SW_EVENTS)
    return efvi_refuse(-EAGAIN, "%u software events wait already", EFVI_SW_EVENTS);
  vi->sw_events[vi->sw_count] = data;
  __atomic_store_n(&vi->sw_count, vi->sw_count + 1, __ATOMIC_RELEASE);
  __atomic_store_n(&vi->detour, true, __ATOMIC_RELEASE);
  efvi_wake(vi);
  return 0;
}

int ef_eventq_put(unsigned resource_id, ef_driver_handle evq_dh, unsigned ev_bits)
{
  struct efvi_vi *found = NULL;
  int result;
  efvi_lock();
  for (struct efvi_device *device = efvi_state()->devices; device; device = device->next)
    for (unsigned i = 0; i < EFVI_QUEUES; i++)
      if (device->queues[i].owner && device->queues[i].owner->copy->vi_resource_id == resource_id)
        found = device->queues[i].owner;
  if (!efvi_handle_known(evq_dh))
    result = efvi_refuse(-EBADF, "%d is no driver handle", evq_dh);
  else if (ev_bits & ~(unsigned)EF_EVENT_SW_DATA_MASK)
    result = efvi_refuse(-EINVAL, "a software event has 16 bits, not 0x%x", ev_bits);
  else if (!found)
    result = efvi_refuse(-ENOENT, "no interface has the resource id %u", resource_id);
  else
    result = software_put(found->evq, (uint16_t)ev_bits);
  efvi_unlock();
  return result;
}
