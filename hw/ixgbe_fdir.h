/* SPDX-License-Identifier: BSD-2-Clause */
/* 82599: flow director (datasheet 7.1.2.7, 8.2.3.21) and FCoE (8.2.3.20). Include hw/ixgbe.h, which
 * says how to read this. */
#ifndef HW_IXGBE_FDIR_H
#define HW_IXGBE_FDIR_H

/* Control. Writing it starts the initialisation of the tables; INIT_DONE follows. */
#define IXGBE_FDIRCTRL               0x0EE00u
#define IXGBE_FDIRCTRL_PBALLOC       0x00000003u /* Rx buffer given up: 0, 64, 128, 256 KiB */
#define IXGBE_FDIRCTRL_INIT_DONE     0x00000008u /* RO */
#define IXGBE_FDIRCTRL_PERFECT_MATCH 0x00000010u
#define IXGBE_FDIRCTRL_REPORT_STATUS 0x00000020u
#define IXGBE_FDIRCTRL_REPORT_ALWAYS 0x00000080u
#define IXGBE_FDIRCTRL_DROP_QUEUE    0x00007F00u
#define IXGBE_FDIRCTRL_FLEX_OFFSET   0x001F0000u /* of the flexible word, in words */
#define IXGBE_FDIRCTRL_MAX_LENGTH    0x0F000000u
#define IXGBE_FDIRCTRL_FULL_THRESH   0xF0000000u

/* One filter's input. Addresses and the flexible word lie as in the frame, first byte in the low
 * bits: network order, read as a little-endian register. Ports and VLAN are numbers, in host order
 * (DPDK's and Linux's ixgbe write them so). The address masks lie as the addresses do. */
#define IXGBE_FDIRSIPV6(n)         (0x0EE0Cu + 4 * (n)) /* n 0-2 */
#define IXGBE_FDIRIPSA             0x0EE18u
#define IXGBE_FDIRIPDA             0x0EE1Cu
#define IXGBE_FDIRPORT             0x0EE20u
#define IXGBE_FDIRPORT_SOURCE      0x0000FFFFu
#define IXGBE_FDIRPORT_DESTINATION 0xFFFF0000u
#define IXGBE_FDIRVLAN             0x0EE24u
#define IXGBE_FDIRVLAN_VLAN        0x0000FFFFu
#define IXGBE_FDIRVLAN_FLEX        0xFFFF0000u

/* Linux writes HASH and CMD as one quadword, so that the command can't run before its hash. */
#define IXGBE_FDIRHASH              0x0EE28u
#define IXGBE_FDIRHASH_HASH         0x00007FFFu
#define IXGBE_FDIRHASH_BUCKET_VALID 0x00008000u
#define IXGBE_FDIRHASH_SIG_SW_INDEX 0x7FFF0000u

/* Writing the command runs it; CMD falls to 0 when it is done. */
#define IXGBE_FDIRCMD               0x0EE2Cu
#define IXGBE_FDIRCMD_CMD           0x00000003u /* SC */
#define IXGBE_FDIRCMD_ADD_FLOW      1u
#define IXGBE_FDIRCMD_REMOVE_FLOW   2u
#define IXGBE_FDIRCMD_QUERY_FILTER  3u
#define IXGBE_FDIRCMD_FILTER_VALID  0x00000004u /* RO: answer to a query */
#define IXGBE_FDIRCMD_FILTER_UPDATE 0x00000008u
#define IXGBE_FDIRCMD_IPV6DMATCH    0x00000010u
#define IXGBE_FDIRCMD_L4TYPE        0x00000060u
#define IXGBE_FDIR_L4TYPE_OTHER     0u
#define IXGBE_FDIR_L4TYPE_UDP       1u
#define IXGBE_FDIR_L4TYPE_TCP       2u
#define IXGBE_FDIR_L4TYPE_SCTP      3u
#define IXGBE_FDIRCMD_IPV6          0x00000080u
#define IXGBE_FDIRCMD_CLEARHT       0x00000100u
#define IXGBE_FDIRCMD_DROP          0x00000200u
#define IXGBE_FDIRCMD_INT           0x00000400u
#define IXGBE_FDIRCMD_LAST          0x00000800u
#define IXGBE_FDIRCMD_COLLISION     0x00001000u
#define IXGBE_FDIRCMD_QUEUE_EN      0x00008000u
#define IXGBE_FDIRCMD_RX_QUEUE      0x007F0000u
#define IXGBE_FDIRCMD_VT_POOL       0x3F000000u

/* State of the table */
#define IXGBE_FDIRFREE           0x0EE38u
#define IXGBE_FDIRFREE_FREE      0x0000FFFFu
#define IXGBE_FDIRFREE_COLL      0x7FFF0000u
#define IXGBE_FDIRLEN            0x0EE4Cu /* RC */
#define IXGBE_FDIRLEN_MAXLEN     0x0000003Fu
#define IXGBE_FDIRLEN_BUCKET_LEN 0x00003F00u /* answer to a query */
#define IXGBE_FDIRLEN_MAXHASH    0x7FFF0000u
#define IXGBE_FDIRUSTAT          0x0EE50u /* RC: filters added and removed */
#define IXGBE_FDIRUSTAT_ADD      0x0000FFFFu
#define IXGBE_FDIRUSTAT_REMOVE   0xFFFF0000u
#define IXGBE_FDIRFSTAT          0x0EE54u /* RC: additions and removals that failed */
#define IXGBE_FDIRFSTAT_FADD     0x000000FFu
#define IXGBE_FDIRFSTAT_FREMOVE  0x0000FF00u
/* FDIRMATCH and FDIRMISS are in hw/ixgbe_stats.h. */

/* Masks of all filters; a bit set: not compared. In the port masks the bits of each half run the
 * other way: bit 0 is the port's bit 15 (source in 15:0, destination in 31:16). */
#define IXGBE_FDIRDIP4M      0x0EE3Cu
#define IXGBE_FDIRSIP4M      0x0EE40u
#define IXGBE_FDIRTCPM       0x0EE44u
#define IXGBE_FDIRUDPM       0x0EE48u
#define IXGBE_FDIRSCTPM      0x0EE78u /* not in the datasheet; drivers write it (X550) */
#define IXGBE_FDIRHKEY       0x0EE68u
#define IXGBE_FDIRSKEY       0x0EE6Cu
#define IXGBE_FDIRHKEY_RESET 0x3DAD14E2u /* of the bucket hash, as drivers program it */
#define IXGBE_FDIRSKEY_RESET 0x174D3614u /* of the signature hash */
#define IXGBE_FDIRM          0x0EE70u
#define IXGBE_FDIRM_VLANID   0x00000001u
#define IXGBE_FDIRM_VLANP    0x00000002u
#define IXGBE_FDIRM_POOL     0x00000004u
#define IXGBE_FDIRM_L4P      0x00000008u
#define IXGBE_FDIRM_FLEX     0x00000010u
#define IXGBE_FDIRM_DIPV6    0x00000020u
#define IXGBE_FDIRIP6M       0x0EE74u

/* FCoE ------------------------------------------------------------------------------------- */

#define IXGBE_FCRXCTRL         0x05100u
#define IXGBE_FCRXCTRL_FCCRCBO 0x00000080u
#define IXGBE_FCRXCTRL_FCOEVER 0x00000F00u
#define IXGBE_FCFLT            0x05108u
#define IXGBE_FCFLTRW          0x05110u
#define IXGBE_FCPARAM          0x051D8u
#define IXGBE_FCPTRL           0x02410u
#define IXGBE_FCPTRH           0x02414u
#define IXGBE_FCBUFF           0x02418u
#define IXGBE_FCDMARW          0x02420u
#define IXGBE_TEOFF            0x04A94u
#define IXGBE_TSOFF            0x04A98u
#define IXGBE_REOFF            0x05158u
#define IXGBE_RSOFF            0x051F8u
#define IXGBE_FCRECTL          0x0ED00u
#define IXGBE_FCRECTL_ENA      0x00000001u
#define IXGBE_FCRETA(n)        (0x0ED10u + 4 * (n)) /* n 0-7 */
#define IXGBE_FCRETA_ENTRY     0x0000007Fu

#endif
