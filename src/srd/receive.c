/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes off the wire: messages are handed on once and answered as often as they come; answers
 * end what they answer. */
#include <string.h>

#include "src/srd/internal.h"

/* --- Answers to us ------------------------------------------------------------------------------
 */

static void heard(struct srd_peer *peer, uint64_t now_ns)
{
  peer->heard = true;
  peer->heard_ns = now_ns;
}

/* A read ends when its data comes, not when its request was heard. */
static void taken(struct srd_peer *peer, uint32_t psn, uint64_t now_ns)
{
  if (send_slot(peer, psn)->type != SRD_TYPE_READ)
    send_answered(peer, psn, now_ns);
}

static void acknowledged(struct srd_peer *peer, const struct srd_packet *packet, uint64_t now_ns)
{
  struct srd_statistics *statistics = &peer->srd->statistics;
  if ((int32_t)(packet->psn - peer->next_psn) > 0) {
    statistics->malformed++;
    return;
  }
  statistics->acks_received++;
  heard(peer, now_ns);
  for (uint32_t psn = peer->oldest; (int32_t)(packet->psn - psn) > 0; psn++)
    taken(peer, psn, now_ns);
  for (unsigned i = 0; i < packet->words; i++)
    for (uint64_t left = packet->taken[i]; left; left &= left - 1)
      taken(peer, packet->psn + i * 64 + (unsigned)__builtin_ctzll(left), now_ns);
  for (unsigned i = 0; i < packet->refusals; i++)
    send_refused(peer, packet->refused[i].psn, packet->refused[i].status, now_ns);
}

/* What was read: the answer and the data in one. */
static void data_came(struct srd_peer *peer, const struct srd_packet *packet, uint64_t now_ns)
{
  struct srd *srd = peer->srd;
  if (packet->psn - peer->oldest >= peer->next_psn - peer->oldest) {
    srd->statistics.duplicates++;
    return;
  }
  struct srd_slot *slot = send_slot(peer, packet->psn);
  if (slot->state == SLOT_ENDED) {
    srd->statistics.duplicates++;
    return;
  }
  if (slot->type != SRD_TYPE_READ || slot->bytes != packet->data_bytes) {
    srd->statistics.malformed++;
    return;
  }
  heard(peer, now_ns);
  srd->statistics.rx_packets++;
  srd->statistics.rx_bytes += packet->data_bytes;
  enum srd_status status = SRD_OK;
  if (packet->data_bytes)
    status =
        srd->ops.place(srd->context, slot->work, slot->offset, packet->data, packet->data_bytes);
  if (status == SRD_OK)
    send_answered(peer, packet->psn, now_ns);
  else
    send_end(peer, slot->work, status);
}

/* --- Answers of ours ----------------------------------------------------------------------------
 */

static uint8_t *status_of(struct srd_peer *peer, uint32_t psn)
{
  return &peer->rx_status[psn % SRD_WINDOW];
}

/* A bit for each packet behind rx_next that was taken. */
static void gather_taken(struct srd_peer *peer, struct srd_packet *packet)
{
  uint32_t ahead = peer->rx_end - peer->rx_next;
  packet->words = (ahead + 63) / 64;
  memset(packet->taken, 0, packet->words * sizeof(packet->taken[0]));
  for (uint32_t i = 0; i < ahead; i++)
    if (*status_of(peer, peer->rx_next + i) == SRD_OK)
      packet->taken[i / 64] |= UINT64_C(1) << i % 64;
}

/* Refusals are told until the peer says, by its oldest packet, that it knows; the oldest first, so
 * that this will come about. */
static void gather_refused(struct srd_peer *peer, struct srd_packet *packet)
{
  unsigned most = peer->refused;
  if (most > SRD_ACK_REFUSALS_MOST)
    most = SRD_ACK_REFUSALS_MOST;
  packet->refusals = 0;
  for (uint32_t psn = peer->rx_oldest; packet->refusals < most; psn++) {
    uint8_t status = *status_of(peer, psn);
    if (status != SRD_OK && status != SRD_NOT_RECEIVED)
      packet->refused[packet->refusals++] = (struct srd_refusal){psn, status};
  }
}

void receive_answer(struct srd_peer *peer)
{
  struct srd_packet packet;
  struct iovec pieces[1];
  uint8_t header[SRD_ACK_ROOM];
  packet.type = SRD_TYPE_ACK;
  packet.flags = 0;
  packet.path = peer->rx_path;
  packet.psn = peer->rx_next;
  gather_taken(peer, &packet);
  gather_refused(peer, &packet);
  peer->answer_due = false;
  peer->srd->statistics.acks_sent++;
  send_packet(peer, &packet, header, pieces, 1);
}

static void answer_reset(struct srd_peer *peer, const struct srd_packet *packet)
{
  struct srd_packet reset = {.type = SRD_TYPE_RESET, .path = packet->path, .psn = packet->psn};
  struct iovec pieces[1];
  uint8_t header[SRD_HEADER_BYTES_MOST];
  send_packet(peer, &reset, header, pieces, 1);
}

/* --- Messages to us ------------------------------------------------------------------------------
 */

/* The peer has the answers to all before oldest: they need not be remembered. */
static void forget_before(struct srd_peer *peer, uint32_t oldest)
{
  if ((int32_t)(oldest - peer->rx_oldest) <= 0)
    return;
  uint32_t end = oldest - peer->rx_oldest < SRD_WINDOW ? oldest : peer->rx_oldest + SRD_WINDOW;
  for (uint32_t psn = peer->rx_oldest; psn != end; psn++) {
    uint8_t *status = status_of(peer, psn);
    peer->refused -= *status != SRD_OK && *status != SRD_NOT_RECEIVED;
    *status = SRD_NOT_RECEIVED;
  }
  peer->rx_oldest = oldest;
  if ((int32_t)(oldest - peer->rx_next) > 0)
    peer->rx_next = oldest;
  if ((int32_t)(oldest - peer->rx_end) > 0)
    peer->rx_end = oldest;
}

static void remember(struct srd_peer *peer, uint32_t psn, enum srd_status status)
{
  *status_of(peer, psn) = (uint8_t)status;
  if ((int32_t)(psn + 1 - peer->rx_end) > 0)
    peer->rx_end = psn + 1;
  if (status != SRD_OK)
    peer->refused++;
  while (peer->rx_next != peer->rx_end && *status_of(peer, peer->rx_next) == SRD_OK)
    peer->rx_next++;
}

static enum srd_status execute_read(struct srd_peer *peer, const struct srd_arrival *arrival,
                                    const struct srd_packet *packet)
{
  struct srd *srd = peer->srd;
  struct iovec pieces[1 + SRD_PIECES_MOST];
  unsigned n = 0;
  enum srd_status status = srd->ops.read(srd->context, arrival, packet->rkey, packet->address,
                                         packet->rdma_bytes, pieces + 1, &n);
  if (status != SRD_OK)
    return status;
  uint8_t header[SRD_HEADER_BYTES_MOST];
  struct srd_packet answer = {.type = SRD_TYPE_READ_DATA, .path = packet->path, .psn = packet->psn};
  srd->statistics.tx_packets++;
  srd->statistics.tx_bytes += packet->rdma_bytes;
  send_packet(peer, &answer, header, pieces, 1 + n);
  return SRD_OK;
}

static enum srd_status execute(struct srd_peer *peer, const struct srd_packet *packet)
{
  static const enum srd_op ops[] = {[SRD_TYPE_MESSAGE] = SRD_SEND,
                                    [SRD_TYPE_WRITE] = SRD_WRITE,
                                    [SRD_TYPE_READ] = SRD_READ,
                                    [SRD_TYPE_DATAGRAM] = SRD_SEND};
  struct srd *srd = peer->srd;
  struct srd_arrival arrival = {.source = &peer->gid,
                                .source_qpn = packet->source_qpn,
                                .qpn = packet->qpn,
                                .qkey = packet->qkey,
                                .op = ops[packet->type],
                                .has_immediate = packet->flags & SRD_FLAG_IMMEDIATE,
                                .immediate = packet->immediate,
                                .bytes = packet->message_bytes};
  if (packet->type == SRD_TYPE_READ)
    return execute_read(peer, &arrival, packet);
  enum srd_status status = SRD_OK;
  if (packet->type == SRD_TYPE_WRITE && (packet->rdma_bytes || !packet->message_bytes))
    status = srd->ops.write(srd->context, &arrival, packet->rkey, packet->address, packet->data,
                            packet->data_bytes);
  if (status != SRD_OK || (packet->type == SRD_TYPE_WRITE && !arrival.has_immediate))
    return status;
  return srd->ops.receive(srd->context, &arrival,
                          packet->type == SRD_TYPE_MESSAGE ? packet->data : NULL);
}

static void message_came(struct srd_peer *peer, const struct srd_packet *packet)
{
  struct srd *srd = peer->srd;
  if (packet->psn - packet->oldest >= SRD_WINDOW) {
    srd->statistics.malformed++;
    return;
  }
  forget_before(peer, packet->oldest);
  if ((int32_t)(packet->psn - peer->rx_oldest) < 0) {
    srd->statistics.duplicates++; /* the peer has its answer */
    return;
  }
  if (packet->psn - peer->rx_oldest >= SRD_WINDOW) {
    srd->statistics.beyond_window++;
    return;
  }
  peer->rx_path = packet->path;
  uint8_t known = *status_of(peer, packet->psn);
  if (known != SRD_NOT_RECEIVED) {
    srd->statistics.duplicates++;
    /* A read whose data got lost is done again, and not acknowledged without. */
    if (known == SRD_OK && packet->type == SRD_TYPE_READ) {
      execute(peer, packet);
      return;
    }
    peer->answer_due = true;
    peer_activate(peer);
    return;
  }
  srd->statistics.rx_packets++;
  srd->statistics.rx_bytes += packet->data_bytes;
  enum srd_status status = execute(peer, packet);
  srd->statistics.rnr_sent += status == SRD_REMOTE_RNR;
  remember(peer, packet->psn, status);
  if (packet->type == SRD_TYPE_READ && status == SRD_OK)
    return; /* answered with the data */
  peer->answer_due = true;
  peer_activate(peer);
}

static void datagram_came(struct srd_peer *peer, const struct srd_packet *packet)
{
  struct srd *srd = peer->srd;
  struct srd_arrival arrival = {.source = &peer->gid,
                                .source_qpn = packet->source_qpn,
                                .qpn = packet->qpn,
                                .qkey = packet->qkey,
                                .op = SRD_SEND,
                                .has_immediate = packet->flags & SRD_FLAG_IMMEDIATE,
                                .immediate = packet->immediate,
                                .bytes = packet->message_bytes};
  srd->statistics.rx_packets++;
  srd->statistics.rx_bytes += packet->data_bytes;
  srd->ops.datagram(srd->context, &arrival, packet->data);
}

/* Whether the packet is from the peer's present life and meant for ours. */
static bool current(struct srd_peer *peer, const struct srd_packet *packet)
{
  if (peer->incarnation && (int32_t)(packet->incarnation - peer->incarnation) < 0) {
    peer->srd->statistics.stale++;
    return false;
  }
  if (packet->expected && packet->expected != peer->srd->options.incarnation) {
    peer->srd->statistics.stale++;
    if (packet->type != SRD_TYPE_RESET)
      answer_reset(peer, packet);
    return false;
  }
  if (packet->incarnation != peer->incarnation)
    peer_restarted(peer, packet->incarnation);
  return true;
}

static void packet_came(struct srd *srd, const struct srd_packet *packet,
                        const struct srd_gid *source, uint64_t now_ns)
{
  struct srd_peer *peer = srd_peer(srd, source);
  if (!peer) {
    srd->statistics.no_room++;
    return;
  }
  if (packet->type == SRD_TYPE_DATAGRAM) {
    datagram_came(peer, packet);
    return;
  }
  if (!packet->incarnation) {
    srd->statistics.malformed++;
    return;
  }
  if (!current(peer, packet))
    return;
  switch (packet->type) {
  case SRD_TYPE_ACK:
    acknowledged(peer, packet, now_ns);
    break;
  case SRD_TYPE_READ_DATA:
    data_came(peer, packet, now_ns);
    break;
  case SRD_TYPE_RESET:
    heard(peer, now_ns);
    break;
  case SRD_TYPE_MESSAGE:
  case SRD_TYPE_WRITE:
  case SRD_TYPE_READ:
    message_came(peer, packet);
    break;
  case SRD_TYPE_DATAGRAM:
    break;
  }
}

bool srd_receive(struct srd *srd, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct srd_packet packet;
  struct srd_gid source, destination;
  switch (srd_packet_parse(frame, bytes, &packet, &source, &destination)) {
  case SRD_PARSE_FOREIGN:
    return false;
  case SRD_PARSE_MALFORMED:
    srd->statistics.malformed++;
    return true;
  case SRD_PARSE_CHECKSUM:
    srd->statistics.bad_checksum++;
    return true;
  case SRD_PARSE_OK:
    break;
  }
  if (memcmp(&destination, &srd->options.gid, sizeof(destination)) != 0)
    srd->statistics.not_for_us++;
  else
    packet_came(srd, &packet, &source, now_ns);
  return true;
}

void srd_receive_handed(struct srd *srd, const struct iovec *head, const struct iovec *data,
                        uint64_t now_ns)
{
  struct srd_packet packet;
  struct srd_gid source, destination;
  if (srd_packet_parse_handed(head, data, &packet, &source, &destination) != SRD_PARSE_OK)
    srd->statistics.malformed++;
  else if (memcmp(&destination, &srd->options.gid, sizeof(destination)) != 0)
    srd->statistics.not_for_us++;
  else
    packet_came(srd, &packet, &source, now_ns);
}
