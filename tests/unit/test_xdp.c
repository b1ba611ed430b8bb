/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening AF_XDP ports: keys, the ladder, and what the kernel can refuse. */
#include <linux/if_link.h>
#include <stdio.h>
#include <sys/socket.h>

#include "unit/xdp_rig.h"

static int set_up(void **state)
{
  (void)state;
  rig_reset();
  return 0;
}

static void granted(const char *keys, enum shunt_xdp_mode mode, int zero_copy, unsigned refusals)
{
  struct shunt_port *port = NULL;
  struct shunt_error error = {0};
  struct shunt_xdp_info info = {.size = sizeof(info)};
  if (rig_open_with(NULL, keys, &port, &error))
    fail_msg("%s: %s: %s", keys, error.what, error.why);
  assert_int_equal(shunt_xdp_info(port, &info, &error), 0);
  assert_int_equal(info.mode, mode);
  assert_int_equal(info.zero_copy, zero_copy);
  assert_int_equal(info.link_before, 1);
  assert_int_equal(info.refusal_count, refusals);
  for (unsigned i = 0; i < refusals; i++)
    assert_true(info.refusals[i].code < 0 && *info.refusals[i].why);
  rig_end(port);
}

static void refused(const char *keys, int code, const char *words)
{
  struct shunt_port *port = NULL;
  struct shunt_error error = {0};
  char text[1024];
  assert_int_equal(rig_open_with(NULL, keys, &port, &error), code);
  shunt_error_format(&error, text, sizeof(text));
  if (!strstr(text, words))
    fail_msg("\"%s\" is not in: %s", words, text);
  assert_null(port);
  rig_end(NULL);
}

static void the_best_that_is_allowed_is_granted(void **state)
{
  static const struct {
    const char *keys;
    enum shunt_xdp_mode mode;
    int zero_copy;
  } cases[] = {
      {"", SHUNT_XDP_DRV, 1},
      {"mode=skb", SHUNT_XDP_SKB, 0},
      {"mode=drv&zero_copy=never", SHUNT_XDP_DRV, 0},
      {"hw=prefer", SHUNT_XDP_HW, 1},
      {"hw=require&copy=require", SHUNT_XDP_HW, 0},
      {"drv=never", SHUNT_XDP_SKB, 0},
      {"skb=require", SHUNT_XDP_SKB, 0},
      {"mode=auto&zero_copy=require", SHUNT_XDP_DRV, 1},
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    set_up(state);
    granted(cases[i].keys, cases[i].mode, cases[i].zero_copy,
            cases[i].mode == SHUNT_XDP_SKB ? 1 : 0);
  }
}

static void refused_rungs_are_noted(void **state)
{
  (void)state;
  rig.bind_zero_copy_code = EOPNOTSUPP;
  granted("", SHUNT_XDP_DRV, 0, 1);
  rig_reset();
  rig.attach_code[SHUNT_XDP_DRV] = EOPNOTSUPP;
  granted("", SHUNT_XDP_SKB, 0, 3); /* drv with and without a copy, skb without */
  rig_reset();
  rig.attach_code[SHUNT_XDP_HW] = EINVAL;
  rig.attach_code[SHUNT_XDP_DRV] = ERANGE;
  granted("hw=prefer", SHUNT_XDP_SKB, 0, 5);
  rig_reset();
  rig.grants_copy = true; /* the kernel's silent fall-back is found out */
  granted("", SHUNT_XDP_DRV, 0, 1);
}

static void what_is_required_and_refused_fails(void **state)
{
  (void)state;
  rig.bind_zero_copy_code = EOPNOTSUPP;
  refused("zero_copy=require", -EOPNOTSUPP, "drv, zero copy");
  rig_reset();
  rig.bind_zero_copy_code = EOPNOTSUPP;
  refused("zero_copy=require", -EOPNOTSUPP, "take a NIC whose driver has it");
  rig_reset();
  rig.attach_code[SHUNT_XDP_DRV] = EOPNOTSUPP;
  refused("mode=drv", -EOPNOTSUPP, "the driver has no such mode");
  rig_reset();
  refused("mode=skb&zero_copy=require", -EOPNOTSUPP, "behind the kernel's receive path");
  rig_reset();
  refused("drv=never&skb=never", -EINVAL, "no mode is left");
}

/* What a lower rung would meet, too, is not hidden by trying it. */
static void some_failures_end_the_climb(void **state)
{
  static const int codes[] = {EPERM, EBUSY, ENODEV, ENOMEM, EMFILE};
  for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    set_up(state);
    rig.attach_code[SHUNT_XDP_DRV] = codes[i];
    refused("", -codes[i], "no program");
    assert_int_equal(rig.attach_flags, XDP_FLAGS_DRV_MODE);
  }
}

static void keys_are_checked(void **state)
{
  static const char *const bad[] = {"mode=fast",
                                    "hw=maybe",
                                    "zero_copy=1",
                                    "hw=require&drv=require",
                                    "mode=drv&skb=require",
                                    "zero_copy=require&copy=require",
                                    "queue=4096",
                                    "queue=-1",
                                    "tx_budget=5000",
                                    "checksum=none",
                                    "multi_buffer=yes",
                                    "busy_poll_us=1e3",
                                    "rules=arp&join=1",
                                    "helper=1&join=1",
                                    "rules_file=/dev/null&join=1",
                                    "rules_file=/dev/null",
                                    "tx_time=perhaps"};
  struct shunt_port *port = NULL;
  for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct shunt_error error = {0};
    set_up(state);
    if (rig_open_with(NULL, bad[i], &port, &error) != -EINVAL)
      fail_msg("%s was taken", bad[i]);
    assert_true(*error.what);
  }
}

static void rules_are_parsed_and_named_where_wrong(void **state)
{
  struct shunt_port *port = NULL;
  struct shunt_error error;
  (void)state;
  assert_int_equal(rig_open_with(NULL, "rules=udp port 9;udp prot 5", &port, &error), -EINVAL);
  assert_non_null(strstr(error.what, "prot"));
  assert_int_equal(rig_open_with(NULL, "rules_file=/nonexistent", &port, &error), -ENOENT);
  assert_non_null(strstr(error.what, "/nonexistent"));
  granted("rules=arp;udp dst 239.1.1.1 port 31001;pass icmp", SHUNT_XDP_DRV, 1, 0);
}

/* There is no such helper; but before anybody is asked to do anything, the name has to be right. */
static void mistakes_in_a_name_are_found_before_anything_is_done(void **state)
{
  static const struct {
    const char *name;
    int code;
  } names[] = {
      {"xdp:lo?helper=/nonexistent/socket&mtu=2000", -ENOENT},
      {"xdp:lo?helper=/nonexistent/socket&mtu=2000&tx_buget=64", -EINVAL},
      {"xdp:lo?helper=/nonexistent/socket&mtu=2000&rules=udp prt 5", -EINVAL},
  };
  (void)state;
  for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    struct shunt_port *port = NULL;
    struct shunt_error error = {0};
    if (shunt_port_open(names[i].name, NULL, &port, &error) != names[i].code)
      fail_msg("%s: %s", error.what, error.why);
  }
}

static void queues_must_be_there(void **state)
{
  struct shunt_port_options options = {.queues = 4};
  struct shunt_port *port = NULL;
  struct shunt_error error;
  (void)state;
  assert_int_equal(rig_open_with(&options, "queue=1", &port, &error), -EINVAL);
  assert_non_null(strstr(error.why, "4 receive queues"));
  rig_end(NULL);
  rig_reset();
  rig_state.channels = (struct interface_channels){.known = true, .combined = 2, .combined_max = 8};
  assert_int_equal(rig_open_with(&options, "", &port, &error), -EINVAL);
  assert_non_null(strstr(error.why, "2 receive queues"));
  assert_non_null(strstr(error.remedy, "channels=4"));
  rig_end(NULL);
}

/* Frames that come in on them would be lost without a word. */
static void queues_that_are_left_out_are_told_of_once(void **state)
{
  struct shunt_port_options options = {.queues = 2};
  struct shunt_port *port = NULL;
  struct shunt_error error;
  (void)state;
  rig.channels = (struct interface_channels){.known = true, .combined = 2, .combined_max = 8};
  rig_state.channels = rig.channels;
  if (rig_open_with(&options, "", &port, &error) || !port) {
    fail_msg("%s", error.what);
    return;
  }
  assert_int_equal(rig.warnings, 0);
  rig.channels.combined = 4;
  for (unsigned i = 0; i < 3; i++, rig.now_ns += XDP_LOOK_NS)
    assert_int_equal(shunt_port_check(port, &error), 0);
  assert_int_equal(rig.warnings, 1);
  assert_non_null(strstr(rig.warning, "eth7 has 4 receive queues, and the port 2 from 0 on"));
  assert_non_null(strstr(rig.warning, "Take all (queues=4), or have fewer (channels=2)"));
  rig.channels.combined = 3;
  assert_int_equal(shunt_port_check(port, &error), 0);
  assert_int_equal(shunt_port_check(port, &error), 0);
  assert_int_equal(rig.warnings, 2);
  rig_end(port);

  rig_reset();
  rig_state.channels = (struct interface_channels){.known = true, .rx = 4, .rx_max = 4};
  granted("queue=3", SHUNT_XDP_DRV, 1, 0);
  assert_int_equal(rig.warnings, 1);
  assert_non_null(strstr(rig.warning, "the port 1 from 3 on"));
  assert_non_null(strstr(rig.warning, "(queue=0&queues=4), or have fewer (queue=0&channels=1)"));
  rig_reset();
  rig_state.channels = (struct interface_channels){.known = true, .rx = 4, .rx_max = 4};
  granted("queue=3&join=1", SHUNT_XDP_DRV, 1, 0); /* the others are somebody else's */
  rig_state.channels = (struct interface_channels){.known = false};
  rig.closed = 0;
  granted("queue=3", SHUNT_XDP_DRV, 1, 0);
  assert_int_equal(rig.warnings, 0);
}

/* Sockets are quiet where their program is gone: nothing but the program can tell. */
static void a_program_that_was_taken_off_is_told_of(void **state)
{
  static const char *const keys[] = {"", "helper=/nowhere"};
  struct shunt_port *port = NULL;
  struct shunt_error error;
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    rig_reset();
    rig.program = 5;
    if (rig_open_with(NULL, keys[i], &port, &error) || !port) {
      fail_msg("%s", error.what);
      return;
    }
    for (unsigned j = 0; j < 3; j++)
      assert_int_equal(shunt_port_check(port, &error), 0);
    assert_int_equal(rig.checks, 1); /* once a second */
    rig.program = 0;
    rig.now_ns += XDP_LOOK_NS;
    assert_int_equal(shunt_port_check(port, &error), i ? -ENOLINK : 0);
    rig.check_code = ECONNRESET;
    rig.now_ns += XDP_LOOK_NS;
    assert_int_equal(shunt_port_check(port, &error), -ECONNRESET);
    assert_int_equal(shunt_port_check(port, &error), -ECONNRESET); /* and from then on */
    rig.program_code = -ENODEV; /* the interface is on its way out */
    assert_int_equal(shunt_port_check(port, &error), -ENODEV);
    rig_end(port);
  }
}

/* The queues of a port share one registration of the region; others than the first bind with no
 * flag but that. */
static void queues_share_memory(void **state)
{
  struct shunt_port_options options = {.queues = 3};
  struct shunt_port *port = NULL;
  struct shunt_error error;
  (void)state;
  assert_int_equal(rig_open_with(&options, "queue=1", &port, &error), 0);
  assert_int_equal(rig.memory.len, 2 << 20);
  assert_int_equal(rig.memory.chunk_size, 2048);
  assert_int_equal(rig.bound[0].sxdp_flags, XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP);
  for (unsigned i = 1; i < 3; i++) {
    assert_int_equal(rig.bound[i].sxdp_flags, XDP_SHARED_UMEM);
    assert_int_equal(rig.bound[i].sxdp_shared_umem_fd, 0);
    assert_int_equal(rig.bound[i].sxdp_queue_id, 1 + i);
    assert_int_equal(rig.set[1 + i], i + 1);
  }
  rig_end(port);
}

static void buffers_must_suit(void **state)
{
  (void)state;
  static const uint32_t sizes[] = {1024, 8192};
  for (unsigned i = 0; i < 2; i++) {
    struct shunt_region_options wanted = {.size = sizeof(wanted),
                                          .bytes = 2 << 20,
                                          .buf_bytes = sizes[i],
                                          .pages = SHUNT_PAGES_4K,
                                          .numa_node = -1};
    struct shunt_port_options options = {0};
    struct shunt_port *port = NULL;
    struct shunt_error error;
    rig_reset();
    assert_int_equal(shunt_region_create(&wanted, &options.region, &error), 0);
    assert_int_equal(rig_open_with(&options, "", &port, &error), -EINVAL);
    assert_non_null(strstr(error.remedy, "2048 or 4096"));
    rig_end(NULL);
    shunt_region_destroy(options.region);
  }
}

/* ixgbe lets an 82599 fill 1024 bytes of 1792, and 3072 of 3840, and drops what is longer. */
static void zero_copy_must_not_lose_long_frames(void **state)
{
  struct shunt_region_options wanted = {.size = sizeof(wanted),
                                        .bytes = 2 << 20,
                                        .buf_bytes = 4096,
                                        .pages = SHUNT_PAGES_4K,
                                        .numa_node = -1};
  struct shunt_port_options options = {0};
  struct shunt_port *port = NULL;
  struct shunt_error error;
  struct shunt_xdp_info info = {.size = sizeof(info)};
  strcpy(rig_state.driver, "ixgbe");
  granted("", SHUNT_XDP_DRV, 0, 1);
  set_up(state);
  strcpy(rig_state.driver, "ixgbe");
  refused("zero_copy=require", -EMSGSIZE, "ip link set eth7 mtu 1006");
  set_up(state);
  strcpy(rig_state.driver, "ixgbe");
  rig_state.mtu = 1006;
  granted("", SHUNT_XDP_DRV, 1, 0);
  set_up(state);
  strcpy(rig_state.driver, "ixgbe");
  assert_int_equal(shunt_region_create(&wanted, &options.region, &error), 0);
  assert_int_equal(rig_open_with(&options, "", &port, &error), 0);
  assert_int_equal(shunt_xdp_info(port, &info, &error), 0);
  assert_int_equal(info.zero_copy, 1);
  rig_end(port);
  shunt_region_destroy(options.region);
}

static void long_frames_need_several_buffers(void **state)
{
  (void)state;
  rig_state.mtu = 9000;
  refused("multi_buffer=0", -EMSGSIZE, "its MTU is 9000");
  rig_reset();
  rig_state.mtu = 1774; /* 1792 bytes with header and tag are all that fit 2048 */
  granted("multi_buffer=0", SHUNT_XDP_DRV, 1, 0);
  rig_reset();
  rig_state.mtu = 1775;
  refused("multi_buffer=0", -EMSGSIZE, "ip link set eth7 mtu 1774");
}

static void too_much_memory_is_said_so(void **state)
{
  (void)state;
  rig.umem_code = ENOBUFS;
  refused("", -ENOBUFS, "RLIMIT_MEMLOCK");
  assert_true(rig.now_ns >= XDP_BUSY_DEADLINE_NS && rig.now_ns < 2 * XDP_BUSY_DEADLINE_NS);
}

/* What a socket had that was closed a moment ago counts for a while. */
static void memory_that_is_being_given_back_is_waited_for(void **state)
{
  (void)state;
  rig.full_registrations = 20;
  granted("", SHUNT_XDP_DRV, 1, 0);
  assert_int_equal(rig.now_ns, 20 * XDP_BUSY_RETRY_NS);
}

/* Open a second port on the region while one of interface 7 with the usual keys is there, and say
 * how often the region is registered then. flags: of the second one's bind; 0: the kernel is too
 * old */
static unsigned registered_for_two(int ifindex, const char *keys, uint16_t flags)
{
  struct shunt_port *first = NULL, *second = NULL;
  struct shunt_error error = {0};
  rig_reset();
  rig.lends_nothing = flags == 0;
  if (rig_open_with(NULL, "", &first, &error) || !first) {
    fail_msg("%s: %s", error.what, error.why);
    return 0;
  }
  rig_state.ifindex = ifindex;
  if (rig_open_with(NULL, keys, &second, &error))
    fail_msg("%s: %s: %s", keys, error.what, error.why);
  const unsigned registrations = rig.registrations, second_fd = rig.set[0] - 1;
  if (registrations == 1) {
    assert_int_equal(rig.bound[second_fd].sxdp_flags, flags);
    assert_int_equal(rig.bound[second_fd].sxdp_shared_umem_fd, 0);
  }
  rig_state.ifindex = 7;
  first->ops->close(first); /* what was lent stays the borrower's */
  assert_int_equal(rig.open_sockets, 1);
  rig.closed = 0;
  rig_end(second);
  return registrations;
}

static void ports_on_a_region_share_its_registration(void **state)
{
  (void)state;
  assert_int_equal(registered_for_two(8, "", XDP_SHARED_UMEM), 1);
  /* Another way to it, other flags, another kernel; a queue that is taken. */
  assert_int_equal(registered_for_two(8, "zero_copy=never", XDP_SHARED_UMEM), 2);
  assert_int_equal(registered_for_two(8, "wakeup=0", XDP_SHARED_UMEM), 2);
  assert_int_equal(registered_for_two(8, "multi_buffer=1", XDP_SHARED_UMEM), 2);
  assert_int_equal(registered_for_two(8, "", 0), 2);
  assert_int_equal(registered_for_two(7, "", XDP_SHARED_UMEM), 2);
}

static void a_missing_capability_is_named(void **state)
{
  (void)state;
  rig.socket_code = EPERM;
  refused("", -EPERM, "no socket");
}

/* A queue that was given back a moment ago is busy for a while. */
static void a_busy_queue_is_waited_for(void **state)
{
  (void)state;
  rig.busy_binds = 20;
  granted("", SHUNT_XDP_DRV, 1, 0);
  assert_int_equal(rig.now_ns, 20 * XDP_BUSY_RETRY_NS);
  rig_reset();
  rig.busy_binds = UINT32_MAX;
  refused("", -EBUSY, "another AF_XDP socket has it");
  assert_true(rig.now_ns >= XDP_BUSY_DEADLINE_NS && rig.now_ns < 2 * XDP_BUSY_DEADLINE_NS);
}

static void budget_and_busy_poll_are_reported(void **state)
{
  struct shunt_port *port = NULL;
  struct shunt_error error;
  struct shunt_xdp_info info = {.size = sizeof(info)};
  (void)state;
  rig.budget_code = ENOPROTOOPT; /* an old kernel: fine, unless it was asked for */
  assert_int_equal(rig_open_with(NULL, "busy_poll_us=20", &port, &error), 0);
  assert_int_equal(shunt_xdp_info(port, &info, &error), 0);
  assert_int_equal(info.tx_budget, 32);
  assert_int_equal(info.busy_poll, 0);
  assert_non_null(strstr(info.busy_poll_why, "NAPI"));
  rig.napi_id = 8193;
  assert_int_equal(shunt_xdp_info(port, &info, &error), 0);
  assert_int_equal(info.busy_poll, 1);
  rig_end(port);

  rig_reset();
  rig.budget_code = ENOPROTOOPT;
  refused("tx_budget=64", -ENOPROTOOPT, "6.17");
  rig_reset();
  rig.busy_code = EPERM;
  refused("busy_poll_us=20", -EPERM, "CAP_NET_ADMIN");
}

/* A system call that polls nobody is not made with each look, and a person is told, once frames
 * have come without saying whom to poll. */
static void busy_polling_of_nobody_is_left_and_told_of(void **state)
{
  struct shunt_port *port = NULL;
  struct shunt_error error;
  struct shunt_frame frame;
  (void)state;
  if (rig_open_with(NULL, "busy_poll_us=20", &port, &error) || !port) {
    fail_msg("%s", error.what);
    return;
  }
  struct shunt_queue *q = port->ops->queue(port, 0);
  for (unsigned i = 0; i < 1024; i++)
    assert_int_equal(shunt_rx_poll(q, &frame, 1), 0);
  assert_int_equal(rig.receives, 4);
  assert_int_equal(shunt_port_check(port, &error), 0);
  assert_int_equal(rig.warnings, 0); /* it may be told with the first frame */
  rig.rings[0][0].producer++;
  assert_int_equal(shunt_rx_poll(q, &frame, 1), 1);
  assert_int_equal(shunt_port_check(port, &error), 0);
  assert_int_equal(shunt_port_check(port, &error), 0);
  assert_int_equal(rig.warnings, 1);
  assert_non_null(strstr(rig.warning, "busy_poll_us does nothing here"));
  rig.napi_id = 8193;
  rig.receives = 0;
  for (unsigned i = 0; i < 1024; i++)
    assert_int_equal(shunt_rx_poll(q, &frame, 1), 0);
  assert_true(rig.receives > 1024 - 256);
  rig_end(port);
}

static void removal_is_found_and_kept(void **state)
{
  struct shunt_port *port = NULL;
  struct shunt_error error;
  struct shunt_xdp_info info = {.size = sizeof(info)};
  struct shunt_link link = {.size = sizeof(link)};
  (void)state;
  if (rig_open_with(NULL, "", &port, &error) || !port) {
    fail_msg("%s", error.what);
    return;
  }
  assert_int_equal(shunt_port_check(port, &error), 0);
  rig.so_error = ENETDOWN;
  assert_int_equal(shunt_port_check(port, &error), -ENODEV);
  assert_non_null(strstr(error.what, "eth7 is gone"));
  assert_int_equal(shunt_port_check(port, &error), -ENODEV); /* the kernel says it once */
  assert_int_equal(port->ops->link(port, &link, &error), 0);
  assert_int_equal(link.up, 0);
  assert_non_null(strstr(link.diagnosis, "removed"));
  assert_int_equal(shunt_xdp_info(port, &info, &error), 0);
  assert_int_equal(info.gone, 1);
  rig_end(port);
}

static void other_ports_are_told_apart(void **state)
{
  static const struct port_ops none = {0};
  struct shunt_port other = {.ops = &none, .name = "ixgbe:twin"};
  struct shunt_xdp_info info = {.size = sizeof(info)};
  struct shunt_xdp_rule rule = {.size = sizeof(rule)};
  struct shunt_error error;
  uint64_t packets, bytes;
  uint32_t id;
  (void)state;
  assert_int_equal(shunt_xdp_info(&other, &info, &error), -EINVAL);
  assert_int_equal(shunt_xdp_rule_add(&other, &rule, &id, &error), -EINVAL);
  assert_int_equal(shunt_xdp_rule_remove(&other, 0, &error), -EINVAL);
  assert_int_equal(shunt_xdp_rules_add(&other, &rule, 1, &id, &error), -EINVAL);
  assert_int_equal(shunt_xdp_rules_remove(&other, &id, 1, &error), -EINVAL);
  assert_int_equal(shunt_xdp_rule_at(&other, 0, &id, &rule, &error), -EINVAL);
  assert_int_equal(shunt_xdp_rule_hits(&other, 0, &packets, &bytes, &error), -EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(the_best_that_is_allowed_is_granted, set_up),
      cmocka_unit_test_setup(refused_rungs_are_noted, set_up),
      cmocka_unit_test_setup(what_is_required_and_refused_fails, set_up),
      cmocka_unit_test_setup(some_failures_end_the_climb, set_up),
      cmocka_unit_test_setup(keys_are_checked, set_up),
      cmocka_unit_test_setup(rules_are_parsed_and_named_where_wrong, set_up),
      cmocka_unit_test_setup(mistakes_in_a_name_are_found_before_anything_is_done, set_up),
      cmocka_unit_test_setup(queues_must_be_there, set_up),
      cmocka_unit_test_setup(queues_that_are_left_out_are_told_of_once, set_up),
      cmocka_unit_test_setup(a_program_that_was_taken_off_is_told_of, set_up),
      cmocka_unit_test_setup(queues_share_memory, set_up),
      cmocka_unit_test_setup(buffers_must_suit, set_up),
      cmocka_unit_test_setup(zero_copy_must_not_lose_long_frames, set_up),
      cmocka_unit_test_setup(long_frames_need_several_buffers, set_up),
      cmocka_unit_test_setup(too_much_memory_is_said_so, set_up),
      cmocka_unit_test_setup(memory_that_is_being_given_back_is_waited_for, set_up),
      cmocka_unit_test_setup(ports_on_a_region_share_its_registration, set_up),
      cmocka_unit_test_setup(a_missing_capability_is_named, set_up),
      cmocka_unit_test_setup(a_busy_queue_is_waited_for, set_up),
      cmocka_unit_test_setup(budget_and_busy_poll_are_reported, set_up),
      cmocka_unit_test_setup(busy_polling_of_nobody_is_left_and_told_of, set_up),
      cmocka_unit_test_setup(removal_is_found_and_kept, set_up),
      cmocka_unit_test_setup(other_ports_are_told_apart, set_up),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  shunt_region_destroy(rig_region);
  return failed;
}
