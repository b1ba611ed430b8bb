/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/arp.h"
#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/icmp.h"
#include "shunt/igmp.h"
#include "shunt/parse.h"
#include "shunt/udp.h"

static const struct shunt_ipv4_ends ends = {
    .source_mac = {{0x02, 0, 0, 0, 0, 0x01}},
    .destination_mac = {{0x02, 0, 0, 0, 0, 0x02}},
    .source = 0xc0000201,
    .destination = 0xc0000202,
};

/* Parse a copy that ends where the frame ends, so that AddressSanitizer sees a byte too many. */
static enum shunt_parse_cause parse(const uint8_t *frame, uint32_t bytes,
                                    struct shunt_parsed *parsed)
{
  uint8_t *copy = malloc(bytes ? bytes : 1);
  assert_non_null(copy);
  memcpy(copy, frame, bytes);
  enum shunt_parse_cause cause = shunt_parse(copy, bytes, SHUNT_PARSE_VERIFY_ALL, parsed);
  free(copy);
  return cause;
}

static enum shunt_parse_cause cause_of(const uint8_t *frame, uint32_t bytes)
{
  struct shunt_parsed parsed;
  return parse(frame, bytes, &parsed);
}

static uint32_t make_udp(uint8_t *frame, uint32_t capacity)
{
  return shunt_udp_frame_build(frame, capacity, &ends, 1000, 2000, "0123456789", 10);
}

static uint32_t make_echo(uint8_t *frame, uint32_t capacity)
{
  return shunt_icmp_echo_frame_build(frame, capacity, &ends, SHUNT_ICMP_ECHO_REQUEST, 1, 2,
                                     "0123456789", 10);
}

/* After an edit of the IPv4 header: make its checksum right again. */
static void fix_ipv4(uint8_t *frame)
{
  uint32_t bytes = (frame[14] & 0xfu) * 4;
  shunt_store_be16(frame + 24, 0);
  shunt_store_be16(frame + 24, shunt_checksum(frame + 14, bytes));
}

static void udp_is_taken_apart(void **state)
{
  uint8_t frame[64];
  struct shunt_parsed parsed;
  (void)state;

  uint32_t bytes = make_udp(frame, sizeof(frame));
  assert_int_equal(parse(frame, bytes, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_IPV4 | SHUNT_PARSED_L4);
  assert_int_equal(parsed.frame_bytes, 52);
  assert_int_equal(parsed.ethertype, SHUNT_ETHERNET_TYPE_IPV4);
  assert_int_equal(parsed.l3_offset, 14);
  assert_int_equal(parsed.l3_bytes, 38);
  assert_int_equal(parsed.l4_offset, 34);
  assert_int_equal(parsed.l4_bytes, 18);
  assert_int_equal(parsed.payload_offset, 42);
  assert_int_equal(parsed.payload_bytes, 10);
  assert_int_equal(parsed.protocol, SHUNT_IPV4_PROTOCOL_UDP);
  assert_int_equal(parsed.source, ends.source);
  assert_int_equal(parsed.destination, ends.destination);
  assert_int_equal(parsed.source_port, 1000);
  assert_int_equal(parsed.destination_port, 2000);
}

static void padding_is_no_payload(void **state)
{
  uint8_t frame[64];
  struct shunt_parsed parsed;
  (void)state;

  uint32_t bytes = shunt_ethernet_pad(frame, make_echo(frame, sizeof(frame)), sizeof(frame));
  assert_int_equal(parse(frame, bytes, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_IPV4 | SHUNT_PARSED_L4 | SHUNT_PARSED_PADDED);
  assert_int_equal(parsed.l4_type, SHUNT_ICMP_ECHO_REQUEST);
  assert_int_equal(parsed.payload_bytes, 10);

  bytes =
      shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, ends.source, ends.destination);
  bytes = shunt_ethernet_pad(frame, bytes, sizeof(frame));
  assert_int_equal(parse(frame, bytes, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_ARP | SHUNT_PARSED_BROADCAST | SHUNT_PARSED_PADDED);
  assert_int_equal(parsed.source, ends.source);
  assert_int_equal(parsed.destination, ends.destination);
  assert_int_equal(parsed.l3_bytes, SHUNT_ARP_PACKET_BYTES);
}

static void up_to_two_tags_are_read(void **state)
{
  uint8_t frame[80];
  struct shunt_parsed parsed;
  (void)state;

  uint32_t bytes = make_udp(frame, sizeof(frame));
  bytes = shunt_vlan_insert(frame, bytes, sizeof(frame), SHUNT_ETHERNET_TYPE_VLAN, 0xa02a);
  assert_int_equal(parse(frame, bytes, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_VLAN | SHUNT_PARSED_IPV4 | SHUNT_PARSED_L4);
  assert_int_equal(parsed.vlan_tags, 1);
  assert_int_equal(parsed.vlan_control[0], 0xa02a);
  assert_int_equal(parsed.l4_offset, 38);

  bytes = shunt_vlan_insert(frame, bytes, sizeof(frame), SHUNT_ETHERNET_TYPE_VLAN_S, 7);
  assert_int_equal(parse(frame, bytes, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.vlan_tags, 2);
  assert_int_equal(parsed.vlan_control[0], 7);
  assert_int_equal(parsed.vlan_control[1], 0xa02a);
  assert_int_equal(parsed.payload_offset, 50);

  for (uint32_t cut = 14; cut < 22; cut++)
    assert_int_equal(cause_of(frame, cut), SHUNT_CAUSE_VLAN_TRUNCATED);
  bytes = shunt_vlan_insert(frame, bytes, sizeof(frame), SHUNT_ETHERNET_TYPE_VLAN, 1);
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_VLAN_TOO_MANY);
}

static void every_cut_has_its_cause(void **state)
{
  uint8_t frame[64];
  (void)state;

  uint32_t bytes = make_udp(frame, sizeof(frame));
  for (uint32_t cut = 0; cut < bytes; cut++) {
    enum shunt_parse_cause expected = cut < 14   ? SHUNT_CAUSE_ETHERNET_TRUNCATED
                                      : cut < 34 ? SHUNT_CAUSE_IPV4_TRUNCATED
                                                 : SHUNT_CAUSE_IPV4_BEYOND_FRAME;
    assert_int_equal(cause_of(frame, cut), expected);
  }
  bytes = shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, 1, 2);
  for (uint32_t cut = 14; cut < bytes; cut++)
    assert_int_equal(cause_of(frame, cut), SHUNT_CAUSE_ARP_TRUNCATED);
}

static void unknown_types_are_accepted(void **state)
{
  uint8_t frame[60] = {0};
  struct shunt_parsed parsed;
  (void)state;

  shunt_ethernet_build(frame, ends.destination_mac, ends.source_mac, SHUNT_ETHERNET_TYPE_IPV6);
  assert_int_equal(parse(frame, sizeof(frame), &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, 0);
  assert_int_equal(parsed.ethertype, SHUNT_ETHERNET_TYPE_IPV6);
  assert_int_equal(parsed.payload_offset, 14);
  assert_int_equal(parsed.payload_bytes, 46);

  make_udp(frame, sizeof(frame));
  frame[23] = SHUNT_IPV4_PROTOCOL_TCP;
  fix_ipv4(frame);
  assert_int_equal(parse(frame, 52, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_IPV4);
  assert_int_equal(parsed.payload_offset, parsed.l4_offset);
}

static void types_below_0x600_are_lengths(void **state)
{
  uint8_t frame[60] = {0};
  struct shunt_parsed parsed;
  static const struct shunt_mac bridges = {{0x01, 0x80, 0xc2, 0, 0, 0}};
  (void)state;

  shunt_ethernet_build(frame, bridges, ends.source_mac, 38);
  assert_int_equal(parse(frame, sizeof(frame), &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_8023 | SHUNT_PARSED_MULTICAST | SHUNT_PARSED_PADDED);
  assert_int_equal(parsed.l3_bytes, 38);
  assert_int_equal(cause_of(frame, 14 + 38), SHUNT_CAUSE_NONE);
  assert_int_equal(cause_of(frame, 14 + 37), SHUNT_CAUSE_ETHERNET_BAD_LENGTH);
  static uint8_t longer[1600];
  shunt_ethernet_build(longer, bridges, ends.source_mac, 1501);
  assert_int_equal(cause_of(longer, sizeof(longer)), SHUNT_CAUSE_ETHERNET_BAD_LENGTH);
  shunt_ethernet_build(longer, bridges, ends.source_mac, 1500);
  assert_int_equal(cause_of(longer, sizeof(longer)), SHUNT_CAUSE_NONE);
}

static void arp_for_something_else(void **state)
{
  static const struct {
    uint8_t offset; /* within the packet */
    enum shunt_parse_cause cause;
  } cases[] = {
      {0, SHUNT_CAUSE_ARP_BAD_HARDWARE}, {1, SHUNT_CAUSE_ARP_BAD_HARDWARE},
      {2, SHUNT_CAUSE_ARP_BAD_PROTOCOL}, {3, SHUNT_CAUSE_ARP_BAD_PROTOCOL},
      {4, SHUNT_CAUSE_ARP_BAD_SIZES},    {5, SHUNT_CAUSE_ARP_BAD_SIZES},
  };
  uint8_t frame[SHUNT_ARP_FRAME_BYTES];
  (void)state;

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, 1, 2);
    frame[14 + cases[i].offset] ^= 0x10;
    assert_int_equal(cause_of(frame, sizeof(frame)), cases[i].cause);
  }
}

static void ipv4_headers_that_lie(void **state)
{
  uint8_t frame[64];
  (void)state;

  uint32_t bytes = make_udp(frame, sizeof(frame));
  frame[14] = 0x65;
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_IPV4_BAD_VERSION);
  frame[14] = 0x44;
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_IPV4_BAD_HEADER_LENGTH);
  frame[14] = 0x4f;
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_IPV4_TRUNCATED);
  frame[14] = 0x45;
  shunt_store_be16(frame + 16, 19);
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_IPV4_BAD_TOTAL_LENGTH);
  shunt_store_be16(frame + 16, 0);
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_IPV4_BAD_TOTAL_LENGTH);
  shunt_store_be16(frame + 16, 39);
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_IPV4_BEYOND_FRAME);
}

/* Each bit of a frame that a checksum covers, flipped alone, is noticed; without verification it
 * passes wherever lengths stay sound. */
static void every_flipped_bit_is_noticed(void **state)
{
  uint8_t frame[64];
  struct shunt_parsed parsed;
  (void)state;

  for (unsigned kind = 0; kind < 2; kind++) {
    uint32_t bytes = kind ? make_udp(frame, sizeof(frame)) : make_echo(frame, sizeof(frame));
    for (uint32_t bit = 14 * 8; bit < bytes * 8; bit++) {
      frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
      assert_int_not_equal(cause_of(frame, bytes), SHUNT_CAUSE_NONE);
      frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    frame[25] ^= 1;
    assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_IPV4_BAD_CHECKSUM);
    assert_int_equal(shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_L4, &parsed), SHUNT_CAUSE_NONE);
    frame[25] ^= 1;
    frame[bytes - 1] ^= 1;
    assert_int_equal(cause_of(frame, bytes),
                     kind ? SHUNT_CAUSE_UDP_BAD_CHECKSUM : SHUNT_CAUSE_ICMP_BAD_CHECKSUM);
    assert_int_equal(shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_IPV4, &parsed), SHUNT_CAUSE_NONE);
  }
}

static void udp_without_a_checksum_is_right(void **state)
{
  uint8_t frame[64];
  (void)state;

  uint32_t bytes = make_udp(frame, sizeof(frame));
  shunt_store_be16(frame + 40, 0);
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_NONE);
}

static void udp_lengths(void **state)
{
  uint8_t frame[64];
  struct shunt_parsed parsed;
  (void)state;

  uint32_t bytes = make_udp(frame, sizeof(frame));
  shunt_store_be16(frame + 40, 0);
  shunt_store_be16(frame + 38, 7);
  assert_int_equal(parse(frame, bytes, &parsed), SHUNT_CAUSE_UDP_BAD_LENGTH);
  assert_int_equal(parsed.payload_offset + parsed.payload_bytes, bytes);
  shunt_store_be16(frame + 38, 19);
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_UDP_BAD_LENGTH);
  shunt_store_be16(frame + 38, 12);
  assert_int_equal(parse(frame, bytes, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.l4_bytes, 12);
  assert_int_equal(parsed.payload_bytes, 4);
}

static void short_transport_headers(void **state)
{
  static const struct {
    uint8_t protocol;
    enum shunt_parse_cause cause;
  } cases[] = {
      {SHUNT_IPV4_PROTOCOL_UDP, SHUNT_CAUSE_UDP_TRUNCATED},
      {SHUNT_IPV4_PROTOCOL_ICMP, SHUNT_CAUSE_ICMP_TRUNCATED},
      {SHUNT_IPV4_PROTOCOL_IGMP, SHUNT_CAUSE_IGMP_TRUNCATED},
  };
  uint8_t frame[64];
  (void)state;

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    for (uint16_t total = 20; total < 28; total++) {
      make_udp(frame, sizeof(frame));
      frame[23] = cases[i].protocol;
      shunt_store_be16(frame + 16, total);
      fix_ipv4(frame);
      assert_int_equal(cause_of(frame, 60), cases[i].cause);
    }
}

static void igmp_is_looked_at(void **state)
{
  static const struct shunt_mac mac = {{0x02, 0, 0, 0, 0, 0x01}};
  uint8_t frame[64];
  struct shunt_parsed parsed;
  (void)state;

  uint32_t bytes = shunt_igmp_v2_join_build(frame, sizeof(frame), mac, ends.source, 0xe9010203);
  assert_int_equal(parse(frame, bytes, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_IPV4 | SHUNT_PARSED_IPV4_OPTIONS | SHUNT_PARSED_L4 |
                                     SHUNT_PARSED_MULTICAST);
  assert_int_equal(parsed.l4_type, SHUNT_IGMP_REPORT_V2);
  frame[bytes - 1] ^= 1;
  assert_int_equal(cause_of(frame, bytes), SHUNT_CAUSE_IGMP_BAD_CHECKSUM);
  frame[38] = SHUNT_IGMP_QUERY;
  shunt_store_be16(frame + 16, 24 + 9);
  fix_ipv4(frame);
  assert_int_equal(cause_of(frame, 60), SHUNT_CAUSE_IGMP_BAD_LENGTH);
}

static enum shunt_parse_cause parse_fragment(uint16_t field, uint32_t payload_bytes,
                                             struct shunt_parsed *parsed)
{
  uint8_t frame[128] = {0};
  struct shunt_ipv4_fields fields = {
      .source = ends.source,
      .destination = ends.destination,
      .fragment = field,
      .payload_bytes = payload_bytes,
      .time_to_live = 64,
      .protocol = SHUNT_IPV4_PROTOCOL_UDP,
  };
  shunt_ethernet_build(frame, ends.destination_mac, ends.source_mac, SHUNT_ETHERNET_TYPE_IPV4);
  shunt_ipv4_build(frame + 14, sizeof(frame) - 14, &fields);
  shunt_store_be16(frame + 36, 4321);
  shunt_store_be16(frame + 40, 0xbad);
  return parse(frame, 34 + payload_bytes, parsed);
}

static void fragments_are_told_apart(void **state)
{
  struct shunt_parsed parsed;
  (void)state;

  assert_int_equal(parse_fragment(SHUNT_IPV4_MORE_FRAGMENTS, 16, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_IPV4 | SHUNT_PARSED_FRAGMENT |
                                     SHUNT_PARSED_FRAGMENT_FIRST | SHUNT_PARSED_MORE_FRAGMENTS |
                                     SHUNT_PARSED_L4);
  assert_int_equal(parsed.destination_port, 4321);
  assert_int_equal(parsed.payload_bytes, 8);

  assert_int_equal(parse_fragment(SHUNT_IPV4_MORE_FRAGMENTS | 2, 16, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags, SHUNT_PARSED_IPV4 | SHUNT_PARSED_FRAGMENT |
                                     SHUNT_PARSED_FRAGMENT_MIDDLE | SHUNT_PARSED_MORE_FRAGMENTS);
  assert_int_equal(parsed.fragment_offset, 16);
  assert_int_equal(parsed.destination_port, 0);
  assert_int_equal(parsed.payload_bytes, 16);

  assert_int_equal(parse_fragment(4, 3, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.flags,
                   SHUNT_PARSED_IPV4 | SHUNT_PARSED_FRAGMENT | SHUNT_PARSED_FRAGMENT_LAST);
}

static void fragments_that_cannot_be(void **state)
{
  struct shunt_parsed parsed;
  (void)state;

  assert_int_equal(parse_fragment(SHUNT_IPV4_MORE_FRAGMENTS, 15, &parsed),
                   SHUNT_CAUSE_IPV4_BAD_FRAGMENT);
  assert_int_equal(parse_fragment(SHUNT_IPV4_MORE_FRAGMENTS, 0, &parsed),
                   SHUNT_CAUSE_IPV4_BAD_FRAGMENT);
  assert_int_equal(parse_fragment(1, 0, &parsed), SHUNT_CAUSE_IPV4_BAD_FRAGMENT);
  /* The last byte of a datagram is at 65,515 behind a header of 20. */
  assert_int_equal(parse_fragment(8189, 3, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.fragment_offset, 65512);
  assert_int_equal(parse_fragment(8189, 4, &parsed), SHUNT_CAUSE_IPV4_BAD_FRAGMENT);
  assert_int_equal(parse_fragment(8191, 1, &parsed), SHUNT_CAUSE_IPV4_BAD_FRAGMENT);
}

static void malformed_options(void **state)
{
  static const uint8_t options[] = {SHUNT_IPV4_OPTION_NOP, SHUNT_IPV4_OPTION_RECORD_ROUTE, 4, 0};
  struct shunt_ipv4_fields fields = {.options = options, .option_bytes = 4};
  uint8_t frame[14 + 24];
  struct shunt_parsed parsed;
  (void)state;

  shunt_ethernet_build(frame, ends.destination_mac, ends.source_mac, SHUNT_ETHERNET_TYPE_IPV4);
  shunt_ipv4_build(frame + 14, 24, &fields);
  assert_int_equal(parse(frame, sizeof(frame), &parsed), SHUNT_CAUSE_IPV4_BAD_OPTION);
  assert_true(parsed.flags & SHUNT_PARSED_IPV4_OPTIONS);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(udp_is_taken_apart),
      cmocka_unit_test(padding_is_no_payload),
      cmocka_unit_test(up_to_two_tags_are_read),
      cmocka_unit_test(every_cut_has_its_cause),
      cmocka_unit_test(unknown_types_are_accepted),
      cmocka_unit_test(types_below_0x600_are_lengths),
      cmocka_unit_test(arp_for_something_else),
      cmocka_unit_test(ipv4_headers_that_lie),
      cmocka_unit_test(every_flipped_bit_is_noticed),
      cmocka_unit_test(udp_without_a_checksum_is_right),
      cmocka_unit_test(udp_lengths),
      cmocka_unit_test(short_transport_headers),
      cmocka_unit_test(igmp_is_looked_at),
      cmocka_unit_test(fragments_are_told_apart),
      cmocka_unit_test(fragments_that_cannot_be),
      cmocka_unit_test(malformed_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
