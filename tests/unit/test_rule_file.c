/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules in files: lines, comments, and where a mistake is said to be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/xdp_rule.h"
#include "src/bpf/rule.h"

#define ROOM 8

static struct shunt_xdp_rule rules[ROOM];
static struct shunt_error error;

/* The contents of a file named "f"; *count untouched by what was there before. */
static int parse_bytes(const char *text, size_t bytes, unsigned most, unsigned *count)
{
  char *copy = malloc(bytes + 1); /* of its exact length, for the address sanitizer */
  assert_non_null(copy);
  memcpy(copy, text, bytes);
  copy[bytes] = 'x';
  memset(&error, 0, sizeof(error));
  int result = rule_file_parse("f", copy, bytes, rules, most, count, &error);
  free(copy);
  return result;
}

static int parse(const char *text, unsigned *count)
{
  return parse_bytes(text, strlen(text), ROOM, count);
}

static void reads_lines(void **state)
{
  (void)state;
  unsigned count = 99;
  assert_int_equal(parse("", &count), 0);
  assert_int_equal(count, 0);
  assert_int_equal(parse("\n\n  \n# nothing\n#\n", &count), 0);
  assert_int_equal(count, 0);
  assert_int_equal(parse("arp # who has\r\n\n  udp port 7;pass icmp\r\ndrop all", &count), 0);
  assert_int_equal(count, 4);
  assert_int_equal(rules[0].ethertype, 0x0806);
  assert_int_equal(rules[1].destination_ports.range[0].first, 7);
  assert_int_equal(rules[2].action, SHUNT_XDP_PASS);
  assert_int_equal(rules[3].action, SHUNT_XDP_DROP);
  assert_int_equal(parse("arp", &count), 0);
  assert_int_equal(count, 1);
}

static void says_where(void **state)
{
  (void)state;
  unsigned count;
  assert_int_equal(parse("arp\n# a comment\nudp port 7; udp prt 8\n", &count), -EINVAL);
  assert_non_null(strstr(error.what, "f:3"));
  assert_non_null(strstr(error.what, "prt"));
  assert_int_equal(parse("arp\nudp # port 7 #\nvlan 5000", &count), -EINVAL);
  assert_non_null(strstr(error.what, "f:3"));
  assert_int_equal(parse_bytes("arp\nar\0p\n", 9, ROOM, &count), -EINVAL);
  assert_non_null(strstr(error.what, "f:2"));
  assert_int_equal(parse_bytes("arp\n# \0", 7, ROOM, &count), -EINVAL);
  assert_non_null(strstr(error.why, "0"));
}

static void says_when_there_are_too_many(void **state)
{
  (void)state;
  static const char four[] = "arp\narp\narp;arp\n";
  unsigned count;
  assert_int_equal(parse_bytes(four, sizeof(four) - 1, 4, &count), 0);
  assert_int_equal(count, 4);
  assert_int_equal(parse_bytes(four, sizeof(four) - 1, 3, &count), -E2BIG);
  assert_non_null(strstr(error.what, "f:3"));
  assert_non_null(strstr(error.why, "3"));
  assert_int_equal(parse_bytes(four, sizeof(four) - 1, 0, &count), -E2BIG);
  assert_non_null(strstr(error.what, "f:1"));
}

static void reads_files(void **state)
{
  (void)state;
  char directory[] = "/tmp/shunt-rules-XXXXXX", path[64], fifo[64];
  unsigned count = 99;
  assert_non_null(mkdtemp(directory));
  snprintf(path, sizeof(path), "%s/rules", directory);
  snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
  int missing = shunt_xdp_rules_read(path, rules, ROOM, &count, &error);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("# two\nudp port 31001\nudp port seventy\n", file);
  fclose(file);
  int wrong = shunt_xdp_rules_read(path, rules, ROOM, &count, &error);
  char said[SHUNT_ERROR_TEXT_BYTES];
  memcpy(said, error.what, sizeof(said));
  file = fopen(path, "w");
  assert_non_null(file);
  fputs("udp port 31001\nudp port 31002", file);
  fclose(file);
  int right = shunt_xdp_rules_read(path, rules, ROOM, &count, &error);
  int made = mkfifo(fifo, 0600);
  int pipe = shunt_xdp_rules_read(fifo, rules, ROOM, &count, &error);
  int folder = shunt_xdp_rules_read(directory, rules, ROOM, &count, &error);
  int longer = truncate(path, (8 << 20) + 1);
  int long_one = shunt_xdp_rules_read(path, rules, ROOM, &count, &error);
  unlink(path);
  unlink(fifo);
  rmdir(directory);
  assert_int_equal(missing, -ENOENT);
  assert_int_equal(wrong, -EINVAL);
  assert_non_null(strstr(said, "rules:3"));
  assert_int_equal(right, 0);
  assert_int_equal(rules[1].destination_ports.range[0].first, 31002);
  assert_int_equal(made, 0);
  assert_int_equal(pipe, -EINVAL);
  assert_int_equal(folder, -EINVAL);
  assert_int_equal(longer, 0);
  assert_int_equal(long_one, -EFBIG);
  assert_true(*error.why);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_lines),
      cmocka_unit_test(says_where),
      cmocka_unit_test(says_when_there_are_too_many),
      cmocka_unit_test(reads_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
