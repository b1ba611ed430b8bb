/* SPDX-License-Identifier: BSD-2-Clause */
/* Every call of ef_vi on one device, in the order in which a program makes them. */
#include "conformance/efvi_run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <etherfabric/capabilities.h>
#include <etherfabric/efct_vi.h>
#include <etherfabric/packedstream.h>
#include <etherfabric/pio.h>
#include <etherfabric/timer.h>

/* --- The calls ----------------------------------------------------------------------------------
 */

static int domains(struct run *run)
{
  struct end *near = &run->near;
  ef_pd other = {0};
  unsigned long value;
  run->section = "Handles, domains, memory";
  CALL(ef_driver_open, &near->handle);
  const int result = CALL(ef_pd_alloc, &near->pd, near->handle, NEAR, EF_PD_DEFAULT);
  const ef_driver_handle dh = near->handle;
  if (CALL(ef_pd_alloc_by_name, &other, dh, "77", EF_PD_DEFAULT) == 0)
    ef_pd_free(&other, dh);
  if (CALL(ef_pd_alloc_with_vport, &other, dh, "77", EF_PD_VPORT, 5) == 0)
    ef_pd_free(&other, dh);
  static const struct {
    const char *name;
    enum ef_pd_flags flag;
  } flags[] = {{"EF_PD_VF", EF_PD_VF},
               {"EF_PD_PHYS_MODE", EF_PD_PHYS_MODE},
               {"EF_PD_RX_PACKED_STREAM", EF_PD_RX_PACKED_STREAM},
               {"EF_PD_MCAST_LOOP", EF_PD_MCAST_LOOP},
               {"EF_PD_MEMREG_64KiB", EF_PD_MEMREG_64KiB},
               {"EF_PD_EXPRESS", EF_PD_EXPRESS}};
  for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
    if (WITH(flags[i].name, ef_pd_alloc, &other, dh, NEAR, flags[i].flag) == 0)
      ef_pd_free(&other, dh);
  if (result == 0) {
    POINTER(ef_pd_interface_name, &near->pd);
    CALL(ef_pd_capabilities_get, dh, &near->pd, dh, EF_VI_CAP_RXQ_SIZES, &value);
    CALL(ef_vi_capabilities_get, dh, NEAR, EF_VI_CAP_RXQ_SIZES, &value);
    CALL(ef_vi_capabilities_get_from_pd_flags, dh, NEAR, EF_PD_DEFAULT, EF_VI_CAP_RXQ_SIZES,
         &value);
    CALL(ef_memreg_alloc, &near->memreg, dh, &near->pd, dh, run->memory,
         BUFS * BUF_BYTES + STREAM_BUF);
  }
  return result;
}

#define FLAG(which) .name = #which, .flag = (which)

static void interfaces(struct run *run)
{
  struct end *near = &run->near;
  const ef_driver_handle dh = near->handle;
  ef_vi *vi = &near->vi, other = {0};
  const ef_vi_layout_entry *entries;
  const ef_vi_stats_layout *layout;
  uint8_t counted[4096];
  int n;
  run->section = "Interfaces";
  static const struct {
    const char *name;
    uint64_t flag;
  } flags[] = {{FLAG(EF_VI_ISCSI_RX_HDIG)},      {FLAG(EF_VI_ISCSI_TX_HDIG)},
               {FLAG(EF_VI_ISCSI_RX_DDIG)},      {FLAG(EF_VI_ISCSI_TX_DDIG)},
               {FLAG(EF_VI_TX_PHYS_ADDR)},       {FLAG(EF_VI_RX_PHYS_ADDR)},
               {FLAG(EF_VI_TX_IP_CSUM_DIS)},     {FLAG(EF_VI_TX_TCPUDP_CSUM_DIS)},
               {FLAG(EF_VI_TX_TCPUDP_ONLY)},     {FLAG(EF_VI_TX_FILTER_IP)},
               {FLAG(EF_VI_TX_FILTER_MAC)},      {FLAG(EF_VI_TX_FILTER_MASK_1)},
               {FLAG(EF_VI_TX_FILTER_MASK_2)},   {FLAG(EF_VI_TX_FILTER_MASK_3)},
               {FLAG(EF_VI_TX_PUSH_DISABLE)},    {FLAG(EF_VI_TX_PUSH_ALWAYS)},
               {FLAG(EF_VI_RX_TIMESTAMPS)},      {FLAG(EF_VI_TX_TIMESTAMPS)},
               {FLAG(EF_VI_RX_PACKED_STREAM)},   {FLAG(EF_VI_RX_PS_BUF_SIZE_64K)},
               {FLAG(EF_VI_RX_EVENT_MERGE)},     {FLAG(EF_VI_TX_ALT)},
               {FLAG(EF_VI_ENABLE_EV_TIMER)},    {FLAG(EF_VI_TX_CTPIO)},
               {FLAG(EF_VI_TX_CTPIO_NO_POISON)}, {FLAG(EF_VI_RX_ZEROCOPY)},
               {FLAG(EF_VI_ALLOW_MEMCPY)},       {FLAG(EF_VI_EFCT_UNIQUEUE)},
               {FLAG(EF_VI_RX_EXCLUSIVE)},       {FLAG(EF_VI_ENABLE_TPH)},
               {FLAG(EF_VI_TPH_TAG_MODE)},       {FLAG(EF_VI_RX_FILTER_ID)}};
  for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
    quiet();
    const int result = open_interface(near, &other, &near->pd, flags[i].flag);
    say(run, "ef_vi_alloc_from_pd", flags[i].name, MATRIX_NUMBER, result < 0 ? result : 0);
    if (result >= 0)
      assert_int_equal(ef_vi_free(&other, dh), 0);
  }
  assert_true(CALL(ef_vi_alloc_from_pd, vi, dh, &near->pd, dh, -1, 63, 63, NULL, -1,
                   EF_VI_FLAGS_DEFAULT) >= 0);
  CALL(ef_vi_get_mac, vi, dh, near->mac);
  CALL(ef_vi_mtu, vi, dh);
  CALL(ef_eventq_capacity, vi);
  CALL(ef_vi_receive_query_layout, vi, &entries, &n);
  CALL(ef_vi_stats_query_layout, vi, &layout);
  assert_true((size_t)layout->evsl_data_size <= sizeof(counted));
  CALL(ef_vi_stats_query, vi, dh, counted, 1);
  CALL(ef_vi_pace, vi, dh, 0);
  VOID(ef_vi_set_tx_push_threshold, vi, 16);
}

/* Add the filter and remove it again. */
static void try_filter(struct run *run, const char *what, const ef_filter_spec *spec)
{
  ef_filter_cookie cookie;
  if (WITH(what, ef_vi_filter_add, &run->near.vi, run->near.handle, spec, &cookie) == 0)
    assert_int_equal(ef_vi_filter_del(&run->near.vi, run->near.handle, &cookie), 0);
}

#define FILTER(what, name, ...)                                                                    \
  do {                                                                                             \
    ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);                                               \
    CALL(name, &spec, ##__VA_ARGS__);                                                              \
    try_filter(run, what, &spec);                                                                  \
  } while (0)

static void filters(struct run *run)
{
  static const uint8_t other[6] = {2, 9, 9, 9, 9, 9}, group[6] = {1, 0, 0x5E, 1, 1, 1};
  struct end *near = &run->near;
  struct in6_addr here = IN6ADDR_LOOPBACK_INIT, there = IN6ADDR_LOOPBACK_INIT;
  ef_filter_spec spec;
  ef_filter_cookie cookie = {0};
  ef_filter_info info;
  run->section = "Filters";
  FILTER("IPv4, local", ef_filter_spec_set_ip4_local, IPPROTO_UDP, htonl(0x0A000001), htons(5));
  FILTER("IPv4, full", ef_filter_spec_set_ip4_full, IPPROTO_TCP, htonl(0x0A000001), htons(5),
         htonl(0x0A000002), htons(6));
  FILTER("IPv4, a group", ef_filter_spec_set_ip4_local, IPPROTO_UDP, htonl(0xEF010101), htons(5));
  FILTER("IPv6, local", ef_filter_spec_set_ip6_local, IPPROTO_UDP, &here, htons(5));
  FILTER("IPv6, full", ef_filter_spec_set_ip6_full, IPPROTO_TCP, &here, htons(5), &there, htons(6));
  FILTER("VLAN", ef_filter_spec_set_vlan, 5);
  FILTER("its MAC address", ef_filter_spec_set_eth_local, EF_FILTER_VLAN_ID_ANY, near->mac);
  FILTER("its MAC address and a VLAN", ef_filter_spec_set_eth_local, 5, near->mac);
  FILTER("another's MAC address", ef_filter_spec_set_eth_local, EF_FILTER_VLAN_ID_ANY, other);
  FILTER("a group's MAC address", ef_filter_spec_set_eth_local, EF_FILTER_VLAN_ID_ANY, group);
  FILTER("EtherType", ef_filter_spec_set_eth_type, htons(ETHERTYPE));
  FILTER("IP protocol", ef_filter_spec_set_ip_proto, IPPROTO_ICMP);
  FILTER("all unicast", ef_filter_spec_set_unicast_all);
  FILTER("all multicast", ef_filter_spec_set_multicast_all);
  FILTER("other unicast", ef_filter_spec_set_unicast_mismatch);
  FILTER("other multicast", ef_filter_spec_set_multicast_mismatch);
  FILTER("sniff", ef_filter_spec_set_port_sniff, 1);
  FILTER("sniff what is sent", ef_filter_spec_set_tx_port_sniff);
  FILTER("block the kernel", ef_filter_spec_set_block_kernel);
  FILTER("block the kernel, multicast", ef_filter_spec_set_block_kernel_multicast);
  FILTER("block the kernel, unicast", ef_filter_spec_set_block_kernel_unicast);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0A000001), htons(5));
  CALL(ef_filter_spec_set_dest, &spec, 0, 0);
  try_filter(run, "to a queue", &spec);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  CALL(ef_filter_spec_set_user_mark, &spec, 1, 0);
  CALL(ef_filter_spec_set_user_flag, &spec, 1, 0);
#pragma GCC diagnostic pop
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0A000001), htons(5));
  assert_int_equal(ef_vi_filter_add(&near->vi, near->handle, &spec, &cookie), 0);
  CALL(ef_vi_filter_query, &near->vi, near->handle, &cookie, &info, sizeof(info));
  CALL(ef_vi_filter_del, &near->vi, near->handle, &cookie);
}

/* The far end, and at both ends a filter of what they say to each other. */
static void join(struct run *run)
{
  struct end *far = &run->far;
  assert_int_equal(ef_driver_open(&far->handle), 0);
  assert_int_equal(ef_pd_alloc(&far->pd, far->handle, FAR, EF_PD_DEFAULT), 0);
  assert_int_equal(ef_memreg_alloc(&far->memreg, far->handle, &far->pd, far->handle, run->memory,
                                   BUFS * BUF_BYTES),
                   0);
  assert_true(open_interface(far, &far->vi, &far->pd, 0) >= 0);
  assert_int_equal(ef_vi_get_mac(&far->vi, far->handle, far->mac), 0);
  listen_to(&run->near, &run->near.vi);
}

static void receive(struct run *run)
{
  struct end *near = &run->near;
  ef_vi *vi = &near->vi;
  ef_request_id ids[EF_VI_RECEIVE_BATCH];
  ef_precisetime time;
  uint16_t bytes;
  run->section = "Receive";
  CALL(ef_vi_receive_init, vi, address(near, 0), 0);
  VOID(ef_vi_receive_push, vi);
  for (int i = 1; i < 8; i++)
    assert_int_equal(ef_vi_receive_post(vi, address(near, (unsigned)i), i), 0);
  CALL(ef_vi_receive_post, vi, address(near, 8), 8);
  CALL(ef_vi_rxq_next_desc_id, vi);
  CALL(ef_eventq_has_event, vi);
  far_sends(run);
  await_some(run, vi);
  CALL(ef_eventq_has_many_events, vi, 0);
  assert_int_equal(CALL(ef_eventq_poll, vi, run->events, EVENTS), 1);
  assert_int_equal(EF_EVENT_TYPE(run->events[0]), EF_EVENT_TYPE_RX);
  assert_int_equal(EF_EVENT_RX_BYTES(run->events[0]), FRAME_BYTES);
  assert_int_equal(data(run, EF_EVENT_RX_RQ_ID(run->events[0]))[FRAME_BYTES - 1], 60);
  far_sends(run);
  await_some(run, vi);
  CALL(ef_receive_poll, vi, run->events, EVENTS);
  CALL(ef_vi_receive_unbundle, vi, &run->events[0], ids);
  CALL(ef_vi_receive_get_bytes, vi, data(run, 0), &bytes);
  CALL(ef_vi_receive_get_precise_timestamp, vi, data(run, 0), &time);
  CALL(ef_vi_receive_get_filter_id, vi, &run->events[0], data(run, 0));
  CALL(ef_vi_receive_set_discards, vi, EF_VI_DISCARD_RX_ETH_FCS_ERR);
  quiet();
  say(run, "ef_vi_receive_get_discards", "", MATRIX_NUMBER,
      (long long)ef_vi_receive_get_discards(vi));
  CALL(ef_vi_set_shrub_client_buffer_count, vi, 4);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  ef_timespec seconds;
  unsigned flags;
  uint32_t mark;
  uint8_t user;
  CALL(ef_vi_receive_get_timestamp, vi, data(run, 0), &seconds);
  CALL(ef_vi_receive_get_timestamp_with_sync_flags, vi, data(run, 0), &seconds, &flags);
  CALL(ef_vi_receive_get_user_data, vi, data(run, 0), &mark, &user);
  CALL(ef_vi_receive_get_discard_flags, vi, data(run, 0), &flags);
#pragma GCC diagnostic pop
}

/* An interface with time stamps, in the near one's place, as far as there are any. */
static void stamped(struct run *run)
{
  struct end *near = &run->near;
  ef_vi *vi = &near->vi;
  ef_precisetime time;
  uint16_t bytes;
  assert_int_equal(ef_vi_free(vi, near->handle), 0);
  assert_true(open_interface(near, vi, &near->pd, EF_VI_RX_TIMESTAMPS) >= 0);
  listen_to(near, vi);
  assert_int_equal(ef_vi_receive_post(vi, address(near, 1), 1), 0);
  far_sends_until(run, vi, EF_EVENT_TYPE_RX);
  WITH("EF_VI_RX_TIMESTAMPS", ef_vi_receive_get_bytes, vi, data(run, 1), &bytes);
  WITH("EF_VI_RX_TIMESTAMPS", ef_vi_receive_get_precise_timestamp, vi, data(run, 1), &time);
}

/* Merged events, in the near one's place, which comes back. */
static void merged(struct run *run)
{
  struct end *near = &run->near;
  ef_vi *vi = &near->vi;
  ef_request_id ids[EF_VI_RECEIVE_BATCH];
  assert_int_equal(ef_vi_free(vi, near->handle), 0);
  assert_true(open_interface(near, vi, &near->pd, EF_VI_RX_EVENT_MERGE) >= 0);
  listen_to(near, vi);
  assert_int_equal(ef_vi_receive_post(vi, address(near, 1), 1), 0);
  far_sends_until(run, vi, EF_EVENT_TYPE_RX_MULTI);
  WITH("EF_VI_RX_EVENT_MERGE", ef_vi_receive_unbundle, vi, &run->events[0], ids);
  assert_int_equal(ef_vi_free(vi, near->handle), 0);
  assert_true(open_interface(near, vi, &near->pd, 0) >= 0);
  listen_to(near, vi);
  assert_int_equal(ef_vi_receive_post(vi, address(near, 1), 1), 0);
  far_sends_until(run, vi, EF_EVENT_TYPE_RX);
}

static void transmit(struct run *run)
{
  struct end *near = &run->near;
  ef_vi *vi = &near->vi;
  const ef_addr at = address(near, 20);
  ef_iovec pieces[] = {{at, 50}, {at + 50, 50}};
  ef_remote_iovec remote = {.iov_base = at, .iov_len = 100, .addrspace = EF_ADDRSPACE_LOCAL};
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  ef_vi_tx_warm_state saved;
  run->section = "Transmit";
  build(run, 20, near, &run->far);
  CALL(ef_vi_transmit_init, vi, at, FRAME_BYTES, 1);
  VOID(ef_vi_transmit_push, vi);
  CALL(ef_vi_transmitv_init, vi, pieces, 2, 2);
  ef_vi_transmit_push(vi);
  CALL(ef_vi_transmit, vi, at, FRAME_BYTES, 3);
  CALL(ef_vi_transmitv, vi, pieces, 2, 4);
  near_has_sent(run, vi, 4);
  ef_vi_transmit(vi, at, FRAME_BYTES, 5);
  await(run, vi, EF_EVENT_TYPE_TX);
  CALL(ef_vi_transmit_unbundle, vi, &run->events[0], ids);
  ef_vi_transmit_init(vi, at, FRAME_BYTES, 6);
  VOID(ef_vi_transmit_init_undo, vi);
  VOID(ef_vi_start_transmit_warm, vi, &saved, NULL);
  VOID(ef_vi_stop_transmit_warm, vi, &saved);
  CALL(__ef_vi_reinit_txq_post_error, vi);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  if (CALL(ef_vi_transmitv_init_extra, vi, NULL, &remote, 1, 7) == 0) {
    ef_vi_transmit_push(vi);
    near_has_sent(run, vi, 1);
  }
#pragma GCC diagnostic pop
  CALL(ef_vi_flush, vi, near->handle);

  run->section = "CTPIO and PIO";
  struct iovec whole = {.iov_base = data(run, 20), .iov_len = FRAME_BYTES};
  ef_pio pio = {0};
  VOID(ef_vi_transmitv_ctpio, vi, FRAME_BYTES, &whole, 1, EF_VI_CTPIO_CT_THRESHOLD_SNF);
  CALL(ef_vi_transmitv_ctpio_fallback, vi, pieces, 2, 8);
  near_has_sent(run, vi, 1);
  VOID(ef_vi_transmitv_ctpio_copy, vi, FRAME_BYTES, &whole, 1, 64, data(run, 21));
  CALL(ef_vi_transmit_ctpio_fallback, vi, address(near, 21), FRAME_BYTES, 9);
  near_has_sent(run, vi, 1);
  const int has = CALL(ef_pio_alloc, &pio, near->handle, &near->pd, 2048, near->handle);
  CALL(ef_pio_link_vi, &pio, near->handle, vi, near->handle);
  CALL(ef_vi_get_pio_size, vi);
  CALL(ef_pio_memcpy, vi, data(run, 20), 0, 128);
  CALL(ef_vi_transmit_pio, vi, 0, FRAME_BYTES, 10);
  CALL(ef_vi_transmit_copy_pio, vi, 0, data(run, 20), FRAME_BYTES, 11);
  if (has == 0)
    near_has_sent(run, vi, 2);
  VOID(ef_vi_transmit_pio_warm, vi);
  VOID(ef_vi_transmit_copy_pio_warm, vi, 0, data(run, 20), FRAME_BYTES);
  CALL(ef_pio_unlink_vi, &pio, near->handle, vi, near->handle);
  CALL(ef_pio_free, &pio, near->handle);
}

static void events(struct run *run)
{
  struct end *near = &run->near;
  ef_vi *vi = &near->vi;
  const struct timeval patience = {10, 0};
  run->section = "Events";
  for (int i = 2; i < 16; i++) /* the flush has taken all */
    assert_int_equal(ef_vi_receive_post(vi, address(near, (unsigned)i), i), 0);
  CALL(ef_eventq_put, ef_vi_resource_id(vi), near->handle, 7);
  await(run, vi, EF_EVENT_TYPE_SW);
  CALL(ef_vi_prime, vi, near->handle, ef_eventq_current(vi));
  VOID(ef_eventq_prime, vi);
  far_sends(run);
  CALL(ef_eventq_wait, vi, near->handle, ef_eventq_current(vi), &patience);
  VOID(ef_eventq_timer_prime, vi, 100);
  VOID(ef_eventq_timer_run, vi, 100);
  VOID(ef_eventq_timer_clear, vi);
  VOID(ef_eventq_timer_zero, vi);
}

/* Alternatives on an interface that is made for them, and where there is none on the near one. */
static void alternatives(struct run *run)
{
  struct end *near = &run->near;
  ef_vi own = {0};
  const bool made = open_interface(near, &own, &near->pd, EF_VI_TX_ALT) >= 0;
  ef_vi *vi = made ? &own : &near->vi;
  struct ef_vi_transmit_alt_overhead overhead;
  run->section = "Transmit alternatives";
  CALL(ef_vi_transmit_alt_query_buffering, vi, NEAR, near->handle, 2);
  const int has = CALL(ef_vi_transmit_alt_alloc, vi, near->handle, 2, 4096);
  CALL(ef_vi_transmit_alt_num_ids, vi);
  CALL(ef_vi_transmit_alt_query_overhead, vi, &overhead);
  CALL(ef_vi_transmit_alt_stop, vi, 0);
  CALL(ef_vi_transmit_alt_select, vi, 0);
  if (has == 0)
    assert_int_equal(ef_vi_transmit(vi, address(near, 20), FRAME_BYTES, 12), 0);
  CALL(ef_vi_transmit_alt_select_normal, vi);
  CALL(ef_vi_transmit_alt_go, vi, 0);
  if (has == 0)
    await(run, vi, EF_EVENT_TYPE_TX_ALT);
  CALL(ef_vi_transmit_alt_discard, vi, 0);
  CALL(ef_vi_transmit_alt_free, vi, near->handle);
  if (made)
    assert_int_equal(ef_vi_free(&own, near->handle), 0);
}

/* What follows has the device to itself. */
static void closing(struct run *run)
{
  CALL(ef_vi_free, &run->near.vi, run->near.handle);
}

static void sets(struct run *run)
{
  struct end *near = &run->near;
  const ef_driver_handle dh = near->handle;
  ef_vi_set set = {0};
  ef_vi members[2] = {{0}, {0}};
  ef_filter_spec spec;
  ef_filter_cookie cookie = {0};
  int made[2];
  run->section = "Sets";
  CALL(ef_vi_set_alloc_from_pd, &set, dh, &near->pd, dh, 2);
  for (int i = 0; i < 2; i++) {
    quiet();
    made[i] = ef_vi_alloc_from_set(&members[i], dh, &set, dh, i, -1, 63, 63, NULL, -1,
                                   EF_VI_FLAGS_DEFAULT);
    say(run, "ef_vi_alloc_from_set", i ? "the second" : "the first", MATRIX_NUMBER,
        made[i] < 0 ? made[i] : 0);
  }
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0A000001), htons(9));
  CALL(ef_vi_set_filter_add, &set, dh, &spec, &cookie);
  CALL(ef_vi_set_filter_del, &set, dh, &cookie);
  for (int i = 1; i >= 0; i--)
    if (made[i] >= 0)
      assert_int_equal(ef_vi_free(&members[i], dh), 0);
  CALL(ef_vi_set_free, &set, dh);
}

/* What an interface may ask for beside another, which has a filter that an 82599 can't steer by. */
static void beside(struct run *run)
{
  struct end *near = &run->near;
  struct in6_addr here = IN6ADDR_LOOPBACK_INIT;
  ef_vi first = {0};
  ef_filter_spec spec;
  run->section = "Filters of an interface beside another that has one of IPv6";
  assert_true(open_interface(near, &first, &near->pd, 0) >= 0);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  ef_filter_spec_set_ip6_local(&spec, IPPROTO_UDP, &here, htons(6));
  assert_int_equal(ef_vi_filter_add(&first, near->handle, &spec, NULL), 0);
  assert_true(open_interface(near, &near->vi, &near->pd, 0) >= 0);
  FILTER("IPv4, local", ef_filter_spec_set_ip4_local, IPPROTO_UDP, htonl(0x0A000001), htons(5));
  FILTER("IPv6, local", ef_filter_spec_set_ip6_local, IPPROTO_UDP, &here, htons(5));
  FILTER("its MAC address", ef_filter_spec_set_eth_local, EF_FILTER_VLAN_ID_ANY, near->mac);
  FILTER("EtherType", ef_filter_spec_set_eth_type, htons(ETHERTYPE));
  FILTER("IP protocol", ef_filter_spec_set_ip_proto, IPPROTO_ICMP);
  FILTER("all multicast", ef_filter_spec_set_multicast_all);
  assert_int_equal(ef_vi_free(&near->vi, near->handle), 0);
  assert_int_equal(ef_vi_free(&first, near->handle), 0);
}

/* A domain of its own and an interface on it, in the near one's place. Returns whether there is
 * one. */
static bool special(struct run *run, ef_pd *pd, ef_vi *vi, ef_memreg *memreg, enum ef_pd_flags kind,
                    uint64_t flags)
{
  struct end *near = &run->near;
  const ef_driver_handle dh = near->handle;
  if (ef_pd_alloc(pd, dh, NEAR, kind))
    return false;
  if (ef_memreg_alloc(memreg, dh, pd, dh, run->memory, BUFS * BUF_BYTES + STREAM_BUF) == 0 &&
      open_interface(near, vi, pd, flags) >= 0) {
    listen_to(near, vi);
    return true;
  }
  ef_memreg_free(memreg, dh);
  ef_pd_free(pd, dh);
  return false;
}

static void special_end(struct run *run, ef_pd *pd, ef_vi *vi, ef_memreg *memreg)
{
  assert_int_equal(ef_vi_free(vi, run->near.handle), 0);
  assert_int_equal(ef_memreg_free(memreg, run->near.handle), 0);
  assert_int_equal(ef_pd_free(pd, run->near.handle), 0);
}

/* The calls are made on an interface that is none where there is no such one. */
static void streams(struct run *run)
{
  ef_pd pd = {0};
  ef_vi vi = {0};
  ef_memreg memreg = {0};
  ef_packed_stream_params params = {0};
  int packets, bytes;
  run->section = "Packed stream";
  const bool made = special(run, &pd, &vi, &memreg, EF_PD_RX_PACKED_STREAM,
                            EF_VI_RX_PACKED_STREAM | EF_VI_RX_PS_BUF_SIZE_64K);
  CALL(ef_vi_packed_stream_get_params, &vi, &params);
  uint8_t *buffer = run->memory + BUFS * BUF_BYTES;
  ef_packed_stream_packet *packet = ef_packed_stream_packet_first(buffer, params.psp_start_offset);
  if (made) {
    assert_int_equal(ef_vi_receive_post(&vi, ef_memreg_dma_addr(&memreg, BUFS * BUF_BYTES), 0), 0);
    far_sends_until(run, &vi, EF_EVENT_TYPE_RX_PACKED_STREAM);
  }
  CALL(ef_vi_packed_stream_unbundle, &vi, &run->events[0], &packet, &packets, &bytes);
  if (made)
    special_end(run, &pd, &vi, &memreg);
}

static void express(struct run *run)
{
  ef_pd pd = {0};
  ef_vi vi = {0};
  ef_memreg memreg = {0};
  run->section = "Packets in the device's memory (EF_PD_EXPRESS)";
  const bool made = special(run, &pd, &vi, &memreg, EF_PD_EXPRESS, 0);
  if (made)
    far_sends_until(run, &vi, EF_EVENT_TYPE_RX_REF);
  const uint32_t packet = run->events[0].rx_ref.pkt_id;
  POINTER(efct_vi_rxpkt_get, &vi, packet);
  VOID(efct_vi_rxpkt_release, &vi, packet);
  CALL(efct_vi_rx_future_poll, &vi, run->events, EVENTS);
  POINTER(efct_vi_rx_future_peek, &vi);
  WITH("EF_PD_EXPRESS", ef_vi_set_shrub_client_buffer_count, &vi, 4);
  VOID(efct_vi_start_transmit_warm, &vi);
  VOID(efct_vi_stop_transmit_warm, &vi);
  if (made)
    special_end(run, &pd, &vi, &memreg);
}

static void ending(struct run *run)
{
  struct end *near = &run->near, *far = &run->far;
  run->section = "The end";
  CALL(ef_memreg_free, &near->memreg, near->handle);
  CALL(ef_pd_free, &near->pd, near->handle);
  CALL(ef_driver_close, near->handle);
  assert_int_equal(ef_vi_free(&far->vi, far->handle), 0);
  assert_int_equal(ef_memreg_free(&far->memreg, far->handle), 0);
  assert_int_equal(ef_pd_free(&far->pd, far->handle), 0);
  assert_int_equal(ef_driver_close(far->handle), 0);
}

void matrix_fill(struct matrix_column *column)
{
  struct run run = {.column = column};
  char map[512];
  const size_t bytes = BUFS * BUF_BYTES + STREAM_BUF;
  snprintf(map, sizeof(map), "%d=%s,%d=%s", NEAR, column->near_name, FAR, column->far_name);
  setenv("SHUNT_EFVI_DEVICE", map, 1);
  run.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(run.memory, MAP_FAILED);
  if (domains(&run) == 0) {
    interfaces(&run);
    filters(&run);
    join(&run);
    receive(&run);
    stamped(&run);
    merged(&run);
    transmit(&run);
    events(&run);
    alternatives(&run);
    closing(&run);
    sets(&run);
    beside(&run);
    streams(&run);
    express(&run);
    ending(&run);
  } else
    assert_int_equal(ef_driver_close(run.near.handle), 0);
  munmap(run.memory, bytes);
}
