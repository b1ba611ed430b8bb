/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom the helper serves, and what each may have. One entry a line, or between '|'; '#' begins a
 * comment, which ends with the line:
 *
 *   user=trader interface=eth0 queues=0-3 setup=offloads rules=udp dst 239.0.0.0/8;arp
 *   group=bypass interface=*
 *
 *   user=, group=  one of them: a name, a number, or * for everybody
 *   interface=     its name, or *
 *   queues=        those that it may receive from: N or N-M; default: all. It can occupy, and send
 *                  on, any other that is free (protocol.h says why)
 *   setup=         what of the interface may be changed: no; offloads (what spoils frames: the
 *                  default); all (also channels, MTU, promiscuity, up)
 *   rules=         the rest of the line: rules of shunt/xdp_rule.h with ';' between them. A rule
 *                  that is asked for has to lie within one of them. Within one of action user,
 * rules to user and to pass are allowed; dropping needs one of action drop. Default: all
 *
 * The entries for a user and an interface are looked at in order; the first that fits counts. */
#ifndef SRC_XDP_HELPER_POLICY_H
#define SRC_XDP_HELPER_POLICY_H

#include <net/if.h>
#include <stdbool.h>
#include <sys/types.h>

#include "shunt/error.h"
#include "shunt/xdp_rule.h"

#define POLICY_ENTRIES 64
#define POLICY_RULES   16

enum policy_setup { POLICY_SETUP_NO, POLICY_SETUP_OFFLOADS, POLICY_SETUP_ALL };

struct policy_entry {
  bool everybody, is_group;
  uint32_t id;                 /* of the user or group */
  char interface[IF_NAMESIZE]; /* "*": any */
  uint32_t first_queue, last_queue;
  enum policy_setup setup;
  unsigned rule_count;
  struct shunt_xdp_rule rules[POLICY_RULES];
};

struct policy {
  unsigned count;
  struct policy_entry entries[POLICY_ENTRIES];
};

/* Who asks, as the kernel tells. */
struct policy_peer {
  uid_t user;
  gid_t group;
  const gid_t *groups; /* supplementary */
  unsigned group_count;
};

/* Add the entries of a text.
 *
 * source   what a person is told that it is, as "--allow" or a file's path
 * Returns  0; -EINVAL, -E2BIG, or errors of looking up a user or group: the error names the source,
 *          the line where there are several, and the word */
int policy_parse(struct policy *policy, const char *source, const char *text,
                 struct shunt_error *error);

/* The entry that counts, or NULL: not served there. served: whether the peer has any entry. */
const struct policy_entry *policy_find(const struct policy *policy, const struct policy_peer *peer,
                                       const char *interface, bool *served);

/* Whether a rule lies within what an entry allows. */
bool policy_allows_rule(const struct policy_entry *entry, const struct shunt_xdp_rule *rule);

/* Whether every frame that inner matches is matched by outer, whatever their actions. May say no
 * where it is so, never yes where it is not. */
bool policy_rule_within(const struct shunt_xdp_rule *inner, const struct shunt_xdp_rule *outer);

#endif
