/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/xdp_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/params.h"
#include "src/nic/xdp/xdp.h"

#define SECTION "net.xdp"

/* ---- One entry ---- */

/* What an entry stands for: a key of a device's name, and its value. */
struct setting {
  const char *key;
  char value[PARAMS_TEXT_BYTES];
};

/* The values of the guide, besides zero_copy's own. */
static void translate_zero_copy(struct setting *setting)
{
  static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off",
                                                                              "0"};
  for (unsigned i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
    if (!strcmp(setting->value, yes[i]))
      strcpy(setting->value, "require");
    else if (!strcmp(setting->value, no[i]))
      strcpy(setting->value, "never");
  }
}

static struct setting translate(const struct cli_entry *entry)
{
  struct setting setting = {.key = entry->key};
  size_t length = strlen(entry->value);
  const bool quoted = length >= 2 && entry->value[0] == '"' && entry->value[length - 1] == '"';
  snprintf(setting.value, sizeof(setting.value), "%.*s", (int)(quoted ? length - 2 : length),
           entry->value + quoted);
  if (!strcmp(entry->key, "xdp_mode"))
    setting.key = "mode";
  if (!strcmp(entry->key, "xdp_zero_copy")) {
    setting.key = "zero_copy";
    translate_zero_copy(&setting);
  }
  return setting;
}

/* ---- Whether they are right ---- */

/* A device's name may yet bring a longer ring, on which tx_report_interval depends. */
static const struct shunt_port_options longest = {.size = sizeof(longest), .tx_ring = 4096};

struct checking {
  const struct cli_config *config;
  const struct cli_entry *entry; /* that is looked at */
  const char *key;               /* that it stands for */
  char all[PARAMS_TEXT_BYTES];   /* those before it, as behind a name */
  struct shunt_error *error;
};

static int find_twice(void *context, const struct cli_entry *other)
{
  const struct checking *checking = context;
  const struct setting setting = translate(other);
  if (other == checking->entry)
    return 1; /* only those before it */
  if (strcmp(setting.key, checking->key) != 0)
    return 0;
  shunt_error_set(checking->error, -EINVAL, "the key %s is given twice", checking->key);
  shunt_error_why(checking->error, "by %s in line %u, and by %s", other->key, other->line,
                  checking->entry->key);
  return -EINVAL;
}

static int check_entry(void *context, const struct cli_entry *entry)
{
  struct checking *checking = context;
  const struct setting setting = translate(entry);
  const size_t used = strlen(checking->all), room = sizeof(checking->all) - used;
  checking->entry = entry;
  checking->key = setting.key;
  if (cli_config_each(checking->config, SECTION, find_twice, checking) < 0)
    return -EINVAL;
  if (strchr(setting.value, '&')) {
    shunt_error_set(checking->error, -EINVAL, "the value of %s has an &", entry->key);
    shunt_error_why(checking->error, "it would end there");
    return -EINVAL;
  }
  if (!strcmp(setting.key, "rules_file"))
    return 0;
  if ((size_t)snprintf(checking->all + used, room, "%s%s=%s", used ? "&" : "", setting.key,
                       setting.value) >= room) {
    shunt_error_set(checking->error, -EINVAL, "it is too long for a device's name");
    shunt_error_why(checking->error, "%zu characters are the most", sizeof(checking->all) - 1);
    return -EINVAL;
  }
  return xdp_keys_check(checking->all + used + (used > 0), &longest, checking->error);
}

int xdp_config_check(const struct cli_config *config, unsigned *line, struct shunt_error *error)
{
  struct checking checking = {.config = config, .error = error};
  int code = cli_config_each(config, SECTION, check_entry, &checking);
  *line = code ? checking.entry->line : 0;
  return code ? code : xdp_keys_check(checking.all, &longest, error);
}

/* ---- Behind a name ---- */

struct name {
  const char *given;
  char *text; /* with what was put behind it so far */
};

/* The value of a key that the name has: "?key=" or "&key="; else NULL. */
static const char *value_of(const char *name, const char *key)
{
  const size_t length = strlen(key);
  const char *at = strchr(name, '?');
  for (; at; at = strchr(at + 1, '&'))
    if (!strncmp(at + 1, key, length) && at[1 + length] == '=')
      return at + 2 + length;
  return NULL;
}

/* Whether the name has the key. join=0 and helper=0 say nothing against another key. */
static bool says(const char *name, const char *key)
{
  static const char *const off[] = {"0", "no", "off", "false"};
  const char *value = value_of(name, key);
  const size_t length = value ? strcspn(value, "&") : 0;
  if (!value || (strcmp(key, "join") != 0 && strcmp(key, "helper") != 0))
    return value != NULL;
  for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++)
    if (strlen(off[i]) == length && !strncmp(value, off[i], length))
      return false;
  return true;
}

static bool displaced(const char *name, const char *key)
{
  static const char *const families[][4] = {{"mode", "hw", "drv", "skb"},
                                            {"zero_copy", "copy"},
                                            {"rules", "rules_file", "join"},
                                            {"helper", "join"}};
  if (value_of(name, key))
    return true;
  for (unsigned i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
    bool member = false, said = false;
    for (unsigned k = 0; k < 4 && families[i][k]; k++) {
      member |= !strcmp(key, families[i][k]);
      said |= says(name, families[i][k]);
    }
    if (member && said)
      return true;
  }
  return false;
}

static int append(void *context, const struct cli_entry *entry)
{
  struct name *name = context;
  const struct setting setting = translate(entry);
  char *longer;
  if (displaced(name->given, setting.key))
    return 0;
  if (asprintf(&longer, "%s%c%s=%s", name->text, strchr(name->text, '?') ? '&' : '?', setting.key,
               setting.value) < 0)
    return -ENOMEM;
  free(name->text);
  name->text = longer;
  return 0;
}

const char *xdp_config_name(struct cli_config *config, const char *name)
{
  struct name longer = {.given = name};
  if (!config || strncmp(name, "xdp:", 4) != 0)
    return name;
  longer.text = strdup(name);
  if (!longer.text || cli_config_each(config, SECTION, append, &longer)) {
    free(longer.text);
    return name;
  }
  return cli_config_keep(config, longer.text) ? longer.text : name;
}
