/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/igmp.h"

#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"

/* Version 1 queries leave the time to the host (RFC 1112 appendix I); RFC 2236 4 makes it 10 s. */
#define IGMP_V1_MAX_RESPONSE_MS 10000
#define IGMP_V3_SUPPRESS        0x08
#define IGMP_V3_ROBUSTNESS_MASK 0x07
/* RFC 3376 4: precedence internetwork control. */
#define IGMP_V3_TYPE_OF_SERVICE 0xc0

static bool igmp_is_reportable(uint32_t group)
{
  return shunt_ipv4_is_multicast(group) && group != SHUNT_IGMP_ALL_SYSTEMS;
}

/* Write the headers in front of a message. Returns their length, or 0 where both don't fit. */
static uint32_t igmp_build_headers(uint8_t *frame, uint32_t capacity, struct shunt_mac source_mac,
                                   uint32_t source, uint32_t destination, uint8_t type_of_service,
                                   uint32_t message_bytes)
{
  /* RFC 2113: every router is to look at it, though it is addressed to none. */
  static const uint8_t router_alert[] = {SHUNT_IPV4_OPTION_ROUTER_ALERT, 4, 0, 0};
  uint32_t header_bytes =
      SHUNT_ETHERNET_HEADER_BYTES + SHUNT_IPV4_HEADER_BYTES + (uint32_t)sizeof(router_alert);
  struct shunt_ipv4_fields fields = {
      .source = source,
      .destination = destination,
      .payload_bytes = message_bytes,
      .type_of_service = type_of_service,
      .time_to_live = 1,
      .protocol = SHUNT_IPV4_PROTOCOL_IGMP,
      .options = router_alert,
      .option_bytes = sizeof(router_alert),
  };

  if (capacity < header_bytes || message_bytes > capacity - header_bytes)
    return 0;
  uint8_t *ipv4 = frame + SHUNT_ETHERNET_HEADER_BYTES;
  if (!shunt_ipv4_build(ipv4, capacity - SHUNT_ETHERNET_HEADER_BYTES, &fields))
    return 0;
  shunt_ethernet_build(frame, shunt_ipv4_multicast_mac(destination), source_mac,
                       SHUNT_ETHERNET_TYPE_IPV4);
  return header_bytes;
}

static uint32_t igmp_v2_build(uint8_t *frame, uint32_t capacity, struct shunt_mac source_mac,
                              uint32_t source, uint32_t destination, uint8_t type, uint32_t group)
{
  if (!igmp_is_reportable(group))
    return 0;
  uint32_t start = igmp_build_headers(frame, capacity, source_mac, source, destination, 0,
                                      SHUNT_IGMP_MESSAGE_BYTES);
  if (!start)
    return 0;
  struct shunt_igmp_message *message = (struct shunt_igmp_message *)(frame + start);
  *message = (struct shunt_igmp_message){.type = type};
  shunt_store_be32(message->group, group);
  shunt_store_be16(message->checksum, shunt_checksum(message, sizeof(*message)));
  return start + (uint32_t)sizeof(*message);
}

uint32_t shunt_igmp_v2_join_build(void *frame, uint32_t capacity, struct shunt_mac source_mac,
                                  uint32_t source, uint32_t group)
{
  return igmp_v2_build(frame, capacity, source_mac, source, group, SHUNT_IGMP_REPORT_V2, group);
}

uint32_t shunt_igmp_v2_leave_build(void *frame, uint32_t capacity, struct shunt_mac source_mac,
                                   uint32_t source, uint32_t group)
{
  return igmp_v2_build(frame, capacity, source_mac, source, SHUNT_IGMP_ALL_ROUTERS,
                       SHUNT_IGMP_LEAVE, group);
}

/* The length of a report, or 0 where one of its records may not be sent or it is too long for
 * any datagram. */
static uint32_t igmp_v3_report_bytes(const struct shunt_igmp_record records[],
                                     uint32_t record_count)
{
  uint64_t bytes = sizeof(struct shunt_igmp_v3_report);

  if (record_count == 0 || record_count > UINT16_MAX)
    return 0;
  for (uint32_t i = 0; i < record_count; i++) {
    const struct shunt_igmp_record *record = &records[i];
    if (!igmp_is_reportable(record->group) || record->source_count > UINT16_MAX ||
        record->type < SHUNT_IGMP_IS_INCLUDE || record->type > SHUNT_IGMP_BLOCK)
      return 0;
    bytes += sizeof(struct shunt_igmp_v3_group_record) + 4 * (uint64_t)record->source_count;
  }
  return bytes <= SHUNT_IPV4_TOTAL_BYTES_MAX ? (uint32_t)bytes : 0;
}

/* Returns what follows the record. */
static uint8_t *igmp_v3_write_record(uint8_t *at, const struct shunt_igmp_record *record)
{
  struct shunt_igmp_v3_group_record *wire = (struct shunt_igmp_v3_group_record *)at;
  wire->type = (uint8_t)record->type;
  wire->auxiliary_words = 0; /* RFC 3376 4.2.6: none is defined */
  shunt_store_be16(wire->source_count, (uint16_t)record->source_count);
  shunt_store_be32(wire->group, record->group);
  at += sizeof(*wire);
  for (uint32_t i = 0; i < record->source_count; i++, at += 4)
    shunt_store_be32(at, record->sources[i]);
  return at;
}

uint32_t shunt_igmp_v3_report_build(void *frame, uint32_t capacity, struct shunt_mac source_mac,
                                    uint32_t source, const struct shunt_igmp_record records[],
                                    uint32_t record_count)
{
  uint32_t message_bytes = igmp_v3_report_bytes(records, record_count);
  if (!message_bytes)
    return 0;
  uint32_t start =
      igmp_build_headers(frame, capacity, source_mac, source, SHUNT_IGMP_ALL_V3_ROUTERS,
                         IGMP_V3_TYPE_OF_SERVICE, message_bytes);
  if (!start)
    return 0;

  uint8_t *message = (uint8_t *)frame + start;
  struct shunt_igmp_v3_report *report = (struct shunt_igmp_v3_report *)message;
  *report = (struct shunt_igmp_v3_report){.type = SHUNT_IGMP_REPORT_V3};
  shunt_store_be16(report->record_count, (uint16_t)record_count);
  uint8_t *at = message + sizeof(*report);
  for (uint32_t i = 0; i < record_count; i++)
    at = igmp_v3_write_record(at, &records[i]);
  shunt_store_be16(report->checksum, shunt_checksum(message, message_bytes));
  return start + message_bytes;
}

/* RFC 3376 4.1.1 and 4.1.7: codes from 128 on are a 4-bit mantissa and a 3-bit exponent. */
static uint32_t igmp_decode(uint8_t code)
{
  if (code < 128)
    return code;
  return ((code & 0xfu) | 0x10u) << ((code >> 4 & 0x7u) + 3);
}

static enum shunt_parse_cause igmp_read_v3(const uint8_t *message, uint32_t bytes,
                                           struct shunt_igmp_query *query)
{
  const struct shunt_igmp_v3_query *wire = (const struct shunt_igmp_v3_query *)message;
  uint32_t source_count = shunt_load_be16(wire->source_count);

  if (4 * source_count > bytes - sizeof(*wire))
    return SHUNT_CAUSE_IGMP_BAD_LENGTH;
  *query = (struct shunt_igmp_query){
      .version = 3,
      .suppress = (wire->flags & IGMP_V3_SUPPRESS) != 0,
      .robustness = wire->flags & IGMP_V3_ROBUSTNESS_MASK,
      .group = shunt_load_be32(wire->group),
      .max_response_ms = igmp_decode(wire->max_response_code) * 100,
      .interval_s = igmp_decode(wire->interval_code),
      .source_count = source_count,
      .sources = source_count ? message + sizeof(*wire) : NULL,
  };
  return SHUNT_CAUSE_NONE;
}

enum shunt_parse_cause shunt_igmp_query_read(const void *message, uint32_t bytes,
                                             struct shunt_igmp_query *query)
{
  const struct shunt_igmp_message *wire = message;

  if (bytes < sizeof(*wire))
    return SHUNT_CAUSE_IGMP_TRUNCATED;
  if (wire->type != SHUNT_IGMP_QUERY)
    return SHUNT_CAUSE_IGMP_NOT_A_QUERY;
  if (bytes >= SHUNT_IGMP_V3_QUERY_BYTES)
    return igmp_read_v3(message, bytes, query);
  if (bytes != sizeof(*wire))
    return SHUNT_CAUSE_IGMP_BAD_LENGTH;
  *query = (struct shunt_igmp_query){
      .version = wire->max_response ? 2 : 1,
      .group = shunt_load_be32(wire->group),
      .max_response_ms = wire->max_response ? wire->max_response * 100u : IGMP_V1_MAX_RESPONSE_MS,
  };
  return SHUNT_CAUSE_NONE;
}
