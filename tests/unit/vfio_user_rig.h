/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of the vfio-user server share: a small model behind a server on a virtual clock, and a
 * client that is nothing but a socket, so that it can say what no real client would. All in one
 * thread: after each message the server is polled. */
#ifndef TESTS_UNIT_VFIO_USER_RIG_H
#define TESTS_UNIT_VFIO_USER_RIG_H

#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "hw/pci.h"
#include "hw/vfio_user.h"
#include "shunt/vfio_user.h"

#define RIG_BAR0_BYTES 0x4000u
#define RIG_BAR2_BYTES 0x100u
#define RIG_VECTORS    20u
#define RIG_AREAS      2u

/* Registers of BAR 0 that do something. */
#define RIG_DMA_ADDRESS 0x10u /* 8 bytes */
#define RIG_DMA_POKE    0x18u /* writes its low byte there */
#define RIG_DMA_PEEK    0x1Cu /* reads a byte from there; 0xFFFFFFFF where that is refused */
#define RIG_INTERRUPT   0x20u /* raises the vector that is written; 0x100: INTx up, 0x101: down */

struct rig_model {
  struct shunt_model model;
  uint8_t *memory; /* BAR 0 */
  uint8_t bar2[RIG_BAR2_BYTES];
  unsigned resets;
  unsigned widths[9]; /* accesses of so many bytes */
};

static const struct shunt_model_area rig_areas[RIG_AREAS] = {{0x1000, 0x1000}, {0x3000, 0x1000}};

struct rig {
  struct rig_model *model;
  struct shunt_vfio_user *server;
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  char path[64];
  int fd; /* the client's socket; -1: not connected */
  uint16_t next_id;
};

struct rig_reply {
  struct vfio_user_header header;
  uint8_t payload[70000];
  uint32_t bytes; /* of the payload */
  int fd;         /* that came with it, or -1 */
};

/* ---- The model ---- */

static void rig_model_reset(struct shunt_model *model)
{
  ((struct rig_model *)model)->resets++;
}

static uint8_t *rig_model_place(struct rig_model *rig, unsigned bar, uint64_t offset)
{
  return bar == 0 ? rig->memory + offset : rig->bar2 + offset;
}

static uint64_t rig_model_read(struct shunt_model *model, unsigned bar, uint64_t offset,
                               unsigned bytes)
{
  struct rig_model *rig = (struct rig_model *)model;
  uint64_t value = 0, address;
  rig->widths[bytes]++;
  memcpy(&value, rig_model_place(rig, bar, offset), bytes);
  if (bar != 0 || offset != RIG_DMA_PEEK)
    return value;
  memcpy(&address, rig->memory + RIG_DMA_ADDRESS, sizeof address);
  const uint8_t *byte = shunt_model_dma(model, address, 1, 0);
  return byte != NULL ? *byte : UINT32_MAX;
}

static void rig_model_write(struct shunt_model *model, unsigned bar, uint64_t offset,
                            unsigned bytes, uint64_t value)
{
  struct rig_model *rig = (struct rig_model *)model;
  uint64_t address;
  rig->widths[bytes]++;
  memcpy(rig_model_place(rig, bar, offset), &value, bytes);
  if (bar != 0)
    return;
  memcpy(&address, rig->memory + RIG_DMA_ADDRESS, sizeof address);
  uint8_t *byte = offset == RIG_DMA_POKE ? shunt_model_dma(model, address, 1, 1) : NULL;
  if (byte != NULL)
    *byte = (uint8_t)value;
  if (offset != RIG_INTERRUPT || model->host.interrupt == NULL)
    return;
  if (value >= 0x100)
    model->host.interrupt(model->host.context, SHUNT_MODEL_INTX, value == 0x100);
  else
    model->host.interrupt(model->host.context, (unsigned)value, 1);
}

static unsigned rig_model_poll(struct shunt_model *model, uint64_t now_ns)
{
  (void)model;
  (void)now_ns;
  return 0;
}

static unsigned rig_model_counters(const struct shunt_model *model, const char *names[],
                                   uint64_t values[], unsigned n)
{
  if (n > 0) {
    names[0] = "dma_faults";
    values[0] = model->dma_faults;
  }
  return 1;
}

static void rig_model_destroy(struct shunt_model *model)
{
  struct rig_model *rig = (struct rig_model *)model;
  munmap(rig->memory, RIG_BAR0_BYTES);
  close(model->bars[0].fd);
  free(rig);
}

static const struct shunt_model_ops rig_model_ops = {.reset = rig_model_reset,
                                                     .bar_read = rig_model_read,
                                                     .bar_write = rig_model_write,
                                                     .poll = rig_model_poll,
                                                     .counters = rig_model_counters,
                                                     .destroy = rig_model_destroy};

static inline struct rig_model *rig_model_create(void)
{
  struct rig_model *rig = calloc(1, sizeof *rig);
  assert_non_null(rig);
  struct shunt_model *model = &rig->model;
  int fd = memfd_create("rig", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, RIG_BAR0_BYTES), 0);
  rig->memory = mmap(NULL, RIG_BAR0_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert_ptr_not_equal(rig->memory, MAP_FAILED);
  model->ops = &rig_model_ops;
  model->kind = "rig";
  model->vectors = RIG_VECTORS;
  model->bars[0] = (struct shunt_model_bar){.bytes = RIG_BAR0_BYTES,
                                            .memory = rig->memory,
                                            .fd = fd,
                                            .areas = rig_areas,
                                            .area_count = RIG_AREAS};
  model->bars[2] = (struct shunt_model_bar){.bytes = RIG_BAR2_BYTES, .fd = -1};
  const uint8_t head[] = {0x86, 0x80, 0xFB, 0x10, 0, 0, 0x10, 0};
  memcpy(model->config, head, sizeof head);
  model->config[PCI_CFG_CAPABILITIES] = 0x50;
  model->config[PCI_CFG_INTERRUPT_PIN] = 1;
  model->config[0x50] = PCI_CAPABILITY_MSI;
  model->config_writable[PCI_CFG_COMMAND] = 0x07;
  return rig;
}

/* ---- The server ---- */

static inline void rig_serve(struct rig *rig, const struct shunt_vfio_user_options *given)
{
  struct shunt_vfio_user_options options = {.size = sizeof options};
  struct shunt_error error = {0};
  memset(rig, 0, sizeof *rig);
  if (given != NULL)
    options = *given;
  shunt_virtual_clock_init(&rig->time, 1000);
  rig->clock = shunt_virtual_clock_view(&rig->time);
  options.clock = &rig->clock;
  rig->model = rig_model_create();
  rig->fd = -1;
  snprintf(rig->path, sizeof rig->path, "/tmp/shunt-rig-%d-%p", (int)getpid(), (void *)rig);
  if (shunt_vfio_user_create(&rig->model->model, rig->path, &options, &rig->server, &error) < 0)
    fail_msg("%s: %s", error.what, error.why);
}

static inline void rig_leave(struct rig *rig)
{
  if (rig->fd >= 0)
    close(rig->fd);
  rig->fd = -1;
}

static inline void rig_end(struct rig *rig)
{
  rig_leave(rig);
  shunt_vfio_user_destroy(rig->server);
  assert_int_equal(access(rig->path, F_OK), -1);
  shunt_model_destroy(&rig->model->model);
}

/* Until it has nothing more to do. */
static inline void rig_poll(struct rig *rig)
{
  unsigned turns = 0;
  while (shunt_vfio_user_poll(rig->server) > 0)
    assert_true(++turns < 10000);
}

static inline uint64_t rig_count(const struct rig *rig, const char *name)
{
  return shunt_vfio_user_counter(rig->server, name);
}

/* ---- The client ---- */

static inline int rig_connect_to(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

/* Bytes as they are, with descriptors beside the first of them. */
static inline void rig_send_bytes(const struct rig *rig, const void *bytes, size_t n,
                                  const int fds[], unsigned fd_count)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(64 * sizeof(int))];
  } control = {.bytes = {0}};
  struct iovec piece = {(void *)bytes, n};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (fd_count > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
  }
  assert_int_equal(sendmsg(rig->fd, &message, MSG_NOSIGNAL), n);
}

/* A message's bytes; returns how many. */
static inline size_t rig_compose(struct rig *rig, uint8_t *out, unsigned command, uint32_t flags,
                                 const void *payload, size_t bytes)
{
  struct vfio_user_header header = {.id = ++rig->next_id,
                                    .command = (uint16_t)command,
                                    .bytes = (uint32_t)(sizeof header + bytes),
                                    .flags = flags};
  memcpy(out, &header, sizeof header);
  if (bytes > 0)
    memcpy(out + sizeof header, payload, bytes);
  return sizeof header + bytes;
}

static inline void rig_send(struct rig *rig, unsigned command, uint32_t flags, const void *payload,
                            size_t bytes, const int fds[], unsigned fd_count)
{
  static uint8_t out[70000];
  rig_send_bytes(rig, out, rig_compose(rig, out, command, flags, payload, bytes), fds, fd_count);
}

/* The next reply, if one is there. */
static inline bool rig_receive(const struct rig *rig, struct rig_reply *reply)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(16 * sizeof(int))];
  } control;
  struct iovec piece = {&reply->header, sizeof reply->header};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  reply->fd = -1;
  ssize_t got = recvmsg(rig->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got <= 0)
    return false;
  assert_int_equal(got, sizeof reply->header);
  const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  if (c != NULL && c->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(&reply->fd, CMSG_DATA(c), sizeof(int));
  assert_true(reply->header.bytes >= sizeof reply->header);
  reply->bytes = reply->header.bytes - (uint32_t)sizeof reply->header;
  assert_true(reply->bytes <= sizeof reply->payload);
  if (reply->bytes > 0)
    assert_int_equal(recv(rig->fd, reply->payload, reply->bytes, MSG_DONTWAIT), reply->bytes);
  return true;
}

/* Whether the server has ended the connection: nothing more can come. */
static inline bool rig_is_dismissed(const struct rig *rig)
{
  uint8_t byte;
  ssize_t got = recv(rig->fd, &byte, 1, MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno == ECONNRESET);
}

/* Ask, poll, and take the reply. Returns 0, or the errno of an error reply. */
static inline int rig_ask_with_fds(struct rig *rig, unsigned command, const void *payload,
                                   size_t bytes, const int fds[], unsigned fd_count,
                                   struct rig_reply *reply)
{
  rig_send(rig, command, 0, payload, bytes, fds, fd_count);
  rig_poll(rig);
  if (!rig_receive(rig, reply))
    fail_msg("no reply to command %u: %s", command, shunt_vfio_user_last_fault(rig->server));
  assert_int_equal(reply->header.id, rig->next_id);
  assert_int_equal(reply->header.command, command);
  assert_int_equal(reply->header.flags & ~VFIO_USER_FLAG_ERROR, VFIO_USER_FLAG_REPLY);
  if (!(reply->header.flags & VFIO_USER_FLAG_ERROR))
    return 0;
  assert_int_equal(reply->bytes, 0);
  assert_int_not_equal(reply->header.error, 0);
  return (int)reply->header.error;
}

static inline int rig_ask(struct rig *rig, unsigned command, const void *payload, size_t bytes,
                          struct rig_reply *reply)
{
  return rig_ask_with_fds(rig, command, payload, bytes, NULL, 0, reply);
}

static inline int rig_version(struct rig *rig, uint16_t major, uint16_t minor, const char *json,
                              size_t json_bytes, struct rig_reply *reply)
{
  uint8_t payload[1024];
  const struct vfio_user_version version = {major, minor};
  memcpy(payload, &version, sizeof version);
  memcpy(payload + sizeof version, json, json_bytes);
  return rig_ask(rig, VFIO_USER_VERSION, payload, sizeof version + json_bytes, reply);
}

#define RIG_CAPABILITIES                                                                           \
  "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"write_multiple\":true}}"

/* Connect and agree on a version. */
static inline void rig_connect(struct rig *rig)
{
  static struct rig_reply reply;
  rig_leave(rig);
  rig->fd = rig_connect_to(rig->path);
  assert_int_equal(rig_version(rig, 0, 0, RIG_CAPABILITIES, sizeof RIG_CAPABILITIES, &reply), 0);
}

static inline void rig_open(struct rig *rig, const struct shunt_vfio_user_options *options)
{
  rig_serve(rig, options);
  rig_connect(rig);
}

/* ---- What clients do most ---- */

static inline int rig_read(struct rig *rig, uint32_t region, uint64_t offset, void *data,
                           uint32_t count)
{
  static struct rig_reply reply;
  const struct vfio_user_access access = {offset, region, count};
  int code = rig_ask(rig, VFIO_USER_REGION_READ, &access, sizeof access, &reply);
  if (code != 0)
    return code;
  assert_int_equal(reply.bytes, sizeof access + count);
  assert_memory_equal(reply.payload, &access, sizeof access);
  memcpy(data, reply.payload + sizeof access, count);
  return 0;
}

static inline uint32_t rig_read32(struct rig *rig, uint32_t region, uint64_t offset)
{
  uint32_t value = 0;
  assert_int_equal(rig_read(rig, region, offset, &value, sizeof value), 0);
  return value;
}

static inline int rig_write(struct rig *rig, uint32_t region, uint64_t offset, const void *data,
                            uint32_t count)
{
  static struct rig_reply reply;
  static uint8_t payload[70000];
  const struct vfio_user_access access = {offset, region, count};
  memcpy(payload, &access, sizeof access);
  memcpy(payload + sizeof access, data, count);
  int code = rig_ask(rig, VFIO_USER_REGION_WRITE, payload, sizeof access + count, &reply);
  if (code == 0)
    assert_memory_equal(reply.payload, &access, sizeof access);
  return code;
}

static inline void rig_write32(struct rig *rig, uint32_t region, uint64_t offset, uint32_t value)
{
  assert_int_equal(rig_write(rig, region, offset, &value, sizeof value), 0);
}

/* A memfd of so many bytes. */
static inline int rig_memory(uint64_t bytes, unsigned flags)
{
  int fd = memfd_create("memory", MFD_CLOEXEC | flags);
  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
  return fd;
}

static inline int rig_dma_map(struct rig *rig, uint64_t iova, uint64_t bytes, int fd,
                              uint64_t offset, uint32_t flags)
{
  static struct rig_reply reply;
  const struct vfio_user_dma_map map = {sizeof map, flags, offset, iova, bytes};
  return rig_ask_with_fds(rig, VFIO_USER_DMA_MAP, &map, sizeof map, &fd, fd >= 0, &reply);
}

static inline int rig_dma_unmap(struct rig *rig, uint64_t iova, uint64_t bytes)
{
  static struct rig_reply reply;
  const struct vfio_user_dma_unmap unmap = {sizeof unmap, 0, iova, bytes};
  int code = rig_ask(rig, VFIO_USER_DMA_UNMAP, &unmap, sizeof unmap, &reply);
  if (code == 0)
    assert_memory_equal(reply.payload, &unmap, sizeof unmap);
  return code;
}

/* Have the model read or write a byte of the client's memory. */
static inline uint32_t rig_peek(struct rig *rig, uint64_t iova)
{
  assert_int_equal(rig_write(rig, 0, RIG_DMA_ADDRESS, &iova, sizeof iova), 0);
  return rig_read32(rig, 0, RIG_DMA_PEEK);
}

static inline void rig_poke(struct rig *rig, uint64_t iova, uint8_t value)
{
  assert_int_equal(rig_write(rig, 0, RIG_DMA_ADDRESS, &iova, sizeof iova), 0);
  rig_write32(rig, 0, RIG_DMA_POKE, value);
}

static inline int rig_set_irqs(struct rig *rig, uint32_t flags, uint32_t kind, uint32_t start,
                               uint32_t count, const int fds[], unsigned fd_count)
{
  static struct rig_reply reply;
  const struct vfio_user_irq_set set = {sizeof set, flags, kind, start, count};
  return rig_ask_with_fds(rig, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof set, fds, fd_count, &reply);
}

/* How often an eventfd was signalled since the last call. */
static inline uint64_t rig_signals(int fd)
{
  uint64_t count = 0;
  return read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

#endif
