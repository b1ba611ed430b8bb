/* SPDX-License-Identifier: BSD-2-Clause */
/* A filter where another program is on the interface: it stays out, or joins. */
#include <signal.h>
#include <sys/wait.h>

#include "src/bpf/assembler.h"
#include "src/bpf/bpf_attach.h"
#include "src/netlink/interface.h"
#include "tests/unit/filter_rig.h"

static uint32_t attached_program(void)
{
  struct bpf_attached attached;
  struct shunt_error error;

  assert_int_equal(bpf_attach_query((int)interface, &attached, &error), 0);
  return attached.program;
}

static void test_someone_is_there(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct shunt_error error = {0};
  struct filter *second = NULL;

  need_veth();
  struct filter *filter = open_rules(&options, "udp port 3");
  uint32_t program = attached_program();
  assert_int_equal(filter_open(&options, NULL, 0, &second, &error), -EBUSY);
  assert_null(second);
  assert_non_null(strstr(error.why, "shunt_filter"));
  assert_int_equal(attached_program(), program);
  filter_close(filter);
  assert_int_equal(attached_program(), 0);
}

static void test_join(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct shunt_xdp_rule all = {.size = sizeof(all)};
  struct shunt_error error = {0};
  struct filter *joined = NULL;
  struct xdp_socket theirs;
  uint64_t packets, bytes;
  uint32_t id, length;

  need_veth();
  struct filter *filter = open_rules(&options, "udp port 3");
  int sender = packet_socket(peer);
  uint32_t program = attached_program();
  assert_true(xdp_socket_open(&theirs, interface, 0));
  assert_int_equal(filter_socket_set(filter, 0, theirs.fd, &error), 0);

  options.join = true;
  options.queues = 9; /* its map has 4 */
  assert_int_equal(filter_open(&options, NULL, 0, &joined, &error), -EBUSY);
  options.queues_used = 5;
  assert_int_equal(filter_open(&options, NULL, 0, &joined, &error), -EBUSY);
  assert_non_null(strstr(error.why, "its XSKMAP has 4 entries"));
  assert_non_null(strstr(error.why, "queue 4"));
  options.queues_used = 4;
  options.mode = XDP_FLAGS_DRV_MODE; /* its program is not in the driver, whatever we ask for */
  assert_int_equal(filter_open(&options, NULL, 0, &joined, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.why, "skb mode"));
  options.mode = XDP_FLAGS_SKB_MODE;
  if (filter_open(&options, NULL, 0, &joined, &error))
    fail_msg("%s: %s", error.what, error.why);
  assert_true(filter_joined(joined));
  assert_int_equal(filter_link_fd(joined), -1);
  assert_int_equal(filter_rule_add(joined, &all, &id, &error), -EOPNOTSUPP);
  assert_int_equal(filter_rule_hits(joined, 0, &packets, &bytes, &error), -EOPNOTSUPP);
  int ours = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  assert_int_equal(filter_socket_set(joined, 0, ours, &error), -EBUSY);
  assert_int_equal(filter_socket_set(joined, 1, ours, &error), 0);
  filter_close(joined);
  assert_int_equal(attached_program(), program);
  /* Our entry is free again, and theirs still there. */
  assert_int_equal(filter_socket_set(filter, 1, ours, &error), 0);
  send_port(sender, 3, 0);
  wait_hits(filter, 0, 1);
  assert_non_null(xdp_socket_receive(&theirs, &length));
  close(ours);
  close(sender);
  xdp_socket_close(&theirs);
  filter_close(filter);
}

/* ---- Gone meanwhile ---- */

static void test_detached(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct shunt_error error = {0};
  uint32_t program;
  int fd;

  need_veth();
  struct filter *filter = open_rules(&options, "udp port 3");
  assert_int_equal(filter_check(filter, &error), 0);
  assert_int_equal(interface_read_program((int)interface, &program), 0);
  assert_int_equal(program, attached_program());
  assert_int_equal(bpf_link_detach(filter_link_fd(filter), &error), 0);
  assert_int_equal(filter_check(filter, &error), -ENOLINK);
  assert_non_null(strstr(error.why, "the link was detached"));
  assert_int_equal(interface_read_program((int)interface, &program), 0);
  assert_int_equal(program, 0);
  filter_close(filter);

  options.no_link = true;
  filter = open_rules(&options, "udp port 3");
  assert_int_equal(filter_check(filter, &error), 0);
  assert_int_equal(bpf_program_open(attached_program(), &fd, &error), 0);
  assert_int_equal(bpf_attach_replace(-1, fd, (int)interface, options.mode, &error), 0);
  close(fd);
  assert_int_equal(filter_check(filter, &error), -ENOLINK);
  filter_close(filter);
}

/* The owner of a joined program may change its rules, which makes another program on the same map;
 * but where it ends, no frame comes any more, also where somebody else is there by then. */
static void test_joined_and_left(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE), joining = options;
  struct shunt_xdp_rule all = {.size = sizeof(all)};
  struct shunt_error error = {0};
  struct filter *joined = NULL;
  uint32_t id;

  need_veth();
  joining.join = true;
  struct filter *owner = open_rules(&options, "udp port 3");
  assert_int_equal(filter_open(&joining, NULL, 0, &joined, &error), 0);
  assert_int_equal(filter_check(joined, &error), 0);
  const uint32_t before = attached_program();
  assert_int_equal(filter_rule_add(owner, &all, &id, &error), 0);
  assert_int_not_equal(attached_program(), before);
  assert_int_equal(filter_check(joined, &error), 0);
  filter_close(owner);
  assert_int_equal(filter_check(joined, &error), -ENOLINK);
  assert_non_null(strstr(error.why, "its owner has ended"));
  owner = open_rules(&options, "udp port 3");
  assert_int_equal(filter_check(joined, &error), -ENOLINK);
  assert_non_null(strstr(error.why, "another is there"));
  filter_close(joined);
  filter_close(owner);
}

static void test_join_refused(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct shunt_error error = {0};
  struct bpf_assembler *a = NULL;
  struct bpf_program_spec spec = {.name = "stranger"};
  struct filter *filter = NULL;
  int program, link;

  need_veth();
  assert_int_equal(bpf_assembler_new(&a, &error), 0);
  bpf_move_imm(a, R0, XDP_PASS);
  bpf_exit(a);
  assert_int_equal(bpf_assemble(a, &spec.insns, &spec.count, &error), 0);
  assert_int_equal(bpf_program_load(&spec, &program, &error), 0);
  assert_int_equal(bpf_link_xdp(program, (int)interface, XDP_FLAGS_SKB_MODE, &link, &error), 0);
  uint32_t id = attached_program();
  options.join = true;
  assert_int_equal(filter_open(&options, NULL, 0, &filter, &error), -EBUSY);
  assert_non_null(strstr(error.why, "stranger"));
  assert_non_null(strstr(error.why, "no XSKMAP"));
  assert_int_equal(attached_program(), id);
  close(link);
  close(program);
  bpf_assembler_free(a);
}

/* ---- Kernels without links ---- */

static void test_netlink(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct shunt_error error = {0};
  struct shunt_xdp_rule rule;
  uint32_t id;

  need_veth();
  options.no_link = true;
  struct filter *filter = open_rules(&options, "udp port 3");
  int sender = packet_socket(peer);
  const uint32_t first = attached_program();
  assert_int_equal(filter_link_fd(filter), -1);
  assert_true(first);
  send_port(sender, 3, 0);
  wait_hits(filter, 0, 1);

  assert_int_equal(shunt_xdp_rule_parse("udp port 4", &rule, &error), 0);
  if (filter_rule_add(filter, &rule, &id, &error))
    fail_msg("%s: %s", error.what, error.why);
  assert_true(attached_program() && attached_program() != first);
  send_port(sender, 4, 0);
  wait_hits(filter, id, 1);
  send_port(sender, 3, 0);
  wait_hits(filter, 0, 2);
  close(sender);
  filter_close(filter);
  assert_int_equal(attached_program(), 0);
}

/* What a killed process leaves is named, with the command that takes it off. */
static void test_netlink_leftover(void **state)
{
  (void)state;
  struct filter_options options = options_of(XDP_FLAGS_SKB_MODE);
  struct shunt_error error = {0};
  struct filter *filter = NULL;
  int status = 0;

  need_veth();
  options.no_link = true;
  pid_t child = fork();
  if (child == 0) {
    open_rules(&options, "udp port 3");
    raise(SIGKILL);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
  assert_true(attached_program());
  assert_int_equal(filter_open(&options, NULL, 0, &filter, &error), -EBUSY);
  assert_non_null(strstr(error.why, "attached through netlink"));
  assert_non_null(strstr(error.remedy, "ip link set dev shunta xdpgeneric off"));
  assert_int_equal(system("ip link set dev shunta xdpgeneric off"), 0);
  if (filter_open(&options, NULL, 0, &filter, &error))
    fail_msg("%s: %s", error.what, error.why);
  filter_close(filter);
  assert_int_equal(attached_program(), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_someone_is_there), cmocka_unit_test(test_join),
      cmocka_unit_test(test_detached),         cmocka_unit_test(test_joined_and_left),
      cmocka_unit_test(test_join_refused),     cmocka_unit_test(test_netlink),
      cmocka_unit_test(test_netlink_leftover),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
