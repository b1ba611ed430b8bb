/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the frames come from that shunt send sends: made up, or out of a capture. */
#ifndef TOOLS_SHUNT_SOURCE_H
#define TOOLS_SHUNT_SOURCE_H

#include "shunt/ipv4.h"
#include "src/core/pcapng.h"
#include "tools/shunt/device.h"
#include "tools/shunt/pacing.h"

struct source {
  /* Made-up frames: UDP between two ends. Number and intended time stand at the payload's start
   * where it has room for them: two numbers of 64 bits, big endian. */
  struct shunt_ipv4_ends ends;
  uint16_t source_port, destination_port;
  uint32_t frame_bytes;

  /* A capture. */
  struct pcapng_reader *reader;
  double speed;         /* 1: its own timing; 0: as fast as it goes */
  uint64_t loops;       /* how often */
  uint64_t loop_frames; /* in the file */
  uint64_t first_ns;    /* the file's time of its first frame */
  uint64_t gap_ns;      /* from a loop's last frame to the next one's first */
  uint64_t in_loop;     /* frames of this loop that were read */
  uint64_t loop_ns;     /* when this loop began */
  uint64_t last_due_ns;
  bool replace_mac; /* put ends.destination_mac in place of the capture's */

  uint64_t made; /* frames that source_next has given */
  uint64_t skipped_oversized, padded;
  uint8_t bytes[DEVICE_FRAME_BYTES];
};

/* Read a capture once from beginning to end, so that a bad file is refused before anything is sent.
 * Returns 0 or as pcapng_reader_next; -ENODATA where there is no frame in it. */
int source_open(struct source *source, const char *path, struct shunt_error *error);
void source_close(struct source *source);

/* The capture begins now. */
void source_start(struct source *source, uint64_t now_ns);

/* The next frame, in source->bytes.
 *
 * pacing      tells when a made-up frame is meant to go, and one of a capture where the user wants
 *             another rate than the capture's
 * most_bytes  longer frames of a capture are left out, and counted
 * Returns     its length, 0 where a capture has ended (code 0) or can't be read any more */
uint32_t source_next(struct source *source, const struct pacing *pacing, uint32_t most_bytes,
                     uint64_t *due_ns, int *code, struct shunt_error *error);

#endif
