/* SPDX-License-Identifier: BSD-2-Clause */
/* A tapped queue has a table of verbs of its own. Three of them are those of the table that it
 * replaces; rx_poll and tx_post look at one word of the shared memory, the session, and where that
 * is 0 jump on. */
#include "src/port/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/core/error_internal.h"
#include "src/port/tap_layout.h"

#define NS_PER_S UINT64_C(1000000000)
/* A full ring of which nothing is read for so long has lost its reader (it was killed): the port
 * stops trying. */
#define GIVE_UP_NS (60 * NS_PER_S)

#define VLAN_TAG_BYTES  4u
#define VLAN_TAG_OFFSET 12u /* behind both addresses (IEEE 802.1Q 9.3) */

/* The first pieces of a received frame whose last ones rx_poll has not brought yet. */
struct tap_held {
  uint32_t bytes; /* of the pieces; bytes[] has no more than fit */
  uint32_t flags;
  uint16_t vlan;
  uint64_t time_ns;
  uint8_t data[TAP_SNAPLEN_MOST];
};

struct tap_queue {
  struct shunt_queue_verbs verbs; /* first: q->verbs points here */
  struct shunt_queue_verbs next;  /* what the queue had before */
  struct tap_shared_queue *shared;
  uint32_t ignored;   /* the session that is none: 0, or one that was given up */
  bool rx_inside;     /* the last piece polled was not its frame's last */
  uint32_t session;   /* the one that what follows belongs to */
  bool rx_skipping;   /* the frame now received had begun before the session */
  uint8_t *ring;      /* in the shared memory */
  uint64_t ring_mask; /* its bytes less 1 */
  uint64_t head, tail_seen;
  uint64_t dropped[2];
  uint32_t snaplen, directions;
  uint64_t epoch_ns;               /* Unix time when the port's clock was 0 */
  uint64_t now_ns;                 /* of this burst */
  uint64_t full_tail, full_ns;     /* where the tail stood when the ring was first found full */
  const struct shunt_clock *clock; /* the port's */
  struct tap_held held;
};

struct port_tap {
  struct tap_header *header;
  uint64_t bytes;
  int fd;
  struct tap_queue *queues;
};

/* A frame on its way into the ring. */
struct tap_frame {
  const struct shunt_frame *pieces;
  unsigned n;
  uint32_t bytes; /* held ones included */
  uint32_t flags;
  uint16_t vlan;
  uint64_t time_ns;
};

static struct tap_queue *of(const struct shunt_queue *q)
{
  return (struct tap_queue *)(uintptr_t)q->verbs;
}

/* ---- Sessions ---- */

static uint64_t unix_ns(void)
{
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  return (uint64_t)real.tv_sec * NS_PER_S + (uint64_t)real.tv_nsec;
}

/* The clocks are read one after the other: of three tries that with the least time between. */
static uint64_t find_epoch_ns(const struct shunt_clock *clock)
{
  uint64_t least_ns = UINT64_MAX, epoch_ns = 0;
  for (unsigned i = 0; i < 3; i++) {
    uint64_t before_ns = shunt_clock_now_ns(clock);
    uint64_t real_ns = unix_ns();
    uint64_t after_ns = shunt_clock_now_ns(clock);
    if (after_ns - before_ns >= least_ns)
      continue;
    least_ns = after_ns - before_ns;
    epoch_ns = real_ns - before_ns - least_ns / 2;
  }
  return epoch_ns;
}

static void begin_session(struct tap_queue *tap, uint32_t session)
{
  /* Once more, and with acquire: what was written in front of it is what is read below. */
  (void)__atomic_load_n(&tap->shared->session, __ATOMIC_ACQUIRE);
  uint32_t snaplen = __atomic_load_n(&tap->shared->snaplen, __ATOMIC_RELAXED);
  tap->snaplen = snaplen && snaplen < TAP_SNAPLEN_MOST ? snaplen : TAP_SNAPLEN_MOST;
  tap->directions = __atomic_load_n(&tap->shared->directions, __ATOMIC_RELAXED);
  tap->session = session;
  tap->ignored = 0;
  tap->epoch_ns = find_epoch_ns(tap->clock);
  tap->full_tail = UINT64_MAX;
  tap->rx_skipping = tap->rx_inside;
  memset(&tap->held, 0, offsetof(struct tap_held, data));
}

/* Whether frames are to be recorded. session is not tap->ignored. */
static bool is_attached(struct tap_queue *tap, uint32_t session)
{
  if (session && session != tap->session)
    begin_session(tap, session);
  if (!session)
    tap->ignored = tap->session = 0;
  return session != 0;
}

/* A frame did not fit. */
static void look_for_reader(struct tap_queue *tap)
{
  if (tap->full_tail != tap->tail_seen) {
    tap->full_tail = tap->tail_seen;
    tap->full_ns = tap->now_ns;
  } else if (tap->now_ns - tap->full_ns >= GIVE_UP_NS) {
    tap->ignored = tap->session;
    __atomic_store_n(&tap->shared->given_up, tap->session, __ATOMIC_RELEASE);
  }
}

/* ---- The ring ---- */

static bool has_room(struct tap_queue *tap, uint64_t bytes)
{
  const uint64_t ring_bytes = tap->ring_mask + 1;
  if (SHUNT_LIKELY(tap->head + bytes - tap->tail_seen <= ring_bytes))
    return true;
  uint64_t tail = __atomic_load_n(&tap->shared->tail, __ATOMIC_ACQUIRE);
  if (tap->head - tail > ring_bytes) /* only where the reader wrote rubbish: full */
    return false;
  tap->tail_seen = tail;
  return tap->head + bytes - tail <= ring_bytes;
}

/* Room for a record of so many bytes in one piece. Returns its address, or NULL: full. */
static uint8_t *reserve(struct tap_queue *tap, uint32_t bytes)
{
  uint64_t at = tap->head & tap->ring_mask;
  uint64_t to_end = tap->ring_mask + 1 - at;
  if (SHUNT_LIKELY(bytes <= to_end))
    return has_room(tap, bytes) ? tap->ring + at : NULL;
  if (!has_room(tap, to_end + bytes))
    return NULL;
  const struct tap_record gap = {.bytes = (uint32_t)to_end, .kind = TAP_GAP};
  memcpy(tap->ring + at, &gap, sizeof(gap));
  tap->head += to_end;
  return tap->ring;
}

/* The bytes of a record as they are filled in. */
struct filling {
  uint8_t *to;
  uint32_t left;
  uint32_t to_tag; /* bytes in front of the tag, as long as it is not there; 0: it is, or none */
  uint16_t vlan;
};

static void fill_plainly(struct filling *filling, const void *from, uint32_t bytes)
{
  bytes = bytes < filling->left ? bytes : filling->left;
  memcpy(filling->to, from, bytes);
  filling->to += bytes;
  filling->left -= bytes;
}

static void fill(struct filling *filling, const uint8_t *from, uint32_t bytes)
{
  if (filling->to_tag) {
    uint32_t front = bytes < filling->to_tag ? bytes : filling->to_tag;
    fill_plainly(filling, from, front);
    filling->to_tag -= front;
    if (filling->to_tag)
      return;
    const uint8_t tag[VLAN_TAG_BYTES] = {0x81, 0, (uint8_t)(filling->vlan >> 8),
                                         (uint8_t)filling->vlan};
    fill_plainly(filling, tag, sizeof(tag));
    from += front;
    bytes -= front;
  }
  fill_plainly(filling, from, bytes);
}

static void put_frame(struct tap_queue *tap, const struct shunt_queue *q, uint32_t kind,
                      const struct tap_frame *frame)
{
  bool tagged = (frame->flags & SHUNT_FRAME_VLAN) && frame->bytes >= VLAN_TAG_OFFSET;
  uint32_t original = frame->bytes + (tagged ? VLAN_TAG_BYTES : 0);
  uint32_t captured = original < tap->snaplen ? original : tap->snaplen;
  uint32_t bytes = tap_record_bytes(captured);
  uint8_t *at = reserve(tap, bytes);
  if (SHUNT_UNLIKELY(!at)) {
    tap->dropped[kind - TAP_RX]++;
    look_for_reader(tap);
    return;
  }
  const struct tap_record record = {.bytes = bytes,
                                    .kind = (uint16_t)kind,
                                    .session = (uint16_t)tap->session,
                                    .captured_bytes = captured,
                                    .original_bytes = original,
                                    .time_ns = tap->now_ns,
                                    .nic_time_ns = frame->time_ns};
  struct filling filling = {at + sizeof(record), captured, tagged ? VLAN_TAG_OFFSET : 0,
                            frame->vlan};
  memcpy(at, &record, sizeof(record));
  if (kind == TAP_RX && tap->held.bytes) {
    const struct tap_held *held = &tap->held;
    fill(&filling, held->data,
         held->bytes < sizeof(held->data) ? held->bytes : (uint32_t)sizeof(held->data));
  }
  for (unsigned i = 0; i < frame->n; i++)
    fill(&filling, shunt_frame_data(q, &frame->pieces[i]), frame->pieces[i].len);
  tap->head += bytes;
}

/* Show the reader what the burst has brought. */
static void publish(struct tap_queue *tap)
{
  for (unsigned i = 0; i < 2; i++)
    __atomic_store_n(&tap->shared->dropped[i], tap->dropped[i], __ATOMIC_RELAXED);
  __atomic_store_n(&tap->shared->head, tap->head, __ATOMIC_RELEASE);
}

/* ---- Frames ---- */

/* The pieces of one frame from pieces[0] on. frame->n is n where the last one is not among them. */
static bool take_frame(struct tap_frame *frame, const struct shunt_frame pieces[], unsigned n)
{
  frame->pieces = pieces;
  for (frame->n = 0; frame->n < n; frame->n++) {
    const struct shunt_frame *piece = &pieces[frame->n];
    frame->bytes += piece->len;
    frame->flags |= piece->flags;
    if (piece->flags & SHUNT_FRAME_VLAN)
      frame->vlan = piece->vlan;
    if (piece->flags & SHUNT_FRAME_TIME)
      frame->time_ns = piece->time_ns;
    if (!(piece->flags & SHUNT_FRAME_MORE)) {
      frame->n++;
      return true;
    }
  }
  return false;
}

/* The burst ends in the middle of a frame: its buffers are the caller's from now on. */
static void hold(struct tap_held *held, const struct shunt_queue *q, const struct tap_frame *frame)
{
  for (unsigned i = 0; i < frame->n; i++) {
    uint32_t at = held->bytes < sizeof(held->data) ? held->bytes : (uint32_t)sizeof(held->data);
    uint32_t room = (uint32_t)sizeof(held->data) - at;
    uint32_t len = frame->pieces[i].len;
    memcpy(held->data + at, shunt_frame_data(q, &frame->pieces[i]), len < room ? len : room);
    held->bytes += len;
  }
  held->flags = frame->flags;
  held->vlan = frame->vlan;
  held->time_ns = frame->time_ns;
}

static void record_received(struct tap_queue *tap, const struct shunt_queue *q,
                            const struct shunt_frame frames[], unsigned n)
{
  unsigned i = 0;
  while (tap->rx_skipping && i < n)
    tap->rx_skipping = frames[i++].flags & SHUNT_FRAME_MORE;
  while (i < n) {
    struct tap_held *held = &tap->held;
    struct tap_frame frame = {
        .bytes = held->bytes, .flags = held->flags, .vlan = held->vlan, .time_ns = held->time_ns};
    if (!take_frame(&frame, frames + i, n - i)) {
      hold(held, q, &frame);
      break;
    }
    put_frame(tap, q, TAP_RX, &frame);
    i += frame.n;
    if (held->bytes)
      memset(held, 0, offsetof(struct tap_held, data));
  }
}

/* The verbs take whole frames only, and the tag of the first piece (shunt/frame.h). */
static void record_sent(struct tap_queue *tap, const struct shunt_queue *q,
                        const struct shunt_frame frames[], unsigned n)
{
  for (unsigned i = 0; i < n;) {
    struct tap_frame frame = {0};
    take_frame(&frame, frames + i, n - i);
    frame.flags = frames[i].flags;
    frame.vlan = frames[i].vlan;
    frame.time_ns = 0;
    put_frame(tap, q, TAP_TX, &frame);
    i += frame.n;
  }
}

static void record(struct tap_queue *tap, const struct shunt_queue *q, uint32_t kind,
                   const struct shunt_frame frames[], unsigned n)
{
  if (!n || !(tap->directions & kind))
    return;
  tap->now_ns = shunt_clock_now_ns(tap->clock) + tap->epoch_ns;
  if (kind == TAP_RX)
    record_received(tap, q, frames, n);
  else
    record_sent(tap, q, frames, n);
  publish(tap);
}

/* ---- The verbs ---- */

__attribute__((noinline)) static unsigned attached_rx_poll(struct shunt_queue *q, uint32_t session,
                                                           struct shunt_frame frames[], unsigned n)
{
  struct tap_queue *tap = of(q);
  unsigned got = tap->next.rx_poll(q, frames, n);
  if (is_attached(tap, session))
    record(tap, q, TAP_RX, frames, got);
  return got;
}

static unsigned tap_rx_poll(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  struct tap_queue *tap = of(q);
  uint32_t session = __atomic_load_n(&tap->shared->session, __ATOMIC_RELAXED);
  if (SHUNT_UNLIKELY(session != tap->ignored))
    return attached_rx_poll(q, session, frames, n);
  return tap->next.rx_poll(q, frames, n);
}

/* Where frames can have several pieces, bursts may end inside of one: who attaches then is not to
 * take its rest for a frame. */
static unsigned tap_rx_poll_pieces(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  struct tap_queue *tap = of(q);
  uint32_t session = __atomic_load_n(&tap->shared->session, __ATOMIC_RELAXED);
  unsigned got = SHUNT_UNLIKELY(session != tap->ignored) ? attached_rx_poll(q, session, frames, n)
                                                         : tap->next.rx_poll(q, frames, n);
  if (got)
    tap->rx_inside = frames[got - 1].flags & SHUNT_FRAME_MORE;
  return got;
}

__attribute__((noinline)) static unsigned attached_tx_post(struct shunt_queue *q, uint32_t session,
                                                           const struct shunt_frame frames[],
                                                           unsigned n)
{
  struct tap_queue *tap = of(q);
  unsigned posted = tap->next.tx_post(q, frames, n);
  /* Posted, they are the NIC's, which reads them only: their bytes are those that it sends. */
  if (is_attached(tap, session))
    record(tap, q, TAP_TX, frames, posted);
  return posted;
}

static unsigned tap_tx_post(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n)
{
  struct tap_queue *tap = of(q);
  uint32_t session = __atomic_load_n(&tap->shared->session, __ATOMIC_RELAXED);
  if (SHUNT_UNLIKELY(session != tap->ignored))
    return attached_tx_post(q, session, frames, n);
  return tap->next.tx_post(q, frames, n);
}

/* ---- Set-up ---- */

static int make_file(struct port_tap *tap, struct shunt_error *error)
{
  tap->fd = memfd_create(TAP_FILE_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (tap->fd < 0)
    return error_set_errno(error, -errno, "can't create the memory of captures");
  /* Cut by whoever captures, it would end the port's process with a SIGBUS. */
  if (fchmod(tap->fd, 0600) || ftruncate(tap->fd, (off_t)tap->bytes) ||
      fcntl(tap->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
    return error_set_errno(error, -errno, "can't give the memory of captures its length");
  /* Pages come with the first write to them; those of the rings when someone attaches. */
  void *memory = mmap(NULL, tap->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, tap->fd, 0);
  if (memory == MAP_FAILED)
    return error_set_errno(error, -errno, "can't map the memory of captures");
  tap->header = memory;
  return 0;
}

static void describe(const struct shunt_port *port, const struct shunt_port_info *info,
                     struct tap_header *header)
{
  header->bytes = port->tap->bytes;
  header->ring_bytes = TAP_RING_BYTES;
  header->queues = info->queues;
  header->pid = (uint32_t)getpid();
  snprintf(header->name, sizeof(header->name), "%s", info->name);
  snprintf(header->driver, sizeof(header->driver), "%s", info->driver ? info->driver : "");
  snprintf(header->device, sizeof(header->device), "%s", info->device ? info->device : "");
  snprintf(header->path, sizeof(header->path), "%s", info->path ? info->path : "");
  header->model = info->model;
  __atomic_store_n(&header->magic, TAP_MAGIC, __ATOMIC_RELEASE);
}

static void wrap(struct shunt_port *port, unsigned index, bool pieces)
{
  struct tap_queue *tap = &port->tap->queues[index];
  struct shunt_queue *q = port->ops->queue(port, index);
  uint8_t *memory = (uint8_t *)port->tap->header;
  tap->shared = (struct tap_shared_queue *)(memory + TAP_PAGE_BYTES) + index;
  tap->ring = memory + tap_ring_offset(port->options.queues, TAP_RING_BYTES, index);
  tap->ring_mask = TAP_RING_BYTES - 1;
  tap->clock = port->options.clock;
  tap->next = tap->verbs = *q->verbs;
  tap->verbs.rx_poll = pieces ? tap_rx_poll_pieces : tap_rx_poll;
  tap->verbs.tx_post = tap_tx_post;
  q->verbs = &tap->verbs;
}

int port_tap_install(struct shunt_port *port, struct shunt_error *error)
{
  if (!port->options.capture)
    return 0;
  struct port_tap *tap = calloc(1, sizeof(*tap));
  if (!tap)
    return shunt_error_set(error, -ENOMEM, "no memory to make the port attachable");
  port->tap = tap;
  tap->fd = -1;
  tap->bytes = tap_bytes(port->options.queues, TAP_RING_BYTES);
  tap->queues = calloc(port->options.queues, sizeof(*tap->queues));
  if (!tap->queues)
    return shunt_error_set(error, -ENOMEM, "no memory to make the port attachable");
  int code = make_file(tap, error);
  if (code)
    return code;
  struct shunt_port_info info = {.size = sizeof(info)};
  shunt_port_info(port, &info);
  describe(port, &info, tap->header);
  uint32_t longest = info.mtu + SHUNT_ETHERNET_HEADER_BYTES + 2 * VLAN_TAG_BYTES;
  for (unsigned i = 0; i < port->options.queues; i++)
    wrap(port, i, longest > info.rx_buf_bytes);
  return 0;
}

void port_tap_remove(struct shunt_port *port)
{
  struct port_tap *tap = port->tap;
  if (!tap)
    return;
  if (tap->header) {
    __atomic_store_n(&tap->header->closed, 1, __ATOMIC_RELEASE);
    munmap(tap->header, tap->bytes);
  }
  if (tap->fd >= 0)
    close(tap->fd);
  free(tap->queues);
  free(tap);
  port->tap = NULL;
}
