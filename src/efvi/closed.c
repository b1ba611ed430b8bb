/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of an interface that was freed: they fail, where the program's structure would
 * lead into memory that is gone. */
#include <errno.h>

#include "src/efvi/efvi.h"

static int closed(void)
{
  return efvi_refuse(-EINVAL, "the interface was freed");
}

static int closed_transmit(ef_vi *user, ef_addr base, int len, ef_request_id id)
{
  (void)user, (void)base, (void)len, (void)id;
  return closed();
}

static int closed_transmitv(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id)
{
  (void)user, (void)iov, (void)iov_len, (void)id;
  return closed();
}

static void closed_push(ef_vi *user)
{
  (void)user;
  (void)closed();
}

static int closed_transmit_pio(ef_vi *user, int offset, int len, ef_request_id id)
{
  (void)user, (void)offset, (void)len, (void)id;
  return closed();
}

static int closed_transmit_copy_pio(ef_vi *user, int offset, const void *data, int len,
                                    ef_request_id id)
{
  (void)user, (void)offset, (void)data, (void)len, (void)id;
  return closed();
}

static void closed_start_warm(ef_vi *user, ef_vi_tx_warm_state *saved, char *ctpio)
{
  (void)user, (void)saved, (void)ctpio;
  (void)closed();
}

static void closed_stop_warm(ef_vi *user, ef_vi_tx_warm_state *saved)
{
  (void)user, (void)saved;
  (void)closed();
}

static void closed_copy_pio_warm(ef_vi *user, int offset, const void *data, int len)
{
  (void)user, (void)offset, (void)data, (void)len;
  (void)closed();
}

static void closed_ctpio(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                         unsigned threshold)
{
  (void)user, (void)bytes, (void)iov, (void)iov_len, (void)threshold;
  (void)closed();
}

static void closed_ctpio_copy(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                              unsigned threshold, void *fallback)
{
  (void)user, (void)bytes, (void)iov, (void)iov_len, (void)threshold, (void)fallback;
  (void)closed();
}

static int closed_ctpio_fallback(ef_vi *user, ef_addr addr, size_t len, ef_request_id id)
{
  (void)user, (void)addr, (void)len, (void)id;
  return closed();
}

static int closed_alternative(ef_vi *user, unsigned value)
{
  (void)user, (void)value;
  return closed();
}

static int closed_alternative_none(ef_vi *user)
{
  (void)user;
  return closed();
}

static uint64_t closed_get_discards(ef_vi *user)
{
  (void)user;
  (void)closed();
  return 0;
}

static int closed_receive_init(ef_vi *user, ef_addr addr, ef_request_id id)
{
  (void)user, (void)addr, (void)id;
  return closed();
}

static int closed_get_timestamp(ef_vi *user, const void *pkt, ef_precisetime *time)
{
  (void)user, (void)pkt, (void)time;
  return closed();
}

static int closed_poll(ef_vi *user, ef_event *events, int n)
{
  (void)user, (void)events, (void)n;
  return closed();
}

static int32_t closed_get_filter_id(ef_vi *user, const ef_event *event, const void *pkt)
{
  (void)user, (void)event, (void)pkt;
  return closed();
}

static int closed_set_count(ef_vi *user, size_t count)
{
  (void)user, (void)count;
  return closed();
}

static void closed_timer(ef_vi *user, unsigned value)
{
  (void)user, (void)value;
  (void)closed();
}

static int closed_has_event(const ef_vi *user)
{
  (void)user;
  (void)closed();
  return 0; /* none */
}

static int closed_has_many_events(const ef_vi *user, int n)
{
  (void)user, (void)n;
  (void)closed();
  return 0; /* none */
}

const struct ops efvi_ops_closed = {
    .transmit = closed_transmit,
    .transmitv = closed_transmitv,
    .transmitv_init = closed_transmitv,
    .transmit_push = closed_push,
    .transmit_pio = closed_transmit_pio,
    .transmit_copy_pio = closed_transmit_copy_pio,
    .start_transmit_warm = closed_start_warm,
    .stop_transmit_warm = closed_stop_warm,
    .transmit_pio_warm = closed_push,
    .transmit_copy_pio_warm = closed_copy_pio_warm,
    .transmitv_ctpio = closed_ctpio,
    .transmitv_ctpio_copy = closed_ctpio_copy,
    .transmit_ctpio_fallback = closed_ctpio_fallback,
    .transmitv_ctpio_fallback = closed_transmitv,
    .transmit_alt_select = closed_alternative,
    .transmit_alt_select_default = closed_alternative_none,
    .transmit_alt_stop = closed_alternative,
    .transmit_alt_go = closed_alternative,
    .transmit_alt_discard = closed_alternative,
    .receive_set_discards = closed_alternative,
    .receive_get_discards = closed_get_discards,
    .receive_init = closed_receive_init,
    .receive_push = closed_push,
    .receive_get_timestamp = closed_get_timestamp,
    .receive_poll = closed_poll,
    .receive_get_filter_id = closed_get_filter_id,
    .set_client_buffer_count = closed_set_count,
    .eventq_poll = closed_poll,
    .eventq_prime = closed_push,
    .eventq_timer_prime = closed_timer,
    .eventq_timer_run = closed_timer,
    .eventq_timer_clear = closed_push,
    .eventq_timer_zero = closed_push,
    .eventq_has_event = closed_has_event,
    .eventq_has_many_events = closed_has_many_events,
};
