/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/checksum.h"
#include "shunt/ipv4.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void text_goes_there_and_back(void **state)
{
  static const struct {
    const char *text;
    uint32_t address;
  } cases[] = {
      {"0.0.0.0", 0},
      {"192.0.2.1", 0xc0000201},
      {"255.255.255.255", 0xffffffff},
      {"10.200.99.100", 0x0ac86364},
  };
  char text[SHUNT_IPV4_TEXT_BYTES];
  (void)state;

  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    uint32_t address = 1;
    assert_int_equal(shunt_ipv4_parse(cases[i].text, &address), 0);
    assert_int_equal(address, cases[i].address);
    assert_string_equal(shunt_ipv4_format(address, text), cases[i].text);
  }
}

static void text_is_strict(void **state)
{
  static const char *const wrong[] = {
      "",          "1",          "1.2.3",    "1.2.3.",    "1.2.3.4.",
      "1.2.3.256", "1.2.3.4 ",   " 1.2.3.4", "01.2.3.4",  "1.2.3.04",
      "1..3.4",    "1.2.3.4/24", "1.2.3.-4", "0x1.2.3.4", "1.2.3.4294967297",
      "a.b.c.d",   "1.2.3.4.5",  "+1.2.3.4",
  };
  (void)state;

  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    uint32_t address = 77;
    assert_int_equal(shunt_ipv4_parse(wrong[i], &address), -EINVAL);
    assert_int_equal(address, 77);
  }
}

static void prefix_text(void **state)
{
  static const char *const wrong[] = {"192.0.2.1/",   "192.0.2.1/33",  "192.0.2.1/024",
                                      "192.0.2.1/-1", "192.0.2.1/24 ", "192.0.2/24"};
  uint32_t address = 0;
  uint8_t bits = 0;
  (void)state;

  assert_int_equal(shunt_ipv4_prefix_parse("192.0.2.1/24", &address, &bits), 0);
  assert_int_equal(address, 0xc0000201);
  assert_int_equal(bits, 24);
  assert_int_equal(shunt_ipv4_prefix_parse("192.0.2.2", &address, &bits), 0);
  assert_int_equal(address, 0xc0000202);
  assert_int_equal(bits, 32);
  assert_int_equal(shunt_ipv4_prefix_parse("0.0.0.0/0", &address, &bits), 0);
  assert_int_equal(bits, 0);
  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    bits = 99;
    assert_int_equal(shunt_ipv4_prefix_parse(wrong[i], &address, &bits), -EINVAL);
    assert_int_equal(bits, 99);
  }
}

static void kinds_of_address(void **state)
{
  (void)state;

  assert_false(shunt_ipv4_is_multicast(0xdfffffff));
  assert_true(shunt_ipv4_is_multicast(0xe0000000));
  assert_true(shunt_ipv4_is_multicast(0xefffffff));
  assert_false(shunt_ipv4_is_multicast(0xf0000000));
  assert_true(shunt_ipv4_is_loopback(0x7f123456));
  assert_false(shunt_ipv4_is_loopback(0x80000000));
  assert_true(shunt_ipv4_is_this_network(0x00ffffff));
  assert_false(shunt_ipv4_is_this_network(0x01000000));
}

static void broadcasts(void **state)
{
  (void)state;

  assert_true(shunt_ipv4_is_broadcast(0xffffffff, 0xc0000201, 0));
  assert_true(shunt_ipv4_is_broadcast(0xc00002ff, 0xc0000201, 24));
  assert_false(shunt_ipv4_is_broadcast(0xc00002ff, 0xc0000201, 0));
  assert_false(shunt_ipv4_is_broadcast(0xc00002ff, 0xc0000201, 25));
  assert_false(shunt_ipv4_is_broadcast(0xc00003ff, 0xc0000201, 24));
  assert_true(shunt_ipv4_is_broadcast(0xc0000203, 0xc0000201, 30));
  assert_false(shunt_ipv4_is_broadcast(0xc0000201, 0xc0000200, 31));
  assert_false(shunt_ipv4_is_broadcast(0xc0000201, 0xc0000201, 32));
}

static void multicast_maps_to_the_low_23_bits(void **state)
{
  static const struct shunt_mac all = {{0x01, 0x00, 0x5e, 0x7f, 0xff, 0xff}};
  static const struct shunt_mac one = {{0x01, 0x00, 0x5e, 0x00, 0x00, 0x01}};
  (void)state;

  assert_true(shunt_mac_equal(shunt_ipv4_multicast_mac(0xefffffff), all));
  assert_true(shunt_mac_equal(shunt_ipv4_multicast_mac(0xe07fffff), all));
  assert_true(shunt_mac_equal(shunt_ipv4_multicast_mac(0xe0000001), one));
  assert_true(shunt_mac_equal(shunt_ipv4_multicast_mac(0xe0800001), one));
}

static void header_without_options(void **state)
{
  static const uint8_t expected[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                     0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
  struct shunt_ipv4_fields fields = {
      .source = 0xc0a80001,
      .destination = 0xc0a800c7,
      .payload_bytes = 95,
      .fragment = SHUNT_IPV4_DONT_FRAGMENT,
      .time_to_live = 64,
      .protocol = SHUNT_IPV4_PROTOCOL_UDP,
  };
  uint8_t header[20];
  (void)state;

  assert_int_equal(shunt_ipv4_build(header, sizeof(header), &fields), 20);
  assert_memory_equal(header, expected, sizeof(expected));
}

static void options_are_padded_to_words(void **state)
{
  static const uint8_t options[] = {
      SHUNT_IPV4_OPTION_NOP, SHUNT_IPV4_OPTION_RECORD_ROUTE, 7, 4, 0xaa, 0xaa, 0xaa, 0xaa,
      SHUNT_IPV4_OPTION_NOP};
  struct shunt_ipv4_fields fields = {
      .options = options, .option_bytes = sizeof(options), .time_to_live = 1};
  uint8_t header[32];
  (void)state;

  memset(header, 0xee, sizeof(header));
  assert_int_equal(shunt_ipv4_build(header, sizeof(header), &fields), 32);
  assert_int_equal(header[0], 0x48);
  assert_memory_equal(header + 20, options, sizeof(options));
  assert_int_equal(header[29] | header[30] | header[31], SHUNT_IPV4_OPTION_END);
  assert_int_equal(shunt_checksum(header, sizeof(header)), 0);
}

static void header_that_cannot_be_is_not_written(void **state)
{
  static const uint8_t options[44] = {0};
  static const uint8_t zeros[64];
  struct shunt_ipv4_fields fields = {.options = options, .option_bytes = 41};
  uint8_t header[64] = {0};
  (void)state;

  assert_int_equal(shunt_ipv4_build(header, sizeof(header), &fields), 0);
  fields.option_bytes = 1;
  assert_int_equal(shunt_ipv4_build(header, 23, &fields), 0);
  fields.option_bytes = 0;
  assert_int_equal(shunt_ipv4_build(header, 19, &fields), 0);
  fields.payload_bytes = 65516;
  assert_int_equal(shunt_ipv4_build(header, sizeof(header), &fields), 0);
  fields.payload_bytes = UINT32_MAX;
  assert_int_equal(shunt_ipv4_build(header, sizeof(header), &fields), 0);
  assert_memory_equal(header, zeros, sizeof(zeros));
  fields.payload_bytes = 65515;
  assert_int_equal(shunt_ipv4_build(header, sizeof(header), &fields), 20);
  fields.option_bytes = 40;
  fields.payload_bytes = 65475;
  assert_int_equal(shunt_ipv4_build(header, sizeof(header), &fields), 60);
}

static void options_are_walked_to_their_end(void **state)
{
  static const uint8_t options[] = {1, 148, 4, 0, 0, 1, 0, 7, 99};
  struct shunt_ipv4_option option;
  uint32_t at = 0;
  (void)state;

  assert_int_equal(shunt_ipv4_option_next(options, sizeof(options), &at, &option), 1);
  assert_int_equal(option.type, SHUNT_IPV4_OPTION_NOP);
  assert_int_equal(option.bytes, 1);
  assert_int_equal(shunt_ipv4_option_next(options, sizeof(options), &at, &option), 1);
  assert_int_equal(option.type, SHUNT_IPV4_OPTION_ROUTER_ALERT);
  assert_int_equal(option.start, 1);
  assert_int_equal(option.bytes, 4);
  assert_int_equal(shunt_ipv4_option_next(options, sizeof(options), &at, &option), 1);
  assert_int_equal(shunt_ipv4_option_next(options, sizeof(options), &at, &option), 0);
  assert_int_equal(shunt_ipv4_option_next(options, sizeof(options), &at, &option), 0);
  at = 0;
  assert_int_equal(shunt_ipv4_option_next(options, 0, &at, &option), 0);
}

static void malformed_options_are_refused(void **state)
{
  static const uint8_t no_length[] = {7};
  static const uint8_t length_zero[] = {7, 0, 0, 0};
  static const uint8_t length_one[] = {7, 1, 0, 0};
  static const uint8_t beyond[] = {7, 5, 0, 0};
  struct shunt_ipv4_option option;
  uint32_t at = 0;
  (void)state;

  assert_int_equal(shunt_ipv4_option_next(no_length, 1, &at, &option), -EINVAL);
  assert_int_equal(shunt_ipv4_option_next(length_zero, 4, &at, &option), -EINVAL);
  assert_int_equal(shunt_ipv4_option_next(length_one, 4, &at, &option), -EINVAL);
  assert_int_equal(shunt_ipv4_option_next(beyond, 4, &at, &option), -EINVAL);
  assert_int_equal(at, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_goes_there_and_back),
      cmocka_unit_test(text_is_strict),
      cmocka_unit_test(prefix_text),
      cmocka_unit_test(kinds_of_address),
      cmocka_unit_test(broadcasts),
      cmocka_unit_test(multicast_maps_to_the_low_23_bits),
      cmocka_unit_test(header_without_options),
      cmocka_unit_test(options_are_padded_to_words),
      cmocka_unit_test(header_that_cannot_be_is_not_written),
      cmocka_unit_test(options_are_walked_to_their_end),
      cmocka_unit_test(malformed_options_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
