/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports on one region share what the kernel has of it: the first registers it as memory of its
 * queues (UMEM), and the others, of whatever interfaces, borrow that (XDP_SHARED_UMEM, Linux 5.10),
 * so that it is pinned once and counts once against the memlock limit. What is borrowed stays the
 * borrower's when the lender closes: the kernel counts.
 *
 * A borrower has the lender's way to the memory, and its flags: its own are refused at the bind
 * (xsk_bind, net/xdp/xsk.c). Where they differ, a port registers the region anew. */
#include "src/core/region_internal.h"
#include "src/nic/xdp/xdp.h"

/* Of one queue there is one pair of fill and completion rings, which it can't be lent beside
 * another's: to ask for it has to fail as it does without lending. */
static bool overlap(const struct xdp *a, const struct xdp *b)
{
  return a->state.ifindex == b->state.ifindex &&
         a->wanted.first_queue < b->wanted.first_queue + b->queue_count &&
         b->wanted.first_queue < a->wanted.first_queue + a->queue_count;
}

static bool suits(const struct xdp *lender, const struct xdp *xdp, bool zero_copy)
{
  return lender->zero_copy == zero_copy && lender->wanted.wakeup == xdp->wanted.wakeup &&
         lender->multi_buffer == xdp->multi_buffer && lender->umem_flags == xdp->umem_flags &&
         lender->metadata_bytes == xdp->metadata_bytes && !overlap(lender, xdp);
}

void xdp_lend(struct xdp *xdp)
{
  struct region_users *users = region_users(xdp->options.region);
  pthread_mutex_lock(&users->lock);
  xdp->next_lender = users->first;
  users->first = xdp;
  pthread_mutex_unlock(&users->lock);
}

void xdp_lend_no_more(struct xdp *xdp)
{
  struct region_users *users = region_users(xdp->options.region);
  pthread_mutex_lock(&users->lock);
  for (struct xdp *at = users->first, *before = NULL; at; before = at, at = at->next_lender) {
    if (at != xdp)
      continue;
    if (before)
      before->next_lender = xdp->next_lender;
    else
      users->first = xdp->next_lender;
    break;
  }
  pthread_mutex_unlock(&users->lock);
}

int xdp_borrow(const struct xdp *xdp, bool zero_copy)
{
  struct region_users *users = region_users(xdp->options.region);
  int fd = -1;
  pthread_mutex_lock(&users->lock);
  for (const struct xdp *at = users->first; at && fd < 0; at = at->next_lender)
    if (at->system == xdp->system && suits(at, xdp, zero_copy))
      fd = xdp->system->copy(at->queues[0]->fd);
  pthread_mutex_unlock(&users->lock);
  return fd;
}
