/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP echo: datagrams turned round, and the checksum in all its states. */
#include "tests/unit/respond_rig.h"

static void datagram_is_turned_round(void **state)
{
  uint8_t frame[64];
  struct shunt_parsed parsed;
  (void)state;

  uint32_t bytes = make_udp(frame, sizeof(frame), &ends);
  uint16_t checksum = shunt_load_be16(frame + 40);
  assert_int_equal(respond(frame, bytes), SHUNT_CAUSE_NONE);
  assert_sound_answer(frame, bytes);
  assert_int_equal(shunt_load_be16(frame + 40), checksum);
  shunt_parse(frame, bytes, 0, &parsed);
  assert_int_equal(parsed.source_port, SHUNT_UDP_ECHO_PORT);
  assert_int_equal(parsed.destination_port, 40000);
  assert_memory_equal(frame + SHUNT_UDP_PAYLOAD_START, "hello", 5);
}

static void no_checksum_stays_no_checksum(void **state)
{
  struct shunt_host generous = host;
  struct shunt_ipv4_ends many = ends;
  uint8_t frame[64];
  (void)state;

  generous.flags = SHUNT_HOST_ANSWER_GROUPS;
  many.destination = GROUP;
  many.destination_mac = shunt_ipv4_multicast_mac(GROUP);
  uint32_t bytes = make_udp(frame, sizeof(frame), &many);
  shunt_store_be16(frame + 40, 0);
  assert_int_equal(respond_as(&generous, frame, bytes), SHUNT_CAUSE_NONE);
  assert_int_equal(shunt_load_be16(frame + 40), 0);
}

/* As the kernel sends on virtual interfaces: the pseudo header's sum stands where the checksum will
 * be. To one host and to a group. */
static void partial_checksum_is_made_whole(void **state)
{
  struct shunt_host generous = host;
  struct shunt_ipv4_ends to[2] = {ends, ends};
  uint8_t frame[64];
  (void)state;

  generous.flags = SHUNT_HOST_ANSWER_GROUPS;
  to[1].destination = GROUP;
  to[1].destination_mac = shunt_ipv4_multicast_mac(GROUP);
  for (unsigned i = 0; i < 2; i++) {
    uint32_t bytes = make_udp(frame, sizeof(frame), &to[i]);
    uint32_t sum = shunt_checksum_pseudo(to[i].source, to[i].destination, 17, 13);
    shunt_store_be16(frame + 40, (uint16_t)~shunt_checksum_finish(sum));
    assert_int_equal(shunt_respond_in_place(frame, bytes, 0, &generous), SHUNT_CAUSE_NONE);
    uint16_t made = shunt_load_be16(frame + 40);
    shunt_store_be16(frame + 40, 0);
    assert_int_equal(made, shunt_udp_checksum(OURS, THEIRS, frame + 34, 13));
  }
}

/* Over all checksums that the step to another source address can meet, none may end up as 0. */
static void stepped_checksum_never_says_none(void **state)
{
  struct shunt_host generous = host;
  struct shunt_ipv4_ends many = ends;
  uint8_t frame[64];
  unsigned met = 0;
  (void)state;

  generous.flags = SHUNT_HOST_ANSWER_GROUPS;
  many.destination = GROUP;
  many.destination_mac = shunt_ipv4_multicast_mac(GROUP);
  for (uint32_t word = 0; word <= UINT16_MAX; word++) {
    uint8_t payload[2];
    shunt_store_be16(payload, (uint16_t)word);
    shunt_udp_frame_build(frame, sizeof(frame), &many, 40000, SHUNT_UDP_ECHO_PORT, payload, 2);
    assert_int_equal(respond_as(&generous, frame, 44), SHUNT_CAUSE_NONE);
    uint16_t stepped = shunt_load_be16(frame + 40);
    assert_int_not_equal(stepped, 0);
    met += stepped == 0xffff;
    shunt_store_be16(frame + 40, 0);
    assert_int_equal(stepped, shunt_udp_checksum(OURS, THEIRS, frame + 34, 10));
  }
  assert_true(met > 0);
}

static void ports_that_get_no_answer(void **state)
{
  static const struct {
    uint16_t source;
    uint16_t destination;
    enum shunt_parse_cause cause;
  } cases[] = {
      {40000, 8, SHUNT_CAUSE_UDP_PORT_NOT_SERVED},
      {0, 7, SHUNT_CAUSE_UDP_NO_SOURCE_PORT},
      {7, 7, SHUNT_CAUSE_UDP_WOULD_LOOP},
      {13, 7, SHUNT_CAUSE_UDP_WOULD_LOOP},
      {17, 7, SHUNT_CAUSE_UDP_WOULD_LOOP},
      {19, 7, SHUNT_CAUSE_UDP_WOULD_LOOP},
      {1, 7, SHUNT_CAUSE_NONE},
  };
  struct shunt_host any = host;
  uint8_t frame[64];
  (void)state;

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uint32_t bytes = shunt_udp_frame_build(frame, sizeof(frame), &ends, cases[i].source,
                                           cases[i].destination, NULL, 0);
    assert_int_equal(respond(frame, bytes), cases[i].cause);
  }
  any.udp_echo_port = 0;
  uint32_t bytes = shunt_udp_frame_build(frame, sizeof(frame), &ends, 40000, 50000, NULL, 0);
  assert_int_equal(respond_as(&any, frame, bytes), SHUNT_CAUSE_NONE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(datagram_is_turned_round),
      cmocka_unit_test(no_checksum_stays_no_checksum),
      cmocka_unit_test(partial_checksum_is_made_whole),
      cmocka_unit_test(stepped_checksum_never_says_none),
      cmocka_unit_test(ports_that_get_no_answer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
