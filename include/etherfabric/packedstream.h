/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed stream: many packets in one large buffer, each behind a description of it.
 *
 * An interface made with EF_VI_RX_PACKED_STREAM takes buffers of psp_buffer_size bytes (1 MiB, or
 * 64 KiB with EF_VI_RX_PS_BUF_SIZE_64K) and raises EF_EVENT_TYPE_RX_PACKED_STREAM events, each of
 * up to EF_VI_RECEIVE_BATCH packets in one buffer. */
#ifndef SHUNT_ETHERFABRIC_PACKEDSTREAM_H
#define SHUNT_ETHERFABRIC_PACKEDSTREAM_H
#define __EFAB_PACKEDSTREAM_H__ /* programs ask whether it is included */

#include <etherfabric/base.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define EF_VI_PS_FLAG_CLOCK_SET     0x1
#define EF_VI_PS_FLAG_CLOCK_IN_SYNC 0x2
#define EF_VI_PS_FLAG_BAD_FCS       0x4
#define EF_VI_PS_FLAG_BAD_L4_CSUM   0x8
#define EF_VI_PS_FLAG_BAD_L3_CSUM   0x10
#define EF_VI_PS_FLAG_BAD_IP_CSUM   (EF_VI_PS_FLAG_BAD_L4_CSUM | EF_VI_PS_FLAG_BAD_L3_CSUM)

/* In front of each packet. */
typedef struct {
  uint16_t ps_next_offset;     /* from this description to the next */
  uint8_t ps_pkt_start_offset; /* ... to the packet */
  uint8_t ps_flags;            /* EF_VI_PS_FLAG_* */
  uint16_t ps_cap_len;         /* bytes that are there ... */
  uint16_t ps_orig_len;        /* ... and that there were */
  uint32_t ps_ts_sec;          /* when it came; both 0: the device did not say */
  uint32_t ps_ts_nsec;
} ef_packed_stream_packet;

typedef struct {
  int psp_buffer_size;
  int psp_buffer_align;
  int psp_start_offset;       /* of the first description in a buffer */
  int psp_max_usable_buffers; /* that can be posted at a time */
} ef_packed_stream_params;

/* Returns 0 or -EINVAL (vi does not receive that way). */
extern int ef_vi_packed_stream_get_params(ef_vi *vi, ef_packed_stream_params *psp_out);
/* Take the packets of an event. To be called once for each, in order.
 *
 * pkt_iter     where the event says EF_EVENT_RX_PS_NEXT_BUFFER: ef_packed_stream_packet_first() of
 *              the next buffer that was posted; else what the call before left. Left behind the
 *              event's packets
 * n_pkts_out, n_bytes_out  how many there are
 * Returns      0, -EINVAL (no such interface, no such event), -ENODATA (all is there, but packets
 *              without a time on an interface made with EF_VI_RX_TIMESTAMPS) */
extern int ef_vi_packed_stream_unbundle(ef_vi *vi, const ef_event *ev,
                                        ef_packed_stream_packet **pkt_iter, int *n_pkts_out,
                                        int *n_bytes_out);

ef_vi_inline ef_packed_stream_packet *ef_packed_stream_packet_first(void *start_of_buffer,
                                                                    int psp_start_offset)
{
  return (ef_packed_stream_packet *)(void *)((char *)start_of_buffer + psp_start_offset);
}

ef_vi_inline ef_packed_stream_packet *ef_packed_stream_packet_next(ef_packed_stream_packet *ps_pkt)
{
  return (ef_packed_stream_packet *)(void *)((char *)ps_pkt + ps_pkt->ps_next_offset);
}

ef_vi_inline void *ef_packed_stream_packet_payload(ef_packed_stream_packet *ps_pkt)
{
  return (char *)ps_pkt + ps_pkt->ps_pkt_start_offset;
}

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
