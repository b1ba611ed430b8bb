/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own UDP goes out of a TAP interface, over a wire to an end that turns every datagram
 * round, and back. In a network namespace of its own, so nothing outside is touched. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/clock.h"
#include "twin/wire/wire.h"

/* For what the kernel does by itself, at most. Loops take the time before they look, so that one
 * that had to wait for a CPU still looks. */
#define WAIT_NS  UINT64_C(10000000000)
#define TAP_NAME "shunttest0"

struct rig {
  bool usable;
  struct shunt_wire *wire;
  struct shunt_wire_end *tap, *mirror;
  unsigned mirrored;
  uint32_t shortest;
};

/* Swap MAC addresses, IP addresses and ports of UDP over IPv4: no checksum changes. */
static void mirror_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct rig *rig = context;
  uint8_t copy[SHUNT_WIRE_FRAME_BYTES];
  const uint8_t *from = frame;
  rig->shortest = bytes < rig->shortest ? bytes : rig->shortest;
  if (bytes < 42 || from[12] != 0x08 || from[13] != 0x00 || from[14] != 0x45 || from[23] != 17)
    return;
  memcpy(copy, from, bytes);
  memcpy(copy, from + 6, 6);
  memcpy(copy + 6, from, 6);
  memcpy(copy + 26, from + 30, 4);
  memcpy(copy + 30, from + 26, 4);
  memcpy(copy + 34, from + 36, 2);
  memcpy(copy + 36, from + 34, 2);
  rig->mirrored++;
  struct iovec piece = {.iov_base = copy, .iov_len = bytes};
  assert_int_equal(shunt_wire_send(rig->mirror, &piece, 1, now_ns), 0);
}

static const struct shunt_wire_end_ops mirror_ops = {.deliver = mirror_deliver};

static struct shunt_wire_statistics statistics_of(const struct shunt_wire_end *end)
{
  struct shunt_wire_statistics statistics = {.size = sizeof(statistics)};
  shunt_wire_statistics(end, &statistics);
  return statistics;
}

static int control(unsigned long call, void *request)
{
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int result = ioctl(fd, call, request);
  close(fd);
  return result;
}

static struct ifreq interface_request(void)
{
  struct ifreq request = {.ifr_flags = 0};
  strcpy(request.ifr_name, TAP_NAME);
  return request;
}

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
  return address;
}

/* 10.11.12.1/24 here, and a neighbour 10.11.12.2 who need not be asked for. */
static void give_addresses(void)
{
  struct ifreq request = interface_request();
  struct sockaddr_in address = address_of("10.11.12.1", 0);
  memcpy(&request.ifr_addr, &address, sizeof(address));
  assert_int_equal(control(SIOCSIFADDR, &request), 0);
  address = address_of("255.255.255.0", 0);
  memcpy(&request.ifr_netmask, &address, sizeof(address));
  assert_int_equal(control(SIOCSIFNETMASK, &request), 0);
  struct arpreq neighbour = {.arp_flags = ATF_COM | ATF_PERM, .arp_dev = TAP_NAME};
  address = address_of("10.11.12.2", 0);
  memcpy(&neighbour.arp_pa, &address, sizeof(address));
  neighbour.arp_ha.sa_family = ARPHRD_ETHER;
  memcpy(neighbour.arp_ha.sa_data, "\x02\0\0\0\0\x02", 6);
  assert_int_equal(control(SIOCSARP, &neighbour), 0);
}

static int rig_open(void **state)
{
  struct rig *rig = calloc(1, sizeof(*rig));
  *state = rig;
  rig->shortest = UINT32_MAX;
  if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
    print_message("no network namespace to be had: %s\n", strerror(errno));
    return 0;
  }
  struct shunt_error error = {0};
  char text[1024];
  assert_int_equal(shunt_wire_create(NULL, &rig->wire, NULL), 0);
  if (shunt_wire_tap(rig->wire, TAP_NAME, NULL, &rig->tap, &error) < 0) {
    shunt_error_format(&error, text, sizeof(text));
    print_message("%s\n", text);
    return 0;
  }
  rig->usable = true;
  assert_int_equal(shunt_wire_attach(rig->wire, "mirror", &mirror_ops, rig, &rig->mirror, NULL), 0);
  give_addresses();
  return 0;
}

static int rig_close(void **state)
{
  struct rig *rig = *state;
  shunt_wire_destroy(rig->wire);
  if (rig->usable)
    assert_int_equal(if_nametoindex(TAP_NAME), 0); /* gone with the wire */
  free(rig);
  return 0;
}

/* Send a datagram and wait for it to come back. Returns its length then, or -1. */
static ssize_t round_trip(struct rig *rig, int fd, const uint8_t *data, size_t bytes, uint8_t *back)
{
  struct sockaddr_in peer = address_of("10.11.12.2", 7);
  assert_int_equal(sendto(fd, data, bytes, 0, (struct sockaddr *)&peer, sizeof(peer)), bytes);
  uint64_t now_ns = shunt_monotonic_ns();
  for (const uint64_t deadline_ns = now_ns + WAIT_NS; now_ns < deadline_ns;) {
    now_ns = shunt_monotonic_ns();
    shunt_wire_poll(rig->wire, now_ns);
    ssize_t got = recv(fd, back, 65536, MSG_DONTWAIT);
    if (got >= 0)
      return got;
  }
  return -1;
}

static void datagrams_come_back_whole(void **state)
{
  struct rig *rig = *state;
  static uint8_t data[9000], back[65536];
  if (!rig->usable)
    skip();
  struct ifreq request = interface_request();
  assert_int_equal(control(SIOCGIFMTU, &request), 0);
  assert_int_equal(request.ifr_mtu, SHUNT_TAP_MTU_DEFAULT);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  for (size_t bytes = 0; bytes <= 8972; bytes += bytes < 100 ? 1 : 443) {
    for (size_t i = 0; i < bytes; i++)
      data[i] = (uint8_t)(i * 31 + bytes);
    assert_int_equal(round_trip(rig, fd, data, bytes, back), bytes);
    assert_memory_equal(back, data, bytes);
  }
  assert_int_equal(round_trip(rig, fd, data, 8972, back), 8972);
  assert_int_equal(rig->shortest, WIRE_FRAME_LEAST_BYTES);
  assert_int_equal(statistics_of(rig->tap).outside_refused, 0);
  close(fd);
}

/* Many in flight at a time: none is lost, and none looked at twice. */
static void a_burst_passes_whole(void **state)
{
  struct rig *rig = *state;
  if (!rig->usable)
    skip();
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in peer = address_of("10.11.12.2", 7);
  unsigned before = rig->mirrored, back = 0;
  for (uint32_t i = 0; i < 200; i++)
    assert_int_equal(sendto(fd, &i, sizeof(i), 0, (struct sockaddr *)&peer, sizeof(peer)), 4);
  uint64_t now_ns = shunt_monotonic_ns();
  for (const uint64_t deadline_ns = now_ns + WAIT_NS; back < 200 && now_ns < deadline_ns;) {
    uint32_t number;
    now_ns = shunt_monotonic_ns();
    shunt_wire_poll(rig->wire, now_ns);
    while (recv(fd, &number, sizeof(number), MSG_DONTWAIT) == sizeof(number))
      assert_int_equal(number, back++);
  }
  assert_int_equal(back, 200);
  assert_int_equal(rig->mirrored - before, 200);
  close(fd);
}

/* What ethtool calls "Link detected"; IFF_RUNNING would follow some time later. */
static bool interface_has_link(void)
{
  struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
  struct ifreq request = interface_request();
  request.ifr_data = (char *)&link;
  assert_int_equal(control(SIOCETHTOOL, &request), 0);
  return link.data != 0;
}

static void the_kernel_sees_the_cable(void **state)
{
  struct rig *rig = *state;
  if (!rig->usable)
    skip();
  assert_true(interface_has_link());
  shunt_wire_cut(rig->mirror);
  assert_false(interface_has_link());
  shunt_wire_join(rig->mirror);
  assert_true(interface_has_link());
}

static void a_second_owner_is_refused(void **state)
{
  struct rig *rig = *state;
  struct shunt_wire_end *end = NULL;
  struct shunt_error error;
  if (!rig->usable)
    skip();
  assert_int_equal(shunt_wire_tap(rig->wire, TAP_NAME, NULL, &end, &error), -EBUSY);
  assert_true(error.remedy[0] != '\0');
  assert_int_equal(shunt_wire_tap(rig->wire, "lo", NULL, &end, &error), -EINVAL);
  assert_non_null(strstr(error.remedy, "no TAP interface"));
}

static void frames_that_the_kernel_refuses_are_counted(void **state)
{
  struct rig *rig = *state;
  if (!rig->usable)
    skip();
  struct ifreq request = interface_request();
  assert_int_equal(control(SIOCGIFFLAGS, &request), 0);
  request.ifr_flags &= (short)~IFF_UP;
  assert_int_equal(control(SIOCSIFFLAGS, &request), 0);
  uint8_t frame[60] = {2};
  struct iovec piece = {.iov_base = frame, .iov_len = sizeof(frame)};
  assert_int_equal(shunt_wire_send(rig->mirror, &piece, 1, 0), 0);
  assert_int_equal(statistics_of(rig->tap).outside_refused, 1);
  for (unsigned i = 0; i < 2 * WIRE_LOOK_POLLS; i++)
    shunt_wire_poll(rig->wire, 0);
  assert_int_equal(statistics_of(rig->tap).outside_errors, 0);
  request.ifr_flags |= IFF_UP;
  assert_int_equal(control(SIOCSIFFLAGS, &request), 0);
}

static void the_mtu_can_be_chosen(void **state)
{
  struct rig *rig = *state;
  struct shunt_wire_end *end = NULL;
  struct shunt_tap_options options = {.size = sizeof(options), .mtu = SHUNT_TAP_MTU_MAX};
  if (!rig->usable)
    skip();
  assert_int_equal(shunt_wire_tap(rig->wire, "shunttest1", &options, &end, NULL), 0);
  struct ifreq request = {.ifr_flags = 0};
  strcpy(request.ifr_name, "shunttest1");
  assert_int_equal(control(SIOCGIFMTU, &request), 0);
  assert_int_equal(request.ifr_mtu, SHUNT_TAP_MTU_MAX);
  shunt_wire_detach(end);
  assert_int_equal(if_nametoindex("shunttest1"), 0);
}

/* Last, for it takes the interface away. */
static void an_interface_that_vanishes_is_a_pulled_cable(void **state)
{
  struct rig *rig = *state;
  if (!rig->usable)
    skip();
  if (system("ip link delete " TAP_NAME) != 0) {
    print_message("ip is not installed\n");
    skip();
  }
  for (unsigned i = 0; i < 10 * WIRE_LOOK_POLLS; i++)
    shunt_wire_poll(rig->wire, 0);
  assert_int_equal(statistics_of(rig->tap).outside_errors, 1);
  assert_int_equal(shunt_wire_carrier(rig->tap), 0);
  assert_int_equal(shunt_wire_carrier(rig->mirror), 0);
}

static void bad_names_and_mtus_are_refused(void **state)
{
  (void)state;
  static const char *const names[] = {"",    ".",     "..",  "a/b",
                                      "a b", "tap%d", "a:b", "sixteen-letters!"};
  struct shunt_wire *wire = NULL;
  struct shunt_wire_end *end = NULL;
  struct shunt_error error;
  assert_int_equal(shunt_wire_create(NULL, &wire, NULL), 0);
  for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    assert_int_equal(shunt_wire_tap(wire, names[i], NULL, &end, &error), -EINVAL);
    assert_non_null(strstr(error.why, "1 to 15 characters"));
  }
  struct shunt_tap_options unsized = {.size = 0};
  assert_int_equal(shunt_wire_tap(wire, "fine", &unsized, &end, &error), -EINVAL);
  assert_non_null(strstr(error.why, "size"));
  static const uint32_t mtus[] = {1, 67, SHUNT_TAP_MTU_MAX + 1, UINT32_MAX};
  for (unsigned i = 0; i < 4; i++) {
    struct shunt_tap_options options = {.size = sizeof(options), .mtu = mtus[i]};
    assert_int_equal(shunt_wire_tap(wire, "fine", &options, &end, &error), -EINVAL);
    assert_non_null(strstr(error.why, "MTU"));
  }
  shunt_wire_destroy(wire);
}

/* In a child that has given up its rights: the error says which are missing. */
static void rights_are_asked_for(void **state)
{
  (void)state;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct shunt_wire *wire = NULL;
    struct shunt_wire_end *end = NULL;
    struct shunt_error error = {0};
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
      _exit(3);
    shunt_wire_create(NULL, &wire, NULL);
    int code = shunt_wire_tap(wire, "shunttest2", NULL, &end, &error);
    shunt_wire_destroy(wire);
    if (code == -ENOENT)
      _exit(strstr(error.remedy, "modprobe tun") ? 0 : 2);
    _exit(code == -EPERM && error.code == -EPERM && strstr(error.remedy, "CAP_NET_ADMIN") ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_names_and_mtus_are_refused),
      cmocka_unit_test(rights_are_asked_for),
      cmocka_unit_test(datagrams_come_back_whole),
      cmocka_unit_test(a_burst_passes_whole),
      cmocka_unit_test(the_kernel_sees_the_cable),
      cmocka_unit_test(a_second_owner_is_refused),
      cmocka_unit_test(frames_that_the_kernel_refuses_are_counted),
      cmocka_unit_test(the_mtu_can_be_chosen),
      cmocka_unit_test(an_interface_that_vanishes_is_a_pulled_cable),
  };
  return cmocka_run_group_tests(tests, rig_open, rig_close);
}
