/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers from a seed: the same at each run, and enough for traffic and delays. SplitMix64
 * (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). The state
 * is a uint64_t, any number is a seed. */
#ifndef MARKET_DATA_RANDOM_H
#define MARKET_DATA_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
  uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

/* 0..n - 1, for an n that is small beside 2^64: then all are equally likely but for nothing that
 * could be seen. */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
  return random_next(state) % n;
}

/* True with that probability, 0 to 1. */
static inline bool random_chance(uint64_t *state, double probability)
{
  return (double)(random_next(state) >> 11) * 0x1p-53 < probability;
}

/* The state of a stream of its own, which no other number of from's depends on. */
static inline uint64_t random_stream(uint64_t seed, uint64_t number)
{
  uint64_t state = seed ^ number * UINT64_C(0xD1342543DE82EF95);
  return random_next(&state);
}

#endif
