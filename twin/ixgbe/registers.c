/* SPDX-License-Identifier: BSD-2-Clause */
/* What reading and writing a register does (datasheet 8.2.3). */
#include "twin/ixgbe/ixgbe.h"

#define FRTIMER_UNIT_NS 1000u

/* ---- Registers with a case of their own ---- */

static uint32_t status_read(const struct twin_ixgbe *twin)
{
  uint32_t value = twin->link_up ? IXGBE_STATUS_LINKUP : 0;
  if (!(twin_ixgbe_get(twin, IXGBE_CTRL) & IXGBE_CTRL_GIO_DIS))
    value |= IXGBE_STATUS_GIO;
  return value;
}

static void ctrl_write(struct twin_ixgbe *twin, uint32_t value)
{
  if (value & IXGBE_CTRL_LNK_RST)
    twin_ixgbe_reset(twin, TWIN_IXGBE_RESET_LINK);
  else if (value & IXGBE_CTRL_RST)
    twin_ixgbe_reset(twin, TWIN_IXGBE_RESET_MAC);
  if (value & (IXGBE_CTRL_RST | IXGBE_CTRL_LNK_RST))
    return; /* both bits clear themselves, and with them what else was written */
  twin_ixgbe_set(twin, IXGBE_CTRL, value);
}

/* SDP pins: an input shows what the board drives; pin 2 is the cage's "module present" (4.6.3.3).
 */
static uint32_t esdp_read(const struct twin_ixgbe *twin)
{
  uint32_t value = twin_ixgbe_get(twin, IXGBE_ESDP);
  bool has_module = twin->options.device_id == IXGBE_DEVICE_82599_SFP &&
                    twin->options.module != SHUNT_TWIN_MODULE_NONE;
  if (value & IXGBE_ESDP_DIR(2))
    return value;
  return has_module ? value | IXGBE_ESDP_SFP_PRESENT : value & ~IXGBE_ESDP_SFP_PRESENT;
}

/* SMBI reads 0 once: to whom it did, the semaphore belongs (10.5.4). */
static uint32_t swsm_read(struct twin_ixgbe *twin)
{
  uint32_t value = twin_ixgbe_get(twin, IXGBE_SWSM);
  twin_ixgbe_set(twin, IXGBE_SWSM, value | IXGBE_SWSM_SMBI);
  return value;
}

static uint32_t special_read(struct twin_ixgbe *twin, uint32_t offset)
{
  switch (offset) {
  case IXGBE_STATUS:
    return status_read(twin);
  case IXGBE_ESDP:
    return esdp_read(twin);
  case IXGBE_I2CCTL:
    return twin_ixgbe_i2cctl_read(twin);
  case IXGBE_FRTIMER:
    return (uint32_t)(twin->now_ns / FRTIMER_UNIT_NS);
  case IXGBE_SWSM:
    return swsm_read(twin);
  case IXGBE_LINKS:
    return twin_ixgbe_links_read(twin);
  default:
    return twin_ixgbe_get(twin, offset);
  }
}

static void special_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  switch (offset) {
  case IXGBE_CTRL:
    ctrl_write(twin, value);
    return;
  case IXGBE_I2CCTL:
    twin_ixgbe_set(twin, offset, twin_ixgbe_i2cctl_write(twin, value));
    return;
  case IXGBE_EEC:
    twin_ixgbe_set(twin, offset, twin_ixgbe_eec_write(twin, value));
    return;
  case IXGBE_EERD:
    twin_ixgbe_set(twin, offset, twin_ixgbe_eerd_write(twin, value));
    return;
  case IXGBE_EEWR:
    twin_ixgbe_set(twin, offset, twin_ixgbe_eewr_write(twin, value));
    return;
  case IXGBE_MSCA:
    twin_ixgbe_msca_write(twin, value);
    return;
  case IXGBE_AUTOC:
    twin_ixgbe_autoc_write(twin, value);
    return;
  case IXGBE_PCS1GLCTL:
    twin_ixgbe_set(twin, offset, value & ~IXGBE_PCS1GLCTL_AN_RESTART);
    return;
  case IXGBE_ESDP:   /* lasers off */
  case IXGBE_HLREG0: /* loopback */
  case IXGBE_AUTOC2: /* link disable */
    twin_ixgbe_set(twin, offset, value);
    twin_ixgbe_link_update(twin);
    return;
  case IXGBE_SWSM:
    twin_ixgbe_set(twin, offset, value);
    return;
  default: /* STATUS, LINKS, FRTIMER: read only */
    return;
  }
}

/* ---- All registers ---- */

static uint32_t effect_read(struct twin_ixgbe *twin, const struct twin_ixgbe_register *what,
                            uint32_t offset)
{
  uint32_t value = 0;
  switch (what->effect) {
  case TWIN_IXGBE_CLEAR_ON_READ:
    value = twin_ixgbe_get(twin, offset);
    twin_ixgbe_set(twin, offset, 0);
    return value;
  case TWIN_IXGBE_STATISTIC:
    return twin_ixgbe_statistics_read(twin, offset, &value) ? value : 0;
  case TWIN_IXGBE_QUEUE_STATISTIC:
    return twin_ixgbe_queue_statistics_read(twin, offset, &value) ? value : 0;
  case TWIN_IXGBE_INTERRUPT:
    return twin_ixgbe_interrupt_read(twin, offset, &value) ? value : twin_ixgbe_get(twin, offset);
  case TWIN_IXGBE_PTP:
    return twin_ixgbe_ptp_read(twin, offset, &value) ? value : twin_ixgbe_get(twin, offset);
  case TWIN_IXGBE_FLOW_DIRECTOR:
    return twin_ixgbe_flow_director_read(twin, offset, &value) ? value
                                                               : twin_ixgbe_get(twin, offset);
  case TWIN_IXGBE_SPECIAL:
    return special_read(twin, offset);
  default:
    return twin_ixgbe_get(twin, offset);
  }
}

static void effect_write(struct twin_ixgbe *twin, const struct twin_ixgbe_register *what,
                         uint32_t offset, uint32_t value)
{
  uint32_t old = twin_ixgbe_get(twin, offset);
  switch (what->effect) {
  case TWIN_IXGBE_WRITE_1_CLEAR:
    twin_ixgbe_set(twin, offset, old & ~value);
    return;
  case TWIN_IXGBE_RX_ENABLE:
    twin_ixgbe_rx_control_write(twin, offset, value);
    return;
  case TWIN_IXGBE_TX_ENABLE:
    twin_ixgbe_tx_control_write(twin, offset, value);
    return;
  case TWIN_IXGBE_INTERRUPT:
    if (twin_ixgbe_interrupt_write(twin, offset, value))
      return;
    break;
  case TWIN_IXGBE_PTP:
    if (twin_ixgbe_ptp_write(twin, offset, value))
      return;
    break;
  case TWIN_IXGBE_FLOW_DIRECTOR:
    if (twin_ixgbe_flow_director_write(twin, offset, value))
      return;
    break;
  case TWIN_IXGBE_SPECIAL:
    special_write(twin, offset, value);
    return;
  default:
    break;
  }
  twin_ixgbe_set(twin, offset, (old & ~what->writable) | (value & what->writable));
}

uint32_t twin_ixgbe_read(struct twin_ixgbe *twin, uint32_t offset)
{
  const struct twin_ixgbe_register *what = twin_ixgbe_register_at(twin, offset);
  if (what && what->effect == TWIN_IXGBE_ALIAS) {
    offset = twin_ixgbe_register_resolve(offset);
    what = twin_ixgbe_register_at(twin, offset);
  }
  if (!what) {
    twin->faults.unknown_register++;
    return 0;
  }
  return effect_read(twin, what, offset);
}

void twin_ixgbe_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  const struct twin_ixgbe_register *what = twin_ixgbe_register_at(twin, offset);
  if (what && what->effect == TWIN_IXGBE_ALIAS) {
    offset = twin_ixgbe_register_resolve(offset);
    what = twin_ixgbe_register_at(twin, offset);
  }
  if (!what) {
    twin->faults.unknown_register++;
    return;
  }
  effect_write(twin, what, offset, value);
}

/* ---- Reset ---- */

/* The MAC address that the EEPROM's core section holds is loaded by every reset (6.3.6). */
static void address_load(struct twin_ixgbe *twin)
{
  uint8_t mac[6];
  twin_ixgbe_eeprom_mac(twin, mac);
  twin_ixgbe_set(twin, IXGBE_RAL(0),
                 mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24);
  twin_ixgbe_set(twin, IXGBE_RAH(0), mac[4] | (uint32_t)mac[5] << 8 | IXGBE_RAH_AV);
  /* The address belongs to every pool until software says otherwise (8.2.3.7.10). */
  twin_ixgbe_set(twin, IXGBE_MPSAR_LO(0), UINT32_MAX);
  twin_ixgbe_set(twin, IXGBE_MPSAR_HI(0), UINT32_MAX);
}

void twin_ixgbe_reset(struct twin_ixgbe *twin, enum twin_ixgbe_reset level)
{
  twin_ixgbe_rings_reset(twin);
  twin_ixgbe_registers_reset(twin, level);
  twin_ixgbe_statistics_reset(twin);
  address_load(twin);
  twin_ixgbe_interrupts_reset(twin);
  twin_ixgbe_ptp_reset(twin);
  twin_ixgbe_tx_reset(twin);
  twin_ixgbe_rx_reset(twin);
  twin_ixgbe_steer_reset(twin);
  if (level == TWIN_IXGBE_RESET_POWER) {
    twin_ixgbe_set(twin, IXGBE_EEC, twin_ixgbe_eec_write(twin, 0));
    twin_ixgbe_i2c_reset(twin);
  }
  if (level >= TWIN_IXGBE_RESET_LINK)
    twin_ixgbe_link_reset(twin);
  twin_ixgbe_link_update(twin);
}
