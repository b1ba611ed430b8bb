/* SPDX-License-Identifier: BSD-2-Clause */
/* What a switch sees: the other end of a veth pair reads every frame that our joins, leaves and
 * answers send. */
#include "shunt/multicast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shunt/bytes.h"
#include "shunt/ethernet.h"
#include "shunt/igmp.h"
#include "src/netlink/interface.h"
#include "src/netlink/membership.h"
#include "tests/unit/veth_rig.h"

static bool usable;
static int switch_port = -1; /* reads and sends frames at the other end */

static int enter(void **state)
{
  (void)state;
  if (!veth_rig_enter() || system("ip addr add 10.5.0.1/24 dev " VETH_OURS))
    return 0;
  struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                .sll_protocol = htons(ETH_P_ALL),
                                .sll_ifindex = (int)if_nametoindex(VETH_THEIRS)};
  switch_port = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
  usable = switch_port >= 0 && !bind(switch_port, (struct sockaddr *)&address, sizeof(address));
  return 0;
}

static int leave(void **state)
{
  (void)state;
  if (switch_port >= 0)
    close(switch_port);
  return 0;
}

static void speak_version(int version)
{
  char command[96];
  snprintf(command, sizeof(command),
           "echo %d >/proc/sys/net/ipv4/conf/" VETH_OURS "/force_igmp_version", version);
  assert_int_equal(system(command), 0);
}

/* Whether an IGMP message has this type, and names the group (version 3: in any record, of this
 * type where record is not 0, with this source where it is not 0). */
static bool is_report(const uint8_t *igmp, size_t bytes, uint8_t type, uint8_t record,
                      uint32_t group, uint32_t source)
{
  if (bytes < 8 || igmp[0] != type)
    return false;
  if (type != SHUNT_IGMP_REPORT_V3)
    return shunt_load_be32(igmp + 4) == group;
  const uint8_t *at = igmp + 8;
  for (unsigned left = shunt_load_be16(igmp + 6); left && at + 8 <= igmp + bytes; left--) {
    unsigned sources = shunt_load_be16(at + 2);
    if (at[0] == record && shunt_load_be32(at + 4) == group &&
        (!source || (sources == 1 && shunt_load_be32(at + 8) == source)))
      return true;
    at += 8 + 4 * sources + 4 * (size_t)at[1];
  }
  return false;
}

/* Wait for it at most two seconds. */
static bool sees(uint8_t type, uint8_t record, uint32_t group, uint32_t source)
{
  uint8_t frame[2048];
  for (unsigned i = 0; i < 200; i++) {
    struct pollfd wait = {.fd = switch_port, .events = POLLIN};
    if (poll(&wait, 1, 10) < 1)
      continue;
    ssize_t bytes = recv(switch_port, frame, sizeof(frame), MSG_DONTWAIT);
    size_t header = bytes > 34 ? (frame[14] & 15u) * 4 : 0;
    if (bytes > 34 && shunt_load_be16(frame + 12) == ETH_P_IP && frame[23] == IPPROTO_IGMP &&
        frame[22] == 1 /* time to live */ &&
        is_report(frame + 14 + header, (size_t)bytes - 14 - header, type, record, group, source))
      return true;
  }
  return false;
}

static void send_query(void)
{
  /* Version 2, answer within 0.1 s (RFC 2236, section 2). */
  uint8_t frame[60] = {0x01, 0, 0x5e, 0,  0, 1, 2,    0, 0, 0, 0,    9, 8,    0,
                       0x46, 0, 0,    32, 0, 0, 0,    0, 1, 2, 0,    0, 10,   5,
                       0,    2, 224,  0,  0, 1, 0x94, 4, 0, 0, 0x11, 1, 0xee, 0xfe};
  uint32_t sum = 0;
  for (unsigned i = 14; i < 38; i += 2)
    sum += shunt_load_be16(frame + i);
  sum = (sum & 0xffff) + (sum >> 16);
  shunt_store_be16(frame + 24, (uint16_t) ~(sum + (sum >> 16)));
  struct sockaddr_ll to = {.sll_family = AF_PACKET,
                           .sll_ifindex = (int)if_nametoindex(VETH_THEIRS)};
  assert_int_equal(sendto(switch_port, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
                   sizeof(frame));
}

#define GROUP 0xef010101u /* 239.1.1.1 */

static struct shunt_multicast *open_on(const char *name)
{
  struct shunt_multicast *multicast = NULL;
  struct shunt_error error = {0};
  if (shunt_multicast_open(name, &multicast, &error))
    fail_msg("%s: %s", error.what, error.why);
  return multicast;
}

static void version_2(void **context)
{
  (void)context;
  if (!usable)
    skip();
  speak_version(2);
  struct shunt_multicast *multicast = open_on("xdp:" VETH_OURS "?queue=0");
  assert_int_equal(shunt_multicast_join(multicast, "239.1.1.1", NULL, NULL), 0);
  assert_true(sees(SHUNT_IGMP_REPORT_V2, 0, GROUP, 0));
  send_query();
  assert_true(sees(SHUNT_IGMP_REPORT_V2, 0, GROUP, 0));
  assert_int_equal(shunt_multicast_leave(multicast, "239.1.1.1", NULL, NULL), 0);
  assert_true(sees(SHUNT_IGMP_LEAVE, 0, GROUP, 0));
  shunt_multicast_close(multicast);
}

static void version_3(void **context)
{
  (void)context;
  if (!usable)
    skip();
  speak_version(3);
  struct shunt_multicast *multicast = open_on(VETH_OURS);
  assert_int_equal(shunt_multicast_join(multicast, "239.1.1.1", NULL, NULL), 0);
  assert_true(sees(SHUNT_IGMP_REPORT_V3, SHUNT_IGMP_TO_EXCLUDE, GROUP, 0));
  assert_int_equal(shunt_multicast_join(multicast, "232.1.1.1", "192.0.2.7", NULL), 0);
  assert_true(sees(SHUNT_IGMP_REPORT_V3, SHUNT_IGMP_ALLOW, 0xe8010101u, 0xc0000207u));
  assert_int_equal(shunt_multicast_leave(multicast, "239.1.1.1", NULL, NULL), 0);
  assert_true(sees(SHUNT_IGMP_REPORT_V3, SHUNT_IGMP_TO_INCLUDE, GROUP, 0));
  shunt_multicast_close(multicast); /* leaves the other one */
  assert_true(sees(SHUNT_IGMP_REPORT_V3, SHUNT_IGMP_BLOCK, 0xe8010101u, 0xc0000207u));
}

static void many_groups(void **context)
{
  (void)context;
  char group[32];
  struct shunt_error error = {0};
  if (!usable)
    skip();
  struct shunt_multicast *multicast = open_on(VETH_OURS);
  for (unsigned i = 0; i < 100; i++) { /* of which a socket holds 20 */
    snprintf(group, sizeof(group), "239.2.0.%u", i);
    if (shunt_multicast_join(multicast, group, NULL, &error))
      fail_msg("%s: %s", error.what, error.why);
    snprintf(group, sizeof(group), "ff15::2:%x", i + 1);
    if (shunt_multicast_join(multicast, group, NULL, &error))
      fail_msg("%s: %s", error.what, error.why);
  }
  assert_int_equal(system("test $(ip -4 maddr show dev " VETH_OURS " | grep -c 239.2.0.) = 100 && "
                          "test $(ip -6 maddr show dev " VETH_OURS " | grep -c ff15::2:) = 100"),
                   0);
  assert_int_equal(shunt_multicast_leave(multicast, "239.2.0.50", NULL, &error), 0);
  assert_int_equal(shunt_multicast_join(multicast, "239.2.0.50", NULL, &error), 0);
  shunt_multicast_close(multicast);
  assert_int_not_equal(system("ip maddr show dev " VETH_OURS " | grep -q -e 239.2.0. -e ff15::2"),
                       0);
}

static void says_what_is_wrong(void **context)
{
  (void)context;
  struct shunt_error error = {0};
  struct shunt_multicast *multicast = NULL;
  if (!usable)
    skip();
  assert_int_equal(shunt_multicast_open("ixgbe:twin", &multicast, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.remedy, "igmp.h"));
  assert_int_equal(shunt_multicast_open("shuntx", &multicast, &error), -ENODEV);
  assert_int_equal(shunt_multicast_open("xdp:", &multicast, &error), -ENODEV);
  assert_int_equal(shunt_multicast_open("", &multicast, &error), -ENODEV);
  if (!system("ip link property add dev " VETH_OURS " altname the-other-name-of-this-one")) {
    shunt_multicast_close(open_on("xdp:the-other-name-of-this-one?queue=0"));
    assert_int_equal(system("ip link property del dev " VETH_OURS " altname "
                            "the-other-name-of-this-one"),
                     0);
  }
  multicast = open_on(VETH_OURS);
  assert_int_equal(shunt_multicast_join(multicast, "10.0.0.1", NULL, &error), -EINVAL);
  assert_int_equal(shunt_multicast_join(multicast, "239.1", NULL, &error), -EINVAL);
  assert_int_equal(shunt_multicast_join(multicast, "239.1.1.1", "::1", &error), -EINVAL);
  assert_int_equal(shunt_multicast_join(multicast, "239.1.1.1", "nobody", &error), -EINVAL);
  assert_int_equal(shunt_multicast_leave(multicast, "239.1.1.1", NULL, &error), -ENOENT);
  assert_int_equal(shunt_multicast_join(multicast, "239.1.1.1", NULL, &error), 0);
  assert_int_equal(shunt_multicast_join(multicast, "239.1.1.1", NULL, &error), -EADDRINUSE);
  assert_int_equal(shunt_multicast_join(multicast, "239.1.1.1", "10.0.0.1", &error), -EADDRINUSE);
  assert_non_null(strstr(error.what, "from any source"));
  assert_int_equal(shunt_multicast_leave(multicast, "239.1.1.1", "10.0.0.1", &error), -ENOENT);
  assert_int_equal(shunt_multicast_leave(multicast, "239.1.1.1", NULL, &error), 0);
  shunt_multicast_close(multicast);
  shunt_multicast_close(NULL);
}

static void addresses_and_promiscuity(void **context)
{
  (void)context;
  struct membership *membership = NULL;
  struct shunt_error error = {0};
  struct interface_state state;
  const struct shunt_mac group = {{0x01, 0x1b, 0x19, 0, 0, 0}}, other = {{2, 0, 0, 0, 0, 9}};
  if (!usable)
    skip();
  int ifindex = (int)if_nametoindex(VETH_OURS);
  assert_int_equal(membership_open(99999, &membership, &error), -ENODEV);
  assert_int_equal(membership_open(ifindex, &membership, &error), 0);
  assert_int_equal(membership_mac_add(membership, group, &error), 0);
  assert_int_equal(membership_mac_add(membership, other, &error), 0);
  assert_int_equal(system("ip maddr show dev " VETH_OURS " | grep -q 01:1b:19:00:00:00"), 0);
  assert_int_equal(membership_mac_remove(membership, group, &error), 0);
  assert_int_equal(membership_mac_remove(membership, group, &error), -ENOENT);
  assert_int_not_equal(system("ip maddr show dev " VETH_OURS " | grep -q 01:1b:19:00:00:00"), 0);
  /* An address of one station makes an interface promiscuous that has no filter for it: a veth. */
  assert_int_equal(membership_mac_remove(membership, other, &error), 0);
  assert_int_equal(membership_promiscuous(membership, true, &error), 0);
  assert_int_equal(membership_promiscuous(membership, true, &error), 0);
  assert_int_equal(interface_read(VETH_OURS, &state, &error), 0);
  assert_int_equal(state.promiscuity, 1);
  membership_close(membership);
  assert_int_equal(interface_read(VETH_OURS, &state, &error), 0);
  assert_int_equal(state.promiscuity, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(version_3),          cmocka_unit_test(many_groups),
      cmocka_unit_test(says_what_is_wrong), cmocka_unit_test(addresses_and_promiscuity),
      cmocka_unit_test(version_2),
  };
  return cmocka_run_group_tests(tests, enter, leave);
}
