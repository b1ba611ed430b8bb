/* SPDX-License-Identifier: BSD-2-Clause */
/* One client of the helper: what it has, and the answers to its requests. Nothing here knows of
 * sockets to clients: a request comes in, a reply goes out. */
#ifndef SRC_XDP_HELPER_SESSION_H
#define SRC_XDP_HELPER_SESSION_H

#include "shunt/log.h"
#include "src/xdp_helper/policy.h"
#include "src/xdp_helper/protocol.h"
#include "src/xdp_helper/share.h"

#define SESSION_RULES   SHUNT_XDP_RULES_MOST
#define SESSION_SOCKETS 256

/* What all clients share. */
struct session_world {
  const struct policy *policy;
  const struct share_system *system;
  const char *journals; /* directory; NULL: the usual */
  const struct shunt_log *log;
  struct share *shares;
};

struct session {
  struct session_world *world;
  struct policy_peer peer;
  const struct policy_entry *entry; /* NULL: no HELLO yet */
  char interface[IF_NAMESIZE];
  int ifindex;
  struct setup *setup;
  struct share *share;           /* NULL: not attached */
  struct shunt_xdp_rule *staged; /* for ATTACH or RULES_ADD */
  unsigned staged_count;
  uint32_t *leaving; /* for RULES_REMOVE: ids of the client */
  unsigned leaving_count;
  uint32_t *names, *ids; /* of each of its rules: what the client calls it, and the filter */
  unsigned rule_count;
  uint32_t next_name;
  unsigned sockets;
};

void session_open(struct session *session, struct session_world *world,
                  const struct policy_peer *peer);

/* Answer a request that xdp_helper_request_check has passed.
 *
 * fd        the descriptor that came with it, or -1; the caller's
 * reply_fd  one to send with the reply and to close then; -1: none */
void session_answer(struct session *session, const union xdp_helper_request *request, int fd,
                    struct xdp_helper_reply *reply, int *reply_fd);

/* Undo all that was done for it. */
void session_close(struct session *session);

#endif
