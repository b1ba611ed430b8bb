/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's server over socket pairs, with a kernel that only counts; the driver's own client
 * side (access_helper.c) over a socket in the file system. */
#include "src/xdp_helper/server.h"

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

static int join(void)
{
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  assert_int_equal(server_add(server, pair[1]), 0);
  return pair[0];
}

static struct xdp_helper_reply reply;

/* One request and its reply. Returns the code; -EPIPE where the client was cut off. */
static int ask_with(int client, union xdp_helper_request *request, uint16_t type, int fd)
{
  int received = -1;
  request->head = (struct xdp_helper_head){XDP_HELPER_MAGIC, XDP_HELPER_VERSION, type};
  assert_int_equal(xdp_helper_send(client, request, xdp_helper_request_bytes(type), fd), 0);
  assert_int_equal(server_turn(server, -1, 0), 0);
  ssize_t bytes = xdp_helper_receive(client, &reply, sizeof(reply), &received);
  if (bytes == 0)
    return -EPIPE;
  assert_true(bytes > 0);
  assert_int_equal(xdp_helper_reply_check(&reply, (size_t)bytes, type), 0);
  assert_int_equal(received >= 0, type == XDP_HELPER_SOCKET_NEW && reply.code == 0);
  if (received >= 0)
    close(received);
  return reply.code;
}

static int ask_bare(int client, uint16_t type)
{
  union xdp_helper_request request = {0};
  return ask_with(client, &request, type, -1);
}

static int ask_number(int client, uint16_t type, uint32_t number, int fd)
{
  union xdp_helper_request request = {.number = {.number = number}};
  return ask_with(client, &request, type, fd);
}

static int ask_rule(int client, uint16_t type, const char *text)
{
  union xdp_helper_request request = {0};
  snprintf(request.rule.text, sizeof(request.rule.text), "%s", text);
  return ask_with(client, &request, type, -1);
}

static int add_rule(int client, const char *text)
{
  int code = ask_rule(client, XDP_HELPER_RULE_STAGE, text);
  return code ? code : ask_bare(client, XDP_HELPER_RULES_ADD);
}

static int remove_rule(int client, uint32_t id)
{
  int code = ask_number(client, XDP_HELPER_ID_STAGE, id, -1);
  return code ? code : ask_bare(client, XDP_HELPER_RULES_REMOVE);
}

static int hello(int client, const char *interface)
{
  union xdp_helper_request request = {
      .hello = {.space = xdp_helper_namespace(), .ifindex = FAKE_IFINDEX}};
  snprintf(request.hello.interface, sizeof(request.hello.interface), "%s", interface);
  return ask_with(client, &request, XDP_HELPER_HELLO, -1);
}

static int attach(int client, uint32_t mode)
{
  union xdp_helper_request request = {.attach = {.mode = mode, .queues = 1}};
  return ask_with(client, &request, XDP_HELPER_ATTACH, -1);
}

static int attached(const char *text)
{
  int client = join();
  assert_int_equal(hello(client, "eth0"), 0);
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, text), 0);
  assert_int_equal(attach(client, XDP_FLAGS_DRV_MODE), 0);
  return client;
}

static void leave(int client)
{
  unsigned before = server_clients(server);
  close(client);
  assert_int_equal(server_turn(server, -1, 0), 0);
  assert_int_equal(server_clients(server), before - 1);
}

static int null_fd(void)
{
  return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* ---- What it does for clients ---- */

static void serves_a_client(void **state)
{
  (void)state;
  int client = attached("udp port 9"), fd = null_fd();
  assert_int_equal(reply.value, FILTER_TIME_SOFTWARE);
  assert_int_equal(fake.filters, 1);
  assert_int_equal(ask_bare(client, XDP_HELPER_SOCKET_NEW), 0);
  assert_int_equal(ask_number(client, XDP_HELPER_SOCKET_SET, 2, fd), 0);
  assert_true(fake.queues[2]);
  assert_int_equal(add_rule(client, "arp"), 0);
  assert_int_equal(reply.value, 1);
  assert_int_equal(ask_number(client, XDP_HELPER_RULE_HITS, 1, -1), 0);
  assert_int_equal(reply.packets, 101);
  assert_int_equal(remove_rule(client, 1), 0);
  assert_int_equal(remove_rule(client, 1), -ENOENT);
  assert_int_equal(ask_number(client, XDP_HELPER_SOCKET_CLEAR, 2, -1), 0);
  assert_false(fake.queues[2]);
  union xdp_helper_request request = {.setup = {.traps_try = SETUP_PARTIAL_CHECKSUMS}};
  assert_int_equal(ask_with(client, &request, XDP_HELPER_SETUP, -1), 0);
  assert_int_equal(fake.setups, 1);
  assert_int_equal(ask_bare(client, XDP_HELPER_DETACH), 0);
  assert_int_equal(fake.filters, 0);
  assert_int_equal(attach(client, XDP_FLAGS_SKB_MODE), -EACCES); /* "all" is not allowed */
  leave(client);
  assert_int_equal(fake.setups, 0);
  close(fd);
}

static void shares_a_program(void **state)
{
  (void)state;
  int first = attached("udp port 9"), second = attached("udp port 10"), fd = null_fd();
  assert_int_equal(fake.filters, 1);
  assert_int_equal(fake_live_rules(), 2);
  assert_int_equal(ask_number(first, XDP_HELPER_SOCKET_SET, 0, fd), 0);
  assert_int_equal(ask_number(second, XDP_HELPER_SOCKET_SET, 0, fd), -EBUSY);
  assert_int_equal(ask_number(second, XDP_HELPER_SOCKET_SET, 1, fd), 0);
  /* Each knows its own rules, by numbers of its own. */
  assert_int_equal(ask_number(second, XDP_HELPER_RULE_HITS, 0, -1), 0);
  assert_int_equal(reply.packets, 101);
  assert_int_equal(ask_number(second, XDP_HELPER_RULE_HITS, 1, -1), -ENOENT);
  assert_int_equal(ask_number(second, XDP_HELPER_SOCKET_CLEAR, 0, -1), 0);
  assert_true(fake.queues[0]); /* it was not its own to clear */
  leave(first);
  assert_int_equal(fake.filters, 1);
  assert_false(fake.queues[0]);
  assert_true(fake.queues[1]);
  assert_int_equal(fake_live_rules(), 1);
  leave(second);
  assert_int_equal(fake.filters, 0);
  close(fd);
}

static void refuses_another_kind_of_program(void **state)
{
  (void)state;
  int first = attached("udp port 9"), second = join();
  assert_int_equal(hello(second, "eth0"), 0);
  assert_int_equal(ask_rule(second, XDP_HELPER_RULE_STAGE, "arp"), 0);
  assert_int_equal(attach(second, XDP_FLAGS_SKB_MODE), -EBUSY);
  assert_non_null(strstr(reply.why, "mode"));
  assert_int_equal(fake_live_rules(), 1);
  leave(first);
  leave(second);
}

static void passes_on_a_refusal(void **state)
{
  (void)state;
  int client = join();
  fake.refuse_filter = true;
  assert_int_equal(hello(client, "eth0"), 0);
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, "arp"), 0);
  assert_int_equal(attach(client, XDP_FLAGS_HW_MODE), -EOPNOTSUPP);
  assert_string_equal(reply.what, "no such mode here");
  fake.refuse_filter = false; /* the next rung; its rules are told again */
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, "arp"), 0);
  assert_int_equal(attach(client, XDP_FLAGS_DRV_MODE), 0);
  assert_int_equal(fake_live_rules(), 1);
  leave(client);
}

/* ---- What it does not ---- */

static void holds_to_the_policy(void **state)
{
  (void)state;
  int client = join(), fd = null_fd();
  assert_int_equal(ask_bare(client, XDP_HELPER_SOCKET_NEW), -ENOTCONN);
  assert_int_equal(hello(client, "eth1"), -EACCES);
  assert_true(*reply.why && *reply.remedy);
  assert_int_equal(hello(client, "eth0"), 0);
  assert_int_equal(hello(client, "eth0"), -EALREADY);
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, "tcp port 22"), -EACCES);
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, "drop udp port 9"), -EACCES);
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, "gibberish"), -EINVAL);
  assert_int_equal(add_rule(client, "arp"), -ENOTCONN);
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, "arp"), 0);
  assert_int_equal(attach(client, 99), -EINVAL);
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, "arp"), 0);
  assert_int_equal(attach(client, XDP_FLAGS_DRV_MODE), 0);
  assert_int_equal(ask_number(client, XDP_HELPER_SOCKET_SET, 3, fd), -EACCES);
  assert_int_equal(add_rule(client, "all"), -EACCES);
  union xdp_helper_request request = {.setup = {.mtu = 9000}};
  assert_int_equal(ask_with(client, &request, XDP_HELPER_SETUP, -1), -EACCES);
  assert_int_equal(fake.setups, 0);
  leave(client);
  close(fd);
}

static void cuts_off_who_breaks_the_protocol(void **state)
{
  (void)state;
  uint8_t noise[sizeof(union xdp_helper_request) + 1];
  for (unsigned bytes = 1; bytes <= sizeof(noise); bytes += 37) {
    int client = join();
    memset(noise, (int)bytes, sizeof(noise));
    assert_int_equal(send(client, noise, bytes, 0), bytes);
    assert_int_equal(server_turn(server, -1, 0), 0);
    assert_int_equal(server_clients(server), 0);
    close(client);
  }
  /* A descriptor where none belongs. */
  int client = join(), fd = null_fd();
  union xdp_helper_request request = {
      .head = {XDP_HELPER_MAGIC, XDP_HELPER_VERSION, XDP_HELPER_DETACH}};
  assert_int_equal(xdp_helper_send(client, &request, sizeof(request.bare), fd), 0);
  assert_int_equal(server_turn(server, -1, 0), 0);
  assert_int_equal(server_clients(server), 0);
  close(client);
  close(fd);
}

static void cuts_off_who_does_not_read(void **state)
{
  (void)state;
  int client = join(), small = 1;
  unsigned sent = 0;
  assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
  union xdp_helper_request request = {
      .head = {XDP_HELPER_MAGIC, XDP_HELPER_VERSION, XDP_HELPER_DETACH}};
  while (server_clients(server) && sent < 10000) {
    assert_int_equal(xdp_helper_send(client, &request, sizeof(request.bare), -1), 0);
    assert_int_equal(server_turn(server, -1, 0), 0);
    sent++;
  }
  assert_int_equal(server_clients(server), 0);
  close(client);
}

static void serves_so_many_of_one_user(void **state)
{
  (void)state;
  int clients[SERVER_USER_CLIENTS], pair[2];
  for (unsigned i = 0; i < SERVER_USER_CLIENTS; i++)
    clients[i] = join();
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  assert_int_equal(server_add(server, pair[1]), -EUSERS);
  close(pair[0]);
  for (unsigned i = 0; i < SERVER_USER_CLIENTS; i++)
    leave(clients[i]);
}

/* What is made for a user who may have any interface can be bound to any. */
static void holds_sockets_to_the_interface(void **state)
{
  (void)state;
  char text[64];
  struct shunt_error error = {0};
  int client = join();
  assert_int_equal(hello(client, "eth0"), 0);
  assert_int_equal(ask_bare(client, XDP_HELPER_SOCKET_NEW), 0);
  assert_int_equal(fake.held_to, FAKE_IFINDEX);
  leave(client);
  memset(&policy, 0, sizeof(policy));
  snprintf(text, sizeof(text), "user=%u interface=*", getuid());
  assert_int_equal(policy_parse(&policy, "a test", text, &error), 0);
  client = join();
  assert_int_equal(hello(client, "eth0"), 0);
  assert_int_equal(ask_bare(client, XDP_HELPER_SOCKET_NEW), 0);
  assert_int_equal(fake.held_to, 0);
  leave(client);
}

/* ---- The driver's side ---- */

static atomic_bool ends;

static void *serve(void *listener)
{
  while (!atomic_load(&ends))
    server_turn(server, *(int *)listener, 20);
  return NULL;
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
      TEST(serves_a_client),
      TEST(shares_a_program),
      TEST(refuses_another_kind_of_program),
      TEST(passes_on_a_refusal),
      TEST(holds_to_the_policy),
      TEST(cuts_off_who_breaks_the_protocol),
      TEST(cuts_off_who_does_not_read),
      TEST(serves_so_many_of_one_user),
      TEST(holds_sockets_to_the_interface),
      TEST(serves_the_driver),
      TEST(stays_in_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
