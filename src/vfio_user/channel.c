/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/vfio_user/channel.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "shunt/clock.h"
#include "shunt/cpu.h"
#include "src/core/error_internal.h"

#define HEADER_BYTES sizeof(struct vfio_user_header)
#define MOST_FDS     16u

#define SHORT_BYTES 64u /* of a request that is sent as one piece: an access to a register */

/* A server that spins on another CPU answers within 3 to 6 us. One that sleeps takes some 40 to
 * wake in a virtual machine, and we as long again if we sleep as well; one that waits for this CPU
 * gets it when we yield. */
#define SPIN_NS  UINT64_C(10000)
#define YIELD_NS UINT64_C(100000)

/* ---- Open and close ---- */

static int explain_connect(const char *path, int code, struct shunt_error *error)
{
  error_set_errno(error, code, "can't connect to the vfio-user server at %s", path);
  if (code == -ENOENT || code == -ECONNREFUSED)
    shunt_error_remedy(error, "start the server first, e.g. shunt twin %s=ixgbe", path);
  if (code == -EACCES || code == -EPERM)
    shunt_error_remedy(error, "the socket is for the user who runs the server alone");
  if (code == -EAGAIN)
    shunt_error_remedy(error, "the server has another client, and more of them wait");
  return code;
}

void channel_adopt(struct channel *channel, int fd, uint64_t wait_ns)
{
  *channel = (struct channel){.fd = fd, .wait_ns = wait_ns > 0 ? wait_ns : CHANNEL_WAIT_NS};
  atomic_init(&channel->broken, 0);
  pthread_mutex_init(&channel->lock, NULL);
  /* Alone on a CPU, spinning only keeps the server from running. */
  channel->spin_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_NS : 0;
}

int channel_open(struct channel *channel, const char *path, uint64_t wait_ns,
                 struct shunt_error *error)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t bytes = strlen(path);
  channel_adopt(channel, -1, wait_ns);
  if (bytes == 0 || bytes >= sizeof address.sun_path) {
    shunt_error_set(error, -EINVAL, "can't connect to \"%s\"", path);
    shunt_error_why(error, "a socket's path has 1 to %zu bytes", sizeof address.sun_path - 1);
    shunt_error_remedy(error, "write the server's socket behind vfio-user:, as in "
                              "vfio-user:/run/x.sock");
    return -EINVAL;
  }
  memcpy(address.sun_path, path, bytes + 1);
  channel->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (channel->fd < 0)
    return error_set_errno(error, -errno, "can't make a socket");
  if (connect(channel->fd, (const struct sockaddr *)&address, sizeof address) != 0)
    return explain_connect(path, -errno, error);
  return 0;
}

void channel_close(struct channel *channel)
{
  if (channel->fd >= 0)
    close(channel->fd);
  channel->fd = -1;
  pthread_mutex_destroy(&channel->lock);
}

/* ---- Bytes ---- */

static int break_off(struct channel *channel, int code)
{
  atomic_store_explicit(&channel->broken, code, memory_order_relaxed);
  return code;
}

/* Wait until the socket is ready, but not beyond the deadline. */
static int wait_ready(const struct channel *channel, short events, uint64_t deadline_ns)
{
  uint64_t now_ns = shunt_monotonic_ns();
  if (now_ns >= deadline_ns)
    return -ETIMEDOUT;
  struct pollfd ready = {.fd = channel->fd, .events = events};
  /* A signal only makes us look once more. */
  poll(&ready, 1, (int)((deadline_ns - now_ns) / 1000000 + 1));
  return 0;
}

static int send_all(const struct channel *channel, struct msghdr *message, uint64_t deadline_ns)
{
  for (;;) {
    ssize_t sent = sendmsg(channel->fd, message, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
      return errno == EPIPE ? -ECONNRESET : -errno;
    int code = sent < 0 ? wait_ready(channel, POLLOUT, deadline_ns) : 0;
    if (code < 0)
      return code;
    if (sent <= 0)
      continue;
    message->msg_controllen = 0; /* descriptors have gone with the first byte */
    while (message->msg_iovlen > 0 && (size_t)sent >= message->msg_iov->iov_len) {
      sent -= (ssize_t)message->msg_iov->iov_len;
      message->msg_iov++;
      message->msg_iovlen--;
    }
    if (message->msg_iovlen == 0)
      return 0;
    message->msg_iov->iov_base = (uint8_t *)message->msg_iov->iov_base + sent;
    message->msg_iov->iov_len -= (size_t)sent;
  }
}

/* Keep the first descriptor that comes where none was kept yet; the others are of no use. */
static void take_fds(struct msghdr *received, int *fd)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR(received); c != NULL; c = CMSG_NXTHDR(received, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
      int one;
      memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
      if (*fd < 0)
        *fd = one;
      else
        close(one);
    }
  }
}

static ssize_t receive_with_fds(const struct channel *channel, struct iovec pieces[2], int *fd)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MOST_FDS * sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = pieces,
                           .msg_iovlen = 2,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t got = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC);
  if (got > 0)
    take_fds(&message, fd);
  return got;
}

/* Read what there is. Returns how many bytes, 0 where nothing has come yet, or -errno. Descriptors
 * that nobody has asked for stay with the kernel, which closes them. */
static ssize_t receive_some(const struct channel *channel, struct iovec pieces[2],
                            struct channel_request *request)
{
  ssize_t got = request->wants_fd ? receive_with_fds(channel, pieces, &request->reply_fd)
                                  : readv(channel->fd, pieces, 2);
  if (got == 0)
    return -ECONNRESET;
  if (got < 0)
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  return got;
}

/* Spin, then yield, then sleep, until the socket may have more. */
static int wait_more(const struct channel *channel, uint64_t start_ns, uint64_t deadline_ns)
{
  uint64_t waited_ns = shunt_monotonic_ns() - start_ns;
  if (waited_ns >= YIELD_NS)
    return wait_ready(channel, POLLIN, deadline_ns);
  if (waited_ns >= channel->spin_ns)
    sched_yield();
  else
    shunt_cpu_relax();
  return 0;
}

/* ---- Requests ---- */

/* Make one piece of them, in the place of the first: the kernel takes that faster than three. */
static void join(struct iovec pieces[], unsigned n, uint8_t *whole)
{
  size_t bytes = 0;
  for (unsigned i = 0; i < n; i++) {
    if (pieces[i].iov_len > 0)
      memcpy(whole + bytes, pieces[i].iov_base, pieces[i].iov_len);
    bytes += pieces[i].iov_len;
  }
  pieces[0] = (struct iovec){whole, bytes};
}

static int send_request(struct channel *channel, const struct channel_request *request, uint16_t id,
                        uint32_t flags, uint64_t deadline_ns)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MOST_FDS * sizeof(int))];
  } control = {.bytes = {0}};
  struct vfio_user_header header = {.id = id,
                                    .command = (uint16_t)request->command,
                                    .bytes = (uint32_t)HEADER_BYTES + request->bytes +
                                             request->data_bytes,
                                    .flags = flags};
  struct iovec pieces[3] = {{&header, HEADER_BYTES},
                            {(void *)request->payload, request->bytes},
                            {(void *)request->data, request->data_bytes}};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 3};
  uint8_t whole[SHORT_BYTES];
  if (header.bytes <= SHORT_BYTES) {
    join(pieces, 3, whole);
    message.msg_iovlen = 1;
  }
  if (request->fd_count > MOST_FDS)
    return -EINVAL;
  if (request->fd_count > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(request->fd_count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(request->fd_count * sizeof(int));
    memcpy(CMSG_DATA(c), request->fds, request->fd_count * sizeof(int));
  }
  return send_all(channel, &message, deadline_ns);
}

/* Whether this can be the reply to that. */
static bool is_reply(const struct vfio_user_header *header, const struct channel_request *request,
                     uint16_t id)
{
  return header->id == id && header->command == request->command &&
         (header->flags & VFIO_USER_FLAG_TYPE) == VFIO_USER_FLAG_REPLY &&
         header->bytes >= HEADER_BYTES && header->bytes - HEADER_BYTES <= request->reply_room;
}

/* Read one message. Nothing may stand behind it, for nothing else was asked, so header and payload
 * come with one system call where they were sent with one. */
static int receive_reply(const struct channel *channel, struct channel_request *request,
                         uint16_t id, struct vfio_user_header *header, uint64_t deadline_ns)
{
  const uint64_t start_ns = shunt_monotonic_ns();
  size_t have = 0, whole = HEADER_BYTES;
  while (have < whole) {
    size_t of_header = have < HEADER_BYTES ? have : HEADER_BYTES, of_reply = have - of_header;
    struct iovec pieces[2] = {{(uint8_t *)header + of_header, HEADER_BYTES - of_header},
                              {of_reply > 0 ? (uint8_t *)request->reply + of_reply : request->reply,
                               request->reply_room - of_reply}};
    ssize_t got = receive_some(channel, pieces, request);
    int code = got == 0 ? wait_more(channel, start_ns, deadline_ns) : got < 0 ? (int)got : 0;
    if (code < 0)
      return code;
    have += (size_t)got;
    if (have < HEADER_BYTES)
      continue;
    if (!is_reply(header, request, id) || have > header->bytes)
      return -EPROTO;
    whole = header->bytes;
  }
  request->reply_bytes = header->bytes - (uint32_t)HEADER_BYTES;
  return 0;
}

/* What can't be the reply breaks the channel. */
static int finish_request(struct channel *channel, struct channel_request *request, uint16_t id,
                          uint64_t deadline_ns)
{
  struct vfio_user_header header;
  int code = receive_reply(channel, request, id, &header, deadline_ns);
  if (code < 0)
    return break_off(channel, code);
  if (!(header.flags & VFIO_USER_FLAG_ERROR))
    return 0;
  return header.error > 0 && header.error < 4096 ? -(int)header.error : -EIO;
}

int channel_ask(struct channel *channel, struct channel_request *request)
{
  request->reply_bytes = 0;
  request->reply_fd = -1;
  pthread_mutex_lock(&channel->lock);
  int code = channel_broken(channel);
  uint16_t id = channel->next_id++;
  uint64_t deadline_ns = shunt_monotonic_ns() + channel->wait_ns;
  if (code == 0) {
    code = send_request(channel, request, id, 0, deadline_ns);
    code = code < 0 ? break_off(channel, code) : finish_request(channel, request, id, deadline_ns);
  }
  pthread_mutex_unlock(&channel->lock);
  if (code < 0 && request->reply_fd >= 0) {
    close(request->reply_fd);
    request->reply_fd = -1;
  }
  return code;
}

int channel_post(struct channel *channel, const struct channel_request *request)
{
  pthread_mutex_lock(&channel->lock);
  int code = channel_broken(channel);
  if (code == 0) {
    code = send_request(channel, request, channel->next_id++, VFIO_USER_FLAG_NO_REPLY,
                        shunt_monotonic_ns() + channel->wait_ns);
    if (code < 0)
      break_off(channel, code);
  }
  pthread_mutex_unlock(&channel->lock);
  return code;
}
