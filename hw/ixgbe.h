/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of the Intel 82599 10 Gigabit Ethernet controller.
 *
 * Numbers such as 8.2.3.8 are sections of the "Intel 82599 10 GbE Controller Datasheet"; names are
 * the datasheet's, with the name that drivers use behind them where the two differ. Offsets are in
 * bytes from BAR 0; every register is one little-endian dword unless its line says otherwise.
 * Arrays take the index that the datasheet counts by. What Intel also publishes under the BSD
 * licence (ixgbe_type.h of FreeBSD and DPDK) has been compared with it; where the two disagree, the
 * line says which was taken.
 *
 * How a register answers, where it is not plain read/write:
 *   RO       writes are ignored
 *   RC       clear on read
 *   W1C      a bit written as 1 is cleared
 *   SC       self-clearing: the bit reads 1 until the device is done
 *   RS       read to set: the read returns the old value and leaves a 1 behind
 *   WO       reads return 0 */
#ifndef HW_IXGBE_H
#define HW_IXGBE_H

#include "hw/bits.h"
#include "hw/ixgbe_core.h"
#include "hw/ixgbe_diag.h"
#include "hw/ixgbe_dma.h"
#include "hw/ixgbe_fdir.h"
#include "hw/ixgbe_filter.h"
#include "hw/ixgbe_mac.h"
#include "hw/ixgbe_stats.h"

/* Who it is: PCI vendor and device ids (9.3.1, 9.3.2). */
#define IXGBE_VENDOR_INTEL        0x8086u
#define IXGBE_DEVICE_82599_KX4    0x10F7u /* backplane KX/KX4/KR */
#define IXGBE_DEVICE_82599_COMBO  0x10F8u /* combined backplane */
#define IXGBE_DEVICE_82599_CX4    0x10F9u
#define IXGBE_DEVICE_82599_SFP    0x10FBu /* SFI/SFP+ */
#define IXGBE_DEVICE_82599_XAUI   0x10FCu /* XAUI/BX4 */
#define IXGBE_DEVICE_82599_SFP_EM 0x1507u
#define IXGBE_DEVICE_82599_MEZZ   0x1514u /* KX4 mezzanine */
#define IXGBE_DEVICE_82599_KR     0x1517u
#define IXGBE_DEVICE_82599_T3_LOM 0x151Cu /* 10GBASE-T */
#define IXGBE_DEVICE_82599_SF2    0x154Du
#define IXGBE_DEVICE_82599EN_SFP  0x1557u /* one port */
#define IXGBE_REVISION_82599_B0   0x01u

/* What it has (1.3, 7.1, 7.2, 7.3). */
#define IXGBE_RX_QUEUES              128u
#define IXGBE_TX_QUEUES              128u
#define IXGBE_TRAFFIC_CLASSES        8u
#define IXGBE_POOLS                  64u
#define IXGBE_MSIX_VECTORS           64u
#define IXGBE_MAC_ADDRESSES          128u
#define IXGBE_STATISTICS_QUEUES      16u /* sets of per-queue counters; RQSMR and TQSM choose */
#define IXGBE_RX_PACKET_BUFFER_BYTES (512u * 1024u)
#define IXGBE_TX_PACKET_BUFFER_BYTES (160u * 1024u)
#define IXGBE_FRAME_MAX_BYTES        15872u /* 15.5 KiB, CRC included */

/* The spaces behind its BARs (9.3.6). BAR 0 is 128 KiB of registers; with the flash mapped behind
 * them it grows (512 KiB on common cards). BAR 4 holds the MSI-X table and pending bits. */
#define IXGBE_BAR_REGISTERS       0u
#define IXGBE_BAR_MSIX            4u
#define IXGBE_BAR_REGISTERS_BYTES 0x20000u
#define IXGBE_BAR_MSIX_BYTES      0x4000u
#define IXGBE_MSIX_TABLE          0x0000u
#define IXGBE_MSIX_PBA            0x2000u

/* Registers that answer at a second address. A device model maps the alias to the register and then
 * knows only one.
 * X(name, alias, stride of the alias, register, stride of the register, how many) */
#define IXGBE_ALIASES(X)                                                                           \
  X(CTRL, IXGBE_CTRL_ALIAS, 4u, IXGBE_CTRL, 4u, 1u)                                                \
  X(SRRCTL, IXGBE_SRRCTL_ALIAS(0), 4u, IXGBE_SRRCTL(0), IXGBE_RX_QUEUE_STRIDE, 16u)                \
  X(DCA_RXCTRL, IXGBE_DCA_RXCTRL_ALIAS(0), 4u, IXGBE_DCA_RXCTRL(0), IXGBE_RX_QUEUE_STRIDE, 16u)    \
  X(RAL_RAH, IXGBE_RAL_ALIAS(0), 4u, IXGBE_RAL(0), 4u, 32u)                                        \
  X(PSRTYPE, IXGBE_PSRTYPE_ALIAS(0), 4u, IXGBE_PSRTYPE(0), 4u, 16u)                                \
  X(MRQC, IXGBE_MRQC_ALIAS, 4u, IXGBE_MRQC, 4u, 1u)                                                \
  X(RSSRK, IXGBE_RSSRK_ALIAS(0), 4u, IXGBE_RSSRK(0), 4u, 10u)                                      \
  X(RETA, IXGBE_RETA_ALIAS(0), 4u, IXGBE_RETA(0), 4u, 32u)                                         \
  X(IMIRVP, IXGBE_IMIRVP_ALIAS, 4u, IXGBE_IMIRVP, 4u, 1u)                                          \
  X(PBACL, IXGBE_PBACL_ALIAS, 4u, IXGBE_PBACL(0), 4u, 1u)                                          \
  X(TQSM, IXGBE_TQSM_ALIAS(0), 4u, IXGBE_TQSM(0), 4u, 8u)                                          \
  X(QPTC, IXGBE_QPTC_ALIAS(0), 4u, IXGBE_QPTC(0), IXGBE_TX_QUEUE_STRIDE, 16u)

#endif
