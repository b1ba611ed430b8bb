/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/groups.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/ipv4.h"
#include "shunt/multicast.h"

/* ---- The option ---- */

/* Frames to a group of IPv6 go to 33:33 and the last four bytes of its address (RFC 2464 7). */
static struct shunt_mac ipv6_mac(const struct in6_addr *address)
{
  struct shunt_mac mac = {.bytes = {0x33, 0x33}};
  memcpy(mac.bytes + 2, address->s6_addr + 12, 4);
  return mac;
}

static bool read_group(const char *text, struct group *group)
{
  struct in_addr v4;
  struct in6_addr v6;
  if (inet_pton(AF_INET, text, &v4) == 1 && IN_MULTICAST(ntohl(v4.s_addr))) {
    group->mac = shunt_ipv4_multicast_mac(ntohl(v4.s_addr));
    return inet_ntop(AF_INET, &v4, group->text, sizeof(group->text)) != NULL;
  }
  if (inet_pton(AF_INET6, text, &v6) != 1 || !IN6_IS_ADDR_MULTICAST(&v6))
    return false;
  group->is_ipv6 = true;
  group->mac = ipv6_mac(&v6);
  return inet_ntop(AF_INET6, &v6, group->text, sizeof(group->text)) != NULL;
}

int groups_check(struct groups *groups, const struct cli *cli)
{
  char word[64];
  for (const char *at = groups->text, *next; at; at = next) {
    const size_t length = strcspn(at, ",");
    next = at[length] ? at + length + 1 : NULL;
    if (groups->count == GROUPS_MOST)
      return cli_usage(cli, "--group: more than %d groups", GROUPS_MOST);
    snprintf(word, sizeof(word), "%.*s", length < sizeof(word) ? (int)length : 0, at);
    if (!read_group(word, &groups->group[groups->count]))
      return cli_usage(cli, "--group: \"%.*s\" is no group such as 239.1.1.1 or ff3e::8000:1",
                       (int)length, at);
    groups->count++;
  }
  return CLI_OK;
}

/* ---- The device's name ---- */

/* Where the value of a key stands in a device's name, or NULL. */
static const char *value_of(const char *name, const char *key)
{
  const size_t length = strlen(key);
  for (const char *at = strchr(name, '?'); at; at = strchr(at + 1, '&'))
    if (!strncmp(at + 1, key, length) && at[1 + length] == '=')
      return at + length + 2;
  return NULL;
}

/* The rules that leave the switch's queries to the kernel, of both families where there are
 * both. */
static const char *query_rules(const struct groups *groups)
{
  bool families[2] = {false, false};
  for (unsigned i = 0; i < groups->count; i++)
    families[groups->group[i].is_ipv6] = true;
  return families[0] && families[1] ? "pass igmp;pass icmp6"
         : families[1]              ? "pass icmp6"
                                    : "pass igmp";
}

const char *groups_device(struct groups *groups, const struct cli *cli, const char *argument)
{
  const char *name = cli_device(cli, argument), *join = value_of(name, "join"),
             *rules = value_of(name, "rules");
  if (!groups->count || strncmp(name, "xdp:", 4) != 0 || (join && *join != '0'))
    return name;
  /* Without rules all is ours, which has to be said once there is one. */
  const bool none = !rules || !*rules || *rules == '&';
  const char *others = none && !value_of(name, "rules_file") ? ";all" : none ? "" : ";";
  int length = rules ? asprintf(&groups->name, "%.*s%s%s%s", (int)(rules - name), name,
                                query_rules(groups), others, rules)
                     : asprintf(&groups->name, "%s%crules=%s%s", name,
                                strchr(name, '?') ? '&' : '?', query_rules(groups), others);
  if (length >= 0)
    return groups->name;
  groups->name = NULL;
  return name;
}

/* ---- Joining ---- */

/* A card that the kernel does not have. */
static int join_on_card(const struct groups *groups, const struct cli *cli, struct shunt_port *port,
                        struct shunt_error *error)
{
  shunt_error_remedy(error, "have the switch send the groups here without being asked");
  shunt_log_error(&cli->log, SHUNT_LOG_WARNING, error);
  int code = 0;
  for (unsigned i = 0; !code && i < groups->count; i++)
    code = shunt_port_multicast_add(port, &groups->group[i].mac, error);
  return code;
}

int groups_join(struct groups *groups, const struct cli *cli, struct shunt_port *port,
                const char *name)
{
  struct shunt_error error = {0};
  if (!groups->count)
    return CLI_OK;
  int code = shunt_multicast_open(name, &groups->multicast, &error);
  if (code == -EOPNOTSUPP)
    code = join_on_card(groups, cli, port, &error);
  for (unsigned i = 0; !code && groups->multicast && i < groups->count; i++)
    code = shunt_multicast_join(groups->multicast, groups->group[i].text, NULL, &error);
  return code ? cli_fail(cli, &error) : CLI_OK;
}

void groups_print(const struct groups *groups)
{
  for (unsigned i = 0; i < groups->count; i++)
    printf("  group      %s, %s\n", groups->group[i].text,
           groups->multicast ? "joined by the kernel" : "received, but reported to no switch");
}

void groups_json(const struct groups *groups, struct json_object *document)
{
  if (!groups->count)
    return;
  struct json_object *array = json_object_new_array();
  for (unsigned i = 0; i < groups->count; i++)
    json_object_array_add(array, json_object_new_string(groups->group[i].text));
  json_object_object_add(document, "groups", array);
}

void groups_close(struct groups *groups)
{
  shunt_multicast_close(groups->multicast);
  groups->multicast = NULL;
  free(groups->name);
  groups->name = NULL;
}
