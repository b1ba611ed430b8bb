/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: whether one can be expressed, and as text. */
#include "shunt/xdp_rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shunt/ethernet.h"
#include "shunt/ipv4.h"
#include "src/bpf/rule.h"

static int refuse(struct shunt_error *error, const char *why, const char *remedy)
{
  shunt_error_set(error, -EINVAL, "the rule can't be expressed");
  shunt_error_why(error, "%s", why);
  shunt_error_remedy(error, "%s", remedy);
  return -EINVAL;
}

static int check_numbers(const struct shunt_xdp_rule *rule, struct shunt_error *error)
{
  static const struct shunt_mac none;

  if (rule->action > SHUNT_XDP_DROP)
    return refuse(error, "there is no such action", "use user, pass or drop");
  if (rule->mac > SHUNT_XDP_MAC_ADDRESS)
    return refuse(error, "there is no such condition on a MAC address",
                  "use one of enum shunt_xdp_mac");
  if (rule->mac != SHUNT_XDP_MAC_ADDRESS && !shunt_mac_equal(rule->mac_address, none))
    return refuse(error, "there is a MAC address, but none is asked for",
                  "set mac to SHUNT_XDP_MAC_ADDRESS");
  if (rule->vlan > SHUNT_XDP_VLAN_ID || rule->vlan_id > SHUNT_VLAN_ID_MASK)
    return refuse(error, "a VLAN id is 0 to 4095 (IEEE 802.1Q 9.6)", "use vlan 0 to vlan 4095");
  if (rule->vlan != SHUNT_XDP_VLAN_ID && rule->vlan_id)
    return refuse(error, "there is a VLAN id, but none is asked for",
                  "set vlan to "
                  "SHUNT_XDP_VLAN_ID");
  if (rule->ip_version != 0 && rule->ip_version != 4 && rule->ip_version != 6)
    return refuse(error, "IP has the versions 4 and 6", "use ip4 or ip6");
  if (rule->fragments > 1)
    return refuse(error, "fragments is 0 or 1", "use 1 to match fragments, too");
  return 0;
}

static int check_ethertype(const struct shunt_xdp_rule *rule, struct shunt_error *error)
{
  if (rule->ethertype == 0)
    return 0;
  if (rule->ethertype < SHUNT_ETHERNET_TYPE_MIN)
    return refuse(error, "below 0x0600 it is a length, not an ethertype (IEEE 802.3 3.2.6)",
                  "use ether 0x0600 to ether 0xffff");
  if (rule->ethertype == SHUNT_ETHERNET_TYPE_VLAN || rule->ethertype == SHUNT_ETHERNET_TYPE_VLAN_S)
    return refuse(error, "0x8100 and 0x88a8 begin VLAN tags, and the ethertype is behind these",
                  "use vlan any, or vlan and an id");
  if (rule->ip_version || rule->protocol || rule->source_ports.count ||
      rule->destination_ports.count)
    return refuse(error, "an ethertype stands beside a condition on IP, which says it itself",
                  "leave one of them; ip4 and ip6 stand for the ethertypes of IP");
  return 0;
}

static int check_prefix(const struct shunt_xdp_rule *rule, const struct shunt_xdp_prefix *prefix,
                        struct shunt_error *error)
{
  unsigned most = rule->ip_version == 4 ? 32 : 128;

  if (prefix->bits && rule->ip_version == 0)
    return refuse(error, "there is an address, but no IP version", "set ip_version to 4 or 6");
  if (prefix->bits > most)
    return refuse(error,
                  most == 32 ? "an IPv4 prefix has at most 32 bits"
                             : "an IPv6 prefix has at most 128 bits",
                  "shorten the prefix");
  for (unsigned i = prefix->bits / 8; i < sizeof(prefix->address); i++) {
    uint8_t beyond = i == prefix->bits / 8 ? (uint8_t)(0xffu >> prefix->bits % 8) : 0xff;
    if (prefix->address[i] & beyond)
      return refuse(error, "the address has bits set behind the length of its prefix",
                    "set these bits to 0, or lengthen the prefix");
  }
  return 0;
}

static int check_ports(const struct shunt_xdp_rule *rule, const struct shunt_xdp_ports *ports,
                       struct shunt_error *error)
{
  if (ports->count == 0)
    return 0;
  if (ports->count > SHUNT_XDP_PORT_RANGES)
    return refuse(error, "a rule has at most 16 ranges of ports", "write the rest as another rule");
  if (rule->protocol != 0 && rule->protocol != SHUNT_IPV4_PROTOCOL_UDP &&
      rule->protocol != SHUNT_IPV4_PROTOCOL_TCP)
    return refuse(error, "of the protocols only UDP and TCP have ports here",
                  "leave the ports out, or use udp or tcp");
  for (unsigned i = 0; i < ports->count; i++) {
    if (ports->range[i].first > ports->range[i].last)
      return refuse(error, "a range of ports is reversed", "write the smaller port first");
  }
  return 0;
}

/* Without ports it would have no effect: "fragments" alone would be another word for "all". */
static int check_fragments(const struct shunt_xdp_rule *rule, struct shunt_error *error)
{
  if (!rule->fragments)
    return 0;
  if (!rule->source_ports.count && !rule->destination_ports.count)
    return refuse(error,
                  "fragments are to match without their ports, and the rule asks for no ports",
                  "leave fragments out: a rule without ports matches them anyway; or say of which "
                  "ports, as in udp port 53 fragments");
  if (!rule->protocol)
    return refuse(error, "fragments are to match without their ports, and nothing says of what",
                  "say udp or tcp");
  return 0;
}

int shunt_xdp_rule_check(const struct shunt_xdp_rule *rule, struct shunt_error *error)
{
  if (rule->size != sizeof(*rule))
    return refuse(error, "its size is not that of this library's rules",
                  "set size to sizeof(struct shunt_xdp_rule)");
  int result = check_numbers(rule, error);
  result = result ? result : check_ethertype(rule, error);
  result = result ? result : check_prefix(rule, &rule->source, error);
  result = result ? result : check_prefix(rule, &rule->destination, error);
  result = result ? result : check_ports(rule, &rule->source_ports, error);
  result = result ? result : check_ports(rule, &rule->destination_ports, error);
  return result ? result : check_fragments(rule, error);
}

/* ---- as text ---- */

struct writer {
  char *text;
  size_t bytes, length;
};

static void write_text(struct writer *w, const char *format, ...) SHUNT_PRINTF(2, 3);
static void write_text(struct writer *w, const char *format, ...)
{
  va_list arguments;
  size_t left = w->length < w->bytes ? w->bytes - w->length : 0;

  va_start(arguments, format);
  int length = vsnprintf(left ? w->text + w->length : NULL, left, format, arguments);
  va_end(arguments);
  w->length += length > 0 ? (size_t)length : 0;
}

/* A word, with a space before it unless it is the first. */
static void write_word(struct writer *w, const char *word)
{
  write_text(w, "%s%s", w->length ? " " : "", word);
}

static void write_prefix(struct writer *w, const char *which, const struct shunt_xdp_rule *rule,
                         const struct shunt_xdp_prefix *prefix)
{
  char address[INET6_ADDRSTRLEN];
  bool v4 = rule->ip_version == 4;

  if (prefix->bits == 0)
    return;
  inet_ntop(v4 ? AF_INET : AF_INET6, prefix->address, address, sizeof(address));
  write_word(w, which);
  write_text(w, " %s", address);
  if (prefix->bits != (v4 ? 32 : 128))
    write_text(w, "/%u", prefix->bits);
}

static void write_ports(struct writer *w, const char *which, const struct shunt_xdp_ports *ports)
{
  if (ports->count == 0)
    return;
  write_word(w, which);
  for (unsigned i = 0; i < ports->count; i++) {
    write_text(w, "%c%u", i ? ',' : ' ', ports->range[i].first);
    if (ports->range[i].last != ports->range[i].first)
      write_text(w, "-%u", ports->range[i].last);
  }
}

static void write_mac(struct writer *w, const struct shunt_xdp_rule *rule)
{
  char address[SHUNT_MAC_TEXT_BYTES];

  if (rule->mac == SHUNT_XDP_MAC_UNICAST)
    write_word(w, "mac unicast");
  if (rule->mac == SHUNT_XDP_MAC_MULTICAST)
    write_word(w, "mac multicast");
  if (rule->mac != SHUNT_XDP_MAC_ADDRESS)
    return;
  write_word(w, "mac");
  write_text(w, " %s", shunt_mac_format(rule->mac_address, address));
}

static void write_vlan(struct writer *w, const struct shunt_xdp_rule *rule)
{
  if (rule->vlan == SHUNT_XDP_VLAN_NONE)
    write_word(w, "vlan none");
  if (rule->vlan == SHUNT_XDP_VLAN_ANY)
    write_word(w, "vlan any");
  if (rule->vlan != SHUNT_XDP_VLAN_ID)
    return;
  write_word(w, "vlan");
  write_text(w, " %u", rule->vlan_id);
}

/* The protocol by the word that says the IP version with it, where there is one. */
static void write_ip(struct writer *w, const struct shunt_xdp_rule *rule)
{
  const struct rule_protocol *known = rule_protocol_find(rule->protocol, rule->ip_version);

  if (rule->ip_version && !(known && known->ip_version))
    write_word(w, rule->ip_version == 4 ? "ip4" : "ip6");
  if (known) {
    write_word(w, known->word);
  } else if (rule->protocol) {
    write_word(w, "proto");
    write_text(w, " %u", rule->protocol);
  }
}

size_t shunt_xdp_rule_format(const struct shunt_xdp_rule *rule, char *text, size_t bytes)
{
  struct writer w = {.text = text, .bytes = bytes};

  if (bytes)
    text[0] = '\0';
  if (rule->action != SHUNT_XDP_USER)
    write_word(&w, rule->action == SHUNT_XDP_PASS ? "pass" : "drop");
  size_t action = w.length;
  write_mac(&w, rule);
  write_vlan(&w, rule);
  if (rule->ethertype == SHUNT_ETHERNET_TYPE_ARP) {
    write_word(&w, "arp");
  } else if (rule->ethertype) {
    write_word(&w, "ether");
    write_text(&w, " 0x%04x", rule->ethertype);
  }
  write_ip(&w, rule);
  write_prefix(&w, "src", rule, &rule->source);
  write_prefix(&w, "dst", rule, &rule->destination);
  write_ports(&w, "src port", &rule->source_ports);
  write_ports(&w, "port", &rule->destination_ports);
  if (rule->fragments)
    write_word(&w, "fragments");
  if (w.length == action)
    write_word(&w, "all");
  return w.length;
}
