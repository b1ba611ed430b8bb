/* SPDX-License-Identifier: BSD-2-Clause */
/* What the twins of PCI cards do alike. */
#ifndef TWIN_CARD_H
#define TWIN_CARD_H

#include "shunt/model.h"

/* Memory that another process may map: a memfd, whose length nobody can change under us (an access
 * beyond it would end this process).
 *
 * Returns its descriptor, the caller's, or a negative errno */
int card_memory_create(const char *name, size_t bytes);

/* The MSI-X table as it is after a reset: all vectors masked, everything else 0 (PCI 3.0, 6.8.2).
 */
void card_msix_reset(uint8_t *table, unsigned vectors);

struct card_counter {
  const char *name;
  uint64_t value;
};

/* The answer to shunt_model_ops.counters. */
unsigned card_counters_tell(const struct card_counter counters[], unsigned count,
                            const char *names[], uint64_t values[], unsigned n);

#endif
