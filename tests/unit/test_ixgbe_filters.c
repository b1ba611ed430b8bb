/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are received: addresses, groups, promiscuous mode; and five-tuple filters. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

static bool receives(struct rig *rig, struct shunt_mac to)
{
  struct rig_flow flow = {.to = to};
  bool received = rig_queue_of(rig, &flow) >= 0;
  return received;
}

static struct shunt_mac group(unsigned n)
{
  return (struct shunt_mac){{0x01, 0x00, 0x5e, 0x00, (uint8_t)(n >> 8), (uint8_t)n}};
}

static void add(struct rig *rig, struct shunt_mac mac)
{
  if (shunt_port_multicast_add(rig->port, &mac, &rig->error))
    rig_fail(rig, "multicast add");
}

static int remove_group(struct rig *rig, struct shunt_mac mac)
{
  return shunt_port_multicast_remove(rig->port, &mac, &rig->error);
}

static const struct shunt_mac stranger = {{0x02, 0x99, 0, 0, 0, 1}};
static const struct shunt_mac everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* ---- Addresses ---- */

static void receives_what_is_addressed_to_it(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  assert_true(receives(rig, rig_ixgbe(rig)->mac));
  assert_true(receives(rig, everybody));
  assert_false(receives(rig, stranger));
  assert_false(receives(rig, group(1)));
}

static void promiscuous_receives_all_and_ends(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  assert_int_equal(shunt_port_vlan_add(rig->port, 7, &rig->error), 0);
  assert_int_equal(shunt_port_promiscuous(rig->port, 1, &rig->error), 0);
  assert_true(receives(rig, stranger));
  assert_true(receives(rig, group(1)));
  struct rig_flow tagged = {.to = stranger, .vlan = 9};
  assert_int_equal(rig_queue_of(rig, &tagged), 0);
  assert_int_equal(shunt_port_promiscuous(rig->port, 0, &rig->error), 0);
  assert_false(receives(rig, stranger));
  assert_false(receives(rig, group(1)));
  tagged.to = rig_ixgbe(rig)->mac;
  assert_int_equal(rig_queue_of(rig, &tagged), -1);
}

static void promiscuous_can_be_an_option(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "&promiscuous=1");
  assert_true(receives(rig, stranger));
}

/* ---- Groups ---- */

static void a_group_is_received_while_it_is_joined(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  add(rig, group(1));
  assert_true(receives(rig, group(1)));
  assert_false(receives(rig, group(2)));
  add(rig, group(1)); /* twice: two removals */
  assert_int_equal(remove_group(rig, group(1)), 0);
  assert_true(receives(rig, group(1)));
  assert_int_equal(remove_group(rig, group(1)), 0);
  assert_false(receives(rig, group(1)));
  assert_int_equal(remove_group(rig, group(1)), -ENOENT);
  struct shunt_mac one = stranger;
  assert_int_equal(shunt_port_multicast_add(rig->port, &one, &rig->error), -EINVAL);
}

/* Entries 1-127 are exact; the 128th group and those behind it share bits. */
static void beyond_the_exact_entries_groups_are_hashed(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  for (unsigned i = 1; i <= 127; i++)
    add(rig, group(i));
  assert_int_equal(rig_statistic(rig, "multicast_exact"), 127);
  assert_true(receives(rig, group(127)));
  assert_false(receives(rig, group(0x3001)));

  add(rig, group(0x3001));
  assert_int_equal(rig_statistic(rig, "multicast_hashed"), 1);
  assert_true(receives(rig, group(0x3001)));
  /* The same bits 47:36: byte 5 and the high half of byte 4. */
  assert_true(receives(rig, group(0x3F01)));
  assert_false(receives(rig, group(0x4001)));
  assert_false(receives(rig, group(0x3002)));

  add(rig, group(0x3F01)); /* two groups behind one bit */
  assert_int_equal(remove_group(rig, group(0x3001)), 0);
  assert_true(receives(rig, group(0x3F01)));
  assert_int_equal(remove_group(rig, group(0x3F01)), 0);
  assert_false(receives(rig, group(0x3F01)));
  assert_int_equal(rig_register(rig, IXGBE_MCSTCTRL) & IXGBE_MCSTCTRL_MFE, 0);

  assert_int_equal(remove_group(rig, group(5)), 0); /* its entry is free for the next */
  add(rig, group(0x3001));
  assert_int_equal(rig_statistic(rig, "multicast_hashed"), 0);
  assert_true(receives(rig, group(0x3001)));
  assert_false(receives(rig, group(0x3F01)));
  for (unsigned i = 1; i <= 127; i++)
    assert_int_equal(remove_group(rig, group(i)), i == 5 ? -ENOENT : 0);
  assert_true(receives(rig, group(0x3001)));
  rig_assert_no_faults(rig);
}

/* ---- Five-tuple filters ---- */

static int add_filter(struct rig *rig, const struct shunt_filter *filter, uint32_t *id)
{
  return shunt_port_filter_add(rig->port, filter, id, &rig->error);
}

static void open_with_queues(struct rig *rig, unsigned queues)
{
  struct shunt_rss rss = {.size = sizeof(rss)};
  rig->options.queues = (uint16_t)queues;
  rig->options.rx_ring = rig->options.tx_ring = 64;
  rig_open(rig, "");
  assert_int_equal(shunt_port_rss_get(rig->port, &rss, &rig->error), 0);
  memset(rss.table, 0, sizeof(rss.table)); /* what no filter steers goes to queue 0 */
  assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), 0);
}

static void each_field_steers(void **state)
{
  struct rig *rig = *state;
  static const struct shunt_filter filters[] = {
      {.source_ip = 0xC0000201},
      {.destination_ip = 0xC0000202},
      {.source_port = 4321, .protocol = 17},
      {.destination_port = 53},
      {.protocol = 6},
      {.source_ip = 0xC0000203,
       .destination_ip = 0xC0000204,
       .source_port = 7,
       .destination_port = 8,
       .protocol = 17},
  };
  open_with_queues(rig, 7);
  for (unsigned i = 0; i < 6; i++) {
    struct shunt_filter filter = filters[i];
    uint32_t id;
    filter.size = sizeof(filter);
    filter.kind = SHUNT_FILTER_FIVE_TUPLE;
    filter.queue = (uint16_t)(i + 1);
    assert_int_equal(add_filter(rig, &filter, &id), 0);
  }
  for (unsigned i = 0; i < 6; i++) {
    struct rig_flow flow = rig_flow_to_port(rig);
    assert_int_equal(rig_queue_of(rig, &flow), 0);
    flow.source_ip = filters[i].source_ip;
    flow.destination_ip = filters[i].destination_ip;
    flow.source_port = filters[i].source_port;
    flow.destination_port = filters[i].destination_port;
    flow.protocol = filters[i].protocol;
    assert_int_equal(rig_queue_of(rig, &flow), i + 1);
  }
  assert_int_equal(rig_statistic(rig, "filters_five_tuple"), 6);
  rig_assert_no_faults(rig);
}

static void the_higher_priority_wins(void **state)
{
  struct rig *rig = *state;
  struct shunt_filter low = {
      .size = sizeof(low), .kind = SHUNT_FILTER_FIVE_TUPLE, .destination_port = 2000, .queue = 1};
  struct shunt_filter high = low;
  uint32_t low_id, high_id;
  high.priority = 7;
  high.source_port = 1000;
  high.queue = 2;
  open_with_queues(rig, 3);
  assert_int_equal(add_filter(rig, &low, &low_id), 0);
  assert_int_equal(add_filter(rig, &high, &high_id), 0);
  struct rig_flow flow = rig_flow_to_port(rig);
  assert_int_equal(rig_queue_of(rig, &flow), 2);
  assert_int_equal(shunt_port_filter_remove(rig->port, high_id, &rig->error), 0);
  assert_int_equal(rig_queue_of(rig, &flow), 1);
  assert_int_equal(shunt_port_filter_remove(rig->port, low_id, &rig->error), 0);
  assert_int_equal(rig_queue_of(rig, &flow), 0);
  assert_int_equal(shunt_port_filter_remove(rig->port, low_id, &rig->error), -ENOENT);
  assert_int_equal(shunt_port_filter_remove(rig->port, 128, &rig->error), -ENOENT);
  assert_int_equal(shunt_port_filter_remove(rig->port, UINT32_MAX, &rig->error), -ENOENT);
}

/* Filters reach the queues that RSS can't name. */
static void reaches_a_queue_above_fifteen(void **state)
{
  struct rig *rig = *state;
  struct shunt_filter filter = {.size = sizeof(filter), .protocol = 17, .queue = 20};
  uint32_t id;
  open_with_queues(rig, 21);
  assert_int_equal(add_filter(rig, &filter, &id), 0);
  struct rig_flow flow = rig_flow_to_port(rig);
  assert_int_equal(rig_queue_of(rig, &flow), 20);
}

static void the_table_fills_up(void **state)
{
  struct rig *rig = *state;
  struct shunt_filter filter = {.size = sizeof(filter), .kind = SHUNT_FILTER_FIVE_TUPLE};
  uint32_t id = 0;
  rig_open(rig, "");
  for (unsigned i = 0; i < 128; i++) {
    filter.source_ip = 0x0B000000 + i;
    assert_int_equal(add_filter(rig, &filter, &id), 0);
  }
  assert_int_equal(add_filter(rig, &filter, &id), -EEXIST);
  filter.source_ip = 1;
  assert_int_equal(add_filter(rig, &filter, &id), -ENOSPC);
  filter.kind = SHUNT_FILTER_ANY; /* then the other table takes it */
  assert_int_equal(add_filter(rig, &filter, &id), 0);
  assert_int_equal(rig_statistic(rig, "filters_perfect"), 1);
  assert_int_equal(shunt_port_filter_remove(rig->port, id, &rig->error), 0);
  assert_int_equal(rig_statistic(rig, "filters_perfect"), 0);
}

static void what_can_not_be_is_refused(void **state)
{
  struct rig *rig = *state;
  const struct shunt_filter valid = {
      .size = sizeof(valid), .kind = SHUNT_FILTER_FIVE_TUPLE, .source_ip = 1};
  struct shunt_filter filter = valid;
  uint32_t id;
  rig_open(rig, "");
  filter.vlan = 5;
  assert_int_equal(add_filter(rig, &filter, &id), -EOPNOTSUPP);
  filter = valid;
  filter.queue = SHUNT_FILTER_DROP;
  assert_int_equal(add_filter(rig, &filter, &id), -EOPNOTSUPP);
  filter = valid;
  filter.queue = 1;
  assert_int_equal(add_filter(rig, &filter, &id), -EINVAL);
  filter = valid;
  filter.protocol = 1;
  assert_int_equal(add_filter(rig, &filter, &id), -EINVAL);
  filter = valid;
  filter.priority = 8;
  assert_int_equal(add_filter(rig, &filter, &id), -EINVAL);
  filter = valid;
  filter.source_ip = 0;
  assert_int_equal(add_filter(rig, &filter, &id), -EINVAL);
  filter = valid;
  filter.kind = (enum shunt_filter_kind)9;
  assert_int_equal(add_filter(rig, &filter, &id), -EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(receives_what_is_addressed_to_it),
      TEST(promiscuous_receives_all_and_ends),
      TEST(promiscuous_can_be_an_option),
      TEST(a_group_is_received_while_it_is_joined),
      TEST(beyond_the_exact_entries_groups_are_hashed),
      TEST(each_field_steers),
      TEST(the_higher_priority_wins),
      TEST(reaches_a_queue_above_fifteen),
      TEST(the_table_fills_up),
      TEST(what_can_not_be_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
