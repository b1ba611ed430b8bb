/* SPDX-License-Identifier: BSD-2-Clause */
/* The chip's clock, and the stamps of PTP frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

static uint64_t time_of(struct rig *rig)
{
  uint64_t time_ns = 0;
  assert_int_equal(shunt_port_time(rig->port, &time_ns, &rig->error), 0);
  return time_ns;
}

static void assert_near(uint64_t a, uint64_t b, uint64_t distance)
{
  if (a > b + distance || b > a + distance)
    fail_msg("%llu is not near %llu", (unsigned long long)a, (unsigned long long)b);
}

/* A PTP version 2 event message (IEEE 1588-2008, 13.3) over Ethernet, or over UDP port 319. */
static void send_ptp(struct rig *rig, bool udp, uint8_t type, uint8_t mark)
{
  uint8_t frame[128];
  struct rig_flow flow = {.to = rig_ixgbe(rig)->mac, .destination_port = 319, .bytes = 100};
  rig_frame(frame, &flow, mark);
  uint8_t *message = frame + (udp ? 42 : 14);
  if (!udp)
    shunt_store_be16(frame + 12, 0x88F7);
  message[0] = type;
  message[1] = 2;
  message[3] = 44;
  rig_send(rig, frame, 100);
}

static void counts_nanoseconds(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  uint64_t start_ns = time_of(rig), virtual_ns = rig->time.now_ns;
  rig_run(rig, 1000000);
  assert_near(time_of(rig) - start_ns, rig->time.now_ns - virtual_ns, 20);
}

/* The increment is exact at each speed: 6.4, 64 and 640 ns in tenths. */
static void the_increment_follows_the_speed(void **state)
{
  struct rig *rig = *state;
  static const struct {
    uint32_t speed_mbps, tenths;
  } speeds[] = {{1000, 640}, {100, 6400}, {10000, 64}};
  rig_open(rig, "");
  for (unsigned i = 0; i < 3; i++) {
    ixgbe_ptp_speed(rig_ixgbe(rig), speeds[i].speed_mbps);
    uint32_t timinca = rig_register(rig, IXGBE_TIMINCA);
    assert_int_equal(HW_GET(IXGBE_TIMINCA_INCVALUE, timinca), speeds[i].tenths);
    assert_int_equal(HW_GET(IXGBE_TIMINCA_INCPERIOD, timinca), 1);
  }
}

static void ptp_frames_are_stamped(void **state)
{
  struct rig *rig = *state;
  rig->options.rx_time = 1;
  rig_open(rig, "");
  for (unsigned i = 0; i < 8; i++) {
    rig_run(rig, 12345);
    uint64_t now_ns = time_of(rig);
    send_ptp(rig, i & 1, (uint8_t)(i / 2), 0); /* Sync, Delay_Req and the two Pdelay messages */
    assert_int_equal(rig_receive(rig, 0), 1);
    assert_true(rig->frames[0].flags & SHUNT_FRAME_TIME);
    assert_near(rig->frames[0].time_ns, now_ns, 30000);
    rig_fill(rig);
  }
  rig_assert_no_faults(rig);
}

static void other_frames_are_not(void **state)
{
  struct rig *rig = *state;
  rig->options.rx_time = 1;
  rig_open(rig, "");
  struct rig_flow flow = rig_flow_to_port(rig);
  rig_send_flow(rig, &flow, 0);
  send_ptp(rig, false, 0x0B, 0); /* Announce: a general message */
  assert_int_equal(rig_receive(rig, 0), 2);
  assert_false(rig->frames[0].flags & SHUNT_FRAME_TIME);
  assert_false(rig->frames[1].flags & SHUNT_FRAME_TIME);
}

/* There is one place for a stamp: a second event has none until the first one was read. */
static void a_second_event_waits_for_the_first(void **state)
{
  struct rig *rig = *state;
  rig->options.rx_time = 1;
  rig_open(rig, "");
  send_ptp(rig, false, 0, 1);
  send_ptp(rig, false, 0, 2);
  assert_int_equal(rig_receive(rig, 0), 2);
  assert_true(rig->frames[0].flags & SHUNT_FRAME_TIME);
  assert_false(rig->frames[1].flags & SHUNT_FRAME_TIME);
  send_ptp(rig, false, 0, 3);
  assert_int_equal(rig_receive(rig, 0), 1);
  assert_true(rig->frames[0].flags & SHUNT_FRAME_TIME);
}

static void nothing_is_stamped_unasked(void **state)
{
  struct rig *rig = *state;
  rig->options.rx_metadata = 1;
  rig_open(rig, "");
  send_ptp(rig, false, 0, 0);
  assert_int_equal(rig_receive(rig, 0), 1);
  assert_false(rig->frames[0].flags & SHUNT_FRAME_TIME);
}

static void note(void *context, enum shunt_log_level level, const char *text)
{
  unsigned *warnings = context;
  *warnings += level == SHUNT_LOG_WARNING && strstr(text, "PTP event messages only") != NULL;
}

static void says_that_not_every_frame_is_stamped(void **state)
{
  struct rig *rig = *state;
  unsigned warnings = 0;
  struct shunt_log log = {.level = SHUNT_LOG_WARNING, .write = note, .context = &warnings};
  rig->options.log = &log;
  rig->options.rx_time = 1;
  rig_open(rig, "");
  assert_int_equal(warnings, 1);
  rig_close(rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(counts_nanoseconds),
      TEST(the_increment_follows_the_speed),
      TEST(ptp_frames_are_stamped),
      TEST(other_frames_are_not),
      TEST(a_second_event_waits_for_the_first),
      TEST(nothing_is_stamped_unasked),
      TEST(says_that_not_every_frame_is_stamped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
