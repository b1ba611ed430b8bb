/* SPDX-License-Identifier: BSD-2-Clause */
/* A bad line: what becomes of each frame that is sent on it. It is lost, or held back until up to
 * BAD_LINE_HELD later ones have passed, or sent twice.
 *
 * Each kind of decision has a stream of random numbers of its own, so which frames are lost under a
 * seed does not depend on what else is turned on. Time plays no part: the same frames go out in the
 * same order at each run. */
#ifndef MARKET_DATA_BAD_LINE_H
#define MARKET_DATA_BAD_LINE_H

#include "random.h"

#define BAD_LINE_HELD        8
#define BAD_LINE_FRAME_BYTES 1514
/* The most frames that one call sends. */
#define BAD_LINE_FRAMES (2 * (BAD_LINE_HELD + 1))

/* Probabilities, 0 to 1. */
struct impairments {
  double loss, duplicate, reorder;
};

struct bad_line_held {
  uint32_t bytes; /* 0: free */
  uint32_t after; /* as many later frames go first */
  uint8_t frame[BAD_LINE_FRAME_BYTES];
};

struct bad_line {
  struct impairments chances;
  uint64_t losses, duplicates, reorders; /* streams */
  struct bad_line_held held[BAD_LINE_HELD];
  void (*send)(void *context, const void *frame, uint32_t bytes);
  void *context;
  uint64_t offered, sent, lost, duplicated, reordered;
};

/* seed  another one for each line
 * send  takes a frame, which is valid during the call only */
void bad_line_init(struct bad_line *line, const struct impairments *chances, uint64_t seed,
                   void (*send)(void *context, const void *frame, uint32_t bytes), void *context);

/* Is the next frame to be lost? To be asked once for each, before bad_line_send. */
bool bad_line_loses(struct bad_line *line);

/* Send a frame of up to BAD_LINE_FRAME_BYTES that is not lost, or hold it back; and those whose
 * turn it is. */
void bad_line_send(struct bad_line *line, const void *frame, uint32_t bytes);

/* Count a frame that is lost. */
void bad_line_lose(struct bad_line *line);

/* Send all that is held back. */
void bad_line_flush(struct bad_line *line);

#endif
