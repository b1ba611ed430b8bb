/* SPDX-License-Identifier: BSD-2-Clause */
/* 82599: MAC and link, MDIO, flow control, time stamps, security block, wake-up
 * (datasheet 8.2.3.22, .3, .26, .12 - .18, .24). Include hw/ixgbe.h, which says how to read this.
 */
#ifndef HW_IXGBE_MAC_H
#define HW_IXGBE_MAC_H

/* 8.2.3.22 MAC ------------------------------------------------------------------------------ */

/* 1 Gb/s PCS */
#define IXGBE_PCS1GCFIG                0x04200u
#define IXGBE_PCS1GLCTL                0x04208u
#define IXGBE_PCS1GLCTL_FLV_LINK_UP    0x00000001u
#define IXGBE_PCS1GLCTL_FORCE_LINK     0x00000020u
#define IXGBE_PCS1GLCTL_LOW_LINK_LATCH 0x00000040u
#define IXGBE_PCS1GLCTL_AN_ENABLE      0x00010000u
#define IXGBE_PCS1GLCTL_AN_RESTART     0x00020000u /* SC */
#define IXGBE_PCS1GLCTL_AN_TIMEOUT_EN  0x00040000u
#define IXGBE_PCS1GLSTA                0x0420Cu /* RO */
#define IXGBE_PCS1GLSTA_LINK_OK        0x00000001u
#define IXGBE_PCS1GLSTA_SYNC_OK        0x00000010u
#define IXGBE_PCS1GLSTA_AN_COMPLETE    0x00010000u
#define IXGBE_PCS1GLSTA_AN_TIMED_OUT   0x00040000u
#define IXGBE_PCS1GANA                 0x04218u
#define IXGBE_PCS1GANA_SYM_PAUSE       0x00000080u
#define IXGBE_PCS1GANA_ASM_PAUSE       0x00000100u
#define IXGBE_PCS1GANLP                0x0421Cu /* RO */
#define IXGBE_PCS1GANNP                0x04220u
#define IXGBE_PCS1GANLPNP              0x04224u /* RO */

/* 8.2.3.22.8 MAC control 0. LPBK loops Tx to Rx inside the MAC, link or no link. */
#define IXGBE_HLREG0              0x04240u
#define IXGBE_HLREG0_TXCRCEN      0x00000001u
#define IXGBE_HLREG0_RXCRCSTRP    0x00000002u /* to equal RDRXCTL.CRCSTRIP */
#define IXGBE_HLREG0_JUMBOEN      0x00000004u
#define IXGBE_HLREG0_TXPADEN      0x00000400u /* pad frames below 64 bytes */
#define IXGBE_HLREG0_LPBK         0x00008000u
#define IXGBE_HLREG0_MDCSPD       0x00010000u
#define IXGBE_HLREG0_CONTMDC      0x00020000u
#define IXGBE_HLREG0_PREPEND      0x00F00000u
#define IXGBE_HLREG0_RXLNGTHERREN 0x08000000u /* discard on a wrong 802.3 length field */
#define IXGBE_HLREG0_RXPADSTRIPEN 0x10000000u
/* 8.2.3.22.9 MAC status, RO; the bits here RC: what was seen since the last read */
#define IXGBE_HLREG1          0x04244u
#define IXGBE_HLREG1_RXERRSYM 0x00000020u
#define IXGBE_HLREG1_RXILLSYM 0x00000040u
#define IXGBE_HLREG1_RXIDLERR 0x00000080u
#define IXGBE_HLREG1_RXLCLFLT 0x00000100u
#define IXGBE_HLREG1_RXRMTFLT 0x00000200u

#define IXGBE_PAP            0x04248u
#define IXGBE_PAP_TXPAUSECNT 0x0000FFFFu
#define IXGBE_MACA           0x0424Cu
#define IXGBE_APAE           0x04250u
#define IXGBE_ARD            0x04254u
#define IXGBE_AIS            0x04258u
#define IXGBE_MLADD          0x04264u

/* 8.2.3.22.11, .12 MDIO. MDI_COMMAND starts a cycle and clears when it is done. Clause 45 needs an
 * address cycle first. No answer from the bus reads as FFFFh. */
#define IXGBE_MSCA                0x0425Cu
#define IXGBE_MSCA_NP_ADDR        0x0000FFFFu
#define IXGBE_MSCA_DEV_TYPE       0x001F0000u /* MMD in clause 45 */
#define IXGBE_MSCA_PHY_ADDR       0x03E00000u
#define IXGBE_MSCA_OP_CODE        0x0C000000u
#define IXGBE_MSCA_OP_ADDRESS     0u
#define IXGBE_MSCA_OP_WRITE       1u
#define IXGBE_MSCA_OP_READ_INC    2u
#define IXGBE_MSCA_OP_READ        3u
#define IXGBE_MSCA_ST_CODE        0x30000000u /* 0: clause 45 ("new protocol"), 1: clause 22 */
#define IXGBE_MSCA_MDI_COMMAND    0x40000000u /* SC */
#define IXGBE_MSCA_MDI_IN_PROG_EN 0x80000000u
#define IXGBE_MSRWD               0x04260u
#define IXGBE_MSRWD_WRITE_DATA    0x0000FFFFu
#define IXGBE_MSRWD_READ_DATA     0xFFFF0000u

/* IEEE 802.3 clause 45 registers that probing a PHY reads: MMD numbers, identifier words */
#define IXGBE_MDIO_MMD_PMA_PMD   1u
#define IXGBE_MDIO_MMD_PCS       3u
#define IXGBE_MDIO_MMD_PHY_XS    4u
#define IXGBE_MDIO_MMD_AN        7u
#define IXGBE_MDIO_PHY_ID_HIGH   2u
#define IXGBE_MDIO_PHY_ID_LOW    3u
#define IXGBE_MDIO_PHY_ADDRESSES 32u

/* 8.2.3.22.13 Largest frame, CRC included, VLAN tags not (MHADD in drivers) */
#define IXGBE_MAXFRS       0x04268u
#define IXGBE_MAXFRS_MFS   0xFFFF0000u
#define IXGBE_MAXFRS_RESET 0x05EE0000u /* 1518 */

#define IXGBE_TREG    0x0426Cu
#define IXGBE_PCSS1   0x04288u /* RO, and the next two */
#define IXGBE_PCSS2   0x0428Cu
#define IXGBE_XPCSS   0x04290u
#define IXGBE_SERDESC 0x04298u
#define IXGBE_MACS    0x0429Cu

/* 8.2.3.22.19 Auto-negotiation control. AN_RESTART also latches what else was written here. */
#define IXGBE_AUTOC                      0x042A0u
#define IXGBE_AUTOC_FLU                  0x00000001u /* force link up */
#define IXGBE_AUTOC_10G_PMA_PMD_PARALLEL 0x00000180u
#define IXGBE_AUTOC_10G_XAUI             0u
#define IXGBE_AUTOC_10G_KX4              1u
#define IXGBE_AUTOC_10G_CX4              2u
#define IXGBE_AUTOC_1G_PMA_PMD           0x00000200u
#define IXGBE_AUTOC_1G_SFI               0u
#define IXGBE_AUTOC_1G_KX_BX             1u
#define IXGBE_AUTOC_AN_RESTART           0x00001000u /* SC */
#define IXGBE_AUTOC_LMS                  0x0000E000u
#define IXGBE_LMS_1G_NO_AN               0u
#define IXGBE_LMS_10G_PARALLEL_NO_AN     1u
#define IXGBE_LMS_1G_AN                  2u
#define IXGBE_LMS_10G_SERIAL_NO_AN       3u /* SFI */
#define IXGBE_LMS_KX4_KX_KR              4u
#define IXGBE_LMS_SGMII_1G_100M          5u
#define IXGBE_LMS_KX4_KX_KR_1G_AN        6u
#define IXGBE_LMS_KX4_KX_KR_SGMII        7u
#define IXGBE_AUTOC_KR_SUPP              0x00010000u
#define IXGBE_AUTOC_FECR                 0x00020000u
#define IXGBE_AUTOC_FECA                 0x00040000u
#define IXGBE_AUTOC_RF                   0x08000000u
#define IXGBE_AUTOC_SYM_PAUSE            0x10000000u
#define IXGBE_AUTOC_ASM_PAUSE            0x20000000u
#define IXGBE_AUTOC_KX_SUPP              0x40000000u
#define IXGBE_AUTOC_KX4_SUPP             0x80000000u

/* 8.2.3.22.20 Link status, RO. UP is the present state; STAYED_UP latches low: it says that the
 * link has been up ever since the last read. */
#define IXGBE_LINKS                0x042A4u
#define IXGBE_LINKS_KX_SIGNAL      0x00000001u
#define IXGBE_LINKS_FEC_SIGNAL     0x00000002u
#define IXGBE_LINKS_FEC_BLOCK_LOCK 0x00000004u
#define IXGBE_LINKS_KR_HIGH_BER    0x00000008u
#define IXGBE_LINKS_KR_BLOCK_LOCK  0x00000010u
#define IXGBE_LINKS_STAYED_UP      0x00000080u
#define IXGBE_LINKS_SIGNAL         0x00000F00u /* parallel (KX4, CX4, XAUI), per lane */
#define IXGBE_LINKS_SERIAL_SIGNAL  0x00001000u /* KR or SFI; drivers call it TL_FAULT */
#define IXGBE_LINKS_LANE_SYNC      0x0001E000u /* per lane; ixgbe_type.h: 0x17000 */
#define IXGBE_LINKS_10G_ALIGN      0x00020000u
#define IXGBE_LINKS_1G_SYNC        0x00040000u
#define IXGBE_LINKS_KX_AN_IDLE     0x00080000u
#define IXGBE_LINKS_1G_AN_EN       0x00100000u
#define IXGBE_LINKS_PCS_1G_EN      0x00200000u
#define IXGBE_LINKS_PCS_10G_EN     0x00400000u
#define IXGBE_LINKS_FEC_EN         0x00800000u
#define IXGBE_LINKS_KR_PCS_EN      0x01000000u
#define IXGBE_LINKS_SGMII_EN       0x02000000u
#define IXGBE_LINKS_MODE           0x0C000000u /* 1G, 10G parallel, 10G serial, negotiating */
#define IXGBE_LINKS_SPEED          0x30000000u
#define IXGBE_LINKS_SPEED_100M     1u
#define IXGBE_LINKS_SPEED_1G       2u
#define IXGBE_LINKS_SPEED_10G      3u
#define IXGBE_LINKS_UP             0x40000000u
#define IXGBE_LINKS_AN_COMPLETE    0x80000000u

#define IXGBE_AUTOC2                    0x042A8u
#define IXGBE_AUTOC2_10G_PMA_PMD_SERIAL 0x00030000u
#define IXGBE_AUTOC2_10G_KR             0u
#define IXGBE_AUTOC2_10G_XFI            1u
#define IXGBE_AUTOC2_10G_SFI            2u
#define IXGBE_AUTOC2_LINK_DISABLE       0x70000000u
#define IXGBE_AUTOC3                    0x042ACu
#define IXGBE_ANLP1                     0x042B0u /* RO: link partner's page */
#define IXGBE_ANLP1_SYM_PAUSE           0x00000400u
#define IXGBE_ANLP1_ASM_PAUSE           0x00000800u
#define IXGBE_ANLP1_AN_STATE            0x000F0000u /* 0: autonegotiation is stuck (KX4, KR) */
#define IXGBE_ANLP2                     0x042B4u    /* RO */
#define IXGBE_MMNGC                     0x042D0u
#define IXGBE_MMNGC_MNG_VETO            0x00000001u /* firmware forbids link changes */
#define IXGBE_ANLPNP1                   0x042D4u
#define IXGBE_ANLPNP2                   0x042D8u
#define IXGBE_KRPCSFC                   0x042E0u
#define IXGBE_KRPCSS                    0x042E4u
#define IXGBE_FECS1                     0x042E8u
#define IXGBE_FECS2                     0x042ECu
#define IXGBE_LINKS2                    0x04324u
#define IXGBE_LINKS2_AN_SUPPORTED       0x00000040u /* RO: the partner negotiates */
#define IXGBE_MACC                      0x04330u
#define IXGBE_MACC_FLU                  0x00000001u
#define IXGBE_ATLASCTL_82598            0x04800u
#define IXGBE_CORECTL                   0x14F00u /* analog block: command and register */
#define IXGBE_CORECTL_WRITE_CMD         0x00010000u
#define IXGBE_SMADARCTL                 0x14F10u

/* 8.2.3.3 Flow control ---------------------------------------------------------------------- */

#define IXGBE_MFLCN               0x04294u /* 8.2.3.22.34 */
#define IXGBE_MFLCN_PMCF          0x00000001u
#define IXGBE_MFLCN_DPF           0x00000002u
#define IXGBE_MFLCN_RPFCE         0x00000004u
#define IXGBE_MFLCN_RFCE          0x00000008u
#define IXGBE_PFCTOP              0x03008u
#define IXGBE_FCTTV(n)            (0x03200u + 4 * (n)) /* n 0-3: pause times, two classes each */
#define IXGBE_FCRTL(n)            (0x03220u + 4 * (n)) /* n 0-7; stride 8 on the 82598 */
#define IXGBE_FCRTL_RTL           0x0007FFE0u
#define IXGBE_FCRTL_XONE          0x80000000u
#define IXGBE_FCRTH(n)            (0x03260u + 4 * (n)) /* n 0-7; stride 8 on the 82598 */
#define IXGBE_FCRTH_RTH           0x0007FFE0u
#define IXGBE_FCRTH_FCEN          0x80000000u
#define IXGBE_FCRTV               0x032A0u
#define IXGBE_FCRTV_REFRESH       0x0000FFFFu
#define IXGBE_TFCS                0x0CE00u /* RO */
#define IXGBE_TFCS_TC_XON         0x000000FFu
#define IXGBE_FCCFG               0x03D00u
#define IXGBE_FCCFG_TFCE_802_3X   0x00000008u
#define IXGBE_FCCFG_TFCE_PRIORITY 0x00000010u

/* 8.2.3.26 Time stamps (IEEE 1588) ---------------------------------------------------------- */

/* A stamp stays, and no other is taken, until its high half is read. */
#define IXGBE_TSYNCRXCTL           0x05188u
#define IXGBE_TSYNCRXCTL_RXTT      0x00000001u /* RO: RXSTMP holds a stamp */
#define IXGBE_TSYNCRXCTL_TYPE      0x0000000Eu
#define IXGBE_TSYNC_TYPE_L2_V2     0u
#define IXGBE_TSYNC_TYPE_L4_V1     1u
#define IXGBE_TSYNC_TYPE_L2_L4_V2  2u
#define IXGBE_TSYNC_TYPE_EVENT_V2  5u
#define IXGBE_TSYNCRXCTL_EN        0x00000010u
#define IXGBE_RXSTMPL              0x051E8u /* RO */
#define IXGBE_RXSTMPH              0x051A4u /* RO; reading it frees the stamp */
#define IXGBE_RXSATRL              0x051A0u /* RO: sender's address */
#define IXGBE_RXSATRH              0x051A8u
#define IXGBE_RXSATRH_ADDRESS      0x0000FFFFu
#define IXGBE_RXSATRH_SEQUENCE_ID  0xFFFF0000u
#define IXGBE_RXMTRL               0x05120u
#define IXGBE_RXMTRL_CTRLT         0x000000FFu /* version 1 control field to stamp */
#define IXGBE_RXMTRL_MSGT          0x0000FF00u /* version 2 message type */
#define IXGBE_RXMTRL_UDPT          0xFFFF0000u /* UDP port, 319 after reset */
#define IXGBE_TSYNCTXCTL           0x08C00u
#define IXGBE_TSYNCTXCTL_TXTT      0x00000001u /* RO */
#define IXGBE_TSYNCTXCTL_EN        0x00000010u
#define IXGBE_TXSTMPL              0x08C04u /* RO */
#define IXGBE_TXSTMPH              0x08C08u /* RO; reading it frees the stamp */
#define IXGBE_SYSTIML              0x08C0Cu /* read low first: it latches high */
#define IXGBE_SYSTIMH              0x08C10u
#define IXGBE_TIMINCA              0x08C14u
#define IXGBE_TIMINCA_INCVALUE     0x00FFFFFFu
#define IXGBE_TIMINCA_INCPERIOD    0xFF000000u
#define IXGBE_TIMINCA_CLOCK_10G_HZ 156250000u /* the clock scales with the link speed */
#define IXGBE_TIMADJL              0x08C18u
#define IXGBE_TIMADJH              0x08C1Cu
#define IXGBE_TSAUXC               0x08C20u
#define IXGBE_TRGTTIML(n)          (0x08C24u + 8 * (n)) /* n 0-1, likewise below */
#define IXGBE_TRGTTIMH(n)          (0x08C28u + 8 * (n))
#define IXGBE_CLKTIML              0x08C34u
#define IXGBE_CLKTIMH              0x08C38u
#define IXGBE_AUXSTMPL(n)          (0x08C3Cu + 8 * (n))
#define IXGBE_AUXSTMPH(n)          (0x08C40u + 8 * (n))

/* 8.2.3.12 - 8.2.3.18 Security --------------------------------------------------------------- */

/* RX_DIS and TX_DIS stop the path at a frame's end; RDY then says that it is empty. Bit 1 of the
 * status registers says that the block is fused off; DPDK and FreeBSD have the ECC error there,
 * Linux and the datasheet one bit higher, which is taken. */
#define IXGBE_SECTXCTRL               0x08800u
#define IXGBE_SECTXCTRL_SECTX_DIS     0x00000001u
#define IXGBE_SECTXCTRL_TX_DIS        0x00000002u
#define IXGBE_SECTXCTRL_STORE_FORWARD 0x00000004u
#define IXGBE_SECTXSTAT               0x08804u /* RO */
#define IXGBE_SECTXSTAT_RDY           0x00000001u
#define IXGBE_SECTXSTAT_OFF_DIS       0x00000002u
#define IXGBE_SECTXSTAT_ECC_ERR       0x00000004u
#define IXGBE_SECTXBUFFAF             0x08808u
#define IXGBE_SECTXMINIFG             0x08810u
#define IXGBE_SECTXMINIFG_MRKINSERT   0x0007FF00u
#define IXGBE_SECTXMINIFG_SECTXMINIFG 0x0000000Fu
#define IXGBE_SECRXCTRL               0x08D00u
#define IXGBE_SECRXCTRL_SECRX_DIS     0x00000001u
#define IXGBE_SECRXCTRL_RX_DIS        0x00000002u
#define IXGBE_SECRXSTAT               0x08D04u /* RO */
#define IXGBE_SECRXSTAT_RDY           0x00000001u
#define IXGBE_SECRXSTAT_OFF_DIS       0x00000002u
#define IXGBE_SECRXSTAT_ECC_ERR       0x00000004u
#define IXGBE_LSECTXCAP               0x08A00u
#define IXGBE_LSECTXCTRL              0x08A04u
#define IXGBE_LSECRXCAP               0x08F00u
#define IXGBE_LSECRXCTRL              0x08F04u
/* LinkSec counters, all cleared by reading (8.2.3.13): sent untagged to octets protected; received
 * untagged to not using an association. Drivers read them whether LinkSec is in use or not. */
#define IXGBE_LSECTX_COUNTERS   5u
#define IXGBE_LSECTX_COUNTER(n) (0x08A3Cu + 4u * (n))
#define IXGBE_LSECRX_COUNTERS   17u
#define IXGBE_LSECRX_COUNTER(n) (0x08F40u + 4u * (n))
#define IXGBE_IPSTXIDX          0x08900u
#define IXGBE_IPSTXSALT         0x08904u
#define IXGBE_IPSTXKEY(n)       (0x08908u + 4 * (n)) /* n 0-3 */
#define IXGBE_IPSRXIDX          0x08E00u
#define IXGBE_IPSRXIPADDR(n)    (0x08E04u + 4 * (n)) /* n 0-3 */
#define IXGBE_IPSRXSPI          0x08E14u
#define IXGBE_IPSRXIPIDX        0x08E18u
#define IXGBE_IPSRXKEY(n)       (0x08E1Cu + 4 * (n)) /* n 0-3 */
#define IXGBE_IPSRXSALT         0x08E2Cu
#define IXGBE_IPSRXMOD          0x08E30u

/* 8.2.3.24 Wake-up -------------------------------------------------------------------------- */

#define IXGBE_WUC            0x05800u
#define IXGBE_WUC_PME_EN     0x00000002u
#define IXGBE_WUC_PME_STATUS 0x00000004u /* W1C */
#define IXGBE_WUC_WKEN       0x00000010u
#define IXGBE_WUFC           0x05808u
#define IXGBE_WUFC_LNKC      0x00000001u
#define IXGBE_WUFC_MAG       0x00000002u
#define IXGBE_WUS            0x05810u /* W1C */
#define IXGBE_IPAV           0x05838u
#define IXGBE_IP4AT(n)       (0x05840u + 8 * (n)) /* n 0-3 */
#define IXGBE_IP6AT(n)       (0x05880u + 4 * (n)) /* n 0-3 */
#define IXGBE_WUPL           0x05900u
#define IXGBE_WUPM(n)        (0x05A00u + 4 * (n))     /* n 0-31 */
#define IXGBE_FHFT(n)        (0x09000u + 0x100 * (n)) /* n 0-3 */

#endif
