/* SPDX-License-Identifier: BSD-2-Clause */
/* "key=value&key=value", as behind the ? of a device name, in a testbed's twin and in a
 * configuration file's lines. Keys are taken by whoever knows them; what is left over at the end is
 * a mistake that can be named. */
#ifndef SRC_CORE_PARAMS_H
#define SRC_CORE_PARAMS_H

#include <stdbool.h>

#include "shunt/error.h"

#define PARAMS_MOST       32
#define PARAMS_TEXT_BYTES 1024

struct params {
  unsigned count;
  struct {
    const char *key, *value; /* inside text */
    bool taken;
  } entries[PARAMS_MOST];
  char text[PARAMS_TEXT_BYTES];
};

/* Split text. NULL or "" gives no entries. Returns 0, or -EINVAL: an empty key, no '=', the same
 * key twice, more than PARAMS_MOST entries or PARAMS_TEXT_BYTES bytes. */
int params_parse(struct params *params, const char *text, struct shunt_error *error);

/* Whether a key is given, taken or not. */
bool params_given(const struct params *params, const char *key);

/* The value of a key, now taken, or NULL where it is not given. */
const char *params_take(struct params *params, const char *key);

/* Take a number (decimal or 0x hexadecimal) in least..most; *value stays as it is where the key is
 * not given. Returns 0 or -EINVAL (the error names key, value and range). */
int params_take_u64(struct params *params, const char *key, uint64_t least, uint64_t most,
                    uint64_t *value, struct shunt_error *error);
/* 1/0, yes/no, on/off, true/false. */
int params_take_bool(struct params *params, const char *key, bool *value,
                     struct shunt_error *error);
/* A real number in least..most. */
int params_take_double(struct params *params, const char *key, double least, double most,
                       double *value, struct shunt_error *error);
/* One of names[] (ends with NULL); *index is its place. */
int params_take_choice(struct params *params, const char *key, const char *const names[],
                       unsigned *index, struct shunt_error *error);

/* Write the entries not taken so far as text again, for the next layer. They count as taken here.
 * Returns 0 or -ENOSPC. */
int params_rest(struct params *params, char *text, size_t bytes);

/* 0 where every key was taken; else -EINVAL and an error that names the key and the known ones.
 * known: "queues, rx_ring, ..." */
int params_finish(const struct params *params, const char *known, struct shunt_error *error);

#endif
