/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/core/error_internal.h"

/* Append a string to the text that is already used bytes long, as much as fits in bytes. Returns
 * the length of the whole, counting also what did not fit. */
static size_t error_put(char *text, size_t bytes, size_t used, const char *string)
{
  size_t length = strlen(string);
  if (used + 1 < bytes) {
    size_t room = bytes - used - 1;
    size_t fits = length < room ? length : room;
    memcpy(text + used, string, fits);
    text[used + fits] = '\0';
  }
  return used + length;
}

static size_t error_append(char *text, size_t bytes, size_t used, const char *separator,
                           const char *line)
{
  if (line[0] == '\0')
    return used;
  used = error_put(text, bytes, used, separator);
  return error_put(text, bytes, used, line);
}

int shunt_error_set(struct shunt_error *error, int code, const char *what, ...)
{
  if (error == NULL)
    return code;
  error->code = code;
  error->why[0] = '\0';
  error->remedy[0] = '\0';
  va_list arguments;
  va_start(arguments, what);
  vsnprintf(error->what, sizeof error->what, what, arguments);
  va_end(arguments);
  return code;
}

void shunt_error_why(struct shunt_error *error, const char *why, ...)
{
  if (error == NULL)
    return;
  va_list arguments;
  va_start(arguments, why);
  vsnprintf(error->why, sizeof error->why, why, arguments);
  va_end(arguments);
}

void shunt_error_remedy(struct shunt_error *error, const char *remedy, ...)
{
  if (error == NULL)
    return;
  va_list arguments;
  va_start(arguments, remedy);
  vsnprintf(error->remedy, sizeof error->remedy, remedy, arguments);
  va_end(arguments);
}

int shunt_error_within(struct shunt_error *error, int code, const char *what, ...)
{
  if (error == NULL)
    return code;
  error->code = code;
  /* Formatted apart first: the caller's arguments may point into the error itself. */
  char whole[SHUNT_ERROR_TEXT_BYTES];
  va_list arguments;
  va_start(arguments, what);
  vsnprintf(whole, sizeof whole, what, arguments);
  va_end(arguments);

  char step[SHUNT_ERROR_TEXT_BYTES];
  memcpy(step, error->what, sizeof step);
  step[sizeof step - 1] = '\0';
  size_t used = strlen(whole);
  memcpy(error->what, whole, used + 1);
  error_append(error->what, sizeof error->what, used, used > 0 ? ": " : "", step);
  return code;
}

int error_set_errno(struct shunt_error *error, int code, const char *what, ...)
{
  if (error == NULL)
    return code;
  va_list arguments;
  va_start(arguments, what);
  char text[SHUNT_ERROR_TEXT_BYTES];
  vsnprintf(text, sizeof text, what, arguments);
  va_end(arguments);
  shunt_error_set(error, code, "%s", text);
  error_why_errno(error, code);
  return code;
}

void error_why_errno(struct shunt_error *error, int code)
{
  if (error == NULL)
    return;
  /* glibc's strerrorname_np and strerrordesc_np return constants: safe on any thread, unlike
   * strerror, and the same text in every locale. */
  int number = code < 0 ? -code : code;
  const char *name = strerrorname_np(number);
  const char *description = strerrordesc_np(number);
  if (name == NULL || description == NULL)
    shunt_error_why(error, "errno %d", number);
  else
    shunt_error_why(error, "%s (%s)", description, name);
}

size_t shunt_error_format(const struct shunt_error *error, char *text, size_t bytes)
{
  if (bytes > 0)
    text[0] = '\0';
  size_t used = error_append(text, bytes, 0, "", error->what);
  used = error_append(text, bytes, used, used > 0 ? "\n  why: " : "  why: ", error->why);
  return error_append(text, bytes, used, used > 0 ? "\n  try: " : "  try: ", error->remedy);
}
