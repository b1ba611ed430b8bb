/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "market_data/igmp_host.h"
#include "shunt/bytes.h"

#define OURS  0x0a523b01u
#define GROUP 0xefc00101u
#define OTHER 0xefc00201u
#define MS    UINT64_C(1000000)
#define S     (1000 * MS)

static const struct shunt_mac mac = {{2, 0, 0, 0, 0, 1}};

static void set_up(struct igmp_host *m)
{
  igmp_host_init(m, mac, OURS, 1);
  assert_int_equal(igmp_host_join(m, GROUP, 0), 0);
  assert_int_equal(igmp_host_join(m, OTHER, 0), 0);
}

/* The next frame, of version 3: returns how many records of that type it has; all must be. */
static unsigned v3_report(struct igmp_host *m, uint64_t now_ns, enum shunt_igmp_record_type type)
{
  uint8_t frame[IGMP_HOST_FRAME_BYTES];
  struct shunt_parsed parsed;
  uint32_t bytes = igmp_host_frame(m, frame, now_ns);
  if (!bytes)
    return 0;
  assert_int_equal(shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_ALL, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.l4_type, SHUNT_IGMP_REPORT_V3);
  assert_int_equal(parsed.destination, SHUNT_IGMP_ALL_V3_ROUTERS);
  assert_int_equal(parsed.source, OURS);
  unsigned n = shunt_load_be16(frame + parsed.l4_offset + 6);
  for (unsigned i = 0; i < n; i++)
    assert_int_equal(frame[parsed.l4_offset + 8 + 8 * i], type);
  return n;
}

static void all_said(struct igmp_host *m)
{
  uint8_t frame[IGMP_HOST_FRAME_BYTES];
  while (m->due_ns != IGMP_HOST_NEVER_NS)
    igmp_host_frame(m, frame, m->due_ns);
}

static void a_join_is_told_twice(void **state)
{
  struct igmp_host m;
  (void)state;
  set_up(&m);
  assert_int_equal(igmp_host_join(&m, GROUP, 0), 0); /* joined already */
  assert_int_equal(v3_report(&m, 0, SHUNT_IGMP_TO_EXCLUDE), 2);
  assert_int_equal(v3_report(&m, 0, SHUNT_IGMP_TO_EXCLUDE), 0);
  unsigned again = 0;
  for (uint64_t now_ns = 0; now_ns <= S + MS; now_ns += MS) /* each within a second */
    again += v3_report(&m, now_ns, SHUNT_IGMP_TO_EXCLUDE);
  assert_int_equal(again, 2);
  assert_int_equal(m.due_ns, IGMP_HOST_NEVER_NS);
}

static void a_query_is_answered_in_time(void **state)
{
  struct igmp_host m;
  struct shunt_igmp_query query = {.version = 3, .max_response_ms = 500};
  (void)state;
  set_up(&m);
  all_said(&m);
  for (unsigned round = 0; round < 100; round++) {
    uint64_t now_ns = (10 + round) * S, answered_ns = 0;
    igmp_host_query(&m, &query, now_ns);
    answered_ns = m.due_ns;
    assert_in_range(answered_ns, now_ns, now_ns + 500 * MS);
    assert_int_equal(v3_report(&m, answered_ns, SHUNT_IGMP_IS_EXCLUDE), 2);
    assert_int_equal(m.due_ns, IGMP_HOST_NEVER_NS);
  }
  query.group = OTHER;
  igmp_host_query(&m, &query, 200 * S);
  assert_int_equal(v3_report(&m, 201 * S, SHUNT_IGMP_IS_EXCLUDE), 1);
  query.group = OTHER + 1; /* not ours */
  igmp_host_query(&m, &query, 300 * S);
  assert_int_equal(v3_report(&m, 301 * S, SHUNT_IGMP_IS_EXCLUDE), 0);
  assert_int_equal(m.queries, 102);
}

static void an_old_router_is_answered_in_its_version(void **state)
{
  struct igmp_host m;
  const struct shunt_igmp_query query = {.version = 2, .max_response_ms = 1000};
  uint8_t frame[IGMP_HOST_FRAME_BYTES];
  struct shunt_parsed parsed;
  uint32_t bytes, seen = 0;
  (void)state;
  set_up(&m);
  all_said(&m);
  igmp_host_query(&m, &query, 10 * S);
  while ((bytes = igmp_host_frame(&m, frame, 11 * S)) != 0) {
    assert_int_equal(shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_ALL, &parsed), SHUNT_CAUSE_NONE);
    assert_int_equal(parsed.l4_type, SHUNT_IGMP_REPORT_V2);
    seen ^= parsed.destination; /* each to its own group */
  }
  assert_int_equal(seen, GROUP ^ OTHER);
  igmp_host_leave(&m, 12 * S);
  bytes = igmp_host_frame(&m, frame, 12 * S);
  assert_int_equal(shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_ALL, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.l4_type, SHUNT_IGMP_LEAVE);
  /* It has not been heard of for 260 s: version 3 again. */
  set_up(&m);
  all_said(&m);
  igmp_host_query(&m, &query, 10 * S);
  while (igmp_host_frame(&m, frame, 11 * S))
    ;
  const struct shunt_igmp_query newer = {.version = 3, .max_response_ms = 0};
  igmp_host_query(&m, &newer, 271 * S);
  assert_int_equal(v3_report(&m, 271 * S, SHUNT_IGMP_IS_EXCLUDE), 2);
}

static void who_leaves_says_so_and_is_silent(void **state)
{
  struct igmp_host m;
  const struct shunt_igmp_query query = {.version = 3, .max_response_ms = 100};
  (void)state;
  set_up(&m);
  all_said(&m);
  igmp_host_leave(&m, 10 * S);
  assert_int_equal(v3_report(&m, 10 * S, SHUNT_IGMP_TO_INCLUDE), 2);
  all_said(&m);
  igmp_host_query(&m, &query, 20 * S);
  assert_int_equal(m.due_ns, IGMP_HOST_NEVER_NS);
}

static void groups_have_rules(void **state)
{
  struct igmp_host m;
  (void)state;
  igmp_host_init(&m, mac, OURS, 1);
  assert_int_equal(igmp_host_join(&m, OURS, 0), -EINVAL);
  assert_int_equal(igmp_host_join(&m, SHUNT_IGMP_ALL_SYSTEMS, 0), -EINVAL);
  for (unsigned i = 0; i < IGMP_HOST_GROUPS; i++)
    assert_int_equal(igmp_host_join(&m, GROUP + i, 0), 0);
  assert_int_equal(igmp_host_join(&m, GROUP + IGMP_HOST_GROUPS, 0), -ENOSPC);
  assert_int_equal(v3_report(&m, 0, SHUNT_IGMP_TO_EXCLUDE), IGMP_HOST_GROUPS); /* all fit */
}

static void the_kernel_may_report(void **state)
{
  (void)state;
  struct igmp_host m;
  uint8_t frame[IGMP_HOST_FRAME_BYTES];
  const struct shunt_igmp_query query = {.version = 3, .max_response_ms = 100};
  set_up(&m);
  igmp_host_answer_only(&m);
  assert_true(m.due_ns == IGMP_HOST_NEVER_NS);
  assert_int_equal(igmp_host_frame(&m, frame, UINT64_C(100000000000)), 0);
  igmp_host_query(&m, &query, 1000);
  assert_true(m.due_ns <= 1000 + 100 * UINT64_C(1000000));
  assert_int_equal(v3_report(&m, m.due_ns, SHUNT_IGMP_IS_EXCLUDE), 2); /* once, of both */
  assert_true(m.due_ns == IGMP_HOST_NEVER_NS);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_join_is_told_twice),
      cmocka_unit_test(a_query_is_answered_in_time),
      cmocka_unit_test(an_old_router_is_answered_in_its_version),
      cmocka_unit_test(who_leaves_says_so_and_is_silent),
      cmocka_unit_test(the_kernel_may_report),
      cmocka_unit_test(groups_have_rules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
