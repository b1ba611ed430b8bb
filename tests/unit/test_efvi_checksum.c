/* SPDX-License-Identifier: BSD-2-Clause */
/* Every checksum of etherfabric/checksum.h against one that is added up word by word, over packets
 * of all lengths, in pieces of odd ones too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/ipv6.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <etherfabric/checksum.h>

#define MOST_BYTES 1500u
#define IP4_BYTES  20u
#define IP6_BYTES  40u

/* A packet: an IP header, and the message behind it, whose header has the sum. */
struct packet {
  int af;
  uint8_t protocol;
  uint8_t *ip, *message; /* each in a piece of memory that ends with it */
  size_t bytes;          /* of the message */
  size_t header;         /* of it, as the functions take it */
  size_t sum_at;         /* in it */
};

static uint32_t add_words(uint32_t sum, const uint8_t *data, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++)
    sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
  return sum;
}

static uint16_t fold(uint32_t sum)
{
  while (sum >> 16)
    sum = (sum & 0xFFFF) + (sum >> 16);
  return htons((uint16_t)~sum);
}

/* RFC 768, 9293 and 8200: addresses, protocol and length, then the message without its sum. */
static uint16_t right_sum(const struct packet *packet)
{
  const bool ip6 = packet->af == AF_INET6;
  uint32_t sum = add_words(0, packet->ip + (ip6 ? 8 : 12), ip6 ? 32 : 8);
  sum += packet->protocol + (uint32_t)packet->bytes;
  sum = add_words(sum, packet->message, packet->sum_at);
  sum = add_words(sum, packet->message + packet->sum_at + 2, packet->bytes - packet->sum_at - 2);
  const uint16_t right = fold(sum);
  return packet->protocol == IPPROTO_UDP && !right ? 0xFFFF : right;
}

static void packet_make(struct packet *packet, int af, uint8_t protocol, size_t bytes)
{
  const size_t ip_bytes = af == AF_INET6 ? IP6_BYTES : IP4_BYTES;
  *packet = (struct packet){.af = af, .protocol = protocol, .bytes = bytes};
  packet->ip = malloc(ip_bytes);
  packet->message = malloc(bytes);
  assert_non_null(packet->ip);
  assert_non_null(packet->message);
  for (size_t i = 0; i < ip_bytes; i++)
    packet->ip[i] = (uint8_t)rand();
  for (size_t i = 0; i < bytes; i++)
    packet->message[i] = (uint8_t)rand();
  const uint16_t length = htons((uint16_t)bytes), total = htons((uint16_t)(bytes + ip_bytes));
  if (af == AF_INET6) {
    packet->ip[0] = 0x60;
    memcpy(packet->ip + 4, &length, sizeof(length));
    packet->ip[6] = protocol;
  } else {
    packet->ip[0] = 0x45;
    memcpy(packet->ip + 2, &total, sizeof(total));
    packet->ip[9] = protocol;
  }
  if (protocol == IPPROTO_UDP) {
    packet->header = 8;
    packet->sum_at = 6;
    memcpy(packet->message + 4, &length, sizeof(length));
  } else if (protocol == IPPROTO_TCP) {
    packet->header = bytes >= 32 && bytes & 1 ? 32 : 20; /* with options, and without */
    packet->sum_at = 16;
    packet->message[12] = (uint8_t)(packet->header / 4 << 4);
  } else {
    packet->header = 4;
    packet->sum_at = 2;
  }
}

static void packet_end(struct packet *packet)
{
  free(packet->ip);
  free(packet->message);
}

/* What stands behind the header, cut in up to three places. */
static int cut(const struct packet *packet, struct iovec iov[3], int pieces)
{
  const size_t bytes = packet->bytes - packet->header;
  size_t at = 0;
  for (int i = 0; i < pieces; i++) {
    size_t piece = i == pieces - 1 ? bytes - at : (size_t)rand() % (bytes - at + 1);
    iov[i] = (struct iovec){packet->message + packet->header + at, piece};
    at += piece;
  }
  return pieces;
}

static uint32_t sum_of(const struct packet *packet, const struct iovec *iov, int n)
{
  const void *ip = packet->ip, *message = packet->message;
  if (packet->protocol == IPPROTO_ICMPV6)
    return ef_icmpv6_checksum(ip, message, iov, n);
  if (packet->protocol == IPPROTO_UDP)
    return packet->af == AF_INET6 ? ef_udp_checksum_ip6(ip, message, iov, n)
                                  : ef_udp_checksum(ip, message, iov, n);
  return packet->af == AF_INET6 ? ef_tcp_checksum_ip6(ip, message, iov, n)
                                : ef_tcp_checksum(ip, message, iov, n);
}

static uint32_t sum_of_either(const struct packet *packet, const struct iovec *iov, int n)
{
  const void *message = packet->message;
  return packet->protocol == IPPROTO_UDP
             ? ef_udp_checksum_ipx(packet->af, packet->ip, message, iov, n)
             : ef_tcp_checksum_ipx(packet->af, packet->ip, message, iov, n);
}

static uint32_t sum_of_one_piece(const struct packet *packet)
{
  const uint8_t *payload = packet->message + packet->header;
  const size_t bytes = packet->bytes - packet->header;
  const void *message = packet->message;
  return packet->protocol == IPPROTO_UDP
             ? ef_udp_checksum_ipx_buf(packet->af, packet->ip, message, payload, bytes)
             : ef_tcp_checksum_ipx_buf(packet->af, packet->ip, message, payload, bytes);
}

static bool is_right(const struct packet *packet, const struct iovec *iov, int n)
{
  const void *ip = packet->ip, *message = packet->message;
  if (packet->protocol == IPPROTO_UDP)
    return packet->af == AF_INET6 ? ef_udp_checksum_ip6_is_correct(ip, message, iov, n)
                                  : ef_udp_checksum_is_correct(ip, message, iov, n);
  return packet->af == AF_INET6 ? ef_tcp_checksum_ip6_is_correct(ip, message, iov, n)
                                : ef_tcp_checksum_is_correct(ip, message, iov, n);
}

static bool is_right_in_one_piece(const struct packet *packet)
{
  const uint8_t *payload = packet->message + packet->header;
  const size_t bytes = packet->bytes - packet->header;
  const void *message = packet->message;
  return packet->protocol == IPPROTO_UDP
             ? ef_udp_checksum_ipx_is_correct(packet->af, packet->ip, message, payload, bytes)
             : ef_tcp_checksum_ipx_is_correct(packet->af, packet->ip, message, payload, bytes);
}

static void store(struct packet *packet, uint16_t sum)
{
  memcpy(packet->message + packet->sum_at, &sum, sizeof(sum));
}

/* --- Tests --------------------------------------------------------------------------------------
 */

/* The sum that stands in the packet has no say. */
static void each_length(int af, uint8_t protocol)
{
  for (size_t bytes = 20; bytes <= MOST_BYTES; bytes += bytes < 100 ? 1 : 41) {
    struct packet packet;
    struct iovec iov[3];
    packet_make(&packet, af, protocol, bytes);
    const uint16_t right = right_sum(&packet);
    for (int pieces = 1; pieces <= 3; pieces++) {
      const int n = cut(&packet, iov, pieces);
      assert_int_equal(sum_of(&packet, iov, n), right);
      if (protocol != IPPROTO_ICMPV6)
        assert_int_equal(sum_of_either(&packet, iov, n), right);
    }
    if (protocol != IPPROTO_ICMPV6)
      assert_int_equal(sum_of_one_piece(&packet), right);
    packet_end(&packet);
  }
}

static void sums_are_right(void **state)
{
  (void)state;
  each_length(AF_INET, IPPROTO_UDP);
  each_length(AF_INET6, IPPROTO_UDP);
  each_length(AF_INET, IPPROTO_TCP);
  each_length(AF_INET6, IPPROTO_TCP);
}

/* An echo request, as programs hand it over: its first four bytes, and the rest from there on. */
static void icmpv6_is_right(void **state)
{
  struct packet packet;
  (void)state;
  each_length(AF_INET6, IPPROTO_ICMPV6);
  packet_make(&packet, AF_INET6, IPPROTO_ICMPV6, 4);
  assert_int_equal(sum_of(&packet, NULL, 0), right_sum(&packet));
  packet_end(&packet);
}

static void each_damage(int af, uint8_t protocol)
{
  struct packet packet;
  struct iovec iov[3];
  packet_make(&packet, af, protocol, 99);
  const uint16_t right = right_sum(&packet);
  const int n = cut(&packet, iov, 3);
  store(&packet, right);
  assert_true(is_right(&packet, iov, n));
  assert_true(is_right_in_one_piece(&packet));
  store(&packet, right ^ 1);
  assert_false(is_right(&packet, iov, n));
  store(&packet, right);
  for (size_t at = packet.header; at < packet.bytes; at++) {
    packet.message[at] ^= 4;
    assert_false(is_right(&packet, iov, n));
    assert_false(is_right_in_one_piece(&packet));
    packet.message[at] ^= 4;
  }
  packet.ip[af == AF_INET6 ? 39 : 19] ^= 128;
  assert_false(is_right(&packet, iov, n));
  packet_end(&packet);
}

static void damage_is_found(void **state)
{
  (void)state;
  each_damage(AF_INET, IPPROTO_UDP);
  each_damage(AF_INET6, IPPROTO_UDP);
  each_damage(AF_INET, IPPROTO_TCP);
  each_damage(AF_INET6, IPPROTO_TCP);
}

/* Have the packet's sum come out as 0. */
static void make_zero(struct packet *packet)
{
  uint8_t *at = packet->message + packet->bytes - 2;
  memset(at, 0, 2);
  const uint32_t others = ntohs((uint16_t)~right_sum(packet));
  const uint16_t missing = htons((uint16_t)(0xFFFF - others));
  memcpy(at, &missing, sizeof(missing));
}

/* UDP says 0xffff for 0, and with IPv4 0 for no sum at all; for TCP both are 0. */
static void zero_has_two_forms(void **state)
{
  static const int families[] = {AF_INET, AF_INET6};
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct packet packet;
    struct iovec iov[3];
    packet_make(&packet, families[i], IPPROTO_UDP, 60);
    make_zero(&packet);
    int n = cut(&packet, iov, 1);
    assert_int_equal(sum_of(&packet, iov, n), 0xFFFF);
    store(&packet, 0xFFFF);
    assert_true(is_right(&packet, iov, n));
    packet.message[20] ^= 1;
    store(&packet, 0);
    assert_int_equal(is_right(&packet, iov, n), families[i] == AF_INET);
    packet_end(&packet);

    packet_make(&packet, families[i], IPPROTO_TCP, 60);
    make_zero(&packet);
    n = cut(&packet, iov, 1);
    assert_int_equal(sum_of(&packet, iov, n), 0);
    store(&packet, 0);
    assert_true(is_right(&packet, iov, n));
    store(&packet, 0xFFFF);
    assert_true(is_right(&packet, iov, n));
    store(&packet, 1);
    assert_false(is_right(&packet, iov, n));
    packet_end(&packet);
  }
}

static void ip_header_with_options(void **state)
{
  (void)state;
  for (unsigned words = 5; words <= 15; words++) {
    uint8_t *header = malloc(words * 4);
    assert_non_null(header);
    for (unsigned i = 0; i < words * 4; i++)
      header[i] = (uint8_t)rand();
    header[0] = (uint8_t)(0x40 | words);
    const uint16_t right =
        fold(add_words(add_words(0, header, 10), header + 12, (size_t)words * 4 - 12));
    assert_int_equal(ef_ip_checksum((const void *)header), right);
    free(header);
  }
}

int main(void)
{
  srand(1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_are_right),         cmocka_unit_test(icmpv6_is_right),
      cmocka_unit_test(damage_is_found),        cmocka_unit_test(zero_has_two_forms),
      cmocka_unit_test(ip_header_with_options),
  };
  return cmocka_run_group_tests_name("efvi_checksum", tests, NULL, NULL);
}
