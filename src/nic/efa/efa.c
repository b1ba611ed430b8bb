/* SPDX-License-Identifier: BSD-2-Clause */
/* AWS's Elastic Fabric Adapter: which devices, and how one comes up, goes down, and comes up again.
 * The order is that of the Linux driver's probe (efa_main.c: efa_probe_device). */
#include "src/nic/efa/efa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/pci.h"
#include "src/core/error_internal.h"

#define SMALL_BYTES      16384u
#define ADMIN_TIMEOUT_MS 3000u
#define WATCHDOG_MS      5000u

/* --- Which devices -------------------------------------------------------------------------------
 */

static bool is_efa(uint16_t vendor, uint16_t device)
{
  return vendor == EFA_VENDOR_AMAZON && device >= EFA_DEVICE_EFA0 && device <= EFA_DEVICE_EFA2;
}

static int efa_knows(uint16_t vendor, uint16_t device, struct shunt_error *error)
{
  if (is_efa(vendor, device))
    return 0;
  if (vendor == EFA_VENDOR_AMAZON && (device == EFA_DEVICE_EFA3 || device == EFA_DEVICE_EFA4)) {
    shunt_error_why(error, "device %04x is a later EFA, which has not been looked at", device);
    shunt_error_remedy(error, "use it through its kernel driver, with rdma-core");
  }
  return -ENODEV;
}

static int identify(struct efa *efa, struct shunt_error *error)
{
  const struct pci *pci = efa->pci;
  if (!is_efa(pci->vendor, pci->device)) {
    shunt_error_set(error, -ENODEV, "%s is no EFA that this driver knows", pci->address);
    shunt_error_why(error, "its vendor is %04x and its device %04x", pci->vendor, pci->device);
    shunt_error_remedy(error, "shunt info lists the devices here and their drivers");
    return efa_knows(pci->vendor, pci->device, error);
  }
  snprintf(efa->device_name, sizeof(efa->device_name), "Amazon EFA (efa%u)",
           pci->device - EFA_DEVICE_EFA0 + 0u);
  return 0;
}

/* --- Up ------------------------------------------------------------------------------------------
 */

static void set_bus_master(struct efa *efa, bool on)
{
  const struct pci_ops *ops = efa->pci->ops;
  uint32_t command = 0;
  if (ops->config_read(efa->pci, PCI_CFG_COMMAND, 2, &command))
    return;
  command &= ~PCI_CMD_BUS_MASTER;
  command |= PCI_CMD_MEMORY | (on ? PCI_CMD_BUS_MASTER : 0);
  ops->config_write(efa->pci, PCI_CFG_COMMAND, 2, command);
}

/* What lasts as long as the fabric, whatever becomes of the device. */
static int prepare(struct efa *efa, struct shunt_error *error)
{
  const struct shunt_fabric_options *options = &efa->fabric.options;
  efa->read_timeout_ns = EFA_MMIO_READ_LIMIT_MS * EFA_NS_PER_MS;
  efa->admin_timeout_ns =
      (options->admin_timeout_ms ? options->admin_timeout_ms : ADMIN_TIMEOUT_MS) * EFA_NS_PER_MS;
  efa->watchdog_ns = (options->watchdog_ms ? options->watchdog_ms : WATCHDOG_MS) * EFA_NS_PER_MS;
  efa->fds = calloc(options->sleepers + 1, sizeof(*efa->fds));
  efa->wakers = calloc(options->sleepers + 1, sizeof(*efa->wakers));
  if (!efa->fds || !efa->wakers)
    return error_set_errno(error, -ENOMEM, "no memory for a device");
  for (unsigned i = 0; i < EFA_QUEUE_NUMBERS; i++)
    efa->by_number[i] = &efa->nobody;
  efa->nobody.send.ids = efa->nobody.receive.ids = efa->nobodys_ids;
  efa->nobody.head.verbs = &efa_verbs;
  return efa_block_take(efa, SMALL_BYTES, &efa->small, error);
}

static int start_interrupts(struct efa *efa, struct shunt_error *error)
{
  unsigned sleepers = efa->fabric.options.sleepers, vectors = efa->pci->vectors;
  if (!sleepers)
    return 0;
  if (sleepers < vectors && sleepers <= efa->event_queues.max_eq)
    return efa->pci->ops->interrupts(efa->pci, sleepers + 1, efa->fds, error);
  shunt_error_set(error, -EOPNOTSUPP, "no %u sleepers", sleepers);
  shunt_error_why(error,
                  "they need a vector each and one for the device; %s, reached by %s, has %u, and "
                  "%u event queues",
                  efa->pci->address, efa->pci->path, vectors, efa->event_queues.max_eq);
  shunt_error_remedy(error, "%s",
                     vectors ? "ask for fewer"
                             : "bind the device to vfio-pci, or poll: open without sleepers");
  return -EOPNOTSUPP;
}

static int take_uar(struct efa *efa, struct shunt_error *error)
{
  struct efa_aq_head command = {.opcode = EFA_ADMIN_ALLOC_UAR};
  struct efa_acq_entry answer;
  int result = efa_command(efa, &command, sizeof(command), &answer, error);
  if (!result)
    efa->uar = ((const struct efa_number_response *)(const void *)&answer)->number;
  return result;
}

static int bring_up(struct efa *efa, enum efa_reset_reason reason, struct shunt_error *error)
{
  int result = efa_device_reset(efa, reason, error);
  if (result)
    return result;
  efa_admin_start(efa);
  result = efa_features_read(efa, error);
  if (!result)
    result = efa_events_enable(efa, error);
  if (result)
    return result;
  efa_events_start(efa);
  efa_host_tell(efa);
  return take_uar(efa, error);
}

static int start(struct efa *efa, struct shunt_error *error)
{
  int result = identify(efa, error);
  if (!result)
    result = prepare(efa, error);
  if (result)
    return result;
  set_bus_master(efa, true);
  result = bring_up(efa, EFA_RESET_NORMAL, error);
  if (result)
    return result;
  /* Doorbells among the send queues would wait to be combined, too. */
  if (efa->device.doorbell_bar != EFA_BAR_LLQ)
    pci_combine(efa->pci, EFA_BAR_LLQ);
  return start_interrupts(efa, error);
}

/* --- Down, and up again --------------------------------------------------------------------------
 */

static void efa_stop(struct shunt_fabric *fabric)
{
  struct efa *efa = efa_of(fabric);
  struct shunt_error error;
  if (efa->small.memory && efa_device_reset(efa, EFA_RESET_SHUTDOWN, &error))
    shunt_log_error(efa->pci->log, SHUNT_LOG_WARNING, &error);
  efa->admin_ready = false;
}

static void efa_close(struct shunt_fabric *fabric)
{
  struct efa *efa = efa_of(fabric);
  if (efa->small.memory)
    set_bus_master(efa, false);
  efa_block_give(&efa->small);
  efa_memory_destroy(efa);
  pci_close(efa->pci);
  free(efa->wakers);
  free(efa->fds);
  free(efa);
}

static int efa_reset(struct shunt_fabric *fabric, struct shunt_error *error)
{
  struct efa *efa = efa_of(fabric);
  enum efa_reset_reason reason = EFA_RESET_USER;
  if (efa->unanswered && !efa->admin_ready)
    reason = EFA_RESET_ADMIN_TIMEOUT;
  else if (efa->keeps_alive && efa_now_ns(efa) - efa->alive_ns > efa->watchdog_ns)
    reason = EFA_RESET_KEEP_ALIVE_TIMEOUT;
  efa->admin_ready = false;
  int result = bring_up(efa, reason, error);
  /* Only now the device is sure to write nothing any more. */
  for (struct fabric_object *object = fabric->newest; object; object = object->older)
    if (object->kind == FABRIC_QP)
      efa_qp_flush(efa_qp_of(object));
  return result ? shunt_error_within(error, result, "%s does not come back", fabric->name) : 0;
}

/* --- The fabric ----------------------------------------------------------------------------------
 */

static void efa_info(const struct shunt_fabric *fabric, struct shunt_fabric_info *info)
{
  const struct efa *efa = efa_of_const(fabric);
  const struct efa_feature_queues *queues = &efa->queues;
  info->driver = "efa";
  info->device = efa->device_name;
  info->path = efa->pci->path;
  memcpy(info->gid.bytes, efa->network.gid, sizeof(info->gid.bytes));
  info->vendor_id = efa->pci->vendor;
  info->device_id = efa->pci->device;
  info->firmware_version = efa->device.firmware_version;
  info->mtu = efa->network.mtu;
  info->max_rdma_bytes = efa->device.max_rdma_bytes;
  info->caps = efa_caps(efa);
  info->inline_bytes = EFA_INLINE_BYTES;
  info->inline_bytes_wide = efa->inline_bytes_wide;
  info->max_qp = queues->max_qp;
  info->max_cq = queues->max_cq;
  info->max_mr = queues->max_mr;
  info->max_pd = queues->max_pd;
  info->max_ah = queues->max_ah;
  info->max_send_depth = queues->max_sq_depth;
  info->max_recv_depth = queues->max_rq_depth;
  info->max_cq_depth = queues->max_cq_depth;
  info->max_send_pieces = queues->max_send_sges;
  info->max_recv_pieces = queues->max_recv_sges;
  info->max_rdma_pieces = queues->max_rdma_sges;
  info->max_tx_batch = queues->max_tx_batch;
  info->link_gbps = efa->device.max_link_speed_gbps;
  info->numa_node = efa->pci->numa_node;
  info->model = efa->pci->is_model;
}

static unsigned efa_step(struct shunt_fabric *fabric)
{
  return pci_step(efa_of(fabric)->pci);
}

static const struct fabric_ops efa_ops = {.stop = efa_stop,
                                          .close = efa_close,
                                          .info = efa_info,
                                          .statistics = efa_statistics,
                                          .step = efa_step,
                                          .check = efa_check,
                                          .reset = efa_reset,
                                          .pd_create = efa_pd_create,
                                          .mr_register = efa_mr_register,
                                          .ah_create = efa_ah_create,
                                          .cq_create = efa_cq_create,
                                          .cq_fd = efa_cq_fd,
                                          .cq_arm = efa_cq_arm,
                                          .qp_create = efa_qp_create,
                                          .qp_stop = efa_qp_stop,
                                          .destroy = efa_destroy};

int efa_open_pci(struct pci *pci, const struct shunt_fabric_options *options,
                 struct shunt_fabric **fabric, struct shunt_error *error)
{
  struct efa *efa = calloc(1, sizeof(*efa));
  if (!efa) {
    pci_close(pci);
    return error_set_errno(error, -ENOMEM, "no memory for a device");
  }
  efa->fabric.ops = &efa_ops;
  efa->fabric.options = *options;
  efa->fabric.steps = pci->ops->step != NULL;
  efa->pci = pci;
  int result = start(efa, error);
  if (result) {
    shunt_fabric_close(&efa->fabric);
    return result;
  }
  *fabric = &efa->fabric;
  return 0;
}

static int efa_open(const char *location, const struct shunt_fabric_options *options,
                    struct params *params, struct shunt_fabric **fabric, struct shunt_error *error)
{
  const struct pci_open_options how = {
      .clock = options->clock, .log = options->log, .testbed = options->testbed, .kind = "efa"};
  struct pci *pci;
  int result = pci_open_named(location, &how, params, &pci, error);
  return result ? result : efa_open_pci(pci, options, fabric, error);
}

const struct fabric_driver efa_driver = {.name = "efa", .knows = efa_knows, .open = efa_open};
