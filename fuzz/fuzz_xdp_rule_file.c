/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of rules as they may be found: what is read must be what the same rules are when each is
 * written on a line of its own, and what is refused has to say in which line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/xdp_rule.h"
#include "src/bpf/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 64

static void require(int condition)
{
  if (!condition)
    abort();
}

/* Written again, a rule a line. Returns the length. */
static size_t write_all(const struct shunt_xdp_rule rules[], unsigned n, char *text)
{
  size_t length = 0;
  for (unsigned i = 0; i < n; i++) {
    length += shunt_xdp_rule_format(&rules[i], text + length, SHUNT_XDP_RULE_TEXT_BYTES);
    text[length++] = '\n';
  }
  return length;
}

static void read_again(const struct shunt_xdp_rule rules[], unsigned n)
{
  static struct shunt_xdp_rule again[ROOM];
  static char text[ROOM * (SHUNT_XDP_RULE_TEXT_BYTES + 1)],
      twice[ROOM * (SHUNT_XDP_RULE_TEXT_BYTES + 1)];
  unsigned count;
  size_t length = write_all(rules, n, text);
  char *copy = malloc(length + 1);
  require(copy != NULL);
  memcpy(copy, text, length);
  require(rule_file_parse("f", copy, length, again, ROOM, &count, NULL) == 0 && count == n);
  require(write_all(again, count, twice) == length && memcmp(text, twice, length) == 0);
  free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct shunt_xdp_rule rules[ROOM];
  struct shunt_error error;
  unsigned count;
  char *text = malloc(size + 1);
  require(text != NULL);
  if (size)
    memcpy(text, data, size);
  int result = rule_file_parse("f", text, size, rules, ROOM, &count, &error);
  if (result < 0)
    require(error.code == result && strncmp(error.what, "f:", 2) == 0 && error.remedy[0]);
  else
    read_again(rules, count);
  free(text);
  return 0;
}
