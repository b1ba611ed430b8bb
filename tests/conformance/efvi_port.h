/* SPDX-License-Identifier: BSD-2-Clause */
/* A port whose verbs are ef_vi's calls, so that the conformance cases run over ef_vi as over any
 * driver: "efvi:ixgbe:twin?wire=c" is an interface of ef_vi on "ixgbe:twin?wire=c". */
#ifndef TESTS_CONFORMANCE_EFVI_PORT_H
#define TESTS_CONFORMANCE_EFVI_PORT_H

#include "src/port/driver.h"

extern const struct port_driver efvi_port_driver;

/* Why ef_vi has no words for what a case asks for; NULL: it has. */
const char *efvi_port_lacks(const char *name);

#endif
