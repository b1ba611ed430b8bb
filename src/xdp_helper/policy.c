/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/xdp_helper/policy.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"

/* ---- Reading ---- */

static int wrong(struct shunt_error *error, const char *what, const char *value, const char *right)
{
  shunt_error_set(error, -EINVAL, "can't read the helper's policy");
  shunt_error_why(error, "%s \"%.64s\"", what, value);
  shunt_error_remedy(error, "%s", right);
  return -EINVAL;
}

static bool read_number(const char *text, const char *end, uint32_t *number)
{
  char *stop;
  errno = 0;
  unsigned long value = strtoul(text, &stop, 10);
  *number = (uint32_t)value;
  return *text >= '0' && *text <= '9' && stop == end && !errno && value < UINT32_MAX;
}

#define NAME_BYTES_FIRST 16u /* too short for most, so that making it longer is no rare thing */
#define NAME_BYTES_MOST  (1u << 24) /* a group of a million members */

/* The number of a user or group. Returns 0, -ENOENT or -errno. */
static int look_up(const char *name, bool is_group, uint32_t *id)
{
  struct passwd user, *found_user = NULL;
  struct group group, *found_group = NULL;
  int code = ERANGE;
  for (size_t bytes = NAME_BYTES_FIRST; code == ERANGE && bytes <= NAME_BYTES_MOST; bytes *= 2) {
    char *text = malloc(bytes);
    if (!text)
      return -ENOMEM;
    code = is_group ? getgrnam_r(name, &group, text, bytes, &found_group)
                    : getpwnam_r(name, &user, text, bytes, &found_user);
    free(text);
  }
  if (found_group)
    *id = group.gr_gid;
  else if (found_user)
    *id = user.pw_uid;
  else
    return code && code != ESRCH ? -code : -ENOENT; /* as getpwnam_r(3) has it, either */
  return 0;
}

static int take_peer(struct policy_entry *entry, bool is_group, const char *value,
                     struct shunt_error *error)
{
  entry->is_group = is_group;
  entry->everybody = !strcmp(value, "*");
  if (entry->everybody || read_number(value, value + strlen(value), &entry->id))
    return 0;
  const int code = look_up(value, is_group, &entry->id);
  if (code == -ENOENT)
    return wrong(error, is_group ? "there is no group" : "there is no user", value,
                 "name one that is there, give its number, or * for everybody");
  if (code < 0) {
    error_set_errno(error, code, "can't look up %s %.64s", is_group ? "group" : "user", value);
    shunt_error_remedy(error, "give its number");
  }
  return code;
}

static int take_queues(struct policy_entry *entry, const char *value, struct shunt_error *error)
{
  const char *dash = strchr(value, '-'), *end = value + strlen(value);
  if (!read_number(value, dash ? dash : end, &entry->first_queue) ||
      !read_number(dash ? dash + 1 : value, end, &entry->last_queue) ||
      entry->last_queue < entry->first_queue)
    return wrong(error, "queues are not", value, "queues=0 or queues=0-3");
  return 0;
}

static int take_setup(struct policy_entry *entry, const char *value, struct shunt_error *error)
{
  static const char *const names[] = {"no", "offloads", "all"};
  for (unsigned i = 0; i < 3; i++)
    if (!strcmp(value, names[i])) {
      entry->setup = (enum policy_setup)i;
      return 0;
    }
  return wrong(error, "setup is not", value, "setup=no, setup=offloads or setup=all");
}

static int take_rules(struct policy_entry *entry, const char *value, struct shunt_error *error)
{
  int code = shunt_xdp_rules_parse(value, entry->rules, POLICY_RULES, &entry->rule_count, error);
  return code ? shunt_error_within(error, code, "can't read the helper's policy") : 0;
}

static int take_key(struct policy_entry *entry, const char *key, const char *value,
                    struct shunt_error *error)
{
  if (!strcmp(key, "user") || !strcmp(key, "group"))
    return take_peer(entry, key[0] == 'g', value, error);
  if (!strcmp(key, "queues"))
    return take_queues(entry, value, error);
  if (!strcmp(key, "setup"))
    return take_setup(entry, value, error);
  if (!strcmp(key, "rules"))
    return take_rules(entry, value, error);
  if (strcmp(key, "interface") != 0)
    return wrong(error, "there is no key", key, "user, group, interface, queues, setup, rules");
  if (!*value || strlen(value) >= sizeof(entry->interface))
    return wrong(error, "no interface can be called", value, "interface=eth0, or interface=*");
  snprintf(entry->interface, sizeof(entry->interface), "%s", value);
  return 0;
}

#define ENTRY_BYTES 2048

/* One entry, taken apart in place. */
static int take_entry(struct policy *policy, char *text, struct shunt_error *error)
{
  bool has_peer = false;
  char *at = text + strspn(text, " \t\r");
  struct policy_entry *entry = &policy->entries[policy->count];
  if (!*at)
    return 0;
  if (policy->count == POLICY_ENTRIES)
    return shunt_error_set(error, -E2BIG, "the helper's policy has more than %d entries",
                           POLICY_ENTRIES);
  *entry = (struct policy_entry){.last_queue = UINT32_MAX, .setup = POLICY_SETUP_OFFLOADS};
  while (*at) {
    char *value = strchr(at, '='), *next;
    size_t word = strcspn(at, " \t\r");
    if (!value || value > at + word)
      return wrong(error, "there is no = in", at, "user=NAME interface=NAME ...");
    *value++ = '\0';
    next = strcmp(at, "rules") ? value + strcspn(value, " \t\r") : value + strlen(value);
    if (*next)
      *next++ = '\0';
    int code = take_key(entry, at, value, error);
    if (code < 0)
      return code;
    has_peer |= !strcmp(at, "user") || !strcmp(at, "group");
    at = next + strspn(next, " \t\r");
  }
  if (!has_peer || !*entry->interface)
    return wrong(error, "an entry names", has_peer ? "no interface" : "no user or group",
                 "user=NAME interface=NAME ...");
  if (!entry->rule_count) {
    entry->rules[0] = (struct shunt_xdp_rule){.size = sizeof(struct shunt_xdp_rule)};
    entry->rule_count = 1;
  }
  policy->count++;
  return 0;
}

static int take_line(struct policy *policy, const char *line, size_t bytes,
                     struct shunt_error *error)
{
  char entry[ENTRY_BYTES];
  for (const char *end = line + bytes; line < end; line++) {
    const size_t length = strcspn(line, "|#\n");
    if (length >= sizeof(entry))
      return wrong(error, "an entry is too long:", line, "at most 2047 bytes");
    snprintf(entry, sizeof(entry), "%.*s", (int)length, line);
    int code = take_entry(policy, entry, error);
    if (code < 0)
      return code;
    line += length;
    if (*line == '#')
      break;
  }
  return 0;
}

int policy_parse(struct policy *policy, const char *source, const char *text,
                 struct shunt_error *error)
{
  const bool lines = strchr(text, '\n') != NULL;
  for (unsigned number = 1; *text; number++) {
    const size_t length = strcspn(text, "\n");
    const int code = take_line(policy, text, length, error);
    if (code < 0)
      return lines ? shunt_error_within(error, code, "%s, line %u", source, number)
                   : shunt_error_within(error, code, "%s", source);
    text += length + (text[length] != '\0');
  }
  return 0;
}

/* ---- Deciding ---- */

static bool is_peer(const struct policy_entry *entry, const struct policy_peer *peer)
{
  if (entry->everybody)
    return true;
  if (!entry->is_group)
    return entry->id == peer->user;
  for (unsigned i = 0; i < peer->group_count; i++)
    if (peer->groups[i] == entry->id)
      return true;
  return entry->id == peer->group;
}

const struct policy_entry *policy_find(const struct policy *policy, const struct policy_peer *peer,
                                       const char *interface, bool *served)
{
  *served = false;
  for (unsigned i = 0; i < policy->count; i++) {
    const struct policy_entry *entry = &policy->entries[i];
    if (!is_peer(entry, peer))
      continue;
    *served = true;
    if (!strcmp(entry->interface, "*") || !strcmp(entry->interface, interface))
      return entry;
  }
  return NULL;
}

static bool prefix_within(const struct shunt_xdp_prefix *inner,
                          const struct shunt_xdp_prefix *outer)
{
  unsigned whole = outer->bits / 8, rest = outer->bits % 8;
  if (inner->bits < outer->bits || memcmp(inner->address, outer->address, whole) != 0)
    return false;
  return !rest || !((inner->address[whole] ^ outer->address[whole]) >> (8 - rest));
}

static bool ports_within(const struct shunt_xdp_ports *inner, const struct shunt_xdp_ports *outer)
{
  if (!outer->count)
    return true;
  for (unsigned i = 0; i < inner->count; i++) {
    bool found = false;
    for (unsigned o = 0; o < outer->count; o++)
      found |= inner->range[i].first >= outer->range[o].first &&
               inner->range[i].last <= outer->range[o].last;
    if (!found)
      return false;
  }
  return inner->count > 0;
}

static bool mac_within(const struct shunt_xdp_rule *inner, const struct shunt_xdp_rule *outer)
{
  const bool group = shunt_mac_is_group(inner->mac_address);
  if (outer->mac == SHUNT_XDP_MAC_WHATEVER)
    return true;
  if (inner->mac == SHUNT_XDP_MAC_ADDRESS && outer->mac != SHUNT_XDP_MAC_ADDRESS)
    return group == (outer->mac == SHUNT_XDP_MAC_MULTICAST);
  return inner->mac == outer->mac && shunt_mac_equal(inner->mac_address, outer->mac_address);
}

static bool vlan_within(const struct shunt_xdp_rule *inner, const struct shunt_xdp_rule *outer)
{
  switch (outer->vlan) {
  case SHUNT_XDP_VLAN_WHATEVER:
    return true;
  case SHUNT_XDP_VLAN_ANY:
    return inner->vlan == SHUNT_XDP_VLAN_ANY || inner->vlan == SHUNT_XDP_VLAN_ID;
  default:
    return inner->vlan == outer->vlan && inner->vlan_id == outer->vlan_id;
  }
}

bool policy_rule_within(const struct shunt_xdp_rule *inner, const struct shunt_xdp_rule *outer)
{
  bool outer_ports = outer->source_ports.count || outer->destination_ports.count;
  bool inner_ports = inner->source_ports.count || inner->destination_ports.count;
  return mac_within(inner, outer) && vlan_within(inner, outer) &&
         (!outer->ethertype || inner->ethertype == outer->ethertype) &&
         (!outer->ip_version || inner->ip_version == outer->ip_version) &&
         (!outer->protocol || inner->protocol == outer->protocol) &&
         prefix_within(&inner->source, &outer->source) &&
         prefix_within(&inner->destination, &outer->destination) &&
         ports_within(&inner->source_ports, &outer->source_ports) &&
         ports_within(&inner->destination_ports, &outer->destination_ports) &&
         /* With "fragments" ports don't hold for fragments: the outer has to allow those, too. */
         (!(inner_ports && inner->fragments) || !outer_ports || outer->fragments);
}

bool policy_allows_rule(const struct policy_entry *entry, const struct shunt_xdp_rule *rule)
{
  for (unsigned i = 0; i < entry->rule_count; i++) {
    const struct shunt_xdp_rule *allowed = &entry->rules[i];
    bool action = allowed->action == rule->action ||
                  (allowed->action == SHUNT_XDP_USER && rule->action == SHUNT_XDP_PASS);
    if (action && policy_rule_within(rule, allowed))
      return true;
  }
  return false;
}
