/* SPDX-License-Identifier: BSD-2-Clause */
/* The two CRCs that the chip computes: the frame check sequence, and SCTP's. Both are rare here
 * (the wire carries frames without FCS), so the code is small rather than fast. */
#ifndef TWIN_IXGBE_CRC_H
#define TWIN_IXGBE_CRC_H

#include <sys/uio.h>

#include "shunt/base.h"

/* CRC-32 of IEEE 802.3 3.2.9 over a whole frame; stored in little-endian order it is the FCS. */
uint32_t twin_ixgbe_crc32(const void *data, size_t bytes);

/* CRC-32C (RFC 9260 appendix A) over pieces; stored in little-endian order it is the checksum of an
 * SCTP packet. Begin with UINT32_MAX, add, and complement at the end. */
uint32_t twin_ixgbe_crc32c_add(uint32_t crc, const void *data, size_t bytes);

#endif
