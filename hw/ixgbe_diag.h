/* SPDX-License-Identifier: BSD-2-Clause */
/* 82599: management, host interface to the firmware, and the diagnostic registers that Linux's
 * "ethtool -d" dumps (datasheet 8.2.3.25; 10.5 for the host interface). The diagnostic ones are in
 * no public section: their offsets are Intel's own ixgbe_type.h's, and a device may answer 0.
 * Include hw/ixgbe.h, which says how to read this. */
#ifndef HW_IXGBE_DIAG_H
#define HW_IXGBE_DIAG_H

/* 8.2.3.25 Management filters */
#define IXGBE_MAVTV(n)        (0x05010u + 4 * (n)) /* n 0-7 */
#define IXGBE_MFUTP(n)        (0x05030u + 4 * (n)) /* n 0-7 */
#define IXGBE_BMCIP(n)        (0x05050u + 4 * (n)) /* n 0-3 */
#define IXGBE_BMCIPVAL        0x05060u
#define IXGBE_MDEF_EXT(n)     (0x05160u + 4 * (n)) /* n 0-7 */
#define IXGBE_METF(n)         (0x05190u + 4 * (n)) /* n 0-3 */
#define IXGBE_MANC            0x05820u
#define IXGBE_MANC_RCV_TCO_EN 0x00020000u
#define IXGBE_MFVAL           0x05824u
#define IXGBE_MANC2H          0x05860u
#define IXGBE_MDEF(n)         (0x05890u + 4 * (n)) /* n 0-7 */
#define IXGBE_MIPAF(n)        (0x058B0u + 4 * (n)) /* n 0-15 */
#define IXGBE_MMAL(n)         (0x05910u + 8 * (n)) /* n 0-3 */
#define IXGBE_MMAH(n)         (0x05914u + 8 * (n)) /* n 0-3 */
#define IXGBE_FTFT(n)         (0x09400u + 4 * (n)) /* n 0-255 */
#define IXGBE_LSWFW           0x15F14u

/* Host interface: a command block is written to FLEX_MNG, then HICR.C hands it over. */
#define IXGBE_HICR                 0x15F00u
#define IXGBE_HICR_EN              0x00000001u /* RO: 0 means that firmware takes no commands */
#define IXGBE_HICR_C               0x00000002u /* SC: firmware clears it when it has answered */
#define IXGBE_HICR_SV              0x00000004u /* RO: the answer's status is valid */
#define IXGBE_HICR_FW_RESET_ENABLE 0x00000040u
#define IXGBE_HICR_FW_RESET        0x00000080u
#define IXGBE_HSMC0R               0x15F04u
#define IXGBE_HSMC1R               0x15F08u
#define IXGBE_FWSTS                0x15F0Cu
#define IXGBE_FWSTS_FWRI           0x00000200u
#define IXGBE_SWSR                 0x15F10u
#define IXGBE_FWRESETCNT           0x15F40u
#define IXGBE_HFDR                 0x15FE8u
#define IXGBE_FLEX_MNG(n)          (0x15800u + 4 * (n)) /* n 0-447 */
#define IXGBE_FLEX_MNG_BYTES       1792u

/* The one command that Linux and DPDK send an 82599: driver name and version. Header: command,
 * length, status, checksum, so that all bytes sum to 0. */
#define IXGBE_HI_DRIVER_INFO        0xDDu
#define IXGBE_HI_DRIVER_INFO_LENGTH 0x05u
#define IXGBE_HI_STATUS_SUCCESS     0x01u

/* Receive path */
#define IXGBE_RDSTAT(n)    (0x02C00u + 4 * (n)) /* n 0-7 */
#define IXGBE_RDSTATCTL    0x02C20u
#define IXGBE_RDHMPN       0x02F08u
#define IXGBE_RIC_DW(n)    (0x02F10u + 4 * (n)) /* n 0-3 */
#define IXGBE_RDPROBE      0x02F20u
#define IXGBE_RDMAM        0x02F30u
#define IXGBE_RDMAD        0x02F34u
#define IXGBE_RXWRPTR(n)   (0x03100u + 4 * (n)) /* n 0-7, likewise below */
#define IXGBE_RXUSED(n)    (0x03120u + 4 * (n))
#define IXGBE_RXRDPTR(n)   (0x03140u + 4 * (n))
#define IXGBE_RXRDWRPTR(n) (0x03160u + 4 * (n))
#define IXGBE_PBRXECC      0x03300u
#define IXGBE_RXBUFCTRL    0x03600u
#define IXGBE_RXBUFDATA(n) (0x03610u + 4 * (n)) /* n 0-3 */
#define IXGBE_RXDBUECC     0x03F70u
#define IXGBE_RXDBUEST     0x03F74u
#define IXGBE_RFVAL        0x050A4u
#define IXGBE_RXFECCERR0   0x051B8u

/* Transmit path */
#define IXGBE_TDHMPN       0x07F08u
#define IXGBE_TIC_DW(n)    (0x07F10u + 4 * (n)) /* n 0-3 */
#define IXGBE_TDPROBE      0x07F20u
#define IXGBE_TDHMPN2      0x082FCu
#define IXGBE_TIC_DW2(n)   (0x082B0u + 4 * (n)) /* n 0-3 */
#define IXGBE_TXDESCIC     0x082CCu
#define IXGBE_TXWRPTR(n)   (0x0C100u + 4 * (n)) /* n 0-7, likewise below */
#define IXGBE_TXUSED(n)    (0x0C120u + 4 * (n))
#define IXGBE_TXRDPTR(n)   (0x0C140u + 4 * (n))
#define IXGBE_TXRDWRPTR(n) (0x0C160u + 4 * (n))
#define IXGBE_PBTXECC      0x0C300u
#define IXGBE_TXBUFCTRL    0x0C600u
#define IXGBE_TXBUFDATA(n) (0x0C610u + 4 * (n)) /* n 0-3 */
#define IXGBE_TXDBUECC     0x0CF70u
#define IXGBE_TXDBUEST     0x0CF74u

/* MAC and PCIe */
#define IXGBE_PCS1GDBG(n)  (0x04210u + 4 * (n)) /* n 0-1 */
#define IXGBE_MDFTC1       0x042B8u
#define IXGBE_MDFTC2       0x042C0u
#define IXGBE_MDFTFIFO(n)  (0x042C4u + 4 * (n)) /* n 0-1 */
#define IXGBE_MDFTS        0x042CCu
#define IXGBE_PCIEECCCTL   0x1106Cu
#define IXGBE_PCIE_DIAG(n) (0x11090u + 4 * (n)) /* n 0-7 */
#define IXGBE_GHECCR       0x110B0u             /* the same place as PICAUSE */
#define IXGBE_ECC_STATUS   0x110E0u
#define IXGBE_ECC_CTRL(n)  (0x11100u + 4 * (n)) /* n 0-1 */

#endif
