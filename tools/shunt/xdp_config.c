/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/xdp_config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct name {
  char *text;
  bool has_keys; /* a '?' stands in it */
};

/* Whether the name has the key: "?key=" or "&key=". */
static bool has_key(const struct name *name, const char *key)
{
  const size_t length = strlen(key);
  const char *at = strchr(name->text, '?');
  for (; at; at = strchr(at + 1, '&'))
    if (!strncmp(at + 1, key, length) && at[1 + length] == '=')
      return true;
  return false;
}

/* The key of a device that an entry of the section stands for; *value becomes its value. */
static const char *translate(const char *key, const char **value)
{
  static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off",
                                                                              "0"};
  if (!strcmp(key, "xdp_mode"))
    return "mode";
  if (strcmp(key, "xdp_zero_copy") != 0)
    return key;
  for (unsigned i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
    if (!strcmp(*value, yes[i]))
      *value = "require";
    else if (!strcmp(*value, no[i]))
      *value = "never";
  }
  return "zero_copy";
}

static int append(void *context, const char *key, const char *value)
{
  struct name *name = context;
  char plain[512];
  const size_t length = strlen(value);
  const char *inside = plain, *key_of_device;
  char *longer;
  if (length >= 2 && length < sizeof(plain) && value[0] == '"' && value[length - 1] == '"') {
    memcpy(plain, value + 1, length - 2);
    plain[length - 2] = '\0';
  } else {
    inside = value;
  }
  key_of_device = translate(key, &inside);
  if (has_key(name, key_of_device))
    return 0;
  if (asprintf(&longer, "%s%c%s=%s", name->text, name->has_keys ? '&' : '?', key_of_device,
               inside) < 0)
    return -1;
  free(name->text);
  name->text = longer;
  name->has_keys = true;
  return 0;
}

const char *xdp_config_name(struct cli_config *config, const char *name)
{
  struct name longer = {.has_keys = strchr(name, '?') != NULL};
  if (!config || strncmp(name, "xdp:", 4) != 0)
    return name;
  longer.text = strdup(name);
  if (!longer.text || cli_config_each(config, "net.xdp", append, &longer)) {
    free(longer.text);
    return name;
  }
  return cli_config_keep(config, longer.text) ? longer.text : name;
}
