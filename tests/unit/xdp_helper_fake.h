/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel of the helper's: filters, sockets and set-ups that only count. What is left at the end
 * is what a client's death would have left behind. */
#ifndef TESTS_UNIT_XDP_HELPER_FAKE_H
#define TESTS_UNIT_XDP_HELPER_FAKE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/xdp_helper/share.h"

#define FAKE_IFINDEX 7
#define FAKE_QUEUES  4
#define FAKE_RULES   64

struct fake_kernel {
  unsigned filters, setups, sockets;
  bool queues[FAKE_QUEUES];
  bool rules[FAKE_RULES];
  unsigned next_rule;
  unsigned changes; /* of the rules of a filter that is there */
  bool refuse_filter;
  struct xdp_socket_wanted wanted; /* of the last socket */
  int held_to;                     /* likewise: the interface, or 0 */
};

/* One for a process, as the kernel is: the table of functions has no context to find it by. */
static struct fake_kernel fake;

static inline unsigned fake_live_rules(void)
{
  unsigned count = 0;
  for (unsigned i = 0; i < FAKE_RULES; i++)
    count += fake.rules[i];
  return count;
}

static inline int fake_filter_open(const struct filter_options *options,
                                   const struct shunt_xdp_rule rules[], unsigned n,
                                   struct filter **filter, struct shunt_error *error)
{
  (void)rules;
  if (fake.refuse_filter)
    return shunt_error_set(error, -EOPNOTSUPP, "no such mode here");
  if (options->queues != FAKE_QUEUES || n == 0 || n > FAKE_RULES)
    return shunt_error_set(error, -EINVAL, "%u queues, %u rules", options->queues, n);
  memset(fake.rules, 0, sizeof(fake.rules));
  memset(fake.rules, 1, n);
  fake.next_rule = n;
  fake.filters++;
  *filter = (struct filter *)&fake;
  return 0;
}

static inline void fake_filter_close(struct filter *filter)
{
  (void)filter;
  fake.filters--;
  memset(fake.rules, 0, sizeof(fake.rules));
  memset(fake.queues, 0, sizeof(fake.queues));
}

static inline int fake_socket_set(struct filter *filter, uint32_t queue, int socket,
                                  struct shunt_error *error)
{
  (void)filter;
  if (queue >= FAKE_QUEUES || socket < 0)
    return shunt_error_set(error, -EINVAL, "queue %u", queue);
  fake.queues[queue] = true;
  return 0;
}

static inline int fake_socket_clear(struct filter *filter, uint32_t queue,
                                    struct shunt_error *error)
{
  (void)filter;
  (void)error;
  fake.queues[queue] = false;
  return 0;
}

static inline int fake_rules_add(struct filter *filter, const struct shunt_xdp_rule rules[],
                                 unsigned n, uint32_t ids[], struct shunt_error *error)
{
  (void)filter;
  (void)rules;
  if (n > FAKE_RULES - fake.next_rule)
    return shunt_error_set(error, -E2BIG, "too many rules");
  for (unsigned i = 0; i < n; i++) {
    ids[i] = fake.next_rule++;
    fake.rules[ids[i]] = true;
  }
  fake.changes++;
  return 0;
}

static inline int fake_rules_remove(struct filter *filter, const uint32_t ids[], unsigned n,
                                    struct shunt_error *error)
{
  (void)filter;
  for (unsigned i = 0; i < n; i++) {
    bool there = ids[i] < FAKE_RULES && fake.rules[ids[i]];
    for (unsigned j = 0; j < i; j++)
      there &= ids[j] != ids[i];
    if (!there)
      return shunt_error_set(error, -ENOENT, "there is no rule %u", ids[i]);
  }
  for (unsigned i = 0; i < n; i++)
    fake.rules[ids[i]] = false;
  fake.changes++;
  return 0;
}

static inline int fake_rule_hits(struct filter *filter, uint32_t id, uint64_t *packets,
                                 uint64_t *bytes, struct shunt_error *error)
{
  (void)filter;
  (void)error;
  *packets = 100 + id;
  *bytes = 6400;
  return 0;
}

static inline enum filter_time fake_receive_time(const struct filter *filter, const char **why)
{
  (void)filter;
  *why = "";
  return FILTER_TIME_SOFTWARE;
}

static inline int fake_socket_new(const struct xdp_socket_wanted *wanted, int ifindex, int *fd,
                                  struct shunt_error *error)
{
  (void)error;
  *fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  fake.sockets++;
  fake.wanted = *wanted;
  fake.held_to = ifindex;
  return *fd < 0 ? -errno : 0;
}

static inline int fake_setup_open(const char *directory, const char *interface,
                                  const struct setup_wanted *wanted, const struct shunt_log *log,
                                  struct setup **setup, struct shunt_error *error)
{
  (void)directory;
  (void)interface;
  (void)wanted;
  (void)log;
  (void)error;
  fake.setups++;
  *setup = (struct setup *)&fake;
  return 0;
}

static inline int fake_setup_close(struct setup *setup, struct shunt_error *error)
{
  (void)setup;
  (void)error;
  fake.setups--;
  return 0;
}

static inline int fake_interface_read(const char *name, struct interface_state *state,
                                      struct shunt_error *error)
{
  if (strcmp(name, "eth0") != 0)
    return shunt_error_set(error, -ENODEV, "there is no %s", name);
  *state =
      (struct interface_state){.ifindex = FAKE_IFINDEX, .name = "eth0", .rx_queues = FAKE_QUEUES};
  return 0;
}

static const struct share_system fake_system = {
    .filter_open = fake_filter_open,
    .filter_close = fake_filter_close,
    .filter_socket_set = fake_socket_set,
    .filter_socket_clear = fake_socket_clear,
    .filter_rules_add = fake_rules_add,
    .filter_rules_remove = fake_rules_remove,
    .filter_rule_hits = fake_rule_hits,
    .filter_receive_time = fake_receive_time,
    .socket_new = fake_socket_new,
    .setup_open = fake_setup_open,
    .setup_close = fake_setup_close,
    .interface_read = fake_interface_read,
};

#endif
