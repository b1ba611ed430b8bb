/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces of one device with several queues whose filters match the same frames: the more
 * specific one has them, whichever queue they come by, and a group's go to all that ask alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spread_rig.h"

#define PORT  2000u
#define GROUP 0xef010101u /* 239.1.1.1 */

/* --- Filters ------------------------------------------------------------------------------------
 */

/* From the least specific one on; all match what `sends` sends. */
enum kind { MISMATCH, ALL, ETHERTYPE, PROTOCOL, MAC, MAC_PROTOCOL, LOCAL, FULL, KINDS };

static ef_filter_spec spec_of(enum kind kind)
{
  ef_filter_spec spec;
  const uint32_t to = htonl(0x0a000002), from = htonl(0x0a000001);
  int result = 0;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  switch (kind) {
  case MISMATCH:
    result = ef_filter_spec_set_unicast_mismatch(&spec);
    break;
  case ALL:
    result = ef_filter_spec_set_unicast_all(&spec);
    break;
  case ETHERTYPE:
    result = ef_filter_spec_set_eth_type(&spec, htons(0x0800));
    break;
  case PROTOCOL:
    result = ef_filter_spec_set_ip_proto(&spec, IPPROTO_UDP);
    break;
  case MAC:
  case MAC_PROTOCOL:
    result = ef_filter_spec_set_eth_local(&spec, EF_FILTER_VLAN_ID_ANY, theirs.mac);
    if (kind == MAC_PROTOCOL)
      assert_int_equal(ef_filter_spec_set_ip_proto(&spec, IPPROTO_UDP), 0);
    break;
  case LOCAL:
    result = ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, to, htons(PORT));
    break;
  default:
    result = ef_filter_spec_set_ip4_full(&spec, IPPROTO_UDP, to, htons(PORT), from, htons(1000));
  }
  assert_int_equal(result, 0);
  return spec;
}

static ef_filter_spec spec_of_group(void)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(GROUP), htons(PORT)), 0);
  return spec;
}

static void adds(unsigned vi, const ef_filter_spec *spec, ef_filter_cookie *cookie)
{
  const int result = ef_vi_filter_add(&theirs.vi[vi], theirs.handle, spec, cookie);
  if (result)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
}

static void removes(unsigned vi, ef_filter_cookie *cookie)
{
  assert_int_equal(ef_vi_filter_del(&theirs.vi[vi], theirs.handle, cookie), 0);
}

static unsigned overlaps(void)
{
  return efvi_own(&theirs.vi[0])->device->overlaps;
}

/* --- Who gets it --------------------------------------------------------------------------------
 */

/* A frame by each queue: that many of the interfaces get it, each once. What nobody gets would come
 * before what is sent last. */
static void each_gets(uint32_t group, const unsigned expected[], unsigned n, const char *what)
{
  struct got got[QUEUES] = {{0}};
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  unsigned sum = 0, wanted = 0;
  for (unsigned i = 0; i < n; i++)
    wanted += expected[i] * QUEUES;
  for (unsigned queue = 0; queue < QUEUES; queue++)
    sends_to(group, queue, PORT, (uint16_t)queue);
  for (unsigned idle = 0; idle < 100; idle = sum < wanted ? 0 : idle + 1) {
    sum = 0;
    for (unsigned i = 0; i < n; i++) {
      polls(i, PORT, &got[i]);
      sum += got[i].count;
    }
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("%s: %u frames of %u", what, sum, wanted);
  }
  for (unsigned i = 0; i < n; i++)
    if (got[i].count != expected[i] * QUEUES)
      fail_msg("%s: interface %u got %u frames, not %u", what, i, got[i].count,
               expected[i] * QUEUES);
}

/* --- Tests --------------------------------------------------------------------------------------
 */

static void the_more_specific_filter_wins(void **state)
{
  static const unsigned first[2] = {1, 0}, second[2] = {0, 1};
  ef_filter_cookie loses, wins;
  char what[40];
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  add(&theirs, 127);
  add(&theirs, 127);
  for (int high = 1; high <= KINDS;
       high++) /* over the next lower one, and at last over the lowest */
    for (unsigned winner = 0; winner < 2; winner++) {
      const ef_filter_spec high_one = spec_of(high < KINDS ? (enum kind)high : FULL);
      const ef_filter_spec low_one = spec_of(high < KINDS ? (enum kind)(high - 1) : MISMATCH);
      snprintf(what, sizeof(what), "%d of interface %u", high, winner);
      if (winner) /* once this one first, once that one */
        adds(winner, &high_one, &wins);
      adds(!winner, &low_one, &loses);
      if (!winner)
        adds(winner, &high_one, &wins);
      assert_int_equal(overlaps(), 1);
      each_gets(0, winner ? second : first, 2, what);
      removes(winner, &wins);
      assert_int_equal(overlaps(), 0);
      each_gets(0, winner ? first : second, 2, what);
      removes(!winner, &loses);
    }
  end_close(&theirs);
}

static void a_station_s_filter_is_one_interface_s(void **state)
{
  static const unsigned first[2] = {1, 0};
  ef_filter_cookie cookie, again;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  add(&theirs, 127);
  add(&theirs, 127);
  for (int kind = 0; kind < KINDS; kind++) {
    const ef_filter_spec spec = spec_of((enum kind)kind);
    adds(0, &spec, &cookie);
    assert_int_equal(ef_vi_filter_add(&theirs.vi[1], theirs.handle, &spec, &again), -EEXIST);
    assert_non_null(strstr(shunt_last_error()->what, "another interface"));
    each_gets(0, first, 2, "a filter that was asked for twice");
    removes(0, &cookie);
    adds(1, &spec, &again);
    removes(1, &again);
  }
  end_close(&theirs);
}

static void a_group_s_filter_may_be_several_s(void **state)
{
  static const unsigned all[3] = {1, 1, 1}, two[3] = {1, 0, 1}, local[3] = {0, 1, 0};
  ef_filter_cookie cookies[3], more;
  ef_filter_spec specs[2], full;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  specs[0] = spec_of_group();
  ef_filter_spec_init(&specs[1], EF_FILTER_FLAG_NONE);
  assert_int_equal(
      ef_filter_spec_set_eth_local(&specs[1], EF_FILTER_VLAN_ID_ANY, "\x01\x00\x5e\x01\x01\x01"),
      0);
  ef_filter_spec_init(&full, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_full(&full, IPPROTO_UDP, htonl(GROUP), htons(PORT),
                                               htonl(0x0a000001), htons(1000)),
                   0);
  for (unsigned i = 0; i < 3; i++)
    add(&theirs, 127);
  for (unsigned kind = 0; kind < 2; kind++) {
    for (unsigned i = 0; i < 3; i++)
      adds(i, &specs[kind], &cookies[i]);
    each_gets(GROUP, all, 3, "a group that three ask for");
    adds(1, &full, &more); /* the more specific one wins here, too */
    each_gets(GROUP, local, 3, "a group that one asks for by source");
    removes(1, &more);
    removes(1, &cookies[1]);
    each_gets(GROUP, two, 3, "a group that two ask for");
    removes(0, &cookies[0]);
    removes(2, &cookies[2]);
    assert_int_equal(overlaps(), 0);
  }
  end_close(&theirs);
}

/* Of a set's interfaces one gets a frame, and another interface a copy. */
static void a_set_gets_one_copy(void **state)
{
  ef_filter_cookie cookie;
  ef_vi_set set;
  struct got got[3] = {{0}};
  const ef_filter_spec spec = spec_of_group();
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, theirs.handle, &theirs.pd, theirs.handle, 2), 0);
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(ef_vi_alloc_from_set(&theirs.vi[theirs.count], theirs.handle, &set,
                                          theirs.handle, -1, -1, 127, 127, NULL, -1,
                                          EF_VI_FLAGS_DEFAULT),
                     i);
    posts(&theirs, theirs.count++);
  }
  add(&theirs, 127);
  assert_int_equal(ef_vi_set_filter_add(&set, theirs.handle, &spec, &cookie), 0);
  adds(2, &spec, &cookie);
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  for (unsigned i = 0; i < 10 * QUEUES; i++) {
    sends_to(GROUP, i % QUEUES, PORT, (uint16_t)i);
    while (got[0].count + got[1].count <= i || got[2].count <= i) {
      for (unsigned vi = 0; vi < 3; vi++)
        polls(vi, PORT, &got[vi]);
      if (shunt_monotonic_ns() > end_ns)
        fail_msg("the set got %u frames, the other one %u of %u", got[0].count + got[1].count,
                 got[2].count, i + 1);
    }
  }
  assert_each_once(&got[2], 0, 10 * QUEUES);
  for (unsigned i = 0; i < 10 * QUEUES; i++)
    assert_int_equal(got[0].times[i] + got[1].times[i], 1);
  assert_true(got[0].count > 0 && got[1].count > 0);
  assert_int_equal(ef_vi_set_free(&set, theirs.handle), 0);
  end_close(&theirs);
}

/* Filters that match no frame in common cost nobody a look into others' interfaces. */
static void what_is_apart_does_not_count(void **state)
{
  ef_filter_cookie cookie;
  (void)state;
  if (!there)
    skip();
  domain_open(&theirs, VETH_THEIRS, EF_PD_DEFAULT);
  add(&theirs, 127);
  add(&theirs, 127);
  const ef_filter_spec group = spec_of_group(), mac = spec_of(MAC);
  adds(0, &group, &cookie);
  filter(&theirs, 0, 2001, &cookie);
  filter(&theirs, 1, 2002, &cookie);
  filter(&theirs, 1, 2003, &cookie);
  assert_int_equal(overlaps(), 0);
  adds(1, &mac, &cookie); /* a group's address in IP may come to a station's of Ethernet */
  assert_int_equal(overlaps(), 2);
  removes(1, &cookie);
  assert_int_equal(overlaps(), 0);
  end_close(&theirs);
}

int main(void)
{
  there = veth_rig_enter();
  const struct CMUnitTest tests[] = {
      ON_VETH(the_more_specific_filter_wins),     ON_VETH(a_station_s_filter_is_one_interface_s),
      ON_VETH(a_group_s_filter_may_be_several_s), ON_VETH(a_set_gets_one_copy),
      ON_VETH(what_is_apart_does_not_count),
  };
  return cmocka_run_group_tests_name("efvi_spread_overlap", tests, NULL, NULL);
}
