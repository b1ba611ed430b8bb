/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/interface.h"

#include <errno.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/veth_rig.h"

static bool usable;

static int enter(void **state)
{
  (void)state;
  usable = veth_rig_enter();
  return 0;
}

static struct interface_state read_back(const char *name)
{
  struct interface_state state;
  struct shunt_error error = {0};
  if (interface_read(name, &state, &error))
    fail_msg("%s: %s", error.what, error.why);
  return state;
}

static void reads_a_veth(void **context)
{
  (void)context;
  if (!usable)
    skip();
  struct interface_state ours = read_back(VETH_OURS), theirs = read_back(VETH_THEIRS);
  assert_string_equal(ours.name, VETH_OURS);
  assert_string_equal(ours.driver, "veth");
  assert_true(ours.up && ours.carrier && ours.has_mac);
  assert_int_equal(ours.mtu, 1500);
  assert_int_equal(ours.rx_queues, 4);
  assert_int_equal(ours.tx_queues, 4);
  assert_int_equal(ours.peer, theirs.ifindex);
  assert_true(ours.peer_is_here);
  assert_int_equal(theirs.peer, ours.ifindex);
  assert_int_equal(ours.xdp_attached, XDP_ATTACHED_NONE);
  assert_int_equal(ours.xdp_program, 0);
  assert_int_equal(ours.numa_node, -1);
  assert_true(ours.channels.known);
  assert_int_equal(ours.channels.rx_max, 4);
  assert_int_equal(ours.channels.combined_max, 0);
  assert_true(ours.offloads_known);
  assert_true(ours.offloads & INTERFACE_TX_CHECKSUM_GENERIC);
  assert_true(ours.offloads_changeable & INTERFACE_TX_CHECKSUM_GENERIC);
  assert_false(ours.offloads_changeable & INTERFACE_RX_LRO);
}

/* A child in a namespace of its own, which holds it until the pipe is closed. */
static pid_t another_namespace(int *hold)
{
  int ready[2], held[2];
  char byte = 0;
  assert_int_equal(pipe(ready), 0);
  assert_int_equal(pipe(held), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(held[1]);
    byte = unshare(CLONE_NEWNET) ? 'n' : 'y';
    (void)!write(ready[1], &byte, 1);
    (void)!read(held[0], &byte, 1);
    _exit(0);
  }
  close(held[0]);
  close(ready[1]);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  assert_int_equal(byte, 'y');
  *hold = held[1];
  return child;
}

static void sees_a_peer_that_is_elsewhere(void **context)
{
  (void)context;
  char command[128];
  int hold;
  if (!usable)
    skip();
  pid_t child = another_namespace(&hold);
  snprintf(command, sizeof(command), "ip link add shuntc type veth peer name shuntd netns %d",
           (int)child);
  assert_int_equal(system(command), 0);
  struct interface_state state = read_back("shuntc");
  assert_string_equal(state.driver, "veth");
  assert_true(state.peer > 0);
  assert_false(state.peer_is_here);
  assert_int_equal(system("ip link del shuntc"), 0);
  close(hold);
  waitpid(child, NULL, 0);
}

static void takes_altnames(void **context)
{
  (void)context;
  static const char longer[] = "an-altname-that-is-longer-than-fifteen";
  struct interface_state state;
  struct shunt_error error = {0};
  char command[160], longest[INTERFACE_NAME_BYTES + 1] = "";
  if (!usable)
    skip();
  snprintf(command, sizeof(command),
           "ip link property add dev " VETH_OURS " altname shortalt altname %s", longer);
  if (system(command))
    skip(); /* a kernel before 5.5 */
  const int ifindex = read_back(VETH_OURS).ifindex;
  assert_int_equal(read_back("shortalt").ifindex, ifindex);
  assert_int_equal(read_back(longer).ifindex, ifindex);
  assert_string_equal(read_back(longer).name, VETH_OURS);
  assert_int_equal(interface_read("an-altname-that-nobody-has", &state, &error), -ENODEV);
  assert_non_null(strstr(error.what, "\"an-altname-that-nobody-has\""));
  memset(longest, 'a', sizeof(longest) - 1);
  assert_int_equal(interface_read(longest, &state, &error), -ENODEV);
  assert_non_null(strstr(error.what, longest));
  snprintf(command, sizeof(command),
           "ip link property del dev " VETH_OURS " altname shortalt altname %s", longer);
  assert_int_equal(system(command), 0);
}

static void changes_what_it_is_asked_to(void **context)
{
  (void)context;
  struct shunt_error error = {0};
  if (!usable)
    skip();
  int ifindex = read_back(VETH_OURS).ifindex;
  assert_int_equal(interface_set_mtu(ifindex, 3000, &error), 0);
  assert_int_equal(interface_set_channels(ifindex, "rx", 2, &error), 0);
  assert_int_equal(interface_set_channels(ifindex, "tx", 3, &error), 0);
  assert_int_equal(interface_set_offload(ifindex, INTERFACE_TX_CHECKSUM_GENERIC, false, &error), 0);
  struct interface_state state = read_back(VETH_OURS);
  assert_int_equal(state.mtu, 3000);
  assert_int_equal(state.channels.rx, 2);
  assert_int_equal(state.channels.tx, 3);
  assert_false(state.offloads & INTERFACE_TX_CHECKSUM_GENERIC);
  assert_int_equal(interface_set_offload(ifindex, INTERFACE_TX_CHECKSUM_GENERIC, true, &error), 0);
  assert_true(read_back(VETH_OURS).offloads & INTERFACE_TX_CHECKSUM_GENERIC);
  assert_int_equal(interface_set_up(ifindex, false, &error), 0);
  assert_false(read_back(VETH_OURS).up);
  assert_int_equal(interface_set_up(ifindex, true, &error), 0);
  assert_true(read_back(VETH_OURS).up);
}

static void says_why_it_can_not(void **context)
{
  (void)context;
  struct shunt_error error = {0};
  struct interface_state state;
  if (!usable)
    skip();
  int ifindex = read_back(VETH_OURS).ifindex;
  assert_int_equal(interface_read("", &state, &error), -ENODEV);
  assert_int_equal(interface_read("nosuchinterfacewhatever", &state, &error), -ENODEV);
  assert_int_equal(interface_read("shuntx", &state, &error), -ENODEV);
  assert_non_null(strstr(error.what, "shuntx"));
  assert_true(*error.why && *error.remedy);
  assert_int_equal(interface_read_index(9999, &state, &error), -ENODEV);
  assert_int_equal(interface_set_channels(ifindex, "rx", 5, &error), -EINVAL);
  assert_non_null(strstr(error.why, "exceeds maximum")); /* the kernel's own words */
  assert_true(interface_set_channels(ifindex, "combined", 1, &error) < 0);
  assert_true(interface_set_mtu(ifindex, 10, &error) < 0);
  assert_int_equal(interface_set_offload(ifindex, INTERFACE_RX_LRO, true, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.why, "fixed"));
  assert_int_equal(interface_set_offload(ifindex, (enum interface_offload)0, true, &error),
                   -EINVAL);
  assert_int_equal(interface_set_mtu(9999, 1500, &error), -ENODEV);
}

struct seen {
  unsigned links, addresses;
  int stop;
};

static int see_link(void *context, const struct interface_state *state)
{
  struct seen *seen = context;
  assert_true(state->ifindex > 0 && *state->name);
  seen->links++;
  return seen->stop;
}

static int see_address(void *context, int ifindex, const char *text)
{
  struct seen *seen = context;
  assert_true(ifindex > 0);
  seen->addresses += !strcmp(text, "127.0.0.1/8") || !strcmp(text, "10.1.2.3/24");
  return seen->stop;
}

static void lists_all(void **context)
{
  (void)context;
  struct seen seen = {0}, stopped = {.stop = -ECANCELED};
  struct shunt_error error = {0};
  if (!usable)
    skip();
  assert_int_equal(system("ip addr add 10.1.2.3/24 dev " VETH_OURS), 0);
  assert_int_equal(interface_list(see_link, &seen, &error), 0);
  assert_true(seen.links >= 3);
  assert_int_equal(interface_list_addresses(see_address, &seen, &error), 0);
  assert_int_equal(seen.addresses, 2);
  assert_int_equal(interface_list(see_link, &stopped, &error), -ECANCELED);
  assert_int_equal(stopped.links, 1);
}

static void names_offloads(void **context)
{
  (void)context;
  for (unsigned i = 0; i < INTERFACE_OFFLOADS; i++) {
    const char *name = interface_offload_name((enum interface_offload)(1u << i));
    assert_non_null(name);
    assert_int_equal(interface_offload_bit(name), 1u << i);
  }
  assert_null(interface_offload_name((enum interface_offload)(1u << INTERFACE_OFFLOADS)));
  assert_null(interface_offload_name((enum interface_offload)3));
  assert_int_equal(interface_offload_bit("rx-nothing"), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_offloads),
      cmocka_unit_test(reads_a_veth),
      cmocka_unit_test(sees_a_peer_that_is_elsewhere),
      cmocka_unit_test(takes_altnames),
      cmocka_unit_test(changes_what_it_is_asked_to),
      cmocka_unit_test(says_why_it_can_not),
      cmocka_unit_test(lists_all),
  };
  return cmocka_run_group_tests(tests, enter, NULL);
}
