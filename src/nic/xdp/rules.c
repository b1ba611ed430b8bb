/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of a port: those of its name, and those that come and go while traffic flows. What is
 * kept here is a copy of the program's list, so that a person can be told what counts what. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/nic/xdp/xdp.h"

/* ---- The list ---- */

void xdp_rules_free(struct xdp_rules *rules)
{
  free(rules->list);
  free(rules->ids);
  *rules = (struct xdp_rules){0};
}

/* Room for so many in all. */
static int reserve(struct xdp_rules *rules, unsigned n, struct shunt_error *error)
{
  struct shunt_xdp_rule *list = realloc(rules->list, (n + 1) * sizeof(*list));
  if (list)
    rules->list = list;
  uint32_t *ids = realloc(rules->ids, (n + 1) * sizeof(*ids));
  if (ids)
    rules->ids = ids;
  return list && ids ? 0 : error_set_errno(error, -ENOMEM, "no memory for %u rules", n);
}

static unsigned find(const struct xdp_rules *rules, uint32_t id)
{
  unsigned place = 0;
  while (place < rules->count && rules->ids[place] != id)
    place++;
  return place;
}

static void forget(struct xdp_rules *rules, uint32_t id)
{
  const unsigned place = find(rules, id);
  if (place == rules->count) /* twice among those removed, and a helper did not mind */
    return;
  const unsigned behind = rules->count - place - 1;
  memmove(&rules->list[place], &rules->list[place + 1], behind * sizeof(*rules->list));
  memmove(&rules->ids[place], &rules->ids[place + 1], behind * sizeof(*rules->ids));
  rules->count--;
}

/* ---- Of the name ---- */

static int joined(struct shunt_error *error)
{
  shunt_error_set(error, -EINVAL, "rules and join exclude each other");
  shunt_error_why(error, "a program that is joined has rules of its own");
  shunt_error_remedy(error, "leave one of the two");
  return -EINVAL;
}

static int read_rules(const char *text, const char *path, struct xdp_rules *rules,
                      struct shunt_error *error)
{
  unsigned of_name = 0, of_file = 0;
  int result = reserve(rules, SHUNT_XDP_RULES_MOST, error);
  if (!result && text)
    result = shunt_xdp_rules_parse(text, rules->list, SHUNT_XDP_RULES_MOST, &of_name, error);
  if (!result && path)
    result = shunt_xdp_rules_read(path, rules->list + of_name, SHUNT_XDP_RULES_MOST - of_name,
                                  &of_file, error);
  if (result)
    return result;
  rules->count = of_name + of_file;
  for (unsigned i = 0; i < rules->count; i++)
    rules->ids[i] = i;
  return reserve(rules, rules->count, error);
}

int xdp_rules_take(struct params *params, bool join, struct xdp_rules *rules,
                   struct shunt_error *error)
{
  const char *text = params_take(params, "rules"), *path = params_take(params, "rules_file");
  *rules = (struct xdp_rules){0};
  if (!text && !path)
    return 0;
  int result = join ? joined(error) : read_rules(text, path, rules, error);
  if (result)
    xdp_rules_free(rules);
  return result;
}

/* ---- While traffic flows ---- */

int shunt_xdp_rules_add(struct shunt_port *port, const struct shunt_xdp_rule rules[], unsigned n,
                        uint32_t ids[], struct shunt_error *error)
{
  struct xdp *xdp = xdp_of_port(port, error);
  if (!xdp)
    return -EINVAL;
  struct xdp_rules *there = &xdp->wanted.rules;
  /* More than there can be are for the filter to refuse, which says why. */
  int result = n > SHUNT_XDP_RULES_MOST ? 0 : reserve(there, there->count + n, error);
  result = result ? result : xdp->access->ops->rules_add(xdp->access, rules, n, ids, error);
  if (result || n == 0)
    return result;
  memcpy(&there->list[there->count], rules, n * sizeof(*rules));
  memcpy(&there->ids[there->count], ids, n * sizeof(*ids));
  there->count += n;
  return 0;
}

/* Only the port's own: a filter without rules has one of its own, "all", which stays. */
int shunt_xdp_rules_remove(struct shunt_port *port, const uint32_t ids[], unsigned n,
                           struct shunt_error *error)
{
  struct xdp *xdp = xdp_of_port(port, error);
  if (!xdp)
    return -EINVAL;
  for (unsigned i = 0; i < n; i++)
    if (find(&xdp->wanted.rules, ids[i]) == xdp->wanted.rules.count)
      return shunt_error_set(error, -ENOENT, "%s has no rule %u", port->name, ids[i]);
  int result = xdp->access->ops->rules_remove(xdp->access, ids, n, error);
  for (unsigned i = 0; !result && i < n; i++)
    forget(&xdp->wanted.rules, ids[i]);
  return result;
}

int shunt_xdp_rule_add(struct shunt_port *port, const struct shunt_xdp_rule *rule, uint32_t *id,
                       struct shunt_error *error)
{
  return shunt_xdp_rules_add(port, rule, 1, id, error);
}

int shunt_xdp_rule_remove(struct shunt_port *port, uint32_t id, struct shunt_error *error)
{
  return shunt_xdp_rules_remove(port, &id, 1, error);
}

int shunt_xdp_rule_at(struct shunt_port *port, unsigned place, uint32_t *id,
                      struct shunt_xdp_rule *rule, struct shunt_error *error)
{
  const struct xdp *xdp = xdp_of_port(port, error);
  if (!xdp)
    return -EINVAL;
  const struct xdp_rules *there = &xdp->wanted.rules;
  if (place >= there->count)
    return shunt_error_set(error, -ENOENT, "%s has %u rules", port->name, there->count);
  *id = there->ids[place];
  *rule = there->list[place];
  return 0;
}

/* ---- Hits ---- */

int shunt_xdp_rule_hits(struct shunt_port *port, uint32_t id, uint64_t *packets, uint64_t *bytes,
                        struct shunt_error *error)
{
  struct xdp *xdp = xdp_of_port(port, error);
  return xdp ? xdp->access->ops->rule_hits(xdp->access, id, packets, bytes, error) : -EINVAL;
}

unsigned xdp_rules_statistics(struct xdp *xdp, struct shunt_statistic statistics[], unsigned n)
{
  const struct xdp_rules *rules = &xdp->wanted.rules;
  for (unsigned i = 0; i < rules->count && 2 * i < n; i++) {
    struct shunt_statistic *packets = &statistics[2 * i], *bytes = packets + 1;
    uint64_t hits[2] = {0};
    xdp->access->ops->rule_hits(xdp->access, rules->ids[i], &hits[0], &hits[1], NULL);
    snprintf(packets->name, sizeof(packets->name), "rule_%u_packets", rules->ids[i]);
    packets->value = hits[0];
    if (2 * i + 1 == n)
      break;
    snprintf(bytes->name, sizeof(bytes->name), "rule_%u_bytes", rules->ids[i]);
    bytes->value = hits[1];
  }
  return 2 * rules->count;
}
