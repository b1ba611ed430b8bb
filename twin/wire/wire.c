/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_QUEUE_FRAMES_MAX (1u << 24)

/* ---- Walking over the ends ---- */

/* Callbacks may attach and detach ends. So while anyone walks over them none is freed, and new ones
 * are added behind the others; every walk looks at end_count and gone anew. */
static void wire_enter(struct shunt_wire *wire)
{
  wire->busy++;
}

static void wire_tell_detached(struct shunt_wire *wire)
{
  for (unsigned i = 0; i < wire->end_count; i++) {
    struct shunt_wire_end *end = wire->ends[i];
    void (*detached)(void *context) = end->ops.detached;
    end->ops.detached = end->gone ? NULL : detached;
    if (end->gone && detached != NULL)
      detached(end->context);
  }
}

static void wire_sweep(struct shunt_wire *wire)
{
  while (wire->sweep) {
    wire->sweep = false;
    wire_tell_detached(wire);
  }
  unsigned kept = 0;
  for (unsigned i = 0; i < wire->end_count; i++) {
    if (wire->ends[i]->gone)
      free(wire->ends[i]);
    else
      wire->ends[kept++] = wire->ends[i];
  }
  wire->end_count = kept;
  wire_update_direct(wire);
}

static void wire_free(struct shunt_wire *wire)
{
  shunt_wire_record_end(wire, NULL);
  wire_pool_clear(&wire->pool);
  free(wire->ends);
  free(wire);
}

static __attribute__((__noinline__)) void wire_clear_up(struct shunt_wire *wire)
{
  if (wire->sweep)
    wire_sweep(wire);
  wire->busy--;
  if (wire->busy == 0 && wire->doomed)
    wire_free(wire);
}

/* The last to leave clears up; nothing may look at the wire after it. */
static inline void wire_leave(struct shunt_wire *wire)
{
  if (SHUNT_UNLIKELY(wire->busy == 1 && (wire->sweep || wire->doomed)))
    wire_clear_up(wire);
  else
    wire->busy--;
}

/* ---- Carrier ---- */

void wire_update_direct(struct shunt_wire *wire)
{
  for (unsigned i = 0; i < wire->end_count; i++)
    wire->ends[i]->direct = NULL;
  if (wire->end_count != 2 || wire->record != NULL)
    return;
  struct shunt_wire_end *a = wire->ends[0], *b = wire->ends[1];
  if (!a->plugged || !b->plugged)
    return;
  a->direct = b->impair.on ? NULL : b;
  b->direct = a->impair.on ? NULL : a;
}

static unsigned wire_plugged(const struct shunt_wire *wire)
{
  unsigned plugged = 0;
  for (unsigned i = 0; i < wire->end_count; i++)
    plugged += wire->ends[i]->plugged;
  return plugged;
}

static void wire_update_carrier(struct shunt_wire *wire)
{
  wire_update_direct(wire);
  wire_enter(wire);
  for (unsigned i = 0; i < wire->end_count; i++) {
    struct shunt_wire_end *end = wire->ends[i];
    bool carrier = end->plugged && wire_plugged(wire) >= 2;
    if (end->gone || carrier == end->carrier)
      continue;
    end->carrier = carrier;
    if (end->ops.carrier != NULL)
      end->ops.carrier(end->context, carrier);
  }
  wire_leave(wire);
}

void shunt_wire_cut(struct shunt_wire_end *end)
{
  if (!end->plugged)
    return;
  end->plugged = false;
  end->statistics.no_carrier += wire_queue_clear(&end->queue, &end->wire->pool);
  wire_update_carrier(end->wire);
}

void shunt_wire_join(struct shunt_wire_end *end)
{
  if (end->plugged || end->gone)
    return;
  end->plugged = true;
  wire_update_carrier(end->wire);
}

int shunt_wire_carrier(const struct shunt_wire_end *end)
{
  return end->carrier;
}

/* ---- Life ---- */

int wire_take_options(void *set, size_t set_bytes, const void *options, const char *what,
                      struct shunt_error *error)
{
  size_t bytes;
  if (options == NULL)
    return 0;
  memcpy(&bytes, options, sizeof(bytes));
  if (bytes < sizeof(bytes) || bytes > set_bytes) {
    int code = shunt_error_set(error, -EINVAL, "%s", what);
    shunt_error_why(error, "the options' size is %zu, not %zu", bytes, set_bytes);
    return code;
  }
  memcpy(set, options, bytes);
  return 0;
}

int shunt_wire_create(const struct shunt_wire_options *options, struct shunt_wire **wire,
                      struct shunt_error *error)
{
  struct shunt_wire_options set = {.size = sizeof(set)};
  int code = wire_take_options(&set, sizeof(set), options, "can't make a wire", error);
  if (code < 0)
    return code;
  if (set.queue_frames > WIRE_QUEUE_FRAMES_MAX) {
    code = shunt_error_set(error, -EINVAL, "can't make a wire");
    shunt_error_why(error, "queue_frames is %u, and %u is the most", set.queue_frames,
                    WIRE_QUEUE_FRAMES_MAX);
    return code;
  }
  struct shunt_wire *made = calloc(1, sizeof(*made));
  if (made == NULL)
    return shunt_error_set(error, -ENOMEM, "no memory for a wire");
  snprintf(made->name, sizeof(made->name), "%s", set.name ? set.name : "wire");
  made->seed = set.seed;
  made->queue_frames = set.queue_frames ? set.queue_frames : WIRE_QUEUE_FRAMES;
  made->epoch_ns = set.epoch_ns;
  *wire = made;
  return 0;
}

void shunt_wire_destroy(struct shunt_wire *wire)
{
  if (wire == NULL)
    return;
  wire_enter(wire);
  wire->doomed = true;
  for (unsigned i = 0; i < wire->end_count; i++)
    shunt_wire_detach(wire->ends[i]);
  wire_leave(wire);
}

static int wire_make_room(struct shunt_wire *wire)
{
  if (wire->end_count < wire->end_capacity)
    return 0;
  unsigned capacity = wire->end_capacity ? 2 * wire->end_capacity : 4;
  struct shunt_wire_end **ends = realloc(wire->ends, capacity * sizeof(struct shunt_wire_end *));
  if (ends == NULL)
    return -ENOMEM;
  wire->ends = ends;
  wire->end_capacity = capacity;
  return 0;
}

int shunt_wire_attach(struct shunt_wire *wire, const char *name,
                      const struct shunt_wire_end_ops *ops, void *context,
                      struct shunt_wire_end **end, struct shunt_error *error)
{
  if (ops->deliver == NULL) {
    int code = shunt_error_set(error, -EINVAL, "can't attach %s to the wire %s", name, wire->name);
    shunt_error_why(error, "it can't receive: deliver is NULL");
    return code;
  }
  struct shunt_wire_end *made = calloc(1, sizeof(*made));
  if (made == NULL || wire_make_room(wire) < 0) {
    free(made);
    return shunt_error_set(error, -ENOMEM, "no memory for an end of the wire %s", wire->name);
  }
  made->wire = wire;
  made->ops = *ops;
  made->context = context;
  snprintf(made->name, sizeof(made->name), "%s", name);
  made->number = wire->ends_ever++;
  made->plugged = true;
  made->record_interface = -1;
  made->queue.most = wire->queue_frames;
  impair_init(&made->impair, wire->seed, made->number);
  impair_set(&made->impair, wire->impaired ? &wire->impairments : NULL, NULL);
  wire->ends[wire->end_count++] = made;
  *end = made;
  wire_record_end_attached(wire, made);
  wire_update_carrier(wire);
  return 0;
}

void shunt_wire_detach(struct shunt_wire_end *end)
{
  if (end == NULL || end->gone)
    return;
  struct shunt_wire *wire = end->wire;
  wire_enter(wire);
  end->gone = true;
  end->plugged = false;
  end->carrier = false;
  wire_queue_clear(&end->queue, &wire->pool);
  wire->sweep = true;
  wire_update_carrier(wire);
  wire_leave(wire);
}

const char *shunt_wire_end_name(const struct shunt_wire_end *end)
{
  return end->name;
}

/* ---- Impairments and statistics ---- */

int shunt_wire_impair(struct shunt_wire_end *end, const struct shunt_impairments *impairments,
                      struct shunt_error *error)
{
  int code = impair_set(&end->impair, impairments, error);
  wire_update_direct(end->wire);
  return code;
}

int shunt_wire_impair_all(struct shunt_wire *wire, const struct shunt_impairments *impairments,
                          struct shunt_error *error)
{
  struct impair checked = {.on = false};
  int code = impair_set(&checked, impairments, error);
  if (code < 0)
    return code;
  wire->impairments = checked.set;
  wire->impaired = true;
  for (unsigned i = 0; i < wire->end_count; i++)
    impair_set(&wire->ends[i]->impair, &checked.set, NULL);
  wire_update_direct(wire);
  return 0;
}

void wire_reseed(struct shunt_wire *wire, uint64_t seed)
{
  wire->seed = seed;
  for (unsigned i = 0; i < wire->end_count; i++)
    impair_init(&wire->ends[i]->impair, seed, wire->ends[i]->number);
}

void shunt_wire_statistics(const struct shunt_wire_end *end,
                           struct shunt_wire_statistics *statistics)
{
  struct shunt_wire_statistics now = end->statistics;
  size_t size = statistics->size < sizeof(now) ? statistics->size : sizeof(now);
  now.size = statistics->size;
  now.in_flight = end->queue.count;
  memcpy(statistics, &now, size);
}

/* ---- Delivering ---- */

static inline void end_deliver(struct shunt_wire_end *end, const void *frame, uint32_t bytes,
                               uint64_t now_ns)
{
  end->statistics.delivered++;
  end->statistics.delivered_bytes += bytes;
  end->delivering = true;
  end->wire->depth++;
  end->ops.deliver(end->context, frame, bytes, now_ns);
  end->wire->depth--;
  end->delivering = false;
}

/* The frame may be handed over inside send: nothing is before it, and the stack stays short. */
static bool end_is_free(const struct shunt_wire_end *end)
{
  return end->queue.count == 0 && !end->delivering && end->wire->depth < WIRE_DEPTH_MOST;
}

static void end_queue(struct shunt_wire_end *end, const void *frame, uint32_t bytes,
                      uint64_t due_ns)
{
  struct shunt_wire *wire = end->wire;
  struct wire_frame *copy = NULL;
  if (end->queue.count < end->queue.most)
    copy = wire_pool_take(&wire->pool, bytes);
  if (copy == NULL) {
    end->statistics.overflowed++;
    return;
  }
  memcpy(copy->data, frame, bytes);
  if (wire_queue_put(&end->queue, due_ns, wire->sequence, copy) < 0) {
    wire_pool_give(&wire->pool, copy);
    end->statistics.overflowed++;
    return;
  }
  wire->sequence++;
}

static void end_arrive(struct shunt_wire_end *end, const void *frame, uint32_t bytes,
                       uint64_t due_ns, uint64_t now_ns)
{
  end->statistics.delayed += due_ns > now_ns;
  if (due_ns <= now_ns && end_is_free(end))
    end_deliver(end, frame, bytes, now_ns);
  else
    end_queue(end, frame, bytes, due_ns);
}

/* A frame that is neither lost nor to be changed any more: once, or twice. */
static void end_arrive_impaired(struct shunt_wire_end *end, struct impair_verdict *verdict,
                                const void *frame, uint32_t bytes, uint64_t due_ns, uint64_t now_ns)
{
  end->statistics.reordered += verdict->reordered;
  end_arrive(end, frame, bytes, due_ns, now_ns);
  if (!verdict->duplicated || !end->plugged)
    return;
  end->statistics.duplicated++;
  end_arrive(end, frame, bytes, impair_due_ns(&end->impair, verdict, bytes, now_ns), now_ns);
}

static void end_impair(struct shunt_wire_end *end, const uint8_t *frame, uint32_t bytes,
                       uint64_t now_ns)
{
  struct wire_pool *pool = &end->wire->pool;
  struct impair_verdict verdict = impair_decide(&end->impair, bytes);
  if (end->queue.count == end->queue.most) {
    end->statistics.overflowed++;
    return;
  }
  uint64_t due_ns = impair_due_ns(&end->impair, &verdict, bytes, now_ns);
  if (verdict.lost) {
    end->statistics.lost++;
    return;
  }
  if (!verdict.corrupted) {
    end_arrive_impaired(end, &verdict, frame, bytes, due_ns, now_ns);
    return;
  }
  struct wire_frame *changed = wire_pool_take(pool, bytes);
  if (changed == NULL) {
    end->statistics.overflowed++;
    return;
  }
  end->statistics.corrupted++;
  memcpy(changed->data, frame, bytes);
  changed->data[verdict.bit / 8] ^= (uint8_t)(1u << (verdict.bit % 8));
  end_arrive_impaired(end, &verdict, changed->data, bytes, due_ns, now_ns);
  wire_pool_give(pool, changed);
}

static void end_offer(struct shunt_wire_end *end, const void *frame, uint32_t bytes,
                      uint64_t now_ns)
{
  end->statistics.offered++;
  if (!end->plugged)
    end->statistics.no_carrier++;
  else if (end->impair.on)
    end_impair(end, frame, bytes, now_ns);
  else
    end_arrive(end, frame, bytes, now_ns, now_ns);
}

/* ---- Sending ---- */

/* The length of all pieces, or 0 where that is none or too long. */
static uint32_t send_length(const struct iovec pieces[], unsigned n)
{
  size_t bytes = 0;
  for (unsigned i = 0; i < n; i++) {
    if (pieces[i].iov_len > SHUNT_WIRE_FRAME_BYTES - bytes)
      return 0;
    bytes += pieces[i].iov_len;
  }
  return (uint32_t)bytes;
}

static void send_to_others(struct shunt_wire_end *from, const void *frame, uint32_t bytes,
                           uint64_t now_ns)
{
  struct shunt_wire *wire = from->wire;
  unsigned count = wire->end_count; /* not those that a callback attaches meanwhile */
  for (unsigned i = 0; i < count; i++) {
    struct shunt_wire_end *end = wire->ends[i];
    if (end == from || end->gone)
      continue;
    if (SHUNT_LIKELY(frame != NULL)) {
      end_offer(end, frame, bytes, now_ns);
    } else {
      end->statistics.offered++;
      end->statistics.overflowed++;
    }
  }
}

/* What send_any comes to between two ends and nothing else. */
static void send_direct(struct shunt_wire_end *from, struct shunt_wire_end *to, const void *frame,
                        uint32_t bytes, uint64_t now_ns)
{
  struct shunt_wire *wire = from->wire;
  from->statistics.sent++;
  from->statistics.sent_bytes += bytes;
  to->statistics.offered++;
  wire_enter(wire);
  end_deliver(to, frame, bytes, now_ns);
  wire_leave(wire);
}

static __attribute__((__noinline__)) int
send_any(struct shunt_wire_end *end, const struct iovec pieces[], unsigned n, uint64_t now_ns)
{
  struct shunt_wire *wire = end->wire;
  uint32_t bytes = send_length(pieces, n);
  if (bytes == 0)
    return -EMSGSIZE;
  if (!end->plugged)
    return -ENETDOWN;
  end->statistics.sent++;
  end->statistics.sent_bytes += bytes;
  if (wire->record != NULL)
    wire_record_frame(wire, end, pieces, n, now_ns);

  wire_enter(wire);
  if (n == 1) {
    send_to_others(end, pieces[0].iov_base, bytes, now_ns);
    wire_leave(wire);
    return 0;
  }
  struct wire_frame *whole = wire_pool_take(&wire->pool, bytes);
  uint32_t used = 0;
  for (unsigned i = 0; whole != NULL && i < n; i++) {
    memcpy(whole->data + used, pieces[i].iov_base, pieces[i].iov_len);
    used += (uint32_t)pieces[i].iov_len;
  }
  send_to_others(end, whole != NULL ? whole->data : NULL, bytes, now_ns);
  if (whole != NULL)
    wire_pool_give(&wire->pool, whole);
  wire_leave(wire);
  return 0;
}

int shunt_wire_send(struct shunt_wire_end *end, const struct iovec pieces[], unsigned n,
                    uint64_t now_ns)
{
  struct shunt_wire_end *to = end->direct;
  /* A length of 0 wraps. */
  if (SHUNT_UNLIKELY(to == NULL || n != 1 || pieces[0].iov_len - 1 >= SHUNT_WIRE_FRAME_BYTES ||
                     !end_is_free(to)))
    return send_any(end, pieces, n, now_ns);
  send_direct(end, to, pieces[0].iov_base, (uint32_t)pieces[0].iov_len, now_ns);
  return 0;
}

void wire_take_handed(struct shunt_wire_end *end, wire_hand *hand)
{
  end->hand = hand;
}

bool wire_hand_over(struct shunt_wire_end *end, const struct iovec *head, const struct iovec *body,
                    uint64_t now_ns)
{
  struct shunt_wire_end *to = end->direct;
  uint64_t bytes = head->iov_len + (body ? body->iov_len : 0);
  if (to == NULL || end->hand == NULL || to->hand != end->hand || bytes > SHUNT_WIRE_FRAME_BYTES ||
      !end_is_free(to))
    return false;
  struct shunt_wire *wire = end->wire;
  end->statistics.sent++;
  end->statistics.sent_bytes += bytes;
  to->statistics.offered++;
  to->statistics.delivered++;
  to->statistics.delivered_bytes += bytes;
  wire_enter(wire);
  to->delivering = true;
  wire->depth++;
  to->hand(to->context, head, body, now_ns);
  wire->depth--;
  to->delivering = false;
  wire_leave(wire);
  return true;
}

/* ---- Polling ---- */

/* Frames that callbacks queue meanwhile (sequence >= limit) wait for the next poll, so that this
 * one ends. */
static unsigned end_deliver_due(struct shunt_wire_end *end, uint64_t limit, uint64_t now_ns)
{
  unsigned done = 0;
  while (end->queue.count > 0 && !end->delivering) {
    const struct wire_queue_entry *first = &end->queue.entries[0];
    if (first->due_ns > now_ns || first->sequence >= limit)
      break;
    struct wire_frame *frame = wire_queue_pop(&end->queue);
    end_deliver(end, frame->data, frame->bytes, now_ns);
    wire_pool_give(&end->wire->pool, frame);
    done++;
  }
  return done;
}

unsigned shunt_wire_poll(struct shunt_wire *wire, uint64_t now_ns)
{
  if (wire->polling)
    return 0;
  unsigned done = 0;
  wire->polling = true;
  wire_enter(wire);
  for (unsigned i = 0; i < wire->end_count; i++) {
    struct shunt_wire_end *end = wire->ends[i];
    if (end->ops.poll != NULL && !end->gone)
      done += end->ops.poll(end->context, now_ns);
  }
  uint64_t limit = wire->sequence;
  for (unsigned i = 0; i < wire->end_count; i++)
    done += end_deliver_due(wire->ends[i], limit, now_ns);
  if (wire->record != NULL)
    wire_record_poll(wire, now_ns);
  wire->polling = false;
  wire_leave(wire);
  return done;
}

uint64_t shunt_wire_next_ns(const struct shunt_wire *wire)
{
  uint64_t next_ns = UINT64_MAX;
  for (unsigned i = 0; i < wire->end_count; i++) {
    const struct shunt_wire_end *end = wire->ends[i];
    if (end->queue.count > 0 && end->queue.entries[0].due_ns < next_ns)
      next_ns = end->queue.entries[0].due_ns;
    uint64_t own_ns = end->ops.next_ns && !end->gone ? end->ops.next_ns(end->context) : UINT64_MAX;
    if (own_ns < next_ns)
      next_ns = own_ns;
  }
  return next_ns;
}

bool wire_look_due(struct wire_look *look, uint64_t now_ns)
{
  return now_ns >= look->next_ns || ++look->polls >= WIRE_LOOK_POLLS;
}

void wire_look_done(struct wire_look *look, uint64_t now_ns, unsigned frames)
{
  if (frames > 0)
    look->busy_until_ns = now_ns + WIRE_LOOK_BUSY_NS;
  look->polls = 0;
  look->next_ns = now_ns < look->busy_until_ns ? now_ns : now_ns + WIRE_LOOK_NS;
}
