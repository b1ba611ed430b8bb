/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt capture: which port is meant (capture_port.c), and recording it (capture.c). */
#ifndef TOOLS_SHUNT_CAPTURE_H
#define TOOLS_SHUNT_CAPTURE_H

#include "shunt/capture.h"
#include "tools/shunt/cli.h"

/* List the ports that can be captured. Returns the exit code. */
int capture_list(const struct cli *cli);

/* Find the port that the argument means: the only one of the process of that number, or the one of
 * that name, whose keys may be left out.
 *
 * Returns 1, 0 where no open port is meant, or -1 - exit code with the error reported */
int capture_find(const struct cli *cli, const char *argument, struct shunt_capture_port *port);

/* Find the port that this process has opened by that name. Returns the exit code. */
int capture_find_own(const struct cli *cli, const char *name, struct shunt_capture_port *port);

#endif
