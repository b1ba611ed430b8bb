/* SPDX-License-Identifier: BSD-2-Clause */
/* The link (datasheet 3.7, 8.2.3.22.19 - 8.2.3.22.25): up while the wire has carrier and nothing
 * that the driver set up keeps it down. It comes up at once: drivers poll, and none needs the
 * hundred milliseconds that negotiation takes on silicon. */
#include "twin/ixgbe/ixgbe.h"

/* What the EEPROM loads into AUTOC and AUTOC2, by board: SFP+ cages are serial without
 * autonegotiation, CX4 parallel without, the backplane negotiates. */
static uint32_t autoc_loaded(const struct twin_ixgbe *twin)
{
  switch (twin->options.device_id) {
  case IXGBE_DEVICE_82599_CX4:
    return HW_FIELD(IXGBE_AUTOC_LMS, IXGBE_LMS_10G_PARALLEL_NO_AN) |
           HW_FIELD(IXGBE_AUTOC_10G_PMA_PMD_PARALLEL, IXGBE_AUTOC_10G_CX4);
  case IXGBE_DEVICE_82599_XAUI:
    return HW_FIELD(IXGBE_AUTOC_LMS, IXGBE_LMS_KX4_KX_KR) |
           HW_FIELD(IXGBE_AUTOC_10G_PMA_PMD_PARALLEL, IXGBE_AUTOC_10G_KX4) |
           HW_FIELD(IXGBE_AUTOC_1G_PMA_PMD, IXGBE_AUTOC_1G_KX_BX) | IXGBE_AUTOC_KX4_SUPP |
           IXGBE_AUTOC_KX_SUPP;
  default:
    return HW_FIELD(IXGBE_AUTOC_LMS, IXGBE_LMS_10G_SERIAL_NO_AN);
  }
}

void twin_ixgbe_link_reset(struct twin_ixgbe *twin)
{
  twin->link_up = false; /* whoever updates the link next finds it up again */
  twin->link_was_lost = true;
  bool is_serial = twin->options.device_id == IXGBE_DEVICE_82599_SFP;
  twin_ixgbe_set(twin, IXGBE_AUTOC, autoc_loaded(twin));
  twin_ixgbe_set(twin, IXGBE_AUTOC2,
                 is_serial ? HW_FIELD(IXGBE_AUTOC2_10G_PMA_PMD_SERIAL, IXGBE_AUTOC2_10G_SFI) : 0);
}

static uint32_t link_mode(const struct twin_ixgbe *twin)
{
  return HW_GET(IXGBE_AUTOC_LMS, twin_ixgbe_get(twin, IXGBE_AUTOC));
}

static bool mode_negotiates(uint32_t mode)
{
  return mode == IXGBE_LMS_1G_AN || mode >= IXGBE_LMS_KX4_KX_KR;
}

static uint32_t mode_speed(uint32_t mode)
{
  switch (mode) {
  case IXGBE_LMS_1G_NO_AN:
  case IXGBE_LMS_1G_AN:
  case IXGBE_LMS_SGMII_1G_100M:
    return IXGBE_LINKS_SPEED_1G;
  default:
    return IXGBE_LINKS_SPEED_10G;
  }
}

/* A module's lasers are off while SDP3 is driven high; a copper cable has none. */
static bool lasers_are_off(const struct twin_ixgbe *twin)
{
  const uint32_t off = IXGBE_ESDP_LASER_OFF | IXGBE_ESDP_DIR(3);
  return twin->options.module == SHUNT_TWIN_MODULE_SR &&
         (twin_ixgbe_get(twin, IXGBE_ESDP) & off) == off;
}

static bool has_signal(const struct twin_ixgbe *twin)
{
  if (!twin->end || !shunt_wire_carrier(twin->end))
    return false;
  if (twin->options.device_id != IXGBE_DEVICE_82599_SFP)
    return true;
  return twin->options.module != SHUNT_TWIN_MODULE_NONE && !lasers_are_off(twin);
}

static bool link_compute(const struct twin_ixgbe *twin)
{
  if (twin_ixgbe_get(twin, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK)
    return true;
  if (twin_ixgbe_get(twin, IXGBE_AUTOC2) & IXGBE_AUTOC2_LINK_DISABLE)
    return false;
  return has_signal(twin);
}

void twin_ixgbe_link_update(struct twin_ixgbe *twin)
{
  bool is_up = link_compute(twin);
  bool partner_answers = is_up && mode_negotiates(link_mode(twin));
  twin_ixgbe_set(twin, IXGBE_LINKS2, partner_answers ? IXGBE_LINKS2_AN_SUPPORTED : 0);
  if (is_up == twin->link_up)
    return;
  twin->link_up = is_up;
  if (!is_up)
    twin->link_was_lost = true;
  twin_ixgbe_interrupt_cause(twin, IXGBE_EICR_LSC);
}

bool twin_ixgbe_link_up(const struct twin_ixgbe *twin)
{
  return twin->link_up;
}

/* LINK_UP latches low: the first read after a loss shows the loss. */
uint32_t twin_ixgbe_links_read(struct twin_ixgbe *twin)
{
  uint32_t mode = link_mode(twin);
  uint32_t speed = mode_speed(mode);
  bool was_lost = twin->link_was_lost;
  twin->link_was_lost = false;
  uint32_t value = speed == IXGBE_LINKS_SPEED_10G ? IXGBE_LINKS_PCS_10G_EN : IXGBE_LINKS_PCS_1G_EN;
  if (!twin->link_up)
    return value;
  value |= HW_FIELD(IXGBE_LINKS_SPEED, speed) | IXGBE_LINKS_SIGNAL | IXGBE_LINKS_LANE_SYNC;
  value |= speed == IXGBE_LINKS_SPEED_10G ? IXGBE_LINKS_10G_ALIGN : IXGBE_LINKS_1G_SYNC;
  if (mode_negotiates(mode))
    value |= IXGBE_LINKS_AN_COMPLETE;
  return was_lost ? value : value | IXGBE_LINKS_UP;
}

/* AN_RESTART takes the link down and up again, in every mode. */
void twin_ixgbe_autoc_write(struct twin_ixgbe *twin, uint32_t value)
{
  twin_ixgbe_set(twin, IXGBE_AUTOC, value & ~IXGBE_AUTOC_AN_RESTART);
  twin_ixgbe_link_update(twin);
  if (!(value & IXGBE_AUTOC_AN_RESTART) || !twin->link_up)
    return;
  twin->link_was_lost = true;
  twin_ixgbe_interrupt_cause(twin, IXGBE_EICR_LSC);
}
