/* SPDX-License-Identifier: BSD-2-Clause */
/* From work requests to packets, and from their answers back.
 *
 * Transmitting may bring an answer before it returns (a wire without delay): so all that a packet
 * changes is written down before it is sent, and after it nothing that was looked up is trusted. */
#include <string.h>

#include "src/srd/internal.h"

/* A long transfer gives way to what waits behind it after so many packets. */
#define TURN_PACKETS 16u
/* However slow: a message that is not answered for so many times give_up_ns ends, though its peer
 * answers others. */
#define GIVE_UP_TIMES  8u
#define RNR_SHIFT_MOST 6u

struct srd_slot *send_slot(struct srd_peer *peer, uint32_t psn)
{
  return &peer->slots[psn % SRD_WINDOW];
}

/* --- Lists of slots ----------------------------------------------------------------------------
 */

static void list_push(struct srd_peer *peer, struct srd_list *list, struct srd_slot *slot)
{
  uint16_t index = (uint16_t)(slot - peer->slots);
  slot->previous = list->last;
  slot->next = SRD_NONE;
  if (list->last == SRD_NONE)
    list->first = index;
  else
    peer->slots[list->last].next = index;
  list->last = index;
}

static void list_remove(struct srd_peer *peer, struct srd_list *list, struct srd_slot *slot)
{
  if (slot->previous == SRD_NONE)
    list->first = slot->next;
  else
    peer->slots[slot->previous].next = slot->next;
  if (slot->next == SRD_NONE)
    list->last = slot->previous;
  else
    peer->slots[slot->next].previous = slot->previous;
}

/* The packet will not be sent again. */
static void end_slot(struct srd_peer *peer, struct srd_slot *slot)
{
  if (slot->state == SLOT_IN_FLIGHT) {
    list_remove(peer, &peer->paths[slot->path].in_flight, slot);
    peer->in_flight -= slot->bytes;
  } else if (slot->state == SLOT_LOST) {
    list_remove(peer, &peer->lost, slot);
  }
  slot->state = SLOT_ENDED;
  slot->work = NULL;
  while (peer->oldest != peer->next_psn && send_slot(peer, peer->oldest)->state == SLOT_ENDED)
    peer->oldest++;
}

static void lose_slot(struct srd_peer *peer, struct srd_slot *slot)
{
  list_remove(peer, &peer->paths[slot->path].in_flight, slot);
  peer->in_flight -= slot->bytes;
  slot->state = SLOT_LOST;
  list_push(peer, &peer->lost, slot);
}

/* --- The ends of work requests -----------------------------------------------------------------
 */

static bool wants_packet(const struct srd_work *work)
{
  return !work->begun || work->next_offset < work->bytes;
}

/* The immediate of a write that took several packets goes behind them, when all have arrived. */
static bool wants_immediate(const struct srd_peer *peer, const struct srd_work *work)
{
  return work->op == SRD_WRITE && work->has_immediate && !work->immediate_sent &&
         work->bytes > peer->srd->options.mtu;
}

/* Take it back from wherever it is: its packets, its queue. */
static void withdraw(struct srd_peer *peer, struct srd_work *work)
{
  if (work->unanswered)
    for (uint32_t psn = peer->oldest; psn != peer->next_psn; psn++)
      if (send_slot(peer, psn)->work == work)
        end_slot(peer, send_slot(peer, psn));
  work->unanswered = 0;
  queue_remove(work);
}

void send_end(struct srd_peer *peer, struct srd_work *work, enum srd_status status)
{
  withdraw(peer, work);
  if (status == SRD_UNREACHABLE)
    peer->srd->statistics.unreachable++;
  if (status == SRD_UNRESPONSIVE)
    peer->srd->statistics.unresponsive++;
  peer->srd->ops.done(peer->srd->context, work, status);
}

static void work_answered(struct srd_peer *peer, struct srd_work *work)
{
  work->unanswered--;
  if (work->unanswered || wants_packet(work))
    return;
  if (wants_immediate(peer, work))
    queue_push(&peer->waiting, work);
  else
    peer->srd->ops.done(peer->srd->context, work, SRD_OK);
}

static struct srd_slot *on_its_way(struct srd_peer *peer, uint32_t psn)
{
  if (psn - peer->oldest >= peer->next_psn - peer->oldest)
    return NULL;
  struct srd_slot *slot = send_slot(peer, psn);
  return slot->state == SLOT_ENDED ? NULL : slot;
}

static void measure(struct srd_peer *peer, const struct srd_slot *slot, uint64_t now_ns)
{
  struct srd_path *path = &peer->paths[slot->path];
  uint64_t took_ns = now_ns - slot->sent_ns;
  /* Of what was sent more than once nobody knows which one was answered (Karn and Partridge). */
  uint64_t rtt_ns = slot->times == 1 ? (took_ns ? took_ns : 1) : 0;
  bool too_soon =
      slot->times > 1 && peer->rate.rtt_min_ns != UINT64_MAX && took_ns < peer->rate.rtt_min_ns / 2;
  peer->srd->statistics.spurious += too_soon;
  if (too_soon || slot->state == SLOT_LOST)
    path_spurious(path);
  path_answered(path, slot->sent_ns, rtt_ns, now_ns);
  rate_answered(&peer->rate, slot->bytes, slot->sent_ns, rtt_ns, now_ns);
}

void send_answered(struct srd_peer *peer, uint32_t psn, uint64_t now_ns)
{
  struct srd_slot *slot = on_its_way(peer, psn);
  if (!slot)
    return;
  struct srd_work *work = slot->work;
  measure(peer, slot, now_ns);
  end_slot(peer, slot);
  work_answered(peer, work);
}

/* Not ready: the whole message once more, a while later. */
static void wait_until_ready(struct srd_peer *peer, struct srd_work *work, uint64_t now_ns)
{
  withdraw(peer, work);
  unsigned shift = work->rnr_seen < RNR_SHIFT_MOST ? work->rnr_seen : RNR_SHIFT_MOST;
  if (work->rnr_seen < UINT8_MAX)
    work->rnr_seen++;
  work->due_ns = now_ns + (peer->srd->options.rnr_wait_ns << shift);
  if (work->immediate_sent) {
    work->immediate_sent = false; /* the data is there; its immediate alone goes again */
  } else {
    work->begun = false;
    work->next_offset = 0;
  }
  queue_push(&peer->not_ready, work);
}

void send_refused(struct srd_peer *peer, uint32_t psn, uint8_t status, uint64_t now_ns)
{
  struct srd_slot *slot = on_its_way(peer, psn);
  if (!slot)
    return;
  struct srd_work *work = slot->work;
  measure(peer, slot, now_ns);
  if (status == SRD_REMOTE_RNR) {
    peer->srd->statistics.rnr_received++;
    if (work->rnr_retries == SRD_FOR_EVER || work->rnr_seen < work->rnr_retries) {
      wait_until_ready(peer, work, now_ns);
      return;
    }
  }
  bool known = status == SRD_REMOTE_BAD_ADDRESS || status == SRD_REMOTE_BAD_DEST_QPN ||
               status == SRD_REMOTE_RNR || status == SRD_REMOTE_BAD_LENGTH ||
               status == SRD_REMOTE_UNKNOWN_PEER || status == SRD_REMOTE_FEATURE_MISMATCH ||
               status == SRD_REMOTE_ABORT;
  send_end(peer, work, known ? (enum srd_status)status : SRD_REMOTE_BAD_STATUS);
}

/* --- Sending ------------------------------------------------------------------------------------
 */

void send_packet(struct srd_peer *peer, struct srd_packet *packet, uint8_t *header,
                 struct iovec pieces[], unsigned n)
{
  packet->incarnation = peer->srd->options.incarnation;
  packet->expected = peer->incarnation;
  srd_packet_write(&peer->envelope, packet, header, pieces, n);
  const struct srd *srd = peer->srd;
  if (n <= 2 && srd->ops.hand && srd->ops.hand(srd->context, pieces, n > 1 ? pieces + 1 : NULL))
    return;
  srd_packet_seal(&peer->envelope, pieces, n);
  srd->ops.transmit(srd->context, pieces, n);
}

static void count_sent(struct srd_peer *peer, const struct srd_slot *slot)
{
  struct srd_statistics *statistics = &peer->srd->statistics;
  uint32_t bytes = slot->type == SRD_TYPE_READ ? 0 : slot->bytes;
  statistics->tx_packets++;
  statistics->tx_bytes += bytes;
  if (slot->times > 1) {
    statistics->retransmitted_packets++;
    statistics->retransmitted_bytes += bytes;
  }
}

/* Send a slot's packet, for the first time or again. */
static void transmit(struct srd_peer *peer, struct srd_slot *slot, uint64_t now_ns)
{
  struct srd *srd = peer->srd;
  struct srd_work *work = slot->work;
  struct iovec pieces[1 + SRD_PIECES_MOST];
  unsigned n = 0;
  if (slot->type != SRD_TYPE_READ && slot->bytes) {
    enum srd_status status =
        srd->ops.source(srd->context, work, slot->offset, slot->bytes, pieces + 1, &n);
    if (status != SRD_OK) {
      send_end(peer, work, status);
      return;
    }
  }
  if (slot->state == SLOT_LOST)
    list_remove(peer, &peer->lost, slot);
  unsigned except = slot->times ? slot->path : SRD_PATHS_MOST;
  slot->path = (uint8_t)path_choose(peer, except, now_ns);
  slot->state = SLOT_IN_FLIGHT;
  slot->sent_ns = now_ns;
  if (slot->times < UINT8_MAX)
    slot->times++;
  list_push(peer, &peer->paths[slot->path].in_flight, slot);
  peer->in_flight += slot->bytes;
  rate_sent(&peer->rate, slot->bytes, now_ns);
  count_sent(peer, slot);

  struct srd_packet packet; /* of most of it nothing is looked at: an acknowledgement's part */
  packet.type = (enum srd_type)slot->type;
  packet.flags = (uint8_t)((slot->immediate ? SRD_FLAG_IMMEDIATE : 0) |
                           (slot->times > 1 ? SRD_FLAG_AGAIN : 0));
  packet.path = slot->path;
  packet.psn = slot->psn;
  packet.oldest = peer->oldest;
  packet.source_qpn = work->source_qpn;
  packet.qpn = work->destination_qpn;
  packet.qkey = work->qkey;
  packet.immediate = work->immediate;
  packet.message_bytes = work->bytes;
  packet.rkey = work->rkey;
  packet.rdma_bytes = slot->bytes;
  packet.address = work->remote_address + slot->offset;
  uint8_t header[SRD_HEADER_BYTES_MOST];
  send_packet(peer, &packet, header, pieces, 1 + n);
}

static const uint8_t types[] = {
    [SRD_SEND] = SRD_TYPE_MESSAGE, [SRD_READ] = SRD_TYPE_READ, [SRD_WRITE] = SRD_TYPE_WRITE};

/* The next packet of the first work request that waits. It leaves the queue with its last one. */
static void send_next(struct srd_peer *peer, uint64_t now_ns)
{
  struct srd_work *work = peer->waiting.first;
  uint32_t mtu = peer->srd->options.mtu;
  struct srd_slot *slot = send_slot(peer, peer->next_psn);
  bool data = wants_packet(work);
  uint32_t left = work->bytes - work->next_offset;
  *slot = (struct srd_slot){.work = work,
                            .first_sent_ns = now_ns,
                            .psn = peer->next_psn++,
                            .offset = work->next_offset,
                            .bytes = left < mtu ? left : mtu,
                            .type = types[work->op],
                            .state = SLOT_ENDED};
  work->begun = true;
  work->next_offset += slot->bytes;
  work->unanswered++;
  slot->immediate = work->has_immediate && (!data || work->bytes <= mtu);
  if (!data)
    work->immediate_sent = true;
  if (!wants_packet(work))
    queue_remove(work);
  transmit(peer, slot, now_ns);
}

static bool window_open(const struct srd_peer *peer)
{
  return peer->next_psn - peer->oldest < SRD_WINDOW;
}

unsigned send_more(struct srd_peer *peer, uint64_t now_ns)
{
  unsigned sent = 0;
  while (rate_may_send(&peer->rate, peer->in_flight, now_ns) && sent < SRD_WINDOW) {
    if (peer->lost.first != SRD_NONE) {
      transmit(peer, &peer->slots[peer->lost.first], now_ns);
    } else if (peer->waiting.first && window_open(peer)) {
      struct srd_work *work = peer->waiting.first;
      send_next(peer, now_ns);
      if (++sent % TURN_PACKETS == 0 && peer->waiting.first == work && work->next) {
        queue_remove(work);
        queue_push(&peer->waiting, work);
      }
      continue;
    } else {
      if (!peer->waiting.first)
        peer->rate.hungry = true;
      break;
    }
    sent++;
  }
  return sent;
}

/* --- Time ----------------------------------------------------------------------------------------
 */

static void retry_ready(struct srd_peer *peer, uint64_t now_ns)
{
  struct srd_work *next;
  for (struct srd_work *work = peer->not_ready.first; work; work = next) {
    next = work->next;
    if (work->due_ns > now_ns)
      continue;
    queue_remove(work);
    queue_push(&peer->waiting, work);
  }
}

/* Whether a packet that was just taken for lost has been so for too long. */
static bool hopeless(const struct srd_peer *peer, const struct srd_slot *slot, uint64_t now_ns)
{
  uint64_t give_up_ns = peer->srd->options.give_up_ns;
  uint64_t since_ns = slot->first_sent_ns;
  if (now_ns - since_ns > GIVE_UP_TIMES * give_up_ns)
    return true;
  if (peer->heard && peer->heard_ns > since_ns)
    since_ns = peer->heard_ns;
  return now_ns - since_ns > give_up_ns;
}

/* A peer that is silent for so long won't take what has not begun either. */
static void give_up_waiting(struct srd_peer *peer, uint64_t now_ns)
{
  uint64_t give_up_ns = peer->srd->options.give_up_ns;
  while (peer->waiting.first && now_ns - peer->waiting.first->posted_ns > give_up_ns)
    send_end(peer, peer->waiting.first, peer->heard ? SRD_UNRESPONSIVE : SRD_UNREACHABLE);
}

static bool silent(const struct srd_peer *peer, uint64_t now_ns)
{
  uint64_t since_ns = peer->heard ? peer->heard_ns : 0;
  return now_ns - since_ns > peer->srd->options.give_up_ns;
}

static unsigned time_path(struct srd_peer *peer, struct srd_path *path, uint64_t now_ns)
{
  struct srd_statistics *statistics = &peer->srd->statistics;
  bool missed = false;
  unsigned done = 0;
  while (path->in_flight.first != SRD_NONE) {
    struct srd_slot *slot = &peer->slots[path->in_flight.first];
    bool overtaken = slot->sent_ns + path->reorder_ns < path->answered_ns;
    if (!overtaken && path_deadline_ns(path, slot->sent_ns) > now_ns)
      break;
    if (overtaken)
      statistics->fast_repairs++;
    else
      statistics->timeouts++;
    missed |= !overtaken;
    done++;
    lose_slot(peer, slot);
    if (!hopeless(peer, slot, now_ns))
      continue;
    send_end(peer, slot->work, peer->heard ? SRD_UNRESPONSIVE : SRD_UNREACHABLE);
    if (silent(peer, now_ns))
      give_up_waiting(peer, now_ns);
  }
  if (missed && path_missed(path, now_ns))
    statistics->impaired_paths++;
  return done;
}

unsigned send_time(struct srd_peer *peer, uint64_t now_ns)
{
  unsigned done = 0;
  if (peer->not_ready.first)
    retry_ready(peer, now_ns);
  if (peer->oldest != peer->next_psn)
    for (unsigned i = 0; i < peer->srd->options.paths; i++)
      done += time_path(peer, &peer->paths[i], now_ns);
  return done;
}

uint64_t send_next_ns(const struct srd_peer *peer)
{
  uint64_t next_ns = UINT64_MAX;
  if (peer->lost.first != SRD_NONE || (peer->waiting.first && window_open(peer)))
    if (peer->in_flight < peer->rate.most)
      next_ns = peer->rate.next_ns;
  for (const struct srd_work *work = peer->not_ready.first; work; work = work->next)
    if (work->due_ns < next_ns)
      next_ns = work->due_ns;
  for (unsigned i = 0; i < peer->srd->options.paths; i++) {
    const struct srd_path *path = &peer->paths[i];
    if (path->in_flight.first == SRD_NONE)
      continue;
    uint64_t deadline_ns = path_deadline_ns(path, peer->slots[path->in_flight.first].sent_ns);
    if (deadline_ns < next_ns)
      next_ns = deadline_ns;
  }
  return next_ns;
}
