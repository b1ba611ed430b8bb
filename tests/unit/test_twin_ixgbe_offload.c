/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin_ixgbe_rig.h"

#include "twin/ixgbe/crc.h"

#define TCP_IPV4 (IXGBE_TXC_TUCMD_IPV4 | IXGBE_TXC_L4T_TCP)
#define UDP_IPV4 (IXGBE_TXC_TUCMD_IPV4 | IXGBE_TXC_L4T_UDP)
#define SUMS     (IXGBE_TXD_POPTS_IXSM | IXGBE_TXD_POPTS_TXSM)
#define FLAG_FIN 0x01u
#define FLAG_PSH 0x08u
#define FLAG_ACK 0x10u
#define FLAG_CWR 0x80u

static uint8_t *data(struct rig *rig)
{
  return rig->memory + RIG_TX_DATA;
}

/* Is the frame's IPv4 header, and its TCP or UDP checksum, right? */
static void assert_sums_right(const uint8_t *frame, uint32_t l2_bytes)
{
  const uint8_t *ip = frame + l2_bytes;
  uint32_t header = (ip[0] & 15u) * 4;
  uint32_t l4_bytes = shunt_load_be16(ip + 2) - header;
  assert_int_equal(shunt_checksum(ip, header), 0);
  uint32_t sum = shunt_checksum_add(rig_pseudo4(ip, l4_bytes), ip + header, l4_bytes);
  assert_int_equal(shunt_checksum_finish(sum), 0);
}

/* What a driver leaves for the chip: no IP checksum, and the pseudo header's sum as L4 checksum. */
static void leave_sums(uint8_t *frame, uint32_t sum_at, uint32_t l4_bytes)
{
  uint8_t *ip = frame + 14;
  shunt_store_be16(ip + 10, 0);
  shunt_store_be16(ip + 20 + sum_at, (uint16_t)~shunt_checksum_finish(rig_pseudo4(ip, l4_bytes)));
}

static void checksums_are_inserted(void **state)
{
  struct rig *rig = *state;
  uint8_t right[256];
  rig_tx_start(rig, 0);
  for (uint32_t payload = 30; payload < 34; payload++) { /* odd and even */
    uint32_t bytes = rig_tcp(data(rig), 1, 2, payload);
    memcpy(right, data(rig), bytes);
    leave_sums(data(rig), 16, 20 + payload);
    rig_tx_context(rig, 1, 0, 14, 20, 20, 0, TCP_IPV4);
    rig_tx_frame(rig, 0, bytes, 0, SUMS | HW_FIELD(IXGBE_TXD_IDX, 1));
    rig_tx_kick(rig);
    assert_int_equal(rig->frames[rig->received - 1].bytes, bytes);
    assert_memory_equal(rig->frames[rig->received - 1].data, right, bytes);
  }
  assert_int_equal(rig->received, 4);
}

static void a_sum_runs_over_odd_pieces(void **state)
{
  struct rig *rig = *state;
  uint8_t right[256];
  rig_tx_start(rig, 0);
  uint32_t bytes = rig_udp(data(rig), 53, 54, 91);
  memcpy(right, data(rig), bytes);
  leave_sums(data(rig), 6, 99);
  rig_tx_context(rig, 0, 0, 14, 20, 8, 0, UDP_IPV4);
  const uint32_t cuts[] = {0, 13, 37, 52, 53, 100, bytes};
  for (unsigned i = 0; i < 6; i++)
    rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA + cuts[i],
               RIG_DATA | (i == 5 ? RIG_LAST : 0) | (cuts[i + 1] - cuts[i]),
               SUMS | bytes << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_memory_equal(rig->frames[0].data, right, bytes);
}

static void udp_never_gets_a_zero_checksum(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint32_t bytes = rig_udp(data(rig), 1, 2, 20);
  /* Make the right checksum 0 by adding the present one to the data. */
  uint8_t *l4 = data(rig) + 34;
  uint16_t checksum = shunt_load_be16(l4 + 6);
  shunt_store_be16(l4 + 8, (uint16_t)~shunt_checksum_finish(shunt_load_be16(l4 + 8) + checksum));
  leave_sums(data(rig), 6, 28);
  rig_tx_context(rig, 0, 0, 14, 20, 8, 0, UDP_IPV4);
  rig_tx_frame(rig, 0, bytes, 0, SUMS);
  rig_tx_kick(rig);
  assert_int_equal(shunt_load_be16(rig->frames[0].data + 40), 0xFFFF);
  assert_sums_right(rig->frames[0].data, 14);
}

static void sctp_gets_its_crc(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint32_t bytes = rig_ipv4(data(rig), 132, 7, 8, 12, 40);
  rig_tx_context(rig, 0, 0, 14, 20, 12, 0, IXGBE_TXC_TUCMD_IPV4 | IXGBE_TXC_L4T_SCTP);
  rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA, RIG_DATA | 50,
             IXGBE_TXD_POPTS_TXSM | bytes << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA + 50, RIG_DATA | RIG_LAST | (bytes - 50), 0);
  rig_tx_kick(rig);
  uint32_t crc = ~twin_ixgbe_crc32c_add(UINT32_MAX, data(rig) + 34, 52);
  assert_memory_equal(rig->frames[0].data + 42, &crc, 4);
  /* The check value of CRC-32C, RFC 3720 B.4 and others. */
  assert_int_equal(~twin_ixgbe_crc32c_add(UINT32_MAX, "123456789", 9), 0xE3069283u);
}

static void tags_are_inserted(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint32_t bytes = rig_udp(data(rig), 1, 2, 40);
  static const uint8_t tag[4] = {0x81, 0x00, 0x60, 0x05};
  rig_tx_context(rig, 0, 0x6005, 14, 0, 0, 0, 0);
  rig_tx_frame(rig, 0, bytes, IXGBE_TXD_VLE, 0);
  const uint64_t at = RIG_IOVA + RIG_TX_DATA; /* addresses in two buffers */
  rig_tx_put(rig, at, RIG_DATA | IXGBE_TXD_VLE | 5, bytes << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_put(rig, at + 5, RIG_DATA | RIG_LAST | (bytes - 5), 0);
  rig_tx_put(rig, at, IXGBE_TXD_EOP | IXGBE_TXD_IFCS | IXGBE_TXD_VLE | bytes,
             HW_FIELD(IXGBE_TXD_LEGACY_VLAN, 0x6005u));
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 3);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(rig->frames[i].bytes, bytes + 4);
    assert_memory_equal(rig->frames[i].data, data(rig), 12);
    assert_memory_equal(rig->frames[i].data + 12, tag, 4);
    assert_memory_equal(rig->frames[i].data + 16, data(rig) + 12, bytes - 12);
  }
}

static void legacy_checksums_are_inserted(void **state)
{
  struct rig *rig = *state;
  uint8_t right[256];
  rig_tx_start(rig, 0);
  uint32_t bytes = rig_tcp(data(rig), 3, 4, 33);
  memcpy(right, data(rig), bytes);
  shunt_store_be16(data(rig) + 34 + 16,
                   (uint16_t)~shunt_checksum_finish(rig_pseudo4(data(rig) + 14, 53)));
  const uint32_t command = IXGBE_TXD_EOP | IXGBE_TXD_IFCS | IXGBE_TXD_LEGACY_IC;
  rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA, command | HW_FIELD(IXGBE_TXD_LEGACY_CSO, 50u) | bytes,
             HW_FIELD(IXGBE_TXD_LEGACY_CSS, 34u));
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_memory_equal(rig->frames[0].data, right, bytes);
  rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA, command | HW_FIELD(IXGBE_TXD_LEGACY_CSO, 200u) | bytes,
             HW_FIELD(IXGBE_TXD_LEGACY_CSS, 34u));
  rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA, command | HW_FIELD(IXGBE_TXD_LEGACY_CSO, 30u) | bytes,
             HW_FIELD(IXGBE_TXD_LEGACY_CSS, 34u));
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_int_equal(rig_count(rig, "bad_offload"), 2);
}

/* ---- Segmentation ---- */

/* A TCP frame for TSO: as long as it likes, its pseudo header summed without a length. */
static uint32_t tso_frame(struct rig *rig, uint32_t payload, uint8_t flags)
{
  uint32_t bytes = rig_tcp(data(rig), 80, 1024, payload);
  uint8_t *ip = data(rig) + 14;
  shunt_store_be16(ip + 2, 0);
  leave_sums(data(rig), 16, 0);
  ip[20 + 13] = flags;
  return bytes;
}

static void tso_put(struct rig *rig, uint32_t bytes, uint32_t payload, uint32_t command)
{
  /* Header and a little payload first, the rest in uneven pieces. */
  const uint32_t cuts[] = {0, 60, 61, bytes / 2, bytes};
  for (unsigned i = 0; i < 4; i++)
    rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA + cuts[i],
               RIG_DATA | IXGBE_TXD_TSE | command | (i == 3 ? RIG_LAST : 0) |
                   (cuts[i + 1] - cuts[i]),
               SUMS | payload << IXGBE_TXD_PAYLEN_SHIFT);
  rig_tx_kick(rig);
}

static void tcp_is_cut_into_segments(void **state)
{
  struct rig *rig = *state;
  const uint32_t payload = 3500, mss = 1001;
  rig_tx_start(rig, 0);
  uint32_t bytes = tso_frame(rig, payload, FLAG_CWR | FLAG_ACK | FLAG_PSH | FLAG_FIN);
  rig_tx_context(rig, 0, 0, 14, 20, 20, mss, TCP_IPV4);
  tso_put(rig, bytes, payload, 0);
  assert_int_equal(rig->received, 4);
  static const uint8_t flags[] = {FLAG_CWR | FLAG_ACK, FLAG_ACK, FLAG_ACK,
                                  FLAG_ACK | FLAG_PSH | FLAG_FIN};
  for (uint32_t i = 0; i < 4; i++) {
    const uint8_t *frame = rig->frames[i].data;
    uint32_t part = i < 3 ? mss : payload - 3 * mss;
    assert_int_equal(rig->frames[i].bytes, 54 + part);
    assert_int_equal(shunt_load_be16(frame + 16), 40 + part);
    assert_int_equal(shunt_load_be16(frame + 18), 0x1234 + i);
    assert_int_equal(shunt_load_be32(frame + 38), 0xFFFFFF00u + i * mss);
    assert_int_equal(frame[46] >> 4, 5);
    assert_int_equal(frame[47], flags[i]);
    assert_sums_right(frame, 14);
    assert_memory_equal(frame + 54, data(rig) + 54 + i * mss, part);
  }
  assert_int_equal(rig_read(rig, IXGBE_GPTC), 4);
}

static void a_single_segment_keeps_its_flags(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint32_t bytes = tso_frame(rig, 500, FLAG_CWR | FLAG_ACK | FLAG_PSH | FLAG_FIN);
  rig_tx_context(rig, 0, 0x0007, 14, 20, 20, 500, TCP_IPV4);
  tso_put(rig, bytes, 500, IXGBE_TXD_VLE);
  assert_int_equal(rig->received, 1);
  assert_int_equal(rig->frames[0].bytes, 554 + 4);
  assert_int_equal(rig->frames[0].data[47 + 4], FLAG_CWR | FLAG_ACK | FLAG_PSH | FLAG_FIN);
  assert_sums_right(rig->frames[0].data, 18);
}

static void udp_is_cut_into_datagrams(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint32_t bytes = rig_udp(data(rig), 9, 10, 250);
  leave_sums(data(rig), 6, 0);
  rig_tx_context(rig, 0, 0, 14, 20, 8, 100, UDP_IPV4);
  tso_put(rig, bytes, 250, 0);
  assert_int_equal(rig->received, 3);
  for (unsigned i = 0; i < 3; i++) {
    uint32_t part = i < 2 ? 100 : 50;
    assert_int_equal(shunt_load_be16(rig->frames[i].data + 38), 8 + part);
    assert_sums_right(rig->frames[i].data, 14);
    assert_memory_equal(rig->frames[i].data + 42, data(rig) + 42 + i * 100, part);
  }
}

static void ipv6_is_cut_into_segments(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint8_t *frame = data(rig);
  uint8_t *ip = frame + 14;
  const uint32_t payload = 300;
  rig_ethernet(frame, rig_mac, 0x86DD);
  memset(ip, 0, 60);
  ip[0] = 0x60;
  ip[6] = 6;
  ip[8] = ip[24] = 0xFD;
  ip[23] = 1;
  ip[39] = 2;
  ip[40 + 12] = 0x50;
  for (uint32_t i = 0; i < payload; i++)
    ip[60 + i] = (uint8_t)(i * 3);
  uint32_t pseudo = shunt_checksum_add(6, ip + 8, 32);
  shunt_store_be16(ip + 56, (uint16_t)~shunt_checksum_finish(pseudo));
  rig_tx_context(rig, 0, 0, 14, 40, 20, 128, IXGBE_TXC_L4T_TCP);
  tso_put(rig, 74 + payload, payload, 0); /* IXSM is set too: there is nothing to sum in IPv6 */
  assert_int_equal(rig->received, 3);
  for (unsigned i = 0; i < 3; i++) {
    const uint8_t *got = rig->frames[i].data + 14;
    uint32_t l4_bytes = 20 + (i < 2 ? 128 : 44);
    assert_int_equal(shunt_load_be16(got + 4), l4_bytes);
    uint32_t sum = shunt_checksum_add(6 + l4_bytes, got + 8, 32);
    assert_int_equal(shunt_checksum_finish(shunt_checksum_add(sum, got + 40, l4_bytes)), 0);
  }
}

/* ---- Rubbish ---- */

static void what_does_not_fit_is_dropped(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint32_t bytes = rig_tcp(data(rig), 1, 2, 100);
  uint64_t bad = 0;
  rig_tx_frame(rig, 0, bytes, 0, SUMS); /* no context yet */
  rig_tx_frame(rig, 0, bytes, 0, IXGBE_TXD_CC);
  rig_tx_frame(rig, 0, bytes, 0, SUMS | HW_FIELD(IXGBE_TXD_IDX, 5));
  rig_tx_kick(rig);
  assert_int_equal(rig_count(rig, "bad_offload"), bad += 3);
  static const struct {
    uint32_t maclen, iplen, tucmd;
  } contexts[] = {
      {14, 200, TCP_IPV4},                          /* headers beyond the frame */
      {14, 0, TCP_IPV4},                            /* no IP header */
      {0, 20, TCP_IPV4},                            /* no MAC header */
      {14, 20, IXGBE_TXC_TUCMD_IPV4 | 0x00001800u}, /* reserved L4T */
      {14, 20, TCP_IPV4 | IXGBE_TXC_TUCMD_FCOE},    /* not served */
      {127, 511, TCP_IPV4},
  };
  const unsigned count = sizeof(contexts) / sizeof(contexts[0]);
  for (unsigned i = 0; i < count; i++) {
    rig_tx_context(rig, 0, 0, contexts[i].maclen, contexts[i].iplen, 20, 0, contexts[i].tucmd);
    rig_tx_frame(rig, 0, bytes, 0, SUMS);
    rig_tx_kick(rig);
  }
  assert_int_equal(rig_count(rig, "bad_offload"), bad += count);
  rig_tx_context(rig, 0, 0, 14, 20, 20, 0, TCP_IPV4);
  rig_tx_frame(rig, 0, bytes, 0, SUMS | IXGBE_TXD_POPTS_IPSEC);
  rig_tx_kick(rig);
  assert_int_equal(rig_count(rig, "bad_offload"), bad += 1);
  assert_int_equal(rig->received, 0);
  uint32_t i = rig_tx_frame(rig, 0, bytes, 0, IXGBE_TXD_CC); /* the context is there, unused */
  rig_tx_kick(rig);
  assert_int_equal(rig->received, 1);
  assert_memory_equal(rig->frames[0].data, data(rig), bytes);
  assert_true(rig_tx_is_done(rig, i));
}

static void segmentation_that_makes_no_sense_is_dropped(void **state)
{
  struct rig *rig = *state;
  rig_tx_start(rig, 0);
  uint32_t bytes = tso_frame(rig, 1000, FLAG_ACK);
  static const struct {
    uint32_t iplen, l4len, mss, tucmd, payload;
  } cases[] = {
      {20, 20, 0, TCP_IPV4, 1000},  /* MSS */
      {20, 20, 500, TCP_IPV4, 999}, /* PAYLEN */
      {20, 20, 500, TCP_IPV4, 1001},
      {20, 16, 500, TCP_IPV4, 1004}, /* no whole TCP header */
      {20, 255, 500, TCP_IPV4, 0},
      {20, 20, 500, UDP_IPV4, 1000},          /* a UDP header of 20 bytes */
      {20, 20, 500, IXGBE_TXC_L4T_TCP, 1000}, /* IPv6 in 20 bytes */
      {20, 12, 500, IXGBE_TXC_TUCMD_IPV4 | IXGBE_TXC_L4T_SCTP, 1008},
  };
  const unsigned count = sizeof(cases) / sizeof(cases[0]);
  for (unsigned i = 0; i < count; i++) {
    rig_tx_context(rig, 0, 0, 14, cases[i].iplen, cases[i].l4len, cases[i].mss, cases[i].tucmd);
    tso_put(rig, bytes, cases[i].payload, 0);
  }
  assert_int_equal(rig_count(rig, "bad_offload"), count);
  assert_int_equal(rig->received, 0);
  bytes = tso_frame(rig, 40000, FLAG_ACK);
  rig_tx_context(rig, 0, 0, 14, 20, 20, 4, TCP_IPV4); /* 10000 segments */
  tso_put(rig, bytes, 40000, 0);
  assert_int_equal(rig->received, 0);
  rig_tx_context(rig, 0, 0, 14, 20, 20, 20000, TCP_IPV4);
  tso_put(rig, bytes, 40000, 0);
  assert_int_equal(rig->received, 0);
  assert_int_equal(rig_count(rig, "oversized_frame"), 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(checksums_are_inserted),
      RIG_TEST(a_sum_runs_over_odd_pieces),
      RIG_TEST(udp_never_gets_a_zero_checksum),
      RIG_TEST(sctp_gets_its_crc),
      RIG_TEST(tags_are_inserted),
      RIG_TEST(legacy_checksums_are_inserted),
      RIG_TEST(tcp_is_cut_into_segments),
      RIG_TEST(a_single_segment_keeps_its_flags),
      RIG_TEST(udp_is_cut_into_datagrams),
      RIG_TEST(ipv6_is_cut_into_segments),
      RIG_TEST(what_does_not_fit_is_dropped),
      RIG_TEST(segmentation_that_makes_no_sense_is_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
