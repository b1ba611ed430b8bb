/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as programs: hand-made packets, every truncation, and random rules on random packets,
 * against a plain matcher, in a machine of the tests and in the kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/xdp_cases.h"
#include "tests/unit/xdp_packets.h"

/* ---- in the machine ---- */

struct bench {
  struct shunt_xdp_rule rules[CASES_RULES];
  unsigned n, kind;
  struct program program;
  struct machine machine;
  uint8_t memory[MACHINE_HEADROOM + CASES_FRAME_BYTES];
  uint8_t *frame;
};

static int bench_set_up(void **state)
{
  struct bench *b = calloc(1, sizeof(*b));

  b->frame = b->memory + MACHINE_HEADROOM;
  b->machine.program = &b->program;
  b->machine.stripped_vlan = -1;
  *state = b;
  return 0;
}

static int bench_tear_down(void **state)
{
  struct bench *b = *state;

  program_free(&b->program);
  free(b);
  return 0;
}

static void bench_make(struct bench *b)
{
  struct shunt_error error = {0};

  if (cases_program(&b->program, b->kind, b->rules, b->n, &error))
    fail_msg("%s: %s", error.what, error.why);
}

static void bench_parse(struct bench *b, const char *text)
{
  struct shunt_error error = {0};

  if (shunt_xdp_rules_parse(text, b->rules, CASES_RULES, &b->n, &error))
    fail_msg("\"%s\": %s: %s", text, error.what, error.why);
  bench_make(b);
}

static void bench_fail(const struct bench *b, uint32_t bytes, const char *wrong)
{
  for (unsigned i = 0; i < b->n; i++) {
    char text[SHUNT_XDP_RULE_TEXT_BYTES];
    shunt_xdp_rule_format(&b->rules[i], text, sizeof(text));
    print_error("%u: %s\n", i, text);
  }
  for (uint32_t i = 0; i < bytes; i++)
    print_error("%02x", b->frame[i]);
  fail_msg(": %s; the reference says %d", wrong, reference_match(b->rules, b->n, b->frame, bytes));
}

/* The frame in memory that ends where it ends, so that a sanitizer sees a byte too many, too. */
static void bench_judge(struct bench *b, uint32_t bytes)
{
  uint8_t *memory = malloc(MACHINE_HEADROOM + bytes);

  memcpy(memory, b->memory, MACHINE_HEADROOM + bytes);
  const char *wrong = cases_judge(&b->machine, b->rules, b->n, memory + MACHINE_HEADROOM, bytes);
  free(memory);
  if (wrong)
    bench_fail(b, bytes, wrong);
}

static void test_cases(void **state)
{
  struct bench *b = *state;

  for (unsigned i = 0; i < PACKETS; i++) {
    bench_parse(b, made_packets[i].rules);
    uint32_t bytes = packet_read(made_packets[i].packet, b->frame);
    int place = reference_match(b->rules, b->n, b->frame, bytes);
    if (place != made_packets[i].place)
      fail_msg("case %u, %s: the reference says %d", i, made_packets[i].rules, place);
    bench_judge(b, bytes);
  }
}

static void test_truncated_at_every_byte(void **state)
{
  struct bench *b = *state;

  for (unsigned i = 0; i < PACKETS; i++) {
    b->kind = i % CASES_KINDS;
    bench_parse(b, made_packets[i].rules);
    uint32_t bytes = packet_read(made_packets[i].packet, b->frame);
    for (uint32_t cut = 0; cut <= bytes; cut++)
      bench_judge(b, cut);
  }
}

static void test_random(void **state)
{
  struct bench *b = *state;
  struct cases c = {.seed = 20240607};
  unsigned matched = 0, count = 0, tables[4] = {0};

  for (unsigned set = 0; set < 800; set++) {
    b->n = set % 4 ? cases_rules(&c, b->rules) : cases_port_rules(&c, b->rules);
    b->kind = set % CASES_KINDS;
    bench_make(b);
    for (unsigned i = 0; i < b->program.table_count; i++)
      tables[b->program.tables[i].type]++;
    for (unsigned i = 0; i < 200; i++, count++) {
      b->machine.queue = i % 5;
      uint32_t bytes = cases_frame(&c, b->frame);
      matched += reference_match(b->rules, b->n, b->frame, bytes) >= 0;
      bench_judge(b, bytes);
    }
  }
  /* The cases are worth something only if both happen often, and with tables of each kind. */
  assert_in_range(matched, count / 20, count * 19 / 20);
  for (unsigned i = 0; i < 4; i++)
    assert_true(tables[i] > 20);
}

static void test_stripped_tag(void **state)
{
  struct bench *b = *state;
  struct shunt_error error;
  struct program_options options = {
      .lanes = MACHINE_LANES, .vlan = FILTER_VLAN_METADATA, .vlan_kfunc = MACHINE_KFUNC_VLAN};

  bench_parse(b, "vlan 5 udp;vlan none;vlan 6;vlan any");
  struct program_rule list[4];
  for (unsigned i = 0; i < 4; i++)
    list[i] = (struct program_rule){.rule = &b->rules[i], .slot = (uint16_t)(i + 1)};
  assert_int_equal(program_make(&b->program, &options, list, 4, &error), 0);
  b->machine.frame = b->frame;

  static const struct {
    const char *packet;
    int stripped;
    unsigned slot;
  } frames[] = {
      {MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 5, 1},      {MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1, 2},
      {MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, 6, 3}, {MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, -1, 1},
      {MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 9, 4},
  };
  for (unsigned i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
    memset(b->machine.hits, 0, sizeof(b->machine.hits));
    b->machine.bytes = packet_read(frames[i].packet, b->frame);
    b->machine.stripped_vlan = frames[i].stripped;
    assert_int_equal(machine_run(&b->machine), XDP_REDIRECT);
    assert_string_equal(b->machine.fault, "");
    assert_int_equal(b->machine.hits[frames[i].slot].packets, 1);
  }

  options.vlan = FILTER_VLAN_STRIPPED;
  assert_int_equal(program_make(&b->program, &options, list, 4, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.what, "vlan 5 udp"));
  assert_non_null(strstr(error.remedy, "rxvlan off"));
}

static void test_receive_time(void **state)
{
  struct bench *b = *state;
  struct shunt_error error;
  uint64_t time;

  bench_parse(b, "udp;drop all");
  struct program_rule list[2] = {{&b->rules[0], 1}, {&b->rules[1], 2}};
  for (enum filter_time source = FILTER_TIME_DEVICE; source <= FILTER_TIME_SOFTWARE; source++) {
    struct program_options options = {
        .lanes = MACHINE_LANES, .time = source, .time_kfunc = MACHINE_KFUNC_TIME};
    assert_int_equal(program_make(&b->program, &options, list, 2, &error), 0);
    b->machine.frame = b->frame;
    memset(b->memory, 0, MACHINE_HEADROOM);
    b->machine.bytes = packet_read(MACS IPV4 UDP4(A_TO_B) PORTS_7_9, b->frame);
    b->machine.queue = 3;
    assert_int_equal(machine_run(&b->machine), XDP_REDIRECT);
    assert_string_equal(b->machine.fault, "");
    assert_int_equal(b->machine.metadata, FILTER_TIME_BYTES);
    memcpy(&time, b->frame - FILTER_TIME_BYTES, sizeof(time));
    assert_true(time == MACHINE_TIME);
    assert_int_equal(b->machine.redirected, 1 + 3);
    b->machine.bytes = packet_read(MACS "0806", b->frame);
    assert_int_equal(machine_run(&b->machine), XDP_DROP);
    assert_int_equal(b->machine.metadata, 0);
  }
}

static void test_no_socket(void **state)
{
  struct bench *b = *state;

  bench_parse(b, "all");
  b->machine.no_socket = true;
  b->machine.frame = b->frame;
  b->machine.bytes = 60;
  assert_int_equal(machine_run(&b->machine), XDP_PASS);
  assert_string_equal(b->machine.fault, "");
}

/* First match wins also where a table or a trie would find another: the later and longer prefix,
 * the later of two rules for a port. */
static void test_tables_keep_the_order(void **state)
{
  struct bench *b = *state;
  char text[8192] = "udp dst 10.0.0.0/16 port 9;";
  size_t length = strlen(text);

  for (unsigned i = 0; i < 60; i++)
    length += (size_t)snprintf(text + length, sizeof(text) - length, "udp dst 10.%u.0.0/%u port 9;",
                               i % 4, 10 + i % 20 < 16 ? 16 : 10 + i % 20);
  bench_parse(b, text);
  assert_int_equal(b->program.table_count, 1);
  assert_int_equal(b->program.tables[0].type, PROGRAM_PREFIXES);
  bench_judge(b, packet_read(MACS IPV4 UDP4(A_TO_B) PORTS_7_9, b->frame));
  assert_int_equal(b->machine.hits[1].packets, 1);

  length = 0;
  for (unsigned i = 0; i < 40; i++)
    length += (size_t)snprintf(text + length, sizeof(text) - length, "udp port %u-%u;", i, i + 5);
  bench_parse(b, text);
  assert_int_equal(b->program.tables[0].type, PROGRAM_PORTS);
  bench_judge(b, packet_read(MACS IPV4 UDP4(A_TO_B) PORTS_7_9, b->frame));
  assert_int_equal(b->machine.hits[5].packets, 1);
}

static void test_too_long(void **state)
{
  (void)state;
  struct program program = {0};
  struct shunt_error error;
  static struct shunt_xdp_rule rules[SHUNT_XDP_RULES_MOST];

  /* No two neighbours have anything in common, and each has ports enough. */
  for (unsigned i = 0; i < SHUNT_XDP_RULES_MOST; i++) {
    rules[i] = (struct shunt_xdp_rule){.size = sizeof(rules[i]), .protocol = 17};
    rules[i].vlan = i % 2 ? SHUNT_XDP_VLAN_ANY : SHUNT_XDP_VLAN_NONE;
    rules[i].source_ports.count = SHUNT_XDP_PORT_RANGES;
    for (unsigned k = 0; k < SHUNT_XDP_PORT_RANGES; k++)
      rules[i].source_ports.range[k].first = rules[i].source_ports.range[k].last =
          (uint16_t)(i * 16 + k);
  }
  assert_int_equal(cases_program(&program, 0, rules, SHUNT_XDP_RULES_MOST, &error), -E2BIG);
  assert_true(error.why[0] && error.remedy[0]);
  program_free(&program);
}

static void test_lanes(void **state)
{
  (void)state;
  static const uint32_t lanes[][2] = {{0, 1},   {1, 1},   {2, 2},    {3, 4},
                                      {64, 64}, {65, 64}, {4096, 64}};
  static struct program_hits hits[2 * SHUNT_XDP_RULES_MOST];

  for (unsigned i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
    assert_int_equal(program_lanes(lanes[i][0]), lanes[i][1]);
  hits[0] = (struct program_hits){1, 60}; /* of the last slot */
  hits[SHUNT_XDP_RULES_MOST] = (struct program_hits){2, 120};
  struct program_hits sum = program_hits_sum(hits, 2, SHUNT_XDP_RULES_MOST);
  assert_int_equal(sum.packets, 3);
  assert_int_equal(sum.bytes, 180);
  assert_int_equal(program_hits_sum(hits, 2, 1).packets, 0);
}

/* A packet that matches nothing costs no more with a thousand rules for ports than with 16. */
static void test_cost(void **state)
{
  struct bench *b = *state;
  static struct shunt_xdp_rule rules[1000];
  static const unsigned counts[] = {1, 16, 64, 1000};
  uint32_t steps[4];
  struct shunt_error error;

  for (unsigned i = 0; i < 1000; i++) {
    assert_int_equal(shunt_xdp_rule_parse("udp port 1", &rules[i], &error), 0);
    rules[i].destination_ports.range[0].first = (uint16_t)(20000 + i);
    rules[i].destination_ports.range[0].last = (uint16_t)(20000 + i);
  }
  for (unsigned i = 0; i < 4; i++) {
    assert_int_equal(cases_program(&b->program, 0, rules, counts[i], &error), 0);
    b->machine.frame = b->frame;
    b->machine.bytes = packet_read(MACS IPV4 UDP4(A_TO_B) PORTS_7_9, b->frame);
    assert_int_equal(machine_run(&b->machine), XDP_PASS);
    steps[i] = b->machine.steps;
    print_message("%u rules: %u instructions, %u executed for an unmatched UDP packet\n", counts[i],
                  b->program.count, steps[i]);
  }
  assert_true(steps[3] <= steps[1]);
  assert_true(steps[2] == steps[1]);
}

static uint32_t count_of(struct bench *b, const char *rules)
{
  bench_parse(b, rules);
  return b->program.count;
}

/* The address is kept in 7 instructions, of which 3 see whether it is there, and a rule tests it in
 * 4, or its group bit in 3; neighbours that ask for the same one do it once. What would take every
 * frame has two more, a jump for those that miss and one over it. */
static void test_mac_cost(void **state)
{
  struct bench *b = *state;
  static const char *const rules[][2] = {
      {"udp port 9", "mac 02:00:00:00:00:01 udp port 9"},
      {"vlan 5;vlan 6", "mac 02:00:00:00:00:01 vlan 5;mac 02:00:00:00:00:01 vlan 6"},
      {"ip6 dst ff02::1", "mac 02:00:00:00:00:01 ip6 dst ff02::1"},
  };

  for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
    assert_int_equal(count_of(b, rules[i][1]), count_of(b, rules[i][0]) + 7 + 4);
  assert_int_equal(count_of(b, "mac unicast arp"), count_of(b, "arp") + 7 + 3);
  assert_int_equal(count_of(b, "mac 02:00:00:00:00:01"), count_of(b, "all") + 7 + 4 + 2);
}

/* Where no rule asks for an address none is kept. */
static void test_no_mac_costs_nothing(void **state)
{
  struct bench *b = *state;
  struct cases c = {.seed = 11};
  unsigned kept = 0;

  for (unsigned set = 0; set < 300; set++) {
    b->n = cases_rules(&c, b->rules);
    bool asked = false, stored = false;
    for (unsigned i = 0; i < b->n; i++)
      asked = asked || b->rules[i].mac;
    bench_make(b);
    for (uint32_t i = 0; i < b->program.count; i++) {
      const struct bpf_insn *insn = &b->program.insns[i];
      stored = stored || (insn->dst_reg == BPF_REG_10 && insn->off == STACK_MAC);
    }
    if (stored && !asked)
      fail_msg("set %u keeps an address that no rule asks for", set);
    kept += stored;
  }
  assert_in_range(kept, 30, 270);
}

/* A long run of rules that differ in the address alone: a chain for UDP with ports and one for
 * without, in which the first wins. */
static void test_many_macs(void **state)
{
  struct bench *b = *state;

  b->n = CASES_RULES;
  for (unsigned i = 0; i < b->n; i++) {
    b->rules[i] = (struct shunt_xdp_rule){.size = sizeof(b->rules[i]),
                                          .protocol = 17,
                                          .mac = SHUNT_XDP_MAC_ADDRESS,
                                          .mac_address = {{2, 0, 0, 0, 0, (uint8_t)(i / 2)}}};
  }
  bench_make(b);
  assert_true(b->program.count < 2 * 6 * CASES_RULES + 100);
  uint32_t bytes = packet_read(MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, b->frame);
  for (unsigned i = 0; i < CASES_RULES; i++) {
    b->frame[5] = (uint8_t)i;
    bench_judge(b, bytes);
  }
  assert_int_equal(b->machine.hits[3].packets, 1);
  assert_int_equal(b->machine.hits[4].packets, 0);
}

/* Rules that differ in the tag's id are looked up with it, also where one asks for no tag; one that
 * asks for any tag can't be. */
static void test_many_vlans(void **state)
{
  struct bench *b = *state;

  b->n = CASES_RULES;
  for (unsigned i = 0; i < b->n; i++) {
    char text[40];
    struct shunt_error error;
    snprintf(text, sizeof(text), "vlan %u udp port %u", i / 2, 9 + i % 3);
    assert_int_equal(
        shunt_xdp_rule_parse(i == 7 ? "vlan none udp port 9" : text, &b->rules[i], &error), 0);
  }
  bench_make(b);
  assert_int_equal(b->program.table_count, 1);
  assert_int_equal(b->program.tables[0].type, PROGRAM_EXACT);
  uint32_t bytes = packet_read(MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, b->frame);
  for (unsigned id = 0; id < 200; id++) {
    shunt_store_be16(b->frame + 14, (uint16_t)(0x2000 | id));
    for (uint16_t port = 8; port < 13; port++) {
      shunt_store_be16(b->frame + 18 + 22, port);
      bench_judge(b, bytes);
    }
  }
  bench_judge(b, packet_read(MACS IPV4 UDP4(A_TO_B) PORTS_7_9, b->frame));
  assert_int_equal(b->machine.hits[8].packets, 1);

  b->rules[100].vlan = SHUNT_XDP_VLAN_ANY;
  b->rules[100].vlan_id = 0;
  bench_make(b);
  assert_int_equal(b->program.table_count, 2); /* before it and behind */
}

/* The first of two rules for a port counts in a small table, too, and ports that nobody asked for
 * are met by none of its places. */
static void test_few_ports(void **state)
{
  struct bench *b = *state;
  unsigned matched = 0;

  bench_parse(b, "udp port 9;udp port 40009;drop udp port 9;udp port 1;pass udp port 65535;"
                 "udp port 0;udp port 32777");
  assert_int_equal(b->program.table_count, 1);
  assert_int_equal(b->program.tables[0].type, PROGRAM_FEW);
  uint32_t bytes = packet_read(MACS IPV4 UDP4(A_TO_B) PORTS_7_9, b->frame);
  for (uint32_t port = 0; port <= 65535; port++) {
    shunt_store_be16(b->frame + 36, (uint16_t)port);
    matched += reference_match(b->rules, b->n, b->frame, bytes) >= 0;
    const char *wrong = cases_judge(&b->machine, b->rules, b->n, b->frame, bytes);
    if (wrong)
      bench_fail(b, bytes, wrong);
  }
  assert_int_equal(matched, 6);
  assert_int_equal(b->machine.hits[1].packets, 1);
  assert_int_equal(b->machine.hits[3].packets, 0);
}

/* Each word of frames of each kind replaced by words that mean something elsewhere: what is read
 * before it is known what it is counts only where it is that. The lists make programs of each kind:
 * for ports of one protocol, of both, of both versions of IP together or apart, and all others. */
static void test_words_out_of_place(void **state)
{
  struct bench *b = *state;
  static const char *const lists[] = {
      "ip4 udp port 9",
      "ip4 tcp port 9",
      "ip4 udp port 1;ip4 udp port 2;ip4 udp port 3;ip4 udp port 4;ip4 udp port 9",
      "ip4 dst 10.0.1.2 port 1,9;ip4 udp src port 7",
      "udp port 9",
      "port 9",
      "ip6 udp port 9",
      "ip6 tcp port 1;udp port 9;drop ip4 tcp port 9",
      "udp port 9 fragments;ip6;ip4",
      "udp port 9;icmp;arp;ether 0x9100;proto 6",
      "vlan 5 udp port 9;vlan none udp port 9;vlan any",
      "mac 02:00:00:00:00:01 udp port 9",
      "all",
  };
  static const char *const frames[] = {
      MACS IPV4 UDP4(A_TO_B) PORTS_7_9,
      MACS IPV4 TCP4(A_TO_B) PORTS_7_9,
      MACS IPV4 OPTIONS4 PORTS_7_9,
      MACS IPV4 PART4("0010") PORTS_7_9,
      MACS IPV6 UDP6 PORTS_7_9,
      MACS IPV6 "60000000001e00ff" V6_ENDS HOP6("3c", "00") HOP6("11", "00") PORTS_7_9,
      MACS IPV6 "6000000000162cff" V6_ENDS "1100001100000001" PORTS_7_9,
      MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9,
      MACS TAG6 IPV6 UDP6 PORTS_7_9,
      MACS STAG7 TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9,
      MACS STAG7 TAG5 IPV6 UDP6 PORTS_7_9,
  };
  static const uint16_t words[] = {CASES_WORDS};

  for (unsigned list = 0; list < sizeof(lists) / sizeof(lists[0]); list++) {
    b->kind = list % CASES_KINDS;
    bench_parse(b, lists[list]);
    for (unsigned frame = 0; frame < sizeof(frames) / sizeof(frames[0]); frame++) {
      uint32_t bytes = packet_read(frames[frame], b->frame);
      for (uint32_t at = 12; at + 2 <= bytes; at++) {
        for (unsigned word = 0; word < sizeof(words) / sizeof(words[0]); word++) {
          packet_read(frames[frame], b->frame);
          shunt_store_be16(b->frame + at, words[word]);
          bench_judge(b, bytes);
        }
      }
    }
  }
}

/* Every number of a next header, right behind the IPv6 header and behind an extension header. */
static void test_next_headers(void **state)
{
  struct bench *b = *state;

  for (unsigned extensions = 0; extensions < 2; extensions++) {
    for (unsigned next = 0; next < 256; next++) {
      static const char *const lists[] = {"ip6 udp port 9", "udp port 9",
                                          "port 9;proto 43;proto 64"};
      for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        bench_parse(b, lists[i]);
        memset(b->frame, 0, 14 + 40 + 16 + 8);
        shunt_store_be16(b->frame + 12, 0x86dd);
        b->frame[14] = 0x60;
        b->frame[14 + 5] = (uint8_t)(8 * extensions + 16);
        b->frame[14 + 6] = extensions ? 60 : (uint8_t)next;
        b->frame[14 + 40] = extensions ? (uint8_t)next : 17;
        b->frame[14 + 48] = 17;
        b->frame[14 + 40 + 8 * extensions + 3] = 9;
        b->frame[14 + 48 + 8 * extensions + 3] = 9;
        bench_judge(b, 14 + 40 + 8 * extensions + 16);
      }
    }
  }
}

int main(void)
{
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_set_up, bench_tear_down)
  const struct CMUnitTest tests[] = {
      WITH_BENCH(test_cases),
      WITH_BENCH(test_truncated_at_every_byte),
      WITH_BENCH(test_random),
      WITH_BENCH(test_stripped_tag),
      WITH_BENCH(test_receive_time),
      WITH_BENCH(test_no_socket),
      WITH_BENCH(test_tables_keep_the_order),
      cmocka_unit_test(test_too_long),
      cmocka_unit_test(test_lanes),
      WITH_BENCH(test_few_ports),
      WITH_BENCH(test_many_vlans),
      WITH_BENCH(test_words_out_of_place),
      WITH_BENCH(test_next_headers),
      WITH_BENCH(test_mac_cost),
      WITH_BENCH(test_no_mac_costs_nothing),
      WITH_BENCH(test_many_macs),
      WITH_BENCH(test_cost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
