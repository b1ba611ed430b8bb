/* SPDX-License-Identifier: BSD-2-Clause */
/* The halves of shunt info: what is here (info.c), what one device grants (info_port.c), and which
 * way an interface of the kernel gave (info_xdp.c). */
#ifndef TOOLS_SHUNT_INFO_H
#define TOOLS_SHUNT_INFO_H

#include "shunt/xdp.h"
#include "tools/shunt/cli.h"

/* Open a device, show everything that it grants, and close it.
 *
 * wait_seconds  how long to wait for the link to come up; a link that stays down is no failure
 * Returns       an exit code */
int info_port(struct cli *cli, const char *name, double wait_seconds);

/* What AF_XDP granted, as text on standard output and as JSON. */
void info_xdp_print(const struct shunt_xdp_info *xdp);
struct json_object *info_xdp_json(const struct shunt_xdp_info *xdp);

#endif
