/* SPDX-License-Identifier: BSD-2-Clause */
/* A process that keeps the right to change interfaces, for one that gives it up: it sleeps until
 * that one has ended, in whatever way, puts back what it has left changed, and ends. It reads
 * nothing from anybody. */
#ifndef TOOLS_SHUNT_KEEPER_H
#define TOOLS_SHUNT_KEEPER_H

#include "shunt/error.h"

/* Start a keeper of this process: `shunt doctor --repair --after PID`, in a session of its own.
 *
 * Nothing is started where this process may not change interfaces, and so has changed none.
 * Returns 0 or -errno */
int keeper_start(struct shunt_error *error);

#endif
