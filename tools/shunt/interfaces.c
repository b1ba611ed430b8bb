/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/interfaces.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/shunt/tree.h"

struct list {
  struct interface *entries;
  int count, room;
  bool exhausted;
};

static struct interface *add(struct list *list)
{
  if (list->count == list->room) {
    int room = list->room ? 2 * list->room : 16;
    struct interface *entries = realloc(list->entries, (size_t)room * sizeof(*entries));
    if (!entries) {
      list->exhausted = true;
      return NULL;
    }
    list->entries = entries;
    list->room = room;
  }
  struct interface *interface = &list->entries[list->count++];
  memset(interface, 0, sizeof(*interface));
  return interface;
}

/* ---- Links ---- */

static int take_kind(const struct nlattr *attribute, void *context)
{
  struct interface *interface = context;
  if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND &&
      mnl_attr_validate(attribute, MNL_TYPE_STRING) == 0)
    snprintf(interface->driver, sizeof(interface->driver), "%s", mnl_attr_get_str(attribute));
  return MNL_CB_OK;
}

static int take_link(const struct nlattr *attribute, void *context)
{
  struct interface *interface = context;
  const uint8_t *mac = mnl_attr_get_payload(attribute);
  switch (mnl_attr_get_type(attribute)) {
  case IFLA_IFNAME:
    if (mnl_attr_validate(attribute, MNL_TYPE_STRING) == 0)
      snprintf(interface->name, sizeof(interface->name), "%s", mnl_attr_get_str(attribute));
    break;
  case IFLA_MTU:
    if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
      interface->mtu = mnl_attr_get_u32(attribute);
    break;
  case IFLA_ADDRESS:
    if (mnl_attr_get_payload_len(attribute) == 6)
      snprintf(interface->mac, sizeof(interface->mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
               mac[1], mac[2], mac[3], mac[4], mac[5]);
    break;
  case IFLA_LINKINFO:
    if (mnl_attr_validate(attribute, MNL_TYPE_NESTED) == 0)
      mnl_attr_parse_nested(attribute, take_kind, interface);
    break;
  default:
    break;
  }
  return MNL_CB_OK;
}

static int take_link_message(const struct nlmsghdr *header, void *context)
{
  const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
  struct interface *interface = add(context);
  if (!interface)
    return MNL_CB_STOP;
  interface->index = message->ifi_index;
  interface->up = message->ifi_flags & IFF_UP;
  interface->carrier = message->ifi_flags & IFF_RUNNING;
  mnl_attr_parse(header, sizeof(*message), take_link, interface);
  if (!*interface->driver)
    tree_link("", interface->driver, sizeof(interface->driver), "/sys/class/net/%s/device/driver",
              interface->name);
  return MNL_CB_OK;
}

/* ---- Addresses ---- */

struct address {
  const void *local, *address; /* of the message; local is ours where both are there */
  size_t local_bytes, address_bytes;
};

static int take_address(const struct nlattr *attribute, void *context)
{
  struct address *address = context;
  if (mnl_attr_get_type(attribute) == IFA_LOCAL) {
    address->local = mnl_attr_get_payload(attribute);
    address->local_bytes = mnl_attr_get_payload_len(attribute);
  } else if (mnl_attr_get_type(attribute) == IFA_ADDRESS) {
    address->address = mnl_attr_get_payload(attribute);
    address->address_bytes = mnl_attr_get_payload_len(attribute);
  }
  return MNL_CB_OK;
}

static void append(struct interface *interface, const char *text, unsigned prefix)
{
  size_t used = strlen(interface->addresses);
  char one[64];
  snprintf(one, sizeof(one), "%s%s/%u", used ? " " : "", text, prefix);
  if (used + strlen(one) < sizeof(interface->addresses))
    memcpy(interface->addresses + used, one, strlen(one) + 1);
}

static int take_address_message(const struct nlmsghdr *header, void *context)
{
  const struct list *list = context;
  const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
  struct address address = {0};
  char text[INET6_ADDRSTRLEN];
  mnl_attr_parse(header, sizeof(*message), take_address, &address);
  const void *bytes = address.local ? address.local : address.address;
  size_t length = address.local ? address.local_bytes : address.address_bytes;
  size_t wanted = message->ifa_family == AF_INET ? 4 : 16;
  if (!bytes || length != wanted || !inet_ntop(message->ifa_family, bytes, text, sizeof(text)))
    return MNL_CB_OK;
  for (int i = 0; i < list->count; i++)
    if ((uint32_t)list->entries[i].index == message->ifa_index)
      append(&list->entries[i], text, message->ifa_prefixlen);
  return MNL_CB_OK;
}

/* ---- Asking ---- */

/* Dump everything of one type through take. Returns 0 or -errno. */
static int ask(struct mnl_socket *socket, uint16_t type, mnl_cb_t take, struct list *list)
{
  char buffer[32768]; /* what the kernel fills at most: NLMSG_GOODSIZE, and 32 KiB for a dump */
  struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
  unsigned sequence = (unsigned)time(NULL) + type;
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = sequence;
  struct rtgenmsg *message = mnl_nlmsg_put_extra_header(
      header, type == RTM_GETLINK ? sizeof(struct ifinfomsg) : sizeof(struct ifaddrmsg));
  message->rtgen_family = AF_UNSPEC;
  if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
    return -errno;
  for (;;) {
    ssize_t bytes = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
    if (bytes < 0)
      return -errno;
    int more =
        mnl_cb_run(buffer, (size_t)bytes, sequence, mnl_socket_get_portid(socket), take, list);
    if (more < 0)
      return -errno;
    if (more == MNL_CB_STOP)
      return list->exhausted ? -ENOMEM : 0;
  }
}

int interfaces_list(struct interface **interfaces, struct shunt_error *error)
{
  struct list list = {0};
  int code = 0;
  struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
    code = -errno;
  if (code == 0)
    code = ask(socket, RTM_GETLINK, take_link_message, &list);
  if (code == 0)
    code = ask(socket, RTM_GETADDR, take_address_message, &list);
  if (socket)
    mnl_socket_close(socket);
  if (code < 0) {
    free(list.entries);
    shunt_error_set(error, code, "can't ask the kernel for its network interfaces");
    shunt_error_why(error, "rtnetlink: %s", strerror(-code));
    return code;
  }
  *interfaces = list.entries;
  return list.count;
}
