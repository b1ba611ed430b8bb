/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/core/random.h"

static uint64_t random_splitmix(uint64_t *state)
{
  uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

/* The seed is scattered before the number is added: neighbours in either share nothing. */
void random_seed(struct random_stream *stream, uint64_t seed, uint64_t number)
{
  uint64_t state = seed;
  state = random_splitmix(&state) ^ number;
  for (unsigned i = 0; i < 4; i++)
    stream->state[i] = random_splitmix(&state);
}

static uint64_t random_rotate(uint64_t x, unsigned bits)
{
  return (x << bits) | (x >> (64 - bits));
}

uint64_t random_next(struct random_stream *stream)
{
  uint64_t *s = stream->state;
  uint64_t result = random_rotate(s[1] * 5, 7) * 9;
  uint64_t shifted = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= shifted;
  s[3] = random_rotate(s[3], 45);
  return result;
}

/* Numbers beyond the last whole multiple of the range are drawn again, else the low ones would come
 * more often. */
uint64_t random_below_or_equal(struct random_stream *stream, uint64_t most)
{
  if (most == UINT64_MAX)
    return random_next(stream);
  uint64_t range = most + 1;
  uint64_t excess = (UINT64_MAX - range + 1) % range; /* 2^64 mod range */
  for (;;) {
    uint64_t value = random_next(stream);
    if (value <= UINT64_MAX - excess)
      return value % range;
  }
}

bool random_chance(struct random_stream *stream, double probability)
{
  /* 53 bits: a double in [0, 1), so that 0 is never and 1 always. */
  double drawn = (double)(random_next(stream) >> 11) * 0x1p-53;
  return drawn < probability;
}
