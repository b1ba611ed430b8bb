/* SPDX-License-Identifier: BSD-2-Clause */
/* What a filter does with a frame, by the words of shunt/xdp_rule.h: plainly, with a number for
 * everything there is to know of a frame, and without the generator's code. */
#ifndef TESTS_UNIT_XDP_REFERENCE_H
#define TESTS_UNIT_XDP_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/xdp_rule.h"

struct reference_packet {
  bool whole; /* the Ethernet header and the tags are there */
  const uint8_t *mac;
  int vlan;       /* id of the outermost tag, or -1 */
  int ethertype;  /* behind the tags */
  int ip_version; /* 4 or 6 where the header is sound, else 0 */
  int protocol;   /* or -1 */
  bool fragment;
  bool has_ports;
  int source_port, destination_port;
  const uint8_t *source, *destination; /* addresses */
};

static inline void reference_ports(struct reference_packet *p, const uint8_t *l4, long in_frame,
                                   long in_datagram)
{
  if (p->fragment || (p->protocol != 6 && p->protocol != 17))
    return;
  if (in_frame < 8 || in_datagram < 8)
    return;
  p->has_ports = true;
  p->source_port = shunt_load_be16(l4);
  p->destination_port = shunt_load_be16(l4 + 2);
}

static inline void reference_ipv4(struct reference_packet *p, const uint8_t *ip, long bytes)
{
  if (bytes < 20 || ip[0] >> 4 != 4)
    return;
  long header = (ip[0] & 15) * 4;
  if (header < 20 || header > bytes)
    return;
  p->ip_version = 4;
  p->source = ip + 12;
  p->destination = ip + 16;
  p->protocol = ip[9];
  uint16_t field = shunt_load_be16(ip + 6);
  p->fragment = (field & 0x2000) || (field & 0x1fff); /* more to come, or not the first */
  reference_ports(p, ip + header, bytes - header, shunt_load_be16(ip + 2) - header);
}

static inline void reference_ipv6(struct reference_packet *p, const uint8_t *ip, long bytes)
{
  if (bytes < 40 || ip[0] >> 4 != 6)
    return;
  p->ip_version = 6;
  p->source = ip + 8;
  p->destination = ip + 24;
  long at = 40, end = 40 + (long)shunt_load_be16(ip + 4);
  int next = ip[6];
  for (int walked = 0; next == 0 || next == 43 || next == 60; walked++) {
    if (walked == SHUNT_XDP_RULE_EXTENSIONS)
      return;
    if (at + 8 > bytes || at + 8 > end)
      return;
    long length = (ip[at + 1] + 1) * 8;
    if (at + length > bytes || at + length > end)
      return;
    next = ip[at];
    at += length;
  }
  if (next == 44) {
    if (at + 8 > bytes || at + 8 > end)
      return;
    p->fragment = true;
    p->protocol = ip[at];
    return;
  }
  p->protocol = next;
  reference_ports(p, ip + at, bytes - at, end - at);
}

static inline struct reference_packet reference_read(const uint8_t *frame, long bytes)
{
  struct reference_packet p = {.vlan = -1, .protocol = -1};
  long at = 14;

  if (bytes < 14)
    return p;
  p.mac = frame;
  p.ethertype = shunt_load_be16(frame + 12);
  for (int tags = 0; tags < 2 && (p.ethertype == 0x8100 || p.ethertype == 0x88a8); tags++) {
    if (bytes < at + 4)
      return p;
    if (tags == 0)
      p.vlan = shunt_load_be16(frame + at) & 0xfff;
    p.ethertype = shunt_load_be16(frame + at + 2);
    at += 4;
  }
  p.whole = true;
  if (p.ethertype == 0x0800)
    reference_ipv4(&p, frame + at, bytes - at);
  if (p.ethertype == 0x86dd)
    reference_ipv6(&p, frame + at, bytes - at);
  return p;
}

static inline bool reference_prefix(const struct shunt_xdp_prefix *prefix, const uint8_t *address)
{
  if (!address)
    return false;
  for (unsigned bit = 0; bit < prefix->bits; bit++) {
    unsigned shift = 7 - bit % 8;
    if ((prefix->address[bit / 8] >> shift & 1) != (address[bit / 8] >> shift & 1))
      return false;
  }
  return true;
}

static inline bool reference_port(const struct shunt_xdp_ports *ports, int port)
{
  bool in = ports->count == 0;

  for (unsigned i = 0; i < ports->count; i++)
    in = in || (port >= ports->range[i].first && port <= ports->range[i].last);
  return in;
}

static inline bool reference_matches(const struct shunt_xdp_rule *r,
                                     const struct reference_packet *p)
{
  bool asks_ports = r->source_ports.count || r->destination_ports.count;

  if (!p->whole)
    return false;
  if (r->mac == SHUNT_XDP_MAC_UNICAST && p->mac[0] % 2 == 1)
    return false;
  if (r->mac == SHUNT_XDP_MAC_MULTICAST && p->mac[0] % 2 == 0)
    return false;
  if (r->mac == SHUNT_XDP_MAC_ADDRESS && memcmp(p->mac, r->mac_address.bytes, 6) != 0)
    return false;
  if (r->vlan == SHUNT_XDP_VLAN_NONE && p->vlan >= 0)
    return false;
  if (r->vlan == SHUNT_XDP_VLAN_ANY && p->vlan < 0)
    return false;
  if (r->vlan == SHUNT_XDP_VLAN_ID && p->vlan != r->vlan_id)
    return false;
  if (r->ethertype && p->ethertype != r->ethertype)
    return false;
  if (r->ip_version && p->ip_version != r->ip_version)
    return false;
  if ((r->protocol || asks_ports) && !p->ip_version)
    return false;
  if (r->protocol && p->protocol != r->protocol)
    return false;
  if (r->source.bits && !reference_prefix(&r->source, p->source))
    return false;
  if (r->destination.bits && !reference_prefix(&r->destination, p->destination))
    return false;
  if (!asks_ports)
    return true;
  if (p->fragment)
    return r->fragments;
  return p->has_ports && reference_port(&r->source_ports, p->source_port) &&
         reference_port(&r->destination_ports, p->destination_port);
}

/* The place of the first rule that matches, or -1. */
static inline int reference_match(const struct shunt_xdp_rule rules[], unsigned n,
                                  const void *frame, long bytes)
{
  struct reference_packet packet = reference_read((const uint8_t *)frame, bytes);

  for (unsigned i = 0; i < n; i++) {
    if (reference_matches(&rules[i], &packet))
      return (int)i;
  }
  return -1;
}

#endif
