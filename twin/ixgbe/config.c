/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space of the software 82599 (datasheet 9.3 - 9.4). */
#include <string.h>

#include "hw/pci.h"
#include "twin/ixgbe/ixgbe.h"

#define SUBSYSTEM_ID     0x0003u /* Ethernet Server Adapter X520 */
#define PM_CAPABILITIES  0x4823u /* version 3; PME from D0 and D3hot; device-specific init */
#define MSI_CAPABILITIES (PCI_MSI_CONTROL_64BIT | PCI_MSI_CONTROL_MASKING)
#define PCIE_VERSION     0x0002u /* endpoint, structure version 2 */
/* Payloads to 512 bytes, and what the rest of 9.3.11.2 says. */
#define DEVICE_CAPABILITIES        (PCI_PCIE_DEVICE_CAPABILITIES_FLR | 0x8CC2u)
#define DEVICE_CONTROL             0x2810u     /* reads of 512 bytes, relaxed ordering, no snoop */
#define LINK_CAPABILITIES          0x00000482u /* 5 GT/s, 8 lanes, L0s */
#define LINK_STATUS                0x1082u     /* that, on the slot's clock */
#define DEVICE_CONTROL_2_TIMEOUTS  0x0000001Fu /* device capabilities 2: all ranges, can be off */
#define PCIE_DEVICE_CAPABILITIES_2 0x24u

#define POWER_STATE_D3 3u

/* Extended capabilities: id, version and next in the first dword (PCI Express 7.9.3). */
#define EXTENDED_AER         0x100u
#define EXTENDED_SERIAL      0x140u
#define EXTENDED_AER_HEAD    (0x00010001u | EXTENDED_SERIAL << 20)
#define EXTENDED_AER_MASKS   0x08u /* uncorrectable mask and severity, correctable mask at 0x14 */
#define EXTENDED_SERIAL_HEAD 0x00010003u

static void put(uint8_t *space, unsigned offset, unsigned bytes, uint32_t value)
{
  for (unsigned i = 0; i < bytes; i++)
    space[offset + i] = (uint8_t)(value >> (8 * i));
}

static uint32_t take(const uint8_t *space, unsigned offset, unsigned bytes)
{
  uint32_t value = 0;
  for (unsigned i = 0; i < bytes; i++)
    value |= (uint32_t)space[offset + i] << (8 * i);
  return value;
}

/* Capability header; next is 0 for the last. */
static void put_capability(uint8_t *space, unsigned offset, unsigned id, unsigned next)
{
  space[offset + PCI_CAP_HEADER_ID] = (uint8_t)id;
  space[offset + PCI_CAP_HEADER_NEXT] = (uint8_t)next;
}

static void build_header(struct twin_ixgbe *twin)
{
  uint8_t *config = twin->model.config, *writable = twin->model.config_writable;
  put(config, PCI_CFG_VENDOR_ID, 2, IXGBE_VENDOR_INTEL);
  put(config, PCI_CFG_DEVICE_ID, 2, twin->options.device_id);
  put(config, PCI_CFG_STATUS, 2, PCI_STATUS_CAPABILITIES);
  put(config, PCI_CFG_REVISION, 1, IXGBE_REVISION_82599_B0);
  put(config, PCI_CFG_CLASS, 3, PCI_CLASS_ETHERNET);
  put(config, PCI_CFG_SUBSYSTEM_VENDOR, 2, IXGBE_VENDOR_INTEL);
  put(config, PCI_CFG_SUBSYSTEM_ID, 2, SUBSYSTEM_ID);
  put(config, PCI_CFG_CAPABILITIES, 1, PCI_82599_PM);
  put(config, PCI_CFG_INTERRUPT_PIN, 1, 1);
  put(writable, PCI_CFG_COMMAND, 2,
      PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER | 0x0140u /* parity, SERR */ | PCI_CMD_INTX_DISABLE);
  put(writable, PCI_CFG_CACHE_LINE, 1, 0xFF);
  put(writable, PCI_CFG_INTERRUPT_LINE, 1, 0xFF);
  for (unsigned bar = 0; bar < PCI_BARS; bar++) {
    const struct shunt_model_bar *what = &twin->model.bars[bar];
    if (!what->bytes)
      continue;
    uint32_t flags = what->is_64bit ? PCI_BAR_TYPE_64 : 0;
    put(config, PCI_CFG_BAR(bar), 4, what->is_prefetchable ? flags | PCI_BAR_PREFETCH : flags);
    put(writable, PCI_CFG_BAR(bar), 4, ~(uint32_t)(what->bytes - 1));
    if (what->is_64bit)
      put(writable, PCI_CFG_BAR(bar + 1), 4, UINT32_MAX);
  }
}

static void build_capabilities(struct twin_ixgbe *twin)
{
  uint8_t *config = twin->model.config, *writable = twin->model.config_writable;

  put_capability(config, PCI_82599_PM, PCI_CAPABILITY_PM, PCI_82599_MSI);
  put(config, PCI_82599_PM + PCI_PM_CAPABILITIES, 2, PM_CAPABILITIES);
  put(writable, PCI_82599_PM + PCI_PM_CONTROL, 2, PCI_PM_CONTROL_STATE | 0x0100u /* PME enable */);

  put_capability(config, PCI_82599_MSI, PCI_CAPABILITY_MSI, PCI_82599_MSIX);
  put(config, PCI_82599_MSI + PCI_MSI_CONTROL, 2, MSI_CAPABILITIES);
  put(writable, PCI_82599_MSI + PCI_MSI_CONTROL, 2,
      PCI_MSI_CONTROL_ENABLE | PCI_MSI_CONTROL_MULTIPLE_ENABLED);
  put(writable, PCI_82599_MSI + PCI_MSI_ADDRESS, 4, ~UINT32_C(3));
  put(writable, PCI_82599_MSI + PCI_MSI_ADDRESS_HIGH, 4, UINT32_MAX);
  put(writable, PCI_82599_MSI + PCI_MSI_DATA, 2, 0xFFFF);
  put(writable, PCI_82599_MSI + PCI_MSI_MASK, 4, 1);

  put_capability(config, PCI_82599_MSIX, PCI_CAPABILITY_MSIX, PCI_82599_PCIE);
  put(config, PCI_82599_MSIX + PCI_MSIX_CONTROL, 2, TWIN_IXGBE_VECTORS - 1);
  put(config, PCI_82599_MSIX + PCI_MSIX_TABLE, 4, IXGBE_MSIX_TABLE | IXGBE_BAR_MSIX);
  put(config, PCI_82599_MSIX + PCI_MSIX_PBA, 4, IXGBE_MSIX_PBA | IXGBE_BAR_MSIX);
  put(writable, PCI_82599_MSIX + PCI_MSIX_CONTROL, 2,
      PCI_MSIX_CONTROL_MASK_ALL | PCI_MSIX_CONTROL_ENABLE);

  put_capability(config, PCI_82599_PCIE, PCI_CAPABILITY_PCIE, 0);
  put(config, PCI_82599_PCIE + PCI_PCIE_FLAGS, 2, PCIE_VERSION);
  put(config, PCI_82599_PCIE + PCI_PCIE_DEVICE_CAPABILITIES, 4, DEVICE_CAPABILITIES);
  put(config, PCI_82599_PCIE + PCI_PCIE_DEVICE_CONTROL, 2, DEVICE_CONTROL);
  put(writable, PCI_82599_PCIE + PCI_PCIE_DEVICE_CONTROL, 2, 0xFFFF);
  put(config, PCI_82599_PCIE + PCI_PCIE_LINK_CAPABILITIES, 4, LINK_CAPABILITIES);
  put(writable, PCI_82599_PCIE + PCI_PCIE_LINK_CONTROL, 2, 0x00C3u /* ASPM, clock, synch */);
  put(config, PCI_82599_PCIE + PCI_PCIE_LINK_STATUS, 2, LINK_STATUS);
  put(config, PCI_82599_PCIE + PCIE_DEVICE_CAPABILITIES_2, 4, DEVICE_CONTROL_2_TIMEOUTS);
  put(writable, PCI_82599_PCIE + PCI_PCIE_DEVICE_CONTROL_2, 2,
      PCI_PCIE_DEVICE_CONTROL_2_TIMEOUT | 0x0010u /* timeout off */);
}

static void build_extended(struct twin_ixgbe *twin)
{
  uint8_t *config = twin->model.config, *writable = twin->model.config_writable;
  const uint8_t *mac = twin->options.mac.bytes;
  put(config, EXTENDED_AER, 4, EXTENDED_AER_HEAD);
  for (unsigned offset = EXTENDED_AER_MASKS; offset < 0x18; offset += 4)
    put(writable, EXTENDED_AER + offset, 4, offset == 0x10 ? 0 : UINT32_MAX);
  put(config, EXTENDED_SERIAL, 4, EXTENDED_SERIAL_HEAD);
  /* The MAC address with FFFFh in its middle, last byte lowest (9.4.2). */
  const uint8_t serial[8] = {mac[5], mac[4], mac[3], 0xFF, 0xFF, mac[2], mac[1], mac[0]};
  memcpy(config + EXTENDED_SERIAL + 4, serial, sizeof(serial));
}

void twin_ixgbe_config_build(struct twin_ixgbe *twin)
{
  memset(twin->model.config, 0, sizeof(twin->model.config));
  memset(twin->model.config_writable, 0, sizeof(twin->model.config_writable));
  build_header(twin);
  build_capabilities(twin);
  build_extended(twin);
}

/* Leaving D3 without "no soft reset" is a reset (PM 5.4.1). */
static void power_written(struct twin_ixgbe *twin)
{
  uint32_t state =
      take(twin->model.config, PCI_82599_PM + PCI_PM_CONTROL, 2) & PCI_PM_CONTROL_STATE;
  bool was_d3 = twin->is_d3;
  twin->is_d3 = state == POWER_STATE_D3;
  if (was_d3 && !twin->is_d3)
    twin_ixgbe_reset(twin, TWIN_IXGBE_RESET_POWER);
}

void twin_ixgbe_config_written(struct shunt_model *model, unsigned offset, unsigned bytes)
{
  struct twin_ixgbe *twin = (struct twin_ixgbe *)model;
  const unsigned control = PCI_82599_PCIE + PCI_PCIE_DEVICE_CONTROL;
  if (take(model->config, control, 2) & PCI_PCIE_DEVICE_CONTROL_FLR) {
    shunt_model_reset(model); /* builds configuration space anew: the bit reads 0 */
    return;
  }
  power_written(twin);
  if (offset < PCI_CFG_COMMAND + 2 && offset + bytes > PCI_CFG_COMMAND)
    twin_ixgbe_interrupts_update(twin);
}

bool twin_ixgbe_config_sends_messages(const struct twin_ixgbe *twin)
{
  const uint8_t *config = twin->model.config;
  return (take(config, PCI_82599_MSIX + PCI_MSIX_CONTROL, 2) & PCI_MSIX_CONTROL_ENABLE) ||
         (take(config, PCI_82599_MSI + PCI_MSI_CONTROL, 2) & PCI_MSI_CONTROL_ENABLE);
}

bool twin_ixgbe_config_intx_allowed(const struct twin_ixgbe *twin)
{
  return !twin_ixgbe_config_sends_messages(twin) &&
         !(take(twin->model.config, PCI_CFG_COMMAND, 2) & PCI_CMD_INTX_DISABLE);
}

void twin_ixgbe_config_intx_status(struct twin_ixgbe *twin, bool is_asserted)
{
  uint8_t *status = &twin->model.config[PCI_CFG_STATUS];
  *status = (uint8_t)(is_asserted ? *status | PCI_STATUS_INTX : *status & ~PCI_STATUS_INTX);
}
