/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of fixed-size elements from one producer to one consumer, without locks.
 *
 * One block of memory without pointers, so that it can lie in memory that two processes share:
 *
 *   line 0  shape: set once by init, then only read
 *   line 1  producer's: head, and the tail as it last saw it
 *   line 2  consumer's: tail, and the head as it last saw it
 *   line 3  the elements, element_bytes each, one behind the other
 *
 * head and tail count elements since init, modulo 2^32; an element's place is its number modulo the
 * ring's length. Each side writes its own line alone, and reads the other's only when its copy says
 * that the ring is full or empty: so a cache line moves between the cores once per ring length, not
 * once per element.
 *
 * Memory order: the producer writes elements, then head with release; the consumer reads head with
 * acquire, then elements. The consumer is done with elements, then writes tail with release; the
 * producer reads tail with acquire, then overwrites them. Nothing else is needed, and no
 * read-modify-write.
 *
 * Thread: one at a time on each side. The struct is public only for the inline functions. */
#ifndef SHUNT_RING_H
#define SHUNT_RING_H

#include <string.h>

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

struct shunt_ring {
  uint64_t magic;
  uint32_t length;
  uint32_t element_bytes;
  uint8_t pad_shape[SHUNT_CACHE_LINE_BYTES - 16];
  uint32_t head;
  uint32_t tail_seen;
  uint8_t pad_producer[SHUNT_CACHE_LINE_BYTES - 8];
  uint32_t tail;
  uint32_t head_seen;
  uint8_t pad_consumer[SHUNT_CACHE_LINE_BYTES - 8];
};

/* How many bytes a ring takes; 0 where there is no such ring.
 *
 * length         elements, a power of two, 1..2^30
 * element_bytes  1..65536 */
size_t shunt_ring_bytes(uint32_t length, uint32_t element_bytes);

/* Make an empty ring in memory of the caller's, before either side uses it.
 *
 * memory, bytes  aligned to SHUNT_CACHE_LINE_BYTES, and at least shunt_ring_bytes(...)
 * ring           where its address goes, which is memory's; untouched on failure
 * Owner          the caller; nothing is to be freed but the memory
 * Returns        0; -EINVAL (length, element_bytes, alignment); -ENOSPC (bytes) */
int shunt_ring_init(void *memory, size_t bytes, uint32_t length, uint32_t element_bytes,
                    struct shunt_ring **ring, struct shunt_error *error);

/* Find the ring that another process has made in memory that is shared with it.
 *
 * memory, bytes  the mapping
 * Returns        0; -EINVAL (no ring lies there); -ENOSPC (a longer one than bytes). What is
 *                checked is the shape as it stands: both sides must trust each other to leave it
 *                so. */
int shunt_ring_attach(void *memory, size_t bytes, struct shunt_ring **ring,
                      struct shunt_error *error);

/* The address of element number index, counted since init. */
inline uint8_t *shunt_ring_element(const struct shunt_ring *ring, uint32_t index)
{
  return (uint8_t *)(uintptr_t)(ring + 1) +
         (size_t)(index & (ring->length - 1)) * ring->element_bytes;
}

/* How many of n elements lie in one piece of memory from index on. */
inline uint32_t shunt_ring_contiguous(const struct shunt_ring *ring, uint32_t index, uint32_t n)
{
  uint32_t to_end = ring->length - (index & (ring->length - 1));
  return n < to_end ? n : to_end;
}

/* How many elements are in the ring. Exact for whoever has stopped the other side; else a moment's
 * truth, never more than the ring's length. Any thread. */
inline uint32_t shunt_ring_count(const struct shunt_ring *ring)
{
  uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
  uint32_t count = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) - tail;
  return count < ring->length ? count : ring->length;
}

/* ---- Producer ---- */

/* How many elements can be put in, at least. Less than wanted only if there is no more room. */
inline uint32_t shunt_ring_free(struct shunt_ring *ring, uint32_t wanted)
{
  uint32_t room = ring->length - (ring->head - ring->tail_seen);
  if (SHUNT_LIKELY(room >= wanted))
    return room;
  ring->tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
  uint32_t used = ring->head - ring->tail_seen;
  if (SHUNT_UNLIKELY(used > ring->length)) { /* only where the other process wrote rubbish */
    ring->tail_seen = ring->head - ring->length;
    return 0;
  }
  return ring->length - used;
}

/* Show the consumer n elements that have been written at head and behind it. */
inline void shunt_ring_publish(struct shunt_ring *ring, uint32_t n)
{
  __atomic_store_n(&ring->head, ring->head + n, __ATOMIC_RELEASE);
}

/* Where to write elements in place, to be shown by shunt_ring_publish.
 *
 * wanted   how many, at most
 * n        how many fit there in one piece, 0..wanted: fewer where the ring is full or wraps
 * Owner    the producer, until it publishes
 * Returns  the first element's address, of no use where *n is 0 */
inline void *shunt_ring_reserve(struct shunt_ring *ring, uint32_t wanted, uint32_t *n)
{
  uint32_t room = shunt_ring_free(ring, wanted);
  *n = shunt_ring_contiguous(ring, ring->head, room < wanted ? room : wanted);
  return shunt_ring_element(ring, ring->head);
}

/* Copy up to n elements into the ring.
 *
 * elements  n times element_bytes, one behind the other
 * Returns   how many were copied, the first ones: fewer than n means that the ring is full */
inline uint32_t shunt_ring_enqueue(struct shunt_ring *ring, const void *elements, uint32_t n)
{
  uint32_t room = shunt_ring_free(ring, n);
  if (n > room)
    n = room;
  uint32_t first = shunt_ring_contiguous(ring, ring->head, n);
  size_t first_bytes = (size_t)first * ring->element_bytes;
  memcpy(shunt_ring_element(ring, ring->head), elements, first_bytes);
  if (first < n)
    memcpy(shunt_ring_element(ring, 0), (const uint8_t *)elements + first_bytes,
           (size_t)(n - first) * ring->element_bytes);
  shunt_ring_publish(ring, n);
  return n;
}

/* ---- Consumer ---- */

/* How many elements can be taken out, at least. Less than wanted only if there are no more. */
inline uint32_t shunt_ring_used(struct shunt_ring *ring, uint32_t wanted)
{
  uint32_t used = ring->head_seen - ring->tail;
  if (SHUNT_LIKELY(used >= wanted))
    return used;
  ring->head_seen = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
  used = ring->head_seen - ring->tail;
  if (SHUNT_UNLIKELY(used > ring->length)) { /* only where the other process wrote rubbish */
    ring->head_seen = ring->tail;
    return 0;
  }
  return used;
}

/* Give the producer back the places of n elements from tail on. */
inline void shunt_ring_release(struct shunt_ring *ring, uint32_t n)
{
  __atomic_store_n(&ring->tail, ring->tail + n, __ATOMIC_RELEASE);
}

/* Where to read elements in place, to be given back by shunt_ring_release.
 *
 * wanted   how many, at most
 * n        how many lie there in one piece, 0..wanted: fewer where the ring is empty or wraps
 * Owner    the consumer, until it releases
 * Returns  the first element's address, of no use where *n is 0 */
inline void *shunt_ring_peek(struct shunt_ring *ring, uint32_t wanted, uint32_t *n)
{
  uint32_t used = shunt_ring_used(ring, wanted);
  *n = shunt_ring_contiguous(ring, ring->tail, used < wanted ? used : wanted);
  return shunt_ring_element(ring, ring->tail);
}

/* Copy up to n elements out of the ring, oldest first.
 *
 * elements  room for n times element_bytes
 * Returns   how many were copied: fewer than n means that the ring is empty */
inline uint32_t shunt_ring_dequeue(struct shunt_ring *ring, void *elements, uint32_t n)
{
  uint32_t used = shunt_ring_used(ring, n);
  if (n > used)
    n = used;
  uint32_t first = shunt_ring_contiguous(ring, ring->tail, n);
  size_t first_bytes = (size_t)first * ring->element_bytes;
  memcpy(elements, shunt_ring_element(ring, ring->tail), first_bytes);
  if (first < n)
    memcpy((uint8_t *)elements + first_bytes, shunt_ring_element(ring, 0),
           (size_t)(n - first) * ring->element_bytes);
  shunt_ring_release(ring, n);
  return n;
}

SHUNT_END_DECLS

#endif
