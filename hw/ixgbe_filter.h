/* SPDX-License-Identifier: BSD-2-Clause */
/* 82599: which frames are received, into which queue, and virtual pools
 * (datasheet 8.2.3.7, .27; order of filters 7.1.2). Include hw/ixgbe.h, which says how to read
 * this. */
#ifndef HW_IXGBE_FILTER_H
#define HW_IXGBE_FILTER_H

/* 8.2.3.7.1 Filter control */
#define IXGBE_FCTRL     0x05080u
#define IXGBE_FCTRL_SBP 0x00000002u /* store bad packets */
#define IXGBE_FCTRL_MPE 0x00000100u /* multicast promiscuous */
#define IXGBE_FCTRL_UPE 0x00000200u /* unicast promiscuous */
#define IXGBE_FCTRL_BAM 0x00000400u /* accept broadcast */

/* 8.2.3.7.2 VLAN control. VME is 82598's: here stripping is RXDCTL.VME, per queue. */
#define IXGBE_VLNCTRL       0x05088u
#define IXGBE_VLNCTRL_VET   0x0000FFFFu /* EtherType of tags, 0x8100 after reset */
#define IXGBE_VLNCTRL_CFI   0x10000000u
#define IXGBE_VLNCTRL_CFIEN 0x20000000u
#define IXGBE_VLNCTRL_VFE   0x40000000u /* filter by VFTA */

/* 8.2.3.7.3 Multicast control: which 12 bits of the address index the MTA */
#define IXGBE_MCSTCTRL     0x05090u
#define IXGBE_MCSTCTRL_MO  0x00000003u /* 0: bits 47:36, 1: 46:35, 2: 45:34, 3: 43:32 */
#define IXGBE_MCSTCTRL_MFE 0x00000004u /* use the MTA */

/* 8.2.3.7.4 Packet split type of pool n, and how many of its queues RSS uses */
#define IXGBE_PSRTYPE(n)       (0x0EA00u + 4 * (n)) /* n 0-63 */
#define IXGBE_PSRTYPE_ALIAS(n) (0x05480u + 4 * (n)) /* n 0-15: the same registers again */
#define IXGBE_PSRTYPE_NFSHDR   0x00000002u
#define IXGBE_PSRTYPE_TCPHDR   0x00000010u
#define IXGBE_PSRTYPE_UDPHDR   0x00000020u
#define IXGBE_PSRTYPE_IPV4HDR  0x00000100u
#define IXGBE_PSRTYPE_IPV6HDR  0x00000200u
#define IXGBE_PSRTYPE_L2HDR    0x00001000u
#define IXGBE_PSRTYPE_RQPL     0xE0000000u

/* 8.2.3.7.5 Receive checksum. PCSD: the descriptor carries the RSS hash, not the checksum. */
#define IXGBE_RXCSUM        0x05000u
#define IXGBE_RXCSUM_IPPCSE 0x00001000u
#define IXGBE_RXCSUM_PCSD   0x00002000u

/* 8.2.3.7.6 Receive filter control */
#define IXGBE_RFCTL            0x05008u
#define IXGBE_RFCTL_RSC_DIS    0x00000020u
#define IXGBE_RFCTL_NFSW_DIS   0x00000040u
#define IXGBE_RFCTL_NFSR_DIS   0x00000080u
#define IXGBE_RFCTL_NFS_VER    0x00000300u
#define IXGBE_RFCTL_IPFRSP_DIS 0x00004000u

/* 8.2.3.7.7 Multicast table, 4096 bits: dword n 0-127 is bits 11:5 of the index, the rest the bit
 */
#define IXGBE_MTA(n)     (0x05200u + 4 * (n))
#define IXGBE_MTA_DWORDS 128u

/* 8.2.3.7.8, .9 Exact addresses n 0-127, byte 0 of the address in RAL bits 7:0. The datasheet has
 * all of them here; ixgbe_type.h reaches the first 16 through the alias. A write to RAL takes
 * effect with the following write to RAH. */
#define IXGBE_RAL(n)       (0x0A200u + 8 * (n))
#define IXGBE_RAH(n)       (0x0A204u + 8 * (n))
#define IXGBE_RAL_ALIAS(n) (0x05400u + 8 * (n)) /* n 0-15: the same registers again */
#define IXGBE_RAH_ALIAS(n) (0x05404u + 8 * (n))
#define IXGBE_RAH_ADDRESS  0x0000FFFFu
#define IXGBE_RAH_AV       0x80000000u /* valid */

/* 8.2.3.7.10 Pools that address n belongs to: pools 0-31 and 32-63 */
#define IXGBE_MPSAR_LO(n) (0x0A600u + 8 * (n)) /* n 0-127 */
#define IXGBE_MPSAR_HI(n) (0x0A604u + 8 * (n))

/* 8.2.3.7.11 VLAN table: bit (id % 32) of dword (id / 32) */
#define IXGBE_VFTA(n)     (0x0A000u + 4 * (n)) /* n 0-127 */
#define IXGBE_VFTA_DWORDS 128u

/* 8.2.3.7.12 Multiple receive queues. This and the next two stand where drivers reach them; the
 * datasheet lists the alias. */
#define IXGBE_MRQC              0x05818u
#define IXGBE_MRQC_ALIAS        0x0EC80u
#define IXGBE_MRQC_MRQE         0x0000000Fu
#define IXGBE_MRQE_NONE         0x0u
#define IXGBE_MRQE_RSS          0x1u
#define IXGBE_MRQE_DCB_8TC      0x2u
#define IXGBE_MRQE_DCB_4TC      0x3u
#define IXGBE_MRQE_DCB_8TC_RSS  0x4u
#define IXGBE_MRQE_DCB_4TC_RSS  0x5u
#define IXGBE_MRQE_VMDQ         0x8u
#define IXGBE_MRQE_VMDQ_32_RSS  0xAu
#define IXGBE_MRQE_VMDQ_64_RSS  0xBu
#define IXGBE_MRQE_VMDQ_16_8TC  0xCu
#define IXGBE_MRQE_VMDQ_32_4TC  0xDu
#define IXGBE_MRQC_RSS_IPV4_TCP 0x00010000u
#define IXGBE_MRQC_RSS_IPV4     0x00020000u
#define IXGBE_MRQC_RSS_IPV6     0x00100000u
#define IXGBE_MRQC_RSS_IPV6_TCP 0x00200000u
#define IXGBE_MRQC_RSS_IPV4_UDP 0x00400000u
#define IXGBE_MRQC_RSS_IPV6_UDP 0x00800000u
#define IXGBE_MRQC_RSS_FIELDS   0xFFFF0000u

/* 8.2.3.7.13 - 8.2.3.7.15 RSS: queues per traffic class, key (10 dwords, byte 0 in bits 7:0 of the
 * first), table of 128 entries, four to a dword, a queue number in bits 3:0 of each byte */
#define IXGBE_RQTC           0x0EC70u
#define IXGBE_RQTC_TC(n)     (0x00000007u << (4 * (n)))
#define IXGBE_RSSRK(n)       (0x05C80u + 4 * (n)) /* n 0-9 */
#define IXGBE_RSSRK_ALIAS(n) (0x0EB80u + 4 * (n))
#define IXGBE_RSS_KEY_BYTES  40u
#define IXGBE_RETA(n)        (0x05C00u + 4 * (n)) /* n 0-31 */
#define IXGBE_RETA_ALIAS(n)  (0x0EB00u + 4 * (n))
#define IXGBE_RETA_ENTRIES   128u
#define IXGBE_RETA_ENTRY(n)  (0x0000000Fu << (8 * ((n) % 4)))

/* 8.2.3.7.16 - 8.2.3.7.19 Five-tuple filters n 0-127: source and destination address (first octet
 * in bits 7:0), ports (source in bits 15:0, destination in 31:16, high byte in the lower bits), and
 * the rest: as the frame's bytes lie in memory. L34TIMIR (8.2.3.5.13) holds the queue. */
#define IXGBE_SAQF(n)                       (0x0E000u + 4 * (n))
#define IXGBE_DAQF(n)                       (0x0E200u + 4 * (n))
#define IXGBE_SDPQF(n)                      (0x0E400u + 4 * (n))
#define IXGBE_FTQF(n)                       (0x0E600u + 4 * (n))
#define IXGBE_L34TIMIR(n)                   (0x0E800u + 4 * (n))
#define IXGBE_FTQF_FILTERS                  128u
#define IXGBE_FTQF_PROTOCOL                 0x00000003u
#define IXGBE_FTQF_PROTOCOL_TCP             0u
#define IXGBE_FTQF_PROTOCOL_UDP             1u
#define IXGBE_FTQF_PROTOCOL_SCTP            2u
#define IXGBE_FTQF_PROTOCOL_OTHER           3u
#define IXGBE_FTQF_PRIORITY                 0x0000001Cu /* 1-7, 7 wins */
#define IXGBE_FTQF_POOL                     0x00003F00u
#define IXGBE_FTQF_MASK_SOURCE_ADDRESS      0x02000000u /* each of these five set: not compared */
#define IXGBE_FTQF_MASK_DESTINATION_ADDRESS 0x04000000u
#define IXGBE_FTQF_MASK_SOURCE_PORT         0x08000000u
#define IXGBE_FTQF_MASK_DESTINATION_PORT    0x10000000u
#define IXGBE_FTQF_MASK_PROTOCOL            0x20000000u
#define IXGBE_FTQF_POOL_MASK                0x40000000u /* set: pool not compared */
#define IXGBE_FTQF_QUEUE_ENABLE             0x80000000u
#define IXGBE_L34TIMIR_SIZE_BP              0x00001000u /* bypass the size check */
#define IXGBE_L34TIMIR_RESERVED             0x00080000u /* bits 19:13: write 1000000b */
#define IXGBE_L34TIMIR_LLI                  0x00100000u
#define IXGBE_L34TIMIR_RX_QUEUE             0x0FE00000u

/* 8.2.3.7.20 - 8.2.3.7.22 SYN filter, EtherType filters n 0-7 */
#define IXGBE_SYNQF              0x0EC30u
#define IXGBE_SYNQF_QUEUE_ENABLE 0x00000001u
#define IXGBE_SYNQF_RX_QUEUE     0x000000FEu
#define IXGBE_SYNQF_SYNQFP       0x80000000u /* goes before the five-tuple filters */
#define IXGBE_ETQF(n)            (0x05128u + 4 * (n))
#define IXGBE_ETQF_FILTERS       8u
#define IXGBE_ETQF_ETYPE         0x0000FFFFu
#define IXGBE_ETQF_UP            0x00070000u
#define IXGBE_ETQF_UP_EN         0x00080000u
#define IXGBE_ETQF_POOL          0x03F00000u
#define IXGBE_ETQF_POOL_ENABLE   0x04000000u
#define IXGBE_ETQF_FCOE          0x08000000u
#define IXGBE_ETQF_1588          0x40000000u
#define IXGBE_ETQF_FILTER_EN     0x80000000u
#define IXGBE_ETQS(n)            (0x0EC00u + 4 * (n))
#define IXGBE_ETQS_RX_QUEUE      0x007F0000u
#define IXGBE_ETQS_LLI           0x20000000u
#define IXGBE_ETQS_QUEUE_EN      0x80000000u

/* 8.2.3.27 Virtualization, the physical function's side. Drivers' names behind the datasheet's. */
#define IXGBE_PFVTCTL            0x051B0u /* VT_CTL */
#define IXGBE_PFVTCTL_VT_ENA     0x00000001u
#define IXGBE_PFVTCTL_DEF_PL     0x00001F80u
#define IXGBE_PFVTCTL_DIS_DEF_PL 0x20000000u
#define IXGBE_PFVTCTL_RPL_EN     0x40000000u
#define IXGBE_PFMAILBOX(n)       (0x04B00u + 4 * (n))  /* n 0-63 */
#define IXGBE_PFMBMEM(n)         (0x13000u + 64 * (n)) /* 16 dwords each */
#define IXGBE_PFMBICR(n)         (0x00710u + 4 * (n))  /* n 0-3, W1C */
#define IXGBE_PFMBIMR(n)         (0x00720u + 4 * (n))
#define IXGBE_PFVFLRE(n)         (((n)&1) != 0 ? 0x001C0u : 0x00600u) /* n 0-1; not in sequence */
#define IXGBE_PFVFLREC(n)        (0x00700u + 4 * (n))                 /* W1C */
#define IXGBE_PFVFRE(n)          (0x051E0u + 4 * (n)) /* VFRE: receive enable of VFs 32n+31:32n */
#define IXGBE_PFVFTE(n)          (0x08110u + 4 * (n)) /* VFTE */
#define IXGBE_PFVMECM(n)         (0x08790u + 4 * (n))
#define IXGBE_PFVMTXSW(n)        (0x05180u + 4 * (n)) /* VMTXSW */
#define IXGBE_PFVFSPOOF(n)       (0x08200u + 4 * (n)) /* n 0-7 */
#define IXGBE_PFVFSPOOF_MAC      0x000000FFu
#define IXGBE_PFVFSPOOF_VLAN     0x0000FF00u
#define IXGBE_PFDTXGSWC          0x08220u
#define IXGBE_PFDTXGSWC_LBE      0x00000001u          /* switch between pools inside the device */
#define IXGBE_PFVMVIR(n)         (0x08000u + 4 * (n)) /* n 0-63, VMVIR: tag inserted for a pool */
#define IXGBE_PFVMVIR_TAG        0x0000FFFFu
#define IXGBE_PFVMVIR_VLANA      0xC0000000u          /* 0 descriptor, 1 always this tag, 2 never */
#define IXGBE_PFVML2FLT(n)       (0x0F000u + 4 * (n)) /* n 0-63, VMOLR */
#define IXGBE_PFVML2FLT_AUPE     0x01000000u
#define IXGBE_PFVML2FLT_ROMPE    0x02000000u
#define IXGBE_PFVML2FLT_ROPE     0x04000000u
#define IXGBE_PFVML2FLT_BAM      0x08000000u
#define IXGBE_PFVML2FLT_MPE      0x10000000u
#define IXGBE_PFVLVF(n)          (0x0F100u + 4 * (n)) /* n 0-63, VLVF */
#define IXGBE_PFVLVF_VLAN_ID     0x00000FFFu
#define IXGBE_PFVLVF_VI_EN       0x80000000u
#define IXGBE_PFVLVFB(n)         (0x0F200u + 4 * (n)) /* n 0-127, VLVFB: two for each PFVLVF */
#define IXGBE_PFUTA(n)           (0x0F400u + 4 * (n)) /* n 0-127, UTA */
#define IXGBE_PFMRCTL(n)         (0x0F600u + 4 * (n)) /* n 0-3, MRCTL: mirroring */
#define IXGBE_PFMRVLAN(n)        (0x0F610u + 4 * (n)) /* n 0-7 */
#define IXGBE_PFMRVM(n)          (0x0F630u + 4 * (n)) /* n 0-7 */
#define IXGBE_LVMMC_RX           0x02FA8u             /* RC: last malicious VM */
#define IXGBE_LVMMC_TX           0x08108u             /* RC */
#define IXGBE_WQBR_RX(n)         (0x02FB0u + 4 * (n)) /* n 0-3, W1C: wrong queue behaviour */
#define IXGBE_WQBR_TX(n)         (0x08130u + 4 * (n))
#define IXGBE_VMD_CTL_82598      0x0581Cu /* ethtool -d still reads it */

#endif
