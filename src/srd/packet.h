/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets of scalable reliable datagrams (docs/srd.md): Ethernet, IPv6, UDP, and one of the
 * headers below. Numbers are in network order on the wire, and in host order here. */
#ifndef SRC_SRD_PACKET_H
#define SRC_SRD_PACKET_H

#include <stdbool.h>
#include <stddef.h>

#include "src/srd/srd.h"

#define SRD_UDP_PORT      61345u /* ours: none is registered for this */
#define SRD_UDP_PATH_PORT 49152u /* source port of path 0; the path's number is added */
#define SRD_VERSION       1u

#define SRD_FRAME_HEADER_BYTES 62u /* Ethernet 14, IPv6 40, UDP 8 */
#define SRD_COMMON_BYTES       16u
#define SRD_MESSAGE_BYTES      40u
#define SRD_RDMA_BYTES         56u
#define SRD_ACK_BYTES          24u
#define SRD_HEADER_BYTES_MOST  (SRD_FRAME_HEADER_BYTES + SRD_RDMA_BYTES)
#define SRD_ACK_WORDS_MOST     16u /* of 64 packets each */
#define SRD_ACK_REFUSALS_MOST  64u
#define SRD_WINDOW             (SRD_ACK_WORDS_MOST * 64u) /* packets without an answer */

enum srd_type {
  SRD_TYPE_MESSAGE = 1, /* SRD_SEND */
  SRD_TYPE_WRITE = 2,
  SRD_TYPE_READ = 3,      /* a request: the data comes in READ_DATA */
  SRD_TYPE_READ_DATA = 4, /* the answer to a READ, instead of an acknowledgement */
  SRD_TYPE_ACK = 5,
  SRD_TYPE_RESET = 6, /* "I am not the one whom you mean" */
  SRD_TYPE_DATAGRAM = 7,
};

#define SRD_FLAG_IMMEDIATE 0x01u
#define SRD_FLAG_AGAIN     0x02u /* sent before */

struct srd_refusal {
  uint32_t psn;
  uint8_t status;
};

/* A packet, taken apart. */
struct srd_packet {
  enum srd_type type;
  uint8_t flags;
  uint8_t path;
  uint32_t incarnation; /* of who sent it */
  uint32_t expected;    /* of whom it is meant for, as the sender knows it; 0: not known */
  uint32_t psn;

  /* MESSAGE, WRITE, READ, DATAGRAM */
  uint32_t oldest; /* the sender has the answers to all before this one */
  uint16_t source_qpn, qpn;
  uint32_t qkey;
  uint32_t immediate;
  uint32_t message_bytes; /* of the whole message */
  /* WRITE, READ */
  uint32_t rkey;
  uint32_t rdma_bytes;
  uint64_t address;

  /* ACK: all before psn arrived and were taken; then a bit each for the next ones */
  unsigned words, refusals;
  uint64_t taken[SRD_ACK_WORDS_MOST];
  struct srd_refusal refused[SRD_ACK_REFUSALS_MOST];

  const uint8_t *data;
  uint32_t data_bytes;
};

enum srd_parse {
  SRD_PARSE_OK,
  SRD_PARSE_FOREIGN, /* not SRD at all */
  SRD_PARSE_MALFORMED,
  SRD_PARSE_CHECKSUM,
};
/* Take a frame apart. source and destination are the frame's addresses. */
enum srd_parse srd_packet_parse(const void *frame, uint32_t bytes, struct srd_packet *packet,
                                struct srd_gid *source, struct srd_gid *destination);
/* The same of a frame that never left this process: headers in head, and the data, if any, where
 * its sender has it. There was no way to damage it, so there is no checksum to look at. */
enum srd_parse srd_packet_parse_handed(const struct iovec *head, const struct iovec *data,
                                       struct srd_packet *packet, struct srd_gid *source,
                                       struct srd_gid *destination);

/* What a node writes at the head of its frames to a peer, but for path, length and checksum. */
struct srd_envelope {
  uint8_t bytes[SRD_FRAME_HEADER_BYTES];
  uint32_t sum; /* of the pseudo header's addresses */
};
void srd_envelope_make(struct srd_envelope *envelope, struct shunt_mac mac,
                       const struct srd_gid *source, const struct srd_gid *destination);

/* Write headers for a packet whose data lies in pieces[1..n); pieces[0] is set to the headers. The
 * checksum is left out.
 *
 * header  room for SRD_HEADER_BYTES_MOST, of an ACK for SRD_ACK_ROOM */
#define SRD_ACK_ROOM                                                                               \
  (SRD_FRAME_HEADER_BYTES + SRD_ACK_BYTES + SRD_ACK_WORDS_MOST * 8u + SRD_ACK_REFUSALS_MOST * 8u)
void srd_packet_write(const struct srd_envelope *envelope, const struct srd_packet *packet,
                      uint8_t *header, struct iovec pieces[], unsigned n);
/* Put the checksum into such headers: of a frame that leaves this process, or may be changed. */
void srd_packet_seal(const struct srd_envelope *envelope, const struct iovec pieces[], unsigned n);

#endif
