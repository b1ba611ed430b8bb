/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

extern inline bool shunt_log_wants(const struct shunt_log *log, enum shunt_log_level level);

static const char *const log_level_names[] = {
    [SHUNT_LOG_ERROR] = "error",
    [SHUNT_LOG_WARNING] = "warning",
    [SHUNT_LOG_INFO] = "info",
    [SHUNT_LOG_DEBUG] = "debug",
};

#define LOG_LEVELS (sizeof log_level_names / sizeof log_level_names[0])

void shunt_log_write(const struct shunt_log *log, enum shunt_log_level level, const char *format,
                     ...)
{
  if (!shunt_log_wants(log, level))
    return;
  char text[SHUNT_LOG_TEXT_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  log->write(log->context, level, text);
}

void shunt_log_error(const struct shunt_log *log, enum shunt_log_level level,
                     const struct shunt_error *error)
{
  if (!shunt_log_wants(log, level))
    return;
  char text[SHUNT_LOG_TEXT_BYTES];
  shunt_error_format(error, text, sizeof text);
  char *rest = text;
  while (rest != NULL && *rest != '\0') {
    char *line = strsep(&rest, "\n");
    log->write(log->context, level, line);
  }
}

const char *shunt_log_level_name(enum shunt_log_level level)
{
  return (size_t)level < LOG_LEVELS ? log_level_names[level] : "unknown";
}

int shunt_log_level_parse(const char *name, enum shunt_log_level *level)
{
  for (size_t i = 0; i < LOG_LEVELS; i++) {
    if (strcmp(name, log_level_names[i]) == 0) {
      *level = (enum shunt_log_level)i;
      return 0;
    }
  }
  return -EINVAL;
}
