/* SPDX-License-Identifier: BSD-2-Clause */
/* An end that is a UDP socket: one frame, one datagram, nothing around it. The socket is not
 * connected: so the kernel neither hides datagrams of strangers, which are counted, nor reports
 * that the peer is absent (RFC 1122 4.1.3.3 asks for that on connected ones). */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/core/error_internal.h"
#include "twin/wire/wire.h"

/* Asked of the kernel, which gives what net.core allows, and to CAP_NET_ADMIN all: stock limits
 * hold 25 jumbo frames, which are lost where the receiver has no CPU for a moment. */
#define UDP_BUFFER_BYTES (4 << 20)

union udp_address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

struct udp {
  int fd;
  union udp_address remote;
  socklen_t remote_bytes;
  struct shunt_wire_end *end;
  struct wire_look look;
  uint8_t frame[SHUNT_WIRE_FRAME_BYTES];
};

/* ---- Frames ---- */

static void udp_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct udp *udp = context;
  (void)now_ns;
  ssize_t sent = sendto(udp->fd, frame, bytes, MSG_NOSIGNAL, &udp->remote.any, udp->remote_bytes);
  if (sent != (ssize_t)bytes)
    udp->end->statistics.outside_refused++;
}

static bool udp_is_peer(const struct udp *udp, const union udp_address *from)
{
  const union udp_address *peer = &udp->remote;
  if (from->any.sa_family != peer->any.sa_family)
    return false;
  if (from->any.sa_family == AF_INET)
    return from->v4.sin_port == peer->v4.sin_port &&
           from->v4.sin_addr.s_addr == peer->v4.sin_addr.s_addr;
  return from->v6.sin6_port == peer->v6.sin6_port &&
         IN6_ARE_ADDR_EQUAL(&from->v6.sin6_addr, &peer->v6.sin6_addr);
}

/* Returns whether a datagram was there, whatever became of it. */
static bool udp_receive(struct udp *udp, uint64_t now_ns)
{
  struct shunt_wire_statistics *statistics = &udp->end->statistics;
  union udp_address from = {.v6 = {.sin6_family = AF_UNSPEC}};
  socklen_t from_bytes = sizeof(from);
  /* MSG_TRUNC: the length that the datagram had, also where it did not fit. */
  ssize_t bytes =
      recvfrom(udp->fd, udp->frame, sizeof(udp->frame), MSG_TRUNC, &from.any, &from_bytes);
  if (bytes < 0) {
    statistics->outside_errors += errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED;
    return false;
  }
  if (!udp_is_peer(udp, &from)) {
    statistics->outside_foreign++;
  } else if (bytes == 0 || bytes > SHUNT_WIRE_FRAME_BYTES) {
    statistics->outside_oversized++;
  } else {
    struct iovec piece = {.iov_base = udp->frame, .iov_len = (size_t)bytes};
    shunt_wire_send(udp->end, &piece, 1, now_ns);
  }
  return true;
}

static unsigned udp_poll(void *context, uint64_t now_ns)
{
  struct udp *udp = context;
  unsigned frames = 0;
  if (!wire_look_due(&udp->look, now_ns))
    return 0;
  while (frames < WIRE_LOOK_FRAMES && udp_receive(udp, now_ns))
    frames++;
  wire_look_done(&udp->look, now_ns, frames);
  return frames;
}

static void udp_detached(void *context)
{
  struct udp *udp = context;
  if (udp->fd >= 0)
    close(udp->fd);
  free(udp);
}

/* ---- Set-up ---- */

/* "192.0.2.1:4000" or "[2001:db8::1]:4000", split at the last colon. */
static bool udp_split(const char *text, char *host, size_t host_bytes, const char **port)
{
  const char *colon = strrchr(text, ':');
  if (colon == NULL)
    return false;
  size_t length = (size_t)(colon - text);
  bool bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
  const char *first = bracketed ? text + 1 : text;
  length -= bracketed ? 2 : 0;
  if (length == 0 || length >= host_bytes || (!bracketed && memchr(first, ':', length) != NULL))
    return false;
  memcpy(host, first, length);
  host[length] = '\0';
  *port = colon + 1;
  return true;
}

/* 0..65535, and nothing around it; getaddrinfo would cut larger numbers. */
static bool udp_port_valid(const char *port)
{
  size_t length = strlen(port);
  return length >= 1 && length <= 5 && port[strspn(port, "0123456789")] == '\0' &&
         strtoul(port, NULL, 10) <= UINT16_MAX;
}

static int udp_parse(const char *text, union udp_address *address, socklen_t *bytes,
                     struct shunt_error *error)
{
  char host[96];
  const char *port;
  struct addrinfo *found = NULL;
  struct addrinfo hints = {
      .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
      .ai_socktype = SOCK_DGRAM,
  };
  const char *why = "it is not ADDRESS:PORT or [ADDRESS]:PORT";
  if (udp_split(text, host, sizeof(host), &port) && udp_port_valid(port)) {
    int result = getaddrinfo(host, port, &hints, &found);
    if (result == 0) { /* numbers: an IPv4 or an IPv6 address, and nothing else */
      memcpy(address, found->ai_addr, found->ai_addrlen);
      *bytes = found->ai_addrlen;
      freeaddrinfo(found);
      return 0;
    }
    why = gai_strerror(result);
  }
  int code = shunt_error_set(error, -EINVAL, "can't use the address %s", text);
  shunt_error_why(error, "%s", why);
  shunt_error_remedy(error, "write numbers, as in 127.0.0.1:4000 or [::1]:4000");
  return code;
}

static int udp_open(struct udp *udp, const union udp_address *local, socklen_t local_bytes,
                    const char *name, struct shunt_error *error)
{
  static const int buffer_bytes = UDP_BUFFER_BYTES;
  udp->fd = socket(local->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (udp->fd < 0)
    return error_set_errno(error, -errno, "can't open a UDP socket for %s", name);
  if (setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) < 0)
    (void)setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
  (void)setsockopt(udp->fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
  if (bind(udp->fd, &local->any, local_bytes) == 0)
    return 0;
  int code = error_set_errno(error, -errno, "can't receive at %s", name);
  if (code == -EADDRINUSE)
    shunt_error_remedy(error, "another socket has it: take another port");
  else if (code == -EADDRNOTAVAIL)
    shunt_error_remedy(error, "this machine has no such address: see ip address");
  return code;
}

static int udp_set_up(struct udp *udp, const char *local, const char *remote,
                      struct shunt_error *error)
{
  union udp_address at = {.v6 = {.sin6_family = AF_UNSPEC}};
  socklen_t at_bytes = 0;
  int code = udp_parse(local, &at, &at_bytes, error);
  if (code == 0)
    code = udp_parse(remote, &udp->remote, &udp->remote_bytes, error);
  if (code < 0)
    return code;
  if (at.any.sa_family != udp->remote.any.sa_family) {
    code = shunt_error_set(error, -EINVAL, "can't tunnel from %s to %s", local, remote);
    shunt_error_why(error, "one is an IPv4 address and the other an IPv6 one");
    return code;
  }
  return udp_open(udp, &at, at_bytes, local, error);
}

int shunt_wire_udp(struct shunt_wire *wire, const char *local, const char *remote,
                   struct shunt_wire_end **end, struct shunt_error *error)
{
  static const struct shunt_wire_end_ops ops = {
      .deliver = udp_deliver,
      .poll = udp_poll,
      .detached = udp_detached,
  };
  struct udp *udp = calloc(1, sizeof(*udp));
  if (udp == NULL)
    return shunt_error_set(error, -ENOMEM, "no memory for the tunnel at %s", local);
  udp->fd = -1;
  int code = udp_set_up(udp, local, remote, error);
  if (code < 0)
    goto failed;
  char name[WIRE_NAME_BYTES];
  snprintf(name, sizeof(name), "udp %s", local);
  code = shunt_wire_attach(wire, name, &ops, udp, &udp->end, error);
  if (code < 0)
    goto failed;
  *end = udp->end;
  return 0;
failed:
  udp_detached(udp);
  return code;
}
