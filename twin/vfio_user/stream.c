/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "twin/vfio_user/server.h"

#define HEADER_BYTES sizeof(struct vfio_user_header)

int stream_create(struct stream *stream)
{
  *stream = (struct stream){.fd = -1, .out_fd = -1};
  stream->in = malloc(SERVER_MESSAGE_BYTES);
  stream->out = malloc(SERVER_MESSAGE_BYTES);
  return stream->in != NULL && stream->out != NULL ? 0 : -ENOMEM;
}

void stream_destroy(struct stream *stream)
{
  stream_close(stream);
  free(stream->in);
  free(stream->out);
}

static void fds_close(const int fds[], unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    if (fds[i] >= 0)
      close(fds[i]);
}

void stream_close(struct stream *stream)
{
  if (stream->fd >= 0)
    close(stream->fd);
  stream->fd = -1;
  fds_close(stream->fds, stream->fd_count);
  stream->fd_count = 0;
  stream->in_at = stream->in_end = stream->out_at = stream->out_end = 0;
  stream->out_fd = -1;
}

void message_release(struct message *message)
{
  fds_close(message->fds, message->fd_count);
  message->fd_count = 0;
}

bool stream_is_inside(const struct stream *stream)
{
  return stream->in_at < stream->in_end;
}

bool stream_is_full(const struct stream *stream)
{
  return stream->out_at < stream->out_end;
}

/* ---- In ---- */

static size_t in_bytes(const struct stream *stream)
{
  return stream->in_end - stream->in_at;
}

/* How many bytes to ask the socket for.
 *
 * A read takes the bytes of several messages, and ends behind those that came with descriptors (man
 * 7 unix). So the descriptors of one read belong to the last message that begins in it. While a
 * message that has its descriptors is not whole, nothing behind it is read, so that descriptors of
 * two messages never meet. */
static size_t bytes_to_read(const struct stream *stream)
{
  struct vfio_user_header header;
  if (stream->fd_count == 0)
    return SERVER_MESSAGE_BYTES - stream->in_end;
  if (in_bytes(stream) < HEADER_BYTES)
    return HEADER_BYTES - in_bytes(stream);
  memcpy(&header, stream->in + stream->in_at, HEADER_BYTES);
  return header.bytes - in_bytes(stream);
}

static void make_room(struct stream *stream)
{
  if (stream->in_at == 0)
    return;
  memmove(stream->in, stream->in + stream->in_at, in_bytes(stream));
  stream->fds_end -= stream->fd_count > 0 ? stream->in_at : 0;
  stream->in_end -= stream->in_at;
  stream->in_at = 0;
}

/* Take the descriptors that came with a read. Returns how many there were no room for. */
static unsigned take_fds(struct stream *stream, struct msghdr *received)
{
  unsigned left_over = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(received); c != NULL; c = CMSG_NXTHDR(received, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (stream->fd_count < SERVER_MSG_FDS) {
        stream->fds[stream->fd_count++] = fd;
        continue;
      }
      close(fd);
      left_over++;
    }
  }
  return left_over;
}

static enum stream_result ended(struct shunt_vfio_user *server)
{
  if (!stream_is_inside(&server->stream))
    return STREAM_ENDED;
  server_fault(server, &server->counters.vanished, "the client went %zu bytes into a message",
               in_bytes(&server->stream));
  return STREAM_FAULT;
}

/* Returns STREAM_MESSAGE where something was read. */
static enum stream_result stream_read(struct shunt_vfio_user *server)
{
  struct stream *stream = &server->stream;
  /* Twice as much room as descriptors are agreed on: a few too many are counted here; of many too
   * many the kernel says so (MSG_CTRUNC). */
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(2 * SERVER_MSG_FDS * sizeof(int))];
  } control;
  make_room(stream);
  struct iovec piece = {stream->in + stream->in_end, bytes_to_read(stream)};
  struct msghdr received = {.msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
  ssize_t got = recvmsg(stream->fd, &received, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return STREAM_NOTHING;
  if (got <= 0)
    return ended(server);
  stream->in_end += (size_t)got;
  unsigned had = stream->fd_count;
  unsigned left_over = take_fds(stream, &received);
  if (stream->fd_count > had)
    stream->fds_end = stream->in_end;
  if (left_over == 0 && !(received.msg_flags & MSG_CTRUNC))
    return STREAM_MESSAGE;
  server_fault(server, &server->counters.too_many_fds, "more than %u descriptors in one message",
               SERVER_MSG_FDS);
  return STREAM_FAULT;
}

static enum stream_result check_header(struct shunt_vfio_user *server,
                                       const struct vfio_user_header *header)
{
  if (header->bytes < HEADER_BYTES || header->bytes > SERVER_MESSAGE_BYTES) {
    server_fault(server, &server->counters.bad_length,
                 "a message of %u bytes: %zu to %zu are possible", header->bytes, HEADER_BYTES,
                 SERVER_MESSAGE_BYTES);
    return STREAM_FAULT;
  }
  if ((header->flags & VFIO_USER_FLAG_TYPE) != 0) {
    server_fault(server, &server->counters.bad_type, "a message of type %u, which is no command",
                 header->flags & VFIO_USER_FLAG_TYPE);
    return STREAM_FAULT;
  }
  return STREAM_MESSAGE;
}

/* Cut the next message off what has been received. */
static enum stream_result stream_parse(struct shunt_vfio_user *server, struct message *message)
{
  struct stream *stream = &server->stream;
  size_t bytes = in_bytes(stream);
  if (bytes < HEADER_BYTES)
    return STREAM_NOTHING;
  memcpy(&message->header, stream->in + stream->in_at, HEADER_BYTES);
  enum stream_result result = check_header(server, &message->header);
  if (result == STREAM_FAULT)
    return result;
  if (bytes < message->header.bytes)
    return STREAM_NOTHING;
  message->payload = stream->in + stream->in_at + HEADER_BYTES;
  message->bytes = message->header.bytes - (uint32_t)HEADER_BYTES;
  stream->in_at += message->header.bytes;
  message->fd_count = 0;
  if (stream->fd_count > 0 && stream->in_at >= stream->fds_end) {
    memcpy(message->fds, stream->fds, stream->fd_count * sizeof(int));
    message->fd_count = stream->fd_count;
    stream->fd_count = 0;
  }
  return STREAM_MESSAGE;
}

enum stream_result stream_next(struct shunt_vfio_user *server, struct message *message,
                               enum stream_reading *reading)
{
  enum stream_result result = stream_parse(server, message);
  if (result != STREAM_NOTHING || *reading != READING_MAY)
    return result;
  result = stream_read(server);
  *reading = result == STREAM_MESSAGE ? READING_DONE : READING_EMPTY;
  if (result != STREAM_MESSAGE)
    return result;
  return stream_parse(server, message);
}

/* ---- Out ---- */

static void stream_send(struct stream *stream, struct iovec pieces[2])
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {.bytes = {0}};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
  if (stream->out_fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &stream->out_fd, sizeof(int));
  }
  ssize_t sent = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    sent = (ssize_t)(pieces[0].iov_len + pieces[1].iov_len); /* nobody is there to take it */
  if (sent <= 0)
    return;
  stream->out_fd = -1;
  for (unsigned i = 0; i < 2 && sent > 0; i++) {
    size_t part = (size_t)sent < pieces[i].iov_len ? (size_t)sent : pieces[i].iov_len;
    pieces[i].iov_base = (uint8_t *)pieces[i].iov_base + part;
    pieces[i].iov_len -= part;
    sent -= (ssize_t)part;
  }
}

void stream_reply(struct stream *stream, const struct vfio_user_header *header, const void *payload,
                  uint32_t bytes, int fd)
{
  struct iovec pieces[2] = {{(void *)header, HEADER_BYTES}, {(void *)payload, bytes}};
  stream->out_fd = fd;
  stream_send(stream, pieces);
  stream->out_at = stream->out_end = 0;
  for (unsigned i = 0; i < 2; i++) {
    if (pieces[i].iov_len == 0)
      continue;
    memmove(stream->out + stream->out_end, pieces[i].iov_base, pieces[i].iov_len);
    stream->out_end += pieces[i].iov_len;
  }
}

void stream_flush(struct stream *stream)
{
  struct iovec pieces[2] = {{stream->out + stream->out_at, stream->out_end - stream->out_at},
                            {NULL, 0}};
  stream_send(stream, pieces);
  stream->out_at = stream->out_end - pieces[0].iov_len;
}
