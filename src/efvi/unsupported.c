/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations that no device of shunt's has: each is there, and says why not. Beside them the tables
 * of operations, of an interface that is alive and of one that was freed. */
#include <errno.h>
#include <string.h>

#include <etherfabric/efct_vi.h>
#include <etherfabric/packedstream.h>
#include <etherfabric/pio.h>

#include "src/efvi/efvi.h"

/* --- PIO ----------------------------------------------------------------------------------------
 */

static int no_pio(void)
{
  return efvi_refuse(-EOPNOTSUPP, "the device has no PIO memory");
}

int ef_pio_alloc(ef_pio *pio, ef_driver_handle pio_dh, struct ef_pd *pd, unsigned len_hint,
                 ef_driver_handle pd_dh)
{
  (void)pio, (void)pio_dh, (void)pd, (void)len_hint, (void)pd_dh;
  return no_pio();
}

int ef_pio_free(ef_pio *pio, ef_driver_handle pio_dh)
{
  (void)pio, (void)pio_dh;
  return no_pio();
}

int ef_pio_link_vi(ef_pio *pio, ef_driver_handle pio_dh, struct ef_vi *vi, ef_driver_handle vi_dh)
{
  (void)pio, (void)pio_dh, (void)vi, (void)vi_dh;
  return no_pio();
}

int ef_pio_unlink_vi(ef_pio *pio, ef_driver_handle pio_dh, struct ef_vi *vi, ef_driver_handle vi_dh)
{
  (void)pio, (void)pio_dh, (void)vi, (void)vi_dh;
  return no_pio();
}

int ef_vi_get_pio_size(ef_vi *vi)
{
  (void)vi;
  return no_pio();
}

/* The rules of offsets hold whatever the device. */
static int pio_check(int offset, int len)
{
  if (offset < 0 || len < 0 || offset % 64)
    return efvi_refuse(-EINVAL, "%d bytes at %d of PIO memory: an offset is a multiple of 64", len,
                       offset);
  return no_pio();
}

int ef_pio_memcpy(ef_vi *vi, const void *base, int offset, int len)
{
  (void)vi, (void)base;
  return pio_check(offset, len);
}

static int transmit_pio(ef_vi *user, int offset, int len, ef_request_id id)
{
  (void)user, (void)id;
  return pio_check(offset, len);
}

static int transmit_copy_pio(ef_vi *user, int offset, const void *data, int len, ef_request_id id)
{
  (void)user, (void)data, (void)id;
  return pio_check(offset, len);
}

static void transmit_pio_warm(ef_vi *user)
{
  (void)user;
  (void)no_pio();
}

static void transmit_copy_pio_warm(ef_vi *user, int offset, const void *data, int len)
{
  (void)user, (void)offset, (void)data, (void)len;
  (void)no_pio();
}

/* --- CTPIO: the fallback, which always follows, sends (transmit.c) ------------------------------
 */

static void transmitv_ctpio(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                            unsigned threshold)
{
  (void)bytes, (void)iov, (void)iov_len, (void)threshold;
  user->last_ctpio_failed = 1;
}

/* Beside the device the packet is copied to where the fallback will be sent from. */
static void transmitv_ctpio_copy(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                                 unsigned threshold, void *fallback)
{
  uint8_t *to = fallback;
  (void)threshold;
  user->last_ctpio_failed = 1;
  for (int i = 0; i < iov_len && bytes; i++) {
    const size_t part = iov[i].iov_len < bytes ? iov[i].iov_len : bytes;
    memcpy(to, iov[i].iov_base, part);
    to += part;
    bytes -= part;
  }
}

/* --- Alternatives -------------------------------------------------------------------------------
 */

static int no_alternatives(void)
{
  return efvi_refuse(-EOPNOTSUPP, "the device holds no alternatives ready");
}

static int alternative(ef_vi *user, unsigned alt_id)
{
  (void)user, (void)alt_id;
  return no_alternatives();
}

static int alternative_none(ef_vi *user)
{
  (void)user;
  return no_alternatives();
}

int ef_vi_transmit_alt_alloc(struct ef_vi *vi, ef_driver_handle vi_dh, int num_alts,
                             size_t buf_space)
{
  (void)vi, (void)vi_dh, (void)buf_space;
  return num_alts < 1 ? efvi_refuse(-EINVAL, "%d alternatives", num_alts) : no_alternatives();
}

int ef_vi_transmit_alt_free(struct ef_vi *vi, ef_driver_handle vi_dh)
{
  (void)vi, (void)vi_dh;
  return no_alternatives();
}

int ef_vi_transmit_alt_query_buffering(struct ef_vi *vi, int ifindex, ef_driver_handle vi_dh,
                                       int n_alts)
{
  (void)vi, (void)ifindex, (void)vi_dh, (void)n_alts;
  return no_alternatives();
}

int ef_vi_transmit_alt_query_overhead(ef_vi *vi, struct ef_vi_transmit_alt_overhead *params)
{
  (void)vi, (void)params;
  return efvi_refuse(-EINVAL, "the device holds no alternatives ready");
}

unsigned ef_vi_transmit_alt_num_ids(ef_vi *vi)
{
  return vi ? vi->tx_alt_num : 0;
}

/* --- Sets, pace, further descriptors ------------------------------------------------------------
 */

static int no_sets(void)
{
  return efvi_refuse(-EOPNOTSUPP, "frames are not spread over a set of interfaces");
}

int ef_vi_set_alloc_from_pd(ef_vi_set *vi_set, ef_driver_handle vi_set_dh, struct ef_pd *pd,
                            ef_driver_handle pd_dh, int n_vis)
{
  (void)vi_set, (void)vi_set_dh, (void)pd, (void)pd_dh, (void)n_vis;
  return no_sets();
}

int ef_vi_set_free(ef_vi_set *vi_set, ef_driver_handle vi_set_dh)
{
  (void)vi_set, (void)vi_set_dh;
  return no_sets();
}

int ef_vi_alloc_from_set(ef_vi *vi, ef_driver_handle vi_dh, ef_vi_set *vi_set,
                         ef_driver_handle vi_set_dh, int index_in_vi_set, int evq_capacity,
                         int rxq_capacity, int txq_capacity, ef_vi *evq_opt,
                         ef_driver_handle evq_dh, enum ef_vi_flags flags)
{
  (void)vi, (void)vi_dh, (void)vi_set, (void)vi_set_dh, (void)index_in_vi_set, (void)evq_capacity;
  (void)rxq_capacity, (void)txq_capacity, (void)evq_opt, (void)evq_dh, (void)flags;
  return no_sets();
}

int ef_vi_set_filter_add(ef_vi_set *vi_set, ef_driver_handle vi_set_dh,
                         const ef_filter_spec *filter_spec, ef_filter_cookie *filter_cookie_out)
{
  (void)vi_set, (void)vi_set_dh, (void)filter_spec, (void)filter_cookie_out;
  return no_sets();
}

int ef_vi_set_filter_del(ef_vi_set *vi_set, ef_driver_handle vi_set_dh,
                         ef_filter_cookie *filter_cookie)
{
  (void)vi_set, (void)vi_set_dh, (void)filter_cookie;
  return no_sets();
}

int ef_vi_pace(ef_vi *vi, ef_driver_handle nic, int val)
{
  (void)vi, (void)nic, (void)val;
  return efvi_refuse(-EOPNOTSUPP, "the device keeps no pace");
}

int ef_vi_transmitv_init_extra(struct ef_vi *vi, const struct ef_vi_tx_extra *extra,
                               const ef_remote_iovec *iov, int iov_len, ef_request_id id)
{
  (void)vi, (void)extra, (void)iov, (void)iov_len, (void)id;
  return efvi_refuse(-EOPNOTSUPP, "descriptors have nothing further here");
}

/* Every packet is pushed by its doorbell: there is nothing that a threshold could change. */
void ef_vi_set_tx_push_threshold(ef_vi *vi, unsigned threshold)
{
  if (efvi_vi_of(vi))
    vi->tx_push_thresh = threshold;
}

/* --- Packed stream, merged events, what only the prefix of some cards has ------------------------
 */

int ef_vi_packed_stream_get_params(ef_vi *vi, ef_packed_stream_params *psp_out)
{
  (void)vi, (void)psp_out;
  return efvi_refuse(-EINVAL, "the interface does not receive a packed stream");
}

int ef_vi_packed_stream_unbundle(ef_vi *vi, const ef_event *ev, ef_packed_stream_packet **pkt_iter,
                                 int *n_pkts_out, int *n_bytes_out)
{
  (void)vi, (void)ev, (void)pkt_iter, (void)n_pkts_out, (void)n_bytes_out;
  return efvi_refuse(-EINVAL, "the interface does not receive a packed stream");
}

/* Each received packet has an event of its own. */
int ef_vi_receive_unbundle(ef_vi *ep, const ef_event *event, ef_request_id *ids)
{
  (void)ep, (void)event, (void)ids;
  return 0;
}

int ef_vi_receive_get_user_data(ef_vi *vi, const void *pkt, uint32_t *user_mark, uint8_t *user_flag)
{
  (void)vi, (void)pkt, (void)user_mark, (void)user_flag;
  return efvi_refuse(-EOPNOTSUPP, "packets carry no marks");
}

int ef_vi_receive_get_discard_flags(ef_vi *vi, const void *pkt, unsigned *discard_flags)
{
  (void)vi, (void)pkt, (void)discard_flags;
  return efvi_refuse(-EOPNOTSUPP, "only the event says why a packet is a discard");
}

static int32_t receive_get_filter_id(ef_vi *user, const ef_event *event, const void *pkt)
{
  (void)user, (void)event, (void)pkt;
  return efvi_refuse(-EOPNOTSUPP, "packets do not say which filter took them");
}

static int set_client_buffer_count(ef_vi *user, size_t count)
{
  (void)user, (void)count;
  return efvi_refuse(-EOPNOTSUPP, "the device has no buffers of its own");
}

/* --- Packets in the device's memory -------------------------------------------------------------
 */

const void *efct_vi_rxpkt_get(struct ef_vi *vi, uint32_t pkt_id)
{
  (void)vi, (void)pkt_id;
  (void)efvi_refuse(-EOPNOTSUPP, "packets are in the program's buffers");
  return NULL;
}

void efct_vi_rxpkt_release(struct ef_vi *vi, uint32_t pkt_id)
{
  (void)vi, (void)pkt_id;
}

const void *efct_vi_rx_future_peek(struct ef_vi *vi)
{
  (void)vi;
  return NULL;
}

int efct_vi_rx_future_poll(ef_vi *vi, ef_event *evs, int evs_len)
{
  (void)vi, (void)evs, (void)evs_len;
  return 0;
}

void efct_vi_start_transmit_warm(ef_vi *vi)
{
  if (efvi_vi_of(vi))
    efvi_start_transmit_warm(vi, NULL, NULL);
}

void efct_vi_stop_transmit_warm(ef_vi *vi)
{
  if (efvi_vi_of(vi))
    efvi_stop_transmit_warm(vi, NULL);
}

/* --- Timers -------------------------------------------------------------------------------------
 */

static void timer_set(ef_vi *user, unsigned value)
{
  (void)user, (void)value;
  (void)efvi_refuse(-EOPNOTSUPP, "event queues have no timers");
}

static void timer_stop(ef_vi *user)
{
  (void)user;
  (void)efvi_refuse(-EOPNOTSUPP, "event queues have no timers");
}

/* --- The tables ---------------------------------------------------------------------------------
 */

const struct ops efvi_ops = {
    .transmit = efvi_transmit,
    .transmitv = efvi_transmitv,
    .transmitv_init = efvi_transmitv_init,
    .transmit_push = efvi_transmit_push,
    .transmit_pio = transmit_pio,
    .transmit_copy_pio = transmit_copy_pio,
    .start_transmit_warm = efvi_start_transmit_warm,
    .stop_transmit_warm = efvi_stop_transmit_warm,
    .transmit_pio_warm = transmit_pio_warm,
    .transmit_copy_pio_warm = transmit_copy_pio_warm,
    .transmitv_ctpio = transmitv_ctpio,
    .transmitv_ctpio_copy = transmitv_ctpio_copy,
    .transmit_ctpio_fallback = efvi_transmit_ctpio_fallback,
    .transmitv_ctpio_fallback = efvi_transmitv_ctpio_fallback,
    .transmit_alt_select = alternative,
    .transmit_alt_select_default = alternative_none,
    .transmit_alt_stop = alternative,
    .transmit_alt_go = alternative,
    .transmit_alt_discard = alternative,
    .receive_set_discards = efvi_receive_set_discards,
    .receive_get_discards = efvi_receive_get_discards,
    .receive_init = efvi_receive_init,
    .receive_push = efvi_receive_push,
    .receive_get_timestamp = efvi_receive_get_timestamp,
    .receive_poll = efvi_receive_poll,
    .receive_get_filter_id = receive_get_filter_id,
    .set_client_buffer_count = set_client_buffer_count,
    .eventq_poll = efvi_eventq_poll,
    .eventq_prime = efvi_eventq_prime,
    .eventq_timer_prime = timer_set,
    .eventq_timer_run = timer_set,
    .eventq_timer_clear = timer_stop,
    .eventq_timer_zero = timer_stop,
    .eventq_has_event = efvi_eventq_has_event,
    .eventq_has_many_events = efvi_eventq_has_many_events,
};
