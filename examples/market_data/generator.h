/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator on a port: sends the feeds, and knows what a receiver should have made of them. */
#ifndef MARKET_DATA_GENERATOR_H
#define MARKET_DATA_GENERATOR_H

#include "publisher.h"
#include "station.h"

struct generator {
  struct station station;
  struct publisher publisher;
};

/* Open the device and prepare the day.
 *
 * options  mac is filled in here
 * Returns  0, or what station_open and publisher_open return */
int generator_open(struct generator *generator, const char *name, struct shunt_testbed *testbed,
                   const struct endpoints endpoints[], unsigned count,
                   struct publisher_options options, struct shunt_error *error);
void generator_close(struct generator *generator);

/* One turn: send what is due. What arrives is not looked at. Returns how much was done, or a
 * negative errno. */
int generator_round(struct generator *generator, uint64_t now_ns);

/* All is sent, and the NIC says so. */
bool generator_is_done(struct generator *generator);

void generator_report(const struct generator *generator, FILE *file);

#endif
