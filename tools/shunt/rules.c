/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/rules.h"

#include <stdio.h>

#include "shunt/xdp.h"

#define SHOWN 16

static struct json_object *rule_json(struct shunt_port *port, uint32_t id,
                                     const struct shunt_xdp_rule *rule)
{
  struct json_object *object = json_object_new_object();
  char text[SHUNT_XDP_RULE_TEXT_BYTES];
  uint64_t packets, bytes;
  const bool known = !shunt_xdp_rule_hits(port, id, &packets, &bytes, NULL);
  shunt_xdp_rule_format(rule, text, sizeof(text));
  cli_add_u64(object, "id", id);
  cli_add_text(object, "rule", text);
  json_object_object_add(object, "packets", known ? json_object_new_uint64(packets) : NULL);
  json_object_object_add(object, "bytes", known ? json_object_new_uint64(bytes) : NULL);
  return object;
}

struct json_object *rules_json(struct shunt_port *port)
{
  struct json_object *array = NULL;
  struct shunt_xdp_rule rule;
  uint32_t id;
  for (unsigned place = 0; !shunt_xdp_rule_at(port, place, &id, &rule, NULL); place++) {
    array = array ? array : json_object_new_array();
    json_object_array_add(array, rule_json(port, id, &rule));
  }
  return array;
}

static struct json_object *member(struct json_object *rule, const char *key)
{
  return json_object_object_get(rule, key);
}

static bool matches(struct json_object *rule)
{
  return json_object_get_uint64(member(rule, "packets")) > 0;
}

static void print_rule(struct json_object *rule, const char *port)
{
  char name[64];
  struct json_object *packets = member(rule, "packets");
  snprintf(name, sizeof(name), "%s%srule %llu", port, *port ? " " : "",
           (unsigned long long)json_object_get_uint64(member(rule, "id")));
  if (packets)
    printf("  %-22s %12llu  %s\n", name, (unsigned long long)json_object_get_uint64(packets),
           json_object_get_string(member(rule, "rule")));
  else
    printf("  %-22s %12s  %s\n", name, "not known", json_object_get_string(member(rule, "rule")));
}

void rules_print(struct json_object *rules, const char *port)
{
  const size_t count = rules ? json_object_array_length(rules) : 0;
  bool matched = false;
  size_t shown = 0;
  for (size_t i = 0; i < count; i++)
    matched |= matches(json_object_array_get_idx(rules, i));
  for (size_t i = 0; i < count && shown < SHOWN; i++) {
    struct json_object *rule = json_object_array_get_idx(rules, i);
    if (count > SHOWN && matched && !matches(rule))
      continue;
    print_rule(rule, port);
    shown++;
  }
  if (shown < count)
    printf("  %s%s%zu more rules are not shown here; --json has all\n", port, *port ? ": " : "",
           count - shown);
}
