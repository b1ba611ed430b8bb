/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options beside rings and bind: which ones are wanted, and what came of them. Those that
 * only make things faster may be refused. */
#include <errno.h>
#include <stdio.h>

#include "src/core/error_internal.h"
#include "src/nic/xdp/xdp.h"

/* A frame in copy mode is charged to the socket until it was sent: its data, and what the kernel
 * keeps beside it (struct sk_buff and shared info: below 1 KiB). The default of 208 KiB would be
 * less than a ring. */
struct xdp_socket_wanted xdp_settings_socket(const struct xdp *xdp)
{
  return (struct xdp_socket_wanted){
      .send_bytes = xdp->options.tx_ring * (xdp->chunk_bytes + 1024),
      .busy_poll_us = xdp->wanted.busy_poll_us,
      .busy_budget = xdp->wanted.busy_budget,
  };
}

/* How many frames a system call sends in copy mode. */
static int set_budget(struct xdp_queue *queue, struct shunt_error *error)
{
  struct xdp *xdp = queue->xdp;
  const uint32_t given = xdp->wanted.tx_budget;
  const int budget = (int)(given ? given : xdp->options.tx_ring);
  xdp->tx_budget = XDP_TX_SKB_BUDGET_LEAST;
  if (!xdp->system->set(queue->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget))) {
    xdp->tx_budget = (uint32_t)budget;
    return 0;
  }
  const int code = -errno;
  if (!given)
    return 0;
  error_set_errno(error, code, "no send budget of %u frames", given);
  shunt_error_remedy(error, code == -ENOPROTOOPT
                                ? "XDP_MAX_TX_SKB_BUDGET came with Linux 6.17: leave tx_budget out"
                                : "32 to tx_ring frames");
  return code;
}

bool xdp_settings_busy_poll(const struct xdp_queue *queue)
{
  int id = 0;
  socklen_t length = sizeof(id);
  return !queue->xdp->system->get(queue->fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &id, &length) && id;
}

void xdp_settings_why_no_busy_poll(const struct xdp_queue *queue, char *why, size_t bytes)
{
  snprintf(why, bytes,
           "the socket has no NAPI id: either no frame has come yet, or %s has none to poll%s",
           queue->xdp->state.driver, queue->xdp->zero_copy ? "" : "; zero copy would tell at once");
}

/* Where frames have come and no id with them, none will. */
void xdp_settings_tell_busy_poll(struct xdp *xdp)
{
  const struct xdp_queue *queue = xdp->queues[0];
  for (unsigned i = 0; i < xdp->queue_count && !queue->inlined.rx_head; i++)
    queue = xdp->queues[i];
  if (!xdp->wanted.busy_poll_us || xdp->told_no_busy_poll || !queue->inlined.rx_head ||
      xdp_settings_busy_poll(queue))
    return;
  xdp->told_no_busy_poll = true;
  shunt_log_write(
      xdp->options.log, SHUNT_LOG_WARNING,
      "%s: busy_poll_us does nothing here: frames of the driver %s in %s mode come with "
      "no NAPI id (SO_INCOMING_NAPI_ID) to poll",
      xdp->interface, xdp->state.driver, shunt_xdp_mode_text(xdp->mode, xdp->zero_copy));
}

int xdp_settings_apply(struct xdp_queue *queue, struct shunt_error *error)
{
  struct shunt_xdp_queue *q = &queue->inlined;
  const struct xdp_wanted *wanted = &queue->xdp->wanted;
  if (!wanted->wakeup)
    q->tx_flags = &q->always; /* nobody sets the flag: each push is a call (af_xdp.rst) */
  if (wanted->busy_poll_us)
    q->rx_flags = q->tx_flags = &q->always; /* nobody but the queue's thread runs the driver */
  queue->napi_unknown = wanted->busy_poll_us != 0;
  return set_budget(queue, error);
}
