/* SPDX-License-Identifier: BSD-2-Clause */
/* 82599: statistics (datasheet 8.2.3.23), as lists to iterate over. Include hw/ixgbe.h, which says
 * how to read this.
 *
 * Every counter here is cleared by reading it and sticks at its maximum. A counter wider than 32
 * bits has two registers: read the low one first, then the high one; each is cleared by its own
 * read. Widths below 64 are what the field holds, not what the register spans. All but the
 * per-queue counters also count with no queue enabled, as soon as RXCTRL.RXEN or DMATXCTL.TE is
 * set.
 *
 * Lengths, which the datasheet leaves open and drivers found out (DPDK, ixgbe_read_stats_registers;
 * FreeBSD, ixgbe_update_stats_counters): size classes, TOR and GOTC count a frame with its CRC;
 * GORC and QBRC leave out a CRC that is stripped (HLREG0.RXCRCSTRP), QBTC leaves it out always.
 * GPRC, by an erratum, counts missed frames too: what reached memory is the sum of QPRC. */
#ifndef HW_IXGBE_STATS_H
#define HW_IXGBE_STATS_H

#define IXGBE_STATISTICS_BEGIN 0x04000u
#define IXGBE_NO_HIGH          0u

/* X(name, low offset, high offset or IXGBE_NO_HIGH, width in bits, what it counts) */
#define IXGBE_STATISTICS(X)                                                                        \
  X(CRCERRS, 0x04000u, IXGBE_NO_HIGH, 32, "received frames with a wrong CRC")                      \
  X(ILLERRC, 0x04004u, IXGBE_NO_HIGH, 32, "illegal bytes received")                                \
  X(ERRBC, 0x04008u, IXGBE_NO_HIGH, 32, "error bytes received")                                    \
  X(MSPDC, 0x04010u, IXGBE_NO_HIGH, 32, "frames too short for the MAC, discarded")                 \
  X(MLFC, 0x04034u, IXGBE_NO_HIGH, 32, "local faults")                                             \
  X(MRFC, 0x04038u, IXGBE_NO_HIGH, 32, "remote faults")                                            \
  X(RLEC, 0x04040u, IXGBE_NO_HIGH, 32, "received frames with a wrong length field")                \
  X(LXONTXC, 0x03F60u, IXGBE_NO_HIGH, 16, "link XON frames sent")                                  \
  X(LXOFFTXC, 0x03F68u, IXGBE_NO_HIGH, 16, "link XOFF frames sent")                                \
  X(LXONRXCNT, 0x041A4u, IXGBE_NO_HIGH, 16, "link XON frames received")                            \
  X(LXOFFRXCNT, 0x041A8u, IXGBE_NO_HIGH, 16, "link XOFF frames received")                          \
  X(PRC64, 0x0405Cu, IXGBE_NO_HIGH, 32, "good frames received of 64 bytes")                        \
  X(PRC127, 0x04060u, IXGBE_NO_HIGH, 32, "good frames received of 65-127 bytes")                   \
  X(PRC255, 0x04064u, IXGBE_NO_HIGH, 32, "good frames received of 128-255 bytes")                  \
  X(PRC511, 0x04068u, IXGBE_NO_HIGH, 32, "good frames received of 256-511 bytes")                  \
  X(PRC1023, 0x0406Cu, IXGBE_NO_HIGH, 32, "good frames received of 512-1023 bytes")                \
  X(PRC1522, 0x04070u, IXGBE_NO_HIGH, 32, "good frames received of 1024 bytes to the maximum")     \
  X(GPRC, 0x04074u, IXGBE_NO_HIGH, 32, "good frames that passed a filter, missed ones too")        \
  X(BPRC, 0x04078u, IXGBE_NO_HIGH, 32, "good broadcast frames received")                           \
  X(MPRC, 0x0407Cu, IXGBE_NO_HIGH, 32, "good multicast frames received")                           \
  X(GPTC, 0x04080u, IXGBE_NO_HIGH, 32, "good frames sent")                                         \
  X(GORC, 0x04088u, 0x0408Cu, 36, "bytes of good frames received")                                 \
  X(GOTC, 0x04090u, 0x04094u, 36, "bytes of good frames sent")                                     \
  X(RUC, 0x040A4u, IXGBE_NO_HIGH, 32, "undersized frames with a good CRC")                         \
  X(RFC, 0x040A8u, IXGBE_NO_HIGH, 32, "fragments: undersized frames with a wrong CRC")             \
  X(ROC, 0x040ACu, IXGBE_NO_HIGH, 32, "oversized frames with a good CRC")                          \
  X(RJC, 0x040B0u, IXGBE_NO_HIGH, 32, "jabber: oversized frames with a wrong CRC")                 \
  X(MNGPRC, 0x040B4u, IXGBE_NO_HIGH, 32, "management frames received")                             \
  X(MNGPDC, 0x040B8u, IXGBE_NO_HIGH, 32, "management frames dropped")                              \
  X(MNGPTC, 0x0CF90u, IXGBE_NO_HIGH, 32, "management frames sent")                                 \
  X(TOR, 0x040C0u, 0x040C4u, 36, "bytes of all frames received, good or bad")                      \
  X(TPR, 0x040D0u, IXGBE_NO_HIGH, 32, "all frames received, good or bad, filtered or not")         \
  X(TPT, 0x040D4u, IXGBE_NO_HIGH, 32, "all frames sent")                                           \
  X(PTC64, 0x040D8u, IXGBE_NO_HIGH, 32, "frames sent of 64 bytes")                                 \
  X(PTC127, 0x040DCu, IXGBE_NO_HIGH, 32, "frames sent of 65-127 bytes")                            \
  X(PTC255, 0x040E0u, IXGBE_NO_HIGH, 32, "frames sent of 128-255 bytes")                           \
  X(PTC511, 0x040E4u, IXGBE_NO_HIGH, 32, "frames sent of 256-511 bytes")                           \
  X(PTC1023, 0x040E8u, IXGBE_NO_HIGH, 32, "frames sent of 512-1023 bytes")                         \
  X(PTC1522, 0x040ECu, IXGBE_NO_HIGH, 32, "frames sent of 1024 bytes and more")                    \
  X(MPTC, 0x040F0u, IXGBE_NO_HIGH, 32, "multicast frames sent")                                    \
  X(BPTC, 0x040F4u, IXGBE_NO_HIGH, 32, "broadcast frames sent")                                    \
  X(XEC, 0x04120u, IXGBE_NO_HIGH, 32,                                                              \
    "received frames with a wrong IP, TCP, UDP or SCTP checksum")                                  \
  X(RXNFGPC, 0x041B0u, IXGBE_NO_HIGH, 32, "good frames received, before filters")                  \
  X(RXNFGBC, 0x041B4u, 0x041B8u, 36, "bytes of good frames received, before filters")              \
  X(RXDGPC, 0x02F50u, IXGBE_NO_HIGH, 32, "good frames that reached the Rx DMA")                    \
  X(RXDGBC, 0x02F54u, 0x02F58u, 36, "bytes of good frames that reached the Rx DMA")                \
  X(RXDDPC, 0x02F5Cu, IXGBE_NO_HIGH, 32, "frames duplicated to pools")                             \
  X(RXDDBC, 0x02F60u, 0x02F64u, 36, "bytes of frames duplicated to pools")                         \
  X(RXLPBKPC, 0x02F68u, IXGBE_NO_HIGH, 32, "frames received from another pool")                    \
  X(RXLPBKBC, 0x02F6Cu, 0x02F70u, 36, "bytes of frames received from another pool")                \
  X(RXDLPBKPC, 0x02F74u, IXGBE_NO_HIGH, 32, "frames from another pool duplicated")                 \
  X(RXDLPBKBC, 0x02F78u, 0x02F7Cu, 36, "bytes of frames from another pool duplicated")             \
  X(TXDGPC, 0x087A0u, IXGBE_NO_HIGH, 32, "frames that left the Tx DMA")                            \
  X(TXDGBC, 0x087A4u, 0x087A8u, 36, "bytes of frames that left the Tx DMA")                        \
  X(SSVPC, 0x08780u, IXGBE_NO_HIGH, 32, "frames dropped as spoofed")                               \
  X(FDIRMATCH, 0x0EE58u, IXGBE_NO_HIGH, 32, "frames that matched a flow director filter")          \
  X(FDIRMISS, 0x0EE5Cu, IXGBE_NO_HIGH, 32, "frames that missed the flow director filters")         \
  X(FCCRC, 0x05118u, IXGBE_NO_HIGH, 16, "FCoE frames with a wrong FC CRC")                         \
  X(FCOERPDC, 0x0241Cu, IXGBE_NO_HIGH, 32, "FCoE frames dropped on receive")                       \
  X(FCLAST, 0x02424u, IXGBE_NO_HIGH, 16, "FCoE last-frame errors")                                 \
  X(FCOEPRC, 0x02428u, IXGBE_NO_HIGH, 32, "FCoE frames received")                                  \
  X(FCOEDWRC, 0x0242Cu, IXGBE_NO_HIGH, 32, "FCoE dwords received")                                 \
  X(FCOEPTC, 0x08784u, IXGBE_NO_HIGH, 32, "FCoE frames sent")                                      \
  X(FCOEDWTC, 0x08788u, IXGBE_NO_HIGH, 32, "FCoE dwords sent")

/* One for each of packet buffers or traffic classes 0-7, four bytes apart.
 * X(name, offset of the first, width in bits, what it counts) */
#define IXGBE_TC_STATISTICS(X)                                                                     \
  X(RXMPC, 0x03FA0u, 32, "frames missed: no room in the packet buffer")                            \
  X(PXONTXC, 0x03F00u, 16, "priority XON frames sent")                                             \
  X(PXOFFTXC, 0x03F20u, 16, "priority XOFF frames sent")                                           \
  X(PXONRXCNT, 0x04140u, 16, "priority XON frames received")                                       \
  X(PXOFFRXCNT, 0x04160u, 16, "priority XOFF frames received")                                     \
  X(PXON2OFFCNT, 0x03240u, 16, "XON to XOFF transitions")
#define IXGBE_TC_STATISTIC_STRIDE 4u

/* One for each of statistics sets 0-15, to which RQSMR and TQSM map queues.
 * X(name, low of set 0, its stride, high of set 0 or IXGBE_NO_HIGH, its stride, width, what) */
#define IXGBE_QUEUE_STATISTICS(X)                                                                  \
  X(QPRC, 0x01030u, 0x40u, IXGBE_NO_HIGH, 0u, 32, "frames received")                               \
  X(QPRDC, 0x01430u, 0x40u, IXGBE_NO_HIGH, 0u, 32, "frames dropped: no descriptor, DROP_EN set")   \
  X(QBRC, 0x01034u, 0x40u, 0x01038u, 0x40u, 36, "bytes received")                                  \
  X(QPTC, 0x06030u, 0x40u, IXGBE_NO_HIGH, 0u, 32, "frames sent")                                   \
  X(QBTC, 0x08700u, 0x08u, 0x08704u, 0x08u, 36, "bytes sent")

/* The same registers by name, for code that reads single ones. */
#define IXGBE_CRCERRS       0x04000u
#define IXGBE_GPRC          0x04074u
#define IXGBE_GPTC          0x04080u
#define IXGBE_GORCL         0x04088u
#define IXGBE_GORCH         0x0408Cu
#define IXGBE_GOTCL         0x04090u
#define IXGBE_GOTCH         0x04094u
#define IXGBE_RUC           0x040A4u
#define IXGBE_ROC           0x040ACu
#define IXGBE_XEC           0x04120u
#define IXGBE_FDIRMATCH     0x0EE58u
#define IXGBE_FDIRMISS      0x0EE5Cu
#define IXGBE_RXMPC(n)      (0x03FA0u + 4 * (n))    /* n 0-7, MPC in drivers */
#define IXGBE_QPRC(n)       (0x01030u + 0x40 * (n)) /* n 0-15, likewise below */
#define IXGBE_QPRDC(n)      (0x01430u + 0x40 * (n))
#define IXGBE_QBRC_L(n)     (0x01034u + 0x40 * (n))
#define IXGBE_QBRC_H(n)     (0x01038u + 0x40 * (n))
#define IXGBE_QPTC(n)       (0x06030u + 0x40 * (n)) /* as drivers read it */
#define IXGBE_QPTC_ALIAS(n) (0x08680u + 4 * (n))    /* as the datasheet lists it */
#define IXGBE_QBTC_L(n)     (0x08700u + 8 * (n))
#define IXGBE_QBTC_H(n)     (0x08704u + 8 * (n))

/* Read by Linux on every generation though the 82599 has its counters elsewhere (LXONRXCNT ...) or
 * not at all: a device answers 0. */
#define IXGBE_RNBC_82598(n)     (0x03FC0u + 4 * (n))
#define IXGBE_LXONRXC_82598     0x0CF60u
#define IXGBE_LXOFFRXC_82598    0x0CF68u
#define IXGBE_PXONRXC_82598(n)  (0x0CF00u + 4 * (n))
#define IXGBE_PXOFFRXC_82598(n) (0x0CF20u + 4 * (n))

/* Which set a queue counts in: four queues to a register, eight bits each, the set in the low four.
 * TQSM has the old 82598 place too (TQSMR). */
#define IXGBE_RQSMR(n)      (0x02300u + 4 * (n)) /* n 0-31 */
#define IXGBE_TQSM(n)       (0x08600u + 4 * (n)) /* n 0-31 */
#define IXGBE_TQSM_ALIAS(n) (0x07300u + 4 * (n)) /* n 0-7 */
#define IXGBE_QSM_SET(q)    (0x0000000Fu << (8 * ((q) % 4)))

/* Rx DMA statistics control: which pool or queue RXDGPC and its like count */
#define IXGBE_RXDSTATCTRL 0x02F40u

/* Per-pool counters of virtual functions x 0-63: they do not clear on read, but wrap. */
#define IXGBE_PVFGPRC(x)     (0x0101Cu + 0x40 * (x))
#define IXGBE_PVFGPTC(x)     (0x08300u + 4 * (x))
#define IXGBE_PVFGORC_LSB(x) (0x01020u + 0x40 * (x))
#define IXGBE_PVFGORC_MSB(x) (0x0D020u + 0x40 * (x))
#define IXGBE_PVFGOTC_LSB(x) (0x08400u + 8 * (x))
#define IXGBE_PVFGOTC_MSB(x) (0x08404u + 8 * (x))
#define IXGBE_PVFMPRC(x)     (0x0D01Cu + 0x40 * (x))

#endif
