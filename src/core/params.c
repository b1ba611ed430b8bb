/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/core/params.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool params_has(const struct params *params, const char *key)
{
  for (unsigned i = 0; i < params->count; i++) {
    if (strcmp(params->entries[i].key, key) == 0)
      return true;
  }
  return false;
}

/* Takes "key=value" apart in place and adds it. */
static int params_add(struct params *params, char *entry, struct shunt_error *error)
{
  char *equals = strchr(entry, '=');
  if (equals == NULL || equals == entry) {
    int code = shunt_error_set(error, -EINVAL, "can't read the setting \"%s\"", entry);
    shunt_error_why(error, entry[0] == '\0'  ? "there is nothing between two &"
                           : equals == entry ? "it has no key before the ="
                                             : "it has no =");
    shunt_error_remedy(error, "write key=value&key=value");
    return code;
  }
  *equals = '\0';
  if (params_has(params, entry)) {
    int code = shunt_error_set(error, -EINVAL, "the key %s is given twice", entry);
    shunt_error_remedy(error, "leave one of the two");
    return code;
  }
  if (params->count == PARAMS_MOST)
    return shunt_error_set(error, -EINVAL, "more than %d settings", PARAMS_MOST);
  params->entries[params->count].key = entry;
  params->entries[params->count].value = equals + 1;
  params->entries[params->count].taken = false;
  params->count++;
  return 0;
}

int params_parse(struct params *params, const char *text, struct shunt_error *error)
{
  params->count = 0;
  params->text[0] = '\0';
  if (text == NULL || text[0] == '\0')
    return 0;
  size_t length = strlen(text);
  if (length >= sizeof(params->text)) {
    int code = shunt_error_set(error, -EINVAL, "the settings are too long");
    shunt_error_why(error, "%zu bytes, and %zu is the most", length, sizeof(params->text) - 1);
    return code;
  }
  memcpy(params->text, text, length + 1);
  for (char *entry = params->text; entry != NULL;) {
    char *next = strchr(entry, '&');
    if (next != NULL)
      *next++ = '\0';
    int code = params_add(params, entry, error);
    if (code < 0)
      return code;
    entry = next;
  }
  return 0;
}

bool params_given(const struct params *params, const char *key)
{
  for (unsigned i = 0; i < params->count; i++)
    if (strcmp(params->entries[i].key, key) == 0)
      return true;
  return false;
}

const char *params_take(struct params *params, const char *key)
{
  for (unsigned i = 0; i < params->count; i++) {
    if (strcmp(params->entries[i].key, key) != 0)
      continue;
    params->entries[i].taken = true;
    return params->entries[i].value;
  }
  return NULL;
}

/* The number that is the whole of text; signs and spaces, which strtoull would take, are none. */
static bool params_read_u64(const char *text, uint64_t *value)
{
  bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const char *digits = hexadecimal ? text + 2 : text;
  const char *allowed = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
  if (digits[0] == '\0' || digits[strspn(digits, allowed)] != '\0')
    return false;
  errno = 0;
  *value = strtoull(digits, NULL, hexadecimal ? 16 : 10);
  return errno == 0;
}

int params_take_u64(struct params *params, const char *key, uint64_t least, uint64_t most,
                    uint64_t *value, struct shunt_error *error)
{
  const char *text = params_take(params, key);
  if (text == NULL)
    return 0;
  uint64_t number;
  if (!params_read_u64(text, &number) || number < least || number > most) {
    int code = shunt_error_set(error, -EINVAL, "%s=%s is refused", key, text);
    shunt_error_why(error, "%s is a whole number from %" PRIu64 " to %" PRIu64, key, least, most);
    if (params_read_u64(text, &number))
      shunt_error_remedy(error, "the nearest is %s=%" PRIu64, key, number < least ? least : most);
    else
      shunt_error_remedy(error, "write digits, such as %s=%" PRIu64, key, least);
    return code;
  }
  *value = number;
  return 0;
}

int params_take_bool(struct params *params, const char *key, bool *value, struct shunt_error *error)
{
  static const char *const words[] = {"0", "1", "no", "yes", "off", "on", "false", "true"};
  const char *text = params_take(params, key);
  if (text == NULL)
    return 0;
  for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (strcmp(text, words[i]) == 0) {
      *value = (i & 1) != 0;
      return 0;
    }
  }
  int code = shunt_error_set(error, -EINVAL, "%s=%s is refused", key, text);
  shunt_error_why(error, "%s is 1 or 0, yes or no, on or off, true or false", key);
  shunt_error_remedy(error, "write %s=1 or %s=0", key, key);
  return code;
}

/* Decimal digits only, as in 0.001 or 1e-3: not the hexadecimal, infinities and NaNs of strtod.
 * A fraction's point is what the C locale says, so a program that calls setlocale with a comma
 * locale must leave LC_NUMERIC alone. */
static bool params_read_double(const char *text, double *value)
{
  if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
    return false;
  char *end;
  errno = 0;
  *value = strtod(text, &end);
  return *end == '\0' && isfinite(*value);
}

int params_take_double(struct params *params, const char *key, double least, double most,
                       double *value, struct shunt_error *error)
{
  const char *text = params_take(params, key);
  if (text == NULL)
    return 0;
  double number;
  if (!params_read_double(text, &number) || number < least || number > most) {
    int code = shunt_error_set(error, -EINVAL, "%s=%s is refused", key, text);
    shunt_error_why(error, "%s is a number from %g to %g", key, least, most);
    shunt_error_remedy(error, "write one of them, such as %s=%g", key, least);
    return code;
  }
  *value = number;
  return 0;
}

/* "a, b, c" of names[], as much as fits. */
static void params_list(char *text, size_t bytes, const char *const names[])
{
  size_t used = 0;
  for (unsigned i = 0; names[i] != NULL; i++) {
    const char *separator = i > 0 ? ", " : "";
    size_t more = strlen(separator) + strlen(names[i]);
    if (used + more >= bytes)
      break;
    memcpy(text + used, separator, strlen(separator));
    memcpy(text + used + strlen(separator), names[i], strlen(names[i]));
    used += more;
  }
  text[used] = '\0';
}

int params_take_choice(struct params *params, const char *key, const char *const names[],
                       unsigned *index, struct shunt_error *error)
{
  const char *text = params_take(params, key);
  if (text == NULL)
    return 0;
  for (unsigned i = 0; names[i] != NULL; i++) {
    if (strcmp(text, names[i]) == 0) {
      *index = i;
      return 0;
    }
  }
  char list[SHUNT_ERROR_TEXT_BYTES];
  params_list(list, sizeof(list), names);
  int code = shunt_error_set(error, -EINVAL, "%s=%s is refused", key, text);
  shunt_error_why(error, "%s is one of: %s", key, list);
  shunt_error_remedy(error, "write one of these, such as %s=%s", key, names[0]);
  return code;
}

int params_rest(struct params *params, char *text, size_t bytes)
{
  size_t used = 0;
  if (bytes == 0)
    return -ENOSPC;
  text[0] = '\0';
  for (unsigned i = 0; i < params->count; i++) {
    if (params->entries[i].taken)
      continue;
    size_t key_bytes = strlen(params->entries[i].key);
    size_t value_bytes = strlen(params->entries[i].value);
    if (used + (used > 0) + key_bytes + 1 + value_bytes >= bytes)
      return -ENOSPC;
    if (used > 0)
      text[used++] = '&';
    memcpy(text + used, params->entries[i].key, key_bytes);
    used += key_bytes;
    text[used++] = '=';
    memcpy(text + used, params->entries[i].value, value_bytes + 1);
    used += value_bytes;
  }
  for (unsigned i = 0; i < params->count; i++)
    params->entries[i].taken = true;
  return 0;
}

int params_finish(const struct params *params, const char *known, struct shunt_error *error)
{
  for (unsigned i = 0; i < params->count; i++) {
    if (params->entries[i].taken)
      continue;
    int code =
        shunt_error_set(error, -EINVAL, "the key %s is not known here", params->entries[i].key);
    shunt_error_why(error, "known are: %s", known);
    return code;
  }
  return 0;
}
