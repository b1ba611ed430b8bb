/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space: the header and the four capabilities that the devices here have.
 *
 * Sources: PCI Local Bus 3.0 chapter 6, PCI Power Management 1.2 chapter 3, PCI Express Base 2.0
 * chapter 7; in Linux, include/uapi/linux/pci_regs.h. Where a capability lies differs by device, so
 * its fields are offsets from its start. */
#ifndef HW_PCI_H
#define HW_PCI_H

#define PCI_CONFIG_BYTES          256u
#define PCI_CONFIG_EXTENDED_BYTES 4096u

/* Type 0 header (6.1) */
#define PCI_CFG_VENDOR_ID        0x00u
#define PCI_CFG_DEVICE_ID        0x02u
#define PCI_CFG_COMMAND          0x04u
#define PCI_CFG_STATUS           0x06u
#define PCI_CFG_REVISION         0x08u
#define PCI_CFG_CLASS            0x09u /* three bytes: interface, subclass, class */
#define PCI_CFG_CACHE_LINE       0x0Cu
#define PCI_CFG_LATENCY          0x0Du
#define PCI_CFG_HEADER_TYPE      0x0Eu
#define PCI_CFG_BAR(n)           (0x10u + 4 * (n)) /* n 0-5 */
#define PCI_CFG_SUBSYSTEM_VENDOR 0x2Cu
#define PCI_CFG_SUBSYSTEM_ID     0x2Eu
#define PCI_CFG_ROM              0x30u
#define PCI_CFG_CAPABILITIES     0x34u
#define PCI_CFG_INTERRUPT_LINE   0x3Cu
#define PCI_CFG_INTERRUPT_PIN    0x3Du /* 0: none, 1: INTA */
#define PCI_BARS                 6u

#define PCI_CMD_IO               0x0001u
#define PCI_CMD_MEMORY           0x0002u
#define PCI_CMD_BUS_MASTER       0x0004u
#define PCI_CMD_INTX_DISABLE     0x0400u
#define PCI_STATUS_INTX          0x0008u
#define PCI_STATUS_CAPABILITIES  0x0010u
#define PCI_HEADER_MULTIFUNCTION 0x80u
#define PCI_CLASS_ETHERNET       0x020000u

/* Base address registers: low bits say what kind; all ones written read back as the size's mask. */
#define PCI_BAR_IO       0x00000001u
#define PCI_BAR_TYPE     0x00000006u
#define PCI_BAR_TYPE_64  0x00000004u /* the next register is its upper half */
#define PCI_BAR_PREFETCH 0x00000008u
#define PCI_BAR_FLAGS    0x0000000Fu

/* A capability starts with its id and the offset of the next, 0 ending the list. */
#define PCI_CAP_HEADER_ID   0x0u
#define PCI_CAP_HEADER_NEXT 0x1u
#define PCI_CAPABILITY_PM   0x01u
#define PCI_CAPABILITY_MSI  0x05u
#define PCI_CAPABILITY_PCIE 0x10u
#define PCI_CAPABILITY_MSIX 0x11u

/* Power management (PM 3.2) */
#define PCI_PM_CAPABILITIES          0x02u
#define PCI_PM_CONTROL               0x04u
#define PCI_PM_CONTROL_STATE         0x0003u
#define PCI_PM_CONTROL_NO_SOFT_RESET 0x0008u
#define PCI_PM_BYTES                 0x08u

/* MSI, 64-bit with masking (6.8.1) */
#define PCI_MSI_CONTROL                  0x02u
#define PCI_MSI_CONTROL_ENABLE           0x0001u
#define PCI_MSI_CONTROL_MULTIPLE_CAPABLE 0x000Eu
#define PCI_MSI_CONTROL_MULTIPLE_ENABLED 0x0070u
#define PCI_MSI_CONTROL_64BIT            0x0080u
#define PCI_MSI_CONTROL_MASKING          0x0100u
#define PCI_MSI_ADDRESS                  0x04u
#define PCI_MSI_ADDRESS_HIGH             0x08u
#define PCI_MSI_DATA                     0x0Cu
#define PCI_MSI_MASK                     0x10u
#define PCI_MSI_PENDING                  0x14u
#define PCI_MSI_BYTES                    0x18u

/* MSI-X (6.8.2) */
#define PCI_MSIX_CONTROL            0x02u
#define PCI_MSIX_CONTROL_SIZE       0x07FFu /* vectors less one */
#define PCI_MSIX_CONTROL_MASK_ALL   0x4000u
#define PCI_MSIX_CONTROL_ENABLE     0x8000u
#define PCI_MSIX_TABLE              0x04u
#define PCI_MSIX_PBA                0x08u
#define PCI_MSIX_BAR_INDEX          0x00000007u /* in both */
#define PCI_MSIX_OFFSET             0xFFFFFFF8u
#define PCI_MSIX_BYTES              0x0Cu
#define PCI_MSIX_ENTRY_BYTES        16u
#define PCI_MSIX_ENTRY_ADDRESS      0x0u
#define PCI_MSIX_ENTRY_ADDRESS_HIGH 0x4u
#define PCI_MSIX_ENTRY_DATA         0x8u
#define PCI_MSIX_ENTRY_CONTROL      0xCu
#define PCI_MSIX_ENTRY_MASKED       0x00000001u

/* PCI Express, version 2 (7.8) */
#define PCI_PCIE_FLAGS                           0x02u
#define PCI_PCIE_FLAGS_VERSION                   0x000Fu
#define PCI_PCIE_FLAGS_TYPE                      0x00F0u /* 0: endpoint */
#define PCI_PCIE_DEVICE_CAPABILITIES             0x04u
#define PCI_PCIE_DEVICE_CAPABILITIES_FLR         0x10000000u
#define PCI_PCIE_DEVICE_CONTROL                  0x08u
#define PCI_PCIE_DEVICE_CONTROL_RELAXED_ORDERING 0x0010u
#define PCI_PCIE_DEVICE_CONTROL_MAX_PAYLOAD      0x00E0u /* 128 << n bytes */
#define PCI_PCIE_DEVICE_CONTROL_NO_SNOOP         0x0800u
#define PCI_PCIE_DEVICE_CONTROL_MAX_READ         0x7000u /* 128 << n bytes */
#define PCI_PCIE_DEVICE_CONTROL_FLR              0x8000u /* write 1: function-level reset */
#define PCI_PCIE_DEVICE_STATUS                   0x0Au
#define PCI_PCIE_DEVICE_STATUS_PENDING           0x0020u
#define PCI_PCIE_LINK_CAPABILITIES               0x0Cu
#define PCI_PCIE_LINK_CONTROL                    0x10u
#define PCI_PCIE_LINK_STATUS                     0x12u
#define PCI_PCIE_LINK_SPEED                      0x000Fu /* 1: 2.5 GT/s, 2: 5, 3: 8; in both */
#define PCI_PCIE_LINK_WIDTH                      0x03F0u
#define PCI_PCIE_DEVICE_CONTROL_2                0x28u
#define PCI_PCIE_DEVICE_CONTROL_2_TIMEOUT        0x000Fu
#define PCI_PCIE_BYTES                           0x3Cu

/* Where they lie on the 82599 (datasheet 9.3.9 - 9.3.11). Drivers hard-code the sums: 0x72 MSI-X
 * control, 0xAA device status, 0xB2 link status, 0xC8 device control 2. */
#define PCI_82599_PM   0x40u
#define PCI_82599_MSI  0x50u
#define PCI_82599_MSIX 0x70u
#define PCI_82599_PCIE 0xA0u

#endif
