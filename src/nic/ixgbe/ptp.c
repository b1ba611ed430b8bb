/* SPDX-License-Identifier: BSD-2-Clause */
/* The chip's clock and its time stamps (datasheet 7.9, 8.2.3.26).
 *
 * What this chip can do: it recognises PTP event messages (IEEE 1588, over Ethernet or UDP port
 * 319), and latches the arrival time of one in a pair of registers until that is read. A second
 * one that comes meanwhile has no stamp. It can't stamp every frame: the 82580 and the X540 can,
 * the 82599's TYPE field has no such value. */
#include "src/nic/ixgbe/ixgbe.h"

#define ETHERTYPE_PTP 0x88F7u
#define UDP_PORT_PTP  319u

/* SYSTIM counts tenths of a nanosecond: then the clock's period is a whole number at each speed
 * (6.4 ns at 10 Gb/s, 64 at 1, 640 at 0.1), no error accumulates, and 64 bits last for 58 years. */
#define TENTHS 10u

static uint32_t increment(uint32_t speed_mbps)
{
  uint32_t slower = speed_mbps ? 10000 / speed_mbps : 1;
  uint64_t period = UINT64_C(1000000000) * TENTHS * slower / IXGBE_TIMINCA_CLOCK_10G_HZ;
  return HW_FIELD(IXGBE_TIMINCA_INCPERIOD, 1u) | HW_FIELD(IXGBE_TIMINCA_INCVALUE, (uint32_t)period);
}

/* The clock's rate follows the link's. */
void ixgbe_ptp_speed(struct ixgbe *ixgbe, uint32_t speed_mbps)
{
  if (speed_mbps == ixgbe->clock_speed_mbps)
    return;
  ixgbe_write(ixgbe, IXGBE_TIMINCA, increment(speed_mbps));
  ixgbe->clock_speed_mbps = speed_mbps;
}

void ixgbe_ptp_start(struct ixgbe *ixgbe)
{
  ixgbe_write(ixgbe, IXGBE_TIMINCA, 0);
  ixgbe_write(ixgbe, IXGBE_SYSTIML, 0);
  ixgbe_write(ixgbe, IXGBE_SYSTIMH, 0);
  ixgbe->clock_speed_mbps = 0;
  ixgbe_ptp_speed(ixgbe, 10000);
  ixgbe_write(ixgbe, IXGBE_TSYNCRXCTL, 0);
  if (!ixgbe->options.rx_time)
    return;

  shunt_log_write(ixgbe->pci->log, SHUNT_LOG_WARNING,
                  "%s: the 82599 stamps PTP event messages only, not every frame",
                  ixgbe->pci->address);
  ixgbe_write(ixgbe, IXGBE_ETQF(0),
              IXGBE_ETQF_FILTER_EN | IXGBE_ETQF_1588 | HW_FIELD(IXGBE_ETQF_ETYPE, ETHERTYPE_PTP));
  ixgbe_write(ixgbe, IXGBE_RXMTRL, HW_FIELD(IXGBE_RXMTRL_UDPT, UDP_PORT_PTP));
  (void)ixgbe_read(ixgbe, IXGBE_RXSTMPH); /* frees the place of a stamp left over */
  ixgbe_write(ixgbe, IXGBE_TSYNCRXCTL,
              IXGBE_TSYNCRXCTL_EN | HW_FIELD(IXGBE_TSYNCRXCTL_TYPE, IXGBE_TSYNC_TYPE_EVENT_V2));
}

/* Low first: reading it latches the high half, and reading that frees the place of a stamp. */
static uint64_t read_ns(struct ixgbe *ixgbe, uint32_t low_offset, uint32_t high_offset)
{
  uint64_t low = ixgbe_read(ixgbe, low_offset);
  return ((uint64_t)ixgbe_read(ixgbe, high_offset) << 32 | low) / TENTHS;
}

int ixgbe_time(struct shunt_port *port, uint64_t *time_ns, struct shunt_error *error)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  (void)error;
  *time_ns = read_ns(ixgbe, IXGBE_SYSTIML, IXGBE_SYSTIMH);
  return 0;
}

uint64_t ixgbe_rx_time(struct shunt_ixgbe_queue *q)
{
  return read_ns(q->driver, IXGBE_RXSTMPL, IXGBE_RXSTMPH);
}
