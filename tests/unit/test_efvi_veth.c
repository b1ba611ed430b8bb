/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi on the kernel's own interfaces, through AF_XDP: what a twin can't show. Takes root, and
 * makes a network namespace for this process; all is gone with it. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "efvi_rig.h"
#include "veth_rig.h"

#define MEMORY_BYTES ((size_t)1 << 20)
#define DEADLINE_NS  INT64_C(5000000000)

static bool there;

struct end {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory; /* 2048 bytes a buffer: 0 sends, the others receive */
  uint8_t mac[6];
};

static int64_t now_ns(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static ef_addr addr_of(struct end *end, unsigned buffer)
{
  return ef_memreg_dma_addr(&end->memreg, (size_t)buffer * 2048);
}

static void domain_open(struct end *end, const char *name, enum ef_pd_flags flags)
{
  *end = (struct end){0};
  unsetenv("SHUNT_EFVI_DEVICE");
  assert_int_equal(ef_driver_open(&end->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&end->pd, end->handle, name, flags), 0);
  end->memory = aligned_alloc(4096, MEMORY_BYTES);
  memset(end->memory, 0, MEMORY_BYTES);
  assert_int_equal(
      ef_memreg_alloc(&end->memreg, end->handle, &end->pd, end->handle, end->memory, MEMORY_BYTES),
      0);
}

static void post(struct end *end, ef_vi *vi, unsigned first)
{
  for (unsigned i = first; i < first + 63 && vi->nic_type.arch != EF_VI_ARCH_EF10CT; i++)
    assert_int_equal(ef_vi_receive_post(vi, addr_of(end, i), (ef_request_id)i), 0);
}

static void end_open(struct end *end, const char *name, enum ef_pd_flags pd_flags, uint64_t flags)
{
  ef_filter_spec spec;
  if (!there)
    skip();
  domain_open(end, name, pd_flags);
  const int result = ef_vi_alloc_from_pd(&end->vi, end->handle, &end->pd, end->handle, -1, 127, 127,
                                         NULL, -1, (enum ef_vi_flags)flags);
  if (result)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
  assert_int_equal(ef_vi_get_mac(&end->vi, end->handle, end->mac), 0);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_eth_type(&spec, htons(0x88B5)), 0);
  assert_int_equal(ef_vi_filter_add(&end->vi, end->handle, &spec, NULL), 0);
  post(end, &end->vi, 1);
}

static void domain_close(struct end *end)
{
  assert_int_equal(ef_memreg_free(&end->memreg, end->handle), 0);
  assert_int_equal(ef_pd_free(&end->pd, end->handle), 0);
  assert_int_equal(ef_driver_close(end->handle), 0);
  free(end->memory);
}

static void end_close(struct end *end)
{
  assert_int_equal(ef_vi_free(&end->vi, end->handle), 0);
  domain_close(end);
}

static uint8_t *frame_make(struct end *end, const struct end *to, uint8_t mark)
{
  uint8_t *frame = end->memory;
  memset(frame, mark, 200);
  memcpy(frame, to->mac, 6);
  memcpy(frame + 6, end->mac, 6);
  shunt_store_be16(frame + 12, 0x88B5);
  return frame;
}

/* The next event of the interface; the deadline is the machine's, not the test's. */
static ef_event next_event(ef_vi *vi)
{
  const int64_t end_ns = now_ns(CLOCK_MONOTONIC) + DEADLINE_NS;
  static ef_event events[16];
  static int n, taken;
  static ef_vi *of;
  if (of == vi && taken < n)
    return events[taken++];
  for (of = vi, taken = n = 0; n == 0;) {
    n = ef_eventq_poll(vi, events, 16);
    if (now_ns(CLOCK_MONOTONIC) > end_ns)
      fail_msg("no event for five seconds");
  }
  return events[taken++];
}

/* --- Time ---------------------------------------------------------------------------------------
 */

/* When a packet was sent and when it came, in UTC, in that order, between before and after. */
static void times(void **state)
{
  struct end a, b;
  ef_precisetime came;
  (void)state;
  end_open(&a, VETH_OURS, EF_PD_DEFAULT, EF_VI_TX_TIMESTAMPS);
  end_open(&b, VETH_THEIRS, EF_PD_DEFAULT, EF_VI_RX_TIMESTAMPS);
  for (int i = 0; i < 200; i++) { /* round the ring */
    const int64_t before = now_ns(CLOCK_REALTIME);
    frame_make(&a, &b, (uint8_t)i);
    assert_int_equal(ef_vi_transmit(&a.vi, addr_of(&a, 0), 200, i), 0);
    const ef_event sent = next_event(&a.vi), got = next_event(&b.vi);
    const int64_t after = now_ns(CLOCK_REALTIME);
    assert_int_equal(EF_EVENT_TYPE(sent), EF_EVENT_TYPE_TX_WITH_TIMESTAMP);
    assert_int_equal(EF_EVENT_TX_WITH_TIMESTAMP_RQ_ID(sent), i);
    assert_int_equal(EF_EVENT_TX_WITH_TIMESTAMP_SYNC_FLAGS(sent), EF_VI_SYNC_FLAG_CLOCK_SET);
    const int64_t left = EF_EVENT_TX_WITH_TIMESTAMP_SEC(sent) * INT64_C(1000000000) +
                         EF_EVENT_TX_WITH_TIMESTAMP_NSEC(sent);
    assert_true(left > before - 1000000 && left < after + 1000000);
    assert_int_equal(EF_EVENT_TYPE(got), EF_EVENT_TYPE_RX);
    assert_int_equal(EF_EVENT_RX_BYTES(got), 200 + EFVI_PREFIX_BYTES);
    const unsigned id = EF_EVENT_RX_RQ_ID(got);
    assert_int_equal(
        ef_vi_receive_get_precise_timestamp(&b.vi, b.memory + (size_t)id * 2048, &came), 0);
    assert_int_equal(came.tv_flags, EF_VI_SYNC_FLAG_CLOCK_SET);
    const int64_t arrived = came.tv_sec * 1000000000 + came.tv_nsec;
    assert_true(arrived > before - 1000000 && arrived < after + 1000000);
    assert_int_equal(b.memory[id * 2048 + EFVI_PREFIX_BYTES + 199], (uint8_t)i);
    assert_int_equal(ef_vi_receive_post(&b.vi, addr_of(&b, id), (ef_request_id)id), 0);
  }
  assert_int_equal(ef_vi_transmit(&a.vi, addr_of(&a, 0), 2000, 1), -EINVAL); /* beyond the MTU */
  end_close(&a);
  end_close(&b);
}

/* --- Without a copy -----------------------------------------------------------------------------
 */

static void express(void **state)
{
  struct end a, b;
  (void)state;
  end_open(&a, VETH_OURS, EF_PD_DEFAULT, EF_VI_FLAGS_DEFAULT);
  end_open(&b, VETH_THEIRS, EF_PD_EXPRESS, EF_VI_FLAGS_DEFAULT);
  for (int i = 0; i < 300; i++) {
    ef_request_id ids[EF_VI_TRANSMIT_BATCH];
    frame_make(&a, &b, (uint8_t)i);
    assert_int_equal(ef_vi_transmit(&a.vi, addr_of(&a, 0), 200, i), 0);
    const ef_event sent = next_event(&a.vi), got = next_event(&b.vi);
    assert_int_equal(ef_vi_transmit_unbundle(&a.vi, &sent, ids), 1);
    assert_int_equal(ids[0], i);
    assert_int_equal(EF_EVENT_TYPE(got), EF_EVENT_TYPE_RX_REF);
    assert_int_equal(got.rx_ref.len, 200);
    const uint8_t *packet = efct_vi_rxpkt_get(&b.vi, got.rx_ref.pkt_id);
    assert_non_null(packet);
    assert_memory_equal(packet, a.memory, 200);
    efct_vi_rxpkt_release(&b.vi, got.rx_ref.pkt_id);
  }
  end_close(&a);
  end_close(&b);
}

/* --- Alternatives and warming -------------------------------------------------------------------
 */

static void alternatives(void **state)
{
  struct end a, b;
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  ef_vi_tx_warm_state saved;
  (void)state;
  end_open(&a, VETH_OURS, EF_PD_DEFAULT, EF_VI_TX_ALT);
  end_open(&b, VETH_THEIRS, EF_PD_DEFAULT, EF_VI_FLAGS_DEFAULT);
  assert_int_equal(ef_vi_transmit_alt_alloc(&a.vi, a.handle, 2, 65536), 0);
  for (unsigned alt = 0; alt < 2; alt++) {
    assert_int_equal(ef_vi_transmit_alt_select(&a.vi, alt), 0);
    frame_make(&a, &b, (uint8_t)(0x10 + alt));
    assert_int_equal(ef_vi_transmit(&a.vi, addr_of(&a, 0), 200, (ef_request_id)alt), 0);
  }
  assert_int_equal(ef_vi_transmit_alt_select_normal(&a.vi), 0);
  const ef_event loaded = next_event(&a.vi);
  assert_int_equal(ef_vi_transmit_unbundle(&a.vi, &loaded, ids), 2);
  ef_vi_start_transmit_warm(&a.vi, &saved, NULL);
  for (int i = 0; i < 50; i++)
    assert_int_equal(ef_vi_transmit(&a.vi, addr_of(&a, 0), 200, 9), 0);
  ef_vi_stop_transmit_warm(&a.vi, &saved);
  assert_int_equal(ef_vi_transmit_alt_go(&a.vi, 1), 0);
  /* The first frame that comes is the alternative's: nothing left before. */
  const ef_event gone = next_event(&a.vi), got = next_event(&b.vi);
  assert_int_equal(EF_EVENT_TYPE(gone), EF_EVENT_TYPE_TX_ALT);
  assert_int_equal(EF_EVENT_TX_ALT_ALT_ID(gone), 1);
  assert_int_equal(b.memory[EF_EVENT_RX_RQ_ID(got) * 2048 + 199], 0x11);
  end_close(&a);
  end_close(&b);
}

/* --- Sets ---------------------------------------------------------------------------------------
 */

/* What the test before had open goes a moment after its program has closed it: until then the
 * interface keeps its queues. */
static void take_two_queues(void)
{
  static const char command[] = "ethtool -L " VETH_OURS " tx 2 && ethtool -L " VETH_THEIRS " rx 2";
  int result = -1;
  for (unsigned tries = 0; result && tries < 100; tries++) {
    if (tries)
      usleep(20000);
    result = system(command);
  }
  assert_int_equal(result, 0);
}

/* Each member has a queue of the interface, which spreads what comes; the kernel picks the queue by
 * the flow. */
static void sets(void **state)
{
  struct end b;
  ef_vi_set set;
  ef_vi member[2] = {{0}};
  ef_filter_spec spec;
  ef_filter_cookie cookie;
  unsigned got[2] = {0};
  (void)state;
  if (!there)
    skip();
  /* As many queues as the kernel sends from: XDP in veth's driver wants no fewer. */
  take_two_queues();
  domain_open(&b, VETH_THEIRS, EF_PD_DEFAULT);
  assert_int_equal(ef_vi_set_alloc_from_pd(&set, b.handle, &b.pd, b.handle, 2), 0);
  for (int i = 0; i < 2; i++) {
    const int result = ef_vi_alloc_from_set(&member[i], b.handle, &set, b.handle, i, -1, 127, 127,
                                            NULL, -1, EF_VI_FLAGS_DEFAULT);
    if (result != i)
      fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
    post(&b, &member[i], 1 + (unsigned)i * 64);
  }
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0a630002), htons(2000)),
                   0);
  assert_int_equal(ef_vi_set_filter_add(&set, b.handle, &spec, &cookie), 0);
  assert_int_equal(system("ip addr add 10.99.0.1/24 dev " VETH_OURS
                          " && ip neigh replace 10.99.0.2 lladdr 02:00:00:00:00:02 dev " VETH_OURS
                          " && bash -c 'for i in $(seq 24); do "
                          "echo $i >/dev/udp/10.99.0.2/2000; done'"),
                   0);
  const int64_t end_ns = now_ns(CLOCK_MONOTONIC) + DEADLINE_NS;
  while (got[0] + got[1] < 24 && now_ns(CLOCK_MONOTONIC) < end_ns)
    for (int i = 0; i < 2; i++) {
      ef_event events[16];
      const int n = ef_eventq_poll(&member[i], events, 16);
      got[i] += n > 0 ? (unsigned)n : 0;
    }
  assert_int_equal(got[0] + got[1], 24);
  assert_int_equal(ef_vi_set_filter_del(&set, b.handle, &cookie), 0);
  assert_int_equal(ef_vi_free(&member[0], b.handle), 0);
  assert_int_equal(ef_vi_free(&member[1], b.handle), 0);
  assert_int_equal(ef_vi_set_free(&set, b.handle), 0);
  domain_close(&b);
  assert_int_equal(system("ethtool -L " VETH_THEIRS " rx 4 && ethtool -L " VETH_OURS " tx 4"), 0);
}

/* --- Filters of addresses -----------------------------------------------------------------------
 */

#define KEPT "\xA5 which the test sent"

enum to { OWN, OTHER, GROUP, SECOND, ALL };
static const struct sent {
  enum to to;
  uint16_t vlan; /* 0: no tag */
  uint16_t type;
} sent[] = {
    {OWN, 0, 0x88B6}, {OTHER, 0, 0x88B6}, {GROUP, 0, 0x88B6}, {SECOND, 0, 0x88B6}, {ALL, 0, 0x88B6},
    {OWN, 5, 0x88B6}, {OWN, 6, 0x88B6},   {OWN, 0, 0x0800},   {OTHER, 5, 0x88B6},
};
#define SENT       (sizeof(sent) / sizeof(sent[0]))
#define BIT(place) (1u << (place))

/* A frame whose last byte is its place in the table; of IPv4, it is UDP. */
static void sent_make(struct end *from, const struct end *to, unsigned place)
{
  static const uint8_t other[6] = {2, 9, 9, 9, 9, 9}, group[6] = {1, 0, 0x5E, 1, 1, 1},
                       second[6] = {1, 0, 0x5E, 1, 1, 2}, all[6] = {255, 255, 255, 255, 255, 255};
  const uint8_t *const addresses[] = {to->mac, other, group, second, all};
  uint8_t *const frame = from->memory + (size_t)(100 + place) * 2048, *at = frame + 12;
  memset(frame, 0, 200);
  memcpy(frame, addresses[sent[place].to], 6);
  memcpy(frame + 6, from->mac, 6);
  if (sent[place].vlan) {
    shunt_store_be16(at, 0x8100);
    shunt_store_be16(at + 2, sent[place].vlan);
    at += 4;
  }
  shunt_store_be16(at, sent[place].type);
  if (sent[place].type == 0x0800) {
    at[2] = 0x45;
    shunt_store_be16(at + 4, (uint16_t)(frame + 200 - (at + 2)));
    at[2 + 9] = 17;
  }
  memcpy(frame + 200 - sizeof(KEPT), KEPT, sizeof(KEPT));
  frame[199] = (uint8_t)place;
}

/* Which of the frames it is, as a bit; 0: somebody else's. */
static unsigned sent_which(const uint8_t *end)
{
  return memcmp(end - sizeof(KEPT), KEPT, sizeof(KEPT) - 1) == 0 ? BIT(end[-1]) : 0;
}

static unsigned ours(struct end *end)
{
  ef_event events[16];
  unsigned which = 0;
  const int n = ef_eventq_poll(&end->vi, events, 16);
  for (int i = 0; i < n; i++) {
    const unsigned id = EF_EVENT_RX_RQ_ID(events[i]);
    assert_int_equal(EF_EVENT_TYPE(events[i]), EF_EVENT_TYPE_RX);
    which |= sent_which(end->memory + (size_t)id * 2048 + EF_EVENT_RX_BYTES(events[i]));
    assert_int_equal(ef_vi_receive_post(&end->vi, addr_of(end, id), (ef_request_id)id), 0);
  }
  return which;
}

/* A packet socket sees what the program left to the kernel, without its tag. */
static unsigned kernels(int fd)
{
  uint8_t frame[2048];
  const ssize_t bytes = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);
  return bytes > (ssize_t)sizeof(KEPT) ? sent_which(frame + bytes) : 0;
}

static const struct {
  const char *what;
  int (*set)(ef_filter_spec *spec); /* NULL: an address */
  const char *mac;                  /* NULL: the interface's own */
  int vlan;
  uint16_t type;    /* 0: not asked for */
  uint8_t protocol; /* 0: not asked for */
  unsigned takes;
} asked[] = {
    {"its own address", NULL, NULL, EF_FILTER_VLAN_ID_ANY, 0, 0, BIT(0) | BIT(5) | BIT(6) | BIT(7)},
    {"another's", NULL, "\2\11\11\11\11\11", EF_FILTER_VLAN_ID_ANY, 0, 0, BIT(1) | BIT(8)},
    {"a group's", NULL, "\1\0\x5E\1\1\1", EF_FILTER_VLAN_ID_ANY, 0, 0, BIT(2)},
    {"broadcast", NULL, "\xFF\xFF\xFF\xFF\xFF\xFF", EF_FILTER_VLAN_ID_ANY, 0, 0, BIT(4)},
    {"its own in a VLAN", NULL, NULL, 5, 0, 0, BIT(5)},
    {"its own, a type", NULL, NULL, EF_FILTER_VLAN_ID_ANY, 0x88B6, 0, BIT(0) | BIT(5) | BIT(6)},
    {"its own, a protocol", NULL, NULL, EF_FILTER_VLAN_ID_ANY, 0, IPPROTO_UDP, BIT(7)},
    {"all unicast", ef_filter_spec_set_unicast_all, NULL, EF_FILTER_VLAN_ID_ANY, 0, 0,
     BIT(0) | BIT(1) | BIT(5) | BIT(6) | BIT(7) | BIT(8)},
    {"all multicast", ef_filter_spec_set_multicast_all, NULL, EF_FILTER_VLAN_ID_ANY, 0, 0,
     BIT(2) | BIT(3) | BIT(4)},
    {"other unicast in a VLAN", ef_filter_spec_set_unicast_mismatch, NULL, 5, 0, 0,
     BIT(5) | BIT(8)},
    {"other multicast", ef_filter_spec_set_multicast_mismatch, NULL, EF_FILTER_VLAN_ID_ANY, 0, 0,
     BIT(2) | BIT(3) | BIT(4)},
};

static void add_asked(struct end *end, unsigned which, ef_filter_cookie *cookie)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  if (asked[which].type)
    assert_int_equal(ef_filter_spec_set_eth_type(&spec, htons(asked[which].type)), 0);
  if (asked[which].protocol)
    assert_int_equal(ef_filter_spec_set_ip_proto(&spec, asked[which].protocol), 0);
  if (!asked[which].set)
    assert_int_equal(
        ef_filter_spec_set_eth_local(&spec, asked[which].vlan,
                                     asked[which].mac ? asked[which].mac : (char *)end->mac),
        0);
  else {
    assert_int_equal(asked[which].set(&spec), 0);
    if (asked[which].vlan != EF_FILTER_VLAN_ID_ANY)
      assert_int_equal(ef_filter_spec_set_vlan(&spec, asked[which].vlan), 0);
  }
  if (ef_vi_filter_add(&end->vi, end->handle, &spec, cookie))
    fail_msg("%s: %s; %s", asked[which].what, shunt_last_error()->what, shunt_last_error()->why);
}

/* Send each frame of the table, and wait until each has come to one of the two. */
static void send_all(struct end *a, struct end *b, int fd, unsigned *taken, unsigned *left)
{
  const int64_t end_ns = now_ns(CLOCK_MONOTONIC) + DEADLINE_NS;
  unsigned gone = 0;
  for (unsigned i = 0; i < SENT; i++) {
    sent_make(a, b, i);
    assert_int_equal(ef_vi_transmit(&a->vi, addr_of(a, 100 + i), 200, (ef_request_id)i), 0);
  }
  for (*taken = *left = 0; (*taken | *left) != BIT(SENT) - 1 || gone < SENT;) {
    ef_event events[16];
    ef_request_id ids[EF_VI_TRANSMIT_BATCH];
    const int n = ef_eventq_poll(&a->vi, events, 16);
    for (int i = 0; i < n; i++)
      if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX)
        gone += (unsigned)ef_vi_transmit_unbundle(&a->vi, &events[i], ids);
    *taken |= ours(b);
    *left |= kernels(fd);
    if (now_ns(CLOCK_MONOTONIC) > end_ns)
      fail_msg("of %zu frames %u left, 0x%x came, 0x%x to the kernel", SENT, gone, *taken, *left);
  }
}

static bool nic_lets_through(const char *mac)
{
  char command[100];
  snprintf(command, sizeof(command), "ip maddr show dev " VETH_THEIRS " | grep -q %s", mac);
  return system(command) == 0;
}

/* To the program what its filter asks for, to the kernel the rest; and no frame to both. */
static void addresses(void **state)
{
  struct end a, b;
  (void)state;
  end_open(&a, VETH_OURS, EF_PD_DEFAULT, EF_VI_FLAGS_DEFAULT);
  end_open(&b, VETH_THEIRS, EF_PD_DEFAULT, EF_VI_FLAGS_DEFAULT);
  const struct sockaddr_ll here = {.sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)if_nametoindex(VETH_THEIRS)};
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (const struct sockaddr *)&here, sizeof(here)), 0);
  for (unsigned which = 0; which < sizeof(asked) / sizeof(asked[0]); which++) {
    ef_filter_cookie cookie;
    unsigned taken, left;
    add_asked(&b, which, &cookie);
    assert_int_equal(nic_lets_through("01:00:5e:01:01:01"), asked[which].takes == BIT(2));
    send_all(&a, &b, fd, &taken, &left);
    if (taken != asked[which].takes || taken & left)
      fail_msg("%s: took 0x%x, and the kernel 0x%x", asked[which].what, taken, left);
    assert_int_equal(ef_vi_filter_del(&b.vi, b.handle, &cookie), 0);
  }
  assert_false(nic_lets_through("01:00:5e:01:01:01"));
  close(fd);
  end_close(&a);
  end_close(&b);
}

/* --- What it can't do ---------------------------------------------------------------------------
 */

static void refused(void **state)
{
  struct end a;
  ef_filter_spec spec;
  (void)state;
  end_open(&a, VETH_OURS, EF_PD_DEFAULT, EF_VI_FLAGS_DEFAULT);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_port_sniff(&spec, 1), 0);
  assert_int_equal(ef_vi_filter_add(&a.vi, a.handle, &spec, NULL), -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->why, "copies"));
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_block_kernel(&spec), 0);
  assert_int_equal(ef_vi_filter_add(&a.vi, a.handle, &spec, NULL), -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->remedy, "unicast_all"));
  ef_vi late = {0};
  assert_int_equal(ef_vi_alloc_from_pd(&late, a.handle, &a.pd, a.handle, -1, 63, 63, NULL, -1,
                                       EF_VI_RX_ZEROCOPY),
                   -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->remedy, "first"));
  end_close(&a);
  /* A flag that the interface can't do is heard: veth has no zero copy. */
  domain_open(&a, VETH_OURS, EF_PD_DEFAULT);
  const int result = ef_vi_alloc_from_pd(&a.vi, a.handle, &a.pd, a.handle, -1, 127, 127, NULL, -1,
                                         EF_VI_RX_ZEROCOPY);
  if (result != -EOPNOTSUPP)
    fail_msg("%d: %s; %s", result, shunt_last_error()->what, shunt_last_error()->why);
  domain_close(&a);
}

int main(void)
{
  there = veth_rig_enter();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(times), cmocka_unit_test(express),   cmocka_unit_test(alternatives),
      cmocka_unit_test(sets),  cmocka_unit_test(addresses), cmocka_unit_test(refused),
  };
  return cmocka_run_group_tests_name("efvi_veth", tests, NULL, NULL);
}
