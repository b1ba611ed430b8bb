/* SPDX-License-Identifier: BSD-2-Clause */
/* Which way frames take from the NIC to the region. A rung is a place for the program (in the NIC,
 * in its driver, behind the kernel's receive path) and a way to the region (the NIC's own DMA, or a
 * copy). They are tried from the fastest down; what is refused is noted with the kernel's reason,
 * and what is not allowed is not tried. */
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "src/bpf/filter.h"
#include "src/nic/xdp/xdp.h"

static const uint32_t attach_flags[XDP_MODES] = {
    [SHUNT_XDP_SKB] = XDP_FLAGS_SKB_MODE,
    [SHUNT_XDP_DRV] = XDP_FLAGS_DRV_MODE,
    [SHUNT_XDP_HW] = XDP_FLAGS_HW_MODE,
};

/* Failures that a lower rung would meet, too. The others are about this one. */
static bool is_final(int code)
{
  static const int codes[] = {EPERM,  EACCES, EBUSY,  EEXIST,  ENODEV,    ENOENT,
                              ENOMEM, EMFILE, ENFILE, ENOBUFS, ETIMEDOUT, ENOPROTOOPT};
  for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
    if (code == -codes[i])
      return true;
  return false;
}

static void note(struct xdp *xdp, enum shunt_xdp_mode mode, bool zero_copy, int code,
                 const struct shunt_error *error)
{
  if (xdp->refusal_count == SHUNT_XDP_REFUSALS_MOST)
    return;
  struct shunt_xdp_refusal *refusal = &xdp->refusals[xdp->refusal_count++];
  *refusal = (struct shunt_xdp_refusal){.mode = mode, .zero_copy = zero_copy, .code = code};
  snprintf(refusal->why, sizeof(refusal->why), "%s", *error->why ? error->why : error->what);
  snprintf(refusal->remedy, sizeof(refusal->remedy), "%s", error->remedy);
  shunt_log_write(xdp->options.log, SHUNT_LOG_INFO, "%s: no %s: %s", xdp->interface,
                  shunt_xdp_mode_text(mode, zero_copy), refusal->why);
}

/* Linux's ixgbe tells an 82599 of whole KiB of a buffer alone, and drops what is longer without
 * counting it, also what would go on to the kernel (ixgbe_configure_srrctl, ixgbe_main.c, and
 * ixgbe_clean_rx_irq_zc, ixgbe_xsk.c). Its later cards are exact; the driver's name is the same. */
bool xdp_ladder_whole_kib(const struct interface_state *state)
{
  return !strcmp(state->driver, "ixgbe");
}

static int check_room(const struct xdp *xdp, struct shunt_error *error)
{
  const uint32_t room = (xdp->chunk_bytes - XDP_RX_HEADROOM_BYTES) & ~UINT32_C(1023);
  if (!xdp_ladder_whole_kib(&xdp->state) || xdp->state.mtu + XDP_ETHERNET_BYTES <= room)
    return 0;
  shunt_error_set(error, -EMSGSIZE, "frames of %s don't fit a buffer", xdp->interface);
  shunt_error_why(error, "of a buffer of %u bytes ixgbe lets an 82599 fill %u, and the MTU is %u",
                  xdp->chunk_bytes, room, xdp->state.mtu);
  shunt_error_remedy(error, "a region with buf_bytes of 4096, or ip link set %s mtu %u",
                     xdp->interface, room - XDP_ETHERNET_BYTES);
  return -EMSGSIZE;
}

static void close_sockets(struct xdp *xdp)
{
  for (unsigned i = 0; i < xdp->queue_count; i++)
    xdp_socket_close(xdp->queues[i]);
}

/* On the memory of another port, where one suits. A kernel that refuses that (before 5.10) has it
 * registered anew. */
static int open_first(struct xdp *xdp, bool zero_copy, struct shunt_error *error)
{
  const uint32_t queue = xdp->wanted.first_queue;
  int lent = xdp_borrow(xdp, zero_copy), result = -EINVAL;
  if (lent >= 0) {
    result = xdp_socket_open(xdp->queues[0], queue, zero_copy, lent, error);
    xdp->system->close(lent);
  }
  return result == -EINVAL ? xdp_socket_open(xdp->queues[0], queue, zero_copy, -1, error) : result;
}

static int open_sockets(struct xdp *xdp, bool zero_copy, struct shunt_error *error)
{
  int result = zero_copy ? check_room(xdp, error) : 0;
  result = result ? result : open_first(xdp, zero_copy, error);
  for (unsigned i = 1; !result && i < xdp->queue_count; i++)
    result = xdp_socket_open(xdp->queues[i], xdp->wanted.first_queue + i, zero_copy,
                             xdp->queues[0]->fd, error);
  for (unsigned i = 0; !result && i < xdp->queue_count; i++)
    result = xdp->access->ops->socket_set(xdp->access, xdp->wanted.first_queue + i,
                                          xdp->queues[i]->fd, error);
  if (result)
    close_sockets(xdp);
  xdp->zero_copy = zero_copy;
  return result;
}

/* How VLAN tags reach the program. What a veth takes off its peer's kernel put beside the frame,
 * which setup sees to. */
static uint8_t vlan_tags(const struct xdp *xdp, enum shunt_xdp_mode mode)
{
  const struct interface_state *state = &xdp->state;
  if (!state->offloads_known || !(state->offloads & INTERFACE_RX_VLAN_STRIP) || state->peer)
    return FILTER_VLAN_IN_FRAME;
  const bool told = mode == SHUNT_XDP_DRV && (state->xdp_rx_metadata & INTERFACE_XDP_RX_VLAN);
  return told ? FILTER_VLAN_METADATA : FILTER_VLAN_STRIPPED;
}

/* Time stamps: the NIC's where its driver tells them, else of the moment when the program ran,
 * which is before the frame lies on a ring for a while. Where the driver is known to have none the
 * program need not ask, and is not bound to the device; neither on a veth, whose driver tells them,
 * but has no clock behind it. */
static uint8_t receive_time(const struct xdp *xdp)
{
  const struct interface_state *state = &xdp->state;
  if (!xdp->options.rx_time || xdp->wanted.join)
    return FILTER_TIME_NONE;
  const bool told = !state->peer && (!state->xdp_rx_metadata_known ||
                                     (state->xdp_rx_metadata & INTERFACE_XDP_RX_TIME));
  return told ? FILTER_TIME_DEVICE : FILTER_TIME_SOFTWARE;
}

static int attach(struct xdp *xdp, enum shunt_xdp_mode mode, struct shunt_error *error)
{
  const struct xdp_attach attach = {
      .mode = attach_flags[mode],
      .queues = xdp->state.rx_queues,
      .queues_used = xdp->wanted.first_queue + xdp->options.queues,
      .fragments = xdp->multi_buffer,
      .receive_time = receive_time(xdp),
      .join = xdp->wanted.join,
      .vlan = vlan_tags(xdp, mode),
      .rules = xdp->wanted.rules.list,
      .rule_count = xdp->wanted.rules.count,
  };
  struct xdp_attached attached = {0};
  int result = xdp->access->ops->attach(xdp->access, &attach, &attached, error);
  xdp->attached = !result;
  xdp->frame_time = attached.time;
  xdp->mode = mode;
  return result;
}

static void detach(struct xdp *xdp)
{
  if (xdp->attached)
    xdp->access->ops->detach(xdp->access);
  xdp->attached = false;
}

/* Whether a rung's failure ends the climb. Memory that is too much to be registered once more, for
 * zero copy, may be there already for frames to be copied to. */
static bool ends_climb(const struct xdp *xdp, bool zero_copy, int code)
{
  const bool may_copy = code == -ENOBUFS && zero_copy && xdp->wanted.copy != XDP_NEVER;
  const int lent = may_copy ? xdp_borrow(xdp, false) : -1;
  if (lent < 0)
    return is_final(code);
  xdp->system->close(lent);
  return false;
}

/* Both ways to the region, with the program in one place. 0, a final failure, or -EAGAIN: go on. */
static int try_mode(struct xdp *xdp, enum shunt_xdp_mode mode, struct shunt_error *error)
{
  const bool ways[2] = {xdp->wanted.zero_copy != XDP_NEVER, xdp->wanted.copy != XDP_NEVER};
  int result = attach(xdp, mode, error);
  for (unsigned i = 0; i < 2; i++) {
    const bool zero_copy = i == 0;
    if (!ways[i])
      continue;
    if (xdp->attached && zero_copy && mode == SHUNT_XDP_SKB) {
      result = shunt_error_set(error, -EOPNOTSUPP, "no zero copy in skb mode");
      shunt_error_why(error, "the program runs behind the kernel's receive path, which has copied "
                             "the frame by then");
    } else if (xdp->attached) {
      result = open_sockets(xdp, zero_copy, error);
    }
    if (!result || ends_climb(xdp, zero_copy, result))
      break;
    note(xdp, mode, zero_copy, result, error);
  }
  if (!result)
    return 0;
  detach(xdp);
  return is_final(result) ? result : -EAGAIN;
}

/* Of all that was refused, the first was the one wanted most. */
static int nothing_granted(const struct xdp *xdp, struct shunt_error *error)
{
  const struct shunt_xdp_refusal *first = &xdp->refusals[0];
  if (!xdp->refusal_count) {
    shunt_error_set(error, -EINVAL, "no mode is left for %s", xdp->interface);
    shunt_error_why(error, "the keys mode, hw, drv, skb, zero_copy and copy exclude all");
    return -EINVAL;
  }
  shunt_error_set(error, first->code, "%s does not grant %s%s", xdp->interface,
                  shunt_xdp_mode_text(first->mode, first->zero_copy),
                  xdp->refusal_count > 1 ? ", nor any other mode that the keys allow" : "");
  shunt_error_why(error, "%s", first->why);
  if (*first->remedy && first->zero_copy && xdp->wanted.copy == XDP_NEVER)
    shunt_error_remedy(error, "%.200s; or allow a copy: zero_copy=prefer", first->remedy);
  else if (*first->remedy)
    shunt_error_remedy(error, "%s", first->remedy);
  else
    shunt_error_remedy(error, "allow other modes: mode=auto, zero_copy=prefer, copy=prefer");
  return first->code;
}

int xdp_ladder_climb(struct xdp *xdp, struct shunt_error *error)
{
  static const enum shunt_xdp_mode order[XDP_MODES] = {SHUNT_XDP_HW, SHUNT_XDP_DRV, SHUNT_XDP_SKB};
  struct shunt_error last = {0};
  for (unsigned i = 0; i < XDP_MODES; i++) {
    if (xdp->wanted.mode[order[i]] == XDP_NEVER)
      continue;
    int result = try_mode(xdp, order[i], &last);
    if (result == -EAGAIN)
      continue;
    if (result && error)
      *error = last;
    return result;
  }
  return nothing_granted(xdp, error);
}
