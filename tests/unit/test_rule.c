/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as text and back; what is refused, where and why. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/xdp_rule.h"

static struct shunt_xdp_rule parse(const char *text)
{
  struct shunt_xdp_rule rule;
  struct shunt_error error = {0};

  if (shunt_xdp_rule_parse(text, &rule, &error))
    fail_msg("\"%s\": %s: %s", text, error.what, error.why);
  assert_int_equal(shunt_xdp_rule_check(&rule, &error), 0);
  return rule;
}

static void test_conditions(void **state)
{
  (void)state;
  struct shunt_xdp_rule rule = parse("pass vlan 5 udp src 10.0.0.0/8 dst 239.1.1.1 src port 9 port "
                                     "53,5000-5010 fragments");
  const uint8_t source[16] = {10};
  const uint8_t destination[16] = {239, 1, 1, 1};

  assert_int_equal(rule.size, sizeof(rule));
  assert_int_equal(rule.action, SHUNT_XDP_PASS);
  assert_int_equal(rule.vlan, SHUNT_XDP_VLAN_ID);
  assert_int_equal(rule.vlan_id, 5);
  assert_int_equal(rule.ip_version, 4);
  assert_int_equal(rule.protocol, 17);
  assert_memory_equal(rule.source.address, source, 16);
  assert_int_equal(rule.source.bits, 8);
  assert_memory_equal(rule.destination.address, destination, 16);
  assert_int_equal(rule.destination.bits, 32);
  assert_int_equal(rule.source_ports.count, 1);
  assert_int_equal(rule.source_ports.range[0].first, 9);
  assert_int_equal(rule.source_ports.range[0].last, 9);
  assert_int_equal(rule.destination_ports.count, 2);
  assert_int_equal(rule.destination_ports.range[1].first, 5000);
  assert_int_equal(rule.destination_ports.range[1].last, 5010);
  assert_int_equal(rule.fragments, 1);
}

static void test_all_is_zero(void **state)
{
  (void)state;
  struct shunt_xdp_rule all = {.size = sizeof(all)};
  struct shunt_xdp_rule rule = parse("all");

  assert_memory_equal(&rule, &all, sizeof(all));
}

/* What is written is what is read, in one form for all the ways to say it. */
static void test_format(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {
      {"all", "all"},
      {"user all", "all"},
      {"drop all", "drop all"},
      {" \t arp\n", "arp"},
      {"ether 2054", "arp"},
      {"ether 0x88F7", "ether 0x88f7"},
      {"pass arp vlan none", "pass vlan none arp"},
      {"mac 02:00:00:00:00:01", "mac 02:00:00:00:00:01"},
      {"mac FF:ff:Ff:fF:FF:FF", "mac ff:ff:ff:ff:ff:ff"},
      {"mac 00:00:00:00:00:00", "mac 00:00:00:00:00:00"},
      {"drop udp vlan 5 mac 01:00:5e:01:01:01", "drop mac 01:00:5e:01:01:01 vlan 5 udp"},
      {"arp mac unicast", "mac unicast arp"},
      {"mac multicast", "mac multicast"},
      {"vlan any", "vlan any"},
      {"vlan 0", "vlan 0"},
      {"vlan 4095 ip6", "vlan 4095 ip6"},
      {"ip", "ip4"},
      {"icmp", "icmp"},
      {"pass icmp", "pass icmp"},
      {"icmp6", "icmp6"},
      {"ip6 icmp6", "icmp6"},
      {"igmp", "igmp"},
      {"proto 1", "proto 1"},
      {"ip4 proto 1", "icmp"},
      {"ip6 proto 1", "ip6 proto 1"},
      {"proto 132", "proto 132"},
      {"udp", "udp"},
      {"proto 0x11", "udp"},
      {"ip6 udp port 53", "ip6 udp port 53"},
      {"port 53", "port 53"},
      {"tcp src 10.0.0.0/8 dst port 5000-5010", "ip4 tcp src 10.0.0.0/8 port 5000-5010"},
      {"udp group 239.1.1.1 port 31001", "ip4 udp dst 239.1.1.1 port 31001"},
      {"group ff02::1", "ip6 dst ff02::1"},
      {"ip4 dst multicast", "ip4 dst 224.0.0.0/4"},
      {"ip6 udp dst multicast", "ip6 udp dst ff00::/8"},
      {"dst 0.0.0.0/0", "ip4"},
      {"src ::/0", "ip6"},
      {"src 2001:DB8::/32", "ip6 src 2001:db8::/32"},
      {"src ::ffff:1.2.3.4", "ip6 src ::ffff:1.2.3.4"},
      {"dst 255.255.255.255/32", "ip4 dst 255.255.255.255"},
      {"dst 128.0.0.0/1", "ip4 dst 128.0.0.0/1"},
      {"udp port 0,65535,1-2,7-7", "udp port 0,65535,1-2,7"},
      {"udp src port 67 dst port 68", "udp src port 67 port 68"},
      {"udp fragments port 9", "udp port 9 fragments"},
      {"port 9 fragments tcp", "tcp port 9 fragments"},
  };

  for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    struct shunt_xdp_rule rule = parse(pairs[i][0]);
    char text[SHUNT_XDP_RULE_TEXT_BYTES];
    size_t length = shunt_xdp_rule_format(&rule, text, sizeof(text));
    assert_string_equal(text, pairs[i][1]);
    assert_int_equal(length, strlen(text));
    struct shunt_xdp_rule again = parse(text);
    assert_memory_equal(&again, &rule, sizeof(rule));
  }
}

static void test_format_is_cut(void **state)
{
  (void)state;
  struct shunt_xdp_rule rule = parse("drop udp port 1,2");
  char text[32] = "untouched";

  assert_int_equal(shunt_xdp_rule_format(&rule, text, 0), 17);
  assert_string_equal(text, "untouched");
  for (size_t bytes = 1; bytes < 20; bytes++) {
    memset(text, '#', sizeof(text));
    assert_int_equal(shunt_xdp_rule_format(&rule, text, bytes), 17);
    assert_int_equal(strlen(text), bytes - 1 < 17 ? bytes - 1 : 17);
    assert_int_equal(strncmp(text, "drop udp port 1,2", bytes - 1), 0);
  }
}

static void test_longest_text_fits(void **state)
{
  (void)state;
  struct shunt_xdp_rule rule =
      parse("pass mac multicast vlan 4095 ip6 tcp src aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaa0/124 "
            "dst aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaa0/124 fragments port 1");
  char text[SHUNT_XDP_RULE_TEXT_BYTES];

  rule.mac = SHUNT_XDP_MAC_ADDRESS;
  rule.destination_ports.count = SHUNT_XDP_PORT_RANGES;
  for (unsigned i = 0; i < SHUNT_XDP_PORT_RANGES; i++) {
    rule.destination_ports.range[i].first = 10000;
    rule.destination_ports.range[i].last = 65535;
  }
  rule.source_ports = rule.destination_ports;
  assert_true(shunt_xdp_rule_format(&rule, text, sizeof(text)) < sizeof(text));
  struct shunt_xdp_rule again = parse(text);
  assert_memory_equal(&again, &rule, sizeof(rule));
}

/* Text, where the error is, and a part of its reason. */
static const struct {
  const char *text;
  unsigned place;
  const char *why;
} wrong[] = {
    {"udq", 1, "no word of a rule"},
    {"udp  tcp", 6, "another protocol"},
    {"icmp port 5", 6, "only UDP and TCP have ports"},
    {"port 5 icmp", 8, "only UDP and TCP have ports"},
    {"proto 132 src port 5", 11, "only UDP and TCP have ports"},
    {"ip6 dst 10.0.0.1", 9, "belongs to IPv4"},
    {"ip4 src ::1", 9, "belongs to IPv6"},
    {"icmp ip6", 6, "belongs to IPv6"},
    {"dst 10.0.0.0/33", 5, "0 to 32 bits"},
    {"dst ::/129", 5, "0 to 128 bits"},
    {"dst 10.0.0.0/", 5, "0 to 32 bits"},
    {"dst 10.0.0.0/8x", 5, "0 to 32 bits"},
    {"dst 10.0.0.1/8", 1, "bits set behind"},
    {"src 2001:db8::1/64", 1, "bits set behind"},
    {"dst 1.2.3", 5, "no IP address"},
    {"dst 1.2.3.4.5", 5, "no IP address"},
    {"dst ::1::", 5, "no IP address"},
    {"dst 11111111111111111111111111111111111111111111111111:", 5, "no IP address"},
    {"dst 10.0.0.1 dst 10.0.0.2", 18, "another address"},
    {"dst multicast", 5, "whose multicast"},
    {"group 10.0.0.1", 7, "no multicast group"},
    {"group fe80::1", 7, "no multicast group"},
    {"group 224.0.0.0/3", 7, "no multicast group"},
    {"udp port 5010-5000", 5, "reversed"},
    {"udp port 65536", 10, "0 to 65535"},
    {"udp port 99999999999999999999", 10, "0 to 65535"},
    {"udp port -5", 10, "0 to 65535"},
    {"udp port 5-", 10, "ends in a number"},
    {"udp port 5,", 10, "0 to 65535"},
    {"udp port 5x", 10, "behind the ports"},
    {"udp port 5 port 6", 17, "ports for this end already"},
    {"udp port 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 10, "at most 16 ranges"},
    {"udp port", 9, "has to follow port"},
    {"mac", 4, "has to follow mac"},
    {"udp mac", 8, "has to follow mac"},
    {"mac 02:00:00:00:00", 5, "six pairs"},
    {"mac 02:00:00:00:00:0g", 5, "six pairs"},
    {"mac 02:00:00:00:00:01:02", 5, "six pairs"},
    {"mac 2:0:0:0:0:1", 5, "six pairs"},
    {"arp mac 02-00-00-00-00-01", 9, "six pairs"},
    {"mac udp", 5, "six pairs"},
    {"mac unicast mac multicast", 13, "mac twice"},
    {"mac 02:00:00:00:00:01 mac 02:00:00:00:00:02", 23, "mac twice"},
    {"vlan 4096", 6, "0 to 4095"},
    {"vlan", 5, "has to follow vlan"},
    {"vlan 5 vlan 6", 8, "vlan twice"},
    {"ether 0x500", 1, "a length"},
    {"ether 0x8100", 1, "VLAN tags"},
    {"ether 0x88a8", 1, "VLAN tags"},
    {"ether 0x10000", 7, "up to 0xffff"},
    {"ether 0", 7, "up to 0xffff"},
    {"arp ether 0x88f7", 11, "another ethertype"},
    {"arp udp", 5, "beside a condition on IP"},
    {"ip4 arp", 5, "beside a condition on IP"},
    {"proto 256", 7, "1 to 255"},
    {"proto 0", 7, "1 to 255"},
    {"user", 5, "follow the action"},
    {"udp drop", 5, "no word of a rule"},
    {"port 53 fragments ip4", 9, "without their ports"},
    {"fragments src port 53", 1, "without their ports"},
    {"fragments", 1, "no ports"},
    {"pass all fragments", 10, "no ports"},
    {"udp dst 10.0.0.1 fragments", 18, "no ports"},
    {"arp fragments", 5, "no ports"},
};

static void test_refused(void **state)
{
  (void)state;
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct shunt_xdp_rule rule = {.size = 77};
    struct shunt_error error = {0};
    char place[32];

    assert_int_equal(shunt_xdp_rule_parse(wrong[i].text, &rule, &error), -EINVAL);
    assert_int_equal(rule.size, 77);
    snprintf(place, sizeof(place), "at character %u,", wrong[i].place);
    if (!strstr(error.what, place) || !strstr(error.why, wrong[i].why) || !error.remedy[0])
      fail_msg("\"%s\": %s: %s", wrong[i].text, error.what, error.why);
    assert_int_equal(shunt_xdp_rule_parse(wrong[i].text, &rule, NULL), -EINVAL);
  }
}

static void test_empty(void **state)
{
  (void)state;
  struct shunt_xdp_rule rule;
  struct shunt_error error;

  assert_int_equal(shunt_xdp_rule_parse("", &rule, &error), -EINVAL);
  assert_int_equal(shunt_xdp_rule_parse("  ", &rule, &error), -EINVAL);
}

static void test_too_long_a_word(void **state)
{
  (void)state;
  char text[1000];
  struct shunt_xdp_rule rule;
  struct shunt_error error;

  memset(text, 'x', sizeof(text));
  text[sizeof(text) - 1] = '\0';
  assert_int_equal(shunt_xdp_rule_parse(text, &rule, &error), -EINVAL);
  assert_non_null(strstr(error.why, "so long"));
}

/* What no text can say, but a struct can. */
static void test_check(void **state)
{
  (void)state;
  struct shunt_xdp_rule good = parse("udp dst 10.0.0.0/8 port 5");
  struct shunt_error error;

#define REFUSED(change)                                                                            \
  do {                                                                                             \
    struct shunt_xdp_rule rule = good;                                                             \
    change;                                                                                        \
    assert_int_equal(shunt_xdp_rule_check(&rule, &error), -EINVAL);                                \
    assert_true(error.why[0] && error.remedy[0]);                                                  \
  } while (0)
  REFUSED(rule.size = 0);
  REFUSED(rule.size++);
  REFUSED(rule.action = SHUNT_XDP_DROP + 1);
  REFUSED(rule.mac = SHUNT_XDP_MAC_ADDRESS + 1);
  REFUSED(rule.mac_address.bytes[5] = 1);
  REFUSED(rule.mac = SHUNT_XDP_MAC_MULTICAST; rule.mac_address.bytes[0] = 1);
  REFUSED(rule.vlan = SHUNT_XDP_VLAN_ID + 1);
  REFUSED(rule.vlan_id = 1);
  REFUSED(rule.vlan = SHUNT_XDP_VLAN_ID; rule.vlan_id = 4096);
  REFUSED(rule.ip_version = 5);
  REFUSED(rule.ip_version = 0);
  REFUSED(rule.fragments = 2);
  REFUSED(rule.fragments = 1; rule.destination_ports.count = 0);
  REFUSED(rule.protocol = 1);
  REFUSED(rule.ethertype = 0x0806);
  REFUSED(rule.destination.bits = 33);
  REFUSED(rule.destination.address[1] = 1);
  REFUSED(rule.destination.address[15] = 1);
  REFUSED(rule.source.address[0] = 1);
  REFUSED(rule.destination_ports.count = SHUNT_XDP_PORT_RANGES + 1);
  REFUSED(rule.destination_ports.range[0].last = 4);
#undef REFUSED
  assert_int_equal(shunt_xdp_rule_check(&good, &error), 0);
}

static void test_list(void **state)
{
  (void)state;
  struct shunt_xdp_rule rules[3];
  struct shunt_error error;
  unsigned count = 99;

  assert_int_equal(shunt_xdp_rules_parse("", rules, 3, &count, &error), 0);
  assert_int_equal(count, 0);
  assert_int_equal(shunt_xdp_rules_parse(" ; ;", rules, 3, &count, &error), 0);
  assert_int_equal(count, 0);
  assert_int_equal(shunt_xdp_rules_parse("arp; udp port 5 ;;pass icmp;", rules, 3, &count, &error),
                   0);
  assert_int_equal(count, 3);
  assert_int_equal(rules[0].ethertype, 0x0806);
  assert_int_equal(rules[1].protocol, 17);
  assert_int_equal(rules[2].action, SHUNT_XDP_PASS);
  assert_int_equal(shunt_xdp_rules_parse("arp;arp;arp;arp", rules, 3, &count, &error), -E2BIG);
  assert_non_null(strstr(error.what, "more than 3 rules"));
  /* Places count over the whole text. */
  assert_int_equal(shunt_xdp_rules_parse("arp; udp porn 5", rules, 3, &count, &error), -EINVAL);
  assert_non_null(strstr(error.what, "at character 10, \"porn\""));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conditions),
      cmocka_unit_test(test_all_is_zero),
      cmocka_unit_test(test_format),
      cmocka_unit_test(test_format_is_cut),
      cmocka_unit_test(test_longest_text_fits),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_too_long_a_word),
      cmocka_unit_test(test_check),
      cmocka_unit_test(test_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
