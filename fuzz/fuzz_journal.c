/* SPDX-License-Identifier: BSD-2-Clause */
/* A journal of changes, as it may lie in /run/shunt: any bytes. What is taken is written as text
 * that is taken again and says the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/netlink/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
  struct journal journal, again;
  char text[JOURNAL_BYTES], text_again[JOURNAL_BYTES];
  if (journal_parse((const char *)data, bytes, &journal))
    return 0;
  size_t length = journal_format(&journal, text);
  if (length >= sizeof(text) || journal_parse(text, length, &again) ||
      journal_format(&again, text_again) != length || memcmp(text, text_again, length) != 0)
    abort();
  return 0;
}
