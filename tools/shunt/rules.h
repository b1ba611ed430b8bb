/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of a port of AF_XDP, and what each has counted, in the reports of the commands. */
#ifndef TOOLS_SHUNT_RULES_H
#define TOOLS_SHUNT_RULES_H

#include "shunt/port.h"
#include "tools/shunt/cli.h"

/* An array of {id, rule, packets, bytes}, in the order in which they are tried; NULL where the port
 * has none. The numbers are null where nobody can tell them any more. */
struct json_object *rules_json(struct shunt_port *port);

/* For a person, from such an array (NULL prints nothing): all of a few rules, of many those that
 * have matched (where none has, the first), and how many there are besides.
 *
 * port  what the lines begin with, where there are several ports; else "" */
void rules_print(struct json_object *rules, const char *port);

#endif
