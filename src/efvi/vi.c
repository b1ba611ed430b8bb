/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and ending virtual interfaces. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/ethernet.h"
#include "src/efvi/checked.h"

/* What would change which packets go out, or what is in them, and no device here does, is refused
 * rather than ignored. The rest are hints, or say nothing of rings that are polled and buffers that
 * are copied. */
#define ISCSI_FLAGS                                                                                \
  (EF_VI_ISCSI_RX_HDIG | EF_VI_ISCSI_TX_HDIG | EF_VI_ISCSI_RX_DDIG | EF_VI_ISCSI_TX_DDIG)
#define PHYSICAL_FLAGS (EF_VI_TX_PHYS_ADDR | EF_VI_RX_PHYS_ADDR)
#define TX_FILTER_FLAGS                                                                            \
  (EF_VI_TX_TCPUDP_ONLY | EF_VI_TX_FILTER_IP | EF_VI_TX_FILTER_MAC | EF_VI_TX_FILTER_MASK_3)

static uint32_t ring_of(int capacity)
{
  uint32_t ring = EFVI_RING_LEAST, wanted = capacity < 0 ? EFVI_RING_DEFAULT : (uint32_t)capacity;
  while (ring < wanted && ring < EFVI_RING_MOST)
    ring *= 2;
  return ring;
}

static bool has_all(uint64_t flags, uint64_t wanted)
{
  return (flags & wanted) == wanted;
}

/* Which of the flags, with the domain's, can't be had together; NULL: all can. */
static const char *excluded(uint64_t flags, bool express)
{
  if (has_all(flags, EF_VI_RX_PACKED_STREAM | EF_VI_RX_EVENT_MERGE))
    return "packed stream and merged events";
  if (express && flags & (EF_VI_RX_PACKED_STREAM | EF_VI_RX_EVENT_MERGE))
    return "the express path, and packed stream or merged events";
  return NULL;
}

/* What none of the device's kind can do, and why; NULL: nothing. */
static const char *impossible(uint64_t flags, bool is_xdp)
{
  if (has_all(flags, EF_VI_TX_ALT | EF_VI_TX_TIMESTAMPS))
    return "alternatives and time stamps of sent packets exclude each other";
  if (flags & ISCSI_FLAGS)
    return "no device here computes iSCSI digests";
  if (flags & PHYSICAL_FLAGS)
    return "addresses are looked up, so that memory that was not registered is never touched";
  if (flags & TX_FILTER_FLAGS)
    return "no device here drops what a program sends: the first cards' filters did";
  if (flags & EF_VI_TX_TIMESTAMPS && !is_xdp)
    return "an 82599 notes the time of one PTP event message at a time, and an interface with time "
           "stamps owes one for every packet";
  return NULL;
}

static int check_flags(uint64_t flags, const struct efvi_pd *pd, struct shunt_error *error)
{
  const char *why = excluded(flags, pd->express);
  int code = why ? -EINVAL : 0;
  if (!why) {
    why = impossible(flags, pd->device->is_xdp);
    code = why ? -EOPNOTSUPP : 0;
  }
  if (!why)
    return 0;
  shunt_error_set(error, code, "no interface with such flags");
  shunt_error_why(error, "%s%s", why, code == -EINVAL ? " exclude each other" : "");
  return code;
}

static enum efvi_rx_mode mode_of(uint64_t flags, bool express)
{
  if (express)
    return EFVI_RX_EXPRESS;
  if (flags & EF_VI_RX_PACKED_STREAM)
    return EFVI_RX_PACKED;
  return flags & EF_VI_RX_EVENT_MERGE ? EFVI_RX_MERGED : EFVI_RX_PLAIN;
}

/* The interface's own memory: one piece for each table. */
static struct efvi_vi *vi_make(uint32_t rx_ring, uint32_t tx_ring, uint64_t flags)
{
  struct efvi_vi *own = calloc(1, sizeof(*own));
  ef_vi *user = own ? calloc(1, sizeof(*user)) : NULL;
  if (!user) {
    free(own);
    return NULL;
  }
  own->rx_targets = calloc(rx_ring, sizeof(own->rx_targets[0]));
  own->rx_rooms = calloc(rx_ring, sizeof(own->rx_rooms[0]));
  own->tx_slots = calloc(tx_ring, sizeof(own->tx_slots[0]));
  if (flags & EF_VI_TX_TIMESTAMPS)
    own->tx_times = calloc(tx_ring, sizeof(own->tx_times[0]));
  own->flags = flags;
  own->wake_fd = own->wake_handle = own->timer_fd = -1;
  user->vi_rxq.ids = calloc(rx_ring, sizeof(uint32_t));
  user->vi_txq.ids = calloc(tx_ring, sizeof(uint32_t));
  own->user = own->copy = user; /* until the program's structure takes its place */
  return own;
}

static void vi_unmake(struct efvi_vi *own)
{
  free(own->user->vi_rxq.ids);
  free(own->user->vi_txq.ids);
  free(own->rx_targets);
  free(own->rx_rooms);
  free(own->tx_slots);
  free(own->tx_times);
  free(own->held);
  free(own->held_flags);
  free(own->alternatives);
  free(own->copy);
  if (own->timer_fd >= 0)
    close(own->timer_fd);
  free(own);
}

static bool vi_is_whole(const struct efvi_vi *own)
{
  return own->rx_targets && own->rx_rooms && own->tx_slots && own->user->vi_rxq.ids &&
         own->user->vi_txq.ids && (own->tx_times || !(own->flags & EF_VI_TX_TIMESTAMPS));
}

/* Fill in what programs see. */
static void vi_show(struct efvi_vi *own, ef_vi *vi, enum ef_vi_flags flags, ef_vi *evq)
{
  vi->inited = EFVI_INITED;
  vi->vi_resource_id = ++efvi_state()->next_id;
  vi->vi_flags = flags;
  vi->rx_prefix_len = own->rx_mode >= EFVI_RX_PACKED ? 0 : efvi_prefix_bytes(own->flags);
  /* As much as fits behind a program's own header in half a page, as with Solarflare's cards. */
  vi->rx_buffer_len = EFVI_BUF_BYTES - 256;
  vi->rx_discard_mask = EF_VI_DISCARD_RX_L4_CSUM_ERR | EF_VI_DISCARD_RX_L3_CSUM_ERR |
                        EF_VI_DISCARD_RX_ETH_FCS_ERR | EF_VI_DISCARD_RX_ETH_LEN_ERR;
  vi->ts_format = TS_FORMAT_SECONDS_QTR_NANOSECONDS;
  vi->vi_is_normal = own->rx_mode == EFVI_RX_PLAIN;
  vi->vi_is_packed_stream = own->rx_mode == EFVI_RX_PACKED;
  vi->vi_ps_buf_size = vi->vi_is_packed_stream ? efvi_packed_bytes(own) : 0;
  vi->timer_quantum_ns = 1;
  vi->tx_push_thresh = 1;
  vi->vi_txq.ct_fifo_bytes = (vi->vi_txq.mask + 1) * EFVI_BUF_BYTES;
  vi->vi_txq.descriptors = own->tx_slots;
  vi->vi_rxq.descriptors = own->rx_targets;
  vi->ep_state = &own->state;
  vi->vi_stats = &own->lost;
  vi->nic_type.arch = own->rx_mode == EFVI_RX_EXPRESS ? EF_VI_ARCH_EF10CT : EF_VI_ARCH_AF_XDP;
  vi->ops = EFVI_OPS;
  vi->shunt = own;
  own->user = vi;
  vi->evq_vi = evq ? evq : vi;
  vi->evq_vi->vi_qs[vi->evq_vi->vi_qs_n++] = vi;
  own->evq = efvi_own(vi->evq_vi);
  own->evq->users += evq != NULL;
  efvi_fast_install(own);
  if (own->device->spread) /* others' queues are looked into, too */
    vi->ops.eventq_poll = EFVI_OPS.eventq_poll;
}

/* Whether an interface lives in a structure, which may be full of anything. */
static bool lives_in(const ef_vi *vi)
{
  for (const struct efvi_device *device = efvi_state()->devices; device; device = device->next)
    for (unsigned i = 0; i < EFVI_QUEUES; i++)
      if (device->queues[i].owner && device->queues[i].owner->user == vi)
        return true;
  return false;
}

static int vi_check(const struct efvi_request *request, ef_driver_handle pd_dh,
                    ef_driver_handle evq_dh, struct shunt_error *error)
{
  if (!request->vi || !request->pd)
    return shunt_error_set(error, -EINVAL, "no interface, or no protection domain");
  if (lives_in(request->vi))
    return shunt_error_set(error, -EINVAL, "the interface was made already");
  if (!efvi_handle_known(request->handle) || !efvi_handle_known(pd_dh) ||
      (request->evq && !efvi_handle_known(evq_dh)))
    return shunt_error_set(error, -EBADF, "a driver handle is none");
  if (request->evq_capacity < -1 || request->rxq_capacity < -1 || request->txq_capacity < -1 ||
      request->rxq_capacity > (int)EFVI_RING_MOST || request->txq_capacity > (int)EFVI_RING_MOST)
    return shunt_error_set(error, -EINVAL, "queues of %d, %d and %d: -1, or 0 to %u",
                           request->evq_capacity, request->rxq_capacity, request->txq_capacity,
                           EFVI_RING_MOST);
  if (request->evq && (!efvi_vi_of(request->evq) || request->evq->evq_vi != request->evq))
    return shunt_error_set(error, -EINVAL, "no event queue of another's to use");
  if (request->evq && request->evq->vi_qs_n == EF_VI_MAX_QS)
    return shunt_error_set(error, -EBUSY, "%d interfaces use the event queue, which is the most",
                           EF_VI_MAX_QS);
  return check_flags((uint64_t)request->flags, request->pd, error);
}

/* Take it off its event queue; the ids of those behind it stay what they were. */
static void evq_leave(ef_vi *vi)
{
  ef_vi *evq = vi->evq_vi;
  for (int i = 0; i < evq->vi_qs_n; i++)
    if (evq->vi_qs[i] == vi)
      evq->vi_qs[i] = NULL;
  while (evq->vi_qs_n > 0 && !evq->vi_qs[evq->vi_qs_n - 1])
    evq->vi_qs_n--;
  if (evq != vi)
    efvi_own(evq)->users--;
}

void efvi_vi_end(struct efvi_vi *own)
{
  ef_vi *vi = own->user;
  const bool is_copy = vi == own->copy;
  if (own->device->spread)
    efvi_spread_leave(own);
  efvi_filters_clear(own);
  efvi_set_leave(own);
  efvi_pio_unlink(own);
  efvi_receive_flush(own);
  efvi_express_flush(own);
  evq_leave(vi);
  efvi_wake_end(own);
  efvi_device_detach(own->device, own);
  own->pd->vi_count--;
  efvi_pd_settle(own->pd);
  vi_unmake(own);
  if (!is_copy)
    *vi = (ef_vi){.dh = -1, .ops = efvi_ops_closed};
}

/* The interface is whole, and its queue empty: let it receive, where nothing has to be posted. */
static int vi_start(struct efvi_vi *own, struct shunt_error *error)
{
  efvi_receive_flush(own); /* what the queue's last owner left */
  if (own->rx_mode == EFVI_RX_EXPRESS && own->user->vi_rxq.mask && efvi_express_start(own))
    return shunt_error_set(error, -ENOMEM, "no memory for the packets that the program has");
  return 0;
}

static int vi_alloc(const struct efvi_request *request, struct shunt_error *error)
{
  const uint32_t rx_ring = ring_of(request->rxq_capacity), tx_ring = ring_of(request->txq_capacity);
  struct efvi_vi *own = vi_make(rx_ring, tx_ring, (uint64_t)request->flags);
  if (!own)
    return shunt_error_set(error, -ENOMEM, "no memory for an interface");
  own->handle = request->handle;
  own->pd = request->pd;
  own->device = request->pd->device;
  own->rx_mode = mode_of(own->flags, own->pd->express);
  own->tx_offset = own->tx_times ? EFVI_TX_TIME_ROOM : 0;
  int index = vi_is_whole(own) ? efvi_device_attach(own->device, own, rx_ring, tx_ring, error)
                               : shunt_error_set(error, -ENOMEM, "no memory for rings");
  if (index < 0) {
    vi_unmake(own);
    return index;
  }
  *request->vi = *own->copy;
  request->vi->dh = request->handle;
  request->vi->vi_i = (unsigned)index;
  request->vi->vi_rxq.mask = request->rxq_capacity ? rx_ring - 1 : 0;
  request->vi->vi_txq.mask = request->txq_capacity ? tx_ring - 1 : 0;
  request->vi->evq_mask = 2 * EFVI_RING_MOST - 1;
  vi_show(own, request->vi, request->flags, request->evq);
  *own->copy = *request->vi;
  request->pd->vi_count++;
  int result = vi_start(own, error);
  if (!result)
    return index;
  efvi_vi_end(own);
  return result;
}

/* Where the program leaves the choice, its user may have it, as with the cards' library. */
static int capacity_of(int capacity, const char *variable)
{
  const char *text = capacity == -1 ? getenv(variable) : NULL;
  return text ? atoi(text) : capacity;
}

int efvi_vi_alloc(const struct efvi_request *request, ef_driver_handle pd_dh,
                  ef_driver_handle evq_dh, struct shunt_error *error)
{
  struct efvi_request chosen = *request;
  chosen.rxq_capacity = capacity_of(request->rxq_capacity, "EF_VI_RXQ_SIZE");
  chosen.txq_capacity = capacity_of(request->txq_capacity, "EF_VI_TXQ_SIZE");
  int result = vi_check(&chosen, pd_dh, evq_dh, error);
  return result ? result : vi_alloc(&chosen, error);
}

int ef_vi_alloc_from_pd(ef_vi *vi, ef_driver_handle vi_dh, struct ef_pd *pd, ef_driver_handle pd_dh,
                        int evq_capacity, int rxq_capacity, int txq_capacity, ef_vi *evq_opt,
                        ef_driver_handle evq_dh, enum ef_vi_flags flags)
{
  struct shunt_error error = {0};
  EFVI_ENTER(efvi_vi_of(evq_opt), "ef_vi_alloc_from_pd", -EBUSY);
  efvi_lock();
  const struct efvi_request request = {vi,           vi_dh,        efvi_pd_of(pd), evq_capacity,
                                       rxq_capacity, txq_capacity, evq_opt,        flags};
  int result = efvi_vi_alloc(&request, pd_dh, evq_dh, &error);
  efvi_unlock();
  return result < 0 ? efvi_fail(&error) : result;
}

int ef_vi_free(ef_vi *vi, ef_driver_handle nic)
{
  (void)nic;
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "ef_vi_free", -EBUSY);
  if (vi && vi->inited == EFVI_ENDED) {
    vi->inited = 0;
    return 0;
  }
  if (!own)
    return efvi_refuse(-EINVAL, "this is no interface");
  if (own->users)
    return efvi_refuse(-EBUSY, "%u interfaces use its event queue", own->users);
  efvi_transmit_flush(own); /* up to a second, in which others may need the lock */
  EFVI_END(own);
  efvi_lock();
  efvi_vi_end(own);
  efvi_unlock();
  return 0;
}

int ef_vi_flush(ef_vi *vi, ef_driver_handle nic)
{
  (void)nic;
  struct efvi_vi *own = efvi_vi_of(vi);
  if (!own)
    return efvi_refuse(-EINVAL, "this is no interface");
  EFVI_ENTER(own, "ef_vi_flush", -EBUSY);
  efvi_transmit_flush(own);
  efvi_receive_flush(own);
  return 0;
}

unsigned ef_vi_mtu(ef_vi *vi, ef_driver_handle vi_dh)
{
  (void)vi_dh;
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "ef_vi_mtu", 0);
  return own ? own->device->info.mtu + SHUNT_ETHERNET_HEADER_BYTES : 0;
}

int ef_vi_get_mac(ef_vi *vi, ef_driver_handle vi_dh, void *mac_out)
{
  (void)vi_dh;
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "ef_vi_get_mac", -EBUSY);
  if (!own || !mac_out)
    return efvi_refuse(-EINVAL, "no interface, or no place for its address");
  memcpy(mac_out, own->device->info.mac.bytes, sizeof(own->device->info.mac.bytes));
  return 0;
}
