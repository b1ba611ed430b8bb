/* SPDX-License-Identifier: BSD-2-Clause */
/* The receive unit and its queues (datasheet 4.6.7). */
#include "src/nic/ixgbe/ixgbe.h"

#define SECURITY_MS 20
#define ETHERNET_BYTES_AROUND                                                                      \
  18 /* header and CRC; VLAN tags do not count in MAXFRS (8.2.3.22.13) */

/* 8.2.3.8.9: one packet buffer, less what the flow director's filters take from its end. */
static void start_packet_buffer(struct ixgbe *ixgbe)
{
  ixgbe_write(ixgbe, IXGBE_RXPBSIZE(0), IXGBE_RX_PACKET_BUFFER_BYTES - IXGBE_FLOW_DIRECTOR_BYTES);
  for (unsigned i = 1; i < IXGBE_TRAFFIC_CLASSES; i++)
    ixgbe_write(ixgbe, IXGBE_RXPBSIZE(i), 0);
}

/* 4.6.7: CRC off received frames in both places that must agree (8.2.3.8.8), no coalescing, and
 * the bits that "software shall set". */
static void start_offloads(struct ixgbe *ixgbe)
{
  bool jumbo = ixgbe->options.mtu > 1500;
  uint32_t hlreg0 = ixgbe_read(ixgbe, IXGBE_HLREG0) & ~IXGBE_HLREG0_JUMBOEN;
  hlreg0 |= IXGBE_HLREG0_TXCRCEN | IXGBE_HLREG0_RXCRCSTRP | IXGBE_HLREG0_TXPADEN;
  ixgbe_write(ixgbe, IXGBE_HLREG0, hlreg0 | (jumbo ? IXGBE_HLREG0_JUMBOEN : 0));
  if (jumbo) /* without JUMBOEN the limit is 1518 bytes whatever MAXFRS says */
    ixgbe_write(ixgbe, IXGBE_MAXFRS,
                HW_FIELD(IXGBE_MAXFRS_MFS, ixgbe->options.mtu + ETHERNET_BYTES_AROUND));

  uint32_t rdrxctl = ixgbe_read(ixgbe, IXGBE_RDRXCTL) & ~IXGBE_RDRXCTL_RSCFRSTSIZE;
  ixgbe_write(ixgbe, IXGBE_RDRXCTL,
              rdrxctl | IXGBE_RDRXCTL_CRCSTRIP | IXGBE_RDRXCTL_RSCACKC | IXGBE_RDRXCTL_FCOE_WRFIX);
  ixgbe_set(ixgbe, IXGBE_RFCTL, IXGBE_RFCTL_RSC_DIS);
  /* Checksums are always looked at; PCSD leaves their place in the descriptor to the RSS hash. */
  ixgbe_write(ixgbe, IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD);
  ixgbe_set(ixgbe, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_NS_DIS);
}

/* 8.2.3.8.7. With several queues, one whose owner is slow must not block the packet buffer for the
 * others, so frames without a descriptor are dropped; a single queue may let them wait there. */
static uint32_t split_receive_control(const struct ixgbe *ixgbe, const struct shunt_ixgbe_queue *q)
{
  uint32_t srrctl = HW_FIELD(IXGBE_SRRCTL_BSIZEPACKET, q->head.buf_bytes / 1024) |
                    HW_FIELD(IXGBE_SRRCTL_BSIZEHEADER, 4u) |
                    HW_FIELD(IXGBE_SRRCTL_DESCTYPE, IXGBE_DESCTYPE_ONE_BUFFER);
  return srrctl | (ixgbe->options.queues > 1 ? IXGBE_SRRCTL_DROP_EN : 0);
}

/* Of a descriptor's second quadword: the length always, the tag and the bits that speak of metadata
 * only where somebody asked for them. */
static uint64_t what_to_keep(const struct shunt_port_options *options)
{
  uint64_t keep = SHUNT_FRAME_MORE | SHUNT_FRAME_L4_CHECKED | SHUNT_FRAME_IP_CHECKED |
                  SHUNT_FRAME_DAMAGED | SHUNT_FRAME_L4_BAD | SHUNT_FRAME_IP_BAD;
  keep |= UINT64_C(0xFFFF) << 32;
  if (options->rx_metadata)
    keep |= SHUNT_FRAME_VLAN | UINT64_C(0xFFFF) << 48;
  return options->rx_time ? keep | SHUNT_FRAME_TIME : keep;
}

/* 4.6.7.1: the ring's place and length, the buffers' length. Empty: head == tail. */
static void set_up_queue(struct ixgbe *ixgbe, struct shunt_ixgbe_queue *q)
{
  unsigned i = q->head.index;
  uint32_t descriptors = ixgbe->options.rx_ring;
  uint64_t address;
  q->rx_ring = ixgbe_ring_take(ixgbe, descriptors, &address);
  q->rx_mask = descriptors - 1;
  q->rx_batch = descriptors / 8;
  q->rx_low = descriptors / 2;
  q->rx_keep = what_to_keep(&ixgbe->options);

  ixgbe_write(ixgbe, IXGBE_RDBAL(i), (uint32_t)address);
  ixgbe_write(ixgbe, IXGBE_RDBAH(i), (uint32_t)(address >> 32));
  ixgbe_write(ixgbe, IXGBE_RDLEN(i), descriptors * IXGBE_DESC_BYTES);
  ixgbe_write(ixgbe, IXGBE_SRRCTL(i), split_receive_control(ixgbe, q));
  ixgbe_write(ixgbe, IXGBE_RSCCTL(i), 0);
  /* 4.6.7 for bit 12. Payload before its descriptor, which relaxed ordering would not promise:
   * rx_poll reads the one as soon as it sees the other. */
  ixgbe_clear(ixgbe, IXGBE_DCA_RXCTRL(i),
              IXGBE_DCA_RXCTRL_RESERVED_12 | IXGBE_DCA_RXCTRL_DATA_WRO_EN |
                  IXGBE_DCA_RXCTRL_HEAD_WRO_EN);
}

/* 4.6.7.1: the tail may be written only once the queue reads back as enabled. */
static int enable_queue(struct ixgbe *ixgbe, unsigned i, struct shunt_error *error)
{
  uint32_t strip = ixgbe->options.vlan_strip ? IXGBE_RXDCTL_VME : 0;
  uint32_t rxdctl = ixgbe_read(ixgbe, IXGBE_RXDCTL(i)) & ~IXGBE_RXDCTL_VME;
  ixgbe_write(ixgbe, IXGBE_RXDCTL(i), rxdctl | strip | IXGBE_RXDCTL_ENABLE);
  int result = ixgbe_ring_wait(ixgbe, "RXDCTL", i, IXGBE_RXDCTL(i), true, error);
  if (!result)
    ixgbe_write(ixgbe, IXGBE_RDT(i), 0);
  return result;
}

/* 4.6.7, and the erratum behind it: frames that arrive in the moment of RXEN can hang the Rx DMA,
 * so the security block in front of it is stopped first, at the end of a frame. */
int ixgbe_rx_enable(struct ixgbe *ixgbe, bool on, struct shunt_error *error)
{
  ixgbe_set(ixgbe, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
  int result = ixgbe_wait_ms(ixgbe, IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_RDY, IXGBE_SECRXSTAT_RDY,
                             SECURITY_MS, "SECRXSTAT.SECRX_RDY", error);
  if (!result)
    ixgbe_write(ixgbe, IXGBE_RXCTRL, on ? IXGBE_RXCTRL_RXEN : 0);
  ixgbe_clear(ixgbe, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
  ixgbe_flush(ixgbe);
  return result;
}

int ixgbe_rx_start(struct ixgbe *ixgbe, struct shunt_error *error)
{
  start_packet_buffer(ixgbe);
  start_offloads(ixgbe);
  for (unsigned i = 0; i < ixgbe->queue_count; i++) {
    set_up_queue(ixgbe, ixgbe->queues[i]);
    int result = enable_queue(ixgbe, i, error);
    if (result)
      return result;
  }
  return 0;
}

/* 4.6.7.1.2: after ENABLE reads 0, frames already accepted still need up to 100 us. */
int ixgbe_rx_stop(struct ixgbe *ixgbe, struct shunt_error *error)
{
  for (unsigned i = 0; i < ixgbe->queue_count; i++)
    ixgbe_clear(ixgbe, IXGBE_RXDCTL(i), IXGBE_RXDCTL_ENABLE);
  for (unsigned i = 0; i < ixgbe->queue_count; i++) {
    int result = ixgbe_ring_wait(ixgbe, "RXDCTL", i, IXGBE_RXDCTL(i), false, error);
    if (result)
      return result;
  }
  ixgbe_delay_us(ixgbe, 100);
  return 0;
}
