/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of receive: packet.c looks at a frame, filter.c decides whether it is received,
 * steer.c and flow_director.c by which queue, rx.c puts it there. */
#ifndef TWIN_IXGBE_RX_H
#define TWIN_IXGBE_RX_H

#include <string.h>

#include "shunt/ethernet.h"
#include "twin/ixgbe/ixgbe.h"
#include "twin/ixgbe/statistics.h"

#define TWIN_IXGBE_FILTERS 128u /* five-tuple filters, addresses */

/* What the chip's parser finds in a frame (7.1.2, 7.1.6.2 "packet type", 7.1.10, 7.1.11). Offsets
 * are from the frame's first byte; 0 where there is no such thing. */
struct twin_ixgbe_packet {
  const uint8_t *frame;
  uint32_t bytes;
  bool is_tagged; /* with VLNCTRL.VET: the inner tag where CTRL_EXT.EXT_VLAN is set */
  bool is_outer_tagged;
  bool is_source_routed; /* an IPv6 routing header has segments left */
  bool is_fragment;      /* IPv4 or IPv6, any of a datagram's fragments */
  bool is_first;         /* carries the L4 header: no fragment, or the first */
  uint16_t tag_at;       /* of the tag's EtherType */
  uint16_t vlan;         /* its control information */
  uint16_t type;         /* EtherType behind the tags */
  uint16_t ip_at, l4_at;
  uint32_t ip_bytes;  /* from ip_at to the end that the IP header states */
  uint8_t protocol;   /* behind IPv6 extension headers */
  uint32_t type_bits; /* IXGBE_RXD_TYPE_... */
  uint32_t status;    /* IXGBE_RXD_STAT_... and IXGBE_RXD_ERR_... of checksums */
};

/* What is decoded from filter registers once and kept until the driver writes a setting. */
struct twin_ixgbe_rx_config {
  uint64_t seen_writes; /* settings_writes when it was decoded */
  bool is_crc_kept;
  bool is_double_vlan;
  bool is_steered; /* something besides queue 0 is possible */
  bool is_plain;   /* nothing asks for more of a frame than twin_ixgbe_packet_glance finds */
  uint16_t vlan_type, outer_vlan_type;
  uint32_t max_bytes; /* CRC included, tags not */
  uint32_t fctrl, vlnctrl, mcstctrl, mrqc, rxcsum, vtctl, fdirctrl, synqf;
  uint8_t ethertypes; /* bit n: ETQF n is enabled */
  /* Valid entries of RAL/RAH: index, and address as the low 48 bits. Without any the first address
   * is one that no frame has. */
  unsigned address_count;
  uint8_t address_index[TWIN_IXGBE_FILTERS];
  uint64_t addresses[TWIN_IXGBE_FILTERS];
  unsigned tuple_count; /* enabled five-tuple filters, best priority first */
  uint8_t tuples[TWIN_IXGBE_FILTERS];
};

/* Did a frame pass, and by which entry of RAL/RAH? */
enum twin_ixgbe_verdict {
  TWIN_IXGBE_PASS,
  TWIN_IXGBE_PASS_INEXACT, /* by a hash, or for want of a filter: STAT_PIF */
  TWIN_IXGBE_NOT_ADDRESSED,
  TWIN_IXGBE_VLAN_FILTERED,
};
#define TWIN_IXGBE_NO_ADDRESS UINT32_MAX

/* Which queue, and what the descriptor says about why. */
struct twin_ixgbe_steering {
  unsigned queue;
  bool is_dropped;
  uint32_t rss_type; /* IXGBE_RSS_TYPE_... */
  uint32_t hash;     /* RSS hash or flow director report */
  uint32_t status;   /* IXGBE_RXD_STAT_FLM, IXGBE_RXD_ERR_FDIR */
};

/* packet.c */
/* What most frames are: untagged IPv4 without options, not cut up, with all of a TCP segment or UDP
 * datagram in it, summed. Finds of such a frame what _read and _check do, but in fewer steps;
 * false: it is another. config->is_plain must be set. */
struct twin_ixgbe_glance {
  uint32_t type_bits, status;
  uint16_t id; /* of IPv4 */
};
bool twin_ixgbe_packet_glance(const uint8_t *frame, uint32_t bytes, struct twin_ixgbe_glance *seen);
/* frame holds at least an Ethernet header with two tags: the shortest legal frame does. */
void twin_ixgbe_packet_read(struct twin_ixgbe_packet *packet,
                            const struct twin_ixgbe_rx_config *config, const uint8_t *frame,
                            uint32_t bytes);
/* Verify the L4 checksum; sets status. */
void twin_ixgbe_packet_check(struct twin_ixgbe_packet *packet);
/* The descriptor's checksum and identification (RXCSUM.PCSD clear); may set STAT_UDPV. */
uint32_t twin_ixgbe_packet_fragment_sum(struct twin_ixgbe_packet *packet, bool with_sum);

/* filter.c */
void twin_ixgbe_filter_decode(struct twin_ixgbe *twin, struct twin_ixgbe_rx_config *config);
/* Decode the registers anew where the driver has written any. */
static inline void twin_ixgbe_filter_refresh(struct twin_ixgbe *twin,
                                             struct twin_ixgbe_rx_config *config)
{
  if (SHUNT_UNLIKELY(config->seen_writes != twin->settings_writes))
    twin_ixgbe_filter_decode(twin, config);
}

/* Is a frame neither too short nor too long? One that is, is counted. */
bool twin_ixgbe_filter_odd_length(struct twin_ixgbe *twin,
                                  const struct twin_ixgbe_rx_config *config, const uint8_t *frame,
                                  uint32_t bytes);
static inline bool twin_ixgbe_filter_length(struct twin_ixgbe *twin,
                                            const struct twin_ixgbe_rx_config *config,
                                            const uint8_t *frame, uint32_t bytes)
{
  if (SHUNT_LIKELY(bytes >= SHUNT_ETHERNET_MIN_BYTES &&
                   bytes + TWIN_IXGBE_FCS_BYTES <= config->max_bytes))
    return true;
  return twin_ixgbe_filter_odd_length(twin, config, frame, bytes);
}

/* A frame's destination as a number, the first byte on the wire lowest. */
static inline uint64_t twin_ixgbe_destination(const uint8_t *frame)
{
  uint64_t address;
  memcpy(&address, frame, sizeof(address)); /* and two bytes of the source */
  return address & UINT64_C(0xFFFFFFFFFFFF);
}
/* index: of the entry that matched, or TWIN_IXGBE_NO_ADDRESS. */
enum twin_ixgbe_verdict twin_ixgbe_filter_search(const struct twin_ixgbe *twin,
                                                 const struct twin_ixgbe_rx_config *config,
                                                 uint64_t address, uint32_t *index);
static inline enum twin_ixgbe_verdict
twin_ixgbe_filter_address(const struct twin_ixgbe *twin, const struct twin_ixgbe_rx_config *config,
                          const uint8_t *frame, uint32_t *index)
{
  uint64_t address = twin_ixgbe_destination(frame);
  *index = config->address_index[0];
  if (SHUNT_LIKELY(address == config->addresses[0])) /* mostly the only one */
    return TWIN_IXGBE_PASS;
  return twin_ixgbe_filter_search(twin, config, address, index);
}
bool twin_ixgbe_filter_vlan(const struct twin_ixgbe *twin,
                            const struct twin_ixgbe_rx_config *config, uint16_t vlan);

/* steer.c */
#define TWIN_IXGBE_RSS_INPUT_BYTES 36u /* two IPv6 addresses and two ports */
struct twin_ixgbe_rss {
  uint32_t key[IXGBE_RSS_KEY_BYTES / 4];
  uint32_t table[2 * TWIN_IXGBE_RSS_INPUT_BYTES][16]; /* what each half byte of input adds */
};
struct twin_ixgbe_rss *twin_ixgbe_steer_rss(struct twin_ixgbe *twin); /* flow_director.c keeps it */
void twin_ixgbe_steer_refresh(struct twin_ixgbe *twin, struct twin_ixgbe_rx_config *config);
/* steering is all zero before: queue 0, which is where a frame goes unless config->is_steered. */
void twin_ixgbe_steer(struct twin_ixgbe *twin, const struct twin_ixgbe_rx_config *config,
                      struct twin_ixgbe_packet *packet, uint32_t address,
                      struct twin_ixgbe_steering *steering);

/* flow_director.c: look for a filter of that frame. true: there was one, and it is carried out. */
bool twin_ixgbe_flow_director_match(struct twin_ixgbe *twin, const struct twin_ixgbe_packet *packet,
                                    unsigned pool, struct twin_ixgbe_steering *steering);

/* rx.c: a frame of our own, through HLREG0.LPBK. */
void twin_ixgbe_rx_loopback(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes);

#endif
