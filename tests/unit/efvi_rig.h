/* SPDX-License-Identifier: BSD-2-Clause */
/* An ef_vi interface on an 82599's twin, and the test itself at the other end of the wire, in
 * virtual time. */
#ifndef TESTS_UNIT_EFVI_RIG_H
#define TESTS_UNIT_EFVI_RIG_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <etherfabric/capabilities.h>
#include <etherfabric/checksum.h>
#include <etherfabric/efct_vi.h>
#include <etherfabric/memreg.h>
#include <etherfabric/packedstream.h>
#include <etherfabric/pd.h>
#include <etherfabric/pio.h>
#include <etherfabric/timer.h>
#include <etherfabric/vi.h>

#include "shunt/bytes.h"
#include "src/efvi/efvi.h"

#define RIG_BUFS      1024u
#define RIG_RING      511 /* slots of either ring of its interface */
#define RIG_BUF_BYTES 2048u
#define RIG_OFFSET    64u /* where packets begin in a program's buffer */
#define RIG_EVENTS    64
#define RIG_DEVICE    "ixgbe:twin?wire=w&queues=2"

struct rig {
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  struct shunt_testbed *testbed;
  struct shunt_wire_end *peer;
  struct shunt_error error;
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory; /* RIG_BUFS buffers, their first bytes 0xEE */
  uint8_t mac[6];
  unsigned sent; /* frames that reached the test's end */
  uint8_t last[16384];
  uint32_t last_bytes;
  ef_event events[RIG_EVENTS];
};

static inline void rig_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct rig *rig = context;
  (void)now_ns;
  rig->sent++;
  rig->last_bytes = bytes;
  memcpy(rig->last, frame, bytes);
}

static inline void rig_turn(void *context, uint64_t now_ns)
{
  struct rig *rig = context;
  (void)now_ns;
  shunt_testbed_poll(rig->testbed);
}

static inline void rig_run(struct rig *rig, uint64_t us)
{
  shunt_virtual_clock_advance(&rig->time, us * 1000);
}

/* A testbed with the test on its wire; a handle, a domain and memory; no interface yet. */
static inline int rig_set_up(void **state)
{
  static const struct shunt_wire_end_ops ops = {.deliver = rig_deliver};
  struct rig *rig = calloc(1, sizeof(*rig));
  struct shunt_testbed_options options = {.size = sizeof(options)};
  *state = rig;
  shunt_virtual_clock_init(&rig->time, 1000000);
  shunt_virtual_clock_hook(&rig->time, rig_turn, rig, 1000);
  rig->clock = shunt_virtual_clock_view(&rig->time);
  options.clock = &rig->clock;
  if (shunt_testbed_create(&options, &rig->testbed, &rig->error) ||
      shunt_wire_attach(shunt_testbed_wire(rig->testbed, "w", &rig->error), "test", &ops, rig,
                        &rig->peer, &rig->error))
    return -1;
  efvi_use_testbed(rig->testbed, &rig->clock);
  setenv("SHUNT_EFVI_DEVICE", "eth0=" RIG_DEVICE ",77=" RIG_DEVICE, 1);
  rig->memory = mmap(NULL, (size_t)RIG_BUFS * RIG_BUF_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(rig->memory, 0xEE, (size_t)RIG_BUFS * RIG_BUF_BYTES);
  return ef_driver_open(&rig->handle) ||
         ef_pd_alloc_by_name(&rig->pd, rig->handle, "eth0", EF_PD_DEFAULT) ||
         ef_memreg_alloc(&rig->memreg, rig->handle, &rig->pd, rig->handle, rig->memory,
                         (size_t)RIG_BUFS * RIG_BUF_BYTES);
}

static inline int rig_tear_down(void **state)
{
  struct rig *rig = *state;
  if (rig->vi.inited && ef_vi_free(&rig->vi, rig->handle))
    return -1;
  if (ef_memreg_free(&rig->memreg, rig->handle) || ef_pd_free(&rig->pd, rig->handle) ||
      ef_driver_close(rig->handle))
    return -1;
  efvi_use_testbed(NULL, NULL);
  munmap(rig->memory, (size_t)RIG_BUFS * RIG_BUF_BYTES);
  shunt_testbed_destroy(rig->testbed);
  free(rig);
  return 0;
}

static inline ef_addr rig_addr(struct rig *rig, unsigned buf)
{
  return ef_memreg_dma_addr(&rig->memreg, (size_t)buf * RIG_BUF_BYTES + RIG_OFFSET);
}

static inline uint8_t *rig_data(struct rig *rig, unsigned buf)
{
  return rig->memory + (size_t)buf * RIG_BUF_BYTES + RIG_OFFSET;
}

/* Make an interface, wait for the link, post the first n buffers with their numbers for ids. */
static inline void rig_open(struct rig *rig, enum ef_vi_flags flags, unsigned n)
{
  int result = ef_vi_alloc_from_pd(&rig->vi, rig->handle, &rig->pd, rig->handle, -1, RIG_RING,
                                   RIG_RING, NULL, -1, flags);
  if (result)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
  assert_int_equal(ef_vi_get_mac(&rig->vi, rig->handle, rig->mac), 0);
  rig_run(rig, 1000);
  for (unsigned i = 0; i < n; i++)
    assert_int_equal(ef_vi_receive_init(&rig->vi, rig_addr(rig, i), (ef_request_id)i), 0);
  ef_vi_receive_push(&rig->vi);
  rig_run(rig, 100);
}

static inline void rig_filter_all(struct rig *rig)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_unicast_all(&spec), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0);
}

/* An IPv4 UDP frame to the interface, from 10.0.0.1:1000 to 10.0.0.2:port; its last byte is mark.
 */
static inline uint32_t rig_frame(const struct rig *rig, uint8_t frame[], uint32_t bytes,
                                 uint16_t port, uint8_t mark)
{
  memset(frame, 0, bytes);
  memcpy(frame, rig->mac, 6);
  memcpy(frame + 6, "\x02\xaa\xbb\xcc\xdd\xee", 6);
  shunt_store_be16(frame + 12, 0x0800);
  uint8_t *ip = frame + 14;
  ip[0] = 0x45;
  shunt_store_be16(ip + 2, (uint16_t)(bytes - 14));
  ip[8] = 64;
  ip[9] = 17;
  shunt_store_be32(ip + 12, 0x0a000001);
  shunt_store_be32(ip + 16, 0x0a000002);
  uint16_t sum = (uint16_t)ef_ip_checksum((const void *)ip);
  memcpy(ip + 10, &sum, 2);
  shunt_store_be16(ip + 20, 1000);
  shunt_store_be16(ip + 22, port);
  shunt_store_be16(ip + 24, (uint16_t)(bytes - 34));
  frame[bytes - 1] = mark;
  return bytes;
}

/* Send to the interface from the other end. */
static inline void rig_send(struct rig *rig, const void *frame, uint32_t bytes)
{
  struct iovec piece = {.iov_base = (void *)(uintptr_t)frame, .iov_len = bytes};
  assert_int_equal(shunt_wire_send(rig->peer, &piece, 1, rig->time.now_ns), 0);
  rig_run(rig, 50);
}

static inline void rig_send_udp(struct rig *rig, uint32_t bytes, uint16_t port, uint8_t mark)
{
  uint8_t frame[16384];
  rig_send(rig, frame, rig_frame(rig, frame, bytes, port, mark));
}

static inline int rig_poll(struct rig *rig)
{
  rig_run(rig, 50);
  return ef_eventq_poll(&rig->vi, rig->events, RIG_EVENTS);
}

static inline uint64_t rig_count(struct rig *rig, const char *name)
{
  const ef_vi_stats_layout *layout;
  uint8_t data[512];
  uint64_t value = 0;
  assert_int_equal(ef_vi_stats_query_layout(&rig->vi, &layout), 0);
  assert_true((size_t)layout->evsl_data_size <= sizeof(data));
  assert_int_equal(ef_vi_stats_query(&rig->vi, rig->handle, data, 0), 0);
  for (int i = 0; i < layout->evsl_fields_num; i++) {
    if (strcmp(layout->evsl_fields[i].evsfl_name, name) != 0)
      continue;
    memcpy(&value, data + layout->evsl_fields[i].evsfl_offset,
           (size_t)layout->evsl_fields[i].evsfl_size); /* little-endian, as all that is tested */
    return value;
  }
  fail_msg("no statistic is called %s", name);
  return 0;
}

#endif
