/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames: the parser on any bytes, and every responder on what the parser accepts.
 *
 * The first byte of an input says to whom the frame is shown: bit 0, a host that answers groups
 * too; bit 1, one that echoes every UDP port; bit 2, the host is whoever the frame is addressed to,
 * so that an input need not guess its addresses; bit 3, checksums are made right first, so that it
 * need not guess those either. The rest is the frame. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/ethernet.h"
#include "shunt/icmp.h"
#include "shunt/igmp.h"
#include "shunt/ipv4.h"
#include "shunt/parse.h"
#include "shunt/respond.h"
#include "shunt/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_BYTES_MAX 70000

static void require(int condition)
{
  if (!condition)
    abort();
}

static void check_offsets(const struct shunt_parsed *parsed)
{
  require(parsed->payload_offset + parsed->payload_bytes <= parsed->frame_bytes);
  require(parsed->l3_offset + parsed->l3_bytes <= parsed->frame_bytes);
  require(parsed->l4_offset + parsed->l4_bytes <= parsed->frame_bytes);
  require(parsed->vlan_tags <= SHUNT_PARSE_VLAN_TAGS);
  if (parsed->flags & SHUNT_PARSED_L4)
    require(parsed->l4_bytes >= 8 && parsed->l4_offset >= parsed->l3_offset + 20);
  if (parsed->fragment_offset || parsed->flags & SHUNT_PARSED_MORE_FRAGMENTS)
    require((parsed->flags & SHUNT_PARSED_FRAGMENT) != 0);
}

/* Read on where the parser stops: these look at bytes that it doesn't. */
static void read_messages(const uint8_t *frame, const struct shunt_parsed *parsed)
{
  const uint8_t *l4 = frame + parsed->l4_offset;
  struct shunt_icmp icmp;
  struct shunt_igmp_query query;

  if (!(parsed->flags & SHUNT_PARSED_L4))
    return;
  require(shunt_icmp_read(l4, parsed->l4_bytes, &icmp) == 0);
  require(shunt_icmp_name(icmp.type, icmp.code) != NULL);
  if (shunt_igmp_query_read(l4, parsed->l4_bytes, &query))
    return;
  for (uint32_t i = 0; i < query.source_count; i++)
    require(query.sources + 4 * i + 4 <= l4 + parsed->l4_bytes);
}

static void fix_checksums(uint8_t *frame, const struct shunt_parsed *parsed)
{
  if (!(parsed->flags & SHUNT_PARSED_IPV4) || parsed->l4_offset == 0)
    return;
  struct shunt_ipv4_header *ipv4 = (struct shunt_ipv4_header *)(frame + parsed->l3_offset);
  shunt_store_be16(ipv4->checksum, 0);
  shunt_store_be16(ipv4->checksum, shunt_checksum(ipv4, parsed->l4_offset - parsed->l3_offset));
  if (!(parsed->flags & SHUNT_PARSED_L4))
    return;
  uint8_t *l4 = frame + parsed->l4_offset;
  if (parsed->protocol == SHUNT_IPV4_PROTOCOL_UDP) {
    shunt_store_be16(l4 + 6, 0);
    shunt_store_be16(l4 + 6,
                     shunt_udp_checksum(parsed->source, parsed->destination, l4, parsed->l4_bytes));
  } else {
    shunt_store_be16(l4 + 2, 0);
    shunt_store_be16(l4 + 2, shunt_checksum(l4, parsed->l4_bytes));
  }
}

/* An answer is as sound as its question was, goes back to where that came from, and is answered by
 * no one in turn. */
static void check_answer(const uint8_t *frame, const struct shunt_parsed *question,
                         const struct shunt_host *host)
{
  struct shunt_parsed answer;

  shunt_parse(frame, question->frame_bytes, SHUNT_PARSE_VERIFY_ALL, &answer);
  require(answer.cause == SHUNT_CAUSE_NONE);
  require(answer.source == host->ipv4 && answer.destination == question->source);
  require(answer.l4_bytes == question->l4_bytes && answer.l3_bytes == question->l3_bytes);
  require(answer.payload_offset == question->payload_offset);
  require(answer.vlan_tags == question->vlan_tags);
  require(!shunt_mac_is_group(((const struct shunt_ethernet_header *)frame)->destination));
  if (answer.protocol == SHUNT_IPV4_PROTOCOL_ICMP)
    require(answer.l4_type == SHUNT_ICMP_ECHO_REPLY);
}

static void respond(uint8_t *frame, uint8_t *before, uint32_t bytes, const struct shunt_host *host)
{
  enum shunt_parse_cause (*const responders[])(void *, const struct shunt_parsed *,
                                               const struct shunt_host *) = {
      shunt_arp_reply_in_place,
      shunt_icmp_echo_reply_in_place,
      shunt_udp_echo_reply_in_place,
  };
  struct shunt_parsed parsed;
  unsigned answers = 0;

  shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_ALL, &parsed);
  for (unsigned i = 0; i < sizeof(responders) / sizeof(responders[0]); i++) {
    memcpy(before, frame, bytes);
    enum shunt_parse_cause cause = responders[i](frame, &parsed, host);
    require(cause < SHUNT_CAUSE_COUNT);
    if (cause) {
      require(memcmp(frame, before, bytes) == 0);
      continue;
    }
    require(parsed.cause == SHUNT_CAUSE_NONE);
    check_answer(frame, &parsed, host);
    memcpy(frame, before, bytes);
    answers++;
  }
  require(answers <= 1);
  require((shunt_respond_in_place(frame, bytes, SHUNT_PARSE_VERIFY_ALL, host) ==
           SHUNT_CAUSE_NONE) == (answers == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct shunt_host host = {
      .mac = {{0x02, 0, 0, 0, 0, 0x02}}, .prefix_bits = 24, .ipv4 = 0xc0000202, .udp_echo_port = 7};
  struct shunt_parsed parsed;
  struct shunt_parsed unverified;

  if (size < 1 || size - 1 > FRAME_BYTES_MAX)
    return 0;
  uint8_t how = data[0];
  uint32_t bytes = (uint32_t)(size - 1);
  /* Copies of the exact length, so that a byte too many is seen. */
  uint8_t *frame = malloc(bytes ? bytes : 1);
  uint8_t *before = malloc(bytes ? bytes : 1);
  require(frame && before);
  memcpy(frame, data + 1, bytes);

  shunt_parse(frame, bytes, 0, &unverified);
  check_offsets(&unverified);
  read_messages(frame, &unverified);
  if (how & 8)
    fix_checksums(frame, &unverified);
  shunt_parse(frame, bytes, SHUNT_PARSE_VERIFY_ALL, &parsed);
  check_offsets(&parsed);
  if (parsed.cause == SHUNT_CAUSE_NONE)
    require(unverified.cause == SHUNT_CAUSE_NONE && unverified.flags == parsed.flags);

  host.flags = how & 1 ? SHUNT_HOST_ANSWER_GROUPS : 0;
  host.udp_echo_port = how & 2 ? 0 : SHUNT_UDP_ECHO_PORT;
  if (how & 4 && bytes >= SHUNT_ETHERNET_HEADER_BYTES && !(frame[0] & 1))
    memcpy(host.mac.bytes, frame, 6);
  if (how & 4 && !shunt_ipv4_is_multicast(parsed.destination) &&
      !shunt_ipv4_is_broadcast(parsed.destination, 0, 0))
    host.ipv4 = parsed.destination;
  respond(frame, before, bytes, &host);
  free(frame);
  free(before);
  return 0;
}
