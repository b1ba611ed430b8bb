/* SPDX-License-Identifier: BSD-2-Clause */
/* IGMP, a host's side: tell routers and switches which multicast groups are wanted here (version 2
 * RFC 2236, version 3 RFC 3376), and read their queries of versions 1 to 3.
 *
 * When to send what (unsolicited reports repeated, answers delayed at random, the older version
 * kept while an older querier is there) is up to the caller: these functions keep no state.
 *
 * Every frame has time to live 1, the router alert option and, for version 3, precedence
 * internetwork control (RFC 2236 2, RFC 3376 4); none is padded. Numbers are in host order
 * (shunt/bytes.h). Functions are pure, and may be called from any thread. */
#ifndef SHUNT_IGMP_H
#define SHUNT_IGMP_H

#include "shunt/ipv4.h"
#include "shunt/parse.h"

SHUNT_BEGIN_DECLS

#define SHUNT_IGMP_QUERY     0x11
#define SHUNT_IGMP_REPORT_V1 0x12
#define SHUNT_IGMP_REPORT_V2 0x16
#define SHUNT_IGMP_LEAVE     0x17
#define SHUNT_IGMP_REPORT_V3 0x22

#define SHUNT_IGMP_ALL_SYSTEMS    0xe0000001u /* 224.0.0.1: general queries; never reported */
#define SHUNT_IGMP_ALL_ROUTERS    0xe0000002u /* 224.0.0.2: leaves of version 2 */
#define SHUNT_IGMP_ALL_V3_ROUTERS 0xe0000016u /* 224.0.0.22: reports of version 3 */

#define SHUNT_IGMP_MESSAGE_BYTES  8
#define SHUNT_IGMP_V3_QUERY_BYTES 12 /* before the sources */

/* Queries of versions 1 and 2, reports of 1 and 2, and leaves. */
struct shunt_igmp_message {
  uint8_t type;
  uint8_t max_response; /* tenths of a second; 0 in version 1 and outside queries */
  uint8_t checksum[2];
  uint8_t group[4];
};

struct shunt_igmp_v3_query {
  uint8_t type;
  uint8_t max_response_code;
  uint8_t checksum[2];
  uint8_t group[4];
  uint8_t flags; /* suppress (0x08), and the querier's robustness in the low 3 bits */
  uint8_t interval_code;
  uint8_t source_count[2];
};

struct shunt_igmp_v3_report {
  uint8_t type;
  uint8_t reserved;
  uint8_t checksum[2];
  uint8_t reserved_too[2];
  uint8_t record_count[2];
};

struct shunt_igmp_v3_group_record {
  uint8_t type;
  uint8_t auxiliary_words;
  uint8_t source_count[2];
  uint8_t group[4];
};

static_assert(sizeof(struct shunt_igmp_message) == SHUNT_IGMP_MESSAGE_BYTES, "RFC 2236 2");
static_assert(sizeof(struct shunt_igmp_v3_query) == SHUNT_IGMP_V3_QUERY_BYTES, "RFC 3376 4.1");
static_assert(sizeof(struct shunt_igmp_v3_report) == 8, "RFC 3376 4.2");
static_assert(sizeof(struct shunt_igmp_v3_group_record) == 8, "RFC 3376 4.2.4");

/* What a record of a version 3 report states (RFC 3376 4.2.12). */
enum shunt_igmp_record_type {
  SHUNT_IGMP_IS_INCLUDE = 1, /* answer to a query: only the sources listed are wanted */
  SHUNT_IGMP_IS_EXCLUDE = 2, /* answer to a query: all but the sources listed */
  SHUNT_IGMP_TO_INCLUDE = 3, /* has changed to include; with no sources: leave */
  SHUNT_IGMP_TO_EXCLUDE = 4, /* has changed to exclude; with no sources: join */
  SHUNT_IGMP_ALLOW = 5,      /* these sources are wanted too */
  SHUNT_IGMP_BLOCK = 6,      /* these sources are no longer wanted */
};

struct shunt_igmp_record {
  enum shunt_igmp_record_type type;
  uint32_t group;
  uint32_t source_count;   /* 0..65,535 */
  const uint32_t *sources; /* may be NULL when there are none */
};

/* A router's question. */
struct shunt_igmp_query {
  uint8_t version;          /* 1, 2 or 3 (RFC 3376 7.1) */
  bool suppress;            /* version 3: routers are not to restart their timers */
  uint8_t robustness;       /* version 3: 0 when the querier doesn't say */
  uint32_t group;           /* 0: all groups */
  uint32_t max_response_ms; /* answer within; version 1 says 0 and means 10,000: that is given */
  uint32_t interval_s;      /* version 3: the querier's own interval; 0 when it doesn't say */
  uint32_t source_count;    /* version 3: only these sources of group are asked for */
  const uint8_t *sources;   /* within the message, 4 bytes each: read with shunt_load_be32 */
};

/* Write a frame that reports membership of a group in version 2; sent to the group itself.
 *
 * capacity  bytes that frame has room for
 * group     multicast, and not SHUNT_IGMP_ALL_SYSTEMS, which is never reported (RFC 2236 6)
 * Returns the frame's length, or 0 with nothing written where it doesn't fit or the group is none
 * to report. */
uint32_t shunt_igmp_v2_join_build(void *frame, uint32_t capacity, struct shunt_mac source_mac,
                                  uint32_t source, uint32_t group);

/* Write a frame that leaves a group in version 2; sent to all routers. As above. */
uint32_t shunt_igmp_v2_leave_build(void *frame, uint32_t capacity, struct shunt_mac source_mac,
                                   uint32_t source, uint32_t group);

/* Write a frame with a version 3 report.
 *
 * source   0 is allowed while the host has no address (RFC 3376 4.2.13)
 * records  at least one and at most 65,535; each group as above
 * Returns the frame's length, or 0 with nothing written where it doesn't fit capacity or an IPv4
 * datagram, or a group or a type is not to be reported. */
uint32_t shunt_igmp_v3_report_build(void *frame, uint32_t capacity, struct shunt_mac source_mac,
                                    uint32_t source, const struct shunt_igmp_record records[],
                                    uint32_t record_count);

/* Read a query. Its checksum is not looked at: shunt_parse does that.
 *
 * message, bytes  the IPv4 payload (shunt_parsed: l4_offset, l4_bytes)
 * query           filled on success, else untouched; its sources point into message
 * Returns SHUNT_CAUSE_NONE; SHUNT_CAUSE_IGMP_TRUNCATED, SHUNT_CAUSE_IGMP_BAD_LENGTH (9 to 11 bytes,
 * which RFC 3376 7.1 ignores, or fewer than its sources take) or SHUNT_CAUSE_IGMP_NOT_A_QUERY. */
enum shunt_parse_cause shunt_igmp_query_read(const void *message, uint32_t bytes,
                                             struct shunt_igmp_query *query);

SHUNT_END_DECLS

#endif
