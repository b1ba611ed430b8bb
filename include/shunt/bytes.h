/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers in a frame.
 *
 * One rule for every header of the protocols: a number that a function takes, returns or puts in a
 * plain struct is in host order, also an IPv4 address (192.0.2.1 is 0xc0000201) and a port. Network
 * order exists only inside frames. The structs that lie on a frame (shunt_*_header,
 * shunt_arp_packet and the like) hold such numbers as arrays of bytes: they have alignment 1, fit
 * at any address, and can't be read by mistake without the calls below.
 *
 * Functions are C99 inline; the library also exports each as a symbol, for languages that can't
 * include C. Any thread may call them: they touch nothing but what they are given. */
#ifndef SHUNT_BYTES_H
#define SHUNT_BYTES_H

#include "shunt/base.h"

SHUNT_BEGIN_DECLS

/* Read 2 or 4 bytes, most significant first, at any alignment. Compiles to a load and a swap. */
inline uint16_t shunt_load_be16(const void *at)
{
  const uint8_t *b = (const uint8_t *)at;
  return (uint16_t)((uint32_t)b[0] << 8 | b[1]);
}

inline uint32_t shunt_load_be32(const void *at)
{
  const uint8_t *b = (const uint8_t *)at;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Write 2 or 4 bytes, most significant first, at any alignment. */
inline void shunt_store_be16(void *at, uint16_t value)
{
  uint8_t *b = (uint8_t *)at;
  b[0] = (uint8_t)(value >> 8);
  b[1] = (uint8_t)value;
}

inline void shunt_store_be32(void *at, uint32_t value)
{
  uint8_t *b = (uint8_t *)at;
  b[0] = (uint8_t)(value >> 24);
  b[1] = (uint8_t)(value >> 16);
  b[2] = (uint8_t)(value >> 8);
  b[3] = (uint8_t)value;
}

SHUNT_END_DECLS

#endif
