/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader's parts: capture_find.c looks for ports, capture.c takes records out of their memory.
 */
#ifndef SRC_PORT_CAPTURE_H
#define SRC_PORT_CAPTURE_H

#include <stdbool.h>

#include "shunt/capture.h"
#include "src/port/tap_layout.h"

/* Whether a header is sound, and the file as long as it says. Returns 0 or -EBADMSG.
 *
 * header  a copy: what lies in the shared memory may change between two looks */
int capture_check_header(const struct tap_header *header, uint64_t file_bytes,
                         struct shunt_error *error);

/* Begin a session on memory that is laid out as tap_layout.h says; shunt_capture_attach without the
 * file and the process around it.
 *
 * populate  have the kernel provide the rings' pages now: memory must be a mapping
 * Owner     memory stays the caller's, and must outlive the capture
 * Returns   as shunt_capture_attach */
int capture_begin(void *memory, uint64_t bytes, bool populate,
                  const struct shunt_capture_options *options, struct shunt_capture **capture,
                  struct shunt_error *error);

/* Open the shared memory of a port, and hold its process. Both descriptors are the caller's.
 *
 * pidfd   becomes readable when the process has ended
 * Returns 0, -ESRCH, -EPERM, or another errno */
int capture_open(const struct shunt_capture_port *port, int *fd, int *pidfd,
                 struct shunt_error *error);

/* Zero the sessions that a killed reader has left: nobody has the lock that it had held. Returns
 * whether somebody captures the port now. */
bool capture_end_orphans(int fd, uint32_t queues);

#endif
