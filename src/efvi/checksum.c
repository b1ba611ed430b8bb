/* SPDX-License-Identifier: BSD-2-Clause */
/* The checksums of etherfabric/checksum.h, on the sums of shunt/checksum.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <etherfabric/checksum.h>

#include "shunt/checksum.h"
#include "src/efvi/efvi.h"

/* Of an ICMPv6 header, in front of what programs give as the rest: type, code and checksum. */
#define ICMP_BYTES 4

/* Sum up bytes that may begin at an odd place: those are worth 256 times as much. */
struct summer {
  uint32_t sum;
  uint64_t bytes;
};

static void summer_add(struct summer *summer, const void *data, size_t bytes)
{
  uint16_t part = (uint16_t)~shunt_checksum_finish(shunt_checksum_add(0, data, bytes));
  if (summer->bytes & 1)
    part = (uint16_t)(part << 8 | part >> 8);
  summer->sum += part;
  summer->sum = (summer->sum & 0xFFFF) + (summer->sum >> 16);
  summer->bytes += bytes;
}

/* A header without its checksum field, then the payload; pseudo is the addresses. */
struct message {
  const uint8_t *addresses;
  size_t address_bytes; /* of both */
  uint8_t protocol;
  const uint8_t *header;
  size_t header_bytes, sum_offset;
  const struct iovec *iov;
  int iovlen;
};

static uint32_t message_sum(const struct message *message)
{
  static const uint8_t none[2];
  struct summer summer = {0};
  const size_t behind = message->sum_offset + 2;
  summer_add(&summer, message->header, message->sum_offset);
  summer_add(&summer, none, sizeof(none));
  summer_add(&summer, message->header + behind, message->header_bytes - behind);
  for (int i = 0; i < message->iovlen; i++)
    summer_add(&summer, message->iov[i].iov_base, message->iov[i].iov_len);
  const uint32_t length = htonl((uint32_t)summer.bytes), protocol = htonl(message->protocol);
  summer.bytes = 0;
  summer_add(&summer, message->addresses, message->address_bytes);
  summer_add(&summer, &length, sizeof(length));
  summer_add(&summer, &protocol, sizeof(protocol));
  return htons(shunt_checksum_finish(summer.sum));
}

static struct message message_of(int af, const void *ip, uint8_t protocol, const void *header)
{
  const bool ip6 = af == AF_INET6;
  struct message message = {.addresses = (const uint8_t *)ip + (ip6 ? 8 : 12),
                            .address_bytes = ip6 ? 32 : 8,
                            .protocol = protocol,
                            .header = header};
  return message;
}

uint32_t ef_ip_checksum(const struct iphdr *ip)
{
  const uint8_t *bytes = (const uint8_t *)ip;
  struct summer summer = {0};
  summer_add(&summer, bytes, 10);
  summer_add(&summer, bytes + 12, (bytes[0] & 15u) * 4 < 20 ? 8 : (bytes[0] & 15u) * 4 - 12);
  return htons(shunt_checksum_finish(summer.sum));
}

/* UDP sends 0xffff for a sum of 0 (RFC 768). */
uint32_t ef_udp_checksum_ipx(int af, const void *ipx, const struct udphdr *udp,
                             const struct iovec *iov, int iovlen)
{
  struct message message = message_of(af, ipx, IPPROTO_UDP, udp);
  message.header_bytes = 8;
  message.sum_offset = 6;
  message.iov = iov;
  message.iovlen = iovlen;
  uint32_t sum = message_sum(&message);
  return sum ? sum : 0xFFFF;
}

uint32_t ef_udp_checksum(const struct iphdr *ip, const struct udphdr *udp, const struct iovec *iov,
                         int iovlen)
{
  return ef_udp_checksum_ipx(AF_INET, ip, udp, iov, iovlen);
}

uint32_t ef_udp_checksum_ip6(const struct ipv6hdr *ip6, const struct udphdr *udp,
                             const struct iovec *iov, int iovlen)
{
  return ef_udp_checksum_ipx(AF_INET6, ip6, udp, iov, iovlen);
}

uint32_t ef_tcp_checksum_ipx(int af, const void *ipx, const struct tcphdr *tcp,
                             const struct iovec *iov, int iovlen)
{
  const size_t bytes = (((const uint8_t *)tcp)[12] >> 4) * 4u;
  struct message message = message_of(af, ipx, IPPROTO_TCP, tcp);
  message.header_bytes = bytes < 20 ? 20 : bytes;
  message.sum_offset = 16;
  message.iov = iov;
  message.iovlen = iovlen;
  return message_sum(&message);
}

uint32_t ef_tcp_checksum(const struct iphdr *ip, const struct tcphdr *tcp, const struct iovec *iov,
                         int iovlen)
{
  return ef_tcp_checksum_ipx(AF_INET, ip, tcp, iov, iovlen);
}

uint32_t ef_tcp_checksum_ip6(const struct ipv6hdr *ip6, const struct tcphdr *tcp,
                             const struct iovec *iov, int iovlen)
{
  return ef_tcp_checksum_ipx(AF_INET6, ip6, tcp, iov, iovlen);
}

uint32_t ef_icmpv6_checksum(const struct ipv6hdr *ip6, const void *icmp, const struct iovec *iov,
                            int iovlen)
{
  struct message message = message_of(AF_INET6, ip6, IPPROTO_ICMPV6, icmp);
  message.header_bytes = ICMP_BYTES;
  message.sum_offset = 2;
  message.iov = iov;
  message.iovlen = iovlen;
  return message_sum(&message);
}

/* --- Received ones ------------------------------------------------------------------------------
 */

/* The sum as it stands in a header. */
static uint32_t stored(const void *header, size_t offset)
{
  uint16_t value;
  memcpy(&value, (const uint8_t *)header + offset, sizeof(value));
  return value;
}

/* Zero has two forms (RFC 1071 2): 0, and 0xffff. */
static bool is_same(uint32_t one, uint32_t other)
{
  return one == other || (one + other == 0xFFFF && (one == 0 || other == 0));
}

int ef_udp_checksum_is_correct(const struct iphdr *ip, const struct udphdr *udp,
                               const struct iovec *iov, int iovlen)
{
  return stored(udp, 6) == 0 || stored(udp, 6) == ef_udp_checksum(ip, udp, iov, iovlen);
}

int ef_udp_checksum_ip6_is_correct(const struct ipv6hdr *ip6, const struct udphdr *udp,
                                   const struct iovec *iov, int iovlen)
{
  return stored(udp, 6) == ef_udp_checksum_ip6(ip6, udp, iov, iovlen);
}

int ef_tcp_checksum_is_correct(const struct iphdr *ip, const struct tcphdr *tcp,
                               const struct iovec *iov, int iovlen)
{
  return is_same(stored(tcp, 16), ef_tcp_checksum(ip, tcp, iov, iovlen));
}

int ef_tcp_checksum_ip6_is_correct(const struct ipv6hdr *ip6, const struct tcphdr *tcp,
                                   const struct iovec *iov, int iovlen)
{
  return is_same(stored(tcp, 16), ef_tcp_checksum_ip6(ip6, tcp, iov, iovlen));
}
