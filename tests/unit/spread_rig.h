/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces on a veth end with four queues, and at the other end one that sends by each of its
 * own: what it sends by a queue comes by that of the same number. */
#ifndef TESTS_UNIT_SPREAD_RIG_H
#define TESTS_UNIT_SPREAD_RIG_H

#include <errno.h>

#include "efvi_rig.h"
#include "shunt/clock.h"
#include "veth_rig.h"

#define QUEUES       4u
#define BUFS         512u
#define MEMORY_BYTES (BUFS * 2048u)
#define FRAME_BYTES  100u
#define DEADLINE_NS  UINT64_C(10000000000)

static bool there;

/* One side. On ours each interface has a queue and sends by that; frames come by the queue of the
 * same number at theirs. */
struct end {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi[QUEUES];
  unsigned count;
  ef_memreg memreg;
  uint8_t *memory; /* 2048 bytes a buffer, BUFS / QUEUES for each interface */
  uint8_t mac[6];
};

static struct end ours, theirs;

static inline ef_addr addr_of(struct end *end, unsigned vi, unsigned buffer)
{
  return ef_memreg_dma_addr(&end->memreg, (size_t)(vi * (BUFS / QUEUES) + buffer) * 2048);
}

static inline uint8_t *data_of(struct end *end, unsigned vi, unsigned buffer)
{
  return end->memory + (size_t)(vi * (BUFS / QUEUES) + buffer) * 2048;
}

static inline void domain_open(struct end *end, const char *name, enum ef_pd_flags flags)
{
  *end = (struct end){0};
  assert_int_equal(ef_driver_open(&end->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&end->pd, end->handle, name, flags), 0);
  end->memory = aligned_alloc(4096, MEMORY_BYTES);
  assert_non_null(end->memory);
  memset(end->memory, 0, MEMORY_BYTES);
  assert_int_equal(
      ef_memreg_alloc(&end->memreg, end->handle, &end->pd, end->handle, end->memory, MEMORY_BYTES),
      0);
}

static inline void posts(struct end *end, unsigned vi)
{
  for (unsigned i = 0; i < 127 && end->vi[vi].nic_type.arch != EF_VI_ARCH_EF10CT; i++)
    assert_int_equal(ef_vi_receive_post(&end->vi[vi], addr_of(end, vi, i), (ef_request_id)i), 0);
}

/* One more interface. Returns its number. */
static inline unsigned add(struct end *end, int rxq)
{
  const unsigned i = end->count++;
  const int result = ef_vi_alloc_from_pd(&end->vi[i], end->handle, &end->pd, end->handle, -1, rxq,
                                         127, NULL, -1, EF_VI_FLAGS_DEFAULT);
  if (result < 0)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
  assert_int_equal(result, i);
  assert_int_equal(ef_vi_get_mac(&end->vi[i], end->handle, end->mac), 0);
  if (rxq)
    posts(end, i);
  return i;
}

static inline void filter(struct end *end, unsigned vi, uint16_t port, ef_filter_cookie *cookie)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0a000002), htons(port)),
                   0);
  const int result = ef_vi_filter_add(&end->vi[vi], end->handle, &spec, cookie);
  if (result)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
}

static inline void end_close(struct end *end)
{
  while (end->count)
    assert_int_equal(ef_vi_free(&end->vi[--end->count], end->handle), 0);
  assert_int_equal(ef_memreg_free(&end->memreg, end->handle), 0);
  assert_int_equal(ef_pd_free(&end->pd, end->handle), 0);
  assert_int_equal(ef_driver_close(end->handle), 0);
  free(end->memory);
  end->memory = NULL;
}

static inline int set_up(void **state)
{
  (void)state;
  unsetenv("SHUNT_EFVI_DEVICE");
  if (!there)
    return 0;
  domain_open(&ours, VETH_OURS, EF_PD_DEFAULT);
  for (unsigned i = 0; i < QUEUES; i++)
    add(&ours, 0);
  return 0;
}

static inline int tear_down(void **state)
{
  (void)state;
  if (there && theirs.memory) /* the test has failed */
    end_close(&theirs);
  if (there)
    end_close(&ours);
  return 0;
}

/* --- Traffic ------------------------------------------------------------------------------------
 */

/* A datagram to the port of 10.0.0.2, or of a group (0: none), by the queue, with its number at its
 * end. */
static inline void sends_to(uint32_t group, unsigned queue, uint16_t port, uint16_t number)
{
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  struct rig like = {0};
  uint8_t *frame = data_of(&ours, queue, number % (BUFS / QUEUES));
  ef_event events[16];
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  memcpy(like.mac, theirs.mac, 6);
  rig_frame(&like, frame, FRAME_BYTES, port, 0);
  shunt_store_be16(frame + FRAME_BYTES - 2, number);
  if (group) {
    shunt_store_be16(frame, 0x0100);
    shunt_store_be32(frame + 2, 0x5e000000 | (group & 0x7fffff));
    shunt_store_be32(frame + 30, group);
  }
  while (ef_vi_transmit(&ours.vi[queue], addr_of(&ours, queue, number % (BUFS / QUEUES)),
                        FRAME_BYTES, number) == -EAGAIN) {
    const int n = ef_eventq_poll(&ours.vi[queue], events, 16);
    for (int i = 0; i < n; i++)
      ef_vi_transmit_unbundle(&ours.vi[queue], &events[i], ids);
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("queue %u can't send", queue);
  }
}

static inline void sends(unsigned queue, uint16_t port, uint16_t number)
{
  sends_to(0, queue, port, number);
}

/* What an interface of theirs has got, by number. */
struct got {
  unsigned count;
  uint8_t times[1024];
};

static inline const uint8_t *packet_of(unsigned vi, const ef_event *event)
{
  if (EF_EVENT_TYPE(*event) == EF_EVENT_TYPE_RX_REF) {
    assert_int_equal(event->rx_ref.len, FRAME_BYTES);
    return efct_vi_rxpkt_get(&theirs.vi[vi], event->rx_ref.pkt_id);
  }
  assert_int_equal(EF_EVENT_TYPE(*event), EF_EVENT_TYPE_RX);
  assert_int_equal(EF_EVENT_RX_BYTES(*event), FRAME_BYTES);
  return data_of(&theirs, vi, EF_EVENT_RX_RQ_ID(*event));
}

static inline void polls(unsigned vi, uint16_t port, struct got *got)
{
  ef_event events[16];
  const int n = ef_eventq_poll(&theirs.vi[vi], events, 16);
  for (int i = 0; i < n; i++) {
    const uint8_t *packet = packet_of(vi, &events[i]);
    assert_non_null(packet);
    assert_int_equal(shunt_load_be16(packet + 36), port);
    got->times[shunt_load_be16(packet + FRAME_BYTES - 2)]++;
    got->count++;
    if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_RX_REF)
      efct_vi_rxpkt_release(&theirs.vi[vi], events[i].rx_ref.pkt_id);
    else
      assert_int_equal(ef_vi_receive_post(&theirs.vi[vi],
                                          addr_of(&theirs, vi, EF_EVENT_RX_RQ_ID(events[i])),
                                          (ef_request_id)EF_EVENT_RX_RQ_ID(events[i])),
                       0);
  }
}

static inline uint64_t counted(unsigned vi, const char *name)
{
  struct rig like = {.handle = theirs.handle, .vi = theirs.vi[vi]};
  return rig_count(&like, name);
}

static inline void assert_each_once(const struct got *got, unsigned first, unsigned n)
{
  for (unsigned i = first; i < first + n; i++)
    if (got->times[i] != 1)
      fail_msg("frame %u came %u times", i, got->times[i]);
  assert_int_equal(got->count, n);
}

/* --- Frames of several buffers ------------------------------------------------------------------
 */

static inline int mtu_set(const char *bytes)
{
  char command[120];
  snprintf(command, sizeof(command),
           "ip link set " VETH_OURS " mtu %s && ip link set " VETH_THEIRS " mtu %s", bytes, bytes);
  return system(command);
}

static inline void long_frames_end(void **state)
{
  end_close(&ours);
  assert_int_equal(mtu_set("1500"), 0);
  assert_int_equal(set_up(state), 0);
}

/* Open our end with an MTU of 9000. Returns false where the kernel has no frames of several buffers
 * (before Linux 6.6), and all is as it was. */
static inline bool long_frames_begin(void **state)
{
  ef_vi probe = {0};
  end_close(&ours);
  assert_int_equal(mtu_set("9000"), 0);
  domain_open(&ours, VETH_OURS, EF_PD_DEFAULT);
  if (ef_vi_alloc_from_pd(&probe, ours.handle, &ours.pd, ours.handle, -1, 0, 63, NULL, -1,
                          EF_VI_FLAGS_DEFAULT)) {
    long_frames_end(state);
    return false;
  }
  assert_int_equal(ef_vi_free(&probe, ours.handle), 0);
  for (unsigned i = 0; i < QUEUES; i++)
    add(&ours, 0);
  return true;
}

#define ON_VETH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
