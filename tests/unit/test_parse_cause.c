/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/parse.h"

/* Lower case, digits and single hyphens: good as part of a metric's name. */
static void assert_is_counter_name(const char *name)
{
  assert_true(name[0] >= 'a' && name[0] <= 'z');
  assert_null(strstr(name, "--"));
  assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
}

static void every_cause_has_words_of_its_own(void **state)
{
  (void)state;

  for (int i = 0; i < SHUNT_CAUSE_COUNT; i++) {
    const char *name = shunt_parse_cause_name((enum shunt_parse_cause)i);
    const char *text = shunt_parse_cause_text((enum shunt_parse_cause)i);
    assert_non_null(name);
    assert_non_null(text);
    assert_is_counter_name(name);
    assert_int_equal(text[strlen(text) - 1], '.');
    for (int j = 0; j < i; j++) {
      assert_string_not_equal(name, shunt_parse_cause_name((enum shunt_parse_cause)j));
      assert_string_not_equal(text, shunt_parse_cause_text((enum shunt_parse_cause)j));
    }
  }
}

static void names_are_stable(void **state)
{
  (void)state;

  assert_string_equal(shunt_parse_cause_name(SHUNT_CAUSE_NONE), "none");
  assert_string_equal(shunt_parse_cause_name(SHUNT_CAUSE_IPV4_BAD_CHECKSUM), "ipv4-bad-checksum");
  assert_string_equal(shunt_parse_cause_name(SHUNT_CAUSE_ETHERNET_NOT_FOR_US),
                      "ethernet-not-for-us");
  assert_string_equal(shunt_parse_cause_name(SHUNT_CAUSE_UDP_WOULD_LOOP), "udp-would-loop");
}

static void what_is_no_cause_is_unknown(void **state)
{
  (void)state;

  assert_string_equal(shunt_parse_cause_name(SHUNT_CAUSE_COUNT), "unknown");
  assert_string_equal(shunt_parse_cause_name((enum shunt_parse_cause)0x7fffffff), "unknown");
  assert_non_null(shunt_parse_cause_text((enum shunt_parse_cause)0x7fffffff));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_cause_has_words_of_its_own),
      cmocka_unit_test(names_are_stable),
      cmocka_unit_test(what_is_no_cause_is_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
