/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
  char *section, *key, *value;
};

struct cli_config {
  struct entry *entries;
  size_t count, room;
  int failed; /* out of memory while reading */
  char **kept;
  size_t kept_count;
};

static int add(void *context, const char *section, const char *key, const char *value)
{
  struct cli_config *config = context;
  if (config->count == config->room) {
    size_t room = config->room ? config->room * 2 : 16;
    struct entry *entries = realloc(config->entries, room * sizeof(*entries));
    if (!entries) {
      config->failed = 1;
      return 0;
    }
    config->entries = entries;
    config->room = room;
  }
  struct entry *entry = &config->entries[config->count++];
  entry->section = strdup(section);
  entry->key = strdup(key ? key : "");
  entry->value = strdup(value ? value : "");
  if (!entry->section || !entry->key || !entry->value)
    config->failed = 1;
  return !config->failed;
}

/* libinih: 0, the number of the first bad line, or -1 and -2 for the file and the memory. */
static int finish(struct cli_config *made, int parsed, struct cli_config **config,
                  struct shunt_error *error)
{
  if (!parsed && !made->failed) {
    *config = made;
    return 0;
  }
  int failed = made->failed;
  cli_config_free(made);
  if (failed || parsed < 0)
    return shunt_error_set(error, -ENOMEM, "no memory for the configuration");
  shunt_error_set(error, -EINVAL, "the configuration is wrong in line %d", parsed);
  shunt_error_why(error, "it is neither [section] nor key = value, or it is too long");
  return -EINVAL;
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
  struct cli_config *made = calloc(1, sizeof(*made));
  if (!made) {
    fclose(file);
    return shunt_error_set(error, -ENOMEM, "no memory for the configuration");
  }
  int parsed = ini_parse_file(file, add, made);
  fclose(file);
  int result = finish(made, parsed, config, error);
  return result ? shunt_error_within(error, result, "%s", path) : 0;
}

int cli_config_parse(const char *text, struct cli_config **config, struct shunt_error *error)
{
  struct cli_config *made = calloc(1, sizeof(*made));
  if (!made)
    return shunt_error_set(error, -ENOMEM, "no memory for the configuration");
  return finish(made, ini_parse_string(text, add, made), config, error);
}

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
                    int (*visit)(void *context, const char *key, const char *value), void *context)
{
  for (size_t i = 0; config && i < config->count; i++) {
    const struct entry *entry = &config->entries[i];
    if (strcmp(entry->section, section) != 0)
      continue;
    int result = visit(context, entry->key, entry->value);
    if (result)
      return result;
  }
  return 0;
}
