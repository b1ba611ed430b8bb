/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vfio-user peer says of itself in VFIO_USER_VERSION: the JSON behind the version. */
#ifndef SRC_VFIO_USER_CAPABILITIES_H
#define SRC_VFIO_USER_CAPABILITIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum capability {
  CAPABILITY_MSG_FDS,        /* descriptors that it takes in one message */
  CAPABILITY_XFER_BYTES,     /* most data of one read or write */
  CAPABILITY_DMA_MAPS,       /* most ranges of memory at a time */
  CAPABILITY_PGSIZES,        /* sizes of pages that ranges are made of, or'ed */
  CAPABILITY_WRITE_MULTIPLE, /* 1: takes VFIO_USER_REGION_WRITE_MULTI */
  CAPABILITIES,
};

struct capabilities {
  uint64_t value[CAPABILITIES];
  bool given[CAPABILITIES]; /* named by the peer; the others have their defaults */
};

/* Bytes that are enough for capabilities_write. */
#define CAPABILITIES_TEXT_BYTES 256

/* Read what follows the version numbers in a message; nothing is allowed, and means the defaults.
 *
 * Returns 0, or -EINVAL with *why a constant phrase */
int capabilities_read(struct capabilities *capabilities, const void *data, size_t bytes,
                      const char **why);

/* Write those that are given. Returns the length with the NUL that ends it. */
size_t capabilities_write(const struct capabilities *capabilities,
                          char text[CAPABILITIES_TEXT_BYTES]);

#endif
