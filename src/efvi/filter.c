/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of an interface: what is needed of the device so that their frames reach the interface's
 * queue. A mismatch filter takes what the interface's other filters don't, and so with them takes
 * all of its kind. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/xdp.h"
#include "src/efvi/efvi.h"

/* --- AF_XDP: rules, which take frames from the kernel -------------------------------------------
 */

static int rule_add(struct efvi_vi *vi, struct efvi_filter *filter, const char *text,
                    struct shunt_error *error)
{
  struct shunt_xdp_rule rule = {.size = sizeof(rule)};
  int result = shunt_xdp_rule_parse(text, &rule, error);
  if (!result)
    result = shunt_xdp_rule_add(vi->device->port, &rule, &filter->rules[filter->rule_count], error);
  if (!result)
    filter->rule_count++;
  return result;
}

/* The filter as a rule's text. MAC addresses are no condition of rules: what only they tell apart
 * would be taken from the kernel whole. Beside an EtherType the interface's own address goes
 * without saying. */
static int rule_text(const struct efvi_vi *vi, const struct efvi_match *match, char text[256],
                     struct shunt_error *error)
{
  char vlan[16] = "", to[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];
  const int family = match->fields & EFVI_MATCH_IP6 ? AF_INET6 : AF_INET;
  const bool own = memcmp(match->mac, vi->device->info.mac.bytes, 6) == 0;
  if (match->fields & EFVI_MATCH_MAC && !(own && match->fields & EFVI_MATCH_ETHERTYPE)) {
    shunt_error_set(error, -EOPNOTSUPP, "no filter of MAC addresses on AF_XDP");
    shunt_error_why(error, "its program would take every other station's frames from the kernel");
    shunt_error_remedy(error,
                       "filter by address and port or by EtherType, or ask for all (unicast_all)");
    return -EOPNOTSUPP;
  }
  if (match->fields & EFVI_MATCH_VLAN)
    snprintf(vlan, sizeof(vlan), "vlan %u ", match->vlan);
  if (match->fields & (EFVI_MATCH_IP4 | EFVI_MATCH_IP6)) {
    inet_ntop(family, match->destination, to, sizeof(to));
    inet_ntop(family, match->source, from, sizeof(from));
    int used =
        snprintf(text, 256, "%s%s %s dst %s dst port %u", vlan, family == AF_INET ? "ip4" : "ip6",
                 match->protocol == 6 ? "tcp" : "udp", to, ntohs(match->destination_port));
    if (match->fields & EFVI_MATCH_SOURCE)
      snprintf(text + used, 256 - (size_t)used, " src %s src port %u", from,
               ntohs(match->source_port));
  } else if (match->fields & EFVI_MATCH_ETHERTYPE)
    snprintf(text, 256, "%sether 0x%04x", vlan, ntohs(match->ethertype));
  else if (match->fields & EFVI_MATCH_PROTOCOL)
    snprintf(text, 256, "%sproto %u", vlan, match->protocol);
  else
    snprintf(text, 256, "%s%s", vlan, *vlan ? "" : "all");
  return 0;
}

static int xdp_add(struct efvi_vi *vi, struct efvi_filter *filter, struct shunt_error *error)
{
  char text[256];
  if (filter->match.fields == EFVI_MATCH_MULTICAST) {
    int result = rule_add(vi, filter, "ip4 dst multicast", error);
    return result ? result : rule_add(vi, filter, "ip6 dst multicast", error);
  }
  int result = rule_text(vi, &filter->match, text, error);
  return result ? result : rule_add(vi, filter, text, error);
}

/* --- Other devices: addresses, and the queue ----------------------------------------------------
 */

static int promiscuous_add(struct efvi_vi *vi, struct efvi_filter *filter,
                           struct shunt_error *error)
{
  struct efvi_device *device = vi->device;
  int result = device->promiscuous ? 0 : shunt_port_promiscuous(device->port, 1, error);
  if (result)
    return result;
  device->promiscuous++;
  filter->promiscuous = true;
  return 0;
}

static int group_add(struct efvi_vi *vi, struct efvi_filter *filter, struct shunt_error *error)
{
  int result = shunt_port_multicast_add(vi->device->port, &filter->group, error);
  filter->grouped = !result;
  return result;
}

/* The Ethernet group of an IP group (RFC 1112 6.4, RFC 2464 7); false: one station's address. */
static bool group_of(const struct efvi_match *match, struct shunt_mac *group)
{
  const uint8_t *ip = match->destination;
  if (match->fields & EFVI_MATCH_IP4 && ip[0] >> 4 == 14)
    *group = (struct shunt_mac){{0x01, 0x00, 0x5E, ip[1] & 0x7F, ip[2], ip[3]}};
  else if (match->fields & EFVI_MATCH_IP6 && ip[0] == 0xFF)
    *group = (struct shunt_mac){{0x33, 0x33, ip[12], ip[13], ip[14], ip[15]}};
  else if (match->fields & EFVI_MATCH_MAC && match->mac[0] & 1)
    memcpy(group->bytes, match->mac, sizeof(group->bytes));
  else
    return false;
  return true;
}

/* Have the port accept what the filter asks for. */
static int accept_addresses(struct efvi_vi *vi, struct efvi_filter *filter,
                            struct shunt_error *error)
{
  static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
  const struct efvi_match *match = &filter->match;
  const bool own = memcmp(match->mac, vi->device->info.mac.bytes, 6) == 0 ||
                   memcmp(match->mac, broadcast, 6) == 0;
  if (match->fields & EFVI_MATCH_MAC && own)
    return 0;
  if (group_of(match, &filter->group))
    return group_add(vi, filter, error);
  return match->fields & (EFVI_MATCH_MAC | EFVI_MATCH_UNICAST | EFVI_MATCH_MULTICAST)
             ? promiscuous_add(vi, filter, error)
             : 0;
}

/* Queue 0 gets what nothing steers; the others what the 82599's five-tuple filters can express. */
static int steer(struct efvi_vi *vi, struct efvi_filter *filter, struct shunt_error *error)
{
  const struct efvi_match *match = &filter->match;
  if (vi->device->info.queues == 1)
    return 0;
  if (!(match->fields & EFVI_MATCH_IP4)) {
    if (vi->queue->index == 0)
      return 0;
    shunt_error_set(error, -EOPNOTSUPP, "no such filter on queue %u of %s", vi->queue->index,
                    vi->device->name);
    shunt_error_why(error, "the device steers by IPv4 address and port; the rest goes to queue 0");
    shunt_error_remedy(error, "add it to the interface that was made first");
    return -EOPNOTSUPP;
  }
  struct shunt_filter wanted = {.size = sizeof(wanted),
                                .kind = SHUNT_FILTER_FIVE_TUPLE,
                                .destination_ip = shunt_load_be32(match->destination),
                                .destination_port = ntohs(match->destination_port),
                                .source_ip = shunt_load_be32(match->source),
                                .source_port = ntohs(match->source_port),
                                .protocol = match->protocol,
                                .queue = (uint16_t)vi->queue->index};
  int result = shunt_port_filter_add(vi->device->port, &wanted, &filter->steering, error);
  filter->steered = !result;
  return result;
}

/* --- Both --------------------------------------------------------------------------------------
 */

static void filter_remove(struct efvi_vi *vi, struct efvi_filter *filter)
{
  struct efvi_device *device = vi->device;
  for (unsigned i = 0; i < filter->rule_count; i++)
    (void)shunt_xdp_rule_remove(device->port, filter->rules[i], NULL);
  if (filter->steered)
    (void)shunt_port_filter_remove(device->port, filter->steering, NULL);
  if (filter->grouped)
    (void)shunt_port_multicast_remove(device->port, &filter->group, NULL);
  if (filter->promiscuous && --device->promiscuous == 0)
    (void)shunt_port_promiscuous(device->port, 0, NULL);
  vi->filter_count -= filter->used;
  *filter = (struct efvi_filter){0};
}

void efvi_filters_clear(struct efvi_vi *vi)
{
  for (unsigned i = 0; i < EFVI_FILTERS; i++)
    if (vi->filters[i].used)
      filter_remove(vi, &vi->filters[i]);
}

static int filter_find_free(const struct efvi_vi *vi, const struct efvi_match *match,
                            struct shunt_error *error)
{
  int unused = -1;
  for (int i = (int)EFVI_FILTERS - 1; i >= 0; i--) {
    if (!vi->filters[i].used)
      unused = i;
    else if (memcmp(&vi->filters[i].match, match, sizeof(*match)) == 0)
      return shunt_error_set(error, -EEXIST, "the interface has that filter already");
  }
  return unused >= 0
             ? unused
             : shunt_error_set(error, -ENOSPC, "an interface has at most %u filters", EFVI_FILTERS);
}

static int filter_add(struct efvi_vi *vi, const ef_filter_spec *spec, struct shunt_error *error)
{
  struct efvi_match match;
  int result = efvi_match_read(spec, &match, error);
  if (result)
    return result;
  int index = filter_find_free(vi, &match, error);
  if (index < 0)
    return index;
  struct efvi_filter *filter = &vi->filters[index];
  filter->match = match;
  filter->type = (int)spec->type;
  result = vi->device->is_xdp ? xdp_add(vi, filter, error) : accept_addresses(vi, filter, error);
  if (!result && !vi->device->is_xdp)
    result = steer(vi, filter, error);
  if (result) {
    filter_remove(vi, filter);
    return result;
  }
  filter->used = true;
  vi->filter_count++;
  return index;
}

int ef_vi_filter_add(ef_vi *vi, ef_driver_handle vi_dh, const ef_filter_spec *filter_spec,
                     ef_filter_cookie *filter_cookie_out)
{
  struct shunt_error error = {0};
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  if (!own || !filter_spec || !vi->vi_rxq.mask)
    return efvi_refuse(-EINVAL, "no filter, or no interface that receives");
  efvi_lock();
  int index = filter_add(own, filter_spec, &error);
  efvi_unlock();
  if (index < 0)
    return efvi_fail(&error);
  if (filter_cookie_out)
    *filter_cookie_out =
        (ef_filter_cookie){.filter_id = index, .filter_type = (int)filter_spec->type};
  return 0;
}

static struct efvi_filter *filter_of(struct efvi_vi *vi, const ef_filter_cookie *cookie)
{
  if (cookie->filter_id < 0 || cookie->filter_id >= (int)EFVI_FILTERS)
    return NULL;
  struct efvi_filter *filter = &vi->filters[cookie->filter_id];
  return filter->used && filter->type == cookie->filter_type ? filter : NULL;
}

int ef_vi_filter_del(ef_vi *vi, ef_driver_handle vi_dh, ef_filter_cookie *filter_cookie)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  if (!own || !filter_cookie)
    return efvi_refuse(-EINVAL, "no interface, or no filter");
  efvi_lock();
  struct efvi_filter *filter = filter_of(own, filter_cookie);
  int result = filter ? 0 : efvi_refuse(-ENOENT, "no filter %d", filter_cookie->filter_id);
  if (filter)
    filter_remove(own, filter);
  efvi_unlock();
  return result;
}

int ef_vi_filter_query(ef_vi *vi, ef_driver_handle vi_dh, const ef_filter_cookie *filter_cookie,
                       ef_filter_info *filter_info, size_t filter_info_size)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  if (!own || !filter_cookie || !filter_info || filter_info_size != sizeof(*filter_info))
    return efvi_refuse(-EINVAL, "no interface, no filter, or an answer of %zu bytes",
                       filter_info_size);
  efvi_lock();
  bool known = filter_of(own, filter_cookie) != NULL;
  efvi_unlock();
  if (!known)
    return efvi_refuse(-ENOENT, "no filter %d", filter_cookie->filter_id);
  *filter_info = (ef_filter_info){.valid_fields = EF_FILTER_FIELD_ID | EF_FILTER_FIELD_QUEUE,
                                  .filter_id = (unsigned)filter_cookie->filter_id,
                                  .q_id = own->queue->index};
  return 0;
}
