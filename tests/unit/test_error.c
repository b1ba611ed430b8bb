/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/error.h"
#include "src/core/error_internal.h"

static void set_fills_code_and_what_and_forgets_the_last_reason(void **state)
{
  (void)state;
  struct shunt_error error = {.code = -1, .why = "old reason", .remedy = "old remedy"};
  assert_int_equal(shunt_error_set(&error, -ENODEV, "can't open %s", "ixgbe:twin"), -ENODEV);
  assert_int_equal(error.code, -ENODEV);
  assert_string_equal(error.what, "can't open ixgbe:twin");
  assert_string_equal(error.why, "");
  assert_string_equal(error.remedy, "");
}

static void no_error_object_still_returns_the_code(void **state)
{
  (void)state;
  assert_int_equal(shunt_error_set(NULL, -EBUSY, "busy"), -EBUSY);
  assert_int_equal(shunt_error_within(NULL, -EIO, "whole"), -EIO);
  assert_int_equal(error_set_errno(NULL, -EPERM, "step"), -EPERM);
  shunt_error_why(NULL, "why");
  shunt_error_remedy(NULL, "remedy");
  error_why_errno(NULL, -EIO);
}

static void long_texts_are_cut_and_terminated(void **state)
{
  (void)state;
  char text[2 * SHUNT_ERROR_TEXT_BYTES];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  struct shunt_error error = {0};
  shunt_error_set(&error, -EINVAL, "%s", text);
  shunt_error_why(&error, "%s", text);
  shunt_error_remedy(&error, "%s", text);
  assert_int_equal(strlen(error.what), SHUNT_ERROR_TEXT_BYTES - 1);
  assert_int_equal(strlen(error.why), SHUNT_ERROR_TEXT_BYTES - 1);
  assert_int_equal(strlen(error.remedy), SHUNT_ERROR_TEXT_BYTES - 1);

  shunt_error_within(&error, -EINVAL, "%s", text);
  assert_int_equal(strlen(error.what), SHUNT_ERROR_TEXT_BYTES - 1);
  shunt_error_set(&error, -EINVAL, "%s", text);
  shunt_error_within(&error, -EINVAL, "whole");
  assert_int_equal(strlen(error.what), SHUNT_ERROR_TEXT_BYTES - 1);
  assert_memory_equal(error.what, "whole: xxx", 10);
}

static void within_puts_the_step_under_the_whole(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  shunt_error_set(&error, -ENOENT, "no BAR 0");
  shunt_error_why(&error, "resource0 is missing");
  assert_int_equal(shunt_error_within(&error, -ENODEV, "can't open %s", "0000:03:00.0"), -ENODEV);
  assert_int_equal(error.code, -ENODEV);
  assert_string_equal(error.what, "can't open 0000:03:00.0: no BAR 0");
  assert_string_equal(error.why, "resource0 is missing");
}

static void within_an_empty_error_has_no_separator(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  shunt_error_within(&error, -ENODEV, "can't open it");
  assert_string_equal(error.what, "can't open it");
}

static void arguments_may_come_from_the_error_itself(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  shunt_error_set(&error, -EIO, "step");
  shunt_error_within(&error, -EIO, "<%s>", error.what);
  assert_string_equal(error.what, "<step>: step");
  shunt_error_why(&error, "EIO");
  shunt_error_set(&error, -EIO, "%s because of %s", error.what, error.why);
  assert_string_equal(error.what, "<step>: step because of EIO");
}

static void an_errno_is_described_and_named(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  assert_int_equal(error_set_errno(&error, -ENOENT, "can't open %s", "/x"), -ENOENT);
  assert_string_equal(error.what, "can't open /x");
  assert_string_equal(error.why, "No such file or directory (ENOENT)");
  error_why_errno(&error, EACCES);
  assert_string_equal(error.why, "Permission denied (EACCES)");
  error_why_errno(&error, -4000);
  assert_string_equal(error.why, "errno 4000");
}

static void format_writes_the_lines_that_there_are(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  char text[1024] = "old";
  assert_int_equal(shunt_error_format(&error, text, sizeof text), 0);
  assert_string_equal(text, "");

  shunt_error_set(&error, -EIO, "it failed");
  shunt_error_format(&error, text, sizeof text);
  assert_string_equal(text, "it failed");

  shunt_error_remedy(&error, "load vfio-pci");
  shunt_error_format(&error, text, sizeof text);
  assert_string_equal(text, "it failed\n  try: load vfio-pci");

  shunt_error_why(&error, "no group");
  size_t length = shunt_error_format(&error, text, sizeof text);
  assert_string_equal(text, "it failed\n  why: no group\n  try: load vfio-pci");
  assert_int_equal(length, strlen(text));
}

static void format_reports_the_whole_length_where_it_does_not_fit(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  shunt_error_set(&error, -EIO, "it failed");
  shunt_error_why(&error, "no group");
  shunt_error_remedy(&error, "load vfio-pci");
  char whole[1024];
  size_t length = shunt_error_format(&error, whole, sizeof whole);
  assert_int_equal(shunt_error_format(&error, NULL, 0), length);
  for (size_t bytes = 1; bytes <= length + 1; bytes++) {
    char text[1024];
    memset(text, '#', sizeof text);
    assert_int_equal(shunt_error_format(&error, text, bytes), length);
    assert_int_equal(strlen(text), bytes - 1);
    assert_memory_equal(text, whole, bytes - 1);
    assert_int_equal(text[bytes], '#');
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(set_fills_code_and_what_and_forgets_the_last_reason),
      cmocka_unit_test(no_error_object_still_returns_the_code),
      cmocka_unit_test(long_texts_are_cut_and_terminated),
      cmocka_unit_test(within_puts_the_step_under_the_whole),
      cmocka_unit_test(within_an_empty_error_has_no_separator),
      cmocka_unit_test(arguments_may_come_from_the_error_itself),
      cmocka_unit_test(an_errno_is_described_and_named),
      cmocka_unit_test(format_writes_the_lines_that_there_are),
      cmocka_unit_test(format_reports_the_whole_length_where_it_does_not_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
