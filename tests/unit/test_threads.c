/* SPDX-License-Identifier: BSD-2-Clause */
/* Three threads as on a machine: one is the devices' core, one answers, one asks. They meet in
 * shared tails, descriptors and buffers alone; the ThreadSanitizer watches. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "shunt/echo.h"
#include "shunt/ixgbe.h"
#include "shunt/testbed.h"

#define ROUNDS 2000u

static struct {
  struct shunt_testbed *testbed;
  struct shunt_port *asker, *answerer;
  struct shunt_echo echo;
  int stop;
} shared;

static int stopping(void)
{
  return __atomic_load_n(&shared.stop, __ATOMIC_ACQUIRE);
}

static void *devices(void *unused)
{
  while (!stopping())
    if (!shunt_testbed_poll(shared.testbed))
      sched_yield();
  return unused;
}

static void *answer(void *unused)
{
  static const struct shunt_queue_verbs verbs = SHUNT_IXGBE_VERBS;
  struct shunt_queue *q = shunt_port_queue(shared.answerer, 0);
  while (!stopping()) {
    unsigned got = shunt_ixgbe_queue(q) ? shunt_echo_round_with(&verbs, q, &shared.echo, 1)
                                        : shunt_echo_round(q, &shared.echo, 1);
    if (!got)
      sched_yield();
  }
  return unused;
}

static uint32_t build(uint8_t *frame, const struct shunt_mac *to, const struct shunt_mac *from,
                      unsigned round)
{
  const uint8_t head[34] = {[12] = 8, [14] = 0x45, [17] = 84, [20] = 0x40, [22] = 64,
                            [23] = 1, [26] = 10,   [29] = 2,  [30] = 10,   [33] = 1};
  memset(frame, (int)round, 98);
  memcpy(frame, head, sizeof(head));
  memcpy(frame, to->bytes, 6);
  memcpy(frame + 6, from->bytes, 6);
  uint16_t sum = shunt_checksum(frame + 14, 20);
  frame[24] = (uint8_t)(sum >> 8);
  frame[25] = (uint8_t)sum;
  memset(frame + 34, 0, 4);
  frame[34] = 8;
  sum = shunt_checksum(frame + 34, 64);
  frame[36] = (uint8_t)(sum >> 8);
  frame[37] = (uint8_t)sum;
  return 98;
}

static void ask(struct shunt_pool *pool, const struct shunt_mac *to, const struct shunt_mac *from)
{
  struct shunt_queue *q = shunt_port_queue(shared.asker, 0);
  for (unsigned round = 0; round < ROUNDS; round++) {
    shunt_buf buf;
    assert_int_equal(shunt_pool_take(pool, &buf, 1), 1);
    struct shunt_frame frame = {.addr = buf}, got;
    frame.len = (uint16_t)build(shunt_frame_data(q, &frame), to, from, round);
    assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
    shunt_tx_push(q);
    unsigned turns = 0;
    while (!shunt_rx_poll(q, &got, 1)) {
      assert_true(turns++ < 10000000); /* else the answer is lost */
      sched_yield();
    }
    const uint8_t *data = shunt_frame_data(q, &got);
    assert_int_equal(got.len, 98);
    assert_int_equal(data[34], 0);
    assert_int_equal(data[97], (uint8_t)round);
    assert_int_equal(shunt_checksum(data + 34, 64), 0);
    assert_int_equal(shunt_rx_post(q, &got.addr, 1), 1);
    while (shunt_tx_poll(q, &buf, 1))
      shunt_pool_give(pool, &buf, 1);
    if (round % 500 == 0) { /* a slow call beside the poller */
      struct shunt_link link = {.size = sizeof(link)};
      assert_int_equal(shunt_port_link(shared.asker, &link, NULL), 0);
      assert_int_equal(link.up, 1);
    }
  }
}

static void three_threads_lose_nothing(void **state)
{
  (void)state;
  struct shunt_port_info asker = {.size = sizeof(asker)}, answerer = {.size = sizeof(answerer)};
  struct shunt_pool *pools[2];
  struct shunt_error error;
  pthread_t threads[2];
  assert_int_equal(shunt_testbed_create(NULL, &shared.testbed, &error), 0);
  struct shunt_port_options options = {.size = sizeof(options), .testbed = shared.testbed};
  assert_int_equal(shunt_port_open("ixgbe:twin?wire=t", &options, &shared.asker, &error), 0);
  options.tx_report_interval = 32;
  assert_int_equal(shunt_port_open("ixgbe:twin?wire=t", &options, &shared.answerer, &error), 0);
  struct shunt_port *const ports[2] = {shared.asker, shared.answerer};
  for (unsigned i = 0; i < 2; i++) {
    struct shunt_region *region = shunt_port_region(ports[i]);
    assert_int_equal(shunt_pool_create(region, 1024, &pools[i], &error), 0);
    shunt_rx_fill(shunt_port_queue(ports[i], 0), pools[i]);
  }
  shunt_port_info(shared.asker, &asker);
  shunt_port_info(shared.answerer, &answerer);
  const struct shunt_host host = {.mac = answerer.mac, .ipv4 = 0x0A000001, .prefix_bits = 24};
  shunt_echo_init(&shared.echo, &host, 0);

  assert_int_equal(pthread_create(&threads[0], NULL, devices, NULL), 0);
  assert_int_equal(pthread_create(&threads[1], NULL, answer, NULL), 0);
  ask(pools[0], &answerer.mac, &asker.mac);
  __atomic_store_n(&shared.stop, 1, __ATOMIC_RELEASE);
  for (unsigned i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(shunt_echo_answered(&shared.echo), ROUNDS);
  for (unsigned i = 0; i < 2; i++) {
    shunt_pool_destroy(pools[i]);
    shunt_port_close(ports[i]);
  }
  shunt_testbed_destroy(shared.testbed);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(three_threads_lose_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
