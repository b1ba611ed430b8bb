/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin_ixgbe_rig.h"

#define DROP_QUEUE 127u
#define ADD                                                                                        \
  (IXGBE_FDIRCMD_ADD_FLOW | IXGBE_FDIRCMD_FILTER_UPDATE | IXGBE_FDIRCMD_LAST |                     \
   IXGBE_FDIRCMD_QUEUE_EN)
#define UDP_FLOW HW_FIELD(IXGBE_FDIRCMD_L4TYPE, IXGBE_FDIR_L4TYPE_UDP)
#define TCP_FLOW HW_FIELD(IXGBE_FDIRCMD_L4TYPE, IXGBE_FDIR_L4TYPE_TCP)

static uint8_t frame[256];

/* The hash (7.1.2.7.2) by its bits, apart from the twin's way by shifted words: bit i is the parity
 * of those bits i + k of the folded input that bit k of the key selects. */
static unsigned bit_of(uint32_t word, unsigned i)
{
  return word >> i % 32 & 1;
}

static uint32_t hash_by_bits(const uint32_t stream[11], uint32_t key)
{
  uint32_t first = stream[0];
  uint32_t body = 0;
  for (unsigned i = 1; i < 11; i++)
    body ^= stream[i];
  uint32_t swapped = body >> 16 | body << 16;
  uint32_t hash = 0;
  for (unsigned out = 0; out < 15; out++) {
    unsigned parity = 0;
    for (unsigned k = 0; k < 32; k++) {
      if (!(key >> k & 1))
        continue;
      unsigned at = out + k % 16;
      if (k < 16) {
        parity ^= bit_of(swapped, at);
        if (k > 0)
          parity ^= bit_of(first, at) ^ (at >= 16 ? bit_of(first, at - 16) : 0);
      } else {
        parity ^= bit_of(body, at) ^ bit_of(first, at) ^ (at < 16 ? bit_of(first, at + 16) : 0);
      }
    }
    hash |= parity << out;
  }
  return hash;
}

static unsigned queue_of(struct rig *rig, uint32_t bytes, struct rig_rx *rx)
{
  static const unsigned queues[] = {0, 1, 2, 3, 21, 42};
  for (unsigned i = 0; i < 6; i++) {
    rig_rx_start(rig, queues[i]);
    rig_send(rig, frame, bytes);
    const struct rig_rx *got = rig_rx_take(rig);
    rig_write(rig, IXGBE_RXDCTL(queues[i]), 0);
    if (!got)
      continue;
    if (rx)
      memcpy(rx, got, sizeof(*rx));
    return queues[i];
  }
  return TWIN_IXGBE_QUEUES;
}

static void start(struct rig *rig, uint32_t control)
{
  rig_write(rig, IXGBE_FDIRHKEY, IXGBE_FDIRHKEY_RESET);
  rig_write(rig, IXGBE_FDIRSKEY, IXGBE_FDIRSKEY_RESET);
  rig_write(rig, IXGBE_FDIRCTRL,
            control | HW_FIELD(IXGBE_FDIRCTRL_FLEX_OFFSET, 6u) |
                HW_FIELD(IXGBE_FDIRCTRL_DROP_QUEUE, DROP_QUEUE));
  assert_true(rig_read(rig, IXGBE_FDIRCTRL) & IXGBE_FDIRCTRL_INIT_DONE);
  rig_write(rig, IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD);
}

static void start_perfect(struct rig *rig)
{
  start(rig, 1 | IXGBE_FDIRCTRL_PERFECT_MATCH | IXGBE_FDIRCTRL_REPORT_STATUS);
  /* Compared: addresses, ports, protocol. Not: VLAN, pool, flexible word. */
  rig_write(rig, IXGBE_FDIRM,
            IXGBE_FDIRM_VLANID | IXGBE_FDIRM_VLANP | IXGBE_FDIRM_POOL | IXGBE_FDIRM_FLEX |
                IXGBE_FDIRM_DIPV6);
}

/* 10.0.0.1:from -> 10.0.0.2:to as the hash sees it. */
static void stream_make(uint32_t stream[11], uint32_t type, uint16_t from, uint16_t to)
{
  memset(stream, 0, 11 * sizeof(*stream));
  stream[0] = type << 16;
  stream[1] = 0x0A000002;
  stream[5] = 0x0A000001;
  stream[9] = (uint32_t)from << 16 | to;
}

static void perfect_add(struct rig *rig, uint32_t hash, uint32_t id, uint16_t from, uint16_t to,
                        uint32_t command)
{
  rig_write(rig, IXGBE_FDIRIPSA, 0x0100000A); /* as the bytes lie in the frame */
  rig_write(rig, IXGBE_FDIRIPDA, 0x0200000A);
  rig_write(rig, IXGBE_FDIRPORT, (uint32_t)to << 16 | from);
  rig_write(rig, IXGBE_FDIRVLAN, 0);
  rig_write(rig, IXGBE_FDIRHASH, hash | HW_FIELD(IXGBE_FDIRHASH_SIG_SW_INDEX, id));
  rig_write(rig, IXGBE_FDIRCMD, command);
  assert_int_equal(rig_read(rig, IXGBE_FDIRCMD) & IXGBE_FDIRCMD_CMD, 0);
}

static uint32_t perfect_hash(uint32_t type, uint16_t from, uint16_t to)
{
  uint32_t stream[11];
  stream_make(stream, type, from, to);
  return hash_by_bits(stream, IXGBE_FDIRHKEY_RESET);
}

static void a_perfect_filter_directs(void **state)
{
  struct rig *rig = *state;
  static struct rig_rx rx;
  start_perfect(rig);
  uint32_t bytes = rig_udp(frame, 1000, 2000, 30);
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
  assert_int_equal(rig_read(rig, IXGBE_FDIRMISS), 1);
  uint32_t hash = perfect_hash(IXGBE_FDIR_L4TYPE_UDP, 1000, 2000);
  perfect_add(rig, hash & 0x1FFF, 0x55, 1000, 2000,
              ADD | UDP_FLOW | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 21u));
  assert_int_equal(queue_of(rig, bytes, &rx), 21);
  assert_true(rx.status & IXGBE_RXD_STAT_FLM);
  assert_int_equal(rx.info & IXGBE_RXD_RSS_TYPE, IXGBE_RSS_TYPE_FDIR);
  assert_int_equal(rx.hash, hash << 16 | 0x55);
  assert_true(rig_read(rig, IXGBE_FDIRMATCH) > 0);
  assert_int_equal(rig_read(rig, IXGBE_FDIRMATCH), 0); /* cleared by reading */
  for (unsigned at = 26; at < 38; at += 3) {           /* another address or port is another flow */
    frame[at] ^= 1;
    assert_int_equal(queue_of(rig, bytes, NULL), 0);
    frame[at] ^= 1;
  }
  bytes = rig_tcp(frame, 1000, 2000, 30);
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
}

/* The values were computed with the driver code that Intel publishes under the BSD licence
 * (ixgbe_82599.c), which real chips agree with. */
static void the_hash_is_the_drivers(void **state)
{
  (void)state;
  uint32_t stream[11];
  stream_make(stream, IXGBE_FDIR_L4TYPE_UDP, 1000, 2000);
  assert_int_equal(hash_by_bits(stream, IXGBE_FDIRHKEY_RESET) & 0x1FFF, 0x0710);
  stream_make(stream, IXGBE_FDIR_L4TYPE_TCP, 443, 51515);
  stream[0] |= 0xE123;
  stream[1] = 0x0A090807;
  stream[5] = 0xC0A8014D;
  stream[10] = 0x81000000;
  assert_int_equal(hash_by_bits(stream, IXGBE_FDIRHKEY_RESET) & 0x1FFF, 0x0217);
}

static void a_filter_under_another_hash_never_matches(void **state)
{
  struct rig *rig = *state;
  start_perfect(rig);
  uint32_t bytes = rig_udp(frame, 1000, 2000, 30);
  uint32_t hash = perfect_hash(IXGBE_FDIR_L4TYPE_UDP, 1000, 2000);
  perfect_add(rig, (hash ^ 1) & 0x1FFF, 1, 1000, 2000,
              ADD | UDP_FLOW | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 21u));
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
}

static void filters_are_found_and_removed(void **state)
{
  struct rig *rig = *state;
  start_perfect(rig);
  assert_int_equal(HW_GET(IXGBE_FDIRFREE_FREE, rig_read(rig, IXGBE_FDIRFREE)), 2046);
  uint32_t bytes = rig_udp(frame, 5, 6, 30);
  uint32_t hash = perfect_hash(IXGBE_FDIR_L4TYPE_UDP, 5, 6) & 0x1FFF;
  perfect_add(rig, hash, 7, 5, 6, ADD | UDP_FLOW | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 2u));
  perfect_add(rig, hash, 8, 50, 6, ADD | UDP_FLOW | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 3u));
  assert_int_equal(HW_GET(IXGBE_FDIRFREE_FREE, rig_read(rig, IXGBE_FDIRFREE)), 2044);
  assert_int_equal(rig_read(rig, IXGBE_FDIRUSTAT), 2);
  rig_write(rig, IXGBE_FDIRHASH, hash | 7u << 16);
  rig_write(rig, IXGBE_FDIRCMD, IXGBE_FDIRCMD_QUERY_FILTER);
  uint32_t answer = rig_read(rig, IXGBE_FDIRCMD);
  assert_true(answer & IXGBE_FDIRCMD_FILTER_VALID);
  assert_int_equal(HW_GET(IXGBE_FDIRCMD_RX_QUEUE, answer), 2);
  rig_write(rig, IXGBE_FDIRHASH, hash | 7u << 16);
  rig_write(rig, IXGBE_FDIRCMD, IXGBE_FDIRCMD_REMOVE_FLOW);
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
  rig_write(rig, IXGBE_FDIRCMD, IXGBE_FDIRCMD_QUERY_FILTER);
  assert_false(rig_read(rig, IXGBE_FDIRCMD) & IXGBE_FDIRCMD_FILTER_VALID);
  rig_write(rig, IXGBE_FDIRCMD, IXGBE_FDIRCMD_REMOVE_FLOW); /* it is gone */
  assert_int_equal(HW_GET(IXGBE_FDIRFSTAT_FREMOVE, rig_read(rig, IXGBE_FDIRFSTAT)), 1);
  assert_int_equal(rig_read(rig, IXGBE_FDIRUSTAT), HW_FIELD(IXGBE_FDIRUSTAT_REMOVE, 1u));
  /* The same identity again: an update where that is allowed, else a failure. */
  perfect_add(rig, hash, 8, 5, 6, ADD | UDP_FLOW | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 3u));
  assert_int_equal(queue_of(rig, bytes, NULL), 3);
  perfect_add(rig, hash, 8, 5, 6,
              (ADD & ~IXGBE_FDIRCMD_FILTER_UPDATE) | UDP_FLOW |
                  HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 1u));
  assert_int_equal(queue_of(rig, bytes, NULL), 3);
  assert_int_equal(HW_GET(IXGBE_FDIRFSTAT_FADD, rig_read(rig, IXGBE_FDIRFSTAT)), 1);
  rig_write(rig, IXGBE_FDIRCMD, IXGBE_FDIRCMD_CLEARHT);
  rig_write(rig, IXGBE_FDIRCMD, 0);
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
}

static void a_full_table_refuses(void **state)
{
  struct rig *rig = *state;
  start_perfect(rig);
  for (uint32_t i = 0; i < 2046; i++)
    perfect_add(rig, i & 0x1FFF, i, (uint16_t)i, 1, ADD | UDP_FLOW);
  assert_int_equal(HW_GET(IXGBE_FDIRFREE_FREE, rig_read(rig, IXGBE_FDIRFREE)), 0);
  assert_int_equal(rig_read(rig, IXGBE_FDIRFSTAT), 0);
  perfect_add(rig, 1, 3000, 3000, 1, ADD | UDP_FLOW);
  assert_int_equal(HW_GET(IXGBE_FDIRFSTAT_FADD, rig_read(rig, IXGBE_FDIRFSTAT)), 1);
  rig_write(rig, IXGBE_FDIRHASH, 100 | 100u << 16);
  rig_write(rig, IXGBE_FDIRCMD, IXGBE_FDIRCMD_REMOVE_FLOW);
  perfect_add(rig, 1, 3000, 3000, 1, ADD | UDP_FLOW); /* there is room again */
  assert_int_equal(rig_read(rig, IXGBE_FDIRFSTAT), 0);
}

static void drop_filters_drop(void **state)
{
  struct rig *rig = *state;
  start_perfect(rig);
  uint32_t bytes = rig_udp(frame, 5, 6, 30);
  perfect_add(rig, perfect_hash(IXGBE_FDIR_L4TYPE_UDP, 5, 6) & 0x1FFF, 1, 5, 6,
              ADD | UDP_FLOW | IXGBE_FDIRCMD_DROP | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, DROP_QUEUE));
  rig_rx_start(rig, 0);
  rig_send(rig, frame, bytes);
  assert_null(rig_rx_take(rig));
  assert_int_equal(rig_count(rig, "filter_dropped"), 1);
}

/* Port masks run the other way round, address masks as addresses do. */
static void masks_leave_fields_out(void **state)
{
  struct rig *rig = *state;
  start_perfect(rig);
  rig_write(rig, IXGBE_FDIRSIP4M, 0xFF000000); /* all but the last byte of the source */
  rig_write(rig, IXGBE_FDIRUDPM, 0x0000FFFFu); /* the source port not at all */
  uint32_t stream[11];
  stream_make(stream, IXGBE_FDIR_L4TYPE_UDP, 0, 6);
  stream[5] &= 0xFFFFFF00;
  perfect_add(rig, hash_by_bits(stream, IXGBE_FDIRHKEY_RESET) & 0x1FFF, 1, 5, 6,
              ADD | UDP_FLOW | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 42u));
  uint32_t bytes = rig_udp(frame, 99, 6, 30);
  frame[29] = 200;
  assert_int_equal(queue_of(rig, bytes, NULL), 42);
  frame[28] = 200;
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
  frame[28] = 0;
  rig_write(rig, IXGBE_FDIRUDPM, 0x8000FFFFu); /* and the lowest bit of the destination port */
  stream[9] &= ~1u;
  perfect_add(rig, hash_by_bits(stream, IXGBE_FDIRHKEY_RESET) & 0x1FFF, 2, 5, 7,
              ADD | UDP_FLOW | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 42u));
  assert_int_equal(queue_of(rig, bytes, NULL), 42);
  bytes = rig_udp(frame, 99, 7, 30);
  assert_int_equal(queue_of(rig, bytes, NULL), 42);
  bytes = rig_udp(frame, 99, 5, 30);
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
}

/* Linux samples the flows that it sends: one quadword, hash and command together, with the flexible
 * word (the EtherType) in the hash. */
static void signature_filters_direct(void **state)
{
  struct rig *rig = *state;
  start(rig, 1);
  uint32_t stream[11];
  uint32_t bytes = rig_tcp(frame, 80, 40000, 30);
  stream_make(stream, IXGBE_FDIR_L4TYPE_TCP, 80, 40000);
  stream[10] = 0x08000000;
  uint64_t hash =
      hash_by_bits(stream, IXGBE_FDIRHKEY_RESET) | hash_by_bits(stream, IXGBE_FDIRSKEY_RESET) << 16;
  assert_int_equal(hash, 0x0CBB0CDF); /* as the drivers compute it, see above */
  uint64_t command = ADD | TCP_FLOW | HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, 3u);
  shunt_model_bar_write(rig->model, 0, IXGBE_FDIRHASH, 8, command << 32 | hash);
  static struct rig_rx rx;
  assert_int_equal(queue_of(rig, bytes, &rx), 3);
  assert_true(rx.status & IXGBE_RXD_STAT_FLM);
  bytes = rig_tcp(frame, 81, 40000, 30);
  assert_int_equal(queue_of(rig, bytes, &rx), 0);
  assert_false(rx.status & IXGBE_RXD_STAT_FLM);
  rig_write(rig, IXGBE_FDIRCTRL, 0);
  bytes = rig_tcp(frame, 80, 40000, 30);
  assert_int_equal(queue_of(rig, bytes, NULL), 0);
}

static void nearly_full_tables_call_for_help(void **state)
{
  struct rig *rig = *state;
  start(rig, 1 | IXGBE_FDIRCTRL_PERFECT_MATCH | HW_FIELD(IXGBE_FDIRCTRL_FULL_THRESH, 4u));
  for (uint32_t i = 0; i < 2046 - 65; i++)
    perfect_add(rig, i & 0x1FFF, i, (uint16_t)i, 1, ADD | UDP_FLOW);
  assert_int_equal(rig_read(rig, IXGBE_EICR) & IXGBE_EICR_FLOW_DIR, 0);
  perfect_add(rig, 5, 4000, 4000, 1, ADD | UDP_FLOW);
  assert_true(rig_read(rig, IXGBE_EICR) & IXGBE_EICR_FLOW_DIR);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(a_perfect_filter_directs),
      RIG_TEST(the_hash_is_the_drivers),
      RIG_TEST(a_filter_under_another_hash_never_matches),
      RIG_TEST(filters_are_found_and_removed),
      RIG_TEST(a_full_table_refuses),
      RIG_TEST(drop_filters_drop),
      RIG_TEST(masks_leave_fields_out),
      RIG_TEST(signature_filters_direct),
      RIG_TEST(nearly_full_tables_call_for_help),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
