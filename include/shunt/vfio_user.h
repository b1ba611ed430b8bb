/* SPDX-License-Identifier: BSD-2-Clause */
/* Serving a model to another process: a vfio-user server on a UNIX socket.
 *
 * Behind the socket the model is a PCI device for QEMU (-device vfio-user-pci), for a port that is
 * opened as "ixgbe:vfio-user:PATH", or for any other vfio-user client:
 *
 *   shunt_testbed_twin(testbed, "ixgbe", "wire=w", &model, &error);
 *   shunt_vfio_user_create(model, "/run/a.sock", NULL, &server, &error);
 *   while (running) {
 *     shunt_vfio_user_poll(server);
 *     shunt_testbed_poll(testbed);
 *   }
 *
 * A server has no thread. Once a poll has found nothing to do, who polls may sleep until
 * shunt_vfio_user_fd is readable or shunt_vfio_user_next_ns is due, but must give the model its
 * turns as well: what a client does in pages that it has mapped raises no event.
 *
 * One client is served at a time. The next gets another model that is served at the socket
 * (shunt_vfio_user_join), or waits half a second for a client to go, and is refused then: its
 * VERSION fails with EBUSY. When a client has gone, its
 * memory and its eventfds are gone as well, and the model is reset, as the kernel's VFIO resets a
 * device whose last user is gone. A client that breaks the protocol loses its connection, nothing
 * else; what it did is counted.
 *
 * What a client is trusted with: it may make this process map files that can't shrink, and signal
 * eventfds. Of memory in huge pages it could take pages back (a hole in the file), and where the
 * machine has no other the next access here would be a SIGBUS. It has mapped the areas that the
 * model offers, and keeps that mapping beyond the connection. So the socket is for its owner alone
 * (mode 0600).
 *
 * Source: QEMU docs/interop/vfio-user.rst.
 *
 * Thread: the model's. With a testbed that another thread polls, hold shunt_testbed_lock around
 * each call. */
#ifndef SHUNT_VFIO_USER_H
#define SHUNT_VFIO_USER_H

#include "shunt/base.h"
#include "shunt/clock.h"
#include "shunt/error.h"
#include "shunt/log.h"
#include "shunt/model.h"

SHUNT_BEGIN_DECLS

struct shunt_vfio_user;

struct shunt_vfio_user_options {
  size_t size;                     /* sizeof(struct shunt_vfio_user_options) */
  const struct shunt_clock *clock; /* NULL: the real one; copied, its context is the caller's */
  const struct shunt_log *log;     /* NULL: silent; outlives the server */
  uint64_t deadline_ns; /* for the rest of a message, once it has begun; for a client's first; for
                           taking a reply; 0: 5 s */
  /* Non-zero: don't offer the model's areas for mapping. Then every access is a message. QEMU
   * writes without waiting for replies where no area is offered, and waits after each write where
   * one is: without areas a driver that writes many registers is faster, with them one that moves
   * many frames. */
  uint8_t no_areas;
  /* Non-zero: take memory files that may shrink (ordinary files, memfds that are sealed against
   * sealing). A client that cuts such a file makes the next access here end in a SIGBUS. */
  uint8_t allow_shrink;
};

/* Serve a model.
 *
 * made    where the server goes; untouched on failure
 * path    of the socket, up to 107 bytes; a socket that nobody serves any more is replaced
 * options NULL: the defaults
 * Owner   the caller, until shunt_vfio_user_destroy; the model stays the caller's, outlives the
 *         server, and has no other host
 * Returns 0, -EINVAL (options of another size, a path that is empty or too long), -EADDRINUSE (it
 *         is served already), -EEXIST (a file that is no socket), -ENOMEM, or what making a socket
 *         there returns */
int shunt_vfio_user_create(struct shunt_model *model, const char *path,
                           const struct shunt_vfio_user_options *options,
                           struct shunt_vfio_user **made, struct shunt_error *error);
/* Serve one more model at the socket of a server: who connects there gets one that has no client,
 * whichever that is, as several processes get a NIC each by one name.
 *
 * first   whose socket it is; its end removes the file, so that nobody new finds it, and leaves the
 *         others their clients
 * made, model, options, Owner  as in shunt_vfio_user_create
 * Thread  that of first, or both are polled under one lock
 * Returns 0, -EINVAL, -ENOMEM, or what sharing a socket returns */
int shunt_vfio_user_join(struct shunt_model *model, const struct shunt_vfio_user *first,
                         const struct shunt_vfio_user_options *options,
                         struct shunt_vfio_user **made, struct shunt_error *error);
/* End the connection, and remove the socket that was made for it. NULL is fine. */
void shunt_vfio_user_destroy(struct shunt_vfio_user *server);

/* Readable while a poll has something to do. The server's own: not to be read or closed. */
int shunt_vfio_user_fd(const struct shunt_vfio_user *server);

/* Work off what clients have sent, up to some 64 messages. Never blocks.
 *
 * Returns how much was done; 0: nothing */
unsigned shunt_vfio_user_poll(struct shunt_vfio_user *server);

/* When a deadline of the client's ends, by the options' clock, so that a poll is due even where
 * nothing comes; UINT64_MAX: none runs. */
uint64_t shunt_vfio_user_next_ns(const struct shunt_vfio_user *server);

/* Whether a client is connected and has agreed on a version. */
int shunt_vfio_user_connected(const struct shunt_vfio_user *server);

/* What was done ("messages", "reads", "writes", "interrupts", ...) and what clients did wrong
 * ("bad_length", "stalled", ...). names and values may be NULL when n is 0; names are constant.
 * Returns how many there are. */
unsigned shunt_vfio_user_counters(const struct shunt_vfio_user *server, const char *names[],
                                  uint64_t values[], unsigned n);
/* The counter of that name, or 0 where there is none. */
uint64_t shunt_vfio_user_counter(const struct shunt_vfio_user *server, const char *name);
/* How many of the first counters tell what was done; those behind them are clients' faults. */
unsigned shunt_vfio_user_counters_done(void);

/* The last fault of a client as a sentence; "" while there was none. Valid until the next poll. */
const char *shunt_vfio_user_last_fault(const struct shunt_vfio_user *server);

SHUNT_END_DECLS

#endif
