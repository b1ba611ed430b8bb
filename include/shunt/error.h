/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors of set-up calls: what failed, why, and what to do about it.
 *
 * A set-up call returns 0 or a negative errno, and where it fails fills a struct shunt_error that
 * the caller owns. The three texts are whole sentences for a person; the code is for a program.
 * Calls on the fast path never fail and take no error. */
#ifndef SHUNT_ERROR_H
#define SHUNT_ERROR_H

#include "shunt/base.h"

SHUNT_BEGIN_DECLS

#define SHUNT_ERROR_TEXT_BYTES 256

struct shunt_error {
  int code;                            /* negative errno; 0 while nothing has failed */
  char what[SHUNT_ERROR_TEXT_BYTES];   /* what failed: "can't open ixgbe:0000:03:00.0" */
  char why[SHUNT_ERROR_TEXT_BYTES];    /* the evidence: a register, an errno, a log line */
  char remedy[SHUNT_ERROR_TEXT_BYTES]; /* what to do about it; may be empty */
};

/* Fill an error and return its code, so that a failing call can end in one line.
 *
 * error    may be NULL: then only the code is returned
 * code     negative errno
 * what     printf format of the first text, with its arguments behind it
 * Thread   any; error is the caller's
 * Returns  code */
int shunt_error_set(struct shunt_error *error, int code, const char *what, ...) SHUNT_PRINTF(3, 4);

/* Say why: the evidence. A text that is too long is cut at the end. error may be NULL. */
void shunt_error_why(struct shunt_error *error, const char *why, ...) SHUNT_PRINTF(2, 3);

/* Say what to do about it. error may be NULL. */
void shunt_error_remedy(struct shunt_error *error, const char *remedy, ...) SHUNT_PRINTF(2, 3);

/* Put the error of a step under the name of the whole: what becomes "<what>: <the step's what>".
 * error may be NULL. Returns code, which is also stored. */
int shunt_error_within(struct shunt_error *error, int code, const char *what, ...)
    SHUNT_PRINTF(3, 4);

/* Write the error as up to three lines ("what", "  why: ...", "  try: ...") into text.
 *
 * text, bytes  where to, and how much fits; always ends in a NUL when bytes > 0
 * Returns      the length without the NUL that the whole text has, as snprintf does */
size_t shunt_error_format(const struct shunt_error *error, char *text, size_t bytes);

/* The reason behind the last errno that a call on this thread returned, of those APIs whose calls
 * have no room for more (ef_vi). What shunt's own calls say stands in their own error.
 *
 * Thread   any; each has its own
 * Returns  it, valid until the thread's next such call fails; its code is 0 where none has */
const struct shunt_error *shunt_last_error(void);

/* Keep an error as this thread's last one: for those APIs. */
void shunt_error_keep(const struct shunt_error *error);

SHUNT_END_DECLS

#endif
