/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: INI (libinih). A section [COMMAND] holds that command's long options as
 * keys; [shunt] holds those that all commands have; [devices] holds aliases of device names, and
 * [net.xdp] keys of every xdp: device (xdp_config.h).
 *
 *   [devices]
 *   feed = ixgbe:0000:03:00.0?queues=4
 *   [echo]
 *   batch = 8
 */
#ifndef TOOLS_SHUNT_CONFIG_H
#define TOOLS_SHUNT_CONFIG_H

#include <stddef.h>

#include "shunt/error.h"

struct cli_config;

struct cli_entry {
  char *section, *key, *value;
  unsigned line; /* of the file, from 1 on */
};

/* Read a file, or text that is in memory already. Returns 0, -EINVAL (line and reason), or the
 * errno of reading. */
int cli_config_read(const char *path, struct cli_config **config, struct shunt_error *error);
int cli_config_parse(const char *text, struct cli_config **config, struct shunt_error *error);
void cli_config_free(struct cli_config *config);

/* The value of a key of a section, or NULL; the last of several wins. config may be NULL. */
const char *cli_config_get(const struct cli_config *config, const char *section, const char *key);

/* Call visit for each entry of a section until it returns non-zero; returns that, or 0. */
int cli_config_each(const struct cli_config *config, const char *section,
                    int (*visit)(void *context, const struct cli_entry *entry), void *context);

/* The first section that has entries and that is_typo finds to be one; NULL: none. meant is what it
 * was meant to be. */
const char *cli_config_typo(const struct cli_config *config,
                            const char *(*is_typo)(const char *section), const char **meant);

/* Take over an allocated text, which is freed with config. Returns it, or NULL where there is no
 * memory and the text is gone. */
const char *cli_config_keep(struct cli_config *config, char *text);

#endif
