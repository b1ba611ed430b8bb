/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/xdp_helper/share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/core/error_internal.h"

static int new_socket(const struct xdp_socket_wanted *wanted, int ifindex, int *fd,
                      struct shunt_error *error)
{
  const int new = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (new < 0)
    return error_set_errno(error, -errno, "the helper can't make an AF_XDP socket");
  int code = xdp_socket_options_set(setsockopt, new, wanted, error);
  if (code == 0 && ifindex)
    code = xdp_socket_hold(setsockopt, bind, new, ifindex, error);
  if (code)
    close(new);
  else
    *fd = new;
  return code;
}

const struct share_system share_real_system = {
    .filter_open = filter_open,
    .filter_close = filter_close,
    .filter_socket_set = filter_socket_set,
    .filter_socket_clear = filter_socket_clear,
    .filter_rules_add = filter_rules_add,
    .filter_rules_remove = filter_rules_remove,
    .filter_rule_hits = filter_rule_hits,
    .filter_receive_time = filter_receive_time,
    .socket_new = new_socket,
    .setup_open = setup_open,
    .setup_close = setup_close,
    .interface_read = interface_read,
};

static void release(struct share *share)
{
  share->system->filter_close(share->filter);
  free(share->owners);
  free(share);
}

/* Load the program for its first client. */
static int load(struct share **shares, const struct share_system *system,
                const struct filter_options *options, const struct shunt_xdp_rule rules[],
                unsigned n, uint32_t ids[], struct share **share, struct shunt_error *error)
{
  struct share *new = calloc(1, sizeof(*new));
  const void **owners = calloc(options->queues, sizeof(*owners));
  if (!new || !owners) {
    free(new);
    free(owners);
    return shunt_error_set(error, -ENOMEM, "the helper is out of memory");
  }
  new->system = system;
  new->options = *options;
  new->owners = owners;
  snprintf(new->interface, sizeof(new->interface), "%s", options->interface);
  new->options.interface = new->interface;
  int code = system->filter_open(&new->options, rules, n, &new->filter, error);
  if (code < 0) {
    free(owners);
    free(new);
    return code;
  }
  for (unsigned i = 0; i < n; i++)
    ids[i] = i;
  new->clients = 1;
  new->next = *shares;
  *shares = new;
  *share = new;
  return 0;
}

/* In what the program that is there is not as it is asked for; NULL: in nothing. */
static const char *differs(const struct filter_options *is, const struct filter_options *asked)
{
  if (is->mode != asked->mode)
    return "mode";
  if (is->queues < asked->queues)
    return "number of queues";
  if (is->fragments != asked->fragments)
    return "multi-buffer setting";
  if (is->receive_time != asked->receive_time)
    return "receive time setting";
  if (is->vlan != asked->vlan)
    return "handling of VLAN tags";
  return is->join != asked->join ? "joining of others" : NULL;
}

int share_join(struct share **shares, const struct share_system *system,
               const struct filter_options *options, const struct shunt_xdp_rule rules[],
               unsigned n, uint32_t ids[], struct share **share, struct shunt_error *error)
{
  struct share *there = *shares;
  while (there && there->options.ifindex != options->ifindex)
    there = there->next;
  if (!there)
    return load(shares, system, options, rules, n, ids, share, error);
  const char *other = differs(&there->options, options);
  if (other) {
    shunt_error_set(error, -EBUSY, "can't share the program on %s", there->interface);
    shunt_error_why(error, "another client of the helper has it with another %s", other);
    shunt_error_remedy(error, "ask for the same, or wait until that client has ended");
    return -EBUSY;
  }
  int code = system->filter_rules_add(there->filter, rules, n, ids, error);
  if (code < 0)
    return code;
  there->clients++;
  *share = there;
  return 0;
}

void share_leave(struct share **shares, struct share *share, const void *client,
                 const uint32_t ids[], unsigned n)
{
  struct share **at = shares;
  if (--share->clients == 0) {
    while (*at != share)
      at = &(*at)->next;
    *at = share->next;
    release(share);
    return;
  }
  for (uint32_t queue = 0; queue < share->options.queues; queue++)
    if (share->owners[queue] == client)
      share_socket_clear(share, client, queue, NULL);
  share->system->filter_rules_remove(share->filter, ids, n, NULL);
}

int share_socket_set(struct share *share, const void *client, uint32_t queue, int socket,
                     struct shunt_error *error)
{
  if (queue >= share->options.queues)
    return shunt_error_set(error, -EINVAL, "%s has no queue %u", share->interface, queue);
  if (share->owners[queue] && share->owners[queue] != client) {
    shunt_error_set(error, -EBUSY, "queue %u of %s is taken", queue, share->interface);
    shunt_error_why(error, "another client of the helper has it");
    shunt_error_remedy(error, "take another: queue=N");
    return -EBUSY;
  }
  int code = share->system->filter_socket_set(share->filter, queue, socket, error);
  if (code == 0)
    share->owners[queue] = client;
  return code;
}

int share_socket_clear(struct share *share, const void *client, uint32_t queue,
                       struct shunt_error *error)
{
  if (queue >= share->options.queues || share->owners[queue] != client)
    return 0;
  share->owners[queue] = NULL;
  return share->system->filter_socket_clear(share->filter, queue, error);
}
