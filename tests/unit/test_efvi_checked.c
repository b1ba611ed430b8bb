/* SPDX-License-Identifier: BSD-2-Clause */
/* What the checked build refuses of an ef_vi program, and that it names the place; in an ordinary
 * build, that nothing of it is there. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "efvi_rig.h"
#include "src/efvi/checked.h"

#ifdef SHUNT_CHECKED

/* The place that the last error names lies in this function, which is not longer than that. */
#define FUNCTION_BYTES 512u

static void assert_site(int (*function)(struct rig *), const char *call)
{
  const struct shunt_error *error = shunt_last_error();
  Dl_info info;
  size_t offset = 0;
  const char *why = strstr(error->why, call), *place = why ? strstr(why, "+0x") : NULL;
  if (!place || sscanf(place, "+0x%zx", &offset) != 1)
    fail_msg("\"%s\" names no place of %s", error->why, call);
  assert_true(dladdr((const void *)(uintptr_t)function, &info));
  const size_t start = (size_t)((uintptr_t)function - (uintptr_t)info.dli_fbase);
  assert_in_range(offset, start, start + FUNCTION_BYTES);
  assert_non_null(strstr(error->remedy, "addr2line"));
}

/* Call it where it stands: the compiler can't make a copy for this caller. That results are
 * volatile in what is called keeps the calls from becoming jumps, which have no place of their own.
 */
static int at(int (*volatile function)(struct rig *), struct rig *rig)
{
  return function(rig);
}

static int __attribute__((noinline)) post_here(struct rig *rig)
{
  volatile int result = ef_vi_receive_init(&rig->vi, rig_addr(rig, 0), 7);
  return result;
}

static int __attribute__((noinline)) post_both_here(struct rig *rig)
{
  volatile int result = ef_vi_receive_post(&rig->vi, rig_addr(rig, 0) + 100, 8);
  return result;
}

static void double_posts(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  rig_filter_all(rig);
  assert_int_equal(at(post_here, rig), 0);
  assert_int_equal(at(post_here, rig), -EEXIST);
  assert_non_null(strstr(shunt_last_error()->what, "request id 7"));
  assert_site(post_here, "ef_vi_receive_init");
  assert_int_equal(at(post_both_here, rig), -EEXIST); /* a part of it */
  assert_site(post_both_here, "ef_vi_receive_post");
  assert_int_equal(ef_vi_receive_fill_level(&rig->vi), 1);
  ef_vi_receive_push(&rig->vi);
  rig_run(rig, 100);
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(at(post_here, rig), 0); /* it came back */
}

static int __attribute__((noinline)) free_memory(struct rig *rig)
{
  volatile int result = ef_memreg_free(&rig->memreg, rig->handle);
  return result;
}

/* Memory that lies on a ring lies on no other, whichever interface's. */
static void posts_on_two(void **state)
{
  struct rig *rig = *state;
  ef_vi other;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 1);
  assert_int_equal(ef_vi_alloc_from_pd(&other, rig->handle, &rig->pd, rig->handle, -1, 63, 63, NULL,
                                       -1, EF_VI_FLAGS_DEFAULT),
                   1);
  assert_int_equal(ef_vi_receive_post(&other, rig_addr(rig, 0) + 1024, 1), -EEXIST);
  assert_non_null(strstr(shunt_last_error()->what, "queue 0"));
  assert_int_equal(ef_vi_receive_post(&other, rig_addr(rig, 1), 1), 0);
  assert_int_equal(at(post_here, rig), -EEXIST);
  assert_int_equal(ef_vi_free(&other, rig->handle), 0);
}

/* A packed stream's buffers are long, and one that is being filled is the device's still. */
static void packed_streams(void **state)
{
  struct rig *rig = *state;
  const ef_addr base = ef_memreg_dma_addr(&rig->memreg, 0);
  assert_int_equal(ef_memreg_free(&rig->memreg, rig->handle), 0);
  assert_int_equal(ef_pd_free(&rig->pd, rig->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&rig->pd, rig->handle, RIG_DEVICE, EF_PD_RX_PACKED_STREAM),
                   0);
  assert_int_equal(ef_memreg_alloc(&rig->memreg, rig->handle, &rig->pd, rig->handle, rig->memory,
                                   (size_t)RIG_BUFS * RIG_BUF_BYTES),
                   0);
  rig_open(rig, EF_VI_RX_PACKED_STREAM | EF_VI_RX_PS_BUF_SIZE_64K, 0);
  rig_filter_all(rig);
  assert_int_equal(ef_vi_receive_post(&rig->vi, base, 1), 0);
  assert_int_equal(ef_vi_receive_post(&rig->vi, base + 32768, 2), -EEXIST);
  assert_non_null(strstr(shunt_last_error()->what, "request id 1"));
  assert_int_equal(ef_vi_receive_post(&rig->vi, base + 65536, 2), 0);
  rig_run(rig, 100);
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(ef_vi_receive_post(&rig->vi, base, 3), -EEXIST);
  assert_non_null(strstr(shunt_last_error()->what, "packed stream"));
  for (int sent = 0; sent < 60; sent++) { /* until the first is full, and the second begun */
    rig_send_udp(rig, 1400, 2000, 1);
    assert_int_equal(rig_poll(rig), 1);
  }
  assert_int_equal(ef_vi_receive_fill_level(&rig->vi), 0);
  assert_int_equal(at(free_memory, rig), -EBUSY);
  assert_int_equal(ef_vi_receive_post(&rig->vi, base, 3), 0);
}

static int __attribute__((noinline)) post_unregistered(struct rig *rig)
{
  volatile int result = ef_vi_receive_init(&rig->vi, 0x1000000000, 1);
  return result;
}

static int __attribute__((noinline)) send_unregistered(struct rig *rig)
{
  volatile int result = ef_vi_transmit_init(&rig->vi, 0x1000000000, 100, 1);
  return result;
}

static int __attribute__((noinline)) send_pieces_unregistered(struct rig *rig)
{
  const ef_iovec piece = {.iov_base = 0x1000000000, .iov_len = 100};
  volatile int result = ef_vi_transmitv(&rig->vi, &piece, 1, 1);
  return result;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static int __attribute__((noinline)) send_extra_unregistered(struct rig *rig)
{
  const ef_remote_iovec piece = {
      .iov_base = 0x1000000000, .iov_len = 100, .addrspace = EF_ADDRSPACE_LOCAL};
  volatile int result = ef_vi_transmitv_init_extra(&rig->vi, NULL, &piece, 1, 1);
  return result;
}
#pragma GCC diagnostic pop

static void unregistered_memory(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(at(post_unregistered, rig), -EFAULT);
  assert_site(post_unregistered, "ef_vi_receive_init");
  assert_int_equal(at(send_unregistered, rig), -EFAULT);
  assert_site(send_unregistered, "ef_vi_transmit_init");
  assert_int_equal(at(send_pieces_unregistered, rig), -EFAULT);
  assert_site(send_pieces_unregistered, "ef_vi_transmitv");
  assert_int_equal(at(send_extra_unregistered, rig), -EFAULT);
  assert_site(send_extra_unregistered, "ef_vi_transmitv_init_extra");
}

static void posted_memory(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 3);
  assert_int_equal(at(free_memory, rig), -EBUSY);
  assert_site(free_memory, "ef_memreg_free");
  assert_int_equal(ef_vi_flush(&rig->vi, rig->handle), 0); /* tear-down frees it */
}

static int __attribute__((noinline)) unbundle_here(struct rig *rig)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  volatile int result = ef_vi_transmit_unbundle(&rig->vi, &rig->events[0], ids);
  return result;
}

static void stale_request_ids(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 1);
  rig_filter_all(rig);
  rig_frame(rig, rig_data(rig, 9), 100, 2000, 0x33);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 9), 100, 5), 0);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(at(unbundle_here, rig), 1);
  assert_int_equal(at(unbundle_here, rig), 0);
  assert_int_equal(shunt_last_error()->code, -EINVAL);
  assert_site(unbundle_here, "ef_vi_transmit_unbundle");
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 9), 100, 6), 0);
  assert_int_equal(rig_poll(rig), 1);
  assert_int_equal(ef_vi_flush(&rig->vi, rig->handle), 0);
  assert_int_equal(at(unbundle_here, rig), 0); /* of before the flush */
  assert_non_null(strstr(shunt_last_error()->what, "out of date"));
  rig->events[0].rx.type = EF_EVENT_TYPE_RX;
  assert_int_equal(at(unbundle_here, rig), 0);
  assert_non_null(strstr(shunt_last_error()->what, "type"));
}

/* --- Two threads --------------------------------------------------------------------------------
 */

struct intruder {
  struct rig *rig;
  bool came;
  int polled;
  struct shunt_error error;
};

static void *intrude(void *context)
{
  struct intruder *intruder = context;
  struct rig *rig = intruder->rig;
  intruder->polled = ef_eventq_poll(&rig->vi, rig->events, RIG_EVENTS);
  ef_vi_transmit_push(&rig->vi);
  intruder->error = *shunt_last_error();
  return NULL;
}

/* A frame has left, while a flush waits for it: another thread comes. */
static void let_in(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct intruder *intruder = context;
  pthread_t thread;
  (void)frame, (void)bytes, (void)now_ns;
  intruder->came = true;
  assert_int_equal(pthread_create(&thread, NULL, intrude, intruder), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

static void two_threads(void **state)
{
  static const struct shunt_wire_end_ops ops = {.deliver = let_in};
  struct rig *rig = *state;
  struct intruder intruder = {.rig = rig};
  struct shunt_wire_end *end;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(shunt_wire_attach(shunt_testbed_wire(rig->testbed, "w", &rig->error), "intruder",
                                     &ops, &intruder, &end, &rig->error),
                   0);
  rig_frame(rig, rig_data(rig, 9), 100, 2000, 0x33);
  assert_int_equal(ef_vi_transmit_init(&rig->vi, rig_addr(rig, 9), 100, 5), 0);
  ef_vi_transmit_push(&rig->vi);
  assert_int_equal(ef_vi_flush(&rig->vi, rig->handle), 0);
  shunt_wire_detach(end);
  assert_true(intruder.came);
  assert_int_equal(intruder.polled, -EBUSY);
  assert_int_equal(intruder.error.code, -EBUSY);
  assert_non_null(strstr(intruder.error.what, "ef_vi_flush"));
  assert_non_null(strstr(intruder.error.why, "ef_vi_transmit_push was called at "));
}

/* One after the other they may: nobody is refused then. */
static void threads_in_turn(void **state)
{
  struct rig *rig = *state;
  struct intruder intruder = {.rig = rig};
  pthread_t thread;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(rig_poll(rig), 0);
  shunt_error_keep(&(struct shunt_error){0});
  assert_int_equal(pthread_create(&thread, NULL, intrude, &intruder), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(intruder.polled, 0);
  assert_int_equal(intruder.error.code, 0);
  assert_int_equal(rig_poll(rig), 0);
}

#define TESTS                                                                                      \
  ON_RIG(double_posts), ON_RIG(posts_on_two), ON_RIG(packed_streams), ON_RIG(unregistered_memory), \
      ON_RIG(posted_memory), ON_RIG(stale_request_ids), ON_RIG(two_threads),                       \
      ON_RIG(threads_in_turn)

#else

/* A program that posts twice gets what it asks for, as with the original: the checks are gone, and
 * the operations are the bare ones. */
static void nothing_is_checked(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_true(rig->vi.ops.receive_init == efvi_receive_init);
  assert_int_equal(ef_vi_receive_init(&rig->vi, rig_addr(rig, 0), 7), 0);
  assert_int_equal(ef_vi_receive_init(&rig->vi, rig_addr(rig, 0), 7), 0);
  assert_int_equal(ef_vi_transmit(&rig->vi, 0x1000000000, 100, 1), -EFAULT);
  assert_string_equal(shunt_last_error()->why, "");
}

#define TESTS ON_RIG(nothing_is_checked)

#endif

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {TESTS};
  return cmocka_run_group_tests_name("efvi_checked", tests, NULL, NULL);
}
