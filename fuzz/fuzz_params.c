/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings as a person may type them: parsed, taken, and read as the keys of a twin. */
#include <stdlib.h>
#include <string.h>

#include "src/core/params.h"
#include "twin/testbed_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What nobody took must come out as text that parses to the same entries. */
static void check_rest(const char *text)
{
  struct params params, again;
  struct shunt_error error;
  char rest[PARAMS_TEXT_BYTES];
  if (params_parse(&params, text, &error) < 0)
    return;
  if (params_rest(&params, rest, sizeof(rest)) < 0 || params_parse(&again, rest, &error) < 0)
    abort();
  if (again.count != params.count || params_finish(&params, "none", &error) < 0)
    abort();
  for (unsigned i = 0; i < params.count; i++) {
    const char *value = params_take(&again, params.entries[i].key);
    if (value == NULL || strcmp(value, params.entries[i].value) != 0)
      abort();
  }
}

static void take_all(const char *text)
{
  static const char *const names[] = {"a", "b", NULL};
  struct params params;
  struct shunt_error error;
  uint64_t number = 5;
  double real = 0.5;
  bool truth = false;
  unsigned choice = 0;
  if (params_parse(&params, text, &error) < 0)
    return;
  for (unsigned i = 0; i < params.count; i++) {
    const char *key = params.entries[i].key;
    if (params_take_u64(&params, key, 3, 9, &number, &error) == 0 && (number < 3 || number > 9))
      abort();
    if (params_take_double(&params, key, 0, 1, &real, &error) == 0 && !(real >= 0 && real <= 1))
      abort();
    if (params_take_choice(&params, key, names, &choice, &error) == 0 && choice > 1)
      abort();
    (void)params_take_bool(&params, key, &truth, &error);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *text = malloc(size + 1);
  if (text == NULL)
    return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  check_rest(text);
  take_all(text);
  struct testbed_keys keys;
  struct shunt_error error;
  for (unsigned kind = TESTBED_IXGBE; kind <= TESTBED_EFA; kind++)
    if (testbed_keys_read(&keys, (enum testbed_kind)kind, text, 0, &error) == 0 &&
        !(keys.impairments.loss <= 1))
      abort();
  free(text);
  return 0;
}
