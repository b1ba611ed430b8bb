/* SPDX-License-Identifier: BSD-2-Clause */
/* Checksums of packets to send, which ef_vi's programs leave to the card unless they say not to
 * (EF_VI_TX_IP_CSUM_DIS, EF_VI_TX_TCPUDP_CSUM_DIS). Filled in while the packet is in the cache. */
#include <string.h>

#include "shunt/bytes.h"
#include "src/efvi/path.h"

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* The offset of the checksum in a UDP or TCP header; 0: neither, or cut short. */
static uint32_t sum_offset(uint8_t protocol, uint32_t bytes)
{
  if (protocol == PROTOCOL_UDP && bytes >= 8)
    return 6;
  return protocol == PROTOCOL_TCP && bytes >= 20 ? 16 : 0;
}

/* The sum of words as the host loads them, which is that of the packet's words, swapped where these
 * are (RFC 1071 2(B)). In line, for most packets here have a few words: shunt_checksum_add folds
 * and swaps at each call. */
static inline uint64_t add_native(uint64_t sum, const uint8_t *at, uint32_t bytes)
{
  uint64_t words;
  uint32_t word = 0;
  uint16_t half = 0, last = 0;
  for (; bytes >= sizeof(words); at += sizeof(words), bytes -= (uint32_t)sizeof(words)) {
    memcpy(&words, at, sizeof(words));
    sum += words;
    sum += sum < words; /* the carry comes back in at the bottom */
  }
  if (bytes & 4) {
    memcpy(&word, at, sizeof(word));
    at += sizeof(word);
  }
  if (bytes & 2) {
    memcpy(&half, at, sizeof(half));
    at += sizeof(half);
  }
  if (bytes & 1)
    memcpy(&last, at, 1);
  const uint64_t rest = (uint64_t)word + half + last;
  sum += rest;
  return sum + (sum < rest);
}

/* The checksum, in the packet's byte order. */
static inline uint16_t finish_native(uint64_t sum)
{
  sum = (sum & 0xFFFFFFFF) + (sum >> 32);
  sum = (sum & 0xFFFF) + (sum >> 16 & 0xFFFF) + (sum >> 32);
  sum = (sum & 0xFFFF) + (sum >> 16);
  return (uint16_t) ~((sum & 0xFFFF) + (sum >> 16));
}

/* pseudo: the sum of addresses (RFC 768, RFC 8200 8.1). */
static inline void fill_l4(uint8_t *l4, uint32_t bytes, uint8_t protocol, uint64_t pseudo)
{
  const uint32_t offset = sum_offset(protocol, bytes);
  if (!offset)
    return;
  const uint8_t tail[4] = {0, protocol, (uint8_t)(bytes >> 8), (uint8_t)bytes};
  memset(l4 + offset, 0, 2);
  uint16_t value = finish_native(add_native(add_native(pseudo, tail, sizeof(tail)), l4, bytes));
  if (value == 0 && protocol == PROTOCOL_UDP)
    value = 0xFFFF;
  memcpy(l4 + offset, &value, sizeof(value));
}

static inline void fill_ip4(uint8_t *ip, uint32_t bytes, bool with_ip, bool with_l4)
{
  const uint32_t header = (ip[0] & 15u) * 4, total = bytes >= 20 ? shunt_load_be16(ip + 2) : 0;
  if (bytes < 20 || header < 20 || header > total || total > bytes)
    return;
  if (with_ip) {
    memset(ip + 10, 0, 2);
    const uint16_t value = finish_native(add_native(0, ip, header));
    memcpy(ip + 10, &value, sizeof(value));
  }
  if (with_l4 && !(shunt_load_be16(ip + 6) & 0x3FFF)) /* no fragment (RFC 791) */
    fill_l4(ip + header, total - header, ip[9], add_native(0, ip + 12, 8));
}

static void fill_ip6(uint8_t *ip, uint32_t bytes)
{
  const uint32_t payload = bytes >= 40 ? shunt_load_be16(ip + 4) : 0;
  if (payload && payload + 40 <= bytes)
    fill_l4(ip + 40, payload, ip[6], add_native(0, ip + 8, 32));
}

void efvi_sums_fill(uint8_t *frame, uint32_t bytes, bool ip, bool l4)
{
  uint32_t l2 = 14;
  uint16_t type = shunt_load_be16(frame + 12);
  if (type == 0x8100 && bytes > 18) {
    type = shunt_load_be16(frame + 16);
    l2 = 18;
  }
  if (type == 0x0800 && bytes > l2 && frame[l2] >> 4 == 4)
    fill_ip4(frame + l2, bytes - l2, ip, l4);
  else if (type == 0x86DD && l4 && bytes > l2 && frame[l2] >> 4 == 6)
    fill_ip6(frame + l2, bytes - l2);
}
