/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/testbed.h"
#include "src/core/pcapng.h"
#include "twin/testbed_keys.h"
#include "twin/wire/wire.h"

struct listener {
  unsigned count;
  uint64_t last_ns;
};

static void listen_to(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct listener *listener = context;
  (void)frame;
  (void)bytes;
  listener->count++;
  listener->last_ns = now_ns;
}

static const struct shunt_wire_end_ops listener_ops = {.deliver = listen_to};

static struct shunt_testbed *make_testbed(struct shunt_virtual_clock *virtual_clock, uint64_t seed)
{
  struct shunt_clock clock = {.context = NULL};
  struct shunt_testbed_options options = {.size = sizeof(options), .seed = seed};
  if (virtual_clock != NULL) {
    shunt_virtual_clock_init(virtual_clock, 1000);
    clock = shunt_virtual_clock_view(virtual_clock);
    options.clock = &clock;
  }
  struct shunt_testbed *testbed = NULL;
  assert_int_equal(shunt_testbed_create(&options, &testbed, NULL), 0);
  return testbed;
}

static struct shunt_model *make_twin(struct shunt_testbed *testbed, const char *keys)
{
  struct shunt_model *model = NULL;
  struct shunt_error error = {0};
  if (shunt_testbed_twin(testbed, "ixgbe", keys, &model, &error) < 0)
    fail_msg("%s: %s", error.what, error.why);
  return model;
}

static struct shunt_wire_end *join(struct shunt_testbed *testbed, const char *wire,
                                   struct listener *listener)
{
  struct shunt_wire_end *end = NULL;
  memset(listener, 0, sizeof(*listener));
  assert_int_equal(shunt_wire_attach(shunt_testbed_wire(testbed, wire, NULL), "listener",
                                     &listener_ops, listener, &end, NULL),
                   0);
  return end;
}

static void send_some(struct shunt_wire_end *end, unsigned n, uint64_t now_ns)
{
  uint8_t frame[60] = {2};
  struct iovec piece = {.iov_base = frame, .iov_len = sizeof(frame)};
  for (unsigned i = 0; i < n; i++)
    assert_int_equal(shunt_wire_send(end, &piece, 1, now_ns), 0);
}

static struct shunt_wire_statistics statistics_of(const struct shunt_wire_end *end)
{
  struct shunt_wire_statistics statistics = {.size = sizeof(statistics)};
  shunt_wire_statistics(end, &statistics);
  return statistics;
}

/* Station address 0 as the chip holds it after power-on (82599 datasheet 8.2.3.7.9). */
static void mac_of(struct shunt_model *model, uint8_t mac[6])
{
  uint32_t low = (uint32_t)shunt_model_bar_read(model, 0, 0xA200, 4);
  uint32_t high = (uint32_t)shunt_model_bar_read(model, 0, 0xA204, 4);
  for (unsigned i = 0; i < 6; i++)
    mac[i] = (uint8_t)(i < 4 ? low >> (8 * i) : high >> (8 * (i - 4)));
}

/* ---- Names ---- */

static void twins_of_one_wire_are_joined(void **state)
{
  (void)state;
  struct shunt_testbed *testbed = make_testbed(NULL, 0);
  struct shunt_model *a = make_twin(testbed, "wire=a");
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, a)), 0);
  struct shunt_model *elsewhere = make_twin(testbed, "wire=b");
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, a)), 0);
  struct shunt_model *b = make_twin(testbed, "wire=a");
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, a)), 1);
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, b)), 1);
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, elsewhere)), 0);
  assert_string_equal(shunt_wire_end_name(shunt_testbed_end(testbed, b)), "ixgbe2");
  shunt_testbed_remove(testbed, b);
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, a)), 0);
  assert_null(shunt_testbed_end(testbed, b));
  shunt_testbed_remove(testbed, b); /* unknown by now: nothing happens */
  shunt_testbed_destroy(testbed);
  shunt_testbed_destroy(NULL);
}

static void a_twin_without_a_name_is_alone(void **state)
{
  (void)state;
  struct shunt_testbed *testbed = make_testbed(NULL, 0);
  struct shunt_model *a = make_twin(testbed, NULL);
  struct shunt_model *b = make_twin(testbed, "");
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, a)), 0);
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, b)), 0);
  shunt_testbed_poll(testbed);
  shunt_testbed_remove(testbed, a);
  shunt_testbed_poll(testbed);
  shunt_testbed_destroy(testbed);
}

static void a_cable_may_be_out(void **state)
{
  (void)state;
  struct shunt_testbed *testbed = make_testbed(NULL, 0);
  struct shunt_model *a = make_twin(testbed, "wire=a&cable=out");
  struct shunt_model *b = make_twin(testbed, "wire=a&cable=in");
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, b)), 0);
  shunt_wire_join(shunt_testbed_end(testbed, a));
  assert_int_equal(shunt_wire_carrier(shunt_testbed_end(testbed, b)), 1);
  shunt_testbed_destroy(testbed);
}

static void addresses_are_given_or_counted_up(void **state)
{
  (void)state;
  uint8_t mac[6];
  struct shunt_testbed *testbed = make_testbed(NULL, 0);
  mac_of(make_twin(testbed, NULL), mac);
  assert_memory_equal(mac, "\x02\0\0\x82\x59\x90", 6);
  mac_of(make_twin(testbed, "mac=06:11:22:33:44:55"), mac);
  assert_memory_equal(mac, "\x06\x11\x22\x33\x44\x55", 6);
  mac_of(make_twin(testbed, NULL), mac);
  assert_memory_equal(mac, "\x02\0\0\x82\x59\x92", 6);
  shunt_testbed_destroy(testbed);
}

static void cards_differ(void **state)
{
  (void)state;
  static const struct {
    const char *keys;
    uint32_t device;
    bool shared;
  } cases[] = {
      {NULL, 0x10FB, true},
      {"id=10f9", 0x10F9, true},
      {"id=10fc&mode=trap", 0x10FC, false},
      {"id=10fb&module=sr&mode=shared", 0x10FB, true},
      {"module=none", 0x10FB, true},
  };
  struct shunt_testbed *testbed = make_testbed(NULL, 0);
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct shunt_model *model = make_twin(testbed, cases[i].keys);
    assert_int_equal(shunt_model_config_read(model, 2, 2), cases[i].device);
    assert_int_equal(model->bars[0].area_count > 0, cases[i].shared);
  }
  shunt_testbed_destroy(testbed);
}

/* ---- Mistakes ---- */

static void mistakes_are_explained(void **state)
{
  (void)state;
  static const struct {
    const char *keys, *what, *why;
  } cases[] = {
      {"wier=a", "the key wier is not known", "known are: wire, id, mac"},
      {"wire=", "wire= is refused", "1 to 63 characters"},
      {"wire", "\"wire\"", "it has no ="},
      {"wire=a&wire=b", "given twice", ""},
      {"id=1528", "id=1528", "one of: 10fb, 10f9, 10fc"},
      {"mac=02:00", "mac=02:00", "no address of one station"},
      {"mac=01:00:5e:00:00:01", "mac=01", "no address of one station"},
      {"mac=00:00:00:00:00:00", "mac=00", "no address of one station"},
      {"mode=fast", "mode=fast", "shared, trap"},
      {"module=lr", "module=lr", "cu1m, sr, none"},
      {"module=sr&id=10f9", "module=sr", "no SFP+ cage"},
      {"cable=loose", "cable=loose", "in, out"},
      {"loss=2", "loss=2", "from 0 to 1"},
      {"duplicate=x", "duplicate=x", "from 0 to 1"},
      {"reorder=-1", "reorder=-1", "from 0 to 1"},
      {"corrupt=1.01", "corrupt=1.01", "from 0 to 1"},
      {"delay_us=1e99", "delay_us=1e99", "from 0 to"},
      {"jitter_us=-1", "jitter_us=-1", "from 0 to"},
      {"rate_mbps=fast", "rate_mbps=fast", "from 0 to"},
      {"seed=-1", "seed=-1", "whole number"},
      {"tap_mtu=67", "tap_mtu=67", "from 68 to"},
      {"play_loops=0", "play_loops=0", "from 1 to"},
      {"play_speed=-1", "play_speed=-1", "from 0 to"},
      {"tap=a/b", "a/b", "1 to 15 characters"},
      {"udp=127.0.0.1:1", "udp=127.0.0.1:1", "it is not LOCAL,REMOTE"},
      {"udp=here,there", "address here", "ADDRESS:PORT"},
  };
  struct shunt_testbed *testbed = make_testbed(NULL, 0);
  struct shunt_model *model = NULL;
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct shunt_error error = {0};
    assert_int_equal(shunt_testbed_twin(testbed, "ixgbe", cases[i].keys, &model, &error), -EINVAL);
    assert_non_null(strstr(error.what, "can't make the twin ixgbe0"));
    if (strstr(error.what, cases[i].what) == NULL || strstr(error.why, cases[i].why) == NULL)
      fail_msg("%s gives: %s: %s", cases[i].keys, error.what, error.why);
  }
  struct shunt_error error = {0};
  assert_int_equal(shunt_testbed_twin(testbed, "e1000", NULL, &model, &error), -EINVAL);
  assert_non_null(strstr(error.why, "ixgbe"));
  assert_null(shunt_testbed_wire(testbed, "", &error));
  assert_int_equal(error.code, -EINVAL);
  char name[65];
  memset(name, 'n', sizeof(name));
  name[64] = '\0';
  assert_null(shunt_testbed_wire(testbed, name, &error));
  name[63] = '\0';
  assert_non_null(shunt_testbed_wire(testbed, name, &error));
  shunt_testbed_destroy(testbed);

  struct shunt_testbed_options options = {.size = 1000};
  assert_int_equal(shunt_testbed_create(&options, &testbed, &error), -EINVAL);
}

static void only_the_first_twin_sets_the_wire(void **state)
{
  (void)state;
  struct shunt_testbed *testbed = make_testbed(NULL, 0);
  struct shunt_model *model = NULL;
  struct shunt_error error = {0};
  /* Somebody else may have made the wire. */
  struct shunt_wire *wire = shunt_testbed_wire(testbed, "a", NULL);
  assert_ptr_equal(shunt_testbed_wire(testbed, "a", NULL), wire);
  make_twin(testbed, "wire=a&loss=0.5");
  assert_int_equal(shunt_testbed_twin(testbed, "ixgbe", "wire=a&seed=3", &model, &error), -EINVAL);
  assert_non_null(strstr(error.what, "the key seed"));
  assert_non_null(strstr(error.why, "whose first twin"));
  make_twin(testbed, "wire=a&cable=out");
  shunt_testbed_destroy(testbed);
}

static void a_twin_that_fails_leaves_nothing_behind(void **state)
{
  (void)state;
  struct shunt_testbed *testbed = make_testbed(NULL, 0);
  struct shunt_model *model = NULL;
  struct shunt_error error = {0};
  char path[] = "/tmp/shunt-test-XXXXXX", keys[256];
  close(mkstemp(path));
  struct listener listener;
  struct shunt_wire_end *end = join(testbed, "a", &listener);
  snprintf(keys, sizeof(keys), "wire=a&loss=1&record=%s&udp=127.0.0.1:0,127.0.0.1:9&play=%s", path,
           "/nonexistent");
  assert_int_equal(shunt_testbed_twin(testbed, "ixgbe", keys, &model, &error), -ENOENT);
  assert_int_equal(shunt_wire_carrier(end), 0);

  /* The same wire, with what was right: neither recording nor tunnel is in the way. */
  *strstr(keys, "&play") = '\0';
  struct shunt_model *made = make_twin(testbed, keys);
  assert_int_equal(shunt_wire_carrier(end), 1);
  send_some(end, 10, 0);
  assert_int_equal(statistics_of(shunt_testbed_end(testbed, made)).lost, 10);
  shunt_testbed_destroy(testbed);

  struct pcapng_reader *reader = NULL;
  struct pcapng_frame frame;
  unsigned frames = 0;
  assert_int_equal(pcapng_reader_open(path, &reader, NULL), 0);
  while (pcapng_reader_next(reader, &frame, NULL) == 1)
    frames++;
  assert_int_equal(frames, 10);
  /* With the real clock the times are those of the day: 0 was when the machine came up. */
  assert_in_range(frame.time_ns, UINT64_C(1700000000) * 1000000000,
                  UINT64_C(4000000000) * 1000000000);
  pcapng_reader_close(reader);
  unlink(path);
}

/* ---- Impairments ---- */

static void impairments_go_in_every_direction(void **state)
{
  (void)state;
  struct shunt_virtual_clock virtual_clock;
  struct shunt_testbed *testbed = make_testbed(&virtual_clock, 0);
  struct listener before, after;
  struct shunt_wire_end *first = join(testbed, "a", &before);
  struct shunt_model *model = make_twin(testbed, "wire=a&delay_us=2.5&duplicate=1");
  struct shunt_wire_end *second = join(testbed, "a", &after);
  send_some(first, 1, 1000);
  assert_int_equal(shunt_testbed_next_ns(testbed), 3500);
  shunt_testbed_poll(testbed);
  assert_int_equal(after.count, 0);
  shunt_virtual_clock_advance(&virtual_clock, 2500);
  assert_true(shunt_testbed_poll(testbed) >= 2);
  assert_int_equal(after.count, 2);
  assert_int_equal(after.last_ns, 3500);
  send_some(second, 1, 3500);
  shunt_virtual_clock_advance(&virtual_clock, 2500);
  shunt_testbed_poll(testbed);
  assert_int_equal(before.count, 2);
  assert_int_equal(statistics_of(shunt_testbed_end(testbed, model)).delivered, 4);
  shunt_testbed_destroy(testbed);
}

/* How many of 1000 frames a wire loses. */
static uint64_t losses(uint64_t seed, const char *wire, const char *keys)
{
  struct shunt_virtual_clock virtual_clock;
  struct shunt_testbed *testbed = make_testbed(&virtual_clock, seed);
  struct listener listener;
  char text[128];
  snprintf(text, sizeof(text), "wire=%s&loss=0.5%s", wire, keys);
  struct shunt_model *model = make_twin(testbed, text);
  struct shunt_wire_end *end = join(testbed, wire, &listener);
  send_some(end, 1000, 0);
  uint64_t lost = statistics_of(shunt_testbed_end(testbed, model)).lost;
  shunt_testbed_destroy(testbed);
  return lost;
}

static void seeds_repeat(void **state)
{
  (void)state;
  uint64_t lost = losses(1, "a", "");
  assert_int_equal(losses(1, "a", ""), lost);
  assert_int_equal(losses(1, "a", "&duplicate=0.5&jitter_us=1"), lost);
  assert_int_not_equal(losses(2, "a", ""), lost);
  assert_int_not_equal(losses(1, "b", ""), lost);
  assert_int_equal(losses(1, "a", "&seed=7"), losses(2, "b", "&seed=7"));
}

/* ---- Threads ---- */

#define TURNS 2000

struct shared {
  struct shunt_testbed *testbed;
  atomic_bool stop, polled;
  uint64_t plain; /* only ever touched under the lock: ThreadSanitizer watches */
};

static unsigned count_polls(void *context, uint64_t now_ns)
{
  struct shared *shared = context;
  (void)now_ns;
  shared->plain++;
  atomic_store(&shared->polled, true);
  return 0;
}

static void *poll_all_the_time(void *context)
{
  struct shared *shared = context;
  while (!atomic_load(&shared->stop))
    shunt_testbed_poll(shared->testbed);
  return NULL;
}

static void *take_turns(void *context)
{
  struct shared *shared = context;
  for (unsigned i = 0; i < TURNS; i++) {
    shunt_testbed_lock(shared->testbed);
    shared->plain++;
    shunt_testbed_unlock(shared->testbed);
  }
  return NULL;
}

static void ignore_frame(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)context;
  (void)frame;
  (void)bytes;
  (void)now_ns;
}

/* The poller never pauses; still both others finish, and twins come and go meanwhile. */
static void a_poller_lets_others_in(void **state)
{
  (void)state;
  static const struct shunt_wire_end_ops ops = {.deliver = ignore_frame, .poll = count_polls};
  struct shared shared = {.testbed = make_testbed(NULL, 0)};
  struct shunt_wire_end *end = NULL;
  assert_int_equal(shunt_wire_attach(shunt_testbed_wire(shared.testbed, "a", NULL), "counter", &ops,
                                     &shared, &end, NULL),
                   0);
  pthread_t poller, taker;
  assert_int_equal(pthread_create(&poller, NULL, poll_all_the_time, &shared), 0);
  while (!atomic_load(&shared.polled)) /* on a busy machine a thread may begin late */
    sched_yield();
  assert_int_equal(pthread_create(&taker, NULL, take_turns, &shared), 0);
  for (unsigned i = 0; i < 50; i++) {
    struct shunt_model *model = make_twin(shared.testbed, "wire=a");
    shunt_testbed_remove(shared.testbed, model);
  }
  assert_int_equal(pthread_join(taker, NULL), 0);
  atomic_store(&shared.stop, true);
  assert_int_equal(pthread_join(poller, NULL), 0);
  assert_true(shared.plain > TURNS);
  shunt_testbed_destroy(shared.testbed);
}

static void a_tunnels_ends_have_addresses_of_their_own(void **state)
{
  (void)state;
  struct shunt_error error;
  struct testbed_keys left, right;
  const struct shunt_mac wanted = {{2, 1, 2, 3, 4, 5}};
  assert_int_equal(
      testbed_keys_read(&left, TESTBED_IXGBE, "udp=[::1]:4000,127.0.0.1:4001", 0, &error), 0);
  assert_int_equal(
      testbed_keys_read(&right, TESTBED_IXGBE, "udp=127.0.0.1:4001,[::1]:4000", 0, &error), 0);
  assert_true(memcmp(&left.ixgbe.mac, &right.ixgbe.mac, sizeof(wanted)) != 0);
  assert_int_equal(left.ixgbe.mac.bytes[0], 2);
  assert_int_equal(left.ixgbe.mac.bytes[1] << 8 | left.ixgbe.mac.bytes[2], 4000);
  assert_int_equal(testbed_keys_read(&left, TESTBED_IXGBE, "udp=nonsense", 0, &error),
                   0); /* refused later */
  assert_int_equal(testbed_keys_read(&left, TESTBED_IXGBE,
                                     "mac=02:01:02:03:04:05&udp=1.1.1.1:4,2.2.2.2:5", 0, &error),
                   0);
  assert_memory_equal(&left.ixgbe.mac, &wanted, sizeof(wanted));
}

static void a_capture_waits_for_the_port(void **state)
{
  (void)state;
  struct shunt_error error;
  struct testbed_keys keys;
  assert_int_equal(testbed_keys_read(&keys, TESTBED_IXGBE, "play=file", 0, &error), 0);
  assert_int_equal(keys.play_options.delay_ns, 500000000);
  assert_int_equal(
      testbed_keys_read(&keys, TESTBED_IXGBE, "play=file&play_delay_us=1.5", 0, &error), 0);
  assert_int_equal(keys.play_options.delay_ns, 1500);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_tunnels_ends_have_addresses_of_their_own),
      cmocka_unit_test(a_capture_waits_for_the_port),
      cmocka_unit_test(twins_of_one_wire_are_joined),
      cmocka_unit_test(a_twin_without_a_name_is_alone),
      cmocka_unit_test(a_cable_may_be_out),
      cmocka_unit_test(addresses_are_given_or_counted_up),
      cmocka_unit_test(cards_differ),
      cmocka_unit_test(mistakes_are_explained),
      cmocka_unit_test(only_the_first_twin_sets_the_wire),
      cmocka_unit_test(a_twin_that_fails_leaves_nothing_behind),
      cmocka_unit_test(impairments_go_in_every_direction),
      cmocka_unit_test(seeds_repeat),
      cmocka_unit_test(a_poller_lets_others_in),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
