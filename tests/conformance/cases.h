/* SPDX-License-Identifier: BSD-2-Clause */
/* The cases that run over every device, by theme: one file and one table for each. */
#ifndef TESTS_CONFORMANCE_CASES_H
#define TESTS_CONFORMANCE_CASES_H

#include "conformance/pair.h"

struct conformance_case {
  const char *name;
  void (*run)(const struct device *device);
};

#define CASE(function)                                                                             \
  {                                                                                                \
#function, function                                                                            \
  }

/* Each ends with an entry whose name is NULL. */
extern const struct conformance_case ports_cases[], frames_cases[], settings_cases[];

/* Two ports of the device. Fails the case where they can't be had, and skips it where the device
 * has no such ability. */
void case_open(struct pair *pair, const struct device *device,
               const struct shunt_port_options *options, uint32_t buf_bytes);

/* A call that asks for an ability has returned that: where the device has none, skip the case. */
void case_skip_without(struct pair *pair, int result, const struct shunt_error *error);

#endif
