/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets in memory of the device's own, as X3 and X4 cards have them: interfaces of a protection
 * domain with EF_PD_EXPRESS post no buffers and raise EF_EVENT_TYPE_RX_REF. No byte is copied. On
 * other interfaces these calls answer that there is nothing.
 *
 * The interface has rxq_capacity + 1 buffers, rounded up to a power of two; while the program has
 * them all, frames are lost. Packets of more than one buffer (2048 bytes, under AF_XDP 256 less)
 * are lost too, and counted as rx_truncated. */
#ifndef SHUNT_ETHERFABRIC_EFCT_VI_H
#define SHUNT_ETHERFABRIC_EFCT_VI_H
#define __EFAB_EFCT_VI_H__ /* programs ask whether it is included */

#include <etherfabric/ef_vi.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* How much of a packet that is still arriving may be looked at. */
#define EFCT_FUTURE_VALID_BYTES 62

/* The packet of an RX_REF event, from its Ethernet header on; NULL: there is none.
 *
 * pkt_id  of the event; valid until the release
 * Owner   the program, for reading, until efct_vi_rxpkt_release */
extern const void *efct_vi_rxpkt_get(struct ef_vi *vi, uint32_t pkt_id);
extern void efct_vi_rxpkt_release(struct ef_vi *vi, uint32_t pkt_id);

__attribute__((deprecated("ef_vi_receive_get_precise_timestamp"))) ef_vi_inline int
efct_vi_rxpkt_get_timestamp(struct ef_vi *vi, uint32_t pkt_id, ef_timespec *ts_out,
                            unsigned *flags_out)
{
  ef_precisetime time = {0, 0, 0, 0};
  int result = ef_vi_receive_get_precise_timestamp(vi, efct_vi_rxpkt_get(vi, pkt_id), &time);
  ts_out->tv_sec = (time_t)time.tv_sec;
  ts_out->tv_nsec = (long)time.tv_nsec;
  *flags_out = time.tv_flags;
  return result;
}

/* The packet whose event comes next; NULL: there is none. Valid until that event's packet is
 * released. The event comes from efct_vi_rx_future_poll. */
extern const void *efct_vi_rx_future_peek(struct ef_vi *vi);
extern int efct_vi_rx_future_poll(ef_vi *vi, ef_event *evs, int evs_len);

extern void efct_vi_start_transmit_warm(ef_vi *vi);
extern void efct_vi_stop_transmit_warm(ef_vi *vi);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
