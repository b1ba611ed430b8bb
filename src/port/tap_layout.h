/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory by which a port's frames get to the process that captures them.
 *
 * A memfd of the port's process, sealed against being cut or lengthened: the header's page, then a
 * page for each queue, then a ring of records for each queue.
 *
 *   page 0                  struct tap_header, the port's but for its last word
 *   page 1 + q              struct tap_shared_queue
 *   page 1 + queues, on     the rings, ring_bytes each
 *
 * Either side takes the other for hostile: it keeps its own indices in memory of its own, takes
 * from here only what it can do without (a session, a tail; a head, a record), and looks at that
 * once, by a copy, before it is used. The worst that a reader can do to a port is to miss frames.
 *
 * A ring has one producer, the queue's thread, and one consumer. head and tail count bytes and
 * never wrap. Records begin at multiples of TAP_RECORD_ALIGN and lie in one piece: where one does
 * not fit up to the ring's end, a gap of kind TAP_GAP stands there. The producer writes records,
 * then head with release; the consumer reads head with acquire, copies, then writes tail with
 * release. (shunt/ring.h has elements of one length; frames of 60 to 9000 bytes do not fit it.) */
#ifndef SRC_PORT_TAP_LAYOUT_H
#define SRC_PORT_TAP_LAYOUT_H

#include <assert.h>

#include "shunt/base.h"

#define TAP_MAGIC            UINT64_C(0x0170617474756873) /* "shuttap", 1 */
#define TAP_FILE_NAME        "shunt-capture"
#define TAP_PAGE_BYTES       4096u
#define TAP_RING_BYTES       (UINT64_C(8) << 20) /* 5,000 frames of 1500 bytes, 85,000 of 60 */
#define TAP_RING_BYTES_LEAST TAP_PAGE_BYTES
#define TAP_RING_BYTES_MOST  (UINT64_C(1) << 30)
#define TAP_QUEUES_MOST      128u
#define TAP_RECORD_ALIGN     32u
#define TAP_SNAPLEN_MOST     16384u /* more than the longest frame: the 82599's 15.5 KB */

/* Records' kinds, and the bits of tap_shared_queue.directions. */
#define TAP_RX  1u /* the NIC gave it */
#define TAP_TX  2u /* the NIC was given it */
#define TAP_GAP 3u /* nothing; bytes says up to where */

struct tap_header {
  uint64_t magic;
  uint64_t bytes; /* of all */
  uint64_t ring_bytes;
  uint32_t queues;
  uint32_t pid; /* of the port's process, as it knows itself */
  char name[192];
  char driver[32];
  char device[96];
  char path[96];
  uint8_t model;
  uint8_t pad[3];
  uint32_t closed; /* the port is gone; nothing more will come */
  uint32_t reader; /* the consumer's: its process */
};
static_assert(sizeof(struct tap_header) <= 512, "well within its page");

struct tap_shared_queue {
  /* The consumer's. session is read by each verb; the others when it has changed. */
  uint32_t session; /* 0: nobody is there */
  uint32_t snaplen;
  uint32_t directions;
  uint32_t sessions; /* how many there were: the next one's number is another */
  uint8_t pad_session[SHUNT_CACHE_LINE_BYTES - 16];
  /* The consumer's, too. */
  uint64_t tail;
  uint8_t pad_tail[SHUNT_CACHE_LINE_BYTES - 8];
  /* The producer's. */
  uint64_t head;
  uint64_t dropped[2]; /* frames for which there was no room, since the port was opened: Rx, Tx */
  uint32_t given_up;   /* the session that has read nothing for too long while the ring was full */
  uint8_t pad_head[SHUNT_CACHE_LINE_BYTES - 28];
  uint8_t pad[TAP_PAGE_BYTES - 3 * SHUNT_CACHE_LINE_BYTES];
};
static_assert(sizeof(struct tap_shared_queue) == TAP_PAGE_BYTES, "a page");
static_assert(offsetof(struct tap_shared_queue, tail) == SHUNT_CACHE_LINE_BYTES, "a line each");
static_assert(offsetof(struct tap_shared_queue, head) == 2 * SHUNT_CACHE_LINE_BYTES, "likewise");

struct tap_record {
  uint32_t bytes; /* to the next record: a multiple of TAP_RECORD_ALIGN */
  uint16_t kind;
  uint16_t session; /* low bits of that which it was recorded for: a burst may still have been
                       under way when the next one began */
  uint32_t captured_bytes; /* that follow this record */
  uint32_t original_bytes;
  uint64_t time_ns;     /* of the burst: the port's clock, as Unix time */
  uint64_t nic_time_ns; /* the NIC's own stamp; 0: none */
};
static_assert(sizeof(struct tap_record) == TAP_RECORD_ALIGN, "a gap has always room for one");

static inline uint64_t tap_ring_offset(uint32_t queues, uint64_t ring_bytes, uint32_t queue)
{
  return (UINT64_C(1) + queues) * TAP_PAGE_BYTES + queue * ring_bytes;
}

static inline uint64_t tap_bytes(uint32_t queues, uint64_t ring_bytes)
{
  return tap_ring_offset(queues, ring_bytes, queues);
}

/* How much of the ring a record of so many captured bytes takes. */
static inline uint32_t tap_record_bytes(uint32_t captured_bytes)
{
  return (uint32_t)sizeof(struct tap_record) +
         ((captured_bytes + TAP_RECORD_ALIGN - 1) & ~(TAP_RECORD_ALIGN - 1));
}

#endif
