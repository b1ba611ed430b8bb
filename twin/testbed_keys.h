/* SPDX-License-Identifier: BSD-2-Clause */
/* What a twin's name says, read and checked: the keys of shunt/testbed.h. */
#ifndef TWIN_TESTBED_KEYS_H
#define TWIN_TESTBED_KEYS_H

#include "shunt/twin.h"
#include "src/core/params.h"

#define TESTBED_NAME_BYTES 64

enum testbed_kind { TESTBED_IXGBE, TESTBED_EFA };

struct testbed_keys {
  struct params params; /* the texts below are inside */
  enum testbed_kind kind;
  const char *wire; /* NULL: one of its own */
  struct shunt_mac mac;
  struct shunt_twin_ixgbe_options ixgbe; /* of the kind that it is */
  struct shunt_twin_efa_options efa;
  bool mac_is_made;     /* none was given */
  const char *wire_key; /* the first key that is about the wire; NULL: there is none */
  const char *tap, *udp, *record, *play;
  struct shunt_tap_options tap_options;
  struct shunt_play_options play_options;
  bool has_seed;
  uint64_t seed;
  bool impaired;                        /* any of these is given */
  struct shunt_impairments impairments; /* in range */
};

/* Which kind of twin is called so. Returns 0 or -EINVAL. */
int testbed_kind_read(const char *name, enum testbed_kind *kind, struct shunt_error *error);

/* Read the keys of a twin.
 *
 * number  the twin's, in the order of creation: chooses the MAC address that none is given for
 * Returns 0 or -EINVAL */
int testbed_keys_read(struct testbed_keys *keys, enum testbed_kind kind, const char *text,
                      unsigned number, struct shunt_error *error);

#endif
