/* SPDX-License-Identifier: BSD-2-Clause */
/* The small files of /proc, /sys and /dev, read below a root: "" is this machine, anything else a
 * copy of those directories, such as a test's. */
#ifndef TOOLS_SHUNT_TREE_H
#define TOOLS_SHUNT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shunt/base.h"

#define TREE_PATH_BYTES 512

/* Read a file without the white space at its end. What does not fit is cut.
 *
 * text     left empty where the call fails
 * format   of the path, as printf's, from "/" on
 * Returns  0 or -errno */
int tree_read(const char *root, char *text, size_t bytes, const char *format, ...)
    SHUNT_PRINTF(4, 5);

/* Read a file that begins with a decimal number. Returns 0, -errno, or -EINVAL (no number). */
int tree_number(const char *root, uint64_t *number, const char *format, ...) SHUNT_PRINTF(3, 4);

/* Whether there is such a file or directory, broken links included. */
bool tree_exists(const char *root, const char *format, ...) SHUNT_PRINTF(2, 3);

/* The last part of what a symbolic link points to; empty where there is none. */
void tree_link(const char *root, char *name, size_t bytes, const char *format, ...)
    SHUNT_PRINTF(4, 5);

/* Call visit with the name of each entry of a directory, in alphabetical order, those that begin
 * with a dot left out, until it returns false. Returns how many were visited, or -errno. */
int tree_each(const char *root, const char *path, bool (*visit)(void *context, const char *name),
              void *context);

/* Whether a list of words separated by white space has one. */
bool tree_has_word(const char *words, const char *word);

/* The value behind a key, such as "nohz_full=" of a kernel command line: copied into value, which
 * is empty where the key is not there. Returns whether it is. */
bool tree_word_value(const char *words, const char *key, char *value, size_t bytes);

/* The rest of the line that begins with key, white space left out, as in /proc/self/status. */
bool tree_line_value(const char *text, const char *key, char *value, size_t bytes);

#endif
