/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast groups that a command joins on its device, and leaves at its end: --group A[,B].
 *
 * On an interface of the kernel (xdp:) the kernel joins, and answers the queries of the switch
 * (shunt/multicast.h), for which they have to reach it: so rules that pass them on are put in front
 * of the device's others. A card that the kernel does not have is told to receive the groups;
 * nobody reports them. */
#ifndef TOOLS_SHUNT_GROUPS_H
#define TOOLS_SHUNT_GROUPS_H

#include "shunt/ethernet.h"
#include "shunt/port.h"
#include "tools/shunt/cli.h"

#define GROUPS_MOST 64

struct shunt_multicast;

struct groups {
  const char *text; /* the option's value, or NULL */
  unsigned count;
  struct group {
    char text[46]; /* as inet_ntop writes it */
    bool is_ipv6;
    struct shunt_mac mac; /* frames to the group have it */
  } group[GROUPS_MOST];
  char *name; /* of the device, with rules for the queries */
  struct shunt_multicast *multicast;
};

/* clang-format off */
#define GROUPS_OPTION(groups)                                                                      \
  {"group", 0, "A[,B]", "Join multicast groups, of IPv4 or IPv6, and leave them at the end.",      \
   CLI_TEXT, &(groups)->text, 0, 0}
/* clang-format on */

/* Read the option. Returns 0, or CLI_USAGE after saying what is wrong. */
int groups_check(struct groups *groups, const struct cli *cli);

/* The name to open the device by, which lives as long as groups. */
const char *groups_device(struct groups *groups, const struct cli *cli, const char *argument);

/* Join them all on the port that was opened so. Returns 0 or an exit code, after saying why. */
int groups_join(struct groups *groups, const struct cli *cli, struct shunt_port *port,
                const char *name);

/* What has been joined, for a person and as an array of texts. */
void groups_print(const struct groups *groups);
void groups_json(const struct groups *groups, struct json_object *document);

/* Leave them and free. May be called at any time. */
void groups_close(struct groups *groups);

#endif
