/* SPDX-License-Identifier: BSD-2-Clause */
/* The program of one interface, shared by the helper's clients there: their rules stand in it one
 * client's behind the other's, and each queue is one client's. It is loaded for the first client
 * and goes with the last one. */
#ifndef SRC_XDP_HELPER_SHARE_H
#define SRC_XDP_HELPER_SHARE_H

#include "src/bpf/filter.h"
#include "src/netlink/interface.h"
#include "src/netlink/setup.h"
#include "src/xdp_helper/socket_options.h"

#define SHARE_QUEUES_MOST 4096

/* What the helper asks of the kernel; a test passes its own. */
struct share_system {
  int (*filter_open)(const struct filter_options *options, const struct shunt_xdp_rule rules[],
                     unsigned n, struct filter **filter, struct shunt_error *error);
  void (*filter_close)(struct filter *filter);
  int (*filter_socket_set)(struct filter *filter, uint32_t queue, int socket,
                           struct shunt_error *error);
  int (*filter_socket_clear)(struct filter *filter, uint32_t queue, struct shunt_error *error);
  int (*filter_rules_add)(struct filter *filter, const struct shunt_xdp_rule rules[], unsigned n,
                          uint32_t ids[], struct shunt_error *error);
  int (*filter_rules_remove)(struct filter *filter, const uint32_t ids[], unsigned n,
                             struct shunt_error *error);
  int (*filter_rule_hits)(struct filter *filter, uint32_t id, uint64_t *packets, uint64_t *bytes,
                          struct shunt_error *error);
  enum filter_time (*filter_receive_time)(const struct filter *filter, const char **why);
  /* ifindex: to which alone it can be bound; 0: to any */
  int (*socket_new)(const struct xdp_socket_wanted *wanted, int ifindex, int *fd,
                    struct shunt_error *error);
  int (*setup_open)(const char *directory, const char *interface, const struct setup_wanted *wanted,
                    const struct shunt_log *log, struct setup **setup, struct shunt_error *error);
  int (*setup_close)(struct setup *setup, struct shunt_error *error);
  int (*interface_read)(const char *name, struct interface_state *state, struct shunt_error *error);
};

extern const struct share_system share_real_system;

struct share {
  struct share *next;
  const struct share_system *system;
  struct filter_options options; /* as the first client asked */
  char interface[IF_NAMESIZE];
  struct filter *filter;
  unsigned clients;
  const void **owners; /* of each queue: a client, or NULL */
};

/* Join the program of options->ifindex among shares, or load it.
 *
 * rules, n  n >= 1
 * ids       what the filter calls them; room for n
 * Returns   0; -EBUSY (it is there, and otherwise than asked: the error says in what); errors of
 *           filter_open and filter_rules_add, with nothing changed */
int share_join(struct share **shares, const struct share_system *system,
               const struct filter_options *options, const struct shunt_xdp_rule rules[],
               unsigned n, uint32_t ids[], struct share **share, struct shunt_error *error);

/* Take a client's rules and queues out, and the program off with the last client. */
void share_leave(struct share **shares, struct share *share, const void *client,
                 const uint32_t ids[], unsigned n);

/* Give a queue to a client's socket. -EBUSY: another client has it. */
int share_socket_set(struct share *share, const void *client, uint32_t queue, int socket,
                     struct shunt_error *error);
/* Take it back. 0 also where the client does not have it. */
int share_socket_clear(struct share *share, const void *client, uint32_t queue,
                       struct shunt_error *error);

#endif
