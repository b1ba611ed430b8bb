/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library has to say to a person, through a callback of the caller's.
 *
 * The library keeps no log and prints nothing: who opens a port hands it a struct shunt_log, and
 * gets one line of text per event. A NULL log is silent. Nothing is logged on the fast path. */
#ifndef SHUNT_LOG_H
#define SHUNT_LOG_H

#include <stdbool.h>

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

/* A line that is longer is cut. */
#define SHUNT_LOG_TEXT_BYTES 1024

enum shunt_log_level {
  SHUNT_LOG_ERROR,   /* something that was asked for was not done */
  SHUNT_LOG_WARNING, /* it was done, but not as a person would expect */
  SHUNT_LOG_INFO,    /* what was done and granted, once per set-up */
  SHUNT_LOG_DEBUG,   /* each step, for one who looks for a fault */
};

struct shunt_log {
  enum shunt_log_level level; /* write is called for this level and the graver ones */
  /* Called on whatever thread has something to say, one call per line; text has no line feed at its
   * end and lives only during the call. NULL = silent. */
  void (*write)(void *context, enum shunt_log_level level, const char *text);
  void *context;
};

/* Whether a line of this level would be written: to spare the work of making it. */
inline bool shunt_log_wants(const struct shunt_log *log, enum shunt_log_level level)
{
  return log != NULL && log->write != NULL && level <= log->level;
}

/* Write one line.
 *
 * log     may be NULL
 * format  as printf's; no line feed at the end
 * Thread  any that write allows. Never fails. */
void shunt_log_write(const struct shunt_log *log, enum shunt_log_level level, const char *format,
                     ...) SHUNT_PRINTF(3, 4);

/* Write an error as up to three lines: what failed, why, and what to do about it. */
void shunt_log_error(const struct shunt_log *log, enum shunt_log_level level,
                     const struct shunt_error *error);

/* "error", "warning", "info" or "debug"; "unknown" for what is none of them. */
const char *shunt_log_level_name(enum shunt_log_level level);

/* The level of a name, as it stands in a configuration or behind an option.
 *
 * Returns 0 and *level; -EINVAL where name is none of the four */
int shunt_log_level_parse(const char *name, enum shunt_log_level *level);

SHUNT_END_DECLS

#endif
