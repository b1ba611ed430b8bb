/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in front of a received packet, and what is read from there: time, length, and where
 * it was asked for the filter that took the packet. */
#include <errno.h>
#include <string.h>

#include "src/efvi/checked.h"

#define PREFIX_TIME     0 /* nanoseconds, 8 bytes; 0: none */
#define PREFIX_LENGTH   8 /* 2 bytes, at the place where Solarflare's cards have it */
#define PREFIX_TICKS    10
#define PREFIX_FILTER   14 /* 2 bytes */
#define PREFIX_DISCARDS 16 /* 2 bytes, enum ef_vi_rx_discard_err_flags */

#define SECOND_NS UINT64_C(1000000000)

uint32_t efvi_prefix_bytes(uint64_t flags)
{
  if (flags & (EF_VI_RX_FILTER_ID | EF_VI_RX_EVENT_MERGE))
    return EFVI_PREFIX_LONG;
  return flags & EF_VI_RX_TIMESTAMPS ? EFVI_PREFIX_BYTES : 0;
}

void efvi_prefix_write(const struct efvi_vi *vi, uint8_t *prefix, const struct shunt_frame pieces[],
                       unsigned n, int filter)
{
  const uint64_t time_ns = efvi_stamp_ns(vi->device, pieces);
  const uint32_t ticks = (uint32_t)((time_ns & ~EFVI_STAMP_DEVICE) % SECOND_NS);
  const uint16_t id = (uint16_t)filter;
  uint16_t bytes = 0;
  for (unsigned i = 0; i < n; i++)
    bytes = (uint16_t)(bytes + pieces[i].len);
  memcpy(prefix + PREFIX_TIME, &time_ns, sizeof(time_ns));
  memcpy(prefix + PREFIX_LENGTH, &bytes, sizeof(bytes));
  memcpy(prefix + PREFIX_TICKS, &ticks, sizeof(ticks));
  if (vi->user->rx_prefix_len != EFVI_PREFIX_LONG)
    return;
  const uint16_t discards =
      (uint16_t)(efvi_discard_flags(pieces[n - 1].flags) & vi->user->rx_discard_mask);
  memcpy(prefix + PREFIX_FILTER, &id, sizeof(id));
  memcpy(prefix + PREFIX_DISCARDS, &discards, sizeof(discards));
}

/* --- Time ---------------------------------------------------------------------------------------
 */

int efvi_receive_get_timestamp(ef_vi *user, const void *pkt, ef_precisetime *time)
{
  const struct efvi_vi *vi = efvi_own(user);
  uint64_t time_ns = 0;
  if (!(vi->flags & EF_VI_RX_TIMESTAMPS))
    return efvi_refuse(-EOPNOTSUPP, "the interface was made without EF_VI_RX_TIMESTAMPS");
  if (!pkt || !time)
    return efvi_refuse(-EINVAL, "no packet, or no place for its time");
  if (vi->rx_mode == EFVI_RX_PACKED)
    return efvi_refuse(-EOPNOTSUPP, "times of a packed stream stand in ef_packed_stream_packet");
  if (vi->rx_mode != EFVI_RX_EXPRESS)
    memcpy(&time_ns, (const uint8_t *)pkt + PREFIX_TIME, sizeof(time_ns));
  else if (!efvi_express_time(vi, pkt, &time_ns))
    return efvi_refuse(-EINVAL, "%p is no packet of the interface's", pkt);
  return efvi_time_of(&vi->device->rx_clock, time_ns, time);
}

int ef_vi_receive_get_timestamp_with_sync_flags(ef_vi *vi, const void *pkt, ef_timespec *ts_out,
                                                unsigned *flags_out)
{
  ef_precisetime time = {0};
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_receive_get_timestamp_with_sync_flags", -EBUSY);
  if (!efvi_vi_of(vi) || !ts_out || !flags_out)
    return efvi_refuse(-EINVAL, "no interface, or no place for the time");
  int result = efvi_receive_get_timestamp(vi, pkt, &time);
  *ts_out = (ef_timespec){.tv_sec = (time_t)time.tv_sec, .tv_nsec = (long)time.tv_nsec};
  *flags_out = time.tv_flags;
  return result;
}

int ef_vi_receive_get_timestamp(ef_vi *vi, const void *pkt, ef_timespec *ts_out)
{
  ef_precisetime time = {0};
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_receive_get_timestamp", -EBUSY);
  if (!efvi_vi_of(vi) || !ts_out)
    return efvi_refuse(-EINVAL, "no interface, or no place for the time");
  int result = efvi_receive_get_timestamp(vi, pkt, &time);
  *ts_out = (ef_timespec){.tv_sec = (time_t)time.tv_sec, .tv_nsec = (long)time.tv_nsec};
  return result;
}

/* --- The rest -----------------------------------------------------------------------------------
 */

int ef_vi_receive_get_bytes(ef_vi *vi, const void *pkt, uint16_t *bytes_out)
{
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_receive_get_bytes", -EBUSY);
  if (!efvi_vi_of(vi) || !pkt || !bytes_out)
    return efvi_refuse(-EINVAL, "no interface, no packet, or no place for its length");
  if (!vi->rx_prefix_len)
    return efvi_refuse(-EOPNOTSUPP, "without a prefix only the event has the packet's length");
  memcpy(bytes_out, (const uint8_t *)pkt + PREFIX_LENGTH, sizeof(*bytes_out));
  return 0;
}

/* Of the last buffer of a packet that a RX_MULTI_DISCARD event announced: its first one has them.
 */
int ef_vi_receive_get_discard_flags(ef_vi *vi, const void *pkt, unsigned *discard_flags)
{
  uint16_t flags;
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_receive_get_discard_flags", -EBUSY);
  if (!efvi_vi_of(vi) || !pkt || !discard_flags)
    return efvi_refuse(-EINVAL, "no interface, no packet, or no place for its flags");
  if (vi->rx_prefix_len != EFVI_PREFIX_LONG)
    return efvi_refuse(-EOPNOTSUPP, "without EF_VI_RX_EVENT_MERGE only the event says why a packet "
                                    "is a discard");
  memcpy(&flags, (const uint8_t *)pkt + PREFIX_DISCARDS, sizeof(flags));
  *discard_flags = flags;
  return 0;
}

int ef_vi_receive_get_user_data(ef_vi *vi, const void *pkt, uint32_t *user_mark, uint8_t *user_flag)
{
  (void)vi, (void)pkt, (void)user_mark, (void)user_flag;
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_receive_get_user_data", -EBUSY);
  return efvi_refuse(-EOPNOTSUPP, "packets carry no marks: filters of the cards that made them are "
                                  "no device's here");
}

int32_t efvi_receive_get_filter_id(ef_vi *user, const ef_event *event, const void *pkt)
{
  const struct efvi_vi *vi = efvi_own(user);
  uint16_t id;
  if (!(vi->flags & EF_VI_RX_FILTER_ID))
    return efvi_refuse(-EOPNOTSUPP, "the interface was made without EF_VI_RX_FILTER_ID");
  if (vi->rx_mode == EFVI_RX_EXPRESS && event && EF_EVENT_TYPE(*event) >= EF_EVENT_TYPE_RX_REF)
    return event->rx_ref.filter_id;
  if (vi->rx_mode == EFVI_RX_EXPRESS || !pkt)
    return efvi_refuse(-EINVAL, "no packet, or no event of one");
  memcpy(&id, (const uint8_t *)pkt + PREFIX_FILTER, sizeof(id));
  return id;
}

int ef_vi_receive_query_layout(ef_vi *vi, const ef_vi_layout_entry **const layout_out,
                               int *layout_len_out)
{
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_receive_query_layout", -EBUSY);
  static const ef_vi_layout_entry plain[] = {{EF_VI_LAYOUT_FRAME, 0, "Ethernet frame"}};
  static const ef_vi_layout_entry stamped[] = {
      {EF_VI_LAYOUT_FRAME, (int)EFVI_PREFIX_BYTES, "Ethernet frame"},
      {EF_VI_LAYOUT_PACKET_LENGTH, PREFIX_LENGTH, "packet length, 2 bytes"},
      {EF_VI_LAYOUT_MINOR_TICKS, PREFIX_TICKS, "nanoseconds of the second, 4 bytes"},
  };
  static const ef_vi_layout_entry filtered[] = {
      {EF_VI_LAYOUT_FRAME, (int)EFVI_PREFIX_LONG, "Ethernet frame"},
      {EF_VI_LAYOUT_PACKET_LENGTH, PREFIX_LENGTH, "packet length, 2 bytes"},
      {EF_VI_LAYOUT_MINOR_TICKS, PREFIX_TICKS, "nanoseconds of the second, 4 bytes"},
      {EF_VI_LAYOUT_FILTER_ID, PREFIX_FILTER, "filter, 2 bytes"},
  };
  if (!efvi_vi_of(vi) || !layout_out || !layout_len_out)
    return efvi_refuse(-EINVAL, "no interface, or no place for its layout");
  switch (vi->rx_prefix_len) {
  case 0:
    *layout_out = plain;
    *layout_len_out = sizeof(plain) / sizeof(plain[0]);
    break;
  case EFVI_PREFIX_BYTES:
    *layout_out = stamped;
    *layout_len_out = sizeof(stamped) / sizeof(stamped[0]);
    break;
  default:
    *layout_out = filtered;
    *layout_len_out = sizeof(filtered) / sizeof(filtered[0]);
  }
  return 0;
}
