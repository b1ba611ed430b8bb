/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/arp.h"

static const struct shunt_mac ours = {{0x02, 0, 0, 0, 0, 0x01}};
static const struct shunt_mac theirs = {{0x02, 0, 0, 0, 0, 0x02}};

static void request_goes_to_everyone(void **state)
{
  static const uint8_t expected[] = {
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0,   0, 0x01, 0x08, 0x06, /* Ethernet */
      0,    1,    0x08, 0,    6,    4,    0,    1,                              /* request */
      0x02, 0,    0,    0,    0,    0x01, 192,  0, 2, 1,                        /* sender */
      0,    0,    0,    0,    0,    0,    192,  0, 2, 254,                      /* target */
  };
  uint8_t frame[SHUNT_ARP_FRAME_BYTES];
  (void)state;

  assert_int_equal(shunt_arp_request_build(frame, sizeof(frame), ours, 0xc0000201, 0xc00002fe), 42);
  assert_memory_equal(frame, expected, sizeof(expected));
}

static void reply_goes_to_the_asker(void **state)
{
  static const uint8_t expected[] = {
      0x02, 0, 0,    0, 0, 0x02, 0x02, 0, 0, 0,   0, 0x01, 0x08, 0x06, /* Ethernet */
      0,    1, 0x08, 0, 6, 4,    0,    2,                              /* reply */
      0x02, 0, 0,    0, 0, 0x01, 192,  0, 2, 1,                        /* sender */
      0x02, 0, 0,    0, 0, 0x02, 192,  0, 2, 254,                      /* target */
  };
  uint8_t frame[64];
  (void)state;

  assert_int_equal(
      shunt_arp_reply_build(frame, sizeof(frame), ours, 0xc0000201, theirs, 0xc00002fe), 42);
  assert_memory_equal(frame, expected, sizeof(expected));
}

static void what_does_not_fit_is_not_written(void **state)
{
  static const uint8_t zeros[SHUNT_ARP_FRAME_BYTES];
  uint8_t frame[SHUNT_ARP_FRAME_BYTES] = {0};
  (void)state;

  assert_int_equal(shunt_arp_request_build(frame, 41, ours, 1, 2), 0);
  assert_int_equal(shunt_arp_reply_build(frame, 41, ours, 1, theirs, 2), 0);
  assert_memory_equal(frame, zeros, sizeof(zeros));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(request_goes_to_everyone),
      cmocka_unit_test(reply_goes_to_the_asker),
      cmocka_unit_test(what_does_not_fit_is_not_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
