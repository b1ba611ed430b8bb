/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to ARP and ICMP echo; UDP echo is in test_respond_udp.c. */
#include "tests/unit/respond_rig.h"

#include "shunt/arp.h"
#include "shunt/igmp.h"

/* ---- ARP ---- */

static void arp_request_is_answered(void **state)
{
  uint8_t frame[60];
  uint8_t expected[60];
  (void)state;

  uint32_t bytes = shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, THEIRS, OURS);
  assert_int_equal(respond(frame, shunt_ethernet_pad(frame, bytes, 60)), SHUNT_CAUSE_NONE);
  bytes =
      shunt_arp_reply_build(expected, sizeof(expected), host.mac, OURS, ends.source_mac, THEIRS);
  shunt_ethernet_pad(expected, bytes, sizeof(expected));
  assert_memory_equal(frame, expected, sizeof(expected));
  /* The answer asks for nothing. */
  assert_int_equal(respond(frame, 60), SHUNT_CAUSE_ETHERNET_NOT_FOR_US);
}

static void arp_probe_and_unicast_request_are_answered(void **state)
{
  uint8_t frame[SHUNT_ARP_FRAME_BYTES];
  (void)state;

  shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, 0, OURS);
  assert_int_equal(respond(frame, sizeof(frame)), SHUNT_CAUSE_NONE);
  assert_int_equal(shunt_load_be32(frame + 38), 0);
  shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, THEIRS, OURS);
  memcpy(frame, host.mac.bytes, 6);
  assert_int_equal(respond(frame, sizeof(frame)), SHUNT_CAUSE_NONE);
}

static void arp_that_is_not_answered(void **state)
{
  static const struct shunt_mac group = {{0x01, 0, 0x5e, 0, 0, 1}};
  uint8_t frame[SHUNT_ARP_FRAME_BYTES];
  (void)state;

  shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, THEIRS, OURS + 1);
  assert_int_equal(respond(frame, sizeof(frame)), SHUNT_CAUSE_ARP_NOT_FOR_US);
  shunt_arp_reply_build(frame, sizeof(frame), ends.source_mac, THEIRS, host.mac, OURS);
  assert_int_equal(respond(frame, sizeof(frame)), SHUNT_CAUSE_ARP_NOT_A_REQUEST);
  shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, OURS, OURS);
  assert_int_equal(respond(frame, sizeof(frame)), SHUNT_CAUSE_ARP_CONFLICT);
  static const uint32_t senders[] = {GROUP, BROADCAST, 0xffffffff, 0x7f000001};
  for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
    shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, senders[i], OURS);
    assert_int_equal(respond(frame, sizeof(frame)), SHUNT_CAUSE_ARP_BAD_SENDER);
  }
  shunt_arp_request_build(frame, sizeof(frame), ends.source_mac, THEIRS, OURS);
  memcpy(frame + 22, group.bytes, 6);
  assert_int_equal(respond(frame, sizeof(frame)), SHUNT_CAUSE_ARP_BAD_SENDER);
  shunt_arp_request_build(frame, sizeof(frame), group, THEIRS, OURS);
  assert_int_equal(respond(frame, sizeof(frame)), SHUNT_CAUSE_ETHERNET_BAD_SOURCE);
}

/* ---- ICMP echo ---- */

/* The answer is, byte for byte, what a full computation would have built. */
static void echo_of_every_length_equals_one_built_anew(void **state)
{
  static const struct shunt_ipv4_ends back = {
      .source_mac = {{0x02, 0, 0, 0, 0, 0x02}},
      .destination_mac = {{0x02, 0, 0, 0, 0, 0x01}},
      .source = OURS,
      .destination = THEIRS,
  };
  uint8_t frame[1600];
  uint8_t expected[1600];
  (void)state;

  for (uint32_t payload = 0; payload <= 1472; payload++) {
    uint32_t bytes = make_echo(frame, sizeof(frame), &ends, payload);
    shunt_icmp_echo_frame_build(expected, sizeof(expected), &back, SHUNT_ICMP_ECHO_REPLY, 0x1234,
                                0x5678, frame + SHUNT_ICMP_PAYLOAD_START, payload);
    assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_NONE);
    assert_memory_equal(frame, expected, bytes);
  }
}

/* The checksum of every request there can be, those that make the answer's sum zero included. */
static void echo_checksum_is_right_for_every_request(void **state)
{
  uint8_t frame[44];
  (void)state;

  for (uint32_t word = 0; word <= UINT16_MAX; word++) {
    uint8_t payload[2];
    shunt_store_be16(payload, (uint16_t)word);
    uint16_t id = word % 2 ? 0 : 0xedcb;
    shunt_icmp_echo_frame_build(frame, sizeof(frame), &ends, SHUNT_ICMP_ECHO_REQUEST, id, 0,
                                payload, 2);
    assert_int_equal(respond(frame, 44), SHUNT_CAUSE_NONE);
    uint16_t stepped = shunt_load_be16(frame + 36);
    shunt_store_be16(frame + 36, 0);
    assert_int_equal(stepped, shunt_checksum(frame + 34, 10));
  }
}

static void echo_of_nothing_but_zeros(void **state)
{
  static const uint8_t zeros[56];
  uint8_t frame[98];
  (void)state;

  uint32_t bytes = shunt_icmp_echo_frame_build(frame, sizeof(frame), &ends, SHUNT_ICMP_ECHO_REQUEST,
                                               0, 0, zeros, sizeof(zeros));
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_NONE);
  assert_int_equal(shunt_load_be16(frame + 36), 0xffff);
  assert_sound_answer(frame, bytes);
}

static void time_to_live_stays(void **state)
{
  uint8_t frame[64];
  (void)state;

  uint32_t bytes = make_echo(frame, sizeof(frame), &ends, 4);
  frame[22] = 3;
  fix_ipv4(frame);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_NONE);
  assert_int_equal(frame[22], 3);
  assert_sound_answer(frame, bytes);
}

static void tags_stay(void **state)
{
  static const uint8_t tags[] = {0x88, 0xa8, 0, 5, 0x81, 0, 0xa0, 42, 0x08, 0};
  uint8_t frame[80];
  (void)state;

  uint32_t bytes = make_echo(frame, sizeof(frame), &ends, 4);
  bytes = shunt_vlan_insert(frame, bytes, sizeof(frame), SHUNT_ETHERNET_TYPE_VLAN, 0xa02a);
  bytes = shunt_vlan_insert(frame, bytes, sizeof(frame), SHUNT_ETHERNET_TYPE_VLAN_S, 5);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_NONE);
  assert_memory_equal(frame + 12, tags, sizeof(tags));
  assert_sound_answer(frame, bytes);
}

/* A damaged payload that no one verified arrives back with a checksum that is as wrong. */
static void damage_is_not_covered_up(void **state)
{
  uint8_t frame[64];
  struct shunt_parsed parsed;
  (void)state;

  uint32_t bytes = make_echo(frame, sizeof(frame), &ends, 8);
  frame[bytes - 1] ^= 0x20;
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_ICMP_BAD_CHECKSUM);
  assert_int_equal(shunt_respond_in_place(frame, bytes, 0, &host), SHUNT_CAUSE_NONE);
  assert_int_equal(shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_ALL, &parsed),
                   SHUNT_CAUSE_ICMP_BAD_CHECKSUM);
}

static void echo_to_many_only_where_asked_for(void **state)
{
  static const struct {
    uint32_t destination;
    enum shunt_parse_cause cause;
  } cases[] = {
      {BROADCAST, SHUNT_CAUSE_IPV4_TO_BROADCAST},
      {0xffffffff, SHUNT_CAUSE_IPV4_TO_BROADCAST},
      {GROUP, SHUNT_CAUSE_IPV4_TO_MULTICAST},
  };
  struct shunt_host generous = host;
  uint8_t frame[64];
  (void)state;

  generous.flags = SHUNT_HOST_ANSWER_GROUPS;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct shunt_ipv4_ends many = ends;
    many.destination = cases[i].destination;
    many.destination_mac = shunt_ipv4_multicast_mac(GROUP);
    if (cases[i].destination != GROUP)
      memset(many.destination_mac.bytes, 0xff, 6);
    uint32_t bytes = make_echo(frame, sizeof(frame), &many, 9);
    assert_int_equal(respond(frame, bytes), cases[i].cause);
    assert_int_equal(respond_as(&generous, frame, bytes), SHUNT_CAUSE_NONE);
    assert_sound_answer(frame, bytes);
    bytes = make_udp(frame, sizeof(frame), &many);
    assert_int_equal(respond(frame, bytes), cases[i].cause);
    assert_int_equal(respond_as(&generous, frame, bytes), SHUNT_CAUSE_NONE);
    assert_sound_answer(frame, bytes);
  }
}

static void destinations_that_are_not_ours(void **state)
{
  struct shunt_ipv4_ends other = ends;
  uint8_t frame[64];
  (void)state;

  other.destination = OURS + 1;
  uint32_t bytes = make_echo(frame, sizeof(frame), &other, 4);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_IPV4_NOT_FOR_US);

  bytes = make_echo(frame, sizeof(frame), &ends, 4);
  frame[5] ^= 1;
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_ETHERNET_NOT_FOR_US);
  memset(frame, 0xff, 6);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_IPV4_IN_LINK_BROADCAST);
}

static void sources_that_get_no_answer(void **state)
{
  static const struct {
    uint32_t source;
    enum shunt_parse_cause cause;
  } cases[] = {
      {OURS, SHUNT_CAUSE_IPV4_SOURCE_IS_US},
      {0, SHUNT_CAUSE_IPV4_SOURCE_ZERO},
      {0x00010203, SHUNT_CAUSE_IPV4_SOURCE_ZERO},
      {0x7f000001, SHUNT_CAUSE_IPV4_SOURCE_LOOPBACK},
      {GROUP, SHUNT_CAUSE_IPV4_SOURCE_MULTICAST},
      {BROADCAST, SHUNT_CAUSE_IPV4_SOURCE_BROADCAST},
      {0xffffffff, SHUNT_CAUSE_IPV4_SOURCE_BROADCAST},
  };
  struct shunt_ipv4_ends from = ends;
  uint8_t frame[64];
  (void)state;

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    from.source = cases[i].source;
    uint32_t bytes = make_echo(frame, sizeof(frame), &from, 4);
    assert_int_equal(respond(frame, bytes), cases[i].cause);
    bytes = make_udp(frame, sizeof(frame), &from);
    assert_int_equal(respond(frame, bytes), cases[i].cause);
  }
  from.source = THEIRS;
  from.source_mac.bytes[0] |= 1;
  assert_int_equal(respond(frame, make_echo(frame, sizeof(frame), &from, 4)),
                   SHUNT_CAUSE_ETHERNET_BAD_SOURCE);
}

static void fragments_are_not_answered(void **state)
{
  uint8_t frame[64];
  (void)state;

  for (uint16_t field = 0x2000; field <= 0x2001; field++) {
    uint32_t bytes = make_echo(frame, sizeof(frame), &ends, 8);
    shunt_store_be16(frame + 20, field);
    fix_ipv4(frame);
    assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_IPV4_FRAGMENT);
  }
}

static void what_no_one_answers(void **state)
{
  struct shunt_ipv4_ends many = ends;
  uint8_t frame[64];
  (void)state;

  uint32_t bytes = make_echo(frame, sizeof(frame), &ends, 8);
  frame[23] = SHUNT_IPV4_PROTOCOL_TCP;
  fix_ipv4(frame);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_IPV4_PROTOCOL_NOT_SERVED);
  bytes = shunt_icmp_echo_frame_build(frame, sizeof(frame), &ends, SHUNT_ICMP_ECHO_REPLY, 1, 2,
                                      NULL, 0);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_ICMP_NOT_ECHO_REQUEST);
  shunt_store_be16(frame + 12, SHUNT_ETHERNET_TYPE_IPV6);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_ETHERNET_TYPE_NOT_SERVED);
  bytes = shunt_igmp_v2_join_build(frame, sizeof(frame), many.source_mac, THEIRS, 0xe9010203);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_IPV4_TO_MULTICAST);
  assert_int_equal(respond(frame, 13), SHUNT_CAUSE_ETHERNET_TRUNCATED);
}

/* Each responder refuses what is another's. */
static void responders_keep_to_their_own(void **state)
{
  uint8_t frame[64];
  struct shunt_parsed parsed;
  (void)state;

  uint32_t bytes = make_udp(frame, sizeof(frame), &ends);
  shunt_parse(frame, bytes, 0, &parsed);
  assert_int_equal(shunt_icmp_echo_reply_in_place(frame, &parsed, &host),
                   SHUNT_CAUSE_IPV4_PROTOCOL_NOT_SERVED);
  assert_int_equal(shunt_arp_reply_in_place(frame, &parsed, &host),
                   SHUNT_CAUSE_ETHERNET_TYPE_NOT_SERVED);
  bytes = make_echo(frame, sizeof(frame), &ends, 3);
  shunt_parse(frame, bytes, 0, &parsed);
  assert_int_equal(shunt_udp_echo_reply_in_place(frame, &parsed, &host),
                   SHUNT_CAUSE_IPV4_PROTOCOL_NOT_SERVED);
  shunt_parse(frame, bytes - 1, 0, &parsed);
  assert_int_equal(shunt_icmp_echo_reply_in_place(frame, &parsed, &host),
                   SHUNT_CAUSE_IPV4_BEYOND_FRAME);
  assert_int_equal(shunt_arp_reply_in_place(frame, &parsed, &host), SHUNT_CAUSE_IPV4_BEYOND_FRAME);
  assert_int_equal(shunt_udp_echo_reply_in_place(frame, &parsed, &host),
                   SHUNT_CAUSE_IPV4_BEYOND_FRAME);
}

/* ---- Options ---- */

/* An echo request with options. Returns its length. */
static uint32_t make_echo_with_options(uint8_t *frame, uint32_t capacity, const uint8_t *options,
                                       uint8_t option_bytes)
{
  struct shunt_ipv4_fields fields = {
      .source = THEIRS,
      .destination = OURS,
      .payload_bytes = SHUNT_ICMP_HEADER_BYTES,
      .time_to_live = 64,
      .protocol = SHUNT_IPV4_PROTOCOL_ICMP,
      .options = options,
      .option_bytes = option_bytes,
  };
  uint32_t at =
      shunt_ethernet_build(frame, ends.destination_mac, ends.source_mac, SHUNT_ETHERNET_TYPE_IPV4);
  at += shunt_ipv4_build(frame + at, capacity - at, &fields);
  return at + shunt_icmp_echo_build(frame + at, capacity - at, SHUNT_ICMP_ECHO_REQUEST, 1, 2, 0);
}

/* At every alignment, as the option may stand at any byte of the header. */
static void record_route_is_filled_in(void **state)
{
  (void)state;

  for (uint8_t nops = 0; nops < 4; nops++) {
    uint8_t options[16] = {1, 1, 1, 1};
    const uint8_t route[] = {7, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0};
    uint8_t frame[96];
    memcpy(options + nops, route, sizeof(route));
    uint8_t option_bytes = (uint8_t)(nops + sizeof(route));
    uint32_t bytes = make_echo_with_options(frame, sizeof(frame), options, option_bytes);
    assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_NONE);
    assert_sound_answer(frame, bytes);
    const uint8_t *answer = frame + 34 + nops;
    assert_int_equal(answer[2], 12);
    assert_int_equal(shunt_load_be32(answer + 3), 0x0a000001);
    assert_int_equal(shunt_load_be32(answer + 7), OURS);
  }
}

static void full_record_route_comes_back_as_it_is(void **state)
{
  static const uint8_t full[] = {7, 7, 8, 10, 0, 0, 1};
  uint8_t frame[96];
  (void)state;

  uint32_t bytes = make_echo_with_options(frame, sizeof(frame), full, sizeof(full));
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_NONE);
  assert_memory_equal(frame + 34, full, sizeof(full));
  assert_sound_answer(frame, bytes);
}

static void options_without_an_answer(void **state)
{
  static const struct {
    uint8_t options[12];
    uint8_t bytes;
    enum shunt_parse_cause cause;
  } cases[] = {
      {{131, 7, 4, 10, 0, 0, 1}, 7, SHUNT_CAUSE_IPV4_SOURCE_ROUTE},
      {{1, 137, 7, 4, 10, 0, 0, 1}, 8, SHUNT_CAUSE_IPV4_SOURCE_ROUTE},
      {{68, 8, 5, 0, 0, 0, 0, 0}, 8, SHUNT_CAUSE_IPV4_OPTION_NOT_SERVED},
      {{148, 4, 0, 0}, 4, SHUNT_CAUSE_IPV4_OPTION_NOT_SERVED},
      {{7, 7, 3, 0, 0, 0, 0}, 7, SHUNT_CAUSE_IPV4_BAD_OPTION}, /* pointer into itself */
      {{7, 7, 5, 0, 0, 0, 0}, 7, SHUNT_CAUSE_IPV4_BAD_OPTION}, /* room for a part */
      {{7, 2, 0, 0}, 2, SHUNT_CAUSE_IPV4_BAD_OPTION},          /* no pointer */
      {{1, 1, 1, 0}, 4, SHUNT_CAUSE_NONE},
  };
  uint8_t frame[96];
  (void)state;

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uint32_t bytes = make_echo_with_options(frame, sizeof(frame), cases[i].options, cases[i].bytes);
    assert_int_equal(respond(frame, bytes), cases[i].cause);
  }
}

static void second_record_route_is_an_error(void **state)
{
  static const uint8_t two[] = {7, 7, 4, 0, 0, 0, 0, 7, 7, 4, 0, 0, 0, 0};
  uint8_t frame[96];
  (void)state;

  uint32_t bytes = make_echo_with_options(frame, sizeof(frame), two, sizeof(two));
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_IPV4_BAD_OPTION);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arp_request_is_answered),
      cmocka_unit_test(arp_probe_and_unicast_request_are_answered),
      cmocka_unit_test(arp_that_is_not_answered),
      cmocka_unit_test(echo_of_every_length_equals_one_built_anew),
      cmocka_unit_test(echo_checksum_is_right_for_every_request),
      cmocka_unit_test(echo_of_nothing_but_zeros),
      cmocka_unit_test(time_to_live_stays),
      cmocka_unit_test(tags_stay),
      cmocka_unit_test(damage_is_not_covered_up),
      cmocka_unit_test(echo_to_many_only_where_asked_for),
      cmocka_unit_test(destinations_that_are_not_ours),
      cmocka_unit_test(sources_that_get_no_answer),
      cmocka_unit_test(fragments_are_not_answered),
      cmocka_unit_test(what_no_one_answers),
      cmocka_unit_test(responders_keep_to_their_own),
      cmocka_unit_test(record_route_is_filled_in),
      cmocka_unit_test(full_record_route_comes_back_as_it_is),
      cmocka_unit_test(options_without_an_answer),
      cmocka_unit_test(second_record_route_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
