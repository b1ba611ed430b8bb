/* SPDX-License-Identifier: BSD-2-Clause */
/* What `shunt bench` compares AF_XDP ports with: a plain loop on libxdp, with the calls, the sizes
 * of rings and buffers and the order of work that its own examples have.
 *
 *   shunt-peer-libxdp INTERFACE drv|skb receive|send|forward|answer DESCRIPTOR
 *
 * DESCRIPTOR is a file with a struct peer_page. It works until the page says that it is over. */
#include <errno.h>
#include <linux/if_link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include "bench/peers/peer.h"

#define FRAMES      4096u
#define FRAME_BYTES XSK_UMEM__DEFAULT_FRAME_SIZE
#define MEMORY      ((uint64_t)FRAMES * FRAME_BYTES)
#define RX_RING     XSK_RING_CONS__DEFAULT_NUM_DESCS
#define TX_RING     XSK_RING_PROD__DEFAULT_NUM_DESCS
#define FILL_RING   (2 * XSK_RING_PROD__DEFAULT_NUM_DESCS)
#define DONE_RING   XSK_RING_CONS__DEFAULT_NUM_DESCS

/* Newer than this libxdp's headers: how many frames one call may send in copy mode (6.17). */
#define TX_BUDGET_OPTION 9

struct peer {
  struct peer_page *page;
  uint8_t *memory;
  struct xsk_umem *umem;
  struct xsk_socket *socket;
  struct xsk_ring_cons rx, done;
  struct xsk_ring_prod tx, fill;
  uint32_t outstanding; /* frames that are not yet sent */
  uint32_t next;        /* frame to send */
};

static int fail(struct peer *peer, const char *what, int code)
{
  snprintf(peer->page->why, sizeof(peer->page->why), "%s: %s", what, strerror(code));
  atomic_store(&peer->page->state, PEER_FAILED);
  return 1;
}

/* ---- Set-up ---- */

static bool map_memory(struct peer *peer)
{
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  peer->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0);
  if (peer->memory != MAP_FAILED)
    return true;
  peer->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (peer->memory == MAP_FAILED)
    return false;
  madvise(peer->memory, MEMORY, MADV_HUGEPAGE);
  return true;
}

static void write_frames(struct peer *peer)
{
  static const uint8_t header[] = {2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0xfe, 0x88, 0xb5};
  for (uint32_t i = 0; i < FRAMES; i++)
    memcpy(peer->memory + (uint64_t)i * FRAME_BYTES, header, sizeof(header));
}

static void fill_all(struct peer *peer)
{
  uint32_t at;
  if (xsk_ring_prod__reserve(&peer->fill, FRAMES, &at) != FRAMES)
    return;
  for (uint32_t i = 0; i < FRAMES; i++)
    *xsk_ring_prod__fill_addr(&peer->fill, at + i) = (uint64_t)i * FRAME_BYTES;
  xsk_ring_prod__submit(&peer->fill, FRAMES);
}

static int set_up(struct peer *peer, const char *interface, bool in_driver, enum peer_what what)
{
  const struct xsk_umem_config umem = {.fill_size = FILL_RING,
                                       .comp_size = DONE_RING,
                                       .frame_size = FRAME_BYTES,
                                       .frame_headroom = XSK_UMEM__DEFAULT_FRAME_HEADROOM};
  const struct xsk_socket_config socket = {
      .rx_size = RX_RING,
      .tx_size = TX_RING,
      .xdp_flags = in_driver ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE,
      .bind_flags = XDP_USE_NEED_WAKEUP,
      .libxdp_flags = what == PEER_SEND ? XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD : 0,
  };
  if (!map_memory(peer))
    return fail(peer, "memory", errno);
  write_frames(peer);
  int code = xsk_umem__create(&peer->umem, peer->memory, MEMORY, &peer->fill, &peer->done, &umem);
  if (code)
    return fail(peer, "xsk_umem__create", -code);
  code = xsk_socket__create(&peer->socket, interface, 0, peer->umem, &peer->rx, &peer->tx, &socket);
  if (code)
    return fail(peer, "xsk_socket__create", -code);
  const char *wanted = getenv("SHUNT_PEER_TX_BUDGET");
  const int budget = wanted ? atoi(wanted) : 0;
  if (budget)
    setsockopt(xsk_socket__fd(peer->socket), SOL_XDP, TX_BUDGET_OPTION, &budget, sizeof(budget));
  if (what != PEER_SEND)
    fill_all(peer);
  return 0;
}

/* ---- The loops ---- */

static void kick(struct peer *peer)
{
  if (xsk_ring_prod__needs_wakeup(&peer->tx))
    sendto(xsk_socket__fd(peer->socket), NULL, 0, MSG_DONTWAIT, NULL, 0);
}

static void wake_receive(struct peer *peer)
{
  if (xsk_ring_prod__needs_wakeup(&peer->fill))
    recvfrom(xsk_socket__fd(peer->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void receive(struct peer *peer)
{
  uint32_t from, to;
  const uint32_t n = xsk_ring_cons__peek(&peer->rx, PEER_BATCH, &from);
  if (!n) {
    wake_receive(peer);
    return;
  }
  while (xsk_ring_prod__reserve(&peer->fill, n, &to) != n)
    wake_receive(peer);
  for (uint32_t i = 0; i < n; i++)
    *xsk_ring_prod__fill_addr(&peer->fill, to + i) =
        xsk_umem__extract_addr(xsk_ring_cons__rx_desc(&peer->rx, from + i)->addr);
  xsk_ring_prod__submit(&peer->fill, n);
  xsk_ring_cons__release(&peer->rx, n);
  peer_count(peer->page, n);
}

static void complete_sent(struct peer *peer)
{
  uint32_t from;
  if (!peer->outstanding)
    return;
  kick(peer);
  const uint32_t n = xsk_ring_cons__peek(&peer->done, PEER_BATCH, &from);
  xsk_ring_cons__release(&peer->done, n);
  peer->outstanding -= n;
}

static void send_batch(struct peer *peer)
{
  uint32_t at;
  while (xsk_ring_prod__reserve(&peer->tx, PEER_BATCH, &at) < PEER_BATCH) {
    complete_sent(peer);
    if (!peer_goes_on(peer->page))
      return;
  }
  for (uint32_t i = 0; i < PEER_BATCH; i++) {
    struct xdp_desc *desc = xsk_ring_prod__tx_desc(&peer->tx, at + i);
    desc->addr = (uint64_t)((peer->next + i) % FRAMES) * FRAME_BYTES;
    desc->len = PEER_FRAME_BYTES;
  }
  xsk_ring_prod__submit(&peer->tx, PEER_BATCH);
  peer->outstanding += PEER_BATCH;
  peer->next = (peer->next + PEER_BATCH) % FRAMES;
  complete_sent(peer);
}

/* What was sent can be filled again. */
static void complete_forwarded(struct peer *peer)
{
  uint32_t from, to;
  if (!peer->outstanding)
    return;
  kick(peer);
  const uint32_t most = peer->outstanding < PEER_BATCH ? peer->outstanding : PEER_BATCH;
  const uint32_t n = xsk_ring_cons__peek(&peer->done, most, &from);
  if (!n)
    return;
  while (xsk_ring_prod__reserve(&peer->fill, n, &to) != n)
    wake_receive(peer);
  for (uint32_t i = 0; i < n; i++)
    *xsk_ring_prod__fill_addr(&peer->fill, to + i) =
        *xsk_ring_cons__comp_addr(&peer->done, from + i);
  xsk_ring_prod__submit(&peer->fill, n);
  xsk_ring_cons__release(&peer->done, n);
  peer->outstanding -= n;
}

static void swap_addresses(uint8_t *frame)
{
  uint8_t destination[6];
  memcpy(destination, frame, 6);
  memmove(frame, frame + 6, 6);
  memcpy(frame + 6, destination, 6);
}

static void forward(struct peer *peer)
{
  uint32_t from, to;
  complete_forwarded(peer);
  const uint32_t n = xsk_ring_cons__peek(&peer->rx, PEER_BATCH, &from);
  if (!n) {
    wake_receive(peer);
    return;
  }
  while (xsk_ring_prod__reserve(&peer->tx, n, &to) != n)
    complete_forwarded(peer);
  for (uint32_t i = 0; i < n; i++) {
    const struct xdp_desc *in = xsk_ring_cons__rx_desc(&peer->rx, from + i);
    struct xdp_desc *out = xsk_ring_prod__tx_desc(&peer->tx, to + i);
    swap_addresses(xsk_umem__get_data(peer->memory, xsk_umem__add_offset_to_addr(in->addr)));
    out->addr = in->addr;
    out->len = in->len;
  }
  xsk_ring_prod__submit(&peer->tx, n);
  xsk_ring_cons__release(&peer->rx, n);
  peer->outstanding += n;
  peer_count(peer->page, n);
}

int main(int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*work)(struct peer *peer);
  } works[] = {[PEER_RECEIVE] = {"receive", receive},
               [PEER_SEND] = {"send", send_batch},
               [PEER_FORWARD] = {"forward", forward},
               [PEER_ANSWER] = {"answer", forward}};
  static struct peer peer;
  unsigned what = 0;
  while (argc == 5 && what < 4 && strcmp(works[what].name, argv[3]) != 0)
    what++;
  if (argc != 5 || what == 4) {
    fputs("usage: shunt-peer-libxdp INTERFACE drv|skb receive|send|forward|answer DESCRIPTOR\n",
          stderr);
    return 2;
  }
  peer.page = mmap(NULL, sizeof(*peer.page), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[4]), 0);
  if (peer.page == MAP_FAILED) {
    perror("shunt-peer-libxdp: DESCRIPTOR");
    return 1;
  }
  int code = set_up(&peer, argv[1], !strcmp(argv[2], "drv"), (enum peer_what)what);
  if (!code)
    atomic_store(&peer.page->state, PEER_WORKING);
  while (!code && peer_goes_on(peer.page))
    works[what].work(&peer);
  if (peer.socket)
    xsk_socket__delete(peer.socket);
  if (peer.umem)
    xsk_umem__delete(peer.umem);
  return code;
}
