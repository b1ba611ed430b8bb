/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "src/core/params.h"

static void entries_are_split(void **state)
{
  (void)state;
  struct params params;
  assert_int_equal(params_parse(&params, "queue=0&mode=drv&path=/a=b&empty=", NULL), 0);
  assert_int_equal(params.count, 4);
  assert_string_equal(params_take(&params, "mode"), "drv");
  assert_string_equal(params_take(&params, "path"), "/a=b");
  assert_string_equal(params_take(&params, "empty"), "");
  assert_null(params_take(&params, "absent"));
  assert_null(params_take(&params, "mod"));
}

static void nothing_gives_nothing(void **state)
{
  (void)state;
  struct params params;
  assert_int_equal(params_parse(&params, NULL, NULL), 0);
  assert_int_equal(params.count, 0);
  assert_int_equal(params_parse(&params, "", NULL), 0);
  assert_int_equal(params.count, 0);
  assert_int_equal(params_finish(&params, "none", NULL), 0);
}

static void malformed_text_is_refused(void **state)
{
  (void)state;
  static const char *const texts[] = {"a",        "=1",    "a=1&",   "&a=1",
                                      "a=1&&b=2", "a=1&b", "a=1&=2", "a=1&b=2&a=3"};
  for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct params params;
    struct shunt_error error = {0};
    assert_int_equal(params_parse(&params, texts[i], &error), -EINVAL);
    assert_int_equal(error.code, -EINVAL);
    assert_true(error.what[0] != '\0');
  }
}

static void the_limits_are_exact(void **state)
{
  (void)state;
  struct params params;
  char text[2 * PARAMS_TEXT_BYTES];
  size_t used = 0;
  for (unsigned i = 0; i < PARAMS_MOST; i++)
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%sk%u=1", i ? "&" : "", i);
  assert_int_equal(params_parse(&params, text, NULL), 0);
  assert_int_equal(params.count, PARAMS_MOST);
  snprintf(text + used, sizeof(text) - used, "&more=1");
  assert_int_equal(params_parse(&params, text, NULL), -EINVAL);

  memset(text, 'v', sizeof(text));
  memcpy(text, "k=", 2);
  text[PARAMS_TEXT_BYTES - 1] = '\0';
  assert_int_equal(params_parse(&params, text, NULL), 0);
  assert_int_equal(strlen(params_take(&params, "k")), PARAMS_TEXT_BYTES - 3);
  text[PARAMS_TEXT_BYTES - 1] = 'v';
  text[PARAMS_TEXT_BYTES] = '\0';
  assert_int_equal(params_parse(&params, text, NULL), -EINVAL);
}

static void numbers_are_checked(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int code;
    uint64_t value;
  } cases[] = {
      {"n=0", 0, 0},         {"n=64", 0, 64},
      {"n=0x40", 0, 64},     {"n=010", 0, 10},
      {"n=65", -EINVAL, 7},  {"n=", -EINVAL, 7},
      {"n=-1", -EINVAL, 7},  {"n=+1", -EINVAL, 7},
      {"n= 1", -EINVAL, 7},  {"n=1 ", -EINVAL, 7},
      {"n=0x", -EINVAL, 7},  {"n=1k", -EINVAL, 7},
      {"n=0xg", -EINVAL, 7}, {"n=1.0", -EINVAL, 7},
      {"m=1", 0, 7},         {"n=18446744073709551616", -EINVAL, 7},
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct params params;
    struct shunt_error error = {0};
    uint64_t value = 7;
    assert_int_equal(params_parse(&params, cases[i].text, NULL), 0);
    assert_int_equal(params_take_u64(&params, "n", 0, 64, &value, &error), cases[i].code);
    assert_int_equal(value, cases[i].value);
    if (cases[i].code < 0)
      assert_non_null(strstr(error.why, "from 0 to 64"));
  }
  struct params params;
  uint64_t value = 0;
  assert_int_equal(params_parse(&params, "n=18446744073709551615", NULL), 0);
  assert_int_equal(params_take_u64(&params, "n", 1, UINT64_MAX, &value, NULL), 0);
  assert_true(value == UINT64_MAX);
  assert_int_equal(params_parse(&params, "n=0", NULL), 0);
  assert_int_equal(params_take_u64(&params, "n", 1, UINT64_MAX, &value, NULL), -EINVAL);
}

static void truth_has_many_words(void **state)
{
  (void)state;
  struct params params;
  struct shunt_error error;
  bool value = false;
  assert_int_equal(params_parse(&params, "a=yes&b=off&c=1&d=false&e=True&f=", NULL), 0);
  assert_true(params_given(&params, "a") && !params_given(&params, "z"));
  assert_int_equal(params_take_bool(&params, "a", &value, NULL), 0);
  assert_true(value);
  assert_int_equal(params_take_bool(&params, "b", &value, NULL), 0);
  assert_false(value);
  assert_int_equal(params_take_bool(&params, "c", &value, NULL), 0);
  assert_true(value);
  assert_int_equal(params_take_bool(&params, "d", &value, NULL), 0);
  assert_false(value);
  assert_int_equal(params_take_bool(&params, "e", &value, &error), -EINVAL);
  assert_int_equal(params_take_bool(&params, "f", &value, NULL), -EINVAL);
  assert_int_equal(params_take_bool(&params, "absent", &value, NULL), 0);
  assert_false(value);
  assert_string_equal(error.what, "e=True is refused");
}

static void real_numbers_are_checked(void **state)
{
  (void)state;
  static const char *const refused[] = {
      "p=1.01", "p=-0.1", "p=nan", "p=inf", "p=", "p=0x1", "p=1%", "p=.", "p=1e999", "p=0,5"};
  struct params params;
  double value = 0.25;
  for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
    assert_int_equal(params_parse(&params, refused[i], NULL), 0);
    assert_int_equal(params_take_double(&params, "p", 0, 1, &value, NULL), -EINVAL);
    assert_true(value == 0.25);
  }
  assert_int_equal(params_parse(&params, "p=1e-3&q=1", NULL), 0);
  assert_int_equal(params_take_double(&params, "p", 0, 1, &value, NULL), 0);
  assert_true(value == 1e-3);
  assert_int_equal(params_take_double(&params, "q", 0, 1, &value, NULL), 0);
  assert_true(value == 1);
}

static void a_choice_names_the_others(void **state)
{
  (void)state;
  static const char *const names[] = {"shared", "trap", NULL};
  struct params params;
  struct shunt_error error;
  unsigned index = 9;
  assert_int_equal(params_parse(&params, "mode=trap&other=tra", NULL), 0);
  assert_int_equal(params_take_choice(&params, "mode", names, &index, &error), 0);
  assert_int_equal(index, 1);
  assert_int_equal(params_take_choice(&params, "other", names, &index, &error), -EINVAL);
  assert_string_equal(error.why, "other is one of: shared, trap");
  assert_int_equal(params_take_choice(&params, "absent", names, &index, &error), 0);
  assert_int_equal(index, 1);
}

static void what_is_left_goes_to_the_next_layer(void **state)
{
  (void)state;
  struct params params;
  char text[16];
  assert_int_equal(params_parse(&params, "a=1&b=&c=x=y", NULL), 0);
  params_take(&params, "a");
  assert_int_equal(params_rest(&params, text, 0), -ENOSPC);
  assert_int_equal(params_rest(&params, text, 8), -ENOSPC);
  assert_int_equal(params_rest(&params, text, 9), 0);
  assert_string_equal(text, "b=&c=x=y");
  assert_int_equal(params_finish(&params, "a", NULL), 0);
  assert_int_equal(params_rest(&params, text, 1), 0);
  assert_string_equal(text, "");
}

static void an_unknown_key_is_named(void **state)
{
  (void)state;
  struct params params;
  struct shunt_error error;
  assert_int_equal(params_parse(&params, "queues=1&queuse=2", NULL), 0);
  params_take(&params, "queues");
  assert_int_equal(params_finish(&params, "queues, rx_ring", &error), -EINVAL);
  assert_string_equal(error.what, "the key queuse is not known here");
  assert_string_equal(error.why, "known are: queues, rx_ring");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(entries_are_split),
      cmocka_unit_test(nothing_gives_nothing),
      cmocka_unit_test(malformed_text_is_refused),
      cmocka_unit_test(the_limits_are_exact),
      cmocka_unit_test(numbers_are_checked),
      cmocka_unit_test(truth_has_many_words),
      cmocka_unit_test(real_numbers_are_checked),
      cmocka_unit_test(a_choice_names_the_others),
      cmocka_unit_test(what_is_left_goes_to_the_next_layer),
      cmocka_unit_test(an_unknown_key_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
