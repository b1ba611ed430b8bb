/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/igmp.h"

#define GROUP   0xe9010203u /* 233.1.2.3 */
#define SOURCE  0xc0000201u
#define MESSAGE (14 + 24) /* where it begins: behind a header with router alert */

static const struct shunt_mac ours = {{0x02, 0, 0, 0, 0, 0x01}};

/* What every IGMP frame has to have: a multicast MAC address that fits, time to live 1, router
 * alert, sound checksums. */
static void assert_sound(const uint8_t *frame, uint32_t bytes, uint32_t destination)
{
  static const uint8_t router_alert[] = {148, 4, 0, 0};
  struct shunt_parsed parsed;
  struct shunt_mac mac = shunt_ipv4_multicast_mac(destination);

  assert_int_equal(shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_ALL, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.protocol, SHUNT_IPV4_PROTOCOL_IGMP);
  assert_int_equal(parsed.l4_offset, MESSAGE);
  assert_int_equal(parsed.source, SOURCE);
  assert_int_equal(parsed.destination, destination);
  assert_memory_equal(frame, mac.bytes, 6);
  assert_memory_equal(frame + 6, ours.bytes, 6);
  assert_int_equal(frame[14 + 8], 1);
  assert_memory_equal(frame + 34, router_alert, 4);
}

static void join_of_version_2(void **state)
{
  uint8_t frame[64];
  (void)state;

  uint32_t bytes = shunt_igmp_v2_join_build(frame, sizeof(frame), ours, SOURCE, GROUP);
  assert_int_equal(bytes, MESSAGE + 8);
  assert_sound(frame, bytes, GROUP);
  assert_int_equal(frame[MESSAGE], SHUNT_IGMP_REPORT_V2);
  assert_int_equal(frame[MESSAGE + 1], 0);
  assert_int_equal(shunt_load_be32(frame + MESSAGE + 4), GROUP);
}

static void leave_of_version_2(void **state)
{
  uint8_t frame[64];
  (void)state;

  uint32_t bytes = shunt_igmp_v2_leave_build(frame, sizeof(frame), ours, SOURCE, GROUP);
  assert_int_equal(bytes, MESSAGE + 8);
  assert_sound(frame, bytes, SHUNT_IGMP_ALL_ROUTERS);
  assert_int_equal(frame[MESSAGE], SHUNT_IGMP_LEAVE);
  assert_int_equal(shunt_load_be32(frame + MESSAGE + 4), GROUP);
}

static void report_of_version_3(void **state)
{
  static const uint32_t sources[] = {0xc0000205, 0xc0000206};
  static const struct shunt_igmp_record records[] = {
      {.type = SHUNT_IGMP_TO_EXCLUDE, .group = GROUP},
      {.type = SHUNT_IGMP_ALLOW, .group = GROUP + 1, .source_count = 2, .sources = sources},
  };
  static const uint8_t expected[] = {
      4, 0, 0, 0, 233, 1, 2, 3,                             /* join */
      5, 0, 0, 2, 233, 1, 2, 4, 192, 0, 2, 5, 192, 0, 2, 6, /* two sources */
  };
  uint8_t frame[128];
  (void)state;

  uint32_t bytes = shunt_igmp_v3_report_build(frame, sizeof(frame), ours, SOURCE, records, 2);
  assert_int_equal(bytes, MESSAGE + 8 + sizeof(expected));
  assert_sound(frame, bytes, SHUNT_IGMP_ALL_V3_ROUTERS);
  assert_int_equal(frame[14 + 1], 0xc0);
  assert_int_equal(frame[MESSAGE], SHUNT_IGMP_REPORT_V3);
  assert_int_equal(shunt_load_be16(frame + MESSAGE + 6), 2);
  assert_memory_equal(frame + MESSAGE + 8, expected, sizeof(expected));
}

static void groups_that_are_never_reported(void **state)
{
  static const uint32_t groups[] = {SHUNT_IGMP_ALL_SYSTEMS, 0, SOURCE, 0xffffffff};
  uint8_t frame[64];
  (void)state;

  for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
    struct shunt_igmp_record record = {.type = SHUNT_IGMP_TO_EXCLUDE, .group = groups[i]};
    assert_int_equal(shunt_igmp_v2_join_build(frame, 64, ours, SOURCE, groups[i]), 0);
    assert_int_equal(shunt_igmp_v2_leave_build(frame, 64, ours, SOURCE, groups[i]), 0);
    assert_int_equal(shunt_igmp_v3_report_build(frame, 64, ours, SOURCE, &record, 1), 0);
  }
}

static void reports_that_cannot_be(void **state)
{
  static uint32_t sources[16368];
  static uint8_t frame[70000];
  struct shunt_igmp_record record = {.type = SHUNT_IGMP_TO_EXCLUDE, .group = GROUP};
  (void)state;

  assert_int_equal(shunt_igmp_v3_report_build(frame, 70000, ours, SOURCE, &record, 0), 0);
  assert_int_equal(shunt_igmp_v3_report_build(frame, MESSAGE + 15, ours, SOURCE, &record, 1), 0);
  assert_int_equal(shunt_igmp_v2_join_build(frame, MESSAGE + 7, ours, SOURCE, GROUP), 0);
  assert_int_equal(shunt_igmp_v2_join_build(frame, 20, ours, SOURCE, GROUP), 0);
  record.type = (enum shunt_igmp_record_type)7;
  assert_int_equal(shunt_igmp_v3_report_build(frame, 70000, ours, SOURCE, &record, 1), 0);
  record.type = (enum shunt_igmp_record_type)0;
  assert_int_equal(shunt_igmp_v3_report_build(frame, 70000, ours, SOURCE, &record, 1), 0);

  /* 24 bytes of IPv4, 16 of IGMP, and sources up to 65,535 bytes; not one more. */
  record = (struct shunt_igmp_record){
      .type = SHUNT_IGMP_IS_INCLUDE, .group = GROUP, .source_count = 16374, .sources = sources};
  record.source_count = UINT32_MAX;
  assert_int_equal(shunt_igmp_v3_report_build(frame, 70000, ours, SOURCE, &record, 1), 0);
  record.source_count = 16374;
  assert_int_equal(shunt_igmp_v3_report_build(frame, 70000, ours, SOURCE, &record, 1), 0);
  assert_int_equal(frame[0] | frame[MESSAGE], 0);
  record.source_count = 16368;
  assert_int_equal(shunt_igmp_v3_report_build(frame, 70000, ours, SOURCE, &record, 1),
                   MESSAGE + 16 + 4 * 16368);
}

static void queries_of_each_version(void **state)
{
  uint8_t message[20] = {SHUNT_IGMP_QUERY, 0, 0, 0, 233, 1, 2, 3, 0x0a, 125, 0, 2};
  struct shunt_igmp_query query;
  (void)state;

  assert_int_equal(shunt_igmp_query_read(message, 8, &query), SHUNT_CAUSE_NONE);
  assert_int_equal(query.version, 1);
  assert_int_equal(query.group, GROUP);
  assert_int_equal(query.max_response_ms, 10000);

  message[1] = 25;
  assert_int_equal(shunt_igmp_query_read(message, 8, &query), SHUNT_CAUSE_NONE);
  assert_int_equal(query.version, 2);
  assert_int_equal(query.max_response_ms, 2500);
  assert_null(query.sources);

  shunt_store_be32(message + 12, 0xc0000205);
  shunt_store_be32(message + 16, 0xc0000206);
  assert_int_equal(shunt_igmp_query_read(message, 20, &query), SHUNT_CAUSE_NONE);
  assert_int_equal(query.version, 3);
  assert_true(query.suppress);
  assert_int_equal(query.robustness, 2);
  assert_int_equal(query.interval_s, 125);
  assert_int_equal(query.source_count, 2);
  assert_int_equal(shunt_load_be32(query.sources + 4), 0xc0000206);
}

/* RFC 3376 4.1.1: (mantissa | 0x10) << (exponent + 3). */
static void large_times_are_floating_point(void **state)
{
  static const struct {
    uint8_t code;
    uint32_t value;
  } cases[] = {{0, 0}, {127, 127}, {128, 128}, {0x8f, 248}, {0x90, 256}, {0xff, 31744}};
  uint8_t message[12] = {SHUNT_IGMP_QUERY};
  struct shunt_igmp_query query;
  (void)state;

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    message[1] = cases[i].code;
    message[9] = cases[i].code;
    assert_int_equal(shunt_igmp_query_read(message, 12, &query), SHUNT_CAUSE_NONE);
    assert_int_equal(query.max_response_ms, cases[i].value * 100);
    assert_int_equal(query.interval_s, cases[i].value);
  }
}

static void bad_queries_are_refused(void **state)
{
  uint8_t message[16] = {SHUNT_IGMP_QUERY};
  struct shunt_igmp_query query = {.version = 99};
  (void)state;

  for (uint32_t bytes = 0; bytes < 8; bytes++)
    assert_int_equal(shunt_igmp_query_read(message, bytes, &query), SHUNT_CAUSE_IGMP_TRUNCATED);
  for (uint32_t bytes = 9; bytes < 12; bytes++)
    assert_int_equal(shunt_igmp_query_read(message, bytes, &query), SHUNT_CAUSE_IGMP_BAD_LENGTH);
  message[11] = 2;
  assert_int_equal(shunt_igmp_query_read(message, 16, &query), SHUNT_CAUSE_IGMP_BAD_LENGTH);
  message[0] = SHUNT_IGMP_REPORT_V2;
  assert_int_equal(shunt_igmp_query_read(message, 8, &query), SHUNT_CAUSE_IGMP_NOT_A_QUERY);
  assert_int_equal(query.version, 99);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(join_of_version_2),
      cmocka_unit_test(leave_of_version_2),
      cmocka_unit_test(report_of_version_3),
      cmocka_unit_test(groups_that_are_never_reported),
      cmocka_unit_test(reports_that_cannot_be),
      cmocka_unit_test(queries_of_each_version),
      cmocka_unit_test(large_times_are_floating_point),
      cmocka_unit_test(bad_queries_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
