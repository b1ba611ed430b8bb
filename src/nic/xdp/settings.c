/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options beside rings and bind. Those that only make things faster may be refused; what
 * came of them is reported. */
#include <errno.h>
#include <stdio.h>

#include "src/core/error_internal.h"
#include "src/nic/xdp/xdp.h"

/* A frame in copy mode is charged to the socket until it was sent: its data, and what the kernel
 * keeps beside it (struct sk_buff and shared info: below 1 KiB). The default of 208 KiB would be
 * less than a ring. */
static void set_send_buffer(const struct xdp_queue *queue)
{
  const struct xdp *xdp = queue->xdp;
  const uint64_t wanted = (uint64_t)xdp->options.tx_ring * (xdp->chunk_bytes + 1024);
  const int bytes = wanted > INT32_MAX / 2 ? INT32_MAX / 2 : (int)wanted;
  if (xdp->system->set(queue->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
    xdp->system->set(queue->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
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

/* The queue's thread runs the driver, instead of an interrupt (Documentation/networking/napi.rst,
 * "Busy polling"). */
static int set_busy_poll(struct xdp_queue *queue, struct shunt_error *error)
{
  const struct xdp *xdp = queue->xdp;
  const struct {
    int option, value;
    const char *name;
  } settings[] = {{SO_PREFER_BUSY_POLL, 1, "SO_PREFER_BUSY_POLL (Linux 5.11)"},
                  {SO_BUSY_POLL, (int)xdp->wanted.busy_poll_us, "SO_BUSY_POLL"},
                  {SO_BUSY_POLL_BUDGET, (int)xdp->wanted.busy_budget, "SO_BUSY_POLL_BUDGET"}};
  for (unsigned i = 0; xdp->wanted.busy_poll_us && i < 3; i++) {
    if (!xdp->system->set(queue->fd, SOL_SOCKET, settings[i].option, &settings[i].value,
                          sizeof(settings[i].value)))
      continue;
    const int code = -errno;
    error_set_errno(error, code, "no busy polling: %s to %d is refused", settings[i].name,
                    settings[i].value);
    if (code == -EPERM)
      shunt_error_remedy(error, "give the process CAP_NET_ADMIN, or take at most "
                                "net.core.busy_read and a budget of 64");
    return code;
  }
  if (xdp->wanted.busy_poll_us) {
    struct shunt_xdp_queue *q = &queue->inlined;
    q->rx_flags = q->tx_flags = &q->always; /* nobody else runs the driver */
  }
  return 0;
}

bool xdp_settings_busy_poll(const struct xdp_queue *queue, char *why, size_t bytes)
{
  int id = 0;
  socklen_t length = sizeof(id);
  const bool told =
      !queue->xdp->system->get(queue->fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &id, &length);
  if (told && id)
    return true;
  snprintf(why, bytes,
           "the socket has no NAPI id: either no frame has come yet, or %s has none to poll%s",
           queue->xdp->state.driver, queue->xdp->zero_copy ? "" : "; zero copy would tell at once");
  return false;
}

int xdp_settings_apply(struct xdp_queue *queue, struct shunt_error *error)
{
  struct shunt_xdp_queue *q = &queue->inlined;
  if (!queue->xdp->wanted.wakeup)
    q->tx_flags = &q->always; /* nobody sets the flag: each push is a call (af_xdp.rst) */
  set_send_buffer(queue);
  int result = set_budget(queue, error);
  return result ? result : set_busy_poll(queue, error);
}
