/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/config.h"

#include <errno.h>
#include <ini.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cli_config {
  struct cli_entry *entries;
  size_t count, room;
  int failed; /* out of memory while reading */
  char **kept;
  size_t kept_count;
};

/* ---- Reading ---- */

struct reading {
  FILE *file;
  struct cli_config *config;
  unsigned line;
  unsigned long_line; /* one that is longer than libinih reads at a time; 0: none */
};

/* For libinih, a line at a time. It would take the rest of a long one for another line. */
static char *read_line(char *text, int bytes, void *context)
{
  struct reading *reading = context;
  if (!fgets(text, bytes, reading->file))
    return NULL;
  reading->line++;
  if (strchr(text, '\n'))
    return text;
  const int next = getc(reading->file);
  if (next == EOF)
    return text;
  reading->long_line = reading->line;
  return NULL;
}

static int add(void *context, const char *section, const char *key, const char *value)
{
  const struct reading *reading = context;
  struct cli_config *config = reading->config;
  if (config->count == config->room) {
    size_t room = config->room ? config->room * 2 : 16;
    struct cli_entry *entries = realloc(config->entries, room * sizeof(*entries));
    if (!entries) {
      config->failed = 1;
      return 0;
    }
    config->entries = entries;
    config->room = room;
  }
  struct cli_entry *entry = &config->entries[config->count++];
  entry->line = reading->line;
  entry->section = strdup(section);
  entry->key = strdup(key ? key : "");
  entry->value = strdup(value ? value : "");
  if (!entry->section || !entry->key || !entry->value)
    config->failed = 1;
  return !config->failed;
}

static int no_memory(struct shunt_error *error)
{
  return shunt_error_set(error, -ENOMEM, "no memory for the configuration");
}

/* libinih says 0, the number of the first bad line, or -1 and -2 for the file and the memory. */
static int read_all(FILE *file, struct cli_config *config, struct shunt_error *error)
{
  struct reading reading = {.file = file, .config = config};
  const int parsed = ini_parse_stream(read_line, &reading, add, &reading);
  if (config->failed || parsed < 0)
    return no_memory(error);
  if (!parsed && !reading.long_line)
    return 0;
  shunt_error_set(error, -EINVAL, "the configuration is wrong in line %u",
                  parsed ? (unsigned)parsed : reading.long_line);
  shunt_error_why(error, parsed ? "it is neither [section] nor key = value"
                                : "it is longer than a line may be (some 200 characters)");
  return -EINVAL;
}

static int read_stream(FILE *file, struct cli_config **config, struct shunt_error *error)
{
  struct cli_config *made = calloc(1, sizeof(*made));
  int code = file && made ? read_all(file, made, error) : no_memory(error);
  if (file)
    fclose(file);
  if (code)
    cli_config_free(made);
  else
    *config = made;
  return code;
}

int cli_config_read(const char *path, struct cli_config **config, struct shunt_error *error)
{
  FILE *file = fopen(path, "r");
  if (!file) {
    int code = -errno;
    shunt_error_set(error, code, "can't read the configuration %s", path);
    shunt_error_why(error, "%s", strerror(-code));
    return code;
  }
  int result = read_stream(file, config, error);
  return result ? shunt_error_within(error, result, "%s", path) : 0;
}

int cli_config_parse(const char *text, struct cli_config **config, struct shunt_error *error)
{
  return read_stream(fmemopen((void *)(uintptr_t)text, strlen(text), "r"), config, error);
}

/* ---- Asking ---- */

void cli_config_free(struct cli_config *config)
{
  if (!config)
    return;
  for (size_t i = 0; i < config->count; i++) {
    free(config->entries[i].section);
    free(config->entries[i].key);
    free(config->entries[i].value);
  }
  for (size_t i = 0; i < config->kept_count; i++)
    free(config->kept[i]);
  free(config->kept);
  free(config->entries);
  free(config);
}

const char *cli_config_keep(struct cli_config *config, char *text)
{
  char **kept = realloc(config->kept, (config->kept_count + 1) * sizeof(*kept));
  if (!kept) {
    free(text);
    return NULL;
  }
  config->kept = kept;
  config->kept[config->kept_count++] = text;
  return text;
}

const char *cli_config_get(const struct cli_config *config, const char *section, const char *key)
{
  const char *value = NULL;
  for (size_t i = 0; config && i < config->count; i++)
    if (!strcmp(config->entries[i].section, section) && !strcmp(config->entries[i].key, key))
      value = config->entries[i].value;
  return value;
}

const char *cli_config_typo(const struct cli_config *config,
                            const char *(*is_typo)(const char *section), const char **meant)
{
  for (size_t i = 0; config && i < config->count; i++)
    if ((*meant = is_typo(config->entries[i].section)) != NULL)
      return config->entries[i].section;
  return NULL;
}

int cli_config_each(const struct cli_config *config, const char *section,
                    int (*visit)(void *context, const struct cli_entry *entry), void *context)
{
  for (size_t i = 0; config && i < config->count; i++) {
    const struct cli_entry *entry = &config->entries[i];
    if (strcmp(entry->section, section) != 0)
      continue;
    int result = visit(context, entry);
    if (result)
      return result;
  }
  return 0;
}
