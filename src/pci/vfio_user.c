/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI function behind a vfio-user server (QEMU docs/interop/vfio-user.rst): the device is another
 * process, reached by messages on a UNIX socket and, in the pages that the server offers, by plain
 * memory.
 *
 * A server that is gone, or silent for 5 s, is a card that fell off the bus: reads give all ones,
 * writes go nowhere, and the drivers' waits say so. */
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/pci.h"
#include "src/core/error_internal.h"
#include "src/pci/backend.h"
#include "src/pci/iova.h"
#include "src/vfio_user/capabilities.h"
#include "src/vfio_user/channel.h"

#define MOST_AREAS   16u   /* of a BAR; what is beyond them is reached by messages */
#define MOST_VECTORS 2048u /* PCI 3.0, 6.8.2.3 */
#define MOST_FDS     16u   /* in one message, however many more the server takes */

/* Device addresses are ours to choose. Above 4 GiB, so that the upper half of each address register
 * matters, and within the 39 bits of the smallest IOMMUs, which a server may stand for. They differ
 * from this process's, so a driver that confuses the two is found. */
#define FIRST_IOVA (UINT64_C(1) << 32)
#define LAST_IOVA  ((UINT64_C(1) << 39) - 1)

struct area {
  uint64_t offset, bytes;
  uint8_t *memory;
};

struct bar {
  uint64_t bytes; /* 0: no such BAR */
  unsigned area_count;
  struct area areas[MOST_AREAS];
};

struct vfio_user {
  struct pci pci;
  struct channel channel;
  bool complained; /* about the channel that broke */
  struct capabilities peer;
  struct bar bars[PCI_BARS];
  bool has_areas;
  uint64_t config_bytes;
  struct iova_space space;
  struct backend_vectors interrupts;
};

static struct vfio_user *vfio_user_of(struct pci *pci)
{
  return (struct vfio_user *)pci;
}

/* Say once that the server is lost; later calls only fail. */
static int vfio_user_check(struct vfio_user *vfio, int code)
{
  if (code < 0 && channel_broken(&vfio->channel) != 0 &&
      !__atomic_exchange_n(&vfio->complained, true, __ATOMIC_RELAXED))
    shunt_log_write(vfio->pci.log, SHUNT_LOG_ERROR, "%s: the server is lost: %s", vfio->pci.address,
                    strerrordesc_np(-channel_broken(&vfio->channel)));
  return code;
}

/* A request whose payload, and that of its reply, is one struct of the same kind. */
static int vfio_user_exchange(struct vfio_user *vfio, enum vfio_user_command command, void *both,
                              uint32_t bytes)
{
  struct channel_request request = {
      .command = command, .payload = both, .bytes = bytes, .reply = both, .reply_room = bytes};
  int code = channel_ask(&vfio->channel, &request);
  if (code == 0 && request.reply_bytes != bytes)
    code = -EPROTO;
  return vfio_user_check(vfio, code);
}

/* ---- Accesses ---- */

static int region_read(struct vfio_user *vfio, uint32_t region, uint64_t offset, void *data,
                       uint32_t count)
{
  struct {
    struct vfio_user_access access;
    uint8_t data[4];
  } back = {.data = {0}};
  const struct vfio_user_access access = {offset, region, count};
  struct channel_request request = {.command = VFIO_USER_REGION_READ,
                                    .payload = &access,
                                    .bytes = sizeof access,
                                    .reply = &back,
                                    .reply_room = (uint32_t)sizeof access + count};
  int code = channel_ask(&vfio->channel, &request);
  if (code == 0 && (request.reply_bytes != sizeof access + count || back.access.count != count))
    code = -EPROTO;
  if (code == 0)
    memcpy(data, back.data, count);
  return vfio_user_check(vfio, code);
}

static int region_write(struct vfio_user *vfio, uint32_t region, uint64_t offset, const void *data,
                        uint32_t count, bool posted)
{
  const struct vfio_user_access access = {offset, region, count};
  struct vfio_user_access back;
  struct channel_request request = {.command = VFIO_USER_REGION_WRITE,
                                    .payload = &access,
                                    .bytes = sizeof access,
                                    .data = data,
                                    .data_bytes = count,
                                    .reply = &back,
                                    .reply_room = sizeof back};
  if (posted)
    return vfio_user_check(vfio, channel_post(&vfio->channel, &request));
  return vfio_user_check(vfio, channel_ask(&vfio->channel, &request));
}

static bool bar_has(const struct vfio_user *vfio, unsigned bar, uint64_t offset)
{
  return bar < PCI_BARS && offset % 4 == 0 && vfio->bars[bar].bytes >= 4 &&
         offset <= vfio->bars[bar].bytes - 4;
}

static volatile uint32_t *vfio_user_direct(struct pci *pci, unsigned bar, uint64_t offset)
{
  const struct vfio_user *vfio = vfio_user_of(pci);
  if (!bar_has(vfio, bar, offset))
    return NULL;
  const struct bar *b = &vfio->bars[bar];
  for (unsigned i = 0; i < b->area_count; i++)
    if (offset >= b->areas[i].offset && offset - b->areas[i].offset < b->areas[i].bytes)
      return (volatile uint32_t *)(b->areas[i].memory + (offset - b->areas[i].offset));
  return NULL;
}

/* By message also where the page is mapped: only so a register does what reading it does (counters
 * that clear), and a write has been seen by the device when it returns. Plain memory is for what
 * direct was asked for. */
static uint32_t vfio_user_read32(struct pci *pci, unsigned bar, uint64_t offset)
{
  struct vfio_user *vfio = vfio_user_of(pci);
  uint32_t value = UINT32_MAX;
  if (bar_has(vfio, bar, offset))
    region_read(vfio, bar, offset, &value, sizeof value);
  return value;
}

/* Where the device has areas, a write must have been done before the driver's next store to one of
 * them, as on a bus. Where it has none, messages keep the order by themselves, and nobody needs to
 * wait. */
static void vfio_user_write32(struct pci *pci, unsigned bar, uint64_t offset, uint32_t value)
{
  struct vfio_user *vfio = vfio_user_of(pci);
  if (bar_has(vfio, bar, offset))
    region_write(vfio, bar, offset, &value, sizeof value, !vfio->has_areas);
}

static int config_check(const struct vfio_user *vfio, unsigned offset, unsigned bytes)
{
  if ((bytes != 1 && bytes != 2 && bytes != 4) || offset % bytes != 0 ||
      offset + (uint64_t)bytes > vfio->config_bytes)
    return -EINVAL;
  return 0;
}

static int vfio_user_config_read(struct pci *pci, unsigned offset, unsigned bytes, uint32_t *value)
{
  struct vfio_user *vfio = vfio_user_of(pci);
  uint32_t raw = 0;
  int code = config_check(vfio, offset, bytes);
  if (code == 0)
    code = region_read(vfio, VFIO_PCI_CONFIG_REGION_INDEX, offset, &raw, bytes);
  if (code == 0)
    *value = raw;
  return code;
}

static int vfio_user_config_write(struct pci *pci, unsigned offset, unsigned bytes, uint32_t value)
{
  struct vfio_user *vfio = vfio_user_of(pci);
  int code = config_check(vfio, offset, bytes);
  if (code == 0)
    code = region_write(vfio, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, bytes, false);
  return code;
}

/* ---- DMA ---- */

static int vfio_user_dma_map(struct pci *pci, struct shunt_region *region, uint64_t delta[],
                             struct shunt_error *error)
{
  struct vfio_user *vfio = vfio_user_of(pci);
  uint64_t bytes = shunt_region_bytes(region), iova = 0;
  int fd = shunt_region_fd(region);
  int code = iova_take(&vfio->space, 0, bytes, SHUNT_REGION_ALIGN_BYTES, &iova);
  if (code == 0) {
    const struct vfio_user_dma_map map = {.argsz = sizeof map,
                                          .flags = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITEABLE,
                                          .iova = iova,
                                          .bytes = bytes};
    struct channel_request request = {.command = VFIO_USER_DMA_MAP,
                                      .payload = &map,
                                      .bytes = sizeof map,
                                      .fds = &fd,
                                      .fd_count = 1};
    code = vfio_user_check(vfio, channel_ask(&vfio->channel, &request));
    if (code < 0)
      iova_release(&vfio->space, iova);
  }
  if (code < 0)
    return error_set_errno(error, code, "can't register %llu bytes with %s",
                           (unsigned long long)bytes, pci->address);
  for (uint64_t offset = 0; offset < bytes; offset += SHUNT_REGION_ALIGN_BYTES)
    delta[offset >> SHUNT_REGION_ALIGN_SHIFT] = iova;
  return 0;
}

static void vfio_user_dma_unmap(struct pci *pci, struct shunt_region *region,
                                const uint64_t delta[])
{
  struct vfio_user *vfio = vfio_user_of(pci);
  struct vfio_user_dma_unmap unmap = {
      .argsz = sizeof unmap, .iova = delta[0], .bytes = shunt_region_bytes(region)};
  /* What a server does not give back, it drops with the connection. */
  int code = vfio_user_exchange(vfio, VFIO_USER_DMA_UNMAP, &unmap, sizeof unmap);
  if (code < 0)
    shunt_log_write(pci->log, SHUNT_LOG_WARNING, "%s: can't take memory back: %s", pci->address,
                    strerrordesc_np(-code));
  else
    iova_release(&vfio->space, delta[0]);
}

/* ---- Interrupts ---- */

static int set_irqs(struct vfio_user *vfio, uint32_t data, unsigned start, unsigned count,
                    const int fds[], unsigned fd_count)
{
  const struct vfio_user_irq_set set = {.argsz = sizeof set,
                                        .flags = VFIO_IRQ_SET_ACTION_TRIGGER | data,
                                        .index = VFIO_PCI_MSIX_IRQ_INDEX,
                                        .start = start,
                                        .count = count};
  struct channel_request request = {.command = VFIO_USER_DEVICE_SET_IRQS,
                                    .payload = &set,
                                    .bytes = sizeof set,
                                    .fds = fds,
                                    .fd_count = fd_count};
  return vfio_user_check(vfio, channel_ask(&vfio->channel, &request));
}

/* As many in a message as the server takes. */
static int vfio_user_connect_irqs(struct pci *pci, unsigned n, const int fds[])
{
  struct vfio_user *vfio = vfio_user_of(pci);
  uint64_t most = vfio->peer.value[CAPABILITY_MSG_FDS];
  if (n == 0)
    return set_irqs(vfio, VFIO_IRQ_SET_DATA_NONE, 0, 0, NULL, 0);
  int code = most > 0 ? 0 : -ENOTSUP;
  for (unsigned at = 0; code == 0 && at < n;) {
    unsigned part = n - at;
    part = part < most ? part : (unsigned)most;
    part = part < MOST_FDS ? part : MOST_FDS;
    code = set_irqs(vfio, VFIO_IRQ_SET_DATA_EVENTFD, at, part, fds + at, part);
    at += part;
  }
  return code;
}

static int vfio_user_interrupts(struct pci *pci, unsigned n, int fds[], struct shunt_error *error)
{
  struct backend_vectors *vectors = &vfio_user_of(pci)->interrupts;
  return backend_vectors_open(pci, vectors, vfio_user_connect_irqs, n, fds, error);
}

/* ---- Finding out what is there ---- */

struct region_reply {
  struct vfio_user_region_info info;
  uint8_t rest[4096 - sizeof(struct vfio_user_region_info)];
};

/* Ask about a region; *fd: what can be mapped, or -1. */
static int region_info(struct vfio_user *vfio, uint32_t region, struct region_reply *reply,
                       uint32_t *bytes, int *fd)
{
  const struct vfio_user_region_info info = {.argsz = sizeof *reply, .index = region};
  struct channel_request request = {.command = VFIO_USER_DEVICE_GET_REGION_INFO,
                                    .payload = &info,
                                    .bytes = sizeof info,
                                    .reply = reply,
                                    .reply_room = sizeof *reply,
                                    .wants_fd = true};
  int code = channel_ask(&vfio->channel, &request);
  if (code == 0 && (request.reply_bytes < sizeof info || reply->info.index != region)) {
    if (request.reply_fd >= 0)
      close(request.reply_fd);
    request.reply_fd = -1;
    code = -EPROTO;
  }
  *bytes = request.reply_bytes;
  *fd = request.reply_fd;
  return vfio_user_check(vfio, code);
}

/* Map a part of a BAR. A server is not trusted to have such a file: beyond its end an access would
 * be a SIGBUS. */
static void map_area(struct vfio_user *vfio, struct bar *bar, int fd, uint64_t base,
                     const struct vfio_user_area *area)
{
  const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
  struct stat status;
  if (bar->area_count == MOST_AREAS || area->bytes == 0 || area->offset >= bar->bytes ||
      area->bytes > bar->bytes - area->offset || bar->bytes > INT64_MAX ||
      base > INT64_MAX - bar->bytes || (area->offset | area->bytes | base) % page_bytes != 0 ||
      fstat(fd, &status) != 0 || (uint64_t)status.st_size < base + area->offset + area->bytes)
    return;
  void *memory =
      mmap(NULL, area->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(base + area->offset));
  if (memory == MAP_FAILED)
    return;
  bar->areas[bar->area_count++] = (struct area){area->offset, area->bytes, memory};
  vfio->has_areas = true;
}

/* The sparse areas in a region's capabilities. Returns whether there is such a capability. */
static bool map_sparse(struct vfio_user *vfio, struct bar *bar, const struct region_reply *reply,
                       uint32_t bytes, int fd)
{
  struct vfio_user_sparse sparse;
  uint32_t at = reply->info.cap_offset;
  if (!(reply->info.flags & VFIO_REGION_INFO_FLAG_CAPS))
    return false;
  /* Each is looked at once, however they are chained. */
  for (unsigned looks = 0; looks < 16 && at >= sizeof reply->info; looks++) {
    if (at > bytes - sizeof sparse)
      return false;
    memcpy(&sparse, (const uint8_t *)reply + at, sizeof sparse);
    if (sparse.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
      break;
    at = sparse.next;
    sparse.id = 0;
  }
  if (at < sizeof reply->info || sparse.id != VFIO_REGION_INFO_CAP_SPARSE_MMAP)
    return false;
  at += (uint32_t)sizeof sparse;
  for (uint32_t i = 0; i < sparse.areas && bytes - at >= sizeof(struct vfio_user_area); i++) {
    struct vfio_user_area area;
    memcpy(&area, (const uint8_t *)reply + at, sizeof area);
    map_area(vfio, bar, fd, reply->info.offset, &area);
    at += (uint32_t)sizeof area;
  }
  return true;
}

static int find_bar(struct vfio_user *vfio, unsigned i, struct shunt_error *error)
{
  struct region_reply reply;
  struct bar *bar = &vfio->bars[i];
  uint32_t bytes;
  int fd;
  int code = region_info(vfio, VFIO_PCI_BAR0_REGION_INDEX + i, &reply, &bytes, &fd);
  if (code < 0)
    return error_set_errno(error, code, "can't learn about BAR %u of %s", i, vfio->pci.address);
  bar->bytes = reply.info.bytes;
  if (fd < 0)
    return 0;
  const struct vfio_user_area whole = {0, bar->bytes};
  if ((reply.info.flags & VFIO_REGION_INFO_FLAG_MMAP) && !map_sparse(vfio, bar, &reply, bytes, fd))
    map_area(vfio, bar, fd, reply.info.offset, &whole);
  close(fd);
  return 0;
}

static int find_regions(struct vfio_user *vfio, struct shunt_error *error)
{
  struct region_reply reply;
  uint32_t bytes;
  int fd, code = 0;
  for (unsigned i = 0; code == 0 && i < PCI_BARS; i++)
    code = find_bar(vfio, i, error);
  if (code < 0)
    return code;
  code = region_info(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &reply, &bytes, &fd);
  if (fd >= 0)
    close(fd);
  if (code < 0)
    return error_set_errno(error, code, "can't find %s's configuration space", vfio->pci.address);
  vfio->config_bytes = reply.info.bytes;
  if (vfio->bars[0].bytes > 0)
    return 0;
  shunt_error_set(error, -ENODEV, "%s has no BAR 0", vfio->pci.address);
  shunt_error_why(error, "the server says that it is 0 bytes long");
  return -ENODEV;
}

static void count_vectors(struct vfio_user *vfio)
{
  struct vfio_user_irq_info info = {.argsz = sizeof info, .index = VFIO_PCI_MSIX_IRQ_INDEX};
  if (vfio_user_exchange(vfio, VFIO_USER_DEVICE_GET_IRQ_INFO, &info, sizeof info) == 0 &&
      (info.flags & VFIO_IRQ_INFO_EVENTFD))
    vfio->pci.vectors = info.count < MOST_VECTORS ? info.count : MOST_VECTORS;
}

/* ---- Open and close ---- */

static void vfio_user_close(struct pci *pci)
{
  struct vfio_user *vfio = vfio_user_of(pci);
  if (vfio->config_bytes > 0 && channel_broken(&vfio->channel) == 0)
    backend_bus_master(pci, false);
  backend_vectors_close(&vfio->pci, &vfio->interrupts, vfio_user_connect_irqs);
  for (unsigned i = 0; i < PCI_BARS; i++)
    for (unsigned k = 0; k < vfio->bars[i].area_count; k++)
      munmap(vfio->bars[i].areas[k].memory, vfio->bars[i].areas[k].bytes);
  channel_close(&vfio->channel);
  free(vfio);
}

static const struct pci_ops vfio_user_ops = {
    .close = vfio_user_close,
    .read32 = vfio_user_read32,
    .write32 = vfio_user_write32,
    .direct = vfio_user_direct,
    .config_read = vfio_user_config_read,
    .config_write = vfio_user_config_write,
    .dma_map = vfio_user_dma_map,
    .dma_unmap = vfio_user_dma_unmap,
    .interrupts = vfio_user_interrupts,
};

/* Agree on a version. The server may be busy with another client: then nothing comes. */
static int agree(struct vfio_user *vfio, struct shunt_error *error)
{
  struct {
    struct vfio_user_version version;
    char text[1024];
  } out = {.version = {VFIO_USER_MAJOR, VFIO_USER_MINOR}}, back = {.text = ""};
  const struct capabilities ours = {.value = {[CAPABILITY_MSG_FDS] = MOST_FDS,
                                              [CAPABILITY_XFER_BYTES] = VFIO_USER_DEFAULT_XFER,
                                              [CAPABILITY_DMA_MAPS] = IOVA_MOST_MAPPINGS,
                                              [CAPABILITY_PGSIZES] = VFIO_USER_DEFAULT_PGSIZES},
                                    .given = {[CAPABILITY_MSG_FDS] = true,
                                              [CAPABILITY_XFER_BYTES] = true,
                                              [CAPABILITY_DMA_MAPS] = true,
                                              [CAPABILITY_PGSIZES] = true}};
  const uint32_t bytes = sizeof out.version;
  struct channel_request request = {
      .command = VFIO_USER_VERSION,
      .payload = &out,
      .bytes = bytes + (uint32_t)capabilities_write(&ours, out.text),
      .reply = &back,
      .reply_room = sizeof back,
  };
  const char *why = "";
  int code = channel_ask(&vfio->channel, &request);
  if (code < 0) {
    error_set_errno(error, code,
                    code == -EBUSY ? "%s has no card free" : "%s: no answer to VERSION",
                    vfio->pci.address);
    if (code == -EBUSY || code == -ETIMEDOUT)
      shunt_error_remedy(error,
                         "a card has one client at a time: see whether it has one already, or have "
                         "more cards served at the socket: shunt twin SOCKET=ixgbe?wire=w&cards=4");
    return code;
  }
  if (request.reply_bytes < bytes || back.version.major != VFIO_USER_MAJOR)
    why = "the server speaks another version than 0.0";
  else if (capabilities_read(&vfio->peer, back.text, request.reply_bytes - bytes, &why) == 0)
    return 0;
  shunt_error_set(error, -EPROTO, "%s is no server that we understand", vfio->pci.address);
  shunt_error_why(error, "%s", why);
  return -EPROTO;
}

static int reset(struct vfio_user *vfio, uint32_t device_flags)
{
  struct channel_request request = {.command = VFIO_USER_DEVICE_RESET};
  /* Without a function reset the driver's own reset has to do. */
  if (!(device_flags & VFIO_DEVICE_FLAGS_RESET))
    return 0;
  int code = vfio_user_check(vfio, channel_ask(&vfio->channel, &request));
  if (code < 0)
    shunt_log_write(vfio->pci.log, SHUNT_LOG_WARNING, "%s: function reset failed: %s",
                    vfio->pci.address, strerrordesc_np(-code));
  return channel_broken(&vfio->channel);
}

/* Put the device into a known state and find its parts. */
static int start(struct vfio_user *vfio, struct shunt_error *error)
{
  struct pci *pci = &vfio->pci;
  struct vfio_user_device_info info = {.argsz = sizeof info};
  int code = agree(vfio, error);
  if (code < 0)
    return code;
  code = vfio_user_exchange(vfio, VFIO_USER_DEVICE_GET_INFO, &info, sizeof info);
  if (code == 0)
    code = reset(vfio, info.flags);
  if (code < 0)
    return error_set_errno(error, code, "can't learn about %s", pci->address);
  if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.regions <= VFIO_PCI_CONFIG_REGION_INDEX) {
    shunt_error_set(error, -ENODEV, "%s serves no PCI device", pci->address);
    shunt_error_why(error, "its flags are 0x%x, and it has %u regions", info.flags, info.regions);
    return -ENODEV;
  }
  code = find_regions(vfio, error);
  if (code < 0)
    return code;
  count_vectors(vfio);
  uint32_t vendor = 0, device = 0;
  code = backend_bus_master(pci, true);
  if (code == 0)
    code = vfio_user_config_read(pci, PCI_CFG_VENDOR_ID, 2, &vendor);
  if (code == 0)
    code = vfio_user_config_read(pci, PCI_CFG_DEVICE_ID, 2, &device);
  if (code < 0)
    return error_set_errno(error, code, "can't let %s do DMA", pci->address);
  pci->vendor = (uint16_t)vendor;
  pci->device = (uint16_t)device;
  return 0;
}

/* fd: a connected socket, or -1 to connect to path. */
static int open_either(int fd, const char *path, const struct pci_open_options *options,
                       uint64_t wait_ns, struct pci **pci, struct shunt_error *error)
{
  struct vfio_user *vfio = calloc(1, sizeof *vfio);
  if (vfio == NULL) {
    if (fd >= 0)
      close(fd);
    return error_set_errno(error, -ENOMEM, "can't allocate a PCI function");
  }
  vfio->pci = (struct pci){
      .ops = &vfio_user_ops,
      .clock = options->clock != NULL ? options->clock : shunt_clock_real(),
      .log = options->log,
      .numa_node = SHUNT_NUMA_ANY,
      .is_model = true,
  };
  snprintf(vfio->pci.address, sizeof vfio->pci.address, "vfio-user:%s", path);
  iova_allow(&vfio->space, FIRST_IOVA, LAST_IOVA);
  int code = 0;
  if (fd >= 0)
    channel_adopt(&vfio->channel, fd, wait_ns);
  else
    code = channel_open(&vfio->channel, path, wait_ns, error);
  if (code == 0)
    code = start(vfio, error);
  if (code < 0) {
    vfio_user_close(&vfio->pci);
    return code;
  }
  snprintf(vfio->pci.path, sizeof vfio->pci.path, "vfio-user, %s",
           vfio->has_areas ? "shared pages" : "all accesses trapped");
  *pci = &vfio->pci;
  return 0;
}

int vfio_user_open(const char *path, const struct pci_open_options *options, uint64_t wait_ns,
                   struct pci **pci, struct shunt_error *error)
{
  return open_either(-1, path, options, wait_ns, pci, error);
}

int vfio_user_adopt(int fd, const struct pci_open_options *options, uint64_t wait_ns,
                    struct pci **pci, struct shunt_error *error)
{
  return open_either(fd, "(adopted)", options, wait_ns, pci, error);
}

int pci_open_vfio_user(const char *path, const struct pci_open_options *options, struct pci **pci,
                       struct shunt_error *error)
{
  return vfio_user_open(path, options, 0, pci, error);
}
