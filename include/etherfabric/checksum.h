/* SPDX-License-Identifier: BSD-2-Clause */
/* Internet checksums (RFC 1071) of packets to send or received. All return the value as it stands
 * in the packet, in network order; the checksum field's own bytes don't count. Headers may have
 * options; any alignment will do. */
#ifndef SHUNT_ETHERFABRIC_CHECKSUM_H
#define SHUNT_ETHERFABRIC_CHECKSUM_H
#define __EFAB_CHECKSUM_H__ /* programs ask whether it is included */

#include <etherfabric/base.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct ipv6hdr; /* linux/ipv6.h */
struct iphdr;
struct tcphdr; /* netinet/tcp.h keeps it from strict C11 */
struct udphdr;

/* iov, iovlen  what stands behind the UDP or TCP header (TCP: behind its options)
 * af           AF_INET (ipx is a struct iphdr) or AF_INET6 (a struct ipv6hdr) */
extern uint32_t ef_ip_checksum(const struct iphdr *ip);
extern uint32_t ef_udp_checksum(const struct iphdr *ip, const struct udphdr *udp,
                                const struct iovec *iov, int iovlen);
extern uint32_t ef_udp_checksum_ip6(const struct ipv6hdr *ip6, const struct udphdr *udp,
                                    const struct iovec *iov, int iovlen);
extern uint32_t ef_udp_checksum_ipx(int af, const void *ipx, const struct udphdr *udp,
                                    const struct iovec *iov, int iovlen);
extern uint32_t ef_tcp_checksum(const struct iphdr *ip, const struct tcphdr *tcp,
                                const struct iovec *iov, int iovlen);
extern uint32_t ef_tcp_checksum_ip6(const struct ipv6hdr *ip6, const struct tcphdr *tcp,
                                    const struct iovec *iov, int iovlen);
extern uint32_t ef_tcp_checksum_ipx(int af, const void *ipx, const struct tcphdr *tcp,
                                    const struct iovec *iov, int iovlen);
/* icmp  the message, of which the first 4 bytes are read: type, code and checksum
 * iov   the rest of it, from its fifth byte on */
extern uint32_t ef_icmpv6_checksum(const struct ipv6hdr *ip6, const void *icmp,
                                   const struct iovec *iov, int iovlen);

/* Whether the checksum in the packet is right; a UDP checksum of 0 on IPv4 is none, and right. */
extern int ef_udp_checksum_is_correct(const struct iphdr *ip, const struct udphdr *udp,
                                      const struct iovec *iov, int iovlen);
extern int ef_udp_checksum_ip6_is_correct(const struct ipv6hdr *ip6, const struct udphdr *udp,
                                          const struct iovec *iov, int iovlen);
extern int ef_tcp_checksum_is_correct(const struct iphdr *ip, const struct tcphdr *tcp,
                                      const struct iovec *iov, int iovlen);
extern int ef_tcp_checksum_ip6_is_correct(const struct ipv6hdr *ip6, const struct tcphdr *tcp,
                                          const struct iovec *iov, int iovlen);

/* The same, with the payload in one piece. */
ef_vi_inline uint32_t ef_udp_checksum_ipx_buf(int af, const void *ipx, const struct udphdr *udp,
                                              const void *payload, size_t payload_len)
{
  struct iovec iov;
  iov.iov_base = (void *)(uintptr_t)payload;
  iov.iov_len = payload_len;
  return ef_udp_checksum_ipx(af, ipx, udp, &iov, 1);
}

ef_vi_inline uint32_t ef_tcp_checksum_ipx_buf(int af, const void *ipx, const struct tcphdr *tcp,
                                              const void *payload, size_t payload_len)
{
  struct iovec iov;
  iov.iov_base = (void *)(uintptr_t)payload;
  iov.iov_len = payload_len;
  return ef_tcp_checksum_ipx(af, ipx, tcp, &iov, 1);
}

ef_vi_inline int ef_udp_checksum_ipx_is_correct(int af, const void *ipx, const struct udphdr *udp,
                                                const void *payload, size_t payload_len)
{
  struct iovec iov;
  iov.iov_base = (void *)(uintptr_t)payload;
  iov.iov_len = payload_len;
  return af == AF_INET6 ? ef_udp_checksum_ip6_is_correct((const struct ipv6hdr *)ipx, udp, &iov, 1)
                        : ef_udp_checksum_is_correct((const struct iphdr *)ipx, udp, &iov, 1);
}

ef_vi_inline int ef_tcp_checksum_ipx_is_correct(int af, const void *ipx, const struct tcphdr *tcp,
                                                const void *payload, size_t payload_len)
{
  struct iovec iov;
  iov.iov_base = (void *)(uintptr_t)payload;
  iov.iov_len = payload_len;
  return af == AF_INET6 ? ef_tcp_checksum_ip6_is_correct((const struct ipv6hdr *)ipx, tcp, &iov, 1)
                        : ef_tcp_checksum_is_correct((const struct iphdr *)ipx, tcp, &iov, 1);
}

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
