/* SPDX-License-Identifier: BSD-2-Clause */
/* What ef_vi's calls answer to what can't be had, in the codes that programs for the cards know:
 * each pair of what a filter can ask for, filters that contradict themselves, missing privileges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#include "efvi_rig.h"

/* --- What goes together in a filter -------------------------------------------------------------
 */

#define UDP IPPROTO_UDP

static const struct in6_addr address6 = IN6ADDR_LOOPBACK_INIT;
static const uint8_t station[6] = {2, 0, 0, 0, 0, 1};

static int ip4_local(ef_filter_spec *spec)
{
  return ef_filter_spec_set_ip4_local(spec, UDP, htonl(0x0A000001), htons(5));
}
static int ip4_full(ef_filter_spec *spec)
{
  return ef_filter_spec_set_ip4_full(spec, UDP, htonl(0x0A000001), htons(5), htonl(0x0A000002),
                                     htons(6));
}
static int ip6_local(ef_filter_spec *spec)
{
  return ef_filter_spec_set_ip6_local(spec, UDP, &address6, htons(5));
}
static int ip6_full(ef_filter_spec *spec)
{
  return ef_filter_spec_set_ip6_full(spec, UDP, &address6, htons(5), &address6, htons(6));
}
static int vlan(ef_filter_spec *spec)
{
  return ef_filter_spec_set_vlan(spec, 5);
}
static int mac(ef_filter_spec *spec)
{
  return ef_filter_spec_set_eth_local(spec, EF_FILTER_VLAN_ID_ANY, station);
}
static int mac_in_vlan(ef_filter_spec *spec)
{
  return ef_filter_spec_set_eth_local(spec, 7, station);
}
static int sniff(ef_filter_spec *spec)
{
  return ef_filter_spec_set_port_sniff(spec, 0);
}
static int ip_proto(ef_filter_spec *spec)
{
  return ef_filter_spec_set_ip_proto(spec, IPPROTO_ICMP);
}
static int eth_type(ef_filter_spec *spec)
{
  return ef_filter_spec_set_eth_type(spec, htons(0x88B5));
}
static int dest(ef_filter_spec *spec)
{
  return ef_filter_spec_set_dest(spec, 0, 0);
}

/* goes: with which of the table, in its order, if that is set next. */
static const struct {
  const char *name;
  int (*set)(ef_filter_spec *spec);
  const char *goes;
} asked[] = {
    {"ip4_local", ip4_local, "----+-------------+"},
    {"ip4_full", ip4_full, "----+-------------+"},
    {"ip6_local", ip6_local, "----+-------------+"},
    {"ip6_full", ip6_full, "----+-------------+"},
    {"vlan", vlan, "++++---++++-----+++"},
    {"mac", mac, "----------------+++"},
    {"mac_in_vlan", mac_in_vlan, "----------------+++"},
    {"unicast_all", ef_filter_spec_set_unicast_all, "------------------+"},
    {"multicast_all", ef_filter_spec_set_multicast_all, "------------------+"},
    {"unicast_mismatch", ef_filter_spec_set_unicast_mismatch, "----+-------------+"},
    {"multicast_mismatch", ef_filter_spec_set_multicast_mismatch, "----+-------------+"},
    {"port_sniff", sniff, "-------------------"},
    {"tx_port_sniff", ef_filter_spec_set_tx_port_sniff, "-------------------"},
    {"block_kernel", ef_filter_spec_set_block_kernel, "-------------------"},
    {"block_kernel_multicast", ef_filter_spec_set_block_kernel_multicast, "-------------------"},
    {"block_kernel_unicast", ef_filter_spec_set_block_kernel_unicast, "-------------------"},
    {"ip_proto", ip_proto, "----+++-----------+"},
    {"eth_type", eth_type, "----+++-----------+"},
    {"dest", dest, "+++++++-+++-------+"},
};
#define ASKED (sizeof(asked) / sizeof(asked[0]))

static void pairs_of_conditions(void **state)
{
  (void)state;
  for (unsigned i = 0; i < ASKED; i++)
    for (unsigned j = 0; j < ASKED; j++) {
      ef_filter_spec spec;
      ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
      assert_int_equal(asked[i].set(&spec), 0);
      const int result = asked[j].set(&spec),
                right = asked[i].goes[j] == '+' ? 0 : -EPROTONOSUPPORT;
      if (result != right)
        fail_msg("%s, then %s: %d", asked[i].name, asked[j].name, result);
    }
}

/* Queue 0 can't be had for one alone. */
static void exclusive_queue_0(void **state)
{
  ef_filter_spec spec;
  (void)state;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_EXCLUSIVE_RXQ);
  assert_int_equal(ef_filter_spec_set_dest(&spec, 0, 0), -EINVAL);
  assert_int_equal(ef_filter_spec_set_dest(&spec, 1, 0), 0);
}

static int add(struct rig *rig, int (*one)(ef_filter_spec *), int (*other)(ef_filter_spec *),
               unsigned flags)
{
  ef_filter_spec spec;
  ef_filter_cookie cookie;
  ef_filter_spec_init(&spec, (enum ef_filter_flags)flags);
  assert_int_equal(one(&spec), 0);
  if (other)
    assert_int_equal(other(&spec), 0);
  const int result = ef_vi_filter_add(&rig->vi, rig->handle, &spec, &cookie);
  if (!result)
    assert_int_equal(ef_vi_filter_del(&rig->vi, rig->handle, &cookie), 0);
  return result;
}

static void contradictions(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 1);
  assert_int_equal(add(rig, vlan, NULL, 0), -EINVAL);
  assert_int_equal(add(rig, dest, NULL, 0), -EINVAL);
  assert_int_equal(add(rig, vlan, ef_filter_spec_set_unicast_all, 0), -EINVAL);
  assert_int_equal(add(rig, vlan, ef_filter_spec_set_multicast_all, 0), -EINVAL);
  assert_int_equal(add(rig, ef_filter_spec_set_unicast_all, dest, 0), -EINVAL);
  assert_int_equal(add(rig, ef_filter_spec_set_multicast_all, dest, 0), -EINVAL);
  assert_int_equal(add(rig, ef_filter_spec_set_unicast_mismatch, dest, 0), -EINVAL);
  assert_int_equal(add(rig, ef_filter_spec_set_multicast_mismatch, dest, 0), -EINVAL);
  assert_int_equal(add(rig, vlan, ef_filter_spec_set_unicast_mismatch, 0), 0);
  assert_int_equal(add(rig, ip4_local, NULL, EF_FILTER_FLAG_EXCLUSIVE_RXQ), 0);
  assert_int_equal(add(rig, ip4_local, NULL, EF_FILTER_FLAG_SHARED_RXQ), 0);
  assert_int_equal(
      add(rig, ip4_local, NULL, EF_FILTER_FLAG_EXCLUSIVE_RXQ | EF_FILTER_FLAG_SHARED_RXQ), -EINVAL);
}

/* --- Privileges ---------------------------------------------------------------------------------
 */

/* In a process of its own: an interface of the kernel takes a privilege that this has not. */
static int unprivileged(void)
{
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
    return 1;
  unsetenv("SHUNT_EFVI_DEVICE");
  if (ef_driver_open(&handle) || ef_pd_alloc_by_name(&pd, handle, "lo", EF_PD_DEFAULT))
    return 2;
  const int result =
      ef_vi_alloc_from_pd(&vi, handle, &pd, handle, -1, 63, 63, NULL, -1, EF_VI_FLAGS_DEFAULT);
  if (shunt_last_error()->code != result)
    return 3;
  return -result;
}

static void without_privileges(void **state)
{
  int status;
  (void)state;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(unprivileged());
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), EPERM);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_of_conditions),
      cmocka_unit_test(exclusive_queue_0),
      cmocka_unit_test_setup_teardown(contradictions, rig_set_up, rig_tear_down),
      cmocka_unit_test(without_privileges),
  };
  return cmocka_run_group_tests_name("efvi_codes", tests, NULL, NULL);
}
