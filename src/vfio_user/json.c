/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/vfio_user/json.h"

#include <errno.h>
#include <string.h>

#define PATH_BYTES 96 /* a longer path is no field's */

struct reader {
  const char *at, *end;
  struct json_field *fields;
  unsigned n, depth;
  size_t path_bytes; /* PATH_BYTES: no field can be here (inside an array, or too long) */
  char path[PATH_BYTES];
  const char *why;
};

static bool refuse(struct reader *reader, const char *why)
{
  reader->why = why;
  return false;
}

/* ---- Characters ---- */

static void skip_space(struct reader *reader)
{
  while (reader->at < reader->end && *reader->at != '\0' && strchr(" \t\r\n", *reader->at))
    reader->at++;
}

/* The next character, or NUL, which stands nowhere in a document, at the end. */
static char peek(const struct reader *reader)
{
  return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, char wanted)
{
  if (peek(reader) != wanted)
    return false;
  reader->at++;
  return true;
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- Strings (section 7) ---- */

static bool skip_escape(struct reader *reader)
{
  char c = peek(reader);
  if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL)
    return refuse(reader, "a string has an escape that JSON does not know");
  reader->at++;
  for (unsigned i = 0; c == 'u' && i < 4; i++, reader->at++)
    if (!is_hex(peek(reader)))
      return refuse(reader, "a string has an escape without four hexadecimal digits");
  return true;
}

/* *text and *bytes: what stands between the quotes, escapes as they are. */
static bool read_string(struct reader *reader, const char **text, size_t *bytes)
{
  if (!take(reader, '"'))
    return refuse(reader, "a member's name is missing");
  *text = reader->at;
  while (reader->at < reader->end) {
    unsigned char c = (unsigned char)*reader->at++;
    if (c < 0x20)
      return refuse(reader, "a string has a control character");
    if (c == '"') {
      *bytes = (size_t)(reader->at - *text) - 1;
      return true;
    }
    if (c == '\\' && !skip_escape(reader))
      return false;
  }
  return refuse(reader, "a string does not end");
}

/* ---- Fields ---- */

static struct json_field *field_here(const struct reader *reader)
{
  if (reader->path_bytes >= PATH_BYTES)
    return NULL;
  for (unsigned i = 0; i < reader->n; i++)
    if (strlen(reader->fields[i].path) == reader->path_bytes &&
        memcmp(reader->fields[i].path, reader->path, reader->path_bytes) == 0)
      return &reader->fields[i];
  return NULL;
}

static bool set_field(struct reader *reader, enum json_kind kind, uint64_t value)
{
  struct json_field *field = field_here(reader);
  if (field == NULL)
    return true;
  if (field->kind != kind)
    return refuse(reader, kind == JSON_BOOL ? "true or false stands where a number belongs"
                                            : "a number stands where true or false belongs");
  field->value = value;
  field->found = true;
  return true;
}

/* A value of a kind that no field has. */
static bool no_field(struct reader *reader)
{
  if (field_here(reader) == NULL)
    return true;
  return refuse(reader, "a capability is neither a number nor true or false");
}

/* Lengthen the path by a member's name. Returns the length before, for path_leave. */
static size_t path_enter(struct reader *reader, const char *name, size_t bytes)
{
  size_t before = reader->path_bytes, dot = before > 0;
  /* A name that is empty, or has a dot in it, could be taken for another path. */
  if (bytes == 0 || memchr(name, '.', bytes) != NULL || before >= PATH_BYTES ||
      bytes + dot >= PATH_BYTES - before) {
    reader->path_bytes = PATH_BYTES;
    return before;
  }
  if (dot)
    reader->path[before] = '.';
  memcpy(reader->path + before + dot, name, bytes);
  reader->path_bytes = before + dot + bytes;
  return before;
}

static void path_leave(struct reader *reader, size_t before)
{
  reader->path_bytes = before;
}

/* ---- Values ---- */

static bool skip_digits(struct reader *reader)
{
  if (!is_digit(peek(reader)))
    return refuse(reader, "a number has no digit where one must be");
  while (is_digit(peek(reader)))
    reader->at++;
  return true;
}

/* Section 6. Only whole numbers are of use to a field; what is passed over may be any. */
static bool read_number(struct reader *reader)
{
  bool is_whole = !take(reader, '-'), overflows = false;
  const char *digits = reader->at;
  uint64_t value = 0;
  if (!skip_digits(reader))
    return false;
  if (*digits == '0' && reader->at - digits > 1)
    return refuse(reader, "a number begins with 0");
  for (const char *digit = digits; digit < reader->at; digit++) {
    overflows |= __builtin_mul_overflow(value, 10, &value);
    overflows |= __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value);
  }
  if (take(reader, '.')) {
    is_whole = false;
    if (!skip_digits(reader))
      return false;
  }
  if (take(reader, 'e') || take(reader, 'E')) {
    is_whole = false;
    if (!take(reader, '+'))
      take(reader, '-');
    if (!skip_digits(reader))
      return false;
  }
  if (is_whole && !overflows)
    return set_field(reader, JSON_U64, value);
  if (field_here(reader) == NULL)
    return true;
  return refuse(reader, "a number is no whole number from 0 to 2^64-1");
}

static bool read_word(struct reader *reader)
{
  static const char *const words[] = {"false", "true", "null"};
  for (unsigned i = 0; i < 3; i++) {
    size_t bytes = strlen(words[i]);
    if ((size_t)(reader->end - reader->at) < bytes || memcmp(reader->at, words[i], bytes) != 0)
      continue;
    reader->at += bytes;
    return i < 2 ? set_field(reader, JSON_BOOL, i) : no_field(reader);
  }
  return refuse(reader, "a value is missing");
}

static bool read_value(struct reader *reader);

static bool read_members(struct reader *reader)
{
  skip_space(reader);
  if (take(reader, '}'))
    return true;
  do {
    const char *name;
    size_t bytes;
    skip_space(reader);
    if (!read_string(reader, &name, &bytes))
      return false;
    skip_space(reader);
    if (!take(reader, ':'))
      return refuse(reader, "there is no colon behind a member's name");
    size_t before = path_enter(reader, name, bytes);
    if (!read_value(reader))
      return false;
    path_leave(reader, before);
  } while (take(reader, ','));
  return take(reader, '}') || refuse(reader, "an object does not end");
}

static bool read_elements(struct reader *reader)
{
  size_t before = reader->path_bytes;
  skip_space(reader);
  if (take(reader, ']'))
    return true;
  reader->path_bytes = PATH_BYTES;
  do {
    if (!read_value(reader))
      return false;
  } while (take(reader, ','));
  reader->path_bytes = before;
  return take(reader, ']') || refuse(reader, "an array does not end");
}

/* Also passes over the space in front and behind. */
static bool read_value(struct reader *reader)
{
  const char *text;
  size_t bytes;
  bool valid;
  if (reader->depth == JSON_MOST_DEPTH)
    return refuse(reader, "it is nested too deep");
  reader->depth++;
  skip_space(reader);
  if (take(reader, '{'))
    valid = no_field(reader) && read_members(reader);
  else if (take(reader, '['))
    valid = no_field(reader) && read_elements(reader);
  else if (peek(reader) == '"')
    valid = no_field(reader) && read_string(reader, &text, &bytes);
  else if (peek(reader) == '-' || is_digit(peek(reader)))
    valid = read_number(reader);
  else
    valid = read_word(reader);
  skip_space(reader);
  reader->depth--;
  return valid;
}

int json_read(const char *text, size_t bytes, struct json_field fields[], unsigned n,
              const char **why)
{
  struct reader reader = {.at = text, .end = text + bytes, .fields = fields, .n = n};
  for (unsigned i = 0; i < n; i++)
    fields[i].found = false;
  bool valid = read_value(&reader);
  if (valid && reader.at < reader.end)
    valid = refuse(&reader, "something stands behind the document");
  if (valid)
    return 0;
  *why = reader.why;
  return -EINVAL;
}
