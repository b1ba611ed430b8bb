/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/checksum.h"

#include <string.h>

extern inline uint16_t shunt_checksum_finish(uint32_t sum);
extern inline uint16_t shunt_checksum_update(uint16_t checksum, uint16_t old_word,
                                             uint16_t new_word);
extern inline uint16_t shunt_checksum_update32(uint16_t checksum, uint32_t old_value,
                                               uint32_t new_value);

/* Ones' complement addition of 64 bits: the carry comes back in at the bottom. It keeps the sum
 * modulo 2^16 - 1, because that divides 2^64 - 1. */
static inline uint64_t checksum_add64(uint64_t sum, uint64_t value)
{
  sum += value;
  return sum + (sum < value);
}

static inline uint64_t checksum_load64(const uint8_t *at)
{
  uint64_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

/* Fewer than 8 bytes, as the first bytes of 8 that are otherwise zero. */
static inline uint64_t checksum_load_tail(const uint8_t *at, size_t bytes)
{
  uint64_t value = 0;
  memcpy(&value, at, bytes);
  return value;
}

/* The sum of native words, folded to 16 bits. Two chains, so that one need not wait for the
 * other's carry. */
static uint16_t checksum_sum_native(const uint8_t *at, size_t bytes)
{
  uint64_t even = 0;
  uint64_t odd = 0;

  for (; bytes >= 32; at += 32, bytes -= 32) {
    even = checksum_add64(even, checksum_load64(at));
    odd = checksum_add64(odd, checksum_load64(at + 8));
    even = checksum_add64(even, checksum_load64(at + 16));
    odd = checksum_add64(odd, checksum_load64(at + 24));
  }
  for (; bytes >= 8; at += 8, bytes -= 8)
    even = checksum_add64(even, checksum_load64(at));
  if (bytes)
    odd = checksum_add64(odd, checksum_load_tail(at, bytes));

  uint64_t sum = checksum_add64(even, odd);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint32_t shunt_checksum_add(uint32_t sum, const void *data, size_t bytes)
{
  uint16_t native = checksum_sum_native(data, bytes);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  /* Summing swapped words gives the swapped sum, RFC 1071 2(B). */
  native = __builtin_bswap16(native);
#endif
  return sum + native;
}

uint32_t shunt_checksum_pseudo(uint32_t source, uint32_t destination, uint8_t protocol,
                               uint32_t l4_bytes)
{
  return (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff) +
         protocol + l4_bytes;
}

uint16_t shunt_checksum(const void *data, size_t bytes)
{
  return shunt_checksum_finish(shunt_checksum_add(0, data, bytes));
}

uint16_t shunt_checksum_of_zero(const void *data, size_t bytes)
{
  const uint8_t *at = data;
  for (size_t i = 0; i < bytes; i++)
    if (at[i])
      return 0;
  return 0xffff;
}
