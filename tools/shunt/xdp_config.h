/* SPDX-License-Identifier: BSD-2-Clause */
/* [net.xdp] of the configuration file: keys for every xdp: device that is named on the command
 * line.
 *
 *   xdp_mode       skb, drv, hw or auto: the key mode
 *   xdp_zero_copy  true: the key zero_copy=require; false: never; or one of its own words
 *   any other      the key of that name (shunt/xdp.h, shunt/port.h)
 *
 * A value may stand in quotes. */
#ifndef TOOLS_SHUNT_XDP_CONFIG_H
#define TOOLS_SHUNT_XDP_CONFIG_H

#include "tools/shunt/config.h"

/* Whether the section says what a device could be opened with: keys that there are, each once, with
 * values that each takes and that go together. What rules_file names is not read.
 *
 * line     of the entry that is wrong; 0: none is by itself
 * Returns  0, also where config is NULL or has no such section; -EINVAL, -ENOMEM */
int xdp_config_check(const struct cli_config *config, unsigned *line, struct shunt_error *error);

/* Put the section's keys behind the name of an xdp: device, but for those that the name has itself,
 * and those that contradict what the name has: of mode, hw, drv and skb, of zero_copy and copy, of
 * rules, rules_file and join, of helper and join it has all or nothing.
 *
 * Names of other drivers come back as they are; so does every name where config is NULL or has no
 * such section, or there is no memory.
 *
 * Returns name, or a longer one that lives as long as config */
const char *xdp_config_name(struct cli_config *config, const char *name);

#endif
