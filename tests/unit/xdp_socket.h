/* SPDX-License-Identifier: BSD-2-Clause */
/* The least AF_XDP socket that can receive, and a veth pair in a network namespace of the test's
 * own, which goes with its process. Source: linux/if_xdp.h, Documentation/networking/af_xdp.rst. */
#ifndef TESTS_UNIT_XDP_SOCKET_H
#define TESTS_UNIT_XDP_SOCKET_H

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define XDP_SOCKET_FRAMES      2048u
#define XDP_SOCKET_FRAME_BYTES 2048u

struct xdp_socket {
  int fd;
  uint8_t *memory;
  uint8_t *rx, *fill; /* ring mappings */
  size_t rx_bytes, fill_bytes;
  struct xdp_mmap_offsets offsets;
};

static inline uint32_t *xdp_socket_word(uint8_t *ring, uint64_t offset)
{
  return (uint32_t *)(void *)(ring + offset);
}

static inline void xdp_socket_close(struct xdp_socket *s)
{
  if (s->rx)
    munmap(s->rx, s->rx_bytes);
  if (s->fill)
    munmap(s->fill, s->fill_bytes);
  if (s->fd >= 0)
    close(s->fd);
  if (s->memory)
    munmap(s->memory, (size_t)XDP_SOCKET_FRAMES * XDP_SOCKET_FRAME_BYTES);
}

static inline uint8_t *xdp_socket_map(int fd, size_t bytes, uint64_t offset)
{
  void *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

  return ring == MAP_FAILED ? NULL : (uint8_t *)ring;
}

/* Bind to a queue in copy mode, all frames in the fill ring. false: something failed. */
static inline bool xdp_socket_open(struct xdp_socket *s, unsigned ifindex, uint32_t queue)
{
  size_t bytes = (size_t)XDP_SOCKET_FRAMES * XDP_SOCKET_FRAME_BYTES;
  uint32_t ring = XDP_SOCKET_FRAMES;
  socklen_t length = sizeof(s->offsets);
  struct sockaddr_xdp to = {.sxdp_family = AF_XDP,
                            .sxdp_flags = XDP_COPY,
                            .sxdp_ifindex = ifindex,
                            .sxdp_queue_id = queue};

  memset(s, 0, sizeof(*s));
  s->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  void *memory =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (s->fd < 0 || memory == MAP_FAILED)
    return false;
  s->memory = (uint8_t *)memory;
  struct xdp_umem_reg region = {
      .addr = (uintptr_t)memory, .len = bytes, .chunk_size = XDP_SOCKET_FRAME_BYTES};
  if (setsockopt(s->fd, SOL_XDP, XDP_UMEM_REG, &region, sizeof(region)) ||
      setsockopt(s->fd, SOL_XDP, XDP_UMEM_FILL_RING, &ring, sizeof(ring)) ||
      setsockopt(s->fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &ring, sizeof(ring)) ||
      setsockopt(s->fd, SOL_XDP, XDP_RX_RING, &ring, sizeof(ring)) ||
      getsockopt(s->fd, SOL_XDP, XDP_MMAP_OFFSETS, &s->offsets, &length))
    return false;
  s->rx_bytes = s->offsets.rx.desc + ring * sizeof(struct xdp_desc);
  s->fill_bytes = s->offsets.fr.desc + ring * sizeof(uint64_t);
  s->rx = xdp_socket_map(s->fd, s->rx_bytes, XDP_PGOFF_RX_RING);
  s->fill = xdp_socket_map(s->fd, s->fill_bytes, XDP_UMEM_PGOFF_FILL_RING);
  if (!s->rx || !s->fill)
    return false;
  uint64_t *addresses = (uint64_t *)(void *)(s->fill + s->offsets.fr.desc);
  for (uint32_t i = 0; i < ring; i++)
    addresses[i] = (uint64_t)i * XDP_SOCKET_FRAME_BYTES;
  __atomic_store_n(xdp_socket_word(s->fill, s->offsets.fr.producer), ring, __ATOMIC_RELEASE);
  return bind(s->fd, (struct sockaddr *)&to, sizeof(to)) == 0;
}

/* The next frame, or NULL; it stays until the next call. */
static inline const uint8_t *xdp_socket_receive(struct xdp_socket *s, uint32_t *bytes)
{
  uint32_t *consumer = xdp_socket_word(s->rx, s->offsets.rx.consumer);
  uint32_t *filled = xdp_socket_word(s->fill, s->offsets.fr.producer);

  if (__atomic_load_n(xdp_socket_word(s->rx, s->offsets.rx.producer), __ATOMIC_ACQUIRE) ==
      *consumer)
    return NULL;
  const struct xdp_desc *desc =
      (const struct xdp_desc *)(void *)(s->rx + s->offsets.rx.desc) + *consumer % XDP_SOCKET_FRAMES;
  uint64_t *addresses = (uint64_t *)(void *)(s->fill + s->offsets.fr.desc);
  const uint8_t *frame = s->memory + desc->addr;
  *bytes = desc->len;
  /* So many frames are in the ring that this one is not written to at once. */
  addresses[*filled % XDP_SOCKET_FRAMES] =
      desc->addr / XDP_SOCKET_FRAME_BYTES * XDP_SOCKET_FRAME_BYTES;
  __atomic_store_n(filled, *filled + 1, __ATOMIC_RELEASE);
  __atomic_store_n(consumer, *consumer + 1, __ATOMIC_RELEASE);
  return frame;
}

/* ---- the other side, and the kernel's ---- */

/* All frames of an interface that come this far up the kernel; and out of it. */
static inline int packet_socket(unsigned ifindex)
{
  struct sockaddr_ll to = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)ifindex};
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
  int bytes = 64 << 20;

  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
  if (bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
    return fd;
  close(fd);
  return -1;
}

/* A network namespace with a veth pair shunta, shuntb; false where that can't be had. */
static inline bool veth_pair(void)
{
  return unshare(CLONE_NEWNET) == 0 &&
         system(
             "ip link add shunta type veth peer name shuntb 2>/dev/null && "
             "sysctl -qw net.ipv6.conf.shunta.disable_ipv6=1 net.ipv6.conf.shuntb.disable_ipv6=1 "
             "2>/dev/null; ip link set shunta up && ip link set shuntb up") == 0;
}

#endif
