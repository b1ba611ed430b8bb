/* SPDX-License-Identifier: BSD-2-Clause */
/* What each command does (vfio-user.rst, one section for each). */
#include <errno.h>
#include <string.h>

#include "hw/pci.h"
#include "twin/vfio_user/server.h"

/* PCI's regions, as VFIO numbers them: six BARs, the ROM, configuration space, VGA. */
#define REGIONS VFIO_PCI_NUM_REGIONS

/* Most areas of a BAR that are told of. */
#define MOST_AREAS 64u

/* A command's handler. Returns 0 where it has replied or nothing is to be said but "done", or the
 * negative errno to reply. */
typedef int handler(struct shunt_vfio_user *server, struct message *message);

/* ---- Replies ---- */

static void reply_with_fd(struct shunt_vfio_user *server, struct message *message,
                          const void *payload, uint32_t bytes, int fd)
{
  struct vfio_user_header header = {.id = message->header.id,
                                    .command = message->header.command,
                                    .bytes = (uint32_t)sizeof header + bytes,
                                    .flags = VFIO_USER_FLAG_REPLY};
  if (!(message->header.flags & VFIO_USER_FLAG_NO_REPLY))
    stream_reply(&server->stream, &header, payload, bytes, fd);
  message->header.flags |= VFIO_USER_FLAG_NO_REPLY; /* never a second time */
}

static void reply(struct shunt_vfio_user *server, struct message *message, const void *payload,
                  uint32_t bytes)
{
  reply_with_fd(server, message, payload, bytes, -1);
}

/* "If an error occurs, the reply message must only include the reply header." */
static void reply_error(struct shunt_vfio_user *server, const struct message *message, int code)
{
  struct vfio_user_header header = {.id = message->header.id,
                                    .command = message->header.command,
                                    .bytes = sizeof header,
                                    .flags = VFIO_USER_FLAG_REPLY | VFIO_USER_FLAG_ERROR,
                                    .error = (uint32_t)-code};
  if (!(message->header.flags & VFIO_USER_FLAG_NO_REPLY))
    stream_reply(&server->stream, &header, NULL, 0, -1);
}

static int refuse_payload(struct shunt_vfio_user *server, const struct message *message,
                          const char *what)
{
  server_fault(server, &server->counters.bad_payload, "command %u: %s", message->header.command,
               what);
  return -EINVAL;
}

/* ---- VERSION ---- */

static int refuse_version(struct shunt_vfio_user *server, const char *what)
{
  server_fault(server, &server->counters.bad_version, "%s", what);
  return -EPROTO;
}

/* Ours: a subset of what the client has proposed. */
static void choose_capabilities(const struct shunt_vfio_user *server, struct capabilities *ours)
{
  static const uint64_t offered[CAPABILITIES] = {
      [CAPABILITY_MSG_FDS] = SERVER_MSG_FDS,   [CAPABILITY_XFER_BYTES] = SERVER_XFER_BYTES,
      [CAPABILITY_DMA_MAPS] = DMA_MOST_RANGES, [CAPABILITY_PGSIZES] = VFIO_USER_DEFAULT_PGSIZES,
      [CAPABILITY_WRITE_MULTIPLE] = 1,
  };
  *ours = server->peer;
  memcpy(ours->value, offered, sizeof offered);
  ours->given[CAPABILITY_WRITE_MULTIPLE] = server->peer.value[CAPABILITY_WRITE_MULTIPLE] != 0;
}

static int handle_version(struct shunt_vfio_user *server, struct message *message)
{
  struct vfio_user_version version;
  struct {
    struct vfio_user_version version;
    char text[CAPABILITIES_TEXT_BYTES];
  } answer = {.version = {VFIO_USER_MAJOR, VFIO_USER_MINOR}};
  const char *why = "";
  if (server->agreed)
    return refuse_version(server, "a second VERSION");
  if (message->bytes < sizeof version)
    return refuse_version(server, "a VERSION without numbers");
  memcpy(&version, message->payload, sizeof version);
  if (version.major != VFIO_USER_MAJOR)
    return refuse_version(server, "another major version than 0");
  if (capabilities_read(&server->peer, message->payload + sizeof version,
                        message->bytes - sizeof version, &why) < 0)
    return refuse_version(server, why);
  struct capabilities ours;
  choose_capabilities(server, &ours);
  size_t bytes = capabilities_write(&ours, answer.text);
  server->agreed = true;
  reply(server, message, &answer, (uint32_t)(sizeof version + bytes));
  return 0;
}

/* ---- What the device is ---- */

static int handle_info(struct shunt_vfio_user *server, struct message *message)
{
  struct vfio_user_device_info info;
  memcpy(&info, message->payload, sizeof info);
  if (info.argsz < sizeof info)
    return refuse_payload(server, message, "argsz is too small for the reply");
  info = (struct vfio_user_device_info){.argsz = sizeof info,
                                        .flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
                                        .regions = REGIONS,
                                        .irqs = IRQS_KINDS};
  reply(server, message, &info, sizeof info);
  return 0;
}

static uint64_t region_bytes(const struct shunt_vfio_user *server, uint32_t region)
{
  if (region <= VFIO_PCI_BAR5_REGION_INDEX)
    return server->model->bars[region].bytes;
  return region == VFIO_PCI_CONFIG_REGION_INDEX ? SHUNT_MODEL_CONFIG_BYTES : 0;
}

/* None where a client could cut the file under the model. */
static unsigned region_areas(const struct shunt_vfio_user *server, uint32_t region)
{
  if (region > VFIO_PCI_BAR5_REGION_INDEX || server->no_areas)
    return 0;
  const struct shunt_model_bar *bar = &server->model->bars[region];
  if (bar->memory == NULL || bar->fd < 0 || dma_file_seal(bar->fd) < 0)
    return 0;
  return bar->area_count < MOST_AREAS ? bar->area_count : MOST_AREAS;
}

struct region_reply {
  struct vfio_user_region_info info;
  struct vfio_user_sparse sparse;
  struct vfio_user_area areas[MOST_AREAS];
};

static int handle_region_info(struct shunt_vfio_user *server, struct message *message)
{
  struct region_reply out;
  memset(&out, 0, sizeof out);
  memcpy(&out.info, message->payload, sizeof out.info);
  uint32_t room = out.info.argsz, region = out.info.index;
  if (room < sizeof out.info)
    return refuse_payload(server, message, "argsz is too small for the reply");
  if (region >= REGIONS)
    return refuse_payload(server, message, "there is no such region");
  unsigned n = region_areas(server, region);
  uint32_t bytes = sizeof out.info;
  out.info = (struct vfio_user_region_info){
      .index = region, .bytes = region_bytes(server, region), .argsz = bytes};
  if (out.info.bytes > 0)
    out.info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
  if (n == 0) {
    reply(server, message, &out.info, bytes);
    return 0;
  }
  out.info.flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
  out.info.argsz += (uint32_t)(sizeof out.sparse + n * sizeof out.areas[0]);
  /* Where the capability will be stands in the short reply too: QEMU refuses a region whose CAPS
   * flag comes with an offset inside the fixed part (hw/vfio-user/device.c). */
  out.info.cap_offset = offsetof(struct region_reply, sparse);
  if (room < out.info.argsz) { /* the client asks again, with room; the descriptor goes with that */
    reply(server, message, &out.info, bytes);
    return 0;
  }
  const struct shunt_model_bar *bar = &server->model->bars[region];
  out.sparse =
      (struct vfio_user_sparse){.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1, .areas = n};
  for (unsigned i = 0; i < n; i++)
    out.areas[i] = (struct vfio_user_area){bar->areas[i].offset, bar->areas[i].bytes};
  reply_with_fd(server, message, &out, out.info.argsz, bar->fd);
  return 0;
}

static int handle_irq_info(struct shunt_vfio_user *server, struct message *message)
{
  struct vfio_user_irq_info info;
  memcpy(&info, message->payload, sizeof info);
  if (info.argsz < sizeof info)
    return refuse_payload(server, message, "argsz is too small for the reply");
  if (info.index >= IRQS_KINDS)
    return refuse_payload(server, message, "there is no such kind of interrupt");
  info = (struct vfio_user_irq_info){.argsz = sizeof info,
                                     .index = info.index,
                                     .flags = irqs_flags(info.index),
                                     .count = server->irqs.count[info.index]};
  reply(server, message, &info, sizeof info);
  return 0;
}

/* ---- Memory ---- */

static int refuse_memory(struct shunt_vfio_user *server, const struct vfio_user_dma_map *map,
                         int code)
{
  bool is_kind = code == -EBADF || code == -EPERM || code == -EACCES;
  server_fault(server, is_kind ? &server->counters.bad_fd : &server->counters.dma_refused,
               "memory at 0x%llx, %llu bytes: %s", (unsigned long long)map->iova,
               (unsigned long long)map->bytes,
               code == -EPERM ? "its file could shrink, and is no memfd that can be sealed"
                              : strerrordesc_np(-code));
  return code;
}

static int handle_dma_map(struct shunt_vfio_user *server, struct message *message)
{
  const uint32_t known = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITEABLE;
  struct vfio_user_dma_map map;
  memcpy(&map, message->payload, sizeof map);
  if (map.flags & ~known)
    return refuse_payload(server, message, "flags that there are not");
  int code = dma_map(&server->dma, map.iova, map.bytes, message->fd_count ? message->fds[0] : -1,
                     map.offset, map.flags & VFIO_USER_DMA_WRITEABLE);
  if (code < 0)
    return refuse_memory(server, &map, code);
  server->counters.dma_maps++;
  return 0;
}

/* A range that is not known is no error: QEMU takes back what it never gave. */
static int handle_dma_unmap(struct shunt_vfio_user *server, struct message *message)
{
  struct vfio_user_dma_unmap unmap;
  memcpy(&unmap, message->payload, sizeof unmap);
  if (unmap.flags & ~(uint32_t)VFIO_DMA_UNMAP_FLAG_ALL)
    return refuse_payload(server, message, "flags that there are not");
  if (unmap.flags & VFIO_DMA_UNMAP_FLAG_ALL)
    dma_clear(&server->dma);
  else
    dma_unmap(&server->dma, unmap.iova, unmap.bytes);
  server->counters.dma_unmaps++;
  reply(server, message, &unmap, sizeof unmap);
  return 0;
}

/* ---- Interrupts ---- */

static int refuse_irq(struct shunt_vfio_user *server, const struct vfio_user_irq_set *set,
                      const char *what, int code)
{
  server_fault(server, &server->counters.bad_irq, "interrupts %u and %u more of kind %u: %s",
               set->start, set->count, set->index, what);
  return code;
}

/* Trigger, mask or unmask those that the flags, or the bytes behind them, name. */
static void act_on_irqs(struct shunt_vfio_user *server, const struct vfio_user_irq_set *set,
                        const uint8_t *chosen)
{
  for (uint32_t i = 0; i < set->count; i++) {
    if (chosen != NULL && !chosen[i])
      continue;
    if (set->flags & VFIO_IRQ_SET_ACTION_TRIGGER)
      irqs_trigger(&server->irqs, set->index, set->start + i);
    else
      irqs_mask(&server->irqs, set->index, set->start + i,
                (set->flags & VFIO_IRQ_SET_ACTION_MASK) != 0);
  }
}

static int assign_irqs(struct shunt_vfio_user *server, const struct vfio_user_irq_set *set,
                       struct message *message)
{
  if (!(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER))
    return refuse_irq(server, set, "an eventfd for masking", -ENOTSUP);
  if (message->fd_count != 0 && message->fd_count != set->count)
    return refuse_irq(server, set, "not as many eventfds", -EINVAL);
  int code = irqs_assign(&server->irqs, set->index, set->start, set->count, message->fds,
                         message->fd_count);
  if (code < 0)
    server_fault(server, &server->counters.bad_fd, "a descriptor that is no eventfd");
  return code;
}

static int handle_set_irqs(struct shunt_vfio_user *server, struct message *message)
{
  struct vfio_user_irq_set set;
  memcpy(&set, message->payload, sizeof set);
  uint32_t data = set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK,
           action = set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
  if (__builtin_popcount(data) != 1 || __builtin_popcount(action) != 1 ||
      (set.flags & ~(data | action)))
    return refuse_irq(server, &set, "not one kind of data and one action", -EINVAL);
  if (set.index >= IRQS_KINDS || set.start > server->irqs.count[set.index] ||
      set.count > server->irqs.count[set.index] - set.start)
    return refuse_irq(server, &set, "there are not so many", -EINVAL);
  uint32_t room = message->bytes - (uint32_t)sizeof set;
  if (data == VFIO_IRQ_SET_DATA_BOOL && room < set.count)
    return refuse_payload(server, message, "fewer bytes than interrupts");
  server->counters.set_irqs++;
  if (data == VFIO_IRQ_SET_DATA_EVENTFD)
    return assign_irqs(server, &set, message);
  if (message->fd_count > 0)
    server_fault(server, &server->counters.unexpected_fds, "descriptors with no eventfds to set");
  if (set.count == 0 && data == VFIO_IRQ_SET_DATA_NONE && action == VFIO_IRQ_SET_ACTION_TRIGGER)
    irqs_release(&server->irqs, set.index);
  else
    act_on_irqs(server, &set,
                data == VFIO_IRQ_SET_DATA_BOOL ? message->payload + sizeof set : NULL);
  return 0;
}

/* ---- Accesses ---- */

static bool access_is_inside(const struct shunt_vfio_user *server, uint32_t region, uint64_t offset,
                             uint64_t count)
{
  uint64_t bytes = region < REGIONS ? region_bytes(server, region) : 0;
  return count > 0 && offset < bytes && count <= bytes - offset;
}

static int refuse_access(struct shunt_vfio_user *server, const struct vfio_user_access *access)
{
  server_fault(server, &server->counters.bad_access, "%u bytes at 0x%llx of region %u",
               access->count, (unsigned long long)access->offset, access->region);
  return -EINVAL;
}

/* A bus splits what is not aligned: the longest piece of at most most bytes. */
static unsigned piece_of(uint64_t offset, uint32_t count, unsigned most)
{
  unsigned piece = most;
  while (piece > count || offset % piece != 0)
    piece /= 2;
  return piece;
}

static uint64_t region_read(struct shunt_vfio_user *server, uint32_t region, uint64_t offset,
                            unsigned bytes)
{
  if (region == VFIO_PCI_CONFIG_REGION_INDEX)
    return shunt_model_config_read(server->model, (unsigned)offset, bytes);
  return shunt_model_bar_read(server->model, region, offset, bytes);
}

static void region_write(struct shunt_vfio_user *server, uint32_t region, uint64_t offset,
                         unsigned bytes, uint64_t value)
{
  if (region == VFIO_PCI_CONFIG_REGION_INDEX)
    shunt_model_config_write(server->model, (unsigned)offset, bytes, (uint32_t)value);
  else
    shunt_model_bar_write(server->model, region, offset, bytes, value);
}

/* Configuration space takes 4 bytes at a time, a BAR 8. */
static unsigned widest(uint32_t region)
{
  return region == VFIO_PCI_CONFIG_REGION_INDEX ? 4 : 8;
}

static void region_write_bytes(struct shunt_vfio_user *server, uint32_t region, uint64_t offset,
                               const uint8_t *data, uint32_t count)
{
  for (uint32_t at = 0; at < count;) {
    unsigned piece = piece_of(offset + at, count - at, widest(region));
    uint64_t value = 0;
    memcpy(&value, data + at, piece);
    region_write(server, region, offset + at, piece, value);
    at += piece;
  }
}

static int handle_read(struct shunt_vfio_user *server, struct message *message)
{
  struct {
    struct vfio_user_access access;
    uint8_t data[SERVER_XFER_BYTES];
  } out;
  memcpy(&out.access, message->payload, sizeof out.access);
  const struct vfio_user_access *access = &out.access;
  if (access->count > SERVER_XFER_BYTES ||
      !access_is_inside(server, access->region, access->offset, access->count))
    return refuse_access(server, access);
  for (uint32_t at = 0; at < access->count;) {
    unsigned piece = piece_of(access->offset + at, access->count - at, widest(access->region));
    uint64_t value = region_read(server, access->region, access->offset + at, piece);
    memcpy(out.data + at, &value, piece);
    at += piece;
  }
  server->counters.reads++;
  reply(server, message, &out, (uint32_t)sizeof out.access + access->count);
  return 0;
}

static int handle_write(struct shunt_vfio_user *server, struct message *message)
{
  struct vfio_user_access access;
  memcpy(&access, message->payload, sizeof access);
  if (message->bytes - sizeof access != access.count)
    return refuse_payload(server, message, "count is not the length of the data");
  if (!access_is_inside(server, access.region, access.offset, access.count))
    return refuse_access(server, &access);
  region_write_bytes(server, access.region, access.offset, message->payload + sizeof access,
                     access.count);
  server->counters.writes++;
  if (message->header.flags & VFIO_USER_FLAG_NO_REPLY)
    server->counters.posted_writes++;
  reply(server, message, &access, sizeof access);
  return 0;
}

static int handle_write_multi(struct shunt_vfio_user *server, struct message *message)
{
  struct vfio_user_write one;
  uint64_t count, done = 0;
  memcpy(&count, message->payload, sizeof count);
  if (!server->peer.value[CAPABILITY_WRITE_MULTIPLE]) {
    server_fault(server, &server->counters.bad_command, "writes in one message, not agreed on");
    return -ENOTSUP;
  }
  if (count > message->bytes / sizeof one || message->bytes != sizeof count + count * sizeof one)
    return refuse_payload(server, message, "not as many writes as it says");
  for (uint64_t i = 0; i < count; i++) {
    memcpy(&one, message->payload + sizeof count + i * sizeof one, sizeof one);
    if (one.count > sizeof one.data ||
        !access_is_inside(server, one.region, one.offset, one.count)) {
      refuse_access(server, &(struct vfio_user_access){one.offset, one.region, one.count});
      continue;
    }
    region_write_bytes(server, one.region, one.offset, one.data, one.count);
    done++;
  }
  server->counters.write_multis++;
  server->counters.writes += done;
  if (message->header.flags & VFIO_USER_FLAG_NO_REPLY)
    server->counters.posted_writes += done;
  reply(server, message, &done, sizeof done);
  return 0;
}

static int handle_reset(struct shunt_vfio_user *server, struct message *message)
{
  (void)message;
  shunt_model_reset(server->model);
  server->counters.resets++;
  return 0;
}

/* ---- Which handler ---- */

struct command {
  handler *handle;
  uint32_t least; /* bytes of payload */
  uint32_t most;  /* 0: as many as a message has */
  unsigned fds;   /* most descriptors beside it */
};

/* GET_REGION_IO_FDS, DEVICE_FEATURE and the migration are not here: answered with ENOTSUP. */
static const struct command commands[] = {
    [VFIO_USER_VERSION] = {handle_version, 0, 0, 0},
    [VFIO_USER_DMA_MAP] = {handle_dma_map, sizeof(struct vfio_user_dma_map),
                           sizeof(struct vfio_user_dma_map), 1},
    [VFIO_USER_DMA_UNMAP] = {handle_dma_unmap, sizeof(struct vfio_user_dma_unmap), 0, 0},
    [VFIO_USER_DEVICE_GET_INFO] = {handle_info, sizeof(struct vfio_user_device_info), 0, 0},
    [VFIO_USER_DEVICE_GET_REGION_INFO] = {handle_region_info, sizeof(struct vfio_user_region_info),
                                          0, 0},
    [VFIO_USER_DEVICE_GET_IRQ_INFO] = {handle_irq_info, sizeof(struct vfio_user_irq_info), 0, 0},
    [VFIO_USER_DEVICE_SET_IRQS] = {handle_set_irqs, sizeof(struct vfio_user_irq_set), 0,
                                   SERVER_MSG_FDS},
    [VFIO_USER_REGION_READ] = {handle_read, sizeof(struct vfio_user_access),
                               sizeof(struct vfio_user_access), 0},
    [VFIO_USER_REGION_WRITE] = {handle_write, sizeof(struct vfio_user_access), 0, 0},
    [VFIO_USER_REGION_WRITE_MULTI] = {handle_write_multi, sizeof(uint64_t), 0, 0},
    [VFIO_USER_DEVICE_RESET] = {handle_reset, 0, 0, 0},
};

static const struct command *find_command(unsigned number)
{
  if (number >= sizeof(commands) / sizeof(commands[0]) || commands[number].handle == NULL)
    return NULL;
  return &commands[number];
}

static int run_command(struct shunt_vfio_user *server, struct message *message)
{
  const struct command *command = find_command(message->header.command);
  if (command == NULL) {
    server_fault(server, &server->counters.bad_command, "command %u", message->header.command);
    return -ENOTSUP;
  }
  if (message->bytes < command->least || (command->most > 0 && message->bytes > command->most))
    return refuse_payload(server, message, "a payload of the wrong length");
  if (message->fd_count > command->fds) {
    server_fault(server, &server->counters.unexpected_fds, "command %u with %u descriptors",
                 message->header.command, message->fd_count);
    return -EINVAL;
  }
  return command->handle(server, message);
}

bool server_handle(struct shunt_vfio_user *server, struct message *message)
{
  server->counters.messages++;
  if (!server->agreed && message->header.command != VFIO_USER_VERSION) {
    refuse_version(server, "another command before VERSION");
    return false;
  }
  int code = run_command(server, message);
  if (code < 0)
    reply_error(server, message, code);
  else
    reply(server, message, NULL, 0);
  return code >= 0 || message->header.command != VFIO_USER_VERSION;
}
