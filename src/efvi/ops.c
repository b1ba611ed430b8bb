/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of an interface that is alive: none is left out. Beside them the few that no
 * device here has, each with its reason. */
#include <errno.h>

#include "src/efvi/checked.h"

int ef_vi_pace(ef_vi *vi, ef_driver_handle nic, int val)
{
  (void)vi, (void)nic, (void)val;
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_pace", -EBUSY);
  return efvi_refuse(-EOPNOTSUPP,
                     "nobody spaces packets here: neither rings of AF_XDP nor, through "
                     "a port, the 82599's rate limiters can be told to");
}

const struct ops efvi_ops = {
    .transmit = efvi_transmit,
    .transmitv = efvi_transmitv,
    .transmitv_init = efvi_transmitv_init,
    .transmit_push = efvi_transmit_push,
    .transmit_pio = efvi_transmit_pio,
    .transmit_copy_pio = efvi_transmit_copy_pio,
    .start_transmit_warm = efvi_start_transmit_warm,
    .stop_transmit_warm = efvi_stop_transmit_warm,
    .transmit_pio_warm = efvi_transmit_pio_warm,
    .transmit_copy_pio_warm = efvi_transmit_copy_pio_warm,
    .transmitv_ctpio = efvi_transmitv_ctpio,
    .transmitv_ctpio_copy = efvi_transmitv_ctpio_copy,
    .transmit_ctpio_fallback = efvi_transmit_ctpio_fallback,
    .transmitv_ctpio_fallback = efvi_transmitv_ctpio_fallback,
    .transmit_alt_select = efvi_alt_select,
    .transmit_alt_select_default = efvi_alt_select_normal,
    .transmit_alt_stop = efvi_alt_stop,
    .transmit_alt_go = efvi_alt_go,
    .transmit_alt_discard = efvi_alt_discard,
    .receive_set_discards = efvi_receive_set_discards,
    .receive_get_discards = efvi_receive_get_discards,
    .receive_init = efvi_receive_init,
    .receive_push = efvi_receive_push,
    .receive_get_timestamp = efvi_receive_get_timestamp,
    .receive_poll = efvi_receive_poll,
    .receive_get_filter_id = efvi_receive_get_filter_id,
    .set_client_buffer_count = efvi_express_set_count,
    .eventq_poll = efvi_eventq_poll,
    .eventq_prime = efvi_eventq_prime,
    .eventq_timer_prime = efvi_timer_prime,
    .eventq_timer_run = efvi_timer_run,
    .eventq_timer_clear = efvi_timer_clear,
    .eventq_timer_zero = efvi_timer_zero,
    .eventq_has_event = efvi_eventq_has_event,
    .eventq_has_many_events = efvi_eventq_has_many_events,
};
