/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of the helper, over a socket in the file system, against the helper's server
 * with a kernel that only counts. */
#include <linux/if_link.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/nic/xdp/access.h"
#include "src/xdp_helper/server.h"
#include "tests/unit/xdp_helper_fake.h"

static struct policy policy;
static struct server *server;

static int set_up(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  char text[160];
  memset(&fake, 0, sizeof(fake));
  memset(&policy, 0, sizeof(policy));
  snprintf(text, sizeof(text), "user=%u interface=eth0 queues=0-2 rules=udp;arp", getuid());
  return policy_parse(&policy, "a test", text, &error) ||
         server_open(&policy, &fake_system, NULL, NULL, &server, &error);
}

static int tear_down(void **state)
{
  (void)state;
  server_close(server);
  server = NULL;
  assert_int_equal(fake.filters, 0);
  assert_int_equal(fake.setups, 0);
  return 0;
}

static atomic_bool ends;

static void *serve(void *listener)
{
  while (!atomic_load(&ends))
    server_turn(server, *(int *)listener, 20);
  return NULL;
}

/* The driver is told why it is turned away, whoever is first: its HELLO, or the helper. */
static void is_turned_away(const char *path)
{
  struct shunt_error error = {0};
  struct xdp_access *access[SERVER_USER_CLIENTS], *more = NULL;
  for (unsigned i = 0; i < SERVER_USER_CLIENTS; i++)
    assert_int_equal(xdp_access_helper_open(path, "eth0", FAKE_IFINDEX, &access[i], &error), 0);
  for (unsigned i = 0; i < 50; i++) {
    assert_int_equal(xdp_access_helper_open(path, "eth0", FAKE_IFINDEX, &more, &error), -EUSERS);
    assert_non_null(strstr(error.why, "one user"));
  }
  for (unsigned i = 0; i < SERVER_USER_CLIENTS; i++)
    access[i]->ops->close(access[i]);
}

static void use_access(const char *path)
{
  struct shunt_error error = {0};
  struct xdp_access *access = NULL;
  struct xdp_attached granted = {0};
  struct shunt_xdp_rule rule;
  struct xdp_attach attach = {
      .mode = XDP_FLAGS_DRV_MODE, .queues = 1, .rules = &rule, .rule_count = 1};
  uint64_t packets = 0, bytes = 0;
  uint32_t id = 99;
  int fd = -1;
  const struct setup_wanted wanted = {.traps_try = SETUP_AGGREGATES};
  assert_int_equal(xdp_access_helper_open(path, "eth1", 8, &access, &error), -EACCES);
  assert_true(*error.why && *error.remedy);
  assert_int_equal(xdp_access_helper_open(path, "eth0", 8, &access, &error), -ENODEV);
  assert_int_equal(xdp_access_helper_open(path, "eth0", FAKE_IFINDEX, &access, &error), 0);
  assert_int_equal(access->ops->setup(access, &wanted, &error), 0);
  assert_int_equal(shunt_xdp_rule_parse("udp port 31001", &rule, &error), 0);
  assert_int_equal(access->ops->attach(access, &attach, &granted, &error), 0);
  assert_int_equal(granted.time, FILTER_TIME_SOFTWARE);
  const struct xdp_socket_wanted socket_wanted = {
      .send_bytes = XDP_SOCKET_SEND_BYTES_MOST, .busy_poll_us = 20, .busy_budget = 128};
  assert_int_equal(access->ops->socket(access, &socket_wanted, &fd, &error), 0);
  assert_true(fd >= 0);
  assert_memory_equal(&fake.wanted, &socket_wanted, sizeof(socket_wanted));
  assert_int_equal(fake.held_to, FAKE_IFINDEX);
  assert_int_equal(access->ops->socket_set(access, 1, fd, &error), 0);
  assert_int_equal(access->ops->socket_set(access, 3, fd, &error), -EACCES);
  const struct shunt_xdp_rule more[] = {rule, rule, rule};
  uint32_t ids[3];
  assert_int_equal(access->ops->rules_add(access, more, 3, ids, &error), 0);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(ids[i], i + 1);
  assert_int_equal(fake.changes, 1);
  id = ids[0];
  assert_int_equal(access->ops->rule_hits(access, id, &packets, &bytes, &error), 0);
  assert_int_equal(packets, 101);
  assert_int_equal(access->ops->rules_remove(access, ids, 2, &error), 0);
  assert_int_equal(fake.changes, 2);
  assert_int_equal(fake_live_rules(), 2);
  assert_int_equal(access->ops->rules_remove(access, ids, 1, &error), -ENOENT);
  assert_int_equal(access->ops->socket_clear(access, 1, &error), 0);
  access->ops->detach(access);
  access->ops->close(access);
  close(fd);
}

/* The helper ends while the driver has a port: check says so, and no call waits. */
static void tells_the_driver_of_its_end(const char *path, pthread_t serving)
{
  struct shunt_error error = {0};
  struct xdp_access *access = NULL;
  uint64_t packets, bytes;
  assert_int_equal(xdp_access_helper_open(path, "eth0", FAKE_IFINDEX, &access, &error), 0);
  assert_int_equal(access->ops->check(access, &error), 0);
  atomic_store(&ends, true);
  pthread_join(serving, NULL);
  assert_int_equal(access->ops->check(access, &error), 0); /* it is only slow */
  server_close(server);
  server = NULL;
  assert_int_equal(access->ops->check(access, &error), -ECONNRESET);
  assert_true(*error.why && *error.remedy);
  assert_int_equal(access->ops->rule_hits(access, 0, &packets, &bytes, &error), -ECONNRESET);
  assert_int_equal(access->ops->check(access, &error), -ECONNRESET);
  access->ops->close(access);
}

static void serves_the_driver(void **state)
{
  (void)state;
  char directory[] = "/tmp/shunt-helper-XXXXXX", path[64];
  struct shunt_error error = {0};
  struct xdp_access *access = NULL;
  int listener, second;
  pthread_t thread;
  assert_non_null(mkdtemp(directory));
  snprintf(path, sizeof(path), "%s/sock", directory);
  assert_int_equal(xdp_access_helper_open(path, "eth0", 7, &access, &error), -ENOENT);
  assert_non_null(strstr(error.remedy, "shunt xdp-helper"));
  assert_int_equal(server_listen(path, &listener, &error), 0);
  assert_int_equal(server_listen(path, &second, &error), -EADDRINUSE);
  atomic_store(&ends, false);
  assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
  is_turned_away(path);
  use_access(path);
  tells_the_driver_of_its_end(path, thread);
  close(listener);
  assert_int_equal(xdp_access_helper_open(path, "eth0", 7, &access, &error), -ECONNREFUSED);
  assert_int_equal(server_listen(path, &listener, &error), 0); /* a killed helper's is replaced */
  close(listener);
  unlink(path);
  rmdir(directory);
}

/* A helper that answers the second request as if it were another, and then, late, as it should. */
static void *answer_late(void *listener)
{
  static const uint16_t answers[] = {XDP_HELPER_HELLO, XDP_HELPER_DETACH, XDP_HELPER_RULE_HITS};
  union xdp_helper_request request;
  const int client = accept(*(int *)listener, NULL, NULL);
  struct pollfd wait = {.fd = client, .events = POLLIN};
  for (unsigned i = 0; i < 3; i++) {
    struct xdp_helper_reply answer = {.head = {XDP_HELPER_MAGIC, XDP_HELPER_VERSION, answers[i]},
                                      .packets = 77};
    if (i < 2 && (poll(&wait, 1, 10000) != 1 || recv(client, &request, sizeof(request), 0) <= 0))
      break;
    xdp_helper_send(client, &answer, sizeof(answer), -1);
  }
  const bool ended = poll(&wait, 1, 10000) == 1 && recv(client, &request, sizeof(request), 0) <= 0;
  close(client);
  return (void *)(intptr_t)ended;
}

/* A reply that belongs to nothing ends the connection: the next one would be taken for another's.
 */
static void stays_in_step(void **state)
{
  (void)state;
  char directory[] = "/tmp/shunt-helper-XXXXXX", path[64];
  struct shunt_error error = {0};
  struct xdp_access *access = NULL;
  uint64_t packets = 0, bytes = 0;
  int listener;
  void *ended;
  pthread_t thread;
  assert_non_null(mkdtemp(directory));
  snprintf(path, sizeof(path), "%s/sock", directory);
  assert_int_equal(server_listen(path, &listener, &error), 0);
  fcntl(listener, F_SETFL, 0);
  assert_int_equal(pthread_create(&thread, NULL, answer_late, &listener), 0);
  assert_int_equal(xdp_access_helper_open(path, "eth0", FAKE_IFINDEX, &access, &error), 0);
  assert_int_equal(access->ops->rule_hits(access, 0, &packets, &bytes, &error), -EPROTO);
  assert_int_equal(access->ops->rule_hits(access, 0, &packets, &bytes, &error), -ECONNRESET);
  assert_int_equal(packets, 0);
  assert_int_equal(access->ops->check(access, &error), -ECONNRESET);
  pthread_join(thread, &ended);
  assert_non_null(ended);
  access->ops->close(access);
  close(listener);
  unlink(path);
  rmdir(directory);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(serves_the_driver),
      TEST(stays_in_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
