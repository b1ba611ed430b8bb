/* SPDX-License-Identifier: BSD-2-Clause */
/* The software 82599 as a model on a wire: construction, accesses, turns, counters. */
#include "twin/ixgbe/ixgbe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/pci.h"
#include "src/core/error_internal.h"
#include "twin/card.h"
#include "twin/ixgbe/statistics.h"

#define OPTIONS_MIN_BYTES sizeof(size_t)

/* The only pages of BAR 0 in which a plain memory access does all that the chip would, the poll
 * looking after the rest: Rx queues 0-63, Tx queues 0-127, Rx queues 64-127. */
static const struct shunt_model_area shared_areas[] = {
    {0x1000, 0x1000}, {0x6000, 0x2000}, {0xD000, 0x1000}};
_Static_assert(IXGBE_RX_QUEUE(0u) == 0x1000 && IXGBE_RX_QUEUE(63u) == 0x1FC0, "page 0x1");
_Static_assert(IXGBE_TX_QUEUE(0u) == 0x6000 && IXGBE_TX_QUEUE(127u) == 0x7FC0, "pages 0x6, 0x7");
_Static_assert(IXGBE_RX_QUEUE(64u) == 0xD000 && IXGBE_RX_QUEUE(127u) == 0xDFC0, "page 0xD");

/* ---- Accesses ---- */

static uint64_t msix_access(struct twin_ixgbe *twin, uint64_t offset, unsigned bytes,
                            const uint64_t *write)
{
  uint64_t value = 0;
  if (write && offset < IXGBE_MSIX_PBA)
    memcpy(twin->msix + offset, write, bytes);
  memcpy(&value, twin->msix + offset, bytes);
  return value;
}

static uint64_t twin_bar_read(struct shunt_model *model, unsigned bar, uint64_t offset,
                              unsigned bytes)
{
  struct twin_ixgbe *twin = (struct twin_ixgbe *)model;
  twin->mmio_reads++;
  if (bar == IXGBE_BAR_MSIX)
    return msix_access(twin, offset, bytes, NULL);
  twin->scan_due_polls = 0;
  if (bytes < 4) { /* registers are dwords (8.1.1) */
    twin->faults.bad_access++;
    return UINT64_MAX;
  }
  uint64_t value = twin_ixgbe_read(twin, (uint32_t)offset);
  if (bytes == 8)
    value |= (uint64_t)twin_ixgbe_read(twin, (uint32_t)offset + 4) << 32;
  return value;
}

/* Everything but the queues' own registers and interrupts, which drivers write in every burst. */
static bool is_setting(uint64_t offset)
{
  for (unsigned i = 0; i < sizeof(shared_areas) / sizeof(shared_areas[0]); i++)
    if (offset - shared_areas[i].offset < shared_areas[i].bytes)
      return false;
  return offset < IXGBE_EICR || offset > IXGBE_EIAM_EX(1); /* 8.2.3.5 lies between */
}

static void twin_bar_write(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes,
                           uint64_t value)
{
  struct twin_ixgbe *twin = (struct twin_ixgbe *)model;
  twin->mmio_writes++;
  if (bar == IXGBE_BAR_MSIX) {
    msix_access(twin, offset, bytes, &value);
    return;
  }
  twin->scan_due_polls = 0;
  if (bytes < 4) {
    twin->faults.bad_access++;
    return;
  }
  twin->settings_writes += is_setting(offset);
  /* The low half first: Linux writes a flow director hash and its command as one quadword. */
  twin_ixgbe_write(twin, (uint32_t)offset, (uint32_t)value);
  if (bytes == 8)
    twin_ixgbe_write(twin, (uint32_t)offset + 4, (uint32_t)(value >> 32));
}

/* ---- Turns ---- */

/* Bus mastering is off: no descriptor is fetched, none is written back (8.2.3.1.1). */
static bool dma_is_off(const struct twin_ixgbe *twin)
{
  return twin_ixgbe_get(twin, IXGBE_CTRL) & IXGBE_CTRL_GIO_DIS;
}

static unsigned twin_poll(struct shunt_model *model, uint64_t now_ns)
{
  struct twin_ixgbe *twin = (struct twin_ixgbe *)model;
  twin->now_ns = now_ns;
  twin_ixgbe_rings_look(twin);
  unsigned done = 0;
  if (!dma_is_off(twin)) {
    done += twin_ixgbe_rx_poll(twin);
    if (!(twin_ixgbe_get(twin, IXGBE_SECTXCTRL) & IXGBE_SECTXCTRL_TX_DIS))
      done += twin_ixgbe_tx_poll(twin);
  }
  return done + twin_ixgbe_interrupts_poll(twin, now_ns);
}

static bool receives(const struct twin_ixgbe *twin)
{
  return twin->link_up && !dma_is_off(twin) &&
         (twin_ixgbe_get(twin, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN) &&
         !(twin_ixgbe_get(twin, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_RX_DIS) &&
         !(twin_ixgbe_get(twin, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK);
}

static void end_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct twin_ixgbe *twin = context;
  twin->now_ns = now_ns;
  if (!receives(twin)) {
    twin->drops.rx_disabled++;
    return;
  }
  twin_ixgbe_count_rx_all(twin, bytes);
  twin_ixgbe_rx_deliver(twin, frame, bytes);
}

static void end_carrier(void *context, int up)
{
  (void)up; /* link.c asks the wire itself: the end may not be known here yet */
  twin_ixgbe_link_update(context);
}

static unsigned end_poll(void *context, uint64_t now_ns)
{
  return twin_poll(context, now_ns);
}

static uint64_t end_next_ns(void *context)
{
  return twin_ixgbe_interrupts_next_ns(context);
}

static void twin_free(struct twin_ixgbe *twin);

static void end_detached(void *context)
{
  struct twin_ixgbe *twin = context;
  twin->end = NULL;
  if (twin->is_destroyed)
    twin_free(twin);
  else
    twin_ixgbe_link_update(twin);
}

static const struct shunt_wire_end_ops end_ops = {.deliver = end_deliver,
                                                  .carrier = end_carrier,
                                                  .poll = end_poll,
                                                  .next_ns = end_next_ns,
                                                  .detached = end_detached};

/* ---- Counters ---- */

static unsigned twin_counters(const struct shunt_model *model, const char *names[],
                              uint64_t values[], unsigned n)
{
  const struct twin_ixgbe *twin = (const struct twin_ixgbe *)model;
  struct shunt_wire_statistics wire = {.size = sizeof(wire)};
  if (twin->end)
    shunt_wire_statistics(twin->end, &wire);
#define TWIN_FAULT(name) {#name, twin->faults.name},
#define TWIN_DROP(name)  {#name, twin->drops.name},
  struct card_counter counters[] = {
      TWIN_IXGBE_FAULTS(TWIN_FAULT) TWIN_IXGBE_DROPS(TWIN_DROP) /**/
      {"dma_faults", model->dma_faults},
      {"mmio_reads", twin->mmio_reads},
      {"mmio_writes", twin->mmio_writes},
      {"wire_frames_in", wire.delivered},
      {"wire_frames_out", wire.sent},
  };
#undef TWIN_FAULT
#undef TWIN_DROP
  counters[0].value += model->bad_accesses; /* bad_access is the first of the faults */
  return card_counters_tell(counters, sizeof(counters) / sizeof(counters[0]), names, values, n);
}

/* ---- Construction ---- */

static void msix_reset(struct twin_ixgbe *twin)
{
  memset(twin->msix, 0, IXGBE_BAR_MSIX_BYTES);
  card_msix_reset(twin->msix + IXGBE_MSIX_TABLE, TWIN_IXGBE_VECTORS);
}

static void twin_reset(struct shunt_model *model)
{
  struct twin_ixgbe *twin = (struct twin_ixgbe *)model;
  twin->is_d3 = false;
  twin_ixgbe_config_build(twin);
  msix_reset(twin);
  twin_ixgbe_reset(twin, TWIN_IXGBE_RESET_POWER);
}

/* Also of a half-built twin. */
static void twin_free(struct twin_ixgbe *twin)
{
  twin_ixgbe_steer_destroy(twin);
  twin_ixgbe_rx_destroy(twin);
  twin_ixgbe_tx_destroy(twin);
  twin_ixgbe_ptp_destroy(twin);
  twin_ixgbe_interrupts_destroy(twin);
  twin_ixgbe_i2c_destroy(twin);
  free(twin->register_rows);
  free(twin->msix);
  if (twin->registers)
    munmap(twin->registers, TWIN_IXGBE_BAR0_BYTES);
  if (twin->memory_fd >= 0)
    close(twin->memory_fd);
  free(twin);
}

/* Called from inside the wire, the end goes only when the wire's outermost call ends. */
static void twin_destroy(struct shunt_model *model)
{
  struct twin_ixgbe *twin = (struct twin_ixgbe *)model;
  if (!twin->end) {
    twin_free(twin);
    return;
  }
  twin->is_destroyed = true;
  twin->model.host = (struct shunt_model_host){0};
  shunt_wire_detach(twin->end);
}

static const struct shunt_model_ops model_ops = {.reset = twin_reset,
                                                 .bar_read = twin_bar_read,
                                                 .bar_write = twin_bar_write,
                                                 .config_written = twin_ixgbe_config_written,
                                                 .poll = twin_poll,
                                                 .counters = twin_counters,
                                                 .destroy = twin_destroy};

/* The pages that another process may map. The rest of BAR 0 is not in there. */
static int shared_pages_map(struct twin_ixgbe *twin)
{
  twin->memory_fd = card_memory_create("shunt-twin-ixgbe", TWIN_IXGBE_BAR0_BYTES);
  if (twin->memory_fd < 0)
    return twin->memory_fd;
  for (unsigned i = 0; i < sizeof(shared_areas) / sizeof(shared_areas[0]); i++) {
    const struct shunt_model_area *area = &shared_areas[i];
    if (mmap(twin->registers + area->offset, area->bytes, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED, twin->memory_fd, (off_t)area->offset) == MAP_FAILED)
      return -errno;
  }
  return 0;
}

/* BAR 0's plain storage. */
static int memory_create(struct twin_ixgbe *twin)
{
  void *memory =
      mmap(NULL, TWIN_IXGBE_BAR0_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return -errno;
  twin->registers = memory;
  int code = shared_pages_map(twin);
  if (code)
    return code;
  twin->msix = calloc(1, IXGBE_BAR_MSIX_BYTES);
  return twin->msix ? 0 : -ENOMEM;
}

static void bars_describe(struct twin_ixgbe *twin)
{
  struct shunt_model_bar *registers = &twin->model.bars[IXGBE_BAR_REGISTERS];
  struct shunt_model_bar *msix = &twin->model.bars[IXGBE_BAR_MSIX];
  *registers = (struct shunt_model_bar){
      .bytes = TWIN_IXGBE_BAR0_BYTES, .is_64bit = 1, .is_prefetchable = 1, .fd = -1};
  *msix = (struct shunt_model_bar){
      .bytes = IXGBE_BAR_MSIX_BYTES, .is_64bit = 1, .is_prefetchable = 1, .fd = -1};
  if (twin->options.trap)
    return;
  registers->memory = twin->registers;
  registers->fd = twin->memory_fd;
  registers->areas = shared_areas;
  registers->area_count = sizeof(shared_areas) / sizeof(shared_areas[0]);
}

static int parts_create(struct twin_ixgbe *twin)
{
  int (*const create[])(struct twin_ixgbe *) = {memory_create,         twin_ixgbe_registers_create,
                                                twin_ixgbe_i2c_create, twin_ixgbe_interrupts_create,
                                                twin_ixgbe_ptp_create, twin_ixgbe_tx_create,
                                                twin_ixgbe_rx_create,  twin_ixgbe_steer_create};
  for (unsigned i = 0; i < sizeof(create) / sizeof(create[0]); i++) {
    int status = create[i](twin);
    if (status)
      return status;
  }
  return 0;
}

/* The caller's options with what it left out; -EINVAL where one makes no sense. */
static int options_take(const struct shunt_twin_ixgbe_options *given,
                        struct shunt_twin_ixgbe_options *options, struct shunt_error *error)
{
  static const struct shunt_mac no_mac, default_mac = {{0x02, 0x00, 0x00, 0x82, 0x59, 0x90}};
  *options = (struct shunt_twin_ixgbe_options){.size = sizeof(*options)};
  if (given) {
    if (given->size < OPTIONS_MIN_BYTES || given->size > sizeof(*options))
      return shunt_error_set(error, -EINVAL, "options of %zu bytes, %zu expected", given->size,
                             sizeof(*options));
    memcpy(options, given, given->size);
    options->size = sizeof(*options);
  }
  if (!options->device_id)
    options->device_id = IXGBE_DEVICE_82599_SFP;
  if (!memcmp(&options->mac, &no_mac, sizeof(no_mac)))
    options->mac = default_mac;
  if (options->device_id != IXGBE_DEVICE_82599_SFP &&
      options->device_id != IXGBE_DEVICE_82599_CX4 && options->device_id != IXGBE_DEVICE_82599_XAUI)
    return shunt_error_set(error, -EINVAL, "no twin has the device id %04x: 10fb, 10f9 or 10fc",
                           options->device_id);
  if ((unsigned)options->module > SHUNT_TWIN_MODULE_NONE)
    return shunt_error_set(error, -EINVAL, "no such module: %u", (unsigned)options->module);
  if (shunt_mac_is_group(options->mac))
    return shunt_error_set(error, -EINVAL, "a NIC's own MAC address can't be a group address");
  return 0;
}

int shunt_twin_ixgbe_create(const struct shunt_twin_ixgbe_options *options, struct shunt_wire *wire,
                            const char *name, struct shunt_model **model, struct shunt_error *error)
{
  struct shunt_twin_ixgbe_options taken;
  int status = options_take(options, &taken, error);
  if (status)
    return status;
  struct twin_ixgbe *twin = calloc(1, sizeof(*twin));
  if (!twin)
    return error_set_errno(error, -ENOMEM, "can't make the twin %s", name);
  twin->memory_fd = -1;
  twin->options = taken;
  twin->model.ops = &model_ops;
  twin->model.kind = "ixgbe";
  twin->model.vectors = TWIN_IXGBE_VECTORS;
  snprintf(twin->model.path, sizeof(twin->model.path), "%s",
           taken.trap ? "twin, all accesses trapped" : "twin, shared tails");

  status = parts_create(twin);
  if (status) {
    error_set_errno(error, status, "can't make the twin %s", name);
    goto fail;
  }
  bars_describe(twin);
  twin_ixgbe_eeprom_build(twin);
  twin_ixgbe_sfp_build(twin);
  twin_reset(&twin->model);
  status = shunt_wire_attach(wire, name, &end_ops, twin, &twin->end, error);
  if (status)
    goto fail;
  if (taken.cable_out)
    shunt_wire_cut(twin->end);
  twin_ixgbe_link_update(twin);
  *model = &twin->model;
  return 0;

fail:
  twin_free(twin);
  return status;
}

struct shunt_wire_end *shunt_twin_ixgbe_end(const struct shunt_model *model)
{
  return ((const struct twin_ixgbe *)model)->end;
}
