/* SPDX-License-Identifier: BSD-2-Clause */
/* What of AF_XDP needs privilege, done by this process: CAP_NET_RAW for the sockets, CAP_BPF and
 * CAP_NET_ADMIN for the program, CAP_NET_ADMIN for changes of the interface. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/xdp.h"
#include "src/bpf/explain.h"
#include "src/bpf/features.h"
#include "src/bpf/filter.h"
#include "src/core/error_internal.h"
#include "src/netlink/interface.h"
#include "src/netlink/setup.h"
#include "src/nic/xdp/access.h"
#include "src/xdp_helper/socket_options.h"

struct direct {
  struct xdp_access access;
  char interface[IF_NAMESIZE];
  int ifindex;
  const struct shunt_log *log;
  struct filter *filter;
  struct setup *setup;
};

static struct direct *of(struct xdp_access *access)
{
  return (struct direct *)access;
}

static int no_socket(int code, struct shunt_error *error)
{
  error_set_errno(error, code, "can't make an AF_XDP socket");
  if (code == -EPERM) {
    shunt_error_why(error, "Operation not permitted (EPERM): this process has no CAP_NET_RAW");
    shunt_error_remedy(error, EXPLAIN_SETCAP "; or have `shunt xdp-helper` make it (helper=1)");
  } else if (code == -EAFNOSUPPORT) {
    shunt_error_remedy(error, "take a kernel with CONFIG_XDP_SOCKETS (Linux 4.18)");
  }
  return code;
}

static int direct_socket(struct xdp_access *access, const struct xdp_socket_wanted *wanted, int *fd,
                         struct shunt_error *error)
{
  (void)access;
  const int new = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (new < 0)
    return no_socket(-errno, error);
  const int result = xdp_socket_options_set(setsockopt, new, wanted, error);
  if (result)
    close(new);
  else
    *fd = new;
  return result;
}

static int direct_attach(struct xdp_access *access, const struct xdp_attach *attach,
                         struct xdp_attached *attached, struct shunt_error *error)
{
  struct direct *direct = of(access);
  const struct filter_options options = {
      .ifindex = direct->ifindex,
      .interface = direct->interface,
      .queues = attach->queues,
      .queues_used = attach->queues_used,
      .mode = attach->mode,
      .fragments = attach->fragments,
      .receive_time = attach->receive_time != FILTER_TIME_NONE,
      .software_time = attach->receive_time == FILTER_TIME_SOFTWARE,
      .join = attach->join,
      .vlan = (enum filter_vlan)attach->vlan,
  };
  const char *why;
  int result = filter_open(&options, attach->rules, attach->rule_count, &direct->filter, error);
  if (!result)
    attached->time = (uint8_t)filter_receive_time(direct->filter, &why);
  return result;
}

static void direct_detach(struct xdp_access *access)
{
  filter_close(of(access)->filter);
  of(access)->filter = NULL;
}

static int direct_check(struct xdp_access *access, struct shunt_error *error)
{
  return filter_check(of(access)->filter, error);
}

static int direct_socket_set(struct xdp_access *access, uint32_t queue, int fd,
                             struct shunt_error *error)
{
  return filter_socket_set(of(access)->filter, queue, fd, error);
}

static int direct_socket_clear(struct xdp_access *access, uint32_t queue, struct shunt_error *error)
{
  return filter_socket_clear(of(access)->filter, queue, error);
}

static int direct_rules_add(struct xdp_access *access, const struct shunt_xdp_rule rules[],
                            unsigned n, uint32_t ids[], struct shunt_error *error)
{
  return filter_rules_add(of(access)->filter, rules, n, ids, error);
}

static int direct_rules_remove(struct xdp_access *access, const uint32_t ids[], unsigned n,
                               struct shunt_error *error)
{
  return filter_rules_remove(of(access)->filter, ids, n, error);
}

static int direct_rule_hits(struct xdp_access *access, uint32_t id, uint64_t *packets,
                            uint64_t *bytes, struct shunt_error *error)
{
  return filter_rule_hits(of(access)->filter, id, packets, bytes, error);
}

static int direct_setup(struct xdp_access *access, const struct setup_wanted *wanted,
                        struct shunt_error *error)
{
  struct direct *direct = of(access);
  return setup_open(NULL, direct->interface, wanted, direct->log, &direct->setup, error);
}

static void direct_close(struct xdp_access *access)
{
  struct direct *direct = of(access);
  filter_close(direct->filter);
  setup_close(direct->setup, NULL);
  free(direct);
}

static const struct xdp_access_ops direct_ops = {
    .socket = direct_socket,
    .attach = direct_attach,
    .detach = direct_detach,
    .check = direct_check,
    .socket_set = direct_socket_set,
    .socket_clear = direct_socket_clear,
    .rules_add = direct_rules_add,
    .rules_remove = direct_rules_remove,
    .rule_hits = direct_rule_hits,
    .setup = direct_setup,
    .close = direct_close,
};

int xdp_access_direct_open(const char *interface, int ifindex, const struct shunt_log *log,
                           struct xdp_access **access, struct shunt_error *error)
{
  struct direct *direct = calloc(1, sizeof(*direct));
  if (!direct)
    return error_set_errno(error, -ENOMEM, "no memory for a port");
  direct->access.ops = &direct_ops;
  direct->ifindex = ifindex;
  direct->log = log;
  snprintf(direct->interface, sizeof(direct->interface), "%s", interface);
  *access = &direct->access;
  return 0;
}
