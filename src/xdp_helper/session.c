/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/xdp_helper/session.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Life ---- */

void session_open(struct session *session, struct session_world *world,
                  const struct policy_peer *peer)
{
  *session = (struct session){.world = world, .peer = *peer};
}

static void drop_staged(struct session *session)
{
  free(session->staged);
  session->staged = NULL;
  session->staged_count = 0;
}

static void detach(struct session *session)
{
  if (!session->share)
    return;
  share_leave(&session->world->shares, session->share, session, session->ids, session->rule_count);
  session->share = NULL;
  session->rule_count = session->leaving_count = 0;
}

void session_close(struct session *session)
{
  struct shunt_error error;
  detach(session);
  drop_staged(session);
  if (session->setup && session->world->system->setup_close(session->setup, &error))
    shunt_log_error(session->world->log, SHUNT_LOG_WARNING, &error);
  session->setup = NULL;
  free(session->ids);
  free(session->names);
  free(session->leaving);
  session->ids = session->names = session->leaving = NULL;
}

/* ---- HELLO ---- */

static int refuse(const struct session *session, bool served, const char *interface,
                  struct shunt_error *error)
{
  shunt_error_set(error, -EACCES, "the helper does not serve this user%s%.15s",
                  served ? " on " : "", served ? interface : "");
  shunt_error_why(error, "its policy has no entry for user %u, group %u%s%.15s",
                  (unsigned)session->peer.user, (unsigned)session->peer.group,
                  served ? " and interface " : "", served ? interface : "");
  shunt_error_remedy(error,
                     "have an entry added: user=%u interface=%.15s; see "
                     "shunt-xdp-helper(1)",
                     (unsigned)session->peer.user, interface);
  return -EACCES;
}

static int answer_hello(struct session *session, const struct xdp_helper_hello *hello,
                        struct shunt_error *error)
{
  struct interface_state state;
  uint64_t space = xdp_helper_namespace();
  bool served;
  if (session->entry)
    return shunt_error_set(error, -EALREADY, "a connection is of one interface");
  const struct policy_entry *entry =
      policy_find(session->world->policy, &session->peer, hello->interface, &served);
  if (!entry)
    return refuse(session, served, hello->interface, error);
  if (space && hello->space && space != hello->space) {
    shunt_error_set(error, -EXDEV, "the helper is not where %.15s is", hello->interface);
    shunt_error_why(error, "client and helper are in different network namespaces");
    shunt_error_remedy(error, "start a helper there: ip netns exec NAME shunt xdp-helper");
    return -EXDEV;
  }
  int code = session->world->system->interface_read(hello->interface, &state, error);
  if (code < 0)
    return code;
  if (state.ifindex != (int)hello->ifindex)
    return shunt_error_set(error, -ENODEV, "%.15s is another interface now", hello->interface);
  memcpy(session->interface, state.name, sizeof(session->interface));
  session->ifindex = state.ifindex;
  session->entry = entry;
  return 0;
}

/* ---- SETUP ---- */

static int answer_setup(struct session *session, const struct xdp_helper_setup *asked,
                        struct shunt_error *error)
{
  struct setup_wanted wanted = {.channels = asked->channels,
                                .mtu = asked->mtu,
                                .up = asked->up,
                                .promiscuous = asked->promiscuous,
                                .traps = asked->traps,
                                .traps_try = asked->traps_try};
  bool more = wanted.channels || wanted.mtu || wanted.up || wanted.promiscuous;
  enum policy_setup may = session->entry->setup;
  if (session->setup)
    return shunt_error_set(error, -EALREADY, "%s is set up already", session->interface);
  if ((more && may != POLICY_SETUP_ALL) || (wanted.traps && may == POLICY_SETUP_NO)) {
    shunt_error_set(error, -EACCES, "this user may not change %s so", session->interface);
    shunt_error_why(error, "the helper's policy says setup=%s",
                    may == POLICY_SETUP_NO ? "no" : "offloads");
    shunt_error_remedy(error, "set it up beforehand, or have the entry say setup=all");
    return -EACCES;
  }
  if (may == POLICY_SETUP_NO)
    return 0; /* what was asked to be tried is not */
  return session->world->system->setup_open(session->world->journals, session->interface, &wanted,
                                            session->world->log, &session->setup, error);
}

/* ---- Sockets ---- */

static int answer_socket_new(struct session *session, const struct xdp_helper_socket *asked,
                             int *fd, struct shunt_error *error)
{
  const struct xdp_socket_wanted wanted = {.send_bytes = asked->send_bytes,
                                           .busy_poll_us = asked->busy_poll_us,
                                           .busy_budget = asked->busy_budget};
  if (session->sockets == SESSION_SOCKETS)
    return shunt_error_set(error, -EMFILE, "the helper makes %d sockets for a client at most",
                           SESSION_SOCKETS);
  const bool anywhere = !strcmp(session->entry->interface, "*");
  int code =
      session->world->system->socket_new(&wanted, anywhere ? 0 : session->ifindex, fd, error);
  session->sockets += code == 0;
  return code;
}

static int not_attached(struct shunt_error *error)
{
  return shunt_error_set(error, -ENOTCONN, "no program is attached for this client");
}

static int answer_socket_set(struct session *session, uint32_t queue, int fd,
                             struct shunt_error *error)
{
  const struct policy_entry *entry = session->entry;
  if (!session->share)
    return not_attached(error);
  if (queue < entry->first_queue || queue > entry->last_queue) {
    shunt_error_set(error, -EACCES, "this user may not have queue %u of %s", queue,
                    session->interface);
    shunt_error_why(error, "the helper's policy says queues=%u-%u", entry->first_queue,
                    entry->last_queue);
    shunt_error_remedy(error, "take one of these: queue=%u", entry->first_queue);
    return -EACCES;
  }
  return share_socket_set(session->share, session, queue, fd, error);
}

/* ---- Rules ---- */

static int read_rule(const struct session *session, const char *text, struct shunt_xdp_rule *rule,
                     struct shunt_error *error)
{
  int code = shunt_xdp_rule_parse(text, rule, error);
  if (code < 0 || policy_allows_rule(session->entry, rule))
    return code;
  shunt_error_set(error, -EACCES, "this user may not have the rule \"%.150s\" on %s", text,
                  session->interface);
  shunt_error_why(error, "it lies within none that the helper's policy allows");
  shunt_error_remedy(error, "ask for less, or have rules= of the entry changed");
  return -EACCES;
}

static int too_many_rules(struct shunt_error *error)
{
  return shunt_error_set(error, -E2BIG, "the helper takes %d rules of a client at most",
                         SESSION_RULES);
}

static int answer_stage(struct session *session, const char *text, struct shunt_error *error)
{
  struct shunt_xdp_rule rule;
  int code = read_rule(session, text, &rule, error);
  if (code < 0)
    return code;
  if (session->staged_count == SESSION_RULES)
    return too_many_rules(error);
  struct shunt_xdp_rule *staged =
      realloc(session->staged, (session->staged_count + 1) * sizeof(*staged));
  if (!staged)
    return shunt_error_set(error, -ENOMEM, "the helper is out of memory");
  session->staged = staged;
  staged[session->staged_count++] = rule;
  return 0;
}

static int make_ids(struct session *session, struct shunt_error *error)
{
  uint32_t **const lists[] = {&session->ids, &session->names, &session->leaving};
  for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
    if (!*lists[i])
      *lists[i] = calloc(SESSION_RULES, sizeof(**lists[i]));
    if (!*lists[i])
      return shunt_error_set(error, -ENOMEM, "the helper is out of memory");
  }
  return 0;
}

/* Rules that the filter has taken, and calls as the end of ids says, are the client's, too. Returns
 * what it calls the first. */
static uint32_t name_rules(struct session *session, unsigned n)
{
  const uint32_t first = session->next_name;
  for (unsigned i = 0; i < n; i++)
    session->names[session->rule_count++] = session->next_name++;
  return first;
}

/* The map has an entry for each queue that there is, whatever the client asked for: those that come
 * after it may want the others. */
static int map_queues(const struct session *session, uint32_t asked, uint32_t *queues,
                      struct shunt_error *error)
{
  struct interface_state state;
  int code = session->world->system->interface_read(session->interface, &state, error);
  if (code < 0)
    return code;
  *queues = state.rx_queues > asked ? state.rx_queues : asked;
  *queues = *queues ? *queues : 1;
  if (*queues <= SHARE_QUEUES_MOST)
    return 0;
  return shunt_error_set(error, -EINVAL, "%u queues are more than there can be", *queues);
}

static int attach(struct session *session, const struct xdp_helper_attach *asked, uint32_t queues,
                  uint32_t *value, struct shunt_error *error)
{
  struct filter_options options = {
      .ifindex = session->ifindex,
      .interface = session->interface,
      .queues = queues,
      .mode = asked->mode,
      .fragments = asked->fragments,
      .receive_time = asked->receive_time != FILTER_TIME_NONE,
      .software_time = asked->receive_time == FILTER_TIME_SOFTWARE,
      .join = asked->join,
      .vlan = (enum filter_vlan)asked->vlan,
  };
  const char *why;
  int code = share_join(&session->world->shares, session->world->system, &options, session->staged,
                        session->staged_count, session->ids, &session->share, error);
  if (code < 0)
    return code;
  session->next_name = 0;
  name_rules(session, session->staged_count);
  *value = (uint32_t)session->world->system->filter_receive_time(session->share->filter, &why);
  return 0;
}

static int answer_attach(struct session *session, const struct xdp_helper_attach *asked,
                         uint32_t *value, struct shunt_error *error)
{
  uint32_t queues = 0;
  int code = 0;
  if (session->share)
    return shunt_error_set(error, -EALREADY, "a program is attached for this client");
  if ((asked->mode != XDP_FLAGS_SKB_MODE && asked->mode != XDP_FLAGS_DRV_MODE &&
       asked->mode != XDP_FLAGS_HW_MODE) ||
      asked->vlan > FILTER_VLAN_METADATA)
    return shunt_error_set(error, -EINVAL, "there is no such mode of XDP");
  if (!session->staged_count) /* no rules stand for one: everything */
    code = answer_stage(session, "all", error);
  code = code ? code : make_ids(session, error);
  code = code ? code : map_queues(session, asked->queues, &queues, error);
  code = code ? code : attach(session, asked, queues, value, error);
  drop_staged(session);
  return code;
}

static int answer_rules_add(struct session *session, uint32_t *first, struct shunt_error *error)
{
  const unsigned n = session->staged_count;
  int code = 0;
  if (!session->share)
    code = not_attached(error);
  else if (n > SESSION_RULES - session->rule_count)
    code = too_many_rules(error);
  else
    code = session->world->system->filter_rules_add(session->share->filter, session->staged, n,
                                                    session->ids + session->rule_count, error);
  if (code == 0)
    *first = name_rules(session, n);
  drop_staged(session);
  return code;
}

/* The place of a rule of the client's: of others' rules it learns nothing. */
static int find_rule(const struct session *session, uint32_t name, struct shunt_error *error)
{
  if (!session->share)
    return not_attached(error);
  for (unsigned place = 0; place < session->rule_count; place++)
    if (session->names[place] == name)
      return (int)place;
  return shunt_error_set(error, -ENOENT, "there is no rule %u", name);
}

static int answer_id_stage(struct session *session, uint32_t name, struct shunt_error *error)
{
  int place = find_rule(session, name, error);
  if (place >= 0 && session->leaving_count == SESSION_RULES)
    place = too_many_rules(error);
  if (place >= 0)
    session->leaving[session->leaving_count++] = name;
  else
    session->leaving_count = 0; /* half of a list is no list */
  return place < 0 ? place : 0;
}

static void forget_rule(struct session *session, uint32_t name)
{
  unsigned place = (unsigned)find_rule(session, name, NULL);
  const size_t behind = --session->rule_count - place;
  memmove(session->names + place, session->names + place + 1, behind * sizeof(*session->names));
  memmove(session->ids + place, session->ids + place + 1, behind * sizeof(*session->ids));
}

static int remove_rules(struct session *session, struct shunt_error *error)
{
  const unsigned n = session->leaving_count;
  uint32_t *ids = calloc(n + 1, sizeof(*ids));
  int code = 0;
  if (!ids)
    return shunt_error_set(error, -ENOMEM, "the helper is out of memory");
  for (unsigned i = 0; code >= 0 && i < n; i++) {
    code = find_rule(session, session->leaving[i], error);
    ids[i] = code >= 0 ? session->ids[code] : 0;
  }
  if (code >= 0)
    code = session->world->system->filter_rules_remove(session->share->filter, ids, n, error);
  for (unsigned i = 0; code == 0 && i < n; i++)
    forget_rule(session, session->leaving[i]);
  free(ids);
  return code;
}

static int answer_rules_remove(struct session *session, struct shunt_error *error)
{
  int code = session->share ? remove_rules(session, error) : not_attached(error);
  session->leaving_count = 0;
  return code;
}

static int answer_rule_hits(struct session *session, uint32_t id, struct xdp_helper_reply *reply,
                            struct shunt_error *error)
{
  int place = find_rule(session, id, error);
  return place < 0
             ? place
             : session->world->system->filter_rule_hits(session->share->filter, session->ids[place],
                                                        &reply->packets, &reply->bytes, error);
}

/* ---- All of them ---- */

static int answer(struct session *session, const union xdp_helper_request *request, int fd,
                  struct xdp_helper_reply *reply, int *reply_fd, struct shunt_error *error)
{
  int code;
  if (request->head.type == XDP_HELPER_HELLO)
    return answer_hello(session, &request->hello, error);
  if (!session->entry)
    return shunt_error_set(error, -ENOTCONN, "the helper was not told which interface it is about");
  switch (request->head.type) {
  case XDP_HELPER_SETUP:
    return answer_setup(session, &request->setup, error);
  case XDP_HELPER_SOCKET_NEW:
    return answer_socket_new(session, &request->socket, reply_fd, error);
  case XDP_HELPER_RULE_STAGE:
    code = answer_stage(session, request->rule.text, error);
    if (code < 0)
      drop_staged(session); /* half of a list is no list */
    return code;
  case XDP_HELPER_ATTACH:
    return answer_attach(session, &request->attach, &reply->value, error);
  case XDP_HELPER_DETACH:
    detach(session);
    return 0;
  case XDP_HELPER_SOCKET_SET:
    return answer_socket_set(session, request->number.number, fd, error);
  case XDP_HELPER_SOCKET_CLEAR:
    return session->share
               ? share_socket_clear(session->share, session, request->number.number, error)
               : 0;
  case XDP_HELPER_RULES_ADD:
    return answer_rules_add(session, &reply->value, error);
  case XDP_HELPER_ID_STAGE:
    return answer_id_stage(session, request->number.number, error);
  case XDP_HELPER_RULES_REMOVE:
    return answer_rules_remove(session, error);
  default:
    return answer_rule_hits(session, request->number.number, reply, error);
  }
}

void session_answer(struct session *session, const union xdp_helper_request *request, int fd,
                    struct xdp_helper_reply *reply, int *reply_fd)
{
  struct shunt_error error = {0};
  memset(reply, 0, sizeof(*reply));
  *reply_fd = -1;
  reply->code = answer(session, request, fd, reply, reply_fd, &error);
  reply->head.magic = XDP_HELPER_MAGIC;
  reply->head.version = XDP_HELPER_VERSION;
  reply->head.type = request->head.type;
  if (reply->code == 0)
    return;
  memcpy(reply->what, error.what, sizeof(reply->what));
  memcpy(reply->why, error.why, sizeof(reply->why));
  memcpy(reply->remedy, error.remedy, sizeof(reply->remedy));
  shunt_log_write(session->world->log, SHUNT_LOG_INFO, "user %u: %s: %s",
                  (unsigned)session->peer.user, error.what, error.why);
}
