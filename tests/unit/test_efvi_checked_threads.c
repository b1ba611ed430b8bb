/* SPDX-License-Identifier: BSD-2-Clause */
/* The checked build: one thread at a time is in calls of an ef_vi interface. Each call that takes
 * an interface is tried from a second thread while the first is in one
 * (tests/cli/test_efvi_abi.sh compares with the headers). */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "efvi_rig.h"
#include "src/efvi/checked.h"

#ifdef SHUNT_CHECKED

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* they are called as well */

#define DEADLINE_NS UINT64_C(20000000000)

struct intruder {
  struct rig *rig;
  ef_vi *vi; /* that is called */
  void (*calls)(struct intruder *intruder);
  unsigned came, refused;
  char let_in[1024]; /* calls that were not refused */
};

/* A call is over: was it refused, and for this reason? */
static void check(struct intruder *intruder, const char *name, bool refused)
{
  const struct shunt_error *error = shunt_last_error();
  const size_t used = strlen(intruder->let_in);
  intruder->came++;
  if (refused && error->code == -EBUSY && strstr(error->what, "two threads") &&
      strstr(error->why, name))
    intruder->refused++;
  else
    snprintf(intruder->let_in + used, sizeof(intruder->let_in) - used, " %s", name);
  shunt_error_keep(&(struct shunt_error){0});
}

#define REFUSED(name, ...)      check(intruder, #name, (name(__VA_ARGS__)) == -EBUSY)
#define REFUSED_0(name, ...)    check(intruder, #name, (name(__VA_ARGS__)) == 0)
#define REFUSED_VOID(name, ...) ((name(__VA_ARGS__)), check(intruder, #name, true))

/* --- Every call ---------------------------------------------------------------------------------
 */

static void set_up_calls(struct intruder *intruder)
{
  struct rig *rig = intruder->rig;
  ef_driver_handle dh = rig->handle;
  ef_vi *vi = intruder->vi, other = {0};
  ef_vi_set set;
  ef_pio pio = {0};
  ef_filter_spec spec;
  ef_filter_cookie cookie = {0};
  ef_filter_info info;
  struct ef_vi_transmit_alt_overhead overhead;
  const ef_vi_stats_layout *layout;
  uint8_t bytes[512];
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  ef_filter_spec_set_unicast_all(&spec);
  ef_vi_set_alloc_from_pd(&set, dh, &rig->pd, dh, 1);
  REFUSED(ef_vi_alloc_from_pd, &other, dh, &rig->pd, dh, 0, 63, 63, vi, dh, EF_VI_FLAGS_DEFAULT);
  REFUSED(ef_vi_alloc_from_set, &other, dh, &set, dh, -1, 0, 63, 63, vi, dh, EF_VI_FLAGS_DEFAULT);
  ef_vi_set_free(&set, dh);
  REFUSED(ef_vi_free, vi, dh);
  REFUSED(ef_vi_flush, vi, dh);
  REFUSED(ef_vi_pace, vi, dh, 0);
  REFUSED_0(ef_vi_mtu, vi, dh);
  REFUSED(ef_vi_get_mac, vi, dh, bytes);
  REFUSED(ef_vi_filter_add, vi, dh, &spec, &cookie);
  REFUSED(ef_vi_filter_del, vi, dh, &cookie);
  REFUSED(ef_vi_filter_query, vi, dh, &cookie, &info, sizeof(info));
  REFUSED(ef_vi_stats_query_layout, vi, &layout);
  REFUSED(ef_vi_stats_query, vi, dh, bytes, 0);
  REFUSED(ef_vi_transmit_alt_alloc, vi, dh, 1, 2048);
  REFUSED(ef_vi_transmit_alt_free, vi, dh);
  REFUSED_0(ef_vi_transmit_alt_num_ids, vi);
  REFUSED(ef_vi_transmit_alt_query_buffering, vi, 1, dh, 1);
  REFUSED(ef_vi_transmit_alt_query_overhead, vi, &overhead);
  REFUSED(ef_pio_link_vi, &pio, dh, vi, dh);
  REFUSED(ef_pio_unlink_vi, &pio, dh, vi, dh);
  REFUSED(ef_vi_get_pio_size, vi);
  REFUSED(ef_pio_memcpy, vi, bytes, 0, 64);
  REFUSED_VOID(ef_vi_set_tx_push_threshold, vi, 1);
}

static void receive_calls(struct intruder *intruder)
{
  struct rig *rig = intruder->rig;
  ef_vi *vi = intruder->vi;
  const ef_vi_layout_entry *layout;
  ef_packed_stream_params params;
  ef_packed_stream_packet *packet = (void *)rig->memory;
  ef_request_id ids[EF_VI_RECEIVE_BATCH];
  ef_event event = {{0}};
  ef_precisetime precise;
  ef_timespec time;
  uint16_t length;
  uint32_t mark;
  uint8_t flag;
  unsigned flags;
  int n, total;
  REFUSED(ef_vi_receive_init, vi, rig_addr(rig, 0), 1);
  REFUSED_VOID(ef_vi_receive_push, vi);
  REFUSED(ef_vi_receive_post, vi, rig_addr(rig, 0), 1);
  REFUSED_0(ef_vi_receive_unbundle, vi, &event, ids);
  REFUSED(ef_vi_rxq_next_desc_id, vi);
  REFUSED(ef_vi_receive_set_discards, vi, 0);
  REFUSED_0(ef_vi_receive_get_discards, vi);
  REFUSED(ef_vi_receive_get_filter_id, vi, &event, rig->memory);
  REFUSED(ef_vi_receive_get_precise_timestamp, vi, rig->memory, &precise);
  REFUSED(ef_vi_receive_get_timestamp, vi, rig->memory, &time);
  REFUSED(ef_vi_receive_get_timestamp_with_sync_flags, vi, rig->memory, &time, &flags);
  REFUSED(ef_vi_receive_get_bytes, vi, rig->memory, &length);
  REFUSED(ef_vi_receive_get_discard_flags, vi, rig->memory, &flags);
  REFUSED(ef_vi_receive_get_user_data, vi, rig->memory, &mark, &flag);
  REFUSED(ef_vi_receive_query_layout, vi, &layout, &n);
  REFUSED(ef_vi_packed_stream_get_params, vi, &params);
  REFUSED(ef_vi_packed_stream_unbundle, vi, &event, &packet, &n, &total);
  REFUSED(ef_vi_set_shrub_client_buffer_count, vi, 1);
  REFUSED_0(efct_vi_rxpkt_get, vi, 0);
  REFUSED_VOID(efct_vi_rxpkt_release, vi, 0);
  REFUSED_0(efct_vi_rx_future_peek, vi);
  REFUSED(efct_vi_rx_future_poll, vi, rig->events, RIG_EVENTS);
  REFUSED(ef_receive_poll, vi, rig->events, RIG_EVENTS);
}

static void transmit_calls(struct intruder *intruder)
{
  struct rig *rig = intruder->rig;
  ef_vi *vi = intruder->vi;
  const ef_iovec piece = {.iov_base = rig_addr(rig, 1), .iov_len = 100};
  const ef_remote_iovec remote = {
      .iov_base = rig_addr(rig, 1), .iov_len = 100, .addrspace = EF_ADDRSPACE_LOCAL};
  const struct iovec plain = {.iov_base = rig->memory, .iov_len = 100};
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  ef_vi_tx_warm_state saved;
  ef_event event = {{0}};
  uint8_t copy[100];
  REFUSED(ef_vi_transmit_init, vi, rig_addr(rig, 1), 100, 1);
  REFUSED(ef_vi_transmitv_init, vi, &piece, 1, 1);
  REFUSED(ef_vi_transmitv_init_extra, vi, NULL, &remote, 1, 1);
  REFUSED_VOID(ef_vi_transmit_push, vi);
  REFUSED(ef_vi_transmit, vi, rig_addr(rig, 1), 100, 1);
  REFUSED(ef_vi_transmitv, vi, &piece, 1, 1);
  REFUSED_VOID(ef_vi_transmit_init_undo, vi);
  REFUSED_0(ef_vi_transmit_unbundle, vi, &event, ids);
  REFUSED(__ef_vi_reinit_txq_post_error, vi);
  REFUSED_VOID(ef_vi_start_transmit_warm, vi, &saved, NULL);
  REFUSED_VOID(ef_vi_stop_transmit_warm, vi, &saved);
  REFUSED_VOID(efct_vi_start_transmit_warm, vi);
  REFUSED_VOID(efct_vi_stop_transmit_warm, vi);
  REFUSED(ef_vi_transmit_pio, vi, 0, 64, 1);
  REFUSED(ef_vi_transmit_copy_pio, vi, 0, copy, 64, 1);
  REFUSED_VOID(ef_vi_transmit_pio_warm, vi);
  REFUSED_VOID(ef_vi_transmit_copy_pio_warm, vi, 0, copy, 64);
  REFUSED_VOID(ef_vi_transmitv_ctpio, vi, 100, &plain, 1, 64);
  REFUSED_VOID(ef_vi_transmitv_ctpio_copy, vi, 100, &plain, 1, 64, copy);
  REFUSED(ef_vi_transmit_ctpio_fallback, vi, rig_addr(rig, 1), 100, 1);
  REFUSED(ef_vi_transmitv_ctpio_fallback, vi, &piece, 1, 1);
  REFUSED(ef_vi_transmit_alt_select, vi, 0);
  REFUSED(ef_vi_transmit_alt_select_normal, vi);
  REFUSED(ef_vi_transmit_alt_stop, vi, 0);
  REFUSED(ef_vi_transmit_alt_go, vi, 0);
  REFUSED(ef_vi_transmit_alt_discard, vi, 0);
}

static void event_calls(struct intruder *intruder)
{
  struct rig *rig = intruder->rig;
  const struct timeval none = {0, 0};
  ef_vi *vi = intruder->vi;
  REFUSED(ef_eventq_poll, vi, rig->events, RIG_EVENTS);
  REFUSED_0(ef_eventq_has_event, vi);
  REFUSED_0(ef_eventq_has_many_events, vi, 1);
  REFUSED(ef_eventq_capacity, vi);
  REFUSED(ef_eventq_wait, vi, rig->handle, 0, &none);
  REFUSED(ef_vi_prime, vi, rig->handle, 0);
  REFUSED_VOID(ef_eventq_prime, vi);
  REFUSED_VOID(ef_eventq_timer_prime, vi, 1);
  REFUSED_VOID(ef_eventq_timer_run, vi, 1);
  REFUSED_VOID(ef_eventq_timer_clear, vi);
  REFUSED_VOID(ef_eventq_timer_zero, vi);
}

static void every_call(struct intruder *intruder)
{
  set_up_calls(intruder);
  receive_calls(intruder);
  transmit_calls(intruder);
  event_calls(intruder);
}

/* --- While another thread is in one -------------------------------------------------------------
 */

static void *intrude(void *context)
{
  struct intruder *intruder = context;
  shunt_error_keep(&(struct shunt_error){0});
  intruder->calls(intruder);
  return NULL;
}

/* A frame has left, while a flush waits for it: another thread comes. */
static void let_in(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct intruder *intruder = context;
  pthread_t thread;
  (void)frame, (void)bytes, (void)now_ns;
  if (pthread_create(&thread, NULL, intrude, intruder) == 0)
    pthread_join(thread, NULL);
}

/* Flush an interface, and have another thread call one meanwhile. */
static void flush_and_call(struct intruder *intruder, ef_vi *flushed)
{
  static const struct shunt_wire_end_ops ops = {.deliver = let_in};
  struct rig *rig = intruder->rig;
  struct shunt_wire_end *end;
  assert_int_equal(shunt_wire_attach(shunt_testbed_wire(rig->testbed, "w", &rig->error), "intruder",
                                     &ops, intruder, &end, &rig->error),
                   0);
  rig_frame(rig, rig_data(rig, 9), 100, 2000, 0x33);
  assert_int_equal(ef_vi_transmit(flushed, rig_addr(rig, 9), 100, 5), 0);
  assert_int_equal(ef_vi_flush(flushed, rig->handle), 0);
  shunt_wire_detach(end);
  if (intruder->let_in[0])
    fail_msg("let in:%s", intruder->let_in);
  assert_true(intruder->came > 0);
  assert_int_equal(intruder->refused, intruder->came);
}

static void every_call_is_refused(void **state)
{
  struct rig *rig = *state;
  struct intruder intruder = {.rig = rig, .vi = &rig->vi, .calls = every_call};
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  flush_and_call(&intruder, &rig->vi);
  assert_int_equal(rig_poll(rig), 0); /* nothing of it was done */
  assert_int_equal(rig->sent, 1);
}

/* A poll of an event queue touches the rings of each interface that uses it. */
static void interfaces_of_one_queue(void **state)
{
  struct rig *rig = *state;
  ef_vi member;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(ef_vi_alloc_from_pd(&member, rig->handle, &rig->pd, rig->handle, 0, 63, 63,
                                       &rig->vi, rig->handle, EF_VI_FLAGS_DEFAULT),
                   1);
  struct intruder intruder = {.rig = rig, .vi = &member, .calls = transmit_calls};
  flush_and_call(&intruder, &rig->vi);
  intruder = (struct intruder){.rig = rig, .vi = &rig->vi, .calls = event_calls};
  flush_and_call(&intruder, &member);
  assert_int_equal(ef_vi_free(&member, rig->handle), 0);
}

/* --- Asleep -------------------------------------------------------------------------------------
 */

static void *wait_for_events(void *context)
{
  struct rig *rig = context;
  const struct timeval long_time = {20, 0};
  int result;
  do /* the other thread may be in a call just now */
    result = ef_eventq_wait(&rig->vi, rig->handle, 0, &long_time);
  while (result == -EBUSY);
  return (void *)(intptr_t)result;
}

/* Who sleeps in ef_eventq_wait is in a call. */
static void asleep(void **state)
{
  struct rig *rig = *state;
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  pthread_t thread;
  void *result;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(pthread_create(&thread, NULL, wait_for_events, rig), 0);
  while (ef_vi_get_mac(&rig->vi, rig->handle, rig->mac) == 0)
    assert_true(shunt_monotonic_ns() < end_ns);
  assert_int_equal(ef_vi_receive_post(&rig->vi, rig_addr(rig, 0), 1), -EBUSY);
  assert_non_null(strstr(shunt_last_error()->what, "ef_eventq_wait"));
  assert_int_equal(ef_eventq_put(ef_vi_resource_id(&rig->vi), rig->handle, 7), 0); /* any thread */
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_int_equal((intptr_t)result, 0);
  assert_int_equal(ef_vi_receive_post(&rig->vi, rig_addr(rig, 0), 1), 0);
}

#define TESTS ON_RIG(every_call_is_refused), ON_RIG(interfaces_of_one_queue), ON_RIG(asleep)

#else

static void nobody_is_refused(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_true(rig->vi.ops.transmit_push == efvi_transmit_push);
}

#define TESTS ON_RIG(nobody_is_refused)

#endif

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {TESTS};
  return cmocka_run_group_tests_name("efvi_checked_threads", tests, NULL, NULL);
}
