/* SPDX-License-Identifier: BSD-2-Clause */
/* In a guest: answer ARP and ICMP echo through an AF_XDP socket in zero-copy mode, nothing else,
 * until SIGTERM comes or the seconds are over.
 *
 *   guest-xdp-echo INTERFACE IPV4 SECONDS
 *
 * Raw on purpose: system calls and the ring layout of linux/if_xdp.h, so that what is tried is the
 * kernel's driver on the card, not ours. Sends every frame of queue 0 to the socket, by a program
 * of six instructions. Prints "bound" and, at the end, how many frames it answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shunt/respond.h"

#define FRAMES      4096u
#define FRAME_BYTES 2048u
#define RING        1024u

/* One ring of the kernel's: entries and both indices, mapped. */
struct ring {
  uint32_t *producer, *consumer;
  void *entries;
};

static int fail(const char *what)
{
  fprintf(stderr, "guest-xdp-echo: %s: %s\n", what, strerror(errno));
  return 1;
}

/* ---- The socket ---- */

static bool map_ring(int socket, off_t where, const struct xdp_ring_offset *offset, size_t entry,
                     struct ring *ring)
{
  uint8_t *map = mmap(NULL, offset->desc + RING * entry, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_POPULATE, socket, where);
  if (map == MAP_FAILED)
    return false;
  *ring = (struct ring){(uint32_t *)(void *)(map + offset->producer),
                        (uint32_t *)(void *)(map + offset->consumer), map + offset->desc};
  return true;
}

struct socket {
  int fd;
  uint8_t *memory;
  struct ring fill, completion, rx, tx;
};

static bool open_socket(struct socket *s)
{
  s->fd = socket(AF_XDP, SOCK_RAW, 0);
  s->memory = mmap(NULL, FRAMES * FRAME_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (s->fd < 0 || s->memory == MAP_FAILED)
    return false;
  const struct xdp_umem_reg memory = {.addr = (uint64_t)(uintptr_t)s->memory,
                                      .len = FRAMES * FRAME_BYTES,
                                      .chunk_size = FRAME_BYTES};
  const uint32_t entries = RING;
  struct xdp_mmap_offsets offsets;
  socklen_t bytes = sizeof offsets;
  return setsockopt(s->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof memory) == 0 &&
         setsockopt(s->fd, SOL_XDP, XDP_UMEM_FILL_RING, &entries, sizeof entries) == 0 &&
         setsockopt(s->fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &entries, sizeof entries) == 0 &&
         setsockopt(s->fd, SOL_XDP, XDP_RX_RING, &entries, sizeof entries) == 0 &&
         setsockopt(s->fd, SOL_XDP, XDP_TX_RING, &entries, sizeof entries) == 0 &&
         getsockopt(s->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &bytes) == 0 &&
         map_ring(s->fd, XDP_UMEM_PGOFF_FILL_RING, &offsets.fr, 8, &s->fill) &&
         map_ring(s->fd, XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr, 8, &s->completion) &&
         map_ring(s->fd, XDP_PGOFF_RX_RING, &offsets.rx, sizeof(struct xdp_desc), &s->rx) &&
         map_ring(s->fd, XDP_PGOFF_TX_RING, &offsets.tx, sizeof(struct xdp_desc), &s->tx);
}

/* ---- The program ---- */

static int bpf(int command, union bpf_attr *attributes, size_t bytes)
{
  return (int)syscall(__NR_bpf, command, attributes, bytes);
}

/* Attach a program that redirects every frame of queue 0 to the socket and passes the others. */
static bool attach(unsigned interface, int socket)
{
  union bpf_attr make = {
      .map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4, .max_entries = 1};
  int map = bpf(BPF_MAP_CREATE, &make, sizeof make);
  const uint32_t key = 0;
  union bpf_attr set = {.map_fd = (uint32_t)map,
                        .key = (uint64_t)(uintptr_t)&key,
                        .value = (uint64_t)(uintptr_t)&socket};
  if (map < 0 || bpf(BPF_MAP_UPDATE_ELEM, &set, sizeof set) < 0)
    return false;
  const struct bpf_insn code[] = {
      /* return bpf_redirect_map(map, ctx->rx_queue_index, XDP_PASS) */
      {BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index), 0},
      {BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map},
      {0, 0, 0, 0, 0},
      {BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_PASS},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_XDP,
                         .insns = (uint64_t)(uintptr_t)code,
                         .insn_cnt = sizeof code / sizeof code[0],
                         .license = (uint64_t)(uintptr_t) "BSD"};
  int program = bpf(BPF_PROG_LOAD, &load, sizeof load);
  union bpf_attr link = {.link_create = {.prog_fd = (uint32_t)program,
                                         .target_ifindex = interface,
                                         .attach_type = BPF_XDP,
                                         .flags = XDP_FLAGS_DRV_MODE}};
  return program >= 0 && bpf(BPF_LINK_CREATE, &link, sizeof link) >= 0;
}

/* ---- The loop ---- */

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
  (void)signal;
  stopped = 1;
}

static void give(struct ring *ring, const void *entry, size_t bytes)
{
  uint32_t at = *ring->producer;
  memcpy((uint8_t *)ring->entries + (at % RING) * bytes, entry, bytes);
  __atomic_store_n(ring->producer, at + 1, __ATOMIC_RELEASE);
}
static bool take(struct ring *ring, void *entry, size_t bytes)
{
  uint32_t at = *ring->consumer;
  if (__atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) == at)
    return false;
  memcpy(entry, (uint8_t *)ring->entries + (at % RING) * bytes, bytes);
  __atomic_store_n(ring->consumer, at + 1, __ATOMIC_RELEASE);
  return true;
}

static unsigned answer_all(struct socket *s, const struct shunt_host *host)
{
  unsigned answered = 0;
  uint64_t frame;
  for (struct xdp_desc received; take(&s->rx, &received, sizeof received);) {
    frame = received.addr & ~(uint64_t)(FRAME_BYTES - 1);
    if (shunt_respond_in_place(s->memory + received.addr, received.len, 0, host)) {
      give(&s->fill, &frame, sizeof frame);
      continue;
    }
    give(&s->tx, &(struct xdp_desc){.addr = received.addr, .len = received.len}, sizeof received);
    answered++;
  }
  if (answered)
    sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
  while (take(&s->completion, &frame, sizeof frame)) {
    frame &= ~(uint64_t)(FRAME_BYTES - 1);
    give(&s->fill, &frame, sizeof frame);
  }
  return answered;
}

int main(int argc, char **argv)
{
  if (argc != 4) {
    fputs("usage: guest-xdp-echo INTERFACE IPV4 SECONDS\n", stderr);
    return 2;
  }
  struct socket s;
  struct ifreq request = {0};
  struct in_addr address;
  unsigned interface = if_nametoindex(argv[1]);
  if (!interface || inet_pton(AF_INET, argv[2], &address) != 1)
    return fail(argv[1]);
  if (!open_socket(&s))
    return fail("an AF_XDP socket");
  /* All frames but those that the answers may hold on the way out. */
  for (uint64_t i = 0; i < RING / 2; i++)
    give(&s.fill, &(uint64_t){i * FRAME_BYTES}, sizeof(uint64_t));
  if (!attach(interface, s.fd))
    return fail("attach a program");
  const struct sockaddr_xdp bind_to = {.sxdp_family = AF_XDP,
                                       .sxdp_flags = XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP,
                                       .sxdp_ifindex = interface};
  if (bind(s.fd, (const struct sockaddr *)&bind_to, sizeof bind_to) < 0)
    return fail("bind in zero-copy mode");
  struct xdp_options granted;
  socklen_t bytes = sizeof granted;
  if (getsockopt(s.fd, SOL_XDP, XDP_OPTIONS, &granted, &bytes) < 0 ||
      !(granted.flags & XDP_OPTIONS_ZEROCOPY))
    return fail("zero copy was not granted");

  struct shunt_host host = {.prefix_bits = 24, .ipv4 = ntohl(address.s_addr)};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", argv[1]);
  int any = socket(AF_INET, SOCK_DGRAM, 0);
  if (ioctl(any, SIOCGIFHWADDR, &request) < 0)
    return fail("the interface's address");
  memcpy(&host.mac, request.ifr_hwaddr.sa_data, 6);
  close(any);

  sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
  puts("bound");
  fflush(stdout);
  unsigned answered = 0;
  time_t end = time(NULL) + atoi(argv[3]);
  while (!stopped && time(NULL) < end) {
    struct pollfd wait = {.fd = s.fd, .events = POLLIN};
    poll(&wait, 1, 100);
    answered += answer_all(&s, &host);
  }
  printf("answered %u\n", answered);
  return 0;
}
