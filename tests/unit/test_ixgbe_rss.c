/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive-side scaling: the queue of each flow is the one that the Toeplitz hash, computed here
 * from its definition, says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

/* Microsoft, "RSS hashing functions": for each set bit of the input, left to right, XOR in the
 * leftmost 32 bits of the key, which is shifted by one after each bit. */
static uint32_t toeplitz(const uint8_t key[40], const uint8_t *input, unsigned bytes)
{
  uint32_t hash = 0;
  for (unsigned bit = 0; bit < 8 * bytes; bit++) {
    if (!(input[bit / 8] & 0x80 >> bit % 8))
      continue;
    uint32_t window = 0;
    for (unsigned i = bit; i < bit + 32; i++)
      window = window << 1 | (uint32_t)(key[i / 8] >> (7 - i % 8) & 1);
    hash ^= window;
  }
  return hash;
}

static uint32_t hash_of_flow(const struct shunt_rss *rss, const struct rig_flow *flow, bool ports)
{
  uint8_t input[12];
  shunt_store_be32(input, flow->source_ip);
  shunt_store_be32(input + 4, flow->destination_ip);
  shunt_store_be16(input + 8, flow->source_port);
  shunt_store_be16(input + 10, flow->destination_port);
  return toeplitz(rss->key, input, ports ? 12 : 8);
}

static struct rig_flow flow_number(const struct rig *rig, unsigned n)
{
  struct rig_flow flow = rig_flow_to_port(rig);
  flow.source_ip = 0xC0A80000 + n * 77;
  flow.destination_ip = 0x0A0B0C00 + n;
  flow.source_port = (uint16_t)(1024 + n * 13);
  flow.destination_port = (uint16_t)(5000 + n * 7);
  flow.protocol = n % 2 ? 6 : 17;
  return flow;
}

static struct shunt_rss get(struct rig *rig)
{
  struct shunt_rss rss = {.size = sizeof(rss)};
  assert_int_equal(shunt_port_rss_get(rig->port, &rss, &rig->error), 0);
  return rss;
}

static void open_queues(struct rig *rig, unsigned queues)
{
  rig->options.queues = (uint16_t)queues;
  rig->options.rx_ring = rig->options.tx_ring = 64;
  rig->options.rx_metadata = 1;
  rig_open(rig, "");
}

/* The test's own hash first, by the published vectors. */
static void the_yardstick_is_right(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  struct shunt_rss rss = get(rig);
  struct rig_flow flow = {.source_ip = 0x420995BB,      /* 66.9.149.187 */
                          .destination_ip = 0xA18E6450, /* 161.142.100.80 */
                          .source_port = 2794,
                          .destination_port = 1766};
  assert_int_equal(hash_of_flow(&rss, &flow, true), 0x51ccc178);
  assert_int_equal(hash_of_flow(&rss, &flow, false), 0x323e8fc2);
}

static void spreads_flows_as_the_hash_says(void **state)
{
  struct rig *rig = *state;
  unsigned hits[8] = {0};
  open_queues(rig, 8);
  struct shunt_rss rss = get(rig);
  for (unsigned i = 0; i < 128; i++)
    assert_int_equal(rss.table[i], i % 8);
  for (unsigned n = 0; n < 100; n++) {
    struct rig_flow flow = flow_number(rig, n);
    uint32_t hash = hash_of_flow(&rss, &flow, true);
    int queue = rig_queue_of(rig, &flow);
    assert_int_equal(queue, rss.table[hash & 127]);
    hits[queue]++;
  }
  for (unsigned i = 0; i < 8; i++)
    assert_true(hits[i] > 0);
  rig_assert_no_faults(rig);
}

static void the_frame_carries_its_hash(void **state)
{
  struct rig *rig = *state;
  open_queues(rig, 1);
  struct shunt_rss rss = get(rig);
  struct rig_flow flow = flow_number(rig, 3);
  rig_send_flow(rig, &flow, 0);
  assert_int_equal(rig_receive(rig, 0), 1);
  assert_true(rig->frames[0].flags & SHUNT_FRAME_HASH);
  assert_int_equal(rig->frames[0].hash, hash_of_flow(&rss, &flow, true));
}

static void key_table_and_fields_can_be_set_and_read_back(void **state)
{
  struct rig *rig = *state;
  open_queues(rig, 4);
  struct shunt_rss rss = {.size = sizeof(rss), .fields = SHUNT_RSS_IPV4};
  for (unsigned i = 0; i < 40; i++)
    rss.key[i] = (uint8_t)(i * 37 + 11);
  for (unsigned i = 0; i < 128; i++)
    rss.table[i] = (uint8_t)((i / 3) % 4);
  assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), 0);
  struct shunt_rss held = get(rig);
  assert_memory_equal(held.key, rss.key, 40);
  assert_memory_equal(held.table, rss.table, 128);
  assert_int_equal(held.fields, SHUNT_RSS_IPV4);
  for (unsigned n = 0; n < 30; n++) { /* addresses only now */
    struct rig_flow flow = flow_number(rig, n);
    assert_int_equal(rig_queue_of(rig, &flow), rss.table[hash_of_flow(&rss, &flow, false) & 127]);
  }
  for (unsigned bit = 0; bit < 6; bit++) {
    rss.fields = UINT32_C(1) << bit;
    assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), 0);
    assert_int_equal(get(rig).fields, rss.fields);
  }
}

static void what_the_table_can_not_hold_is_refused(void **state)
{
  struct rig *rig = *state;
  open_queues(rig, 20);
  struct shunt_rss rss = get(rig);
  for (unsigned i = 0; i < 128; i++)
    assert_int_equal(rss.table[i], i % 16);
  rss.table[5] = 16; /* there is such a queue, but an entry has four bits */
  assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), -EOPNOTSUPP);
  assert_non_null(strstr(rig->error.remedy, "filters"));
  rss.table[5] = 20;
  assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), -EINVAL);
  rss.table[5] = 0;
  rss.fields = 1u << 6;
  assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), -EOPNOTSUPP);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(the_yardstick_is_right),
      TEST(spreads_flows_as_the_hash_says),
      TEST(the_frame_carries_its_hash),
      TEST(key_table_and_fields_can_be_set_and_read_back),
      TEST(what_the_table_can_not_hold_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
