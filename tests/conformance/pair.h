/* SPDX-License-Identifier: BSD-2-Clause */
/* Two ports of one kind, joined: what every conformance case runs on. */
#ifndef TESTS_CONFORMANCE_PAIR_H
#define TESTS_CONFORMANCE_PAIR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "shunt/checksum.h"
#include "shunt/port.h"
#include "shunt/testbed.h"

struct port_driver; /* src/port/driver.h */

/* A kind of device: the name that both ports are opened with. Where twins behind sockets are meant,
 * keys is what each twin is made of, and the names are filled in by served_start. */
struct device {
  const char *label;
  const char *name;
  const char *keys;
  const char *peer_name; /* of the second port; NULL: the same */
  bool kernel;           /* two interfaces of the kernel: frames take a moment, and are real */
  const struct port_driver *driver; /* a test's own, with its prefix; NULL: what the name says */
  const char *prefix;
};

/* shunt_port_open, by the device's driver. */
int device_open(const struct device *device, const char *name,
                const struct shunt_port_options *options, struct shunt_port **port,
                struct shunt_error *error);

struct pair {
  struct shunt_testbed *testbed;
  struct served *served;       /* whose testbed it is; NULL: our own */
  bool kernel;                 /* as the device's */
  struct shunt_region *region; /* both ports' */
  struct shunt_pool *pool;
  struct shunt_port *port[2];
  struct shunt_queue *queue[2]; /* queue 0 of each */
  struct shunt_mac mac[2];
  uint32_t pool_count;
};

#define PAIR_BUFS 3000u

/* Two twins on one wire, each behind a vfio-user socket, with a thread that serves them: what
 * another process would be. Returns NULL with error filled. */
struct served *served_start(struct device *device, struct shunt_error *error);
void served_stop(struct served *served);

/* Two interfaces of the kernel, joined, in a network namespace that this process enters for good.
 * Returns NULL, or why there are none here. */
const char *kernel_pair_make(void);

/* Options of a case: zeroed for the defaults. */
int pair_create(struct pair *pair, const struct device *device, struct served *served,
                const struct shunt_port_options *options, uint32_t buf_bytes,
                struct shunt_error *error);
void pair_destroy(struct pair *pair);

/* Give the devices turns until they are idle; bounded. */
void pair_settle(struct pair *pair);

/* A frame from one end to the other: Ethernet header and bytes counted up from seed. Returns the
 * buffer; the frame is in *frame. */
void pair_build(struct pair *pair, unsigned from, uint32_t bytes, uint8_t seed,
                struct shunt_frame *frame);
uint8_t *pair_data(struct pair *pair, const struct shunt_frame *frame);

/* Send one frame (or its pieces) and settle. */
void pair_send(struct pair *pair, unsigned from, const struct shunt_frame frames[], unsigned n);

/* Take what arrived at an end, up to n, settling in between: wait until least are there, and see
 * whether more follow. */
unsigned pair_receive(struct pair *pair, unsigned at, struct shunt_frame frames[], unsigned n,
                      unsigned least);

/* Give sent buffers back to the pool, and wait in the same way. Returns how many. */
unsigned pair_reclaim(struct pair *pair, unsigned from, unsigned least);
void pair_give(struct pair *pair, const struct shunt_frame frames[], unsigned n);

uint64_t pair_statistic(struct pair *pair, unsigned at, const char *name);

/* IPv4 and UDP in front of payload_bytes of payload; checksums left 0 (UDP: the pseudo header's sum
 * where partial is set). Returns the frame's length. */
uint32_t pair_udp(struct pair *pair, unsigned from, struct shunt_frame *frame, uint16_t source_port,
                  uint32_t payload_bytes, int partial);

#endif
