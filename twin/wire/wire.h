/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire, inside.
 *
 *   wire.c    ends, carrier, sending and delivering       queue.c   frames in flight
 *   impair.c  what happens to a frame on its way
 *   tap.c udp.c play.c   ends to the outside              record.c  the tap that writes a capture
 *   pcapng.h pcapng_read.c pcapng_write.c  the file format, on its own */
#ifndef TWIN_WIRE_WIRE_H
#define TWIN_WIRE_WIRE_H

#include <stdbool.h>

#include "shunt/wire.h"
#include "src/core/random.h"

#define WIRE_NAME_BYTES   64
#define WIRE_QUEUE_FRAMES 65536
/* Deliveries inside deliveries, beyond which frames wait for the next poll. */
#define WIRE_DEPTH_MOST 8
/* Shorter frames are lengthened by a NIC (IEEE 802.3 3.2.8): 64 bytes less the FCS. */
#define WIRE_FRAME_LEAST_BYTES 60
/* Preamble and start delimiter 8, FCS 4, gap 12 (IEEE 802.3 3.1.1, 4.4.2). */
#define WIRE_FRAME_OVERHEAD_BYTES 24
/* How often idle ends to the outside are looked at, for how long after a frame they count as busy,
 * and how much one look takes at most. */
#define WIRE_LOOK_NS      2000
#define WIRE_LOOK_BUSY_NS 50000
#define WIRE_LOOK_POLLS   64
#define WIRE_LOOK_FRAMES  64

/* ---- queue.c ---- */

#define WIRE_POOL_CLASSES 3

/* A copy of a frame. Its capacity is that of its class. */
struct wire_frame {
  struct wire_frame *next; /* in the pool */
  uint32_t bytes;
  uint8_t size_class;
  uint8_t data[];
};

/* Copies that are not in use, by size: at steady state nothing is allocated. */
struct wire_pool {
  struct wire_frame *free[WIRE_POOL_CLASSES];
};

/* A frame with room for bytes, or NULL. */
struct wire_frame *wire_pool_take(struct wire_pool *pool, uint32_t bytes);
void wire_pool_give(struct wire_pool *pool, struct wire_frame *frame);
void wire_pool_clear(struct wire_pool *pool);

/* Frames in flight towards one end: a heap by due time, and by sequence where that is equal. */
struct wire_queue {
  struct wire_queue_entry {
    uint64_t due_ns;
    uint64_t sequence;
    struct wire_frame *frame;
  } * entries;
  uint32_t count, capacity, most;
};

/* Returns 0, -ENOBUFS (most are in it) or -ENOMEM. */
int wire_queue_put(struct wire_queue *queue, uint64_t due_ns, uint64_t sequence,
                   struct wire_frame *frame);
/* Take out the first; the queue must not be empty. */
struct wire_frame *wire_queue_pop(struct wire_queue *queue);
/* Give back all frames, and then the queue's memory. Returns how many frames there were. */
uint32_t wire_queue_clear(struct wire_queue *queue, struct wire_pool *pool);

/* ---- impair.c ---- */

enum impair_kind {
  IMPAIR_LOSS,
  IMPAIR_DUPLICATE,
  IMPAIR_REORDER,
  IMPAIR_CORRUPT,
  IMPAIR_BIT, /* which one is flipped */
  IMPAIR_JITTER,
  IMPAIR_KINDS,
};

struct impair {
  bool on;
  struct shunt_impairments set;
  struct random_stream streams[IMPAIR_KINDS];
  uint64_t link_free_ns;   /* when the frames before have been sent at rate_bps */
  uint64_t link_remainder; /* of the division that gave it, so that the rate is exact */
  uint64_t last_due_ns;    /* of frames that keep the order */
};

/* What is to happen to one frame. */
struct impair_verdict {
  bool lost, duplicated, reordered, corrupted;
  uint32_t bit; /* to flip, where corrupted */
  uint64_t jitter_ns;
};

void impair_init(struct impair *impair, uint64_t seed, unsigned end_number);
/* Returns 0 or -EINVAL. impairments NULL: nothing happens to frames. */
int impair_set(struct impair *impair, const struct shunt_impairments *impairments,
               struct shunt_error *error);
/* Take one decision of each kind. */
struct impair_verdict impair_decide(struct impair *impair, uint32_t bytes);
/* The time at which a frame arrives, and the state of the link behind it. */
uint64_t impair_due_ns(struct impair *impair, const struct impair_verdict *verdict, uint32_t bytes,
                       uint64_t now_ns);

/* ---- wire.c ---- */

struct wire_record; /* record.c */

/* A frame arrives as it lies with its sender, body where it is, or NULL. What two ends that take
 * frames by the same function leave out between them (a checksum) is theirs to agree on. */
typedef void wire_hand(void *context, const struct iovec *head, const struct iovec *body,
                       uint64_t now_ns);

struct shunt_wire_end {
  struct shunt_wire *wire;
  /* The one end that hears this one, where nothing can happen to a frame between the two and nobody
   * records it; else NULL. */
  struct shunt_wire_end *direct;
  wire_hand *hand; /* NULL: takes whole frames only */
  struct shunt_wire_end_ops ops;
  void *context;
  char name[WIRE_NAME_BYTES];
  unsigned number; /* in the order of attaching; chooses the random streams */
  bool plugged, carrier;
  bool gone;                /* detached, freed when no callback runs any more */
  bool delivering;          /* inside ops.deliver */
  int32_t record_interface; /* in the capture; -1: none yet */
  struct impair impair;
  struct wire_queue queue;
  struct shunt_wire_statistics statistics;
};

struct shunt_wire {
  char name[WIRE_NAME_BYTES];
  uint64_t seed;
  uint32_t queue_frames;
  int64_t epoch_ns;
  struct shunt_wire_end **ends;
  unsigned end_count, end_capacity;
  unsigned ends_ever; /* number of the next end */
  unsigned busy;      /* calls that walk over the ends */
  unsigned depth;     /* deliveries inside deliveries */
  bool polling;
  bool sweep;        /* an end is gone */
  bool doomed;       /* destroyed, freed when no callback runs any more */
  uint64_t sequence; /* of the next frame that is queued */
  struct shunt_impairments impairments;
  bool impaired; /* impairments are for every end that is attached */
  struct wire_pool pool;
  struct wire_record *record;
};

/* Take a caller's options, a struct that begins with its size, into set, which holds the defaults:
 * an older caller's are shorter. options NULL: the defaults.
 *
 * what    failed where the size is wrong: "can't make a wire"
 * Returns 0 or -EINVAL */
int wire_take_options(void *set, size_t set_bytes, const void *options, const char *what,
                      struct shunt_error *error);

/* Let an end take frames so. */
void wire_take_handed(struct shunt_wire_end *end, wire_hand *hand);
/* Hand a frame to the one end that hears this one, inside the call and without a copy. Returns
 * false where there are others, where something may happen to the frame or somebody records it, or
 * where the other end takes no such frames or is at work on one: then it is to be sent. */
bool wire_hand_over(struct shunt_wire_end *end, const struct iovec *head, const struct iovec *body,
                    uint64_t now_ns);

/* Find out anew who hears whom directly: after any change of ends, plugs, impairments, recording.
 */
void wire_update_direct(struct shunt_wire *wire);

/* Seed anew, as if the wire and its ends had been made with this seed. */
void wire_reseed(struct shunt_wire *wire, uint64_t seed);

/* When to look at a file descriptor that costs a system call: see shunt_wire_poll. */
struct wire_look {
  uint64_t next_ns;
  uint64_t busy_until_ns;
  unsigned polls;
};
bool wire_look_due(struct wire_look *look, uint64_t now_ns);
/* After a look: frames is how many there were. */
void wire_look_done(struct wire_look *look, uint64_t now_ns, unsigned frames);

/* ---- record.c ---- */

void wire_record_end_attached(struct shunt_wire *wire, struct shunt_wire_end *end);
void wire_record_frame(struct shunt_wire *wire, const struct shunt_wire_end *end,
                       const struct iovec pieces[], unsigned n, uint64_t now_ns);
void wire_record_poll(struct shunt_wire *wire, uint64_t now_ns);

#endif
