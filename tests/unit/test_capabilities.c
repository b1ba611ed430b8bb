/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/vfio_user/capabilities.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void what_is_not_named_has_its_default(void **state)
{
  static const uint64_t defaults[CAPABILITIES] = {1, 1048576, 65535, 4096, 0};
  static const char *const texts[] = {"{}", "{\"capabilities\":{}}", "{\"other\":1}", "[]"};
  struct capabilities capabilities;
  const char *why;
  (void)state;
  assert_int_equal(capabilities_read(&capabilities, "", 0, &why), 0);
  assert_memory_equal(capabilities.value, defaults, sizeof defaults);
  for (unsigned i = 0; i < 4; i++) {
    assert_int_equal(capabilities_read(&capabilities, texts[i], strlen(texts[i]) + 1, &why), 0);
    assert_memory_equal(capabilities.value, defaults, sizeof defaults);
    for (unsigned k = 0; k < CAPABILITIES; k++)
      assert_false(capabilities.given[k]);
  }
}

/* As QEMU sends them. */
static void qemus_are_understood(void **state)
{
  static const char text[] =
      "{\"capabilities\": {\"max_msg_fds\": 16, \"max_data_xfer_size\": 1048576, \"pgsizes\": "
      "4096, \"max_dma_maps\": 65535, \"migration\": {\"pgsize\": 4096, \"max_bitmap_size\": "
      "268435456}, \"write_multiple\": true}}";
  struct capabilities capabilities;
  const char *why;
  (void)state;
  assert_int_equal(capabilities_read(&capabilities, text, sizeof text, &why), 0);
  assert_int_equal(capabilities.value[CAPABILITY_MSG_FDS], 16);
  assert_int_equal(capabilities.value[CAPABILITY_WRITE_MULTIPLE], 1);
  for (unsigned k = 0; k < CAPABILITIES; k++)
    assert_true(capabilities.given[k]);
}

static void what_is_written_is_read_back(void **state)
{
  struct capabilities out = {.value = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 1}}, back;
  char text[CAPABILITIES_TEXT_BYTES];
  const char *why;
  (void)state;
  for (unsigned set = 0; set < 1u << CAPABILITIES; set++) {
    for (unsigned k = 0; k < CAPABILITIES; k++)
      out.given[k] = set >> k & 1;
    size_t bytes = capabilities_write(&out, text);
    assert_int_equal(bytes, strlen(text) + 1);
    assert_int_equal(capabilities_read(&back, text, bytes, &why), 0);
    assert_memory_equal(back.given, out.given, sizeof out.given);
    for (unsigned k = 0; k < CAPABILITIES; k++)
      if (out.given[k])
        assert_int_equal(back.value[k], out.value[k]);
  }
}

static void what_does_not_end_or_is_wrong_is_refused(void **state)
{
  struct capabilities capabilities;
  const char *why = NULL;
  (void)state;
  assert_int_equal(capabilities_read(&capabilities, "{}", 2, &why), -EINVAL);
  assert_string_equal(why, "the JSON does not end in a NUL");
  assert_int_equal(capabilities_read(&capabilities, "", 1, &why), -EINVAL);
  assert_int_equal(capabilities_read(&capabilities, "{}\0{}", 6, &why), -EINVAL);
  static const char bad[] = "{\"capabilities\":{\"write_multiple\":1}}";
  assert_int_equal(capabilities_read(&capabilities, bad, sizeof bad, &why), -EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_not_named_has_its_default),
      cmocka_unit_test(qemus_are_understood),
      cmocka_unit_test(what_is_written_is_read_back),
      cmocka_unit_test(what_does_not_end_or_is_wrong_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
