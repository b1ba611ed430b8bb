/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library's own set-up code says most often: a system call failed with this errno. */
#ifndef SHUNT_CORE_ERROR_INTERNAL_H
#define SHUNT_CORE_ERROR_INTERNAL_H

#include "shunt/error.h"

/* shunt_error_set, with the errno's description and name as the reason:
 *   return error_set_errno(error, -errno, "can't open %s", path);
 *
 * error  may be NULL: then only the code is returned
 * code   negative errno
 * Returns code */
int error_set_errno(struct shunt_error *error, int code, const char *what, ...) SHUNT_PRINTF(3, 4);

/* Put the description and the name of an errno in the error's why: "No such file or directory
 * (ENOENT)". code may have either sign; error may be NULL. */
void error_why_errno(struct shunt_error *error, int code);

#endif
