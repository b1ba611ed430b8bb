/* SPDX-License-Identifier: BSD-2-Clause */
/* The short look at a frame against the long one: wherever the short one speaks, both say the same.
 * (What the long one says is tested through descriptors, in test_twin_ixgbe_rx.c.) */
#include "src/core/random.h"
#include "tests/unit/twin_ixgbe_rig.h"
#include "twin/ixgbe/rx.h"

#define ROUNDS 20000u

static const struct twin_ixgbe_rx_config config = {.vlan_type = 0x8100, .is_plain = true};

/* Returns whether the short look spoke. */
static bool compare(const uint8_t *frame, uint32_t bytes)
{
  struct twin_ixgbe_packet packet;
  struct twin_ixgbe_glance seen;
  if (!twin_ixgbe_packet_glance(frame, bytes, &seen))
    return false;
  twin_ixgbe_packet_read(&packet, &config, frame, bytes);
  twin_ixgbe_packet_check(&packet);
  assert_false(packet.is_tagged);
  assert_int_equal(seen.type_bits, packet.type_bits);
  assert_int_equal(seen.status, packet.status);
  assert_int_equal(seen.id, twin_ixgbe_packet_fragment_sum(&packet, true));
  return true;
}

static void plain_frames_need_no_long_look(void **state)
{
  (void)state;
  uint8_t frame[2048];
  for (uint32_t payload = 0; payload < 1400; payload++) {
    assert_true(compare(frame, rig_udp(frame, 1, 2, payload)));
    frame[40] ^= 1; /* and with a wrong sum */
    assert_true(compare(frame, payload < 18 ? 60 : 42 + payload));
    assert_true(compare(frame, rig_tcp(frame, 1, 2, payload)));
    frame[24] ^= 1; /* of the IP header */
    assert_true(compare(frame, payload < 6 ? 60 : 54 + payload));
  }
}

static void other_frames_get_the_long_look(void **state)
{
  (void)state;
  static const struct {
    unsigned at;
    uint8_t value;
  } changes[] = {{12, 0x86}, {12, 0x81}, {14, 0x46}, {14, 0x65}, {16, 0xFF},
                 {17, 27},   {20, 0x20}, {21, 1},    {23, 1},    {23, 132}};
  uint8_t frame[256];
  for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
    uint32_t bytes = rig_udp(frame, 1, 2, 40);
    frame[changes[i].at] = changes[i].value;
    assert_false(compare(frame, bytes));
  }
  uint32_t bytes = rig_udp(frame, 1, 2, 40);
  memset(frame + 40, 0, 2); /* without a sum */
  assert_false(compare(frame, bytes));
}

/* Bytes of the headers changed at random: most frames are damaged, some are not plain any more. */
static void both_looks_agree_on_damaged_frames(void **state)
{
  (void)state;
  struct random_stream stream;
  uint8_t frame[256];
  unsigned spoke = 0;
  random_seed(&stream, 82599, 0);
  for (unsigned i = 0; i < ROUNDS; i++) {
    uint32_t payload = (uint32_t)random_below_or_equal(&stream, 100);
    uint32_t bytes = i % 2 ? rig_udp(frame, 1, 2, payload) : rig_tcp(frame, 1, 2, payload);
    for (unsigned n = 0; n < i % 4; n++)
      frame[12 + random_below_or_equal(&stream, 41)] = (uint8_t)random_next(&stream);
    spoke += compare(frame, bytes);
  }
  assert_in_range(spoke, ROUNDS / 4, ROUNDS - 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_frames_need_no_long_look),
      cmocka_unit_test(other_frames_get_the_long_look),
      cmocka_unit_test(both_looks_agree_on_damaged_frames),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
