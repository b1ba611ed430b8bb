/* SPDX-License-Identifier: BSD-2-Clause */
/* A vfio-user server for tests of the client: a thread behind a socket pair that answers as a good
 * one would, but for one thing. */
#ifndef TESTS_UNIT_VFIO_USER_LIAR_H
#define TESTS_UNIT_VFIO_USER_LIAR_H

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "hw/vfio_user.h"
#include "src/pci/backend.h"

#define BAR_BYTES    0x4000u
#define VECTORS      4u
#define MOST_PAYLOAD 4096u

struct region_reply {
  struct vfio_user_region_info info;
  struct vfio_user_sparse sparse;
  struct vfio_user_area areas[20];
};

/* What the server does otherwise than a good one. All zero: nothing. */
struct lie {
  unsigned command; /* of the reply that is wrong */
  int id, other_command, type;
  int32_t more_bytes; /* of the payload, than there should be */
  uint32_t error;     /* of an error reply ... */
  bool is_error;      /* ... which it is */
  bool is_silent;     /* no reply */
  bool is_half;       /* of the reply, and no more */
  bool is_twice;      /* the reply, and again */
  unsigned fds;       /* beside it */
  const char *json;
  uint16_t major;
  uint32_t regions, flags; /* of the device */
  uint32_t vectors, irq_flags;
  const struct region_reply *bar; /* of BAR 0, with memory beside it */
  uint32_t bar_bytes;             /* of that reply */
};

struct server {
  pthread_t thread;
  int fd;
  struct lie lie;
  int memory;     /* a file, to go beside the reply about BAR 0; -1: none */
  bool hangs_up;  /* after ... */
  size_t budget;  /* ... so many bytes of replies */
  unsigned piece; /* bytes that are sent at a time; 0: all */
  size_t sent;
};

static inline bool receive(const struct server *server, struct vfio_user_header *header,
                           uint8_t *payload)
{
  uint8_t control[CMSG_SPACE(16 * sizeof(int))];
  struct iovec piece = {header, sizeof *header};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(server->fd, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof *header)
    return false;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      close(fd);
    }
  size_t bytes = header->bytes - sizeof *header;
  return bytes == 0 || recv(server->fd, payload, bytes, MSG_WAITALL) == (ssize_t)bytes;
}

/* A good answer to a request, whose payload it may be made from. Returns its length. */
static inline uint32_t answer(const struct server *server, unsigned command, const uint8_t *asked,
                              uint8_t *out)
{
  const struct lie *lie = &server->lie;
  struct vfio_user_region_info region;
  struct vfio_user_access access;
  switch (command) {
  case VFIO_USER_VERSION: {
    const struct vfio_user_version version = {lie->major, 0};
    const char *json = lie->json != NULL ? lie->json : "{\"capabilities\":{\"max_msg_fds\":8}}";
    memcpy(out, &version, sizeof version);
    memcpy(out + sizeof version, json, strlen(json) + 1);
    return (uint32_t)(sizeof version + strlen(json) + 1);
  }
  case VFIO_USER_DEVICE_GET_INFO: {
    const struct vfio_user_device_info info = {
        16, lie->flags ? lie->flags : VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
        lie->regions ? lie->regions : VFIO_PCI_NUM_REGIONS, VFIO_PCI_NUM_IRQS};
    memcpy(out, &info, sizeof info);
    return sizeof info;
  }
  case VFIO_USER_DEVICE_GET_REGION_INFO:
    memcpy(&region, asked, sizeof region);
    if (region.index == VFIO_PCI_BAR0_REGION_INDEX && lie->bar != NULL) {
      memcpy(out, lie->bar, sizeof *lie->bar);
      return lie->bar_bytes;
    }
    region.argsz = sizeof region;
    region.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    region.bytes = region.index == VFIO_PCI_BAR0_REGION_INDEX     ? BAR_BYTES
                   : region.index == VFIO_PCI_CONFIG_REGION_INDEX ? 4096
                                                                  : 0;
    memcpy(out, &region, sizeof region);
    return sizeof region;
  case VFIO_USER_DEVICE_GET_IRQ_INFO: {
    const struct vfio_user_irq_info info = {
        16, lie->irq_flags ? lie->irq_flags : VFIO_IRQ_INFO_EVENTFD, VFIO_PCI_MSIX_IRQ_INDEX,
        lie->vectors ? lie->vectors : VECTORS};
    memcpy(out, &info, sizeof info);
    return sizeof info;
  }
  case VFIO_USER_REGION_READ:
    memcpy(&access, asked, sizeof access);
    memcpy(out, &access, sizeof access);
    memset(out + sizeof access, 0x5A, access.count);
    return (uint32_t)sizeof access + access.count;
  case VFIO_USER_REGION_WRITE:
    memcpy(out, asked, sizeof access);
    return sizeof access;
  case VFIO_USER_DMA_UNMAP:
    memcpy(out, asked, sizeof(struct vfio_user_dma_unmap));
    return sizeof(struct vfio_user_dma_unmap);
  default:
    return 0;
  }
}

/* Send with descriptors beside the first byte. Returns false where the server is to hang up. */
static inline bool send_bytes(struct server *server, const uint8_t *bytes, size_t n, int fd,
                              unsigned fds)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(32 * sizeof(int))];
  } control = {.bytes = {0}};
  while (n > 0) {
    size_t part = server->piece > 0 && server->piece < n ? server->piece : n;
    size_t left = server->hangs_up ? server->budget - server->sent : SIZE_MAX;
    struct iovec piece = {(void *)bytes, part < left ? part : left};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (piece.iov_len == 0)
      return false;
    if (fds > 0) {
      message.msg_control = control.bytes;
      message.msg_controllen = CMSG_SPACE(fds * sizeof(int));
      struct cmsghdr *c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(fds * sizeof(int));
      for (unsigned i = 0; i < fds; i++)
        memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
    }
    ssize_t sent = sendmsg(server->fd, &message, MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    fds = 0;
    server->sent += (size_t)sent;
    bytes += sent;
    n -= (size_t)sent;
  }
  return true;
}

static inline bool reply(struct server *server, struct vfio_user_header header,
                         const uint8_t *asked)
{
  uint8_t out[sizeof header + 2 * MOST_PAYLOAD] = {0};
  const struct lie *lie = header.command == server->lie.command ? &server->lie : &(struct lie){0};
  uint32_t bytes = answer(server, header.command, asked, out + sizeof header);
  const struct vfio_user_region_info *region = (const void *)asked;
  bool has_memory = header.command == VFIO_USER_DEVICE_GET_REGION_INFO && region->index == 0 &&
                    server->memory >= 0;
  if (lie->is_silent)
    return true;
  header.id = (uint16_t)(header.id + lie->id);
  header.command = (uint16_t)(header.command + lie->other_command);
  header.flags = (uint32_t)(VFIO_USER_FLAG_REPLY + lie->type);
  bytes = (uint32_t)((int32_t)bytes + lie->more_bytes);
  if (lie->is_error) {
    header.flags |= VFIO_USER_FLAG_ERROR;
    header.error = lie->error;
    bytes = 0;
  }
  header.bytes = (uint32_t)sizeof header + bytes;
  memcpy(out, &header, sizeof header);
  size_t n = header.bytes < sizeof out ? header.bytes : sizeof out;
  n = lie->is_half ? n / 2 : n;
  unsigned fds = lie->fds > 0 ? lie->fds : has_memory;
  int fd = has_memory ? server->memory : server->fd;
  return send_bytes(server, out, n, fd, fds) &&
         (!lie->is_twice || send_bytes(server, out, n, -1, 0));
}

static inline void *serve(void *context)
{
  struct server *server = context;
  struct vfio_user_header header;
  uint8_t asked[MOST_PAYLOAD];
  while (receive(server, &header, asked))
    if (!(header.flags & VFIO_USER_FLAG_NO_REPLY) && !reply(server, header, asked))
      break;
  close(server->fd);
  return NULL;
}

/* Begin to serve, and open. Returns what opening returns; *pci is NULL where that fails. */
static inline int open_at(struct server *server, uint64_t wait_ns, struct pci **pci)
{
  const struct pci_open_options options = {0};
  struct shunt_error error = {0};
  int ends[2];
  *pci = NULL;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  server->fd = ends[1];
  server->sent = 0;
  assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
  int code = vfio_user_adopt(ends[0], &options, wait_ns, pci, &error);
  if (code < 0) {
    assert_string_not_equal(error.what, "");
    assert_string_not_equal(error.why, "");
  }
  return code;
}

static inline void close_at(struct server *server, struct pci *pci)
{
  pci_close(pci);
  pthread_join(server->thread, NULL);
}

#endif
