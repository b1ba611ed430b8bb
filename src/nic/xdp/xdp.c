/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_XDP: how a port comes up on an interface of the kernel, goes down, and what it says of itself.
 */
#include "src/nic/xdp/xdp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/bpf/features.h"
#include "src/bpf/filter.h"
#include "src/core/error_internal.h"
#include "src/netlink/membership.h"
#include "src/netlink/setup.h"

/* --- What can be asked ---------------------------------------------------------------------------
 */

static int check_memory(struct xdp *xdp, struct shunt_error *error)
{
  const uint32_t bytes = shunt_region_buf_bytes(xdp->options.region);
  const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
  if (bytes < XDP_CHUNK_LEAST_BYTES || bytes > page) {
    shunt_error_set(error, -EINVAL, "the region's buffers of %u bytes don't suit AF_XDP", bytes);
    shunt_error_why(error, "the kernel takes chunks of %u to %u bytes (xdp_umem_reg)",
                    XDP_CHUNK_LEAST_BYTES, page);
    shunt_error_remedy(error, "make the region with buf_bytes of 2048 or 4096");
    return -EINVAL;
  }
  xdp->chunk_bytes = bytes;
  return 0;
}

static uint32_t interface_queues(const struct interface_state *state)
{
  const struct interface_channels *channels = &state->channels;
  return channels->known ? channels->combined + channels->rx : state->rx_queues;
}

static void more_queues(const struct xdp *xdp, struct shunt_error *error)
{
  const struct interface_channels *channels = &xdp->state.channels;
  const uint32_t needed = xdp->wanted.first_queue + xdp->options.queues;
  const uint32_t most = channels->combined_max ? channels->combined_max : channels->rx_max;
  if (channels->known && needed <= most)
    shunt_error_remedy(error, "take fewer, or give it more: channels=%u", needed);
  else if (xdp->state.peer)
    shunt_error_remedy(error, "take fewer, or make the pair with numrxqueues %u numtxqueues %u",
                       needed, needed);
  else
    shunt_error_remedy(error, "take fewer: its driver (%s) gives it no more", xdp->state.driver);
}

static int check_queues(const struct xdp *xdp, struct shunt_error *error)
{
  const uint32_t have = interface_queues(&xdp->state), first = xdp->wanted.first_queue;
  const uint32_t last = first + xdp->options.queues - 1;
  if (last < have)
    return 0;
  if (first == last)
    shunt_error_set(error, -EINVAL, "%s has no queue %u", xdp->interface, first);
  else
    shunt_error_set(error, -EINVAL, "%s has no queues %u to %u", xdp->interface, first, last);
  shunt_error_why(error, "it has %u receive queue%s%s", have, have == 1 ? "" : "s",
                  xdp->state.channels.known ? "" : ", as far as the kernel tells");
  more_queues(xdp, error);
  return -EINVAL;
}

/* A frame comes behind XDP_RX_HEADROOM_BYTES of a buffer, so one of the interface's MTU may need
 * several. */
static int choose_multi_buffer(struct xdp *xdp, struct shunt_error *error)
{
  const uint32_t room = xdp->chunk_bytes - XDP_RX_HEADROOM_BYTES;
  const bool needed = xdp->state.mtu + XDP_ETHERNET_BYTES > room;
  xdp->multi_buffer = xdp->wanted.multi_buffer_given ? xdp->wanted.multi_buffer : needed;
  if (needed && !xdp->multi_buffer) {
    shunt_error_set(error, -EMSGSIZE, "frames of %s don't fit a buffer", xdp->interface);
    shunt_error_why(error, "its MTU is %u, and a buffer of %u bytes has room for %u with header",
                    xdp->state.mtu, xdp->chunk_bytes, room);
    shunt_error_remedy(error,
                       "multi_buffer=1 (Linux 6.6), a region with buf_bytes of 4096, or "
                       "ip link set %s mtu %u",
                       xdp->interface, room - XDP_ETHERNET_BYTES);
    return -EMSGSIZE;
  }
  struct features features = {0};
  return xdp->multi_buffer ? features_need(&features, FEATURE_SOCKET_FRAGMENTS,
                                           "frames of several buffers", error)
                           : 0;
}

static int choose_metadata(struct xdp *xdp, struct shunt_error *error)
{
  struct xdp_wanted *wanted = &xdp->wanted;
  struct features features = {0};
  if (wanted->sums == XDP_SUMS_SOFTWARE && !wanted->tx_time)
    return 0;
  xdp->umem_flags = XDP_UMEM_TX_METADATA_LEN;
  xdp->metadata_bytes = sizeof(struct xdp_tx_metadata);
  if (wanted->sums == XDP_SUMS_KERNEL) {
    if (wanted->zero_copy == XDP_REQUIRE) {
      shunt_error_set(error, -EINVAL, "checksum=kernel and zero copy exclude each other");
      shunt_error_why(error, "without a copy no frame passes the kernel's checksum code");
      shunt_error_remedy(error, "checksum=device, or checksum=software");
      return -EINVAL;
    }
    wanted->zero_copy = XDP_NEVER;
    xdp->umem_flags |= XDP_UMEM_TX_SW_CSUM;
  }
  return features_need(&features, FEATURE_TX_METADATA_LENGTH, "checksum and tx_time", error);
}

static int check_options(struct xdp *xdp, struct shunt_error *error)
{
  if (xdp->options.vlan_strip) {
    shunt_error_set(error, -EOPNOTSUPP, "no VLAN tags are taken off");
    shunt_error_why(error, "AF_XDP hands over frames with the tags in them");
    shunt_error_remedy(error, "open without vlan_strip");
    return -EOPNOTSUPP;
  }
  int result = check_memory(xdp, error);
  result = result ? result : check_queues(xdp, error);
  result = result ? result : choose_multi_buffer(xdp, error);
  return result ? result : choose_metadata(xdp, error);
}

/* --- Up ------------------------------------------------------------------------------------------
 */

static int create_queue(struct xdp *xdp, unsigned index)
{
  const size_t bytes = (sizeof(struct xdp_queue) + SHUNT_CACHE_LINE_BYTES - 1) &
                       ~(size_t)(SHUNT_CACHE_LINE_BYTES - 1);
  struct xdp_queue *queue = aligned_alloc(SHUNT_CACHE_LINE_BYTES, bytes);
  if (!queue)
    return -ENOMEM;
  memset(queue, 0, bytes);
  queue->xdp = xdp;
  queue->fd = -1;
  struct shunt_queue *head = &queue->inlined.head;
  head->base = shunt_region_base(xdp->options.region);
  head->buf_bytes = xdp->chunk_bytes;
  head->port = &xdp->port;
  head->index = index;
  queue->inlined.driver = xdp;
  xdp_verbs_install(&queue->inlined, xdp->options.rx_metadata);
  xdp->queues[index] = queue;
  xdp->queue_count = index + 1;
  return 0;
}

static int create_queues(struct xdp *xdp, struct shunt_error *error)
{
  int result = 0;
  xdp->queues = calloc(xdp->options.queues, sizeof(struct xdp_queue *));
  if (!xdp->queues)
    result = -ENOMEM;
  for (unsigned i = 0; !result && i < xdp->options.queues; i++)
    result = create_queue(xdp, i);
  return result ? error_set_errno(error, result, "no memory for the queues") : 0;
}

static void write_texts(struct xdp *xdp)
{
  snprintf(xdp->device_text, sizeof(xdp->device_text), "%s (%s)", xdp->interface,
           *xdp->state.driver ? xdp->state.driver : "no driver named");
  snprintf(xdp->path_text, sizeof(xdp->path_text), "AF_XDP, %s%s%s",
           shunt_xdp_mode_text(xdp->mode, xdp->zero_copy),
           xdp->multi_buffer ? ", several buffers a frame" : "",
           xdp->wanted.helper ? ", by helper" : "");
}

static int start(struct xdp *xdp, struct shunt_error *error)
{
  int result = check_options(xdp, error);
  result = result ? result : create_queues(xdp, error);
  result = result ? result : xdp_ladder_climb(xdp, error);
  for (unsigned i = 0; !result && i < xdp->queue_count; i++)
    result = xdp_settings_apply(xdp->queues[i], error);
  if (!result && xdp->options.promiscuous)
    result = xdp_promiscuous(&xdp->port, 1, error);
  return result;
}

int xdp_open_with(const struct xdp_system *system, struct xdp_access *access,
                  const struct interface_state *state, struct xdp_wanted *wanted,
                  const struct shunt_port_options *options, struct shunt_port **port,
                  struct shunt_error *error)
{
  struct xdp *xdp = calloc(1, sizeof(*xdp));
  if (!xdp) {
    xdp_rules_free(&wanted->rules);
    access->ops->close(access);
    return error_set_errno(error, -ENOMEM, "no memory for a port");
  }
  xdp->port.ops = &xdp_ops;
  xdp->system = system;
  xdp->access = access;
  xdp->state = *state;
  xdp->wanted = *wanted;
  xdp->options = *options;
  snprintf(xdp->interface, sizeof(xdp->interface), "%s", state->name);
  int result = start(xdp, error);
  if (result) {
    xdp_ops.close(&xdp->port);
    return result;
  }
  write_texts(xdp);
  xdp_lend(xdp);
  xdp_left_out(xdp, &xdp->state.channels);
  *port = &xdp->port;
  return 0;
}

/* --- Down ----------------------------------------------------------------------------------------
 */

/* The program goes first: a driver in zero-copy mode then takes its ring from our memory, which it
 * otherwise does in its own time after the sockets are closed. Takes a port in any state that start
 * can leave behind. */
static void xdp_close(struct shunt_port *port)
{
  struct xdp *xdp = xdp_of(port);
  xdp_lend_no_more(xdp);
  if (xdp->attached)
    xdp->access->ops->detach(xdp->access);
  for (unsigned i = 0; i < xdp->queue_count; i++) {
    xdp_socket_close(xdp->queues[i]);
    free(xdp->queues[i]);
  }
  membership_close(xdp->membership);
  xdp->access->ops->close(xdp->access);
  free(xdp->queues);
  xdp_rules_free(&xdp->wanted.rules);
  free(xdp);
}

/* --- The port ------------------------------------------------------------------------------------
 */

static void xdp_info(const struct shunt_port *port, struct shunt_port_info *info)
{
  const struct xdp *xdp = xdp_of(port);
  info->driver = "xdp";
  info->device = xdp->device_text;
  info->path = xdp->path_text;
  info->mac = xdp->state.mac;
  info->queues = xdp->options.queues;
  info->max_queues = (uint16_t)interface_queues(&xdp->state);
  info->rx_ring = xdp->options.rx_ring;
  info->tx_ring = xdp->options.tx_ring;
  info->mtu = xdp->state.mtu;
  info->rx_buf_bytes = xdp->chunk_bytes - XDP_RX_HEADROOM_BYTES;
  info->numa_node = xdp->state.numa_node;
  info->interrupts = xdp->options.interrupts;
}

static struct shunt_queue *xdp_queue(struct shunt_port *port, unsigned index)
{
  return &xdp_of(port)->queues[index]->inlined.head;
}

/* The socket itself is readable while its Rx ring holds a frame, so there is nothing to arm; but a
 * driver that waits for a wake-up must have it before we sleep. */
static int xdp_queue_fd(struct shunt_queue *q, struct shunt_error *error)
{
  (void)error;
  return xdp_queue_of((struct shunt_xdp_queue *)q)->fd;
}

static void xdp_queue_arm(struct shunt_queue *q)
{
  shunt_xdp_rx_none((struct shunt_xdp_queue *)q);
}

const struct port_ops xdp_ops = {
    .close = xdp_close,
    .info = xdp_info,
    .queue = xdp_queue,
    .queue_fd = xdp_queue_fd,
    .queue_arm = xdp_queue_arm,
    .link = xdp_link,
    .check = xdp_check,
    .statistics = xdp_statistics_read,
    .promiscuous = xdp_promiscuous,
    .multicast = xdp_multicast,
    .time = xdp_time,
};

/* --- By name -------------------------------------------------------------------------------------
 */

/* Change the interface where frames would come spoilt, or other than was asked; close puts it back.
 * An MTU of 1500 that is not the name's is a default, and asks for nothing. */
static int set_up(struct xdp_access *access, const struct xdp_wanted *wanted,
                  const struct shunt_port_options *options, struct interface_state *state,
                  struct shunt_error *error)
{
  const bool other = options->mtu != state->mtu && (options->mtu != 1500 || wanted->mtu_given);
  const struct setup_wanted changes = {
      .channels = wanted->channels,
      .mtu = other ? options->mtu : 0,
      .traps_try =
          wanted->setup ? SETUP_PARTIAL_CHECKSUMS | SETUP_AGGREGATES | SETUP_STRIPPED_TAGS : 0,
  };
  if (!wanted->setup && !changes.channels && !changes.mtu)
    return 0;
  int result = access->ops->setup(access, &changes, error);
  return result ? result : interface_read_index(state->ifindex, state, error);
}

static int open_access(const struct xdp_wanted *wanted, const struct interface_state *state,
                       const struct shunt_log *log, struct xdp_access **access,
                       struct shunt_error *error)
{
  return wanted->helper
             ? xdp_access_helper_open(wanted->helper, state->name, state->ifindex, access, error)
             : xdp_access_direct_open(state->name, state->ifindex, log, access, error);
}

static int xdp_open(const char *location, const struct shunt_port_options *options,
                    struct params *params, struct shunt_port **port, struct shunt_error *error)
{
  struct xdp_wanted wanted;
  struct interface_state state;
  struct xdp_access *access;
  int result = xdp_wanted_take(params, &wanted, error);
  if (result)
    return result;
  result = port_keys_finish(&xdp_driver, params, error); /* a mistake in the name changes nothing */
  result = result ? result : interface_read(location, &state, error);
  result = result ? result : open_access(&wanted, &state, options->log, &access, error);
  if (result) {
    xdp_rules_free(&wanted.rules);
    return result;
  }
  result = set_up(access, &wanted, options, &state, error);
  if (result) {
    xdp_rules_free(&wanted.rules);
    access->ops->close(access);
    return result;
  }
  return xdp_open_with(&xdp_real_system, access, &state, &wanted, options, port, error);
}

/* No PCI device is opened by its ids here: the kernel's driver has it. */
static int xdp_knows(uint16_t vendor, uint16_t device, struct shunt_error *error)
{
  (void)vendor;
  (void)device;
  (void)error;
  return -ENODEV;
}

/* Where half a buffer of this length would be lost to zero copy, twice the usual. */
static uint32_t xdp_buf_bytes(const char *location)
{
  struct interface_state state;
  return !interface_read(location, &state, NULL) && xdp_ladder_whole_kib(&state) ? 4096 : 2048;
}

const struct port_driver xdp_driver = {
    .name = "xdp",
    .keys = "mode, hw, drv, skb, zero_copy, copy, queue, rules, rules_file, join, helper, "
            "channels, wakeup, setup, "
            "multi_buffer, tx_budget, checksum, tx_time, busy_poll_us, busy_budget",
    .knows = xdp_knows,
    .buf_bytes = xdp_buf_bytes,
    .open = xdp_open};
