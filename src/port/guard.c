/* SPDX-License-Identifier: BSD-2-Clause */
/* Every buffer of a region has an owner: the caller, or the ring that it was posted to. A checked
 * port follows it through the five verbs and refuses what would hand the same buffer out twice. */
#include "src/port/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/region_internal.h"

/* Owner of a buffer: OWNER_CALLER, or what its ring is for, with the port's number above it, so
 * that a closing port finds its own. */
enum owner { OWNER_CALLER = 0, OWNER_RX = 1, OWNER_TX = 2, OWNER_KIND = 3 };
#define OWNER_PORT_SHIFT 2

/* Shortest frame that the 82599 sends (datasheet 7.2.3.2.4: at least 17 bytes); others are not
 * stricter. */
#define FRAME_LEAST_BYTES  17u
#define FRAME_HEADER_BYTES 18u /* Ethernet and one VLAN tag */
#define FRAME_MOST_PIECES  32u

struct port_guard {
  bool steps;
  uint32_t *owners; /* of the region's buffers, shared by all checked ports on it; or NULL */
  uint64_t bytes;   /* of the region */
  uint32_t shift;   /* log2 of the buffer length */
  uint32_t number;  /* of this port, shifted, as it stands in owners */
  uint32_t mtu;     /* the device's, which may be another than was asked for */
  uint64_t violations;
  struct shunt_error last;
};

static void violate(struct shunt_queue *q, const char *verb, uint64_t addr, const char *rule)
{
  struct port_guard *guard = q->port->guard;
  __atomic_fetch_add(&guard->violations, 1, __ATOMIC_RELAXED);
  shunt_error_set(&guard->last, -EINVAL, "%s on queue %u refused buffer 0x%llx", verb, q->index,
                  (unsigned long long)addr);
  shunt_error_why(&guard->last, "%s", rule);
  shunt_error_remedy(&guard->last, "look at who handed it out last; the caller still owns it");
  shunt_log_write(q->port->options.log, SHUNT_LOG_ERROR, "%s: %s: %s", q->port->name,
                  guard->last.what, rule);
}

static uint32_t owner_get(const struct port_guard *guard, uint64_t addr)
{
  return __atomic_load_n(&guard->owners[addr >> guard->shift], __ATOMIC_RELAXED) & OWNER_KIND;
}

static void owner_set(const struct port_guard *guard, uint64_t addr, enum owner owner)
{
  uint32_t value = owner == OWNER_CALLER ? 0 : guard->number | owner;
  __atomic_store_n(&guard->owners[addr >> guard->shift], value, __ATOMIC_RELAXED);
}

static unsigned step(struct shunt_queue *q)
{
  return q->port->guard->steps ? q->port->ops->step(q->port) : 0;
}

/* The rule that posting this buffer for receive breaks, or NULL. */
static const char *rx_rule(const struct port_guard *guard, shunt_buf buf)
{
  if (buf >= guard->bytes)
    return "it lies outside the region";
  if (owner_get(guard, buf) == OWNER_RX)
    return "it was posted for receive already and has not come back";
  if (owner_get(guard, buf) == OWNER_TX)
    return "it was posted for send and has not come back from tx_poll";
  return NULL;
}

static unsigned guard_rx_post(struct shunt_queue *q, const shunt_buf bufs[], unsigned n)
{
  const struct port_guard *guard = q->port->guard;
  if (!guard->owners)
    return q->inner->rx_post(q, bufs, n);
  /* Taken one by one, so that a buffer that stands twice in bufs is seen; posted together. */
  unsigned sound = 0;
  for (; sound < n; sound++) {
    const char *rule = rx_rule(guard, bufs[sound]);
    if (rule) {
      violate(q, "rx_post", bufs[sound], rule);
      break;
    }
    owner_set(guard, bufs[sound], OWNER_RX);
  }
  unsigned posted = q->inner->rx_post(q, bufs, sound);
  for (unsigned i = posted; i < sound; i++)
    owner_set(guard, bufs[i], OWNER_CALLER);
  return posted;
}

static unsigned guard_rx_poll(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  const struct port_guard *guard = q->port->guard;
  unsigned got = q->inner->rx_poll(q, frames, n);
  if (!got && n && step(q))
    got = q->inner->rx_poll(q, frames, n);
  for (unsigned i = 0; guard->owners && i < got; i++)
    owner_set(guard, frames[i].addr, OWNER_CALLER);
  return got;
}

static const char *piece_rule(const struct port_guard *guard, const struct shunt_frame *piece)
{
  if (piece->addr >= guard->bytes)
    return "it lies outside the region";
  if (!piece->len)
    return "a piece has at least one byte";
  uint64_t in_buf = piece->addr & ((UINT64_C(1) << guard->shift) - 1);
  if (in_buf + piece->len > UINT64_C(1) << guard->shift)
    return "the piece runs past the end of its buffer";
  if (owner_get(guard, piece->addr) == OWNER_RX)
    return "it is posted for receive";
  if (owner_get(guard, piece->addr) == OWNER_TX)
    return "it was posted for send already and has not come back from tx_poll";
  return NULL;
}

/* Pieces of the whole frame at frames[0], or 0 with the violation recorded. */
static unsigned whole_frame(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n)
{
  const struct port_guard *guard = q->port->guard;
  uint64_t bytes = 0;
  for (unsigned i = 0; i < n; i++) {
    const char *rule = piece_rule(guard, &frames[i]);
    if (!rule && i == FRAME_MOST_PIECES)
      rule = "a frame has at most 32 pieces";
    bytes += frames[i].len;
    bool last = !(frames[i].flags & SHUNT_FRAME_MORE);
    if (!rule && last && bytes < FRAME_LEAST_BYTES)
      rule = "a frame has at least 17 bytes (82599 datasheet 7.2.3.2.4)";
    if (!rule && bytes > guard->mtu + FRAME_HEADER_BYTES)
      rule = "the frame is longer than the port's MTU and its header";
    if (rule) {
      violate(q, "tx_post", frames[i].addr, rule);
      return 0;
    }
    if (last)
      return i + 1;
  }
  violate(q, "tx_post", frames[0].addr,
          "its last piece is missing: SHUNT_FRAME_MORE is set on all");
  return 0;
}

static unsigned guard_tx_post(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n)
{
  const struct port_guard *guard = q->port->guard;
  if (!guard->owners)
    return q->inner->tx_post(q, frames, n);
  unsigned done = 0;
  while (done < n) {
    unsigned pieces = whole_frame(q, frames + done, n - done);
    if (!pieces || q->inner->tx_post(q, frames + done, pieces) < pieces)
      break;
    for (unsigned i = done; i < done + pieces; i++)
      owner_set(guard, frames[i].addr, OWNER_TX);
    done += pieces;
  }
  return done;
}

static void guard_tx_push(struct shunt_queue *q)
{
  q->inner->tx_push(q);
  step(q);
}

static unsigned guard_tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n)
{
  const struct port_guard *guard = q->port->guard;
  unsigned got = q->inner->tx_poll(q, bufs, n);
  if (!got && n && step(q))
    got = q->inner->tx_poll(q, bufs, n);
  for (unsigned i = 0; guard->owners && i < got; i++)
    owner_set(guard, bufs[i], OWNER_CALLER);
  return got;
}

static const struct shunt_queue_verbs guard_verbs = {
    .rx_post = guard_rx_post,
    .rx_poll = guard_rx_poll,
    .tx_post = guard_tx_post,
    .tx_push = guard_tx_push,
    .tx_poll = guard_tx_poll,
};

int port_guard_install(struct shunt_port *port, struct shunt_error *error)
{
  bool steps = port->steps && !port->options.testbed;
  struct shunt_port_info info = {.size = sizeof(info)};
  if (!steps && !port->options.checked)
    return 0;
  struct port_guard *guard = calloc(1, sizeof(*guard));
  if (!guard)
    goto no_memory;
  shunt_port_info(port, &info);
  guard->mtu = info.mtu;
  guard->steps = steps;
  guard->bytes = shunt_region_bytes(port->region);
  guard->shift = (uint32_t)__builtin_ctz(shunt_region_buf_bytes(port->region));
  if (port->options.checked) {
    guard->owners = region_owners(port->region);
    if (!guard->owners)
      goto no_memory;
    guard->number = region_port_number(port->region) << OWNER_PORT_SHIFT;
  }
  port->guard = guard;
  for (unsigned i = 0; i < port->options.queues; i++)
    port->ops->queue(port, i)->verbs = &guard_verbs;
  return 0;

no_memory:
  free(guard);
  shunt_error_set(error, -ENOMEM, "no memory for the port's checks");
  return -ENOMEM;
}

void port_guard_remove(struct shunt_port *port)
{
  struct port_guard *guard = port->guard;
  uint64_t bufs = guard && guard->owners ? guard->bytes >> guard->shift : 0;
  for (uint64_t i = 0; i < bufs; i++) {
    uint32_t value = __atomic_load_n(&guard->owners[i], __ATOMIC_RELAXED);
    if (value && (value & ~(uint32_t)OWNER_KIND) == guard->number)
      __atomic_store_n(&guard->owners[i], 0, __ATOMIC_RELAXED);
  }
  free(port->guard);
  port->guard = NULL;
}

uint64_t shunt_port_violations(const struct shunt_port *port, struct shunt_error *last)
{
  if (!port->guard || !port->guard->owners)
    return 0;
  if (last && port->guard->violations)
    *last = port->guard->last;
  return __atomic_load_n(&port->guard->violations, __ATOMIC_RELAXED);
}
