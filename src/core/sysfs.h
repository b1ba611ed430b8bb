/* SPDX-License-Identifier: BSD-2-Clause */
/* Small files of /sys and /proc, read whole. */
#ifndef SHUNT_CORE_SYSFS_H
#define SHUNT_CORE_SYSFS_H

#include <stddef.h>

/* Read a text file into text, without the white space at its end.
 *
 * text, bytes  where to, and how much fits with the NUL; left empty where the call fails
 * Returns      0; -errno of open or read; -E2BIG where the file is longer than text */
int sysfs_read(const char *path, char *text, size_t bytes);

/* Read a file that holds one decimal number, which may be negative, into *value.
 *
 * Returns 0; -errno as sysfs_read; -EINVAL where the text is no such number */
int sysfs_read_int(const char *path, int *value);

#endif
