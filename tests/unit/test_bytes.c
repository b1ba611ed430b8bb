/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/bytes.h"

static void loads_most_significant_first_at_any_offset(void **state)
{
  static const uint8_t bytes[] = {0xff, 0x12, 0x34, 0x56, 0x78, 0xff, 0x9a};
  (void)state;

  assert_int_equal(shunt_load_be16(bytes + 1), 0x1234);
  assert_int_equal(shunt_load_be16(bytes + 2), 0x3456);
  assert_int_equal(shunt_load_be32(bytes + 1), 0x12345678);
  assert_int_equal(shunt_load_be32(bytes + 3), 0x5678ff9a);
  assert_int_equal(shunt_load_be32(bytes), 0xff123456);
}

static void stores_only_its_own_bytes(void **state)
{
  static const uint8_t expected[] = {0, 0xab, 0xcd, 0, 0, 0x89, 0xab, 0xcd, 0xef, 0};
  uint8_t bytes[sizeof(expected)] = {0};
  (void)state;

  shunt_store_be16(bytes + 1, 0xabcd);
  shunt_store_be32(bytes + 5, 0x89abcdef);
  assert_memory_equal(bytes, expected, sizeof(expected));
}

/* A caller that can't include C finds each inline function as a symbol. */
static void inline_functions_have_symbols(void **state)
{
  uint16_t (*volatile load)(const void *) = shunt_load_be16;
  void (*volatile store)(void *, uint32_t) = shunt_store_be32;
  uint8_t bytes[4];
  (void)state;

  store(bytes, 0x01020304);
  assert_int_equal(load(bytes + 1), 0x0203);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_most_significant_first_at_any_offset),
      cmocka_unit_test(stores_only_its_own_bytes),
      cmocka_unit_test(inline_functions_have_symbols),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
