/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire: carries frames between twins, and between twins and the outside.
 *
 * A wire is a shared segment with any number of ends: what one end sends reaches every other end.
 * Ends are twins, a TAP interface, a pcapng file that is played, a UDP tunnel to another process,
 * or the caller's own code (a generator, a test).
 *
 * A frame that is due at once is delivered inside the sender's call, from the sender's memory, with
 * no copy kept (of several pieces one is made, to put them together). A frame that is late, or
 * that has been changed, is copied and waits for a later shunt_wire_poll. Frames keep their order
 * at each end, except for those that the reorder impairment holds back.
 *
 * Every random decision comes from the wire's seed, and time is what the caller passes in, so the
 * same calls give the same losses, on a real clock or a virtual one.
 *
 * Callbacks may call anything here. No end is called to deliver a frame while it is still at work
 * on another: what two ends send each other in answer to each other waits for the next poll, so an
 * echo of an echo neither overflows the stack nor keeps a poll from returning.
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
  int64_t epoch_ns;      /* Unix time of the clock's zero, for the times in a capture */
};

/* A wire without ends.
 *
 * Owner   the caller, until shunt_wire_destroy
 * Returns 0, -EINVAL (options of another size), -ENOMEM */
int shunt_wire_create(const struct shunt_wire_options *options, struct shunt_wire **wire,
                      struct shunt_error *error);
/* Detaches all ends and ends the recording; what is in flight is gone. NULL is fine. From a
 * callback of the same wire it takes effect when the outermost call on the wire ends. */
void shunt_wire_destroy(struct shunt_wire *wire);

/* --- Ends ------------------------------------------------------------------------------------- */

struct shunt_wire_end_ops {
  /* A frame arrives. frame is valid during the call only. */
  void (*deliver)(void *context, const void *frame, uint32_t bytes, uint64_t now_ns);
  /* Carrier changed (an end was joined or cut, or the peer came or went). May be NULL. An end
   * begins without carrier; where others are plugged in, the first call comes from attach. */
  void (*carrier)(void *context, int up);
  /* The end's own turn: fetch from the outside, or from descriptor rings. May be NULL.
   * Returns how much was done. */
  unsigned (*poll)(void *context, uint64_t now_ns);
  /* When poll will next have something to do that only time brings; UINT64_MAX: never. May be
   * NULL, which says the same. */
  uint64_t (*next_ns)(void *context);
  /* The end is detached, or the wire destroyed: the last call, after which context may go. It comes
   * when no other callback of the wire runs: inside detach, or where that was called from a
   * callback, when the outermost call on the wire ends. May be NULL. */
  void (*detached)(void *context);
};

/* Plug in an end of the caller's own.
 *
 * name    for captures and messages; copied
 * ops     copied; deliver must be there
 * end     set before the first callback
 * Owner   the wire; shunt_wire_detach or shunt_wire_destroy ends it
 * Returns 0, -EINVAL (no deliver), -ENOMEM */
int shunt_wire_attach(struct shunt_wire *wire, const char *name,
                      const struct shunt_wire_end_ops *ops, void *context,
                      struct shunt_wire_end **end, struct shunt_error *error);
/* Unplug an end for good. What is in flight towards it is gone. NULL is fine. */
void shunt_wire_detach(struct shunt_wire_end *end);
const char *shunt_wire_end_name(const struct shunt_wire_end *end);

/* Send one frame (without FCS), gathered from pieces.
 *
 * now_ns  never less than at an earlier call on this wire
 * Returns 0, or -EMSGSIZE (over SHUNT_WIRE_FRAME_BYTES or empty), -ENETDOWN (this end is cut). What
 * the impairments do to it is not an error: it shows in the statistics of the ends it goes to. */
int shunt_wire_send(struct shunt_wire_end *end, const struct iovec pieces[], unsigned n,
                    uint64_t now_ns);

/* Pull the cable at one end, or plug it in. Ends begin plugged in. An end has carrier while it is
 * plugged in and at least one other end is. What is in flight towards an end that is cut is gone
 * (no_carrier). */
void shunt_wire_cut(struct shunt_wire_end *end);
void shunt_wire_join(struct shunt_wire_end *end);
int shunt_wire_carrier(const struct shunt_wire_end *end);

/* Give every end its turn and deliver what is due. Returns how much was done; 0: idle.
 *
 * Ends to the outside (TAP, UDP) cost a system call to look at. For 50 us after a frame they are
 * looked at in every poll, so an exchange over them is not delayed; then, being idle, only every
 * 2 us of the caller's time, or every 64 polls where that stands still. */
unsigned shunt_wire_poll(struct shunt_wire *wire, uint64_t now_ns);

/* When the next frame in flight is due, or an end's next_ns says so; UINT64_MAX: nothing will come
 * by itself. Lets a virtual clock jump. */
uint64_t shunt_wire_next_ns(const struct shunt_wire *wire);

/* --- Impairments ---------------------------------------------------------------------------- */

/* In this order: a frame takes its time at rate_bps behind those before it, is lost or not, gets
 * one bit flipped or not, waits delay_ns and jitter_ns, is held back or not, and a duplicate comes
 * right behind it as an equal copy. Each decision about a frame comes from a stream of random
 * numbers of its own, for each end and each kind: which frames are lost under a seed does not
 * depend on what else is turned on. */
struct shunt_impairments {
  size_t size;        /* sizeof(struct shunt_impairments) */
  uint64_t delay_ns;  /* of every frame */
  uint64_t jitter_ns; /* added, uniform in 0..jitter_ns; keeps the order */
  uint64_t rate_bps;  /* bits per second; a frame counts as at least 60 bytes, and 24 more for
                         preamble, FCS and gap (IEEE 802.3 4.4.2); 0: no limit */
  double loss;        /* probabilities, 0..1 */
  double duplicate;
  double reorder;      /* held back by reorder_ns, so that later frames overtake it */
  uint64_t reorder_ns; /* 0: 100 us */
  double corrupt;      /* one random bit is flipped */
};

/* No impairment's time may be longer: one hour. */
#define SHUNT_IMPAIRMENT_MAX_NS UINT64_C(3600000000000)

/* What happens to frames on their way to this end; those in flight keep their time. NULL: nothing.
 *
 * Returns 0, or -EINVAL (the error names the value and its range) */
int shunt_wire_impair(struct shunt_wire_end *end, const struct shunt_impairments *impairments,
                      struct shunt_error *error);
/* The same for every end of a wire, also those that are attached later. */
int shunt_wire_impair_all(struct shunt_wire *wire, const struct shunt_impairments *impairments,
                          struct shunt_error *error);

/* What an end has seen. Always, of one end:
 *   offered + duplicated == delivered + lost + overflowed + no_carrier + in_flight */
struct shunt_wire_statistics {
  size_t size;                         /* set by the caller */
  uint64_t sent, sent_bytes;           /* by this end */
  uint64_t offered;                    /* sent by others, so meant for this end */
  uint64_t delivered, delivered_bytes; /* to this end */
  uint64_t lost;                       /* by the loss impairment */
  uint64_t duplicated, reordered, corrupted;
  uint64_t delayed;    /* due later than they were sent */
  uint64_t overflowed; /* queue_frames reached, or no memory */
  uint64_t no_carrier; /* sent to this end while it was cut, or on the way when it was */
  uint64_t in_flight;  /* now */
  /* Ends to the outside alone: */
  uint64_t outside_oversized; /* came from outside, longer than the wire carries, or empty */
  uint64_t outside_foreign;   /* datagrams of someone who is not the tunnel's peer */
  uint64_t outside_refused;   /* delivered to this end, but not taken by the outside: queue full,
                                 interface down, too long for its MTU, peer absent */
  uint64_t outside_errors;    /* failed reads: the interface has vanished, the file has changed */
};
void shunt_wire_statistics(const struct shunt_wire_end *end,
                           struct shunt_wire_statistics *statistics);

/* --- Ends to the outside -------------------------------------------------------------------- */

/* The longest MTU of a TAP interface whose frames fit on a wire, and the one it gets unasked: that
 * of jumbo frames. */
#define SHUNT_TAP_MTU_MAX     (SHUNT_WIRE_FRAME_BYTES - 18)
#define SHUNT_TAP_MTU_DEFAULT 9000

struct shunt_tap_options {
  size_t size;
  uint32_t mtu; /* 68..SHUNT_TAP_MTU_MAX; 0: the default where the interface is made here, else as
                   it is */
};

/* A TAP interface of that name, brought up: made if it does not exist (needs CAP_NET_ADMIN), gone
 * at detach if it was made here. What the kernel sends on it enters the wire, lengthened to 60
 * bytes as a NIC would, and the reverse. The interface has carrier while the end has. An interface
 * that is taken away under the wire leaves the end cut.
 *
 * options NULL: the defaults
 * Returns 0, -EPERM (the remedy says which capability), -ENOENT (no /dev/net/tun), -EBUSY, -EINVAL
 *         (name or MTU, or an interface of another kind) */
int shunt_wire_tap(struct shunt_wire *wire, const char *interface,
                   const struct shunt_tap_options *options, struct shunt_wire_end **end,
                   struct shunt_error *error);

/* A tunnel to a wire in another process or machine: each frame is one UDP datagram. What comes
 * while nobody polls waits in the socket: 4 MiB, or what net.core.rmem_max allows a process without
 * CAP_NET_ADMIN.
 *
 * local, remote  "address:port", IPv4 or "[IPv6]:port", both of one kind, in numbers. Datagrams
 *                from elsewhere are dropped and counted. The peer may come and go: the end stays
 *                plugged in
 * Returns 0, -EINVAL, -EADDRINUSE, -EADDRNOTAVAIL */
int shunt_wire_udp(struct shunt_wire *wire, const char *local, const char *remote,
                   struct shunt_wire_end **end, struct shunt_error *error);

/* Record all that is sent on the wire into a pcapng file, nanosecond times, one interface an end.
 * An existing file is replaced. What is written reaches the file within 100 ms of polls. A write
 * that fails ends the recording, not the wire.
 * Returns 0, -EBUSY (it is being recorded already) or the errno of open. */
int shunt_wire_record(struct shunt_wire *wire, const char *path, struct shunt_error *error);
/* End the recording and close the file; shunt_wire_destroy does the same.
 * Returns 0, also where nothing was recorded, or the errno of the first write that failed. */
int shunt_wire_record_end(struct shunt_wire *wire, struct shunt_error *error);

struct shunt_play_options {
  size_t size;
  double speed;      /* 1: with its own timing; 2: twice as fast; 0: as fast as it goes */
  uint32_t loops;    /* 0: once */
  uint64_t delay_ns; /* from the first poll at which its end has carrier to the first frame */
};
/* Play a pcapng (or pcap) file onto the wire, from the first poll at which its end has carrier.
 * Frames of less than 60 bytes are lengthened to that with zeros, as a NIC would send them; of one
 * that was captured in part, the part is played. The whole file is read once here to check it, and
 * again as it is played, so it must be a file that can be rewound.
 *
 * options  NULL: once, with its own timing
 * Returns  0, -ENOENT..., -EINVAL (speed), -ESPIPE (a pipe), -ENODATA (no frames), -EBADMSG (not
 *          such a file, or not of Ethernet: the error says at which byte and why) */
int shunt_wire_play(struct shunt_wire *wire, const char *path,
                    const struct shunt_play_options *options, struct shunt_wire_end **end,
                    struct shunt_error *error);
/* Frames of a played file that are still to come. */
uint64_t shunt_wire_play_left(const struct shunt_wire_end *end);

SHUNT_END_DECLS

#endif
