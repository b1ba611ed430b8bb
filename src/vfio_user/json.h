/* SPDX-License-Identifier: BSD-2-Clause */
/* A strict reader of small JSON documents (RFC 8259), for numbers and truth values that are looked
 * for by path. It allocates nothing, and a document that is not JSON to the last byte gives
 * nothing.
 */
#ifndef SRC_VFIO_USER_JSON_H
#define SRC_VFIO_USER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MOST_DEPTH 16 /* of nesting */

enum json_kind { JSON_U64, JSON_BOOL };

struct json_field {
  const char *path; /* names of members, joined by dots: "capabilities.max_msg_fds" */
  enum json_kind kind;
  uint64_t value; /* 0 or 1 of a JSON_BOOL */
  bool found;
};

/* Read a document of bytes bytes. Members that no field names may be of any kind and are passed
 * over; of a member that stands there twice the last counts.
 *
 * fields   found and value are filled
 * Returns  0, or -EINVAL with *why a constant phrase: the text is no JSON, is nested too deep, or
 *          a field is not of its kind (a number that is negative, broken or over 2^64-1) */
int json_read(const char *text, size_t bytes, struct json_field fields[], unsigned n,
              const char **why);

#endif
