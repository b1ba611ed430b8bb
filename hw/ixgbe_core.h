/* SPDX-License-Identifier: BSD-2-Clause */
/* 82599: general control, EEPROM and flash, PCIe, semaphores, interrupts, timers
 * (datasheet 8.2.3.1, .2, .4, .5, .6, .19). Include hw/ixgbe.h, which says how to read this. */
#ifndef HW_IXGBE_CORE_H
#define HW_IXGBE_CORE_H

/* 8.2.3.1 General control ------------------------------------------------------------------ */

/* 8.2.3.1.1 Device control. A reset also clears RXCTRL, the rings and the interrupt masks. */
#define IXGBE_CTRL         0x00000u
#define IXGBE_CTRL_GIO_DIS 0x00000004u /* stop starting PCIe requests; STATUS.GIO falls after */
#define IXGBE_CTRL_LNK_RST 0x00000008u /* SC: MAC and link too */
#define IXGBE_CTRL_RST     0x04000000u /* SC: wait 10 ms more after it clears (4.2.1.6) */
#define IXGBE_CTRL_ALIAS   0x00004u    /* the same register again */

/* 8.2.3.1.2 Device status, RO. Never reads all ones: that means the device is gone. */
#define IXGBE_STATUS            0x00008u
#define IXGBE_STATUS_LAN_ID     0x0000000Cu /* 0 for port 0, 1 for port 1 */
#define IXGBE_STATUS_LINKUP     0x00000080u
#define IXGBE_STATUS_NUM_VFS    0x0003FC00u
#define IXGBE_STATUS_IOV_ACTIVE 0x00040000u
#define IXGBE_STATUS_GIO        0x00080000u /* PCIe requests allowed or outstanding */

/* 8.2.3.1.3 Extended device control */
#define IXGBE_CTRL_EXT          0x00018u
#define IXGBE_CTRL_EXT_PFRSTD   0x00004000u /* the PF has finished its reset: tell the VFs */
#define IXGBE_CTRL_EXT_NS_DIS   0x00010000u /* no PCIe "no snoop" */
#define IXGBE_CTRL_EXT_RO_DIS   0x00020000u /* no PCIe relaxed ordering */
#define IXGBE_CTRL_EXT_EXT_VLAN 0x04000000u /* double VLAN expected */
#define IXGBE_CTRL_EXT_DRV_LOAD 0x10000000u /* tells firmware that a driver owns the port */

/* 8.2.3.1.4 Extended SDP control: pins 0-7, data and direction. What a pin means is the board's
 * choice; on SFP+ boards SDP2 says that a module is in the cage, SDP3 lasers off (4.6.3.3). */
#define IXGBE_ESDP             0x00020u
#define IXGBE_ESDP_DATA(n)     (0x00000001u << (n))
#define IXGBE_ESDP_DIR(n)      (0x00000100u << (n)) /* 1: output */
#define IXGBE_ESDP_NATIVE(n)   (0x00010000u << (n)) /* 1: driven by hardware, n 0-1 */
#define IXGBE_ESDP_SFP_PRESENT IXGBE_ESDP_DATA(2)
#define IXGBE_ESDP_LASER_OFF   IXGBE_ESDP_DATA(3)
#define IXGBE_ESDP_RATE_10G    IXGBE_ESDP_DATA(5) /* RS0/RS1 of multi-speed fibre modules */

/* 8.2.3.1.5 I2C control (EODSDP in drivers): the bus to the module's EEPROM, bit by bit. The bus is
 * open drain: what OUT releases, the module may hold low, and IN shows the wire. */
#define IXGBE_I2CCTL          0x00028u
#define IXGBE_I2CCTL_CLK_IN   0x00000001u /* RO */
#define IXGBE_I2CCTL_CLK_OUT  0x00000002u
#define IXGBE_I2CCTL_DATA_IN  0x00000004u /* RO */
#define IXGBE_I2CCTL_DATA_OUT 0x00000008u

/* 8.2.3.1.6 LED control: one byte for each of LEDs 0-3 */
#define IXGBE_LEDCTL               0x00200u
#define IXGBE_LEDCTL_MODE(n)       (0x0000000Fu << (8 * (n)))
#define IXGBE_LEDCTL_IVRT(n)       (0x00000040u << (8 * (n)))
#define IXGBE_LEDCTL_BLINK(n)      (0x00000080u << (8 * (n)))
#define IXGBE_LED_MODE_LINK_UP     0x0u
#define IXGBE_LED_MODE_LINK_10G    0x1u
#define IXGBE_LED_MODE_MAC         0x2u
#define IXGBE_LED_MODE_FILTER      0x3u
#define IXGBE_LED_MODE_LINK_ACTIVE 0x4u
#define IXGBE_LED_MODE_LINK_1G     0x5u
#define IXGBE_LED_MODE_ON          0xEu
#define IXGBE_LED_MODE_OFF         0xFu

/* 8.2.3.1.7 EtherType of the outer tag when CTRL_EXT.EXT_VLAN is set */
#define IXGBE_EXVET     0x05078u
#define IXGBE_EXVET_VET 0xFFFF0000u

/* 8.2.3.2 EEPROM and flash ------------------------------------------------------------------ */

/* 8.2.3.2.1 EEPROM and flash control: SPI bit by bit, after REQ is answered by GNT. */
#define IXGBE_EEC               0x10010u
#define IXGBE_EEC_SK            0x00000001u /* clock */
#define IXGBE_EEC_CS            0x00000002u /* chip select */
#define IXGBE_EEC_DI            0x00000004u /* to the EEPROM */
#define IXGBE_EEC_DO            0x00000008u /* RO: from the EEPROM */
#define IXGBE_EEC_FWE           0x00000030u
#define IXGBE_EEC_REQ           0x00000040u
#define IXGBE_EEC_GNT           0x00000080u /* RO */
#define IXGBE_EEC_PRES          0x00000100u /* RO: an EEPROM with a valid signature is there */
#define IXGBE_EEC_ARD           0x00000200u /* RO: auto-read after reset is done */
#define IXGBE_EEC_ADDR_SIZE     0x00000400u /* RO: 1 = 16-bit addresses */
#define IXGBE_EEC_SIZE          0x00007800u /* RO: the EEPROM has 2^(SIZE + 6) words */
#define IXGBE_EEC_SIZE_BIAS     6u
#define IXGBE_EEC_PCI_ANA_DONE  0x00008000u
#define IXGBE_EEC_PCI_CORE_DONE 0x00010000u
#define IXGBE_EEC_PCI_GEN_DONE  0x00020000u

/* 8.2.3.2.2 EEPROM read: write START and the word's address, poll DONE. EEWR is its twin for
 * writing, which drivers use though the datasheet does not list it. */
#define IXGBE_EERD       0x10014u
#define IXGBE_EEWR       0x10018u
#define IXGBE_EERD_START 0x00000001u /* SC */
#define IXGBE_EERD_DONE  0x00000002u /* RO */
#define IXGBE_EERD_ADDR  0x0000FFFCu
#define IXGBE_EERD_DATA  0xFFFF0000u

/* 8.2.3.2.3 - 8.2.3.2.9 Flash access, manageability access, general receive control */
#define IXGBE_FLA                     0x1001Cu
#define IXGBE_EEMNGCTL                0x10110u
#define IXGBE_EEMNGCTL_CFG_DONE(port) (0x00040000u << (port)) /* firmware has set the port up */
#define IXGBE_EEMNGDATA               0x10114u
#define IXGBE_FLMNGCTL                0x10118u
#define IXGBE_FLMNGDATA               0x1011Cu
#define IXGBE_FLMNGCNT                0x10120u
#define IXGBE_FLOP                    0x1013Cu
#define IXGBE_GRC                     0x10200u
#define IXGBE_GRC_MNG                 0x00000001u /* RO: manageability enabled */
#define IXGBE_GRC_APME                0x00000002u /* wake up by magic packet */
#define IXGBE_SRAMREL                 0x10210u

/* 8.2.3.4 PCIe ------------------------------------------------------------------------------ */

/* 8.2.3.4.1 PCIe control. Drivers know the resend bit as bit 16, the 82598's; the datasheet's is
 * taken. CMPL_TMOUT counts only without CAP_VER2. */
#define IXGBE_GCR                   0x11000u
#define IXGBE_GCR_CMPL_TMOUT_RESEND 0x00000200u
#define IXGBE_GCR_CMPL_TMOUT        0x0000F000u
#define IXGBE_GCR_CAP_VER2          0x00040000u /* RO: PCIe capability version 2 */
#define IXGBE_GTV                   0x11004u
#define IXGBE_FUNCTAG               0x11008u
#define IXGBE_GLT                   0x1100Cu
/* PCIe statistics: control n 1-8, in two runs, and counters n 0-3 between them */
#define IXGBE_GSCL(n)               ((n) < 5 ? 0x11010u + 4 * ((n)-1) : 0x11030u + 4 * ((n)-5))
#define IXGBE_GSCN(n)               (0x11020u + 4 * (n))
#define IXGBE_GCR_EXT               0x11050u
#define IXGBE_GCR_EXT_VT_MODE       0x00000003u /* 0 none, 1 16 VFs, 2 32 VFs, 3 64 VFs */
#define IXGBE_GCR_EXT_APBACD        0x00000010u /* no auto-clear of MSI-X pending bits */
#define IXGBE_GCR_EXT_BUFFERS_CLEAR 0x40000000u /* drops what GIO_DIS left (4.2.1.6.1) */
#define IXGBE_GCR_EXT_MSIX_EN       0x80000000u
#define IXGBE_MREVID                0x11064u /* RO: revision of the silicon */
#define IXGBE_MREVID_STEP           0x000000FFu
#define IXGBE_CIAA                  0x11088u /* address and data of a window to VF config space */
#define IXGBE_CIAD                  0x1108Cu
#define IXGBE_PICAUSE               0x110B0u /* W1C: causes of EICR.PCI */
#define IXGBE_PIENA                 0x110B8u

/* 8.2.3.4.6 Function active and power state; the port's PCI function may be swapped (LFS). */
#define IXGBE_FACTPS       0x10150u
#define IXGBE_FACTPS_MNGCG 0x20000000u
#define IXGBE_FACTPS_LFS   0x40000000u

/* 8.2.3.4.9 - 8.2.3.4.11 Semaphores. Two steps before a resource that both ports and firmware share
 * is used (10.5.4): take SMBI and SWESMBI, set the bit in SW_FW_SYNC, give both back. */
#define IXGBE_SWSM                   0x10140u
#define IXGBE_SWSM_SMBI              0x00000001u /* RS: 0 read: it is ours; write 0 to release */
#define IXGBE_SWSM_SWESMBI           0x00000002u /* reads back 1 unless firmware holds it */
#define IXGBE_SWSM_WMNG              0x00000004u
#define IXGBE_FWSM                   0x10148u
#define IXGBE_FWSM_EEP_FW_SEMAPHORE  0x00000001u
#define IXGBE_FWSM_MODE              0x0000000Eu
#define IXGBE_FWSM_MODE_PASS_THROUGH 0x2u
#define IXGBE_FWSM_FW_VALID          0x00008000u
#define IXGBE_FWSM_EXT_ERR           0x01F80000u
#define IXGBE_SW_FW_SYNC             0x10160u /* GSSR in drivers */
#define IXGBE_SYNC_EEPROM            0x00000001u
#define IXGBE_SYNC_PHY0              0x00000002u
#define IXGBE_SYNC_PHY1              0x00000004u
#define IXGBE_SYNC_MAC_CSR           0x00000008u
#define IXGBE_SYNC_FLASH             0x00000010u
#define IXGBE_SYNC_FW_SHIFT          5u /* firmware's bits lie above software's */

/* 8.2.3.5 Interrupts ------------------------------------------------------------------------ */

/* 8.2.3.5.1 Causes. A read clears all of it, unless GPIE.OCD is set: then a read clears only bits
 * 16-29. Writing a 1 clears that bit. In MSI-X mode bits 0-15 stand for vectors. */
#define IXGBE_EICR           0x00800u /* RC, W1C */
#define IXGBE_EICR_RTX_QUEUE 0x0000FFFFu
#define IXGBE_EICR_FLOW_DIR  0x00010000u
#define IXGBE_EICR_RX_MISS   0x00020000u /* a packet buffer overran */
#define IXGBE_EICR_PCI       0x00040000u
#define IXGBE_EICR_MAILBOX   0x00080000u
#define IXGBE_EICR_LSC       0x00100000u /* link status changed */
#define IXGBE_EICR_LINKSEC   0x00200000u
#define IXGBE_EICR_MNG       0x00400000u
#define IXGBE_EICR_TS        0x00800000u          /* thermal sensor; reserved in the datasheet */
#define IXGBE_EICR_SDP(n)    (0x01000000u << (n)) /* n 0-3 */
#define IXGBE_EICR_ECC       0x10000000u          /* drivers also PBUR */
#define IXGBE_EICR_DHER      0x20000000u
#define IXGBE_EICR_TCP_TIMER 0x40000000u
#define IXGBE_EICR_OTHER     0x80000000u /* in drivers; the datasheet reserves it */

/* 8.2.3.5.2 - 8.2.3.5.6 The same bits: set causes (WO; it reads as EICR does, without clearing,
 * as Linux relies on), set and clear masks (a read of EIMC returns 0 per the datasheet),
 * auto-clear on MSI-X delivery, auto-mask on read of EICR or on MSI-X delivery (GPIE.EIAME). */
#define IXGBE_EICS     0x00808u
#define IXGBE_EIMS     0x00880u
#define IXGBE_EIMC     0x00888u
#define IXGBE_EIAC     0x00810u
#define IXGBE_EIAM     0x00890u
#define IXGBE_EIMC_ALL 0x7FFFFFFFu /* what 4.6.3.1 writes to mask everything */

/* 8.2.3.5.7 - 8.2.3.5.10 One bit for each of MSI-X vectors 0-63, element 0 being vectors 0-31
 * (the datasheet counts from 1). Bits 0-15 of element 0 are bits 0-15 of the registers above. */
#define IXGBE_EICS_EX(n) (0x00A90u + 4 * (n))
#define IXGBE_EIMS_EX(n) (0x00AA0u + 4 * (n))
#define IXGBE_EIMC_EX(n) (0x00AB0u + 4 * (n))
#define IXGBE_EIAM_EX(n) (0x00AD0u + 4 * (n))
#define IXGBE_EITRSEL    0x00894u /* bit n: VF n's vectors follow the PF's EITR */

/* 8.2.3.5.12 Throttling of vector n, 0-128; the split is the chip's */
#define IXGBE_EITR(n)          ((n) < 24 ? 0x00820u + 4 * (n) : 0x12300u + 4 * ((n)-24))
#define IXGBE_EITR_INTERVAL    0x00000FF8u /* in units of IXGBE_EITR_UNIT_NS; 0: no throttling */
#define IXGBE_EITR_UNIT_NS     2048u       /* at 10 Gb/s and 1 Gb/s; ten times that at 100 Mb/s */
#define IXGBE_EITR_LLI_MOD     0x00008000u
#define IXGBE_EITR_LLI_CREDIT  0x001F0000u
#define IXGBE_EITR_ITR_COUNTER 0x0FE00000u
#define IXGBE_EITR_CNT_WDIS    0x80000000u /* WO: leave the running counter alone */

/* 8.2.3.5.16, 8.2.3.5.17 Which vector a cause raises. IVAR(n) has four bytes: Rx queue 2n, Tx queue
 * 2n, Rx queue 2n+1, Tx queue 2n+1. IVAR_MISC: TCP timer, all other causes. */
#define IXGBE_IVAR(n)          (0x00900u + 4 * (n)) /* n 0-63 */
#define IXGBE_IVAR_OF_QUEUE(q) IXGBE_IVAR((q) / 2)
#define IXGBE_IVAR_RX_SHIFT(q) (16 * ((q) % 2))
#define IXGBE_IVAR_TX_SHIFT(q) (16 * ((q) % 2) + 8)
#define IXGBE_IVAR_MISC        0x00A00u
#define IXGBE_IVAR_TIMER_SHIFT 0
#define IXGBE_IVAR_OTHER_SHIFT 8
#define IXGBE_IVAR_ALLOC       0x3Fu
#define IXGBE_IVAR_VALID       0x80u

/* 8.2.3.5.18 General purpose interrupt enable */
#define IXGBE_GPIE               0x00898u
#define IXGBE_GPIE_SDP(n)        (0x00000001u << (n)) /* n 0-3 */
#define IXGBE_GPIE_MULTIPLE_MSIX 0x00000010u
#define IXGBE_GPIE_OCD           0x00000020u /* reading EICR clears only the "other" causes */
#define IXGBE_GPIE_EIMEN         0x00000040u /* EICS raises at once, whatever EITR says */
#define IXGBE_GPIE_LL_INTERVAL   0x00000780u
#define IXGBE_GPIE_RSC_DELAY     0x00003800u
#define IXGBE_GPIE_VT_MODE       0x0000C000u /* as GCR_EXT.VT_MODE */
#define IXGBE_GPIE_EIAME         0x40000000u
#define IXGBE_GPIE_PBA_SUPPORT   0x80000000u

/* 8.2.3.5.14, 8.2.3.5.15 Low-latency interrupts (8.2.3.5.13 is with the five-tuple filters) */
#define IXGBE_IMIR(n)            (0x05A80u + 4 * (n)) /* n 0-7; 82598's, but ethtool -d reads it */
#define IXGBE_IMIREXT(n)         (0x05AA0u + 4 * (n))
#define IXGBE_IMIRVP             0x05AC0u
#define IXGBE_IMIRVP_ALIAS       0x0EC60u /* as the datasheet lists it */
#define IXGBE_IMIRVP_PRIORITY    0x00000007u
#define IXGBE_IMIRVP_PRIORITY_EN 0x00000008u
#define IXGBE_LLITHRESH          0x0EC90u

/* 8.2.3.6 MSI-X pending bits clear, W1C: vectors 32n to 32n+31, n 0-7; n = 0 twice */
#define IXGBE_PBACL(n)    (0x110C0u + 4 * (n))
#define IXGBE_PBACL_ALIAS 0x11068u

/* 8.2.3.19 Timers */
#define IXGBE_FRTIMER               0x00048u /* RO, free running */
#define IXGBE_TCPTIMER              0x0004Cu
#define IXGBE_TCPTIMER_DURATION     0x000000FFu /* in ms */
#define IXGBE_TCPTIMER_KS           0x00000100u /* WO: kick-start */
#define IXGBE_TCPTIMER_COUNT_ENABLE 0x00000200u
#define IXGBE_TCPTIMER_COUNT_FINISH 0x00000400u
#define IXGBE_TCPTIMER_LOOP         0x00000800u
#define IXGBE_CORESPARE             0x00600u

#endif
