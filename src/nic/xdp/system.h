/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls of an AF_XDP socket, so that a test can answer in the kernel's place. They
 * answer as libc's do: -1 and errno. And what the interface says, which answers 0 or -errno. */
#ifndef SRC_NIC_XDP_SYSTEM_H
#define SRC_NIC_XDP_SYSTEM_H

#include <linux/if_xdp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct interface_channels;

struct xdp_system {
  int (*set)(int fd, int level, int option, const void *value, socklen_t bytes);
  int (*get)(int fd, int level, int option, void *value, socklen_t *bytes);
  void *(*map)(int fd, size_t bytes, off_t offset);
  int (*unmap)(void *address, size_t bytes);
  int (*bind)(int fd, const struct sockaddr_xdp *address);
  ssize_t (*send)(int fd);    /* sendto of nothing, MSG_DONTWAIT: work off the Tx ring */
  ssize_t (*receive)(int fd); /* recvfrom of nothing, likewise: look at the fill ring */
  int (*close)(int fd);
  int (*copy)(int fd); /* dup */
  /* interface_read_missed, _program and _channels of src/netlink/interface.h */
  int (*missed)(int ifindex, uint64_t *frames);
  int (*program)(int ifindex, uint32_t *program);
  int (*channels)(int ifindex, struct interface_channels *channels);
};

extern const struct xdp_system xdp_real_system;

#endif
