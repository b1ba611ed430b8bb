/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine, inside.
 *
 *   srd.c      nodes, contexts, work requests        packet.c  the packet format
 *   send.c     packets on their way, and their ends  path.c    which way, how long it takes
 *   receive.c  what arrives, and what is answered    rate.c    how much at a time */
#ifndef SRC_SRD_INTERNAL_H
#define SRC_SRD_INTERNAL_H

#include "src/core/random.h"
#include "src/srd/packet.h"
#include "src/srd/srd.h"

#define SRD_NONE         UINT16_MAX
#define SRD_NOT_RECEIVED UINT8_MAX

/* --- Rate ------------------------------------------------------------------------------------ */

/* How much may be in flight, and how fast it may leave: after BBR (Cardwell and others, "BBR:
 * Congestion-Based Congestion Control", 2016). What counts is the rate at which answers come and
 * the shortest time that one took; a loss by itself says nothing. */
#define RATE_SAMPLES 10u
struct srd_rate {
  uint64_t samples[RATE_SAMPLES]; /* bytes per second in the last rounds */
  unsigned sample;
  uint64_t rate; /* the largest of them */
  uint64_t rtt_min_ns, rtt_min_at_ns;
  uint64_t delivered; /* in this round */
  uint64_t round_start_ns;
  uint64_t most;        /* bytes in flight */
  uint64_t floor, roof; /* of most */
  uint64_t next_ns;     /* when the next packet may leave */
  uint64_t full_rate;   /* what the last rounds did not get past */
  unsigned full_rounds;
  unsigned phase;
  bool filling; /* the pipe is not full yet */
  bool hungry;  /* in this round there was not always something to send */
};
void rate_init(struct srd_rate *rate, uint64_t mtu);
/* bytes were answered that left at sent_ns; rtt_ns 0: no measure (they were sent more than once).
 */
void rate_answered(struct srd_rate *rate, uint32_t bytes, uint64_t sent_ns, uint64_t rtt_ns,
                   uint64_t now_ns);
void rate_sent(struct srd_rate *rate, uint32_t bytes, uint64_t now_ns);
bool rate_may_send(const struct srd_rate *rate, uint64_t in_flight, uint64_t now_ns);

/* --- Packets on their way -------------------------------------------------------------------- */

enum srd_slot_state { SLOT_ENDED, SLOT_IN_FLIGHT, SLOT_LOST };

/* A packet sequence number between its first sending and its answer; at [psn % SRD_WINDOW]. */
struct srd_slot {
  struct srd_work *work;
  uint64_t sent_ns, first_sent_ns;
  uint32_t psn, offset, bytes;
  uint16_t previous, next; /* on its list */
  uint8_t path;
  uint8_t state;
  uint8_t type;
  uint8_t times; /* sent */
  bool immediate;
};

struct srd_list {
  uint16_t first, last;
};

struct srd_path {
  struct srd_list in_flight; /* in the order of sending */
  uint64_t srtt_ns, rttvar_ns, timeout_ns;
  uint64_t answered_ns; /* the latest sending that was answered */
  uint64_t reorder_ns;  /* how much later than its successors a packet may be answered */
  uint64_t bad_until_ns;
  uint8_t misses;  /* time-outs without an answer between */
  uint8_t bad_for; /* log2, in units of PATH_BAD_NS */
};
void path_init(struct srd_path *path);
void path_answered(struct srd_path *path, uint64_t sent_ns, uint64_t rtt_ns, uint64_t now_ns);
/* A packet was answered sooner after it was sent again than an answer can come. */
void path_spurious(struct srd_path *path);
/* Returns true where the path is given up for a while by this. */
bool path_missed(struct srd_path *path, uint64_t now_ns);
uint64_t path_deadline_ns(const struct srd_path *path, uint64_t sent_ns);
/* A path for the next packet, another one than except (SRD_PATHS_MOST: any). */
unsigned path_choose(struct srd_peer *peer, unsigned except, uint64_t now_ns);

/* --- A peer ---------------------------------------------------------------------------------- */

struct srd_queue {
  struct srd_work *first, *last;
};

struct srd_peer {
  struct srd *srd;
  struct srd_peer *next_in_bucket, *next_active;
  bool active;
  struct srd_gid gid;
  struct srd_envelope envelope;
  uint32_t incarnation; /* of the peer; 0: not known */

  /* Sending */
  struct srd_queue waiting;   /* work with something to put into packets */
  struct srd_queue not_ready; /* work that waits for the receiver to be ready */
  uint32_t next_psn, oldest;
  uint64_t in_flight; /* bytes */
  struct srd_list lost;
  struct srd_slot slots[SRD_WINDOW];
  struct srd_path paths[SRD_PATHS_MOST];
  struct srd_rate rate;
  uint64_t heard_ns;
  bool heard; /* in its present life */

  /* Receiving */
  uint32_t rx_oldest; /* the peer has the answers to all before */
  uint32_t rx_next;   /* the first not taken */
  uint32_t rx_end;    /* behind the last that came */
  uint8_t rx_path;
  bool answer_due;
  unsigned refused; /* how many of rx_status are refusals */
  uint8_t rx_status[SRD_WINDOW];
};

struct srd {
  struct srd_options options;
  struct srd_ops ops;
  void *context;
  struct srd_statistics statistics;
  struct random_stream random;
  struct srd_peer **buckets;
  uint32_t bucket_mask;
  uint32_t peers;
  struct srd_peer *last; /* who was looked up last */
  struct srd_peer *active;
};

void peer_activate(struct srd_peer *peer);
/* The peer began a new life: what was on its way to the old one ends, numbers begin anew. */
void peer_restarted(struct srd_peer *peer, uint32_t incarnation);

void queue_push(struct srd_queue *queue, struct srd_work *work);
/* From the queue that it is in, if any. */
void queue_remove(struct srd_work *work);

/* --- send.c ---------------------------------------------------------------------------------- */

/* End a work request wherever it is. */
void send_end(struct srd_peer *peer, struct srd_work *work, enum srd_status status);
/* The peer took a packet, or refused it. */
void send_answered(struct srd_peer *peer, uint32_t psn, uint64_t now_ns);
void send_refused(struct srd_peer *peer, uint32_t psn, uint8_t status, uint64_t now_ns);
/* Take for lost what must be, end what has waited too long. Returns how much was done. */
unsigned send_time(struct srd_peer *peer, uint64_t now_ns);
/* Send while there is something, and room for it. */
unsigned send_more(struct srd_peer *peer, uint64_t now_ns);
uint64_t send_next_ns(const struct srd_peer *peer);
struct srd_slot *send_slot(struct srd_peer *peer, uint32_t psn);

/* Write a packet's head into header (of SRD_ACK_ROOM bytes) and send it with pieces[1..n). */
void send_packet(struct srd_peer *peer, struct srd_packet *packet, uint8_t *header,
                 struct iovec pieces[], unsigned n);

/* --- receive.c ------------------------------------------------------------------------------- */

void receive_answer(struct srd_peer *peer);

#endif
