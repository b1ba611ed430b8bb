/* SPDX-License-Identifier: BSD-2-Clause */
/* Big-endian numbers that shunt/bytes.h does not have, because no Internet header does: 48 and 64
 * bits. */
#ifndef MARKET_DATA_BYTES64_H
#define MARKET_DATA_BYTES64_H

#include <shunt/bytes.h>

static inline uint64_t load_be48(const void *at)
{
  const uint8_t *b = at;
  return (uint64_t)shunt_load_be16(b) << 32 | shunt_load_be32(b + 2);
}

static inline uint64_t load_be64(const void *at)
{
  const uint8_t *b = at;
  return (uint64_t)shunt_load_be32(b) << 32 | shunt_load_be32(b + 4);
}

static inline void store_be48(void *at, uint64_t value)
{
  uint8_t *b = at;
  shunt_store_be16(b, (uint16_t)(value >> 32));
  shunt_store_be32(b + 2, (uint32_t)value);
}

static inline void store_be64(void *at, uint64_t value)
{
  uint8_t *b = at;
  shunt_store_be32(b, (uint32_t)(value >> 32));
  shunt_store_be32(b + 4, (uint32_t)value);
}

#endif
