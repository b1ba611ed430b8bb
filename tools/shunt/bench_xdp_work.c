/* SPDX-License-Identifier: BSD-2-Clause */
/* What is measured on the near end: our port, and the kernel's UDP sockets at their quickest. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shunt/xdp.h"
#include "tools/shunt/bench_xdp.h"

/* ---- shunt ---- */

#define RING         2048u /* as the libxdp loop has */
#define ANSWER_RING  64u   /* the buffers of one frame at a time: the cache holds them */
#define PUSH_BATCHES 8u

struct work {
  struct peer_page *page;
  struct shunt_region *region;
  struct shunt_pool *pool;
  struct shunt_port *port;
  struct shunt_xdp_queue *q;
};

static void receive(struct work *work)
{
  struct shunt_frame frames[PEER_BATCH];
  shunt_buf bufs[PEER_BATCH];
  const unsigned n = shunt_xdp_rx_poll(work->q, frames, PEER_BATCH);
  if (!n)
    return;
  for (unsigned i = 0; i < n; i++)
    bufs[i] = frames[i].addr;
  shunt_xdp_rx_post(work->q, bufs, n);
  peer_count(work->page, n);
}

/* A buffer goes out again as soon as it is back, so few of them are on their way, and the cache
 * holds them. */
static void post_batch(struct work *work)
{
  struct shunt_frame frames[PEER_BATCH];
  shunt_buf bufs[PEER_BATCH];
  unsigned n = shunt_xdp_tx_poll(work->q, bufs, PEER_BATCH);
  if (n < PEER_BATCH)
    n += shunt_pool_take(work->pool, bufs + n, PEER_BATCH - n);
  for (unsigned i = 0; i < n; i++)
    frames[i] = (struct shunt_frame){.addr = bufs[i], .len = PEER_FRAME_BYTES};
  const unsigned posted = shunt_xdp_tx_post(work->q, frames, n);
  shunt_pool_give(work->pool, bufs + posted, n - posted);
}

/* One push, which is a system call, for several batches. */
static void send_batches(struct work *work)
{
  for (unsigned i = 0; i < PUSH_BATCHES; i++)
    post_batch(work);
  shunt_xdp_tx_push(work->q);
}

static void swap_addresses(uint8_t *frame)
{
  uint8_t destination[6];
  memcpy(destination, frame, 6);
  memmove(frame, frame + 6, 6);
  memcpy(frame + 6, destination, 6);
}

static void forward(struct work *work)
{
  struct shunt_frame frames[PEER_BATCH];
  shunt_buf bufs[PEER_BATCH];
  struct shunt_xdp_queue *q = work->q;
  const unsigned n = shunt_xdp_rx_poll(q, frames, PEER_BATCH);
  for (unsigned i = 0; i < n; i++)
    swap_addresses(q->head.base + frames[i].addr);
  const unsigned posted = shunt_xdp_tx_post(q, frames, n);
  if (posted)
    shunt_xdp_tx_push(q);
  for (unsigned i = posted; i < n; i++)
    shunt_xdp_rx_post(q, &frames[i].addr, 1);
  const unsigned back = shunt_xdp_tx_poll(q, bufs, PEER_BATCH);
  if (back)
    shunt_xdp_rx_post(q, bufs, back);
  peer_count(work->page, n);
}

/* The answer goes out before anything else is done; what is back is seen to while nothing comes. */
static void answer(struct work *work)
{
  struct shunt_frame frame = {0};
  shunt_buf back;
  struct shunt_xdp_queue *q = work->q;
  if (!shunt_xdp_rx_poll(q, &frame, 1)) {
    if (shunt_xdp_tx_poll(q, &back, 1))
      shunt_xdp_rx_post(q, &back, 1);
    return;
  }
  swap_addresses(q->head.base + frame.addr);
  if (shunt_xdp_tx_post(q, &frame, 1))
    shunt_xdp_tx_push(q);
  else
    shunt_xdp_rx_post(q, &frame.addr, 1);
  peer_count(work->page, 1);
}

static int open_work(struct bench *bench, enum peer_what what, struct work *work,
                     struct shunt_error *error)
{
  const struct shunt_region_options region = {
      .size = sizeof(region), .bytes = 3 * SHUNT_REGION_ALIGN_BYTES, .numa_node = SHUNT_NUMA_ANY};
  const uint32_t ring = what == PEER_ANSWER ? ANSWER_RING : RING;
  struct shunt_port_options options = {
      .size = sizeof(options), .rx_ring = ring, .tx_ring = ring, .log = &bench->cli->log};
  char name[96];
  snprintf(name, sizeof(name), "xdp:%s?mode=%s&setup=0", BENCH_VETH,
           what == PEER_ANSWER ? "skb" : "drv");
  int code = shunt_region_create(&region, &work->region, error);
  options.region = work->region;
  if (!code)
    code = shunt_pool_create(work->region, ring, &work->pool, error);
  if (!code)
    code = shunt_port_open(name, &options, &work->port, error);
  if (code)
    return code;
  work->q = shunt_xdp_queue_of(shunt_port_queue(work->port, 0));
  if (!work->q) {
    shunt_error_set(error, -EOPNOTSUPP, "%s has no verbs that could be compiled in", name);
    return -EOPNOTSUPP;
  }
  if (what != PEER_SEND)
    shunt_rx_fill(&work->q->head, work->pool);
  return 0;
}

static void close_work(struct work *work)
{
  shunt_port_close(work->port);
  shunt_pool_destroy(work->pool);
  shunt_region_destroy(work->region);
}

int bench_work_shunt(struct bench *bench, enum peer_what what, struct peer_page *page,
                     struct shunt_error *error)
{
  static void (*const turns[])(struct work * work) = {
      [PEER_RECEIVE] = receive,
      [PEER_SEND] = send_batches,
      [PEER_FORWARD] = forward,
      [PEER_ANSWER] = answer,
  };
  struct work work = {.page = page};
  int code = open_work(bench, what, &work, error);
  if (!code)
    atomic_store(&page->state, PEER_WORKING);
  while (!code && peer_goes_on(page))
    turns[what](&work);
  close_work(&work);
  return code;
}

/* ---- UDP sockets ---- */

#define SOCKET_BYTES (4 << 20)

struct burst {
  uint8_t payload[PEER_BATCH][64];
  struct iovec pieces[PEER_BATCH];
  struct mmsghdr messages[PEER_BATCH];
};

static void burst_init(struct burst *burst)
{
  memset(burst, 0, sizeof(*burst));
  for (unsigned i = 0; i < PEER_BATCH; i++) {
    burst->pieces[i] = (struct iovec){burst->payload[i], BENCH_PAYLOAD_BYTES};
    burst->messages[i].msg_hdr.msg_iov = &burst->pieces[i];
    burst->messages[i].msg_hdr.msg_iovlen = 1;
  }
}

static int open_socket(int *made, struct shunt_error *error)
{
  const struct sockaddr_in near = {.sin_family = AF_INET,
                                   .sin_addr = {htonl(BENCH_NEAR_IPV4)},
                                   .sin_port = htons(BENCH_NEAR_PORT)};
  const struct sockaddr_in far = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(BENCH_FAR_IPV4)},
                                  .sin_port = htons(BENCH_FAR_PORT)};
  const int bytes = SOCKET_BYTES;
  const int fd = *made = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (const struct sockaddr *)&near, sizeof(near)) ||
      connect(fd, (const struct sockaddr *)&far, sizeof(far))) {
    int code = -errno;
    shunt_error_set(error, code, "no UDP socket on the veth pair");
    shunt_error_why(error, "%s", strerror(-code));
    return code;
  }
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
  return 0;
}

static void turn_sockets(int fd, enum peer_what what, struct burst *burst, struct peer_page *page)
{
  const unsigned batch = what == PEER_ANSWER ? 1 : PEER_BATCH;
  int n = PEER_BATCH;
  if (what != PEER_SEND) {
    n = recvmmsg(fd, burst->messages, batch, 0, NULL);
    if (n > 0)
      peer_count(page, (unsigned)n);
  }
  if (what != PEER_RECEIVE && n > 0)
    sendmmsg(fd, burst->messages, (unsigned)n, 0);
}

int bench_work_sockets(enum peer_what what, struct peer_page *page, struct shunt_error *error)
{
  struct burst burst;
  int fd;
  burst_init(&burst);
  int code = open_socket(&fd, error);
  if (!code)
    atomic_store(&page->state, PEER_WORKING);
  while (!code && peer_goes_on(page))
    turn_sockets(fd, what, &burst, page);
  if (fd >= 0)
    close(fd);
  return code;
}
