/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/ring.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define RING_MAGIC             UINT64_C(0x31676e6972746873) /* "shtring1" */
#define RING_MAX_LENGTH        (UINT32_C(1) << 30)
#define RING_MAX_ELEMENT_BYTES UINT32_C(65536)

static_assert(offsetof(struct shunt_ring, head) == SHUNT_CACHE_LINE_BYTES, "shared layout");
static_assert(offsetof(struct shunt_ring, tail) == 2 * SHUNT_CACHE_LINE_BYTES, "shared layout");
static_assert(sizeof(struct shunt_ring) == 3 * SHUNT_CACHE_LINE_BYTES, "shared layout");

extern inline uint8_t *shunt_ring_element(const struct shunt_ring *ring, uint32_t index);
extern inline uint32_t shunt_ring_contiguous(const struct shunt_ring *ring, uint32_t index,
                                             uint32_t n);
extern inline uint32_t shunt_ring_count(const struct shunt_ring *ring);
extern inline uint32_t shunt_ring_free(struct shunt_ring *ring, uint32_t wanted);
extern inline void shunt_ring_publish(struct shunt_ring *ring, uint32_t n);
extern inline void *shunt_ring_reserve(struct shunt_ring *ring, uint32_t wanted, uint32_t *n);
extern inline uint32_t shunt_ring_enqueue(struct shunt_ring *ring, const void *elements,
                                          uint32_t n);
extern inline uint32_t shunt_ring_used(struct shunt_ring *ring, uint32_t wanted);
extern inline void shunt_ring_release(struct shunt_ring *ring, uint32_t n);
extern inline void *shunt_ring_peek(struct shunt_ring *ring, uint32_t wanted, uint32_t *n);
extern inline uint32_t shunt_ring_dequeue(struct shunt_ring *ring, void *elements, uint32_t n);

size_t shunt_ring_bytes(uint32_t length, uint32_t element_bytes)
{
  if (length < 1 || length > RING_MAX_LENGTH || (length & (length - 1)) != 0)
    return 0;
  if (element_bytes < 1 || element_bytes > RING_MAX_ELEMENT_BYTES)
    return 0;
  return sizeof(struct shunt_ring) + (size_t)length * element_bytes;
}

/* Whether such a ring fits there; what is the caller's name for what can't be done. */
static int ring_check(const void *memory, size_t bytes, uint32_t length, uint32_t element_bytes,
                      const char *what, struct shunt_error *error)
{
  size_t wanted = shunt_ring_bytes(length, element_bytes);
  if (wanted == 0) {
    shunt_error_set(error, -EINVAL, "%s", what);
    shunt_error_why(error,
                    "%" PRIu32 " elements of %" PRIu32 " bytes; the number must be a power of two "
                    "of at most 2^30, and an element have 1 to 65536 bytes",
                    length, element_bytes);
    return -EINVAL;
  }
  if ((uintptr_t)memory % SHUNT_CACHE_LINE_BYTES != 0) {
    shunt_error_set(error, -EINVAL, "%s", what);
    shunt_error_why(error, "its memory at %p is not aligned to %d bytes", memory,
                    SHUNT_CACHE_LINE_BYTES);
    return -EINVAL;
  }
  if (bytes < wanted) {
    shunt_error_set(error, -ENOSPC, "%s", what);
    shunt_error_why(error, "it takes %zu bytes, and there are %zu", wanted, bytes);
    return -ENOSPC;
  }
  return 0;
}

int shunt_ring_init(void *memory, size_t bytes, uint32_t length, uint32_t element_bytes,
                    struct shunt_ring **ring, struct shunt_error *error)
{
  int result = ring_check(memory, bytes, length, element_bytes, "can't make a ring", error);
  if (result < 0)
    return result;
  struct shunt_ring *made = memory;
  memset(made, 0, sizeof *made);
  made->length = length;
  made->element_bytes = element_bytes;
  /* Last, and with release: who finds the magic number finds the shape too. */
  __atomic_store_n(&made->magic, RING_MAGIC, __ATOMIC_RELEASE);
  *ring = made;
  return 0;
}

int shunt_ring_attach(void *memory, size_t bytes, struct shunt_ring **ring,
                      struct shunt_error *error)
{
  static const char what[] = "can't use another process's ring";
  struct shunt_ring *found = memory;
  if ((uintptr_t)memory % SHUNT_CACHE_LINE_BYTES != 0 || bytes < sizeof *found) {
    shunt_error_set(error, -EINVAL, what);
    shunt_error_why(error, "%zu bytes at %p can't hold one", bytes, memory);
    return -EINVAL;
  }
  uint64_t magic = __atomic_load_n(&found->magic, __ATOMIC_ACQUIRE);
  if (magic != RING_MAGIC) {
    shunt_error_set(error, -EINVAL, what);
    shunt_error_why(error, "it begins with %016" PRIx64 ", not with %016" PRIx64, magic,
                    RING_MAGIC);
    shunt_error_remedy(error, "wait until the other process has made it");
    return -EINVAL;
  }
  int result = ring_check(memory, bytes, found->length, found->element_bytes, what, error);
  if (result < 0)
    return result;
  *ring = found;
  return 0;
}
