/* SPDX-License-Identifier: BSD-2-Clause */
/* Live filters on a veth pair: what goes where, also while rules come and go; what stays behind. */
#include <pthread.h>
#include <stdatomic.h>

#include "src/bpf/btf.h"
#include "tests/unit/filter_rig.h"

static bool frame_is(const uint8_t *frame, uint16_t port)
{
  return frame[12] == 8 && frame[13] == 0 && frame[36] == port >> 8 && frame[37] == (port & 255);
}

/* The next frame to a port that the kernel got; -1: none. Others are skipped. */
static int64_t kernel_receive(int kernel, uint16_t port)
{
  uint8_t frame[2048];
  uint32_t number;

  while (recv(kernel, frame, sizeof(frame), 0) > 0) {
    memcpy(&number, frame + 42, sizeof(number));
    if (frame_is(frame, port))
      return number;
  }
  return -1;
}

/* Wait until the kernel has got a frame to a port with that number. The time is taken before a
 * look, so that one that had to wait for a CPU still looks. */
static void await_kernel(int kernel, uint16_t port, int64_t number)
{
  uint64_t now = now_ns();
  for (const uint64_t end = now + WAIT_NS; kernel_receive(kernel, port) != number; usleep(100)) {
    if (now > end)
      fail_msg("frame %lld to port %u did not come to the kernel", (long long)number, port);
    now = now_ns();
  }
}

static void test_actions(void **state)
{
  (void)state;
  static const uint32_t modes[] = {XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE};
  struct shunt_error error = {0};
  struct xdp_socket ours;

  need_veth();
  for (unsigned i = 0; i < 2; i++) {
    struct filter_options options = options_of(modes[i]);
    struct filter *filter = open_rules(&options, "drop udp port 1;pass udp port 2;udp port 3");
    int sender = packet_socket(peer), kernel = packet_socket(interface);
    uint32_t bytes;
    assert_true(sender >= 0 && kernel >= 0);
    assert_true(xdp_socket_open(&ours, interface, 0));
    assert_int_equal(filter_socket_set(filter, 0, ours.fd, &error), 0);
    for (uint16_t port = 1; port <= 4; port++)
      send_port(sender, port, port);
    wait_hits(filter, 0, 1);
    wait_hits(filter, 1, 1);
    wait_hits(filter, 2, 1);
    await_kernel(kernel, 4, 4); /* the last one sent */
    const uint8_t *frame = xdp_socket_receive(&ours, &bytes);
    assert_non_null(frame);
    assert_true(frame_is(frame, 3));
    assert_int_equal(bytes, FRAME_BYTES);
    assert_null(xdp_socket_receive(&ours, &bytes));

    /* Without a socket what is ours goes to the kernel. */
    assert_int_equal(filter_socket_clear(filter, 0, &error), 0);
    assert_int_equal(filter_socket_clear(filter, 0, &error), 0);
    send_port(sender, 3, 33);
    wait_hits(filter, 2, 2);
    await_kernel(kernel, 3, 33);
    close(sender);
    close(kernel);
    xdp_socket_close(&ours);
    filter_close(filter);
  }
}

/* ---- rules come and go while two flows run ---- */

#define TOGGLES   1000
#define TO_US     31001
#define TO_KERNEL 31002
#define AHEAD     400 /* how far the sender may be ahead: less than rings and buffers hold */

struct flood {
  int sender;
  atomic_uint sent, taken;
  atomic_bool stop, stuck;
};

/* A frame of each flow, in turn, as fast as they are taken. */
static void *flood(void *argument)
{
  struct flood *f = argument;
  uint8_t frame[FRAME_BYTES];

  while (!atomic_load(&f->stop)) {
    uint32_t number = atomic_load(&f->sent);
    if (number - atomic_load(&f->taken) >= AHEAD) {
      usleep(20);
      continue;
    }
    frame_make(frame, TO_US, number);
    if (send(f->sender, frame, sizeof(frame), 0) < 0)
      continue; /* ENOBUFS: the frame was not sent */
    frame_make(frame, TO_KERNEL, number);
    for (uint64_t end = now_ns() + WAIT_NS; send(f->sender, frame, sizeof(frame), 0) < 0;) {
      if (now_ns() > end) {
        atomic_store(&f->stuck, true);
        return NULL;
      }
      usleep(20);
    }
    atomic_store(&f->sent, number + 1);
  }
  return NULL;
}

struct places {
  struct xdp_socket ours;
  int kernel;
  uint32_t next_ours, next_kernel; /* numbers that have to come next */
};

/* Take what came to each place: each number once, in order, and nothing of the other flow. */
static void places_take(struct places *p, struct flood *f)
{
  const uint8_t *frame;
  uint8_t copy[2048];
  uint32_t bytes, number;

  while ((frame = xdp_socket_receive(&p->ours, &bytes)) != NULL) {
    assert_true(frame_is(frame, TO_US));
    memcpy(&number, frame + 42, sizeof(number));
    assert_int_equal(number, p->next_ours);
    p->next_ours++;
  }
  while (recv(p->kernel, copy, sizeof(copy), 0) > 0) {
    assert_false(frame_is(copy, TO_US));
    if (!frame_is(copy, TO_KERNEL))
      continue;
    memcpy(&number, copy + 42, sizeof(number));
    assert_int_equal(number, p->next_kernel);
    p->next_kernel++;
  }
  atomic_store(&f->taken, p->next_ours < p->next_kernel ? p->next_ours : p->next_kernel);
}

/* One change: rules before and behind the flow's own, that match other packets; now and then so
 * many that tables are made. */
static void toggle(struct filter *filter, unsigned turn, uint32_t *id)
{
  static const char *const texts[] = {"drop udp port 9", "udp dst 10.0.9.9",   "pass tcp",
                                      "drop vlan 7",     "ip6 udp port 31002", "arp"};
  struct shunt_xdp_rule rule;
  struct shunt_error error = {0};
  int result;

  if (turn % 2) {
    result = filter_rule_remove(filter, *id, &error);
  } else {
    assert_int_equal(shunt_xdp_rule_parse(texts[turn / 2 % 6], &rule, &error), 0);
    result = turn % 4 ? filter_rule_add(filter, &rule, id, &error)
                      : filter_rule_insert(filter, &rule, 0, id, &error);
  }
  if (result)
    fail_msg("change %u: %s: %s", turn, error.what, error.why);
}

static void test_rules_change_under_traffic(void **state)
{
  (void)state;
  struct flood f = {0};
  struct places places = {0};
  struct shunt_error error;
  pthread_t thread;
  uint32_t id = 0;

  need_veth();
  struct filter_options options = options_of(XDP_FLAGS_DRV_MODE);
  struct filter *filter = open_rules(&options, "udp port 31001");
  f.sender = packet_socket(peer);
  places.kernel = packet_socket(interface);
  assert_true(f.sender >= 0 && places.kernel >= 0);
  assert_true(xdp_socket_open(&places.ours, interface, 0));
  assert_int_equal(filter_socket_set(filter, 0, places.ours.fd, &error), 0);
  assert_int_equal(pthread_create(&thread, NULL, flood, &f), 0);
  for (unsigned turn = 0; turn < TOGGLES; turn++) {
    toggle(filter, turn, &id);
    places_take(&places, &f);
  }
  atomic_store(&f.stop, true);
  pthread_join(thread, NULL);
  if (atomic_load(&f.stuck))
    fail_msg("the kernel takes frames no more");
  uint32_t sent = atomic_load(&f.sent);
  uint64_t now = now_ns();
  for (const uint64_t end = now + WAIT_NS; now < end;) {
    now = now_ns();
    places_take(&places, &f);
    if (places.next_ours == sent && places.next_kernel == sent)
      break;
  }
  print_message("%u frames of each flow over %u changes\n", sent, TOGGLES);
  assert_int_equal(places.next_ours, sent);
  assert_int_equal(places.next_kernel, sent);
  assert_true(sent > TOGGLES / 2);
  /* The rule kept its id and went on counting. */
  assert_int_equal(hits(filter, 0), sent);
  close(f.sender);
  close(places.kernel);
  xdp_socket_close(&places.ours);
  filter_close(filter);
}

/* ---- rules ---- */

static void test_rules(void **state)
{
  (void)state;
  struct shunt_xdp_rule rule, bad = {.size = sizeof(bad), .protocol = 1, .ip_version = 9};
  struct shunt_error error;
  uint64_t packets, bytes;
  uint32_t id, first;

  need_veth();
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct filter *filter = open_rules(&options, "");
  int sender = packet_socket(peer);
  assert_true(filter_rule_at(filter, 0, &id, &rule));
  assert_int_equal(id, 0); /* no rules: all */
  assert_false(filter_rule_at(filter, 1, &id, &rule));

  assert_int_equal(shunt_xdp_rule_parse("drop udp port 9", &rule, &error), 0);
  assert_int_equal(filter_rule_insert(filter, &rule, 0, &first, &error), 0);
  assert_int_equal(filter_rule_add(filter, &rule, &id, &error), 0);
  assert_int_equal(first, 1);
  assert_int_equal(id, 2);
  send_port(sender, 9, 0);
  wait_hits(filter, 1, 1);
  assert_int_equal(hits(filter, 2), 0);
  assert_int_equal(filter_rule_remove(filter, 0, &error), 0);
  assert_int_equal(filter_rule_remove(filter, 1, &error), 0);
  send_port(sender, 9, 0);
  wait_hits(filter, 2, 1);
  assert_int_equal(filter_rule_remove(filter, 2, &error), 0);

  assert_int_equal(filter_rule_remove(filter, 2, &error), -ENOENT);
  assert_int_equal(filter_rule_hits(filter, 2, &packets, &bytes, &error), -ENOENT);
  assert_int_equal(filter_rule_insert(filter, &rule, 2, &id, &error), -ENOENT);
  assert_int_equal(filter_rule_add(filter, &bad, &id, &error), -EINVAL);
  assert_int_equal(filter_rule_add(filter, &rule, &id, &error), 0);
  assert_int_equal(id, 3);
  send_port(sender, 9, 0);
  wait_hits(filter, 3, 1);
  close(sender);
  filter_close(filter);
}

static void test_several_at_once(void **state)
{
  (void)state;
  static struct shunt_xdp_rule rules[SHUNT_XDP_RULES_MOST];
  static uint32_t ids[SHUNT_XDP_RULES_MOST];
  struct shunt_error error = {0};
  uint32_t id;
  unsigned n, there = 0;

  need_veth();
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct filter *filter = open_rules(&options, "pass udp port 9");
  int sender = packet_socket(peer);
  assert_int_equal(shunt_xdp_rules_parse("udp port 7;udp port 8;udp port 9", rules, 16, &n, &error),
                   0);
  assert_int_equal(filter_rules_add(filter, rules, 3, ids, &error), 0);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(ids[i], i + 1);
  for (uint16_t port = 7; port <= 9; port++)
    send_port(sender, port, 0);
  wait_hits(filter, 0, 1);
  wait_hits(filter, 1, 1);
  wait_hits(filter, 2, 1);
  assert_int_equal(hits(filter, 3), 0);

  /* All or nothing. */
  const uint32_t unknown[] = {1, 77}, twice[] = {2, 2}, first_and_last[] = {3, 0};
  assert_int_equal(filter_rules_remove(filter, unknown, 2, &error), -ENOENT);
  assert_int_equal(filter_rules_remove(filter, twice, 2, &error), -ENOENT);
  assert_int_equal(filter_rules_remove(filter, NULL, 0, &error), 0);
  assert_int_equal(filter_rules_add(filter, NULL, 0, ids, &error), 0);
  rules[2].ethertype = 5;
  assert_int_equal(filter_rules_add(filter, rules, 3, ids, &error), -EINVAL);
  assert_non_null(strstr(error.what, "rule 2"));
  while (filter_rule_at(filter, there, &id, &rules[0]))
    there++;
  assert_int_equal(there, 4);
  assert_int_equal(filter_rules_remove(filter, first_and_last, 2, &error), 0);
  assert_true(filter_rule_at(filter, 0, &id, &rules[0]));
  assert_int_equal(id, 1);

  /* As many as there can be, and one more. */
  for (unsigned i = 0; i < SHUNT_XDP_RULES_MOST; i++)
    assert_int_equal(shunt_xdp_rule_parse("udp port 9", &rules[i], &error), 0);
  for (unsigned i = 0; i < SHUNT_XDP_RULES_MOST; i++)
    rules[i].destination_ports.range[0].first = rules[i].destination_ports.range[0].last =
        (uint16_t)(10000 + i);
  assert_int_equal(filter_rules_add(filter, rules, SHUNT_XDP_RULES_MOST - 1, ids, &error), -E2BIG);
  assert_int_equal(filter_rules_add(filter, rules, UINT32_MAX, ids, &error), -E2BIG);
  assert_int_equal(filter_rules_add(filter, rules, SHUNT_XDP_RULES_MOST - 2, ids, &error), 0);
  send_port(sender, 10000 + SHUNT_XDP_RULES_MOST - 3, 0);
  wait_hits(filter, ids[SHUNT_XDP_RULES_MOST - 3], 1);
  assert_int_equal(filter_rules_remove(filter, ids, SHUNT_XDP_RULES_MOST - 2, &error), 0);
  assert_false(filter_rule_at(filter, 2, &id, &rules[0]));
  send_port(sender, 8, 0);
  wait_hits(filter, 2, 2);
  close(sender);
  filter_close(filter);
}

static void test_refused(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct shunt_xdp_rule rules[1] = {{.size = sizeof(rules[0]), .vlan = SHUNT_XDP_VLAN_ANY}};
  struct shunt_error error;
  struct filter *filter = NULL;

  need_veth();
  options.vlan = FILTER_VLAN_STRIPPED;
  assert_int_equal(filter_open(&options, rules, 1, &filter, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.what, "shunta"));
  options = options_of(XDP_FLAGS_SKB_MODE);
  rules[0].ethertype = 5;
  assert_int_equal(filter_open(&options, rules, 1, &filter, &error), -EINVAL);
  assert_non_null(strstr(error.what, "rule 0"));
  options.queues = 0;
  assert_int_equal(filter_open(&options, NULL, 0, &filter, &error), -EINVAL);
  options = options_of(XDP_FLAGS_SKB_MODE);
  assert_int_equal(filter_open(&options, rules, SHUNT_XDP_RULES_MOST + 1, &filter, &error), -E2BIG);
  options.ifindex = 999999;
  assert_int_equal(filter_open(&options, NULL, 0, &filter, &error), -ENODEV);
  assert_null(filter);

  filter = open_rules(&(struct filter_options){.ifindex = (int)interface,
                                               .interface = "shunta",
                                               .queues = 1,
                                               .mode = XDP_FLAGS_SKB_MODE},
                      "all");
  int not_xdp = socket(AF_INET, SOCK_DGRAM, 0);
  assert_int_equal(filter_socket_set(filter, 1, not_xdp, &error), -EINVAL);
  assert_true(filter_socket_set(filter, 0, not_xdp, &error) < 0);
  assert_int_equal(filter_socket_clear(filter, 1, &error), -EINVAL);
  close(not_xdp);
  filter_close(filter);
}

/* ---- receive time ---- */

static void test_receive_time(void **state)
{
  (void)state;
  static const uint32_t modes[] = {XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE};
  struct shunt_error error = {0};
  struct xdp_socket ours;
  const char *why;
  uint32_t bytes;
  uint64_t time;

  need_veth();
  for (unsigned i = 0; i < 2; i++) {
    struct filter_options options = options_of(modes[i]);
    options.receive_time = true;
    uint64_t before = now_ns();
    struct filter *filter = open_rules(&options, "udp port 3");
    enum filter_time source = filter_receive_time(filter, &why);
    int sender = packet_socket(peer);
    assert_true(xdp_socket_open(&ours, interface, 0));
    assert_int_equal(filter_socket_set(filter, 0, ours.fd, &error), 0);
    send_port(sender, 3, 0);
    wait_hits(filter, 0, 1);
    const uint8_t *frame = xdp_socket_receive(&ours, &bytes);
    assert_non_null(frame);
    memcpy(&time, frame - FILTER_TIME_BYTES, sizeof(time));
    print_message("mode %u: time source %d %s\n", modes[i], source, why);
    if (source == FILTER_TIME_SOFTWARE) {
      assert_true(why[0] != '\0');
      assert_true(time >= before && time <= now_ns());
    }
    if (modes[i] == XDP_FLAGS_SKB_MODE)
      assert_int_equal(source, FILTER_TIME_SOFTWARE);
    else
      assert_int_equal(source != FILTER_TIME_DEVICE, why[0] != '\0');
    close(sender);
    xdp_socket_close(&ours);
    filter_close(filter);
  }
}

/* Tags in the frame, where the driver could also tell of tags that the NIC took off. */
static void test_tags_with_metadata(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_DRV_MODE);
  const uint8_t tag[4] = {0x81, 0x00, 0xa0, 0x05};
  uint8_t frame[FRAME_BYTES + 4], plain[FRAME_BYTES];
  uint64_t packets = 0, bytes = 0;
  struct shunt_error error;
  int32_t id;

  need_veth();
  options.vlan = FILTER_VLAN_METADATA;
  if (btf_find_function("bpf_xdp_metadata_rx_vlan_tag", &id, &error)) {
    print_message("%s: %s\n", error.what, error.why);
    skip();
  }
  struct filter *filter = open_rules(&options, "drop vlan 5;drop vlan none udp port 3");
  int sender = packet_socket(peer);
  send_port(sender, 3, 0);
  wait_hits(filter, 1, 1);
  frame_make(plain, 3, 0);
  memcpy(frame, plain, 12);
  memcpy(frame + 12, tag, sizeof(tag));
  memcpy(frame + 16, plain + 12, FRAME_BYTES - 12);
  assert_int_equal(send(sender, frame, sizeof(frame), 0), sizeof(frame));
  uint64_t now = now_ns();
  for (const uint64_t end = now + WAIT_NS; now < end; usleep(100)) {
    now = now_ns();
    assert_int_equal(filter_rule_hits(filter, 0, &packets, &bytes, &error), 0);
    if (packets)
      break;
  }
  assert_int_equal(packets, 1);
  assert_int_equal(bytes, sizeof(frame));
  assert_int_equal(hits(filter, 1), 1);
  close(sender);
  filter_close(filter);
}

/* Who gave no rules gets every frame, and no counters. */
static void test_no_rules(void **state)
{
  struct shunt_error error = {0};

  (void)state;
  need_veth();
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct filter *filter;
  uint64_t packets, bytes;
  assert_int_equal(filter_open(&options, NULL, 0, &filter, &error), 0);
  assert_int_equal(filter_rule_hits(filter, 0, &packets, &bytes, &error), -ENOENT);
  assert_non_null(strstr(error.why, "without rules"));
  assert_int_equal(filter_rule_hits(filter, 1, &packets, &bytes, &error), -ENOENT);
  filter_close(filter);
  filter = open_rules(&options, "all");
  assert_int_equal(hits(filter, 0), 0);
  filter_close(filter);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_actions),
      cmocka_unit_test(test_rules_change_under_traffic),
      cmocka_unit_test(test_rules),
      cmocka_unit_test(test_several_at_once),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_receive_time),
      cmocka_unit_test(test_tags_with_metadata),
      cmocka_unit_test(test_no_rules),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
