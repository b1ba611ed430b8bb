/* SPDX-License-Identifier: BSD-2-Clause */
/* What a port is told to do with frames: filters, tags, checksums, spreading; and its counters. */
#include "conformance/cases.h"

#include <errno.h>
#include <string.h>

static void other_stations_frames_are_left_alone(const struct device *device)
{
  static const uint8_t other[6] = {2, 9, 9, 9, 9, 9}, group[6] = {1, 0, 0x5E, 1, 2, 3},
                       second[6] = {1, 0, 0x5E, 9, 9, 9}, all[6] = {255, 255, 255, 255, 255, 255};
  struct shunt_mac mac;
  struct shunt_error error;
  struct pair pair;
  struct shunt_frame frame, got[4];
  case_open(&pair, device, NULL, 0);
  const struct {
    const uint8_t *to;
    int joined, promiscuous, arrives;
  } cases[] = {{other, 0, 0, 0},  {all, 0, 0, 1},   {group, 0, 0, 0}, {group, 1, 0, 1},
               {second, 1, 0, 0}, {other, 1, 1, 1}, {group, 0, 0, 0}, {other, 0, 0, 0}};
  int joined = 0;
  case_skip_without(&pair, shunt_port_promiscuous(pair.port[1], 0, &error), &error);
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    memcpy(mac.bytes, group, 6);
    if (cases[i].joined && !joined)
      assert_int_equal(shunt_port_multicast_add(pair.port[1], &mac, &error), 0);
    if (!cases[i].joined && joined)
      assert_int_equal(shunt_port_multicast_remove(pair.port[1], &mac, &error), 0);
    joined = cases[i].joined;
    assert_int_equal(shunt_port_promiscuous(pair.port[1], cases[i].promiscuous, &error), 0);
    pair_build(&pair, 0, 64, 1, &frame);
    memcpy(pair_data(&pair, &frame), cases[i].to, 6);
    pair_send(&pair, 0, &frame, 1);
    assert_int_equal(pair_receive(&pair, 1, got, 4, cases[i].arrives), cases[i].arrives);
  }
  memcpy(mac.bytes, group, 6);
  assert_int_equal(shunt_port_multicast_remove(pair.port[1], &mac, &error), -ENOENT);
  memcpy(mac.bytes, other, 6);
  assert_int_equal(shunt_port_multicast_add(pair.port[1], &mac, &error), -EINVAL);
  pair_destroy(&pair);
}

static void vlan_tags_go_on_and_come_off(const struct device *device)
{
  struct pair pair;
  struct shunt_error error;
  const struct shunt_port_options options = {.vlan_strip = 1};
  struct shunt_frame sent, got[2];
  case_open(&pair, device, &options, 0);
  pair_build(&pair, 0, 100, 3, &sent);
  sent.flags = SHUNT_FRAME_VLAN;
  sent.vlan = 0x2123; /* priority 1, VLAN 0x123 */
  pair_send(&pair, 0, &sent, 1);
  assert_int_equal(pair_receive(&pair, 1, got, 1, 1), 1);
  assert_true(got[0].flags & SHUNT_FRAME_VLAN);
  assert_int_equal(got[0].vlan, 0x2123);
  assert_int_equal(got[0].len, 100);
  assert_memory_equal(pair_data(&pair, &got[0]), pair_data(&pair, &sent), 100);
  assert_int_equal(pair_reclaim(&pair, 0, 1), 1);

  /* With the filter on, only the VLANs that were added arrive. */
  assert_int_equal(shunt_port_vlan_add(pair.port[1], 7, &error), 0);
  pair_build(&pair, 0, 100, 3, &sent);
  sent.flags = SHUNT_FRAME_VLAN;
  sent.vlan = 0x123;
  pair_send(&pair, 0, &sent, 1);
  assert_int_equal(pair_receive(&pair, 1, got, 1, 0), 0);
  pair_build(&pair, 0, 100, 3, &sent);
  sent.flags = SHUNT_FRAME_VLAN;
  sent.vlan = 7;
  pair_send(&pair, 0, &sent, 1);
  assert_int_equal(pair_receive(&pair, 1, got, 1, 1), 1);
  assert_int_equal(shunt_port_vlan_remove(pair.port[1], 7, &error), 0);
  assert_int_equal(shunt_port_vlan_remove(pair.port[1], 7, &error), -ENOENT);
  assert_int_equal(shunt_port_vlan_add(pair.port[1], 4095, &error), -EINVAL);
  pair_destroy(&pair);
}

static void checksums_are_filled_in_and_checked(const struct device *device)
{
  struct pair pair;
  struct shunt_frame sent, got[2];
  case_open(&pair, device, NULL, 0);
  for (uint32_t payload = 18; payload < 60; payload += 7) {
    for (unsigned damage = 0; damage < 3; damage++) {
      uint32_t bytes = pair_udp(&pair, 0, &sent, (uint16_t)(1000 + payload), payload, damage != 2);
      sent.len = (uint16_t)bytes;
      sent.l2_bytes = 14;
      sent.l3_bytes = 20;
      sent.flags = damage == 1 ? SHUNT_FRAME_UDP_SUM : SHUNT_FRAME_IP_SUM;
      if (damage == 0)
        sent.flags |= SHUNT_FRAME_UDP_SUM;
      if (damage == 2)
        pair_data(&pair, &sent)[41] = 0x55; /* a wrong UDP checksum, sent as it is */
      pair_send(&pair, 0, &sent, 1);
      assert_int_equal(pair_receive(&pair, 1, got, 1, 1), 1);
      const uint8_t *data = pair_data(&pair, &got[0]);
      uint32_t checked = SHUNT_FRAME_IP_CHECKED | SHUNT_FRAME_L4_CHECKED;
      uint32_t bad = damage == 1 ? SHUNT_FRAME_IP_BAD : damage == 2 ? SHUNT_FRAME_L4_BAD : 0;
      if (device->kernel) /* AF_XDP does not say what the NIC has checked */
        checked = bad = 0;
      assert_int_equal(got[0].flags & checked, checked);
      assert_int_equal(got[0].flags & (SHUNT_FRAME_IP_BAD | SHUNT_FRAME_L4_BAD), bad);
      if (damage != 1)
        assert_int_equal(shunt_checksum(data + 14, 20), 0);
      if (damage != 2) {
        uint32_t sum = shunt_checksum_pseudo(0x0A010001, 0x0A010002, 17, 8 + payload);
        assert_int_equal(shunt_checksum_finish(shunt_checksum_add(sum, data + 34, 8 + payload)), 0);
      }
      pair_give(&pair, got, 1);
      assert_int_equal(pair_reclaim(&pair, 0, 1), 1);
      shunt_rx_fill(pair.queue[1], pair.pool);
    }
  }
  pair_destroy(&pair);
}

static void statistics_tell_what_was_moved(const struct device *device)
{
  struct pair pair;
  struct shunt_frame frame, got[4];
  case_open(&pair, device, NULL, 0);
  for (unsigned i = 0; i < 10; i++) {
    pair_build(&pair, 0, 100, 0, &frame);
    pair_send(&pair, 0, &frame, 1);
    assert_int_equal(pair_receive(&pair, 1, got, 1, 1), 1);
  }
  assert_int_equal(pair_statistic(&pair, 0, "tx_packets"), 10);
  assert_int_equal(pair_statistic(&pair, 1, "rx_packets"), 10);
  assert_int_equal(pair_statistic(&pair, 1, "rx_q0_packets"), 10);
  /* Again: counters that clear when they are read must not be lost by reading. */
  assert_int_equal(pair_statistic(&pair, 1, "rx_packets"), 10);
  assert_int_equal(pair_statistic(&pair, 0, "rx_packets"), 0);
  pair_destroy(&pair);
}

/* Flows spread over the queues by the table, and one flow stays on one queue. */
static void flows_spread_over_queues(const struct device *device)
{
  struct pair pair;
  struct shunt_error error;
  const struct shunt_port_options options = {.queues = 4, .rx_ring = 128, .rx_metadata = 1};
  struct shunt_rss rss = {.size = sizeof(rss)};
  unsigned seen[4] = {0};
  case_open(&pair, device, &options, 0);
  case_skip_without(&pair, shunt_port_rss_get(pair.port[1], &rss, &error), &error);
  rss.fields = SHUNT_RSS_IPV4 | SHUNT_RSS_UDP_IPV4;
  for (unsigned i = 0; i < 128; i++)
    rss.table[i] = (uint8_t)(i % 4);
  assert_int_equal(shunt_port_rss_set(pair.port[1], &rss, &error), 0);
  for (unsigned flow = 0; flow < 64; flow++) {
    struct shunt_frame frame, got;
    unsigned where = 4;
    pair_udp(&pair, 0, &frame, (uint16_t)(2000 + flow), 18, 0);
    pair_send(&pair, 0, &frame, 1);
    for (unsigned q = 0; q < 4; q++) {
      if (!shunt_rx_poll(shunt_port_queue(pair.port[1], q), &got, 1))
        continue;
      assert_int_equal(where, 4); /* not twice */
      where = q;
      assert_true(got.flags & SHUNT_FRAME_HASH);
      assert_int_equal(got.hash % 4, q);
      shunt_pool_give(pair.pool, &got.addr, 1);
    }
    assert_true(where < 4);
    seen[where]++;
    pair_reclaim(&pair, 0, 0);
  }
  for (unsigned q = 0; q < 4; q++)
    assert_true(seen[q] > 4);
  rss.table[5] = 4;
  assert_int_equal(shunt_port_rss_set(pair.port[1], &rss, &error), -EINVAL);
  pair_destroy(&pair);
}

static void filters_steer(const struct device *device)
{
  struct pair pair;
  struct shunt_error error;
  const struct shunt_port_options options = {.queues = 2, .rx_ring = 128};
  const enum shunt_filter_kind kinds[] = {SHUNT_FILTER_FIVE_TUPLE, SHUNT_FILTER_PERFECT};
  for (unsigned k = 0; k < 2; k++) {
    struct shunt_filter filter = {.size = sizeof(filter),
                                  .kind = kinds[k],
                                  .source_ip = 0x0A010001,
                                  .destination_ip = 0x0A010002,
                                  .source_port = 5555,
                                  .destination_port = 0x1092,
                                  .protocol = 17,
                                  .queue = 1};
    struct shunt_frame frame, got;
    uint32_t id;
    case_open(&pair, device, &options, 0);
    struct shunt_rss rss = {.size = sizeof(rss)}; /* all to queue 0, but for the filter */
    case_skip_without(&pair, shunt_port_rss_get(pair.port[1], &rss, &error), &error);
    memset(&rss, 0, sizeof(rss));
    rss.size = sizeof(rss);
    assert_int_equal(shunt_port_rss_set(pair.port[1], &rss, &error), 0);
    assert_int_equal(shunt_port_filter_add(pair.port[1], &filter, &id, &error), 0);
    for (unsigned round = 0; round < 3; round++) {
      /* The flow, another flow, and the flow again without its filter. */
      if (round == 2)
        assert_int_equal(shunt_port_filter_remove(pair.port[1], id, &error), 0);
      pair_udp(&pair, 0, &frame, round == 1 ? 5556 : 5555, 18, 0);
      pair_send(&pair, 0, &frame, 1);
      unsigned wanted = round == 0 ? 1 : 0;
      assert_int_equal(shunt_rx_poll(shunt_port_queue(pair.port[1], !wanted), &got, 1), 0);
      assert_int_equal(shunt_rx_poll(shunt_port_queue(pair.port[1], wanted), &got, 1), 1);
    }
    assert_true(shunt_port_filter_remove(pair.port[1], id, &error) < 0);
    filter.queue = 2;
    assert_int_equal(shunt_port_filter_add(pair.port[1], &filter, &id, &error), -EINVAL);
    pair_destroy(&pair);
  }
}

const struct conformance_case settings_cases[] = {
    CASE(other_stations_frames_are_left_alone),
    CASE(vlan_tags_go_on_and_come_off),
    CASE(checksums_are_filled_in_and_checked),
    CASE(statistics_tell_what_was_moved),
    CASE(flows_spread_over_queues),
    CASE(filters_steer),
    {0},
};
