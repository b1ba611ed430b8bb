/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters: the kernel's own six of each socket (struct xdp_statistics, since bind), and what the
 * verbs and wake-ups counted. Sums over the queues first, then each queue by itself; last what the
 * interface counts for all its queues, ours or not: frames for which the NIC had no buffer, which
 * never came as far as a socket (Linux's ixgbe brings this up to date every two seconds); and the
 * hits of each rule. */
#include <stdio.h>
#include <string.h>

#include "src/nic/xdp/xdp.h"

void xdp_statistics_kernel(const struct xdp_queue *queue, struct xdp_statistics *statistics)
{
  socklen_t bytes = sizeof(*statistics);
  memset(statistics, 0, sizeof(*statistics)); /* a kernel before 5.9 fills in three */
  queue->xdp->system->get(queue->fd, SOL_XDP, XDP_STATISTICS, statistics, &bytes);
}

enum value {
  RX_PACKETS,
  TX_PACKETS,
  RX_DROPPED,
  RX_INVALID,
  TX_INVALID,
  RX_RING_FULL,
  FILL_EMPTY,
  TX_EMPTY,
  RX_WAKES,
  TX_WAKES,
  TX_AGAIN,
  TX_BUSY,
  TX_NO_MEMORY,
  TX_DOWN,
  TX_GONE,
  TX_OTHER,
  TX_REFUSED,
  TX_SUMS,
  VALUES
};

/* rx_dropped is what the command reports as missed: it is the kernel's rx_dropped (frames longer
 * than a buffer, and others), rx_ring_full and rx_fill_ring_empty_descs together in neither. */
static const char *const names[VALUES] = {
    [RX_PACKETS] = "rx_packets",
    [TX_PACKETS] = "tx_packets",
    [RX_DROPPED] = "rx_dropped",
    [RX_INVALID] = "rx_invalid_descs",
    [TX_INVALID] = "tx_invalid_descs",
    [RX_RING_FULL] = "rx_ring_full",
    [FILL_EMPTY] = "rx_fill_ring_empty_descs",
    [TX_EMPTY] = "tx_ring_empty_descs",
    [RX_WAKES] = "rx_wakeups",
    [TX_WAKES] = "tx_wakeups",
    [TX_AGAIN] = "tx_wakeups_again",
    [TX_BUSY] = "tx_dropped_by_driver",
    [TX_NO_MEMORY] = "tx_no_memory",
    [TX_DOWN] = "tx_interface_down",
    [TX_GONE] = "tx_interface_gone",
    [TX_OTHER] = "tx_wakeup_errors",
    [TX_REFUSED] = "tx_refused",
    [TX_SUMS] = "tx_sums_software",
};

/* Pieces that the kernel took from the ring. Its index has 32 bits; ours, which leads by at most a
 * ring, has 64. */
static uint64_t taken_pieces(const struct shunt_xdp_queue *q)
{
  const uint32_t taken = __atomic_load_n(q->tx_consumer, __ATOMIC_RELAXED);
  return q->tx_tail - (uint32_t)((uint32_t)q->tx_tail - taken);
}

/* Frames that were taken, less those that went nowhere. The kernel tells of a frame that its driver
 * dropped at once, and that it took it perhaps by the next call only (__xsk_generic_xmit,
 * net/xdp/xsk.c). */
static uint64_t sent_frames(const struct xdp_queue *queue, const struct xdp_statistics *kernel)
{
  const struct xdp_counts *counts = &queue->counts;
  const uint64_t taken = taken_pieces(&queue->inlined);
  const uint64_t not_sent = counts->tx_extra_pieces + kernel->tx_invalid_descs + counts->tx_busy;
  return taken > not_sent ? taken - not_sent : 0;
}

static void read_queue(const struct xdp_queue *queue, uint64_t values[VALUES])
{
  const struct shunt_xdp_queue *q = &queue->inlined;
  const struct xdp_counts *counts = &queue->counts;
  struct xdp_statistics kernel;
  xdp_statistics_kernel(queue, &kernel);
  const uint64_t all[VALUES] = {
      [RX_PACKETS] = q->rx_head - counts->rx_extra_pieces,
      [TX_PACKETS] = sent_frames(queue, &kernel),
      [RX_DROPPED] = kernel.rx_dropped,
      [RX_INVALID] = kernel.rx_invalid_descs,
      [TX_INVALID] = kernel.tx_invalid_descs,
      [RX_RING_FULL] = kernel.rx_ring_full,
      [FILL_EMPTY] = kernel.rx_fill_ring_empty_descs,
      [TX_EMPTY] = kernel.tx_ring_empty_descs,
      [RX_WAKES] = counts->rx_wakes,
      [TX_WAKES] = counts->tx_wakes,
      [TX_AGAIN] = counts->tx_again,
      [TX_BUSY] = counts->tx_busy,
      [TX_NO_MEMORY] = counts->tx_no_memory,
      [TX_DOWN] = counts->tx_down,
      [TX_GONE] = counts->tx_gone,
      [TX_OTHER] = counts->tx_wake_other,
      [TX_REFUSED] = counts->tx_refused,
      [TX_SUMS] = counts->tx_sums,
  };
  memcpy(values, all, sizeof(all));
}

/* Since the port was opened. The interface may be gone, and some drivers let it begin anew. */
static uint64_t missed(const struct xdp *xdp)
{
  uint64_t now = 0;
  if (xdp->system->missed(xdp->state.ifindex, &now) || now < xdp->state.rx_missed)
    return 0;
  return now - xdp->state.rx_missed;
}

unsigned xdp_statistics_read(struct shunt_port *port, struct shunt_statistic statistics[],
                             unsigned n)
{
  struct xdp *xdp = xdp_of(port);
  const unsigned all = VALUES * (1 + xdp->queue_count) + 1;
  uint64_t sums[VALUES] = {0}, values[VALUES];
  unsigned at = VALUES; /* the sums come first, and are known last */
  for (unsigned i = 0; n && i < xdp->queue_count; i++) {
    read_queue(xdp->queues[i], values);
    for (unsigned v = 0; v < VALUES; v++, at++) {
      sums[v] += values[v];
      if (at >= n)
        continue;
      snprintf(statistics[at].name, sizeof(statistics[at].name), "%.2s_q%u%s", names[v], i,
               names[v] + 2);
      statistics[at].value = values[v];
    }
  }
  for (unsigned v = 0; v < VALUES && v < n; v++) {
    snprintf(statistics[v].name, sizeof(statistics[v].name), "%s", names[v]);
    statistics[v].value = sums[v];
  }
  if (n >= all)
    statistics[all - 1] = (struct shunt_statistic){"rx_missed", missed(xdp)};
  return all + xdp_rules_statistics(xdp, n > all ? statistics + all : NULL, n > all ? n - all : 0);
}
