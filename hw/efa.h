/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of AWS's Elastic Fabric Adapter.
 *
 * There is no public datasheet. What the device is, is what Amazon publishes as its driver's
 * interface headers, under the BSD licence too (amzn-drivers, kernel/linux/efa/src): each group
 * below names the header it was taken from, as regs (efa_regs_defs.h), admin (efa_admin_defs.h),
 * cmds (efa_admin_cmds_defs.h) or io (efa_io_defs.h), or the driver's function that shows how the
 * device behaves. Offsets are in bytes from BAR 0; every register is one little-endian dword.
 *
 * Registers are read by asking for them (MMIO_REG_READ) and waiting for the device to write the
 * answer into memory: a real read over PCIe would stall the CPU. Only writes are plain.
 *
 * Admin commands are in hw/efa_admin.h, work requests and completions in hw/efa_desc.h. */
#ifndef HW_EFA_H
#define HW_EFA_H

#include "hw/bits.h"
#include "hw/efa_admin.h"
#include "hw/efa_desc.h"

/* Who it is: PCI vendor and device ids (efa_main.c: efa_pci_tbl). */
#define EFA_VENDOR_AMAZON 0x1D0Fu
#define EFA_DEVICE_EFA0   0xEFA0u
#define EFA_DEVICE_EFA1   0xEFA1u
#define EFA_DEVICE_EFA2   0xEFA2u
#define EFA_DEVICE_EFA3   0xEFA3u
#define EFA_DEVICE_EFA4   0xEFA4u

/* The spaces behind its BARs (efa.h: EFA_REG_BAR, EFA_MEM_BAR). Doorbells are in the BAR that the
 * device attributes name. */
#define EFA_BAR_REGISTERS 0u
#define EFA_BAR_LLQ       2u

/* Vector 0 serves admin completions and events; 1 and up serve event queues (efa_main.c). */
#define EFA_VECTOR_ADMIN 0u
#define EFA_VECTOR_EQ    1u

/* --- Registers (regs) ---------------------------------------------------------------------- */

#define EFA_VERSION            0x00u
#define EFA_CONTROLLER_VERSION 0x04u
#define EFA_CAPS               0x08u
#define EFA_AQ_BASE_LO         0x10u
#define EFA_AQ_BASE_HI         0x14u
#define EFA_AQ_CAPS            0x18u
#define EFA_ACQ_BASE_LO        0x20u
#define EFA_ACQ_BASE_HI        0x24u
#define EFA_ACQ_CAPS           0x28u
#define EFA_AQ_PROD_DB         0x2Cu /* how many commands were ever queued, modulo 2^32 */
#define EFA_AENQ_CAPS          0x34u
#define EFA_AENQ_BASE_LO       0x38u
#define EFA_AENQ_BASE_HI       0x3Cu
#define EFA_AENQ_CONS_DB       0x40u /* how many events were ever consumed; 0 first */
#define EFA_INTR_MASK          0x4Cu
#define EFA_DEV_CTL            0x54u
#define EFA_DEV_STS            0x58u
#define EFA_MMIO_REG_READ      0x5Cu
#define EFA_MMIO_RESP_LO       0x60u
#define EFA_MMIO_RESP_HI       0x64u
#define EFA_EQ_DB              0x68u

/* VERSION */
#define EFA_VERSION_MINOR UINT32_C(0x000000FF)
#define EFA_VERSION_MAJOR UINT32_C(0x0000FF00)

/* CONTROLLER_VERSION */
#define EFA_CONTROLLER_VERSION_SUBMINOR UINT32_C(0x000000FF)
#define EFA_CONTROLLER_VERSION_MINOR    UINT32_C(0x0000FF00)
#define EFA_CONTROLLER_VERSION_MAJOR    UINT32_C(0x00FF0000)
#define EFA_CONTROLLER_VERSION_IMPL_ID  UINT32_C(0xFF000000)

/* CAPS */
#define EFA_CAPS_CONTIGUOUS_QUEUES UINT32_C(0x00000001)
#define EFA_CAPS_RESET_TIMEOUT     UINT32_C(0x0000003E) /* in 100 ms */
#define EFA_CAPS_DMA_ADDRESS_BITS  UINT32_C(0x0000FF00)
#define EFA_CAPS_ADMIN_TIMEOUT     UINT32_C(0x000F0000) /* in 100 ms; 0: the driver's own */
#define EFA_CAPS_TIMEOUT_UNIT_MS   100u

/* AQ_CAPS; ACQ_CAPS and AENQ_CAPS, whose entry size is narrower for the vector's sake. */
#define EFA_AQ_CAPS_DEPTH       UINT32_C(0x0000FFFF)
#define EFA_AQ_CAPS_ENTRY_BYTES UINT32_C(0xFFFF0000)
#define EFA_CQ_CAPS_DEPTH       UINT32_C(0x0000FFFF)
#define EFA_CQ_CAPS_ENTRY_BYTES UINT32_C(0x00FF0000)
#define EFA_CQ_CAPS_MSIX_VECTOR UINT32_C(0xFF000000)

/* INTR_MASK: 1 in the bit masks all of vector 0 (efa_com.c: EFA_REGS_ADMIN_INTR_MASK). */
#define EFA_INTR_MASK_ADMIN UINT32_C(0x00000001)

/* DEV_CTL and why a reset was asked for. */
#define EFA_DEV_CTL_RESET        UINT32_C(0x00000001)
#define EFA_DEV_CTL_AQ_RESTART   UINT32_C(0x00000002)
#define EFA_DEV_CTL_RESET_REASON UINT32_C(0xF0000000)
enum efa_reset_reason {
  EFA_RESET_NORMAL = 0,
  EFA_RESET_KEEP_ALIVE_TIMEOUT = 1,
  EFA_RESET_ADMIN_TIMEOUT = 2,
  EFA_RESET_INIT_ERROR = 3,
  EFA_RESET_DRIVER_STATE = 4,
  EFA_RESET_OS = 5,
  EFA_RESET_SHUTDOWN = 6,
  EFA_RESET_USER = 7,
  EFA_RESET_GENERIC = 8,
};

/* DEV_STS */
#define EFA_DEV_STS_READY                  UINT32_C(0x00000001)
#define EFA_DEV_STS_AQ_RESTART_IN_PROGRESS UINT32_C(0x00000002)
#define EFA_DEV_STS_AQ_RESTART_FINISHED    UINT32_C(0x00000004)
#define EFA_DEV_STS_RESET_IN_PROGRESS      UINT32_C(0x00000008)
#define EFA_DEV_STS_RESET_FINISHED         UINT32_C(0x00000010)
#define EFA_DEV_STS_FATAL_ERROR            UINT32_C(0x00000020)

/* MMIO_REG_READ: the device writes a struct efa_mmio_response to MMIO_RESP, req_id last. One that
 * can't be read answers with the offset EFA_MMIO_REG_OFF_BAD (efa_com.c: efa_com_reg_read32). */
#define EFA_MMIO_REG_READ_REQ_ID  UINT32_C(0x0000FFFF)
#define EFA_MMIO_REG_READ_REG_OFF UINT32_C(0xFFFF0000)
#define EFA_MMIO_READ_LIMIT_MS    50u /* how long Linux waits (efa_com.c) */

/* EQ_DB */
#define EFA_EQ_DB_EQN UINT32_C(0x0000FFFF)
#define EFA_EQ_DB_ARM UINT32_C(0x80000000)

/* The doorbell of a completion queue, in the doorbell BAR at the offset that CREATE_CQ answered. */
#define EFA_CQ_DB_CONSUMER_INDEX UINT32_C(0x0000FFFF)
#define EFA_CQ_DB_COMMAND_SN     UINT32_C(0x60000000)
#define EFA_CQ_DB_ARM            UINT32_C(0x80000000)

#endif
