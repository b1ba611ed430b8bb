/* SPDX-License-Identifier: BSD-2-Clause */
/* What shunt/xdp.h offers beside the verbs and rules: what was granted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/bpf/filter.h"
#include "src/nic/xdp/xdp.h"

const char *shunt_xdp_mode_text(enum shunt_xdp_mode mode, int zero_copy)
{
  static const char *const texts[XDP_MODES][2] = {
      [SHUNT_XDP_SKB] = {"skb, copy", "skb, zero copy"},
      [SHUNT_XDP_DRV] = {"drv, copy", "drv, zero copy"},
      [SHUNT_XDP_HW] = {"hw, copy", "hw, zero copy"},
  };
  return (unsigned)mode < XDP_MODES ? texts[mode][zero_copy != 0] : "no such mode";
}

struct xdp *xdp_of_port(const struct shunt_port *port, struct shunt_error *error)
{
  if (port->ops == &xdp_ops)
    return xdp_of(port);
  shunt_error_set(error, -EINVAL, "%s is no port of AF_XDP", port->name);
  shunt_error_why(error, "its name begins otherwise than with xdp:");
  return NULL;
}

static enum shunt_xdp_time time_source(const struct xdp *xdp)
{
  if (!xdp->options.rx_time)
    return SHUNT_XDP_TIME_NONE;
  return xdp->frame_time == FILTER_TIME_DEVICE     ? SHUNT_XDP_TIME_DEVICE
         : xdp->frame_time == FILTER_TIME_SOFTWARE ? SHUNT_XDP_TIME_KERNEL
                                                   : SHUNT_XDP_TIME_POLLED;
}

static uint16_t queues_now(const struct xdp *xdp)
{
  struct interface_state now;
  if (interface_read_index(xdp->state.ifindex, &now, NULL))
    return 0;
  return (uint16_t)(now.channels.known ? now.channels.combined + now.channels.rx : now.rx_queues);
}

int shunt_xdp_info(const struct shunt_port *port, struct shunt_xdp_info *info,
                   struct shunt_error *error)
{
  const struct xdp *xdp = xdp_of_port(port, error);
  if (!xdp)
    return -EINVAL;
  struct shunt_xdp_info full = {
      .size = sizeof(full),
      .ifindex = xdp->state.ifindex,
      .first_queue = (uint16_t)xdp->wanted.first_queue,
      .interface_queues = queues_now(xdp),
      .mode = xdp->mode,
      .zero_copy = xdp->zero_copy,
      .need_wakeup = xdp->wanted.wakeup,
      .multi_buffer = xdp->multi_buffer,
      .rx_time = time_source(xdp),
      .tx_metadata = xdp->metadata_bytes != 0,
      .chunk_bytes = xdp->chunk_bytes,
      .tx_budget = xdp->tx_budget,
      .tx_headroom = xdp->metadata_bytes,
      .tx_pieces = xdp->multi_buffer ? XDP_TX_PIECES_MOST : 1,
      .refusal_count = xdp->refusal_count,
      .link_before = xdp->state.up && xdp->state.carrier,
  };
  memcpy(full.interface, xdp->interface, sizeof(full.interface));
  memcpy(full.refusals, xdp->refusals, sizeof(full.refusals));
  for (unsigned i = 0; i < xdp->queue_count; i++)
    full.gone |= xdp_gone(xdp->queues[i]);
  full.busy_poll = xdp->wanted.busy_poll_us && xdp_settings_busy_poll(xdp->queues[0]);
  if (xdp->wanted.busy_poll_us && !full.busy_poll)
    xdp_settings_why_no_busy_poll(xdp->queues[0], full.busy_poll_why, sizeof(full.busy_poll_why));
  const size_t size = info->size < sizeof(full) ? info->size : sizeof(full);
  memcpy(info, &full, size);
  info->size = size;
  return 0;
}
