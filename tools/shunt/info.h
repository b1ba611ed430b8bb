/* SPDX-License-Identifier: BSD-2-Clause */
/* The two halves of shunt info: what is here (info.c), and what one device grants (info_port.c). */
#ifndef TOOLS_SHUNT_INFO_H
#define TOOLS_SHUNT_INFO_H

#include "tools/shunt/cli.h"

/* Open a device, show everything that it grants, and close it.
 *
 * wait_seconds  how long to wait for the link to come up; a link that stays down is no failure
 * Returns       an exit code */
int info_port(struct cli *cli, const char *name, double wait_seconds);

#endif
