/* SPDX-License-Identifier: BSD-2-Clause */
/* The software EFA as a model on a wire: construction, accesses, turns, counters. */
#include "twin/efa/efa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/pci.h"
#include "src/core/error_internal.h"
#include "twin/card.h"
#include "twin/wire/wire.h"

#define OPTIONS_MIN_BYTES sizeof(size_t)
#define KEEP_ALIVE_MS     1000u

static const struct shunt_model_area llq_area = {0, EFA_TWIN_LLQ_BAR_BYTES};
static const struct shunt_model_area doorbell_area = {0, EFA_TWIN_DOORBELL_BYTES};

/* --- What each device id has (efa-2.x of amzn-drivers, README; Linux: device_caps) -------------
 */

bool efa_twin_has_read(const struct efa_twin *twin)
{
  return twin->options.device_id != EFA_DEVICE_EFA0;
}

bool efa_twin_has_write(const struct efa_twin *twin)
{
  return twin->options.device_id == EFA_DEVICE_EFA2;
}

bool efa_twin_has_wide(const struct efa_twin *twin)
{
  return twin->options.device_id == EFA_DEVICE_EFA2;
}

uint16_t efa_twin_sub_cqs(const struct efa_twin *twin)
{
  return twin->options.device_id == EFA_DEVICE_EFA0 ? 2 : 1;
}

/* --- Accesses ------------------------------------------------------------------------------------
 */

static uint8_t *plain(struct efa_twin *twin, unsigned bar, uint64_t offset)
{
  if (bar == EFA_BAR_LLQ)
    return twin->llq + offset;
  if (bar == EFA_TWIN_BAR_DOORBELLS)
    return twin->doorbells + offset;
  bool is_table = offset >= EFA_TWIN_MSIX_TABLE && offset < sizeof(twin->msix);
  return is_table ? twin->msix + offset : NULL;
}

static uint64_t efa_bar_read(struct shunt_model *model, unsigned bar, uint64_t offset,
                             unsigned bytes)
{
  struct efa_twin *twin = (struct efa_twin *)model;
  uint64_t value = 0;
  twin->mmio_reads++;
  const uint8_t *memory = plain(twin, bar, offset);
  if (memory) {
    memcpy(&value, memory, bytes);
    return value;
  }
  if (bytes != 4) {
    twin->faults.bad_access++;
    return UINT64_MAX;
  }
  return efa_twin_register_read(twin, (uint32_t)offset);
}

static void efa_bar_write(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes,
                          uint64_t value)
{
  struct efa_twin *twin = (struct efa_twin *)model;
  twin->mmio_writes++;
  uint8_t *memory = plain(twin, bar, offset);
  if (memory) {
    if (bar || offset < EFA_TWIN_MSIX_PBA)
      memcpy(memory, &value, bytes);
  } else if (bytes != 4) {
    twin->faults.bad_access++;
  } else {
    efa_twin_register_write(twin, (uint32_t)offset, (uint32_t)value);
  }
}

/* --- Turns
 * ----------------------------------------------------------------------------------------- */

static unsigned efa_poll(struct shunt_model *model, uint64_t now_ns)
{
  struct efa_twin *twin = (struct efa_twin *)model;
  twin->now_ns = now_ns;
  if (twin->in_reset)
    return 0;
  unsigned done = efa_twin_loopback_poll(twin);
  done += efa_twin_send_poll(twin);
  done += srd_poll(twin->srd, now_ns);
  done += efa_twin_events_poll(twin);
  done += efa_twin_keep_alive(twin);
  return done;
}

static void end_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct efa_twin *twin = context;
  const uint8_t *to = frame;
  twin->now_ns = now_ns;
  if (twin->in_reset) {
    twin->drops.not_enabled++;
    return;
  }
  if (bytes >= 6 && !(to[0] & 1) && memcmp(to, twin->options.mac.bytes, 6) != 0)
    return; /* for another station */
  if (!srd_receive(twin->srd, frame, bytes, now_ns))
    twin->drops.foreign++;
}

/* From another software EFA: the same, but the data is where that one's driver has it. */
static void end_handed(void *context, const struct iovec *head, const struct iovec *data,
                       uint64_t now_ns)
{
  struct efa_twin *twin = context;
  const uint8_t *to = head->iov_base;
  twin->now_ns = now_ns;
  if (twin->in_reset)
    twin->drops.not_enabled++;
  else if (to[0] & 1 || memcmp(to, twin->options.mac.bytes, 6) == 0)
    srd_receive_handed(twin->srd, head, data, now_ns);
}

static unsigned end_poll(void *context, uint64_t now_ns)
{
  return efa_poll(context, now_ns);
}

static uint64_t end_next_ns(void *context)
{
  const struct efa_twin *twin = context;
  uint64_t next_ns = twin->in_reset ? UINT64_MAX : srd_next_ns(twin->srd);
  if (twin->keep_alive_ns && twin->keep_alive_ns < next_ns)
    next_ns = twin->keep_alive_ns;
  return next_ns;
}

static void efa_free(struct efa_twin *twin);

static void end_detached(void *context)
{
  struct efa_twin *twin = context;
  twin->end = NULL;
  if (twin->is_destroyed)
    efa_free(twin);
}

static const struct shunt_wire_end_ops end_ops = {
    .deliver = end_deliver, .poll = end_poll, .next_ns = end_next_ns, .detached = end_detached};

/* --- Counters
 * --------------------------------------------------------------------------------------- */

static unsigned efa_counters(const struct shunt_model *model, const char *names[],
                             uint64_t values[], unsigned n)
{
  const struct efa_twin *twin = (const struct efa_twin *)model;
  const struct srd_statistics *srd = srd_statistics(twin->srd);
  const struct efa_twin_statistics *own = &twin->statistics;
#define FAULT(name) {#name, twin->faults.name},
#define DROP(name)  {#name, twin->drops.name},
  struct card_counter counters[] = {
      EFA_TWIN_FAULTS(FAULT) EFA_TWIN_DROPS(DROP) /**/
      {"dma_faults", model->dma_faults},
      {"mmio_reads", twin->mmio_reads},
      {"mmio_writes", twin->mmio_writes},
      {"commands", twin->commands},
      {"interrupts", twin->interrupts},
      {"control_resets", twin->resets},
      {"keep_alives", twin->keep_alives},
      /* What GET_STATS tells, by the names that Linux has for it. */
      {"tx_bytes", srd->tx_bytes},
      {"tx_pkts", srd->tx_packets},
      {"rx_bytes", srd->rx_bytes},
      {"rx_pkts", srd->rx_packets},
      {"rx_drops", efa_twin_rx_drops(twin)},
      {"send_bytes", own->messages.send_bytes},
      {"send_wrs", own->messages.send_wrs},
      {"recv_bytes", own->messages.recv_bytes},
      {"recv_wrs", own->messages.recv_wrs},
      {"rdma_read_wrs", own->read.read_wrs},
      {"rdma_read_bytes", own->read.read_bytes},
      {"rdma_read_wr_err", own->read.read_wr_err},
      {"rdma_read_resp_bytes", own->read.read_resp_bytes},
      {"rdma_write_wrs", own->write.write_wrs},
      {"rdma_write_bytes", own->write.write_bytes},
      {"rdma_write_wr_err", own->write.write_wr_err},
      {"rdma_write_recv_bytes", own->write.write_recv_bytes},
      {"retrans_bytes", srd->retransmitted_bytes},
      {"retrans_pkts", srd->retransmitted_packets},
      {"retrans_timeout_events", srd->timeouts},
      {"impaired_remote_conn_events", srd->impaired_paths},
      {"fast_repairs", srd->fast_repairs},
      {"duplicates", srd->duplicates},
      {"rnr_sent", srd->rnr_sent},
      {"rnr_received", srd->rnr_received},
      {"unresponsive_remote_events", srd->unresponsive + srd->unreachable},
      {"unresponsive", srd->unresponsive},
      {"unreachable", srd->unreachable},
      {"malformed", srd->malformed},
      {"bad_checksum", srd->bad_checksum},
      {"stale", srd->stale},
      {"beyond_window", srd->beyond_window},
  };
#undef FAULT
#undef DROP
  counters[0].value += model->bad_accesses; /* bad_access is the first of the faults */
  return card_counters_tell(counters, sizeof(counters) / sizeof(counters[0]), names, values, n);
}

/* --- Construction
 * ------------------------------------------------------------------------------------ */

static void msix_reset(struct efa_twin *twin)
{
  memset(twin->msix, 0, sizeof(twin->msix));
  card_msix_reset(twin->msix + EFA_TWIN_MSIX_TABLE, EFA_TWIN_VECTORS);
}

static void efa_reset(struct shunt_model *model)
{
  struct efa_twin *twin = (struct efa_twin *)model;
  efa_twin_config_build(twin);
  msix_reset(twin);
  efa_twin_forget(twin);
}

/* Also of a half-built twin. */
static void efa_free(struct efa_twin *twin)
{
  if (twin->mrs && twin->srd)
    efa_twin_forget(twin);
  srd_destroy(twin->srd);
  free(twin->mrs);
  if (twin->llq)
    munmap(twin->llq, EFA_TWIN_LLQ_BAR_BYTES);
  if (twin->doorbells)
    munmap(twin->doorbells, EFA_TWIN_DOORBELL_BYTES);
  if (twin->llq_fd >= 0)
    close(twin->llq_fd);
  if (twin->doorbell_fd >= 0)
    close(twin->doorbell_fd);
  free(twin);
}

/* Called from inside the wire, the end goes only when the wire's outermost call ends. */
static void efa_destroy(struct shunt_model *model)
{
  struct efa_twin *twin = (struct efa_twin *)model;
  if (!twin->end) {
    efa_free(twin);
    return;
  }
  twin->is_destroyed = true;
  twin->model.host = (struct shunt_model_host){0};
  shunt_wire_detach(twin->end);
}

static const struct shunt_model_ops model_ops = {.reset = efa_reset,
                                                 .bar_read = efa_bar_read,
                                                 .bar_write = efa_bar_write,
                                                 .config_written = efa_twin_config_written,
                                                 .poll = efa_poll,
                                                 .counters = efa_counters,
                                                 .destroy = efa_destroy};

/* Memory that a driver may map. */
static int shared_create(const char *name, size_t bytes, int *fd, uint8_t **memory)
{
  *fd = card_memory_create(name, bytes);
  if (*fd < 0)
    return *fd;
  void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
  if (mapped == MAP_FAILED)
    return -errno;
  *memory = mapped;
  return 0;
}

static int parts_create(struct efa_twin *twin)
{
  int status =
      shared_create("shunt-twin-efa-llq", EFA_TWIN_LLQ_BAR_BYTES, &twin->llq_fd, &twin->llq);
  if (!status)
    status = shared_create("shunt-twin-efa-doorbells", EFA_TWIN_DOORBELL_BYTES, &twin->doorbell_fd,
                           &twin->doorbells);
  if (status)
    return status;
  twin->mrs = calloc(EFA_TWIN_MRS, sizeof(*twin->mrs));
  return twin->mrs ? 0 : -ENOMEM;
}

static int transport_create(struct efa_twin *twin, struct shunt_error *error)
{
  struct srd_options options = {.mac = twin->options.mac,
                                .gid = twin->gid,
                                .incarnation = twin->incarnation,
                                .seed = twin->options.seed,
                                .mtu = EFA_TWIN_MTU,
                                .paths = twin->options.paths,
                                .give_up_ns = twin->options.give_up_ms * UINT64_C(1000000)};
  return srd_create(&options, &efa_twin_srd_ops, twin, &twin->srd, error);
}

static void bars_describe(struct efa_twin *twin)
{
  struct shunt_model_bar *bars = twin->model.bars;
  bars[EFA_BAR_REGISTERS] =
      (struct shunt_model_bar){.bytes = EFA_TWIN_REGISTER_BYTES, .is_64bit = 1, .fd = -1};
  bars[EFA_BAR_LLQ] = (struct shunt_model_bar){.bytes = EFA_TWIN_LLQ_BAR_BYTES,
                                               .is_64bit = 1,
                                               .is_prefetchable = 1,
                                               .memory = twin->llq,
                                               .fd = twin->llq_fd,
                                               .areas = &llq_area,
                                               .area_count = 1};
  bars[EFA_TWIN_BAR_DOORBELLS] = (struct shunt_model_bar){.bytes = EFA_TWIN_DOORBELL_BYTES,
                                                          .is_64bit = 1,
                                                          .is_prefetchable = 1,
                                                          .memory = twin->doorbells,
                                                          .fd = twin->doorbell_fd,
                                                          .areas = &doorbell_area,
                                                          .area_count = 1};
}

static int options_take(const struct shunt_twin_efa_options *given,
                        struct shunt_twin_efa_options *options, struct shunt_error *error)
{
  static const struct shunt_mac no_mac, default_mac = {{0x02, 0x00, 0x00, 0xEF, 0xA0, 0x01}};
  *options =
      (struct shunt_twin_efa_options){.size = sizeof(*options), .keep_alive_ms = KEEP_ALIVE_MS};
  if (given) {
    if (given->size < OPTIONS_MIN_BYTES || given->size > sizeof(*options))
      return shunt_error_set(error, -EINVAL, "options of %zu bytes, %zu expected", given->size,
                             sizeof(*options));
    memcpy(options, given, given->size);
    options->size = sizeof(*options);
  }
  if (!options->device_id)
    options->device_id = EFA_DEVICE_EFA2;
  if (!memcmp(&options->mac, &no_mac, sizeof(no_mac)))
    options->mac = default_mac;
  if (!options->incarnation)
    options->incarnation = 1;
  if (options->device_id < EFA_DEVICE_EFA0 || options->device_id > EFA_DEVICE_EFA2)
    return shunt_error_set(error, -EINVAL, "no twin has the device id %04x: efa0, efa1 or efa2",
                           options->device_id);
  if (shunt_mac_is_group(options->mac))
    return shunt_error_set(error, -EINVAL, "a NIC's own MAC address can't be a group address");
  if (options->paths > SRD_PATHS_MOST)
    return shunt_error_set(error, -EINVAL, "%u paths: at most %u are possible", options->paths,
                           SRD_PATHS_MOST);
  return 0;
}

int shunt_twin_efa_create(const struct shunt_twin_efa_options *options, struct shunt_wire *wire,
                          const char *name, struct shunt_model **model, struct shunt_error *error)
{
  struct shunt_twin_efa_options taken;
  int status = options_take(options, &taken, error);
  if (status)
    return status;
  struct efa_twin *twin = calloc(1, sizeof(*twin));
  if (!twin)
    return error_set_errno(error, -ENOMEM, "can't make the twin %s", name);
  twin->llq_fd = twin->doorbell_fd = -1;
  twin->loopback_end = &twin->loopback;
  twin->options = taken;
  twin->incarnation = taken.incarnation;
  twin->gid = srd_gid_of_mac(taken.mac);
  twin->model.ops = &model_ops;
  twin->model.kind = "efa";
  twin->model.vectors = EFA_TWIN_VECTORS;
  snprintf(twin->model.path, sizeof(twin->model.path), "twin, shared doorbells");
  status = parts_create(twin);
  if (status) {
    error_set_errno(error, status, "can't make the twin %s", name);
    goto fail;
  }
  status = transport_create(twin, error);
  if (status)
    goto fail;
  bars_describe(twin);
  efa_reset(&twin->model);
  status = shunt_wire_attach(wire, name, &end_ops, twin, &twin->end, error);
  if (status)
    goto fail;
  wire_take_handed(twin->end, end_handed);
  *model = &twin->model;
  return 0;

fail:
  efa_free(twin);
  return status;
}

struct shunt_wire_end *shunt_twin_efa_end(const struct shunt_model *model)
{
  return ((const struct efa_twin *)model)->end;
}
