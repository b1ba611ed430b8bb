/* SPDX-License-Identifier: BSD-2-Clause */
/* The same cases over every driver and device there is: what shunt/port.h promises, observed. */
#include "conformance/efvi_port.h"
#include "conformance/pair.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct device devices[] = {
    {"82599 SFP+, shared tails", "ixgbe:twin?wire=c&id=10fb"},
    {"82599 SFP+, trapped", "ixgbe:twin?wire=c&id=10fb&mode=trap"},
    {"82599 CX4", "ixgbe:twin?wire=c&id=10f9"},
    {"82599 XAUI", "ixgbe:twin?wire=c&id=10fc"},
    /* The CX4 card: the SFP+ cage is asked bit by bit, ten thousand messages for each port. */
    {.label = "82599 over vfio-user, shared tails", .keys = "wire=c&id=10f9"},
    {.label = "82599 over vfio-user, trapped", .keys = "wire=c&id=10f9&mode=trap"},
    {.label = "AF_XDP, skb",
     .name = "xdp:xa?mode=skb",
     .peer_name = "xdp:xb?mode=skb",
     .kernel = 1},
    {.label = "AF_XDP, drv",
     .name = "xdp:xa?mode=drv",
     .peer_name = "xdp:xb?mode=drv",
     .kernel = 1},
    {.label = "ef_vi on an 82599",
     .name = "efvi:ixgbe:twin?wire=c&id=10fb",
     .driver = &efvi_port_driver},
    {.label = "ef_vi on an 82599 over vfio-user",
     .keys = "wire=c&id=10f9",
     .driver = &efvi_port_driver,
     .prefix = "efvi:"},
    {.label = "ef_vi on AF_XDP",
     .name = "efvi:xdp:xa?mode=skb",
     .peer_name = "efvi:xdp:xb?mode=skb",
     .driver = &efvi_port_driver,
     .kernel = 1},
};

/* The twins of the case that runs, where they are behind sockets. */
static struct served *served;

static void open_pair(struct pair *pair, const struct device *device,
                      const struct shunt_port_options *options, uint32_t buf_bytes)
{
  struct shunt_error error = {0};
  int result = pair_create(pair, device, served, options, buf_bytes, &error);
  if (result == -EOPNOTSUPP) {
    print_message("%s: %s\n", error.what, error.why);
    skip();
  }
  if (result)
    fail_msg("%s: %s: %s", device->label, error.what, error.why);
}

/* A call that asks for an ability: the device has none, so the case is skipped. */
static void skip_without(struct pair *pair, int result, const struct shunt_error *error)
{
  if (result != -EOPNOTSUPP)
    return;
  print_message("%s: %s\n", error->what, error->why);
  pair_destroy(pair);
  skip();
}

static void every_size_arrives_as_sent(const struct device *device)
{
  struct pair pair;
  open_pair(&pair, device, NULL, 0);
  for (uint32_t bytes = 60; bytes <= 1514; bytes++) {
    struct shunt_frame sent, got[2];
    pair_build(&pair, bytes & 1, bytes, (uint8_t)bytes, &sent);
    pair_send(&pair, bytes & 1, &sent, 1);
    assert_int_equal(pair_receive(&pair, !(bytes & 1), got, 1), 1);
    assert_int_equal(got[0].len, bytes);
    assert_int_equal(got[0].flags & (SHUNT_FRAME_MORE | SHUNT_FRAME_DAMAGED), 0);
    assert_memory_equal(pair_data(&pair, &got[0]), pair_data(&pair, &sent), bytes);
    pair_give(&pair, got, 1);
    assert_int_equal(pair_reclaim(&pair, bytes & 1), 1);
    shunt_rx_fill(pair.queue[!(bytes & 1)], pair.pool);
  }
  pair_destroy(&pair);
}

static void short_frames_are_padded(const struct device *device)
{
  struct pair pair;
  struct shunt_frame sent, got;
  open_pair(&pair, device, NULL, 0);
  pair_build(&pair, 0, 20, 7, &sent);
  pair_send(&pair, 0, &sent, 1);
  assert_int_equal(pair_receive(&pair, 1, &got, 1), 1);
  /* Between two virtual interfaces there is no wire that would want it. */
  assert_int_equal(got.len, device->kernel ? 20 : 60);
  assert_memory_equal(pair_data(&pair, &got), pair_data(&pair, &sent), 20);
  pair_destroy(&pair);
}

/* Bursts of every length up to what the ring holds: order kept, each buffer back exactly once. */
static void bursts_keep_order_and_buffers(const struct device *device)
{
  enum { RING = 64 };
  struct pair pair;
  const struct shunt_port_options options = {.rx_ring = RING, .tx_ring = RING};
  static struct shunt_frame sent[RING], got[RING];
  open_pair(&pair, device, &options, 0);
  uint32_t at_rest = shunt_pool_free(pair.pool);
  for (unsigned burst = 1; burst < RING; burst++) {
    for (unsigned i = 0; i < burst; i++)
      pair_build(&pair, 0, 60 + i, (uint8_t)i, &sent[i]);
    pair_send(&pair, 0, sent, burst);
    assert_int_equal(pair_receive(&pair, 1, got, RING), burst);
    for (unsigned i = 0; i < burst; i++)
      assert_int_equal(got[i].len, 60 + i);
    pair_give(&pair, got, burst);
    assert_int_equal(pair_reclaim(&pair, 0), burst);
    assert_int_equal(shunt_rx_fill(pair.queue[1], pair.pool), burst);
    assert_int_equal(shunt_pool_free(pair.pool), at_rest);
  }
  assert_int_equal(shunt_pool_refused(pair.pool), 0);
  pair_destroy(&pair);
}

static void full_rings_take_no_more(const struct device *device)
{
  enum { RING = 64 };
  struct pair pair;
  const struct shunt_port_options options = {.rx_ring = RING, .tx_ring = RING};
  static struct shunt_frame frames[RING + 8];
  shunt_buf buf;
  open_pair(&pair, device, &options, 0);
  assert_int_equal(shunt_pool_take(pair.pool, &buf, 1), 1);
  assert_int_equal(shunt_rx_post(pair.queue[0], &buf, 1), 0);
  shunt_pool_give(pair.pool, &buf, 1);

  for (unsigned i = 0; i < RING + 8; i++)
    pair_build(&pair, 0, 60, (uint8_t)i, &frames[i]);
  unsigned taken = shunt_tx_post(pair.queue[0], frames, RING + 8);
  assert_in_range(taken, RING - 1, RING); /* the 82599 keeps a slot free */
  assert_int_equal(shunt_tx_post(pair.queue[0], frames + taken, 1), 0);
  shunt_tx_push(pair.queue[0]);
  assert_int_equal(pair_reclaim(&pair, 0), taken);
  assert_int_equal(shunt_tx_post(pair.queue[0], frames + taken, 1), 1);
  pair_destroy(&pair);
}

static void nothing_posted_is_nothing_received(const struct device *device)
{
  struct pair pair;
  struct shunt_frame frame;
  shunt_buf buf;
  open_pair(&pair, device, NULL, 0);
  assert_int_equal(shunt_rx_poll(pair.queue[0], &frame, 1), 0);
  assert_int_equal(shunt_tx_poll(pair.queue[0], &buf, 1), 0);
  assert_int_equal(shunt_rx_post(pair.queue[0], &buf, 0), 0);
  assert_int_equal(shunt_tx_post(pair.queue[0], &frame, 0), 0);
  shunt_tx_push(pair.queue[0]);
  pair_settle(&pair);
  assert_int_equal(shunt_tx_poll(pair.queue[0], &buf, 1), 0);
  pair_destroy(&pair);
}

/* The tail of what an interval leaves unreported comes back with the next push behind it. */
static void reports_follow_their_interval(const struct device *device)
{
  struct pair pair;
  const struct shunt_port_options options = {.tx_report_interval = 8};
  struct shunt_frame frame;
  unsigned back = 0;
  open_pair(&pair, device, &options, 0);
  for (unsigned i = 1; i <= 24; i++) {
    pair_build(&pair, 0, 60, 0, &frame);
    pair_send(&pair, 0, &frame, 1);
    back += pair_reclaim(&pair, 0);
    assert_int_equal(back, device->kernel ? i : i - i % 8); /* the kernel reports each */
  }
  pair_destroy(&pair);
}

static void jumbo_frames_come_in_pieces(const struct device *device)
{
  struct pair pair;
  const struct shunt_port_options options = {.mtu = 9000};
  struct shunt_frame sent[8], got[8];
  struct shunt_port_info info = {.size = sizeof(info)};
  open_pair(&pair, device, &options, 2048);
  shunt_port_info(pair.port[1], &info);
  for (uint32_t bytes = 2040; bytes <= 9014; bytes += 581) {
    unsigned pieces = 0;
    for (uint32_t left = bytes; left; pieces++) {
      uint32_t len = left < 1500 ? left : 1500;
      pair_build(&pair, 0, len, (uint8_t)pieces, &sent[pieces]);
      left -= len;
      sent[pieces].flags = left ? SHUNT_FRAME_MORE : 0;
    }
    pair_send(&pair, 0, sent, pieces);
    unsigned n = pair_receive(&pair, 1, got, 8);
    uint32_t at = 0;
    assert_int_equal(n, (bytes + info.rx_buf_bytes - 1) / info.rx_buf_bytes);
    for (unsigned i = 0; i < n; i++) {
      assert_int_equal(got[i].flags & SHUNT_FRAME_MORE, i + 1 < n ? SHUNT_FRAME_MORE : 0);
      for (uint32_t k = 0; k < got[i].len; k++, at++)
        assert_int_equal(pair_data(&pair, &got[i])[k],
                         pair_data(&pair, &sent[at / 1500])[at % 1500]);
    }
    assert_int_equal(at, bytes);
    pair_give(&pair, got, n);
    assert_int_equal(pair_reclaim(&pair, 0), pieces);
    shunt_rx_fill(pair.queue[1], pair.pool);
  }
  pair_destroy(&pair);
}

static void whole_frames_only(const struct device *device)
{
  struct pair pair;
  const struct shunt_port_options options = {.mtu = 9000};
  struct shunt_frame sent[3], got[3];
  open_pair(&pair, device, &options, 2048);
  for (unsigned i = 0; i < 3; i++)
    pair_build(&pair, 0, 500, (uint8_t)i, &sent[i]);
  sent[1].flags = sent[2].flags = SHUNT_FRAME_MORE; /* the second frame has no end */
  assert_int_equal(shunt_tx_post(pair.queue[0], sent, 3), 1);
  shunt_tx_push(pair.queue[0]);
  assert_int_equal(pair_receive(&pair, 1, got, 3), 1);
  pair_destroy(&pair);
}

static void other_stations_frames_are_left_alone(const struct device *device)
{
  static const uint8_t other[6] = {2, 9, 9, 9, 9, 9}, group[6] = {1, 0, 0x5E, 1, 2, 3},
                       second[6] = {1, 0, 0x5E, 9, 9, 9}, all[6] = {255, 255, 255, 255, 255, 255};
  struct shunt_mac mac;
  struct shunt_error error;
  struct pair pair;
  struct shunt_frame frame, got[4];
  open_pair(&pair, device, NULL, 0);
  const struct {
    const uint8_t *to;
    int joined, promiscuous, arrives;
  } cases[] = {{other, 0, 0, 0},  {all, 0, 0, 1},   {group, 0, 0, 0}, {group, 1, 0, 1},
               {second, 1, 0, 0}, {other, 1, 1, 1}, {group, 0, 0, 0}, {other, 0, 0, 0}};
  int joined = 0;
  skip_without(&pair, shunt_port_promiscuous(pair.port[1], 0, &error), &error);
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
    assert_int_equal(pair_receive(&pair, 1, got, 4), cases[i].arrives);
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
  open_pair(&pair, device, &options, 0);
  pair_build(&pair, 0, 100, 3, &sent);
  sent.flags = SHUNT_FRAME_VLAN;
  sent.vlan = 0x2123; /* priority 1, VLAN 0x123 */
  pair_send(&pair, 0, &sent, 1);
  assert_int_equal(pair_receive(&pair, 1, got, 1), 1);
  assert_true(got[0].flags & SHUNT_FRAME_VLAN);
  assert_int_equal(got[0].vlan, 0x2123);
  assert_int_equal(got[0].len, 100);
  assert_memory_equal(pair_data(&pair, &got[0]), pair_data(&pair, &sent), 100);
  assert_int_equal(pair_reclaim(&pair, 0), 1);

  /* With the filter on, only the VLANs that were added arrive. */
  assert_int_equal(shunt_port_vlan_add(pair.port[1], 7, &error), 0);
  pair_build(&pair, 0, 100, 3, &sent);
  sent.flags = SHUNT_FRAME_VLAN;
  sent.vlan = 0x123;
  pair_send(&pair, 0, &sent, 1);
  assert_int_equal(pair_receive(&pair, 1, got, 1), 0);
  pair_build(&pair, 0, 100, 3, &sent);
  sent.flags = SHUNT_FRAME_VLAN;
  sent.vlan = 7;
  pair_send(&pair, 0, &sent, 1);
  assert_int_equal(pair_receive(&pair, 1, got, 1), 1);
  assert_int_equal(shunt_port_vlan_remove(pair.port[1], 7, &error), 0);
  assert_int_equal(shunt_port_vlan_remove(pair.port[1], 7, &error), -ENOENT);
  assert_int_equal(shunt_port_vlan_add(pair.port[1], 4095, &error), -EINVAL);
  pair_destroy(&pair);
}

static void checksums_are_filled_in_and_checked(const struct device *device)
{
  struct pair pair;
  struct shunt_frame sent, got[2];
  open_pair(&pair, device, NULL, 0);
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
      assert_int_equal(pair_receive(&pair, 1, got, 1), 1);
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
      assert_int_equal(pair_reclaim(&pair, 0), 1);
      shunt_rx_fill(pair.queue[1], pair.pool);
    }
  }
  pair_destroy(&pair);
}

static void statistics_tell_what_was_moved(const struct device *device)
{
  struct pair pair;
  struct shunt_frame frame, got[4];
  open_pair(&pair, device, NULL, 0);
  for (unsigned i = 0; i < 10; i++) {
    pair_build(&pair, 0, 100, 0, &frame);
    pair_send(&pair, 0, &frame, 1);
    assert_int_equal(pair_receive(&pair, 1, got, 1), 1);
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
  open_pair(&pair, device, &options, 0);
  skip_without(&pair, shunt_port_rss_get(pair.port[1], &rss, &error), &error);
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
    pair_reclaim(&pair, 0);
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
    open_pair(&pair, device, &options, 0);
    struct shunt_rss rss = {.size = sizeof(rss)}; /* all to queue 0, but for the filter */
    skip_without(&pair, shunt_port_rss_get(pair.port[1], &rss, &error), &error);
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

static int readable(int fd)
{
  struct pollfd waiting = {.fd = fd, .events = POLLIN};
  return poll(&waiting, 1, 0) == 1;
}

static void an_armed_queue_wakes(const struct device *device)
{
  struct pair pair;
  struct shunt_error error;
  const struct shunt_port_options options = {.interrupts = 1, .interrupt_interval_us = 2};
  struct shunt_frame frame, got[2];
  open_pair(&pair, device, &options, 0);
  int fd = shunt_queue_fd(pair.queue[1], &error);
  assert_true(fd >= 0);
  for (unsigned i = 0; i < 5; i++) {
    shunt_queue_arm(pair.queue[1]);
    pair_settle(&pair);
    assert_false(readable(fd));
    pair_build(&pair, 0, 60, 0, &frame);
    pair_send(&pair, 0, &frame, 1);
    /* At most a moderation interval later. */
    for (unsigned turn = 0; turn < 200000 && !readable(fd); turn++)
      shunt_testbed_poll(pair.testbed);
    assert_true(readable(fd));
    assert_int_equal(pair_receive(&pair, 1, got, 1), 1);
  }
  pair_destroy(&pair);
  struct shunt_port *port;
  assert_int_equal(device_open(device, device->name, NULL, &port, &error), 0);
  assert_int_equal(shunt_queue_fd(shunt_port_queue(port, 0), &error), -EINVAL);
  shunt_port_close(port);
}

static void closing_with_frames_under_way_is_clean(const struct device *device)
{
  for (unsigned round = 0; round < 5; round++) {
    struct pair pair;
    struct shunt_frame frames[16];
    open_pair(&pair, device, NULL, 0);
    for (unsigned i = 0; i < 16; i++)
      pair_build(&pair, 0, 60, 0, &frames[i]);
    assert_int_equal(shunt_tx_post(pair.queue[0], frames, 16), 16);
    if (round & 1)
      shunt_tx_push(pair.queue[0]);
    pair_destroy(&pair);
  }
}

static void a_port_says_what_it_is(const struct device *device)
{
  struct pair pair;
  struct shunt_error error;
  struct shunt_port_info info = {.size = sizeof(info)};
  struct shunt_link link = {.size = sizeof(link)};
  open_pair(&pair, device, NULL, 0);
  shunt_port_info(pair.port[0], &info);
  assert_string_equal(info.name, device->name);
  assert_int_equal(info.queues, 1);
  assert_true(info.max_queues >= 1);
  assert_int_equal(info.mtu, 1500);
  assert_int_equal(info.model, !device->kernel);
  /* Only what lives in this process waits for turns; others' verbs have nothing around them. */
  assert_int_equal(info.steps, !device->kernel && strstr(info.path, "vfio-user") == NULL);
#ifndef SHUNT_CHECKED
  assert_ptr_equal(pair.queue[0]->verbs, pair.queue[0]->inner);
#endif
  assert_true(memcmp(pair.mac[0].bytes, pair.mac[1].bytes, 6) != 0);
  assert_int_equal(shunt_port_link(pair.port[0], &link, &error), 0);
  assert_int_equal(link.up, 1);
  assert_true(link.speed_mbps > 0);
  assert_string_equal(link.diagnosis, "");
  assert_null(shunt_port_queue(pair.port[0], 1));
  /* A caller compiled against a smaller struct gets no byte more than it has room for. */
  struct shunt_port_info small;
  memset(&small, 0xAA, sizeof(small));
  small.size = offsetof(struct shunt_port_info, queues);
  shunt_port_info(pair.port[0], &small);
  assert_int_equal(small.queues, 0xAAAA);
  pair_destroy(&pair);
}

/* A checked port refuses what would corrupt, and says which rule it broke. */
static void checked_ports_name_the_rule(const struct device *device)
{
  struct pair pair;
  struct shunt_error last;
  const struct shunt_port_options options = {.checked = 1};
  struct shunt_frame frame, got;
  shunt_buf buf;
  open_pair(&pair, device, &options, 0);
  struct shunt_queue *q = pair.queue[0];
  assert_int_equal(shunt_port_violations(pair.port[0], &last), 0);

  assert_int_equal(shunt_pool_take(pair.pool, &buf, 1), 1);
  assert_int_equal(shunt_rx_poll(pair.queue[0], &got, 1), 0);
  uint64_t far = shunt_region_bytes(pair.region);
  assert_int_equal(shunt_rx_post(q, &far, 1), 0);
  shunt_port_violations(pair.port[0], &last);
  assert_non_null(strstr(last.why, "outside the region"));

  pair_build(&pair, 0, 60, 0, &frame);
  struct shunt_frame broken = frame;
  broken.len = 16;
  assert_int_equal(shunt_tx_post(q, &broken, 1), 0);
  broken.len = 1519;
  assert_int_equal(shunt_tx_post(q, &broken, 1), 0);
  broken = frame;
  broken.addr += 2000;
  assert_int_equal(shunt_tx_post(q, &broken, 1), 0);
  shunt_port_violations(pair.port[0], &last);
  assert_non_null(strstr(last.why, "end of its buffer"));
  broken = frame;
  broken.flags = SHUNT_FRAME_MORE;
  assert_int_equal(shunt_tx_post(q, &broken, 1), 0);

  assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
  assert_int_equal(shunt_tx_post(q, &frame, 1), 0); /* twice */
  assert_int_equal(shunt_rx_post(q, &frame.addr, 1), 0);
  shunt_tx_push(q);
  assert_int_equal(pair_receive(&pair, 1, &got, 1), 1);
  assert_int_equal(shunt_port_violations(pair.port[0], &last), 7);

  /* Received, so the caller's: post it, and then once too often. */
  q = pair.queue[1];
  assert_int_equal(shunt_rx_post(q, &got.addr, 1), 1);
  assert_int_equal(shunt_rx_post(q, &got.addr, 1), 0);
  assert_int_equal(shunt_port_violations(pair.port[1], &last), 1);
  assert_non_null(strstr(last.why, "posted for receive already"));
  assert_int_equal(pair_reclaim(&pair, 0), 1);
  pair_destroy(&pair);
}

/* A port that makes its own testbed needs nobody to poll it: loss shows as nothing but silence. */
static void a_lone_port_steps_itself(const struct device *device)
{
  struct shunt_port *port;
  struct shunt_error error;
  if (device->keys || device->kernel)
    skip(); /* its testbed is another process's affair, and its wire has two ends */
  if (device_open(device, device->name, NULL, &port, &error))
    fail_msg("%s: %s", error.what, error.why);
  struct shunt_pool *pool;
  shunt_buf buf, back;
  struct shunt_queue *q = shunt_port_queue(port, 0);
  assert_int_equal(shunt_pool_create(shunt_port_region(port), 8, &pool, &error), 0);
  assert_int_equal(shunt_pool_take(pool, &buf, 1), 1);
  struct shunt_frame frame = {.addr = buf, .len = 60};
  memset(shunt_frame_data(q, &frame), 0xFF, 60);
  assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
  shunt_tx_push(q);
  unsigned back_count = 0;
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    back_count = shunt_tx_poll(q, &back, 1);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (!back_count && now.tv_sec - start.tv_sec < 2);
  /* Nothing is plugged in beside it, so the link is down and the frame stays on the ring. */
  struct shunt_link link = {.size = sizeof(link)};
  assert_int_equal(shunt_port_link(port, &link, &error), 0);
  assert_int_equal(link.up, 0);
  assert_true(link.diagnosis[0]);
  assert_int_equal(back_count, 0);
  shunt_pool_destroy(pool);
  shunt_port_close(port);
}

/* ---- Every case over every device ---- */

struct run {
  struct device *device;
  void (*run)(const struct device *device);
  const char *name; /* the case's */
};

/* Made for the first case that wants them. */
static const char *no_interfaces;
static bool interfaces_tried;

static void run_case(void **state)
{
  const struct run *run = *state;
  if (run->device->kernel && !interfaces_tried) {
    no_interfaces = kernel_pair_make();
    interfaces_tried = true;
  }
  if (run->device->kernel && no_interfaces) {
    print_message("%s\n", no_interfaces);
    skip();
  }
  const char *lacks = run->device->driver ? efvi_port_lacks(run->name) : NULL;
  if (lacks) {
    print_message("%s\n", lacks);
    skip();
  }
  run->run(run->device);
}

static int start_served(void **state)
{
  const struct run *run = *state;
  struct shunt_error error = {0};
  if (run->device->keys && !(served = served_start(run->device, &error)))
    print_error("%s: %s\n", error.what, error.why);
  return run->device->keys && !served ? -1 : 0;
}

static int stop_served(void **state)
{
  (void)state;
  if (served)
    served_stop(served);
  served = NULL;
  return 0;
}

#define CASE(function)                                                                             \
  {                                                                                                \
#function, function                                                                            \
  }
static const struct {
  const char *name;
  void (*run)(const struct device *device);
} cases[] = {
    CASE(a_port_says_what_it_is),
    CASE(every_size_arrives_as_sent),
    CASE(short_frames_are_padded),
    CASE(bursts_keep_order_and_buffers),
    CASE(full_rings_take_no_more),
    CASE(nothing_posted_is_nothing_received),
    CASE(reports_follow_their_interval),
    CASE(jumbo_frames_come_in_pieces),
    CASE(whole_frames_only),
    CASE(other_stations_frames_are_left_alone),
    CASE(vlan_tags_go_on_and_come_off),
    CASE(checksums_are_filled_in_and_checked),
    CASE(statistics_tell_what_was_moved),
    CASE(flows_spread_over_queues),
    CASE(filters_steer),
    CASE(an_armed_queue_wakes),
    CASE(closing_with_frames_under_way_is_clean),
    CASE(checked_ports_name_the_rule),
    CASE(a_lone_port_steps_itself),
};

#define CASES   (sizeof(cases) / sizeof(cases[0]))
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

/* An argument is a pattern of cases to run alone: "*trapped: filters*". */
int main(int argc, char **argv)
{
  static struct CMUnitTest tests[CASES * DEVICES];
  static struct run runs[CASES * DEVICES];
  static char names[CASES * DEVICES][128];
  for (unsigned i = 0; i < CASES * DEVICES; i++) {
    runs[i] = (struct run){&devices[i / CASES], cases[i % CASES].run, cases[i % CASES].name};
    snprintf(names[i], sizeof(names[i]), "%s: %s", devices[i / CASES].label, cases[i % CASES].name);
    tests[i] = (struct CMUnitTest){.name = names[i],
                                   .test_func = run_case,
                                   .setup_func = start_served,
                                   .teardown_func = stop_served,
                                   .initial_state = &runs[i]};
  }
  if (argc > 1)
    cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests_name("conformance", tests, NULL, NULL);
}
