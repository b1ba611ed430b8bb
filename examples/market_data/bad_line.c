/* SPDX-License-Identifier: BSD-2-Clause */
#include "bad_line.h"

#include <string.h>

void bad_line_init(struct bad_line *line, const struct impairments *chances, uint64_t seed,
                   void (*send)(void *context, const void *frame, uint32_t bytes), void *context)
{
  *line = (struct bad_line){.chances = *chances,
                            .losses = random_stream(seed, 1),
                            .duplicates = random_stream(seed, 2),
                            .reorders = random_stream(seed, 3),
                            .send = send,
                            .context = context};
}

bool bad_line_loses(struct bad_line *line)
{
  return random_chance(&line->losses, line->chances.loss);
}

void bad_line_lose(struct bad_line *line)
{
  line->offered++;
  line->lost++;
}

static void send(struct bad_line *line, const void *frame, uint32_t bytes)
{
  line->sent++;
  line->send(line->context, frame, bytes);
  if (!random_chance(&line->duplicates, line->chances.duplicate))
    return;
  line->sent++;
  line->duplicated++;
  line->send(line->context, frame, bytes);
}

/* Returns false where as many are held back as can be. */
static bool hold(struct bad_line *line, const void *frame, uint32_t bytes, uint32_t after)
{
  for (unsigned i = 0; i < BAD_LINE_HELD; i++) {
    struct bad_line_held *held = &line->held[i];
    if (held->bytes)
      continue;
    held->bytes = bytes;
    held->after = after;
    memcpy(held->frame, frame, bytes);
    return true;
  }
  return false;
}

static void release(struct bad_line *line, uint32_t passed)
{
  for (unsigned i = 0; i < BAD_LINE_HELD; i++) {
    struct bad_line_held *held = &line->held[i];
    held->after -= held->after < passed ? held->after : passed;
    if (!held->bytes || held->after)
      continue;
    send(line, held->frame, held->bytes);
    held->bytes = 0;
  }
}

void bad_line_send(struct bad_line *line, const void *frame, uint32_t bytes)
{
  bool reorder = random_chance(&line->reorders, line->chances.reorder);
  uint32_t after = 1 + (uint32_t)random_below(&line->reorders, BAD_LINE_HELD);
  line->offered++;
  if (reorder && hold(line, frame, bytes, after + 1)) /* this call lets none pass */
    line->reordered++;
  else
    send(line, frame, bytes);
  release(line, 1);
}

void bad_line_flush(struct bad_line *line)
{
  release(line, UINT32_MAX);
}
