/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space of the software EFA: a PCI Express endpoint with MSI-X, as lspci shows of
 * an EC2 instance's. */
#include <string.h>

#include "hw/pci.h"
#include "twin/efa/efa.h"

#define CAPABILITY_PCIE 0x70u
#define CAPABILITY_MSIX 0xB0u

#define PCIE_VERSION        0x0002u /* endpoint, structure version 2 */
#define DEVICE_CAPABILITIES (PCI_PCIE_DEVICE_CAPABILITIES_FLR | 0x8000u) /* role-based errors */
#define LINK_STATUS         0x1103u /* 8 GT/s, 16 lanes, on the slot's clock */

static void put(uint8_t *space, unsigned offset, unsigned bytes, uint32_t value)
{
  for (unsigned i = 0; i < bytes; i++)
    space[offset + i] = (uint8_t)(value >> (8 * i));
}

static void build_bars(struct efa_twin *twin)
{
  for (unsigned bar = 0; bar < PCI_BARS; bar++) {
    const struct shunt_model_bar *what = &twin->model.bars[bar];
    if (!what->bytes)
      continue;
    uint32_t flags = PCI_BAR_TYPE_64 | (what->is_prefetchable ? PCI_BAR_PREFETCH : 0);
    put(twin->model.config, PCI_CFG_BAR(bar), 4, flags);
    put(twin->model.config_writable, PCI_CFG_BAR(bar), 4, ~(uint32_t)(what->bytes - 1));
    put(twin->model.config_writable, PCI_CFG_BAR(bar + 1), 4, UINT32_MAX);
  }
}

void efa_twin_config_build(struct efa_twin *twin)
{
  uint8_t *config = twin->model.config, *writable = twin->model.config_writable;
  memset(config, 0, sizeof(twin->model.config));
  memset(writable, 0, sizeof(twin->model.config_writable));
  put(config, PCI_CFG_VENDOR_ID, 2, EFA_VENDOR_AMAZON);
  put(config, PCI_CFG_DEVICE_ID, 2, twin->options.device_id);
  put(config, PCI_CFG_STATUS, 2, PCI_STATUS_CAPABILITIES);
  put(config, PCI_CFG_CLASS, 3, PCI_CLASS_ETHERNET);
  put(config, PCI_CFG_SUBSYSTEM_VENDOR, 2, EFA_VENDOR_AMAZON);
  put(config, PCI_CFG_SUBSYSTEM_ID, 2, twin->options.device_id);
  put(config, PCI_CFG_CAPABILITIES, 1, CAPABILITY_PCIE);
  put(writable, PCI_CFG_COMMAND, 2,
      PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER | 0x0140u /* parity, SERR */ | PCI_CMD_INTX_DISABLE);
  put(writable, PCI_CFG_CACHE_LINE, 1, 0xFF);
  put(writable, PCI_CFG_INTERRUPT_LINE, 1, 0xFF);
  build_bars(twin);

  config[CAPABILITY_PCIE + PCI_CAP_HEADER_ID] = PCI_CAPABILITY_PCIE;
  config[CAPABILITY_PCIE + PCI_CAP_HEADER_NEXT] = CAPABILITY_MSIX;
  put(config, CAPABILITY_PCIE + PCI_PCIE_FLAGS, 2, PCIE_VERSION);
  put(config, CAPABILITY_PCIE + PCI_PCIE_DEVICE_CAPABILITIES, 4, DEVICE_CAPABILITIES);
  put(writable, CAPABILITY_PCIE + PCI_PCIE_DEVICE_CONTROL, 2, 0xFFFF);
  put(config, CAPABILITY_PCIE + PCI_PCIE_LINK_CAPABILITIES, 4, LINK_STATUS & 0x3FFu);
  put(config, CAPABILITY_PCIE + PCI_PCIE_LINK_STATUS, 2, LINK_STATUS);
  put(writable, CAPABILITY_PCIE + PCI_PCIE_DEVICE_CONTROL_2, 2, PCI_PCIE_DEVICE_CONTROL_2_TIMEOUT);

  config[CAPABILITY_MSIX + PCI_CAP_HEADER_ID] = PCI_CAPABILITY_MSIX;
  put(config, CAPABILITY_MSIX + PCI_MSIX_CONTROL, 2, EFA_TWIN_VECTORS - 1);
  put(config, CAPABILITY_MSIX + PCI_MSIX_TABLE, 4, EFA_TWIN_MSIX_TABLE | EFA_BAR_REGISTERS);
  put(config, CAPABILITY_MSIX + PCI_MSIX_PBA, 4, EFA_TWIN_MSIX_PBA | EFA_BAR_REGISTERS);
  put(writable, CAPABILITY_MSIX + PCI_MSIX_CONTROL, 2,
      PCI_MSIX_CONTROL_MASK_ALL | PCI_MSIX_CONTROL_ENABLE);
}

void efa_twin_config_written(struct shunt_model *model, unsigned offset, unsigned bytes)
{
  const unsigned control = CAPABILITY_PCIE + PCI_PCIE_DEVICE_CONTROL;
  (void)offset, (void)bytes;
  if (model->config[control + 1] & PCI_PCIE_DEVICE_CONTROL_FLR >> 8)
    shunt_model_reset(model); /* builds configuration space anew: the bit reads 0 */
}
