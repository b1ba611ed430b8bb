/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/xdp_helper/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/bpf/filter.h"
#include "src/xdp_helper/socket_options.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* uapi/asm-generic/socket.h, Linux 5.14 */
#endif

size_t xdp_helper_request_bytes(uint16_t type)
{
  switch (type) {
  case XDP_HELPER_HELLO:
    return sizeof(struct xdp_helper_hello);
  case XDP_HELPER_SETUP:
    return sizeof(struct xdp_helper_setup);
  case XDP_HELPER_ATTACH:
    return sizeof(struct xdp_helper_attach);
  case XDP_HELPER_SOCKET_NEW:
    return sizeof(struct xdp_helper_socket);
  case XDP_HELPER_DETACH:
  case XDP_HELPER_RULES_ADD:
  case XDP_HELPER_RULES_REMOVE:
    return sizeof(struct xdp_helper_bare);
  case XDP_HELPER_RULE_STAGE:
    return sizeof(struct xdp_helper_rule);
  case XDP_HELPER_SOCKET_SET:
  case XDP_HELPER_SOCKET_CLEAR:
  case XDP_HELPER_ID_STAGE:
  case XDP_HELPER_RULE_HITS:
    return sizeof(struct xdp_helper_number);
  default:
    return 0;
  }
}

static bool ends(const char *text, size_t bytes)
{
  return memchr(text, '\0', bytes) != NULL;
}

static bool fields_are_sound(const union xdp_helper_request *request)
{
  switch (request->head.type) {
  case XDP_HELPER_HELLO:
    return !request->hello.reserved && request->hello.ifindex <= INT32_MAX &&
           ends(request->hello.interface, sizeof(request->hello.interface));
  case XDP_HELPER_SETUP:
    return !request->setup.reserved && request->setup.up <= 1 && request->setup.promiscuous <= 1;
  case XDP_HELPER_SOCKET_NEW:
    return !request->socket.reserved && request->socket.send_bytes <= XDP_SOCKET_SEND_BYTES_MOST &&
           request->socket.busy_poll_us <= XDP_SOCKET_BUSY_POLL_US_MOST &&
           request->socket.busy_budget <= XDP_SOCKET_BUSY_BUDGET_MOST;
  case XDP_HELPER_ATTACH:
    return !request->attach.reserved && request->attach.fragments <= 1 &&
           request->attach.receive_time <= FILTER_TIME_SOFTWARE && request->attach.join <= 1;
  case XDP_HELPER_RULE_STAGE:
    return ends(request->rule.text, sizeof(request->rule.text));
  case XDP_HELPER_SOCKET_SET:
  case XDP_HELPER_SOCKET_CLEAR:
  case XDP_HELPER_ID_STAGE:
  case XDP_HELPER_RULE_HITS:
    return !request->number.reserved;
  default:
    return true;
  }
}

static bool head_is_sound(const struct xdp_helper_head *head)
{
  return head->magic == XDP_HELPER_MAGIC && head->version == XDP_HELPER_VERSION;
}

int xdp_helper_request_check(const union xdp_helper_request *request, size_t bytes, int has_fd)
{
  if (bytes < sizeof(request->head) || !head_is_sound(&request->head) ||
      bytes != xdp_helper_request_bytes(request->head.type) || !fields_are_sound(request) ||
      has_fd != (request->head.type == XDP_HELPER_SOCKET_SET))
    return -EPROTO;
  return 0;
}

int xdp_helper_reply_check(const struct xdp_helper_reply *reply, size_t bytes, uint16_t type)
{
  if (bytes != sizeof(*reply) || !head_is_sound(&reply->head) || reply->head.type != type ||
      reply->code > 0 || reply->code < -4095 || !ends(reply->what, sizeof(reply->what)) ||
      !ends(reply->why, sizeof(reply->why)) || !ends(reply->remedy, sizeof(reply->remedy)))
    return -EPROTO;
  return 0;
}

/* ---- Messages ---- */

union control {
  struct cmsghdr head;
  char room[CMSG_SPACE(sizeof(int))];
};

int xdp_helper_send(int socket, const void *message, size_t bytes, int fd)
{
  union control control = {0};
  struct iovec piece = {.iov_base = (void *)(uintptr_t)message, .iov_len = bytes};
  struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
  if (fd >= 0) {
    header.msg_control = &control;
    header.msg_controllen = sizeof(control);
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
  }
  ssize_t sent = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0)
    return -errno;
  return (size_t)sent == bytes ? 0 : -EIO;
}

/* There is room for one descriptor, or for none: those beyond it the kernel lets go, and says so
 * (MSG_CTRUNC). */
ssize_t xdp_helper_receive(int socket, void *message, size_t capacity, int *fd)
{
  union control control = {0};
  struct iovec piece = {.iov_base = message, .iov_len = capacity};
  struct msghdr header = {.msg_iov = &piece,
                          .msg_iovlen = 1,
                          .msg_control = fd ? &control : NULL,
                          .msg_controllen = fd ? sizeof(control) : 0};
  int received = -1;
  ssize_t bytes = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (bytes < 0)
    return -errno;
  const struct cmsghdr *first = CMSG_FIRSTHDR(&header);
  bool is_fd = first && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS &&
               first->cmsg_len == CMSG_LEN(sizeof(int));
  if (is_fd)
    memcpy(&received, CMSG_DATA(first), sizeof(received));
  if (fd)
    *fd = received;
  return !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && (!first || is_fd) ? bytes : -EPROTO;
}

uint64_t xdp_helper_namespace(void)
{
  uint64_t cookie = 0;
  socklen_t length = sizeof(cookie);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return 0;
  if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length))
    cookie = 0;
  close(fd);
  return cookie;
}
