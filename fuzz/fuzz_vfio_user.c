/* SPDX-License-Identifier: BSD-2-Clause */
/* A vfio-user server whose client does what the input says: bytes and descriptors in any order and
 * portion, messages that are nearly right, time that passes, connections that end.
 *
 * The input is a list of steps, a byte each with what it needs behind it:
 *   0  whole message: command, flags, count of descriptors and their kind, length of the payload,
 * payload 1  bytes as they are: length, count of descriptors and their kind, bytes 2  take the
 * replies          3  let time pass: seconds 4  end the connection, start another one and agree on
 * a version 5  have the model touch memory: 8 bytes of address   6  raise an interrupt: vector
 * Whatever the client does, once it has gone the model must have no memory left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/pci.h"
#include "hw/vfio_user.h"
#include "shunt/vfio_user.h"

#define BAR_BYTES    0x4000u
#define MEMORY_BYTES 0x10000u
#define MOST_STEPS   400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
  struct shunt_model model;
  uint8_t *memory; /* of BAR 0 */
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  struct shunt_vfio_user *server;
  char path[64];
  int fd;
  uint16_t id;
};

struct input {
  const uint8_t *at, *end;
};

/* ---- The model ---- */

static void model_reset(struct shunt_model *model)
{
  (void)model;
}

static uint64_t model_read(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes)
{
  uint64_t value = 0;
  (void)bar;
  memcpy(&value, ((struct target *)model)->memory + offset, bytes);
  return value;
}

static void model_write(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes,
                        uint64_t value)
{
  (void)bar;
  memcpy(((struct target *)model)->memory + offset, &value, bytes);
}

static unsigned model_poll(struct shunt_model *model, uint64_t now_ns)
{
  (void)model;
  (void)now_ns;
  return 0;
}

static unsigned model_counters(const struct shunt_model *model, const char *names[],
                               uint64_t values[], unsigned n)
{
  (void)model;
  (void)names;
  (void)values;
  (void)n;
  return 0;
}

static const struct shunt_model_ops model_ops = {.reset = model_reset,
                                                 .bar_read = model_read,
                                                 .bar_write = model_write,
                                                 .poll = model_poll,
                                                 .counters = model_counters,
                                                 .destroy = model_reset};

static void require(int holds)
{
  if (!holds)
    abort();
}

static struct target the_target;

static void target_end(void)
{
  shunt_vfio_user_destroy(the_target.server);
}

/* One server for all inputs: a client must leave nothing behind for the next. */
static struct target *target_get(void)
{
  static const struct shunt_model_area areas[] = {{0x1000, 0x1000}};
  const uint8_t head[] = {0x86, 0x80, 0xFB, 0x10};
  if (the_target.server)
    return &the_target;
  int fd = memfd_create("bar", MFD_CLOEXEC);
  require(fd >= 0 && ftruncate(fd, BAR_BYTES) == 0);
  the_target.memory = mmap(NULL, BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  require(the_target.memory != MAP_FAILED);
  the_target.model.ops = &model_ops;
  the_target.model.vectors = 20;
  the_target.model.bars[0] = (struct shunt_model_bar){
      .bytes = BAR_BYTES, .memory = the_target.memory, .fd = fd, .areas = areas, .area_count = 1};
  memcpy(the_target.model.config, head, sizeof head);
  the_target.model.config[PCI_CFG_INTERRUPT_PIN] = 1;
  the_target.model.config_writable[PCI_CFG_COMMAND] = 7;
  shunt_virtual_clock_init(&the_target.time, 1);
  the_target.clock = shunt_virtual_clock_view(&the_target.time);
  const struct shunt_vfio_user_options options = {.size = sizeof options,
                                                  .clock = &the_target.clock};
  snprintf(the_target.path, sizeof the_target.path, "/tmp/fuzz-vfio-user-%d", (int)getpid());
  require(shunt_vfio_user_create(&the_target.model, the_target.path, &options, &the_target.server,
                                 NULL) == 0);
  the_target.fd = -1;
  atexit(target_end);
  return &the_target;
}

static void settle(struct target *target)
{
  unsigned turns = 0;
  while (shunt_vfio_user_poll(target->server))
    require(++turns < 100000);
}

/* ---- The client ---- */

static uint8_t take(struct input *input)
{
  return input->at < input->end ? *input->at++ : 0;
}

static const uint8_t *take_bytes(struct input *input, size_t *bytes)
{
  const uint8_t *from = input->at;
  if (*bytes > (size_t)(input->end - input->at))
    *bytes = (size_t)(input->end - input->at);
  input->at += *bytes;
  return from;
}

static int make_fd(unsigned kind)
{
  int ends[2];
  if (kind % 4 == 0)
    return eventfd(0, EFD_CLOEXEC);
  if (kind % 4 == 3) {
    require(pipe(ends) == 0);
    close(ends[0]);
    return ends[1];
  }
  int fd = memfd_create("dma", MFD_CLOEXEC | (kind % 4 == 1 ? MFD_ALLOW_SEALING : 0));
  require(fd >= 0 && ftruncate(fd, MEMORY_BYTES) == 0);
  return fd;
}

/* how: count of descriptors in the low five bits, their kind above. */
static void send_with_fds(struct target *target, const void *bytes, size_t n, uint8_t how)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(32 * sizeof(int))];
  } control = {.bytes = {0}};
  unsigned count = how & 31;
  int fds[32];
  struct iovec piece = {(void *)bytes, n};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  for (unsigned i = 0; i < count; i++)
    fds[i] = make_fd(how >> 5);
  if (count > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
  }
  /* A connection that the server has ended takes no more; that is as it should be. */
  if (n > 0 && sendmsg(target->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    n = 0;
  for (unsigned i = 0; i < count; i++)
    close(fds[i]);
}

static void send_message(struct target *target, unsigned command, uint32_t flags,
                         const void *payload, size_t bytes, uint8_t how)
{
  static uint8_t out[sizeof(struct vfio_user_header) + 0x10000];
  const struct vfio_user_header header = {.id = ++target->id,
                                          .command = (uint16_t)command,
                                          .bytes = (uint32_t)(sizeof header + bytes),
                                          .flags = flags};
  memcpy(out, &header, sizeof header);
  memcpy(out + sizeof header, payload, bytes);
  send_with_fds(target, out, sizeof header + bytes, how);
}

static void take_replies(const struct target *target)
{
  static uint8_t scrap[0x10000];
  while (recv(target->fd, scrap, sizeof scrap, MSG_DONTWAIT) > 0)
    continue;
}

static void leave(struct target *target)
{
  if (target->fd >= 0)
    close(target->fd);
  target->fd = -1;
  settle(target);
  require(!shunt_vfio_user_connected(target->server));
  require(target->model.range_count == 0);
}

static void come(struct target *target, int agrees)
{
  static const char version[] =
      "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":8,\"write_multiple\":true}}";
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", target->path);
  target->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(connect(target->fd, (const struct sockaddr *)&address, sizeof address) == 0);
  if (agrees)
    send_message(target, VFIO_USER_VERSION, 0, version, sizeof version, 0);
  settle(target);
  require(!agrees || shunt_vfio_user_connected(target->server));
}

/* ---- Steps ---- */

static void step_message(struct target *target, struct input *input)
{
  unsigned command = take(input), flags = take(input) & VFIO_USER_FLAG_NO_REPLY;
  uint8_t how = take(input);
  size_t bytes = take(input);
  const uint8_t *payload = take_bytes(input, &bytes);
  send_message(target, command, flags, payload, bytes, how);
}

static void step_bytes(struct target *target, struct input *input)
{
  size_t bytes = take(input);
  uint8_t how = take(input);
  const uint8_t *from = take_bytes(input, &bytes);
  send_with_fds(target, from, bytes, how);
}

static void step_touch(struct target *target, struct input *input)
{
  uint64_t iova = 0;
  size_t bytes = sizeof iova;
  const uint8_t *from = take_bytes(input, &bytes);
  memcpy(&iova, from, bytes);
  uint8_t *byte = shunt_model_dma(&target->model, iova, 1, 1);
  if (byte)
    ++*byte;
}

static void step(struct target *target, struct input *input)
{
  unsigned vector;
  switch (take(input) % 7) {
  case 0:
    step_message(target, input);
    break;
  case 1:
    step_bytes(target, input);
    break;
  case 2:
    take_replies(target);
    break;
  case 3:
    target->time.now_ns += take(input) * UINT64_C(1000000000);
    break;
  case 4:
    leave(target);
    come(target, 1);
    break;
  case 5:
    step_touch(target, input);
    break;
  default:
    vector = take(input);
    target->model.host.interrupt(target->model.host.context,
                                 vector == 255 ? SHUNT_MODEL_INTX : vector, 1);
  }
  settle(target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct target *target = target_get();
  struct input input = {data, data + size};
  come(target, size > 0 && data[0] % 8 != 0);
  for (unsigned steps = 0; input.at < input.end && steps < MOST_STEPS; steps++)
    step(target, &input);
  leave(target);
  return 0;
}
