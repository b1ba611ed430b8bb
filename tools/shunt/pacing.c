/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/pacing.h"

int pacing_init(struct pacing *pacing, uint64_t start_ns, double rate_pps,
                struct shunt_error *error)
{
  *pacing = (struct pacing){.start_ns = start_ns, .interval_ns = rate_pps > 0 ? 1e9 / rate_pps : 0};
  return shunt_histogram_create(NULL, &pacing->lateness, error);
}

void pacing_end(struct pacing *pacing)
{
  shunt_histogram_destroy(pacing->lateness);
  pacing->lateness = NULL;
}

unsigned pacing_due(const struct pacing *pacing, uint64_t now_ns, unsigned most)
{
  unsigned n = 0;
  if (pacing->interval_ns == 0)
    return most;
  while (n < most && pacing_due_ns(pacing, pacing->sent + n) <= now_ns)
    n++;
  return n;
}

void pacing_sent(struct pacing *pacing, uint64_t now_ns, unsigned n)
{
  for (unsigned i = 0; pacing->interval_ns != 0 && i < n; i++) {
    uint64_t due_ns = pacing_due_ns(pacing, pacing->sent + i);
    shunt_histogram_record(pacing->lateness, now_ns > due_ns ? now_ns - due_ns : 0);
  }
  pacing->sent += n;
}
