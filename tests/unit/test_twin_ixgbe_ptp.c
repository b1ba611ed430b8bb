/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/twin_ixgbe_bench.h"

/* What Linux programs at 10 Gb/s: 6.4 ns a cycle, in units of 2^-21 ns. */
#define LINUX_TIMINCA (1u << 24 | (0x66666666u >> 7))
#define LINUX_SHIFT   21

#define PTP_TYPE 0x88F7u

static struct bench bench;
static uint8_t frame[128];

static int set_up(void **state)
{
  (void)state;
  bench_open(&bench, (struct shunt_twin_ixgbe_options){.trap = 1});
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  bench_close(&bench);
  return 0;
}

static uint64_t read_pair(uint32_t low, uint32_t high)
{
  uint64_t value = bench_read(&bench, low);
  return value | (uint64_t)bench_read(&bench, high) << 32;
}

static uint64_t systim(void)
{
  return read_pair(IXGBE_SYSTIML, IXGBE_SYSTIMH);
}

/* ---- The clock ---- */

static void the_clock_runs_at_the_programmed_rate(void **state)
{
  (void)state;
  shunt_model_poll(bench.model, 1000);
  assert_int_equal(systim(), 0); /* TIMINCA is 0: it stands */
  bench_write(&bench, IXGBE_TIMINCA, LINUX_TIMINCA);
  shunt_model_poll(bench.model, 1000 + UINT64_C(1000000000));
  uint64_t ns = systim() >> LINUX_SHIFT;
  assert_in_range(ns, UINT64_C(999999900), UINT64_C(1000000000));
  bench_write(&bench, IXGBE_TIMINCA, 2u << 24 | 10); /* 10 every 2 cycles of 6.4 ns */
  uint64_t before = systim();
  shunt_model_poll(bench.model, 1000 + UINT64_C(1000000000) + 1280);
  assert_int_equal(systim() - before, 1000);
}

static void the_clock_is_ten_times_slower_at_1g(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_AUTOC, HW_FIELD(IXGBE_AUTOC_LMS, IXGBE_LMS_1G_AN));
  bench_write(&bench, IXGBE_TIMINCA, 1u << 24 | 1);
  shunt_model_poll(bench.model, 6400);
  assert_int_equal(systim(), 100);
}

static void the_low_half_latches_the_high_half(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_TIMINCA, 1u << 24 | 1);
  bench_write(&bench, IXGBE_SYSTIML, UINT32_MAX);
  bench_write(&bench, IXGBE_SYSTIMH, 4);
  assert_int_equal(bench_read(&bench, IXGBE_SYSTIML), UINT32_MAX);
  shunt_model_poll(bench.model, 64); /* 10 cycles: carries */
  assert_int_equal(bench_read(&bench, IXGBE_SYSTIMH), 4);
  assert_int_equal(systim(), (UINT64_C(5) << 32) + 9);
}

static void the_clock_can_be_adjusted_both_ways(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_SYSTIML, 1000);
  bench_write(&bench, IXGBE_TIMADJL, 500);
  bench_write(&bench, IXGBE_TIMADJH, 0);
  assert_int_equal(systim(), 1500);
  bench_write(&bench, IXGBE_TIMADJL, 600);
  bench_write(&bench, IXGBE_TIMADJH, 0x80000000u);
  assert_int_equal(systim(), 900);
}

static void time_never_runs_backwards_with_the_models_clock(void **state)
{
  (void)state;
  shunt_model_poll(bench.model, 5000);
  bench_write(&bench, IXGBE_TIMINCA, 1u << 24 | 1);
  shunt_model_poll(bench.model, 100);
  assert_int_equal(systim(), 0);
  shunt_model_poll(bench.model, UINT64_MAX);
  systim();
}

/* ---- Received messages ---- */

static uint32_t message_l2(uint8_t type, uint8_t version)
{
  memset(frame, 0, sizeof(frame));
  frame[12] = PTP_TYPE >> 8;
  frame[13] = PTP_TYPE & 0xFF;
  frame[14] = type;
  frame[15] = version;
  for (unsigned i = 0; i < 8; i++)
    frame[14 + 20 + i] = (uint8_t)(0xA0 + i); /* clock identity */
  frame[14 + 30] = 0x12;
  frame[14 + 31] = 0x34;
  return 14 + 44;
}

static uint32_t message_udp4(uint8_t type, uint8_t version, uint8_t control)
{
  memset(frame, 0, sizeof(frame));
  frame[12] = 0x08;
  frame[14] = 0x45;
  frame[23] = 17;
  frame[14 + 20 + 2] = 319 >> 8;
  frame[14 + 20 + 3] = 319 & 0xFF;
  frame[42] = type;
  frame[43] = version;
  frame[42 + 32] = control;
  return 42 + 44;
}

static void listen_for(uint32_t type, uint32_t message_type)
{
  bench_write(&bench, IXGBE_ETQF(3), IXGBE_ETQF_FILTER_EN | IXGBE_ETQF_1588 | PTP_TYPE);
  bench_write(&bench, IXGBE_RXMTRL, 319u << 16 | HW_FIELD(IXGBE_RXMTRL_MSGT, message_type));
  bench_write(&bench, IXGBE_TSYNCRXCTL,
              IXGBE_TSYNCRXCTL_EN | HW_FIELD(IXGBE_TSYNCRXCTL_TYPE, type));
  bench_write(&bench, IXGBE_TIMINCA, LINUX_TIMINCA);
}

static bool stamps(uint32_t bytes)
{
  bool latched = twin_ixgbe_ptp_rx(bench.twin, frame, bytes);
  bool valid = bench_read(&bench, IXGBE_TSYNCRXCTL) & IXGBE_TSYNCRXCTL_RXTT;
  assert_int_equal(latched, valid);
  bench_read(&bench, IXGBE_RXSTMPH);
  return latched;
}

static void a_stamp_is_locked_until_its_high_half_is_read(void **state)
{
  (void)state;
  listen_for(IXGBE_TSYNC_TYPE_EVENT_V2, 0);
  uint32_t bytes = message_l2(0, 2);
  shunt_model_poll(bench.model, UINT64_C(4000000000));
  assert_true(twin_ixgbe_ptp_rx(bench.twin, frame, bytes));
  uint64_t first = systim();
  shunt_model_poll(bench.model, UINT64_C(5000000000));
  assert_false(twin_ixgbe_ptp_rx(bench.twin, frame, bytes));
  assert_int_equal(bench_read(&bench, IXGBE_RXSATRL), 0xA2A3A4A5);
  assert_int_equal(bench_read(&bench, IXGBE_RXSATRH), 0x1234A0A1);
  bench_write(&bench, IXGBE_TSYNCRXCTL, /* "valid" can't be written */
              bench_read(&bench, IXGBE_TSYNCRXCTL) & ~IXGBE_TSYNCRXCTL_RXTT);
  assert_false(twin_ixgbe_ptp_rx(bench.twin, frame, bytes));
  assert_int_equal(read_pair(IXGBE_RXSTMPL, IXGBE_RXSTMPH), first);
  assert_false(bench_read(&bench, IXGBE_TSYNCRXCTL) & IXGBE_TSYNCRXCTL_RXTT);
  assert_true(twin_ixgbe_ptp_rx(bench.twin, frame, bytes));
  assert_int_equal(read_pair(IXGBE_RXSTMPL, IXGBE_RXSTMPH), systim());
}

static void each_type_takes_its_own_messages(void **state)
{
  (void)state;
  listen_for(IXGBE_TSYNC_TYPE_EVENT_V2, 0);
  assert_true(stamps(message_l2(0, 2)));
  assert_true(stamps(message_l2(3, 2)));
  assert_false(stamps(message_l2(8, 2))); /* follow-up: general */
  assert_false(stamps(message_l2(0, 1)));
  assert_true(stamps(message_udp4(1, 2, 0)));

  listen_for(IXGBE_TSYNC_TYPE_L2_V2, 1);
  assert_true(stamps(message_l2(1, 2)));
  assert_false(stamps(message_l2(0, 2)));
  assert_false(stamps(message_udp4(1, 2, 0)));

  listen_for(IXGBE_TSYNC_TYPE_L2_L4_V2, 1);
  assert_true(stamps(message_l2(1, 2)));
  assert_true(stamps(message_udp4(1, 2, 0)));
  assert_false(stamps(message_udp4(0, 2, 0)));

  listen_for(IXGBE_TSYNC_TYPE_L4_V1, 0);
  bench_write(&bench, IXGBE_RXMTRL, 319u << 16 | 5);
  assert_true(stamps(message_udp4(0, 1, 5)));
  assert_false(stamps(message_udp4(0, 1, 4)));
  assert_false(stamps(message_udp4(0, 2, 5)));
}

static void other_frames_get_none(void **state)
{
  (void)state;
  listen_for(IXGBE_TSYNC_TYPE_EVENT_V2, 0);
  uint32_t bytes = message_udp4(0, 2, 0);
  frame[14 + 20 + 3]++; /* another port */
  assert_false(stamps(bytes));
  message_udp4(0, 2, 0);
  frame[23] = 6; /* TCP */
  assert_false(stamps(bytes));
  message_udp4(0, 2, 0);
  frame[21] = 1; /* a later fragment */
  assert_false(stamps(bytes));
  message_udp4(0, 2, 0);
  frame[14] = 0x4F; /* options to behind the end */
  assert_false(stamps(bytes));
  bytes = message_l2(0, 2);
  for (uint32_t cut = 0; cut < 14 + 34; cut++)
    assert_false(stamps(cut));
  bench_write(&bench, IXGBE_ETQF(3), 0); /* nobody says that this EtherType is PTP */
  assert_false(stamps(bytes));
  listen_for(IXGBE_TSYNC_TYPE_EVENT_V2, 0);
  bench_write(&bench, IXGBE_TSYNCRXCTL, HW_FIELD(IXGBE_TSYNCRXCTL_TYPE, 5u));
  assert_false(stamps(bytes));
}

static void tagged_and_ipv6_messages_are_found(void **state)
{
  (void)state;
  listen_for(IXGBE_TSYNC_TYPE_EVENT_V2, 0);
  uint32_t bytes = message_l2(0, 2);
  memmove(frame + 16, frame + 12, bytes - 12);
  frame[12] = 0x81;
  frame[13] = 0;
  assert_true(stamps(bytes + 4));
  memset(frame, 0, sizeof(frame));
  frame[12] = 0x86;
  frame[13] = 0xDD;
  frame[14 + 6] = 17;
  frame[54 + 2] = 319 >> 8;
  frame[54 + 3] = 319 & 0xFF;
  frame[62 + 1] = 2;
  assert_true(stamps(62 + 44));
}

/* ---- Sent messages ---- */

static void a_sent_frame_is_stamped_on_request(void **state)
{
  (void)state;
  bench_write(&bench, IXGBE_TIMINCA, LINUX_TIMINCA);
  twin_ixgbe_ptp_tx(bench.twin);
  assert_int_equal(bench_read(&bench, IXGBE_TSYNCTXCTL), 0);
  bench_write(&bench, IXGBE_TSYNCTXCTL, IXGBE_TSYNCTXCTL_EN);
  shunt_model_poll(bench.model, 123456);
  twin_ixgbe_ptp_tx(bench.twin);
  uint64_t stamp = systim();
  shunt_model_poll(bench.model, 999999);
  twin_ixgbe_ptp_tx(bench.twin); /* the first stays */
  assert_int_equal(bench_read(&bench, IXGBE_TSYNCTXCTL),
                   IXGBE_TSYNCTXCTL_EN | IXGBE_TSYNCTXCTL_TXTT);
  assert_int_equal(read_pair(IXGBE_TXSTMPL, IXGBE_TXSTMPH), stamp);
  assert_int_equal(bench_read(&bench, IXGBE_TSYNCTXCTL), IXGBE_TSYNCTXCTL_EN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(the_clock_runs_at_the_programmed_rate),
      TEST(the_clock_is_ten_times_slower_at_1g),
      TEST(the_low_half_latches_the_high_half),
      TEST(the_clock_can_be_adjusted_both_ways),
      TEST(time_never_runs_backwards_with_the_models_clock),
      TEST(a_stamp_is_locked_until_its_high_half_is_read),
      TEST(each_type_takes_its_own_messages),
      TEST(other_frames_get_none),
      TEST(tagged_and_ipv6_messages_are_found),
      TEST(a_sent_frame_is_stamped_on_request),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
