/* SPDX-License-Identifier: BSD-2-Clause */
/* A host that responds, who asks it, and frames between them: what the responders' tests share. */
#ifndef TESTS_UNIT_RESPOND_RIG_H
#define TESTS_UNIT_RESPOND_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/icmp.h"
#include "shunt/respond.h"
#include "shunt/udp.h"

#define OURS      0xc0000202u /* 192.0.2.2 */
#define THEIRS    0xc0000201u
#define BROADCAST 0xc00002ffu
#define GROUP     0xe0000001u

static const struct shunt_host host = {
    .mac = {{0x02, 0, 0, 0, 0, 0x02}},
    .prefix_bits = 24,
    .ipv4 = OURS,
    .udp_echo_port = SHUNT_UDP_ECHO_PORT,
};

static const struct shunt_ipv4_ends ends = {
    .source_mac = {{0x02, 0, 0, 0, 0, 0x01}},
    .destination_mac = {{0x02, 0, 0, 0, 0, 0x02}},
    .source = THEIRS,
    .destination = OURS,
};

static inline enum shunt_parse_cause respond_as(const struct shunt_host *who, uint8_t *frame,
                                                uint32_t bytes)
{
  uint8_t before[2048];
  assert_true(bytes <= sizeof(before));
  memcpy(before, frame, bytes);
  enum shunt_parse_cause cause = shunt_respond_in_place(frame, bytes, SHUNT_PARSE_VERIFY_ALL, who);
  if (cause) /* what is not answered is not touched */
    assert_memory_equal(frame, before, bytes);
  return cause;
}

static inline enum shunt_parse_cause respond(uint8_t *frame, uint32_t bytes)
{
  return respond_as(&host, frame, bytes);
}

static inline uint32_t make_echo(uint8_t *frame, uint32_t capacity,
                                 const struct shunt_ipv4_ends *from_to, uint32_t payload_bytes)
{
  uint8_t payload[2000];
  for (uint32_t i = 0; i < payload_bytes; i++)
    payload[i] = (uint8_t)(i * 7 + payload_bytes);
  return shunt_icmp_echo_frame_build(frame, capacity, from_to, SHUNT_ICMP_ECHO_REQUEST, 0x1234,
                                     0x5678, payload, payload_bytes);
}

static inline uint32_t make_udp(uint8_t *frame, uint32_t capacity,
                                const struct shunt_ipv4_ends *from_to)
{
  return shunt_udp_frame_build(frame, capacity, from_to, 40000, SHUNT_UDP_ECHO_PORT, "hello", 5);
}

static inline void fix_ipv4(uint8_t *frame)
{
  shunt_store_be16(frame + 24, 0);
  shunt_store_be16(frame + 24, shunt_checksum(frame + 14, (frame[14] & 0xfu) * 4));
}

static inline void assert_sound_answer(const uint8_t *frame, uint32_t bytes)
{
  struct shunt_parsed parsed;
  assert_int_equal(shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_ALL, &parsed), SHUNT_CAUSE_NONE);
  assert_int_equal(parsed.source, OURS);
  assert_int_equal(parsed.destination, THEIRS);
  assert_memory_equal(frame, ends.source_mac.bytes, 6);
  assert_memory_equal(frame + 6, host.mac.bytes, 6);
}

#endif
