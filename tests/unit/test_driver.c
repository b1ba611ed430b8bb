/* SPDX-License-Identifier: BSD-2-Clause */
/* What port.c promises every driver, and what a driver owes it, with the least driver there is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/null_driver.h"

#define RING  64u
#define BUFS  192u
#define FRAME 100u

struct fixture {
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_port *port;
  struct shunt_queue *q;
  struct shunt_error error;
};

static int set_up(void **state)
{
  static struct fixture fixture;
  struct shunt_region_options region = {.size = sizeof(region),
                                        .bytes = 2 << 20,
                                        .pages = SHUNT_PAGES_4K,
                                        .numa_node = SHUNT_NUMA_ANY};
  memset(&fixture, 0, sizeof(fixture));
  *state = &fixture;
  return shunt_region_create(&region, &fixture.region, &fixture.error) ||
         shunt_pool_create(fixture.region, BUFS, &fixture.pool, &fixture.error);
}

static int tear_down(void **state)
{
  struct fixture *fixture = *state;
  shunt_port_close(fixture->port);
  shunt_pool_destroy(fixture->pool);
  shunt_region_destroy(fixture->region);
  return 0;
}

static int open_null(struct fixture *fixture, const char *name)
{
  struct shunt_port_options options = {
      .size = sizeof(options), .region = fixture->region, .rx_ring = RING, .tx_ring = RING};
  int result = port_open_with(&null_driver, name, &options, &fixture->port, &fixture->error);
  fixture->q = result ? NULL : shunt_port_queue(fixture->port, 0);
  return result;
}

/* Send n frames of one piece, each filled with its number. Returns how many were taken. */
static unsigned send_frames(struct fixture *fixture, unsigned n)
{
  unsigned sent = 0;
  for (; sent < n; sent++) {
    struct shunt_frame frame = {.len = FRAME};
    assert_int_equal(shunt_pool_take(fixture->pool, &frame.addr, 1), 1);
    memset(shunt_frame_data(fixture->q, &frame), (int)sent + 1, FRAME);
    if (!shunt_tx_post(fixture->q, &frame, 1)) {
      shunt_pool_give(fixture->pool, &frame.addr, 1);
      break;
    }
  }
  shunt_tx_push(fixture->q);
  return sent;
}

static unsigned reclaim(struct fixture *fixture)
{
  shunt_buf bufs[RING];
  unsigned n = shunt_tx_poll(fixture->q, bufs, RING);
  shunt_pool_give(fixture->pool, bufs, n);
  return n;
}

static uint64_t missed(struct fixture *fixture)
{
  struct shunt_statistic statistic;
  assert_int_equal(shunt_port_statistics(fixture->port, NULL, 0), 1);
  assert_int_equal(shunt_port_statistics(fixture->port, &statistic, 1), 1);
  assert_string_equal(statistic.name, "rx_missed");
  return statistic.value;
}

/* Around the rings several times, the buffers going round: what comes is what went. */
static void what_is_sent_is_received(void **state)
{
  struct fixture *fixture = *state;
  struct shunt_frame frames[RING];
  assert_int_equal(open_null(fixture, "null:loop"), 0);
  for (unsigned round = 0; round < 5; round++) {
    assert_int_equal(shunt_rx_fill(fixture->q, fixture->pool), RING);
    assert_int_equal(send_frames(fixture, RING + 1), RING); /* the ring is full */
    assert_int_equal(shunt_rx_poll(fixture->q, frames, RING), RING);
    for (unsigned i = 0; i < RING; i++) {
      const uint8_t *bytes = shunt_frame_data(fixture->q, &frames[i]);
      assert_int_equal(frames[i].len, FRAME);
      assert_int_equal(bytes[0], i + 1);
      assert_int_equal(bytes[FRAME - 1], i + 1);
      shunt_pool_give(fixture->pool, &frames[i].addr, 1);
    }
    assert_int_equal(shunt_rx_poll(fixture->q, frames, RING), 0);
    assert_int_equal(reclaim(fixture), RING);
    assert_int_equal(shunt_pool_free(fixture->pool), BUFS);
  }
  assert_int_equal(missed(fixture), 0);
}

static void frames_of_pieces_stay_whole(void **state)
{
  struct fixture *fixture = *state;
  struct shunt_frame sent[3], got[3];
  shunt_buf bufs[2];
  assert_int_equal(open_null(fixture, "null:loop"), 0);
  for (unsigned i = 0; i < 3; i++) {
    sent[i] = (struct shunt_frame){.len = FRAME, .flags = SHUNT_FRAME_MORE};
    shunt_pool_take(fixture->pool, &sent[i].addr, 1);
  }
  assert_int_equal(shunt_tx_post(fixture->q, sent, 3), 0); /* its end is missing */
  sent[2].flags = 0;
  assert_int_equal(shunt_tx_post(fixture->q, sent, 3), 3);
  shunt_pool_take(fixture->pool, bufs, 2);
  assert_int_equal(shunt_rx_post(fixture->q, bufs, 2), 2);
  shunt_tx_push(fixture->q); /* three pieces, room for two */
  assert_int_equal(shunt_rx_poll(fixture->q, got, 3), 0);
  assert_int_equal(missed(fixture), 1);
  assert_int_equal(reclaim(fixture), 3);

  assert_int_equal(shunt_rx_fill(fixture->q, fixture->pool), RING - 2);
  assert_int_equal(shunt_tx_post(fixture->q, sent, 3), 3);
  shunt_tx_push(fixture->q);
  assert_int_equal(shunt_rx_poll(fixture->q, got, 3), 3);
  assert_int_equal(got[1].flags, SHUNT_FRAME_MORE);
  assert_int_equal(got[2].flags, 0);
}

static void a_key_of_the_driver_is_taken(void **state)
{
  struct fixture *fixture = *state;
  struct shunt_frame frames[RING];
  assert_int_equal(open_null(fixture, "null:loop?lose=4"), 0);
  shunt_rx_fill(fixture->q, fixture->pool);
  assert_int_equal(send_frames(fixture, 16), 16);
  assert_int_equal(shunt_rx_poll(fixture->q, frames, RING), 12);
  assert_int_equal(missed(fixture), 4);
}

static void what_is_wrong_is_named(void **state)
{
  struct fixture *fixture = *state;
  assert_int_equal(open_null(fixture, "null:loop?loose=4"), -EINVAL);
  assert_non_null(strstr(fixture->error.what, "can't open null:loop?loose=4: "));
  assert_non_null(strstr(fixture->error.why, "checked")); /* the keys that there are */
  assert_int_equal(open_null(fixture, "null:loop?lose=many"), -EINVAL);
  assert_int_equal(open_null(fixture, "null:elsewhere"), -ENODEV);
  assert_int_equal(open_null(fixture, "null:loop?queues=2"), -EINVAL);
  assert_int_equal(open_null(fixture, "null:loop?rx_ring=65"), -EINVAL);
  assert_null(fixture->port);
  /* The table of drivers does not have it. */
  assert_int_equal(shunt_port_open("null:loop", NULL, &fixture->port, &fixture->error), -EINVAL);
}

static void what_it_does_not_offer_is_refused_for_it(void **state)
{
  struct fixture *fixture = *state;
  struct shunt_error *error = &fixture->error;
  const struct shunt_mac group = {{0x01, 0, 0x5E, 0, 0, 1}};
  struct shunt_link link = {.size = sizeof(link)};
  struct shunt_rss rss = {.size = sizeof(rss)};
  struct shunt_filter filter = {.size = sizeof(filter), .protocol = 17};
  uint32_t id;
  uint64_t time_ns;
  assert_int_equal(open_null(fixture, "null:loop"), 0);
  assert_int_equal(shunt_port_link(fixture->port, &link, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_promiscuous(fixture->port, 1, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_multicast_add(fixture->port, &group, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_vlan_add(fixture->port, 1, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_rss_set(fixture->port, &rss, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_rss_get(fixture->port, &rss, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_filter_add(fixture->port, &filter, &id, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_filter_remove(fixture->port, 0, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_time(fixture->port, &time_ns, error), -EOPNOTSUPP);
  assert_int_equal(shunt_port_check(fixture->port, error), 0);  /* what can't go is there */
  assert_int_equal(shunt_queue_fd(fixture->q, error), -EINVAL); /* opened without interrupts */
}

static void its_buffers_are_checked_for_it(void **state)
{
  struct fixture *fixture = *state;
  struct shunt_frame frame = {.len = FRAME};
  struct shunt_error last;
  assert_int_equal(open_null(fixture, "null:loop?checked=1"), 0);
  shunt_pool_take(fixture->pool, &frame.addr, 1);
  assert_int_equal(shunt_rx_post(fixture->q, &frame.addr, 1), 1);
  assert_int_equal(shunt_rx_post(fixture->q, &frame.addr, 1), 0);
  assert_int_equal(shunt_tx_post(fixture->q, &frame, 1), 0);
  assert_int_equal(shunt_port_violations(fixture->port, &last), 2);
  assert_non_null(strstr(last.why, "posted for receive"));
  frame.addr = shunt_region_bytes(fixture->region);
  assert_int_equal(shunt_tx_post(fixture->q, &frame, 1), 0);
  assert_int_equal(shunt_port_violations(fixture->port, NULL), 3);
}

static void it_says_what_it_is(void **state)
{
  struct fixture *fixture = *state;
  struct shunt_port_info info = {.size = sizeof(info)};
  assert_int_equal(open_null(fixture, "null:loop"), 0);
  shunt_port_info(fixture->port, &info);
  assert_string_equal(info.driver, "null");
  assert_string_equal(info.name, "null:loop");
  assert_int_equal(info.queues, 1);
  assert_int_equal(info.rx_ring, RING);
  assert_int_equal(info.rx_buf_bytes, 2048);
  assert_ptr_equal(shunt_port_region(fixture->port), fixture->region);
  assert_null(shunt_port_queue(fixture->port, 1));
  assert_null(shunt_port_driver(0x8086, 0x1234, &fixture->error));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(what_is_sent_is_received),
      TEST(frames_of_pieces_stay_whole),
      TEST(a_key_of_the_driver_is_taken),
      TEST(what_is_wrong_is_named),
      TEST(what_it_does_not_offer_is_refused_for_it),
      TEST(its_buffers_are_checked_for_it),
      TEST(it_says_what_it_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
