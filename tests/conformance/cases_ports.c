/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports as such: what they say of themselves, sleep and wake, checks, the end. */
#include "conformance/cases.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

static void a_port_says_what_it_is(const struct device *device)
{
  struct pair pair;
  struct shunt_error error;
  struct shunt_port_info info = {.size = sizeof(info)};
  struct shunt_link link = {.size = sizeof(link)};
  case_open(&pair, device, NULL, 0);
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
  case_open(&pair, device, &options, 0);
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
    assert_int_equal(pair_receive(&pair, 1, got, 1, 1), 1);
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
    case_open(&pair, device, NULL, 0);
    for (unsigned i = 0; i < 16; i++)
      pair_build(&pair, 0, 60, 0, &frames[i]);
    assert_int_equal(shunt_tx_post(pair.queue[0], frames, 16), 16);
    if (round & 1)
      shunt_tx_push(pair.queue[0]);
    pair_destroy(&pair);
  }
}

/* A checked port refuses what would corrupt, and says which rule it broke. */
static void checked_ports_name_the_rule(const struct device *device)
{
  struct pair pair;
  struct shunt_error last;
  const struct shunt_port_options options = {.checked = 1};
  struct shunt_frame frame, got;
  shunt_buf buf;
  case_open(&pair, device, &options, 0);
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
  assert_int_equal(pair_receive(&pair, 1, &got, 1, 1), 1);
  assert_int_equal(shunt_port_violations(pair.port[0], &last), 7);

  /* Received, so the caller's: post it, and then once too often. */
  q = pair.queue[1];
  assert_int_equal(shunt_rx_post(q, &got.addr, 1), 1);
  assert_int_equal(shunt_rx_post(q, &got.addr, 1), 0);
  assert_int_equal(shunt_port_violations(pair.port[1], &last), 1);
  assert_non_null(strstr(last.why, "posted for receive already"));
  assert_int_equal(pair_reclaim(&pair, 0, 1), 1);
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

const struct conformance_case ports_cases[] = {
    CASE(a_port_says_what_it_is),
    CASE(an_armed_queue_wakes),
    CASE(closing_with_frames_under_way_is_clean),
    CASE(checked_ports_name_the_rule),
    CASE(a_lone_port_steps_itself),
    {0},
};
