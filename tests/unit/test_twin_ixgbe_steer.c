/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin_ixgbe_rig.h"

/* The key and the examples that Microsoft publishes for RSS ("Verifying the RSS Hash Calculation"),
 * which the datasheet (7.1.2.8.3) repeats. */
static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static uint8_t frame[256];

static void rss_start(struct rig *rig, uint32_t mrqc)
{
  for (unsigned i = 0; i < 10; i++) {
    uint32_t dword;
    memcpy(&dword, key + 4 * i, 4);
    rig_write(rig, IXGBE_RSSRK(i), dword);
  }
  for (uint32_t i = 0; i < 32; i++) /* entry n: queue n % 16 */
    rig_write(rig, IXGBE_RETA(i), 0x03020100u + i % 4 * 0x04040404u);
  rig_write(rig, IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD);
  rig_write(rig, IXGBE_MRQC, mrqc);
}

/* Which of queues 0..127 is the frame for? All share one ring here, so each is asked for by its
 * statistics: enabled one after the other, the one that takes the frame is it. */
static unsigned queue_of(struct rig *rig, uint32_t bytes, struct rig_rx *rx)
{
  for (unsigned queue = 0; queue < TWIN_IXGBE_QUEUES; queue++) {
    rig_rx_start(rig, queue);
    rig_send(rig, frame, bytes);
    const struct rig_rx *got = rig_rx_take(rig);
    rig_write(rig, IXGBE_RXDCTL(queue), 0);
    if (!got)
      continue;
    if (rx)
      memcpy(rx, got, sizeof(*rx));
    return queue;
  }
  return TWIN_IXGBE_QUEUES;
}

static uint32_t addressed(uint8_t protocol, uint32_t from, uint32_t to, uint16_t from_port,
                          uint16_t to_port)
{
  uint32_t bytes = rig_ipv4(frame, protocol, from_port, to_port, protocol == 6 ? 20 : 8, 30);
  shunt_store_be32(frame + 26, from);
  shunt_store_be32(frame + 30, to);
  return bytes;
}

static void the_published_hashes_of_ipv4(void **state)
{
  struct rig *rig = *state;
  static const struct {
    uint32_t from, to;
    uint16_t from_port, to_port;
    uint32_t with_ports, without;
  } examples[] = {
      {0x420995BB, 0xA18E6450, 2794, 1766, 0x51ccc178, 0x323e8fc2},
      {0xC75C6F02, 0x41458C53, 14230, 4739, 0xc626b0ea, 0xd718262a},
      {0x1813C65F, 0x0C16CFB8, 12898, 38024, 0x5c2b394a, 0xd2d0a5de},
      {0x261BCD1E, 0xD18EA306, 48228, 2217, 0xafc7327f, 0x82989176},
      {0x9927A3BF, 0xCABC7F02, 44251, 1303, 0x10e828a2, 0x5d1809c5},
  };
  static struct rig_rx rx;
  for (unsigned i = 0; i < 5; i++) {
    rss_start(rig, IXGBE_MRQE_RSS | IXGBE_MRQC_RSS_IPV4_TCP | IXGBE_MRQC_RSS_IPV4);
    uint32_t bytes =
        addressed(6, examples[i].from, examples[i].to, examples[i].from_port, examples[i].to_port);
    assert_int_equal(queue_of(rig, bytes, &rx), examples[i].with_ports % 128 % 16);
    assert_int_equal(rx.hash, examples[i].with_ports);
    assert_int_equal(rx.info & IXGBE_RXD_RSS_TYPE, IXGBE_RSS_TYPE_IPV4_TCP);
    bytes = addressed(17, examples[i].from, examples[i].to, 1, 2); /* UDP is not enabled */
    assert_int_equal(queue_of(rig, bytes, &rx), examples[i].without % 128 % 16);
    assert_int_equal(rx.hash, examples[i].without);
    assert_int_equal(rx.info & IXGBE_RXD_RSS_TYPE, IXGBE_RSS_TYPE_IPV4);
  }
}

static void the_published_hash_of_ipv6(void **state)
{
  struct rig *rig = *state;
  static const uint8_t addresses[32] = {
      0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x07,
      0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 0x01};
  static struct rig_rx rx;
  rss_start(rig, IXGBE_MRQE_RSS | IXGBE_MRQC_RSS_IPV6_TCP | IXGBE_MRQC_RSS_IPV6);
  memset(frame, 0, sizeof(frame));
  rig_ethernet(frame, rig_mac, 0x86DD);
  frame[14] = 0x60;
  frame[19] = 40;
  frame[20] = 6;
  memcpy(frame + 22, addresses, 32);
  shunt_store_be16(frame + 54, 2794);
  shunt_store_be16(frame + 56, 1766);
  queue_of(rig, 94, &rx);
  assert_int_equal(rx.hash, 0x40207d3d);
  assert_int_equal(rx.info & IXGBE_RXD_RSS_TYPE, IXGBE_RSS_TYPE_IPV6_TCP);
  frame[20] = 59; /* no next header */
  queue_of(rig, 94, &rx);
  assert_int_equal(rx.hash, 0x2cc18cd5);
  assert_int_equal(rx.info & IXGBE_RXD_RSS_TYPE, IXGBE_RSS_TYPE_IPV6);
}

static void what_is_not_hashed_goes_to_queue_0(void **state)
{
  struct rig *rig = *state;
  static struct rig_rx rx;
  rss_start(rig, IXGBE_MRQE_RSS | IXGBE_MRQC_RSS_IPV4_UDP);
  uint32_t bytes = addressed(6, 1, 2, 3, 4);
  assert_int_equal(queue_of(rig, bytes, &rx), 0);
  assert_int_equal(rx.hash, 0);
  memset(frame + 14, 0, 60);
  rig_ethernet(frame, rig_mac, 0x0806);
  assert_int_equal(queue_of(rig, 60, &rx), 0);
  bytes = addressed(17, 0x420995BB, 0xA18E6450, 2794, 1766);
  assert_int_equal(queue_of(rig, bytes, &rx), 0x51ccc178 % 128 % 16);
  assert_int_equal(rx.info & IXGBE_RXD_RSS_TYPE, IXGBE_RSS_TYPE_IPV4_UDP);
  /* A fragment has no ports to be hashed by. */
  shunt_store_be16(frame + 20, 0x2000);
  assert_int_equal(queue_of(rig, bytes, &rx), 0);
  /* A new key is used at once. */
  for (unsigned i = 0; i < 10; i++)
    rig_write(rig, IXGBE_RSSRK(i), 0);
  shunt_store_be16(frame + 20, 0);
  assert_int_equal(queue_of(rig, bytes, &rx), 0);
  assert_int_equal(rx.hash, 0);
}

/* ---- Filters ---- */

#define ALL_MASKED                                                                                 \
  (IXGBE_FTQF_MASK_SOURCE_ADDRESS | IXGBE_FTQF_MASK_DESTINATION_ADDRESS |                          \
   IXGBE_FTQF_MASK_SOURCE_PORT | IXGBE_FTQF_MASK_DESTINATION_PORT | IXGBE_FTQF_MASK_PROTOCOL |     \
   IXGBE_FTQF_POOL_MASK)

static void tuple_set(struct rig *rig, unsigned i, uint32_t ftqf, unsigned priority, unsigned queue)
{
  rig_write(rig, IXGBE_L34TIMIR(i), HW_FIELD(IXGBE_L34TIMIR_RX_QUEUE, queue));
  rig_write(rig, IXGBE_FTQF(i),
            ftqf | HW_FIELD(IXGBE_FTQF_PRIORITY, priority) | IXGBE_FTQF_QUEUE_ENABLE);
}

static void five_tuples(void **state)
{
  struct rig *rig = *state;
  uint32_t raw;
  uint32_t bytes = addressed(17, 0x0A000001, 0x0A000002, 1000, 2000);
  memcpy(&raw, frame + 26, 4);
  rig_write(rig, IXGBE_SAQF(7), raw);
  memcpy(&raw, frame + 30, 4);
  rig_write(rig, IXGBE_DAQF(7), raw);
  memcpy(&raw, frame + 34, 4);
  rig_write(rig, IXGBE_SDPQF(7), raw);
  tuple_set(rig, 7, IXGBE_FTQF_POOL_MASK | IXGBE_FTQF_PROTOCOL_UDP, 1, 21);
  assert_int_equal(queue_of(rig, bytes, NULL), 21);
  static const unsigned fields[] = {26, 30, 34, 36};
  for (unsigned i = 0; i < 4; i++) { /* each of the fields counts, unless it is masked */
    frame[fields[i]] ^= 0x80;
    assert_int_equal(queue_of(rig, bytes, NULL), 0);
    tuple_set(rig, 7,
              IXGBE_FTQF_POOL_MASK | IXGBE_FTQF_PROTOCOL_UDP | IXGBE_FTQF_MASK_SOURCE_ADDRESS << i,
              1, 21);
    assert_int_equal(queue_of(rig, bytes, NULL), 21);
    tuple_set(rig, 7, IXGBE_FTQF_POOL_MASK | IXGBE_FTQF_PROTOCOL_UDP, 1, 21);
    frame[fields[i]] ^= 0x80;
  }
  tuple_set(rig, 7, IXGBE_FTQF_POOL_MASK | IXGBE_FTQF_PROTOCOL_TCP, 1, 21);
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
  tuple_set(rig, 7, IXGBE_FTQF_PROTOCOL_UDP | HW_FIELD(IXGBE_FTQF_POOL, 3u), 1, 21);
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
}

static void priorities_decide(void **state)
{
  struct rig *rig = *state;
  uint32_t bytes = addressed(17, 1, 2, 3, 4);
  tuple_set(rig, 100, ALL_MASKED, 3, 100);
  tuple_set(rig, 50, ALL_MASKED, 3, 50);
  tuple_set(rig, 10, ALL_MASKED, 2, 10);
  assert_int_equal(queue_of(rig, bytes, NULL), 50); /* of equals the first */
  tuple_set(rig, 127, ALL_MASKED, 7, 127);
  assert_int_equal(queue_of(rig, bytes, NULL), 127);
  rig_write(rig, IXGBE_FTQF(127), 0);
  rig_write(rig, IXGBE_FTQF(50), 0);
  assert_int_equal(queue_of(rig, bytes, NULL), 100);
  memset(frame + 14, 0, 60); /* not IPv4 */
  rig_ethernet(frame, rig_mac, 0x0806);
  assert_int_equal(queue_of(rig, 60, NULL), 0);
}

static void syn_filter(void **state)
{
  struct rig *rig = *state;
  uint32_t bytes = addressed(6, 1, 2, 3, 4);
  rig_write(rig, IXGBE_SYNQF, IXGBE_SYNQF_QUEUE_ENABLE | HW_FIELD(IXGBE_SYNQF_RX_QUEUE, 9u));
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
  frame[47] = 0x02;
  assert_int_equal(queue_of(rig, bytes, NULL), 9);
  tuple_set(rig, 0, ALL_MASKED, 1, 4);
  assert_int_equal(queue_of(rig, bytes, NULL), 4);
  rig_write(rig, IXGBE_SYNQF, rig_read(rig, IXGBE_SYNQF) | IXGBE_SYNQF_SYNQFP);
  assert_int_equal(queue_of(rig, bytes, NULL), 9);
}

static void ethertype_filters(void **state)
{
  struct rig *rig = *state;
  static struct rig_rx rx;
  memset(frame, 0, sizeof(frame));
  rig_ethernet(frame, rig_mac, 0x88F7);
  rig_write(rig, IXGBE_ETQF(3), 0x88F7 | IXGBE_ETQF_FILTER_EN | IXGBE_ETQF_1588);
  assert_int_equal(queue_of(rig, 60, &rx), 0);
  assert_int_equal(rx.info, IXGBE_RXD_TYPE_L2 | HW_FIELD(IXGBE_RXD_TYPE_L2_ETQF, 3u));
  rig_write(rig, IXGBE_ETQS(3), IXGBE_ETQS_QUEUE_EN | HW_FIELD(IXGBE_ETQS_RX_QUEUE, 77u));
  assert_int_equal(queue_of(rig, 60, NULL), 77);
  rig_write(rig, IXGBE_ETQF(3),
            0x88F7 | IXGBE_ETQF_FILTER_EN | IXGBE_ETQF_UP_EN | HW_FIELD(IXGBE_ETQF_UP, 5u));
  assert_int_equal(queue_of(rig, 60, NULL), 0);
  /* Of IP it says nothing more about what is inside. */
  uint32_t bytes = addressed(17, 1, 2, 3, 4);
  rig_write(rig, IXGBE_ETQF(0), 0x0800 | IXGBE_ETQF_FILTER_EN);
  assert_int_equal(queue_of(rig, bytes, &rx), 0);
  assert_int_equal(rx.info, IXGBE_RXD_TYPE_L2);
  assert_int_equal(rx.status & (IXGBE_RXD_STAT_IPCS | IXGBE_RXD_ERR_IPE), 0);
}

/* ---- Pools and classes ---- */

static void pools_have_their_queues(void **state)
{
  struct rig *rig = *state;
  uint32_t bytes = addressed(6, 0x420995BB, 0xA18E6450, 2794, 1766); /* hash ...78: index 8 */
  rss_start(rig, IXGBE_MRQE_VMDQ_64_RSS | IXGBE_MRQC_RSS_IPV4_TCP);
  rig_write(rig, IXGBE_PFVTCTL, IXGBE_PFVTCTL_VT_ENA | HW_FIELD(IXGBE_PFVTCTL_DEF_PL, 6u));
  rig_write(rig, IXGBE_MPSAR_LO(0), 0);
  rig_write(rig, IXGBE_MPSAR_HI(0), 1u << 8); /* pool 40 */
  assert_int_equal(queue_of(rig, bytes, NULL), 80);
  rig_write(rig, IXGBE_MPSAR_HI(0), 0); /* no pool: the default one */
  assert_int_equal(queue_of(rig, bytes, NULL), 12);
  rig_write(rig, IXGBE_MPSAR_LO(0), 1u << 5);
  rss_start(rig, IXGBE_MRQE_VMDQ_32_RSS | IXGBE_MRQC_RSS_IPV4_TCP);
  rig_write(rig, IXGBE_RETA(0x78 / 4), 0x03);
  assert_int_equal(queue_of(rig, bytes, NULL), 20); /* RQPL 0: one queue for each pool */
  rig_write(rig, IXGBE_PSRTYPE(5), HW_FIELD(IXGBE_PSRTYPE_RQPL, 2u));
  assert_int_equal(queue_of(rig, bytes, NULL), 23);
}

static void classes_follow_the_priority(void **state)
{
  struct rig *rig = *state;
  uint32_t bytes = addressed(17, 1, 2, 3, 4);
  rig_write(rig, IXGBE_MRQC, IXGBE_MRQE_DCB_8TC);
  rig_write(rig, IXGBE_RTRUP2TC, 3u << 15 | 1u); /* priority 5: class 3; none: class 1 */
  assert_int_equal(queue_of(rig, bytes, NULL), 16);
  memmove(frame + 16, frame + 12, bytes - 12);
  shunt_store_be16(frame + 12, 0x8100);
  shunt_store_be16(frame + 14, 0xA001);
  assert_int_equal(queue_of(rig, bytes + 4, NULL), 48);
  rig_write(rig, IXGBE_MRQC, IXGBE_MRQE_DCB_4TC);
  assert_int_equal(queue_of(rig, bytes + 4, NULL), 96);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(the_published_hashes_of_ipv4),
      RIG_TEST(the_published_hash_of_ipv6),
      RIG_TEST(what_is_not_hashed_goes_to_queue_0),
      RIG_TEST(five_tuples),
      RIG_TEST(priorities_decide),
      RIG_TEST(syn_filter),
      RIG_TEST(ethertype_filters),
      RIG_TEST(pools_have_their_queues),
      RIG_TEST(classes_follow_the_priority),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
