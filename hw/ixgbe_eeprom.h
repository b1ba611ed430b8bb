/* SPDX-License-Identifier: BSD-2-Clause */
/* The EEPROM of an 82599 (datasheet chapter 6): what drivers read in it, by 16-bit word.
 *
 * Words 0x00-0x3F are a header. Some are pointers to sections, in words; 0x0000 and 0xFFFF point to
 * nothing. Where the datasheet is silent (LESM, SFP list, device capabilities) the layout is that
 * of the drivers that Intel publishes under the BSD licence. */
#ifndef HW_IXGBE_EEPROM_H
#define HW_IXGBE_EEPROM_H

#define IXGBE_EEPROM_WORDS_MIN  2048u /* EEC.SIZE 5: what the smallest usual part holds (32 Kb) */
#define IXGBE_EEPROM_NO_POINTER 0xFFFFu

/* 6.2 Control words */
#define IXGBE_EEPROM_CONTROL_1       0x00u
#define IXGBE_EEPROM_SIGNATURE       0x00C0u /* bits 7:6 of word 0 */
#define IXGBE_EEPROM_SIGNATURE_VALID 1u /* 01b: hardware then sets EEC.PRES and reads the rest */
#define IXGBE_EEPROM_CONTROL_2       0x01u
#define IXGBE_EEPROM_CONTROL_3       0x38u

/* 6.3 Section pointers. What 0x03-0x0E point to is part of the checksum. */
#define IXGBE_EEPROM_PCIE_ANALOG   0x03u
#define IXGBE_EEPROM_CORE0_ANALOG  0x04u /* PHY in drivers */
#define IXGBE_EEPROM_CORE1_ANALOG  0x05u /* option ROM in drivers */
#define IXGBE_EEPROM_PCIE_GENERAL  0x06u
#define IXGBE_EEPROM_PCIE_CONFIG0  0x07u
#define IXGBE_EEPROM_PCIE_CONFIG1  0x08u
#define IXGBE_EEPROM_CORE0         0x09u
#define IXGBE_EEPROM_CORE1         0x0Au
#define IXGBE_EEPROM_MAC0          0x0Bu
#define IXGBE_EEPROM_MAC1          0x0Cu
#define IXGBE_EEPROM_CSR0          0x0Du
#define IXGBE_EEPROM_CSR1          0x0Eu
#define IXGBE_EEPROM_FIRMWARE      0x0Fu
#define IXGBE_EEPROM_SECTION_FIRST IXGBE_EEPROM_PCIE_ANALOG
#define IXGBE_EEPROM_SECTION_LAST  IXGBE_EEPROM_CSR1

/* Checksum (6.2.10): words 0x00-0x3E, then for each section pointer that points somewhere the words
 * pointer+1 .. pointer+length, the length being the word at the pointer and neither 0x0000 nor
 * 0xFFFF, then the checksum word, add up to the sum modulo 2^16. */
#define IXGBE_EEPROM_CHECKSUM 0x3Fu
#define IXGBE_EEPROM_SUM      0xBABAu

/* 6.3.7, 6.3.8 Core section: the port's MAC address, first octet in the low byte of word 1, which
 * hardware loads into RAL(0)/RAH(0) at reset */
#define IXGBE_EEPROM_CORE_MAC 0x01u

/* Part number (PBA). A first word of 0xFAFA says that the second points to a length word and then
 * ASCII, two characters a word, high byte first; else both words are the number in hexadecimal. */
#define IXGBE_EEPROM_PBA0      0x15u
#define IXGBE_EEPROM_PBA1      0x16u
#define IXGBE_EEPROM_PBA_GUARD 0xFAFAu

/* Versions: image (dev_starter), option ROM, and the build's id ("eetrack"), low word first */
#define IXGBE_EEPROM_IMAGE_VERSION 0x18u
#define IXGBE_EEPROM_OEM_VERSION   0x1Bu
#define IXGBE_EEPROM_OPTION_ROM    0x17u /* iSCSI/FCoE block too */
#define IXGBE_EEPROM_ETRACK_LOW    0x2Du
#define IXGBE_EEPROM_ETRACK_HIGH   0x2Eu

/* External thermal sensors; 0x0000 or 0xFFFF: none */
#define IXGBE_EEPROM_THERMAL         0x26u
#define IXGBE_EEPROM_THERMAL_TYPE    0x0038u
#define IXGBE_EEPROM_THERMAL_SENSORS 0x0007u

/* Alternate SAN address block, read for WWNN/WWPN prefixes; capabilities in its word 0 */
#define IXGBE_EEPROM_ALT_SAN_MAC      0x27u
#define IXGBE_EEPROM_ALT_SAN_CAPS     0x0u
#define IXGBE_EEPROM_ALT_SAN_CAPS_MAC 0x0001u
#define IXGBE_EEPROM_ALT_SAN_CAPS_WWN 0x0002u
#define IXGBE_EEPROM_ALT_SAN_WWNN     0x7u
#define IXGBE_EEPROM_ALT_SAN_WWPN     0x8u

/* SAN MAC addresses: three words for each port from the pointer on */
#define IXGBE_EEPROM_SAN_MAC              0x28u
#define IXGBE_EEPROM_SAN_MAC_OFFSET(port) (3u * (port))

/* SFP initialisation, on SFP+ devices: the word points to a list, which is a word to skip and then
 * pairs {type, pointer to a sequence} up to a type of IXGBE_EEPROM_SFP_END. A sequence is a word to
 * skip, too, then the values for CORECTL up to IXGBE_EEPROM_SFP_END. A type is what the module's
 * A0h page says it is. */
#define IXGBE_EEPROM_SFP_INIT      0x2Bu
#define IXGBE_EEPROM_SFP_END       0xFFFFu
#define IXGBE_SFP_TYPE_DA_CU       0u /* port 0 of old firmware; the next lists say by port */
#define IXGBE_SFP_TYPE_SR          1u
#define IXGBE_SFP_TYPE_LR          2u
#define IXGBE_SFP_TYPE_DA_CU_CORE0 3u
#define IXGBE_SFP_TYPE_DA_CU_CORE1 4u
#define IXGBE_SFP_TYPE_SRLR_CORE0  5u
#define IXGBE_SFP_TYPE_SRLR_CORE1  6u

/* Device capabilities */
#define IXGBE_EEPROM_DEVICE_CAPS          0x2Cu
#define IXGBE_EEPROM_CAPS_ALLOW_ANY_SFP   0x0001u /* else drivers refuse modules not Intel's */
#define IXGBE_EEPROM_CAPS_FCOE_OFFLOADS   0x0002u
#define IXGBE_EEPROM_CAPS_WOL_PORT0_1     0x0004u
#define IXGBE_EEPROM_CAPS_WOL_PORT0       0x0008u
#define IXGBE_EEPROM_CAPS_NO_CROSSTALK_WR 0x0080u

/* PXE and iSCSI boot */
#define IXGBE_EEPROM_ISCSI_PORT0 0x30u
#define IXGBE_EEPROM_ISCSI_CAPS  0x33u
#define IXGBE_EEPROM_ISCSI_PORT1 0x34u
#define IXGBE_EEPROM_ALT_MAC     0x37u /* pointer to alternate addresses, three words a port */
#define IXGBE_EEPROM_FREE_SPACE  0x3Eu

/* The firmware's chain: [FIRMWARE] points to its block, whose word 4 points to the pass-through
 * patch block, whose word 7 is the version. On SFP+ Linux's ixgbe wants at least version 6, unless
 * FWSM has no pass-through mode. */
#define IXGBE_EEPROM_FW_LESM_POINTER  0x2u
#define IXGBE_EEPROM_FW_PATCH_POINTER 0x4u
#define IXGBE_EEPROM_FW_PATCH_VERSION 0x7u
#define IXGBE_EEPROM_FW_VERSION_MIN   6u

/* LESM, the firmware's link setup for backplanes: state word of its block */
#define IXGBE_EEPROM_LESM_STATE   0x1u
#define IXGBE_EEPROM_LESM_ENABLED 0x8000u

/* SPI instructions that bit-banging through EEC uses (25xx EEPROMs), most significant bit first */
#define IXGBE_SPI_WRSR        0x01u
#define IXGBE_SPI_WRITE       0x02u
#define IXGBE_SPI_READ        0x03u
#define IXGBE_SPI_WRDI        0x04u
#define IXGBE_SPI_RDSR        0x05u
#define IXGBE_SPI_WREN        0x06u
#define IXGBE_SPI_A8          0x08u /* on small parts, bit 8 of the address goes here */
#define IXGBE_SPI_STATUS_BUSY 0x01u

#endif
