/* SPDX-License-Identifier: BSD-2-Clause */
/* Which filter takes a frame, decided for nearly every frame by a few words of it, before anybody
 * reads its headers one by one (match.c): for polls in line (fast.c). quick.c learns the words. */
#ifndef SRC_EFVI_QUICK_H
#define SRC_EFVI_QUICK_H

#include <string.h>

#include "src/efvi/efvi.h"

#define INLINE static inline __attribute__((always_inline))

/* Frames of market data and orders are mostly this short: four moves of fixed length copy them.
 * What is moved behind a frame's end lies inside of its buffer, which is at least this long. */
#define SHORT_BYTES 64u
_Static_assert(SHORT_BYTES <= EFVI_SHORT_STRIDE, "one a place");

INLINE bool is_short(uint32_t bytes)
{
  return SHUNT_LIKELY(bytes - EFVI_FRAME_LEAST <= SHORT_BYTES - EFVI_FRAME_LEAST);
}

/* The words begin where fields do: ethertype, then fragment and protocol, then the destination with
 * its port; and those that few ask for: MAC addresses, then the source with its port. */
static const uint8_t word_at[EFVI_QUICK_WORDS] = {12, 20, 30, 0, 26};
#define USUAL_WORDS 3u

#define HEADERS_BYTES 42u /* of an untagged frame of IPv4 without options, with those of UDP */

INLINE bool quick_differs(const struct efvi_quick *quick, const uint8_t *frame, unsigned word)
{
  uint64_t bytes;
  memcpy(&bytes, frame + word_at[word], sizeof(bytes));
  return ((bytes ^ quick->value[word]) & quick->mask[word]) != 0;
}

INLINE bool quick_match_words(const struct efvi_quick *quick, const uint8_t *frame)
{
  if (SHUNT_UNLIKELY(quick_differs(quick, frame, 0) || quick_differs(quick, frame, 1) ||
                     quick_differs(quick, frame, 2)))
    return false;
  return !quick->more || !(quick_differs(quick, frame, 3) || quick_differs(quick, frame, 4));
}

/* Whether a frame is short, and the filter takes it. */
INLINE bool quick_match(const struct efvi_quick *quick, const uint8_t *frame, uint64_t bytes)
{
  return bytes - quick->least <= quick->span && quick_match_words(quick, frame);
}

/* The same of a longer one. */
INLINE bool quick_match_long(const struct efvi_quick *quick, const uint8_t *frame, uint64_t bytes)
{
  return !is_short(bytes) && bytes >= quick->least && quick_match_words(quick, frame);
}

/* --- Of many filters, those that ask for an IPv4 address and its port alone ----------------------
 */

/* Where a key is looked for first. */
INLINE size_t local_at(uint64_t key)
{
  return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - EFVI_LOCAL_BITS));
}

INLINE size_t local_next(size_t at)
{
  return (at + 1) & (EFVI_LOCALS - 1);
}

/* IPv4 address, protocol in its source port's place, and port: never 0. */
INLINE uint64_t local_key(const uint8_t address[4], uint8_t protocol, const uint8_t port[2])
{
  uint8_t bytes[8] = {0};
  uint64_t key;
  memcpy(bytes, address, 4);
  bytes[4] = protocol;
  memcpy(bytes + 6, port, 2);
  memcpy(&key, bytes, sizeof(key));
  return key;
}

/* Whether one of them takes an untagged frame of IPv4 without options or fragments. */
INLINE bool local_match(const struct efvi_filters *filters, const uint8_t *frame, uint64_t bytes)
{
  if (!filters->local_count || bytes < HEADERS_BYTES || frame[12] != 0x08 || frame[13] != 0x00 ||
      frame[14] != 0x45 || frame[20] & 0x3F || frame[21] ||
      (frame[16] == 0 && frame[17] < HEADERS_BYTES - 14)) /* it says that it has no ports */
    return false;
  const uint64_t key = local_key(frame + 30, frame[23], frame + 36);
  size_t at = local_at(key);
  for (uint64_t there; (there = __atomic_load_n(&filters->locals[at], __ATOMIC_RELAXED)) != 0;
       at = local_next(at))
    if (there == key)
      return true;
  return false;
}

#endif
