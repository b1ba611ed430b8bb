/* SPDX-License-Identifier: BSD-2-Clause */
/* What one device grants: opened, asked, and closed again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/clock.h"
#include "shunt/port.h"
#include "tools/shunt/info.h"
#include "tools/shunt/rules.h"

/* ---- The link ---- */

/* A link takes its time to come up, on silicon some seconds. */
static int wait_for_link(struct shunt_port *port, double wait_seconds, struct shunt_link *link,
                         struct shunt_error *error)
{
  const struct shunt_clock *clock = shunt_clock_real();
  uint64_t end_ns = shunt_clock_now_ns(clock) + (uint64_t)(wait_seconds * 1e9);
  for (;;) {
    int code = shunt_port_link(port, link, error);
    if (code < 0 || link->up || shunt_clock_now_ns(clock) >= end_ns || cli_stopped())
      return code;
    shunt_port_step(port);
    shunt_clock_sleep_ns(clock, 10000000);
  }
}

/* ---- What it can be asked to do ---- */

struct ability {
  const char *name, *meaning;
  bool can;
  char why_not[SHUNT_ERROR_TEXT_BYTES];
};

static bool try_filter(struct shunt_port *port, enum shunt_filter_kind kind,
                       struct shunt_error *error)
{
  uint32_t id;
  /* An address of RFC 5737, so that nothing real is steered while the port is open. */
  struct shunt_filter filter = {.size = sizeof(filter),
                                .kind = kind,
                                .source_ip = 0xC0000201,
                                .destination_ip = 0xC0000202,
                                .source_port = 9,
                                .destination_port = 9,
                                .protocol = 17};
  if (shunt_port_filter_add(port, &filter, &id, error))
    return false;
  return shunt_port_filter_remove(port, id, error) == 0;
}

static bool try_groups(struct shunt_port *port, struct shunt_error *error)
{
  const struct shunt_mac group = {.bytes = {0x01, 0x00, 0x5E, 0x00, 0x00, 0xFB}};
  return shunt_port_multicast_add(port, &group, error) == 0 &&
         shunt_port_multicast_remove(port, &group, error) == 0;
}

static bool try_vlan(struct shunt_port *port, struct shunt_error *error)
{
  return shunt_port_vlan_add(port, 1, error) == 0 && shunt_port_vlan_remove(port, 1, error) == 0;
}

/* A kernel's interface has a clock that stamps frames where its driver lets programs ask for it,
 * which is known once it was asked; that clock can't be read through the port. */
static bool try_clock(struct shunt_port *port, struct shunt_error *error)
{
  struct shunt_xdp_info xdp = {.size = sizeof(xdp)};
  uint64_t time_ns;
  if (shunt_xdp_info(port, &xdp, NULL))
    return shunt_port_time(port, &time_ns, error) == 0;
  if (xdp.rx_time == SHUNT_XDP_TIME_NONE)
    shunt_error_why(error, "opened without time stamps: add rx_time=1 to the name");
  else if (xdp.rx_time != SHUNT_XDP_TIME_DEVICE)
    shunt_error_why(error, "frames are stamped by the kernel's clock (CLOCK_MONOTONIC)");
  return xdp.rx_time == SHUNT_XDP_TIME_DEVICE;
}

enum { RSS, FIVE_TUPLE, PERFECT, MULTICAST, VLAN, CLOCK, INTERRUPTS, ABILITIES };

/* Nothing is taken from a table of what should be: each is tried on the device and undone. */
static void try_all(struct shunt_port *port, const struct shunt_port_info *info,
                    struct shunt_rss *rss, struct ability abilities[ABILITIES])
{
  static const char *const names[ABILITIES][2] = {
      {"rss", "spread over queues by hash"},
      {"filter_five_tuple", "steer by addresses and ports, each exact or any"},
      {"filter_perfect", "steer by perfect match (flow director)"},
      {"multicast_filter", "receive chosen groups"},
      {"vlan_filter", "receive chosen VLANs"},
      {"clock", "a clock of its own, which stamps frames"},
      {"interrupts", "queues that can sleep"},
  };
  struct shunt_error error;
  for (unsigned i = 0; i < ABILITIES; i++) {
    memset(&error, 0, sizeof(error));
    struct ability *ability = &abilities[i];
    *ability = (struct ability){.name = names[i][0], .meaning = names[i][1]};
    switch (i) {
    case RSS:
      ability->can = shunt_port_rss_get(port, rss, &error) == 0;
      break;
    case FIVE_TUPLE:
    case PERFECT:
      ability->can =
          try_filter(port, i == PERFECT ? SHUNT_FILTER_PERFECT : SHUNT_FILTER_FIVE_TUPLE, &error);
      break;
    case MULTICAST:
      ability->can = try_groups(port, &error);
      break;
    case VLAN:
      ability->can = try_vlan(port, &error);
      break;
    case CLOCK:
      ability->can = try_clock(port, &error);
      break;
    default:
      ability->can = info->interrupts;
      shunt_error_why(&error, "opened without: add interrupts=1 to the name");
    }
    if (!ability->can)
      snprintf(ability->why_not, sizeof(ability->why_not), "%s", error.why);
  }
}

/* ---- RSS ---- */

static const char *const rss_fields[] = {"ipv4", "tcp-ipv4", "udp-ipv4",
                                         "ipv6", "tcp-ipv6", "udp-ipv6"};

static void rss_text(const struct shunt_rss *rss, char *text, size_t bytes)
{
  size_t used = 0;
  text[0] = '\0';
  for (unsigned i = 0; i < 6; i++)
    if (rss->fields >> i & 1 && used < bytes)
      used += (size_t)snprintf(text + used, bytes - used, "%s%s", used ? " " : "", rss_fields[i]);
}

static void key_text(const struct shunt_rss *rss, char text[2 * SHUNT_RSS_KEY_BYTES + 1])
{
  for (unsigned i = 0; i < SHUNT_RSS_KEY_BYTES; i++)
    snprintf(text + 2 * i, 3, "%02x", rss->key[i]);
}

/* ---- What was seen ---- */

struct seen {
  struct shunt_port_info info;
  struct shunt_link link;
  struct shunt_rss rss;
  struct ability abilities[ABILITIES];
  struct shunt_statistic *statistics;
  unsigned statistics_count;
  const struct shunt_region *region;
  struct shunt_xdp_info xdp;
  bool is_xdp;
  struct json_object *rules; /* NULL: none */
  char mac[SHUNT_MAC_TEXT_BYTES];
};

static void read_statistics(struct shunt_port *port, struct seen *seen)
{
  unsigned count = shunt_port_statistics(port, NULL, 0);
  seen->statistics = calloc(count ? count : 1, sizeof(*seen->statistics));
  if (!seen->statistics)
    return;
  unsigned there = shunt_port_statistics(port, seen->statistics, count);
  seen->statistics_count = there < count ? there : count;
}

static int look(struct shunt_port *port, double wait_seconds, struct seen *seen,
                struct shunt_error *error)
{
  *seen = (struct seen){.info = {.size = sizeof(seen->info)},
                        .link = {.size = sizeof(seen->link)},
                        .rss = {.size = sizeof(seen->rss)}};
  shunt_port_info(port, &seen->info);
  shunt_mac_format(seen->info.mac, seen->mac);
  int code = wait_for_link(port, wait_seconds, &seen->link, error);
  if (code < 0)
    return code;
  try_all(port, &seen->info, &seen->rss, seen->abilities);
  read_statistics(port, seen);
  seen->region = shunt_port_region(port);
  seen->xdp.size = sizeof(seen->xdp);
  seen->is_xdp = shunt_xdp_info(port, &seen->xdp, NULL) == 0;
  seen->rules = rules_json(port);
  return 0;
}

static void print_port(const struct seen *seen)
{
  const struct shunt_port_info *info = &seen->info;
  printf("%s\n", info->name);
  printf("  device       %s\n", info->device);
  printf("  reached by   %s%s\n", info->path,
         info->model ? " (model: its figures are not hardware figures)" : "");
  printf("  MAC          %s\n", seen->mac);
  printf("  queues       %u of %u\n", info->queues, info->max_queues);
  printf("  rings        receive %u, send %u descriptors\n", info->rx_ring, info->tx_ring);
  printf("  MTU          %u; a received piece has up to %u bytes\n", info->mtu, info->rx_buf_bytes);
  if (info->numa_node >= 0)
    printf("  NUMA node    %d\n", info->numa_node);
  printf("  memory       %s\n", shunt_region_describe(seen->region));
  if (seen->link.up)
    printf("  link         up, %u Mb/s, %s\n", seen->link.speed_mbps, seen->link.media);
  else
    printf("  link         down, %s: %s\n", seen->link.media, seen->link.diagnosis);
  if (*seen->link.module)
    printf("  module       %s\n", seen->link.module);
}

static void print_text(const struct seen *seen)
{
  char text[96];
  print_port(seen);
  if (seen->is_xdp)
    info_xdp_print(&seen->xdp);
  if (seen->rules)
    printf("  rules, and what each has matched: %zu\n", json_object_array_length(seen->rules));
  rules_print(seen->rules, "");
  puts("  can do");
  for (unsigned i = 0; i < ABILITIES; i++) {
    const struct ability *ability = &seen->abilities[i];
    printf("    %-18s %s: %s%s%s\n", ability->name, ability->can ? "yes" : "no", ability->meaning,
           ability->can ? "" : "; ", ability->why_not);
  }
  if (seen->abilities[RSS].can) {
    char key[2 * SHUNT_RSS_KEY_BYTES + 1];
    rss_text(&seen->rss, text, sizeof(text));
    key_text(&seen->rss, key);
    printf("  RSS          %s\n  RSS key      %s\n", *text ? text : "hashes nothing", key);
  }
  puts("  statistics other than 0");
  unsigned shown = 0;
  for (unsigned i = 0; i < seen->statistics_count; i++) {
    if (!seen->statistics[i].value)
      continue;
    printf("  ");
    cli_print_count(seen->statistics[i].name, seen->statistics[i].value);
    shown++;
  }
  if (!shown)
    puts("    none");
}

static struct json_object *link_json(const struct shunt_link *link)
{
  struct json_object *object = json_object_new_object();
  cli_add_bool(object, "up", link->up);
  cli_add_u64(object, "speed_mbps", link->speed_mbps);
  cli_add_text(object, "media", link->media);
  cli_add_text(object, "module", *link->module ? link->module : NULL);
  cli_add_text(object, "diagnosis", *link->diagnosis ? link->diagnosis : NULL);
  return object;
}

static struct json_object *rss_json(const struct shunt_rss *rss)
{
  char fields[96], key[2 * SHUNT_RSS_KEY_BYTES + 1];
  struct json_object *object = json_object_new_object(), *table = json_object_new_array();
  rss_text(rss, fields, sizeof(fields));
  key_text(rss, key);
  cli_add_text(object, "fields", fields);
  cli_add_text(object, "key", key);
  for (unsigned i = 0; i < sizeof(rss->table); i++)
    json_object_array_add(table, json_object_new_int(rss->table[i]));
  json_object_object_add(object, "table", table);
  return object;
}

static struct json_object *port_json(const struct seen *seen)
{
  const struct shunt_port_info *info = &seen->info;
  struct json_object *document = json_object_new_object();
  cli_add_text(document, "name", info->name);
  cli_add_text(document, "driver", info->driver);
  cli_add_text(document, "device", info->device);
  cli_add_text(document, "path", info->path);
  cli_add_bool(document, "model", info->model);
  cli_add_text(document, "mac", seen->mac);
  cli_add_u64(document, "queues", info->queues);
  cli_add_u64(document, "max_queues", info->max_queues);
  cli_add_u64(document, "rx_ring", info->rx_ring);
  cli_add_u64(document, "tx_ring", info->tx_ring);
  cli_add_u64(document, "mtu", info->mtu);
  cli_add_u64(document, "rx_buf_bytes", info->rx_buf_bytes);
  json_object_object_add(document, "numa_node", json_object_new_int(info->numa_node));
  cli_add_text(document, "memory", shunt_region_describe(seen->region));
  cli_add_u64(document, "page_bytes", shunt_region_page_bytes(seen->region));
  return document;
}

static struct json_object *seen_json(const struct seen *seen)
{
  struct json_object *document = port_json(seen), *can = json_object_new_object(),
                     *statistics = json_object_new_object();
  json_object_object_add(document, "link", link_json(&seen->link));
  if (seen->is_xdp)
    json_object_object_add(document, "xdp", info_xdp_json(&seen->xdp));
  if (seen->rules)
    json_object_object_add(document, "rules", json_object_get(seen->rules));
  for (unsigned i = 0; i < ABILITIES; i++)
    cli_add_bool(can, seen->abilities[i].name, seen->abilities[i].can);
  json_object_object_add(document, "can", can);
  json_object_object_add(document, "rss", seen->abilities[RSS].can ? rss_json(&seen->rss) : NULL);
  for (unsigned i = 0; i < seen->statistics_count; i++)
    if (seen->statistics[i].value)
      cli_add_u64(statistics, seen->statistics[i].name, seen->statistics[i].value);
  json_object_object_add(document, "statistics", statistics);
  return document;
}

int info_port(struct cli *cli, const char *name, double wait_seconds)
{
  struct shunt_port_options options = {.size = sizeof(options), .log = &cli->log};
  struct shunt_port *port;
  struct shunt_error error;
  struct seen seen = {.rules = NULL};
  if (shunt_port_open(name, &options, &port, &error))
    return cli_fail(cli, &error);
  cli_catch_signals();
  int code = look(port, wait_seconds, &seen, &error);
  int exit = code < 0 ? cli_fail(cli, &error) : CLI_OK;
  if (code == 0 && cli->json)
    cli_json(seen_json(&seen), exit);
  else if (code == 0)
    print_text(&seen);
  if (code == 0)
    free(seen.statistics);
  json_object_put(seen.rules);
  shunt_port_close(port);
  return exit;
}
