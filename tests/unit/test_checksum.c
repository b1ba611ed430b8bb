/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"

/* As RFC 1071 4.1 has it, one word after the other: what the fast sum is compared with. */
static uint16_t naive_checksum(const uint8_t *data, size_t bytes)
{
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes; i++) {
    sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return (uint16_t)~sum;
}

/* xorshift64: the same bytes in every run. */
static uint64_t next_random(uint64_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static void fill_random(uint8_t *data, size_t bytes, uint64_t seed)
{
  for (size_t i = 0; i < bytes; i++)
    data[i] = (uint8_t)next_random(&seed);
}

static void known_sums(void **state)
{
  static const uint8_t rfc1071[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  static const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                   0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
  (void)state;

  assert_int_equal(shunt_checksum_add(0, rfc1071, sizeof(rfc1071)), 0xddf2);
  assert_int_equal(shunt_checksum(rfc1071, sizeof(rfc1071)), 0x220d);
  assert_int_equal(shunt_checksum(header, sizeof(header)), 0);
  assert_int_equal(shunt_checksum(NULL, 0), 0xffff);
  assert_int_equal(shunt_checksum("\x80", 1), 0x7fff);
}

static void equals_the_naive_sum_for_every_length_and_alignment(void **state)
{
  uint8_t data[300 + 8];
  (void)state;

  for (size_t bytes = 0; bytes <= 300; bytes++) {
    fill_random(data, sizeof(data), bytes + 1);
    for (size_t start = 0; start < 8; start++)
      assert_int_equal(shunt_checksum(data + start, bytes), naive_checksum(data + start, bytes));
  }
}

static void carries_survive_the_largest_sums(void **state)
{
  static uint8_t data[65535];
  (void)state;

  memset(data, 0xff, sizeof(data));
  for (size_t bytes = 65500; bytes <= sizeof(data); bytes++)
    assert_int_equal(shunt_checksum(data, bytes), naive_checksum(data, bytes));
}

static void pieces_add_up_to_the_whole(void **state)
{
  uint8_t data[512];
  (void)state;

  fill_random(data, sizeof(data), 7);
  uint16_t whole = shunt_checksum(data, sizeof(data));
  for (size_t cut = 0; cut <= sizeof(data); cut += 2) {
    uint32_t sum = shunt_checksum_add(0, data + cut, sizeof(data) - cut);
    assert_int_equal(shunt_checksum_finish(shunt_checksum_add(sum, data, cut)), whole);
  }
}

static void pseudo_header_is_that_of_the_rfc(void **state)
{
  uint8_t header[12];
  (void)state;

  shunt_store_be32(header, 0xc0a8fffe);
  shunt_store_be32(header + 4, 0xfffefffd);
  header[8] = 0;
  header[9] = 17;
  shunt_store_be16(header + 10, 0xfff0);
  uint32_t sum = shunt_checksum_pseudo(0xc0a8fffe, 0xfffefffd, 17, 0xfff0);
  assert_int_equal(shunt_checksum_finish(sum), naive_checksum(header, sizeof(header)));
}

/* RFC 1624 4: here its predecessor's equation 2 yields 0xffff. */
static void increment_of_the_rfc_example(void **state)
{
  (void)state;

  assert_int_equal(shunt_checksum_update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

static void increment_equals_the_full_sum(void **state)
{
  uint64_t seed = 42;
  uint8_t data[40];
  (void)state;

  for (unsigned round = 0; round < 200000; round++) {
    for (size_t i = 0; i < sizeof(data); i += 8) {
      uint64_t word = next_random(&seed);
      memcpy(data + i, &word, 8);
    }
    data[0] |= 1; /* never all zero */
    uint16_t checksum = shunt_checksum(data, sizeof(data));
    uint16_t before = shunt_load_be16(data + 10);
    uint16_t after = (uint16_t)(round < 65536 ? round : next_random(&seed));
    shunt_store_be16(data + 10, after);
    assert_int_equal(shunt_checksum_update(checksum, before, after),
                     shunt_checksum(data, sizeof(data)));
  }
}

static void increment_works_in_either_byte_order(void **state)
{
  uint64_t seed = 3;
  (void)state;

  for (unsigned round = 0; round < 10000; round++) {
    uint64_t random = next_random(&seed);
    uint16_t a = (uint16_t)random;
    uint16_t b = (uint16_t)(random >> 16);
    uint16_t c = (uint16_t)(random >> 32);
    uint16_t swapped =
        shunt_checksum_update(__builtin_bswap16(a), __builtin_bswap16(b), __builtin_bswap16(c));
    assert_int_equal(__builtin_bswap16(swapped), shunt_checksum_update(a, b, c));
  }
}

static void increment_of_an_address_equals_the_full_sum(void **state)
{
  uint8_t data[20];
  (void)state;

  for (uint64_t seed = 1; seed < 5000; seed++) {
    fill_random(data, sizeof(data), seed);
    data[0] |= 1;
    uint16_t checksum = shunt_checksum(data, sizeof(data));
    uint32_t before = shunt_load_be32(data + 12);
    shunt_store_be32(data + 12, (uint32_t)(seed * 0x9e3779b9));
    assert_int_equal(shunt_checksum_update32(checksum, before, shunt_load_be32(data + 12)),
                     shunt_checksum(data, sizeof(data)));
  }
}

/* The one case that an increment can't get right by itself. */
static void zero_has_two_signs(void **state)
{
  uint8_t echo[16] = {8};
  static const uint8_t cancels[] = {0x12, 0x34, 0xed, 0xcb};
  (void)state;

  uint16_t request = shunt_checksum(echo, sizeof(echo));
  echo[0] = 0;
  assert_int_equal(shunt_checksum_update(request, 0x0800, 0), 0);
  assert_int_equal(shunt_checksum(echo, sizeof(echo)), 0xffff);
  assert_int_equal(shunt_checksum_of_zero(echo, sizeof(echo)), 0xffff);

  assert_int_equal(shunt_checksum(cancels, sizeof(cancels)), 0);
  assert_int_equal(shunt_checksum_of_zero(cancels, sizeof(cancels)), 0);
  echo[15] = 1;
  assert_int_equal(shunt_checksum_of_zero(echo, sizeof(echo)), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_sums),
      cmocka_unit_test(equals_the_naive_sum_for_every_length_and_alignment),
      cmocka_unit_test(carries_survive_the_largest_sums),
      cmocka_unit_test(pieces_add_up_to_the_whole),
      cmocka_unit_test(pseudo_header_is_that_of_the_rfc),
      cmocka_unit_test(increment_of_the_rfc_example),
      cmocka_unit_test(increment_equals_the_full_sum),
      cmocka_unit_test(increment_works_in_either_byte_order),
      cmocka_unit_test(increment_of_an_address_equals_the_full_sum),
      cmocka_unit_test(zero_has_two_signs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
