/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters: written by one thread without locks, read by any.
 *
 * A counter is a uint64_t that one thread adds to and all may read; it only grows. Those of one
 * object form a set: an array of values beside a constant table of names, units and help texts, so
 * that a table, a JSON document or a metrics page can be made of any set without knowing it.
 * Counters of hardware, which are narrower than 64 bits and wrap or are cleared by reading, are
 * accumulated by a struct shunt_counter_wide. */
#ifndef SHUNT_COUNTER_H
#define SHUNT_COUNTER_H

#include "shunt/base.h"

SHUNT_BEGIN_DECLS

/* Add n to a counter. A plain load and store, no read-modify-write: the other threads read either
 * the old or the new value, never half of one.
 *
 * Thread the one that owns the counter. Never fails; wraps at 2^64. */
inline void shunt_counter_add(uint64_t *counter, uint64_t n)
{
  __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/* What a counter stands at. Any thread. Two counters read one after the other may be of different
 * moments. */
inline uint64_t shunt_counter_read(const uint64_t *counter)
{
  return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- Sets ---- */

struct shunt_counter_description {
  const char *name; /* stable, lower case with underscores: "rx_dropped_full" */
  const char *unit; /* "frames", "bytes", "ns"; empty for mere events */
  const char *help; /* one sentence for a person */
};

struct shunt_counter_set {
  const char *owner; /* whose they are, as a metrics page would name it: "ixgbe_queue" */
  const struct shunt_counter_description *descriptions; /* n of them, constant */
  const uint64_t *values;                               /* n of them, the owner's */
  size_t n;
};

/* Copy the values of a set.
 *
 * values, room  where to, and how many fit; what does not fit is left out
 * Thread        any
 * Returns       how many there are, which may be more than room */
size_t shunt_counter_snapshot(const struct shunt_counter_set *set, uint64_t values[], size_t room);

/* What was counted between two snapshots: difference[i] = now[i] - before[i], also where the
 * counter has wrapped meanwhile. difference may be now or before. */
void shunt_counter_difference(const uint64_t now[], const uint64_t before[], uint64_t difference[],
                              size_t n);

/* The address of the counter of that name, or NULL where the set has none. */
const uint64_t *shunt_counter_find(const struct shunt_counter_set *set, const char *name);

/* ---- Counters of hardware ---- */

enum shunt_counter_kind {
  SHUNT_COUNTER_WRAPS,          /* goes on from 0 after its greatest value */
  SHUNT_COUNTER_CLEARS_ON_READ, /* is 0 after each reading, and stays at its greatest value */
};

struct shunt_counter_wide {
  uint64_t total; /* a counter like any other: shunt_counter_read */
  uint64_t stuck; /* readings that found the greatest value: more happened than was counted */
  uint64_t mask;  /* the greatest value */
  uint64_t last;  /* the last reading, of one that wraps */
  enum shunt_counter_kind kind;
};

/* Begin to accumulate.
 *
 * bits  width of the hardware's counter, 1..64; what lies outside is taken as the nearer end
 * now   what it stands at, which is not counted; of no meaning for one that reading clears: read it
 *       once before, so that what came before this moment is gone */
void shunt_counter_wide_init(struct shunt_counter_wide *wide, enum shunt_counter_kind kind,
                             unsigned bits, uint64_t now);

/* Take in a reading. Bits above the counter's width are ignored. One that wraps must be read at
 * least once per turn: 32 bits of bytes at 10 Gb/s last 3.4 s, 36 bits 55 s.
 *
 * Thread   the one that owns wide
 * Returns  what was counted since the last reading */
uint64_t shunt_counter_wide_update(struct shunt_counter_wide *wide, uint64_t reading);

SHUNT_END_DECLS

#endif
