/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/xdp_helper/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct policy policy;

static void read_policy(const char *text)
{
  struct shunt_error error = {0};
  memset(&policy, 0, sizeof(policy));
  if (policy_parse(&policy, "a test", text, &error))
    fail_msg("%s: %s", error.what, error.why);
}

static struct shunt_xdp_rule rule(const char *text)
{
  struct shunt_xdp_rule rule;
  struct shunt_error error = {0};
  if (shunt_xdp_rule_parse(text, &rule, &error))
    fail_msg("%s: %s", error.what, error.why);
  return rule;
}

static const struct policy_entry *find(uid_t user, gid_t group, const char *interface)
{
  const gid_t groups[] = {7, group};
  const struct policy_peer peer = {.user = user, .group = 100, .groups = groups, .group_count = 2};
  bool served;
  const struct policy_entry *entry = policy_find(&policy, &peer, interface, &served);
  assert_true(served || !entry);
  return entry;
}

static void reads_entries(void **state)
{
  (void)state;
  read_policy("# who may what\n"
              "user=1000 interface=eth0 queues=2-3 setup=all rules=udp port 9;arp # his\n"
              "\n  group=50 interface=* queues=1 setup=no\r\n"
              "user=root interface=lo|user=* interface=tap0 rules=drop all");
  assert_int_equal(policy.count, 4);
  const struct policy_entry *entry = &policy.entries[0];
  assert_int_equal(entry->id, 1000);
  assert_int_equal(entry->first_queue, 2);
  assert_int_equal(entry->last_queue, 3);
  assert_int_equal(entry->setup, POLICY_SETUP_ALL);
  assert_int_equal(entry->rule_count, 2);
  entry = &policy.entries[1];
  assert_true(entry->is_group);
  assert_int_equal(entry->first_queue, 1);
  assert_int_equal(entry->last_queue, 1);
  assert_int_equal(entry->setup, POLICY_SETUP_NO);
  assert_int_equal(entry->rule_count, 1); /* all */
  entry = &policy.entries[2];
  assert_int_equal(entry->id, 0);
  assert_int_equal(entry->setup, POLICY_SETUP_OFFLOADS);
  assert_int_equal(entry->last_queue, UINT32_MAX);
  assert_true(policy.entries[3].everybody);
}

/* What stands behind a '#' is no entry, whatever else stands there. */
static void reads_no_comment(void **state)
{
  (void)state;
  read_policy("# was: user=alice interface=v0 | user=* interface=*\n"
              "user=1 interface=a # | user=* interface=*\r\n"
              "user=2 interface=b | user=3 interface=c # user=4 interface=d | user=5 interface=e\n"
              "#|user=* interface=*\n#\n|#|\n"
              "user=6 interface=f rules=udp#|user=* interface=*");
  assert_int_equal(policy.count, 4);
  for (unsigned i = 0; i < policy.count; i++)
    assert_false(policy.entries[i].everybody);
  assert_int_equal(policy.entries[2].id, 3);
  assert_int_equal(policy.entries[3].id, 6);
  read_policy("# user=1 interface=a | user=* interface=*");
  assert_int_equal(policy.count, 0);
}

static void finds_users_and_groups(void **state)
{
  (void)state;
  read_policy("user=root interface=a|group=root interface=b|group=* interface=c");
  assert_int_equal(policy.entries[0].id, 0);
  assert_false(policy.entries[0].is_group);
  assert_int_equal(policy.entries[1].id, 0);
  assert_true(policy.entries[1].is_group);
  assert_false(policy.entries[1].everybody);
  assert_true(policy.entries[2].everybody);
}

static void says_where_it_is_wrong(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  memset(&policy, 0, sizeof(policy));
  assert_int_equal(policy_parse(&policy, "a file", "\n# x\nuser=1 interface=a queues=z\n", &error),
                   -EINVAL);
  assert_non_null(strstr(error.what, "a file, line 3:"));
  assert_non_null(strstr(error.why, "\"z\""));
  assert_int_equal(policy_parse(&policy, "a file", "\nuser=1 interface=a rules=gibberish", &error),
                   -EINVAL);
  assert_non_null(strstr(error.what, "a file, line 2:"));
  assert_int_equal(policy_parse(&policy, "--allow", "user=1 interface=a|user=1", &error), -EINVAL);
  assert_non_null(strstr(error.what, "--allow:"));
}

static void finds_who_is_served(void **state)
{
  (void)state;
  const struct policy_peer stranger = {.user = 5, .group = 5};
  bool served;
  read_policy("user=1000 interface=eth0\ngroup=50 interface=eth1\nuser=2000 interface=*");
  assert_ptr_equal(find(1000, 1, "eth0"), &policy.entries[0]);
  assert_null(find(1000, 1, "eth1"));
  assert_ptr_equal(find(1, 50, "eth1"), &policy.entries[1]); /* supplementary */
  assert_ptr_equal(find(2000, 1, "anything"), &policy.entries[2]);
  assert_null(find(1001, 1, "eth0"));
  assert_null(policy_find(&policy, &stranger, "eth0", &served));
  assert_false(served);
}

static void refuses_what_it_can_not_read(void **state)
{
  (void)state;
  static const char *const wrong[] = {
      "user=1",
      "interface=eth0",
      "user=nosuchuserhere interface=eth0",
      "group=nosuchgrouphere interface=eth0",
      "user=4294967295 interface=eth0",
      "user=1 interface=",
      "user=1 interface=a234567890123456",
      "user=1 interface=eth0 queues=",
      "user=1 interface=eth0 queues=3-1",
      "user=1 interface=eth0 queues=1-",
      "user=1 interface=eth0 queues=-1",
      "user=1 interface=eth0 queues=1x",
      "user=1 interface=eth0 setup=maybe",
      "user=1 interface=eth0 rules=udp prt 9",
      "user=1 interface=eth0 speed=fast",
      "user=1 interface=eth0 word",
      "word",
      "=",
  };
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct shunt_error error = {0};
    memset(&policy, 0, sizeof(policy));
    if (policy_parse(&policy, "a test", wrong[i], &error) != -EINVAL || !*error.what)
      fail_msg("taken: %s", wrong[i]);
  }
}

static void holds_so_many(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  char text[32 * (POLICY_ENTRIES + 1)];
  size_t used = 0;
  for (unsigned i = 0; i <= POLICY_ENTRIES; i++)
    used += (size_t)snprintf(text + used, sizeof(text) - used, "user=1 interface=e\n");
  memset(&policy, 0, sizeof(policy));
  assert_int_equal(policy_parse(&policy, "a test", text, &error), -E2BIG);
}

static void knows_what_lies_within(void **state)
{
  (void)state;
  static const struct {
    const char *inner, *outer;
    bool within;
  } cases[] = {
      {"all", "all", true},
      {"udp port 9", "all", true},
      {"all", "udp port 9", false},
      {"arp", "arp", true},
      {"arp", "ether 0x88f7", false},
      {"ip4 udp port 9", "udp", true},
      {"udp", "udp port 9", false},
      {"udp port 9", "tcp", false},
      {"tcp port 9", "tcp port 1-10", true},
      {"tcp port 9-11", "tcp port 1-10", false},
      {"tcp port 1,5,9", "tcp port 1-5,9", true},
      {"tcp port 1,6", "tcp port 1-5,9", false},
      {"tcp src port 9", "tcp port 9", false},
      {"udp dst 239.1.2.3 port 9", "udp dst 239.0.0.0/8", true},
      {"udp dst 238.1.2.3 port 9", "udp dst 239.0.0.0/8", false},
      {"udp dst 238.0.0.0/7", "udp dst 239.0.0.0/8", false},
      {"udp dst 10.1.128.0/17", "udp dst 10.1.128.0/17", true},
      {"udp dst 10.1.127.0/24", "udp dst 10.1.128.0/17", false},
      {"udp src 239.1.2.3", "udp dst 239.0.0.0/8", false},
      {"ip6 udp dst ff15::1", "ip6 udp dst ff00::/8", true},
      {"ip6 udp dst ff15::1", "ip4", false},
      {"mac 02:00:00:00:00:01 udp", "udp", true},
      {"udp", "mac 02:00:00:00:00:01 udp", false},
      {"mac unicast", "mac 02:00:00:00:00:01", false},
      {"mac 02:00:00:00:00:01", "mac 02:00:00:00:00:01", true},
      {"mac 02:00:00:00:00:01", "mac 02:00:00:00:00:02", false},
      {"mac 02:00:00:00:00:01", "mac unicast", true},
      {"mac 02:00:00:00:00:01", "mac multicast", false},
      {"mac 01:00:5e:00:00:01", "mac multicast", true},
      {"mac ff:ff:ff:ff:ff:ff", "mac unicast", false},
      {"mac unicast", "mac unicast", true},
      {"mac multicast", "mac unicast", false},
      {"mac multicast", "all", true},
      {"all", "mac multicast", false},
      {"vlan 5 udp", "udp", true},
      {"udp", "vlan 5 udp", false},
      {"vlan 5", "vlan any", true},
      {"vlan 5", "vlan 6", false},
      {"vlan none", "vlan any", false},
      {"vlan any", "vlan 5", false},
      {"udp port 9 fragments", "udp port 9", false},
      {"udp port 9 fragments", "udp", true},
      {"udp port 9", "udp port 9 fragments", true},
      {"ip4 udp dst 10.0.0.1 port 9 fragments", "udp port 9 fragments", true},
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct shunt_xdp_rule inner = rule(cases[i].inner), outer = rule(cases[i].outer);
    if (policy_rule_within(&inner, &outer) != cases[i].within)
      fail_msg("\"%s\" in \"%s\"", cases[i].inner, cases[i].outer);
  }
}

static void allows_actions(void **state)
{
  (void)state;
  struct shunt_xdp_rule user = rule("udp port 9"), pass = rule("pass udp port 9"),
                        drop = rule("drop udp port 9");
  read_policy("user=1 interface=a rules=udp|user=1 interface=b rules=drop udp|"
              "user=1 interface=c rules=udp;drop udp port 9|user=1 interface=d rules=pass udp");
  const struct policy_entry *entries = policy.entries;
  assert_true(policy_allows_rule(&entries[0], &user));
  assert_true(policy_allows_rule(&entries[0], &pass));
  assert_false(policy_allows_rule(&entries[0], &drop));
  assert_false(policy_allows_rule(&entries[1], &user));
  assert_true(policy_allows_rule(&entries[1], &drop));
  assert_true(policy_allows_rule(&entries[2], &user));
  assert_true(policy_allows_rule(&entries[2], &drop));
  assert_false(policy_allows_rule(&entries[3], &user));
  assert_true(policy_allows_rule(&entries[3], &pass));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_entries),          cmocka_unit_test(finds_who_is_served),
      cmocka_unit_test(knows_what_lies_within), cmocka_unit_test(refuses_what_it_can_not_read),
      cmocka_unit_test(reads_no_comment),       cmocka_unit_test(finds_users_and_groups),
      cmocka_unit_test(says_where_it_is_wrong), cmocka_unit_test(holds_so_many),
      cmocka_unit_test(allows_actions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
