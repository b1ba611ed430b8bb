/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures come from anywhere. Each is read twice: what the reader says must not change, and every
 * byte that it hands out is touched. */
#include <stdlib.h>

#include "src/core/pcapng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
  uint64_t frames, bytes, sum;
  int code;
};

static struct reading read_all(struct pcapng_reader *reader)
{
  struct reading reading = {.frames = 0};
  struct pcapng_frame frame;
  struct shunt_error error;
  while ((reading.code = pcapng_reader_next(reader, &frame, &error)) > 0) {
    reading.frames++;
    reading.bytes += frame.captured_bytes;
    reading.sum += frame.time_ns + frame.interface + frame.link_type + frame.original_bytes;
    for (uint32_t i = 0; i < frame.captured_bytes; i++)
      reading.sum = reading.sum * 31 + frame.data[i];
  }
  return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct pcapng_reader *reader = NULL;
  struct shunt_error error;
  if (size == 0)
    return 0;
  FILE *stream = fmemopen((void *)(uintptr_t)data, size, "rb");
  if (stream == NULL || pcapng_reader_open_stream(stream, "input", &reader, &error) < 0)
    return 0;
  struct reading first = read_all(reader);
  if (first.bytes > size)
    abort();
  if (pcapng_reader_rewind(reader, &error) < 0)
    abort();
  struct reading second = read_all(reader);
  if (first.frames != second.frames || first.sum != second.sum || first.code != second.code)
    abort();
  pcapng_reader_close(reader);
  return 0;
}
