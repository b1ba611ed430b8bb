/* SPDX-License-Identifier: BSD-2-Clause */
/* From whatever state to a chip that is reset, idle and masked (datasheet 4.6.3), and back to it.
 */
#include <errno.h>

#include "hw/pci.h"
#include "src/nic/ixgbe/ixgbe.h"

/* How long the steps may take. The datasheet gives the reset about 1 ms and the EEPROM's auto-read
 * some 10 ms; the rest is patience with firmware. */
#define MASTER_MS 100
#define RESET_MS  100
#define EEPROM_MS 500

/* 4.6.3.1: no interrupt during the reset. Vectors above 15 have masks of their own. */
void ixgbe_mask_interrupts(struct ixgbe *ixgbe)
{
  ixgbe_write(ixgbe, IXGBE_EIMC, IXGBE_EIMC_ALL);
  for (unsigned i = 0; i < 2; i++)
    ixgbe_write(ixgbe, IXGBE_EIMC_EX(i), UINT32_MAX);
  (void)ixgbe_read(ixgbe, IXGBE_EICR); /* clears what was pending, and flushes the writes */
}

static void set_bus_master(struct ixgbe *ixgbe, bool on)
{
  const struct pci_ops *ops = ixgbe->pci->ops;
  uint32_t command = 0;
  if (ops->config_read(ixgbe->pci, PCI_CFG_COMMAND, 2, &command))
    return;
  command &= ~PCI_CMD_BUS_MASTER;
  command |= PCI_CMD_MEMORY | (on ? PCI_CMD_BUS_MASTER : 0);
  ops->config_write(ixgbe->pci, PCI_CFG_COMMAND, 2, command);
}

/* 5.2.5.3.2: the chip starts no new PCIe request, and says when the last one has been answered. */
static int stop_master(struct ixgbe *ixgbe, struct shunt_error *error)
{
  ixgbe_set(ixgbe, IXGBE_CTRL, IXGBE_CTRL_GIO_DIS);
  return ixgbe_wait_ms(ixgbe, IXGBE_STATUS, IXGBE_STATUS_GIO, 0, MASTER_MS, "STATUS.GIO", error);
}

/* 4.2.1.6.1: requests that never end hold data in the Tx buffers, which would survive the reset.
 * Looped back inside the MAC they go nowhere; then the buffers are cleared. */
static void clear_stuck_buffers(struct ixgbe *ixgbe)
{
  uint32_t hlreg0 = ixgbe_read(ixgbe, IXGBE_HLREG0);
  uint32_t gcr_ext = ixgbe_read(ixgbe, IXGBE_GCR_EXT);
  ixgbe_write(ixgbe, IXGBE_HLREG0, hlreg0 | IXGBE_HLREG0_LPBK);
  ixgbe_flush(ixgbe);
  ixgbe_delay_ms(ixgbe, 3);
  ixgbe_write(ixgbe, IXGBE_GCR_EXT, gcr_ext | IXGBE_GCR_EXT_BUFFERS_CLEAR);
  ixgbe_flush(ixgbe);
  ixgbe_delay_us(ixgbe, 20);
  ixgbe_write(ixgbe, IXGBE_GCR_EXT, gcr_ext);
  ixgbe_write(ixgbe, IXGBE_HLREG0, hlreg0);
}

/* 4.2.1.6.1, 4.6.3.2: software and link reset; both bits clear themselves. The chip may not be
 * touched for a while after that. */
static int reset_once(struct ixgbe *ixgbe, struct shunt_error *error)
{
  ixgbe_set(ixgbe, IXGBE_CTRL, IXGBE_CTRL_RST | IXGBE_CTRL_LNK_RST);
  ixgbe_delay_ms(ixgbe, 1);
  int result = ixgbe_wait_ms(ixgbe, IXGBE_CTRL, IXGBE_CTRL_RST | IXGBE_CTRL_LNK_RST, 0, RESET_MS,
                             "CTRL.RST and CTRL.LNK_RST", error);
  ixgbe_delay_ms(ixgbe, 10);
  return result;
}

static int reset_chip(struct ixgbe *ixgbe, struct shunt_error *error)
{
  int result = reset_once(ixgbe, error);
  if (!result && ixgbe->dma_stuck) {
    ixgbe->dma_stuck = false;
    result = reset_once(ixgbe, error);
  }
  return result;
}

/* 4.6.3: the EEPROM is read into the registers, the DMA blocks set themselves up. */
static int await_ready(struct ixgbe *ixgbe, struct shunt_error *error)
{
  int result =
      ixgbe_wait_ms(ixgbe, IXGBE_EEC, IXGBE_EEC_ARD, IXGBE_EEC_ARD, EEPROM_MS, "EEC.ARD", error);
  if (result)
    return result;
  return ixgbe_wait_ms(ixgbe, IXGBE_RDRXCTL, IXGBE_RDRXCTL_DMAIDONE, IXGBE_RDRXCTL_DMAIDONE,
                       EEPROM_MS, "RDRXCTL.DMAIDONE", error);
}

/* 4.6.3: auto-read puts the port's own address into the first receive address. */
static int read_address(struct ixgbe *ixgbe, struct shunt_error *error)
{
  uint32_t low = ixgbe_read(ixgbe, IXGBE_RAL(0)), high = ixgbe_read(ixgbe, IXGBE_RAH(0));
  for (unsigned i = 0; i < 6; i++)
    ixgbe->mac.bytes[i] = (uint8_t)((i < 4 ? low >> (8 * i) : high >> (8 * (i - 4))));
  bool usable = (low || (high & IXGBE_RAH_ADDRESS)) && !(ixgbe->mac.bytes[0] & 1);
  if (usable && (high & IXGBE_RAH_AV))
    return 0;
  shunt_error_set(error, -EIO, "the card has no MAC address");
  shunt_error_why(error, "RAL0 reads %08x and RAH0 %08x: not the valid address of one station", low,
                  high);
  shunt_error_remedy(error, "its EEPROM was not read or is damaged: a cold reset, or its update");
  return -EIO;
}

static int answers(struct ixgbe *ixgbe, int code, struct shunt_error *error)
{
  if (ixgbe_read(ixgbe, IXGBE_STATUS) != UINT32_MAX)
    return 0;
  shunt_error_set(error, code, "the card does not answer");
  shunt_error_why(error, "STATUS reads ffffffff, which is what a bus without a device reads");
  shunt_error_remedy(error, "is it in a low-power state, or has it fallen off the bus (lspci, "
                            "dmesg)? Remove and rescan the device, or reset the machine");
  return code;
}

int ixgbe_check(struct shunt_port *port, struct shunt_error *error)
{
  int result = answers(ixgbe_of(port), -ENODEV, error);
  return result ? shunt_error_within(error, result, "%s is gone", port->name) : 0;
}

int ixgbe_reset(struct ixgbe *ixgbe, struct shunt_error *error)
{
  set_bus_master(ixgbe, false);
  int result = answers(ixgbe, -EIO, error);
  if (result)
    return result;
  ixgbe->lan = HW_GET(IXGBE_STATUS_LAN_ID, ixgbe_read(ixgbe, IXGBE_STATUS));

  ixgbe_write(ixgbe, IXGBE_RXCTRL, 0);
  ixgbe_mask_interrupts(ixgbe);
  ixgbe->dma_stuck = stop_master(ixgbe, NULL) == -ETIMEDOUT; /* no failure: a harder reset */
  if (ixgbe->dma_stuck)
    clear_stuck_buffers(ixgbe);
  result = reset_chip(ixgbe, error);
  if (result)
    return result;
  ixgbe_mask_interrupts(ixgbe);
  result = await_ready(ixgbe, error);
  if (!result)
    result = read_address(ixgbe, error);
  if (result)
    return result;

  ixgbe->reset_done = true;
  ixgbe_set(ixgbe, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
  set_bus_master(ixgbe, true);
  return 0;
}

/* The reverse, for close: by the book while the chip answers, and whatever it says, no DMA when
 * this returns: bus mastering is off, and the reset has dropped the rings' addresses. */
void ixgbe_quiesce(struct ixgbe *ixgbe)
{
  struct shunt_error error;
  ixgbe_mask_interrupts(ixgbe);
  int result = ixgbe_rx_enable(ixgbe, false, &error);
  if (!result)
    result = ixgbe_tx_stop(ixgbe, &error);
  if (!result)
    result = ixgbe_rx_stop(ixgbe, &error);
  if (!result)
    result = stop_master(ixgbe, &error);
  set_bus_master(ixgbe, false);
  if (result)
    shunt_log_error(ixgbe->pci->log, SHUNT_LOG_WARNING, &error);
  if (result == -EIO)
    return; /* gone: nothing will answer */
  ixgbe_clear(ixgbe, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
  ixgbe->dma_stuck = result != 0;
  if (reset_chip(ixgbe, &error))
    shunt_log_error(ixgbe->pci->log, SHUNT_LOG_WARNING, &error);
  ixgbe_mask_interrupts(ixgbe);
}
