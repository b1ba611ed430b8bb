/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire: carries frames between twins, and between twins and the outside.
 *
 * A wire is a shared segment with any number of ends: what one end sends reaches every other end.
 * Ends are twins, a TAP interface, a pcapng file that is played, a UDP tunnel to another process,
 * or the caller's own code (a generator, a test). Without impairments a frame is delivered inside
 * the sender's call, from the sender's memory, with no copy kept; with them it is copied and waits
 * for its time.
 *
 * Every random decision comes from the wire's seed, and time is what the caller passes in, so the
 * same calls give the same losses, on a real clock or a virtual one.
 *
 * Thread: a wire and all its ends belong to one thread. */
#ifndef SHUNT_WIRE_H
#define SHUNT_WIRE_H

#include <sys/uio.h>

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

struct shunt_wire;
struct shunt_wire_end;

/* Longest frame that a wire carries, without FCS: the 82599's 15.5 KB jumbo limit. */
#define SHUNT_WIRE_FRAME_BYTES 15872

struct shunt_wire_options {
  size_t size;           /* sizeof(struct shunt_wire_options) */
  const char *name;      /* for messages and captures; NULL: "wire" */
  uint64_t seed;         /* of all impairments; 0 is a seed like any other */
  uint32_t queue_frames; /* frames in flight that a receiving end may have; 0: 65536 */
};

int shunt_wire_create(const struct shunt_wire_options *options, struct shunt_wire **wire,
                      struct shunt_error *error);
/* Detaches all ends; what is in flight is gone (and counted as lost at close). NULL is fine. */
void shunt_wire_destroy(struct shunt_wire *wire);

/* --- Ends ------------------------------------------------------------------------------------- */

struct shunt_wire_end_ops {
  /* A frame arrives. frame is valid during the call only. Must not destroy the wire. It may send.
   */
  void (*deliver)(void *context, const void *frame, uint32_t bytes, uint64_t now_ns);
  /* Carrier changed (an end was joined or cut, or the peer came or went). May be NULL. */
  void (*carrier)(void *context, int up);
  /* The end's own turn: fetch from the outside, or from descriptor rings. May be NULL.
   * Returns how much was done. */
  unsigned (*poll)(void *context, uint64_t now_ns);
  /* The wire is being destroyed, or the end detached. May be NULL. */
  void (*detached)(void *context);
};

int shunt_wire_attach(struct shunt_wire *wire, const char *name,
                      const struct shunt_wire_end_ops *ops, void *context,
                      struct shunt_wire_end **end, struct shunt_error *error);
void shunt_wire_detach(struct shunt_wire_end *end);

/* Send one frame (without FCS), gathered from pieces.
 *
 * Returns 0, or -EMSGSIZE (over SHUNT_WIRE_FRAME_BYTES or empty), -ENETDOWN (this end is cut). What
 * the impairments do to it is not an error: it shows in the statistics. */
int shunt_wire_send(struct shunt_wire_end *end, const struct iovec pieces[], unsigned n,
                    uint64_t now_ns);

/* Pull the cable at one end, or plug it in. Ends begin plugged in. An end has carrier while it is
 * plugged in and at least one other end is. */
void shunt_wire_cut(struct shunt_wire_end *end);
void shunt_wire_join(struct shunt_wire_end *end);
int shunt_wire_carrier(const struct shunt_wire_end *end);

/* Give every end its turn and deliver what is due. Returns how much was done; 0: idle. */
unsigned shunt_wire_poll(struct shunt_wire *wire, uint64_t now_ns);

/* When the next frame in flight is due, or UINT64_MAX: lets a virtual clock jump. */
uint64_t shunt_wire_next_ns(const struct shunt_wire *wire);

/* --- Impairments ---------------------------------------------------------------------------- */

struct shunt_impairments {
  size_t size;        /* sizeof(struct shunt_impairments) */
  uint64_t delay_ns;  /* of every frame */
  uint64_t jitter_ns; /* added, uniform in 0..jitter_ns; keeps the order */
  uint64_t rate_bps;  /* bits per second with preamble, FCS and gap (24 bytes); 0: no limit */
  double loss;        /* probabilities, 0..1 */
  double duplicate;
  double reorder;      /* held back by reorder_ns, so that later frames overtake it */
  uint64_t reorder_ns; /* 0: 100 us */
  double corrupt;      /* one random bit is flipped */
};
/* What happens to frames on their way to this end. NULL: nothing. Returns 0 or -EINVAL. */
int shunt_wire_impair(struct shunt_wire_end *end, const struct shunt_impairments *impairments,
                      struct shunt_error *error);

struct shunt_wire_statistics {
  size_t size;                         /* set by the caller */
  uint64_t sent, sent_bytes;           /* by this end */
  uint64_t delivered, delivered_bytes; /* to this end */
  uint64_t lost;                       /* by the loss impairment */
  uint64_t duplicated, reordered, corrupted, delayed;
  uint64_t overflowed; /* queue_frames reached, or no memory */
  uint64_t no_carrier; /* sent to this end while it was cut */
  uint64_t in_flight;  /* now */
};
void shunt_wire_statistics(const struct shunt_wire_end *end,
                           struct shunt_wire_statistics *statistics);

/* --- Ends to the outside -------------------------------------------------------------------- */

/* A TAP interface of that name: made if it does not exist (needs CAP_NET_ADMIN), gone at detach if
 * it was made here. What the kernel sends on it enters the wire, and the reverse.
 *
 * Returns 0, -EPERM (the remedy says which capability), -EBUSY, -EINVAL (name) */
int shunt_wire_tap(struct shunt_wire *wire, const char *interface, struct shunt_wire_end **end,
                   struct shunt_error *error);

/* A tunnel to a wire in another process or machine: each frame is one UDP datagram.
 *
 * local, remote  "address:port", IPv4 or "[IPv6]:port". Datagrams from elsewhere are dropped and
 *                counted
 * Returns 0, -EINVAL, -EADDRINUSE, -EADDRNOTAVAIL */
int shunt_wire_udp(struct shunt_wire *wire, const char *local, const char *remote,
                   struct shunt_wire_end **end, struct shunt_error *error);

/* Record all that is sent on the wire into a pcapng file, nanosecond times, one interface an end.
 * An existing file is replaced. Ends with shunt_wire_destroy, which flushes it.
 * Returns 0 or the errno of open. */
int shunt_wire_record(struct shunt_wire *wire, const char *path, struct shunt_error *error);

struct shunt_play_options {
  size_t size;
  double speed;   /* 1: with its own timing; 2: twice as fast; 0: as fast as it goes */
  uint32_t loops; /* 0: once */
};
/* Play a pcapng (or pcap) file onto the wire. Returns 0, or -ENOENT..., -EBADMSG (not such a file:
 * the error says at which byte and why). */
int shunt_wire_play(struct shunt_wire *wire, const char *path,
                    const struct shunt_play_options *options, struct shunt_wire_end **end,
                    struct shunt_error *error);
/* Frames of a played file that are still to come. */
uint64_t shunt_wire_play_left(const struct shunt_wire_end *end);

SHUNT_END_DECLS

#endif
