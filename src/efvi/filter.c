/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of an interface or a set: what is needed of the device so that their frames reach its
 * queue, or its queues. A mismatch filter takes what the other filters don't, and so with them
 * takes all of its kind. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/xdp.h"
#include "src/efvi/checked.h"
#include "src/efvi/filter.h"

/* --- AF_XDP: rules, which take frames from the kernel -------------------------------------------
 */

/* What is asked of the Ethernet header before the EtherType. */
static void link_text(const struct efvi_match *match, char text[64])
{
  char address[SHUNT_MAC_TEXT_BYTES];
  struct shunt_mac mac;
  int used = 0;
  memcpy(mac.bytes, match->mac, sizeof(mac.bytes));
  text[0] = '\0';
  if (match->fields & EFVI_MATCH_MAC)
    used = snprintf(text, 64, "mac %s ", shunt_mac_format(mac, address));
  else if (match->fields & (EFVI_MATCH_UNICAST | EFVI_MATCH_MULTICAST))
    used =
        snprintf(text, 64, "mac %s ", match->fields & EFVI_MATCH_UNICAST ? "unicast" : "multicast");
  if (match->fields & EFVI_MATCH_VLAN)
    snprintf(text + used, 64 - (size_t)used, "vlan %u ", match->vlan);
}

static void ip_text(const struct efvi_match *match, const char *link, char text[256])
{
  char to[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];
  const int family = match->fields & EFVI_MATCH_IP6 ? AF_INET6 : AF_INET;
  inet_ntop(family, match->destination, to, sizeof(to));
  inet_ntop(family, match->source, from, sizeof(from));
  int used =
      snprintf(text, 256, "%s%s %s dst %s dst port %u", link, family == AF_INET ? "ip4" : "ip6",
               match->protocol == 6 ? "tcp" : "udp", to, ntohs(match->destination_port));
  if (match->fields & EFVI_MATCH_SOURCE)
    snprintf(text + used, 256 - (size_t)used, " src %s src port %u", from,
             ntohs(match->source_port));
}

static int xdp_add(struct efvi_device *device, struct efvi_filter *filter,
                   struct shunt_error *error)
{
  const struct efvi_match *match = &filter->match;
  struct shunt_xdp_rule rule = {.size = sizeof(rule)};
  char link[64], text[256];
  link_text(match, link);
  if (match->fields & (EFVI_MATCH_IP4 | EFVI_MATCH_IP6))
    ip_text(match, link, text);
  else if (match->fields & EFVI_MATCH_PROTOCOL)
    snprintf(text, sizeof(text), "%sip4 proto %u", link, match->protocol);
  else if (match->fields & EFVI_MATCH_ETHERTYPE)
    snprintf(text, sizeof(text), "%sether 0x%04x", link, ntohs(match->ethertype));
  else
    snprintf(text, sizeof(text), "%s", link);
  int result = shunt_xdp_rule_parse(text, &rule, error);
  if (!result)
    result = shunt_xdp_rule_add(device->port, &rule, &filter->rule, error);
  filter->ruled = !result;
  return result;
}

/* --- Other devices: addresses, and the queue ----------------------------------------------------
 */

static int promiscuous_add(struct efvi_device *device, struct efvi_filter *filter,
                           struct shunt_error *error)
{
  int result = device->promiscuous ? 0 : shunt_port_promiscuous(device->port, 1, error);
  if (result)
    return result;
  device->promiscuous++;
  filter->promiscuous = true;
  return 0;
}

static int group_add(struct efvi_device *device, struct efvi_filter *filter,
                     struct shunt_error *error)
{
  int result = shunt_port_multicast_add(device->port, &filter->group, error);
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
static int accept_addresses(struct efvi_device *device, struct efvi_filter *filter, bool everything,
                            struct shunt_error *error)
{
  static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
  const struct efvi_match *match = &filter->match;
  const bool own =
      memcmp(match->mac, device->info.mac.bytes, 6) == 0 || memcmp(match->mac, broadcast, 6) == 0;
  if (match->fields & EFVI_MATCH_MAC && own)
    return 0;
  if (group_of(match, &filter->group))
    return group_add(device, filter, error);
  return everything || match->fields & (EFVI_MATCH_MAC | EFVI_MATCH_UNICAST | EFVI_MATCH_MULTICAST)
             ? promiscuous_add(device, filter, error)
             : 0;
}

/* The 82599's five-tuple filters name one queue, and of several that match the one with the higher
 * priority counts, as with programs the one that asks for more; whatever they can't express, and
 * what a set shares, goes where frames go that nothing steers. */
static int steer(const struct efvi_target *target, struct efvi_filter *filter,
                 struct shunt_error *error)
{
  const struct efvi_match *match = &filter->match;
  struct efvi_device *device = target->device;
  if (device->info.queues == 1)
    return 0;
  if (target->set || !(match->fields & EFVI_MATCH_IP4)) {
    int result = efvi_route_take(device, target->vi, target->set, error);
    filter->routed = !result;
    return result;
  }
  struct shunt_filter wanted = {.size = sizeof(wanted),
                                .kind = SHUNT_FILTER_FIVE_TUPLE,
                                .destination_ip = shunt_load_be32(match->destination),
                                .destination_port = ntohs(match->destination_port),
                                .source_ip = shunt_load_be32(match->source),
                                .source_port = ntohs(match->source_port),
                                .protocol = match->protocol,
                                .priority = match->fields & EFVI_MATCH_SOURCE ? 2 : 1,
                                .queue = (uint16_t)target->vi->queue->index};
  int result = shunt_port_filter_add(device->port, &wanted, &filter->steering, error);
  filter->steered = !result;
  return result;
}

/* --- Sniffing: a copy of what the port receives is the frame itself where nobody else asks for it
 * -
 */

static bool others_have(const struct efvi_target *target, const struct efvi_filters *filters,
                        bool sniffing)
{
  if (filters == target->filters || !filters->count)
    return false;
  for (unsigned i = 0; i < EFVI_FILTERS; i++)
    if (filters->list[i].used && (sniffing || filters->list[i].sniffs))
      return true;
  return false;
}

static int check_sniffing(const struct efvi_target *target, bool sniffing,
                          struct shunt_error *error)
{
  const struct efvi_device *device = target->device;
  bool clash = false;
  for (unsigned i = 0; i < EFVI_QUEUES; i++)
    if (device->queues[i].owner)
      clash |= others_have(target, &device->queues[i].owner->filters, sniffing);
  for (const struct efvi_set *set = efvi_state()->sets; set; set = set->next)
    if (set->pd->device == device)
      clash |= others_have(target, &set->filters, sniffing);
  if (!clash)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "%s makes no copies of frames", device->name);
  shunt_error_why(error, "%s",
                  sniffing ? "other interfaces of the device have filters of their own"
                           : "another interface of the device sniffs");
  shunt_error_remedy(error, "capture with `shunt capture`");
  return -EOPNOTSUPP;
}

/* --- Both --------------------------------------------------------------------------------------
 */

static void fields_update(struct efvi_filters *filters)
{
  uint32_t fields = 0;
  unsigned rank = 0;
  for (unsigned i = 0; i < EFVI_FILTERS; i++) {
    const struct efvi_filter *filter = &filters->list[i];
    fields |= filter->used ? filter->match.fields : 0;
    rank = filter->used && filter->rank > rank ? filter->rank : rank;
  }
  __atomic_store_n(&filters->rank, rank, __ATOMIC_RELAXED);
  __atomic_store_n(&filters->fields, fields, __ATOMIC_RELEASE);
  efvi_quick_update(filters);
}

/* What it had of the device. */
static void filter_withdraw(struct efvi_device *device, struct efvi_filter *filter)
{
  if (filter->ruled)
    (void)shunt_xdp_rule_remove(device->port, filter->rule, NULL);
  if (filter->steered)
    (void)shunt_port_filter_remove(device->port, filter->steering, NULL);
  if (filter->routed)
    efvi_route_leave(device);
  if (filter->grouped)
    (void)shunt_port_multicast_remove(device->port, &filter->group, NULL);
  if (filter->promiscuous && --device->promiscuous == 0)
    (void)shunt_port_promiscuous(device->port, 0, NULL);
}

static void filter_end(struct efvi_device *device, struct efvi_filters *filters,
                       struct efvi_filter *filter)
{
  __atomic_store_n(&filter->used, false, __ATOMIC_RELEASE);
  __atomic_store_n(&filters->count, filters->count - 1, __ATOMIC_RELEASE);
  fields_update(filters);
  efvi_overlap_remove(device, filters, &filter->match);
  filter_withdraw(device, filter);
}

static void filters_clear(struct efvi_device *device, struct efvi_filters *filters)
{
  for (unsigned i = 0; i < EFVI_FILTERS; i++)
    if (filters->list[i].used)
      filter_end(device, filters, &filters->list[i]);
}

void efvi_filters_clear(struct efvi_vi *vi)
{
  filters_clear(vi->device, &vi->filters);
}

void efvi_set_filters_clear(struct efvi_set *set)
{
  filters_clear(set->pd->device, &set->filters);
}

static int filter_find_free(const struct efvi_filters *filters, const struct efvi_match *match,
                            struct shunt_error *error)
{
  int unused = -1;
  for (int i = (int)EFVI_FILTERS - 1; i >= 0; i--) {
    if (!filters->list[i].used)
      unused = i;
    else if (memcmp(&filters->list[i].match, match, sizeof(*match)) == 0)
      return shunt_error_set(error, -EEXIST, "there is that filter already");
  }
  return unused >= 0
             ? unused
             : shunt_error_set(error, -ENOSPC, "an interface has at most %u filters", EFVI_FILTERS);
}

/* A filter leads to its own interface. */
static int check_destination(const struct efvi_target *target, const ef_filter_spec *spec,
                             struct shunt_error *error)
{
  const unsigned queue = spec->flags >> SPEC_DEST_SHIFT;
  if (!(spec->type & SPEC_DEST) || (target->vi && target->vi->queue->index == queue))
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "no filter that leads to queue %u", queue);
  shunt_error_why(error,
                  "each queue is an interface's, and takes what that interface's filters say");
  shunt_error_remedy(error, "add the filter to the interface whose ef_vi_instance is %u", queue);
  return -EOPNOTSUPP;
}

static int filter_install(const struct efvi_target *target, struct efvi_filter *filter,
                          const ef_filter_spec *spec, struct shunt_error *error)
{
  if (filter->match.fields & EFVI_MATCH_NOTHING) /* there is no kernel behind such a device */
    return 0;
  filter->sniffs = (spec->type & SPEC_SNIFF) != 0;
  int result = check_sniffing(target, filter->sniffs, error);
  if (result)
    return result;
  if (target->device->is_xdp) {
    /* A NIC lets through what the kernel asked for: another station's address it did not. */
    const bool is_mac = (filter->match.fields & EFVI_MATCH_MAC) != 0;
    result = xdp_add(target->device, filter, error);
    return result || !is_mac ? result : accept_addresses(target->device, filter, false, error);
  }
  result = accept_addresses(target->device, filter, efvi_sniffs_all(spec), error);
  return result ? result : steer(target, filter, error);
}

int efvi_filter_add(const struct efvi_target *target, const ef_filter_spec *spec,
                    struct shunt_error *error)
{
  struct efvi_filters *filters = target->filters;
  struct efvi_filter made = {.type = (int)spec->type};
  int result = efvi_match_read(spec, target->device->is_xdp, &made.match, error);
  result = result ? result : check_destination(target, spec, error);
  if (result)
    return result;
  const int index = filter_find_free(filters, &made.match, error);
  if (index < 0)
    return index;
  struct shunt_mac group;
  const bool is_group = made.match.fields & EFVI_MATCH_MULTICAST || group_of(&made.match, &group);
  result = efvi_overlap_check(target, &made.match, is_group, error);
  if (result)
    return result;
  result = filter_install(target, &made, spec, error);
  if (result) {
    filter_withdraw(target->device, &made);
    return result;
  }
  made.rank = efvi_match_rank(&made.match);
  efvi_overlap_add(target->device, filters, &made.match);
  if (made.rank > filters->rank) /* before any poll sees it */
    __atomic_store_n(&filters->rank, made.rank, __ATOMIC_RELAXED);
  filters->list[index] = made;
  __atomic_store_n(&filters->list[index].used, true, __ATOMIC_RELEASE);
  __atomic_store_n(&filters->count, filters->count + 1, __ATOMIC_RELEASE);
  fields_update(filters);
  return index;
}

static struct efvi_filter *filter_of(struct efvi_filters *filters, const ef_filter_cookie *cookie)
{
  if (cookie->filter_id < 0 || cookie->filter_id >= (int)EFVI_FILTERS)
    return NULL;
  struct efvi_filter *filter = &filters->list[cookie->filter_id];
  return filter->used && filter->type == cookie->filter_type ? filter : NULL;
}

int efvi_filter_remove(const struct efvi_target *target, const ef_filter_cookie *cookie)
{
  struct efvi_filter *filter = filter_of(target->filters, cookie);
  if (!filter)
    return efvi_refuse(-ENOENT, "no filter %d", cookie->filter_id);
  filter_end(target->device, target->filters, filter);
  return 0;
}

/* --- An interface's -----------------------------------------------------------------------------
 */

int ef_vi_filter_add(ef_vi *vi, ef_driver_handle vi_dh, const ef_filter_spec *filter_spec,
                     ef_filter_cookie *filter_cookie_out)
{
  struct shunt_error error = {0};
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  EFVI_ENTER(own, "ef_vi_filter_add", -EBUSY);
  if (!own || !filter_spec || !vi->vi_rxq.mask)
    return efvi_refuse(-EINVAL, "no filter, or no interface that receives");
  const struct efvi_target target = {.device = own->device, .vi = own, .filters = &own->filters};
  efvi_lock();
  int index = efvi_filter_add(&target, filter_spec, &error);
  efvi_unlock();
  if (index < 0)
    return efvi_fail(&error);
  if (filter_cookie_out)
    *filter_cookie_out =
        (ef_filter_cookie){.filter_id = index, .filter_type = (int)filter_spec->type};
  return 0;
}

int ef_vi_filter_del(ef_vi *vi, ef_driver_handle vi_dh, ef_filter_cookie *filter_cookie)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  EFVI_ENTER(own, "ef_vi_filter_del", -EBUSY);
  if (!own || !filter_cookie)
    return efvi_refuse(-EINVAL, "no interface, or no filter");
  const struct efvi_target target = {.device = own->device, .vi = own, .filters = &own->filters};
  efvi_lock();
  int result = efvi_filter_remove(&target, filter_cookie);
  efvi_unlock();
  return result;
}

int ef_vi_filter_query(ef_vi *vi, ef_driver_handle vi_dh, const ef_filter_cookie *filter_cookie,
                       ef_filter_info *filter_info, size_t filter_info_size)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  EFVI_ENTER(own, "ef_vi_filter_query", -EBUSY);
  if (!own || !filter_cookie || !filter_info || filter_info_size != sizeof(*filter_info))
    return efvi_refuse(-EINVAL, "no interface, no filter, or an answer of %zu bytes",
                       filter_info_size);
  efvi_lock();
  bool known = filter_of(&own->filters, filter_cookie) != NULL;
  efvi_unlock();
  if (!known)
    return efvi_refuse(-ENOENT, "no filter %d", filter_cookie->filter_id);
  *filter_info = (ef_filter_info){.valid_fields = EF_FILTER_FIELD_ID | EF_FILTER_FIELD_QUEUE,
                                  .filter_id = (unsigned)filter_cookie->filter_id,
                                  .q_id = own->queue->index};
  return 0;
}
