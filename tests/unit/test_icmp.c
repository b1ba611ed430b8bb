/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/icmp.h"

static const struct shunt_ipv4_ends ends = {
    .source_mac = {{0x02, 0, 0, 0, 0, 0x01}},
    .destination_mac = {{0x02, 0, 0, 0, 0, 0x02}},
    .source = 0xc0000201,
    .destination = 0xc0000202,
};

static void echo_is_written_and_read(void **state)
{
  uint8_t message[8 + 3] = {0, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c'};
  struct shunt_icmp icmp;
  (void)state;

  assert_int_equal(
      shunt_icmp_echo_build(message, sizeof(message), SHUNT_ICMP_ECHO_REQUEST, 0x1234, 0xfffe, 3),
      11);
  assert_int_equal(shunt_checksum(message, sizeof(message)), 0);
  assert_int_equal(shunt_icmp_read(message, sizeof(message), &icmp), 0);
  assert_int_equal(icmp.type, SHUNT_ICMP_ECHO_REQUEST);
  assert_int_equal(icmp.code, 0);
  assert_int_equal(icmp.id, 0x1234);
  assert_int_equal(icmp.sequence, 0xfffe);
  assert_false(icmp.quotes);
}

static void echo_frame_is_whole(void **state)
{
  uint8_t frame[64];
  uint8_t placed[64];
  (void)state;

  uint32_t bytes = shunt_icmp_echo_frame_build(frame, sizeof(frame), &ends, SHUNT_ICMP_ECHO_REPLY,
                                               7, 8, "payload", 7);
  assert_int_equal(bytes, 49);
  assert_int_equal(shunt_checksum(frame + 14, 20), 0);
  assert_int_equal(shunt_checksum(frame + 34, 15), 0);
  assert_int_equal(frame[14 + 9], SHUNT_IPV4_PROTOCOL_ICMP);
  assert_int_equal(shunt_load_be32(frame + 14 + 12), ends.source);
  assert_int_equal(shunt_load_be32(frame + 14 + 16), ends.destination);
  assert_int_equal(frame[34], SHUNT_ICMP_ECHO_REPLY);
  assert_memory_equal(frame + SHUNT_ICMP_PAYLOAD_START, "payload", 7);

  memcpy(placed + SHUNT_ICMP_PAYLOAD_START, "payload", 7);
  shunt_icmp_echo_frame_build(placed, sizeof(placed), &ends, SHUNT_ICMP_ECHO_REPLY, 7, 8, NULL, 7);
  assert_memory_equal(placed, frame, bytes);
}

static void what_does_not_fit_is_not_written(void **state)
{
  static uint8_t frame[70000];
  (void)state;

  assert_int_equal(shunt_icmp_echo_build(frame, 7, SHUNT_ICMP_ECHO_REQUEST, 1, 1, 0), 0);
  assert_int_equal(shunt_icmp_echo_build(frame, 9, SHUNT_ICMP_ECHO_REQUEST, 1, 1, 2), 0);
  assert_int_equal(shunt_icmp_echo_frame_build(frame, 41, &ends, 8, 1, 1, NULL, 0), 0);
  assert_int_equal(shunt_icmp_echo_frame_build(frame, 42, &ends, 8, 1, 1, "x", 1), 0);
  assert_int_equal(shunt_icmp_echo_frame_build(frame, 70000, &ends, 8, 1, 1, NULL, 65508), 0);
  assert_int_equal(frame[0] | frame[42], 0);
  assert_int_equal(shunt_icmp_echo_frame_build(frame, 42, &ends, 8, 1, 1, NULL, 0), 42);
  assert_int_equal(shunt_icmp_echo_frame_build(frame, 70000, &ends, 8, 1, 1, NULL, 65507), 65549);
}

/* An error message about the datagram that begins with quoted. */
static uint32_t make_error(uint8_t *message, uint8_t type, uint8_t code, uint32_t rest,
                           const void *quoted, uint32_t quoted_bytes)
{
  memset(message, 0, 8);
  message[0] = type;
  message[1] = code;
  shunt_store_be32(message + 4, rest);
  memcpy(message + 8, quoted, quoted_bytes);
  return 8 + quoted_bytes;
}

static void errors_quote_what_they_are_about(void **state)
{
  uint8_t frame[64];
  uint8_t message[64];
  struct shunt_icmp icmp;
  (void)state;

  shunt_icmp_echo_frame_build(frame, sizeof(frame), &ends, SHUNT_ICMP_ECHO_REQUEST, 21, 22, NULL,
                              0);
  uint32_t bytes = make_error(message, SHUNT_ICMP_DESTINATION_UNREACHABLE, SHUNT_ICMP_CODE_TOO_BIG,
                              1400, frame + 14, 28);
  assert_int_equal(shunt_icmp_read(message, bytes, &icmp), 0);
  assert_true(icmp.quotes);
  assert_int_equal(icmp.next_hop_mtu, 1400);
  assert_int_equal(icmp.quoted_protocol, SHUNT_IPV4_PROTOCOL_ICMP);
  assert_int_equal(icmp.quoted_source, ends.source);
  assert_int_equal(icmp.quoted_destination, ends.destination);
  assert_int_equal(icmp.quoted_id, 21);
  assert_int_equal(icmp.quoted_number, 22);
  assert_int_equal(icmp.gateway, 0);

  /* Ports, where the quotation is of UDP. */
  frame[14 + 9] = SHUNT_IPV4_PROTOCOL_UDP;
  shunt_store_be16(frame + 34, 1000);
  shunt_store_be16(frame + 36, 2000);
  bytes = make_error(message, SHUNT_ICMP_REDIRECT, 1, 0xc00002fe, frame + 14, 28);
  assert_int_equal(shunt_icmp_read(message, bytes, &icmp), 0);
  assert_int_equal(icmp.gateway, 0xc00002fe);
  assert_int_equal(icmp.quoted_id, 1000);
  assert_int_equal(icmp.quoted_number, 2000);
}

static void bad_quotations_are_no_quotations(void **state)
{
  uint8_t quoted[60] = {0x46};
  uint8_t message[80];
  struct shunt_icmp icmp;
  (void)state;

  for (uint32_t bytes = 0; bytes < 24; bytes++) {
    make_error(message, SHUNT_ICMP_TIME_EXCEEDED, 0, 0, quoted, bytes);
    assert_int_equal(shunt_icmp_read(message, 8 + bytes, &icmp), 0);
    assert_false(icmp.quotes);
  }
  make_error(message, SHUNT_ICMP_PARAMETER_PROBLEM, 0, 0x14000000, quoted, 24);
  assert_int_equal(shunt_icmp_read(message, 32, &icmp), 0);
  assert_true(icmp.quotes);
  assert_int_equal(icmp.parameter_pointer, 20);

  quoted[0] = 0x65;
  make_error(message, SHUNT_ICMP_TIME_EXCEEDED, 0, 0, quoted, 60);
  assert_int_equal(shunt_icmp_read(message, 68, &icmp), 0);
  assert_false(icmp.quotes);
  quoted[0] = 0x44;
  make_error(message, SHUNT_ICMP_TIME_EXCEEDED, 0, 0, quoted, 60);
  assert_int_equal(shunt_icmp_read(message, 68, &icmp), 0);
  assert_false(icmp.quotes);

  /* A later fragment has no transport header to read numbers from. */
  uint8_t fragment[28] = {0x45, [7] = 1, [9] = SHUNT_IPV4_PROTOCOL_UDP, [21] = 9, [23] = 9};
  make_error(message, SHUNT_ICMP_TIME_EXCEEDED, 1, 0, fragment, 28);
  assert_int_equal(shunt_icmp_read(message, 36, &icmp), 0);
  assert_true(icmp.quotes);
  assert_int_equal(icmp.quoted_id | icmp.quoted_number, 0);
}

static void short_messages_are_refused(void **state)
{
  static const uint8_t message[8] = {8};
  struct shunt_icmp icmp;
  (void)state;

  for (uint32_t bytes = 0; bytes < 8; bytes++)
    assert_int_equal(shunt_icmp_read(message, bytes, &icmp), -EINVAL);
  assert_int_equal(shunt_icmp_read(message, 8, &icmp), 0);
}

static void types_have_names(void **state)
{
  (void)state;

  assert_string_equal(shunt_icmp_name(0, 0), "echo reply");
  assert_string_equal(shunt_icmp_name(3, 3), "port unreachable");
  assert_string_equal(shunt_icmp_name(3, 16), "destination unreachable");
  assert_string_equal(shunt_icmp_name(11, 0), "time to live exceeded");
  assert_string_equal(shunt_icmp_name(11, 2), "time exceeded");
  for (unsigned type = 0; type < 256; type++)
    for (unsigned code = 0; code < 256; code++)
      assert_true(strlen(shunt_icmp_name((uint8_t)type, (uint8_t)code)) > 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(echo_is_written_and_read),
      cmocka_unit_test(echo_frame_is_whole),
      cmocka_unit_test(what_does_not_fit_is_not_written),
      cmocka_unit_test(errors_quote_what_they_are_about),
      cmocka_unit_test(bad_quotations_are_no_quotations),
      cmocka_unit_test(short_messages_are_refused),
      cmocka_unit_test(types_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
