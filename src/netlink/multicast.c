/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/multicast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/netlink/interface.h"
#include "src/netlink/membership.h"

struct shunt_multicast {
  struct membership *membership;
  char interface[IF_NAMESIZE];
};

#define XDP_PORT "xdp:"

/* The interface that a name means: itself, or what stands between "xdp:" and '?'. */
static int interface_of(const char *name, struct interface_state *state, struct shunt_error *error)
{
  char interface[INTERFACE_NAME_BYTES];
  bool port = !strncmp(name, XDP_PORT, strlen(XDP_PORT));
  const char *from = port ? name + strlen(XDP_PORT) : name;
  size_t length = port ? strcspn(from, "?") : strlen(from);
  if (length < sizeof(interface)) {
    snprintf(interface, sizeof(interface), "%.*s", (int)length, from);
    int code = interface_read(interface, state, error);
    if (code != -ENODEV)
      return code;
  }
  if (!port && strchr(name, ':')) {
    shunt_error_set(error, -EOPNOTSUPP, "can't join groups on %.100s", name);
    shunt_error_why(error, "the kernel does not have this device, and so sends no reports there");
    shunt_error_remedy(error, "shunt_port_multicast_add for the card's filter, and reports as "
                              "frames: shunt/igmp.h");
    return -EOPNOTSUPP;
  }
  shunt_error_set(error, -ENODEV, "can't join groups on %.100s", name);
  shunt_error_why(error, "there is no such interface in this network namespace");
  return -ENODEV;
}

int shunt_multicast_open(const char *name, struct shunt_multicast **multicast,
                         struct shunt_error *error)
{
  struct shunt_multicast *new = calloc(1, sizeof(*new));
  if (!new)
    return shunt_error_set(error, -ENOMEM, "can't join groups: out of memory");
  struct interface_state state;
  int code = interface_of(name, &state, error);
  if (code == 0) {
    memcpy(new->interface, state.name, sizeof(new->interface));
    code = membership_open(state.ifindex, &new->membership, error);
  }
  if (code < 0) {
    free(new);
    return code;
  }
  *multicast = new;
  return 0;
}

static bool read_address(const char *text, struct sockaddr_storage *address)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
  memset(address, 0, sizeof(*address));
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
    address->ss_family = AF_INET;
  else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
    address->ss_family = AF_INET6;
  return address->ss_family != 0;
}

typedef int change_function(struct membership *membership, const struct sockaddr *group,
                            const struct sockaddr *source, struct shunt_error *error);

static int change(struct shunt_multicast *multicast, const char *group, const char *source,
                  const char *verb, change_function *function, struct shunt_error *error)
{
  struct sockaddr_storage addresses[2];
  int code = 0;
  if (!read_address(group, &addresses[0]) || (source && !read_address(source, &addresses[1]))) {
    code = shunt_error_set(error, -EINVAL, "the address is none of IPv4 or IPv6");
    shunt_error_why(error, "they look like 239.1.1.1 or ff3e::8000:1");
  } else {
    code = function(multicast->membership, (struct sockaddr *)&addresses[0],
                    source ? (struct sockaddr *)&addresses[1] : NULL, error);
  }
  if (code == 0)
    return 0;
  return shunt_error_within(error, code, "can't %s %.46s%s%.46s on %s", verb, group,
                            source ? " from " : "", source ? source : "", multicast->interface);
}

int shunt_multicast_join(struct shunt_multicast *multicast, const char *group, const char *source,
                         struct shunt_error *error)
{
  return change(multicast, group, source, "join", membership_join, error);
}

int shunt_multicast_leave(struct shunt_multicast *multicast, const char *group, const char *source,
                          struct shunt_error *error)
{
  return change(multicast, group, source, "leave", membership_leave, error);
}

void shunt_multicast_close(struct shunt_multicast *multicast)
{
  if (!multicast)
    return;
  membership_close(multicast->membership);
  free(multicast);
}
