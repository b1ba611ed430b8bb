/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "shunt/region.h"
#include "src/core/sysfs.h"
#include "src/netlink/ethtool.h"
#include "src/netlink/netlink.h"

#ifndef IFLA_ALT_IFNAME
#define IFLA_ALT_IFNAME 53 /* uapi/linux/if_link.h, Linux 5.5 */
#endif
#ifndef IFLA_PARENT_DEV_NAME
#define IFLA_PARENT_DEV_NAME 56 /* uapi/linux/if_link.h, Linux 5.14 */
#endif

/* ---- A link's attributes ---- */

static int take_kind(const struct nlattr *attribute, void *context)
{
  struct interface_state *state = context;
  if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
    netlink_text(attribute, state->driver, sizeof(state->driver));
  return MNL_CB_OK;
}

static int take_xdp(const struct nlattr *attribute, void *context)
{
  struct interface_state *state = context;
  uint32_t *const places[] = {
      [IFLA_XDP_PROG_ID] = &state->xdp_program,
      [IFLA_XDP_DRV_PROG_ID] = &state->xdp_program_drv,
      [IFLA_XDP_SKB_PROG_ID] = &state->xdp_program_skb,
      [IFLA_XDP_HW_PROG_ID] = &state->xdp_program_hw,
  };
  unsigned type = mnl_attr_get_type(attribute);
  if (type == IFLA_XDP_ATTACHED && mnl_attr_get_payload_len(attribute) >= 1)
    state->xdp_attached = mnl_attr_get_u8(attribute);
  else if (type < sizeof(places) / sizeof(places[0]) && places[type])
    *places[type] = netlink_u32(attribute, 0);
  return MNL_CB_OK;
}

struct link {
  struct interface_state *state;
  uint32_t lower; /* IFLA_LINK: for a veth its peer */
  bool lower_elsewhere;
  int lower_space; /* IFLA_LINK_NETNSID */
  char parent[64]; /* "0000:03:00.0", "virtio1" */
};

/* A kernel has more counters or fewer: those that are there are taken. */
static void take_statistics(const struct nlattr *attribute, struct interface_state *state)
{
  struct rtnl_link_stats64 statistics = {0};
  const size_t there = mnl_attr_get_payload_len(attribute);
  memcpy(&statistics, mnl_attr_get_payload(attribute),
         there < sizeof(statistics) ? there : sizeof(statistics));
  state->rx_missed = statistics.rx_missed_errors;
}

static int take_link(const struct nlattr *attribute, void *context)
{
  struct link *link = context;
  struct interface_state *state = link->state;
  switch (mnl_attr_get_type(attribute)) {
  case IFLA_IFNAME:
    netlink_text(attribute, state->name, sizeof(state->name));
    break;
  case IFLA_MTU:
    state->mtu = netlink_u32(attribute, 0);
    break;
  case IFLA_MAX_MTU:
    state->mtu_max = netlink_u32(attribute, 0);
    break;
  case IFLA_PROMISCUITY:
    state->promiscuity = netlink_u32(attribute, 0);
    break;
  case IFLA_NUM_RX_QUEUES:
    state->rx_queues = netlink_u32(attribute, 0);
    break;
  case IFLA_NUM_TX_QUEUES:
    state->tx_queues = netlink_u32(attribute, 0);
    break;
  case IFLA_ADDRESS:
    state->has_mac = mnl_attr_get_payload_len(attribute) == sizeof(state->mac);
    if (state->has_mac)
      memcpy(&state->mac, mnl_attr_get_payload(attribute), sizeof(state->mac));
    break;
  case IFLA_STATS64:
    take_statistics(attribute, state);
    break;
  case IFLA_LINK:
    link->lower = netlink_u32(attribute, 0);
    break;
  case IFLA_LINK_NETNSID:
    link->lower_elsewhere = true;
    link->lower_space = (int)netlink_u32(attribute, UINT32_MAX);
    break;
  case IFLA_PARENT_DEV_NAME:
    netlink_text(attribute, link->parent, sizeof(link->parent));
    break;
  case IFLA_LINKINFO:
    mnl_attr_parse_nested(attribute, take_kind, state);
    break;
  case IFLA_XDP:
    mnl_attr_parse_nested(attribute, take_xdp, state);
    break;
  default:
    break;
  }
  return MNL_CB_OK;
}

/* A card's node is looked up by its PCI address, which, unlike the name of an interface, means the
 * same in each network namespace. */
static int node_of(const char *parent)
{
  char path[128];
  int node;
  snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", parent);
  return *parent && sysfs_read_int(path, &node) == 0 && node >= 0 ? node : SHUNT_NUMA_ANY;
}

static void read_link(const struct nlmsghdr *header, struct interface_state *state)
{
  struct link link = {.state = state};
  const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
  memset(state, 0, sizeof(*state));
  if (mnl_nlmsg_get_payload_len(header) < sizeof(*message))
    return;
  state->ifindex = message->ifi_index;
  state->up = message->ifi_flags & IFF_UP;
  state->carrier = message->ifi_flags & IFF_RUNNING;
  mnl_attr_parse(header, sizeof(*message), take_link, &link);
  state->numa_node = node_of(link.parent);
  if (!strcmp(state->driver, "veth")) {
    state->peer = (int)link.lower;
    state->peer_is_here = link.lower && !link.lower_elsewhere;
    state->peer_space = link.lower_space;
  }
}

static int take_one(const struct nlmsghdr *header, void *context)
{
  read_link(header, context);
  return MNL_CB_OK;
}

/* ---- One interface ---- */

/* By IFLA_IFNAME the kernel takes short altnames, too; long ones don't fit there. One before 5.5
 * does not know the question. */
static int ask_link(struct netlink *netlink, const char *name, int ifindex,
                    struct interface_state *state)
{
  const bool is_long = name && strlen(name) >= IF_NAMESIZE;
  char buffer[NETLINK_REQUEST_BYTES];
  struct ifinfomsg *message;
  int code = netlink_open(netlink, NETLINK_ROUTE);
  if (code < 0)
    return code;
  struct nlmsghdr *request =
      netlink_begin(netlink, buffer, RTM_GETLINK, 0, (void *)&message, sizeof(*message));
  message->ifi_family = AF_UNSPEC;
  message->ifi_index = ifindex;
  if (name)
    mnl_attr_put_strz(request, is_long ? IFLA_ALT_IFNAME : IFLA_IFNAME, name);
  code = netlink_talk(netlink, request, take_one, state);
  netlink_close(netlink);
  return code == -EINVAL && is_long ? -ENODEV : code;
}

static int read_one(const char *name, int ifindex, struct interface_state *state,
                    struct shunt_error *error)
{
  struct netlink netlink;
  char whose[SHUNT_ERROR_TEXT_BYTES];
  if (name)
    snprintf(whose, sizeof(whose), "\"%s\"", name);
  else
    snprintf(whose, sizeof(whose), "of index %d", ifindex);
  memset(state, 0, sizeof(*state));
  int code = name && (!*name || strlen(name) >= INTERFACE_NAME_BYTES)
                 ? -ENODEV
                 : ask_link(&netlink, name, ifindex, state);
  if (code == 0 && state->ifindex) {
    ethtool_read(state);
    netdev_read(state);
    return 0;
  }
  code = code ? code : -ENODEV;
  shunt_error_set(error, code, "there is no network interface %s", whose);
  if (code == -ENODEV) {
    shunt_error_why(error, "the kernel knows none of that name in this network namespace");
    shunt_error_remedy(error, "shunt info lists those that are here");
    return code;
  }
  shunt_error_set(error, code, "can't ask the kernel for the interface %s", whose);
  netlink_why(&netlink, code, error);
  return code;
}

int interface_read(const char *name, struct interface_state *state, struct shunt_error *error)
{
  return read_one(name, 0, state, error);
}

int interface_read_index(int ifindex, struct interface_state *state, struct shunt_error *error)
{
  return read_one(NULL, ifindex, state, error);
}

/* One question, and nothing of ethtool. */
static int read_link_alone(int ifindex, struct interface_state *state)
{
  memset(state, 0, sizeof(*state));
  int code = ask_link(&(struct netlink){0}, NULL, ifindex, state);
  return code == 0 && !state->ifindex ? -ENODEV : code;
}

int interface_read_missed(int ifindex, uint64_t *frames)
{
  struct interface_state state;
  int code = read_link_alone(ifindex, &state);
  if (code == 0)
    *frames = state.rx_missed;
  return code;
}

int interface_read_program(int ifindex, uint32_t *program)
{
  struct interface_state state;
  int code = read_link_alone(ifindex, &state);
  if (code == 0)
    *program = state.xdp_program_hw    ? state.xdp_program_hw
               : state.xdp_program_drv ? state.xdp_program_drv
                                       : state.xdp_program_skb;
  return code;
}

/* ---- All of them ---- */

struct walk {
  int (*each_link)(void *context, const struct interface_state *state);
  int (*each_address)(void *context, int ifindex, const char *text);
  void *context;
  int result; /* what each returned, where it ended the walk */
};

static int walk_result(struct walk *walk, int result)
{
  if (result >= 0)
    return MNL_CB_OK;
  walk->result = result;
  return MNL_CB_STOP;
}

static int take_each_link(const struct nlmsghdr *header, void *context)
{
  struct walk *walk = context;
  struct interface_state state;
  read_link(header, &state);
  ethtool_read_driver(&state);
  return walk_result(walk, walk->each_link(walk->context, &state));
}

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

static int take_each_address(const struct nlmsghdr *header, void *context)
{
  struct walk *walk = context;
  const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
  struct address address = {0};
  char ip[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];
  mnl_attr_parse(header, sizeof(*message), take_address, &address);
  const void *bytes = address.local ? address.local : address.address;
  size_t length = address.local ? address.local_bytes : address.address_bytes;
  size_t wanted = message->ifa_family == AF_INET ? 4 : 16;
  if (!bytes || length != wanted || !inet_ntop(message->ifa_family, bytes, ip, sizeof(ip)))
    return MNL_CB_OK;
  snprintf(text, sizeof(text), "%s/%u", ip, message->ifa_prefixlen);
  return walk_result(walk, walk->each_address(walk->context, (int)message->ifa_index, text));
}

static int walk_all(uint16_t type, size_t head_bytes, mnl_cb_t take, struct walk *walk,
                    struct shunt_error *error)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct netlink netlink;
  struct rtgenmsg *message;
  int code = netlink_open(&netlink, NETLINK_ROUTE);
  if (code == 0) {
    struct nlmsghdr *request =
        netlink_begin(&netlink, buffer, type, NLM_F_DUMP, (void *)&message, head_bytes);
    message->rtgen_family = AF_UNSPEC;
    code = netlink_talk(&netlink, request, take, walk);
    netlink_close(&netlink);
  }
  if (code == 0)
    return walk->result;
  shunt_error_set(error, code, "can't ask the kernel for its network interfaces");
  netlink_why(&netlink, code, error);
  return code;
}

int interface_list(int (*each)(void *context, const struct interface_state *state), void *context,
                   struct shunt_error *error)
{
  struct walk walk = {.each_link = each, .context = context};
  return walk_all(RTM_GETLINK, sizeof(struct ifinfomsg), take_each_link, &walk, error);
}

int interface_list_addresses(int (*each)(void *context, int ifindex, const char *text),
                             void *context, struct shunt_error *error)
{
  struct walk walk = {.each_address = each, .context = context};
  return walk_all(RTM_GETADDR, sizeof(struct ifaddrmsg), take_each_address, &walk, error);
}

/* ---- Changes ---- */

static int set_link(int ifindex, unsigned flags, unsigned change, uint32_t mtu, const char *what,
                    struct shunt_error *error)
{
  char buffer[NETLINK_REQUEST_BYTES], name[IF_NAMESIZE] = "?";
  struct netlink netlink;
  struct ifinfomsg *message;
  int code = netlink_open(&netlink, NETLINK_ROUTE);
  if (code == 0) {
    struct nlmsghdr *request =
        netlink_begin(&netlink, buffer, RTM_NEWLINK, 0, (void *)&message, sizeof(*message));
    message->ifi_index = ifindex;
    message->ifi_flags = flags;
    message->ifi_change = change;
    if (mtu)
      mnl_attr_put_u32(request, IFLA_MTU, mtu);
    code = netlink_talk(&netlink, request, NULL, NULL);
    netlink_close(&netlink);
  }
  if (code == 0)
    return 0;
  if_indextoname((unsigned)ifindex, name);
  shunt_error_set(error, code, "can't set %s %s", name, what);
  netlink_why(&netlink, code, error);
  if (code == -EPERM)
    shunt_error_remedy(error, "run with CAP_NET_ADMIN");
  return code;
}

int interface_set_up(int ifindex, bool up, struct shunt_error *error)
{
  return set_link(ifindex, up ? IFF_UP : 0, IFF_UP, 0, up ? "up" : "down", error);
}

int interface_set_mtu(int ifindex, uint32_t mtu, struct shunt_error *error)
{
  char what[32];
  snprintf(what, sizeof(what), "to an MTU of %u", mtu);
  int code = set_link(ifindex, 0, 0, mtu, what, error);
  if (code == -EINVAL)
    shunt_error_remedy(error, "shunt info IFACE says what the driver takes; with an XDP program in "
                              "the driver that is less, unless it takes frames in pieces");
  return code;
}
