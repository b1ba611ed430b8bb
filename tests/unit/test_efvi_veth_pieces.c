/* SPDX-License-Identifier: BSD-2-Clause */
/* Long packets of ef_vi on an interface of the kernel, which hands them over in pieces of a buffer
 * each (AF_XDP, from Linux 6.6 on). Takes root, and makes a network namespace for this process; all
 * is gone with it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "efvi_rig.h"
#include "veth_rig.h"

#define MEMORY_BYTES ((size_t)1 << 20)
#define SENT_AT      ((size_t)960 << 10) /* what is sent lies behind what is received */
#define LONGEST      9014u
#define DEADLINE_NS  UINT64_C(5000000000) /* the machine's, not the test's */

static bool there;

struct end {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory, mac[6];
  ef_event events[4]; /* that were polled */
  int polled, told;
};

static void end_open(struct end *end, const char *name, enum ef_vi_flags flags)
{
  ef_filter_spec spec;
  unsetenv("SHUNT_EFVI_DEVICE");
  assert_int_equal(ef_driver_open(&end->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&end->pd, end->handle, name, EF_PD_DEFAULT), 0);
  end->memory = aligned_alloc(4096, MEMORY_BYTES);
  assert_int_equal(
      ef_memreg_alloc(&end->memreg, end->handle, &end->pd, end->handle, end->memory, MEMORY_BYTES),
      0);
  const int result = ef_vi_alloc_from_pd(&end->vi, end->handle, &end->pd, end->handle, -1, 255, 127,
                                         NULL, -1, flags);
  if (result == -EOPNOTSUPP && strstr(shunt_last_error()->why, "in several pieces")) {
    puts("skipped: this kernel hands over no frames of several buffers");
    skip();
  }
  if (result)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
  assert_int_equal(ef_vi_get_mac(&end->vi, end->handle, end->mac), 0);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_eth_type(&spec, htons(0x88B5)), 0);
  assert_int_equal(ef_vi_filter_add(&end->vi, end->handle, &spec, NULL), 0);
}

static void end_close(struct end *end)
{
  assert_int_equal(ef_vi_free(&end->vi, end->handle), 0);
  assert_int_equal(ef_memreg_free(&end->memreg, end->handle), 0);
  assert_int_equal(ef_pd_free(&end->pd, end->handle), 0);
  assert_int_equal(ef_driver_close(end->handle), 0);
  free(end->memory);
}

static ef_event next_event(struct end *end)
{
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  while (end->told == end->polled) {
    end->told = 0;
    end->polled = ef_eventq_poll(&end->vi, end->events, 4);
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("no event for five seconds");
  }
  return end->events[end->told++];
}

static void packet_send(struct end *from, const struct end *to, uint32_t bytes)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  uint8_t *frame = from->memory + SENT_AT;
  for (uint32_t i = 0; i < bytes; i++)
    frame[i] = (uint8_t)(i * 7 + i / 251 + bytes);
  memcpy(frame, to->mac, 6);
  memcpy(frame + 6, from->mac, 6);
  shunt_store_be16(frame + 12, 0x88B5);
  assert_int_equal(
      ef_vi_transmit(&from->vi, ef_memreg_dma_addr(&from->memreg, SENT_AT), (int)bytes, 1), 0);
  const ef_event sent = next_event(from);
  assert_int_equal(ef_vi_transmit_unbundle(&from->vi, &sent, ids), 1);
}

/* Its events, in buffers of room bytes from the next one on. */
static void packet_expect(struct end *end, const struct end *from, uint32_t bytes, uint32_t room,
                          unsigned *next)
{
  const uint8_t *frame = from->memory + SENT_AT;
  const uint32_t prefix = end->vi.rx_prefix_len;
  for (uint32_t done = 0; done < bytes; ++*next) {
    const uint32_t front = done ? 0 : prefix;
    const uint32_t here = bytes - done < room - front ? bytes - done : room - front;
    const ef_event event = next_event(end);
    assert_int_equal(EF_EVENT_TYPE(event), EF_EVENT_TYPE_RX);
    assert_int_equal(EF_EVENT_RX_RQ_ID(event), *next);
    assert_int_equal(!!EF_EVENT_RX_SOP(event), done == 0);
    assert_memory_equal(end->memory + (size_t)*next * ((room + 63) & ~63u) + front, frame + done,
                        here);
    done += here;
    assert_int_equal(EF_EVENT_RX_BYTES(event), done + prefix);
    assert_int_equal(!!EF_EVENT_RX_CONT(event), done < bytes);
  }
}

static void sizes(enum ef_vi_flags flags)
{
  static const uint32_t lengths[] = {60, 1500, 1792, 1793, 3584, 3585, 5000, LONGEST};
  static const uint32_t rooms[] = {256, 1024, 1792, 2048, 4096, 9200};
  struct end a = {0}, b = {0};
  if (!there)
    skip();
  end_open(&a, VETH_OURS, EF_VI_FLAGS_DEFAULT);
  end_open(&b, VETH_THEIRS, flags);
  for (unsigned r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
    const unsigned n = (unsigned)(SENT_AT / ((rooms[r] + 63) & ~63u));
    unsigned next = 0;
    ef_vi_receive_set_buffer_len(&b.vi, rooms[r]);
    for (unsigned i = 0; i < n && i < 200; i++)
      assert_int_equal(
          ef_vi_receive_init(
              &b.vi, ef_memreg_dma_addr(&b.memreg, (size_t)i * ((rooms[r] + 63) & ~63u)), (int)i),
          0);
    ef_vi_receive_push(&b.vi);
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
      packet_send(&a, &b, lengths[i]);
      packet_expect(&b, &a, lengths[i], rooms[r], &next);
    }
    assert_int_equal(ef_vi_flush(&b.vi, b.handle), 0);
  }
  end_close(&a);
  end_close(&b);
}

static void plain(void **state)
{
  (void)state;
  sizes(EF_VI_FLAGS_DEFAULT);
}

static void numbered(void **state)
{
  (void)state;
  sizes(EF_VI_RX_FILTER_ID); /* with a prefix */
}

/* One buffer for a packet of many: it is told of, and that the rest is lost. */
static void too_few(void **state)
{
  struct end a = {0}, b = {0};
  (void)state;
  if (!there)
    skip();
  end_open(&a, VETH_OURS, EF_VI_FLAGS_DEFAULT);
  end_open(&b, VETH_THEIRS, EF_VI_FLAGS_DEFAULT);
  assert_int_equal(ef_vi_receive_post(&b.vi, ef_memreg_dma_addr(&b.memreg, 0), 0), 0);
  packet_send(&a, &b, LONGEST);
  const ef_event first = next_event(&b), second = next_event(&b);
  assert_int_equal(EF_EVENT_TYPE(first), EF_EVENT_TYPE_RX);
  assert_true(EF_EVENT_RX_CONT(first));
  assert_int_equal(EF_EVENT_TYPE(second), EF_EVENT_TYPE_RX_NO_DESC_TRUNC);
  end_close(&a);
  end_close(&b);
}

int main(void)
{
  there = veth_rig_enter() &&
          system("ip link set " VETH_OURS " mtu 9000 && ip link set " VETH_THEIRS " mtu 9000") == 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain),
      cmocka_unit_test(numbered),
      cmocka_unit_test(too_few),
  };
  return cmocka_run_group_tests_name("efvi_veth_pieces", tests, NULL, NULL);
}
