/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/filter.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "src/bpf/bpf_attach.h"
#include "src/bpf/btf.h"
#include "src/bpf/features.h"
#include "src/bpf/filter_internal.h"

/* ---- programs ---- */

static bool is_device_bound(const struct filter *f)
{
  return f->making.time == FILTER_TIME_DEVICE || f->making.vlan == FILTER_VLAN_METADATA;
}

/* Without CAP_PERFMON pointers can't be subtracted (EACCES): then the program does without. */
static int make_and_load(struct filter *f, const struct program_rule list[], unsigned n,
                         struct bpf_program_spec *spec, int *program, struct shunt_error *error)
{
  for (;;) {
    f->making.subtracts = !f->options.fragments && !f->no_subtraction;
    int result = program_make(&f->made, &f->making, list, n, error);
    if (!result)
      result = program_load(&f->made, f->xskmap, f->hits, spec, program, error);
    if (result != -EACCES || !f->making.subtracts)
      return result;
    f->no_subtraction = true;
  }
}

/* A program of a list of rules, loaded. */
static int load(struct filter *f, const struct filter_rule rules[], unsigned n, int *program,
                struct shunt_error *error)
{
  struct program_rule *list = calloc(n + 1, sizeof(*list));
  struct bpf_program_spec spec = {.name = "shunt_filter"};

  if (!list)
    return shunt_error_set(error, -ENOMEM, "no memory for a filter of %u rules", n);
  for (unsigned i = 0; i < n; i++)
    list[i] = (struct program_rule){.rule = &rules[i].rule, .slot = rules[i].slot};
  if (f->options.fragments)
    spec.flags |= BPF_F_XDP_HAS_FRAGS;
  if (is_device_bound(f)) {
    spec.flags |= BPF_XDP_DEV_BOUND_ONLY;
    spec.ifindex = (uint32_t)f->options.ifindex;
  }
  int result = make_and_load(f, list, n, &spec, program, error);
  free(list);
  return result;
}

/* Whether the kernel has links for XDP is asked only where one can't be made: to ask takes longer
 * than to load a program. */
static int attach(struct filter *f, struct shunt_error *error)
{
  struct features features = {0};
  int result = f->options.no_link
                   ? -EINVAL
                   : bpf_link_xdp(f->program, f->options.ifindex, f->options.mode, &f->link, error);

  if (result != -EINVAL ||
      (!f->options.no_link && features_state(&features, FEATURE_XDP_LINK) != FEATURE_ABSENT))
    return result;
  result = bpf_attach_set(f->program, f->options.ifindex, f->options.mode, error);
  f->by_netlink = result == 0;
  return result;
}

static int load_and_attach(struct filter *f, struct shunt_error *error)
{
  int result = load(f, f->rules, f->count, &f->program, error);

  result = result ? result : attach(f, error);
  if (result && f->program >= 0) {
    close(f->program);
    f->program = -1;
  }
  return result;
}

/* ---- receive time and stripped tags: functions of the kernel ---- */

static void use_software_time(struct filter *f, const char *why)
{
  f->making.time = FILTER_TIME_SOFTWARE;
  snprintf(f->why_software, sizeof(f->why_software), "%s", why);
}

static int choose_functions(struct filter *f, struct shunt_error *error)
{
  struct shunt_error reason = {0};

  f->making.vlan = f->options.vlan;
  if (f->options.vlan == FILTER_VLAN_METADATA) {
    int result = btf_find_function("bpf_xdp_metadata_rx_vlan_tag", &f->making.vlan_kfunc, error);
    if (result)
      return shunt_error_within(error, result, "VLAN tags that %s takes off", f->interface);
  }
  if (!f->options.receive_time)
    return 0;
  f->making.time = FILTER_TIME_DEVICE;
  if (f->options.software_time)
    use_software_time(f, "the driver tells XDP programs no receive time");
  else if (f->options.mode & XDP_FLAGS_SKB_MODE)
    use_software_time(f, "in skb mode programs can't ask the driver; that takes drv mode");
  else if (btf_find_function("bpf_xdp_metadata_rx_timestamp", &f->making.time_kfunc, &reason))
    use_software_time(f, reason.why[0] ? reason.why : reason.what);
  return 0;
}

/* As load_and_attach, but where the device's time is what stands against it, with the software's.
 */
static int start(struct filter *f, struct shunt_error *error)
{
  struct shunt_error reason = {0};

  if (f->making.time != FILTER_TIME_DEVICE)
    return load_and_attach(f, error);
  int result = load_and_attach(f, &reason);
  if (result == -EBUSY || result == -EPERM || result == -E2BIG || result == 0) {
    if (result && error)
      *error = reason;
    return result;
  }
  use_software_time(f, reason.why[0] ? reason.why : reason.what);
  return load_and_attach(f, error);
}

/* ---- counters ---- */

static bool slot_taken(const struct filter *f, uint16_t slot)
{
  for (unsigned i = 0; i < f->count; i++) {
    if (f->rules[i].slot == slot)
      return true;
  }
  return false;
}

/* A free slot; there is one. Its counters can't be set to zero, for they stand among those of
 * rules that are counting: what they say now is remembered. */
static void take_slot(struct filter *f, struct filter_rule *rule)
{
  do
    f->last_slot = (uint16_t)(f->last_slot % SHUNT_XDP_RULES_MOST + 1);
  while (slot_taken(f, f->last_slot));
  rule->slot = f->last_slot;
  rule->before = program_hits_sum(f->counts, f->making.lanes, rule->slot);
}

/* ---- opening ---- */

static int check_options(const struct filter_options *options, unsigned n,
                         struct shunt_error *error)
{
  if (options->ifindex <= 0 || !options->interface)
    return shunt_error_set(error, -EINVAL, "a filter needs an interface");
  if (options->queues == 0)
    return shunt_error_set(error, -EINVAL, "a filter for %s needs at least one queue",
                           options->interface);
  if (n <= SHUNT_XDP_RULES_MOST)
    return 0;
  shunt_error_set(error, -E2BIG, "%u rules are too many", n);
  shunt_error_why(error, "a filter has at most %d", SHUNT_XDP_RULES_MOST);
  shunt_error_remedy(error, "write ports as lists and ranges, addresses as prefixes");
  return -E2BIG;
}

static int copy_rules(struct filter *f, const struct shunt_xdp_rule rules[], unsigned n,
                      struct shunt_error *error)
{
  const struct shunt_xdp_rule all = {.size = sizeof(all)};

  if (n == 0) {
    int result = copy_rules(f, &all, 1, error);
    if (!result)
      f->rules[0].slot = 0;
    return result;
  }
  f->rules = calloc(n, sizeof(*f->rules));
  if (!f->rules)
    return shunt_error_set(error, -ENOMEM, "no memory for %u rules", n);
  for (unsigned i = 0; i < n; i++) {
    int result = shunt_xdp_rule_check(&rules[i], error);
    if (result)
      return shunt_error_within(error, result, "rule %u", i);
    f->rules[i] = (struct filter_rule){.rule = rules[i], .id = i, .slot = (uint16_t)(i + 1)};
  }
  f->count = n;
  f->next_id = n;
  f->last_slot = (uint16_t)n;
  return 0;
}

static int make_maps(struct filter *f, struct shunt_error *error)
{
  const struct bpf_map_spec xskmap = {
      .type = BPF_MAP_TYPE_XSKMAP,
      .key_bytes = 4,
      .value_bytes = 4,
      .entries = f->options.queues,
      .name = "shunt_sockets",
  };
  const void *counts;

  f->making.lanes = program_lanes(f->options.queues);
  const struct bpf_map_spec hits = program_hits_map(f->making.lanes);
  int result = bpf_map_new(&xskmap, &f->xskmap, error);
  result = result ? result : bpf_map_new(&hits, &f->hits, error);
  result = result ? result : bpf_map_memory(f->hits, hits.value_bytes, &counts, error);
  if (!result)
    f->counts = counts;
  return result;
}

static int open_new(struct filter *f, const struct shunt_xdp_rule rules[], unsigned n,
                    struct shunt_error *error)
{
  int result = copy_rules(f, rules, n, error);

  result = result ? result : make_maps(f, error);
  result = result ? result : choose_functions(f, error);
  return result ? result : start(f, error);
}

int filter_open(const struct filter_options *options, const struct shunt_xdp_rule rules[],
                unsigned n, struct filter **filter, struct shunt_error *error)
{
  int result = check_options(options, n, error);
  if (result)
    return result;
  struct filter *f = calloc(1, sizeof(*f));
  if (!f)
    return shunt_error_set(error, -ENOMEM, "no memory for a filter");
  f->options = *options;
  snprintf(f->interface, sizeof(f->interface), "%s", options->interface);
  f->options.interface = f->interface;
  f->xskmap = f->hits = f->program = f->link = -1;
  f->sockets = calloc(options->queues, 1);
  if (!f->sockets)
    result = shunt_error_set(error, -ENOMEM, "no memory for %u queues", options->queues);
  else
    result = options->join ? filter_join(f, error) : 1;
  if (result == 1)
    result = open_new(f, rules, n, error);
  if (result) {
    filter_close(f);
    return shunt_error_within(error, result, "XDP filter on %s", options->interface);
  }
  *filter = f;
  return 0;
}

void filter_close(struct filter *f)
{
  if (!f)
    return;
  for (uint32_t queue = 0; f->joined && f->sockets && queue < f->options.queues; queue++)
    filter_socket_clear(f, queue, NULL);
  if (f->by_netlink)
    bpf_attach_replace(-1, f->program, f->options.ifindex, f->options.mode, NULL);
  const int fds[] = {f->link, f->program, f->hits, f->xskmap};
  for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
    if (fds[i] >= 0)
      close(fds[i]);
  }
  if (f->counts)
    munmap((void *)(uintptr_t)f->counts, program_hits_map(f->making.lanes).value_bytes);
  program_free(&f->made);
  free(f->rules);
  free(f->sockets);
  free(f);
}

/* ---- sockets ---- */

static int check_queue(const struct filter *f, uint32_t queue, struct shunt_error *error)
{
  if (queue < f->options.queues)
    return 0;
  return shunt_error_set(error, -EINVAL, "the filter on %s has no queue %u: it was opened for %u",
                         f->interface, queue, f->options.queues);
}

int filter_socket_set(struct filter *f, uint32_t queue, int socket, struct shunt_error *error)
{
  int result = check_queue(f, queue, error);
  if (result)
    return result;
  /* In somebody else's map an entry that is taken stays theirs. */
  result = bpf_map_set(f->xskmap, &queue, &socket, f->joined ? BPF_NOEXIST : BPF_ANY, error);
  if (result == -EEXIST) {
    shunt_error_set(error, -EBUSY, "queue %u of %s has another socket", queue, f->interface);
    shunt_error_why(error, "the XSKMAP of the program that was joined has an entry there");
    shunt_error_remedy(error, "take another queue, or end the program that uses it");
    return -EBUSY;
  }
  if (!result)
    f->sockets[queue] = 1;
  return result;
}

int filter_socket_clear(struct filter *f, uint32_t queue, struct shunt_error *error)
{
  int result = check_queue(f, queue, error);
  if (result || !f->sockets[queue])
    return result;
  f->sockets[queue] = 0;
  result = bpf_map_delete(f->xskmap, &queue, error);
  return result == -ENOENT ? 0 : result; /* closing a socket has removed it */
}

/* ---- rules ---- */

/* The place of a rule, or the count where there is none. */
static unsigned find(const struct filter *f, uint32_t id)
{
  unsigned place = 0;

  while (place < f->count && f->rules[place].id != id)
    place++;
  return place;
}

static int no_rule(const struct filter *f, uint32_t id, struct shunt_error *error)
{
  return shunt_error_set(error, -ENOENT, "the filter on %s has no rule %u", f->interface, id);
}

static int check_own(const struct filter *f, struct shunt_error *error)
{
  if (!f->joined)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "the filter on %s has no rules of ours", f->interface);
  shunt_error_why(error, "the program there was joined: it decides what comes to us");
  return -EOPNOTSUPP;
}

/* Put other rules (the filter's from then on) in the place of those there are. Where that fails
 * nothing changes. */
static int replace(struct filter *f, struct filter_rule *rules, unsigned n,
                   struct shunt_error *error)
{
  int program = -1;
  int result = load(f, rules, n, &program, error);
  if (result)
    return result;

  result = f->by_netlink
               ? bpf_attach_replace(program, f->program, f->options.ifindex, f->options.mode, error)
               : bpf_link_replace(f->link, program, f->program, error);
  if (result) {
    close(program);
    return result;
  }
  close(f->program);
  free(f->rules);
  f->program = program;
  f->rules = rules;
  f->count = n;
  return 0;
}

static int insert(struct filter *f, const struct shunt_xdp_rule *rule, unsigned place, uint32_t *id,
                  struct shunt_error *error)
{
  struct filter_rule added = {.rule = *rule, .id = f->next_id};
  int result = shunt_xdp_rule_check(rule, error);
  if (!result)
    result = check_options(&f->options, f->count + 1, error);
  if (result)
    return result;

  take_slot(f, &added);
  struct filter_rule *rules = calloc(f->count + 1, sizeof(*rules));
  if (!rules)
    return shunt_error_set(error, -ENOMEM, "no memory for %u rules", f->count + 1);
  if (place)
    memcpy(rules, f->rules, place * sizeof(*rules));
  rules[place] = added;
  if (place < f->count)
    memcpy(rules + place + 1, f->rules + place, (f->count - place) * sizeof(*rules));
  result = replace(f, rules, f->count + 1, error);
  if (result) {
    free(rules);
    return result;
  }
  *id = f->next_id++;
  return 0;
}

static int check_added(const struct filter *f, const struct shunt_xdp_rule rules[], unsigned n,
                       struct shunt_error *error)
{
  const unsigned all = n > SHUNT_XDP_RULES_MOST ? n : f->count + n;
  int result = check_own(f, error);

  result = result ? result : check_options(&f->options, all, error);
  for (unsigned i = 0; !result && i < n; i++) {
    result = shunt_xdp_rule_check(&rules[i], error);
    if (result && n > 1)
      shunt_error_within(error, result, "rule %u of those to be added", i);
  }
  return result;
}

int filter_rules_add(struct filter *f, const struct shunt_xdp_rule rules[], unsigned n,
                     uint32_t ids[], struct shunt_error *error)
{
  int result = check_added(f, rules, n, error);
  if (result || n == 0)
    return result;

  struct filter_rule *all = calloc(f->count + n, sizeof(*all));
  if (!all)
    return shunt_error_set(error, -ENOMEM, "no memory for %u rules", f->count + n);
  if (f->count)
    memcpy(all, f->rules, f->count * sizeof(*all));
  for (unsigned i = 0; i < n; i++) {
    struct filter_rule *added = &all[f->count + i];
    *added = (struct filter_rule){.rule = rules[i], .id = f->next_id + i};
    take_slot(f, added);
  }
  result = replace(f, all, f->count + n, error);
  if (result) {
    free(all);
    return result;
  }
  for (unsigned i = 0; i < n; i++)
    ids[i] = f->next_id++;
  return 0;
}

int filter_rule_add(struct filter *f, const struct shunt_xdp_rule *rule, uint32_t *id,
                    struct shunt_error *error)
{
  return filter_rules_add(f, rule, 1, id, error);
}

int filter_rule_insert(struct filter *f, const struct shunt_xdp_rule *rule, uint32_t before,
                       uint32_t *id, struct shunt_error *error)
{
  unsigned place = find(f, before);
  int result = check_own(f, error);

  if (result)
    return result;
  return place < f->count ? insert(f, rule, place, id, error) : no_rule(f, before, error);
}

/* Take the rules of the ids out of a copy of the list. Returns how many are left, or -ENOENT. */
static int take_out(const struct filter *f, struct filter_rule rules[], const uint32_t ids[],
                    unsigned n, struct shunt_error *error)
{
  unsigned left = 0;

  for (unsigned i = 0; i < n; i++) {
    unsigned place = find(f, ids[i]);
    if (place == f->count || !rules[place].rule.size)
      return no_rule(f, ids[i], error);
    rules[place].rule.size = 0; /* no rule is so: it goes */
  }
  for (unsigned i = 0; i < f->count; i++) {
    if (rules[i].rule.size)
      rules[left++] = rules[i];
  }
  return (int)left;
}

int filter_rules_remove(struct filter *f, const uint32_t ids[], unsigned n,
                        struct shunt_error *error)
{
  int result = check_own(f, error);
  if (result || n == 0)
    return result;

  struct filter_rule *rules = calloc(f->count + 1, sizeof(*rules));
  if (!rules)
    return shunt_error_set(error, -ENOMEM, "no memory for %u rules", f->count);
  if (f->count)
    memcpy(rules, f->rules, f->count * sizeof(*rules));
  int left = take_out(f, rules, ids, n, error);
  result = left < 0 ? left : replace(f, rules, (unsigned)left, error);
  if (result)
    free(rules);
  return result;
}

int filter_rule_remove(struct filter *f, uint32_t id, struct shunt_error *error)
{
  return filter_rules_remove(f, &id, 1, error);
}

/* Counting costs each frame four nanoseconds: nobody who gave no rules asks for it. */
static int not_counted(const struct filter *f, struct shunt_error *error)
{
  shunt_error_set(error, -ENOENT, "no hits are counted on %s", f->options.interface);
  shunt_error_why(error, "it was opened without rules, so every frame is a hit");
  shunt_error_remedy(error, "read the port's statistics, or open it with rules=all");
  return -ENOENT;
}

int filter_rule_hits(struct filter *f, uint32_t id, uint64_t *packets, uint64_t *bytes,
                     struct shunt_error *error)
{
  unsigned place = find(f, id);
  int result = check_own(f, error);
  if (result)
    return result;
  if (place == f->count)
    return no_rule(f, id, error);
  if (!f->rules[place].slot)
    return not_counted(f, error);

  const struct program_hits sum =
      program_hits_sum(f->counts, f->making.lanes, f->rules[place].slot);
  *packets = sum.packets - f->rules[place].before.packets;
  *bytes = sum.bytes - f->rules[place].before.bytes;
  return 0;
}

bool filter_rule_at(const struct filter *f, unsigned place, uint32_t *id,
                    struct shunt_xdp_rule *rule)
{
  if (place >= f->count)
    return false;
  *id = f->rules[place].id;
  *rule = f->rules[place].rule;
  return true;
}

/* ---- what was granted ---- */

enum filter_time filter_receive_time(const struct filter *f, const char **why)
{
  *why = f->why_software;
  return f->joined ? FILTER_TIME_NONE : f->making.time;
}

bool filter_joined(const struct filter *f)
{
  return f->joined;
}

int filter_link_fd(const struct filter *f)
{
  return f->link;
}
