/* SPDX-License-Identifier: BSD-2-Clause */
/* Device names: "driver:location?key=value&key=value". */
#ifndef SRC_PORT_NAME_H
#define SRC_PORT_NAME_H

#include "shunt/port.h"
#include "src/core/params.h"

#define PORT_NAME_REMEDY "write driver:location, such as ixgbe:0000:03:00.0, ixgbe:twin or xdp:eth0"

struct port_name {
  char driver[16];
  char location[128];
  struct params params;
};

/* Split a name. The location is all between the first ':' and the first '?', and may hold colons
 * of its own. Returns 0, or -EINVAL with the rule that the name breaks. */
int port_name_parse(struct port_name *name, const char *text, struct shunt_error *error);

/* Complete options: the caller's (NULL: none), then the keys of the name that every device knows,
 * then the defaults; check every range. Returns 0 or -EINVAL. */
int port_options_complete(struct shunt_port_options *options,
                          const struct shunt_port_options *given, struct params *params,
                          struct shunt_error *error);

/* The keys that port_options_complete takes, for error texts. */
extern const char port_option_keys[];

#endif
