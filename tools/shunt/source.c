/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/source.h"

#include <errno.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/udp.h"

#define LEAST_BYTES 17 /* what the 82599 sends at least (datasheet 7.2.3.2.4) */
#define MARK_BYTES  16 /* number and intended time */

/* ---- Made-up frames ---- */

static void store_be64(uint8_t *at, uint64_t value)
{
  shunt_store_be32(at, (uint32_t)(value >> 32));
  shunt_store_be32(at + 4, (uint32_t)value);
}

static uint32_t make(struct source *source, uint64_t due_ns)
{
  uint8_t *payload = source->bytes + SHUNT_UDP_PAYLOAD_START;
  uint32_t payload_bytes = source->frame_bytes - SHUNT_UDP_PAYLOAD_START;
  if (payload_bytes >= MARK_BYTES) {
    store_be64(payload, source->made);
    store_be64(payload + 8, due_ns);
  }
  return shunt_udp_frame_build(source->bytes, sizeof(source->bytes), &source->ends,
                               source->source_port, source->destination_port, NULL, payload_bytes);
}

/* ---- A capture ---- */

static int scan(struct source *source, const char *path, struct shunt_error *error)
{
  struct pcapng_frame frame;
  uint64_t last_ns = 0;
  int code;
  while ((code = pcapng_reader_next(source->reader, &frame, error)) > 0) {
    if (frame.link_type != PCAPNG_LINK_ETHERNET) {
      shunt_error_set(error, -EBADMSG, "can't send the capture %s", path);
      shunt_error_why(error, "at byte %llu: a frame of link type %u, where Ethernet (1) is wanted",
                      (unsigned long long)pcapng_reader_offset(source->reader), frame.link_type);
      return -EBADMSG;
    }
    if (!source->loop_frames++)
      source->first_ns = last_ns = frame.time_ns;
    last_ns = frame.time_ns > last_ns ? frame.time_ns : last_ns;
  }
  if (code < 0)
    return code;
  if (!source->loop_frames) {
    shunt_error_set(error, -ENODATA, "can't send the capture %s", path);
    shunt_error_why(error, "there is no frame in it");
    return -ENODATA;
  }
  /* The next loop follows as closely as frames follow each other on average. */
  if (source->loop_frames > 1)
    source->gap_ns = (last_ns - source->first_ns) / (source->loop_frames - 1);
  return pcapng_reader_rewind(source->reader, error);
}

int source_open(struct source *source, const char *path, struct shunt_error *error)
{
  int code = pcapng_reader_open(path, &source->reader, error);
  return code ? code : scan(source, path, error);
}

void source_close(struct source *source)
{
  pcapng_reader_close(source->reader);
  source->reader = NULL;
}

void source_start(struct source *source, uint64_t now_ns)
{
  source->loop_ns = source->last_due_ns = now_ns;
}

static uint64_t scale_ns(const struct source *source, uint64_t duration_ns)
{
  return source->speed > 0 ? (uint64_t)((double)duration_ns / source->speed) : 0;
}

static int begin_loop(struct source *source, struct shunt_error *error)
{
  source->in_loop = 0;
  source->loops--;
  source->loop_ns = source->last_due_ns + scale_ns(source, source->gap_ns);
  return pcapng_reader_rewind(source->reader, error);
}

/* Copy a frame of the file; the destination replaced and zeros behind it, where need be. */
static uint32_t copy(struct source *source, const struct pcapng_frame *frame)
{
  uint32_t bytes = frame->captured_bytes;
  memcpy(source->bytes, frame->data, bytes);
  if (bytes < LEAST_BYTES) {
    memset(source->bytes + bytes, 0, LEAST_BYTES - bytes);
    bytes = LEAST_BYTES;
    source->padded++;
  }
  if (source->replace_mac)
    memcpy(source->bytes, &source->ends.destination_mac, sizeof(source->ends.destination_mac));
  return bytes;
}

static uint32_t read_frame(struct source *source, uint32_t most_bytes, uint64_t *due_ns, int *code,
                           struct shunt_error *error)
{
  struct pcapng_frame frame = {0};
  for (;;) {
    if (source->in_loop == source->loop_frames) {
      if (source->loops <= 1)
        return 0;
      *code = begin_loop(source, error);
    }
    int got = *code ? *code : pcapng_reader_next(source->reader, &frame, error);
    if (got == 0) {
      got = -EBADMSG;
      shunt_error_set(error, got, "the capture has become shorter while it was sent");
    }
    if (got < 0) {
      *code = got;
      return 0;
    }
    source->in_loop++;
    uint64_t since_ns = frame.time_ns > source->first_ns ? frame.time_ns - source->first_ns : 0;
    *due_ns = source->loop_ns + scale_ns(source, since_ns);
    /* Frames that stand in the file out of order keep the file's order. */
    *due_ns = *due_ns > source->last_due_ns ? *due_ns : source->last_due_ns;
    source->last_due_ns = *due_ns;
    if (frame.captured_bytes && frame.captured_bytes <= most_bytes)
      return copy(source, &frame);
    source->skipped_oversized++;
  }
}

uint32_t source_next(struct source *source, const struct pacing *pacing, uint32_t most_bytes,
                     uint64_t *due_ns, int *code, struct shunt_error *error)
{
  uint32_t bytes = 0;
  *code = 0;
  if (source->reader)
    bytes = read_frame(source, most_bytes, due_ns, code, error);
  if (!source->reader || pacing->interval_ns > 0)
    *due_ns = pacing_due_ns(pacing, source->made);
  if (!source->reader)
    bytes = make(source, *due_ns);
  source->made += bytes > 0;
  return bytes;
}
