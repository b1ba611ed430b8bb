/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin/ixgbe/crc.h"

#define CRC32_REFLECTED  0xEDB88320u /* 0x04C11DB7 */
#define CRC32C_REFLECTED 0x82F63B78u /* 0x1EDC6F41 */

static uint32_t crc_add(uint32_t crc, uint32_t polynomial, const uint8_t *data, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++) {
    crc ^= data[i];
    for (unsigned bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (polynomial & -(crc & 1));
  }
  return crc;
}

uint32_t twin_ixgbe_crc32(const void *data, size_t bytes)
{
  return ~crc_add(UINT32_MAX, CRC32_REFLECTED, data, bytes);
}

uint32_t twin_ixgbe_crc32c_add(uint32_t crc, const void *data, size_t bytes)
{
  return crc_add(crc, CRC32C_REFLECTED, data, bytes);
}
