/* SPDX-License-Identifier: BSD-2-Clause */
/* Perfect filters: they steer and drop, all compare the same fields, and they come and go. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

static int add(struct rig *rig, struct shunt_filter filter, uint32_t *id)
{
  filter.size = sizeof(filter);
  filter.kind = SHUNT_FILTER_PERFECT;
  return shunt_port_filter_add(rig->port, &filter, id, &rig->error);
}

static int remove_filter(struct rig *rig, uint32_t id)
{
  return shunt_port_filter_remove(rig->port, id, &rig->error);
}

/* What no filter steers goes to queue 0. */
static void open_queues(struct rig *rig, unsigned queues)
{
  struct shunt_rss rss = {.size = sizeof(rss)};
  rig->options.queues = (uint16_t)queues;
  rig->options.rx_ring = rig->options.tx_ring = 64;
  rig_open(rig, "");
  assert_int_equal(shunt_port_rss_get(rig->port, &rss, &rig->error), 0);
  memset(rss.table, 0, sizeof(rss.table));
  assert_int_equal(shunt_port_rss_set(rig->port, &rss, &rig->error), 0);
}

static struct shunt_filter filter_number(unsigned n)
{
  return (struct shunt_filter){.source_ip = 0xC0000200 + n,
                               .destination_ip = 0xE0000100 + 3 * n,
                               .source_port = (uint16_t)(40000 + n),
                               .destination_port = (uint16_t)(1 + n * 31),
                               .protocol = 17};
}

static struct rig_flow flow_of(const struct rig *rig, const struct shunt_filter *filter)
{
  struct rig_flow flow = rig_flow_to_port(rig);
  flow.source_ip = filter->source_ip;
  flow.destination_ip = filter->destination_ip;
  flow.source_port = filter->source_port;
  flow.destination_port = filter->destination_port;
  flow.protocol = filter->protocol;
  flow.vlan = filter->vlan;
  return flow;
}

static void each_filter_steers_its_flow(void **state)
{
  struct rig *rig = *state;
  uint32_t ids[60];
  open_queues(rig, 8);
  for (unsigned n = 0; n < 60; n++) {
    struct shunt_filter filter = filter_number(n);
    filter.queue = (uint16_t)(n % 8);
    assert_int_equal(add(rig, filter, &ids[n]), 0);
  }
  for (unsigned n = 0; n < 60; n++) {
    struct shunt_filter filter = filter_number(n);
    struct rig_flow flow = flow_of(rig, &filter);
    assert_int_equal(rig_queue_of(rig, &flow), n % 8);
    flow.source_port++;
    assert_int_equal(rig_queue_of(rig, &flow), 0);
  }
  assert_true(rig_statistic(rig, "fdir_match") >= 60);
  for (unsigned n = 0; n < 60; n += 2) /* every second one goes */
    assert_int_equal(remove_filter(rig, ids[n]), 0);
  for (unsigned n = 1; n < 60; n++) {
    struct shunt_filter filter = filter_number(n);
    struct rig_flow flow = flow_of(rig, &filter);
    assert_int_equal(rig_queue_of(rig, &flow), n % 2 ? n % 8 : 0);
  }
  assert_int_equal(rig_statistic(rig, "filters_perfect"), 30);
  rig_assert_no_faults(rig);
}

/* Bits that could go missing in the hash or the registers: one field after the other. */
static void single_fields_steer(void **state)
{
  struct rig *rig = *state;
  static const struct shunt_filter filters[] = {
      {.source_ip = 0xFF000001},
      {.destination_ip = 0x010000FF},
      {.destination_port = 0x8001, .protocol = 6},
      {.source_port = 0x0180, .protocol = 17},
      {.protocol = 6},
      {.vlan = 0xABC},
      {.vlan = 0x001, .protocol = 17, .destination_port = 9},
  };
  open_queues(rig, 2);
  for (unsigned i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
    struct shunt_filter filter = filters[i];
    struct rig_flow flow = flow_of(rig, &filter);
    uint32_t id;
    filter.queue = 1;
    assert_int_equal(rig_queue_of(rig, &flow), 0);
    assert_int_equal(add(rig, filter, &id), 0);
    assert_int_equal(rig_queue_of(rig, &flow), 1);
    flow.bytes = 300; /* the rest of the frame does not matter */
    assert_int_equal(rig_queue_of(rig, &flow), 1);
    assert_int_equal(remove_filter(rig, id), 0);
    assert_int_equal(rig_queue_of(rig, &flow), 0);
  }
  rig_assert_no_faults(rig);
}

static void drops(void **state)
{
  struct rig *rig = *state;
  struct shunt_filter filter = filter_number(1);
  uint32_t id;
  filter.queue = SHUNT_FILTER_DROP;
  open_queues(rig, 2);
  assert_int_equal(add(rig, filter, &id), 0);
  struct rig_flow flow = flow_of(rig, &filter);
  assert_int_equal(rig_queue_of(rig, &flow), -1);
  flow.source_ip++;
  assert_int_equal(rig_queue_of(rig, &flow), 0);
  assert_int_equal(remove_filter(rig, id), 0);
  flow.source_ip--;
  assert_int_equal(rig_queue_of(rig, &flow), 0);
}

static void the_first_filter_chooses_the_fields(void **state)
{
  struct rig *rig = *state;
  struct shunt_filter first = {.destination_port = 80, .protocol = 6};
  struct shunt_filter other = {.destination_ip = 5};
  uint32_t id, other_id;
  rig_open(rig, "");
  assert_int_equal(add(rig, first, &id), 0);
  assert_int_equal(add(rig, first, &other_id), -EEXIST);
  assert_int_equal(add(rig, other, &other_id), -EOPNOTSUPP);
  assert_non_null(strstr(rig->error.why, "same fields"));
  assert_true(rig->error.remedy[0] != '\0');
  first.destination_port = 81;
  assert_int_equal(add(rig, first, &other_id), 0);
  assert_int_equal(remove_filter(rig, id), 0);
  assert_int_equal(remove_filter(rig, other_id), 0);
  assert_int_equal(add(rig, other, &other_id), 0); /* all gone: the next chooses anew */
}

static void what_the_chip_does_not_compare_is_refused(void **state)
{
  struct rig *rig = *state;
  uint32_t id;
  rig_open(rig, "");
  assert_int_equal(add(rig, (struct shunt_filter){.source_port = 5}, &id), -EOPNOTSUPP);
  assert_int_equal(add(rig, (struct shunt_filter){.source_port = 5, .protocol = 132}, &id),
                   -EOPNOTSUPP);
  assert_int_equal(add(rig, (struct shunt_filter){.protocol = 132}, &id), 0);
  assert_int_equal(remove_filter(rig, 0x10000 + 2046), -ENOENT);
  assert_int_equal(remove_filter(rig, 0x10005), -ENOENT);
}

static void the_table_holds_2046(void **state)
{
  struct rig *rig = *state;
  static uint32_t ids[2046];
  uint32_t id;
  rig_open(rig, "");
  for (unsigned n = 0; n < 2046; n++)
    assert_int_equal(add(rig, filter_number(n), &ids[n]), 0);
  assert_int_equal(add(rig, filter_number(2046), &id), -ENOSPC);
  for (unsigned n = 0; n < 2046; n++)
    assert_int_equal(remove_filter(rig, ids[n]), 0);
  assert_int_equal(rig_statistic(rig, "filters_perfect"), 0);
  assert_int_equal(add(rig, filter_number(2046), &id), 0);
  rig_assert_no_faults(rig);
}

/* The hash unfolded (datasheet 7.1.2.7.4): a ring of 336 bits - VLAN, flow type and pool, flexible
 * word, nine dwords of ports and addresses - and the key, repeated over bits 1 to 351 of it. Each
 * one in the key adds the 15 bits that begin there. */
static uint16_t slow_hash(const struct shunt_filter *filter, uint32_t l4_type)
{
  uint16_t halves[21] = {0};
  uint32_t hash = 0;
  halves[0] = filter->vlan;
  halves[1] = (uint16_t)l4_type;
  halves[3] = filter->destination_port;
  halves[4] = filter->source_port;
  halves[5] = (uint16_t)filter->source_ip;
  halves[6] = (uint16_t)(filter->source_ip >> 16);
  halves[13] = (uint16_t)filter->destination_ip;
  halves[14] = (uint16_t)(filter->destination_ip >> 16);
  for (unsigned i = 1; i < 352; i++) {
    if (!(UINT32_C(0x3DAD14E2) >> (i % 32) & 1))
      continue;
    for (unsigned bit = 0; bit < 15; bit++) {
      unsigned at = (i + bit) % 336;
      hash ^= (uint32_t)(halves[at / 16] >> (at % 16) & 1) << bit;
    }
  }
  return hash & 0x1FFF;
}

static void the_folded_hash_equals_the_long_one(void **state)
{
  (void)state;
  uint64_t random = 88172645463325252u;
  for (unsigned i = 0; i < 1000; i++) {
    struct shunt_filter filter = {0};
    random = random * 6364136223846793005u + 1442695040888963407u;
    filter.source_ip = (uint32_t)(random >> 32);
    filter.destination_ip = (uint32_t)random;
    random = random * 6364136223846793005u + 1442695040888963407u;
    filter.source_port = (uint16_t)(random >> 48);
    filter.destination_port = (uint16_t)(random >> 32);
    filter.vlan = (random >> 16) & 0xFFF;
    filter.protocol = i % 2 ? 17 : 6;
    assert_int_equal(ixgbe_flow_director_hash(&filter), slow_hash(&filter, i % 2 ? 1 : 2));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(each_filter_steers_its_flow),
      TEST(single_fields_steer),
      TEST(drops),
      TEST(the_first_filter_chooses_the_fields),
      TEST(what_the_chip_does_not_compare_is_refused),
      TEST(the_table_holds_2046),
      cmocka_unit_test(the_folded_hash_equals_the_long_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
