/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of an AF_XDP socket that take a capability: set by whoever makes it, which is the port
 * itself or the helper. */
#ifndef SRC_XDP_HELPER_SOCKET_OPTIONS_H
#define SRC_XDP_HELPER_SOCKET_OPTIONS_H

#include <stdint.h>
#include <sys/socket.h>

#include "shunt/error.h"

struct xdp_socket_wanted {
  uint32_t send_bytes;   /* of the send buffer (SO_SNDBUFFORCE); 0: as it is */
  uint32_t busy_poll_us; /* SO_BUSY_POLL; 0: no busy polling */
  uint32_t busy_budget;  /* SO_BUSY_POLL_BUDGET, frames */
};

/* The most that makes sense: full rings of 4096 buffers of 4096 bytes, with what the kernel keeps
 * beside each. */
#define XDP_SOCKET_SEND_BYTES_MOST   (4096u * (4096u + 1024u))
#define XDP_SOCKET_BUSY_POLL_US_MOST 1000000u
#define XDP_SOCKET_BUSY_BUDGET_MOST  65535u

/* Set them. A send buffer may end up shorter, as net.core.wmem_max allows, where the capability is
 * missing: that only makes things slower.
 *
 * set      setsockopt, or a test's own
 * Returns  0; -EPERM: busy polling takes CAP_NET_ADMIN; -ENOPROTOOPT: a kernel before 5.11 */
int xdp_socket_options_set(int (*set)(int fd, int level, int option, const void *value,
                                      socklen_t bytes),
                           int fd, const struct xdp_socket_wanted *wanted,
                           struct shunt_error *error);

/* Have a new socket bound to this interface alone, whoever binds it: what is made for somebody else
 * could otherwise be bound to any, and send there. Changing that takes CAP_NET_RAW. Which queue it
 * is bound to is not held (Documentation/networking/af_xdp.rst, "SO_BINDTODEVICE setsockopt").
 *
 * set, bind  setsockopt and bind, or a test's own
 * Returns    0; -EOPNOTSUPP: the kernel has AF_XDP sockets bound to any; -errno */
int xdp_socket_hold(int (*set)(int fd, int level, int option, const void *value, socklen_t bytes),
                    int (*bind)(int fd, const struct sockaddr *address, socklen_t bytes), int fd,
                    int ifindex, struct shunt_error *error);

#endif
