/* SPDX-License-Identifier: BSD-2-Clause */
/* One queue: a socket, the region as its memory (UMEM), four rings, and the bind that makes it the
 * owner of a queue of the interface (Documentation/networking/af_xdp.rst). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "src/bpf/explain.h"
#include "src/core/error_internal.h"
#include "src/nic/xdp/xdp.h"

enum ring { RING_RX, RING_TX, RING_FILL, RING_DONE, RINGS };

static const struct {
  const char *name;
  int option;
  int64_t offset; /* of the mapping */
  uint32_t entry_bytes;
} rings[RINGS] = {
    {"receive", XDP_RX_RING, XDP_PGOFF_RX_RING, sizeof(struct xdp_desc)},
    {"send", XDP_TX_RING, XDP_PGOFF_TX_RING, sizeof(struct xdp_desc)},
    {"fill", XDP_UMEM_FILL_RING, (int64_t)XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t)},
    {"completion", XDP_UMEM_COMPLETION_RING, (int64_t)XDP_UMEM_PGOFF_COMPLETION_RING,
     sizeof(uint64_t)},
};

static uint32_t ring_entries(const struct xdp *xdp, enum ring ring)
{
  return ring == RING_RX || ring == RING_FILL ? xdp->options.rx_ring : xdp->options.tx_ring;
}

/* --- Memory --------------------------------------------------------------------------------------
 */

/* What would do for sure: what the user's sockets hold now is at most the present limit. */
static void too_much_locked(const struct xdp *xdp, struct shunt_error *error)
{
  const uint64_t kib = shunt_region_bytes(xdp->options.region) >> 10;
  struct rlimit limit = {0};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  const uint64_t limit_kib = limit.rlim_cur >> 10;
  shunt_error_why(error,
                  "RLIMIT_MEMLOCK is %" PRIu64
                  " KiB for all AF_XDP memory of this user, which has no "
                  "CAP_IPC_LOCK, and the region has %" PRIu64 " KiB (ENOBUFS)",
                  limit_kib, kib);
  shunt_error_remedy(error,
                     "raise the limit (ulimit -l %" PRIu64
                     ", LimitMEMLOCK=), give CAP_IPC_LOCK, or "
                     "make rx_ring and tx_ring, and so the region, smaller",
                     limit_kib + kib);
}

static int register_error(const struct xdp *xdp, int code, struct shunt_error *error)
{
  error_set_errno(error, code, "the kernel does not take the region as the queues' memory");
  if (code == -ENOBUFS) {
    too_much_locked(xdp, error);
  } else if (code == -EINVAL && xdp->umem_flags) {
    shunt_error_why(error, "its flags 0x%x are refused (EINVAL)", xdp->umem_flags);
    shunt_error_remedy(error, "metadata of sent frames came with Linux 6.11: open without "
                              "checksum=kernel, checksum=device and tx_time");
  }
  return code;
}

/* Whether it is worth trying again, after a pause, what the kernel has refused: what a socket held
 * that was closed a moment ago, it gives back in its own time. */
static bool pause_before(const struct xdp *xdp, uint64_t deadline_ns)
{
  const struct shunt_clock *clock = xdp->options.clock;
  if (shunt_clock_now_ns(clock) >= deadline_ns)
    return false;
  shunt_clock_sleep_ns(clock, XDP_BUSY_RETRY_NS);
  return true;
}

/* The memory of a socket that was closed counts until an RCU grace period later (SOCK_RCU_FREE,
 * xsk_create; xsk_destruct): that of a refused rung counts beside that of the next one. */
static int register_memory(struct xdp_queue *queue, struct shunt_error *error)
{
  const struct xdp *xdp = queue->xdp;
  const struct shunt_region *region = xdp->options.region;
  const uint64_t deadline_ns = shunt_clock_now_ns(xdp->options.clock) + XDP_BUSY_DEADLINE_NS;
  const struct xdp_umem_registration memory = {
      .addr = (uintptr_t)shunt_region_base(region),
      .len = shunt_region_bytes(region),
      .chunk_size = xdp->chunk_bytes,
      .flags = xdp->umem_flags,
      .tx_metadata_len = xdp->metadata_bytes,
  };
  while (xdp->system->set(queue->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory))) {
    const int code = -errno;
    if (code != -ENOBUFS || !pause_before(xdp, deadline_ns))
      return register_error(xdp, code, error);
  }
  return 0;
}

/* --- Rings ---------------------------------------------------------------------------------------
 */

static int make_rings(struct xdp_queue *queue, struct shunt_error *error)
{
  for (enum ring i = 0; i < RINGS; i++) {
    const int entries = (int)ring_entries(queue->xdp, i);
    if (queue->xdp->system->set(queue->fd, SOL_XDP, rings[i].option, &entries, sizeof(entries)))
      return error_set_errno(error, -errno, "no %s ring of %d entries", rings[i].name, entries);
  }
  return 0;
}

static int map_rings(struct xdp_queue *queue, const struct xdp_ring_offset offsets[],
                     struct shunt_error *error)
{
  const struct xdp_system *system = queue->xdp->system;
  for (enum ring i = 0; i < RINGS; i++) {
    const size_t bytes =
        offsets[i].desc + (size_t)ring_entries(queue->xdp, i) * rings[i].entry_bytes;
    void *ring = system->map(queue->fd, bytes, (off_t)rings[i].offset);
    if (ring == (void *)-1)
      return error_set_errno(error, -errno, "can't map the %s ring", rings[i].name);
    queue->rings[i] = ring;
    queue->ring_bytes[i] = bytes;
  }
  return 0;
}

static uint32_t *word(const struct xdp_queue *queue, enum ring ring, uint64_t offset)
{
  return (uint32_t *)((uint8_t *)queue->rings[ring] + offset);
}

/* Point the inline verbs at the rings. */
static void join_rings(struct xdp_queue *queue, const struct xdp_ring_offset offsets[])
{
  struct shunt_xdp_queue *q = &queue->inlined;
  const struct xdp_ring_offset *rx = &offsets[RING_RX], *tx = &offsets[RING_TX],
                               *fill = &offsets[RING_FILL], *done = &offsets[RING_DONE];
  q->rx_ring = (const struct xdp_desc *)word(queue, RING_RX, rx->desc);
  q->rx_producer = word(queue, RING_RX, rx->producer);
  q->rx_consumer = word(queue, RING_RX, rx->consumer);
  q->fill_ring = (uint64_t *)word(queue, RING_FILL, fill->desc);
  q->fill_producer = word(queue, RING_FILL, fill->producer);
  q->fill_flags = q->rx_flags = word(queue, RING_FILL, fill->flags);
  q->tx_ring = (struct xdp_desc *)word(queue, RING_TX, tx->desc);
  q->tx_producer = word(queue, RING_TX, tx->producer);
  q->tx_consumer = word(queue, RING_TX, tx->consumer);
  q->tx_flags = word(queue, RING_TX, tx->flags);
  q->done_ring = (const uint64_t *)word(queue, RING_DONE, done->desc);
  q->done_producer = word(queue, RING_DONE, done->producer);
  q->done_consumer = word(queue, RING_DONE, done->consumer);
  q->rx_mask = queue->xdp->options.rx_ring - 1;
  q->tx_mask = queue->xdp->options.tx_ring - 1;
  q->tx_inline_slots = queue->xdp->metadata_bytes ? 0 : q->tx_mask + 1;
  q->rx_pieces = queue->xdp->multi_buffer;
  q->always = XDP_RING_NEED_WAKEUP;
}

static int furnish(struct xdp_queue *queue, struct shunt_error *error)
{
  struct xdp_mmap_offsets offsets;
  socklen_t bytes = sizeof(offsets);
  int result = make_rings(queue, error);
  if (result)
    return result;
  if (queue->xdp->system->get(queue->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &bytes))
    return error_set_errno(error, -errno, "the kernel does not say where the rings are");
  if (bytes < sizeof(offsets)) {
    shunt_error_set(error, -EOPNOTSUPP, "this kernel is too old");
    shunt_error_why(error, "its rings have no flags, which came with Linux 5.4");
    return -EOPNOTSUPP;
  }
  const struct xdp_ring_offset in_order[RINGS] = {offsets.rx, offsets.tx, offsets.fr, offsets.cr};
  result = map_rings(queue, in_order, error);
  if (!result)
    join_rings(queue, in_order);
  return result;
}

/* --- Bind ----------------------------------------------------------------------------------------
 */

static int bind_error(const struct xdp_queue *queue, uint32_t queue_id, int code,
                      struct shunt_error *error)
{
  const struct xdp *xdp = queue->xdp;
  error_set_errno(error, code, "can't bind to queue %u of %s", queue_id, xdp->interface);
  switch (code) {
  case -EBUSY:
    shunt_error_why(error, "another AF_XDP socket has it, or is still being taken down, after %u s",
                    (unsigned)(XDP_BUSY_DEADLINE_NS / UINT64_C(1000000000)));
    shunt_error_remedy(error, "see who: ss --xdp -p; or take another queue with queue=N");
    break;
  case -EINVAL:
    if (xdp->multi_buffer)
      shunt_error_remedy(error, "frames of several buffers (XDP_USE_SG) came with Linux 6.6: "
                                "multi_buffer=0, and an MTU that fits a buffer");
    else
      shunt_error_remedy(error, "does the interface have this queue? ethtool -l %s",
                         xdp->interface);
    break;
  case -EOPNOTSUPP:
    shunt_error_why(error, "the driver (%s) has no zero copy%s (EOPNOTSUPP)", xdp->state.driver,
                    xdp->multi_buffer ? " for frames of several buffers" : "");
    shunt_error_remedy(error,
                       "take a NIC whose driver has it (ice, i40e, ixgbe, igc, mlx5_core, nfp, "
                       "stmmac; with newer kernels virtio_net, igb, gve)");
    break;
  case -EPERM:
    shunt_error_remedy(error, EXPLAIN_SETCAP);
    break;
  default:
    break;
  }
  return code;
}

/* Where frames are copied no driver waits for buffers, and the flag is never set: only drivers with
 * zero copy call xsk_set_rx_need_wakeup. It shares a cache line with what the kernel writes for
 * each batch, so looking at it while nothing has come would slow the kernel down. */
static void ignore_fill_flags(struct shunt_xdp_queue *q)
{
  q->fill_flags = q->rx_flags = &q->never;
}

/* A queue that was given back a moment ago is taken down in the kernel's own time: EBUSY for 20 ms
 * and more (xp_release_deferred). */
static int bind_queue(struct xdp_queue *queue, const struct sockaddr_xdp *address)
{
  const struct xdp *xdp = queue->xdp;
  const uint64_t deadline_ns = shunt_clock_now_ns(xdp->options.clock) + XDP_BUSY_DEADLINE_NS;
  while (xdp->system->bind(queue->fd, address)) {
    const int code = -errno;
    if (code != -EBUSY || !pause_before(xdp, deadline_ns))
      return code;
  }
  return 0;
}

/* Queues that share memory share the first one's flags: others are refused with any (EINVAL). */
static struct sockaddr_xdp bind_address(const struct xdp *xdp, uint32_t queue_id, bool zero_copy,
                                        int shared_fd)
{
  struct sockaddr_xdp address = {.sxdp_family = AF_XDP,
                                 .sxdp_ifindex = (uint32_t)xdp->state.ifindex,
                                 .sxdp_queue_id = queue_id};
  if (shared_fd >= 0) {
    address.sxdp_flags = XDP_SHARED_UMEM;
    address.sxdp_shared_umem_fd = (uint32_t)shared_fd;
    return address;
  }
  address.sxdp_flags = zero_copy ? XDP_ZEROCOPY : XDP_COPY;
  if (xdp->wanted.wakeup)
    address.sxdp_flags |= XDP_USE_NEED_WAKEUP;
  if (xdp->multi_buffer)
    address.sxdp_flags |= XDP_USE_SG;
  return address;
}

/* What the kernel granted, not what it was asked for. */
static int check_granted(const struct xdp_queue *queue, bool zero_copy, struct shunt_error *error)
{
  struct xdp_options granted = {0};
  socklen_t bytes = sizeof(granted);
  if (queue->xdp->system->get(queue->fd, SOL_XDP, XDP_OPTIONS, &granted, &bytes))
    return error_set_errno(error, -errno, "the kernel does not say which mode it granted");
  if (zero_copy && !(granted.flags & XDP_OPTIONS_ZEROCOPY)) {
    shunt_error_set(error, -EOPNOTSUPP, "no zero copy on %s", queue->xdp->interface);
    shunt_error_why(error, "it was asked for, and XDP_OPTIONS says copy");
    return -EOPNOTSUPP;
  }
  return 0;
}

int xdp_socket_open(struct xdp_queue *queue, uint32_t queue_id, bool zero_copy, int shared_fd,
                    struct shunt_error *error)
{
  struct xdp *xdp = queue->xdp;
  const struct sockaddr_xdp address = bind_address(xdp, queue_id, zero_copy, shared_fd);
  const struct xdp_socket_wanted wanted = xdp_settings_socket(xdp);
  int result = xdp->access->ops->socket(xdp->access, &wanted, &queue->fd, error);
  if (!result && shared_fd < 0)
    result = register_memory(queue, error);
  if (!result)
    result = furnish(queue, error);
  if (!result) {
    result = bind_queue(queue, &address);
    if (result)
      bind_error(queue, queue_id, result, error);
  }
  if (!result)
    result = check_granted(queue, zero_copy, error);
  if (!result && !zero_copy)
    ignore_fill_flags(&queue->inlined);
  if (result)
    xdp_socket_close(queue);
  return result;
}

void xdp_socket_close(struct xdp_queue *queue)
{
  for (enum ring i = 0; i < RINGS; i++) {
    if (queue->rings[i])
      queue->xdp->system->unmap(queue->rings[i], queue->ring_bytes[i]);
    queue->rings[i] = NULL;
  }
  if (queue->fd >= 0)
    queue->xdp->system->close(queue->fd);
  queue->fd = -1;
}
