/* SPDX-License-Identifier: BSD-2-Clause */
/* The same rules and packets as test_program.c, judged by the kernel: its verifier takes every
 * program, and BPF_PROG_TEST_RUN counts the hit where the machine of the tests counts it. So the
 * machine itself is judged. And what it costs: per packet, and to load. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/bpf/bpf.h"
#include "tests/unit/xdp_cases.h"
#include "tests/unit/xdp_packets.h"

struct kernel {
  struct shunt_xdp_rule rules[CASES_RULES];
  unsigned n;
  struct program program;
  struct machine machine;
  int xskmap, hits, fd;
  const struct program_hits *counts;
  uint8_t memory[MACHINE_HEADROOM + CASES_FRAME_BYTES];
  uint8_t *frame;
};

static struct kernel *kernel; /* made once; NULL where we may not load programs */

static int set_up(void **state)
{
  static struct kernel k = {.xskmap = -1, .hits = -1, .fd = -1};
  const struct bpf_map_spec xskmap = {
      .type = BPF_MAP_TYPE_XSKMAP, .key_bytes = 4, .value_bytes = 4, .entries = 4};
  const struct bpf_map_spec hits = program_hits_map(MACHINE_LANES);
  const void *counts;
  struct shunt_error error = {0};

  (void)state;
  int result = bpf_map_new(&xskmap, &k.xskmap, &error);
  if (result == -EPERM || result == -ENOSYS) {
    print_message("can't be judged by the kernel here: %s: %s\n", error.what, error.why);
    return 0;
  }
  if (result || bpf_map_new(&hits, &k.hits, &error) ||
      bpf_map_memory(k.hits, hits.value_bytes, &counts, &error)) {
    print_error("%s: %s\n", error.what, error.why);
    return -1;
  }
  k.counts = counts;
  k.frame = k.memory + MACHINE_HEADROOM;
  k.machine.program = &k.program;
  k.machine.stripped_vlan = -1;
  k.machine.no_socket = true;
  kernel = &k;
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  if (!kernel)
    return 0;
  program_free(&kernel->program);
  munmap((void *)(uintptr_t)kernel->counts, program_hits_map(MACHINE_LANES).value_bytes);
  close(kernel->fd);
  close(kernel->hits);
  close(kernel->xskmap);
  return 0;
}

static void load(unsigned kind)
{
  struct shunt_error error = {0};
  struct bpf_program_spec spec = {.name = "shunt_test"};

  if (kernel->fd >= 0)
    close(kernel->fd);
  kernel->fd = -1;
  if (cases_program(&kernel->program, kind, kernel->rules, kernel->n, &error) ||
      program_load(&kernel->program, kernel->xskmap, kernel->hits, &spec, &kernel->fd, &error)) {
    for (unsigned i = 0; i < kernel->n; i++) {
      char text[SHUNT_XDP_RULE_TEXT_BYTES];
      shunt_xdp_rule_format(&kernel->rules[i], text, sizeof(text));
      print_error("%u: %s\n", i, text);
    }
    fail_msg("%s: %s", error.what, error.why);
  }
}

/* What the kernel has counted for a place of the list. */
static struct program_hits read_hits(int place)
{
  if (place < 0)
    return (struct program_hits){0};
  return program_hits_sum(kernel->counts, MACHINE_LANES, (uint16_t)(place + 1));
}

static void judge(uint32_t bytes)
{
  struct bpf_test test = {.in = kernel->frame, .in_bytes = bytes};
  struct shunt_error error = {0};
  int place = reference_match(kernel->rules, kernel->n, kernel->frame, bytes);

  if (bytes < 14) /* the kernel does not try: its frames have an Ethernet header */
    return;
  struct program_hits before = read_hits(place);
  if (bpf_program_test(kernel->fd, &test, &error))
    fail_msg("%s: %s", error.what, error.why);
  struct program_hits after = read_hits(place);
  assert_int_equal(after.packets, before.packets + (place >= 0));
  assert_int_equal(after.bytes, before.bytes + (place >= 0 ? bytes : 0));

  kernel->machine.frame = kernel->frame;
  kernel->machine.bytes = bytes;
  assert_int_equal(test.verdict, machine_run(&kernel->machine));
  assert_string_equal(kernel->machine.fault, "");
}

static void test_cases(void **state)
{
  (void)state;
  struct shunt_error error;

  if (!kernel) {
    skip();
    return;
  }
  for (unsigned i = 0; i < PACKETS; i++) {
    assert_int_equal(shunt_xdp_rules_parse(made_packets[i].rules, kernel->rules, CASES_RULES,
                                           &kernel->n, &error),
                     0);
    load(i % CASES_KINDS);
    uint32_t bytes = packet_read(made_packets[i].packet, kernel->frame);
    for (uint32_t cut = 14; cut <= bytes; cut++)
      judge(cut);
  }
}

static void test_random(void **state)
{
  (void)state;
  struct cases c = {.seed = 7};

  if (!kernel) {
    skip();
    return;
  }
  for (unsigned set = 0; set < 80; set++) {
    kernel->n = set % 4 ? cases_rules(&c, kernel->rules) : cases_port_rules(&c, kernel->rules);
    load(set % CASES_KINDS);
    for (unsigned i = 0; i < 50; i++)
      judge(cases_frame(&c, kernel->frame));
  }
}

/* The verifier takes a thousand rules that differ in nothing but the address. */
static void test_many_macs(void **state)
{
  (void)state;
  static struct shunt_xdp_rule rules[1000];
  struct bpf_program_spec spec = {.name = "shunt_test"};
  struct bpf_test test = {.in = NULL};
  struct shunt_error error = {0};
  int fd = -1;

  if (!kernel) {
    skip();
    return;
  }
  for (unsigned i = 0; i < 1000; i++)
    rules[i] = (struct shunt_xdp_rule){
        .size = sizeof(rules[i]),
        .action = SHUNT_XDP_DROP,
        .mac = SHUNT_XDP_MAC_ADDRESS,
        .mac_address = {{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}},
    };
  if (cases_program(&kernel->program, 0, rules, 1000, &error) ||
      program_load(&kernel->program, kernel->xskmap, kernel->hits, &spec, &fd, &error))
    fail_msg("%s: %s", error.what, error.why);
  test.in = kernel->frame;
  test.in_bytes = packet_read(MACS TAG5 "88f7", kernel->frame);
  for (unsigned i = 990; i < 1010; i++) {
    shunt_store_be16(kernel->frame + 4, (uint16_t)i);
    assert_int_equal(bpf_program_test(fd, &test, &error), 0);
    assert_int_equal(test.verdict, i < 1000 ? XDP_DROP : XDP_PASS);
  }
  close(fd);
}

/* Rules for which there is no table can be more than the verifier takes: said in words for whoever
 * wrote the rules. */
static void test_too_complex(void **state)
{
  (void)state;
  static struct shunt_xdp_rule rules[SHUNT_XDP_RULES_MOST];
  struct bpf_program_spec spec = {.name = "shunt_test"};
  struct shunt_error error = {0};
  int fd = -1;

  if (!kernel) {
    skip();
    return;
  }
  for (unsigned i = 0; i < SHUNT_XDP_RULES_MOST; i++) {
    assert_int_equal(shunt_xdp_rule_parse("mac 02:00:00:00:00:01 udp port 9", &rules[i], &error),
                     0);
    shunt_store_be16(rules[i].mac_address.bytes + 4, (uint16_t)i);
  }
  assert_int_equal(cases_program(&kernel->program, 0, rules, SHUNT_XDP_RULES_MOST, &error), 0);
  int result = program_load(&kernel->program, kernel->xskmap, kernel->hits, &spec, &fd, &error);
  if (result == 0) {
    close(fd);
    print_message("this kernel takes them all\n");
    return;
  }
  assert_int_equal(result, -E2BIG);
  assert_int_equal(error.code, -E2BIG);
  assert_non_null(strstr(error.what, "too complex a program"));
  assert_non_null(strstr(error.why, "the verifier says"));
  assert_non_null(strstr(error.remedy, "share a table"));
}

/* ---- cost ---- */

static uint64_t now_ns(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

  return (a > b) - (a < b);
}

static uint64_t median(uint64_t values[], unsigned count)
{
  qsort(values, count, sizeof(values[0]), compare);
  return values[count / 2];
}

/* n programs with rules for ports that no packet has. */
static void port_rules(struct shunt_xdp_rule rules[], unsigned n, const char *text)
{
  struct shunt_error error;

  for (unsigned i = 0; i < n; i++) {
    assert_int_equal(shunt_xdp_rule_parse(text, &rules[i], &error), 0);
    rules[i].destination_ports.range[0].first = (uint16_t)(20000 + i);
    rules[i].destination_ports.range[0].last = (uint16_t)(20000 + i);
  }
}

#define ROUNDS 21

/* An unmatched packet costs no more with 1,000 rules for ports than with 16: medians of rounds that
 * take turns. A fifth is for the noise of a machine that does other things, too; 1,000 compares
 * instead of 16 would be more than tenfold. */
static void test_cost_per_packet(void **state)
{
  (void)state;
  static struct shunt_xdp_rule rules[1000];
  static const unsigned counts[] = {1, 16, 64, 1000};
  uint64_t times[4][ROUNDS], medians[4];
  struct program programs[4] = {0};
  struct shunt_error error = {0};
  int fds[4] = {-1, -1, -1, -1};

  if (!kernel) {
    skip();
    return;
  }
  port_rules(rules, 1000, "udp port 1");
  for (unsigned i = 0; i < 4; i++) {
    struct bpf_program_spec spec = {.name = "shunt_test"};
    if (cases_program(&programs[i], 0, rules, counts[i], &error) ||
        program_load(&programs[i], kernel->xskmap, kernel->hits, &spec, &fds[i], &error))
      fail_msg("%s: %s", error.what, error.why);
  }
  uint32_t bytes = packet_read(MACS IPV4 UDP4(A_TO_B) PORTS_7_9, kernel->frame);
  for (unsigned round = 0; round < ROUNDS; round++) {
    for (unsigned i = 0; i < 4; i++) {
      struct bpf_test test = {.in = kernel->frame, .in_bytes = bytes, .repeat = 20000};
      assert_int_equal(bpf_program_test(fds[i], &test, &error), 0);
      times[i][round] = test.duration_ns;
    }
  }
  for (unsigned i = 0; i < 4; i++) {
    medians[i] = median(times[i], ROUNDS);
    print_message("%u rules for ports: %lu ns per unmatched packet\n", counts[i],
                  (unsigned long)medians[i]);
    close(fds[i]);
    program_free(&programs[i]);
  }
  assert_true(medians[3] * 5 <= medians[1] * 6 + 5);
}

static uint64_t time_to_load(const struct shunt_xdp_rule rules[], unsigned n)
{
  struct bpf_program_spec spec = {.name = "shunt_test"};
  struct shunt_error error = {0};
  int fd = -1;
  const uint64_t start = now_ns();

  if (cases_program(&kernel->program, 0, rules, n, &error) ||
      program_load(&kernel->program, kernel->xskmap, kernel->hits, &spec, &fd, &error))
    fail_msg("%s: %s", error.what, error.why);
  const uint64_t ns = now_ns() - start;
  close(fd);
  return ns;
}

/* To generate and load a filter: medians of rounds that take turns. How long the kernel takes for
 * the shortest of programs is the measure of the machine. */
static void test_time_to_load(void **state)
{
  (void)state;
  static struct shunt_xdp_rule ports[16], both[16];
  uint64_t times[3][ROUNDS], medians[3];

  if (!kernel) {
    skip();
    return;
  }
  port_rules(ports, 16, "udp dst 10.0.0.1 port 1");
  port_rules(both, 16, "udp port 1");
  for (unsigned round = 0; round < ROUNDS; round++) {
    times[0][round] = time_to_load(NULL, 0);
    times[1][round] = time_to_load(ports, 16);
    times[2][round] = time_to_load(both, 16);
  }
  for (unsigned i = 0; i < 3; i++)
    medians[i] = median(times[i], ROUNDS) / 1000;
  print_message("no rule: %lu us; 16 ports of an address: %lu us; of IPv4 and IPv6: %lu us\n",
                (unsigned long)medians[0], (unsigned long)medians[1], (unsigned long)medians[2]);
  assert_true(medians[1] < 2 * medians[0]);
  assert_true(medians[2] < 4 * medians[0]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cases),           cmocka_unit_test(test_random),
      cmocka_unit_test(test_many_macs),       cmocka_unit_test(test_too_complex),
      cmocka_unit_test(test_cost_per_packet), cmocka_unit_test(test_time_to_load),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
