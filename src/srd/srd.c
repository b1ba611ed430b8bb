/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/srd/srd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/srd/internal.h"

#define PATHS_DEFAULT 8u
#define PEERS_DEFAULT 4096u
#define PEERS_MOST    65536u
#define GIVE_UP_NS    UINT64_C(4000000000)
#define RNR_WAIT_NS   UINT64_C(100000)

/* --- Queues of work ------------------------------------------------------------------------------
 */

void queue_push(struct srd_queue *queue, struct srd_work *work)
{
  work->next = NULL;
  work->queue = queue;
  if (queue->last)
    queue->last->next = work;
  else
    queue->first = work;
  queue->last = work;
}

void queue_remove(struct srd_work *work)
{
  struct srd_queue *queue = work->queue;
  struct srd_work *previous = NULL;
  if (!queue)
    return;
  work->queue = NULL;
  for (struct srd_work *at = queue->first; at; previous = at, at = at->next) {
    if (at != work)
      continue;
    if (previous)
      previous->next = work->next;
    else
      queue->first = work->next;
    if (queue->last == work)
      queue->last = previous;
    return;
  }
}

/* --- Nodes
 * ----------------------------------------------------------------------------------------- */

static int refuse(struct shunt_error *error, const char *what, unsigned value, unsigned least,
                  unsigned most)
{
  shunt_error_set(error, -EINVAL, "%s of %u is not possible", what, value);
  shunt_error_why(error, "it must be from %u to %u", least, most);
  return -EINVAL;
}

static int complete(struct srd_options *options, struct shunt_error *error)
{
  if (!options->paths)
    options->paths = PATHS_DEFAULT;
  if (!options->peers)
    options->peers = PEERS_DEFAULT;
  if (!options->give_up_ns)
    options->give_up_ns = GIVE_UP_NS;
  if (!options->rnr_wait_ns)
    options->rnr_wait_ns = RNR_WAIT_NS;
  if (!options->incarnation) /* on the wire, 0 says that it is not known */
    options->incarnation = 1;
  if (options->mtu < SRD_MTU_LEAST || options->mtu > SRD_MTU_MOST)
    return refuse(error, "an MTU", options->mtu, SRD_MTU_LEAST, SRD_MTU_MOST);
  if (options->paths > SRD_PATHS_MOST)
    return refuse(error, "a number of paths", options->paths, 1, SRD_PATHS_MOST);
  if (options->peers > PEERS_MOST)
    return refuse(error, "a number of peers", options->peers, 1, PEERS_MOST);
  return 0;
}

int srd_create(const struct srd_options *options, const struct srd_ops *ops, void *context,
               struct srd **srd, struct shunt_error *error)
{
  struct srd_options all = *options;
  int result = complete(&all, error);
  if (result)
    return result;
  struct srd *made = calloc(1, sizeof(*made));
  uint32_t buckets = 16;
  while (buckets < all.peers)
    buckets *= 2;
  if (made)
    made->buckets = calloc(buckets, sizeof(struct srd_peer *));
  if (!made || !made->buckets) {
    free(made);
    return shunt_error_set(error, -ENOMEM, "no memory for a node of %u peers", all.peers);
  }
  made->options = all;
  made->ops = *ops;
  made->context = context;
  made->bucket_mask = buckets - 1;
  random_seed(&made->random, all.seed, shunt_mac_is_group(all.mac) ? 1 : 0);
  *srd = made;
  return 0;
}

static void forget_peers(struct srd *srd)
{
  for (uint32_t i = 0; i <= srd->bucket_mask; i++) {
    struct srd_peer *next;
    for (struct srd_peer *peer = srd->buckets[i]; peer; peer = next) {
      next = peer->next_in_bucket;
      free(peer);
    }
    srd->buckets[i] = NULL;
  }
  srd->peers = 0;
  srd->last = srd->active = NULL;
}

void srd_destroy(struct srd *srd)
{
  if (!srd)
    return;
  forget_peers(srd);
  free(srd->buckets);
  free(srd);
}

void srd_restart(struct srd *srd, uint32_t incarnation)
{
  forget_peers(srd);
  srd->options.incarnation = incarnation ? incarnation : 1;
  srd->statistics = (struct srd_statistics){0};
}

const struct srd_statistics *srd_statistics(const struct srd *srd)
{
  return &srd->statistics;
}

/* --- Peers
 * ------------------------------------------------------------------------------------------ */

static uint32_t hash(const struct srd_gid *gid)
{
  uint64_t halves[2];
  memcpy(halves, gid, sizeof(halves));
  uint64_t mixed =
      (halves[0] ^ halves[1] * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xBF58476D1CE4E5B9);
  return (uint32_t)(mixed >> 32);
}

static void begin(struct srd_peer *peer)
{
  peer->next_psn = peer->oldest = 0;
  peer->in_flight = 0;
  peer->lost = (struct srd_list){SRD_NONE, SRD_NONE};
  for (unsigned i = 0; i < SRD_PATHS_MOST; i++)
    path_init(&peer->paths[i]);
  rate_init(&peer->rate, peer->srd->options.mtu);
  peer->heard = false;
  peer->rx_oldest = peer->rx_next = peer->rx_end = 0;
  peer->refused = 0;
  peer->answer_due = false;
  memset(peer->rx_status, SRD_NOT_RECEIVED, sizeof(peer->rx_status));
}

static struct srd_peer *make_peer(struct srd *srd, const struct srd_gid *gid)
{
  if (srd->peers == srd->options.peers)
    return NULL;
  struct srd_peer *peer = calloc(1, sizeof(*peer));
  if (!peer)
    return NULL;
  struct srd_peer **bucket = &srd->buckets[hash(gid) & srd->bucket_mask];
  peer->srd = srd;
  peer->gid = *gid;
  srd_envelope_make(&peer->envelope, srd->options.mac, &srd->options.gid, gid);
  begin(peer);
  peer->next_in_bucket = *bucket;
  *bucket = peer;
  srd->peers++;
  return peer;
}

struct srd_peer *srd_peer(struct srd *srd, const struct srd_gid *gid)
{
  if (srd->last && memcmp(&srd->last->gid, gid, sizeof(*gid)) == 0)
    return srd->last;
  struct srd_peer *peer = srd->buckets[hash(gid) & srd->bucket_mask];
  while (peer && memcmp(&peer->gid, gid, sizeof(*gid)) != 0)
    peer = peer->next_in_bucket;
  if (!peer)
    peer = make_peer(srd, gid);
  if (peer)
    srd->last = peer;
  return peer;
}

const struct srd_gid *srd_peer_gid(const struct srd_peer *peer)
{
  return &peer->gid;
}

void peer_activate(struct srd_peer *peer)
{
  if (peer->active)
    return;
  peer->active = true;
  peer->next_active = peer->srd->active;
  peer->srd->active = peer;
}

/* Of what was on its way nobody knows whether the old life took it. What had not begun goes to the
 * new one. */
void peer_restarted(struct srd_peer *peer, uint32_t incarnation)
{
  bool first = !peer->incarnation;
  peer->incarnation = incarnation;
  if (first)
    return;
  peer->srd->statistics.restarts++;
  while (peer->oldest != peer->next_psn)
    send_end(peer, send_slot(peer, peer->oldest)->work, SRD_REMOTE_ABORT);
  begin(peer);
  peer_activate(peer);
}

/* --- Work
 * --------------------------------------------------------------------------------------------- */

void srd_post(struct srd_work *work, uint64_t now_ns)
{
  work->posted_ns = now_ns;
  work->next_offset = 0;
  work->unanswered = 0;
  work->rnr_seen = 0;
  work->begun = false;
  work->immediate_sent = false;
  queue_push(&work->peer->waiting, work);
  peer_activate(work->peer);
}

void srd_datagram(struct srd *srd, const struct srd_gid *to, const struct srd_work *work)
{
  struct srd_peer *peer = srd_peer(srd, to);
  struct iovec pieces[1 + SRD_PIECES_MOST];
  unsigned n = 0;
  if (!peer)
    return;
  if (work->bytes && srd->ops.source(srd->context, work, 0, work->bytes, pieces + 1, &n) != SRD_OK)
    return;
  struct srd_packet packet = {.type = SRD_TYPE_DATAGRAM,
                              .flags = work->has_immediate ? SRD_FLAG_IMMEDIATE : 0,
                              .source_qpn = work->source_qpn,
                              .qpn = work->destination_qpn,
                              .qkey = work->qkey,
                              .immediate = work->immediate,
                              .message_bytes = work->bytes};
  uint8_t header[SRD_HEADER_BYTES_MOST];
  srd->statistics.tx_packets++;
  srd->statistics.tx_bytes += work->bytes;
  send_packet(peer, &packet, header, pieces, 1 + n);
}

static void cancel_queue(struct srd_peer *peer, struct srd_queue *queue,
                         bool (*match)(void *context, const struct srd_work *work), void *context,
                         enum srd_status status)
{
  struct srd_work *next;
  for (struct srd_work *work = queue->first; work; work = next) {
    next = work->next;
    if (match(context, work))
      send_end(peer, work, status);
  }
}

void srd_cancel(struct srd *srd, bool (*match)(void *context, const struct srd_work *work),
                void *context, enum srd_status status)
{
  for (struct srd_peer *peer = srd->active; peer; peer = peer->next_active) {
    for (uint32_t psn = peer->oldest; psn != peer->next_psn; psn++) {
      struct srd_work *work = send_slot(peer, psn)->work;
      if (work && match(context, work))
        send_end(peer, work, status);
    }
    cancel_queue(peer, &peer->waiting, match, context, status);
    cancel_queue(peer, &peer->not_ready, match, context, status);
  }
}

/* --- Turns
 * --------------------------------------------------------------------------------------------- */

static bool busy(const struct srd_peer *peer)
{
  return peer->waiting.first || peer->not_ready.first || peer->oldest != peer->next_psn ||
         peer->answer_due;
}

unsigned srd_poll(struct srd *srd, uint64_t now_ns)
{
  unsigned done = 0;
  for (struct srd_peer *peer = srd->active; peer; peer = peer->next_active) {
    done += send_time(peer, now_ns);
    done += send_more(peer, now_ns);
    if (peer->answer_due) {
      receive_answer(peer);
      done++;
    }
  }
  /* Transmitting may have made others active, in front: so who is idle leaves afterwards. */
  for (struct srd_peer **at = &srd->active; *at;) {
    struct srd_peer *peer = *at;
    if (busy(peer)) {
      at = &peer->next_active;
      continue;
    }
    *at = peer->next_active;
    peer->active = false;
  }
  return done;
}

uint64_t srd_next_ns(const struct srd *srd)
{
  uint64_t next_ns = UINT64_MAX;
  for (const struct srd_peer *peer = srd->active; peer; peer = peer->next_active) {
    if (peer->answer_due)
      return 0;
    uint64_t own_ns = send_next_ns(peer);
    if (own_ns < next_ns)
      next_ns = own_ns;
  }
  return next_ns;
}
