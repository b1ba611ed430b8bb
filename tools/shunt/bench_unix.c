/* SPDX-License-Identifier: BSD-2-Clause */
/* The peer of what goes by message over vfio-user: bare messages of the same length through a UNIX
 * socket, and a thread at the other end that does nothing but answer. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/shunt/bench.h"

/* A header, an access, and four bytes of a register: a write, or the reply to a read. */
#define MESSAGE_BYTES 36u
#define CHUNK_BYTES   65536u

struct bench_unix {
  struct bench *bench;
  int near, far;
  bool pauses;    /* before each exchange; the other thread sleeps meanwhile */
  unsigned posts; /* messages for each answer */
  struct bench_sample *sample;
  atomic_bool ended;
  uint8_t chunk[CHUNK_BYTES]; /* of the other thread */
};

int bench_unix_open(struct bench *bench, struct bench_unix **made, struct shunt_error *error)
{
  int ends[2];
  struct bench_unix *sockets = calloc(1, sizeof(*sockets));
  if (!sockets)
    return shunt_error_set(error, -ENOMEM, "no memory to measure a UNIX socket");
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)) {
    int code = -errno;
    shunt_error_set(error, code, "can't measure a UNIX socket");
    shunt_error_why(error, "%s", strerror(-code));
    free(sockets);
    return code;
  }
  sockets->bench = bench;
  sockets->near = ends[0];
  sockets->far = ends[1];
  *made = sockets;
  return 0;
}

void bench_unix_close(struct bench_unix *sockets)
{
  if (!sockets)
    return;
  close(sockets->near);
  close(sockets->far);
  free(sockets);
}

/* Send or receive so many bytes; the socket may be full or empty for a while. */
static bool move(const struct bench_unix *sockets, ssize_t (*one)(int fd, uint8_t *at, size_t n),
                 uint64_t start_ns)
{
  uint8_t message[MESSAGE_BYTES] = {0};
  size_t done = 0;
  for (unsigned rounds = 1; done < MESSAGE_BYTES; rounds++) {
    ssize_t bytes = one(sockets->near, message + done, MESSAGE_BYTES - done);
    if (bytes > 0)
      done += (size_t)bytes;
    else
      bench_spin(sockets->bench);
    if (rounds % 64 == 0 && shunt_tsc_now_ns(&sockets->bench->tsc) - start_ns > BENCH_PATIENCE_NS)
      return false;
  }
  return true;
}

static ssize_t send_some(int fd, uint8_t *at, size_t n)
{
  return send(fd, at, n, MSG_NOSIGNAL);
}

static ssize_t receive_some(int fd, uint8_t *at, size_t n)
{
  return recv(fd, at, n, 0);
}

/* The messages that get one answer; returns the time of each of them, or 0 where it did not come.
 */
static uint64_t exchange(void *context)
{
  struct bench_unix *sockets = context;
  const struct shunt_tsc *tsc = &sockets->bench->tsc;
  if (sockets->pauses)
    bench_pause(sockets->bench);
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  bool moved = true;
  for (unsigned i = 0; moved && i < sockets->posts; i++)
    moved = move(sockets, send_some, start_ns);
  if (!moved || !move(sockets, receive_some, start_ns))
    return 0;
  const uint64_t took_ns = shunt_tsc_now_ordered_ns(tsc) - start_ns;
  return sockets->posts > 1 ? took_ns / sockets->posts : took_ns;
}

static void drive(void *context)
{
  struct bench_unix *sockets = context;
  bench_repeat(sockets->bench, exchange, sockets, sockets->sample);
  atomic_store(&sockets->ended, true);
}

static void answer(void *context)
{
  struct bench_unix *sockets = context;
  struct pollfd readable = {.fd = sockets->far, .events = POLLIN};
  size_t bytes = 0;
  while (!atomic_load_explicit(&sockets->ended, memory_order_relaxed)) {
    ssize_t got = recv(sockets->far, sockets->chunk, CHUNK_BYTES, 0);
    if (got > 0)
      bytes += (size_t)got;
    else if (sockets->pauses)
      poll(&readable, 1, 1);
    else
      bench_spin(sockets->bench);
    if (bytes < sockets->posts * MESSAGE_BYTES)
      continue;
    bytes = 0; /* who has asked waits for the answer, and has sent no more */
    send_some(sockets->far, sockets->chunk, MESSAGE_BYTES);
  }
}

int bench_unix_slice(struct bench_unix *sockets, enum bench_unix_what what,
                     struct bench_sample *sample, struct shunt_error *error)
{
  sockets->pauses = what == BENCH_UNIX_EXCHANGE_ASLEEP;
  sockets->posts = what == BENCH_UNIX_POST ? BENCH_POSTS : 1;
  sockets->sample = sample;
  atomic_store(&sockets->ended, false);
  return bench_run(sockets->bench, drive, answer, sockets, error);
}
