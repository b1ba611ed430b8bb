/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/btf.h"

#include <errno.h>
#include <linux/btf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf_rig.h"

#define TYPE(kind, members) ((uint32_t)(kind) << 24 | (members))

/* BTF put together by hand: a header, types and strings. */
struct sample {
  uint8_t bytes[512];
  size_t length;
};

static void sample_make(struct sample *sample, const uint32_t *words, size_t count,
                        const char *strings, size_t strings_bytes)
{
  struct btf_header header = {.magic = BTF_MAGIC,
                              .version = BTF_VERSION,
                              .hdr_len = sizeof(header),
                              .type_len = (uint32_t)(4 * count),
                              .str_off = (uint32_t)(4 * count),
                              .str_len = (uint32_t)strings_bytes};
  memset(sample, 0, sizeof(*sample));
  memcpy(sample->bytes, &header, sizeof(header));
  memcpy(sample->bytes + sizeof(header), words, 4 * count);
  memcpy(sample->bytes + sizeof(header) + 4 * count, strings, strings_bytes);
  sample->length = sizeof(header) + 4 * count + strings_bytes;
}

/* 1 int, 2 a prototype with one parameter, 3 struct s, 4 function f, 5 variable f */
static const uint32_t words[] = {
    1, TYPE(BTF_KIND_INT, 0),        4, 32,       /* 1 */
    0, TYPE(BTF_KIND_FUNC_PROTO, 1), 1, 0,  1,    /* 2 */
    7, TYPE(BTF_KIND_STRUCT, 1),     4, 1,  1, 0, /* 3 */
    5, TYPE(BTF_KIND_FUNC, 0),       2,           /* 4 */
    5, TYPE(BTF_KIND_VAR, 0),        1, 0,        /* 5 */
};
static const char strings[] = "\0int\0f\0s"; /* with the NUL at its end */

#define WORDS (sizeof(words) / sizeof(words[0]))

static void sample_good(struct sample *sample)
{
  sample_make(sample, words, WORDS, strings, sizeof(strings));
}

static void test_found(void **state)
{
  (void)state;
  struct sample sample;
  struct btf btf;
  int32_t id = 0;
  sample_good(&sample);
  assert_int_equal(btf_open(&btf, sample.bytes, sample.length, NULL, NULL), 0);
  assert_int_equal(btf.count, 5);
  assert_int_equal(btf_function(&btf, "f", &id), 0);
  assert_int_equal(id, 4);
  assert_int_equal(btf_function(&btf, "s", &id), -ENOENT); /* a struct */
  assert_int_equal(btf_function(&btf, "g", &id), -ENOENT);
}

/* A module's types and strings count on from the kernel's. */
static void test_split(void **state)
{
  (void)state;
  struct sample kernel, module;
  struct btf base, btf;
  int32_t id = 0;
  const uint32_t own[] = {sizeof(strings) + 1,
                          TYPE(BTF_KIND_FUNC, 0),
                          2,
                          5,
                          TYPE(BTF_KIND_FUNC, 0),
                          2, /* named by the kernel's string */
                          4000000000u,
                          TYPE(BTF_KIND_FUNC, 0),
                          2};
  sample_good(&kernel);
  sample_make(&module, own, 9, "\0g", 3);
  assert_int_equal(btf_open(&base, kernel.bytes, kernel.length, NULL, NULL), 0);
  assert_int_equal(btf_open(&btf, module.bytes, module.length, &base, NULL), 0);
  assert_int_equal(btf.first, 6);
  assert_int_equal(btf_function(&btf, "g", &id), 0);
  assert_int_equal(id, 6);
  assert_int_equal(btf_function(&btf, "f", &id), 0);
  assert_int_equal(id, 7);
}

static void bad(const struct sample *sample, size_t length, const char *why)
{
  struct btf btf;
  struct shunt_error error;
  assert_int_equal(btf_open(&btf, sample->bytes, length, NULL, &error), -EINVAL);
  if (strstr(error.why, why) == NULL)
    print_error("\"%s\" is not in \"%s\"\n", why, error.why);
  assert_non_null(strstr(error.why, why));
}

static void test_bad(void **state)
{
  (void)state;
  struct sample sample;
  struct btf_header header;
  sample_good(&sample);
  for (size_t length = 0; length < sample.length; length++)
    bad(&sample, length, length < sizeof(header) ? "impossible length" : "past its end");

#define BAD(member, value, why)                                                                    \
  do {                                                                                             \
    sample_good(&sample);                                                                          \
    memcpy(&header, sample.bytes, sizeof(header));                                                 \
    header.member = value;                                                                         \
    memcpy(sample.bytes, &header, sizeof(header));                                                 \
    bad(&sample, sample.length, why);                                                              \
  } while (0)
  BAD(magic, 0x9feb, "byte order");
  BAD(version, 2, "version is not 1");
  BAD(hdr_len, 23, "header");
  BAD(hdr_len, UINT32_MAX, "header");
  BAD(type_off, UINT32_MAX, "types lie past");
  BAD(type_len, UINT32_MAX, "types lie past");
  BAD(str_off, 4096, "strings lie past");
  BAD(str_len, 4096, "strings lie past");
  BAD(str_len, 3, "no end");
  BAD(type_len, 15, "cut off");
  BAD(type_len, 20, "cut off");
#undef BAD

  const uint32_t unknown[] = {0, TYPE(31, 0), 0};
  sample_make(&sample, unknown, 3, "", 1);
  bad(&sample, sample.length, "unknown kind");
  const uint32_t many[] = {0, TYPE(BTF_KIND_STRUCT, 65535), 0};
  sample_make(&sample, many, 3, "", 1);
  bad(&sample, sample.length, "cut off");
}

static void test_empty(void **state)
{
  (void)state;
  struct sample sample;
  struct btf btf;
  int32_t id;
  sample_make(&sample, words, 0, strings, 0);
  assert_int_equal(btf_open(&btf, sample.bytes, sample.length, NULL, NULL), 0);
  assert_int_equal(btf.count, 0);
  assert_int_equal(btf_function(&btf, "", &id), -ENOENT);
}

/* The running kernel's own, and a function that a program then calls. */
static void test_kernel(void **state)
{
  (void)state;
  struct shunt_error error;
  int32_t id = 0;
  int fd;
  char module[BTF_MODULE_BYTES];
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    print_message("skipped: this kernel has no BTF\n");
    skip();
  }
  assert_int_equal(btf_find_function("schedule", &id, NULL), 0);
  assert_true(id > 0);
  assert_int_equal(btf_find_function("no_such_function_of_any_kernel", &id, &error), -ENOENT);
  assert_non_null(strstr(error.what, "no_such_function_of_any_kernel"));
  assert_int_equal(btf_find_module_function("no_such_function_of_any_kernel", module, &id, &error),
                   -ENOENT);
  if (!bpf_rig_usable())
    skip();
  assert_int_equal(btf_module_fd("no_such_module", &fd, &error), -ENOENT);
  assert_int_equal(fd, -1);
  if (btf_module_fd("vmlinux", &fd, &error) == 0)
    close(fd);
  else
    fail_msg("%s: %s", error.what, error.why);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_found), cmocka_unit_test(test_split),  cmocka_unit_test(test_bad),
      cmocka_unit_test(test_empty), cmocka_unit_test(test_kernel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
