/* SPDX-License-Identifier: BSD-2-Clause */
/* Time stamps of IEEE 1588 (datasheet 7.9, 8.2.3.26).
 *
 * SYSTIM grows by TIMINCA.INCVALUE every INCPERIOD cycles of the DMA clock, which is 156.25 MHz at
 * 10 Gb/s and a tenth at 1 Gb/s; here the clock's time is the model's. A stamp that has been taken
 * stays, and no other is taken, until its high half is read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "twin/ixgbe/ixgbe.h"

#define NS_PER_SECOND   UINT64_C(1000000000)
#define ADJUST_NEGATIVE 0x80000000u /* TIMADJH: sign */
#define EVENT_MESSAGES  8u          /* version 2 message types below are events */

#define ETHERTYPE_PTP  0x88F7u
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86DDu
#define PROTOCOL_UDP   17u

/* Of a PTP message (IEEE 1588-2008 13.3): both versions have these where the other has them. */
#define PTP_MESSAGE_TYPE 0u
#define PTP_VERSION      1u
#define PTP_V1_CONTROL   32u
#define PTP_V1_SOURCE    22u
#define PTP_SEQUENCE     30u /* of both versions */
#define PTP_V2_SOURCE    20u
#define PTP_HEADER_BYTES 34u

struct twin_ixgbe_ptp {
  uint64_t base; /* SYSTIM at base_ns */
  uint64_t base_ns;
  uint32_t latched_high; /* SYSTIMH as of the last read of SYSTIML */
  uint32_t adjust_low;
};

/* ---- The clock ---- */

static uint64_t clock_hz(const struct twin_ixgbe *twin)
{
  uint32_t mode = HW_GET(IXGBE_AUTOC_LMS, twin_ixgbe_get(twin, IXGBE_AUTOC));
  bool is_1g = mode == IXGBE_LMS_1G_NO_AN || mode == IXGBE_LMS_1G_AN;
  return is_1g ? IXGBE_TIMINCA_CLOCK_10G_HZ / 10 : IXGBE_TIMINCA_CLOCK_10G_HZ;
}

static uint64_t systim(const struct twin_ixgbe *twin)
{
  const struct twin_ixgbe_ptp *ptp = twin->ptp;
  uint32_t timinca = twin_ixgbe_get(twin, IXGBE_TIMINCA);
  uint32_t period = HW_GET(IXGBE_TIMINCA_INCPERIOD, timinca);
  if (!period || twin->now_ns <= ptp->base_ns)
    return ptp->base;
  unsigned __int128 cycles = (unsigned __int128)(twin->now_ns - ptp->base_ns) * clock_hz(twin);
  uint64_t steps = (uint64_t)(cycles / NS_PER_SECOND / period);
  return ptp->base + steps * HW_GET(IXGBE_TIMINCA_INCVALUE, timinca);
}

/* From now on: before the rate, or the time itself, changes. */
static void systim_set(struct twin_ixgbe *twin, uint64_t value)
{
  twin->ptp->base = value;
  twin->ptp->base_ns = twin->now_ns;
}

/* TIMADJH applies what both halves say. */
static void systim_adjust(struct twin_ixgbe *twin, uint32_t high)
{
  uint64_t by = (uint64_t)(high & ~ADJUST_NEGATIVE) << 32 | twin->ptp->adjust_low;
  uint64_t now = systim(twin);
  systim_set(twin, high & ADJUST_NEGATIVE ? now - by : now + by);
}

/* ---- Registers ---- */

bool twin_ixgbe_ptp_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value)
{
  uint64_t now;
  *value = twin_ixgbe_get(twin, offset);
  switch (offset) {
  case IXGBE_SYSTIML:
    now = systim(twin);
    twin->ptp->latched_high = (uint32_t)(now >> 32);
    *value = (uint32_t)now;
    return true;
  case IXGBE_SYSTIMH:
    *value = twin->ptp->latched_high;
    return true;
  case IXGBE_RXSTMPH:
    twin_ixgbe_set(twin, IXGBE_TSYNCRXCTL,
                   twin_ixgbe_get(twin, IXGBE_TSYNCRXCTL) & ~IXGBE_TSYNCRXCTL_RXTT);
    return true;
  case IXGBE_TXSTMPH:
    twin_ixgbe_set(twin, IXGBE_TSYNCTXCTL,
                   twin_ixgbe_get(twin, IXGBE_TSYNCTXCTL) & ~IXGBE_TSYNCTXCTL_TXTT);
    return true;
  default:
    return true;
  }
}

/* A stamp's "valid" bit is read only. */
static void control_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  const uint32_t read_only = IXGBE_TSYNCRXCTL_RXTT;
  uint32_t old = twin_ixgbe_get(twin, offset);
  twin_ixgbe_set(twin, offset, (value & ~read_only) | (old & read_only));
}
_Static_assert(IXGBE_TSYNCRXCTL_RXTT == IXGBE_TSYNCTXCTL_TXTT, "one bit for both directions");

bool twin_ixgbe_ptp_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  uint64_t now = systim(twin);
  switch (offset) {
  case IXGBE_TSYNCRXCTL:
  case IXGBE_TSYNCTXCTL:
    control_write(twin, offset, value);
    return true;
  case IXGBE_SYSTIML:
    systim_set(twin, (now & ~(uint64_t)UINT32_MAX) | value);
    return true;
  case IXGBE_SYSTIMH:
    systim_set(twin, (now & UINT32_MAX) | (uint64_t)value << 32);
    return true;
  case IXGBE_TIMINCA:
    systim_set(twin, now);
    twin_ixgbe_set(twin, offset, value);
    return true;
  case IXGBE_TIMADJL:
    twin->ptp->adjust_low = value;
    twin_ixgbe_set(twin, offset, value);
    return true;
  case IXGBE_TIMADJH:
    systim_adjust(twin, value);
    twin_ixgbe_set(twin, offset, value);
    return true;
  default: /* RXSTMP, RXSATR, TXSTMP: read only */
    return true;
  }
}

/* ---- Which frames ---- */

struct ptp_message {
  const uint8_t *header;
  bool is_udp;
};

/* The chip knows a PTP frame without IP by an EtherType filter that says so (7.9.4). */
static bool ethertype_is_ptp(const struct twin_ixgbe *twin, uint16_t type)
{
  const uint32_t wanted = IXGBE_ETQF_FILTER_EN | IXGBE_ETQF_1588 | type;
  const uint32_t compared = IXGBE_ETQF_FILTER_EN | IXGBE_ETQF_1588 | IXGBE_ETQF_ETYPE;
  for (unsigned i = 0; i < IXGBE_ETQF_FILTERS; i++)
    if ((twin_ixgbe_get(twin, IXGBE_ETQF(i)) & compared) == wanted)
      return true;
  return false;
}

/* Where the UDP header of an IPv4 or IPv6 packet begins, or 0. */
static uint32_t udp_offset(const uint8_t *frame, uint32_t bytes, uint16_t type, uint32_t at)
{
  if (type == ETHERTYPE_IPV4 && bytes >= at + 20 && frame[at + 9] == PROTOCOL_UDP &&
      !(shunt_load_be16(frame + at + 6) & 0x1FFF)) /* not a later fragment */
    return at + 4u * (frame[at] & 0xF);
  if (type == ETHERTYPE_IPV6 && bytes >= at + 40 && frame[at + 6] == PROTOCOL_UDP)
    return at + 40;
  return 0;
}

static bool message_find(const struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes,
                         struct ptp_message *message)
{
  if (bytes < 18)
    return false;
  uint32_t at = 14;
  uint16_t type = shunt_load_be16(frame + 12);
  if (type == ETHERTYPE_VLAN) {
    type = shunt_load_be16(frame + 16);
    at = 18;
  }
  message->is_udp = false;
  if (!ethertype_is_ptp(twin, type)) {
    uint32_t udp = udp_offset(frame, bytes, type, at);
    uint32_t port = HW_GET(IXGBE_RXMTRL_UDPT, twin_ixgbe_get(twin, IXGBE_RXMTRL));
    if (!udp || bytes < udp + 8 || shunt_load_be16(frame + udp + 2) != port)
      return false;
    message->is_udp = true;
    at = udp + 8;
  }
  message->header = frame + at;
  return bytes >= at + PTP_HEADER_BYTES;
}

static bool message_matches(const struct twin_ixgbe *twin, const struct ptp_message *message)
{
  const uint8_t *header = message->header;
  uint32_t rxmtrl = twin_ixgbe_get(twin, IXGBE_RXMTRL);
  unsigned version = header[PTP_VERSION] & 0xF;
  unsigned message_type = header[PTP_MESSAGE_TYPE] & 0xF;
  bool is_wanted_type = message_type == HW_GET(IXGBE_RXMTRL_MSGT, rxmtrl);
  switch (HW_GET(IXGBE_TSYNCRXCTL_TYPE, twin_ixgbe_get(twin, IXGBE_TSYNCRXCTL))) {
  case IXGBE_TSYNC_TYPE_L2_V2:
    return !message->is_udp && version == 2 && is_wanted_type;
  case IXGBE_TSYNC_TYPE_L4_V1:
    return message->is_udp && version == 1 &&
           header[PTP_V1_CONTROL] == HW_GET(IXGBE_RXMTRL_CTRLT, rxmtrl);
  case IXGBE_TSYNC_TYPE_L2_L4_V2:
    return version == 2 && is_wanted_type;
  case IXGBE_TSYNC_TYPE_EVENT_V2:
    return version == 2 && message_type < EVENT_MESSAGES;
  default:
    return false;
  }
}

/* ---- Stamps ---- */

/* Part of the sender's identity, and the sequence id: how a driver tells whose stamp it is. */
static void attributes_latch(struct twin_ixgbe *twin, const uint8_t *header)
{
  bool is_v1 = (header[PTP_VERSION] & 0xF) == 1;
  const uint8_t *source = header + (is_v1 ? PTP_V1_SOURCE : PTP_V2_SOURCE);
  uint16_t sequence = shunt_load_be16(header + PTP_SEQUENCE);
  twin_ixgbe_set(twin, IXGBE_RXSATRL, shunt_load_be32(source + 2));
  twin_ixgbe_set(twin, IXGBE_RXSATRH,
                 HW_FIELD(IXGBE_RXSATRH_SEQUENCE_ID, sequence) | shunt_load_be16(source));
}

bool twin_ixgbe_ptp_rx(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes)
{
  uint32_t control = twin_ixgbe_get(twin, IXGBE_TSYNCRXCTL);
  struct ptp_message message;
  if (SHUNT_LIKELY(!(control & IXGBE_TSYNCRXCTL_EN)) || (control & IXGBE_TSYNCRXCTL_RXTT))
    return false;
  if (!message_find(twin, frame, bytes, &message) || !message_matches(twin, &message))
    return false;
  uint64_t now = systim(twin);
  twin_ixgbe_set(twin, IXGBE_RXSTMPL, (uint32_t)now);
  twin_ixgbe_set(twin, IXGBE_RXSTMPH, (uint32_t)(now >> 32));
  attributes_latch(twin, message.header);
  twin_ixgbe_set(twin, IXGBE_TSYNCRXCTL, control | IXGBE_TSYNCRXCTL_RXTT);
  return true;
}

void twin_ixgbe_ptp_tx(struct twin_ixgbe *twin)
{
  uint32_t control = twin_ixgbe_get(twin, IXGBE_TSYNCTXCTL);
  if (!(control & IXGBE_TSYNCTXCTL_EN) || (control & IXGBE_TSYNCTXCTL_TXTT))
    return;
  uint64_t now = systim(twin);
  twin_ixgbe_set(twin, IXGBE_TXSTMPL, (uint32_t)now);
  twin_ixgbe_set(twin, IXGBE_TXSTMPH, (uint32_t)(now >> 32));
  twin_ixgbe_set(twin, IXGBE_TSYNCTXCTL, control | IXGBE_TSYNCTXCTL_TXTT);
}

/* ---- Life ---- */

int twin_ixgbe_ptp_create(struct twin_ixgbe *twin)
{
  twin->ptp = calloc(1, sizeof(*twin->ptp));
  return twin->ptp ? 0 : -ENOMEM;
}

void twin_ixgbe_ptp_destroy(struct twin_ixgbe *twin)
{
  free(twin->ptp);
  twin->ptp = NULL;
}

void twin_ixgbe_ptp_reset(struct twin_ixgbe *twin)
{
  memset(twin->ptp, 0, sizeof(*twin->ptp));
  systim_set(twin, 0);
}
