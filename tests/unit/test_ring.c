/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/ring.h"

static struct shunt_ring *make(uint32_t length, uint32_t element_bytes)
{
  size_t bytes = shunt_ring_bytes(length, element_bytes);
  size_t rounded = (bytes + SHUNT_CACHE_LINE_BYTES - 1) / SHUNT_CACHE_LINE_BYTES;
  void *memory = aligned_alloc(SHUNT_CACHE_LINE_BYTES, rounded * SHUNT_CACHE_LINE_BYTES);
  assert_non_null(memory);
  struct shunt_ring *ring = NULL;
  assert_int_equal(shunt_ring_init(memory, bytes, length, element_bytes, &ring, NULL), 0);
  assert_ptr_equal(ring, memory);
  return ring;
}

/* ---- Set-up ---- */

static void shapes_that_make_no_sense_are_refused(void **state)
{
  (void)state;
  static const uint32_t wrong[][2] = {
      {0, 8}, {3, 8}, {UINT32_C(1) << 31, 8}, {8, 0}, {8, 65537}, {UINT32_MAX, UINT32_MAX},
  };
  _Alignas(SHUNT_CACHE_LINE_BYTES) char memory[4096];
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct shunt_ring *ring = NULL;
    struct shunt_error error = {0};
    assert_int_equal(shunt_ring_bytes(wrong[i][0], wrong[i][1]), 0);
    assert_int_equal(
        shunt_ring_init(memory, sizeof memory, wrong[i][0], wrong[i][1], &ring, &error), -EINVAL);
    assert_int_equal(error.code, -EINVAL);
    assert_null(ring);
  }
  struct shunt_ring *ring = NULL;
  struct shunt_error error = {0};
  size_t bytes = shunt_ring_bytes(8, 8);
  assert_int_equal(shunt_ring_init(memory, bytes - 1, 8, 8, &ring, &error), -ENOSPC);
  assert_int_equal(shunt_ring_init(memory + 8, bytes, 8, 8, &ring, &error), -EINVAL);
  assert_null(ring);
  error = (struct shunt_error){0};
  assert_int_equal(shunt_ring_init(memory, bytes, 8, 8, &ring, &error), 0);
  assert_int_equal(error.code, 0);
}

static void a_ring_is_found_again_in_shared_memory(void **state)
{
  (void)state;
  struct shunt_ring *ring = make(4, 4);
  size_t bytes = shunt_ring_bytes(4, 4);
  struct shunt_ring *found = NULL;
  struct shunt_error error = {0};
  assert_int_equal(shunt_ring_attach(ring, bytes, &found, &error), 0);
  assert_ptr_equal(found, ring);

  found = NULL;
  assert_int_equal(shunt_ring_attach(ring, bytes - 1, &found, &error), -ENOSPC);
  assert_int_equal(shunt_ring_attach(ring, 8, &found, &error), -EINVAL);
  ring->length = 5;
  assert_int_equal(shunt_ring_attach(ring, bytes, &found, &error), -EINVAL);
  ring->length = 4;
  ring->magic++;
  assert_int_equal(shunt_ring_attach(ring, bytes, &found, &error), -EINVAL);
  assert_string_not_equal(error.remedy, "");
  assert_null(found);
  free(ring);
}

/* ---- One thread ---- */

static void elements_come_out_in_order_until_it_is_full(void **state)
{
  (void)state;
  struct shunt_ring *ring = make(8, sizeof(uint32_t));
  uint32_t in[16];
  uint32_t out[16] = {0};
  for (uint32_t i = 0; i < 16; i++)
    in[i] = 100 + i;
  assert_int_equal(shunt_ring_dequeue(ring, out, 16), 0);
  assert_int_equal(shunt_ring_enqueue(ring, in, 0), 0);
  assert_int_equal(shunt_ring_enqueue(ring, in, 5), 5);
  assert_int_equal(shunt_ring_count(ring), 5);
  assert_int_equal(shunt_ring_enqueue(ring, in + 5, 11), 3);
  assert_int_equal(shunt_ring_enqueue(ring, in, 1), 0);
  assert_int_equal(shunt_ring_count(ring), 8);
  assert_int_equal(shunt_ring_dequeue(ring, out, 16), 8);
  assert_memory_equal(in, out, 8 * sizeof in[0]);
  assert_int_equal(shunt_ring_count(ring), 0);
  free(ring);
}

/* All bursts at all places, through the end of the memory and of the 32-bit indices. */
static void bursts_wrap_at_every_place(void **state)
{
  (void)state;
  struct element {
    uint8_t bytes[5];
  };
  struct shunt_ring *ring = make(8, sizeof(struct element));
  ring->head = ring->tail = ring->head_seen = ring->tail_seen = UINT32_MAX - 100;
  uint8_t written = 0;
  uint8_t read = 0;
  for (uint32_t round = 0; round < 1000; round++) {
    struct element in[8];
    struct element out[8];
    uint32_t burst = round % 9;
    for (uint32_t i = 0; i < burst; i++)
      memset(&in[i], (uint8_t)(written + i), sizeof in[i]);
    written = (uint8_t)(written + shunt_ring_enqueue(ring, in, burst));
    uint32_t got = shunt_ring_dequeue(ring, out, (round * 5) % 8);
    for (uint32_t i = 0; i < got; i++, read++) {
      for (size_t j = 0; j < sizeof out[i]; j++)
        assert_int_equal(out[i].bytes[j], read);
    }
    assert_int_equal(shunt_ring_count(ring), (uint8_t)(written - read));
  }
  free(ring);
}

static void elements_can_be_written_and_read_in_place(void **state)
{
  (void)state;
  struct shunt_ring *ring = make(4, sizeof(uint64_t));
  uint32_t n = 99;
  (void)shunt_ring_peek(ring, 4, &n);
  assert_int_equal(n, 0);
  uint64_t *slots = shunt_ring_reserve(ring, 3, &n);
  assert_int_equal(n, 3);
  slots[0] = 10;
  slots[1] = 11;
  slots[2] = 12;
  assert_int_equal(shunt_ring_count(ring), 0);
  shunt_ring_publish(ring, 2);
  assert_int_equal(shunt_ring_count(ring), 2);

  uint64_t *first = shunt_ring_peek(ring, 4, &n);
  assert_int_equal(n, 2);
  assert_int_equal(first[1], 11);
  assert_int_equal(shunt_ring_count(ring), 2);
  shunt_ring_release(ring, 2);

  /* Two places to the end of the memory, and two more at its start. */
  slots = shunt_ring_reserve(ring, 4, &n);
  assert_int_equal(n, 2);
  shunt_ring_publish(ring, n);
  uint64_t *wrapped = shunt_ring_reserve(ring, 4, &n);
  assert_int_equal(n, 2);
  assert_true(wrapped < slots);
  shunt_ring_publish(ring, n);
  (void)shunt_ring_reserve(ring, 1, &n);
  assert_int_equal(n, 0);
  (void)shunt_ring_peek(ring, 4, &n);
  assert_int_equal(n, 2);
  free(ring);
}

static void a_ring_of_one_element_works(void **state)
{
  (void)state;
  struct shunt_ring *ring = make(1, 1);
  for (uint8_t i = 0; i < 20; i++) {
    uint8_t out = 0xff;
    assert_int_equal(shunt_ring_enqueue(ring, &i, 1), 1);
    assert_int_equal(shunt_ring_enqueue(ring, &i, 1), 0);
    assert_int_equal(shunt_ring_dequeue(ring, &out, 1), 1);
    assert_int_equal(out, i);
  }
  free(ring);
}

/* An index that the other process has no business to write must not lead outside the ring. */
static void rubbish_from_the_other_side_is_taken_as_full_or_empty(void **state)
{
  (void)state;
  struct shunt_ring *ring = make(4, 4);
  uint32_t elements[8] = {0};
  ring->tail = 1000;
  ring->tail_seen = ring->head - 4;
  assert_int_equal(shunt_ring_enqueue(ring, elements, 8), 0);
  ring->head_seen = ring->tail;
  ring->head = ring->tail + 5;
  assert_int_equal(shunt_ring_dequeue(ring, elements, 8), 0);
  assert_int_equal(shunt_ring_count(ring), 4);
  free(ring);
}

/* ---- Two threads ---- */

#define MESSAGES 200000

struct message {
  uint64_t number;
  uint64_t check;
};

static void *produce(void *context)
{
  struct shunt_ring *ring = context;
  uint64_t next = 0;
  while (next < MESSAGES) {
    struct message burst[7];
    uint32_t n = (uint32_t)(next % 7) + 1;
    if (n > MESSAGES - next)
      n = (uint32_t)(MESSAGES - next);
    for (uint32_t i = 0; i < n; i++)
      burst[i] = (struct message){.number = next + i, .check = ~(next + i)};
    uint32_t done = shunt_ring_enqueue(ring, burst, n);
    if (done == 0)
      sched_yield();
    next += done;
  }
  return NULL;
}

static void every_message_crosses_once_and_in_order(void **state)
{
  (void)state;
  struct shunt_ring *ring = make(64, sizeof(struct message));
  pthread_t producer;
  assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
  uint64_t expected = 0;
  uint64_t wrong = 0;
  while (expected < MESSAGES) {
    struct message burst[16];
    uint32_t n = shunt_ring_dequeue(ring, burst, 16);
    if (n == 0)
      sched_yield();
    for (uint32_t i = 0; i < n; i++, expected++)
      wrong += burst[i].number != expected || burst[i].check != ~expected;
  }
  assert_int_equal(pthread_join(producer, NULL), 0);
  assert_int_equal(wrong, 0);
  assert_int_equal(shunt_ring_count(ring), 0);
  free(ring);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shapes_that_make_no_sense_are_refused),
      cmocka_unit_test(a_ring_is_found_again_in_shared_memory),
      cmocka_unit_test(elements_come_out_in_order_until_it_is_full),
      cmocka_unit_test(bursts_wrap_at_every_place),
      cmocka_unit_test(elements_can_be_written_and_read_in_place),
      cmocka_unit_test(a_ring_of_one_element_works),
      cmocka_unit_test(rubbish_from_the_other_side_is_taken_as_full_or_empty),
      cmocka_unit_test(every_message_crosses_once_and_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
