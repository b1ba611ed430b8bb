/* SPDX-License-Identifier: BSD-2-Clause */
/* The link and the addresses of the interface, by netlink; and the clock of time stamps. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/bpf/filter.h"
#include "src/netlink/membership.h"
#include "src/nic/xdp/xdp.h"

/* An interface that is removed, or whose queue is taken away, leaves its sockets behind with an
 * error on them; nothing else tells, poll(2) least of all (xsk_notifier, net/xdp/xsk.c). Reading
 * the error takes it away, so it is kept. */
bool xdp_gone(struct xdp_queue *queue)
{
  int code = 0;
  socklen_t bytes = sizeof(code);
  if (!queue->gone && !queue->xdp->system->get(queue->fd, SOL_SOCKET, SO_ERROR, &code, &bytes) &&
      (code == ENETDOWN || code == ENXIO || code == ENODEV))
    queue->gone = true;
  return queue->gone;
}

static bool port_gone(struct xdp *xdp)
{
  bool gone = false;
  for (unsigned i = 0; i < xdp->queue_count; i++)
    gone |= xdp_gone(xdp->queues[i]);
  return gone;
}

static void diagnose(struct xdp *xdp, const struct interface_state *now, struct shunt_link *link)
{
  const char *name = xdp->interface;
  if (!now->up)
    snprintf(link->diagnosis, sizeof(link->diagnosis),
             "%s is down, and what is sent waits: ip link set %s up", name, name);
  else if (now->peer)
    snprintf(link->diagnosis, sizeof(link->diagnosis),
             "%s has no carrier: is its peer up? ip link show", name);
  else
    snprintf(link->diagnosis, sizeof(link->diagnosis),
             "%s has no carrier: look at cable and module: ethtool %s, ethtool -m %s", name, name,
             name);
}

/* The interface may have been renamed, or another have taken its name: the index tells. */
int xdp_link(struct shunt_port *port, struct shunt_link *link, struct shunt_error *error)
{
  struct xdp *xdp = xdp_of(port);
  struct interface_state now;
  const bool gone = port_gone(xdp);
  int result = gone ? -ENODEV : interface_read_index(xdp->state.ifindex, &now, error);
  if (result == -ENODEV) {
    snprintf(link->media, sizeof(link->media), "%s", xdp->state.driver);
    snprintf(link->diagnosis, sizeof(link->diagnosis),
             "%s was removed: close the port, and open it again when the interface is back",
             xdp->interface);
    return 0;
  }
  if (result)
    return result;
  link->up = now.up && now.carrier;
  link->speed_mbps = link->up ? now.speed_mbps : 0;
  snprintf(link->media, sizeof(link->media), "%s", now.driver);
  if (!link->up)
    diagnose(xdp, &now, link);
  return 0;
}

/* The NIC spreads flows over all its queues (RSS), so those that come in on others than ours are
 * lost to the program without a trace. Where a program was joined, they are somebody else's. */
void xdp_left_out(struct xdp *xdp, const struct interface_channels *channels)
{
  const uint32_t have = channels->combined + channels->rx, first = xdp->wanted.first_queue;
  const uint32_t left_out = have > xdp->queue_count ? have - xdp->queue_count : 0;
  const bool told = left_out == xdp->left_out;
  if (!channels->known || xdp->wanted.join || told)
    return;
  xdp->left_out = left_out;
  if (!left_out)
    return;
  char fewer[64];
  snprintf(fewer, sizeof(fewer), first ? "queue=0&channels=%u" : "channels=%u", xdp->queue_count);
  shunt_log_write(xdp->options.log, SHUNT_LOG_WARNING,
                  "%s has %u receive queues, and the port %u from %u on: what comes in on the "
                  "other %u does not get here. Take all (%squeues=%u), or have fewer (%s)",
                  xdp->interface, have, xdp->queue_count, first, left_out, first ? "queue=0&" : "",
                  have, fewer);
}

/* The kernel lets nobody take away a queue that a socket is bound to; but others can be added. */
static void look_for_more_queues(struct xdp *xdp)
{
  struct interface_channels channels;
  if (!xdp->system->channels(xdp->state.ifindex, &channels))
    xdp_left_out(xdp, &channels);
}

/* The link of a helper's program is the helper's; but whether there is a program, everybody sees.
 */
static int check_helpers_program(struct xdp *xdp, struct shunt_error *error)
{
  uint32_t program;
  if (!xdp->wanted.helper || xdp->system->program(xdp->state.ifindex, &program) || program)
    return 0;
  shunt_error_set(error, -ENOLINK, "frames of %s go to the kernel, and no longer to this port",
                  xdp->interface);
  shunt_error_why(error, "somebody took the helper's XDP program off");
  shunt_error_remedy(error, "close the port and open it again");
  return -ENOLINK;
}

static int no_interface(const struct xdp *xdp, struct shunt_error *error)
{
  shunt_error_set(error, -ENODEV, "%s is gone", xdp->interface);
  shunt_error_why(error, "the interface was removed, or moved to another network namespace, and "
                         "its AF_XDP sockets with it (SO_ERROR)");
  shunt_error_remedy(error, "close the port, and open it again when the interface is back");
  return -ENODEV;
}

/* An interface that is being removed loses its program before its sockets have an error. */
static bool is_unlisted(const struct xdp *xdp)
{
  uint32_t program;
  return xdp->system->program(xdp->state.ifindex, &program) == -ENODEV;
}

/* Sockets stay bound and quiet where their program is gone, so it is asked for. A port that has
 * lost it is told so by each call. */
static int look_around(struct xdp *xdp, struct shunt_error *error)
{
  const struct xdp_access_ops *ops = xdp->access->ops;
  const uint64_t now_ns = shunt_clock_now_ns(xdp->options.clock);
  if (now_ns < xdp->look_ns)
    return 0;
  int result = ops->check ? ops->check(xdp->access, error) : 0;
  result = result ? result : check_helpers_program(xdp, error);
  if (result)
    return is_unlisted(xdp) ? no_interface(xdp, error) : result;
  look_for_more_queues(xdp);
  xdp->look_ns = now_ns + XDP_LOOK_NS;
  return 0;
}

int xdp_check(struct shunt_port *port, struct shunt_error *error)
{
  struct xdp *xdp = xdp_of(port);
  if (port_gone(xdp))
    return no_interface(xdp, error);
  xdp_settings_tell_busy_poll(xdp);
  return look_around(xdp, error);
}

/* --- Addresses -----------------------------------------------------------------------------------
 */

static int need_membership(struct xdp *xdp, struct shunt_error *error)
{
  return xdp->membership ? 0 : membership_open(xdp->state.ifindex, &xdp->membership, error);
}

/* Virtual interfaces hand every frame to the program, whoever it is addressed to: there is no
 * filter that could be on. */
int xdp_promiscuous(struct shunt_port *port, int on, struct shunt_error *error)
{
  struct xdp *xdp = xdp_of(port);
  if (xdp->state.peer) {
    if (on)
      return 0;
    shunt_error_set(error, -EOPNOTSUPP, "%s can't leave out what is addressed to others",
                    xdp->interface);
    shunt_error_why(error, "a veth has no address filter in front of XDP");
    shunt_error_remedy(error, "say what is wanted with rules=");
    return -EOPNOTSUPP;
  }
  int result = need_membership(xdp, error);
  return result ? result : membership_promiscuous(xdp->membership, on, error);
}

int xdp_multicast(struct shunt_port *port, const struct shunt_mac *group, bool add,
                  struct shunt_error *error)
{
  struct xdp *xdp = xdp_of(port);
  int result = need_membership(xdp, error);
  if (result)
    return result;
  return add ? membership_mac_add(xdp->membership, *group, error)
             : membership_mac_remove(xdp->membership, *group, error);
}

/* --- Time ----------------------------------------------------------------------------------------
 */

uint64_t xdp_time_now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int xdp_time(struct shunt_port *port, uint64_t *time_ns, struct shunt_error *error)
{
  const struct xdp *xdp = xdp_of(port);
  if (xdp->frame_time == FILTER_TIME_DEVICE) {
    shunt_error_set(error, -EOPNOTSUPP, "%s: the clock can't be read here", xdp->interface);
    shunt_error_why(error, "frames are stamped by the NIC's own clock");
    shunt_error_remedy(error, "read its PTP clock: ethtool -T %s names it", xdp->interface);
    return -EOPNOTSUPP;
  }
  *time_ns = xdp_time_now_ns();
  return 0;
}
