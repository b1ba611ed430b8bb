/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "twin/wire/wire.h"

/* Small frames, ordinary ones, jumbo. */
static const uint32_t pool_class_bytes[WIRE_POOL_CLASSES] = {256, 2048, SHUNT_WIRE_FRAME_BYTES};

struct wire_frame *wire_pool_take(struct wire_pool *pool, uint32_t bytes)
{
  unsigned size_class = 0;
  while (size_class < WIRE_POOL_CLASSES && pool_class_bytes[size_class] < bytes)
    size_class++;
  if (size_class == WIRE_POOL_CLASSES)
    return NULL;
  struct wire_frame *frame = pool->free[size_class];
  if (frame != NULL)
    pool->free[size_class] = frame->next;
  else
    frame = malloc(sizeof(*frame) + pool_class_bytes[size_class]);
  if (frame == NULL)
    return NULL;
  frame->next = NULL;
  frame->bytes = bytes;
  frame->size_class = (uint8_t)size_class;
  return frame;
}

void wire_pool_give(struct wire_pool *pool, struct wire_frame *frame)
{
  frame->next = pool->free[frame->size_class];
  pool->free[frame->size_class] = frame;
}

void wire_pool_clear(struct wire_pool *pool)
{
  for (unsigned i = 0; i < WIRE_POOL_CLASSES; i++) {
    while (pool->free[i] != NULL) {
      struct wire_frame *frame = pool->free[i];
      pool->free[i] = frame->next;
      free(frame);
    }
  }
}

static bool queue_before(const struct wire_queue_entry *a, const struct wire_queue_entry *b)
{
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->sequence < b->sequence;
}

static int queue_grow(struct wire_queue *queue)
{
  uint32_t capacity = queue->capacity ? 2 * queue->capacity : 64;
  if (capacity > queue->most)
    capacity = queue->most;
  struct wire_queue_entry *entries = realloc(queue->entries, capacity * sizeof(*entries));
  if (entries == NULL)
    return -ENOMEM;
  queue->entries = entries;
  queue->capacity = capacity;
  return 0;
}

int wire_queue_put(struct wire_queue *queue, uint64_t due_ns, uint64_t sequence,
                   struct wire_frame *frame)
{
  if (queue->count == queue->most)
    return -ENOBUFS;
  if (queue->count == queue->capacity && queue_grow(queue) < 0)
    return -ENOMEM;
  struct wire_queue_entry entry = {.due_ns = due_ns, .sequence = sequence, .frame = frame};
  uint32_t at = queue->count++;
  while (at > 0 && queue_before(&entry, &queue->entries[(at - 1) / 2])) {
    queue->entries[at] = queue->entries[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  queue->entries[at] = entry;
  return 0;
}

struct wire_frame *wire_queue_pop(struct wire_queue *queue)
{
  struct wire_frame *frame = queue->entries[0].frame;
  struct wire_queue_entry last = queue->entries[--queue->count];
  uint32_t at = 0;
  for (;;) {
    uint32_t child = 2 * at + 1;
    if (child >= queue->count)
      break;
    if (child + 1 < queue->count &&
        queue_before(&queue->entries[child + 1], &queue->entries[child]))
      child++;
    if (!queue_before(&queue->entries[child], &last))
      break;
    queue->entries[at] = queue->entries[child];
    at = child;
  }
  if (queue->count > 0)
    queue->entries[at] = last;
  return frame;
}

uint32_t wire_queue_clear(struct wire_queue *queue, struct wire_pool *pool)
{
  uint32_t count = queue->count;
  for (uint32_t i = 0; i < count; i++)
    wire_pool_give(pool, queue->entries[i].frame);
  free(queue->entries);
  queue->entries = NULL;
  queue->count = 0;
  queue->capacity = 0;
  return count;
}
