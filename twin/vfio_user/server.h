/* SPDX-License-Identifier: BSD-2-Clause */
/* The vfio-user server from the inside.
 *
 *   server.c    the socket, clients that come and go, turns, counters
 *   stream.c    bytes and descriptors of a connection: whole messages in, replies out
 *   messages.c  what each command does
 *   dma.c       the client's memory
 *   irqs.c      the client's eventfds
 *
 * A fault that leaves the connection usable is counted and answered with an errno; one that does
 * not (a length that can't be, a deadline that passed) is counted and ends the connection. */
#ifndef TWIN_VFIO_USER_SERVER_H
#define TWIN_VFIO_USER_SERVER_H

#include <stdbool.h>
#include <sys/un.h>

#include "hw/vfio_user.h"
#include "shunt/vfio_user.h"
#include "src/vfio_user/capabilities.h"
#include "twin/vfio_user/dma.h"
#include "twin/vfio_user/irqs.h"

#define SERVER_MSG_FDS       16u    /* QEMU refuses a server that takes more */
#define SERVER_XFER_BYTES    65536u /* most data of one access */
#define SERVER_MESSAGE_BYTES (sizeof(struct vfio_user_header) + 16 + SERVER_XFER_BYTES)

/* What was done. "refused" clients came while others were served; "unheard" interrupts are those
 * that nobody has set an eventfd for. */
#define SERVER_DONE(X)                                                                             \
  X(clients)                                                                                       \
  X(refused)                                                                                       \
  X(messages)                                                                                      \
  X(reads)                                                                                         \
  X(writes)                                                                                        \
  X(posted_writes)                                                                                 \
  X(write_multis)                                                                                  \
  X(dma_maps)                                                                                      \
  X(dma_unmaps)                                                                                    \
  X(set_irqs)                                                                                      \
  X(resets)                                                                                        \
  X(interrupts)                                                                                    \
  X(interrupts_unheard)

/* What clients did wrong. The first group ends the connection. */
#define SERVER_FAULTS(X)                                                                           \
  X(bad_length)      /* of a message: shorter than a header, or longer than agreed */              \
  X(bad_type)        /* a reply, though nothing was asked */                                       \
  X(bad_version)     /* no VERSION first, another major version, JSON that is none */              \
  X(too_many_fds)    /* more descriptors than agreed */                                            \
  X(stalled)         /* the rest of a message did not come in time, or no VERSION did */           \
  X(unread)          /* replies were not taken in time */                                          \
  X(vanished)        /* the connection ended inside a message */                                   \
  X(bad_command)     /* unknown, or not agreed on */                                               \
  X(bad_payload)     /* too short or too long for its command, or a field that can't be */         \
  X(bad_access)      /* outside a region, or to no region */                                       \
  X(bad_irq)         /* no such interrupt, or an action that it does not know */                   \
  X(bad_fd)          /* of the wrong kind: no eventfd, no memory */                                \
  X(unexpected_fds)  /* with a command that takes none, or not so many */                          \
  X(dma_refused)     /* memory that overlaps, wraps, lies outside its file, or is too much */      \
  X(interrupts_full) /* eventfds that took no more */

struct server_counters {
#define SERVER_COUNTER(name) uint64_t name;
  SERVER_DONE(SERVER_COUNTER)
  SERVER_FAULTS(SERVER_COUNTER)
#undef SERVER_COUNTER
};

/* A connection. */
struct stream {
  int fd; /* -1: none */
  /* Received: in[in_at, in_end), which begins with a message. */
  uint8_t *in;
  size_t in_at, in_end;
  /* Descriptors that came with the bytes before fds_end, and belong to the last message that begins
   * there. */
  unsigned fd_count;
  int fds[SERVER_MSG_FDS];
  size_t fds_end;
  /* A reply that the socket did not take: out[out_at, out_end), and a descriptor beside its first
   * byte (the model's own; -1: none). */
  uint8_t *out;
  size_t out_at, out_end;
  int out_fd;
};

/* A socket, which several servers may share. */
struct server_socket {
  unsigned servers, busy;        /* those with a client */
  struct shunt_vfio_user *maker; /* NULL: gone. It looks after who comes while all are busy */
  int next;                      /* a client that waits for one of them; -1: none ... */
  uint64_t next_ns;              /* ... but no longer than this */
};

struct shunt_vfio_user {
  struct shunt_model *model;
  struct shunt_clock clock;
  const struct shunt_log *log;
  uint64_t wait_ns; /* options.deadline_ns */
  bool no_areas;

  struct sockaddr_un address;
  dev_t socket_device; /* of the file that we have made */
  ino_t socket_inode;  /* 0: none yet */
  int epoll, listener;
  struct server_socket *shared;
  uint64_t look_ns; /* when to see next whether somebody waits */

  struct stream stream;
  bool agreed; /* on a version */
  struct capabilities peer;
  uint64_t deadline_ns; /* UINT64_MAX: none runs */
  uint32_t watched;     /* events that epoll waits for on the connection */

  struct dma dma;
  struct irqs irqs;
  struct server_counters counters;
  char last_fault[192];
};

/* A whole message. Descriptors that a handler takes it sets to -1; the others are closed. */
struct message {
  struct vfio_user_header header;
  const uint8_t *payload;
  uint32_t bytes; /* of the payload */
  unsigned fd_count;
  int fds[SERVER_MSG_FDS];
};

enum stream_result {
  STREAM_NOTHING, /* no whole message is there, and nothing more to be read */
  STREAM_MESSAGE,
  STREAM_ENDED, /* by the client, between two messages */
  STREAM_FAULT, /* counted already */
};

/* --- stream.c ------------------------------------------------------------------------------- */

int stream_create(struct stream *stream);
void stream_destroy(struct stream *stream);
/* Close the connection, and forget all that came by it. */
void stream_close(struct stream *stream);

/* The next whole message. Reads from the socket where none is there yet, but only while *reading
 * says that this may be, and so once in a turn. payload is valid until the next call. */
enum stream_reading { READING_MAY, READING_EMPTY, READING_DONE };
enum stream_result stream_next(struct shunt_vfio_user *server, struct message *message,
                               enum stream_reading *reading);
void message_release(struct message *message);

/* Whether a message has begun and is not whole; whether a reply waits for room. */
bool stream_is_inside(const struct stream *stream);
bool stream_is_full(const struct stream *stream);

/* Send a reply: header and payload, and fd beside it (-1: none). What the socket does not take is
 * kept, so call it only where stream_is_full says no. A connection that is broken is found by the
 * next read. */
void stream_reply(struct stream *stream, const struct vfio_user_header *header, const void *payload,
                  uint32_t bytes, int fd);
void stream_flush(struct stream *stream);

/* --- messages.c ----------------------------------------------------------------------------- */

/* Do what a message asks for, and reply where it wants that. Returns whether the connection may go
 * on. */
bool server_handle(struct shunt_vfio_user *server, struct message *message);

/* --- server.c ------------------------------------------------------------------------------- */

/* Count a fault, and say it in words. */
void server_fault(struct shunt_vfio_user *server, uint64_t *counter, const char *format, ...)
    SHUNT_PRINTF(3, 4);

#endif
