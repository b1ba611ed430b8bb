/* SPDX-License-Identifier: BSD-2-Clause */
/* An end that plays a capture. The file is read frame by frame, one ahead of the time. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/pcapng.h"
#include "twin/wire/wire.h"

struct play {
  struct pcapng_reader *reader;
  struct shunt_wire_end *end;
  double speed;
  uint64_t frames;  /* in the file */
  uint64_t gap_ns;  /* between the last frame and the first of the next loop */
  uint64_t left;    /* over all loops */
  uint64_t in_loop; /* frames that this loop has played */
  bool started, ready;
  struct pcapng_frame frame; /* the next one, if ready */
  uint64_t delay_ns;         /* before the first frame */
  uint64_t loop_ns;          /* when this loop began */
  uint64_t first_ns;         /* the file's time of its first frame */
  uint64_t due_ns;           /* of the next frame; of the last one if not ready */
  uint8_t padded[WIRE_FRAME_LEAST_BYTES];
};

/* ---- Looking through the file ---- */

static int play_check_frame(const struct play *play, const char *path,
                            const struct pcapng_frame *frame, struct shunt_error *error)
{
  if (frame->link_type == PCAPNG_LINK_ETHERNET)
    return 0;
  int code = shunt_error_set(error, -EBADMSG, "can't play the capture %s", path);
  shunt_error_why(error, "at byte %llu: a frame of link type %u; a wire carries Ethernet (1)",
                  (unsigned long long)pcapng_reader_offset(play->reader), frame->link_type);
  return code;
}

/* Read all of it once: so a bad file is refused here, and not half played. */
static int play_scan(struct play *play, const char *path, struct shunt_error *error)
{
  struct pcapng_frame frame;
  uint64_t last_ns = 0;
  int code;
  while ((code = pcapng_reader_next(play->reader, &frame, error)) > 0) {
    code = play_check_frame(play, path, &frame, error);
    if (code < 0)
      return code;
    if (play->frames == 0)
      play->first_ns = last_ns = frame.time_ns;
    if (frame.time_ns > last_ns)
      last_ns = frame.time_ns;
    play->frames++;
  }
  if (code < 0)
    return code;
  if (play->frames == 0) {
    code = shunt_error_set(error, -ENODATA, "can't play the capture %s", path);
    shunt_error_why(error, "there is no frame in it");
    return code;
  }
  /* The next loop follows the last frame as closely as frames follow each other on average. */
  if (play->frames > 1)
    play->gap_ns = (last_ns - play->first_ns) / (play->frames - 1);
  return pcapng_reader_rewind(play->reader, error);
}

/* ---- Playing ---- */

/* A time of the file as a time of the wire. */
static uint64_t play_scale_ns(const struct play *play, uint64_t duration_ns)
{
  if (play->speed == 0)
    return 0;
  double scaled = (double)duration_ns / play->speed;
  return scaled < 0x1p62 ? (uint64_t)scaled : UINT64_C(1) << 62;
}

/* The file was read to its end before; where it has become shorter or unreadable, this ends. */
static void play_fail(struct play *play)
{
  play->end->statistics.outside_errors++;
  play->left = 0;
}

static void play_fetch(struct play *play)
{
  if (play->in_loop == play->frames) {
    play->loop_ns = play->due_ns + play_scale_ns(play, play->gap_ns);
    play->in_loop = 0;
    if (pcapng_reader_rewind(play->reader, NULL) < 0) {
      play_fail(play);
      return;
    }
  }
  if (pcapng_reader_next(play->reader, &play->frame, NULL) <= 0) {
    play_fail(play);
    return;
  }
  play->in_loop++;
  play->ready = true;
  uint64_t since_ns =
      play->frame.time_ns > play->first_ns ? play->frame.time_ns - play->first_ns : 0;
  uint64_t due_ns = play->loop_ns + play_scale_ns(play, since_ns);
  /* Frames that stand in the file out of order keep the file's order. */
  play->due_ns = due_ns > play->due_ns ? due_ns : play->due_ns;
}

static void play_send(struct play *play, uint64_t now_ns)
{
  const struct pcapng_frame *frame = &play->frame;
  struct iovec piece = {.iov_base = (void *)(uintptr_t)frame->data,
                        .iov_len = frame->captured_bytes};
  if (frame->captured_bytes > 0 && frame->captured_bytes < WIRE_FRAME_LEAST_BYTES) {
    memset(play->padded, 0, sizeof(play->padded));
    memcpy(play->padded, frame->data, frame->captured_bytes);
    piece.iov_base = play->padded;
    piece.iov_len = sizeof(play->padded);
  }
  if (shunt_wire_send(play->end, &piece, 1, now_ns) == -EMSGSIZE)
    play->end->statistics.outside_oversized++;
}

static void play_start(struct play *play, uint64_t now_ns)
{
  play->started = true;
  play->loop_ns = now_ns + play->delay_ns;
  play->due_ns = play->loop_ns;
}

static unsigned play_poll(void *context, uint64_t now_ns)
{
  struct play *play = context;
  unsigned frames = 0;
  if (!play->started) {
    if (play->left == 0 || !shunt_wire_carrier(play->end))
      return 0;
    play_start(play, now_ns);
  }
  while (play->left > 0 && frames < WIRE_LOOK_FRAMES) {
    if (!play->ready)
      play_fetch(play);
    if (!play->ready || play->due_ns > now_ns)
      break;
    play->ready = false;
    play->left--;
    frames++;
    play_send(play, now_ns);
  }
  return frames;
}

static uint64_t play_next_ns(void *context)
{
  struct play *play = context;
  if (play->left == 0 || !shunt_wire_carrier(play->end))
    return UINT64_MAX;
  return play->ready ? play->due_ns : 0; /* 0: at the next poll */
}

/* It listens to nobody. */
static void play_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)context;
  (void)frame;
  (void)bytes;
  (void)now_ns;
}

static void play_detached(void *context)
{
  struct play *play = context;
  pcapng_reader_close(play->reader);
  free(play);
}

static const struct shunt_wire_end_ops play_ops = {
    .deliver = play_deliver,
    .poll = play_poll,
    .next_ns = play_next_ns,
    .detached = play_detached,
};

uint64_t shunt_wire_play_left(const struct shunt_wire_end *end)
{
  if (end->ops.poll != play_poll || end->gone)
    return 0;
  const struct play *play = end->context;
  return play->left;
}

/* ---- Set-up ---- */

static int play_options(struct play *play, const struct shunt_play_options *options,
                        uint32_t *loops, struct shunt_error *error)
{
  struct shunt_play_options set = {.size = sizeof(set), .speed = 1};
  int code = wire_take_options(&set, sizeof(set), options, "can't play a capture", error);
  if (code < 0)
    return code;
  play->speed = set.speed;
  play->delay_ns = set.delay_ns;
  *loops = set.loops ? set.loops : 1;
  if (isfinite(play->speed) && play->speed >= 0)
    return 0;
  code = shunt_error_set(error, -EINVAL, "can't play at a speed of %g", play->speed);
  shunt_error_why(error, "1 is the file's own timing, 2 twice as fast, 0 as fast as it goes");
  return code;
}

static int play_open(struct play *play, const char *path, const struct shunt_play_options *options,
                     struct shunt_error *error)
{
  uint32_t loops;
  int code = play_options(play, options, &loops, error);
  if (code == 0)
    code = pcapng_reader_open(path, &play->reader, error);
  if (code == 0)
    code = play_scan(play, path, error);
  if (code < 0)
    return code;
  play->left = play->frames > UINT64_MAX / loops ? UINT64_MAX : play->frames * loops;
  return 0;
}

int shunt_wire_play(struct shunt_wire *wire, const char *path,
                    const struct shunt_play_options *options, struct shunt_wire_end **end,
                    struct shunt_error *error)
{
  struct play *play = calloc(1, sizeof(*play));
  if (play == NULL)
    return shunt_error_set(error, -ENOMEM, "no memory to play %s", path);
  int code = play_open(play, path, options, error);
  if (code == 0) {
    const char *slash = strrchr(path, '/');
    char name[WIRE_NAME_BYTES];
    snprintf(name, sizeof(name), "play %s", slash ? slash + 1 : path);
    code = shunt_wire_attach(wire, name, &play_ops, play, &play->end, error);
  }
  if (code < 0) {
    play_detached(play);
    return code;
  }
  *end = play->end;
  return 0;
}
