/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>

#include "twin/wire/wire.h"

#define IMPAIR_REORDER_NS   100000
#define IMPAIR_RATE_MAX_BPS UINT64_C(1000000000000000)

void impair_init(struct impair *impair, uint64_t seed, unsigned end_number)
{
  for (unsigned kind = 0; kind < IMPAIR_KINDS; kind++)
    random_seed(&impair->streams[kind], seed, (uint64_t)end_number * IMPAIR_KINDS + kind);
}

static int impair_check_chance(const char *name, double value, struct shunt_error *error)
{
  if (value >= 0 && value <= 1) /* false for NaN */
    return 0;
  int code = shunt_error_set(error, -EINVAL, "can't impair the wire");
  shunt_error_why(error, "%s is %g; it is a probability from 0 to 1", name, value);
  return code;
}

static int impair_check_most(const char *name, uint64_t value, uint64_t most,
                             struct shunt_error *error)
{
  if (value <= most)
    return 0;
  int code = shunt_error_set(error, -EINVAL, "can't impair the wire");
  shunt_error_why(error, "%s is %" PRIu64 ", and %" PRIu64 " is the most", name, value, most);
  return code;
}

static int impair_check(const struct shunt_impairments *set, struct shunt_error *error)
{
  int code = impair_check_chance("loss", set->loss, error);
  if (code == 0)
    code = impair_check_chance("duplicate", set->duplicate, error);
  if (code == 0)
    code = impair_check_chance("reorder", set->reorder, error);
  if (code == 0)
    code = impair_check_chance("corrupt", set->corrupt, error);
  if (code == 0)
    code = impair_check_most("delay_ns", set->delay_ns, SHUNT_IMPAIRMENT_MAX_NS, error);
  if (code == 0)
    code = impair_check_most("jitter_ns", set->jitter_ns, SHUNT_IMPAIRMENT_MAX_NS, error);
  if (code == 0)
    code = impair_check_most("reorder_ns", set->reorder_ns, SHUNT_IMPAIRMENT_MAX_NS, error);
  if (code == 0)
    code = impair_check_most("rate_bps", set->rate_bps, IMPAIR_RATE_MAX_BPS, error);
  return code;
}

int impair_set(struct impair *impair, const struct shunt_impairments *impairments,
               struct shunt_error *error)
{
  struct shunt_impairments set = {.size = sizeof(set)};
  int code = wire_take_options(&set, sizeof(set), impairments, "can't impair the wire", error);
  if (code == 0)
    code = impair_check(&set, error);
  if (code < 0)
    return code;
  if (set.reorder_ns == 0)
    set.reorder_ns = IMPAIR_REORDER_NS;
  impair->set = set;
  impair->on = set.delay_ns > 0 || set.jitter_ns > 0 || set.rate_bps > 0 || set.loss > 0 ||
               set.duplicate > 0 || set.reorder > 0 || set.corrupt > 0;
  return 0;
}

/* A stream that is turned off is not advanced, but no stream waits for another's outcome. */
static bool impair_chance(struct impair *impair, enum impair_kind kind, double probability)
{
  return probability > 0 && random_chance(&impair->streams[kind], probability);
}

struct impair_verdict impair_decide(struct impair *impair, uint32_t bytes)
{
  struct impair_verdict verdict = {
      .lost = impair_chance(impair, IMPAIR_LOSS, impair->set.loss),
      .duplicated = impair_chance(impair, IMPAIR_DUPLICATE, impair->set.duplicate),
      .reordered = impair_chance(impair, IMPAIR_REORDER, impair->set.reorder),
      .corrupted = impair_chance(impair, IMPAIR_CORRUPT, impair->set.corrupt),
  };
  if (verdict.corrupted)
    verdict.bit =
        (uint32_t)random_below_or_equal(&impair->streams[IMPAIR_BIT], UINT64_C(8) * bytes - 1);
  if (impair->set.jitter_ns > 0)
    verdict.jitter_ns =
        random_below_or_equal(&impair->streams[IMPAIR_JITTER], impair->set.jitter_ns);
  return verdict;
}

static uint64_t impair_add_ns(uint64_t a, uint64_t b)
{
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* When the last bit of the frame has left, at rate_bps and behind the frames before it. */
static uint64_t impair_sent_ns(struct impair *impair, uint32_t bytes, uint64_t now_ns)
{
  if (impair->set.rate_bps == 0)
    return now_ns;
  if (now_ns > impair->link_free_ns) {
    impair->link_free_ns = now_ns;
    impair->link_remainder = 0;
  }
  uint64_t line_bytes = bytes < WIRE_FRAME_LEAST_BYTES ? WIRE_FRAME_LEAST_BYTES : bytes;
  uint64_t bits = 8 * (line_bytes + WIRE_FRAME_OVERHEAD_BYTES);
  uint64_t dividend = bits * UINT64_C(1000000000) + impair->link_remainder;
  impair->link_free_ns = impair_add_ns(impair->link_free_ns, dividend / impair->set.rate_bps);
  impair->link_remainder = dividend % impair->set.rate_bps;
  return impair->link_free_ns;
}

uint64_t impair_due_ns(struct impair *impair, const struct impair_verdict *verdict, uint32_t bytes,
                       uint64_t now_ns)
{
  uint64_t due_ns = impair_sent_ns(impair, bytes, now_ns);
  if (verdict->lost)
    return due_ns;
  due_ns = impair_add_ns(due_ns, impair->set.delay_ns + verdict->jitter_ns);
  if (verdict->reordered)
    return impair_add_ns(due_ns, impair->set.reorder_ns);
  if (due_ns < impair->last_due_ns)
    due_ns = impair->last_due_ns;
  impair->last_due_ns = due_ns;
  return due_ns;
}
