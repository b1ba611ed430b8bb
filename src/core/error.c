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

/* Formatted apart and then copied: the arguments may point into the error that is being filled. */
__attribute__((format(printf, 2, 0))) static void error_write(char *text, const char *form,
                                                              va_list arguments)
{
  char whole[SHUNT_ERROR_TEXT_BYTES];
  vsnprintf(whole, sizeof whole, form, arguments);
  memcpy(text, whole, strlen(whole) + 1);
}

int shunt_error_set(struct shunt_error *error, int code, const char *what, ...)
{
  if (error == NULL)
    return code;
  va_list arguments;
  va_start(arguments, what);
  error_write(error->what, what, arguments);
  va_end(arguments);
  error->code = code;
  error->why[0] = '\0';
  error->remedy[0] = '\0';
  return code;
}

void shunt_error_why(struct shunt_error *error, const char *why, ...)
{
  if (error == NULL)
    return;
  va_list arguments;
  va_start(arguments, why);
  error_write(error->why, why, arguments);
  va_end(arguments);
}

void shunt_error_remedy(struct shunt_error *error, const char *remedy, ...)
{
  if (error == NULL)
    return;
  va_list arguments;
  va_start(arguments, remedy);
  error_write(error->remedy, remedy, arguments);
  va_end(arguments);
}

int shunt_error_within(struct shunt_error *error, int code, const char *what, ...)
{
  if (error == NULL)
    return code;
  char step[SHUNT_ERROR_TEXT_BYTES];
  memcpy(step, error->what, sizeof step);
  step[sizeof step - 1] = '\0';
  va_list arguments;
  va_start(arguments, what);
  error_write(error->what, what, arguments);
  va_end(arguments);
  size_t used = strlen(error->what);
  error_append(error->what, sizeof error->what, used, used > 0 ? ": " : "", step);
  error->code = code;
  return code;
}

int error_set_errno(struct shunt_error *error, int code, const char *what, ...)
{
  if (error == NULL)
    return code;
  va_list arguments;
  va_start(arguments, what);
  error_write(error->what, what, arguments);
  va_end(arguments);
  error->code = code;
  error->remedy[0] = '\0';
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
