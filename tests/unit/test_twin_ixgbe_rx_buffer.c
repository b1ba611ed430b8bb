/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "twin/ixgbe/ixgbe.h"
#include "twin/ixgbe/rx_buffer.h"

#define ALL TWIN_IXGBE_PACKET_BUFFER_BYTES

/* Exactly as long as it may be, so that the sanitizer sees a byte beyond. */
static int make(void **state)
{
  struct twin_ixgbe_rx_buffer *buffer = calloc(1, sizeof(*buffer));
  buffer->data = malloc(ALL);
  *state = buffer;
  return 0;
}

static int unmake(void **state)
{
  struct twin_ixgbe_rx_buffer *buffer = *state;
  free(buffer->data);
  free(buffer);
  return 0;
}

static void bytes_come_out_in_their_order(void **state)
{
  struct twin_ixgbe_rx_buffer *buffer = *state;
  char seen[8] = "";
  twin_ixgbe_rx_buffer_add(buffer, "abc", 3);
  twin_ixgbe_rx_buffer_add(buffer, "", 0);
  twin_ixgbe_rx_buffer_add(buffer, "defg", 4);
  assert_int_equal(buffer->used, 7);
  twin_ixgbe_rx_buffer_look(buffer, 0, seen, 7);
  assert_string_equal(seen, "abcdefg");
  twin_ixgbe_rx_buffer_remove(buffer, 3);
  assert_int_equal(buffer->used, 4);
  twin_ixgbe_rx_buffer_look(buffer, 1, seen, 2);
  assert_memory_equal(seen, "ef", 2);
}

/* 251 is prime to the buffer's length: in time a piece begins, ends and is cut at each place near
 * the buffer's end. */
static void it_goes_round(void **state)
{
  struct twin_ixgbe_rx_buffer *buffer = *state;
  uint8_t piece[251], seen[251];
  for (uint32_t i = 0; i < 3 * ALL / sizeof(piece); i++) {
    memset(piece, (int)(i % 256), sizeof(piece));
    piece[0] = 0xA5;
    piece[sizeof(piece) - 1] = 0x5A;
    twin_ixgbe_rx_buffer_add(buffer, piece, sizeof(piece));
    if (i < 2)
      continue; /* two stay in it */
    memset(piece + 1, (int)((i - 2) % 256), sizeof(piece) - 2);
    twin_ixgbe_rx_buffer_look(buffer, 0, seen, sizeof(seen));
    assert_memory_equal(seen, piece, sizeof(piece));
    twin_ixgbe_rx_buffer_remove(buffer, sizeof(piece));
    assert_in_range(buffer->first, 0, ALL - 1);
  }
  assert_int_equal(buffer->used, 2 * sizeof(piece));
}

static void it_can_be_filled_to_the_last_byte(void **state)
{
  struct twin_ixgbe_rx_buffer *buffer = *state;
  uint8_t *all = malloc(ALL), *seen = malloc(ALL);
  for (uint32_t i = 0; i < ALL; i++)
    all[i] = (uint8_t)(i * 2654435761u >> 24);
  twin_ixgbe_rx_buffer_add(buffer, all, 1000);
  twin_ixgbe_rx_buffer_remove(buffer, 1000);
  twin_ixgbe_rx_buffer_add(buffer, all, ALL);
  assert_int_equal(buffer->used, ALL);
  twin_ixgbe_rx_buffer_look(buffer, 0, seen, ALL);
  assert_memory_equal(seen, all, ALL);
  twin_ixgbe_rx_buffer_remove(buffer, ALL);
  assert_int_equal(buffer->used, 0);
  free(all);
  free(seen);
}

static void a_copy_brings_back_what_was_removed(void **state)
{
  struct twin_ixgbe_rx_buffer *buffer = *state;
  char seen[3] = "";
  twin_ixgbe_rx_buffer_add(buffer, "ab", 2);
  const struct twin_ixgbe_rx_buffer before = *buffer;
  twin_ixgbe_rx_buffer_remove(buffer, 2);
  *buffer = before;
  twin_ixgbe_rx_buffer_look(buffer, 0, seen, 2);
  assert_string_equal(seen, "ab");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(bytes_come_out_in_their_order, make, unmake),
      cmocka_unit_test_setup_teardown(it_goes_round, make, unmake),
      cmocka_unit_test_setup_teardown(it_can_be_filled_to_the_last_byte, make, unmake),
      cmocka_unit_test_setup_teardown(a_copy_brings_back_what_was_removed, make, unmake),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
