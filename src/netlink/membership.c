/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/membership.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/core/error_internal.h"

/* One group of one source, or of any, and the socket that holds it. A socket has room for 20 IPv4
 * groups and 10 sources of each (net.ipv4.igmp_max_memberships, igmp_max_msf), so there may be more
 * than one. */
struct join {
  struct sockaddr_storage group, source; /* source.ss_family 0: any */
  int socket;
};

struct membership {
  int ifindex;
  int *sockets;
  unsigned socket_count;
  struct join *joins;
  unsigned join_count;
  struct shunt_mac *macs;
  unsigned mac_count;
  int packet; /* holds addresses and promiscuity; -1: not there yet */
  bool promiscuous;
};

int membership_open(int ifindex, struct membership **membership, struct shunt_error *error)
{
  char name[IF_NAMESIZE];
  if (!if_indextoname((unsigned)ifindex, name))
    return error_set_errno(error, -ENODEV, "there is no network interface of index %d", ifindex);
  struct membership *new = calloc(1, sizeof(*new));
  if (!new)
    return error_set_errno(error, -ENOMEM, "can't keep memberships of %s", name);
  new->ifindex = ifindex;
  new->packet = -1;
  *membership = new;
  return 0;
}

void membership_close(struct membership *membership)
{
  if (!membership)
    return;
  for (unsigned i = 0; i < membership->socket_count; i++)
    close(membership->sockets[i]);
  if (membership->packet >= 0)
    close(membership->packet);
  free(membership->sockets);
  free(membership->joins);
  free(membership->macs);
  free(membership);
}

/* Room for one more element behind count. Returns the array, or NULL with the old one untouched. */
static void *grow(void *array, unsigned count, size_t bytes)
{
  return realloc(array, (count + 1) * bytes);
}

/* ---- Groups ---- */

static socklen_t address_bytes(sa_family_t family)
{
  return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
  if (a->sa_family != b->sa_family)
    return false;
  if (a->sa_family == AF_INET)
    return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)b)->sin_addr.s_addr;
  return !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                 &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr));
}

static bool is_group(const struct sockaddr *address)
{
  if (address->sa_family == AF_INET)
    return IN_MULTICAST(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
  return address->sa_family == AF_INET6 &&
         IN6_IS_ADDR_MULTICAST(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* RFC 3678, section 5: the protocol-independent calls. */
static int change_group(const struct membership *membership, int fd, bool add,
                        const struct sockaddr *group, const struct sockaddr *source)
{
  int level = group->sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  struct group_req any = {.gr_interface = (uint32_t)membership->ifindex};
  struct group_source_req one = {.gsr_interface = (uint32_t)membership->ifindex};
  memcpy(&any.gr_group, group, address_bytes(group->sa_family));
  memcpy(&one.gsr_group, group, address_bytes(group->sa_family));
  if (source)
    memcpy(&one.gsr_source, source, address_bytes(source->sa_family));
  int result =
      source ? setsockopt(fd, level, add ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, &one,
                          sizeof(one))
             : setsockopt(fd, level, add ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &any, sizeof(any));
  return result ? -errno : 0;
}

static int new_socket(struct membership *membership)
{
  int *sockets = grow(membership->sockets, membership->socket_count, sizeof(*sockets));
  if (!sockets)
    return -ENOMEM;
  membership->sockets = sockets;
  /* An IPv6 socket holds groups of both families (setsockopt level IPPROTO_IP reaches an IPv6
   * socket's IPv4 half), but not where IPv6 is switched off. */
  int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  sockets[membership->socket_count++] = fd;
  return fd;
}

/* Join on the first socket that has room. All sources of a group are on the socket that has it. */
static int join_somewhere(struct membership *membership, const struct sockaddr *group,
                          const struct sockaddr *source)
{
  for (unsigned i = 0; i < membership->socket_count; i++) {
    int code = change_group(membership, membership->sockets[i], true, group, source);
    if (code != -ENOBUFS)
      return code ? code : membership->sockets[i];
  }
  int fd = new_socket(membership);
  if (fd < 0)
    return fd;
  int code = change_group(membership, fd, true, group, source);
  return code ? code : fd;
}

static struct join *find_join(const struct membership *membership, const struct sockaddr *group,
                              const struct sockaddr *source)
{
  for (unsigned i = 0; i < membership->join_count; i++) {
    struct join *join = &membership->joins[i];
    bool any = join->source.ss_family == 0;
    if (same_address((const struct sockaddr *)&join->group, group) && any == !source &&
        (any || same_address((const struct sockaddr *)&join->source, source)))
      return join;
  }
  return NULL;
}

/* Any source and chosen ones exclude each other on one socket (EINVAL of the kernel), and would be
 * the same as any on two. */
static bool joined_otherwise(const struct membership *membership, const struct sockaddr *group,
                             bool any)
{
  for (unsigned i = 0; i < membership->join_count; i++)
    if (same_address((const struct sockaddr *)&membership->joins[i].group, group) &&
        (membership->joins[i].source.ss_family == 0) != any)
      return true;
  return false;
}

int membership_join(struct membership *membership, const struct sockaddr *group,
                    const struct sockaddr *source, struct shunt_error *error)
{
  if (!is_group(group) || (source && source->sa_family != group->sa_family)) {
    return shunt_error_set(error, -EINVAL, "%s",
                           is_group(group) ? "group and source are of different families"
                                           : "the address is none of a group");
  }
  if (find_join(membership, group, source))
    return shunt_error_set(error, -EADDRINUSE, "the group is joined already");
  if (joined_otherwise(membership, group, !source))
    return shunt_error_set(error, -EADDRINUSE, "the group is joined %s already",
                           source ? "from any source" : "from chosen sources");
  struct join *joins = grow(membership->joins, membership->join_count, sizeof(*joins));
  int fd = joins ? 0 : -ENOMEM;
  if (joins) {
    membership->joins = joins;
    fd = join_somewhere(membership, group, source);
  }
  if (fd < 0) {
    error_set_errno(error, fd, "the kernel refuses");
    if (fd == -ENOBUFS)
      shunt_error_remedy(error, "raise net.core.optmem_max, or net.ipv4.igmp_max_msf for more "
                                "sources of one group");
    return fd;
  }
  struct join *join = &membership->joins[membership->join_count++];
  memset(join, 0, sizeof(*join));
  join->socket = fd;
  memcpy(&join->group, group, address_bytes(group->sa_family));
  if (source)
    memcpy(&join->source, source, address_bytes(source->sa_family));
  return 0;
}

int membership_leave(struct membership *membership, const struct sockaddr *group,
                     const struct sockaddr *source, struct shunt_error *error)
{
  struct join *join = find_join(membership, group, source);
  if (!join)
    return shunt_error_set(error, -ENOENT, "the group was not joined");
  int code = change_group(membership, join->socket, false, group, source);
  *join = membership->joins[--membership->join_count];
  /* Where the interface is gone, so is the membership. */
  if (code < 0 && code != -EADDRNOTAVAIL && code != -ENODEV)
    return error_set_errno(error, code, "the kernel refuses");
  return 0;
}

/* ---- Link-layer addresses ---- */

static int change_packet(struct membership *membership, bool add, uint16_t type,
                         const struct shunt_mac *mac, const char *what, struct shunt_error *error)
{
  struct packet_mreq request = {.mr_ifindex = membership->ifindex, .mr_type = type};
  if (mac) {
    request.mr_alen = sizeof(*mac);
    memcpy(request.mr_address, mac, sizeof(*mac));
  }
  if (membership->packet < 0) /* protocol 0: it receives nothing */
    membership->packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (membership->packet >= 0 && setsockopt(membership->packet, SOL_PACKET,
                                            add ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP,
                                            &request, sizeof(request)) == 0)
    return 0;
  int code = error_set_errno(error, -errno, "can't %s", what);
  if (code == -EPERM)
    shunt_error_remedy(error, "run with CAP_NET_RAW");
  return code;
}

static struct shunt_mac *find_mac(const struct membership *membership, struct shunt_mac mac)
{
  for (unsigned i = 0; i < membership->mac_count; i++)
    if (shunt_mac_equal(membership->macs[i], mac))
      return &membership->macs[i];
  return NULL;
}

static uint16_t mac_type(struct shunt_mac mac)
{
  return shunt_mac_is_group(mac) ? PACKET_MR_MULTICAST : PACKET_MR_UNICAST;
}

int membership_mac_add(struct membership *membership, struct shunt_mac mac,
                       struct shunt_error *error)
{
  struct shunt_mac *macs = grow(membership->macs, membership->mac_count, sizeof(*macs));
  if (!macs)
    return error_set_errno(error, -ENOMEM, "can't add the address");
  membership->macs = macs;
  int code = change_packet(membership, true, mac_type(mac), &mac, "add the address", error);
  if (code == 0)
    macs[membership->mac_count++] = mac;
  return code;
}

int membership_mac_remove(struct membership *membership, struct shunt_mac mac,
                          struct shunt_error *error)
{
  struct shunt_mac *found = find_mac(membership, mac);
  if (!found)
    return shunt_error_set(error, -ENOENT, "the address was not added");
  *found = membership->macs[--membership->mac_count];
  return change_packet(membership, false, mac_type(mac), &mac, "remove the address", error);
}

int membership_promiscuous(struct membership *membership, bool on, struct shunt_error *error)
{
  if (membership->promiscuous == on)
    return 0;
  int code = change_packet(membership, on, PACKET_MR_PROMISC, NULL,
                           on ? "make the interface promiscuous" : "end promiscuity", error);
  if (code == 0)
    membership->promiscuous = on;
  return code;
}
