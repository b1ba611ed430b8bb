/* SPDX-License-Identifier: BSD-2-Clause */
/* The Intel 82599: which cards, and how a port comes up and goes down (datasheet 4.6.3). */
#include "src/nic/ixgbe/ixgbe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"

/* --- Which cards ---------------------------------------------------------------------------------
 */

/* Tried on the twin: 10FB, 10F9, 10FC. The others differ in nothing that this driver looks at, as
 * Intel's own driver treats them; no silicon has been tried yet (docs/hardware.md). */
static const struct ixgbe_device devices[] = {
    {IXGBE_DEVICE_82599_SFP, IXGBE_MEDIA_SFP, "SFP+"},
    {IXGBE_DEVICE_82599_CX4, IXGBE_MEDIA_CX4, "CX4"},
    {IXGBE_DEVICE_82599_XAUI, IXGBE_MEDIA_XAUI, "XAUI"},
    {IXGBE_DEVICE_82599_KX4, IXGBE_MEDIA_BACKPLANE, "KX4 backplane"},
    {IXGBE_DEVICE_82599_COMBO, IXGBE_MEDIA_BACKPLANE, "combined backplane"},
    {IXGBE_DEVICE_82599_MEZZ, IXGBE_MEDIA_BACKPLANE, "KX4 mezzanine"},
    {IXGBE_DEVICE_82599_KR, IXGBE_MEDIA_BACKPLANE, "KR backplane"},
    {IXGBE_DEVICE_82599_SFP_EM, IXGBE_MEDIA_SFP, "SFP+, embedded"},
    {IXGBE_DEVICE_82599_SF2, IXGBE_MEDIA_SFP, "SFP+, X520 second board"},
    {IXGBE_DEVICE_82599EN_SFP, IXGBE_MEDIA_SFP, "82599EN, SFP+"},
};

/* Relatives that would need more than this driver has. first..last are device ids. */
static const struct ixgbe_relative {
  uint16_t first, last;
  const char *name, *why;
} relatives[] = {
    {0x10ED, 0x10ED, "82599 virtual function", "open the physical function"},
    {0x152E, 0x152E, "82599 virtual function", "open the physical function"},
    {0x151C, 0x151C, "82599 with 10GBASE-T", "its PHY wants a driver of its own"},
    {0x154A, 0x154A, "82599 with four ports", "the bridge between them has not been looked at"},
    {0x154F, 0x154F, "82599 with LCO optics", "its module has not been looked at"},
    {0x1558, 0x1558, "82599 with QSFP+", "its module has another register map"},
    {0x10B6, 0x10B6, "82598", "other rings and registers"},
    {0x10C6, 0x10C8, "82598", "other rings and registers"},
    {0x10DB, 0x10DD, "82598", "other rings and registers"},
    {0x10E1, 0x10E1, "82598", "other rings and registers"},
    {0x10EC, 0x10EC, "82598", "other rings and registers"},
    {0x10F1, 0x10F4, "82598", "other rings and registers"},
    {0x1508, 0x150B, "82598", "other rings and registers"},
    {0x1528, 0x1528, "X540", "another EEPROM, PHY and semaphores"},
    {0x1560, 0x1560, "X540", "another EEPROM, PHY and semaphores"},
    {0x1563, 0x1563, "X550", "another EEPROM, PHY, semaphores and clock"},
    {0x15AA, 0x15B0, "X550", "another EEPROM, PHY, semaphores and clock"},
    {0x15C2, 0x15CE, "X550", "another EEPROM, PHY, semaphores and clock"},
    {0x15D1, 0x15D1, "X550", "another EEPROM, PHY, semaphores and clock"},
    {0x15E4, 0x15E5, "X550", "another EEPROM, PHY, semaphores and clock"},
};

static const struct ixgbe_device *find_device(uint16_t vendor, uint16_t id)
{
  for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
    if (vendor == IXGBE_VENDOR_INTEL && id == devices[i].id)
      return &devices[i];
  return NULL;
}

static const struct ixgbe_relative *find_relative(uint16_t vendor, uint16_t id)
{
  for (unsigned i = 0; i < sizeof(relatives) / sizeof(relatives[0]); i++)
    if (vendor == IXGBE_VENDOR_INTEL && id >= relatives[i].first && id <= relatives[i].last)
      return &relatives[i];
  return NULL;
}

static int ixgbe_knows(uint16_t vendor, uint16_t id, struct shunt_error *error)
{
  const struct ixgbe_relative *relative = find_relative(vendor, id);
  if (find_device(vendor, id))
    return 0;
  if (relative) {
    shunt_error_why(error, "device %04x is an Intel %s: %s", id, relative->name, relative->why);
    shunt_error_remedy(error, "use it through its kernel driver, as xdp:<interface>");
  }
  return -ENODEV;
}

static int identify(struct ixgbe *ixgbe, struct shunt_error *error)
{
  const struct pci *pci = ixgbe->pci;
  ixgbe->device = find_device(pci->vendor, pci->device);
  if (ixgbe->device)
    return 0;
  shunt_error_set(error, -ENODEV, "%s is no 82599 that this driver knows", pci->address);
  shunt_error_why(error, "its vendor is %04x and its device %04x", pci->vendor, pci->device);
  shunt_error_remedy(error, "shunt info lists the devices here and their drivers");
  return ixgbe_knows(pci->vendor, pci->device, error);
}

/* --- What can be asked of them ---------------------------------------------------------------- */

static int check_options(const struct shunt_port_options *options, struct shunt_error *error)
{
  uint32_t buf_bytes = shunt_region_buf_bytes(options->region);
  if (options->queues > IXGBE_QUEUE_PAIRS) {
    shunt_error_set(error, -EINVAL, "no %u queue pairs", options->queues);
    shunt_error_why(error,
                    "this driver opens up to %u: one for each of the chip's interrupt "
                    "vectors; RSS spreads over the first %u, filters reach all",
                    IXGBE_QUEUE_PAIRS, IXGBE_RSS_QUEUES);
    return -EINVAL;
  }
  if (buf_bytes % 1024 || buf_bytes > 16384) {
    shunt_error_set(error, -EINVAL, "the region's buffers of %u bytes don't suit an 82599",
                    buf_bytes);
    shunt_error_why(error, "SRRCTL.BSIZEPACKET counts KiB, 1 to 16 (datasheet 8.2.3.8.7)");
    shunt_error_remedy(error, "make the region with buf_bytes of 1024, 2048, 4096, 8192 or 16384");
    return -EINVAL;
  }
  return 0;
}

/* --- Up ----------------------------------------------------------------------------------------
 */

/* The order of 4.6.3: reset; then everything that must be set while nothing moves; then the queues,
 * the link, and the receive unit's enable bit as the last thing of all. */
static int start(struct ixgbe *ixgbe, struct shunt_error *error)
{
  int result = identify(ixgbe, error);
  if (!result)
    result = ixgbe_reset(ixgbe, error);
  if (!result)
    result = ixgbe_memory_create(ixgbe, error);
  if (!result)
    result = ixgbe_statistics_start(ixgbe, error);
  if (result)
    return result;

  ixgbe->promiscuous = ixgbe->options.promiscuous;
  ixgbe_filters_start(ixgbe);
  ixgbe_vlan_start(ixgbe);
  ixgbe_rss_start(ixgbe);
  ixgbe_ptp_start(ixgbe);
  result = ixgbe_rx_start(ixgbe, error);
  if (!result)
    result = ixgbe_flow_director_start(ixgbe, error);
  if (!result)
    result = ixgbe_tx_start(ixgbe, error);
  if (!result)
    result = ixgbe_link_start(ixgbe, error);
  if (!result)
    result = ixgbe_interrupts_start(ixgbe, error);
  if (!result)
    result = ixgbe_rx_enable(ixgbe, true, error);
  return result;
}

/* --- Down --------------------------------------------------------------------------------------
 */

/* Takes a port in any state that start can leave behind. */
static void ixgbe_close(struct shunt_port *port)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  if (ixgbe->reset_done) {
    ixgbe_quiesce(ixgbe);
    ixgbe_link_stop(ixgbe);
  }
  ixgbe_memory_destroy(ixgbe);
  pci_close(ixgbe->pci);
  free(ixgbe->counters);
  free(ixgbe->perfect);
  free(ixgbe->groups);
  free(ixgbe);
}

/* --- The port ------------------------------------------------------------------------------------
 */

static void ixgbe_info(const struct shunt_port *port, struct shunt_port_info *info)
{
  const struct ixgbe *ixgbe = ixgbe_of(port);
  info->driver = "ixgbe";
  info->device = ixgbe->device_name;
  info->path = ixgbe->pci->path;
  info->mac = ixgbe->mac;
  info->queues = ixgbe->options.queues;
  info->max_queues = ixgbe->options.interrupts ? IXGBE_QUEUE_PAIRS_TO_SLEEP : IXGBE_QUEUE_PAIRS;
  info->rx_ring = ixgbe->options.rx_ring;
  info->tx_ring = ixgbe->options.tx_ring;
  info->mtu = ixgbe->options.mtu;
  info->rx_buf_bytes = shunt_region_buf_bytes(ixgbe->options.region);
  info->numa_node = ixgbe->pci->numa_node;
  info->model = ixgbe->pci->is_model;
  info->interrupts = ixgbe->vectors != 0;
}

static struct shunt_queue *ixgbe_queue(struct shunt_port *port, unsigned index)
{
  return &ixgbe_of(port)->queues[index]->head;
}

static unsigned ixgbe_step(struct shunt_port *port)
{
  return pci_step(ixgbe_of(port)->pci);
}

static const struct port_ops ixgbe_ops = {
    .close = ixgbe_close,
    .info = ixgbe_info,
    .queue = ixgbe_queue,
    .step = ixgbe_step,
    .queue_fd = ixgbe_queue_fd,
    .queue_arm = ixgbe_queue_arm,
    .link = ixgbe_link,
    .check = ixgbe_check,
    .statistics = ixgbe_statistics,
    .promiscuous = ixgbe_promiscuous,
    .multicast = ixgbe_multicast,
    .vlan = ixgbe_vlan,
    .rss_set = ixgbe_rss_set,
    .rss_get = ixgbe_rss_get,
    .filter_add = ixgbe_filter_add,
    .filter_remove = ixgbe_filter_remove,
    .time = ixgbe_time,
};

int ixgbe_open_pci(struct pci *pci, const struct shunt_port_options *options,
                   struct shunt_port **port, struct shunt_error *error)
{
  struct ixgbe *ixgbe = calloc(1, sizeof(*ixgbe));
  if (!ixgbe) {
    pci_close(pci);
    return error_set_errno(error, -ENOMEM, "no memory for a port");
  }
  ixgbe->port.ops = &ixgbe_ops;
  ixgbe->port.steps = pci->ops->step != NULL;
  ixgbe->pci = pci;
  ixgbe->options = *options;
  int result = check_options(options, error);
  if (!result)
    result = start(ixgbe, error);
  if (result) {
    ixgbe_close(&ixgbe->port);
    return result;
  }
  snprintf(ixgbe->device_name, sizeof(ixgbe->device_name), "Intel 82599 (%04X, %s)",
           ixgbe->device->id, ixgbe->device->name);
  *port = &ixgbe->port;
  return 0;
}

static int ixgbe_open(const char *location, const struct shunt_port_options *options,
                      struct params *params, struct shunt_port **port, struct shunt_error *error)
{
  const struct pci_open_options how = {
      .clock = options->clock, .log = options->log, .testbed = options->testbed, .kind = "ixgbe"};
  struct pci *pci;
  int result = pci_open_named(location, &how, params, &pci, error);
  return result ? result : ixgbe_open_pci(pci, options, port, error);
}

const struct port_driver ixgbe_driver = {.name = "ixgbe", .knows = ixgbe_knows, .open = ixgbe_open};
