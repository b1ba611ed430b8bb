/* SPDX-License-Identifier: BSD-2-Clause */
/* The identification page of an SFP or SFP+ module: 256 bytes at I2C address A0h.
 *
 * Source: SFF-8472 revision 12.4, chapters 4 - 7 (table numbers below), which took over SFF-8079's
 * and INF-8074's layout. Offsets are bytes. */
#ifndef HW_SFP_H
#define HW_SFP_H

#define SFP_I2C_ADDRESS             0xA0u /* with the read/write bit in bit 0 */
#define SFP_I2C_ADDRESS_DIAGNOSTICS 0xA2u
#define SFP_PAGE_BYTES              256u

/* Base ID fields (table 4-1) */
#define SFP_IDENTIFIER        0u
#define SFP_EXT_IDENTIFIER    1u
#define SFP_CONNECTOR         2u
#define SFP_10G_CODES         3u
#define SFP_1G_CODES          6u
#define SFP_FC_TECHNOLOGY     8u
#define SFP_ENCODING          11u
#define SFP_SIGNALING_RATE    12u /* in units of 100 MBd */
#define SFP_RATE_IDENTIFIER   13u
#define SFP_LENGTH_SM_KM      14u
#define SFP_LENGTH_OM3_10M    19u
#define SFP_LENGTH_OM2_10M    16u
#define SFP_LENGTH_OM1_10M    17u
#define SFP_LENGTH_COPPER_M   18u
#define SFP_VENDOR_NAME       20u
#define SFP_VENDOR_NAME_BYTES 16u /* ASCII, padded with blanks; so are the next ones */
#define SFP_VENDOR_OUI        37u
#define SFP_VENDOR_OUI_BYTES  3u
#define SFP_VENDOR_PN         40u
#define SFP_VENDOR_PN_BYTES   16u
#define SFP_VENDOR_REV        56u
#define SFP_VENDOR_REV_BYTES  4u
#define SFP_WAVELENGTH_NM     60u /* two bytes, high first; of copper cables: compliance */
#define SFP_CABLE_COMPLIANCE  60u
#define SFP_CC_BASE           63u /* low byte of the sum of bytes 0-62 */

/* Extended ID fields (table 4-1) */
#define SFP_OPTIONS             64u
#define SFP_VENDOR_SN           68u
#define SFP_VENDOR_SN_BYTES     16u
#define SFP_DATE_CODE           84u /* YYMMDD and two vendor characters */
#define SFP_DATE_CODE_BYTES     8u
#define SFP_DIAGNOSTICS_TYPE    92u
#define SFP_ENHANCED_OPTIONS    93u
#define SFP_SFF_8472_COMPLIANCE 94u
#define SFP_CC_EXT              95u /* low byte of the sum of bytes 64-94 */

/* Identifier and connector (SFF-8024 tables 4-1, 4-3) */
#define SFP_IDENTIFIER_SFP           0x03u
#define SFP_IDENTIFIER_QSFP_PLUS     0x0Du
#define SFP_EXT_IDENTIFIER_TWO_WIRE  0x04u
#define SFP_CONNECTOR_LC             0x07u
#define SFP_CONNECTOR_COPPER_PIGTAIL 0x21u
#define SFP_CONNECTOR_RJ45           0x22u
#define SFP_CONNECTOR_NONE           0x23u /* not separable */

/* Transceiver codes (table 5-3) */
#define SFP_10G_SR        0x10u
#define SFP_10G_LR        0x20u
#define SFP_10G_LRM       0x40u
#define SFP_10G_ER        0x80u
#define SFP_1G_SX         0x01u
#define SFP_1G_LX         0x02u
#define SFP_1G_CX         0x04u
#define SFP_1G_T          0x08u
#define SFP_PASSIVE_CABLE 0x04u /* in SFP_FC_TECHNOLOGY */
#define SFP_ACTIVE_CABLE  0x08u

/* Encoding (SFF-8024 table 4-2), what copper cables comply with (tables 8-1, 8-2) */
#define SFP_ENCODING_UNSPECIFIED 0x00u
#define SFP_ENCODING_8B10B       0x01u
#define SFP_ENCODING_64B66B      0x06u
#define SFP_PASSIVE_SFF_8431     0x01u
#define SFP_ACTIVE_SFF_8431      0x01u
#define SFP_ACTIVE_LIMITING      0x04u

/* Diagnostics type (table 8-5) */
#define SFP_DIAGNOSTICS_ADDRESS_CHANGE 0x04u
#define SFP_DIAGNOSTICS_IMPLEMENTED    0x40u

/* Vendors whose modules drivers treat specially: OUI as a number, first byte highest */
#define SFP_OUI_TYCO  0x004076u
#define SFP_OUI_FTL   0x009065u
#define SFP_OUI_AVAGO 0x00176Au
#define SFP_OUI_INTEL 0x001B21u

#endif
