/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks are written in the machine's byte order, which the section header tells (4.1). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/core/error_internal.h"
#include "src/core/pcapng.h"

#define WRITER_BUFFER_BYTES (64u << 10)

struct pcapng_writer {
  int fd;
  int failed; /* errno of the first write that failed, negative */
  int interface_count;
  int interface_capacity;
  uint32_t *snapshot_bytes; /* of each interface; UINT32_MAX: no limit */
  size_t used;
  uint8_t buffer[WRITER_BUFFER_BYTES];
};

/* ---- Bytes ---- */

static int writer_write_all(struct pcapng_writer *writer, const uint8_t *bytes, size_t count)
{
  while (count > 0) {
    ssize_t written = write(writer->fd, bytes, count);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return written < 0 ? -errno : -EIO;
    bytes += written;
    count -= (size_t)written;
  }
  return 0;
}

int pcapng_writer_flush(struct pcapng_writer *writer)
{
  if (writer->failed == 0)
    writer->failed = writer_write_all(writer, writer->buffer, writer->used);
  writer->used = 0;
  return writer->failed;
}

static void writer_put(struct pcapng_writer *writer, const void *bytes, size_t count)
{
  const uint8_t *from = bytes;
  while (count > 0 && writer->failed == 0) {
    size_t room = sizeof(writer->buffer) - writer->used;
    size_t fits = count < room ? count : room;
    memcpy(writer->buffer + writer->used, from, fits);
    writer->used += fits;
    from += fits;
    count -= fits;
    if (writer->used == sizeof(writer->buffer))
      pcapng_writer_flush(writer);
  }
}

static void writer_put_u16(struct pcapng_writer *writer, uint16_t value)
{
  writer_put(writer, &value, sizeof(value));
}

static void writer_put_u32(struct pcapng_writer *writer, uint32_t value)
{
  writer_put(writer, &value, sizeof(value));
}

/* Everything in a block is aligned to 4 bytes (3.1). */
static uint32_t writer_padding(size_t bytes)
{
  return (uint32_t)(-bytes & 3);
}

static void writer_put_padded(struct pcapng_writer *writer, const void *bytes, size_t count)
{
  static const uint8_t zeros[4];
  writer_put(writer, bytes, count);
  writer_put(writer, zeros, writer_padding(count));
}

/* An option: code, length, value (3.5). */
static void writer_put_option(struct pcapng_writer *writer, uint16_t code, const void *value,
                              uint16_t bytes)
{
  writer_put_u16(writer, code);
  writer_put_u16(writer, bytes);
  writer_put_padded(writer, value, bytes);
}

static uint32_t writer_option_bytes(size_t bytes)
{
  return 4 + (uint32_t)bytes + writer_padding(bytes);
}

/* A text's length as an option can carry it. */
static uint16_t writer_text_bytes(const char *text)
{
  return (uint16_t)strnlen(text, 1024);
}

/* ---- Blocks ---- */

static void writer_put_section(struct pcapng_writer *writer, const char *application)
{
  uint16_t text_bytes = writer_text_bytes(application);
  uint32_t total = 28 + writer_option_bytes(text_bytes) + 4;
  static const uint64_t length_unknown = UINT64_MAX; /* 4.1: -1 */
  writer_put_u32(writer, PCAPNG_BLOCK_SECTION);
  writer_put_u32(writer, total);
  writer_put_u32(writer, PCAPNG_BYTE_ORDER_MAGIC);
  writer_put_u16(writer, 1); /* version 1.0 */
  writer_put_u16(writer, 0);
  writer_put(writer, &length_unknown, sizeof(length_unknown));
  writer_put_option(writer, PCAPNG_SHB_USERAPPL, application, text_bytes);
  writer_put_option(writer, PCAPNG_OPTION_END, NULL, 0);
  writer_put_u32(writer, total);
}

int pcapng_writer_open_fd(int fd, const char *name, const char *application,
                          struct pcapng_writer **writer, struct shunt_error *error)
{
  struct pcapng_writer *made = calloc(1, sizeof(*made));
  if (made == NULL) {
    close(fd);
    return shunt_error_set(error, -ENOMEM, "no memory to write %s", name);
  }
  made->fd = fd;
  writer_put_section(made, application ? application : "");
  int code = pcapng_writer_flush(made);
  if (code < 0) {
    error_set_errno(error, code, "can't write the capture %s", name);
    pcapng_writer_close(made);
    return code;
  }
  *writer = made;
  return 0;
}

int pcapng_writer_open(const char *path, const char *application, struct pcapng_writer **writer,
                       struct shunt_error *error)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    int code = error_set_errno(error, -errno, "can't write the capture %s", path);
    shunt_error_remedy(error, "name a file in a folder that is there and may be written to");
    return code;
  }
  return pcapng_writer_open_fd(fd, path, application, writer, error);
}

static int writer_make_room(struct pcapng_writer *writer)
{
  if (writer->interface_count < writer->interface_capacity)
    return 0;
  int capacity = writer->interface_capacity ? 2 * writer->interface_capacity : 8;
  uint32_t *limits = realloc(writer->snapshot_bytes, (size_t)capacity * sizeof(*limits));
  if (limits == NULL)
    return -ENOMEM;
  writer->snapshot_bytes = limits;
  writer->interface_capacity = capacity;
  return 0;
}

/* A text that may be NULL: then there is no option. */
static uint32_t writer_text_option_bytes(const char *text)
{
  return text ? writer_option_bytes(writer_text_bytes(text)) : 0;
}

static void writer_put_text(struct pcapng_writer *writer, uint16_t code, const char *text)
{
  if (text)
    writer_put_option(writer, code, text, writer_text_bytes(text));
}

int pcapng_writer_interface(struct pcapng_writer *writer, const struct pcapng_interface *interface)
{
  if (writer_make_room(writer) < 0)
    return -ENOMEM;
  static const uint8_t nanoseconds = 9; /* if_tsresol: 10^-9 (4.2) */
  uint32_t total = 20 + writer_text_option_bytes(interface->name) +
                   writer_text_option_bytes(interface->description) +
                   writer_text_option_bytes(interface->comment) + writer_option_bytes(1) + 4;
  writer_put_u32(writer, PCAPNG_BLOCK_INTERFACE);
  writer_put_u32(writer, total);
  writer_put_u16(writer, PCAPNG_LINK_ETHERNET);
  writer_put_u16(writer, 0);
  writer_put_u32(writer, interface->snapshot_bytes); /* 0: no limit */
  writer_put_text(writer, PCAPNG_IF_NAME, interface->name);
  writer_put_text(writer, PCAPNG_IF_DESCRIPTION, interface->description);
  writer_put_text(writer, PCAPNG_OPTION_COMMENT, interface->comment);
  writer_put_option(writer, PCAPNG_IF_TSRESOL, &nanoseconds, 1);
  writer_put_option(writer, PCAPNG_OPTION_END, NULL, 0);
  writer_put_u32(writer, total);
  if (writer->failed < 0)
    return writer->failed;
  writer->snapshot_bytes[writer->interface_count] =
      interface->snapshot_bytes ? interface->snapshot_bytes : UINT32_MAX;
  return writer->interface_count++;
}

static void writer_put_pieces(struct pcapng_writer *writer, const struct iovec pieces[], unsigned n,
                              uint32_t bytes)
{
  static const uint8_t zeros[4];
  uint32_t left = bytes;
  for (unsigned i = 0; i < n && left > 0; i++) {
    uint32_t take = pieces[i].iov_len < left ? (uint32_t)pieces[i].iov_len : left;
    writer_put(writer, pieces[i].iov_base, take);
    left -= take;
  }
  writer_put(writer, zeros, writer_padding(bytes));
}

/* A time, its upper half first (4.3). */
static void writer_put_time(struct pcapng_writer *writer, uint64_t time_ns)
{
  writer_put_u32(writer, (uint32_t)(time_ns >> 32));
  writer_put_u32(writer, (uint32_t)time_ns);
}

static bool writer_has(const struct pcapng_writer *writer, int interface)
{
  return interface >= 0 && interface < writer->interface_count;
}

int pcapng_writer_frame(struct pcapng_writer *writer, const struct pcapng_packet *packet,
                        const struct iovec pieces[], unsigned n)
{
  if (!writer_has(writer, packet->interface))
    return -EINVAL;
  size_t bytes = 0;
  for (unsigned i = 0; i < n; i++)
    bytes += pieces[i].iov_len;
  if (bytes > writer->snapshot_bytes[packet->interface])
    bytes = writer->snapshot_bytes[packet->interface];
  if (bytes > PCAPNG_FRAME_BYTES_MAX)
    bytes = PCAPNG_FRAME_BYTES_MAX;
  uint32_t captured = (uint32_t)bytes;
  uint32_t flags = packet->direction;
  uint32_t queue_bytes = packet->has_queue ? writer_option_bytes(sizeof(packet->queue)) : 0;
  uint32_t total = 28 + captured + writer_padding(captured) + writer_option_bytes(sizeof(flags)) +
                   queue_bytes + 4 + 4;
  writer_put_u32(writer, PCAPNG_BLOCK_ENHANCED);
  writer_put_u32(writer, total);
  writer_put_u32(writer, (uint32_t)packet->interface);
  writer_put_time(writer, packet->time_ns);
  writer_put_u32(writer, captured);
  writer_put_u32(writer, packet->original_bytes);
  writer_put_pieces(writer, pieces, n, captured);
  writer_put_option(writer, PCAPNG_EPB_FLAGS, &flags, sizeof(flags));
  if (packet->has_queue)
    writer_put_option(writer, PCAPNG_EPB_QUEUE, &packet->queue, sizeof(packet->queue));
  writer_put_option(writer, PCAPNG_OPTION_END, NULL, 0);
  writer_put_u32(writer, total);
  return writer->failed;
}

/* An option that holds a time. */
static void writer_put_time_option(struct pcapng_writer *writer, uint16_t code, uint64_t time_ns)
{
  writer_put_u16(writer, code);
  writer_put_u16(writer, sizeof(time_ns));
  writer_put_time(writer, time_ns);
}

int pcapng_writer_statistics(struct pcapng_writer *writer,
                             const struct pcapng_statistics *statistics)
{
  if (!writer_has(writer, statistics->interface))
    return -EINVAL;
  uint32_t total = 24 + 4 * writer_option_bytes(sizeof(uint64_t)) + 4;
  writer_put_u32(writer, PCAPNG_BLOCK_STATISTICS);
  writer_put_u32(writer, total);
  writer_put_u32(writer, (uint32_t)statistics->interface);
  writer_put_time(writer, statistics->end_ns);
  writer_put_time_option(writer, PCAPNG_ISB_STARTTIME, statistics->start_ns);
  writer_put_time_option(writer, PCAPNG_ISB_ENDTIME, statistics->end_ns);
  writer_put_option(writer, PCAPNG_ISB_IFRECV, &statistics->received, sizeof(uint64_t));
  writer_put_option(writer, PCAPNG_ISB_IFDROP, &statistics->dropped, sizeof(uint64_t));
  writer_put_option(writer, PCAPNG_OPTION_END, NULL, 0);
  writer_put_u32(writer, total);
  return writer->failed;
}

int pcapng_writer_close(struct pcapng_writer *writer)
{
  if (writer == NULL)
    return 0;
  int code = pcapng_writer_flush(writer);
  if (close(writer->fd) < 0 && code == 0)
    code = -errno;
  free(writer->snapshot_bytes);
  free(writer);
  return code;
}
