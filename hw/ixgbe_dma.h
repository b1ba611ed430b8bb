/* SPDX-License-Identifier: BSD-2-Clause */
/* 82599: receive and transmit rings, packet buffers, traffic classes, DCA
 * (datasheet 8.2.3.8, .9, .10, .11). Include hw/ixgbe.h, which says how to read this. */
#ifndef HW_IXGBE_DMA_H
#define HW_IXGBE_DMA_H

/* 8.2.3.8 Receive DMA ----------------------------------------------------------------------- */

/* 8.2.3.8.1 - 8.2.3.8.5 Rx queue q, 0-127: a block of 0x40 bytes, 0-63 in page 0x1, 64-127 in page
 * 0xD. */
#define IXGBE_RX_QUEUE(q)           ((q) < 64 ? 0x01000u + 0x40 * (q) : 0x0D000u + 0x40 * ((q)-64))
#define IXGBE_RX_QUEUE_STRIDE       0x40u
#define IXGBE_RDBAL(q)              (IXGBE_RX_QUEUE(q) + 0x00) /* 128-byte aligned */
#define IXGBE_RDBAH(q)              (IXGBE_RX_QUEUE(q) + 0x04)
#define IXGBE_RDLEN(q)              (IXGBE_RX_QUEUE(q) + 0x08) /* bytes, a multiple of 128 */
#define IXGBE_DCA_RXCTRL(q)         (IXGBE_RX_QUEUE(q) + 0x0C)
#define IXGBE_RDH(q)                (IXGBE_RX_QUEUE(q) + 0x10) /* RO but for 0 while disabled */
#define IXGBE_SRRCTL(q)             (IXGBE_RX_QUEUE(q) + 0x14)
#define IXGBE_RDT(q)                (IXGBE_RX_QUEUE(q) + 0x18)
#define IXGBE_RXDCTL(q)             (IXGBE_RX_QUEUE(q) + 0x28)
#define IXGBE_RSCCTL(q)             (IXGBE_RX_QUEUE(q) + 0x2C)
#define IXGBE_DCA_RXCTRL_ALIAS(q)   (0x02200u + 4 * (q)) /* q 0-15: the same registers again, */
#define IXGBE_SRRCTL_ALIAS(q)       (0x02100u + 4 * (q)) /* where the 82598 has them */
#define IXGBE_RDLEN_MAX_BYTES       0xFFF80u             /* 64 Ki descriptors, less 128 bytes */
#define IXGBE_RING_ALIGN_BYTES      128u
#define IXGBE_RING_UNIT_DESCRIPTORS 8u

/* 8.2.3.8.6 Receive descriptor control */
#define IXGBE_RXDCTL_ENABLE 0x02000000u /* reads back the ring's state, not what was written */
#define IXGBE_RXDCTL_SWFLSH 0x04000000u /* WO, SC: write back now what is done */
#define IXGBE_RXDCTL_VME    0x40000000u /* strip the VLAN tag */

/* 8.2.3.8.7 Split receive control. Small drivers never write it: the reset value matters. The
 * datasheet gives BSIZEPACKET five bits; ixgbe_type.h masks seven. The datasheet is taken. */
#define IXGBE_SRRCTL_BSIZEPACKET    0x0000001Fu /* buffers of n KiB, 1-16 */
#define IXGBE_SRRCTL_BSIZEHEADER    0x00003F00u /* header buffers of n x 64 bytes, 1-16 */
#define IXGBE_SRRCTL_RDMTS          0x01C00000u /* low threshold: n x 64 descriptors */
#define IXGBE_SRRCTL_DESCTYPE       0x0E000000u
#define IXGBE_SRRCTL_DROP_EN        0x10000000u /* drop where no descriptor is free, don't block */
#define IXGBE_SRRCTL_RESET          0x00000402u
#define IXGBE_DESCTYPE_LEGACY       0u
#define IXGBE_DESCTYPE_ONE_BUFFER   1u
#define IXGBE_DESCTYPE_HEADER_SPLIT 2u
#define IXGBE_DESCTYPE_SPLIT_ALWAYS 5u

/* 8.2.3.8.8 Receive DMA control */
#define IXGBE_RDRXCTL             0x02F00u
#define IXGBE_RDRXCTL_CRCSTRIP    0x00000002u /* to equal HLREG0.RXCRCSTRP */
#define IXGBE_RDRXCTL_DMAIDONE    0x00000008u /* RO: DMA initialised after reset */
#define IXGBE_RDRXCTL_AGGDIS      0x00010000u
#define IXGBE_RDRXCTL_RSCFRSTSIZE 0x003E0000u
#define IXGBE_RDRXCTL_RSCLLIDIS   0x00800000u
#define IXGBE_RDRXCTL_RSCACKC     0x02000000u /* software shall set it */
#define IXGBE_RDRXCTL_FCOE_WRFIX  0x04000000u /* software shall set it */

/* 8.2.3.8.9 - 8.2.3.8.13 Packet buffers, master enable, receive-side coalescing */
#define IXGBE_RXPBSIZE(n)       (0x03C00u + 4 * (n)) /* n 0-7 */
#define IXGBE_RXPBSIZE_BYTES    0x000FFC00u          /* the field counts KiB: masked, it is bytes */
#define IXGBE_RXPBSIZE_RESET    0x00080000u          /* of buffer 0; the others 0 */
#define IXGBE_RXCTRL            0x03000u
#define IXGBE_RXCTRL_RXEN       0x00000001u
#define IXGBE_RXMEMWRAP         0x03190u /* RO */
#define IXGBE_RSCDBU            0x03028u
#define IXGBE_RSCDBU_RSCSMALDIS 0x0000007Fu
#define IXGBE_RSCDBU_RSCACKDIS  0x00000080u
#define IXGBE_RSCCTL_RSCEN      0x00000001u
#define IXGBE_RSCCTL_MAXDESC    0x0000000Cu /* 1, 4, 8 or 16 descriptors */
#define IXGBE_RDDCC             0x02F20u
#define IXGBE_DROPEN            0x03D04u /* 82598's, which ethtool -d still reads */

/* PFQDE: one queue's drop enable, for pools; bits 8-14 choose the queue. */
#define IXGBE_QDE        0x02F04u
#define IXGBE_QDE_ENABLE 0x00000001u
#define IXGBE_QDE_IDX    0x00007F00u
#define IXGBE_QDE_WRITE  0x00010000u
#define IXGBE_QDE_READ   0x00020000u

/* 8.2.3.9 Transmit -------------------------------------------------------------------------- */

/* 8.2.3.9.1 - 8.2.3.9.4, 8.2.3.9.16 */
#define IXGBE_DMATXCTL                    0x04A80u
#define IXGBE_DMATXCTL_TE                 0x00000001u
#define IXGBE_DMATXCTL_GDV                0x00000008u /* global double VLAN */
#define IXGBE_DMATXCTL_VT                 0xFFFF0000u /* EtherType of tags, 0x8100 after reset */
#define IXGBE_DTXTCPFLGL                  0x04A88u    /* TSO: TCP flags to keep, by segment */
#define IXGBE_DTXTCPFLGL_FIRST            0x00000FFFu /* 0xFF6 after reset */
#define IXGBE_DTXTCPFLGL_MIDDLE           0x0FFF0000u /* 0xF76 after reset */
#define IXGBE_DTXTCPFLGH                  0x04A8Cu
#define IXGBE_DTXTCPFLGH_LAST             0x00000FFFu /* 0xF7F after reset */
#define IXGBE_DTXTCPFLGL_RESET            0x0F760FF6u
#define IXGBE_DTXTCPFLGH_RESET            0x00000F7Fu
#define IXGBE_DTXMXSZRQ                   0x08100u
#define IXGBE_DTXMXSZRQ_MAX_BYTES_NUM_REQ 0x00000FFFu /* x 256 bytes of reads in flight */
#define IXGBE_DTXMXSZRQ_RESET             0x00000010u
#define IXGBE_TXPBTHRESH(n)               (0x04950u + 4 * (n)) /* n 0-7, in KiB */
#define IXGBE_LBDRPEN                     0x0CA00u

/* 8.2.3.9.5 - 8.2.3.9.12 Tx queue q, 0-127: blocks of 0x40 bytes in pages 0x6 and 0x7 */
#define IXGBE_TX_QUEUE(q)         (0x06000u + 0x40 * (q))
#define IXGBE_TX_QUEUE_STRIDE     0x40u
#define IXGBE_TDBAL(q)            (IXGBE_TX_QUEUE(q) + 0x00) /* 128-byte aligned */
#define IXGBE_TDBAH(q)            (IXGBE_TX_QUEUE(q) + 0x04)
#define IXGBE_TDLEN(q)            (IXGBE_TX_QUEUE(q) + 0x08) /* bytes, a multiple of 128 */
#define IXGBE_DCA_TXCTRL(q)       (IXGBE_TX_QUEUE(q) + 0x0C)
#define IXGBE_TDH(q)              (IXGBE_TX_QUEUE(q) + 0x10)
#define IXGBE_TDT(q)              (IXGBE_TX_QUEUE(q) + 0x18)
#define IXGBE_TXDCTL(q)           (IXGBE_TX_QUEUE(q) + 0x28)
#define IXGBE_TDWBAL(q)           (IXGBE_TX_QUEUE(q) + 0x38)
#define IXGBE_TDWBAH(q)           (IXGBE_TX_QUEUE(q) + 0x3C)
#define IXGBE_DCA_TXCTRL_82598(q) (0x07200u + 4 * (q)) /* q 0-15; ethtool -d still reads it */
#define IXGBE_DTXCTL_82598        0x07E00u             /* likewise */

/* 8.2.3.9.10, 8.2.3.9.11 Transmit descriptor control, head write-back */
#define IXGBE_TXDCTL_PTHRESH    0x0000007Fu /* prefetch when fewer than this are cached ... */
#define IXGBE_TXDCTL_HTHRESH    0x00007F00u /* ... and at least this many are ready */
#define IXGBE_TXDCTL_WTHRESH    0x007F0000u /* write back in groups; 0 where RS is used */
#define IXGBE_TXDCTL_ENABLE     0x02000000u /* reads back the ring's state, not what was written */
#define IXGBE_TXDCTL_SWFLSH     0x04000000u
#define IXGBE_TDWBAL_HEAD_WB_EN 0x00000001u /* write the head here instead of DD */

/* 8.2.3.9.13, 8.2.3.9.14 Packet buffers */
#define IXGBE_TXPBSIZE(n)    (0x0CC00u + 4 * (n)) /* n 0-7 */
#define IXGBE_TXPBSIZE_BYTES 0x000FFC00u
#define IXGBE_TXPBSIZE_RESET 0x00028000u /* of buffer 0; the others 0 */
#define IXGBE_MNGTXMAP       0x0CD10u
#define IXGBE_TIPG_82598     0x0CB00u

/* 8.2.3.9.15 Multiple transmit queues: to be changed only under RTTDCS.ARBDIS (4.6.8) */
#define IXGBE_MTQC             0x08120u
#define IXGBE_MTQC_RT_ENA      0x00000001u
#define IXGBE_MTQC_VT_ENA      0x00000002u
#define IXGBE_MTQC_NUM_TC_OR_Q 0x0000000Cu

/* 8.2.3.10 DCB ------------------------------------------------------------------------------ */

#define IXGBE_RTRPCS            0x02430u
#define IXGBE_RTRPCS_RRM        0x00000002u
#define IXGBE_RTRPCS_RAC        0x00000004u
#define IXGBE_RTTDCS            0x04900u
#define IXGBE_RTTDCS_TDPAC      0x00000001u
#define IXGBE_RTTDCS_VMPAC      0x00000002u
#define IXGBE_RTTDCS_TDRM       0x00000010u
#define IXGBE_RTTDCS_ARBDIS     0x00000040u
#define IXGBE_RTTDCS_BPBFSM     0x00800000u
#define IXGBE_RTTDCS_SPEED_CHG  0x80000000u
#define IXGBE_RTTPCS            0x0CD00u
#define IXGBE_RTTPCS_TPPAC      0x00000020u
#define IXGBE_RTTPCS_ARBDIS     0x00000040u
#define IXGBE_RTTPCS_TPRM       0x00000100u
#define IXGBE_RTTPCS_ARBD       0xFFC00000u
#define IXGBE_RTRUP2TC          0x03020u /* three bits for each of user priorities 0-7 */
#define IXGBE_RTTUP2TC          0x0C800u
#define IXGBE_RTRPT4C(n)        (0x02140u + 4 * (n)) /* n 0-7, for this and the next six */
#define IXGBE_RTRPT4S(n)        (0x02160u + 4 * (n)) /* RO */
#define IXGBE_TXLLQ(n)          (0x082E0u + 4 * (n)) /* n 0-3: strict low-latency queues */
#define IXGBE_RTTDT2C(n)        (0x04910u + 4 * (n))
#define IXGBE_RTTDT2S(n)        (0x04930u + 4 * (n)) /* RO */
#define IXGBE_RTTPT2C(n)        (0x0CD20u + 4 * (n))
#define IXGBE_RTTPT2S(n)        (0x0CD40u + 4 * (n)) /* RO */
#define IXGBE_RTTDQSEL          0x04904u /* chooses the queue that RTTDT1C and RTTBCNRC speak of */
#define IXGBE_RTTDQSEL_TXDQ_IDX 0x0000007Fu
#define IXGBE_RTTDT1C           0x04908u
#define IXGBE_RTTDT1S           0x0490Cu /* RO */
#define IXGBE_RTTBCNRM          0x04980u
#define IXGBE_RTTBCNRC          0x04984u
#define IXGBE_RTTBCNRC_RF_DEC   0x00003FFFu
#define IXGBE_RTTBCNRC_RF_INT   0x0FFFC000u
#define IXGBE_RTTBCNRC_RS_ENA   0x80000000u
#define IXGBE_RTTBCNRS          0x04988u
#define IXGBE_RTTBCNRD          0x0498Cu
#define IXGBE_RTTDTECC          0x04990u
#define IXGBE_RTTDTECC_NO_BCN   0x00000100u
#define IXGBE_RTTBCNTG          0x04A90u
#define IXGBE_RTTBCNRTT         0x05150u
#define IXGBE_RTTBCNCR          0x08B00u
#define IXGBE_RTTBCNACH         0x08B04u
#define IXGBE_RTTBCNACL         0x08B08u
#define IXGBE_RTTBCNIDX         0x08B0Cu
#define IXGBE_RTTBCNCP          0x08B10u
#define IXGBE_RTFRTIMER         0x08B14u

/* 8.2.3.11 DCA ------------------------------------------------------------------------------ */

#define IXGBE_DCA_RXCTRL_DESC_DCA_EN 0x00000020u
#define IXGBE_DCA_RXCTRL_HEAD_DCA_EN 0x00000040u
#define IXGBE_DCA_RXCTRL_DATA_DCA_EN 0x00000080u
#define IXGBE_DCA_RXCTRL_DESC_RRO_EN 0x00000200u
#define IXGBE_DCA_RXCTRL_RESERVED_12                                                               \
  0x00001000u /* 1 after reset; software shall clear it (4.6.7) */
#define IXGBE_DCA_RXCTRL_DATA_WRO_EN 0x00002000u
#define IXGBE_DCA_RXCTRL_HEAD_WRO_EN 0x00008000u
#define IXGBE_DCA_RXCTRL_CPUID       0xFF000000u
#define IXGBE_DCA_TXCTRL_DESC_DCA_EN 0x00000020u
#define IXGBE_DCA_TXCTRL_DESC_RRO_EN 0x00000200u
#define IXGBE_DCA_TXCTRL_DESC_WRO_EN 0x00000800u
#define IXGBE_DCA_TXCTRL_DATA_RRO_EN 0x00002000u
#define IXGBE_DCA_TXCTRL_CPUID       0xFF000000u
#define IXGBE_DCA_ID                 0x11070u /* RO */
#define IXGBE_DCA_CTRL               0x11074u
#define IXGBE_DCA_CTRL_DISABLE       0x00000001u
#define IXGBE_DCA_CTRL_MODE_CB2      0x00000002u

#endif
