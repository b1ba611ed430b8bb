/* SPDX-License-Identifier: BSD-2-Clause */
/* Nodes of scalable reliable datagrams on a network of the test's own, on a virtual clock.
 *
 * The network is a list of frames, each with the time at which it arrives: so a test decides what
 * is lost, late, doubled or overtaken. Each node has memory that its messages come from and go to,
 * and writes down what it is told. */
#ifndef TESTS_UNIT_SRD_RIG_H
#define TESTS_UNIT_SRD_RIG_H

#include <stdlib.h>
#include <string.h>

#include "src/core/random.h"
#include "src/srd/packet.h"

#define RIG_NODES        3u
#define RIG_MEMORY       (1u << 20)
#define RIG_MTU          4096u
#define RIG_RKEY         0x1234u
#define RIG_RECORDS_MOST 4096u

struct rig_frame {
  struct rig_frame *next;
  uint64_t due_ns;
  uint32_t bytes;
  uint8_t data[];
};

struct rig_record {
  struct srd_arrival arrival;
  struct srd_gid source;
};

struct rig;
struct rig_node {
  struct rig *rig;
  struct srd *srd;
  struct srd_gid gid;
  struct shunt_mac mac;
  uint8_t *memory;
  unsigned received;
  struct rig_record records[RIG_RECORDS_MOST];
  uint8_t last[RIG_MTU];
  unsigned datagrams;
  enum srd_status receive_with; /* what receive, write and read answer */
  unsigned refuse;              /* how many times receive answers so, before it answers SRD_OK */
  unsigned refuse_writes;       /* the same of write */
  bool blocked;                 /* nothing leaves it */
  uint64_t free_ns;             /* when the link to it has sent all that it holds */
  void (*done)(struct rig_node *node, struct srd_work *work, enum srd_status status);
};

struct rig {
  struct rig_node nodes[RIG_NODES];
  struct rig_frame *frames; /* by time */
  struct random_stream random;
  uint64_t now_ns;
  uint64_t delay_ns, jitter_ns;
  double loss, duplicate, reorder;
  uint64_t rate_bps; /* of each node's link; 0: no limit */
  uint64_t longest_queue_ns;
  uint64_t sent, lost;
  /* Called for each frame; false: it is lost. May be NULL. */
  bool (*pass)(struct rig *rig, const struct srd_packet *packet);
  bool hands; /* nodes of one process: frames are handed over, but for those in many pieces */
  bool whole; /* memory is not scattered: a message's data is one piece */
  uint64_t handed;
};

/* A work request that says how it ended. Its bytes are memory[local, +bytes). */
struct rig_work {
  struct srd_work work;
  uint32_t local;
  unsigned ends;
  enum srd_status status;
};

static inline void rig_schedule(struct rig *rig, const void *data, uint32_t bytes, uint64_t due_ns)
{
  struct rig_frame *frame = malloc(sizeof(*frame) + bytes);
  if (!frame)
    abort();
  frame->due_ns = due_ns;
  frame->bytes = bytes;
  memcpy(frame->data, data, bytes);
  struct rig_frame **at = &rig->frames;
  while (*at && (*at)->due_ns <= due_ns)
    at = &(*at)->next;
  frame->next = *at;
  *at = frame;
}

/* How long a frame waits for those before it on the link to its node, and is on it itself. */
static inline uint64_t rig_queue(struct rig *rig, const uint8_t *frame, uint32_t bytes)
{
  unsigned to = frame[5] - 1u;
  if (!rig->rate_bps || to >= RIG_NODES)
    return 0;
  struct rig_node *node = &rig->nodes[to];
  if (node->free_ns < rig->now_ns)
    node->free_ns = rig->now_ns;
  if (node->free_ns - rig->now_ns > rig->longest_queue_ns)
    rig->longest_queue_ns = node->free_ns - rig->now_ns;
  node->free_ns += (uint64_t)bytes * 8 * UINT64_C(1000000000) / rig->rate_bps;
  return node->free_ns - rig->now_ns;
}

static inline void rig_transmit(void *context, const struct iovec pieces[], unsigned n)
{
  struct rig_node *node = context;
  struct rig *rig = node->rig;
  uint8_t frame[SRD_MTU_MOST + SRD_ACK_ROOM];
  uint32_t bytes = 0;
  for (unsigned i = 0; i < n; i++) {
    memcpy(frame + bytes, pieces[i].iov_base, pieces[i].iov_len);
    bytes += (uint32_t)pieces[i].iov_len;
  }
  struct srd_packet packet;
  struct srd_gid source, destination;
  if (srd_packet_parse(frame, bytes, &packet, &source, &destination) != SRD_PARSE_OK)
    abort(); /* an engine never sends what it would not take */
  rig->sent++;
  if (node->blocked || random_chance(&rig->random, rig->loss) ||
      (rig->pass && !rig->pass(rig, &packet))) {
    rig->lost++;
    return;
  }
  uint64_t due_ns = rig->now_ns + rig->delay_ns + rig_queue(rig, frame, bytes);
  if (rig->jitter_ns)
    due_ns += random_below_or_equal(&rig->random, rig->jitter_ns);
  if (random_chance(&rig->random, rig->reorder))
    due_ns += 100000;
  rig_schedule(rig, frame, bytes, due_ns);
  if (random_chance(&rig->random, rig->duplicate))
    rig_schedule(rig, frame, bytes, due_ns + 1000);
}

static inline enum srd_status rig_source(void *context, const struct srd_work *work,
                                         uint32_t offset, uint32_t bytes, struct iovec pieces[],
                                         unsigned *n)
{
  struct rig_node *node = context;
  const struct rig_work *own = (const struct rig_work *)work;
  if (own->local >= RIG_MEMORY)
    return SRD_INVALID_LKEY;
  /* In two pieces, the first of odd length, as scattered memory may be. */
  uint32_t first = bytes > 3 && !node->rig->whole ? (bytes / 2) | 1 : bytes;
  pieces[0] = (struct iovec){node->memory + own->local + offset, first};
  *n = 1;
  if (bytes > first)
    pieces[(*n)++] = (struct iovec){node->memory + own->local + offset + first, bytes - first};
  return SRD_OK;
}

static inline enum srd_status rig_place(void *context, const struct srd_work *work, uint32_t offset,
                                        const void *data, uint32_t bytes)
{
  struct rig_node *node = context;
  const struct rig_work *own = (const struct rig_work *)work;
  if (own->local >= RIG_MEMORY)
    return SRD_INVALID_LKEY;
  memcpy(node->memory + own->local + offset, data, bytes);
  return SRD_OK;
}

static inline void rig_done(void *context, struct srd_work *work, enum srd_status status)
{
  struct rig_node *node = context;
  struct rig_work *own = (struct rig_work *)work;
  own->ends++;
  own->status = status;
  if (node->done)
    node->done(node, work, status);
}

static inline enum srd_status rig_receive(void *context, const struct srd_arrival *arrival,
                                          const void *data)
{
  struct rig_node *node = context;
  if (node->refuse) {
    node->refuse--;
    return node->receive_with;
  }
  struct rig_record *record = &node->records[node->received++ % RIG_RECORDS_MOST];
  record->arrival = *arrival;
  record->source = *arrival->source;
  if (data && arrival->bytes <= sizeof(node->last))
    memcpy(node->last, data, arrival->bytes);
  return SRD_OK;
}

static inline uint8_t *rig_remote(struct rig_node *node, uint32_t rkey, uint64_t address,
                                  uint32_t bytes)
{
  if (rkey != RIG_RKEY || address > RIG_MEMORY || bytes > RIG_MEMORY - address)
    return NULL;
  return node->memory + address;
}

static inline enum srd_status rig_write(void *context, const struct srd_arrival *arrival,
                                        uint32_t rkey, uint64_t address, const void *data,
                                        uint32_t bytes)
{
  struct rig_node *node = context;
  (void)arrival;
  uint8_t *to = rig_remote(node, rkey, address, bytes);
  if (!to)
    return SRD_REMOTE_BAD_ADDRESS;
  if (node->refuse_writes) {
    node->refuse_writes--;
    return SRD_REMOTE_RNR;
  }
  if (bytes)
    memcpy(to, data, bytes);
  return SRD_OK;
}

static inline enum srd_status rig_read(void *context, const struct srd_arrival *arrival,
                                       uint32_t rkey, uint64_t address, uint32_t bytes,
                                       struct iovec pieces[], unsigned *n)
{
  (void)arrival;
  uint8_t *from = rig_remote(context, rkey, address, bytes);
  if (!from)
    return SRD_REMOTE_BAD_ADDRESS;
  pieces[0] = (struct iovec){from, bytes};
  *n = 1;
  return SRD_OK;
}

static inline void rig_datagram(void *context, const struct srd_arrival *arrival, const void *data)
{
  struct rig_node *node = context;
  node->datagrams++;
  memcpy(node->last, data, arrival->bytes);
}

static inline bool rig_hand(void *context, const struct iovec *head, const struct iovec *data)
{
  struct rig *rig = ((struct rig_node *)context)->rig;
  for (unsigned i = 0; i < RIG_NODES && rig->hands; i++) {
    if (memcmp(head->iov_base, rig->nodes[i].mac.bytes, 6) != 0)
      continue;
    rig->handed++;
    srd_receive_handed(rig->nodes[i].srd, head, data, rig->now_ns);
    return true;
  }
  return false;
}

static const struct srd_ops rig_ops = {.transmit = rig_transmit,
                                       .source = rig_source,
                                       .place = rig_place,
                                       .done = rig_done,
                                       .receive = rig_receive,
                                       .write = rig_write,
                                       .read = rig_read,
                                       .datagram = rig_datagram,
                                       .hand = rig_hand};

static inline struct srd_options rig_options(const struct rig_node *node, uint32_t incarnation)
{
  return (struct srd_options){.mac = node->mac,
                              .gid = node->gid,
                              .incarnation = incarnation,
                              .seed = node->mac.bytes[5],
                              .mtu = RIG_MTU,
                              .paths = 4,
                              .peers = 16,
                              .give_up_ns = 1000000000};
}

static inline void rig_birth(struct rig_node *node, uint32_t incarnation)
{
  struct srd_options options = rig_options(node, incarnation);
  if (srd_create(&options, &rig_ops, node, &node->srd, NULL))
    abort();
}

static inline void rig_init(struct rig *rig, uint64_t seed)
{
  memset(rig, 0, sizeof(*rig));
  rig->now_ns = 1000;
  rig->delay_ns = 10000;
  random_seed(&rig->random, seed, 0);
  for (unsigned i = 0; i < RIG_NODES; i++) {
    struct rig_node *node = &rig->nodes[i];
    node->rig = rig;
    node->mac = (struct shunt_mac){{2, 0, 0, 0, 0, (uint8_t)(i + 1)}};
    node->gid = srd_gid_of_mac(node->mac);
    node->memory = malloc(RIG_MEMORY);
    if (!node->memory)
      abort();
    for (unsigned b = 0; b < RIG_MEMORY; b++)
      node->memory[b] = (uint8_t)(b * 31 + (b >> 8) + i);
    rig_birth(node, 7);
  }
}

static inline void rig_free(struct rig *rig)
{
  while (rig->frames) {
    struct rig_frame *frame = rig->frames;
    rig->frames = frame->next;
    free(frame);
  }
  for (unsigned i = 0; i < RIG_NODES; i++) {
    srd_destroy(rig->nodes[i].srd);
    free(rig->nodes[i].memory);
  }
}

static inline void rig_deliver(struct rig *rig, const struct rig_frame *frame)
{
  for (unsigned i = 0; i < RIG_NODES; i++)
    if (memcmp(frame->data, rig->nodes[i].mac.bytes, 6) == 0)
      srd_receive(rig->nodes[i].srd, frame->data, frame->bytes, rig->now_ns);
}

/* Let the next thing happen, at its time. False where nothing more will happen by itself before
 * until_ns. */
static inline bool rig_step(struct rig *rig, uint64_t until_ns)
{
  unsigned done = 0;
  while (rig->frames && rig->frames->due_ns <= rig->now_ns) {
    struct rig_frame *frame = rig->frames;
    rig->frames = frame->next;
    rig_deliver(rig, frame);
    free(frame);
    done++;
  }
  for (unsigned i = 0; i < RIG_NODES; i++)
    done += srd_poll(rig->nodes[i].srd, rig->now_ns);
  if (done)
    return true;
  uint64_t next_ns = rig->frames ? rig->frames->due_ns : UINT64_MAX;
  for (unsigned i = 0; i < RIG_NODES; i++)
    if (srd_next_ns(rig->nodes[i].srd) < next_ns)
      next_ns = srd_next_ns(rig->nodes[i].srd);
  if (next_ns > until_ns)
    return false;
  rig->now_ns = next_ns > rig->now_ns ? next_ns : rig->now_ns + 1;
  return true;
}

/* All that will happen in the next so many nanoseconds. */
static inline void rig_run(struct rig *rig, uint64_t for_ns)
{
  uint64_t until_ns = rig->now_ns + for_ns;
  while (rig_step(rig, until_ns) && rig->now_ns <= until_ns) {
  }
  if (rig->now_ns < until_ns)
    rig->now_ns = until_ns;
}

/* Post a message from one node to another. */
static inline void rig_post(struct rig *rig, unsigned from, unsigned to, struct rig_work *work)
{
  work->ends = 0;
  work->work.peer = srd_peer(rig->nodes[from].srd, &rig->nodes[to].gid);
  srd_post(&work->work, rig->now_ns);
}

/* Work between the queue pairs that all tests use. */
static inline struct rig_work rig_transfer(enum srd_op op, uint32_t bytes)
{
  return (struct rig_work){.work = {.op = op,
                                    .source_qpn = 3,
                                    .destination_qpn = 5,
                                    .qkey = 9,
                                    .bytes = bytes,
                                    .rkey = RIG_RKEY,
                                    .remote_address = 512},
                           .local = 4096};
}

#endif
