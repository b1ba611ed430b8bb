/* SPDX-License-Identifier: BSD-2-Clause */
/* What a port's process has written is not trusted by whoever captures it. The input is laid over
 * the memory of a port: first its header, then the page of queue 0 from its tail's line on, then
 * the ring. */
#include <stdlib.h>
#include <string.h>

#include "src/port/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING_BYTES   TAP_RING_BYTES_LEAST
#define MEMORY_BYTES (2 * TAP_PAGE_BYTES + RING_BYTES)
#define HEAD_BYTES   24u /* of the input: head, and two counts */

static uint8_t memory[MEMORY_BYTES] __attribute__((aligned(TAP_PAGE_BYTES)));

static size_t take(const uint8_t **data, size_t *size, void *to, size_t bytes)
{
  bytes = bytes < *size ? bytes : *size;
  memcpy(to, *data, bytes);
  *data += bytes;
  *size -= bytes;
  return bytes;
}

/* The lengths of a sound header: what else is in it may be anything, and so may these. */
static void start_sound(void)
{
  struct tap_header *header = (struct tap_header *)memory;
  memset(memory, 0, sizeof(memory));
  header->magic = TAP_MAGIC;
  header->bytes = MEMORY_BYTES;
  header->ring_bytes = RING_BYTES;
  header->queues = 1;
}

static volatile uint8_t touched;

/* Take all, and touch every byte that is handed out. */
static void read_all(struct shunt_capture *capture)
{
  struct shunt_capture_record record;
  struct shunt_error error;
  unsigned records = 0;
  while (shunt_capture_next(capture, &record, &error) == 1) {
    if (record.captured_bytes > record.original_bytes || ++records > RING_BYTES / TAP_RECORD_ALIGN)
      abort();
    for (uint32_t i = 0; i < record.captured_bytes; i++)
      touched = record.data[i];
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct shunt_capture *capture;
  struct tap_shared_queue *shared = (struct tap_shared_queue *)(memory + TAP_PAGE_BYTES);
  uint8_t change;
  start_sound();
  if (!take(&data, &size, &change, 1))
    return 0;
  if (change & 1) /* a header of the input's making */
    take(&data, &size, memory, sizeof(struct tap_header));
  if (capture_begin(memory, MEMORY_BYTES, false, NULL, &capture, NULL))
    return 0;
  /* What comes behind the session's beginning: the port writes while it is read. */
  take(&data, &size, &shared->head, HEAD_BYTES);
  take(&data, &size, memory + 2 * TAP_PAGE_BYTES, RING_BYTES);
  read_all(capture);
  shared->head += change;
  read_all(capture);
  shunt_capture_detach(capture);
  return 0;
}
