/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a feed is: its name and the group and port of each line, as both programs take them. */
#ifndef MARKET_DATA_ENDPOINTS_H
#define MARKET_DATA_ENDPOINTS_H

#include <shunt/error.h>

#include "feed.h"

#define ENDPOINTS_FEEDS 16
#define ENDPOINTS_USUAL                                                                            \
  {                                                                                                \
    "alpha=239.192.1.1:26400,239.192.2.1:26400", "beta=239.192.1.2:26401,239.192.2.2:26401"        \
  }

struct endpoint {
  uint32_t group; /* host order */
  uint16_t port;
};

struct endpoints {
  char name[MOLDUDP64_SESSION_BYTES + 1]; /* also the session that the generator gives it */
  struct endpoint lines[FEED_LINES];
};

/* Read "NAME=GROUP:PORT,GROUP:PORT": a name of 1 to 10 letters and digits, line A, line B.
 * Returns 0, or -EINVAL with the rule that was broken. */
int endpoints_parse(const char *text, struct endpoints *endpoints, struct shunt_error *error);

/* Read one and append it to list, which has room for ENDPOINTS_FEEDS. Returns also -EEXIST where a
 * name, or a group and port, is there already, and -ENOSPC. */
int endpoints_append(struct endpoints list[], unsigned *count, const char *text,
                     struct shunt_error *error);

#endif
