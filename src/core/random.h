/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers from a seed: xoshiro256** of David Blackman and Sebastiano Vigna ("Scrambled
 * linear pseudorandom number generators", 2021), its state filled by SplitMix64 as they advise. */
#ifndef SRC_CORE_RANDOM_H
#define SRC_CORE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random_stream {
  uint64_t state[4];
};

/* Start one of many independent streams: the same seed and number give the same stream. */
void random_seed(struct random_stream *stream, uint64_t seed, uint64_t number);

uint64_t random_next(struct random_stream *stream);

/* A number in 0..most, each equally likely. */
uint64_t random_below_or_equal(struct random_stream *stream, uint64_t most);

/* True with this probability, 0..1. Takes one number from the stream, whatever the probability. */
bool random_chance(struct random_stream *stream, double probability);

#endif
