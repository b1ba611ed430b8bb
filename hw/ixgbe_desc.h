/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors of the Intel 82599: 16 bytes each, little-endian, in rings of 8n of them.
 *
 * Section numbers are those of the "Intel 82599 10 GbE Controller Datasheet". This header stands
 * alone, in C and C++, because the inline fast path includes it. Both views of a union are the same
 * 16 bytes: the driver writes `read`, the device overwrites it with `wb`. */
#ifndef HW_IXGBE_DESC_H
#define HW_IXGBE_DESC_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "descriptors are little-endian, and are accessed as they are"
#endif

/* Advanced receive descriptor (7.1.6). */
union ixgbe_rx_desc {
  struct {
    uint64_t packet_address;
    uint64_t header_address; /* bit 0 is where DD will be: write 0 */
  } read;                    /* 7.1.6.1 */
  struct {
    uint32_t info;         /* IXGBE_RXD_RSS_TYPE ... */
    uint32_t hash;         /* RSS hash, flow director id, or fragment checksum */
    uint32_t status_error; /* IXGBE_RXD_STAT_..., IXGBE_RXD_ERR_... */
    uint16_t length;       /* of the data in this buffer */
    uint16_t vlan;         /* the stripped tag, if STAT_VP; host order */
  } wb;                    /* 7.1.6.2 */
  uint64_t quad[2];        /* quad[1] holds DD and length: publish it with one store */
};

/* Advanced transmit descriptor, data (7.2.3.2.4). */
union ixgbe_tx_desc {
  struct {
    uint64_t address;
    uint32_t cmd_type_len;  /* IXGBE_TXD_DTALEN ... */
    uint32_t olinfo_status; /* IXGBE_TXD_STAT_DD ... */
  } read;
  struct {
    uint64_t reserved;
    uint32_t next_sequence;
    uint32_t status;
  } wb; /* 7.2.3.2.4, written only where RS was set */
  uint64_t quad[2];
};

/* Advanced transmit descriptor, context (7.2.3.2.3): what the data descriptors after it share. */
struct ixgbe_tx_context_desc {
  uint32_t vlan_maclen_iplen;
  uint32_t fcoe_sa_index;
  uint32_t type_tucmd;
  uint32_t mss_l4len_idx;
};

/* Legacy receive descriptor (7.1.5). */
struct ixgbe_legacy_rx_desc {
  uint64_t address;
  uint16_t length;
  uint16_t checksum; /* of the fragment */
  uint8_t status;    /* bits 7:0 of IXGBE_RXD_STAT_... */
  uint8_t errors;    /* IXGBE_RXD_LEGACY_ERR_... */
  uint16_t vlan;
};

/* Legacy transmit descriptor (7.2.3.2.2). IXGBE_TXD_DEXT is 0 in lower. */
struct ixgbe_legacy_tx_desc {
  uint64_t address;
  uint32_t lower; /* length, CSO, command */
  uint32_t upper; /* status, CSS, VLAN */
};

#define IXGBE_DESC_BYTES 16u
static_assert(sizeof(union ixgbe_rx_desc) == IXGBE_DESC_BYTES, "7.1.6");
static_assert(sizeof(union ixgbe_tx_desc) == IXGBE_DESC_BYTES, "7.2.3.2.4");
static_assert(sizeof(struct ixgbe_tx_context_desc) == IXGBE_DESC_BYTES, "7.2.3.2.3");
static_assert(sizeof(struct ixgbe_legacy_rx_desc) == IXGBE_DESC_BYTES, "7.1.5");
static_assert(sizeof(struct ixgbe_legacy_tx_desc) == IXGBE_DESC_BYTES, "7.2.3.2.2");
static_assert(offsetof(union ixgbe_rx_desc, read.header_address) == 8, "7.1.6.1");
static_assert(offsetof(union ixgbe_rx_desc, wb.hash) == 4, "7.1.6.2");
static_assert(offsetof(union ixgbe_rx_desc, wb.status_error) == 8, "7.1.6.2");
static_assert(offsetof(union ixgbe_rx_desc, wb.length) == 12, "7.1.6.2");
static_assert(offsetof(union ixgbe_rx_desc, wb.vlan) == 14, "7.1.6.2");
static_assert(offsetof(union ixgbe_tx_desc, read.cmd_type_len) == 8, "7.2.3.2.4");
static_assert(offsetof(union ixgbe_tx_desc, read.olinfo_status) == 12, "7.2.3.2.4");
static_assert(offsetof(union ixgbe_tx_desc, wb.status) == 12, "7.2.3.2.4");
static_assert(offsetof(struct ixgbe_tx_context_desc, type_tucmd) == 8, "7.2.3.2.3");
static_assert(offsetof(struct ixgbe_legacy_rx_desc, status) == 12, "7.1.5");
static_assert(offsetof(struct ixgbe_legacy_rx_desc, vlan) == 14, "7.1.5");
static_assert(offsetof(struct ixgbe_legacy_tx_desc, upper) == 12, "7.2.3.2.2");

/* 7.1.6.2 wb.info */
#define IXGBE_RXD_RSS_TYPE       0x0000000Fu
#define IXGBE_RXD_PACKET_TYPE    0x0001FFF0u
#define IXGBE_RXD_RSCCNT         0x001E0000u
#define IXGBE_RXD_HDR_LEN        0x7FE00000u
#define IXGBE_RXD_HDR_LEN_SHIFT  21
#define IXGBE_RXD_SPH            0x80000000u /* headers were split off, or could have been */
#define IXGBE_RSS_TYPE_NONE      0u
#define IXGBE_RSS_TYPE_IPV4_TCP  1u
#define IXGBE_RSS_TYPE_IPV4      2u
#define IXGBE_RSS_TYPE_IPV6_TCP  3u
#define IXGBE_RSS_TYPE_IPV6      5u
#define IXGBE_RSS_TYPE_IPV4_UDP  7u
#define IXGBE_RSS_TYPE_IPV6_UDP  8u
#define IXGBE_RSS_TYPE_FDIR      0xFu /* hash holds the flow director's report */
#define IXGBE_RXD_TYPE_IPV4      0x00000010u
#define IXGBE_RXD_TYPE_IPV4_EXT  0x00000020u /* with options */
#define IXGBE_RXD_TYPE_IPV6      0x00000040u
#define IXGBE_RXD_TYPE_IPV6_EXT  0x00000080u
#define IXGBE_RXD_TYPE_TCP       0x00000100u
#define IXGBE_RXD_TYPE_UDP       0x00000200u
#define IXGBE_RXD_TYPE_SCTP      0x00000400u
#define IXGBE_RXD_TYPE_NFS       0x00000800u
#define IXGBE_RXD_TYPE_IPSEC_ESP 0x00001000u
#define IXGBE_RXD_TYPE_IPSEC_AH  0x00002000u
#define IXGBE_RXD_TYPE_LINKSEC   0x00004000u
#define IXGBE_RXD_TYPE_L2        0x00008000u /* an ETQF matched; its number instead of the above */
#define IXGBE_RXD_TYPE_L2_ETQF   0x00000070u

/* 7.1.6.2 wb.status_error: status in bits 19:0, errors in 31:20 */
#define IXGBE_RXD_STAT_DD        0x00000001u /* done: the device owns it no longer */
#define IXGBE_RXD_STAT_EOP       0x00000002u /* last buffer of the frame */
#define IXGBE_RXD_STAT_FLM       0x00000004u /* a flow director filter matched */
#define IXGBE_RXD_STAT_VP        0x00000008u /* VLAN tag was stripped */
#define IXGBE_RXD_STAT_UDPCS     0x00000010u
#define IXGBE_RXD_STAT_L4CS      0x00000020u /* L4 checksum was checked */
#define IXGBE_RXD_STAT_IPCS      0x00000040u /* IPv4 header checksum was checked */
#define IXGBE_RXD_STAT_PIF       0x00000080u /* passed an inexact filter only */
#define IXGBE_RXD_STAT_VEXT      0x00000200u
#define IXGBE_RXD_STAT_UDPV      0x00000400u
#define IXGBE_RXD_STAT_LLINT     0x00000800u
#define IXGBE_RXD_STAT_TS        0x00010000u /* its time stamp is in RXSTMPL/H */
#define IXGBE_RXD_STAT_SECP      0x00020000u
#define IXGBE_RXD_STAT_LB        0x00040000u /* from another pool of this port */
#define IXGBE_RXD_NEXTP          0x000FFFF0u /* with RSC, instead of the above while EOP is 0 */
#define IXGBE_RXD_ERR_FDIR       0x00700000u
#define IXGBE_RXD_ERR_HBO        0x00800000u /* header longer than its buffer */
#define IXGBE_RXD_ERR_SECERR     0x18000000u
#define IXGBE_RXD_ERR_RXE        0x20000000u /* MAC error: only stored with FCTRL.SBP */
#define IXGBE_RXD_ERR_L4E        0x40000000u
#define IXGBE_RXD_ERR_IPE        0x80000000u
#define IXGBE_RXD_LEGACY_ERR_RXE 0x01u
#define IXGBE_RXD_LEGACY_ERR_L4E 0x40u
#define IXGBE_RXD_LEGACY_ERR_IPE 0x80u

/* 7.2.3.2.4 read.cmd_type_len */
#define IXGBE_TXD_DTALEN       0x0000FFFFu
#define IXGBE_TXD_MAC_ILSEC    0x00040000u
#define IXGBE_TXD_MAC_1588     0x00080000u /* stamp it */
#define IXGBE_TXD_DTYP         0x00F00000u
#define IXGBE_TXD_DTYP_CONTEXT 0x00200000u
#define IXGBE_TXD_DTYP_DATA    0x00300000u
#define IXGBE_TXD_EOP          0x01000000u
#define IXGBE_TXD_IFCS         0x02000000u
#define IXGBE_TXD_RS           0x08000000u /* report status: only with EOP */
#define IXGBE_TXD_DEXT         0x20000000u /* 1: advanced */
#define IXGBE_TXD_VLE          0x40000000u
#define IXGBE_TXD_TSE          0x80000000u

/* 7.2.3.2.4 read.olinfo_status, wb.status. PAYLEN counts the whole frame, on its first descriptor;
 * with TSE only what follows the headers. */
#define IXGBE_TXD_STAT_DD      0x00000001u
#define IXGBE_TXD_IDX          0x00000070u
#define IXGBE_TXD_CC           0x00000080u /* check context: the context's IDX counts */
#define IXGBE_TXD_POPTS_IXSM   0x00000100u /* insert the IPv4 header checksum */
#define IXGBE_TXD_POPTS_TXSM   0x00000200u /* insert the L4 checksum */
#define IXGBE_TXD_POPTS_IPSEC  0x00000400u
#define IXGBE_TXD_PAYLEN       0xFFFFC000u
#define IXGBE_TXD_PAYLEN_SHIFT 14

/* 7.2.3.2.3 Context */
#define IXGBE_TXC_IPLEN        0x000001FFu
#define IXGBE_TXC_MACLEN       0x0000FE00u
#define IXGBE_TXC_MACLEN_SHIFT 9
#define IXGBE_TXC_VLAN         0xFFFF0000u
#define IXGBE_TXC_VLAN_SHIFT   16
#define IXGBE_TXC_SA_INDEX     0x000003FFu
#define IXGBE_TXC_TUCMD_SNAP   0x00000200u
#define IXGBE_TXC_TUCMD_IPV4   0x00000400u
#define IXGBE_TXC_TUCMD_L4T    0x00001800u
#define IXGBE_TXC_L4T_UDP      0x00000000u
#define IXGBE_TXC_L4T_TCP      0x00000800u
#define IXGBE_TXC_L4T_SCTP     0x00001000u
#define IXGBE_TXC_TUCMD_FCOE   0x00008000u
#define IXGBE_TXC_IDX          0x00000070u
#define IXGBE_TXC_L4LEN        0x0000FF00u
#define IXGBE_TXC_L4LEN_SHIFT  8
#define IXGBE_TXC_MSS          0xFFFF0000u
#define IXGBE_TXC_MSS_SHIFT    16
#define IXGBE_TX_CONTEXTS      2u /* each queue keeps two, chosen by IDX */

/* 7.2.3.2.2 Legacy: lower (with EOP, IFCS, RS, DEXT, VLE as above) and upper */
#define IXGBE_TXD_LEGACY_LENGTH 0x0000FFFFu
#define IXGBE_TXD_LEGACY_CSO    0x00FF0000u /* where the checksum goes */
#define IXGBE_TXD_LEGACY_IC     0x04000000u /* insert it */
#define IXGBE_TXD_LEGACY_DD     0x00000001u
#define IXGBE_TXD_LEGACY_CSS    0x0000FF00u /* where summing starts */
#define IXGBE_TXD_LEGACY_VLAN   0xFFFF0000u

/* 7.2.1.1 One frame may take at most this many data descriptors. */
#define IXGBE_TX_DESCRIPTORS_PER_FRAME 40u

#endif
