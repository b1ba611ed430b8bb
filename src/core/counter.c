/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/counter.h"

#include <string.h>

extern inline void shunt_counter_add(uint64_t *counter, uint64_t n);
extern inline uint64_t shunt_counter_read(const uint64_t *counter);

size_t shunt_counter_snapshot(const struct shunt_counter_set *set, uint64_t values[], size_t room)
{
  for (size_t i = 0; i < set->n && i < room; i++)
    values[i] = shunt_counter_read(&set->values[i]);
  return set->n;
}

void shunt_counter_difference(const uint64_t now[], const uint64_t before[], uint64_t difference[],
                              size_t n)
{
  for (size_t i = 0; i < n; i++)
    difference[i] = now[i] - before[i];
}

const uint64_t *shunt_counter_find(const struct shunt_counter_set *set, const char *name)
{
  for (size_t i = 0; i < set->n; i++) {
    if (strcmp(set->descriptions[i].name, name) == 0)
      return &set->values[i];
  }
  return NULL;
}

void shunt_counter_wide_init(struct shunt_counter_wide *wide, enum shunt_counter_kind kind,
                             unsigned bits, uint64_t now)
{
  uint64_t mask = UINT64_MAX;
  if (bits < 64)
    mask = (UINT64_C(1) << (bits > 0 ? bits : 1)) - 1;
  *wide = (struct shunt_counter_wide){.mask = mask, .last = now & mask, .kind = kind};
}

uint64_t shunt_counter_wide_update(struct shunt_counter_wide *wide, uint64_t reading)
{
  uint64_t counted = reading & wide->mask;
  if (wide->kind == SHUNT_COUNTER_CLEARS_ON_READ) {
    if (counted == wide->mask)
      shunt_counter_add(&wide->stuck, 1);
  } else {
    counted = (counted - wide->last) & wide->mask;
    wide->last = reading & wide->mask;
  }
  shunt_counter_add(&wide->total, counted);
  return counted;
}
