/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "market_data/moldudp64.h"

/* Written by hand from the specification: session SHUNT, sequence 0x0102030405060708, two messages,
 * "hi" and an empty one. */
static const uint8_t two[] = {'S',  'H',  'U',  'N',  'T',  ' ',  ' ',  ' ',  ' ',
                              ' ',  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                              0x00, 2,    0,    2,    'h',  'i',  0,    0};

static void a_packet_by_hand_is_read(void **state)
{
  struct moldudp64_packet packet;
  const uint8_t *block, *message;
  (void)state;
  assert_int_equal(moldudp64_read(two, sizeof(two), &packet), MOLDUDP64_SOUND);
  assert_int_equal(packet.kind, MOLDUDP64_MESSAGES);
  assert_memory_equal(packet.session, "SHUNT     ", MOLDUDP64_SESSION_BYTES);
  assert_int_equal(packet.sequence, 0x0102030405060708);
  assert_int_equal(packet.count, 2);
  block = packet.blocks;
  assert_int_equal(moldudp64_next(&block, &message), 2);
  assert_memory_equal(message, "hi", 2);
  assert_int_equal(moldudp64_next(&block, &message), 0);
  assert_ptr_equal(block, two + sizeof(two));
}

/* Each in memory of its own length, so that the sanitizer sees a byte too many. */
static enum moldudp64_cause read_exactly(const uint8_t *bytes, uint32_t length)
{
  struct moldudp64_packet packet;
  uint8_t *exact = malloc(length ? length : 1);
  assert_non_null(exact);
  memcpy(exact, bytes, length);
  enum moldudp64_cause cause = moldudp64_read(exact, length, &packet);
  free(exact);
  return cause;
}

static void a_packet_is_refused_wherever_it_is_cut(void **state)
{
  (void)state;
  for (uint32_t bytes = 0; bytes < sizeof(two); bytes++)
    assert_int_equal(read_exactly(two, bytes),
                     bytes < MOLDUDP64_HEADER_BYTES ? MOLDUDP64_TRUNCATED : MOLDUDP64_BAD_COUNT);
}

static void counts_and_lengths_that_lie_are_refused(void **state)
{
  uint8_t lie[sizeof(two) + 1] = {0};
  (void)state;
  memcpy(lie, two, sizeof(two));
  assert_int_equal(read_exactly(lie, sizeof(lie)), MOLDUDP64_BAD_COUNT); /* a byte behind */
  for (unsigned count = 0; count < 65536; count++) {
    shunt_store_be16(lie + 18, (uint16_t)count);
    assert_int_equal(read_exactly(lie, sizeof(two)),
                     count == 2 ? MOLDUDP64_SOUND : MOLDUDP64_BAD_COUNT);
  }
  shunt_store_be16(lie + 18, 2);
  for (unsigned length = 0; length < 65536; length++) {
    shunt_store_be16(lie + 20, (uint16_t)length);
    /* With 4, the first message takes the second one's length for its own end. */
    assert_int_equal(read_exactly(lie, sizeof(two)),
                     length == 2 ? MOLDUDP64_SOUND : MOLDUDP64_BAD_COUNT);
  }
}

static void sequence_numbers_have_a_range(void **state)
{
  uint8_t packet[sizeof(two)];
  (void)state;
  memcpy(packet, two, sizeof(two));
  memset(packet + 10, 0, 8);
  assert_int_equal(read_exactly(packet, sizeof(packet)), MOLDUDP64_BAD_SEQUENCE);
  packet[17] = 1;
  assert_int_equal(read_exactly(packet, sizeof(packet)), MOLDUDP64_SOUND);
  memset(packet + 10, 0xff, 8);
  assert_int_equal(read_exactly(packet, sizeof(packet)), MOLDUDP64_BAD_SEQUENCE);
  packet[10] = 0x7f;
  assert_int_equal(read_exactly(packet, sizeof(packet)), MOLDUDP64_SOUND);
}

static void heartbeat_and_end_have_no_messages(void **state)
{
  uint8_t packet[MOLDUDP64_HEADER_BYTES + 1] = {0};
  char session[MOLDUDP64_SESSION_BYTES];
  struct moldudp64_packet read;
  (void)state;
  moldudp64_session(session, "20261121AB-and-more");
  assert_memory_equal(session, "20261121AB", MOLDUDP64_SESSION_BYTES);
  assert_int_equal(moldudp64_begin(packet, MOLDUDP64_HEADER_BYTES - 1, session, 7), 0);
  assert_int_equal(moldudp64_begin(packet, sizeof(packet), session, 7), MOLDUDP64_HEADER_BYTES);
  assert_int_equal(moldudp64_read(packet, MOLDUDP64_HEADER_BYTES, &read), MOLDUDP64_SOUND);
  assert_int_equal(read.kind, MOLDUDP64_HEARTBEAT);
  assert_int_equal(read.sequence, 7);
  assert_int_equal(read_exactly(packet, sizeof(packet)), MOLDUDP64_BAD_COUNT);
  moldudp64_end(packet);
  assert_int_equal(moldudp64_read(packet, MOLDUDP64_HEADER_BYTES, &read), MOLDUDP64_SOUND);
  assert_int_equal(read.kind, MOLDUDP64_END);
  assert_int_equal(read.count, 0);
  assert_int_equal(read_exactly(packet, sizeof(packet)), MOLDUDP64_BAD_COUNT);
}

static void what_is_written_is_what_was_written_by_hand(void **state)
{
  uint8_t packet[sizeof(two)];
  char session[MOLDUDP64_SESSION_BYTES];
  (void)state;
  moldudp64_session(session, "SHUNT");
  uint32_t bytes = moldudp64_begin(packet, sizeof(packet), session, 0x0102030405060708);
  bytes = moldudp64_append(packet, bytes, sizeof(packet), "hi", 2);
  assert_int_equal(moldudp64_append(packet, bytes, sizeof(packet), "?", 1), 0);
  bytes = moldudp64_append(packet, bytes, sizeof(packet), "", 0);
  assert_int_equal(bytes, sizeof(two));
  assert_memory_equal(packet, two, sizeof(two));
}

static void a_packet_can_be_full(void **state)
{
  const uint32_t capacity = MOLDUDP64_HEADER_BYTES + 65535 * MOLDUDP64_LENGTH_BYTES;
  uint8_t *packet = malloc(capacity);
  struct moldudp64_packet read;
  (void)state;
  assert_non_null(packet);
  uint32_t bytes = moldudp64_begin(packet, capacity, "0123456789", 1), more = bytes;
  for (; more; more = moldudp64_append(packet, bytes, capacity, "", 0))
    bytes = more;
  assert_int_equal(moldudp64_read(packet, bytes, &read), MOLDUDP64_SOUND);
  assert_int_equal(read.count, 65534);
  free(packet);
}

static void every_cause_has_a_name(void **state)
{
  (void)state;
  for (unsigned i = 0; i < MOLDUDP64_CAUSES; i++)
    assert_string_not_equal(moldudp64_cause_name(i), "unknown");
  assert_string_equal(moldudp64_cause_name(MOLDUDP64_CAUSES), "unknown");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_packet_by_hand_is_read),
      cmocka_unit_test(a_packet_is_refused_wherever_it_is_cut),
      cmocka_unit_test(counts_and_lengths_that_lie_are_refused),
      cmocka_unit_test(sequence_numbers_have_a_range),
      cmocka_unit_test(heartbeat_and_end_have_no_messages),
      cmocka_unit_test(what_is_written_is_what_was_written_by_hand),
      cmocka_unit_test(a_packet_can_be_full),
      cmocka_unit_test(every_cause_has_a_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
