/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules, packets, and which rule matches: by hand, from the words of shunt/xdp_rule.h. */
#ifndef TESTS_UNIT_XDP_PACKETS_H
#define TESTS_UNIT_XDP_PACKETS_H

#include <stdint.h>
#include <stdio.h>

/* A frame as parts in hexadecimal. */
#define MACS   "020000000001020000000002"
#define TO_ALL "ffffffffffff020000000002"
#define TAG5   "8100a005"
#define TAG6   "81000006"
#define STAG7  "88a80007"
#define IPV4   "0800"
#define IPV6   "86dd"
#define A_TO_B                                                                                     \
  "0a000001"                                                                                       \
  "0a000102" /* 10.0.0.1 to 10.0.1.2 */
#define TO_GROUP                                                                                   \
  "0a000001"                                                                                       \
  "ef010101" /* to 239.1.1.1 */
#define V6_ENDS                                                                                    \
  "20010db8000000000000000000000001"                                                               \
  "ff020000000000000000000000000001"
/* total length 34: 20 + 14; ports 7 to 9 */
#define UDP4(ends) "45000022000000004011ffff" ends
#define TCP4(ends) "45000022000000004006ffff" ends
#define PORTS_7_9                                                                                  \
  "00070009"                                                                                       \
  "000effff"                                                                                       \
  "000000000000"
#define OPTIONS4           "46000026000000004011ffff" A_TO_B "94040000"
#define PART4(field)       "450000220001" field "4011ffff" A_TO_B
#define UDP6               "60000000000e1140" V6_ENDS
#define HOP6(next, length) next length "010400000000"

static const struct {
  const char *rules;
  const char *packet;
  int place; /* of the rule that matches, or -1 */
} made_packets[] = {
    {"all", MACS "88f7", 0},
    {"all", "0200000000010200000000021234", 0},
    {"", MACS IPV4, -1},
    {"arp",
     MACS "0806"
          "0001",
     0},
    {"arp", MACS TAG5 "0806", 0},
    {"pass arp;all", MACS "0806", 0},
    {"pass arp;all", MACS IPV4, 1},
    {"arp", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"ether 0x88f7", MACS "88f7", 0},
    {"ip4;all",
     MACS "003c"
          "4242",
     1},
    /* MAC addresses */
    {"mac 02:00:00:00:00:01", MACS "0806", 0},
    {"mac 02:00:00:00:00:02;mac 02:00:00:00:01:01;mac 00:00:00:00:00:01", MACS "0806", -1},
    {"mac unicast", MACS "88f7", 0},
    {"mac multicast", MACS "88f7", -1},
    {"mac unicast;mac multicast", TO_ALL "0806", 1},
    {"mac ff:ff:ff:ff:ff:ff", TO_ALL "0806", 0},
    {"mac 01:00:5e:01:01:01 udp", TO_ALL IPV4 UDP4(TO_GROUP) PORTS_7_9, -1},
    {"mac 02:00:00:00:00:01", MACS "003c4242", 0},
    {"mac 02:00:00:00:00:01", MACS TAG5 "0806", 0},
    {"mac 02:00:00:00:00:01", MACS STAG7 TAG5 IPV6 UDP6 PORTS_7_9, 0},
    {"mac 02:00:00:00:00:01", MACS TAG5, -1},
    {"mac 02:00:00:00:00:02 arp;mac 02:00:00:00:00:01 arp", MACS STAG7 TAG5 "0806", 1},
    {"mac 02:00:00:00:00:01 vlan 5", MACS TAG5 "0806", 0},
    {"mac 02:00:00:00:00:01 vlan 5", MACS TAG6 "0806", -1},
    {"mac 02:00:00:00:00:01 vlan 5", MACS "0806", -1},
    {"mac multicast vlan any;mac unicast vlan any", MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, 1},
    {"mac 02:00:00:00:00:01 udp port 9", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"mac 02:00:00:00:00:03 udp port 9;udp port 9", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 1},
    {"mac 02:00:00:00:00:01 udp port 9", MACS STAG7 TAG5 IPV6 UDP6 PORTS_7_9, 0},
    {"mac unicast udp port 7;mac unicast tcp;mac unicast udp port 9",
     MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, 2},
    {"mac 02:00:00:00:00:01 port 1 fragments tcp;mac 02:00:00:00:00:01 udp port 1 fragments",
     MACS TAG5 IPV4 PART4("0010") PORTS_7_9, 1},
    /* ports */
    {"udp port 9", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"udp port 7", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"udp src port 7", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"udp src port 7 dst port 9", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"tcp port 9", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"tcp port 9", MACS IPV4 TCP4(A_TO_B) PORTS_7_9, 0},
    {"port 9", MACS IPV4 TCP4(A_TO_B) PORTS_7_9, 0},
    {"udp port 1-8;udp port 10-20;udp port 8-10", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 2},
    {"udp port 1,3,9-9", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"udp port 0-65535", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"udp", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"tcp;udp port 9;udp", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 1},
    {"ip6 udp port 9", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"ip6 udp port 9", MACS IPV6 UDP6 PORTS_7_9, 0},
    {"udp port 9", MACS IPV6 UDP6 PORTS_7_9, 0},
    /* addresses */
    {"udp dst 239.1.1.1 port 9", MACS IPV4 UDP4(TO_GROUP) PORTS_7_9, 0},
    {"udp dst 239.1.1.1 port 9", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"ip4 dst multicast", MACS IPV4 UDP4(TO_GROUP) PORTS_7_9, 0},
    {"ip4 dst multicast", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"src 10.0.0.0/8;all", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"dst 10.0.0.0/24", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"dst 10.0.0.0/23", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"src 2001:db8::/33", MACS IPV6 UDP6 PORTS_7_9, 0},
    {"src 2001:db9::/33", MACS IPV6 UDP6 PORTS_7_9, -1},
    {"group ff02::1", MACS IPV6 UDP6 PORTS_7_9, 0},
    {"group ff02::2", MACS IPV6 UDP6 PORTS_7_9, -1},
    /* tags */
    {"udp port 9", MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"udp port 9", MACS STAG7 TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"udp port 9;all", MACS STAG7 TAG5 TAG6 IPV4 UDP4(A_TO_B) PORTS_7_9, 1},
    {"vlan 5 udp port 9", MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, 0},
    {"vlan 6 udp port 9", MACS TAG5 IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"vlan 5", MACS STAG7 TAG5 IPV4, -1},
    {"vlan 7", MACS STAG7 TAG5 IPV4, 0},
    {"vlan 7", MACS STAG7 TAG5 TAG6 IPV4, 0},
    {"vlan none;vlan any", MACS IPV4, 0},
    {"vlan none;vlan any", MACS TAG6 IPV4, 1},
    {"vlan 0;vlan none", MACS "8100e000" IPV4, 0},
    {"all", MACS "8100", -1},
    {"all", MACS TAG5, -1},
    {"all", MACS STAG7 "8100", -1},
    /* words that would be a tag's 4 bytes farther ahead: a total length, the end of a flow label */
    {"udp port 9", MACS IPV4 "45008100000000004011ffff" A_TO_B PORTS_7_9, 0},
    {"ip4 tcp port 9", MACS IPV4 "450088a8000000004006ffff" A_TO_B PORTS_7_9, 0},
    {"udp port 9", MACS TAG5 IPV4 "45008100000000004011ffff" A_TO_B PORTS_7_9, 0},
    {"udp port 9", MACS IPV6 "60008100000e1140" V6_ENDS PORTS_7_9, 0},
    {"ip6 udp port 9", MACS IPV6 "600788a8000e1140" V6_ENDS PORTS_7_9, 0},
    /* IPv4 that is not plain */
    {"udp port 9", MACS IPV4 OPTIONS4 PORTS_7_9, 0},
    {"ip4;ether 0x0800", MACS IPV4 "44", 1},
    {"ip4;ether 0x0800", MACS IPV4 "44000022000000004011ffff" A_TO_B, 1},
    {"ip4;ether 0x0800", MACS IPV4 "4600002200000000401100ff" A_TO_B, 1},
    {"ip4;ether 0x0800",
     MACS IPV4 "50000022000000004011ffff" A_TO_B PORTS_7_9 PORTS_7_9 PORTS_7_9 PORTS_7_9 PORTS_7_9,
     1},
    {"udp port 9;udp", MACS IPV4 "4500001b000000004011ffff" A_TO_B PORTS_7_9, 1},
    {"udp port 9;udp", MACS IPV4 "4500001c000000004011ffff" A_TO_B PORTS_7_9, 0},
    {"udp port 9;udp", MACS IPV4 UDP4(A_TO_B) "0007000900", 1},
    /* fragments: more to come, in the middle, the last; don't fragment is none */
    {"udp port 9;udp", MACS IPV4 PART4("2000") PORTS_7_9, 1},
    {"udp port 9;udp", MACS IPV4 PART4("2010") PORTS_7_9, 1},
    {"udp port 9;udp", MACS IPV4 PART4("0010") PORTS_7_9, 1},
    {"udp port 9;udp", MACS IPV4 PART4("4000") PORTS_7_9, 0},
    {"udp port 9", MACS IPV4 PART4("2000") PORTS_7_9, -1},
    {"udp port 1 fragments", MACS IPV4 PART4("0010") PORTS_7_9, 0},
    {"udp port 1 fragments", MACS IPV4 UDP4(A_TO_B) PORTS_7_9, -1},
    {"tcp port 1 fragments", MACS IPV4 PART4("0010") PORTS_7_9, -1},
    {"udp dst 10.0.1.2 port 1 fragments", MACS IPV4 PART4("0010") PORTS_7_9, 0},
    /* IPv6: extension headers, fragments */
    {"udp port 9", MACS IPV6 "60000000001600ff" V6_ENDS HOP6("11", "00") PORTS_7_9, 0},
    {"udp port 9", MACS IPV6 "60000000001e00ff" V6_ENDS HOP6("3c", "00") HOP6("11", "00") PORTS_7_9,
     0},
    {"udp port 9",
     MACS IPV6 "60000000002e00ff" V6_ENDS HOP6("3c", "00") HOP6("2b", "00") HOP6("3c", "00")
         HOP6("11", "00") PORTS_7_9,
     0},
    {"udp port 9;udp;ip6",
     MACS IPV6 "60000000003600ff" V6_ENDS HOP6("3c", "00") HOP6("2b", "00") HOP6("3c", "00")
         HOP6("3c", "00") HOP6("11", "00") PORTS_7_9,
     2},
    {"udp port 9;udp;ip6", MACS IPV6 "60000000001600ff" V6_ENDS HOP6("11", "09") PORTS_7_9, 2},
    {"udp port 9;udp;ip6", MACS IPV6 "60000000000f00ff" V6_ENDS HOP6("11", "00") PORTS_7_9, 1},
    {"udp port 9;udp", MACS IPV6 "6000000000162cff" V6_ENDS "1100000000000001" PORTS_7_9, 1},
    {"udp port 9 fragments", MACS IPV6 "6000000000162cff" V6_ENDS "1100001100000001" PORTS_7_9, 0},
    {"proto 44;proto 60;all", MACS IPV6 "6000000000162cff" V6_ENDS "3c00001100000001" PORTS_7_9, 1},
    {"udp;proto 51", MACS IPV6 "60000000001633ff" V6_ENDS HOP6("11", "00") PORTS_7_9, 1},
    {"udp;ip6;ether 0x86dd", MACS IPV6 "50000000000e1140" V6_ENDS PORTS_7_9, 2},
    {"icmp6", MACS IPV6 "60000000000e3a40" V6_ENDS PORTS_7_9, 0},
};

#define PACKETS (sizeof(made_packets) / sizeof(made_packets[0]))

/* The bytes of a packet; returns how many. */
static inline uint32_t packet_read(const char *text, uint8_t *bytes)
{
  uint32_t count = 0;

  for (; *text; text += 2) {
    unsigned byte;
    if (sscanf(text, "%2x", &byte) != 1)
      return 0;
    bytes[count++] = (uint8_t)byte;
  }
  return count;
}

#endif
