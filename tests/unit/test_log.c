/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/log.h"

struct page {
  unsigned lines;
  enum shunt_log_level level;
  char text[8][SHUNT_LOG_TEXT_BYTES + 1];
};

static void write_line(void *context, enum shunt_log_level level, const char *text)
{
  struct page *page = context;
  assert_true(page->lines < 8);
  page->level = level;
  snprintf(page->text[page->lines++], sizeof page->text[0], "%s", text);
}

static void only_the_wanted_levels_are_written(void **state)
{
  (void)state;
  struct page page = {0};
  struct shunt_log log = {.level = SHUNT_LOG_WARNING, .write = write_line, .context = &page};
  assert_true(shunt_log_wants(&log, SHUNT_LOG_ERROR));
  assert_true(shunt_log_wants(&log, SHUNT_LOG_WARNING));
  assert_false(shunt_log_wants(&log, SHUNT_LOG_INFO));
  shunt_log_write(&log, SHUNT_LOG_ERROR, "queue %d", 1);
  shunt_log_write(&log, SHUNT_LOG_WARNING, "queue %d", 2);
  shunt_log_write(&log, SHUNT_LOG_INFO, "queue %d", 3);
  shunt_log_write(&log, SHUNT_LOG_DEBUG, "queue %d", 4);
  assert_int_equal(page.lines, 2);
  assert_string_equal(page.text[0], "queue 1");
  assert_string_equal(page.text[1], "queue 2");
  assert_int_equal(page.level, SHUNT_LOG_WARNING);
}

static void no_log_and_no_callback_are_silent(void **state)
{
  (void)state;
  struct shunt_log log = {.level = SHUNT_LOG_DEBUG};
  struct shunt_error error = {.code = -EIO, .what = "it failed"};
  assert_false(shunt_log_wants(NULL, SHUNT_LOG_ERROR));
  assert_false(shunt_log_wants(&log, SHUNT_LOG_ERROR));
  shunt_log_write(NULL, SHUNT_LOG_ERROR, "nobody reads this");
  shunt_log_write(&log, SHUNT_LOG_ERROR, "nobody reads this");
  shunt_log_error(NULL, SHUNT_LOG_ERROR, &error);
  shunt_log_error(&log, SHUNT_LOG_ERROR, &error);
}

static void a_long_line_is_cut(void **state)
{
  (void)state;
  struct page page = {0};
  struct shunt_log log = {.level = SHUNT_LOG_DEBUG, .write = write_line, .context = &page};
  char text[2 * SHUNT_LOG_TEXT_BYTES];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  shunt_log_write(&log, SHUNT_LOG_DEBUG, "%s", text);
  assert_int_equal(strlen(page.text[0]), SHUNT_LOG_TEXT_BYTES - 1);
}

static void an_error_is_one_line_per_text(void **state)
{
  (void)state;
  struct page page = {0};
  struct shunt_log log = {.level = SHUNT_LOG_ERROR, .write = write_line, .context = &page};
  struct shunt_error error = {0};
  shunt_log_error(&log, SHUNT_LOG_ERROR, &error);
  assert_int_equal(page.lines, 0);
  shunt_error_set(&error, -EIO, "it failed");
  shunt_error_why(&error, "no group");
  shunt_error_remedy(&error, "load vfio-pci");
  shunt_log_error(&log, SHUNT_LOG_INFO, &error);
  assert_int_equal(page.lines, 0);
  shunt_log_error(&log, SHUNT_LOG_ERROR, &error);
  assert_int_equal(page.lines, 3);
  assert_string_equal(page.text[0], "it failed");
  assert_string_equal(page.text[1], "  why: no group");
  assert_string_equal(page.text[2], "  try: load vfio-pci");
}

static void levels_have_names_both_ways(void **state)
{
  (void)state;
  for (int i = SHUNT_LOG_ERROR; i <= SHUNT_LOG_DEBUG; i++) {
    enum shunt_log_level level = SHUNT_LOG_ERROR;
    assert_int_equal(shunt_log_level_parse(shunt_log_level_name((enum shunt_log_level)i), &level),
                     0);
    assert_int_equal(level, i);
  }
  enum shunt_log_level level = SHUNT_LOG_INFO;
  assert_int_equal(shunt_log_level_parse("loud", &level), -EINVAL);
  assert_int_equal(shunt_log_level_parse("", &level), -EINVAL);
  assert_int_equal(level, SHUNT_LOG_INFO);
  assert_string_equal(shunt_log_level_name((enum shunt_log_level)7), "unknown");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_the_wanted_levels_are_written),
      cmocka_unit_test(no_log_and_no_callback_are_silent),
      cmocka_unit_test(a_long_line_is_cut),
      cmocka_unit_test(an_error_is_one_line_per_text),
      cmocka_unit_test(levels_have_names_both_ways),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
