/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules read from text: a word, what follows it, and the next word. The rule is checked behind each
 * condition, so that an error has the place of the word that brought it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shunt/ethernet.h"
#include "shunt/ipv4.h"
#include "shunt/xdp_rule.h"
#include "src/bpf/rule.h"

#define PROTOCOL_ICMP6 58 /* RFC 4443 1 */

/* Longer than any word that is right: a list of 16 ranges. */
#define WORD_BYTES 256

struct reader {
  const char *text;      /* places count from here */
  const char *at, *end;  /* what was not read yet */
  char word[WORD_BYTES]; /* the last one read */
  unsigned place;        /* where it stands; the first character is 1 */
  struct shunt_xdp_rule rule;
  struct shunt_error *error;
};

static const struct rule_protocol protocols[] = {
    {"udp", SHUNT_IPV4_PROTOCOL_UDP, 0},   {"tcp", SHUNT_IPV4_PROTOCOL_TCP, 0},
    {"icmp", SHUNT_IPV4_PROTOCOL_ICMP, 4}, {"icmp6", PROTOCOL_ICMP6, 6},
    {"igmp", SHUNT_IPV4_PROTOCOL_IGMP, 4},
};

#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

const struct rule_protocol *rule_protocol_find(uint8_t protocol, uint8_t ip_version)
{
  for (unsigned i = 0; i < PROTOCOLS; i++) {
    if (protocols[i].protocol == protocol &&
        (!protocols[i].ip_version || protocols[i].ip_version == ip_version))
      return &protocols[i];
  }
  return NULL;
}

static int refuse(struct reader *r, const char *why, const char *remedy)
{
  shunt_error_set(r->error, -EINVAL, "can't read the rule at character %u, \"%.60s\"", r->place,
                  r->word);
  shunt_error_why(r->error, "%s", why);
  shunt_error_remedy(r->error, "%s", remedy);
  return -EINVAL;
}

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Read the next word. 1; 0: there is none; -EINVAL. */
static int next_word(struct reader *r)
{
  while (r->at < r->end && is_space(*r->at))
    r->at++;
  const char *begin = r->at;
  while (r->at < r->end && !is_space(*r->at))
    r->at++;
  size_t length = (size_t)(r->at - begin);
  size_t kept = length < sizeof(r->word) ? length : sizeof(r->word) - 1;
  memcpy(r->word, begin, kept);
  r->word[kept] = '\0';
  r->place = (unsigned)(begin - r->text) + 1;
  if (kept < length)
    return refuse(r, "no word of a rule is so long", "shorten it");
  return length > 0;
}

/* The word that has to follow. */
static int argument(struct reader *r, const char *what)
{
  int result = next_word(r);

  if (result == 0) {
    snprintf(r->word, sizeof(r->word), "end of the rule");
    return refuse(r, what, "write it, or leave the word before it out");
  }
  return result < 0 ? result : 0;
}

static bool is_word(const struct reader *r, const char *word)
{
  return strcmp(r->word, word) == 0;
}

/* A decimal number, or hexadecimal with 0x, at the start of *text, which moves behind it. */
static bool read_number(const char **text, uint32_t most, uint32_t *number)
{
  bool hexadecimal = (*text)[0] == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X');
  const char *digits = *text + (hexadecimal ? 2 : 0);
  const char *allowed = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
  size_t count = strspn(digits, allowed);
  uint64_t value = 0;

  if (count == 0 || count > 10)
    return false;
  for (size_t i = 0; i < count; i++) {
    unsigned digit =
        digits[i] <= '9' ? (unsigned)(digits[i] - '0') : ((unsigned)digits[i] | 0x20u) - 'a' + 10;
    value = value * (hexadecimal ? 16 : 10) + digit;
  }
  *text = digits + count;
  *number = (uint32_t)value;
  return value <= most;
}

static bool whole_number(const struct reader *r, uint32_t most, uint32_t *number)
{
  const char *text = r->word;

  return read_number(&text, most, number) && *text == '\0';
}

static int set_version(struct reader *r, uint8_t version)
{
  if (r->rule.ip_version && r->rule.ip_version != version)
    return refuse(r,
                  version == 4 ? "it belongs to IPv4, and the rule is for IPv6"
                               : "it belongs to IPv6, and the rule is for IPv4",
                  "write a rule for each IP version");
  r->rule.ip_version = version;
  return 0;
}

static int set_protocol(struct reader *r, uint8_t protocol)
{
  if (r->rule.protocol && r->rule.protocol != protocol)
    return refuse(r, "the rule has another protocol already", "write a rule for each protocol");
  r->rule.protocol = protocol;
  return 0;
}

static int set_ethertype(struct reader *r, uint16_t type)
{
  if (r->rule.ethertype && r->rule.ethertype != type)
    return refuse(r, "the rule has another ethertype already", "write a rule for each");
  r->rule.ethertype = type;
  return 0;
}

static int read_ethertype(struct reader *r)
{
  uint32_t type;
  int result = argument(r, "an ethertype has to follow ether");

  if (result)
    return result;
  if (!whole_number(r, 0xffff, &type) || type == 0)
    return refuse(r, "an ethertype is a number up to 0xffff", "write it as in ether 0x88f7");
  return set_ethertype(r, (uint16_t)type);
}

static int read_protocol(struct reader *r)
{
  uint32_t protocol;
  int result = argument(r, "the number of a protocol has to follow proto");

  if (result)
    return result;
  if (!whole_number(r, 255, &protocol) || protocol == 0)
    return refuse(r, "an IP protocol is a number from 1 to 255",
                  "see www.iana.org/assignments/protocol-numbers");
  return set_protocol(r, (uint8_t)protocol);
}

static int read_mac(struct reader *r)
{
  if (r->rule.mac)
    return refuse(r, "the rule says mac twice", "write a rule for each MAC address");
  int result = argument(r, "a MAC address, unicast or multicast has to follow mac");
  if (result)
    return result;
  if (is_word(r, "unicast"))
    r->rule.mac = SHUNT_XDP_MAC_UNICAST;
  else if (is_word(r, "multicast"))
    r->rule.mac = SHUNT_XDP_MAC_MULTICAST;
  else if (shunt_mac_parse(r->word, &r->rule.mac_address) == 0)
    r->rule.mac = SHUNT_XDP_MAC_ADDRESS;
  else
    return refuse(r, "a MAC address is six pairs of hexadecimal digits with colons between",
                  "write mac 02:00:00:00:00:01, mac unicast or mac multicast");
  return 0;
}

static int read_vlan(struct reader *r)
{
  uint32_t id = 0;

  if (r->rule.vlan)
    return refuse(r, "the rule says vlan twice", "write a rule for each VLAN");
  int result = argument(r, "a VLAN id, none or any has to follow vlan");
  if (result)
    return result;
  if (is_word(r, "none"))
    r->rule.vlan = SHUNT_XDP_VLAN_NONE;
  else if (is_word(r, "any"))
    r->rule.vlan = SHUNT_XDP_VLAN_ANY;
  else if (whole_number(r, SHUNT_VLAN_ID_MASK, &id))
    r->rule.vlan = SHUNT_XDP_VLAN_ID;
  else
    return refuse(r, "a VLAN id is a number from 0 to 4095", "write vlan 5, vlan none or vlan any");
  r->rule.vlan_id = (uint16_t)id;
  return 0;
}

/* "multicast": all groups there are. */
static int read_multicast(struct reader *r, struct shunt_xdp_prefix *prefix)
{
  if (r->rule.ip_version == 0)
    return refuse(r, "whose multicast has to be known before", "write ip4 or ip6 before it");
  prefix->address[0] = r->rule.ip_version == 4 ? 0xe0 : 0xff;
  prefix->bits = r->rule.ip_version == 4 ? 4 : 8;
  return 0;
}

static int read_address(struct reader *r, struct shunt_xdp_prefix *prefix)
{
  char address[INET6_ADDRSTRLEN + 1];
  const char *slash = strchr(r->word, '/');
  size_t length = slash ? (size_t)(slash - r->word) : strlen(r->word);
  uint8_t version = memchr(r->word, ':', length) ? 6 : 4;
  uint32_t bits = version == 4 ? 32 : 128;

  if (prefix->bits)
    return refuse(r, "the rule has another address for this end already",
                  "write a rule for each, or one with a shorter prefix");
  if (is_word(r, "multicast"))
    return read_multicast(r, prefix);
  if (length < sizeof(address)) {
    memcpy(address, r->word, length);
    address[length] = '\0';
  }
  if (length >= sizeof(address) ||
      inet_pton(version == 4 ? AF_INET : AF_INET6, address, prefix->address) != 1)
    return refuse(r, "it is no IP address", "write it as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32");
  if (slash) {
    const char *text = slash + 1;
    if (!read_number(&text, bits, &bits) || *text)
      return refuse(
          r, version == 4 ? "an IPv4 prefix has 0 to 32 bits" : "an IPv6 prefix has 0 to 128 bits",
          "write the length of the prefix behind the /");
  }
  prefix->bits = (uint8_t)bits;
  return set_version(r, version);
}

static int read_group(struct reader *r)
{
  struct shunt_xdp_prefix *prefix = &r->rule.destination;
  int result = argument(r, "the address of a multicast group has to follow group");

  result = result ? result : read_address(r, prefix);
  if (result)
    return result;
  if (r->rule.ip_version == 4 ? prefix->bits < 4 || prefix->address[0] >> 4 != 0xe
                              : prefix->bits < 8 || prefix->address[0] != 0xff)
    return refuse(r, "it is no multicast group: these are in 224.0.0.0/4 and in ff00::/8",
                  "use dst for addresses that are none");
  return 0;
}

static int read_range(struct reader *r, const char **text, struct shunt_xdp_ports *ports)
{
  uint32_t first, last;

  if (!read_number(text, 65535, &first))
    return refuse(r, "a port is a number from 0 to 65535", "write 53, 5000-5010 or 53,5000-5010");
  last = first;
  if (**text == '-') {
    ++*text;
    if (!read_number(text, 65535, &last))
      return refuse(r, "a range of ports ends in a number up to 65535", "write it as 5000-5010");
  }
  if (ports->count == SHUNT_XDP_PORT_RANGES)
    return refuse(r, "a rule has at most 16 ranges of ports", "write the rest as another rule");
  ports->range[ports->count].first = (uint16_t)first;
  ports->range[ports->count].last = (uint16_t)last;
  ports->count++;
  return 0;
}

static int read_ports(struct reader *r, struct shunt_xdp_ports *ports)
{
  int result = argument(r, "a port has to follow port");

  if (result)
    return result;
  if (ports->count)
    return refuse(r, "the rule has ports for this end already", "write them as 53,80,5000-5010");
  const char *text = r->word;
  do
    result = read_range(r, &text, ports);
  while (!result && *text++ == ',');
  if (!result && text[-1] != '\0')
    return refuse(r, "there is something behind the ports", "write 53, 5000-5010 or 53,5000-5010");
  return result;
}

/* Behind src or dst: an address, or port and a list. */
static int read_end(struct reader *r, struct shunt_xdp_prefix *prefix,
                    struct shunt_xdp_ports *ports)
{
  int result = argument(r, "an address, or port and a number, has to follow src and dst");

  if (result)
    return result;
  return is_word(r, "port") ? read_ports(r, ports) : read_address(r, prefix);
}

static int read_known_protocol(struct reader *r)
{
  for (unsigned i = 0; i < PROTOCOLS; i++) {
    if (!is_word(r, protocols[i].word))
      continue;
    int result = protocols[i].ip_version ? set_version(r, protocols[i].ip_version) : 0;
    return result ? result : set_protocol(r, protocols[i].protocol);
  }
  return refuse(
      r, "it is no word of a rule",
      "known are: user pass drop all mac arp ether vlan ip4 ip6 udp tcp icmp icmp6 igmp proto "
      "src dst port group fragments");
}

static int read_condition(struct reader *r)
{
  if (is_word(r, "all"))
    return 0;
  if (is_word(r, "mac"))
    return read_mac(r);
  if (is_word(r, "arp"))
    return set_ethertype(r, SHUNT_ETHERNET_TYPE_ARP);
  if (is_word(r, "ether"))
    return read_ethertype(r);
  if (is_word(r, "vlan"))
    return read_vlan(r);
  if (is_word(r, "ip") || is_word(r, "ip4"))
    return set_version(r, 4);
  if (is_word(r, "ip6"))
    return set_version(r, 6);
  if (is_word(r, "proto"))
    return read_protocol(r);
  if (is_word(r, "src"))
    return read_end(r, &r->rule.source, &r->rule.source_ports);
  if (is_word(r, "dst"))
    return read_end(r, &r->rule.destination, &r->rule.destination_ports);
  if (is_word(r, "group"))
    return read_group(r);
  if (is_word(r, "port"))
    return read_ports(r, &r->rule.destination_ports);
  if (is_word(r, "fragments")) {
    r->rule.fragments = 1;
    return 0;
  }
  return read_known_protocol(r);
}

/* The action, where one is written: then the word behind it is read. As next_word. */
static int read_action(struct reader *r)
{
  static const char *const words[] = {"user", "pass", "drop"};

  for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (!is_word(r, words[i]))
      continue;
    r->rule.action = (uint8_t)i;
    int result = argument(r, "conditions, or all, have to follow the action");
    return result < 0 ? result : 1;
  }
  return 1;
}

/* Read from r->at to r->end. 1; 0: there is nothing but space; -EINVAL.
 *
 * A rule may be wrong halfway and right in the end ("port 53 fragments udp"). One that is wrong in
 * the end is so since the word after which it was never right again. */
static int read_rule(struct reader *r)
{
  unsigned wrong_since = 0;

  r->rule = (struct shunt_xdp_rule){.size = sizeof(r->rule)};
  int result = next_word(r);
  if (result <= 0)
    return result;
  for (result = read_action(r); result > 0; result = next_word(r)) {
    unsigned place = r->place;
    result = read_condition(r);
    if (result)
      return result;
    if (shunt_xdp_rule_check(&r->rule, NULL) == 0)
      wrong_since = 0;
    else if (wrong_since == 0)
      wrong_since = place;
  }
  if (result == 0 && wrong_since) {
    const char *wrong = r->text + wrong_since - 1;
    result = shunt_xdp_rule_check(&r->rule, r->error);
    return shunt_error_within(r->error, result, "at character %u, \"%.*s\"", wrong_since,
                              (int)(r->end - wrong), wrong);
  }
  return result < 0 ? result : 1;
}

int shunt_xdp_rule_parse(const char *text, struct shunt_xdp_rule *rule, struct shunt_error *error)
{
  struct reader r = {.text = text, .at = text, .end = text + strlen(text), .error = error};
  int result = read_rule(&r);

  if (result == 0) {
    shunt_error_set(error, -EINVAL, "a rule is empty");
    shunt_error_remedy(error, "write all for every frame");
    return -EINVAL;
  }
  if (result < 0)
    return result;
  *rule = r.rule;
  return 0;
}

int shunt_xdp_rules_parse(const char *text, struct shunt_xdp_rule rules[], unsigned most,
                          unsigned *count, struct shunt_error *error)
{
  struct reader r = {.text = text, .at = text, .error = error};

  *count = 0;
  for (bool more = true; more; r.at = r.end + 1) {
    r.end = r.at + strcspn(r.at, ";");
    more = *r.end == ';';
    int result = read_rule(&r);
    if (result < 0)
      return result;
    if (result == 0)
      continue;
    if (*count == most) {
      shunt_error_set(error, -E2BIG, "there are more than %u rules", most);
      shunt_error_remedy(error, "write ports as lists and ranges, addresses as prefixes");
      return -E2BIG;
    }
    rules[(*count)++] = r.rule;
  }
  return 0;
}
