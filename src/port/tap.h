/* SPDX-License-Identifier: BSD-2-Clause */
/* What makes a port attachable: two verbs that record what the NIC gave and what it was given while
 * somebody captures it. shunt/capture.h is the other side, tap_layout.h what lies between. */
#ifndef SRC_PORT_TAP_H
#define SRC_PORT_TAP_H

#include "src/port/driver.h"

/* Put the tap around every queue's verbs, outside of the guard, if the port was opened with
 * capture; so a frame that a checked port refuses is not recorded. Returns 0, -ENOMEM, or the errno
 * of making the shared memory. */
int port_tap_install(struct shunt_port *port, struct shunt_error *error);

/* Tell whoever captures that no more will come, and take the tap off. */
void port_tap_remove(struct shunt_port *port);

#endif
