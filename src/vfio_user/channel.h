/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's end of a vfio-user connection: one request at a time, each with its reply or none.
 *
 * A channel whose peer is gone, is late or talks nonsense is broken for good: what would come next
 * can't be told from what was due before.
 *
 * Thread: any; requests of several threads take their turns. */
#ifndef SRC_VFIO_USER_CHANNEL_H
#define SRC_VFIO_USER_CHANNEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "hw/vfio_user.h"
#include "shunt/error.h"

#define CHANNEL_WAIT_NS UINT64_C(5000000000) /* for a reply, and for room to send */

struct channel {
  int fd;
  uint64_t wait_ns;
  uint64_t spin_ns; /* how long a reply is polled for before the thread yields its CPU */
  uint16_t next_id;
  atomic_int broken; /* 0, or the negative errno that broke it */
  pthread_mutex_t lock;
};

/* What goes out and what comes back. */
struct channel_request {
  enum vfio_user_command command;
  const void *payload;
  uint32_t bytes;
  const void *data; /* behind the payload */
  uint32_t data_bytes;
  const int *fds; /* beside it; they stay the caller's */
  unsigned fd_count;

  void *reply; /* its payload */
  uint32_t reply_room;
  uint32_t reply_bytes; /* of it: set by channel_ask */
  bool wants_fd;        /* a descriptor beside it ... */
  int reply_fd;         /* ... the first that came, now the caller's, or -1 */
};

/* Connect to the socket at path.
 *
 * wait_ns  0: CHANNEL_WAIT_NS
 * Returns  0, -EINVAL (path too long), or connect's errno with what to do about it */
int channel_open(struct channel *channel, const char *path, uint64_t wait_ns,
                 struct shunt_error *error);
/* The same on a socket that is connected already, which is the channel's from here on. */
void channel_adopt(struct channel *channel, int fd, uint64_t wait_ns);
/* Also of a channel that could not be opened. */
void channel_close(struct channel *channel);

/* Send a request and wait for its reply.
 *
 * Returns 0; the negative errno of an error reply (-EIO where it names none); or, the channel being
 *         broken, -ETIMEDOUT, -ECONNRESET (the peer is gone), -EPROTO (not the reply to that), or
 *         what the socket returns */
int channel_ask(struct channel *channel, struct channel_request *request);
/* Send a request that wants no reply. Returns 0, or as channel_ask where the channel is broken. */
int channel_post(struct channel *channel, const struct channel_request *request);

static inline int channel_broken(const struct channel *channel)
{
  return atomic_load_explicit(&channel->broken, memory_order_relaxed);
}

#endif
