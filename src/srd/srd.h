/* SPDX-License-Identifier: BSD-2-Clause */
/* Scalable reliable datagrams: each message arrives at most once, its sender learns what became of
 * it, and messages arrive in no particular order.
 *
 * A node has one reliability context a peer, made at the first message either way; queue pairs
 * share it. Packets are spread over several paths. What is lost is sent again over another, and
 * what is sent follows the delivery rate and the delay that the peer's answers show.
 *
 * The engine does no I/O, has no thread and allocates nothing but contexts: whoever hosts it (the
 * twin of EFA, a port) hands in frames and the time, and is called back through srd_ops. With the
 * same seed, calls and times it does the same. docs/srd.md has the packet format and the reasons.
 *
 * Thread: one at a time, callbacks included. A callback may call srd_post, and from transmit and
 * hand the peer's answer may come back through srd_receive; nothing else may be called from
 * callbacks. */
#ifndef SRC_SRD_SRD_H
#define SRC_SRD_SRD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shunt/error.h"
#include "shunt/ethernet.h"

#define SRD_MTU_LEAST  256u
#define SRD_MTU_MOST   15360u
#define SRD_PATHS_MOST 64u
/* Pieces of memory that one packet's data may consist of. */
#define SRD_PIECES_MOST 12u
#define SRD_FOR_EVER    7u

struct srd;
struct srd_peer;
struct srd_queue;

/* Who a node is: an IPv6 address, on the wire too. */
struct srd_gid {
  uint8_t bytes[16];
};

/* The link-local address that IPv6 makes of a MAC address (RFC 4291 2.5.6, appendix A), and back:
 * false where it was not made so. */
struct srd_gid srd_gid_of_mac(struct shunt_mac mac);
bool srd_gid_to_mac(const struct srd_gid *gid, struct shunt_mac *mac);

/* What became of a message, or what a responder says of a packet. The values are those of EFA's
 * completions (hw/efa_desc.h), where each is described. */
enum srd_status {
  SRD_OK = 0,
  SRD_FLUSHED = 1,
  SRD_INVALID_LKEY = 5,
  SRD_REMOTE_BAD_ADDRESS = 7,
  SRD_REMOTE_ABORT = 8,
  SRD_REMOTE_BAD_DEST_QPN = 9,
  SRD_REMOTE_RNR = 10,
  SRD_REMOTE_BAD_LENGTH = 11,
  SRD_REMOTE_BAD_STATUS = 12,
  SRD_UNRESPONSIVE = 13,
  SRD_REMOTE_UNKNOWN_PEER = 14,
  SRD_UNREACHABLE = 15,
  SRD_REMOTE_FEATURE_MISMATCH = 18,
};

enum srd_op { SRD_SEND = 0, SRD_READ = 1, SRD_WRITE = 2 };

/* A message to be sent, or memory to be read or written over there. */
struct srd_work {
  /* The caller's, set before srd_post and left alone until done: */
  struct srd_peer *peer;
  enum srd_op op;
  bool has_immediate;  /* of SEND and WRITE */
  uint8_t rnr_retries; /* 0..6 times, SRD_FOR_EVER */
  uint16_t source_qpn, destination_qpn;
  uint32_t qkey;
  uint32_t immediate;
  uint32_t bytes; /* SEND: at most the node's mtu */
  uint32_t rkey;
  uint64_t remote_address;

  /* The engine's: */
  struct srd_work *next;
  struct srd_queue *queue; /* where it waits, or NULL */
  uint64_t posted_ns;
  uint64_t due_ns;
  uint32_t next_offset; /* of what was not put into a packet yet */
  uint32_t unanswered;  /* packets in flight */
  uint8_t rnr_seen;
  bool begun;
  bool immediate_sent; /* behind a write of several packets, in one of its own */
};

/* What arrived, as a responder sees it. */
struct srd_arrival {
  const struct srd_gid *source; /* whose */
  uint16_t source_qpn, qpn;
  uint32_t qkey;
  enum srd_op op;
  bool has_immediate;
  uint32_t immediate;
  uint32_t bytes; /* of the whole message */
};

struct srd_ops {
  /* Put a frame (without FCS) on the wire. It may get lost. */
  void (*transmit)(void *context, const struct iovec pieces[], unsigned n);

  /* Where bytes [offset, +bytes) of a message are now. Asked again at each retransmission.
   * Returns SRD_OK, or what the work request ends with. *n: how many pieces, at most
   * SRD_PIECES_MOST. */
  enum srd_status (*source)(void *context, const struct srd_work *work, uint32_t offset,
                            uint32_t bytes, struct iovec pieces[], unsigned *n);
  /* What was read has come. Returns as source does. */
  enum srd_status (*place)(void *context, const struct srd_work *work, uint32_t offset,
                           const void *data, uint32_t bytes);
  /* The end of a work request. It is the caller's again. */
  void (*done)(void *context, struct srd_work *work, enum srd_status status);

  /* A message for a queue pair, in data; or, behind an RDMA write, its immediate (data NULL).
   * Returns SRD_OK (taken: it will not come again) or why not. */
  enum srd_status (*receive)(void *context, const struct srd_arrival *arrival, const void *data);
  /* Somebody writes to, or reads from, memory here. */
  enum srd_status (*write)(void *context, const struct srd_arrival *arrival, uint32_t rkey,
                           uint64_t address, const void *data, uint32_t bytes);
  enum srd_status (*read)(void *context, const struct srd_arrival *arrival, uint32_t rkey,
                          uint64_t address, uint32_t bytes, struct iovec pieces[], unsigned *n);
  /* An unreliable datagram for a queue pair. */
  void (*datagram)(void *context, const struct srd_arrival *arrival, const void *data);

  /* Hand a frame to another node of this process, as it is and at once, where that node is the only
   * one to hear it: head is its headers, without a checksum; data where it is here, or NULL.
   * Returns false where it must be transmitted. May be NULL. */
  bool (*hand)(void *context, const struct iovec *head, const struct iovec *data);
};

struct srd_options {
  struct shunt_mac mac;
  struct srd_gid gid;
  uint32_t incarnation; /* of two lives of the same node the later has the larger (modulo 2^32) */
  uint64_t seed;
  uint32_t mtu;         /* most bytes of data in a packet, SRD_MTU_LEAST..SRD_MTU_MOST */
  uint32_t paths;       /* 1..SRD_PATHS_MOST; 0: 8 */
  uint32_t peers;       /* most contexts; 0: 4096 */
  uint64_t give_up_ns;  /* without an answer a work request fails; 0: 4 s */
  uint64_t rnr_wait_ns; /* before a receiver that was not ready is tried again; 0: 100 us */
};

struct srd_statistics {
  uint64_t tx_packets, tx_bytes; /* with data; bytes of data alone */
  uint64_t rx_packets, rx_bytes;
  uint64_t acks_sent, acks_received;
  uint64_t retransmitted_packets, retransmitted_bytes;
  uint64_t timeouts;     /* a packet was taken for lost because time had passed */
  uint64_t fast_repairs; /* ... because later ones on its path had arrived */
  uint64_t spurious;     /* retransmissions of what had arrived */
  uint64_t rnr_received, rnr_sent;
  uint64_t unresponsive, unreachable; /* work requests that ended so */
  uint64_t impaired_paths;            /* how often a path was given up for a while */
  uint64_t restarts;                  /* peers that came back with a new life */
  /* Frames that were dropped, by cause: */
  uint64_t malformed, bad_checksum, not_for_us, stale, beyond_window, no_room, duplicates;
};

int srd_create(const struct srd_options *options, const struct srd_ops *ops, void *context,
               struct srd **srd, struct shunt_error *error);
/* No callback comes from here, nor from srd_restart: outstanding work is simply forgotten. */
void srd_destroy(struct srd *srd);
/* A new life: no peers, no work, counters at zero. incarnation must be larger than before. */
void srd_restart(struct srd *srd, uint32_t incarnation);

/* The context of a peer, made if need be. It lives as long as the node.
 * Returns NULL where there is no room. */
struct srd_peer *srd_peer(struct srd *srd, const struct srd_gid *gid);
const struct srd_gid *srd_peer_gid(const struct srd_peer *peer);

/* Begin. The work request is the engine's until done, which does not come from within. */
void srd_post(struct srd_work *work, uint64_t now_ns);
/* Send an unreliable datagram at once. */
void srd_datagram(struct srd *srd, const struct srd_gid *to, const struct srd_work *work);

/* End all work that match says, with this status. */
void srd_cancel(struct srd *srd, bool (*match)(void *context, const struct srd_work *work),
                void *context, enum srd_status status);

/* A frame came off the wire. Returns false where it is none of the engine's (another ethertype or
 * port); it was not counted then. */
bool srd_receive(struct srd *srd, const void *frame, uint32_t bytes, uint64_t now_ns);
/* A frame comes from another node's hand. */
void srd_receive_handed(struct srd *srd, const struct iovec *head, const struct iovec *data,
                        uint64_t now_ns);

/* Send what may be sent, answer what has come, and do what is due. Returns how much was done. */
unsigned srd_poll(struct srd *srd, uint64_t now_ns);
/* When srd_poll will next have something to do by itself; UINT64_MAX: never. */
uint64_t srd_next_ns(const struct srd *srd);

const struct srd_statistics *srd_statistics(const struct srd *srd);

#endif
