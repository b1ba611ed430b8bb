/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum: full (RFC 1071), incremental (RFC 1624), and the pseudo header that UDP
 * and TCP start from (RFC 768, RFC 9293 3.1).
 *
 * A sum is a uint32_t under construction: the ones' complement sum of 16-bit words with its carries
 * not yet folded in. Pieces are added in any order; each but the last has an even length. 65,000
 * pieces fit before carries could be lost. A checksum is the finished uint16_t.
 *
 * Functions are pure, and may be called from any thread. */
#ifndef SHUNT_CHECKSUM_H
#define SHUNT_CHECKSUM_H

#include "shunt/base.h"

SHUNT_BEGIN_DECLS

/* Add bytes to a sum.
 *
 * sum    0, or what an earlier call returned
 * data   any alignment; may be NULL when bytes is 0
 * bytes  any; an odd length is padded with a zero byte, as RFC 1071 says
 * Returns the new sum, at most 0xffff more. 64 bits are added at a time. */
uint32_t shunt_checksum_add(uint32_t sum, const void *data, size_t bytes);

/* Start the sum of a UDP or TCP segment with its pseudo header.
 *
 * source, destination  IPv4 addresses, host order
 * protocol             17 UDP, 6 TCP
 * l4_bytes             length of the segment, its header included; at most 65,515
 * Returns the sum, to which the segment is then added. */
uint32_t shunt_checksum_pseudo(uint32_t source, uint32_t destination, uint8_t protocol,
                               uint32_t l4_bytes);

/* Fold the carries and complement: the sum becomes a checksum in host order. Over data that
 * includes its own correct checksum the result is 0. */
inline uint16_t shunt_checksum_finish(uint32_t sum)
{
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

/* The checksum of bytes in one call: add and finish. */
uint16_t shunt_checksum(const void *data, size_t bytes);

/* The checksum after one 16-bit word of the data it covers has changed: HC' = ~(~HC + ~m + m'),
 * RFC 1624 equation 3.
 *
 * checksum              before
 * old_word, new_word    the word before and after; all three in the same byte order, whichever
 *                       (RFC 1071 2(B)), so words loaded from the frame need no swap
 * Returns the checksum after. Equal to a full computation, but for data that is now zero in every
 * byte: there see shunt_checksum_of_zero. UDP stores 0xffff where this returns 0 (RFC 768). */
inline uint16_t shunt_checksum_update(uint16_t checksum, uint16_t old_word, uint16_t new_word)
{
  uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~old_word + new_word;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

/* The same after a 32-bit number, such as an IPv4 address, has changed. All in host order. */
inline uint16_t shunt_checksum_update32(uint16_t checksum, uint32_t old_value, uint32_t new_value)
{
  checksum = shunt_checksum_update(checksum, (uint16_t)(old_value >> 16), //
                                   (uint16_t)(new_value >> 16));
  return shunt_checksum_update(checksum, (uint16_t)old_value, (uint16_t)new_value);
}

/* Decide between the two zeros of ones' complement, where shunt_checksum_update returned 0.
 *
 * The sum of the data is then +0 (every byte is zero) or -0 (0xffff, words that cancel out). A full
 * computation tells them apart and yields 0xffff or 0; an increment can't, and a receiver rejects
 * all-zero data with a zero checksum. An IP header is never all zero, so RFC 1624 need not care,
 * but an echo reply is when identifier, sequence number and payload are.
 *
 * data, bytes  what the checksum covers, without the two bytes of the checksum itself
 * Returns      0xffff when every byte is zero, else 0. Reads up to the first byte that is not. */
uint16_t shunt_checksum_of_zero(const void *data, size_t bytes);

SHUNT_END_DECLS

#endif
