/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: whatever it holds, it is read or refused, and what was read can be asked
 * for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *context, const struct cli_entry *entry)
{
  const struct cli_config *config = context;
  /* Each entry is found by its key; the last of several wins, so the value may be another. */
  if (!cli_config_get(config, "echo", entry->key) || !entry->value || !entry->line)
    abort();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct cli_config *config = NULL;
  struct shunt_error error;
  char *text = malloc(size + 1);
  if (!text)
    return 0;
  memcpy(text, data, size);
  text[size] = 0;
  if (cli_config_parse(text, &config, &error) == 0)
    cli_config_each(config, "echo", visit, config);
  else if (!error.what[0])
    abort();
  cli_config_free(config);
  free(text);
  return 0;
}
