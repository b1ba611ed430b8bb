/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/vfio_user/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct json_field fields[3];
static const char *why;

static int read_text(const char *text)
{
  fields[0] = (struct json_field){.path = "a.number", .kind = JSON_U64};
  fields[1] = (struct json_field){.path = "a.b.truth", .kind = JSON_BOOL};
  fields[2] = (struct json_field){.path = "top", .kind = JSON_U64};
  why = NULL;
  return json_read(text, strlen(text), fields, 3, &why);
}

static void fields_are_found_by_path(void **state)
{
  (void)state;
  assert_int_equal(read_text("{\"top\":7,\"a\":{\"number\":42,\"b\":{\"truth\":true}}}"), 0);
  assert_true(fields[0].found && fields[1].found && fields[2].found);
  assert_int_equal(fields[0].value, 42);
  assert_int_equal(fields[1].value, 1);
  assert_int_equal(fields[2].value, 7);
  assert_int_equal(read_text(" \t\r\n{ \"a\" : { \"b\" : { \"truth\" : false } } } \n"), 0);
  assert_true(fields[1].found);
  assert_int_equal(fields[1].value, 0);
  assert_false(fields[0].found || fields[2].found);
}

static void everything_else_is_passed_over(void **state)
{
  (void)state;
  assert_int_equal(
      read_text("{\"x\":[1,-2.5e+3,\"\\u00e4\\n\\\"\",null,true,{\"a\":{\"number\":1}},[]],"
                "\"number\":3,\"a\":{\"x\":{\"number\":4},\"number\":5},\"y\":{},\"z\":0}"),
      0);
  assert_int_equal(fields[0].value, 5);
  assert_int_equal(read_text("[{\"top\":1}]"), 0);
  assert_false(fields[2].found);
  assert_int_equal(read_text("\"top\""), 0);
  assert_int_equal(read_text("12"), 0);
  assert_int_equal(read_text("null"), 0);
}

static void no_other_name_looks_like_a_path(void **state)
{
  static const char *const texts[] = {
      "{\"a.number\":1}",      "{\"\":{\"a\":{\"number\":1}}}", "{\"a\":{\"\":{\"number\":1}}}",
      "{\"a\":{\"numbe\":1}}", "{\"a\":{\"number \":1}}",       "{\"a\":{\"numbers\":1}}"};
  (void)state;
  for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    assert_int_equal(read_text(texts[i]), 0);
    assert_false(fields[0].found);
  }
}

static void the_last_of_two_counts(void **state)
{
  (void)state;
  assert_int_equal(read_text("{\"top\":1,\"top\":2}"), 0);
  assert_int_equal(fields[2].value, 2);
}

static void numbers_go_to_their_end(void **state)
{
  (void)state;
  assert_int_equal(read_text("{\"top\":18446744073709551615}"), 0);
  assert_int_equal(fields[2].value, UINT64_MAX);
  assert_int_equal(read_text("{\"top\":0}"), 0);
  assert_int_equal(fields[2].value, 0);
  assert_int_equal(read_text("{\"other\":99999999999999999999999999}"), 0);
  static const char *const bad[] = {"18446744073709551616",
                                    "99999999999999999999",
                                    "-1",
                                    "-0",
                                    "1.0",
                                    "1e3",
                                    "true",
                                    "null",
                                    "\"1\"",
                                    "[1]",
                                    "{}"};
  char text[64];
  for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    strcpy(text, "{\"top\":");
    strcat(strcat(text, bad[i]), "}");
    assert_int_equal(read_text(text), -EINVAL);
    assert_non_null(why);
    assert_false(fields[2].found);
  }
  assert_int_equal(read_text("{\"a\":{\"b\":{\"truth\":1}}}"), -EINVAL);
}

static void what_is_no_json_is_refused(void **state)
{
  static const char *const bad[] = {
      "",           " ",         "{",           "}",      "[",        "]",     "{]",    "[}",
      "{\"a\"}",    "{\"a\":}",  "{\"a\":1,}",  "{,}",    "[1,]",     "[,1]",  "[1 2]", "{\"a\" 1}",
      "{a:1}",      "{'a':1}",   "tru",         "truex",  "TRUE",     "nul",   "01",    "-",
      "1.",         ".5",        "+1",          "1e",     "1e+",      "0x10",  "\"",    "\"\\",
      "\"\\x\"",    "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"\x01\"", "{} {}", "1 1",   "[1]x",
      "{\"a\":1}}", "{\"a\":1",  "[[1]",        "NaN",    "\xEF",
  };
  (void)state;
  for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (read_text(bad[i]) != -EINVAL)
      fail_msg("taken for JSON: %s", bad[i]);
    assert_non_null(why);
  }
  /* A NUL is a character like any other that JSON has not. */
  assert_int_equal(json_read("1\0", 2, fields, 0, &why), -EINVAL);
  assert_int_equal(json_read("{\"a\":1}\0", 8, fields, 0, &why), -EINVAL);
}

static void every_cut_of_a_document_is_refused(void **state)
{
  static const char text[] = "{\"a\":{\"number\":12,\"b\":{\"truth\":true}},\"x\":[1,\"\\u0041\"]}";
  (void)state;
  for (size_t cut = 0; cut + 1 < sizeof text; cut++)
    assert_int_equal(json_read(text, cut, fields, 0, &why), -EINVAL);
  assert_int_equal(json_read(text, sizeof text - 1, fields, 0, &why), 0);
}

static void nesting_has_an_end(void **state)
{
  char text[2 * JSON_MOST_DEPTH + 8];
  (void)state;
  memset(text, '[', JSON_MOST_DEPTH);
  memset(text + JSON_MOST_DEPTH, ']', JSON_MOST_DEPTH);
  text[2 * JSON_MOST_DEPTH] = '\0';
  assert_int_equal(read_text(text), 0);
  memset(text, '[', JSON_MOST_DEPTH + 1);
  memset(text + JSON_MOST_DEPTH + 1, ']', JSON_MOST_DEPTH + 1);
  text[2 * JSON_MOST_DEPTH + 2] = '\0';
  assert_int_equal(read_text(text), -EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_are_found_by_path),
      cmocka_unit_test(everything_else_is_passed_over),
      cmocka_unit_test(no_other_name_looks_like_a_path),
      cmocka_unit_test(the_last_of_two_counts),
      cmocka_unit_test(numbers_go_to_their_end),
      cmocka_unit_test(what_is_no_json_is_refused),
      cmocka_unit_test(every_cut_of_a_document_is_refused),
      cmocka_unit_test(nesting_has_an_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
