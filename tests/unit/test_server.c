/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's server over socket pairs, with a kernel that only counts. The driver's side of it is
 * in test_access_helper.c. */
#include "src/xdp_helper/server.h"

#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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
  assert_int_equal(server_clients(server), 0); /* whom it refuses it lets go */
  close(client);
  client = join();
  assert_int_equal(hello(client, "eth1"), -EACCES);
  assert_true(*reply.why && *reply.remedy);
  assert_int_equal(server_clients(server), 0);
  close(client);
  client = join();
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

/* A connected client of that user; join's own is this process's. Returns its end; added: what
 * server_add said. */
static int join_as(uid_t user, int *added)
{
  int pair[2];
  assert_int_equal(seteuid(user), 0);
  const int made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
  assert_int_equal(seteuid(getuid()), 0);
  assert_int_equal(made, 0);
  *added = server_add(server, pair[1]);
  return pair[0];
}

/* A client that was let go finds why, and the end behind it. */
static void assert_turned_away(int client)
{
  int fd = -1;
  memset(&reply, 0, sizeof(reply));
  assert_int_equal(xdp_helper_receive(client, &reply, sizeof(reply), &fd), sizeof(reply));
  assert_int_equal(xdp_helper_reply_check(&reply, sizeof(reply), XDP_HELPER_HELLO), 0);
  assert_int_equal(reply.code, -EUSERS);
  assert_true(*reply.what && *reply.why && *reply.remedy);
  assert_int_equal(xdp_helper_receive(client, &reply, sizeof(reply), &fd), 0);
  close(client);
}

static void serves_so_many_of_one_user(void **state)
{
  (void)state;
  int clients[SERVER_USER_CLIENTS], pair[2];
  const union xdp_helper_request request = {
      .head = {XDP_HELPER_MAGIC, XDP_HELPER_VERSION, XDP_HELPER_HELLO}};
  for (unsigned i = 0; i < SERVER_USER_CLIENTS; i++)
    clients[i] = join();
  for (unsigned early = 0; early < 2; early++) { /* its HELLO is there already, or comes too late */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    if (early)
      assert_int_equal(xdp_helper_send(pair[0], &request, sizeof(request.hello), -1), 0);
    assert_int_equal(server_add(server, pair[1]), -EUSERS);
    if (!early)
      assert_int_equal(xdp_helper_send(pair[0], &request, sizeof(request.hello), -1), -EPIPE);
    assert_turned_away(pair[0]);
  }
  for (unsigned i = 0; i < SERVER_USER_CLIENTS; i++)
    leave(clients[i]);
}

#define STRANGER 20000 /* and the users behind */

static void is_not_locked_by_strangers(void **state)
{
  (void)state;
  int strangers[SERVER_CLIENTS], added;
  if (geteuid() != 0)
    skip();
  for (unsigned i = 0; i < SERVER_CLIENTS; i++) {
    strangers[i] = join_as(STRANGER + i / SERVER_USER_CLIENTS, &added);
    assert_int_equal(added, 0);
  }
  assert_int_equal(server_clients(server), SERVER_CLIENTS);
  int client = join(); /* in the place of the first */
  assert_turned_away(strangers[0]);
  assert_int_equal(hello(client, "eth0"), 0);
  for (unsigned i = 0; i < 3 * (SERVER_CLIENTS - 1); i++) {
    int stranger = join_as(STRANGER + SERVER_CLIENTS + i, &added), *oldest = &strangers[1];
    assert_int_equal(added, 0);
    oldest += i % (SERVER_CLIENTS - 1);
    assert_turned_away(*oldest);
    *oldest = stranger;
  }
  assert_int_equal(ask_rule(client, XDP_HELPER_RULE_STAGE, "arp"), 0);
  assert_int_equal(attach(client, XDP_FLAGS_DRV_MODE), 0);
  for (unsigned i = 1; i < SERVER_CLIENTS; i++)
    leave(strangers[i]);
  leave(client);
}

static void keeps_whom_it_serves(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  int clients[SERVER_CLIENTS], added;
  if (geteuid() != 0)
    skip();
  assert_int_equal(policy_parse(&policy, "a test", "user=* interface=eth0", &error), 0);
  for (unsigned i = 0; i < SERVER_CLIENTS; i++) {
    clients[i] = join_as(STRANGER + i / SERVER_USER_CLIENTS, &added);
    assert_int_equal(added, 0);
    assert_int_equal(hello(clients[i], "eth0"), 0);
  }
  int late = join_as(STRANGER + SERVER_CLIENTS, &added);
  assert_int_equal(added, -EUSERS);
  assert_turned_away(late);
  for (unsigned i = 0; i < SERVER_CLIENTS; i++)
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
      TEST(is_not_locked_by_strangers),
      TEST(keeps_whom_it_serves),
      TEST(holds_sockets_to_the_interface),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
