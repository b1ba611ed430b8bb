/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/udp.h"

static const struct shunt_ipv4_ends ends = {
    .source_mac = {{0x02, 0, 0, 0, 0, 0x01}},
    .destination_mac = {{0x02, 0, 0, 0, 0, 0x02}},
    .source = 0xc0000201,
    .destination = 0xc0000202,
};

/* Summed by hand: pseudo header c000 + 0201 + c000 + 0202 + 0011 + 000a, then 1234 + 5678 + 000a +
 * 6869 = 2553d; folded 553f. */
static void datagram_by_hand(void **state)
{
  static const uint8_t expected[] = {0x12, 0x34, 0x56, 0x78, 0x00, 0x0a, 0xaa, 0xc0, 'h', 'i'};
  uint8_t datagram[10] = {0, 0, 0, 0, 0, 0, 0xee, 0xee, 'h', 'i'};
  (void)state;

  assert_int_equal(
      shunt_udp_build(datagram, sizeof(datagram), ends.source, ends.destination, 0x1234, 0x5678, 2),
      10);
  assert_memory_equal(datagram, expected, sizeof(expected));
}

static void checksum_of_zero_is_sent_as_its_twin(void **state)
{
  uint8_t datagram[10] = {0};
  (void)state;

  shunt_udp_build(datagram, sizeof(datagram), ends.source, ends.destination, 1, 2, 2);
  /* The payload that makes up for the rest brings the sum to 0xffff. */
  shunt_store_be16(datagram + 8, shunt_load_be16(datagram + 6));
  shunt_udp_build(datagram, sizeof(datagram), ends.source, ends.destination, 1, 2, 2);
  assert_int_equal(shunt_load_be16(datagram + 6), 0xffff);
}

static void frame_is_whole(void **state)
{
  uint8_t frame[64];
  (void)state;

  uint32_t bytes = shunt_udp_frame_build(frame, sizeof(frame), &ends, 1000, 2000, "payload", 7);
  assert_int_equal(bytes, 14 + 20 + 8 + 7);
  const struct shunt_ethernet_header *ethernet = (const void *)frame;
  assert_true(shunt_mac_equal(ethernet->destination, ends.destination_mac));
  assert_true(shunt_mac_equal(ethernet->source, ends.source_mac));
  assert_int_equal(shunt_load_be16(ethernet->type), SHUNT_ETHERNET_TYPE_IPV4);
  assert_int_equal(shunt_checksum(frame + 14, 20), 0);
  assert_int_equal(shunt_load_be16(frame + 14 + 2), 35);
  assert_int_equal(frame[14 + 8], 64);
  assert_int_equal(frame[14 + 9], SHUNT_IPV4_PROTOCOL_UDP);
  uint32_t sum = shunt_checksum_pseudo(ends.source, ends.destination, 17, 15);
  assert_int_equal(shunt_checksum_finish(shunt_checksum_add(sum, frame + 34, 15)), 0);
  assert_memory_equal(frame + SHUNT_UDP_PAYLOAD_START, "payload", 7);
}

static void payload_may_be_in_place_already(void **state)
{
  uint8_t copied[64];
  uint8_t placed[64];
  (void)state;

  uint32_t bytes = shunt_udp_frame_build(copied, sizeof(copied), &ends, 1, 2, "abc", 3);
  memcpy(placed + SHUNT_UDP_PAYLOAD_START, "abc", 3);
  assert_int_equal(shunt_udp_frame_build(placed, sizeof(placed), &ends, 1, 2, NULL, 3), bytes);
  assert_memory_equal(placed, copied, bytes);
}

static void what_does_not_fit_is_not_written(void **state)
{
  static uint8_t frame[70000];
  (void)state;

  assert_int_equal(shunt_udp_frame_build(frame, 41, &ends, 1, 2, NULL, 0), 0);
  assert_int_equal(shunt_udp_frame_build(frame, 42, &ends, 1, 2, "x", 1), 0);
  assert_int_equal(shunt_udp_frame_build(frame, sizeof(frame), &ends, 1, 2, NULL, 65508), 0);
  assert_int_equal(shunt_udp_frame_build(frame, sizeof(frame), &ends, 1, 2, NULL, UINT32_MAX), 0);
  assert_int_equal(shunt_udp_build(frame, 7, 1, 2, 3, 4, 0), 0);
  assert_int_equal(shunt_udp_build(frame, 9, 1, 2, 3, 4, 2), 0);
  assert_int_equal(frame[0] | frame[42], 0);
  assert_int_equal(shunt_udp_frame_build(frame, 42, &ends, 1, 2, NULL, 0), 42);
  assert_int_equal(shunt_udp_frame_build(frame, sizeof(frame), &ends, 1, 2, NULL, 65507), 65549);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(datagram_by_hand),
      cmocka_unit_test(checksum_of_zero_is_sent_as_its_twin),
      cmocka_unit_test(frame_is_whole),
      cmocka_unit_test(payload_may_be_in_place_already),
      cmocka_unit_test(what_does_not_fit_is_not_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
