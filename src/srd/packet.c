/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/srd/packet.h"

#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"

#define IPV6_AT   14u
#define UDP_AT    54u
#define UDP_BYTES 8u
#define IP_UDP    17u
#define HOP_LIMIT 64u

/* Where the parts of the common header stand, from its first byte on. */
enum {
  AT_TYPE = 0, /* version in the upper half */
  AT_FLAGS = 1,
  AT_PATH = 2,
  AT_INCARNATION = 4,
  AT_EXPECTED = 8,
  AT_PSN = 12,
  /* of messages, RDMA and datagrams */
  AT_OLDEST = 16,
  AT_SOURCE_QPN = 20,
  AT_QPN = 22,
  AT_QKEY = 24,
  AT_IMMEDIATE = 28,
  AT_MESSAGE_BYTES = 32,
  AT_RKEY = 40,
  AT_RDMA_BYTES = 44,
  AT_ADDRESS = 48,
  /* of acknowledgements */
  AT_WORDS = 16,
  AT_REFUSALS = 17,
};

static uint64_t load_be64(const uint8_t *at)
{
  return (uint64_t)shunt_load_be32(at) << 32 | shunt_load_be32(at + 4);
}

static void store_be64(uint8_t *at, uint64_t value)
{
  shunt_store_be32(at, (uint32_t)(value >> 32));
  shunt_store_be32(at + 4, (uint32_t)value);
}

struct srd_gid srd_gid_of_mac(struct shunt_mac mac)
{
  const uint8_t *m = mac.bytes;
  return (struct srd_gid){
      {0xfe, 0x80, 0, 0, 0, 0, 0, 0, m[0] ^ 0x02, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}};
}

bool srd_gid_to_mac(const struct srd_gid *gid, struct shunt_mac *mac)
{
  const uint8_t *b = gid->bytes;
  if (b[11] != 0xff || b[12] != 0xfe)
    return false;
  *mac = (struct shunt_mac){{b[8] ^ 0x02, b[9], b[10], b[13], b[14], b[15]}};
  return true;
}

void srd_envelope_make(struct srd_envelope *envelope, struct shunt_mac mac,
                       const struct srd_gid *source, const struct srd_gid *destination)
{
  uint8_t *frame = envelope->bytes;
  struct shunt_mac to;
  if (!srd_gid_to_mac(destination, &to))
    memset(to.bytes, 0xff, sizeof(to.bytes)); /* whoever has that address will take it */
  memset(frame, 0, SRD_FRAME_HEADER_BYTES);
  memcpy(frame, to.bytes, 6);
  memcpy(frame + 6, mac.bytes, 6);
  shunt_store_be16(frame + 12, SHUNT_ETHERNET_TYPE_IPV6);
  frame[IPV6_AT] = 0x60; /* RFC 8200 3 */
  frame[IPV6_AT + 6] = IP_UDP;
  frame[IPV6_AT + 7] = HOP_LIMIT;
  memcpy(frame + IPV6_AT + 8, source, sizeof(*source));
  memcpy(frame + IPV6_AT + 24, destination, sizeof(*destination));
  shunt_store_be16(frame + UDP_AT + 2, SRD_UDP_PORT);
  envelope->sum = shunt_checksum_add(IP_UDP, frame + IPV6_AT + 8, 32);
}

static uint32_t header_bytes(const struct srd_packet *packet)
{
  switch (packet->type) {
  case SRD_TYPE_MESSAGE:
  case SRD_TYPE_DATAGRAM:
    return SRD_MESSAGE_BYTES;
  case SRD_TYPE_WRITE:
  case SRD_TYPE_READ:
    return SRD_RDMA_BYTES;
  case SRD_TYPE_ACK:
    return SRD_ACK_BYTES + packet->words * 8 + packet->refusals * 8;
  case SRD_TYPE_READ_DATA:
  case SRD_TYPE_RESET:
    break;
  }
  return SRD_COMMON_BYTES;
}

static bool has_message(enum srd_type type)
{
  return type == SRD_TYPE_MESSAGE || type == SRD_TYPE_WRITE || type == SRD_TYPE_READ ||
         type == SRD_TYPE_DATAGRAM;
}

static bool has_rdma(enum srd_type type)
{
  return type == SRD_TYPE_WRITE || type == SRD_TYPE_READ;
}

static void write_ack(const struct srd_packet *packet, uint8_t *at)
{
  at[AT_WORDS] = (uint8_t)packet->words;
  at[AT_REFUSALS] = (uint8_t)packet->refusals;
  memset(at + AT_REFUSALS + 1, 0, SRD_ACK_BYTES - AT_REFUSALS - 1);
  uint8_t *next = at + SRD_ACK_BYTES;
  for (unsigned i = 0; i < packet->words; i++, next += 8)
    store_be64(next, packet->taken[i]);
  for (unsigned i = 0; i < packet->refusals; i++, next += 8) {
    shunt_store_be32(next, packet->refused[i].psn);
    shunt_store_be32(next + 4, (uint32_t)packet->refused[i].status << 24);
  }
}

/* The checksum of all behind the IPv6 header. A piece of odd length shifts those behind it by a
 * byte: their sum is then that of swapped bytes (RFC 1071 2(B)). */
void srd_packet_seal(const struct srd_envelope *envelope, const struct iovec pieces[], unsigned n)
{
  uint8_t *udp = (uint8_t *)pieces[0].iov_base + UDP_AT;
  uint32_t sum = envelope->sum + shunt_load_be16(udp + 4);
  sum = shunt_checksum_add(sum, udp, pieces[0].iov_len - UDP_AT);
  bool odd = false; /* headers are even */
  for (unsigned i = 1; i < n; i++) {
    uint32_t part = shunt_checksum_add(0, pieces[i].iov_base, pieces[i].iov_len);
    sum += odd ? (uint32_t)__builtin_bswap16((uint16_t)part) : part;
    odd ^= pieces[i].iov_len & 1;
  }
  uint16_t checksum = shunt_checksum_finish(sum);
  shunt_store_be16(udp + 6, checksum ? checksum : 0xffff); /* RFC 8200 8.1: 0 is not allowed */
}

/* Addresses each by themselves: a receiver that is handed the packet loads them so, at once, and
 * can wait for no more than the one store that it comes from. */
static void copy_envelope(uint8_t *to, const uint8_t *from)
{
  memcpy(to, from, 16);
  memcpy(to + 16, from + 16, IPV6_AT + 8 - 16);
  memcpy(to + IPV6_AT + 8, from + IPV6_AT + 8, 16);
  memcpy(to + IPV6_AT + 24, from + IPV6_AT + 24, 16);
  memcpy(to + UDP_AT, from + UDP_AT, UDP_BYTES);
}

void srd_packet_write(const struct srd_envelope *envelope, const struct srd_packet *packet,
                      uint8_t *header, struct iovec pieces[], unsigned n)
{
  uint32_t own = header_bytes(packet);
  uint32_t udp_bytes = UDP_BYTES + own;
  for (unsigned i = 1; i < n; i++)
    udp_bytes += (uint32_t)pieces[i].iov_len;

  copy_envelope(header, envelope->bytes);
  uint8_t *udp = header + UDP_AT;
  shunt_store_be16(header + IPV6_AT + 4, (uint16_t)udp_bytes);
  shunt_store_be16(udp, (uint16_t)(SRD_UDP_PATH_PORT + packet->path));
  shunt_store_be16(udp + 4, (uint16_t)udp_bytes);

  uint8_t *at = header + SRD_FRAME_HEADER_BYTES;
  at[AT_TYPE] = (uint8_t)(SRD_VERSION << 4 | packet->type);
  at[AT_FLAGS] = packet->flags;
  at[AT_PATH] = packet->path;
  at[AT_PATH + 1] = 0;
  shunt_store_be32(at + AT_INCARNATION, packet->incarnation);
  shunt_store_be32(at + AT_EXPECTED, packet->expected);
  shunt_store_be32(at + AT_PSN, packet->psn);
  if (has_message(packet->type)) {
    shunt_store_be32(at + AT_OLDEST, packet->oldest);
    shunt_store_be16(at + AT_SOURCE_QPN, packet->source_qpn);
    shunt_store_be16(at + AT_QPN, packet->qpn);
    shunt_store_be32(at + AT_QKEY, packet->qkey);
    shunt_store_be32(at + AT_IMMEDIATE, packet->immediate);
    shunt_store_be32(at + AT_MESSAGE_BYTES, packet->message_bytes);
    shunt_store_be32(at + AT_MESSAGE_BYTES + 4, 0);
  }
  if (has_rdma(packet->type)) {
    shunt_store_be32(at + AT_RKEY, packet->rkey);
    shunt_store_be32(at + AT_RDMA_BYTES, packet->rdma_bytes);
    store_be64(at + AT_ADDRESS, packet->address);
  }
  if (packet->type == SRD_TYPE_ACK)
    write_ack(packet, at);

  pieces[0] = (struct iovec){header, SRD_FRAME_HEADER_BYTES + own};
}

/* --- Reading ------------------------------------------------------------------------------- */

/* The envelope: how many bytes of SRD's own are in it, or why not. */
static enum srd_parse open_envelope(const uint8_t *frame, uint32_t bytes, uint32_t *left)
{
  if (bytes < SRD_FRAME_HEADER_BYTES || shunt_load_be16(frame + 12) != SHUNT_ETHERNET_TYPE_IPV6 ||
      frame[IPV6_AT + 6] != IP_UDP || shunt_load_be16(frame + UDP_AT + 2) != SRD_UDP_PORT)
    return SRD_PARSE_FOREIGN;
  uint32_t udp_bytes = shunt_load_be16(frame + IPV6_AT + 4);
  /* A short frame was lengthened to 60 bytes on its way: what counts is IPv6's length. */
  if (frame[IPV6_AT] >> 4 != 6 || udp_bytes > bytes - UDP_AT ||
      udp_bytes < UDP_BYTES + SRD_COMMON_BYTES || shunt_load_be16(frame + UDP_AT + 4) != udp_bytes)
    return SRD_PARSE_MALFORMED;
  *left = udp_bytes - UDP_BYTES;
  return SRD_PARSE_OK;
}

static bool checksum_is_good(const uint8_t *frame, uint32_t udp_bytes)
{
  uint32_t sum = shunt_checksum_add(IP_UDP + udp_bytes, frame + IPV6_AT + 8, 32);
  return shunt_load_be16(frame + UDP_AT + 6) &&
         !shunt_checksum_finish(shunt_checksum_add(sum, frame + UDP_AT, udp_bytes));
}

static bool parse_ack(struct srd_packet *packet, const uint8_t *at, uint32_t left)
{
  if (left < SRD_ACK_BYTES)
    return false;
  packet->words = at[AT_WORDS];
  packet->refusals = at[AT_REFUSALS];
  if (packet->words > SRD_ACK_WORDS_MOST || packet->refusals > SRD_ACK_REFUSALS_MOST ||
      left != header_bytes(packet))
    return false;
  at += SRD_ACK_BYTES;
  for (unsigned i = 0; i < packet->words; i++, at += 8)
    packet->taken[i] = load_be64(at);
  for (unsigned i = 0; i < packet->refusals; i++, at += 8)
    packet->refused[i] = (struct srd_refusal){shunt_load_be32(at), at[4]};
  return true;
}

static void parse_message(struct srd_packet *packet, const uint8_t *at)
{
  packet->oldest = shunt_load_be32(at + AT_OLDEST);
  packet->source_qpn = shunt_load_be16(at + AT_SOURCE_QPN);
  packet->qpn = shunt_load_be16(at + AT_QPN);
  packet->qkey = shunt_load_be32(at + AT_QKEY);
  packet->immediate = shunt_load_be32(at + AT_IMMEDIATE);
  packet->message_bytes = shunt_load_be32(at + AT_MESSAGE_BYTES);
  if (has_rdma(packet->type)) {
    packet->rkey = shunt_load_be32(at + AT_RKEY);
    packet->rdma_bytes = shunt_load_be32(at + AT_RDMA_BYTES);
    packet->address = load_be64(at + AT_ADDRESS);
  }
}

/* What the lengths of a packet must be to each other. */
static bool lengths_agree(const struct srd_packet *packet)
{
  switch (packet->type) {
  case SRD_TYPE_MESSAGE:
  case SRD_TYPE_DATAGRAM:
    return packet->data_bytes == packet->message_bytes;
  case SRD_TYPE_WRITE:
    return packet->data_bytes == packet->rdma_bytes && packet->rdma_bytes <= packet->message_bytes;
  case SRD_TYPE_READ:
    return !packet->data_bytes && packet->rdma_bytes <= SRD_MTU_MOST &&
           packet->rdma_bytes <= packet->message_bytes;
  case SRD_TYPE_RESET:
    return !packet->data_bytes;
  case SRD_TYPE_READ_DATA:
  case SRD_TYPE_ACK:
    break;
  }
  return true;
}

/* What is behind the envelope: left bytes, and elsewhere apart bytes of data, if any. */
static enum srd_parse parse_inside(const uint8_t *frame, uint32_t left, uint32_t apart,
                                   struct srd_packet *packet, struct srd_gid *source,
                                   struct srd_gid *destination)
{
  const uint8_t *at = frame + SRD_FRAME_HEADER_BYTES;
  unsigned type = at[AT_TYPE] & 0x0f;
  if (at[AT_TYPE] >> 4 != SRD_VERSION || type < SRD_TYPE_MESSAGE || type > SRD_TYPE_DATAGRAM ||
      at[AT_PATH] >= SRD_PATHS_MOST)
    return SRD_PARSE_MALFORMED;

  memcpy(source, frame + IPV6_AT + 8, sizeof(*source));
  memcpy(destination, frame + IPV6_AT + 24, sizeof(*destination));
  packet->type = (enum srd_type)type;
  packet->flags = at[AT_FLAGS];
  packet->path = at[AT_PATH];
  packet->incarnation = shunt_load_be32(at + AT_INCARNATION);
  packet->expected = shunt_load_be32(at + AT_EXPECTED);
  packet->psn = shunt_load_be32(at + AT_PSN);
  packet->words = packet->refusals = 0;
  if (packet->type == SRD_TYPE_ACK)
    return !apart && parse_ack(packet, at, left) ? SRD_PARSE_OK : SRD_PARSE_MALFORMED;

  uint32_t own = header_bytes(packet);
  if (left < own || (apart && left != own))
    return SRD_PARSE_MALFORMED;
  packet->data = at + own;
  packet->data_bytes = left - own + apart;
  if (has_message(packet->type))
    parse_message(packet, at);
  return lengths_agree(packet) ? SRD_PARSE_OK : SRD_PARSE_MALFORMED;
}

enum srd_parse srd_packet_parse(const void *frame, uint32_t bytes, struct srd_packet *packet,
                                struct srd_gid *source, struct srd_gid *destination)
{
  uint32_t left;
  enum srd_parse result = open_envelope(frame, bytes, &left);
  if (result != SRD_PARSE_OK)
    return result;
  if (!checksum_is_good(frame, UDP_BYTES + left))
    return SRD_PARSE_CHECKSUM;
  return parse_inside(frame, left, 0, packet, source, destination);
}

enum srd_parse srd_packet_parse_handed(const struct iovec *head, const struct iovec *data,
                                       struct srd_packet *packet, struct srd_gid *source,
                                       struct srd_gid *destination)
{
  uint32_t left, apart = data ? (uint32_t)data->iov_len : 0;
  if (head->iov_len < SRD_FRAME_HEADER_BYTES + SRD_COMMON_BYTES)
    return SRD_PARSE_MALFORMED;
  enum srd_parse result = open_envelope(head->iov_base, (uint32_t)head->iov_len + apart, &left);
  if (result != SRD_PARSE_OK)
    return result;
  if (left < SRD_COMMON_BYTES + apart || head->iov_len < SRD_FRAME_HEADER_BYTES + left - apart)
    return SRD_PARSE_MALFORMED;
  result = parse_inside(head->iov_base, left - apart, apart, packet, source, destination);
  if (apart)
    packet->data = data->iov_base;
  return result;
}
