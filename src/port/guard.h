/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands around a driver's verbs where the bare ones are not enough: a software device that is
 * given its turn by the port's own calls, and the checks of checked ports. */
#ifndef SRC_PORT_GUARD_H
#define SRC_PORT_GUARD_H

#include "src/port/driver.h"

/* Put the guard around every queue's verbs, if the port needs one (a device to step and no testbed
 * of the caller's, or checks). Returns 0 or -ENOMEM. */
int port_guard_install(struct shunt_port *port, struct shunt_error *error);

/* Free the guard; what the NIC still owned is the caller's again. */
void port_guard_remove(struct shunt_port *port);

#endif
