/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets a frame, on a software 82599: sets of interfaces, what the device can't steer, filters
 * that copy, that keep frames from the kernel, that name a queue. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>

#include "efvi_rig.h"

static int alloc(struct rig *rig, ef_vi *vi)
{
  return ef_vi_alloc_from_pd(vi, rig->handle, &rig->pd, rig->handle, -1, 127, 127, NULL, -1,
                             EF_VI_FLAGS_DEFAULT);
}

static int alloc_member(struct rig *rig, ef_vi *vi, ef_vi_set *set, int index)
{
  return ef_vi_alloc_from_set(vi, rig->handle, set, rig->handle, index, -1, 127, 127, NULL, -1,
                              EF_VI_FLAGS_DEFAULT);
}

#define HALF (RIG_BUFS / 2) /* of the buffers: one interface's are no other's */

/* Buffers from first on, up to the ring's. */
static void fill(struct rig *rig, ef_vi *vi, unsigned first)
{
  for (unsigned i = first; ef_vi_receive_space(vi); i++)
    assert_int_equal(ef_vi_receive_init(vi, rig_addr(rig, i % RIG_BUFS), (ef_request_id)i), 0);
  ef_vi_receive_push(vi);
  rig_run(rig, 1000);
}

static unsigned received(struct rig *rig, ef_vi *vi)
{
  unsigned n = 0;
  rig_run(rig, 50);
  for (int now; (now = ef_eventq_poll(vi, rig->events, RIG_EVENTS)) > 0; n += (unsigned)now)
    for (int i = 0; i < now; i++) { /* back to where they came from */
      const unsigned id = EF_EVENT_RX_RQ_ID(rig->events[i]);
      assert_int_equal(ef_vi_receive_init(vi, rig_addr(rig, id % RIG_BUFS), (ef_request_id)id), 0);
    }
  ef_vi_receive_push(vi);
  rig_run(rig, 1000);
  return n;
}

/* A flow of its own by the source port. */
static void send_flow(struct rig *rig, uint16_t source_port)
{
  uint8_t frame[100];
  rig_frame(rig, frame, sizeof(frame), 2000, 1);
  shunt_store_be16(frame + 34, source_port);
  rig_send(rig, frame, sizeof(frame));
}

static void spec_all(ef_filter_spec *spec)
{
  ef_filter_spec_init(spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_unicast_all(spec), 0);
}

static void spec_port(ef_filter_spec *spec, uint16_t port)
{
  ef_filter_spec_init(spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(spec, IPPROTO_UDP, htonl(0x0a000002), htons(port)),
                   0);
}

/* --- Sets ---------------------------------------------------------------------------------------
 */

static void sets_refuse(void **state)
{
  struct rig *rig = *state;
  const ef_driver_handle handle = rig->handle;
  ef_vi_set set = {0}, none = {0};
  ef_filter_spec spec;
  ef_filter_cookie cookie = {0};
  ef_vi second = {0}, third = {0};
  spec_all(&spec);
  assert_int_equal(ef_vi_set_alloc_from_pd(NULL, handle, &rig->pd, handle, 2), -EINVAL);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, handle, NULL, handle, 2), -EINVAL);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, handle, &rig->pd, handle, 0), -EINVAL);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, handle, &rig->pd, handle, EFVI_QUEUES + 1),
                   -EINVAL);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, -1, &rig->pd, handle, 2), -EBADF);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, handle, &rig->pd, handle, 3), -EBUSY);
  assert_non_null(strstr(shunt_last_error()->remedy, "queues="));
  assert_int_equal(ef_vi_set_free(&none, handle), -EINVAL);
  assert_int_equal(ef_vi_set_free(NULL, handle), -EINVAL);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, handle, &rig->pd, handle, 2), 0);
  assert_int_equal(ef_vi_set_filter_add(&set, handle, &spec, NULL), -EINVAL); /* nobody is there */
  assert_int_equal(alloc_member(rig, &rig->vi, &set, 2), -EINVAL);
  assert_int_equal(alloc_member(rig, &rig->vi, &set, -2), -EINVAL);
  assert_int_equal(alloc_member(rig, &rig->vi, &none, 0), -EINVAL);
  assert_int_equal(alloc_member(rig, NULL, &set, 0), -EINVAL);
  assert_int_equal(alloc_member(rig, &rig->vi, &set, 1), 0);
  assert_int_equal(alloc_member(rig, &second, &set, 1), -EBUSY);
  assert_int_equal(alloc_member(rig, &second, &set, -1), 1);
  assert_int_equal(alloc_member(rig, &third, &set, -1), -EBUSY);
  assert_int_equal(ef_vi_set_filter_add(&none, handle, &spec, NULL), -EINVAL);
  assert_int_equal(ef_vi_set_filter_add(&set, handle, NULL, NULL), -EINVAL);
  assert_int_equal(ef_vi_set_filter_del(&set, handle, NULL), -EINVAL);
  assert_int_equal(ef_vi_set_filter_del(&set, handle, &cookie), -ENOENT);
  assert_int_equal(ef_vi_set_filter_add(&set, handle, &spec, &cookie), 0);
  assert_int_equal(ef_vi_set_filter_add(&set, handle, &spec, NULL), -EEXIST);
  assert_int_equal(ef_vi_set_filter_del(&set, handle, &cookie), 0);
  assert_int_equal(ef_vi_free(&second, handle), 0);
  assert_int_equal(ef_vi_set_free(&set, handle), 0);
  assert_int_equal(ef_vi_set_free(&set, handle), -EINVAL);
}

/* Flows are spread over the members, each flow always to the same; one that leaves leaves all to
 * the other; the set's filters end with the last. */
static void sets_spread(void **state)
{
  struct rig *rig = *state;
  ef_vi_set set;
  ef_vi member[2] = {{0}};
  ef_filter_spec spec;
  ef_filter_cookie cookie;
  unsigned got[2], first[2];
  setenv("SHUNT_EFVI_DEVICE", "eth0=ixgbe:twin?wire=w", 1); /* queues by the set */
  assert_int_equal(ef_memreg_free(&rig->memreg, rig->handle), 0);
  assert_int_equal(ef_pd_free(&rig->pd, rig->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&rig->pd, rig->handle, "eth0", EF_PD_DEFAULT), 0);
  assert_int_equal(ef_memreg_alloc(&rig->memreg, rig->handle, &rig->pd, rig->handle, rig->memory,
                                   (size_t)RIG_BUFS * RIG_BUF_BYTES),
                   0);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, rig->handle, &rig->pd, rig->handle, 2), 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(alloc_member(rig, &member[i], &set, -1), i);
    fill(rig, &member[i], (unsigned)i * HALF);
  }
  assert_int_equal(ef_vi_get_mac(&member[0], rig->handle, rig->mac), 0);
  spec_port(&spec, 2000);
  assert_int_equal(ef_vi_set_filter_add(&set, rig->handle, &spec, &cookie), 0);
  assert_int_equal(ef_vi_set_free(&set, rig->handle), 0); /* members go on */
  for (int round = 0; round < 2; round++) {
    for (uint16_t flow = 0; flow < 64; flow++)
      send_flow(rig, (uint16_t)(5000 + flow));
    for (int i = 0; i < 2; i++)
      got[i] = received(rig, &member[i]);
    assert_int_equal(got[0] + got[1], 64);
    assert_true(got[0] >= 16 && got[1] >= 16);
    if (round)
      assert_memory_equal(got, first, sizeof(got));
    memcpy(first, got, sizeof(first));
  }
  rig_send_udp(rig, 100, 2001, 1); /* another port */
  assert_int_equal(received(rig, &member[0]) + received(rig, &member[1]), 0);
  assert_int_equal(ef_vi_free(&member[0], rig->handle), 0);
  for (uint16_t flow = 0; flow < 64; flow++)
    send_flow(rig, (uint16_t)(5000 + flow));
  assert_int_equal(received(rig, &member[1]), 64);
  assert_int_equal(ef_vi_free(&member[1], rig->handle), 0);
  assert_null(efvi_state()->sets);
}

/* A set beside an interface of its own: what the device can steer goes there, the rest to the set.
 */
static void sets_beside(void **state)
{
  struct rig *rig = *state;
  ef_vi_set set;
  ef_vi member = {0};
  ef_filter_spec spec;
  ef_filter_cookie cookie;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  fill(rig, &rig->vi, 0);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, rig->handle, &rig->pd, rig->handle, 1), 0);
  assert_int_equal(alloc_member(rig, &member, &set, 0), 1);
  fill(rig, &member, HALF);
  spec_all(&spec);
  assert_int_equal(ef_vi_set_filter_add(&set, rig->handle, &spec, &cookie), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), -EEXIST);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_unicast_mismatch(&spec), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->why, "set"));
  spec_port(&spec, 2001);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0);
  rig_send_udp(rig, 100, 2001, 1);
  rig_send_udp(rig, 100, 2002, 1);
  assert_int_equal(received(rig, &rig->vi), 1);
  assert_int_equal(received(rig, &member), 1);
  assert_int_equal(ef_vi_set_filter_del(&set, rig->handle, &cookie), 0);
  spec_all(&spec);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0); /* its turn */
  rig_send_udp(rig, 100, 2002, 1);
  assert_int_equal(received(rig, &rig->vi), 1);
  assert_int_equal(ef_vi_free(&member, rig->handle), 0);
  rig_send_udp(rig, 100, 2003, 1);
  assert_int_equal(received(rig, &rig->vi), 1);
}

/* --- What the device can't steer ----------------------------------------------------------------
 */

static void routes(void **state)
{
  struct rig *rig = *state;
  ef_vi second = {0};
  ef_filter_spec spec, rest;
  ef_filter_cookie cookie;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  fill(rig, &rig->vi, 0);
  assert_int_equal(alloc(rig, &second), 1);
  fill(rig, &second, HALF);
  spec_all(&spec);
  ef_filter_spec_init(&rest, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_unicast_mismatch(&rest), 0);
  for (int round = 0; round < 3; round++) { /* to whoever asks first, and back again */
    ef_vi *first = round % 2 ? &rig->vi : &second, *other = round % 2 ? &second : &rig->vi;
    assert_int_equal(ef_vi_filter_add(first, rig->handle, &spec, &cookie), 0);
    assert_int_equal(ef_vi_filter_add(other, rig->handle, &spec, NULL), -EEXIST);
    assert_int_equal(ef_vi_filter_add(other, rig->handle, &rest, NULL), -EOPNOTSUPP);
    rig_send_udp(rig, 100, 2000, 1);
    assert_int_equal(received(rig, first), 1);
    assert_int_equal(received(rig, other), 0);
    assert_int_equal(ef_vi_filter_del(first, rig->handle, &cookie), 0);
  }
  assert_int_equal(ef_vi_free(&second, rig->handle), 0);
}

static void add_full(struct rig *rig, ef_vi *vi, uint16_t port)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_full(&spec, IPPROTO_UDP, htonl(0x0a000002), htons(port),
                                               htonl(0x0a000001), htons(1000)),
                   0);
  assert_int_equal(ef_vi_filter_add(vi, rig->handle, &spec, NULL), 0);
}

static void add_local(struct rig *rig, ef_vi *vi, uint16_t port)
{
  ef_filter_spec spec;
  spec_port(&spec, port);
  assert_int_equal(ef_vi_filter_add(vi, rig->handle, &spec, NULL), 0);
}

/* Of two interfaces whose filters match the one gets it that asked for more, whoever came first. */
static void the_closer_match(void **state)
{
  struct rig *rig = *state;
  ef_vi second = {0};
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  fill(rig, &rig->vi, 0);
  assert_int_equal(alloc(rig, &second), 1);
  fill(rig, &second, HALF);
  add_local(rig, &rig->vi, 2000);
  add_full(rig, &second, 2000);
  add_full(rig, &second, 3000);
  add_local(rig, &rig->vi, 3000);
  rig_send_udp(rig, 100, 2000, 1);
  rig_send_udp(rig, 100, 3000, 1);
  assert_int_equal(received(rig, &second), 2);
  assert_int_equal(received(rig, &rig->vi), 0);
  send_flow(rig, 1001); /* from another port */
  assert_int_equal(received(rig, &second), 0);
  assert_int_equal(received(rig, &rig->vi), 1);
  assert_int_equal(ef_vi_free(&second, rig->handle), 0);
}

/* --- Filters of other kinds ---------------------------------------------------------------------
 */

static void sniffing(void **state)
{
  struct rig *rig = *state;
  ef_vi second = {0};
  ef_filter_spec spec, sniff;
  ef_filter_cookie cookie;
  uint8_t other[100];
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  fill(rig, &rig->vi, 0);
  assert_int_equal(alloc(rig, &second), 1);
  fill(rig, &second, HALF);
  rig_frame(rig, other, sizeof(other), 2000, 1);
  other[5] ^= 1; /* another station's */
  for (int everything = 0; everything < 2; everything++) {
    ef_filter_spec_init(&sniff, EF_FILTER_FLAG_NONE);
    assert_int_equal(ef_filter_spec_set_port_sniff(&sniff, everything), 0);
    assert_int_equal(ef_filter_spec_set_vlan(&sniff, 1), -EPROTONOSUPPORT);
    assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &sniff, &cookie), 0);
    rig_send_udp(rig, 100, 2000, 1);
    rig_send(rig, other, sizeof(other));
    assert_int_equal(received(rig, &rig->vi), 1 + (unsigned)everything);
    spec_port(&spec, 2000);
    assert_int_equal(ef_vi_filter_add(&second, rig->handle, &spec, NULL), -EOPNOTSUPP);
    assert_non_null(strstr(shunt_last_error()->why, "sniffs"));
    assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);
  }
  assert_int_equal(ef_vi_filter_add(&second, rig->handle, &spec, NULL), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &sniff, &cookie), -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->why, "filters of their own"));
  assert_int_equal(ef_vi_free(&second, rig->handle), 0);
}

static void kernel_and_queues(void **state)
{
  struct rig *rig = *state;
  ef_filter_spec spec;
  ef_filter_cookie cookie[3];
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  fill(rig, &rig->vi, 0);
  int (*const block[])(ef_filter_spec *) = {ef_filter_spec_set_block_kernel,
                                            ef_filter_spec_set_block_kernel_multicast,
                                            ef_filter_spec_set_block_kernel_unicast};
  for (int i = 0; i < 3; i++) { /* there is no kernel; they take nothing themselves */
    ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
    assert_int_equal(block[i](&spec), 0);
    assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie[i]), 0);
    assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), -EEXIST);
  }
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(received(rig, &rig->vi), 0);
  for (int i = 0; i < 3; i++)
    assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie[i]), 0);

  spec_port(&spec, 2000);
  assert_int_equal(ef_filter_spec_set_dest(&spec, 70000, 0), -EINVAL);
  assert_int_equal(ef_filter_spec_set_dest(&spec, 1, 0), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->remedy, "ef_vi_instance"));
  assert_int_equal(ef_filter_spec_set_dest(&spec, 0, 0), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0);
  rig_send_udp(rig, 100, 2000, 1);
  assert_int_equal(received(rig, &rig->vi), 1);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(sets_refuse),      ON_RIG(sets_spread), ON_RIG(sets_beside),       ON_RIG(routes),
      ON_RIG(the_closer_match), ON_RIG(sniffing),    ON_RIG(kernel_and_queues),
  };
  return cmocka_run_group_tests_name("efvi_sets", tests, NULL, NULL);
}
