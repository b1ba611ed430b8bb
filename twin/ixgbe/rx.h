/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of receive: packet.c looks at a frame, filter.c decides whether it is received,
 * steer.c and flow_director.c by which queue, rx.c puts it there. */
#ifndef TWIN_IXGBE_RX_H
#define TWIN_IXGBE_RX_H

#include "twin/ixgbe/ixgbe.h"

#define TWIN_IXGBE_CRC_BYTES 4u
#define TWIN_IXGBE_FILTERS   128u /* five-tuple filters, addresses */

/* What the chip's parser finds in a frame (7.1.2, 7.1.6.2 "packet type", 7.1.10, 7.1.11). Offsets
 * are from the frame's first byte; 0 where there is no such thing. */
struct twin_ixgbe_packet {
  const uint8_t *frame;
  uint32_t bytes;
  bool is_tagged; /* with VLNCTRL.VET: the inner tag where CTRL_EXT.EXT_VLAN is set */
  bool is_outer_tagged;
  bool is_fragment; /* IPv4 or IPv6, any of a datagram's fragments */
  bool is_first;    /* carries the L4 header: no fragment, or the first */
  uint16_t tag_at;  /* of the tag's EtherType */
  uint16_t vlan;    /* its control information */
  uint16_t type;    /* EtherType behind the tags */
  uint16_t ip_at, l4_at;
  uint32_t ip_bytes;  /* from ip_at to the end that the IP header states */
  uint8_t protocol;   /* behind IPv6 extension headers */
  uint32_t type_bits; /* IXGBE_RXD_TYPE_... */
  uint32_t status;    /* IXGBE_RXD_STAT_... and IXGBE_RXD_ERR_... of checksums */
};

/* What is decoded from filter registers once and kept until the driver writes a register. */
struct twin_ixgbe_rx_config {
  uint64_t seen_writes; /* mmio_writes when it was decoded */
  bool is_receiving;
  bool is_crc_kept;
  bool is_fragment_sum; /* RXCSUM: the checksum, not the hash */
  bool is_double_vlan;
  bool is_jumbo;
  bool is_loopback;
  uint16_t vlan_type, outer_vlan_type;
  uint32_t max_bytes; /* CRC included, tag not */
  uint32_t fctrl, vlnctrl, mcstctrl, mrqc, rxcsum;
  unsigned address_count; /* valid entries of RAL/RAH, as the low 48 bits */
  uint64_t addresses[TWIN_IXGBE_FILTERS];
  uint8_t address_index[TWIN_IXGBE_FILTERS];
  unsigned tuple_count; /* enabled five-tuple filters, best priority first */
  uint8_t tuples[TWIN_IXGBE_FILTERS];
  uint8_t ethertypes; /* bit n: ETQF n is enabled */
  bool is_syn_filtered;
  bool is_steered; /* any of the above, flow director or RSS: worth looking at the frame */
};

/* Which queue, and what the descriptor says about why. */
struct twin_ixgbe_steering {
  unsigned queue;
  bool is_dropped;
  uint32_t rss_type; /* IXGBE_RSS_TYPE_... */
  uint32_t hash;     /* RSS hash or flow director report */
  uint32_t status;   /* IXGBE_RXD_STAT_FLM, IXGBE_RXD_ERR_FDIR */
};

/* rx.c: a frame of our own, through HLREG0.LPBK. */
void twin_ixgbe_rx_loopback(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes);

#endif
